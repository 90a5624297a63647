
/*
 * Whether the store can be used: what each worker process knows of that, and
 * what is said of all of them.
 */


#include "ngx_http_payer_postgres.h"


#define NGX_HTTP_PAYER_POSTGRES_BITS  (8 * sizeof(ngx_atomic_uint_t))

/* that it is so was logged */
#define NGX_HTTP_PAYER_POSTGRES_TOLD                                         \
    ((ngx_atomic_uint_t) 1 << (NGX_HTTP_PAYER_POSTGRES_BITS - 1))


static ngx_atomic_uint_t ngx_http_payer_postgres_mine(void);
static ngx_atomic_uint_t ngx_http_payer_postgres_workers(void);
static ngx_atomic_uint_t ngx_http_payer_postgres_change(ngx_atomic_t *state,
    ngx_atomic_uint_t set, ngx_atomic_uint_t clear);
static ngx_uint_t ngx_http_payer_postgres_over(ngx_atomic_t *state);


/* a worker that begins has none yet, whatever the one before it had */

void
ngx_http_payer_postgres_unknown(ngx_http_payer_postgres_t *pg)
{
    ngx_atomic_uint_t          mine;
    ngx_http_payer_zone_sh_t  *sh;

    sh = pg->store->zone->sh;
    mine = ngx_http_payer_postgres_mine();

    (void) ngx_http_payer_postgres_change(&sh->store_down, mine, 0);
    (void) ngx_http_payer_postgres_change(&sh->store_hung, 0, mine);

    ngx_http_payer_postgres_queued(pg);
}


/* by process, not by the number of the worker, which one that ends and its
 * successor have in common */

void
ngx_http_payer_postgres_queued(ngx_http_payer_postgres_t *pg)
{
    pg->store->zone->sh->store_queued[ngx_process_slot
                                      % NGX_HTTP_PAYER_ZONE_PROCESSES]
        = pg->reads.njobs + pg->writes.njobs;
}


/* one that ends does not speak for its successor */

void
ngx_http_payer_postgres_down(ngx_http_payer_postgres_link_t *link)
{
    ngx_atomic_uint_t           before;
    ngx_http_payer_postgres_t  *pg;

    pg = link->pg;

    if (ngx_exiting) {
        return;
    }

    before = ngx_http_payer_postgres_change(&pg->store->zone->sh->store_down,
                                            ngx_http_payer_postgres_mine()
                                            | NGX_HTTP_PAYER_POSTGRES_TOLD,
                                            0);

    if (!(before & NGX_HTTP_PAYER_POSTGRES_TOLD)) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "payer_store \"%V\" is not available, payments are "
                      "answered 503: %*s", &pg->title, link->reason_len,
                      link->reason);
    }
}


void
ngx_http_payer_postgres_up(ngx_http_payer_postgres_wire_t *wire)
{
    ngx_atomic_t               *state;
    ngx_http_payer_postgres_t  *pg;

    pg = wire->link->pg;

    if (ngx_exiting || pg->reads.wire == NULL || pg->writes.wire == NULL) {
        return;
    }

    state = &pg->store->zone->sh->store_down;

    (void) ngx_http_payer_postgres_change(state, 0,
                                          ngx_http_payer_postgres_mine());

    if (ngx_http_payer_postgres_over(state)) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "payer_store \"%V\" is available again: host \"%V\" is "
                      "the primary", &pg->title, &wire->host->shown);
    }
}


void
ngx_http_payer_postgres_hung(ngx_http_payer_postgres_wire_t *wire,
    ngx_msec_t age)
{
    u_char                          *p;
    ngx_atomic_uint_t                before;
    ngx_http_payer_postgres_t       *pg;
    ngx_http_payer_postgres_link_t  *link;

    link = wire->link;
    pg = link->pg;

    p = ngx_slprintf(link->reason, link->reason + sizeof(link->reason),
                     "host \"%V\" answers, but no commit has ended for %M ms",
                     &wire->host->shown, age);

    link->reason_len = p - link->reason;

    if (ngx_exiting) {
        return;
    }

    before = ngx_http_payer_postgres_change(&pg->store->zone->sh->store_hung,
                                            ngx_http_payer_postgres_mine()
                                            | NGX_HTTP_PAYER_POSTGRES_TOLD,
                                            0);

    if (!(before & NGX_HTTP_PAYER_POSTGRES_TOLD)) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "payer_store \"%V\" can be read and not written, new "
                      "payments are answered 503: %*s", &pg->title,
                      link->reason_len, link->reason);
    }
}


