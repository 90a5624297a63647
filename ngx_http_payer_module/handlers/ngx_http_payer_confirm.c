
/*
 * payer_present confirm: a GET shows the order and a button, which sends a
 * POST.  A GET reads the store, writes nothing, and calls only the shop.
 */


#include "ngx_http_payer_confirm.h"
#include "ngx_http_payer_checkout_answer.h"
#include "ngx_http_payer_lookup_use.h"
#include "ngx_http_payer_present.h"
#include "ngx_http_payer_same_origin.h"
#include "ngx_http_payer_worth.h"


static ngx_uint_t ngx_http_payer_confirm_given(ngx_http_request_t *r);
static ngx_int_t ngx_http_payer_confirm_known(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx, ngx_http_payer_step_pt paid);


ngx_int_t
ngx_http_payer_confirm(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_step_pt paid)
{
    if (ctx->conf->present != NGX_HTTP_PAYER_PRESENT_CONFIRM
        || ngx_http_payer_confirm_given(r))
    {
        return NGX_DECLINED;
    }

    switch (ngx_http_payer_lookup_use(ctx)) {

    case NGX_HTTP_PAYER_USE_CANCEL:

        /* the existing link is left to a request that may change something */

        if (ctx->lookup->verdict != NGX_HTTP_PAYER_LOOKUP_PAID) {
            return ngx_http_payer_lookup_refuse(r, ctx);
        }

        /* fall through */

    case NGX_HTTP_PAYER_USE_PAID:
        ctx->step = paid;
        return NGX_OK;

    case NGX_HTTP_PAYER_USE_CLOSED:
        return ngx_http_payer_lookup_refuse(r, ctx);

    default: /* NGX_HTTP_PAYER_USE_RECORD */
        break;
    }

    return ctx->found ? ngx_http_payer_confirm_known(r, ctx, paid)
                      : ngx_http_payer_present_question(r, ctx);
}


/*
 * X-Accel-Redirect and error_page change a POST to a GET: the method of the
 * client's request counts.  A page of another site that POSTs has pressed no
 * button: the buyer is asked.
 */

static ngx_uint_t
ngx_http_payer_confirm_given(ngx_http_request_t *r)
{
    return r->request_line.len > 5
           && ngx_strncmp(r->request_line.data, "POST ", 5) == 0
           && !ngx_http_payer_other_page(r);
}


static ngx_int_t
ngx_http_payer_confirm_known(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_step_pt paid)
{
    ngx_http_payer_worth_e  worth;

    worth = ngx_http_payer_worth(ctx);

    if (worth == NGX_HTTP_PAYER_WORTH_PAID) {
        ctx->step = paid;
        return NGX_OK;
    }

    if (worth != NGX_HTTP_PAYER_WORTH_OPEN) {
        return ngx_http_payer_checkout_refuse(r, ctx, worth);
    }

    return ngx_http_payer_present_question(r, ctx);
}
