
/*
 * The state of a known order for a checkout.
 *
 * An order paid with another amount is not paid, and neither is a refunded
 * one.  The current amount is that in the shop's response to this request.  A
 * signed link has the values at the time of its signature, so it does not
 * reopen an order that was cancelled, released or refunded, unless it expires
 * later than all links that were used before.
 */


#include "ngx_http_payer_worth.h"
#include "ngx_http_payer_keep.h"
#include "ngx_http_payer_log.h"
#include "ngx_http_payer_template.h"


static ngx_uint_t ngx_http_payer_worth_reopened(ngx_http_payer_ctx_t *ctx);


ngx_uint_t
ngx_http_payer_worth_told(ngx_http_payer_loc_conf_t *conf)
{
    return conf->signature == NULL && !conf->reference.open
           && ngx_http_payer_worth_made_of_headers(
                                               &conf->reference.value->value);
}


ngx_uint_t
ngx_http_payer_worth_made_of_headers(ngx_str_t *value)
{
    ngx_uint_t                 n;
    ngx_http_payer_template_t  t;

    static ngx_str_t  header = ngx_string("upstream_http_");

    n = 0;

    ngx_http_payer_template_init(&t, value);

    while (ngx_http_payer_template_next(&t) == NGX_OK) {

        if (t.name.len <= header.len
            || ngx_strncasecmp(t.name.data, header.data, header.len) != 0)
        {
            return 0;
        }

        n++;
    }

    return n != 0;
}


ngx_int_t
ngx_http_payer_worth_begin(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_ctx_t *gate)
{
    time_t                      expires;
    ngx_str_t                   text;
    ngx_http_payer_loc_conf_t  *conf;

    conf = ctx->conf;

    if (gate == NULL && conf->signature == NULL) {
        return NGX_OK;
    }

    if (gate && gate->verdict == NGX_HTTP_PAYER_UNPAID
        && gate->wanted
        && gate->order.reference.len == ctx->order.reference.len
        && ngx_memcmp(gate->order.reference.data, ctx->order.reference.data,
                      ctx->order.reference.len)
           == 0)
    {
        ctx->wanted = gate->wanted;
        ctx->wanted_currency = gate->wanted_currency;
    }

    if (conf->signature == NULL || conf->signature_expires == NULL) {
        return NGX_OK;
    }

    /* it was checked by ngx_http_payer_signature_verify() */

    if (ngx_http_complex_value(ctx->request, conf->signature_expires, &text)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    expires = ngx_atotm(text.data, text.len);

    ctx->signed_until = ngx_max(expires, 0);

    return NGX_OK;
}


ngx_http_payer_worth_e
ngx_http_payer_worth(ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_record_t  *record;

    record = &ctx->record;

    if (ngx_http_payer_state_paid(record->state)) {

        if (!ngx_http_payer_proof_covers(record, ctx->order.amount,
                                         &ctx->order.currency))
        {
            return NGX_HTTP_PAYER_WORTH_DIFFERS;
        }

        /* the page of payer_return_success must pass the request */

        if (ctx->wanted
            && !ngx_http_payer_proof_covers(record, ctx->wanted,
                                            &ctx->wanted_currency))
        {
            return NGX_HTTP_PAYER_WORTH_DIFFERS;
        }

        return (ctx->conf->told || ngx_http_payer_proof_wanted(record))
               ? NGX_HTTP_PAYER_WORTH_PAID : NGX_HTTP_PAYER_WORTH_DIFFERS;
    }

    if (!ngx_http_payer_worth_over(record)) {
        return NGX_HTTP_PAYER_WORTH_OPEN;
    }

    /* a link may be old; any other order is set by this request */

    return (ctx->conf->signature == NULL || ngx_http_payer_worth_reopened(ctx))
           ? NGX_HTTP_PAYER_WORTH_OPEN : NGX_HTTP_PAYER_WORTH_CANCELLED;
}


ngx_uint_t
ngx_http_payer_worth_over(ngx_http_payer_record_t *record)
{
    return record->closed || record->state == NGX_HTTP_PAYER_RELEASED
           || record->state == NGX_HTTP_PAYER_REFUNDED
           || record->state == NGX_HTTP_PAYER_ENDED;
}


/*
 * A link that was created to reopen the order, or expires later than all that
 * were used before.  If none was used, an old link cannot be distinguished
 * from a new one.
 */

static ngx_uint_t
ngx_http_payer_worth_reopened(ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_record_t  *record;

    record = &ctx->record;

    if (ctx->reopened.len && ctx->reopened.len == record->payment_id.len
        && ngx_memcmp(ctx->reopened.data, record->payment_id.data,
                      ctx->reopened.len)
           == 0)
    {
        return 1;
    }

    return record->signed_until && ctx->signed_until > record->signed_until;
}


ngx_uint_t
ngx_http_payer_worth_note(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_worth_e worth)
{
    ngx_uint_t                    news, same;
    ngx_http_payer_record_t      *record;
    ngx_http_payer_json_order_t  *order;

    order = &ctx->order;
    record = &ctx->record;
    news = 0;

    /* one that reopens the order is stored with the new payment */

    if (ctx->signed_until > record->signed_until
        && (worth == NGX_HTTP_PAYER_WORTH_CANCELLED
            || (!record->closed && record->state < NGX_HTTP_PAYER_RELEASED)))
    {
        record->signed_until = ctx->signed_until;
        news = 1;
    }

    if (!ctx->conf->told || !ngx_http_payer_state_paid(record->state)) {
        return news;
    }

    /* otherwise any client could block the page of a paid order */

    if (worth == NGX_HTTP_PAYER_WORTH_PAID) {

        if (!ngx_http_payer_proof_wanted(record)) {
            record->wanted = 0;
            ngx_memzero(record->wanted_currency, NGX_HTTP_PAYER_CURRENCY_LEN);
            record->words++;
            news = 1;
        }

        return news;
    }

    same = (record->wanted == order->amount
            && ngx_memcmp(record->wanted_currency, order->currency.data,
                          NGX_HTTP_PAYER_CURRENCY_LEN)
               == 0);

    if (!same) {
        record->wanted = order->amount;
        ngx_memcpy(record->wanted_currency, order->currency.data,
                   NGX_HTTP_PAYER_CURRENCY_LEN);
        record->words++;
        news = 1;
    }

    return news;
}


ngx_int_t
ngx_http_payer_worth_past(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_store_entry_t *entry)
{
    ngx_pool_t               *pool;
    ngx_http_payer_record_t  *record;

    record = &ctx->record;
    pool = ctx->request->pool;

    if (!ctx->found || record->payment_id.len == 0
        || (!record->closed && record->state < NGX_HTTP_PAYER_RELEASED))
    {
        return NGX_DECLINED;
    }

    ngx_memzero(entry, sizeof(ngx_http_payer_store_entry_t));

    if (ngx_http_payer_record_past_key(pool, &ctx->conf->merchant->id,
                                       &record->payment_id, &entry->key)
        != NGX_OK
        || ngx_http_payer_record_encode(pool, record, &entry->value) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* a payment for which money has moved is kept */

    entry->expires = ngx_http_payer_keep_past(ctx->conf, record);

    return NGX_OK;
}
