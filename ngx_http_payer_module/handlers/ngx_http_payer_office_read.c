
/*
 * POST order/read: reads a payment from Payer.  After the loss of a store, a
 * payment that is specified by its id is taken in again.
 *
 *     (whose is it) -> intent -> read -> stored -> answer
 */


#include "ngx_http_payer_office_act.h"
#include "ngx_http_payer_answer_reply.h"
#include "ngx_http_payer_api.h"
#include "ngx_http_payer_ledger.h"
#include "ngx_http_payer_reading.h"


static ngx_int_t ngx_http_payer_act_whose(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_act_ask(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_act_asked(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static const char *ngx_http_payer_act_take(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_json_payment_t *payment);


ngx_int_t
ngx_http_payer_act_read(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_str_t  *id;

    id = &ctx->params->payment_id;

    if (ctx->found && ctx->record.payment_id.len) {

        if (id->len && (id->len != ctx->record.payment_id.len
                        || ngx_memcmp(id->data, ctx->record.payment_id.data,
                                      id->len)
                           != 0))
        {
            return ngx_http_payer_answer_refuse(r, NGX_HTTP_CONFLICT,
                                              "the order has another payment");
        }

        ctx->step = ngx_http_payer_act_ask;

        return NGX_OK;
    }

    if (id->len == 0) {
        return ngx_http_payer_answer_refuse(r, NGX_HTTP_NOT_FOUND,
                      "no payment of this reference is known; to take one in, "
                      "specify its paymentId");
    }

    ctx->resolved = 0;
    ctx->step = ngx_http_payer_act_whose;

    return NGX_OK;
}


/* a payment of another order is not assigned to this one */

static ngx_int_t
ngx_http_payer_act_whose(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_payer_ledger_find_payment(ctx, &ctx->params->payment_id);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc != NGX_OK) {
        return ngx_http_payer_answer_refuse(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                            "the store could not be read");
    }

    if (ctx->found) {
        return ngx_http_payer_answer_refuse(r, NGX_HTTP_CONFLICT,
                                           "another order has this payment");
    }

    ctx->record.payment_id = ctx->params->payment_id;
    ctx->step = ngx_http_payer_act_ask;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_act_ask(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_call_t  *call;

    if (ctx->call == NULL && ngx_http_payer_act_intent(ctx) != NGX_OK) {
        return ngx_http_payer_act_not_audited(r);
    }

    call = ngx_http_payer_api_call(ctx, NGX_HTTP_PAYER_CALL_READ,
                                   &ctx->record.payment_id);
    if (call == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    call->read = ngx_http_payer_api_read_payment;
    call->result = ngx_palloc(r->pool, sizeof(ngx_http_payer_json_payment_t));

    if (call->result == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->step = ngx_http_payer_act_asked;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_act_asked(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                      rc;
    const char                    *wrong;
    ngx_http_payer_call_t         *call;
    ngx_http_payer_verdict_e       verdict;
    ngx_http_payer_store_entry_t   entry;

    call = ctx->call;

    rc = ngx_http_payer_api_run(call);
    if (rc != NGX_OK) {
        return rc == NGX_ERROR ? NGX_HTTP_INTERNAL_SERVER_ERROR : rc;
    }

    if (call->outcome != NGX_HTTP_PAYER_DONE) {
        (void) ngx_http_payer_act_audit(ctx, "refused", call->exchange.status);

        return ngx_http_payer_answer_reply(r, ctx);
    }

    wrong = ngx_http_payer_act_take(ctx, call->result);

    if (wrong == NULL
        && ngx_http_payer_reading_apply(ctx, call->result, &verdict) != NGX_OK)
    {
        wrong = "the reply is about another payment, order or currency";
    }

    if (wrong) {
        (void) ngx_http_payer_act_audit(ctx, "refused", NGX_HTTP_CONFLICT);

        return ngx_http_payer_answer_refuse(r, NGX_HTTP_CONFLICT, wrong);
    }

    ctx->found = 1;

    if (ngx_http_payer_act_entry(ctx, "done", &entry) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->step = ngx_http_payer_act_stored;

    rc = ngx_http_payer_ledger_write_with(ctx, NGX_HTTP_PAYER_BY_VERIFY,
                                          &entry);

    return rc == NGX_AGAIN ? NGX_AGAIN : NGX_OK;
}


/* the record of an unknown payment, or the reason why it is rejected */

static const char *
ngx_http_payer_act_take(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_json_payment_t *payment)
{
    ngx_str_t                *reference;
    ngx_http_payer_record_t  *record;

    if (ctx->found) {
        return NULL;
    }

    reference = &ctx->params->reference;

    if (payment->reference.len == 0 || payment->currency.len == 0
        || payment->amount <= 0)
    {
        return "Payer does not say which order, amount and currency the "
               "payment is of";
    }

    if (payment->reference.len != reference->len
        || ngx_memcmp(payment->reference.data, reference->data,
                      reference->len)
           != 0)
    {
        return "the payment is of another order";
    }

    record = &ctx->record;

    record->reference = *reference;
    record->payment_id = ctx->params->payment_id;
    record->currency = payment->currency;
    record->amount = payment->amount;
    record->authorized = -1;
    record->captured = -1;
    record->refunded = -1;
    record->created = ngx_time();
    record->state = NGX_HTTP_PAYER_INITIATED;

    return NULL;
}
