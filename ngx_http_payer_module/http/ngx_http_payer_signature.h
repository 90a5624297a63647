
/*
 * Signed links: an order in a URL that only the shop can have made.
 */


#ifndef _NGX_HTTP_PAYER_SIGNATURE_H_INCLUDED_
#define _NGX_HTTP_PAYER_SIGNATURE_H_INCLUDED_


#include "ngx_http_payer_module.h"
#include "ngx_http_payer_answer.h"


/* an expiry farther ahead is probably in milliseconds */

#define NGX_HTTP_PAYER_FAR_AHEAD   (10 * 366 * 86400)


/*
 * whether the request carries the signature that its location asks for, and
 * has not expired: NGX_OK, also if the location asks for none, NGX_DECLINED
 * with "problem" filled (403), NGX_ERROR
 */
ngx_int_t ngx_http_payer_signature_verify(ngx_http_request_t *r,
    ngx_http_payer_loc_conf_t *conf, ngx_http_payer_problem_t *problem);


#endif /* _NGX_HTTP_PAYER_SIGNATURE_H_INCLUDED_ */
