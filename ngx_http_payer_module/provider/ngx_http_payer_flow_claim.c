
/*
 * Claims of orders, operations and events: they are taken, waited for and
 * released only here.
 */


#include "ngx_http_payer_flow.h"


static ngx_int_t ngx_http_payer_flow_ask_claim(ngx_http_payer_ctx_t *ctx,
    ngx_msec_t *left);


ngx_int_t
ngx_http_payer_flow_try(ngx_http_payer_ctx_t *ctx, ngx_str_t *key,
    ngx_msec_t lease, ngx_http_payer_claim_t *claim)
{
    ngx_int_t                rc;
    ngx_http_payer_store_t  *store;

    if (claim->owner) {

        /* it was waited for */

        return NGX_OK;
    }

    store = ctx->conf->main->store;

    rc = store->ops->claim(store, key, lease, claim);

    if (rc != NGX_OK) {
        ngx_str_null(&claim->key);
    }

    return rc;
}


ngx_int_t
ngx_http_payer_flow_claim(ngx_http_payer_ctx_t *ctx, ngx_str_t *key,
    ngx_msec_t lease, ngx_http_payer_claim_t *claim)
{
    ngx_int_t  rc;

    if (claim->owner || !ngx_http_payer_flow_waited(key)) {

        rc = ngx_http_payer_flow_try(ctx, key, lease, claim);

        if (rc != NGX_BUSY) {
            return rc;
        }
    }

    ctx->wait.key = *key;
    ctx->wait.lease = lease;
    ctx->wait.claim = claim;

    return ngx_http_payer_flow_join(ctx, key, ngx_http_payer_flow_ask_claim);
}


static ngx_int_t
ngx_http_payer_flow_ask_claim(ngx_http_payer_ctx_t *ctx, ngx_msec_t *left)
{
    ngx_http_payer_wait_t  *wait;

    wait = &ctx->wait;

    return ngx_http_payer_flow_try(ctx, &wait->key, wait->lease, wait->claim);
}


void
ngx_http_payer_flow_read_lost(ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_shared_read_t  *read;

    read = ctx->reading;

    if (read) {
        ctx->reading = NULL;

        ngx_http_payer_zone_read_lost(ctx->conf->main->zone, &read->key,
                                      &read->shared);
        ngx_http_payer_flow_changed(&read->key, 0);
    }
}


void
ngx_http_payer_flow_unclaim(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_claim_t *claim, ngx_uint_t settled)
{
    ngx_http_payer_store_t  *store;

    if (claim->owner) {
        store = ctx->conf->main->store;
        store->ops->unclaim(store, claim);
        claim->owner = 0;
    }

    if (claim->key.len) {

        /* the store may have released it already, with a write */

        ngx_http_payer_flow_changed(&claim->key, settled);
        ngx_str_null(&claim->key);
    }
}
