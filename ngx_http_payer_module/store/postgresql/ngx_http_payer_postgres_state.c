
/*
 * Whether the store can be used: what each worker process knows, and what is
 * said of the host.
 */


#include "ngx_http_payer_postgres.h"


#define NGX_HTTP_PAYER_POSTGRES_BITS  (8 * sizeof(ngx_atomic_uint_t))

/* that it is down was logged */
#define NGX_HTTP_PAYER_POSTGRES_TOLD                                         \
    ((ngx_atomic_uint_t) 1 << (NGX_HTTP_PAYER_POSTGRES_BITS - 1))


static ngx_atomic_uint_t ngx_http_payer_postgres_mine(void);
static ngx_atomic_uint_t ngx_http_payer_postgres_workers(void);
static ngx_atomic_uint_t ngx_http_payer_postgres_change(
    ngx_http_payer_postgres_t *pg, ngx_atomic_uint_t set,
    ngx_atomic_uint_t clear);


/* a worker that begins has none yet, whatever the one before it had */

void
ngx_http_payer_postgres_unknown(ngx_http_payer_postgres_t *pg)
{
    (void) ngx_http_payer_postgres_change(pg, ngx_http_payer_postgres_mine(),
                                          0);
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

    before = ngx_http_payer_postgres_change(pg,
                    ngx_http_payer_postgres_mine()
                    | NGX_HTTP_PAYER_POSTGRES_TOLD, 0);

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
    ngx_atomic_uint_t           now;
    ngx_http_payer_postgres_t  *pg;

    pg = wire->link->pg;

    if (ngx_exiting || pg->reads.wire == NULL || pg->writes.wire == NULL) {
        return;
    }

    (void) ngx_http_payer_postgres_change(pg, 0,
                                          ngx_http_payer_postgres_mine());

    state = &pg->store->zone->sh->store_down;
    now = *state;

    if ((now & ngx_http_payer_postgres_workers()) == 0
        && (now & NGX_HTTP_PAYER_POSTGRES_TOLD)
        && ngx_atomic_cmp_set(state, now, 0))
    {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "payer_store \"%V\" is available again: host \"%V\" is "
                      "the primary", &pg->title, &wire->host->shown);
    }
}


ngx_uint_t
ngx_http_payer_postgres_told(ngx_http_payer_postgres_t *pg)
{
    return (pg->store->zone->sh->store_down & NGX_HTTP_PAYER_POSTGRES_TOLD)
           != 0;
}


void
ngx_http_payer_postgres_status(ngx_http_payer_store_t *store,
    ngx_http_payer_store_status_t *status)
{
    ngx_http_payer_postgres_t       *pg;
    ngx_http_payer_postgres_link_t  *link;

    pg = ngx_http_payer_postgres_of(store);

    status->queued = pg->reads.njobs + pg->writes.njobs;

    if (pg->reads.wire == NULL || pg->writes.wire == NULL) {

        /* that which is being replaced just now is no failure */

        status->up = !(store->zone->sh->store_down
                       & ngx_http_payer_postgres_workers());

        link = (pg->writes.wire == NULL) ? &pg->writes : &pg->reads;

        status->detail.data = link->reason;
        status->detail.len = link->reason_len;

        return;
    }

    if (store->zone->sh->store_down & ngx_http_payer_postgres_workers()) {
        ngx_str_set(&status->detail,
                    "another worker process has no connection");
        return;
    }

    status->up = 1;
    status->detail = pg->writes.wire->host->shown;
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
ngx_http_payer_postgres_change(ngx_http_payer_postgres_t *pg,
    ngx_atomic_uint_t set, ngx_atomic_uint_t clear)
{
    ngx_atomic_t       *state;
    ngx_atomic_uint_t   before;

    state = &pg->store->zone->sh->store_down;

    do {
        before = *state;
    } while (!ngx_atomic_cmp_set(state, before, (before | set) & ~clear));

    return before;
}
