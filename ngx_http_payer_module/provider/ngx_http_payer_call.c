
/*
 * The id of a request.
 */


#include "ngx_http_payer_api.h"
#include "ngx_http_payer_log.h"


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
                           "no random bytes for a request id");
        return NGX_ERROR;
    }

    ctx->request_id.data = p;
    ctx->request_id.len = NGX_HTTP_PAYER_UUID_LEN;

    return NGX_OK;
}
