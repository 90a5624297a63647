
/*
 * Creates the signed links of payer_link.
 */


#ifndef _NGX_HTTP_PAYER_LINK_SIGN_H_INCLUDED_
#define _NGX_HTTP_PAYER_LINK_SIGN_H_INCLUDED_


#include "ngx_http_payer_module.h"


typedef struct {
    ngx_str_t                     values[NGX_HTTP_PAYER_LINK_ARGS];
    ngx_str_t                     message;      /* that is signed */
} ngx_http_payer_signed_link_t;


/*
 * signs a link to the checkout for an order: NGX_OK or NGX_ERROR.  The values
 * have been checked.
 */
ngx_int_t ngx_http_payer_link_sign(ngx_pool_t *pool,
    ngx_http_payer_link_conf_t *conf, ngx_http_payer_loc_conf_t *checkout,
    ngx_http_payer_params_t *params, ngx_http_payer_signed_link_t *link);

/* its address: NGX_OK, NGX_DECLINED if payer_return_origin is no origin,
 * NGX_ERROR */
ngx_int_t ngx_http_payer_link_url(ngx_http_request_t *r,
    ngx_http_payer_link_conf_t *conf, ngx_http_payer_loc_conf_t *checkout,
    ngx_http_payer_signed_link_t *link, ngx_str_t *url);


#endif /* _NGX_HTTP_PAYER_LINK_SIGN_H_INCLUDED_ */
