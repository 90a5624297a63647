
/*
 * What payer_verify reads from Payer:
 *
 *     turn -> prepare -> ask -> stored -> capture
 *
 * and again, where the buyer may be faster than Payer's books.
 */


#include "ngx_http_payer_verify.h"
#include "ngx_http_payer_api.h"
#include "ngx_http_payer_auto_capture.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_ledger.h"
#include "ngx_http_payer_log.h"
#include "ngx_http_payer_reading.h"


static ngx_int_t ngx_http_payer_verify_prepare(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static void ngx_http_payer_verify_settle(ngx_http_payer_call_t *call);
static ngx_uint_t ngx_http_payer_verify_news(ngx_http_payer_record_t *record,
    ngx_http_payer_json_payment_t *payment);
static ngx_int_t ngx_http_payer_verify_ask(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_verify_stored(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_verify_capture(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_verify_again(ngx_http_payer_ctx_t *ctx);


#define NGX_HTTP_PAYER_TURN_POLL        50      /* ms */
#define NGX_HTTP_PAYER_TURN_PATIENCE    2000    /* ms, then ask all the same */
#define NGX_HTTP_PAYER_TURN_MARGIN      5000    /* ms, outlives the owner */
#define NGX_HTTP_PAYER_MAX_PAUSE        2000    /* ms, doubled up to */


/*
 * One request of an order asks Payer, the others wait for what it hears: a
 * page with many parts behind the gate is one question.  Who has waited long
 * enough asks for himself, and so nothing depends on whoever has the turn.
 */

ngx_int_t
ngx_http_payer_verify_turn(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    u_char                     *p;
    ngx_str_t                   key;
    ngx_http_payer_verify_t    *verify;
    ngx_http_payer_loc_conf_t  *conf;

    conf = ctx->conf;
    verify = &ctx->verify;

    ctx->step = ngx_http_payer_verify_prepare;

    ngx_http_payer_flow_settled(ctx);

    if (conf->verify.cache == 0 || verify->turn.owner) {
        return NGX_OK;
    }

    key = verify->turn.key;

    if (key.len == 0) {
        key.len = sizeof("verify/") - 1 + ctx->key.len;
        key.data = ngx_pnalloc(r->pool, key.len);

        if (key.data == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        p = ngx_cpymem(key.data, "verify/", sizeof("verify/") - 1);
        ngx_memcpy(p, ctx->key.data, ctx->key.len);
    }

    switch (ngx_http_payer_zone_claim(conf->main->zone, &key,
                                      conf->timeout
                                      + NGX_HTTP_PAYER_TURN_MARGIN,
                                      &verify->turn))
    {
    case NGX_OK:

        if (verify->waited) {

            /* somebody has the answer since we looked */

            ctx->step = ngx_http_payer_verify_find;
        }

        return NGX_OK;

    case NGX_BUSY:

        if (!verify->waited) {
            verify->waited = 1;
            verify->since = ngx_current_msec;
        }

        if (ngx_current_msec - verify->since > NGX_HTTP_PAYER_TURN_PATIENCE
            || ngx_http_payer_flow_poll(ctx, NGX_HTTP_PAYER_TURN_POLL)
               != NGX_AGAIN)
        {
            return NGX_OK;
        }

        ctx->step = ngx_http_payer_verify_find;

        return NGX_AGAIN;

    default: /* NGX_ERROR: a full zone, the turn is a courtesy */
        return NGX_OK;
    }
}


static ngx_int_t
ngx_http_payer_verify_prepare(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_call_t  *call;

    /* each question has all of payer_timeout */

    ctx->deadline = ngx_current_msec + ctx->conf->timeout;

    call = ngx_http_payer_api_read_call(ctx, &ctx->record.payment_id, NULL,
                                        ngx_http_payer_verify_settle);
    if (call == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->verify.read = NGX_HTTP_PAYER_UNSURE;
    ctx->verify.written = 0;
    ctx->step = ngx_http_payer_verify_ask;

    return NGX_OK;
}


/* runs when the reply is there, whether the buyer still is or not */

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
    verify = &ctx->verify;
    payment = call->result;

    news = ngx_http_payer_verify_news(&ctx->record, payment);

    if (ngx_http_payer_reading_apply(ctx, payment, &verify->read) != NGX_OK) {
        return;
    }

    if (news || verify->read == NGX_HTTP_PAYER_PAID) {
        verify->written = 1;

        (void) ngx_http_payer_ledger_write(ctx, NGX_HTTP_PAYER_BY_VERIFY);
    }
}


/* the same answer as before need not be stored again and again */

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

    if (ctx->verify.written) {
        ctx->step = ngx_http_payer_verify_stored;
        return NGX_OK;
    }

    if (ctx->verify.read == NGX_HTTP_PAYER_UNPAID) {
        return ngx_http_payer_verify_again(ctx);
    }

    return ngx_http_payer_verify_end(ctx, ctx->verify.read);
}


/* what counts is what the store has made of it */

static ngx_int_t
ngx_http_payer_verify_stored(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_str_t                       id;
    ngx_http_payer_record_t        *record;
    ngx_http_payer_verdict_e        verdict;
    ngx_http_payer_json_payment_t  *payment;

    record = &ctx->record;
    payment = ctx->call->result;
    verdict = ctx->verify.read;

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

    /* for the variables: the word that was read, not one that is older */

    record->status = payment->status;

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


/* the order is paid, whatever comes of payer_auto_capture */

static ngx_int_t
ngx_http_payer_verify_capture(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    if (ngx_http_payer_auto_capture(ctx) == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    return ngx_http_payer_verify_end(ctx, NGX_HTTP_PAYER_PAID);
}


/*
 * The buyer may be faster than Payer's books: asks again for a while.  Looks
 * into the store first, where an event may have been faster, too.
 */

static ngx_int_t
ngx_http_payer_verify_again(ngx_http_payer_ctx_t *ctx)
{
    ngx_msec_t                      pause;
    ngx_http_payer_verify_t        *verify;
    ngx_http_payer_loc_conf_t      *conf;
    ngx_http_payer_json_payment_t  *payment;

    conf = ctx->conf;
    verify = &ctx->verify;
    payment = ctx->call->result;
    pause = verify->pause;

    if (ngx_http_payer_state_of(&payment->status) != NGX_HTTP_PAYER_INITIATED
        || (ngx_msec_int_t) (verify->until - ngx_current_msec)
           < (ngx_msec_int_t) pause)
    {
        return ngx_http_payer_verify_end(ctx, NGX_HTTP_PAYER_UNPAID);
    }

    ngx_http_payer_zone_unclaim(conf->main->zone, &verify->turn);

    verify->turn.owner = 0;
    verify->waited = 0;
    verify->pause = ngx_min(2 * pause, NGX_HTTP_PAYER_MAX_PAUSE);

    ctx->deadline = ngx_current_msec + pause + conf->timeout;
    ctx->step = ngx_http_payer_verify_find;

    return ngx_http_payer_flow_wait(ctx, pause);
}
