
/*
 * Applies a read of Payer to the record of an order, for all reads.  A reply
 * is used only if it is about this payment, this order and its currency; the
 * stored result of the merge counts afterwards.
 */


#ifndef _NGX_HTTP_PAYER_READING_H_INCLUDED_
#define _NGX_HTTP_PAYER_READING_H_INCLUDED_


#include "ngx_http_payer_module.h"


/*
 * applies the reply to ctx->record and sets "verdict" to what it proves:
 * NGX_OK, or NGX_DECLINED (logged) if it is not about the record's payment,
 * which is left as it was
 */
ngx_int_t ngx_http_payer_reading_apply(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_json_payment_t *payment,
    ngx_http_payer_verdict_e *verdict);

/*
 * logs what an operator must know about a reply: "reason" is that of proof, or
 * NULL; called before the reply is applied
 */
void ngx_http_payer_reading_log(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_json_payment_t *payment, const char *reason);

/*
 * the same, and writes the record: NGX_OK, NGX_AGAIN when the commit is under
 * way, NGX_DECLINED as above, NGX_ERROR (logged)
 */
ngx_int_t ngx_http_payer_reading_take(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_json_payment_t *payment, ngx_http_payer_source_e source,
    ngx_http_payer_verdict_e *verdict);

/*
 * whether the record is what it was "before", so that nothing has to be
 * written: NGX_OK or NGX_ERROR
 */
ngx_int_t ngx_http_payer_reading_same(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_record_t *before, ngx_uint_t *same);

/*
 * after the write: ctx->record becomes what is stored now.  NGX_OK, or
 * NGX_ERROR if it was not written or cannot be read
 */
ngx_int_t ngx_http_payer_reading_taken(ngx_http_payer_ctx_t *ctx);


#endif /* _NGX_HTTP_PAYER_READING_H_INCLUDED_ */
