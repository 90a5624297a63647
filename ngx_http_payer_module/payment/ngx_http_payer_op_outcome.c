
/*
 * Whether an operation whose reply was lost shows in what Payer says of the
 * payment.
 *
 * A payment says how much was captured and refunded, and not by which
 * requests.  So the known operations are counted first, then the payment is
 * read, and an amount beyond them proves the operation in question, unless
 * others in doubt may have caused it.
 *
 * What does not show may be shown later: Payer may still be processing it.
 * For ten minutes it is unknown, and not counted as not done.
 */


#include "ngx_http_payer_op_outcome.h"
#include "ngx_http_payer_amount.h"
#include "ngx_http_payer_record.h"


static ngx_int_t ngx_http_payer_op_outcome_shown(
    ngx_http_payer_call_e operation, ngx_http_payer_op_t *op,
    ngx_http_payer_json_payment_t *payment,
    ngx_http_payer_others_t *others);
static ngx_int_t ngx_http_payer_op_outcome_capture(ngx_http_payer_op_t *op,
    ngx_http_payer_json_payment_t *payment, ngx_http_payer_others_t *others);
static ngx_int_t ngx_http_payer_op_outcome_sum(ngx_http_payer_op_t *op,
    int64_t sum, ngx_http_payer_others_t *others);


void
ngx_http_payer_op_outcome_other(ngx_http_payer_others_t *others,
    ngx_str_t *value)
{
    ngx_http_payer_op_t  op;

    if (ngx_http_payer_op_decode(value, &op) != NGX_OK) {
        others->vague++;

    } else if (op.state == NGX_HTTP_PAYER_OP_REFUSED) {
        return;

    } else if (op.amount == -1) {
        others->vague++;

    } else if (op.state == NGX_HTTP_PAYER_OP_DONE) {
        others->done = ngx_http_payer_amount_add(others->done, op.amount);

    } else {
        others->open = ngx_http_payer_amount_add(others->open, op.amount);
    }
}


ngx_int_t
ngx_http_payer_op_outcome(ngx_http_payer_call_e operation,
    ngx_http_payer_op_t *op, ngx_http_payer_json_payment_t *payment,
    ngx_http_payer_others_t *others, time_t now)
{
    ngx_int_t               rc;
    ngx_http_payer_state_e  state;

    if (operation == NGX_HTTP_PAYER_CALL_CANCEL) {

        /* a usable link is to be cancelled again, regardless of the time */

        state = ngx_http_payer_state_of(&payment->status);

        return (state == NGX_HTTP_PAYER_CANCELLED) ? NGX_OK
               : (state == 0 || state == NGX_HTTP_PAYER_INITIATED) ? NGX_AGAIN
               : NGX_DECLINED;
    }

    rc = ngx_http_payer_op_outcome_shown(operation, op, payment, others);

    return (rc == NGX_DECLINED && ngx_http_payer_op_early(op, now))
           ? NGX_AGAIN : rc;
}


static ngx_int_t
ngx_http_payer_op_outcome_shown(ngx_http_payer_call_e operation,
    ngx_http_payer_op_t *op, ngx_http_payer_json_payment_t *payment,
    ngx_http_payer_others_t *others)
{
    ngx_http_payer_state_e  state;

    switch (operation) {

    case NGX_HTTP_PAYER_CALL_CAPTURE:
        return ngx_http_payer_op_outcome_capture(op, payment, others);

    case NGX_HTTP_PAYER_CALL_RELEASE:
        state = ngx_http_payer_state_of(&payment->status);

        return (state == NGX_HTTP_PAYER_AUTHORIZED
                || state == NGX_HTTP_PAYER_INITIATED) ? NGX_DECLINED
               : (state == NGX_HTTP_PAYER_CANCELLED) ? NGX_OK
               : NGX_AGAIN;

    default: /* NGX_HTTP_PAYER_CALL_REFUND */

        if (payment->refunded < 0) {

            /* a read need not show refunds */

            return NGX_AGAIN;
        }

        return ngx_http_payer_op_outcome_sum(op, payment->refunded, others);
    }
}


static ngx_int_t
ngx_http_payer_op_outcome_capture(ngx_http_payer_op_t *op,
    ngx_http_payer_json_payment_t *payment, ngx_http_payer_others_t *others)
{
    ngx_http_payer_state_e  state;

    if (payment->captured >= 0) {
        return ngx_http_payer_op_outcome_sum(op, payment->captured, others);
    }

    state = ngx_http_payer_state_of(&payment->status);

    return (state == NGX_HTTP_PAYER_AUTHORIZED
            || state == NGX_HTTP_PAYER_INITIATED) ? NGX_DECLINED
           : (state == NGX_HTTP_PAYER_FULLY_CAPTURED && others->open == 0
              && others->vague == 0 && others->done == 0) ? NGX_OK
           : NGX_AGAIN;
}


static ngx_int_t
ngx_http_payer_op_outcome_sum(ngx_http_payer_op_t *op, int64_t sum,
    ngx_http_payer_others_t *others)
{
    int64_t  left, amount;

    /* at least this amount was done by others */

    left = sum - ngx_max(op->before, others->done);
    amount = (op->amount == -1) ? 1 : op->amount;

    if (left < amount) {
        return NGX_DECLINED;
    }

    if (others->open == 0 && others->vague == 0) {
        return NGX_OK;
    }

    return (op->amount != -1 && others->vague == 0
            && left - amount >= others->open) ? NGX_OK : NGX_AGAIN;
}
