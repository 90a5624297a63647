
/*
 * Texts as they are written in a JSON text, and copies of strings.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_payer_json_parse.h"


static u_char *ngx_http_payer_json_skip_members(u_char *p, u_char *last,
    ngx_uint_t n);
static u_char *ngx_http_payer_json_skip_string(u_char *p, u_char *last);


void
ngx_http_payer_json_written(ngx_str_t *text, ngx_uint_t n, ngx_str_t *value)
{
    u_char  *p, *last;

    last = text->data + text->len;
    p = ngx_http_payer_json_skip_members(text->data, last, n);

    while (p < last && *p <= ' ') {
        p++;
    }

    value->data = p;

    while (p < last && *p > ' ' && *p != ',' && *p != '}') {
        p++;
    }

    value->len = p - value->data;
}


/* behind the colon of the n-th member */

static u_char *
ngx_http_payer_json_skip_members(u_char *p, u_char *last, ngx_uint_t n)
{
    ngx_uint_t  depth;

    depth = 0;

    for ( /* void */ ; p < last; p++) {

        switch (*p) {

        case '"':
            p = ngx_http_payer_json_skip_string(p, last);
            break;

        case '{':
        case '[':
            depth++;
            break;

        case '}':
        case ']':
            depth--;
            break;

        case ',':
            if (depth == 1) {
                n--;
            }

            break;

        case ':':
            if (depth == 1 && n == 0) {
                return p + 1;
            }

            break;
        }
    }

    return last;
}


/* the closing quote */

static u_char *
ngx_http_payer_json_skip_string(u_char *p, u_char *last)
{
    for (p++; p < last && *p != '"'; p++) {
        if (*p == '\\') {
            p++;
        }
    }

    return p;
}


ngx_int_t
ngx_http_payer_json_copy(ngx_pool_t *pool, const char *src, ngx_str_t *dst)
{
    size_t   len;
    u_char  *p;

    len = ngx_strlen(src);

    if (len == 0) {
        ngx_str_set(dst, "");
        return NGX_OK;
    }

    p = ngx_pnalloc(pool, len);

    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, src, len);

    dst->len = len;
    dst->data = p;

    return NGX_OK;
}
