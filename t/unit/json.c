
/*
 * JSON and forms.
 *
 * sources: ngx_http_payer_json.c ngx_http_payer_json_message.c
 * sources: ngx_http_payer_json_time.c
 * sources: ngx_http_payer_json_parse.c ngx_http_payer_json_written.c
 * sources: ngx_http_payer_json_pointer.c
 * sources: ngx_http_payer_json_params.c ngx_http_payer_json_write.c
 * sources: ngx_http_payer_order.c ngx_http_payer_amount.c
 */


#include "unit.h"

#include "ngx_http_payer_json.h"


typedef ngx_int_t (*call_pt)(ngx_pool_t *pool);


/* what is wrong with a text, whichever reader gets it */
typedef struct {
    const char  *text;
    const char  *reason;
} broken_t;


typedef struct {
    const char  *text;
    const char  *reason;                /* NULL: accepted */
    int64_t      amount;
    ngx_int_t    release_rest;
} params_t;


typedef struct {
    const char  *name;
    call_pt      call;
} torture_t;


static broken_t  broken[] = {
    { "", "is empty" },
    { " \t\r\n", "is empty" },
    { "<html><body>Bad Gateway</body></html>", "is HTML" },
    { "\n  <!DOCTYPE html>", "is HTML" },
    { "Service Unavailable", "is not JSON" },
    { "{\"message\":\"m\"", "is not JSON" },
    { "{\"message\":\"m", "is not JSON" },
    { "{\"message\":\"m\\", "is not JSON" },
    { "{\"message\":", "is not JSON" },
    { "{\"message\"", "is not JSON" },
    { "{", "is not JSON" },
    { "[1,", "is not JSON" },
    { "{\"message\":\"m\"}}", "is not JSON" },
    { "{\"message\":\"m\"} x", "is not JSON" },
    { "{\"message\":\"m\"}{}", "is not JSON" },
    { "\xef\xbb\xbf{\"message\":\"m\"}", "begins with a byte order mark" },
    { "{'message':'m'}", "is not JSON" },
    { "{message:1}", "is not JSON" },
    { "{\"message\":\"m\",}", "is not JSON" },
    { "{,\"message\":\"m\"}", "is not JSON" },
    { "{\"message\" \"m\"}", "is not JSON" },
    { "{\"message\":\"m\" \"n\":1}", "is not JSON" },
    { "{\"message\":\"m\",\"n\":[1,]}", "is not JSON" },
    { "{\"message\":\"m\",\"n\":[}", "is not JSON" },
    { "{\"message\":\"m\",\"n\":[1}", "is not JSON" },
    { "{\"message\":\"m\"]", "is not JSON" },
    { "{\"message\":\"m\",\"n\":01}", "is not JSON" },
    { "{\"message\":\"m\",\"n\":+1}", "is not JSON" },
    { "{\"message\":\"m\",\"n\":1.}", "is not JSON" },
    { "{\"message\":\"m\",\"n\":.1}", "is not JSON" },
    { "{\"message\":\"m\",\"n\":1e}", "is not JSON" },
    { "{\"message\":\"m\",\"n\":1e+}", "is not JSON" },
    { "{\"message\":\"m\",\"n\":-}", "is not JSON" },
    { "{\"message\":\"m\",\"n\":0x1}", "is not JSON" },
    { "{\"message\":\"m\",\"n\":NaN}", "is not JSON" },
    { "{\"message\":\"m\",\"n\":True}", "is not JSON" },
    { "{\"message\":\"m\",\"n\":nul}", "is not JSON" },
    { "{\"message\":\"m\",\"n\":\"\\x\"}", "is not JSON" },
    { "{\"message\":\"m\",\"n\":\"\\u12g4\"}", "is not JSON" },
    { "{\"message\":\"m\",\"n\":\"\\u12\"}", "is not JSON" },
    { "{\"message\":\"m\",\"n\":\"a\nb\"}", "is not JSON" },
    { "{\"message\":\"m\",\"n\":\"\\ud800\"}", "is not JSON" },
    { "{\"message\":\"m\",\"n\":\"\\ud800\\u0041\"}", "is not JSON" },
    { "{\"message\":\"m\",\"n\":\"\\udc00\"}", "is not JSON" },
    { "{\"message\":\"m\",\"n\":/**/1}", "is not JSON" },
    { "{\"message\":\"m\",\v\"n\":1}", "is not JSON" },
    { "{\"message\":\"m\\u0000\"}", "has an escaped NUL" },
    { "{\"message\":\"m\",\"n\\u0000\":1}", "has an escaped NUL" },
    { "{\"message\":\"\xff\"}", "is not UTF-8" },
    { "{\"message\":\"\xc0\x80\"}", "is not UTF-8" },
    { "{\"message\":\"\xed\xa0\x80\"}", "is not UTF-8" },
    { "{\"message\":\"m\",\"n\":1111111111111111111111111111111111111111"
      "111111111111111111111111}", "has a number that is too long" },
    { "[]", "is not a JSON object" },
    { "\"message\"", "is not a JSON object" },
    { "1", "is not a JSON object" },
    { "null", "is not a JSON object" }
};


#define AMOUNT    "amount is not a positive integer"
#define RELEASE   "releaseRemainingFunds is not true or false"


