
/*
 * The $payer_... variables.  All are read from the context of the main
 * request, and are empty before there is one; they are kept after internal
 * redirects.
 */


#include "ngx_http_payer_variable.h"
#include "ngx_http_payer_api.h"
#include "ngx_http_payer_notice_text.h"
#include "ngx_http_payer_subrequest.h"
#include "ngx_http_payer_ticket.h"


static ngx_int_t ngx_http_payer_text_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_payer_ticket_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_payer_amount_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_payer_reference_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_payer_currency_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_payer_operation_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_payer_outcome_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_payer_notify_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_payer_link_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_payer_api_status_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_payer_api_time_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_payer_api_host_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_payer_variable_number(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, int64_t number);
static void ngx_http_payer_variable_text(ngx_http_variable_value_t *v,
    const ngx_str_t *text);


#define ngx_http_payer_variable(name, handler, data)                         \
    { ngx_string(name), NULL, handler, data, NGX_HTTP_VAR_NOCACHEABLE, 0 }


static ngx_http_variable_t  ngx_http_payer_variables[] = {

    ngx_http_payer_variable("payer_payment_id", ngx_http_payer_text_variable,
        offsetof(ngx_http_payer_ctx_t, record.payment_id)),

    ngx_http_payer_variable("payer_url", ngx_http_payer_text_variable,
        offsetof(ngx_http_payer_ctx_t, record.url)),

    ngx_http_payer_variable("payer_status", ngx_http_payer_text_variable,
        offsetof(ngx_http_payer_ctx_t, record.status)),

    ngx_http_payer_variable("payer_ticket", ngx_http_payer_ticket_variable, 0),

    ngx_http_payer_variable("payer_request_id", ngx_http_payer_text_variable,
        offsetof(ngx_http_payer_ctx_t, request_id)),

    ngx_http_payer_variable("payer_reference",
        ngx_http_payer_reference_variable, 0),

    ngx_http_payer_variable("payer_currency",
        ngx_http_payer_currency_variable, 0),

    ngx_http_payer_variable("payer_amount", ngx_http_payer_amount_variable,
        offsetof(ngx_http_payer_ctx_t, order.amount)),

    ngx_http_payer_variable("payer_authorized_amount",
        ngx_http_payer_amount_variable,
        offsetof(ngx_http_payer_ctx_t, record.authorized)),

    ngx_http_payer_variable("payer_captured_amount",
        ngx_http_payer_amount_variable,
        offsetof(ngx_http_payer_ctx_t, record.captured)),

    ngx_http_payer_variable("payer_refunded_amount",
        ngx_http_payer_amount_variable,
        offsetof(ngx_http_payer_ctx_t, record.refunded)),

    ngx_http_payer_variable("payer_operation",
        ngx_http_payer_operation_variable, 0),

    ngx_http_payer_variable("payer_notify_type",
        ngx_http_payer_notify_variable,
        offsetof(ngx_http_payer_notice_text_t, type)),

    ngx_http_payer_variable("payer_notify_id",
        ngx_http_payer_notify_variable,
        offsetof(ngx_http_payer_notice_text_t, id)),

    ngx_http_payer_variable("payer_notify_attempt",
        ngx_http_payer_notify_variable,
        offsetof(ngx_http_payer_notice_text_t, attempt)),

    ngx_http_payer_variable("payer_outcome",
        ngx_http_payer_outcome_variable, 0),

    ngx_http_payer_variable("payer_link", ngx_http_payer_link_variable, 0),

    ngx_http_payer_variable("payer_api_status",
        ngx_http_payer_api_status_variable, 0),

    ngx_http_payer_variable("payer_api_time",
        ngx_http_payer_api_time_variable, 0),

    ngx_http_payer_variable("payer_api_host",
        ngx_http_payer_api_host_variable, 0),

      ngx_http_null_variable
};


static ngx_str_t  ngx_http_payer_links[] = {
    ngx_null_string,
    ngx_string("hit"),
    ngx_string("miss"),
    ngx_string("wait"),
    ngx_string("replaced")
};


static ngx_str_t  ngx_http_payer_outcomes[] = {
    ngx_null_string,
    ngx_string("paid"),
    ngx_string("unpaid"),
    ngx_string("pending"),
    ngx_string("unknown"),
    ngx_string("other"),
    ngx_string("shop")
};


