
/*
 * Constants with which no order could ever be paid: they are rejected when
 * nginx starts, and not at the first buyer.
 */


#include "ngx_http_payer_conf.h"
#include "ngx_http_payer_order.h"
#include "ngx_http_payer_source.h"
#include "ngx_http_payer_template.h"


/* what the results of a map are tested for */
typedef struct {
    ngx_http_payer_unit_e         unit;
    ngx_int_t                     exponent;
    ngx_str_t                     wrong;        /* the first one that fails */
} ngx_http_payer_results_t;


static ngx_int_t ngx_http_payer_check_number(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);
static ngx_int_t ngx_http_payer_check_most(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);
static ngx_int_t ngx_http_payer_check_return(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf, char *directive,
    ngx_http_complex_value_t *value);
static ngx_uint_t ngx_http_payer_is_return(ngx_http_complex_value_t *value);
static ngx_uint_t ngx_http_payer_result_amount(ngx_str_t *result,
    ngx_uint_t constant, void *data);


ngx_int_t
ngx_http_payer_check_constant(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf)
{
    if (ngx_http_payer_check_number(cf, conf) != NGX_OK
        || ngx_http_payer_check_most(cf, conf) != NGX_OK
        || ngx_http_payer_check_results(cf, conf, "payer_amount",
                                        conf->amount, conf->amount_unit,
                                        conf->currency)
           != NGX_OK
        || ngx_http_payer_check_return(cf, conf, "payer_return_success",
                                       conf->success)
           != NGX_OK
        || ngx_http_payer_check_return(cf, conf, "payer_return_fail",
                                       conf->fail)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_payer_check_return(cf, conf, "payer_return_back",
                                    conf->back)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_payer_check_return_hosts(cf, conf);

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_check_number(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf)
{
    ngx_http_complex_value_t  *value;

    value = conf->reference.value;

    if (value->lengths
        || ngx_http_payer_check_reference(&value->value) == NGX_OK)
    {
        return NGX_OK;
    }

    ngx_http_payer_refuse(cf, conf, "invalid reference \"%V\" of "
                          "\"payer_reference\", it must be 1 to %d bytes of "
                          "UTF-8 without control characters",
                          &value->value, NGX_HTTP_PAYER_MAX_REFERENCE);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_payer_check_most(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf)
{
    int64_t  most;

    if (conf->fixed_amount == 0
        || conf->max_amount == NULL || conf->max_amount->lengths
        || ngx_http_payer_amount_of(&conf->max_amount->value,
                                    NGX_HTTP_PAYER_MINOR, 0, &most)
           != NGX_OK
        || conf->fixed_amount <= most)
    {
        return NGX_OK;
    }

    ngx_http_payer_refuse(cf, conf, "the amount \"%V\" of \"payer_amount\" is "
                          "greater than \"payer_max_amount\" \"%V\" in "
                          "location \"%V\"", &conf->amount->value,
                          &conf->max_amount->value, &conf->clcf->name);

    return NGX_ERROR;
}


/* a path, a URL, or a variable that may be either */

static ngx_int_t
ngx_http_payer_check_return(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf,
    char *directive, ngx_http_complex_value_t *value)
{
    if (ngx_http_payer_is_return(value)) {
        return NGX_OK;
    }

    ngx_http_payer_refuse(cf, conf, "invalid address \"%V\" of \"%s\", it "
                          "must begin with a single slash, \"http://\" or "
                          "\"https://\"", &value->value, directive);

    return NGX_ERROR;
}


static ngx_uint_t
ngx_http_payer_is_return(ngx_http_complex_value_t *value)
{
    char       **scheme;
    size_t       len;
    u_char      *p;
    ngx_str_t   *text;

    static char  *schemes[] = { "http://", "https://", NULL };

    text = &value->value;

    for (p = text->data; p < text->data + text->len; p++) {
        if (*p <= ' ' || *p == 0x7f) {
            return 0;
        }
    }

    if (text->len && text->data[0] == '/') {
        return text->len == 1 || text->data[1] != '/';
    }

    if (value->lengths == NULL) {
        return ngx_http_payer_check_url(text, 0) == NGX_OK;
    }

    /* the text before the first variable */

    p = ngx_strlchr(text->data, text->data + text->len, '$');
    len = p ? (size_t) (p - text->data) : text->len;

    for (scheme = schemes; *scheme; scheme++) {
        if (ngx_strncasecmp(text->data, (u_char *) *scheme,
                            ngx_min(len, ngx_strlen(*scheme)))
            == 0)
        {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_http_payer_check_results(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf,
    char *directive, ngx_http_complex_value_t *amount,
    ngx_http_payer_unit_e unit, ngx_http_complex_value_t *currency)
{
    ngx_http_payer_results_t   results;
    ngx_http_payer_template_t  t;

    ngx_memzero(&results, sizeof(ngx_http_payer_results_t));

    results.unit = unit;

    if (unit != NGX_HTTP_PAYER_MINOR) {

        /* what is valid depends on the currency */

        if (currency->lengths) {
            return NGX_OK;
        }

        results.exponent = ngx_http_payer_currency_exponent(&currency->value);
    }

    ngx_http_payer_template_init(&t, &amount->value);

    /* "$name" or "${name}" and nothing else */

    if (ngx_http_payer_template_next(&t) != NGX_OK
        || amount->value.data[0] != '$'
        || (amount->value.len != t.name.len + sizeof("$") - 1
            && (amount->value.data[1] != '{'
                || amount->value.len != t.name.len + sizeof("${}") - 1)))
    {
        return NGX_OK;
    }

    if (ngx_http_payer_source_all(cf, &t.name, ngx_http_payer_result_amount,
                                  &results))
    {
        return NGX_OK;
    }

    ngx_http_payer_refuse(cf, conf, "invalid amount \"%V\" of \"%s\" among "
                          "the results of the map \"$%V\"", &results.wrong,
                          directive, &t.name);

    return NGX_ERROR;
}


/* an empty one means that this cannot be bought */

static ngx_uint_t
ngx_http_payer_result_amount(ngx_str_t *result, ngx_uint_t constant,
    void *data)
{
    ngx_http_payer_results_t *results = data;

    int64_t  amount;

    if (!constant || result->len == 0
        || ngx_http_payer_amount_of(result, results->unit, results->exponent,
                                    &amount)
           == NGX_OK)
    {
        return 1;
    }

    results->wrong = *result;

    return 0;
}
