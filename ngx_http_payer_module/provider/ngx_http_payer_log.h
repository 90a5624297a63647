
/*
 * Lines of the error log about a payment: each of them names the order, the
 * payment and the Payer-Request-ID as far as they are known, whatever the
 * request's URL was.
 */


#ifndef _NGX_HTTP_PAYER_LOG_H_INCLUDED_
#define _NGX_HTTP_PAYER_LOG_H_INCLUDED_


#include "ngx_http_payer_module.h"


/*
 * logs "payer: TEXT, order: "...", payment: "...", Payer-Request-ID: "..."";
 * nginx adds the client and the request.  The text itself need not name them.
 */
void ngx_http_payer_log(ngx_uint_t level, ngx_http_payer_ctx_t *ctx,
    const char *fmt, ...);


#endif /* _NGX_HTTP_PAYER_LOG_H_INCLUDED_ */
