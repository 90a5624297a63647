
/*
 * Evaluates the values of a location to an order that is safe to send to
 * Payer.
 */


#include "ngx_http_payer_order_values.h"
#include "ngx_http_payer_log.h"
#include "ngx_http_payer_origin.h"
#include "ngx_http_payer_text.h"


/* the language, if the shop does not specify one */

#define NGX_HTTP_PAYER_LANGUAGE   "sv"


static ngx_int_t ngx_http_payer_order_money(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx, ngx_http_payer_problem_t *problem);
static ngx_int_t ngx_http_payer_order_amount(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx, ngx_int_t exponent);
static ngx_int_t ngx_http_payer_order_texts(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx, ngx_http_payer_problem_t *problem);
static ngx_int_t ngx_http_payer_order_language(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_order_url(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx, ngx_http_complex_value_t *value,
    ngx_str_t *origin, ngx_str_t *url);
static ngx_int_t ngx_http_payer_complete_url(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx, ngx_str_t *origin, ngx_str_t *url);
static ngx_int_t ngx_http_payer_wrong(ngx_http_payer_problem_t *problem,
    const char *field, const char *detail);


ngx_int_t
ngx_http_payer_order_number(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_problem_t *problem)
{
    ngx_int_t  rc;

    rc = ngx_http_payer_order_reference(r, &ctx->conf->reference,
                                        &ctx->order.reference);

    if (rc == NGX_DECLINED) {
        ngx_str_null(&ctx->order.reference);

        return ngx_http_payer_wrong(problem, "payer_reference",
                                    "the order's reference is missing, longer "
                                    "than 255 bytes, or not UTF-8 without "
                                    "control characters");
    }

    return rc;
}


ngx_int_t
ngx_http_payer_order_values(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_problem_t *problem)
{
    ngx_int_t  rc;

    rc = ngx_http_payer_order_money(r, ctx, problem);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_payer_order_texts(r, ctx, problem);
}


ngx_int_t
ngx_http_payer_order_reference(ngx_http_request_t *r,
    ngx_http_payer_text_t *text, ngx_str_t *reference)
{
    ngx_int_t  rc;

    rc = ngx_http_payer_text_value(r, text, reference);

    if (rc != NGX_OK) {

        /* most are numbers: nothing to decode or to check */

        return rc == NGX_DONE ? NGX_OK : rc;
    }

    return ngx_http_payer_check_reference(reference);
}


static ngx_int_t
ngx_http_payer_wrong(ngx_http_payer_problem_t *problem, const char *field,
    const char *detail)
{
    ngx_memzero(problem, sizeof(ngx_http_payer_problem_t));

    problem->status = NGX_HTTP_BAD_REQUEST;
    problem->title = "The order is not valid";
    problem->field = field;
    problem->detail = detail;

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_payer_order_money(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_problem_t *problem)
{
    int64_t                     max;
    ngx_int_t                   rc, exponent;
    ngx_str_t                   text;
    ngx_http_payer_loc_conf_t  *conf;

    conf = ctx->conf;

    if (ngx_http_payer_evaluate(r, conf->currency, &ctx->order.currency)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    exponent = (conf->exponent >= 0)
               ? conf->exponent
               : ngx_http_payer_currency_exponent(&ctx->order.currency);

    if (exponent == NGX_DECLINED) {
        ngx_str_null(&ctx->order.currency);

        return ngx_http_payer_wrong(problem, "payer_currency",
                                    "the currency is not a code of three "
                                    "capital letters in ISO 4217");
    }

    rc = ngx_http_payer_order_amount(r, ctx, exponent);

    if (rc == NGX_DECLINED) {
        ctx->order.amount = 0;

        return ngx_http_payer_wrong(problem, "payer_amount",
                                    conf->amount_unit
                                    ? "the amount is not a positive decimal "
                                      "that fits the currency exactly"
                                    : "the amount is not a positive integer "
                                      "in minor units");
    }

    if (rc != NGX_OK || conf->max_amount == NULL) {
        return rc;
    }

    if (ngx_http_complex_value(r, conf->max_amount, &text) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_payer_amount_of(&text, NGX_HTTP_PAYER_MINOR, 0, &max)
        != NGX_OK
        || ctx->order.amount > max)
    {
        return ngx_http_payer_wrong(problem, "payer_max_amount",
                                    "the amount is above the limit");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_order_amount(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx,
    ngx_int_t exponent)
{
    ngx_str_t                   text;
    ngx_http_payer_loc_conf_t  *conf;

    conf = ctx->conf;

    if (conf->fixed_amount) {
        ctx->order.amount = conf->fixed_amount;
        return NGX_OK;
    }

    if (ngx_http_payer_evaluate(r, conf->amount, &text) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_payer_amount_of(&text, conf->amount_unit, exponent,
                                    &ctx->order.amount);
}


static ngx_int_t
ngx_http_payer_order_texts(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_problem_t *problem)
{
    ngx_str_t  *order_id;

    if (ngx_http_payer_order_language(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ctx->conf->order_id) {
        order_id = &ctx->order.order_id;

        if (ngx_http_complex_value(r, ctx->conf->order_id, order_id)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (order_id->len
            && ngx_http_payer_check_reference(order_id) != NGX_OK)
        {
            return ngx_http_payer_wrong(problem, "payer_order_id",
                                        "the order id is longer than 255 "
                                        "bytes, or not UTF-8 without control "
                                        "characters");
        }
    }

    return NGX_OK;
}


/* an invalid language does not reject the order */

static ngx_int_t
ngx_http_payer_order_language(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_str_t   text;
    ngx_uint_t  clean;

    ngx_str_set(&ctx->order.language, NGX_HTTP_PAYER_LANGUAGE);

    if (ctx->conf->language == NULL) {
        return NGX_OK;
    }

    if (ngx_http_complex_value(r, ctx->conf->language, &text) != NGX_OK) {
        return NGX_ERROR;
    }

    if (text.len == 0
        || ngx_http_payer_language_of(&text, &ctx->order.language) == NGX_OK)
    {
        return NGX_OK;
    }

    /* it may come from the client */

    clean = (ngx_http_payer_check_reference(&text) == NGX_OK);

    ngx_http_payer_log(NGX_LOG_WARN, ctx,
                       "the language \"%*s\" of \"payer_language\" is not "
                       "known, \"" NGX_HTTP_PAYER_LANGUAGE "\" is used",
                       clean ? text.len : 1,
                       clean ? text.data : (u_char *) "?");

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_order_urls(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_problem_t *problem)
{
    ngx_int_t                     rc;
    ngx_str_t                     origin;
    const char                   *field;
    ngx_http_payer_loc_conf_t    *conf;
    ngx_http_payer_json_order_t  *order;

    conf = ctx->conf;
    order = &ctx->order;

    if (order->back.len) {
        return NGX_OK;
    }

    /* evaluated once, for all addresses */

    ngx_str_null(&origin);

    field = "payer_return_success";
    rc = ngx_http_payer_order_url(r, ctx, conf->success, &origin,
                                  &order->success);

    if (rc == NGX_OK) {
        field = "payer_return_fail";
        rc = ngx_http_payer_order_url(r, ctx, conf->fail, &origin,
                                      &order->fail);
    }

    if (rc == NGX_OK) {
        field = "payer_return_back";
        rc = ngx_http_payer_order_url(r, ctx, conf->back, &origin,
                                      &order->back);
    }

    if (rc == NGX_DECLINED) {
        return ngx_http_payer_wrong(problem, field,
                                    "the return address is not an absolute "
                                    "http or https URL, or "
                                    "payer_return_origin is not an origin");
    }

    return rc;
}


static ngx_int_t
ngx_http_payer_order_url(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx,
    ngx_http_complex_value_t *value, ngx_str_t *origin, ngx_str_t *url)
{
    ngx_int_t  rc;

    /* inside a URL the reference is escaped */

    ctx->escape = 1;
    rc = ngx_http_complex_value(r, value, url);
    ctx->escape = 0;

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    if (url->len && url->data[0] == '/') {
        rc = ngx_http_payer_complete_url(r, ctx, origin, url);

    } else {
        rc = ngx_http_payer_check_url(url, 0);
    }

    if (rc != NGX_OK) {
        ngx_str_null(url);
    }

    return rc;
}


static ngx_int_t
ngx_http_payer_complete_url(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx,
    ngx_str_t *origin, ngx_str_t *url)
{
    u_char     *p;
    ngx_int_t   rc;

    if (origin->len == 0) {
        rc = ngx_http_payer_origin(r, ctx->conf, origin);

        if (rc == NGX_OK) {
            rc = ngx_http_payer_check_url(origin, 0);
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (ngx_http_payer_check_path(url) != NGX_OK
        || origin->len + url->len > NGX_HTTP_PAYER_MAX_URL)
    {
        return NGX_DECLINED;
    }

    p = ngx_pnalloc(r->pool, origin->len + url->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, origin->data, origin->len);
    ngx_memcpy(p + origin->len, url->data, url->len);

    url->data = p;
    url->len += origin->len;

    return NGX_OK;
}
