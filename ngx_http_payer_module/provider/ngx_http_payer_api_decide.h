
/*
 * The outcome of a call, for the file that makes calls.
 */


#ifndef _NGX_HTTP_PAYER_API_DECIDE_H_INCLUDED_
#define _NGX_HTTP_PAYER_API_DECIDE_H_INCLUDED_


#include "ngx_http_payer_api.h"


/* which call it is: an ngx_http_payer_call_e */

#define ngx_http_payer_api_index(call)                                       \
    ((call)->type - ngx_http_payer_api_type(NGX_HTTP_PAYER_CALL_TOKEN))


/* an exchange is over: call->outcome is set, or call->pause for another try */
void ngx_http_payer_api_decide(ngx_http_payer_call_t *call);

/* another try after a pause, if there are tries and time left; else settles */
void ngx_http_payer_api_retry(ngx_http_payer_call_t *call,
    ngx_http_payer_outcome_e outcome, ngx_uint_t status, const char *reason);

/* sets the outcome, counts and logs it, and calls call->settle; "status" and
 * "reason" are for the client */
void ngx_http_payer_api_settle(ngx_http_payer_call_t *call,
    ngx_http_payer_outcome_e outcome, ngx_uint_t status, const char *reason);


#endif /* _NGX_HTTP_PAYER_API_DECIDE_H_INCLUDED_ */
