
/*
 * The readers of Payer's replies; the status of a refusal; and the masking of
 * credentials in a reply.
 */


#include "ngx_http_payer_api.h"
#include "ngx_http_payer_mask.h"


static ngx_uint_t ngx_http_payer_api_dead(ngx_array_t *words,
    ngx_str_t *status);


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
    ngx_int_t                       rc;
    ngx_http_payer_json_payment_t  *payment;

    payment = call->result;

    rc = ngx_http_payer_json_read_payment(call->ctx->request->pool, reply,
                                          payment, &call->reason);

    if (rc == NGX_OK && payment->payment_id.len
        && (payment->payment_id.len != call->id.len
            || ngx_memcmp(payment->payment_id.data, call->id.data,
                          call->id.len) != 0))
    {
        call->reason = "does not name the requested payment";
        return NGX_DECLINED;
    }

    if (rc == NGX_OK) {
        payment->dead = ngx_http_payer_api_dead(call->ctx->conf->dead,
                                                &payment->status);
    }

    return rc;
}


/* whether payer_status_dead names the status */

static ngx_uint_t
ngx_http_payer_api_dead(ngx_array_t *words, ngx_str_t *status)
{
    ngx_str_t   *dead;
    ngx_uint_t   i;

    if (words == NULL) {
        return 0;
    }

    dead = words->elts;

    for (i = 0; i < words->nelts; i++) {
        if (dead[i].len == status->len
            && ngx_memcmp(dead[i].data, status->data, status->len) == 0)
        {
            return 1;
        }
    }

    return 0;
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


void
ngx_http_payer_api_mask(ngx_http_payer_call_t *call, ngx_str_t *text)
{
    ngx_str_t                  *bearer, basic;
    ngx_http_payer_loc_conf_t  *conf;

    conf = call->ctx->conf;
    bearer = &call->token.bearer;
    basic = conf->merchant->basic;

    /* padding has no information, and may be missing */

    while (basic.data[basic.len - 1] == '=') {
        basic.len--;
    }

    ngx_http_payer_mask(text, bearer->data + sizeof("Bearer ") - 1,
                        bearer->len - (sizeof("Bearer ") - 1));
    ngx_http_payer_mask(text, basic.data + sizeof("Basic ") - 1,
                        basic.len - (sizeof("Basic ") - 1));
    ngx_http_payer_mask(text, conf->secret.data, conf->secret.len);
}


ngx_uint_t
ngx_http_payer_api_answered(ngx_http_payer_call_t *call)
{
    const char                 *reason;
    ngx_http_payer_exchange_t  *x;

    x = &call->exchange;

    return !ngx_http_payer_api_unasked(call)
           && x->complete && !x->oversized
           && ngx_http_payer_json_read_object(&x->reply, &reason) == NGX_OK;
}


ngx_uint_t
ngx_http_payer_api_unasked(ngx_http_payer_call_t *call)
{
    ngx_uint_t  status;

    status = call->exchange.status;

    return status == NGX_HTTP_UNAUTHORIZED
           || status == NGX_HTTP_FORBIDDEN
           || status == NGX_HTTP_REQUEST_TIME_OUT
           || status == NGX_HTTP_TOO_MANY_REQUESTS;
}
