
/*
 * Whether an operation whose reply was lost shows in a read; and what is
 * remembered of it.
 *
 * sources: ngx_http_payer_op_outcome.c ngx_http_payer_op.c
 * sources: ngx_http_payer_record.c ngx_http_payer_record_codec.c
 * sources: ngx_http_payer_record_sum.c
 * sources: ngx_http_payer_codec.c
 */


#include "unit.h"

#include "ngx_http_payer_op_outcome.h"
#include "ngx_http_payer_store.h"


#define NOW      1700000000
#define EARLY    (NOW - 599)
#define LATE     (NOW - 600)

#define CAPTURE  NGX_HTTP_PAYER_CALL_CAPTURE
#define CANCEL   NGX_HTTP_PAYER_CALL_CANCEL
#define RELEASE  NGX_HTTP_PAYER_CALL_RELEASE
#define REFUND   NGX_HTTP_PAYER_CALL_REFUND

#define DONE     NGX_OK
#define NOT      NGX_DECLINED
#define UNKNOWN  NGX_AGAIN


typedef struct {
    const char             *name;
    ngx_int_t               verdict;
    ngx_http_payer_call_e   operation;
    int64_t                 amount;
    int64_t                 before;
    time_t                  doubt;
    const char             *status;
    int64_t                 captured;
    int64_t                 refunded;
    int64_t                 done;
    int64_t                 open;
    ngx_uint_t              vague;
} case_t;


static case_t  cases[] = {

    { "a capture that shows is done", DONE, CAPTURE,
      2500, 0, EARLY, "PARTIALLY_CAPTURED", 2500, -1, 0, 0, 0 },
    { "one that does not show yet is unknown", UNKNOWN, CAPTURE,
      2500, 0, EARLY, "AUTHORIZED", 0, -1, 0, 0, 0 },
    { "after ten minutes it was not done", NOT, CAPTURE,
      2500, 0, LATE, "AUTHORIZED", 0, -1, 0, 0, 0 },
    { "with a clock that was set back it is unknown", UNKNOWN, CAPTURE,
      2500, 0, NOW + 599, "AUTHORIZED", 0, -1, 0, 0, 0 },
    { "what was captured before speaks for nothing", NOT, CAPTURE,
      2500, 2500, LATE, "PARTIALLY_CAPTURED", 2500, -1, 0, 0, 0 },
    { "nor does what another one did", NOT, CAPTURE,
      2500, 0, LATE, "PARTIALLY_CAPTURED", 2500, -1, 2500, 0, 0 },
    { "of two in doubt a read cannot tell which", UNKNOWN, CAPTURE,
      2500, 0, LATE, "PARTIALLY_CAPTURED", 2500, -1, 0, 2500, 0 },
    { "unless it shows both", DONE, CAPTURE,
      2500, 0, LATE, "PARTIALLY_CAPTURED", 5000, -1, 0, 2500, 0 },
    { "one of no known amount leaves it open", UNKNOWN, CAPTURE,
      2500, 0, LATE, "FULLY_CAPTURED", 12900, -1, 0, 0, 1 },
    { "a capture of all shows as soon as more is captured", DONE, CAPTURE,
      -1, 0, EARLY, "FULLY_CAPTURED", 12900, -1, 0, 0, 0 },
    { "without a sum the word tells", DONE, CAPTURE,
      -1, 0, EARLY, "FULLY_CAPTURED", -1, -1, 0, 0, 0 },
    { "authorized is not captured, but may be soon", UNKNOWN, CAPTURE,
      -1, 0, EARLY, "AUTHORIZED", -1, -1, 0, 0, 0 },
    { "nor later", NOT, CAPTURE,
      -1, 0, LATE, "AUTHORIZED", -1, -1, 0, 0, 0 },

    { "a refund that shows is done", DONE, REFUND,
      700, 0, EARLY, "FULLY_CAPTURED", 12900, 700, 0, 0, 0 },
    { "one that does not show is unknown", UNKNOWN, REFUND,
      700, 0, EARLY, "FULLY_CAPTURED", 12900, 0, 0, 0, 0 },
    { "after ten minutes it was not", NOT, REFUND,
      700, 700, LATE, "FULLY_CAPTURED", 12900, 700, 0, 0, 0 },
    { "without the sum of refunds nobody knows, however late", UNKNOWN, REFUND,
      700, 0, LATE, "FULLY_CAPTURED", 12900, -1, 0, 0, 0 },

    { "a release that shows is done", DONE, RELEASE,
      -1, 0, EARLY, "CANCELLED", 0, -1, 0, 0, 0 },
    { "one that does not show is unknown", UNKNOWN, RELEASE,
      -1, 0, EARLY, "AUTHORIZED", 0, -1, 0, 0, 0 },
    { "after ten minutes it was not", NOT, RELEASE,
      -1, 0, LATE, "AUTHORIZED", 0, -1, 0, 0, 0 },
    { "of a captured payment a read does not tell", UNKNOWN, RELEASE,
      -1, 0, LATE, "PARTIALLY_CAPTURED", 1, -1, 0, 0, 0 },

    { "a cancel that shows is done", DONE, CANCEL,
      -1, 0, EARLY, "CANCELLED", 0, -1, 0, 0, 0 },
    { "a link that lives is to be cancelled again, however late", UNKNOWN,
      CANCEL, -1, 0, LATE, "INITIATED", 0, -1, 0, 0, 0 },
    { "an authorized payment was not cancelled, that is known at once", NOT,
      CANCEL, -1, 0, EARLY, "AUTHORIZED", 0, -1, 0, 0, 0 },
    { "a new word tells nothing", UNKNOWN, CANCEL,
      -1, 0, LATE, "SETTLED", 0, -1, 0, 0, 0 }
};


