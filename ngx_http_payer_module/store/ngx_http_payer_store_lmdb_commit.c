
/*
 * A batch of writes as one transaction of LMDB.  Runs in a thread.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_store_lmdb.h"


#define NGX_HTTP_PAYER_LMDB_SWEEP  4            /* looked at for a write */
#define NGX_HTTP_PAYER_LMDB_SWEEPS 64           /* at the least at a time, as
                                                 * the first is searched for;
                                                 * and in each second with a
                                                 * write */
#define NGX_HTTP_PAYER_LMDB_SEEN   3600         /* a time is kept so long */
#define NGX_HTTP_PAYER_LMDB_REVS   20           /* bits for those of one
                                                 * transaction */


static int ngx_http_payer_lmdb_begin(ngx_http_payer_lmdb_env_t *le,
    MDB_txn **txn);
static int ngx_http_payer_lmdb_apply(ngx_http_payer_lmdb_env_t *le,
    MDB_txn *txn, ngx_http_payer_lmdb_job_t *job);
static ngx_uint_t ngx_http_payer_lmdb_own_claim(
    ngx_http_payer_lmdb_job_t *job);
static int ngx_http_payer_lmdb_hold(ngx_http_payer_lmdb_env_t *le,
    MDB_txn *txn, time_t *until);
static int ngx_http_payer_lmdb_read_clock(ngx_http_payer_lmdb_env_t *le,
    MDB_txn *txn);
static int ngx_http_payer_lmdb_sweep(ngx_http_payer_lmdb_env_t *le);
static int ngx_http_payer_lmdb_drop(ngx_http_payer_lmdb_env_t *le,
    MDB_val *value);


/*
 * One transaction for the whole batch.  A put that fails by itself is marked
 * and the others are written without it; if the map is too small, the batch
 * waits for the event loop, where no read is in progress.
 */

int
ngx_http_payer_lmdb_commit(ngx_http_payer_lmdb_env_t *le, void *data)
{
    int                         rc;
    time_t                      until;
    MDB_txn                    *txn;
    ngx_queue_t                *q;
    ngx_http_payer_lmdb_job_t  *job;

    if (le->generation <= le->zone->sh->store_closed) {
        return NGX_HTTP_PAYER_LMDB_CLOSED;
    }

    if (le->env == NULL) {
        return MDB_PANIC;
    }

again:

    rc = ngx_http_payer_lmdb_begin(le, &txn);

    if (rc != 0) {
        return rc;
    }

    for (q = ngx_queue_head(&le->batch);
         q != ngx_queue_sentinel(&le->batch);
         q = ngx_queue_next(q))
    {
        job = ngx_queue_data(q, ngx_http_payer_lmdb_job_t, queue);

        if (job->rc != 0) {
            continue;
        }

        rc = ngx_http_payer_lmdb_apply(le, txn, job);

        if (rc == 0) {
            le->looks += NGX_HTTP_PAYER_LMDB_SWEEP;
            continue;
        }

        le->writer = NULL;
        mdb_txn_abort(txn);

        if (rc == MDB_MAP_FULL
            || ngx_http_payer_lmdb_exit_code(rc)
               == NGX_HTTP_PAYER_LMDB_DAMAGED)
        {
            return rc;
        }

        job->rc = rc;

        goto again;
    }

    rc = ngx_http_payer_lmdb_hold(le, txn, &until);

    if (rc == 0
        && until < le->now
        && (le->looks >= NGX_HTTP_PAYER_LMDB_SWEEPS || le->swept != le->now))
    {
        rc = ngx_http_payer_lmdb_sweep(le);
    }

    if (rc != 0) {
        le->writer = NULL;
        mdb_txn_abort(txn);
        return rc;
    }

    rc = mdb_txn_commit(txn);

    le->writer = NULL;

    if (rc == 0) {
        le->zone->sh->clock_known = 1;

        /* what is known of the time stays known, if it was; an empty
         * transaction leaves its number to the next one, of whomever */

        le->clock_txn = (le->clock_txn && le->wrote) ? le->clock_txn + 1 : 0;
    }

    return rc;
}


/* the cursor ends with the transaction */

