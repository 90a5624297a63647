
/*
 * A batch of writes as one transaction of LMDB.  Runs in a thread.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_store_lmdb.h"


#define NGX_HTTP_PAYER_LMDB_SWEEP  8            /* looked at in passing */
#define NGX_HTTP_PAYER_LMDB_SEEN   3600         /* a time is kept so long */


static int ngx_http_payer_lmdb_apply(ngx_http_payer_lmdb_env_t *le,
    MDB_txn *txn, ngx_http_payer_lmdb_job_t *job);
static int ngx_http_payer_lmdb_first(ngx_http_payer_lmdb_env_t *le,
    MDB_txn *txn, ngx_http_payer_lmdb_job_t *job, ngx_str_t *first);
static int ngx_http_payer_lmdb_replace(ngx_http_payer_lmdb_env_t *le,
    MDB_txn *txn, ngx_http_payer_lmdb_job_t *job, ngx_uint_t i,
    ngx_str_t *before);
static int ngx_http_payer_lmdb_delete(ngx_http_payer_lmdb_env_t *le,
    MDB_txn *txn, ngx_http_payer_lmdb_job_t *job, ngx_uint_t i);
static int ngx_http_payer_lmdb_store(ngx_http_payer_lmdb_env_t *le,
    MDB_txn *txn, MDB_val *key, ngx_str_t *fresh, time_t expires);
static int ngx_http_payer_lmdb_keep(ngx_http_payer_lmdb_job_t *job,
    ngx_uint_t i, ngx_str_t *value, ngx_uint_t kept);
static int ngx_http_payer_lmdb_hold(ngx_http_payer_lmdb_env_t *le,
    MDB_txn *txn, time_t *until);
static int ngx_http_payer_lmdb_sweep(ngx_http_payer_lmdb_env_t *le,
    MDB_txn *txn);


/*
 * One transaction for the whole batch.  A put that fails for itself is marked
 * and the others are written without it; what the map is too small for waits
 * for the event loop, where no read can be going on.
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

    rc = mdb_txn_begin(le->env, NULL, 0, &txn);

    if (rc != 0) {
        return rc;
    }

    le->writer = txn;

    rc = ngx_http_payer_lmdb_same(le, txn);

    if (rc != 0) {
        le->writer = NULL;
        mdb_txn_abort(txn);
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

    if (rc == 0 && until < le->now) {
        rc = ngx_http_payer_lmdb_sweep(le, txn);
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
    }

    return rc;
}


/* others wait for the lock of a transaction that came to no end */

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
 * Until when nothing is dropped.  It is kept in the database, to survive a
 * restart, together with the time of a write: what the zone knows of the clock
 * begins when nginx starts, and the clock may have leapt while it was down.
 */

static int
ngx_http_payer_lmdb_hold(ngx_http_payer_lmdb_env_t *le, MDB_txn *txn,
    time_t *until)
{
    int        rc;
    u_char     text[NGX_HTTP_PAYER_LMDB_EXPIRES_LEN];
    time_t     stored, seen, most;
    MDB_val    key, value;
    ngx_str_t  fresh;

    key.mv_data = NGX_HTTP_PAYER_LMDB_CLOCK_KEY;
    key.mv_size = sizeof(NGX_HTTP_PAYER_LMDB_CLOCK_KEY) - 1;

    rc = mdb_get(txn, le->dbi, &key, &value);

    if (rc != 0 && rc != MDB_NOTFOUND) {
        return rc;
    }

    stored = 0;
    seen = 0;

    if (rc == 0) {
        stored = ngx_http_payer_lmdb_expires(&value);

        value.mv_data = (u_char *) value.mv_data
                        + NGX_HTTP_PAYER_LMDB_EXPIRES_LEN;
        value.mv_size -= ngx_min(value.mv_size,
                                 NGX_HTTP_PAYER_LMDB_EXPIRES_LEN);

        seen = ngx_http_payer_lmdb_expires(&value);
    }

    /* what is farther away is of a clock that was set back since */

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

    ngx_http_payer_lmdb_write_time(text, le->now);

    fresh.data = text;
    fresh.len = NGX_HTTP_PAYER_LMDB_EXPIRES_LEN;

    return ngx_http_payer_lmdb_store(le, txn, &key, &fresh, *until);
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

    if (job->act != NGX_HTTP_PAYER_CLAIM_NONE) {
        rc = ngx_http_payer_lmdb_take(le, txn, job);

        if (rc != 0 || job->busy) {
            return rc;
        }
    }

    depends = 0;

    for (i = 1; i < job->n; i++) {
        depends |= (job->entries[i].when != NULL);
    }

    ngx_str_null(&before);

    if (depends) {
        rc = ngx_http_payer_lmdb_first(le, txn, job, &value);

        if (rc != 0) {
            return rc;
        }

        before.data = buf;
        before.len = ngx_min(value.len, sizeof(buf));
        ngx_memcpy(buf, value.data, before.len);
    }

    for (i = 0; i < job->n; i++) {

        rc = (job->entries[i].value.data != NULL)
             ? ngx_http_payer_lmdb_replace(le, txn, job, i, &before)
             : ngx_http_payer_lmdb_delete(le, txn, job, i);

        if (rc != 0 && rc != MDB_NOTFOUND) {
            return rc;
        }
    }

    return 0;
}


