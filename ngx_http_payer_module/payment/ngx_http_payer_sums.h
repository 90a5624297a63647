
/*
 * The other stored operations of the same type on a payment.
 */


#ifndef _NGX_HTTP_PAYER_SUMS_H_INCLUDED_
#define _NGX_HTTP_PAYER_SUMS_H_INCLUDED_


#include "ngx_http_payer_module.h"
#include "ngx_http_payer_op_outcome.h"


typedef struct {
    ngx_str_t                  prefix;  /* of their keys */
    ngx_str_t                  except;  /* the key of the one in question */
    ngx_str_t                  after;   /* the cursor */
    ngx_http_payer_others_t    others;
} ngx_http_payer_sums_t;


/*
 * prepares to count the operations other than that under "key", which must
 * outlive "sums": NGX_OK or NGX_ERROR
 */
ngx_int_t ngx_http_payer_sums(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_sums_t *sums, ngx_http_payer_call_e operation,
    ngx_str_t *payment_id, ngx_str_t *key);

/*
 * a step of the caller's, before the payment is read: operations that are
 * counted as done must be included in the read.  NGX_OK, or NGX_AGAIN when the
 * request is parked; a store that fails leaves the sums vague (logged)
 */
ngx_int_t ngx_http_payer_sums_run(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_sums_t *sums);

/*
 * the next stored operation of the prefix into ctx->io: NGX_OK,
 * NGX_DECLINED when there is no more, NGX_AGAIN (call it again), NGX_ERROR
 */
ngx_int_t ngx_http_payer_sums_next(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_sums_t *sums);


#endif /* _NGX_HTTP_PAYER_SUMS_H_INCLUDED_ */
