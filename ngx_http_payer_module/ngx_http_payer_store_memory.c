
/*
 * The store that lives in the zone: for trying things out, since a restart
 * forgets it.
 *
 * An entry hangs in two trees: by the hash of its key, for a cheap get(), and
 * by the key itself, for next(); one that may be dropped also in a third, by
 * the time of that.  Claims and tokens share the zone and are worth more than
 * another payment, so the last pages are left to them.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_store.h"


/* the part of the zone that entries do not get: one in so many pages */
#define NGX_HTTP_PAYER_MEMORY_RESERVE  8


typedef struct {
    ngx_rbtree_t            hashed;
    ngx_rbtree_t            sorted;
    ngx_rbtree_t            expiring;
    ngx_rbtree_node_t       hashed_sentinel;
    ngx_rbtree_node_t       sorted_sentinel;
    ngx_rbtree_node_t       expiring_sentinel;
    time_t                  held;               /* nothing is dropped until */
} ngx_http_payer_memory_t;


typedef struct {
    ngx_rbtree_node_t       hashed;             /* key: hash of the key */
    ngx_rbtree_node_t       sorted;
    ngx_rbtree_node_t       expiring;           /* key: time; 0: not linked */
    uint32_t                key_len;
    uint32_t                value_len;
    u_char                  data[1];            /* the key, then the value */
} ngx_http_payer_memory_entry_t;


#define ngx_http_payer_memory_sorted(node)                                    \
    ngx_rbtree_data(node, ngx_http_payer_memory_entry_t, sorted)

#define ngx_http_payer_memory_expiring(node)                                  \
    ngx_rbtree_data(node, ngx_http_payer_memory_entry_t, expiring)

#define ngx_http_payer_memory_value(entry)  ((entry)->data + (entry)->key_len)


static char *ngx_http_payer_memory_configure(ngx_conf_t *cf,
    ngx_http_payer_store_t *store, ngx_str_t *value);
static ngx_int_t ngx_http_payer_memory_init_module(ngx_cycle_t *cycle,
    ngx_http_payer_store_t *store);
static ngx_int_t ngx_http_payer_memory_get(ngx_http_payer_store_t *store,
    ngx_str_t *key, ngx_http_payer_io_t *io);
static ngx_int_t ngx_http_payer_memory_put(ngx_http_payer_store_t *store,
    ngx_http_payer_store_entry_t *entries, ngx_uint_t n,
    ngx_http_payer_io_t *io);
static ngx_int_t ngx_http_payer_memory_next(ngx_http_payer_store_t *store,
    ngx_str_t *prefix, ngx_str_t *after, ngx_http_payer_io_t *io);
static void ngx_http_payer_memory_forget(ngx_http_payer_io_t *io);

static ngx_int_t ngx_http_payer_memory_prepare(ngx_http_payer_zone_t *zone,
    ngx_http_payer_store_entry_t *entries, ngx_uint_t n,
    ngx_http_payer_memory_entry_t **fresh);
static ngx_http_payer_memory_entry_t *ngx_http_payer_memory_alloc(
    ngx_http_payer_zone_t *zone, size_t size);
static ngx_uint_t ngx_http_payer_memory_evict(ngx_http_payer_zone_t *zone);
static ngx_http_payer_memory_entry_t *ngx_http_payer_memory_write(
    ngx_http_payer_zone_t *zone, ngx_http_payer_store_entry_t *entry,
    ngx_http_payer_memory_entry_t *fresh);
static void ngx_http_payer_memory_link(ngx_http_payer_memory_t *memory,
    ngx_http_payer_memory_entry_t *entry);
static void ngx_http_payer_memory_delete(ngx_http_payer_zone_t *zone,
    ngx_http_payer_memory_entry_t *entry);

static ngx_http_payer_memory_entry_t *ngx_http_payer_memory_lookup(
    ngx_http_payer_memory_t *memory, ngx_str_t *key);
static ngx_http_payer_memory_entry_t *ngx_http_payer_memory_seek(
    ngx_http_payer_memory_t *memory, ngx_str_t *prefix, ngx_str_t *after);
