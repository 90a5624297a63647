
/*
 * Writes of a flow: each is independent of its request, and is completed after
 * it has ended.
 */


#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_flow_write.h"
#include "ngx_http_payer_log.h"


#define NGX_HTTP_PAYER_WRITE_GRACE   300        /* ms, after the deadline */
#define NGX_HTTP_PAYER_WRITE_LEASE   10000      /* ms, extended in time */


/* a write of its own, which may outlive the request */
typedef struct {
    ngx_queue_t                   queue;        /* of ctx->writes */
    ngx_http_payer_io_t           io;
    ngx_http_payer_ctx_t         *ctx;          /* NULL: nobody waits */
    ngx_http_payer_store_t       *store;
    ngx_http_payer_main_conf_t      *wake;       /* what is due is in it */
    ngx_http_payer_claim_t       *taken;        /* of ctx, in this write */
    ngx_http_payer_claim_t        given;        /* back, with this write */
    ngx_http_payer_claim_t        claims[3];    /* of a request that is over */
    ngx_uint_t                    nclaims;
    ngx_event_t                   lease;
} ngx_http_payer_write_t;


static void ngx_http_payer_flow_failed(ngx_http_payer_ctx_t *ctx,
    ngx_int_t rc, ngx_http_payer_claim_t *taken);
static void ngx_http_payer_flow_written(ngx_http_payer_io_t *io);
static void ngx_http_payer_flow_inherit(ngx_http_payer_write_t *w,
    ngx_http_payer_claim_t *claim);
static void ngx_http_payer_flow_hold(ngx_http_payer_write_t *w);
static void ngx_http_payer_flow_extend(ngx_event_t *ev);
static ngx_uint_t ngx_http_payer_flow_due(
    ngx_http_payer_store_entry_t *entries, ngx_uint_t n);
static void ngx_http_payer_flow_woken(ngx_http_payer_write_t *w,
    ngx_int_t rc);
static void ngx_http_payer_flow_left_behind(ngx_http_payer_write_t *w);


ngx_int_t
ngx_http_payer_flow_put(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_store_entry_t *entries, ngx_uint_t n)
{
    ngx_http_payer_claim_act_e  act;

    act = ctx->act;
    ctx->act = NGX_HTTP_PAYER_CLAIM_NONE;

    return ngx_http_payer_flow_put_claim(ctx, entries, n, act, &ctx->claim);
}


ngx_int_t
ngx_http_payer_flow_put_claim(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_store_entry_t *entries, ngx_uint_t n,
    ngx_http_payer_claim_act_e act, ngx_http_payer_claim_t *claim)
{
    ngx_int_t                rc;
    ngx_msec_t               left;
    ngx_http_payer_write_t  *w;

    if (!ngx_http_payer_flow_writing(ctx)) {
        ctx->io.rc = NGX_OK;
    }

    w = ngx_calloc(sizeof(ngx_http_payer_write_t),
                   ctx->request->connection->log);
    if (w == NULL) {
        ctx->io.rc = NGX_ERROR;
        return NGX_ERROR;
    }

    w->ctx = ctx;
    w->store = ctx->conf->main->store;
    w->wake = ngx_http_payer_flow_due(entries, n) ? ctx->conf->main : NULL;

    w->io.pool = ctx->pool;
    w->io.handler = ngx_http_payer_flow_written;
    w->io.data = w;

    if (claim->owner == 0) {
        act = NGX_HTTP_PAYER_CLAIM_NONE;
    }

    if (act == NGX_HTTP_PAYER_CLAIM_TAKE) {
        w->taken = claim;

    } else if (act == NGX_HTTP_PAYER_CLAIM_RELEASE) {

        /* it is held until the write is over, which may be later */

        w->given = *claim;
    }

    rc = w->store->ops->put(w->store, entries, n, act, claim, &w->io);

    if (rc != NGX_AGAIN) {
        ctx->io.value = w->io.value;
        ctx->io.kept = w->io.kept;

        ngx_http_payer_flow_failed(ctx, rc, w->taken);
        ngx_http_payer_flow_woken(w, rc);

        ngx_free(w);

        return rc;
    }

    ngx_queue_insert_tail(&ctx->writes, &w->queue);

    if (!ctx->timer.timer_set && !ctx->over) {
        left = ngx_http_payer_flow_left(ctx);

        ngx_http_payer_flow_limit(ctx, ngx_max(left,
                                               NGX_HTTP_PAYER_WRITE_GRACE));
    }

    return NGX_AGAIN;
}


/* whether the written entries contain work that is due immediately */

