
/*
 * payer_metrics: the counters in the text format of Prometheus.
 *
 * Labels are constants of this module and client ids.  There is no reference
 * or payment id among them, so that they are few and contain no data of
 * buyers.
 */


#include "ngx_http_payer_metrics.h"
#include "ngx_http_payer_access.h"
#include "ngx_http_payer_answer.h"
#include "ngx_http_payer_api.h"
#include "ngx_http_payer_counter.h"
#include "ngx_http_payer_delivery.h"
#include "ngx_http_payer_lookup.h"
#include "ngx_http_payer_zone_note.h"


/* more than twice the size of all lines with their longest numbers */

#define NGX_HTTP_PAYER_METRICS_SIZE  49152
#define NGX_HTTP_PAYER_METRICS_LABEL  64


/* a table of counters; labels that are NULL are left out */
typedef struct {
    const char              *name;
    const char              *help;
    ngx_http_payer_count_e   family;
    ngx_uint_t               first;             /* row */
    ngx_uint_t               last;
    const char              *row;               /* label, of a call or of a
                                                 * type of notification */
    const char              *column;            /* label */
    const char             **columns;           /* its values */
    ngx_uint_t               from;              /* column */
    ngx_uint_t               to;
} ngx_http_payer_metric_t;


/* a counter of a call that is not in the table would be lost */

typedef char  ngx_http_payer_metrics_rows_t[
    (int) NGX_HTTP_PAYER_CALLS <= NGX_HTTP_PAYER_COUNT_ROWS ? 1 : -1];


static ngx_int_t ngx_http_payer_metrics_handler(ngx_http_request_t *r);
static u_char *ngx_http_payer_metrics_family(u_char *p, u_char *last,
    ngx_http_payer_zone_t *zone, ngx_http_payer_metric_t *metric);
static u_char *ngx_http_payer_metrics_durations(u_char *p, u_char *last,
    ngx_http_payer_zone_t *zone);
static u_char *ngx_http_payer_metrics_duration(u_char *p, u_char *last,
    ngx_http_payer_zone_t *zone, ngx_uint_t row, ngx_str_t *metric);
static u_char *ngx_http_payer_metrics_old(u_char *p, u_char *last,
    ngx_http_payer_main_conf_t *main);
static u_char *ngx_http_payer_metrics_label(u_char *p, u_char *last,
    ngx_str_t *text);
static u_char *ngx_http_payer_metrics_sweep(u_char *p, u_char *last,
    ngx_http_payer_main_conf_t *main);
static u_char *ngx_http_payer_metrics_gauges(u_char *p, u_char *last,
    ngx_http_payer_zone_t *zone);


ngx_http_payer_handler_t  ngx_http_payer_handler_metrics = {
    ngx_string("payer_metrics"), ngx_http_payer_metrics_handler,
    0, 1, 0, 0, NULL, NULL
};


static const char  *ngx_http_payer_metrics_outcomes[] = {
    "open", "done", "refused", "conflict", "failed", "unknown"
};

static const char  *ngx_http_payer_metrics_fetches[] = { "failed", "done" };

static const char  *ngx_http_payer_metrics_links[] = {
    "none", "hit", "miss", "wait", "replaced"
};

static const char  *ngx_http_payer_metrics_verdicts[] = {
    "undecided", "paid", "unpaid", "pending", "unknown", "other", "shop"
};

static const char  *ngx_http_payer_metrics_lookups[] = {
    "none", "open", "paid", "closed", "other", "not_found", "failed"
};

static const char  *ngx_http_payer_metrics_deliveries[] = {
    "none", "taken", "known", "failed", "given_up", "conflict"
};

static const char  *ngx_http_payer_metrics_results[] = {
    "done", "refused", "unknown", "not_sent", "replayed"
};


static ngx_str_t  ngx_http_payer_metrics_call =
    ngx_string("payer_call_duration_seconds");

