
/*
 * Hands an event to the shop.
 */


#include "ngx_http_payer_shop.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_log.h"


static ngx_int_t ngx_http_payer_shop_fields(ngx_pool_t *pool,
    ngx_http_payer_shop_t *shop);
static ngx_int_t ngx_http_payer_shop_safe(ngx_pool_t *pool, ngx_str_t *text,
    ngx_str_t *value);
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
    ngx_http_payer_field_t  *field;

    field = shop->fields;

    field[0].name = "X-Payer-Event-Token";
    field[0].value = shop->token;

    field[1].name = "X-Payer-Event-Type";
    field[1].value = shop->type;

    field[2].name = "X-Payer-Payment-Id";
    field[2].value = shop->payment_id;

    field[3].name = "X-Payer-Reference";

    return ngx_http_payer_shop_safe(pool, &shop->reference, &field[3].value);
}


/* visible ASCII but the percent sign as it is, any other byte in percent */

static ngx_int_t
ngx_http_payer_shop_safe(ngx_pool_t *pool, ngx_str_t *text, ngx_str_t *value)
{
    u_char  *p, *src, *last;

    if (text->len == 0) {
        ngx_str_null(value);
        return NGX_OK;
    }

    p = ngx_pnalloc(pool, 3 * text->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value->data = p;
    last = text->data + text->len;

    for (src = text->data; src < last; src++) {

        if (*src > 0x20 && *src < 0x7f && *src != '%') {
            *p++ = *src;

        } else {
            p = ngx_sprintf(p, "%%%02Xd", (int) *src);
        }
    }

    value->len = p - value->data;

    return NGX_OK;
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


/* a 2xx of which the end was seen: a shop that died on the way took nothing */

ngx_uint_t
ngx_http_payer_shop_took(ngx_http_payer_shop_t *shop)
{
    ngx_http_payer_exchange_t  *x;

    x = &shop->exchange;

    return x->status >= 200 && x->status < 300 && x->complete;
}
