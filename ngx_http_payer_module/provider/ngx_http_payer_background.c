
/*
 * Background requests: work that no client has asked for.
 *
 * The connection is one end of a pair of sockets whose other end is not used:
 * everything that nginx does with a client's connection works, and there are
 * no events.
 */


#include "ngx_http_payer_background.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_zone.h"


/* an exiting process waits for timers; this one has no other purpose */

#define NGX_HTTP_PAYER_BACKGROUND_HOLD   60000      /* ms */

/* the request, its call, and one for the next client */

#define NGX_HTTP_PAYER_BACKGROUND_SPARE  3


struct ngx_http_payer_background_run_s {
    ngx_http_log_ctx_t            log_ctx;  /* first, as nginx takes it for */
    ngx_log_t                     log;
    ngx_http_connection_t         http;
    ngx_http_payer_background_t   work;
    ngx_http_payer_ctx_t         *ctx;
    ngx_event_t                   event;    /* the start, then the end */
    ngx_event_t                   hold;
    ngx_socket_t                  peer;
    ngx_int_t                     rc;
};


static ngx_uint_t ngx_http_payer_background_spare(void);
static ngx_http_payer_background_run_t *ngx_http_payer_background_create(
    ngx_http_payer_background_t *work);
static ngx_int_t ngx_http_payer_background_connect(
    ngx_http_payer_background_run_t *run);
static ngx_int_t ngx_http_payer_background_open(
    ngx_http_payer_background_run_t *run, ngx_connection_t *c);
static ngx_int_t ngx_http_payer_background_request(
    ngx_http_payer_background_run_t *run, ngx_connection_t *c);
static void ngx_http_payer_background_begin(ngx_event_t *ev);
static void ngx_http_payer_background_hold(ngx_event_t *ev);
static void ngx_http_payer_background_event(ngx_event_t *ev);
static void ngx_http_payer_background_end(ngx_http_request_t *r,
    ngx_int_t rc);
static void ngx_http_payer_background_cleanup(void *data);
static void ngx_http_payer_background_over(ngx_event_t *ev);
static u_char *ngx_http_payer_background_log(ngx_log_t *log, u_char *buf,
    size_t len);
static u_char *ngx_http_payer_background_name(ngx_log_t *log, u_char *buf,
    size_t len);


static ngx_str_t  ngx_http_payer_background_addr = ngx_string("unix:");


ngx_uint_t
ngx_http_payer_background_allowed(void)
{
    return (ngx_process == NGX_PROCESS_WORKER
            || ngx_process == NGX_PROCESS_SINGLE)
           && !ngx_exiting && !ngx_quit && !ngx_terminate;
}


