
/*
 * The store in the zone: for tests, since it is lost after a restart.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_store_memory.h"


static char *ngx_http_payer_memory_configure(ngx_conf_t *cf,
    ngx_http_payer_store_t *store, ngx_str_t *value);
static ngx_int_t ngx_http_payer_memory_check(ngx_conf_t *cf,
    ngx_http_payer_store_t *store);
static ngx_int_t ngx_http_payer_memory_init_module(ngx_cycle_t *cycle,
    ngx_http_payer_store_t *store);
static ngx_int_t ngx_http_payer_memory_get(ngx_http_payer_store_t *store,
    ngx_str_t *key, ngx_http_payer_io_t *io);
static ngx_int_t ngx_http_payer_memory_put(ngx_http_payer_store_t *store,
    ngx_http_payer_store_entry_t *entries, ngx_uint_t n,
    ngx_http_payer_claim_act_e act, ngx_http_payer_claim_t *claim,
    ngx_http_payer_io_t *io);
static void ngx_http_payer_memory_forget(ngx_http_payer_io_t *io);


ngx_http_payer_store_ops_t  ngx_http_payer_store_memory_ops = {
    ngx_string("memory"),
    ngx_http_payer_memory_configure,
    ngx_http_payer_memory_check,
    ngx_http_payer_memory_init_module,
    NULL,
    NULL,
    ngx_http_payer_memory_get,
    ngx_http_payer_memory_put,
    ngx_http_payer_memory_scan,
    ngx_http_payer_memory_list,
    ngx_http_payer_memory_due,
    ngx_http_payer_store_claim,
    ngx_http_payer_store_extend,
    ngx_http_payer_store_unclaim,
    ngx_http_payer_memory_forget,
    NULL
};


static char *
ngx_http_payer_memory_configure(ngx_conf_t *cf,
    ngx_http_payer_store_t *store, ngx_str_t *value)
{
    ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                       "payer_store memory: a restart forgets all payments");

    return NGX_CONF_OK;
}


/* the zone and the stored entries are kept after a reload */

static ngx_int_t
ngx_http_payer_memory_check(ngx_conf_t *cf, ngx_http_payer_store_t *store)
{
    store->zone->mode = store->mode;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_memory_init_module(ngx_cycle_t *cycle,
    ngx_http_payer_store_t *store)
{
    ngx_http_payer_zone_t    *zone;
    ngx_http_payer_memory_t  *memory;

    zone = store->zone;

    if (zone->sh->memory != NULL) {
        return NGX_OK;
    }

    ngx_shmtx_lock(&zone->shpool->mutex);
    memory = ngx_http_payer_memory_init(zone);
    ngx_shmtx_unlock(&zone->shpool->mutex);

    if (memory == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "payer_zone \"%V\" is too small",
                      &zone->shm_zone->shm.name);
        return NGX_ERROR;
    }

    zone->sh->memory = memory;

    return NGX_OK;
}


/*
 * Nothing may be allocated from a pool under the mutex, and the length is
 * known only under it, so the value is copied through the stack.
 */

static ngx_int_t
ngx_http_payer_memory_get(ngx_http_payer_store_t *store, ngx_str_t *key,
    ngx_http_payer_io_t *io)
{
    u_char                          buf[NGX_HTTP_PAYER_MEMORY_BUF];
    ngx_uint_t                      alias;
    ngx_slab_pool_t                *shpool;
    ngx_rbtree_key_t                hash;
    ngx_http_payer_item_t           item;
    ngx_http_payer_memory_t        *memory;
    ngx_http_payer_memory_entry_t  *entry;

    alias = 0;
    shpool = store->zone->shpool;
    memory = store->zone->sh->memory;
    hash = ngx_http_payer_zone_hash(key);

    ngx_shmtx_lock(&shpool->mutex);

    entry = ngx_http_payer_memory_lookup(memory, hash, key);

    if (entry != NULL) {
        alias = entry->alias;
        entry = ngx_http_payer_memory_follow(memory, entry);
    }

    if (entry != NULL) {
        ngx_http_payer_memory_item(entry, &item, buf);
    }

    ngx_shmtx_unlock(&shpool->mutex);

    ngx_str_null(&io->key);
    io->rev = 0;

    if (entry == NULL) {
        return NGX_DECLINED;
    }

    io->rev = item.rev;

    if (alias && ngx_http_payer_store_copy(io, &io->key, item.key.data,
                                           item.key.len)
                 != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_payer_store_copy(io, &io->value, item.value.data,
                                     item.value.len);
}


/*
 * the merged value is copied in the same way, if it differs from the caller's
 */

static ngx_int_t
ngx_http_payer_memory_put(ngx_http_payer_store_t *store,
    ngx_http_payer_store_entry_t *entries, ngx_uint_t n,
    ngx_http_payer_claim_act_e act, ngx_http_payer_claim_t *claim,
    ngx_http_payer_io_t *io)
{
    size_t                           len;
    u_char                           buf[NGX_HTTP_PAYER_STORE_MAX_VALUE];
    ngx_int_t                        rc;
    uint64_t                         rev;
    ngx_http_payer_zone_t           *zone;
    ngx_http_payer_memory_put_t      put;
    ngx_http_payer_memory_entry_t   *kept;

    if (ngx_http_payer_store_check(entries, n) != NGX_OK) {
        return NGX_ERROR;
    }

    if (n == 0) {

        if (act == NGX_HTTP_PAYER_CLAIM_RELEASE) {
            ngx_http_payer_zone_unclaim(store->zone, claim);
        }

        return NGX_OK;
    }

    put.entries = entries;
    put.n = n;

    ngx_http_payer_memory_begin(&put);

    len = 0;
    rev = 0;
    kept = NULL;
    zone = store->zone;

    ngx_shmtx_lock(&zone->shpool->mutex);

    rc = ngx_http_payer_memory_prepare(zone, &put);

    if (rc == NGX_OK) {
        kept = ngx_http_payer_memory_apply(zone, &put, &rev);
    }

    if (kept) {
        len = kept->value_len;
        ngx_memcpy(buf, ngx_http_payer_memory_value(kept), len);
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "payer_zone \"%V\" is full: \"%V\" was not stored",
                      &zone->shm_zone->shm.name, &entries[0].key);
        return NGX_ERROR;
    }

    /* the claim in the zone is sufficient */

    if (act == NGX_HTTP_PAYER_CLAIM_RELEASE) {
        ngx_http_payer_zone_unclaim(zone, claim);
    }

    if (io == NULL) {
        return NGX_OK;
    }

    io->rev = rev;
    io->kept = (kept != NULL);

    if (entries[0].merge == NULL) {
        return NGX_OK;
    }

    if (kept == NULL) {
        io->value = entries[0].value;
        return NGX_OK;
    }

    return ngx_http_payer_store_copy(io, &io->value, buf, len);
}


/* nothing is ever pending here */

static void
ngx_http_payer_memory_forget(ngx_http_payer_io_t *io)
{
    io->pending = NULL;
}
