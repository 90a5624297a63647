
/*
 * Which state follows when a record meets a stored one: all of them, against
 * the table as it stands in the documentation.  Speaks TAP.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include <stdio.h>

#include "nginx_shim.h"
#include "ngx_http_payer_record.h"


#define STATES   NGX_HTTP_PAYER_STATES
#define SOURCES  NGX_HTTP_PAYER_BY_RECONCILE


/*
 * row: stored, column: fresh, both from creating to ended, of one payment;
 * the letter is the state that is stored then, "." when nothing is written
 */
static const char  *table[STATES] = {
    "CIEXAPFRBD",       /* Creating */
    ".IEXAPFRBD",       /* Initiated */
    "..EXAPFRBD",       /* Expired */
    "...XXXXXXX",       /* cancelled: X */
    "...DAPFRBD",       /* Authorized, and a cancel that is read */
    ".....PFPBP",       /* Partially captured */
    "......FFBF",       /* Fully captured */
    ".....PFRBR",       /* Released */
    "........BB",       /* refunded: B */
    ".....PFRBD"        /* ended: D */
};

static const char  letters[] = "?CIEXAPFRBD";

static ngx_uint_t   count;
static ngx_uint_t   failures;


static void ok(ngx_uint_t good, const char *name, const char *detail);
static void init(ngx_http_payer_record_t *record, ngx_uint_t state);
static char merge(ngx_http_payer_record_t *stored,
    ngx_http_payer_record_t *fresh, ngx_http_payer_record_t *now);
static void test_table(void);
static void test_order(void);
static void test_other(void);
static void test_amounts(void);
static void test_doubts(void);
static void test_attempts(void);
static void test_sums(void);
static void test_crossed(void);
static void test_balance(ngx_uint_t state, int64_t captured, int64_t refunded,
    ngx_uint_t gone, ngx_uint_t closes, const char *name);
static void test_order_level(void);
static void test_ticket(void);
static void test_former(void);


int
main(void)
{
    shim_init();

    test_table();
    test_order();
    test_other();
    test_amounts();
    test_doubts();
    test_attempts();
    test_ticket();
    test_former();
    test_sums();
    test_crossed();
    test_order_level();

    printf("1..%u\n", (unsigned) count);

    return failures ? 1 : 0;
}


static void
ok(ngx_uint_t good, const char *name, const char *detail)
{
    count++;

    if (!good) {
        failures++;
    }

    printf("%sok %u - %s%s%s\n", good ? "" : "not ", (unsigned) count, name,
           detail ? ": " : "", detail ? detail : "");
}


static void
init(ngx_http_payer_record_t *record, ngx_uint_t state)
{
    ngx_memzero(record, sizeof(ngx_http_payer_record_t));

    ngx_str_set(&record->reference, "1001");
    ngx_str_set(&record->payment_id, "pay-1");
    ngx_str_set(&record->url, "https://payer.example/1");
    ngx_str_set(&record->currency, "SEK");
    ngx_str_set(&record->request_id, "request-1");

    record->amount = 12900;
    record->authorized = -1;
    record->captured = -1;
    record->refunded = -1;
    record->created = 1700000000;
    record->updated = 1700000000;
    record->state = state;
    record->source = NGX_HTTP_PAYER_BY_VERIFY;

    if (state == NGX_HTTP_PAYER_CREATING) {
        ngx_str_null(&record->payment_id);
        ngx_str_null(&record->url);
    }
}


static char
merge(ngx_http_payer_record_t *stored, ngx_http_payer_record_t *fresh,
    ngx_http_payer_record_t *now)
{
    char         result;
    ngx_str_t    a, b;
    ngx_pool_t  *pool;

    pool = shim_create_pool();
    result = '!';

    if (ngx_http_payer_record_encode(pool, stored, &a) == NGX_OK
        && ngx_http_payer_record_encode(pool, fresh, &b) == NGX_OK)
    {
        *now = *stored;
        result = '.';

        if (ngx_http_payer_record_merge(&a, &b) == NGX_OK
            && ngx_http_payer_record_decode(&b, now) == NGX_OK)
        {
            result = letters[now->state];
        }
    }

    /* texts of "now" are gone with the pool */

    now->payment_id = (result == '.') ? stored->payment_id
                                      : fresh->payment_id;
    now->url = (result == '.') ? stored->url : fresh->url;
    now->reference = stored->reference;
    now->currency = stored->currency;
    now->status = stored->status;
    now->request_id = (result == '.') ? stored->request_id
                                      : fresh->request_id;

    shim_destroy_pool(pool);

    return result;
}


