
/*
 * What Payer answers: every reader on the same text.
 *
 * sources: ngx_http_payer_amount.c
 * sources: ngx_http_payer_json.c ngx_http_payer_json_message.c
 * sources: ngx_http_payer_json_time.c
 * sources: ngx_http_payer_json_parse.c ngx_http_payer_json_written.c
 * sources: ngx_http_payer_json_pointer.c
 * sources: ngx_http_payer_order.c
 */


#include "fuzz.h"

#include <math.h>

#include <cjson/cJSON.h>

#include "ngx_http_payer_json.h"
#include "ngx_http_payer_json_parse.h"
#include "ngx_http_payer_order.h"


typedef struct {
    ngx_http_payer_json_token_t     token;
    ngx_http_payer_json_link_t      link;
    ngx_http_payer_json_payment_t   payment;
    ngx_str_t                       message;
    ngx_int_t                       rc[4];
    const char                     *reason[4];
} fuzz_reply_t;


static void fuzz_read(ngx_pool_t *pool, const uint8_t *data, size_t size,
    fuzz_reply_t *reply);
static void fuzz_check_link(ngx_pool_t *pool, ngx_str_t *text,
    fuzz_reply_t *reply);
static void fuzz_check_reply(fuzz_reply_t *reply);
static void fuzz_check_text(ngx_str_t *text);
static void fuzz_check_amount(int64_t amount);
static void fuzz_check_prefix(const uint8_t *data, size_t size);
static void fuzz_check_strings(const uint8_t *data, size_t size);
static void fuzz_check_numbers(cJSON *tree, fuzz_reply_t *reply);
static void fuzz_check_number(cJSON *object, const char *name,
    int64_t amount);
static void fuzz_exact_numbers(cJSON *tree);
static ngx_uint_t fuzz_amounts(ngx_http_payer_json_payment_t *payment);
static void fuzz_check_reprinted(const uint8_t *data, size_t size,
    fuzz_reply_t *reply);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_uint_t     i, accepted;
    ngx_pool_t    *pool;
    fuzz_reply_t   reply;

    pool = shim_create_pool();

    fuzz_read(pool, data, size, &reply);
    fuzz_check_reply(&reply);

    for (accepted = 0, i = 0; i < 4; i++) {
        accepted |= (reply.rc[i] == NGX_OK);
    }

    if (accepted) {
        fuzz_check_strings(data, size);
        fuzz_check_prefix(data, size);
        fuzz_check_reprinted(data, size, &reply);
    }

    shim_destroy_pool(pool);

    fuzz_assert(shim_live == 0);

    return 0;
}


/* the text is gone when the results are looked at */

static void
fuzz_read(ngx_pool_t *pool, const uint8_t *data, size_t size,
    fuzz_reply_t *reply)
{
    ngx_uint_t  i;
    ngx_str_t   text;

    text = shim_text(data, size);

    for (i = 0; i < 4; i++) {
        reply->reason[i] = NULL;
    }

    reply->rc[0] = ngx_http_payer_json_read_token(pool, &text, &reply->token,
                                                  &reply->reason[0]);
    reply->rc[1] = ngx_http_payer_json_read_link(pool, &text, &reply->link,
                                                 &reply->reason[1]);
    reply->rc[2] = ngx_http_payer_json_read_payment(pool, &text,
                                                    &reply->payment,
                                                    &reply->reason[2]);
    reply->rc[3] = ngx_http_payer_json_read_message(pool, &text,
                                                    &reply->message);
    fuzz_check_link(pool, &text, reply);

    free(text.data);
}


/* whether cJSON's tree is made or not, a link is the same, or the fault */

static void
fuzz_check_link(ngx_pool_t *pool, ngx_str_t *text, fuzz_reply_t *reply)
{
    ngx_int_t                    rc;
    const char                  *reason;
    ngx_http_payer_json_link_t   link;

    rc = ngx_http_payer_json_check(text, &reason);

    if (rc == NGX_OK) {
        rc = ngx_http_payer_json_tree_link(pool, text, &link, &reason);
    }

    fuzz_assert(reply->rc[1] == rc);

    if (rc != NGX_OK) {
        fuzz_assert(strcmp(reply->reason[1], reason) == 0);
        return;
    }

    fuzz_assert(fuzz_same(&reply->link.payment_id, &link.payment_id));
    fuzz_assert(fuzz_same(&reply->link.url, &link.url));
}


