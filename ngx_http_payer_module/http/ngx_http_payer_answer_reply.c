
/*
 * The answer of a location of the back office.
 */


#include "ngx_http_payer_answer_reply.h"


static ngx_int_t ngx_http_payer_answer_call_problem(ngx_http_request_t *r,
    ngx_http_payer_call_t *call, ngx_uint_t doubt, time_t retry_after);


ngx_int_t
ngx_http_payer_answer_key(ngx_http_request_t *r, ngx_str_t *key)
{
    size_t            i;
    ngx_uint_t        n;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    static ngx_str_t  name = ngx_string("idempotency-key");

    ngx_str_null(key);

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (n = 0; /* void */ ; n++) {

        if (n >= part->nelts) {
            if (part->next == NULL) {
                break;
            }

            part = part->next;
            h = part->elts;
            n = 0;
        }

        if (h[n].key.len != name.len
            || ngx_strncasecmp(h[n].key.data, name.data, name.len) != 0)
        {
            continue;
        }

        if (key->data || h[n].value.len == 0 || h[n].value.len > 255) {
            return NGX_ERROR;
        }

        *key = h[n].value;
    }

    if (key->data == NULL) {
        return NGX_DECLINED;
    }

    for (i = 0; i < key->len; i++) {
        if (key->data[i] < 0x20 || key->data[i] > 0x7e) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_answer_reply(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_exchange_t  *x;

    x = &ctx->call->exchange;

    if (ngx_http_payer_answer_headers(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->call->outcome == NGX_HTTP_PAYER_DONE
        || (ctx->call->outcome == NGX_HTTP_PAYER_REFUSED
            && ngx_http_payer_api_answered(ctx->call)))
    {
        return ngx_http_payer_answer_body(r, x->status, &x->reply_type,
                                          &x->reply);
    }

    return ngx_http_payer_answer_failed(r, ctx->call);
}


ngx_int_t
ngx_http_payer_answer_headers(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    if (ctx->record.payment_id.len
        && ngx_http_payer_answer_header(r, "Payer-Payment-Id",
                                        &ctx->record.payment_id)
           == NULL)
    {
        return NGX_ERROR;
    }

    if (ctx->request_id.len
        && ngx_http_payer_answer_header(r, "Payer-Request-Id",
                                        &ctx->request_id)
           == NULL)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_answer_failed(ngx_http_request_t *r,
    ngx_http_payer_call_t *call)
{
    return ngx_http_payer_answer_call_problem(r, call, 0, 0);
}


ngx_int_t
ngx_http_payer_answer_doubt(ngx_http_request_t *r, ngx_http_payer_call_t *call,
    time_t retry_after)
{
    return ngx_http_payer_answer_call_problem(r, call, 1, retry_after);
}


static ngx_int_t
ngx_http_payer_answer_call_problem(ngx_http_request_t *r,
    ngx_http_payer_call_t *call, ngx_uint_t doubt, time_t retry_after)
{
    ngx_http_payer_problem_t  problem;

    ngx_memzero(&problem, sizeof(ngx_http_payer_problem_t));

    problem.status = call->status;
    problem.detail = call->reason;
    problem.payer_status = call->exchange.status;

    if (problem.payer_status >= 400) {
        (void) ngx_http_payer_json_read_message(r->pool, &call->exchange.reply,
                                                &problem.message);
    }

    if (problem.status == NGX_HTTP_SERVICE_UNAVAILABLE) {
        problem.retry_after = ngx_max(call->exchange.retry_after, 1);
    }

    if (doubt) {
        problem.type = "outcome-unknown";
        problem.title = "The outcome is unknown";

        if (problem.retry_after == 0) {
            problem.retry_after = retry_after;
        }

        if (call->outcome == NGX_HTTP_PAYER_CONFLICT) {

            /* the payment was read and does not show the operation */

            problem.status = NGX_HTTP_GATEWAY_TIME_OUT;
            problem.detail = "Payer may have handled this request before, and "
                             "the payment does not show the outcome";
        }
    }

    return ngx_http_payer_answer_problem(r, &problem);
}


ngx_int_t
ngx_http_payer_answer_refuse(ngx_http_request_t *r, ngx_uint_t status,
    const char *detail)
{
    ngx_http_payer_problem_t  problem;

    ngx_memzero(&problem, sizeof(ngx_http_payer_problem_t));

    problem.status = status;
    problem.detail = detail;
    problem.retry_after = (status == NGX_HTTP_SERVICE_UNAVAILABLE) ? 1 : 0;

    return ngx_http_payer_answer_problem(r, &problem);
}
