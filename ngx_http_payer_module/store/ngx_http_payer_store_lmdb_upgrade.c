
/*
 * Converts a store of a former version in the background: some entries with
 * each step, in separate transactions or with others, by one worker process at
 * a time.  The position is stored in the same transaction, so an interrupted
 * conversion is continued.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_store_lmdb.h"


#define NGX_HTTP_PAYER_LMDB_STEP         256    /* entries in a step */
#define NGX_HTTP_PAYER_LMDB_STEP_HERE    32     /* in the event loop */
#define NGX_HTTP_PAYER_LMDB_STEP_PAUSE   5      /* ms between two steps */
#define NGX_HTTP_PAYER_LMDB_STEP_AGAIN   1000   /* ms, if another worker does
                                                 * it, or it failed */
#define NGX_HTTP_PAYER_LMDB_STEP_LEASE   10000  /* ms, of who does it */


static void ngx_http_payer_lmdb_step(ngx_event_t *ev);
static void ngx_http_payer_lmdb_stepped(ngx_http_payer_io_t *io);
static int ngx_http_payer_lmdb_advance(ngx_http_payer_lmdb_env_t *le,
    MDB_cursor *cursor, ngx_str_t *place);
static int ngx_http_payer_lmdb_label(ngx_http_payer_lmdb_env_t *le,
    ngx_str_t *key, MDB_val *value);
static int ngx_http_payer_lmdb_set_place(MDB_txn *txn, MDB_dbi dbi,
    ngx_str_t *place);


int
ngx_http_payer_lmdb_begin_upgrade(MDB_txn *txn, MDB_dbi dbi)
{
    ngx_str_t  place = ngx_string(NGX_HTTP_PAYER_LMDB_BEYOND_OWN);

    return ngx_http_payer_lmdb_set_place(txn, dbi, &place);
}


static int
ngx_http_payer_lmdb_set_place(MDB_txn *txn, MDB_dbi dbi, ngx_str_t *place)
{
    u_char     *p, text[NGX_HTTP_PAYER_LMDB_EXPIRES_LEN
                        + NGX_HTTP_PAYER_STORE_MAX_KEY];
    MDB_val     key, value;

    key.mv_data = NGX_HTTP_PAYER_LMDB_UPGRADE_KEY;
    key.mv_size = sizeof(NGX_HTTP_PAYER_LMDB_UPGRADE_KEY) - 1;

    if (place == NULL) {
        return mdb_del(txn, dbi, &key, NULL);
    }

    p = ngx_http_payer_lmdb_write_time(text, 0);
    p = ngx_cpymem(p, place->data, place->len);

    value.mv_data = text;
    value.mv_size = p - text;

    return mdb_put(txn, dbi, &key, &value, 0);
}


void
ngx_http_payer_lmdb_resume_upgrade(ngx_http_payer_lmdb_env_t *le)
{
    if (!le->upgrade || le->step.timer_set || le->step_io.pending
        || ngx_exiting)
    {
        return;
    }

    le->step.handler = ngx_http_payer_lmdb_step;
    le->step.data = le;
    le->step.log = ngx_cycle->log;
    le->step.cancelable = 1;

    ngx_add_timer(&le->step, NGX_HTTP_PAYER_LMDB_STEP_PAUSE);
}


static void
ngx_http_payer_lmdb_step(ngx_event_t *ev)
{
    ngx_int_t                   rc;
    ngx_http_payer_lmdb_env_t  *le;

    static ngx_str_t  key = ngx_string(NGX_HTTP_PAYER_LMDB_UPGRADE_KEY);

    le = ev->data;

    if (ngx_http_payer_lmdb_ready(le) != NGX_OK) {
        ngx_add_timer(&le->step, NGX_HTTP_PAYER_LMDB_STEP_AGAIN);
        return;
    }

    if (le->stepping.owner) {
        ngx_http_payer_zone_extend(le->zone, &le->stepping,
                                   NGX_HTTP_PAYER_LMDB_STEP_LEASE);

    } else if (ngx_http_payer_zone_claim(le->zone, &key,
                                         NGX_HTTP_PAYER_LMDB_STEP_LEASE,
                                         &le->stepping)
               != NGX_OK)
    {
        ngx_add_timer(&le->step, NGX_HTTP_PAYER_LMDB_STEP_AGAIN);
        return;
    }

    le->step_io.pool = NULL;
    le->step_io.handler = ngx_http_payer_lmdb_stepped;
    le->step_io.data = le;

    rc = ngx_http_payer_lmdb_write_step(le, &le->step_io);

    if (rc != NGX_AGAIN) {
        le->step_io.rc = rc;
        ngx_http_payer_lmdb_stepped(&le->step_io);
    }
}


static void
ngx_http_payer_lmdb_stepped(ngx_http_payer_io_t *io)
{
    ngx_http_payer_lmdb_env_t  *le;

    le = io->data;

    if (le->upgrade && io->rc == NGX_OK) {
        ngx_http_payer_lmdb_resume_upgrade(le);
        return;
    }

    ngx_http_payer_zone_unclaim(le->zone, &le->stepping);

    if (le->finished) {
        le->finished = 0;

        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "payer_store \"lmdb:%V\": the records of an older "
                      "version are converted", &le->path);
    }

    if (!le->upgrade) {
        return;
    }

    if (!ngx_exiting && !ngx_terminate) {
        ngx_add_timer(&le->step, NGX_HTTP_PAYER_LMDB_STEP_AGAIN);
    }
}


