
/*
 * What a record and Payer's status prove.
 *
 * sources: ngx_http_payer_proof.c ngx_http_payer_record.c
 * sources: ngx_http_payer_record_codec.c
 * sources: ngx_http_payer_record_sum.c ngx_http_payer_codec.c
 */


#include "unit.h"

#include "ngx_http_payer_proof.h"


#define NOW     1700000000
#define CACHE   5


typedef struct {
    const char  *name;
    int          verdict;
    const char  *id;
    const char  *reference;
    const char  *currency;
    const char  *status;
    int64_t      amount;
    int64_t      authorized;
    int64_t      captured;
    int64_t      refunded;      /* 0 is as good as none */
} reply_t;


#define PAID     NGX_HTTP_PAYER_PAID
#define UNPAID   NGX_HTTP_PAYER_UNPAID
#define PENDING  NGX_HTTP_PAYER_PENDING
#define UNSURE   NGX_HTTP_PAYER_UNSURE


/* of order 1001 over 12900 SEK, payment pay_1, which is initiated */

static reply_t  replies[] = {

    { "the whole sum authorized", PAID,
      "pay_1", "1001", "SEK", "AUTHORIZED", 12900, 12900, 0, 0 },
    { "more than the sum authorized", PAID,
      "pay_1", "1001", "SEK", "AUTHORIZED", 12900, 12901, 0, 0 },
    { "a part captured", PAID,
      "pay_1", "1001", "SEK", "PARTIALLY_CAPTURED", 12900, 12900, 1, 0 },
    { "all captured, and the authorization used up", PAID,
      "pay_1", "1001", "SEK", "FULLY_CAPTURED", 12900, 0, 12900, 0 },
    { "the authorized amount not given", PAID,
      "pay_1", "1001", "SEK", "FULLY_CAPTURED", 12900, -1, 12900, 0 },
    { "the reference not given", PAID,
      "pay_1", "", "SEK", "AUTHORIZED", 12900, 12900, 0, 0 },
    { "the currency not given, the order's amount given", PAID,
      "pay_1", "1001", "", "AUTHORIZED", 12900, 12900, 0, 0 },

    { "initiated", UNPAID,
      "pay_1", "1001", "SEK", "INITIATED", 12900, 0, 0, 0 },
    { "initiated, whatever the amounts say", UNPAID,
      "pay_1", "1001", "SEK", "INITIATED", 12900, 12900, 12900, 0 },
    { "cancelled", UNPAID,
      "pay_1", "1001", "SEK", "CANCELLED", 12900, 12900, 0, 0 },
    { "one minor unit less authorized", UNPAID,
      "pay_1", "1001", "SEK", "AUTHORIZED", 12900, 12899, 0, 0 },
    { "one minor unit less captured", UNPAID,
      "pay_1", "1001", "SEK", "FULLY_CAPTURED", 12900, 0, 12899, 0 },
    { "two halves are not added up", UNPAID,
      "pay_1", "1001", "SEK", "PARTIALLY_CAPTURED", 12900, 6450, 6450, 0 },
    { "another order", UNPAID,
      "pay_1", "1002", "SEK", "AUTHORIZED", 12900, 12900, 0, 0 },
    { "an order whose number begins like ours", UNPAID,
      "pay_1", "10010", "SEK", "AUTHORIZED", 12900, 12900, 0, 0 },
    { "another currency", UNPAID,
      "pay_1", "1001", "JPY", "AUTHORIZED", 12900, 12900, 0, 0 },
    { "the currency in small letters", UNPAID,
      "pay_1", "1001", "sek", "AUTHORIZED", 12900, 12900, 0, 0 },

    { "all captured, and all refunded", UNPAID,
      "pay_1", "1001", "SEK", "FULLY_CAPTURED", 12900, 12900, 12900, 12900 },
    { "all captured, and all but one minor unit refunded", PAID,
      "pay_1", "1001", "SEK", "FULLY_CAPTURED", 12900, 12900, 12900, 12899 },
    { "a part captured and refunded, the rest is still authorized", PAID,
      "pay_1", "1001", "SEK", "PARTIALLY_CAPTURED", 12900, 12900, 500, 500 },

    { "a new word", PENDING,
      "pay_1", "1001", "SEK", "SETTLED", 12900, 12900, 12900, 0 },
    { "a known word in small letters", PENDING,
      "pay_1", "1001", "SEK", "authorized", 12900, 12900, 0, 0 },
    { "a word that begins like a known one", PENDING,
      "pay_1", "1001", "SEK", "AUTHORIZED_NOT", 12900, 12900, 0, 0 },

    { "another payment", UNSURE,
      "pay_2", "1001", "SEK", "AUTHORIZED", 12900, 12900, 0, 0 },
    { "no payment", UNSURE,
      "", "1001", "SEK", "AUTHORIZED", 12900, 12900, 0, 0 },
    { "no amounts", UNSURE,
      "pay_1", "1001", "SEK", "AUTHORIZED", 12900, -1, -1, 0 },
    { "neither the currency nor the order's amount", UNSURE,
      "pay_1", "1001", "", "AUTHORIZED", 1, 12900, 0, 0 },
    { "neither the currency nor any amount", UNSURE,
      "pay_1", "1001", "", "AUTHORIZED", -1, 12900, 0, 0 },
};


