
/*
 * What the files of the LMDB store share: the environment of a process
 * (_env.c), what keeps a damaged file from ending it (_guard.c, _probe.c,
 * _watch.c), the queue of writes (_write.c), the transaction that a batch of
 * them becomes (_commit.c), what an entry (_entry.c) and an index (_index.c)
 * is, how those of a former version come to them (_upgrade.c), reading
 * (_read.c), and the table of operations (ngx_http_payer_store_lmdb.c).
 */


#ifndef _NGX_HTTP_PAYER_STORE_LMDB_H_INCLUDED_
#define _NGX_HTTP_PAYER_STORE_LMDB_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <lmdb.h>
#include "ngx_http_payer_store.h"

#if (NGX_THREADS)
#include <ngx_thread_pool.h>
#endif


/*
 * The format of keys and values: the key is sorted before all that are used,
 * its value is the version as one digit.  Version 1 had no labels; it is read,
 * and changed to version 2 by the first process that opens it, so that an
 * older module rejects it.
 */
#define NGX_HTTP_PAYER_LMDB_FORMAT_KEY   "!payer-store"
#define NGX_HTTP_PAYER_LMDB_FORMAT       '2'
#define NGX_HTTP_PAYER_LMDB_FORMER_FORMAT  '1'

/*
 * no entry is deleted before this one expires; its value is the time of a
 * write
 */
#define NGX_HTTP_PAYER_LMDB_CLOCK_KEY    "!payer-clock"

/* the host that it was made for, such as "live b2b.payer.se" */
#define NGX_HTTP_PAYER_LMDB_HOST_KEY     "!payer-host"

/* exists while a store of a former version is converted: the position */
#define NGX_HTTP_PAYER_LMDB_UPGRADE_KEY  "!payer-upgrade"

/* keys with this prefix are internal */
#define NGX_HTTP_PAYER_LMDB_OWN          '!'
#define NGX_HTTP_PAYER_LMDB_BEYOND_OWN   "\""

/* a value begins with the time after which it may be deleted */
#define NGX_HTTP_PAYER_LMDB_EXPIRES_LEN  8

/* what the head of a value is, see _entry.c */
#define NGX_HTTP_PAYER_LMDB_FORMER       0
#define NGX_HTTP_PAYER_LMDB_PLAIN        1
#define NGX_HTTP_PAYER_LMDB_ALIAS        2
#define NGX_HTTP_PAYER_LMDB_LABELLED     3
#define NGX_HTTP_PAYER_LMDB_CLAIM        4

/* a claim, see _claim.c */
#define NGX_HTTP_PAYER_LMDB_CLAIM_LEN    (NGX_HTTP_PAYER_OWNER_LEN + 24)

/* the indexes, see _index.c */
#define NGX_HTTP_PAYER_LMDB_LIST         0
#define NGX_HTTP_PAYER_LMDB_ATTENTION    1
#define NGX_HTTP_PAYER_LMDB_DUE          2
#define NGX_HTTP_PAYER_LMDB_KINDS        3


/*
 * What may be wrong with the files, also as the exit code of a child; those of
 * LMDB itself are negative, and errno is less
 */
#define NGX_HTTP_PAYER_LMDB_DAMAGED      200
#define NGX_HTTP_PAYER_LMDB_FOREIGN      201
#define NGX_HTTP_PAYER_LMDB_NEWER        202
#define NGX_HTTP_PAYER_LMDB_LIBRARY      203
#define NGX_HTTP_PAYER_LMDB_HOST         204
#define NGX_HTTP_PAYER_LMDB_CROWDED      205
#define NGX_HTTP_PAYER_LMDB_REPLACED     206
#define NGX_HTTP_PAYER_LMDB_DELETED      207
#define NGX_HTTP_PAYER_LMDB_CLOSED       208
#define NGX_HTTP_PAYER_LMDB_LAST         208
#define NGX_HTTP_PAYER_LMDB_OLD          209    /* none that is wrong */


typedef struct ngx_http_payer_lmdb_job_s  ngx_http_payer_lmdb_job_t;


