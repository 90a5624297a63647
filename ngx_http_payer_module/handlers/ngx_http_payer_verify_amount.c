
/*
 * payer_verify_amount: the amount that the order of payer_verify must be paid
 * with.
 */


#include "ngx_http_payer_verify_amount.h"
#include "ngx_http_payer_template.h"
#include "ngx_http_payer_text.h"


ngx_int_t
ngx_http_payer_verify_amount_get(ngx_http_request_t *r,
    ngx_http_payer_verify_conf_t *verify, int64_t *amount, ngx_str_t *currency)
{
    ngx_int_t  exponent;
    ngx_str_t  text;

    *amount = 0;

    if (verify->amount == NULL) {
        return NGX_OK;
    }

    if (ngx_http_payer_evaluate(r, verify->amount, &text) != NGX_OK
        || ngx_http_payer_evaluate(r, verify->currency, currency) != NGX_OK)
    {
        return NGX_ERROR;
    }

    exponent = ngx_http_payer_currency_exponent(currency);

    if (exponent == NGX_DECLINED
        || ngx_http_payer_amount_of(&text, verify->unit, exponent, amount)
           != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "payer: the values \"%V\" and \"%V\" of "
                      "\"payer_verify_amount\" are not an amount and a "
                      "currency",
                      &text, currency);
        return NGX_DECLINED;
    }

    return NGX_OK;
}
