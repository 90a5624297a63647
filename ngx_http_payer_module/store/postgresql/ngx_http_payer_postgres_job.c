
/*
 * Calls of the store: from the queue to their end.
 */


#include "ngx_http_payer_postgres.h"


#define NGX_HTTP_PAYER_POSTGRES_DEADLOCKS  10   /* sent again so often */
#define NGX_HTTP_PAYER_POSTGRES_POOL       2048
#define NGX_HTTP_PAYER_POSTGRES_POOLS      64   /* kept for the next jobs */


/*
 * clang's analyzer does not see that what was removed from a queue is not in
 * it any more, and reports that it is removed once more
 */

#ifdef __clang_analyzer__
void ngx_http_payer_postgres_unqueue(ngx_queue_t *q);
#else
#define ngx_http_payer_postgres_unqueue  ngx_queue_remove
#endif


static ngx_pool_t  *ngx_http_payer_postgres_pools[
                                               NGX_HTTP_PAYER_POSTGRES_POOLS];
static ngx_uint_t   ngx_http_payer_postgres_npools;


static ngx_uint_t ngx_http_payer_postgres_impatient(
    ngx_http_payer_postgres_job_t *job);
static ngx_uint_t ngx_http_payer_postgres_repeatable(
    ngx_http_payer_postgres_flight_t *flight,
    ngx_http_payer_postgres_job_t *job, const char *state);
static void ngx_http_payer_postgres_complain(
    ngx_http_payer_postgres_link_t *link,
    ngx_http_payer_postgres_flight_t *flight, const char *state);


ngx_http_payer_postgres_job_t *
ngx_http_payer_postgres_job(ngx_http_payer_postgres_link_t *link,
    ngx_http_payer_postgres_kind_e kind)
{
    ngx_pool_t                     *pool;
    ngx_http_payer_postgres_t      *pg;
    ngx_http_payer_postgres_job_t  *job;

    pg = link->pg;

    if (link->njobs >= pg->queue) {

        if (pg->full == 0 || ngx_current_msec - pg->full > 60000) {
            pg->full = ngx_current_msec;

            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "payer_store \"%V\": %ui calls are waiting already, "
                          "more are rejected", &pg->title, link->njobs);
        }

        return NULL;
    }

    if (ngx_http_payer_postgres_npools) {
        pool = ngx_http_payer_postgres_pools[--ngx_http_payer_postgres_npools];
        pool->log = ngx_cycle->log;

    } else {
        pool = ngx_create_pool(NGX_HTTP_PAYER_POSTGRES_POOL, ngx_cycle->log);
    }

    if (pool == NULL) {
        return NULL;
    }

    job = ngx_pcalloc(pool, sizeof(ngx_http_payer_postgres_job_t));
    if (job == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    job->pool = pool;
    job->kind = kind;

    return job;
}


void
ngx_http_payer_postgres_free(ngx_http_payer_postgres_job_t *job)
{
    ngx_pool_t  *pool;

    pool = job->pool;

    /* sanitizers are to see what is used after that */

#if !(NGX_DEBUG_PALLOC)

    if (ngx_http_payer_postgres_npools < NGX_HTTP_PAYER_POSTGRES_POOLS) {
        ngx_reset_pool(pool);

        ngx_http_payer_postgres_pools[ngx_http_payer_postgres_npools++] = pool;
        return;
    }

#endif

    ngx_destroy_pool(pool);
}


ngx_int_t
ngx_http_payer_postgres_keep(ngx_pool_t *pool, ngx_str_t *dst, ngx_str_t *src)
{
    u_char  *p;

    p = ngx_pnalloc(pool, src->len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, src->data, src->len);

    dst->data = p;
    dst->len = src->len;

    return NGX_OK;
}


/* what is asked for at one time is sent at one time */

void
ngx_http_payer_postgres_enqueue(ngx_http_payer_postgres_link_t *link,
    ngx_http_payer_postgres_job_t *job, ngx_http_payer_io_t *io)
{
    if (io != NULL) {
        io->pending = job;
        job->io = io;
    }

    job->began = ngx_current_msec;

    ngx_queue_insert_tail(&link->waiting, &job->queue);
    ngx_queue_insert_tail(&link->jobs, &job->age);
    link->njobs++;

    ngx_http_payer_postgres_queued(link->pg);

    if (!link->deadline.timer_set) {
        ngx_add_timer(&link->deadline, link->pg->timeout);
    }

    if (!link->kick.posted) {
        ngx_post_event(&link->kick, &ngx_posted_events);
    }
}


