
/*
 * Access to a location of the back office: clients, methods and parameters.
 */


#include "ngx_http_payer_access.h"
#include "ngx_http_payer_same_origin.h"


static ngx_int_t ngx_http_payer_forbid(ngx_http_request_t *r,
    ngx_http_payer_problem_t *problem);
static ngx_uint_t ngx_http_payer_unasked(ngx_http_request_t *r,
    ngx_http_payer_loc_conf_t *conf, ngx_http_payer_problem_t *problem);
static ngx_uint_t ngx_http_payer_allowed(ngx_http_request_t *r,
    ngx_http_payer_loc_conf_t *conf);
static void ngx_http_payer_passed_on(ngx_http_request_t *r);
static ngx_uint_t ngx_http_payer_for_another(ngx_http_request_t *r);
static ngx_uint_t ngx_http_payer_from_inside(ngx_http_request_t *r);
static const char *ngx_http_payer_parameters_detail(ngx_pool_t *pool,
    const char *reason, ngx_uint_t body);
static ngx_int_t ngx_http_payer_body(ngx_http_request_t *r, ngx_str_t *body,
    ngx_http_payer_problem_t *problem);
static u_char *ngx_http_payer_body_copy(u_char *p, ngx_buf_t *b);
static ngx_uint_t ngx_http_payer_media_type(ngx_http_request_t *r,
    char *type);


#define NGX_HTTP_PAYER_MAX_BODY   65536


ngx_int_t
ngx_http_payer_access(ngx_http_request_t *r, ngx_http_payer_loc_conf_t *conf,
    ngx_uint_t methods, ngx_str_t *allow)
{
    ngx_http_payer_problem_t  problem;

    ngx_memzero(&problem, sizeof(ngx_http_payer_problem_t));

    problem.status = NGX_HTTP_FORBIDDEN;

    /* without an order: a location of metrics has no flow and no context */

    if (!ngx_http_payer_allowed(r, conf)) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "payer: access forbidden by \"payer_allow\"");

        problem.detail = "payer_allow does not list this address";

    } else if (!ngx_http_payer_unasked(r, conf, &problem)) {
        return ngx_http_payer_access_method(r, methods, allow);
    }

    return ngx_http_payer_forbid(r, &problem);
}


ngx_int_t
ngx_http_payer_access_method(ngx_http_request_t *r, ngx_uint_t methods,
    ngx_str_t *allow)
{
    ngx_http_payer_problem_t  problem;

    if (r->method & methods) {
        return NGX_OK;
    }

    if (ngx_http_payer_answer_header(r, "Allow", allow) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(&problem, sizeof(ngx_http_payer_problem_t));

    problem.status = NGX_HTTP_NOT_ALLOWED;
    problem.detail = "the Allow header lists the methods of this location";

    return ngx_http_payer_forbid(r, &problem);
}


/*
 * A page of another site can make the browser of a listed client send requests
 * without the person's consent.  A request that the shop passes with
 * X-Accel-Redirect is the shop's.
 */

static ngx_uint_t
ngx_http_payer_unasked(ngx_http_request_t *r, ngx_http_payer_loc_conf_t *conf,
    ngx_http_payer_problem_t *problem)
{
    if (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD)) {
        return 0;
    }

    if (conf->allow_internal && ngx_http_payer_from_inside(r)) {
        return 0;
    }

    if (ngx_http_payer_other_page(r)) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "payer: the request was sent by another site in the "
                      "browser of a client that \"payer_allow\" lists");

        problem->detail = "the request was sent by another site";

        return 1;
    }

    if (ngx_http_payer_other_name(r, conf)) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "payer: the request was sent by a page of \"%V\", which "
                      "\"server_name\" does not list",
                      &r->headers_in.server);

        problem->status = NGX_HTTP_MISDIRECTED_REQUEST;
        problem->title = "Misdirected Request";
        problem->detail = "server_name does not list the Host of the request";

        return 1;
    }

    return 0;
}


