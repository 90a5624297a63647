
/*
 * The setters of an order: its values, its ticket, its return addresses, and
 * how the payment page is presented.
 */


#include "ngx_http_payer_conf.h"
#include "ngx_http_payer_order.h"
#include "ngx_http_payer_template.h"
#include "ngx_http_payer_value.h"
#include "ngx_http_payer_verify_conf.h"


char *
ngx_http_payer_reference(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    char                   *rv;
    ngx_str_t              *value;
    ngx_http_payer_text_t  *text;

    text = (ngx_http_payer_text_t *) (p + cmd->offset);
    value = cf->args->elts;

    rv = ngx_http_payer_text_slot(cf, cmd, conf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (cf->args->nelts == 3) {

        if (ngx_strcmp(value[2].data, "public") != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\", it must be "
                               "\"public\"", &value[2]);
            return NGX_CONF_ERROR;
        }

        text->open = 1;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_payer_status_dead(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payer_loc_conf_t *plcf = conf;

    ngx_str_t   *value, *status;
    ngx_uint_t   i;

    if (plcf->dead != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    plcf->dead = ngx_array_create(cf->pool, cf->args->nelts - 1,
                                  sizeof(ngx_str_t));
    if (plcf->dead == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (value[i].len == 0 || ngx_http_payer_state_of(&value[i])) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid status \"%V\", it must not be one of "
                               "those that the module knows", &value[i]);
            return NGX_CONF_ERROR;
        }

        status = ngx_array_push(plcf->dead);
        if (status == NULL) {
            return NGX_CONF_ERROR;
        }

        *status = value[i];
    }

    return NGX_CONF_OK;
}


char *
ngx_http_payer_amount(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payer_loc_conf_t *plcf = conf;

    char  *rv;

    rv = ngx_http_payer_value_slot(cf, cmd, conf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_http_payer_amount_params(cf, 2, cf->args->nelts,
                                        &plcf->amount_unit,
                                        &plcf->amount_trusted);
}


char *
ngx_http_payer_currency(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payer_loc_conf_t *plcf = conf;

    char       *rv;
    ngx_str_t  *value;

    rv = ngx_http_payer_value_slot(cf, cmd, conf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[2].data, "trusted") != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\", it must be "
                           "\"trusted\"", &value[2]);
        return NGX_CONF_ERROR;
    }

    plcf->currency_trusted = 1;

    return NGX_CONF_OK;
}


char *
ngx_http_payer_present(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payer_loc_conf_t *plcf = conf;

    ngx_str_t                         *value;
    ngx_http_compile_complex_value_t   ccv;

    if (plcf->present != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "redirect") == 0) {
        plcf->present = NGX_HTTP_PAYER_PRESENT_REDIRECT;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "iframe") == 0) {
        plcf->present = NGX_HTTP_PAYER_PRESENT_IFRAME;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "json") == 0) {
        plcf->present = NGX_HTTP_PAYER_PRESENT_JSON;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "confirm") == 0) {
        plcf->present = NGX_HTTP_PAYER_PRESENT_CONFIRM;
        return NGX_CONF_OK;
    }

    if (value[1].data[0] != '/') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid presentation \"%V\", it must be "
                           "\"redirect\", \"iframe\", \"json\", \"confirm\" "
                           "or a URI", &value[1]);
        return NGX_CONF_ERROR;
    }

    plcf->present = NGX_HTTP_PAYER_PRESENT_URI;

    plcf->present_uri = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (plcf->present_uri == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value[1];
    ccv.complex_value = plcf->present_uri;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK
        || ngx_http_payer_value(cf, cmd, &value[1]) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_payer_verify_ticket(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payer_loc_conf_t *plcf = conf;

    char                       *rv;
    ngx_str_t                  *value;
    ngx_http_payer_template_t   t;

    static ngx_str_t  ours = ngx_string("payer_ticket");

    ngx_http_payer_value_more(cf, cmd, &plcf->verify);

    value = cf->args->elts;

    if (value[1].len == 0) {
        return "needs a value: no order has an empty ticket";
    }

    rv = ngx_http_payer_value_slot(cf, cmd, conf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (plcf->verify.ticket->lengths == NULL) {
        return "needs a value of the request: each order has another ticket";
    }

    ngx_http_payer_template_init(&t, &value[1]);

    while (ngx_http_payer_template_next(&t) == NGX_OK) {
        if (t.name.len == ours.len
            && ngx_strncasecmp(t.name.data, ours.data, ours.len) == 0)
        {
            return "cannot use \"$payer_ticket\", which does not come from "
                   "the client; use the argument that has it";
        }
    }

    return NGX_CONF_OK;
}


char *
ngx_http_payer_return_origin(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payer_loc_conf_t *plcf = conf;

    char       *rv;
    u_char     *p;
    ngx_str_t  *value, host;

    rv = ngx_http_payer_value_slot(cf, cmd, conf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (plcf->origin->lengths) {
        return NGX_CONF_OK;
    }

    value = &plcf->origin->value;

    if (ngx_strcmp(value->data, "http") == 0
        || ngx_strcmp(value->data, "https") == 0)
    {
        return NGX_CONF_OK;
    }

    if (ngx_http_payer_check_bare_url(value) == NGX_OK) {

        host.data = ngx_strlchr(value->data, value->data + value->len, ':')
                    + sizeof("://") - 1;
        host.len = value->data + value->len - host.data;

        p = ngx_strlchr(host.data, host.data + host.len, ':');

        if (p && host.data[0] != '[') {
            host.len = p - host.data;
        }

        if (ngx_http_payer_usable_name(&host)) {
            return NGX_CONF_OK;
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid origin \"%V\", it must be \"http\", "
                       "\"https\", or a scheme and a host without a path, "
                       "as in \"https://shop.example\"", value);

    return NGX_CONF_ERROR;
}
