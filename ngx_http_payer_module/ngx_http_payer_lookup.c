
/*
 * The lookup of a request: made by the location that is met first, and kept
 * with the request over internal redirects.
 */


#include "ngx_http_payer_lookup.h"


static ngx_int_t ngx_http_payer_lookup_prepare(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_lookup_conf_t *conf);
static ngx_http_payer_lookup_t *ngx_http_payer_lookup_create(
    ngx_http_payer_ctx_t *ctx, ngx_http_payer_lookup_conf_t *conf,
    ngx_str_t *args);
static ngx_int_t ngx_http_payer_lookup_reuse(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_lookup_t *old, ngx_http_payer_lookup_t *lookup);
static void ngx_http_payer_lookup_cleanup(void *data);


ngx_int_t
ngx_http_payer_lookup_run(ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                      rc;
    ngx_http_payer_lookup_conf_t  *conf;

    if (ctx->lookup == NULL) {

        conf = ctx->conf->lookup;

        if (conf == NULL) {

            /* of the location that led here */

            ctx->lookup = ngx_http_payer_lookup_of(ctx->request);
            return NGX_OK;
        }

        rc = ngx_http_payer_lookup_prepare(ctx, conf);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (ctx->lookup->verdict) {
        return NGX_OK;
    }

    if (ctx->lookup->call) {

        /* one of those who wait, woken by its deadline */

        ngx_http_payer_lookup_leave(ctx->lookup);
        ctx->lookup->verdict = NGX_HTTP_PAYER_LOOKUP_FAILED;

        return NGX_OK;
    }

    return ngx_http_payer_lookup_ask(ctx);
}


/* the lookup of this location: that of an earlier one if it asks the same */

static ngx_int_t
ngx_http_payer_lookup_prepare(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_lookup_conf_t *conf)
{
    ngx_int_t                 rc;
    ngx_str_t                 args;
    ngx_http_payer_lookup_t  *old, *lookup;

    rc = ngx_http_payer_lookup_args(ctx->request, conf, &args);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    old = ngx_http_payer_lookup_of(ctx->request);

    if (rc == NGX_OK && old && old->verdict && old->conf == conf
        && old->clcf == ctx->conf->lookup_clcf
        && old->args.len == args.len
        && ngx_memcmp(old->args.data, args.data, args.len) == 0)
    {
        ctx->lookup = old;
        return NGX_OK;
    }

    lookup = ngx_http_payer_lookup_create(ctx, conf, &args);
    if (lookup == NULL) {
        return NGX_ERROR;
    }

    ctx->lookup = lookup;

    if (rc == NGX_DECLINED) {
        lookup->verdict = NGX_HTTP_PAYER_LOOKUP_ABSENT;
        return NGX_OK;
    }

    return old ? ngx_http_payer_lookup_reuse(ctx, old, lookup) : NGX_OK;
}


static ngx_http_payer_lookup_t *
ngx_http_payer_lookup_create(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_lookup_conf_t *conf, ngx_str_t *args)
{
    ngx_pool_cleanup_t       *cln;
    ngx_http_payer_lookup_t  *lookup;

    cln = ngx_pool_cleanup_add(ctx->request->pool,
                               sizeof(ngx_http_payer_lookup_t));
    if (cln == NULL) {
        return NULL;
    }

    lookup = cln->data;

    ngx_memzero(lookup, sizeof(ngx_http_payer_lookup_t));

    lookup->conf = conf;
    lookup->clcf = ctx->conf->lookup_clcf;
    lookup->ctx = ctx;
    lookup->args = *args;

    cln->handler = ngx_http_payer_lookup_cleanup;

    return lookup;
}


ngx_http_payer_lookup_t *
ngx_http_payer_lookup_of(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t  *cln;

    /* the last one is found first */

    for (cln = r->main->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_payer_lookup_cleanup) {
            return cln->data;
        }
    }

    return NULL;
}


/* another location asks the same place the same, and reads its own from it */

static ngx_int_t
ngx_http_payer_lookup_reuse(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_lookup_t *old, ngx_http_payer_lookup_t *lookup)
{
    if (!old->verdict || old->status == 0 || old->reply.data == NULL
        || old->clcf != lookup->clcf
        || old->conf->uri.len != lookup->conf->uri.len
        || ngx_memcmp(old->conf->uri.data, lookup->conf->uri.data,
                      old->conf->uri.len)
           != 0
        || old->args.len != lookup->args.len
        || ngx_memcmp(old->args.data, lookup->args.data, old->args.len) != 0)
    {
        return NGX_OK;
    }

    lookup->status = old->status;
    lookup->reply = old->reply;
    lookup->retry_after = old->retry_after;

    return ngx_http_payer_lookup_read(lookup);
}


static void
ngx_http_payer_lookup_cleanup(void *data)
{
    ngx_http_payer_lookup_leave(data);
}
