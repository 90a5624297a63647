
/*
 * Statements on a wire, each in a transaction of its own.  A result counts
 * when the sync behind it has come: before that the commit may still wait for
 * the standby.
 */


#include "ngx_http_payer_postgres.h"
#include <sys/ioctl.h>


/* of bytes: libpq keeps an answer until it is complete, and has no limit */
#define NGX_HTTP_PAYER_POSTGRES_ANSWER   67108864
#define NGX_HTTP_PAYER_POSTGRES_UNASKED  1048576


static ngx_uint_t ngx_http_payer_postgres_flooded(
    ngx_http_payer_postgres_wire_t *wire);
static ngx_int_t ngx_http_payer_postgres_take(
    ngx_http_payer_postgres_wire_t *wire, PGresult *res);
static const char *ngx_http_payer_postgres_moved(const char *state);
static ngx_uint_t ngx_http_payer_postgres_shape(
    ngx_http_payer_postgres_flight_t *flight);
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
    int                             lengths[8], formats[8];
    const char                     *values[8];
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
        ngx_http_payer_postgres_await(wire);
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
    PGnotify   *notify;
    ngx_int_t   rc;

    if (ngx_http_payer_postgres_flooded(wire)) {
        ngx_http_payer_postgres_end(wire, "it sends more than any answer has");
        return NGX_ERROR;
    }

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

    /* what nobody has asked for is read, too: it must not pile up */

    while (ngx_queue_empty(&wire->flights)) {
        notify = PQnotifies(wire->conn);

        if (notify == NULL) {
            break;
        }

        PQfreemem(notify);
    }

    if (PQstatus(wire->conn) == CONNECTION_BAD) {
        goto failed;
    }

    return NGX_OK;

failed:

    ngx_http_payer_postgres_end(wire, PQerrorMessage(wire->conn));

    return NGX_ERROR;
}


/*
 * Whether more has come than can be of use.  As a rule an answer comes at
 * once, and nothing is counted.
 */

static ngx_uint_t
ngx_http_payer_postgres_flooded(ngx_http_payer_postgres_wire_t *wire)
{
    int         n;
    ngx_uint_t  asked;

    asked = !ngx_queue_empty(&wire->flights);

    if (asked && !wire->partial) {
        wire->partial = 1;
        return 0;
    }

    if (ioctl(PQsocket(wire->conn), FIONREAD, &n) == -1) {
        return 0;
    }

    wire->bytes += n;

    return wire->bytes > (asked ? NGX_HTTP_PAYER_POSTGRES_ANSWER
                                : NGX_HTTP_PAYER_POSTGRES_UNASKED);
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
    case PGRES_PIPELINE_ABORTED:

        if (flight->result != NULL) {
            PQclear(flight->result);
        }

        flight->result = res;

        return PQstatus(wire->conn) == CONNECTION_BAD ? NGX_ERROR : NGX_OK;

    default:

        /* nothing that was asked for: a COPY would have no end */

        PQclear(res);
        return NGX_ERROR;
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
    wire->partial = 0;
    wire->bytes = 0;

    flight = ngx_queue_data(ngx_queue_head(&wire->flights),
                            ngx_http_payer_postgres_flight_t, queue);
    res = flight->result;
    state = NULL;

    if (res == NULL || PQresultStatus(res) == PGRES_FATAL_ERROR
        || PQresultStatus(res) == PGRES_PIPELINE_ABORTED)
    {
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

    message = ngx_http_payer_postgres_moved(state);

    if (message != NULL) {
        ngx_http_payer_postgres_lost(wire, message, ngx_strlen(message));
        return NGX_DONE;
    }

    ngx_queue_remove(&flight->queue);

    ngx_del_timer(&wire->timer);

    if (!ngx_queue_empty(&wire->flights)) {
        ngx_http_payer_postgres_await(wire);
    }

    if (state == NULL && link->hung) {
        ngx_http_payer_postgres_flows(link);
    }

    if (state != NULL) {
        ngx_http_payer_postgres_fail(link, flight, state);

    } else if (!ngx_http_payer_postgres_shape(flight)) {
        ngx_http_payer_postgres_fail(link, flight, "");

    } else {
        ngx_http_payer_postgres_land(link, flight);
    }

    return NGX_OK;
}


/* why the connection is of no use any more; NULL: it is of use */

static const char *
ngx_http_payer_postgres_moved(const char *state)
{
    if (state == NULL) {
        return NULL;
    }

    if (ngx_strcmp(state, "25006") == 0 || ngx_strncmp(state, "57P0", 4) == 0)
    {
        return "it is no primary any more";
    }

    /* raised by the functions; an error of the system is looked at, too */

    if (ngx_strcmp(state, "58000") == 0) {
        return "commits are not replicated";
    }

    /* the result of a function, the statement, the function, or the schema */

    if (ngx_strcmp(state, "0A000") == 0 || ngx_strcmp(state, "26000") == 0
        || ngx_strcmp(state, "42883") == 0 || ngx_strcmp(state, "3F000") == 0)
    {
        return "its schema was changed";
    }

    return NULL;
}


/*
 * Whether the answer has the columns that its readers expect: a schema that
 * somebody has changed must not be misread.
 */

static ngx_uint_t
ngx_http_payer_postgres_shape(ngx_http_payer_postgres_flight_t *flight)
{
    int          i;
    Oid          type;
    PGresult    *res;
    const char  *p;

    /* of each kind: text, bytea, int4, int8 */

    static const char  *shapes[] = {
        "8tb8", "tb88884", "tb888848", "4448b8884", "tb88884", "4"
    };

    res = flight->result;
    p = shapes[flight->kind];

    for (i = 0; p[i] != '\0'; i++) {

        type = (p[i] == 't') ? NGX_HTTP_PAYER_POSTGRES_TEXT
               : (p[i] == 'b') ? NGX_HTTP_PAYER_POSTGRES_BYTEA
               : (p[i] == '4') ? NGX_HTTP_PAYER_POSTGRES_INT4
               : NGX_HTTP_PAYER_POSTGRES_INT8;

        if (i >= PQnfields(res)
            || PQftype(res, i) != type || PQfformat(res, i) != 1)
        {
            return 0;
        }
    }

    return i == PQnfields(res);
}
