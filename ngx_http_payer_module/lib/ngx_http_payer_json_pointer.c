
/*
 * One value of a JSON text by its JSON Pointer (RFC 6901).  The text is read
 * as it is written, not through cJSON's tree: an amount has the digits that
 * the shop has written, and is never converted to a floating-point number.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_payer_json.h"
#include "ngx_http_payer_json_parse.h"


static void ngx_http_payer_pointer_follow(ngx_http_payer_json_place_t *place,
    u_char *value);
static ngx_int_t ngx_http_payer_pointer_index(ngx_str_t *token,
    ngx_uint_t *index);
static ngx_uint_t ngx_http_payer_pointer_names(ngx_str_t *name,
    ngx_uint_t escaped, ngx_str_t *token);
static u_char *ngx_http_payer_pointer_decode(u_char *p, u_char *last,
    u_char *dst, size_t *n);
static size_t ngx_http_payer_pointer_utf8(u_char *dst, ngx_uint_t code);
static u_char *ngx_http_payer_pointer_end(u_char *p, u_char *last,
    ngx_uint_t string, ngx_uint_t *escaped);


ngx_int_t
ngx_http_payer_json_pointer(ngx_pool_t *pool, ngx_str_t *text,
    ngx_http_payer_json_pointer_t *pointer)
{
    u_char     *p, *last, *dst;
    ngx_str_t  *token;

    p = text->data;
    last = p + text->len;

    if (p == last || *p != '/') {
        return NGX_DECLINED;
    }

    pointer->ntokens = 0;

    for ( /* void */ ; p < last; p++) {
        if (*p == '/') {
            pointer->ntokens++;
        }
    }

    pointer->tokens = ngx_palloc(pool, pointer->ntokens * sizeof(ngx_str_t));
    dst = ngx_pnalloc(pool, text->len);

    if (pointer->tokens == NULL || dst == NULL) {
        return NGX_ERROR;
    }

    token = pointer->tokens - 1;

    for (p = text->data; p < last; p++) {

        if (*p == '/') {
            token++;
            token->data = dst;
            token->len = 0;
            continue;
        }

        if (*p == '~') {
            if (++p == last || (*p != '0' && *p != '1')) {
                return NGX_DECLINED;
            }

            *dst++ = (*p == '0') ? '~' : '/';

        } else {
            *dst++ = *p;
        }

        token->len++;
    }

    return NGX_OK;
}


void
ngx_http_payer_json_place_root(ngx_http_payer_json_place_t *places,
    ngx_uint_t n, u_char *value)
{
    ngx_uint_t                    i;
    ngx_http_payer_json_place_t  *place;

    for (i = 0; i < n; i++) {
        place = &places[i];

        place->depth = 0;
        place->value = NULL;
        place->twice = 0;

        ngx_http_payer_pointer_follow(place, value);
    }
}


void
ngx_http_payer_json_place_member(ngx_http_payer_json_place_t *places,
    ngx_uint_t n, ngx_uint_t depth, ngx_str_t *name, ngx_uint_t escaped,
    u_char *value)
{
    ngx_uint_t                    i;
    ngx_http_payer_json_place_t  *place;

    for (i = 0; i < n; i++) {
        place = &places[i];

        if (place->depth != depth
            || !ngx_http_payer_pointer_names(name, escaped,
                                         &place->pointer.tokens[depth - 1]))
        {
            continue;
        }

        if (place->met >= depth) {

            /* two of one name are ambiguous */

            place->twice = 1;
            place->depth = 0;
            continue;
        }

        ngx_http_payer_pointer_follow(place, value);
    }
}


void
ngx_http_payer_json_place_element(ngx_http_payer_json_place_t *places,
    ngx_uint_t n, ngx_uint_t depth, u_char *value)
{
    ngx_uint_t                    i;
    ngx_http_payer_json_place_t  *place;

    for (i = 0; i < n; i++) {
        place = &places[i];

        if (place->depth == depth && place->met < depth
            && place->index-- == 0)
        {
            ngx_http_payer_pointer_follow(place, value);
        }
    }
}


