
/*
 * The checks of one location: one that could lose money or admit any client is
 * rejected.
 */


#include "ngx_http_payer_conf.h"
#include "ngx_http_payer_verify_conf.h"
#include "ngx_http_payer_order.h"
#include "ngx_http_payer_signature_conf.h"


static ngx_int_t ngx_http_payer_check_credentials(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);
static ngx_int_t ngx_http_payer_check_order(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);
static ngx_int_t ngx_http_payer_check_constants(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);


ngx_int_t
ngx_http_payer_check_locations(ngx_conf_t *cf,
    ngx_http_payer_check_pt check)
{
    ngx_uint_t                   i;
    ngx_http_payer_loc_conf_t  **locs;
    ngx_http_payer_main_conf_t  *pmcf;

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_payer_module);

    locs = pmcf->locations.elts;

    for (i = 0; i < pmcf->locations.nelts; i++) {

        if (check(cf, locs[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_check_own(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf)
{
    return conf->handler->check ? conf->handler->check(cf, conf) : NGX_OK;
}


char *
ngx_http_payer_check_handler(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf)
{
    const ngx_http_payer_handler_t  *handler;

    handler = conf->handler;

    if (ngx_http_payer_verify_check(cf, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (handler->content && conf->clcf->handler
        && conf->clcf->handler != handler->content)
    {
        ngx_http_payer_refuse(cf, conf, "\"%V\" in location \"%V\" is "
                              "overridden by another handler of that location",
                              &handler->directive, &conf->clcf->name);
        return NGX_CONF_ERROR;
    }

    if (handler->allow && conf->allow == NULL) {
        ngx_http_payer_refuse(cf, conf, "\"%V\" in location \"%V\" has no "
                              "\"payer_allow\", which specifies its clients",
                              &handler->directive, &conf->clcf->name);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_payer_actor_check(cf, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_payer_calls(conf)
        && ngx_http_payer_check_credentials(cf, conf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (handler->order && ngx_http_payer_check_order(cf, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_payer_check_credentials(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf)
{
    char  *missing;

    missing = NULL;

    if (conf->api.len == 0) {
        missing = "payer_api";

    } else if (conf->client_id.len == 0) {
        missing = "payer_client_id";

    } else if (conf->secret.len == 0) {
        missing = "payer_client_secret_file";
    }

    if (missing) {
        ngx_http_payer_refuse(cf, conf, "\"%V\" in location \"%V\" has no "
                              "\"%s\"", &conf->handler->directive,
                              &conf->clcf->name, missing);
        return NGX_ERROR;
    }

    if (conf->timeout == 0) {
        ngx_http_payer_refuse(cf, conf, "\"payer_timeout\" of location "
                              "\"%V\" is 0, so that no call could end in "
                              "time", &conf->clcf->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_check_order(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf)
{
    char  *missing;

    missing = NULL;

    if (conf->reference.value == NULL) {
        missing = "payer_reference";

    } else if (conf->amount == NULL) {
        missing = "payer_amount";

    } else if (conf->currency == NULL) {
        missing = "payer_currency";

    } else if (conf->success == NULL) {
        missing = "payer_return_success";

    } else if (conf->fail == NULL) {
        missing = "payer_return_fail";

    } else if (conf->back == NULL) {
        missing = "payer_return_back";
    }

    if (missing) {
        ngx_http_payer_refuse(cf, conf, "\"%V\" in location \"%V\" has no "
                              "\"%s\"", &conf->handler->directive,
                              &conf->clcf->name, missing);
        return NGX_ERROR;
    }

    if (conf->link_ttl == 0) {
        ngx_http_payer_refuse(cf, conf, "\"payer_link_ttl\" of location "
                              "\"%V\" is 0, so that each request would cancel "
                              "the link that the buyer may be using",
                              &conf->clcf->name);
        return NGX_ERROR;
    }

    if (conf->link_ttl >= NGX_HTTP_PAYER_LINK_LIFE) {
        ngx_http_payer_refuse(cf, conf, "\"payer_link_ttl\" of location "
                              "\"%V\" is not below 31 days, the lifetime of "
                              "Payer's links", &conf->clcf->name);
        return NGX_ERROR;
    }

    /* an order in a URL, which only the shop can have signed */

    if (conf->signature
        && ngx_http_payer_signature_check(cf, conf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_payer_check_constants(cf, conf);
}


/*
 * a constant can be rejected now instead of at the first buyer, and need not
 * be parsed again for each request
 */

static ngx_int_t
ngx_http_payer_check_constants(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf)
{
    int64_t     amount;
    ngx_int_t   exponent;
    ngx_str_t   language;
    ngx_uint_t  known;

    exponent = 0;
    known = (conf->amount->lengths == NULL);

    if (conf->currency->lengths == NULL) {
        exponent = ngx_http_payer_currency_exponent(&conf->currency->value);

        if (exponent == NGX_DECLINED) {
            ngx_http_payer_refuse(cf, conf, "invalid currency \"%V\" of "
                                  "\"payer_currency\"",
                                  &conf->currency->value);
            return NGX_ERROR;
        }

        conf->exponent = exponent;

    } else if (conf->amount_unit != NGX_HTTP_PAYER_MINOR) {

        /* what is valid depends on the currency */

        known = 0;
    }

    if (known
        && ngx_http_payer_amount_of(&conf->amount->value, conf->amount_unit,
                                    exponent, &conf->fixed_amount)
           != NGX_OK)
    {
        ngx_http_payer_refuse(cf, conf, "invalid amount \"%V\" of "
                              "\"payer_amount\"", &conf->amount->value);
        return NGX_ERROR;
    }

    if (conf->max_amount && conf->max_amount->lengths == NULL
        && ngx_http_payer_amount_of(&conf->max_amount->value,
                                    NGX_HTTP_PAYER_MINOR, 0, &amount)
           != NGX_OK)
    {
        ngx_http_payer_refuse(cf, conf, "invalid amount \"%V\" of "
                              "\"payer_max_amount\"",
                              &conf->max_amount->value);
        return NGX_ERROR;
    }

    if (conf->language && conf->language->lengths == NULL
        && conf->language->value.len
        && ngx_http_payer_language_of(&conf->language->value, &language)
           != NGX_OK)
    {
        if (conf->language->value.len != 2) {
            ngx_http_payer_refuse(cf, conf, "invalid language \"%V\" of "
                                  "\"payer_language\"",
                                  &conf->language->value);
            return NGX_ERROR;
        }

        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "the language \"%V\" of \"payer_language\" is not "
                      "known, the default is used in %s:%ui",
                      &conf->language->value, conf->file, conf->line);
    }

    return NGX_OK;
}