static params_t  json_params[] = {
    { "{}", NULL, -1, -1 },
    { "{\"amount\":1}", NULL, 1, -1 },
    { " { \"x\" : 1.5 , \"amount\" : 12900 } ", NULL, 12900, -1 },
    { "{\"amount\":9007199254740993}", NULL, 9007199254740993, -1 },
    { "{\"amount\":9223372036854775807}", NULL, 9223372036854775807, -1 },
    { "{\"releaseRemainingFunds\":true}", NULL, -1, 1 },
    { "{\"releaseRemainingFunds\":false,\"amount\":2}", NULL, 2, 0 },
    { "{\"\\u0061mount\":7}", NULL, 7, -1 },
    { "{\"x\":{\"amount\":1,\"y\":[2,{\"amount\":3}]},\"amount\":4}",
      NULL, 4, -1 },
    { "{\"a,:{\":\"b\\\",:}\",\"amount\":5}", NULL, 5, -1 },
    { "{\"x\":{\"amount\":1}}", NULL, -1, -1 },
    { "{\"reference\":null}", NULL, -1, -1 },

    { "{\"amount\":0}", AMOUNT, 0, 0 },
    { "{\"amount\":-0}", AMOUNT, 0, 0 },
    { "{\"amount\":-1}", AMOUNT, 0, 0 },
    { "{\"amount\":1.5}", AMOUNT, 0, 0 },
    { "{\"amount\":1.0}", AMOUNT, 0, 0 },
    { "{\"amount\":1e3}", AMOUNT, 0, 0 },
    { "{\"amount\":1E3}", AMOUNT, 0, 0 },
    { "{\"amount\":9223372036854775808}", AMOUNT, 0, 0 },
    { "{\"amount\":18446744073709551617}", AMOUNT, 0, 0 },
    { "{\"amount\":\"100\"}", AMOUNT, 0, 0 },
    { "{\"amount\":null}", AMOUNT, 0, 0 },
    { "{\"amount\":true}", AMOUNT, 0, 0 },
    { "{\"amount\":[1]}", AMOUNT, 0, 0 },
    { "{\"amount\":{}}", AMOUNT, 0, 0 },
    { "{\"amount\":1,\"amount\":1}", "amount is given twice", 0, 0 },
    { "{\"amount\":1,\"\\u0061mount\":1}", "amount is given twice", 0, 0 },
    { "{\"Amount\":1}", "amount is misspelled", 0, 0 },
    { "{\"paymentID\":\"p\"}", "paymentId is misspelled", 0, 0 },
    { "{\"releaseRemainingFunds\":1}", RELEASE, 0, 0 },
    { "{\"releaseRemainingFunds\":\"true\"}", RELEASE, 0, 0 },
    { "{\"releaseRemainingFunds\":null}", RELEASE, 0, 0 },
    { "{\"reference\":1}", "reference is not a text", 0, 0 },
    { "{\"paymentId\":{}}", "paymentId is not a text", 0, 0 },
    { "{\"url\":false}", "url is not a text", 0, 0 },
    { "{\"amount\":01}", "is not JSON", 0, 0 }
};


static params_t  form_params[] = {
    { "", NULL, -1, -1 },
    { "&&", NULL, -1, -1 },
    { "amount=1", NULL, 1, -1 },
    { "x=%20&amount=12900&=y&z", NULL, 12900, -1 },
    { "%61mount=%31", NULL, 1, -1 },
    { "amount=9223372036854775807&", NULL, 9223372036854775807, -1 },
    { "releaseRemainingFunds=true", NULL, -1, 1 },
    { "amount=2&releaseRemainingFunds=false", NULL, 2, 0 },

    { "amount=", AMOUNT, 0, 0 },
    { "amount", AMOUNT, 0, 0 },
    { "amount=0", AMOUNT, 0, 0 },
    { "amount=007", AMOUNT, 0, 0 },
    { "amount=-1", AMOUNT, 0, 0 },
    { "amount=+1", AMOUNT, 0, 0 },
    { "amount=%2B1", AMOUNT, 0, 0 },
    { "amount=1.0", AMOUNT, 0, 0 },
    { "amount=1e3", AMOUNT, 0, 0 },
    { "amount=1=1", AMOUNT, 0, 0 },
    { "amount=9223372036854775808", AMOUNT, 0, 0 },
    { "amount=1&amount=1", "amount is given twice", 0, 0 },
    { "amount=1&amoun%74=1", "amount is given twice", 0, 0 },
    { "AMOUNT=1", "amount is misspelled", 0, 0 },
    { "releaseRemainingFunds=1", RELEASE, 0, 0 },
    { "releaseRemainingFunds=TRUE", RELEASE, 0, 0 },
    { "releaseRemainingFunds=", RELEASE, 0, 0 },
    { "reference=%ff", "reference is not a text", 0, 0 },
    { "reference=a%00b", "is not a form", 0, 0 },
    { "reference=%", "is not a form", 0, 0 },
    { "reference=%4", "is not a form", 0, 0 },
    { "reference=%4&amount=1", "is not a form", 0, 0 },
    { "reference=%zz", "is not a form", 0, 0 },
    { "x%=1", "is not a form", 0, 0 }
};


