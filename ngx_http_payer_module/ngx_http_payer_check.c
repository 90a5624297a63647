
/*
 * The refusals of a door: a location that would lose money or let strangers
 * in does not start.
 */


#include "ngx_http_payer_conf.h"
#include "ngx_http_payer_gate.h"
#include "ngx_http_payer_order.h"
#include "ngx_http_payer_signature.h"
#include "ngx_http_payer_template.h"


static ngx_int_t ngx_http_payer_check_credentials(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);
static ngx_int_t ngx_http_payer_check_order(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);
static ngx_int_t ngx_http_payer_check_buyer(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf, char *directive,
    ngx_http_complex_value_t *value);
static ngx_int_t ngx_http_payer_check_constants(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);
static ngx_uint_t ngx_http_payer_is_buyers(ngx_str_t *name);
static ngx_uint_t ngx_http_payer_is_capture(ngx_conf_t *cf,
    ngx_http_core_loc_conf_t *clcf, ngx_str_t *name);


/* values of which each request can have another */

static ngx_str_t  ngx_http_payer_buyers_variables[] = {
    ngx_string("arg_"),
    ngx_string("cookie_"),
    ngx_string("http_"),
    ngx_string("args"),
    ngx_string("query_string"),
    ngx_string("request_body"),
    ngx_string("request_uri"),
    ngx_string("request"),
    ngx_string("uri"),
    ngx_string("document_uri"),
    ngx_null_string
};


char *
ngx_http_payer_check_door(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf)
{
    const ngx_http_payer_door_t  *door;

    door = conf->door;

    if (ngx_http_payer_gate_check(cf, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (door->handler && conf->clcf->handler
        && conf->clcf->handler != door->handler)
    {
        ngx_http_payer_refuse(cf, conf, "\"%V\" in location \"%V\" is "
                              "overridden by another handler of that location",
                              &door->directive, &conf->clcf->name);
        return NGX_CONF_ERROR;
    }

    if (door->allow && conf->allow == NULL) {
        ngx_http_payer_refuse(cf, conf, "\"%V\" in location \"%V\" has no "
                              "\"payer_allow\", which says who may use it",
                              &door->directive, &conf->clcf->name);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_payer_calls(conf)
        && ngx_http_payer_check_credentials(cf, conf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (door->order && ngx_http_payer_check_order(cf, conf) != NGX_OK) {
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
                              "\"%s\"", &conf->door->directive,
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
                              "\"%s\"", &conf->door->directive,
                              &conf->clcf->name, missing);
        return NGX_ERROR;
    }

    if (conf->link_ttl >= NGX_HTTP_PAYER_LINK_LIFE) {
        ngx_http_payer_refuse(cf, conf, "\"payer_link_ttl\" of location "
                              "\"%V\" is not below the 31 days that Payer's "
                              "links live", &conf->clcf->name);
        return NGX_ERROR;
    }

    if (conf->signature) {

        /* an order in a URL, but nobody else's than the shop's */

        if (ngx_http_payer_signature_check(cf, conf) != NGX_OK) {
            return NGX_ERROR;
        }

    } else if (!conf->clcf->internal && !conf->clcf->named
               && (ngx_http_payer_check_buyer(cf, conf, "payer_amount",
                                              conf->amount)
                   != NGX_OK
                   || ngx_http_payer_check_buyer(cf, conf, "payer_currency",
                                                 conf->currency)
                      != NGX_OK))
    {
        return NGX_ERROR;
    }

    return ngx_http_payer_check_constants(cf, conf);
}


static ngx_int_t
ngx_http_payer_check_buyer(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf,
    char *directive, ngx_http_complex_value_t *value)
{
    ngx_http_payer_template_t  t;

    ngx_http_payer_template_init(&t, &value->value);

    while (ngx_http_payer_template_next(&t) == NGX_OK) {

        if (ngx_http_payer_is_buyers(&t.name)
            || ngx_http_payer_is_capture(cf, conf->clcf, &t.name))
        {
            ngx_http_payer_refuse(cf, conf, "the buyer can choose what to "
                                  "pay: \"%s\" uses \"$%V\" in location "
                                  "\"%V\", which is not internal and has no "
                                  "\"payer_signature\"", directive, &t.name,
                                  &conf->clcf->name);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * what has no variables can be refused now instead of at the first buyer, and
 * need not be read again at each
 */

static ngx_int_t
ngx_http_payer_check_constants(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf)
{
    int64_t     amount;
    ngx_int_t   exponent;
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

        /* what fits depends on the currency */

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
        && ngx_http_payer_check_language(&conf->language->value) != NGX_OK)
    {
        ngx_http_payer_refuse(cf, conf, "invalid language \"%V\" of "
                              "\"payer_language\"", &conf->language->value);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_payer_is_buyers(ngx_str_t *name)
{
    ngx_str_t  *v;

    for (v = ngx_http_payer_buyers_variables; v->len; v++) {

        if (name->len < v->len
            || ngx_strncasecmp(name->data, v->data, v->len) != 0)
        {
            continue;
        }

        if (name->len == v->len || v->data[v->len - 1] == '_') {
            return 1;
        }
    }

    return 0;
}


/* a piece of the URI, cut out by a regular expression */

static ngx_uint_t
ngx_http_payer_is_capture(ngx_conf_t *cf, ngx_http_core_loc_conf_t *clcf,
    ngx_str_t *name)
{
#if (NGX_PCRE)
    ngx_str_t                  *v;
    ngx_uint_t                  i;
    ngx_http_variable_t        *variables;
    ngx_http_core_main_conf_t  *cmcf;
#endif

    if (name->len && name->data[0] >= '1' && name->data[0] <= '9') {
        return 1;
    }

#if (NGX_PCRE)

    if (clcf->regex == NULL) {
        return 0;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    variables = cmcf->variables.elts;

    for (i = 0; i < clcf->regex->nvariables; i++) {
        v = &variables[clcf->regex->variables[i].index].name;

        if (v->len == name->len
            && ngx_strncasecmp(v->data, name->data, v->len) == 0)
        {
            return 1;
        }
    }

#endif

    return 0;
}
