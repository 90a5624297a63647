
/*
 * payer_reconcile?operation=...&outcome=done|refused: an outcome that no read
 * can show is settled by hand.
 */


#ifndef _NGX_HTTP_PAYER_SETTLE_H_INCLUDED_
#define _NGX_HTTP_PAYER_SETTLE_H_INCLUDED_


#include "ngx_http_payer_module.h"


/* whether the request asks for it, by an argument "operation" or "outcome" */
ngx_uint_t ngx_http_payer_settle_asked(ngx_http_request_t *r);

/* the same with the name of the operation, its key or its request id, and
 * "done" or "refused" */
ngx_int_t ngx_http_payer_settle_begin(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx, ngx_str_t *name, ngx_str_t *outcome);

/* the first step */
ngx_int_t ngx_http_payer_settle(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);


#endif /* _NGX_HTTP_PAYER_SETTLE_H_INCLUDED_ */
