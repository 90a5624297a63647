
/*
 * Due notifications: leased from the store by this worker process, with a
 * background request for each.  Started by a recorded change and by the sweep.
 */


#include "ngx_http_payer_delivery.h"


/* deliveries of a worker process at a time */

#define NGX_HTTP_PAYER_DUE_INFLIGHT  16

/* entries of other hosts that a run may come across */

#define NGX_HTTP_PAYER_DUE_FOREIGN   1000

#define NGX_HTTP_PAYER_DUE_POOL      4096


/* of this worker process */
typedef struct {
    ngx_http_payer_main_conf_t  *main;
    ngx_http_payer_io_t          io;
    ngx_pool_t                  *pool;
    ngx_event_t                  timer;
    ngx_event_t                  wake;
    ngx_uint_t                   place;         /* the next one to look at */
    ngx_uint_t                   asked;         /* entries */
    ngx_uint_t                   foreign;       /* met, in this run */
    ngx_uint_t                   inflight;
    ngx_uint_t                   running;
    ngx_uint_t                   again;
} ngx_http_payer_due_t;


static void ngx_http_payer_due_run(ngx_http_payer_due_t *due);
static ngx_int_t ngx_http_payer_due_ask(ngx_http_payer_due_t *due);
static ngx_uint_t ngx_http_payer_due_first(ngx_http_payer_due_t *due,
    ngx_uint_t i);
static void ngx_http_payer_due_answered(ngx_http_payer_io_t *io);
static void ngx_http_payer_due_take(ngx_http_payer_due_t *due);
static void ngx_http_payer_due_timer(ngx_event_t *ev);


static ngx_http_payer_due_t  ngx_http_payer_due;


void
ngx_http_payer_notify_due(ngx_http_payer_main_conf_t *pmcf)
{
    ngx_http_payer_due_t  *due;

    due = &ngx_http_payer_due;

    if (pmcf->notified.nelts == 0 || !ngx_http_payer_background_allowed()) {
        return;
    }

    if (due->running || due->inflight >= NGX_HTTP_PAYER_DUE_INFLIGHT) {

        /* when the entries in progress are done */

        due->again = 1;
        return;
    }

    due->main = pmcf;
    due->foreign = 0;

    ngx_http_payer_due_run(due);
}


/* called from the handler that has stored it */

void
ngx_http_payer_notify_wake(ngx_http_payer_main_conf_t *pmcf)
{
    ngx_http_payer_due_t  *due;

    due = &ngx_http_payer_due;

    if (due->wake.posted) {
        return;
    }

    due->wake.handler = ngx_http_payer_due_timer;
    due->wake.data = pmcf;
    due->wake.log = ngx_cycle->log;

    ngx_post_event(&due->wake, &ngx_posted_events);
}


static void
ngx_http_payer_due_run(ngx_http_payer_due_t *due)
{
    do {
        due->running = 1;
        due->again = 0;
        due->place = 0;

        if (ngx_http_payer_due_ask(due) == NGX_AGAIN) {
            return;
        }

        due->running = 0;

    } while (due->again && due->inflight < NGX_HTTP_PAYER_DUE_INFLIGHT);
}


/* of each merchant: NGX_AGAIN, or NGX_OK when there are no more */

