
/*
 * The outcome of an execution, from a reply or a read: it is counted, written
 * to the audit log and stored, even if the client has gone.
 */


#include "ngx_http_payer_execute.h"
#include "ngx_http_payer_audit.h"
#include "ngx_http_payer_book.h"
#include "ngx_http_payer_keep.h"
#include "ngx_http_payer_ledger.h"
#include "ngx_http_payer_reading.h"


static void ngx_http_payer_execute_doubt(ngx_http_payer_execution_t *ex,
    ngx_http_payer_call_t *call);
static void ngx_http_payer_execute_unknown(ngx_http_payer_execution_t *ex);
static ngx_int_t ngx_http_payer_execute_verdict(
    ngx_http_payer_execution_t *ex, ngx_http_payer_call_t *call);
static void ngx_http_payer_execute_advance(ngx_http_payer_execution_t *ex);
static void ngx_http_payer_execute_settle(ngx_http_payer_execution_t *ex,
    ngx_http_payer_op_state_e state, ngx_http_payer_exchange_t *x);


/* a reply that is larger is not kept for a replay */

#define NGX_HTTP_PAYER_MAX_KEPT     8192


/* runs when the outcome is known, even if the client has gone */

void
ngx_http_payer_execute_replied(ngx_http_payer_call_t *call)
{
    ngx_http_payer_execution_t  *ex;

    ex = call->data;

    switch (call->outcome) {

    case NGX_HTTP_PAYER_DONE:
        ngx_http_payer_execute_advance(ex);
        ngx_http_payer_execute_settle(ex, NGX_HTTP_PAYER_OP_DONE,
                                      &call->exchange);
        break;

    case NGX_HTTP_PAYER_REFUSED:

        if (ngx_http_payer_api_answered(call)) {
            ngx_http_payer_execute_settle(ex, NGX_HTTP_PAYER_OP_REFUSED,
                                          &call->exchange);
            break;
        }

        /* fall through */

    case NGX_HTTP_PAYER_FAILED:

        ngx_http_payer_execute_count(ex, NGX_HTTP_PAYER_COUNTED_NOT_SENT);
        (void) ngx_http_payer_execute_audit(ex, "not_sent", call->status);

        /* it did not happen: a repeat starts anew, unless an earlier one
         * is still in doubt */

        if (!ex->found) {
            (void) ngx_http_payer_execute_write(ex, 1);
        }

        break;

    case NGX_HTTP_PAYER_UNKNOWN:
        ngx_http_payer_execute_doubt(ex, call);
        ngx_http_payer_execute_unknown(ex);
        ngx_http_payer_execute_settle(ex, NGX_HTTP_PAYER_OP_UNKNOWN, NULL);
        break;

    default: /* NGX_HTTP_PAYER_CONFLICT: the read tells */
        ngx_http_payer_execute_doubt(ex, call);
        break;
    }
}


/* since when it is in doubt: a try that had a reply does not begin it anew */

static void
ngx_http_payer_execute_doubt(ngx_http_payer_execution_t *ex,
    ngx_http_payer_call_t *call)
{
    if (call->lost || ex->op.doubt == 0) {
        ex->op.doubt = ngx_time();
    }
}


void
ngx_http_payer_execute_was_read(ngx_http_payer_call_t *call)
{
    ngx_http_payer_execution_t  *ex;

    ex = call->data;

    switch (ngx_http_payer_execute_verdict(ex, call)) {

    case NGX_OK:

        if (ex->operation == NGX_HTTP_PAYER_CALL_CANCEL
            || ex->operation == NGX_HTTP_PAYER_CALL_RELEASE)
        {
            ngx_http_payer_execute_advance(ex);

        } else {
            ngx_http_payer_execute_shown(ex->operation, &ex->ctx->record);
        }

        ngx_http_payer_execute_settle(ex, NGX_HTTP_PAYER_OP_DONE,
                                      &call->exchange);
        break;

    case NGX_DECLINED:

        if (ex->wanted) {

            /*
             * Not returned to a client, and a refusal in doubt is not final:
             * it was not done, and the next one tries it again.
             */

            ngx_http_payer_execute_count(ex, NGX_HTTP_PAYER_COUNTED_REFUSED);
            (void) ngx_http_payer_execute_audit(ex, "refused",
                                                ex->call->exchange.status);
            (void) ngx_http_payer_execute_write(ex, 1);
            break;
        }

        ngx_http_payer_execute_settle(ex, NGX_HTTP_PAYER_OP_REFUSED,
                                      &ex->call->exchange);
        break;

    default: /* NGX_AGAIN */

        if (!ex->wanted) {

            /* not the outcome, but a further try would be rejected, too */

            ex->op.status = ex->call->exchange.status;
        }

        ngx_http_payer_execute_unknown(ex);
        ngx_http_payer_execute_settle(ex, NGX_HTTP_PAYER_OP_UNKNOWN, NULL);
        break;
    }
}


