
/*
 * Commits that do not end.  A primary whose synchronous standby is cut off
 * answers what is asked, and takes writes, but no commit of them is ever over.
 * After a while nobody waits for that any more: reads go on, and what would
 * only begin a payment is rejected at once.
 *
 * Each connection that is given up in that state leaves a process of the
 * server behind, until its standby is back.  So a connection is kept, the
 * longer the more of them were given up, and new ones are only made to see
 * whether another host has become the primary.
 */


#include "ngx_http_payer_postgres.h"


#define NGX_HTTP_PAYER_POSTGRES_LOOK_AROUND  5000       /* ms */
#define NGX_HTTP_PAYER_POSTGRES_LONGEST      3600000    /* ms */


/* the time after which it is asked again what has become of a write */

void
ngx_http_payer_postgres_await(ngx_http_payer_postgres_wire_t *wire)
{
    ngx_msec_t  timeout;

    timeout = wire->link->pg->timeout;

    if (wire->link->writes) {
        timeout = ngx_min(timeout, NGX_HTTP_PAYER_POSTGRES_PATIENCE);
    }

    ngx_add_timer(&wire->timer, timeout);
}


/* returns for how long the connection is to be kept; 0: it is to be closed */

ngx_msec_t
ngx_http_payer_postgres_hangs(ngx_http_payer_postgres_wire_t *wire)
{
    ngx_uint_t                         i;
    ngx_msec_t                         age, limit;
    ngx_http_payer_postgres_link_t    *link;
    ngx_http_payer_postgres_flight_t  *flight;

    link = wire->link;

    flight = ngx_queue_data(ngx_queue_head(&wire->flights),
                            ngx_http_payer_postgres_flight_t, queue);

    age = ngx_current_msec - flight->sent;

    if (!link->hung) {
        link->hung = 1;

        ngx_http_payer_postgres_hung(wire, age);
        ngx_http_payer_postgres_turn_away(link);

        /* at once, but not in here, as that may close the wire */

        if (!link->timer.timer_set) {
            ngx_add_timer(&link->timer, 1);
        }
    }

    limit = link->pg->timeout;

    for (i = 0; i < link->hangs; i++) {
        limit = ngx_min(4 * limit, NGX_HTTP_PAYER_POSTGRES_LONGEST);
    }

    if (age < limit) {
        return limit - age;
    }

    link->hangs++;

    return 0;
}


/* as far as the wire is idle, to see a commit end */

void
ngx_http_payer_postgres_probe(ngx_http_payer_postgres_link_t *link)
{
    ngx_http_payer_postgres_job_t  *job;

    if (link->wire == NULL || !ngx_queue_empty(&link->wire->flights)) {
        return;
    }

    job = ngx_http_payer_postgres_job(link, NGX_HTTP_PAYER_POSTGRES_PUT);

    if (job != NULL) {
        ngx_http_payer_postgres_name(link->pg, job);
        ngx_http_payer_postgres_enqueue(link, job, NULL);
    }
}


void
ngx_http_payer_postgres_look(ngx_http_payer_postgres_link_t *link)
{
    ngx_add_timer(&link->timer, NGX_HTTP_PAYER_POSTGRES_LOOK_AROUND);
}


void
ngx_http_payer_postgres_flows(ngx_http_payer_postgres_link_t *link)
{
    if (!link->hung) {
        return;
    }

    link->hung = 0;
    link->hangs = 0;

    if (link->wire != NULL) {
        ngx_http_payer_postgres_end_search(link);
    }

    ngx_http_payer_postgres_ended(link);
}
