
/*
 * The store that lives in the zone: for trying things out, since a restart
 * forgets it.  Claims and tokens share the zone and are worth more than
 * another payment, so the last pages are left to them.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_store_memory.h"


/* the part of the zone that entries do not get: one in so many pages */
#define NGX_HTTP_PAYER_MEMORY_RESERVE  8

/* the least that an entry takes */
#define NGX_HTTP_PAYER_MEMORY_CHUNK    256


/* what a put() does to one entry */

typedef struct {
    ngx_rbtree_key_t                hash;
    ngx_http_payer_memory_entry_t  *old;        /* what is stored, or NULL */
    ngx_http_payer_memory_entry_t  *fresh;      /* NULL: it fits into "old",
                                                 * or is a delete */
} ngx_http_payer_memory_change_t;


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
static ngx_int_t ngx_http_payer_memory_next(ngx_http_payer_store_t *store,
    ngx_str_t *prefix, ngx_str_t *after, ngx_http_payer_io_t *io);
static void ngx_http_payer_memory_forget(ngx_http_payer_io_t *io);

static ngx_int_t ngx_http_payer_memory_prepare(ngx_http_payer_zone_t *zone,
    ngx_http_payer_store_entry_t *entries,
    ngx_http_payer_memory_change_t *changes, ngx_uint_t n);
static ngx_http_payer_memory_entry_t *ngx_http_payer_memory_create(
    ngx_http_payer_zone_t *zone, ngx_http_payer_store_entry_t *entry,
    ngx_http_payer_memory_change_t *changes, ngx_uint_t n);
static ngx_uint_t ngx_http_payer_memory_evict(ngx_http_payer_zone_t *zone,
    ngx_http_payer_memory_change_t *changes, ngx_uint_t n);
static ngx_http_payer_memory_entry_t *ngx_http_payer_memory_apply(
    ngx_http_payer_zone_t *zone, ngx_http_payer_store_entry_t *entries,
    ngx_http_payer_memory_change_t *changes, ngx_uint_t n);
static ngx_http_payer_memory_entry_t *ngx_http_payer_memory_write(
    ngx_http_payer_zone_t *zone, ngx_http_payer_store_entry_t *entry,
    ngx_http_payer_memory_change_t *change);
static void ngx_http_payer_memory_update(ngx_http_payer_memory_t *memory,
    ngx_http_payer_memory_entry_t *old, ngx_http_payer_store_entry_t *entry);
static size_t ngx_http_payer_memory_size(ngx_http_payer_store_entry_t *entry);


ngx_http_payer_store_ops_t  ngx_http_payer_store_memory_ops = {
    ngx_string("memory"),
    ngx_http_payer_memory_configure,
    ngx_http_payer_memory_check,
    ngx_http_payer_memory_init_module,
    NULL,
    NULL,
    ngx_http_payer_memory_get,
    ngx_http_payer_memory_put,
    ngx_http_payer_memory_next,
    ngx_http_payer_store_claim,
    ngx_http_payer_store_extend,
    ngx_http_payer_store_unclaim,
    ngx_http_payer_memory_forget
};


static char *
ngx_http_payer_memory_configure(ngx_conf_t *cf,
    ngx_http_payer_store_t *store, ngx_str_t *value)
{
    ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                       "payer_store memory: a restart forgets all payments");

    return NGX_CONF_OK;
}


/* the zone outlives a reload, and with it what is stored there */

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

    memory = ngx_slab_calloc(zone->shpool, sizeof(ngx_http_payer_memory_t));
    if (memory == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "payer_zone \"%V\" is too small",
                      &zone->shm_zone->shm.name);
        return NGX_ERROR;
    }

    ngx_http_payer_memory_init(memory);

    zone->sh->memory = memory;

    return NGX_OK;
}


/*
 * Nothing may be allocated from a pool under the mutex and the length is known
 * only under it, so the value takes the way over the stack.
 */

