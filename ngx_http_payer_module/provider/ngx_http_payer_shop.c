
/*
 * Passes an event to the shop.
 */


#include "ngx_http_payer_shop.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_log.h"


static ngx_int_t ngx_http_payer_shop_fields(ngx_pool_t *pool,
    ngx_http_payer_shop_t *shop);
static void ngx_http_payer_shop_answered(ngx_http_payer_exchange_t *x);


ngx_int_t
ngx_http_payer_shop_pass(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_shop_t *shop)
{
    ngx_http_payer_exchange_t  *x;

    static ngx_str_t  post = ngx_string("POST");
    static ngx_str_t  json = ngx_string("application/json");

    if (ngx_http_payer_shop_fields(ctx->request->pool, shop) != NGX_OK) {
        return NGX_ERROR;
    }

    x = &shop->exchange;

    x->method = NGX_HTTP_POST;
    x->method_name = post;
    x->path = ctx->conf->event_pass;
    x->args = ctx->conf->event_args;
    x->body = shop->payload;
    x->content_type = json;
    x->fields = shop->fields;
    x->nfields = NGX_HTTP_PAYER_SHOP_FIELDS;
    x->handler = ngx_http_payer_shop_answered;
    x->data = shop;

    shop->ctx = ctx;

    return ngx_http_payer_flow_exchange(ctx, NULL, x);
}


static ngx_int_t
ngx_http_payer_shop_fields(ngx_pool_t *pool, ngx_http_payer_shop_t *shop)
{
    u_char                  *p;
    ngx_http_payer_field_t  *field;

    field = shop->fields;

    field[0].name = "X-Payer-Event-Token";
    field[0].value = shop->token;

    field[1].name = "X-Payer-Event-Type";
    field[1].value = shop->type;

    field[2].name = "X-Payer-Payment-Id";
    field[2].value = shop->payment_id;

    field[3].name = "X-Payer-Reference";

    field[4].name = "X-Payer-Status";
    field[4].value = shop->status;

    field[5].name = "X-Payer-Amount";

    if (shop->amount) {
        p = ngx_pnalloc(pool, NGX_INT64_LEN);
        if (p == NULL) {
            return NGX_ERROR;
        }

        field[5].value.data = p;
        field[5].value.len = ngx_sprintf(p, "%L", shop->amount) - p;
    }

    field[6].name = "X-Payer-Currency";
    field[6].value = shop->currency;

    return ngx_http_payer_header_text(pool, &shop->reference, &field[3].value);
}


static void
ngx_http_payer_shop_answered(ngx_http_payer_exchange_t *x)
{
    ngx_http_payer_shop_t  *shop;

    shop = x->data;

    ngx_http_payer_flow_exchanged(shop->ctx);

    if (ngx_http_payer_shop_took(shop)) {
        shop->taken(shop->ctx);
        return;
    }

    ngx_http_payer_log(NGX_LOG_ERR, shop->ctx,
                       "the shop did not accept an event: \"%V\" returned "
                       "status %ui%s", &x->path,
                       x->status ? x->status : x->failure,
                       x->status && !x->complete ? " and an incomplete "
                                                   "response" : "");
}


ngx_uint_t
ngx_http_payer_shop_took(ngx_http_payer_shop_t *shop)
{
    return shop->took(shop->ctx, &shop->exchange);
}
