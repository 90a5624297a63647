
/*
 * The memory of a put() that is not written yet: outside of the requests, and
 * with a reserve for releasing claims.  A claim that is not released for lack
 * of memory would block all requests until its lease ends.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_store_lmdb.h"


/* the number of claims that can be released without any memory */
#define NGX_HTTP_PAYER_LMDB_RESERVE  16


void
ngx_http_payer_lmdb_reserve(ngx_http_payer_lmdb_env_t *le)
{
    ngx_uint_t                  n;
    ngx_http_payer_lmdb_job_t  *job;

    ngx_queue_init(&le->reserve);

    for (n = 0; n < NGX_HTTP_PAYER_LMDB_RESERVE; n++) {

        job = ngx_alloc(sizeof(ngx_http_payer_lmdb_job_t)
                        + NGX_HTTP_PAYER_STORE_MAX_KEY, ngx_cycle->log);
        if (job == NULL) {
            return;
        }

        ngx_queue_insert_tail(&le->reserve, &job->queue);
    }
}


void
ngx_http_payer_lmdb_unreserve(ngx_http_payer_lmdb_env_t *le)
{
    ngx_queue_t  *q, *next;

    for (q = ngx_queue_head(&le->reserve);
         q != ngx_queue_sentinel(&le->reserve);
         q = next)
    {
        next = ngx_queue_next(q);

        ngx_free(ngx_queue_data(q, ngx_http_payer_lmdb_job_t, queue));
    }

    ngx_queue_init(&le->reserve);
}


ngx_http_payer_lmdb_job_t *
ngx_http_payer_lmdb_job(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_store_entry_t *entries, ngx_uint_t n,
    ngx_http_payer_claim_act_e act, ngx_http_payer_claim_t *claim)
{
    u_char                        *p;
    size_t                         size;
    ngx_uint_t                     i, reserved;
    ngx_queue_t                   *q;
    ngx_http_payer_lmdb_job_t     *job;
    ngx_http_payer_store_entry_t  *entry;

    size = sizeof(ngx_http_payer_lmdb_job_t)
           + n * sizeof(ngx_http_payer_store_entry_t);

    for (i = 0; i < n; i++) {
        size += entries[i].key.len + entries[i].value.len
                + entries[i].alias.len;
    }

    if (act != NGX_HTTP_PAYER_CLAIM_NONE) {
        size += claim->key.len;
    }

    reserved = 0;
    job = ngx_alloc(size, ngx_cycle->log);

    if (job == NULL) {

        if (n != 0 || claim == NULL
            || claim->key.len > NGX_HTTP_PAYER_STORE_MAX_KEY
            || ngx_queue_empty(&le->reserve))
        {
            return NULL;
        }

        q = ngx_queue_head(&le->reserve);
        ngx_queue_remove(q);

        job = ngx_queue_data(q, ngx_http_payer_lmdb_job_t, queue);
        reserved = 1;
    }

    ngx_memzero(job, sizeof(ngx_http_payer_lmdb_job_t));

    job->n = n;
    job->reserved = reserved;
    p = (u_char *) &job->entries[n];

    for (i = 0; i < n; i++) {
        entry = &job->entries[i];
        *entry = entries[i];

        entry->key.data = p;
        p = ngx_cpymem(p, entries[i].key.data, entries[i].key.len);

        if (entries[i].value.data != NULL) {
            entry->value.data = p;
            p = ngx_cpymem(p, entries[i].value.data, entries[i].value.len);
        }

        entry->alias.data = p;
        p = ngx_cpymem(p, entries[i].alias.data, entries[i].alias.len);
    }

    if (act != NGX_HTTP_PAYER_CLAIM_NONE) {
        job->act = act;
        job->claim = *claim;
        job->claim.key.data = p;
        job->until = ngx_current_msec + claim->lease;
        ngx_memcpy(p, claim->key.data, claim->key.len);
    }

    return job;
}


void
ngx_http_payer_lmdb_free(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_lmdb_job_t *job)
{
    if (job->result != NULL) {
        ngx_free(job->result);
    }

    if (job->reserved) {
        ngx_queue_insert_tail(&le->reserve, &job->queue);
        return;
    }

    ngx_free(job);
}
