
/*
 * Links of payer_link that reopen an order which was cancelled, released or
 * refunded before they were created.
 */


#ifndef _NGX_HTTP_PAYER_REOPEN_H_INCLUDED_
#define _NGX_HTTP_PAYER_REOPEN_H_INCLUDED_


#include "ngx_http_payer_module.h"


/*
 * the entry by which, until "expires", the link with this signed message
 * reopens the order of ctx->record, and no other link: NGX_OK or NGX_ERROR
 */
ngx_int_t ngx_http_payer_reopen_link(ngx_http_payer_ctx_t *ctx,
    ngx_str_t *message, time_t expires, ngx_http_payer_store_entry_t *entry);

/*
 * the entry by which any signed link reopens the order of ctx->record, as long
 * as it has the payment that has now ended: NGX_OK or NGX_ERROR
 */
ngx_int_t ngx_http_payer_reopen_order(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_store_entry_t *entry);

/* sets ctx->reopened if there is such an entry: results as below */
ngx_int_t ngx_http_payer_reopen_ask_order(ngx_http_payer_ctx_t *ctx);

/*
 * sets ctx->reopened if the link of the request, with this signed message, was
 * created to reopen an order: NGX_OK, NGX_AGAIN when the request is parked
 * (call it again), NGX_ERROR (logged)
 */
ngx_int_t ngx_http_payer_reopen_ask(ngx_http_payer_ctx_t *ctx,
    ngx_str_t *message);


#endif /* _NGX_HTTP_PAYER_REOPEN_H_INCLUDED_ */
