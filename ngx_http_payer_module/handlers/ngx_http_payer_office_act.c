
/*
 * Actions of staff other than operations: settle an unknown outcome, reopen a
 * cancelled order, take a payment in, erase.
 *
 *     parameters -> find -> (intent) -> act -> stored -> answer
 */


#include "ngx_http_payer_office_act.h"
#include "ngx_http_payer_access.h"
#include "ngx_http_payer_answer_reply.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_ledger.h"
#include "ngx_http_payer_reopen.h"
#include "ngx_http_payer_settle.h"
#include "ngx_http_payer_worth.h"


static const char *ngx_http_payer_act_wrong(ngx_http_payer_params_t *params,
    ngx_http_payer_act_e kind);
static ngx_int_t ngx_http_payer_act_find(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_act_reopen(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_act_dead(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);


static ngx_str_t  ngx_http_payer_act_names[] = {
    ngx_string("read"),
    ngx_string("reopen"),
    ngx_string("settle"),
    ngx_string("erase"),
    ngx_string("notify")
};


ngx_int_t
ngx_http_payer_act_begin(ngx_http_payer_ctx_t *ctx, ngx_http_payer_act_e kind)
{
    u_char                *id;
    ngx_http_payer_act_t  *act;

    act = ngx_pcalloc(ctx->request->pool, sizeof(ngx_http_payer_act_t));
    id = ngx_pnalloc(ctx->request->pool, NGX_HTTP_PAYER_UUID_LEN);

    if (act == NULL || id == NULL || ngx_http_payer_uuid(id) != NGX_OK) {
        return NGX_ERROR;
    }

    act->kind = kind;
    act->id.data = id;
    act->id.len = NGX_HTTP_PAYER_UUID_LEN;

    ctx->data = act;
    ctx->operation = &ngx_http_payer_act_names[kind];
    ctx->step = ngx_http_payer_act_params;

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_act_params(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                  rc;
    const char                *wrong;
    ngx_http_payer_act_t      *act;
    ngx_http_payer_problem_t   problem;

    act = ctx->data;

    ctx->params = ngx_palloc(r->pool, sizeof(ngx_http_payer_params_t));
    if (ctx->params == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_payer_parameters(r, ctx->params, &problem);

    if (rc == NGX_DECLINED) {
        return ngx_http_payer_answer_problem(r, &problem);
    }

    if (rc != NGX_OK || ngx_http_payer_audit_actor(ctx, &act->actor) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    wrong = ngx_http_payer_act_wrong(ctx->params, act->kind);

    if (wrong) {
        return ngx_http_payer_answer_refuse(r, NGX_HTTP_BAD_REQUEST, wrong);
    }

    if (act->kind == NGX_HTTP_PAYER_ACT_SETTLE
        && ctx->params->operation.len)
    {
        return ngx_http_payer_settle_begin(r, ctx, &ctx->params->operation,
                                           &ctx->params->outcome);
    }

    ctx->step = ngx_http_payer_act_find;

    return NGX_OK;
}


static const char *
ngx_http_payer_act_wrong(ngx_http_payer_params_t *params,
    ngx_http_payer_act_e kind)
{
    static ngx_str_t  dead = ngx_string("dead");

    if (params->unknown) {
        return "there is a parameter whose name is not known";
    }

    if (params->amount != -1 || params->release_rest != -1
        || params->expires != -1 || params->description.data
        || params->currency.data || params->type.data || params->url.data)
    {
        return "there is a parameter that belongs to another operation";
    }

    if (params->reference.data == NULL
        || ngx_http_payer_check_reference(&params->reference) != NGX_OK)
    {
        return "reference is missing, longer than 255 bytes, or not UTF-8 "
               "without control characters";
    }

    if (params->payment_id.data
        && ngx_http_payer_check_payment_id(&params->payment_id) != NGX_OK)
    {
        return "paymentId is not 1 to 64 letters, digits, \"-\" or \"_\"";
    }

    if (params->reason.len
        && ngx_http_payer_check_line(&params->reason,
                                     NGX_HTTP_PAYER_MAX_REASON)
           != NGX_OK)
    {
        return "reason is longer than 500 bytes, or not one line of UTF-8";
    }

    if (kind != NGX_HTTP_PAYER_ACT_SETTLE) {

        return (params->operation.data || params->outcome.data)
               ? "operation and outcome are parameters of settle" : NULL;
    }

    if (params->outcome.len == 0
        || (params->operation.len == 0
            && (params->outcome.len != dead.len
                || ngx_memcmp(params->outcome.data, dead.data, dead.len)
                   != 0)))
    {
        return "either operation with the outcome done or refused, or the "
               "outcome dead is needed";
    }

    return NULL;
}


static ngx_int_t
ngx_http_payer_act_find(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t              rc;
    ngx_http_payer_act_t  *act;

    act = ctx->data;

    rc = ngx_http_payer_ledger_find(ctx, &ctx->params->reference);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc != NGX_OK) {
        return ngx_http_payer_answer_refuse(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                            "the store could not be read");
    }

    if (act->kind == NGX_HTTP_PAYER_ACT_READ) {
        ctx->step = ngx_http_payer_act_read;
        return NGX_OK;
    }

    if (!ctx->found) {
        return ngx_http_payer_answer_refuse(r, NGX_HTTP_NOT_FOUND,
                                      "no order of this reference is known");
    }

    switch (act->kind) {

    case NGX_HTTP_PAYER_ACT_REOPEN:
        ctx->step = ngx_http_payer_act_reopen;
        break;

    case NGX_HTTP_PAYER_ACT_SETTLE:
        ctx->step = ngx_http_payer_act_dead;
        break;

    case NGX_HTTP_PAYER_ACT_NOTIFY:
        ctx->step = ngx_http_payer_act_notify;
        break;

    default: /* NGX_HTTP_PAYER_ACT_ERASE */
        ctx->step = ngx_http_payer_act_erase;
        break;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_act_reopen(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                      rc;
    ngx_http_payer_store_entry_t   entries[2];

    if (!ngx_http_payer_worth_over(&ctx->record)
        || ctx->record.payment_id.len == 0)
    {
        return ngx_http_payer_answer_refuse(r, NGX_HTTP_CONFLICT,
                      "the order was not cancelled, released or refunded, and "
                      "so it can be paid as it is");
    }

    if (ngx_http_payer_act_intent(ctx) != NGX_OK) {
        return ngx_http_payer_act_not_audited(r);
    }

    if (ngx_http_payer_reopen_order(ctx, &entries[0]) != NGX_OK
        || ngx_http_payer_act_entry(ctx, "done", &entries[1]) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->step = ngx_http_payer_act_stored;

    rc = ngx_http_payer_flow_put(ctx, entries, 2);

    return rc == NGX_AGAIN ? NGX_AGAIN : NGX_OK;
}


/*
 * an actor who has asked Payer reports that this link cannot be paid any more
 */

static ngx_int_t
ngx_http_payer_act_dead(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                      rc;
    ngx_http_payer_store_entry_t   entry;

    if (ctx->record.state > NGX_HTTP_PAYER_EXPIRED) {
        return ngx_http_payer_answer_refuse(r, NGX_HTTP_CONFLICT,
                      "only the link of an order that was neither paid nor "
                      "cancelled can be settled as dead");
    }

    if (ngx_http_payer_act_intent(ctx) != NGX_OK) {
        return ngx_http_payer_act_not_audited(r);
    }

    ctx->record.state = NGX_HTTP_PAYER_CANCELLED;
    ctx->record.unknown = 0;

    if (ngx_http_payer_act_entry(ctx, "dead", &entry) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->step = ngx_http_payer_act_stored;

    rc = ngx_http_payer_ledger_write_with(ctx, NGX_HTTP_PAYER_BY_REPLY,
                                          &entry);

    return rc == NGX_AGAIN ? NGX_AGAIN : NGX_OK;
}


ngx_int_t
ngx_http_payer_act_intent(ngx_http_payer_ctx_t *ctx)
{
    return ngx_http_payer_act_audit(ctx, NULL, 0);
}


ngx_int_t
ngx_http_payer_act_audit(ngx_http_payer_ctx_t *ctx, const char *outcome,
    ngx_uint_t status)
{
    ngx_http_payer_act_t         *act;
    ngx_http_payer_audit_line_t   line;

    act = ctx->data;

    ngx_memzero(&line, sizeof(ngx_http_payer_audit_line_t));

    line.id = act->id;
    line.actor = act->actor;
    line.operation = ctx->operation;
    line.reference = ctx->params->reference;
    line.payment_id = ctx->record.payment_id;
    line.currency = ctx->record.currency;
    line.reason = ctx->params->reason;
    line.amount = -1;
    line.status = status;
    line.outcome = outcome;

    return ngx_http_payer_audit(ctx, &line);
}


ngx_int_t
ngx_http_payer_act_not_audited(ngx_http_request_t *r)
{
    return ngx_http_payer_answer_refuse(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                   "the audit log could not be written, and so nothing was "
                   "done");
}


ngx_int_t
ngx_http_payer_act_entry(ngx_http_payer_ctx_t *ctx, const char *result,
    ngx_http_payer_store_entry_t *entry)
{
    ngx_http_payer_act_t      *act;
    ngx_http_payer_history_t   history;

    act = ctx->data;

    ngx_memzero(&history, sizeof(ngx_http_payer_history_t));

    history.at = ngx_time();
    history.amount = -1;
    history.what = *ctx->operation;
    history.by = act->actor;
    history.result.data = (u_char *) result;
    history.result.len = ngx_strlen(result);
    history.reason = ctx->params->reason;
    history.payment_id = ctx->record.payment_id;

    return ngx_http_payer_history_act(ctx, &history, &act->id, entry);
}


ngx_int_t
ngx_http_payer_act_stored(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    if (ctx->io.rc != NGX_OK) {
        (void) ngx_http_payer_act_audit(ctx, ctx->late ? "unknown"
                                                       : "not_sent",
                                        NGX_HTTP_SERVICE_UNAVAILABLE);

        return ngx_http_payer_answer_refuse(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                            "the order could not be stored");
    }

    (void) ngx_http_payer_act_audit(ctx, "done", NGX_HTTP_OK);

    return ngx_http_payer_act_answer(r, ctx);
}


ngx_int_t
ngx_http_payer_act_answer(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_str_t                   text;
    ngx_http_payer_act_t       *act;
    ngx_http_payer_json_out_t   out;

    static ngx_str_t  json = ngx_string("application/json");
    static ngx_str_t  done = ngx_string("done");

    act = ctx->data;

    ngx_http_payer_json_out(&out, r->pool);

    ngx_http_payer_json_out_open(&out, '{');
    ngx_http_payer_json_out_str(&out, "reference", &ctx->params->reference);
    ngx_http_payer_json_out_str(&out, "paymentId", &ctx->record.payment_id);
    ngx_http_payer_json_out_str(&out, "operation",
                                (ngx_str_t *) ctx->operation);
    ngx_http_payer_json_out_str(&out, "outcome", &done);

    if (act->kind == NGX_HTTP_PAYER_ACT_ERASE) {
        ngx_http_payer_json_out_number(&out, "erased", act->erased);
        ngx_http_payer_json_out_number(&out, "left", act->left);
    }

    if (act->kind == NGX_HTTP_PAYER_ACT_NOTIFY) {
        ngx_http_payer_json_out_number(&out, "notifications", act->erased);
    }

    ngx_http_payer_json_out_close(&out, '}');

    if (ngx_http_payer_json_out_end(&out, &text) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_payer_answer_body(r, NGX_HTTP_OK, &json, &text);
}
