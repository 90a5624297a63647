
/*
 * The outcome of a call, from the reply or its absence: done, refused, or
 * unknown; or another try.
 */


#include "ngx_http_payer_api_decide.h"
#include "ngx_http_payer_counter.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_log.h"


static void ngx_http_payer_api_decide_reply(ngx_http_payer_call_t *call);
static void ngx_http_payer_api_decide_silence(ngx_http_payer_call_t *call);


#define NGX_HTTP_PAYER_BACKOFF   100        /* ms, doubled for each resend */


void
ngx_http_payer_api_decide(ngx_http_payer_call_t *call)
{
    ngx_uint_t                  status;
    ngx_http_payer_exchange_t  *x;

    x = &call->exchange;
    status = x->status;

    if (status == 0) {
        ngx_http_payer_api_decide_silence(call);

    } else if (status == NGX_HTTP_UNAUTHORIZED && !call->reauthorized) {

        ngx_http_payer_token_drop(call->ctx->conf->main->zone,
                                  call->ctx->conf->merchant, &call->token);
        call->reauthorized = 1;
        call->tries--;
        call->pause = 0;

    } else if (status >= 200 && status < 300) {
        ngx_http_payer_api_decide_reply(call);

    } else if (status == NGX_HTTP_CONFLICT && !call->type->safe) {
        ngx_http_payer_api_settle(call, NGX_HTTP_PAYER_CONFLICT,
                                  NGX_HTTP_CONFLICT,
                                  "Payer has handled this request before");

    } else if (status == NGX_HTTP_REQUEST_TIME_OUT
               || status == NGX_HTTP_TOO_MANY_REQUESTS)
    {
        ngx_http_payer_api_retry(call, NGX_HTTP_PAYER_REFUSED,
                                 NGX_HTTP_SERVICE_UNAVAILABLE,
                                 "Payer is too busy");

    } else if (status >= 500) {
        call->doubt = 1;
        call->lost = 1;
        ngx_http_payer_api_retry(call, NGX_HTTP_PAYER_UNKNOWN,
                                 NGX_HTTP_BAD_GATEWAY, "Payer had an error");

    } else if (status >= 400) {
        ngx_http_payer_api_settle(call, NGX_HTTP_PAYER_REFUSED,
                                  NGX_HTTP_BAD_GATEWAY,
                                  ngx_http_payer_api_answered(call)
                                  ? "Payer refused"
                                  : "the refusal is not in Payer's format");

    } else {
        call->lost = 1;
        ngx_http_payer_api_settle(call, NGX_HTTP_PAYER_UNKNOWN,
                                  NGX_HTTP_BAD_GATEWAY,
                                  "the reply has an unexpected status");
    }
}


static void
ngx_http_payer_api_decide_reply(ngx_http_payer_call_t *call)
{
    ngx_int_t                   rc;
    ngx_http_payer_exchange_t  *x;

    x = &call->exchange;
    rc = NGX_DECLINED;

    call->lost = 1;

    if (x->oversized) {
        call->reason = "is larger than 256 KiB";

    } else if (!x->complete) {
        call->reason = x->expired ? "was not complete in time"
                                  : "is truncated";

    } else if (call->read == NULL) {
        rc = ngx_http_payer_api_read_any(call, &x->reply);

    } else {
        rc = call->read(call, &x->reply);
    }

    switch (rc) {

    case NGX_OK:
        call->lost = 0;
        ngx_http_payer_api_settle(call, NGX_HTTP_PAYER_DONE,
                                  NGX_HTTP_OK, NULL);
        break;

    case NGX_DECLINED:
        ngx_http_payer_log(NGX_LOG_ERR, call->ctx,
                           "the reply to \"%V\" %s, status %ui",
                           &call->type->name, call->reason, x->status);

        ngx_http_payer_api_settle(call, NGX_HTTP_PAYER_UNKNOWN,
                                  x->expired ? NGX_HTTP_GATEWAY_TIME_OUT
                                             : NGX_HTTP_BAD_GATEWAY,
                                  "Payer's reply was not understood");
        break;

    default: /* NGX_ERROR */
        ngx_http_payer_api_settle(call, NGX_HTTP_PAYER_UNKNOWN,
                                  NGX_HTTP_INTERNAL_SERVER_ERROR,
                                  "there was no memory to read the reply");
    }
}


