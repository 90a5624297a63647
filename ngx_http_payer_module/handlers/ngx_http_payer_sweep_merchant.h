
/*
 * payer_sweep for one client id: the settings for its orders, and the lease of
 * the run.
 */


#ifndef _NGX_HTTP_PAYER_SWEEP_MERCHANT_H_INCLUDED_
#define _NGX_HTTP_PAYER_SWEEP_MERCHANT_H_INCLUDED_


#include "ngx_http_payer_module.h"


/* what is swept for one client id: ctx->sweep of a run */
struct ngx_http_payer_sweep_s {
    ngx_str_t                     id;           /* the client id */
    ngx_msec_t                    interval;
    ngx_array_t                   confs;        /* ..._loc_conf_t *, one for
                                                 * each server that has it */
    ngx_str_t                     run_key;      /* of the leases */
    ngx_str_t                     pace_key;
    ngx_str_t                     lap_key;      /* of its position */
    ngx_http_payer_claim_t        run;          /* owner 0: none is ours */
    ngx_http_payer_claim_t        pace;
    ngx_http_payer_step_pt       *work;         /* the next one of the run */
};


/* the lease of a run beyond payer_timeout, ms */

#define NGX_HTTP_PAYER_SWEEP_MARGIN  5000

#define ngx_http_payer_sweep_lease(conf)                                     \
    ((conf)->timeout + NGX_HTTP_PAYER_SWEEP_MARGIN)


/* extends the lease of the run: to be called within payer_timeout */
void ngx_http_payer_sweep_hold(ngx_http_payer_sweep_t *sweep);

/*
 * the settings for an order of this server_name: NULL if the server is not
 * one of this host; those of the first server for an empty name, of which
 * orders of former versions are
 */
ngx_http_payer_loc_conf_t *ngx_http_payer_sweep_conf(
    ngx_http_payer_sweep_t *sweep, ngx_str_t *server);


#endif /* _NGX_HTTP_PAYER_SWEEP_MERCHANT_H_INCLUDED_ */
