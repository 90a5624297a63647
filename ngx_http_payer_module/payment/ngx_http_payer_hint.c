
/*
 * What an event means for an order that is known here.
 *
 *     find by payment id -> find by reference -> read -> record
 *                                                -> (capture)
 *     neither is known   -> read -> find by the reference that it names
 *                                -> adopt -> record -> (capture)
 *
 * Known of an event is its payment id, and whoever sends one may be late, so
 * nothing of it is believed but that it is worth to ask Payer.
 */


#include "ngx_http_payer_hint.h"
#include "ngx_http_payer_api.h"
#include "ngx_http_payer_auto_capture.h"
#include "ngx_http_payer_ledger.h"
#include "ngx_http_payer_log.h"
#include "ngx_http_payer_proof.h"
#include "ngx_http_payer_reading.h"


static ngx_int_t ngx_http_payer_hint_find(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_hint_t *hint);
static ngx_int_t ngx_http_payer_hint_find_order(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_hint_t *hint);
static ngx_int_t ngx_http_payer_hint_choose(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_hint_t *hint);
static ngx_int_t ngx_http_payer_hint_call(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_hint_t *hint, ngx_http_payer_hint_pt state);
static ngx_int_t ngx_http_payer_hint_ask(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_hint_t *hint);
static ngx_int_t ngx_http_payer_hint_named(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_hint_t *hint);
static ngx_int_t ngx_http_payer_hint_read(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_hint_t *hint);
static ngx_int_t ngx_http_payer_hint_asked(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_hint_t *hint);
static ngx_int_t ngx_http_payer_hint_take(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_hint_t *hint);
static ngx_uint_t ngx_http_payer_hint_adopts(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_hint_t *hint, ngx_http_payer_json_payment_t *payment);
static ngx_int_t ngx_http_payer_hint_recorded(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_hint_t *hint);
static ngx_int_t ngx_http_payer_hint_capture(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_hint_t *hint);
static ngx_int_t ngx_http_payer_hint_over(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_hint_t *hint);
static ngx_uint_t ngx_http_payer_hint_same(ngx_str_t *one, ngx_str_t *other);


