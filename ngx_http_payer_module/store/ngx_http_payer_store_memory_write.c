
/*
 * Writes to the memory store: first the memory for all entries of a put() is
 * allocated, then each is decided and written.
 */


#include "ngx_http_payer_store_memory.h"


/* the least that an entry takes */
#define NGX_HTTP_PAYER_MEMORY_CHUNK    256


static ngx_http_payer_memory_entry_t *ngx_http_payer_memory_create(
    ngx_http_payer_zone_t *zone, ngx_http_payer_memory_put_t *put,
    ngx_uint_t i);
static ngx_http_payer_memory_mark_t *ngx_http_payer_memory_create_mark(
    ngx_http_payer_zone_t *zone, ngx_http_payer_memory_put_t *put,
    ngx_str_t *key);
static void *ngx_http_payer_memory_alloc(ngx_http_payer_zone_t *zone,
    ngx_http_payer_memory_put_t *put, size_t size);
static ngx_uint_t ngx_http_payer_memory_evict(ngx_http_payer_zone_t *zone,
    ngx_http_payer_memory_put_t *put);
static void ngx_http_payer_memory_give_back(ngx_http_payer_zone_t *zone,
    ngx_http_payer_memory_change_t *change);
static ngx_http_payer_memory_entry_t *ngx_http_payer_memory_write(
    ngx_http_payer_zone_t *zone, ngx_http_payer_store_entry_t *entry,
    ngx_http_payer_memory_change_t *change);
static void ngx_http_payer_memory_replace(ngx_http_payer_zone_t *zone,
    ngx_http_payer_store_entry_t *entry,
    ngx_http_payer_memory_change_t *change);
static ngx_http_payer_memory_mark_t *ngx_http_payer_memory_mark(
    ngx_http_payer_zone_t *zone, ngx_http_payer_store_entry_t *entry,
    ngx_http_payer_memory_change_t *change);
static ngx_uint_t ngx_http_payer_memory_stays(ngx_http_payer_label_t *stored,
    ngx_http_payer_label_t *fresh);
static void ngx_http_payer_memory_forget_mark(ngx_http_payer_zone_t *zone,
    ngx_http_payer_memory_entry_t *entry);
static void ngx_http_payer_memory_update(ngx_http_payer_memory_t *memory,
    ngx_http_payer_memory_entry_t *old, ngx_http_payer_store_entry_t *entry);
static size_t ngx_http_payer_memory_size(ngx_http_payer_store_entry_t *entry);


void
ngx_http_payer_memory_begin(ngx_http_payer_memory_put_t *put)
{
    ngx_uint_t                     i;
    ngx_http_payer_store_entry_t  *entry, *alias;

    put->aliases = 0;

    for (i = 0; i < put->n; i++) {
        entry = &put->entries[i];

        if (entry->alias.len == 0) {
            continue;
        }

        alias = &put->alias[put->aliases++];

        ngx_memzero(alias, sizeof(ngx_http_payer_store_entry_t));

        alias->key = entry->alias;
        alias->value = entry->key;
        alias->expires = entry->expires;
    }

    for (i = 0; i < put->n; i++) {
        put->changes[i].hash = ngx_http_payer_zone_hash(&put->entries[i].key);
    }

    for (i = 0; i < put->aliases; i++) {
        put->changes[put->n + i].hash = ngx_http_payer_zone_hash(
                                                        &put->alias[i].key);
    }
}


ngx_int_t
ngx_http_payer_memory_prepare(ngx_http_payer_zone_t *zone,
    ngx_http_payer_memory_put_t *put)
{
    ngx_uint_t                       i, n, leapt;
    ngx_http_payer_store_entry_t    *entry;
    ngx_http_payer_memory_change_t  *change;

    (void) ngx_http_payer_zone_hold(zone, &leapt);

    n = put->n + put->aliases;

    for (i = 0; i < n; i++) {
        change = &put->changes[i];
        entry = ngx_http_payer_memory_nth(put, i);

        change->fresh = NULL;
        change->mark = NULL;
        change->linked = 0;
        change->skipped = 0;
        change->old = ngx_http_payer_memory_lookup(zone->sh->memory,
                                                   change->hash, &entry->key);
    }

    for (i = 0; i < n; i++) {
        change = &put->changes[i];
        entry = ngx_http_payer_memory_nth(put, i);

        if (entry->value.data == NULL) {
            continue;
        }

        if (change->old == NULL
            || change->old->size < ngx_http_payer_memory_size(entry))
        {
            change->fresh = ngx_http_payer_memory_create(zone, put, i);

            if (change->fresh == NULL && entry->spare) {
                change->skipped = 1;
                continue;
            }

            if (change->fresh == NULL) {
                goto full;
            }
        }

        if ((entry->describe || ngx_http_payer_store_labelled(&entry->label))
            && (change->old == NULL || change->old->mark == NULL))
        {
            change->mark = ngx_http_payer_memory_create_mark(zone, put,
                                                             &entry->key);
            if (change->mark == NULL) {
                i++;
                goto full;
            }
        }
    }

    return NGX_OK;

full:

    while (i--) {
        ngx_http_payer_memory_give_back(zone, &put->changes[i]);
    }

    return NGX_ERROR;
}