static ngx_rbtree_key_t ngx_http_payer_memory_hash(u_char *data, size_t len);
static void ngx_http_payer_memory_insert_hashed(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static void ngx_http_payer_memory_insert_sorted(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);


ngx_http_payer_store_ops_t  ngx_http_payer_store_memory_ops = {
    ngx_string("memory"),
    ngx_http_payer_memory_configure,
    ngx_http_payer_memory_init_module,
    NULL,
    NULL,
    ngx_http_payer_memory_get,
    ngx_http_payer_memory_put,
    ngx_http_payer_memory_next,
    ngx_http_payer_store_claim,
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

    ngx_rbtree_init(&memory->hashed, &memory->hashed_sentinel,
                    ngx_http_payer_memory_insert_hashed);
    ngx_rbtree_init(&memory->sorted, &memory->sorted_sentinel,
                    ngx_http_payer_memory_insert_sorted);
    ngx_rbtree_init(&memory->expiring, &memory->expiring_sentinel,
                    ngx_rbtree_insert_value);

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
    ngx_http_payer_memory_entry_t  *entry;

    len = 0;
    shpool = store->zone->shpool;

    ngx_shmtx_lock(&shpool->mutex);

    entry = ngx_http_payer_memory_lookup(store->zone->sh->memory, key);

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


static ngx_int_t
ngx_http_payer_memory_put(ngx_http_payer_store_t *store,
    ngx_http_payer_store_entry_t *entries, ngx_uint_t n,
    ngx_http_payer_io_t *io)
{
    size_t                          len;
    u_char                          buf[NGX_HTTP_PAYER_STORE_MAX_VALUE];
    ngx_int_t                       rc;
    ngx_uint_t                      i, kept;
    ngx_http_payer_zone_t          *zone;
    ngx_http_payer_memory_entry_t  *entry, *fresh[
                                          NGX_HTTP_PAYER_STORE_MAX_ENTRIES];

    if (ngx_http_payer_store_check(entries, n) != NGX_OK) {
        return NGX_ERROR;
    }

    len = 0;
    kept = 0;
    zone = store->zone;

    ngx_shmtx_lock(&zone->shpool->mutex);

    rc = ngx_http_payer_memory_prepare(zone, entries, n, fresh);

    for (i = 0; rc == NGX_OK && i < n; i++) {

        entry = ngx_http_payer_memory_write(zone, &entries[i], fresh[i]);

        if (i == 0 && entries[0].merge != NULL && entry != NULL) {
            kept = (entry != fresh[0]);
            len = entry->value_len;
            ngx_memcpy(buf, ngx_http_payer_memory_value(entry), len);
        }
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "payer_zone \"%V\" is full: \"%V\" was not stored",
                      &zone->shm_zone->shm.name, &entries[0].key);
        return NGX_ERROR;
    }

    if (io == NULL) {
        return NGX_OK;
    }

    io->kept = kept;

    if (entries[0].merge == NULL) {
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


/* the new entries, complete but not linked: all of them or none */

static ngx_int_t
ngx_http_payer_memory_prepare(ngx_http_payer_zone_t *zone,
    ngx_http_payer_store_entry_t *entries, ngx_uint_t n,
    ngx_http_payer_memory_entry_t **fresh)
{
    u_char                         *p;
    size_t                          size;
    ngx_uint_t                      i;
    ngx_http_payer_memory_entry_t  *entry;

    for (i = 0; i < n; i++) {
        fresh[i] = NULL;

        if (entries[i].value.data == NULL) {
            continue;
        }

        size = offsetof(ngx_http_payer_memory_entry_t, data)
               + entries[i].key.len + entries[i].value.len;

        entry = ngx_http_payer_memory_alloc(zone, size);
        if (entry == NULL) {
            goto full;
        }

        entry->hashed.key = ngx_http_payer_memory_hash(entries[i].key.data,
                                                       entries[i].key.len);
        entry->expiring.key = entries[i].expires;
        entry->key_len = entries[i].key.len;
        entry->value_len = entries[i].value.len;

        p = ngx_cpymem(entry->data, entries[i].key.data, entries[i].key.len);
        ngx_memcpy(p, entries[i].value.data, entries[i].value.len);

        fresh[i] = entry;
    }

    return NGX_OK;

full:

    while (i--) {
        if (fresh[i] != NULL) {
            ngx_slab_free_locked(zone->shpool, fresh[i]);
        }
    }

    return NGX_ERROR;
}


static ngx_http_payer_memory_entry_t *
ngx_http_payer_memory_alloc(ngx_http_payer_zone_t *zone, size_t size)
{
    ngx_uint_t                      pages, reserve;
    ngx_slab_pool_t                *shpool;
    ngx_http_payer_memory_entry_t  *entry;

    shpool = zone->shpool;
    reserve = zone->shm_zone->shm.size / ngx_pagesize
              / NGX_HTTP_PAYER_MEMORY_RESERVE;

    do {
        pages = shpool->pfree;

        entry = ngx_slab_alloc_locked(shpool, size);

        if (entry == NULL) {
            continue;
        }

        if (shpool->pfree == pages || shpool->pfree >= reserve) {
            return entry;
        }

        ngx_slab_free_locked(shpool, entry);

    } while (ngx_http_payer_memory_evict(zone));

    return NULL;
}


static ngx_uint_t
ngx_http_payer_memory_evict(ngx_http_payer_zone_t *zone)
{
    ngx_rbtree_node_t        *node;
    ngx_http_payer_memory_t  *memory;

    memory = zone->sh->memory;

    if (ngx_http_payer_zone_leapt(zone)) {
        memory->held = ngx_time() + NGX_HTTP_PAYER_STORE_HOLD;
    }

    if (ngx_time() < memory->held) {
        return 0;
    }

    if (memory->expiring.root == memory->expiring.sentinel) {
        return 0;
    }

    node = ngx_rbtree_min(memory->expiring.root, memory->expiring.sentinel);

    if ((time_t) node->key >= ngx_time()) {
        return 0;
    }

    ngx_http_payer_memory_delete(zone, ngx_http_payer_memory_expiring(node));

    return 1;
}


/* answers the entry that is stored afterwards */

static ngx_http_payer_memory_entry_t *
ngx_http_payer_memory_write(ngx_http_payer_zone_t *zone,
    ngx_http_payer_store_entry_t *entry,
    ngx_http_payer_memory_entry_t *fresh)
{
    ngx_str_t                       stored, value;
    ngx_http_payer_memory_entry_t  *old;

    old = ngx_http_payer_memory_lookup(zone->sh->memory, &entry->key);

    if (old != NULL && fresh != NULL && entry->merge != NULL) {

        stored.data = ngx_http_payer_memory_value(old);
        stored.len = old->value_len;

        value.data = ngx_http_payer_memory_value(fresh);
        value.len = fresh->value_len;

        if (entry->merge(&stored, &value) != NGX_OK) {
            ngx_slab_free_locked(zone->shpool, fresh);
            return old;
        }
    }

    if (old != NULL) {

        if (fresh != NULL) {
            fresh->expiring.key = ngx_http_payer_store_later(
                                     fresh->expiring.key, old->expiring.key);
        }

        ngx_http_payer_memory_delete(zone, old);
    }

    if (fresh != NULL) {
        ngx_http_payer_memory_link(zone->sh->memory, fresh);
    }

    return fresh;
}


static void
ngx_http_payer_memory_link(ngx_http_payer_memory_t *memory,
    ngx_http_payer_memory_entry_t *entry)
{
    ngx_rbtree_insert(&memory->hashed, &entry->hashed);
    ngx_rbtree_insert(&memory->sorted, &entry->sorted);

    if (entry->expiring.key != 0) {
        ngx_rbtree_insert(&memory->expiring, &entry->expiring);
    }
}


static void
ngx_http_payer_memory_delete(ngx_http_payer_zone_t *zone,
    ngx_http_payer_memory_entry_t *entry)
{
    ngx_http_payer_memory_t  *memory;

    memory = zone->sh->memory;

    if (entry->expiring.key != 0) {
        ngx_rbtree_delete(&memory->expiring, &entry->expiring);
    }

    ngx_rbtree_delete(&memory->sorted, &entry->sorted);
    ngx_rbtree_delete(&memory->hashed, &entry->hashed);

    ngx_slab_free_locked(zone->shpool, entry);
}


static ngx_http_payer_memory_entry_t *
ngx_http_payer_memory_lookup(ngx_http_payer_memory_t *memory, ngx_str_t *key)
{
    ngx_int_t                       rc;
    ngx_rbtree_key_t                hash;
    ngx_rbtree_node_t              *node, *sentinel;
    ngx_http_payer_memory_entry_t  *entry;

    hash = ngx_http_payer_memory_hash(key->data, key->len);

    node = memory->hashed.root;
    sentinel = memory->hashed.sentinel;

    while (node != sentinel) {

        if (hash != node->key) {
            node = (hash < node->key) ? node->left : node->right;
            continue;
        }

        entry = (ngx_http_payer_memory_entry_t *) node;

        rc = ngx_memn2cmp(key->data, entry->data, key->len, entry->key_len);

        if (rc == 0) {
            return entry;
        }

        node = (rc < 0) ? node->left : node->right;
    }

    return NULL;
}


/* the least key that is greater than "after" and not less than "prefix" */

static ngx_http_payer_memory_entry_t *
ngx_http_payer_memory_seek(ngx_http_payer_memory_t *memory,
    ngx_str_t *prefix, ngx_str_t *after)
{
    ngx_int_t                       rc;
    ngx_rbtree_node_t              *node, *sentinel;
    ngx_http_payer_memory_entry_t  *entry, *found;

    found = NULL;
    node = memory->sorted.root;
    sentinel = memory->sorted.sentinel;

    while (node != sentinel) {

        entry = ngx_http_payer_memory_sorted(node);

        rc = ngx_memn2cmp(entry->data, after->data, entry->key_len,
                          after->len);

        if (rc > 0) {
            rc = (ngx_memn2cmp(entry->data, prefix->data, entry->key_len,
                               prefix->len)
                  >= 0);
        }

        if (rc > 0) {
            found = entry;
            node = node->left;

        } else {
            node = node->right;
        }
    }

    if (found == NULL
        || found->key_len < prefix->len
        || ngx_memcmp(found->data, prefix->data, prefix->len) != 0)
    {
        return NULL;
    }

    return found;
}


/* FNV-1a over eight bytes at a time; the trees bear with collisions */

static ngx_rbtree_key_t
ngx_http_payer_memory_hash(u_char *data, size_t len)
{
    uint64_t  h, word;

    h = 0xcbf29ce484222325ULL ^ len;

    while (len) {
        word = 0;

        if (len >= sizeof(word)) {
            ngx_memcpy(&word, data, sizeof(word));
            data += sizeof(word);
            len -= sizeof(word);

        } else {
            ngx_memcpy(&word, data, len);
            len = 0;
        }

        h = (h ^ word) * 0x100000001b3ULL;
        h ^= h >> 32;
    }

    return (ngx_rbtree_key_t) h;
}


static void
ngx_http_payer_memory_insert_hashed(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel)
{
    ngx_rbtree_node_t              **p;
    ngx_http_payer_memory_entry_t   *entry, *other;

    for ( ;; ) {

        if (node->key != temp->key) {
            p = (node->key < temp->key) ? &temp->left : &temp->right;

        } else {
            entry = (ngx_http_payer_memory_entry_t *) node;
            other = (ngx_http_payer_memory_entry_t *) temp;

            p = (ngx_memn2cmp(entry->data, other->data, entry->key_len,
                              other->key_len)
                 < 0)
                ? &temp->left : &temp->right;
        }

        if (*p == sentinel) {
            break;
        }

        temp = *p;
    }

    *p = node;
    node->parent = temp;
    node->left = sentinel;
    node->right = sentinel;
    ngx_rbt_red(node);
}


static void
ngx_http_payer_memory_insert_sorted(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel)
{
    ngx_rbtree_node_t              **p;
    ngx_http_payer_memory_entry_t   *entry, *other;

    entry = ngx_http_payer_memory_sorted(node);

    for ( ;; ) {

        other = ngx_http_payer_memory_sorted(temp);

        p = (ngx_memn2cmp(entry->data, other->data, entry->key_len,
                          other->key_len)
             < 0)
            ? &temp->left : &temp->right;

        if (*p == sentinel) {
            break;
        }

        temp = *p;
    }

    *p = node;
    node->parent = temp;
    node->left = sentinel;
    node->right = sentinel;
    ngx_rbt_red(node);
}
