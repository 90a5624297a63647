
/*
 * A record in doubt has its own background request: its start and its end.
 */


#include "ngx_http_payer_reconcile_job.h"
#include "ngx_http_payer_api.h"
#include "ngx_http_payer_background.h"
#include "ngx_http_payer_flow.h"


#define NGX_HTTP_PAYER_RECONCILE_MARGIN  8      /* a part of the timeout */


static ngx_http_payer_reconcile_job_t *ngx_http_payer_reconcile_job_create(
    ngx_http_payer_ctx_t *ctx, ngx_str_t *id);
static void ngx_http_payer_reconcile_job_over(void *data, ngx_int_t rc);
static ngx_int_t ngx_http_payer_reconcile_job_begin(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_reconcile_job_operation(
    ngx_http_payer_ctx_t *ctx, ngx_http_payer_reconcile_job_t *job);


ngx_int_t
ngx_http_payer_reconcile_job(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec, ngx_http_payer_reconcile_task_e task,
    ngx_str_t *id)
{
    ngx_int_t                        rc;
    ngx_queue_t                     *q;
    ngx_http_payer_background_t      work;
    ngx_http_payer_reconcile_job_t  *job;

    /* one must see what the other one has settled */

    for (q = ngx_queue_head(&rec->jobs);
         q != ngx_queue_sentinel(&rec->jobs);
         q = ngx_queue_next(q))
    {
        job = ngx_queue_data(q, ngx_http_payer_reconcile_job_t, queue);

        if (job->payment_id.len == id->len
            && ngx_memcmp(job->payment_id.data, id->data, id->len) == 0)
        {
            return NGX_BUSY;
        }
    }

    job = ngx_http_payer_reconcile_job_create(ctx, id);
    if (job == NULL) {
        return NGX_ERROR;
    }

    job->rec = rec;
    job->sweep = ctx->sweep;
    job->name.data = (u_char *) rec->name;
    job->name.len = ngx_strlen(rec->name);
    job->task = task;
    job->quiet = (task != NGX_HTTP_PAYER_RECONCILE_OP
                  && !ngx_http_payer_reconcile_news(rec, &ctx->record,
                                                    ctx->record.updated));
    job->until = ctx->deadline
                 - ctx->conf->timeout / NGX_HTTP_PAYER_RECONCILE_MARGIN;

    ngx_memzero(&work, sizeof(ngx_http_payer_background_t));

    work.name = rec->name;
    work.conf = (task == NGX_HTTP_PAYER_RECONCILE_OP)
                ? ctx->conf
                : ngx_http_payer_reconcile_conf(ctx, &ctx->record);
    work.step = ngx_http_payer_reconcile_job_begin;
    work.data = job;
    work.over = ngx_http_payer_reconcile_job_over;

    rc = ngx_http_payer_background_start(&work);

    if (rc != NGX_OK) {
        ngx_free(job);
        return rc;
    }

    ngx_queue_insert_tail(&rec->jobs, &job->queue);
    rec->running++;

    return NGX_OK;
}


/* with copies of the record in ctx->io, which makes room for the next one */

static ngx_http_payer_reconcile_job_t *
ngx_http_payer_reconcile_job_create(ngx_http_payer_ctx_t *ctx, ngx_str_t *id)
{
    u_char                          *p;
    ngx_http_payer_reconcile_job_t  *job;

    job = ngx_alloc(sizeof(ngx_http_payer_reconcile_job_t)
                    + ctx->io.key.len + ctx->io.value.len + id->len,
                    ctx->request->connection->log);
    if (job == NULL) {
        return NULL;
    }

    ngx_memzero(job, sizeof(ngx_http_payer_reconcile_job_t));

    p = (u_char *) (job + 1);

    job->key.data = p;
    job->key.len = ctx->io.key.len;
    p = ngx_cpymem(p, ctx->io.key.data, ctx->io.key.len);

    job->value.data = p;
    job->value.len = ctx->io.value.len;
    p = ngx_cpymem(p, ctx->io.value.data, ctx->io.value.len);

    job->payment_id.data = p;
    job->payment_id.len = id->len;
    ngx_memcpy(p, id->data, id->len);

    return job;
}


static void
ngx_http_payer_reconcile_job_over(void *data, ngx_int_t rc)
{
    ngx_http_payer_reconcile_job_t  *job = data;

    ngx_http_payer_reconcile_t        *rec;
    ngx_http_payer_reconcile_count_t  *count;

    rec = job->rec;
    count = &job->count;

    if (rec == NULL) {
        ngx_free(job);
        return;
    }

    if (rc != NGX_DONE) {

        /* ended by force, or there was no memory */

        count->unknown++;
        count->failed++;
        count->status = NGX_HTTP_SERVICE_UNAVAILABLE;
        count->reason = "the payment was not read completely";
    }

    rec->count.settled += count->settled;
    rec->count.done += count->done;
    rec->count.not_done += count->not_done;
    rec->count.undecided += count->undecided;
    rec->count.unknown += count->unknown;
    rec->count.reads += count->reads;
    rec->count.failed += count->failed;
    rec->count.expired += count->expired;
    rec->count.broken |= count->broken;

    if (job->elsewhere) {
        rec->examined--;
    }

    /* more at once while Payer replies; otherwise one at a time */

    if (count->failed == 0 || count->reads) {
        rec->in_a_row = 0;
        rec->window = ngx_min(rec->window + 1,
                              NGX_HTTP_PAYER_RECONCILE_WINDOW);

    } else {
        rec->in_a_row++;
        rec->window = 1;
        rec->count.status = count->status;
        rec->count.reason = count->reason;
    }

    ngx_queue_remove(&job->queue);
    rec->running--;

    ngx_free(job);

    ngx_http_payer_flow_wake(rec->ctx);
}


void
ngx_http_payer_reconcile_leave(ngx_http_payer_reconcile_t *rec)
{
    ngx_queue_t                     *q;
    ngx_http_payer_reconcile_job_t  *job;

    for (q = ngx_queue_head(&rec->jobs);
         q != ngx_queue_sentinel(&rec->jobs);
         q = ngx_queue_next(q))
    {
        job = ngx_queue_data(q, ngx_http_payer_reconcile_job_t, queue);
        job->rec = NULL;
    }

    ngx_queue_init(&rec->jobs);
}


static ngx_int_t
ngx_http_payer_reconcile_job_begin(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_reconcile_job_t  *job;

    job = ctx->data;

    /* within the time of the walk that waits for it */

    if ((ngx_msec_int_t) (job->until - ctx->deadline) < 0) {
        ctx->deadline = job->until;
    }

    ctx->sweep = job->sweep;
    ctx->quiet = job->quiet;

    if (job->task == NGX_HTTP_PAYER_RECONCILE_OP
        || job->task == NGX_HTTP_PAYER_RECONCILE_READ)
    {
        ctx->step = ngx_http_payer_reconcile_claim;
        return NGX_OK;
    }

    return ngx_http_payer_reconcile_job_run(r, ctx);
}


ngx_int_t
ngx_http_payer_reconcile_job_run(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_reconcile_job_t  *job;

    job = ctx->data;

    if (job->task == NGX_HTTP_PAYER_RECONCILE_OP) {
        return ngx_http_payer_reconcile_job_operation(ctx, job);
    }

    if (ngx_http_payer_record_decode(&job->value, &ctx->record) != NGX_OK) {
        return NGX_DONE;
    }

    ctx->found = 1;

    switch (job->task) {

    case NGX_HTTP_PAYER_RECONCILE_READ:
        ctx->step = ngx_http_payer_reconcile_read;
        return NGX_OK;

    case NGX_HTTP_PAYER_RECONCILE_EXPIRE:
        return ngx_http_payer_reconcile_expire(ctx, job);

    case NGX_HTTP_PAYER_RECONCILE_LIMIT:
        ctx->step = ngx_http_payer_reconcile_limit;
        return NGX_OK;

    default: /* NGX_HTTP_PAYER_RECONCILE_CAPTURE */
        ctx->step = ngx_http_payer_reconcile_capture;
        return NGX_OK;
    }
}


static ngx_int_t
ngx_http_payer_reconcile_job_operation(
    ngx_http_payer_ctx_t *ctx, ngx_http_payer_reconcile_job_t *job)
{
    ngx_str_t                          name;
    const ngx_http_payer_call_type_t  *type;

    if (ngx_http_payer_op_decode(&job->value, &job->op) != NGX_OK
        || !ngx_http_payer_reconcile_part(&job->key, 3, &name))
    {
        return NGX_DONE;
    }

    for (job->operation = NGX_HTTP_PAYER_CALL_CAPTURE;
         job->operation <= NGX_HTTP_PAYER_CALL_REFUND;
         job->operation++)
    {
        type = ngx_http_payer_api_type(job->operation);

        if (type->name.len == name.len
            && ngx_memcmp(type->name.data, name.data, name.len) == 0)
        {
            ctx->step = ngx_http_payer_reconcile_find;
            return NGX_OK;
        }
    }

    return NGX_DONE;
}