static ngx_str_t  ngx_http_payer_metrics_lookup =
    ngx_string("payer_lookup_duration_seconds");


static ngx_http_payer_metric_t  ngx_http_payer_metrics[] = {

    { "payer_calls_total", "Calls to Payer by outcome, resends not counted.",
      NGX_HTTP_PAYER_COUNT_CALLS,
      NGX_HTTP_PAYER_CALL_CREATE, NGX_HTTP_PAYER_CALL_UNSUBSCRIBE, "call",
      "outcome", ngx_http_payer_metrics_outcomes,
      NGX_HTTP_PAYER_DONE, NGX_HTTP_PAYER_UNKNOWN },

    { "payer_resends_total", "Calls to Payer that were sent again.",
      NGX_HTTP_PAYER_COUNT_TIMES,
      NGX_HTTP_PAYER_CALL_CREATE, NGX_HTTP_PAYER_CALL_UNSUBSCRIBE, "call",
      NULL, NULL,
      NGX_HTTP_PAYER_COUNT_RESENDS, NGX_HTTP_PAYER_COUNT_RESENDS },

    { "payer_token_fetches_total", "Requests for a bearer token by result.",
      NGX_HTTP_PAYER_COUNT_OTHERS,
      NGX_HTTP_PAYER_COUNT_TOKENS, NGX_HTTP_PAYER_COUNT_TOKENS, NULL,
      "result", ngx_http_payer_metrics_fetches, 0, 1 },

    { "payer_checkouts_total", "Checkouts by how the link was found.",
      NGX_HTTP_PAYER_COUNT_OTHERS,
      NGX_HTTP_PAYER_COUNT_CHECKOUTS, NGX_HTTP_PAYER_COUNT_CHECKOUTS, NULL,
      "link", ngx_http_payer_metrics_links,
      NGX_HTTP_PAYER_LINK_HIT, NGX_HTTP_PAYER_LINK_REPLACED },

    { "payer_verifications_total", "Answers of payer_verify by outcome.",
      NGX_HTTP_PAYER_COUNT_OTHERS,
      NGX_HTTP_PAYER_COUNT_VERIFICATIONS, NGX_HTTP_PAYER_COUNT_VERIFICATIONS,
      NULL,
      "outcome", ngx_http_payer_metrics_verdicts,
      NGX_HTTP_PAYER_PAID, NGX_HTTP_PAYER_SHOP },

    { "payer_lookups_total", "Answers of the shop to lookups by result.",
      NGX_HTTP_PAYER_COUNT_OTHERS,
      NGX_HTTP_PAYER_COUNT_LOOKUPS, NGX_HTTP_PAYER_COUNT_LOOKUPS, NULL,
      "result", ngx_http_payer_metrics_lookups,
      NGX_HTTP_PAYER_LOOKUP_OPEN, NGX_HTTP_PAYER_LOOKUP_FAILED },

    { "payer_operations_total", "Operations on payments by result.",
      NGX_HTTP_PAYER_COUNT_OPERATIONS,
      NGX_HTTP_PAYER_CALL_CAPTURE, NGX_HTTP_PAYER_CALL_REFUND, "operation",
      "result", ngx_http_payer_metrics_results,
      NGX_HTTP_PAYER_COUNTED_DONE, NGX_HTTP_PAYER_COUNTED_REPLAYED },

    { "payer_events_unknown_total",
      "Events of unknown orders, repeats included.",
      NGX_HTTP_PAYER_COUNT_TIMES,
      NGX_HTTP_PAYER_CALL_EVENT, NGX_HTTP_PAYER_CALL_EVENT, NULL,
      NULL, NULL,
      NGX_HTTP_PAYER_COUNT_UNKNOWN_EVENTS,
      NGX_HTTP_PAYER_COUNT_UNKNOWN_EVENTS },

    { "payer_notifications_total",
      "Attempts to notify the shop of a change, by result.",
      NGX_HTTP_PAYER_COUNT_NOTIFICATIONS,
      NGX_HTTP_PAYER_NOTICE_PAID, NGX_HTTP_PAYER_NOTICE_EXPIRED, "type",
      "result", ngx_http_payer_metrics_deliveries,
      NGX_HTTP_PAYER_DELIVERY_TAKEN, NGX_HTTP_PAYER_DELIVERY_CONFLICT },

    { NULL, NULL, 0, 0, 0, NULL, NULL, NULL, 0, 0 }
};