static void test_broken(ngx_pool_t *pool);
static void test_depth(ngx_pool_t *pool);
static void test_token(ngx_pool_t *pool);
static void test_link(ngx_pool_t *pool);
static void test_payment(ngx_pool_t *pool);
static void test_message(ngx_pool_t *pool);
static void test_params(ngx_pool_t *pool);
static void test_param_texts(ngx_pool_t *pool);
static void test_write(ngx_pool_t *pool);
static void test_write_order(ngx_pool_t *pool);
static void test_torture(void);

static void refused_token(ngx_pool_t *pool, const char *text,
    const char *reason);
static void refused_link(ngx_pool_t *pool, const char *text,
    const char *reason);
static void refused_payment(ngx_pool_t *pool, const char *text,
    const char *reason);
static void check_params(const char *kind, params_t *expected, ngx_int_t rc,
    ngx_http_payer_params_t *params, const char *reason);

static ngx_int_t call_token(ngx_pool_t *pool);
static ngx_int_t call_link(ngx_pool_t *pool);
static ngx_int_t call_payment(ngx_pool_t *pool);
static ngx_int_t call_message(ngx_pool_t *pool);
static ngx_int_t call_params(ngx_pool_t *pool);
static ngx_int_t call_form(ngx_pool_t *pool);
static ngx_int_t call_write_order(ngx_pool_t *pool);
static ngx_int_t call_write_params(ngx_pool_t *pool);
static ngx_int_t call_write(ngx_pool_t *pool);


static torture_t  tortures[] = {
    { "read_token", call_token },
    { "read_link", call_link },
    { "read_payment", call_payment },
    { "read_message", call_message },
    { "read_params", call_params },
    { "form_read_params", call_form },
    { "write_order", call_write_order },
    { "write_params", call_write_params },
    { "write", call_write }
};


int
main(void)
{
    ngx_pool_t  *pool;

    shim_init();

    pool = shim_create_pool();

    test_broken(pool);
    test_depth(pool);
    test_token(pool);
    test_link(pool);
    test_payment(pool);
    test_message(pool);
    test_params(pool);
    test_param_texts(pool);
    test_write(pool);
    test_write_order(pool);

    shim_destroy_pool(pool);

    unit_ok(shim_live == 0, "nothing is left behind");

    test_torture();

    return unit_done();
}


static void
test_broken(ngx_pool_t *pool)
{
    ngx_int_t                       rc[5];
    ngx_str_t                      *text, message;
    ngx_uint_t                      i, k, right;
    const char                     *reason[4];
    ngx_http_payer_json_link_t      link;
    ngx_http_payer_params_t         params;
    ngx_http_payer_json_token_t     token;
    ngx_http_payer_json_payment_t   payment;

    for (i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        text = unit_bytes(broken[i].text, strlen(broken[i].text));

        rc[0] = ngx_http_payer_json_read_token(pool, text, &token,
                                               &reason[0]);
        rc[1] = ngx_http_payer_json_read_link(pool, text, &link, &reason[1]);
        rc[2] = ngx_http_payer_json_read_payment(pool, text, &payment,
                                                 &reason[2]);
        rc[3] = ngx_http_payer_json_read_params(pool, text, &params,
                                                &reason[3]);
        rc[4] = ngx_http_payer_json_read_message(pool, text, &message);

        right = (rc[4] == NGX_DECLINED);

        for (k = 0; k < 4; k++) {
            right &= rc[k] == NGX_DECLINED
                     && strcmp(reason[k], broken[i].reason) == 0;
        }

        unit_ok(right, "broken: text %u %s", (unsigned) i, broken[i].reason);
    }

    unit_ok(ngx_http_payer_json_read_message(pool,
                               unit_text("{\"message\":\"a\0b\"}"), &message)
            == NGX_DECLINED, "broken: a NUL in a string");
    unit_ok(ngx_http_payer_json_read_message(pool,
                               unit_text("{\"message\":\"a\"}\0"), &message)
            == NGX_DECLINED, "broken: a NUL behind the text");
}


static void
test_depth(ngx_pool_t *pool)
{
    char                     text[256], *p;
    ngx_str_t                message;
    ngx_uint_t               depth;
    const char              *reason;
    ngx_http_payer_params_t  params;

    for (depth = 64; depth <= 65; depth++) {
        p = text + sprintf(text, "{\"message\":\"m\",\"n\":");

        memset(p, '[', depth - 1);
        p += depth - 1;

        memset(p, ']', depth - 1);
        p += depth - 1;

        strcpy(p, "}");

        unit_ok(ngx_http_payer_json_read_message(pool,
                                unit_bytes(text, strlen(text)), &message)
                == (depth == 64 ? NGX_OK : NGX_DECLINED),
                "depth: %u levels are %s", (unsigned) depth,
                depth == 64 ? "accepted" : "refused");
    }

    (void) ngx_http_payer_json_read_params(pool,
                             unit_bytes(text, strlen(text)), &params,
                             &reason);
    unit_ok(strcmp(reason, "is nested too deeply") == 0,
            "depth: and that is the reason");
}


