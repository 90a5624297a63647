
/*
 * payer_verify_amount: how much the order behind payer_verify has to be worth.
 */


#include "ngx_http_payer_verify_amount.h"
#include "ngx_http_payer_lookup.h"
#include "ngx_http_payer_template.h"
#include "ngx_http_payer_value.h"


static ngx_uint_t ngx_http_payer_verify_amount_cheap(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);


char *
ngx_http_payer_verify_amount(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payer_loc_conf_t *plcf = conf;

    char                              *rv;
    ngx_str_t                         *value;
    ngx_uint_t                         last;
    ngx_http_payer_verify_conf_t      *verify;
    ngx_http_compile_complex_value_t   ccv;

    verify = &plcf->verify;

    ngx_http_payer_value_more(cf, cmd, verify);

    rv = ngx_http_payer_value_slot(cf, cmd, conf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    last = cf->args->nelts - 1;

    rv = ngx_http_payer_amount_words(cf, 2, last, &verify->unit,
                                     &verify->trusted);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    value = cf->args->elts;

    verify->currency = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (verify->currency == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value[last];
    ccv.complex_value = verify->currency;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK
        || ngx_http_payer_value(cf, cmd, &value[last]) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_payer_verify_amount_check(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf)
{
    int64_t                        amount;
    ngx_int_t                      exponent;
    ngx_http_payer_verify_conf_t  *verify;

    verify = &conf->verify;

    if (verify->amount == NULL || verify->reference.value == NULL) {
        return NGX_OK;
    }

    exponent = 0;

    if (verify->currency->lengths == NULL) {
        exponent = ngx_http_payer_currency_exponent(&verify->currency->value);

        if (exponent == NGX_DECLINED) {
            ngx_http_payer_refuse(cf, conf, "invalid currency \"%V\" of "
                                  "\"payer_verify_amount\"",
                                  &verify->currency->value);
            return NGX_ERROR;
        }

    } else if (verify->unit != NGX_HTTP_PAYER_MINOR) {

        /* what fits depends on the currency */

        return NGX_OK;
    }

    if (verify->amount->lengths == NULL
        && ngx_http_payer_amount_of(&verify->amount->value, verify->unit,
                                    exponent, &amount)
           != NGX_OK)
    {
        ngx_http_payer_refuse(cf, conf, "invalid amount \"%V\" of "
                              "\"payer_verify_amount\"",
                              &verify->amount->value);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * Where a sum does not come from the shop for each order, whoever has paid the
 * cheapest one could come with the number of a dear one.
 */

void
ngx_http_payer_verify_amount_warn(ngx_conf_t *cf)
{
    u_char                       *file;
    ngx_uint_t                    i, k, line;
    ngx_http_payer_loc_conf_t   **door, *gate;
    ngx_http_payer_main_conf_t   *pmcf;

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_payer_module);

    door = pmcf->doors.elts;
    file = NULL;
    line = 0;

    for (i = 0; i < pmcf->doors.nelts; i++) {
        gate = door[i];

        if (gate->door->handler || gate->verify.reference.value == NULL
            || gate->verify.amount
            || (gate->verify.file == file && gate->verify.line == line))
        {
            continue;
        }

        for (k = 0; k < pmcf->doors.nelts; k++) {
            if (door[k]->cscf == gate->cscf && door[k]->door->order
                && ngx_http_payer_verify_amount_cheap(cf, door[k]))
            {
                break;
            }
        }

        if (k == pmcf->doors.nelts) {
            continue;
        }

        /* once, however many locations inherit it */

        file = gate->verify.file;
        line = gate->verify.line;

        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"payer_verify\" in location \"%V\" has no "
                      "\"payer_verify_amount\", and the amount of location "
                      "\"%V\" is not the shop's own for each order: an order "
                      "paid with less passes in %s:%ui",
                      &gate->clcf->name, &door[k]->clcf->name, file, line);
    }
}


/* whether the amount of a checkout is constant, mapped, or for anybody */

static ngx_uint_t
ngx_http_payer_verify_amount_cheap(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf)
{
    ngx_http_payer_template_t  t;

    static ngx_str_t  header = ngx_string("upstream_http_");

    if (conf->reference.open) {
        return 1;
    }

    /* what a lookup reads belongs to this order */

    if (conf->signature || conf->amount_trusted
        || ngx_http_payer_uses_field(cf, &conf->amount->value))
    {
        return 0;
    }

    ngx_http_payer_template_init(&t, &conf->amount->value);

    while (ngx_http_payer_template_next(&t) == NGX_OK) {

        if (t.name.len > header.len
            && ngx_strncasecmp(t.name.data, header.data, header.len) == 0)
        {
            return 0;
        }
    }

    return 1;
}


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

    if (ngx_http_complex_value(r, verify->amount, &text) != NGX_OK
        || ngx_http_complex_value(r, verify->currency, currency) != NGX_OK)
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
                      "\"payer_verify_amount\" are no sum of money",
                      &text, currency);
        return NGX_DECLINED;
    }

    return NGX_OK;
}
