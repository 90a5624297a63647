
/*
 * The setters of directives; what they set is merged in conf.c and checked as
 * a whole in check.c.
 */


#include "ngx_http_payer_conf.h"
#include "ngx_http_payer_calls.h"
#include "ngx_http_payer_order.h"
#include "ngx_http_payer_secret.h"
#include "ngx_http_payer_value.h"


static ngx_uint_t ngx_http_payer_path_climbs(ngx_str_t *path);


char *
ngx_http_payer_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payer_main_conf_t *pmcf = conf;

    ssize_t                     size;
    ngx_str_t                  *value;
    ngx_shm_zone_t             *shm_zone;

    if (pmcf->zone->shm_zone) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone name \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    size = ngx_parse_size(&value[2]);

    if (size == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone size \"%V\"", &value[2]);
        return NGX_CONF_ERROR;
    }

    if (size < (ssize_t) (8 * ngx_pagesize)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is too small", &value[1]);
        return NGX_CONF_ERROR;
    }

    shm_zone = ngx_shared_memory_add(cf, &value[1], size,
                                     &ngx_http_payer_module);
    if (shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    if (shm_zone->data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is already in use", &value[1]);
        return NGX_CONF_ERROR;
    }

    shm_zone->init = ngx_http_payer_zone_init;
    shm_zone->data = pmcf->zone;

    pmcf->zone->shm_zone = shm_zone;

    return NGX_CONF_OK;
}


char *
ngx_http_payer_store(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payer_main_conf_t *pmcf = conf;

    ngx_str_t  *value;

    if (pmcf->store->ops) {
        return "is duplicate";
    }

    value = cf->args->elts;

    pmcf->store->params = &value[2];
    pmcf->store->nparams = cf->args->nelts - 2;
    pmcf->store->secret = ngx_http_payer_read_secret;

    return ngx_http_payer_store_configure(cf, pmcf->store, &value[1]);
}