static void
test_token(ngx_pool_t *pool)
{
    ngx_uint_t                    i;
    const char                   *reason;
    ngx_http_payer_json_token_t   token;

    static const struct {
        const char  *text;
        time_t       expires_in;
    } expiries[] = {
        { "{\"access_token\":\"t\"}", 0 },
        { "{\"access_token\":\"t\",\"expires_in\":null}", 0 },
        { "{\"access_token\":\"t\",\"expires_in\":3600}", 3600 },
        { "{\"access_token\":\"t\",\"expires_in\":3599.9}", 3599 },
        { "{\"access_token\":\"t\",\"expires_in\":0.5}", 0 },
        { "{\"access_token\":\"t\",\"expires_in\":-1}", 0 },
        { "{\"access_token\":\"t\",\"expires_in\":\"3600\"}", 0 },
        { "{\"access_token\":\"t\",\"expires_in\":1e99}", 31536000 },
        { "{\"access_token\":\"t\",\"expires_in\":1e999}", 31536000 },
        { "{\"access_token\":\"t\",\"expires_in\":-1e999}", 0 }
    };

    unit_ok(ngx_http_payer_json_read_token(pool,
                    unit_text("{\"access_token\":\"eyJ.a-b_c~+/=\","
                              "\"token_type\":\"Bearer\"}"), &token, &reason)
            == NGX_OK, "token: one is read");
    unit_is(&token.token, "eyJ.a-b_c~+/=", "token: and is what was sent");

    for (i = 0; i < sizeof(expiries) / sizeof(expiries[0]); i++) {
        unit_ok(ngx_http_payer_json_read_token(pool,
                        unit_bytes(expiries[i].text,
                                   strlen(expiries[i].text)),
                        &token, &reason)
                == NGX_OK
                && token.expires_in == expiries[i].expires_in,
                "token: %s expires in %ld", expiries[i].text,
                (long) expiries[i].expires_in);
    }

    refused_token(pool, "{}", "has no \"access_token\"");
    refused_token(pool, "{\"access_token\":null}", "has no \"access_token\"");
    refused_token(pool, "{\"access_token\":\"\"}", "has no \"access_token\"");
    refused_token(pool, "{\"Access_Token\":\"t\"}",
                  "has no \"access_token\"");
    refused_token(pool, "{\"access_token\":1}", "has a bad \"access_token\"");
    refused_token(pool, "{\"access_token\":\"a b\"}",
                  "has a bad \"access_token\"");
    refused_token(pool, "{\"access_token\":\"a\\r\\nX: y\"}",
                  "has a bad \"access_token\"");
    refused_token(pool, "{\"access_token\":\"\xc3\xa5\"}",
                  "has a bad \"access_token\"");
    refused_token(pool, "{\"access_token\":\"a\",\"access_token\":\"b\"}",
                  "has \"access_token\" twice");
}


static void
refused_token(ngx_pool_t *pool, const char *text, const char *reason)
{
    const char                   *got;
    ngx_http_payer_json_token_t   token;

    got = "";

    unit_ok(ngx_http_payer_json_read_token(pool,
                            unit_bytes(text, strlen(text)), &token, &got)
            == NGX_DECLINED && strcmp(got, reason) == 0,
            "token: %s %s", text, reason);
}


static void
test_link(ngx_pool_t *pool)
{
    const char                  *reason;
    ngx_http_payer_json_link_t   link;

    unit_ok(ngx_http_payer_json_read_link(pool,
                    unit_text("{\"paymentId\":\"pay_1-x\",\"url\":"
                              "\"https:\\/\\/w.example\\/1\",\"token\":1}"),
                    &link, &reason)
            == NGX_OK, "link: one is read");
    unit_is(&link.payment_id, "pay_1-x", "link: its payment id");
    unit_is(&link.url, "https://w.example/1", "link: its URL");

    unit_ok(ngx_http_payer_json_read_link(pool,
                    unit_text("{\"paymentId\":4711,\"url\":\"u\"}"),
                    &link, &reason)
            == NGX_OK, "link: a payment id may be a number");
    unit_is(&link.payment_id, "4711", "link: and is written in decimal");

    refused_link(pool, "{\"url\":\"u\"}", "has no \"paymentId\"");
    refused_link(pool, "{\"paymentId\":null,\"url\":\"u\"}",
                 "has no \"paymentId\"");
    refused_link(pool, "{\"paymentId\":\"\",\"url\":\"u\"}",
                 "has a bad \"paymentId\"");
    refused_link(pool, "{\"paymentId\":\"../1\",\"url\":\"u\"}",
                 "has a bad \"paymentId\"");
    refused_link(pool, "{\"paymentId\":\"a\\nb\",\"url\":\"u\"}",
                 "has a bad \"paymentId\"");
    refused_link(pool, "{\"paymentId\":1.5,\"url\":\"u\"}",
                 "has a bad \"paymentId\"");
    refused_link(pool, "{\"paymentId\":-1,\"url\":\"u\"}",
                 "has a bad \"paymentId\"");
    refused_link(pool, "{\"paymentId\":9007199254740992,\"url\":\"u\"}",
                 "has a bad \"paymentId\"");
    refused_link(pool, "{\"paymentId\":[],\"url\":\"u\"}",
                 "has a bad \"paymentId\"");
    refused_link(pool, "{\"paymentId\":\"a\",\"paymentId\":\"b\","
                       "\"url\":\"u\"}", "has \"paymentId\" twice");
    refused_link(pool, "{\"paymentId\":\"a\"}", "has no \"url\"");
    refused_link(pool, "{\"paymentId\":\"a\",\"url\":\"\"}",
                 "has no \"url\"");
    refused_link(pool, "{\"paymentId\":\"a\",\"url\":{}}",
                 "has a bad \"url\"");
}