/*
 * An order that was to be cancelled or released, and perhaps is, is not sold
 * by what was said before.
 */

static void
ngx_http_payer_execute_unknown(ngx_http_payer_execution_t *ex)
{
    ngx_http_payer_record_t  *record;

    record = &ex->ctx->record;

    record->unknown = 1;

    if (ex->operation == NGX_HTTP_PAYER_CALL_CANCEL
        || (ex->operation == NGX_HTTP_PAYER_CALL_RELEASE
            && record->captured <= 0))
    {
        record->closed = 1;
    }
}


/* Payer's status need not show whether it was a cancel or a release */

void
ngx_http_payer_execute_shown(ngx_http_payer_call_e operation,
    ngx_http_payer_record_t *record)
{
    switch (operation) {

    case NGX_HTTP_PAYER_CALL_CANCEL:
        record->state = NGX_HTTP_PAYER_CANCELLED;
        record->closed = 1;
        break;

    case NGX_HTTP_PAYER_CALL_RELEASE:
        ngx_http_payer_record_released(record);
        break;

    case NGX_HTTP_PAYER_CALL_REFUND:

        /* the read has the sum */

        ngx_http_payer_record_refunded(record, 0);
        break;

    default: /* a capture, whose sum the read has */
        break;
    }
}


/* applies the read, if it is about this payment, and decides */

static ngx_int_t
ngx_http_payer_execute_verdict(ngx_http_payer_execution_t *ex,
    ngx_http_payer_call_t *call)
{
    ngx_http_payer_verdict_e        verdict;
    ngx_http_payer_json_payment_t  *payment;

    payment = call->result;

    if (call->outcome != NGX_HTTP_PAYER_DONE || payment->payment_id.len == 0) {
        return NGX_AGAIN;
    }

    if (ex->ctx->found
        && ngx_http_payer_reading_apply(ex->ctx, payment, &verdict) != NGX_OK)
    {
        return NGX_AGAIN;
    }

    ex->read_back = 1;

    return ngx_http_payer_op_outcome(ex->operation, &ex->op, payment,
                                     &ex->sums.others, ngx_time());
}


/* the effect of a completed operation on the record, before the next read */

static void
ngx_http_payer_execute_advance(ngx_http_payer_execution_t *ex)
{
    ngx_http_payer_record_t  *record;

    record = &ex->ctx->record;

    /* this reply does not settle another operation in doubt */

    if (ex->found || ex->operation == NGX_HTTP_PAYER_CALL_CANCEL) {
        record->unknown = 0;
    }

    switch (ex->operation) {

    case NGX_HTTP_PAYER_CALL_CAPTURE:
        ngx_http_payer_record_captured(record, ex->op.amount,
                                       ex->params->release_rest == 1);
        break;

    case NGX_HTTP_PAYER_CALL_REFUND:
        ngx_http_payer_record_refunded(record, ex->op.amount);
        break;

    default: /* NGX_HTTP_PAYER_CALL_CANCEL, NGX_HTTP_PAYER_CALL_RELEASE */
        ngx_http_payer_execute_shown(ex->operation, record);
        break;
    }
}


