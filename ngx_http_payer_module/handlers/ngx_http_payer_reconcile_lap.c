
/*
 * The position of payer_reconcile, and those of payer_sweep.
 *
 * Format 1 of what is stored, integers little-endian:
 *
 *      0  "PL"           8   began         24  old
 *      2  version, 1     16  before        32  text: the cursor
 *      3  five zeros
 */


#include "ngx_http_payer_reconcile_lap.h"
#include "ngx_http_payer_codec.h"
#include "ngx_http_payer_ledger.h"
#include "ngx_http_payer_sweep_merchant.h"


#define NGX_HTTP_PAYER_LAP_VERSION  1
#define NGX_HTTP_PAYER_LAP_HEAD     32

#define NGX_HTTP_PAYER_LAP_HOUR     3600
#define NGX_HTTP_PAYER_LAP_DAY      86400
#define NGX_HTTP_PAYER_LAP_KEEP     (62 * NGX_HTTP_PAYER_LAP_DAY)


static ngx_int_t ngx_http_payer_reconcile_lap_key(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_lap_t *lap);
static void ngx_http_payer_reconcile_lap_decode(ngx_str_t *value,
    ngx_http_payer_reconcile_lap_t *lap);


ngx_int_t
ngx_http_payer_reconcile_lap_read(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_lap_t *lap)
{
    ngx_int_t  rc;

    if (lap->key.len == 0
        && ngx_http_payer_reconcile_lap_key(ctx, lap) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_http_payer_ledger_get(ctx, &lap->key);

    if (rc == NGX_AGAIN || rc == NGX_ERROR) {
        return rc;
    }

    if (rc == NGX_OK) {
        ngx_http_payer_reconcile_lap_decode(&ctx->io.value, lap);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_reconcile_lap_key(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_lap_t *lap)
{
    ngx_str_t  *id;

    if (ctx->sweep) {
        lap->key = ctx->sweep->lap_key;
        return NGX_OK;
    }

    id = &ctx->conf->merchant->id;

    lap->key.len = sizeof("reconcile/") - 1 + id->len;
    lap->key.data = ngx_pnalloc(ctx->request->pool, lap->key.len);
    if (lap->key.data == NULL) {
        ngx_str_null(&lap->key);
        return NGX_ERROR;
    }

    ngx_sprintf(lap->key.data, "reconcile/%V", id);

    return NGX_OK;
}


/* invalid bytes begin a new lap, which is harmless */

static void
ngx_http_payer_reconcile_lap_decode(ngx_str_t *value,
    ngx_http_payer_reconcile_lap_t *lap)
{
    u_char     *p;
    ngx_str_t   after, *text;

    p = value->data;

    if (value->len < NGX_HTTP_PAYER_LAP_HEAD
        || p[0] != 'P' || p[1] != 'L' || p[2] != NGX_HTTP_PAYER_LAP_VERSION)
    {
        return;
    }

    text = &after;

    if (ngx_http_payer_read_texts(p + NGX_HTTP_PAYER_LAP_HEAD,
                                  p + value->len, &text, 1)
        != NGX_OK)
    {
        return;
    }

    lap->began = ngx_http_payer_read_int(p + 8);
    lap->before = ngx_http_payer_read_int(p + 16);
    lap->old = (ngx_uint_t) ngx_http_payer_read_int(p + 24);
    lap->after = after;
}


ngx_int_t
ngx_http_payer_reconcile_lap_write(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_lap_t *lap)
{
    size_t                         len;
    u_char                        *p;
    ngx_int_t                      rc;
    ngx_str_t                     *text;
    ngx_http_payer_store_t        *store;
    ngx_http_payer_store_entry_t   entry;

    store = ctx->conf->main->store;
    text = &lap->after;

    ctx->io.rc = NGX_ERROR;

    len = NGX_HTTP_PAYER_LAP_HEAD + ngx_http_payer_texts_len(&text, 1);

    p = ngx_pcalloc(ctx->request->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&entry, sizeof(ngx_http_payer_store_entry_t));

    /* of servers that are gone it is not kept for ever */

    entry.expires = ngx_time() + NGX_HTTP_PAYER_LAP_KEEP;

    entry.key = lap->key;
    entry.value.data = p;
    entry.value.len = len;

    p[0] = 'P';
    p[1] = 'L';
    p[2] = NGX_HTTP_PAYER_LAP_VERSION;

    p = ngx_http_payer_write_int(p + 8, lap->began);
    p = ngx_http_payer_write_int(p, lap->before);
    p = ngx_http_payer_write_int(p, (int64_t) lap->old);

    ngx_http_payer_write_texts(p, &text, 1);

    rc = store->ops->put(store, &entry, 1, NGX_HTTP_PAYER_CLAIM_NONE, NULL,
                         &ctx->io);

    if (rc != NGX_AGAIN) {
        ctx->io.rc = rc;
    }

    return rc;
}


void
ngx_http_payer_reconcile_lap_next(ngx_http_payer_reconcile_lap_t *lap)
{
    lap->before = lap->began;
    lap->began = 0;
    lap->old = 0;

    ngx_str_null(&lap->after);
}


ngx_uint_t
ngx_http_payer_reconcile_lap_due(ngx_http_payer_reconcile_lap_t *lap,
    time_t since)
{
    time_t  age;

    age = ngx_time() - since;

    /* a time in the future was written with a wrong clock */

    if (age < NGX_HTTP_PAYER_LAP_HOUR) {
        return age < 0 || lap->interval == 0
               || ngx_http_payer_reconcile_lap_each(lap, since, lap->interval);
    }

    return ngx_http_payer_reconcile_lap_each(lap, since,
                                             age < NGX_HTTP_PAYER_LAP_DAY
                                             ? NGX_HTTP_PAYER_LAP_HOUR
                                             : NGX_HTTP_PAYER_LAP_DAY);
}


ngx_uint_t
ngx_http_payer_reconcile_lap_each(ngx_http_payer_reconcile_lap_t *lap,
    time_t since, time_t interval)
{
    time_t  now;

    now = ngx_time();

    /* the lap before passed it at this time, or later */

    if (lap->before <= since || lap->before > now) {
        return 1;
    }

    return (now - since) / interval > (lap->before - since) / interval;
}