static void
ngx_http_payer_api_decide_silence(ngx_http_payer_call_t *call)
{
    ngx_uint_t                  late;
    ngx_http_payer_exchange_t  *x;

    x = &call->exchange;
    late = (x->failure == NGX_HTTP_GATEWAY_TIME_OUT);

    if (!x->sent) {
        ngx_http_payer_api_retry(call, NGX_HTTP_PAYER_FAILED,
                                 late ? NGX_HTTP_GATEWAY_TIME_OUT
                                      : NGX_HTTP_BAD_GATEWAY,
                                 "Payer could not be reached");
        return;
    }

    call->doubt = 1;
    call->lost = 1;

    ngx_http_payer_api_retry(call, NGX_HTTP_PAYER_UNKNOWN,
                             (call->type->safe && !late)
                             ? NGX_HTTP_BAD_GATEWAY
                             : NGX_HTTP_GATEWAY_TIME_OUT,
                             late ? "Payer did not reply in time"
                                  : "Payer's reply was lost");
}


/*
 * Another try with the same Payer-Request-ID, as long as there are tries and
 * time left; else the outcome.
 */

void
ngx_http_payer_api_retry(ngx_http_payer_call_t *call,
    ngx_http_payer_outcome_e outcome, ngx_uint_t status, const char *reason)
{
    ngx_msec_t  left, pause;
    ngx_uint_t  again, level;

    left = ngx_http_payer_flow_left(call->ctx);
    pause = (ngx_msec_t) NGX_HTTP_PAYER_BACKOFF << ngx_min(call->tries - 1, 6);

    if (call->exchange.retry_after > 0) {
        pause = ngx_max(pause, (ngx_msec_t) call->exchange.retry_after * 1000);
    }

    again = (call->tries < call->ctx->conf->tries && pause < left);

    level = again ? NGX_LOG_WARN : NGX_LOG_ERR;

    ngx_http_payer_log(level, call->ctx,
                       "\"%V\" failed: %s, status %ui, try %ui of %ui",
                       &call->type->name, reason, call->exchange.status,
                       call->tries, call->ctx->conf->tries);

    if (again) {
        call->pause = pause;
        return;
    }

    ngx_http_payer_api_settle(call, outcome, status, reason);
}


/*
 * The result of the last try does not prove anything about an earlier one that
 * Payer may have processed.  After a missing token or a busy Payer the outcome
 * is unknown; any other refusal may be caused by the earlier try, so the
 * payment is read.
 */

void
ngx_http_payer_api_settle(ngx_http_payer_call_t *call,
    ngx_http_payer_outcome_e outcome, ngx_uint_t status, const char *reason)
{
    call->outcome = outcome;
    call->status = status;
    call->reason = reason;

    if (call->doubt && !call->type->safe) {

        if (outcome == NGX_HTTP_PAYER_FAILED
            || (outcome == NGX_HTTP_PAYER_REFUSED
                && ngx_http_payer_api_unasked(call)))
        {
            call->outcome = NGX_HTTP_PAYER_UNKNOWN;
            call->status = NGX_HTTP_GATEWAY_TIME_OUT;
            call->reason = "Payer's reply was lost, and asking again failed";

        } else if (outcome == NGX_HTTP_PAYER_REFUSED) {
            call->outcome = NGX_HTTP_PAYER_CONFLICT;
            call->reason = "Payer refused after a reply was lost";
        }
    }

    ngx_http_payer_count(call->ctx->conf->main->zone,
                         NGX_HTTP_PAYER_COUNT_CALLS,
                         ngx_http_payer_api_index(call), call->outcome);

    ngx_http_payer_api_log(call);

    if (call->settle) {
        call->settle(call);
    }
}
