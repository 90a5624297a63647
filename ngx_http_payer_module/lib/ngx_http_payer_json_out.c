
/*
 * Writes JSON of any structure and length, from left to right.
 */


#include "ngx_http_payer_json_out.h"
#include "ngx_http_payer_order.h"


static u_char *ngx_http_payer_json_out_room(ngx_http_payer_json_out_t *out,
    size_t size);
static void ngx_http_payer_json_out_value(ngx_http_payer_json_out_t *out);
static u_char *ngx_http_payer_json_out_char(u_char *p, u_char **pos,
    u_char *last);


#define NGX_HTTP_PAYER_JSON_OUT_SIZE   1024

/* the longest that one byte can become: an escape */

#define NGX_HTTP_PAYER_JSON_OUT_CHAR   6


void
ngx_http_payer_json_out(ngx_http_payer_json_out_t *out, ngx_pool_t *pool)
{
    ngx_memzero(out, sizeof(ngx_http_payer_json_out_t));

    out->pool = pool;
}


/* where "size" bytes fit, or NULL */

static u_char *
ngx_http_payer_json_out_room(ngx_http_payer_json_out_t *out, size_t size)
{
    u_char  *p;
    size_t   len, total;

    if (out->failed) {
        return NULL;
    }

    if ((size_t) (out->last - out->pos) >= size) {
        return out->pos;
    }

    len = out->pos - out->start;
    total = 2 * (out->last - out->start);
    total = ngx_max(total, NGX_HTTP_PAYER_JSON_OUT_SIZE);
    total = ngx_max(total, len + size);

    p = ngx_pnalloc(out->pool, total);
    if (p == NULL) {
        out->failed = 1;
        return NULL;
    }

    if (len) {
        ngx_memcpy(p, out->start, len);
        ngx_pfree(out->pool, out->start);
    }

    out->start = p;
    out->pos = p + len;
    out->last = p + total;

    return out->pos;
}


void
ngx_http_payer_json_out_raw(ngx_http_payer_json_out_t *out, const char *data,
    size_t len)
{
    u_char  *p;

    p = ngx_http_payer_json_out_room(out, len);

    if (p) {
        out->pos = ngx_cpymem(p, data, len);
    }
}


/* the comma before a value that is not the first one */

static void
ngx_http_payer_json_out_value(ngx_http_payer_json_out_t *out)
{
    if (out->comma) {
        ngx_http_payer_json_out_raw(out, ",", 1);
    }

    out->comma = 1;
}


void
ngx_http_payer_json_out_open(ngx_http_payer_json_out_t *out, u_char ch)
{
    ngx_http_payer_json_out_value(out);
    ngx_http_payer_json_out_raw(out, (char *) &ch, 1);

    out->comma = 0;
}


void
ngx_http_payer_json_out_close(ngx_http_payer_json_out_t *out, u_char ch)
{
    ngx_http_payer_json_out_raw(out, (char *) &ch, 1);

    out->comma = 1;
}


void
ngx_http_payer_json_out_name(ngx_http_payer_json_out_t *out, const char *name)
{
    ngx_http_payer_json_out_value(out);

    ngx_http_payer_json_out_raw(out, "\"", 1);
    ngx_http_payer_json_out_raw(out, name, ngx_strlen(name));
    ngx_http_payer_json_out_raw(out, "\":", 2);

    out->comma = 0;
}


void
ngx_http_payer_json_out_text(ngx_http_payer_json_out_t *out, ngx_str_t *text)
{
    u_char  *p, *pos, *last;

    ngx_http_payer_json_out_value(out);

    if (text->len == 0) {
        ngx_http_payer_json_out_raw(out, "null", 4);
        return;
    }

    p = ngx_http_payer_json_out_room(out, NGX_HTTP_PAYER_JSON_OUT_CHAR
                                          * text->len + 2);
    if (p == NULL) {
        return;
    }

    *p++ = '"';

    pos = text->data;
    last = pos + text->len;

    while (pos < last) {
        p = ngx_http_payer_json_out_char(p, &pos, last);
    }

    *p++ = '"';

    out->pos = p;
}


static u_char *
ngx_http_payer_json_out_char(u_char *p, u_char **pos, u_char *last)
{
    u_char     *from;
    ngx_int_t   code;

    from = *pos;

    code = ngx_http_payer_utf8_next(pos, last);

    if (code == NGX_DECLINED) {
        (*pos)++;
        return ngx_cpymem(p, "\\ufffd", 6);
    }

    if (code == '"' || code == '\\') {
        *p++ = '\\';
        *p++ = (u_char) code;
        return p;
    }

    if (code < 0x20 || (code >= 0x7f && code <= 0x9f)) {
        return ngx_sprintf(p, "\\u%04xi", code);
    }

    return ngx_cpymem(p, from, *pos - from);
}


void
ngx_http_payer_json_out_str(ngx_http_payer_json_out_t *out, const char *name,
    ngx_str_t *text)
{
    ngx_http_payer_json_out_name(out, name);
    ngx_http_payer_json_out_text(out, text);
}


void
ngx_http_payer_json_out_number(ngx_http_payer_json_out_t *out,
    const char *name, int64_t number)
{
    u_char  *p;

    ngx_http_payer_json_out_name(out, name);
    ngx_http_payer_json_out_value(out);

    if (number == -1) {
        ngx_http_payer_json_out_raw(out, "null", 4);
        return;
    }

    p = ngx_http_payer_json_out_room(out, NGX_INT64_LEN);

    if (p) {
        out->pos = ngx_sprintf(p, "%L", number);
    }
}


void
ngx_http_payer_json_out_time(ngx_http_payer_json_out_t *out, const char *name,
    time_t time)
{
    u_char    *p;
    ngx_tm_t   tm;

    ngx_http_payer_json_out_name(out, name);
    ngx_http_payer_json_out_value(out);

    if (time == 0) {
        ngx_http_payer_json_out_raw(out, "null", 4);
        return;
    }

    p = ngx_http_payer_json_out_room(out, sizeof("\"9999-12-31T00:00:00Z\"")
                                          + NGX_TIME_T_LEN);

    if (p) {
        ngx_gmtime(time, &tm);

        out->pos = ngx_sprintf(p, "\"%4d-%02d-%02dT%02d:%02d:%02dZ\"",
                               tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                               tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec);
    }
}


ngx_int_t
ngx_http_payer_json_out_end(ngx_http_payer_json_out_t *out, ngx_str_t *text)
{
    text->data = out->start;
    text->len = out->pos - out->start;

    return out->failed ? NGX_ERROR : NGX_OK;
}
