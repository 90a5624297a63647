
/*
 * The answer of a location of the back office: Payer's own reply if the client
 * can use it; and the idempotency key.
 */


#ifndef _NGX_HTTP_PAYER_ANSWER_REPLY_H_INCLUDED_
#define _NGX_HTTP_PAYER_ANSWER_REPLY_H_INCLUDED_


#include "ngx_http_payer_module.h"
#include "ngx_http_payer_answer.h"
#include "ngx_http_payer_api.h"


/* the Idempotency-Key: NGX_OK, NGX_DECLINED (none), NGX_ERROR (a bad one) */
ngx_int_t ngx_http_payer_answer_key(ngx_http_request_t *r, ngx_str_t *key);

/*
 * All of the following but the headers send an answer, as those in
 * ngx_http_payer_answer.h do.
 */

/* the answer to ctx->call, as the last step: Payer's reply, or a problem */
ngx_int_t ngx_http_payer_answer_reply(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);

/* Payer-Payment-Id and Payer-Request-Id, if known: NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_payer_answer_headers(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);

/*
 * the answer to a call that has no reply to pass on, and was not carried out
 */
ngx_int_t ngx_http_payer_answer_failed(ngx_http_request_t *r,
    ngx_http_payer_call_t *call);

/* the same of one that may have been carried out; "retry_after" seconds, or 0
 * if a repeat would be another operation */
ngx_int_t ngx_http_payer_answer_doubt(ngx_http_request_t *r,
    ngx_http_payer_call_t *call, time_t retry_after);

/* a problem of our own; a 503 and a 409 say when to try again */
ngx_int_t ngx_http_payer_answer_refuse(ngx_http_request_t *r,
    ngx_uint_t status, const char *detail);


#endif /* _NGX_HTTP_PAYER_ANSWER_REPLY_H_INCLUDED_ */