static void
ngx_http_payer_execute_settle(ngx_http_payer_execution_t *ex,
    ngx_http_payer_op_state_e state, ngx_http_payer_exchange_t *x)
{
    const char  *outcome;

    ex->op.state = state;

    ngx_http_payer_execute_count(ex,
                                 (state == NGX_HTTP_PAYER_OP_DONE)
                                 ? NGX_HTTP_PAYER_COUNTED_DONE
                                 : (state == NGX_HTTP_PAYER_OP_REFUSED)
                                 ? NGX_HTTP_PAYER_COUNTED_REFUSED
                                 : NGX_HTTP_PAYER_COUNTED_UNKNOWN);

    if (x) {
        ex->op.status = x->status;
        ex->op.reply_type = x->reply_type;
        ex->op.reply = x->reply;
    }

    outcome = (state == NGX_HTTP_PAYER_OP_DONE) ? "done"
              : (state == NGX_HTTP_PAYER_OP_REFUSED) ? "refused" : "unknown";

    (void) ngx_http_payer_execute_audit(ex, outcome, ex->op.status);

    if (ex->claimed) {
        ex->ctx->act = NGX_HTTP_PAYER_CLAIM_RELEASE;
    }

    (void) ngx_http_payer_execute_write(ex, 0);
}


/* the operation with the payment's record, or the operation's removal */

ngx_int_t
ngx_http_payer_execute_write(ngx_http_payer_execution_t *ex,
    ngx_uint_t forget)
{
    ngx_int_t                     rc;
    ngx_uint_t                    n;
    ngx_http_payer_op_t           op;
    ngx_http_payer_ctx_t         *ctx;
    ngx_http_payer_store_entry_t  entries[3], *entry;

    ctx = ex->ctx;
    n = 1;
    entry = entries;

    ngx_memzero(entries, sizeof(entries));

    entry->key = ex->key;
    entry->merge = ngx_http_payer_op_forget;

    if (!forget) {
        ex->op.updated = ngx_time();
        op = ex->op;

        if (op.reply.len > NGX_HTTP_PAYER_MAX_KEPT) {
            ngx_str_null(&op.reply);
        }

        if (ngx_http_payer_op_encode(ctx->request->pool, &op,
                                     &entry->value)
            != NGX_OK)
        {
            ctx->io.rc = NGX_ERROR;
            return NGX_ERROR;
        }

        entry->merge = ngx_http_payer_op_merge;
        entry->expires = ngx_http_payer_keep_operation(ctx->conf);

        rc = ngx_http_payer_execute_bind(ex, &entries[1]);

        if (rc == NGX_ERROR) {

            /* a late repeat would affect another payment */

            ctx->io.rc = NGX_ERROR;
            return NGX_ERROR;
        }

        if (rc == NGX_OK) {
            n++;
        }

        rc = ngx_http_payer_book_entry(ctx, &op,
                              &ngx_http_payer_api_type(ex->operation)->name,
                              &ctx->record.payment_id, &entries[n]);

        if (rc == NGX_ERROR) {
            ctx->io.rc = NGX_ERROR;
            return NGX_ERROR;
        }

        if (rc == NGX_OK) {
            n++;
        }
    }

    /* only for an operation that Payer has carried out */

    return ngx_http_payer_ledger_write_all(ctx,
                                           (!forget && ex->op.state
                                            == NGX_HTTP_PAYER_OP_DONE)
                                           ? NGX_HTTP_PAYER_BY_REPLY
                                           : NGX_HTTP_PAYER_BY_SELF,
                                           entries, n);
}


ngx_int_t
ngx_http_payer_execute_audit(ngx_http_payer_execution_t *ex,
    const char *outcome, ngx_uint_t status)
{
    ngx_http_payer_ctx_t         *ctx;
    ngx_http_payer_audit_line_t   line;

    ctx = ex->ctx;

    if (outcome && !ex->audited) {
        return NGX_OK;
    }

    ngx_memzero(&line, sizeof(ngx_http_payer_audit_line_t));

    line.id = ex->op.request_id;
    line.actor = ex->actor;
    line.operation = &ngx_http_payer_api_type(ex->operation)->name;
    line.payment_id = ctx->record.payment_id;
    line.key = ex->id;
    line.reason = ex->params->reason;
    line.amount = ex->op.amount;
    line.status = status;
    line.outcome = outcome;
    line.unattended = ex->unattended;

    if (ctx->found) {
        line.reference = ctx->record.reference;
        line.currency = ctx->record.currency;

    } else {
        line.reference = ex->params->reference;
    }

    return ngx_http_payer_audit(ctx, &line);
}


void
ngx_http_payer_execute_count(ngx_http_payer_execution_t *ex,
    ngx_http_payer_counted_e result)
{
    ngx_http_payer_count(ex->ctx->conf->main->zone,
                         NGX_HTTP_PAYER_COUNT_OPERATIONS, ex->operation,
                         result);
}
