
/*
 * The step engine: the only place that parks and resumes a request.
 */


#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_flow_write.h"
#include "ngx_http_payer_log.h"


#define NGX_HTTP_PAYER_EXPIRE_AGAIN  50         /* ms */

/* a timer this late was not checked: the process was stopped */

#define NGX_HTTP_PAYER_STOOD_STILL   300        /* ms */


static void ngx_http_payer_flow_resume(ngx_http_request_t *r);
static void ngx_http_payer_flow_timer(ngx_event_t *ev);
static void ngx_http_payer_flow_cleanup(void *data);
static ngx_uint_t ngx_http_payer_flow_parked(ngx_http_payer_ctx_t *ctx);
static ngx_uint_t ngx_http_payer_flow_stood_still(ngx_http_payer_ctx_t *ctx);


ngx_http_payer_ctx_t *
ngx_http_payer_flow_create(ngx_http_request_t *r,
    ngx_http_payer_loc_conf_t *conf, ngx_http_payer_step_pt step)
{
    ngx_pool_cleanup_t    *cln;
    ngx_http_payer_ctx_t  *ctx;

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_payer_ctx_t));
    if (ctx == NULL) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_payer_flow_cleanup;
    cln->data = ctx;

    ctx->request = r;
    ctx->conf = conf;
    ctx->step = step;
    ctx->deadline = ngx_current_msec + conf->timeout;

    ctx->timer.handler = ngx_http_payer_flow_timer;
    ctx->timer.data = ctx;
    ctx->timer.log = r->connection->log;

    ngx_queue_init(&ctx->writes);

    ctx->pool = r->pool;
    ctx->io.pool = r->pool;
    ctx->io.handler = ngx_http_payer_flow_stored;
    ctx->io.data = ctx;

    ngx_http_set_ctx(r, ctx, ngx_http_payer_module);

    return ctx;
}


ngx_http_payer_ctx_t *
ngx_http_payer_get_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t    *cln;
    ngx_http_payer_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_payer_module);

    if (ctx && ctx->request == r) {

        /* an operation can be a subrequest */

        return ctx;
    }

    r = r->main;

    ctx = ngx_http_get_module_ctx(r, ngx_http_payer_module);

    if (ctx || !r->internal) {
        return ctx;
    }

    /*
     * an internal redirect has cleared the contexts; ours is still in the pool
     */

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        ctx = cln->data;

        if (cln->handler == ngx_http_payer_flow_cleanup && ctx->request == r) {
            ngx_http_set_ctx(r, ctx, ngx_http_payer_module);
            return ctx;
        }
    }

    return NULL;
}


ngx_int_t
ngx_http_payer_flow_run(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t  rc;

    if (ngx_http_payer_flow_parked(ctx)) {

        /* an event of the connection, not the one that is waited for */

        return NGX_AGAIN;
    }

    ngx_http_payer_flow_quit(ctx);

    if (ctx->exchange) {
        ngx_http_payer_exchange_free(ctx->exchange);
    }

    do {
        rc = ctx->step(r, ctx);

        if (rc == NGX_OK && ngx_http_payer_flow_parked(ctx)) {

            /* decided within the step, and not stored yet */

            return NGX_AGAIN;
        }

    } while (rc == NGX_OK);

    if (rc == NGX_AGAIN && !ngx_http_payer_flow_parked(ctx)) {
        ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                      "payer: the request waits, but nothing is in progress");
        ngx_debug_point();
        rc = NGX_ERROR;
    }

    if (rc == NGX_ERROR && !r->header_sent) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return rc;
}


ngx_int_t
ngx_http_payer_flow_content(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_payer_flow_run(r, ctx);

    if (rc != NGX_AGAIN) {
        return rc == NGX_HTTP_PAYER_SENT ? NGX_OK : rc;
    }

    r->main->count++;
    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_payer_flow_resume;

    return NGX_DONE;
}


void
ngx_http_payer_flow_body(ngx_http_request_t *r)
{
    ngx_http_payer_ctx_t  *ctx;

    /* payer_timeout does not include the time of the client */

    ctx = ngx_http_payer_get_ctx(r);

    if (ctx) {
        ctx->deadline = ngx_current_msec + ctx->conf->timeout;
    }

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_payer_flow_resume;

    ngx_http_payer_flow_resume(r);
}


static void
ngx_http_payer_flow_resume(ngx_http_request_t *r)
{
    ngx_int_t              rc;
    ngx_http_payer_ctx_t  *ctx;

    ctx = ngx_http_payer_get_ctx(r);

    if (ctx == NULL) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    rc = ngx_http_payer_flow_run(r, ctx);

    if (rc == NGX_AGAIN) {
        return;
    }

    if (ctx->end) {
        ctx->end(r, rc);
        return;
    }

    ngx_http_finalize_request(r, rc == NGX_HTTP_PAYER_SENT ? NGX_OK : rc);
}


