
/*
 * The state of a known order for a checkout with an amount: paid, paid with
 * another amount, cancelled, or still to be paid.
 */


#ifndef _NGX_HTTP_PAYER_WORTH_H_INCLUDED_
#define _NGX_HTTP_PAYER_WORTH_H_INCLUDED_


#include "ngx_http_payer_module.h"


typedef enum {
    NGX_HTTP_PAYER_WORTH_OPEN = 1,      /* it may have a link */
    NGX_HTTP_PAYER_WORTH_PAID,
    NGX_HTTP_PAYER_WORTH_DIFFERS,       /* paid, but for another sum */
    NGX_HTTP_PAYER_WORTH_CANCELLED      /* not sold again by this link */
} ngx_http_payer_worth_e;


/*
 * whether the orders of this location are set by the shop with each request,
 * and not by a link or the client
 */
ngx_uint_t ngx_http_payer_worth_told(ngx_http_payer_loc_conf_t *conf);

/* whether a value is made of headers of the shop's answer, and of nothing else
 * that varies */
ngx_uint_t ngx_http_payer_worth_made_of_headers(ngx_str_t *value);

/*
 * at the beginning of a checkout: the expiry of its link, and the amount that
 * payer_verify of the same request requires; "gate" is its context, or NULL:
 * NGX_OK or NGX_ERROR
 */
ngx_int_t ngx_http_payer_worth_begin(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_ctx_t *gate);

/* whether the order has ended, so that an old link does not sell it */
ngx_uint_t ngx_http_payer_worth_over(ngx_http_payer_record_t *record);

/* what ctx->record, which was found, is worth to ctx->order */
ngx_http_payer_worth_e ngx_http_payer_worth(ngx_http_payer_ctx_t *ctx);

/*
 * stores in ctx->record the values of this request that the order keeps: 1 if
 * the record is to be written
 */
ngx_uint_t ngx_http_payer_worth_note(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_worth_e worth);


/*
 * the entry that keeps ctx->record when another payment takes its place:
 * NGX_OK, NGX_DECLINED if there is nothing to keep, NGX_ERROR
 */
ngx_int_t ngx_http_payer_worth_past(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_store_entry_t *entry);


#endif /* _NGX_HTTP_PAYER_WORTH_H_INCLUDED_ */
