
/*
 * The checks of an order: its amount, its currency and its number must be set
 * by the shop or the operator, in each kind of location. "internal" does not
 * ensure that: rewrite, try_files and error_page lead there with the client's
 * own arguments.
 */


#include "ngx_http_payer_conf.h"
#include "ngx_http_payer_lookup.h"
#include "ngx_http_payer_signature_conf.h"
#include "ngx_http_payer_source.h"
#include "ngx_http_payer_template.h"


static ngx_int_t ngx_http_payer_check_reference_of(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);
static ngx_uint_t ngx_http_payer_map_signed(ngx_http_payer_loc_conf_t *conf,
    ngx_str_t *map);


ngx_int_t
ngx_http_payer_check_values_of(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf)
{
    if (conf->verify.reference.value && conf->verify.amount
        && (ngx_http_payer_check_money(cf, conf, "payer_verify_amount",
                                       &conf->verify.amount->value,
                                       conf->verify.trusted, 0)
            != NGX_OK
            || ngx_http_payer_check_money(cf, conf, "payer_verify_amount",
                                          &conf->verify.currency->value,
                                          conf->verify.trusted, 0)
               != NGX_OK
            || ngx_http_payer_check_results(cf, conf, "payer_verify_amount",
                                            conf->verify.amount,
                                            conf->verify.unit,
                                            conf->verify.currency)
               != NGX_OK))
    {
        return NGX_ERROR;
    }

    if (!conf->handler->order) {
        return NGX_OK;
    }

    if (ngx_http_payer_check_money(cf, conf, "payer_amount",
                                   &conf->amount->value,
                                   conf->amount_trusted,
                                   conf->signature != NULL)
           != NGX_OK
        || ngx_http_payer_check_money(cf, conf, "payer_currency",
                                      &conf->currency->value,
                                      conf->currency_trusted,
                                      conf->signature != NULL)
           != NGX_OK
        || ngx_http_payer_check_reference_of(cf, conf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_payer_check_constant(cf, conf);
}


ngx_int_t
ngx_http_payer_check_money(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf,
    char *directive, ngx_str_t *value, ngx_uint_t trusted,
    ngx_uint_t is_signed)
{
    ngx_str_t                   map;
    ngx_http_payer_chosen_e     source;
    ngx_http_payer_template_t   t;

    ngx_http_payer_template_init(&t, value);

    while (ngx_http_payer_template_next(&t) == NGX_OK) {

        if (is_signed && ngx_http_payer_signature_covers(conf, &t.name)) {
            continue;
        }

        source = ngx_http_payer_source(cf, &t.name, &map);

        if (source == NGX_HTTP_PAYER_CHOSEN_SHOP
            || (source == NGX_HTTP_PAYER_CHOSEN_MAP
                && (!is_signed || ngx_http_payer_map_signed(conf, &map)))
            || source == NGX_HTTP_PAYER_CHOSEN_UNKNOWN
            || (source == NGX_HTTP_PAYER_CHOSEN_OTHER && trusted))
        {
            continue;
        }

        if (is_signed) {
            ngx_http_payer_refuse(cf, conf, "the signature does not protect "
                                  "\"%s\": \"$%V\" is not in the message of "
                                  "\"payer_signature\" of location \"%V\"",
                                  directive, &t.name, &conf->clcf->name);

        } else if (source == NGX_HTTP_PAYER_CHOSEN_BUYER) {
            ngx_http_payer_refuse(cf, conf, "the buyer can choose what to "
                                  "pay: \"%s\" uses \"$%V\" in location "
                                  "\"%V\", which has no \"payer_signature\" "
                                  "of it", directive, &t.name,
                                  &conf->clcf->name);

        } else {
            ngx_http_payer_refuse(cf, conf, "the buyer might choose what to "
                                  "pay: \"%s\" uses \"$%V\" in location "
                                  "\"%V\", which is not a map of constants; "
                                  "if the buyer cannot influence it, add "
                                  "\"trusted\"", directive, &t.name,
                                  &conf->clcf->name);
        }

        return NGX_ERROR;
    }

    return NGX_OK;
}


/* a signature covers all variables of the reference, see signature_conf.c */

static ngx_int_t
ngx_http_payer_check_reference_of(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf)
{
    ngx_str_t                   map;
    ngx_http_payer_chosen_e     source;
    ngx_http_payer_template_t   t;

    static ngx_str_t  id = ngx_string("request_id");

    if (conf->reference.open || conf->signature) {
        return NGX_OK;
    }

    ngx_http_payer_template_init(&t, &conf->reference.value->value);

    while (ngx_http_payer_template_next(&t) == NGX_OK) {

        source = ngx_http_payer_source(cf, &t.name, &map);

        if (source == NGX_HTTP_PAYER_CHOSEN_SHOP
            || source == NGX_HTTP_PAYER_CHOSEN_MAP
            || source == NGX_HTTP_PAYER_CHOSEN_UNKNOWN
            || ngx_http_payer_lookup_proves(cf, conf, &t.name)
            || (t.name.len == id.len
                && ngx_strncasecmp(t.name.data, id.data, id.len) == 0))
        {
            continue;
        }

        ngx_http_payer_refuse(cf, conf, "the buyer can choose which order to "
                              "pay: \"payer_reference\" uses \"$%V\" in "
                              "location \"%V\", which has no "
                              "\"payer_signature\"; if any client may pay "
                              "this amount for any order number, add "
                              "\"public\"",
                              &t.name, &conf->clcf->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* whether the message covers all that a map depends on */

static ngx_uint_t
ngx_http_payer_map_signed(ngx_http_payer_loc_conf_t *conf, ngx_str_t *map)
{
    ngx_http_payer_template_t  t;

    ngx_http_payer_template_init(&t, map);

    while (ngx_http_payer_template_next(&t) == NGX_OK) {
        if (!ngx_http_payer_signature_covers(conf, &t.name)) {
            return 0;
        }
    }

    return 1;
}
