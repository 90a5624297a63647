
/*
 * The end of a batch of writes to LMDB, and the reports to those that wait.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_store_lmdb.h"


#define NGX_HTTP_PAYER_LMDB_DEFER   200         /* milliseconds */


static void ngx_http_payer_lmdb_claimed(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_lmdb_job_t *job);


/* NGX_OK if the batch has its end, NGX_AGAIN if it now fits the map */

ngx_int_t
ngx_http_payer_lmdb_settle(ngx_http_payer_lmdb_env_t *le)
{
    int  rc;

    if (le->rc == MDB_MAP_FULL) {
        rc = ngx_http_payer_lmdb_grow(le);

    } else if (le->rc == MDB_MAP_RESIZED) {
        rc = ngx_http_payer_lmdb_adopt(le);

    } else if (le->rc == MDB_PANIC) {
        le->rc = ngx_http_payer_lmdb_reopen(le);

        return (le->rc == 0) ? NGX_AGAIN : NGX_OK;

    } else {

        if (le->rc != 0 && ngx_http_payer_lmdb_exit_code(le->rc)
                           >= NGX_HTTP_PAYER_LMDB_DAMAGED)
        {
            ngx_http_payer_lmdb_failure(le, le->rc);
        }

        return NGX_OK;
    }

    if (rc == 0) {
        return NGX_AGAIN;
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "payer_store \"lmdb:%V\" cannot grow: %s",
                  &le->path, ngx_http_payer_lmdb_error(rc));

    le->rc = rc;

    return NGX_OK;
}


/* reports the result of each put of the batch, and logs one line */

void
ngx_http_payer_lmdb_report(ngx_http_payer_lmdb_env_t *le)
{
    int                         rc;
    ngx_str_t                  *key;
    ngx_uint_t                  n, failed;
    ngx_queue_t                *q;
    ngx_http_payer_lmdb_job_t  *job;

    n = 0;
    rc = 0;
    key = NULL;
    failed = 0;

    for (q = ngx_queue_head(&le->batch);
         q != ngx_queue_sentinel(&le->batch);
         q = ngx_queue_next(q))
    {
        job = ngx_queue_data(q, ngx_http_payer_lmdb_job_t, queue);

        n++;

        if (job->rc == 0) {
            job->rc = le->rc;
        }

        if (job->rc != 0) {
            rc = job->rc;
            key = job->n ? &job->entries[0].key : &job->claim.key;
            failed++;

        } else if (job->step && job->done) {
            le->upgrade = 0;
            le->finished = job->last;
        }

        ngx_http_payer_lmdb_claimed(le, job);
    }

    le->rc = 0;

    if (le->leapt) {
        le->leapt = 0;
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "payer_store \"lmdb:%V\": the last write was more than "
                      "a day ago, or the clock jumped ahead: no record "
                      "expires for 31 days", &le->path);
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "payer store lmdb batch: %ui written, %ui failed",
                   n - failed, failed);

    if (failed) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "payer_store \"lmdb:%V\": %ui of %ui writes failed, "
                      "\"%V\" among them: %s",
                      &le->path, failed, n, key,
                      ngx_http_payer_lmdb_error(rc));
    }
}


/*
 * The result of a claim in the store, and with it in the zone: while another
 * nginx has it, requests here need not ask the store each time.
 */

static void
ngx_http_payer_lmdb_claimed(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_lmdb_job_t *job)
{
    if (job->act == NGX_HTTP_PAYER_CLAIM_RELEASE) {
        ngx_http_payer_zone_unclaim(le->zone, &job->claim);

    } else if (job->busy && job->rc == 0) {
        ngx_http_payer_zone_defer(le->zone, &job->claim,
                                  ngx_min(job->left,
                                          NGX_HTTP_PAYER_LMDB_DEFER));
    }
}


ngx_int_t
ngx_http_payer_lmdb_result(ngx_http_payer_lmdb_job_t *job,
    ngx_http_payer_io_t *io)
{
    if (job->rc != 0) {
        return NGX_ERROR;
    }

    if (job->busy) {

        if (io != NULL) {
            io->kept = 0;
            io->left = job->left;
        }

        return NGX_BUSY;
    }

    if (io == NULL) {
        return NGX_OK;
    }

    if (job->limit != 0) {
        return ngx_http_payer_lmdb_leased(job, io);
    }

    io->kept = job->kept;
    io->rev = job->rev;

    if (!job->wanted) {
        return NGX_OK;
    }

    if (job->result == NULL) {

        /* it was deleted, or was not there */

        ngx_str_null(&io->value);
        return NGX_OK;
    }

    return ngx_http_payer_store_copy(io, &io->value, job->result, job->len);
}
