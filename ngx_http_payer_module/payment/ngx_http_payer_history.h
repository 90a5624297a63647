
/*
 * The history of an order, as far as it is not in its record and its
 * operations: earlier links, changes that a read has shown, events, and
 * actions of staff other than operations.
 *
 * An entry is written only together with another write.  The number of entries
 * of an order is limited by their keys: a change of state has one slot, and
 * events and actions of staff share slots that are reused.
 */


#ifndef _NGX_HTTP_PAYER_HISTORY_H_INCLUDED_
#define _NGX_HTTP_PAYER_HISTORY_H_INCLUDED_


#include "ngx_http_payer_module.h"


typedef struct {
    time_t         at;
    int64_t        amount;                      /* -1: none */
    ngx_str_t      what;                        /* "link", "read", "event" */
    ngx_str_t      by;                          /* the actor, or the source */
    ngx_str_t      result;                      /* a state, the event's type */
    ngx_str_t      reason;
    ngx_str_t      request_id;
    ngx_str_t      payment_id;
} ngx_http_payer_history_t;


/* history/MERCHANT/DIGEST-OF-THE-REFERENCE/: NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_payer_history_prefix(ngx_pool_t *pool, ngx_str_t *merchant,
    ngx_str_t *reference, ngx_str_t *prefix);

/* NGX_OK, or NGX_DECLINED for bytes that are none; texts point into "value" */
ngx_int_t ngx_http_payer_history_decode(ngx_str_t *value,
    ngx_http_payer_history_t *history);

/*
 * Each makes an entry to be written with the record of ctx: NGX_OK,
 * NGX_DECLINED if there is nothing to tell, NGX_ERROR.
 */

/* the link that the record has, which another one is about to replace */
ngx_int_t ngx_http_payer_history_link(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_store_entry_t *entry);

/* a state that a read has shown; only if it is another one than is stored */
ngx_int_t ngx_http_payer_history_read(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_source_e source, ngx_http_payer_store_entry_t *entry);

ngx_int_t ngx_http_payer_history_event(ngx_http_payer_ctx_t *ctx,
    ngx_str_t *type, ngx_str_t *token, ngx_http_payer_store_entry_t *entry);

/* whether it is an action of staff, with a name */
ngx_uint_t ngx_http_payer_history_is_act(ngx_http_payer_history_t *history);

/* the same under its key, without actor and reason */
ngx_int_t ngx_http_payer_history_blank(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_history_t *history, ngx_str_t *key,
    ngx_http_payer_store_entry_t *entry);

/* an action; "id" distinguishes it from others */
ngx_int_t ngx_http_payer_history_act(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_history_t *history, ngx_str_t *id,
    ngx_http_payer_store_entry_t *entry);


#endif /* _NGX_HTTP_PAYER_HISTORY_H_INCLUDED_ */
