
/*
 * The position of payer_reconcile: its cursor is kept in the store, one for
 * each merchant, so that each run continues where the last one has stopped.
 *
 * A lap is one pass over all records, in one run or in several.
 */


#ifndef _NGX_HTTP_PAYER_RECONCILE_LAP_H_INCLUDED_
#define _NGX_HTTP_PAYER_RECONCILE_LAP_H_INCLUDED_


#include "ngx_http_payer_module.h"


typedef struct {
    ngx_str_t     key;              /* in the store */
    ngx_str_t     after;            /* the cursor; empty: at the beginning */
    time_t        began;            /* this lap, 0: not yet */
    time_t        before;           /* the lap before it, 0: never */
    ngx_uint_t    old;              /* authorizations, in this lap */
    time_t        interval;         /* of payer_sweep; not stored; 0: none */
} ngx_http_payer_reconcile_lap_t;


/*
 * reads the merchant's lap or the sweep's, a new one if there is none: NGX_OK,
 * NGX_AGAIN when the request is parked (call it again), NGX_ERROR (logged)
 */
ngx_int_t ngx_http_payer_reconcile_lap_read(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_lap_t *lap);

/* writes it: NGX_OK, NGX_AGAIN (see ctx->io), NGX_ERROR (logged) */
ngx_int_t ngx_http_payer_reconcile_lap_write(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_lap_t *lap);

/* the lap is complete, and the next one has not begun */
void ngx_http_payer_reconcile_lap_next(ngx_http_payer_reconcile_lap_t *lap);

/*
 * whether a record that has been waiting since "since" is read in this lap:
 * within the first hour in each lap, or once in each interval of a sweep,
 * whichever host it runs on; within the first day once an hour, then once a
 * day
 */
ngx_uint_t ngx_http_payer_reconcile_lap_due(
    ngx_http_payer_reconcile_lap_t *lap, time_t since);

/* whether "interval" seconds, counted from "since", end in this lap */
ngx_uint_t ngx_http_payer_reconcile_lap_each(
    ngx_http_payer_reconcile_lap_t *lap, time_t since, time_t interval);


#endif /* _NGX_HTTP_PAYER_RECONCILE_LAP_H_INCLUDED_ */
