
/*
 * Logs why payer_verify has returned 402.
 */


#include "ngx_http_payer_verify.h"
#include "ngx_http_payer_log.h"


void
ngx_http_payer_verify_log(ngx_http_payer_ctx_t *ctx)
{
    ngx_str_t                *state;
    ngx_http_payer_record_t  *record;

    record = &ctx->record;

    if (ctx->order.reference.len == 0) {
        ngx_http_payer_log(NGX_LOG_INFO, ctx,
                           "not paid: the request does not name an order");
        return;
    }

    if (ctx->found && record->state == 0) {

        /* another answer, which has its own reason */

        return;
    }

    if (!ctx->found) {
        ngx_http_payer_log(NGX_LOG_INFO, ctx,
                           "not paid: the order is not known here");
        return;
    }

    state = ngx_http_payer_state_name(record->state);

    if (record->status.len == 0) {
        ngx_http_payer_log(NGX_LOG_INFO, ctx,
                           "not paid: the order is %V here", state);
        return;
    }

    ngx_http_payer_log(NGX_LOG_INFO, ctx,
                       "not paid: the order is %V here, and was \"%V\" at "
                       "Payer when it was last read", state, &record->status);
}
