
/*
 * Sums of an order: what was captured and refunded, and whether anything is
 * left.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_amount.h"
#include "ngx_http_payer_record.h"


void
ngx_http_payer_record_balance(ngx_http_payer_record_t *record)
{
    if (record->captured > 0 && record->refunded >= record->captured
        && (record->state == NGX_HTTP_PAYER_FULLY_CAPTURED
            || record->state == NGX_HTTP_PAYER_RELEASED
            || record->state == NGX_HTTP_PAYER_ENDED
            || (record->state == NGX_HTTP_PAYER_PARTIALLY_CAPTURED
                && (record->rest_gone
                    || record->captured >= ngx_max(record->authorized,
                                                   record->amount)))))
    {
        record->state = NGX_HTTP_PAYER_REFUNDED;
    }
}


void
ngx_http_payer_record_captured(ngx_http_payer_record_t *record, int64_t amount,
    ngx_uint_t rest_gone)
{
    int64_t  all;

    all = ngx_max(record->authorized, record->amount);

    record->captured = (amount == -1)
                       ? ngx_max(record->captured, all)
                       : ngx_http_payer_amount_add(amount,
                                           ngx_max(record->captured, 0));

    if (rest_gone) {
        record->rest_gone = 1;
    }

    record->state = (record->captured >= all)
                    ? NGX_HTTP_PAYER_FULLY_CAPTURED
                    : NGX_HTTP_PAYER_PARTIALLY_CAPTURED;

    ngx_http_payer_record_balance(record);
}


void
ngx_http_payer_record_released(ngx_http_payer_record_t *record)
{
    if (record->captured <= 0) {
        record->state = NGX_HTTP_PAYER_RELEASED;
        record->closed = 1;
        return;
    }

    /* the captured amount is not refunded */

    record->rest_gone = 1;

    ngx_http_payer_record_balance(record);

    if (record->state == NGX_HTTP_PAYER_REFUNDED) {
        record->closed = 1;
    }
}


void
ngx_http_payer_record_refunded(ngx_http_payer_record_t *record, int64_t amount)
{
    record->refunded = (amount == -1)
                       ? ngx_max(record->refunded, record->captured)
                       : ngx_http_payer_amount_add(amount,
                                           ngx_max(record->refunded, 0));

    ngx_http_payer_record_balance(record);

    if (record->state == NGX_HTTP_PAYER_REFUNDED) {
        record->closed = 1;
    }
}
