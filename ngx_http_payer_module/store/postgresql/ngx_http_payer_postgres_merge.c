
/*
 * What a put is to write.  The rules by which an order may change are those of
 * the callers, in C: they are run against what the store is known to have, and
 * the store writes only if that is what it still has.  Else it says what is
 * there, and they are run again.
 */


#include "ngx_http_payer_postgres.h"


static ngx_int_t ngx_http_payer_postgres_merge_one(
    ngx_http_payer_postgres_job_t *job, ngx_uint_t i, ngx_str_t *before,
    ngx_str_t *after);


ngx_int_t
ngx_http_payer_postgres_merge(ngx_http_payer_postgres_job_t *job)
{
    ngx_int_t   rc;
    ngx_str_t   before, after;
    ngx_uint_t  i;

    job->kept = 0;
    ngx_str_null(&job->result);

    if (job->n == 0) {
        return NGX_OK;
    }

    before = job->stored[0].value;

    for (i = 0; i < job->n; i++) {

        rc = ngx_http_payer_postgres_merge_one(job, i, &before, &after);

        if (rc != NGX_OK) {
            return rc;
        }

        if (i == 0) {
            after = (job->fresh[0].op == NGX_HTTP_PAYER_POSTGRES_LOOK)
                    ? before : job->fresh[0].value;
        }
    }

    if (job->wanted) {
        job->result = job->kept ? before : job->fresh[0].value;
    }

    return NGX_OK;
}


/* from the caller's own bytes each time, as a merge edits them */

static ngx_int_t
ngx_http_payer_postgres_merge_one(ngx_http_payer_postgres_job_t *job,
    ngx_uint_t i, ngx_str_t *before, ngx_str_t *after)
{
    ngx_uint_t                         found;
    ngx_http_payer_store_entry_t      *entry;
    ngx_http_payer_postgres_fresh_t   *fresh;
    ngx_http_payer_postgres_stored_t  *stored;

    entry = &job->entries[i];
    fresh = &job->fresh[i];
    stored = &job->stored[i];

    found = (stored->rev != 0);

    fresh->op = (entry->value.data != NULL)
                ? NGX_HTTP_PAYER_POSTGRES_WRITE
                : NGX_HTTP_PAYER_POSTGRES_DELETE;
    fresh->value = entry->value;
    fresh->label = entry->label;

    if (entry->value.data != NULL
        && (entry->merge != NULL || entry->when != NULL)
        && ngx_http_payer_postgres_keep(job->pool, &fresh->value,
                                        &entry->value)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (i != 0 && entry->when != NULL
        && entry->when(before, after, &fresh->value) != NGX_OK)
    {
        fresh->op = NGX_HTTP_PAYER_POSTGRES_SKIP;
        return NGX_OK;
    }

    if (!found && entry->value.data == NULL) {
        fresh->op = NGX_HTTP_PAYER_POSTGRES_LOOK;
        return NGX_OK;
    }

    if (found && entry->merge != NULL
        && entry->merge(&stored->value, &fresh->value) != NGX_OK)
    {
        fresh->op = NGX_HTTP_PAYER_POSTGRES_LOOK;

        if (i == 0) {
            job->kept = 1;
        }

        return NGX_OK;
    }

    if (entry->describe != NULL && entry->value.data != NULL) {
        entry->describe(&fresh->value, found ? &stored->label : NULL,
                        &fresh->label);
    }

    return NGX_OK;
}
