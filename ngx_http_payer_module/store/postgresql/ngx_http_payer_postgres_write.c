
/*
 * Writing: the calls.  How they become a statement is in _batch.c.
 */


#include "ngx_http_payer_postgres.h"


/* those that a bigint can hold */
#define NGX_HTTP_PAYER_POSTGRES_REV  0x7fffffffffffffffULL


static ngx_int_t ngx_http_payer_postgres_copy(
    ngx_http_payer_postgres_job_t *job, ngx_http_payer_store_entry_t *entries,
    ngx_uint_t n, ngx_http_payer_claim_act_e act,
    ngx_http_payer_claim_t *claim);


ngx_int_t
ngx_http_payer_postgres_put(ngx_http_payer_store_t *store,
    ngx_http_payer_store_entry_t *entries, ngx_uint_t n,
    ngx_http_payer_claim_act_e act, ngx_http_payer_claim_t *claim,
    ngx_http_payer_io_t *io)
{
    uint64_t                        owner;
    ngx_uint_t                      i;
    ngx_http_payer_postgres_t      *pg;
    ngx_http_payer_postgres_job_t  *job;

    pg = ngx_http_payer_postgres_of(store);

    if (pg->lent->check(entries, n) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        if (!ngx_http_payer_postgres_text(&entries[i].key)
            || !ngx_http_payer_postgres_text(&entries[i].alias))
        {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "payer_store \"%V\" cannot store a key that is not "
                          "UTF-8", &pg->title);
            return NGX_ERROR;
        }
    }

    if (act == NGX_HTTP_PAYER_CLAIM_TAKE && io != NULL
        && (pg->writes.down || pg->writes.hung))
    {
        /* known already, so that there is nothing to give back */

        pg->lent->count(store->zone, NGX_HTTP_PAYER_COUNT_STORE,
                        NGX_HTTP_PAYER_COUNT_STORE_EVENTS,
                        NGX_HTTP_PAYER_COUNT_STORE_ERRORS);
        return NGX_ERROR;
    }

    if (act == NGX_HTTP_PAYER_CLAIM_TAKE && !claim->taken) {

        /* who has it in this zone, and which zone that is */

        owner = claim->owner;

        ngx_memcpy(claim->id, &store->zone->sh->instance, sizeof(uint64_t));
        ngx_memcpy(claim->id + sizeof(uint64_t), &owner, sizeof(uint64_t));
    }

    job = ngx_http_payer_postgres_job(&pg->writes,
                                      NGX_HTTP_PAYER_POSTGRES_PUT);
    if (job == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_payer_postgres_copy(job, entries, n, act, claim) != NGX_OK) {
        ngx_http_payer_postgres_free(job);
        return NGX_ERROR;
    }

    ngx_http_payer_postgres_name(pg, job);
    ngx_http_payer_postgres_recall(job);

    /* what is given back is the job's from here on */

    if (act == NGX_HTTP_PAYER_CLAIM_RELEASE) {
        claim->owner = 0;

    } else if (act == NGX_HTTP_PAYER_CLAIM_TAKE) {
        claim->taken = 1;
    }

    job->wanted = (io != NULL && n != 0 && entries[0].merge != NULL);

    ngx_http_payer_postgres_enqueue(&pg->writes, job, io);

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_payer_postgres_copy(ngx_http_payer_postgres_job_t *job,
    ngx_http_payer_store_entry_t *entries, ngx_uint_t n,
    ngx_http_payer_claim_act_e act, ngx_http_payer_claim_t *claim)
{
    ngx_uint_t                     i;
    ngx_http_payer_store_entry_t  *entry;

    job->n = n;

    if (n != 0) {
        job->entries = ngx_palloc(job->pool,
                                  n * sizeof(ngx_http_payer_store_entry_t));
        job->stored = ngx_pcalloc(job->pool,
                              n * sizeof(ngx_http_payer_postgres_stored_t));
        job->fresh = ngx_pcalloc(job->pool,
                                 n * sizeof(ngx_http_payer_postgres_fresh_t));

        if (job->entries == NULL || job->stored == NULL || job->fresh == NULL)
        {
            return NGX_ERROR;
        }
    }

    for (i = 0; i < n; i++) {
        entry = &job->entries[i];
        *entry = entries[i];

        if (ngx_http_payer_postgres_keep(job->pool, &entry->key,
                                         &entries[i].key)
            != NGX_OK
            || ngx_http_payer_postgres_keep(job->pool, &entry->alias,
                                            &entries[i].alias)
               != NGX_OK
            || (entries[i].value.data != NULL
                && ngx_http_payer_postgres_keep(job->pool, &entry->value,
                                                &entries[i].value)
                   != NGX_OK))
        {
            return NGX_ERROR;
        }
    }

    if (act == NGX_HTTP_PAYER_CLAIM_NONE) {
        return NGX_OK;
    }

    /* of a claim that is only the zone's nothing is to be given back */

    job->act = act;
    job->claim = *claim;

    return ngx_http_payer_postgres_keep(job->pool, &job->claim.key,
                                        &claim->key);
}


