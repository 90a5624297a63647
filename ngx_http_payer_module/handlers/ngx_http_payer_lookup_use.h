
/*
 * The use of a lookup by checkout and payer_verify.
 */


#ifndef _NGX_HTTP_PAYER_LOOKUP_USE_H_INCLUDED_
#define _NGX_HTTP_PAYER_LOOKUP_USE_H_INCLUDED_


#include "ngx_http_payer_lookup.h"
#include "ngx_http_payer_answer.h"
#include "ngx_http_payer_replace.h"


typedef enum {
    NGX_HTTP_PAYER_USE_RECORD = 1,      /* as without a lookup */
    NGX_HTTP_PAYER_USE_PAID,            /* paid according to the shop only */
    NGX_HTTP_PAYER_USE_CANCEL,          /* a link can still be paid */
    NGX_HTTP_PAYER_USE_CLOSED           /* not to be paid */
} ngx_http_payer_lookup_use_e;


/*
 * a step of a checkout, before its amount is read: NGX_OK to go on, also if
 * the order is not open, as its link may have to be cancelled; NGX_AGAIN when
 * the request is parked, else what the flow's step returns
 */
ngx_int_t ngx_http_payer_lookup_checkout(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);

/* the result of the lookup for ctx->record, which was looked up */
ngx_http_payer_lookup_use_e ngx_http_payer_lookup_use(
    ngx_http_payer_ctx_t *ctx);

/* the answer to a checkout of an order that is not open, or paid elsewhere:
 * what the flow's step returns */
ngx_int_t ngx_http_payer_lookup_refuse(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);

/*
 * a step of payer_verify, before the number of the order is known: NGX_OK to
 * go on, and otherwise as below
 */
ngx_int_t ngx_http_payer_lookup_before(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_verdict_e *verdict);

/*
 * a step of payer_verify, when ctx->record was looked for: NGX_OK to go on as
 * without a lookup, NGX_DONE when the verdict is there, NGX_DECLINED if there
 * is no such order for this buyer, NGX_BUSY when ctx->step is another one,
 * which ends with "again"; NGX_AGAIN, NGX_ERROR
 */
ngx_int_t ngx_http_payer_lookup_verify(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_step_pt again, ngx_http_payer_verdict_e *verdict);

/* a step: cancels the link of ctx->record, which is claimed */
ngx_int_t ngx_http_payer_lookup_replace(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);


#endif /* _NGX_HTTP_PAYER_LOOKUP_USE_H_INCLUDED_ */