static ngx_int_t
ngx_http_payer_forbid(ngx_http_request_t *r,
    ngx_http_payer_problem_t *problem)
{
    ngx_int_t  rc;

    rc = ngx_http_payer_answer_problem(r, problem);

    return rc == NGX_HTTP_PAYER_SENT ? NGX_DONE : rc;
}


static ngx_uint_t
ngx_http_payer_allowed(ngx_http_request_t *r, ngx_http_payer_loc_conf_t *conf)
{
    if (conf->allow_all && conf->allow_tls) {

#if (NGX_HTTP_SSL)
        return r->connection->ssl != NULL;
#else
        return 0;
#endif
    }

    if (conf->allow_all
        || (conf->allow_internal && ngx_http_payer_from_inside(r)))
    {
        return 1;
    }

    if (ngx_cidr_match(r->connection->sockaddr, conf->allow) != NGX_OK) {
        return 0;
    }

    ngx_http_payer_passed_on(r);

    return 1;
}


/*
 * A proxy in front that is listed by its own address opens the location to all
 * its clients.  It may also be meant, as with one that asks for a password: a
 * worker process logs it once.
 */

static void
ngx_http_payer_passed_on(ngx_http_request_t *r)
{
    static ngx_uint_t  logged;

    if (logged || r != r->main || !ngx_http_payer_for_another(r)) {
        return;
    }

    logged = 1;

    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                  "payer: \"payer_allow\" lists \"%V\", which has passed on "
                  "a request of another client: if it is a proxy in front, "
                  "all its clients can use the location; set "
                  "\"set_real_ip_from\"", &r->connection->addr_text);
}


/* whether a proxy has added the address of its client, which is not used */

static ngx_uint_t
ngx_http_payer_for_another(ngx_http_request_t *r)
{
    ngx_str_t                  *name;
    ngx_uint_t                  i, key;
    ngx_list_part_t            *part;
    ngx_table_elt_t            *h;
    ngx_http_variable_value_t  *peer;

    static ngx_str_t  names[] = {
        ngx_string("X-Forwarded-For"), ngx_string("Forwarded"),
        ngx_string("X-Real-IP"), ngx_null_string
    };

    static ngx_str_t  variable = ngx_string("realip_remote_addr");

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return 0;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        for (name = names; name->len; name++) {
            if (h[i].key.len == name->len
                && ngx_strncasecmp(h[i].key.data, name->data, name->len) == 0)
            {
                break;
            }
        }

        if (name->len) {
            break;
        }
    }

    /* the address that the realip module has replaced */

    key = ngx_hash_key(variable.data, variable.len);
    peer = ngx_http_get_variable(r, &variable, key);

    return peer == NULL || peer->not_found
           || (peer->len == r->connection->addr_text.len
               && ngx_memcmp(peer->data, r->connection->addr_text.data,
                             peer->len)
                  == 0);
}


/*
 * r->internal is not sufficient: rewrite, try_files and error_page set it, and
 * lead here with the client's own arguments.  Only a subrequest and the shop's
 * X-Accel-Redirect do not come from a client.
 */

static ngx_uint_t
ngx_http_payer_from_inside(ngx_http_request_t *r)
{
    ngx_http_upstream_t  *u;

    if (r != r->main) {
        return 1;
    }

    u = r->upstream;

    return r->internal && u && u->headers_in.x_accel_redirect
           && !(u->conf->ignore_headers & NGX_HTTP_UPSTREAM_IGN_XA_REDIRECT);
}


