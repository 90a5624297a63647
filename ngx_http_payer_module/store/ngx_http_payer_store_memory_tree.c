
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


static void ngx_http_payer_memory_insert_hashed(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static void ngx_http_payer_memory_insert_sorted(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);


void
ngx_http_payer_memory_init(ngx_http_payer_memory_t *memory)
{
    ngx_rbtree_init(&memory->hashed, &memory->hashed_sentinel,
                    ngx_http_payer_memory_insert_hashed);
    ngx_rbtree_init(&memory->sorted, &memory->sorted_sentinel,
                    ngx_http_payer_memory_insert_sorted);
    ngx_rbtree_init(&memory->expiring, &memory->expiring_sentinel,
                    ngx_rbtree_insert_value);
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
