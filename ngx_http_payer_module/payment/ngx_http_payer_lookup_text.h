
/*
 * Checks of texts for the shop and the log: pure functions.
 */


#ifndef _NGX_HTTP_PAYER_LOOKUP_TEXT_H_INCLUDED_
#define _NGX_HTTP_PAYER_LOOKUP_TEXT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_HTTP_PAYER_LOOKUP_TEXT      64
#define NGX_HTTP_PAYER_LOOKUP_LOG_TEXT  40


/* whether the value may be an argument of a lookup */
ngx_uint_t ngx_http_payer_lookup_clean(ngx_str_t *value, ngx_uint_t email);

/* whether the value of a field has no control characters */
ngx_uint_t ngx_http_payer_lookup_printable(ngx_str_t *text);

/* at most ..._LOG_TEXT bytes that harm no log; returns the end */
u_char *ngx_http_payer_lookup_plain(u_char *p, ngx_str_t *text);


#endif /* _NGX_HTTP_PAYER_LOOKUP_TEXT_H_INCLUDED_ */
