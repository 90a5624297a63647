
/*
 * Processes a record in doubt for payer_reconcile and payer_sweep: the payment
 * is read, and the result is stored.
 *
 *     operation:  find -> sums -> read -> decide -> written
 *     order:      read -> decide -> written -> capture, or the shop
 *
 * A payment that cannot be read is counted and left for another run, so that
 * it does not block the others.
 */


#include "ngx_http_payer_reconcile_job.h"
#include "ngx_http_payer_api.h"
#include "ngx_http_payer_audit.h"
#include "ngx_http_payer_auto_capture.h"
#include "ngx_http_payer_book.h"
#include "ngx_http_payer_execute.h"
#include "ngx_http_payer_keep.h"
#include "ngx_http_payer_ledger.h"
#include "ngx_http_payer_reading.h"


static ngx_int_t ngx_http_payer_reconcile_sums(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_reconcile_decide(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static void ngx_http_payer_reconcile_not_read(
    ngx_http_payer_reconcile_job_t *job, ngx_http_payer_call_t *call);
static ngx_int_t ngx_http_payer_reconcile_decide_op(
    ngx_http_payer_ctx_t *ctx, ngx_http_payer_reconcile_job_t *job);
static ngx_int_t ngx_http_payer_reconcile_outcome(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_job_t *job, ngx_str_t *reply,
    ngx_http_payer_store_entry_t *entry);
static ngx_int_t ngx_http_payer_reconcile_decide_order(
    ngx_http_payer_ctx_t *ctx, ngx_http_payer_reconcile_job_t *job);
static ngx_int_t ngx_http_payer_reconcile_written(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);


/* the order of the payment, which the read also updates */

ngx_int_t
ngx_http_payer_reconcile_find(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                        rc;
    ngx_str_t                       *id;
    ngx_http_payer_record_t         *record;
    ngx_http_payer_reconcile_job_t  *job;

    job = ctx->data;
    record = &ctx->record;
    id = &job->payment_id;

    rc = ngx_http_payer_ledger_find_payment(ctx, id);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc != NGX_OK
        || !ctx->found
        || record->payment_id.len != id->len
        || ngx_memcmp(record->payment_id.data, id->data, id->len) != 0)
    {
        /* or the order has another payment now */

        ctx->found = 0;
        record->payment_id = *id;

    } else if (ngx_http_payer_reconcile_conf(ctx, record) == NULL) {

        /* its own host reads it */

        return NGX_DONE;
    }

    ctx->request_id = job->op.request_id;

    if (ngx_http_payer_sums(ctx, &job->sums, job->operation, id, &job->key)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ctx->step = ngx_http_payer_reconcile_sums;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_reconcile_sums(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_reconcile_job_t  *job;

    job = ctx->data;

    if (ngx_http_payer_sums_run(ctx, &job->sums) == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    /* read after it was counted */

    ctx->step = ngx_http_payer_reconcile_read;

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_reconcile_read(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_call_t           *call;
    ngx_http_payer_reconcile_job_t  *job;

    job = ctx->data;

    call = ngx_http_payer_api_read_call(ctx, &ctx->record.payment_id,
                                        &job->payment, NULL);
    if (call == NULL) {
        return NGX_ERROR;
    }

    ctx->step = ngx_http_payer_reconcile_decide;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_reconcile_decide(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                        rc;
    ngx_http_payer_call_t           *call;
    ngx_http_payer_reconcile_job_t  *job;

    job = ctx->data;
    call = ctx->call;

    rc = ngx_http_payer_api_run(call);
    if (rc != NGX_OK) {
        return rc;
    }

    if (call->outcome != NGX_HTTP_PAYER_DONE) {
        ngx_http_payer_reconcile_not_read(job, call);
        return NGX_DONE;
    }

    job->count.reads++;
    job->body = call->exchange.reply;

    ctx->io.rc = NGX_OK;
    ctx->step = ngx_http_payer_reconcile_written;

    rc = (job->task == NGX_HTTP_PAYER_RECONCILE_OP)
         ? ngx_http_payer_reconcile_decide_op(ctx, job)
         : ngx_http_payer_reconcile_decide_order(ctx, job);

    return rc == NGX_AGAIN ? NGX_AGAIN : NGX_OK;
}


static void
ngx_http_payer_reconcile_not_read(ngx_http_payer_reconcile_job_t *job,
    ngx_http_payer_call_t *call)
{
    job->count.unknown++;
    job->count.failed++;

    if (job->task == NGX_HTTP_PAYER_RECONCILE_OP) {
        job->count.undecided++;
    }

    if (call->outcome == NGX_HTTP_PAYER_REFUSED
        && ngx_http_payer_api_answered(call))
    {
        /* Payer has replied, and does not know the payment */

        job->count.reads++;
        return;
    }

    job->count.status = call->status;
    job->count.reason = call->reason;
}


/*
 * An operation that the payment shows is done.  One that it does not show
 * after ten minutes is deleted, unless it was settled meanwhile: a repeat with
 * its key sends the same request id again.  If Payer has already replied to
 * such a repeat that it had handled the request, this would never end: then
 * that reply is kept.
 */

static ngx_int_t
ngx_http_payer_reconcile_decide_op(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_job_t *job)
{
    ngx_int_t                      rc;
    ngx_str_t                      reply;
    ngx_http_payer_state_e         state;
    ngx_http_payer_verdict_e       verdict;
    ngx_http_payer_store_entry_t   entry;

    static ngx_str_t  not_done = ngx_string("{\"message\":\"not done\"}");

    ngx_memzero(&entry, sizeof(ngx_http_payer_store_entry_t));
    entry.key = job->key;

    rc = NGX_AGAIN;

    if (job->payment.payment_id.len) {
        rc = ngx_http_payer_op_outcome(job->operation, &job->op, &job->payment,
                                       &job->sums.others, ngx_time());
    }

    switch (rc) {

    case NGX_OK:
        job->count.done++;
        job->op.state = NGX_HTTP_PAYER_OP_DONE;
        job->op.status = NGX_HTTP_OK;
        reply = job->body;
        break;

    case NGX_DECLINED:
        job->count.not_done++;
        job->op.state = NGX_HTTP_PAYER_OP_REFUSED;
        reply = not_done;
        break;

    default: /* NGX_AGAIN */
        job->count.unknown++;
        job->count.undecided++;

        return ctx->found ? ngx_http_payer_reconcile_decide_order(ctx, job)
                          : NGX_OK;
    }

    if (job->op.status == 0) {
        entry.merge = ngx_http_payer_op_forget;

    } else if (ngx_http_payer_reconcile_outcome(ctx, job, &reply, &entry)
               != NGX_OK)
    {
        ctx->io.rc = NGX_ERROR;
        return NGX_ERROR;
    }

    job->count.settled++;

    (void) ngx_http_payer_audit_found(ctx, &job->op,
                               &ngx_http_payer_api_type(job->operation)->name,
                               &job->name, &job->op.reason);

    if (ctx->found) {
        state = ctx->record.state;

        rc = ngx_http_payer_reading_apply(ctx, &job->payment, &verdict);

        if (rc == NGX_OK && job->op.state == NGX_HTTP_PAYER_OP_DONE) {
            ngx_http_payer_execute_shown(job->operation, &ctx->record);
        }

        job->count.settled += (ctx->record.state != state);
        job->stored = (rc == NGX_OK);

        ctx->found = job->stored;
    }

    return ngx_http_payer_book_write(ctx, NGX_HTTP_PAYER_BY_RECONCILE, &entry,
                                     &job->op, job->operation,
                                     &job->payment_id);
}


static ngx_int_t
ngx_http_payer_reconcile_outcome(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_job_t *job, ngx_str_t *reply,
    ngx_http_payer_store_entry_t *entry)
{
    static ngx_str_t  json = ngx_string("application/json");

    job->op.reply_type = json;
    job->op.reply = *reply;
    job->op.updated = ngx_time();

    if (job->op.reply.len > NGX_HTTP_PAYER_STORE_MAX_VALUE / 2) {
        ngx_str_null(&job->op.reply);
    }

    entry->merge = ngx_http_payer_op_merge;
    entry->expires = ngx_http_payer_keep_operation(ctx->conf);

    return ngx_http_payer_op_encode(ctx->request->pool, &job->op,
                                    &entry->value);
}


static ngx_int_t
ngx_http_payer_reconcile_decide_order(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_job_t *job)
{
    ngx_uint_t                same;
    ngx_http_payer_record_t   before;
    ngx_http_payer_verdict_e  verdict;

    before = ctx->record;

    if (ngx_http_payer_reading_apply(ctx, &job->payment, &verdict)
        != NGX_OK)
    {
        /* about another payment: the order is not changed */

        job->count.unknown++;
        ctx->found = 0;
        return NGX_OK;
    }

    if (verdict == NGX_HTTP_PAYER_PENDING) {
        job->count.unknown++;

    } else if (ctx->record.state == NGX_HTTP_PAYER_EXPIRED) {
        job->count.expired++;

    } else if (ctx->record.state != before.state) {
        job->count.settled++;
    }

    if (ngx_http_payer_reading_same(ctx, &before, &same) != NGX_OK) {
        ctx->io.rc = NGX_ERROR;
        return NGX_ERROR;
    }

    if (same) {
        return NGX_OK;
    }

    job->stored = 1;

    return ngx_http_payer_ledger_write(ctx, NGX_HTTP_PAYER_BY_RECONCILE);
}


ngx_int_t
ngx_http_payer_reconcile_expire(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_job_t *job)
{
    job->count.expired++;
    job->stored = 1;

    ctx->record.state = NGX_HTTP_PAYER_EXPIRED;
    ctx->step = ngx_http_payer_reconcile_written;

    return ngx_http_payer_ledger_write(ctx, NGX_HTTP_PAYER_BY_RECONCILE)
           == NGX_AGAIN ? NGX_AGAIN : NGX_OK;
}


static ngx_int_t
ngx_http_payer_reconcile_written(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_reconcile_job_t  *job;

    job = ctx->data;

    if (ctx->io.rc != NGX_OK
        || (job->stored && ngx_http_payer_reading_taken(ctx) != NGX_OK))
    {
        job->count.broken = 1;
        return NGX_DONE;
    }

    ngx_http_payer_reconcile_keep(ctx, job);

    if (job->task == NGX_HTTP_PAYER_RECONCILE_OP) {

        /* the order is processed when the walk reaches it */

        return NGX_DONE;
    }

    ctx->step = ngx_http_payer_reconcile_shop_due(ctx)
                ? ngx_http_payer_reconcile_shop
                : ngx_http_payer_reconcile_capture;

    return NGX_OK;
}


/* an automatic capture that failed before, or was not started */

ngx_int_t
ngx_http_payer_reconcile_capture(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_reconcile_job_t  *job;

    if (ngx_http_payer_auto_capture(ctx) == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    job = ctx->data;

    if (job->task == NGX_HTTP_PAYER_RECONCILE_CAPTURE
        && ctx->record.state == NGX_HTTP_PAYER_FULLY_CAPTURED)
    {
        job->count.settled++;
    }

    return NGX_DONE;
}


/* an authorization that is about to expire */

ngx_int_t
ngx_http_payer_reconcile_limit(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_reconcile_job_t  *job;

    if (ngx_http_payer_auto_limit(ctx) == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    job = ctx->data;

    if (ctx->record.state != NGX_HTTP_PAYER_AUTHORIZED) {
        job->count.settled++;
    }

    return NGX_DONE;
}