static void
test_table(void)
{
    char                      got[STATES + 1], wanted[STATES + 1], name[64];
    ngx_uint_t                from, to, source;
    ngx_http_payer_record_t   stored, fresh, now;

    for (source = 0; source <= SOURCES; source++) {

        for (from = 1; from <= STATES; from++) {

            for (to = 1; to <= STATES; to++) {
                init(&stored, from);
                init(&fresh, to);
                fresh.source = source;

                got[to - 1] = merge(&stored, &fresh, &now);
            }

            got[STATES] = '\0';
            ngx_memcpy(wanted, table[from - 1], STATES + 1);

            if (from == NGX_HTTP_PAYER_AUTHORIZED
                && source < NGX_HTTP_PAYER_BY_VERIFY)
            {
                wanted[NGX_HTTP_PAYER_CANCELLED - 1] =
                               source == NGX_HTTP_PAYER_BY_REPLY ? 'X' : '.';
            }

            snprintf(name, sizeof(name), "%.*s, source %u",
                     (int) ngx_http_payer_state_name(from)->len,
                     ngx_http_payer_state_name(from)->data,
                     (unsigned) source);

            ok(ngx_strcmp(got, wanted) == 0, name, got);
        }
    }
}


/* any order of what Payer says leads to the same end */

static void
test_order(void)
{
    ngx_uint_t                a, b, c, ends, wrong;
    ngx_http_payer_record_t   start, one, other, x, y, z;

    ends = 0;
    wrong = 0;

    for (a = 1; a <= STATES; a++) {
        for (b = 1; b <= STATES; b++) {
            for (c = 1; c <= STATES; c++) {

                /* but for a cancel that is read: the first one stays */

                if (a == NGX_HTTP_PAYER_CANCELLED
                    || b == NGX_HTTP_PAYER_CANCELLED
                    || c == NGX_HTTP_PAYER_CANCELLED)
                {
                    continue;
                }

                init(&start, a);
                init(&one, b);
                init(&other, c);

                (void) merge(&start, &one, &x);
                (void) merge(&x, &other, &y);

                (void) merge(&start, &other, &x);
                (void) merge(&x, &one, &z);

                ends++;
                wrong += (y.state != z.state);
            }
        }
    }

    ok(wrong == 0 && ends == 729, "any order leads to the same end", NULL);
}


/* another payment, or the intent to make one */

static void
test_other(void)
{
    char                      got[STATES + 1];
    const char               *wanted;
    ngx_uint_t                from, to;
    ngx_http_payer_record_t   stored, fresh, now;

    for (from = 1; from <= STATES; from++) {

        for (to = 1; to <= STATES; to++) {
            init(&stored, from);
            init(&fresh, to);

            ngx_str_set(&fresh.request_id, "request-2");

            if (to != NGX_HTTP_PAYER_CREATING) {
                ngx_str_set(&fresh.payment_id, "pay-2");
            }

            got[to - 1] = merge(&stored, &fresh, &now);
        }

        got[STATES] = '\0';

        wanted = (from == NGX_HTTP_PAYER_CREATING) ? "C........."
                 : (from == NGX_HTTP_PAYER_INITIATED) ? ".........."
                 : (from <= NGX_HTTP_PAYER_CANCELLED) ? "C........."
                 : (from >= NGX_HTTP_PAYER_RELEASED) ? "C........."
                 : "..........";

        ok(ngx_strcmp(got, wanted) == 0, "another payment", got);
    }
}


