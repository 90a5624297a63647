
/*
 * Answers to Payer's callback that do not acknowledge the event.
 */


#include "ngx_http_payer_event_answer.h"
#include "ngx_http_payer_answer.h"
#include "ngx_http_payer_answer_reply.h"
#include "ngx_http_payer_counter.h"


#define NGX_HTTP_PAYER_EVENT_RETRY   30         /* s, Retry-After */


/*
 * Another shop of the same account waits for this event: after an
 * acknowledgement, Payer would not send it to that shop.
 */

ngx_int_t
ngx_http_payer_event_leave(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_str_t  nothing;

    ngx_str_null(&nothing);

    ngx_http_payer_count(ctx->conf->main->zone, NGX_HTTP_PAYER_COUNT_TIMES,
                         NGX_HTTP_PAYER_CALL_EVENT,
                         NGX_HTTP_PAYER_COUNT_UNKNOWN_EVENTS);

    return ngx_http_payer_answer_body(r, NGX_HTTP_NO_CONTENT, &nothing,
                                      &nothing);
}


/* Payer should call again, not before this number of seconds */

ngx_int_t
ngx_http_payer_event_again(ngx_http_request_t *r, const char *detail,
    time_t retry_after)
{
    ngx_http_payer_problem_t  problem;

    ngx_memzero(&problem, sizeof(ngx_http_payer_problem_t));

    problem.status = NGX_HTTP_SERVICE_UNAVAILABLE;
    problem.detail = detail;
    problem.retry_after = ngx_max(retry_after, NGX_HTTP_PAYER_EVENT_RETRY);

    return ngx_http_payer_answer_problem(r, &problem);
}


ngx_int_t
ngx_http_payer_event_refuse(ngx_http_request_t *r, ngx_uint_t status,
    const char *detail)
{
    ngx_http_payer_problem_t  problem;

    ngx_memzero(&problem, sizeof(ngx_http_payer_problem_t));

    problem.status = status;
    problem.detail = detail;

    return ngx_http_payer_answer_problem(r, &problem);
}
