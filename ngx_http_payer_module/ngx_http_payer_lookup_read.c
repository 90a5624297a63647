
/*
 * What the shop's reply says of an order: the fields, and the verdict.
 */


#include "ngx_http_payer_lookup.h"
#include "ngx_http_payer_intake.h"
#include "ngx_http_payer_lookup_text.h"


static ngx_int_t ngx_http_payer_lookup_fields(ngx_http_payer_lookup_t *lookup,
    const char **wrong);
static ngx_int_t ngx_http_payer_lookup_fill(ngx_http_payer_lookup_t *lookup,
    ngx_uint_t i, const char **reason);
#if (NGX_PCRE)
static ngx_int_t ngx_http_payer_lookup_search(ngx_pool_t *pool,
    ngx_http_payer_lookup_field_t *field, ngx_str_t *text, ngx_str_t *value,
    const char **reason);
static ngx_int_t ngx_http_payer_lookup_join(ngx_pool_t *pool, ngx_str_t *text,
    int *captures, ngx_uint_t n, ngx_str_t *value);
#endif
static ngx_int_t ngx_http_payer_lookup_matches(
    ngx_http_payer_lookup_t *lookup);
static ngx_http_payer_lookup_verdict_e ngx_http_payer_lookup_decide(
    ngx_http_payer_lookup_t *lookup);
static ngx_uint_t ngx_http_payer_lookup_is(ngx_http_payer_lookup_t *lookup,
    ngx_http_payer_lookup_test_t *test);
static void ngx_http_payer_lookup_failed(ngx_http_payer_lookup_t *lookup,
    const char *reason, ngx_str_t *field);
static void ngx_http_payer_lookup_log(ngx_http_payer_lookup_t *lookup);


#define NGX_HTTP_PAYER_LOOKUP_CAPTURES  9
#define NGX_HTTP_PAYER_LOOKUP_LOG       512


static const char  *ngx_http_payer_lookup_verdicts[] = {
    "", "open", "paid in the shop", "closed", "not ours", "not found", "failed"
};


ngx_int_t
ngx_http_payer_lookup_read(ngx_http_payer_lookup_t *lookup)
{
    ngx_int_t    rc;
    const char  *wrong;

    if (lookup->status == NGX_HTTP_NOT_FOUND || lookup->status == 410) {
        lookup->verdict = NGX_HTTP_PAYER_LOOKUP_ABSENT;

        ngx_http_payer_lookup_log(lookup);
        return NGX_OK;
    }

    if (lookup->status < 200 || lookup->status >= 300) {
        ngx_http_payer_lookup_failed(lookup, "answered", NULL);
        return NGX_OK;
    }

    wrong = NULL;

    if (lookup->conf->json
        && ngx_http_payer_json_read_value(&lookup->reply, &wrong) != NGX_OK)
    {
        ngx_http_payer_lookup_failed(lookup, wrong, NULL);
        return NGX_OK;
    }

    rc = ngx_http_payer_lookup_fields(lookup, &wrong);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_OK) {
        lookup->verdict = ngx_http_payer_lookup_decide(lookup);
    }

    if (lookup->verdict != NGX_HTTP_PAYER_LOOKUP_FAILED) {
        ngx_http_payer_lookup_log(lookup);
    }

    return NGX_OK;
}


/*
 * The buyer's proof first: nothing is said of an order to those who have
 * none.  NGX_OK, NGX_DECLINED with the verdict set, NGX_ERROR.
 */

