
/*
 * Takes a link out of use: it cannot be paid any more, and the record of the
 * order says so, before another one is created.
 *
 *     mark -> cancel -> (read) -> stored
 *
 * The mark is stored before the call: if its outcome is lost, the link is not
 * presented again before the payment was read, since it may be cancelled.
 */


#include "ngx_http_payer_replace.h"
#include "ngx_http_payer_ledger.h"
#include "ngx_http_payer_log.h"
#include "ngx_http_payer_reading.h"


static ngx_http_payer_replace_t *ngx_http_payer_replace_create(
    ngx_http_payer_ctx_t *ctx,
    ngx_int_t (*state)(ngx_http_payer_replace_t *rt));
static ngx_int_t ngx_http_payer_replace_mark(ngx_http_payer_replace_t *rt);
static ngx_int_t ngx_http_payer_replace_marked(ngx_http_payer_replace_t *rt);
static ngx_int_t ngx_http_payer_replace_cancel(ngx_http_payer_replace_t *rt);
static void ngx_http_payer_replace_was_cancelled(ngx_http_payer_call_t *call);
static ngx_int_t ngx_http_payer_replace_cancelled(
    ngx_http_payer_replace_t *rt);
static ngx_int_t ngx_http_payer_replace_ask(ngx_http_payer_replace_t *rt);
static ngx_int_t ngx_http_payer_replace_read(ngx_http_payer_replace_t *rt);
static void ngx_http_payer_replace_was_read(ngx_http_payer_call_t *call);
static ngx_int_t ngx_http_payer_replace_stored(ngx_http_payer_replace_t *rt);
static void ngx_http_payer_replace_log(ngx_http_payer_replace_t *rt);
static ngx_int_t ngx_http_payer_replace_drop(ngx_http_payer_replace_t *rt);
static ngx_int_t ngx_http_payer_replace_dropped(ngx_http_payer_replace_t *rt);
static ngx_int_t ngx_http_payer_replace_over(ngx_http_payer_replace_t *rt,
    ngx_http_payer_replace_e result);


ngx_http_payer_replace_t *
ngx_http_payer_replace(ngx_http_payer_ctx_t *ctx)
{
    return ngx_http_payer_replace_create(ctx, ngx_http_payer_replace_mark);
}


ngx_http_payer_replace_t *
ngx_http_payer_replace_doubtful(ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_replace_t  *rt;

    rt = ngx_http_payer_replace_create(ctx, ngx_http_payer_replace_ask);

    if (rt) {
        rt->spare = 1;
    }

    return rt;
}


ngx_http_payer_replace_t *
ngx_http_payer_replace_unknown(ngx_http_payer_ctx_t *ctx)
{
    return ngx_http_payer_replace_create(ctx, ngx_http_payer_replace_drop);
}


static ngx_http_payer_replace_t *
ngx_http_payer_replace_create(ngx_http_payer_ctx_t *ctx,
    ngx_int_t (*state)(ngx_http_payer_replace_t *rt))
{
    ngx_http_payer_replace_t  *rt;

    rt = ngx_pcalloc(ctx->request->pool, sizeof(ngx_http_payer_replace_t));
    if (rt == NULL) {
        return NULL;
    }

    rt->ctx = ctx;
    rt->state = state;

    return rt;
}


