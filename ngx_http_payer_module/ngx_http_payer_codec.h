
/*
 * The bytes of records: integers little-endian, texts with two bytes of
 * length.  Readers survive any bytes.
 */


#ifndef _NGX_HTTP_PAYER_CODEC_H_INCLUDED_
#define _NGX_HTTP_PAYER_CODEC_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_HTTP_PAYER_MAX_TEXT    65535


/* eight bytes: where the next ones go */
u_char *ngx_http_payer_write_int(u_char *p, int64_t n);
int64_t ngx_http_payer_read_int(u_char *p);

/* how many bytes the n texts take, 0 if one of them is too long */
size_t ngx_http_payer_texts_len(ngx_str_t **texts, ngx_uint_t n);

/* where the next bytes go */
u_char *ngx_http_payer_write_texts(u_char *p, ngx_str_t **texts,
    ngx_uint_t n);

/*
 * n texts that fill [p, last) exactly: NGX_OK, or NGX_DECLINED.  They point
 * into these bytes.
 */
ngx_int_t ngx_http_payer_read_texts(u_char *p, u_char *last,
    ngx_str_t **texts, ngx_uint_t n);


#endif /* _NGX_HTTP_PAYER_CODEC_H_INCLUDED_ */
