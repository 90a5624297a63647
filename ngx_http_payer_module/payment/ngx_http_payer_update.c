
/*
 * Updates an order after an event.
 *
 *     find by payment id -> find by reference -> read -> record
 *                                                -> (capture)
 *     neither is known   -> read -> find by the reference that it names
 *                                -> adopt -> record -> (capture)
 *
 * Only the payment id of an event is used, and it may be late: the payment is
 * read from Payer.
 */


#include "ngx_http_payer_update.h"
#include "ngx_http_payer_api.h"
#include "ngx_http_payer_auto_capture.h"
#include "ngx_http_payer_ledger.h"
#include "ngx_http_payer_log.h"
#include "ngx_http_payer_proof.h"
#include "ngx_http_payer_reading.h"


static ngx_int_t ngx_http_payer_update_find(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_update_t *update);
static ngx_int_t ngx_http_payer_update_find_order(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_update_t *update);
static ngx_int_t ngx_http_payer_update_choose(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_update_t *update);
static ngx_int_t ngx_http_payer_update_call(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_update_t *update, ngx_http_payer_update_pt state);
static ngx_int_t ngx_http_payer_update_ask(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_update_t *update);
static ngx_int_t ngx_http_payer_update_named(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_update_t *update);
static ngx_int_t ngx_http_payer_update_read(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_update_t *update);
static ngx_int_t ngx_http_payer_update_asked(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_update_t *update);
static ngx_int_t ngx_http_payer_update_take(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_update_t *update);
static ngx_uint_t ngx_http_payer_update_adopts(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_update_t *update, ngx_http_payer_json_payment_t *payment);
static ngx_int_t ngx_http_payer_update_recorded(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_update_t *update);
static ngx_int_t ngx_http_payer_update_capture(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_update_t *update);
static ngx_int_t ngx_http_payer_update_over(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_update_t *update);
static ngx_uint_t ngx_http_payer_update_same(ngx_str_t *one, ngx_str_t *other);


