
/*
 * payer_checkout: finds or creates the order's link and presents it.
 *
 *     order -> lookup -> known -> claim -> lookup -> (a link is made)
 *           -> present
 */


#include "ngx_http_payer_checkout.h"
#include "ngx_http_payer_access.h"
#include "ngx_http_payer_answer.h"
#include "ngx_http_payer_body.h"
#include "ngx_http_payer_checkout_answer.h"
#include "ngx_http_payer_confirm.h"
#include "ngx_http_payer_counter.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_ledger.h"
#include "ngx_http_payer_log.h"
#include "ngx_http_payer_lookup_use.h"
#include "ngx_http_payer_order_values.h"
#include "ngx_http_payer_present.h"
#include "ngx_http_payer_reopen.h"
#include "ngx_http_payer_signature.h"
#include "ngx_http_payer_ticket.h"
#include "ngx_http_payer_worth.h"


static ngx_int_t ngx_http_payer_checkout_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_payer_checkout_order(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_checkout_values(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_checkout_reopen(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_checkout_reopen_order(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_checkout_noted(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_checkout_decide(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx, ngx_http_payer_worth_e worth);
static ngx_int_t ngx_http_payer_checkout_claim(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_checkout_paid(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);


#define NGX_HTTP_PAYER_NOTE_PAUSE   50      /* ms */

/* a link from further in the future was created with a wrong clock */

#define NGX_HTTP_PAYER_LINK_AHEAD   86400


ngx_http_payer_handler_t  ngx_http_payer_handler_checkout = {
    ngx_string("payer_checkout"),
    ngx_http_payer_checkout_handler,
    1, 0, 1, 0, NULL, NULL
};


static ngx_str_t  ngx_http_payer_checkout_name = ngx_string("create");


static ngx_int_t
ngx_http_payer_checkout_handler(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_http_payer_ctx_t       *ctx, *gate;
    ngx_http_payer_loc_conf_t  *conf;

    static ngx_str_t  allow = ngx_string("GET, HEAD, POST");

    if (r != r->main) {
        return NGX_HTTP_NOT_FOUND;
    }

    /* after error_page 402 the status 402 would be that of our redirect */

    r->err_status = 0;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_payer_module);

    /* of payer_verify, whose error page this may be */

    gate = ngx_http_payer_get_ctx(r);

    ctx = ngx_http_payer_flow_create(r, conf, ngx_http_payer_checkout_order);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->data = gate;

    if (gate) {

        /* $payer_reference is what payer_verify has asked for */

        ctx->order.reference = gate->order.reference;
    }

    ctx->operation = &ngx_http_payer_checkout_name;

    rc = ngx_http_payer_access_method(r, NGX_HTTP_GET|NGX_HTTP_HEAD
                                         |NGX_HTTP_POST, &allow);
    if (rc != NGX_OK) {
        return rc == NGX_DONE ? NGX_OK : rc;
    }

    return ngx_http_payer_body_drop(r, ctx);
}


static ngx_int_t
ngx_http_payer_checkout_order(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                 rc, number;
    ngx_http_payer_problem_t  problem, wrong;

    /*
     * evaluated once and first: later evaluations may change the variables of
     * the number
     */

    number = ctx->conf->lookup_first
             ? NGX_OK : ngx_http_payer_order_number(r, ctx, &wrong);

    rc = ngx_http_payer_signature_verify(r, ctx->conf, &problem);

    if (rc == NGX_OK && number != NGX_OK) {
        rc = number;
        problem = wrong;
    }

    if (rc != NGX_OK) {
        return ngx_http_payer_checkout_wrong(r, rc, &problem);
    }

    ctx->step = ngx_http_payer_checkout_values;

    return NGX_OK;
}


/*
 * the lookup of the shop comes first, if there is one: its fields may be among
 * them
 */

static ngx_int_t
ngx_http_payer_checkout_values(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                 rc;
    ngx_http_payer_problem_t  problem;

    rc = ngx_http_payer_lookup_checkout(r, ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ctx->conf->lookup_first) {
        rc = ngx_http_payer_order_number(r, ctx, &problem);

        ngx_http_payer_lookup_bind(ctx);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_payer_order_values(r, ctx, &problem);
    }

    if (rc != NGX_OK) {
        return ngx_http_payer_checkout_wrong(r, rc, &problem);
    }

    if (ngx_http_payer_worth_begin(ctx, ctx->data) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->step = ngx_http_payer_checkout_lookup;

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_checkout_urls(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                 rc;
    ngx_http_payer_problem_t  problem;

    rc = ngx_http_payer_order_urls(r, ctx, &problem);

    return rc == NGX_OK ? NGX_OK
                        : ngx_http_payer_checkout_wrong(r, rc, &problem);
}


ngx_int_t
ngx_http_payer_checkout_lookup(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t               rc;
    ngx_http_payer_worth_e  worth;

    rc = ngx_http_payer_ledger_find(ctx, &ctx->order.reference);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc != NGX_OK) {
        return ngx_http_payer_checkout_unavailable(r,
                                            "the store could not be read");
    }

    if (ctx->found) {
        ngx_http_payer_ticket_adopt(ctx);

        if (ctx->conf->signature && !ctx->reopening
            && ngx_http_payer_worth_over(&ctx->record))
        {
            ctx->reopening = 1;
            ctx->step = ngx_http_payer_checkout_reopen;
            return NGX_OK;
        }
    }

    rc = ngx_http_payer_confirm(r, ctx, ngx_http_payer_checkout_paid);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    switch (ngx_http_payer_lookup_use(ctx)) {

    case NGX_HTTP_PAYER_USE_CLOSED:
        return ngx_http_payer_lookup_refuse(r, ctx);

    case NGX_HTTP_PAYER_USE_PAID:
        ctx->step = ngx_http_payer_checkout_paid;
        return NGX_OK;

    case NGX_HTTP_PAYER_USE_CANCEL:
        ctx->step = ctx->claim.owner ? ngx_http_payer_checkout_replace
                                     : ngx_http_payer_checkout_claim;
        return NGX_OK;

    default: /* NGX_HTTP_PAYER_USE_RECORD */
        break;
    }

    if (!ctx->found) {
        ctx->step = ctx->claim.owner ? ngx_http_payer_checkout_replace
                                     : ngx_http_payer_checkout_claim;
        return NGX_OK;
    }

    worth = ngx_http_payer_worth(ctx);

    if (ngx_http_payer_worth_note(ctx, worth)) {
        ctx->step = ngx_http_payer_checkout_noted;

        rc = ngx_http_payer_ledger_write(ctx, NGX_HTTP_PAYER_BY_SELF);

        return rc == NGX_AGAIN ? NGX_AGAIN : NGX_OK;
    }

    return ngx_http_payer_checkout_decide(r, ctx, worth);
}


/* whether this link was created to reopen the order */

static ngx_int_t
ngx_http_payer_checkout_reopen(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t  rc;
    ngx_str_t  message;

    if (ngx_http_complex_value(r, &ctx->conf->signature->message, &message)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_payer_reopen_ask(ctx, &message);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc != NGX_OK) {
        return ngx_http_payer_checkout_unavailable(r,
                                            "the store could not be read");
    }

    ctx->step = ctx->reopened.len ? ngx_http_payer_checkout_lookup
                                  : ngx_http_payer_checkout_reopen_order;

    return NGX_OK;
}


/* or whether staff have reopened the order for all links */

static ngx_int_t
ngx_http_payer_checkout_reopen_order(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_payer_reopen_ask_order(ctx);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc != NGX_OK) {
        return ngx_http_payer_checkout_unavailable(r,
                                            "the store could not be read");
    }

    ctx->step = ngx_http_payer_checkout_lookup;

    return NGX_OK;
}


/* the required amount and the expiry of the link are stored first */

static ngx_int_t
ngx_http_payer_checkout_noted(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    if (ctx->io.rc != NGX_OK) {
        return ngx_http_payer_checkout_unavailable(r,
                                            "the order could not be stored");
    }

    if (ctx->io.kept) {

        /* the order has another payment since */

        ctx->step = ngx_http_payer_checkout_lookup;
        return ngx_http_payer_flow_wait(ctx, NGX_HTTP_PAYER_NOTE_PAUSE)
               == NGX_AGAIN ? NGX_AGAIN
                            : ngx_http_payer_checkout_unavailable(r,
                              "another request for this order takes too long");
    }

    ctx->step = ngx_http_payer_checkout_known;

    return ngx_http_payer_ledger_reread(ctx) == NGX_OK
           ? NGX_OK : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


ngx_int_t
ngx_http_payer_checkout_known(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    return ngx_http_payer_checkout_decide(r, ctx, ngx_http_payer_worth(ctx));
}


static ngx_int_t
ngx_http_payer_checkout_decide(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx, ngx_http_payer_worth_e worth)
{
    if (worth == NGX_HTTP_PAYER_WORTH_PAID) {
        ctx->step = ngx_http_payer_checkout_paid;

    } else if (worth != NGX_HTTP_PAYER_WORTH_OPEN) {
        ngx_http_payer_ledger_settled(ctx);

        return ngx_http_payer_checkout_refuse(r, ctx, worth);

    } else if (!ctx->record.unknown && ngx_http_payer_checkout_live(ctx)) {

        if (ctx->link == NGX_HTTP_PAYER_LINK_NONE) {
            ctx->link = NGX_HTTP_PAYER_LINK_HIT;
        }

        ctx->step = ngx_http_payer_checkout_present;

    } else if (ctx->claim.owner) {
        ctx->step = ngx_http_payer_checkout_replace;

    } else {
        ctx->step = ngx_http_payer_checkout_claim;
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_payer_checkout_live(ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_record_t  *record;

    record = &ctx->record;

    return record->state == NGX_HTTP_PAYER_INITIATED
           && record->amount == ctx->order.amount
           && record->created + ctx->conf->link_ttl > ngx_time()
           && record->created <= ngx_time() + NGX_HTTP_PAYER_LINK_AHEAD
           && record->currency.len == ctx->order.currency.len
           && ngx_memcmp(record->currency.data, ctx->order.currency.data,
                         record->currency.len) == 0;
}


/* one request creates the link; the others wait and look again */

static ngx_int_t
ngx_http_payer_checkout_claim(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t  rc;

    if (ngx_http_payer_ticket_make(ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_payer_checkout_urls(r, ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    ctx->step = ngx_http_payer_checkout_lookup;

    switch (ngx_http_payer_ledger_claim(ctx)) {

    case NGX_OK:

        /* another request may have finished since the last look */

        return NGX_OK;

    case NGX_AGAIN:
        ctx->link = NGX_HTTP_PAYER_LINK_WAIT;
        return NGX_AGAIN;

    case NGX_DECLINED:
        return ngx_http_payer_checkout_unavailable(r,
                              "another request for this order takes too long");

    default: /* NGX_ERROR */
        ngx_http_payer_log(NGX_LOG_ERR, ctx,
                           "no memory for a lock in \"payer_zone\"");

        return ngx_http_payer_checkout_unavailable(r,
                                                   "the server is too busy");
    }
}


ngx_int_t
ngx_http_payer_checkout_present(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t  rc;

    if (ctx->conf->present == NGX_HTTP_PAYER_PRESENT_IFRAME) {

        /* the page needs them, to leave the frame at these addresses */

        rc = ngx_http_payer_checkout_urls(r, ctx);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    ngx_http_payer_ledger_settled(ctx);

    ngx_http_payer_count(ctx->conf->main->zone, NGX_HTTP_PAYER_COUNT_OTHERS,
                         NGX_HTTP_PAYER_COUNT_CHECKOUTS, ctx->link);

    return ngx_http_payer_present_link(r, ctx);
}


static ngx_int_t
ngx_http_payer_checkout_paid(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_payer_checkout_urls(r, ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_http_payer_ledger_settled(ctx);

    if (ctx->link == NGX_HTTP_PAYER_LINK_NONE) {
        ctx->link = NGX_HTTP_PAYER_LINK_HIT;
    }

    ngx_http_payer_count(ctx->conf->main->zone, NGX_HTTP_PAYER_COUNT_OTHERS,
                         NGX_HTTP_PAYER_COUNT_CHECKOUTS, ctx->link);

    return ngx_http_payer_answer_redirect(r, ctx, &ctx->order.success);
}
