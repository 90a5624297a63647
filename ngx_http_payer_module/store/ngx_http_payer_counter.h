
/*
 * Counters in the zone, for all worker processes: one atomic addition each,
 * without the mutex.  They are kept after a reload and start from zero after a
 * restart.
 */


#ifndef _NGX_HTTP_PAYER_COUNTER_H_INCLUDED_
#define _NGX_HTTP_PAYER_COUNTER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_zone.h"


/* as many rows as there are calls, and one for the shop */

#define NGX_HTTP_PAYER_COUNT_ROWS     13
#define NGX_HTTP_PAYER_COUNT_COLUMNS  8

/* upper bounds of the durations, ms; the last column has the longer ones */

#define NGX_HTTP_PAYER_COUNT_BOUNDS                                          \
    { 50, 100, 250, 500, 1000, 2500, 10000 }


/* what is counted: tables of rows and columns */
typedef enum {
    NGX_HTTP_PAYER_COUNT_CALLS = 0,     /* a call: its outcome */
    NGX_HTTP_PAYER_COUNT_EXCHANGES,     /* a call: how long it took */
    NGX_HTTP_PAYER_COUNT_TIMES,         /* a call: milliseconds and others */
    NGX_HTTP_PAYER_COUNT_OPERATIONS,    /* a call: ..._counted_e */
    NGX_HTTP_PAYER_COUNT_OTHERS,        /* one of the rows below */
    NGX_HTTP_PAYER_COUNT_NOTIFICATIONS, /* a type: ..._delivery_e */
    NGX_HTTP_PAYER_COUNT_STORE,         /* one of the rows below */
    NGX_HTTP_PAYER_COUNT_FAMILIES
} ngx_http_payer_count_e;


#define NGX_HTTP_PAYER_COUNT_TOKENS         0   /* failed, done */
#define NGX_HTTP_PAYER_COUNT_CHECKOUTS      1   /* ..._link_e */
#define NGX_HTTP_PAYER_COUNT_VERIFICATIONS  2   /* ..._verdict_e */
#define NGX_HTTP_PAYER_COUNT_LOOKUPS        3   /* ..._lookup_verdict_e */

/* a gauge for each merchant: a hash of its id, and old authorizations */

#define NGX_HTTP_PAYER_COUNT_OLD            4   /* and all rows behind it */


/* the row of the shop's lookups, behind the calls to Payer */

#define NGX_HTTP_PAYER_COUNT_SHOP          12


/* upper bounds of the durations of the store, ms, and its rows */

#define NGX_HTTP_PAYER_COUNT_STORE_BOUNDS                                    \
    { 1, 5, 10, 50, 250, 1000, 5000 }

#define NGX_HTTP_PAYER_COUNT_STORE_READS    0   /* how long they took */
#define NGX_HTTP_PAYER_COUNT_STORE_WRITES   1
#define NGX_HTTP_PAYER_COUNT_STORE_TIMES    2   /* ms: of reads, of writes */
#define NGX_HTTP_PAYER_COUNT_STORE_EVENTS   3

/* columns of the last one */

#define NGX_HTTP_PAYER_COUNT_STORE_ERRORS      0
#define NGX_HTTP_PAYER_COUNT_STORE_IN_DOUBT    1
#define NGX_HTTP_PAYER_COUNT_STORE_FAILOVERS   2
#define NGX_HTTP_PAYER_COUNT_STORE_CONNECTS    3
#define NGX_HTTP_PAYER_COUNT_STORE_REPEATS     4


/* columns of NGX_HTTP_PAYER_COUNT_TIMES */

#define NGX_HTTP_PAYER_COUNT_MSEC           0
#define NGX_HTTP_PAYER_COUNT_RESENDS        1
#define NGX_HTTP_PAYER_COUNT_UNKNOWN_EVENTS 2   /* of "event" only */


/* how an operation ended */
typedef enum {
    NGX_HTTP_PAYER_COUNTED_DONE = 0,
    NGX_HTTP_PAYER_COUNTED_REFUSED,
    NGX_HTTP_PAYER_COUNTED_UNKNOWN,
    NGX_HTTP_PAYER_COUNTED_NOT_SENT,
    NGX_HTTP_PAYER_COUNTED_REPLAYED
} ngx_http_payer_counted_e;


/*
 * adds one; without a zone, or for a counter that does not exist, nothing
 * happens
 */
void ngx_http_payer_count(ngx_http_payer_zone_t *zone,
    ngx_http_payer_count_e family, ngx_uint_t row, ngx_uint_t column);

/* an exchange of this call is over, which took so many milliseconds */
void ngx_http_payer_count_exchange(ngx_http_payer_zone_t *zone,
    ngx_uint_t call, ngx_msec_t time);

/* a call of the store is over: one of the first two rows */
void ngx_http_payer_count_store(ngx_http_payer_zone_t *zone, ngx_uint_t row,
    ngx_msec_t time);

/*
 * so many old authorizations of this client id were seen; beyond the 36th id
 * of a zone nothing is kept
 */
void ngx_http_payer_count_old(ngx_http_payer_zone_t *zone, ngx_str_t *id,
    ngx_uint_t old);

/* the last number, 0 if there was no run */
ngx_atomic_uint_t ngx_http_payer_counted_old(ngx_http_payer_zone_t *zone,
    ngx_str_t *id);

/* the counter's value, 0 where there is none */
ngx_atomic_uint_t ngx_http_payer_counted(ngx_http_payer_zone_t *zone,
    ngx_http_payer_count_e family, ngx_uint_t row, ngx_uint_t column);


#endif /* _NGX_HTTP_PAYER_COUNTER_H_INCLUDED_ */
