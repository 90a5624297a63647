
/*
 * Requests that wait for the same thing are queued in a line.  The line asks
 * for the first of them, at growing intervals, and immediately when something
 * has changed in this worker process.  Waiting requests allocate no memory and
 * use no processor time.
 */


#include "ngx_http_payer_flow.h"


/* that to be woken in one turn of the event loop */

#define NGX_HTTP_PAYER_LINE_TURN          128

#define NGX_HTTP_PAYER_LINE_MIN_INTERVAL  50        /* ms, doubled up to */
#define NGX_HTTP_PAYER_LINE_MAX_INTERVAL  200       /* ms */


struct ngx_http_payer_line_s {
    ngx_str_node_t                sn;           /* its key */
    ngx_queue_t                   waiting;      /* ..._ctx_t, by wait.queue */
    ngx_queue_t                   going;        /* the same, to be woken */
    ngx_event_t                   event;
    ngx_msec_t                    interval;
    u_char                        data[1];
};


static ngx_http_payer_line_t *ngx_http_payer_line_find(ngx_str_t *key);
static ngx_http_payer_line_t *ngx_http_payer_line_create(ngx_str_t *key);
static void ngx_http_payer_line_free(ngx_http_payer_line_t *line);
static void ngx_http_payer_line_event(ngx_event_t *ev);
static void ngx_http_payer_line_ask(ngx_http_payer_line_t *line);
static void ngx_http_payer_line_all(ngx_http_payer_line_t *line);
static void ngx_http_payer_line_wake(ngx_queue_t *q);


static ngx_rbtree_t       ngx_http_payer_lines;
static ngx_rbtree_node_t  ngx_http_payer_lines_sentinel;


ngx_int_t
ngx_http_payer_flow_join(ngx_http_payer_ctx_t *ctx, ngx_str_t *key,
    ngx_http_payer_line_ask_pt ask)
{
    ngx_msec_t              left;
    ngx_http_payer_line_t  *line;

    left = ngx_http_payer_flow_left(ctx);

    if (left == 0) {
        return NGX_DECLINED;
    }

    line = ngx_http_payer_line_find(key);

    if (line == NULL) {
        line = ngx_http_payer_line_create(key);

        if (line == NULL) {
            return ngx_http_payer_flow_wait(ctx,
                                            NGX_HTTP_PAYER_LINE_MIN_INTERVAL);
        }
    }

    ngx_queue_insert_tail(&line->waiting, &ctx->wait.queue);

    ctx->wait.line = line;
    ctx->wait.ask = ask;

    ngx_add_timer(&ctx->timer, left);

    if (!line->event.timer_set && !line->event.posted) {
        ngx_add_timer(&line->event, line->interval);
    }

    return NGX_AGAIN;
}


void
ngx_http_payer_flow_quit(ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_line_t  *line;

    line = ctx->wait.line;

    if (line == NULL) {
        return;
    }

    ngx_queue_remove(&ctx->wait.queue);
    ctx->wait.line = NULL;

    if (ngx_queue_empty(&line->waiting) && ngx_queue_empty(&line->going)) {
        ngx_http_payer_line_free(line);
    }
}


ngx_uint_t
ngx_http_payer_flow_waited(ngx_str_t *key)
{
    ngx_http_payer_line_t  *line;

    line = ngx_http_payer_line_find(key);

    return line && !ngx_queue_empty(&line->waiting);
}


void
ngx_http_payer_flow_changed(ngx_str_t *key, ngx_uint_t all)
{
    ngx_http_payer_line_t  *line;

    line = ngx_http_payer_line_find(key);

    if (line == NULL) {
        return;
    }

    if (all) {
        ngx_http_payer_line_all(line);
    }

    line->interval = NGX_HTTP_PAYER_LINE_MIN_INTERVAL;

    if (line->event.timer_set) {
        ngx_del_timer(&line->event);
    }

    /* not from within the handlers of the request that has changed it */

    ngx_post_event(&line->event, &ngx_posted_events);
}


static ngx_http_payer_line_t *
ngx_http_payer_line_find(ngx_str_t *key)
{
    ngx_rbtree_t  *tree;

    tree = &ngx_http_payer_lines;

    /* usually no request waits */

    if (tree->root == tree->sentinel) {
        return NULL;
    }

    return (ngx_http_payer_line_t *)
           ngx_str_rbtree_lookup(tree, key,
                                 (uint32_t) ngx_http_payer_zone_hash(key));
}


