
/*
 * The store in PostgreSQL, a module of its own: the table of operations, which
 * the main module finds in the context below.
 */


#include "ngx_http_payer_postgres.h"
#include <poll.h>


#define NGX_HTTP_PAYER_POSTGRES_DRAIN  2000     /* ms */


static ngx_int_t ngx_http_payer_postgres_init_process(ngx_cycle_t *cycle,
    ngx_http_payer_store_t *store);
static void ngx_http_payer_postgres_exit_process(ngx_cycle_t *cycle,
    ngx_http_payer_store_t *store);
static ngx_int_t ngx_http_payer_postgres_claim(ngx_http_payer_store_t *store,
    ngx_str_t *key, ngx_msec_t lease, ngx_http_payer_claim_t *claim);
static void ngx_http_payer_postgres_extend(ngx_http_payer_store_t *store,
    ngx_http_payer_claim_t *claim, ngx_msec_t lease);
static void ngx_http_payer_postgres_init_link(ngx_http_payer_postgres_t *pg,
    ngx_http_payer_postgres_link_t *link);


static ngx_http_payer_store_ops_t  ngx_http_payer_postgres_ops = {
    ngx_string("postgresql"),
    ngx_http_payer_postgres_configure,
    ngx_http_payer_postgres_check,
    NULL,
    ngx_http_payer_postgres_init_process,
    ngx_http_payer_postgres_exit_process,
    ngx_http_payer_postgres_get,
    ngx_http_payer_postgres_put,
    ngx_http_payer_postgres_scan,
    ngx_http_payer_postgres_list,
    ngx_http_payer_postgres_due,
    ngx_http_payer_postgres_claim,
    ngx_http_payer_postgres_extend,
    ngx_http_payer_postgres_unclaim,
    ngx_http_payer_postgres_forget,
    ngx_http_payer_postgres_status
};


static ngx_http_payer_store_module_ctx_t  ngx_http_payer_postgres_ctx = {
    { NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL },
    NGX_HTTP_PAYER_STORE_ABI,
    &ngx_http_payer_postgres_ops
};


ngx_module_t  ngx_http_payer_postgres_module = {
    NGX_MODULE_V1,
    &ngx_http_payer_postgres_ctx,
    NULL,
    NGX_HTTP_MODULE,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_payer_postgres_init_process(ngx_cycle_t *cycle,
    ngx_http_payer_store_t *store)
{
    /* the cache manager and the cache loader have no use for it */

    if (ngx_process != NGX_PROCESS_HELPER) {
        (void) ngx_http_payer_postgres_of(store);
    }

    return NGX_OK;
}


/* once in a process: a reload without a master calls no init_process() */

ngx_http_payer_postgres_t *
ngx_http_payer_postgres_of(ngx_http_payer_store_t *store)
{
    ngx_http_payer_postgres_t  *pg;

    pg = store->data;

    if (!pg->active) {
        pg->active = 1;
        pg->lent = store->lent;

        /* OpenSSL is nginx's, which has set it up */

        PQinitOpenSSL(0, 0);

        pg->writes.writes = 1;

        ngx_http_payer_postgres_init_link(pg, &pg->reads);
        ngx_http_payer_postgres_init_link(pg, &pg->writes);

        ngx_http_payer_postgres_unknown(pg);

        ngx_http_payer_postgres_search(&pg->writes);
        ngx_http_payer_postgres_search(&pg->reads);
    }

    return pg;
}


static void
ngx_http_payer_postgres_init_link(ngx_http_payer_postgres_t *pg,
    ngx_http_payer_postgres_link_t *link)
{
    link->pg = pg;

    ngx_queue_init(&link->wires);
    ngx_queue_init(&link->waiting);
    ngx_queue_init(&link->jobs);

    link->timer.handler = ngx_http_payer_postgres_timer;
    link->timer.data = link;
    link->timer.log = ngx_cycle->log;
    link->timer.cancelable = 1;

    link->deadline.handler = ngx_http_payer_postgres_expire;
    link->deadline.data = link;
    link->deadline.log = ngx_cycle->log;

    link->kick.handler = ngx_http_payer_postgres_kick;
    link->kick.data = link;
    link->kick.log = ngx_cycle->log;
}


static void
ngx_http_payer_postgres_exit_process(ngx_cycle_t *cycle,
    ngx_http_payer_store_t *store)
{
    ngx_http_payer_postgres_t  *pg;

    pg = store->data;

    if (!pg->active) {
        return;
    }

    pg->ending = 1;

    ngx_http_payer_postgres_drain(pg);

    ngx_http_payer_postgres_close_link(&pg->reads);
    ngx_http_payer_postgres_close_link(&pg->writes);

    ngx_http_payer_postgres_queued(pg);
}


/* the event loop is over by now, and so are the requests */

void
ngx_http_payer_postgres_drain(ngx_http_payer_postgres_t *pg)
{
    ngx_msec_t                       began, passed;
    struct pollfd                    fd;
    ngx_http_payer_postgres_link_t  *link;
    ngx_http_payer_postgres_wire_t  *wire;

    link = &pg->writes;

    ngx_time_update();

    began = ngx_current_msec;

    while (!ngx_queue_empty(&link->jobs) && link->wire != NULL) {

        ngx_http_payer_postgres_depart(link);

        ngx_time_update();

        wire = link->wire;
        passed = ngx_current_msec - began;

        if (wire == NULL || passed >= NGX_HTTP_PAYER_POSTGRES_DRAIN) {
            return;
        }

        fd.fd = PQsocket(wire->conn);
        fd.events = POLLIN;
        fd.revents = 0;

        if (PQflush(wire->conn) == 1) {
            fd.events |= POLLOUT;
        }

        if (poll(&fd, 1, NGX_HTTP_PAYER_POSTGRES_DRAIN - passed) > 0) {
            (void) ngx_http_payer_postgres_receive(wire);
        }
    }
}


/* of this nginx; what keeps out others is a put that takes it */

static ngx_int_t
ngx_http_payer_postgres_claim(ngx_http_payer_store_t *store, ngx_str_t *key,
    ngx_msec_t lease, ngx_http_payer_claim_t *claim)
{
    return store->lent->claim(store, key, lease, claim);
}


static void
ngx_http_payer_postgres_extend(ngx_http_payer_store_t *store,
    ngx_http_payer_claim_t *claim, ngx_msec_t lease)
{
    store->lent->extend(store, claim, lease);
}
