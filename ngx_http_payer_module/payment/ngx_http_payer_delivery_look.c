
/*
 * The check before a notification of the type "paid": the shop would accept it
 * even if the payment or the order has changed in the meantime.
 *
 *     look -> record -> shop -> send or settle
 */


#include "ngx_http_payer_delivery.h"
#include "ngx_http_payer_ledger.h"
#include "ngx_http_payer_look.h"


static ngx_int_t ngx_http_payer_delivery_record(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_uint_t ngx_http_payer_delivery_undone(
    ngx_http_payer_delivery_t *delivery, ngx_http_payer_record_t *record);
static ngx_int_t ngx_http_payer_delivery_shop(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);


/* the types that cancel the effect of "paid" */

#define NGX_HTTP_PAYER_DELIVERY_UNDO                                         \
    (ngx_http_payer_notice_bit(NGX_HTTP_PAYER_NOTICE_RELEASED)               \
     | ngx_http_payer_notice_bit(NGX_HTTP_PAYER_NOTICE_REFUNDED)             \
     | ngx_http_payer_notice_bit(NGX_HTTP_PAYER_NOTICE_CANCELLED)            \
     | ngx_http_payer_notice_bit(NGX_HTTP_PAYER_NOTICE_EXPIRED))


ngx_int_t
ngx_http_payer_delivery_look(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_delivery_t  *delivery;

    delivery = ctx->data;

    if (delivery->notice.type != NGX_HTTP_PAYER_NOTICE_PAID) {
        ctx->step = ngx_http_payer_delivery_send;
        return NGX_OK;
    }

    ctx->step = ngx_http_payer_delivery_record;

    return ngx_http_payer_record_order_key(r->pool, &ctx->conf->merchant->id,
                                           &delivery->notice.reference,
                                           &ctx->key);
}


/* the state of the payment now */

static ngx_int_t
ngx_http_payer_delivery_record(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                   rc;
    ngx_http_payer_record_t     record;
    ngx_http_payer_delivery_t  *delivery;

    delivery = ctx->data;

    rc = ngx_http_payer_ledger_get(ctx, &ctx->key);

    if (rc == NGX_AGAIN || rc == NGX_ERROR) {
        return rc;
    }

    if (rc == NGX_OK
        && ngx_http_payer_record_decode(&ctx->io.value, &record) == NGX_OK
        && ngx_http_payer_delivery_undone(delivery, &record))
    {
        delivery->result = NGX_HTTP_PAYER_DELIVERY_CONFLICT;
        delivery->reason = "the payment was released, refunded or cancelled "
                           "since";

        ctx->step = ngx_http_payer_delivery_settle;
        return NGX_OK;
    }

    ctx->step = ngx_http_payer_delivery_shop;

    return NGX_OK;
}


/*
 * and the shop would not be notified of that; otherwise all are sent, in order
 */

static ngx_uint_t
ngx_http_payer_delivery_undone(ngx_http_payer_delivery_t *delivery,
    ngx_http_payer_record_t *record)
{
    ngx_str_t   *id;
    ngx_uint_t   told;

    id = &delivery->notice.payment_id;
    told = delivery->conf->notify_on & NGX_HTTP_PAYER_DELIVERY_UNDO;

    if (record->payment_id.len != id->len
        || ngx_memcmp(record->payment_id.data, id->data, id->len) != 0)
    {
        /* the order was sold again, so the payment has ended */

        return told == 0;
    }

    return !ngx_http_payer_state_paid(record->state)
           && (told & ngx_http_payer_notice_candidates(record)) == 0;
}


static ngx_int_t
ngx_http_payer_delivery_shop(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                   rc;
    ngx_http_payer_delivery_t  *delivery;

    delivery = ctx->data;

    rc = ngx_http_payer_look(ctx, &delivery->reason);

    switch (rc) {

    case NGX_OK:
        ctx->step = ngx_http_payer_delivery_send;
        return NGX_OK;

    case NGX_DONE:
        delivery->result = NGX_HTTP_PAYER_DELIVERY_KNOWN;
        break;

    case NGX_ABORT:
        delivery->result = NGX_HTTP_PAYER_DELIVERY_CONFLICT;
        break;

    case NGX_DECLINED:
        delivery->notice.attempts++;
        delivery->result = NGX_HTTP_PAYER_DELIVERY_FAILED;
        break;

    default: /* NGX_AGAIN, NGX_ERROR */
        return rc;
    }

    ctx->step = ngx_http_payer_delivery_settle;

    return NGX_OK;
}
