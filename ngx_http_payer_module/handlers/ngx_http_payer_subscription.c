
/*
 * payer_subscriptions: lists, adds and removes event subscriptions at Payer.
 *
 *     access -> body -> parameters -> call -> (list) -> answer
 *
 * GET lists the subscriptions, POST adds one, DELETE removes one.
 */


#include "ngx_http_payer_subscription.h"
#include "ngx_http_payer_access.h"
#include "ngx_http_payer_answer_reply.h"
#include "ngx_http_payer_api.h"
#include "ngx_http_payer_body.h"
#include "ngx_http_payer_flow.h"


static ngx_int_t ngx_http_payer_subscription_handler(ngx_http_request_t *r);
static ngx_http_payer_call_e ngx_http_payer_subscription_type(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_payer_subscription_params(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static const char *ngx_http_payer_subscription_wrong(
    ngx_http_payer_params_t *params, ngx_uint_t list, ngx_uint_t insecure);
static ngx_int_t ngx_http_payer_subscription_prepare(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_subscription_args(ngx_pool_t *pool,
    ngx_http_payer_params_t *params, ngx_str_t *args);
static ngx_int_t ngx_http_payer_subscription_request_id(
    ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_subscription_call(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_subscription_list(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_subscription_unknown(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);


ngx_http_payer_handler_t  ngx_http_payer_handler_subscriptions = {
    ngx_string("payer_subscriptions"),
    ngx_http_payer_subscription_handler,
    1, 1, 0, 0, NULL, NULL
};


static ngx_int_t
ngx_http_payer_subscription_handler(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_http_payer_ctx_t       *ctx;
    ngx_http_payer_call_e       type;
    ngx_http_payer_loc_conf_t  *conf;

    static ngx_str_t  allow = ngx_string("GET, HEAD, POST, DELETE");

    if (r != r->main) {
        return NGX_HTTP_NOT_FOUND;
    }

    conf = ngx_http_get_module_loc_conf(r, ngx_http_payer_module);

    ctx = ngx_http_payer_flow_create(r, conf,
                                     ngx_http_payer_subscription_params);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    type = ngx_http_payer_subscription_type(r);

    ctx->operation = &ngx_http_payer_api_type(type)->name;
    ctx->record.authorized = -1;
    ctx->record.refunded = -1;
    ctx->record.captured = -1;

    rc = ngx_http_payer_access(r, conf, NGX_HTTP_GET|NGX_HTTP_HEAD
                               |NGX_HTTP_POST|NGX_HTTP_DELETE, &allow);
    if (rc != NGX_OK) {
        return rc == NGX_DONE ? NGX_OK : rc;
    }

    return ngx_http_payer_body_keep(r, ctx);
}


static ngx_http_payer_call_e
ngx_http_payer_subscription_type(ngx_http_request_t *r)
{
    switch (r->method) {

    case NGX_HTTP_POST:
        return NGX_HTTP_PAYER_CALL_SUBSCRIBE;

    case NGX_HTTP_DELETE:
        return NGX_HTTP_PAYER_CALL_UNSUBSCRIBE;

    default: /* NGX_HTTP_GET, NGX_HTTP_HEAD */
        return NGX_HTTP_PAYER_CALL_SUBSCRIPTIONS;
    }
}


static ngx_int_t
ngx_http_payer_subscription_params(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                  rc;
    ngx_uint_t                 list;
    const char                *wrong;
    ngx_http_payer_problem_t   problem;

    ctx->params = ngx_palloc(r->pool, sizeof(ngx_http_payer_params_t));
    if (ctx->params == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_payer_parameters(r, ctx->params, &problem);

    if (rc == NGX_DECLINED) {
        return ngx_http_payer_answer_problem(r, &problem);
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    list = (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD)) ? 1 : 0;

    wrong = ngx_http_payer_subscription_wrong(ctx->params, list,
                                              ctx->conf->insecure);

    if (wrong) {
        return ngx_http_payer_answer_refuse(r, NGX_HTTP_BAD_REQUEST, wrong);
    }

    ctx->step = ngx_http_payer_subscription_prepare;

    return NGX_OK;
}


/* what is wrong with the parameters, or NULL */

static const char *
ngx_http_payer_subscription_wrong(ngx_http_payer_params_t *params,
    ngx_uint_t list, ngx_uint_t insecure)
{
    if (params->reference.data || params->payment_id.data
        || params->description.data || params->reason.data
        || params->amount != -1
        || params->currency.data || params->expires != -1
        || params->operation.data || params->outcome.data
        || params->release_rest != -1)
    {
        return "a subscription has no other parameters than type and url";
    }

    if (list) {
        return (params->type.data || params->url.data)
               ? "the list of subscriptions takes no parameters" : NULL;
    }

    if (params->type.data == NULL || params->url.data == NULL) {
        return "both type and url are needed";
    }

    if (ngx_http_payer_check_event_type(&params->type) != NGX_OK) {
        return "type is not 1 to 64 capital letters, digits or \"_\"";
    }

    if (ngx_http_payer_check_url(&params->url, !insecure) != NGX_OK) {
        return "url is not an absolute https URL";
    }

    return NULL;
}


static ngx_int_t
ngx_http_payer_subscription_prepare(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_call_t  *call;

    call = ngx_http_payer_api_call(ctx, ngx_http_payer_subscription_type(r),
                                   NULL);
    if (call == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->step = ngx_http_payer_subscription_call;

    if (call->type->safe) {
        return NGX_OK;
    }

    if (ngx_http_payer_subscription_args(r->pool, ctx->params, &call->args)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_payer_subscription_request_id(r, ctx);
}


/* the type has no characters that need to be escaped */

static ngx_int_t
ngx_http_payer_subscription_args(ngx_pool_t *pool,
    ngx_http_payer_params_t *params, ngx_str_t *args)
{
    u_char     *p;
    ngx_str_t  *url;

    url = &params->url;

    args->len = sizeof("type=&url=") - 1 + params->type.len + url->len
                + 2 * ngx_escape_uri(NULL, url->data, url->len,
                                     NGX_ESCAPE_URI_COMPONENT);

    args->data = ngx_pnalloc(pool, args->len);
    if (args->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(args->data, "type=%V&url=", &params->type);

    (void) ngx_escape_uri(p, url->data, url->len, NGX_ESCAPE_URI_COMPONENT);

    return NGX_OK;
}


/* the same for the same Idempotency-Key, operation and subscription */

static ngx_int_t
ngx_http_payer_subscription_request_id(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    u_char     *p;
    ngx_int_t   rc;
    ngx_str_t   texts[4];

    p = ngx_pnalloc(r->pool, NGX_HTTP_PAYER_UUID_LEN);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_payer_answer_key(r, &texts[3]);

    if (rc == NGX_ERROR) {
        return ngx_http_payer_answer_refuse(r, NGX_HTTP_BAD_REQUEST,
                   "Idempotency-Key is not 1 to 255 printable characters");
    }

    if (rc == NGX_OK) {
        texts[0] = ctx->conf->merchant->id;
        texts[1] = *ctx->operation;
        texts[2] = ctx->call->args;
        rc = ngx_http_payer_uuid_of(texts, 4, p);

    } else {
        rc = ngx_http_payer_uuid(p);
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->request_id.data = p;
    ctx->request_id.len = NGX_HTTP_PAYER_UUID_LEN;

    ctx->call->request_id = ctx->request_id;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_subscription_call(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_payer_api_run(ctx->call);
    if (rc != NGX_OK) {
        return rc;
    }

    switch (ctx->call->outcome) {

    case NGX_HTTP_PAYER_CONFLICT:

        /* Payer has handled it before, and only the list shows the result */

        if (ngx_http_payer_api_call(ctx, NGX_HTTP_PAYER_CALL_SUBSCRIPTIONS,
                                    NULL)
            == NULL)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ctx->step = ngx_http_payer_subscription_list;
        return NGX_OK;

    case NGX_HTTP_PAYER_UNKNOWN:
        return ngx_http_payer_subscription_unknown(r, ctx);

    default:
        return ngx_http_payer_answer_reply(r, ctx);
    }
}


static ngx_int_t
ngx_http_payer_subscription_list(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_payer_api_run(ctx->call);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ctx->call->outcome == NGX_HTTP_PAYER_DONE) {
        return ngx_http_payer_answer_reply(r, ctx);
    }

    return ngx_http_payer_subscription_unknown(r, ctx);
}


static ngx_int_t
ngx_http_payer_subscription_unknown(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    const ngx_http_payer_call_type_t  *type;

    if (ngx_http_payer_answer_headers(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    type = ngx_http_payer_api_type(ngx_http_payer_subscription_type(r));

    return type->safe ? ngx_http_payer_answer_failed(r, ctx->call)
                      : ngx_http_payer_answer_doubt(r, ctx->call, 0);
}
