
/*
 * Where the entries of the memory store are found.
 *
 * An entry is in a table of lists by the hash of its key, for a fast get(),
 * and in a tree by the key itself, for scan(); one that expires is also in a
 * second tree, by its time.
 */


#include "ngx_http_payer_store_memory.h"


/* a list for so many bytes of the zone: four entries in each of a full one */
#define NGX_HTTP_PAYER_MEMORY_LIST  2048

/* keys that differ in one digit have hashes that differ in a few bits: those
 * that are highest in the product depend on all */

#define ngx_http_payer_memory_list(memory, hash)                              \
    (&(memory)->hashed[(uint64_t) (hash) * 0x9e3779b97f4a7c15ULL              \
                       >> (memory)->unused])

#define ngx_http_payer_memory_sorted(node)                                    \
    ngx_rbtree_data(node, ngx_http_payer_memory_entry_t, sorted)

#define ngx_http_payer_memory_listed(node)                                    \
    (ngx_rbtree_data(node, ngx_http_payer_memory_mark_t, listed))

#define ngx_http_payer_memory_due(node)                                       \
    (ngx_rbtree_data(node, ngx_http_payer_memory_mark_t, due))

#define ngx_http_payer_memory_is_listed(mark)                                 \
    ((mark)->label.updated || (mark)->label.attention)


static ngx_http_payer_memory_entry_t **ngx_http_payer_memory_place(
    ngx_http_payer_memory_t *memory, ngx_rbtree_key_t hash, ngx_str_t *key);
