
/*
 * Digests, randomness and constant-time comparison.  The only files that use
 * OpenSSL.
 */


#ifndef _NGX_HTTP_PAYER_CRYPTO_H_INCLUDED_
#define _NGX_HTTP_PAYER_CRYPTO_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_HTTP_PAYER_DIGEST_LEN  32       /* SHA-256 */
#define NGX_HTTP_PAYER_UUID_LEN    36
#define NGX_HTTP_PAYER_TICKET_TEXT 22       /* base64url of 16 bytes */


/* SHA-256 of the n texts, each preceded by its length: NGX_OK, NGX_ERROR */
ngx_int_t ngx_http_payer_digest(ngx_str_t *texts, ngx_uint_t n,
    u_char digest[NGX_HTTP_PAYER_DIGEST_LEN]);

/* HMAC-SHA256 of the message: NGX_OK, or NGX_ERROR, also for an empty key */
ngx_int_t ngx_http_payer_hmac(ngx_str_t *key, ngx_str_t *message,
    u_char digest[NGX_HTTP_PAYER_DIGEST_LEN]);

/*
 * whether "signature" (64 hexadecimal digits of any case, or base64url with
 * or without padding) is the HMAC-SHA256 of "message" under "key"; compared
 * in constant time: NGX_OK, NGX_DECLINED, or NGX_ERROR, also for an empty key
 */
ngx_int_t ngx_http_payer_verify_hmac(ngx_str_t *key, ngx_str_t *message,
    ngx_str_t *signature);

/* whether two texts are the same, in a time that depends on their lengths */
ngx_uint_t ngx_http_payer_same(ngx_str_t *a, ngx_str_t *b);

/* a random UUID (RFC 9562, version 4), lowercase: NGX_OK, NGX_ERROR */
ngx_int_t ngx_http_payer_uuid(u_char uuid[NGX_HTTP_PAYER_UUID_LEN]);

/*
 * the ticket of an order: 16 random bytes, shown as base64url without padding
 * and compared with "value" in constant time: NGX_OK, NGX_DECLINED, NGX_ERROR
 */
ngx_int_t ngx_http_payer_ticket(u_char ticket[16]);
void ngx_http_payer_ticket_text(u_char ticket[16],
    u_char text[NGX_HTTP_PAYER_TICKET_TEXT]);
ngx_int_t ngx_http_payer_ticket_check(u_char ticket[16], ngx_str_t *value);

/* a UUID made from the digest of texts (version 5): the same texts always
 * give the same UUID: NGX_OK, NGX_ERROR */
ngx_int_t ngx_http_payer_uuid_of(ngx_str_t *texts, ngx_uint_t n,
    u_char uuid[NGX_HTTP_PAYER_UUID_LEN]);


#endif /* _NGX_HTTP_PAYER_CRYPTO_H_INCLUDED_ */