void
ngx_http_payer_postgres_ended(ngx_http_payer_postgres_link_t *link)
{
    ngx_atomic_t               *state;
    ngx_http_payer_postgres_t  *pg;

    pg = link->pg;
    state = &pg->store->zone->sh->store_hung;

    (void) ngx_http_payer_postgres_change(state, 0,
                                          ngx_http_payer_postgres_mine());

    if (ngx_http_payer_postgres_over(state) && link->wire != NULL) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "payer_store \"%V\" can be written again", &pg->title);
    }
}


/* whether no worker process is in this state any more, and that is to be
 * said */

static ngx_uint_t
ngx_http_payer_postgres_over(ngx_atomic_t *state)
{
    ngx_atomic_uint_t  now;

    now = *state;

    return (now & ngx_http_payer_postgres_workers()) == 0
           && (now & NGX_HTTP_PAYER_POSTGRES_TOLD)
           && ngx_atomic_cmp_set(state, now, 0);
}


ngx_uint_t
ngx_http_payer_postgres_told(ngx_http_payer_postgres_t *pg)
{
    ngx_http_payer_zone_sh_t  *sh;

    sh = pg->store->zone->sh;

    return ((sh->store_down | sh->store_hung) & NGX_HTTP_PAYER_POSTGRES_TOLD)
           != 0;
}


void
ngx_http_payer_postgres_status(ngx_http_payer_store_t *store,
    ngx_http_payer_store_status_t *status)
{
    ngx_uint_t                       i;
    ngx_atomic_uint_t                down, hung;
    ngx_http_payer_zone_sh_t        *sh;
    ngx_http_payer_postgres_t       *pg;
    ngx_http_payer_postgres_link_t  *link;

    sh = store->zone->sh;
    pg = ngx_http_payer_postgres_of(store);

    for (i = 0; i < NGX_HTTP_PAYER_ZONE_PROCESSES; i++) {
        status->queued += sh->store_queued[i];
    }

    down = sh->store_down & ngx_http_payer_postgres_workers();
    hung = sh->store_hung & ngx_http_payer_postgres_workers();

    /* that which is being replaced just now is no failure */

    status->up = (down == 0 && hung == 0);
    status->hanging = (down == 0 && hung != 0);

    link = (pg->writes.wire == NULL || pg->writes.hung
            || pg->reads.wire != NULL) ? &pg->writes : &pg->reads;

    if (link->wire == NULL || link->hung) {
        status->detail.data = link->reason;
        status->detail.len = link->reason_len;

    } else if (down) {
        ngx_str_set(&status->detail,
                    "another worker process has no connection");

    } else if (hung) {
        ngx_str_set(&status->detail,
                    "commits of another worker process do not end");

    } else {
        status->detail = link->wire->host->shown;
    }
}


/* there are fewer bits than there may be worker processes: some share one */

static ngx_atomic_uint_t
ngx_http_payer_postgres_mine(void)
{
    return (ngx_atomic_uint_t) 1
           << (ngx_worker % (NGX_HTTP_PAYER_POSTGRES_BITS - 1));
}


/* those of the configuration: there may have been more before it */

static ngx_atomic_uint_t
ngx_http_payer_postgres_workers(void)
{
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(ngx_cycle->conf_ctx,
                                           ngx_core_module);

    if (ccf->worker_processes >= (ngx_int_t) NGX_HTTP_PAYER_POSTGRES_BITS - 1)
    {
        return NGX_HTTP_PAYER_POSTGRES_TOLD - 1;
    }

    return ((ngx_atomic_uint_t) 1 << ccf->worker_processes) - 1;
}


/* returns what it was */

static ngx_atomic_uint_t
ngx_http_payer_postgres_change(ngx_atomic_t *state, ngx_atomic_uint_t set,
    ngx_atomic_uint_t clear)
{
    ngx_atomic_uint_t  before;

    do {
        before = *state;
    } while (!ngx_atomic_cmp_set(state, before, (before | set) & ~clear));

    return before;
}