ngx_int_t
ngx_http_payer_replace_run(ngx_http_payer_replace_t *rt)
{
    ngx_int_t  rc;

    while (rt->result == 0) {
        rc = rt->state(rt);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_replace_over(ngx_http_payer_replace_t *rt,
    ngx_http_payer_replace_e result)
{
    rt->result = result;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_replace_mark(ngx_http_payer_replace_t *rt)
{
    ngx_http_payer_ctx_t  *ctx;

    ctx = rt->ctx;

    ctx->record.unknown = 1;
    ctx->act = NGX_HTTP_PAYER_CLAIM_TAKE;
    rt->state = ngx_http_payer_replace_marked;

    return ngx_http_payer_ledger_write(ctx, NGX_HTTP_PAYER_BY_SELF)
           == NGX_AGAIN ? NGX_AGAIN : NGX_OK;
}


static ngx_int_t
ngx_http_payer_replace_marked(ngx_http_payer_replace_t *rt)
{
    ngx_http_payer_ctx_t  *ctx;

    ctx = rt->ctx;

    if (ctx->io.rc == NGX_BUSY) {

        /* another nginx with this store is replacing it */

        return ngx_http_payer_replace_over(rt, NGX_HTTP_PAYER_REPLACE_LOOK);
    }

    if (ctx->io.rc != NGX_OK) {
        return ngx_http_payer_replace_over(rt,
                                           NGX_HTTP_PAYER_REPLACE_NOT_STORED);
    }

    if (ctx->io.kept) {
        return ngx_http_payer_replace_over(rt, NGX_HTTP_PAYER_REPLACE_LOOK);
    }

    /* the outcome of the cancel settles the doubt that was just counted */

    if (ngx_http_payer_ledger_reread(ctx) != NGX_OK) {
        return ngx_http_payer_replace_over(rt,
                                           NGX_HTTP_PAYER_REPLACE_NOT_STORED);
    }

    if (ngx_http_payer_replace_cancel(rt) != NGX_OK) {
        return NGX_ERROR;
    }

    rt->call->settle = ngx_http_payer_replace_was_cancelled;
    rt->state = ngx_http_payer_replace_cancelled;

    return NGX_OK;
}


/* prepares the call */

static ngx_int_t
ngx_http_payer_replace_cancel(ngx_http_payer_replace_t *rt)
{
    ngx_http_payer_ctx_t  *ctx;

    ctx = rt->ctx;

    rt->call = ngx_http_payer_api_call(ctx, NGX_HTTP_PAYER_CALL_CANCEL,
                                       &ctx->record.payment_id);

    if (rt->call == NULL || ngx_http_payer_api_request_id(ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    rt->call->request_id = ctx->request_id;
    rt->call->expected = NGX_HTTP_BAD_REQUEST;

    return NGX_OK;
}


static void
ngx_http_payer_replace_was_cancelled(ngx_http_payer_call_t *call)
{
    ngx_http_payer_record_t  *record;

    record = &call->ctx->record;

    if (call->outcome == NGX_HTTP_PAYER_DONE) {
        record->state = NGX_HTTP_PAYER_CANCELLED;
        record->unknown = 0;

        (void) ngx_http_payer_ledger_write(call->ctx,
                                           NGX_HTTP_PAYER_BY_REPLY);
    }
}


static ngx_int_t
ngx_http_payer_replace_cancelled(ngx_http_payer_replace_t *rt)
{
    ngx_int_t  rc;

    rc = ngx_http_payer_api_run(rt->call);
    if (rc != NGX_OK) {
        return rc;
    }

    if (rt->ctx->record.state == NGX_HTTP_PAYER_CANCELLED) {
        rt->state = ngx_http_payer_replace_stored;
        return NGX_OK;
    }

    if (rt->call->outcome != NGX_HTTP_PAYER_REFUSED
        && rt->call->outcome != NGX_HTTP_PAYER_CONFLICT)
    {
        return ngx_http_payer_replace_over(rt, NGX_HTTP_PAYER_REPLACE_FAILED);
    }

    rt->refused = rt->call->exchange.status;
    rt->state = ngx_http_payer_replace_ask;

    return NGX_OK;
}


/*
 * Paid, cancelled or expired in the meantime: the payment is read.  A 404 to
 * the cancel may be caused by a wrong path; only one to the read means that
 * there is no payment.
 */

static ngx_int_t
ngx_http_payer_replace_ask(ngx_http_payer_replace_t *rt)
{
    ngx_http_payer_ctx_t   *ctx;
    ngx_http_payer_call_t  *call;

    ctx = rt->ctx;

    call = ngx_http_payer_api_read_call(ctx, &ctx->record.payment_id, NULL,
                                        ngx_http_payer_replace_was_read);
    if (call == NULL) {
        return NGX_ERROR;
    }

    rt->call = call;
    rt->state = ngx_http_payer_replace_read;

    return NGX_OK;
}


static void
ngx_http_payer_replace_was_read(ngx_http_payer_call_t *call)
{
    ngx_http_payer_record_t   *record;
    ngx_http_payer_verdict_e   verdict;

    record = &call->ctx->record;

    if (call->outcome == NGX_HTTP_PAYER_DONE) {

        if (ngx_http_payer_reading_take(call->ctx, call->result,
                                        NGX_HTTP_PAYER_BY_VERIFY, &verdict)
            == NGX_DECLINED)
        {
            call->outcome = NGX_HTTP_PAYER_UNKNOWN;
            call->status = NGX_HTTP_BAD_GATEWAY;
            call->reason = "Payer's reply is about another order";
        }

    } else if (call->outcome == NGX_HTTP_PAYER_REFUSED
               && call->exchange.status == NGX_HTTP_NOT_FOUND
               && ngx_http_payer_api_answered(call)
               && record->created + NGX_HTTP_PAYER_LINK_LIFE < ngx_time())
    {
        /* a payment that was made is known for 31 days */

        record->state = NGX_HTTP_PAYER_CANCELLED;
        record->unknown = 0;

        (void) ngx_http_payer_ledger_write(call->ctx,
                                           NGX_HTTP_PAYER_BY_REPLY);
    }
}


static ngx_int_t
ngx_http_payer_replace_read(ngx_http_payer_replace_t *rt)
{
    ngx_int_t  rc;

    rc = ngx_http_payer_api_run(rt->call);
    if (rc != NGX_OK) {
        return rc;
    }

    if (rt->call->outcome != NGX_HTTP_PAYER_DONE
        && rt->ctx->record.state != NGX_HTTP_PAYER_CANCELLED)
    {
        return ngx_http_payer_replace_over(rt, NGX_HTTP_PAYER_REPLACE_FAILED);
    }

    rt->state = ngx_http_payer_replace_stored;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_replace_stored(ngx_http_payer_replace_t *rt)
{
    ngx_str_t              id;
    ngx_http_payer_ctx_t  *ctx;

    ctx = rt->ctx;
    id = ctx->record.payment_id;

    if (ngx_http_payer_reading_taken(ctx) != NGX_OK) {
        return ngx_http_payer_replace_over(rt,
                                           NGX_HTTP_PAYER_REPLACE_NOT_STORED);
    }

    if (ctx->record.payment_id.len != id.len
        || ngx_memcmp(ctx->record.payment_id.data, id.data, id.len) != 0)
    {
        return ngx_http_payer_replace_over(rt, NGX_HTTP_PAYER_REPLACE_LOOK);
    }

    switch (ctx->record.state) {

    case NGX_HTTP_PAYER_CANCELLED:
    case NGX_HTTP_PAYER_EXPIRED:
        return ngx_http_payer_replace_over(rt, NGX_HTTP_PAYER_REPLACED);

    case NGX_HTTP_PAYER_INITIATED:
        ngx_http_payer_replace_log(rt);

        if (rt->spare && !ctx->record.unknown) {
            return ngx_http_payer_replace_over(rt,
                                               NGX_HTTP_PAYER_REPLACE_LOOK);
        }

        return ngx_http_payer_replace_over(rt, NGX_HTTP_PAYER_REPLACE_IN_USE);

    default:
        return ngx_http_payer_replace_over(rt, NGX_HTTP_PAYER_REPLACE_LOOK);
    }
}


/* a link that Payer reports as usable, and does not cancel */

static void
ngx_http_payer_replace_log(ngx_http_payer_replace_t *rt)
{
    if (rt->refused < NGX_HTTP_BAD_REQUEST || rt->refused == NGX_HTTP_CONFLICT)
    {
        return;
    }

    ngx_http_payer_log(NGX_LOG_ERR, rt->ctx,
                       "the link is not cancelled: Payer answered %ui, but "
                       "the payment is still \"%V\"; check \"payer_path "
                       "cancel\"", rt->refused, &rt->ctx->record.status);
}


/* a link that no client has is harmless: one call, which is not recorded */

static ngx_int_t
ngx_http_payer_replace_drop(ngx_http_payer_replace_t *rt)
{
    rt->state = ngx_http_payer_replace_dropped;

    return ngx_http_payer_replace_cancel(rt);
}


static ngx_int_t
ngx_http_payer_replace_dropped(ngx_http_payer_replace_t *rt)
{
    ngx_int_t  rc;

    rc = ngx_http_payer_api_run(rt->call);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_payer_replace_over(rt, NGX_HTTP_PAYER_REPLACE_LOOK);
}
