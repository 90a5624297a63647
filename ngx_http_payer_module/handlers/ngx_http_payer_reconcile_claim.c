
/*
 * A payment in doubt is read by one request at a time, whichever nginx
 * instance with this store finds it.
 *
 *     claim -> claimed -> look -> the job
 */


#include "ngx_http_payer_reconcile_job.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_ledger.h"


#define NGX_HTTP_PAYER_RECONCILE_LEASE  5000    /* ms, beyond the timeout */


static ngx_int_t ngx_http_payer_reconcile_claim_key(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_job_t *job, ngx_str_t *key);
static ngx_int_t ngx_http_payer_reconcile_claimed(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_reconcile_elsewhere(
    ngx_http_payer_reconcile_job_t *job);
static ngx_int_t ngx_http_payer_reconcile_again(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_uint_t ngx_http_payer_reconcile_doubtful(
    ngx_http_payer_reconcile_job_t *job);


ngx_int_t
ngx_http_payer_reconcile_claim(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_str_t                        key;
    ngx_http_payer_reconcile_job_t  *job;

    job = ctx->data;

    if (ngx_http_payer_reconcile_claim_key(ctx, job, &key) != NGX_OK) {
        return NGX_ERROR;
    }

    switch (ngx_http_payer_flow_try(ctx, &key, ctx->conf->timeout
                                    + NGX_HTTP_PAYER_RECONCILE_LEASE,
                                    &ctx->event_claim))
    {
    case NGX_OK:
        break;

    case NGX_AGAIN:
        return NGX_AGAIN;

    case NGX_BUSY:
        return ngx_http_payer_reconcile_elsewhere(job);

    default: /* NGX_ERROR */

        /* without memory for a lock it may be read twice, which is harmless */

        return ngx_http_payer_reconcile_job_run(r, ctx);
    }

    ctx->step = ngx_http_payer_reconcile_claimed;

    return ngx_http_payer_flow_put_claim(ctx, NULL, 0,
                                         NGX_HTTP_PAYER_CLAIM_TAKE,
                                         &ctx->event_claim)
           == NGX_AGAIN ? NGX_AGAIN : NGX_OK;
}


static ngx_int_t
ngx_http_payer_reconcile_claim_key(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_job_t *job, ngx_str_t *key)
{
    ngx_str_t  *id;

    id = &ctx->conf->merchant->id;

    key->len = sizeof("reading//") - 1 + id->len + job->payment_id.len;

    key->data = ngx_pnalloc(ctx->pool, key->len);
    if (key->data == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(key->data, "reading/%V/%V", id, &job->payment_id);

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_reconcile_claimed(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_reconcile_job_t  *job;

    job = ctx->data;

    if (ctx->io.rc == NGX_BUSY) {
        return ngx_http_payer_reconcile_elsewhere(job);
    }

    if (ctx->io.rc != NGX_OK) {
        job->count.broken = 1;
        return NGX_DONE;
    }

    ctx->step = ngx_http_payer_reconcile_again;

    return NGX_OK;
}


/* as far as this run can tell, it remains in doubt */

static ngx_int_t
ngx_http_payer_reconcile_elsewhere(ngx_http_payer_reconcile_job_t *job)
{
    job->elsewhere = 1;
    job->count.unknown++;

    return NGX_DONE;
}


/* the record as it is now: another request may have settled it meanwhile */

static ngx_int_t
ngx_http_payer_reconcile_again(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                        rc;
    ngx_http_payer_reconcile_job_t  *job;

    job = ctx->data;

    rc = ngx_http_payer_ledger_get(ctx, &job->key);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc == NGX_ERROR) {
        job->count.broken = 1;
        return NGX_DONE;
    }

    job->value = ctx->io.value;

    if (rc == NGX_DECLINED || !ngx_http_payer_reconcile_doubtful(job)) {
        job->elsewhere = 1;
        return NGX_DONE;
    }

    return ngx_http_payer_reconcile_job_run(r, ctx);
}


static ngx_uint_t
ngx_http_payer_reconcile_doubtful(ngx_http_payer_reconcile_job_t *job)
{
    ngx_http_payer_op_t      op;
    ngx_http_payer_record_t  record;

    if (job->task == NGX_HTTP_PAYER_RECONCILE_OP) {
        return ngx_http_payer_op_decode(&job->value, &op) == NGX_OK
               && op.state < NGX_HTTP_PAYER_OP_REFUSED;
    }

    return ngx_http_payer_record_decode(&job->value, &record) == NGX_OK
           && (record.state == NGX_HTTP_PAYER_INITIATED || record.unknown)
           && record.payment_id.len == job->payment_id.len
           && ngx_memcmp(record.payment_id.data, job->payment_id.data,
                         job->payment_id.len)
              == 0;
}


void
ngx_http_payer_reconcile_keep(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_job_t *job)
{
    if (job->count.settled == 0 && job->count.expired == 0) {

        /* it is released for this nginx only */

        ctx->event_claim.taken = 0;
    }
}