static void
fuzz_check_reply(fuzz_reply_t *reply)
{
    size_t      i;
    ngx_str_t  *id;

    for (i = 0; i < 4; i++) {
        fuzz_assert(reply->rc[i] == NGX_OK || reply->rc[i] == NGX_DECLINED);
        fuzz_assert(i == 3 || reply->rc[i] == NGX_OK
                    || (reply->reason[i] && strlen(reply->reason[i]) > 5));
    }

    if (reply->rc[0] == NGX_OK) {
        fuzz_assert(reply->token.token.len > 0);
        fuzz_assert(reply->token.expires_in >= 0);
        fuzz_assert(reply->token.expires_in <= 365 * 86400);

        for (i = 0; i < reply->token.token.len; i++) {
            fuzz_assert(isgraph(reply->token.token.data[i]));
        }
    }

    if (reply->rc[1] == NGX_OK) {
        id = &reply->link.payment_id;
        fuzz_assert(ngx_http_payer_check_payment_id(id) == NGX_OK);
        fuzz_assert(reply->link.url.len > 0);
        fuzz_check_text(&reply->link.url);
    }

    if (reply->rc[2] == NGX_OK) {
        id = &reply->payment.payment_id;
        fuzz_assert(id->len == 0
                    || ngx_http_payer_check_payment_id(id) == NGX_OK);
        fuzz_assert(reply->payment.status.len > 0);
        fuzz_assert(fuzz_is_utf8(&reply->payment.status, 0));
        fuzz_check_text(&reply->payment.reference);
        fuzz_check_text(&reply->payment.currency);
        fuzz_check_amount(reply->payment.amount);
        fuzz_check_amount(reply->payment.authorized);
        fuzz_check_amount(reply->payment.captured);
        fuzz_check_amount(reply->payment.refunded);
    }

    if (reply->rc[3] == NGX_OK) {
        fuzz_assert(reply->message.len > 0 && reply->message.len <= 200);
        fuzz_assert(fuzz_is_utf8(&reply->message, 0));
    }
}


static void
fuzz_check_text(ngx_str_t *text)
{
    fuzz_assert(fuzz_is_utf8(text, 1));
    fuzz_assert(text->len == 0 || memchr(text->data, 0, text->len) == NULL);
}


static void
fuzz_check_amount(int64_t amount)
{
    fuzz_assert(amount >= -1 && amount <= FUZZ_MAX_NUMBER);
}


/* a reply that was cut off is never accepted */

static void
fuzz_check_prefix(const uint8_t *data, size_t size)
{
    size_t         len;
    ngx_uint_t     i;
    ngx_pool_t    *pool;
    fuzz_reply_t   reply;

    while (size && strchr(" \t\r\n", data[size - 1])) {
        size--;
    }

    for (len = size - 1; len > 0; len /= 2) {
        pool = shim_create_pool();
        fuzz_read(pool, data, len, &reply);

        for (i = 0; i < 4; i++) {
            fuzz_assert(reply.rc[i] == NGX_DECLINED);
        }

        shim_destroy_pool(pool);
    }
}


/* the same document, written in another way, says the same */

static void
fuzz_check_reprinted(const uint8_t *data, size_t size, fuzz_reply_t *reply)
{
    char          *printed;
    cJSON         *tree;
    ngx_pool_t    *pool;
    fuzz_reply_t   again;

    tree = cJSON_ParseWithLength((const char *) data, size);
    fuzz_assert(tree != NULL);

    fuzz_check_numbers(tree, reply);
    fuzz_exact_numbers(tree);

    printed = cJSON_Print(tree);
    fuzz_assert(printed != NULL);

    pool = shim_create_pool();
    fuzz_read(pool, (uint8_t *) printed, strlen(printed), &again);

    if (reply->rc[0] == NGX_OK) {
        fuzz_assert(again.rc[0] == NGX_OK);
        fuzz_assert(fuzz_same(&again.token.token, &reply->token.token));
        fuzz_assert(again.token.expires_in == reply->token.expires_in);
    }

    if (reply->rc[1] == NGX_OK) {
        fuzz_assert(again.rc[1] == NGX_OK);
        fuzz_assert(fuzz_same(&again.link.payment_id,
                              &reply->link.payment_id));
        fuzz_assert(fuzz_same(&again.link.url, &reply->link.url));
    }

    /* the tree has doubles, which do not hold the largest amounts */

    if (reply->rc[2] == NGX_OK && fuzz_amounts(&reply->payment)) {
        fuzz_assert(again.rc[2] == NGX_OK);
        fuzz_assert(fuzz_same(&again.payment.status,
                              &reply->payment.status));
        fuzz_assert(fuzz_same(&again.payment.reference,
                              &reply->payment.reference));
        fuzz_assert(again.payment.amount == reply->payment.amount);
        fuzz_assert(again.payment.authorized == reply->payment.authorized);
        fuzz_assert(again.payment.captured == reply->payment.captured);
        fuzz_assert(again.payment.refunded == reply->payment.refunded);
    }

    if (reply->rc[3] == NGX_OK) {
        fuzz_assert(again.rc[3] == NGX_OK);
        fuzz_assert(fuzz_same(&again.message, &reply->message));
    }

    shim_destroy_pool(pool);
    cJSON_free(printed);
    cJSON_Delete(tree);
}


