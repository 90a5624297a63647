
/*
 * What a checkout answers when there is no link.
 */


#include "ngx_http_payer_checkout_answer.h"
#include "ngx_http_payer_log.h"


ngx_int_t
ngx_http_payer_checkout_wrong(ngx_http_request_t *r, ngx_int_t rc,
    ngx_http_payer_problem_t *problem)
{
    if (rc != NGX_DECLINED) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_payer_log(NGX_LOG_WARN, ngx_http_payer_get_ctx(r),
                       "%s: %s", problem->field, problem->detail);

    return ngx_http_payer_answer_buyer(r, problem);
}


ngx_int_t
ngx_http_payer_checkout_failed(ngx_http_request_t *r,
    ngx_http_payer_call_t *call)
{
    ngx_http_payer_problem_t  problem;

    ngx_memzero(&problem, sizeof(ngx_http_payer_problem_t));

    problem.status = call->status;
    problem.detail = call->reason;
    problem.payer_status = call->exchange.status;

    if (call->outcome == NGX_HTTP_PAYER_CONFLICT) {
        problem.status = NGX_HTTP_BAD_GATEWAY;

    } else if (call->outcome == NGX_HTTP_PAYER_UNKNOWN) {
        problem.type = "outcome-unknown";
    }

    if (problem.status == NGX_HTTP_SERVICE_UNAVAILABLE) {
        problem.retry_after = ngx_max(call->exchange.retry_after, 1);
    }

    if (problem.payer_status >= 400) {
        (void) ngx_http_payer_json_read_message(r->pool, &call->exchange.reply,
                                                &problem.message);
    }

    return ngx_http_payer_answer_buyer(r, &problem);
}


ngx_int_t
ngx_http_payer_checkout_unavailable(ngx_http_request_t *r, const char *detail)
{
    ngx_http_payer_problem_t  problem;

    ngx_memzero(&problem, sizeof(ngx_http_payer_problem_t));

    problem.status = NGX_HTTP_SERVICE_UNAVAILABLE;
    problem.detail = detail;
    problem.retry_after = 1;

    return ngx_http_payer_answer_buyer(r, &problem);
}
