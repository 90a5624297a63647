
/*
 * The shared memory of "payer_zone": tokens with their leases, claims in
 * flight, counters, and the root of the memory store.  It is kept after a
 * reload and lost after a restart.
 *
 * Functions take and free the zone's mutex by themselves; under it nothing is
 * logged, evaluated, or allocated from a pool.  Counters need no mutex.
 */


#ifndef _NGX_HTTP_PAYER_ZONE_H_INCLUDED_
#define _NGX_HTTP_PAYER_ZONE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_HTTP_PAYER_KEY_LEN    32

/*
 * A clock that was wrong, or is wrong now, makes links in use look old.  As
 * this cannot be known, nothing is deleted for this time after the clock has
 * jumped ahead: after it all earlier links have expired.
 */
#define NGX_HTTP_PAYER_ZONE_HOLD  (31 * 86400)
#define NGX_HTTP_PAYER_ZONE_LEAP  86400

/*
 * Claims, tokens and reads share the zone with the entries of the memory
 * store, and are more important than a new payment: these pages are reserved
 * for them.
 */
#define ngx_http_payer_zone_reserve(zone)                                     \
    ((ngx_uint_t) ((zone)->shm_zone->shm.size / ngx_pagesize / 8))

/* room for what ngx_http_payer_counter.h counts */

#define NGX_HTTP_PAYER_COUNTERS   728

/* that are told apart; more of them share what one has */
#define NGX_HTTP_PAYER_ZONE_PROCESSES  128


typedef struct ngx_http_payer_token_node_s  ngx_http_payer_token_node_t;


typedef struct {
    ngx_rbtree_t                  claims;
    ngx_rbtree_node_t             claims_sentinel;
    ngx_queue_t                   claims_queue; /* the same, for cleaning */
    ngx_queue_t                   tokens;       /* ..._token_node_t */
    ngx_queue_t                   notes;        /* see zone_note.c */
    ngx_rbtree_t                  reads;        /* see zone_read.c */
    ngx_rbtree_node_t             reads_sentinel;
    ngx_queue_t                   reads_queue;  /* the same, for cleaning */
    void                         *memory;       /* root of the memory store */
    time_t                        epoch;        /* of the monotonic clock */
    time_t                        held;         /* nothing is dropped until */
    ngx_atomic_t                  clock_known;  /* compared with the store's */
    u_char                        mode[8];      /* of the memory store */

    /* of a store in files: which of its files this is, up to which one they
     * are closed, and what identifies it; see store_lmdb_watch.c */
    ngx_atomic_t                  store_generation;
    ngx_atomic_t                  store_closed;
    ngx_atomic_t                  store_inode;

    /* of a store on other machines: the highest timeline that was seen, which
     * worker processes are without it, and whose writes do not end, bit by
     * bit; and how many calls wait in each process */
    ngx_atomic_t                  store_timeline;
    ngx_atomic_t                  store_down;
    ngx_atomic_t                  store_hung;
    ngx_atomic_t                  store_queued[NGX_HTTP_PAYER_ZONE_PROCESSES];

    ngx_atomic_t                  serial;       /* names owners of leases */
    uint64_t                      instance;     /* random: tells this zone
                                                 * from those of others */
    ngx_atomic_t                  skipped;      /* background requests */
    ngx_atomic_t                  swept;        /* when, in seconds */
    ngx_atomic_t                  owed;         /* notifications, and since */
    ngx_atomic_t                  owed_since;   /* when the oldest; seconds */
    ngx_atomic_t                  owed_counted; /* when that was counted */
    ngx_atomic_t                  counters[NGX_HTTP_PAYER_COUNTERS];
} ngx_http_payer_zone_sh_t;


typedef struct {
    ngx_shm_zone_t               *shm_zone;
    ngx_slab_pool_t              *shpool;
    ngx_http_payer_zone_sh_t     *sh;

    /*
     * called when the paths have been created, before worker processes start:
     * NGX_ERROR (logged) rejects the configuration; may be NULL
     */
    ngx_int_t                   (*admit)(void *data, ngx_log_t *log);
    void                         *data;

    /*
     * the kind of host of its payments: "live", "test", "other"; another one
     * is rejected.  Empty if they are stored elsewhere
     */
    ngx_str_t                     mode;
} ngx_http_payer_zone_t;


#define NGX_HTTP_PAYER_OWNER_LEN  16

/*
 * a claim that is held: owner 0 means none.  In a store of several nginx
 * instances it has a unique id.
 */
typedef struct {
    ngx_uint_t                    owner;
    ngx_str_t                     key;          /* kept by the caller */
    ngx_msec_t                    lease;
    u_char                        id[NGX_HTTP_PAYER_OWNER_LEN];
    unsigned                      taken:1;      /* in the store, too */
} ngx_http_payer_claim_t;


/* init handler of the shared memory; shm_zone->data is the zone */
ngx_int_t ngx_http_payer_zone_init(ngx_shm_zone_t *shm_zone, void *data);

/* a hash of the key, for trees that order equal hashes by their keys */
ngx_rbtree_key_t ngx_http_payer_zone_hash(ngx_str_t *key);

/*
 * claims the key for "lease" milliseconds unless it is claimed: NGX_OK,
 * NGX_BUSY, or NGX_ERROR when the zone is full.  A claim whose lease has
 * expired is taken over, so that a killed worker process does not block
 * longer.
 */
ngx_int_t ngx_http_payer_zone_claim(ngx_http_payer_zone_t *zone,
    ngx_str_t *key, ngx_msec_t lease, ngx_http_payer_claim_t *claim);

/* extends it for another "lease" milliseconds, if it is still held */
void ngx_http_payer_zone_extend(ngx_http_payer_zone_t *zone,
    ngx_http_payer_claim_t *claim, ngx_msec_t lease);

/* releases the claim; one that was taken over meanwhile is not changed */
void ngx_http_payer_zone_unclaim(ngx_http_payer_zone_t *zone,
    ngx_http_payer_claim_t *claim);

/*
 * the claim is held in another zone: it is not requested here before so many
 * milliseconds have passed
 */
void ngx_http_payer_zone_defer(ngx_http_payer_zone_t *zone,
    ngx_http_payer_claim_t *claim, ngx_msec_t pause);

/*
 * the time until which nothing may be deleted for its age; "leapt" is set if
 * the clock has jumped ahead since the last call of any process.  The mutex is
 * held.
 */
time_t ngx_http_payer_zone_hold(ngx_http_payer_zone_t *zone,
    ngx_uint_t *leapt);


#endif /* _NGX_HTTP_PAYER_ZONE_H_INCLUDED_ */