static ngx_int_t
ngx_http_payer_metrics_handler(ngx_http_request_t *r)
{
    u_char                     *p, *last;
    ngx_int_t                   rc;
    ngx_str_t                   body;
    ngx_http_payer_zone_t      *zone;
    ngx_http_payer_metric_t    *metric;
    ngx_http_payer_loc_conf_t  *conf;

    static ngx_str_t  allow = ngx_string("GET, HEAD");
    static ngx_str_t  type =
        ngx_string("text/plain; version=0.0.4; charset=utf-8");

    if (r != r->main) {
        return NGX_HTTP_NOT_FOUND;
    }

    conf = ngx_http_get_module_loc_conf(r, ngx_http_payer_module);
    zone = conf->main->zone;

    rc = ngx_http_payer_access(r, conf, NGX_HTTP_GET|NGX_HTTP_HEAD, &allow);
    if (rc != NGX_OK) {
        return rc == NGX_DONE ? NGX_OK : rc;
    }

    body.data = ngx_pnalloc(r->pool, NGX_HTTP_PAYER_METRICS_SIZE);
    if (body.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = body.data;
    last = p + NGX_HTTP_PAYER_METRICS_SIZE;

    for (metric = ngx_http_payer_metrics; metric->name; metric++) {
        p = ngx_http_payer_metrics_family(p, last, zone, metric);
    }

    p = ngx_http_payer_metrics_durations(p, last, zone);
    p = ngx_http_payer_metrics_old(p, last, conf->main);
    p = ngx_http_payer_metrics_sweep(p, last, conf->main);
    p = ngx_http_payer_metrics_store(p, last, conf->main);
    p = ngx_http_payer_metrics_gauges(p, last, zone);

    body.len = p - body.data;

    rc = ngx_http_payer_answer_body(r, NGX_HTTP_OK, &type, &body);

    return rc == NGX_HTTP_PAYER_SENT ? NGX_OK : rc;
}


static u_char *
ngx_http_payer_metrics_family(u_char *p, u_char *last,
    ngx_http_payer_zone_t *zone, ngx_http_payer_metric_t *metric)
{
    ngx_uint_t  row, column, labels;

    labels = (metric->row || metric->column);

    p = ngx_http_payer_metrics_head(p, last, metric->name, metric->help,
                                    "counter");

    for (row = metric->first; row <= metric->last; row++) {
        for (column = metric->from; column <= metric->to; column++) {

            p = ngx_slprintf(p, last, "%s%s", metric->name,
                             labels ? "{" : "");

            if (metric->row) {
                p = ngx_slprintf(p, last, "%s=\"%V\"", metric->row,
                             (metric->family
                              == NGX_HTTP_PAYER_COUNT_NOTIFICATIONS)
                             ? ngx_http_payer_notice_type(row)
                             : &ngx_http_payer_api_type(row)->name);
            }

            if (metric->column) {
                p = ngx_slprintf(p, last, "%s%s=\"%s\"",
                                 metric->row ? "," : "", metric->column,
                                 metric->columns[column]);
            }

            p = ngx_slprintf(p, last, "%s %uA\n", labels ? "}" : "",
                             ngx_http_payer_counted(zone, metric->family,
                                                    row, column));
        }
    }

    return p;
}


/* a resend is counted as another exchange */

static u_char *
ngx_http_payer_metrics_durations(u_char *p, u_char *last,
    ngx_http_payer_zone_t *zone)
{
    ngx_uint_t  call;

    p = ngx_http_payer_metrics_head(p, last, "payer_call_duration_seconds",
                           "Time of each request to Payer.", "histogram");

    for (call = 0; call < NGX_HTTP_PAYER_CALLS; call++) {
        p = ngx_http_payer_metrics_duration(p, last, zone, call,
                                            &ngx_http_payer_metrics_call);
    }

    p = ngx_http_payer_metrics_head(p, last, "payer_lookup_duration_seconds",
                           "Time of each lookup request to the shop.",
                           "histogram");

    return ngx_http_payer_metrics_duration(p, last, zone,
                                           NGX_HTTP_PAYER_COUNT_SHOP,
                                           &ngx_http_payer_metrics_lookup);
}


static u_char *
ngx_http_payer_metrics_duration(u_char *p, u_char *last,
    ngx_http_payer_zone_t *zone, ngx_uint_t row, ngx_str_t *metric)
{
    u_char              label[NGX_HTTP_PAYER_METRICS_LABEL];
    ngx_str_t           name;
    ngx_uint_t          i;
    ngx_atomic_uint_t   n, msec;

    static ngx_msec_t  bounds[] = NGX_HTTP_PAYER_COUNT_BOUNDS;

    name.data = label;
    name.len = 0;

    if (row < NGX_HTTP_PAYER_CALLS) {
        name.len = ngx_sprintf(label, "call=\"%V\"",
                               &ngx_http_payer_api_type(row)->name)
                   - label;
    }

    n = 0;

    for (i = 0; i < NGX_HTTP_PAYER_COUNT_COLUMNS; i++) {

        n += ngx_http_payer_counted(zone, NGX_HTTP_PAYER_COUNT_EXCHANGES,
                                    row, i);

        p = ngx_slprintf(p, last, "%V_bucket{%V%sle=\"", metric, &name,
                         name.len ? "," : "");

        if (i == NGX_HTTP_PAYER_COUNT_COLUMNS - 1) {
            p = ngx_slprintf(p, last, "+Inf\"} %uA\n", n);
            break;
        }

        p = ngx_slprintf(p, last, "%M.%03M\"} %uA\n",
                         bounds[i] / 1000, bounds[i] % 1000, n);
    }

    msec = ngx_http_payer_counted(zone, NGX_HTTP_PAYER_COUNT_TIMES, row,
                                  NGX_HTTP_PAYER_COUNT_MSEC);

    if (name.len == 0) {
        return ngx_slprintf(p, last, "%V_sum %uA.%03uA\n%V_count %uA\n",
                            metric, msec / 1000, msec % 1000, metric, n);
    }

    return ngx_slprintf(p, last, "%V_sum{%V} %uA.%03uA\n%V_count{%V} %uA\n",
                        metric, &name, msec / 1000, msec % 1000, metric, &name,
                        n);
}


/* one for each client id that a location is configured with */

static u_char *
ngx_http_payer_metrics_old(u_char *p, u_char *last,
    ngx_http_payer_main_conf_t *main)
{
    ngx_str_t                   *id, *other;
    ngx_uint_t                   i, j;
    ngx_http_payer_loc_conf_t  **locs;

    p = ngx_http_payer_metrics_head(p, last, "payer_old_authorizations",
                           "Payments that payer_reconcile found authorized "
                           "long ago and not captured.", "gauge");

    locs = main->locations.elts;

    for (i = 0; i < main->locations.nelts; i++) {

        if (locs[i]->merchant == NULL) {
            continue;
        }

        id = &locs[i]->merchant->id;

        for (j = 0; j < i; j++) {

            if (locs[j]->merchant == NULL) {
                continue;
            }

            other = &locs[j]->merchant->id;

            if (id->len == other->len
                && ngx_memcmp(id->data, other->data, id->len) == 0)
            {
                break;
            }
        }

        if (j == i) {
            p = ngx_slprintf(p, last, "payer_old_authorizations{client=\"");
            p = ngx_http_payer_metrics_label(p, last, id);
            p = ngx_slprintf(p, last, "\"} %uA\n",
                             ngx_http_payer_counted_old(main->zone, id));
        }
    }

    return p;
}


/* the text of a label, which has no control characters */

static u_char *
ngx_http_payer_metrics_label(u_char *p, u_char *last, ngx_str_t *text)
{
    size_t  i;

    for (i = 0; i < text->len; i++) {

        if (text->data[i] == '"' || text->data[i] == '\\') {
            p = ngx_slprintf(p, last, "\\");
        }

        p = ngx_slprintf(p, last, "%c", text->data[i]);
    }

    return p;
}


/* without a sweep in the configuration the metric is left out */

static u_char *
ngx_http_payer_metrics_sweep(u_char *p, u_char *last,
    ngx_http_payer_main_conf_t *main)
{
    ngx_http_payer_zone_sh_t  *sh;

    if (main->sweeps.nelts == 0) {
        return p;
    }

    sh = main->zone->sh;

    p = ngx_http_payer_metrics_head(p, last,
                           "payer_sweep_last_run_timestamp_seconds",
                           "Time at which the last run of payer_sweep ended.",
                           "gauge");
    p = ngx_slprintf(p, last, "payer_sweep_last_run_timestamp_seconds %uA\n",
                     sh->swept);

    if (main->notified.nelts || sh->owed) {
        p = ngx_http_payer_metrics_head(p, last, "payer_notifications_owed",
                           "Notifications that the shop has not taken yet.",
                           "gauge");
        p = ngx_slprintf(p, last, "payer_notifications_owed %uA\n",
                         sh->owed);

        p = ngx_http_payer_metrics_head(p, last,
                           "payer_notifications_oldest_seconds",
                           "Age of the oldest owed notification.", "gauge");
        p = ngx_slprintf(p, last, "payer_notifications_oldest_seconds %T\n",
                         (sh->owed && (time_t) sh->owed_since < ngx_time())
                         ? ngx_time() - (time_t) sh->owed_since : (time_t) 0);
    }

    p = ngx_http_payer_metrics_head(p, last, "payer_sweep_skipped_total",
                           "Background requests skipped for lack of "
                           "connections.", "counter");

    return ngx_slprintf(p, last, "payer_sweep_skipped_total %uA\n",
                        sh->skipped);
}


static u_char *
ngx_http_payer_metrics_gauges(u_char *p, u_char *last,
    ngx_http_payer_zone_t *zone)
{
    size_t            size, left;
    ngx_slab_pool_t  *shpool;

    shpool = zone->shpool;

    ngx_http_payer_zone_room(zone, &size, &left);

    p = ngx_http_payer_metrics_head(p, last, "payer_zone_pages",
                                    "Pages of memory in payer_zone.",
                                    "gauge");
    p = ngx_slprintf(p, last, "payer_zone_pages %ui\n",
                     (ngx_uint_t) (shpool->last - shpool->pages));

    p = ngx_http_payer_metrics_head(p, last, "payer_zone_free_pages",
                                    "Pages of payer_zone that are free.",
                                    "gauge");
    p = ngx_slprintf(p, last, "payer_zone_free_pages %uz\n",
                     left / ngx_pagesize);

    p = ngx_http_payer_metrics_head(p, last, "payer_build_info",
                                    "Versions of the module and of nginx.",
                                    "gauge");

    return ngx_slprintf(p, last,
                        "payer_build_info{version=\"%s\",nginx=\"%s\"} 1\n",
                        NGX_HTTP_PAYER_VERSION, NGINX_VERSION);
}


u_char *
ngx_http_payer_metrics_head(u_char *p, u_char *last, const char *name,
    const char *help, const char *type)
{
    return ngx_slprintf(p, last, "# HELP %s %s\n# TYPE %s %s\n", name, help,
                        name, type);
}