/* back to the token of the container, which may occur once more */

void
ngx_http_payer_json_place_close(ngx_http_payer_json_place_t *places,
    ngx_uint_t n, ngx_uint_t depth)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        if (places[i].depth > depth) {
            places[i].depth = depth;
        }
    }
}


/* the pointer leads to this value, or through it */

static void
ngx_http_payer_pointer_follow(ngx_http_payer_json_place_t *place,
    u_char *value)
{
    ngx_str_t  *token;

    place->met = place->depth;

    if (place->depth == place->pointer.ntokens) {
        place->value = value;
        return;
    }

    if (*value != '{' && *value != '[') {
        return;
    }

    token = &place->pointer.tokens[place->depth++];

    if (*value == '['
        && ngx_http_payer_pointer_index(token, &place->index) != NGX_OK)
    {
        place->index = NGX_MAX_UINT32_VALUE;
    }
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


ngx_int_t
ngx_http_payer_json_place_value(ngx_pool_t *pool, ngx_str_t *text,
    ngx_http_payer_json_place_t *place, ngx_str_t *value, const char **reason)
{
    size_t       n;
    u_char      *p, *end, *dst;
    ngx_uint_t   string, escaped;

    ngx_str_null(value);

    if (place->twice) {
        *reason = "occurs twice";
        return NGX_DECLINED;
    }

    *reason = "is missing";

    p = place->value;

    if (p == NULL || *p == 'n') {
        return NGX_DECLINED;
    }

    if (*p == '{' || *p == '[') {
        *reason = "is not a text or a number";
        return NGX_DECLINED;
    }

    string = (*p == '"');
    p += string;

    end = ngx_http_payer_pointer_end(p, text->data + text->len, string,
                                     &escaped);

    if (p == end) {

        /* an empty string counts as missing */

        return NGX_DECLINED;
    }

    /* decoded, it is not longer than it was */

    if (end - p > NGX_HTTP_PAYER_JSON_VALUE) {
        *reason = "is too long";
        return NGX_DECLINED;
    }

    if (!escaped) {
        value->data = p;
        value->len = end - p;
        return NGX_OK;
    }

    dst = ngx_pnalloc(pool, end - p);

    if (dst == NULL) {
        *reason = "does not fit into memory";
        return NGX_ERROR;
    }

    value->data = dst;

    while (p < end) {
        p = ngx_http_payer_pointer_decode(p, end, dst, &n);
        dst += n;
    }

    value->len = dst - value->data;

    return NGX_OK;
}


/* whether a name as it stands in the text is, decoded, the token */

static ngx_uint_t
ngx_http_payer_pointer_names(ngx_str_t *name, ngx_uint_t escaped,
    ngx_str_t *token)
{
    size_t   n;
    u_char  *p, *last, *t, *end, buf[4];

    if (!escaped) {
        return name->len == token->len
               && ngx_memcmp(name->data, token->data, name->len) == 0;
    }

    p = name->data;
    last = p + name->len;

    t = token->data;
    end = t + token->len;

    while (p < last) {
        p = ngx_http_payer_pointer_decode(p, last, buf, &n);

        if ((size_t) (end - t) < n || ngx_memcmp(t, buf, n) != 0) {
            return 0;
        }

        t += n;
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


/*
 * behind a number or a word, or at the quote behind a string, of a text that
 * has been checked
 */

static u_char *
ngx_http_payer_pointer_end(u_char *p, u_char *last, ngx_uint_t string,
    ngx_uint_t *escaped)
{
    u_char  *end;

    *escaped = 0;

    if (string) {
        end = memchr(p, '"', last - p);

        if (memchr(p, '\\', end - p) == NULL) {
            return end;
        }

        *escaped = 1;

        for ( /* void */ ; *p != '"'; p++) {
            if (*p == '\\') {
                p++;
            }
        }

        return p;
    }

    while (p < last && *p != ',' && *p != '}' && *p != ']'
           && *p != ' ' && *p != '\t' && *p != CR && *p != LF)
    {
        p++;
    }

    return p;
}
