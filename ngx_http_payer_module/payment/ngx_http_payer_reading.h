
/*
 * What a read of Payer does to the record of an order: the one way for all
 * who read.  A reply is taken over only if it is about this payment, this
 * order and its currency; what counts afterwards is what the store has made of
 * it.
 */


#ifndef _NGX_HTTP_PAYER_READING_H_INCLUDED_
#define _NGX_HTTP_PAYER_READING_H_INCLUDED_


#include "ngx_http_payer_module.h"


/*
 * takes the reply over into ctx->record and says in "verdict" what it proves:
 * NGX_OK, or NGX_DECLINED (logged) if it is not about the record's payment,
 * which is left as it was
 */
ngx_int_t ngx_http_payer_reading_apply(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_json_payment_t *payment,
    ngx_http_payer_verdict_e *verdict);

/*
 * logs what somebody has to know of a reply: "reason" is what proof has found
 * in it, or NULL; before the reply is taken over
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
