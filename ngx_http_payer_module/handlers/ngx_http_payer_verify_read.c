
/*
 * The reads of payer_verify from Payer:
 *
 *     turn -> prepare -> ask -> stored -> capture
 *
 * and again, if Payer may not have updated the status yet.
 */


#include "ngx_http_payer_verify.h"
#include "ngx_http_payer_api.h"
#include "ngx_http_payer_auto_capture.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_ledger.h"
#include "ngx_http_payer_log.h"
#include "ngx_http_payer_reading.h"


static ngx_int_t ngx_http_payer_verify_key(ngx_http_payer_ctx_t *ctx);
static void ngx_http_payer_verify_await(ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_verify_begin(ngx_http_payer_ctx_t *ctx,
    ngx_msec_t *left);
static ngx_int_t ngx_http_payer_verify_answered(ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_verify_told(ngx_http_payer_ctx_t *ctx);
static ngx_uint_t ngx_http_payer_verify_payment(ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_verify_prepare(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static void ngx_http_payer_verify_settle(ngx_http_payer_call_t *call);
static ngx_uint_t ngx_http_payer_verify_news(ngx_http_payer_record_t *record,
    ngx_http_payer_json_payment_t *payment);
static ngx_int_t ngx_http_payer_verify_ask(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static void ngx_http_payer_verify_tell(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_verdict_e verdict);
static ngx_uint_t ngx_http_payer_verify_open(ngx_http_payer_call_t *call);
static ngx_int_t ngx_http_payer_verify_stored(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_verify_capture(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_verify_again(ngx_http_payer_ctx_t *ctx);
static ngx_uint_t ngx_http_payer_verify_waits(ngx_http_payer_ctx_t *ctx);


#define NGX_HTTP_PAYER_READ_MARGIN  5000        /* ms, outlives the reader */

/* s, how long a result can be used */

#define NGX_HTTP_PAYER_READ_AGE     3600


/*
 * One request reads for all earlier requests for the order, in all worker
 * processes: a page with many protected parts causes one read, and so do many
 * clients.
 */

ngx_int_t
ngx_http_payer_verify_turn(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_msec_t                left;
    ngx_http_payer_verify_t  *verify;

    verify = ctx->verify;

    if (verify->told) {
        return ngx_http_payer_verify_told(ctx);
    }

    if (verify->crowd.key.len == 0
        && ngx_http_payer_verify_key(ctx) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    switch (ngx_http_payer_verify_begin(ctx, &left)) {

    case NGX_OK:
        ctx->step = ngx_http_payer_verify_prepare;
        return NGX_OK;

    case NGX_DONE:
        return ngx_http_payer_verify_answered(ctx);

    case NGX_BUSY:

        if (ngx_http_payer_flow_join(ctx, &verify->crowd.key,
                                     ngx_http_payer_verify_begin)
            == NGX_AGAIN)
        {
            return NGX_AGAIN;
        }

        return ngx_http_payer_verify_end(ctx, NGX_HTTP_PAYER_UNSURE);

    default: /* NGX_ERROR: the zone is full, so the read is not shared */
        verify->alone = 1;
        ctx->step = ngx_http_payer_verify_prepare;
        return NGX_OK;
    }
}


static ngx_int_t
ngx_http_payer_verify_key(ngx_http_payer_ctx_t *ctx)
{
    u_char     *p;
    ngx_str_t  *key;

    key = &ctx->verify->crowd.key;

    p = ngx_pnalloc(ctx->pool, sizeof("read/") - 1 + ctx->key.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    key->data = p;
    key->len = sizeof("read/") - 1 + ctx->key.len;

    p = ngx_cpymem(p, "read/", sizeof("read/") - 1);
    ngx_memcpy(p, ctx->key.data, ctx->key.len);

    /* after the request was received, and before anything is read */

    ctx->verify->since = ngx_http_payer_zone_now();
    ctx->verify->looked = ctx->verify->since;

    ngx_http_payer_verify_await(ctx);

    return NGX_OK;
}


/* a pause, and then a read that has all of payer_timeout */

static void
ngx_http_payer_verify_await(ngx_http_payer_ctx_t *ctx)
{
    ctx->deadline = ngx_current_msec + NGX_HTTP_PAYER_READ_PAUSE
                    + ctx->conf->timeout;
}


/* NGX_OK: the read is this request's; else see ngx_http_payer_flow_join() */

static ngx_int_t
ngx_http_payer_verify_begin(ngx_http_payer_ctx_t *ctx, ngx_msec_t *left)
{
    ngx_int_t                   rc;
    ngx_http_payer_verify_t    *verify;
    ngx_http_payer_loc_conf_t  *conf;

    conf = ctx->conf;
    verify = ctx->verify;

    if (ctx->reading) {
        return NGX_OK;
    }

    rc = ngx_http_payer_zone_read_begin(conf->main->zone, &verify->crowd.key,
                                        verify->since,
                                        conf->verify.cache ? verify->looked
                                                           : 0,
                                        conf->timeout
                                        + NGX_HTTP_PAYER_READ_MARGIN,
                                        &verify->crowd.shared, left);
    if (rc == NGX_OK) {
        ctx->reading = &verify->crowd;
        verify->crowd.shared.payment = ngx_http_payer_verify_payment(ctx);
    }

    return rc;
}


/* the result of another request: the stored record may have changed */

static ngx_int_t
ngx_http_payer_verify_answered(ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_verify_t     *verify;
    ngx_http_payer_zone_read_t  *read;

    verify = ctx->verify;

    read = &verify->crowd.shared;

    verify->told = ((ngx_msec_int_t) (read->began - verify->since) > 0);

    if (verify->told && read->verdict == NGX_HTTP_PAYER_UNPAID
        && ngx_http_payer_verify_waits(ctx))
    {
        verify->told = 0;
        return NGX_OK;
    }

    verify->looked = ngx_http_payer_zone_now();
    ctx->step = ngx_http_payer_verify_find;

    return NGX_OK;
}


/* used if it is for the current payment of the order */

static ngx_int_t
ngx_http_payer_verify_told(ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_verify_t     *verify;
    ngx_http_payer_record_t     *record;
    ngx_http_payer_zone_read_t  *read;

    record = &ctx->record;
    verify = ctx->verify;
    read = &verify->crowd.shared;

    verify->told = 0;

    if (read->payment == ngx_http_payer_verify_payment(ctx)) {

        if (!read->paid) {

            /* an event may have changed it since */

            if (verify->doubted || !ngx_http_payer_proof_paid(record)) {
                return ngx_http_payer_verify_end(ctx, read->verdict);
            }

            verify->doubted = 1;

        } else if (ngx_http_payer_proof_recent(record,
                                               NGX_HTTP_PAYER_READ_AGE,
                                               ngx_time()))
        {
            return ngx_http_payer_verify_end(ctx,
                                             ngx_http_payer_verify_sum(ctx));
        }
    }

    verify->since = ngx_http_payer_zone_now();

    return NGX_OK;
}


static ngx_uint_t
ngx_http_payer_verify_payment(ngx_http_payer_ctx_t *ctx)
{
    return (ngx_uint_t) ngx_http_payer_zone_hash(&ctx->record.payment_id);
}


static ngx_int_t
ngx_http_payer_verify_prepare(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_call_t  *call;

    /* each read has all of payer_timeout */

    ctx->deadline = ngx_current_msec + ctx->conf->timeout;

    call = ngx_http_payer_api_read_call(ctx, &ctx->record.payment_id, NULL,
                                        ngx_http_payer_verify_settle);
    if (call == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->verify->read = NGX_HTTP_PAYER_UNSURE;
    ctx->verify->written = 0;
    ctx->step = ngx_http_payer_verify_ask;

    return NGX_OK;
}


/* runs when the reply arrives, even if the buyer has gone */

static void
ngx_http_payer_verify_settle(ngx_http_payer_call_t *call)
{
    ngx_uint_t                      news;
    ngx_http_payer_ctx_t           *ctx;
    ngx_http_payer_verify_t        *verify;
    ngx_http_payer_json_payment_t  *payment;

    if (call->outcome != NGX_HTTP_PAYER_DONE) {
        return;
    }

    ctx = call->ctx;
    verify = ctx->verify;
    payment = call->result;

    news = ngx_http_payer_verify_news(&ctx->record, payment);

    if (ngx_http_payer_reading_apply(ctx, payment, &verify->read) != NGX_OK) {
        return;
    }

    if (news || verify->read == NGX_HTTP_PAYER_PAID) {
        verify->written = 1;

        (void) ngx_http_payer_ledger_write(ctx, NGX_HTTP_PAYER_BY_VERIFY);
        return;
    }

    /*
     * nginx finds out that the client has reset its stream only now, and this
     * request goes no further; those that wait for the result have it
     */

    ngx_http_payer_verify_tell(ctx, verify->read);
}


/* an unchanged reply is not stored again */

static ngx_uint_t
ngx_http_payer_verify_news(ngx_http_payer_record_t *record,
    ngx_http_payer_json_payment_t *payment)
{
    return record->status.len != payment->status.len
           || ngx_memcmp(record->status.data, payment->status.data,
                         payment->status.len)
              != 0
           || payment->authorized > record->authorized
           || payment->captured > record->captured;
}


static ngx_int_t
ngx_http_payer_verify_ask(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t               rc;
    ngx_http_payer_call_t  *call;

    call = ctx->call;

    rc = ngx_http_payer_api_run(call);

    if (rc != NGX_OK) {
        return rc == NGX_AGAIN ? NGX_AGAIN : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->verify->written) {
        ctx->step = ngx_http_payer_verify_stored;
        return NGX_OK;
    }

    ngx_http_payer_verify_tell(ctx, ctx->verify->read);

    if (ctx->verify->read == NGX_HTTP_PAYER_UNPAID) {
        return ngx_http_payer_verify_again(ctx);
    }

    return ngx_http_payer_verify_end(ctx, ctx->verify->read);
}


/* wakes those that wait for the result */

static void
ngx_http_payer_verify_tell(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_verdict_e verdict)
{
    ngx_http_payer_verify_t     *verify;
    ngx_http_payer_zone_read_t  *read;

    verify = ctx->verify;
    read = &verify->crowd.shared;

    read->verdict = verdict;
    read->paid = (verdict == NGX_HTTP_PAYER_PAID);
    read->open = ngx_http_payer_verify_open(ctx->call);
    read->retry_after = ctx->call->exchange.retry_after;

    if (ctx->reading) {
        ctx->reading = NULL;

        ngx_http_payer_zone_read_end(ctx->conf->main->zone, &verify->crowd.key,
                                     read);
        ngx_http_payer_flow_changed(&verify->crowd.key, 1);
    }
}


/* whether the payment can still be made */

static ngx_uint_t
ngx_http_payer_verify_open(ngx_http_payer_call_t *call)
{
    ngx_http_payer_json_payment_t  *payment;

    payment = call->result;

    return call->outcome == NGX_HTTP_PAYER_DONE
           && ngx_http_payer_state_of(&payment->status)
              == NGX_HTTP_PAYER_INITIATED;
}


/* the stored result of the merge counts */

static ngx_int_t
ngx_http_payer_verify_stored(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_str_t                       id;
    ngx_http_payer_record_t        *record;
    ngx_http_payer_verdict_e        verdict;
    ngx_http_payer_json_payment_t  *payment;

    record = &ctx->record;
    payment = ctx->call->result;
    verdict = ctx->verify->read;

    id = record->payment_id;

    if (ctx->io.rc != NGX_OK
        || ngx_http_payer_record_decode(&ctx->io.value, record) != NGX_OK)
    {
        return ngx_http_payer_verify_end(ctx, NGX_HTTP_PAYER_UNSURE);
    }

    if (verdict == NGX_HTTP_PAYER_PAID
        && (id.len != record->payment_id.len
            || ngx_memcmp(id.data, record->payment_id.data, id.len) != 0
            || !ngx_http_payer_proof_paid(record)))
    {
        ngx_http_payer_log(NGX_LOG_ERR, ctx,
                           "the order is %V here, but payment \"%V\" is "
                           "\"%V\" at Payer",
                           ngx_http_payer_state_name(record->state), &id,
                           &payment->status);

        verdict = NGX_HTTP_PAYER_UNPAID;
    }

    /* for the variables: the status as read, not an older one */

    record->status = payment->status;

    ngx_http_payer_verify_tell(ctx, verdict);

    if (verdict == NGX_HTTP_PAYER_UNPAID) {
        return ngx_http_payer_verify_again(ctx);
    }

    if (verdict == NGX_HTTP_PAYER_PAID) {

        verdict = ngx_http_payer_verify_sum(ctx);

        if (verdict != NGX_HTTP_PAYER_PAID) {
            return ngx_http_payer_verify_end(ctx, verdict);
        }

        ctx->step = ngx_http_payer_verify_capture;
        return NGX_OK;
    }

    return ngx_http_payer_verify_end(ctx, verdict);
}


/* the order is paid, regardless of payer_auto_capture */

static ngx_int_t
ngx_http_payer_verify_capture(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    if (ngx_http_payer_auto_capture(ctx) == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    return ngx_http_payer_verify_end(ctx, NGX_HTTP_PAYER_PAID);
}


/* Payer may not have updated the status yet: reads again for a while */

static ngx_int_t
ngx_http_payer_verify_again(ngx_http_payer_ctx_t *ctx)
{
    if (!ngx_http_payer_verify_waits(ctx)) {
        return ngx_http_payer_verify_end(ctx, NGX_HTTP_PAYER_UNPAID);
    }

    return ctx->verify->alone
           ? ngx_http_payer_flow_wait(ctx, NGX_HTTP_PAYER_READ_PAUSE) : NGX_OK;
}


/* whether the result may still change */

static ngx_uint_t
ngx_http_payer_verify_waits(ngx_http_payer_ctx_t *ctx)
{
    ngx_msec_t                   now;
    ngx_msec_int_t               left, pause;
    ngx_http_payer_verify_t     *verify;
    ngx_http_payer_zone_read_t  *read;

    verify = ctx->verify;
    read = &verify->crowd.shared;

    now = ngx_http_payer_zone_now();

    left = (ngx_msec_int_t) (verify->until - ngx_current_msec);
    pause = (ngx_msec_int_t) (read->began + NGX_HTTP_PAYER_READ_PAUSE - now);

    if (!read->open || left <= 0 || left < pause) {
        return 0;
    }

    verify->since = now;
    ctx->step = ngx_http_payer_verify_turn;

    ngx_http_payer_verify_await(ctx);

    return 1;
}
