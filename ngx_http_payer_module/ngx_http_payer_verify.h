
/*
 * payer_verify: finds out whether the order of a request was paid.
 */


#ifndef _NGX_HTTP_PAYER_VERIFY_H_INCLUDED_
#define _NGX_HTTP_PAYER_VERIFY_H_INCLUDED_


#include "ngx_http_payer_module.h"


/*
 * the handler of the access phase: NGX_OK lets the request on, NGX_AGAIN
 * when it is parked, NGX_DECLINED where there is no gate, else a status
 */
ngx_int_t ngx_http_payer_verify_handler(ngx_http_request_t *r);

/* logs why a request is answered with 402 */
void ngx_http_payer_verify_log(ngx_http_payer_ctx_t *ctx);


/* whether the request was let through, for whatever reason */

#define ngx_http_payer_verify_passed(ctx)                                    \
    ((ctx)->verify.verdict == NGX_HTTP_PAYER_PAID                            \
     || (ctx)->verify.verdict == NGX_HTTP_PAYER_OTHER                        \
     || (ctx)->verify.verdict == NGX_HTTP_PAYER_SHOP)


#endif /* _NGX_HTTP_PAYER_VERIFY_H_INCLUDED_ */
