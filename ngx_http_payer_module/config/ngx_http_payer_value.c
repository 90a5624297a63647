
/*
 * Values of directives that can have variables, and the captures that they
 * must not contain.
 *
 * A capture is replaced by the next regular expression that sets it, for
 * example of a map or an "if", which can be evaluated between two of our
 * steps: one order would be verified, and the request for another one passed.
 */


#include "ngx_http_payer_value.h"
#include "ngx_http_payer_source.h"
#include "ngx_http_payer_template.h"


static ngx_int_t ngx_http_payer_check_value(ngx_conf_t *cf,
    ngx_http_payer_value_t *value);
static ngx_int_t ngx_http_payer_check_map(ngx_conf_t *cf,
    ngx_http_payer_value_t *value, ngx_str_t *name);
static ngx_uint_t ngx_http_payer_is_numbered(ngx_str_t *name);


ngx_int_t
ngx_http_payer_value(ngx_conf_t *cf, ngx_command_t *cmd, ngx_str_t *value)
{
    ngx_uint_t                   n;
    ngx_http_payer_value_t      *v;
    ngx_http_payer_template_t    t;
    ngx_http_payer_main_conf_t  *pmcf;

    ngx_http_payer_template_init(&t, value);

    for (n = 0; ngx_http_payer_template_next(&t) == NGX_OK; n++) {

        if (ngx_http_payer_is_numbered(&t.name)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" cannot use the numbered capture "
                               "\"$%V\", which any later regular expression "
                               "replaces; use a named capture",
                               &cmd->name, &t.name);
            return NGX_ERROR;
        }
    }

    if (n == 0) {
        return NGX_OK;
    }

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_payer_module);

    v = ngx_array_push(&pmcf->values);
    if (v == NULL) {
        return NGX_ERROR;
    }

    v->directive = &cmd->name;
    v->text = *value;
    v->file = cf->conf_file->file.name.data;
    v->line = cf->conf_file->line;

    return NGX_OK;
}