typedef struct {
    size_t                  len;
    u_char                  text[256];
} ngx_http_payer_lmdb_host_t;


/* all zero: none */
typedef struct {
    ngx_uint_t              layout;
    time_t                  expires;
    uint64_t                rev;
    uint64_t                serial;     /* in the indexes; 0: in none */
    ngx_http_payer_label_t  label;
    ngx_uint_t              claimed;    /* unsigned  claimed:1; */
    u_char                  claim[NGX_HTTP_PAYER_LMDB_CLAIM_LEN];
    ngx_str_t               value;      /* what is behind it */
} ngx_http_payer_lmdb_head_t;


typedef struct {
    ngx_queue_t             queue;      /* of the environments of a process */
    ngx_str_t               path;       /* the directory, ends with a NUL */
    MDB_env                *env;        /* NULL: not open */
    MDB_dbi                 dbi;
    MDB_txn                *reader;     /* of the event loop, reset */
    MDB_txn                *writer;     /* of the batch */
    MDB_cursor             *cursor;     /* of a transaction that writes: it
                                         * finds what is on the page of the
                                         * key before without a search */
    ngx_http_payer_store_t *store;      /* in use */
    ngx_http_payer_zone_t  *zone;       /* of it */

    /* see _watch.c */
    int                     code;       /* what is wrong; 0: nothing */
    ngx_atomic_uint_t       generation;
    ngx_atomic_uint_t       inode;
    off_t                   size;       /* of the file, at the least */
    time_t                  tried;      /* to open it, in vain */
    time_t                  watched;
    time_t                  said;
    ngx_event_t             minute;
    ngx_http_payer_lmdb_host_t  host;   /* with NGX_HTTP_PAYER_LMDB_HOST */

    /* see _upgrade.c */
    ngx_uint_t              upgrade;    /* unsigned  upgrade:1; */
    ngx_uint_t              converted;  /* unsigned  converted:1;  by us */
    ngx_uint_t              finished;   /* unsigned  finished:1;  by us */
    ngx_event_t             step;
    ngx_http_payer_io_t     step_io;
    ngx_http_payer_claim_t  stepping;

    /* writing: the event loop owns "waiting", the task owns "batch", "rc",
     * "rev", "now", "held" and "sweep" while it runs */
    ngx_queue_t             waiting;
    ngx_queue_t             batch;
    ngx_queue_t             reserve;    /* of jobs that give claims back */
    int                     rc;
    uint64_t                rev;        /* that was given last */
    MDB_val                 sweep;      /* the last checked key */
    u_char                  sweep_key[NGX_HTTP_PAYER_STORE_MAX_KEY];
    ngx_uint_t              looks;      /* to do */
    time_t                  swept;      /* when they were done last */
    time_t                  clock_held; /* what was stored as the time when
                                         * nobody had written since the
                                         * transaction "clock_txn" */
    time_t                  clock_seen;
    size_t                  clock_txn;
    ngx_uint_t              wrote;      /* unsigned  wrote:1; the transaction
                                         * is not empty */
    time_t                  now;        /* when the batch was made */
    time_t                  held;       /* no deletion until */
    ngx_uint_t              leapt;      /* unsigned  leapt:1; */
    ngx_uint_t              running;    /* unsigned  running:1; */

#if (NGX_THREADS)
    ngx_thread_pool_t      *pool;       /* NULL: write in the event loop */
    ngx_thread_task_t       task;
    ngx_thread_mutex_t      mutex;      /* held while a batch is written */
    ngx_event_t             hold;       /* delays the exit of a worker */
#endif
} ngx_http_payer_lmdb_env_t;


/* a put() that is not written yet; lives outside of the requests */

