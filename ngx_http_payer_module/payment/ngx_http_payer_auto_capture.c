
/*
 * Automatic operations: payer_auto_capture captures a payment in full when it
 * is found authorized, payer_authorization_limit captures or releases it when
 * the authorization is old.
 *
 * Each is an operation like any other, whose idempotency key is the same for
 * verify, events, reconcile and the sweep: the first one executes it, and the
 * others find it done or in progress.  Its request id is not derived from the
 * key: after an operation that was not done, the next try needs another one.
 */


#include "ngx_http_payer_auto_capture.h"
#include "ngx_http_payer_api.h"
#include "ngx_http_payer_execute.h"
#include "ngx_http_payer_log.h"
#include "ngx_http_payer_look.h"


#define NGX_HTTP_PAYER_AUTO_GRACE  3600         /* s, for capture, release */


typedef struct {
    ngx_http_payer_call_e         operation;
    ngx_str_t                     key;
    ngx_str_t                     actor;
    ngx_int_t                   (*wanted)(ngx_http_payer_ctx_t *ctx);
} ngx_http_payer_auto_t;


static ngx_int_t ngx_http_payer_auto_run(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_auto_t *operation);
static ngx_int_t ngx_http_payer_auto_look(ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_auto_start(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_auto_t *operation);
static ngx_int_t ngx_http_payer_auto_paid(ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_auto_authorized(ngx_http_payer_ctx_t *ctx);
static void ngx_http_payer_auto_log(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_auto_t *operation);


static ngx_http_payer_auto_t  ngx_http_payer_auto_seen = {
    NGX_HTTP_PAYER_CALL_CAPTURE,
    ngx_string("payer_auto_capture"),
    ngx_string("payer_auto_capture"),
    ngx_http_payer_auto_paid
};

/* the same capture, so that it is done only once */

static ngx_http_payer_auto_t  ngx_http_payer_auto_old_capture = {
    NGX_HTTP_PAYER_CALL_CAPTURE,
    ngx_string("payer_auto_capture"),
    ngx_string("payer_authorization_limit"),
    ngx_http_payer_auto_paid
};

static ngx_http_payer_auto_t  ngx_http_payer_auto_old_release = {
    NGX_HTTP_PAYER_CALL_RELEASE,
    ngx_string("payer_authorization_limit"),
    ngx_string("payer_authorization_limit"),
    ngx_http_payer_auto_authorized
};


ngx_int_t
ngx_http_payer_auto_capture(ngx_http_payer_ctx_t *ctx)
{
    if (ctx->execution == NULL && !ctx->conf->auto_capture) {
        return NGX_OK;
    }

    return ngx_http_payer_auto_run(ctx, &ngx_http_payer_auto_seen);
}


ngx_int_t
ngx_http_payer_auto_limit(ngx_http_payer_ctx_t *ctx)
{
    switch (ctx->conf->sweep.act) {

    case NGX_HTTP_PAYER_LIMIT_CAPTURE:
        return ngx_http_payer_auto_run(ctx, &ngx_http_payer_auto_old_capture);

    case NGX_HTTP_PAYER_LIMIT_RELEASE:
        return ngx_http_payer_auto_run(ctx, &ngx_http_payer_auto_old_release);

    default: /* NGX_HTTP_PAYER_LIMIT_WARN */
        return NGX_OK;
    }
}


time_t
ngx_http_payer_auto_age(ngx_http_payer_loc_conf_t *conf)
{
    return conf->sweep.limit
           + (conf->sweep.act != NGX_HTTP_PAYER_LIMIT_WARN
              ? NGX_HTTP_PAYER_AUTO_GRACE : 0);
}


static ngx_int_t
ngx_http_payer_auto_run(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_auto_t *operation)
{
    ngx_int_t  rc;

    if (ctx->execution == NULL) {

        if (operation->wanted(ctx) != NGX_OK) {
            return NGX_OK;
        }

        if (operation->operation == NGX_HTTP_PAYER_CALL_CAPTURE) {
            rc = ngx_http_payer_auto_look(ctx);

            if (rc != NGX_OK) {
                return rc == NGX_DECLINED ? NGX_OK : rc;
            }
        }

        if (ngx_http_payer_auto_start(ctx, operation) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    rc = ngx_http_payer_execute_run(ctx->execution);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    ngx_http_payer_auto_log(ctx, operation);

    ctx->execution = NULL;

    return rc;
}


/*
 * An order that is cancelled in the shop, or costs more there now, is not
 * captured: NGX_OK, NGX_DECLINED (logged), NGX_AGAIN, NGX_ERROR
 */

static ngx_int_t
ngx_http_payer_auto_look(ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t    rc;
    const char  *reason;

    rc = ngx_http_payer_look(ctx, &reason);

    switch (rc) {

    case NGX_OK:
    case NGX_DONE:
        return NGX_OK;

    case NGX_ABORT:
        ngx_http_payer_log(ctx->quiet ? NGX_LOG_INFO : NGX_LOG_ERR, ctx,
                           "the payment is not captured automatically: %s",
                           reason);
        return NGX_DECLINED;

    case NGX_DECLINED:
        ngx_http_payer_log(ctx->quiet ? NGX_LOG_INFO : NGX_LOG_WARN, ctx,
                           "the payment is not captured automatically for "
                           "now: the shop did not answer the lookup");
        return NGX_DECLINED;

    default: /* NGX_AGAIN, NGX_ERROR */
        return rc;
    }
}


static ngx_int_t
ngx_http_payer_auto_start(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_auto_t *operation)
{
    u_char                      *id;
    ngx_http_payer_params_t     *params;
    ngx_http_payer_execution_t  *ex;

    params = ngx_pcalloc(ctx->request->pool, sizeof(ngx_http_payer_params_t));
    if (params == NULL) {
        return NGX_ERROR;
    }

    params->amount = -1;
    params->release_rest = -1;

    ex = ngx_http_payer_execute(ctx, operation->operation, params,
                                &operation->key);

    id = ngx_pnalloc(ctx->request->pool, NGX_HTTP_PAYER_UUID_LEN);

    if (ex == NULL || id == NULL || ngx_http_payer_uuid(id) != NGX_OK) {
        return NGX_ERROR;
    }

    ctx->request_id.data = id;
    ctx->request_id.len = NGX_HTTP_PAYER_UUID_LEN;

    ex->op.request_id = ctx->request_id;
    ex->wanted = operation->wanted;

    ex->actor = operation->actor;
    ex->op.actor = operation->actor;
    ex->unattended = 1;

    ctx->execution = ex;

    return NGX_OK;
}


/* only if the record as it is stored now proves the payment */

static ngx_int_t
ngx_http_payer_auto_paid(ngx_http_payer_ctx_t *ctx)
{
    return (ngx_http_payer_auto_authorized(ctx) == NGX_OK
            && ngx_http_payer_proof_paid(&ctx->record))
           ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_payer_auto_authorized(ngx_http_payer_ctx_t *ctx)
{
    return (ctx->found && ctx->record.state == NGX_HTTP_PAYER_AUTHORIZED)
           ? NGX_OK : NGX_DECLINED;
}


static void
ngx_http_payer_auto_log(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_auto_t *operation)
{
    ngx_http_payer_execution_t  *ex;

    ex = ctx->execution;

    if (ex->result == NGX_HTTP_PAYER_EXECUTED
        && ex->op.state == NGX_HTTP_PAYER_OP_DONE)
    {
        return;
    }

    if (ex->result == NGX_HTTP_PAYER_KEY_IN_FLIGHT
        || ex->result == NGX_HTTP_PAYER_UNWANTED
        || ex->result == NGX_HTTP_PAYER_OTHER_IN_DOUBT)
    {
        return;
    }

    ngx_http_payer_log(ex->replayed ? NGX_LOG_INFO : NGX_LOG_ERR, ctx,
                       "the automatic %V failed: %s, status %ui",
                       &ngx_http_payer_api_type(operation->operation)->name,
                       ex->call && ex->call->reason ? ex->call->reason
                       : ex->replayed ? "it was refused before"
                       : ex->result == NGX_HTTP_PAYER_NOT_AUDITED
                       ? "the audit log could not be written"
                       : "it could not be recorded",
                       ex->op.status);
}
