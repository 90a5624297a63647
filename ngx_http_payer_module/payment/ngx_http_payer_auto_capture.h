
/*
 * Automatic operations: payer_auto_capture captures a payment in full, once,
 * when it is found authorized; payer_authorization_limit captures or releases
 * it, once, when the authorization is old.
 */


#ifndef _NGX_HTTP_PAYER_AUTO_CAPTURE_H_INCLUDED_
#define _NGX_HTTP_PAYER_AUTO_CAPTURE_H_INCLUDED_


#include "ngx_http_payer_module.h"


/*
 * A step after the payment of ctx->record was read: NGX_OK when there is
 * nothing (more) to do, NGX_AGAIN when the request is parked (call it again),
 * NGX_ERROR.  A capture that fails is logged, recorded, and tried again by
 * payer_reconcile; the caller continues in any case.
 */
ngx_int_t ngx_http_payer_auto_capture(ngx_http_payer_ctx_t *ctx);

/* the same when the authorization of ctx->record is old */
ngx_int_t ngx_http_payer_auto_limit(ngx_http_payer_ctx_t *ctx);

/* the age from which an authorization is old to people, seconds: where
 * something is done about it, that had its time */
time_t ngx_http_payer_auto_age(ngx_http_payer_loc_conf_t *conf);


#endif /* _NGX_HTTP_PAYER_AUTO_CAPTURE_H_INCLUDED_ */
