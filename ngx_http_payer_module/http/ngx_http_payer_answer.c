
/*
 * Answers: redirects, bodies, and problems (RFC 9457).
 */


#include "ngx_http_payer_answer.h"
#include "ngx_http_payer_body.h"
#include "ngx_http_payer_log.h"


static ngx_uint_t ngx_http_payer_is_cache_header(ngx_table_elt_t *h);
static ngx_int_t ngx_http_payer_problem_headers(ngx_http_request_t *r,
    ngx_http_payer_problem_t *problem);
static const char *ngx_http_payer_status_title(ngx_uint_t status);
static ngx_uint_t ngx_http_payer_has_error_page(ngx_http_request_t *r,
    ngx_uint_t status);


#define NGX_HTTP_PAYER_MEMBERS   10


static ngx_str_t  ngx_http_payer_problem_type =
    ngx_string("application/problem+json");


ngx_table_elt_t *
ngx_http_payer_add_header(ngx_http_request_t *r, char *name, size_t len,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NULL;
    }

    h->hash = 1;
    h->key.len = len;
    h->key.data = (u_char *) name;
    h->value = *value;
    ngx_http_payer_header_init(h);

    return h;
}


/*
 * Cache headers of the shop, as in its response with X-Accel-Redirect, are
 * removed.  The header is not made known as r->headers_out.cache_control, so
 * that "expires" does not replace it.  An answer of our own is processed here
 * again by payer_verify.
 */

ngx_int_t
ngx_http_payer_answer_no_store(ngx_http_request_t *r)
{
    ngx_uint_t        i, said;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    static ngx_str_t  no_store = ngx_string("no-store");

    part = &r->headers_out.headers.part;
    h = part->elts;
    said = 0;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                break;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].value.data == no_store.data && h[i].hash) {
            said = 1;

        } else if (ngx_http_payer_is_cache_header(&h[i])) {
            h[i].hash = 0;
        }
    }

    ngx_memzero(&r->headers_out.cache_control,
                sizeof(r->headers_out.cache_control));
    r->headers_out.expires = NULL;

    if (!said && ngx_http_payer_answer_header(r, "Cache-Control", &no_store)
                 == NULL)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_payer_is_cache_header(ngx_table_elt_t *h)
{
    u_char  *name;

    switch (h->key.len) {

    case sizeof("Expires") - 1:
        name = (u_char *) "Expires";
        break;

    case sizeof("Cache-Control") - 1:
        name = (u_char *) "Cache-Control";
        break;

    case sizeof("CDN-Cache-Control") - 1:

        /* "Surrogate-Control" is as long */

        name = (u_char *) ((h->key.data[0] | 0x20) == 'c'
                           ? "CDN-Cache-Control" : "Surrogate-Control");
        break;

    default:
        return 0;
    }

    return ngx_strncasecmp(h->key.data, name, h->key.len) == 0;
}


