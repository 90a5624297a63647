
/*
 * What Payer offers: the calls with their methods and paths, and the id of a
 * request.
 */


#include "ngx_http_payer_api.h"
#include "ngx_http_payer_log.h"


static ngx_http_payer_call_type_t  ngx_http_payer_call_types[] = {

    /* POST /oauth2/token [client] */
    { ngx_string("token"), NGX_HTTP_POST, ngx_string("POST"),
      ngx_string("/oauth2/token"), 1, 0, 1 },

    /* POST /api/v2/payments/cards/direct [client] */
    { ngx_string("create"), NGX_HTTP_POST, ngx_string("POST"),
      ngx_string("/api/v2/payments/cards/direct"), 0, 0, 1 },

    /* GET /api/v2/payments/{paymentId} [client] */
    { ngx_string("read"), NGX_HTTP_GET, ngx_string("GET"),
      ngx_string("/api/v2/payments/{paymentId}"), 1, 0, 1 },

    /* POST .../cards/capture [client] */
    { ngx_string("capture"), NGX_HTTP_POST, ngx_string("POST"),
      ngx_string("/api/v2/payments/{paymentId}/cards/capture"), 0, 1, 1 },

    /* PUT [seed] .../cards/cancel [inferred: payer_path changes it] */
    { ngx_string("cancel"), NGX_HTTP_PUT, ngx_string("PUT"),
      ngx_string("/api/v2/payments/{paymentId}/cards/cancel"), 0, 0, 0 },

    /* PUT .../cards/authorize/release [client] */
    { ngx_string("release"), NGX_HTTP_PUT, ngx_string("PUT"),
      ngx_string("/api/v2/payments/{paymentId}/cards/authorize/release"),
      0, 0, 0 },

    /* POST .../cards/refund-and-credit [client] */
    { ngx_string("refund"), NGX_HTTP_POST, ngx_string("POST"),
      ngx_string("/api/v2/payments/{paymentId}/cards/refund-and-credit"),
      0, 1, 1 },

    /* GET /api/v1/events/{token} [ref] */
    { ngx_string("event"), NGX_HTTP_GET, ngx_string("GET"),
      ngx_string("/api/v1/events/{token}"), 1, 0, 1 },

    /* GET /api/v1/events/{token}/ack [ref] */
    { ngx_string("ack"), NGX_HTTP_GET, ngx_string("GET"),
      ngx_string("/api/v1/events/{token}/ack"), 1, 0, 0 },

    /* /api/v1/events/callbacks [ref]; DELETE's query [inferred] */
    { ngx_string("subscriptions"), NGX_HTTP_GET, ngx_string("GET"),
      ngx_string("/api/v1/events/callbacks"), 1, 0, 0 },

    { ngx_string("subscribe"), NGX_HTTP_POST, ngx_string("POST"),
      ngx_string("/api/v1/events/callbacks"), 0, 0, 0 },

    { ngx_string("unsubscribe"), NGX_HTTP_DELETE, ngx_string("DELETE"),
      ngx_string("/api/v1/events/callbacks"), 0, 0, 0 }
};


const ngx_http_payer_call_type_t *
ngx_http_payer_api_type(ngx_http_payer_call_e type)
{
    return &ngx_http_payer_call_types[type];
}


ngx_int_t
ngx_http_payer_api_request_id(ngx_http_payer_ctx_t *ctx)
{
    u_char  *p;

    p = ngx_pnalloc(ctx->request->pool, NGX_HTTP_PAYER_UUID_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_payer_uuid(p) != NGX_OK) {
        ngx_http_payer_log(NGX_LOG_CRIT, ctx,
                           "no randomness for a request id");
        return NGX_ERROR;
    }

    ctx->request_id.data = p;
    ctx->request_id.len = NGX_HTTP_PAYER_UUID_LEN;

    return NGX_OK;
}
