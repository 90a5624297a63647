
/*
 * Parameters of statements: arrays in PostgreSQL's binary format.
 *
 *     int4  dimensions, 1        int4  length of the array
 *     int4  whether NULLs are in it    int4  index of the first one, 1
 *     int4  type of the elements
 *
 * and then each element as an int4 with its length, and so many bytes; none of
 * ours is NULL.  An array without elements has no dimensions.
 */


#include "ngx_http_payer_postgres.h"


#define NGX_HTTP_PAYER_POSTGRES_ARRAY_HEAD  20
#define NGX_HTTP_PAYER_POSTGRES_ARRAY_SIZE  256
#define NGX_HTTP_PAYER_POSTGRES_ARRAY_KEPT  16384


/* of one that was used before the memory is there */

void
ngx_http_payer_postgres_array_init(ngx_http_payer_postgres_array_t *a,
    uint32_t type)
{
    a->n = 0;
    a->failed = 0;

    if (a->start == NULL) {
        a->start = ngx_alloc(NGX_HTTP_PAYER_POSTGRES_ARRAY_SIZE,
                             ngx_cycle->log);

        if (a->start == NULL) {
            a->failed = 1;
            return;
        }

        a->end = a->start + NGX_HTTP_PAYER_POSTGRES_ARRAY_SIZE;
    }

    a->pos = a->start + NGX_HTTP_PAYER_POSTGRES_ARRAY_HEAD;

    (void) ngx_http_payer_postgres_write4(a->start + 8, type);
}


/* what a crowd needed is given back */

void
ngx_http_payer_postgres_array_free(ngx_http_payer_postgres_array_t *a)
{
    if (a->end - a->start > NGX_HTTP_PAYER_POSTGRES_ARRAY_KEPT) {
        ngx_free(a->start);
        ngx_memzero(a, sizeof(ngx_http_payer_postgres_array_t));
    }
}


u_char *
ngx_http_payer_postgres_add(ngx_http_payer_postgres_array_t *a, size_t len)
{
    u_char  *p, *start;
    size_t   size;

    if (a->failed) {
        return NULL;
    }

    len += 4;

    if ((size_t) (a->end - a->pos) < len) {
        size = 2 * (a->end - a->start) + len;

        start = ngx_alloc(size, ngx_cycle->log);
        if (start == NULL) {
            a->failed = 1;
            return NULL;
        }

        p = ngx_cpymem(start, a->start, a->pos - a->start);

        ngx_free(a->start);

        a->start = start;
        a->pos = p;
        a->end = start + size;
    }

    return a->pos + 4;
}


void
ngx_http_payer_postgres_add_end(ngx_http_payer_postgres_array_t *a,
    u_char *start, u_char *last)
{
    (void) ngx_http_payer_postgres_write4(start - 4, last - start);

    a->n++;
    a->pos = last;
}


void
ngx_http_payer_postgres_add_bytes(ngx_http_payer_postgres_array_t *a,
    u_char *data, size_t len)
{
    u_char  *p;

    p = ngx_http_payer_postgres_add(a, len);

    if (p != NULL) {
        ngx_http_payer_postgres_add_end(a, p, ngx_cpymem(p, data, len));
    }
}


ngx_str_t
ngx_http_payer_postgres_array_end(ngx_http_payer_postgres_array_t *a)
{
    u_char     *p;
    ngx_str_t   text;

    text.data = a->start;
    text.len = a->pos - a->start;

    if (a->failed) {
        ngx_str_null(&text);
        return text;
    }

    p = ngx_http_payer_postgres_write4(a->start, a->n ? 1 : 0);
    (void) ngx_http_payer_postgres_write4(p, 0);

    if (a->n == 0) {
        text.len = 12;
        return text;
    }

    p = ngx_http_payer_postgres_write4(a->start + 12, a->n);
    (void) ngx_http_payer_postgres_write4(p, 1);

    return text;
}
