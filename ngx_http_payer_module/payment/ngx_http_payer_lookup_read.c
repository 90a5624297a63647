
/*
 * Reads the shop's reply: the fields, and the verdict.
 */


#include "ngx_http_payer_lookup.h"
#include "ngx_http_payer_lookup_text.h"
#include "ngx_http_payer_log.h"
#include "ngx_http_payer_text.h"


static ngx_int_t ngx_http_payer_lookup_fields(
    ngx_http_payer_lookup_t *lookup);
static ngx_int_t ngx_http_payer_lookup_places(
    ngx_http_payer_lookup_t *lookup, ngx_http_payer_json_place_t **places);
static ngx_int_t ngx_http_payer_lookup_copy(ngx_http_payer_lookup_t *lookup,
    ngx_http_payer_lookup_t *like);
static ngx_int_t ngx_http_payer_lookup_fill(ngx_http_payer_lookup_t *lookup,
    ngx_uint_t i, ngx_http_payer_json_place_t **places, const char **reason);
static ngx_int_t ngx_http_payer_lookup_matches(
    ngx_http_payer_lookup_t *lookup);
static void ngx_http_payer_lookup_decide(ngx_http_payer_lookup_t *lookup);
static ngx_uint_t ngx_http_payer_lookup_is(ngx_http_payer_lookup_t *lookup,
    ngx_http_payer_lookup_test_t *test);
static void ngx_http_payer_lookup_log(ngx_http_payer_lookup_t *lookup,
    const char *verdict);


#define NGX_HTTP_PAYER_LOOKUP_LOG       512


static const char  *ngx_http_payer_lookup_verdicts[] = {
    "", "open", "paid in the shop", "closed", "not ours", "not found", "failed"
};


