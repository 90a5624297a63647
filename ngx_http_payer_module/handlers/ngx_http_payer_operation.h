
/* the operation locations, payer_capture and the others */


#ifndef _NGX_HTTP_PAYER_OPERATION_H_INCLUDED_
#define _NGX_HTTP_PAYER_OPERATION_H_INCLUDED_


#include "ngx_http_payer_module.h"


extern ngx_http_payer_handler_t  ngx_http_payer_handler_capture;
extern ngx_http_payer_handler_t  ngx_http_payer_handler_cancel;
extern ngx_http_payer_handler_t  ngx_http_payer_handler_release;
extern ngx_http_payer_handler_t  ngx_http_payer_handler_refund;
extern ngx_http_payer_handler_t  ngx_http_payer_handler_payment;


/*
 * the first step of the operation of that handler, one of the above that
 * change something; the request's body is kept for the parameters
 */
void ngx_http_payer_operation_begin(ngx_http_payer_ctx_t *ctx,
    const ngx_http_payer_handler_t *handler);


#endif /* _NGX_HTTP_PAYER_OPERATION_H_INCLUDED_ */
