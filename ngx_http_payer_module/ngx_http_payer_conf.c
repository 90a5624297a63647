
/*
 * Configuration: create, merge, and the setters of directives.
 */


#include "ngx_http_payer_conf.h"
#include "ngx_http_payer_api.h"
#include "ngx_http_payer_gate.h"
#include "ngx_http_payer_secret.h"


static char *ngx_http_payer_merge_door(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *prev, ngx_http_payer_loc_conf_t *conf);
static void ngx_http_payer_merge_order(ngx_http_payer_loc_conf_t *prev,
    ngx_http_payer_loc_conf_t *conf);
static char *ngx_http_payer_merchant(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);


void *
ngx_http_payer_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_payer_main_conf_t  *pmcf;

    pmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_payer_main_conf_t));
    if (pmcf == NULL) {
        return NULL;
    }

    pmcf->zone = ngx_pcalloc(cf->pool, sizeof(ngx_http_payer_zone_t));
    if (pmcf->zone == NULL) {
        return NULL;
    }

    pmcf->store = ngx_pcalloc(cf->pool, sizeof(ngx_http_payer_store_t));
    if (pmcf->store == NULL) {
        return NULL;
    }

    pmcf->store->zone = pmcf->zone;

    if (ngx_array_init(&pmcf->doors, cf->pool, 8,
                       sizeof(ngx_http_payer_loc_conf_t *))
        != NGX_OK)
    {
        return NULL;
    }

    return pmcf;
}


void *
ngx_http_payer_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_payer_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_payer_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->api, api_host, client_id, secret, paths = { 0, NULL };
     *     conf->reference = { NULL, 0 };
     *     conf->amount, currency, ..., back = NULL;
     *     conf->amount_major = 0;
     *     conf->signature, signature_keys, signature_expires = NULL;
     *     conf->present_uri, allow = NULL;
     *     conf->event_pass, event_args = { 0, NULL };
     *     conf->door, merchant, road, ... = NULL;
     */

    conf->timeout = NGX_CONF_UNSET_MSEC;
    conf->tries = NGX_CONF_UNSET_UINT;
    conf->insecure = NGX_CONF_UNSET;
    conf->auto_capture = NGX_CONF_UNSET;
    conf->link_ttl = NGX_CONF_UNSET;
    conf->present = NGX_CONF_UNSET_UINT;

    ngx_http_payer_gate_create_conf(&conf->verify);

    return conf;
}


char *
ngx_http_payer_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_payer_loc_conf_t *prev = parent;
    ngx_http_payer_loc_conf_t *conf = child;

    ngx_uint_t                 i;

    if (conf->api.data == NULL) {
        conf->api = prev->api;
        conf->api_host = prev->api_host;
    }

    ngx_conf_merge_str_value(conf->client_id, prev->client_id, "");
    ngx_conf_merge_str_value(conf->secret, prev->secret, "");

    for (i = 0; i < NGX_HTTP_PAYER_CALLS; i++) {
        if (conf->paths[i].data == NULL) {
            conf->paths[i] = prev->paths[i].data
                             ? prev->paths[i]
                             : ngx_http_payer_api_type(i)->path;
        }
    }

    ngx_conf_merge_msec_value(conf->timeout, prev->timeout, 30000);
    ngx_conf_merge_uint_value(conf->tries, prev->tries, 3);
    ngx_conf_merge_value(conf->insecure, prev->insecure, 0);
    ngx_conf_merge_value(conf->auto_capture, prev->auto_capture, 0);
    ngx_conf_merge_sec_value(conf->link_ttl, prev->link_ttl, 30 * 86400);

    ngx_http_payer_merge_order(prev, conf);

    if (conf->present == NGX_CONF_UNSET_UINT) {
        conf->present_uri = prev->present_uri;
    }

    ngx_conf_merge_uint_value(conf->present, prev->present,
                              NGX_HTTP_PAYER_PRESENT_REDIRECT);

    if (conf->event_pass.data == NULL) {
        conf->event_pass = prev->event_pass;
        conf->event_args = prev->event_args;
    }

    if (conf->allow == NULL) {
        conf->allow = prev->allow;
        conf->allow_internal = prev->allow_internal;
        conf->allow_all = prev->allow_all;
    }

    ngx_http_payer_gate_merge_conf(&prev->verify, &conf->verify);

    return ngx_http_payer_merge_door(cf, prev, conf);
}


static void
ngx_http_payer_merge_order(ngx_http_payer_loc_conf_t *prev,
    ngx_http_payer_loc_conf_t *conf)
{
    if (conf->reference.value == NULL) {
        conf->reference = prev->reference;
    }

    if (conf->amount == NULL) {
        conf->amount = prev->amount;
        conf->amount_major = prev->amount_major;
    }

#define ngx_http_payer_merge_text(name)                                      \
    if (conf->name == NULL) {                                                \
        conf->name = prev->name;                                             \
    }

    ngx_http_payer_merge_text(max_amount);
    ngx_http_payer_merge_text(currency);
    ngx_http_payer_merge_text(language);
    ngx_http_payer_merge_text(order_id);
    ngx_http_payer_merge_text(success);
    ngx_http_payer_merge_text(fail);
    ngx_http_payer_merge_text(back);

    ngx_http_payer_merge_text(signature);
    ngx_http_payer_merge_text(signature_keys);
    ngx_http_payer_merge_text(signature_expires);

#undef ngx_http_payer_merge_text
}


