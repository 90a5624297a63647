
/*
 * Applies a read of Payer to the record of an order.
 *
 *     bind -> weigh -> apply -> write -> read again what is stored
 */


#include "ngx_http_payer_reading.h"
#include "ngx_http_payer_ledger.h"
#include "ngx_http_payer_log.h"
#include "ngx_http_payer_proof.h"


ngx_int_t
ngx_http_payer_reading_apply(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_json_payment_t *payment,
    ngx_http_payer_verdict_e *verdict)
{
    ngx_uint_t                bound;
    const char               *reason;
    ngx_http_payer_record_t  *record;

    reason = NULL;
    record = &ctx->record;

    *verdict = ngx_http_payer_proof_bind(record, payment, &reason);

    bound = (*verdict == NGX_HTTP_PAYER_UNDECIDED);

    if (bound) {
        *verdict = ngx_http_payer_proof_weigh(record, payment, &reason);
    }

    ngx_http_payer_reading_log(ctx, payment, reason);

    if (!bound) {
        return NGX_DECLINED;
    }

    ngx_http_payer_ledger_apply(ctx, payment);

    if (record->state == NGX_HTTP_PAYER_INITIATED
        && record->created + NGX_HTTP_PAYER_LINK_LIFE < ngx_time())
    {
        record->state = NGX_HTTP_PAYER_EXPIRED;
    }

    return NGX_OK;
}


void
ngx_http_payer_reading_log(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_json_payment_t *payment, const char *reason)
{
    ngx_http_payer_state_e  state;

    state = ngx_http_payer_state_of(&payment->status);

    if (reason) {
        ngx_http_payer_log(NGX_LOG_ERR, ctx,
                           "the reply to \"read\" %s, payment status \"%V\"",
                           reason, &payment->status);
    }

    if (ctx->record.state == NGX_HTTP_PAYER_CANCELLED
        && ngx_http_payer_state_paid(state))
    {
        ngx_http_payer_log(NGX_LOG_ERR, ctx,
                           "the order is cancelled here, but \"%V\" at Payer",
                           &payment->status);
    }
}


ngx_int_t
ngx_http_payer_reading_take(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_json_payment_t *payment, ngx_http_payer_source_e source,
    ngx_http_payer_verdict_e *verdict)
{
    if (ngx_http_payer_reading_apply(ctx, payment, verdict) != NGX_OK) {
        return NGX_DECLINED;
    }

    return ngx_http_payer_ledger_write(ctx, source);
}


/* all but who has written it, and when */

ngx_int_t
ngx_http_payer_reading_same(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_record_t *before, ngx_uint_t *same)
{
    ngx_str_t                one, other;
    ngx_http_payer_record_t  record;

    record = ctx->record;
    record.updated = before->updated;
    record.source = before->source;

    if (ngx_http_payer_record_encode(ctx->request->pool, before, &one)
        != NGX_OK
        || ngx_http_payer_record_encode(ctx->request->pool, &record, &other)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    *same = (one.len == other.len
             && ngx_memcmp(one.data, other.data, one.len) == 0);

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_reading_taken(ngx_http_payer_ctx_t *ctx)
{
    return (ctx->io.rc == NGX_OK
            && ngx_http_payer_ledger_reread(ctx) == NGX_OK)
           ? NGX_OK : NGX_ERROR;
}