/* frees memory that is not needed */

static void
ngx_http_payer_memory_give_back(ngx_http_payer_zone_t *zone,
    ngx_http_payer_memory_change_t *change)
{
    if (change->fresh != NULL) {
        ngx_slab_free_locked(zone->shpool, change->fresh);
    }

    if (change->mark != NULL) {
        ngx_slab_free_locked(zone->shpool, change->mark);
    }
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
    ngx_http_payer_memory_put_t *put, ngx_uint_t i)
{
    size_t                          size;
    u_char                         *p;
    ngx_http_payer_store_entry_t   *entry;
    ngx_http_payer_memory_entry_t  *fresh;

    entry = ngx_http_payer_memory_nth(put, i);
    size = ngx_http_payer_memory_size(entry);

    fresh = ngx_http_payer_memory_alloc(zone, put, size);
    if (fresh == NULL) {
        return NULL;
    }

    fresh->hash = put->changes[i].hash;
    fresh->expiring.key = entry->expires;
    fresh->mark = NULL;
    fresh->alias = (i >= put->n);
    fresh->size = size;
    fresh->key_len = entry->key.len;
    fresh->value_len = entry->value.len;

    p = ngx_cpymem(fresh->data, entry->key.data, entry->key.len);
    ngx_memcpy(p, entry->value.data, entry->value.len);

    return fresh;
}


/* with its indexes, which may be the first mark of theirs */

static ngx_http_payer_memory_mark_t *
ngx_http_payer_memory_create_mark(ngx_http_payer_zone_t *zone,
    ngx_http_payer_memory_put_t *put, ngx_str_t *key)
{
    size_t                          len;
    ngx_http_payer_memory_mark_t   *mark;
    ngx_http_payer_memory_scope_t  *scope;

    len = ngx_http_payer_store_scope(key);

    scope = ngx_http_payer_memory_scope(zone->sh->memory, key->data, len);

    if (scope == NULL) {
        scope = ngx_http_payer_memory_alloc(zone, put,
                      offsetof(ngx_http_payer_memory_scope_t, data) + len);

        if (scope == NULL) {
            return NULL;
        }

        ngx_http_payer_memory_scope_init(zone->sh->memory, scope, key->data,
                                         len);
    }

    mark = ngx_http_payer_memory_alloc(zone, put,
                                       sizeof(ngx_http_payer_memory_mark_t));

    if (mark != NULL) {
        mark->scope = scope;
    }

    return mark;
}


static void *
ngx_http_payer_memory_alloc(ngx_http_payer_zone_t *zone,
    ngx_http_payer_memory_put_t *put, size_t size)
{
    void             *p;
    ngx_uint_t        pages, reserve;
    ngx_slab_pool_t  *shpool;

    shpool = zone->shpool;
    reserve = ngx_http_payer_zone_reserve(zone);

    for ( ;; ) {
        pages = shpool->pfree;

        p = ngx_slab_alloc_locked(shpool, size);

        if (p && (shpool->pfree == pages || shpool->pfree >= reserve)) {
            return p;
        }

        if (p) {
            ngx_slab_free_locked(shpool, p);
        }

        if (!ngx_http_payer_memory_evict(zone, put)) {
            return NULL;
        }
    }
}


/* the oldest one that may be deleted, and is not about to be written */

static ngx_uint_t
ngx_http_payer_memory_evict(ngx_http_payer_zone_t *zone,
    ngx_http_payer_memory_put_t *put)
{
    ngx_uint_t                      i, n;
    ngx_rbtree_node_t              *node;
    ngx_http_payer_memory_t        *memory;
    ngx_http_payer_memory_entry_t  *entry;

    memory = zone->sh->memory;
    n = put->n + put->aliases;

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
            if (put->changes[i].old == entry) {
                break;
            }
        }

        if (i == n) {
            ngx_http_payer_memory_forget_mark(zone, entry);
            ngx_http_payer_memory_delete(zone, entry);
            return 1;
        }
    }

    return 0;
}


/* the first of them, and the others, which may go by what becomes of it */

