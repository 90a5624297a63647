
/*
 * The walk of payer_reconcile and of payer_sweep.
 *
 *     start -> scan ... -> stop -> over
 *
 * Several consecutive payments that cannot be read mean that Payer is not
 * available, and end the run.
 */


#include "ngx_http_payer_reconcile_walk.h"
#include "ngx_http_payer_ledger.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_sweep_merchant.h"


#define NGX_HTTP_PAYER_RECONCILE_SCAN       10000   /* records in a call */
#define NGX_HTTP_PAYER_RECONCILE_BREATH     100     /* without a pause */
#define NGX_HTTP_PAYER_RECONCILE_BURST      4       /* jobs, the same */
#define NGX_HTTP_PAYER_RECONCILE_FAILURES   3       /* in a row */
#define NGX_HTTP_PAYER_RECONCILE_POOL       1024
#define NGX_HTTP_PAYER_RECONCILE_PATIENCE   1000    /* ms, for jobs */


static ngx_int_t ngx_http_payer_reconcile_begin(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec);
static void ngx_http_payer_reconcile_cleanup(void *data);
static ngx_int_t ngx_http_payer_reconcile_scan(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_uint_t ngx_http_payer_reconcile_enough(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec);
static ngx_int_t ngx_http_payer_reconcile_wait(ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_reconcile_record(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec);
static void ngx_http_payer_reconcile_end(ngx_http_payer_reconcile_t *rec);
static ngx_uint_t ngx_http_payer_reconcile_around(
    ngx_http_payer_reconcile_t *rec, ngx_str_t *key);
static ngx_int_t ngx_http_payer_reconcile_stop(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_reconcile_stopped(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_reconcile_next(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec);
static ngx_int_t ngx_http_payer_reconcile_prefix(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec);


ngx_str_t  ngx_http_payer_reconcile_kinds[] = {
    ngx_string("operation/"),
    ngx_string("order/")
};


ngx_int_t
ngx_http_payer_reconcile_start(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                        rc;
    ngx_http_payer_reconcile_t      *rec;
    ngx_http_payer_reconcile_lap_t  *lap;

    rec = ctx->data;
    lap = &rec->lap;

    rc = ngx_http_payer_reconcile_lap_read(ctx, lap);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc != NGX_OK) {
        rec->count.broken = 1;
        ctx->step = rec->over;
        return NGX_OK;
    }

    if (lap->began == 0) {
        lap->began = ngx_time();
    }

    if (ctx->sweep) {
        lap->interval = ctx->sweep->interval / 1000;
    }

    if (!rec->by_hand) {
        rec->after = lap->after;
        rec->kind = ngx_http_payer_reconcile_kind(&rec->after);
        rec->start = rec->after;
        rec->start_kind = rec->kind;
    }

    return ngx_http_payer_reconcile_begin(ctx, rec);
}


static ngx_int_t
ngx_http_payer_reconcile_begin(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec)
{
    ngx_pool_cleanup_t  *cln;

    ngx_queue_init(&rec->jobs);

    rec->ctx = ctx;
    rec->window = 1;

    cln = ngx_pool_cleanup_add(ctx->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    rec->pool = ngx_create_pool(NGX_HTTP_PAYER_RECONCILE_POOL,
                                ctx->request->connection->log);
    if (rec->pool == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_payer_reconcile_cleanup;
    cln->data = rec;

    ctx->step = ngx_http_payer_reconcile_scan;

    return NGX_OK;
}


static void
ngx_http_payer_reconcile_cleanup(void *data)
{
    ngx_http_payer_reconcile_t  *rec = data;

    ngx_http_payer_reconcile_leave(rec);

    if (rec->ctx->io.pending) {

        /* the requested record would be stored in the pool */

        rec->ctx->conf->main->store->ops->forget(&rec->ctx->io);
    }

    ngx_destroy_pool(rec->pool);
}


ngx_uint_t
ngx_http_payer_reconcile_kind(ngx_str_t *key)
{
    ngx_uint_t  i;
    ngx_str_t  *prefix;

    for (i = NGX_HTTP_PAYER_RECONCILE_KINDS - 1; i > 0; i--) {
        prefix = &ngx_http_payer_reconcile_kinds[i];

        if (key->len >= prefix->len
            && ngx_strncmp(key->data, prefix->data, prefix->len) == 0)
        {
            return i;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_payer_reconcile_scan(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                    rc;
    ngx_http_payer_reconcile_t  *rec;

    rec = ctx->data;

    if (!ctx->asked) {

        if (ngx_http_payer_reconcile_enough(ctx, rec)) {
            ctx->step = ngx_http_payer_reconcile_stop;
            return NGX_OK;
        }

        if (rec->running >= rec->window) {
            return ngx_http_payer_reconcile_wait(ctx);
        }

        /*
         * jobs that start together have their replies together; the time does
         * not change before the event loop waits
         */

        if (rec->started == NGX_HTTP_PAYER_RECONCILE_BURST
            && rec->turn == ngx_current_msec)
        {
            return ngx_http_payer_flow_wait(ctx, 1);
        }

        if (++rec->scanned % NGX_HTTP_PAYER_RECONCILE_BREATH == 0) {
            return ngx_http_payer_flow_wait(ctx, 1);
        }
    }

    rc = ngx_http_payer_reconcile_next(ctx, rec);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc == NGX_DECLINED) {
        ngx_http_payer_reconcile_end(rec);
        return NGX_OK;
    }

    if (rc != NGX_OK) {
        rec->count.broken = 1;
        return NGX_OK;
    }

    if (rec->around && ngx_http_payer_reconcile_around(rec, &ctx->io.key)) {
        rec->over_all = 1;
        return NGX_OK;
    }

    return ngx_http_payer_reconcile_record(ctx, rec);
}


static ngx_uint_t
ngx_http_payer_reconcile_enough(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec)
{
    return rec->over_all
           || rec->full
           || rec->count.broken
           || rec->examined == rec->limit
           || rec->scanned >= NGX_HTTP_PAYER_RECONCILE_SCAN
           || rec->in_a_row >= NGX_HTTP_PAYER_RECONCILE_FAILURES
           || ngx_http_payer_flow_left(ctx) < ctx->conf->timeout / 4;
}


/* until one of the jobs has ended; they have a deadline, and are waited for */

static ngx_int_t
ngx_http_payer_reconcile_wait(ngx_http_payer_ctx_t *ctx)
{
    if (ctx->sweep) {
        ngx_http_payer_sweep_hold(ctx->sweep);
    }

    if (ngx_http_payer_flow_left(ctx) < NGX_HTTP_PAYER_RECONCILE_PATIENCE) {
        ctx->deadline = ngx_current_msec + NGX_HTTP_PAYER_RECONCILE_PATIENCE;
    }

    return ngx_http_payer_flow_wait(ctx, NGX_HTTP_PAYER_RECONCILE_PATIENCE);
}


static ngx_int_t
ngx_http_payer_reconcile_record(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec)
{
    ngx_int_t                        rc;
    ngx_str_t                        id;
    ngx_http_payer_reconcile_task_e  task;

    task = ngx_http_payer_reconcile_look(ctx, rec, &id);

    if (task != NGX_HTTP_PAYER_RECONCILE_NOTHING) {

        rc = ngx_http_payer_reconcile_job(ctx, rec, task, &id);

        if (rc == NGX_BUSY || (rc == NGX_DECLINED && rec->running)) {

            /* this record again, when another job has ended */

            return ngx_http_payer_reconcile_wait(ctx);
        }

        if (rc == NGX_DECLINED) {
            rec->full = 1;
            return NGX_OK;
        }

        if (rc != NGX_OK) {
            return NGX_ERROR;
        }

        rec->examined++;

        if (rec->turn != ngx_current_msec) {
            rec->turn = ngx_current_msec;
            rec->started = 0;
        }

        rec->started++;
    }

    ngx_http_payer_reconcile_old(ctx, rec);

    rec->after.len = ngx_min(ctx->io.key.len, sizeof(rec->key));
    rec->after.data = rec->key;

    ngx_memcpy(rec->key, ctx->io.key.data, rec->after.len);

    return NGX_OK;
}


/* no more records of this kind */

static void
ngx_http_payer_reconcile_end(ngx_http_payer_reconcile_t *rec)
{
    ngx_str_null(&rec->after);
    ngx_str_null(&rec->prefix);

    if (++rec->kind < NGX_HTTP_PAYER_RECONCILE_KINDS) {
        return;
    }

    if (rec->by_hand) {
        rec->over_all = 1;
        return;
    }

    rec->complete = 1;
    rec->complete_old = rec->lap.old;

    ngx_http_payer_reconcile_lap_next(&rec->lap);

    if (rec->around || rec->start.len == 0) {
        rec->over_all = 1;
        return;
    }

    /* those before the one where this run began */

    rec->lap.began = ngx_time();
    rec->kind = 0;
    rec->around = 1;
}


/* whether this run began behind the key */

static ngx_uint_t
ngx_http_payer_reconcile_around(ngx_http_payer_reconcile_t *rec,
    ngx_str_t *key)
{
    if (rec->kind != rec->start_kind) {
        return rec->kind > rec->start_kind;
    }

    return ngx_memn2cmp(key->data, rec->start.data, key->len, rec->start.len)
           > 0;
}


/*
 * the cursor is stored; if that fails, the next run begins where this one
 * began
 */

static ngx_int_t
ngx_http_payer_reconcile_stop(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_reconcile_t  *rec;

    rec = ctx->data;

    if (rec->running) {
        return ngx_http_payer_reconcile_wait(ctx);
    }

    ctx->step = ngx_http_payer_reconcile_stopped;

    ngx_memzero(&ctx->record, sizeof(ngx_http_payer_record_t));

    if (rec->by_hand || rec->count.broken) {
        return NGX_OK;
    }

    if (rec->kind < NGX_HTTP_PAYER_RECONCILE_KINDS) {
        rec->lap.after = rec->after.len
                         ? rec->after
                         : ngx_http_payer_reconcile_kinds[rec->kind];
    }

    ctx->io.pool = ctx->pool;

    return ngx_http_payer_reconcile_lap_write(ctx, &rec->lap) == NGX_AGAIN
           ? NGX_AGAIN : NGX_OK;
}


static ngx_int_t
ngx_http_payer_reconcile_stopped(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_reconcile_t  *rec;

    rec = ctx->data;
    ctx->step = rec->over;

    return NGX_OK;
}


/* the next record of this merchant into ctx->io */

static ngx_int_t
ngx_http_payer_reconcile_next(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec)
{
    if (ctx->asked) {
        return ngx_http_payer_ledger_next(ctx, &rec->prefix, &rec->after);
    }

    if (rec->prefix.len == 0
        && ngx_http_payer_reconcile_prefix(ctx, rec) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_memzero(&ctx->record, sizeof(ngx_http_payer_record_t));
    ngx_reset_pool(rec->pool);

    ctx->io.pool = rec->pool;

    return ngx_http_payer_ledger_next(ctx, &rec->prefix, &rec->after);
}


static ngx_int_t
ngx_http_payer_reconcile_prefix(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec)
{
    u_char     *p;
    ngx_str_t  *kind, *merchant;

    kind = &ngx_http_payer_reconcile_kinds[rec->kind];
    merchant = &ctx->conf->merchant->id;

    p = ngx_pnalloc(ctx->pool, kind->len + merchant->len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    rec->prefix.data = p;

    p = ngx_cpymem(p, kind->data, kind->len);
    p = ngx_cpymem(p, merchant->data, merchant->len);
    *p++ = '/';

    rec->prefix.len = p - rec->prefix.data;

    return NGX_OK;
}