ngx_int_t
ngx_http_payer_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_payer_variables; v->name.len; v++) {

        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static void
ngx_http_payer_variable_text(ngx_http_variable_value_t *v,
    const ngx_str_t *text)
{
    if (text->len == 0) {
        v->not_found = 1;
        return;
    }

    v->len = text->len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->data = text->data;
}


static ngx_int_t
ngx_http_payer_variable_number(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, int64_t number)
{
    u_char     *p;
    ngx_str_t   text;

    p = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    text.data = p;
    text.len = ngx_sprintf(p, "%L", number) - p;

    ngx_http_payer_variable_text(v, &text);

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_text_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_payer_ctx_t  *ctx;

    ctx = ngx_http_payer_get_ctx(r);

    if (ctx == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    ngx_http_payer_variable_text(v, (ngx_str_t *) ((char *) ctx + data));

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_ticket_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t              text;
    ngx_http_payer_ctx_t  *ctx;

    ctx = ngx_http_payer_get_ctx(r);

    if (ctx == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    if (ngx_http_payer_ticket_show(ctx, &text) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_payer_variable_text(v, &text);

    return NGX_OK;
}


/*
 * an amount in minor units, -1: there is none.  That of the order, for which
 * 0 means none, is the record's where an operation has found one.
 */

static ngx_int_t
ngx_http_payer_amount_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    int64_t                amount;
    ngx_http_payer_ctx_t  *ctx;

    ctx = ngx_http_payer_get_ctx(r);

    if (ctx == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    amount = *(int64_t *) ((char *) ctx + data);

    if (data == offsetof(ngx_http_payer_ctx_t, order.amount)) {

        if (amount == 0) {
            amount = ctx->record.amount;
        }

        if (amount == 0) {
            amount = -1;
        }
    }

    if (amount < 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_http_payer_variable_number(r, v, amount);
}


/* the order's, or the record's that an operation has found */

static ngx_int_t
ngx_http_payer_reference_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                *p;
    uintptr_t              escapes;
    ngx_str_t             *reference, escaped;
    ngx_http_payer_ctx_t  *ctx;

    ctx = ngx_http_payer_get_ctx(r);

    if (ctx == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    reference = ctx->order.reference.len ? &ctx->order.reference
                                         : &ctx->record.reference;

    /* most are numbers, which need no escaping */

    escapes = 0;

    if ((ctx->escape || ngx_http_payer_is_exchange(r))
        && ngx_http_payer_check_payment_id(reference) != NGX_OK)
    {
        escapes = ngx_escape_uri(NULL, reference->data, reference->len,
                                 NGX_ESCAPE_URI_COMPONENT);
    }

    if (escapes == 0) {
        ngx_http_payer_variable_text(v, reference);
        return NGX_OK;
    }

    escaped.len = reference->len + 2 * escapes;

    p = ngx_pnalloc(r->pool, escaped.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    escaped.data = p;

    ngx_escape_uri(p, reference->data, reference->len,
                   NGX_ESCAPE_URI_COMPONENT);

    ngx_http_payer_variable_text(v, &escaped);

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_currency_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_payer_ctx_t  *ctx;

    ctx = ngx_http_payer_get_ctx(r);

    if (ctx == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    ngx_http_payer_variable_text(v, ctx->order.currency.len
                                    ? &ctx->order.currency
                                    : &ctx->record.currency);

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_operation_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_payer_ctx_t  *ctx;

    ctx = ngx_http_payer_get_ctx(r);

    if (ctx == NULL || ctx->operation == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    ngx_http_payer_variable_text(v, ctx->operation);

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_outcome_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_payer_ctx_t  *ctx;

    ctx = ngx_http_payer_get_ctx(r);

    if (ctx == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    ngx_http_payer_variable_text(v,
                               &ngx_http_payer_outcomes[ctx->verdict]);

    return NGX_OK;
}


/* set in requests with a notification */

static ngx_int_t
ngx_http_payer_notify_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_payer_ctx_t  *ctx;

    ctx = ngx_http_payer_get_ctx(r);

    if (ctx == NULL || ctx->told == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    ngx_http_payer_variable_text(v, (ngx_str_t *) ((char *) ctx->told + data));

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_link_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_payer_ctx_t  *ctx;

    ctx = ngx_http_payer_get_ctx(r);

    if (ctx == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    ngx_http_payer_variable_text(v, &ngx_http_payer_links[ctx->link]);

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_api_status_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_payer_ctx_t  *ctx;

    ctx = ngx_http_payer_get_ctx(r);

    if (ctx == NULL || ctx->api_status == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_http_payer_variable_number(r, v, ctx->api_status);
}


/* seconds with milliseconds, as $upstream_response_time has them */

static ngx_int_t
ngx_http_payer_api_time_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                *p;
    ngx_str_t              text;
    ngx_http_payer_ctx_t  *ctx;

    ctx = ngx_http_payer_get_ctx(r);

    if (ctx == NULL || ctx->api_status == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, NGX_TIME_T_LEN + 4);
    if (p == NULL) {
        return NGX_ERROR;
    }

    text.data = p;
    text.len = ngx_sprintf(p, "%T.%03M", (time_t) (ctx->api_time / 1000),
                           ctx->api_time % 1000)
               - p;

    ngx_http_payer_variable_text(v, &text);

    return NGX_OK;
}


/* for the internal location: the name of Payer's host for Host and TLS */

static ngx_int_t
ngx_http_payer_api_host_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_payer_ctx_t  *ctx;

    ctx = ngx_http_payer_get_ctx(r);

    if (ctx == NULL || ctx->conf->api_loc == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    ngx_http_payer_variable_text(v, &ctx->conf->api_loc->host);

    return NGX_OK;
}
