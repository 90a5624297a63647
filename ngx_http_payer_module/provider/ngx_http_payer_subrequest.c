
/*
 * One exchange: a subrequest to an internal location.
 *
 * There are two differences from an ordinary subrequest.  A call to Payer is
 * sent directly to the location that was checked when the configuration was
 * read, so that neither a rewrite nor a regular expression can redirect the
 * credentials; and it starts with its own headers and variables, so that
 * nothing of the client's request is sent to Payer or to the shop.
 */


#include "ngx_http_payer_subrequest.h"
#include "ngx_http_payer_mask.h"


typedef struct {
    ngx_str_t     name;                         /* in lower case */
    ngx_uint_t    hash;                         /* 0: not known yet */
} ngx_http_payer_name_t;


static ngx_pool_t *ngx_http_payer_exchange_pool(ngx_log_t *log);
static void ngx_http_payer_exchange_reset(ngx_http_payer_exchange_t *x);
static ngx_int_t ngx_http_payer_exchange_uri(ngx_http_request_t *r,
    ngx_http_payer_exchange_t *x, ngx_str_t *uri);
static ngx_int_t ngx_http_payer_exchange_headers(ngx_http_request_t *sr,
    ngx_http_payer_exchange_t *x);
static ngx_int_t ngx_http_payer_exchange_fields(ngx_http_request_t *sr,
    ngx_http_payer_exchange_t *x);
static ngx_table_elt_t *ngx_http_payer_exchange_push(ngx_http_request_t *sr,
    ngx_http_payer_name_t *name, ngx_str_t *value);
static ngx_int_t ngx_http_payer_exchange_field(ngx_http_request_t *sr,
    ngx_http_payer_field_t *field);
static ngx_int_t ngx_http_payer_exchange_body(ngx_http_request_t *sr,
    ngx_http_payer_exchange_t *x);
static ngx_int_t ngx_http_payer_exchange_line(ngx_http_request_t *sr,
    ngx_http_payer_exchange_t *x);
static void ngx_http_payer_exchange_route(ngx_http_request_t *sr,
    ngx_http_core_loc_conf_t *clcf);
static void ngx_http_payer_exchange_abort(ngx_http_request_t *sr);
static ngx_int_t ngx_http_payer_exchange_done(ngx_http_request_t *sr,
    void *data, ngx_int_t rc);
static void ngx_http_payer_exchange_own(ngx_http_payer_exchange_t *x,
    ngx_int_t rc);


/* a call through nginx's proxy fits into one block */
#define NGX_HTTP_PAYER_EXCHANGE_POOL  8192


/* the pool of the last exchange, for the next one of this worker process */

static ngx_pool_t  *ngx_http_payer_exchange_spare;


