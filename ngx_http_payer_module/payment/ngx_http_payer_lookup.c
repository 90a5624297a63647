
/*
 * The lookup of a request: made by the location that is met first, and kept
 * with the request over internal redirects.
 */


#include "ngx_http_payer_lookup.h"
#include "ngx_http_payer_counter.h"


static ngx_int_t ngx_http_payer_lookup_prepare(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_lookup_conf_t *conf);
static ngx_int_t ngx_http_payer_lookup_go(ngx_http_payer_ctx_t *ctx);
static ngx_http_payer_lookup_t *ngx_http_payer_lookup_create(
    ngx_http_payer_ctx_t *ctx, ngx_http_payer_lookup_conf_t *conf,
    ngx_http_core_loc_conf_t *clcf, ngx_str_t *args);
static ngx_int_t ngx_http_payer_lookup_reuse(ngx_http_payer_lookup_t *old,
    ngx_http_payer_lookup_t *lookup);
static ngx_http_payer_lookup_t *ngx_http_payer_lookup_inherited(
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_lookup_decided(ngx_http_payer_ctx_t *ctx);
static ngx_uint_t ngx_http_payer_lookup_equal(ngx_str_t *one,
    ngx_str_t *other);
static void ngx_http_payer_lookup_cleanup(void *data);


ngx_int_t
ngx_http_payer_lookup_run(ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t  rc;

    if (ctx->conf->lookup == NULL) {
        ctx->lookup = ngx_http_payer_lookup_inherited(ctx);
        return NGX_OK;
    }

    if (ctx->lookup == NULL) {

        rc = ngx_http_payer_lookup_prepare(ctx, ctx->conf->lookup);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return ngx_http_payer_lookup_go(ctx);
}


ngx_int_t
ngx_http_payer_lookup_blind(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_loc_conf_t *conf, ngx_str_t *uri)
{
    ngx_str_t                 args;
    ngx_http_payer_lookup_t  *lookup;

    args.data = uri->data + conf->lookup->uri.len;
    args.len = uri->len - conf->lookup->uri.len;

    if (args.len) {
        args.data++;
        args.len--;
    }

    lookup = ctx->lookup;

    if (lookup == NULL || lookup->clcf != conf->lookup_clcf
        || lookup->conf->fields.nelts != conf->lookup->fields.nelts
        || !ngx_http_payer_lookup_equal(&lookup->args, &args))
    {
        lookup = ngx_http_payer_lookup_create(ctx, conf->lookup,
                                              conf->lookup_clcf, &args);
        if (lookup == NULL) {
            return NGX_ERROR;
        }

        lookup->blind = 1;
        ctx->lookup = lookup;
    }

    return ngx_http_payer_lookup_go(ctx);
}


static ngx_int_t
ngx_http_payer_lookup_go(ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                 rc;
    ngx_http_payer_lookup_t  *lookup;

    lookup = ctx->lookup;

    if (lookup->verdict) {
        return ngx_http_payer_lookup_decided(ctx);
    }

    if (lookup->call) {

        /* one of those that wait, woken by its deadline */

        ngx_http_payer_lookup_leave(lookup);
        ngx_http_payer_lookup_fail(lookup,
                                   "another request for the same lookup takes "
                                   "too long");

        return ngx_http_payer_lookup_decided(ctx);
    }

    rc = ngx_http_payer_lookup_ask(ctx);

    return rc == NGX_OK ? ngx_http_payer_lookup_decided(ctx) : rc;
}


static ngx_int_t
ngx_http_payer_lookup_decided(ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_lookup_t  *lookup;

    lookup = ctx->lookup;

    ngx_http_payer_lookup_bind(ctx);

    if (!lookup->counted) {
        lookup->counted = 1;

        ngx_http_payer_count(ctx->conf->main->zone,
                             NGX_HTTP_PAYER_COUNT_OTHERS,
                             NGX_HTTP_PAYER_COUNT_LOOKUPS, lookup->verdict);
    }

    return NGX_OK;
}


void
ngx_http_payer_lookup_bind(ngx_http_payer_ctx_t *ctx)
{
    if (ctx->lookup) {
        ctx->lookup->reference = ctx->order.reference;
    }
}


/* of the location that led here, if that was about this order */

static ngx_http_payer_lookup_t *
ngx_http_payer_lookup_inherited(ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_lookup_t  *lookup;

    if (!ctx->conf->main->lookups) {
        return NULL;
    }

    lookup = ngx_http_payer_lookup_of(ctx->request);

    if (lookup == NULL || lookup->verdict == 0
        || !ngx_http_payer_lookup_equal(&lookup->reference,
                                        &ctx->order.reference))
    {
        return NULL;
    }

    return lookup;
}


/* the lookup of this location: that of an earlier one if it asks the same */

static ngx_int_t
ngx_http_payer_lookup_prepare(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_lookup_conf_t *conf)
{
    ngx_int_t                 rc;
    ngx_str_t                 args, *reference;
    ngx_http_payer_lookup_t  *old, *lookup;

    rc = ngx_http_payer_lookup_args(ctx->request, conf, &args);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    old = ngx_http_payer_lookup_of(ctx->request);

    lookup = ngx_http_payer_lookup_create(ctx, conf, ctx->conf->lookup_clcf,
                                          &args);
    if (lookup == NULL) {
        return NGX_ERROR;
    }

    ctx->lookup = lookup;

    reference = &lookup->asked;

    if (rc == NGX_DECLINED
        || (reference->len && reference->data[0] == '.'
            && (reference->len == 1
                || (reference->len == 2 && reference->data[1] == '.'))))
    {
        /* two dots would be another path of the shop */

        lookup->verdict = NGX_HTTP_PAYER_LOOKUP_ABSENT;
        return NGX_OK;
    }

    return old ? ngx_http_payer_lookup_reuse(old, lookup) : NGX_OK;
}


ngx_int_t
ngx_http_payer_lookup_without_buyer(ngx_http_payer_ctx_t *ctx, ngx_str_t *args)
{
    ngx_http_payer_lookup_conf_t  *conf;

    conf = ngx_palloc(ctx->request->pool,
                      sizeof(ngx_http_payer_lookup_conf_t));
    if (conf == NULL) {
        return NGX_ERROR;
    }

    *conf = *ctx->conf->lookup;

    conf->match.set = 0;
    conf->headers.nelts = 0;

    ctx->lookup = ngx_http_payer_lookup_create(ctx, conf,
                                               ctx->conf->lookup_clcf, args);

    return ctx->lookup ? NGX_OK : NGX_ERROR;
}


static ngx_http_payer_lookup_t *
ngx_http_payer_lookup_create(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_lookup_conf_t *conf, ngx_http_core_loc_conf_t *clcf,
    ngx_str_t *args)
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
    lookup->clcf = clcf;
    lookup->ctx = ctx;
    lookup->args = *args;
    lookup->asked = ctx->order.reference;
    lookup->retry_after = -1;

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


ngx_uint_t
ngx_http_payer_lookup_same(ngx_http_payer_lookup_t *one,
    ngx_http_payer_lookup_t *other)
{
    return one->clcf == other->clcf
           && ngx_http_payer_lookup_equal(&one->conf->uri, &other->conf->uri)
           && ngx_http_payer_lookup_equal(&one->args, &other->args)
           && ngx_http_payer_lookup_equal(&one->asked, &other->asked);
}


static ngx_uint_t
ngx_http_payer_lookup_equal(ngx_str_t *one, ngx_str_t *other)
{
    return one->len == other->len
           && (one->len == 0
               || ngx_memcmp(one->data, other->data, one->len) == 0);
}


/*
 * Another location has the same lookup: it reads its own fields from the
 * response, and has its own match.
 */

static ngx_int_t
ngx_http_payer_lookup_reuse(ngx_http_payer_lookup_t *old,
    ngx_http_payer_lookup_t *lookup)
{
    if (old->asked.len == 0
        && ngx_http_payer_lookup_equal(&old->reference, &lookup->asked))
    {
        /* requested before it was known, and for this order */

        ngx_str_null(&lookup->asked);
    }

    if (!old->verdict || old->status == 0 || old->reply.data == NULL
        || !ngx_http_payer_lookup_same(old, lookup))
    {
        return NGX_OK;
    }

    lookup->status = old->status;
    lookup->reply = old->reply;
    lookup->retry_after = old->retry_after;
    lookup->replace = old->replace;
    lookup->counted = 1;

    return ngx_http_payer_lookup_read(lookup, old);
}


/* the request ends, and with it the call that others wait for */

static void
ngx_http_payer_lookup_cleanup(void *data)
{
    ngx_http_payer_lookup_leave(data);
}
