
/*
 * Counters in the zone, for all worker processes.
 */


#include "ngx_http_payer_counter.h"


#if (NGX_HTTP_PAYER_COUNT_ROWS * NGX_HTTP_PAYER_COUNT_COLUMNS * 7            \
     > NGX_HTTP_PAYER_COUNTERS)
#error NGX_HTTP_PAYER_COUNTERS is too small
#endif


typedef char  ngx_http_payer_count_families_t[
    (int) NGX_HTTP_PAYER_COUNT_FAMILIES == 7 ? 1 : -1];


static ngx_atomic_t *ngx_http_payer_counter(ngx_http_payer_zone_t *zone,
    ngx_http_payer_count_e family, ngx_uint_t row, ngx_uint_t column);
static ngx_atomic_t *ngx_http_payer_counter_old(ngx_http_payer_zone_t *zone,
    ngx_str_t *id, ngx_uint_t create);


static ngx_msec_t  ngx_http_payer_bounds[] = NGX_HTTP_PAYER_COUNT_BOUNDS;

static ngx_msec_t  ngx_http_payer_store_bounds[] =
    NGX_HTTP_PAYER_COUNT_STORE_BOUNDS;


/* the counter, or NULL */

static ngx_atomic_t *
ngx_http_payer_counter(ngx_http_payer_zone_t *zone,
    ngx_http_payer_count_e family, ngx_uint_t row, ngx_uint_t column)
{
    if (zone == NULL || zone->sh == NULL
        || family >= NGX_HTTP_PAYER_COUNT_FAMILIES
        || row >= NGX_HTTP_PAYER_COUNT_ROWS
        || column >= NGX_HTTP_PAYER_COUNT_COLUMNS)
    {
        return NULL;
    }

    return &zone->sh->counters[(family * NGX_HTTP_PAYER_COUNT_ROWS + row)
                               * NGX_HTTP_PAYER_COUNT_COLUMNS + column];
}


void
ngx_http_payer_count(ngx_http_payer_zone_t *zone,
    ngx_http_payer_count_e family, ngx_uint_t row, ngx_uint_t column)
{
    ngx_atomic_t  *counter;

    counter = ngx_http_payer_counter(zone, family, row, column);

    if (counter) {
        (void) ngx_atomic_fetch_add(counter, 1);
    }
}


void
ngx_http_payer_count_exchange(ngx_http_payer_zone_t *zone, ngx_uint_t call,
    ngx_msec_t time)
{
    ngx_uint_t     i;
    ngx_atomic_t  *msec;

    for (i = 0; i < NGX_HTTP_PAYER_COUNT_COLUMNS - 1; i++) {
        if (time <= ngx_http_payer_bounds[i]) {
            break;
        }
    }

    ngx_http_payer_count(zone, NGX_HTTP_PAYER_COUNT_EXCHANGES, call, i);

    msec = ngx_http_payer_counter(zone, NGX_HTTP_PAYER_COUNT_TIMES, call,
                                  NGX_HTTP_PAYER_COUNT_MSEC);

    if (msec) {
        (void) ngx_atomic_fetch_add(msec, time);
    }
}


void
ngx_http_payer_count_store(ngx_http_payer_zone_t *zone, ngx_uint_t row,
    ngx_msec_t time)
{
    ngx_uint_t     i;
    ngx_atomic_t  *msec;

    for (i = 0; i < NGX_HTTP_PAYER_COUNT_COLUMNS - 1; i++) {
        if (time <= ngx_http_payer_store_bounds[i]) {
            break;
        }
    }

    ngx_http_payer_count(zone, NGX_HTTP_PAYER_COUNT_STORE, row, i);

    msec = ngx_http_payer_counter(zone, NGX_HTTP_PAYER_COUNT_STORE,
                                  NGX_HTTP_PAYER_COUNT_STORE_TIMES, row);

    if (msec) {
        (void) ngx_atomic_fetch_add(msec, time);
    }
}


void
ngx_http_payer_count_old(ngx_http_payer_zone_t *zone, ngx_str_t *id,
    ngx_uint_t old)
{
    ngx_atomic_t  *gauge;

    gauge = ngx_http_payer_counter_old(zone, id, 1);

    if (gauge) {
        *gauge = old;
    }
}


ngx_atomic_uint_t
ngx_http_payer_counted_old(ngx_http_payer_zone_t *zone, ngx_str_t *id)
{
    ngx_atomic_t  *gauge;

    gauge = ngx_http_payer_counter_old(zone, id, 0);

    return gauge ? *gauge : 0;
}


/*
 * The gauge of a client id, or NULL.  A reload may change the ids and their
 * order, so each gauge is stored with a hash of its id.
 */

static ngx_atomic_t *
ngx_http_payer_counter_old(ngx_http_payer_zone_t *zone, ngx_str_t *id,
    ngx_uint_t create)
{
    ngx_uint_t          row, column;
    ngx_atomic_t       *owner;
    ngx_atomic_uint_t   hash;

    hash = (ngx_atomic_uint_t) ngx_http_payer_zone_hash(id) | 1;

    for (row = NGX_HTTP_PAYER_COUNT_OLD;
         row < NGX_HTTP_PAYER_COUNT_ROWS;
         row++)
    {
        for (column = 0; column < NGX_HTTP_PAYER_COUNT_COLUMNS; column += 2) {

            owner = ngx_http_payer_counter(zone, NGX_HTTP_PAYER_COUNT_OTHERS,
                                           row, column);
            if (owner == NULL) {
                return NULL;
            }

            if (*owner == 0
                && (!create || !ngx_atomic_cmp_set(owner, 0, hash))
                && *owner == 0)
            {
                return NULL;
            }

            if (*owner == hash) {
                return owner + 1;
            }
        }
    }

    return NULL;
}


ngx_atomic_uint_t
ngx_http_payer_counted(ngx_http_payer_zone_t *zone,
    ngx_http_payer_count_e family, ngx_uint_t row, ngx_uint_t column)
{
    ngx_atomic_t  *counter;

    counter = ngx_http_payer_counter(zone, family, row, column);

    return counter ? *counter : 0;
}
