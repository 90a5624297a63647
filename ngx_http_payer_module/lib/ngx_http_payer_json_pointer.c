
/*
 * One value of a JSON text by its JSON Pointer (RFC 6901).  The text is read
 * as it is written, not through cJSON's tree: a price is taken with the digits
 * that the shop has written, never by way of a floating-point number.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_payer_json.h"
#include "ngx_http_payer_json_parse.h"


static ngx_int_t ngx_http_payer_pointer_member(u_char **pos, u_char *last,
    ngx_str_t *token, const char **reason);
static ngx_int_t ngx_http_payer_pointer_element(u_char **pos, u_char *last,
    ngx_str_t *token, const char **reason);
static ngx_int_t ngx_http_payer_pointer_index(ngx_str_t *token,
    ngx_uint_t *index);
static ngx_int_t ngx_http_payer_pointer_value(ngx_pool_t *pool, u_char *p,
    u_char *last, ngx_str_t *value, const char **reason);
static ngx_uint_t ngx_http_payer_pointer_names(u_char *p, u_char *last,
    ngx_str_t *token);
static u_char *ngx_http_payer_pointer_decode(u_char *p, u_char *last,
    u_char *dst, size_t *n);
static size_t ngx_http_payer_pointer_utf8(u_char *dst, ngx_uint_t code);
static u_char *ngx_http_payer_pointer_space(u_char *p, u_char *last);
static u_char *ngx_http_payer_pointer_skip(u_char *p, u_char *last);


ngx_int_t
ngx_http_payer_json_read_value(ngx_str_t *text, const char **reason)
{
    return ngx_http_payer_json_check(text, reason);
}


ngx_int_t
ngx_http_payer_json_pointer_check(ngx_str_t *pointer)
{
    size_t  i;

    if (pointer->len == 0 || pointer->data[0] != '/') {
        return NGX_DECLINED;
    }

    for (i = 0; i < pointer->len; i++) {

        if (pointer->data[i] != '~') {
            continue;
        }

        if (++i == pointer->len
            || (pointer->data[i] != '0' && pointer->data[i] != '1'))
        {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_json_pointer(ngx_pool_t *pool, ngx_str_t *text,
    ngx_str_t *pointer, ngx_str_t *value, const char **reason)
{
    u_char     *p, *last, *t, *end;
    ngx_int_t   rc;
    ngx_str_t   token;

    ngx_str_null(value);

    last = text->data + text->len;
    p = ngx_http_payer_pointer_space(text->data, last);

    t = pointer->data;
    end = t + pointer->len;

    while (t < end) {

        token.data = ++t;

        while (t < end && *t != '/') {
            t++;
        }

        token.len = t - token.data;

        if (p < last && *p == '{') {
            rc = ngx_http_payer_pointer_member(&p, last, &token, reason);

        } else if (p < last && *p == '[') {
            rc = ngx_http_payer_pointer_element(&p, last, &token, reason);

        } else {
            *reason = "is missing";
            rc = NGX_DECLINED;
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return ngx_http_payer_pointer_value(pool, p, last, value, reason);
}


/* from the brace to the value of the member; two of a name contradict */

