
/*
 * The writes of a flow that ends.
 */


#ifndef _NGX_HTTP_PAYER_FLOW_WRITE_H_INCLUDED_
#define _NGX_HTTP_PAYER_FLOW_WRITE_H_INCLUDED_


#include "ngx_http_payer_module.h"


/*
 * writes in progress continue without the request, and keep what they need of
 * it
 */
void ngx_http_payer_flow_leave(ngx_http_payer_ctx_t *ctx);


#endif /* _NGX_HTTP_PAYER_FLOW_WRITE_H_INCLUDED_ */
