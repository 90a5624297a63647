
/*
 * payer_sweep: background work without a client and without cron.
 *
 * Each worker process has a timer; a lease in the zone allows one of them to
 * run at a time, and not more often than configured.  A run is limited, and
 * consists of steps of a background request.
 */


#ifndef _NGX_HTTP_PAYER_SWEEP_H_INCLUDED_
#define _NGX_HTTP_PAYER_SWEEP_H_INCLUDED_


#include "ngx_http_payer_module.h"
#include "ngx_http_payer_sweep_merchant.h"


/*
 * finds the merchants to be swept, when the configuration is complete: NGX_OK
 * or NGX_ERROR
 */
ngx_int_t ngx_http_payer_sweep_init(ngx_conf_t *cf);

/* starts the timer of a worker */
void ngx_http_payer_sweep_start(ngx_cycle_t *cycle);

/*
 * a step of a run: continues with the next task of the table in
 * ngx_http_payer_sweep.c
 */
ngx_int_t ngx_http_payer_sweep_next(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);


#endif /* _NGX_HTTP_PAYER_SWEEP_H_INCLUDED_ */
