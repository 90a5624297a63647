
/*
 * payer_keep: how long records are kept.
 */


#ifndef _NGX_HTTP_PAYER_KEEP_H_INCLUDED_
#define _NGX_HTTP_PAYER_KEEP_H_INCLUDED_


#include "ngx_http_payer_module.h"


/* Payer's links are valid for 31 days; a record is kept twice as long */

#define NGX_HTTP_PAYER_KEEP_UNPAID      (62 * 86400)

#define NGX_HTTP_PAYER_KEEP_OPERATIONS  (90 * 86400)


/* when the order's record and its history may be deleted; 0: never */
time_t ngx_http_payer_keep_order(ngx_http_payer_loc_conf_t *conf,
    ngx_http_payer_record_t *record);

/* the same of an earlier payment of the order: longer, if money has moved */
time_t ngx_http_payer_keep_past(ngx_http_payer_loc_conf_t *conf,
    ngx_http_payer_record_t *record);

/* the same of an operation, and of the payment that its key is bound to */
time_t ngx_http_payer_keep_operation(ngx_http_payer_loc_conf_t *conf);


#endif /* _NGX_HTTP_PAYER_KEEP_H_INCLUDED_ */