void
ngx_http_payer_postgres_kick(ngx_event_t *ev)
{
    ngx_http_payer_postgres_depart(ev->data);
}


/*
 * Whoever has waited too long: what becomes of a put that was sent is not
 * known then.  The worker stays until this is over.
 */

void
ngx_http_payer_postgres_expire(ngx_event_t *ev)
{
    ngx_uint_t                       n;
    ngx_msec_int_t                   left;
    ngx_queue_t                     *q;
    ngx_http_payer_postgres_t       *pg;
    ngx_http_payer_postgres_job_t   *job;
    ngx_http_payer_postgres_link_t  *link;

    n = 0;
    link = ev->data;
    pg = link->pg;

    while (!ngx_queue_empty(&link->jobs)) {
        q = ngx_queue_head(&link->jobs);
        job = ngx_queue_data(q, ngx_http_payer_postgres_job_t, age);

        left = (ngx_msec_int_t) (job->began + pg->timeout - ngx_current_msec);

        if (left > 0) {
            if (!ev->timer_set) {
                ngx_add_timer(ev, (ngx_msec_t) left);
            }

            break;
        }

        n++;

        ngx_http_payer_postgres_finish(link, job, NGX_ERROR);
    }

    if (n != 0 && !ngx_http_payer_postgres_told(pg)) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "payer_store \"%V\": %ui %s had no answer in %M ms",
                      &pg->title, n, link->writes ? "writes" : "reads",
                      pg->timeout);
    }
}


/*
 * Whether it may be told at once that there is no store.  What says how a call
 * to Payer ended, and what nobody waits for, is kept until its time is over:
 * the store may be back by then.
 */

static ngx_uint_t
ngx_http_payer_postgres_impatient(ngx_http_payer_postgres_job_t *job)
{
    if (job->sent || job->io == NULL || job->io->pool == NULL) {
        return 0;
    }

    return job->kind != NGX_HTTP_PAYER_POSTGRES_PUT
           || job->act == NGX_HTTP_PAYER_CLAIM_TAKE
           || job->confirm;
}


/* an end may be the beginning of another job, which waits for the next turn */

void
ngx_http_payer_postgres_turn_away(ngx_http_payer_postgres_link_t *link)
{
    ngx_uint_t                      n;
    ngx_queue_t                    *q;
    ngx_http_payer_postgres_job_t  *job;

    n = link->njobs;
    q = ngx_queue_head(&link->jobs);

    while (n != 0 && q != ngx_queue_sentinel(&link->jobs)) {
        job = ngx_queue_data(q, ngx_http_payer_postgres_job_t, age);

        if (!ngx_http_payer_postgres_impatient(job)) {
            q = ngx_queue_next(q);
            continue;
        }

        n--;

        ngx_http_payer_postgres_finish(link, job, NGX_ERROR);

        q = ngx_queue_head(&link->jobs);
    }
}


/* tells its io; a job that is in a flight stays until that is over */

void
ngx_http_payer_postgres_finish(ngx_http_payer_postgres_link_t *link,
    ngx_http_payer_postgres_job_t *job, ngx_int_t rc)
{
    ngx_http_payer_io_t        *io;
    ngx_http_payer_zone_t      *zone;
    ngx_http_payer_postgres_t  *pg;

    pg = link->pg;
    zone = pg->store->zone;

    ngx_http_payer_postgres_unqueue(&job->age);
    link->njobs--;

    ngx_http_payer_postgres_queued(pg);

    if (ngx_queue_empty(&link->jobs) && link->deadline.timer_set) {
        ngx_del_timer(&link->deadline);
    }

    if (job->act == NGX_HTTP_PAYER_CLAIM_RELEASE) {
        pg->lent->unclaim(zone, &job->claim);

    } else if (rc == NGX_BUSY) {
        pg->lent->defer(zone, &job->claim, ngx_min(job->left, 200));
    }

    if (rc == NGX_ERROR) {
        pg->lent->count(zone, NGX_HTTP_PAYER_COUNT_STORE,
                        NGX_HTTP_PAYER_COUNT_STORE_EVENTS,
                        NGX_HTTP_PAYER_COUNT_STORE_ERRORS);
    }

    pg->lent->count_time(zone, link->writes
                               ? NGX_HTTP_PAYER_COUNT_STORE_WRITES
                               : NGX_HTTP_PAYER_COUNT_STORE_READS,
                         ngx_current_msec - job->began);

    io = job->io;
    job->io = NULL;

    if (job->sent) {
        job->dead = 1;

    } else {
        ngx_http_payer_postgres_unqueue(&job->queue);
        ngx_http_payer_postgres_free(job);
    }

    if (io == NULL) {
        return;
    }

    io->pending = NULL;
    io->rc = rc;

    /* when a worker ends, only what outlived its request is still there */

    if (!pg->ending || io->pool == NULL) {
        io->handler(io);
    }
}


