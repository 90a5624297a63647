
/*
 * The call to the shop: made once for identical lookups of one moment, and
 * kept with its request over internal redirects.
 */


#include "ngx_http_payer_lookup.h"
#include "ngx_http_payer_counter.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_intake.h"
#include "ngx_http_payer_query.h"


/* one subrequest, of the first request that asks, for all that ask the same */
struct ngx_http_payer_lookup_call_s {
    ngx_queue_t                  queue;         /* of the worker's calls */
    ngx_queue_t                  waiting;       /* lookups, the first's too */
    ngx_http_payer_lookup_t     *first;
    ngx_http_payer_exchange_t    exchange;
};


/* an order that the shop does not have, for a second */
typedef struct {
    ngx_http_core_loc_conf_t    *clcf;
    ngx_msec_t                   until;
    u_char                       digest[NGX_HTTP_PAYER_DIGEST_LEN];
} ngx_http_payer_lookup_absent_t;


static ngx_int_t ngx_http_payer_lookup_prepare(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_lookup_conf_t *conf);
static ngx_http_payer_lookup_t *ngx_http_payer_lookup_create(
    ngx_http_payer_ctx_t *ctx, ngx_http_payer_lookup_conf_t *conf,
    ngx_str_t *args);
static ngx_int_t ngx_http_payer_lookup_args(ngx_http_request_t *r,
    ngx_http_payer_lookup_conf_t *conf, ngx_str_t *args);
static ngx_int_t ngx_http_payer_lookup_value(ngx_http_request_t *r,
    ngx_http_payer_lookup_conf_t *conf, ngx_http_payer_lookup_arg_t *arg,
    ngx_str_t *value);
static ngx_uint_t ngx_http_payer_lookup_clean(ngx_str_t *value,
    ngx_uint_t email);
static ngx_int_t ngx_http_payer_lookup_reuse(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_lookup_t *old, ngx_http_payer_lookup_t *lookup);
static ngx_int_t ngx_http_payer_lookup_ask(ngx_http_payer_ctx_t *ctx);
static ngx_http_payer_lookup_call_t *ngx_http_payer_lookup_find(
    ngx_http_payer_lookup_t *lookup);
