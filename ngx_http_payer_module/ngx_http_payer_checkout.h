
/* payer_checkout: finds or creates the order's link and presents it */


#ifndef _NGX_HTTP_PAYER_CHECKOUT_H_INCLUDED_
#define _NGX_HTTP_PAYER_CHECKOUT_H_INCLUDED_


#include "ngx_http_payer_module.h"


extern ngx_http_payer_door_t  ngx_http_payer_checkout_door;


#endif /* _NGX_HTTP_PAYER_CHECKOUT_H_INCLUDED_ */