static void
test_amounts(void)
{
    ngx_http_payer_record_t  stored, fresh, now;

    init(&stored, NGX_HTTP_PAYER_PARTIALLY_CAPTURED);
    stored.authorized = 12900;
    stored.captured = 5000;
    stored.updated = 1700000500;

    init(&fresh, NGX_HTTP_PAYER_PARTIALLY_CAPTURED);
    fresh.authorized = 12900;
    fresh.captured = 2000;
    fresh.amount = 1;

    (void) merge(&stored, &fresh, &now);
    ok(now.captured == 5000, "a late read takes no capture back", NULL);
    ok(now.amount == 12900, "what was ordered does not change", NULL);
    ok(now.updated == 1700000500, "nor the time of a later write", NULL);

    fresh.state = NGX_HTTP_PAYER_REFUNDED;
    fresh.captured = 0;
    (void) merge(&stored, &fresh, &now);
    ok(now.captured == 5000 && now.authorized == 12900,
       "a refund takes no capture back either", NULL);

    init(&fresh, NGX_HTTP_PAYER_INITIATED);
    fresh.unknown = 1;
    fresh.updated = 1700000700;
    ok(merge(&stored, &fresh, &now) == 'P' && now.unknown,
       "an open outcome is noted, though it comes late", NULL);
}


/*
 * One process finds the record, asks Payer, and writes what it was told;
 * another one meanwhile loses an outcome.  Clocks say anything.
 */

static void
test_doubts(void)
{
    ngx_http_payer_record_t  stored, found, fresh, now;

    init(&stored, NGX_HTTP_PAYER_INITIATED);
    found = stored;

    fresh = stored;
    fresh.unknown = 1;
    fresh.source = NGX_HTTP_PAYER_BY_SELF;
    (void) merge(&stored, &fresh, &now);
    ok(now.unknown && now.doubts == stored.doubts + 1,
       "a doubt is counted", NULL);

    stored = now;
    fresh = found;
    fresh.source = NGX_HTTP_PAYER_BY_VERIFY;
    fresh.updated = stored.updated + 1000;
    (void) merge(&stored, &fresh, &now);
    ok(now.unknown && now.doubts == stored.doubts,
       "a read that began before it leaves it, however late it is written",
       NULL);

    fresh.state = NGX_HTTP_PAYER_AUTHORIZED;
    ok(merge(&stored, &fresh, &now) == 'A' && now.unknown,
       "though what it was told is taken", NULL);

    found = stored;
    fresh = found;
    fresh.unknown = 0;
    fresh.source = NGX_HTTP_PAYER_BY_VERIFY;
    fresh.updated = stored.updated - 1000;
    (void) merge(&stored, &fresh, &now);
    ok(!now.unknown, "one that began after it settles it, with the clock set "
       "back, too", NULL);

    fresh.unknown = 1;
    (void) merge(&stored, &fresh, &now);
    ok(now.unknown && now.doubts == stored.doubts,
       "a read that tells nothing new adds no doubt", NULL);

    fresh.source = NGX_HTTP_PAYER_BY_SELF;
    (void) merge(&stored, &fresh, &now);
    ok(now.unknown && now.doubts == stored.doubts + 1,
       "a second doubt is one more", NULL);

    stored = now;
    fresh = found;
    fresh.unknown = 0;
    fresh.source = NGX_HTTP_PAYER_BY_VERIFY;
    (void) merge(&stored, &fresh, &now);
    ok(now.unknown, "which a read from between both does not settle", NULL);

    stored.doubts = 0xffff;
    fresh = stored;
    fresh.source = NGX_HTTP_PAYER_BY_SELF;
    (void) merge(&stored, &fresh, &now);
    ok(now.unknown && now.doubts == 0, "the count wraps", NULL);
}