static ngx_int_t
ngx_http_payer_lookup_fields(ngx_http_payer_lookup_t *lookup,
    const char **wrong)
{
    ngx_int_t                       rc;
    ngx_uint_t                      i, n;
    ngx_http_payer_lookup_conf_t   *conf;
    ngx_http_payer_lookup_field_t  *field;

    conf = lookup->conf;
    field = conf->fields.elts;
    n = conf->fields.nelts;

    lookup->values = ngx_pcalloc(lookup->ctx->request->pool,
                                 ngx_max(n, 1) * sizeof(ngx_str_t));
    if (lookup->values == NULL) {
        return NGX_ERROR;
    }

    if (conf->match.set) {
        rc = ngx_http_payer_lookup_fill(lookup, conf->match.field, wrong);

        if (rc == NGX_OK) {
            rc = ngx_http_payer_lookup_matches(lookup);
        }

        if (rc == NGX_DECLINED) {
            lookup->values = NULL;
            lookup->verdict = NGX_HTTP_PAYER_LOOKUP_ABSENT;
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    for (i = 0; i < n; i++) {

        if (field[i].match) {
            continue;
        }

        rc = ngx_http_payer_lookup_fill(lookup, i, wrong);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_DECLINED && !field[i].optional) {
            ngx_http_payer_lookup_failed(lookup, *wrong, &field[i].pointer);
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


/* NGX_OK, NGX_DECLINED (there is no such value, and why), NGX_ERROR */

static ngx_int_t
ngx_http_payer_lookup_fill(ngx_http_payer_lookup_t *lookup, ngx_uint_t i,
    const char **reason)
{
    ngx_pool_t                     *pool;
    ngx_http_payer_lookup_field_t  *field;

    pool = lookup->ctx->request->pool;
    field = (ngx_http_payer_lookup_field_t *) lookup->conf->fields.elts + i;

    if (!field->pattern) {
        return ngx_http_payer_json_pointer(pool, &lookup->reply,
                                           &field->pointer,
                                           &lookup->values[i], reason);
    }

#if (NGX_PCRE)
    return ngx_http_payer_lookup_search(pool, field, &lookup->reply,
                                        &lookup->values[i], reason);
#else
    return NGX_ERROR;
#endif
}


#if (NGX_PCRE)

/* the pattern has to match exactly once: two prices are none */

static ngx_int_t
ngx_http_payer_lookup_search(ngx_pool_t *pool,
    ngx_http_payer_lookup_field_t *field, ngx_str_t *text, ngx_str_t *value,
    const char **reason)
{
    int        captures[3 * NGX_HTTP_PAYER_LOOKUP_CAPTURES];
    ngx_int_t  n, again;
    ngx_str_t  rest;

    n = ngx_regex_exec(field->regex, text, captures,
                       3 * (field->captures + 1));

    if (n == NGX_REGEX_NO_MATCHED) {
        *reason = "does not match";
        return NGX_DECLINED;
    }

    if (n <= 0) {
        *reason = "needs too many steps to match";
        return NGX_DECLINED;
    }

    if (ngx_http_payer_lookup_join(pool, text, captures,
                                   ngx_min((ngx_uint_t) n,
                                           field->captures + 1),
                                   value)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    rest.data = text->data + ngx_max(captures[1], captures[0] + 1);
    rest.len = text->data + text->len > rest.data
               ? (size_t) (text->data + text->len - rest.data) : 0;

    again = ngx_regex_exec(field->regex, &rest, captures,
                           3 * (field->captures + 1));

    if (again == NGX_REGEX_NO_MATCHED && value->len) {
        return NGX_OK;
    }

    *reason = value->len == 0 ? "is empty" : "matches more than once";

    ngx_str_null(value);

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_payer_lookup_join(ngx_pool_t *pool, ngx_str_t *text, int *captures,
    ngx_uint_t n, ngx_str_t *value)
{
    u_char      *p;
    size_t       len;
    ngx_uint_t   i;

    len = 0;

    for (i = 1; i < n; i++) {
        len += captures[2 * i + 1] - captures[2 * i];
    }

    p = ngx_pnalloc(pool, ngx_max(len, 1));
    if (p == NULL) {
        return NGX_ERROR;
    }

    value->data = p;
    value->len = len;

    for (i = 1; i < n; i++) {

        /* a group that took no part begins and ends at -1 */

        if (captures[2 * i] >= 0) {
            p = ngx_cpymem(p, text->data + captures[2 * i],
                           captures[2 * i + 1] - captures[2 * i]);
        }
    }

    return NGX_OK;
}

#endif


/* NGX_OK, NGX_DECLINED, NGX_ERROR */

static ngx_int_t
ngx_http_payer_lookup_matches(ngx_http_payer_lookup_t *lookup)
{
    ngx_int_t            rc;
    ngx_str_t            given, *secret;
    ngx_http_request_t  *r;

    r = lookup->ctx->request;
    secret = &lookup->values[lookup->conf->match.field];

    rc = ngx_http_payer_intake_text(r, &lookup->conf->match.text, &given);

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_payer_same(&given, secret) ? NGX_OK : NGX_DECLINED;
}


static ngx_http_payer_lookup_verdict_e
ngx_http_payer_lookup_decide(ngx_http_payer_lookup_t *lookup)
{
    ngx_http_payer_lookup_conf_t  *conf;

    conf = lookup->conf;

    if (conf->only.set && !ngx_http_payer_lookup_is(lookup, &conf->only)) {
        return NGX_HTTP_PAYER_LOOKUP_OTHER;
    }

    if (conf->paid.set && ngx_http_payer_lookup_is(lookup, &conf->paid)) {
        return NGX_HTTP_PAYER_LOOKUP_PAID;
    }

    if (conf->open.set && !ngx_http_payer_lookup_is(lookup, &conf->open)) {
        return NGX_HTTP_PAYER_LOOKUP_CLOSED;
    }

    return NGX_HTTP_PAYER_LOOKUP_OPEN;
}


static ngx_uint_t
ngx_http_payer_lookup_is(ngx_http_payer_lookup_t *lookup,
    ngx_http_payer_lookup_test_t *test)
{
    ngx_str_t   *value, *state;
    ngx_uint_t   i;

    value = &lookup->values[test->field];
    state = test->values->elts;

    for (i = 0; i < test->values->nelts; i++) {
        if (value->len == state[i].len
            && ngx_memcmp(value->data, state[i].data, value->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static void
ngx_http_payer_lookup_failed(ngx_http_payer_lookup_t *lookup,
    const char *reason, ngx_str_t *field)
{
    ngx_log_t  *log;

    lookup->values = NULL;
    lookup->verdict = NGX_HTTP_PAYER_LOOKUP_FAILED;

    log = lookup->ctx->request->connection->log;

    if (field) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "payer: lookup \"%V?%V\": \"%V\" %s in the reply of "
                      "status %ui", &lookup->conf->uri, &lookup->args, field,
                      reason, lookup->status);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, log, 0,
                  "payer: lookup \"%V?%V\": the reply %s, status %ui",
                  &lookup->conf->uri, &lookup->args, reason, lookup->status);
}


/* what was read, without the buyer's secret */

static void
ngx_http_payer_lookup_log(ngx_http_payer_lookup_t *lookup)
{
    u_char                         *p, buf[NGX_HTTP_PAYER_LOOKUP_LOG];
    ngx_str_t                       text;
    ngx_log_t                      *log;
    ngx_uint_t                      i;
    ngx_http_payer_lookup_field_t  *field;

    log = lookup->ctx->request->connection->log;

    if (log->log_level < NGX_LOG_INFO) {
        return;
    }

    p = buf;
    field = lookup->conf->fields.elts;

    for (i = 0; lookup->values && i < lookup->conf->fields.nelts; i++) {

        if (field[i].match
            || buf + sizeof(buf) - p < (ssize_t) field[i].name.len
                                       + NGX_HTTP_PAYER_LOOKUP_LOG_TEXT + 8)
        {
            continue;
        }

        p = ngx_sprintf(p, ", %V=\"", &field[i].name);
        p = ngx_http_payer_lookup_plain(p, &lookup->values[i]);
        *p++ = '"';
    }

    text.data = buf;
    text.len = p - buf;

    ngx_log_error(NGX_LOG_INFO, log, 0,
                  "payer: lookup \"%V?%V\": status %ui%V: %s",
                  &lookup->conf->uri, &lookup->args, lookup->status, &text,
                  ngx_http_payer_lookup_verdicts[lookup->verdict]);
}


ngx_int_t
ngx_http_payer_lookup_get_field(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_uint_t                      i;
    ngx_http_payer_lookup_t        *lookup;
    ngx_http_payer_lookup_field_t  *field;

    v->not_found = 1;

    lookup = ngx_http_payer_lookup_of(r);

    if (lookup == NULL || lookup->values == NULL) {
        return NGX_OK;
    }

    field = lookup->conf->fields.elts;

    for (i = 0; i < lookup->conf->fields.nelts; i++) {

        if (field[i].id == data && lookup->values[i].len) {
            v->len = lookup->values[i].len;
            v->data = lookup->values[i].data;
            v->valid = 1;
            v->no_cacheable = 0;
            v->not_found = 0;
            break;
        }
    }

    return NGX_OK;
}
