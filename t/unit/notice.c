
/*
 * Notifications: what has changed, in which order it is told, and how.
 *
 * sources: ngx_http_payer_json_pointer.c
 * sources: ngx_http_payer_notice.c ngx_http_payer_notice_codec.c
 * sources: ngx_http_payer_amount.c
 * sources: ngx_http_payer_json_time.c
 * sources: ngx_http_payer_notice_text.c ngx_http_payer_proof.c
 * sources: ngx_http_payer_record.c ngx_http_payer_record_codec.c
 * sources: ngx_http_payer_record_sum.c ngx_http_payer_codec.c
 * sources: ngx_http_payer_crypto.c ngx_http_payer_json.c
 * sources: ngx_http_payer_json_parse.c ngx_http_payer_json_write.c
 * sources: ngx_http_payer_order.c ngx_http_payer_json_written.c
 */


#include "unit.h"

#include "ngx_http_payer_notice.h"
#include "ngx_http_payer_notice_text.h"


#define INITIATED   NGX_HTTP_PAYER_INITIATED
#define EXPIRED     NGX_HTTP_PAYER_EXPIRED
#define CANCELLED   NGX_HTTP_PAYER_CANCELLED
#define AUTHORIZED  NGX_HTTP_PAYER_AUTHORIZED
#define PARTIAL     NGX_HTTP_PAYER_PARTIALLY_CAPTURED
#define FULL        NGX_HTTP_PAYER_FULLY_CAPTURED
#define RELEASED    NGX_HTTP_PAYER_RELEASED
#define REFUNDED    NGX_HTTP_PAYER_REFUNDED
#define ENDED       NGX_HTTP_PAYER_ENDED

#define CLOSED      1
#define DOUBT       2
#define GONE        4

#define REPLY       NGX_HTTP_PAYER_BY_REPLY
#define READ        NGX_HTTP_PAYER_BY_VERIFY

/* computed with another program */

#define SIGNATURE_ONE \
    "a5a79dab50c35a66f4775ed9e5f529c4" \
    "815a8d392f7b27e066f02305a2ab8fd5"

#define SIGNATURE_TWO \
    "206d7f0cf77acaba83986a4f6bf8cba9" \
    "89a3a673e14f4832bb6d7c3fcb7027bd"


typedef struct {
    ngx_http_payer_state_e  state;
    int64_t                 authorized;
    int64_t                 captured;
    int64_t                 refunded;
    ngx_uint_t              flags;
} side_t;


typedef struct {
    const char             *name;
    side_t                  before;
    side_t                  after;
    ngx_http_payer_source_e source;
    const char             *types;
} case_t;


