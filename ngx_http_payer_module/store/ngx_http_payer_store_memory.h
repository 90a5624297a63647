
/*
 * The entries of the memory store, and the trees that they hang in.  All
 * functions are called with the mutex of the zone held.
 */


#ifndef _NGX_HTTP_PAYER_STORE_MEMORY_H_INCLUDED_
#define _NGX_HTTP_PAYER_STORE_MEMORY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_store.h"


typedef struct {
    ngx_rbtree_t            hashed;
    ngx_rbtree_t            sorted;
    ngx_rbtree_t            expiring;
    ngx_rbtree_node_t       hashed_sentinel;
    ngx_rbtree_node_t       sorted_sentinel;
    ngx_rbtree_node_t       expiring_sentinel;
} ngx_http_payer_memory_t;


typedef struct {
    ngx_rbtree_node_t       hashed;             /* key: hash of the key */
    ngx_rbtree_node_t       sorted;
    ngx_rbtree_node_t       expiring;           /* key: time; 0: not linked */
    uint32_t                size;               /* of all this */
    uint32_t                key_len;
    uint32_t                value_len;
    u_char                  data[1];            /* the key, then the value */
} ngx_http_payer_memory_entry_t;


#define ngx_http_payer_memory_expiring(node)                                  \
    ngx_rbtree_data(node, ngx_http_payer_memory_entry_t, expiring)

#define ngx_http_payer_memory_value(entry)  ((entry)->data + (entry)->key_len)


void ngx_http_payer_memory_init(ngx_http_payer_memory_t *memory);

/* puts an entry that is complete into the trees */
void ngx_http_payer_memory_link(ngx_http_payer_memory_t *memory,
    ngx_http_payer_memory_entry_t *entry);

/* takes the entry out of the trees and frees it */
void ngx_http_payer_memory_delete(ngx_http_payer_zone_t *zone,
    ngx_http_payer_memory_entry_t *entry);

/* the entry with this key, whose hash is given, or NULL */
ngx_http_payer_memory_entry_t *ngx_http_payer_memory_lookup(
    ngx_http_payer_memory_t *memory, ngx_rbtree_key_t hash, ngx_str_t *key);

/* the entry with the least key that begins with "prefix" and is greater than
 * "after", or NULL */
ngx_http_payer_memory_entry_t *ngx_http_payer_memory_seek(
    ngx_http_payer_memory_t *memory, ngx_str_t *prefix, ngx_str_t *after);


#endif /* _NGX_HTTP_PAYER_STORE_MEMORY_H_INCLUDED_ */