static int
ngx_http_payer_lmdb_begin(ngx_http_payer_lmdb_env_t *le, MDB_txn **txn)
{
    int  rc;

    rc = mdb_txn_begin(le->env, NULL, 0, txn);

    if (rc != 0) {
        return rc;
    }

    le->writer = *txn;
    le->wrote = 0;
    le->rev = (uint64_t) mdb_txn_id(*txn) << NGX_HTTP_PAYER_LMDB_REVS;

    rc = ngx_http_payer_lmdb_same(le, *txn);

    if (rc == 0) {
        rc = mdb_cursor_open(*txn, le->dbi, &le->cursor);
    }

    if (rc != 0) {
        le->writer = NULL;
        mdb_txn_abort(*txn);
    }

    return rc;
}


/* others wait for the lock of an unfinished transaction */

int
ngx_http_payer_lmdb_abort(ngx_http_payer_lmdb_env_t *le, void *data)
{
    MDB_txn  *txn;

    txn = le->writer;
    le->writer = NULL;

    if (txn != NULL) {
        mdb_txn_abort(txn);
    }

    return 0;
}


/*
 * The time until which nothing is deleted.  It is kept in the database for
 * restarts, together with the time of a write: the zone has no times from
 * before the start of nginx, and the clock may have jumped meanwhile.
 */

static int
ngx_http_payer_lmdb_hold(ngx_http_payer_lmdb_env_t *le, MDB_txn *txn,
    time_t *until)
{
    int        rc;
    u_char     text[2 * NGX_HTTP_PAYER_LMDB_EXPIRES_LEN];
    time_t     stored, seen, most;
    MDB_val    key, value;
    u_char    *p;

    /* nobody else has written since then, as a rule */

    if (le->clock_txn == 0 || le->clock_txn + 1 != mdb_txn_id(txn)) {

        rc = ngx_http_payer_lmdb_read_clock(le, txn);

        if (rc != 0) {
            return rc;
        }
    }

    stored = le->clock_held;
    seen = le->clock_seen;

    /* a later time is from before the clock was set back */

    most = le->now + NGX_HTTP_PAYER_ZONE_HOLD;

    *until = ngx_max(ngx_min(stored, most), le->held);

    if (!le->zone->sh->clock_known
        && le->now - seen > NGX_HTTP_PAYER_ZONE_LEAP)
    {
        le->leapt = 1;
        *until = most;
    }

    if (*until == stored
        && le->now - seen < NGX_HTTP_PAYER_LMDB_SEEN
        && seen - le->now < NGX_HTTP_PAYER_LMDB_SEEN)
    {
        return 0;
    }

    le->clock_txn = 0;

    p = ngx_http_payer_lmdb_write_time(text, *until);
    (void) ngx_http_payer_lmdb_write_time(p, le->now);

    key.mv_data = NGX_HTTP_PAYER_LMDB_CLOCK_KEY;
    key.mv_size = sizeof(NGX_HTTP_PAYER_LMDB_CLOCK_KEY) - 1;
    value.mv_data = text;
    value.mv_size = sizeof(text);

    return mdb_put(txn, le->dbi, &key, &value, 0);
}


static int
ngx_http_payer_lmdb_read_clock(ngx_http_payer_lmdb_env_t *le, MDB_txn *txn)
{
    int      rc;
    MDB_val  key, value;

    key.mv_data = NGX_HTTP_PAYER_LMDB_CLOCK_KEY;
    key.mv_size = sizeof(NGX_HTTP_PAYER_LMDB_CLOCK_KEY) - 1;

    rc = mdb_get(txn, le->dbi, &key, &value);

    if (rc != 0 && rc != MDB_NOTFOUND) {
        return rc;
    }

    le->clock_held = 0;
    le->clock_seen = 0;
    le->clock_txn = mdb_txn_id(txn) - 1;

    if (rc == 0) {
        le->clock_held = ngx_http_payer_lmdb_expires(&value);

        value.mv_data = (u_char *) value.mv_data
                        + NGX_HTTP_PAYER_LMDB_EXPIRES_LEN;
        value.mv_size -= ngx_min(value.mv_size,
                                 NGX_HTTP_PAYER_LMDB_EXPIRES_LEN);

        le->clock_seen = ngx_http_payer_lmdb_read_time(&value);
    }

    return 0;
}


