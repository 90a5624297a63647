
/*
 * The keys of records.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_record.h"


static ngx_int_t ngx_http_payer_record_key(ngx_pool_t *pool, ngx_str_t *kind,
    ngx_str_t *merchant, ngx_str_t *name, ngx_str_t *key);


ngx_int_t
ngx_http_payer_record_order_key(ngx_pool_t *pool, ngx_str_t *merchant,
    ngx_str_t *reference, ngx_str_t *key)
{
    static ngx_str_t  kind = ngx_string("order/");

    return ngx_http_payer_record_key(pool, &kind, merchant, reference, key);
}


ngx_int_t
ngx_http_payer_record_payment_key(ngx_pool_t *pool, ngx_str_t *merchant,
    ngx_str_t *payment_id, ngx_str_t *key)
{
    static ngx_str_t  kind = ngx_string("payment/");

    return ngx_http_payer_record_key(pool, &kind, merchant, payment_id,
                                     key);
}


ngx_int_t
ngx_http_payer_record_past_key(ngx_pool_t *pool, ngx_str_t *merchant,
    ngx_str_t *payment_id, ngx_str_t *key)
{
    static ngx_str_t  kind = ngx_string("past/");

    return ngx_http_payer_record_key(pool, &kind, merchant, payment_id, key);
}


ngx_int_t
ngx_http_payer_record_event_key(ngx_pool_t *pool, ngx_str_t *merchant,
    ngx_str_t *token, ngx_str_t *key)
{
    static ngx_str_t  kind = ngx_string("event/");

    return ngx_http_payer_record_key(pool, &kind, merchant, token, key);
}


static ngx_int_t
ngx_http_payer_record_key(ngx_pool_t *pool, ngx_str_t *kind,
    ngx_str_t *merchant, ngx_str_t *name, ngx_str_t *key)
{
    u_char  *p;

    key->len = kind->len + merchant->len + 1 + name->len;

    key->data = ngx_pnalloc(pool, key->len);
    if (key->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(key->data, kind->data, kind->len);
    p = ngx_cpymem(p, merchant->data, merchant->len);
    *p++ = '/';
    ngx_memcpy(p, name->data, name->len);

    return NGX_OK;
}
