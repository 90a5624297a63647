
/*
 * Answers to Payer's callback that do not acknowledge the event.
 */


#ifndef _NGX_HTTP_PAYER_EVENT_ANSWER_H_INCLUDED_
#define _NGX_HTTP_PAYER_EVENT_ANSWER_H_INCLUDED_


#include "ngx_http_payer_module.h"


/* a step: 204, the event is left to another shop of the same account */
ngx_int_t ngx_http_payer_event_leave(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);

/* 503, so that Payer repeats the event; "retry_after" seconds, -1: any time */
ngx_int_t ngx_http_payer_event_again(ngx_http_request_t *r,
    const char *detail, time_t retry_after);

/* a problem; the event is not repeated */
ngx_int_t ngx_http_payer_event_refuse(ngx_http_request_t *r,
    ngx_uint_t status, const char *detail);


#endif /* _NGX_HTTP_PAYER_EVENT_ANSWER_H_INCLUDED_ */