ngx_int_t
ngx_http_payer_lookup_read(ngx_http_payer_lookup_t *lookup,
    ngx_http_payer_lookup_t *like)
{
    ngx_int_t  rc;

    if (lookup->status == NGX_HTTP_NOT_FOUND || lookup->status == 410) {
        lookup->verdict = NGX_HTTP_PAYER_LOOKUP_ABSENT;

        ngx_http_payer_lookup_log(lookup, "not found");
        return NGX_OK;
    }

    if (lookup->status < 200 || lookup->status >= 300) {
        ngx_http_payer_lookup_fail(lookup, "is an error");
        return NGX_OK;
    }

    if (lookup->status == NGX_HTTP_PARTIAL_CONTENT) {

        /* a second price may stand in the rest */

        ngx_http_payer_lookup_fail(lookup, "is only a part");
        return NGX_OK;
    }

    rc = (like && like->conf == lookup->conf)
         ? ngx_http_payer_lookup_copy(lookup, like)
         : ngx_http_payer_lookup_fields(lookup);

    if (rc != NGX_OK) {
        return rc;
    }

    if (lookup->fields == NULL) {
        ngx_http_payer_lookup_fail(lookup, lookup->wrong);
        return NGX_OK;
    }

    /*
     * no field is available to a client that has not proved that it is his
     * order
     */

    rc = ngx_http_payer_lookup_matches(lookup);

    if (rc == NGX_DECLINED) {
        lookup->verdict = NGX_HTTP_PAYER_LOOKUP_ABSENT;

        ngx_http_payer_lookup_log(lookup, "not an order of this buyer");
        return NGX_OK;
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (lookup->missing) {
        ngx_http_payer_lookup_fail(lookup, lookup->wrong);
        return NGX_OK;
    }

    lookup->values = lookup->fields;

    ngx_http_payer_lookup_decide(lookup);
    ngx_http_payer_lookup_log(lookup,
                          ngx_http_payer_lookup_verdicts[lookup->verdict]);

    return NGX_OK;
}


/*
 * all fields, before the match is checked: NGX_OK, also if the reply is
 * invalid
 */

static ngx_int_t
ngx_http_payer_lookup_fields(ngx_http_payer_lookup_t *lookup)
{
    ngx_int_t                       rc;
    ngx_uint_t                      i, n;
    const char                     *wrong;
    ngx_http_payer_json_place_t    *places;
    ngx_http_payer_lookup_conf_t   *conf;
    ngx_http_payer_lookup_field_t  *field;

    conf = lookup->conf;
    field = conf->fields.elts;
    n = conf->fields.nelts;

    rc = ngx_http_payer_lookup_places(lookup, &places);

    if (rc != NGX_OK) {
        return rc == NGX_DECLINED ? NGX_OK : NGX_ERROR;
    }

    lookup->fields = ngx_pcalloc(lookup->ctx->request->pool,
                                 ngx_max(n, 1) * sizeof(ngx_str_t));
    if (lookup->fields == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {

        rc = ngx_http_payer_lookup_fill(lookup, i, &places, &wrong);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_DECLINED && !field[i].optional && !field[i].match
            && !lookup->missing)
        {
            lookup->missing = i + 1;
            lookup->wrong = wrong;
        }
    }

    return NGX_OK;
}


/*
 * where the fields that are pointers stand in the reply, in their order:
 * NGX_OK, NGX_DECLINED (it is not JSON, and why), NGX_ERROR
 */

static ngx_int_t
ngx_http_payer_lookup_places(ngx_http_payer_lookup_t *lookup,
    ngx_http_payer_json_place_t **places)
{
    size_t                          size;
    ngx_uint_t                      i, n;
    ngx_http_payer_json_place_t    *place;
    ngx_http_payer_lookup_conf_t   *conf;
    ngx_http_payer_lookup_field_t  *field;

    conf = lookup->conf;

    if (!conf->json) {
        *places = NULL;
        return NGX_OK;
    }

    field = conf->fields.elts;
    n = 0;

    size = conf->fields.nelts * sizeof(ngx_http_payer_json_place_t);

    place = ngx_palloc(lookup->ctx->request->pool, size);
    if (place == NULL) {
        return NGX_ERROR;
    }

    *places = place;

    for (i = 0; i < conf->fields.nelts; i++) {

        if (!field[i].pattern) {
            place[n++].pointer = field[i].path;
        }
    }

    return ngx_http_payer_json_read_places(&lookup->reply, place, n,
                                           &lookup->wrong);
}


/* the fields that another request has read before */

static ngx_int_t
ngx_http_payer_lookup_copy(ngx_http_payer_lookup_t *lookup,
    ngx_http_payer_lookup_t *like)
{
    ngx_str_t   *fields;
    ngx_uint_t   i, n;
    ngx_pool_t  *pool;

    lookup->wrong = like->wrong;
    lookup->missing = like->missing;

    if (like->fields == NULL) {
        return NGX_OK;
    }

    pool = lookup->ctx->request->pool;
    n = lookup->conf->fields.nelts;

    fields = ngx_pcalloc(pool, ngx_max(n, 1) * sizeof(ngx_str_t));
    if (fields == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {

        if (like->fields[i].len == 0) {
            continue;
        }

        fields[i].len = like->fields[i].len;
        fields[i].data = ngx_pstrdup(pool, &like->fields[i]);

        if (fields[i].data == NULL) {
            return NGX_ERROR;
        }
    }

    lookup->fields = fields;

    return NGX_OK;
}


/*
 * the i-th field; takes its place from "places" if it is a pointer: NGX_OK,
 * NGX_DECLINED (there is no such value, and why), NGX_ERROR
 */

static ngx_int_t
ngx_http_payer_lookup_fill(ngx_http_payer_lookup_t *lookup, ngx_uint_t i,
    ngx_http_payer_json_place_t **places, const char **reason)
{
    ngx_int_t                       rc;
    ngx_str_t                      *value;
    ngx_pool_t                     *pool;
    ngx_http_payer_lookup_field_t  *field;

    pool = lookup->ctx->request->pool;
    field = (ngx_http_payer_lookup_field_t *) lookup->conf->fields.elts + i;
    value = &lookup->fields[i];

    if (!field->pattern) {
        rc = ngx_http_payer_json_place_value(pool, &lookup->reply,
                                             (*places)++, value, reason);

    } else {
#if (NGX_PCRE)
        rc = ngx_http_payer_lookup_search(pool, field, &lookup->reply, value,
                                          reason);
#else
        rc = NGX_ERROR;
#endif
    }

    if (rc == NGX_OK && !ngx_http_payer_lookup_printable(value)) {

        /* it would add a header line to a request to the application */

        ngx_str_null(value);

        *reason = "has a control character";
        rc = NGX_DECLINED;
    }

    return rc;
}


/* NGX_OK, NGX_DECLINED, NGX_ERROR */

static ngx_int_t
ngx_http_payer_lookup_matches(ngx_http_payer_lookup_t *lookup)
{
    ngx_int_t                      rc;
    ngx_str_t                      given, *secret;
    ngx_http_payer_lookup_test_t  *match;

    match = &lookup->conf->match;

    if (!match->set || lookup->blind) {
        return NGX_OK;
    }

    rc = ngx_http_payer_text(lookup->ctx->request, &match->text, &given);
    if (rc != NGX_OK) {
        return rc;
    }

    secret = &lookup->fields[match->field];

    return (secret->len && ngx_http_payer_same(&given, secret))
           ? NGX_OK : NGX_DECLINED;
}


static void
ngx_http_payer_lookup_decide(ngx_http_payer_lookup_t *lookup)
{
    ngx_uint_t                     paid, open;
    ngx_http_payer_lookup_conf_t  *conf;

    conf = lookup->conf;

    paid = conf->paid.set && ngx_http_payer_lookup_is(lookup, &conf->paid);
    open = !conf->open.set || ngx_http_payer_lookup_is(lookup, &conf->open);

    lookup->over = (paid || !open);

    if (conf->only.set && !lookup->blind
        && !ngx_http_payer_lookup_is(lookup, &conf->only))
    {
        lookup->verdict = NGX_HTTP_PAYER_LOOKUP_OTHER;

    } else if (paid) {
        lookup->verdict = NGX_HTTP_PAYER_LOOKUP_PAID;

    } else {
        lookup->verdict = open ? NGX_HTTP_PAYER_LOOKUP_OPEN
                               : NGX_HTTP_PAYER_LOOKUP_CLOSED;
    }
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


void
ngx_http_payer_lookup_fail(ngx_http_payer_lookup_t *lookup, const char *why)
{
    ngx_http_payer_lookup_conf_t   *conf;
    ngx_http_payer_lookup_field_t  *field;

    lookup->verdict = NGX_HTTP_PAYER_LOOKUP_FAILED;

    conf = lookup->conf;

    if (lookup->missing) {
        field = conf->fields.elts;

        ngx_http_payer_log(NGX_LOG_ERR, lookup->ctx,
                           "lookup \"%V?%V\": \"%V\" %s in the reply of "
                           "status %ui", &conf->uri, &lookup->args,
                           &field[lookup->missing - 1].pointer, why,
                           lookup->status);
        return;
    }

    if (lookup->status == 0) {
        ngx_http_payer_log(NGX_LOG_ERR, lookup->ctx,
                           "lookup \"%V?%V\" was not made: %s",
                           &conf->uri, &lookup->args, why);
        return;
    }

    ngx_http_payer_log(NGX_LOG_ERR, lookup->ctx,
                       "lookup \"%V?%V\" failed: the reply %s, status %ui",
                       &conf->uri, &lookup->args, why, lookup->status);
}


/* the fields, without the buyer's key */

static void
ngx_http_payer_lookup_log(ngx_http_payer_lookup_t *lookup, const char *verdict)
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

    ngx_http_payer_log(NGX_LOG_INFO, lookup->ctx,
                       "lookup \"%V?%V\": status %ui%V: %s",
                       &lookup->conf->uri, &lookup->args, lookup->status,
                       &text, verdict);
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

    if (lookup == NULL || lookup->values == NULL
        || ngx_http_payer_is_exchange(r))
    {
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