static ngx_uint_t
ngx_http_payer_flow_due(ngx_http_payer_store_entry_t *entries, ngx_uint_t n)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        if (entries[i].label.due && entries[i].label.due <= ngx_time()) {
            return 1;
        }
    }

    return 0;
}


static void
ngx_http_payer_flow_woken(ngx_http_payer_write_t *w, ngx_int_t rc)
{
    if (rc == NGX_OK && w->wake && w->wake->wake) {
        w->wake->wake(w->wake);
    }
}


/* a claim that the store has given to another owner is lost */

static void
ngx_http_payer_flow_failed(ngx_http_payer_ctx_t *ctx, ngx_int_t rc,
    ngx_http_payer_claim_t *taken)
{
    if (rc == NGX_BUSY) {
        taken->owner = 0;
    }

    if (rc != NGX_OK) {
        ctx->io.rc = rc;
    }
}


static void
ngx_http_payer_flow_written(ngx_http_payer_io_t *io)
{
    ngx_http_payer_ctx_t    *ctx;
    ngx_http_payer_write_t  *w;

    w = io->data;
    ctx = w->ctx;

    ngx_http_payer_flow_woken(w, io->rc);

    if (ctx == NULL) {
        ngx_http_payer_flow_left_behind(w);
        return;
    }

    ctx->io.value = io->value;
    ctx->io.kept = io->kept;

    ngx_http_payer_flow_failed(ctx, io->rc, w->taken);

    ngx_queue_remove(&w->queue);
    ngx_free(w);

    if (ngx_http_payer_flow_writing(ctx)) {
        return;
    }

    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }

    ngx_http_payer_flow_stored(&ctx->io);
}


/*
 * No request waits for the writes any more.  Requests for the same order, key
 * or event wait until they are done, since the last write keeps the claims.
 */

void
ngx_http_payer_flow_leave(ngx_http_payer_ctx_t *ctx)
{
    ngx_queue_t             *q;
    ngx_http_payer_write_t  *w;

    while (!ngx_queue_empty(&ctx->writes)) {
        q = ngx_queue_head(&ctx->writes);
        ngx_queue_remove(q);
        ngx_queue_init(q);

        w = ngx_queue_data(q, ngx_http_payer_write_t, queue);

        w->ctx = NULL;
        w->io.pool = NULL;

        ngx_http_payer_flow_inherit(w, &w->given);

        if (ngx_queue_empty(&ctx->writes)) {
            ngx_http_payer_flow_inherit(w, &ctx->claim);
            ngx_http_payer_flow_inherit(w, &ctx->event_claim);
        }

        if (w->nclaims) {
            ngx_http_payer_flow_hold(w);
        }
    }
}


static void
ngx_http_payer_flow_hold(ngx_http_payer_write_t *w)
{
    w->lease.handler = ngx_http_payer_flow_extend;
    w->lease.data = w;
    w->lease.log = ngx_cycle->log;
    w->lease.cancelable = 1;

    ngx_http_payer_flow_extend(&w->lease);
}


static void
ngx_http_payer_flow_inherit(ngx_http_payer_write_t *w,
    ngx_http_payer_claim_t *claim)
{
    u_char  *p;

    if (claim->owner == 0) {
        return;
    }

    p = ngx_alloc(claim->key.len, ngx_cycle->log);

    if (p) {
        ngx_memcpy(p, claim->key.data, claim->key.len);

        w->claims[w->nclaims] = *claim;
        w->claims[w->nclaims].key.data = p;
        w->nclaims++;
    }

    /* without memory it ends with its lease */

    claim->owner = 0;
    ngx_str_null(&claim->key);
}


static void
ngx_http_payer_flow_extend(ngx_event_t *ev)
{
    ngx_uint_t               i;
    ngx_http_payer_write_t  *w;

    w = ev->data;

    for (i = 0; i < w->nclaims; i++) {
        w->store->ops->extend(w->store, &w->claims[i],
                              NGX_HTTP_PAYER_WRITE_LEASE);
    }

    ngx_add_timer(ev, NGX_HTTP_PAYER_WRITE_LEASE / 2);
}


static void
ngx_http_payer_flow_left_behind(ngx_http_payer_write_t *w)
{
    ngx_uint_t  i;

    if (w->lease.timer_set) {
        ngx_del_timer(&w->lease);
    }

    for (i = 0; i < w->nclaims; i++) {
        w->store->ops->unclaim(w->store, &w->claims[i]);
        ngx_http_payer_flow_changed(&w->claims[i].key, 0);
        ngx_free(w->claims[i].key.data);
    }

    ngx_free(w);
}
