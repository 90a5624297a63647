
/*
 * The arguments of the query that a value contains ($arg_...).
 */


#include "ngx_http_payer_query.h"


static ngx_uint_t ngx_http_payer_query_is(u_char *p, u_char *last,
    ngx_str_t *name);
static ngx_uint_t ngx_http_payer_query_next(u_char **pos, u_char *last);


ngx_int_t
ngx_http_payer_query_names(ngx_pool_t *pool, ngx_str_t *value,
    ngx_array_t **names)
{
    u_char     *p, *last;
    ngx_str_t  *name;

    *names = NULL;

    p = value->data;
    last = p + value->len;

    for ( ;; ) {
        p = ngx_strlchr(p, last, '$');

        if (p == NULL) {
            return NGX_OK;
        }

        p++;

        if (p < last && *p == '{') {
            p++;
        }

        if (last - p < 4 || ngx_strncasecmp(p, (u_char *) "arg_", 4) != 0) {
            continue;
        }

        if (*names == NULL) {
            *names = ngx_array_create(pool, 1, sizeof(ngx_str_t));
            if (*names == NULL) {
                return NGX_ERROR;
            }
        }

        name = ngx_array_push(*names);
        if (name == NULL) {
            return NGX_ERROR;
        }

        p += 4;
        name->data = p;

        while (p < last && (*p == '_' || (*p >= '0' && *p <= '9')
                            || ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z')))
        {
            p++;
        }

        name->len = p - name->data;
    }
}


const char *
ngx_http_payer_query_wrong(ngx_str_t *args, ngx_str_t *names)
{
    u_char      *p, *last, *end, *equals;
    ngx_uint_t   i, seen;

    seen = 0;
    last = args->data + args->len;

    for (p = args->data; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, '&');
        if (end == NULL) {
            end = last;
        }

        if (p == end) {
            continue;
        }

        equals = ngx_strlchr(p, end, '=');
        if (equals == NULL) {
            equals = end;
        }

        for (i = 0; names[i].len; i++) {
            if ((size_t) (equals - p) == names[i].len
                && ngx_memcmp(p, names[i].data, names[i].len) == 0)
            {
                break;
            }
        }

        if (names[i].len == 0) {
            return "there is an argument whose name is not known";
        }

        if (seen & ((ngx_uint_t) 1 << i)) {
            return "an argument is given twice";
        }

        seen |= (ngx_uint_t) 1 << i;
    }

    return NULL;
}


ngx_uint_t
ngx_http_payer_query_clear(ngx_str_t *args, ngx_array_t *names)
{
    u_char      *p, *q, *last;
    ngx_str_t   *name;
    ngx_uint_t   i, n;

    name = names->elts;
    last = args->data + args->len;

    /* a query without a separator has one argument at most */

    if (args->len == 0
        || (memchr(args->data, '&', args->len) == NULL
            && memchr(args->data, ';', args->len) == NULL))
    {
        return 1;
    }

    for (i = 0; i < names->nelts; i++) {
        n = 0;

        for (p = args->data; p < last; p = q + 1) {

            /* a semicolon separates, too, for some */

            for (q = p; q < last && *q != '&' && *q != ';'; q++) {
                /* void */
            }

            n += ngx_http_payer_query_is(p, q, &name[i]);
        }

        if (n > 1) {
            return 0;
        }
    }

    return 1;
}


/*
 * Whether an application may take the argument for one of this name: it may
 * decode the name, ignore its case, spaces in front, and all behind a NUL or
 * a bracket, and take dots and spaces for underscores (as PHP does).
 */

static ngx_uint_t
ngx_http_payer_query_is(u_char *p, u_char *last, ngx_str_t *name)
{
    size_t      i;
    ngx_uint_t  ch, expected;

    i = 0;

    while (p < last && *p != '=') {
        ch = ngx_http_payer_query_next(&p, last);

        if (ch == '\0' || (ch == '[' && i == name->len)) {
            break;
        }

        if (i == 0 && ch <= ' ') {
            continue;
        }

        if (i == name->len) {
            return 0;
        }

        expected = ngx_tolower(name->data[i]);

        if (expected == '_' && (ch == '.' || ch == ' ' || ch == '[')) {
            ch = '_';
        }

        if (ngx_tolower(ch) != expected) {
            return 0;
        }

        i++;
    }

    return i == name->len;
}


/* the character that is written as it is, as %XX, %uXXXX, or a plus */

static ngx_uint_t
ngx_http_payer_query_next(u_char **pos, u_char *last)
{
    u_char     *p;
    ngx_int_t   n;

    p = *pos;
    *pos = p + 1;

    if (*p == '+') {
        return ' ';
    }

    if (*p != '%') {
        return *p;
    }

    if (last - p > 5 && (p[1] | 0x20) == 'u') {
        n = ngx_hextoi(p + 2, 4);

        if (n != NGX_ERROR) {
            *pos = p + 6;
            return n;
        }
    }

    if (last - p > 2) {
        n = ngx_hextoi(p + 1, 2);

        if (n != NGX_ERROR) {
            *pos = p + 3;
            return n;
        }
    }

    return '%';
}