char *
ngx_http_payer_api(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payer_loc_conf_t *plcf = conf;

    ngx_str_t  *value, *api;

    if (plcf->api.data) {
        return "is duplicate";
    }

    value = cf->args->elts;
    api = &value[1];

    if (api->len == 0 || api->data[0] != '/') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid URI prefix \"%V\", it must begin "
                           "with a slash", api);
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 3) {

        if (ngx_strncmp(value[2].data, "host=", 5) != 0
            || value[2].len == 5)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[2]);
            return NGX_CONF_ERROR;
        }

        plcf->api_host.data = value[2].data + 5;
        plcf->api_host.len = value[2].len - 5;

        if (!ngx_http_payer_usable_name(&plcf->api_host)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid host \"%V\", it must be the name of "
                               "Payer's host without scheme and path",
                               &plcf->api_host);
            return NGX_CONF_ERROR;
        }
    }

    plcf->api = *api;

    /* the location's name is the prefix with one slash at its end */

    if (api->data[api->len - 1] != '/') {

        plcf->api.data = ngx_pnalloc(cf->pool, api->len + 1);
        if (plcf->api.data == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memcpy(plcf->api.data, api->data, api->len);
        plcf->api.data[api->len] = '/';
        plcf->api.len = api->len + 1;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_payer_client_id(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payer_loc_conf_t *plcf = conf;

    u_char      ch;
    size_t      i;
    ngx_str_t  *value;

    if (plcf->client_id.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 0; i < value[1].len; i++) {
        ch = value[1].data[i];

        if (ch <= ' ' || ch >= 0x7f || ch == ':' || ch == '/') {
            break;
        }

        if (ch == '$') {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid client id \"%V\", it cannot have "
                               "variables", &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    if (i == 0 || i < value[1].len || value[1].len > 128) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid client id \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    plcf->client_id = value[1];

    return NGX_CONF_OK;
}


char *
ngx_http_payer_secret_file(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payer_loc_conf_t *plcf = conf;

    ngx_str_t  *value;

    if (plcf->secret.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_conf_full_name(cf->cycle, &value[1], 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_payer_read_secret(cf, &value[1], &plcf->secret) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    plcf->secret_file = value[1];

    return NGX_CONF_OK;
}


char *
ngx_http_payer_path(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payer_loc_conf_t *plcf = conf;

    char                              *id;
    u_char                            *p;
    ngx_str_t                         *value;
    ngx_uint_t                         i, braces;
    const ngx_http_payer_call_type_t  *type;

    value = cf->args->elts;

    for (i = 0; i < NGX_HTTP_PAYER_CALLS; i++) {
        type = ngx_http_payer_api_type(i);

        if (type->name.len == value[1].len
            && ngx_strncmp(type->name.data, value[1].data, value[1].len) == 0)
        {
            goto found;
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown operation \"%V\"", &value[1]);
    return NGX_CONF_ERROR;

found:

    if (plcf->paths[i].data) {
        return "is duplicate";
    }

    for (p = value[2].data; *p; p++) {
        if (*p <= ' ' || *p >= 0x7f || *p == '?' || *p == '#') {
            break;
        }
    }

    if (value[2].data[0] != '/' || *p
        || ngx_http_payer_path_climbs(&value[2]))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid path \"%V\"", &value[2]);
        return NGX_CONF_ERROR;
    }

    id = NULL;

    if (ngx_strstr(type->path.data, "{paymentId}")) {
        id = "{paymentId}";

    } else if (ngx_strstr(type->path.data, "{token}")) {
        id = "{token}";
    }

    if (id && ngx_strstr(value[2].data, id) == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "path \"%V\" of operation \"%V\" must contain "
                           "\"%s\"", &value[2], &value[1], id);
        return NGX_CONF_ERROR;
    }

    /* other braces and a second pair are not replaced */

    braces = 0;

    for (p = value[2].data; *p; p++) {
        if (*p == '{' || *p == '}') {
            braces++;
        }
    }

    if (braces != (id ? 2 : 0)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "path \"%V\" of operation \"%V\" has unknown "
                           "braces", &value[2], &value[1]);
        return NGX_CONF_ERROR;
    }

    plcf->paths[i] = value[2];

    return NGX_CONF_OK;
}


/* nginx and Payer may interpret "." and ".." in a path in different ways */

static ngx_uint_t
ngx_http_payer_path_climbs(ngx_str_t *path)
{
    size_t   len;
    u_char  *p, *last, *end;

    last = path->data + path->len;

    for (p = path->data; p < last; p = end) {
        p++;

        end = ngx_strlchr(p, last, '/');

        if (end == NULL) {
            end = last;
        }

        len = end - p;

        if ((len == 1 || len == 2) && p[0] == '.' && p[len - 1] == '.') {
            return 1;
        }
    }

    return 0;
}


char *
ngx_http_payer_allow(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payer_loc_conf_t *plcf = conf;

    ngx_int_t    rc;
    ngx_str_t   *value;
    ngx_uint_t   i;
    ngx_cidr_t  *cidr;

    if (plcf->allow == NULL) {
        plcf->allow = ngx_array_create(cf->pool, 4, sizeof(ngx_cidr_t));
        if (plcf->allow == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "internal") == 0) {
            plcf->allow_internal = 1;
            continue;
        }

        if (ngx_strcmp(value[i].data, "all") == 0) {
            plcf->allow_all = 1;
            continue;
        }

        cidr = ngx_array_push(plcf->allow);
        if (cidr == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memzero(cidr, sizeof(ngx_cidr_t));

#if (NGX_HAVE_UNIX_DOMAIN)
        if (ngx_strcmp(value[i].data, "unix:") == 0) {
            cidr->family = AF_UNIX;
            continue;
        }
#endif

        rc = ngx_ptocidr(&value[i], cidr);

        if (rc == NGX_ERROR) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        if (rc == NGX_DONE) {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "low address bits of %V are meaningless",
                               &value[i]);
        }

        if (ngx_http_payer_all_addresses(cidr)) {
            plcf->allow_any = 1;
        }
    }

    return NGX_CONF_OK;
}


ngx_uint_t
ngx_http_payer_all_addresses(ngx_cidr_t *cidr)
{
#if (NGX_HAVE_INET6)

    if (cidr->family == AF_INET6) {
        return cidr->u.in6.mask.s6_addr[0] == 0;
    }

#endif

    return cidr->family == AF_INET && cidr->u.in.mask == 0;
}


char *
ngx_http_payer_handler(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payer_loc_conf_t *plcf = conf;

    ngx_http_core_loc_conf_t  *clcf;

    if (plcf->handler) {
        if (plcf->handler == cmd->post) {
            return "is duplicate";
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" conflicts with \"%V\" of the same location",
                           &cmd->name, &plcf->handler->directive);
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    plcf->handler = cmd->post;
    clcf->handler = plcf->handler->content;

    plcf->file = cf->conf_file->file.name.data;
    plcf->line = cf->conf_file->line;

    return NGX_CONF_OK;
}
