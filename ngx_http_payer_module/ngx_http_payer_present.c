
/*
 * Presents the widget to the buyer: redirect, iframe, JSON, or the shop's.
 */


#include "ngx_http_payer_present.h"
#include "ngx_http_payer_answer.h"


static ngx_int_t ngx_http_payer_present_json(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_present_internally(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);


ngx_int_t
ngx_http_payer_present_link(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    switch (ctx->conf->present) {

    case NGX_HTTP_PAYER_PRESENT_JSON:
        return ngx_http_payer_present_json(r, ctx);

    case NGX_HTTP_PAYER_PRESENT_URI:
        return ngx_http_payer_present_internally(r, ctx);

    default: /* NGX_HTTP_PAYER_PRESENT_REDIRECT */
        return ngx_http_payer_answer_redirect(r, &ctx->record.url);
    }
}


static ngx_int_t
ngx_http_payer_present_json(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_str_t                     body;
    ngx_http_payer_json_member_t  members[2];

    static ngx_str_t  type = ngx_string("application/json");

    ngx_memzero(members, sizeof(members));

    ngx_str_set(&members[0].name, "paymentId");
    members[0].text = ctx->record.payment_id;

    ngx_str_set(&members[1].name, "url");
    members[1].text = ctx->record.url;

    if (ngx_http_payer_json_write(r->pool, members, 2, &body) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_payer_answer_body(r, NGX_HTTP_OK, &type, &body);
}


/* the shop's own page, which frames $payer_url */

static ngx_int_t
ngx_http_payer_present_internally(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_str_t  uri, args;

    if (ngx_http_complex_value(r, ctx->conf->present_uri, &uri) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_split_args(r, &uri, &args);

    if (r->method != NGX_HTTP_HEAD) {
        r->method = NGX_HTTP_GET;
        r->method_name = ngx_http_core_get_method;
    }

    return ngx_http_internal_redirect(r, &uri, &args);
}
