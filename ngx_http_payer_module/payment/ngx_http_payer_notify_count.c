
/*
 * Counts the owed notifications and the age of the oldest one: reads the store
 * in pages, so that the worker process is not blocked.
 */


#include "ngx_http_payer_notify.h"
#include "ngx_http_payer_background.h"


#define NGX_HTTP_PAYER_COUNT_PAGE      100
#define NGX_HTTP_PAYER_COUNT_PAUSE     10       /* ms, after a page */
#define NGX_HTTP_PAYER_COUNT_INTERVAL  1        /* s, at least */
#define NGX_HTTP_PAYER_COUNT_SHARE     5        /* of the time it may take */
#define NGX_HTTP_PAYER_COUNT_LONGEST   300      /* s */
#define NGX_HTTP_PAYER_COUNT_POOL      4096


/* of this worker process */
typedef struct {
    ngx_http_payer_main_conf_t  *main;
    ngx_http_payer_io_t          io;
    ngx_pool_t                  *pool;
    ngx_event_t                  timer;
    ngx_str_t                    prefix;
    u_char                       after[NGX_HTTP_PAYER_STORE_MAX_KEY];
    ngx_str_t                    scanned;
    ngx_uint_t                   place;
    ngx_atomic_uint_t            owed;
    time_t                       since;
    ngx_msec_t                   began;
    ngx_uint_t                   running;
} ngx_http_payer_owed_t;


static void ngx_http_payer_owed_page(ngx_event_t *ev);
static void ngx_http_payer_owed_answered(ngx_http_payer_io_t *io);
static void ngx_http_payer_owed_add(ngx_http_payer_owed_t *owed);
static ngx_str_t *ngx_http_payer_owed_merchant(ngx_http_payer_owed_t *owed);


static ngx_http_payer_owed_t  ngx_http_payer_owed;


void
ngx_http_payer_notify_count(ngx_http_payer_main_conf_t *pmcf)
{
    ngx_atomic_uint_t          counted, now;
    ngx_http_payer_owed_t     *owed;
    ngx_http_payer_zone_sh_t  *sh;

    sh = pmcf->zone->sh;
    owed = &ngx_http_payer_owed;

    if (pmcf->notified.nelts == 0 || owed->running
        || !ngx_http_payer_background_allowed())
    {
        return;
    }

    now = ngx_time();
    counted = sh->owed_counted;

    if ((counted + NGX_HTTP_PAYER_COUNT_INTERVAL > now
         && counted < now + NGX_HTTP_PAYER_COUNT_LONGEST)
        || !ngx_atomic_cmp_set(&sh->owed_counted, counted, now))
    {
        return;
    }

    owed->main = pmcf;
    owed->place = 0;
    owed->owed = 0;
    owed->since = 0;
    owed->began = ngx_current_msec;
    owed->scanned.data = owed->after;
    owed->scanned.len = 0;
    owed->running = 1;

    owed->timer.handler = ngx_http_payer_owed_page;
    owed->timer.data = owed;
    owed->timer.log = ngx_cycle->log;
    owed->timer.cancelable = 1;

    ngx_http_payer_owed_page(&owed->timer);
}


/* the next merchant's id, or NULL */

static ngx_str_t *
ngx_http_payer_owed_merchant(ngx_http_payer_owed_t *owed)
{
    ngx_str_t                      *id, *other;
    ngx_uint_t                      n;
    ngx_http_payer_notify_place_t  *place;

    place = owed->main->notified.elts;

    for ( /* void */ ; owed->place < owed->main->notified.nelts; owed->place++)
    {
        id = &place[owed->place].conf->merchant->id;

        for (n = 0; n < owed->place; n++) {
            other = &place[n].conf->merchant->id;

            if (other->len == id->len
                && ngx_memcmp(other->data, id->data, id->len) == 0)
            {
                break;
            }
        }

        if (n == owed->place) {
            return id;
        }
    }

    return NULL;
}


static void
ngx_http_payer_owed_page(ngx_event_t *ev)
{
    ngx_int_t                  rc;
    ngx_str_t                 *id;
    ngx_msec_t                 pause;
    ngx_http_payer_owed_t     *owed;
    ngx_http_payer_store_t    *store;
    ngx_http_payer_zone_sh_t  *sh;

    owed = ev->data;
    id = ngx_http_payer_owed_merchant(owed);

    if (id == NULL) {
        sh = owed->main->zone->sh;

        sh->owed_since = owed->since;
        sh->owed = owed->owed;
        owed->running = 0;

        /* a count of many is made less often */

        pause = NGX_HTTP_PAYER_COUNT_SHARE
                * ((ngx_current_msec - owed->began) / 1000);

        sh->owed_counted = ngx_time()
                           + ngx_min(pause, NGX_HTTP_PAYER_COUNT_LONGEST - 1);
        return;
    }

    owed->pool = ngx_create_pool(NGX_HTTP_PAYER_COUNT_POOL, ngx_cycle->log);

    if (owed->pool == NULL
        || ngx_http_payer_notice_prefix(owed->pool, id, NULL, &owed->prefix)
           != NGX_OK)
    {
        if (owed->pool) {
            ngx_destroy_pool(owed->pool);
        }

        owed->running = 0;
        return;
    }

    ngx_memzero(&owed->io, sizeof(ngx_http_payer_io_t));

    owed->io.pool = owed->pool;
    owed->io.handler = ngx_http_payer_owed_answered;
    owed->io.data = owed;

    store = owed->main->store;

    rc = store->ops->scan(store, &owed->prefix, &owed->scanned,
                          NGX_HTTP_PAYER_COUNT_PAGE, &owed->io);

    if (rc != NGX_AGAIN) {
        owed->io.rc = rc;
        ngx_http_payer_owed_answered(&owed->io);
    }
}


static void
ngx_http_payer_owed_answered(ngx_http_payer_io_t *io)
{
    ngx_http_payer_owed_t  *owed;

    owed = io->data;

    if (io->rc == NGX_OK) {
        ngx_http_payer_owed_add(owed);

    } else if (io->rc == NGX_DECLINED) {
        owed->place++;
        owed->scanned.len = 0;

    } else {
        owed->running = 0;
    }

    ngx_destroy_pool(owed->pool);

    if (owed->running) {
        ngx_add_timer(&owed->timer, NGX_HTTP_PAYER_COUNT_PAUSE);
    }
}


static void
ngx_http_payer_owed_add(ngx_http_payer_owed_t *owed)
{
    ngx_uint_t                i;
    ngx_http_payer_item_t    *item;
    ngx_http_payer_notice_t   notice;

    item = owed->io.items;

    for (i = 0; i < owed->io.nitems; i++) {

        if (ngx_http_payer_notice_decode(&item[i].value, &notice) != NGX_OK
            || notice.state != NGX_HTTP_PAYER_NOTICE_OWED)
        {
            continue;
        }

        owed->owed++;

        if (owed->since == 0 || notice.created < owed->since) {
            owed->since = notice.created;
        }
    }

    item = &item[owed->io.nitems - 1];

    owed->scanned.len = ngx_min(item->key.len, sizeof(owed->after));
    ngx_memcpy(owed->after, item->key.data, owed->scanned.len);
}
