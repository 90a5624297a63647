
/*
 * The directives of notifications.
 */


#include "ngx_http_payer_notify.h"
#include "ngx_http_payer_conf.h"
#include "ngx_http_payer_lookup_conf.h"
#include "ngx_http_payer_secret.h"
#include "ngx_http_payer_value.h"


static char *ngx_http_payer_notify_times(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_payer_loc_conf_t *plcf);
static char *ngx_http_payer_notify_accept_values(ngx_conf_t *cf,
    ngx_http_payer_accept_t *accept);


/* a second key is for the time in which the shop changes to it */

#define NGX_HTTP_PAYER_NOTIFY_KEYS       2
#define NGX_HTTP_PAYER_NOTIFY_SHORT_KEY  16


char *
ngx_http_payer_notify(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payer_loc_conf_t *plcf = conf;

    u_char                       *p, *last;
    size_t                        len;
    ngx_str_t                    *value;
    ngx_uint_t                    i;
    ngx_http_payer_lookup_arg_t  *arg;
    ngx_http_payer_notify_uri_t  *notify;

    if (plcf->notify) {
        return "is duplicate";
    }

    value = cf->args->elts;

    notify = ngx_pcalloc(cf->pool, sizeof(ngx_http_payer_notify_uri_t));
    if (notify == NULL
        || ngx_array_init(&notify->args, cf->pool, 2,
                          sizeof(ngx_http_payer_lookup_arg_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    notify->file = cf->conf_file->file.name.data;
    notify->line = cf->conf_file->line;
    notify->outside = (cf->cmd_type == NGX_HTTP_MAIN_CONF);
    notify->fixed = 1;

    plcf->notify = notify;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        return NGX_CONF_OK;
    }

    last = value[1].data + value[1].len;
    p = ngx_strlchr(value[1].data, last, '?');

    notify->uri.data = value[1].data;
    notify->uri.len = (p ? p : last) - value[1].data;

    if (notify->uri.len == 0 || notify->uri.data[0] != '/'
        || ngx_strlchr(notify->uri.data, p ? p : last, '$'))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid URI \"%V\", its path must begin with a "
                           "slash and have no variables", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_payer_value(cf, cmd, &value[1]) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (p && ngx_http_payer_lookup_arguments(cf, &notify->args, p + 1, last)
             != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    len = value[1].len;
    arg = notify->args.elts;

    for (i = 0; i < notify->args.nelts; i++) {
        if (arg[i].variable.len) {
            notify->fixed = 0;

            /* of a value only that it is not part of the text is known */

            len -= arg[i].text.len;
        }
    }

    if (len > NGX_HTTP_PAYER_RECORD_URI) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid URI \"%V\", it is longer than %d bytes",
                           &value[1], NGX_HTTP_PAYER_RECORD_URI);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_payer_notify_on(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payer_loc_conf_t *plcf = conf;

    ngx_str_t                *value;
    ngx_uint_t                i, bit;
    ngx_http_payer_notice_e   type;

    if (plcf->notify_on != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;
    plcf->notify_on = 0;

    for (i = 1; i < cf->args->nelts; i++) {

        type = ngx_http_payer_notice_named(&value[i]);

        if (type == NGX_HTTP_PAYER_NOTICES) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid type \"%V\", it must be \"paid\", "
                               "\"captured\", \"released\", \"refunded\", "
                               "\"cancelled\" or \"expired\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        bit = ngx_http_payer_notice_bit(type);

        if (plcf->notify_on & bit) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate type \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        plcf->notify_on |= bit;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_payer_notify_accept(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payer_loc_conf_t *plcf = conf;

    char                     *rv;
    ngx_str_t                *value;
    ngx_http_payer_accept_t  *accept;

    if (plcf->notify_accept != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    accept = ngx_pcalloc(cf->pool, sizeof(ngx_http_payer_accept_t));
    if (accept == NULL) {
        return NGX_CONF_ERROR;
    }

    plcf->notify_accept = accept;

    if (value[1].len > 1 && value[1].data[0] == '~') {

        if (cf->args->nelts != 2) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\", a regular "
                               "expression must not be followed by values",
                               &value[2]);
            return NGX_CONF_ERROR;
        }

        return ngx_http_payer_lookup_pattern(cf, &accept->field, &value[1]);
    }

    rv = ngx_http_payer_lookup_pointer(cf, &accept->field, &value[1]);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_http_payer_notify_accept_values(cf, accept);
}


static char *
ngx_http_payer_notify_accept_values(ngx_conf_t *cf,
    ngx_http_payer_accept_t *accept)
{
    ngx_str_t   *value, *accepted;
    ngx_uint_t   i;

    value = cf->args->elts;

    if (cf->args->nelts == 2) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" must be followed by a value", &value[1]);
        return NGX_CONF_ERROR;
    }

    accept->values = ngx_array_create(cf->pool, cf->args->nelts - 2,
                                      sizeof(ngx_str_t));
    if (accept->values == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (value[i].len == 0
            || ngx_strlchr(value[i].data, value[i].data + value[i].len, '$'))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid value \"%V\", it must not be empty "
                               "and have no variables", &value[i]);
            return NGX_CONF_ERROR;
        }

        accepted = ngx_array_push(accept->values);
        if (accepted == NULL) {
            return NGX_CONF_ERROR;
        }

        *accepted = value[i];
    }

    return NGX_CONF_OK;
}


char *
ngx_http_payer_notify_retry(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payer_loc_conf_t *plcf = conf;

    char        *rv;
    ngx_str_t   *value;
    ngx_uint_t   i;

    if (plcf->notify_limit != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    plcf->notify_limit = ngx_parse_time(&value[1], 1);

    if (plcf->notify_limit == (time_t) NGX_ERROR || plcf->notify_limit == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid time \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        rv = ngx_http_payer_notify_times(cf, &value[i], plcf);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (plcf->notify_interval == NGX_CONF_UNSET) {
        plcf->notify_interval = NGX_HTTP_PAYER_NOTIFY_INTERVAL;

        if (plcf->notify_max != NGX_CONF_UNSET) {
            plcf->notify_interval = ngx_min(plcf->notify_interval,
                                            plcf->notify_max);
        }
    }

    if (plcf->notify_max == NGX_CONF_UNSET) {
        plcf->notify_max = ngx_max(plcf->notify_interval,
                                   NGX_HTTP_PAYER_NOTIFY_MAX);
    }

    if (plcf->notify_max < plcf->notify_interval) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"max\" is less than \"interval\"");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* interval=time or max=time */

static char *
ngx_http_payer_notify_times(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_payer_loc_conf_t *plcf)
{
    time_t     *time;
    ngx_str_t   text;

    if (ngx_strncmp(value->data, "interval=", 9) == 0) {
        time = &plcf->notify_interval;
        text.data = value->data + 9;

    } else if (ngx_strncmp(value->data, "max=", 4) == 0) {
        time = &plcf->notify_max;
        text.data = value->data + 4;

    } else {
        goto invalid;
    }

    if (*time != NGX_CONF_UNSET) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate parameter \"%V\"", value);
        return NGX_CONF_ERROR;
    }

    text.len = value->data + value->len - text.data;

    *time = ngx_parse_time(&text, 1);

    if (*time != (time_t) NGX_ERROR && *time > 0) {
        return NGX_CONF_OK;
    }

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\"", value);
    return NGX_CONF_ERROR;
}


