
/*
 * The label of an order for the store's indexes.
 *
 * It follows from the record, and is made at each write of it, when the merge
 * has said what is to be written; and from the order's notifications, whose
 * delivery marks it.  Whether an authorization is old is decided by the reader
 * with the clock, since the record is not written when it becomes old.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_record.h"


static void ngx_http_payer_record_label(ngx_str_t *value,
    ngx_http_payer_label_t *label, uint32_t notices);
static uint32_t ngx_http_payer_record_reasons(ngx_http_payer_record_t *record);


void
ngx_http_payer_record_describe(ngx_str_t *value,
    ngx_http_payer_label_t *stored, ngx_http_payer_label_t *fresh)
{
    ngx_http_payer_record_label(value, fresh,
                                stored != NULL ? stored->attention : 0);
}


void
ngx_http_payer_record_mark(ngx_str_t *value, ngx_http_payer_label_t *stored,
    ngx_http_payer_label_t *fresh)
{
    ngx_http_payer_record_label(value, fresh, fresh->attention);
}


static void
ngx_http_payer_record_label(ngx_str_t *value, ngx_http_payer_label_t *label,
    uint32_t notices)
{
    ngx_http_payer_record_t  record;

    label->attention = notices & NGX_HTTP_PAYER_ATTENTION_NOTICES;

    if (ngx_http_payer_record_peek(value, &record) != NGX_OK) {
        return;
    }

    /* of the texts the status is asked for, and only then */

    ngx_str_null(&record.status);

    if (record.state == NGX_HTTP_PAYER_CANCELLED
        && ngx_http_payer_record_decode(value, &record) != NGX_OK)
    {
        return;
    }

    label->state = record.state;
    label->updated = record.updated;
    label->attention |= ngx_http_payer_record_reasons(&record);
}


ngx_int_t
ngx_http_payer_record_touch(ngx_str_t *stored, ngx_str_t *fresh)
{
    if (stored->len != fresh->len) {
        return NGX_DECLINED;
    }

    ngx_memcpy(fresh->data, stored->data, stored->len);

    return NGX_OK;
}


static uint32_t
ngx_http_payer_record_reasons(ngx_http_payer_record_t *record)
{
    uint32_t                attention;
    ngx_http_payer_state_e  state;

    attention = 0;
    state = record->state;

    if (record->unknown) {
        attention |= NGX_HTTP_PAYER_ATTENTION_UNKNOWN;
    }

    if (state == NGX_HTTP_PAYER_AUTHORIZED) {
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


uint32_t
ngx_http_payer_record_attention(ngx_http_payer_record_t *record,
    ngx_http_payer_label_t *label, time_t age)
{
    uint32_t  attention;

    attention = ngx_http_payer_record_reasons(record)
                | (label->attention & NGX_HTTP_PAYER_ATTENTION_NOTICES);

    if (ngx_time() - record->created <= age) {
        attention &= ~NGX_HTTP_PAYER_ATTENTION_OLD;
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