static ngx_uint_t
fuzz_amounts(ngx_http_payer_json_payment_t *payment)
{
    return payment->amount <= FUZZ_MAX_DOUBLE
           && payment->authorized <= FUZZ_MAX_DOUBLE
           && payment->captured <= FUZZ_MAX_DOUBLE
           && payment->refunded <= FUZZ_MAX_DOUBLE;
}


/* no string holds a control character as such, or an escaped NUL */

static void
fuzz_check_strings(const uint8_t *data, size_t size)
{
    size_t      i;
    ngx_uint_t  quoted;

    quoted = 0;

    for (i = 0; i < size; i++) {
        fuzz_assert(data[i] >= 0x20
                    || (!quoted && strchr("\t\r\n", data[i]) && data[i]));

        if (data[i] == '"') {
            quoted = !quoted;

        } else if (data[i] == '\\') {
            i++;
            fuzz_assert(quoted && i < size);
            fuzz_assert(size - i < 5 || memcmp(&data[i], "u0000", 5) != 0);
        }
    }

    fuzz_assert(!quoted);
}


/* an amount is what the tree has, or it is not there */

static void
fuzz_check_numbers(cJSON *tree, fuzz_reply_t *reply)
{
    cJSON   *object, *expires;
    double   seconds;

    if (reply->rc[2] == NGX_OK) {
        object = cJSON_GetObjectItemCaseSensitive(tree, "payment");

        if (object == NULL || cJSON_IsNull(object)) {
            object = tree;
        }

        fuzz_check_number(object, "amount", reply->payment.amount);
        fuzz_check_number(object, "authorizedAmount",
                          reply->payment.authorized);
        fuzz_check_number(object, "capturedAmount",
                          reply->payment.captured);
        fuzz_check_number(object, "refundedAmount",
                          reply->payment.refunded);
    }

    if (reply->rc[0] == NGX_OK) {
        expires = cJSON_GetObjectItemCaseSensitive(tree, "expires_in");
        seconds = cJSON_IsNumber(expires) ? floor(expires->valuedouble) : 0;
        seconds = fmin(fmax(seconds, 0), 365 * 86400);

        fuzz_assert((double) reply->token.expires_in == seconds);
    }
}


static void
fuzz_check_number(cJSON *object, const char *name, int64_t amount)
{
    cJSON  *number;

    number = cJSON_GetObjectItemCaseSensitive(object, name);

    if (number == NULL || cJSON_IsNull(number)) {
        fuzz_assert(amount == -1);
        return;
    }

    fuzz_assert(cJSON_IsNumber(number));
    fuzz_assert(amount >= 0 && (double) amount == number->valuedouble);
}


/* cJSON prints 9007199254740991 as 9.00719925474099e+15 */

static void
fuzz_exact_numbers(cJSON *tree)
{
    size_t  len;

    for ( /* void */ ; tree != NULL; tree = tree->next) {
        fuzz_exact_numbers(tree->child);

        if (!cJSON_IsNumber(tree)) {
            continue;
        }

        len = sizeof("-1.7976931348623157e+308");
        tree->valuestring = cJSON_malloc(len);
        fuzz_assert(tree->valuestring != NULL);

        if (isinf(tree->valuedouble)) {
            strcpy(tree->valuestring,
                   tree->valuedouble > 0 ? "1e999" : "-1e999");

        } else {
            snprintf(tree->valuestring, len, "%.17g", tree->valuedouble);
        }

        tree->type = cJSON_Raw;
    }
}
