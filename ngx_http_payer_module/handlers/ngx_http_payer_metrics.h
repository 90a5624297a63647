
/* payer_metrics: the counters for Prometheus */


#ifndef _NGX_HTTP_PAYER_METRICS_H_INCLUDED_
#define _NGX_HTTP_PAYER_METRICS_H_INCLUDED_


#include "ngx_http_payer_module.h"


extern ngx_http_payer_handler_t  ngx_http_payer_handler_metrics;

/* the lines before the values of a metric; those of the store */
u_char *ngx_http_payer_metrics_head(u_char *p, u_char *last,
    const char *name, const char *help, const char *type);
u_char *ngx_http_payer_metrics_store(u_char *p, u_char *last,
    ngx_http_payer_main_conf_t *main);


#endif /* _NGX_HTTP_PAYER_METRICS_H_INCLUDED_ */
