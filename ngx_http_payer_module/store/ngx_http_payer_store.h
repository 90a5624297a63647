
/*
 * The store of payments and operations: keys and values in one of several
 * backends with one table of operations, asynchronous to its callers.
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
#define NGX_HTTP_PAYER_STORE_MAX_ENTRIES  16        /* of one put() */
#define NGX_HTTP_PAYER_STORE_MAX_ITEMS    500       /* of one answer */
#define NGX_HTTP_PAYER_STORE_MAX_PAGE     1048576   /* bytes of these */
#define NGX_HTTP_PAYER_STORE_MAX_SCOPE    400       /* "kind/merchant/" */
#define NGX_HTTP_PAYER_STORE_MAX_LOOKS    2000      /* of one list() */


typedef struct ngx_http_payer_store_s     ngx_http_payer_store_t;
typedef struct ngx_http_payer_io_s        ngx_http_payer_io_t;
typedef struct ngx_http_payer_store_lent_s  ngx_http_payer_store_lent_t;


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
 * What the indexes know of an entry.  One whose label is all zero is in none
 * of them and costs nothing.  The indexes are of the entries whose keys begin
 * alike as far as the second slash, as "order/4711/" does.
 */
typedef struct {
    time_t                          updated;    /* seconds; list() shows the
                                                 * newest first; 0: never */
    time_t                          due;        /* when due() hands it out,
                                                 * seconds; 0: never */
    uint32_t                        attention;  /* bits: why somebody should
                                                 * look at it; 0: no reason */
    uint32_t                        state;      /* 0 to 63; for list() */
} ngx_http_payer_label_t;


/*
 * says what the label of an entry is to be when it is about to be written, as
 * it is after the merge: "fresh" is what the caller has given; "stored", of
 * what is there, is NULL if nothing is, and all zero if that had none.  As
 * pure as a merge.
 */
typedef void (*ngx_http_payer_describe_pt)(ngx_str_t *value,
    ngx_http_payer_label_t *stored, ngx_http_payer_label_t *fresh);


/* an entry as scan(), list() and due() answer it, in io->pool */
typedef struct {
    ngx_str_t                       key;        /* its own, never an alias */
    ngx_str_t                       value;
    uint64_t                        rev;
    ngx_http_payer_label_t          label;
} ngx_http_payer_item_t;


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
    ngx_str_t                       key;        /* of get(): the entry's, if
                                                 * it was asked for by an
                                                 * alias; else empty */
    ngx_str_t                       value;      /* see the operations */
    ngx_http_payer_item_t          *items;      /* of scan(), list(), due() */
    ngx_uint_t                      nitems;
    size_t                          bytes;      /* of their values */
    ngx_str_t                       next;       /* of list(): the cursor */
    uint64_t                        rev;        /* of value: another one after
                                                 * each write; 0: nothing is
                                                 * stored, or not known */
    ngx_msec_t                      left;       /* with NGX_BUSY: of the
                                                 * lease, milliseconds */
    unsigned                        kept:1;     /* of put(): the merge of the
                                                 * first entry declined */
    unsigned                        confirm:1;  /* of get(), by the caller:
                                                 * NGX_DECLINED only if that is
                                                 * beyond doubt, as it decides
                                                 * something */
};


/* what a put does with a claim, in the same transaction */
typedef enum {
    NGX_HTTP_PAYER_CLAIM_NONE = 0,
    NGX_HTTP_PAYER_CLAIM_TAKE,          /* NGX_BUSY if it is somebody else's:
                                         * nothing is written */
    NGX_HTTP_PAYER_CLAIM_RELEASE        /* released, if it is still ours */
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
    ngx_str_t                       alias;      /* another key by which it is
                                                 * found, too; empty: none.
                                                 * Those that it had before
                                                 * lead to it until they
                                                 * expire */
    ngx_uint_t                      spare;      /* left out where there is no
                                                 * room for it; not of the
                                                 * first entry */
    ngx_http_payer_label_t          label;
    ngx_http_payer_describe_pt      describe;   /* NULL: the label is as it
                                                 * stands here */
} ngx_http_payer_store_entry_t;


