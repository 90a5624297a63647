
/* payer_capture and its kin: one operation on a payment each */


#ifndef _NGX_HTTP_PAYER_OPERATION_H_INCLUDED_
#define _NGX_HTTP_PAYER_OPERATION_H_INCLUDED_


#include "ngx_http_payer_module.h"


extern ngx_http_payer_door_t  ngx_http_payer_capture_door;
extern ngx_http_payer_door_t  ngx_http_payer_cancel_door;
extern ngx_http_payer_door_t  ngx_http_payer_release_door;
extern ngx_http_payer_door_t  ngx_http_payer_refund_door;
extern ngx_http_payer_door_t  ngx_http_payer_payment_door;


#endif /* _NGX_HTTP_PAYER_OPERATION_H_INCLUDED_ */
