
/*
 * payer_keep: how long records are kept.
 */


#include "ngx_http_payer_conf.h"


typedef struct {
    ngx_str_t      name;
    size_t         offset;
    time_t         least;
    const char    *why;
} ngx_http_payer_keep_t;


static ngx_http_payer_keep_t *ngx_http_payer_keep_find(ngx_str_t *text);


#define NGX_HTTP_PAYER_KEEP_DAY  86400


static ngx_http_payer_keep_t  ngx_http_payer_keeps[] = {

    { ngx_string("paid="),
      offsetof(ngx_http_payer_loc_conf_t, keep_paid),
      NGX_HTTP_PAYER_LINK_LIFE,
      "31 days, the lifetime of Payer's links, so that an order could be paid "
      "twice" },

    { ngx_string("unpaid="),
      offsetof(ngx_http_payer_loc_conf_t, keep_unpaid),
      NGX_HTTP_PAYER_LINK_LIFE,
      "31 days, the lifetime of Payer's links, so that an order could be paid "
      "twice" },

    { ngx_string("operations="),
      offsetof(ngx_http_payer_loc_conf_t, keep_operations),
      NGX_HTTP_PAYER_KEEP_DAY,
      "one day, so that a late repeat could be executed twice" },

    { ngx_null_string, 0, 0, NULL }
};


char *
ngx_http_payer_keep(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    u_char  *p = conf;

    time_t                 *field, time;
    ngx_str_t              *value, text;
    ngx_uint_t              i;
    ngx_http_payer_keep_t  *keep;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        keep = ngx_http_payer_keep_find(&value[i]);

        if (keep == NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        field = (time_t *) (p + keep->offset);

        if (*field != NGX_CONF_UNSET) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "parameter \"%V\" is duplicate", &value[i]);
            return NGX_CONF_ERROR;
        }

        text.data = value[i].data + keep->name.len;
        text.len = value[i].len - keep->name.len;

        time = ngx_parse_time(&text, 1);

        if (time == (time_t) NGX_ERROR) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid time in parameter \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        if (time < keep->least) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" is shorter than %s", &value[i],
                               keep->why);
            return NGX_CONF_ERROR;
        }

        *field = time;
    }

    return NGX_CONF_OK;
}


static ngx_http_payer_keep_t *
ngx_http_payer_keep_find(ngx_str_t *text)
{
    ngx_http_payer_keep_t  *keep;

    for (keep = ngx_http_payer_keeps; keep->name.len; keep++) {

        if (text->len > keep->name.len
            && ngx_strncmp(text->data, keep->name.data, keep->name.len) == 0)
        {
            return keep;
        }
    }

    return NULL;
}
