
/*
 * payer_keep: how long records are kept.
 */


#include "ngx_http_payer_keep.h"


/*
 * An order for which money has moved is kept longer; and one that a signed
 * link must not reopen is kept as long as a signed link can be valid.
 */

time_t
ngx_http_payer_keep_order(ngx_http_payer_loc_conf_t *conf,
    ngx_http_payer_record_t *record)
{
    time_t  expires;

    if (ngx_http_payer_state_paid(record->state)
        || record->state == NGX_HTTP_PAYER_REFUNDED)
    {
        if (conf->keep_paid == 0) {
            return 0;
        }

        expires = ngx_time() + conf->keep_paid;

    } else {
        expires = ngx_time() + conf->keep_unpaid;
    }

    return ngx_max(expires, record->signed_until);
}


time_t
ngx_http_payer_keep_past(ngx_http_payer_loc_conf_t *conf,
    ngx_http_payer_record_t *record)
{
    if (record->captured <= 0) {
        return ngx_time() + conf->keep_unpaid;
    }

    return conf->keep_paid ? ngx_time() + conf->keep_paid : 0;
}


time_t
ngx_http_payer_keep_operation(ngx_http_payer_loc_conf_t *conf)
{
    return ngx_time() + conf->keep_operations;
}
