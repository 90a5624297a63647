
/* payer_events: accepts Payer's callback and passes the event to the shop */


#ifndef _NGX_HTTP_PAYER_EVENT_H_INCLUDED_
#define _NGX_HTTP_PAYER_EVENT_H_INCLUDED_


#include "ngx_http_payer_module.h"


extern ngx_http_payer_handler_t  ngx_http_payer_handler_events;


#endif /* _NGX_HTTP_PAYER_EVENT_H_INCLUDED_ */
