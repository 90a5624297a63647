
/*
 * payer_store postgresql://USER@HOST[:PORT][,...]/DATABASE [parameter ...]
 */


#include "ngx_http_payer_postgres.h"
#include "ngx_http_payer_compat.h"


typedef struct {
    ngx_str_t     name;                         /* ends with "=" */
    ngx_int_t   (*set)(ngx_conf_t *cf, ngx_http_payer_postgres_t *pg,
                      ngx_str_t *value, size_t offset);
    size_t        offset;
} ngx_http_payer_postgres_param_t;


static ngx_int_t ngx_http_payer_postgres_params(ngx_conf_t *cf,
    ngx_http_payer_store_t *store, ngx_http_payer_postgres_t *pg);
static ngx_int_t ngx_http_payer_postgres_set_file(ngx_conf_t *cf,
    ngx_http_payer_postgres_t *pg, ngx_str_t *value, size_t offset);
static ngx_int_t ngx_http_payer_postgres_set_ssl(ngx_conf_t *cf,
    ngx_http_payer_postgres_t *pg, ngx_str_t *value, size_t offset);
static ngx_int_t ngx_http_payer_postgres_set_durability(ngx_conf_t *cf,
    ngx_http_payer_postgres_t *pg, ngx_str_t *value, size_t offset);
static ngx_int_t ngx_http_payer_postgres_set_msec(ngx_conf_t *cf,
    ngx_http_payer_postgres_t *pg, ngx_str_t *value, size_t offset);
static ngx_int_t ngx_http_payer_postgres_set_queue(ngx_conf_t *cf,
    ngx_http_payer_postgres_t *pg, ngx_str_t *value, size_t offset);
static ngx_int_t ngx_http_payer_postgres_files(ngx_conf_t *cf,
    ngx_http_payer_store_t *store, ngx_http_payer_postgres_t *pg);
static ngx_int_t ngx_http_payer_postgres_readable(ngx_conf_t *cf,
    ngx_str_t *name, ngx_uint_t secret);
static ngx_uint_t ngx_http_payer_postgres_word(ngx_str_t *value,
    const char **words);


static ngx_http_payer_postgres_param_t  ngx_http_payer_postgres_known[] = {

    { ngx_string("password_file="), ngx_http_payer_postgres_set_file,
      offsetof(ngx_http_payer_postgres_t, password_file) },
    { ngx_string("ca="), ngx_http_payer_postgres_set_file,
      offsetof(ngx_http_payer_postgres_t, ca) },
    { ngx_string("cert="), ngx_http_payer_postgres_set_file,
      offsetof(ngx_http_payer_postgres_t, cert) },
    { ngx_string("key="), ngx_http_payer_postgres_set_file,
      offsetof(ngx_http_payer_postgres_t, key) },
    { ngx_string("sslmode="), ngx_http_payer_postgres_set_ssl, 0 },
    { ngx_string("durability="), ngx_http_payer_postgres_set_durability, 0 },
    { ngx_string("timeout="), ngx_http_payer_postgres_set_msec,
      offsetof(ngx_http_payer_postgres_t, timeout) },
    { ngx_string("connect_timeout="), ngx_http_payer_postgres_set_msec,
      offsetof(ngx_http_payer_postgres_t, connect_timeout) },
    { ngx_string("queue="), ngx_http_payer_postgres_set_queue, 0 },
    { ngx_null_string, NULL, 0 }
};


static const char  *ngx_http_payer_postgres_ssl[] = {
    "disable", "require", "verify-ca", "verify-full", NULL
};

static const char  *ngx_http_payer_postgres_durabilities[] = {
    "replicated", "engine", "local", NULL
};


