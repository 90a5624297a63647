
/*
 * payer_link: signed links to a checkout, for staff.
 *
 *     params -> find -> (reopen -> reopened) -> answer
 *
 * The link is the same as one signed by the shop, and is checked like it.  If
 * the order has ended when the link is created, an entry in the store says
 * that this link reopens it.
 */


#include "ngx_http_payer_link.h"
#include "ngx_http_payer_link_conf.h"
#include "ngx_http_payer_access.h"
#include "ngx_http_payer_answer.h"
#include "ngx_http_payer_answer_reply.h"
#include "ngx_http_payer_api.h"
#include "ngx_http_payer_audit.h"
#include "ngx_http_payer_body.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_history.h"
#include "ngx_http_payer_ledger.h"
#include "ngx_http_payer_link_sign.h"
#include "ngx_http_payer_log.h"
#include "ngx_http_payer_reopen.h"
#include "ngx_http_payer_same_origin.h"
#include "ngx_http_payer_signature.h"
#include "ngx_http_payer_worth.h"


/* ctx->data */
typedef struct {
    ngx_http_payer_link_conf_t    *conf;
    ngx_http_payer_signed_link_t   link;
    ngx_str_t                      actor;
} ngx_http_payer_new_link_t;


static ngx_int_t ngx_http_payer_link_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_payer_link_params(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static const char *ngx_http_payer_link_wrong(ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_link_find(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_link_reopen(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_link_audit(ngx_http_payer_ctx_t *ctx,
    const char *outcome);
static ngx_int_t ngx_http_payer_link_reopened(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_link_answer(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);


ngx_http_payer_handler_t  ngx_http_payer_handler_link = {
    ngx_string("payer_link"), ngx_http_payer_link_handler,
    0, NGX_HTTP_PAYER_ALLOW_STAFF, 0, 1, NULL, ngx_http_payer_check_link
};


static ngx_str_t  ngx_http_payer_link_operation = ngx_string("link");


static ngx_int_t
ngx_http_payer_link_handler(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_http_payer_ctx_t       *ctx;
    ngx_http_payer_problem_t    problem;
    ngx_http_payer_loc_conf_t  *conf, *checkout;
    ngx_http_payer_new_link_t  *link;

    static ngx_str_t  allow = ngx_string("POST");

    if (r != r->main) {
        return NGX_HTTP_NOT_FOUND;
    }

    conf = ngx_http_get_module_loc_conf(r, ngx_http_payer_module);

    link = ngx_pcalloc(r->pool, sizeof(ngx_http_payer_new_link_t));
    if (link == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    link->conf = conf->link;

    /* the order is the checkout's */

    checkout = conf->link->clcf->loc_conf[ngx_http_payer_module.ctx_index];

    ctx = ngx_http_payer_flow_create(r, checkout, ngx_http_payer_link_params);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->operation = &ngx_http_payer_link_operation;
    ctx->data = link;

    if (ngx_http_payer_answer_private(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_payer_access(r, conf, NGX_HTTP_POST, &allow);
    if (rc != NGX_OK) {
        return rc == NGX_DONE ? NGX_OK : rc;
    }

    if (ngx_http_payer_same_origin(r, conf, NGX_HTTP_PAYER_ORIGIN_CHANGES,
                                   &problem)
        != NGX_OK)
    {
        rc = ngx_http_payer_answer_problem(r, &problem);
        return rc == NGX_HTTP_PAYER_SENT ? NGX_OK : rc;
    }

    return ngx_http_payer_body_keep(r, ctx);
}


static ngx_int_t
ngx_http_payer_link_params(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                   rc;
    const char                 *wrong;
    ngx_http_payer_problem_t    problem;
    ngx_http_payer_new_link_t  *link;

    link = ctx->data;

    ctx->params = ngx_palloc(r->pool, sizeof(ngx_http_payer_params_t));
    if (ctx->params == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_payer_parameters(r, ctx->params, &problem);

    if (rc == NGX_DECLINED) {
        return ngx_http_payer_answer_problem(r, &problem);
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    wrong = ngx_http_payer_link_wrong(ctx);

    if (wrong) {
        return ngx_http_payer_answer_refuse(r, NGX_HTTP_BAD_REQUEST, wrong);
    }

    ctx->order.reference = ctx->params->reference;

    if (ngx_http_payer_link_sign(r->pool, link->conf, ctx->conf, ctx->params,
                                 &link->link)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->step = ngx_http_payer_link_find;

    return NGX_OK;
}


/* values that the checkout would reject are not signed */

static const char *
ngx_http_payer_link_wrong(ngx_http_payer_ctx_t *ctx)
{
    int64_t                    max;
    ngx_str_t                 *currency;
    ngx_http_payer_params_t   *params;
    ngx_http_complex_value_t  *max_amount;

    params = ctx->params;
    currency = &ctx->conf->currency->value;
    max_amount = ctx->conf->max_amount;

    if (params->unknown || params->payment_id.data || params->type.data
        || params->url.data || params->description.data
        || params->operation.data || params->outcome.data
        || params->release_rest != -1)
    {
        return "a link has no other parameters than reference, amount, "
               "currency, expires and reason";
    }

    if (params->reference.data == NULL
        || ngx_http_payer_check_reference(&params->reference) != NGX_OK)
    {
        return "reference is missing, longer than 255 bytes, or not UTF-8 "
               "without control characters";
    }

    if (params->reason.len
        && ngx_http_payer_check_line(&params->reason,
                                     NGX_HTTP_PAYER_MAX_REASON)
           != NGX_OK)
    {
        return "reason is longer than 500 bytes, or not one line of UTF-8";
    }

    if (params->amount <= 0) {
        return "amount is missing";
    }

    if (max_amount && max_amount->lengths == NULL
        && ngx_http_payer_amount_of(&max_amount->value, NGX_HTTP_PAYER_MINOR,
                                    0, &max)
           == NGX_OK
        && params->amount > max)
    {
        return "amount is above payer_max_amount of the checkout";
    }

    if (params->currency.len != currency->len
        || ngx_memcmp(params->currency.data, currency->data, currency->len)
           != 0)
    {
        return "currency is not that of the checkout";
    }

    if (params->expires <= ngx_time()
        || params->expires > ngx_time() + NGX_HTTP_PAYER_FAR_AHEAD)
    {
        return "expires is not a Unix time in seconds between now and ten "
               "years ahead";
    }

    return NULL;
}


static ngx_int_t
ngx_http_payer_link_find(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_payer_ledger_find(ctx, &ctx->order.reference);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc != NGX_OK) {
        return ngx_http_payer_answer_refuse(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                            "the store could not be read");
    }

    if (!ctx->found || ctx->record.payment_id.len == 0
        || !ngx_http_payer_worth_over(&ctx->record))
    {
        ctx->step = ngx_http_payer_link_answer;
        return NGX_OK;
    }

    ctx->step = ngx_http_payer_link_reopen;

    return NGX_OK;
}


/* the audit log is written before an order is reopened */

static ngx_int_t
ngx_http_payer_link_reopen(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                      rc;
    ngx_http_payer_history_t       history;
    ngx_http_payer_new_link_t     *link;
    ngx_http_payer_store_entry_t   entries[2];

    static ngx_str_t  done = ngx_string("done");

    link = ctx->data;

    if (ngx_http_payer_api_request_id(ctx) != NGX_OK
        || ngx_http_payer_audit_actor(ctx, &link->actor) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_payer_link_audit(ctx, NULL) != NGX_OK) {
        return ngx_http_payer_answer_refuse(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                       "the audit log could not be written, and so nothing "
                       "was done");
    }

    ngx_memzero(&history, sizeof(ngx_http_payer_history_t));

    history.at = ngx_time();
    history.amount = ctx->params->amount;
    history.what = *ctx->operation;
    history.by = link->actor;
    history.result = done;
    history.reason = ctx->params->reason;
    history.payment_id = ctx->record.payment_id;

    if (ngx_http_payer_reopen_link(ctx, &link->link.message,
                                   (time_t) ctx->params->expires, &entries[0])
        != NGX_OK
        || ngx_http_payer_history_act(ctx, &history, &ctx->request_id,
                                      &entries[1])
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->step = ngx_http_payer_link_reopened;

    rc = ngx_http_payer_flow_put(ctx, entries, 2);

    return rc == NGX_AGAIN ? NGX_AGAIN : NGX_OK;
}


static ngx_int_t
ngx_http_payer_link_audit(ngx_http_payer_ctx_t *ctx, const char *outcome)
{
    ngx_http_payer_new_link_t    *link;
    ngx_http_payer_audit_line_t   line;

    link = ctx->data;

    ngx_memzero(&line, sizeof(ngx_http_payer_audit_line_t));

    line.id = ctx->request_id;
    line.actor = link->actor;
    line.operation = ctx->operation;
    line.reference = ctx->params->reference;
    line.payment_id = ctx->record.payment_id;
    line.currency = ctx->params->currency;
    line.reason = ctx->params->reason;
    line.amount = ctx->params->amount;
    line.outcome = outcome;

    return ngx_http_payer_audit(ctx, &line);
}


static ngx_int_t
ngx_http_payer_link_reopened(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    if (ctx->io.rc != NGX_OK) {
        (void) ngx_http_payer_link_audit(ctx, ctx->late ? "unknown"
                                                        : "not_sent");

        return ngx_http_payer_answer_refuse(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                            "the link could not be stored");
    }

    (void) ngx_http_payer_link_audit(ctx, "done");

    ngx_http_payer_log(NGX_LOG_NOTICE, ctx,
                       "a link was created to sell the order again, which is "
                       "%V",
                       ngx_http_payer_state_name(ctx->record.state));

    ctx->step = ngx_http_payer_link_answer;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_link_answer(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                      rc;
    ngx_str_t                      url, body;
    ngx_http_payer_new_link_t     *link;
    ngx_http_payer_json_member_t   members[2];

    static ngx_str_t  json = ngx_string("application/json");

    link = ctx->data;

    rc = ngx_http_payer_link_url(r, link->conf, ctx->conf, &link->link, &url);

    if (rc == NGX_DECLINED) {
        ngx_http_payer_log(NGX_LOG_ERR, ctx,
                           "the value of \"payer_return_origin\" is not an "
                           "origin");
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(members, sizeof(members));

    ngx_str_set(&members[0].name, "url");
    members[0].text = url;

    ngx_str_set(&members[1].name, "expires");
    members[1].number = ctx->params->expires;

    if (ngx_http_payer_json_write(r->pool, members, 2, &body) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_payer_answer_body(r, NGX_HTTP_OK, &json, &body);
}
