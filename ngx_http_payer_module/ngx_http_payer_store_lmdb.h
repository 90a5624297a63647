
/*
 * What the three files of the LMDB store share: the environment of a process
 * (_env.c), the queue of writes (_write.c), the transaction that a batch of
 * them becomes (_commit.c), reading and the table of operations
 * (ngx_http_payer_store_lmdb.c).
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
 * the format of keys and values: the key is sorted before all that are used,
 * its value is the version as one digit
 */
#define NGX_HTTP_PAYER_LMDB_FORMAT_KEY   "!payer-store"
#define NGX_HTTP_PAYER_LMDB_FORMAT       '1'

/* sorted before it: nothing is dropped before this entry may be */
#define NGX_HTTP_PAYER_LMDB_CLOCK_KEY    "!payer-clock"

/* a value begins with the time after which it may be dropped */
#define NGX_HTTP_PAYER_LMDB_EXPIRES_LEN  8


typedef struct {
    ngx_queue_t             queue;      /* of the environments of a process */
    ngx_str_t               path;       /* the directory, ends with a NUL */
    MDB_env                *env;        /* NULL: could not be reopened */
    MDB_dbi                 dbi;
    MDB_txn                *reader;     /* of the event loop, reset */
    ngx_http_payer_zone_t  *zone;       /* of the store in use */

    /* writing: the event loop owns "waiting", the task owns "batch", "rc",
     * "now", "held" and "sweep" while it runs */
    ngx_queue_t             waiting;
    ngx_queue_t             batch;
    int                     rc;
    MDB_val                 sweep;      /* the key that was looked at last */
    u_char                  sweep_key[NGX_HTTP_PAYER_STORE_MAX_KEY];
    time_t                  now;        /* when the batch was made */
    time_t                  held;       /* nothing is dropped until */
    ngx_uint_t              running;    /* unsigned  running:1; */

#if (NGX_THREADS)
    ngx_thread_pool_t      *pool;       /* NULL: write in the event loop */
    ngx_thread_task_t       task;
    ngx_thread_mutex_t      mutex;      /* held while a batch is written */
    ngx_event_t             hold;       /* keeps a worker from leaving */
#endif
} ngx_http_payer_lmdb_env_t;


/* a put() that is not written yet; lives outside of the requests */

typedef struct {
    ngx_queue_t                     queue;
    ngx_http_payer_io_t            *io;         /* NULL: nobody waits */
    int                             rc;         /* of LMDB */
    ngx_uint_t                      wanted;     /* unsigned  wanted:1; */
    ngx_uint_t                      kept;       /* unsigned  kept:1; */
    u_char                         *result;     /* of the first merge */
    size_t                          len;
    ngx_uint_t                      n;
    ngx_http_payer_store_entry_t    entries[1];
} ngx_http_payer_lmdb_job_t;


/*
 * the exit code of a child process that examines something: the child has
 * neither core dumps nor handlers; an errno (logged) if there is no child
 */
int ngx_http_payer_lmdb_child(ngx_log_t *log, int (*examine)(void *data),
    void *data);

/*
 * looks at the files in the directory, if there are any, from a child
 * process, since damaged ones may kill it: NGX_OK or NGX_ERROR (logged)
 */
ngx_int_t ngx_http_payer_lmdb_check(ngx_conf_t *cf, ngx_str_t *path);

/*
 * the environment of this process for the directory, opened at the first
 * call, since LMDB must not open one twice in a process; NULL (logged)
 */
ngx_http_payer_lmdb_env_t *ngx_http_payer_lmdb_open(ngx_cycle_t *cycle,
    ngx_str_t *path);

void ngx_http_payer_lmdb_close(ngx_http_payer_lmdb_env_t *le);

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
int ngx_http_payer_lmdb_commit(ngx_http_payer_lmdb_env_t *le);

/*
 * opens the environment again after an error that LMDB does not forgive: 0 or
 * an error.  On the event loop, while no batch is being written.
 */
int ngx_http_payer_lmdb_reopen(ngx_http_payer_lmdb_env_t *le);

/* the put() of the store; flush() writes at once what still waits */
ngx_int_t ngx_http_payer_lmdb_write(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_store_entry_t *entries, ngx_uint_t n,
    ngx_http_payer_io_t *io);
void ngx_http_payer_lmdb_flush(ngx_http_payer_lmdb_env_t *le);
void ngx_http_payer_lmdb_forget(ngx_http_payer_io_t *io);


#endif /* _NGX_HTTP_PAYER_STORE_LMDB_H_INCLUDED_ */