struct ngx_http_payer_lmdb_job_s {
    ngx_queue_t                     queue;
    ngx_http_payer_io_t            *io;         /* NULL: nobody waits */
    int                             rc;         /* of LMDB */
    ngx_uint_t                      wanted;     /* unsigned  wanted:1; */
    ngx_uint_t                      kept;       /* unsigned  kept:1; */
    ngx_uint_t                      busy;       /* unsigned  busy:1; */
    ngx_uint_t                      reserved;   /* unsigned  reserved:1; */
    ngx_msec_t                      left;       /* of the lease */
    ngx_msec_t                      until;      /* ours ends */
    ngx_http_payer_claim_act_e      act;
    ngx_http_payer_claim_t          claim;      /* its key is the job's */
    ngx_uint_t                      first;      /* unsigned  first:1;  it is
                                                 * that of the first entry */
    u_char                         *result;     /* of the first merge, or
                                                 * items of due() */
    size_t                          len;
    uint64_t                        rev;        /* of the first entry */
    ngx_uint_t                      limit;      /* 0: not due() */
    ngx_uint_t                      step;       /* unsigned  step:1;  of an
                                                 * upgrade */
    ngx_uint_t                      done;       /* unsigned  done:1; */
    ngx_uint_t                      last;       /* unsigned  last:1;  by it */
    time_t                          lease;      /* of it, seconds */
    ngx_uint_t                      n;
    ngx_http_payer_store_entry_t    entries[1];
};


/*
 * the exit code of a child process that examines something: the child has
 * neither core dumps nor handlers; an errno (logged) if there is no child
 */
int ngx_http_payer_lmdb_child(ngx_log_t *log, int (*examine)(void *data),
    void *data);

/*
 * looks at the files in the directory, if there are any: 0, an errno, or what
 * is wrong, with "host" the one that they were made for
 */
int ngx_http_payer_lmdb_probe(ngx_log_t *log, ngx_str_t *path,
    ngx_http_payer_store_t *store, ngx_http_payer_lmdb_host_t *host);

/* what an error of LMDB means, as one of the above; and that in words */
int ngx_http_payer_lmdb_exit_code(int rc);
const char *ngx_http_payer_lmdb_error(int rc);
void ngx_http_payer_lmdb_complain(ngx_uint_t level, ngx_log_t *log,
    ngx_str_t *path, int code, ngx_http_payer_store_t *store,
    ngx_http_payer_lmdb_host_t *host);

/*
 * 0; MDB_NOTFOUND if the database is empty; NGX_HTTP_PAYER_LMDB_OLD if it is
 * of a former format; or what is wrong
 */
int ngx_http_payer_lmdb_format(MDB_txn *txn, MDB_dbi dbi);

/* the same of the host it was made for; MDB_NOTFOUND: that is not known */
int ngx_http_payer_lmdb_host(MDB_txn *txn, MDB_dbi dbi,
    ngx_http_payer_store_t *store, ngx_http_payer_lmdb_host_t *host);

/*
 * calls a function that touches the map: what it returns, or
 * NGX_HTTP_PAYER_LMDB_DAMAGED if it could not go on
 */
int ngx_http_payer_lmdb_guarded(ngx_http_payer_lmdb_env_t *le,
    int (*call)(ngx_http_payer_lmdb_env_t *le, void *data), void *data);
void ngx_http_payer_lmdb_guard_init(void);
void ngx_http_payer_lmdb_assert(MDB_env *env, const char *text);

/*
 * the environment of this process for the directory, as LMDB must not open one
 * twice in a process; it may not be open yet: NULL if there is no memory
 */
ngx_http_payer_lmdb_env_t *ngx_http_payer_lmdb_open(ngx_cycle_t *cycle,
    ngx_http_payer_store_t *store, ngx_str_t *path);

/* opens it and checks the file: 0 or what is wrong, not logged */
int ngx_http_payer_lmdb_init(ngx_http_payer_lmdb_env_t *le);

void ngx_http_payer_lmdb_close(ngx_http_payer_lmdb_env_t *le);

/* closes what is open, as far as that is possible with a damaged file */
void ngx_http_payer_lmdb_discard(ngx_http_payer_lmdb_env_t *le);

/* whether it can be used now: NGX_OK or NGX_ERROR (logged once a minute) */
ngx_int_t ngx_http_payer_lmdb_ready(ngx_http_payer_lmdb_env_t *le);

/*
 * what an error of LMDB means for the store: if the file is damaged or not the
 * one that it was, it is closed for all processes.  On the event loop.
 */
