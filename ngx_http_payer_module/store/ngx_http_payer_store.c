
/*
 * Selects a store by its name; functions shared by the backends.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_store.h"


#define NGX_HTTP_PAYER_STORE_HEX     "0123456789abcdef"
#define NGX_HTTP_PAYER_STORE_CURSOR  32


typedef struct {
    ngx_str_t                      name;
    ngx_http_payer_store_ops_t    *ops;         /* NULL: not built in */
    char                          *module;      /* that has it instead */
    char                          *library;
    char                          *form;        /* of the whole value */
} ngx_http_payer_store_kind_t;


static u_char *ngx_http_payer_store_write_hex(u_char *p, uint64_t n);
static ngx_int_t ngx_http_payer_store_read_hex(u_char *p, uint64_t *n);


static ngx_http_payer_store_kind_t  ngx_http_payer_store_kinds[] = {

    { ngx_string("memory"), &ngx_http_payer_store_memory_ops,
      NULL, "", "memory" },

    { ngx_string("lmdb"),
#if (NGX_HTTP_PAYER_LMDB)
      &ngx_http_payer_store_lmdb_ops,
#else
      NULL,
#endif
      NULL, "LMDB (liblmdb-dev)", "lmdb:DIR" },

    { ngx_string("postgresql"), NULL,
      "ngx_http_payer_postgres_module", "",
      "postgresql://USER@HOST/DATABASE" },

    { ngx_null_string, NULL, NULL, NULL, NULL }
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
                           "it must be \"memory\", \"lmdb:DIR\" or "
                           "\"postgresql://USER@HOST/DATABASE\"", value);
        return NGX_CONF_ERROR;
    }

    if ((p == NULL) != (kind->ops == &ngx_http_payer_store_memory_ops)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid store \"%V\", "
                           "it must have the form \"%s\"", value, kind->form);
        return NGX_CONF_ERROR;
    }

    if (kind->module != NULL) {
        return ngx_http_payer_store_foreign(cf, store, &rest, kind->module);
    }

    if (store->nparams) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\", store \"%V\" has none",
                           &store->params[0], &name);
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

    if (n > NGX_HTTP_PAYER_STORE_MAX_ENTRIES) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                      "payer store was asked to write %ui entries at once", n);
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {

        if (entries[i].key.len == 0
            || entries[i].key.len > NGX_HTTP_PAYER_STORE_MAX_KEY
            || entries[i].value.len > NGX_HTTP_PAYER_STORE_MAX_VALUE
            || entries[i].alias.len > NGX_HTTP_PAYER_STORE_MAX_KEY)
        {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "payer store cannot store a key of %uz bytes with a "
                          "value of %uz bytes",
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


ngx_int_t
ngx_http_payer_store_items(ngx_http_payer_io_t *io, ngx_uint_t *limit)
{
    *limit = ngx_min(*limit, NGX_HTTP_PAYER_STORE_MAX_ITEMS);

    io->nitems = 0;
    io->bytes = 0;
    ngx_str_null(&io->next);

    io->items = ngx_palloc(io->pool, *limit * sizeof(ngx_http_payer_item_t));

    return (io->items == NULL) ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_http_payer_store_add(ngx_http_payer_io_t *io,
    ngx_http_payer_item_t *item)
{
    u_char                 *p;
    ngx_http_payer_item_t  *copy;

    if (io->bytes + item->value.len > NGX_HTTP_PAYER_STORE_MAX_PAGE) {
        return NGX_DONE;
    }

    p = ngx_pnalloc(io->pool, item->key.len + item->value.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    io->bytes += item->value.len;

    copy = &io->items[io->nitems++];
    *copy = *item;

    copy->key.data = p;
    copy->value.data = ngx_cpymem(p, item->key.data, item->key.len);
    ngx_memcpy(copy->value.data, item->value.data, item->value.len);

    return NGX_OK;
}


size_t
ngx_http_payer_store_scope(ngx_str_t *key)
{
    size_t      i;
    ngx_uint_t  slashes;

    slashes = 0;

    for (i = 0; i < key->len && i < NGX_HTTP_PAYER_STORE_MAX_SCOPE; i++) {
        if (key->data[i] == '/' && ++slashes == 2) {
            return i + 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_http_payer_store_shown(ngx_http_payer_list_t *list,
    ngx_http_payer_label_t *label)
{
    if (list->states != 0
        && (list->states & (uint64_t) 1 << (label->state & 63)) == 0)
    {
        return 0;
    }

    return list->attention == 0 || (list->attention & label->attention) != 0;
}


ngx_int_t
ngx_http_payer_store_begin_list(ngx_http_payer_list_t *list,
    ngx_http_payer_io_t *io, time_t *updated, uint64_t *serial)
{
    uint64_t    n;
    ngx_str_t  *after;

    after = &list->after;

    *updated = NGX_MAX_TIME_T_VALUE;
    *serial = 0;

    if (after->len != 0) {

        if (after->len != NGX_HTTP_PAYER_STORE_CURSOR
            || ngx_http_payer_store_read_hex(after->data, &n) != NGX_OK
            || ngx_http_payer_store_read_hex(after->data + 16, serial)
               != NGX_OK)
        {
            return NGX_DECLINED;
        }

        *updated = (time_t) n;
    }

    if (list->to != 0 && *updated >= list->to) {
        *updated = list->to;
        *serial = 0;
    }

    return ngx_http_payer_store_items(io, &list->limit);
}


ngx_int_t
ngx_http_payer_store_end_list(ngx_http_payer_io_t *io, time_t updated,
    uint64_t serial)
{
    u_char  *p;

    p = ngx_pnalloc(io->pool, NGX_HTTP_PAYER_STORE_CURSOR);
    if (p == NULL) {
        return NGX_ERROR;
    }

    io->next.data = p;
    io->next.len = NGX_HTTP_PAYER_STORE_CURSOR;

    p = ngx_http_payer_store_write_hex(p, (uint64_t) updated);
    (void) ngx_http_payer_store_write_hex(p, serial);

    return NGX_OK;
}


static u_char *
ngx_http_payer_store_write_hex(u_char *p, uint64_t n)
{
    ngx_uint_t  i;

    for (i = 16; i-- > 0; /* void */ ) {
        p[i] = NGX_HTTP_PAYER_STORE_HEX[n & 15];
        n >>= 4;
    }

    return p + 16;
}


static ngx_int_t
ngx_http_payer_store_read_hex(u_char *p, uint64_t *n)
{
    u_char      *digit;
    ngx_uint_t   i;

    *n = 0;

    for (i = 0; i < 16; i++) {
        digit = ngx_strlchr((u_char *) NGX_HTTP_PAYER_STORE_HEX,
                            (u_char *) NGX_HTTP_PAYER_STORE_HEX + 16, p[i]);
        if (digit == NULL) {
            return NGX_DECLINED;
        }

        *n = *n << 4 | (digit - (u_char *) NGX_HTTP_PAYER_STORE_HEX);
    }

    return NGX_OK;
}