ngx_int_t
ngx_http_payer_hint_follow(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_hint_t *hint)
{
    ngx_int_t  rc;

    if (hint->state == NULL) {
        hint->retry_after = -1;
        hint->state = ngx_http_payer_hint_find;
    }

    while (hint->state != ngx_http_payer_hint_over) {
        rc = hint->state(ctx, hint);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_payer_hint_known(ngx_http_payer_ctx_t *ctx)
{
    /* a payment of ours may outlive the record of its order */

    return ctx->found || ctx->reference.len;
}


static ngx_int_t
ngx_http_payer_hint_find(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_hint_t *hint)
{
    ngx_int_t  rc;

    if (hint->event.payment_id.len) {
        rc = ngx_http_payer_ledger_find_payment(ctx, &hint->event.payment_id);

        if (rc == NGX_ERROR) {
            hint->reason = "the store could not be read";
            return NGX_DECLINED;
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    hint->state = ctx->found ? ngx_http_payer_hint_choose
                             : ngx_http_payer_hint_find_order;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_hint_find_order(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_hint_t *hint)
{
    ngx_int_t  rc;

    if (hint->event.reference.len) {
        rc = ngx_http_payer_ledger_find(ctx, &hint->event.reference);

        if (rc == NGX_ERROR) {
            hint->reason = "the store could not be read";
            return NGX_DECLINED;
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (hint->event.guess) {

        /* no payment has this id, so it was that of something else */

        ngx_str_null(&hint->event.payment_id);
    }

    hint->state = ngx_http_payer_hint_choose;

    return NGX_OK;
}


/* which payment is to be read, if any */

static ngx_int_t
ngx_http_payer_hint_choose(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_hint_t *hint)
{
    ngx_str_t  *id, *known;

    id = &hint->event.payment_id;
    known = &ctx->record.payment_id;

    if (!ctx->found && id->len && ctx->reference.len == 0) {

        /*
         * An id that the store has never seen may be that of a payment whose
         * creation was not answered.  Payer knows of which order it is.
         */

        return ngx_http_payer_hint_call(ctx, hint, ngx_http_payer_hint_ask);
    }

    if (id->len == 0) {
        *id = *known;
    }

    if (!ctx->found || id->len == 0
        || (known->len && !ngx_http_payer_hint_same(known, id))
        || (known->len == 0 && ctx->reference.len))
    {
        /*
         * Of no order that is known here, or of an earlier payment of the
         * order, which does not touch it any more: an id that is in the store
         * was its payment once, and was replaced.
         */

        hint->state = ngx_http_payer_hint_over;
        return NGX_OK;
    }

    return ngx_http_payer_hint_call(ctx, hint, ngx_http_payer_hint_read);
}


static ngx_int_t
ngx_http_payer_hint_call(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_hint_t *hint, ngx_http_payer_hint_pt state)
{
    ngx_http_payer_call_t  *call;

    call = ngx_http_payer_api_call(ctx, NGX_HTTP_PAYER_CALL_READ,
                                   &hint->event.payment_id);
    if (call == NULL) {
        return NGX_ERROR;
    }

    call->read = ngx_http_payer_api_read_payment;
    call->result = &hint->payment;

    hint->state = state;

    return NGX_OK;
}


/* what Payer says of a payment that is not known here */

static ngx_int_t
ngx_http_payer_hint_ask(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_hint_t *hint)
{
    ngx_int_t               rc;
    ngx_http_payer_call_t  *call;

    call = ctx->call;
    call->expected = NGX_HTTP_NOT_FOUND;

    rc = ngx_http_payer_hint_asked(ctx, hint);

    if (rc == NGX_DECLINED && call->outcome == NGX_HTTP_PAYER_REFUSED
        && ngx_http_payer_api_heard(call))
    {
        /* it is no payment, or not one of this merchant's */

        hint->state = ngx_http_payer_hint_over;
        return NGX_OK;
    }

    if (rc != NGX_OK) {
        return rc;
    }

    hint->state = hint->payment.reference.len ? ngx_http_payer_hint_named
                                              : ngx_http_payer_hint_over;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_hint_named(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_hint_t *hint)
{
    ngx_int_t  rc;

    rc = ngx_http_payer_ledger_find(ctx, &hint->payment.reference);

    if (rc == NGX_ERROR) {
        hint->reason = "the store could not be read";
        return NGX_DECLINED;
    }

    if (rc != NGX_OK) {
        return rc;
    }

    hint->state = (ctx->found && ctx->record.payment_id.len == 0)
                  ? ngx_http_payer_hint_take : ngx_http_payer_hint_over;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_hint_read(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_hint_t *hint)
{
    ngx_int_t  rc;

    rc = ngx_http_payer_hint_asked(ctx, hint);

    if (rc == NGX_OK) {
        hint->state = ngx_http_payer_hint_take;
    }

    return rc;
}


/* the read itself: NGX_DECLINED when Payer has not told */

static ngx_int_t
ngx_http_payer_hint_asked(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_hint_t *hint)
{
    ngx_int_t               rc;
    ngx_http_payer_call_t  *call;

    call = ctx->call;

    rc = ngx_http_payer_api_run(call);
    if (rc != NGX_OK) {
        return rc;
    }

    if (call->outcome == NGX_HTTP_PAYER_DONE) {
        return NGX_OK;
    }

    hint->reason = call->reason;
    hint->retry_after = call->exchange.retry_after;

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_payer_hint_take(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_hint_t *hint)
{
    ngx_int_t                 rc;
    ngx_http_payer_verdict_e  verdict;

    hint->state = ngx_http_payer_hint_over;

    if (ctx->record.payment_id.len == 0
        && !ngx_http_payer_hint_adopts(ctx, hint, &hint->payment))
    {
        return NGX_OK;
    }

    rc = ngx_http_payer_reading_take(ctx, &hint->payment,
                                     NGX_HTTP_PAYER_BY_EVENT, &verdict);

    if (rc == NGX_DECLINED) {
        return NGX_OK;
    }

    hint->state = ngx_http_payer_hint_recorded;

    return rc == NGX_AGAIN ? NGX_AGAIN : NGX_OK;
}


/*
 * A payment that was found because the answer to its creation was lost becomes
 * the order's when it names the order and is paid as ordered, to the sum.
 */

static ngx_uint_t
ngx_http_payer_hint_adopts(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_hint_t *hint, ngx_http_payer_json_payment_t *payment)
{
    const char                *reason;
    ngx_http_payer_record_t    record;

    record = ctx->record;
    record.payment_id = hint->event.payment_id;

    reason = NULL;

    if (payment->reference.len
        && (payment->amount < 0 || payment->amount == record.amount)
        && ngx_http_payer_proof_bind(&record, payment, &reason)
           == NGX_HTTP_PAYER_UNDECIDED
        && ngx_http_payer_proof_weigh(&record, payment, &reason)
           == NGX_HTTP_PAYER_PAID)
    {
        ctx->record.payment_id = record.payment_id;
        return 1;
    }

    if (reason) {
        ngx_http_payer_log(NGX_LOG_ERR, ctx, "the reply to \"read\" %s",
                           reason);
    }

    return 0;
}


/* Payer's word is in the store, and what the store made of it counts */

static ngx_int_t
ngx_http_payer_hint_recorded(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_hint_t *hint)
{
    if (ngx_http_payer_reading_taken(ctx) != NGX_OK) {
        hint->reason = "the payment could not be stored";
        return NGX_DECLINED;
    }

    /* such as a cancelled order whose card was authorized all the same */

    ngx_http_payer_proof_silence(&ctx->record);

    hint->state = ngx_http_payer_hint_capture;

    return NGX_OK;
}


/* what comes of payer_auto_capture is its own affair, and the event's not */

static ngx_int_t
ngx_http_payer_hint_capture(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_hint_t *hint)
{
    if ((ctx->execution || ngx_http_payer_proof_paid(&ctx->record))
        && ngx_http_payer_auto_capture(ctx) == NGX_AGAIN)
    {
        return NGX_AGAIN;
    }

    hint->state = ngx_http_payer_hint_over;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_hint_over(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_hint_t *hint)
{
    return NGX_OK;
}


static ngx_uint_t
ngx_http_payer_hint_same(ngx_str_t *one, ngx_str_t *other)
{
    return one->len == other->len
           && (one->len == 0
               || ngx_memcmp(one->data, other->data, one->len) == 0);
}
