
/*
 * The calls that Payer offers.
 */


#ifndef _NGX_HTTP_PAYER_CALLS_H_INCLUDED_
#define _NGX_HTTP_PAYER_CALLS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* their methods and paths are in ngx_http_payer_calls.c */
typedef enum {
    NGX_HTTP_PAYER_CALL_TOKEN = 0,
    NGX_HTTP_PAYER_CALL_CREATE,
    NGX_HTTP_PAYER_CALL_READ,
    NGX_HTTP_PAYER_CALL_CAPTURE,
    NGX_HTTP_PAYER_CALL_CANCEL,
    NGX_HTTP_PAYER_CALL_RELEASE,
    NGX_HTTP_PAYER_CALL_REFUND,
    NGX_HTTP_PAYER_CALL_EVENT,
    NGX_HTTP_PAYER_CALL_ACK,
    NGX_HTTP_PAYER_CALL_SUBSCRIPTIONS,
    NGX_HTTP_PAYER_CALL_SUBSCRIBE,
    NGX_HTTP_PAYER_CALL_UNSUBSCRIBE,
    NGX_HTTP_PAYER_CALLS
} ngx_http_payer_call_e;


typedef struct {
    ngx_str_t                     name;
    ngx_uint_t                    method;
    ngx_str_t                     method_name;
    ngx_str_t                     path;
    unsigned                      safe:1;       /* changes nothing */
    unsigned                      parameters:1; /* are in its body */
    unsigned                      replies:1;    /* with a JSON object */
} ngx_http_payer_call_type_t;


/* the call type, for configuration and names */
const ngx_http_payer_call_type_t *ngx_http_payer_api_type(
    ngx_http_payer_call_e type);


#endif /* _NGX_HTTP_PAYER_CALLS_H_INCLUDED_ */
