
/*
 * Reading.  Keys that are asked for while others are under way go together,
 * in one statement.
 */


#include "ngx_http_payer_postgres.h"


#define NGX_HTTP_PAYER_POSTGRES_MINUTE   60000  /* ms */
#define NGX_HTTP_PAYER_POSTGRES_SWEPT    200    /* entries at a time */


static ngx_int_t ngx_http_payer_postgres_found_key(
    ngx_http_payer_postgres_link_t *link, ngx_http_payer_postgres_job_t *job,
    PGresult *res, int row);
static ngx_int_t ngx_http_payer_postgres_send_page(
    ngx_http_payer_postgres_link_t *link, ngx_http_payer_postgres_job_t *job);
static ngx_uint_t ngx_http_payer_postgres_page_params(
    ngx_http_payer_postgres_link_t *link, ngx_http_payer_postgres_job_t *job,
    ngx_str_t *params, u_char *buf);
static ngx_int_t ngx_http_payer_postgres_found_items(
    ngx_http_payer_postgres_link_t *link, ngx_http_payer_postgres_job_t *job,
    PGresult *res);


/* of one statement after the other */
static ngx_http_payer_postgres_array_t  ngx_http_payer_postgres_keys;


ngx_int_t
ngx_http_payer_postgres_get(ngx_http_payer_store_t *store, ngx_str_t *key,
    ngx_http_payer_io_t *io)
{
    ngx_http_payer_postgres_t      *pg;
    ngx_http_payer_postgres_job_t  *job;

    ngx_str_null(&io->key);
    io->rev = 0;

    if (key->len == 0 || key->len > NGX_HTTP_PAYER_STORE_MAX_KEY
        || !ngx_http_payer_postgres_text(key))
    {
        return NGX_DECLINED;
    }

    pg = ngx_http_payer_postgres_of(store);

    job = ngx_http_payer_postgres_job(&pg->reads, NGX_HTTP_PAYER_POSTGRES_GET);
    if (job == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_payer_postgres_keep(job->pool, &job->key, key) != NGX_OK) {
        ngx_http_payer_postgres_free(job);
        return NGX_ERROR;
    }

    ngx_http_payer_postgres_enqueue(&pg->reads, job, io);

    return NGX_AGAIN;
}


ngx_int_t
ngx_http_payer_postgres_scan(ngx_http_payer_store_t *store, ngx_str_t *prefix,
    ngx_str_t *after, ngx_uint_t limit, ngx_http_payer_io_t *io)
{
    ngx_http_payer_postgres_t      *pg;
    ngx_http_payer_postgres_job_t  *job;

    pg = ngx_http_payer_postgres_of(store);

    if (pg->lent->items(io, &limit) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!ngx_http_payer_postgres_text(prefix)
        || !ngx_http_payer_postgres_text(after))
    {
        return NGX_DECLINED;
    }

    job = ngx_http_payer_postgres_job(&pg->reads,
                                      NGX_HTTP_PAYER_POSTGRES_SCAN);
    if (job == NULL) {
        return NGX_ERROR;
    }

    job->limit = limit;

    if (ngx_http_payer_postgres_keep(job->pool, &job->key, prefix) != NGX_OK
        || ngx_http_payer_postgres_keep(job->pool, &job->after, after)
           != NGX_OK)
    {
        ngx_http_payer_postgres_free(job);
        return NGX_ERROR;
    }

    ngx_http_payer_postgres_enqueue(&pg->reads, job, io);

    return NGX_AGAIN;
}