/* what is stored under the first key of the job, empty if there is nothing */

static int
ngx_http_payer_lmdb_first(ngx_http_payer_lmdb_env_t *le, MDB_txn *txn,
    ngx_http_payer_lmdb_job_t *job, ngx_str_t *first)
{
    int      rc;
    MDB_val  key, value;

    first->len = 0;
    first->data = (u_char *) "";

    key.mv_data = job->entries[0].key.data;
    key.mv_size = job->entries[0].key.len;

    rc = mdb_get(txn, le->dbi, &key, &value);

    if (rc != 0) {
        return rc == MDB_NOTFOUND ? 0 : rc;
    }

    if (value.mv_size < NGX_HTTP_PAYER_LMDB_EXPIRES_LEN) {
        return MDB_CORRUPTED;
    }

    first->data = (u_char *) value.mv_data + NGX_HTTP_PAYER_LMDB_EXPIRES_LEN;
    first->len = value.mv_size - NGX_HTTP_PAYER_LMDB_EXPIRES_LEN;

    return 0;
}


/* what the merge does not let go stays; MDB_NOTFOUND is no error */

static int
ngx_http_payer_lmdb_delete(ngx_http_payer_lmdb_env_t *le, MDB_txn *txn,
    ngx_http_payer_lmdb_job_t *job, ngx_uint_t i)
{
    int                            rc;
    MDB_val                        key, value;
    ngx_str_t                      stored;
    ngx_http_payer_store_entry_t  *entry;

    entry = &job->entries[i];

    key.mv_data = entry->key.data;
    key.mv_size = entry->key.len;

    if (entry->merge != NULL) {
        rc = mdb_get(txn, le->dbi, &key, &value);

        if (rc != 0) {
            return rc;
        }

        if (value.mv_size < NGX_HTTP_PAYER_LMDB_EXPIRES_LEN) {
            return MDB_CORRUPTED;
        }

        stored.data = (u_char *) value.mv_data
                      + NGX_HTTP_PAYER_LMDB_EXPIRES_LEN;
        stored.len = value.mv_size - NGX_HTTP_PAYER_LMDB_EXPIRES_LEN;

        if (entry->merge(&stored, &entry->value) != NGX_OK) {
            return ngx_http_payer_lmdb_keep(job, i, &stored, 1);
        }
    }

    if (i == 0) {
        job->kept = 0;
    }

    return mdb_del(txn, le->dbi, &key, NULL);
}


/* a merge edits a copy, since the batch may have to be written again */

static int
ngx_http_payer_lmdb_replace(ngx_http_payer_lmdb_env_t *le, MDB_txn *txn,
    ngx_http_payer_lmdb_job_t *job, ngx_uint_t i, ngx_str_t *before)
{
    int                            rc;
    u_char                         buf[NGX_HTTP_PAYER_STORE_MAX_VALUE];
    time_t                         expires;
    MDB_val                        key, value;
    ngx_str_t                      stored, fresh, after;
    ngx_http_payer_store_entry_t  *entry;

    entry = &job->entries[i];

    key.mv_data = entry->key.data;
    key.mv_size = entry->key.len;

    fresh = entry->value;
    expires = entry->expires;

    if (entry->merge != NULL || entry->when != NULL) {
        fresh.data = buf;
        ngx_memcpy(buf, entry->value.data, fresh.len);
    }

    if (i != 0 && entry->when != NULL) {
        rc = ngx_http_payer_lmdb_first(le, txn, job, &after);

        if (rc != 0 || entry->when(before, &after, &fresh) != NGX_OK) {
            return rc;
        }
    }

    rc = mdb_get(txn, le->dbi, &key, &value);

    if (rc == 0) {

        if (value.mv_size < NGX_HTTP_PAYER_LMDB_EXPIRES_LEN) {
            return MDB_CORRUPTED;
        }

        expires = ngx_http_payer_store_later(expires,
                                       ngx_http_payer_lmdb_expires(&value));

        stored.data = (u_char *) value.mv_data
                      + NGX_HTTP_PAYER_LMDB_EXPIRES_LEN;
        stored.len = value.mv_size - NGX_HTTP_PAYER_LMDB_EXPIRES_LEN;

        if (entry->merge != NULL && entry->merge(&stored, &fresh) != NGX_OK) {
            return ngx_http_payer_lmdb_keep(job, i, &stored, 1);
        }

    } else if (rc != MDB_NOTFOUND) {
        return rc;
    }

    rc = ngx_http_payer_lmdb_store(le, txn, &key, &fresh, expires);

    if (rc != 0) {
        return rc;
    }

    return ngx_http_payer_lmdb_keep(job, i, &fresh, 0);
}


