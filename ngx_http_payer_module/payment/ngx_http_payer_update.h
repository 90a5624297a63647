
/*
 * Updates an order from an event: the event names a payment, and Payer is
 * asked for its state.
 */


#ifndef _NGX_HTTP_PAYER_UPDATE_H_INCLUDED_
#define _NGX_HTTP_PAYER_UPDATE_H_INCLUDED_


#include "ngx_http_payer_module.h"


typedef struct ngx_http_payer_update_s  ngx_http_payer_update_t;

typedef ngx_int_t (*ngx_http_payer_update_pt)(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_update_t *update);


struct ngx_http_payer_update_s {
    ngx_http_payer_json_event_t   event;        /* the payment id becomes that
                                                 * of the payment, if known */
    ngx_http_payer_json_payment_t  payment;     /* as it was read */
    ngx_http_payer_update_pt      state;        /* NULL: at the beginning */
    const char                   *reason;       /* if it could not be followed,
                                                 * for the answer */
    time_t                        retry_after;  /* seconds, -1: any time */
};


/*
 * finds the record that the event is about, reads the payment, and stores what
 * Payer says of it: NGX_OK when that is done or nothing was to be done,
 * NGX_AGAIN when the request is parked (call it again), NGX_DECLINED (logged)
 * when it has to be tried anew, NGX_ERROR
 */
ngx_int_t ngx_http_payer_update_follow(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_update_t *update);

/*
 * whether the event that was followed is about an order of ours: by its
 * payment, an earlier one of the order included, or by its reference
 */
ngx_uint_t ngx_http_payer_update_known(ngx_http_payer_ctx_t *ctx);


#endif /* _NGX_HTTP_PAYER_UPDATE_H_INCLUDED_ */