static char *
ngx_http_payer_merge_door(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *prev,
    ngx_http_payer_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_payer_loc_conf_t   **door;
    ngx_http_payer_main_conf_t   *pmcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (conf->door == NULL && (clcf->noname || clcf->lmt_excpt)) {

        /* "if" and "limit_except" are parts of the location around them */

        conf->door = prev->door;
        conf->file = prev->file;
        conf->line = prev->line;

        if (clcf->lmt_excpt && clcf->handler == NULL && conf->door) {
            clcf->handler = conf->door->handler;
        }
    }

    if (conf->door == NULL && conf->verify.reference.value) {
        conf->door = &ngx_http_payer_gate_door;
        conf->file = conf->verify.file;
        conf->line = conf->verify.line;
    }

    if (conf->door == NULL) {
        return NGX_CONF_OK;
    }

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_payer_module);

    conf->main = pmcf;
    conf->clcf = clcf;
    conf->cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);

    if (ngx_http_payer_check_door(cf, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_payer_calls(conf)
        && ngx_http_payer_merchant(cf, conf) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    door = ngx_array_push(&pmcf->doors);
    if (door == NULL) {
        return NGX_CONF_ERROR;
    }

    *door = conf;

    return NGX_CONF_OK;
}


/* "Basic base64(id:secret)", kept as the secret that it is */

static char *
ngx_http_payer_merchant(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf)
{
    u_char                     *p;
    u_char                      buf[2 * NGX_HTTP_PAYER_MAX_SECRET];
    ngx_str_t                   plain, encoded;
    ngx_http_payer_merchant_t  *merchant;

    merchant = ngx_pcalloc(cf->pool, sizeof(ngx_http_payer_merchant_t));
    if (merchant == NULL) {
        return NGX_CONF_ERROR;
    }

    plain.data = buf;
    plain.len = ngx_sprintf(buf, "%V:%V", &conf->client_id, &conf->secret)
                - buf;

    encoded.len = sizeof("Basic ") - 1 + ngx_base64_encoded_length(plain.len);
    encoded.data = ngx_pnalloc(cf->pool, encoded.len);

    if (encoded.data == NULL) {
        ngx_explicit_memzero(buf, plain.len);
        return NGX_CONF_ERROR;
    }

    merchant->id = conf->client_id;
    merchant->basic = encoded;

    p = ngx_cpymem(encoded.data, "Basic ", sizeof("Basic ") - 1);

    encoded.data = p;
    ngx_encode_base64(&encoded, &plain);

    merchant->basic.len = sizeof("Basic ") - 1 + encoded.len;

    ngx_explicit_memzero(buf, plain.len);

    if (ngx_http_payer_keep_secret(cf, &merchant->basic) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    conf->merchant = merchant;

    return NGX_CONF_OK;
}


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

    return NGX_CONF_OK;
}


char *
ngx_http_payer_path(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payer_loc_conf_t *plcf = conf;

    char                              *id;
    u_char                            *p;
    ngx_str_t                         *value;
    ngx_uint_t                         i;
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

    if (value[2].data[0] != '/' || *p) {
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

    plcf->paths[i] = value[2];

    return NGX_CONF_OK;
}


char *
ngx_http_payer_reference(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    char                   *rv;
    ngx_str_t              *value;
    ngx_http_payer_text_t  *text;

    text = (ngx_http_payer_text_t *) (p + cmd->offset);
    value = cf->args->elts;

    rv = ngx_http_set_complex_value_slot(cf, cmd, conf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    /* an argument is as the buyer's browser has escaped it */

    if (ngx_strstr(value[1].data, "$arg_")
        || ngx_strstr(value[1].data, "${arg_"))
    {
        text->unescape = 1;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_payer_amount(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payer_loc_conf_t *plcf = conf;

    char       *rv;
    ngx_str_t  *value;

    rv = ngx_http_set_complex_value_slot(cf, cmd, conf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[2].data, "major") == 0) {
        plcf->amount_major = 1;

    } else if (ngx_strcmp(value[2].data, "minor") != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid unit \"%V\", it must be \"minor\" or "
                           "\"major\"", &value[2]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_payer_present(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payer_loc_conf_t *plcf = conf;

    ngx_str_t                         *value;
    ngx_http_compile_complex_value_t   ccv;

    if (plcf->present != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "redirect") == 0) {
        plcf->present = NGX_HTTP_PAYER_PRESENT_REDIRECT;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "iframe") == 0) {
        plcf->present = NGX_HTTP_PAYER_PRESENT_IFRAME;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "json") == 0) {
        plcf->present = NGX_HTTP_PAYER_PRESENT_JSON;
        return NGX_CONF_OK;
    }

    if (value[1].data[0] != '/') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid presentation \"%V\", it must be "
                           "\"redirect\", \"iframe\", \"json\" or a URI",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    plcf->present = NGX_HTTP_PAYER_PRESENT_URI;

    plcf->present_uri = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (plcf->present_uri == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value[1];
    ccv.complex_value = plcf->present_uri;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
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
    }

    return NGX_CONF_OK;
}


char *
ngx_http_payer_door(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payer_loc_conf_t *plcf = conf;

    ngx_http_core_loc_conf_t  *clcf;

    if (plcf->door) {
        if (plcf->door == cmd->post) {
            return "is duplicate";
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" conflicts with \"%V\" of the same location",
                           &cmd->name, &plcf->door->directive);
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    plcf->door = cmd->post;
    clcf->handler = plcf->door->handler;

    plcf->file = cf->conf_file->file.name.data;
    plcf->line = cf->conf_file->line;

    return NGX_CONF_OK;
}
