
/*
 * payer_metrics: the store.
 */


#include "ngx_http_payer_metrics.h"
#include "ngx_http_payer_counter.h"


static u_char *ngx_http_payer_metrics_store_durations(u_char *p,
    u_char *last, ngx_http_payer_zone_t *zone, ngx_uint_t row);
static u_char *ngx_http_payer_metrics_store_event(u_char *p, u_char *last,
    ngx_http_payer_zone_t *zone, const char *name, const char *help,
    ngx_uint_t column);


u_char *
ngx_http_payer_metrics_store(u_char *p, u_char *last,
    ngx_http_payer_main_conf_t *main)
{
    ngx_http_payer_zone_t          *zone;
    ngx_http_payer_store_t         *store;
    ngx_http_payer_store_status_t   status;

    zone = main->zone;
    store = main->store;

    ngx_memzero(&status, sizeof(ngx_http_payer_store_status_t));

    status.up = 1;

    if (store->ops->status != NULL) {
        store->ops->status(store, &status);
    }

    p = ngx_http_payer_metrics_head(p, last, "payer_store_up",
                                    "Whether all worker processes can use "
                                    "the store.", "gauge");
    p = ngx_slprintf(p, last, "payer_store_up %ui\n", status.up);

    p = ngx_http_payer_metrics_head(p, last, "payer_store_hanging",
                                    "Whether the store is read, and does not "
                                    "complete writes.", "gauge");
    p = ngx_slprintf(p, last, "payer_store_hanging %ui\n", status.hanging);

    p = ngx_http_payer_metrics_head(p, last, "payer_store_queue",
                                    "Calls of the store that wait, in all "
                                    "worker processes.", "gauge");
    p = ngx_slprintf(p, last, "payer_store_queue %ui\n", status.queued);

    p = ngx_http_payer_metrics_head(p, last, "payer_store_duration_seconds",
                                    "Time of each call of the store.",
                                    "histogram");
    p = ngx_http_payer_metrics_store_durations(p, last, zone,
                                          NGX_HTTP_PAYER_COUNT_STORE_READS);
    p = ngx_http_payer_metrics_store_durations(p, last, zone,
                                          NGX_HTTP_PAYER_COUNT_STORE_WRITES);

    p = ngx_http_payer_metrics_store_event(p, last, zone,
                          "payer_store_errors_total",
                          "Calls of the store that failed.",
                          NGX_HTTP_PAYER_COUNT_STORE_ERRORS);
    p = ngx_http_payer_metrics_store_event(p, last, zone,
                          "payer_store_in_doubt_total",
                          "Writes whose connection was lost before the "
                          "answer, and that were sent again.",
                          NGX_HTTP_PAYER_COUNT_STORE_IN_DOUBT);
    p = ngx_http_payer_metrics_store_event(p, last, zone,
                          "payer_store_repeats_total",
                          "Calls of the store that were sent again.",
                          NGX_HTTP_PAYER_COUNT_STORE_REPEATS);
    p = ngx_http_payer_metrics_store_event(p, last, zone,
                          "payer_store_connections_total",
                          "Connections to the store that were established.",
                          NGX_HTTP_PAYER_COUNT_STORE_CONNECTS);

    return ngx_http_payer_metrics_store_event(p, last, zone,
                          "payer_store_failovers_total",
                          "Changes of the primary of the store.",
                          NGX_HTTP_PAYER_COUNT_STORE_FAILOVERS);
}


static u_char *
ngx_http_payer_metrics_store_durations(u_char *p, u_char *last,
    ngx_http_payer_zone_t *zone, ngx_uint_t row)
{
    const char         *operation;
    ngx_uint_t          i;
    ngx_atomic_uint_t   n, msec;

    static ngx_msec_t  bounds[] = NGX_HTTP_PAYER_COUNT_STORE_BOUNDS;

    n = 0;
    operation = (row == NGX_HTTP_PAYER_COUNT_STORE_READS) ? "read" : "write";

    for (i = 0; i < NGX_HTTP_PAYER_COUNT_COLUMNS; i++) {

        n += ngx_http_payer_counted(zone, NGX_HTTP_PAYER_COUNT_STORE, row, i);

        p = ngx_slprintf(p, last, "payer_store_duration_seconds_bucket{"
                         "operation=\"%s\",le=\"", operation);

        if (i == NGX_HTTP_PAYER_COUNT_COLUMNS - 1) {
            p = ngx_slprintf(p, last, "+Inf\"} %uA\n", n);
            break;
        }

        p = ngx_slprintf(p, last, "%M.%03M\"} %uA\n",
                         bounds[i] / 1000, bounds[i] % 1000, n);
    }

    msec = ngx_http_payer_counted(zone, NGX_HTTP_PAYER_COUNT_STORE,
                                  NGX_HTTP_PAYER_COUNT_STORE_TIMES, row);

    return ngx_slprintf(p, last,
                        "payer_store_duration_seconds_sum{operation=\"%s\"} "
                        "%uA.%03uA\n"
                        "payer_store_duration_seconds_count{operation="
                        "\"%s\"} %uA\n",
                        operation, msec / 1000, msec % 1000, operation, n);
}


static u_char *
ngx_http_payer_metrics_store_event(u_char *p, u_char *last,
    ngx_http_payer_zone_t *zone, const char *name, const char *help,
    ngx_uint_t column)
{
    p = ngx_http_payer_metrics_head(p, last, name, help, "counter");

    return ngx_slprintf(p, last, "%s %uA\n", name,
                        ngx_http_payer_counted(zone,
                                       NGX_HTTP_PAYER_COUNT_STORE,
                                       NGX_HTTP_PAYER_COUNT_STORE_EVENTS,
                                       column));
}
