
/*
 * Runs nginx's proxy for an exchange with Payer without the debug log, which
 * would contain our credentials, and without leaving them in its buffers.
 *
 * Three handlers of the proxy are wrapped: the location's, that of the
 * response header, and that of the end.
 */


#include "ngx_http_payer_subrequest.h"


static ngx_int_t ngx_http_payer_wire_checked(ngx_http_request_t *r);
static ngx_int_t ngx_http_payer_wire_shop(ngx_http_request_t *r,
    ngx_http_payer_exchange_t *x);
static ngx_int_t ngx_http_payer_wire_header(ngx_http_request_t *sr);
static void ngx_http_payer_wire_end(ngx_http_request_t *sr, ngx_int_t rc);
static ngx_int_t ngx_http_payer_wire_unlogged(ngx_http_request_t *sr,
    ngx_http_handler_pt handler);


/* the indices of $proxy_internal_body_length and $request_method */

static ngx_int_t  ngx_http_payer_length_index;
static ngx_int_t  ngx_http_payer_method_index;


ngx_int_t
ngx_http_payer_wire_init(ngx_conf_t *cf)
{
    static ngx_str_t  name = ngx_string("proxy_internal_body_length");

    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    static ngx_str_t  method = ngx_string("request_method");

    ngx_http_payer_length_index = ngx_http_get_variable_index(cf, &name);
    ngx_http_payer_method_index = ngx_http_get_variable_index(cf, &method);

    if (ngx_http_payer_length_index == NGX_ERROR
        || ngx_http_payer_method_index == NGX_ERROR)
    {
        return NGX_ERROR;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PRECONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_payer_wire_checked;

    return NGX_OK;
}


/*
 * The last check before a call is sent: if it was redirected from the
 * configuration that was checked, it is not sent.
 */

static ngx_int_t
ngx_http_payer_wire_checked(ngx_http_request_t *r)
{
    void                     ***checked;
    ngx_uint_t                  i;
    ngx_http_payer_api_loc_t   *api_loc;
    ngx_http_payer_exchange_t  *x;

    if (r == r->main || !ngx_http_payer_is_exchange(r)) {
        return NGX_DECLINED;
    }

    x = r->post_subrequest->data;
    api_loc = x->api_loc;

    if (api_loc == NULL) {
        return ngx_http_payer_wire_shop(r, x);
    }

    checked = api_loc->checked.elts;

    for (i = 0; i < api_loc->checked.nelts; i++) {

        if (r->loc_conf == checked[i]) {

            /* an "if" has replaced it by the proxy's own */

            r->content_handler = ngx_http_payer_wire_handler;

            return NGX_DECLINED;
        }
    }

    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "payer: a call was not sent: it was redirected from "
                  "location \"%V\" to \"%V\"", &api_loc->clcf->name, &r->uri);

    return NGX_HTTP_INTERNAL_SERVER_ERROR;
}


/* the same for the shop's location of a lookup */

static ngx_int_t
ngx_http_payer_wire_shop(ngx_http_request_t *r, ngx_http_payer_exchange_t *x)
{
    ngx_uint_t  status;

    if (x->clcf == NULL) {
        status = ngx_http_payer_wire_error(r);

        return status ? (ngx_int_t) status : NGX_DECLINED;
    }

    if (r->loc_conf == x->clcf->loc_conf) {
        return NGX_DECLINED;
    }

    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "payer: a lookup was not sent: it was redirected from "
                  "location \"%V\" to \"%V\"", &x->clcf->name, &r->uri);

    return NGX_HTTP_INTERNAL_SERVER_ERROR;
}


ngx_uint_t
ngx_http_payer_wire_error(ngx_http_request_t *r)
{
    ngx_http_upstream_t  *u;

    u = r->upstream;

    return (u && u->headers_in.x_accel_redirect
            && u->headers_in.status_n >= NGX_HTTP_BAD_REQUEST)
           ? u->headers_in.status_n : 0;
}


/*
 * Its own variables, all unevaluated except, for Payer, the length of the
 * body: the proxy omits Content-Length if it has no memory for it, and the
 * body would be parsed as another request.  The shop's location may send
 * another body.
 */

