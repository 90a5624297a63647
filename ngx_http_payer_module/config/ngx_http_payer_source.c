
/*
 * Where the values of an order come from: the shop, the operator, or the
 * client.
 *
 * A map is recognized by its handler, which is static in nginx: to get it, a
 * map is declared by the map module itself.
 */


#include "ngx_http_payer_source.h"
#include "ngx_http_payer_codes.h"
#include "ngx_http_payer_source_map.h"


#define NGX_HTTP_PAYER_MAP_SETTINGS  8


static ngx_command_t *ngx_http_payer_map_command(ngx_conf_t *cf);
static ngx_http_variable_t *ngx_http_payer_variable_of(ngx_conf_t *cf,
    ngx_str_t *name);
static ngx_uint_t ngx_http_payer_has_prefix(ngx_conf_t *cf, ngx_str_t *name);
static ngx_uint_t ngx_http_payer_is_buyers(ngx_str_t *name);
static ngx_uint_t ngx_http_payer_result_constant(ngx_str_t *result,
    ngx_uint_t constant, void *data);
static ngx_uint_t ngx_http_payer_set_in(ngx_conf_t *cf,
    ngx_http_payer_place_t *place, ngx_str_t *name);
#if (NGX_PCRE)
static ngx_uint_t ngx_http_payer_set_by_map(ngx_conf_t *cf, ngx_str_t *name);
static ngx_uint_t ngx_http_payer_captures(ngx_conf_t *cf,
    ngx_http_regex_t *regex, ngx_str_t *name);
#endif


/* what the client sends; a name that ends with "_" is a prefix */

static ngx_str_t  ngx_http_payer_buyers_variables[] = {
    ngx_string("arg_"),
    ngx_string("cookie_"),
    ngx_string("http_"),
    ngx_string("request"),
    ngx_string("request_"),
    ngx_string("args"),
    ngx_string("query_string"),
    ngx_string("is_args"),
    ngx_string("uri"),
    ngx_string("document_uri"),
    ngx_string("host"),
    ngx_string("remote_user"),
    ngx_string("content_length"),
    ngx_string("content_type"),
    ngx_string("proxy_add_x_forwarded_for"),
    ngx_string("ssl_server_name"),
    ngx_null_string
};


/* the map module's, NULL where nginx is built without it */

static ngx_http_get_variable_pt  ngx_http_payer_map_handler;


ngx_int_t
ngx_http_payer_source_init(ngx_conf_t *cf)
{
    char                 *rv;
    ngx_buf_t             buf;
    ngx_str_t             args[3];
    ngx_uint_t            i, settings[NGX_HTTP_PAYER_MAP_SETTINGS];
    ngx_conf_t            mcf;
    ngx_array_t           array;
    ngx_command_t        *cmd;
    ngx_conf_file_t       file;
    ngx_http_variable_t  *v;

    static ngx_str_t  name = ngx_string("payer_synthetic_map");

    ngx_http_payer_map_handler = NULL;

    cmd = ngx_http_payer_map_command(cf);
    if (cmd == NULL) {
        return NGX_OK;
    }

    ngx_str_set(&args[0], "map");
    ngx_str_set(&args[1], "");
    ngx_str_set(&args[2], "$payer_synthetic_map");

    ngx_memzero(&array, sizeof(ngx_array_t));

    array.elts = args;
    array.nelts = 3;
    array.size = sizeof(ngx_str_t);
    array.nalloc = 3;
    array.pool = cf->pool;

    /* a file at its end: the map is empty */

    ngx_memzero(&file, sizeof(ngx_conf_file_t));

    file.file.fd = NGX_INVALID_FILE;
    file.file.name = cf->conf_file->file.name;
    file.line = cf->conf_file->line;

    ngx_memzero(&buf, sizeof(ngx_buf_t));
    file.buffer = &buf;

    /* the settings of http are read later, and can be specified only once */

    for (i = 0; i < NGX_HTTP_PAYER_MAP_SETTINGS; i++) {
        settings[i] = NGX_CONF_UNSET_UINT;
    }

    mcf = *cf;
    mcf.args = &array;
    mcf.conf_file = &file;

    rv = cmd->set(&mcf, cmd, settings);
    if (rv != NGX_CONF_OK) {
        return NGX_ERROR;
    }

    v = ngx_http_payer_variable_of(cf, &name);
    if (v == NULL) {
        return NGX_ERROR;
    }

    ngx_http_payer_map_handler = v->get_handler;

    return NGX_OK;
}


