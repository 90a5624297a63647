
/*
 * What a caller asks for: the first byte is odd for a form, even for JSON.
 *
 * sources: ngx_http_payer_json_params.c ngx_http_payer_json_parse.c
 * sources: ngx_http_payer_json_pointer.c
 * sources: ngx_http_payer_json_written.c
 * sources: ngx_http_payer_json_write.c ngx_http_payer_order.c
 * sources: ngx_http_payer_amount.c
 */


#include "fuzz.h"

#include "ngx_http_payer_json.h"


static void fuzz_check_params(ngx_http_payer_params_t *params);
static void fuzz_check_text(ngx_str_t *text);
static void fuzz_without_plus(ngx_pool_t *pool, const uint8_t *data,
    size_t size, ngx_http_payer_params_t *params);
static void fuzz_as_form(ngx_pool_t *pool, ngx_http_payer_params_t *params);
static void fuzz_as_json(ngx_pool_t *pool, ngx_http_payer_params_t *params);
static char *fuzz_put_form(char *p, const char *name, ngx_str_t *text);
static void fuzz_compare(ngx_http_payer_params_t *a,
    ngx_http_payer_params_t *b);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_int_t                 rc;
    ngx_str_t                 text;
    ngx_uint_t                form;
    ngx_pool_t               *pool;
    const char               *reason;
    ngx_http_payer_params_t   params;

    if (size == 0) {
        return 0;
    }

    form = data[0] & 1;
    text = shim_text(data + 1, size - 1);
    pool = shim_create_pool();
    reason = NULL;

    memset(&params, 0x5a, sizeof(params));

    rc = form ? ngx_http_payer_form_read_params(pool, &text, &params, &reason)
              : ngx_http_payer_json_read_params(pool, &text, &params,
                                                &reason);
    free(text.data);

    fuzz_assert(rc == NGX_OK || rc == NGX_DECLINED);

    if (rc == NGX_OK) {
        fuzz_check_params(&params);
        fuzz_as_form(pool, &params);
        fuzz_as_json(pool, &params);

        if (form) {
            fuzz_without_plus(pool, data + 1, size - 1, &params);
        }

    } else {
        fuzz_assert(reason != NULL && strlen(reason) > 5);
    }

    shim_destroy_pool(pool);

    fuzz_assert(shim_live == 0);

    return 0;
}


static void
fuzz_check_params(ngx_http_payer_params_t *params)
{
    fuzz_assert(params->amount == -1
                || (params->amount > 0 && params->amount <= FUZZ_MAX_NUMBER));
    fuzz_assert(params->release_rest >= -1 && params->release_rest <= 1);

    fuzz_check_text(&params->reference);
    fuzz_check_text(&params->payment_id);
    fuzz_check_text(&params->description);
    fuzz_check_text(&params->type);
    fuzz_check_text(&params->url);
}


static void
fuzz_check_text(ngx_str_t *text)
{
    fuzz_assert(text->data != NULL || text->len == 0);
    fuzz_assert(fuzz_is_utf8(text, 1));
    fuzz_assert(text->len == 0 || memchr(text->data, 0, text->len) == NULL);
}


/* a plus in a form is a space, and a space may be written as such */

static void
fuzz_without_plus(ngx_pool_t *pool, const uint8_t *data, size_t size,
    ngx_http_payer_params_t *params)
{
    size_t                    i;
    ngx_str_t                 text;
    const char               *reason;
    ngx_http_payer_params_t   again;

    text = shim_text(data, size);

    for (i = 0; i < size; i++) {
        if (text.data[i] == '+') {
            text.data[i] = ' ';
        }
    }

    fuzz_assert(ngx_http_payer_form_read_params(pool, &text, &again, &reason)
                == NGX_OK);

    free(text.data);

    fuzz_compare(params, &again);
}


/* the same parameters as a form, each byte escaped, are the same */

