
/*
 * A release is not sent while a capture of the payment has no outcome yet, nor
 * a capture while a release has none: the released order would be unpaid and
 * could be sold again, and nobody would hear of a capture that turns out to be
 * done.
 *
 * Each is in the store before it looks for the other: of two at the same time
 * at least one sees the other.
 */


#include "ngx_http_payer_execute.h"
#include "ngx_http_payer_log.h"


static ngx_int_t ngx_http_payer_execute_search_other(
    ngx_http_payer_execution_t *ex);


ngx_int_t
ngx_http_payer_execute_other(ngx_http_payer_execution_t *ex)
{
    ngx_http_payer_call_e  other;

    switch (ex->operation) {

    case NGX_HTTP_PAYER_CALL_RELEASE:
        other = NGX_HTTP_PAYER_CALL_CAPTURE;
        break;

    case NGX_HTTP_PAYER_CALL_CAPTURE:
        other = NGX_HTTP_PAYER_CALL_RELEASE;
        break;

    default:
        ex->state = ngx_http_payer_execute_noted;
        return NGX_OK;
    }

    if (!ex->ctx->found || ex->ctx->record.captured > 0) {

        /* no order has this payment, or it is not unpaid by the release */

        ex->state = ngx_http_payer_execute_noted;
        return NGX_OK;
    }

    ex->state = ngx_http_payer_execute_search_other;

    return ngx_http_payer_sums(ex->ctx, &ex->sums, other,
                               &ex->ctx->record.payment_id, &ex->key);
}


static ngx_int_t
ngx_http_payer_execute_search_other(ngx_http_payer_execution_t *ex)
{
    ngx_int_t              rc;
    ngx_http_payer_op_t    op;
    ngx_http_payer_ctx_t  *ctx;

    ctx = ex->ctx;

    for ( ;; ) {
        rc = ngx_http_payer_sums_next(ctx, &ex->sums);

        if (rc == NGX_AGAIN) {
            return NGX_AGAIN;
        }

        if (rc == NGX_DECLINED) {
            ex->state = ngx_http_payer_execute_noted;
            return NGX_OK;
        }

        if (rc != NGX_OK) {
            return ngx_http_payer_execute_drop(ex, NGX_HTTP_PAYER_NOT_STORED);
        }

        if (ngx_http_payer_op_decode(&ctx->io.value, &op) != NGX_OK
            || op.state < NGX_HTTP_PAYER_OP_REFUSED)
        {
            break;
        }
    }

    ngx_http_payer_log(NGX_LOG_WARN, ctx,
                       ex->operation == NGX_HTTP_PAYER_CALL_RELEASE
                       ? "the release was not sent: the outcome of a capture "
                         "of the payment is unknown"
                       : "the capture was not sent: the outcome of a release "
                         "of the payment is unknown");

    return ngx_http_payer_execute_drop(ex, NGX_HTTP_PAYER_OTHER_IN_DOUBT);
}
