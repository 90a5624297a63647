
/*
 * A lookup without a buyer.
 */


#include "ngx_http_payer_look.h"
#include "ngx_http_payer_log.h"
#include "ngx_http_payer_lookup.h"
#include "ngx_http_payer_notify.h"
#include "ngx_http_payer_proof.h"


static ngx_int_t ngx_http_payer_look_ask(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_loc_conf_t *rules, ngx_str_t *uri, const char **reason);
static ngx_http_payer_loc_conf_t *ngx_http_payer_look_rules(
    ngx_http_payer_ctx_t *ctx, ngx_str_t *uri);
static ngx_uint_t ngx_http_payer_look_asks(ngx_http_payer_loc_conf_t *conf,
    ngx_str_t *uri);
static ngx_int_t ngx_http_payer_look_total(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_loc_conf_t *rules, const char **reason);
static ngx_http_payer_loc_conf_t *ngx_http_payer_look_priced(
    ngx_http_payer_loc_conf_t *rules, ngx_str_t *uri);


ngx_int_t
ngx_http_payer_look(ngx_http_payer_ctx_t *ctx, const char **reason)
{
    ngx_int_t                   rc;
    ngx_str_t                  *uri;
    ngx_http_payer_loc_conf_t  *rules;

    uri = &ctx->record.lookup;

    if (uri->len == 0) {
        return NGX_OK;
    }

    rules = ngx_http_payer_look_rules(ctx, uri);

    if (rules == NULL) {

        /* its result could not be interpreted */

        ngx_http_payer_log(NGX_LOG_WARN, ctx,
                           "no location has the lookup \"%V\" of this order, "
                           "so that the shop is not asked", uri);
        return NGX_OK;
    }

    rc = ngx_http_payer_look_ask(ctx, rules, uri, reason);

    if (rc != NGX_OK) {
        return rc;
    }

    rules = ngx_http_payer_look_priced(rules, uri);

    return rules ? ngx_http_payer_look_total(ctx, rules, reason) : NGX_OK;
}


ngx_int_t
ngx_http_payer_look_open(ngx_http_payer_ctx_t *ctx, const char **reason)
{
    ngx_str_t                  *uri;
    ngx_http_payer_loc_conf_t  *rules;

    uri = &ctx->record.lookup;

    rules = uri->len ? ngx_http_payer_look_rules(ctx, uri) : NULL;

    return rules ? ngx_http_payer_look_ask(ctx, rules, uri, reason) : NGX_OK;
}


static ngx_int_t
ngx_http_payer_look_ask(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_loc_conf_t *rules, ngx_str_t *uri, const char **reason)
{
    ngx_int_t  rc;

    rc = ngx_http_payer_lookup_blind(ctx, rules, uri);
    if (rc != NGX_OK) {
        return rc;
    }

    switch (ctx->lookup->verdict) {

    case NGX_HTTP_PAYER_LOOKUP_OPEN:
        return NGX_OK;

    case NGX_HTTP_PAYER_LOOKUP_PAID:
        *reason = "the order is already paid in the shop";
        return NGX_DONE;

    case NGX_HTTP_PAYER_LOOKUP_CLOSED:
    case NGX_HTTP_PAYER_LOOKUP_OTHER:
        *reason = "the shop says that the order is not open";
        return NGX_ABORT;

    case NGX_HTTP_PAYER_LOOKUP_ABSENT:
        *reason = " to the lookup: the order does not exist";
        return NGX_DECLINED;

    default: /* NGX_HTTP_PAYER_LOOKUP_FAILED */
        *reason = " to the lookup";
        return NGX_DECLINED;
    }
}


/*
 * The rules are those of the location of the notification, or else those of
 * the page where the payment begins.
 */

static ngx_http_payer_loc_conf_t *
ngx_http_payer_look_rules(ngx_http_payer_ctx_t *ctx, ngx_str_t *uri)
{
    ngx_uint_t                   i;
    ngx_str_t                   *server;
    ngx_http_payer_loc_conf_t  **locs, *place, *inner;

    server = &ctx->record.server;

    place = ngx_http_payer_notify_place(ctx->conf->main, server,
                                        &ctx->record.notify);

    if (place) {
        inner = place->notify_clcf->loc_conf[ngx_http_payer_module.ctx_index];

        if (ngx_http_payer_look_asks(inner, uri)) {
            return inner;
        }

        if (ngx_http_payer_look_asks(place, uri)) {
            return place;
        }
    }

    locs = ctx->conf->main->locations.elts;

    for (i = 0; i < ctx->conf->main->locations.nelts; i++) {

        if (locs[i]->cscf->server_name.len == server->len
            && ngx_strncmp(locs[i]->cscf->server_name.data, server->data,
                           server->len)
               == 0
            && ngx_http_payer_look_asks(locs[i], uri))
        {
            return locs[i];
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_http_payer_look_asks(ngx_http_payer_loc_conf_t *conf, ngx_str_t *uri)
{
    ngx_str_t  *path;

    if (conf->lookup == NULL || conf->lookup_clcf == NULL) {
        return 0;
    }

    path = &conf->lookup->uri;

    return uri->len >= path->len
           && ngx_memcmp(uri->data, path->data, path->len) == 0
           && (uri->len == path->len || uri->data[path->len] == '?');
}


/* the location that specifies which field is the total */

static ngx_http_payer_loc_conf_t *
ngx_http_payer_look_priced(ngx_http_payer_loc_conf_t *rules, ngx_str_t *uri)
{
    ngx_uint_t                   i;
    ngx_http_payer_loc_conf_t  **locs;

    if (rules->verify.amount) {
        return rules;
    }

    locs = rules->main->locations.elts;

    for (i = 0; i < rules->main->locations.nelts; i++) {
        if (locs[i]->cscf == rules->cscf && locs[i]->verify.amount
            && locs[i]->lookup == rules->lookup)
        {
            return locs[i];
        }
    }

    /* or that of the checkout, if it has the same fields */

    for (i = 0; i < rules->main->locations.nelts; i++) {
        if (locs[i]->cscf == rules->cscf && locs[i]->handler->order
            && locs[i]->lookup_needed
            && (locs[i]->lookup == NULL || locs[i]->lookup == rules->lookup))
        {
            return locs[i];
        }
    }

    return NULL;
}


static ngx_int_t
ngx_http_payer_look_total(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_loc_conf_t *rules, const char **reason)
{
    int64_t                    total;
    ngx_int_t                  decimals;
    ngx_str_t                  amount, currency;
    ngx_uint_t                 unit;
    ngx_http_request_t        *r;
    ngx_http_complex_value_t  *price, *money;

    r = ctx->request;

    price = rules->verify.amount;
    money = rules->verify.currency;
    unit = rules->verify.unit;

    if (price == NULL) {
        price = rules->amount;
        money = rules->currency;
        unit = rules->amount_unit;
    }

    if (ngx_http_complex_value(r, price, &amount) != NGX_OK
        || ngx_http_complex_value(r, money, &currency) != NGX_OK)
    {
        return NGX_ERROR;
    }

    decimals = ngx_http_payer_currency_exponent(&currency);

    if (decimals == NGX_DECLINED
        || ngx_http_payer_amount_of(&amount, unit, decimals, &total)
           != NGX_OK)
    {
        *reason = " to the lookup: its total is no amount";
        return NGX_DECLINED;
    }

    if (!ngx_http_payer_proof_covers(&ctx->record, total, &currency)) {
        *reason = "the order costs more in the shop now than was paid, or is "
                  "in another currency";
        return NGX_ABORT;
    }

    return NGX_OK;
}
