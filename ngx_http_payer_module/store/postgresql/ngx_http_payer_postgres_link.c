
/*
 * The choice of the primary.  All hosts are tried at once; of those that can
 * be written, the one on the highest timeline is used, and none on a lower one
 * than any process of this nginx has ever seen: that would be a primary that
 * was replaced and does not know.
 */


#include "ngx_http_payer_postgres.h"


#define NGX_HTTP_PAYER_POSTGRES_GRACE    200    /* ms, for the other hosts */
#define NGX_HTTP_PAYER_POSTGRES_BACKOFF  100    /* ms, doubled each time */
#define NGX_HTTP_PAYER_POSTGRES_MAXIMUM  5000


static void ngx_http_payer_postgres_step(
    ngx_http_payer_postgres_link_t *link);
static ngx_http_payer_postgres_wire_t *ngx_http_payer_postgres_best(
    ngx_http_payer_postgres_link_t *link, ngx_uint_t *busy);
static void ngx_http_payer_postgres_choose(
    ngx_http_payer_postgres_link_t *link,
    ngx_http_payer_postgres_wire_t *wire);
static void ngx_http_payer_postgres_advance(
    ngx_http_payer_postgres_wire_t *wire);
static void ngx_http_payer_postgres_give_up(
    ngx_http_payer_postgres_link_t *link);
static void ngx_http_payer_postgres_pause(
    ngx_http_payer_postgres_link_t *link);
static void ngx_http_payer_postgres_reason(
    ngx_http_payer_postgres_link_t *link, ngx_str_t *host,
    const char *reason, size_t len);


void
ngx_http_payer_postgres_search(ngx_http_payer_postgres_link_t *link)
{
    ngx_uint_t                       i;
    ngx_http_payer_postgres_t       *pg;
    ngx_http_payer_postgres_host_t  *host;

    if (link->searching || link->timer.timer_set
        || (link->wire != NULL && !link->hung))
    {
        return;
    }

    pg = link->pg;

    if (link->wire == NULL && link->since == 0) {
        link->since = ngx_current_msec;
    }

    link->searching = 1;
    link->reason_len = 0;

    ngx_add_timer(&link->timer, pg->connect_timeout);

    /* one of them may be refused before the others are asked */

    link->resolving++;

    for (i = 0; i < pg->nhosts; i++) {
        host = &pg->hosts[i];

        if (host->local || host->address.len) {
            ngx_http_payer_postgres_connect(link, host,
                                            (char *) host->address.data);
        }
    }

    ngx_http_payer_postgres_resolve(link);

    ngx_http_payer_postgres_resolved(link);
}


void
ngx_http_payer_postgres_resolved(ngx_http_payer_postgres_link_t *link)
{
    link->resolving--;

    ngx_http_payer_postgres_step(link);
}


void
ngx_http_payer_postgres_found(ngx_http_payer_postgres_wire_t *wire)
{
    u_char                          *p, text[128];
    ngx_uint_t                       known;
    ngx_http_payer_postgres_link_t  *link;

    link = wire->link;
    known = link->pg->store->zone->sh->store_timeline;

    if (wire->timeline != 0 && wire->timeline < known) {
        p = ngx_slprintf(text, text + sizeof(text),
                         "it is a former primary, on timeline %uL, while %ui "
                         "was seen", wire->timeline, known);

        ngx_http_payer_postgres_refused(wire, (char *) text, p - text);
        return;
    }

    /* the first search may find one that was replaced before nginx started */

    if (known != 0
        && link->timer.timer_set
        && (ngx_msec_int_t) (link->timer.timer.key - ngx_current_msec)
           > NGX_HTTP_PAYER_POSTGRES_GRACE)
    {
        ngx_add_timer(&link->timer, NGX_HTTP_PAYER_POSTGRES_GRACE);
    }

    ngx_http_payer_postgres_step(link);
}


void
ngx_http_payer_postgres_refused(ngx_http_payer_postgres_wire_t *wire,
    const char *reason, size_t len)
{
    ngx_http_payer_postgres_link_t  *link;

    link = wire->link;

    ngx_http_payer_postgres_reason(link, &wire->host->shown, reason, len);
    ngx_http_payer_postgres_close(wire);

    ngx_http_payer_postgres_step(link);
}


static void
ngx_http_payer_postgres_step(ngx_http_payer_postgres_link_t *link)
{
    ngx_uint_t                       busy;
    ngx_http_payer_postgres_wire_t  *wire;

    if (!link->searching) {
        return;
    }

    wire = ngx_http_payer_postgres_best(link, &busy);

    if (busy || link->resolving) {
        return;
    }

    if (wire != NULL) {
        ngx_http_payer_postgres_choose(link, wire);

    } else {
        ngx_http_payer_postgres_give_up(link);
    }
}