static void
refused_link(ngx_pool_t *pool, const char *text, const char *reason)
{
    const char                  *got;
    ngx_http_payer_json_link_t   link;

    got = "";

    unit_ok(ngx_http_payer_json_read_link(pool,
                            unit_bytes(text, strlen(text)), &link, &got)
            == NGX_DECLINED && strcmp(got, reason) == 0,
            "link: %s %s", text, reason);
}


static void
test_payment(ngx_pool_t *pool)
{
    const char                     *reason;
    ngx_http_payer_json_payment_t   p;

    unit_ok(ngx_http_payer_json_read_payment(pool,
                    unit_text("{\"payment\":{\"id\":\"pay_1\",\"status\":"
                              "\"AUTHORIZED\",\"amount\":12900,"
                              "\"authorizedAmount\":12900,"
                              "\"capturedAmount\":0,"
                              "\"refundedAmount\":700,"
                              "\"currencyCode\":\"SEK\","
                              "\"externalPaymentReference\":\"A-\\u00e5\","
                              "\"paymentOperations\":[{\"amount\":1}]}}"),
                    &p, &reason)
            == NGX_OK, "payment: one is read");
    unit_is(&p.payment_id, "pay_1", "payment: its id");
    unit_is(&p.status, "AUTHORIZED", "payment: its status");
    unit_is(&p.currency, "SEK", "payment: its currency");
    unit_is(&p.reference, "A-\xc3\xa5", "payment: its reference");
    unit_ok(p.amount == 12900 && p.authorized == 12900 && p.captured == 0
            && p.refunded == 700,
            "payment: its amounts");

    unit_ok(ngx_http_payer_json_read_payment(pool,
                    unit_text("{\"status\":\"NEW_WORD\",\"id\":null,"
                              "\"amount\":null,\"externalPaymentReference\":"
                              "null}"), &p, &reason)
            == NGX_OK, "payment: it may stand without an envelope");
    unit_is(&p.status, "NEW_WORD", "payment: any word is a status");
    unit_ok(p.payment_id.len == 0 && p.reference.len == 0
            && p.currency.len == 0,
            "payment: texts that are null or absent are empty");
    unit_ok(p.amount == -1 && p.authorized == -1 && p.captured == -1
            && p.refunded == -1,
            "payment: amounts that are null or absent are -1");

    unit_ok(ngx_http_payer_json_read_payment(pool,
                    unit_text("{\"payment\":{\"status\":\"X\",\"id\":7,"
                              "\"amount\":9007199254740991,"
                              "\"capturedAmount\":1.29e4}}"), &p, &reason)
            == NGX_OK && p.amount == 9007199254740991 && p.captured == 12900,
            "payment: an integer is one in whatever form");
    unit_is(&p.payment_id, "7", "payment: an id may be a number");

    unit_ok(ngx_http_payer_json_read_payment(pool,
                    unit_text("{\"a\":[{\"payment\":1},2],\"payment\" : "
                              "{\"x\":{\"amount\":1},\"status\":\"X\","
                              "\"amount\": 9223372036854775807 ,"
                              "\"capturedAmount\":9007199254740993}}"),
                    &p, &reason)
            == NGX_OK && p.amount == 9223372036854775807
            && p.captured == 9007199254740993,
            "payment: an amount that no double holds is exact");
    unit_ok(ngx_http_payer_json_read_payment(pool,
                    unit_text("{\"status\":\"X\","
                              "\"refundedAmount\":9007199254740993}"),
                    &p, &reason)
            == NGX_OK && p.refunded == 9007199254740993,
            "payment: and so it is without an envelope");

    refused_payment(pool, "{}", "has no \"status\"");
    refused_payment(pool, "{\"payment\":{}}", "has no \"status\"");
    refused_payment(pool, "{\"payment\":{\"status\":\"\"}}",
                    "has no \"status\"");
    refused_payment(pool, "{\"payment\":{\"status\":1}}",
                    "has a bad \"status\"");
    refused_payment(pool, "{\"payment\":{\"status\":\"X\\r\\nY: z\"}}",
                    "has a bad \"status\"");
    refused_payment(pool, "{\"payment\":[{\"status\":\"X\"}]}",
                    "has a bad \"payment\"");
    refused_payment(pool, "{\"payment\":\"X\",\"status\":\"X\"}",
                    "has a bad \"payment\"");
    refused_payment(pool, "{\"payment\":{\"status\":\"INITIATED\","
                          "\"status\":\"AUTHORIZED\"}}",
                    "has \"status\" twice");
    refused_payment(pool, "{\"payment\":{\"status\":\"X\"},"
                          "\"payment\":{\"status\":\"Y\"}}",
                    "has \"payment\" twice");
    refused_payment(pool, "{\"payment\":{\"status\":\"X\",\"id\":\"a/b\"}}",
                    "has a bad \"id\"");
    refused_payment(pool, "{\"payment\":{\"status\":\"X\",\"amount\":1.5}}",
                    "has a bad \"amount\"");
    refused_payment(pool, "{\"payment\":{\"status\":\"X\",\"amount\":-1}}",
                    "has a bad \"amount\"");
    refused_payment(pool, "{\"payment\":{\"status\":\"X\",\"amount\":\"1\"}}",
                    "has a bad \"amount\"");
    refused_payment(pool, "{\"payment\":{\"status\":\"X\",\"amount\":1e999}}",
                    "has a bad \"amount\"");
    refused_payment(pool, "{\"payment\":{\"status\":\"X\","
                          "\"authorizedAmount\":9223372036854775808}}",
                    "has a bad \"authorizedAmount\"");
    refused_payment(pool, "{\"payment\":{\"status\":\"X\","
                          "\"capturedAmount\":true}}",
                    "has a bad \"capturedAmount\"");
    refused_payment(pool, "{\"payment\":{\"status\":\"X\","
                          "\"currencyCode\":752}}",
                    "has a bad \"currencyCode\"");
}


