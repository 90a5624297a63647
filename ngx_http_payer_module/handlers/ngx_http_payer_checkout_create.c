
/*
 * Creates a link, under the claim of the order:
 *
 *     (cancel the old link) -> intent -> create -> created
 *
 * The intent is stored before the call and the link before the answer, so that
 * an interrupted request can be continued from the record.
 */


#include "ngx_http_payer_checkout.h"
#include "ngx_http_payer_api.h"
#include "ngx_http_payer_checkout_answer.h"
#include "ngx_http_payer_history.h"
#include "ngx_http_payer_ledger.h"
#include "ngx_http_payer_lookup_use.h"
#include "ngx_http_payer_notify.h"
#include "ngx_http_payer_replace.h"
#include "ngx_http_payer_ticket.h"
#include "ngx_http_payer_worth.h"


static ngx_int_t ngx_http_payer_checkout_cancel_old(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_checkout_intent(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_checkout_prepare(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static void ngx_http_payer_checkout_settle(ngx_http_payer_call_t *call);
static ngx_int_t ngx_http_payer_checkout_create(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_checkout_created(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);


/* a link that must not be kept is cancelled before another one is created */

ngx_int_t
ngx_http_payer_checkout_replace(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    if (!ctx->found || ctx->record.payment_id.len == 0
        || ctx->record.state == NGX_HTTP_PAYER_CANCELLED
        || ctx->record.state >= NGX_HTTP_PAYER_RELEASED)
    {
        ctx->link = NGX_HTTP_PAYER_LINK_MISS;
        ctx->step = ngx_http_payer_checkout_intent;
        return NGX_OK;
    }

    ctx->step = ngx_http_payer_checkout_cancel_old;

    ctx->data = (ctx->record.unknown && ngx_http_payer_checkout_live(ctx))
                     ? ngx_http_payer_replace_doubtful(ctx)
                     : ngx_http_payer_replace(ctx);

    return  ctx->data ? NGX_OK : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


static ngx_int_t
ngx_http_payer_checkout_cancel_old(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                  rc;
    ngx_http_payer_replace_t  *rt;

    rt = ctx->data;

    rc = ngx_http_payer_replace_run(rt);
    if (rc != NGX_OK) {
        return rc;
    }

    switch (rt->result) {

    case NGX_HTTP_PAYER_REPLACED:

        if (ngx_http_payer_lookup_use(ctx) != NGX_HTTP_PAYER_USE_RECORD) {

            /* no other link is created */

            ngx_http_payer_ledger_unclaim(ctx);
            ctx->step = ngx_http_payer_checkout_lookup;
            return NGX_OK;
        }

        if (ngx_http_payer_worth(ctx) == NGX_HTTP_PAYER_WORTH_CANCELLED) {

            /* the back office was faster */

            ngx_http_payer_ledger_unclaim(ctx);
            ctx->step = ngx_http_payer_checkout_known;
            return NGX_OK;
        }

        ctx->link = NGX_HTTP_PAYER_LINK_REPLACED;
        ctx->step = ngx_http_payer_checkout_intent;
        return NGX_OK;

    case NGX_HTTP_PAYER_REPLACE_LOOK:
        ngx_http_payer_ledger_unclaim(ctx);
        ctx->step = ngx_http_payer_checkout_lookup;
        return NGX_OK;

    case NGX_HTTP_PAYER_REPLACE_FAILED:
        return ngx_http_payer_checkout_failed(r, rt->call);

    case NGX_HTTP_PAYER_REPLACE_NOT_STORED:
        return ngx_http_payer_checkout_unavailable(r,
                                         "the payment could not be stored");

    default: /* NGX_HTTP_PAYER_REPLACE_IN_USE */
        return ngx_http_payer_checkout_unavailable(r,
                                "the old link of the order is still in use");
    }
}


/* from here on the record says that a link may exist */

static ngx_int_t
ngx_http_payer_checkout_intent(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    int64_t                        words;
    ngx_int_t                      rc, past, link;
    ngx_uint_t                     n;
    ngx_http_payer_record_t       *record;
    ngx_http_payer_store_entry_t   entries[2];

    record = &ctx->record;

    past = ngx_http_payer_worth_past(ctx, &entries[0]);
    n = (past == NGX_OK);

    link = ngx_http_payer_history_link(ctx, &entries[n]);
    n += (link == NGX_OK);

    if (past == NGX_ERROR || link == NGX_ERROR
        || ngx_http_payer_api_request_id(ctx) != NGX_OK
        || ngx_http_payer_ticket_make(ctx) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    words = ctx->found ? record->words + 1 : 0;

    ngx_memzero(record, sizeof(ngx_http_payer_record_t));

    record->words = words;
    record->signed_until = ctx->signed_until;

    record->reference = ctx->order.reference;
    record->currency = ctx->order.currency;
    record->amount = ctx->order.amount;
    record->request_id = ctx->request_id;
    record->authorized = -1;
    record->captured = -1;
    record->refunded = -1;
    record->state = NGX_HTTP_PAYER_CREATING;
    ngx_memcpy(record->ticket, ctx->ticket, NGX_HTTP_PAYER_TICKET_LEN);

    rc = ngx_http_payer_notify_note(ctx);

    if (rc != NGX_OK) {
        return rc == NGX_DECLINED
               ? ngx_http_payer_checkout_unavailable(r,
                              "no notification could be sent for the order")
               : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->found = 1;
    ctx->act = NGX_HTTP_PAYER_CLAIM_TAKE;
    ctx->step = ngx_http_payer_checkout_prepare;

    rc = ngx_http_payer_ledger_write_all(ctx, NGX_HTTP_PAYER_BY_SELF, entries,
                                         n);

    return rc == NGX_AGAIN ? NGX_AGAIN : NGX_OK;
}


static ngx_int_t
ngx_http_payer_checkout_prepare(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t               rc;
    ngx_http_payer_call_t  *call;

    if (ctx->io.rc == NGX_BUSY) {

        /* another nginx with this store is creating the link */

        ctx->link = NGX_HTTP_PAYER_LINK_WAIT;
        ctx->step = ngx_http_payer_checkout_lookup;
        return NGX_OK;
    }

    if (ctx->io.rc != NGX_OK) {
        return ngx_http_payer_checkout_unavailable(r,
                                           "the order could not be stored");
    }

    if (ctx->io.kept) {

        /* paid meanwhile, or created by a faster request */

        ngx_http_payer_ledger_unclaim(ctx);
        ctx->step = ngx_http_payer_checkout_lookup;
        return NGX_OK;
    }

    /* the stored result: the order's ticket may be an older one */

    if (ngx_http_payer_ledger_reread(ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_payer_ticket_adopt(ctx);

    rc = ngx_http_payer_checkout_urls(r, ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    call = ngx_http_payer_api_call(ctx, NGX_HTTP_PAYER_CALL_CREATE, NULL);

    if (call == NULL
        || ngx_http_payer_json_write_order(r->pool, &ctx->order, &call->body)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    call->request_id = ctx->request_id;
    call->read = ngx_http_payer_api_read_link;
    call->settle = ngx_http_payer_checkout_settle;

    call->result = ngx_pcalloc(r->pool, sizeof(ngx_http_payer_json_link_t));
    if (call->result == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->step = ngx_http_payer_checkout_create;

    return NGX_OK;
}


/*
 * Runs when the reply arrives, even if the buyer has gone.  A create that was
 * not done leaves its intent in the store: no client has its link, and the
 * next visit creates another one.
 */

static void
ngx_http_payer_checkout_settle(ngx_http_payer_call_t *call)
{
    ngx_http_payer_ctx_t        *ctx;
    ngx_http_payer_json_link_t  *link;

    if (call->outcome != NGX_HTTP_PAYER_DONE) {
        return;
    }

    ctx = call->ctx;
    link = call->result;

    ctx->record.payment_id = link->payment_id;
    ctx->record.url = link->url;
    ctx->record.state = NGX_HTTP_PAYER_INITIATED;
    ctx->record.created = ngx_time();
    ctx->record.expires = ctx->record.created + ctx->conf->link_ttl;

    ctx->act = NGX_HTTP_PAYER_CLAIM_RELEASE;

    (void) ngx_http_payer_ledger_write(ctx, NGX_HTTP_PAYER_BY_REPLY);
}


static ngx_int_t
ngx_http_payer_checkout_create(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t               rc;
    ngx_http_payer_call_t  *call;

    call = ctx->call;

    rc = ngx_http_payer_api_run(call);
    if (rc != NGX_OK) {
        return rc;
    }

    if (call->outcome == NGX_HTTP_PAYER_CONFLICT && !ctx->again) {

        /*
         * Payer created a link whose reply was lost.  No client has its URL,
         * so it cannot be paid: another one is harmless.
         */

        ctx->again = 1;
        ctx->step = ngx_http_payer_checkout_intent;
        return NGX_OK;
    }

    if (call->outcome != NGX_HTTP_PAYER_DONE) {
        return ngx_http_payer_checkout_failed(r, call);
    }

    ctx->step = ngx_http_payer_checkout_created;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_checkout_created(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    if (ctx->io.rc != NGX_OK) {
        return ngx_http_payer_checkout_unavailable(r,
                                            "the link could not be stored");
    }

    ngx_http_payer_ledger_settled(ctx);

    if (ctx->io.kept) {

        /*
         * The order has another link, and this one will not be used.  As a
         * rule too much time has passed, but not to cancel it.
         */

        ctx->deadline = ngx_current_msec + ctx->conf->timeout;
        ctx->link = NGX_HTTP_PAYER_LINK_WAIT;
        ctx->step = ngx_http_payer_checkout_cancel_old;

        ctx->data = ngx_http_payer_replace_unknown(ctx);

        return ctx->data ? NGX_OK : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->step = ngx_http_payer_checkout_present;

    return NGX_OK;
}