static void
test_attempts(void)
{
    ngx_http_payer_record_t  stored, fresh, now;

    init(&stored, NGX_HTTP_PAYER_CREATING);
    ngx_str_set(&stored.request_id, "request-2");
    init(&fresh, NGX_HTTP_PAYER_INITIATED);

    ok(merge(&stored, &fresh, &now) == '.',
       "the link of a creator whose claim was taken over", NULL);

    ngx_str_null(&fresh.request_id);
    ok(merge(&stored, &fresh, &now) == 'I', "a payment that was read", NULL);

    init(&stored, NGX_HTTP_PAYER_INITIATED);
    ngx_str_null(&fresh.url);
    ok(merge(&stored, &fresh, &now) == '.', "a link without its url", NULL);

    fresh.state = NGX_HTTP_PAYER_AUTHORIZED;
    ok(merge(&stored, &fresh, &now) == 'A', "nobody needs it later", NULL);

    ngx_str_set(&fresh.currency, "EUR");
    ok(merge(&stored, &fresh, &now) == '.', "another currency", NULL);
}


/* it is in the hands of a buyer, so no later writer may change it */

static void
test_ticket(void)
{
    ngx_http_payer_record_t  stored, fresh, now;

    init(&stored, NGX_HTTP_PAYER_INITIATED);
    init(&fresh, NGX_HTTP_PAYER_AUTHORIZED);
    ngx_memset(stored.ticket, 'a', NGX_HTTP_PAYER_TICKET_LEN);
    ngx_memset(fresh.ticket, 'b', NGX_HTTP_PAYER_TICKET_LEN);

    (void) merge(&stored, &fresh, &now);
    ok(now.ticket[0] == 'a', "the first ticket of a payment stays", NULL);

    ngx_memzero(fresh.ticket, NGX_HTTP_PAYER_TICKET_LEN);
    (void) merge(&stored, &fresh, &now);
    ok(now.ticket[NGX_HTTP_PAYER_TICKET_LEN - 1] == 'a'
       && now.state == NGX_HTTP_PAYER_AUTHORIZED,
       "and is not lost with a writer who does not know it", NULL);

    init(&stored, NGX_HTTP_PAYER_CANCELLED);
    ngx_memset(stored.ticket, 'a', NGX_HTTP_PAYER_TICKET_LEN);
    init(&fresh, NGX_HTTP_PAYER_CREATING);
    ngx_str_set(&fresh.request_id, "request-2");
    ngx_memset(fresh.ticket, 'b', NGX_HTTP_PAYER_TICKET_LEN);

    ok(merge(&stored, &fresh, &now) == 'C' && now.ticket[0] == 'a',
       "it is the order's, also with another payment", NULL);

    ngx_memzero(stored.ticket, NGX_HTTP_PAYER_TICKET_LEN);
    ok(merge(&stored, &fresh, &now) == 'C' && now.ticket[0] == 'b',
       "an order without one gets it with its next payment", NULL);
}


/* what earlier versions have stored: the same with fewer texts, and without a
 * ticket */

static void
test_former(void)
{
    ngx_str_t                value, former;
    ngx_pool_t              *pool;
    ngx_http_payer_record_t  record, now;

    pool = shim_create_pool();

    init(&record, NGX_HTTP_PAYER_AUTHORIZED);
    ngx_memset(record.ticket, 'a', NGX_HTTP_PAYER_TICKET_LEN);

    (void) ngx_http_payer_record_encode(pool, &record, &value);

    former = value;
    former.len -= 6;
    former.data[2] = 2;

    ok(ngx_http_payer_record_decode(&former, &now) == NGX_OK
       && now.ticket[0] == 'a' && now.notify.len == 0
       && now.lookup.len == 0 && now.server.len == 0,
       "a record of the last format can be read", NULL);

    former.len++;
    ok(ngx_http_payer_record_decode(&former, &now) == NGX_DECLINED,
       "and has no further text", NULL);

    value.data[2] = 3;
    ok(ngx_http_payer_record_decode(&value, &now) == NGX_OK
       && now.server.len == 0, "one of the present format has them", NULL);

    former.len = value.len - 56 - 6;
    former.data = ngx_pnalloc(pool, former.len);
    ngx_memcpy(former.data, value.data, 56);
    ngx_memcpy(former.data + 56, value.data + 56 + 56,
               former.len - 56);
    former.data[2] = 1;

    ok(ngx_http_payer_record_decode(&former, &now) == NGX_OK
       && now.state == NGX_HTTP_PAYER_AUTHORIZED && now.amount == 12900
       && now.request_id.len == sizeof("request-1") - 1,
       "a record of the former format can be read", NULL);
    ok(!ngx_http_payer_record_has_ticket(&now) && now.refunded == -1
       && now.wanted == 0 && now.signed_until == 0 && !now.closed,
       "and has no ticket, and nothing else that is new", NULL);

    ok(ngx_http_payer_record_merge(&former, &value) == NGX_OK
       && ngx_http_payer_record_decode(&value, &now) == NGX_OK
       && now.ticket[0] == 'a',
       "it is replaced by one of the present format", NULL);

    ok(ngx_http_payer_record_merge(&value, &former) == NGX_DECLINED,
       "and never the other way round", NULL);

    value.data[2] = 4;
    ok(ngx_http_payer_record_decode(&value, &now) == NGX_DECLINED,
       "a format of the future is not guessed at", NULL);

    shim_destroy_pool(pool);
}