/*
 * No other put ever has this one: a count, from the zone's random number on.
 * As it is the revision of what is written, 0 is none.
 */

void
ngx_http_payer_postgres_name(ngx_http_payer_postgres_t *pg,
    ngx_http_payer_postgres_job_t *job)
{
    ngx_http_payer_zone_sh_t  *sh;

    sh = pg->store->zone->sh;

    do {
        job->rev = (sh->instance + ngx_atomic_fetch_add(&sh->serial, 1))
                   & NGX_HTTP_PAYER_POSTGRES_REV;

    } while (job->rev == 0);
}


ngx_int_t
ngx_http_payer_postgres_due(ngx_http_payer_store_t *store, ngx_str_t *prefix,
    ngx_uint_t limit, time_t lease, ngx_http_payer_io_t *io)
{
    ngx_http_payer_postgres_t      *pg;
    ngx_http_payer_postgres_job_t  *job;

    pg = ngx_http_payer_postgres_of(store);

    job = ngx_http_payer_postgres_job(&pg->writes,
                                      NGX_HTTP_PAYER_POSTGRES_DUE);
    if (job == NULL) {
        return NGX_ERROR;
    }

    job->limit = ngx_max(1, ngx_min(limit, NGX_HTTP_PAYER_STORE_MAX_ITEMS));
    job->lease = ngx_max(lease, 1);

    if (ngx_http_payer_postgres_keep(job->pool, &job->key, prefix) != NGX_OK) {
        ngx_http_payer_postgres_free(job);
        return NGX_ERROR;
    }

    ngx_http_payer_postgres_enqueue(&pg->writes, job, io);

    return NGX_AGAIN;
}


/*
 * A read said that there is nothing.  A primary that was cut off and replaced
 * would say so, too, but cannot commit any more: a commit that begins now
 * settles it.
 */

ngx_int_t
ngx_http_payer_postgres_confirm(ngx_http_payer_postgres_t *pg,
    ngx_http_payer_io_t *io)
{
    ngx_http_payer_postgres_job_t  *job;

    job = ngx_http_payer_postgres_job(&pg->writes,
                                      NGX_HTTP_PAYER_POSTGRES_PUT);
    if (job == NULL) {
        return NGX_ERROR;
    }

    job->confirm = 1;
    ngx_http_payer_postgres_name(pg, job);

    ngx_http_payer_postgres_enqueue(&pg->writes, job, io);

    return NGX_AGAIN;
}


/*
 * The claim in the store is released later, and no request waits for it; if
 * the release is lost, the lease expires.
 */

void
ngx_http_payer_postgres_unclaim(ngx_http_payer_store_t *store,
    ngx_http_payer_claim_t *claim)
{
    if (claim->owner == 0) {
        return;
    }

    store->lent->unclaim(store->zone, claim);

    if (claim->taken) {
        (void) ngx_http_payer_postgres_put(store, NULL, 0,
                                           NGX_HTTP_PAYER_CLAIM_RELEASE,
                                           claim, NULL);
    }
}


/* a key there is a text: a bad one would spoil the others of its batch */

ngx_uint_t
ngx_http_payer_postgres_text(ngx_str_t *text)
{
    u_char    *p, *last;
    uint64_t   eight;

    p = text->data;
    last = p + text->len;

    while (p < last) {

        /* as a rule it is ASCII: eight bytes of 0x01 to 0x7f */

        if (last - p >= 8) {
            ngx_memcpy(&eight, p, sizeof(uint64_t));

            if (((eight | (eight - 0x0101010101010101ULL))
                 & 0x8080808080808080ULL) == 0)
            {
                p += sizeof(uint64_t);
                continue;
            }
        }

        if (*p == '\0') {
            return 0;
        }

        if (*p < 0x80) {
            p++;
            continue;
        }

        /* what nginx takes for UTF-8, and no surrogate */

        if (last - p >= 2 && p[0] == 0xed && p[1] >= 0xa0) {
            return 0;
        }

        if (ngx_utf8_decode(&p, last - p) > 0x10ffff) {
            return 0;
        }
    }

    return 1;
}
