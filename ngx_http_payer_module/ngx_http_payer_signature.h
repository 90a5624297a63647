
/*
 * Signed links: an order in a URL that only the shop can have made.
 */


#ifndef _NGX_HTTP_PAYER_SIGNATURE_H_INCLUDED_
#define _NGX_HTTP_PAYER_SIGNATURE_H_INCLUDED_


#include "ngx_http_payer_module.h"
#include "ngx_http_payer_answer.h"


struct ngx_http_payer_signature_s {
    ngx_http_complex_value_t      value;
    ngx_http_complex_value_t      message;
    ngx_str_t                     separators;   /* empty: not needed */
};


/* setters of directives */
char *ngx_http_payer_signature(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_payer_signature_key_file(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * whether the signature of the location, which has one, can do what it is
 * for: NGX_OK, or NGX_ERROR (logged)
 */
ngx_int_t ngx_http_payer_signature_check(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);

/*
 * whether the request carries the signature that its location asks for, and
 * has not expired: NGX_OK, also if the location asks for none, NGX_DECLINED
 * with "problem" filled (403), NGX_ERROR
 */
ngx_int_t ngx_http_payer_signature_verify(ngx_http_request_t *r,
    ngx_http_payer_loc_conf_t *conf, ngx_http_payer_problem_t *problem);

/* whether the message changes with the variable */
ngx_uint_t ngx_http_payer_signature_covers(ngx_http_payer_loc_conf_t *conf,
    ngx_str_t *name);


#endif /* _NGX_HTTP_PAYER_SIGNATURE_H_INCLUDED_ */
