
/*
 * Where payments and operations are kept: keys and values in one of several
 * backends behind one table of operations, asynchronous to its callers.
 *
 * Keys are texts that an operator can read, such as "order/4711/10023";
 * values are records (ngx_http_payer_record.h).
 */


#ifndef _NGX_HTTP_PAYER_STORE_H_INCLUDED_
#define _NGX_HTTP_PAYER_STORE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_zone.h"


#define NGX_HTTP_PAYER_STORE_MAX_KEY      511
#define NGX_HTTP_PAYER_STORE_MAX_VALUE    16384
#define NGX_HTTP_PAYER_STORE_MAX_ENTRIES  8         /* of one put() */


typedef struct ngx_http_payer_store_s     ngx_http_payer_store_t;
typedef struct ngx_http_payer_io_s        ngx_http_payer_io_t;


typedef void (*ngx_http_payer_io_handler_pt)(ngx_http_payer_io_t *io);

/*
 * decides at the moment of writing, when no other writer can interfere,
 * whether "fresh" replaces "stored": NGX_OK (possibly after editing "fresh"
 * in place, never its length) or NGX_DECLINED to keep what is stored.  Called
 * only if something is stored under the key.  Runs under the zone's mutex or
 * in a thread: pure, no logging, no allocation.
 */
typedef ngx_int_t (*ngx_http_payer_merge_pt)(ngx_str_t *stored,
    ngx_str_t *fresh);

/*
 * decides, at the same moment and by the same rules, whether an entry is
 * written at all, by what became of the first entry of the put: "before" was
 * stored under its key and "after" is now, each with length 0 if there is
 * nothing.  It comes before the entry's own merge.
 */
typedef ngx_int_t (*ngx_http_payer_when_pt)(ngx_str_t *before,
    ngx_str_t *after, ngx_str_t *fresh);


/*
 * One call in flight.  The caller owns it (as a rule in a request's pool)
 * and has to call forget() before it goes away while "pending" is set.
 * The handler is called only after the operation returned NGX_AGAIN, from
 * the event loop, with rc and value set.
 */
struct ngx_http_payer_io_s {
    ngx_pool_t                     *pool;       /* for the value; NULL: it
                                                 * is not wanted any more */
    ngx_http_payer_io_handler_pt    handler;
    void                           *data;
    void                           *pending;    /* of the backend */
    ngx_int_t                       rc;
    ngx_str_t                       key;        /* of next() */
    ngx_str_t                       value;      /* see the operations */
    ngx_msec_t                      left;       /* with NGX_BUSY: of the
                                                 * lease, milliseconds */
    unsigned                        kept:1;     /* of put(): the merge of the
                                                 * first entry declined */
};


/* what a put does with a claim, in the same transaction */
typedef enum {
    NGX_HTTP_PAYER_CLAIM_NONE = 0,
    NGX_HTTP_PAYER_CLAIM_TAKE,          /* NGX_BUSY if it is somebody else's:
                                         * nothing is written */
    NGX_HTTP_PAYER_CLAIM_RELEASE        /* given back, if it is ours still */
} ngx_http_payer_claim_act_e;


typedef struct {
    ngx_str_t                       key;
    ngx_str_t                       value;      /* data == NULL: delete */
    time_t                          expires;    /* may be dropped after this
                                                 * second; 0: never; what is
                                                 * there stays as long as it
                                                 * was to stay */
    ngx_http_payer_merge_pt         merge;      /* NULL: replace */
    ngx_http_payer_when_pt          when;       /* NULL: always; not of the
                                                 * first entry */
} ngx_http_payer_store_entry_t;


/*
 * All operations answer NGX_OK, NGX_DECLINED (no such key), NGX_ERROR
 * (logged) or NGX_AGAIN (the handler will be called with one of the others).
 *
 * put() writes all entries or none, durably as far as the backend can; their
 * keys differ, and it has copied them when it returns.  An entry whose merge
 * declines is left as it is stored, the others are written, and the answer is
 * NGX_OK; if the first entry has a merge, io->value becomes what is now
 * stored under its key (possibly the caller's own bytes, which the merge may
 * have edited), and io->kept says whether that is somebody else's.  "io" may
 * be NULL when nobody waits.  After forget() a put goes on but reports to
 * nobody.
 */
