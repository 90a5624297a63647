
/*
 * Reads of an order at Payer, shared by all worker processes: the time at
 * which the last one began, and the result of the last one that has ended.
 *
 * A result is used for requests that were received before its read began.
 * Reads of one order begin at least a second apart, unless the order is paid.
 */


#ifndef _NGX_HTTP_PAYER_ZONE_READ_H_INCLUDED_
#define _NGX_HTTP_PAYER_ZONE_READ_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_zone.h"


#define NGX_HTTP_PAYER_READ_PAUSE  1000         /* ms from one to the next */


typedef struct {
    ngx_msec_t                    began;        /* ngx_http_payer_zone_now() */
    ngx_msec_t                    ended;
    ngx_uint_t                    verdict;      /* of the caller */
    ngx_uint_t                    payment;      /* a hash of its id */
    time_t                        retry_after;  /* what Payer asked for */
    unsigned                      open:1;       /* the buyer can still pay */
    unsigned                      paid:1;
} ngx_http_payer_zone_read_t;


/*
 * milliseconds of a clock that is the same in all processes, at this moment,
 * not of the last turn of the event loop
 */
ngx_msec_t ngx_http_payer_zone_now(void);

/*
 * for a request that was received at "since", and has read the record at
 * "looked" if an earlier positive result, which is in the record, can be used;
 * otherwise 0:
 *
 *     NGX_DONE   "read" is an answer that counts, if it began after "since",
 *                or the order was paid after "looked"
 *     NGX_OK     the caller reads, and says _end() or _lost()
 *     NGX_BUSY   to be asked again, in "left" milliseconds at the latest if
 *                that is not 0
 *     NGX_ERROR  the zone is full
 *
 * A read that has not ended after "lease" milliseconds is abandoned.
 */
ngx_int_t ngx_http_payer_zone_read_begin(ngx_http_payer_zone_t *zone,
    ngx_str_t *key, ngx_msec_t since, ngx_msec_t looked, ngx_msec_t lease,
    ngx_http_payer_zone_read_t *read, ngx_msec_t *left);

/* its result; with read->began as set by _begin() */
void ngx_http_payer_zone_read_end(ngx_http_payer_zone_t *zone, ngx_str_t *key,
    ngx_http_payer_zone_read_t *read);

/* its result will never be known */
void ngx_http_payer_zone_read_lost(ngx_http_payer_zone_t *zone,
    ngx_str_t *key, ngx_http_payer_zone_read_t *read);


#endif /* _NGX_HTTP_PAYER_ZONE_READ_H_INCLUDED_ */