static void text(ngx_str_t *str, const char *s);
static void order(ngx_http_payer_record_t *record,
    ngx_http_payer_state_e state, const char *status);
static ngx_http_payer_verdict_e judge(ngx_http_payer_record_t *record,
    reply_t *reply);
static void test_replies(void);
static void test_parts(void);
static void test_recent(void);
static void test_lost(void);
static void test_dead(void);
static void test_covers(void);


int
main(void)
{
    test_replies();
    test_parts();
    test_recent();
    test_lost();
    test_dead();
    test_covers();

    return unit_done();
}


static void
text(ngx_str_t *str, const char *s)
{
    str->data = (u_char *) s;
    str->len = strlen(s);
}


static void
order(ngx_http_payer_record_t *record, ngx_http_payer_state_e state,
    const char *status)
{
    ngx_memzero(record, sizeof(ngx_http_payer_record_t));

    text(&record->reference, "1001");
    text(&record->payment_id, "pay_1");
    text(&record->currency, "SEK");
    text(&record->status, status);

    record->amount = 12900;
    record->authorized = ngx_http_payer_state_paid(state) ? 12900 : -1;
    record->captured = -1;
    record->refunded = -1;
    record->state = state;
    record->source = NGX_HTTP_PAYER_BY_VERIFY;
    record->updated = NOW;
}


static ngx_http_payer_verdict_e
judge(ngx_http_payer_record_t *record, reply_t *reply)
{
    const char                     *reason;
    ngx_http_payer_verdict_e        verdict;
    ngx_http_payer_json_payment_t   payment;

    text(&payment.payment_id, reply->id);
    text(&payment.reference, reply->reference);
    text(&payment.currency, reply->currency);
    text(&payment.status, reply->status);

    payment.amount = reply->amount;
    payment.authorized = reply->authorized;
    payment.captured = reply->captured;
    payment.refunded = reply->refunded;
    payment.dead = 0;

    verdict = ngx_http_payer_proof_bind(record, &payment, &reason);

    if (verdict == NGX_HTTP_PAYER_UNDECIDED) {
        verdict = ngx_http_payer_proof_weigh(record, &payment, &reason);
    }

    return verdict;
}


static void
test_replies(void)
{
    ngx_uint_t               i;
    ngx_http_payer_record_t  record;

    for (i = 0; i < sizeof(replies) / sizeof(reply_t); i++) {
        order(&record, NGX_HTTP_PAYER_INITIATED, "INITIATED");

        unit_ok(judge(&record, &replies[i])
                == (ngx_http_payer_verdict_e) replies[i].verdict,
                "reply: %s", replies[i].name);
    }
}


static void
test_parts(void)
{
    ngx_http_payer_record_t  record;

    reply_t  part = {
        "", 0, "pay_1", "1001", "SEK", "PARTIALLY_CAPTURED", 12900, 5000, 5000,
        0
    };

    order(&record, NGX_HTTP_PAYER_AUTHORIZED, "AUTHORIZED");

    unit_ok(judge(&record, &part) == PAID,
            "the rest of a paid order may be released");

    part.status = "CANCELLED";

    unit_ok(judge(&record, &part) == UNPAID,
            "but not all of it");

    order(&record, NGX_HTTP_PAYER_AUTHORIZED, "AUTHORIZED");
    record.amount = 0;
    part.status = "AUTHORIZED";

    unit_ok(judge(&record, &part) != PAID, "an order over nothing is not paid");
}


static void
test_recent(void)
{
    ngx_uint_t               n;
    ngx_http_payer_record_t  record;

    order(&record, NGX_HTTP_PAYER_AUTHORIZED, "AUTHORIZED");

#define recent()  ngx_http_payer_proof_recent(&record, CACHE, NOW)

    unit_ok(recent(), "recent: just read");

    record.updated = NOW - CACHE + 1;
    unit_ok(recent(), "recent: read within the time");

    record.updated = NOW - CACHE;
    unit_ok(!recent(), "not recent: the time is over");

    record.updated = NOW + 1;
    unit_ok(!recent(), "not recent: read by a clock that is ahead");

    record.updated = NOW;
    unit_ok(!ngx_http_payer_proof_recent(&record, 0, NOW),
            "not recent: nothing is, without a cache");

    for (n = NGX_HTTP_PAYER_BY_SELF; n <= NGX_HTTP_PAYER_BY_RECONCILE; n++) {
        record.source = n;
        unit_ok(recent() == (n >= NGX_HTTP_PAYER_BY_VERIFY),
                "recent: only what was read, source %d", (int) n);
    }

    order(&record, NGX_HTTP_PAYER_AUTHORIZED, "AUTHORIZED");
    record.unknown = 1;
    unit_ok(!recent(), "not recent: an outcome is open");

    order(&record, NGX_HTTP_PAYER_AUTHORIZED, "DISPUTED");
    unit_ok(!recent(), "not recent: the last word was a new one");

    order(&record, NGX_HTTP_PAYER_AUTHORIZED, "AUTHORIZED");
    record.authorized = 12899;
    unit_ok(!recent(), "not recent: a smaller amount");

    order(&record, NGX_HTTP_PAYER_AUTHORIZED, "AUTHORIZED");
    record.payment_id.len = 0;
    unit_ok(!recent(), "not recent: no payment");

    for (n = NGX_HTTP_PAYER_CREATING; n <= NGX_HTTP_PAYER_STATES; n++) {
        order(&record, n, "AUTHORIZED");
        record.authorized = 12900;

        unit_ok(recent() == (n >= NGX_HTTP_PAYER_AUTHORIZED
                             && n <= NGX_HTTP_PAYER_FULLY_CAPTURED),
                "recent: state %d", (int) n);
    }

#undef recent
}


