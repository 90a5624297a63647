
/*
 * Executes one operation on a payment: the intent is stored before it is sent,
 * the outcome before it is returned, and no outcome is guessed.
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
#include "ngx_http_payer_audit.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_ledger.h"
#include "ngx_http_payer_log.h"


static ngx_int_t ngx_http_payer_execute_stored(
    ngx_http_payer_execution_t *ex);
static ngx_int_t ngx_http_payer_execute_dropped(
    ngx_http_payer_execution_t *ex);
static ngx_int_t ngx_http_payer_execute_send(ngx_http_payer_execution_t *ex);
static ngx_int_t ngx_http_payer_execute_sums(ngx_http_payer_execution_t *ex);
static ngx_int_t ngx_http_payer_execute_read(ngx_http_payer_execution_t *ex);


#define NGX_HTTP_PAYER_OP_PAUSE     10          /* s, Retry-After */


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

    if (ngx_http_payer_audit_actor(ctx, &ex->actor) != NGX_OK) {
        return NULL;
    }

    ex->op.actor = ex->actor;
    ex->op.reason = params->reason;
    ex->op.state = NGX_HTTP_PAYER_OP_SENT;
    ex->op.amount = params->amount;
    ex->op.before = -1;

    if (ctx->found) {
        ex->op.before = (operation == NGX_HTTP_PAYER_CALL_CAPTURE)
                          ? ngx_max(ctx->record.captured, 0)
                          : ngx_max(ctx->record.refunded, 0);
    }

    ex->op.request_id = ctx->request_id;

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

        /* one that was sent is counted when its reply arrives */

        ngx_http_payer_execute_count(ex, NGX_HTTP_PAYER_COUNTED_NOT_SENT);

    } else if (ex->ctx->io.rc == NGX_ERROR && !ex->ctx->late) {
        ngx_http_payer_log(NGX_LOG_ERR, ex->ctx,
                           "the outcome of \"%V\" could not be stored",
                           &ex->key);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_execute_intent(ngx_http_payer_execution_t *ex)
{
    if (!ex->found) {
        ex->op.created = ngx_time();
    }

    ex->state = ngx_http_payer_execute_stored;
    ex->ctx->io.rc = NGX_OK;

    if (ex->claimed) {
        ex->ctx->act = NGX_HTTP_PAYER_CLAIM_TAKE;
    }

    if (ngx_http_payer_execute_write(ex, 0) == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    return NGX_OK;
}


/* the order may have changed since it was read */

static ngx_int_t
ngx_http_payer_execute_stored(ngx_http_payer_execution_t *ex)
{
    ngx_str_t              id;
    ngx_http_payer_ctx_t  *ctx;

    ctx = ex->ctx;
    id = ctx->record.payment_id;

    if (ctx->io.rc == NGX_BUSY) {

        /* another nginx with this store is executing it */

        return ngx_http_payer_execute_over(ex, NGX_HTTP_PAYER_KEY_IN_FLIGHT);
    }

    if (ctx->io.rc != NGX_OK
        || (ctx->found && ngx_http_payer_ledger_reread(ctx) != NGX_OK))
    {
        return ngx_http_payer_execute_over(ex, NGX_HTTP_PAYER_NOT_STORED);
    }

    if (ctx->record.payment_id.len != id.len
        || ngx_memcmp(ctx->record.payment_id.data, id.data, id.len) != 0)
    {
        /* it has another payment now, which this operation does not affect */

        ctx->found = 0;
        ctx->record.payment_id = id;
    }

    if (ex->wanted && ex->wanted(ctx) != NGX_OK) {
        return ngx_http_payer_execute_drop(ex, NGX_HTTP_PAYER_UNWANTED);
    }

    ex->state = ngx_http_payer_execute_other;

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_execute_drop(ngx_http_payer_execution_t *ex,
    ngx_http_payer_executed_e result)
{
    ex->dropped = result;
    ex->state = ngx_http_payer_execute_dropped;

    if (ex->found) {
        return NGX_OK;
    }

    return ngx_http_payer_execute_write(ex, 1) == NGX_AGAIN ? NGX_AGAIN
                                                            : NGX_OK;
}


static ngx_int_t
ngx_http_payer_execute_dropped(ngx_http_payer_execution_t *ex)
{
    if (ex->dropped == NGX_HTTP_PAYER_OVER_LIMIT) {
        (void) ngx_http_payer_execute_audit(ex, "refused", NGX_HTTP_FORBIDDEN);
    }

    return ngx_http_payer_execute_over(ex, ex->dropped);
}


/* without a line in the audit log nothing is sent */

ngx_int_t
ngx_http_payer_execute_noted(ngx_http_payer_execution_t *ex)
{
    if (ngx_http_payer_execute_audit(ex, NULL, 0) != NGX_OK) {
        return ngx_http_payer_execute_drop(ex, NGX_HTTP_PAYER_NOT_AUDITED);
    }

    ex->audited = 1;

    ex->state = (ex->operation == NGX_HTTP_PAYER_CALL_REFUND)
                ? ngx_http_payer_execute_limit
                : ngx_http_payer_execute_prepare;

    return NGX_OK;
}


ngx_int_t
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
    params.amount = ex->op.amount;

    if (ex->operation == NGX_HTTP_PAYER_CALL_REFUND
        && params.description.len == 0)
    {
        /* Payer may require one */

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

        if (ctx->found && (ex->operation == NGX_HTTP_PAYER_CALL_CAPTURE
                           || ex->operation == NGX_HTTP_PAYER_CALL_REFUND))
        {
            ex->state = ngx_http_payer_execute_sum;
            return NGX_OK;
        }

        return ngx_http_payer_execute_over(ex, NGX_HTTP_PAYER_EXECUTED);

    case NGX_HTTP_PAYER_REFUSED:
        if (!ngx_http_payer_api_answered(ex->call)) {
            return ngx_http_payer_execute_over(ex, NGX_HTTP_PAYER_NOT_SENT);
        }

        return ngx_http_payer_execute_over(ex, NGX_HTTP_PAYER_EXECUTED);

    case NGX_HTTP_PAYER_FAILED:
        return ngx_http_payer_execute_over(ex, NGX_HTTP_PAYER_NOT_SENT);

    case NGX_HTTP_PAYER_CONFLICT:
        break;

    default: /* NGX_HTTP_PAYER_UNKNOWN */
        return ngx_http_payer_execute_over(ex, NGX_HTTP_PAYER_IN_DOUBT);
    }

    /* Payer has handled it before, or may have: only a read tells */

    if (ngx_http_payer_sums(ctx, &ex->sums, ex->operation,
                            &ctx->record.payment_id, &ex->key)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ex->state = ngx_http_payer_execute_sums;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_execute_sums(ngx_http_payer_execution_t *ex)
{
    ngx_http_payer_ctx_t   *ctx;
    ngx_http_payer_call_t  *call;

    ctx = ex->ctx;

    if (ngx_http_payer_sums_run(ctx, &ex->sums) == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    call = ngx_http_payer_api_read_call(ctx, &ctx->record.payment_id, NULL,
                                        ngx_http_payer_execute_was_read);
    if (call == NULL) {
        return NGX_ERROR;
    }

    call->data = ex;

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

    if (ex->op.state >= NGX_HTTP_PAYER_OP_REFUSED) {
        return ngx_http_payer_execute_over(ex, NGX_HTTP_PAYER_EXECUTED);
    }

    return ngx_http_payer_execute_over(ex, NGX_HTTP_PAYER_IN_DOUBT);
}


time_t
ngx_http_payer_execute_pause(ngx_http_payer_execution_t *ex)
{
    return  ex->id.len ? NGX_HTTP_PAYER_OP_PAUSE : 0;
}
