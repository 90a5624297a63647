
/*
 * What the store's indexes know of an order.
 *
 * It follows from the record alone, and is made at each write of it, when the
 * merge has said what is to be written.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_record.h"


void
ngx_http_payer_record_describe(ngx_str_t *value,
    ngx_http_payer_label_t *stored, ngx_http_payer_label_t *fresh)
{
    ngx_http_payer_record_t  record;

    if (ngx_http_payer_record_decode(value, &record) != NGX_OK) {
        return;
    }

    fresh->state = record.state;
    fresh->updated = record.updated;

    if (record.unknown) {
        fresh->attention |= NGX_HTTP_PAYER_ATTENTION_UNKNOWN;
    }
}


ngx_http_payer_describe_pt
ngx_http_payer_record_describer(ngx_str_t *key)
{
    static ngx_str_t  order = ngx_string("order/");

    return (key->len > order.len
            && ngx_memcmp(key->data, order.data, order.len) == 0)
           ? ngx_http_payer_record_describe : NULL;
}