ngx_int_t
ngx_http_payer_postgres_list(ngx_http_payer_store_t *store,
    ngx_http_payer_list_t *list, ngx_http_payer_io_t *io)
{
    time_t                          updated;
    uint64_t                        serial;
    ngx_int_t                       rc;
    ngx_http_payer_postgres_t      *pg;
    ngx_http_payer_postgres_job_t  *job;

    pg = ngx_http_payer_postgres_of(store);

    rc = pg->lent->begin_list(list, io, &updated, &serial);
    if (rc != NGX_OK) {
        return rc;
    }

    if (!ngx_http_payer_postgres_text(&list->prefix)) {
        return NGX_DECLINED;
    }

    job = ngx_http_payer_postgres_job(&pg->reads,
                                      NGX_HTTP_PAYER_POSTGRES_LIST);
    if (job == NULL) {
        return NGX_ERROR;
    }

    job->list = *list;
    job->limit = list->limit;
    job->updated = updated;
    job->serial = serial;

    if (ngx_http_payer_postgres_keep(job->pool, &job->key, &list->prefix)
        != NGX_OK)
    {
        ngx_http_payer_postgres_free(job);
        return NGX_ERROR;
    }

    ngx_http_payer_postgres_enqueue(&pg->reads, job, io);

    return NGX_AGAIN;
}


ngx_int_t
ngx_http_payer_postgres_gets(ngx_http_payer_postgres_link_t *link)
{
    ngx_int_t                          rc;
    ngx_str_t                          param;
    ngx_queue_t                       *q, *next;
    ngx_http_payer_postgres_job_t     *job;
    ngx_http_payer_postgres_array_t   *keys;
    ngx_http_payer_postgres_flight_t  *flight;

    if (link->running) {
        return NGX_DECLINED;
    }

    flight = ngx_http_payer_postgres_flight(NGX_HTTP_PAYER_POSTGRES_GET);
    if (flight == NULL) {
        return NGX_ERROR;
    }

    keys = &ngx_http_payer_postgres_keys;

    ngx_http_payer_postgres_array_init(keys, NGX_HTTP_PAYER_POSTGRES_TEXT);

    for (q = ngx_queue_head(&link->waiting);
         q != ngx_queue_sentinel(&link->waiting)
         && flight->njobs < NGX_HTTP_PAYER_POSTGRES_BATCH;
         q = next)
    {
        next = ngx_queue_next(q);

        job = ngx_queue_data(q, ngx_http_payer_postgres_job_t, queue);

        if (job->kind != NGX_HTTP_PAYER_POSTGRES_GET) {
            continue;
        }

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&flight->jobs, q);
        flight->njobs++;

        ngx_http_payer_postgres_add_bytes(keys, job->key.data, job->key.len);
    }

    if (flight->njobs == 0) {
        ngx_http_payer_postgres_array_free(keys);
        ngx_free(flight);
        return NGX_DECLINED;
    }

    param = ngx_http_payer_postgres_array_end(keys);

    if (keys->failed) {
        ngx_queue_insert_tail(&link->wire->flights, &flight->queue);
        rc = NGX_ERROR;

    } else {
        link->running = 1;
        rc = ngx_http_payer_postgres_send(link->wire, flight, 1, &param);
    }

    ngx_http_payer_postgres_array_free(keys);

    return rc;
}


/* those keys that are there, each with its number, in any order */

ngx_int_t
ngx_http_payer_postgres_found_keys(ngx_http_payer_postgres_link_t *link,
    ngx_http_payer_postgres_flight_t *flight)
{
    int                             i, n, *rows;
    ngx_int_t                       rc;
    ngx_queue_t                    *q;
    ngx_http_payer_postgres_job_t  *job;

    rows = ngx_alloc(flight->njobs * sizeof(int), ngx_cycle->log);
    if (rows == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < (int) flight->njobs; i++) {
        rows[i] = -1;
    }

    for (i = 0; i < PQntuples(flight->result); i++) {
        n = (int) ngx_http_payer_postgres_int(flight->result, i, 0) - 1;

        if (n < 0 || n >= (int) flight->njobs) {
            ngx_free(rows);
            return NGX_ERROR;
        }

        rows[n] = i;
    }

    for (i = 0; !ngx_queue_empty(&flight->jobs); i++) {
        q = ngx_queue_head(&flight->jobs);
        job = ngx_queue_data(q, ngx_http_payer_postgres_job_t, queue);

        job->sent = 0;

        if (job->dead) {
            ngx_queue_remove(q);
            ngx_http_payer_postgres_free(job);
            continue;
        }

        rc = ngx_http_payer_postgres_found_key(link, job, flight->result,
                                               rows[i]);

        if (rc != NGX_AGAIN) {
            ngx_http_payer_postgres_finish(link, job, rc);
        }
    }

    ngx_free(rows);

    return NGX_OK;
}


