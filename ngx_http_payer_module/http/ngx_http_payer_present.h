
/*
 * presents the payment page to the buyer: redirect, iframe, JSON, or a page of
 * the shop
 */


#ifndef _NGX_HTTP_PAYER_PRESENT_H_INCLUDED_
#define _NGX_HTTP_PAYER_PRESENT_H_INCLUDED_


#include "ngx_http_payer_module.h"


/* answers with the link of ctx->record: what a last step answers */
ngx_int_t ngx_http_payer_present_link(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);

/* answers with a page that asks whether ctx->order is to be paid */
ngx_int_t ngx_http_payer_present_question(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);


#endif /* _NGX_HTTP_PAYER_PRESENT_H_INCLUDED_ */
