
/*
 * Records: any bytes decode or are refused, what decodes is encoded to the
 * same bytes (of the former format: to a record that says the same), and a
 * merge never goes backwards.  The input is two records,
 * the length of the first one in two bytes before it.
 *
 * sources: ngx_http_payer_record.c ngx_http_payer_record_codec.c
 * sources: ngx_http_payer_record_sum.c
 * sources: ngx_http_payer_codec.c
 */


#include "fuzz.h"
#include "ngx_http_payer_record.h"


static void fuzz_record_round(ngx_str_t *value,
    ngx_http_payer_record_t *record);
static void fuzz_record_merged(ngx_http_payer_record_t *stored,
    ngx_http_payer_record_t *fresh, ngx_str_t *value);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                    len;
    ngx_int_t                 rc, one, other;
    ngx_str_t                 stored, fresh, kept;
    ngx_http_payer_record_t   a, b;

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
    fresh = shim_text(data + len, size - len);
    kept = shim_text(data, len);

    one = ngx_http_payer_record_decode(&stored, &a);
    other = ngx_http_payer_record_decode(&fresh, &b);

    fuzz_assert(one == NGX_OK || one == NGX_DECLINED);

    if (one == NGX_OK) {
        fuzz_record_round(&stored, &a);
    }

    rc = ngx_http_payer_record_merge(&stored, &fresh);

    fuzz_assert(fuzz_same(&stored, &kept));
    fuzz_assert(rc == NGX_OK || rc == NGX_DECLINED);

    if (rc == NGX_OK) {
        fuzz_assert(one == NGX_OK && other == NGX_OK);
        fuzz_record_merged(&a, &b, &fresh);
    }

    free(stored.data);
    free(fresh.data);
    free(kept.data);

    return 0;
}


static void
fuzz_record_round(ngx_str_t *value, ngx_http_payer_record_t *record)
{
    size_t                    len;
    ngx_str_t                 again;
    ngx_int_t                 rc;
    ngx_pool_t               *pool;
    ngx_http_payer_record_t   now;

    pool = shim_create_pool();

    rc = ngx_http_payer_record_encode(pool, record, &again);

    len = value->len;

    if (value->data[2] < 3) {

        /* three empty texts more, and the longer head */

        len += 6 + (value->data[2] == 1 ? 56 : 0);
    }

    if (len > NGX_HTTP_PAYER_STORE_MAX_VALUE) {
        fuzz_assert(rc == NGX_ERROR);

    } else if (value->data[2] < 3) {
        fuzz_assert(rc == NGX_OK);
        fuzz_assert(again.len == len);
        fuzz_assert(ngx_http_payer_record_decode(&again, &now) == NGX_OK);
        fuzz_assert(value->data[2] == 2
                    || !ngx_http_payer_record_has_ticket(&now));
        fuzz_assert(now.notify.len + now.lookup.len + now.server.len == 0);
        fuzz_assert(now.amount == record->amount
                    && now.state == record->state);
        fuzz_assert(fuzz_same(&now.request_id, &record->request_id));

    } else {
        fuzz_assert(rc == NGX_OK);
        fuzz_assert(fuzz_same(value, &again));
    }

    shim_destroy_pool(pool);
}


/* "fresh" is what it was before the merge, "value" what the merge made */

static void
fuzz_record_merged(ngx_http_payer_record_t *stored,
    ngx_http_payer_record_t *fresh, ngx_str_t *value)
{
    ngx_http_payer_record_t  now;

    fuzz_assert(ngx_http_payer_record_decode(value, &now) == NGX_OK);
    fuzz_assert(fuzz_same(&now.payment_id, &fresh->payment_id));

    if (ngx_http_payer_record_has_ticket(stored)) {
        fuzz_assert(ngx_memcmp(now.ticket, stored->ticket,
                               NGX_HTTP_PAYER_TICKET_LEN) == 0);
    }

    if (now.payment_id.len == 0
        || !fuzz_same(&now.payment_id, &stored->payment_id))
    {
        /* the order was taken over, or has got its payment */

        fuzz_assert(now.signed_until >= stored->signed_until);
        fuzz_assert(now.words >= stored->words);

        if (stored->payment_id.len) {
            fuzz_assert(!ngx_http_payer_state_paid(stored->state));
            fuzz_assert(stored->state != NGX_HTTP_PAYER_INITIATED);
            fuzz_assert(now.state <= NGX_HTTP_PAYER_INITIATED);
        }

        return;
    }

    fuzz_assert(now.state == stored->state || now.state == fresh->state
                || now.state == NGX_HTTP_PAYER_ENDED
                || now.state == NGX_HTTP_PAYER_REFUNDED);
    fuzz_assert(now.amount == stored->amount);
    fuzz_assert(now.updated >= stored->updated);

    /* only a granted cancel takes a paid order back */

    if (ngx_http_payer_state_paid(stored->state)
        && !ngx_http_payer_state_paid(now.state)
        && now.state < NGX_HTTP_PAYER_RELEASED)
    {
        fuzz_assert(stored->state == NGX_HTTP_PAYER_AUTHORIZED);
        fuzz_assert(now.state == NGX_HTTP_PAYER_CANCELLED);
        fuzz_assert(fresh->source == NGX_HTTP_PAYER_BY_REPLY);
    }

    if (stored->state == NGX_HTTP_PAYER_CANCELLED) {
        fuzz_assert(now.state == NGX_HTTP_PAYER_CANCELLED);
    }

    fuzz_assert(now.authorized >= stored->authorized);
    fuzz_assert(now.captured >= stored->captured);
    fuzz_assert(now.refunded >= stored->refunded);
    fuzz_assert(now.signed_until >= stored->signed_until);
    fuzz_assert(now.words >= stored->words);
    fuzz_assert(!stored->closed || now.closed);

    /* only sums make an order refunded, or whoever says so */

    if (now.state == NGX_HTTP_PAYER_REFUNDED
        && stored->state != NGX_HTTP_PAYER_REFUNDED
        && fresh->state != NGX_HTTP_PAYER_REFUNDED)
    {
        fuzz_assert(now.captured > 0 && now.refunded >= now.captured);
    }
}
