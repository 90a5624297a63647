
/*
 * The bytes of records: integers little-endian, texts with two bytes of
 * length.
 */


#include "ngx_http_payer_codec.h"


size_t
ngx_http_payer_texts_len(ngx_str_t **texts, ngx_uint_t n)
{
    size_t      len;
    ngx_uint_t  i;

    len = 0;

    for (i = 0; i < n; i++) {

        if (texts[i]->len > NGX_HTTP_PAYER_MAX_TEXT) {
            return 0;
        }

        len += 2 + texts[i]->len;
    }

    return len;
}


u_char *
ngx_http_payer_write_texts(u_char *p, ngx_str_t **texts, ngx_uint_t n)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        *p++ = (u_char) (texts[i]->len & 0xff);
        *p++ = (u_char) (texts[i]->len >> 8);

        if (texts[i]->len) {
            p = ngx_cpymem(p, texts[i]->data, texts[i]->len);
        }
    }

    return p;
}


ngx_int_t
ngx_http_payer_read_texts(u_char *p, u_char *last, ngx_str_t **texts,
    ngx_uint_t n)
{
    size_t      len;
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {

        if (last - p < 2) {
            return NGX_DECLINED;
        }

        len = p[0] | p[1] << 8;
        p += 2;

        if ((size_t) (last - p) < len) {
            return NGX_DECLINED;
        }

        texts[i]->data = p;
        texts[i]->len = len;
        p += len;
    }

    return (p == last) ? NGX_OK : NGX_DECLINED;
}
