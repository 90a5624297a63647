
/*
 * Evaluates the values of a location to an order that is safe to send to
 * Payer.
 */


#ifndef _NGX_HTTP_PAYER_ORDER_VALUES_H_INCLUDED_
#define _NGX_HTTP_PAYER_ORDER_VALUES_H_INCLUDED_


#include "ngx_http_payer_module.h"
#include "ngx_http_payer_answer.h"


/*
 * evaluates and validates the number of the order, before all other values:
 * NGX_OK, NGX_DECLINED with "problem" filled (400), NGX_ERROR
 */
ngx_int_t ngx_http_payer_order_number(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx, ngx_http_payer_problem_t *problem);

/*
 * the rest of the order of ctx->conf, all but the return URLs: NGX_OK,
 * NGX_DECLINED with "problem" filled (400), NGX_ERROR
 */
ngx_int_t ngx_http_payer_order_values(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx, ngx_http_payer_problem_t *problem);

/*
 * the same for the return URLs, which are not needed if the order has a link;
 * they are evaluated once, however often it is called
 */
ngx_int_t ngx_http_payer_order_urls(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx, ngx_http_payer_problem_t *problem);


/*
 * evaluates a reference and decodes it if it contains an argument of the URL:
 * NGX_OK, NGX_DECLINED if it is none, NGX_ERROR
 */
ngx_int_t ngx_http_payer_order_reference(ngx_http_request_t *r,
    ngx_http_payer_text_t *text, ngx_str_t *reference);


#endif /* _NGX_HTTP_PAYER_ORDER_VALUES_H_INCLUDED_ */
