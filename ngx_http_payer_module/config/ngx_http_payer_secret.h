
/*
 * Secrets in files: read by the master, wiped when the configuration goes.
 */


#ifndef _NGX_HTTP_PAYER_SECRET_H_INCLUDED_
#define _NGX_HTTP_PAYER_SECRET_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_HTTP_PAYER_MAX_SECRET   1024


/*
 * the one line of the file, without its end: NGX_OK, or NGX_ERROR (logged) if
 * it cannot be read, is empty, too large, or has control characters; warns if
 * others may read or write it
 */
ngx_int_t ngx_http_payer_read_secret(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *secret);

/*
 * memory for a secret: it is in no core dump, and wiped when the configuration
 * goes; NULL (logged) if there is none
 */
u_char *ngx_http_payer_secret_alloc(ngx_conf_t *cf, size_t len);


#endif /* _NGX_HTTP_PAYER_SECRET_H_INCLUDED_ */
