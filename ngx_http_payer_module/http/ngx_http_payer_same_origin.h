
/*
 * Protects the pages for staff from other sites, which can make the browser of
 * a logged-in person send requests.
 */


#ifndef _NGX_HTTP_PAYER_SAME_ORIGIN_H_INCLUDED_
#define _NGX_HTTP_PAYER_SAME_ORIGIN_H_INCLUDED_


#include "ngx_http_payer_module.h"
#include "ngx_http_payer_answer.h"


/* what a request has to show */
typedef enum {
    NGX_HTTP_PAYER_ORIGIN_READS = 0,    /* the Host is one of server_name, and
                                         * no script of another site asks */
    NGX_HTTP_PAYER_ORIGIN_CHANGES       /* and no other site has sent it, and
                                         * "X-Payer-Office: 1" is there, which
                                         * no form can add */
} ngx_http_payer_origin_e;


/*
 * for a location whose handler is for staff (NGX_HTTP_PAYER_ALLOW_STAFF):
 * NGX_OK, or NGX_DECLINED with "problem" filled, 421 for a Host that
 * server_name does not list, 403 otherwise
 */
ngx_int_t ngx_http_payer_same_origin(ngx_http_request_t *r,
    ngx_http_payer_loc_conf_t *conf, ngx_http_payer_origin_e what,
    ngx_http_payer_problem_t *problem);

/*
 * for a location that programs use: whether a browser has sent the request for
 * another site, by "Sec-Fetch-Site" alone.  Programs do send "Origin", and
 * pass on what they got.
 */
ngx_uint_t ngx_http_payer_other_page(ngx_http_request_t *r);

/*
 * the same: whether a page has sent it to its own host, which server_name does
 * not list (DNS rebinding)
 */
ngx_uint_t ngx_http_payer_other_name(ngx_http_request_t *r,
    ngx_http_payer_loc_conf_t *conf);


#endif /* _NGX_HTTP_PAYER_SAME_ORIGIN_H_INCLUDED_ */