static case_t  cases[] = {

    { "an authorization is paid",
      { INITIATED, -1, -1, -1, 0 }, { AUTHORIZED, 12900, -1, -1, 0 }, READ,
      "paid" },
    { "one of less than was ordered is not",
      { INITIATED, -1, -1, -1, 0 }, { AUTHORIZED, 12800, -1, -1, 0 }, READ,
      "" },
    { "what was paid before is not paid again",
      { AUTHORIZED, 12900, -1, -1, 0 }, { AUTHORIZED, 12900, 0, 0, 0 }, READ,
      "" },
    { "a capture is told with its sum",
      { AUTHORIZED, 12900, 0, 0, 0 }, { PARTIAL, 12900, 900, 0, 0 }, REPLY,
      "captured" },
    { "each of several",
      { PARTIAL, 12900, 900, 0, 0 }, { FULL, 12900, 12900, 0, 0 }, REPLY,
      "captured" },
    { "one that is seen before the authorization is both",
      { INITIATED, -1, -1, -1, 0 }, { FULL, 12900, 12900, -1, 0 }, READ,
      "paid captured" },
    { "one of a payment that was never read, too: of what was ordered",
      { INITIATED, -1, -1, -1, 0 }, { PARTIAL, -1, 900, -1, 0 }, REPLY,
      "paid captured" },
    { "also if a read before the buyer has paid showed none",
      { INITIATED, 0, 0, 0, 0 }, { PARTIAL, 0, 900, 0, 0 }, REPLY,
      "paid captured" },
    { "whose authorization is nothing new when it is read",
      { PARTIAL, -1, 900, -1, 0 }, { PARTIAL, 12900, 900, 0, 0 }, READ,
      "" },
    { "a release of it has nothing to take back",
      { INITIATED, -1, -1, -1, 0 }, { RELEASED, -1, -1, -1, CLOSED }, REPLY,
      "released" },
    { "a word without a sum will do",
      { AUTHORIZED, 12900, -1, -1, 0 }, { FULL, 12900, -1, -1, 0 }, READ,
      "captured" },
    { "a refund is told with its sum",
      { FULL, 12900, 12900, 0, 0 }, { FULL, 12900, 12900, 500, 0 }, REPLY,
      "refunded" },
    { "and so is the last one",
      { FULL, 12900, 12900, 500, 0 }, { REFUNDED, 12900, 12900, 12900, 0 },
      REPLY, "refunded" },
    { "a release",
      { AUTHORIZED, 12900, 0, 0, 0 }, { RELEASED, 12900, 0, 0, CLOSED },
      REPLY, "released" },
    { "a capture that releases what it leaves is both",
      { AUTHORIZED, 12900, 0, 0, 0 }, { PARTIAL, 12900, 900, 0, GONE },
      REPLY, "captured released" },
    { "a capture that leaves nothing releases nothing",
      { AUTHORIZED, 12900, 0, 0, 0 }, { FULL, 12900, 12900, 0, GONE },
      REPLY, "captured" },
    { "nor does one of which only Payer's word is known",
      { AUTHORIZED, 12900, -1, -1, 0 }, { FULL, 12900, -1, -1, GONE },
      REPLY, "captured" },
    { "what is given back after it is a release",
      { PARTIAL, 12900, 900, 0, 0 }, { PARTIAL, 12900, 900, 0, GONE },
      REPLY, "released" },
    { "an order that we cancelled",
      { INITIATED, -1, -1, -1, DOUBT }, { CANCELLED, -1, -1, -1, CLOSED },
      REPLY, "cancelled" },
    { "a link that was replaced is no cancelled order",
      { INITIATED, -1, -1, -1, DOUBT }, { CANCELLED, -1, -1, -1, 0 },
      REPLY, "" },
    { "not even if a read says so",
      { INITIATED, -1, -1, -1, DOUBT }, { CANCELLED, -1, -1, -1, 0 },
      READ, "" },
    { "a link that was cancelled at Payer is one",
      { INITIATED, -1, -1, -1, 0 }, { CANCELLED, -1, -1, -1, 0 },
      READ, "cancelled" },
    { "a link that has run out",
      { INITIATED, -1, -1, -1, 0 }, { EXPIRED, -1, -1, -1, 0 }, READ,
      "expired" },
    { "an authorization that ended at Payer",
      { AUTHORIZED, 12900, -1, -1, 0 }, { ENDED, 12900, -1, -1, 0 }, READ,
      "expired" },
    { "what is the same is not told",
      { FULL, 12900, 12900, 500, 0 }, { FULL, 12900, 12900, 500, DOUBT },
      REPLY, "" },
};


static void
side(ngx_http_payer_record_t *record, side_t *s)
{
    ngx_memzero(record, sizeof(ngx_http_payer_record_t));

    ngx_str_set(&record->reference, "1001");
    ngx_str_set(&record->payment_id, "pay-1");
    ngx_str_set(&record->currency, "SEK");
    ngx_str_set(&record->notify, "/_shop/paid?id=1001");
    ngx_str_set(&record->server, "shop.example");

    record->state = s->state;
    record->amount = 12900;
    record->authorized = s->authorized;
    record->captured = s->captured;
    record->refunded = s->refunded;
    record->created = 1700000000;
    record->closed = (s->flags & CLOSED) ? 1 : 0;
    record->unknown = (s->flags & DOUBT) ? 1 : 0;
    record->rest_gone = (s->flags & GONE) ? 1 : 0;
}


static void
names(ngx_uint_t bits, char *text)
{
    ngx_uint_t  type;

    *text = '\0';

    for (type = 0; type < NGX_HTTP_PAYER_NOTICES; type++) {
        if (bits & ngx_http_payer_notice_bit(type)) {
            if (*text) {
                strcat(text, " ");
            }

            strcat(text, (char *) ngx_http_payer_notice_type(type)->data);
        }
    }
}


