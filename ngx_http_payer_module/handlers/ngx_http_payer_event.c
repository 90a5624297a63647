
/*
 * payer_events: accepts Payer's callback and passes the event to the shop.
 *
 *     token -> delivered before? --yes-------------------> acknowledge
 *           -> claim -> fetch -> follow -> deliver -> keep -> acknowledge
 *
 * With "known", an event of an unknown order ends after "follow": it is for
 * another shop.
 *
 * An event that Payer no longer knows was acknowledged before if it was
 * delivered; otherwise it is unknown.
 *
 * Payer repeats an event until it is acknowledged, so each failure is answered
 * with 503, and the acknowledgement is the last step.  The delivery is stored
 * before it: if the acknowledgement fails, the shop does not get the event a
 * second time.
 *
 * The order is updated by ngx_http_payer_update.c.
 */


#include "ngx_http_payer_event.h"
#include "ngx_http_payer_event_answer.h"
#include "ngx_http_payer_event_token.h"
#include "ngx_http_payer_access.h"
#include "ngx_http_payer_answer.h"
#include "ngx_http_payer_api.h"
#include "ngx_http_payer_body.h"
#include "ngx_http_payer_conf.h"
#include "ngx_http_payer_counter.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_ledger.h"
#include "ngx_http_payer_log.h"
#include "ngx_http_payer_notify.h"
#include "ngx_http_payer_shop.h"
#include "ngx_http_payer_ticket.h"
#include "ngx_http_payer_update.h"


#define NGX_HTTP_PAYER_EVENT_MARGIN  5000       /* ms, outlives the owner */


typedef struct {
    ngx_str_t                     token;
    ngx_str_t                     key;          /* of the delivery */
    ngx_str_t                     payload;
    ngx_http_payer_update_t       update;
    ngx_http_payer_shop_t         shop;
    unsigned                      again:1;      /* delivered before */
    unsigned                      gone:1;       /* Payer has forgotten it */
    unsigned                      taken:1;      /* the claim, in the store */
} ngx_http_payer_event_t;