static void ngx_http_payer_memory_insert_sorted(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static void ngx_http_payer_memory_insert_listed(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static void ngx_http_payer_memory_insert_due(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static void ngx_http_payer_memory_hang(ngx_rbtree_node_t *node,
    ngx_rbtree_node_t *parent, ngx_rbtree_node_t **place,
    ngx_rbtree_node_t *sentinel);


ngx_http_payer_memory_t *
ngx_http_payer_memory_init(ngx_http_payer_zone_t *zone)
{
    ngx_uint_t                n;
    ngx_http_payer_memory_t  *memory;

    memory = ngx_slab_calloc_locked(zone->shpool,
                                    sizeof(ngx_http_payer_memory_t));
    if (memory == NULL) {
        return NULL;
    }

    n = 2;
    memory->unused = 63;

    while (n < zone->shm_zone->shm.size / NGX_HTTP_PAYER_MEMORY_LIST) {
        n <<= 1;
        memory->unused--;
    }

    memory->hashed = ngx_slab_calloc_locked(zone->shpool, n * sizeof(void *));

    if (memory->hashed == NULL) {
        return NULL;
    }

    ngx_rbtree_init(&memory->sorted, &memory->sentinel,
                    ngx_http_payer_memory_insert_sorted);
    ngx_rbtree_init(&memory->expiring, &memory->sentinel,
                    ngx_rbtree_insert_value);

    ngx_queue_init(&memory->scopes);

    return memory;
}


void
ngx_http_payer_memory_link(ngx_http_payer_memory_t *memory,
    ngx_http_payer_memory_entry_t *entry)
{
    ngx_http_payer_memory_entry_t  **list;

    list = ngx_http_payer_memory_list(memory, entry->hash);

    entry->next = *list;
    *list = entry;

    ngx_rbtree_insert(&memory->sorted, &entry->sorted);

    if (entry->expiring.key != 0) {
        ngx_rbtree_insert(&memory->expiring, &entry->expiring);
    }
}


ngx_http_payer_memory_scope_t *
ngx_http_payer_memory_scope(ngx_http_payer_memory_t *memory, u_char *name,
    size_t len)
{
    ngx_queue_t                    *q;
    ngx_http_payer_memory_scope_t  *scope;

    for (q = ngx_queue_head(&memory->scopes);
         q != ngx_queue_sentinel(&memory->scopes);
         q = ngx_queue_next(q))
    {
        scope = ngx_queue_data(q, ngx_http_payer_memory_scope_t, queue);

        if (scope->len == len && ngx_memcmp(scope->data, name, len) == 0) {
            return scope;
        }
    }

    return NULL;
}


void
ngx_http_payer_memory_scope_init(ngx_http_payer_memory_t *memory,
    ngx_http_payer_memory_scope_t *scope, u_char *name, size_t len)
{
    ngx_rbtree_init(&scope->listed, &memory->sentinel,
                    ngx_http_payer_memory_insert_listed);
    ngx_rbtree_init(&scope->due, &memory->sentinel,
                    ngx_http_payer_memory_insert_due);

    scope->len = len;
    ngx_memcpy(scope->data, name, len);

    ngx_queue_insert_tail(&memory->scopes, &scope->queue);
}


void
ngx_http_payer_memory_link_mark(ngx_http_payer_memory_mark_t *mark)
{
    if (ngx_http_payer_memory_is_listed(mark)) {
        mark->listed.key = mark->label.updated;
        ngx_rbtree_insert(&mark->scope->listed, &mark->listed);
    }

    if (mark->label.due) {
        mark->due.key = mark->label.due;
        ngx_rbtree_insert(&mark->scope->due, &mark->due);
    }
}


void
ngx_http_payer_memory_unlink_mark(ngx_http_payer_memory_mark_t *mark)
{
    if (ngx_http_payer_memory_is_listed(mark)) {
        ngx_rbtree_delete(&mark->scope->listed, &mark->listed);
    }

    if (mark->label.due) {
        ngx_rbtree_delete(&mark->scope->due, &mark->due);
    }
}


void
ngx_http_payer_memory_delete(ngx_http_payer_zone_t *zone,
    ngx_http_payer_memory_entry_t *entry)
{
    ngx_str_t                        key;
    ngx_http_payer_memory_t         *memory;
    ngx_http_payer_memory_entry_t  **place;

    memory = zone->sh->memory;

    if (entry->expiring.key != 0) {
        ngx_rbtree_delete(&memory->expiring, &entry->expiring);
    }

    ngx_rbtree_delete(&memory->sorted, &entry->sorted);

    key.data = entry->data;
    key.len = entry->key_len;

    place = ngx_http_payer_memory_place(memory, entry->hash, &key);
    *place = entry->next;

    ngx_slab_free_locked(zone->shpool, entry);
}


ngx_http_payer_memory_entry_t *
ngx_http_payer_memory_lookup(ngx_http_payer_memory_t *memory,
    ngx_rbtree_key_t hash, ngx_str_t *key)
{
    return *ngx_http_payer_memory_place(memory, hash, key);
}


/* what points to the entry with this key, or the end of its list */

static ngx_http_payer_memory_entry_t **
ngx_http_payer_memory_place(ngx_http_payer_memory_t *memory,
    ngx_rbtree_key_t hash, ngx_str_t *key)
{
    ngx_http_payer_memory_entry_t  **place, *entry;

    place = ngx_http_payer_memory_list(memory, hash);

    for (entry = *place; entry; entry = *place) {

        if (entry->hash == hash && entry->key_len == key->len
            && ngx_memcmp(entry->data, key->data, key->len) == 0)
        {
            break;
        }

        place = &entry->next;
    }

    return place;
}


ngx_http_payer_memory_entry_t *
ngx_http_payer_memory_follow(ngx_http_payer_memory_t *memory,
    ngx_http_payer_memory_entry_t *entry)
{
    ngx_str_t  key;

    if (entry == NULL || !entry->alias) {
        return entry;
    }

    key.data = ngx_http_payer_memory_value(entry);
    key.len = entry->value_len;

    return ngx_http_payer_memory_lookup(memory, ngx_http_payer_zone_hash(&key),
                                        &key);
}


ngx_http_payer_memory_mark_t *
ngx_http_payer_memory_older(ngx_http_payer_memory_scope_t *scope,
    time_t updated, uint64_t serial)
{
    ngx_uint_t                     older;
    ngx_rbtree_node_t             *node, *sentinel;
    ngx_http_payer_memory_mark_t  *mark, *found;

    found = NULL;
    node = scope->listed.root;
    sentinel = scope->listed.sentinel;

    while (node != sentinel) {

        mark = ngx_http_payer_memory_listed(node);

        older = (mark->label.updated != updated)
                ? (mark->label.updated < updated) : (mark->serial < serial);

        if (older) {
            found = mark;
        }

        node = older ? node->left : node->right;
    }

    return found;
}


ngx_http_payer_memory_mark_t *
ngx_http_payer_memory_first_due(ngx_http_payer_memory_scope_t *scope)
{
    ngx_rbtree_t  *due;

    due = &scope->due;

    return (due->root == due->sentinel)
           ? NULL
           : ngx_http_payer_memory_due(ngx_rbtree_min(due->root,
                                                      due->sentinel));
}


/* the least key that is greater than "after" and not less than "prefix" */

ngx_http_payer_memory_entry_t *
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

    ngx_http_payer_memory_hang(node, temp, p, sentinel);
}


/* in an index the last ones come first */

static void
ngx_http_payer_memory_insert_listed(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel)
{
    uint64_t             serial;
    ngx_uint_t           newer;
    ngx_rbtree_node_t  **p;

    serial = ngx_http_payer_memory_listed(node)->serial;

    for ( ;; ) {

        newer = (node->key != temp->key)
                ? (node->key > temp->key)
                : (serial > ngx_http_payer_memory_listed(temp)->serial);

        p = newer ? &temp->left : &temp->right;

        if (*p == sentinel) {
            break;
        }

        temp = *p;
    }

    ngx_http_payer_memory_hang(node, temp, p, sentinel);
}


static void
ngx_http_payer_memory_insert_due(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel)
{
    uint64_t             serial;
    ngx_uint_t           sooner;
    ngx_rbtree_node_t  **p;

    serial = ngx_http_payer_memory_due(node)->serial;

    for ( ;; ) {

        sooner = (node->key != temp->key)
                 ? (node->key < temp->key)
                 : (serial < ngx_http_payer_memory_due(temp)->serial);

        p = sooner ? &temp->left : &temp->right;

        if (*p == sentinel) {
            break;
        }

        temp = *p;
    }

    ngx_http_payer_memory_hang(node, temp, p, sentinel);
}


static void
ngx_http_payer_memory_hang(ngx_rbtree_node_t *node, ngx_rbtree_node_t *parent,
    ngx_rbtree_node_t **place, ngx_rbtree_node_t *sentinel)
{
    *place = node;
    node->parent = parent;
    node->left = sentinel;
    node->right = sentinel;
    ngx_rbt_red(node);
}