static void
test_changes(ngx_pool_t *pool)
{
    char                      text[128];
    ngx_uint_t                i, bits, type;
    ngx_str_t                 before, after, fresh, merchant;
    ngx_http_payer_notice_t   notice;
    ngx_http_payer_record_t   old, now;

    ngx_str_set(&merchant, "4711");

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {

        side(&old, &cases[i].before);
        side(&now, &cases[i].after);
        now.source = cases[i].source;

        bits = ngx_http_payer_notice_changes(&old, &now);
        names(bits, text);

        unit_ok(strcmp(text, cases[i].types) == 0, "%s (%s)", cases[i].name,
                text);

        unit_ok((bits & ~ngx_http_payer_notice_candidates(&now)) == 0,
                "%s: its writer brings it", cases[i].name);

        /* the entry is written exactly where the record changes so */

        (void) ngx_http_payer_record_encode(pool, &old, &before);
        (void) ngx_http_payer_record_encode(pool, &now, &after);

        for (type = 0; type < NGX_HTTP_PAYER_NOTICES; type++) {

            (void) ngx_http_payer_notice_init(pool, &merchant, type, &old,
                                              &notice);
            (void) ngx_http_payer_notice_encode(pool, &notice, &fresh);

            unit_ok((ngx_http_payer_notice_when(&before, &after, &fresh)
                     == NGX_OK)
                    == ((bits & ngx_http_payer_notice_bit(type)) != 0),
                    "%s: %s at the moment of writing", cases[i].name,
                    ngx_http_payer_notice_type(type)->data);

            if (bits & ngx_http_payer_notice_bit(type)) {
                unit_ok(ngx_http_payer_notice_decode(&fresh, &notice)
                        == NGX_OK
                        && notice.captured == now.captured
                        && notice.payment == now.state,
                        "%s: with what is stored then", cases[i].name);
            }
        }
    }

    /* what was before is another payment */

    side(&old, &cases[2].before);
    side(&now, &cases[2].after);
    ngx_str_set(&old.payment_id, "pay-0");

    unit_ok(ngx_http_payer_notice_changes(&old, &now) == 1,
            "the payment before it counts for nothing");
    unit_ok(ngx_http_payer_notice_changes(NULL, &now) == 1,
            "nor does an order that was not known");

    now.payment_id.len = 0;
    unit_ok(ngx_http_payer_notice_changes(NULL, &now) == 0
            && ngx_http_payer_notice_candidates(&now) == 0,
            "without a payment there is nothing to tell");
}


static void
test_order(void)
{
    ngx_uint_t               i, j;
    ngx_http_payer_notice_t  n[6];

    ngx_memzero(n, sizeof(n));

    for (i = 0; i < 6; i++) {
        n[i].made = 1;
        n[i].captured = -1;
        n[i].refunded = -1;
    }

    n[0].type = NGX_HTTP_PAYER_NOTICE_PAID;
    n[1].type = NGX_HTTP_PAYER_NOTICE_CAPTURED;
    n[1].captured = 500;
    n[2].type = NGX_HTTP_PAYER_NOTICE_REFUNDED;
    n[2].captured = 500;
    n[2].refunded = 200;
    n[3].type = NGX_HTTP_PAYER_NOTICE_CAPTURED;
    n[3].captured = 900;
    n[3].refunded = 200;
    n[4].type = NGX_HTTP_PAYER_NOTICE_RELEASED;
    n[4].captured = 900;
    n[4].refunded = 200;
    n[5].made = 2;

    for (i = 0; i < 6; i++) {
        for (j = 0; j < 6; j++) {
            unit_ok(ngx_http_payer_notice_before(&n[i], &n[j]) == (i < j),
                    "%d and %d in the order of the changes", (int) i,
                    (int) j);
        }
    }
}


static void
test_pause(void)
{
    unit_ok(ngx_http_payer_notice_pause(1, 10, 3600) == 10, "the interval");
    unit_ok(ngx_http_payer_notice_pause(2, 10, 3600) == 20, "is doubled");
    unit_ok(ngx_http_payer_notice_pause(9, 10, 3600) == 2560, "each time");
    unit_ok(ngx_http_payer_notice_pause(10, 10, 3600) == 3600, "to the most");
    unit_ok(ngx_http_payer_notice_pause(65535, 10, 3600) == 3600,
            "and stays there");
    unit_ok(ngx_http_payer_notice_pause(65535, 1,
                                        (time_t) (((uint64_t) 1 << 63) - 1))
            > 0, "without an overflow");
    unit_ok(ngx_http_payer_notice_pause(1, 0, 0) == 1, "never at once");
}


static void
test_merges(ngx_pool_t *pool)
{
    ngx_str_t                stored, fresh;
    ngx_http_payer_notice_t  old, now;

    ngx_memzero(&old, sizeof(old));
    old.state = NGX_HTTP_PAYER_NOTICE_OWED;
    old.attempts = 3;
    now = old;
    now.attempts = 2;

    (void) ngx_http_payer_notice_encode(pool, &old, &stored);
    (void) ngx_http_payer_notice_encode(pool, &now, &fresh);

    unit_ok(ngx_http_payer_notice_keep(&stored, &fresh) == NGX_DECLINED,
            "what is owed is not owed anew");
    unit_ok(ngx_http_payer_notice_settle(&stored, &fresh) == NGX_OK
            && ngx_http_payer_notice_decode(&fresh, &now) == NGX_OK
            && now.attempts == 3, "attempts are never less");

    now.round = 1;
    (void) ngx_http_payer_notice_encode(pool, &now, &fresh);
    unit_ok(ngx_http_payer_notice_settle(&stored, &fresh) == NGX_DECLINED,
            "an attempt of another round settles nothing");
    unit_ok(ngx_http_payer_notice_again(&stored, &fresh) == NGX_OK,
            "the next round begins");
    unit_ok(ngx_http_payer_notice_again(&fresh, &fresh) == NGX_DECLINED,
            "once");

    now.round = 0;
    (void) ngx_http_payer_notice_encode(pool, &now, &fresh);
    old.state = NGX_HTTP_PAYER_NOTICE_TAKEN;
    (void) ngx_http_payer_notice_encode(pool, &old, &stored);
    unit_ok(ngx_http_payer_notice_settle(&stored, &fresh) == NGX_DECLINED,
            "what is taken stays taken");
}


