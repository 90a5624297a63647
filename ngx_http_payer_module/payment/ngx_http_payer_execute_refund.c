
/*
 * The amount of a refund without an amount, and the sum of several captures or
 * refunds.
 *
 *     rest -> count -> read -> intent
 *     sent -> sum -> count -> stored
 */


#include "ngx_http_payer_execute.h"
#include "ngx_http_payer_ledger.h"


static ngx_int_t ngx_http_payer_execute_rest_count(
    ngx_http_payer_execution_t *ex);
static ngx_int_t ngx_http_payer_execute_rest_read(
    ngx_http_payer_execution_t *ex);
static ngx_int_t ngx_http_payer_execute_sum_count(
    ngx_http_payer_execution_t *ex);
static ngx_int_t ngx_http_payer_execute_sum_stored(
    ngx_http_payer_execution_t *ex);


/*
 * A refund without an amount is for the whole remaining amount.  It must be
 * known before the refund is sent, since Payer's behaviour without an amount
 * is not documented.
 */

ngx_int_t
ngx_http_payer_execute_rest(ngx_http_payer_execution_t *ex)
{
    ex->state = ngx_http_payer_execute_rest_count;

    return ngx_http_payer_sums(ex->ctx, &ex->sums, ex->operation,
                               &ex->ctx->record.payment_id, &ex->key);
}


static ngx_int_t
ngx_http_payer_execute_rest_count(ngx_http_payer_execution_t *ex)
{
    ngx_http_payer_ctx_t   *ctx;
    ngx_http_payer_call_t  *call;

    ctx = ex->ctx;

    if (ngx_http_payer_sums_run(ctx, &ex->sums) == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (ex->sums.others.open || ex->sums.others.vague) {
        ex->reason = "it is not known how much of the payment was refunded; "
                     "specify the amount";

        return ngx_http_payer_execute_over(ex, NGX_HTTP_PAYER_NO_REST);
    }

    call = ngx_http_payer_api_read_call(ctx, &ctx->record.payment_id, NULL,
                                        NULL);
    if (call == NULL) {
        return NGX_ERROR;
    }

    ex->reading = call;
    ex->state = ngx_http_payer_execute_rest_read;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_execute_rest_read(ngx_http_payer_execution_t *ex)
{
    int64_t                         refunded;
    ngx_int_t                       rc;
    ngx_http_payer_json_payment_t  *payment;

    rc = ngx_http_payer_api_run(ex->reading);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ex->reading->outcome != NGX_HTTP_PAYER_DONE) {
        return ngx_http_payer_execute_over(ex, NGX_HTTP_PAYER_NOT_SENT);
    }

    payment = ex->reading->result;

    if (payment->captured < 0) {
        ex->reason = "Payer does not report how much of the payment was "
                     "captured; specify the amount";

        return ngx_http_payer_execute_over(ex, NGX_HTTP_PAYER_NO_REST);
    }

    refunded = ngx_max(payment->refunded, ex->sums.others.done);

    if (ex->ctx->found) {
        refunded = ngx_max(refunded, ex->ctx->record.refunded);
    }

    ex->op.amount = payment->captured - refunded;

    if (ex->op.amount <= 0) {
        ex->reason = "nothing of the payment is left to be refunded";

        return ngx_http_payer_execute_over(ex, NGX_HTTP_PAYER_NO_REST);
    }

    ex->state = ngx_http_payer_execute_intent;

    return NGX_OK;
}


/*
 * Two simultaneous captures or refunds have both added to the same sum.  Each
 * is in the store before it counts, so the later one counts both.
 */

ngx_int_t
ngx_http_payer_execute_sum(ngx_http_payer_execution_t *ex)
{
    if (ex->ctx->io.rc != NGX_OK) {
        return ngx_http_payer_execute_over(ex, NGX_HTTP_PAYER_EXECUTED);
    }

    ex->state = ngx_http_payer_execute_sum_count;

    return ngx_http_payer_sums(ex->ctx, &ex->sums, ex->operation,
                               &ex->ctx->record.payment_id, &ex->key);
}


static ngx_int_t
ngx_http_payer_execute_sum_count(ngx_http_payer_execution_t *ex)
{
    int64_t                   sum, known;
    ngx_int_t                 rc;
    ngx_http_payer_ctx_t     *ctx;
    ngx_http_payer_record_t  *record;

    ctx = ex->ctx;
    record = &ctx->record;

    if (ngx_http_payer_sums_run(ctx, &ex->sums) == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    ctx->io.rc = NGX_OK;

    sum = ex->sums.others.done + ngx_max(ex->op.amount, 0);

    known = (ex->operation == NGX_HTTP_PAYER_CALL_REFUND) ? record->refunded
                                                          : record->captured;

    if (sum <= known) {
        return ngx_http_payer_execute_over(ex, NGX_HTTP_PAYER_EXECUTED);
    }

    sum -= ngx_max(known, 0);

    if (ex->operation == NGX_HTTP_PAYER_CALL_REFUND) {
        ngx_http_payer_record_refunded(record, sum);

    } else {
        ngx_http_payer_record_captured(record, sum, 0);
    }

    ex->state = ngx_http_payer_execute_sum_stored;

    rc = ngx_http_payer_ledger_write(ctx, NGX_HTTP_PAYER_BY_REPLY);

    return rc == NGX_AGAIN ? NGX_AGAIN : NGX_OK;
}


static ngx_int_t
ngx_http_payer_execute_sum_stored(ngx_http_payer_execution_t *ex)
{
    return ngx_http_payer_execute_over(ex, NGX_HTTP_PAYER_EXECUTED);
}