ngx_int_t
ngx_http_payer_wire_variables(ngx_http_request_t *sr)
{
    ngx_http_variable_value_t  *vv;
    ngx_http_payer_exchange_t  *x;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(sr, ngx_http_core_module);

    sr->variables = ngx_pcalloc(sr->pool, cmcf->variables.nelts
                                          * sizeof(ngx_http_variable_value_t));
    if (sr->variables == NULL) {
        return NGX_ERROR;
    }

    x = sr->post_subrequest->data;

    if (x->api_loc == NULL) {

        /* FastCGI and uwsgi use it, and it would be that of the client */

        vv = &sr->variables[ngx_http_payer_method_index];

        vv->data = x->method_name.data;
        vv->len = x->method_name.len;
        vv->valid = 1;

        return NGX_OK;
    }

    vv = &sr->variables[ngx_http_payer_length_index];

    if (sr->headers_in.content_length_n < 0) {
        vv->not_found = 1;
        return NGX_OK;
    }

    vv->data = ngx_pnalloc(sr->pool, NGX_OFF_T_LEN);
    if (vv->data == NULL) {
        return NGX_ERROR;
    }

    vv->len = ngx_http_payer_digits(vv->data,
                                    sr->headers_in.content_length_n)
              - vv->data;
    vv->valid = 1;

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_wire_handler(ngx_http_request_t *sr)
{
    ngx_int_t                   rc;
    ngx_http_upstream_t        *u;
    ngx_http_payer_exchange_t  *x;

    x = sr->post_subrequest->data;

    if (x->expired) {
        return NGX_HTTP_GATEWAY_TIME_OUT;
    }

    /* an "if" has no handler of its own */

    rc = ngx_http_payer_wire_unlogged(sr, x->clcf->handler);

    u = sr->upstream;

    if (u) {
        x->process_header = u->process_header;
        u->process_header = ngx_http_payer_wire_header;

        x->finalize_request = u->finalize_request;
        u->finalize_request = ngx_http_payer_wire_end;
    }

    return rc;
}


/* Payer may repeat the credentials in a header */

static ngx_int_t
ngx_http_payer_wire_header(ngx_http_request_t *sr)
{
    ngx_int_t                   rc;
    ngx_http_upstream_t        *u;
    ngx_http_payer_exchange_t  *x;

    u = sr->upstream;
    x = sr->post_subrequest->data;

    /* the one for the status line puts its successor in its place */

    u->process_header = x->process_header;

    rc = ngx_http_payer_wire_unlogged(sr, u->process_header);

    x->process_header = u->process_header;
    u->process_header = ngx_http_payer_wire_header;

    /* the server cannot redirect the call */

    u->headers_in.x_accel_redirect = NULL;

    return rc;
}


/*
 * the connection still exists: the buffer of its last TLS record is erased,
 * whether it is kept or closed
 */

static void
ngx_http_payer_wire_end(ngx_http_request_t *sr, ngx_int_t rc)
{
    ngx_http_payer_exchange_t  *x;
#if (NGX_HTTP_SSL)
    ngx_buf_t                  *b;
    ngx_connection_t           *c;

    c = sr->upstream->peer.connection;

    if (c && c->ssl && c->ssl->buf && c->ssl->buf->start) {
        b = c->ssl->buf;

        ngx_explicit_memzero(b->start, b->end - b->start);
    }
#endif

    x = sr->post_subrequest->data;

    x->finalize_request(sr, rc);
}


static ngx_int_t
ngx_http_payer_wire_unlogged(ngx_http_request_t *sr,
    ngx_http_handler_pt handler)
{
    ngx_int_t   rc;
    ngx_log_t  *log;
    ngx_uint_t  level;

    log = sr->connection->log;
    level = log->log_level;

    log->log_level = ngx_min(level, NGX_LOG_DEBUG_FIRST - 1);

    rc = handler(sr);

    log->log_level = level;

    return rc;
}


void
ngx_http_payer_wire_wipe(ngx_http_request_t *sr, ngx_str_t *body)
{
    ngx_buf_t            *b;
    ngx_http_upstream_t  *u;

    u = sr->upstream;

    if (u == NULL || u->request_bufs == NULL) {
        return;
    }

    b = u->request_bufs->buf;

    /* the body is there if there was no memory for a header */

    if (b->start != body->data) {
        ngx_explicit_memzero(b->start, b->last - b->start);
    }
}
