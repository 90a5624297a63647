
/*
 * Answers of a checkout without a link.
 */


#include "ngx_http_payer_checkout_answer.h"
#include "ngx_http_payer_log.h"
#include "ngx_http_payer_proof.h"


static void ngx_http_payer_checkout_missing(ngx_http_payer_ctx_t *ctx,
    int64_t *amount, ngx_str_t *currency);


ngx_int_t
ngx_http_payer_checkout_wrong(ngx_http_request_t *r, ngx_int_t rc,
    ngx_http_payer_problem_t *problem)
{
    if (rc != NGX_DECLINED) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_payer_log(NGX_LOG_WARN, ngx_http_payer_get_ctx(r),
                       "%s: %s", problem->field, problem->detail);

    return ngx_http_payer_answer_buyer(r, problem);
}


ngx_int_t
ngx_http_payer_checkout_failed(ngx_http_request_t *r,
    ngx_http_payer_call_t *call)
{
    ngx_http_payer_problem_t  problem;

    ngx_memzero(&problem, sizeof(ngx_http_payer_problem_t));

    problem.status = call->status;
    problem.detail = call->reason;
    problem.payer_status = call->exchange.status;

    if (call->outcome == NGX_HTTP_PAYER_CONFLICT) {
        problem.status = NGX_HTTP_BAD_GATEWAY;

    } else if (call->outcome == NGX_HTTP_PAYER_UNKNOWN) {
        problem.type = "outcome-unknown";
    }

    if (problem.status == NGX_HTTP_SERVICE_UNAVAILABLE) {
        problem.retry_after = ngx_max(call->exchange.retry_after, 1);
    }

    if (problem.payer_status >= 400) {
        (void) ngx_http_payer_json_read_message(r->pool, &call->exchange.reply,
                                                &problem.message);
    }

    return ngx_http_payer_answer_buyer(r, &problem);
}


ngx_int_t
ngx_http_payer_checkout_unavailable(ngx_http_request_t *r, const char *detail)
{
    ngx_http_payer_problem_t  problem;

    ngx_memzero(&problem, sizeof(ngx_http_payer_problem_t));

    problem.status = NGX_HTTP_SERVICE_UNAVAILABLE;
    problem.detail = detail;
    problem.retry_after = 1;

    return ngx_http_payer_answer_buyer(r, &problem);
}


ngx_int_t
ngx_http_payer_checkout_refuse(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx, ngx_http_payer_worth_e worth)
{
    int64_t                    amount, paid;
    ngx_str_t                  currency;
    ngx_http_payer_record_t   *record;
    ngx_http_payer_problem_t   problem;

    record = &ctx->record;

    ngx_memzero(&problem, sizeof(ngx_http_payer_problem_t));

    problem.status = NGX_HTTP_CONFLICT;

    if (worth == NGX_HTTP_PAYER_WORTH_CANCELLED) {
        problem.type = "order-cancelled";
        problem.title = "The order is cancelled";
        problem.detail = "the payment of this order was cancelled, released "
                         "or refunded, and this link cannot be used to pay it "
                         "again";

        ngx_http_payer_log(NGX_LOG_WARN, ctx, "the checkout was rejected: the "
                           "order is %V and needs a new signed link",
                           ngx_http_payer_state_name(record->state));

        return ngx_http_payer_answer_buyer(r, &problem);
    }

    ngx_http_payer_checkout_missing(ctx, &amount, &currency);

    paid = ngx_http_payer_proof_sum(record);

    if (paid < 0) {
        paid = record->amount;
    }

    problem.type = "amount-differs";
    problem.title = "The order was paid for another amount";
    problem.detail = "the order was paid, but not with the amount and "
                     "currency that it has now";

    ngx_http_payer_log(NGX_LOG_ERR, ctx, "order \"%V\" was paid with %L %V, "
                       "but %L %V is required", &record->reference, paid,
                       &record->currency, amount, &currency);

    return ngx_http_payer_answer_buyer(r, &problem);
}


/*
 * the amount that is required: that of the order, of payer_verify, or of the
 * shop
 */

static void
ngx_http_payer_checkout_missing(ngx_http_payer_ctx_t *ctx, int64_t *amount,
    ngx_str_t *currency)
{
    ngx_http_payer_record_t  *record;

    record = &ctx->record;

    *amount = ctx->order.amount;
    *currency = ctx->order.currency;

    if (!ngx_http_payer_proof_covers(record, *amount, currency)) {
        return;
    }

    if (ctx->wanted
        && !ngx_http_payer_proof_covers(record, ctx->wanted,
                                        &ctx->wanted_currency))
    {
        *amount = ctx->wanted;
        *currency = ctx->wanted_currency;
        return;
    }

    *amount = record->wanted;
    currency->data = record->wanted_currency;
    currency->len = NGX_HTTP_PAYER_CURRENCY_LEN;
}