/* in a thread */

int
ngx_http_payer_lmdb_upgrade(ngx_http_payer_lmdb_env_t *le, MDB_txn *txn,
    ngx_http_payer_lmdb_job_t *job)
{
    int          rc;
    u_char       name[NGX_HTTP_PAYER_STORE_MAX_KEY];
    MDB_val      key, value;
    ngx_str_t    place;
    MDB_cursor  *cursor;

    job->done = 0;
    job->last = 0;

    key.mv_data = NGX_HTTP_PAYER_LMDB_UPGRADE_KEY;
    key.mv_size = sizeof(NGX_HTTP_PAYER_LMDB_UPGRADE_KEY) - 1;

    rc = mdb_get(txn, le->dbi, &key, &value);

    if (rc == MDB_NOTFOUND) {
        job->done = 1;
        return 0;
    }

    if (rc != 0) {
        return rc;
    }

    if (value.mv_size < NGX_HTTP_PAYER_LMDB_EXPIRES_LEN
        || value.mv_size > NGX_HTTP_PAYER_LMDB_EXPIRES_LEN + sizeof(name))
    {
        return MDB_CORRUPTED;
    }

    place.data = name;
    place.len = value.mv_size - NGX_HTTP_PAYER_LMDB_EXPIRES_LEN;

    ngx_memcpy(name, (u_char *) value.mv_data
                     + NGX_HTTP_PAYER_LMDB_EXPIRES_LEN, place.len);

    rc = mdb_cursor_open(txn, le->dbi, &cursor);

    if (rc != 0) {
        return rc;
    }

    rc = ngx_http_payer_lmdb_advance(le, cursor, &place);

    mdb_cursor_close(cursor);

    if (rc == MDB_NOTFOUND) {
        job->done = 1;
        job->last = 1;
        return ngx_http_payer_lmdb_set_place(txn, le->dbi, NULL);
    }

    return (rc == 0) ? ngx_http_payer_lmdb_set_place(txn, le->dbi, &place)
                     : rc;
}


/* MDB_NOTFOUND at the end; else "place" is the key to begin with the next
 * time, which is looked up anew where the one before was written */

static int
ngx_http_payer_lmdb_advance(ngx_http_payer_lmdb_env_t *le,
    MDB_cursor *cursor, ngx_str_t *place)
{
    int         rc;
    MDB_val     key, value;
    ngx_uint_t  n, steps;

    steps = NGX_HTTP_PAYER_LMDB_STEP_HERE;

#if (NGX_THREADS)
    if (le->pool != NULL) {
        steps = NGX_HTTP_PAYER_LMDB_STEP;
    }
#endif

    key.mv_data = place->data;
    key.mv_size = place->len;

    rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);

    for (n = 0; rc == 0; n++) {

        if (key.mv_size > NGX_HTTP_PAYER_STORE_MAX_KEY) {
            return MDB_CORRUPTED;
        }

        place->len = key.mv_size;
        ngx_memcpy(place->data, key.mv_data, key.mv_size);

        if (n == steps) {
            return 0;
        }

        rc = ngx_http_payer_lmdb_label(le, place, &value);

        if (rc == 0) {
            key.mv_data = place->data;
            key.mv_size = place->len;

            rc = mdb_cursor_get(cursor, &key, &value, MDB_SET);

        } else if (rc == MDB_KEYEXIST) {
            rc = 0;
        }

        if (rc == 0) {
            rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
        }
    }

    return rc;
}


/* 0 if it was written, MDB_KEYEXIST if it is up to date, or an error */

static int
ngx_http_payer_lmdb_label(ngx_http_payer_lmdb_env_t *le, ngx_str_t *key,
    MDB_val *value)
{
    int                          rc;
    u_char                       buf[NGX_HTTP_PAYER_STORE_MAX_VALUE];
    ngx_http_payer_lmdb_head_t   stored, fresh;
    ngx_http_payer_describe_pt   describe;

    rc = ngx_http_payer_lmdb_parse(value, &stored);

    if (rc != 0) {
        return rc;
    }

    if (stored.layout != NGX_HTTP_PAYER_LMDB_FORMER
        || stored.value.len > sizeof(buf)
        || le->store->describer == NULL)
    {
        return MDB_KEYEXIST;
    }

    describe = le->store->describer(key);

    if (describe == NULL) {
        return MDB_KEYEXIST;
    }

    ngx_memzero(&fresh, sizeof(ngx_http_payer_lmdb_head_t));

    fresh.expires = stored.expires;
    fresh.value.data = buf;
    fresh.value.len = stored.value.len;
    ngx_memcpy(buf, stored.value.data, stored.value.len);

    describe(&fresh.value, NULL, &fresh.label);

    ngx_http_payer_lmdb_claim(le, NULL, &stored, &fresh);

    ngx_http_payer_lmdb_head_init(le, &fresh, &stored);

    rc = ngx_http_payer_lmdb_index(le, key, &stored, &fresh);

    return (rc == 0) ? ngx_http_payer_lmdb_write_entry(le, key, &fresh) : rc;
}