ngx_int_t
ngx_http_payer_exchange_start(ngx_http_request_t *r,
    ngx_http_payer_api_loc_t *api_loc, ngx_http_payer_exchange_t *x)
{
    void                        *active;
    ngx_int_t                    rc;
    ngx_str_t                    uri;
    ngx_pool_t                  *pool;
    ngx_http_request_t          *sr;
    ngx_http_posted_request_t   *posted;
    ngx_http_post_subrequest_t  *ps;

    ngx_http_payer_exchange_free(x);

    x->pool = ngx_http_payer_exchange_pool(r->connection->log);
    if (x->pool == NULL) {
        return NGX_ERROR;
    }

    ps = ngx_palloc(x->pool, sizeof(ngx_http_post_subrequest_t)
                             + sizeof(ngx_http_posted_request_t));
    if (ps == NULL) {
        return NGX_ERROR;
    }

    posted = (ngx_http_posted_request_t *) (ps + 1);

    ps->handler = ngx_http_payer_exchange_done;
    ps->data = x;

    x->api_loc = api_loc;

    if (api_loc) {
        x->clcf = api_loc->clcf;
    }

    if (ngx_http_payer_exchange_uri(r, x, &uri) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_payer_exchange_reset(x);

    sr = NULL;
    active = r->connection->data;

    /* nginx gives it the pool of its parent, and takes from it alone */

    pool = r->pool;
    r->pool = x->pool;

    rc = ngx_http_subrequest(r, &uri, &x->args, &sr, ps,
                             NGX_HTTP_SUBREQUEST_WAITED);
    r->pool = pool;

    if (rc != NGX_OK) {
        if (sr == NULL) {

            /* without memory nginx stops halfway: r would never resume */

            r->connection->data = active;
            return NGX_ERROR;
        }

        /* it was created, but could not be posted */

        (void) ngx_http_post_request(sr, posted);
    }

    x->subrequest = sr;
    x->active = 1;

    sr->method = x->method;
    sr->method_name = x->method_name;

    /*
     * The rest of the client's body belongs to the main request: nginx would
     * read it here, with the length of our own body.
     */

    sr->discard_body = 0;

    if (ngx_http_payer_exchange_headers(sr, x) != NGX_OK
        || ngx_http_payer_exchange_body(sr, x) != NGX_OK
        || ngx_http_payer_exchange_line(sr, x) != NGX_OK
        || ngx_http_payer_wire_variables(sr) != NGX_OK)
    {
        /* it is already posted: it ends without being sent */

        sr->write_event_handler = ngx_http_payer_exchange_abort;
        return NGX_OK;
    }

    if (x->clcf) {
        ngx_http_payer_exchange_route(sr, x->clcf);
    }

    return NGX_OK;
}


static void
ngx_http_payer_exchange_reset(ngx_http_payer_exchange_t *x)
{
    x->status = 0;
    x->failure = 0;
    x->reply.len = 0;
    x->reply_type.len = 0;
    x->retry_after = -1;
    x->sent = 0;
    x->complete = 0;
    x->oversized = 0;
    x->encoded = 0;
    x->expired = 0;
    x->time = ngx_current_msec;
}


static ngx_pool_t *
ngx_http_payer_exchange_pool(ngx_log_t *log)
{
    ngx_pool_t  *pool;

    pool = ngx_http_payer_exchange_spare;

    if (pool == NULL) {
        return ngx_create_pool(NGX_HTTP_PAYER_EXCHANGE_POOL, log);
    }

    ngx_http_payer_exchange_spare = NULL;
    pool->log = log;

    return pool;
}


void
ngx_http_payer_exchange_free(ngx_http_payer_exchange_t *x)
{
    ngx_pool_t  *pool;

    pool = x->pool;

    if (pool == NULL) {
        return;
    }

    x->pool = NULL;

    if (ngx_http_payer_exchange_spare || pool->cleanup || pool->d.next) {

        /* more than the one block that is kept, or not memory alone */

        ngx_destroy_pool(pool);
        return;
    }

    ngx_reset_pool(pool);
    ngx_http_payer_exchange_spare = pool;
}


static ngx_int_t
ngx_http_payer_exchange_uri(ngx_http_request_t *r,
    ngx_http_payer_exchange_t *x, ngx_str_t *uri)
{
    u_char     *p;
    ngx_str_t  *name;

    if (x->api_loc == NULL) {
        *uri = x->path;
        return NGX_OK;
    }

    /* the location's name ends with a slash, the path begins with one */

    name = &x->api_loc->clcf->name;

    uri->len = name->len + x->path.len - 1;
    uri->data = ngx_pnalloc(x->pool, uri->len);
    if (uri->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(uri->data, name->data, name->len);
    ngx_memcpy(p, x->path.data + 1, x->path.len - 1);

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_exchange_headers(ngx_http_request_t *sr,
    ngx_http_payer_exchange_t *x)
{
    ngx_str_t         server;
    ngx_table_elt_t  *h;

    static ngx_str_t  agent = ngx_string("ngx_http_payer_module/"
                                         NGX_HTTP_PAYER_VERSION);

    static ngx_http_payer_name_t  user_agent = { ngx_string("user-agent"), 0 };
    static ngx_http_payer_name_t  type = { ngx_string("content-type"), 0 };
    static ngx_http_payer_name_t  host = { ngx_string("host"), 0 };

    server = sr->headers_in.server;

    ngx_memzero(&sr->headers_in, sizeof(ngx_http_headers_in_t));

    sr->headers_in.server = server;
    sr->headers_in.keep_alive_n = -1;
    sr->headers_in.content_length_n = -1;

    if (ngx_list_init(&sr->headers_in.headers, sr->pool, 8,
                      sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    h = ngx_http_payer_exchange_push(sr, &user_agent, &agent);
    if (h == NULL) {
        return NGX_ERROR;
    }

    sr->headers_in.user_agent = h;

    if (x->body.len) {
        h = ngx_http_payer_exchange_push(sr, &type, &x->content_type);
        if (h == NULL) {
            return NGX_ERROR;
        }

        sr->headers_in.content_type = h;
    }

    if (x->api_loc == NULL && server.len) {
        h = ngx_http_payer_exchange_push(sr, &host, &server);
        if (h == NULL) {
            return NGX_ERROR;
        }

        sr->headers_in.host = h;
    }

    return ngx_http_payer_exchange_fields(sr, x);
}


static ngx_int_t
ngx_http_payer_exchange_fields(ngx_http_request_t *sr,
    ngx_http_payer_exchange_t *x)
{
    ngx_uint_t  i;

    static ngx_str_t  json = ngx_string("application/json");

    static ngx_http_payer_name_t  accept = { ngx_string("accept"), 0 };
    static ngx_http_payer_name_t  auth = { ngx_string("authorization"), 0 };
    static ngx_http_payer_name_t  id = { ngx_string("payer-request-id"), 0 };

    if (x->api_loc
        && (ngx_http_payer_exchange_push(sr, &accept, &json) == NULL
            || ngx_http_payer_exchange_push(sr, &auth, &x->authorization)
               == NULL))
    {
        return NGX_ERROR;
    }

    if (x->request_id.len
        && ngx_http_payer_exchange_push(sr, &id, &x->request_id) == NULL)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < x->nfields; i++) {

        if (x->fields[i].value.len
            && ngx_http_payer_exchange_field(sr, &x->fields[i]) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* a header that all calls have; its hash is taken only once */

static ngx_table_elt_t *
ngx_http_payer_exchange_push(ngx_http_request_t *sr,
    ngx_http_payer_name_t *name, ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&sr->headers_in.headers);
    if (h == NULL) {
        return NULL;
    }

    if (name->hash == 0) {
        name->hash = ngx_hash_key(name->name.data, name->name.len);
    }

    h->hash = name->hash;
    h->key = name->name;
    h->lowcase_key = name->name.data;
    h->value = *value;
    ngx_http_payer_header_init(h);

    return h;
}


/* a header whose case is kept */

static ngx_int_t
ngx_http_payer_exchange_field(ngx_http_request_t *sr,
    ngx_http_payer_field_t *field)
{
    ngx_table_elt_t        *h;
    ngx_http_payer_name_t   name;

    name.name.len = ngx_strlen(field->name);
    name.name.data = ngx_pnalloc(sr->pool, name.name.len);
    if (name.name.data == NULL) {
        return NGX_ERROR;
    }

    name.hash = ngx_hash_strlow(name.name.data, (u_char *) field->name,
                                name.name.len);

    h = ngx_http_payer_exchange_push(sr, &name, &field->value);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->key.data = (u_char *) field->name;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_exchange_body(ngx_http_request_t *sr,
    ngx_http_payer_exchange_t *x)
{
    ngx_buf_t                *b;
    ngx_chain_t              *cl;
    ngx_http_request_body_t  *rb;

    rb = ngx_pcalloc(sr->pool, sizeof(ngx_http_request_body_t));
    if (rb == NULL) {
        return NGX_ERROR;
    }

    sr->request_body = rb;

    if (x->body.len == 0) {

        if (x->method != NGX_HTTP_GET) {
            sr->headers_in.content_length_n = 0;
        }

        return NGX_OK;
    }

    sr->headers_in.content_length_n = x->body.len;

    b = ngx_calloc_buf(sr->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    /* with start and end, since nginx rewinds to them for a resend */

    b->start = x->body.data;
    b->pos = x->body.data;
    b->last = x->body.data + x->body.len;
    b->end = b->last;
    b->temporary = 1;
    b->last_buf = 1;

    cl = ngx_alloc_chain_link(sr->pool);
    if (cl == NULL) {
        return NGX_ERROR;
    }

    cl->buf = b;
    cl->next = NULL;

    rb->bufs = cl;
    rb->buf = b;

    return NGX_OK;
}


/* $request_uri and $request, which front controllers use, are its own */

static ngx_int_t
ngx_http_payer_exchange_line(ngx_http_request_t *sr,
    ngx_http_payer_exchange_t *x)
{
    u_char  *p;

    if (x->api_loc || x->clcf == NULL) {
        return NGX_OK;
    }

    sr->unparsed_uri.len = x->path.len + 1 + x->args.len;

    p = ngx_pnalloc(sr->pool, sr->unparsed_uri.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    sr->unparsed_uri.data = p;

    p = ngx_cpymem(p, x->path.data, x->path.len);

    if (x->args.len) {
        *p++ = '?';
        p = ngx_cpymem(p, x->args.data, x->args.len);
    }

    sr->unparsed_uri.len = p - sr->unparsed_uri.data;
    sr->request_line = sr->unparsed_uri;

    return NGX_OK;
}


static void
ngx_http_payer_exchange_route(ngx_http_request_t *sr,
    ngx_http_core_loc_conf_t *clcf)
{
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(sr, ngx_http_core_module);

    sr->loc_conf = clcf->loc_conf;
    sr->valid_location = 1;
    sr->phase_handler = cmcf->phase_engine.location_rewrite_index;
    sr->write_event_handler = ngx_http_core_run_phases;

    ngx_http_update_location_config(sr);

    sr->content_handler = ngx_http_payer_wire_handler;
}


ngx_int_t
ngx_http_payer_exchange_expire(ngx_http_payer_exchange_t *x)
{
    ngx_event_t          *rev, *wev;
    ngx_connection_t     *c;
    ngx_resolver_ctx_t   *resolving;
    ngx_http_upstream_t  *u;

    x->expired = 1;

    u = x->subrequest->upstream;

    if (u && u->peer.connection) {
        rev = u->peer.connection->read;

        rev->timedout = 1;
        rev->handler(rev);

        return NGX_OK;
    }

    if (u && u->resolved && u->resolved->ctx) {
        resolving = u->resolved->ctx;

        resolving->state = NGX_RESOLVE_TIMEDOUT;
        resolving->handler(resolving);

        return NGX_OK;
    }

    c = x->subrequest->connection;
    wev = c->write;

    if (u == NULL && wev->delayed && wev->timer_set) {

        /* delayed by limit_req of the location */

        wev->delayed = 0;
        ngx_del_timer(wev);

        ngx_http_finalize_request(x->subrequest, NGX_HTTP_GATEWAY_TIME_OUT);
        ngx_http_run_posted_requests(c);

        return NGX_OK;
    }

    return NGX_AGAIN;
}


static void
ngx_http_payer_exchange_abort(ngx_http_request_t *sr)
{
    ngx_http_finalize_request(sr, NGX_HTTP_INTERNAL_SERVER_ERROR);
}


static ngx_int_t
ngx_http_payer_exchange_done(ngx_http_request_t *sr, void *data, ngx_int_t rc)
{
    ngx_http_payer_exchange_t  *x = data;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, sr->connection->log, 0,
                   "payer exchange done: rc:%i status:%ui complete:%d",
                   rc, x->status, x->complete);

    if (!x->active) {
        return NGX_OK;
    }

    x->active = 0;
    x->time = ngx_current_msec - x->time;

    if (sr->upstream) {
        x->sent = sr->upstream->request_sent;

    } else if (x->clcf == NULL) {
        ngx_http_payer_exchange_own(x, rc);
    }

    if (x->status == 0) {
        x->failure = (rc >= NGX_HTTP_SPECIAL_RESPONSE)
                     ? (ngx_uint_t) rc : NGX_HTTP_BAD_GATEWAY;

        if (x->expired) {

            /* nginx calls a TLS handshake that takes too long an error */

            x->failure = NGX_HTTP_GATEWAY_TIME_OUT;
        }
    }

    x->handler(x);

    if (x->api_loc) {
        ngx_http_payer_wire_wipe(sr, &x->body);
    }

    if (x->secret) {
        ngx_http_payer_wipe(&x->reply);
    }

    return NGX_OK;
}


/* the location has answered by itself, with a header only or with a status */

static void
ngx_http_payer_exchange_own(ngx_http_payer_exchange_t *x, ngx_int_t rc)
{
    if (rc == NGX_HTTP_CREATED || rc == NGX_HTTP_NO_CONTENT) {
        x->status = rc;
        x->complete = 1;

    } else if (rc == NGX_OK) {
        x->complete = 1;
    }
}


ngx_uint_t
ngx_http_payer_is_exchange(ngx_http_request_t *r)
{
    return r->post_subrequest
           && r->post_subrequest->handler == ngx_http_payer_exchange_done;
}
