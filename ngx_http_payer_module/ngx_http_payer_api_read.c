
/*
 * The readers of Payer's replies, for the doors to choose from.
 */


#include "ngx_http_payer_api.h"


ngx_int_t
ngx_http_payer_api_read_link(ngx_http_payer_call_t *call, ngx_str_t *reply)
{
    ngx_int_t                    rc;
    ngx_http_payer_json_link_t  *link;

    link = call->result;

    rc = ngx_http_payer_json_read_link(call->ctx->request->pool, reply, link,
                                       &call->reason);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_payer_check_payment_id(&link->payment_id) != NGX_OK) {
        call->reason = "has an invalid \"paymentId\"";
        return NGX_DECLINED;
    }

    if (ngx_http_payer_check_url(&link->url, !call->ctx->conf->insecure)
        != NGX_OK)
    {
        call->reason = "has an invalid \"url\"";
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_api_read_payment(ngx_http_payer_call_t *call, ngx_str_t *reply)
{
    return ngx_http_payer_json_read_payment(call->ctx->request->pool, reply,
                                            call->result, &call->reason);
}


ngx_int_t
ngx_http_payer_api_read_object(ngx_http_payer_call_t *call, ngx_str_t *reply)
{
    return ngx_http_payer_json_read_object(reply, &call->reason);
}


ngx_int_t
ngx_http_payer_api_read_any(ngx_http_payer_call_t *call, ngx_str_t *reply)
{
    ngx_str_t   *type;
    ngx_uint_t   json;

    static ngx_str_t  name = ngx_string("application/json");

    type = &call->exchange.reply_type;

    json = (type->len >= name.len
            && ngx_strncasecmp(type->data, name.data, name.len) == 0);

    return ngx_http_payer_json_read_any(reply, json, &call->reason);
}
