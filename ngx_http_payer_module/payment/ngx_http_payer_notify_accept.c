
/*
 * payer_notify_accept: whether the shop has accepted a notification.  A status
 * of 2xx is not sufficient: many shops return it with an error in the body.
 */


#include "ngx_http_payer_notify.h"
#include "ngx_http_payer_json.h"


static ngx_uint_t ngx_http_payer_notify_pointed(
    ngx_http_payer_accept_t *accept, ngx_pool_t *pool, ngx_str_t *reply);


ngx_uint_t
ngx_http_payer_notify_accepted(ngx_http_payer_accept_t *accept,
    ngx_pool_t *pool, ngx_http_payer_exchange_t *x)
{
    /* an incomplete response does not count */

    if (x->status < 200 || x->status >= 300 || !x->complete) {
        return 0;
    }

    if (accept == NULL) {
        return 1;
    }

    if (x->oversized || x->encoded) {
        return 0;
    }

    if (!accept->field.pattern) {
        return ngx_http_payer_notify_pointed(accept, pool, &x->reply);
    }

#if (NGX_PCRE)
    return ngx_http_payer_lookup_found(&accept->field, &x->reply) == NGX_OK;
#else
    return 0;
#endif
}


static ngx_uint_t
ngx_http_payer_notify_pointed(ngx_http_payer_accept_t *accept,
    ngx_pool_t *pool, ngx_str_t *reply)
{
    ngx_str_t                     value, *accepted;
    ngx_uint_t                    i;
    const char                   *reason;
    ngx_http_payer_json_place_t   place;

    place.pointer = accept->field.path;

    if (ngx_http_payer_json_read_places(reply, &place, 1, &reason) != NGX_OK
        || ngx_http_payer_json_place_value(pool, reply, &place, &value,
                                           &reason)
           != NGX_OK)
    {
        return 0;
    }

    accepted = accept->values->elts;

    for (i = 0; i < accept->values->nelts; i++) {
        if (accepted[i].len == value.len
            && ngx_memcmp(accepted[i].data, value.data, value.len) == 0)
        {
            return 1;
        }
    }

    return 0;
}
