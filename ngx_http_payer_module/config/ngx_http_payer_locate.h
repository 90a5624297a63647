
/*
 * Finds the location of a URI when the configuration is complete, by nginx's
 * own rules.
 */


#ifndef _NGX_HTTP_PAYER_LOCATE_H_INCLUDED_
#define _NGX_HTTP_PAYER_LOCATE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_payer_compat.h"


/*
 * The location that nginx finds for the URI; "clcf" is left alone if there is
 * none: NGX_OK, NGX_AGAIN (a prefix, which a regular expression may override),
 * NGX_DECLINED, NGX_ERROR.
 */
ngx_int_t ngx_http_payer_locate(ngx_http_core_loc_conf_t *parent,
    ngx_str_t *uri, ngx_http_core_loc_conf_t **clcf);

/* the prefix location with exactly this name, or NULL */
ngx_http_core_loc_conf_t *ngx_http_payer_locate_prefix(
    ngx_http_core_loc_conf_t *parent, ngx_str_t *name);


#endif /* _NGX_HTTP_PAYER_LOCATE_H_INCLUDED_ */