static void test_cases(void);
static void test_merge(void);
static ngx_int_t merge(ngx_http_payer_op_state_e stored, time_t stored_doubt,
    ngx_http_payer_op_state_e fresh, time_t fresh_doubt,
    ngx_int_t (*rule)(ngx_str_t *stored, ngx_str_t *fresh));
static void test_early(void);


int
main(void)
{
    test_cases();
    test_merge();
    test_early();

    return unit_done();
}


static void
test_cases(void)
{
    size_t                         i;
    case_t                        *c;
    ngx_http_payer_op_t            op;
    ngx_http_payer_others_t        others;
    ngx_http_payer_json_payment_t  payment;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        c = &cases[i];

        ngx_memzero(&op, sizeof(op));
        ngx_memzero(&payment, sizeof(payment));

        op.state = NGX_HTTP_PAYER_OP_UNKNOWN;
        op.amount = c->amount;
        op.before = c->before;
        op.doubt = c->doubt;

        payment.status = *unit_bytes(c->status, ngx_strlen(c->status));
        payment.captured = c->captured;
        payment.refunded = c->refunded;

        others.done = c->done;
        others.open = c->open;
        others.vague = c->vague;

        unit_ok(ngx_http_payer_op_outcome(c->operation, &op, &payment, &others,
                                          NOW)
                == c->verdict, "%s", c->name);
    }
}


static ngx_int_t
merge(ngx_http_payer_op_state_e stored, time_t stored_doubt,
    ngx_http_payer_op_state_e fresh, time_t fresh_doubt,
    ngx_int_t (*rule)(ngx_str_t *stored, ngx_str_t *fresh))
{
    ngx_int_t            rc;
    ngx_str_t            one, other;
    ngx_pool_t          *pool;
    ngx_http_payer_op_t  op;

    pool = shim_create_pool();

    ngx_memzero(&op, sizeof(op));

    op.request_id = *unit_text("id");
    op.state = stored;
    op.doubt = stored_doubt;
    (void) ngx_http_payer_op_encode(pool, &op, &one);

    op.state = fresh;
    op.doubt = fresh_doubt;
    (void) ngx_http_payer_op_encode(pool, &op, &other);

    rc = rule(&one, &other);

    shim_destroy_pool(pool);

    return rc;
}


static void
test_merge(void)
{
    ngx_str_t                  bytes;
    ngx_http_payer_op_state_e  state, next;

    for (state = NGX_HTTP_PAYER_OP_SENT;
         state <= NGX_HTTP_PAYER_OP_DONE;
         state++)
    {
        for (next = NGX_HTTP_PAYER_OP_SENT;
             next <= NGX_HTTP_PAYER_OP_DONE;
             next++)
        {
            unit_ok((merge(state, 1, next, 1, ngx_http_payer_op_merge)
                     == NGX_OK)
                    == (next > state), "a state moves forward only");
        }

        unit_ok((merge(state, 1, state, 1, ngx_http_payer_op_forget)
                 == NGX_OK)
                == (state < NGX_HTTP_PAYER_OP_REFUSED),
                "only what is sent or unknown is deleted");
    }

    unit_ok(merge(NGX_HTTP_PAYER_OP_UNKNOWN, 1, NGX_HTTP_PAYER_OP_UNKNOWN,
                  2, ngx_http_payer_op_merge)
            == NGX_OK, "a later doubt counts");
    unit_ok(merge(NGX_HTTP_PAYER_OP_UNKNOWN, 2, NGX_HTTP_PAYER_OP_UNKNOWN,
                  1, ngx_http_payer_op_merge)
            == NGX_DECLINED, "an earlier one does not");

    bytes = *unit_text("of a newer version");
    unit_ok(ngx_http_payer_op_forget(&bytes, &bytes) == NGX_DECLINED,
            "what is not understood is not deleted");
}


static void
test_early(void)
{
    ngx_http_payer_op_t  op;

    ngx_memzero(&op, sizeof(op));

    op.updated = NOW - 700;
    unit_ok(!ngx_http_payer_op_early(&op, NOW),
            "of the older format the last write counts");

    op.doubt = NOW - 10;
    unit_ok(ngx_http_payer_op_early(&op, NOW), "and else the last doubt");
}
