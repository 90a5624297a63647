
/* payer_metrics: the counters for Prometheus */


#ifndef _NGX_HTTP_PAYER_METRICS_H_INCLUDED_
#define _NGX_HTTP_PAYER_METRICS_H_INCLUDED_


#include "ngx_http_payer_module.h"


extern ngx_http_payer_handler_t  ngx_http_payer_handler_metrics;


#endif /* _NGX_HTTP_PAYER_METRICS_H_INCLUDED_ */
