
/*
 * An attempt to tell the shop marks the order in the index by which staff find
 * what needs attention, in the transaction of its result: with what the other
 * notifications of the order are like, which it has seen, and with its own.
 */


#include "ngx_http_payer_delivery.h"
#include "ngx_http_payer_ledger.h"


static ngx_uint_t ngx_http_payer_delivery_marked(
    ngx_http_payer_delivery_t *delivery);


uint32_t
ngx_http_payer_delivery_attention(ngx_http_payer_notice_t *notice)
{
    switch (notice->state) {

    case NGX_HTTP_PAYER_NOTICE_CONFLICT:
        return NGX_HTTP_PAYER_ATTENTION_CONFLICT;

    case NGX_HTTP_PAYER_NOTICE_GIVEN_UP:
        return NGX_HTTP_PAYER_ATTENTION_OWED;

    case NGX_HTTP_PAYER_NOTICE_OWED:
        return notice->attempts ? NGX_HTTP_PAYER_ATTENTION_OWED : 0;

    default: /* NGX_HTTP_PAYER_NOTICE_TAKEN */
        return 0;
    }
}


/*
 * The order is written only when that may change something: after the first
 * attempt that failed, one that decided, and one that succeeded after others.
 */

ngx_int_t
ngx_http_payer_delivery_mark(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                   rc;
    ngx_http_payer_notice_t    *notice;
    ngx_http_payer_delivery_t  *delivery;

    delivery = ctx->data;
    notice = &delivery->notice;

    if (!ctx->asked) {

        if (ngx_http_payer_delivery_marked(delivery)) {
            ctx->step = ngx_http_payer_delivery_store;
            return NGX_OK;
        }

        if (ngx_http_payer_record_order_key(r->pool,
                                            &ctx->conf->merchant->id,
                                            &notice->reference,
                                            &delivery->order_key)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    rc = ngx_http_payer_ledger_get(ctx, &delivery->order_key);

    if (rc == NGX_AGAIN || rc == NGX_ERROR) {
        return rc;
    }

    if (rc == NGX_OK) {
        delivery->order = ctx->io.value;

    } else {
        ngx_str_null(&delivery->order);
    }

    ctx->step = ngx_http_payer_delivery_store;

    return NGX_OK;
}


/* whether the order is marked as it should be, as far as this one goes */

static ngx_uint_t
ngx_http_payer_delivery_marked(ngx_http_payer_delivery_t *delivery)
{
    ngx_uint_t                failed;
    ngx_http_payer_notice_t  *notice;

    notice = &delivery->notice;

    if (notice->state == NGX_HTTP_PAYER_NOTICE_OWED) {
        return notice->attempts > 1;
    }

    if (notice->state != NGX_HTTP_PAYER_NOTICE_TAKEN) {
        return 0;
    }

    failed = notice->attempts;

    if (delivery->result == NGX_HTTP_PAYER_DELIVERY_TAKEN) {
        failed--;
    }

    return failed == 0 && notice->round == 0;
}


/* the record stays as it is, and for as long as it was to stay */

void
ngx_http_payer_delivery_mark_entry(ngx_http_payer_delivery_t *delivery,
    ngx_http_payer_store_entry_t *entry)
{
    ngx_http_payer_notice_t  *notice;

    notice = &delivery->notice;

    ngx_memzero(entry, sizeof(ngx_http_payer_store_entry_t));

    entry->key = delivery->order_key;
    entry->value = delivery->order;
    entry->expires = 1;
    entry->merge = ngx_http_payer_record_touch;
    entry->describe = ngx_http_payer_record_mark;
    entry->label.attention = ngx_http_payer_delivery_attention(notice)
                             | delivery->others;
}
