
/*
 * Whether an order counts as paid: a record, with its length in two bytes
 * before it, and what Payer answers.  The rule is stated once more, in one
 * piece, and nothing else may prove a payment.
 *
 * sources: ngx_http_payer_amount.c
 * sources: ngx_http_payer_proof.c ngx_http_payer_record.c
 * sources: ngx_http_payer_json_time.c
 * sources: ngx_http_payer_record_codec.c
 * sources: ngx_http_payer_record_sum.c
 * sources: ngx_http_payer_codec.c ngx_http_payer_json.c
 * sources: ngx_http_payer_json_parse.c ngx_http_payer_json_written.c
 * sources: ngx_http_payer_json_pointer.c
 * sources: ngx_http_payer_order.c
 */


#include "fuzz.h"

#include "ngx_http_payer_proof.h"


static ngx_uint_t fuzz_is_paid(ngx_http_payer_record_t *record,
    ngx_http_payer_json_payment_t *payment);
static ngx_uint_t fuzz_is(ngx_str_t *text, const char *word);
static void fuzz_alone(ngx_http_payer_record_t *record);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                          len;
    ngx_str_t                       stored, reply;
    ngx_pool_t                     *pool;
    const char                     *reason;
    ngx_http_payer_record_t         record;
    ngx_http_payer_verdict_e        verdict;
    ngx_http_payer_json_payment_t   payment;

    if (size < 2) {
        return 0;
    }

    len = data[0] | data[1] << 8;
    data += 2;
    size -= 2;

    if (len > size) {
        len = size;
    }

    stored = shim_text(data, len);
    reply = shim_text(data + len, size - len);
    pool = shim_create_pool();

    if (ngx_http_payer_record_decode(&stored, &record) == NGX_OK) {
        fuzz_alone(&record);

        if (ngx_http_payer_json_read_payment(pool, &reply, &payment, &reason)
            == NGX_OK)
        {
            verdict = ngx_http_payer_proof_bind(&record, &payment, &reason);

            fuzz_assert(verdict != NGX_HTTP_PAYER_PAID);

            if (verdict == NGX_HTTP_PAYER_UNDECIDED) {
                verdict = ngx_http_payer_proof_weigh(&record, &payment,
                                                     &reason);
                fuzz_assert(verdict != NGX_HTTP_PAYER_UNDECIDED);
                fuzz_assert((verdict == NGX_HTTP_PAYER_PENDING)
                            == (ngx_http_payer_state_of(&payment.status)
                                == 0));
            }

            fuzz_assert((verdict == NGX_HTTP_PAYER_PAID)
                        == fuzz_is_paid(&record, &payment));
        }
    }

    shim_destroy_pool(pool);
    free(stored.data);
    free(reply.data);

    fuzz_assert(shim_live == 0);

    return 0;
}


static ngx_uint_t
fuzz_is_paid(ngx_http_payer_record_t *record,
    ngx_http_payer_json_payment_t *payment)
{
    int64_t     authorized, captured, refunded;
    ngx_uint_t  before, given_back;

    /* everything captured, or the rest released, and all of it refunded */

    authorized = ngx_max(record->authorized, payment->authorized);
    captured = ngx_max(record->captured, payment->captured);
    refunded = ngx_max(record->refunded, payment->refunded);

    given_back = captured > 0 && refunded >= captured
                 && (fuzz_is(&payment->status, "FULLY_CAPTURED")
                     || (fuzz_is(&payment->status, "PARTIALLY_CAPTURED")
                         && (record->rest_gone
                             || (captured >= authorized
                                 && captured >= record->amount))));

    before = (record->state == NGX_HTTP_PAYER_AUTHORIZED
              || record->state == NGX_HTTP_PAYER_PARTIALLY_CAPTURED
              || record->state == NGX_HTTP_PAYER_FULLY_CAPTURED)
             && record->payment_id.len && record->amount > 0
             && (record->authorized >= record->amount
                 || record->captured >= record->amount);

    return (fuzz_is(&payment->status, "AUTHORIZED")
            || fuzz_is(&payment->status, "PARTIALLY_CAPTURED")
            || fuzz_is(&payment->status, "FULLY_CAPTURED"))
           && fuzz_same(&payment->payment_id, &record->payment_id)
           && (payment->reference.len == 0
               || fuzz_same(&payment->reference, &record->reference))
           && (payment->currency.len
               ? fuzz_same(&payment->currency, &record->currency)
               : payment->amount == record->amount)
           && !given_back
           && (before
               || (record->amount > 0
                   && (payment->authorized >= record->amount
                       || payment->captured >= record->amount)));
}


static ngx_uint_t
fuzz_is(ngx_str_t *text, const char *word)
{
    return text->len == strlen(word)
           && memcmp(text->data, word, text->len) == 0;
}


/* what a record says on its own: no word of money for what is not paid */

static void
fuzz_alone(ngx_http_payer_record_t *record)
{
    ngx_http_payer_record_t  quiet;

    if (ngx_http_payer_proof_lost(record)) {
        fuzz_assert(!ngx_http_payer_proof_paid(record));
    }

    if (ngx_http_payer_proof_recent(record, 5, record->updated)) {
        fuzz_assert(ngx_http_payer_proof_paid(record));
        fuzz_assert(!ngx_http_payer_proof_recent(record, 5,
                                                 record->updated + 5));
    }

    quiet = *record;
    ngx_http_payer_proof_silence(&quiet);

    if (!ngx_http_payer_proof_paid(record)) {
        fuzz_assert(!fuzz_is(&quiet.status, "AUTHORIZED")
                    && !fuzz_is(&quiet.status, "PARTIALLY_CAPTURED")
                    && !fuzz_is(&quiet.status, "FULLY_CAPTURED"));

    } else {
        fuzz_assert(fuzz_same(&quiet.status, &record->status));
    }
}
