
/*
 * The answer of payer_doctor: JSON, or lines for a terminal.
 */


#include "ngx_http_payer_doctor.h"
#include "ngx_http_payer_answer.h"
#include "ngx_http_payer_zone_note.h"


#define NGX_HTTP_PAYER_DOCTOR_SHARED   10000    /* ms */
#define NGX_HTTP_PAYER_DOCTOR_DETAIL   512

/* a note is a digit, the length of the JSON, the JSON and the lines */

#define NGX_HTTP_PAYER_DOCTOR_HEAD     9


static ngx_int_t ngx_http_payer_doctor_json(ngx_http_request_t *r,
    ngx_http_payer_doctor_t *d, ngx_str_t *body);
static ngx_int_t ngx_http_payer_doctor_lines(ngx_http_request_t *r,
    ngx_http_payer_doctor_t *d, ngx_str_t *body);
static ngx_int_t ngx_http_payer_doctor_leave(ngx_http_request_t *r,
    ngx_http_payer_doctor_t *d, ngx_uint_t failed, ngx_str_t *json,
    ngx_str_t *lines);
static ngx_int_t ngx_http_payer_doctor_send(ngx_http_request_t *r,
    ngx_http_payer_doctor_t *d, ngx_uint_t failed, ngx_str_t *json,
    ngx_str_t *lines);


static ngx_str_t  ngx_http_payer_check_names[] = {
    ngx_string("configuration"),
    ngx_string("dns"),
    ngx_string("tls"),
    ngx_string("token"),
    ngx_string("clock"),
    ngx_string("subscriptions"),
    ngx_string("store"),
    ngx_string("zone"),
    ngx_string("unknown"),
    ngx_string("notifications"),
    ngx_string("sweep"),
    ngx_string("link"),
    ngx_string("cancel"),
    ngx_string("lookup")
};


static ngx_str_t  ngx_http_payer_health_names[] = {
    ngx_null_string,
    ngx_string("ok"),
    ngx_string("warn"),
    ngx_string("fail")
};


void
ngx_http_payer_doctor_say(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_check_e which, ngx_http_payer_health_e health,
    const char *fix, const char *fmt, ...)
{
    u_char                   *p;
    va_list                   args;
    ngx_http_payer_check_t   *check;
    ngx_http_payer_doctor_t  *d;

    d = ctx->data;
    check = &d->checks[which];

    check->health = health;
    check->fix = fix;

    p = ngx_pnalloc(ctx->request->pool, NGX_HTTP_PAYER_DOCTOR_DETAIL);

    if (p == NULL) {
        ngx_str_set(&check->detail, "no memory");
        return;
    }

    check->detail.data = p;

    va_start(args, fmt);
    p = ngx_vslprintf(p, p + NGX_HTTP_PAYER_DOCTOR_DETAIL, fmt, args);
    va_end(args);

    check->detail.len = p - check->detail.data;
}


