
/*
 * POST order/erase: blanks actors and reasons in the history of an order and
 * in its operations, and replaces keys of clients by digests.
 *
 *     intent -> history -> operations of each payment -> stored -> answer
 *
 * The values of answers are kept: a repeat under its key is still found.  An
 * operation with an unknown outcome is not changed, since it may have to be
 * settled.
 */


#include "ngx_http_payer_office_act.h"
#include "ngx_http_payer_answer_reply.h"
#include "ngx_http_payer_execute.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_ledger.h"


static ngx_int_t ngx_http_payer_erase_history(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_erase_noted(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_erase_payment(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_erase_operation(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_erase_written(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_erase_op(ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_erase_last(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_erase_failed(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_erase_add(ngx_http_payer_act_t *act,
    ngx_str_t *id);
static ngx_int_t ngx_http_payer_erase_same(ngx_str_t *stored,
    ngx_str_t *fresh);


ngx_int_t
ngx_http_payer_act_erase(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_act_t  *act;

    act = ctx->data;

    if (ngx_http_payer_act_intent(ctx) != NGX_OK) {
        return ngx_http_payer_act_not_audited(r);
    }

    if (ngx_array_init(&act->payments, r->pool, 4, sizeof(ngx_str_t))
        != NGX_OK
        || ngx_http_payer_erase_add(act, &ctx->record.payment_id) != NGX_OK
        || ngx_http_payer_history_prefix(r->pool, &ctx->conf->merchant->id,
                                         &ctx->record.reference, &act->prefix)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->step = ngx_http_payer_erase_history;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_erase_add(ngx_http_payer_act_t *act, ngx_str_t *id)
{
    ngx_str_t   *known;
    ngx_uint_t   i;

    known = act->payments.elts;

    for (i = 0; i < act->payments.nelts; i++) {
        if (known[i].len == id->len
            && ngx_memcmp(known[i].data, id->data, id->len) == 0)
        {
            return NGX_OK;
        }
    }

    if (id->len == 0) {
        return NGX_OK;
    }

    known = ngx_array_push(&act->payments);
    if (known == NULL) {
        return NGX_ERROR;
    }

    *known = *id;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_erase_history(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                      rc;
    ngx_http_payer_act_t          *act;
    ngx_http_payer_history_t       history;
    ngx_http_payer_store_entry_t   entry;

    act = ctx->data;

    rc = ngx_http_payer_ledger_next(ctx, &act->prefix, &act->after);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc == NGX_DECLINED) {
        ctx->step = ngx_http_payer_erase_payment;
        return NGX_OK;
    }

    if (rc != NGX_OK) {
        return ngx_http_payer_erase_failed(r, ctx);
    }

    act->after = ctx->io.key;

    if (ngx_http_payer_history_decode(&ctx->io.value, &history) != NGX_OK
        || ngx_http_payer_erase_add(act, &history.payment_id) != NGX_OK
        || (history.reason.len == 0
            && !ngx_http_payer_history_is_act(&history)))
    {
        return NGX_OK;
    }

    if (ngx_http_payer_history_blank(ctx, &history, &act->after, &entry)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    act->erased++;
    ctx->step = ngx_http_payer_erase_noted;
    ctx->io.rc = NGX_OK;

    return ngx_http_payer_flow_put(ctx, &entry, 1) == NGX_AGAIN ? NGX_AGAIN
                                                                : NGX_OK;
}


static ngx_int_t
ngx_http_payer_erase_noted(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    if (ctx->io.rc != NGX_OK) {
        return ngx_http_payer_erase_failed(r, ctx);
    }

    ctx->step = ngx_http_payer_erase_history;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_erase_payment(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_str_t             *ids, *merchant;
    ngx_http_payer_act_t  *act;

    act = ctx->data;
    ids = act->payments.elts;
    merchant = &ctx->conf->merchant->id;

    if (act->payment == act->payments.nelts) {
        ctx->step = ngx_http_payer_erase_last;
        return NGX_OK;
    }

    act->prefix.data = ngx_pnalloc(r->pool, sizeof("operation///") - 1
                                            + merchant->len
                                            + ids[act->payment].len);
    if (act->prefix.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    act->prefix.len = ngx_sprintf(act->prefix.data, "operation/%V/%V/",
                                  merchant, &ids[act->payment])
                      - act->prefix.data;

    ngx_str_null(&act->after);

    act->payment++;
    ctx->step = ngx_http_payer_erase_operation;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_erase_operation(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t              rc;
    ngx_http_payer_act_t  *act;

    act = ctx->data;

    rc = ngx_http_payer_ledger_next(ctx, &act->prefix, &act->after);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc == NGX_DECLINED) {
        ctx->step = ngx_http_payer_erase_payment;
        return NGX_OK;
    }

    if (rc != NGX_OK) {
        return ngx_http_payer_erase_failed(r, ctx);
    }

    act->after = ctx->io.key;
    ctx->step = ngx_http_payer_erase_written;
    ctx->io.rc = NGX_OK;

    rc = ngx_http_payer_erase_op(ctx);

    return rc == NGX_ERROR ? NGX_HTTP_INTERNAL_SERVER_ERROR : rc;
}


/* the operation under the digest of its key, and its removal from the key */

static ngx_int_t
ngx_http_payer_erase_op(ngx_http_payer_ctx_t *ctx)
{
    ngx_uint_t                     n;
    ngx_http_payer_op_t            op;
    ngx_http_payer_act_t          *act;
    ngx_http_payer_store_entry_t   entries[2];

    act = ctx->data;

    if (ngx_http_payer_op_decode(&ctx->io.value, &op) != NGX_OK) {
        return NGX_OK;
    }

    if (op.state < NGX_HTTP_PAYER_OP_REFUSED) {
        act->left++;
        return NGX_OK;
    }

    ngx_memzero(entries, sizeof(entries));

    entries[0].key = act->after;

    /* under its new key it stays no longer than it would have */

    entries[0].expires = ngx_max(op.created, op.updated)
                         + ctx->conf->keep_operations;

    n = 1;

    switch (ngx_http_payer_op_hidden_key(ctx->request->pool, &act->after,
                                         act->prefix.len, &op.request_id,
                                         &entries[0].key))
    {
    case NGX_OK:
        entries[1].key = act->after;
        n = 2;
        break;

    case NGX_DECLINED:

        if (op.actor.len == 0 && op.reason.len == 0) {
            return NGX_OK;
        }

        entries[0].merge = ngx_http_payer_erase_same;
        break;

    default: /* NGX_ERROR */
        return NGX_ERROR;
    }

    ngx_str_null(&op.actor);
    ngx_str_null(&op.reason);

    if (ngx_http_payer_op_encode(ctx->request->pool, &op, &entries[0].value)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    act->erased++;

    return ngx_http_payer_flow_put(ctx, entries, n) == NGX_AGAIN ? NGX_AGAIN
                                                                 : NGX_OK;
}


/* a settled operation does not change any more */

static ngx_int_t
ngx_http_payer_erase_same(ngx_str_t *stored, ngx_str_t *fresh)
{
    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_erase_written(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    if (ctx->io.rc != NGX_OK) {
        return ngx_http_payer_erase_failed(r, ctx);
    }

    ctx->step = ngx_http_payer_erase_operation;

    return NGX_OK;
}


/* the history shows that it was erased */

static ngx_int_t
ngx_http_payer_erase_last(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_store_entry_t  entry;

    if (ngx_http_payer_act_entry(ctx, "done", &entry) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->step = ngx_http_payer_act_stored;
    ctx->io.rc = NGX_OK;

    return ngx_http_payer_flow_put(ctx, &entry, 1) == NGX_AGAIN ? NGX_AGAIN
                                                                : NGX_OK;
}


static ngx_int_t
ngx_http_payer_erase_failed(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    (void) ngx_http_payer_act_audit(ctx, "unknown",
                                    NGX_HTTP_SERVICE_UNAVAILABLE);

    return ngx_http_payer_answer_refuse(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                          "not everything could be erased, since the store "
                          "has failed; try again");
}