/* what list() is to show */
typedef struct {
    ngx_str_t                       prefix;     /* "kind/merchant/" */
    uint64_t                        states;     /* bits 1 << state; 0: all */
    uint32_t                        attention;  /* those that have one of
                                                 * these bits; 0: all */
    time_t                          from;       /* updated then or later; 0 */
    time_t                          to;         /* and before that; 0: open */
    ngx_str_t                       after;      /* io->next of the answer
                                                 * before; empty: the newest */
    ngx_uint_t                      limit;      /* of items */
} ngx_http_payer_list_t;


/* what a store tells of itself */
typedef struct {
    ngx_uint_t                      up;         /* unsigned  up:1; */
    ngx_uint_t                      hanging;    /* unsigned  hanging:1; reads
                                                 * only */
    ngx_uint_t                      queued;     /* calls that wait */
    ngx_str_t                       detail;     /* where it is, or why it is
                                                 * down; may be empty */
} ngx_http_payer_store_status_t;


/*
 * All operations answer NGX_OK, NGX_DECLINED (no such key), NGX_ERROR
 * (logged) or NGX_AGAIN (the handler will be called with one of the others).
 * A text that they are given need not stay after they return.
 *
 * put() writes all entries or none, durably as far as the backend can; their
 * keys differ, and it has copied them when it returns.  An entry whose merge
 * declines is left as it is stored, the others are written, and the answer is
 * NGX_OK; if the first entry has a merge, io->value becomes what is now stored
 * under its key (possibly the caller's own bytes, which the merge may have
 * edited), and io->kept says whether that is the value of another writer.
 * "io" may be NULL if no request waits.  After forget() a put is completed
 * without a report.  A put without entries is for a claim alone.
 *
 * scan(), list() and due() answer as many items as "limit" says at the most,
 * and fewer if those would be more than MAX_PAGE bytes; NGX_DECLINED if there
 * is none.  list() may have found fewer after it has looked at MAX_LOOKS
 * entries, even none (NGX_OK then): while io->next is not empty there may be
 * more.  An invalid cursor finds nothing.
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

    /* io->value and io->rev */
    ngx_int_t     (*get)(ngx_http_payer_store_t *store, ngx_str_t *key,
                      ngx_http_payer_io_t *io);

    /* the merge of a delete gets an empty "fresh" */
    ngx_int_t     (*put)(ngx_http_payer_store_t *store,
                      ngx_http_payer_store_entry_t *entries, ngx_uint_t n,
                      ngx_http_payer_claim_act_e act,
                      ngx_http_payer_claim_t *claim, ngx_http_payer_io_t *io);

    /*
     * entries in the order of keys, which is that of their bytes, that begin
     * with "prefix" and are greater than "after".  An alias is followed: the
     * item is what it leads to, in the order of the aliases, so that only the
     * caller knows "after" of the next page: a prefix of aliases is for one
     * page.
     */
    ngx_int_t     (*scan)(ngx_http_payer_store_t *store, ngx_str_t *prefix,
                      ngx_str_t *after, ngx_uint_t limit,
                      ngx_http_payer_io_t *io);

    /* the entries of an index, those that were updated last first */
    ngx_int_t     (*list)(ngx_http_payer_store_t *store,
                      ngx_http_payer_list_t *list, ngx_http_payer_io_t *io);

    /*
     * entries whose time has come, the oldest first, "prefix" as of an index.
     * Each is leased: in the same transaction its time is set to "lease"
     * seconds from now, so that no other caller gets it before that time.  A
     * put with another label.due, or 0, ends that.
     */
    ngx_int_t     (*due)(ngx_http_payer_store_t *store, ngx_str_t *prefix,
                      ngx_uint_t limit, time_t lease,
                      ngx_http_payer_io_t *io);

    /*
     * An exclusive claim on a key, see ngx_http_payer_zone_claim().  It
     * excludes the other worker processes of this nginx only; a put that takes
     * it excludes other nginx instances with the same store.  It ends with its
     * lease, or when the process that has it has exited.
     *
     * unclaim() releases it for this nginx at once, and for others as soon as
     * the store has the release.  If a request of this nginx has taken it
     * again by then, that request keeps it.
     */
    ngx_int_t     (*claim)(ngx_http_payer_store_t *store, ngx_str_t *key,
                      ngx_msec_t lease, ngx_http_payer_claim_t *claim);
    void          (*extend)(ngx_http_payer_store_t *store,
                      ngx_http_payer_claim_t *claim, ngx_msec_t lease);
    void          (*unclaim)(ngx_http_payer_store_t *store,
                      ngx_http_payer_claim_t *claim);

    void          (*forget)(ngx_http_payer_io_t *io);

    /* NULL: it is always up */
    void          (*status)(ngx_http_payer_store_t *store,
                      ngx_http_payer_store_status_t *status);
} ngx_http_payer_store_ops_t;