/* "busy" says whether others are still being tried */

static ngx_http_payer_postgres_wire_t *
ngx_http_payer_postgres_best(ngx_http_payer_postgres_link_t *link,
    ngx_uint_t *busy)
{
    ngx_queue_t                     *q;
    ngx_http_payer_postgres_wire_t  *wire, *best;

    best = NULL;
    *busy = 0;

    for (q = ngx_queue_head(&link->wires);
         q != ngx_queue_sentinel(&link->wires);
         q = ngx_queue_next(q))
    {
        wire = ngx_queue_data(q, ngx_http_payer_postgres_wire_t, queue);

        if (!wire->checked || !ngx_queue_empty(&wire->flights)) {
            *busy = 1;

        } else if (best == NULL || wire->timeline > best->timeline) {
            best = wire;
        }
    }

    return best;
}


static void
ngx_http_payer_postgres_choose(ngx_http_payer_postgres_link_t *link,
    ngx_http_payer_postgres_wire_t *wire)
{
    ngx_http_payer_postgres_t  *pg;

    pg = link->pg;

    if (link->wire != NULL && wire->timeline <= link->wire->timeline) {

        /* the one whose commits do not end is still the primary */

        ngx_http_payer_postgres_end_search(link);
        ngx_http_payer_postgres_look(link);
        return;
    }

    ngx_queue_remove(&wire->queue);

    ngx_http_payer_postgres_end_search(link);

    if (link->wire != NULL) {
        ngx_http_payer_postgres_close(link->wire);
    }

    link->wire = wire;
    link->since = 0;
    link->down = 0;

    pg->lent->count(pg->store->zone, NGX_HTTP_PAYER_COUNT_STORE,
                    NGX_HTTP_PAYER_COUNT_STORE_EVENTS,
                    NGX_HTTP_PAYER_COUNT_STORE_CONNECTS);

    ngx_http_payer_postgres_advance(wire);

    ngx_http_payer_postgres_up(wire);

    ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                  "payer_store \"%V\": connected to host \"%V\" on timeline "
                  "%uL for %s", &pg->title, &wire->host->shown, wire->timeline,
                  link->writes ? "writing" : "reading");

    if (link->hung) {
        ngx_http_payer_postgres_probe(link);
    }

    ngx_post_event(&link->kick, &ngx_posted_events);
}


/* the first process that comes to a new primary says so */

static void
ngx_http_payer_postgres_advance(ngx_http_payer_postgres_wire_t *wire)
{
    ngx_atomic_t               *timeline;
    ngx_atomic_uint_t           known;
    ngx_http_payer_postgres_t  *pg;

    pg = wire->link->pg;
    timeline = &pg->store->zone->sh->store_timeline;

    for ( ;; ) {
        known = *timeline;

        if (wire->timeline <= known) {
            return;
        }

        if (ngx_atomic_cmp_set(timeline, known,
                               (ngx_atomic_uint_t) wire->timeline))
        {
            break;
        }
    }

    if (known == 0) {
        return;
    }

    pg->lent->count(pg->store->zone, NGX_HTTP_PAYER_COUNT_STORE,
                    NGX_HTTP_PAYER_COUNT_STORE_EVENTS,
                    NGX_HTTP_PAYER_COUNT_STORE_FAILOVERS);

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "payer_store \"%V\": host \"%V\" is the new primary, on "
                  "timeline %uL after %uL", &pg->title, &wire->host->shown,
                  wire->timeline, (uint64_t) known);
}


/* a primary that only restarts, or is replaced at once, is waited for */

static void
ngx_http_payer_postgres_give_up(ngx_http_payer_postgres_link_t *link)
{
    ngx_http_payer_postgres_end_search(link);

    if (link->wire != NULL) {
        ngx_http_payer_postgres_lost(link->wire, "no commit ends, and it "
                                     "takes no new connection", 49);
        return;
    }

    ngx_http_payer_postgres_down(link);

    ngx_http_payer_postgres_pause(link);

    if (ngx_current_msec - link->since >= NGX_HTTP_PAYER_POSTGRES_PATIENCE) {
        link->down = 1;
        ngx_http_payer_postgres_flows(link);
        ngx_http_payer_postgres_turn_away(link);
    }
}


