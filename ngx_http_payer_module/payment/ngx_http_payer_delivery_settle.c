
/*
 * Stores and logs the result of an attempt to send a notification.
 *
 *     settle -> mark -> store -> stored (-> mark -> store -> stored)
 */


#include "ngx_http_payer_delivery.h"
#include "ngx_http_payer_counter.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_log.h"


static ngx_int_t ngx_http_payer_delivery_entries(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_delivery_t *delivery,
    ngx_http_payer_store_entry_t *entries, ngx_uint_t *n);
static void ngx_http_payer_delivery_later(
    ngx_http_payer_delivery_t *delivery);
static ngx_int_t ngx_http_payer_delivery_stored(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static void ngx_http_payer_delivery_log(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_delivery_t *delivery);


/* an accepted notification is kept as long as an unpaid order */

#define NGX_HTTP_PAYER_KEEP_TOLD  (62 * 86400)

/* the order, the entry, its new key, and the next entry */

#define NGX_HTTP_PAYER_DELIVERY_ENTRIES  4

/* an order that changes each time is marked at the next attempt */

#define NGX_HTTP_PAYER_DELIVERY_MARKS    5


ngx_int_t
ngx_http_payer_delivery_settle(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_delivery_t  *delivery;

    delivery = ctx->data;

    switch (delivery->result) {

    case NGX_HTTP_PAYER_DELIVERY_TAKEN:
    case NGX_HTTP_PAYER_DELIVERY_KNOWN:
        delivery->notice.state = NGX_HTTP_PAYER_NOTICE_TAKEN;
        delivery->notice.due = 0;
        break;

    case NGX_HTTP_PAYER_DELIVERY_CONFLICT:
        delivery->notice.state = NGX_HTTP_PAYER_NOTICE_CONFLICT;
        delivery->notice.reason.data = (u_char *) delivery->reason;
        delivery->notice.reason.len = ngx_strlen(delivery->reason);
        delivery->notice.due = 0;
        break;

    default: /* NGX_HTTP_PAYER_DELIVERY_FAILED */
        ngx_http_payer_delivery_later(delivery);
        break;
    }

    ctx->step = ngx_http_payer_delivery_mark;

    return NGX_OK;
}


/* first the order, as put() tells of the first entry whether it was kept */

ngx_int_t
ngx_http_payer_delivery_store(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_uint_t                     n;
    ngx_http_payer_delivery_t     *delivery;
    ngx_http_payer_store_entry_t   entries[NGX_HTTP_PAYER_DELIVERY_ENTRIES];

    delivery = ctx->data;
    n = 0;

    if (delivery->order.len) {
        ngx_http_payer_delivery_mark_entry(delivery, &entries[n++]);
        delivery->marks++;

    } else if (delivery->settled) {
        return NGX_DONE;
    }

    if (!delivery->settled
        && ngx_http_payer_delivery_entries(ctx, delivery, entries, &n)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ctx->step = ngx_http_payer_delivery_stored;

    return ngx_http_payer_flow_put(ctx, entries, n) == NGX_AGAIN ? NGX_AGAIN
                                                                : NGX_OK;
}


/* the last attempt is made at the end of the time, not before */

static void
ngx_http_payer_delivery_later(ngx_http_payer_delivery_t *delivery)
{
    time_t                      now, end;
    ngx_http_payer_notice_t    *notice;
    ngx_http_payer_loc_conf_t  *conf;

    now = ngx_time();
    notice = &delivery->notice;
    conf = delivery->conf;

    end = notice->since + conf->notify_limit;

    if (now >= end) {
        notice->state = NGX_HTTP_PAYER_NOTICE_GIVEN_UP;
        notice->due = 0;

        ngx_str_set(&notice->reason, "the shop did not accept it in time");

        delivery->result = NGX_HTTP_PAYER_DELIVERY_GIVEN_UP;
        return;
    }

    notice->due = now + ngx_http_payer_notice_pause(notice->attempts,
                                                    conf->notify_interval,
                                                    conf->notify_max);
    notice->due = ngx_min(notice->due, end);
}


static ngx_int_t
ngx_http_payer_delivery_entries(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_delivery_t *delivery,
    ngx_http_payer_store_entry_t *entries, ngx_uint_t *n)
{
    ngx_pool_t               *pool;
    ngx_uint_t                i;
    ngx_http_payer_notice_t  *notice;

    pool = ctx->request->pool;
    notice = &delivery->notice;

    i = *n;

    ngx_memzero(&entries[i], (NGX_HTTP_PAYER_DELIVERY_ENTRIES - i)
                             * sizeof(ngx_http_payer_store_entry_t));

    entries[i].key = delivery->key;

    if (notice->state == NGX_HTTP_PAYER_NOTICE_TAKEN) {

        entries[i].merge = ngx_http_payer_notice_forget;
        i++;

        if (ngx_http_payer_notice_told_key(pool, &delivery->key,
                                           &entries[i].key)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        entries[i].expires = ngx_time() + NGX_HTTP_PAYER_KEEP_TOLD;

    } else {
        entries[i].merge = ngx_http_payer_notice_settle;
    }

    if (ngx_http_payer_notice_entry(pool, notice, &entries[i]) != NGX_OK) {
        return NGX_ERROR;
    }

    i++;

    if (notice->state != NGX_HTTP_PAYER_NOTICE_OWED && delivery->next_key.len)
    {
        /* the next one, which waited for it, is due */

        delivery->next.due = ngx_time();
        delivery->more = 1;

        entries[i].key = delivery->next_key;
        entries[i].merge = ngx_http_payer_notice_settle;

        if (ngx_http_payer_notice_entry(pool, &delivery->next, &entries[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        i++;
    }

    *n = i;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_delivery_stored(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_delivery_t  *delivery;

    delivery = ctx->data;

    if (delivery->settled && ctx->io.rc != NGX_OK) {
        return NGX_DONE;
    }

    if (ctx->io.rc != NGX_OK) {

        /* it stays owed, and is sent again under its id */

        delivery->more = 0;

        ngx_http_payer_log(NGX_LOG_ERR, ctx,
                           "the result of the notification \"%V\" could not "
                           "be stored, it is sent again",
                           &delivery->text.type);
        return NGX_DONE;
    }

    if (!delivery->settled) {
        delivery->settled = 1;

        ngx_http_payer_count(ctx->conf->main->zone,
                             NGX_HTTP_PAYER_COUNT_NOTIFICATIONS,
                             delivery->notice.type, delivery->result);

        ngx_http_payer_delivery_log(ctx, delivery);
    }

    if (delivery->order.len == 0 || !ctx->io.kept
        || delivery->marks == NGX_HTTP_PAYER_DELIVERY_MARKS)
    {
        return NGX_DONE;
    }

    /* it became another record meanwhile, which is not marked yet */

    ctx->step = ngx_http_payer_delivery_mark;

    return NGX_OK;
}


static void
ngx_http_payer_delivery_log(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_delivery_t *delivery)
{
    ngx_str_t                *type;
    ngx_http_payer_notice_t  *notice;

    notice = &delivery->notice;
    type = ngx_http_payer_notice_type(notice->type);

    switch (delivery->result) {

    case NGX_HTTP_PAYER_DELIVERY_TAKEN:
        ngx_http_payer_log(NGX_LOG_NOTICE, ctx,
                           "the shop accepted the notification \"%V\", "
                           "attempt %ui", type, notice->attempts);
        break;

    case NGX_HTTP_PAYER_DELIVERY_KNOWN:
        ngx_http_payer_log(NGX_LOG_NOTICE, ctx,
                           "the notification \"%V\" was not sent, the order "
                           "is already paid in the shop", type);
        break;

    case NGX_HTTP_PAYER_DELIVERY_CONFLICT:
        ngx_http_payer_log(NGX_LOG_ERR, ctx,
                           "the notification \"%V\" was not sent: %V", type,
                           &notice->reason);
        break;

    case NGX_HTTP_PAYER_DELIVERY_GIVEN_UP:
        ngx_http_payer_log(NGX_LOG_ERR, ctx,
                           "the notification \"%V\" is not sent again after "
                           "%ui attempt%s, the shop returned status %ui",
                           type, notice->attempts,
                           notice->attempts == 1 ? "" : "s", notice->status);
        break;

    default: /* NGX_HTTP_PAYER_DELIVERY_FAILED */
        ngx_http_payer_log(NGX_LOG_WARN, ctx,
                           "the shop did not accept the notification \"%V\", "
                           "attempt %ui, status %ui%s, the next attempt is in "
                           "%T s", type, notice->attempts, notice->status,
                           delivery->reason ? delivery->reason : "",
                           notice->due - ngx_time());
        break;
    }
}
