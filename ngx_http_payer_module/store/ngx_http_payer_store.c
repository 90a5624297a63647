
/*
 * The choice of a store by its name, and what the backends share.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_store.h"


typedef struct {
    ngx_str_t                      name;
    ngx_http_payer_store_ops_t    *ops;         /* NULL: not built in */
    char                          *library;
    char                          *form;        /* of the whole value */
} ngx_http_payer_store_kind_t;


static ngx_http_payer_store_kind_t  ngx_http_payer_store_kinds[] = {

    { ngx_string("memory"), &ngx_http_payer_store_memory_ops,
      "", "memory" },

    { ngx_string("lmdb"),
#if (NGX_HTTP_PAYER_LMDB)
      &ngx_http_payer_store_lmdb_ops,
#else
      NULL,
#endif
      "LMDB (liblmdb-dev)", "lmdb:DIR" },

    { ngx_null_string, NULL, NULL, NULL }
};


char *
ngx_http_payer_store_configure(ngx_conf_t *cf, ngx_http_payer_store_t *store,
    ngx_str_t *value)
{
    u_char                       *p, *last;
    ngx_str_t                     name, rest;
    ngx_http_payer_store_kind_t  *kind;

    last = value->data + value->len;
    p = ngx_strlchr(value->data, last, ':');

    name.data = value->data;
    name.len = (p != NULL) ? (size_t) (p - value->data) : value->len;

    rest.data = (p != NULL) ? p + 1 : last;
    rest.len = last - rest.data;

    for (kind = ngx_http_payer_store_kinds; kind->name.len; kind++) {
        if (kind->name.len == name.len
            && ngx_strncmp(kind->name.data, name.data, name.len) == 0)
        {
            break;
        }
    }

    if (kind->name.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid store \"%V\", "
                           "it must be \"memory\" or \"lmdb:DIR\"", value);
        return NGX_CONF_ERROR;
    }

    if ((p == NULL) != (kind->ops == &ngx_http_payer_store_memory_ops)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid store \"%V\", "
                           "it must have the form \"%s\"", value, kind->form);
        return NGX_CONF_ERROR;
    }

    if (kind->ops == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "this ngx_http_payer_module was built without %s, "
                           "which store \"%V\" needs", kind->library, value);
        return NGX_CONF_ERROR;
    }

    store->ops = kind->ops;

    return store->ops->configure(cf, store, &rest);
}


ngx_int_t
ngx_http_payer_store_claim(ngx_http_payer_store_t *store, ngx_str_t *key,
    ngx_msec_t lease, ngx_http_payer_claim_t *claim)
{
    return ngx_http_payer_zone_claim(store->zone, key, lease, claim);
}


void
ngx_http_payer_store_extend(ngx_http_payer_store_t *store,
    ngx_http_payer_claim_t *claim, ngx_msec_t lease)
{
    ngx_http_payer_zone_extend(store->zone, claim, lease);
}


void
ngx_http_payer_store_unclaim(ngx_http_payer_store_t *store,
    ngx_http_payer_claim_t *claim)
{
    ngx_http_payer_zone_unclaim(store->zone, claim);
}


ngx_int_t
ngx_http_payer_store_check(ngx_http_payer_store_entry_t *entries,
    ngx_uint_t n)
{
    ngx_uint_t  i;

    if (n == 0 || n > NGX_HTTP_PAYER_STORE_MAX_ENTRIES) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                      "payer store was asked to write %ui entries at once", n);
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {

        if (entries[i].key.len == 0
            || entries[i].key.len > NGX_HTTP_PAYER_STORE_MAX_KEY
            || entries[i].value.len > NGX_HTTP_PAYER_STORE_MAX_VALUE)
        {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "payer store does not take a key of %uz bytes "
                          "with a value of %uz bytes",
                          entries[i].key.len, entries[i].value.len);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_store_copy(ngx_http_payer_io_t *io, ngx_str_t *dst,
    u_char *data, size_t len)
{
    if (io->pool == NULL) {
        ngx_str_null(dst);
        return NGX_OK;
    }

    dst->data = ngx_pnalloc(io->pool, len);
    if (dst->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(dst->data, data, len);
    dst->len = len;

    return NGX_OK;
}