static ngx_command_t *
ngx_http_payer_map_command(ngx_conf_t *cf)
{
    ngx_uint_t      i;
    ngx_command_t  *cmd;
    ngx_module_t  **modules;

    modules = cf->cycle->modules;

    for (i = 0; modules[i]; i++) {

        if (ngx_strcmp(modules[i]->name, "ngx_http_map_module") != 0) {
            continue;
        }

        for (cmd = modules[i]->commands; cmd->name.len; cmd++) {
            if (ngx_strcmp(cmd->name.data, "map") == 0) {
                return cmd;
            }
        }
    }

    return NULL;
}


/* one that was declared by exactly this name */

static ngx_http_variable_t *
ngx_http_payer_variable_of(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_uint_t                  i;
    ngx_hash_key_t             *key;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    key = cmcf->variables_keys->keys.elts;

    for (i = 0; i < cmcf->variables_keys->keys.nelts; i++) {
        if (key[i].key.len == name->len
            && ngx_strncasecmp(key[i].key.data, name->data, name->len) == 0)
        {
            return key[i].value;
        }
    }

    return NULL;
}


ngx_http_payer_chosen_e
ngx_http_payer_source(ngx_conf_t *cf, ngx_str_t *name, ngx_str_t *map)
{
    ngx_uint_t             by;
    ngx_http_variable_t   *v;
    ngx_http_payer_map_t  *m;

    static ngx_str_t  upstream = ngx_string("upstream_http_");

    ngx_str_null(map);

    by = ngx_http_payer_set_by(cf, name);

    if (by & NGX_HTTP_PAYER_SET_BY_CAPTURE) {
        return NGX_HTTP_PAYER_CHOSEN_BUYER;
    }

    v = ngx_http_payer_variable_of(cf, name);

    if (v && v->get_handler
        && v->get_handler == ngx_http_payer_map_handler)
    {
        m = (ngx_http_payer_map_t *) v->data;

        if (by
            || !ngx_http_payer_map_all(m, ngx_http_payer_result_constant,
                                       NULL))
        {
            return NGX_HTTP_PAYER_CHOSEN_OTHER;
        }

        *map = m->value.value;

        return NGX_HTTP_PAYER_CHOSEN_MAP;
    }

    if (ngx_http_payer_is_buyers(name)) {
        return NGX_HTTP_PAYER_CHOSEN_BUYER;
    }

    if (ngx_http_payer_is_field(cf, name)) {
        return by ? NGX_HTTP_PAYER_CHOSEN_OTHER : NGX_HTTP_PAYER_CHOSEN_SHOP;
    }

    if (v) {
        return NGX_HTTP_PAYER_CHOSEN_OTHER;
    }

    if (name->len > upstream.len
        && ngx_strncasecmp(name->data, upstream.data, upstream.len) == 0)
    {
        return NGX_HTTP_PAYER_CHOSEN_SHOP;
    }

    return ngx_http_payer_has_prefix(cf, name) ? NGX_HTTP_PAYER_CHOSEN_OTHER
                                               : NGX_HTTP_PAYER_CHOSEN_UNKNOWN;
}


ngx_int_t
ngx_http_payer_source_map(ngx_conf_t *cf, ngx_str_t *name, ngx_str_t *text)
{
    ngx_http_variable_t   *v;
    ngx_http_payer_map_t  *map;

    v = ngx_http_payer_variable_of(cf, name);

    if (v == NULL || v->get_handler == NULL
        || v->get_handler != ngx_http_payer_map_handler)
    {
        return NGX_DECLINED;
    }

    map = (ngx_http_payer_map_t *) v->data;
    *text = map->value.value;

    return NGX_OK;
}


ngx_uint_t
ngx_http_payer_source_all(ngx_conf_t *cf, ngx_str_t *name,
    ngx_http_payer_result_pt test, void *data)
{
    ngx_http_variable_t  *v;

    v = ngx_http_payer_variable_of(cf, name);

    if (v == NULL || v->get_handler == NULL
        || v->get_handler != ngx_http_payer_map_handler)
    {
        return 1;
    }

    return ngx_http_payer_map_all((ngx_http_payer_map_t *) v->data, test,
                                  data);
}


