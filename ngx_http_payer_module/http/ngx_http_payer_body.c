
/*
 * The body of the client's request: the only file that reads or discards it.
 */


#include "ngx_http_payer_body.h"
#include "ngx_http_payer_flow.h"


static ngx_int_t ngx_http_payer_body_read(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx, ngx_http_client_body_handler_pt handler);
static void ngx_http_payer_body_kept(ngx_http_request_t *r);
static void ngx_http_payer_body_dropped(ngx_http_request_t *r);
static ngx_uint_t ngx_http_payer_body_expected(ngx_http_request_t *r);
static ngx_uint_t ngx_http_payer_body_whole(ngx_http_request_t *r);
static ngx_int_t ngx_http_payer_body_forget(ngx_http_request_t *r);
static void ngx_http_payer_body_abandon(ngx_http_request_t *r);
static ngx_int_t ngx_http_payer_body_headers(ngx_http_request_t *r);
static ngx_int_t ngx_http_payer_body_variables(ngx_http_request_t *r);
static ngx_uint_t ngx_http_payer_body_named(ngx_str_t *names,
    ngx_str_t *name);


/* headers that describe the body */

static ngx_str_t  ngx_http_payer_body_header_names[] = {
    ngx_string("content-length"),
    ngx_string("content-type"),
    ngx_string("content-encoding"),
    ngx_string("transfer-encoding"),
    ngx_string("trailer"),
    ngx_string("expect"),
    ngx_null_string
};


/* variables that nginx derives from the body and these headers, and caches */

static ngx_str_t  ngx_http_payer_body_variable_names[] = {
    ngx_string("content_length"),
    ngx_string("content_type"),
    ngx_string("http_content_length"),
    ngx_string("http_content_type"),
    ngx_string("http_content_encoding"),
    ngx_string("http_transfer_encoding"),
    ngx_string("http_trailer"),
    ngx_string("http_expect"),
    ngx_string("request_body"),
    ngx_string("request_body_file"),
    ngx_null_string
};


ngx_int_t
ngx_http_payer_body_keep(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    r->request_body_in_single_buf = 1;

    return ngx_http_payer_body_read(r, ctx, ngx_http_payer_body_kept);
}


ngx_int_t
ngx_http_payer_body_drop(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    return ngx_http_payer_body_read(r, ctx, ngx_http_payer_body_dropped);
}


static ngx_int_t
ngx_http_payer_body_read(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx,
    ngx_http_client_body_handler_pt handler)
{
    ngx_int_t  rc;

    if (!ngx_http_payer_body_expected(r)) {
        return ngx_http_payer_flow_content(r, ctx);
    }

    rc = ngx_http_read_client_request_body(r, handler);

    return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
}


static ngx_uint_t
ngx_http_payer_body_expected(ngx_http_request_t *r)
{
    return r->headers_in.content_length_n > 0 || r->headers_in.chunked
           || r->discard_body;
}


/*
 * A request may have lost its body before it was redirected here: incomplete
 * parameters must not be used.
 */

static void
ngx_http_payer_body_kept(ngx_http_request_t *r)
{
    if (!ngx_http_payer_body_whole(r)) {
        ngx_http_payer_body_abandon(r);
        ngx_http_finalize_request(r, NGX_HTTP_BAD_REQUEST);
        return;
    }

    ngx_http_payer_flow_body(r);
}


static void
ngx_http_payer_body_dropped(ngx_http_request_t *r)
{
    if (!ngx_http_payer_body_whole(r)) {
        ngx_http_payer_body_abandon(r);
    }

    if (ngx_http_payer_body_forget(r) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    ngx_http_payer_flow_body(r);
}


static ngx_uint_t
ngx_http_payer_body_whole(ngx_http_request_t *r)
{
    return !r->discard_body && r->request_body && r->request_body->rest == 0;
}


/*
 * The rest stays in the connection, which gets no other request and is closed.
 */

static void
ngx_http_payer_body_abandon(ngx_http_request_t *r)
{
    if (r->discard_body) {
        r->discard_body = 0;
        r->main->count--;
    }

#if (NGX_HTTP_V2)
    if (r->stream) {
        r->stream->skip_data = 1;
        return;
    }
#endif

    r->reading_body = 0;
    r->keepalive = 0;
    r->lingering_close = 1;
}


/*
 * All changed parts are copies: a subrequest that was started before, such as
 * that of a mirror, shares the originals and sends the body.
 */

static ngx_int_t
ngx_http_payer_body_forget(ngx_http_request_t *r)
{
    ngx_http_request_body_t  *rb;

    rb = ngx_pcalloc(r->pool, sizeof(ngx_http_request_body_t));
    if (rb == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_payer_body_headers(r) != NGX_OK
        || ngx_http_payer_body_variables(r) != NGX_OK)
    {
        return NGX_ERROR;
    }

    r->request_body = rb;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_body_headers(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_t        headers;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h, *copy;

    if (ngx_list_init(&headers, r->pool, 20, sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (ngx_http_payer_body_named(ngx_http_payer_body_header_names,
                                          &h[i].key))
            {
                continue;
            }

            copy = ngx_list_push(&headers);
            if (copy == NULL) {
                return NGX_ERROR;
            }

            *copy = h[i];
        }
    }

    r->headers_in.headers = headers;

    /* modules that add a header, such as Lua, use the end of the list */

    if (headers.last == &headers.part) {
        r->headers_in.headers.last = &r->headers_in.headers.part;
    }

    r->headers_in.content_length = NULL;
    r->headers_in.content_type = NULL;
    r->headers_in.transfer_encoding = NULL;
    r->headers_in.expect = NULL;

    r->headers_in.content_length_n = -1;
    r->headers_in.chunked = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_body_variables(ngx_http_request_t *r)
{
    ngx_uint_t                  i;
    ngx_http_variable_t        *v;
    ngx_http_variable_value_t  *values;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    values = ngx_palloc(r->pool, cmcf->variables.nelts
                                 * sizeof(ngx_http_variable_value_t));
    if (values == NULL) {
        return NGX_ERROR;
    }

    v = cmcf->variables.elts;

    for (i = 0; i < cmcf->variables.nelts; i++) {
        values[i] = r->variables[i];

        if (ngx_http_payer_body_named(ngx_http_payer_body_variable_names,
                                      &v[i].name))
        {
            ngx_memzero(&values[i], sizeof(ngx_http_variable_value_t));
        }
    }

    r->variables = values;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_payer_body_named(ngx_str_t *names, ngx_str_t *name)
{
    for ( /* void */ ; names->len; names++) {

        if (names->len == name->len
            && ngx_strncasecmp(names->data, name->data, name->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* as nginx does for its own answers */

void
ngx_http_payer_body_discard(ngx_http_request_t *r)
{
    if (ngx_http_discard_request_body(r) != NGX_OK) {
        r->keepalive = 0;
    }
}
