
/*
 * The queue of writes to LMDB: while one batch is committed in a thread, the
 * next one is collected, so that under load more writes share one wait for the
 * disk.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_store_lmdb.h"


#define NGX_HTTP_PAYER_LMDB_BATCH   1024        /* puts in a transaction */
#define NGX_HTTP_PAYER_LMDB_HOLD    60000       /* milliseconds */


static ngx_int_t ngx_http_payer_lmdb_enqueue(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_lmdb_job_t *job, ngx_http_payer_io_t *io);
static ngx_int_t ngx_http_payer_lmdb_gather(ngx_http_payer_lmdb_env_t *le);
static void ngx_http_payer_lmdb_watch_clock(ngx_http_payer_lmdb_env_t *le);
#if (NGX_THREADS)
static void ngx_http_payer_lmdb_post(ngx_http_payer_lmdb_env_t *le);
static void ngx_http_payer_lmdb_thread(void *data, ngx_log_t *log);
static void ngx_http_payer_lmdb_done(ngx_event_t *ev);
static ngx_uint_t ngx_http_payer_lmdb_later(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_lmdb_job_t *job);
static void ngx_http_payer_lmdb_hold(ngx_http_payer_lmdb_env_t *le);
static void ngx_http_payer_lmdb_held(ngx_event_t *ev);
#endif
static void ngx_http_payer_lmdb_try(ngx_http_payer_lmdb_env_t *le);
static void ngx_http_payer_lmdb_run(ngx_http_payer_lmdb_env_t *le);


ngx_int_t
ngx_http_payer_lmdb_write(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_store_entry_t *entries, ngx_uint_t n,
    ngx_http_payer_claim_act_e act, ngx_http_payer_claim_t *claim,
    ngx_http_payer_io_t *io)
{
    ngx_http_payer_lmdb_job_t  *job;

    if (act == NGX_HTTP_PAYER_CLAIM_TAKE && !claim->taken) {
        ngx_http_payer_lmdb_claim_id(le->zone, claim);
    }

    job = ngx_http_payer_lmdb_job(le, entries, n, act, claim);
    if (job == NULL) {
        return NGX_ERROR;
    }

    /* the job owns the released claim from here on */

    if (act == NGX_HTTP_PAYER_CLAIM_RELEASE) {
        claim->owner = 0;

    } else if (act == NGX_HTTP_PAYER_CLAIM_TAKE) {
        claim->taken = 1;
    }

    job->wanted = (io != NULL && n != 0 && entries[0].merge != NULL);

    return ngx_http_payer_lmdb_enqueue(le, job, io);
}


ngx_int_t
ngx_http_payer_lmdb_write_due(ngx_http_payer_lmdb_env_t *le,
    ngx_str_t *prefix, ngx_uint_t limit, time_t lease,
    ngx_http_payer_io_t *io)
{
    ngx_http_payer_lmdb_job_t     *job;
    ngx_http_payer_store_entry_t   entry;

    ngx_memzero(&entry, sizeof(ngx_http_payer_store_entry_t));
    entry.key = *prefix;

    job = ngx_http_payer_lmdb_job(le, &entry, 1, NGX_HTTP_PAYER_CLAIM_NONE,
                                  NULL);
    if (job == NULL) {
        return NGX_ERROR;
    }

    job->limit = ngx_max(1, ngx_min(limit, NGX_HTTP_PAYER_STORE_MAX_ITEMS));
    job->lease = ngx_max(lease, 1);

    return ngx_http_payer_lmdb_enqueue(le, job, io);
}


ngx_int_t
ngx_http_payer_lmdb_write_step(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_io_t *io)
{
    ngx_http_payer_lmdb_job_t  *job;

    job = ngx_http_payer_lmdb_job(le, NULL, 0, NGX_HTTP_PAYER_CLAIM_NONE,
                                  NULL);
    if (job == NULL) {
        return NGX_ERROR;
    }

    job->step = 1;

    return ngx_http_payer_lmdb_enqueue(le, job, io);
}


