
/*
 * The call to the shop: one for identical lookups of one moment.
 */


#include "ngx_http_payer_lookup.h"
#include "ngx_http_payer_counter.h"
#include "ngx_http_payer_flow.h"


/* one subrequest, of the first request that asks, for all that ask the same */
struct ngx_http_payer_lookup_call_s {
    ngx_queue_t                  queue;         /* of the worker's calls */
    ngx_queue_t                  waiting;       /* lookups, the first's too */
    ngx_http_payer_lookup_t     *first;
    ngx_http_payer_exchange_t    exchange;
};


static ngx_http_payer_lookup_call_t *ngx_http_payer_lookup_find(
    ngx_http_payer_lookup_t *lookup);
static ngx_int_t ngx_http_payer_lookup_start(ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_lookup_headers(ngx_http_request_t *r,
    ngx_http_payer_lookup_conf_t *conf, ngx_http_payer_exchange_t *x);
static void ngx_http_payer_lookup_header_value(ngx_http_request_t *r,
    ngx_http_payer_field_t *field);
static void ngx_http_payer_lookup_answered(ngx_http_payer_exchange_t *x);
static ngx_uint_t ngx_http_payer_lookup_given_up(
    ngx_http_payer_lookup_t *lookup, ngx_http_payer_exchange_t *x);
static void ngx_http_payer_lookup_told(ngx_http_payer_lookup_t *lookup,
    ngx_http_payer_exchange_t *x);
static void ngx_http_payer_lookup_end(ngx_http_payer_lookup_call_t *call);


/* of this worker */

static ngx_queue_t  ngx_http_payer_lookup_calls;
static ngx_uint_t   ngx_http_payer_lookup_ncalls;


ngx_int_t
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
        ngx_queue_init(q);

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


/*
 * Whether the call ended for the first one alone, whose buyer has left or who
 * has no time left: the others ask anew.
 */

static ngx_uint_t
ngx_http_payer_lookup_given_up(ngx_http_payer_lookup_t *lookup,
    ngx_http_payer_exchange_t *x)
{
    ngx_http_payer_lookup_call_t  *call;

    call = x->data;

    if (lookup == call->first) {
        return 0;
    }

    if (x->failure == NGX_HTTP_CLIENT_CLOSED_REQUEST) {
        return 1;
    }

    return x->expired && !x->complete
           && ngx_http_payer_flow_left(lookup->ctx) > 0;
}


static void
ngx_http_payer_lookup_told(ngx_http_payer_lookup_t *lookup,
    ngx_http_payer_exchange_t *x)
{
    ngx_http_request_t  *r;

    r = lookup->ctx->request;

    if (ngx_http_payer_lookup_given_up(lookup, x)) {
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


void
ngx_http_payer_lookup_leave(ngx_http_payer_lookup_t *lookup)
{
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
        ngx_queue_init(q);

        other = ngx_queue_data(q, ngx_http_payer_lookup_t, queue);
        other->call = NULL;

        ngx_http_payer_flow_wake(other->ctx);
    }

    ngx_http_payer_lookup_end(call);
}
