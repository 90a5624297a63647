
/*
 * Access to a location of the back office: clients, methods and parameters.
 */


#ifndef _NGX_HTTP_PAYER_ACCESS_H_INCLUDED_
#define _NGX_HTTP_PAYER_ACCESS_H_INCLUDED_


#include "ngx_http_payer_module.h"
#include "ngx_http_payer_answer.h"


/*
 * NGX_OK if the peer may use the location (payer_allow) and the method is
 * one of "methods" (NGX_HTTP_... bits, "allow" as in the Allow header);
 * NGX_DONE if 403 or 405 was sent, else what the content handler has to return
 */
ngx_int_t ngx_http_payer_access(ngx_http_request_t *r,
    ngx_http_payer_loc_conf_t *conf, ngx_uint_t methods, ngx_str_t *allow);

/*
 * the same for a location that is open to all clients: NGX_OK, or 405 was sent
 */
ngx_int_t ngx_http_payer_access_method(ngx_http_request_t *r,
    ngx_uint_t methods, ngx_str_t *allow);

/*
 * the parameters of the request, from its JSON body, form body, or query:
 * NGX_OK, NGX_DECLINED with the problem filled, NGX_ERROR.  The body has
 * been read.
 */
ngx_int_t ngx_http_payer_parameters(ngx_http_request_t *r,
    ngx_http_payer_params_t *params, ngx_http_payer_problem_t *problem);


#endif /* _NGX_HTTP_PAYER_ACCESS_H_INCLUDED_ */