ngx_int_t
ngx_http_payer_background_start(ngx_http_payer_background_t *work)
{
    ngx_http_payer_zone_t            *zone;
    ngx_http_payer_background_run_t  *run;

    if (!ngx_http_payer_background_allowed()) {
        return NGX_DECLINED;
    }

    if (!ngx_http_payer_background_spare()) {
        zone = work->conf->main->zone;

        if (zone->sh) {
            (void) ngx_atomic_fetch_add(&zone->sh->skipped, 1);
        }

        return NGX_DECLINED;
    }

    run = ngx_http_payer_background_create(work);
    if (run == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_payer_background_connect(run) != NGX_OK) {
        ngx_free(run);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * If few connections are left, nginx closes idle keepalive connections of
 * clients, and logs an alert if there is none: clients have priority.
 */

static ngx_uint_t
ngx_http_payer_background_spare(void)
{
    return ngx_cycle->free_connection_n > ngx_cycle->connection_n / 16
                                          + NGX_HTTP_PAYER_BACKGROUND_SPARE;
}


static ngx_http_payer_background_run_t *
ngx_http_payer_background_create(ngx_http_payer_background_t *work)
{
    ngx_log_t                        *log;
    ngx_http_payer_background_run_t  *run;

    log = ngx_cycle->log;

    run = ngx_calloc(sizeof(ngx_http_payer_background_run_t), log);
    if (run == NULL) {
        return NULL;
    }

    run->work = *work;
    run->rc = NGX_ABORT;
    run->peer = (ngx_socket_t) -1;

    /* its own, since these messages do not belong to a client */

    run->log = *log;
    run->log.handler = ngx_http_payer_background_log;
    run->log.data = run;
    run->log.action = NULL;

    run->http.conf_ctx = work->conf->cscf->ctx;

    run->event.handler = ngx_http_payer_background_begin;
    run->event.data = run;
    run->event.log = log;

    run->hold.handler = ngx_http_payer_background_hold;
    run->hold.data = run;
    run->hold.log = log;

    return run;
}


static ngx_int_t
ngx_http_payer_background_connect(ngx_http_payer_background_run_t *run)
{
    int                pair[2];
    ngx_log_t         *log;
    ngx_connection_t  *c;

    log = ngx_cycle->log;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1) {
        ngx_log_error(NGX_LOG_ERR, log, ngx_socket_errno,
                      "payer: socketpair() for \"%s\" failed",
                      run->work.name);
        return NGX_ERROR;
    }

    c = ngx_get_connection(pair[0], log);

    if (c == NULL) {
        (void) ngx_close_socket(pair[0]);
        (void) ngx_close_socket(pair[1]);
        return NGX_ERROR;
    }

#if (NGX_STAT_STUB)
    /* ngx_http_close_connection() takes it off again */
    (void) ngx_atomic_fetch_add(ngx_stat_active, 1);
#endif

    run->peer = pair[1];

    if (ngx_nonblocking(pair[0]) == -1
        || ngx_http_payer_background_open(run, c) != NGX_OK)
    {
        if (c->pool == NULL) {
            ngx_close_connection(c);

#if (NGX_STAT_STUB)
            (void) ngx_atomic_fetch_add(ngx_stat_active, -1);
#endif

        } else {
            ngx_http_close_connection(c);
        }

        (void) ngx_close_socket(pair[1]);

        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_background_open(ngx_http_payer_background_run_t *run,
    ngx_connection_t *c)
{
    ngx_http_core_srv_conf_t  *cscf;

    cscf = run->work.conf->cscf;

    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    run->log.connection = c->number;

    c->log = &run->log;
    c->read->log = c->log;
    c->write->log = c->log;

    run->log_ctx.connection = c;

    c->pool = ngx_create_pool(cscf->connection_pool_size, c->log);
    if (c->pool == NULL) {
        return NGX_ERROR;
    }

    /* as for a client of a UNIX-domain socket */

    c->sockaddr = ngx_pcalloc(c->pool, sizeof(struct sockaddr_un));
    c->buffer = ngx_create_temp_buf(c->pool, 1);

    if (c->sockaddr == NULL || c->buffer == NULL) {
        return NGX_ERROR;
    }

    c->sockaddr->sa_family = AF_UNIX;
    c->socklen = sizeof(struct sockaddr);
    c->addr_text = ngx_http_payer_background_addr;

    c->type = SOCK_STREAM;
    c->tcp_nodelay = NGX_TCP_NODELAY_DISABLED;
    c->tcp_nopush = NGX_TCP_NOPUSH_DISABLED;
    c->log_error = NGX_ERROR_INFO;
    c->start_time = ngx_current_msec;

    c->recv = ngx_recv;
    c->send = ngx_send;
    c->recv_chain = ngx_recv_chain;
    c->send_chain = ngx_send_chain;

    c->read->handler = ngx_http_payer_background_event;
    c->write->handler = ngx_http_payer_background_event;
    c->write->ready = 1;

    c->data = &run->http;

    return ngx_http_payer_background_request(run, c);
}


static ngx_int_t
ngx_http_payer_background_request(ngx_http_payer_background_run_t *run,
    ngx_connection_t *c)
{
    ngx_http_request_t         *r;
    ngx_pool_cleanup_t         *cln;
    ngx_http_payer_ctx_t       *ctx;
    ngx_http_payer_loc_conf_t  *conf;

    static ngx_str_t  uri = ngx_string("/");

    conf = run->work.conf;

    r = ngx_http_create_request(c);
    if (r == NULL) {
        return NGX_ERROR;
    }

    c->data = r;

#if (NGX_STAT_STUB)
    /* there is no client, and nothing is read */
    (void) ngx_atomic_fetch_add(ngx_stat_reading, -1);
    (void) ngx_atomic_fetch_add(ngx_stat_requests, -1);
    r->stat_reading = 0;
#endif

    r->logged = 1;

    /* so that "post_action" of the server does not apply */

    r->post_action = 1;
    r->uri_changes = 0;

    r->internal = 1;
    r->method = NGX_HTTP_GET;
    r->method_name = ngx_http_core_get_method;
    r->uri = uri;
    r->unparsed_uri = uri;
    r->http_state = NGX_HTTP_PROCESS_REQUEST_STATE;

    if (conf->clcf->loc_conf) {
        r->loc_conf = conf->clcf->loc_conf;
    }

    ngx_set_connection_log(c, conf->clcf->error_log);

    /* the last one to run, after those of the flow */

    cln = ngx_pool_cleanup_add(r->pool, 0);

    if (cln == NULL
        || ngx_list_init(&r->headers_in.headers, r->pool, 1,
                         sizeof(ngx_table_elt_t))
           != NGX_OK)
    {
        ngx_http_free_request(r, 0);
        return NGX_ERROR;
    }

    r->headers_in.server = run->work.host;

    if (run->work.host.len == 0) {
        r->headers_in.server = conf->cscf->server_name;

    } else {
        r->headers_in.server.data = ngx_pstrdup(r->pool, &run->work.host);

        if (r->headers_in.server.data == NULL) {
            ngx_http_free_request(r, 0);
            return NGX_ERROR;
        }
    }

    ctx = ngx_http_payer_flow_create(r, conf, run->work.step);
    if (ctx == NULL) {
        ngx_http_free_request(r, 0);
        return NGX_ERROR;
    }

    ctx->data = run->work.data;
    ctx->end = ngx_http_payer_background_end;
    ctx->background = run;

    run->ctx = ctx;

    cln->handler = ngx_http_payer_background_cleanup;
    cln->data = run;

    ngx_add_timer(&run->hold, NGX_HTTP_PAYER_BACKGROUND_HOLD);
    ngx_post_event(&run->event, &ngx_posted_events);

    return NGX_OK;
}


static void
ngx_http_payer_background_begin(ngx_event_t *ev)
{
    ngx_connection_t                 *c;
    ngx_http_request_t               *r;
    ngx_http_payer_background_run_t  *run;

    run = ev->data;
    r = run->ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ngx_http_payer_flow_body(r);

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_payer_background_hold(ngx_event_t *ev)
{
    ngx_add_timer(ev, NGX_HTTP_PAYER_BACKGROUND_HOLD);
}


/*
 * As nginx handles an event of a client's connection.  There are two:
 * "limit_req" of a location delays with a timer of the connection, and
 * worker_shutdown_timeout closes all connections.
 */

static void
ngx_http_payer_background_event(ngx_event_t *ev)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    c = ev->data;
    r = c->data;

    ngx_http_set_log_request(c->log, r);

    if (ev->delayed && ev->timedout) {
        ev->delayed = 0;
        ev->timedout = 0;
    }

    if (c->close) {
        c->error = 1;

        ngx_http_finalize_request(r->main, NGX_ERROR);

    } else if (ev->write) {
        r->write_event_handler(r);

    } else {
        r->read_event_handler(r);
    }

    ngx_http_run_posted_requests(c);
}


/* instead of ngx_http_finalize_request(), which would answer a client */

static void
ngx_http_payer_background_end(ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_connection_t                 *c;
    ngx_http_payer_ctx_t             *ctx;

    c = r->connection;
    ctx = ngx_http_payer_get_ctx(r);

    ctx->background->rc = rc;

    if (r->count > 1 || r->blocked) {

        /* something of a subrequest is still in use */

        c->error = 1;

        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }

    ngx_http_free_request(r, 0);
    ngx_http_close_connection(c);
}


static void
ngx_http_payer_background_cleanup(void *data)
{
    ngx_http_payer_background_run_t  *run = data;

    if (run->hold.timer_set) {
        ngx_del_timer(&run->hold);
    }

    if (run->event.posted) {
        ngx_delete_posted_event(&run->event);
    }

    run->ctx = NULL;

    /*
     * Not from here: the connection is about to be freed and reused, while
     * callers still access it.
     */

    run->event.handler = ngx_http_payer_background_over;

    ngx_post_event(&run->event, &ngx_posted_events);
}


static void
ngx_http_payer_background_over(ngx_event_t *ev)
{
    ngx_int_t                         rc;
    ngx_http_payer_background_t       work;
    ngx_http_payer_background_run_t  *run;

    run = ev->data;
    work = run->work;
    rc = run->rc;

    (void) ngx_close_socket(run->peer);

    ngx_free(run);

    if (work.over) {
        work.over(work.data, rc);
    }
}


static u_char *
ngx_http_payer_background_log(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char                           *p;
    ngx_http_request_t               *r;
    ngx_http_payer_background_run_t  *run;

    run = log->data;

    p = ngx_http_payer_background_name(log, buf, len);
    len -= p - buf;

    r = run->log_ctx.request;

    return r ? ngx_http_payer_log_request(log, r, &run->log_ctx, p, len) : p;
}


#if (NGX_HTTP_PAYER_LOG_EXT_HANDLER)

/* in JSON, text that is not a member of the object would be overwritten */

static u_char *
ngx_http_payer_background_name(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char                           *p;
    ngx_json_escape_t                *json;
    ngx_http_payer_background_run_t  *run;

    run = log->data;
    p = buf;

    if (log->action) {
        p = ngx_log_action(log, buf, buf + len, log->action);
    }

    if (log->format.type != NGX_STR_ESCAPE_JSON) {
        return ngx_snprintf(p, len - (p - buf), ", background: %s",
                            run->work.name);
    }

    json = log->format.ctx;

    (void) ngx_json_push_kv(json, 1, "background", "%s", run->work.name);
    log->format.done = 1;

    return json->curr;
}

#else

static u_char *
ngx_http_payer_background_name(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char                           *p;
    ngx_http_payer_background_run_t  *run;

    run = log->data;
    p = buf;

    if (log->action) {
        p = ngx_snprintf(buf, len, " while %s", log->action);
    }

    return ngx_snprintf(p, len - (p - buf), ", background: %s",
                        run->work.name);
}

#endif
