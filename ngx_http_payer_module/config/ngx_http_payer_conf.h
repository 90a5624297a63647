
/*
 * Configuration: create, merge, setters, and the checks that reject dangerous
 * configurations.
 */


#ifndef _NGX_HTTP_PAYER_CONF_H_INCLUDED_
#define _NGX_HTTP_PAYER_CONF_H_INCLUDED_


#include "ngx_http_payer_module.h"
#include "ngx_http_payer_value.h"


/* an "error_page 402" that keeps the status */
typedef struct {
    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_core_srv_conf_t     *cscf;
    ngx_str_t                     page;
} ngx_http_payer_payment_page_t;


/* whether a location with a handler may call Payer */
#define ngx_http_payer_calls(conf)                                           \
    ((conf)->handler->api || (conf)->verify.reference.value)


void *ngx_http_payer_create_main_conf(ngx_conf_t *cf);
void *ngx_http_payer_create_loc_conf(ngx_conf_t *cf);
char *ngx_http_payer_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);

/* setters of directives; "conf" is the module's configuration */
char *ngx_http_payer_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_payer_store(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_payer_api(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_payer_client_id(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_payer_secret_file(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_payer_path(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_payer_reference(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_payer_status_dead(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_payer_amount(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_payer_currency(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_payer_present(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_payer_event_pass(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_payer_allow(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_payer_verify_ticket(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_payer_return_origin(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

char *ngx_http_payer_audit_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_payer_office_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_payer_refund_max(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

char *ngx_http_payer_keep(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* sets the handler of the location: cmd->post is its ..._handler_t */
char *ngx_http_payer_handler(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/*
 * what can be checked of one location when it is merged, and of all of them
 * with their API locations when the configuration is complete
 */
char *ngx_http_payer_check_handler(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);
ngx_int_t ngx_http_payer_check_api_locs(ngx_conf_t *cf);

/* whether it is the location of payer_api for any location of the server */
ngx_uint_t ngx_http_payer_is_api_loc(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *cscf, ngx_http_core_loc_conf_t *clcf);
ngx_int_t ngx_http_payer_check_store(ngx_conf_t *cf);

/* a check of one location, when the configuration is complete: NGX_OK, or
 * NGX_ERROR (logged) */
typedef ngx_int_t (*ngx_http_payer_check_pt)(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);

/* the check of each location that has a handler, until one fails */
ngx_int_t ngx_http_payer_check_locations(ngx_conf_t *cf,
    ngx_http_payer_check_pt check);

/* the check that the handler of the location brings, if any */
ngx_int_t ngx_http_payer_check_own(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);

ngx_int_t ngx_http_payer_check_pass(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);
ngx_int_t ngx_http_payer_check_constant(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);
void ngx_http_payer_check_return_hosts(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);
ngx_int_t ngx_http_payer_check_results(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf, char *directive,
    ngx_http_complex_value_t *amount, ngx_http_payer_unit_e unit,
    ngx_http_complex_value_t *currency);
ngx_int_t ngx_http_payer_check_values_of(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);
ngx_int_t ngx_http_payer_check_staff(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);
ngx_int_t ngx_http_payer_check_args(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);

/* "0.0.0.0/0", "::/0" */
ngx_uint_t ngx_http_payer_all_addresses(ngx_cidr_t *cidr);

/* whether a location, by its loc_conf, has an auth_basic that is not "off" */
ngx_uint_t ngx_http_payer_asks_password(ngx_conf_t *cf, void **loc_conf);

/* of the location behind conf->api_loc, which "proxy" is of */
ngx_int_t ngx_http_payer_check_proxy(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf, ngx_http_payer_proxy_conf_t *proxy);

/*
 * whether amount and currency come from a permitted source; "is_signed":
 * payer_signature of the location is verified before the value is used
 */
ngx_int_t ngx_http_payer_check_money(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf, char *directive, ngx_str_t *value,
    ngx_uint_t trusted, ngx_uint_t is_signed);

/* keeps an "error_page 402" without "=" for the next: NGX_OK, NGX_ERROR */
ngx_int_t ngx_http_payer_note_page(ngx_conf_t *cf);

/* whether what the location passes on may be answered from a cache */
ngx_uint_t ngx_http_payer_has_cache(ngx_conf_t *cf,
    ngx_http_core_loc_conf_t *clcf);

/* warnings about servers as a whole: NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_payer_check_servers(ngx_conf_t *cf);

/* payer_actor, payer_office_operate, payer_refund_max, payer_audit */
void ngx_http_payer_actor_merge(ngx_http_payer_loc_conf_t *prev,
    ngx_http_payer_loc_conf_t *conf);

/* rejects an actor that is not authenticated: NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_payer_actor_check(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);

/* the same for the limits of the office that depend on the actor */
ngx_int_t ngx_http_payer_check_office(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);


#endif /* _NGX_HTTP_PAYER_CONF_H_INCLUDED_ */
