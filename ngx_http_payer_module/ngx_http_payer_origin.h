
/*
 * The origin of the shop: what stands before a return address that begins
 * with a slash.
 */


#ifndef _NGX_HTTP_PAYER_ORIGIN_H_INCLUDED_
#define _NGX_HTTP_PAYER_ORIGIN_H_INCLUDED_


#include "ngx_http_payer_module.h"


/* the setter of payer_return_origin */
char *ngx_http_payer_return_origin(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * "scheme://host[:port]": NGX_OK, NGX_DECLINED if the value of
 * payer_return_origin has not this form, NGX_ERROR
 */
ngx_int_t ngx_http_payer_origin(ngx_http_request_t *r,
    ngx_http_payer_loc_conf_t *conf, ngx_str_t *origin);

/* keeps the names of the server for the above: NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_payer_origin_names(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);

/* the first name by which others can come here, or NULL */
ngx_str_t *ngx_http_payer_origin_name(ngx_array_t *names);

/* whether server_name lists the host, exactly, by a wildcard or a regex */
ngx_uint_t ngx_http_payer_origin_listed(ngx_array_t *names, ngx_str_t *host);


#endif /* _NGX_HTTP_PAYER_ORIGIN_H_INCLUDED_ */
