
/*
 * Once a day the shop is asked about each unpaid link: if the order is closed
 * there, or paid by other means, the link is cancelled.
 *
 *     shop -> claim -> cancel
 */


#include "ngx_http_payer_reconcile_job.h"
#include "ngx_http_payer_ledger.h"
#include "ngx_http_payer_log.h"
#include "ngx_http_payer_look.h"


#define NGX_HTTP_PAYER_RECONCILE_DAY  86400


static ngx_int_t ngx_http_payer_reconcile_cancel(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);


/* of a link that is older it is read once a day, see reconcile_lap */

ngx_uint_t
ngx_http_payer_reconcile_shop_due(ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_record_t  *record;

    record = &ctx->record;

    return ctx->sweep
           && record->state == NGX_HTTP_PAYER_INITIATED
           && !record->unknown
           && record->payment_id.len
           && record->lookup.len
           && ngx_time() - record->created >= NGX_HTTP_PAYER_RECONCILE_DAY;
}


ngx_int_t
ngx_http_payer_reconcile_shop(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                        rc;
    ngx_http_payer_reconcile_job_t  *job;

    job = ctx->data;

    rc = ngx_http_payer_look_open(ctx, &job->reason);

    if (rc == NGX_AGAIN || rc == NGX_ERROR) {
        return rc;
    }

    if (rc != NGX_DONE && rc != NGX_ABORT) {

        /* a shop that does not say is asked again tomorrow */

        return NGX_DONE;
    }

    ctx->key = job->key;

    if (ngx_http_payer_ledger_try(ctx) != NGX_OK) {

        /* other requests for the order make the same lookup */

        return NGX_DONE;
    }

    job->replace = ngx_http_payer_replace(ctx);
    if (job->replace == NULL) {
        return NGX_ERROR;
    }

    ctx->step = ngx_http_payer_reconcile_cancel;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_reconcile_cancel(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                        rc;
    ngx_http_payer_reconcile_job_t  *job;

    job = ctx->data;

    rc = ngx_http_payer_replace_run(job->replace);

    if (rc != NGX_OK) {
        return rc;
    }

    if (job->replace->result == NGX_HTTP_PAYER_REPLACED) {
        job->count.settled++;

        ngx_http_payer_log(NGX_LOG_NOTICE, ctx, "the link was cancelled: %s",
                           job->reason);
    }

    ngx_http_payer_ledger_unclaim(ctx);

    return NGX_DONE;
}
