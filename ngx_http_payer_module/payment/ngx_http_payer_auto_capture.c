
/*
 * payer_auto_capture: captures a payment in full, once, when it is seen
 * authorized.
 *
 * It is an operation like any other, whose idempotency key is the same for
 * verify, events and reconcile: whoever comes first captures, and the others
 * find it done or under way.  Its request id is not made of the key: one that
 * came to nothing is tried again, and Payer must not take it for the other.
 */


#include "ngx_http_payer_auto_capture.h"
#include "ngx_http_payer_execute.h"
#include "ngx_http_payer_log.h"


static ngx_int_t ngx_http_payer_auto_capture_start(
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_auto_capture_wanted(
    ngx_http_payer_ctx_t *ctx);
static void ngx_http_payer_auto_capture_log(ngx_http_payer_ctx_t *ctx);


ngx_int_t
ngx_http_payer_auto_capture(ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t  rc;

    if (ctx->execution == NULL) {

        if (!ctx->conf->auto_capture
            || !ctx->found
            || ngx_http_payer_auto_capture_wanted(ctx) != NGX_OK)
        {
            return NGX_OK;
        }

        if (ngx_http_payer_auto_capture_start(ctx) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    rc = ngx_http_payer_execute_run(ctx->execution);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    ngx_http_payer_auto_capture_log(ctx);

    ctx->execution = NULL;

    return rc;
}


static ngx_int_t
ngx_http_payer_auto_capture_start(ngx_http_payer_ctx_t *ctx)
{
    u_char                      *id;
    ngx_http_payer_params_t     *params;
    ngx_http_payer_execution_t  *ex;

    static ngx_str_t  key = ngx_string("payer_auto_capture");

    params = ngx_pcalloc(ctx->request->pool, sizeof(ngx_http_payer_params_t));
    if (params == NULL) {
        return NGX_ERROR;
    }

    params->amount = -1;
    params->release_rest = -1;

    ex = ngx_http_payer_execute(ctx, NGX_HTTP_PAYER_CALL_CAPTURE, params,
                                &key);

    id = ngx_pnalloc(ctx->request->pool, NGX_HTTP_PAYER_UUID_LEN);

    if (ex == NULL || id == NULL || ngx_http_payer_uuid(id) != NGX_OK) {
        return NGX_ERROR;
    }

    ctx->request_id.data = id;
    ctx->request_id.len = NGX_HTTP_PAYER_UUID_LEN;

    ex->op.request_id = ctx->request_id;
    ex->wanted = ngx_http_payer_auto_capture_wanted;

    ex->actor = key;
    ex->op.actor = key;
    ex->unattended = 1;

    ctx->execution = ex;

    return NGX_OK;
}


/* only what is proved paid by what the store has by now */

static ngx_int_t
ngx_http_payer_auto_capture_wanted(ngx_http_payer_ctx_t *ctx)
{
    return (ctx->found
            && ctx->record.state == NGX_HTTP_PAYER_AUTHORIZED
            && ngx_http_payer_proof_paid(&ctx->record))
           ? NGX_OK : NGX_DECLINED;
}


static void
ngx_http_payer_auto_capture_log(ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_execution_t  *ex;

    ex = ctx->execution;

    if (ex->result == NGX_HTTP_PAYER_EXECUTED
        && ex->op.state == NGX_HTTP_PAYER_OP_DONE)
    {
        return;
    }

    if (ex->result == NGX_HTTP_PAYER_KEY_IN_FLIGHT
        || ex->result == NGX_HTTP_PAYER_UNWANTED)
    {
        return;
    }

    ngx_http_payer_log(NGX_LOG_ERR, ctx,
                       "the automatic capture failed: %s, status %ui",
                       ex->call && ex->call->reason ? ex->call->reason
                       : ex->replayed ? "it was refused before"
                       : ex->result == NGX_HTTP_PAYER_NOT_AUDITED
                       ? "the audit log could not be written"
                       : "it could not be recorded",
                       ex->op.status);
}
