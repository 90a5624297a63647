
/*
 * What a record and Payer's status prove.
 *
 * Paid means that Payer's status is one of the three paid ones, for the
 * payment of this order, in the stored currency, and with at least the stored
 * amount.  A missing or unknown value proves nothing.
 */


#include "ngx_http_payer_proof.h"


static ngx_uint_t ngx_http_payer_proof_given_back(
    ngx_http_payer_record_t *record, ngx_http_payer_json_payment_t *payment,
    ngx_http_payer_state_e state);
static ngx_uint_t ngx_http_payer_proof_alike(ngx_str_t *told,
    ngx_str_t *ours);
static ngx_uint_t ngx_http_payer_proof_equal(ngx_str_t *one,
    ngx_str_t *other);


ngx_http_payer_state_e
ngx_http_payer_proof_state(ngx_http_payer_json_payment_t *payment)
{
    ngx_http_payer_state_e  state;

    state = ngx_http_payer_state_of(&payment->status);

    return (state == 0 && payment->dead) ? NGX_HTTP_PAYER_CANCELLED : state;
}


int64_t
ngx_http_payer_proof_sum(ngx_http_payer_record_t *record)
{
    return ngx_max(record->authorized, record->captured);
}


ngx_uint_t
ngx_http_payer_proof_covers(ngx_http_payer_record_t *record, int64_t amount,
    ngx_str_t *currency)
{
    int64_t  sum;

    sum = ngx_http_payer_proof_sum(record);

    if (sum < 0
        || (record->authorized < record->captured
            && record->state == NGX_HTTP_PAYER_PARTIALLY_CAPTURED))
    {
        /* a part was captured of what was never read: of what was ordered */

        sum = ngx_max(record->amount, sum);
    }

    return sum >= amount
           && ngx_http_payer_proof_equal(&record->currency, currency);
}


ngx_uint_t
ngx_http_payer_proof_wanted(ngx_http_payer_record_t *record)
{
    ngx_str_t  currency;

    if (record->wanted == 0) {
        return 1;
    }

    currency.data = record->wanted_currency;
    currency.len = 3;

    return ngx_http_payer_proof_covers(record, record->wanted, &currency);
}


ngx_uint_t
ngx_http_payer_proof_paid(ngx_http_payer_record_t *record)
{
    return ngx_http_payer_state_paid(record->state)
           && record->payment_id.len
           && record->amount > 0
           && ngx_http_payer_proof_sum(record) >= record->amount;
}


ngx_uint_t
ngx_http_payer_proof_recent(ngx_http_payer_record_t *record, time_t cache,
    time_t now)
{
    /*
     * An intent and the reply to an operation show what was done here, not the
     * status at Payer; and an unknown status does not change the state.
     */

    return record->updated <= now
           && now - record->updated < cache
           && record->source >= NGX_HTTP_PAYER_BY_VERIFY
           && !record->unknown
           && ngx_http_payer_proof_paid(record)
           && ngx_http_payer_state_paid(
                                    ngx_http_payer_state_of(&record->status));
}


ngx_uint_t
ngx_http_payer_proof_lost(ngx_http_payer_record_t *record)
{
    return record->state == NGX_HTTP_PAYER_CANCELLED
           || record->state == NGX_HTTP_PAYER_REFUNDED;
}


ngx_http_payer_verdict_e
ngx_http_payer_proof_bind(ngx_http_payer_record_t *record,
    ngx_http_payer_json_payment_t *payment, const char **reason)
{
    if (!ngx_http_payer_proof_equal(&payment->payment_id,
                                    &record->payment_id))
    {
        *reason = "does not name the requested payment";
        return NGX_HTTP_PAYER_UNSURE;
    }

    if (payment->reference.len
        && !ngx_http_payer_proof_equal(&payment->reference,
                                       &record->reference))
    {
        if (ngx_http_payer_proof_alike(&payment->reference,
                                       &record->reference))
        {
            *reason = "names the order in another form";
            return NGX_HTTP_PAYER_UNSURE;
        }

        *reason = "names another order";
        return NGX_HTTP_PAYER_UNPAID;
    }

    if (payment->currency.len
        && !ngx_http_payer_proof_equal(&payment->currency, &record->currency))
    {
        *reason = "names another currency than the order's";
        return NGX_HTTP_PAYER_UNPAID;
    }

    /* without a currency the id is sufficient only if the amount matches */

    if (payment->currency.len == 0 && payment->amount != record->amount) {
        *reason = "names no currency and another amount than the order's";
        return NGX_HTTP_PAYER_UNSURE;
    }

    return NGX_HTTP_PAYER_UNDECIDED;
}


ngx_http_payer_verdict_e
ngx_http_payer_proof_weigh(ngx_http_payer_record_t *record,
    ngx_http_payer_json_payment_t *payment, const char **reason)
{
    int64_t                 sum;
    ngx_http_payer_state_e  state;

    *reason = NULL;

    state = ngx_http_payer_proof_state(payment);

    if (state == 0) {
        *reason = "has a status that is not known here";
        return NGX_HTTP_PAYER_PENDING;
    }

    if (!ngx_http_payer_state_paid(state)) {
        return NGX_HTTP_PAYER_UNPAID;
    }

    if (ngx_http_payer_proof_given_back(record, payment, state)) {
        return NGX_HTTP_PAYER_UNPAID;
    }

    /* capturing a part, and releasing the rest, does not undo the payment */

    if (ngx_http_payer_proof_paid(record)) {
        return NGX_HTTP_PAYER_PAID;
    }

    sum = ngx_max(payment->authorized, payment->captured);

    if (sum < 0) {
        *reason = "names no authorized or captured amount";
        return NGX_HTTP_PAYER_UNSURE;
    }

    if (record->amount <= 0 || sum < record->amount) {
        *reason = "names a smaller amount than the order's";
        return NGX_HTTP_PAYER_UNPAID;
    }

    return NGX_HTTP_PAYER_PAID;
}


/* whether the whole amount was refunded, by the record and by the read */

static ngx_uint_t
ngx_http_payer_proof_given_back(ngx_http_payer_record_t *record,
    ngx_http_payer_json_payment_t *payment, ngx_http_payer_state_e state)
{
    ngx_http_payer_record_t  now;

    now = *record;
    now.state = state;
    now.authorized = ngx_max(record->authorized, payment->authorized);
    now.captured = ngx_max(record->captured, payment->captured);
    now.refunded = ngx_max(record->refunded, payment->refunded);

    ngx_http_payer_record_balance(&now);

    return now.state == NGX_HTTP_PAYER_REFUNDED;
}


/*
 * Whether Payer may have truncated the reference, or changed its case.  The
 * payment id is the proof and this is only an additional check, which must not
 * make the buyer pay again.
 */

static ngx_uint_t
ngx_http_payer_proof_alike(ngx_str_t *told, ngx_str_t *ours)
{
    return told->len <= ours->len
           && ngx_strncasecmp(told->data, ours->data, told->len) == 0;
}


static ngx_uint_t
ngx_http_payer_proof_equal(ngx_str_t *one, ngx_str_t *other)
{
    return one->len == other->len
           && (one->len == 0
               || ngx_memcmp(one->data, other->data, one->len) == 0);
}


void
ngx_http_payer_proof_silence(ngx_http_payer_record_t *record)
{
    if (ngx_http_payer_state_paid(ngx_http_payer_state_of(&record->status))
        && !ngx_http_payer_proof_paid(record))
    {
        ngx_str_null(&record->status);
    }
}
