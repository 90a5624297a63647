
/*
 * payer_sweep: the work that needs no visitor and no cron.
 *
 * Each worker has a timer; a lease in the zone lets one of them run at a time,
 * and not more often than it was said.  A run is bounded, and made of steps of
 * a background request.
 */


#ifndef _NGX_HTTP_PAYER_SWEEP_H_INCLUDED_
#define _NGX_HTTP_PAYER_SWEEP_H_INCLUDED_


#include "ngx_http_payer_module.h"
#include "ngx_http_payer_sweep_merchant.h"


/* finds out what is to be swept, when the configuration is complete: NGX_OK
 * or NGX_ERROR */
ngx_int_t ngx_http_payer_sweep_init(ngx_conf_t *cf);

/* starts the timer of a worker */
void ngx_http_payer_sweep_start(ngx_cycle_t *cycle);

/*
 * a step of a run: goes on with the next of its works, which are in the table
 * in ngx_http_payer_sweep.c
 */
ngx_int_t ngx_http_payer_sweep_next(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);


#endif /* _NGX_HTTP_PAYER_SWEEP_H_INCLUDED_ */