char *
ngx_http_payer_notify_key_file(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_payer_loc_conf_t *plcf = conf;

    ngx_str_t  *value, *key;

    if (plcf->notify_keys == NULL) {
        plcf->notify_keys = ngx_array_create(cf->pool,
                                             NGX_HTTP_PAYER_NOTIFY_KEYS,
                                             sizeof(ngx_str_t));
        if (plcf->notify_keys == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (plcf->notify_keys->nelts == NGX_HTTP_PAYER_NOTIFY_KEYS) {
        return "is specified more than twice: only the old and the new key "
               "are allowed";
    }

    value = cf->args->elts;

    if (ngx_conf_full_name(cf->cycle, &value[1], 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    key = ngx_array_push(plcf->notify_keys);
    if (key == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_payer_read_secret(cf, &value[1], key) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (key->len < NGX_HTTP_PAYER_NOTIFY_SHORT_KEY) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "the key in \"%V\" is shorter than %d bytes: with "
                           "one notification a client can try to guess it",
                           &value[1], NGX_HTTP_PAYER_NOTIFY_SHORT_KEY);
    }

    return NGX_CONF_OK;
}


void
ngx_http_payer_notify_create(ngx_http_payer_loc_conf_t *conf)
{
    /*
     * set by ngx_pcalloc():
     *
     *     conf->notify, notify_keys, notify_clcf = NULL;
     */

    conf->notify_on = NGX_CONF_UNSET_UINT;
    conf->notify_accept = NGX_CONF_UNSET_PTR;
    conf->notify_limit = NGX_CONF_UNSET;
    conf->notify_interval = NGX_CONF_UNSET;
    conf->notify_max = NGX_CONF_UNSET;
}


void
ngx_http_payer_notify_merge(ngx_http_payer_loc_conf_t *prev,
    ngx_http_payer_loc_conf_t *conf)
{
    if (conf->notify == NULL) {
        conf->notify = prev->notify;
    }

    if (conf->notify_keys == NULL) {
        conf->notify_keys = prev->notify_keys;
    }

    ngx_conf_merge_uint_value(conf->notify_on, prev->notify_on,
                    ngx_http_payer_notice_bit(NGX_HTTP_PAYER_NOTICE_PAID));
    ngx_conf_merge_ptr_value(conf->notify_accept, prev->notify_accept, NULL);

    ngx_conf_merge_sec_value(conf->notify_limit, prev->notify_limit,
                             NGX_HTTP_PAYER_NOTIFY_LIMIT);
    ngx_conf_merge_sec_value(conf->notify_interval, prev->notify_interval,
                             NGX_HTTP_PAYER_NOTIFY_INTERVAL);
    ngx_conf_merge_sec_value(conf->notify_max, prev->notify_max,
                             NGX_HTTP_PAYER_NOTIFY_MAX);
}
