
/*
 * The bytes of records: integers little-endian, texts with two bytes of
 * length.  Readers accept any bytes without a crash.
 */


#ifndef _NGX_HTTP_PAYER_CODEC_H_INCLUDED_
#define _NGX_HTTP_PAYER_CODEC_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_HTTP_PAYER_MAX_TEXT    65535


/* eight bytes: where the next ones go */

static ngx_inline u_char *
ngx_http_payer_write_int(u_char *p, int64_t n)
{
    uint64_t  u;

    u = (uint64_t) n;

    /* compilers make one store of these */

    p[0] = (u_char) u;
    p[1] = (u_char) (u >> 8);
    p[2] = (u_char) (u >> 16);
    p[3] = (u_char) (u >> 24);
    p[4] = (u_char) (u >> 32);
    p[5] = (u_char) (u >> 40);
    p[6] = (u_char) (u >> 48);
    p[7] = (u_char) (u >> 56);

    return p + 8;
}


static ngx_inline int64_t
ngx_http_payer_read_int(u_char *p)
{
    return (int64_t) ((uint64_t) p[0]
                      | (uint64_t) p[1] << 8
                      | (uint64_t) p[2] << 16
                      | (uint64_t) p[3] << 24
                      | (uint64_t) p[4] << 32
                      | (uint64_t) p[5] << 40
                      | (uint64_t) p[6] << 48
                      | (uint64_t) p[7] << 56);
}


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
