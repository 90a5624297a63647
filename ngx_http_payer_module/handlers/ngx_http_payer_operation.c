
/*
 * The operation locations: payer_capture, payer_cancel, payer_release,
 * payer_refund and payer_payment.
 *
 *     access -> body -> parameters -> find -> execute (or read) -> answer
 */


#include "ngx_http_payer_operation.h"
#include "ngx_http_payer_access.h"
#include "ngx_http_payer_answer.h"
#include "ngx_http_payer_answer_reply.h"
#include "ngx_http_payer_api.h"
#include "ngx_http_payer_audit.h"
#include "ngx_http_payer_body.h"
#include "ngx_http_payer_execute.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_ledger.h"
#include "ngx_http_payer_operation_params.h"
#include "ngx_http_payer_reading.h"
#include "ngx_http_payer_subrequest.h"


#define NGX_HTTP_PAYER_LATE_RETRY   5           /* s, Retry-After */
#define NGX_HTTP_PAYER_DOUBT_RETRY  10


static ngx_int_t ngx_http_payer_operation_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_payer_operation_params(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_operation_find(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_operation_bound(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_operation_prepare(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_operation_execute(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_operation_executed(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_operation_in_flight(ngx_http_request_t *r);
static ngx_int_t ngx_http_payer_operation_in_doubt(ngx_http_request_t *r,
    ngx_http_payer_execution_t *ex);
static ngx_int_t ngx_http_payer_operation_over_limit(ngx_http_request_t *r,
    ngx_http_payer_execution_t *ex);
static ngx_int_t ngx_http_payer_operation_late(ngx_http_request_t *r);
static ngx_int_t ngx_http_payer_operation_read(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static void ngx_http_payer_operation_was_read(ngx_http_payer_call_t *call);
static ngx_int_t ngx_http_payer_operation_done(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);


static ngx_http_payer_operation_type_t  ngx_http_payer_capture = {
    NGX_HTTP_PAYER_CALL_CAPTURE,
    NGX_HTTP_POST, ngx_string("POST"),
    NGX_HTTP_PAYER_TAKES_AMOUNT|NGX_HTTP_PAYER_TAKES_REST
    |NGX_HTTP_PAYER_TAKES_DESCRIPTION|NGX_HTTP_PAYER_TAKES_REASON,
    NULL
};

static ngx_http_payer_operation_type_t  ngx_http_payer_cancel = {
    NGX_HTTP_PAYER_CALL_CANCEL,
    NGX_HTTP_PUT|NGX_HTTP_POST, ngx_string("PUT, POST"),
    NGX_HTTP_PAYER_TAKES_REASON,
    "Payer cancels only payments that are not authorized; use release for an "
    "authorized payment"
};

static ngx_http_payer_operation_type_t  ngx_http_payer_release = {
    NGX_HTTP_PAYER_CALL_RELEASE,
    NGX_HTTP_PUT|NGX_HTTP_POST, ngx_string("PUT, POST"),
    NGX_HTTP_PAYER_TAKES_REASON, NULL
};

static ngx_http_payer_operation_type_t  ngx_http_payer_refund = {
    NGX_HTTP_PAYER_CALL_REFUND,
    NGX_HTTP_POST, ngx_string("POST"),
    NGX_HTTP_PAYER_TAKES_AMOUNT|NGX_HTTP_PAYER_TAKES_DESCRIPTION
    |NGX_HTTP_PAYER_TAKES_REASON,
    NULL
};

static ngx_http_payer_operation_type_t  ngx_http_payer_payment = {
    NGX_HTTP_PAYER_CALL_READ,
    NGX_HTTP_GET|NGX_HTTP_HEAD, ngx_string("GET, HEAD"),
    0, NULL
};


ngx_http_payer_handler_t  ngx_http_payer_handler_capture = {
    ngx_string("payer_capture"), ngx_http_payer_operation_handler,
    1, 1, 0, 1, &ngx_http_payer_capture, NULL
};

ngx_http_payer_handler_t  ngx_http_payer_handler_cancel = {
    ngx_string("payer_cancel"), ngx_http_payer_operation_handler,
    1, 1, 0, 1, &ngx_http_payer_cancel, NULL
};

ngx_http_payer_handler_t  ngx_http_payer_handler_release = {
    ngx_string("payer_release"), ngx_http_payer_operation_handler,
    1, 1, 0, 1, &ngx_http_payer_release, NULL
};

ngx_http_payer_handler_t  ngx_http_payer_handler_refund = {
    ngx_string("payer_refund"), ngx_http_payer_operation_handler,
    1, 1, 0, 1, &ngx_http_payer_refund, NULL
};

ngx_http_payer_handler_t  ngx_http_payer_handler_payment = {
    ngx_string("payer_payment"), ngx_http_payer_operation_handler,
    1, 1, 0, 0, &ngx_http_payer_payment, NULL
};


static ngx_int_t
ngx_http_payer_operation_handler(ngx_http_request_t *r)
{
    ngx_int_t                               rc;
    ngx_http_payer_ctx_t                   *ctx;
    ngx_http_payer_loc_conf_t              *conf;
    const ngx_http_payer_operation_type_t  *type;

    if (ngx_http_payer_is_exchange(r)) {

        /* a call that is redirected to this location would loop */

        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    conf = ngx_http_get_module_loc_conf(r, ngx_http_payer_module);
    type = conf->handler->data;

    ctx = ngx_http_payer_flow_create(r, conf, NULL);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_payer_operation_begin(ctx, conf->handler);

    rc = ngx_http_payer_access(r, conf, type->methods,
                               (ngx_str_t *) &type->allow);
    if (rc != NGX_OK) {
        return rc == NGX_DONE ? NGX_OK : rc;
    }

    return ngx_http_payer_body_keep(r, ctx);
}


void
ngx_http_payer_operation_begin(ngx_http_payer_ctx_t *ctx,
    const ngx_http_payer_handler_t *handler)
{
    const ngx_http_payer_operation_type_t  *type;

    type = handler->data;

    ctx->data = (void *) type;
    ctx->operation = &ngx_http_payer_api_type(type->call)->name;
    ctx->record.authorized = -1;
    ctx->record.captured = -1;
    ctx->record.refunded = -1;

    ctx->step = ngx_http_payer_operation_params;
}


static ngx_int_t
ngx_http_payer_operation_params(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                  rc;
    const char                *wrong;
    ngx_http_payer_problem_t   problem;

    ctx->params = ngx_palloc(r->pool, sizeof(ngx_http_payer_params_t));
    if (ctx->params == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_payer_parameters(r, ctx->params, &problem);

    if (rc == NGX_DECLINED) {
        return ngx_http_payer_answer_problem(r, &problem);
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    wrong = ngx_http_payer_operation_wrong(ctx, ctx->data);

    if (wrong) {
        return ngx_http_payer_answer_refuse(r, NGX_HTTP_BAD_REQUEST, wrong);
    }

    ctx->step = ngx_http_payer_operation_find;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_operation_find(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                 rc;
    ngx_str_t                *id;
    ngx_http_payer_params_t  *params;

    params = ctx->params;
    id = &params->payment_id;

    if (params->reference.data) {
        rc = ngx_http_payer_ledger_find(ctx, &params->reference);

    } else {
        rc = ngx_http_payer_ledger_find_payment(ctx, id);
    }

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc != NGX_OK) {
        return ngx_http_payer_answer_refuse(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                             "the store could not be read");
    }

    if (params->reference.data) {

        if (!ctx->found || ctx->record.payment_id.len == 0) {
            return ngx_http_payer_answer_refuse(r, NGX_HTTP_NOT_FOUND,
                                 "no payment of this reference is known here");
        }

        if (id->data && (id->len != ctx->record.payment_id.len
                         || ngx_memcmp(id->data, ctx->record.payment_id.data,
                                       id->len) != 0))
        {
            return ngx_http_payer_answer_refuse(r, NGX_HTTP_BAD_REQUEST,
                                "paymentId is not the payment of reference");
        }

    } else if (ctx->found
               && (id->len != ctx->record.payment_id.len
                   || ngx_memcmp(id->data, ctx->record.payment_id.data,
                                 id->len) != 0))
    {
        /*
         * an earlier payment of the order: the record belongs to another one
         * now
         */

        ctx->found = 0;
    }

    if (!ctx->found) {
        ctx->record.payment_id = *id;
    }

    ctx->step = id->data ? ngx_http_payer_operation_prepare
                         : ngx_http_payer_operation_bound;

    return NGX_OK;
}


/*
 * a repeat is for the payment that the order had when the key was first used
 */

static ngx_int_t
ngx_http_payer_operation_bound(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                               rc;
    ngx_str_t                               key;
    const ngx_http_payer_operation_type_t  *type;

    type = ctx->data;

    if (!ngx_http_payer_api_type(type->call)->safe
        && ngx_http_payer_answer_key(r, &key) == NGX_OK)
    {
        rc = ngx_http_payer_execute_bound(ctx, type->call,
                                          &ctx->params->reference, &key);

        if (rc == NGX_AGAIN) {
            return NGX_AGAIN;
        }

        if (rc != NGX_OK) {
            return ngx_http_payer_answer_refuse(r,
                                                NGX_HTTP_SERVICE_UNAVAILABLE,
                                                "the store could not be read");
        }
    }

    ctx->step = ngx_http_payer_operation_prepare;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_operation_prepare(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                               rc;
    ngx_str_t                               key;
    ngx_http_payer_call_t                  *call;
    const ngx_http_payer_operation_type_t  *type;

    type = ctx->data;

    if (!ngx_http_payer_api_type(type->call)->safe) {

        rc = ngx_http_payer_answer_key(r, &key);

        if (rc == NGX_ERROR) {
            return ngx_http_payer_answer_refuse(r, NGX_HTTP_BAD_REQUEST,
                   "Idempotency-Key is not 1 to 255 printable characters");
        }

        ctx->execution = ngx_http_payer_execute(ctx, type->call, ctx->params,
                                                rc == NGX_OK ? &key : NULL);
        if (ctx->execution == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ctx->step = ngx_http_payer_operation_execute;
        return NGX_OK;
    }

    call = ngx_http_payer_api_call(ctx, type->call, &ctx->record.payment_id);
    if (call == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    call->read = ngx_http_payer_api_read_payment;
    call->settle = ngx_http_payer_operation_was_read;
    call->result = ngx_palloc(r->pool, sizeof(ngx_http_payer_json_payment_t));

    if (call->result == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->step = ngx_http_payer_operation_read;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_operation_execute(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_payer_execute_run(ctx->execution);

    if (rc == NGX_OK) {
        ctx->step = ngx_http_payer_operation_executed;
    }

    return rc == NGX_ERROR ? NGX_HTTP_INTERNAL_SERVER_ERROR : rc;
}


static ngx_int_t
ngx_http_payer_operation_executed(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_execution_t  *ex;

    ex = ctx->execution;

    if (ngx_http_payer_answer_headers(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    switch (ex->result) {

    case NGX_HTTP_PAYER_EXECUTED:
        return ngx_http_payer_operation_done(r, ctx);

    case NGX_HTTP_PAYER_NOT_SENT:
        return ngx_http_payer_answer_failed(r, ex->call ? ex->call
                                                        : ex->reading);

    case NGX_HTTP_PAYER_NO_REST:
        return ngx_http_payer_answer_refuse(r, NGX_HTTP_CONFLICT, ex->reason);

    case NGX_HTTP_PAYER_IN_DOUBT:
        return ngx_http_payer_answer_doubt(r, ex->call,
                                           ngx_http_payer_execute_pause(ex));

    case NGX_HTTP_PAYER_KEY_REUSED:
        return ngx_http_payer_answer_refuse(r, NGX_HTTP_UNPROCESSABLE_CONTENT,
                       "this Idempotency-Key was used with other parameters");

    case NGX_HTTP_PAYER_KEY_IN_FLIGHT:
        return ngx_http_payer_operation_in_flight(r);

    case NGX_HTTP_PAYER_OTHER_IN_DOUBT:
        return ngx_http_payer_operation_in_doubt(r, ex);

    case NGX_HTTP_PAYER_OVER_LIMIT:
        return ngx_http_payer_operation_over_limit(r, ex);

    case NGX_HTTP_PAYER_NOT_AUDITED:
        return ngx_http_payer_answer_refuse(r, NGX_HTTP_SERVICE_UNAVAILABLE,
               "the audit log could not be written, and so the operation was "
               "not sent");

    default: /* NGX_HTTP_PAYER_NOT_STORED */

        if (ctx->late) {
            return ngx_http_payer_operation_late(r);
        }

        return ngx_http_payer_answer_refuse(r, NGX_HTTP_SERVICE_UNAVAILABLE,
               "the operation could not be stored, and so it was not sent");
    }
}


/* of all conflicts the one that ends by itself */

static ngx_int_t
ngx_http_payer_operation_in_flight(ngx_http_request_t *r)
{
    ngx_http_payer_problem_t  problem;

    ngx_memzero(&problem, sizeof(ngx_http_payer_problem_t));

    problem.status = NGX_HTTP_CONFLICT;
    problem.detail = "the first request with this key is still under way";
    problem.retry_after = 1;

    return ngx_http_payer_answer_problem(r, &problem);
}


/* it ends when a read of Payer, or its repeat, shows the other's outcome */

static ngx_int_t
ngx_http_payer_operation_in_doubt(ngx_http_request_t *r,
    ngx_http_payer_execution_t *ex)
{
    ngx_uint_t                release;
    ngx_http_payer_problem_t  problem;

    ngx_memzero(&problem, sizeof(ngx_http_payer_problem_t));

    release = (ex->operation == NGX_HTTP_PAYER_CALL_RELEASE);

    problem.status = NGX_HTTP_CONFLICT;
    problem.type = "outcome-unknown";
    problem.title = release ? "The outcome of a capture is unknown"
                            : "The outcome of a release is unknown";
    problem.detail = release
                     ? "a capture of the payment has no outcome yet, and so "
                       "the release was not sent: repeat it when the capture "
                       "is settled"
                     : "a release of the payment has no outcome yet, and so "
                       "the capture was not sent: repeat it when the release "
                       "is settled";
    problem.retry_after = NGX_HTTP_PAYER_DOUBT_RETRY;

    return ngx_http_payer_answer_problem(r, &problem);
}


static ngx_int_t
ngx_http_payer_operation_over_limit(ngx_http_request_t *r,
    ngx_http_payer_execution_t *ex)
{
    ngx_http_payer_problem_t  problem;

    ngx_memzero(&problem, sizeof(ngx_http_payer_problem_t));

    problem.status = NGX_HTTP_FORBIDDEN;
    problem.type = "refund-limit";
    problem.title = "The refund is above the limit";
    problem.detail = ex->reason;

    return ngx_http_payer_answer_problem(r, &problem);
}


/* it was not sent, and its record may change from now on */

static ngx_int_t
ngx_http_payer_operation_late(ngx_http_request_t *r)
{
    ngx_http_payer_problem_t  problem;

    ngx_memzero(&problem, sizeof(ngx_http_payer_problem_t));

    problem.status = NGX_HTTP_GATEWAY_TIME_OUT;
    problem.type = "outcome-unknown";
    problem.title = "The outcome is unknown";
    problem.detail = "the operation could not be stored in time";
    problem.retry_after = NGX_HTTP_PAYER_LATE_RETRY;

    return ngx_http_payer_answer_problem(r, &problem);
}


static ngx_int_t
ngx_http_payer_operation_read(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_payer_api_run(ctx->call);

    if (rc == NGX_OK) {
        ctx->step = ngx_http_payer_answer_reply;
    }

    return rc == NGX_ERROR ? NGX_HTTP_INTERNAL_SERVER_ERROR : rc;
}


static void
ngx_http_payer_operation_was_read(ngx_http_payer_call_t *call)
{
    ngx_http_payer_verdict_e  verdict;

    if (call->ctx->found && call->outcome == NGX_HTTP_PAYER_DONE) {
        (void) ngx_http_payer_reading_take(call->ctx, call->result,
                                           NGX_HTTP_PAYER_BY_VERIFY, &verdict);
    }
}


/* Payer's own reply, of now or of the first execution */

static ngx_int_t
ngx_http_payer_operation_done(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_op_t                    *op;
    ngx_http_payer_problem_t                problem;
    const ngx_http_payer_operation_type_t  *type;

    static ngx_str_t  yes = ngx_string("true");

    op = &ctx->execution->op;
    type = ctx->data;

    if (ctx->execution->replayed
        && ngx_http_payer_answer_header(r, "Idempotency-Replayed", &yes)
           == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (type->advice == NULL || op->status != NGX_HTTP_BAD_REQUEST) {
        return ngx_http_payer_answer_body(r, op->status, &op->reply_type,
                                          &op->reply);
    }

    ngx_memzero(&problem, sizeof(ngx_http_payer_problem_t));

    problem.status = op->status;
    problem.payer_status = op->status;
    problem.detail = type->advice;

    (void) ngx_http_payer_json_read_message(r->pool, &op->reply,
                                            &problem.message);

    return ngx_http_payer_answer_problem(r, &problem);
}
