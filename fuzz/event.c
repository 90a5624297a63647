
/*
 * The payload of an event, in which anything may stand anywhere: what is found
 * is safe to use, and what stands in the likeliest place is found.  The same
 * bytes as an event's token.
 *
 * sources: ngx_http_payer_json_event.c ngx_http_payer_json_parse.c
 * sources: ngx_http_payer_json_pointer.c
 * sources: ngx_http_payer_json_written.c
 * sources: ngx_http_payer_order.c
 */


#include "fuzz.h"

#include "ngx_http_payer_json.h"
#include "ngx_http_payer_order.h"


static ngx_int_t fuzz_event(ngx_pool_t *pool, const uint8_t *data,
    size_t size, ngx_http_payer_json_event_t *event);
static void fuzz_check_event(ngx_http_payer_json_event_t *event);
static void fuzz_check_word(ngx_str_t *word);
static void fuzz_cut(const uint8_t *data, size_t size);
static void fuzz_outdone(const uint8_t *data, size_t size);
static void fuzz_token(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_int_t                     rc;
    ngx_pool_t                   *pool;
    ngx_http_payer_json_event_t   event;

    pool = shim_create_pool();

    rc = fuzz_event(pool, data, size, &event);

    fuzz_assert(rc == NGX_OK || rc == NGX_DECLINED);

    if (rc == NGX_OK) {
        fuzz_check_event(&event);
        fuzz_cut(data, size);
        fuzz_outdone(data, size);
    }

    shim_destroy_pool(pool);

    fuzz_token(data, size);

    fuzz_assert(shim_live == 0);

    return 0;
}


/* the text is gone when the result is looked at */

static ngx_int_t
fuzz_event(ngx_pool_t *pool, const uint8_t *data, size_t size,
    ngx_http_payer_json_event_t *event)
{
    ngx_int_t    rc;
    ngx_str_t    text;
    const char  *reason;

    reason = NULL;
    text = shim_text(data, size);

    rc = ngx_http_payer_json_read_event(pool, &text, event, &reason);

    fuzz_assert(rc == NGX_OK || (reason && strlen(reason) > 5));

    free(text.data);

    return rc;
}


static void
fuzz_check_event(ngx_http_payer_json_event_t *event)
{
    ngx_str_t  *id, *reference;

    id = &event->payment_id;
    reference = &event->reference;

    fuzz_assert(id->len <= NGX_HTTP_PAYER_MAX_PAYMENT_ID);
    fuzz_check_word(id);

    fuzz_assert(event->type.len <= NGX_HTTP_PAYER_MAX_EVENT_TYPE);
    fuzz_check_word(&event->type);

    fuzz_assert(reference->len <= NGX_HTTP_PAYER_MAX_REFERENCE);
    fuzz_assert(fuzz_is_utf8(reference, 0));
}


/* nothing that a header or a path could be split with */

static void
fuzz_check_word(ngx_str_t *word)
{
    size_t  i;

    for (i = 0; i < word->len; i++) {
        fuzz_assert(isalnum(word->data[i]) || strchr("_.-", word->data[i]));
    }
}


/* a payload that was cut off is none */

static void
fuzz_cut(const uint8_t *data, size_t size)
{
    size_t                        len;
    ngx_pool_t                   *pool;
    ngx_http_payer_json_event_t   event;

    while (size && strchr(" \t\r\n", data[size - 1])) {
        size--;
    }

    for (len = size - 1; len > 0; len /= 2) {
        pool = shim_create_pool();
        fuzz_assert(fuzz_event(pool, data, len, &event) == NGX_DECLINED);
        shim_destroy_pool(pool);
    }
}


/* inside another payload, which names a payment itself, it is outdone */

static void
fuzz_outdone(const uint8_t *data, size_t size)
{
    char                         *text, *p;
    ngx_int_t                     rc;
    ngx_pool_t                   *pool;
    ngx_http_payer_json_event_t   event;

    static const char  head[] = "{\"inner\":";
    static const char  tail[] = ",\"paymentId\":\"outer-1\"}";

    text = malloc(sizeof(head) + size + sizeof(tail));
    fuzz_assert(text != NULL);

    p = text;
    memcpy(p, head, sizeof(head) - 1);
    p += sizeof(head) - 1;
    memcpy(p, data, size);
    p += size;
    memcpy(p, tail, sizeof(tail) - 1);
    p += sizeof(tail) - 1;

    pool = shim_create_pool();

    rc = fuzz_event(pool, (uint8_t *) text, p - text, &event);

    /* unless it is too deep now */

    if (rc == NGX_OK) {
        fuzz_assert(event.payment_id.len == 7);
        fuzz_assert(memcmp(event.payment_id.data, "outer-1", 7) == 0);
        fuzz_assert(!event.guess);
    }

    shim_destroy_pool(pool);
    free(text);
}


/* a token leads nowhere but to its event */

static void
fuzz_token(const uint8_t *data, size_t size)
{
    size_t      i;
    ngx_int_t   rc;
    ngx_str_t   token;
    ngx_uint_t  good, dots;

    token = shim_text(data, size);
    rc = ngx_http_payer_check_event_token(&token);

    dots = 0;
    good = 0;

    for (i = 0; i < size; i++) {
        dots += (data[i] == '.');
        good += (data[i] && strchr("._~-", data[i]))
                || (data[i] < 0x80 && isalnum(data[i]));
    }

    fuzz_assert(rc == ((size > 0 && size <= 256 && good == size
                        && dots < size) ? NGX_OK : NGX_DECLINED));

    free(token.data);
}
