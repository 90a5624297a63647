
/* payer_checkout: finds or creates the order's link and presents it */


#ifndef _NGX_HTTP_PAYER_CHECKOUT_H_INCLUDED_
#define _NGX_HTTP_PAYER_CHECKOUT_H_INCLUDED_


#include "ngx_http_payer_module.h"


extern ngx_http_payer_handler_t  ngx_http_payer_handler_checkout;


/* steps of it: looks into the store, decides by what is there, makes a link
 * in place of the old one, presents the link */
ngx_int_t ngx_http_payer_checkout_lookup(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
ngx_int_t ngx_http_payer_checkout_known(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
ngx_int_t ngx_http_payer_checkout_replace(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
ngx_int_t ngx_http_payer_checkout_present(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);

/* evaluates the return addresses, only if a link is to be created */
ngx_int_t ngx_http_payer_checkout_urls(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);

/* whether the stored link is valid for this order */
ngx_uint_t ngx_http_payer_checkout_live(ngx_http_payer_ctx_t *ctx);


#endif /* _NGX_HTTP_PAYER_CHECKOUT_H_INCLUDED_ */
