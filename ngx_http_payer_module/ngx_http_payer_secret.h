
/*
 * Secrets in files: read by the master, wiped when the configuration goes.
 */


#ifndef _NGX_HTTP_PAYER_SECRET_H_INCLUDED_
#define _NGX_HTTP_PAYER_SECRET_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_HTTP_PAYER_MAX_SECRET   1024


/*
 * the one line of the file, without its end, into the configuration's pool:
 * NGX_OK, or NGX_ERROR (logged) if it cannot be read, is empty, too large, or
 * has control characters; warns if others may read or write it
 */
ngx_int_t ngx_http_payer_read_secret(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *secret);

/* wipes the secret when the configuration goes: NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_payer_keep_secret(ngx_conf_t *cf, ngx_str_t *secret);


#endif /* _NGX_HTTP_PAYER_SECRET_H_INCLUDED_ */
