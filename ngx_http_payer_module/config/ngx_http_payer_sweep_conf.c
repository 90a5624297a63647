
/*
 * The directives of background work.
 */


#include "ngx_http_payer_sweep_conf.h"


#define NGX_HTTP_PAYER_SWEEP_INTERVAL  300000           /* ms */
#define NGX_HTTP_PAYER_LIMIT_AGE       (6 * 86400)


/* "payer_sweep time|off;" */

char *
ngx_http_payer_sweep(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payer_loc_conf_t *plcf = conf;

    ngx_int_t   interval;
    ngx_str_t  *value;

    if (plcf->sweep.interval != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        plcf->sweep.interval = 0;
        return NGX_CONF_OK;
    }

    interval = ngx_parse_time(&value[1], 0);

    if (interval == NGX_ERROR || interval == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\", it must be a time or "
                           "\"off\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    plcf->sweep.interval = interval;

    return NGX_CONF_OK;
}


/* "payer_authorization_limit time [warn|capture|release];" */

char *
ngx_http_payer_authorization_limit(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_payer_loc_conf_t *plcf = conf;

    time_t      age;
    ngx_str_t  *value;

    if (plcf->sweep.limit != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    age = ngx_parse_time(&value[1], 1);

    if (age == (time_t) NGX_ERROR || age == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid time \"%V\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    plcf->sweep.limit = age;
    plcf->sweep.file = cf->conf_file->file.name.data;
    plcf->sweep.line = cf->conf_file->line;

    if (cf->args->nelts == 2 || ngx_strcmp(value[2].data, "warn") == 0) {
        plcf->sweep.act = NGX_HTTP_PAYER_LIMIT_WARN;

    } else if (ngx_strcmp(value[2].data, "capture") == 0) {
        plcf->sweep.act = NGX_HTTP_PAYER_LIMIT_CAPTURE;

    } else if (ngx_strcmp(value[2].data, "release") == 0) {
        plcf->sweep.act = NGX_HTTP_PAYER_LIMIT_RELEASE;

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\", it must be \"warn\", "
                           "\"capture\" or \"release\"", &value[2]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


void
ngx_http_payer_sweep_create_conf(ngx_http_payer_sweep_conf_t *sweep)
{
    sweep->interval = NGX_CONF_UNSET_MSEC;
    sweep->limit = NGX_CONF_UNSET;
}


void
ngx_http_payer_sweep_merge_conf(ngx_http_payer_sweep_conf_t *prev,
    ngx_http_payer_sweep_conf_t *conf)
{
    ngx_conf_merge_msec_value(conf->interval, prev->interval,
                              NGX_HTTP_PAYER_SWEEP_INTERVAL);

    if (conf->limit == NGX_CONF_UNSET) {
        conf->act = prev->act;
        conf->file = prev->file;
        conf->line = prev->line;
    }

    ngx_conf_merge_value(conf->limit, prev->limit, NGX_HTTP_PAYER_LIMIT_AGE);
}


ngx_int_t
ngx_http_payer_sweep_check(ngx_conf_t *cf, ngx_http_payer_sweep_conf_t *conf,
    char *what, u_char *file, ngx_uint_t line)
{
    if (conf->interval) {
        return NGX_OK;
    }

    if (what == NULL) {

        if (conf->act == NGX_HTTP_PAYER_LIMIT_WARN) {
            return NGX_OK;
        }

        what = (conf->act == NGX_HTTP_PAYER_LIMIT_CAPTURE)
               ? "payer_authorization_limit\" with \"capture"
               : "payer_authorization_limit\" with \"release";

        file = conf->file;
        line = conf->line;
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"%s\" has no effect with \"payer_sweep off\" in %s:%ui",
                  what, file, line);

    return NGX_ERROR;
}
