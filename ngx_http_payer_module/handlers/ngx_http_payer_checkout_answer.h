
/*
 * Answers of a checkout without a link.
 */


#ifndef _NGX_HTTP_PAYER_CHECKOUT_ANSWER_H_INCLUDED_
#define _NGX_HTTP_PAYER_CHECKOUT_ANSWER_H_INCLUDED_


#include "ngx_http_payer_module.h"
#include "ngx_http_payer_answer.h"
#include "ngx_http_payer_worth.h"
#include "ngx_http_payer_api.h"


/* all return what the flow's step returns */

/*
 * the values are not valid; "rc" is the result of the function that has read
 * them
 */
ngx_int_t ngx_http_payer_checkout_wrong(ngx_http_request_t *r, ngx_int_t rc,
    ngx_http_payer_problem_t *problem);

/* a call to Payer that was not done */
ngx_int_t ngx_http_payer_checkout_failed(ngx_http_request_t *r,
    ngx_http_payer_call_t *call);

/* a failure here: 503, to be tried again */
ngx_int_t ngx_http_payer_checkout_unavailable(ngx_http_request_t *r,
    const char *detail);

/*
 * the answer to a checkout that gets neither a link nor payer_return_success:
 * what the flow's step returns
 */
ngx_int_t ngx_http_payer_checkout_refuse(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx, ngx_http_payer_worth_e worth);


#endif /* _NGX_HTTP_PAYER_CHECKOUT_ANSWER_H_INCLUDED_ */