ngx_int_t
ngx_http_payer_update_follow(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_update_t *update)
{
    ngx_int_t  rc;

    if (update->state == NULL) {
        update->retry_after = -1;
        update->state = ngx_http_payer_update_find;
    }

    while (update->state != ngx_http_payer_update_over) {
        rc = update->state(ctx, update);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_payer_update_known(ngx_http_payer_ctx_t *ctx)
{
    /* a payment of ours may outlive the record of its order */

    return ctx->found || ctx->reference.len;
}


static ngx_int_t
ngx_http_payer_update_find(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_update_t *update)
{
    ngx_int_t  rc;

    if (update->event.payment_id.len) {
        rc = ngx_http_payer_ledger_find_payment(ctx,
                                                &update->event.payment_id);

        if (rc == NGX_ERROR) {
            update->reason = "the store could not be read";
            return NGX_DECLINED;
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    update->state = ctx->found ? ngx_http_payer_update_choose
                             : ngx_http_payer_update_find_order;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_update_find_order(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_update_t *update)
{
    ngx_int_t  rc;

    if (update->event.reference.len) {
        rc = ngx_http_payer_ledger_find(ctx, &update->event.reference);

        if (rc == NGX_ERROR) {
            update->reason = "the store could not be read";
            return NGX_DECLINED;
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (update->event.guess) {

        /* no payment has this id: it identifies something else */

        ngx_str_null(&update->event.payment_id);
    }

    update->state = ngx_http_payer_update_choose;

    return NGX_OK;
}


/* which payment is to be read, if any */

static ngx_int_t
ngx_http_payer_update_choose(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_update_t *update)
{
    ngx_str_t  *id, *known;

    id = &update->event.payment_id;
    known = &ctx->record.payment_id;

    if (!ctx->found && id->len && ctx->reference.len == 0) {

        /*
         * An unknown id may be that of a payment whose creation was not
         * answered.  A read shows its order.
         */

        return ngx_http_payer_update_call(ctx, update,
                                          ngx_http_payer_update_ask);
    }

    if (id->len == 0) {
        *id = *known;
    }

    if (!ctx->found || id->len == 0
        || (known->len && !ngx_http_payer_update_same(known, id))
        || (known->len == 0 && ctx->reference.len))
    {
        /*
         * Of an unknown order, or of an earlier payment of the order, which
         * does not affect it any more: an id in the store is that of a payment
         * which was replaced.
         */

        update->state = ngx_http_payer_update_over;
        return NGX_OK;
    }

    return ngx_http_payer_update_call(ctx, update, ngx_http_payer_update_read);
}


static ngx_int_t
ngx_http_payer_update_call(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_update_t *update, ngx_http_payer_update_pt state)
{
    ngx_http_payer_call_t  *call;

    call = ngx_http_payer_api_read_call(ctx, &update->event.payment_id,
                                        &update->payment, NULL);
    if (call == NULL) {
        return NGX_ERROR;
    }

    update->state = state;

    return NGX_OK;
}


/* the read of a payment that is not known here */

static ngx_int_t
ngx_http_payer_update_ask(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_update_t *update)
{
    ngx_int_t               rc;
    ngx_http_payer_call_t  *call;

    call = ctx->call;
    call->expected = NGX_HTTP_NOT_FOUND;

    rc = ngx_http_payer_update_asked(ctx, update);

    if (rc == NGX_DECLINED && call->outcome == NGX_HTTP_PAYER_REFUSED
        && ngx_http_payer_api_answered(call))
    {
        /* it is no payment, or not one of this merchant's */

        update->state = ngx_http_payer_update_over;
        return NGX_OK;
    }

    if (rc != NGX_OK) {
        return rc;
    }

    update->state = update->payment.reference.len ? ngx_http_payer_update_named
                                              : ngx_http_payer_update_over;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_update_named(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_update_t *update)
{
    ngx_int_t  rc;

    rc = ngx_http_payer_ledger_find(ctx, &update->payment.reference);

    if (rc == NGX_ERROR) {
        update->reason = "the store could not be read";
        return NGX_DECLINED;
    }

    if (rc != NGX_OK) {
        return rc;
    }

    update->state = (ctx->found && ctx->record.payment_id.len == 0)
                  ? ngx_http_payer_update_take : ngx_http_payer_update_over;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_update_read(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_update_t *update)
{
    ngx_int_t  rc;

    rc = ngx_http_payer_update_asked(ctx, update);

    if (rc == NGX_OK) {
        update->state = ngx_http_payer_update_take;
    }

    return rc;
}


/* the read itself: NGX_DECLINED if there is no valid reply */

static ngx_int_t
ngx_http_payer_update_asked(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_update_t *update)
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

    update->reason = call->reason;
    update->retry_after = call->exchange.retry_after;

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_payer_update_take(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_update_t *update)
{
    ngx_int_t                 rc;
    ngx_http_payer_verdict_e  verdict;

    update->state = ngx_http_payer_update_over;

    if (ctx->record.payment_id.len == 0
        && !ngx_http_payer_update_adopts(ctx, update, &update->payment))
    {
        return NGX_OK;
    }

    rc = ngx_http_payer_reading_take(ctx, &update->payment,
                                     NGX_HTTP_PAYER_BY_EVENT, &verdict);

    if (rc == NGX_DECLINED) {
        return NGX_OK;
    }

    update->state = ngx_http_payer_update_recorded;

    return rc == NGX_AGAIN ? NGX_AGAIN : NGX_OK;
}


/*
 * A payment whose creation was not answered becomes that of the order if it
 * has its reference, currency and exact amount.
 */

static ngx_uint_t
ngx_http_payer_update_adopts(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_update_t *update, ngx_http_payer_json_payment_t *payment)
{
    const char                *reason;
    ngx_http_payer_record_t    record;

    record = ctx->record;
    record.payment_id = update->event.payment_id;

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


/* Payer's status is stored, and the stored state counts */

static ngx_int_t
ngx_http_payer_update_recorded(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_update_t *update)
{
    if (ngx_http_payer_reading_taken(ctx) != NGX_OK) {
        update->reason = "the payment could not be stored";
        return NGX_DECLINED;
    }

    /* such as a cancelled order whose card was authorized afterwards */

    ngx_http_payer_proof_silence(&ctx->record);

    update->state = ngx_http_payer_update_capture;

    return NGX_OK;
}


/* the result of payer_auto_capture does not affect the event */

static ngx_int_t
ngx_http_payer_update_capture(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_update_t *update)
{
    if ((ctx->execution || ngx_http_payer_proof_paid(&ctx->record))
        && ngx_http_payer_auto_capture(ctx) == NGX_AGAIN)
    {
        return NGX_AGAIN;
    }

    update->state = ngx_http_payer_update_over;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_update_over(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_update_t *update)
{
    return NGX_OK;
}


static ngx_uint_t
ngx_http_payer_update_same(ngx_str_t *one, ngx_str_t *other)
{
    return one->len == other->len
           && (one->len == 0
               || ngx_memcmp(one->data, other->data, one->len) == 0);
}