static ngx_int_t
ngx_http_payer_memory_get(ngx_http_payer_store_t *store, ngx_str_t *key,
    ngx_http_payer_io_t *io)
{
    size_t                          len;
    u_char                          buf[NGX_HTTP_PAYER_STORE_MAX_VALUE];
    ngx_slab_pool_t                *shpool;
    ngx_rbtree_key_t                hash;
    ngx_http_payer_memory_entry_t  *entry;

    len = 0;
    shpool = store->zone->shpool;
    hash = ngx_http_payer_zone_hash(key);

    ngx_shmtx_lock(&shpool->mutex);

    entry = ngx_http_payer_memory_lookup(store->zone->sh->memory, hash, key);

    if (entry != NULL) {
        len = entry->value_len;
        ngx_memcpy(buf, ngx_http_payer_memory_value(entry), len);
    }

    ngx_shmtx_unlock(&shpool->mutex);

    if (entry == NULL) {
        return NGX_DECLINED;
    }

    return ngx_http_payer_store_copy(io, &io->value, buf, len);
}


/* what was merged goes the same way, if it is not what the caller has */

static ngx_int_t
ngx_http_payer_memory_put(ngx_http_payer_store_t *store,
    ngx_http_payer_store_entry_t *entries, ngx_uint_t n,
    ngx_http_payer_claim_act_e act, ngx_http_payer_claim_t *claim,
    ngx_http_payer_io_t *io)
{
    size_t                           len;
    u_char                           buf[NGX_HTTP_PAYER_STORE_MAX_VALUE];
    ngx_int_t                        rc;
    ngx_uint_t                       i;
    ngx_http_payer_zone_t           *zone;
    ngx_http_payer_memory_entry_t   *kept;
    ngx_http_payer_memory_change_t   changes[
                                          NGX_HTTP_PAYER_STORE_MAX_ENTRIES];

    if (ngx_http_payer_store_check(entries, n) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        changes[i].hash = ngx_http_payer_zone_hash(&entries[i].key);
    }

    len = 0;
    kept = NULL;
    zone = store->zone;

    ngx_shmtx_lock(&zone->shpool->mutex);

    rc = ngx_http_payer_memory_prepare(zone, entries, changes, n);

    if (rc == NGX_OK) {
        kept = ngx_http_payer_memory_apply(zone, entries, changes, n);
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

    /* whoever has the claim in the zone has it */

    if (act == NGX_HTTP_PAYER_CLAIM_RELEASE) {
        ngx_http_payer_zone_unclaim(zone, claim);
    }

    if (io == NULL) {
        return NGX_OK;
    }

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


static ngx_int_t
ngx_http_payer_memory_next(ngx_http_payer_store_t *store, ngx_str_t *prefix,
    ngx_str_t *after, ngx_http_payer_io_t *io)
{
    size_t                          len, key_len;
    u_char                          buf[NGX_HTTP_PAYER_STORE_MAX_KEY
                                        + NGX_HTTP_PAYER_STORE_MAX_VALUE];
    ngx_slab_pool_t                *shpool;
    ngx_http_payer_memory_entry_t  *entry;

    len = 0;
    key_len = 0;
    shpool = store->zone->shpool;

    ngx_shmtx_lock(&shpool->mutex);

    entry = ngx_http_payer_memory_seek(store->zone->sh->memory, prefix, after);

    if (entry != NULL) {
        key_len = entry->key_len;
        len = entry->value_len;
        ngx_memcpy(buf, entry->data, key_len + len);
    }

    ngx_shmtx_unlock(&shpool->mutex);

    if (entry == NULL) {
        return NGX_DECLINED;
    }

    if (ngx_http_payer_store_copy(io, &io->key, buf, key_len) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_payer_store_copy(io, &io->value, buf + key_len, len);
}


/* nothing is ever pending here */

static void
ngx_http_payer_memory_forget(ngx_http_payer_io_t *io)
{
    io->pending = NULL;
}


/* the room for all of them or none; nothing that is stored has changed yet */

static ngx_int_t
ngx_http_payer_memory_prepare(ngx_http_payer_zone_t *zone,
    ngx_http_payer_store_entry_t *entries,
    ngx_http_payer_memory_change_t *changes, ngx_uint_t n)
{
    ngx_uint_t                       i, leapt;
    ngx_http_payer_memory_change_t  *change;

    (void) ngx_http_payer_zone_hold(zone, &leapt);

    for (i = 0; i < n; i++) {
        changes[i].fresh = NULL;
        changes[i].old = ngx_http_payer_memory_lookup(zone->sh->memory,
                                                      changes[i].hash,
                                                      &entries[i].key);
    }

    for (i = 0; i < n; i++) {
        change = &changes[i];

        if (entries[i].value.data == NULL
            || (change->old
                && change->old->size
                   >= ngx_http_payer_memory_size(&entries[i])))
        {
            continue;
        }

        change->fresh = ngx_http_payer_memory_create(zone, &entries[i],
                                                     changes, n);
        if (change->fresh == NULL) {
            goto full;
        }

        change->fresh->hashed.key = change->hash;
    }

    return NGX_OK;

full:

    while (i--) {
        if (changes[i].fresh != NULL) {
            ngx_slab_free_locked(zone->shpool, changes[i].fresh);
        }
    }

    return NGX_ERROR;
}


/*
 * Sizes are those that the slab allocator would round to, so that a record
 * that grows, as each does when its link comes, mostly fits where it is.
 */

static size_t
ngx_http_payer_memory_size(ngx_http_payer_store_entry_t *entry)
{
    size_t  size, chunk;

    size = offsetof(ngx_http_payer_memory_entry_t, data)
           + entry->key.len + entry->value.len;

    if (size > ngx_pagesize / 2) {
        return ngx_align(size, ngx_pagesize);
    }

    chunk = NGX_HTTP_PAYER_MEMORY_CHUNK;

    while (chunk < size) {
        chunk <<= 1;
    }

    return chunk;
}


/* complete, but not linked */

static ngx_http_payer_memory_entry_t *
ngx_http_payer_memory_create(ngx_http_payer_zone_t *zone,
    ngx_http_payer_store_entry_t *entry,
    ngx_http_payer_memory_change_t *changes, ngx_uint_t n)
{
    size_t                          size;
    u_char                         *p;
    ngx_uint_t                      pages, reserve;
    ngx_slab_pool_t                *shpool;
    ngx_http_payer_memory_entry_t  *fresh;

    size = ngx_http_payer_memory_size(entry);
    shpool = zone->shpool;
    reserve = zone->shm_zone->shm.size / ngx_pagesize
              / NGX_HTTP_PAYER_MEMORY_RESERVE;

    for ( ;; ) {
        pages = shpool->pfree;

        fresh = ngx_slab_alloc_locked(shpool, size);

        if (fresh && (shpool->pfree == pages || shpool->pfree >= reserve)) {
            break;
        }

        if (fresh) {
            ngx_slab_free_locked(shpool, fresh);
        }

        if (!ngx_http_payer_memory_evict(zone, changes, n)) {
            return NULL;
        }
    }

    fresh->expiring.key = entry->expires;
    fresh->size = size;
    fresh->key_len = entry->key.len;
    fresh->value_len = entry->value.len;

    p = ngx_cpymem(fresh->data, entry->key.data, entry->key.len);
    ngx_memcpy(p, entry->value.data, entry->value.len);

    return fresh;
}


/* the oldest that may go, and is not about to be written */

static ngx_uint_t
ngx_http_payer_memory_evict(ngx_http_payer_zone_t *zone,
    ngx_http_payer_memory_change_t *changes, ngx_uint_t n)
{
    ngx_uint_t                      i;
    ngx_rbtree_node_t              *node;
    ngx_http_payer_memory_t        *memory;
    ngx_http_payer_memory_entry_t  *entry;

    memory = zone->sh->memory;

    if (ngx_time() < zone->sh->held
        || memory->expiring.root == memory->expiring.sentinel)
    {
        return 0;
    }

    for (node = ngx_rbtree_min(memory->expiring.root,
                               memory->expiring.sentinel);
         node && (time_t) node->key < ngx_time();
         node = ngx_rbtree_next(&memory->expiring, node))
    {
        entry = ngx_http_payer_memory_expiring(node);

        for (i = 0; i < n; i++) {
            if (changes[i].old == entry) {
                break;
            }
        }

        if (i == n) {
            ngx_http_payer_memory_delete(zone, entry);
            return 1;
        }
    }

    return 0;
}


/* the first of them, and the others, which may go by what becomes of it:
 * as ngx_http_payer_memory_write() of the first */

static ngx_http_payer_memory_entry_t *
ngx_http_payer_memory_apply(ngx_http_payer_zone_t *zone,
    ngx_http_payer_store_entry_t *entries,
    ngx_http_payer_memory_change_t *changes, ngx_uint_t n)
{
    u_char                          buf[NGX_HTTP_PAYER_STORE_MAX_VALUE];
    ngx_str_t                       before, after;
    ngx_uint_t                      i;
    ngx_http_payer_memory_entry_t  *kept;

    before.len = 0;
    before.data = buf;

    if (n > 1 && changes[0].old) {
        before.len = changes[0].old->value_len;
        ngx_memcpy(buf, ngx_http_payer_memory_value(changes[0].old),
                   before.len);
    }

    kept = ngx_http_payer_memory_write(zone, &entries[0], &changes[0]);

    after = entries[0].value;

    if (kept) {
        after.data = ngx_http_payer_memory_value(kept);
        after.len = kept->value_len;
    }

    for (i = 1; i < n; i++) {

        if (entries[i].when
            && entries[i].when(&before, &after, &entries[i].value) != NGX_OK)
        {
            if (changes[i].fresh) {
                ngx_slab_free_locked(zone->shpool, changes[i].fresh);
            }

            continue;
        }

        (void) ngx_http_payer_memory_write(zone, &entries[i], &changes[i]);
    }

    return kept;
}


/* NULL, or what stays because the merge declined */

static ngx_http_payer_memory_entry_t *
ngx_http_payer_memory_write(ngx_http_payer_zone_t *zone,
    ngx_http_payer_store_entry_t *entry,
    ngx_http_payer_memory_change_t *change)
{
    ngx_str_t                       stored;
    ngx_http_payer_memory_entry_t  *old, *fresh;

    old = change->old;
    fresh = change->fresh;

    if (old && entry->merge) {
        stored.data = ngx_http_payer_memory_value(old);
        stored.len = old->value_len;

        if (entry->merge(&stored, &entry->value) != NGX_OK) {

            if (fresh) {
                ngx_slab_free_locked(zone->shpool, fresh);
            }

            return old;
        }

    }

    if (fresh && (entry->merge || entry->when)) {
        ngx_memcpy(ngx_http_payer_memory_value(fresh), entry->value.data,
                   entry->value.len);
    }

    if (old && fresh == NULL && entry->value.data) {
        ngx_http_payer_memory_update(zone->sh->memory, old, entry);
        return NULL;
    }

    if (old) {
        if (fresh) {
            fresh->expiring.key = ngx_http_payer_store_later(
                                     fresh->expiring.key, old->expiring.key);
        }

        ngx_http_payer_memory_delete(zone, old);
    }

    if (fresh) {
        ngx_http_payer_memory_link(zone->sh->memory, fresh);
    }

    return NULL;
}


static void
ngx_http_payer_memory_update(ngx_http_payer_memory_t *memory,
    ngx_http_payer_memory_entry_t *old, ngx_http_payer_store_entry_t *entry)
{
    ngx_rbtree_key_t  expires;

    ngx_memcpy(ngx_http_payer_memory_value(old), entry->value.data,
               entry->value.len);

    old->value_len = entry->value.len;

    expires = ngx_http_payer_store_later((ngx_rbtree_key_t) entry->expires,
                                         old->expiring.key);

    if (expires == old->expiring.key) {
        return;
    }

    ngx_rbtree_delete(&memory->expiring, &old->expiring);

    old->expiring.key = expires;

    if (expires) {
        ngx_rbtree_insert(&memory->expiring, &old->expiring);
    }
}
