
/*
 * GET order: one order with its history.
 *
 *     find -> noted -> operations of each payment -> notifications, those
 *     that are owed or kept and those that were taken -> answer
 */


#include "ngx_http_payer_office.h"
#include "ngx_http_payer_answer_reply.h"
#include "ngx_http_payer_auto_capture.h"
#include "ngx_http_payer_ledger.h"
#include "ngx_http_payer_notice.h"
#include "ngx_http_payer_op.h"


typedef struct {
    ngx_str_t        reference;
    ngx_str_t        prefix;            /* of keys */
    ngx_array_t      events;            /* ..._history_t */
    ngx_array_t      payments;          /* ngx_str_t, their ids */
    ngx_uint_t       payment;           /* the one whose turn it is */
    ngx_uint_t       told;              /* those that were taken are next */
    uint32_t         attention;         /* why somebody should look at it */
} ngx_http_payer_office_case_t;


static ngx_int_t ngx_http_payer_office_find(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_office_noted(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_office_operations(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_office_operation(
    ngx_http_payer_office_case_t *c, ngx_http_payer_item_t *item);
static ngx_int_t ngx_http_payer_office_add_payment(
    ngx_http_payer_office_case_t *c, ngx_str_t *id);
static ngx_int_t ngx_http_payer_office_notices(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_office_notice(ngx_http_payer_office_case_t *c,
    ngx_http_payer_item_t *item);
static ngx_int_t ngx_http_payer_office_unreadable(ngx_http_request_t *r);
static ngx_int_t ngx_http_payer_office_answer(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static void ngx_http_payer_office_event(ngx_http_payer_json_out_t *out,
    ngx_http_payer_history_t *event);
static ngx_int_t ngx_http_payer_office_earlier(const void *one,
    const void *two);


#define NGX_HTTP_PAYER_OFFICE_PAYMENTS  20      /* of one order */

/* limits the time for sorting in the worker process */

#define NGX_HTTP_PAYER_OFFICE_EVENTS    600


ngx_int_t
ngx_http_payer_office_order(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                       rc;
    const char                     *reason;
    ngx_http_payer_office_case_t   *c;
    ngx_http_payer_office_query_t   query;

    rc = ngx_http_payer_office_query(r, &query, &reason);

    if (rc == NGX_OK && query.reference.len == 0) {
        reason = "reference is needed";
        rc = NGX_DECLINED;
    }

    if (rc == NGX_DECLINED) {
        return ngx_http_payer_answer_refuse(r, NGX_HTTP_BAD_REQUEST, reason);
    }

    c = ngx_pcalloc(r->pool, sizeof(ngx_http_payer_office_case_t));

    if (rc != NGX_OK || c == NULL
        || ngx_http_payer_record_order_key(r->pool, &ctx->conf->merchant->id,
                                           &query.reference, &ctx->key)
           != NGX_OK
        || ngx_array_init(&c->events, r->pool, 16,
                          sizeof(ngx_http_payer_history_t))
           != NGX_OK
        || ngx_array_init(&c->payments, r->pool, 4, sizeof(ngx_str_t))
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    c->reference = query.reference;

    ctx->data = c;
    ctx->step = ngx_http_payer_office_find;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_office_find(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                      rc;
    ngx_str_t                      none;
    ngx_http_payer_item_t         *item;
    ngx_http_payer_record_t       *record;
    ngx_http_payer_history_t      *event;
    ngx_http_payer_office_case_t  *c;

    c = ctx->data;
    record = &ctx->record;

    /* with its label, which a get() does not tell; the first of the keys that
     * begin with a key is that */

    ngx_str_null(&none);

    rc = ngx_http_payer_office_scan(ctx, &ctx->key, &none, 1);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    item = ctx->io.items;

    if (rc == NGX_ERROR
        || (rc == NGX_OK && item->key.len == ctx->key.len
            && ngx_http_payer_record_decode(&item->value, record) != NGX_OK))
    {
        return ngx_http_payer_office_unreadable(r);
    }

    if (rc == NGX_DECLINED || item->key.len != ctx->key.len) {
        return ngx_http_payer_answer_refuse(r, NGX_HTTP_NOT_FOUND,
                                      "no order of this reference is known");
    }

    c->attention = ngx_http_payer_record_attention(record, &item->label,
                                        ngx_http_payer_auto_age(ctx->conf));

    event = ngx_array_push(&c->events);

    if (event == NULL
        || ngx_http_payer_office_add_payment(c, &record->payment_id) != NGX_OK
        || ngx_http_payer_history_prefix(r->pool, &ctx->conf->merchant->id,
                                         &c->reference, &c->prefix)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(event, sizeof(ngx_http_payer_history_t));

    ngx_str_set(&event->what, "link");

    if (record->payment_id.len) {
        ngx_str_set(&event->result, "created");

    } else {
        ngx_str_set(&event->result, "unknown");
    }

    event->at = record->created;
    event->amount = record->amount;
    event->request_id = record->request_id;
    event->payment_id = record->payment_id;

    ctx->step = ngx_http_payer_office_noted;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_office_add_payment(ngx_http_payer_office_case_t *c,
    ngx_str_t *id)
{
    ngx_str_t   *known;
    ngx_uint_t   i;

    known = c->payments.elts;

    for (i = 0; i < c->payments.nelts; i++) {
        if (known[i].len == id->len
            && ngx_memcmp(known[i].data, id->data, id->len) == 0)
        {
            return NGX_OK;
        }
    }

    if (id->len == 0 || i == NGX_HTTP_PAYER_OFFICE_PAYMENTS) {
        return NGX_OK;
    }

    known = ngx_array_push(&c->payments);
    if (known == NULL) {
        return NGX_ERROR;
    }

    *known = *id;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_office_noted(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                      rc;
    ngx_str_t                      none;
    ngx_uint_t                     i;
    ngx_http_payer_history_t      *event;
    ngx_http_payer_office_case_t  *c;

    c = ctx->data;

    ngx_str_null(&none);

    rc = ngx_http_payer_office_scan(ctx, &c->prefix, &none,
                                    NGX_HTTP_PAYER_STORE_MAX_ITEMS);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc == NGX_ERROR) {
        return ngx_http_payer_office_unreadable(r);
    }

    for (i = 0; rc == NGX_OK && i < ctx->io.nitems; i++) {

        if (c->events.nelts == NGX_HTTP_PAYER_OFFICE_EVENTS / 2) {
            break;
        }

        event = ngx_array_push(&c->events);
        if (event == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (ngx_http_payer_history_decode(&ctx->io.items[i].value, event)
            != NGX_OK)
        {
            c->events.nelts--;
            continue;
        }

        if (ngx_http_payer_office_add_payment(c, &event->payment_id)
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    ctx->step = ngx_http_payer_office_operations;

    return NGX_OK;
}


/* of one payment after the other: operation/MERCHANT/PAYMENT-ID/ */

static ngx_int_t
ngx_http_payer_office_operations(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                      rc;
    ngx_str_t                      none, *ids, *merchant;
    ngx_uint_t                     i;
    ngx_http_payer_office_case_t  *c;

    c = ctx->data;

    if (c->payment == c->payments.nelts) {
        ctx->step = ngx_http_payer_office_notices;

        return ngx_http_payer_notice_prefix(r->pool,
                                            &ctx->conf->merchant->id,
                                            &c->reference, &c->prefix)
               == NGX_OK ? NGX_OK : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_str_null(&none);

    if (!ctx->asked) {
        ids = c->payments.elts;
        merchant = &ctx->conf->merchant->id;

        c->prefix.data = ngx_pnalloc(r->pool, sizeof("operation///") - 1
                                              + merchant->len
                                              + ids[c->payment].len);
        if (c->prefix.data == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        c->prefix.len = ngx_sprintf(c->prefix.data, "operation/%V/%V/",
                                    merchant, &ids[c->payment])
                        - c->prefix.data;
    }

    rc = ngx_http_payer_office_scan(ctx, &c->prefix, &none,
                                    NGX_HTTP_PAYER_STORE_MAX_ITEMS);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc == NGX_ERROR) {
        return ngx_http_payer_office_unreadable(r);
    }

    for (i = 0; rc == NGX_OK && i < ctx->io.nitems; i++) {
        if (ngx_http_payer_office_operation(c, &ctx->io.items[i]) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    c->payment++;

    return NGX_OK;
}


/* operation/MERCHANT/PAYMENT-ID/OPERATION/KEY */

static ngx_int_t
ngx_http_payer_office_operation(ngx_http_payer_office_case_t *c,
    ngx_http_payer_item_t *item)
{
    u_char                    *p, *last, *slash;
    ngx_str_t                 *ids;
    ngx_http_payer_op_t        op;
    ngx_http_payer_history_t  *event;

    p = item->key.data + c->prefix.len;
    last = item->key.data + item->key.len;

    slash = ngx_strlchr(p, last, '/');

    if (slash == NULL || c->events.nelts == NGX_HTTP_PAYER_OFFICE_EVENTS
        || ngx_http_payer_op_decode(&item->value, &op) != NGX_OK)
    {
        return NGX_OK;
    }

    event = ngx_array_push(&c->events);
    if (event == NULL) {
        return NGX_ERROR;
    }

    ids = c->payments.elts;

    ngx_memzero(event, sizeof(ngx_http_payer_history_t));

    event->at = op.created;
    event->amount = op.amount;
    event->what.data = p;
    event->what.len = slash - p;
    event->by = op.actor;
    event->reason = op.reason;
    event->request_id = op.request_id;
    event->payment_id = ids[c->payment];

    switch (op.state) {

    case NGX_HTTP_PAYER_OP_DONE:
        ngx_str_set(&event->result, "done");
        break;

    case NGX_HTTP_PAYER_OP_REFUSED:
        ngx_str_set(&event->result, "refused");
        break;

    case NGX_HTTP_PAYER_OP_UNKNOWN:
        ngx_str_set(&event->result, "unknown");
        break;

    default: /* NGX_HTTP_PAYER_OP_SENT */
        ngx_str_set(&event->result, "sent");
        break;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_office_notices(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                      rc;
    ngx_str_t                      none, owed;
    ngx_uint_t                     i;
    ngx_http_payer_office_case_t  *c;

    c = ctx->data;

    ngx_str_null(&none);

    rc = ngx_http_payer_office_scan(ctx, &c->prefix, &none,
                                    NGX_HTTP_PAYER_STORE_MAX_ITEMS);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc == NGX_ERROR) {
        return ngx_http_payer_office_unreadable(r);
    }

    for (i = 0; rc == NGX_OK && i < ctx->io.nitems; i++) {
        if (ngx_http_payer_office_notice(c, &ctx->io.items[i]) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (c->told++) {
        ctx->step = ngx_http_payer_office_answer;
        return NGX_OK;
    }

    owed = c->prefix;

    return ngx_http_payer_notice_told_key(r->pool, &owed, &c->prefix)
           == NGX_OK ? NGX_OK : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


static ngx_int_t
ngx_http_payer_office_notice(ngx_http_payer_office_case_t *c,
    ngx_http_payer_item_t *item)
{
    ngx_http_payer_notice_t    notice;
    ngx_http_payer_history_t  *event;

    if (c->events.nelts == NGX_HTTP_PAYER_OFFICE_EVENTS
        || ngx_http_payer_notice_decode(&item->value, &notice) != NGX_OK
        || notice.reference.len != c->reference.len
        || ngx_memcmp(notice.reference.data, c->reference.data,
                      c->reference.len)
           != 0)
    {
        return NGX_OK;
    }

    event = ngx_array_push(&c->events);
    if (event == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(event, sizeof(ngx_http_payer_history_t));

    ngx_str_set(&event->what, "notification");

    event->at = notice.created;
    event->amount = notice.amount;
    event->by = *ngx_http_payer_notice_type(notice.type);
    event->result = *ngx_http_payer_notice_state(notice.state);
    event->reason = notice.reason;
    event->request_id = notice.id;
    event->payment_id = notice.payment_id;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_office_unreadable(ngx_http_request_t *r)
{
    return ngx_http_payer_answer_refuse(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                        "the store could not be read");
}


static ngx_int_t
ngx_http_payer_office_answer(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_str_t                      text;
    ngx_uint_t                     i;
    ngx_http_payer_history_t      *events;
    ngx_http_payer_json_out_t      out;
    ngx_http_payer_office_case_t  *c;

    static ngx_str_t  json = ngx_string("application/json");

    c = ctx->data;
    events = c->events.elts;

    ngx_sort(events, c->events.nelts, sizeof(ngx_http_payer_history_t),
             ngx_http_payer_office_earlier);

    ngx_http_payer_json_out(&out, r->pool);

    ngx_http_payer_json_out_open(&out, '{');
    ngx_http_payer_office_json(&out, &ctx->record, c->attention);
    ngx_http_payer_json_out_name(&out, "history");
    ngx_http_payer_json_out_open(&out, '[');

    for (i = 0; i < c->events.nelts; i++) {
        ngx_http_payer_office_event(&out, &events[i]);
    }

    ngx_http_payer_json_out_close(&out, ']');
    ngx_http_payer_json_out_close(&out, '}');

    if (ngx_http_payer_json_out_end(&out, &text) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_payer_answer_body(r, NGX_HTTP_OK, &json, &text);
}


static void
ngx_http_payer_office_event(ngx_http_payer_json_out_t *out,
    ngx_http_payer_history_t *event)
{
    ngx_http_payer_json_out_open(out, '{');
    ngx_http_payer_json_out_time(out, "at", event->at);
    ngx_http_payer_json_out_str(out, "what", &event->what);
    ngx_http_payer_json_out_str(out, "by", &event->by);
    ngx_http_payer_json_out_number(out, "amount", event->amount);
    ngx_http_payer_json_out_str(out, "result", &event->result);
    ngx_http_payer_json_out_str(out, "requestId", &event->request_id);
    ngx_http_payer_json_out_str(out, "paymentId", &event->payment_id);
    ngx_http_payer_json_out_str(out, "reason", &event->reason);
    ngx_http_payer_json_out_close(out, '}');
}


static ngx_int_t
ngx_http_payer_office_earlier(const void *one, const void *two)
{
    const ngx_http_payer_history_t  *a, *b;

    a = one;
    b = two;

    return (a->at > b->at) - (a->at < b->at);
}
