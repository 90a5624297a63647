
/*
 * What payer_reconcile and payer_sweep do about a record that is in doubt: the
 * payment is read, and what Payer says is stored.
 *
 *     operation:  find -> sums -> read -> decide -> written
 *     order:      read -> decide -> written -> capture
 *
 * Each record has a background request of its own.  A payment that cannot be
 * read is counted and left for another run, so that it keeps nobody from those
 * behind it.
 */


#include "ngx_http_payer_reconcile_walk.h"
#include "ngx_http_payer_api.h"
#include "ngx_http_payer_audit.h"
#include "ngx_http_payer_auto_capture.h"
#include "ngx_http_payer_background.h"
#include "ngx_http_payer_book.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_keep.h"
#include "ngx_http_payer_ledger.h"
#include "ngx_http_payer_reading.h"


#define NGX_HTTP_PAYER_RECONCILE_MARGIN  8      /* a part of the timeout */


typedef struct {
    ngx_queue_t                      queue;     /* of rec->jobs */
    ngx_http_payer_reconcile_t      *rec;       /* NULL: it is gone */
    ngx_str_t                        name;      /* of the work */
    ngx_http_payer_sweep_t          *sweep;     /* or NULL */
    ngx_http_payer_reconcile_task_e  task;
    ngx_http_payer_reconcile_count_t count;
    ngx_msec_t                       until;

    ngx_str_t                        key;       /* these are its own */
    ngx_str_t                        value;
    ngx_str_t                        payment_id;

    ngx_http_payer_json_payment_t    payment;
    ngx_str_t                        body;      /* of that reply */
    ngx_http_payer_op_t              op;
    ngx_http_payer_call_e            operation; /* of "op" */
    ngx_http_payer_sums_t            sums;      /* of the others */

    unsigned                         stored:1;  /* a record was written */
} ngx_http_payer_reconcile_job_t;


static ngx_http_payer_reconcile_job_t *ngx_http_payer_reconcile_job_create(
    ngx_http_payer_ctx_t *ctx, ngx_str_t *id);
static void ngx_http_payer_reconcile_job_over(void *data, ngx_int_t rc);
static ngx_int_t ngx_http_payer_reconcile_job_begin(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_reconcile_job_operation(
    ngx_http_payer_ctx_t *ctx, ngx_http_payer_reconcile_job_t *job);
static ngx_int_t ngx_http_payer_reconcile_find(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_reconcile_sums(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_reconcile_read(ngx_http_request_t *r,
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
static ngx_int_t ngx_http_payer_reconcile_expire(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_job_t *job);
static ngx_int_t ngx_http_payer_reconcile_written(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_reconcile_capture(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);


ngx_int_t
ngx_http_payer_reconcile_job(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec, ngx_http_payer_reconcile_task_e task,
    ngx_str_t *id)
{
    ngx_int_t                        rc;
    ngx_queue_t                     *q;
    ngx_http_payer_background_t      work;
    ngx_http_payer_reconcile_job_t  *job;

    /* what one has settled, the other one has to see */

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
    job->until = ctx->deadline
                 - ctx->conf->timeout / NGX_HTTP_PAYER_RECONCILE_MARGIN;

    ngx_memzero(&work, sizeof(ngx_http_payer_background_t));

    work.name = rec->name;
    work.conf = (task == NGX_HTTP_PAYER_RECONCILE_DEED)
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

    /* more at once as long as Payer answers; if it does not, one will do */

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

    while (!ngx_queue_empty(&rec->jobs)) {
        q = ngx_queue_head(&rec->jobs);
        ngx_queue_remove(q);

        job = ngx_queue_data(q, ngx_http_payer_reconcile_job_t, queue);
        job->rec = NULL;
    }
}


static ngx_int_t
ngx_http_payer_reconcile_job_begin(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_reconcile_job_t  *job;

    job = ctx->data;

    /* in the time of the walk that waits for it */

    if ((ngx_msec_int_t) (job->until - ctx->deadline) < 0) {
        ctx->deadline = job->until;
    }

    ctx->sweep = job->sweep;

    if (job->task == NGX_HTTP_PAYER_RECONCILE_DEED) {
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

    default:
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


/* the order that the payment belongs to, which the read is about, too */

static ngx_int_t
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
        /* or another payment has it now, and the operation stands alone */

        ctx->found = 0;
        record->payment_id = *id;

    } else if (ngx_http_payer_reconcile_conf(ctx, record) == NULL) {

        /* a host of its own reads it back */

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


static ngx_int_t
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

    rc = (job->task == NGX_HTTP_PAYER_RECONCILE_DEED)
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

    if (job->task == NGX_HTTP_PAYER_RECONCILE_DEED) {
        job->count.undecided++;
    }

    if (call->outcome == NGX_HTTP_PAYER_REFUSED
        && ngx_http_payer_api_answered(call))
    {
        /* Payer is there, and does not know the payment */

        job->count.reads++;
        return;
    }

    job->count.status = call->status;
    job->count.reason = call->reason;
}


/*
 * An operation that shows in the payment is done.  One that does not, and had
 * ten minutes to, is forgotten, unless somebody has settled it meanwhile: a
 * repeat with its key sends the same request id again.  If Payer has already
 * answered such a repeat that it handled the request, it would never end: then
 * that answer is kept.
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
                               &job->name);

    if (ctx->found) {
        state = ctx->record.state;

        rc = ngx_http_payer_reading_apply(ctx, &job->payment, &verdict);

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
        /* about another payment: the order is as it was */

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


static ngx_int_t
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

    if (job->task == NGX_HTTP_PAYER_RECONCILE_DEED) {

        /* the order has its turn when the walk comes to it */

        return NGX_DONE;
    }

    ctx->step = ngx_http_payer_reconcile_capture;

    return NGX_OK;
}


/* an automatic capture that failed before, or that nobody came for */

static ngx_int_t
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
