
/*
 * payer_verify_amount: the amount that the order of payer_verify must be paid
 * with.
 */


#ifndef _NGX_HTTP_PAYER_VERIFY_AMOUNT_H_INCLUDED_
#define _NGX_HTTP_PAYER_VERIFY_AMOUNT_H_INCLUDED_


#include "ngx_http_payer_module.h"


/*
 * evaluates the amount of the location: NGX_OK, also with "amount" 0 if it has
 * no such directive, NGX_DECLINED (logged) for invalid values, NGX_ERROR
 */
ngx_int_t ngx_http_payer_verify_amount_get(ngx_http_request_t *r,
    ngx_http_payer_verify_conf_t *verify, int64_t *amount,
    ngx_str_t *currency);


#endif /* _NGX_HTTP_PAYER_VERIFY_AMOUNT_H_INCLUDED_ */
