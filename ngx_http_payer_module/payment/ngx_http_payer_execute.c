
/*
 * Executes one operation on a payment: recorded before it is sent, its result
 * before anybody is told, and never guessed.
 *
 *     with an idempotency key:  lookup -> (search) -> claim -> lookup
 *     then                      intent -> send -> (read back) -> settled
 *
 * A repeat with the same key sends the same Payer-Request-ID, so that Payer
 * itself prevents a second execution; its 409 is followed by a read.  So is
 * any refusal when there was a try without a reply, in this call or in an
 * earlier one under the key: that try may be why.
 */


#include "ngx_http_payer_execute.h"
#include "ngx_http_payer_counter.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_ledger.h"
#include "ngx_http_payer_log.h"
#include "ngx_http_payer_reading.h"


static ngx_int_t ngx_http_payer_execute_stored(
    ngx_http_payer_execution_t *ex);
static ngx_int_t ngx_http_payer_execute_unwanted(
    ngx_http_payer_execution_t *ex);
static ngx_int_t ngx_http_payer_execute_prepare(
    ngx_http_payer_execution_t *ex);
static ngx_int_t ngx_http_payer_execute_send(ngx_http_payer_execution_t *ex);
static ngx_int_t ngx_http_payer_execute_tally(ngx_http_payer_execution_t *ex);
static ngx_int_t ngx_http_payer_execute_read(ngx_http_payer_execution_t *ex);
static void ngx_http_payer_execute_replied(ngx_http_payer_call_t *call);
static void ngx_http_payer_execute_was_read(ngx_http_payer_call_t *call);
static void ngx_http_payer_execute_settle(ngx_http_payer_execution_t *ex,
    ngx_http_payer_deed_state_e state, ngx_http_payer_exchange_t *x);
static void ngx_http_payer_execute_doubt(ngx_http_payer_execution_t *ex,
    ngx_http_payer_call_t *call);
static ngx_int_t ngx_http_payer_execute_verdict(
    ngx_http_payer_execution_t *ex, ngx_http_payer_call_t *call);
static void ngx_http_payer_execute_advance(ngx_http_payer_execution_t *ex);
static ngx_int_t ngx_http_payer_execute_write(ngx_http_payer_execution_t *ex,
    ngx_uint_t forget);
static void ngx_http_payer_execute_count(ngx_http_payer_execution_t *ex,
    ngx_http_payer_counted_e result);


/* a reply that is larger is not kept for a replay */

#define NGX_HTTP_PAYER_MAX_KEPT     8192

#define NGX_HTTP_PAYER_KEEP_DEED    (90 * 86400)
#define NGX_HTTP_PAYER_DEED_PAUSE   10          /* s, Retry-After */


ngx_http_payer_execution_t *
ngx_http_payer_execute(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_call_e operation, ngx_http_payer_params_t *params,
    ngx_str_t *id)
{
    ngx_http_payer_execution_t  *ex;

    ex = ngx_pcalloc(ctx->request->pool, sizeof(ngx_http_payer_execution_t));
    if (ex == NULL) {
        return NULL;
    }

    ex->ctx = ctx;
    ex->operation = operation;
    ex->params = params;

    if (id) {
        ex->id = *id;
    }

    if (ngx_http_payer_execute_identify(ex) != NGX_OK) {
        return NULL;
    }

    ex->deed.state = NGX_HTTP_PAYER_DEED_SENT;
    ex->deed.amount = params->amount;
    ex->deed.before = -1;

    if (ctx->found) {
        ex->deed.before = (operation == NGX_HTTP_PAYER_CALL_CAPTURE)
                          ? ngx_max(ctx->record.captured, 0)
                          : ngx_max(ctx->record.refunded, 0);
    }

    ex->deed.request_id = ctx->request_id;

    ex->state = id ? ngx_http_payer_execute_lookup
                : ngx_http_payer_execute_of_rest(ex)
                   ? ngx_http_payer_execute_rest
                   : ngx_http_payer_execute_intent;

    return ex;
}


