
/*
 * The trees of the memory store.
 *
 * An entry hangs in two trees: by the hash of its key, for a cheap get(), and
 * by the key itself, for next(); one that may be dropped also in a third, by
 * the time of that.
 */


#include "ngx_http_payer_store_memory.h"


#define ngx_http_payer_memory_sorted(node)                                    \
    ngx_rbtree_data(node, ngx_http_payer_memory_entry_t, sorted)

#define ngx_http_payer_memory_listed(node)                                    \
    ngx_rbtree_data(node, ngx_http_payer_memory_mark_t, listed)

#define ngx_http_payer_memory_due(node)                                       \
    ngx_rbtree_data(node, ngx_http_payer_memory_mark_t, due)

#define ngx_http_payer_memory_is_listed(mark)                                 \
    ((mark)->entry->scope                                                     \
     && ((mark)->label.updated || (mark)->label.attention))

#define ngx_http_payer_memory_is_due(mark)                                    \
    ((mark)->entry->scope && (mark)->label.due)


static void ngx_http_payer_memory_insert_hashed(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static void ngx_http_payer_memory_insert_sorted(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static void ngx_http_payer_memory_insert_listed(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static void ngx_http_payer_memory_insert_due(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static void ngx_http_payer_memory_hang(ngx_rbtree_node_t *node,
    ngx_rbtree_node_t *parent, ngx_rbtree_node_t **place,
    ngx_rbtree_node_t *sentinel);
static ngx_int_t ngx_http_payer_memory_compare(
    ngx_http_payer_memory_mark_t *mark, ngx_str_t *scope, time_t time,
    time_t other, uint64_t serial);
static ngx_http_payer_memory_mark_t *ngx_http_payer_memory_within(
    ngx_http_payer_memory_mark_t *mark, ngx_str_t *scope);


void
ngx_http_payer_memory_init(ngx_http_payer_memory_t *memory)
{
    ngx_rbtree_init(&memory->hashed, &memory->sentinel,
                    ngx_http_payer_memory_insert_hashed);
    ngx_rbtree_init(&memory->sorted, &memory->sentinel,
                    ngx_http_payer_memory_insert_sorted);
    ngx_rbtree_init(&memory->expiring, &memory->sentinel,
                    ngx_rbtree_insert_value);
    ngx_rbtree_init(&memory->listed, &memory->sentinel,
                    ngx_http_payer_memory_insert_listed);
    ngx_rbtree_init(&memory->due, &memory->sentinel,
                    ngx_http_payer_memory_insert_due);
}


void
ngx_http_payer_memory_link(ngx_http_payer_memory_t *memory,
    ngx_http_payer_memory_entry_t *entry)
{
    ngx_rbtree_insert(&memory->hashed, &entry->hashed);
    ngx_rbtree_insert(&memory->sorted, &entry->sorted);

    if (entry->expiring.key != 0) {
        ngx_rbtree_insert(&memory->expiring, &entry->expiring);
    }

    if (entry->mark != NULL) {
        ngx_http_payer_memory_link_mark(memory, entry->mark);
    }
}


void
ngx_http_payer_memory_link_mark(ngx_http_payer_memory_t *memory,
    ngx_http_payer_memory_mark_t *mark)
{
    if (ngx_http_payer_memory_is_listed(mark)) {
        ngx_rbtree_insert(&memory->listed, &mark->listed);
    }

    if (ngx_http_payer_memory_is_due(mark)) {
        ngx_rbtree_insert(&memory->due, &mark->due);
    }
}


void
ngx_http_payer_memory_unlink_mark(ngx_http_payer_memory_t *memory,
    ngx_http_payer_memory_mark_t *mark)
{
    if (ngx_http_payer_memory_is_listed(mark)) {
        ngx_rbtree_delete(&memory->listed, &mark->listed);
    }

    if (ngx_http_payer_memory_is_due(mark)) {
        ngx_rbtree_delete(&memory->due, &mark->due);
    }
}


void
ngx_http_payer_memory_delete(ngx_http_payer_zone_t *zone,
    ngx_http_payer_memory_entry_t *entry)
{
    ngx_http_payer_memory_t  *memory;

    memory = zone->sh->memory;

    if (entry->expiring.key != 0) {
        ngx_rbtree_delete(&memory->expiring, &entry->expiring);
    }

    if (entry->mark != NULL) {
        ngx_http_payer_memory_unlink_mark(memory, entry->mark);
    }

    ngx_rbtree_delete(&memory->sorted, &entry->sorted);
    ngx_rbtree_delete(&memory->hashed, &entry->hashed);

    ngx_slab_free_locked(zone->shpool, entry);
}


ngx_http_payer_memory_entry_t *
ngx_http_payer_memory_lookup(ngx_http_payer_memory_t *memory,
    ngx_rbtree_key_t hash, ngx_str_t *key)
{
    ngx_int_t                       rc;
    ngx_rbtree_node_t              *node, *sentinel;
    ngx_http_payer_memory_entry_t  *entry;

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
ngx_http_payer_memory_older(ngx_http_payer_memory_t *memory,
    ngx_str_t *scope, time_t updated, uint64_t serial)
{
    ngx_int_t                      rc;
    ngx_rbtree_node_t             *node, *sentinel;
    ngx_http_payer_memory_mark_t  *mark, *found;

    found = NULL;
    node = memory->listed.root;
    sentinel = memory->listed.sentinel;

    while (node != sentinel) {

        mark = ngx_http_payer_memory_listed(node);

        rc = ngx_http_payer_memory_compare(mark, scope, mark->label.updated,
                                           updated, serial);

        if (rc < 0) {
            found = mark;
        }

        node = (rc < 0) ? node->left : node->right;
    }

    return ngx_http_payer_memory_within(found, scope);
}


ngx_http_payer_memory_mark_t *
ngx_http_payer_memory_first_due(ngx_http_payer_memory_t *memory,
    ngx_str_t *scope)
{
    ngx_int_t                      rc;
    ngx_rbtree_node_t             *node, *sentinel;
    ngx_http_payer_memory_mark_t  *mark, *found;

    found = NULL;
    node = memory->due.root;
    sentinel = memory->due.sentinel;

    while (node != sentinel) {

        mark = ngx_http_payer_memory_due(node);

        rc = ngx_http_payer_memory_compare(mark, scope, mark->label.due, 0,
                                           0);

        if (rc > 0) {
            found = mark;
        }

        node = (rc > 0) ? node->left : node->right;
    }

    return ngx_http_payer_memory_within(found, scope);
}


/*
 * By the index first; within it a mark of that time is less than the place, or
 * greater, or there
 */

static ngx_int_t
ngx_http_payer_memory_compare(ngx_http_payer_memory_mark_t *mark,
    ngx_str_t *scope, time_t time, time_t other, uint64_t serial)
{
    ngx_int_t  rc;

    rc = ngx_memn2cmp(mark->entry->data, scope->data, mark->entry->scope,
                      scope->len);

    if (rc != 0) {
        return rc;
    }

    if (time != other) {
        return (time < other) ? -1 : 1;
    }

    return (mark->serial < serial) ? -1 : (mark->serial > serial);
}


/* NULL for a mark of another index */

static ngx_http_payer_memory_mark_t *
ngx_http_payer_memory_within(ngx_http_payer_memory_mark_t *mark,
    ngx_str_t *scope)
{
    return (mark != NULL && mark->entry->scope == scope->len
            && ngx_memcmp(mark->entry->data, scope->data, scope->len) == 0)
           ? mark : NULL;
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

    ngx_http_payer_memory_hang(node, temp, p, sentinel);
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
    ngx_str_t                        scope;
    ngx_rbtree_node_t              **p;
    ngx_http_payer_memory_mark_t    *mark, *other;

    mark = ngx_http_payer_memory_listed(node);

    for ( ;; ) {

        other = ngx_http_payer_memory_listed(temp);

        scope.data = other->entry->data;
        scope.len = other->entry->scope;

        p = (ngx_http_payer_memory_compare(mark, &scope, mark->label.updated,
                                           other->label.updated, other->serial)
             > 0)
            ? &temp->left : &temp->right;

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
    ngx_str_t                        scope;
    ngx_rbtree_node_t              **p;
    ngx_http_payer_memory_mark_t    *mark, *other;

    mark = ngx_http_payer_memory_due(node);

    for ( ;; ) {

        other = ngx_http_payer_memory_due(temp);

        scope.data = other->entry->data;
        scope.len = other->entry->scope;

        p = (ngx_http_payer_memory_compare(mark, &scope, mark->label.due,
                                           other->label.due, other->serial)
             < 0)
            ? &temp->left : &temp->right;

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