static void
refused_payment(ngx_pool_t *pool, const char *text, const char *reason)
{
    const char                     *got;
    ngx_http_payer_json_payment_t   payment;

    got = "";

    unit_ok(ngx_http_payer_json_read_payment(pool,
                            unit_bytes(text, strlen(text)), &payment, &got)
            == NGX_DECLINED && strcmp(got, reason) == 0,
            "payment: %s %s", text, reason);
}


static void
test_message(ngx_pool_t *pool)
{
    char       text[512];
    size_t     i;
    ngx_str_t  message;

    unit_ok(ngx_http_payer_json_read_message(pool,
                 unit_text("{\"message\":\"no such payment\",\"x\":1}"),
                 &message)
            == NGX_OK, "message: one is read");
    unit_is(&message, "no such payment", "message: and is what was sent");

    (void) ngx_http_payer_json_read_message(pool,
                 unit_text("{\"message\":\"a\\r\\nb\\u0007\x7f"
                           "\\u0085\xc2\x9b""c\"}"), &message);
    unit_is(&message, "a  b    c", "message: controls become spaces");

    unit_ok(ngx_http_payer_json_read_message(pool, unit_text("{}"), &message)
            == NGX_DECLINED, "message: none");
    unit_ok(ngx_http_payer_json_read_message(pool,
                 unit_text("{\"message\":\"\"}"), &message)
            == NGX_DECLINED, "message: an empty one is none");
    unit_ok(ngx_http_payer_json_read_message(pool,
                 unit_text("{\"message\":{\"a\":1}}"), &message)
            == NGX_DECLINED, "message: an object is none");
    unit_ok(ngx_http_payer_json_read_message(pool,
                 unit_text("{\"message\":\"a\",\"message\":\"b\"}"), &message)
            == NGX_DECLINED, "message: two are none");

    strcpy(text, "{\"message\":\"x");

    for (i = 0; i < 120; i++) {
        strcat(text, "\xc3\xa5");
    }

    strcat(text, "\"}");

    (void) ngx_http_payer_json_read_message(pool,
                 unit_bytes(text, strlen(text)), &message);
    unit_ok(message.len == 199 && message.data[198] == 0xa5,
            "message: a long one is cut between two characters");
}


static void
test_params(ngx_pool_t *pool)
{
    ngx_int_t                 rc;
    ngx_uint_t                i;
    const char               *reason;
    params_t                 *e;
    ngx_http_payer_params_t   params;

    for (i = 0; i < sizeof(json_params) / sizeof(json_params[0]); i++) {
        e = &json_params[i];
        reason = "";

        rc = ngx_http_payer_json_read_params(pool,
                     unit_bytes(e->text, strlen(e->text)), &params, &reason);

        check_params("json", e, rc, &params, reason);
    }

    for (i = 0; i < sizeof(form_params) / sizeof(form_params[0]); i++) {
        e = &form_params[i];
        reason = "";

        rc = ngx_http_payer_form_read_params(pool,
                     unit_bytes(e->text, strlen(e->text)), &params, &reason);

        check_params("form", e, rc, &params, reason);
    }
}


static void
check_params(const char *kind, params_t *expected, ngx_int_t rc,
    ngx_http_payer_params_t *params, const char *reason)
{
    if (expected->reason == NULL) {
        unit_ok(rc == NGX_OK && params->amount == expected->amount
                && params->release_rest == expected->release_rest,
                "params: %s \"%s\" is accepted", kind, expected->text);
        return;
    }

    unit_ok(rc == NGX_DECLINED && strcmp(reason, expected->reason) == 0,
            "params: %s \"%s\": %s", kind, expected->text, expected->reason);
}