static int
ngx_http_payer_lmdb_store(ngx_http_payer_lmdb_env_t *le, MDB_txn *txn,
    MDB_val *key, ngx_str_t *fresh, time_t expires)
{
    int       rc;
    u_char   *p;
    MDB_val   value;

    value.mv_size = NGX_HTTP_PAYER_LMDB_EXPIRES_LEN + fresh->len;

    rc = mdb_put(txn, le->dbi, key, &value, MDB_RESERVE);

    if (rc != 0) {
        return rc;
    }

    p = ngx_http_payer_lmdb_write_time(value.mv_data, expires);

    ngx_memcpy(p, fresh->data, fresh->len);

    return 0;
}


u_char *
ngx_http_payer_lmdb_write_time(u_char *p, time_t t)
{
    uint64_t    u;
    ngx_uint_t  n;

    u = (uint64_t) t;

    for (n = 0; n < NGX_HTTP_PAYER_LMDB_EXPIRES_LEN; n++) {
        *p++ = (u_char) (u & 0xff);
        u >>= 8;
    }

    return p;
}


/* what put() answers for its first entry */

static int
ngx_http_payer_lmdb_keep(ngx_http_payer_lmdb_job_t *job, ngx_uint_t i,
    ngx_str_t *value, ngx_uint_t kept)
{
    if (i != 0 || !job->wanted) {
        return 0;
    }

    if (job->result != NULL) {
        ngx_free(job->result);
    }

    job->result = ngx_alloc(value->len + 1, ngx_cycle->log);
    if (job->result == NULL) {
        return NGX_ENOMEM;
    }

    ngx_memcpy(job->result, value->data, value->len);
    job->len = value->len;
    job->kept = kept;

    return 0;
}


/* drops what has expired, a few keys further with every batch */

static int
ngx_http_payer_lmdb_sweep(ngx_http_payer_lmdb_env_t *le, MDB_txn *txn)
{
    int          rc;
    time_t       expires;
    MDB_val      key, value;
    MDB_cursor  *cursor;
    ngx_uint_t   n;

    rc = mdb_cursor_open(txn, le->dbi, &cursor);

    if (rc != 0) {
        return rc;
    }

    key = le->sweep;

    rc = mdb_cursor_get(cursor, &key, &value,
                        key.mv_size ? MDB_SET_RANGE : MDB_FIRST);

    for (n = 0; rc == 0 && n < NGX_HTTP_PAYER_LMDB_SWEEP; n++) {

        le->sweep.mv_data = le->sweep_key;
        le->sweep.mv_size = key.mv_size;
        ngx_memcpy(le->sweep_key, key.mv_data, key.mv_size);

        expires = ngx_http_payer_lmdb_expires(&value);

        if ((expires != 0 && expires < le->now
             && le->sweep_key[0] != NGX_HTTP_PAYER_LMDB_OWN)
            || ngx_http_payer_lmdb_claim_over(&key, &value))
        {
            rc = mdb_cursor_del(cursor, 0);

            if (rc != 0) {
                break;
            }
        }

        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }

    mdb_cursor_close(cursor);

    if (rc == MDB_NOTFOUND) {
        le->sweep.mv_size = 0;
        return 0;
    }

    return rc;
}


time_t
ngx_http_payer_lmdb_expires(MDB_val *value)
{
    u_char      *p;
    uint64_t     expires;
    ngx_uint_t   n;

    /* of the format key */

    if (value->mv_size < NGX_HTTP_PAYER_LMDB_EXPIRES_LEN) {
        return 0;
    }

    p = value->mv_data;
    expires = 0;

    for (n = NGX_HTTP_PAYER_LMDB_EXPIRES_LEN; n-- > 0; /* void */ ) {
        expires = expires << 8 | p[n];
    }

    return (time_t) expires;
}
