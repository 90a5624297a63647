
/*
 * payer_verify: passes a request only if its order is paid.
 *
 *     reference -> find -> (recently proved) -> read from Payer -> end
 *
 * After any failure the request is not passed.
 */


#include "ngx_http_payer_verify.h"
#include "ngx_http_payer_answer.h"
#include "ngx_http_payer_api.h"
#include "ngx_http_payer_counter.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_ledger.h"
#include "ngx_http_payer_log.h"
#include "ngx_http_payer_lookup_use.h"
#include "ngx_http_payer_order_values.h"
#include "ngx_http_payer_query.h"
#include "ngx_http_payer_ticket.h"
#include "ngx_http_payer_verify_amount.h"


static ngx_int_t ngx_http_payer_verify_patience(ngx_http_request_t *r,
    ngx_http_payer_verify_conf_t *verify, ngx_msec_t *wait);
static ngx_int_t ngx_http_payer_verify_value(ngx_http_request_t *r,
    ngx_http_payer_verify_conf_t *verify, ngx_str_t *reference);
static ngx_int_t ngx_http_payer_verify_reference(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_verify_unknown(ngx_http_payer_ctx_t *ctx);
static void ngx_http_payer_verify_forget(ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_verify_looked_up(ngx_http_payer_ctx_t *ctx,
    ngx_int_t rc, ngx_http_payer_verdict_e verdict);
static ngx_int_t ngx_http_payer_verify_retry(ngx_http_payer_ctx_t *ctx);


#define NGX_HTTP_PAYER_RETRY_AFTER      3       /* s, at least, and at most */
#define NGX_HTTP_PAYER_MAX_RETRY_AFTER  60


static ngx_str_t  ngx_http_payer_verify_name = ngx_string("verify");


/*
 * Called again and again while the flow is parked.  A context that is not
 * running belongs to another location, before an internal redirect, and its
 * result does not apply here.
 */

ngx_int_t
ngx_http_payer_verify_handler(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_msec_t                  wait;
    ngx_http_payer_ctx_t       *ctx, *before;
    ngx_http_payer_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_payer_module);

    if (conf->verify.reference.value == NULL) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_payer_module);

    if (ctx == NULL || ctx->verify == NULL || !ctx->verify->running) {

        before = ngx_http_payer_get_ctx(r);

        ctx = ngx_http_payer_flow_create(r, conf,
                                         ngx_http_payer_verify_reference);
        if (ctx == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (before && (before->verify == NULL
                       || ngx_http_payer_verify_passed(before)))
        {
            /*
             * $payer_reference is that of the location that led here, but not
             * of one that has rejected the request, perhaps for its ticket
             */

            ctx->order.reference = before->order.reference;
        }

        ctx->verify = ngx_pcalloc(r->pool, sizeof(ngx_http_payer_verify_t));
        if (ctx->verify == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (ngx_http_payer_ticket_hide(r, conf) != NGX_OK
            || ngx_http_payer_verify_patience(r, &conf->verify, &wait)
               != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ctx->operation = &ngx_http_payer_verify_name;
        ctx->record.authorized = -1;
        ctx->record.captured = -1;
        ctx->record.refunded = -1;
        ctx->verdict = NGX_HTTP_PAYER_UNSURE;
        ctx->verify->running = 1;
        ctx->verify->until = ngx_current_msec + wait;
    }

    rc = ngx_http_payer_flow_run(r, ctx);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    ctx->verify->running = 0;

    if (rc == NGX_DONE && ngx_http_payer_verify_passed(ctx)) {
        return NGX_OK;
    }

    return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc
                                           : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


/* how long this request may wait for the payment */

static ngx_int_t
ngx_http_payer_verify_patience(ngx_http_request_t *r,
    ngx_http_payer_verify_conf_t *verify, ngx_msec_t *wait)
{
    ngx_str_t  text;

    *wait = verify->wait;

    if (verify->wait == 0 || verify->wait_if == NULL) {
        return NGX_OK;
    }

    if (ngx_http_complex_value(r, verify->wait_if, &text) != NGX_OK) {
        return NGX_ERROR;
    }

    if (text.len == 0 || (text.len == 1 && text.data[0] == '0')) {
        *wait = 0;
    }

    return NGX_OK;
}


/* NGX_OK, NGX_DECLINED (no reference, or more than one), NGX_ERROR */

static ngx_int_t
ngx_http_payer_verify_value(ngx_http_request_t *r,
    ngx_http_payer_verify_conf_t *verify, ngx_str_t *reference)
{
    if (verify->args && !ngx_http_payer_query_clear(&r->args, verify->args)) {

        ngx_http_payer_log(NGX_LOG_WARN, ngx_http_payer_get_ctx(r),
                           "the order is named more than once in the query");
        return NGX_DECLINED;
    }

    return ngx_http_payer_order_reference(r, &verify->reference, reference);
}


static ngx_int_t
ngx_http_payer_verify_reference(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                 rc;
    ngx_http_payer_verdict_e  verdict;

    rc = ngx_http_payer_lookup_before(ctx, &verdict);

    if (rc != NGX_OK) {
        return ngx_http_payer_verify_looked_up(ctx, rc, verdict);
    }

    rc = ngx_http_payer_verify_value(r, &ctx->conf->verify,
                                     &ctx->order.reference);

    if (rc == NGX_DECLINED) {
        ngx_str_null(&ctx->order.reference);
        return ngx_http_payer_verify_end(ctx, NGX_HTTP_PAYER_UNPAID);
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->step = ngx_http_payer_verify_find;

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_verify_find(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                  rc;
    ngx_http_payer_record_t   *record;
    ngx_http_payer_verdict_e   verdict;

    verdict = NGX_HTTP_PAYER_UNSURE;

    /* a database that was replaced and does not know knows no new order */

    ctx->io.confirm = 1;

    rc = ngx_http_payer_ledger_find(ctx, &ctx->order.reference);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc != NGX_OK) {
        return ngx_http_payer_verify_end(ctx, NGX_HTTP_PAYER_UNSURE);
    }

    record = &ctx->record;

    rc = ngx_http_payer_ticket_admit(r, ctx->conf, record);

    if (rc != NGX_OK) {
        return rc == NGX_DECLINED ? ngx_http_payer_verify_unknown(ctx)
                                  : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_payer_lookup_verify(ctx, ngx_http_payer_verify_find,
                                      &verdict);

    if (rc != NGX_OK) {
        return ngx_http_payer_verify_looked_up(ctx, rc, verdict);
    }

    if (!ctx->found) {
        return ngx_http_payer_verify_end(ctx, NGX_HTTP_PAYER_UNPAID);
    }

    ctx->order.amount = record->amount;
    ctx->order.currency = record->currency;

    if (ngx_http_payer_proof_recent(record, ctx->conf->verify.cache,
                                    ngx_time()))
    {
        return ngx_http_payer_verify_end(ctx, ngx_http_payer_verify_sum(ctx));
    }

    if (ngx_http_payer_proof_lost(record)) {
        return ngx_http_payer_verify_end(ctx, NGX_HTTP_PAYER_UNPAID);
    }

    if (record->payment_id.len == 0) {

        /*
         * being created, or created by a call whose reply was lost; a link of
         * an ended call is not known to any client, so it is not paid.  If the
         * lookup has just shown that the order is not paid, the buyer is sent
         * to the checkout to wait for the link.
         */

        return ngx_http_payer_verify_end(ctx, (record->state
                                               == NGX_HTTP_PAYER_EXPIRED
                                               || ctx->lookup)
                                              ? NGX_HTTP_PAYER_UNPAID
                                              : NGX_HTTP_PAYER_UNSURE);
    }

    ctx->step = ngx_http_payer_verify_turn;

    return NGX_OK;
}


/*
 * Paid, but the required amount may be larger now.  The amount in the shop's
 * response to this request is newer than that of a checkout.
 */

ngx_http_payer_verdict_e
ngx_http_payer_verify_sum(ngx_http_payer_ctx_t *ctx)
{
    int64_t                        wanted, paid;
    ngx_int_t                      rc;
    ngx_str_t                      currency;
    ngx_http_payer_record_t       *record;
    ngx_http_payer_verify_conf_t  *verify;

    record = &ctx->record;
    verify = &ctx->conf->verify;

    rc = ngx_http_payer_verify_amount_get(ctx->request, verify, &wanted,
                                          &currency);
    if (rc != NGX_OK) {
        return rc == NGX_DECLINED ? NGX_HTTP_PAYER_UNPAID
                                  : NGX_HTTP_PAYER_UNSURE;
    }

    if (wanted == 0 || ngx_http_payer_proof_covers(record, wanted, &currency))
    {
        if ((wanted && verify->told) || ngx_http_payer_proof_wanted(record)) {
            return NGX_HTTP_PAYER_PAID;
        }

        wanted = record->wanted;
        currency.data = record->wanted_currency;
        currency.len = NGX_HTTP_PAYER_CURRENCY_LEN;
    }

    ctx->wanted = wanted;
    ctx->wanted_currency = currency;

    paid = ngx_http_payer_proof_sum(record);

    ngx_http_payer_log(NGX_LOG_ERR, ctx, "order \"%V\" was paid with %L %V, "
                       "but %L %V is required", &record->reference, paid,
                       &record->currency, wanted, &currency);

    return NGX_HTTP_PAYER_UNPAID;
}


ngx_int_t
ngx_http_payer_verify_end(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_verdict_e verdict)
{
    ngx_str_t  *status;

    ngx_http_payer_flow_read_lost(ctx);

    ctx->verdict = verdict;

    ngx_http_payer_count(ctx->conf->main->zone, NGX_HTTP_PAYER_COUNT_OTHERS,
                         NGX_HTTP_PAYER_COUNT_VERIFICATIONS, verdict);

    if (verdict == NGX_HTTP_PAYER_PAID) {
        return NGX_DONE;
    }

    /*
     * An application trusts $payer_status, and the error page may be a page of
     * it: the status there must not mean that the order is paid.
     */

    if (verdict == NGX_HTTP_PAYER_UNPAID) {
        ngx_http_payer_verify_log(ctx);
    }

    status = &ctx->record.status;

    if (ngx_http_payer_state_paid(ngx_http_payer_state_of(status))) {
        ngx_str_null(status);
    }

    if (ngx_http_payer_verify_passed(ctx)) {
        return NGX_DONE;
    }

    if (verdict == NGX_HTTP_PAYER_UNPAID) {
        return NGX_HTTP_PAYMENT_REQUIRED;
    }

    return ngx_http_payer_verify_retry(ctx);
}


/* the result of the step if the lookup is decisive, or has failed */

static ngx_int_t
ngx_http_payer_verify_looked_up(ngx_http_payer_ctx_t *ctx, ngx_int_t rc,
    ngx_http_payer_verdict_e verdict)
{
    switch (rc) {

    case NGX_AGAIN:
        return NGX_AGAIN;

    case NGX_BUSY:
        return NGX_OK;

    case NGX_DONE:
        return ngx_http_payer_verify_end(ctx, verdict);

    case NGX_DECLINED:
        ngx_http_payer_verify_forget(ctx);
        return NGX_HTTP_NOT_FOUND;

    default: /* NGX_ERROR */
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
}


/*
 * A client that guesses order numbers gets no information: neither whether the
 * order exists, nor its variables.
 */

static ngx_int_t
ngx_http_payer_verify_unknown(ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_log(NGX_LOG_WARN, ctx,
                       "the ticket for order \"%V\" is missing or wrong",
                       &ctx->order.reference);

    ngx_http_payer_verify_forget(ctx);

    return NGX_HTTP_FORBIDDEN;
}


/* clears the variables of an order that is not the client's */

static void
ngx_http_payer_verify_forget(ngx_http_payer_ctx_t *ctx)
{
    ngx_memzero(&ctx->record, sizeof(ngx_http_payer_record_t));
    ctx->record.authorized = -1;
    ctx->record.captured = -1;
    ctx->record.refunded = -1;

    (void) ngx_http_payer_verify_end(ctx, NGX_HTTP_PAYER_UNPAID);
}


static ngx_int_t
ngx_http_payer_verify_retry(ngx_http_payer_ctx_t *ctx)
{
    time_t               after;
    ngx_str_t            value;
    ngx_http_request_t  *r;

    r = ctx->request;

    after = ctx->call ? ctx->call->exchange.retry_after
                      : ctx->verify->crowd.shared.retry_after;

    after = ngx_max(after, NGX_HTTP_PAYER_RETRY_AFTER);
    after = ngx_min(after, NGX_HTTP_PAYER_MAX_RETRY_AFTER);

    if (ctx->lookup && ctx->lookup->retry_after > 0) {
        after = ctx->lookup->retry_after;
    }

    value.data = ngx_pnalloc(r->pool, NGX_TIME_T_LEN);
    if (value.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    value.len = ngx_sprintf(value.data, "%T", after) - value.data;

    if (ngx_http_payer_answer_header(r, "Retry-After", &value) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_HTTP_SERVICE_UNAVAILABLE;
}
