
/*
 * The directives about actors: payer_actor, payer_office_operate,
 * payer_refund_max and payer_audit.
 */


#include "ngx_http_payer_audit.h"
#include "ngx_http_payer_conf.h"
#include "ngx_http_payer_source.h"
#include "ngx_http_payer_template.h"
#include "ngx_http_payer_value.h"


static ngx_int_t ngx_http_payer_check_user(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf, const char *directive,
    ngx_http_complex_value_t *value);
static ngx_uint_t ngx_http_payer_has_user(ngx_conf_t *cf, ngx_str_t *text,
    ngx_uint_t maps);


static ngx_http_payer_audit_t  ngx_http_payer_audit_off;


char *
ngx_http_payer_audit_slot(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payer_loc_conf_t *plcf = conf;

    ngx_str_t               *value;
    ngx_http_payer_audit_t  *audit;

    if (plcf->audit) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        plcf->audit = &ngx_http_payer_audit_off;
        return NGX_CONF_OK;
    }

    if (value[1].len == 0 || ngx_strlchr(value[1].data,
                                         value[1].data + value[1].len, '$')
        || ngx_strncmp(value[1].data, "syslog:", 7) == 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid path \"%V\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    audit = ngx_pcalloc(cf->pool, sizeof(ngx_http_payer_audit_t));
    if (audit == NULL) {
        return NGX_CONF_ERROR;
    }

    /* is reopened with the other logs */

    audit->file = ngx_conf_open_file(cf->cycle, &value[1]);
    if (audit->file == NULL) {
        return NGX_CONF_ERROR;
    }

    plcf->audit = audit;

    return NGX_CONF_OK;
}


char *
ngx_http_payer_refund_max(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payer_loc_conf_t *plcf = conf;

    char       *rv;
    int64_t     amount;
    ngx_str_t  *value;

    rv = ngx_http_payer_value_slot(cf, cmd, conf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    value = &plcf->refund_max->value;

    if (plcf->refund_max->lengths || value->len == 0
        || (value->len == 1 && value->data[0] == '0')
        || ngx_http_payer_amount_of(value, NGX_HTTP_PAYER_MINOR, 0, &amount)
           == NGX_OK)
    {
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid amount \"%V\", it must be in minor units",
                       value);
    return NGX_CONF_ERROR;
}


/* the requests of the page are below the location */

char *
ngx_http_payer_office_slot(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->exact_match || clcf->named || clcf->noname
#if (NGX_PCRE)
        || clcf->regex
#endif
        )
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" requires a prefix location, \"%V\" is none",
                           &cmd->name, &clcf->name);
        return NGX_CONF_ERROR;
    }

    return ngx_http_payer_handler(cf, cmd, conf);
}


void
ngx_http_payer_actor_merge(ngx_http_payer_loc_conf_t *prev,
    ngx_http_payer_loc_conf_t *conf)
{
    if (conf->actor == NULL) {
        conf->actor = prev->actor;
    }

    if (conf->audit == NULL) {
        conf->audit = prev->audit;
    }

    if (conf->office_operate == NULL) {
        conf->office_operate = prev->office_operate;
    }

    if (conf->refund_max == NULL) {
        conf->refund_max = prev->refund_max;
    }
}


ngx_int_t
ngx_http_payer_actor_check(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf)
{
    if (!conf->handler->acts) {
        return NGX_OK;
    }

    return ngx_http_payer_check_user(cf, conf, "payer_actor", conf->actor);
}


ngx_int_t
ngx_http_payer_check_office(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf)
{
    if (conf->office_operate == NULL) {
        return NGX_OK;
    }

    if (ngx_http_payer_check_user(cf, conf, "payer_office_operate",
                                  conf->office_operate)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_payer_check_user(cf, conf, "payer_refund_max",
                                     conf->refund_max);
}


/* without a password check, the name is whatever the client has sent */

static ngx_int_t
ngx_http_payer_check_user(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf,
    const char *directive, ngx_http_complex_value_t *value)
{
    if (value == NULL || !ngx_http_payer_has_user(cf, &value->value, 1)
        || ngx_http_payer_asks_password(cf, conf->clcf->loc_conf))
    {
        return NGX_OK;
    }

    ngx_http_payer_refuse(cf, conf, "\"%s\" has \"$remote_user\", "
                          "but \"%V\" in location \"%V\" has no "
                          "\"auth_basic\", so that the client could send any "
                          "name", directive, &conf->handler->directive,
                          &conf->clcf->name);

    return NGX_ERROR;
}


/*
 * $remote_user itself, or as the source of a map; a map of a map is not
 * followed
 */

static ngx_uint_t
ngx_http_payer_has_user(ngx_conf_t *cf, ngx_str_t *text, ngx_uint_t maps)
{
    ngx_str_t                  of;
    ngx_http_payer_template_t  t;

    static ngx_str_t  user = ngx_string("remote_user");

    ngx_http_payer_template_init(&t, text);

    while (ngx_http_payer_template_next(&t) == NGX_OK) {

        if (t.name.len == user.len
            && ngx_strncasecmp(t.name.data, user.data, user.len) == 0)
        {
            return 1;
        }

        if (maps && ngx_http_payer_source_map(cf, &t.name, &of) == NGX_OK
            && ngx_http_payer_has_user(cf, &of, 0))
        {
            return 1;
        }
    }

    return 0;
}