ngx_int_t
ngx_http_payer_execute_run(ngx_http_payer_execution_t *ex)
{
    ngx_int_t  rc;

    while (ex->result == 0) {
        rc = ex->state(ex);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_execute_over(ngx_http_payer_execution_t *ex,
    ngx_http_payer_executed_e result)
{
    ngx_http_payer_ledger_unclaim(ex->ctx);

    ex->result = result;

    if (ex->replayed) {
        ngx_http_payer_execute_count(ex, NGX_HTTP_PAYER_COUNTED_REPLAYED);

    } else if (ex->call == NULL) {

        /* one that was sent is counted when its reply is there */

        ngx_http_payer_execute_count(ex, NGX_HTTP_PAYER_COUNTED_NOT_SENT);

    } else if (ex->ctx->io.rc == NGX_ERROR && !ex->ctx->late) {
        ngx_http_payer_log(NGX_LOG_ERR, ex->ctx,
                           "the outcome of \"%V\" could not be stored",
                           &ex->key);
    }

    return NGX_OK;
}


static void
ngx_http_payer_execute_count(ngx_http_payer_execution_t *ex,
    ngx_http_payer_counted_e result)
{
    ngx_http_payer_count(ex->ctx->conf->main->zone,
                         NGX_HTTP_PAYER_COUNT_OPERATIONS, ex->operation,
                         result);
}


ngx_int_t
ngx_http_payer_execute_intent(ngx_http_payer_execution_t *ex)
{
    if (!ex->found) {
        ex->deed.created = ngx_time();
    }

    ex->state = ngx_http_payer_execute_stored;
    ex->ctx->io.rc = NGX_OK;

    if (ngx_http_payer_execute_write(ex, 0) == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    return NGX_OK;
}


/* the order may have become another one since it was read */

static ngx_int_t
ngx_http_payer_execute_stored(ngx_http_payer_execution_t *ex)
{
    ngx_str_t              id;
    ngx_http_payer_ctx_t  *ctx;

    ctx = ex->ctx;
    id = ctx->record.payment_id;

    if (ctx->io.rc != NGX_OK
        || (ctx->found && ngx_http_payer_ledger_reread(ctx) != NGX_OK))
    {
        return ngx_http_payer_execute_over(ex, NGX_HTTP_PAYER_NOT_STORED);
    }

    if (ctx->record.payment_id.len != id.len
        || ngx_memcmp(ctx->record.payment_id.data, id.data, id.len) != 0)
    {
        /* by now it has another payment, which this one does not touch */

        ctx->found = 0;
        ctx->record.payment_id = id;
    }

    ex->state = ngx_http_payer_execute_prepare;

    if (ex->wanted && ex->wanted(ctx) != NGX_OK) {
        ex->state = ngx_http_payer_execute_unwanted;

        if (ex->found) {
            return NGX_OK;
        }

        return ngx_http_payer_execute_write(ex, 1) == NGX_AGAIN ? NGX_AGAIN
                                                                : NGX_OK;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_execute_unwanted(ngx_http_payer_execution_t *ex)
{
    return ngx_http_payer_execute_over(ex, NGX_HTTP_PAYER_UNWANTED);
}


static ngx_int_t
ngx_http_payer_execute_prepare(ngx_http_payer_execution_t *ex)
{
    ngx_http_payer_ctx_t     *ctx;
    ngx_http_payer_call_t    *call;
    ngx_http_payer_params_t   params;

    ctx = ex->ctx;

    call = ngx_http_payer_api_call(ctx, ex->operation,
                                   &ctx->record.payment_id);
    if (call == NULL) {
        return NGX_ERROR;
    }

    call->request_id = ctx->request_id;
    call->settle = ngx_http_payer_execute_replied;
    call->data = ex;

    /* what is stored and has no outcome may have been sent */

    call->doubt = ex->found;

    if (call->type->replies) {
        call->read = ngx_http_payer_api_read_object;
    }

    params = *ex->params;
    params.amount = ex->deed.amount;

    if (ex->operation == NGX_HTTP_PAYER_CALL_REFUND
        && params.description.len == 0)
    {
        /* Payer may want to have one [client] */

        ngx_str_set(&params.description, "Refund");
    }

    if (call->type->parameters
        && ngx_http_payer_json_write_params(ctx->request->pool, &params,
                                            &call->body)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ex->call = call;
    ex->state = ngx_http_payer_execute_send;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_execute_send(ngx_http_payer_execution_t *ex)
{
    ngx_int_t              rc;
    ngx_http_payer_ctx_t  *ctx;

    ctx = ex->ctx;

    rc = ngx_http_payer_api_run(ex->call);
    if (rc != NGX_OK) {
        return rc;
    }

    switch (ex->call->outcome) {

    case NGX_HTTP_PAYER_DONE:

        if (ex->operation == NGX_HTTP_PAYER_CALL_REFUND && ctx->found) {
            ex->state = ngx_http_payer_execute_sum;
            return NGX_OK;
        }

        return ngx_http_payer_execute_over(ex, NGX_HTTP_PAYER_EXECUTED);

    case NGX_HTTP_PAYER_REFUSED:
        return ngx_http_payer_execute_over(ex,
                                           ngx_http_payer_api_heard(ex->call)
                                           ? NGX_HTTP_PAYER_EXECUTED
                                           : NGX_HTTP_PAYER_NOT_SENT);

    case NGX_HTTP_PAYER_FAILED:
        return ngx_http_payer_execute_over(ex, NGX_HTTP_PAYER_NOT_SENT);

    case NGX_HTTP_PAYER_CONFLICT:
        break;

    default: /* NGX_HTTP_PAYER_UNKNOWN */
        return ngx_http_payer_execute_over(ex, NGX_HTTP_PAYER_IN_DOUBT);
    }

    /* Payer has handled it before, or may have: only a read tells */

    if (ngx_http_payer_tally(ctx, &ex->tally, ex->operation,
                             &ctx->record.payment_id, &ex->key)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ex->state = ngx_http_payer_execute_tally;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_execute_tally(ngx_http_payer_execution_t *ex)
{
    ngx_http_payer_ctx_t   *ctx;
    ngx_http_payer_call_t  *call;

    ctx = ex->ctx;

    if (ngx_http_payer_tally_run(ctx, &ex->tally) == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    call = ngx_http_payer_api_call(ctx, NGX_HTTP_PAYER_CALL_READ,
                                   &ctx->record.payment_id);
    if (call == NULL) {
        return NGX_ERROR;
    }

    call->read = ngx_http_payer_api_read_payment;
    call->settle = ngx_http_payer_execute_was_read;
    call->data = ex;
    call->result = ngx_palloc(ctx->request->pool,
                              sizeof(ngx_http_payer_json_payment_t));

    if (call->result == NULL) {
        return NGX_ERROR;
    }

    ex->reading = call;
    ex->state = ngx_http_payer_execute_read;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_execute_read(ngx_http_payer_execution_t *ex)
{
    ngx_int_t  rc;

    rc = ngx_http_payer_api_run(ex->reading);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ex->deed.state >= NGX_HTTP_PAYER_DEED_REFUSED) {
        return ngx_http_payer_execute_over(ex, NGX_HTTP_PAYER_EXECUTED);
    }

    return ngx_http_payer_execute_over(ex, NGX_HTTP_PAYER_IN_DOUBT);
}


/* runs when the outcome is known, whether somebody still waits or not */

static void
ngx_http_payer_execute_replied(ngx_http_payer_call_t *call)
{
    ngx_http_payer_execution_t  *ex;

    ex = call->data;

    switch (call->outcome) {

    case NGX_HTTP_PAYER_DONE:
        ngx_http_payer_execute_advance(ex);
        ngx_http_payer_execute_settle(ex, NGX_HTTP_PAYER_DEED_DONE,
                                      &call->exchange);
        break;

    case NGX_HTTP_PAYER_REFUSED:

        if (ngx_http_payer_api_heard(call)) {
            ngx_http_payer_execute_settle(ex, NGX_HTTP_PAYER_DEED_REFUSED,
                                          &call->exchange);
            break;
        }

        /* fall through */

    case NGX_HTTP_PAYER_FAILED:

        ngx_http_payer_execute_count(ex, NGX_HTTP_PAYER_COUNTED_NOT_SENT);

        /* it did not happen: a repeat starts anew, unless an earlier one
         * is still in doubt */

        if (!ex->found) {
            (void) ngx_http_payer_execute_write(ex, 1);
        }

        break;

    case NGX_HTTP_PAYER_UNKNOWN:
        ngx_http_payer_execute_doubt(ex, call);
        ex->ctx->record.unknown = 1;
        ngx_http_payer_execute_settle(ex, NGX_HTTP_PAYER_DEED_UNKNOWN, NULL);
        break;

    default: /* NGX_HTTP_PAYER_CONFLICT: the read tells */
        ngx_http_payer_execute_doubt(ex, call);
        break;
    }
}


/* since when it is in doubt: a try that had a reply does not begin it anew */

static void
ngx_http_payer_execute_doubt(ngx_http_payer_execution_t *ex,
    ngx_http_payer_call_t *call)
{
    if (call->lost || ex->deed.doubt == 0) {
        ex->deed.doubt = ngx_time();
    }
}


static void
ngx_http_payer_execute_was_read(ngx_http_payer_call_t *call)
{
    ngx_http_payer_execution_t  *ex;

    ex = call->data;

    switch (ngx_http_payer_execute_verdict(ex, call)) {

    case NGX_OK:

        if (ex->operation == NGX_HTTP_PAYER_CALL_CANCEL
            || ex->operation == NGX_HTTP_PAYER_CALL_RELEASE)
        {
            /* which of the two it was, Payer's word need not say */

            ngx_http_payer_execute_advance(ex);

        } else if (ex->operation == NGX_HTTP_PAYER_CALL_REFUND) {

            /* the read has the sum */

            ngx_http_payer_record_refunded(&ex->ctx->record, 0);
        }

        ngx_http_payer_execute_settle(ex, NGX_HTTP_PAYER_DEED_DONE,
                                      &call->exchange);
        break;

    case NGX_DECLINED:

        if (ex->wanted) {

            /*
             * Nobody is told, and no refusal in doubt is Payer's last word:
             * it did not happen, and whoever comes next tries it anew.
             */

            ngx_http_payer_execute_count(ex, NGX_HTTP_PAYER_COUNTED_REFUSED);
            (void) ngx_http_payer_execute_write(ex, 1);
            break;
        }

        ngx_http_payer_execute_settle(ex, NGX_HTTP_PAYER_DEED_REFUSED,
                                      &ex->call->exchange);
        break;

    default: /* NGX_AGAIN */

        if (!ex->wanted) {

            /* not the outcome, but another try will not be let in either */

            ex->deed.status = ex->call->exchange.status;
        }

        ex->ctx->record.unknown = 1;
        ngx_http_payer_execute_settle(ex, NGX_HTTP_PAYER_DEED_UNKNOWN, NULL);
        break;
    }
}


/* the read, taken over if it is about this payment, and what it tells */

static ngx_int_t
ngx_http_payer_execute_verdict(ngx_http_payer_execution_t *ex,
    ngx_http_payer_call_t *call)
{
    ngx_http_payer_verdict_e        verdict;
    ngx_http_payer_json_payment_t  *payment;

    payment = call->result;

    if (call->outcome != NGX_HTTP_PAYER_DONE || payment->payment_id.len == 0) {
        return NGX_AGAIN;
    }

    if (ex->ctx->found
        && ngx_http_payer_reading_apply(ex->ctx, payment, &verdict) != NGX_OK)
    {
        return NGX_AGAIN;
    }

    ex->read_back = 1;

    return ngx_http_payer_judge(ex->operation, &ex->deed, payment,
                                &ex->tally.others, ngx_time());
}


time_t
ngx_http_payer_execute_pause(ngx_http_payer_execution_t *ex)
{
    return ex->id.len ? NGX_HTTP_PAYER_DEED_PAUSE : 0;
}


/* what a granted operation makes of the payment, before it is read again */

static void
ngx_http_payer_execute_advance(ngx_http_payer_execution_t *ex)
{
    ngx_http_payer_record_t  *record;

    record = &ex->ctx->record;

    /* of another operation that is in doubt this reply says nothing */

    if (ex->found || ex->operation == NGX_HTTP_PAYER_CALL_CANCEL) {
        record->unknown = 0;
    }

    switch (ex->operation) {

    case NGX_HTTP_PAYER_CALL_CAPTURE:
        ngx_http_payer_record_captured(record, ex->deed.amount,
                                       ex->params->release_rest == 1);
        break;

    case NGX_HTTP_PAYER_CALL_CANCEL:
        record->state = NGX_HTTP_PAYER_CANCELLED;
        record->closed = 1;
        break;

    case NGX_HTTP_PAYER_CALL_RELEASE:
        ngx_http_payer_record_released(record);
        break;

    default: /* NGX_HTTP_PAYER_CALL_REFUND */
        ngx_http_payer_record_refunded(record, ex->deed.amount);
        break;
    }
}


static void
ngx_http_payer_execute_settle(ngx_http_payer_execution_t *ex,
    ngx_http_payer_deed_state_e state, ngx_http_payer_exchange_t *x)
{
    ex->deed.state = state;

    ngx_http_payer_execute_count(ex,
                                 (state == NGX_HTTP_PAYER_DEED_DONE)
                                 ? NGX_HTTP_PAYER_COUNTED_DONE
                                 : (state == NGX_HTTP_PAYER_DEED_REFUSED)
                                 ? NGX_HTTP_PAYER_COUNTED_REFUSED
                                 : NGX_HTTP_PAYER_COUNTED_UNKNOWN);

    if (x) {
        ex->deed.status = x->status;
        ex->deed.reply_type = x->reply_type;
        ex->deed.reply = x->reply;
    }

    (void) ngx_http_payer_execute_write(ex, 0);
}


/* the deed together with the payment's record, or the deed's removal */

static ngx_int_t
ngx_http_payer_execute_write(ngx_http_payer_execution_t *ex,
    ngx_uint_t forget)
{
    ngx_int_t                      rc;
    ngx_uint_t                     n;
    ngx_http_payer_ctx_t          *ctx;
    ngx_http_payer_deed_t          deed;
    ngx_http_payer_store_entry_t   entries[2], *entry;

    ctx = ex->ctx;
    n = 1;
    entry = entries;

    ngx_memzero(entries, sizeof(entries));

    entry->key = ex->key;
    entry->merge = ngx_http_payer_deed_forget;

    if (!forget) {
        ex->deed.updated = ngx_time();
        deed = ex->deed;

        if (deed.reply.len > NGX_HTTP_PAYER_MAX_KEPT) {
            ngx_str_null(&deed.reply);
        }

        if (ngx_http_payer_deed_encode(ctx->request->pool, &deed,
                                       &entry->value)
            != NGX_OK)
        {
            ctx->io.rc = NGX_ERROR;
            return NGX_ERROR;
        }

        entry->merge = ngx_http_payer_deed_merge;
        entry->expires = ngx_time() + NGX_HTTP_PAYER_KEEP_DEED;

        rc = ngx_http_payer_execute_bind(ex, &entries[1]);

        if (rc == NGX_ERROR) {

            /* a late repeat would find another payment */

            ctx->io.rc = NGX_ERROR;
            return NGX_ERROR;
        }

        if (rc == NGX_OK) {
            n++;
        }
    }

    /* only what Payer has granted is its reply */

    return ngx_http_payer_ledger_write_all(ctx,
                                           (!forget && ex->deed.state
                                            == NGX_HTTP_PAYER_DEED_DONE)
                                           ? NGX_HTTP_PAYER_BY_REPLY
                                           : NGX_HTTP_PAYER_BY_SELF,
                                           entries, n);
}