static void
fuzz_as_form(ngx_pool_t *pool, ngx_http_payer_params_t *params)
{
    char                     *form, *p;
    size_t                    len;
    ngx_str_t                 text;
    const char               *reason;
    ngx_http_payer_params_t   again;

    len = 3 * (params->reference.len + params->payment_id.len
               + params->description.len + params->type.len
               + params->url.len) + 256;

    form = malloc(len);
    fuzz_assert(form != NULL);

    p = form;
    p = fuzz_put_form(p, "reference", &params->reference);
    p = fuzz_put_form(p, "%75rl", &params->url);
    p = fuzz_put_form(p, "paymentId", &params->payment_id);
    p = fuzz_put_form(p, "transactionDescription", &params->description);
    p = fuzz_put_form(p, "type", &params->type);

    if (params->amount != -1) {
        p += sprintf(p, "amount=%lld&", (long long) params->amount);
    }

    if (params->release_rest != -1) {
        p += sprintf(p, "releaseRemainingFunds=%s",
                     params->release_rest ? "true" : "false");
    }

    text.data = (u_char *) form;
    text.len = p - form;

    fuzz_assert(ngx_http_payer_form_read_params(pool, &text, &again, &reason)
                == NGX_OK);

    free(form);

    fuzz_compare(params, &again);
}


static char *
fuzz_put_form(char *p, const char *name, ngx_str_t *text)
{
    size_t  i;

    static const char  hex[] = "0123456789aBcDeF";

    if (text->data == NULL) {
        return p;
    }

    p += sprintf(p, "%s=", name);

    for (i = 0; i < text->len; i++) {
        *p++ = '%';
        *p++ = hex[text->data[i] >> 4];
        *p++ = hex[text->data[i] & 15];
    }

    *p++ = '&';

    return p;
}


/* and so they are as JSON */

static void
fuzz_as_json(ngx_pool_t *pool, ngx_http_payer_params_t *params)
{
    size_t                         n;
    ngx_str_t                      text, body;
    const char                    *reason;
    ngx_http_payer_params_t        again;
    ngx_http_payer_json_member_t   members[6];

    n = 0;

#define fuzz_member(field, value)                                            \
    if (value.data != NULL) {                                                \
        ngx_str_set(&members[n].name, field);                                \
        members[n++].text = value;                                           \
    }

    fuzz_member("reference", params->reference);
    fuzz_member("paymentId", params->payment_id);
    fuzz_member("transactionDescription", params->description);
    fuzz_member("type", params->type);
    fuzz_member("url", params->url);

    if (params->amount != -1) {
        ngx_str_set(&members[n].name, "amount");
        ngx_str_null(&members[n].text);
        members[n++].number = params->amount;
    }

    fuzz_assert(ngx_http_payer_json_write(pool, members, n, &text)
                == NGX_OK);

    /* one more member, as write() has no booleans, in front of the others */

    body.data = malloc(text.len + 128);
    fuzz_assert(body.data != NULL);

    body.len = sprintf((char *) body.data,
                       "{\"x\":{\"amount\":[1,2]},\"y\":[0.5,{}]%s%s%.*s",
                       params->release_rest == -1 ? ""
                       : params->release_rest ? ",\"releaseRemainingFunds\""
                                                ":true"
                                              : ",\"releaseRemainingFunds\""
                                                ":false",
                       text.len > 2 ? "," : "",
                       (int) text.len - 1, text.data + 1);

    fuzz_assert(ngx_http_payer_json_read_params(pool, &body, &again, &reason)
                == NGX_OK);

    free(body.data);

    fuzz_compare(params, &again);
}


static void
fuzz_compare(ngx_http_payer_params_t *a, ngx_http_payer_params_t *b)
{
    fuzz_assert(a->amount == b->amount);
    fuzz_assert(a->release_rest == b->release_rest);
    fuzz_assert(fuzz_same(&a->reference, &b->reference));
    fuzz_assert(fuzz_same(&a->payment_id, &b->payment_id));
    fuzz_assert(fuzz_same(&a->description, &b->description));
    fuzz_assert(fuzz_same(&a->type, &b->type));
    fuzz_assert(fuzz_same(&a->url, &b->url));
}