static ngx_int_t
ngx_http_payer_lmdb_enqueue(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_lmdb_job_t *job, ngx_http_payer_io_t *io)
{
    ngx_int_t  rc;

    ngx_queue_insert_tail(&le->waiting, &job->queue);

#if (NGX_THREADS)

    if (le->pool != NULL) {

        if (io != NULL) {
#if (NGX_DEBUG)
            if (io->pending != NULL) {
                ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                              "payer store: a second write with one io");
                ngx_debug_point();
            }
#endif
            io->pending = job;
            job->io = io;
        }

        if (!le->running && ngx_http_payer_lmdb_gather(le) == NGX_OK) {
            ngx_http_payer_lmdb_post(le);
        }

        return NGX_AGAIN;
    }

#endif

    (void) ngx_http_payer_lmdb_gather(le);

    ngx_http_payer_lmdb_run(le);

    ngx_queue_remove(&job->queue);

    rc = ngx_http_payer_lmdb_result(job, io);

    ngx_http_payer_lmdb_free(le, job);

    return rc;
}


void
ngx_http_payer_lmdb_forget(ngx_http_payer_io_t *io)
{
    ngx_http_payer_lmdb_job_t  *job;

    job = io->pending;

    if (job != NULL) {
        job->io = NULL;
        io->pending = NULL;
    }
}


/*
 * At the end of a process: the threads are gone, and so are the requests; a
 * batch is in hand if it was running or had to run again.
 */

void
ngx_http_payer_lmdb_flush(ngx_http_payer_lmdb_env_t *le)
{
    ngx_queue_t                *q, *next;
    ngx_http_payer_io_t        *io;
    ngx_http_payer_lmdb_job_t  *job;

    if (le->running) {
        if (ngx_http_payer_lmdb_settle(le) == NGX_AGAIN) {
            ngx_http_payer_lmdb_run(le);

        } else {
            ngx_http_payer_lmdb_report(le);
        }
    }

    /* what a handler writes goes with the next batch here, not to a thread */

    le->running = 1;

    for ( ;; ) {

        for (q = ngx_queue_head(&le->batch);
             q != ngx_queue_sentinel(&le->batch);
             q = next)
        {
            next = ngx_queue_next(q);

            job = ngx_queue_data(q, ngx_http_payer_lmdb_job_t, queue);
            io = job->io;

            ngx_http_payer_lmdb_free(le, job);

            if (io != NULL && io->pool == NULL) {

                /* one that outlived its request */

                io->pending = NULL;
                io->handler(io);
            }
        }

        ngx_queue_init(&le->batch);

        if (ngx_http_payer_lmdb_gather(le) != NGX_OK) {
            return;
        }

        ngx_http_payer_lmdb_run(le);
    }
}


/* makes the next batch: NGX_OK, or NGX_DECLINED if there is nothing to do */

static ngx_int_t
ngx_http_payer_lmdb_gather(ngx_http_payer_lmdb_env_t *le)
{
    ngx_uint_t    n;
    ngx_queue_t  *q;

    for (n = 0; n < NGX_HTTP_PAYER_LMDB_BATCH; n++) {

        if (ngx_queue_empty(&le->waiting)) {
            break;
        }

        q = ngx_queue_head(&le->waiting);
        ngx_queue_remove(q);
        ngx_queue_insert_tail(&le->batch, q);
    }

    if (n == 0) {
        return NGX_DECLINED;
    }

    ngx_http_payer_lmdb_watch_clock(le);

    return NGX_OK;
}


/*
 * the clock may jump while the batch is written, as other worker processes
 * notice
 */

static void
ngx_http_payer_lmdb_watch_clock(ngx_http_payer_lmdb_env_t *le)
{
    ngx_uint_t        leapt;
    ngx_slab_pool_t  *shpool;

    shpool = le->zone->shpool;

    ngx_shmtx_lock(&shpool->mutex);

    le->now = ngx_time();
    le->held = ngx_http_payer_zone_hold(le->zone, &leapt);

    ngx_shmtx_unlock(&shpool->mutex);

    if (leapt) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "payer_store \"lmdb:%V\": the clock jumped ahead, no "
                      "record expires for 31 days", &le->path);
    }
}


#if (NGX_THREADS)

static void
ngx_http_payer_lmdb_post(ngx_http_payer_lmdb_env_t *le)
{
    le->running = 1;

    ngx_http_payer_lmdb_hold(le);

    le->task.ctx = le;
    le->task.handler = ngx_http_payer_lmdb_thread;
    le->task.event.data = le;
    le->task.event.handler = ngx_http_payer_lmdb_done;
    le->task.event.log = ngx_cycle->log;

    if (ngx_thread_task_post(le->pool, &le->task) == NGX_OK) {
        return;
    }

    /* logged; it is written here, and reported later as from a thread */

    le->task.event.active = 0;

    ngx_http_payer_lmdb_run(le);

    ngx_post_event(&le->task.event, &ngx_posted_events);
}


