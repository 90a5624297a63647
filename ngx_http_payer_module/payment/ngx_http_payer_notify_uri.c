
/*
 * The values in a record for requests without a buyer: the URIs as evaluated
 * when the payment was created, and the server.
 */


#include "ngx_http_payer_notify.h"
#include "ngx_http_payer_log.h"


static ngx_int_t ngx_http_payer_notify_evaluate(ngx_http_request_t *r,
    ngx_http_payer_notify_uri_t *notify, ngx_str_t *uri);
static ngx_int_t ngx_http_payer_notify_value(ngx_http_request_t *r,
    ngx_http_payer_lookup_arg_t *arg, ngx_str_t *value);
static ngx_int_t ngx_http_payer_notify_join(ngx_pool_t *pool,
    ngx_str_t *path, ngx_str_t *args, ngx_str_t *uri);


ngx_int_t
ngx_http_payer_notify_note(ngx_http_payer_ctx_t *ctx)
{
    ngx_str_t                     uri, lookup;
    ngx_pool_t                   *pool;
    ngx_http_payer_notify_uri_t  *notify;

    ngx_str_null(&uri);
    ngx_str_null(&lookup);

    notify = ctx->conf->notify;
    pool = ctx->request->pool;

    if (notify && notify->uri.len
        && ngx_http_payer_notify_evaluate(ctx->request, notify, &uri)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ctx->lookup
        && ngx_http_payer_notify_join(pool, &ctx->lookup->conf->uri,
                                      &ctx->lookup->args, &lookup)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (uri.len > NGX_HTTP_PAYER_RECORD_URI
        || (uri.len && lookup.len > NGX_HTTP_PAYER_RECORD_URI))
    {
        ngx_http_payer_log(NGX_LOG_ERR, ctx,
                           "\"%s %V\" has more than %d bytes for this order, "
                           "so that no notification can be sent",
                           uri.len > NGX_HTTP_PAYER_RECORD_URI
                           ? "payer_notify" : "payer_lookup",
                           uri.len > NGX_HTTP_PAYER_RECORD_URI
                           ? &notify->uri : &ctx->lookup->conf->uri,
                           NGX_HTTP_PAYER_RECORD_URI);
        return NGX_DECLINED;
    }

    if (lookup.len > NGX_HTTP_PAYER_RECORD_URI) {

        /* without notifications there is no lookup */

        ngx_str_null(&lookup);
    }

    ctx->record.notify = uri;
    ctx->record.lookup = lookup;
    ctx->record.server = ctx->conf->cscf->server_name;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_notify_evaluate(ngx_http_request_t *r,
    ngx_http_payer_notify_uri_t *notify, ngx_str_t *uri)
{
    size_t                        len;
    u_char                       *p;
    ngx_str_t                     args, *values;
    ngx_uint_t                    i;
    ngx_http_payer_lookup_arg_t  *arg;

    ngx_str_null(&args);

    arg = notify->args.elts;

    values = ngx_palloc(r->pool,
                        ngx_max(notify->args.nelts, 1) * sizeof(ngx_str_t));
    if (values == NULL) {
        return NGX_ERROR;
    }

    len = 1;

    for (i = 0; i < notify->args.nelts; i++) {

        if (ngx_http_payer_notify_value(r, &arg[i], &values[i]) != NGX_OK) {
            return NGX_ERROR;
        }

        len += arg[i].name.len + 3 * values[i].len + 2;
    }

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    args.data = p;

    for (i = 0; i < notify->args.nelts; i++) {

        if (i) {
            *p++ = '&';
        }

        p = ngx_cpymem(p, arg[i].name.data, arg[i].name.len);
        *p++ = '=';

        if (arg[i].variable.len) {
            p = (u_char *) ngx_escape_uri(p, values[i].data, values[i].len,
                                          NGX_ESCAPE_URI_COMPONENT);

        } else {
            p = ngx_cpymem(p, values[i].data, values[i].len);
        }
    }

    args.len = p - args.data;

    return ngx_http_payer_notify_join(r->pool, &notify->uri, &args, uri);
}


/* an argument of the client is escaped as in the request */

static ngx_int_t
ngx_http_payer_notify_value(ngx_http_request_t *r,
    ngx_http_payer_lookup_arg_t *arg, ngx_str_t *value)
{
    u_char                     *dst, *src;
    ngx_http_variable_value_t  *vv;

    if (arg->variable.len == 0) {
        *value = arg->text;
        return NGX_OK;
    }

    vv = ngx_http_get_flushed_variable(r, arg->index);

    if (vv == NULL) {
        return NGX_ERROR;
    }

    ngx_str_null(value);

    if (vv->not_found || vv->len == 0) {
        return NGX_OK;
    }

    value->data = vv->data;
    value->len = vv->len;

    if (!arg->escaped) {
        return NGX_OK;
    }

    dst = ngx_pnalloc(r->pool, value->len);
    if (dst == NULL) {
        return NGX_ERROR;
    }

    src = value->data;
    value->data = dst;

    ngx_unescape_uri(&dst, &src, value->len, 0);

    value->len = dst - value->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_notify_join(ngx_pool_t *pool, ngx_str_t *path,
    ngx_str_t *args, ngx_str_t *uri)
{
    u_char  *p;

    if (args->len == 0) {
        *uri = *path;
        return NGX_OK;
    }

    p = ngx_pnalloc(pool, path->len + 1 + args->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    uri->data = p;
    uri->len = path->len + 1 + args->len;

    p = ngx_cpymem(p, path->data, path->len);
    *p++ = '?';
    ngx_memcpy(p, args->data, args->len);

    return NGX_OK;
}


ngx_http_payer_loc_conf_t *
ngx_http_payer_notify_place(ngx_http_payer_main_conf_t *pmcf,
    ngx_str_t *server, ngx_str_t *uri)
{
    u_char                         *end;
    size_t                          len;
    ngx_str_t                      *path;
    ngx_uint_t                      i;
    ngx_http_payer_notify_place_t  *place;

    if (uri->len == 0) {
        return NULL;
    }

    end = ngx_strlchr(uri->data, uri->data + uri->len, '?');
    len = end ? (size_t) (end - uri->data) : uri->len;

    place = pmcf->notified.elts;

    for (i = 0; i < pmcf->notified.nelts; i++) {

        path = &place[i].conf->notify->uri;

        if (path->len == len
            && ngx_memcmp(path->data, uri->data, len) == 0
            && place[i].server->len == server->len
            && ngx_strncmp(place[i].server->data, server->data, server->len)
               == 0)
        {
            return place[i].conf;
        }
    }

    return NULL;
}


ngx_uint_t
ngx_http_payer_notify_any(ngx_http_payer_main_conf_t *pmcf,
    ngx_str_t *merchant)
{
    ngx_str_t                      *id;
    ngx_uint_t                      i;
    ngx_http_payer_notify_place_t  *place;

    place = pmcf->notified.elts;

    for (i = 0; i < pmcf->notified.nelts; i++) {

        id = &place[i].conf->merchant->id;

        if (id->len == merchant->len
            && ngx_memcmp(id->data, merchant->data, id->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}
