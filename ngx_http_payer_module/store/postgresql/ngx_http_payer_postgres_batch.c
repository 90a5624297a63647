
/*
 * Puts that wait, as one statement: while it is under way the next ones
 * gather, so that the more there is to write, the more of it shares one
 * commit.
 */


#include "ngx_http_payer_postgres.h"


#define NGX_HTTP_PAYER_POSTGRES_SET   8192      /* a power of two */
#define NGX_HTTP_PAYER_POSTGRES_KEYS  4096      /* of a batch */


/* the arrays of put_1() */
typedef enum {
    IDS = 0, PUT, OP, KEY, VALUE, MADE_FROM, TARGET, EXPIRES, UPDATED, DUE,
    ATTENTION, STATE, ACT, OWNER, LEASE, ARRAYS
} ngx_http_payer_postgres_array_e;


typedef struct {
    uint32_t      hash;
    ngx_uint_t    batch;
} ngx_http_payer_postgres_key_t;


static ngx_int_t ngx_http_payer_postgres_gather(
    ngx_http_payer_postgres_link_t *link,
    ngx_http_payer_postgres_flight_t *flight,
    ngx_http_payer_postgres_array_t *arrays);
static ngx_uint_t ngx_http_payer_postgres_free_keys(
    ngx_http_payer_postgres_job_t *job);
static ngx_uint_t ngx_http_payer_postgres_take_key(ngx_str_t *key);
static void ngx_http_payer_postgres_put_rows(
    ngx_http_payer_postgres_array_t *arrays,
    ngx_http_payer_postgres_job_t *job, ngx_uint_t put);
static void ngx_http_payer_postgres_put_row(
    ngx_http_payer_postgres_array_t *arrays, ngx_uint_t put, ngx_uint_t op,
    ngx_str_t *key, ngx_http_payer_postgres_job_t *job, ngx_uint_t i);
static ngx_uint_t ngx_http_payer_postgres_claims(
    ngx_http_payer_postgres_job_t *job, ngx_str_t *key);


/* one that only the zone knows is not given back there */

#define ngx_http_payer_postgres_acts(job)                                    \
    ((job)->act == NGX_HTTP_PAYER_CLAIM_TAKE                                 \
     || ((job)->act == NGX_HTTP_PAYER_CLAIM_RELEASE && (job)->claim.taken))


static uint32_t  ngx_http_payer_postgres_types[] = {
    NGX_HTTP_PAYER_POSTGRES_UUID, NGX_HTTP_PAYER_POSTGRES_INT4,
    NGX_HTTP_PAYER_POSTGRES_INT4, NGX_HTTP_PAYER_POSTGRES_TEXT,
    NGX_HTTP_PAYER_POSTGRES_BYTEA, NGX_HTTP_PAYER_POSTGRES_INT8,
    NGX_HTTP_PAYER_POSTGRES_TEXT, NGX_HTTP_PAYER_POSTGRES_INT8,
    NGX_HTTP_PAYER_POSTGRES_INT8, NGX_HTTP_PAYER_POSTGRES_INT8,
    NGX_HTTP_PAYER_POSTGRES_INT8, NGX_HTTP_PAYER_POSTGRES_INT4,
    NGX_HTTP_PAYER_POSTGRES_INT4, NGX_HTTP_PAYER_POSTGRES_BYTEA,
    NGX_HTTP_PAYER_POSTGRES_INT4
};


/*
 * The keys of a batch.  Two puts with a key in common are not in one batch: a
 * statement writes a row once.  Hashes are enough, as one that is taken for
 * another only waits.
 */

static ngx_http_payer_postgres_key_t  ngx_http_payer_postgres_set[
                                                 NGX_HTTP_PAYER_POSTGRES_SET];

/* of one batch after the other */
static ngx_http_payer_postgres_array_t  ngx_http_payer_postgres_arrays[ARRAYS];

static ngx_uint_t  ngx_http_payer_postgres_serial;
static ngx_uint_t  ngx_http_payer_postgres_nkeys;


