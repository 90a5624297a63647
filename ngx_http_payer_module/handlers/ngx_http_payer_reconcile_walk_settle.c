
/*
 * What the walk of payer_reconcile does with a record that is in doubt: reads
 * the payment, and stores what Payer says.
 *
 *     read -> judge -> written -> (capture) -> the walk goes on
 *
 * A payment that cannot be read is counted and left for another run, so that
 * it keeps nobody from those behind it.
 */


#include "ngx_http_payer_reconcile_walk.h"
#include "ngx_http_payer_answer.h"
#include "ngx_http_payer_api.h"
#include "ngx_http_payer_audit.h"
#include "ngx_http_payer_auto_capture.h"
#include "ngx_http_payer_ledger.h"
#include "ngx_http_payer_reading.h"


static ngx_int_t ngx_http_payer_reconcile_judge(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static void ngx_http_payer_reconcile_not_read(ngx_http_payer_reconcile_t *rec,
    ngx_http_payer_call_t *call);
static ngx_int_t ngx_http_payer_reconcile_judge_deed(
    ngx_http_payer_ctx_t *ctx, ngx_http_payer_reconcile_t *rec);
static ngx_int_t ngx_http_payer_reconcile_outcome(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec, ngx_str_t *reply,
    ngx_http_payer_store_entry_t *entry);
static ngx_int_t ngx_http_payer_reconcile_judge_order(
    ngx_http_payer_ctx_t *ctx, ngx_http_payer_reconcile_t *rec);
static ngx_int_t ngx_http_payer_reconcile_written(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);


/* an automatic capture that failed before, or that nobody came for */

ngx_int_t
ngx_http_payer_reconcile_capture(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_reconcile_t  *rec;

    if (ngx_http_payer_auto_capture(ctx) == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    rec = ctx->door_data;

    if (rec->authorized
        && ctx->record.state == NGX_HTTP_PAYER_FULLY_CAPTURED)
    {
        rec->settled++;
    }

    rec->authorized = 0;
    ctx->step = ngx_http_payer_reconcile_scan;

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_reconcile_read(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_str_t                   *id;
    ngx_http_payer_call_t       *call;
    ngx_http_payer_reconcile_t  *rec;

    rec = ctx->door_data;
    id = &ctx->record.payment_id;

    rec->examined++;
    ctx->step = ngx_http_payer_reconcile_judge;

    if (rec->read.len == id->len
        && ngx_memcmp(rec->read.data, id->data, id->len) == 0)
    {
        /* the operations of a payment stand together */

        return NGX_OK;
    }

    ngx_str_null(&rec->read);

    call = ngx_http_payer_api_call(ctx, NGX_HTTP_PAYER_CALL_READ, id);
    if (call == NULL) {
        return NGX_ERROR;
    }

    call->read = ngx_http_payer_api_read_payment;
    call->result = &rec->payment;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_reconcile_judge(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                    rc;
    ngx_http_payer_call_t       *call;
    ngx_http_payer_reconcile_t  *rec;

    rec = ctx->door_data;
    call = ctx->call;

    if (rec->read.len == 0) {

        rc = ngx_http_payer_api_run(call);
        if (rc != NGX_OK) {
            return rc;
        }

        if (call->outcome != NGX_HTTP_PAYER_DONE) {
            ngx_http_payer_reconcile_not_read(rec, call);
            ctx->step = ngx_http_payer_reconcile_scan;
            return NGX_OK;
        }

        rec->reads++;
        rec->in_a_row = 0;
        rec->read = ctx->record.payment_id;
        rec->body = call->exchange.reply;
    }

    ctx->step = ngx_http_payer_reconcile_written;

    rc = (rec->kind == NGX_HTTP_PAYER_RECONCILE_DEEDS)
         ? ngx_http_payer_reconcile_judge_deed(ctx, rec)
         : ngx_http_payer_reconcile_judge_order(ctx, rec);

    return rc == NGX_AGAIN ? NGX_AGAIN : NGX_OK;
}


static void
ngx_http_payer_reconcile_not_read(ngx_http_payer_reconcile_t *rec,
    ngx_http_payer_call_t *call)
{
    rec->unknown++;
    rec->failed++;

    if (rec->kind == NGX_HTTP_PAYER_RECONCILE_DEEDS) {
        rec->undecided++;
    }

    if (call->outcome == NGX_HTTP_PAYER_REFUSED
        && ngx_http_payer_api_heard(call))
    {
        /* Payer is there, and does not know the payment */

        rec->reads++;
        rec->in_a_row = 0;
        return;
    }

    rec->in_a_row++;
    rec->status = call->status;
    rec->reason = call->reason;
}


/*
 * An operation that shows in the payment is done.  One that does not, and had
 * ten minutes to, is forgotten, unless somebody has settled it meanwhile: a
 * repeat with its key sends the same request id again.  If Payer has already
 * answered such a repeat that it handled the request, it would never end: then
 * that answer is kept.
 */

static ngx_int_t
ngx_http_payer_reconcile_judge_deed(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec)
{
    ngx_int_t                      rc;
    ngx_str_t                      reply;
    ngx_http_payer_store_entry_t   entry;

    static ngx_str_t  not_done = ngx_string("{\"message\":\"not done\"}");
    static ngx_str_t  actor = ngx_string("payer_reconcile");

    ngx_memzero(&entry, sizeof(ngx_http_payer_store_entry_t));
    entry.key = rec->after;

    ctx->io.rc = NGX_OK;

    rc = NGX_AGAIN;

    if (rec->payment.payment_id.len) {
        rc = ngx_http_payer_judge(rec->operation, &rec->deed, &rec->payment,
                                  &rec->tally.others, ngx_time());
    }

    switch (rc) {

    case NGX_OK:
        rec->done++;
        rec->deed.state = NGX_HTTP_PAYER_DEED_DONE;
        rec->deed.status = NGX_HTTP_OK;
        reply = rec->body;
        break;

    case NGX_DECLINED:
        rec->not_done++;
        rec->deed.state = NGX_HTTP_PAYER_DEED_REFUSED;
        reply = not_done;
        break;

    default: /* NGX_AGAIN */
        rec->unknown++;
        rec->undecided++;
        return NGX_OK;
    }

    if (rec->deed.status == 0) {
        entry.merge = ngx_http_payer_deed_forget;

    } else if (ngx_http_payer_reconcile_outcome(ctx, rec, &reply, &entry)
               != NGX_OK)
    {
        return NGX_ERROR;
    }

    rec->settled++;

    (void) ngx_http_payer_audit_found(ctx, &rec->deed,
                               &ngx_http_payer_api_type(rec->operation)->name,
                               &actor);

    return ngx_http_payer_ledger_write_with(ctx, NGX_HTTP_PAYER_BY_RECONCILE,
                                            &entry);
}


static ngx_int_t
ngx_http_payer_reconcile_outcome(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec, ngx_str_t *reply,
    ngx_http_payer_store_entry_t *entry)
{
    static ngx_str_t  json = ngx_string("application/json");

    rec->deed.reply_type = json;
    rec->deed.reply = *reply;
    rec->deed.updated = ngx_time();

    if (rec->deed.reply.len > NGX_HTTP_PAYER_STORE_MAX_VALUE / 2) {
        ngx_str_null(&rec->deed.reply);
    }

    entry->merge = ngx_http_payer_deed_merge;

    return ngx_http_payer_deed_encode(ctx->request->pool, &rec->deed,
                                      &entry->value);
}


static ngx_int_t
ngx_http_payer_reconcile_judge_order(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec)
{
    ngx_int_t                  rc;
    ngx_http_payer_state_e     before;
    ngx_http_payer_verdict_e   verdict;

    before = ctx->record.state;

    rc = ngx_http_payer_reading_take(ctx, &rec->payment,
                                     NGX_HTTP_PAYER_BY_RECONCILE, &verdict);

    if (rc == NGX_DECLINED) {

        /* about another payment: the order is as it was */

        rec->unknown++;
        ctx->io.rc = NGX_OK;
        ctx->step = ngx_http_payer_reconcile_scan;
        return NGX_OK;
    }

    if (verdict == NGX_HTTP_PAYER_PENDING) {
        rec->unknown++;

    } else if (ctx->record.state == NGX_HTTP_PAYER_EXPIRED) {
        rec->expired++;

    } else if (ctx->record.state != before) {
        rec->settled++;
    }

    return rc;
}


ngx_int_t
ngx_http_payer_reconcile_expire(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec)
{
    rec->expired++;

    ctx->record.state = NGX_HTTP_PAYER_EXPIRED;
    ctx->step = ngx_http_payer_reconcile_written;

    return ngx_http_payer_ledger_write(ctx, NGX_HTTP_PAYER_BY_RECONCILE)
           == NGX_AGAIN ? NGX_AGAIN : NGX_OK;
}


static ngx_int_t
ngx_http_payer_reconcile_written(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    if (ctx->io.rc != NGX_OK
        || (ctx->found && ngx_http_payer_reading_taken(ctx) != NGX_OK))
    {
        return ngx_http_payer_reconcile_failed(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                            "the store could not be written");
    }

    ctx->step = ngx_http_payer_reconcile_capture;

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_reconcile_failed(ngx_http_request_t *r, ngx_uint_t status,
    const char *detail)
{
    ngx_http_payer_problem_t  problem;

    ngx_memzero(&problem, sizeof(ngx_http_payer_problem_t));

    problem.status = status;
    problem.detail = detail;

    return ngx_http_payer_answer_problem(r, &problem);
}
