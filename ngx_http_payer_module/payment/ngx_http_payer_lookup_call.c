
/*
 * The call to the shop: one for simultaneous identical lookups.
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
    unsigned                     over:1;
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
    ngx_http_payer_lookup_call_t *call);
static ngx_int_t ngx_http_payer_lookup_keep(ngx_http_payer_lookup_t *lookup,
    ngx_http_payer_lookup_call_t *call);
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

    if (ngx_http_payer_flow_left(ctx) == 0) {
        ngx_http_payer_lookup_fail(lookup, "there is no time left");
        return NGX_OK;
    }

    if (ngx_http_payer_lookup_calls.next == NULL) {
        ngx_queue_init(&ngx_http_payer_lookup_calls);
    }

    call = ngx_http_payer_lookup_find(lookup);

    if (call) {
        lookup->call = call;
        ngx_queue_insert_tail(&call->waiting, &lookup->queue);

        return ngx_http_payer_flow_wait(ctx, ctx->conf->timeout);
    }

    if (ngx_http_payer_lookup_ncalls >= ctx->conf->lookup_inflight) {
        ngx_http_payer_lookup_fail(lookup, "the limit of "
                                   "\"payer_lookup_inflight\" is reached in "
                                   "this worker process");
        return NGX_OK;
    }

    return ngx_http_payer_lookup_start(ctx);
}


/* the same lookup in progress; one with a buyer's headers is not shared */

static ngx_http_payer_lookup_call_t *
ngx_http_payer_lookup_find(ngx_http_payer_lookup_t *lookup)
{
    ngx_queue_t                   *q;
    ngx_http_payer_lookup_call_t  *call;

    if (lookup->conf->headers.nelts) {
        return NULL;
    }

    for (q = ngx_queue_head(&ngx_http_payer_lookup_calls);
         q != ngx_queue_sentinel(&ngx_http_payer_lookup_calls);
         q = ngx_queue_next(q))
    {
        call = ngx_queue_data(q, ngx_http_payer_lookup_call_t, queue);

        if (call->first->conf->headers.nelts == 0
            && ngx_http_payer_lookup_same(call->first, lookup))
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


/* wakes all that wait; each reads the fields of its own location */

static void
ngx_http_payer_lookup_answered(ngx_http_payer_exchange_t *x)
{
    ngx_queue_t                   *q;
    ngx_http_payer_ctx_t          *ctx;
    ngx_http_payer_lookup_t       *lookup;
    ngx_http_payer_lookup_call_t  *call;

    call = x->data;

    if (call->over) {
        return;
    }

    ctx = call->first->ctx;

    ngx_http_payer_flow_exchanged(ctx);

    ngx_http_payer_count_exchange(ctx->conf->main->zone,
                                  NGX_HTTP_PAYER_COUNT_SHOP, x->time);

    if (x->complete
        && (x->status == NGX_HTTP_NOT_FOUND || x->status == 410))
    {
        ngx_http_payer_lookup_note_absent(call->first);
    }

    while (!ngx_queue_empty(&call->waiting)) {

        q = ngx_queue_head(&call->waiting);
        ngx_queue_remove(q);
        ngx_queue_init(q);

        lookup = ngx_queue_data(q, ngx_http_payer_lookup_t, queue);
        lookup->call = NULL;

        ctx = lookup->ctx;

        ngx_http_payer_lookup_told(lookup, call);

        if (lookup != call->first) {
            ngx_http_payer_flow_wake(ctx);
        }
    }

    ngx_http_payer_lookup_end(call);
}


/*
 * Whether the call ended only because of the first request, whose client has
 * gone or whose time is over: the others ask again.
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
    ngx_http_payer_lookup_call_t *call)
{
    ngx_http_payer_exchange_t  *x;

    x = &call->exchange;

    if (ngx_http_payer_lookup_given_up(lookup, x)) {
        return;
    }

    lookup->status = x->status ? x->status : x->failure;
    lookup->retry_after = x->retry_after;

    if (x->oversized) {
        ngx_http_payer_lookup_fail(lookup, "is above 256 KiB");

    } else if (x->status == 0) {
        ngx_http_payer_lookup_fail(lookup, "was not received");

    } else if (!x->complete) {
        ngx_http_payer_lookup_fail(lookup, "was cut off");

    } else if (x->encoded) {
        ngx_http_payer_lookup_fail(lookup, "is compressed; remove "
                                   "\"Accept-Encoding\" from "
                                   "\"proxy_set_header\" in the location");

    } else if (ngx_http_payer_lookup_keep(lookup, call) != NGX_OK
               || ngx_http_payer_lookup_read(lookup, (lookup == call->first)
                                                     ? NULL : call->first)
                  != NGX_OK)
    {
        ngx_http_payer_lookup_fail(lookup, "could not be read, since there "
                                   "was no memory");
    }
}


/* the reply is read again where another location asks the same */

static ngx_int_t
ngx_http_payer_lookup_keep(ngx_http_payer_lookup_t *lookup,
    ngx_http_payer_lookup_call_t *call)
{
    ngx_str_t  *reply;

    reply = &call->exchange.reply;

    if (lookup == call->first && reply->len) {
        lookup->reply = *reply;
        return NGX_OK;
    }

    lookup->reply.data = ngx_pnalloc(lookup->ctx->request->pool,
                                     ngx_max(reply->len, 1));
    if (lookup->reply.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(lookup->reply.data, reply->data, reply->len);
    lookup->reply.len = reply->len;

    return NGX_OK;
}


static void
ngx_http_payer_lookup_end(ngx_http_payer_lookup_call_t *call)
{
    call->over = 1;

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
