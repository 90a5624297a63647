
/*
 * Due notifications: leased from the store by this worker process, with a
 * background request for each.  Started by a recorded change and by the sweep.
 *
 * Each merchant has its own deliveries, so that a shop that is down does not
 * keep those of another one.  Their number follows the shop: one more for each
 * notification that it takes, half as many for each that it does not, and then
 * a pause, so that a shop that is down is not asked as fast as it refuses.
 */


#include "ngx_http_payer_delivery.h"


/* deliveries of a worker process at a time, for one merchant */

#define NGX_HTTP_PAYER_DUE_INFLIGHT  16
#define NGX_HTTP_PAYER_DUE_FEWEST    2
#define NGX_HTTP_PAYER_DUE_PAUSE     40         /* ms */

/* until one that is being delivered elsewhere should be over */

#define NGX_HTTP_PAYER_DUE_WAIT      1100       /* ms */

/* entries of other hosts that a run may come across */

#define NGX_HTTP_PAYER_DUE_FOREIGN   1000

#define NGX_HTTP_PAYER_DUE_POOL      4096


typedef struct ngx_http_payer_due_s  ngx_http_payer_due_t;

/* of this worker process, for a merchant, also with a later configuration */
struct ngx_http_payer_due_s {
    ngx_http_payer_due_t        *next;
    ngx_str_t                    merchant;
    ngx_http_payer_main_conf_t  *main;
    ngx_http_payer_io_t          io;
    ngx_pool_t                  *pool;
    ngx_event_t                  timer;
    ngx_event_t                  pause;
    ngx_uint_t                   asked;         /* entries */
    ngx_uint_t                   foreign;       /* met, in this run */
    ngx_uint_t                   inflight;
    ngx_uint_t                   limit;         /* of them */
    ngx_uint_t                   running;
    ngx_uint_t                   again;
};


static ngx_http_payer_due_t *ngx_http_payer_due_of(ngx_str_t *merchant);
static ngx_http_payer_due_t *ngx_http_payer_due_create(ngx_str_t *merchant);
static void ngx_http_payer_due_start(ngx_http_payer_due_t *due,
    ngx_http_payer_main_conf_t *pmcf);
static ngx_uint_t ngx_http_payer_due_may(ngx_http_payer_due_t *due);
static void ngx_http_payer_due_run(ngx_http_payer_due_t *due);
static ngx_int_t ngx_http_payer_due_ask(ngx_http_payer_due_t *due);
static void ngx_http_payer_due_answered(ngx_http_payer_io_t *io);
static void ngx_http_payer_due_take(ngx_http_payer_due_t *due);
static void ngx_http_payer_due_again(ngx_http_payer_due_t *due,
    ngx_event_t *ev, ngx_msec_t msec);
static void ngx_http_payer_due_timer(ngx_event_t *ev);
static void ngx_http_payer_due_woken(ngx_event_t *ev);


static ngx_http_payer_due_t  *ngx_http_payer_dues;
static ngx_event_t            ngx_http_payer_due_wake;


void
ngx_http_payer_notify_due(ngx_http_payer_main_conf_t *pmcf)
{
    ngx_uint_t                      i;
    ngx_http_payer_due_t           *due;
    ngx_http_payer_notify_place_t  *place;

    place = pmcf->notified.elts;

    for (i = 0; i < pmcf->notified.nelts; i++) {

        /* the second time, it is running */

        due = ngx_http_payer_due_of(&place[i].conf->merchant->id);

        if (due) {
            ngx_http_payer_due_start(due, pmcf);
        }
    }
}


/* called from the handler that has stored it */

void
ngx_http_payer_notify_wake(ngx_http_payer_main_conf_t *pmcf)
{
    ngx_event_t  *wake;

    wake = &ngx_http_payer_due_wake;

    if (wake->posted) {
        return;
    }

    wake->handler = ngx_http_payer_due_woken;
    wake->data = pmcf;
    wake->log = ngx_cycle->log;

    ngx_post_event(wake, &ngx_posted_events);
}


/* or NULL if there is no memory */

static ngx_http_payer_due_t *
ngx_http_payer_due_of(ngx_str_t *merchant)
{
    ngx_http_payer_due_t  *due;

    for (due = ngx_http_payer_dues; due; due = due->next) {

        if (due->merchant.len == merchant->len
            && ngx_memcmp(due->merchant.data, merchant->data, merchant->len)
               == 0)
        {
            return due;
        }
    }

    return ngx_http_payer_due_create(merchant);
}


/* it outlives the configuration */

static ngx_http_payer_due_t *
ngx_http_payer_due_create(ngx_str_t *merchant)
{
    ngx_http_payer_due_t  *due;

    due = ngx_calloc(sizeof(ngx_http_payer_due_t) + merchant->len,
                     ngx_cycle->log);
    if (due == NULL) {
        return NULL;
    }

    due->merchant.len = merchant->len;
    due->merchant.data = (u_char *) due + sizeof(ngx_http_payer_due_t);
    ngx_memcpy(due->merchant.data, merchant->data, merchant->len);

    due->limit = NGX_HTTP_PAYER_DUE_INFLIGHT;
    due->next = ngx_http_payer_dues;
    ngx_http_payer_dues = due;

    return due;
}