ngx_uint_t
ngx_http_payer_is_field(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_str_t                   *field;
    ngx_uint_t                   i;
    ngx_http_payer_main_conf_t  *pmcf;

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_payer_module);

    field = pmcf->lookup_fields.elts;

    for (i = 0; i < pmcf->lookup_fields.nelts; i++) {
        if (field[i].len == name->len
            && ngx_strncasecmp(field[i].data, name->data, name->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* whether the name begins with the prefix */

static ngx_uint_t
ngx_http_payer_has_prefix(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_uint_t                  i;
    ngx_http_variable_t        *v;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    v = cmcf->prefix_variables.elts;

    for (i = 0; i < cmcf->prefix_variables.nelts; i++) {
        if (name->len >= v[i].name.len
            && ngx_strncasecmp(name->data, v[i].name.data, v[i].name.len)
               == 0)
        {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_payer_is_buyers(ngx_str_t *name)
{
    ngx_str_t  *v;

    for (v = ngx_http_payer_buyers_variables; v->len; v++) {

        if (name->len < v->len
            || ngx_strncasecmp(name->data, v->data, v->len) != 0)
        {
            continue;
        }

        if (name->len == v->len || v->data[v->len - 1] == '_') {
            return 1;
        }
    }

    return 0;
}


/* a result is a constant, or a value with variables */

static ngx_uint_t
ngx_http_payer_result_constant(ngx_str_t *result, ngx_uint_t constant,
    void *data)
{
    return constant;
}


ngx_uint_t
ngx_http_payer_set_by(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_uint_t                   i, by;
    ngx_http_payer_place_t      *place;
    ngx_http_payer_main_conf_t  *pmcf;

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_payer_module);

    place = pmcf->places.elts;
    by = 0;

    for (i = 0; i < pmcf->places.nelts; i++) {
        by |= ngx_http_payer_set_in(cf, &place[i], name);
    }

#if (NGX_PCRE)
    by |= ngx_http_payer_set_by_map(cf, name);
#endif

    return by;
}


static ngx_uint_t
ngx_http_payer_set_in(ngx_conf_t *cf, ngx_http_payer_place_t *place,
    ngx_str_t *name)
{
    ngx_uint_t                   by;
    ngx_http_script_code_pt      code;
    ngx_http_payer_codes_t       codes;
    ngx_http_script_var_code_t  *var;
#if (NGX_PCRE)
    ngx_uint_t                   i;
    ngx_http_server_name_t      *server;
#endif

    by = 0;

#if (NGX_PCRE)

    if (ngx_http_payer_captures(cf, place->clcf->regex, name)) {
        by |= NGX_HTTP_PAYER_SET_BY_LOCATION;
    }

    server = place->cscf->server_names.elts;

    for (i = 0; i < place->cscf->server_names.nelts; i++) {
        if (ngx_http_payer_captures(cf, server[i].regex, name)) {
            by |= NGX_HTTP_PAYER_SET_BY_SERVER_NAME;
        }
    }

#endif

    ngx_http_payer_codes_init(cf, place->loc_conf, &codes);

    for ( ;; ) {
        code = ngx_http_payer_codes_next(&codes);

        if (code == NULL) {
            return by;
        }

        var = (ngx_http_script_var_code_t *) codes.pos;

        if (code == ngx_http_script_set_var_code
            && ngx_http_payer_is_variable(cf, var->index, name))
        {
            by |= NGX_HTTP_PAYER_SET_BY_SET;
        }

#if (NGX_PCRE)
        if (code == ngx_http_script_regex_start_code
            && ngx_http_payer_captures(cf,
                      ((ngx_http_script_regex_code_t *) codes.pos)->regex,
                      name))
        {
            by |= NGX_HTTP_PAYER_SET_BY_REWRITE;
        }
#endif
    }
}


#if (NGX_PCRE)

static ngx_uint_t
ngx_http_payer_set_by_map(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_uint_t                  i, n;
    ngx_hash_key_t             *key;
    ngx_http_variable_t        *v;
    ngx_http_payer_map_t       *map;
    ngx_http_core_main_conf_t  *cmcf;

    if (ngx_http_payer_map_handler == NULL) {
        return 0;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    key = cmcf->variables_keys->keys.elts;

    for (i = 0; i < cmcf->variables_keys->keys.nelts; i++) {
        v = key[i].value;

        if (v->get_handler != ngx_http_payer_map_handler) {
            continue;
        }

        map = (ngx_http_payer_map_t *) v->data;

        for (n = 0; n < map->map.nregex; n++) {
            if (ngx_http_payer_captures(cf, map->map.regex[n].regex, name)) {
                return NGX_HTTP_PAYER_SET_BY_MAP;
            }
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_payer_captures(ngx_conf_t *cf, ngx_http_regex_t *regex,
    ngx_str_t *name)
{
    ngx_uint_t  i;

    if (regex == NULL) {
        return 0;
    }

    for (i = 0; i < regex->nvariables; i++) {
        if (ngx_http_payer_is_variable(cf, regex->variables[i].index, name)) {
            return 1;
        }
    }

    return 0;
}

#endif


ngx_uint_t
ngx_http_payer_is_variable(ngx_conf_t *cf, ngx_uint_t index, ngx_str_t *name)
{
    ngx_http_variable_t        *v;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    v = cmcf->variables.elts;

    return index < cmcf->variables.nelts
           && v[index].name.len == name->len
           && ngx_strncasecmp(v[index].name.data, name->data, name->len) == 0;
}
