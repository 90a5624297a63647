
/*
 * Evaluates texts of the configuration for a request.
 */


#ifndef _NGX_HTTP_PAYER_TEXT_H_INCLUDED_
#define _NGX_HTTP_PAYER_TEXT_H_INCLUDED_


#include "ngx_http_payer_module.h"


/* evaluates a value; a single variable is not copied: NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_payer_evaluate(ngx_http_request_t *r,
    ngx_http_complex_value_t *value, ngx_str_t *text);

/* evaluates a text and decodes it if it is made of a URL's argument: NGX_OK,
 * NGX_DECLINED (broken percent-encoding), NGX_ERROR */
ngx_int_t ngx_http_payer_text(ngx_http_request_t *r,
    ngx_http_payer_text_t *text, ngx_str_t *value);

/* the same; NGX_DONE: and the value has the characters of a payment id only */
ngx_int_t ngx_http_payer_text_value(ngx_http_request_t *r,
    ngx_http_payer_text_t *text, ngx_str_t *value);


#endif /* _NGX_HTTP_PAYER_TEXT_H_INCLUDED_ */