static void
test_text(ngx_pool_t *pool)
{
    ngx_str_t                      merchant, key, told, body;
    ngx_array_t                    keys;
    ngx_http_payer_notice_t        notice, again;
    ngx_http_payer_record_t        record;
    ngx_http_payer_notice_text_t   text;
    ngx_str_t                      secrets[2];
    side_t                         captured = { FULL, 12900, 12900, -1, 0 };

    ngx_str_set(&merchant, "4711");

    side(&record, &captured);
    ngx_str_set(&record.reference, "A/1 \xc3\xa5");

    (void) ngx_http_payer_notice_init(pool, &merchant,
                                      NGX_HTTP_PAYER_NOTICE_CAPTURED, &record,
                                      &notice);
    (void) ngx_http_payer_notice_init(pool, &merchant,
                                      NGX_HTTP_PAYER_NOTICE_CAPTURED, &record,
                                      &again);

    unit_ok(notice.id.len == 36
            && ngx_memcmp(notice.id.data, again.id.data, 36) == 0,
            "the same change has the same id");

    record.captured = 900;
    (void) ngx_http_payer_notice_init(pool, &merchant,
                                      NGX_HTTP_PAYER_NOTICE_CAPTURED, &record,
                                      &again);
    unit_ok(ngx_memcmp(notice.id.data, again.id.data, 36) != 0,
            "another sum has another one");

    (void) ngx_http_payer_notice_key(pool, &merchant, &notice, &key);
    unit_is(&key, "notify/4711/A/1 \xc3\xa5/pay-1/captured-12900", "the key");
    (void) ngx_http_payer_notice_told_key(pool, &key, &told);
    unit_is(&told, "told/4711/A/1 \xc3\xa5/pay-1/captured-12900",
            "the key of what was taken");
    (void) ngx_http_payer_notice_owed_key(pool, &told, &key);
    unit_is(&key, "notify/4711/A/1 \xc3\xa5/pay-1/captured-12900",
            "and back");
    unit_ok(ngx_http_payer_notice_owed_key(pool, &key, &told) == NGX_ERROR,
            "another kind of key is none");

    notice.attempts = 2;
    notice.created = 1700000001;
    notice.id = *unit_text("7");

    (void) ngx_http_payer_notice_headers(pool, &notice, &text);
    unit_is(&text.reference, "A/1%20%C3%A5", "the reference as a header");
    unit_is(&text.status, "FULLY_CAPTURED", "the status");
    unit_is(&text.attempt, "2", "the attempt");
    unit_is(&text.amount, "12900", "the amount");

    unit_ok(ngx_http_payer_notice_sign(pool, NULL, 1700000002, &text)
            == NGX_OK && text.signature.len == 0,
            "no key, no signature");

    secrets[0] = *unit_text("the key of the shop");
    secrets[1] = *unit_text("the key that it had before");

    ngx_memzero(&keys, sizeof(keys));
    keys.elts = secrets;
    keys.nelts = 1;

    (void) ngx_http_payer_notice_sign(pool, &keys, 1700000002, &text);
    unit_is(&text.signature, "t=1700000002,v1=" SIGNATURE_ONE,
            "signed with one key");

    keys.nelts = 2;
    (void) ngx_http_payer_notice_sign(pool, &keys, 1700000002, &text);
    unit_is(&text.signature, "t=1700000002,v1=" SIGNATURE_ONE
            ",v1=" SIGNATURE_TWO, "with two keys");

    (void) ngx_http_payer_notice_body(pool, &notice, &text, &body);
    unit_is(&body, "{\"id\":\"7\",\"type\":\"captured\",\"reference\":"
            "\"A/1 \xc3\xa5\",\"paymentId\":\"pay-1\",\"status\":"
            "\"FULLY_CAPTURED\",\"amount\":12900,\"currency\":\"SEK\","
            "\"authorizedAmount\":12900,\"capturedAmount\":12900,"
            "\"refundedAmount\":0,\"created\":1700000001}", "the body");
}


int
main(void)
{
    ngx_pool_t  *pool;

    pool = shim_create_pool();

    test_changes(pool);
    test_order();
    test_pause();
    test_merges(pool);
    test_text(pool);

    shim_destroy_pool(pool);

    return unit_done();
}