ngx_int_t
ngx_http_payer_postgres_batch(ngx_http_payer_postgres_link_t *link)
{
    u_char                             strict;
    ngx_int_t                          rc;
    ngx_str_t                          params[ARRAYS + 1];
    ngx_uint_t                         i;
    ngx_http_payer_postgres_array_t   *arrays;
    ngx_http_payer_postgres_flight_t  *flight;

    if (link->running) {
        return NGX_DECLINED;
    }

    flight = ngx_http_payer_postgres_flight(NGX_HTTP_PAYER_POSTGRES_PUT);
    if (flight == NULL) {
        return NGX_ERROR;
    }

    arrays = ngx_http_payer_postgres_arrays;

    for (i = 0; i < ARRAYS; i++) {
        ngx_http_payer_postgres_array_init(&arrays[i],
                                           ngx_http_payer_postgres_types[i]);
    }

    rc = ngx_http_payer_postgres_gather(link, flight, arrays);

    if (rc == NGX_OK) {

        for (i = 0; i < ARRAYS; i++) {
            params[i] = ngx_http_payer_postgres_array_end(&arrays[i]);

            if (arrays[i].failed) {
                rc = NGX_ERROR;
            }
        }

        strict = (link->pg->durability == NGX_HTTP_PAYER_POSTGRES_REPLICATED);

        params[ARRAYS].data = &strict;
        params[ARRAYS].len = 1;

        /* with the flight on the wire, its jobs wait again if that is lost */

        if (rc == NGX_OK) {
            link->running = 1;
            rc = ngx_http_payer_postgres_send(link->wire, flight, ARRAYS + 1,
                                              params);

        } else {
            ngx_queue_insert_tail(&link->wire->flights, &flight->queue);
        }

    } else {
        ngx_free(flight);
    }

    for (i = 0; i < ARRAYS; i++) {
        ngx_http_payer_postgres_array_free(&arrays[i]);
    }

    return rc;
}


/* NGX_OK, or NGX_DECLINED if there is no put */

static ngx_int_t
ngx_http_payer_postgres_gather(ngx_http_payer_postgres_link_t *link,
    ngx_http_payer_postgres_flight_t *flight,
    ngx_http_payer_postgres_array_t *arrays)
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

        ngx_http_payer_postgres_add_bytes(&arrays[IDS], job->id,
                                          sizeof(job->id));
        ngx_http_payer_postgres_put_rows(arrays, job, flight->njobs);

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


/* the rows of a put; written() counts them in the same way */

static void
ngx_http_payer_postgres_put_rows(ngx_http_payer_postgres_array_t *arrays,
    ngx_http_payer_postgres_job_t *job, ngx_uint_t put)
{
    ngx_uint_t                     i;
    ngx_http_payer_store_entry_t  *entry;

    for (i = 0; i < job->n; i++) {
        entry = &job->entries[i];

        if (job->fresh[i].op == NGX_HTTP_PAYER_POSTGRES_SKIP) {
            continue;
        }

        ngx_http_payer_postgres_put_row(arrays, put, job->fresh[i].op,
                                        &entry->key, job, i);

        if (entry->alias.len) {
            ngx_http_payer_postgres_put_row(arrays, put,
                                            NGX_HTTP_PAYER_POSTGRES_ALIAS,
                                            &entry->alias, job, i);
        }
    }

    if (ngx_http_payer_postgres_claim_row(job)) {
        ngx_http_payer_postgres_put_row(arrays, put,
                                        NGX_HTTP_PAYER_POSTGRES_CLAIM,
                                        &job->claim.key, job, 0);
    }
}


