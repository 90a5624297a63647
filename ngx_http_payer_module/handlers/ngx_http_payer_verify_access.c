
/*
 * payer_verify in the phases of a request and in its answer.
 */


#include "ngx_http_payer_verify_access.h"
#include "ngx_http_payer_answer.h"
#include "ngx_http_payer_codes.h"
#include "ngx_http_payer_order_values.h"
#include "ngx_http_payer_query.h"
#include "ngx_http_payer_subrequest.h"
#include "ngx_http_payer_ticket.h"
#include "ngx_http_payer_value.h"
#include "ngx_http_payer_verify.h"
#include "ngx_http_payer_verify_amount.h"
#include "ngx_http_payer_worth.h"


static ngx_int_t ngx_http_payer_verify_access_subrequest(
    ngx_http_request_t *r);
static ngx_uint_t ngx_http_payer_verify_access_same(ngx_http_request_t *r,
    ngx_http_payer_loc_conf_t *conf);
static ngx_int_t ngx_http_payer_verify_access_header_filter(
    ngx_http_request_t *r);
static ngx_uint_t ngx_http_payer_verify_access_any(ngx_http_request_t *r);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;


/*
 * The access phase does not run for subrequests.  A subrequest from an
 * unprotected page would show what payer_verify protects: it is passed only if
 * its main request was passed for the same order.
 */

static ngx_int_t
ngx_http_payer_verify_access_subrequest(ngx_http_request_t *r)
{
    ngx_http_payer_loc_conf_t  *conf;

    if (r == r->main) {
        return NGX_DECLINED;
    }

    conf = ngx_http_get_module_loc_conf(r, ngx_http_payer_module);

    if (conf->verify.reference.value == NULL
        || ngx_http_payer_is_exchange(r))
    {
        return NGX_DECLINED;
    }

    if (ngx_http_payer_verify_access_same(r, conf)) {
        return NGX_DECLINED;
    }

    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                  "payer: the subrequest \"%V\" is rejected, since its main "
                  "request was not passed for the same order", &r->uri);

    return NGX_HTTP_PAYMENT_REQUIRED;
}


static ngx_uint_t
ngx_http_payer_verify_access_same(ngx_http_request_t *r,
    ngx_http_payer_loc_conf_t *conf)
{
    int64_t                amount;
    ngx_int_t              rc;
    ngx_str_t              reference, currency;
    ngx_http_payer_ctx_t  *ctx;

    ctx = ngx_http_payer_get_ctx(r);

    if (ctx == NULL || !ngx_http_payer_verify_passed(ctx)
        || ngx_memcmp(ctx->conf->merchant->key, conf->merchant->key,
                      NGX_HTTP_PAYER_KEY_LEN)
           != 0)
    {
        return 0;
    }

    /* if the main request had no ticket, this one needs it */

    if (ctx->conf->verify.ticket == NULL
        && ngx_http_payer_ticket_admit(r, conf, &ctx->record) != NGX_OK)
    {
        return 0;
    }

    if (conf->verify.args
        && !ngx_http_payer_query_clear(&r->args, conf->verify.args))
    {
        return 0;
    }

    /* this location may require a larger amount than that of the page */

    if (ngx_http_payer_verify_amount_get(r, &conf->verify, &amount, &currency)
        != NGX_OK
        || (amount && !ngx_http_payer_proof_covers(&ctx->record, amount,
                                                   &currency)))
    {
        return 0;
    }

    rc = ngx_http_payer_order_reference(r, &conf->verify.reference,
                                        &reference);

    if (rc == NGX_DECLINED && reference.len == 0) {

        /* a location without an order */

        return 1;
    }

    return rc == NGX_OK
           && reference.len == ctx->order.reference.len
           && ngx_memcmp(reference.data, ctx->order.reference.data,
                         reference.len)
              == 0;
}


/*
 * Protected pages, the pages of a checkout, and their error pages are for one
 * buyer and must not be cached.
 */

static ngx_int_t
ngx_http_payer_verify_access_header_filter(ngx_http_request_t *r)
{
    ngx_http_payer_ctx_t  *ctx;

    if (r != r->main) {
        return ngx_http_next_header_filter(r);
    }

    ctx = ngx_http_payer_get_ctx(r);

    if (ctx == NULL || (ctx->verdict == NGX_HTTP_PAYER_UNDECIDED
                        && !ctx->conf->handler->order))
    {
        if (!ngx_http_payer_verify_access_any(r)) {
            return ngx_http_next_header_filter(r);
        }

    } else if (ctx->uncached) {
        ctx->uncached = 0;

        return ngx_http_next_header_filter(r);
    }

    if (ngx_http_payer_answer_no_store(r) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_next_header_filter(r);
}


/*
 * With "satisfy any" another module has passed the request, such as a password
 * of staff: a cache must not give the page to clients that have not paid.
 */

static ngx_uint_t
ngx_http_payer_verify_access_any(ngx_http_request_t *r)
{
    ngx_http_core_loc_conf_t   *clcf;
    ngx_http_payer_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_payer_module);

    if (conf->verify.reference.value == NULL) {
        return 0;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    return clcf->satisfy == NGX_HTTP_SATISFY_ANY;
}


ngx_int_t
ngx_http_payer_verify_access_init(ngx_conf_t *cf)
{
    ngx_array_t                *handlers;
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PREACCESS_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_payer_verify_access_subrequest;

    /*
     * The handlers of a phase run from the last to the first.  This one must
     * run after all others: it causes a call to Payer, and with "satisfy any"
     * its answer ends the request.
     */

    handlers = &cmcf->phases[NGX_HTTP_ACCESS_PHASE].handlers;

    if (ngx_array_push(handlers) == NULL) {
        return NGX_ERROR;
    }

    h = handlers->elts;

    ngx_memmove(h + 1, h, (handlers->nelts - 1) * sizeof(ngx_http_handler_pt));

    *h = ngx_http_payer_verify_handler;

    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_payer_verify_access_header_filter;

    return NGX_OK;
}
