
/*
 * Secrets in files: read by the master, wiped when the configuration goes.
 */


#ifndef _NGX_HTTP_PAYER_SECRET_H_INCLUDED_
#define _NGX_HTTP_PAYER_SECRET_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


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

/* a text that is needed no longer; its length stays */
void ngx_http_payer_wipe(ngx_str_t *secret);

/*
 * the header of a request that was sent, or was to be: our credentials are in
 * it.  The body that follows is left alone, for another try may need it.
 */
void ngx_http_payer_wipe_sent(ngx_http_upstream_t *u, ngx_str_t *body);

/* what went into the last TLS record of a connection, which may be kept */
void ngx_http_payer_wipe_record(ngx_connection_t *c);


#endif /* _NGX_HTTP_PAYER_SECRET_H_INCLUDED_ */