/* of 12900 that were authorized */

static void
test_balance(ngx_uint_t state, int64_t captured, int64_t refunded,
    ngx_uint_t gone, ngx_uint_t closes, const char *name)
{
    ngx_http_payer_record_t  record;

    init(&record, state);

    record.authorized = 12900;
    record.captured = captured;
    record.refunded = refunded;
    record.rest_gone = gone;

    ngx_http_payer_record_balance(&record);

    ok(record.state == (closes ? NGX_HTTP_PAYER_REFUNDED : state), name, NULL);
}


static void
test_sums(void)
{
    ngx_http_payer_record_t  record, stored, fresh, now;

    const ngx_http_payer_state_e  A = NGX_HTTP_PAYER_AUTHORIZED;
    const ngx_http_payer_state_e  P = NGX_HTTP_PAYER_PARTIALLY_CAPTURED;
    const ngx_http_payer_state_e  F = NGX_HTTP_PAYER_FULLY_CAPTURED;
    const ngx_http_payer_state_e  B = NGX_HTTP_PAYER_REFUNDED;

    test_balance(F, 12900, 12900, 0, 1, "all captured, all refunded");
    test_balance(F, 12900, 12899, 0, 0, "all captured, not all refunded");
    test_balance(F, 12900, -1, 0, 0, "all captured, nothing refunded");
    test_balance(F, -1, 0, 0, 0, "no sum is known");
    test_balance(P, 5000, 5000, 0, 0, "a part refunded, the rest is left");
    test_balance(P, 5000, 5000, 1, 1, "a part refunded, the rest is released");
    test_balance(P, 5000, 4999, 1, 0, "not all of a part refunded");
    test_balance(A, 0, 0, 0, 0, "nothing captured");

    init(&record, A);
    record.authorized = 12900;
    ngx_http_payer_record_captured(&record, -1, 0);
    ok(record.state == F && record.captured == 12900,
       "a capture without an amount is of all", NULL);

    ngx_http_payer_record_refunded(&record, 6000);
    ok(record.state == F && record.refunded == 6000 && !record.closed,
       "a part refund leaves it captured", NULL);

    ngx_http_payer_record_refunded(&record, 6900);
    ok(record.state == B && record.refunded == 12900 && record.closed,
       "two parts are added up", NULL);

    init(&record, A);
    record.authorized = 12900;
    ngx_http_payer_record_captured(&record, 5000, 0);
    ngx_http_payer_record_captured(&record, 2000, 1);
    ok(record.state == P && record.captured == 7000 && record.rest_gone,
       "captures are added up, and the rest is released", NULL);

    ngx_http_payer_record_refunded(&record, 7000);
    ok(record.state == B, "what was captured was refunded", NULL);

    init(&record, P);
    record.authorized = 12900;
    record.captured = 5000;
    record.refunded = 5000;
    ngx_http_payer_record_released(&record);
    ok(record.state == B && record.closed,
       "a release of the rest, after the refund of all that was captured",
       NULL);

    init(&record, A);
    record.authorized = 12900;
    ngx_http_payer_record_released(&record);
    ok(record.state == NGX_HTTP_PAYER_RELEASED && record.closed,
       "a release before any capture", NULL);

    /* sums meet in the merge */

    init(&stored, F);
    stored.authorized = stored.captured = 12900;
    stored.refunded = 6000;
    init(&fresh, F);
    fresh.authorized = fresh.captured = fresh.refunded = 12900;

    ok(merge(&stored, &fresh, &now) == 'B',
       "a read that shows that all was refunded", NULL);

    fresh.refunded = -1;
    ok(merge(&stored, &fresh, &now) == 'F' && now.refunded == 6000,
       "a read that shows no refunds takes none back", NULL);
}


