
/*
 * Digests, randomness and constant-time comparison.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "ngx_http_payer_crypto.h"


#define NGX_HTTP_PAYER_UUID_BYTES  16
#define NGX_HTTP_PAYER_UUIDS_AHEAD 64

/* 32 bytes as text: hexadecimal, and base64url without and with padding */
#define NGX_HTTP_PAYER_HEX_LEN     (2 * NGX_HTTP_PAYER_DIGEST_LEN)
#define NGX_HTTP_PAYER_BASE64_LEN  43
#define NGX_HTTP_PAYER_PADDED_LEN  44


static ngx_int_t ngx_http_payer_digest_text(EVP_MD_CTX *ctx,
    ngx_str_t *text);
static ngx_int_t ngx_http_payer_random(
    u_char bytes[NGX_HTTP_PAYER_UUID_BYTES]);
static void ngx_http_payer_format_uuid(u_char *bytes, u_char version,
    u_char *uuid);


ngx_int_t
ngx_http_payer_digest(ngx_str_t *texts, ngx_uint_t n,
    u_char digest[NGX_HTTP_PAYER_DIGEST_LEN])
{
    ngx_int_t    rc;
    ngx_uint_t   i;
    EVP_MD_CTX  *ctx;

    ctx = EVP_MD_CTX_new();

    if (ctx == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    if (EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1) {
        goto done;
    }

    for (i = 0; i < n; i++) {
        if (ngx_http_payer_digest_text(ctx, &texts[i]) != NGX_OK) {
            goto done;
        }
    }

    if (EVP_DigestFinal_ex(ctx, digest, NULL) != 1) {
        goto done;
    }

    rc = NGX_OK;

done:

    EVP_MD_CTX_free(ctx);

    return rc;
}


/* the length in front keeps "a", "bc" apart from "ab", "c" */

static ngx_int_t
ngx_http_payer_digest_text(EVP_MD_CTX *ctx, ngx_str_t *text)
{
    u_char      len[8];
    uint64_t    value;
    ngx_uint_t  i;

    value = text->len;

    for (i = 8; i > 0; i--) {
        len[i - 1] = (u_char) value;
        value >>= 8;
    }

    if (EVP_DigestUpdate(ctx, len, sizeof(len)) != 1
        || EVP_DigestUpdate(ctx, text->data, text->len) != 1)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_hmac(ngx_str_t *key, ngx_str_t *message,
    u_char digest[NGX_HTTP_PAYER_DIGEST_LEN])
{
    /* any client can sign with an empty key */

    if (key->len == 0 || key->len > NGX_MAX_INT32_VALUE) {
        return NGX_ERROR;
    }

    if (HMAC(EVP_sha256(), key->data, (int) key->len,
             message->data, message->len, digest, NULL)
        == NULL)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_verify_hmac(ngx_str_t *key, ngx_str_t *message,
    ngx_str_t *signature)
{
    size_t      len;
    u_char      digest[NGX_HTTP_PAYER_DIGEST_LEN];
    u_char      given[NGX_HTTP_PAYER_HEX_LEN];
    u_char      expected[NGX_HTTP_PAYER_HEX_LEN];
    ngx_str_t   raw, text;

    if (ngx_http_payer_hmac(key, message, digest) != NGX_OK) {
        return NGX_ERROR;
    }

    /*
     * the texts are compared and not the bytes: several texts are decoded to
     * the same bytes, and nginx's decoder stops at any "="
     */

    len = signature->len;

    if (len == NGX_HTTP_PAYER_HEX_LEN) {
        ngx_strlow(given, signature->data, len);
        (void) ngx_hex_dump(expected, digest, sizeof(digest));

    } else {
        if (len == NGX_HTTP_PAYER_PADDED_LEN
            && signature->data[len - 1] == '=')
        {
            len--;
        }

        if (len != NGX_HTTP_PAYER_BASE64_LEN) {
            return NGX_DECLINED;
        }

        ngx_memcpy(given, signature->data, len);

        raw.len = sizeof(digest);
        raw.data = digest;
        text.data = expected;

        ngx_encode_base64url(&text, &raw);
    }

    if (CRYPTO_memcmp(given, expected, len) != 0) {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_payer_same(ngx_str_t *a, ngx_str_t *b)
{
    return a->len == b->len && CRYPTO_memcmp(a->data, b->data, a->len) == 0;
}


ngx_int_t
ngx_http_payer_uuid(u_char uuid[NGX_HTTP_PAYER_UUID_LEN])
{
    u_char  bytes[NGX_HTTP_PAYER_UUID_BYTES];

    if (ngx_http_payer_random(bytes) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_payer_format_uuid(bytes, 4, uuid);

    return NGX_OK;
}


/*
 * Sixteen random bytes cost as much as a thousand, so they are generated in
 * advance.  Each process has its own buffer.
 */

static ngx_int_t
ngx_http_payer_random(u_char bytes[NGX_HTTP_PAYER_UUID_BYTES])
{
    u_char  *p;

    static u_char      stock[NGX_HTTP_PAYER_UUIDS_AHEAD
                             * NGX_HTTP_PAYER_UUID_BYTES];
    static ngx_pid_t   owner;
    static ngx_uint_t  left;

    if (left == 0 || owner != ngx_pid) {
        left = 0;

        if (RAND_bytes(stock, sizeof(stock)) != 1) {
            return NGX_ERROR;
        }

        left = NGX_HTTP_PAYER_UUIDS_AHEAD;
        owner = ngx_pid;
    }

    p = stock + --left * NGX_HTTP_PAYER_UUID_BYTES;

    ngx_memcpy(bytes, p, NGX_HTTP_PAYER_UUID_BYTES);
    ngx_explicit_memzero(p, NGX_HTTP_PAYER_UUID_BYTES);

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_ticket(u_char ticket[NGX_HTTP_PAYER_UUID_BYTES])
{
    return ngx_http_payer_random(ticket);
}


void
ngx_http_payer_ticket_text(u_char ticket[NGX_HTTP_PAYER_UUID_BYTES],
    u_char text[NGX_HTTP_PAYER_TICKET_TEXT])
{
    ngx_str_t  src, dst;

    src.len = NGX_HTTP_PAYER_UUID_BYTES;
    src.data = ticket;
    dst.data = text;

    ngx_encode_base64url(&dst, &src);
}


ngx_int_t
ngx_http_payer_ticket_check(u_char ticket[NGX_HTTP_PAYER_UUID_BYTES],
    ngx_str_t *value)
{
    u_char  text[NGX_HTTP_PAYER_TICKET_TEXT];

    /* the texts, since several of them decode to the same bytes */

    if (value->len != NGX_HTTP_PAYER_TICKET_TEXT) {
        return NGX_DECLINED;
    }

    ngx_http_payer_ticket_text(ticket, text);

    return CRYPTO_memcmp(text, value->data, NGX_HTTP_PAYER_TICKET_TEXT) == 0
           ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_http_payer_uuid_of(ngx_str_t *texts, ngx_uint_t n,
    u_char uuid[NGX_HTTP_PAYER_UUID_LEN])
{
    u_char  digest[NGX_HTTP_PAYER_DIGEST_LEN];

    if (ngx_http_payer_digest(texts, n, digest) != NGX_OK) {
        return NGX_ERROR;
    }

    /*
     * version 5 is for the digest of a name, as here; version 8, for a longer
     * digest, is not accepted as a UUID by many programs
     */

    ngx_http_payer_format_uuid(digest, 5, uuid);

    return NGX_OK;
}


static void
ngx_http_payer_format_uuid(u_char *bytes, u_char version, u_char *uuid)
{
    /* the version, and the variant of RFC 9562 */

    bytes[6] = (u_char) ((bytes[6] & 0x0f) | (version << 4));
    bytes[8] = (u_char) ((bytes[8] & 0x3f) | 0x80);

    uuid = ngx_hex_dump(uuid, bytes, 4);
    *uuid++ = '-';

    uuid = ngx_hex_dump(uuid, bytes + 4, 2);
    *uuid++ = '-';

    uuid = ngx_hex_dump(uuid, bytes + 6, 2);
    *uuid++ = '-';

    uuid = ngx_hex_dump(uuid, bytes + 8, 2);
    *uuid++ = '-';

    (void) ngx_hex_dump(uuid, bytes + 10, 6);
}
