
/*
 * The directives of a signed link.
 */


#ifndef _NGX_HTTP_PAYER_SIGNATURE_CONF_H_INCLUDED_
#define _NGX_HTTP_PAYER_SIGNATURE_CONF_H_INCLUDED_


#include "ngx_http_payer_module.h"


/* setters of directives */
char *ngx_http_payer_signature(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

char *ngx_http_payer_signature_key_file(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * whether the signature of the location, which has one, protects the order:
 * NGX_OK, or NGX_ERROR (logged)
 */
ngx_int_t ngx_http_payer_signature_check(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);

/* whether the message changes with the variable */
ngx_uint_t ngx_http_payer_signature_covers(ngx_http_payer_loc_conf_t *conf,
    ngx_str_t *name);


#endif /* _NGX_HTTP_PAYER_SIGNATURE_CONF_H_INCLUDED_ */