/* replies to operations that were sent while the order was authorized */

static void
test_crossed(void)
{
    ngx_http_payer_record_t  stored, fresh, now;

    const ngx_http_payer_state_e  A = NGX_HTTP_PAYER_AUTHORIZED;
    const ngx_http_payer_state_e  P = NGX_HTTP_PAYER_PARTIALLY_CAPTURED;
    const ngx_http_payer_state_e  F = NGX_HTTP_PAYER_FULLY_CAPTURED;

    init(&stored, F);
    stored.authorized = stored.captured = 12900;
    stored.refunded = 6000;

    init(&fresh, A);
    fresh.source = NGX_HTTP_PAYER_BY_REPLY;
    fresh.authorized = 12900;
    fresh.refunded = 7000;

    ok(merge(&stored, &fresh, &now) == 'F' && now.captured == 12900
       && now.refunded == 7000 && !now.closed,
       "a refund whose copy of the order is from before the capture", NULL);

    fresh.refunded = 12900;
    ok(merge(&stored, &fresh, &now) == 'B' && now.closed,
       "one of everything closes the order", NULL);

    stored.source = NGX_HTTP_PAYER_BY_REPLY;
    ok(merge(&fresh, &stored, &now) == 'B' && now.closed,
       "and so it does if its reply is the first one", NULL);

    init(&stored, P);
    stored.authorized = 12900;
    stored.captured = 5000;
    stored.refunded = 5000;
    init(&fresh, A);
    fresh.authorized = 12900;
    fresh.captured = 5000;

    ok(merge(&stored, &fresh, &now) == '.',
       "a copy without a larger sum is out of date", NULL);
}


/* what is the order's, whichever payment it has */

static void
test_order_level(void)
{
    ngx_http_payer_record_t  stored, fresh, now;

    init(&stored, NGX_HTTP_PAYER_AUTHORIZED);
    stored.authorized = 12900;
    stored.wanted = 20000;
    stored.words = 2;
    ngx_memcpy(stored.wanted_currency, "SEK", 3);
    stored.signed_until = 1800000000;

    fresh = stored;
    fresh.wanted = 0;
    fresh.words = 1;
    fresh.signed_until = 0;

    (void) merge(&stored, &fresh, &now);
    ok(now.wanted == 20000 && now.words == 2
       && ngx_memcmp(now.wanted_currency, "SEK", 3) == 0,
       "an older copy does not take the shop's word back", NULL);
    ok(now.signed_until == 1800000000,
       "nor the time of the latest signed link", NULL);

    fresh.words = 3;
    (void) merge(&stored, &fresh, &now);
    ok(now.wanted == 0 && now.words == 3, "a later word does", NULL);

    stored.state = NGX_HTTP_PAYER_FULLY_CAPTURED;
    ok(merge(&stored, &fresh, &now) == 'F' && now.words == 3,
       "whatever was captured meanwhile", NULL);

    stored.state = NGX_HTTP_PAYER_RELEASED;
    stored.closed = 1;
    init(&fresh, NGX_HTTP_PAYER_CREATING);
    ngx_str_set(&fresh.request_id, "request-2");

    ok(merge(&stored, &fresh, &now) == 'C' && !now.closed
       && now.signed_until == 1800000000,
       "a new payment is not closed, and knows the latest signed link", NULL);

    init(&stored, NGX_HTTP_PAYER_CANCELLED);
    stored.closed = 1;
    init(&fresh, NGX_HTTP_PAYER_CANCELLED);
    ok(merge(&stored, &fresh, &now) == 'X' && now.closed,
       "what we have closed stays closed", NULL);
}
