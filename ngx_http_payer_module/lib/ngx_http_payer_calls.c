
/*
 * The calls of Payer's API with their methods and paths.  Those marked
 * "inferred" are not in Payer's public documentation.
 */


#include "ngx_http_payer_calls.h"
#include <ngx_http.h>


static ngx_http_payer_call_type_t  ngx_http_payer_call_types[] = {

    /* POST /oauth2/token */
    { ngx_string("token"), NGX_HTTP_POST, ngx_string("POST"),
      ngx_string("/oauth2/token"), 1, 0, 1 },

    /* POST /api/v2/payments/cards/direct */
    { ngx_string("create"), NGX_HTTP_POST, ngx_string("POST"),
      ngx_string("/api/v2/payments/cards/direct"), 0, 0, 1 },

    /* GET /api/v2/payments/{paymentId} */
    { ngx_string("read"), NGX_HTTP_GET, ngx_string("GET"),
      ngx_string("/api/v2/payments/{paymentId}"), 1, 0, 1 },

    /* POST .../cards/capture */
    { ngx_string("capture"), NGX_HTTP_POST, ngx_string("POST"),
      ngx_string("/api/v2/payments/{paymentId}/cards/capture"), 0, 1, 1 },

    /* PUT .../cards/cancel (the path is inferred: payer_path changes it) */
    { ngx_string("cancel"), NGX_HTTP_PUT, ngx_string("PUT"),
      ngx_string("/api/v2/payments/{paymentId}/cards/cancel"), 0, 0, 0 },

    /* PUT .../cards/authorize/release */
    { ngx_string("release"), NGX_HTTP_PUT, ngx_string("PUT"),
      ngx_string("/api/v2/payments/{paymentId}/cards/authorize/release"),
      0, 0, 0 },

    /* POST .../cards/refund-and-credit */
    { ngx_string("refund"), NGX_HTTP_POST, ngx_string("POST"),
      ngx_string("/api/v2/payments/{paymentId}/cards/refund-and-credit"),
      0, 1, 1 },

    /* GET /api/v1/events/{token} */
    { ngx_string("event"), NGX_HTTP_GET, ngx_string("GET"),
      ngx_string("/api/v1/events/{token}"), 1, 0, 1 },

    /* GET /api/v1/events/{token}/ack */
    { ngx_string("ack"), NGX_HTTP_GET, ngx_string("GET"),
      ngx_string("/api/v1/events/{token}/ack"), 1, 0, 0 },

    /* /api/v1/events/callbacks (the query of DELETE is inferred) */
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
