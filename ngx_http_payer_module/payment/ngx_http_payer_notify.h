
/*
 * payer_notify: the shop is notified of changes of an order until it has
 * accepted them.
 *
 *     outbox    what is owed goes into the put of the record's change
 *     due       what is due is leased, and each gets a background request
 *     delivery  one attempt: in order, after a look at the shop, settled
 */


#ifndef _NGX_HTTP_PAYER_NOTIFY_H_INCLUDED_
#define _NGX_HTTP_PAYER_NOTIFY_H_INCLUDED_


#include "ngx_http_payer_module.h"
#include "ngx_http_payer_lookup.h"
#include "ngx_http_payer_notice.h"


/* of payer_notify_retry, if it does not say so: seconds */

#define NGX_HTTP_PAYER_NOTIFY_LIMIT     (72 * 3600)
#define NGX_HTTP_PAYER_NOTIFY_INTERVAL  10
#define NGX_HTTP_PAYER_NOTIFY_MAX       3600


/* payer_notify */
struct ngx_http_payer_notify_uri_s {
    ngx_str_t                        uri;       /* the path; empty: "off" */
    ngx_array_t                      args;      /* ..._lookup_arg_t */
    ngx_uint_t                       fixed;     /* it has no variables */
    u_char                          *file;      /* where it stands */
    ngx_uint_t                       line;
    ngx_uint_t                       outside;   /* of any server */
    ngx_uint_t                       warned;
};


/* payer_notify_accept: what a response must contain */
struct ngx_http_payer_accept_s {
    ngx_http_payer_lookup_field_t    field;     /* a pointer or a pattern */
    ngx_array_t                     *values;    /* ngx_str_t, of a pointer */
};


/* a location for notifications in the configuration */
typedef struct {
    ngx_str_t                       *server;    /* its first name */
    ngx_http_payer_loc_conf_t       *conf;      /* with what is in force */
} ngx_http_payer_notify_place_t;


/* setters of directives */
char *ngx_http_payer_notify(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_payer_notify_on(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_payer_notify_accept(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_payer_notify_retry(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_payer_notify_key_file(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

void ngx_http_payer_notify_create(ngx_http_payer_loc_conf_t *conf);
void ngx_http_payer_notify_merge(ngx_http_payer_loc_conf_t *prev,
    ngx_http_payer_loc_conf_t *conf);

/* the places of the whole configuration: NGX_OK or NGX_ERROR (logged) */
ngx_int_t ngx_http_payer_check_notify(ngx_conf_t *cf);


/*
 * stores the evaluated URI, and that of the lookup and the server, in the
 * record of a new payment: NGX_OK, NGX_DECLINED (logged: it is too long),
 * NGX_ERROR
 */
ngx_int_t ngx_http_payer_notify_note(ngx_http_payer_ctx_t *ctx);

/*
 * the place for notifications about the record, or else for this location, or
 * NULL
 */
ngx_http_payer_loc_conf_t *ngx_http_payer_notify_place(
    ngx_http_payer_main_conf_t *pmcf, ngx_str_t *server, ngx_str_t *uri);

/* whether the merchant's shops are notified of anything */
ngx_uint_t ngx_http_payer_notify_any(ngx_http_payer_main_conf_t *pmcf,
    ngx_str_t *merchant);


/* at most as many notifications come of one change */

#define NGX_HTTP_PAYER_OUTBOX_MAX  4

/*
 * the entries that go with ctx->record, into the array: how many, or
 * NGX_ERROR
 */
ngx_int_t ngx_http_payer_outbox(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_store_entry_t *entries);


/* the value and the label of an entry: NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_payer_notice_entry(ngx_pool_t *pool,
    ngx_http_payer_notice_t *notice, ngx_http_payer_store_entry_t *entry);

/* seconds for which an entry is leased: payer_timeout and what follows it */

#define NGX_HTTP_PAYER_NOTIFY_MARGIN  30

time_t ngx_http_payer_notify_lease(ngx_http_payer_main_conf_t *pmcf);

/* the Host of what goes to this shop; empty: the first server_name */
ngx_str_t ngx_http_payer_notify_host(ngx_http_payer_loc_conf_t *conf);

/*
 * starts to deliver what is due, as much as fits one run; and the same in the
 * next turn of the event loop, when something has been stored that is due
 */
void ngx_http_payer_notify_due(ngx_http_payer_main_conf_t *pmcf);
void ngx_http_payer_notify_wake(ngx_http_payer_main_conf_t *pmcf);

/* counts what is owed, for the metrics: one worker process at a time */
void ngx_http_payer_notify_count(ngx_http_payer_main_conf_t *pmcf);

/* whether the shop's response accepts the notification */
ngx_uint_t ngx_http_payer_notify_accepted(ngx_http_payer_accept_t *accept,
    ngx_pool_t *pool, ngx_http_payer_exchange_t *x);


#endif /* _NGX_HTTP_PAYER_NOTIFY_H_INCLUDED_ */
