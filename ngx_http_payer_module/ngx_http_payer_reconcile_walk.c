
/*
 * The walk of payer_reconcile.
 *
 *     scan -> (read -> settle) -> scan ... -> over
 */


#include "ngx_http_payer_reconcile_walk.h"
#include "ngx_http_payer_answer.h"
#include "ngx_http_payer_api.h"
#include "ngx_http_payer_auto_capture.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_ledger.h"
#include "ngx_http_payer_log.h"
#include "ngx_http_payer_reading.h"


#define NGX_HTTP_PAYER_RECONCILE_SCAN       10000   /* records in a call */
#define NGX_HTTP_PAYER_RECONCILE_BREATH     100     /* without a pause */


static ngx_int_t ngx_http_payer_reconcile_next(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_uint_t ngx_http_payer_reconcile_fresh(ngx_http_payer_ctx_t *ctx,
    time_t updated);
static ngx_int_t ngx_http_payer_reconcile_deed(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec);
static void ngx_http_payer_reconcile_damaged(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec);
static ngx_uint_t ngx_http_payer_reconcile_part(ngx_str_t *key, ngx_uint_t n,
    ngx_str_t *part);
static ngx_int_t ngx_http_payer_reconcile_order(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec);
static ngx_int_t ngx_http_payer_reconcile_capture(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_reconcile_tally(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_reconcile_read(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_reconcile_judge(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_reconcile_judge_deed(
    ngx_http_payer_ctx_t *ctx, ngx_http_payer_reconcile_t *rec);
static ngx_int_t ngx_http_payer_reconcile_judge_order(
    ngx_http_payer_ctx_t *ctx, ngx_http_payer_reconcile_t *rec);
static ngx_int_t ngx_http_payer_reconcile_expire(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec);
static ngx_int_t ngx_http_payer_reconcile_written(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);


ngx_str_t  ngx_http_payer_reconcile_kinds[] = {
    ngx_string("operation/"),
    ngx_string("order/")
};


ngx_int_t
ngx_http_payer_reconcile_scan(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                    rc;
    ngx_http_payer_reconcile_t  *rec;

    rec = ctx->door_data;

    if (!ctx->asked) {

        if (rec->kind == NGX_HTTP_PAYER_RECONCILE_KINDS
            || rec->examined == rec->limit
            || rec->scanned == NGX_HTTP_PAYER_RECONCILE_SCAN
            || ngx_http_payer_flow_left(ctx) < ctx->conf->timeout / 4)
        {
            ctx->step = rec->over;
            return NGX_OK;
        }

        if (++rec->scanned % NGX_HTTP_PAYER_RECONCILE_BREATH == 0) {
            return ngx_http_payer_flow_wait(ctx, 1);
        }
    }

    rc = ngx_http_payer_reconcile_next(r, ctx);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc == NGX_DECLINED) {
        rec->kind++;
        ngx_str_null(&rec->after);
        return NGX_OK;
    }

    if (rc != NGX_OK) {
        return ngx_http_payer_reconcile_failed(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                               "the store could not be read");
    }

    rec->after = ctx->io.key;
    ctx->found = 0;

    return (rec->kind == NGX_HTTP_PAYER_RECONCILE_DEEDS)
           ? ngx_http_payer_reconcile_deed(ctx, rec)
           : ngx_http_payer_reconcile_order(ctx, rec);
}


/* the next record of this merchant into ctx->io */

static ngx_int_t
ngx_http_payer_reconcile_next(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    u_char                      *p;
    ngx_int_t                    rc;
    ngx_str_t                    prefix, *kind;
    ngx_http_payer_store_t      *store;
    ngx_http_payer_reconcile_t  *rec;

    if (ctx->asked) {
        ctx->asked = 0;
        return ctx->io.rc;
    }

    rec = ctx->door_data;
    store = ctx->conf->main->store;
    kind = &ngx_http_payer_reconcile_kinds[rec->kind];

    prefix.len = kind->len + ctx->conf->merchant->id.len + 1;
    prefix.data = ngx_pnalloc(r->pool, prefix.len);
    if (prefix.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(prefix.data, kind->data, kind->len);
    p = ngx_cpymem(p, ctx->conf->merchant->id.data,
                   ctx->conf->merchant->id.len);
    *p = '/';

    rc = store->ops->next(store, &prefix, &rec->after, &ctx->io);

    ctx->asked = (rc == NGX_AGAIN);

    return rc;
}


/* an operation that was sent and of which nobody knows how it went */

static ngx_int_t
ngx_http_payer_reconcile_deed(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec)
{
    ngx_str_t                          name;
    const ngx_http_payer_call_type_t  *type;

    if (ngx_http_payer_deed_decode(&ctx->io.value, &rec->deed) != NGX_OK) {
        ngx_http_payer_reconcile_damaged(ctx, rec);
        return NGX_OK;
    }

    if (rec->deed.state >= NGX_HTTP_PAYER_DEED_REFUSED) {
        return NGX_OK;
    }

    if (rec->deed.state == NGX_HTTP_PAYER_DEED_SENT
        && ngx_http_payer_reconcile_fresh(ctx, rec->deed.updated))
    {
        return NGX_OK;
    }

    if (!ngx_http_payer_reconcile_part(&rec->after, 2,
                                       &ctx->record.payment_id)
        || !ngx_http_payer_reconcile_part(&rec->after, 3, &name))
    {
        return NGX_OK;
    }

    for (rec->operation = NGX_HTTP_PAYER_CALL_CAPTURE;
         rec->operation <= NGX_HTTP_PAYER_CALL_REFUND;
         rec->operation++)
    {
        type = ngx_http_payer_api_type(rec->operation);

        if (type->name.len == name.len
            && ngx_memcmp(type->name.data, name.data, name.len) == 0)
        {
            ctx->step = ngx_http_payer_reconcile_tally;

            return ngx_http_payer_tally(ctx, &rec->tally, rec->operation,
                                        &ctx->record.payment_id, &rec->after);
        }
    }

    return NGX_OK;
}


/*
 * One that may still be under way is left alone; one from the future is not,
 * as the clock was set back since.
 */

static ngx_uint_t
ngx_http_payer_reconcile_fresh(ngx_http_payer_ctx_t *ctx, time_t updated)
{
    time_t  now, lease;

    now = ngx_time();
    lease = ctx->conf->timeout / 1000 + 5;

    return updated + lease > now && updated <= now + lease;
}


static ngx_int_t
ngx_http_payer_reconcile_tally(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_reconcile_t  *rec;

    rec = ctx->door_data;

    if (ngx_http_payer_tally_run(ctx, &rec->tally) == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    /* read after it was counted */

    ngx_str_null(&rec->read);

    ctx->step = ngx_http_payer_reconcile_read;

    return NGX_OK;
}


static void
ngx_http_payer_reconcile_damaged(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec)
{
    ngx_http_payer_log(NGX_LOG_ERR, ctx,
                       "the record \"%V\" is damaged or of a newer "
                       "version", &rec->after);
}


/* the n-th part of a key between slashes, counted from 0: 1 or 0 */

static ngx_uint_t
ngx_http_payer_reconcile_part(ngx_str_t *key, ngx_uint_t n, ngx_str_t *part)
{
    u_char  *p, *last, *slash;

    p = key->data;
    last = p + key->len;

    for ( ;; ) {
        slash = ngx_strlchr(p, last, '/');

        if (slash == NULL) {
            return 0;
        }

        if (n-- == 0) {
            part->data = p;
            part->len = slash - p;
            return 1;
        }

        p = slash + 1;
    }
}


static ngx_int_t
ngx_http_payer_reconcile_order(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec)
{
    time_t                    now;
    ngx_http_payer_record_t  *record;

    record = &ctx->record;
    now = ngx_time();

    if (ngx_http_payer_record_decode(&ctx->io.value, record) != NGX_OK) {
        ngx_http_payer_reconcile_damaged(ctx, rec);
        return NGX_OK;
    }

    ctx->found = 1;

    if (record->state == NGX_HTTP_PAYER_AUTHORIZED
        && record->created + (time_t) rec->days * 86400 < now)
    {
        rec->old++;
    }

    if (record->state == NGX_HTTP_PAYER_CREATING) {

        if (ngx_http_payer_reconcile_fresh(ctx, record->updated)) {
            return NGX_OK;
        }

        /* the creator is gone, and nobody has the link if there is one */

        return ngx_http_payer_reconcile_expire(ctx, rec);
    }

    if (record->state == NGX_HTTP_PAYER_INITIATED || record->unknown) {
        ctx->step = ngx_http_payer_reconcile_read;

    } else if (record->state == NGX_HTTP_PAYER_AUTHORIZED
               && ctx->conf->auto_capture)
    {
        rec->examined++;
        rec->authorized = 1;
        ctx->step = ngx_http_payer_reconcile_capture;
    }

    return NGX_OK;
}


/* an automatic capture that failed before, or that nobody came for */

static ngx_int_t
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


static ngx_int_t
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

        if (call->outcome == NGX_HTTP_PAYER_REFUSED
            && ngx_http_payer_api_heard(call))
        {
            /* Payer does not know the payment */

            rec->unknown++;
            ctx->step = ngx_http_payer_reconcile_scan;
            return NGX_OK;
        }

        if (call->outcome != NGX_HTTP_PAYER_DONE) {
            return ngx_http_payer_reconcile_failed(r, call->status,
                                                   call->reason);
        }

        rec->read = ctx->record.payment_id;
        rec->body = call->exchange.reply;
    }

    ctx->step = ngx_http_payer_reconcile_written;

    rc = (rec->kind == NGX_HTTP_PAYER_RECONCILE_DEEDS)
         ? ngx_http_payer_reconcile_judge_deed(ctx, rec)
         : ngx_http_payer_reconcile_judge_order(ctx, rec);

    return rc == NGX_AGAIN ? NGX_AGAIN : NGX_OK;
}


/*
 * An operation that shows in the payment is done.  One that does not, and had
 * ten minutes to, is forgotten, unless somebody has settled it meanwhile: a
 * repeat with its key sends the same request id again.
 */

static ngx_int_t
ngx_http_payer_reconcile_judge_deed(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec)
{
    ngx_http_payer_store_entry_t  entry;

    static ngx_str_t  json = ngx_string("application/json");

    ngx_memzero(&entry, sizeof(ngx_http_payer_store_entry_t));
    entry.key = rec->after;

    ctx->io.rc = NGX_OK;

    if (rec->payment.payment_id.len == 0) {
        rec->unknown++;
        return NGX_OK;
    }

    switch (ngx_http_payer_judge(rec->operation, &rec->deed, &rec->payment,
                                 &rec->tally.others, ngx_time()))
    {
    case NGX_OK:
        rec->deed.state = NGX_HTTP_PAYER_DEED_DONE;
        rec->deed.status = NGX_HTTP_OK;
        rec->deed.reply_type = json;
        rec->deed.reply = rec->body;
        rec->deed.updated = ngx_time();

        if (rec->deed.reply.len > NGX_HTTP_PAYER_STORE_MAX_VALUE / 2) {
            ngx_str_null(&rec->deed.reply);
        }

        if (ngx_http_payer_deed_encode(ctx->request->pool, &rec->deed,
                                       &entry.value)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        entry.merge = ngx_http_payer_deed_merge;
        break;

    case NGX_DECLINED:
        entry.merge = ngx_http_payer_deed_forget;
        break;

    default: /* NGX_AGAIN */
        rec->unknown++;
        return NGX_OK;
    }

    rec->settled++;

    return ngx_http_payer_ledger_write_with(ctx, NGX_HTTP_PAYER_BY_RECONCILE,
                                            &entry);
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


static ngx_int_t
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
