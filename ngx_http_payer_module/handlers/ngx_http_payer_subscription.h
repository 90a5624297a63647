
/* payer_subscriptions: lists, adds and removes event subscriptions at Payer */


#ifndef _NGX_HTTP_PAYER_SUBSCRIPTION_H_INCLUDED_
#define _NGX_HTTP_PAYER_SUBSCRIPTION_H_INCLUDED_


#include "ngx_http_payer_module.h"


extern ngx_http_payer_handler_t  ngx_http_payer_handler_subscriptions;


#endif /* _NGX_HTTP_PAYER_SUBSCRIPTION_H_INCLUDED_ */