static ngx_int_t
ngx_http_payer_due_ask(ngx_http_payer_due_t *due)
{
    time_t                          lease;
    ngx_int_t                       rc;
    ngx_str_t                       prefix;
    ngx_http_payer_store_t         *store;
    ngx_http_payer_loc_conf_t      *conf;
    ngx_http_payer_notify_place_t  *place;

    place = due->main->notified.elts;
    store = due->main->store;

    while (due->place < due->main->notified.nelts
           && due->inflight < NGX_HTTP_PAYER_DUE_INFLIGHT)
    {
        if (!ngx_http_payer_due_first(due, due->place)) {
            due->place++;
            continue;
        }

        conf = place[due->place++].conf;

        due->pool = ngx_create_pool(NGX_HTTP_PAYER_DUE_POOL, ngx_cycle->log);
        if (due->pool == NULL) {
            break;
        }

        if (ngx_http_payer_notice_prefix(due->pool, &conf->merchant->id, NULL,
                                         &prefix)
            != NGX_OK)
        {
            ngx_destroy_pool(due->pool);
            break;
        }

        ngx_memzero(&due->io, sizeof(ngx_http_payer_io_t));

        due->io.pool = due->pool;
        due->io.handler = ngx_http_payer_due_answered;
        due->io.data = due;

        due->asked = NGX_HTTP_PAYER_DUE_INFLIGHT - due->inflight;
        lease = ngx_http_payer_notify_lease(due->main);

        rc = store->ops->due(store, &prefix, due->asked, lease, &due->io);

        if (rc == NGX_AGAIN) {
            return NGX_AGAIN;
        }

        due->io.rc = rc;

        ngx_http_payer_due_take(due);
    }

    return NGX_OK;
}


/* whether no place before has the same merchant */

static ngx_uint_t
ngx_http_payer_due_first(ngx_http_payer_due_t *due, ngx_uint_t i)
{
    ngx_str_t                      *id, *other;
    ngx_uint_t                      n;
    ngx_http_payer_notify_place_t  *place;

    place = due->main->notified.elts;
    id = &place[i].conf->merchant->id;

    for (n = 0; n < i; n++) {
        other = &place[n].conf->merchant->id;

        if (other->len == id->len
            && ngx_memcmp(other->data, id->data, id->len) == 0)
        {
            return 0;
        }
    }

    return 1;
}


static void
ngx_http_payer_due_answered(ngx_http_payer_io_t *io)
{
    ngx_http_payer_due_t  *due;

    due = io->data;

    ngx_http_payer_due_take(due);

    if (ngx_http_payer_due_ask(due) == NGX_AGAIN) {
        return;
    }

    due->running = 0;

    if (due->again && due->inflight < NGX_HTTP_PAYER_DUE_INFLIGHT) {
        ngx_http_payer_due_run(due);
    }
}


/* an entry that cannot be delivered now is due again when its lease expires */

static void
ngx_http_payer_due_take(ngx_http_payer_due_t *due)
{
    ngx_uint_t              i;
    ngx_http_payer_item_t  *item;

    if (due->io.rc == NGX_OK) {

        item = due->io.items;

        for (i = 0; i < due->io.nitems; i++) {

            switch (ngx_http_payer_deliver(due->main, &item[i].key,
                                           &item[i].value))
            {
            case NGX_OK:
                due->inflight++;
                break;

            case NGX_ABORT:
                due->foreign++;
                break;

            default: /* NGX_DECLINED, NGX_ERROR */
                break;
            }
        }

        if (due->io.nitems == due->asked
            && due->foreign < NGX_HTTP_PAYER_DUE_FOREIGN)
        {
            /* there may be more, when there is capacity */

            due->again = 1;
        }
    }

    ngx_destroy_pool(due->pool);
    due->pool = NULL;
}


void
ngx_http_payer_notify_delivered(ngx_http_payer_main_conf_t *pmcf,
    ngx_uint_t more, time_t again)
{
    ngx_http_payer_due_t  *due;

    due = &ngx_http_payer_due;

    due->inflight--;

    if (again && again <= ngx_time() + 1 && !due->timer.timer_set) {

        /* an earlier one is being delivered elsewhere */

        due->timer.handler = ngx_http_payer_due_timer;
        due->timer.data = pmcf;
        due->timer.log = ngx_cycle->log;
        due->timer.cancelable = 1;

        ngx_add_timer(&due->timer, 1100);
    }

    if (more || due->again) {
        ngx_http_payer_notify_due(pmcf);
    }
}


static void
ngx_http_payer_due_timer(ngx_event_t *ev)
{
    ngx_http_payer_notify_due(ev->data);
}