static ngx_uint_t
ngx_http_payer_flow_parked(ngx_http_payer_ctx_t *ctx)
{
    return ctx->timer.timer_set || ctx->timer.posted
           || ctx->io.pending
           || ngx_http_payer_flow_writing(ctx)
           || (ctx->exchange && ctx->exchange->active);
}


ngx_msec_t
ngx_http_payer_flow_left(ngx_http_payer_ctx_t *ctx)
{
    ngx_msec_int_t  left;

    left = (ngx_msec_int_t) (ctx->deadline - ngx_current_msec);

    return left > 0 ? (ngx_msec_t) left : 0;
}


ngx_int_t
ngx_http_payer_flow_wait(ngx_http_payer_ctx_t *ctx, ngx_msec_t wait)
{
    ngx_msec_t  left;

    left = ngx_http_payer_flow_left(ctx);

    if (left == 0) {
        return NGX_DECLINED;
    }

    ngx_add_timer(&ctx->timer, ngx_min(wait, left));

    return NGX_AGAIN;
}


ngx_int_t
ngx_http_payer_flow_exchange(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_api_loc_t *api_loc, ngx_http_payer_exchange_t *x)
{
    ctx->exchange = x;

    if (ngx_http_payer_exchange_start(ctx->request, api_loc, x) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_payer_flow_limit(ctx, ngx_max(ngx_http_payer_flow_left(ctx), 1));

    return NGX_AGAIN;
}


void
ngx_http_payer_flow_limit(ngx_http_payer_ctx_t *ctx, ngx_msec_t limit)
{
    ctx->limit = ngx_current_msec + limit;

    ngx_add_timer(&ctx->timer, limit);
}


void
ngx_http_payer_flow_exchanged(ngx_http_payer_ctx_t *ctx)
{
    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }
}


void
ngx_http_payer_flow_wake(ngx_http_payer_ctx_t *ctx)
{
    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
        ngx_post_event(&ctx->timer, &ngx_posted_events);
    }
}


void
ngx_http_payer_flow_stored(ngx_http_payer_io_t *io)
{
    ngx_connection_t      *c;
    ngx_http_request_t    *r;
    ngx_http_payer_ctx_t  *ctx;

    ctx = io->data;
    r = ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    r->write_event_handler(r);

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_payer_flow_timer(ngx_event_t *ev)
{
    ngx_connection_t      *c;
    ngx_http_request_t    *r;
    ngx_http_payer_ctx_t  *ctx;

    ctx = ev->data;
    r = ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    if (ngx_http_payer_flow_stood_still(ctx)) {
        ngx_http_payer_flow_limit(ctx, NGX_HTTP_PAYER_STOOD_STILL);
        return;
    }

    if (ctx->exchange && ctx->exchange->active) {

        /* the deadline: the request may be gone when this returns */

        if (ngx_http_payer_exchange_expire(ctx->exchange) == NGX_AGAIN) {
            ngx_http_payer_flow_limit(ctx, NGX_HTTP_PAYER_EXPIRE_AGAIN);
        }

        return;
    }

    if (ngx_http_payer_flow_writing(ctx)) {
        ngx_http_payer_log(NGX_LOG_ERR, ctx,
                           "the store takes too long, and the write may be "
                           "completed later");

        ctx->late = 1;
        ctx->io.rc = NGX_ERROR;

        ngx_http_payer_flow_leave(ctx);
    }

    r->write_event_handler(r);

    ngx_http_run_posted_requests(c);
}


/*
 * What is waited for may be there: after a process was stopped, or its machine
 * was, timers are looked at before sockets are.
 */

static ngx_uint_t
ngx_http_payer_flow_stood_still(ngx_http_payer_ctx_t *ctx)
{
    if (!ngx_http_payer_flow_writing(ctx)
        && (ctx->exchange == NULL || !ctx->exchange->active))
    {
        return 0;
    }

    return (ngx_msec_int_t) (ngx_current_msec - ctx->limit)
           > NGX_HTTP_PAYER_STOOD_STILL;
}


/* runs also when the request ends by force, in the middle of a call */

static void
ngx_http_payer_flow_cleanup(void *data)
{
    ngx_http_payer_ctx_t  *ctx = data;

    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }

    if (ctx->timer.posted) {
        ngx_delete_posted_event(&ctx->timer);
    }

    ngx_http_payer_flow_quit(ctx);

    ctx->over = 1;

    if (ctx->abandon) {

        /* nginx has unset the pool by now, which lives until we return */

        ctx->request->pool = ctx->pool;

        ctx->abandon(ctx);

        ctx->request->pool = NULL;
    }

    if (ctx->io.pending) {
        ctx->conf->main->store->ops->forget(&ctx->io);
    }

    if (ctx->exchange) {
        ngx_http_payer_exchange_free(ctx->exchange);
    }

    ngx_http_payer_flow_leave(ctx);

    ngx_http_payer_flow_read_lost(ctx);
    ngx_http_payer_flow_unclaim(ctx, &ctx->claim, 0);
    ngx_http_payer_flow_unclaim(ctx, &ctx->event_claim, 0);
}
