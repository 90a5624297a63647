
/*
 * What the store's indexes know of an order.
 *
 * It follows from the record alone, and is made at each write of it, when the
 * merge has said what is to be written.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_record.h"


/* an authorization may run out after a week, seconds */

#define NGX_HTTP_PAYER_RECORD_OLD  (5 * 86400)


void
ngx_http_payer_record_describe(ngx_str_t *value,
    ngx_http_payer_label_t *stored, ngx_http_payer_label_t *fresh)
{
    ngx_http_payer_record_t  record;

    if (ngx_http_payer_record_peek(value, &record) != NGX_OK) {
        return;
    }

    fresh->state = record.state;
    fresh->updated = record.updated;

    fresh->attention |= ngx_http_payer_record_attention(&record,
                                                        record.updated);
}


uint32_t
ngx_http_payer_record_attention(ngx_http_payer_record_t *record, time_t now)
{
    uint32_t                attention;
    ngx_http_payer_state_e  state;

    attention = 0;
    state = record->state;

    if (record->unknown) {
        attention |= NGX_HTTP_PAYER_ATTENTION_UNKNOWN;
    }

    if (state == NGX_HTTP_PAYER_AUTHORIZED
        && now - record->created > NGX_HTTP_PAYER_RECORD_OLD)
    {
        attention |= NGX_HTTP_PAYER_ATTENTION_OLD;
    }

    if (state == NGX_HTTP_PAYER_CANCELLED
        && ngx_http_payer_state_paid(ngx_http_payer_state_of(&record->status)))
    {
        attention |= NGX_HTTP_PAYER_ATTENTION_CANCELLED;
    }

    if (record->wanted && ngx_http_payer_state_paid(state)) {
        attention |= NGX_HTTP_PAYER_ATTENTION_AMOUNT;
    }

    return attention;
}


ngx_http_payer_describe_pt
ngx_http_payer_record_describer(ngx_str_t *key)
{
    static ngx_str_t  order = ngx_string("order/");

    return (key->len > order.len
            && ngx_memcmp(key->data, order.data, order.len) == 0)
           ? ngx_http_payer_record_describe : NULL;
}