static void
test_lost(void)
{
    ngx_uint_t               n;
    ngx_http_payer_record_t  record;

    for (n = NGX_HTTP_PAYER_CREATING; n <= NGX_HTTP_PAYER_STATES; n++) {
        order(&record, n, "");

        unit_ok(ngx_http_payer_proof_lost(&record)
                == (n == NGX_HTTP_PAYER_CANCELLED
                    || n == NGX_HTTP_PAYER_REFUNDED),
                "lost: state %d", (int) n);
    }
}


/* payer_status_dead */

static void
test_dead(void)
{
    const char                     *reason;
    ngx_http_payer_record_t         record;
    ngx_http_payer_json_payment_t   payment;

    order(&record, NGX_HTTP_PAYER_INITIATED, "");
    ngx_memzero(&payment, sizeof(ngx_http_payer_json_payment_t));

    payment.refunded = -1;
    text(&payment.status, "ABANDONED");

    unit_ok(ngx_http_payer_proof_weigh(&record, &payment, &reason) == PENDING
            && ngx_http_payer_proof_state(&payment) == 0,
            "dead: a new word is pending");

    payment.dead = 1;

    unit_ok(ngx_http_payer_proof_weigh(&record, &payment, &reason) == UNPAID
            && ngx_http_payer_proof_state(&payment)
               == NGX_HTTP_PAYER_CANCELLED,
            "dead: one that is named is as good as CANCELLED");

    text(&payment.status, "AUTHORIZED");

    unit_ok(ngx_http_payer_proof_state(&payment) == NGX_HTTP_PAYER_AUTHORIZED,
            "dead: a word that is known keeps its meaning");
}


static void
test_covers(void)
{
    ngx_str_t                sek, eur;
    ngx_http_payer_record_t  record;

    text(&sek, "SEK");
    text(&eur, "EUR");

    order(&record, NGX_HTTP_PAYER_AUTHORIZED, "AUTHORIZED");

#define covers(amount, currency)                                             \
    ngx_http_payer_proof_covers(&record, amount, currency)

    unit_ok(covers(12900, &sek), "covers: the same");
    unit_ok(covers(1, &sek), "covers: less");
    unit_ok(!covers(12901, &sek), "covers: not more");
    unit_ok(!covers(12900, &eur), "covers: not another currency");

    record.authorized = 13000;
    unit_ok(covers(13000, &sek), "covers: what was paid, not what was ordered");

    record.authorized = 500;
    unit_ok(!covers(12900, &sek), "covers: not what was only ordered");

    record.authorized = -1;
    unit_ok(covers(12900, &sek), "covers: what was ordered, if that is all");

    record.state = NGX_HTTP_PAYER_PARTIALLY_CAPTURED;
    record.captured = 2500;
    unit_ok(covers(12900, &sek), "covers: a part captured, nothing read");

    record.authorized = 0;
    unit_ok(covers(12900, &sek), "covers: a part captured, not read since");
    unit_ok(!covers(12901, &sek), "covers: but not more than was ordered");

    record.authorized = 2500;
    unit_ok(!covers(12900, &sek), "covers: not what was not authorized");
    record.authorized = -1;

    record.state = NGX_HTTP_PAYER_FULLY_CAPTURED;
    unit_ok(!covers(12900, &sek), "covers: less than ordered, all captured");

    order(&record, NGX_HTTP_PAYER_AUTHORIZED, "AUTHORIZED");
    unit_ok(ngx_http_payer_proof_wanted(&record), "wanted: nothing");

    record.wanted = 20000;
    ngx_memcpy(record.wanted_currency, "SEK", 3);
    unit_ok(!ngx_http_payer_proof_wanted(&record), "wanted: more");

    record.wanted = 12900;
    unit_ok(ngx_http_payer_proof_wanted(&record), "wanted: the same");

    ngx_memcpy(record.wanted_currency, "EUR", 3);
    unit_ok(!ngx_http_payer_proof_wanted(&record), "wanted: euros");

#undef covers
}
