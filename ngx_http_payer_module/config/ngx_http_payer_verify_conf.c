
/*
 * The directives of payer_verify and their checks.
 */


#include "ngx_http_payer_verify_conf.h"
#include "ngx_http_payer_codes.h"
#include "ngx_http_payer_lookup.h"
#include "ngx_http_payer_query.h"
#include "ngx_http_payer_template.h"
#include "ngx_http_payer_value.h"
#include "ngx_http_payer_worth.h"


static ngx_uint_t ngx_http_payer_verify_amount_cheap(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);


ngx_http_payer_handler_t  ngx_http_payer_handler_verify = {
    ngx_string("payer_verify"),
    NULL,
    1, 0, 0, 0, NULL, NULL
};


char *
ngx_http_payer_verify_reference(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payer_loc_conf_t *plcf = conf;

    char                          *rv;
    ngx_str_t                     *value;
    ngx_http_payer_verify_conf_t  *verify;

    verify = &plcf->verify;

    if (verify->reference.value != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        verify->reference.value = NULL;
        return NGX_CONF_OK;
    }

    if (value[1].len == 0) {
        return "needs the reference of an order";
    }

    rv = ngx_http_payer_text_slot(cf, cmd, conf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    verify->own = 1;
    verify->file = cf->conf_file->file.name.data;
    verify->line = cf->conf_file->line;

    return NGX_CONF_OK;
}


char *
ngx_http_payer_verify_wait(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payer_loc_conf_t *plcf = conf;

    char                              *rv;
    ngx_str_t                         *value;
    ngx_http_complex_value_t          *cv;
    ngx_http_compile_complex_value_t   ccv;

    ngx_http_payer_value_more(cf, cmd, &plcf->verify);

    rv = ngx_conf_set_msec_slot(cf, cmd, conf);

    if (rv != NGX_CONF_OK || cf->args->nelts == 2) {
        return rv;
    }

    cv = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (cv == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value[2];
    ccv.complex_value = cv;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK
        || ngx_http_payer_value(cf, cmd, &value[2]) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    plcf->verify.wait_if = cv;

    return NGX_CONF_OK;
}


void
ngx_http_payer_verify_create_conf(ngx_http_payer_verify_conf_t *verify)
{
    verify->reference.value = NGX_CONF_UNSET_PTR;
    verify->cache = NGX_CONF_UNSET;
    verify->wait = NGX_CONF_UNSET_MSEC;
}


void
ngx_http_payer_verify_merge_conf(ngx_http_payer_verify_conf_t *prev,
    ngx_http_payer_verify_conf_t *conf)
{
    if (conf->reference.value == NGX_CONF_UNSET_PTR) {

        conf->reference = prev->reference;
        conf->file = prev->file;
        conf->line = prev->line;

        if (conf->reference.value == NGX_CONF_UNSET_PTR) {
            conf->reference.value = NULL;
        }
    }

    if (conf->amount == NULL) {
        conf->amount = prev->amount;
        conf->currency = prev->currency;
        conf->unit = prev->unit;
        conf->trusted = prev->trusted;
    }

    conf->told = conf->amount
                 && ngx_http_payer_worth_made_of_headers(&conf->amount->value);

    if (conf->ticket == NULL) {
        conf->ticket = prev->ticket;
    }

    ngx_conf_merge_sec_value(conf->cache, prev->cache, 5);
    if (conf->wait == NGX_CONF_UNSET_MSEC) {
        conf->wait_if = prev->wait_if;
    }

    ngx_conf_merge_msec_value(conf->wait, prev->wait, 0);
}


/*
 * "return" answers before the access phase, and "rewrite" leads to another
 * location, so that requests for unpaid orders would be passed.  If
 * payer_verify is inherited, or in an "if", this may be intended.
 */

ngx_int_t
ngx_http_payer_verify_check(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf)
{
    void                    **loc_conf;
    const char               *what;
    ngx_uint_t                level;
    ngx_http_payer_leads_t    leads;

    if (ngx_http_payer_verify_amount_check(cf, conf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (conf->verify.reference.value == NULL || conf->clcf->noname) {
        return NGX_OK;
    }

    loc_conf = ((ngx_http_conf_ctx_t *) cf->ctx)->loc_conf;

    ngx_http_payer_codes_lead(cf, loc_conf, 0, &leads);

    what = leads.always;

    if (loc_conf == conf->cscf->ctx->loc_conf) {

        /* a rewrite of the server leads to a location, which has its own
         * payer_verify */

        leads.sometimes = NULL;

        if (what && ngx_strcmp(what, "rewrite") == 0) {
            what = NULL;
        }
    }

    if (what) {
        level = conf->verify.own ? NGX_LOG_EMERG : NGX_LOG_WARN;

        ngx_log_error(level, cf->log, 0,
                      "\"payer_verify\" in location \"%V\" has no effect, "
                      "since \"%s\" answers before it in %s:%ui",
                      &conf->clcf->name, what, conf->verify.file,
                      conf->verify.line);

        return conf->verify.own ? NGX_ERROR : NGX_OK;
    }

    if (leads.sometimes) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"payer_verify\" in location \"%V\" has no effect in "
                      "an \"if\" whose \"%s\" answers before it in %s:%ui",
                      &conf->clcf->name, leads.sometimes, conf->verify.file,
                      conf->verify.line);
    }

    return NGX_OK;
}


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

    rv = ngx_http_payer_amount_params(cf, 2, last, &verify->unit,
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
 * If the amount is not set by the shop for each order, a buyer who has paid a
 * cheap one could use the number of an expensive one.
 */

void
ngx_http_payer_verify_amount_warn(ngx_conf_t *cf)
{
    u_char                      *file;
    ngx_uint_t                   i, k, line;
    ngx_http_payer_loc_conf_t  **locs, *conf;
    ngx_http_payer_main_conf_t  *pmcf;

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_payer_module);

    locs = pmcf->locations.elts;
    file = NULL;
    line = 0;

    for (i = 0; i < pmcf->locations.nelts; i++) {
        conf = locs[i];

        if (conf->handler->content || conf->verify.reference.value == NULL
            || conf->verify.amount
            || (conf->verify.file == file && conf->verify.line == line))
        {
            continue;
        }

        for (k = 0; k < pmcf->locations.nelts; k++) {
            if (locs[k]->cscf == conf->cscf && locs[k]->handler->order
                && ngx_http_payer_verify_amount_cheap(cf, locs[k]))
            {
                break;
            }
        }

        if (k == pmcf->locations.nelts) {
            continue;
        }

        /* once, however many locations inherit it */

        file = conf->verify.file;
        line = conf->verify.line;

        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"payer_verify\" in location \"%V\" has no "
                      "\"payer_verify_amount\", and the amount of location "
                      "\"%V\" is not set by the shop for each order: an order "
                      "paid with a smaller amount passes in %s:%ui",
                      &conf->clcf->name, &locs[k]->clcf->name, file, line);
    }
}


/*
 * whether the amount of a checkout is constant or from a map, or its reference
 * public
 */

static ngx_uint_t
ngx_http_payer_verify_amount_cheap(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf)
{
    ngx_http_payer_template_t  t;

    static ngx_str_t  header = ngx_string("upstream_http_");

    if (conf->reference.open) {
        return 1;
    }

    /* the fields of a lookup belong to this order */

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
