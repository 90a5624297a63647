
/*
 * Links of payer_link that sell an order again which was cancelled, released
 * or refunded before they were made.
 */


#ifndef _NGX_HTTP_PAYER_REOPEN_H_INCLUDED_
#define _NGX_HTTP_PAYER_REOPEN_H_INCLUDED_


#include "ngx_http_payer_module.h"


/*
 * the entry by which, until "expires", the link whose signed message this is
 * sells the order of ctx->record again, and no other link: NGX_OK or NGX_ERROR
 */
ngx_int_t ngx_http_payer_reopen_link(ngx_http_payer_ctx_t *ctx,
    ngx_str_t *message, time_t expires, ngx_http_payer_store_entry_t *entry);

/*
 * the entry by which any signed link sells the order of ctx->record again, as
 * long as it has the payment that is over now: NGX_OK or NGX_ERROR
 */
ngx_int_t ngx_http_payer_reopen_order(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_store_entry_t *entry);

/* sets ctx->reopened if somebody has done so: as the following one */
ngx_int_t ngx_http_payer_reopen_ask_order(ngx_http_payer_ctx_t *ctx);

/*
 * sets ctx->reopened if the link of the request, whose signed message this is,
 * was made to sell an order again: NGX_OK, NGX_AGAIN when the request is
 * parked (call it again), NGX_ERROR (logged)
 */
ngx_int_t ngx_http_payer_reopen_ask(ngx_http_payer_ctx_t *ctx,
    ngx_str_t *message);


#endif /* _NGX_HTTP_PAYER_REOPEN_H_INCLUDED_ */
