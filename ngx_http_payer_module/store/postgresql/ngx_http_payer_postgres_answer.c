
/*
 * What became of the puts of a batch.
 */


#include "ngx_http_payer_postgres.h"


/* the columns, of which the label has four */
typedef enum {
    PUT = 0, N, LEFT, REV, VALUE, LABEL
} ngx_http_payer_postgres_column_e;


static ngx_int_t ngx_http_payer_postgres_outcomes(
    ngx_http_payer_postgres_flight_t *flight);
static ngx_int_t ngx_http_payer_postgres_not_written(
    ngx_http_payer_postgres_job_t *job, PGresult *res, int row);
static ngx_int_t ngx_http_payer_postgres_put_stored(
    ngx_http_payer_postgres_job_t *job, ngx_uint_t i, PGresult *res,
    int row);
static ngx_int_t ngx_http_payer_postgres_put_result(
    ngx_http_payer_postgres_link_t *link, ngx_http_payer_postgres_job_t *job);
static uint64_t ngx_http_payer_postgres_rev(
    ngx_http_payer_postgres_job_t *job);


ngx_int_t
ngx_http_payer_postgres_written(ngx_http_payer_postgres_link_t *link,
    ngx_http_payer_postgres_flight_t *flight)
{
    ngx_queue_t                    *q, ended;
    ngx_http_payer_postgres_job_t  *job;

    if (ngx_http_payer_postgres_outcomes(flight) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_queue_init(&ended);

    /* the last one first, as each goes before those that wait */

    while (!ngx_queue_empty(&flight->jobs)) {
        q = ngx_queue_last(&flight->jobs);
        ngx_queue_remove(q);

        job = ngx_queue_data(q, ngx_http_payer_postgres_job_t, queue);

        if (job->dead) {
            ngx_http_payer_postgres_free(job);

        } else if (job->outcome == NGX_AGAIN
                   && job->repeats <= NGX_HTTP_PAYER_POSTGRES_REPEATS)
        {
            ngx_http_payer_postgres_again(link, job);

        } else {
            job->sent = 0;
            ngx_queue_insert_head(&ended, q);
        }
    }

    while (!ngx_queue_empty(&ended)) {
        q = ngx_queue_head(&ended);
        job = ngx_queue_data(q, ngx_http_payer_postgres_job_t, queue);

        if (job->outcome == NGX_AGAIN
            || ngx_http_payer_postgres_put_result(link, job) != NGX_OK)
        {
            job->outcome = NGX_ERROR;

        } else if (job->outcome == NGX_OK) {
            ngx_http_payer_postgres_remember(job);

            if (job->confirm) {
                job->outcome = NGX_DECLINED;
            }
        }

        ngx_http_payer_postgres_finish(link, job, job->outcome);
    }

    return NGX_OK;
}


/*
 * The rows are those of puts that were not written, in the order in which they
 * were sent, and one more that says how many rows were: what is not known is
 * not taken for a success.
 */

static ngx_int_t
ngx_http_payer_postgres_outcomes(ngx_http_payer_postgres_flight_t *flight)
{
    int                             i, n, last;
    int64_t                         rows, put;
    PGresult                       *res;
    ngx_queue_t                    *q;
    ngx_http_payer_postgres_job_t  *job;

    i = 0;
    put = 0;
    rows = 0;
    res = flight->result;
    last = PQntuples(res) - 1;

    for (q = ngx_queue_head(&flight->jobs);
         q != ngx_queue_sentinel(&flight->jobs);
         q = ngx_queue_next(q))
    {
        job = ngx_queue_data(q, ngx_http_payer_postgres_job_t, queue);

        job->outcome = NGX_OK;
        put++;

        for (n = i; i < last; i++) {

            if (ngx_http_payer_postgres_int(res, i, PUT) != put) {
                break;
            }

            if (ngx_http_payer_postgres_not_written(job, res, i) != NGX_OK) {
                return NGX_ERROR;
            }
        }

        if (i == n) {
            rows += job->rows;
        }
    }

    if (i != last
        || ngx_http_payer_postgres_int(res, last, PUT) != 0
        || ngx_http_payer_postgres_null(res, last, REV)
        || ngx_http_payer_postgres_int(res, last, REV) != rows)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* NGX_OK, or NGX_ERROR if that is no answer */

static ngx_int_t
ngx_http_payer_postgres_not_written(ngx_http_payer_postgres_job_t *job,
    PGresult *res, int row)
{
    int64_t  n;

    if (!ngx_http_payer_postgres_null(res, row, LEFT)) {

        if (job->outcome != NGX_OK || job->act != NGX_HTTP_PAYER_CLAIM_TAKE) {
            return NGX_ERROR;
        }

        job->outcome = NGX_BUSY;
        job->kept = 0;
        job->wanted = 0;
        job->left = (ngx_msec_t) ngx_max(0,
                                ngx_http_payer_postgres_int(res, row, LEFT));

        return NGX_OK;
    }

    n = ngx_http_payer_postgres_int(res, row, N);

    if (job->outcome == NGX_BUSY || n < 0 || n >= (int64_t) job->n
        || job->fresh[n].op > NGX_HTTP_PAYER_POSTGRES_DELETE)
    {
        return NGX_ERROR;
    }

    /* of several rows, each comes by itself */

    if (job->outcome == NGX_OK) {
        job->outcome = NGX_AGAIN;
        job->repeats++;
    }

    return ngx_http_payer_postgres_put_stored(job, (ngx_uint_t) n, res, row);
}


static ngx_int_t
ngx_http_payer_postgres_put_stored(ngx_http_payer_postgres_job_t *job,
    ngx_uint_t i, PGresult *res, int row)
{
    ngx_str_t                          value;
    ngx_http_payer_postgres_stored_t  *stored;

    stored = &job->stored[i];

    value = ngx_http_payer_postgres_bytes(res, row, VALUE);

    if (ngx_http_payer_postgres_keep(job->pool, &stored->value, &value)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    stored->rev = (uint64_t) ngx_http_payer_postgres_int(res, row, REV);
    ngx_http_payer_postgres_label(res, row, LABEL, &stored->label);

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_postgres_put_result(ngx_http_payer_postgres_link_t *link,
    ngx_http_payer_postgres_job_t *job)
{
    ngx_http_payer_io_t  *io;

    io = job->io;

    if (io == NULL) {
        return NGX_OK;
    }

    io->kept = job->kept;
    io->rev = ngx_http_payer_postgres_rev(job);
    io->left = job->left;

    if (!job->wanted) {
        return NGX_OK;
    }

    if (job->result.data == NULL) {
        ngx_str_null(&io->value);
        return NGX_OK;
    }

    return link->pg->lent->copy(io, &io->value, job->result.data,
                                job->result.len);
}


/* of what is stored under the first key now */

static uint64_t
ngx_http_payer_postgres_rev(ngx_http_payer_postgres_job_t *job)
{
    if (job->n == 0 || job->outcome != NGX_OK) {
        return 0;
    }

    switch (job->fresh[0].op) {

    case NGX_HTTP_PAYER_POSTGRES_WRITE:
        return job->rev;

    case NGX_HTTP_PAYER_POSTGRES_LOOK:
        return job->stored[0].rev;

    default:
        return 0;
    }
}
