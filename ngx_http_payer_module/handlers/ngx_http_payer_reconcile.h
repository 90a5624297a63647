
/* payer_reconcile: reads back from Payer what is unknown or pending */


#ifndef _NGX_HTTP_PAYER_RECONCILE_H_INCLUDED_
#define _NGX_HTTP_PAYER_RECONCILE_H_INCLUDED_


#include "ngx_http_payer_module.h"


extern ngx_http_payer_handler_t  ngx_http_payer_handler_reconcile;


#endif /* _NGX_HTTP_PAYER_RECONCILE_H_INCLUDED_ */