static int
ngx_http_payer_lmdb_apply(ngx_http_payer_lmdb_env_t *le, MDB_txn *txn,
    ngx_http_payer_lmdb_job_t *job)
{
    int         rc;
    u_char      buf[NGX_HTTP_PAYER_STORE_MAX_VALUE];
    ngx_str_t   before, value;
    ngx_uint_t  i, depends;

    job->busy = 0;
    job->first = ngx_http_payer_lmdb_own_claim(job);

    if (job->act != NGX_HTTP_PAYER_CLAIM_NONE && !job->first) {
        rc = ngx_http_payer_lmdb_take(le, job);

        if (rc != 0 || job->busy) {
            return rc;
        }
    }

    if (job->step) {
        return ngx_http_payer_lmdb_upgrade(le, txn, job);
    }

    if (job->limit != 0) {
        return ngx_http_payer_lmdb_lease(le, txn, job);
    }

    depends = 0;

    for (i = 1; i < job->n; i++) {
        depends |= (job->entries[i].when != NULL);
    }

    ngx_str_null(&before);

    if (depends) {
        rc = ngx_http_payer_lmdb_first(le, job, &value);

        if (rc != 0) {
            return rc;
        }

        before.data = buf;
        before.len = ngx_min(value.len, sizeof(buf));
        ngx_memcpy(buf, value.data, before.len);
    }

    for (i = 0; i < job->n; i++) {

        rc = (job->entries[i].value.data != NULL)
             ? ngx_http_payer_lmdb_replace(le, job, i, &before)
             : ngx_http_payer_lmdb_delete(le, job, i);

        if (rc != 0 && rc != MDB_NOTFOUND) {
            return rc;
        }

        if (job->busy) {
            return 0;
        }
    }

    return 0;
}


/* whether the claim is that of the first entry, and is written with it */

static ngx_uint_t
ngx_http_payer_lmdb_own_claim(ngx_http_payer_lmdb_job_t *job)
{
    ngx_http_payer_store_entry_t  *entry;

    if (job->act == NGX_HTTP_PAYER_CLAIM_NONE || job->n == 0) {
        return 0;
    }

    entry = &job->entries[0];

    return entry->value.data != NULL
           && entry->key.len == job->claim.key.len
           && ngx_memcmp(entry->key.data, job->claim.key.data, entry->key.len)
              == 0;
}


/* deletes expired entries, a few keys further with each write */

static int
ngx_http_payer_lmdb_sweep(ngx_http_payer_lmdb_env_t *le)
{
    int         rc, gone;
    MDB_val     key, value;
    ngx_uint_t  looks;

    looks = ngx_max(le->looks, NGX_HTTP_PAYER_LMDB_SWEEPS);

    le->looks = 0;
    le->swept = le->now;

    if (le->sweep.mv_size == 0) {
        le->sweep.mv_data = NGX_HTTP_PAYER_LMDB_BEYOND_OWN;
        le->sweep.mv_size = sizeof(NGX_HTTP_PAYER_LMDB_BEYOND_OWN) - 1;
    }

    key = le->sweep;
    rc = mdb_cursor_get(le->cursor, &key, &value, MDB_SET_RANGE);

    while (rc == 0 && looks--) {

        le->sweep.mv_data = le->sweep_key;
        le->sweep.mv_size = key.mv_size;
        ngx_memcpy(le->sweep_key, key.mv_data, key.mv_size);

        gone = ngx_http_payer_lmdb_drop(le, &value);

        if (gone == 0) {

            /* the cursor has lost its place */

            key = le->sweep;
            rc = mdb_cursor_get(le->cursor, &key, &value, MDB_SET_RANGE);

        } else if (gone == MDB_NOTFOUND) {
            rc = mdb_cursor_get(le->cursor, &key, &value, MDB_NEXT);

        } else {
            rc = gone;
        }
    }

    if (rc == MDB_NOTFOUND) {
        le->sweep.mv_size = 0;
        return 0;
    }

    return rc;
}


/* the entry at le->sweep: 0, MDB_NOTFOUND if it stays, or an error */

static int
ngx_http_payer_lmdb_drop(ngx_http_payer_lmdb_env_t *le, MDB_val *value)
{
    int                         rc;
    ngx_str_t                   name;
    ngx_uint_t                  over;
    ngx_http_payer_lmdb_head_t  head;

    rc = ngx_http_payer_lmdb_parse(value, &head);

    if (rc != 0) {
        return rc;
    }

    over = head.layout == NGX_HTTP_PAYER_LMDB_CLAIM
           || (head.expires != 0 && head.expires < le->now);

    if (!over || ngx_http_payer_lmdb_claim_runs(&head)) {
        return MDB_NOTFOUND;
    }

    name.data = le->sweep_key;
    name.len = le->sweep.mv_size;

    return ngx_http_payer_lmdb_remove(le, &name, &head);
}