void ngx_http_payer_lmdb_failure(ngx_http_payer_lmdb_env_t *le, int rc);

/* whether it is an older copy: 0 or NGX_HTTP_PAYER_LMDB_REPLACED */
int ngx_http_payer_lmdb_same(ngx_http_payer_lmdb_env_t *le, MDB_txn *txn);

/*
 * whether the file that this nginx opened first is there, and whether that is
 * what this process has opened: 0 or what is wrong
 */
int ngx_http_payer_lmdb_known(ngx_http_payer_zone_t *zone, ngx_str_t *path);
int ngx_http_payer_lmdb_identify(ngx_http_payer_lmdb_env_t *le);

/*
 * in the master, before worker processes are started: closes the store for
 * them, if the probe has found a fault, or opens it again
 */
ngx_int_t ngx_http_payer_lmdb_admitted(ngx_cycle_t *cycle,
    ngx_http_payer_store_t *store, ngx_str_t *path, int code);

/* whether nginx is running with this store */
ngx_uint_t ngx_http_payer_lmdb_running(ngx_str_t *path);

/*
 * makes the map larger, or, when another process has done so, as large as
 * there: 0 or an error of LMDB.  On the event loop, with no read going on.
 */
int ngx_http_payer_lmdb_grow(ngx_http_payer_lmdb_env_t *le);
int ngx_http_payer_lmdb_adopt(ngx_http_payer_lmdb_env_t *le);

/*
 * writes le->batch: 0, or an error of LMDB, by which nothing was written; the
 * rc of a job is set when it failed for itself
 */
int ngx_http_payer_lmdb_commit(ngx_http_payer_lmdb_env_t *le, void *data);

/*
 * opens the environment again after a fatal error of LMDB: 0 or an error.  On
 * the event loop, while no batch is being written.
 */
int ngx_http_payer_lmdb_reopen(ngx_http_payer_lmdb_env_t *le);


/* eight bytes, little-endian: compilers make one load or store of these */

static ngx_inline int64_t
ngx_http_payer_lmdb_read_int(u_char *p)
{
    return (int64_t) ((uint64_t) p[0]
                      | (uint64_t) p[1] << 8
                      | (uint64_t) p[2] << 16
                      | (uint64_t) p[3] << 24
                      | (uint64_t) p[4] << 32
                      | (uint64_t) p[5] << 40
                      | (uint64_t) p[6] << 48
                      | (uint64_t) p[7] << 56);
}


/* returns what is behind them */

static ngx_inline u_char *
ngx_http_payer_lmdb_write_time(u_char *p, time_t t)
{
    uint64_t  u;

    u = (uint64_t) t;

    p[0] = (u_char) u;
    p[1] = (u_char) (u >> 8);
    p[2] = (u_char) (u >> 16);
    p[3] = (u_char) (u >> 24);
    p[4] = (u_char) (u >> 32);
    p[5] = (u_char) (u >> 40);
    p[6] = (u_char) (u >> 48);
    p[7] = (u_char) (u >> 56);

    return p + 8;
}


time_t ngx_http_payer_lmdb_read_time(MDB_val *value);

/* the time at the beginning of a value, 0 if that is too short */
time_t ngx_http_payer_lmdb_expires(MDB_val *value);

/* the head of a value, which points into it: 0 or MDB_CORRUPTED */
int ngx_http_payer_lmdb_parse(MDB_val *value,
    ngx_http_payer_lmdb_head_t *head);

/*
 * an entry by its head and what is behind that: 0 or an error of LMDB;
 * MDB_KEYEXIST, with a new one, if there is one: le->cursor is on it
 */
int ngx_http_payer_lmdb_write_entry(ngx_http_payer_lmdb_env_t *le,
    ngx_str_t *key, ngx_http_payer_lmdb_head_t *head);
int ngx_http_payer_lmdb_write_new(ngx_http_payer_lmdb_env_t *le,
    ngx_str_t *key, ngx_http_payer_lmdb_head_t *head);

/*
 * the head of the entry of a key: 0, MDB_NOTFOUND, also if there is only a
 * claim, which it has then, or an error of LMDB
 */
