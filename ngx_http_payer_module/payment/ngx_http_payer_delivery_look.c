
/*
 * Look before telling: a shop that is told that an order is paid believes it,
 * whatever has become of the order meanwhile.
 */


#include "ngx_http_payer_delivery.h"
#include "ngx_http_payer_look.h"


ngx_int_t
ngx_http_payer_delivery_look(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                   rc;
    ngx_http_payer_delivery_t  *delivery;

    delivery = ctx->data;

    if (delivery->notice.type != NGX_HTTP_PAYER_NOTICE_PAID) {
        ctx->step = ngx_http_payer_delivery_send;
        return NGX_OK;
    }

    rc = ngx_http_payer_look(ctx, &delivery->reason);

    switch (rc) {

    case NGX_OK:
        ctx->step = ngx_http_payer_delivery_send;
        return NGX_OK;

    case NGX_DONE:
        delivery->result = NGX_HTTP_PAYER_DELIVERY_KNOWN;
        break;

    case NGX_ABORT:
        delivery->result = NGX_HTTP_PAYER_DELIVERY_CONFLICT;
        break;

    case NGX_DECLINED:
        delivery->notice.attempts++;
        delivery->result = NGX_HTTP_PAYER_DELIVERY_FAILED;
        break;

    default: /* NGX_AGAIN, NGX_ERROR */
        return rc;
    }

    ctx->step = ngx_http_payer_delivery_settle;

    return NGX_OK;
}
