
/*
 * payer_event_pass: the shop's location for events, which must exist and must
 * not be reachable for clients.
 */


#include "ngx_http_payer_conf.h"
#include "ngx_http_payer_codes.h"
#include "ngx_http_payer_locate.h"


char *
ngx_http_payer_event_pass(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payer_loc_conf_t *plcf = conf;

    u_char     *p, *last;
    ngx_str_t  *value, *uri;

    if (plcf->event_pass.data) {
        return "is duplicate";
    }

    value = cf->args->elts;
    uri = &value[1];
    last = uri->data + uri->len;

    if (uri->len == 0 || uri->data[0] != '/'
        || ngx_strlchr(uri->data, last, '$'))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid URI \"%V\", it must begin with a slash "
                           "and have no variables", uri);
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 3) {

        if (ngx_strcmp(value[2].data, "known") != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\", it must be "
                               "\"known\"", &value[2]);
            return NGX_CONF_ERROR;
        }

        plcf->event_known = 1;
    }

    plcf->event_pass = *uri;

    p = ngx_strlchr(uri->data, last, '?');

    if (p) {
        plcf->event_pass.len = p - uri->data;
        plcf->event_args.data = p + 1;
        plcf->event_args.len = last - (p + 1);
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_payer_check_pass(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf)
{
    ngx_http_payer_codes_t      codes;
    ngx_http_core_loc_conf_t   *clcf, *server;
    ngx_http_payer_loc_conf_t  *inner;

    if (conf->event_pass.len == 0) {
        return NGX_OK;
    }

    server = conf->cscf->ctx->loc_conf[ngx_http_core_module.ctx_index];
    clcf = NULL;

    if (ngx_http_payer_locate(server, &conf->event_pass, &clcf) == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (clcf == NULL) {
        ngx_http_payer_refuse(cf, conf, "there is no location for \"%V\" in "
                              "this server, which \"payer_event_pass\" of "
                              "location \"%V\" names",
                              &conf->event_pass, &conf->clcf->name);
        return NGX_ERROR;
    }

    if (!clcf->internal) {
        ngx_http_payer_refuse(cf, conf, "location \"%V\" of "
                              "\"payer_event_pass %V\" is not internal, so "
                              "that any client could make up events",
                              &clcf->name, &conf->event_pass);
        return NGX_ERROR;
    }

    if (ngx_http_payer_is_api_loc(cf, conf->cscf, clcf)) {
        ngx_http_payer_refuse(cf, conf, "location \"%V\" of "
                              "\"payer_event_pass %V\" is that of "
                              "\"payer_api\", which passes requests to Payer "
                              "and not to the shop", &clcf->name,
                              &conf->event_pass);
        return NGX_ERROR;
    }

    inner = clcf->loc_conf[ngx_http_payer_module.ctx_index];

    if (inner->handler && inner->handler->content
        && clcf->handler == inner->handler->content)
    {
        ngx_http_payer_refuse(cf, conf, "location \"%V\" of "
                              "\"payer_event_pass %V\" has \"%V\", which "
                              "does not pass requests to the shop",
                              &clcf->name, &conf->event_pass,
                              &inner->handler->directive);
        return NGX_ERROR;
    }

    ngx_http_payer_codes_init(cf, clcf->loc_conf, &codes);

    if (clcf->handler == NULL && ngx_http_payer_codes_next(&codes) == NULL) {
        ngx_http_payer_refuse(cf, conf, "location \"%V\" of "
                              "\"payer_event_pass %V\" has no "
                              "\"proxy_pass\", and a file cannot receive "
                              "events", &clcf->name, &conf->event_pass);
        return NGX_ERROR;
    }

    return NGX_OK;
}