ngx_http_payer_memory_entry_t *
ngx_http_payer_memory_apply(ngx_http_payer_zone_t *zone,
    ngx_http_payer_memory_put_t *put, uint64_t *rev)
{
    u_char                           buf[NGX_HTTP_PAYER_STORE_MAX_VALUE];
    ngx_str_t                        before, after;
    ngx_uint_t                       i;
    ngx_http_payer_memory_t         *memory;
    ngx_http_payer_store_entry_t    *entry;
    ngx_http_payer_memory_entry_t   *kept;
    ngx_http_payer_memory_change_t  *change;

    change = &put->changes[0];
    memory = zone->sh->memory;

    before.len = 0;
    before.data = buf;

    if (put->n > 1 && change->old) {
        before.len = change->old->value_len;
        ngx_memcpy(buf, ngx_http_payer_memory_value(change->old), before.len);
    }

    kept = ngx_http_payer_memory_write(zone, &put->entries[0], change);

    after = put->entries[0].value;
    *rev = after.data ? memory->serial : 0;

    if (kept) {
        after.data = ngx_http_payer_memory_value(kept);
        after.len = kept->value_len;
        *rev = kept->rev;
    }

    for (i = 1; i < put->n + put->aliases; i++) {
        entry = ngx_http_payer_memory_nth(put, i);
        change = &put->changes[i];

        if (change->skipped) {
            continue;
        }

        if (entry->when
            && entry->when(&before, &after, &entry->value) != NGX_OK)
        {
            ngx_http_payer_memory_give_back(zone, change);
            continue;
        }

        (void) ngx_http_payer_memory_write(zone, entry, change);
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

            ngx_http_payer_memory_give_back(zone, change);

            return old;
        }
    }

    if (fresh && (entry->merge || entry->when)) {
        ngx_memcpy(ngx_http_payer_memory_value(fresh), entry->value.data,
                   entry->value.len);
    }

    if (entry->value.data) {
        ngx_http_payer_memory_replace(zone, entry, change);

    } else if (old) {
        ngx_http_payer_memory_forget_mark(zone, old);
        ngx_http_payer_memory_delete(zone, old);
    }

    return NULL;
}


/* in its place, if it fits, or by another one */

static void
ngx_http_payer_memory_replace(ngx_http_payer_zone_t *zone,
    ngx_http_payer_store_entry_t *entry,
    ngx_http_payer_memory_change_t *change)
{
    ngx_http_payer_memory_t        *memory;
    ngx_http_payer_memory_mark_t   *mark;
    ngx_http_payer_memory_entry_t  *old, *fresh;

    old = change->old;
    fresh = change->fresh ? change->fresh : old;
    memory = zone->sh->memory;

    if (fresh == NULL) {
        return;
    }

    mark = ngx_http_payer_memory_mark(zone, entry, change);

    if (fresh == old) {
        ngx_http_payer_memory_update(memory, fresh, entry);

    } else {

        if (old) {
            fresh->expiring.key = ngx_http_payer_store_later(
                                     fresh->expiring.key, old->expiring.key);

            ngx_http_payer_memory_delete(zone, old);
        }

        ngx_http_payer_memory_link(memory, fresh);
    }

    fresh->rev = ++memory->serial;
    fresh->mark = mark;

    if (mark != NULL) {
        mark->entry = fresh;

        if (mark->serial == 0) {
            mark->serial = fresh->rev;
        }

        if (!change->linked) {
            ngx_http_payer_memory_link_mark(mark);
        }
    }
}


/* the new mark, NULL: none; it is in no index if it has to move */

static ngx_http_payer_memory_mark_t *
ngx_http_payer_memory_mark(ngx_http_payer_zone_t *zone,
    ngx_http_payer_store_entry_t *entry,
    ngx_http_payer_memory_change_t *change)
{
    ngx_http_payer_label_t          label, *stored;
    ngx_http_payer_memory_mark_t   *mark;
    ngx_http_payer_memory_entry_t  *old;

    static ngx_http_payer_label_t  none;

    old = change->old;
    mark = change->mark;
    label = entry->label;

    stored = (old == NULL) ? NULL : old->mark ? &old->mark->label : &none;

    if (entry->describe != NULL) {
        entry->describe(&entry->value, stored, &label);
    }

    if (mark != NULL) {
        mark->serial = 0;

    } else if (old != NULL && old->mark != NULL) {
        mark = old->mark;
        old->mark = NULL;

        change->linked = ngx_http_payer_memory_stays(&mark->label, &label);

        if (!change->linked) {
            ngx_http_payer_memory_unlink_mark(mark);
        }
    }

    if (mark != NULL && !ngx_http_payer_store_labelled(&label)) {
        ngx_slab_free_locked(zone->shpool, mark);
        return NULL;
    }

    if (mark != NULL) {
        mark->label = label;
    }

    return mark;
}


/* whether the places in the indexes are the same */

static ngx_uint_t
ngx_http_payer_memory_stays(ngx_http_payer_label_t *stored,
    ngx_http_payer_label_t *fresh)
{
    return stored->updated == fresh->updated && stored->due == fresh->due
           && (stored->attention == 0) == (fresh->attention == 0)
           && ngx_http_payer_store_labelled(fresh);
}


static void
ngx_http_payer_memory_forget_mark(ngx_http_payer_zone_t *zone,
    ngx_http_payer_memory_entry_t *entry)
{
    if (entry->mark != NULL) {
        ngx_http_payer_memory_unlink_mark(entry->mark);
        ngx_slab_free_locked(zone->shpool, entry->mark);
        entry->mark = NULL;
    }
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
