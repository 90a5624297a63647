
/*
 * The entries of the memory store, where they are found (_tree.c), how they
 * are written (_write.c), and the operations that answer several of them
 * (_list.c).
 */


#ifndef _NGX_HTTP_PAYER_STORE_MEMORY_H_INCLUDED_
#define _NGX_HTTP_PAYER_STORE_MEMORY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_store.h"


typedef struct ngx_http_payer_memory_entry_s  ngx_http_payer_memory_entry_t;
typedef struct ngx_http_payer_memory_mark_s   ngx_http_payer_memory_mark_t;


typedef struct {
    ngx_http_payer_memory_entry_t  **hashed;    /* a list for each hash */
    ngx_uint_t                       unused;    /* bits, of 64 of a hash */
    ngx_rbtree_t                     sorted;
    ngx_rbtree_t                     expiring;
    ngx_rbtree_node_t                sentinel;  /* of all trees */
    ngx_queue_t                      scopes;
    uint64_t                         serial;
} ngx_http_payer_memory_t;


/* the indexes of entries whose keys begin alike; few, and they stay */

typedef struct {
    ngx_queue_t             queue;
    ngx_rbtree_t            listed;             /* the newest first */
    ngx_rbtree_t            due;
    size_t                  len;
    u_char                  data[1];
} ngx_http_payer_memory_scope_t;


struct ngx_http_payer_memory_entry_s {
    ngx_http_payer_memory_entry_t  *next;       /* with the same hash */
    ngx_rbtree_key_t        hash;               /* of the key */
    ngx_rbtree_node_t       sorted;
    ngx_rbtree_node_t       expiring;           /* key: time; 0: not linked */
    ngx_http_payer_memory_mark_t  *mark;        /* NULL: it has no label */
    uint64_t                rev;
    uint32_t                size;               /* of all this */
    uint32_t                value_len;
    uint16_t                key_len;
    u_char                  alias;              /* the value is another key */
    u_char                  data[1];            /* the key, then the value */
};


/* the label of an entry, and its place in the indexes */

struct ngx_http_payer_memory_mark_s {
    ngx_rbtree_node_t                listed;    /* key: label.updated */
    ngx_rbtree_node_t                due;       /* key: label.due */
    ngx_http_payer_label_t           label;
    uint64_t                         serial;    /* tells those of one second
                                                 * apart */
    ngx_http_payer_memory_entry_t   *entry;
    ngx_http_payer_memory_scope_t   *scope;
};


/* what a put() does to one entry */

typedef struct {
    ngx_rbtree_key_t                hash;
    ngx_http_payer_memory_entry_t  *old;        /* what is stored, or NULL */
    ngx_http_payer_memory_entry_t  *fresh;      /* NULL: it fits into "old",
                                                 * or is a delete */
    ngx_http_payer_memory_mark_t   *mark;       /* NULL: "old" has one, or
                                                 * none is needed */
    ngx_uint_t                      linked;     /* unsigned  linked:1;  the
                                                 * mark stays where it is */
    ngx_uint_t                      skipped;    /* unsigned  skipped:1;  there
                                                 * was no room */
} ngx_http_payer_memory_change_t;


/* the entries of a put(), and behind them their aliases as entries */

typedef struct {
    ngx_http_payer_store_entry_t   *entries;
    ngx_uint_t                      n;
    ngx_uint_t                      aliases;
    ngx_http_payer_store_entry_t    alias[NGX_HTTP_PAYER_STORE_MAX_ENTRIES];
    ngx_http_payer_memory_change_t  changes[
                                         2 * NGX_HTTP_PAYER_STORE_MAX_ENTRIES];
} ngx_http_payer_memory_put_t;


#define ngx_http_payer_memory_nth(put, i)                                     \
    ((i) < (put)->n ? &(put)->entries[i] : &(put)->alias[(i) - (put)->n])

#define ngx_http_payer_memory_expiring(node)                                  \
    ngx_rbtree_data(node, ngx_http_payer_memory_entry_t, expiring)

#define ngx_http_payer_memory_value(entry)  ((entry)->data + (entry)->key_len)

/* the mutex of the zone is held for all of these */

/* NULL: the zone is too small */
ngx_http_payer_memory_t *ngx_http_payer_memory_init(
    ngx_http_payer_zone_t *zone);