static ngx_int_t
ngx_http_payer_pointer_member(u_char **pos, u_char *last, ngx_str_t *token,
    const char **reason)
{
    u_char      *p, *found, *name, *end;

    found = NULL;
    p = ngx_http_payer_pointer_space(*pos + 1, last);

    while (p < last && *p == '"') {

        name = p + 1;
        end = ngx_http_payer_pointer_skip(p, last);

        p = ngx_http_payer_pointer_space(end, last);
        p = ngx_http_payer_pointer_space(p + 1, last);

        if (ngx_http_payer_pointer_names(name, end - 1, token)) {

            if (found) {
                *reason = "occurs twice";
                return NGX_DECLINED;
            }

            found = p;
        }

        p = ngx_http_payer_pointer_space(ngx_http_payer_pointer_skip(p, last),
                                         last);

        if (p < last && *p == ',') {
            p = ngx_http_payer_pointer_space(p + 1, last);
        }
    }

    if (found == NULL) {
        *reason = "is missing";
        return NGX_DECLINED;
    }

    *pos = found;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_pointer_element(u_char **pos, u_char *last, ngx_str_t *token,
    const char **reason)
{
    u_char      *p;
    ngx_uint_t   index;

    *reason = "is missing";

    if (ngx_http_payer_pointer_index(token, &index) != NGX_OK) {
        return NGX_DECLINED;
    }

    p = ngx_http_payer_pointer_space(*pos + 1, last);

    while (p < last && *p != ']') {

        if (index-- == 0) {
            *pos = p;
            return NGX_OK;
        }

        p = ngx_http_payer_pointer_space(ngx_http_payer_pointer_skip(p, last),
                                         last);

        if (p < last && *p == ',') {
            p = ngx_http_payer_pointer_space(p + 1, last);
        }
    }

    return NGX_DECLINED;
}


/* without a leading zero, as the RFC has it */

static ngx_int_t
ngx_http_payer_pointer_index(ngx_str_t *token, ngx_uint_t *index)
{
    size_t  i;

    if (token->len == 0 || token->len > 6
        || (token->len > 1 && token->data[0] == '0'))
    {
        return NGX_DECLINED;
    }

    *index = 0;

    for (i = 0; i < token->len; i++) {

        if (token->data[i] < '0' || token->data[i] > '9') {
            return NGX_DECLINED;
        }

        *index = 10 * *index + (token->data[i] - '0');
    }

    return NGX_OK;
}


/* a string decoded, a number or a boolean as it is written */

static ngx_int_t
ngx_http_payer_pointer_value(ngx_pool_t *pool, u_char *p, u_char *last,
    ngx_str_t *value, const char **reason)
{
    size_t       n;
    u_char      *end, *dst;
    ngx_uint_t   string;

    end = ngx_http_payer_pointer_skip(p, last);

    *reason = "is missing";

    if (p == end || *p == 'n') {
        return NGX_DECLINED;
    }

    if (*p == '{' || *p == '[') {
        *reason = "is not a text or a number";
        return NGX_DECLINED;
    }

    string = (*p == '"');

    if (string) {
        p++;
        end--;
    }

    if (p == end) {

        /* an empty string says as much as none */

        return NGX_DECLINED;
    }

    /* decoded, it is not longer than it was */

    if (end - p > NGX_HTTP_PAYER_JSON_VALUE) {
        *reason = "is too long";
        return NGX_DECLINED;
    }

    dst = ngx_pnalloc(pool, end - p);

    if (dst == NULL) {
        *reason = "does not fit into memory";
        return NGX_ERROR;
    }

    value->data = dst;

    if (!string) {
        value->len = ngx_cpymem(dst, p, end - p) - dst;
        return NGX_OK;
    }

    while (p < end) {
        p = ngx_http_payer_pointer_decode(p, end, dst, &n);
        dst += n;
    }

    value->len = dst - value->data;

    return NGX_OK;
}


/* whether a string of the text is the token, both decoded */

static ngx_uint_t
ngx_http_payer_pointer_names(u_char *p, u_char *last, ngx_str_t *token)
{
    size_t   n, i;
    u_char  *t, *end, ch, buf[4];

    t = token->data;
    end = t + token->len;

    while (p < last) {
        p = ngx_http_payer_pointer_decode(p, last, buf, &n);

        for (i = 0; i < n; i++) {

            if (t == end) {
                return 0;
            }

            ch = *t++;

            if (ch == '~') {
                ch = (*t++ == '0') ? '~' : '/';
            }

            if (ch != buf[i]) {
                return 0;
            }
        }
    }

    return t == end;
}


/* one character of a string that has been checked */

static u_char *
ngx_http_payer_pointer_decode(u_char *p, u_char *last, u_char *dst, size_t *n)
{
    u_char      *known;
    ngx_uint_t   code;

    static u_char  from[] = "bfnrt";
    static u_char  to[] = "\b\f\n\r\t";

    *n = 1;

    if (*p != '\\') {
        *dst = *p;
        return p + 1;
    }

    if (p[1] != 'u') {
        known = (u_char *) ngx_strchr(from, p[1]);
        *dst = known ? to[known - from] : p[1];
        return p + 2;
    }

    code = ngx_hextoi(p + 2, 4);
    p += 6;

    if (code >= 0xd800 && code <= 0xdbff && last - p >= 6) {
        code = 0x10000 + ((code - 0xd800) << 10)
               + (ngx_hextoi(p + 2, 4) - 0xdc00);
        p += 6;
    }

    *n = ngx_http_payer_pointer_utf8(dst, code);

    return p;
}


static size_t
ngx_http_payer_pointer_utf8(u_char *dst, ngx_uint_t code)
{
    if (code < 0x80) {
        dst[0] = (u_char) code;
        return 1;
    }

    if (code < 0x800) {
        dst[0] = (u_char) (0xc0 | (code >> 6));
        dst[1] = (u_char) (0x80 | (code & 0x3f));
        return 2;
    }

    if (code < 0x10000) {
        dst[0] = (u_char) (0xe0 | (code >> 12));
        dst[1] = (u_char) (0x80 | ((code >> 6) & 0x3f));
        dst[2] = (u_char) (0x80 | (code & 0x3f));
        return 3;
    }

    dst[0] = (u_char) (0xf0 | (code >> 18));
    dst[1] = (u_char) (0x80 | ((code >> 12) & 0x3f));
    dst[2] = (u_char) (0x80 | ((code >> 6) & 0x3f));
    dst[3] = (u_char) (0x80 | (code & 0x3f));

    return 4;
}


static u_char *
ngx_http_payer_pointer_space(u_char *p, u_char *last)
{
    while (p < last && (*p == ' ' || *p == '\t' || *p == CR || *p == LF)) {
        p++;
    }

    return p;
}


/* behind a value of a text that has been checked */

static u_char *
ngx_http_payer_pointer_skip(u_char *p, u_char *last)
{
    ngx_uint_t  depth;

    depth = 0;

    while (p < last) {

        switch (*p) {

        case '"':
            for (p++; p < last && *p != '"'; p++) {
                if (*p == '\\') {
                    p++;
                }
            }

            p++;
            break;

        case '{':
        case '[':
            depth++;
            p++;
            break;

        case '}':
        case ']':
            if (depth == 0) {
                return p;
            }

            depth--;
            p++;
            break;

        case ',':
        case ' ':
        case '\t':
        case CR:
        case LF:
            if (depth == 0) {
                return p;
            }

            p++;
            continue;

        default:
            p++;
            continue;
        }

        if (depth == 0) {
            return p;
        }
    }

    return p;
}
