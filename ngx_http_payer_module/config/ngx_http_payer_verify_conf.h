
/*
 * The directives of payer_verify.
 */


#ifndef _NGX_HTTP_PAYER_VERIFY_CONF_H_INCLUDED_
#define _NGX_HTTP_PAYER_VERIFY_CONF_H_INCLUDED_


#include "ngx_http_payer_module.h"


/*
 * what a location with payer_verify needs, although its content handler is
 * another one
 */
extern ngx_http_payer_handler_t  ngx_http_payer_handler_verify;

/* the setter of payer_verify */
char *ngx_http_payer_verify_reference(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* the setter of payer_verify_wait */
char *ngx_http_payer_verify_wait(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

void ngx_http_payer_verify_create_conf(ngx_http_payer_verify_conf_t *verify);

void ngx_http_payer_verify_merge_conf(ngx_http_payer_verify_conf_t *prev,
    ngx_http_payer_verify_conf_t *conf);

/*
 * rejects a payer_verify that is never evaluated: NGX_OK, NGX_ERROR (logged)
 */
ngx_int_t ngx_http_payer_verify_check(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);

/* setter of the directive */
char *ngx_http_payer_verify_amount(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* what can be read when nginx starts: NGX_OK, or NGX_ERROR (logged) */
ngx_int_t ngx_http_payer_verify_amount_check(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);

/* warns of payer_verify without it, if a checkout allows a smaller amount */
void ngx_http_payer_verify_amount_warn(ngx_conf_t *cf);


#endif /* _NGX_HTTP_PAYER_VERIFY_CONF_H_INCLUDED_ */
