
/*
 * Signed links: a key, a message and a signature, one a line.
 *
 * sources: ngx_http_payer_crypto.c
 */


#include "fuzz.h"

#include "ngx_http_payer_crypto.h"


static void fuzz_genuine(ngx_str_t *key, ngx_str_t *message, size_t at);
static void fuzz_forged(ngx_str_t *key, ngx_str_t *message,
    ngx_str_t *signature);
static void fuzz_spell(ngx_str_t *key, ngx_str_t *message, char *hex,
    char *base64);
static ngx_int_t fuzz_verify(ngx_str_t *key, ngx_str_t *message,
    const char *signature, size_t len);
static void fuzz_uuid(ngx_str_t *texts);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t     at;
    ngx_str_t  texts[3];

    at = size ? data[size / 2] : 0;

    texts[0] = fuzz_field(&data, &size, '\n');
    texts[1] = fuzz_field(&data, &size, '\n');
    texts[2] = fuzz_field(&data, &size, '\n');

    if (texts[0].len) {
        fuzz_genuine(&texts[0], &texts[1], at);
        fuzz_forged(&texts[0], &texts[1], &texts[2]);

    } else {
        fuzz_assert(ngx_http_payer_verify_hmac(&texts[0], &texts[1],
                                               &texts[2])
                    == NGX_ERROR);
    }

    fuzz_uuid(texts);

    free(texts[0].data);
    free(texts[1].data);
    free(texts[2].data);

    return 0;
}


/* a genuine signature is accepted as it is spelt, and in no way changed */

static void
fuzz_genuine(ngx_str_t *key, ngx_str_t *message, size_t at)
{
    char    hex[65], base64[46], c;
    size_t  i;

    fuzz_spell(key, message, hex, base64);

    fuzz_assert(fuzz_verify(key, message, hex, 64) == NGX_OK);
    fuzz_assert(fuzz_verify(key, message, base64, 43) == NGX_OK);
    fuzz_assert(fuzz_verify(key, message, base64, 44) == NGX_OK);

    fuzz_assert(fuzz_verify(key, message, hex, 63) == NGX_DECLINED);
    fuzz_assert(fuzz_verify(key, message, base64, 42) == NGX_DECLINED);
    fuzz_assert(fuzz_verify(key, message, base64, 45) == NGX_DECLINED);
    fuzz_assert(fuzz_verify(key, message, hex, 0) == NGX_DECLINED);

    c = hex[at % 64];
    hex[at % 64] = (char) (c == '0' ? '1' : '0');
    fuzz_assert(fuzz_verify(key, message, hex, 64) == NGX_DECLINED);
    hex[at % 64] = c;

    for (i = 0; i < 64; i++) {
        hex[i] = (char) toupper(hex[i]);
    }

    fuzz_assert(fuzz_verify(key, message, hex, 64) == NGX_OK);

    /* the last character holds two bits that no byte needs */

    c = base64[at % 43];
    base64[at % 43] = (char) (c == 'A' ? 'B' : 'A');
    fuzz_assert(fuzz_verify(key, message, base64, 43) == NGX_DECLINED);
    fuzz_assert(fuzz_verify(key, message, base64, 44) == NGX_DECLINED);
    base64[at % 43] = c;

    /* another message */

    if (message->len) {
        message->data[at % message->len] ^= 1;
        fuzz_assert(fuzz_verify(key, message, hex, 64) == NGX_DECLINED);
        message->data[at % message->len] ^= 1;
    }
}


/* whatever else is given is accepted only if it spells the same */

static void
fuzz_forged(ngx_str_t *key, ngx_str_t *message, ngx_str_t *signature)
{
    char        hex[65], base64[46];
    ngx_uint_t  same;

    fuzz_spell(key, message, hex, base64);

    same = (signature->len == 64
            && strncasecmp((char *) signature->data, hex, 64) == 0)
           || ((signature->len == 43 || signature->len == 44)
               && memcmp(signature->data, base64, signature->len) == 0);

    fuzz_assert(ngx_http_payer_verify_hmac(key, message, signature)
                == (same ? NGX_OK : NGX_DECLINED));
}


static void
fuzz_spell(ngx_str_t *key, ngx_str_t *message, char *hex, char *base64)
{
    size_t    i;
    uint8_t   digest[NGX_HTTP_PAYER_DIGEST_LEN + 1];
    unsigned  bits;

    static const char  basis[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    digest[NGX_HTTP_PAYER_DIGEST_LEN] = 0;

    fuzz_assert(ngx_http_payer_hmac(key, message, digest) == NGX_OK);

    for (i = 0; i < NGX_HTTP_PAYER_DIGEST_LEN; i++) {
        sprintf(hex + 2 * i, "%02x", digest[i]);
    }

    for (i = 0; i < 43; i++) {
        bits = (digest[i * 6 / 8] << 8) | digest[i * 6 / 8 + (i < 42)];
        base64[i] = basis[(bits >> (10 - i * 6 % 8)) & 63];
    }

    base64[42] = basis[(digest[31] << 2) & 63];

    strcpy(base64 + 43, "==");
}


static ngx_int_t
fuzz_verify(ngx_str_t *key, ngx_str_t *message, const char *signature,
    size_t len)
{
    ngx_int_t  rc;
    ngx_str_t  text;

    text = shim_text(signature, len);
    rc = ngx_http_payer_verify_hmac(key, message, &text);
    free(text.data);

    return rc;
}


/* the same texts give the same UUID; cut elsewhere they give another */

static void
fuzz_uuid(ngx_str_t *texts)
{
    u_char     uuid[3][NGX_HTTP_PAYER_UUID_LEN];
    size_t     i;
    ngx_str_t  other[3];

    fuzz_assert(ngx_http_payer_uuid_of(texts, 3, uuid[0]) == NGX_OK);
    fuzz_assert(ngx_http_payer_uuid_of(texts, 3, uuid[1]) == NGX_OK);
    fuzz_assert(memcmp(uuid[0], uuid[1], NGX_HTTP_PAYER_UUID_LEN) == 0);

    for (i = 0; i < NGX_HTTP_PAYER_UUID_LEN; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            fuzz_assert(uuid[0][i] == '-');

        } else {
            fuzz_assert(isdigit(uuid[0][i])
                        || (uuid[0][i] >= 'a' && uuid[0][i] <= 'f'));
        }
    }

    fuzz_assert(uuid[0][14] == '5' && strchr("89ab", uuid[0][19]));

    if (texts[1].len) {
        other[0] = shim_text(texts[0].data, texts[0].len);
        other[0].data = realloc(other[0].data, texts[0].len + 1);
        fuzz_assert(other[0].data != NULL);
        other[0].data[other[0].len++] = texts[1].data[0];

        other[1].data = texts[1].data + 1;
        other[1].len = texts[1].len - 1;
        other[2] = texts[2];

        fuzz_assert(ngx_http_payer_uuid_of(other, 3, uuid[2]) == NGX_OK);
        fuzz_assert(memcmp(uuid[0], uuid[2], NGX_HTTP_PAYER_UUID_LEN) != 0);

        free(other[0].data);
    }
}