static void
ngx_http_payer_due_start(ngx_http_payer_due_t *due,
    ngx_http_payer_main_conf_t *pmcf)
{
    if (!ngx_http_payer_background_allowed()) {
        return;
    }

    if (due->running || !ngx_http_payer_due_may(due)) {

        /* when the entries in progress are done */

        due->again = 1;
        return;
    }

    due->main = pmcf;
    due->foreign = 0;

    ngx_http_payer_due_run(due);
}


static ngx_uint_t
ngx_http_payer_due_may(ngx_http_payer_due_t *due)
{
    return due->inflight < due->limit && !due->pause.timer_set;
}


static void
ngx_http_payer_due_run(ngx_http_payer_due_t *due)
{
    do {
        due->running = 1;
        due->again = 0;

        if (ngx_http_payer_due_ask(due) == NGX_AGAIN) {
            return;
        }

        due->running = 0;

    } while (due->again && ngx_http_payer_due_may(due));
}


/* NGX_AGAIN, or NGX_OK if the answer is there */

static ngx_int_t
ngx_http_payer_due_ask(ngx_http_payer_due_t *due)
{
    time_t                   lease;
    ngx_int_t                rc;
    ngx_str_t                prefix;
    ngx_http_payer_store_t  *store;

    store = due->main->store;

    due->pool = ngx_create_pool(NGX_HTTP_PAYER_DUE_POOL, ngx_cycle->log);
    if (due->pool == NULL) {
        return NGX_OK;
    }

    if (ngx_http_payer_notice_prefix(due->pool, &due->merchant, NULL, &prefix)
        != NGX_OK)
    {
        ngx_destroy_pool(due->pool);
        return NGX_OK;
    }

    ngx_memzero(&due->io, sizeof(ngx_http_payer_io_t));

    due->io.pool = due->pool;
    due->io.handler = ngx_http_payer_due_answered;
    due->io.data = due;

    due->asked = due->limit - due->inflight;
    lease = ngx_http_payer_notify_lease(due->main);

    rc = store->ops->due(store, &prefix, due->asked, lease, &due->io);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    due->io.rc = rc;

    ngx_http_payer_due_take(due);

    return NGX_OK;
}


static void
ngx_http_payer_due_answered(ngx_http_payer_io_t *io)
{
    ngx_http_payer_due_t  *due;

    due = io->data;

    ngx_http_payer_due_take(due);

    due->running = 0;

    if (due->again && ngx_http_payer_due_may(due)) {
        ngx_http_payer_due_run(due);
    }
}


/* an entry that cannot be delivered now is due again when its lease expires */

static void
ngx_http_payer_due_take(ngx_http_payer_due_t *due)
{
    ngx_uint_t              i, full;
    ngx_http_payer_item_t  *item;

    full = 0;

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

            case NGX_BUSY:
                full = 1;
                break;

            default: /* NGX_DECLINED, NGX_ERROR */
                break;
            }
        }

        if (due->io.nitems == due->asked && !full
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
ngx_http_payer_notify_delivered(ngx_http_payer_loc_conf_t *conf,
    ngx_uint_t failed, ngx_uint_t more, time_t again)
{
    ngx_http_payer_due_t  *due;

    due = ngx_http_payer_due_of(&conf->merchant->id);
    if (due == NULL) {
        return;
    }

    due->inflight--;

    if (failed) {
        due->limit = ngx_max(due->limit / 2, NGX_HTTP_PAYER_DUE_FEWEST);
        ngx_http_payer_due_again(due, &due->pause, NGX_HTTP_PAYER_DUE_PAUSE);

    } else {
        due->limit = ngx_min(due->limit + 1, NGX_HTTP_PAYER_DUE_INFLIGHT);
    }

    if (again && again <= ngx_time() + 1) {

        /* an earlier one is being delivered elsewhere */

        ngx_http_payer_due_again(due, &due->timer, NGX_HTTP_PAYER_DUE_WAIT);
    }

    if (more || due->again) {
        ngx_http_payer_due_start(due, conf->main);
    }
}


static void
ngx_http_payer_due_again(ngx_http_payer_due_t *due, ngx_event_t *ev,
    ngx_msec_t msec)
{
    if (ev->timer_set) {
        return;
    }

    ev->handler = ngx_http_payer_due_timer;
    ev->data = due;
    ev->log = ngx_cycle->log;
    ev->cancelable = 1;

    ngx_add_timer(ev, msec);
}


static void
ngx_http_payer_due_timer(ngx_event_t *ev)
{
    ngx_http_payer_due_t        *due;
    ngx_http_payer_main_conf_t  *pmcf;

    due = ev->data;
    pmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_payer_module);

    if (pmcf && pmcf->notified.nelts && (ev == &due->timer || due->again)) {
        ngx_http_payer_due_start(due, pmcf);
    }
}


static void
ngx_http_payer_due_woken(ngx_event_t *ev)
{
    ngx_http_payer_notify_due(ev->data);
}