static ngx_int_t ngx_http_payer_lookup_start(ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_lookup_headers(ngx_http_request_t *r,
    ngx_http_payer_lookup_conf_t *conf, ngx_http_payer_exchange_t *x);
static void ngx_http_payer_lookup_header_value(ngx_http_request_t *r,
    ngx_http_payer_field_t *field);
static void ngx_http_payer_lookup_answered(ngx_http_payer_exchange_t *x);
static void ngx_http_payer_lookup_told(ngx_http_payer_lookup_t *lookup,
    ngx_http_payer_exchange_t *x);
static void ngx_http_payer_lookup_end(ngx_http_payer_lookup_call_t *call);
static void ngx_http_payer_lookup_cleanup(void *data);
static ngx_http_payer_lookup_absent_t *ngx_http_payer_lookup_slot(
    ngx_http_payer_lookup_t *lookup, u_char *digest);
static ngx_uint_t ngx_http_payer_lookup_known_absent(
    ngx_http_payer_lookup_t *lookup);
static void ngx_http_payer_lookup_note_absent(
    ngx_http_payer_lookup_t *lookup);


#define NGX_HTTP_PAYER_LOOKUP_SLOTS    256
#define NGX_HTTP_PAYER_LOOKUP_ABSENCE  1000     /* ms */
#define NGX_HTTP_PAYER_LOOKUP_TEXT     64


/* of this worker */

static ngx_queue_t                     ngx_http_payer_lookup_calls;
static ngx_uint_t                      ngx_http_payer_lookup_ncalls;
static ngx_http_payer_lookup_absent_t
    ngx_http_payer_lookup_absences[NGX_HTTP_PAYER_LOOKUP_SLOTS];
static ngx_msec_t                      ngx_http_payer_lookup_last_absence;


ngx_int_t
ngx_http_payer_lookup_run(ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                      rc;
    ngx_http_payer_lookup_conf_t  *conf;

    if (ctx->lookup == NULL) {

        conf = ctx->conf->lookup;

        if (conf == NULL) {

            /* of the location that led here */

            ctx->lookup = ngx_http_payer_lookup_of(ctx->request);
            return NGX_OK;
        }

        rc = ngx_http_payer_lookup_prepare(ctx, conf);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (ctx->lookup->verdict) {
        return NGX_OK;
    }

    if (ctx->lookup->call) {

        /* one of those who wait, woken by its deadline */

        ngx_queue_remove(&ctx->lookup->queue);
        ctx->lookup->call = NULL;
        ctx->lookup->verdict = NGX_HTTP_PAYER_LOOKUP_FAILED;

        return NGX_OK;
    }

    return ngx_http_payer_lookup_ask(ctx);
}


/* the lookup of this location: that of an earlier one if it asks the same */

static ngx_int_t
ngx_http_payer_lookup_prepare(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_lookup_conf_t *conf)
{
    ngx_int_t                 rc;
    ngx_str_t                 args;
    ngx_http_payer_lookup_t  *old, *lookup;

    rc = ngx_http_payer_lookup_args(ctx->request, conf, &args);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    old = ngx_http_payer_lookup_of(ctx->request);

    if (rc == NGX_OK && old && old->verdict && old->conf == conf
        && old->clcf == ctx->conf->lookup_clcf
        && old->args.len == args.len
        && ngx_memcmp(old->args.data, args.data, args.len) == 0)
    {
        ctx->lookup = old;
        return NGX_OK;
    }

    lookup = ngx_http_payer_lookup_create(ctx, conf, &args);
    if (lookup == NULL) {
        return NGX_ERROR;
    }

    ctx->lookup = lookup;

    if (rc == NGX_DECLINED) {
        lookup->verdict = NGX_HTTP_PAYER_LOOKUP_ABSENT;
        return NGX_OK;
    }

    return old ? ngx_http_payer_lookup_reuse(ctx, old, lookup) : NGX_OK;
}


static ngx_http_payer_lookup_t *
ngx_http_payer_lookup_create(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_lookup_conf_t *conf, ngx_str_t *args)
{
    ngx_pool_cleanup_t       *cln;
    ngx_http_payer_lookup_t  *lookup;

    cln = ngx_pool_cleanup_add(ctx->request->pool,
                               sizeof(ngx_http_payer_lookup_t));
    if (cln == NULL) {
        return NULL;
    }

    lookup = cln->data;

    ngx_memzero(lookup, sizeof(ngx_http_payer_lookup_t));

    lookup->conf = conf;
    lookup->clcf = ctx->conf->lookup_clcf;
    lookup->ctx = ctx;
    lookup->args = *args;

    cln->handler = ngx_http_payer_lookup_cleanup;

    return lookup;
}


ngx_http_payer_lookup_t *
ngx_http_payer_lookup_of(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t  *cln;

    /* the last one is found first */

    for (cln = r->main->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_payer_lookup_cleanup) {
            return cln->data;
        }
    }

    return NULL;
}


/* name=value&...: NGX_OK, NGX_DECLINED (a value may not go to the shop),
 * NGX_ERROR */

static ngx_int_t
ngx_http_payer_lookup_args(ngx_http_request_t *r,
    ngx_http_payer_lookup_conf_t *conf, ngx_str_t *args)
{
    size_t                        len;
    u_char                       *p;
    ngx_int_t                     rc;
    ngx_str_t                    *values;
    ngx_uint_t                    i;
    ngx_http_payer_lookup_arg_t  *arg;

    ngx_str_null(args);

    arg = conf->args.elts;

    if (conf->args.nelts == 0) {
        return NGX_OK;
    }

    if (conf->buyers && !ngx_http_payer_query_clear(&r->args, conf->buyers)) {
        return NGX_DECLINED;
    }

    values = ngx_palloc(r->pool, conf->args.nelts * sizeof(ngx_str_t));
    if (values == NULL) {
        return NGX_ERROR;
    }

    len = 0;

    for (i = 0; i < conf->args.nelts; i++) {
        rc = ngx_http_payer_lookup_value(r, conf, &arg[i], &values[i]);

        if (rc != NGX_OK) {
            return rc;
        }

        len += arg[i].name.len + 3 * values[i].len + 2;
    }

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    args->data = p;

    for (i = 0; i < conf->args.nelts; i++) {

        if (i) {
            *p++ = '&';
        }

        p = ngx_cpymem(p, arg[i].name.data, arg[i].name.len);
        *p++ = '=';

        if (arg[i].variable.len) {
            p = (u_char *) ngx_escape_uri(p, values[i].data, values[i].len,
                                          NGX_ESCAPE_URI_COMPONENT);
        } else {
            p = ngx_cpymem(p, values[i].data, values[i].len);
        }
    }

    args->len = p - args->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_lookup_value(ngx_http_request_t *r,
    ngx_http_payer_lookup_conf_t *conf, ngx_http_payer_lookup_arg_t *arg,
    ngx_str_t *value)
{
    u_char                     *dst, *src;
    ngx_http_variable_value_t  *vv;

    if (arg->variable.len == 0) {
        *value = arg->text;
        return NGX_OK;
    }

    vv = ngx_http_get_flushed_variable(r, arg->index);

    if (vv == NULL) {
        return NGX_ERROR;
    }

    if (vv->not_found) {
        return NGX_DECLINED;
    }

    value->data = vv->data;
    value->len = vv->len;

    if (conf->email && conf->buyers && value->len
        && value->len <= 3 * NGX_HTTP_PAYER_LOOKUP_TEXT)
    {
        /* browsers write the at sign and the plus in percent */

        dst = ngx_pnalloc(r->pool, value->len);
        if (dst == NULL) {
            return NGX_ERROR;
        }

        src = value->data;
        value->data = dst;

        ngx_unescape_uri(&dst, &src, value->len, 0);

        value->len = dst - value->data;
    }

    return ngx_http_payer_lookup_clean(value, conf->email) ? NGX_OK
                                                           : NGX_DECLINED;
}


static ngx_uint_t
ngx_http_payer_lookup_clean(ngx_str_t *value, ngx_uint_t email)
{
    u_char  ch;
    size_t  i;

    if (value->len == 0 || value->len > NGX_HTTP_PAYER_LOOKUP_TEXT) {
        return 0;
    }

    for (i = 0; i < value->len; i++) {
        ch = value->data[i];

        if ((ch >= '0' && ch <= '9') || ch == '_' || ch == '-'
            || ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z'))
        {
            continue;
        }

        if (!email || (ch != '@' && ch != '.' && ch != '+')) {
            return 0;
        }
    }

    /* a directory and its parent are nobody's address */

    return value->data[0] != '.';
}


/* another location asks the same place the same, and reads its own from it */

static ngx_int_t
ngx_http_payer_lookup_reuse(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_lookup_t *old, ngx_http_payer_lookup_t *lookup)
{
    if (!old->verdict || old->status == 0 || old->reply.data == NULL
        || old->clcf != lookup->clcf
        || old->conf->uri.len != lookup->conf->uri.len
        || ngx_memcmp(old->conf->uri.data, lookup->conf->uri.data,
                      old->conf->uri.len)
           != 0
        || old->args.len != lookup->args.len
        || ngx_memcmp(old->args.data, lookup->args.data, old->args.len) != 0)
    {
        return NGX_OK;
    }

    lookup->status = old->status;
    lookup->reply = old->reply;
    lookup->retry_after = old->retry_after;

    return ngx_http_payer_lookup_read(lookup);
}


static ngx_int_t
ngx_http_payer_lookup_ask(ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_lookup_t       *lookup;
    ngx_http_payer_lookup_call_t  *call;

    lookup = ctx->lookup;

    if (ngx_http_payer_lookup_known_absent(lookup)) {
        lookup->verdict = NGX_HTTP_PAYER_LOOKUP_ABSENT;
        return NGX_OK;
    }

    if (ngx_http_payer_lookup_calls.next == NULL) {
        ngx_queue_init(&ngx_http_payer_lookup_calls);
    }

    call = ngx_http_payer_lookup_find(lookup);

    if (call) {
        lookup->call = call;
        ngx_queue_insert_tail(&call->waiting, &lookup->queue);

        if (ngx_http_payer_flow_wait(ctx, ctx->conf->timeout) == NGX_AGAIN) {
            return NGX_AGAIN;
        }

        ngx_queue_remove(&lookup->queue);
        lookup->call = NULL;
        lookup->verdict = NGX_HTTP_PAYER_LOOKUP_FAILED;

        return NGX_OK;
    }

    if (ngx_http_payer_lookup_ncalls >= ctx->conf->lookup_inflight) {

        ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                      "payer: lookup \"%V?%V\": \"payer_lookup_inflight\" %ui "
                      "lookups are under way in this worker process",
                      &lookup->conf->uri, &lookup->args,
                      ctx->conf->lookup_inflight);

        lookup->verdict = NGX_HTTP_PAYER_LOOKUP_FAILED;

        return NGX_OK;
    }

    return ngx_http_payer_lookup_start(ctx);
}


/* the same question under way; what a buyer's header takes part in is his */

static ngx_http_payer_lookup_call_t *
ngx_http_payer_lookup_find(ngx_http_payer_lookup_t *lookup)
{
    ngx_queue_t                   *q;
    ngx_http_payer_lookup_t       *first;
    ngx_http_payer_lookup_call_t  *call;

    if (lookup->conf->headers.nelts) {
        return NULL;
    }

    for (q = ngx_queue_head(&ngx_http_payer_lookup_calls);
         q != ngx_queue_sentinel(&ngx_http_payer_lookup_calls);
         q = ngx_queue_next(q))
    {
        call = ngx_queue_data(q, ngx_http_payer_lookup_call_t, queue);
        first = call->first;

        if (first->conf->headers.nelts == 0
            && first->clcf == lookup->clcf
            && first->conf->uri.len == lookup->conf->uri.len
            && ngx_memcmp(first->conf->uri.data, lookup->conf->uri.data,
                          first->conf->uri.len)
               == 0
            && first->args.len == lookup->args.len
            && ngx_memcmp(first->args.data, lookup->args.data,
                          first->args.len)
               == 0)
        {
            return call;
        }
    }

    return NULL;
}


static ngx_int_t
ngx_http_payer_lookup_start(ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                      rc;
    ngx_http_payer_lookup_t       *lookup;
    ngx_http_payer_exchange_t     *x;
    ngx_http_payer_lookup_call_t  *call;

    static ngx_str_t  get = ngx_string("GET");

    lookup = ctx->lookup;

    call = ngx_pcalloc(ctx->request->pool,
                       sizeof(ngx_http_payer_lookup_call_t));
    if (call == NULL) {
        return NGX_ERROR;
    }

    call->first = lookup;

    x = &call->exchange;

    x->method = NGX_HTTP_GET;
    x->method_name = get;
    x->path = lookup->conf->uri;
    x->args = lookup->args;
    x->clcf = lookup->clcf;
    x->handler = ngx_http_payer_lookup_answered;
    x->data = call;

    if (ngx_http_payer_lookup_headers(ctx->request, lookup->conf, x)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_http_payer_flow_exchange(ctx, NULL, x);

    if (rc != NGX_AGAIN) {
        return rc;
    }

    lookup->call = call;

    ngx_queue_init(&call->waiting);
    ngx_queue_insert_tail(&call->waiting, &lookup->queue);
    ngx_queue_insert_tail(&ngx_http_payer_lookup_calls, &call->queue);

    ngx_http_payer_lookup_ncalls++;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_payer_lookup_headers(ngx_http_request_t *r,
    ngx_http_payer_lookup_conf_t *conf, ngx_http_payer_exchange_t *x)
{
    ngx_uint_t               i;
    ngx_http_payer_field_t  *fields;

    if (conf->headers.nelts == 0) {
        return NGX_OK;
    }

    fields = ngx_palloc(r->pool,
                        conf->headers.nelts * sizeof(ngx_http_payer_field_t));
    if (fields == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(fields, conf->headers.elts,
               conf->headers.nelts * sizeof(ngx_http_payer_field_t));

    for (i = 0; i < conf->headers.nelts; i++) {
        ngx_http_payer_lookup_header_value(r, &fields[i]);
    }

    x->fields = fields;
    x->nfields = conf->headers.nelts;

    return NGX_OK;
}


static void
ngx_http_payer_lookup_header_value(ngx_http_request_t *r,
    ngx_http_payer_field_t *field)
{
    size_t            len;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    len = ngx_strlen(field->name);
    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len == len
            && ngx_strncasecmp(h[i].key.data, (u_char *) field->name, len)
               == 0)
        {
            field->value = h[i].value;
            return;
        }
    }
}


/* tells all who asked, each of whom reads what its own location wants */

static void
ngx_http_payer_lookup_answered(ngx_http_payer_exchange_t *x)
{
    ngx_queue_t                   *q;
    ngx_http_payer_ctx_t          *ctx;
    ngx_http_payer_lookup_t       *lookup;
    ngx_http_payer_lookup_call_t  *call;

    call = x->data;

    ngx_http_payer_flow_exchanged(call->first->ctx);

    while (!ngx_queue_empty(&call->waiting)) {

        q = ngx_queue_head(&call->waiting);
        ngx_queue_remove(q);

        lookup = ngx_queue_data(q, ngx_http_payer_lookup_t, queue);
        lookup->call = NULL;

        ctx = lookup->ctx;

        ngx_http_payer_lookup_told(lookup, x);

        if (lookup != call->first) {
            ngx_http_payer_flow_wake(ctx);
        }
    }

    ngx_http_payer_lookup_end(call);
}


static void
ngx_http_payer_lookup_told(ngx_http_payer_lookup_t *lookup,
    ngx_http_payer_exchange_t *x)
{
    ngx_http_request_t  *r;

    r = lookup->ctx->request;

    if (x->failure == NGX_HTTP_CLIENT_CLOSED_REQUEST
        && x->data && lookup != ((ngx_http_payer_lookup_call_t *)
                                 x->data)->first)
    {
        /* only the first one's buyer has left: the others ask anew */

        return;
    }

    lookup->status = x->status;
    lookup->retry_after = x->retry_after;

    if (x->status == 0 || !x->complete || x->oversized) {

        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "payer: lookup \"%V?%V\": %s, status %ui",
                      &lookup->conf->uri, &lookup->args,
                      x->oversized ? "the reply is above 256 KiB"
                      : x->status ? "the reply was cut off"
                      : "there is no reply",
                      x->status ? x->status : x->failure);

        lookup->verdict = NGX_HTTP_PAYER_LOOKUP_FAILED;

    } else {
        lookup->reply.data = ngx_pnalloc(r->pool, ngx_max(x->reply.len, 1));

        if (lookup->reply.data == NULL) {
            lookup->verdict = NGX_HTTP_PAYER_LOOKUP_FAILED;

        } else {
            ngx_memcpy(lookup->reply.data, x->reply.data, x->reply.len);
            lookup->reply.len = x->reply.len;

            if (ngx_http_payer_lookup_read(lookup) != NGX_OK) {
                lookup->verdict = NGX_HTTP_PAYER_LOOKUP_FAILED;
            }

            if (x->status == NGX_HTTP_NOT_FOUND || x->status == 410) {
                ngx_http_payer_lookup_note_absent(lookup);
            }
        }
    }

    ngx_http_payer_count(lookup->ctx->conf->main->zone,
                         NGX_HTTP_PAYER_COUNT_OTHERS,
                         NGX_HTTP_PAYER_COUNT_LOOKUPS, lookup->verdict);
}


static void
ngx_http_payer_lookup_end(ngx_http_payer_lookup_call_t *call)
{
    ngx_queue_remove(&call->queue);
    ngx_http_payer_lookup_ncalls--;
}


/* the request goes, and what it had begun for others with it */

static void
ngx_http_payer_lookup_cleanup(void *data)
{
    ngx_http_payer_lookup_t *lookup = data;

    ngx_queue_t                   *q;
    ngx_http_payer_lookup_t       *other;
    ngx_http_payer_lookup_call_t  *call;

    call = lookup->call;

    if (call == NULL) {
        return;
    }

    ngx_queue_remove(&lookup->queue);
    lookup->call = NULL;

    if (call->first != lookup) {
        return;
    }

    while (!ngx_queue_empty(&call->waiting)) {

        q = ngx_queue_head(&call->waiting);
        ngx_queue_remove(q);

        other = ngx_queue_data(q, ngx_http_payer_lookup_t, queue);
        other->call = NULL;

        ngx_http_payer_flow_wake(other->ctx);
    }

    ngx_http_payer_lookup_end(call);
}


/* where the absence of this order is noted, or would be */

static ngx_http_payer_lookup_absent_t *
ngx_http_payer_lookup_slot(ngx_http_payer_lookup_t *lookup, u_char *digest)
{
    ngx_str_t  texts[2];

    texts[0] = lookup->conf->uri;
    texts[1] = lookup->args;

    if (lookup->conf->headers.nelts
        || ngx_http_payer_digest(texts, 2, digest) != NGX_OK)
    {
        return NULL;
    }

    return &ngx_http_payer_lookup_absences[digest[0]
                                           % NGX_HTTP_PAYER_LOOKUP_SLOTS];
}


static ngx_uint_t
ngx_http_payer_lookup_known_absent(ngx_http_payer_lookup_t *lookup)
{
    u_char                           digest[NGX_HTTP_PAYER_DIGEST_LEN];
    ngx_http_payer_lookup_absent_t  *absent;

    if ((ngx_msec_int_t) (ngx_http_payer_lookup_last_absence
                          - ngx_current_msec)
        <= 0)
    {
        return 0;
    }

    absent = ngx_http_payer_lookup_slot(lookup, digest);

    return absent && absent->clcf == lookup->clcf
           && (ngx_msec_int_t) (absent->until - ngx_current_msec) > 0
           && ngx_memcmp(absent->digest, digest, NGX_HTTP_PAYER_DIGEST_LEN)
              == 0;
}


static void
ngx_http_payer_lookup_note_absent(ngx_http_payer_lookup_t *lookup)
{
    u_char                           digest[NGX_HTTP_PAYER_DIGEST_LEN];
    ngx_http_payer_lookup_absent_t  *absent;

    absent = ngx_http_payer_lookup_slot(lookup, digest);

    if (absent) {
        absent->clcf = lookup->clcf;
        absent->until = ngx_current_msec + NGX_HTTP_PAYER_LOOKUP_ABSENCE;
        ngx_http_payer_lookup_last_absence = absent->until;
        ngx_memcpy(absent->digest, digest, NGX_HTTP_PAYER_DIGEST_LEN);
    }
}