typedef struct {
    ngx_str_t     name;                         /* "memory", "lmdb" */

    /* in the master while the configuration is read: the text behind the
     * name and its colon, e.g. DIR of "lmdb:DIR" */
    char         *(*configure)(ngx_conf_t *cf, ngx_http_payer_store_t *store,
                      ngx_str_t *value);

    /* the same when the host is known: NGX_OK or NGX_ERROR (logged) */
    ngx_int_t     (*check)(ngx_conf_t *cf, ngx_http_payer_store_t *store);

    /* in the master, after shared memory is there, before workers start;
     * NULL if there is nothing to do */
    ngx_int_t     (*init_module)(ngx_cycle_t *cycle,
                      ngx_http_payer_store_t *store);

    /* in every worker; NULL if there is nothing to do */
    ngx_int_t     (*init_process)(ngx_cycle_t *cycle,
                      ngx_http_payer_store_t *store);
    void          (*exit_process)(ngx_cycle_t *cycle,
                      ngx_http_payer_store_t *store);

    ngx_int_t     (*get)(ngx_http_payer_store_t *store, ngx_str_t *key,
                      ngx_http_payer_io_t *io);

    /* the merge of a delete gets an empty "fresh" */
    ngx_int_t     (*put)(ngx_http_payer_store_t *store,
                      ngx_http_payer_store_entry_t *entries, ngx_uint_t n,
                      ngx_http_payer_claim_act_e act,
                      ngx_http_payer_claim_t *claim, ngx_http_payer_io_t *io);

    /* the first entry in the order of keys, which is that of their bytes,
     * that begins with "prefix" and is greater than "after" */
    ngx_int_t     (*next)(ngx_http_payer_store_t *store, ngx_str_t *prefix,
                      ngx_str_t *after, ngx_http_payer_io_t *io);

    /*
     * An exclusive claim on a key, see ngx_http_payer_zone_claim().  It keeps
     * out the workers of this nginx; a put that takes it keeps out any other
     * nginx that has the store.
     */
    ngx_int_t     (*claim)(ngx_http_payer_store_t *store, ngx_str_t *key,
                      ngx_msec_t lease, ngx_http_payer_claim_t *claim);
    void          (*extend)(ngx_http_payer_store_t *store,
                      ngx_http_payer_claim_t *claim, ngx_msec_t lease);
    void          (*unclaim)(ngx_http_payer_store_t *store,
                      ngx_http_payer_claim_t *claim);

    void          (*forget)(ngx_http_payer_io_t *io);
} ngx_http_payer_store_ops_t;


struct ngx_http_payer_store_s {
    ngx_http_payer_store_ops_t     *ops;
    ngx_http_payer_zone_t          *zone;
    void                           *data;       /* of the backend */

    /* where its payments are: a store that was made for "test" holds none of
     * "live", and so on; empty: not known */
    ngx_str_t                       mode;       /* "live", "test", "other" */
    ngx_str_t                       host;
};


/*
 * picks the backend that "value" of the payer_store directive names and
 * configures it: NGX_CONF_OK or an error that is logged or for the parser
 */
char *ngx_http_payer_store_configure(ngx_conf_t *cf,
    ngx_http_payer_store_t *store, ngx_str_t *value);


/* claims of the backends that serve one host: those of the zone */
ngx_int_t ngx_http_payer_store_claim(ngx_http_payer_store_t *store,
    ngx_str_t *key, ngx_msec_t lease, ngx_http_payer_claim_t *claim);
void ngx_http_payer_store_extend(ngx_http_payer_store_t *store,
    ngx_http_payer_claim_t *claim, ngx_msec_t lease);
void ngx_http_payer_store_unclaim(ngx_http_payer_store_t *store,
    ngx_http_payer_claim_t *claim);

/* whether a put is within the limits above; logs if not: NGX_OK, NGX_ERROR */
ngx_int_t ngx_http_payer_store_check(ngx_http_payer_store_entry_t *entries,
    ngx_uint_t n);

/* for backends: a text of io, in its pool: NGX_OK or NGX_ERROR (logged) */
ngx_int_t ngx_http_payer_store_copy(ngx_http_payer_io_t *io, ngx_str_t *dst,
    u_char *data, size_t len);


/* for backends: the later of two times after which to drop; 0 is never */
#define ngx_http_payer_store_later(one, other)                                \
    (((one) == 0 || (other) == 0) ? 0 : ngx_max(one, other))


extern ngx_http_payer_store_ops_t  ngx_http_payer_store_memory_ops;
#if (NGX_HTTP_PAYER_LMDB)
extern ngx_http_payer_store_ops_t  ngx_http_payer_store_lmdb_ops;
#endif


#endif /* _NGX_HTTP_PAYER_STORE_H_INCLUDED_ */
