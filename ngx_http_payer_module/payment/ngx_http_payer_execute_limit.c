
/*
 * payer_refund_max: the maximum sum of the refunds of an order.
 *
 * Each refund is in the store before the others are counted, including those
 * in progress: two simultaneous refunds count each other.
 *
 *     limit -> count -> send or drop
 */


#include "ngx_http_payer_execute.h"
#include "ngx_http_payer_amount.h"
#include "ngx_http_payer_log.h"


static ngx_int_t ngx_http_payer_execute_limit_count(
    ngx_http_payer_execution_t *ex);
static ngx_int_t ngx_http_payer_execute_limit_reason(
    ngx_http_payer_execution_t *ex, int64_t sum);


ngx_int_t
ngx_http_payer_execute_limit(ngx_http_payer_execution_t *ex)
{
    ngx_str_t              value;
    ngx_http_payer_ctx_t  *ctx;

    ctx = ex->ctx;

    ex->state = ngx_http_payer_execute_prepare;

    if (ctx->conf->refund_max == NULL) {
        return NGX_OK;
    }

    if (ngx_http_complex_value(ctx->request, ctx->conf->refund_max, &value)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (value.len == 0) {
        return NGX_OK;
    }

    ex->limit = 0;

    if ((value.len != 1 || value.data[0] != '0')
        && ngx_http_payer_amount_of(&value, NGX_HTTP_PAYER_MINOR, 0,
                                    &ex->limit)
           != NGX_OK)
    {
        ngx_http_payer_log(NGX_LOG_ERR, ctx,
                           "invalid amount \"%V\" of \"payer_refund_max\", "
                           "nothing is refunded", &value);
        ex->limit = 0;
    }

    ex->state = ngx_http_payer_execute_limit_count;

    return ngx_http_payer_sums(ctx, &ex->sums, ex->operation,
                               &ctx->record.payment_id, &ex->key);
}


static ngx_int_t
ngx_http_payer_execute_limit_count(ngx_http_payer_execution_t *ex)
{
    int64_t                sum;
    ngx_http_payer_ctx_t  *ctx;

    ctx = ex->ctx;

    if (ngx_http_payer_sums_run(ctx, &ex->sums) == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (ex->sums.others.vague || ex->op.amount < 0) {
        ex->reason = "it is not known how much of the order was refunded, and "
                     "payer_refund_max sets a limit";

        return ngx_http_payer_execute_drop(ex, NGX_HTTP_PAYER_OVER_LIMIT);
    }

    sum = ex->sums.others.done;

    if (ctx->found) {
        sum = ngx_max(sum, ctx->record.refunded);
    }

    sum = ngx_http_payer_amount_add(sum, ex->sums.others.open);
    sum = ngx_http_payer_amount_add(sum, ex->op.amount);

    if (sum <= ex->limit) {
        ex->state = ngx_http_payer_execute_prepare;
        return NGX_OK;
    }

    if (ngx_http_payer_execute_limit_reason(ex, sum) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_payer_execute_drop(ex, NGX_HTTP_PAYER_OVER_LIMIT);
}


static ngx_int_t
ngx_http_payer_execute_limit_reason(ngx_http_payer_execution_t *ex,
    int64_t sum)
{
    u_char  *p;

    static const char  text[] = "the refunds of the order would be %L in all, "
                                "and payer_refund_max is %L%Z";

    p = ngx_pnalloc(ex->ctx->request->pool,
                    sizeof(text) + 2 * NGX_INT64_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ex->reason = (char *) p;

    ngx_sprintf(p, text, sum, ex->limit);

    return NGX_OK;
}
