
/*
 * payer_lookup: the URI of the request to the shop.
 */


#include "ngx_http_payer_lookup.h"
#include "ngx_http_payer_lookup_conf.h"
#include "ngx_http_payer_query.h"
#include "ngx_http_payer_value.h"


static char *ngx_http_payer_lookup_argument(ngx_conf_t *cf, ngx_array_t *args,
    ngx_str_t *text);


char *
ngx_http_payer_lookup(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    u_char                        *p, *last;
    ngx_str_t                     *value;
    ngx_http_payer_main_conf_t    *pmcf;
    ngx_http_payer_lookup_conf_t  *lookup;

    lookup = ngx_http_payer_lookup_own(cf, conf);
    if (lookup == NULL) {
        return NGX_CONF_ERROR;
    }

    if (lookup->uri.data || lookup->off) {
        return "is duplicate";
    }

    value = cf->args->elts;

    lookup->file = cf->conf_file->file.name.data;
    lookup->line = cf->conf_file->line;

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_payer_module);

    pmcf->lookups = 1;

    if (cf->args->nelts == 3) {

        if (ngx_strcmp(value[2].data, "chars=email") != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[2]);
            return NGX_CONF_ERROR;
        }

        lookup->email = 1;

    } else if (ngx_strcmp(value[1].data, "off") == 0) {
        lookup->off = 1;
        return NGX_CONF_OK;
    }

    last = value[1].data + value[1].len;
    p = ngx_strlchr(value[1].data, last, '?');

    lookup->uri.data = value[1].data;
    lookup->uri.len = (p ? p : last) - value[1].data;

    if (lookup->uri.len == 0 || lookup->uri.data[0] != '/'
        || ngx_strlchr(lookup->uri.data, p ? p : last, '$'))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid URI \"%V\", its path must begin with a "
                           "slash and have no variables", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_payer_value(cf, cmd, &value[1]) != NGX_OK
        || ngx_http_payer_query_names(cf->pool, &value[1], &lookup->buyers)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return p ? ngx_http_payer_lookup_arguments(cf, &lookup->args, p + 1, last)
             : NGX_CONF_OK;
}


char *
ngx_http_payer_lookup_arguments(ngx_conf_t *cf, ngx_array_t *args, u_char *p,
    u_char *last)
{
    char       *rv;
    u_char     *end;
    ngx_str_t   text;

    for ( /* void */ ; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, '&');

        if (end == NULL) {
            end = last;
        }

        text.data = p;
        text.len = end - p;

        rv = ngx_http_payer_lookup_argument(cf, args, &text);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


/* name=text or name=$variable */

static char *
ngx_http_payer_lookup_argument(ngx_conf_t *cf, ngx_array_t *args,
    ngx_str_t *text)
{
    u_char                       *last, *eq;
    ngx_http_payer_lookup_arg_t  *arg;

    last = text->data + text->len;
    eq = ngx_strlchr(text->data, last, '=');

    arg = ngx_array_push(args);
    if (arg == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(arg, sizeof(ngx_http_payer_lookup_arg_t));

    if (eq) {
        arg->name.data = text->data;
        arg->name.len = eq - text->data;
        arg->text.data = eq + 1;
        arg->text.len = last - arg->text.data;
    }

    if (arg->name.len == 0 || ngx_strlchr(arg->name.data, eq, '$')) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid argument \"%V\", it must be a name and a "
                           "value", text);
        return NGX_CONF_ERROR;
    }

    if (ngx_strlchr(arg->text.data, last, '$') == NULL) {
        return NGX_CONF_OK;
    }

    if (ngx_http_payer_lookup_variable(&arg->text, &arg->variable) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid argument \"%V\", a variable must be its "
                           "whole value", text);
        return NGX_CONF_ERROR;
    }

    arg->escaped = (arg->variable.len > 4
                    && ngx_strncasecmp(arg->variable.data, (u_char *) "arg_",
                                       4)
                       == 0);

    arg->index = ngx_http_get_variable_index(cf, &arg->variable);

    return arg->index == NGX_ERROR ? NGX_CONF_ERROR : NGX_CONF_OK;
}