static ngx_http_payer_line_t *
ngx_http_payer_line_create(ngx_str_t *key)
{
    ngx_http_payer_line_t  *line;

    line = ngx_calloc(sizeof(ngx_http_payer_line_t) + key->len,
                      ngx_cycle->log);
    if (line == NULL) {
        return NULL;
    }

    line->sn.node.key = (uint32_t) ngx_http_payer_zone_hash(key);
    line->sn.str.data = line->data;
    line->sn.str.len = key->len;
    ngx_memcpy(line->data, key->data, key->len);

    ngx_queue_init(&line->waiting);
    ngx_queue_init(&line->going);

    line->interval = NGX_HTTP_PAYER_LINE_MIN_INTERVAL;

    line->event.handler = ngx_http_payer_line_event;
    line->event.data = line;
    line->event.log = ngx_cycle->log;
    line->event.cancelable = 1;

    if (ngx_http_payer_lines.root == NULL) {
        ngx_rbtree_init(&ngx_http_payer_lines, &ngx_http_payer_lines_sentinel,
                        ngx_str_rbtree_insert_value);
    }

    ngx_rbtree_insert(&ngx_http_payer_lines, &line->sn.node);

    return line;
}


static void
ngx_http_payer_line_free(ngx_http_payer_line_t *line)
{
    if (line->event.timer_set) {
        ngx_del_timer(&line->event);
    }

    if (line->event.posted) {
        ngx_delete_posted_event(&line->event);
    }

    ngx_rbtree_delete(&ngx_http_payer_lines, &line->sn.node);

    ngx_free(line);
}


static void
ngx_http_payer_line_event(ngx_event_t *ev)
{
    ngx_uint_t              n;
    ngx_http_payer_line_t  *line;

    line = ev->data;

    if (ngx_queue_empty(&line->going)) {
        ngx_http_payer_line_ask(line);
    }

    for (n = 0; n < NGX_HTTP_PAYER_LINE_TURN; n++) {

        if (ngx_queue_empty(&line->going)) {
            break;
        }

        ngx_http_payer_line_wake(ngx_queue_head(&line->going));
    }

    if (!ngx_queue_empty(&line->going)) {
        ngx_add_timer(ev, 1);
        return;
    }

    if (ngx_queue_empty(&line->waiting)) {
        ngx_http_payer_line_free(line);
        return;
    }

    if (!ev->timer_set) {
        ngx_add_timer(ev, line->interval);
    }
}


/* for the first of them, and sets the timer for the next time */

static void
ngx_http_payer_line_ask(ngx_http_payer_line_t *line)
{
    ngx_queue_t           *q;
    ngx_msec_t             left;
    ngx_http_payer_ctx_t  *ctx;

    left = 0;

    q = ngx_queue_head(&line->waiting);
    ctx = ngx_queue_data(q, ngx_http_payer_ctx_t, wait.queue);

    switch (ctx->wait.ask(ctx, &left)) {

    case NGX_BUSY:

        if (left > 0 && left < line->interval) {
            ngx_add_timer(&line->event, left);
        }

        line->interval = ngx_min(2 * line->interval,
                                 NGX_HTTP_PAYER_LINE_MAX_INTERVAL);
        break;

    case NGX_DONE:
        ngx_http_payer_line_all(line);
        break;

    default: /* NGX_OK, NGX_ERROR */
        line->interval = NGX_HTTP_PAYER_LINE_MIN_INTERVAL;
        ngx_http_payer_line_wake(q);
        break;
    }
}


/* requests that join from now on are not affected */

static void
ngx_http_payer_line_all(ngx_http_payer_line_t *line)
{
    if (!ngx_queue_empty(&line->waiting)) {
        ngx_queue_add(&line->going, &line->waiting);
        ngx_queue_init(&line->waiting);
    }
}


static void
ngx_http_payer_line_wake(ngx_queue_t *q)
{
    ngx_http_payer_ctx_t  *ctx;

    ctx = ngx_queue_data(q, ngx_http_payer_ctx_t, wait.queue);

    ngx_queue_remove(q);
    ctx->wait.line = NULL;

    ngx_http_payer_flow_wake(ctx);
}
