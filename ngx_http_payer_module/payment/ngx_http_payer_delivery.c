
/*
 * One attempt to send a notification:
 *
 *     begin -> (look) -> send -> answered -> settle -> stored
 *
 * The entry is leased, so that it is delivered only here; and an entry is sent
 * only if no earlier one of the same order is still owed.
 */


#include "ngx_http_payer_delivery.h"
#include "ngx_http_payer_counter.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_ledger.h"
#include "ngx_http_payer_log.h"


static ngx_int_t ngx_http_payer_delivery_begin(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static void ngx_http_payer_delivery_page(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_delivery_t *delivery);
static void ngx_http_payer_delivery_beside(
    ngx_http_payer_delivery_t *delivery, ngx_str_t *key,
    ngx_http_payer_notice_t *other);
static ngx_int_t ngx_http_payer_delivery_speak(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_delivery_t *delivery);
static ngx_int_t ngx_http_payer_delivery_wait(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_delivery_t *delivery);
static ngx_int_t ngx_http_payer_delivery_waiting(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static void ngx_http_payer_delivery_fields(
    ngx_http_payer_delivery_t *delivery);
static void ngx_http_payer_delivery_replied(ngx_http_payer_exchange_t *x);
static ngx_int_t ngx_http_payer_delivery_answered(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static void ngx_http_payer_delivery_over(void *data, ngx_int_t rc);


#define NGX_HTTP_PAYER_DELIVERY_POOL  4096
#define NGX_HTTP_PAYER_DELIVERY_PAGE  100


ngx_int_t
ngx_http_payer_deliver(ngx_http_payer_main_conf_t *pmcf, ngx_str_t *key,
    ngx_str_t *value)
{
    ngx_int_t                     rc;
    ngx_str_t                     copy;
    ngx_pool_t                   *pool;
    ngx_http_payer_notice_t       notice;
    ngx_http_payer_delivery_t    *delivery;
    ngx_http_payer_background_t   work;

    ngx_memzero(&work, sizeof(ngx_http_payer_background_t));

    if (ngx_http_payer_notice_decode(value, &notice) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "payer: the notification \"%V\" is damaged or of a "
                      "newer version", key);
        return NGX_DECLINED;
    }

    work.conf = ngx_http_payer_notify_place(pmcf, &notice.server, &notice.uri);

    if (work.conf == NULL) {
        return ngx_http_payer_notify_absent(pmcf, key, &notice);
    }

    pool = ngx_create_pool(NGX_HTTP_PAYER_DELIVERY_POOL, ngx_cycle->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    delivery = ngx_pcalloc(pool, sizeof(ngx_http_payer_delivery_t));
    if (delivery == NULL) {
        goto failed;
    }

    delivery->pool = pool;
    delivery->conf = work.conf;

    delivery->key.len = key->len;
    delivery->key.data = ngx_pstrdup(pool, key);

    copy.len = value->len;
    copy.data = ngx_pstrdup(pool, value);

    if (delivery->key.data == NULL || copy.data == NULL
        || ngx_http_payer_notice_decode(&copy, &delivery->notice) != NGX_OK)
    {
        goto failed;
    }

    work.name = "payer_notify";
    work.host = ngx_http_payer_notify_host(work.conf);
    work.step = ngx_http_payer_delivery_begin;
    work.data = delivery;
    work.over = ngx_http_payer_delivery_over;

    rc = ngx_http_payer_background_start(&work);

    if (rc != NGX_OK) {
        ngx_destroy_pool(pool);
    }

    return (rc == NGX_DECLINED) ? NGX_BUSY : rc;

failed:

    ngx_destroy_pool(pool);

    return NGX_ERROR;
}


static void
ngx_http_payer_delivery_over(void *data, ngx_int_t rc)
{
    time_t                      again;
    ngx_uint_t                  failed, more;
    ngx_http_payer_delivery_t  *delivery;
    ngx_http_payer_loc_conf_t  *conf;

    delivery = data;

    conf = delivery->conf;
    more = delivery->more;
    again = delivery->waits ? delivery->wait_until : 0;

    failed = rc != NGX_DONE
             || delivery->result == NGX_HTTP_PAYER_DELIVERY_FAILED
             || delivery->result == NGX_HTTP_PAYER_DELIVERY_GIVEN_UP;

    ngx_destroy_pool(delivery->pool);

    ngx_http_payer_notify_delivered(conf, failed, more, again);
}


/* all that is owed for the order, in pages */

static ngx_int_t
ngx_http_payer_delivery_begin(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                   rc;
    ngx_str_t                   prefix;
    ngx_http_payer_store_t     *store;
    ngx_http_payer_delivery_t  *delivery;

    delivery = ctx->data;
    delivery->ctx = ctx;

    store = ctx->conf->main->store;

    if (ngx_http_payer_delivery_speak(ctx, delivery) != NGX_OK
        || ngx_http_payer_notice_prefix(r->pool, &ctx->conf->merchant->id,
                                        &delivery->notice.reference, &prefix)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    for ( ;; ) {

        if (ctx->asked) {
            ctx->asked = 0;
            rc = ctx->io.rc;

        } else {
            rc = store->ops->scan(store, &prefix, &delivery->scanned,
                                  NGX_HTTP_PAYER_DELIVERY_PAGE, &ctx->io);

            if (rc == NGX_AGAIN) {
                ctx->asked = 1;
                return NGX_AGAIN;
            }
        }

        if (rc == NGX_DECLINED) {
            break;
        }

        if (rc != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_http_payer_delivery_page(ctx, delivery);

        if (ctx->io.nitems < NGX_HTTP_PAYER_DELIVERY_PAGE) {
            break;
        }
    }

    if (!delivery->found
        || delivery->notice.state != NGX_HTTP_PAYER_NOTICE_OWED)
    {
        /* another one was faster, after a lease had expired */

        return NGX_DONE;
    }

    if (delivery->waits) {
        return ngx_http_payer_delivery_wait(ctx, delivery);
    }

    ctx->step = ngx_http_payer_delivery_look;

    return NGX_OK;
}


static void
ngx_http_payer_delivery_page(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_delivery_t *delivery)
{
    ngx_str_t                key;
    ngx_uint_t               i;
    ngx_http_payer_item_t   *item;
    ngx_http_payer_notice_t  other;

    item = ctx->io.items;

    for (i = 0; i < ctx->io.nitems; i++) {

        key = item[i].key;

        if (i + 1 == ctx->io.nitems) {
            delivery->scanned = key;
        }

        if (ngx_http_payer_notice_decode(&item[i].value, &other) != NGX_OK) {
            continue;
        }

        if (key.len == delivery->key.len
            && ngx_memcmp(key.data, delivery->key.data, key.len) == 0)
        {
            /* as it is now; one that was taken is not here any more */

            delivery->found = 1;
            delivery->notice.state = other.state;
            delivery->notice.round = other.round;
            delivery->notice.attempts = other.attempts;
            continue;
        }

        /*
         * the reference of another order may begin with this one and a slash
         */

        if (other.reference.len != delivery->notice.reference.len
            || ngx_memcmp(other.reference.data,
                          delivery->notice.reference.data,
                          other.reference.len)
               != 0)
        {
            continue;
        }

        delivery->others |= ngx_http_payer_delivery_attention(&other);

        if (other.state == NGX_HTTP_PAYER_NOTICE_OWED) {
            ngx_http_payer_delivery_beside(delivery, &key, &other);
        }
    }
}


/* another one of the order that is owed */

static void
ngx_http_payer_delivery_beside(ngx_http_payer_delivery_t *delivery,
    ngx_str_t *key, ngx_http_payer_notice_t *other)
{
    if (ngx_http_payer_notice_before(other, &delivery->notice)) {
        delivery->waits = 1;
        delivery->wait_until = ngx_max(delivery->wait_until, other->due);
        return;
    }

    if (delivery->next_key.len == 0
        || ngx_http_payer_notice_before(other, &delivery->next))
    {
        delivery->next_key = *key;
        delivery->next = *other;
    }
}


/* what variables and log lines show */

static ngx_int_t
ngx_http_payer_delivery_speak(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_delivery_t *delivery)
{
    ngx_http_payer_notice_t  *notice;
    ngx_http_payer_record_t  *record;

    notice = &delivery->notice;
    record = &ctx->record;

    record->reference = notice->reference;
    record->payment_id = notice->payment_id;
    record->currency = notice->currency;
    record->amount = notice->amount;
    record->authorized = notice->authorized;
    record->captured = notice->captured;
    record->refunded = notice->refunded;
    record->state = notice->payment;
    record->notify = notice->uri;
    record->lookup = notice->lookup;
    record->server = notice->server;

    ctx->order.reference = notice->reference;
    ctx->order.amount = notice->amount;
    ctx->order.currency = notice->currency;

    return NGX_OK;
}


/*
 * It is sent when the one before it is accepted, whose delivery then sets the
 * time again.
 */

static ngx_int_t
ngx_http_payer_delivery_wait(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_delivery_t *delivery)
{
    time_t                        soon;
    ngx_http_payer_store_entry_t  entry;

    soon = ngx_time() + 1;

    delivery->wait_until = ngx_max(delivery->wait_until, soon);
    delivery->notice.due = delivery->wait_until;

    ngx_memzero(&entry, sizeof(ngx_http_payer_store_entry_t));

    entry.key = delivery->key;
    entry.merge = ngx_http_payer_notice_settle;

    if (ngx_http_payer_notice_entry(ctx->request->pool, &delivery->notice,
                                    &entry)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ctx->step = ngx_http_payer_delivery_waiting;

    return ngx_http_payer_flow_put(ctx, &entry, 1) == NGX_AGAIN ? NGX_AGAIN
                                                               : NGX_OK;
}


static ngx_int_t
ngx_http_payer_delivery_waiting(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    return NGX_DONE;
}


ngx_int_t
ngx_http_payer_delivery_send(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    u_char                     *p;
    ngx_str_t                  *uri;
    ngx_http_payer_exchange_t  *x;
    ngx_http_payer_delivery_t  *delivery;

    static ngx_str_t  post = ngx_string("POST");
    static ngx_str_t  json = ngx_string("application/json");

    delivery = ctx->data;
    delivery->notice.attempts++;

    x = &delivery->exchange;

    if (ngx_http_payer_notice_headers(r->pool, &delivery->notice,
                                      &delivery->text)
        != NGX_OK
        || ngx_http_payer_notice_sign(r->pool, delivery->conf->notify_keys,
                                      ngx_time(), &delivery->text)
           != NGX_OK
        || ngx_http_payer_notice_body(r->pool, &delivery->notice,
                                      &delivery->text, &x->body)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ctx->told = &delivery->text;
    ctx->record.status = delivery->text.status;

    ngx_http_payer_delivery_fields(delivery);

    uri = &delivery->notice.uri;
    p = ngx_strlchr(uri->data, uri->data + uri->len, '?');

    x->path = *uri;

    if (p) {
        x->path.len = p - uri->data;
        x->args.data = p + 1;
        x->args.len = uri->data + uri->len - (p + 1);
    }

    x->method = NGX_HTTP_POST;
    x->method_name = post;
    x->content_type = json;
    x->clcf = delivery->conf->notify_clcf;
    x->fields = delivery->fields;
    x->nfields = NGX_HTTP_PAYER_DELIVERY_FIELDS;
    x->handler = ngx_http_payer_delivery_replied;
    x->data = delivery;

    ctx->step = ngx_http_payer_delivery_answered;

    return ngx_http_payer_flow_exchange(ctx, NULL, x);
}


static void
ngx_http_payer_delivery_fields(ngx_http_payer_delivery_t *delivery)
{
    ngx_http_payer_field_t        *field;
    ngx_http_payer_notice_text_t  *text;

    field = delivery->fields;
    text = &delivery->text;

    field[0].name = "X-Payer-Notify-Id";
    field[0].value = text->id;

    field[1].name = "X-Payer-Notify-Type";
    field[1].value = text->type;

    field[2].name = "X-Payer-Notify-Attempt";
    field[2].value = text->attempt;

    field[3].name = "X-Payer-Reference";
    field[3].value = text->reference;

    field[4].name = "X-Payer-Payment-Id";
    field[4].value = text->payment_id;

    field[5].name = "X-Payer-Status";
    field[5].value = text->status;

    field[6].name = "X-Payer-Amount";
    field[6].value = text->amount;

    field[7].name = "X-Payer-Currency";
    field[7].value = text->currency;

    field[8].name = "Payer-Signature";
    field[8].value = text->signature;
}


static void
ngx_http_payer_delivery_replied(ngx_http_payer_exchange_t *x)
{
    ngx_http_payer_delivery_t  *delivery;

    delivery = x->data;

    ngx_http_payer_flow_exchanged(delivery->ctx);
}


static ngx_int_t
ngx_http_payer_delivery_answered(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_exchange_t  *x;
    ngx_http_payer_delivery_t  *delivery;

    delivery = ctx->data;
    x = &delivery->exchange;

    delivery->notice.status = x->status ? x->status : x->failure;

    delivery->result = ngx_http_payer_notify_accepted(
                                            delivery->conf->notify_accept,
                                            r->pool, x)
                       ? NGX_HTTP_PAYER_DELIVERY_TAKEN
                       : NGX_HTTP_PAYER_DELIVERY_FAILED;

    ctx->step = ngx_http_payer_delivery_settle;

    return NGX_OK;
}