char *
ngx_http_payer_value_slot(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char       *rv;
    ngx_str_t  *value;

    rv = ngx_http_set_complex_value_slot(cf, cmd, conf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    value = cf->args->elts;

    return ngx_http_payer_value(cf, cmd, &value[1]) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


ngx_int_t
ngx_http_payer_check_values(ngx_conf_t *cf)
{
    ngx_uint_t                   i;
    ngx_http_payer_value_t      *value;
    ngx_http_payer_main_conf_t  *pmcf;

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_payer_module);

    value = pmcf->values.elts;

    for (i = 0; i < pmcf->values.nelts; i++) {
        if (ngx_http_payer_check_value(cf, &value[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_check_value(ngx_conf_t *cf, ngx_http_payer_value_t *value)
{
    char                       *other;
    ngx_uint_t                  by;
    ngx_http_payer_template_t   t;

    ngx_http_payer_template_init(&t, &value->text);

    while (ngx_http_payer_template_next(&t) == NGX_OK) {

        if (ngx_http_payer_check_map(cf, value, &t.name) != NGX_OK) {
            return NGX_ERROR;
        }

        by = ngx_http_payer_set_by(cf, &t.name)
             & NGX_HTTP_PAYER_SET_BY_CAPTURE;

        if ((by & (by - 1)) == 0) {

            /* it is set in one kind of place only */

            continue;
        }

        if (by & NGX_HTTP_PAYER_SET_BY_MAP) {
            other = "map";

        } else if (by & NGX_HTTP_PAYER_SET_BY_SERVER_NAME) {
            other = "server_name";

        } else {
            continue;
        }

        ngx_http_payer_refuse(cf, value, "\"%V\" uses the capture \"$%V\", "
                              "which a regular expression of \"%s\" can "
                              "replace, since it has a capture of the same "
                              "name; rename one of them",
                              value->directive, &t.name, other);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* a map evaluates its first parameter when it is used */

static ngx_int_t
ngx_http_payer_check_map(ngx_conf_t *cf, ngx_http_payer_value_t *value,
    ngx_str_t *name)
{
    ngx_str_t                  map;
    ngx_http_payer_template_t  t;

    if (ngx_http_payer_source_map(cf, name, &map) != NGX_OK) {
        return NGX_OK;
    }

    ngx_http_payer_template_init(&t, &map);

    while (ngx_http_payer_template_next(&t) == NGX_OK) {

        if (ngx_http_payer_is_numbered(&t.name)) {
            ngx_http_payer_refuse(cf, value, "\"%V\" cannot use the numbered "
                                  "capture \"$%V\" by way of the map \"$%V\": "
                                  "any later regular expression replaces it; "
                                  "use a named capture",
                                  value->directive, &t.name, name);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_payer_is_numbered(ngx_str_t *name)
{
    return name->len && name->data[0] >= '1' && name->data[0] <= '9';
}


ngx_uint_t
ngx_http_payer_value_has_argument(ngx_str_t *value)
{
    ngx_http_payer_template_t  t;

    ngx_http_payer_template_init(&t, value);

    while (ngx_http_payer_template_next(&t) == NGX_OK) {

        if (t.name.len > 4
            && ngx_strncasecmp(t.name.data, (u_char *) "arg_", 4) == 0)
        {
            return 1;
        }
    }

    return 0;
}


char *
ngx_http_payer_amount_params(ngx_conf_t *cf, ngx_uint_t i, ngx_uint_t last,
    ngx_http_payer_unit_e *unit, ngx_uint_t *trusted)
{
    ngx_str_t   *value;
    ngx_uint_t   units, major, rough;

    value = cf->args->elts;
    units = 0;
    major = 0;
    rough = 0;

    for ( /* void */ ; i < last; i++) {

        if (ngx_strcmp(value[i].data, "trusted") == 0 && !*trusted) {
            *trusted = 1;

        } else if (ngx_strcmp(value[i].data, "major") == 0 && !units++) {
            major = 1;

        } else if (ngx_strcmp(value[i].data, "float") == 0 && !rough) {
            rough = 1;

        } else if (ngx_strcmp(value[i].data, "minor") != 0 || units++) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\", it must be one of "
                               "\"minor\" and \"major\", \"float\", or "
                               "\"trusted\"", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    if (rough && !major) {
        return "has \"float\" without \"major\": an amount in minor units "
               "is a whole number";
    }

    if (major) {
        *unit = rough ? NGX_HTTP_PAYER_FLOAT : NGX_HTTP_PAYER_MAJOR;
    }

    return NGX_CONF_OK;
}


void
ngx_http_payer_value_more(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_payer_verify_conf_t *verify)
{
    verify->more = &cmd->name;
    verify->more_file = cf->conf_file->file.name.data;
    verify->more_line = cf->conf_file->line;
}


char *
ngx_http_payer_text_slot(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    char                   *rv;
    u_char                 *name, *last, ch;
    ngx_int_t               index;
    ngx_str_t               variable;
    ngx_http_payer_text_t  *text;

    rv = ngx_http_payer_value_slot(cf, cmd, conf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    text = (ngx_http_payer_text_t *) (p + cmd->offset);

    /* an argument is escaped as in the request */

    text->unescape = ngx_http_payer_value_has_argument(&text->value->value);

    name = text->value->value.data;
    last = name + text->value->value.len;

    if (last - name < 2 || *name++ != '$' || (*name >= '0' && *name <= '9')) {
        return NGX_CONF_OK;
    }

    variable.data = name;
    variable.len = last - name;

    for ( /* void */ ; name < last; name++) {
        ch = *name | 0x20;

        if ((ch < 'a' || ch > 'z') && (*name < '0' || *name > '9')
            && *name != '_')
        {
            return NGX_CONF_OK;
        }
    }

    index = ngx_http_get_variable_index(cf, &variable);
    if (index == NGX_ERROR) {
        return NGX_CONF_ERROR;
    }

    text->variable = index + 1;

    return NGX_CONF_OK;
}