static void
test_param_texts(ngx_pool_t *pool)
{
    const char               *reason;
    ngx_http_payer_params_t   p;

    (void) ngx_http_payer_json_read_params(pool,
               unit_text("{\"reference\":\"A\\u00e5\",\"paymentId\":\"p\","
                         "\"transactionDescription\":\"a\\nb\","
                         "\"type\":\"T\",\"url\":\"\"}"), &p, &reason);
    unit_is(&p.reference, "A\xc3\xa5", "params: a reference from JSON");
    unit_is(&p.payment_id, "p", "params: a payment id from JSON");
    unit_is(&p.description, "a\nb", "params: a description from JSON");
    unit_is(&p.type, "T", "params: a type from JSON");
    unit_is(&p.url, "", "params: an empty text is given");

    (void) ngx_http_payer_form_read_params(pool,
               unit_text("reference=A%c3%A5+%2b&paymentId=p&url&"
                         "transactionDescription=a%0Ab&type=T=%26"),
               &p, &reason);
    unit_is(&p.reference, "A\xc3\xa5 +", "params: a reference from a form");
    unit_is(&p.payment_id, "p", "params: a payment id from a form");
    unit_is(&p.description, "a\nb", "params: a description from a form");
    unit_is(&p.type, "T=&", "params: a value may have an equals sign");
    unit_is(&p.url, "", "params: a name alone is given and empty");

    (void) ngx_http_payer_json_read_params(pool,
               unit_text("{\"reference\":null}"), &p, &reason);
    unit_ok(p.reference.data == NULL && p.url.data == NULL,
            "params: null and absent are not given");
}


static void
test_write(ngx_pool_t *pool)
{
    ngx_str_t                      text;
    ngx_http_payer_params_t        params;
    ngx_http_payer_json_member_t   members[3];

    ngx_memzero(&params, sizeof(params));
    params.amount = -1;
    params.release_rest = -1;

    (void) ngx_http_payer_json_write_params(pool, &params, &text);
    unit_is(&text, "{}", "write: no parameters");
    unit_ok(shim_last_size == text.len, "write: in an exact allocation");

    params.release_rest = 0;

    (void) ngx_http_payer_json_write_params(pool, &params, &text);
    unit_is(&text, "{\"releaseRemainingFunds\":false}",
            "write: one parameter");

    params.amount = 9007199254740991;
    params.release_rest = 1;
    params.description = *unit_text("a\"b\\c\n\x01");
    params.reference = *unit_text("not for the body");

    (void) ngx_http_payer_json_write_params(pool, &params, &text);
    unit_is(&text, "{\"amount\":9007199254740991,\"releaseRemainingFunds\""
            ":true,\"transactionDescription\":\"a\\\"b\\\\c\\n\\u0001\"}",
            "write: all parameters, escaped");
    unit_ok(shim_last_size == text.len, "write: in an exact allocation");

    (void) ngx_http_payer_json_write(pool, members, 0, &text);
    unit_is(&text, "{}", "write: no members");

    ngx_str_set(&members[0].name, "title");
    members[0].text = *unit_text("\"");
    ngx_str_set(&members[1].name, "empty");
    members[1].text = *unit_text("");
    ngx_str_set(&members[2].name, "status");
    ngx_str_null(&members[2].text);
    members[2].number = INT64_MIN;

    (void) ngx_http_payer_json_write(pool, members, 3, &text);
    unit_is(&text, "{\"title\":\"\\\"\",\"status\":-9223372036854775808}",
            "write: members, the empty one left out");
    unit_ok(shim_last_size == text.len, "write: in an exact allocation");

    members[1].text = *unit_text("plain");

    (void) ngx_http_payer_json_write(pool, members, 2, &text);
    unit_is(&text, "{\"title\":\"\\\"\",\"empty\":\"plain\"}",
            "write: each member is escaped for itself");

    members[1].text.len = 0;

    (void) ngx_http_payer_json_write(pool, members + 1, 1, &text);
    unit_is(&text, "{}", "write: nothing but an empty member");

    (void) ngx_http_payer_json_write(pool, members + 1, 2, &text);
    unit_is(&text, "{\"status\":-9223372036854775808}",
            "write: an empty member before another");
}


static void
test_write_order(ngx_pool_t *pool)
{
    ngx_str_t                    text;
    ngx_http_payer_json_order_t  order;

    ngx_memzero(&order, sizeof(order));

    order.amount = INT64_MAX;
    order.reference = *unit_text("A\"\\\t\xc3\xa5");
    order.currency = *unit_text("SEK");
    order.success = *unit_text("https://shop.example/ok");
    order.fail = *unit_text("https://shop.example/fail");
    order.back = *unit_text("https://shop.example/back");

    (void) ngx_http_payer_json_write_order(pool, &order, &text);
    unit_is(&text, "{\"amount\":9223372036854775807,\"currencyCode\":\"SEK\","
            "\"externalPaymentReference\":\"A\\\"\\\\\\t\xc3\xa5\","
            "\"languageCode\":null,\"orderId\":null,"
            "\"redirectOnSuccessURL\":\"https://shop.example/ok\","
            "\"redirectOnFailURL\":\"https://shop.example/fail\","
            "\"backToShopURL\":\"https://shop.example/back\"}",
            "write: an order without language and order id");
    unit_ok(shim_last_size == text.len, "write: in an exact allocation");

    order.reference = *unit_text("A-1");
    order.language = *unit_text("sv");
    order.order_id = *unit_text("ord-1");

    (void) ngx_http_payer_json_write_order(pool, &order, &text);
    unit_is(&text, "{\"amount\":9223372036854775807,\"currencyCode\":\"SEK\","
            "\"externalPaymentReference\":\"A-1\","
            "\"languageCode\":\"sv\",\"orderId\":\"ord-1\","
            "\"redirectOnSuccessURL\":\"https://shop.example/ok\","
            "\"redirectOnFailURL\":\"https://shop.example/fail\","
            "\"backToShopURL\":\"https://shop.example/back\"}",
            "write: an order with both");
}


