
/*
 * The use of a lookup by checkout and payer_verify: whether the order is to be
 * paid here, and the cancel of a link that must not be used any more.
 */


#include "ngx_http_payer_lookup_use.h"
#include "ngx_http_payer_ledger.h"
#include "ngx_http_payer_log.h"
#include "ngx_http_payer_order_values.h"


static ngx_int_t ngx_http_payer_lookup_missing(ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_lookup_problem(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_lookup_decide(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_verdict_e *verdict);
static ngx_int_t ngx_http_payer_lookup_verdict(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_verdict_e *verdict);


#define NGX_HTTP_PAYER_LOOKUP_RETRY_AFTER  3    /* s */


ngx_int_t
ngx_http_payer_lookup_checkout(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_payer_lookup_run(ctx);

    if (rc != NGX_OK) {
        return rc == NGX_AGAIN ? NGX_AGAIN : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_payer_lookup_missing(ctx) != NGX_OK) {
        return ngx_http_payer_lookup_problem(r, ctx);
    }

    if (ctx->lookup == NULL) {
        return NGX_OK;
    }

    switch (ctx->lookup->verdict) {

    case NGX_HTTP_PAYER_LOOKUP_ABSENT:
    case NGX_HTTP_PAYER_LOOKUP_FAILED:
        return ngx_http_payer_lookup_problem(r, ctx);

    default:
        return NGX_OK;
    }
}


/* a field would be empty, or of an unknown order */

static ngx_int_t
ngx_http_payer_lookup_missing(ngx_http_payer_ctx_t *ctx)
{
    if (ctx->lookup || !ctx->conf->lookup_needed) {
        return NGX_OK;
    }

    ngx_http_payer_log(NGX_LOG_ERR, ctx, "location \"%V\" uses fields of a "
                       "lookup, but there was no lookup of this order in the "
                       "request",
                       &ctx->conf->clcf->name);

    return NGX_DECLINED;
}


/* the answer to a checkout whose order cannot be paid here */

static ngx_int_t
ngx_http_payer_lookup_problem(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_lookup_t   *lookup;
    ngx_http_payer_problem_t   problem;

    lookup = ctx->lookup;

    ngx_memzero(&problem, sizeof(ngx_http_payer_problem_t));

    switch (lookup ? lookup->verdict : NGX_HTTP_PAYER_LOOKUP_FAILED) {

    case NGX_HTTP_PAYER_LOOKUP_ABSENT:
        problem.status = NGX_HTTP_NOT_FOUND;
        problem.title = "The order does not exist";
        problem.detail = "the shop has no such order, or it is not yours";
        break;

    case NGX_HTTP_PAYER_LOOKUP_OTHER:
        problem.status = NGX_HTTP_CONFLICT;
        problem.type = "order-other";
        problem.title = "The order is paid by another method";
        problem.detail = "according to the shop, this order is paid by "
                         "another method";
        break;

    case NGX_HTTP_PAYER_LOOKUP_FAILED:
        problem.status = NGX_HTTP_SERVICE_UNAVAILABLE;
        problem.detail = "the price of the order could not be read from the "
                         "shop";
        problem.retry_after = NGX_HTTP_PAYER_LOOKUP_RETRY_AFTER;

        if (lookup && lookup->retry_after > 0) {
            problem.retry_after = lookup->retry_after;
        }

        break;

    default: /* paid in the shop, or closed there */
        problem.status = NGX_HTTP_CONFLICT;
        problem.type = "order-closed";
        problem.title = "The order cannot be paid";
        problem.detail = "the shop says that this order is not open";
    }

    if (problem.status == NGX_HTTP_CONFLICT) {
        ngx_http_payer_log(NGX_LOG_WARN, ctx, "the checkout was rejected: %s",
                           problem.detail);
    }

    return ngx_http_payer_answer_buyer(r, &problem);
}


ngx_int_t
ngx_http_payer_lookup_refuse(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_ledger_unclaim(ctx);

    return ngx_http_payer_lookup_problem(r, ctx);
}


ngx_http_payer_lookup_use_e
ngx_http_payer_lookup_use(ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_record_t  *record;

    if (ctx->lookup == NULL
        || ctx->lookup->verdict == NGX_HTTP_PAYER_LOOKUP_OPEN)
    {
        return NGX_HTTP_PAYER_USE_RECORD;
    }

    record = &ctx->record;

    if (ctx->found) {

        if (ngx_http_payer_state_paid(record->state)) {
            return NGX_HTTP_PAYER_USE_RECORD;
        }

        if (record->closed || record->state >= NGX_HTTP_PAYER_RELEASED) {
            return NGX_HTTP_PAYER_USE_CLOSED;
        }

        if (record->state == NGX_HTTP_PAYER_INITIATED
            && record->payment_id.len)
        {
            return ctx->lookup->over ? NGX_HTTP_PAYER_USE_CANCEL
                                     : NGX_HTTP_PAYER_USE_CLOSED;
        }
    }

    return ctx->lookup->verdict == NGX_HTTP_PAYER_LOOKUP_PAID
           ? NGX_HTTP_PAYER_USE_PAID : NGX_HTTP_PAYER_USE_CLOSED;
}


ngx_int_t
ngx_http_payer_lookup_before(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_verdict_e *verdict)
{
    ngx_int_t  rc;

    if (!ctx->conf->lookup_first) {
        return NGX_OK;
    }

    rc = ngx_http_payer_lookup_run(ctx);

    return rc == NGX_OK ? ngx_http_payer_lookup_decide(ctx, verdict) : rc;
}


/* NGX_OK if the lookup of this buyer's order was successful */

static ngx_int_t
ngx_http_payer_lookup_decide(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_verdict_e *verdict)
{
    switch (ctx->lookup->verdict) {

    case NGX_HTTP_PAYER_LOOKUP_ABSENT:
        return NGX_DECLINED;

    case NGX_HTTP_PAYER_LOOKUP_FAILED:
        *verdict = NGX_HTTP_PAYER_UNSURE;
        return NGX_DONE;

    default:
        return NGX_OK;
    }
}


ngx_int_t
ngx_http_payer_lookup_verify(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_step_pt again, ngx_http_payer_verdict_e *verdict)
{
    ngx_int_t  rc;

    rc = ngx_http_payer_lookup_run(ctx);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_payer_lookup_missing(ctx) != NGX_OK) {
        *verdict = NGX_HTTP_PAYER_UNSURE;
        return NGX_DONE;
    }

    if (ctx->lookup == NULL) {
        return NGX_OK;
    }

    rc = ngx_http_payer_lookup_decide(ctx, verdict);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_payer_lookup_use(ctx) == NGX_HTTP_PAYER_USE_CANCEL
        && ctx->lookup->replace == NULL
        && ngx_http_payer_ledger_try(ctx) == NGX_OK)
    {
        /* other requests for the order make the same lookup */

        ctx->lookup->replace = ngx_http_payer_replace(ctx);

        if (ctx->lookup->replace == NULL) {
            return NGX_ERROR;
        }

        ctx->lookup->again = again;
        ctx->step = ngx_http_payer_lookup_replace;

        return NGX_BUSY;
    }

    return ngx_http_payer_lookup_verdict(ctx, verdict);
}


/* NGX_DONE where the shop decides, NGX_OK where our record does */

static ngx_int_t
ngx_http_payer_lookup_verdict(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_verdict_e *verdict)
{
    switch (ctx->lookup->verdict) {

    case NGX_HTTP_PAYER_LOOKUP_OTHER:
        *verdict = NGX_HTTP_PAYER_OTHER;
        return NGX_DONE;

    case NGX_HTTP_PAYER_LOOKUP_PAID:

        switch (ngx_http_payer_lookup_use(ctx)) {

        case NGX_HTTP_PAYER_USE_PAID:
        case NGX_HTTP_PAYER_USE_CANCEL:
            *verdict = NGX_HTTP_PAYER_SHOP;
            return NGX_DONE;

        default:
            return NGX_OK;
        }

    default:
        return NGX_OK;
    }
}


/*
 * a link that must not be used any more: the order may be paid at the counter
 */

ngx_int_t
ngx_http_payer_lookup_replace(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_payer_replace_run(ctx->lookup->replace);

    if (rc != NGX_OK) {
        return rc == NGX_AGAIN ? NGX_AGAIN : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_payer_ledger_unclaim(ctx);

    ctx->step = ctx->lookup->again;

    return NGX_OK;
}
