
/*
 * Puts that wait, as one statement: while it is under way the next ones
 * gather, so that the more there is to write, the more of it shares one
 * commit.
 */


#include "ngx_http_payer_postgres.h"


#define NGX_HTTP_PAYER_POSTGRES_SET   8192      /* a power of two */


typedef struct {
    uint32_t      hash;
    ngx_uint_t    batch;
} ngx_http_payer_postgres_key_t;


static ngx_int_t ngx_http_payer_postgres_gather(
    ngx_http_payer_postgres_link_t *link,
    ngx_http_payer_postgres_flight_t *flight);
static ngx_uint_t ngx_http_payer_postgres_free_keys(
    ngx_http_payer_postgres_job_t *job);
static ngx_uint_t ngx_http_payer_postgres_take_key(ngx_str_t *key);


/*
 * The keys of a batch.  Two puts with a key in common are not in one batch: a
 * statement writes a row once.  Hashes are enough, as one that is taken for
 * another only waits.
 */

static ngx_http_payer_postgres_key_t  ngx_http_payer_postgres_set[
                                                 NGX_HTTP_PAYER_POSTGRES_SET];

/* of one batch after the other */
static ngx_http_payer_postgres_array_t  ngx_http_payer_postgres_changes;

static ngx_uint_t  ngx_http_payer_postgres_serial;
static ngx_uint_t  ngx_http_payer_postgres_nkeys;


ngx_int_t
ngx_http_payer_postgres_batch(ngx_http_payer_postgres_link_t *link)
{
    u_char                             strict;
    ngx_int_t                          rc;
    ngx_str_t                          params[2];
    ngx_http_payer_postgres_array_t   *rows;
    ngx_http_payer_postgres_flight_t  *flight;

    if (link->running) {
        return NGX_DECLINED;
    }

    flight = ngx_http_payer_postgres_flight(NGX_HTTP_PAYER_POSTGRES_PUT);
    if (flight == NULL) {
        return NGX_ERROR;
    }

    rows = &ngx_http_payer_postgres_changes;

    ngx_http_payer_postgres_array_init(rows, link->wire->change);

    rc = ngx_http_payer_postgres_gather(link, flight);

    if (rc != NGX_OK) {
        ngx_free(flight);

    } else {
        ngx_http_payer_postgres_rows(rows);

        params[0] = ngx_http_payer_postgres_array_end(rows);

        strict = (link->pg->durability == NGX_HTTP_PAYER_POSTGRES_REPLICATED);

        params[1].data = &strict;
        params[1].len = 1;

        /* with the flight on the wire, its jobs wait again if that is lost */

        if (rows->failed) {
            ngx_queue_insert_tail(&link->wire->flights, &flight->queue);
            rc = NGX_ERROR;

        } else {
            link->running = 1;
            rc = ngx_http_payer_postgres_send(link->wire, flight, 2, params);
        }
    }

    ngx_http_payer_postgres_array_free(rows);

    return rc;
}


/* NGX_OK, or NGX_DECLINED if there is no put */

static ngx_int_t
ngx_http_payer_postgres_gather(ngx_http_payer_postgres_link_t *link,
    ngx_http_payer_postgres_flight_t *flight)
{
    ngx_queue_t                    *q, *next;
    ngx_http_payer_postgres_job_t  *job;

    ngx_http_payer_postgres_serial++;
    ngx_http_payer_postgres_nkeys = 0;

    for (q = ngx_queue_head(&link->waiting);
         q != ngx_queue_sentinel(&link->waiting);
         q = next)
    {
        next = ngx_queue_next(q);

        job = ngx_queue_data(q, ngx_http_payer_postgres_job_t, queue);

        if (job->kind != NGX_HTTP_PAYER_POSTGRES_PUT
            || !ngx_http_payer_postgres_free_keys(job))
        {
            continue;
        }

        if (flight->njobs != 0
            && (job->alone
                || flight->njobs == NGX_HTTP_PAYER_POSTGRES_BATCH
                || ngx_http_payer_postgres_nkeys
                   >= NGX_HTTP_PAYER_POSTGRES_KEYS))
        {
            break;
        }

        if (ngx_http_payer_postgres_merge(job) != NGX_OK) {

            /* no memory; it had no effect */

            ngx_http_payer_postgres_finish(link, job, NGX_ERROR);
            continue;
        }

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&flight->jobs, q);
        flight->njobs++;

        ngx_http_payer_postgres_add_put(job, flight->njobs);

        if (job->alone) {
            break;
        }
    }

    return flight->njobs ? NGX_OK : NGX_DECLINED;
}


/* whether none is another put's; they are that of this one from now on, also
 * if it has to wait, as what comes later for the same keys must not pass it */

static ngx_uint_t
ngx_http_payer_postgres_free_keys(ngx_http_payer_postgres_job_t *job)
{
    ngx_uint_t                     i, unused;
    ngx_http_payer_store_entry_t  *entry;

    unused = 1;

    for (i = 0; i < job->n; i++) {
        entry = &job->entries[i];

        unused &= ngx_http_payer_postgres_take_key(&entry->key);

        if (entry->alias.len) {
            unused &= ngx_http_payer_postgres_take_key(&entry->alias);
        }
    }

    if (ngx_http_payer_postgres_claim_row(job)) {
        unused &= ngx_http_payer_postgres_take_key(&job->claim.key);
    }

    return unused;
}


static ngx_uint_t
ngx_http_payer_postgres_take_key(ngx_str_t *key)
{
    uint32_t    hash;
    ngx_uint_t  i;

    hash = ngx_murmur_hash2(key->data, key->len);
    i = hash & (NGX_HTTP_PAYER_POSTGRES_SET - 1);

    while (ngx_http_payer_postgres_set[i].batch
           == ngx_http_payer_postgres_serial)
    {
        if (ngx_http_payer_postgres_set[i].hash == hash) {
            return 0;
        }

        i = (i + 1) & (NGX_HTTP_PAYER_POSTGRES_SET - 1);
    }

    if (ngx_http_payer_postgres_nkeys >= NGX_HTTP_PAYER_POSTGRES_SET - 1) {
        return 0;
    }

    ngx_http_payer_postgres_set[i].batch = ngx_http_payer_postgres_serial;
    ngx_http_payer_postgres_set[i].hash = hash;

    ngx_http_payer_postgres_nkeys++;

    return 1;
}