ngx_int_t
ngx_http_payer_answer_redirect(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx, ngx_str_t *url)
{
    ngx_int_t         rc;
    ngx_log_t        *log;
    ngx_uint_t        level;
    ngx_table_elt_t  *location, *length;

    static ngx_str_t  zero = ngx_string("0");

    if (ngx_http_payer_answer_no_store(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    location = ngx_http_payer_answer_header(r, "Location", url);
    if (location == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* as a header, since nginx would have to format the number */

    length = ngx_http_payer_answer_header(r, "Content-Length", &zero);
    if (length == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->uncached = 1;

    r->headers_out.location = location;
    r->headers_out.content_length = length;
    r->headers_out.content_length_n = 0;
    r->headers_out.status = NGX_HTTP_SEE_OTHER;

    /* nothing follows the header, for any method */

    r->header_only = 1;

    /* the address opens the payment page: not for the debug log */

    log = r->connection->log;
    level = log->log_level;

    log->log_level = ngx_min(level, NGX_LOG_DEBUG_FIRST - 1);

    ngx_http_payer_body_discard(r);

    rc = ngx_http_send_header(r);

    log->log_level = level;

    if (rc == NGX_ERROR || rc > NGX_OK) {
        return rc;
    }

    return NGX_HTTP_PAYER_SENT;
}


ngx_int_t
ngx_http_payer_answer_private(ngx_http_request_t *r)
{
    static ngx_str_t  nosniff = ngx_string("nosniff");
    static ngx_str_t  policy = ngx_string("frame-ancestors 'none'");

    if (ngx_http_payer_answer_header(r, "X-Content-Type-Options", &nosniff)
        == NULL
        || ngx_http_payer_answer_header(r, "Content-Security-Policy", &policy)
           == NULL)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_answer_body(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *content_type, ngx_str_t *body)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t   out;

    if (ngx_http_payer_answer_no_store(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = status;
    r->headers_out.content_length_n = body->len;

    /*
     * a condition of the request must not hide the result: If-Match would turn
     * it into 412
     */

    r->disable_not_modified = 1;

    if (content_type->len) {
        r->headers_out.content_type = *content_type;
        r->headers_out.content_type_len = content_type->len;
        r->headers_out.content_type_lowcase = NULL;
    }

    if (body->len == 0) {
        r->header_only = 1;
    }

    ngx_http_payer_body_discard(r);

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK) {
        return rc;
    }

    if (r->header_only) {
        return NGX_HTTP_PAYER_SENT;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = body->data;
    b->last = body->data + body->len;
    b->memory = 1;
    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    rc = ngx_http_output_filter(r, &out);

    /* NGX_AGAIN: nginx sends the rest as the client takes it */

    return (rc == NGX_OK || rc == NGX_AGAIN) ? NGX_HTTP_PAYER_SENT : rc;
}


ngx_int_t
ngx_http_payer_answer_problem(ngx_http_request_t *r,
    ngx_http_payer_problem_t *problem)
{
    ngx_str_t                       body;
    ngx_uint_t                      n;
    ngx_http_payer_ctx_t           *ctx;
    ngx_http_payer_json_member_t   *m;
    ngx_http_payer_json_member_t    members[NGX_HTTP_PAYER_MEMBERS];

    ctx = ngx_http_payer_get_ctx(r);

    ngx_memzero(members, sizeof(members));
    n = 0;

#define ngx_http_payer_member(key)                                           \
    m = &members[n++];                                                       \
    ngx_str_set(&m->name, key)

#define ngx_http_payer_member_text(key, value)                               \
    if (value) {                                                             \
        ngx_http_payer_member(key);                                          \
        m->text.data = (u_char *) (value);                                   \
        m->text.len = ngx_strlen(value);                                     \
    }

#define ngx_http_payer_member_str(key, value)                                \
    if ((value).len) {                                                       \
        ngx_http_payer_member(key);                                          \
        m->text = (value);                                                   \
    }

    ngx_http_payer_member_text("type", problem->type);
    ngx_http_payer_member_text("title", problem->title
                               ? problem->title
                               : ngx_http_payer_status_title(problem->status));

    ngx_http_payer_member("status");
    m->number = problem->status;

    ngx_http_payer_member_text("detail", problem->detail);
    ngx_http_payer_member_text("field", problem->field);
    ngx_http_payer_member_str("message", problem->message);

    if (ctx) {
        if (ctx->operation) {
            ngx_http_payer_member_str("operation", *ctx->operation);
        }

        ngx_http_payer_member_str("paymentId", ctx->record.payment_id);
        ngx_http_payer_member_str("requestId", ctx->request_id);
    }

    if (problem->payer_status) {
        ngx_http_payer_member("payerStatus");
        m->number = problem->payer_status;
    }

#undef ngx_http_payer_member
#undef ngx_http_payer_member_text
#undef ngx_http_payer_member_str

    if (ngx_http_payer_json_write(r->pool, members, n, &body) != NGX_OK
        || ngx_http_payer_problem_headers(r, problem) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_payer_answer_body(r, problem->status,
                                      &ngx_http_payer_problem_type, &body);
}


static ngx_int_t
ngx_http_payer_problem_headers(ngx_http_request_t *r,
    ngx_http_payer_problem_t *problem)
{
    ngx_str_t  value;

    if (problem->retry_after == 0) {
        return NGX_OK;
    }

    value.data = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    value.len = ngx_sprintf(value.data, "%ui", problem->retry_after)
                - value.data;

    if (ngx_http_payer_answer_header(r, "Retry-After", &value) == NULL) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static const char *
ngx_http_payer_status_title(ngx_uint_t status)
{
    switch (status) {

    case NGX_HTTP_BAD_REQUEST:
        return "Bad Request";

    case NGX_HTTP_PAYMENT_REQUIRED:
        return "Payment Required";

    case NGX_HTTP_FORBIDDEN:
        return "Forbidden";

    case NGX_HTTP_NOT_FOUND:
        return "Not Found";

    case NGX_HTTP_NOT_ALLOWED:
        return "Method Not Allowed";

    case NGX_HTTP_CONFLICT:
        return "Conflict";

    case NGX_HTTP_REQUEST_ENTITY_TOO_LARGE:
        return "Content Too Large";

    case NGX_HTTP_UNSUPPORTED_MEDIA_TYPE:
        return "Unsupported Media Type";

    case NGX_HTTP_UNPROCESSABLE_CONTENT:
        return "Unprocessable Content";

    case NGX_HTTP_BAD_GATEWAY:
        return "Bad Gateway";

    case NGX_HTTP_SERVICE_UNAVAILABLE:
        return "Service Unavailable";

    case NGX_HTTP_GATEWAY_TIME_OUT:
        return "Gateway Timeout";

    default:
        return "Internal Server Error";
    }
}


ngx_int_t
ngx_http_payer_answer_buyer(ngx_http_request_t *r,
    ngx_http_payer_problem_t *problem)
{
    ngx_http_payer_ctx_t  *ctx;

    ctx = ngx_http_payer_get_ctx(r);

    if (ctx && problem->detail && problem->status >= NGX_HTTP_CONFLICT) {

        /* the cause has its own message, if an operator can correct it */

        ngx_http_payer_log(NGX_LOG_WARN, ctx, "the request was answered with "
                           "%ui: %s",
                           problem->status, problem->detail);
    }

    if (ngx_http_payer_has_error_page(r, problem->status)) {

        if (ngx_http_payer_problem_headers(r, problem) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return problem->status;
    }

    return ngx_http_payer_answer_problem(r, problem);
}


static ngx_uint_t
ngx_http_payer_has_error_page(ngx_http_request_t *r, ngx_uint_t status)
{
    ngx_uint_t                 i;
    ngx_http_err_page_t       *err;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->error_pages == NULL
        || (r->error_page && !clcf->recursive_error_pages))
    {
        return 0;
    }

    err = clcf->error_pages->elts;

    for (i = 0; i < clcf->error_pages->nelts; i++) {
        if ((ngx_uint_t) err[i].status == status) {
            return 1;
        }
    }

    return 0;
}
