
/*
 * The origin of the shop, which precedes a return address that begins with a
 * slash.
 */


#ifndef _NGX_HTTP_PAYER_ORIGIN_H_INCLUDED_
#define _NGX_HTTP_PAYER_ORIGIN_H_INCLUDED_


#include "ngx_http_payer_module.h"


/*
 * "scheme://host[:port]": NGX_OK, NGX_DECLINED if the value of
 * payer_return_origin has not this form, NGX_ERROR
 */
ngx_int_t ngx_http_payer_origin(ngx_http_request_t *r,
    ngx_http_payer_loc_conf_t *conf, ngx_str_t *origin);

/* whether server_name lists the host, exactly, by a wildcard or a regex */
ngx_uint_t ngx_http_payer_origin_listed(ngx_array_t *names, ngx_str_t *host);


#endif /* _NGX_HTTP_PAYER_ORIGIN_H_INCLUDED_ */