static void
ngx_http_payer_postgres_put_row(ngx_http_payer_postgres_array_t *arrays,
    ngx_uint_t put, ngx_uint_t op, ngx_str_t *key,
    ngx_http_payer_postgres_job_t *job, ngx_uint_t i)
{
    ngx_uint_t                        write, alias;
    ngx_http_payer_label_t            label;
    ngx_http_payer_store_entry_t      entry;
    ngx_http_payer_postgres_fresh_t   fresh;

    ngx_memzero(&label, sizeof(ngx_http_payer_label_t));
    ngx_memzero(&entry, sizeof(ngx_http_payer_store_entry_t));
    ngx_memzero(&fresh, sizeof(ngx_http_payer_postgres_fresh_t));

    if (i < job->n) {
        entry = job->entries[i];
        fresh = job->fresh[i];
    }

    write = (op == NGX_HTTP_PAYER_POSTGRES_WRITE);
    alias = (op == NGX_HTTP_PAYER_POSTGRES_ALIAS);

    if (write) {
        label = fresh.label;
    }

    ngx_http_payer_postgres_add_int4(&arrays[PUT], put);
    ngx_http_payer_postgres_add_int4(&arrays[OP], op);
    ngx_http_payer_postgres_add_bytes(&arrays[KEY], key->data, key->len);

    if (write) {
        ngx_http_payer_postgres_add_bytes(&arrays[VALUE], fresh.value.data,
                                          fresh.value.len);

    } else {
        ngx_http_payer_postgres_add_null(&arrays[VALUE]);
    }

    ngx_http_payer_postgres_add_int8(&arrays[MADE_FROM],
                                     op <= NGX_HTTP_PAYER_POSTGRES_DELETE
                                     ? (int64_t) job->stored[i].rev : 0);

    if (alias) {
        ngx_http_payer_postgres_add_bytes(&arrays[TARGET], entry.key.data,
                                          entry.key.len);

    } else {
        ngx_http_payer_postgres_add_null(&arrays[TARGET]);
    }

    if ((write || alias) && entry.expires) {
        ngx_http_payer_postgres_add_int8(&arrays[EXPIRES],
                                         entry.expires - ngx_time());

    } else {
        ngx_http_payer_postgres_add_null(&arrays[EXPIRES]);
    }

    if (label.updated) {
        ngx_http_payer_postgres_add_int8(&arrays[UPDATED], label.updated);

    } else {
        ngx_http_payer_postgres_add_null(&arrays[UPDATED]);
    }

    if (label.due) {
        ngx_http_payer_postgres_add_int8(&arrays[DUE],
                                         label.due - ngx_time());

    } else {
        ngx_http_payer_postgres_add_null(&arrays[DUE]);
    }

    ngx_http_payer_postgres_add_int8(&arrays[ATTENTION], label.attention);
    ngx_http_payer_postgres_add_int4(&arrays[STATE], label.state);

    if (!alias && ngx_http_payer_postgres_claims(job, key)) {
        ngx_http_payer_postgres_add_int4(&arrays[ACT], job->act);
        ngx_http_payer_postgres_add_bytes(&arrays[OWNER], job->claim.id,
                                          NGX_HTTP_PAYER_OWNER_LEN);
        ngx_http_payer_postgres_add_int4(&arrays[LEASE], job->claim.lease);

    } else {
        ngx_http_payer_postgres_add_int4(&arrays[ACT], 0);
        ngx_http_payer_postgres_add_null(&arrays[OWNER]);
        ngx_http_payer_postgres_add_int4(&arrays[LEASE], 0);
    }
}


static ngx_uint_t
ngx_http_payer_postgres_claims(ngx_http_payer_postgres_job_t *job,
    ngx_str_t *key)
{
    return ngx_http_payer_postgres_acts(job)
           && job->claim.key.len == key->len
           && ngx_memcmp(job->claim.key.data, key->data, key->len) == 0;
}


/* whether the claim needs a row, as it is of no key that is sent */

ngx_uint_t
ngx_http_payer_postgres_claim_row(ngx_http_payer_postgres_job_t *job)
{
    ngx_uint_t  i;

    if (!ngx_http_payer_postgres_acts(job)) {
        return 0;
    }

    for (i = 0; i < job->n; i++) {
        if (job->fresh[i].op != NGX_HTTP_PAYER_POSTGRES_SKIP
            && ngx_http_payer_postgres_claims(job, &job->entries[i].key))
        {
            return 0;
        }
    }

    return 1;
}