static void
ngx_http_payer_lmdb_thread(void *data, ngx_log_t *log)
{
    ngx_http_payer_lmdb_env_t  *le = data;

    if (ngx_thread_mutex_lock(&le->mutex, log) != NGX_OK) {
        le->rc = MDB_PANIC;
        return;
    }

    ngx_http_payer_lmdb_try(le);

    (void) ngx_thread_mutex_unlock(&le->mutex, log);
}


static void
ngx_http_payer_lmdb_done(ngx_event_t *ev)
{
    ngx_queue_t                *q, jobs;
    ngx_http_payer_io_t        *io;
    ngx_http_payer_lmdb_env_t  *le;
    ngx_http_payer_lmdb_job_t  *job;

    le = ev->data;
    ev->complete = 0;

    if (ngx_http_payer_lmdb_settle(le) == NGX_AGAIN) {
        ngx_http_payer_lmdb_post(le);
        return;
    }

    ngx_http_payer_lmdb_report(le);

    ngx_queue_init(&jobs);
    ngx_queue_add(&jobs, &le->batch);
    ngx_queue_init(&le->batch);

    le->running = 0;

    /* the disk is busy again while the handlers run */

    if (ngx_http_payer_lmdb_gather(le) == NGX_OK) {
        ngx_http_payer_lmdb_post(le);
    }

    while (!ngx_queue_empty(&jobs)) {
        q = ngx_queue_head(&jobs);
        ngx_queue_remove(q);

        job = ngx_queue_data(q, ngx_http_payer_lmdb_job_t, queue);
        io = job->io;

        if (io != NULL) {
            io->pending = NULL;
            io->rc = ngx_http_payer_lmdb_result(job, io);
        }

        if (job->rc == 0 || !ngx_http_payer_lmdb_later(le, job)) {
            ngx_http_payer_lmdb_free(le, job);
        }

        if (io != NULL) {
            io->handler(io);
        }
    }

    if (!le->running && le->hold.timer_set) {
        ngx_del_timer(&le->hold);
    }
}


/*
 * A claim that could not be released, for example on a full disk, blocks all
 * requests until its lease ends: it is released with the next batch, before
 * other writes.
 */

static ngx_uint_t
ngx_http_payer_lmdb_later(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_lmdb_job_t *job)
{
    if (job->act != NGX_HTTP_PAYER_CLAIM_RELEASE
        || (ngx_msec_int_t) (job->until - ngx_current_msec) <= 0)
    {
        return 0;
    }

    job->n = 0;
    job->rc = 0;
    job->io = NULL;
    job->wanted = 0;

    ngx_queue_insert_head(&le->waiting, &job->queue);

    return 1;
}


/* an exiting worker process waits while there is a timer */

static void
ngx_http_payer_lmdb_hold(ngx_http_payer_lmdb_env_t *le)
{
    if (le->hold.timer_set) {
        return;
    }

    le->hold.handler = ngx_http_payer_lmdb_held;
    le->hold.data = le;
    le->hold.log = ngx_cycle->log;

    ngx_add_timer(&le->hold, NGX_HTTP_PAYER_LMDB_HOLD);
}


static void
ngx_http_payer_lmdb_held(ngx_event_t *ev)
{
    ngx_http_payer_lmdb_env_t  *le;

    le = ev->data;

    if (le->running) {
        ngx_http_payer_lmdb_hold(le);
    }
}

#endif


static void
ngx_http_payer_lmdb_try(ngx_http_payer_lmdb_env_t *le)
{
    le->rc = ngx_http_payer_lmdb_guarded(le, ngx_http_payer_lmdb_commit, NULL);

    (void) ngx_http_payer_lmdb_guarded(le, ngx_http_payer_lmdb_abort, NULL);
}


/* writes the batch at once, in the event loop */

static void
ngx_http_payer_lmdb_run(ngx_http_payer_lmdb_env_t *le)
{
    do {
        ngx_http_payer_lmdb_try(le);

    } while (ngx_http_payer_lmdb_settle(le) == NGX_AGAIN);

    ngx_http_payer_lmdb_report(le);
}
