
/*
 * payer_lookup_field: a variable that is filled from the shop's reply.
 */


#include "ngx_http_payer_lookup.h"
#include "ngx_http_payer_lookup_conf.h"


static char *ngx_http_payer_lookup_declare(ngx_conf_t *cf, ngx_str_t *name,
    ngx_uint_t *id);
static ngx_uint_t ngx_http_payer_lookup_taken(ngx_conf_t *cf,
    ngx_str_t *name);


char *
ngx_http_payer_lookup_field(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                           *rv;
    ngx_str_t                      *value;
    ngx_http_payer_lookup_conf_t   *lookup;
    ngx_http_payer_lookup_field_t  *field;

    lookup = ngx_http_payer_lookup_own(cf, conf);
    if (lookup == NULL) {
        return NGX_CONF_ERROR;
    }

    field = ngx_array_push(&lookup->fields);
    if (field == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(field, sizeof(ngx_http_payer_lookup_field_t));

    value = cf->args->elts;

    if (cf->args->nelts == 4) {

        if (ngx_strcmp(value[3].data, "optional") != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[3]);
            return NGX_CONF_ERROR;
        }

        field->optional = 1;
    }

    if (ngx_http_payer_lookup_variable(&value[1], &field->name) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid variable name \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    lookup->fields.nelts--;

    if (ngx_http_payer_lookup_has_field(lookup, &field->name)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate field \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    lookup->fields.nelts++;

    rv = ngx_http_payer_lookup_declare(cf, &field->name, &field->id);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (value[2].len > 1 && value[2].data[0] == '~') {
        return ngx_http_payer_lookup_regex(cf, field, &value[2]);
    }

    rv = ngx_http_payer_lookup_pointer(cf, field, &value[2]);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    lookup->json = 1;

    return NGX_CONF_OK;
}


char *
ngx_http_payer_lookup_pointer(ngx_conf_t *cf,
    ngx_http_payer_lookup_field_t *field, ngx_str_t *text)
{
    ngx_int_t  rc;

    rc = ngx_http_payer_json_pointer(cf->pool, text, &field->path);

    if (rc == NGX_ERROR) {
        return NGX_CONF_ERROR;
    }

    if (rc == NGX_DECLINED) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid JSON Pointer \"%V\", it must begin with "
                           "a slash", text);
        return NGX_CONF_ERROR;
    }

    field->pointer = *text;

    return NGX_CONF_OK;
}


/* the variable, which several lookups may set, but no other module */

static char *
ngx_http_payer_lookup_declare(ngx_conf_t *cf, ngx_str_t *name, ngx_uint_t *id)
{
    ngx_str_t                   *known;
    ngx_uint_t                   i;
    ngx_http_variable_t         *var;
    ngx_http_payer_main_conf_t  *pmcf;

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_payer_module);

    known = pmcf->lookup_fields.elts;

    for (i = 0; i < pmcf->lookup_fields.nelts; i++) {
        if (known[i].len == name->len
            && ngx_strncasecmp(known[i].data, name->data, name->len) == 0)
        {
            *id = i;
            return NGX_CONF_OK;
        }
    }

    if (ngx_http_payer_lookup_taken(cf, name)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "variable \"$%V\" exists already", name);
        return NGX_CONF_ERROR;
    }

    known = ngx_array_push(&pmcf->lookup_fields);
    if (known == NULL) {
        return NGX_CONF_ERROR;
    }

    *known = *name;
    *id = i;

    var = ngx_http_add_variable(cf, name, NGX_HTTP_VAR_NOCACHEABLE);
    if (var == NULL) {
        return NGX_CONF_ERROR;
    }

    var->get_handler = ngx_http_payer_lookup_get_field;
    var->data = i;

    return NGX_CONF_OK;
}


/* a variable of another module, or a prefix variable such as $arg_... */

static ngx_uint_t
ngx_http_payer_lookup_taken(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_str_t                  *family;
    ngx_uint_t                  i;
    ngx_hash_key_t             *key;
    ngx_http_core_main_conf_t  *cmcf;

    static ngx_str_t  families[] = {
        ngx_string("arg_"), ngx_string("cookie_"), ngx_string("http_"),
        ngx_string("sent_http_"), ngx_string("sent_trailer_"),
        ngx_string("upstream_http_"), ngx_string("upstream_cookie_"),
        ngx_string("upstream_trailer_"), ngx_string("payer_"),
        ngx_null_string
    };

    if (name->data[0] >= '0' && name->data[0] <= '9') {
        return 1;
    }

    for (family = families; family->len; family++) {
        if (name->len >= family->len
            && ngx_strncasecmp(name->data, family->data, family->len) == 0)
        {
            return 1;
        }
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    key = cmcf->variables_keys->keys.elts;

    for (i = 0; i < cmcf->variables_keys->keys.nelts; i++) {
        if (key[i].key.len == name->len
            && ngx_strncasecmp(key[i].key.data, name->data, name->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}