int ngx_http_payer_lmdb_find(ngx_http_payer_lmdb_env_t *le, ngx_str_t *key,
    ngx_http_payer_lmdb_head_t *head);

/* what a head with that label is to be, with the next revision */
void ngx_http_payer_lmdb_head_init(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_lmdb_head_t *fresh, ngx_http_payer_lmdb_head_t *stored);

/*
 * one entry of a put(): 0, MDB_NOTFOUND, or an error of LMDB; "before" is what
 * was stored under the first key, which first() tells, empty if there is none
 */
int ngx_http_payer_lmdb_first(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_lmdb_job_t *job, ngx_str_t *first);
int ngx_http_payer_lmdb_replace(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_lmdb_job_t *job, ngx_uint_t i, ngx_str_t *before);
int ngx_http_payer_lmdb_delete(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_lmdb_job_t *job, ngx_uint_t i);

/*
 * an entry with that head, which is there, and what leads to it; a claim that
 * has not run out stays
 */
int ngx_http_payer_lmdb_remove(ngx_http_payer_lmdb_env_t *le, ngx_str_t *key,
    ngx_http_payer_lmdb_head_t *stored);

/* what the job answers: 0 or NGX_ENOMEM */
int ngx_http_payer_lmdb_result_copy(ngx_http_payer_lmdb_job_t *job,
    ngx_str_t *value);

/* the indexes of an entry that is about to change: 0 or an error of LMDB */
int ngx_http_payer_lmdb_index(ngx_http_payer_lmdb_env_t *le, ngx_str_t *key,
    ngx_http_payer_lmdb_head_t *stored, ngx_http_payer_lmdb_head_t *fresh);

/* the key of a place in an index, in "name" of MAX_KEY bytes; and the place of
 * a key, 0 if it is not of that index */
void ngx_http_payer_lmdb_index_key(MDB_val *key, u_char *name,
    ngx_uint_t kind, ngx_str_t *scope, time_t time, uint64_t serial);
ngx_uint_t ngx_http_payer_lmdb_index_place(MDB_val *key, ngx_uint_t kind,
    ngx_str_t *scope, time_t *time, uint64_t *serial);

/* the entry that stands there: MDB_NOTFOUND if it does not say so, too */
int ngx_http_payer_lmdb_index_entry(MDB_txn *txn, MDB_dbi dbi, MDB_val *key,
    ngx_uint_t kind, time_t time, uint64_t serial,
    ngx_http_payer_lmdb_head_t *head);

/*
 * A store of a former version: marks it as one, in the transaction that makes
 * its format the present one; goes on with what is to be done; does a step.
 * 0 or an error of LMDB.
 */
int ngx_http_payer_lmdb_begin_upgrade(MDB_txn *txn, MDB_dbi dbi);
void ngx_http_payer_lmdb_resume_upgrade(ngx_http_payer_lmdb_env_t *le);
int ngx_http_payer_lmdb_upgrade(ngx_http_payer_lmdb_env_t *le, MDB_txn *txn,
    ngx_http_payer_lmdb_job_t *job);

/* leases what is due into the job's result; and these as items of its io */
int ngx_http_payer_lmdb_lease(ngx_http_payer_lmdb_env_t *le, MDB_txn *txn,
    ngx_http_payer_lmdb_job_t *job);
ngx_int_t ngx_http_payer_lmdb_leased(ngx_http_payer_lmdb_job_t *job,
    ngx_http_payer_io_t *io);

/*
 * takes or releases the claim of a job that does not write what it is of: 0,
 * or an error of LMDB; job->busy if another owner has it
 */
int ngx_http_payer_lmdb_take(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_lmdb_job_t *job);

/*
 * the claim that an entry is to have when it is written: by the job, if that
 * is not NULL, or job->busy; else the one that it has until that has run out
 */
void ngx_http_payer_lmdb_claim(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_lmdb_job_t *job, ngx_http_payer_lmdb_head_t *stored,
    ngx_http_payer_lmdb_head_t *fresh);