void
ngx_http_payer_postgres_forget(ngx_http_payer_io_t *io)
{
    ngx_http_payer_postgres_job_t  *job;

    job = io->pending;

    if (job != NULL) {
        job->io = NULL;
        io->pending = NULL;
    }
}


void
ngx_http_payer_postgres_depart(ngx_http_payer_postgres_link_t *link)
{
    ngx_int_t                        rc;
    ngx_http_payer_postgres_wire_t  *wire;

    wire = link->wire;

    if (link->down || link->hung) {
        ngx_http_payer_postgres_turn_away(link);
    }

    if (wire == NULL) {

        if (!ngx_queue_empty(&link->waiting)) {
            ngx_http_payer_postgres_search(link);
        }

        return;
    }

    if (wire->timeline != 0
        && wire->timeline < link->pg->store->zone->sh->store_timeline)
    {
        ngx_http_payer_postgres_lost(wire, "another host is the primary now",
                                     31);
        return;
    }

    if (ngx_queue_empty(&link->waiting)) {
        return;
    }

    if (link->writes) {
        rc = ngx_http_payer_postgres_batch(link);

    } else {
        rc = ngx_http_payer_postgres_gets(link);
    }

    if (rc != NGX_ERROR) {
        rc = ngx_http_payer_postgres_pages(link);
    }

    if (rc != NGX_ERROR && link->writes) {
        rc = ngx_http_payer_postgres_sweep(link);
    }

    if (rc == NGX_ERROR) {
        ngx_http_payer_postgres_lost(wire, PQerrorMessage(wire->conn),
                                     ngx_strlen(PQerrorMessage(wire->conn)));
        return;
    }

    (void) ngx_http_payer_postgres_flush(wire);
}


/* the result has come, and the transaction is over */

void
ngx_http_payer_postgres_land(ngx_http_payer_postgres_link_t *link,
    ngx_http_payer_postgres_flight_t *flight)
{
    ngx_int_t  rc;

    link->backoff = 0;

    switch (flight->kind) {

    case NGX_HTTP_PAYER_POSTGRES_PUT:
        rc = ngx_http_payer_postgres_written(link, flight);
        break;

    case NGX_HTTP_PAYER_POSTGRES_GET:
        rc = ngx_http_payer_postgres_found_keys(link, flight);
        break;

    case NGX_HTTP_PAYER_POSTGRES_SWEEP:
        rc = NGX_OK;
        break;

    default:
        rc = ngx_http_payer_postgres_found_page(link, flight);
        break;
    }

    if (rc != NGX_OK) {
        ngx_http_payer_postgres_fail(link, flight, "");
        return;
    }

    ngx_http_payer_postgres_free_flight(link, flight);
}


/* "state" is NULL if the wire is lost, and with it what it knew */

void
ngx_http_payer_postgres_fail(ngx_http_payer_postgres_link_t *link,
    ngx_http_payer_postgres_flight_t *flight, const char *state)
{
    ngx_uint_t                      failed;
    ngx_queue_t                    *q, jobs;
    ngx_http_payer_postgres_job_t  *job;

    failed = 0;
    ngx_queue_init(&jobs);

    /* the last one first, as each goes before those that wait */

    while (!ngx_queue_empty(&flight->jobs)) {
        q = ngx_queue_last(&flight->jobs);
        ngx_http_payer_postgres_unqueue(q);

        job = ngx_queue_data(q, ngx_http_payer_postgres_job_t, queue);

        if (job->dead) {
            ngx_http_payer_postgres_free(job);

        } else if (ngx_http_payer_postgres_repeatable(flight, job, state)) {

            if (state == NULL && flight->kind == NGX_HTTP_PAYER_POSTGRES_PUT) {
                link->pg->lent->count(link->pg->store->zone,
                                      NGX_HTTP_PAYER_COUNT_STORE,
                                      NGX_HTTP_PAYER_COUNT_STORE_EVENTS,
                                      NGX_HTTP_PAYER_COUNT_STORE_IN_DOUBT);
            }

            ngx_http_payer_postgres_again(link, job);

        } else {
            failed++;
            ngx_queue_insert_head(&jobs, &job->queue);
        }
    }

    if (failed || (state != NULL && flight->njobs == 0)) {
        ngx_http_payer_postgres_complain(link, flight, state);
    }

    ngx_http_payer_postgres_free_flight(link, flight);

    while (!ngx_queue_empty(&jobs)) {
        q = ngx_queue_head(&jobs);

        job = ngx_queue_data(q, ngx_http_payer_postgres_job_t, queue);
        job->sent = 0;

        ngx_http_payer_postgres_finish(link, job, NGX_ERROR);
    }
}


