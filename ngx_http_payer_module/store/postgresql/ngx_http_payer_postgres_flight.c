
/*
 * Statements on a wire, each in a transaction of its own.  A result counts
 * when the sync behind it has come: before that the commit may still wait for
 * the standby.
 */


#include "ngx_http_payer_postgres.h"


static ngx_int_t ngx_http_payer_postgres_take(
    ngx_http_payer_postgres_wire_t *wire, PGresult *res);
static ngx_int_t ngx_http_payer_postgres_landed(
    ngx_http_payer_postgres_wire_t *wire);


ngx_http_payer_postgres_flight_t *
ngx_http_payer_postgres_flight(ngx_http_payer_postgres_kind_e kind)
{
    ngx_http_payer_postgres_flight_t  *flight;

    flight = ngx_calloc(sizeof(ngx_http_payer_postgres_flight_t),
                        ngx_cycle->log);
    if (flight == NULL) {
        return NULL;
    }

    flight->kind = kind;
    ngx_queue_init(&flight->jobs);

    return flight;
}


/* if it fails, the jobs of the flight go with the wire */

ngx_int_t
ngx_http_payer_postgres_send(ngx_http_payer_postgres_wire_t *wire,
    ngx_http_payer_postgres_flight_t *flight, ngx_uint_t n, ngx_str_t *params)
{
    int                             lengths[16], formats[16];
    const char                     *values[16];
    ngx_uint_t                      i;
    ngx_queue_t                    *q;
    ngx_http_payer_postgres_job_t  *job;

    for (i = 0; i < n; i++) {
        values[i] = (char *) params[i].data;
        lengths[i] = (int) params[i].len;
        formats[i] = 1;
    }

    flight->sent = ngx_current_msec;

    for (q = ngx_queue_head(&flight->jobs);
         q != ngx_queue_sentinel(&flight->jobs);
         q = ngx_queue_next(q))
    {
        job = ngx_queue_data(q, ngx_http_payer_postgres_job_t, queue);
        job->sent = 1;
    }

    if (ngx_queue_empty(&wire->flights)) {
        ngx_add_timer(&wire->timer, wire->link->pg->timeout);
    }

    ngx_queue_insert_tail(&wire->flights, &flight->queue);

    if (PQsendQueryPrepared(wire->conn,
                            ngx_http_payer_postgres_names[flight->kind],
                            n, values, lengths, formats, 1)
        != 1
        || PQpipelineSync(wire->conn) != 1)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * PQgetResult() answers NULL after each statement, and again if there is
 * nothing more.
 */

ngx_int_t
ngx_http_payer_postgres_receive(ngx_http_payer_postgres_wire_t *wire)
{
    PGresult   *res;
    ngx_int_t   rc;

    if (PQconsumeInput(wire->conn) != 1) {
        goto failed;
    }

    wire->nulls = 0;

    while (!ngx_queue_empty(&wire->flights) && !PQisBusy(wire->conn)) {

        res = PQgetResult(wire->conn);

        if (res == NULL) {

            if (++wire->nulls > 1) {
                break;
            }

            continue;
        }

        wire->nulls = 0;

        rc = ngx_http_payer_postgres_take(wire, res);

        if (rc == NGX_DONE) {
            return NGX_ERROR;
        }

        if (rc != NGX_OK) {
            goto failed;
        }
    }

    if (PQstatus(wire->conn) == CONNECTION_BAD) {
        goto failed;
    }

    return NGX_OK;

failed:

    if (wire == wire->link->wire) {
        ngx_http_payer_postgres_lost(wire, PQerrorMessage(wire->conn),
                                     ngx_strlen(PQerrorMessage(wire->conn)));

    } else {
        ngx_http_payer_postgres_refused(wire, PQerrorMessage(wire->conn),
                                     ngx_strlen(PQerrorMessage(wire->conn)));
    }

    return NGX_ERROR;
}


/* NGX_OK, NGX_ERROR, or NGX_DONE if the wire is gone */

static ngx_int_t
ngx_http_payer_postgres_take(ngx_http_payer_postgres_wire_t *wire,
    PGresult *res)
{
    ngx_http_payer_postgres_flight_t  *flight;

    flight = ngx_queue_data(ngx_queue_head(&wire->flights),
                            ngx_http_payer_postgres_flight_t, queue);

    switch (PQresultStatus(res)) {

    case PGRES_PIPELINE_SYNC:
        PQclear(res);
        return ngx_http_payer_postgres_landed(wire);

    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
    case PGRES_FATAL_ERROR:

        if (flight->result != NULL) {
            PQclear(flight->result);
        }

        flight->result = res;

        return PQstatus(wire->conn) == CONNECTION_BAD ? NGX_ERROR : NGX_OK;

    default:
        PQclear(res);
        return NGX_OK;
    }
}


static ngx_int_t
ngx_http_payer_postgres_landed(ngx_http_payer_postgres_wire_t *wire)
{
    u_char                            *p, text[256];
    const char                        *state, *message;
    PGresult                          *res;
    ngx_http_payer_postgres_link_t    *link;
    ngx_http_payer_postgres_flight_t  *flight;

    link = wire->link;

    flight = ngx_queue_data(ngx_queue_head(&wire->flights),
                            ngx_http_payer_postgres_flight_t, queue);
    res = flight->result;
    state = NULL;

    if (res == NULL || PQresultStatus(res) == PGRES_FATAL_ERROR) {
        state = res ? PQresultErrorField(res, PG_DIAG_SQLSTATE) : NULL;
        state = state ? state : "";
    }

    if (flight->check || flight->prepare) {

        if (state != NULL) {
            message = res ? PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY)
                          : NULL;

            p = ngx_slprintf(text, text + sizeof(text), "%s%s",
                             message ? message : "it has no answer",
                             ngx_strcmp(state, "3F000") == 0
                             || ngx_strcmp(state, "42883") == 0
                             ? ": run the output of \"payer-store schema\" "
                               "there" : "");

            ngx_http_payer_postgres_refused(wire, (char *) text, p - text);
            return NGX_DONE;
        }

        if (flight->check
            && ngx_http_payer_postgres_answer(wire, res) != NGX_OK)
        {
            return NGX_DONE;
        }

        ngx_queue_remove(&flight->queue);
        ngx_http_payer_postgres_free_flight(link, flight);

        if (ngx_queue_empty(&wire->flights)) {
            ngx_http_payer_postgres_found(wire);
            return NGX_DONE;
        }

        return NGX_OK;
    }

    /* a commit that is not durable is as good as none that was heard of */

    if (wire->doubt) {
        return NGX_ERROR;
    }

    if (state != NULL
        && (ngx_strcmp(state, "25006") == 0
            || ngx_strncmp(state, "57P0", 4) == 0))
    {
        ngx_http_payer_postgres_lost(wire, "it is no primary any more", 25);
        return NGX_DONE;
    }

    ngx_queue_remove(&flight->queue);

    ngx_del_timer(&wire->timer);

    if (!ngx_queue_empty(&wire->flights)) {
        ngx_add_timer(&wire->timer, link->pg->timeout);
    }

    if (state != NULL) {
        ngx_http_payer_postgres_fail(link, flight, state);

    } else {
        ngx_http_payer_postgres_land(link, flight);
    }

    return NGX_OK;
}