/* writes an entry again, if it is to have another claim */
int ngx_http_payer_lmdb_reclaim(ngx_http_payer_lmdb_env_t *le,
    ngx_str_t *key, ngx_http_payer_lmdb_head_t *stored,
    ngx_http_payer_lmdb_head_t *fresh);

/* a claim without an entry */
int ngx_http_payer_lmdb_write_claim(ngx_http_payer_lmdb_env_t *le,
    ngx_str_t *key, ngx_http_payer_lmdb_head_t *head);

/* whether there is a claim that has not run out */
ngx_uint_t ngx_http_payer_lmdb_claim_runs(ngx_http_payer_lmdb_head_t *head);

/* an id for a claim that is held in the zone; no other has the same */
void ngx_http_payer_lmdb_claim_id(ngx_http_payer_zone_t *zone,
    ngx_http_payer_claim_t *claim);

/*
 * the memory of a put(), NULL if there is none; some is reserved while the
 * worker process runs, for claims that are released
 */
void ngx_http_payer_lmdb_reserve(ngx_http_payer_lmdb_env_t *le);
void ngx_http_payer_lmdb_unreserve(ngx_http_payer_lmdb_env_t *le);
ngx_http_payer_lmdb_job_t *ngx_http_payer_lmdb_job(
    ngx_http_payer_lmdb_env_t *le, ngx_http_payer_store_entry_t *entries,
    ngx_uint_t n, ngx_http_payer_claim_act_e act,
    ngx_http_payer_claim_t *claim);
void ngx_http_payer_lmdb_free(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_lmdb_job_t *job);

/* after a commit that ended in the middle */
int ngx_http_payer_lmdb_abort(ngx_http_payer_lmdb_env_t *le, void *data);

/* the put() of the store; flush() writes at once what still waits */
ngx_int_t ngx_http_payer_lmdb_write(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_store_entry_t *entries, ngx_uint_t n,
    ngx_http_payer_claim_act_e act, ngx_http_payer_claim_t *claim,
    ngx_http_payer_io_t *io);
ngx_int_t ngx_http_payer_lmdb_write_due(ngx_http_payer_lmdb_env_t *le,
    ngx_str_t *prefix, ngx_uint_t limit, time_t lease,
    ngx_http_payer_io_t *io);
ngx_int_t ngx_http_payer_lmdb_write_step(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_io_t *io);
void ngx_http_payer_lmdb_flush(ngx_http_payer_lmdb_env_t *le);
void ngx_http_payer_lmdb_forget(ngx_http_payer_io_t *io);

/* the environment of the store in use, NULL (logged) if it is closed */
ngx_http_payer_lmdb_env_t *ngx_http_payer_lmdb_env(
    ngx_http_payer_store_t *store);

/* operations of the store */
ngx_int_t ngx_http_payer_lmdb_get(ngx_http_payer_store_t *store,
    ngx_str_t *key, ngx_http_payer_io_t *io);
ngx_int_t ngx_http_payer_lmdb_scan(ngx_http_payer_store_t *store,
    ngx_str_t *prefix, ngx_str_t *after, ngx_uint_t limit,
    ngx_http_payer_io_t *io);
ngx_int_t ngx_http_payer_lmdb_list(ngx_http_payer_store_t *store,
    ngx_http_payer_list_t *list, ngx_http_payer_io_t *io);

/* the batch is over: NGX_OK if it has its end, NGX_AGAIN if it now fits the
 * map and is to be written again */
ngx_int_t ngx_http_payer_lmdb_settle(ngx_http_payer_lmdb_env_t *le);

/* reports the result of the batch to those that wait */
void ngx_http_payer_lmdb_report(ngx_http_payer_lmdb_env_t *le);

/*
 * the result of one job, for its io: NGX_OK, NGX_DECLINED, NGX_BUSY or
 * NGX_ERROR
 */
ngx_int_t ngx_http_payer_lmdb_result(ngx_http_payer_lmdb_job_t *job,
    ngx_http_payer_io_t *io);


#endif /* _NGX_HTTP_PAYER_STORE_LMDB_H_INCLUDED_ */