ngx_int_t
ngx_http_payer_parameters(ngx_http_request_t *r,
    ngx_http_payer_params_t *params, ngx_http_payer_problem_t *problem)
{
    ngx_int_t    rc;
    ngx_str_t    body;
    const char  *reason;

    ngx_memzero(problem, sizeof(ngx_http_payer_problem_t));
    problem->status = NGX_HTTP_BAD_REQUEST;
    problem->title = "The parameters are not valid";

    rc = ngx_http_payer_body(r, &body, problem);
    if (rc != NGX_OK) {
        return rc;
    }

    if (body.len && r->args.len) {
        problem->detail = "parameters are in the body and in the query";
        return NGX_DECLINED;
    }

    if (body.len == 0) {
        rc = ngx_http_payer_form_read_params(r->pool, &r->args, params,
                                             &reason);

    } else if (ngx_http_payer_media_type(r,
                                         "application/x-www-form-urlencoded"))
    {
        rc = ngx_http_payer_form_read_params(r->pool, &body, params, &reason);

    } else if (ngx_http_payer_media_type(r, "application/json")) {
        rc = ngx_http_payer_json_read_params(r->pool, &body, params, &reason);

    } else {
        problem->status = NGX_HTTP_UNSUPPORTED_MEDIA_TYPE;
        problem->title = NULL;
        problem->detail = "the body is neither application/json nor "
                          "application/x-www-form-urlencoded";
        return NGX_DECLINED;
    }

    if (rc == NGX_DECLINED) {
        problem->detail = ngx_http_payer_parameters_detail(r->pool, reason,
                                                           body.len != 0);
    }

    return rc;
}


/* a reason names the parameter, or begins with "is", "has" or "does" */

static const char *
ngx_http_payer_parameters_detail(ngx_pool_t *pool, const char *reason,
    ngx_uint_t body)
{
    char    *detail;
    u_char  *p;
    size_t   len;

    if (ngx_strncmp(reason, "is ", 3) != 0
        && ngx_strncmp(reason, "has ", 4) != 0
        && ngx_strncmp(reason, "does ", 5) != 0)
    {
        return reason;
    }

    len = sizeof("the query ") + ngx_strlen(reason);

    detail = ngx_pnalloc(pool, len);
    if (detail == NULL) {
        return reason;
    }

    p = ngx_snprintf((u_char *) detail, len, "the %s %s",
                     body ? "body" : "query", reason);
    *p = '\0';

    return detail;
}


/* the whole body in one piece */

static ngx_int_t
ngx_http_payer_body(ngx_http_request_t *r, ngx_str_t *body,
    ngx_http_payer_problem_t *problem)
{
    off_t         len;
    u_char       *p;
    ngx_chain_t  *cl;

    ngx_str_null(body);

    if (r->request_body == NULL || r->request_body->bufs == NULL) {
        return NGX_OK;
    }

    len = 0;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        len += ngx_buf_size(cl->buf);
    }

    if (len > NGX_HTTP_PAYER_MAX_BODY) {
        problem->status = NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
        problem->title = NULL;
        problem->detail = "the body is too large for parameters";
        return NGX_DECLINED;
    }

    body->data = ngx_pnalloc(r->pool, (size_t) len + 1);
    if (body->data == NULL) {
        return NGX_ERROR;
    }

    p = body->data;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        p = ngx_http_payer_body_copy(p, cl->buf);

        if (p == NULL) {
            return NGX_ERROR;
        }
    }

    body->len = (size_t) len;

    return NGX_OK;
}


/* what did not fit into client_body_buffer_size is in a file */

static u_char *
ngx_http_payer_body_copy(u_char *p, ngx_buf_t *b)
{
    size_t  size;

    size = (size_t) ngx_buf_size(b);

    if (size == 0) {

        /* over HTTP/3 the last buffer is empty */

        return p;
    }

    if (ngx_buf_in_memory(b)) {
        return ngx_cpymem(p, b->pos, size);
    }

    if (ngx_read_file(b->file, p, size, b->file_pos) != (ssize_t) size) {
        return NULL;
    }

    return p + size;
}


/* whether the body is of this type, whatever parameters the type has */

static ngx_uint_t
ngx_http_payer_media_type(ngx_http_request_t *r, char *type)
{
    size_t      len;
    ngx_str_t  *value;

    if (r->headers_in.content_type == NULL) {
        return 0;
    }

    value = &r->headers_in.content_type->value;
    len = ngx_strlen(type);

    return value->len >= len
           && ngx_strncasecmp(value->data, (u_char *) type, len) == 0
           && (value->len == len || value->data[len] == ';'
               || value->data[len] == ' ');
}