static ngx_int_t ngx_http_payer_event_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_payer_event_token(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_event_lookup(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_event_claim(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_event_take(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_event_claimed(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_event_fetch(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_event_read_reply(ngx_http_payer_call_t *call,
    ngx_str_t *reply);
static ngx_int_t ngx_http_payer_event_follow(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_event_deliver(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_uint_t ngx_http_payer_event_took(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_exchange_t *x);
static void ngx_http_payer_event_taken(ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_event_after_deliver(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_event_kept(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_event_acknowledge(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_event_ack(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_event_done(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_uint_t ngx_http_payer_event_forgotten(ngx_http_payer_call_t *call);


ngx_http_payer_handler_t  ngx_http_payer_handler_events = {
    ngx_string("payer_events"),
    ngx_http_payer_event_handler,
    1, 0, 0, 0, NULL, ngx_http_payer_check_pass
};


/* HEAD is not among the methods: it must not change anything */

static ngx_int_t
ngx_http_payer_event_handler(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_http_payer_ctx_t       *ctx;
    ngx_http_payer_loc_conf_t  *conf;

    static ngx_str_t  allow = ngx_string("GET, POST");

    if (r != r->main) {
        return NGX_HTTP_NOT_FOUND;
    }

    conf = ngx_http_get_module_loc_conf(r, ngx_http_payer_module);

    ctx = ngx_http_payer_flow_create(r, conf, ngx_http_payer_event_token);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->operation =
               &ngx_http_payer_api_type(NGX_HTTP_PAYER_CALL_EVENT)->name;
    ctx->record.authorized = -1;
    ctx->record.refunded = -1;
    ctx->record.captured = -1;

    rc = ngx_http_payer_access_method(r, NGX_HTTP_GET|NGX_HTTP_POST, &allow);
    if (rc != NGX_OK) {
        return rc == NGX_DONE ? NGX_OK : rc;
    }

    return ngx_http_payer_body_drop(r, ctx);
}


static ngx_int_t
ngx_http_payer_event_token(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    const char              *bad;
    ngx_http_payer_call_t   *call;
    ngx_http_payer_event_t  *event;

    event = ngx_pcalloc(r->pool, sizeof(ngx_http_payer_event_t));
    if (event == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->data = event;

    bad = ngx_http_payer_event_bad_token(&r->args, &event->token);

    if (bad) {
        return ngx_http_payer_event_refuse(r, NGX_HTTP_BAD_REQUEST, bad);
    }

    call = ngx_http_payer_api_call(ctx, NGX_HTTP_PAYER_CALL_EVENT,
                                   &event->token);
    if (call == NULL
        || ngx_http_payer_record_event_key(r->pool, &ctx->conf->merchant->id,
                                           &event->token, &event->key)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_payer_event_misled(ctx)) {
        return ngx_http_payer_event_refuse(r, NGX_HTTP_BAD_REQUEST,
                                           "token leads to another path");
    }

    call->read = ngx_http_payer_event_read_reply;
    call->result = &event->update.event;
    call->expected = NGX_HTTP_NOT_FOUND;

    ctx->step = ngx_http_payer_event_lookup;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_event_lookup(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_event_t  *event;

    event = ctx->data;

    switch (ngx_http_payer_ledger_get(ctx, &event->key)) {

    case NGX_AGAIN:
        return NGX_AGAIN;

    case NGX_OK:
        event->again = 1;
        ctx->step = event->gone ? ngx_http_payer_event_done
                                : ngx_http_payer_event_acknowledge;
        return NGX_OK;

    case NGX_DECLINED:

        if (event->gone) {
            return ngx_http_payer_event_refuse(r, NGX_HTTP_NOT_FOUND,
                                              "Payer does not know the token");
        }

        ctx->step = !ctx->event_claim.owner ? ngx_http_payer_event_claim
                    : event->taken ? ngx_http_payer_event_fetch
                    : ngx_http_payer_event_take;
        return NGX_OK;

    default: /* NGX_ERROR */
        return ngx_http_payer_event_again(r, "the store could not be read", 0);
    }
}


/*
 * One callback of a token at a time; the others wait and look again.  The
 * lease is longer than the time for Payer and for the shop.
 */

static ngx_int_t
ngx_http_payer_event_claim(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_msec_t               lease;
    ngx_http_payer_event_t  *event;

    event = ctx->data;

    ctx->step = ngx_http_payer_event_lookup;

    lease = 2 * ctx->conf->timeout + NGX_HTTP_PAYER_EVENT_MARGIN;

    switch (ngx_http_payer_flow_claim(ctx, &event->key, lease,
                                      &ctx->event_claim))
    {
    case NGX_OK:
        return NGX_OK;

    case NGX_AGAIN:
        return NGX_AGAIN;

    case NGX_DECLINED:
        return ngx_http_payer_event_again(r,
                       "another callback of this event takes too long", 0);

    default: /* NGX_ERROR */
        ngx_http_payer_log(NGX_LOG_ERR, ctx,
                           "no memory for a lock in \"payer_zone\"");

        return ngx_http_payer_event_again(r, "the server is too busy", 0);
    }
}


/* also from other nginx with this store; their results are in the store */

static ngx_int_t
ngx_http_payer_event_take(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ctx->step = ngx_http_payer_event_claimed;

    return ngx_http_payer_flow_put_claim(ctx, NULL, 0,
                                         NGX_HTTP_PAYER_CLAIM_TAKE,
                                         &ctx->event_claim)
           == NGX_AGAIN ? NGX_AGAIN : NGX_OK;
}


static ngx_int_t
ngx_http_payer_event_claimed(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_event_t  *event;

    event = ctx->data;

    if (ctx->io.rc != NGX_OK && ctx->io.rc != NGX_BUSY) {
        return ngx_http_payer_event_again(r, "the store could not be written",
                                          0);
    }

    event->taken = (ctx->io.rc == NGX_OK);
    ctx->step = ngx_http_payer_event_lookup;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_event_fetch(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                rc;
    ngx_http_payer_call_t   *call;
    ngx_http_payer_event_t  *event;

    call = ctx->call;
    event = ctx->data;

    rc = ngx_http_payer_api_run(call);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_payer_event_forgotten(call)) {

        /* acknowledged by another request meanwhile, or made up */

        event->gone = 1;
        ctx->step = ngx_http_payer_event_lookup;
        return NGX_OK;
    }

    if (call->outcome != NGX_HTTP_PAYER_DONE) {
        return ngx_http_payer_event_again(r, call->reason,
                                          call->exchange.retry_after);
    }

    event->payload = call->exchange.reply;
    ctx->step = ngx_http_payer_event_follow;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_event_read_reply(ngx_http_payer_call_t *call, ngx_str_t *reply)
{
    return ngx_http_payer_json_read_event(call->ctx->request->pool, reply,
                                          call->result, &call->reason);
}


static ngx_int_t
ngx_http_payer_event_follow(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                 rc;
    ngx_http_payer_event_t   *event;
    ngx_http_payer_update_t  *update;

    event = ctx->data;
    update = &event->update;

    rc = ngx_http_payer_update_follow(ctx, update);

    if (rc == NGX_DECLINED) {
        return ngx_http_payer_event_again(r, update->reason,
                                          update->retry_after);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    ctx->step = (ctx->conf->event_known && !ngx_http_payer_update_known(ctx))
                ? ngx_http_payer_event_leave : ngx_http_payer_event_deliver;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_event_deliver(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                     rc;
    ngx_http_payer_shop_t        *shop;
    ngx_http_payer_event_t       *event;
    ngx_http_payer_json_event_t  *payload;

    event = ctx->data;
    payload = &event->update.event;

    if (ctx->conf->event_pass.len == 0) {
        ctx->step = ngx_http_payer_event_kept;

        rc = ngx_http_payer_ledger_write_event(ctx, &event->key,
                                               &event->update.event.type);

        return rc == NGX_AGAIN ? NGX_AGAIN : NGX_OK;
    }

    /* the shop has all of payer_timeout, however long Payer took */

    ctx->deadline = ngx_current_msec + ctx->conf->timeout;

    shop = &event->shop;

    shop->token = event->token;
    shop->type = payload->type;
    shop->payment_id = payload->payment_id;
    shop->reference = ctx->found ? ctx->record.reference
                      : ctx->reference.len ? ctx->reference
                      : payload->reference;

    /* no status of a paid order that payer_verify would not accept */

    if (ctx->found) {
        ngx_http_payer_proof_silence(&ctx->record);

        if (!ngx_http_payer_proof_wanted(&ctx->record)) {
            ngx_str_null(&ctx->record.status);
        }

        if (!ngx_http_payer_state_paid(
                                 ngx_http_payer_state_of(&ctx->record.status)))
        {
            ctx->record.authorized = -1;
            ctx->record.captured = -1;
        }

        ngx_http_payer_ticket_adopt(ctx);

        shop->status = ctx->record.status;
        shop->amount = ctx->record.amount;
        shop->currency = ctx->record.currency;
    }

    shop->payload = event->payload;
    shop->taken = ngx_http_payer_event_taken;
    shop->took = ngx_http_payer_event_took;

    ctx->step = ngx_http_payer_event_after_deliver;

    return ngx_http_payer_shop_pass(ctx, shop);
}


static ngx_uint_t
ngx_http_payer_event_took(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_exchange_t *x)
{
    return ngx_http_payer_notify_accepted(ctx->conf->notify_accept,
                                          ctx->request->pool, x);
}


/* the delivery is stored, even if Payer has closed the connection */

static void
ngx_http_payer_event_taken(ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_event_t  *event;

    event = ctx->data;

    (void) ngx_http_payer_ledger_write_event(ctx, &event->key,
                                             &event->update.event.type);
}


static ngx_int_t
ngx_http_payer_event_after_deliver(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_shop_t   *shop;
    ngx_http_payer_event_t  *event;

    event = ctx->data;
    shop = &event->shop;

    if (!ngx_http_payer_shop_took(shop)) {
        return ngx_http_payer_event_again(r, "the shop did not accept the "
                                          "event",
                                          shop->exchange.retry_after);
    }

    ctx->step = ngx_http_payer_event_kept;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_event_kept(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    if (ctx->io.rc != NGX_OK) {
        return ngx_http_payer_event_again(r, "the event could not be stored",
                                          0);
    }

    ctx->step = ngx_http_payer_event_acknowledge;

    return NGX_OK;
}


/* the event is delivered, by this callback or by an earlier one */

static ngx_int_t
ngx_http_payer_event_acknowledge(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_call_t   *call;
    ngx_http_payer_event_t  *event;

    event = ctx->data;

    ngx_http_payer_flow_unclaim(ctx, &ctx->event_claim, 1);

    call = ngx_http_payer_api_call(ctx, NGX_HTTP_PAYER_CALL_ACK,
                                   &event->token);
    if (call == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (event->again) {
        call->expected = NGX_HTTP_NOT_FOUND;
    }

    ctx->step = ngx_http_payer_event_ack;

    return NGX_OK;
}


/*
 * Payer delivers an event again even after it was acknowledged, and may have
 * forgotten it by then: there is nothing left to acknowledge.
 */

static ngx_int_t
ngx_http_payer_event_ack(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t               rc;
    ngx_http_payer_call_t  *call;

    call = ctx->call;

    rc = ngx_http_payer_api_run(call);
    if (rc != NGX_OK) {
        return rc;
    }

    if (call->outcome != NGX_HTTP_PAYER_DONE
        && !ngx_http_payer_event_forgotten(call))
    {
        return ngx_http_payer_event_again(r, call->reason,
                                          call->exchange.retry_after);
    }

    ctx->step = ngx_http_payer_event_done;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_event_done(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_str_t  nothing;

    ngx_str_null(&nothing);

    return ngx_http_payer_answer_body(r, NGX_HTTP_OK, &nothing, &nothing);
}


static ngx_uint_t
ngx_http_payer_event_forgotten(ngx_http_payer_call_t *call)
{
    return call->outcome == NGX_HTTP_PAYER_REFUSED
           && call->exchange.status == NGX_HTTP_NOT_FOUND
           && (call->exchange.reply.len == 0
               || ngx_http_payer_api_answered(call));
}