char *
ngx_http_payer_postgres_configure(ngx_conf_t *cf,
    ngx_http_payer_store_t *store, ngx_str_t *value)
{
    ngx_uint_t                  i;
    ngx_http_payer_postgres_t  *pg;

    pg = ngx_pcalloc(cf->pool, sizeof(ngx_http_payer_postgres_t));
    if (pg == NULL) {
        return NGX_CONF_ERROR;
    }

    pg->store = store;
    pg->timeout = 5000;
    pg->connect_timeout = 2000;
    pg->queue = 1024;

    if (ngx_http_payer_postgres_uri(cf, pg, value) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    /* nobody can listen between a process and its own machine */

    pg->ssl = NGX_HTTP_PAYER_POSTGRES_DISABLE;

    for (i = 0; i < pg->nhosts; i++) {
        if (!pg->hosts[i].local && !pg->hosts[i].loopback) {
            pg->ssl = NGX_HTTP_PAYER_POSTGRES_VERIFY_FULL;
        }
    }

    if (ngx_http_payer_postgres_params(cf, store, pg) != NGX_OK
        || ngx_http_payer_postgres_files(cf, store, pg) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (pg->durability == NGX_HTTP_PAYER_POSTGRES_LOCAL) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "payer_store with \"durability=local\": payments "
                           "are lost with the database server");
    }

    store->data = pg;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_payer_postgres_params(ngx_conf_t *cf, ngx_http_payer_store_t *store,
    ngx_http_payer_postgres_t *pg)
{
    ngx_str_t                        *param, value;
    ngx_uint_t                        i, seen;
    ngx_http_payer_postgres_param_t  *known;

    seen = 0;

    for (i = 0; i < store->nparams; i++) {
        param = &store->params[i];

        for (known = ngx_http_payer_postgres_known; known->name.len; known++) {
            if (param->len > known->name.len
                && ngx_strncmp(param->data, known->name.data, known->name.len)
                   == 0)
            {
                break;
            }
        }

        if (known->name.len == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" of payer_store",
                               param);
            return NGX_ERROR;
        }

        if (seen & 1 << (known - ngx_http_payer_postgres_known)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate parameter \"%V\" of payer_store",
                               param);
            return NGX_ERROR;
        }

        seen |= 1 << (known - ngx_http_payer_postgres_known);

        value.data = param->data + known->name.len;
        value.len = param->len - known->name.len;

        if (known->set(cf, pg, &value, known->offset) != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" of payer_store",
                               param);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_postgres_set_file(ngx_conf_t *cf,
    ngx_http_payer_postgres_t *pg, ngx_str_t *value, size_t offset)
{
    ngx_str_t  *file, name;

    file = (ngx_str_t *) ((u_char *) pg + offset);

    if (ngx_http_payer_postgres_keep(cf->pool, &name, value) != NGX_OK) {
        return NGX_ERROR;
    }

    name.data[name.len] = '\0';

    if (ngx_conf_full_name(cf->cycle, &name, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    *file = name;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_payer_postgres_word(ngx_str_t *value, const char **words)
{
    ngx_uint_t  i;

    for (i = 0; words[i] != NULL; i++) {
        if (value->len == ngx_strlen(words[i])
            && ngx_strncmp(value->data, words[i], value->len) == 0)
        {
            break;
        }
    }

    return i;
}


static ngx_int_t
ngx_http_payer_postgres_set_ssl(ngx_conf_t *cf,
    ngx_http_payer_postgres_t *pg, ngx_str_t *value, size_t offset)
{
    ngx_uint_t  i;

    i = ngx_http_payer_postgres_word(value, ngx_http_payer_postgres_ssl);

    pg->ssl = i;

    return (ngx_http_payer_postgres_ssl[i] != NULL) ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_payer_postgres_set_durability(ngx_conf_t *cf,
    ngx_http_payer_postgres_t *pg, ngx_str_t *value, size_t offset)
{
    ngx_uint_t  i;

    i = ngx_http_payer_postgres_word(value,
                                     ngx_http_payer_postgres_durabilities);

    pg->durability = i;

    return (ngx_http_payer_postgres_durabilities[i] != NULL) ? NGX_OK
                                                             : NGX_ERROR;
}


static ngx_int_t
ngx_http_payer_postgres_set_msec(ngx_conf_t *cf,
    ngx_http_payer_postgres_t *pg, ngx_str_t *value, size_t offset)
{
    ngx_int_t   msec;

    msec = ngx_parse_time(value, 0);

    if (msec == NGX_ERROR || msec < 100 || msec > 60000) {
        return NGX_ERROR;
    }

    *(ngx_msec_t *) ((u_char *) pg + offset) = (ngx_msec_t) msec;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_postgres_set_queue(ngx_conf_t *cf,
    ngx_http_payer_postgres_t *pg, ngx_str_t *value, size_t offset)
{
    ngx_int_t  n;

    n = ngx_atoi(value->data, value->len);

    if (n < 1 || n > 1000000) {
        return NGX_ERROR;
    }

    pg->queue = (ngx_uint_t) n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_postgres_files(ngx_conf_t *cf, ngx_http_payer_store_t *store,
    ngx_http_payer_postgres_t *pg)
{
    if ((pg->cert.len == 0) != (pg->key.len == 0)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "payer_store needs both \"cert=\" and \"key=\"");
        return NGX_ERROR;
    }

    if (pg->ssl >= NGX_HTTP_PAYER_POSTGRES_VERIFY_CA && pg->ca.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "payer_store needs \"ca=\", the file with the "
                           "certificate of whoever signed the server's");
        return NGX_ERROR;
    }

    if (pg->password_file.len
        && store->secret(cf, &pg->password_file, &pg->password) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_payer_postgres_readable(cf, &pg->ca, 0) != NGX_OK
        || ngx_http_payer_postgres_readable(cf, &pg->cert, 0) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_payer_postgres_readable(cf, &pg->key, 1);
}


static ngx_int_t
ngx_http_payer_postgres_readable(ngx_conf_t *cf, ngx_str_t *name,
    ngx_uint_t secret)
{
    ngx_file_info_t  fi;

    if (name->len == 0) {
        return NGX_OK;
    }

    if (ngx_file_info(name->data, &fi) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_file_info_n " \"%V\" failed", name);
        return NGX_ERROR;
    }

    if (!ngx_is_file(&fi) || ngx_file_size(&fi) == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "file \"%V\" of payer_store is empty", name);
        return NGX_ERROR;
    }

    if (secret && (ngx_file_access(&fi) & (S_IROTH|S_IWOTH))) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "key file \"%V\" is accessible to others, its mode "
                           "should be 0600", name);
    }

    return NGX_OK;
}


/* when the whole configuration is read; nothing is connected to */

ngx_int_t
ngx_http_payer_postgres_check(ngx_conf_t *cf, ngx_http_payer_store_t *store)
{
    u_char                          *p;
    ngx_uint_t                       i;
    ngx_http_core_loc_conf_t        *clcf;
    ngx_http_payer_postgres_t       *pg;
    ngx_http_payer_postgres_host_t  *host;

    pg = store->data;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    pg->resolver = clcf->resolver;

    for (i = 0; i < pg->nhosts; i++) {
        host = &pg->hosts[i];

        if (!host->local && host->address.len == 0
            && !ngx_http_payer_resolves(pg->resolver))
        {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "payer_store has host \"%V\" and there is no "
                          "\"resolver\" in \"http\"", &host->name);
            return NGX_ERROR;
        }

        if (pg->ssl != NGX_HTTP_PAYER_POSTGRES_VERIFY_FULL
            && !host->local && !host->loopback && !store->insecure)
        {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "payer_store calls host \"%V\" with \"sslmode=%s\": "
                          "use \"verify-full\", or \"payer_insecure_upstream "
                          "on\" in a test", &host->name,
                          ngx_http_payer_postgres_ssl[pg->ssl]);
            return NGX_ERROR;
        }
    }

    if (store->mode.len == 0) {
        ngx_str_set(&pg->made_for, "");
        return NGX_OK;
    }

    p = ngx_pnalloc(cf->pool, store->mode.len + 1 + store->host.len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    pg->made_for.data = p;

    p = ngx_sprintf(p, "%V %V", &store->mode, &store->host);
    *p = '\0';

    pg->made_for.len = p - pg->made_for.data;

    return NGX_OK;
}