struct ngx_http_payer_store_s {
    ngx_http_payer_store_ops_t     *ops;
    ngx_http_payer_zone_t          *zone;
    void                           *data;       /* of the backend */

    /*
     * the host of its payments: a store that was created for "test" has none
     * of "live", and so on; empty: not known
     */
    ngx_str_t                       mode;       /* "live", "test", "other" */
    ngx_str_t                       host;

    /* while the configuration is read: the parameters behind the name, how the
     * first line of a file becomes a secret, and whether one server at least
     * has "payer_insecure_upstream on" */
    ngx_str_t                      *params;
    ngx_uint_t                      nparams;
    ngx_int_t                     (*secret)(ngx_conf_t *cf, ngx_str_t *name,
                                        ngx_str_t *secret);
    ngx_uint_t                      insecure;   /* unsigned  insecure:1; */

    ngx_http_payer_store_lent_t    *lent;       /* to another module */

    /*
     * how entries of that key are described, for those that were written
     * before there were labels: NULL if they have none.  NULL itself: none
     * has.  As pure as a merge.
     */
    ngx_http_payer_describe_pt    (*describer)(ngx_str_t *key);
};


/*
 * picks the backend that "value" of the payer_store directive names and
 * configures it with store->params: NGX_CONF_OK or an error that is logged or
 * for the parser
 */
char *ngx_http_payer_store_configure(ngx_conf_t *cf,
    ngx_http_payer_store_t *store, ngx_str_t *value);

/* the same of a backend in another module, which is named */
char *ngx_http_payer_store_foreign(ngx_conf_t *cf,
    ngx_http_payer_store_t *store, ngx_str_t *value, char *module);


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

/*
 * for backends: room for the items of an answer, and another one of them:
 * NGX_OK, NGX_ERROR (logged), or NGX_DONE if the page is full without it.
 * "limit" is what it may be afterwards.
 */
ngx_int_t ngx_http_payer_store_items(ngx_http_payer_io_t *io,
    ngx_uint_t *limit);
ngx_int_t ngx_http_payer_store_add(ngx_http_payer_io_t *io,
    ngx_http_payer_item_t *item);

/*
 * for backends: the length of the part of the key that names its index; 0:
 * none
 */
size_t ngx_http_payer_store_scope(ngx_str_t *key);

/* for backends: whether list() shows an entry with this label */
ngx_uint_t ngx_http_payer_store_shown(ngx_http_payer_list_t *list,
    ngx_http_payer_label_t *label);

/*
 * for backends: room for what a list shows, and its place, which is older than
 * the one that is answered: NGX_OK, NGX_ERROR, or NGX_DECLINED if
 * "list->after" is no cursor; and the end, when there may be more behind a
 * place: NGX_OK or NGX_ERROR.  "serial" tells entries of one second apart.
 */
ngx_int_t ngx_http_payer_store_begin_list(ngx_http_payer_list_t *list,
    ngx_http_payer_io_t *io, time_t *updated, uint64_t *serial);
ngx_int_t ngx_http_payer_store_end_list(ngx_http_payer_io_t *io,
    time_t updated, uint64_t serial);

/* for backends: whether an entry of that label is in an index */
#define ngx_http_payer_store_labelled(label)                                  \
    ((label)->updated || (label)->due || (label)->attention || (label)->state)


/* for backends: the later of two times after which to drop; 0 is never */
#define ngx_http_payer_store_later(one, other)                                \
    (((one) == 0 || (other) == 0) ? 0 : ngx_max(one, other))


extern ngx_http_payer_store_ops_t  ngx_http_payer_store_memory_ops;
#if (NGX_HTTP_PAYER_LMDB)
extern ngx_http_payer_store_ops_t  ngx_http_payer_store_lmdb_ops;
#endif


#endif /* _NGX_HTTP_PAYER_STORE_H_INCLUDED_ */