/* each allocation fails once, until a call gets through without */

static void
test_torture(void)
{
    ngx_int_t    rc;
    ngx_uint_t   i, n, wrong, leaks;
    ngx_pool_t  *pool;

    for (i = 0; i < sizeof(tortures) / sizeof(tortures[0]); i++) {
        wrong = 0;
        leaks = 0;

        for (n = 1; ; n++) {
            pool = shim_create_pool();

            shim_fail_at = n;
            rc = tortures[i].call(pool);

            shim_destroy_pool(pool);
            leaks += (shim_live != 0);

            if (shim_fail_at) {
                break;
            }

            wrong += (rc != NGX_ERROR);
        }

        shim_fail_at = 0;

        unit_ok(rc == NGX_OK && n > 1, "torture: %s has %u allocations",
                tortures[i].name, (unsigned) n - 1);
        unit_ok(wrong == 0, "torture: %s tells when one fails",
                tortures[i].name);
        unit_ok(leaks == 0, "torture: %s leaves nothing behind",
                tortures[i].name);
    }
}


static ngx_int_t
call_token(ngx_pool_t *pool)
{
    ngx_int_t                     rc;
    const char                   *reason;
    ngx_http_payer_json_token_t   token;

    reason = NULL;

    rc = ngx_http_payer_json_read_token(pool,
             unit_text("{\"access_token\":\"t\",\"expires_in\":3600,"
                       "\"scope\":[\"a\",{\"b\":null}]}"), &token, &reason);

    return (rc == NGX_OK || reason) ? rc : NGX_ABORT;
}


static ngx_int_t
call_link(ngx_pool_t *pool)
{
    ngx_int_t                    rc;
    const char                  *reason;
    ngx_http_payer_json_link_t   link;

    reason = NULL;

    rc = ngx_http_payer_json_read_link(pool,
             unit_text("{\"paymentId\":4711,\"url\":\"https://w.example\"}"),
             &link, &reason);

    return (rc == NGX_OK || reason) ? rc : NGX_ABORT;
}


static ngx_int_t
call_payment(ngx_pool_t *pool)
{
    ngx_int_t                       rc;
    const char                     *reason;
    ngx_http_payer_json_payment_t   payment;

    reason = NULL;

    rc = ngx_http_payer_json_read_payment(pool,
             unit_text("{\"payment\":{\"id\":\"p\",\"status\":\"X\","
                       "\"externalPaymentReference\":\"r\","
                       "\"currencyCode\":\"SEK\",\"amount\":1,"
                       "\"paymentOperations\":[{\"operationId\":1}]}}"),
             &payment, &reason);

    return (rc == NGX_OK || reason) ? rc : NGX_ABORT;
}


static ngx_int_t
call_message(ngx_pool_t *pool)
{
    ngx_str_t  message;

    return ngx_http_payer_json_read_message(pool,
               unit_text("{\"message\":\"m\",\"code\":404}"), &message);
}


static ngx_int_t
call_params(ngx_pool_t *pool)
{
    ngx_int_t                 rc;
    const char               *reason;
    ngx_http_payer_params_t   params;

    reason = NULL;

    rc = ngx_http_payer_json_read_params(pool,
             unit_text("{\"reference\":\"r\",\"amount\":1,\"url\":\"u\","
                       "\"releaseRemainingFunds\":true}"), &params, &reason);

    return (rc == NGX_OK || reason) ? rc : NGX_ABORT;
}


static ngx_int_t
call_form(ngx_pool_t *pool)
{
    ngx_int_t                 rc;
    const char               *reason;
    ngx_http_payer_params_t   params;

    reason = NULL;

    rc = ngx_http_payer_form_read_params(pool,
             unit_text("reference=r&amount=1"), &params, &reason);

    return (rc == NGX_OK || reason) ? rc : NGX_ABORT;
}


static ngx_int_t
call_write_order(ngx_pool_t *pool)
{
    ngx_str_t                    text;
    ngx_http_payer_json_order_t  order;

    ngx_memzero(&order, sizeof(order));

    return ngx_http_payer_json_write_order(pool, &order, &text);
}


static ngx_int_t
call_write_params(ngx_pool_t *pool)
{
    ngx_str_t                text;
    ngx_http_payer_params_t  params;

    ngx_memzero(&params, sizeof(params));

    return ngx_http_payer_json_write_params(pool, &params, &text);
}


static ngx_int_t
call_write(ngx_pool_t *pool)
{
    ngx_str_t                      text;
    ngx_http_payer_json_member_t   member;

    ngx_str_set(&member.name, "n");
    member.text = member.name;

    return ngx_http_payer_json_write(pool, &member, 1, &text);
}