void
ngx_http_payer_postgres_end_search(ngx_http_payer_postgres_link_t *link)
{
    ngx_queue_t  *q;

    link->searching = 0;

    if (link->timer.timer_set) {
        ngx_del_timer(&link->timer);
    }

    ngx_http_payer_postgres_unresolve(link);

    while (!ngx_queue_empty(&link->wires)) {
        q = ngx_queue_head(&link->wires);

        ngx_http_payer_postgres_close(
                   ngx_queue_data(q, ngx_http_payer_postgres_wire_t, queue));
    }
}


/* half of it by chance, so that not all come back at once */

static void
ngx_http_payer_postgres_pause(ngx_http_payer_postgres_link_t *link)
{
    ngx_msec_t  pause;

    pause = link->backoff ? link->backoff : NGX_HTTP_PAYER_POSTGRES_BACKOFF;

    link->backoff = ngx_min(2 * pause, NGX_HTTP_PAYER_POSTGRES_MAXIMUM);

    ngx_add_timer(&link->timer, pause / 2 + ngx_random() % (pause + 1));
}


/* the end of a search, or the time for the next one */

void
ngx_http_payer_postgres_timer(ngx_event_t *ev)
{
    ngx_uint_t                       busy, i;
    ngx_queue_t                     *q;
    ngx_http_payer_postgres_link_t  *link;
    ngx_http_payer_postgres_wire_t  *wire;

    link = ev->data;

    if (!link->searching) {

        if (!ngx_exiting || !ngx_queue_empty(&link->jobs)) {

            if (link->hung) {
                ngx_http_payer_postgres_probe(link);
            }

            ngx_http_payer_postgres_search(link);
        }

        return;
    }

    wire = ngx_http_payer_postgres_best(link, &busy);

    if (wire != NULL) {
        ngx_http_payer_postgres_choose(link, wire);
        return;
    }

    for (q = ngx_queue_head(&link->wires);
         q != ngx_queue_sentinel(&link->wires);
         q = ngx_queue_next(q))
    {
        wire = ngx_queue_data(q, ngx_http_payer_postgres_wire_t, queue);

        ngx_http_payer_postgres_reason(link, &wire->host->shown,
                                       "no answer in time", 17);
    }

    for (i = 0; i < link->pg->nhosts; i++) {
        if (link->names[i] != NULL) {
            ngx_http_payer_postgres_reason(link, &link->pg->hosts[i].shown,
                                           "no answer of the resolver in time",
                                           33);
        }
    }

    ngx_http_payer_postgres_give_up(link);
}


/* the first line of it, in ASCII */

static void
ngx_http_payer_postgres_reason(ngx_http_payer_postgres_link_t *link,
    ngx_str_t *host, const char *reason, size_t len)
{
    u_char  *p, *last;
    size_t   i;

    for (i = 0; i < len; i++) {
        if (reason[i] == LF || reason[i] == CR) {
            len = i;
            break;
        }
    }

    p = link->reason + link->reason_len;
    last = link->reason + sizeof(link->reason);

    p = ngx_slprintf(p, last, "%shost \"%V\": ",
                     link->reason_len ? "; " : "", host);

    for (i = 0; i < len && p < last; i++) {
        *p++ = (reason[i] >= ' ' && reason[i] <= '~') ? reason[i] : '?';
    }

    link->reason_len = p - link->reason;
}


void
ngx_http_payer_postgres_lost(ngx_http_payer_postgres_wire_t *wire,
    const char *reason, size_t len)
{
    ngx_http_payer_postgres_link_t  *link;

    link = wire->link;

    link->reason_len = 0;
    ngx_http_payer_postgres_reason(link, &wire->host->shown, reason, len);

    ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                  "payer_store \"%V\": the connection for %s is lost: %*s",
                  &link->pg->title, link->writes ? "writing" : "reading",
                  link->reason_len, link->reason);

    ngx_http_payer_postgres_close(wire);

    if (!link->searching && link->timer.timer_set) {
        ngx_del_timer(&link->timer);
    }

    link->since = ngx_current_msec;

    if (ngx_exiting && ngx_queue_empty(&link->jobs)) {
        return;
    }

    /* at once the first time; what fails right after it connects does not
     * keep the processor busy */

    if (link->backoff == 0) {
        link->backoff = NGX_HTTP_PAYER_POSTGRES_BACKOFF;
        ngx_http_payer_postgres_search(link);

    } else if (!link->timer.timer_set) {
        ngx_http_payer_postgres_pause(link);
    }
}


void
ngx_http_payer_postgres_close_link(ngx_http_payer_postgres_link_t *link)
{
    ngx_http_payer_postgres_end_search(link);

    if (link->wire != NULL) {
        ngx_http_payer_postgres_close(link->wire);
    }

    if (link->kick.posted) {
        ngx_delete_posted_event(&link->kick);
    }

    link->njobs = 0;
}