/* makes a complete entry known */
void ngx_http_payer_memory_link(ngx_http_payer_memory_t *memory,
    ngx_http_payer_memory_entry_t *entry);

/* the indexes of that name, NULL: there are none */
ngx_http_payer_memory_scope_t *ngx_http_payer_memory_scope(
    ngx_http_payer_memory_t *memory, u_char *name, size_t len);
void ngx_http_payer_memory_scope_init(ngx_http_payer_memory_t *memory,
    ngx_http_payer_memory_scope_t *scope, u_char *name, size_t len);

/* takes a mark out of the indexes, and puts one that is complete there */
void ngx_http_payer_memory_unlink_mark(ngx_http_payer_memory_mark_t *mark);
void ngx_http_payer_memory_link_mark(ngx_http_payer_memory_mark_t *mark);

/* takes the entry out of the trees and frees it, but for its mark, which is
 * in no index any more */
void ngx_http_payer_memory_delete(ngx_http_payer_zone_t *zone,
    ngx_http_payer_memory_entry_t *entry);

/* the entry with this key, whose hash is given, or NULL */
ngx_http_payer_memory_entry_t *ngx_http_payer_memory_lookup(
    ngx_http_payer_memory_t *memory, ngx_rbtree_key_t hash, ngx_str_t *key);

/* what an alias leads to, which may be nothing; else the entry itself */
ngx_http_payer_memory_entry_t *ngx_http_payer_memory_follow(
    ngx_http_payer_memory_t *memory, ngx_http_payer_memory_entry_t *entry);

/*
 * the mark that comes first in the index of those that were updated before, or
 * in that second and have a lesser serial; and the one that is due first.
 * NULL: none.
 */
ngx_http_payer_memory_mark_t *ngx_http_payer_memory_older(
    ngx_http_payer_memory_scope_t *scope, time_t updated, uint64_t serial);
ngx_http_payer_memory_mark_t *ngx_http_payer_memory_first_due(
    ngx_http_payer_memory_scope_t *scope);

/* the entry with the least key that begins with "prefix" and is greater than
 * "after", or NULL */
ngx_http_payer_memory_entry_t *ngx_http_payer_memory_seek(
    ngx_http_payer_memory_t *memory, ngx_str_t *prefix, ngx_str_t *after);

/* the entry as an item, whose texts are in "buf" of BUF bytes */
void ngx_http_payer_memory_item(ngx_http_payer_memory_entry_t *entry,
    ngx_http_payer_item_t *item, u_char *buf);

#define NGX_HTTP_PAYER_MEMORY_BUF                                             \
    (NGX_HTTP_PAYER_STORE_MAX_KEY + NGX_HTTP_PAYER_STORE_MAX_VALUE)


/*
 * A put() in three steps: the aliases of its entries; the room for all of them
 * or none, with nothing changed yet: NGX_OK or NGX_ERROR (the zone is full);
 * the writing: NULL, or the first entry, if its merge declined.  The mutex is
 * held for the latter two.
 */
void ngx_http_payer_memory_begin(ngx_http_payer_memory_put_t *put);
ngx_int_t ngx_http_payer_memory_prepare(ngx_http_payer_zone_t *zone,
    ngx_http_payer_memory_put_t *put);
ngx_http_payer_memory_entry_t *ngx_http_payer_memory_apply(
    ngx_http_payer_zone_t *zone, ngx_http_payer_memory_put_t *put,
    uint64_t *rev);


/* operations of the store */

ngx_int_t ngx_http_payer_memory_scan(ngx_http_payer_store_t *store,
    ngx_str_t *prefix, ngx_str_t *after, ngx_uint_t limit,
    ngx_http_payer_io_t *io);
ngx_int_t ngx_http_payer_memory_list(ngx_http_payer_store_t *store,
    ngx_http_payer_list_t *list, ngx_http_payer_io_t *io);
ngx_int_t ngx_http_payer_memory_due(ngx_http_payer_store_t *store,
    ngx_str_t *prefix, ngx_uint_t limit, time_t lease,
    ngx_http_payer_io_t *io);


#endif /* _NGX_HTTP_PAYER_STORE_MEMORY_H_INCLUDED_ */