/*
 * Whether it can be sent again: a put under its id does nothing if it was
 * done.  One bad put among others does not spoil them.
 */

static ngx_uint_t
ngx_http_payer_postgres_repeatable(ngx_http_payer_postgres_flight_t *flight,
    ngx_http_payer_postgres_job_t *job, const char *state)
{
    if (state == NULL) {
        return 1;
    }

    if (ngx_strcmp(state, "40001") == 0 || ngx_strcmp(state, "40P01") == 0
        || ngx_strcmp(state, "55P03") == 0)
    {
        return job->repeats++ < NGX_HTTP_PAYER_POSTGRES_DEADLOCKS;
    }

    if (flight->njobs > 1
        && (ngx_strncmp(state, "22", 2) == 0
            || ngx_strncmp(state, "23", 2) == 0
            || ngx_strncmp(state, "54", 2) == 0))
    {
        job->alone = 1;
        return 1;
    }

    return 0;
}


static void
ngx_http_payer_postgres_complain(ngx_http_payer_postgres_link_t *link,
    ngx_http_payer_postgres_flight_t *flight, const char *state)
{
    size_t       len;
    const char  *message;

    message = NULL;

    if (flight->result != NULL) {
        message = PQresultErrorField(flight->result, PG_DIAG_MESSAGE_PRIMARY);
    }

    if (message == NULL) {
        message = "unexpected answer";
    }

    len = ngx_min(ngx_strlen(message), 200);

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "payer_store \"%V\": %s of %ui calls failed: %*s (%s)",
                  &link->pg->title,
                  ngx_http_payer_postgres_names[flight->kind], flight->njobs,
                  len, message, state);
}


/* waits again, before all others */

void
ngx_http_payer_postgres_again(ngx_http_payer_postgres_link_t *link,
    ngx_http_payer_postgres_job_t *job)
{
    job->sent = 0;

    link->pg->lent->count(link->pg->store->zone, NGX_HTTP_PAYER_COUNT_STORE,
                          NGX_HTTP_PAYER_COUNT_STORE_EVENTS,
                          NGX_HTTP_PAYER_COUNT_STORE_REPEATS);

    ngx_queue_insert_head(&link->waiting, &job->queue);

    if (!link->kick.posted) {
        ngx_post_event(&link->kick, &ngx_posted_events);
    }
}


void
ngx_http_payer_postgres_free_flight(ngx_http_payer_postgres_link_t *link,
    ngx_http_payer_postgres_flight_t *flight)
{
    ngx_queue_t                    *q;
    ngx_http_payer_postgres_job_t  *job;

    while (!ngx_queue_empty(&flight->jobs)) {
        q = ngx_queue_head(&flight->jobs);
        ngx_http_payer_postgres_unqueue(q);

        job = ngx_queue_data(q, ngx_http_payer_postgres_job_t, queue);

        if (job->dead) {
            ngx_http_payer_postgres_free(job);

        } else {
            ngx_http_payer_postgres_again(link, job);
        }
    }

    if (!flight->check && !flight->prepare
        && (flight->kind == NGX_HTTP_PAYER_POSTGRES_PUT
            || flight->kind == NGX_HTTP_PAYER_POSTGRES_GET))
    {
        link->running = 0;

        if (!ngx_queue_empty(&link->waiting) && !link->kick.posted) {
            ngx_post_event(&link->kick, &ngx_posted_events);
        }
    }

    if (flight->result != NULL) {
        PQclear(flight->result);
    }

    ngx_free(flight);
}
