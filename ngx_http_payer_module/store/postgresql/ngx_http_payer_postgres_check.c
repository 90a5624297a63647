
/*
 * A connection that is new: its statements are prepared, and the server says
 * what it is.  Only a primary with a schema that fits is used.
 */


#include "ngx_http_payer_postgres.h"


#define NGX_HTTP_PAYER_POSTGRES_SKEW  2000      /* ms, of the clocks */


static ngx_uint_t ngx_http_payer_postgres_same(ngx_http_payer_store_t *store,
    ngx_str_t *made_for);
static void ngx_http_payer_postgres_clock(
    ngx_http_payer_postgres_wire_t *wire, int64_t clock);


const char  *ngx_http_payer_postgres_names[] = {
    "payer_get", "payer_scan", "payer_list", "payer_put", "payer_due",
    "payer_sweep"
};


const char  *ngx_http_payer_postgres_texts[] = {
    "select * from payer.get_2($1)",
    "select * from payer.scan_1($1, $2, $3)",
    "select * from payer.list_1($1, $2, $3, $4, $5, $6, $7, $8)",
    "select * from payer.put_2($1, $2)",
    "select * from payer.due_1($1, $2, $3, $4)",
    "select payer.sweep_1($1)"
};


static const char  *ngx_http_payer_postgres_question =
    "select *, to_regtype('payer.change_2')::oid::int8"
    " from payer.check_1($1, $2)";


ngx_int_t
ngx_http_payer_postgres_ask(ngx_http_payer_postgres_wire_t *wire)
{
    int                                lengths[2], formats[2];
    const char                        *values[2];
    ngx_uint_t                         i, first, last;
    ngx_http_payer_postgres_t         *pg;
    ngx_http_payer_postgres_flight_t  *flight;

    pg = wire->link->pg;

    if (PQsetnonblocking(wire->conn, 1) != 0
        || PQenterPipelineMode(wire->conn) != 1)
    {
        return NGX_ERROR;
    }

    flight = ngx_http_payer_postgres_flight(NGX_HTTP_PAYER_POSTGRES_GET);
    if (flight == NULL) {
        return NGX_ERROR;
    }

    flight->check = 1;

    values[0] = (char *) pg->made_for.data;
    values[1] = (pg->durability == NGX_HTTP_PAYER_POSTGRES_REPLICATED
                 && wire->link->writes) ? "\1" : "\0";
    lengths[0] = pg->made_for.len;
    lengths[1] = 1;
    formats[0] = 1;
    formats[1] = 1;

    ngx_queue_insert_tail(&wire->flights, &flight->queue);

    if (PQsendQueryParams(wire->conn, ngx_http_payer_postgres_question, 2,
                          NULL, values, lengths, formats, 1)
        != 1
        || PQpipelineSync(wire->conn) != 1)
    {
        return NGX_ERROR;
    }

    first = wire->link->writes ? NGX_HTTP_PAYER_POSTGRES_PUT
                               : NGX_HTTP_PAYER_POSTGRES_GET;
    last = wire->link->writes ? NGX_HTTP_PAYER_POSTGRES_SWEEP
                              : NGX_HTTP_PAYER_POSTGRES_LIST;

    for (i = first; i <= last; i++) {

        flight = ngx_http_payer_postgres_flight(i);
        if (flight == NULL) {
            return NGX_ERROR;
        }

        flight->prepare = 1;

        ngx_queue_insert_tail(&wire->flights, &flight->queue);

        if (PQsendPrepare(wire->conn, ngx_http_payer_postgres_names[i],
                          ngx_http_payer_postgres_texts[i], 0, NULL)
            != 1
            || PQpipelineSync(wire->conn) != 1)
        {
            return NGX_ERROR;
        }
    }

    return ngx_http_payer_postgres_flush(wire) == NGX_OK ? NGX_OK : NGX_DONE;
}


/* NGX_OK if it is the primary; NGX_DONE if it is not, and the wire is gone */

ngx_int_t
ngx_http_payer_postgres_answer(ngx_http_payer_postgres_wire_t *wire,
    PGresult *res)
{
    u_char                     *p, text[256];
    ngx_str_t                   made_for, fault;
    ngx_uint_t                  version, oldest;
    ngx_http_payer_postgres_t  *pg;

    pg = wire->link->pg;
    p = text;

    if (PQntuples(res) != 1) {
        ngx_http_payer_postgres_refused(wire, "it has no answer", 16);
        return NGX_DONE;
    }

    version = (ngx_uint_t) ngx_http_payer_postgres_int(res, 0, 0);
    oldest = (ngx_uint_t) ngx_http_payer_postgres_int(res, 0, 1);
    made_for = ngx_http_payer_postgres_bytes(res, 0, 5);
    fault = ngx_http_payer_postgres_bytes(res, 0, 6);

    if (!ngx_http_payer_postgres_int(res, 0, 4)) {
        p = ngx_slprintf(p, text + sizeof(text), "it is read-only");

    } else if (version < NGX_HTTP_PAYER_POSTGRES_SCHEMA) {
        p = ngx_slprintf(p, text + sizeof(text),
                         "its schema has version %ui, this module needs %ui: "
                         "run the output of \"payer-store schema\" there",
                         version, (ngx_uint_t) NGX_HTTP_PAYER_POSTGRES_SCHEMA);

    } else if (oldest > NGX_HTTP_PAYER_POSTGRES_SCHEMA) {
        p = ngx_slprintf(p, text + sizeof(text),
                         "its schema has version %ui, which needs a newer "
                         "module", version);

    } else if (made_for.len
               && !ngx_http_payer_postgres_same(pg->store, &made_for))
    {
        p = ngx_slprintf(p, text + sizeof(text),
                         "it has payments of \"%V\", and this configuration "
                         "is for \"%V\"", &made_for, &pg->made_for);

    } else if (fault.len) {
        p = ngx_slprintf(p, text + sizeof(text), "%V", &fault);
    }

    if (p != text) {
        ngx_http_payer_postgres_refused(wire, (char *) text, p - text);
        return NGX_DONE;
    }

    wire->timeline = (uint64_t) ngx_http_payer_postgres_int(res, 0, 3);
    wire->change = (uint32_t) ngx_http_payer_postgres_int(res, 0, 7);
    wire->checked = 1;

    ngx_http_payer_postgres_clock(wire,
                                  ngx_http_payer_postgres_int(res, 0, 2));

    return NGX_OK;
}


/* payments of a test are none of the live host, and the other way round */

static ngx_uint_t
ngx_http_payer_postgres_same(ngx_http_payer_store_t *store,
    ngx_str_t *made_for)
{
    ngx_str_t  *mode;

    mode = &store->mode;

    return mode->len == 0
           || (made_for->len > mode->len && made_for->data[mode->len] == ' '
               && ngx_memcmp(made_for->data, mode->data, mode->len) == 0);
}


static void
ngx_http_payer_postgres_clock(ngx_http_payer_postgres_wire_t *wire,
    int64_t clock)
{
    int64_t      ahead;
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    ahead = clock - ((int64_t) tp->sec * 1000 + (int64_t) tp->msec);

    if (wire->link->writes && (ahead > NGX_HTTP_PAYER_POSTGRES_SKEW
                               || ahead < -NGX_HTTP_PAYER_POSTGRES_SKEW))
    {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "payer_store \"%V\": the clock of host \"%V\" differs "
                      "by %L ms from the clock of this machine",
                      &wire->link->pg->title, &wire->host->shown, ahead);
    }
}
