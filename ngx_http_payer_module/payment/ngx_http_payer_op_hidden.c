
/*
 * The key of an operation that was erased.
 *
 * A client's idempotency key may contain the name of a person.  Its digest
 * does not, and a repeat is found by it.  The character before it is not valid
 * in a key, so that a client cannot choose such a key.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_op.h"


#define NGX_HTTP_PAYER_OP_HIDDEN  "\xc2\xa7"


ngx_int_t
ngx_http_payer_op_hidden_key(ngx_pool_t *pool, ngx_str_t *key, size_t prefix,
    ngx_str_t *request_id, ngx_str_t *hidden)
{
    u_char     *p, *last;
    ngx_str_t   chosen;
    u_char      digest[NGX_HTTP_PAYER_DIGEST_LEN];

    static ngx_str_t  automatic = ngx_string("payer_auto_capture");

    last = key->data + key->len;

    p = ngx_strlchr(key->data + prefix, last, '/');
    if (p == NULL) {
        return NGX_DECLINED;
    }

    chosen.data = ++p;
    chosen.len = last - p;

    if (chosen.len == 0
        || ngx_strncmp(chosen.data, NGX_HTTP_PAYER_OP_HIDDEN,
                       ngx_min(chosen.len,
                               sizeof(NGX_HTTP_PAYER_OP_HIDDEN) - 1))
           == 0
        || (request_id && chosen.len == request_id->len
            && ngx_strncmp(chosen.data, request_id->data, chosen.len) == 0)
        || (chosen.len == automatic.len
            && ngx_strncmp(chosen.data, automatic.data, chosen.len) == 0))
    {
        return NGX_DECLINED;
    }

    if (ngx_http_payer_digest(&chosen, 1, digest) != NGX_OK) {
        return NGX_ERROR;
    }

    hidden->data = ngx_pnalloc(pool, (p - key->data)
                                     + sizeof(NGX_HTTP_PAYER_OP_HIDDEN) - 1
                                     + 2 * NGX_HTTP_PAYER_DIGEST_LEN);
    if (hidden->data == NULL) {
        return NGX_ERROR;
    }

    last = ngx_cpymem(hidden->data, key->data, p - key->data);
    last = ngx_cpymem(last, NGX_HTTP_PAYER_OP_HIDDEN,
                      sizeof(NGX_HTTP_PAYER_OP_HIDDEN) - 1);
    last = ngx_hex_dump(last, digest, NGX_HTTP_PAYER_DIGEST_LEN);

    hidden->len = last - hidden->data;

    return NGX_OK;
}
