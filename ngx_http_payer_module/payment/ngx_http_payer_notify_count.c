
/*
 * Counts the owed notifications and the age of the oldest one: reads the store
 * in pages, so that the worker process is not blocked.  Those of merchants
 * that have no payer_notify any more count, too: nobody else looks at them.
 */


#include "ngx_http_payer_notify.h"
#include "ngx_http_payer_background.h"


#define NGX_HTTP_PAYER_COUNT_PAGE      100
#define NGX_HTTP_PAYER_COUNT_PAUSE     10       /* ms, after a page */
#define NGX_HTTP_PAYER_COUNT_INTERVAL  1        /* s, at least */
#define NGX_HTTP_PAYER_COUNT_SHARE     5        /* of the time it may take */
#define NGX_HTTP_PAYER_COUNT_LONGEST   300      /* s */
#define NGX_HTTP_PAYER_COUNT_POOL      4096

/* ms, to the next warning of a merchant whose shop is not told any more */

#define NGX_HTTP_PAYER_COUNT_WARN      86400000


/* of this worker process */
typedef struct {
    ngx_http_payer_main_conf_t  *main;
    ngx_http_payer_io_t          io;
    ngx_pool_t                  *pool;
    ngx_event_t                  timer;
    ngx_str_t                    prefix;
    u_char                       after[NGX_HTTP_PAYER_STORE_MAX_KEY];
    ngx_str_t                    scanned;
    ngx_uint_t                   location;
    ngx_atomic_uint_t            owed;
    ngx_atomic_uint_t            before;        /* those of other merchants */
    time_t                       since;
    ngx_msec_t                   began;
    ngx_uint_t                   running;
} ngx_http_payer_owed_t;


static void ngx_http_payer_owed_page(ngx_event_t *ev);
static void ngx_http_payer_owed_answered(ngx_http_payer_io_t *io);
static void ngx_http_payer_owed_add(ngx_http_payer_owed_t *owed);
static ngx_str_t *ngx_http_payer_owed_merchant(ngx_http_payer_owed_t *owed);
static ngx_uint_t ngx_http_payer_owed_same(ngx_str_t *one, ngx_str_t *other);
static void ngx_http_payer_owed_next(ngx_http_payer_owed_t *owed);


static ngx_http_payer_owed_t  ngx_http_payer_owed;


void
ngx_http_payer_notify_count(ngx_http_payer_main_conf_t *pmcf)
{
    ngx_atomic_uint_t          counted, now;
    ngx_http_payer_owed_t     *owed;
    ngx_http_payer_zone_sh_t  *sh;

    sh = pmcf->zone->sh;
    owed = &ngx_http_payer_owed;

    if (owed->running || !ngx_http_payer_background_allowed()) {
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
    owed->location = 0;
    owed->owed = 0;
    owed->before = 0;
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
    ngx_str_t                   *id;
    ngx_uint_t                   n;
    ngx_http_payer_loc_conf_t  **locs;

    locs = owed->main->locations.elts;

    for ( /* void */ ; owed->location < owed->main->locations.nelts;
         owed->location++)
    {
        if (locs[owed->location]->merchant == NULL) {
            continue;
        }

        id = &locs[owed->location]->merchant->id;

        for (n = 0; n < owed->location; n++) {

            if (locs[n]->merchant
                && ngx_http_payer_owed_same(&locs[n]->merchant->id, id))
            {
                break;
            }
        }

        if (n == owed->location) {
            return id;
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_http_payer_owed_same(ngx_str_t *one, ngx_str_t *other)
{
    return one->len == other->len
           && ngx_memcmp(one->data, other->data, one->len) == 0;
}


/* all of a merchant's are counted */

static void
ngx_http_payer_owed_next(ngx_http_payer_owed_t *owed)
{
    u_char                   *p;
    ngx_str_t                *id, key;
    ngx_atomic_uint_t         n;
    ngx_http_payer_claim_t    claim;

    n = owed->owed - owed->before;
    id = ngx_http_payer_owed_merchant(owed);

    owed->before = owed->owed;
    owed->location++;
    owed->scanned.len = 0;

    if (n == 0 || id == NULL || ngx_http_payer_notify_any(owed->main, id)) {
        return;
    }

    key.len = sizeof("!owed/") - 1 + id->len;

    p = ngx_pnalloc(owed->pool, key.len);
    if (p == NULL) {
        return;
    }

    key.data = p;
    ngx_sprintf(p, "!owed/%V", id);

    ngx_memzero(&claim, sizeof(ngx_http_payer_claim_t));

    if (ngx_http_payer_zone_claim(owed->main->zone, &key,
                                  NGX_HTTP_PAYER_COUNT_WARN, &claim)
        != NGX_OK)
    {
        /* it was logged today, by one of the worker processes */

        return;
    }

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "payer: %uA notification%s owed to the shop, but client "
                  "\"%V\" has no \"payer_notify\" any more, so that %s not "
                  "sent",
                  n, n == 1 ? " is" : "s are", id,
                  n == 1 ? "it is" : "they are");
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
        ngx_http_payer_owed_next(owed);

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