ngx_int_t
ngx_http_payer_doctor_answer(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_str_t                 json, lines;
    ngx_uint_t                i, failed;
    ngx_http_payer_doctor_t  *d;

    d = ctx->data;
    failed = 0;

    for (i = 0; i < NGX_HTTP_PAYER_CHECKS; i++) {
        failed |= (d->checks[i].health == NGX_HTTP_PAYER_HEALTH_FAIL);
    }

    if (ngx_http_payer_doctor_json(r, d, &json) != NGX_OK
        || ngx_http_payer_doctor_lines(r, d, &lines) != NGX_OK
        || ngx_http_payer_doctor_leave(r, d, failed, &json, &lines) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_payer_doctor_send(r, d, failed, &json, &lines);
}


static ngx_int_t
ngx_http_payer_doctor_json(ngx_http_request_t *r, ngx_http_payer_doctor_t *d,
    ngx_str_t *body)
{
    ngx_str_t                   fix;
    ngx_uint_t                  i;
    ngx_http_payer_check_t     *check;
    ngx_http_payer_json_out_t   out;

    ngx_http_payer_json_out(&out, r->pool);

    ngx_http_payer_json_out_open(&out, '{');
    ngx_http_payer_json_out_name(&out, "checks");
    ngx_http_payer_json_out_open(&out, '[');

    for (i = 0; i < NGX_HTTP_PAYER_CHECKS; i++) {
        check = &d->checks[i];

        if (check->health == NGX_HTTP_PAYER_HEALTH_NONE) {
            continue;
        }

        fix.data = (u_char *) (check->fix ? check->fix : "");
        fix.len = ngx_strlen(fix.data);

        ngx_http_payer_json_out_open(&out, '{');
        ngx_http_payer_json_out_str(&out, "name",
                                    &ngx_http_payer_check_names[i]);
        ngx_http_payer_json_out_str(&out, "status",
                               &ngx_http_payer_health_names[check->health]);
        ngx_http_payer_json_out_str(&out, "detail", &check->detail);
        ngx_http_payer_json_out_str(&out, "fix", &fix);
        ngx_http_payer_json_out_close(&out, '}');
    }

    ngx_http_payer_json_out_close(&out, ']');
    ngx_http_payer_doctor_lookup_json(&out, d);
    ngx_http_payer_json_out_close(&out, '}');

    return ngx_http_payer_json_out_end(&out, body);
}


static ngx_int_t
ngx_http_payer_doctor_lines(ngx_http_request_t *r, ngx_http_payer_doctor_t *d,
    ngx_str_t *body)
{
    size_t                   len;
    u_char                  *p;
    ngx_uint_t               i;
    ngx_http_payer_check_t  *check;

    len = 0;

    for (i = 0; i < NGX_HTTP_PAYER_CHECKS; i++) {
        check = &d->checks[i];

        len += sizeof("warn  configuration  \n      fix: \n")
               + check->detail.len
               + (check->fix ? ngx_strlen(check->fix) : 0);
    }

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    body->data = p;

    for (i = 0; i < NGX_HTTP_PAYER_CHECKS; i++) {
        check = &d->checks[i];

        if (check->health == NGX_HTTP_PAYER_HEALTH_NONE) {
            continue;
        }

        p = ngx_sprintf(p, "%V%*s%V%*s%V\n",
                        &ngx_http_payer_health_names[check->health],
                        6 - ngx_http_payer_health_names[check->health].len,
                        "      ", &ngx_http_payer_check_names[i],
                        15 - ngx_http_payer_check_names[i].len,
                        "               ", &check->detail);

        if (check->fix) {
            p = ngx_sprintf(p, "      fix: %s\n", check->fix);
        }
    }

    body->len = p - body->data;

    return NGX_OK;
}


/* before the turn is released, so that a waiting request finds it */

static ngx_int_t
ngx_http_payer_doctor_leave(ngx_http_request_t *r, ngx_http_payer_doctor_t *d,
    ngx_uint_t failed, ngx_str_t *json, ngx_str_t *lines)
{
    u_char     *p;
    ngx_str_t   note;

    if (!d->deep && !d->lookup) {

        note.len = NGX_HTTP_PAYER_DOCTOR_HEAD + json->len + lines->len;

        note.data = ngx_pnalloc(r->pool, note.len + 1);
        if (note.data == NULL) {
            return NGX_ERROR;
        }

        p = ngx_sprintf(note.data, "%ui%08uz", failed, json->len);
        p = ngx_cpymem(p, json->data, json->len);
        ngx_memcpy(p, lines->data, lines->len);

        ngx_http_payer_zone_note(d->zone, &d->key, &note,
                                 NGX_HTTP_PAYER_DOCTOR_SHARED);
    }

    ngx_http_payer_zone_unclaim(d->zone, &d->turn);

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_doctor_shared(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx,
    ngx_str_t *note)
{
    ngx_int_t                 len;
    ngx_str_t                 json, lines;
    ngx_http_payer_doctor_t  *d;

    d = ctx->data;

    if (note->len < NGX_HTTP_PAYER_DOCTOR_HEAD) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    len = ngx_atoi(note->data + 1, NGX_HTTP_PAYER_DOCTOR_HEAD - 1);

    if (len < 0
        || (size_t) len > note->len - NGX_HTTP_PAYER_DOCTOR_HEAD)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    json.data = note->data + NGX_HTTP_PAYER_DOCTOR_HEAD;
    json.len = len;

    lines.data = json.data + json.len;
    lines.len = note->data + note->len - lines.data;

    return ngx_http_payer_doctor_send(r, d, note->data[0] == '1', &json,
                                      &lines);
}


static ngx_int_t
ngx_http_payer_doctor_send(ngx_http_request_t *r, ngx_http_payer_doctor_t *d,
    ngx_uint_t failed, ngx_str_t *json, ngx_str_t *lines)
{
    static ngx_str_t  type_json = ngx_string("application/json");
    static ngx_str_t  type_text = ngx_string("text/plain; charset=utf-8");

    return ngx_http_payer_answer_body(r, failed ? NGX_HTTP_SERVICE_UNAVAILABLE
                                                : NGX_HTTP_OK,
                                      d->text ? &type_text : &type_json,
                                      d->text ? lines : json);
}
