
/*
 * payer_doctor with deep=1: makes a link at Payer's test host, cancels it, and
 * reads whether it is cancelled.  The path of the cancel is not in Payer's
 * public documentation, and is proved only by this.
 *
 *     link -> linked -> cancelled -> read
 *
 * Nothing is stored: the reference is not an order of the shop.
 */


#include "ngx_http_payer_doctor.h"
#include "ngx_http_payer_api.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_origin.h"


static ngx_int_t ngx_http_payer_doctor_order(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_doctor_linked(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_doctor_cancelled(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_doctor_read(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);


ngx_int_t
ngx_http_payer_doctor_link(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_call_t  *call;

    if (ngx_http_payer_api_request_id(ctx) != NGX_OK
        || ngx_http_payer_doctor_order(r, ctx) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    call = ngx_http_payer_api_call(ctx, NGX_HTTP_PAYER_CALL_CREATE, NULL);

    if (call == NULL
        || ngx_http_payer_json_write_order(r->pool, &ctx->order, &call->body)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    call->request_id = ctx->request_id;
    call->read = ngx_http_payer_api_read_link;

    call->result = ngx_pcalloc(r->pool, sizeof(ngx_http_payer_json_link_t));
    if (call->result == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->step = ngx_http_payer_doctor_linked;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_doctor_order(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    u_char                       *p;
    ngx_str_t                     origin, url;
    ngx_http_payer_json_order_t  *order;

    order = &ctx->order;

    if (ngx_http_payer_origin(r, ctx->conf, &origin) != NGX_OK) {
        return NGX_ERROR;
    }

    url.len = origin.len + 1;

    url.data = ngx_pnalloc(r->pool, url.len);
    if (url.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(url.data, origin.data, origin.len);
    *p = '/';

    order->reference.data = ngx_pnalloc(r->pool, sizeof("payer-doctor-") - 1
                                                 + ctx->request_id.len);
    if (order->reference.data == NULL) {
        return NGX_ERROR;
    }

    order->reference.len = ngx_sprintf(order->reference.data,
                                       "payer-doctor-%V", &ctx->request_id)
                           - order->reference.data;

    order->amount = 100;
    ngx_str_set(&order->currency, "SEK");
    ngx_str_set(&order->language, "sv");
    order->success = url;
    order->fail = url;
    order->back = url;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_doctor_linked(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                    rc;
    ngx_http_payer_call_t       *call;
    ngx_http_payer_json_link_t  *link;

    call = ctx->call;

    rc = ngx_http_payer_api_run(call);
    if (rc != NGX_OK) {
        return rc;
    }

    if (call->outcome != NGX_HTTP_PAYER_DONE) {
        ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_LINK,
                                  NGX_HTTP_PAYER_HEALTH_FAIL,
                                  "Read the line of this call in the error "
                                  "log.",
                                  "no link was made, status %ui",
                                  call->exchange.status);
        ctx->step = ngx_http_payer_doctor_answer;
        return NGX_OK;
    }

    link = call->result;
    ctx->record.payment_id = link->payment_id;

    ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_LINK,
                              NGX_HTTP_PAYER_HEALTH_OK, NULL,
                              "payment \"%V\" was made", &link->payment_id);

    if (ngx_http_payer_api_request_id(ctx) != NGX_OK
        || ngx_http_payer_api_call(ctx, NGX_HTTP_PAYER_CALL_CANCEL,
                                   &ctx->record.payment_id)
           == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->call->request_id = ctx->request_id;
    ctx->step = ngx_http_payer_doctor_cancelled;

    return NGX_OK;
}


/* only a read shows whether the answer was Payer's own */

static ngx_int_t
ngx_http_payer_doctor_cancelled(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t               rc;
    ngx_http_payer_call_t  *call;

    rc = ngx_http_payer_api_run(ctx->call);
    if (rc != NGX_OK) {
        return rc;
    }

    call = ngx_http_payer_api_call(ctx, NGX_HTTP_PAYER_CALL_READ,
                                   &ctx->record.payment_id);
    if (call == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    call->read = ngx_http_payer_api_read_payment;

    call->result = ngx_pcalloc(r->pool, sizeof(ngx_http_payer_json_payment_t));
    if (call->result == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->step = ngx_http_payer_doctor_read;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_doctor_read(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                       rc;
    ngx_http_payer_call_t          *call;
    ngx_http_payer_json_payment_t  *payment;

    call = ctx->call;

    rc = ngx_http_payer_api_run(call);
    if (rc != NGX_OK) {
        return rc;
    }

    ctx->step = ngx_http_payer_doctor_answer;

    if (call->outcome != NGX_HTTP_PAYER_DONE) {
        ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_CANCEL,
                                  NGX_HTTP_PAYER_HEALTH_FAIL,
                                  "Read the line of this call in the error "
                                  "log.",
                                  "the payment could not be read, status %ui",
                                  call->exchange.status);
        return NGX_OK;
    }

    payment = call->result;

    if (ngx_http_payer_state_of(&payment->status)
        == NGX_HTTP_PAYER_CANCELLED)
    {
        ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_CANCEL,
                                  NGX_HTTP_PAYER_HEALTH_OK, NULL,
                                  "the link is cancelled, which proves the "
                                  "path \"%V\"",
                                  &ctx->conf->paths[
                                               NGX_HTTP_PAYER_CALL_CANCEL]);
        return NGX_OK;
    }

    ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_CANCEL,
                              NGX_HTTP_PAYER_HEALTH_FAIL,
                              "Ask Payer for the path of the cancel, and set "
                              "\"payer_path cancel\".",
                              "the payment is \"%V\" after the cancel",
                              &payment->status);

    return NGX_OK;
}