/* NGX_AGAIN: that there is none has to be confirmed, and the job is over */

static ngx_int_t
ngx_http_payer_postgres_found_key(ngx_http_payer_postgres_link_t *link,
    ngx_http_payer_postgres_job_t *job, PGresult *res, int row)
{
    ngx_str_t                   key, value;
    ngx_http_payer_io_t        *io;
    ngx_http_payer_postgres_t  *pg;

    io = job->io;
    pg = link->pg;

    if (io == NULL) {
        return NGX_OK;
    }

    if (row == -1) {

        if (!io->confirm) {
            return NGX_DECLINED;
        }

        if (ngx_http_payer_postgres_confirm(pg, io) != NGX_AGAIN) {
            return NGX_ERROR;
        }

        job->io = NULL;
        ngx_http_payer_postgres_finish(link, job, NGX_DECLINED);

        return NGX_AGAIN;
    }

    io->rev = (uint64_t) ngx_http_payer_postgres_int(res, row, 3);

    if (!ngx_http_payer_postgres_null(res, row, 1)) {
        key = ngx_http_payer_postgres_bytes(res, row, 1);

        if (pg->lent->copy(io, &io->key, key.data, key.len) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    value = ngx_http_payer_postgres_bytes(res, row, 2);

    if (value.len > NGX_HTTP_PAYER_STORE_MAX_VALUE) {
        return NGX_ERROR;
    }

    return pg->lent->copy(io, &io->value, value.data, value.len);
}


/* each by itself, one behind the other */

ngx_int_t
ngx_http_payer_postgres_pages(ngx_http_payer_postgres_link_t *link)
{
    ngx_int_t                       rc;
    ngx_queue_t                    *q, *next;
    ngx_http_payer_postgres_job_t  *job;

    for (q = ngx_queue_head(&link->waiting);
         q != ngx_queue_sentinel(&link->waiting);
         q = next)
    {
        next = ngx_queue_next(q);

        job = ngx_queue_data(q, ngx_http_payer_postgres_job_t, queue);

        if (job->kind == NGX_HTTP_PAYER_POSTGRES_GET
            || job->kind == NGX_HTTP_PAYER_POSTGRES_PUT)
        {
            continue;
        }

        rc = ngx_http_payer_postgres_send_page(link, job);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_postgres_send_page(ngx_http_payer_postgres_link_t *link,
    ngx_http_payer_postgres_job_t *job)
{
    u_char                             buf[64];
    ngx_str_t                          params[8];
    ngx_uint_t                         n;
    ngx_http_payer_postgres_flight_t  *flight;

    flight = ngx_http_payer_postgres_flight(job->kind);
    if (flight == NULL) {
        return NGX_ERROR;
    }

    n = ngx_http_payer_postgres_page_params(link, job, params, buf);

    ngx_queue_remove(&job->queue);
    ngx_queue_insert_tail(&flight->jobs, &job->queue);
    flight->njobs = 1;

    return ngx_http_payer_postgres_send(link->wire, flight, n, params);
}


static ngx_uint_t
ngx_http_payer_postgres_page_params(ngx_http_payer_postgres_link_t *link,
    ngx_http_payer_postgres_job_t *job, ngx_str_t *params, u_char *buf)
{
    u_char  *p;

    p = buf;
    params[0] = job->key;

#define ngx_http_payer_postgres_param(i, size, n)                            \
    params[i].data = p;                                                      \
    params[i].len = size;                                                    \
    p = ngx_http_payer_postgres_write##size(p, n)

    switch (job->kind) {

    case NGX_HTTP_PAYER_POSTGRES_SCAN:
        params[1] = job->after;
        ngx_http_payer_postgres_param(2, 4, (uint32_t) job->limit);
        return 3;

    case NGX_HTTP_PAYER_POSTGRES_LIST:
        ngx_http_payer_postgres_param(1, 8, job->list.states);
        ngx_http_payer_postgres_param(2, 8, job->list.attention);
        ngx_http_payer_postgres_param(3, 8, (uint64_t) job->list.from);
        ngx_http_payer_postgres_param(4, 8, (uint64_t) job->updated);
        ngx_http_payer_postgres_param(5, 8, job->serial);
        ngx_http_payer_postgres_param(6, 4, (uint32_t) job->limit);
        ngx_http_payer_postgres_param(7, 4, NGX_HTTP_PAYER_STORE_MAX_LOOKS);
        return 8;

    default: /* NGX_HTTP_PAYER_POSTGRES_DUE */
        ngx_http_payer_postgres_param(1, 4, (uint32_t) job->limit);
        ngx_http_payer_postgres_param(2, 4, (uint32_t) job->lease);
        params[3].data = p;
        params[3].len = 1;
        *p = (link->pg->durability == NGX_HTTP_PAYER_POSTGRES_REPLICATED);
        return 4;
    }

#undef ngx_http_payer_postgres_param
}


ngx_int_t
ngx_http_payer_postgres_found_page(ngx_http_payer_postgres_link_t *link,
    ngx_http_payer_postgres_flight_t *flight)
{
    ngx_int_t                       rc;
    ngx_queue_t                    *q;
    ngx_http_payer_postgres_job_t  *job;

    q = ngx_queue_head(&flight->jobs);
    job = ngx_queue_data(q, ngx_http_payer_postgres_job_t, queue);

    job->sent = 0;

    if (job->dead) {
        ngx_queue_remove(q);
        ngx_http_payer_postgres_free(job);
        return NGX_OK;
    }

    rc = ngx_http_payer_postgres_found_items(link, job, flight->result);

    ngx_http_payer_postgres_finish(link, job, rc);

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_postgres_found_items(ngx_http_payer_postgres_link_t *link,
    ngx_http_payer_postgres_job_t *job, PGresult *res)
{
    int                           i;
    ngx_int_t                     rc;
    ngx_uint_t                    limit;
    ngx_http_payer_io_t          *io;
    ngx_http_payer_item_t         item;
    ngx_http_payer_store_lent_t  *lent;

    io = job->io;
    lent = link->pg->lent;

    if (io == NULL || io->pool == NULL) {
        return NGX_OK;
    }

    limit = job->limit;

    if (job->kind == NGX_HTTP_PAYER_POSTGRES_DUE
        && lent->items(io, &limit) != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < PQntuples(res); i++) {

        if (ngx_http_payer_postgres_null(res, i, 0)) {

            /* of a list: there may be more behind this place */

            return lent->end_list(io,
                          (time_t) ngx_http_payer_postgres_int(res, i, 3),
                          (uint64_t) ngx_http_payer_postgres_int(res, i, 7));
        }

        if (io->nitems == limit) {
            break;
        }

        item.key = ngx_http_payer_postgres_bytes(res, i, 0);
        item.value = ngx_http_payer_postgres_bytes(res, i, 1);
        item.rev = (uint64_t) ngx_http_payer_postgres_int(res, i, 2);
        ngx_http_payer_postgres_label(res, i, 3, &item.label);

        rc = lent->add(io, &item);

        if (rc != NGX_OK) {
            return (rc == NGX_DONE) ? NGX_OK : rc;
        }
    }

    return io->nitems ? NGX_OK : NGX_DECLINED;
}


/* now and then, with what is written anyway */

ngx_int_t
ngx_http_payer_postgres_sweep(ngx_http_payer_postgres_link_t *link)
{
    u_char                             buf[4];
    ngx_str_t                          param;
    ngx_http_payer_postgres_flight_t  *flight;

    if (link->swept != 0
        && ngx_current_msec - link->swept < NGX_HTTP_PAYER_POSTGRES_MINUTE)
    {
        return NGX_OK;
    }

    link->swept = ngx_current_msec;

    flight = ngx_http_payer_postgres_flight(NGX_HTTP_PAYER_POSTGRES_SWEEP);
    if (flight == NULL) {
        return NGX_OK;
    }

    (void) ngx_http_payer_postgres_write4(buf, NGX_HTTP_PAYER_POSTGRES_SWEPT);

    param.data = buf;
    param.len = sizeof(buf);

    return ngx_http_payer_postgres_send(link->wire, flight, 1, &param);
}
