
/*
 * What became of the puts of a batch.
 */


#include "ngx_http_payer_postgres.h"


/* the columns, of which the label has four */
typedef enum {
    RC = 0, REV, VALUE, LABEL, LEFT = LABEL + 4
} ngx_http_payer_postgres_column_e;


/* what put_1() says of a row, as in schema.sql */
typedef enum {
    WRITTEN = 0, DIFFERS, BUSY
} ngx_http_payer_postgres_rc_e;


static ngx_int_t ngx_http_payer_postgres_put_answer(
    ngx_http_payer_postgres_job_t *job, PGresult *res, ngx_uint_t *row);
static ngx_int_t ngx_http_payer_postgres_row_answer(PGresult *res,
    ngx_uint_t row, ngx_uint_t first, int64_t *answer);
static ngx_int_t ngx_http_payer_postgres_put_stored(
    ngx_http_payer_postgres_job_t *job, ngx_uint_t i, PGresult *res,
    ngx_uint_t row);
static ngx_int_t ngx_http_payer_postgres_put_result(
    ngx_http_payer_postgres_link_t *link, ngx_http_payer_postgres_job_t *job);


/* the rows of the answer are those of the question */

ngx_int_t
ngx_http_payer_postgres_written(ngx_http_payer_postgres_link_t *link,
    ngx_http_payer_postgres_flight_t *flight)
{
    ngx_uint_t                      row;
    ngx_queue_t                    *q, ended;
    ngx_http_payer_postgres_job_t  *job;

    row = 0;

    for (q = ngx_queue_head(&flight->jobs);
         q != ngx_queue_sentinel(&flight->jobs);
         q = ngx_queue_next(q))
    {
        job = ngx_queue_data(q, ngx_http_payer_postgres_job_t, queue);

        if (ngx_http_payer_postgres_put_answer(job, flight->result, &row)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (row != (ngx_uint_t) PQntuples(flight->result)) {
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

        } else if (job->outcome == NGX_AGAIN) {
            ngx_http_payer_postgres_again(link, job);

        } else {
            job->sent = 0;
            ngx_queue_insert_head(&ended, q);
        }
    }

    while (!ngx_queue_empty(&ended)) {
        q = ngx_queue_head(&ended);
        job = ngx_queue_data(q, ngx_http_payer_postgres_job_t, queue);

        if (ngx_http_payer_postgres_put_result(link, job) != NGX_OK) {
            job->outcome = NGX_ERROR;

        } else if (job->confirm && job->outcome == NGX_OK) {
            job->outcome = NGX_DECLINED;
        }

        ngx_http_payer_postgres_finish(link, job, job->outcome);
    }

    return NGX_OK;
}


/* NGX_OK, or NGX_ERROR if that is no answer */

static ngx_int_t
ngx_http_payer_postgres_put_answer(ngx_http_payer_postgres_job_t *job,
    PGresult *res, ngx_uint_t *row)
{
    int64_t     answer;
    ngx_uint_t  i, n;

    answer = WRITTEN;
    n = *row;

    for (i = 0; i < job->n; i++) {

        if (job->fresh[i].op == NGX_HTTP_PAYER_POSTGRES_SKIP) {
            continue;
        }

        if (ngx_http_payer_postgres_row_answer(res, n, *row, &answer)
            != NGX_OK
            || (answer == DIFFERS
                && ngx_http_payer_postgres_put_stored(job, i, res, n)
                   != NGX_OK))
        {
            return NGX_ERROR;
        }

        if (i == 0) {
            job->rev = (uint64_t) ngx_http_payer_postgres_int(res, n, REV);
        }

        n += (job->entries[i].alias.len != 0) ? 2 : 1;
    }

    if (ngx_http_payer_postgres_claim_row(job)) {

        if (ngx_http_payer_postgres_row_answer(res, n, *row, &answer)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        n++;
    }

    if (n > (ngx_uint_t) PQntuples(res)) {
        return NGX_ERROR;
    }

    job->outcome = NGX_OK;

    if (answer == BUSY) {
        job->outcome = NGX_BUSY;
        job->kept = 0;
        job->wanted = 0;
        job->left = (ngx_msec_t) ngx_max(0,
                              ngx_http_payer_postgres_int(res, n - 1, LEFT));

    } else if (answer == DIFFERS) {
        job->outcome = (job->repeats++ < NGX_HTTP_PAYER_POSTGRES_REPEATS)
                       ? NGX_AGAIN : NGX_ERROR;
    }

    *row = n;

    return NGX_OK;
}


/* a put is written as a whole: all its rows say the same, and what is not
 * known is not taken for a success */

static ngx_int_t
ngx_http_payer_postgres_row_answer(PGresult *res, ngx_uint_t row,
    ngx_uint_t first, int64_t *answer)
{
    int64_t  was;

    if (row >= (ngx_uint_t) PQntuples(res)
        || ngx_http_payer_postgres_null(res, row, RC))
    {
        return NGX_ERROR;
    }

    was = *answer;
    *answer = ngx_http_payer_postgres_int(res, row, RC);

    if (*answer < WRITTEN || *answer > BUSY) {
        return NGX_ERROR;
    }

    return (row == first || *answer == was) ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_payer_postgres_put_stored(ngx_http_payer_postgres_job_t *job,
    ngx_uint_t i, PGresult *res, ngx_uint_t row)
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

    if (io == NULL || job->outcome == NGX_ERROR) {
        return NGX_OK;
    }

    io->kept = job->kept;
    io->rev = job->rev;
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
