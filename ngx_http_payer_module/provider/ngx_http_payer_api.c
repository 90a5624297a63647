
/*
 * The calls that Payer offers: made with a valid token, repeated where that
 * is safe, and classified as done, refused or unknown.
 *
 * A call moves through the states authorize, fetch, send, pause.  Its outcome
 * is decided when the exchange is over, not when the request resumes, since a
 * request whose client is gone may never resume.
 */


#include "ngx_http_payer_api.h"
#include "ngx_http_payer_counter.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_log.h"
#include "ngx_http_payer_mask.h"


static ngx_int_t ngx_http_payer_api_path(ngx_http_payer_call_t *call,
    ngx_str_t *id);
static ngx_int_t ngx_http_payer_api_authorize(ngx_http_payer_call_t *call);
static ngx_int_t ngx_http_payer_api_fetch(ngx_http_payer_call_t *call);
static void ngx_http_payer_api_fetched(ngx_http_payer_exchange_t *x);
static ngx_int_t ngx_http_payer_api_after_fetch(ngx_http_payer_call_t *call);
static ngx_int_t ngx_http_payer_api_send(ngx_http_payer_call_t *call);
static void ngx_http_payer_api_replied(ngx_http_payer_exchange_t *x);
static ngx_int_t ngx_http_payer_api_after_reply(ngx_http_payer_call_t *call);
static ngx_int_t ngx_http_payer_api_pause(ngx_http_payer_call_t *call);
static void ngx_http_payer_api_decide(ngx_http_payer_call_t *call);
static void ngx_http_payer_api_decide_reply(ngx_http_payer_call_t *call);
static void ngx_http_payer_api_decide_silence(ngx_http_payer_call_t *call);
static void ngx_http_payer_api_retry(ngx_http_payer_call_t *call,
    ngx_http_payer_outcome_e outcome, ngx_uint_t status, const char *reason);
static void ngx_http_payer_api_settle(ngx_http_payer_call_t *call,
    ngx_http_payer_outcome_e outcome, ngx_uint_t status, const char *reason);
static void ngx_http_payer_api_abandon(ngx_http_payer_ctx_t *ctx);
static void ngx_http_payer_api_account(ngx_http_payer_exchange_t *x,
    ngx_uint_t type);


#define NGX_HTTP_PAYER_POLL      50         /* ms, for a token */
#define NGX_HTTP_PAYER_BACKOFF   100        /* ms, doubled for each resend */
#define NGX_HTTP_PAYER_MARGIN    5000       /* ms, a lease outlives a fetch */


/* which call it is: an ngx_http_payer_call_e */

#define ngx_http_payer_api_index(call)                                       \
    ((call)->type - ngx_http_payer_api_type(NGX_HTTP_PAYER_CALL_TOKEN))


ngx_http_payer_call_t *
ngx_http_payer_api_call(ngx_http_payer_ctx_t *ctx, ngx_http_payer_call_e type,
    ngx_str_t *id)
{
    ngx_http_payer_call_t  *call;

    call = ngx_pcalloc(ctx->request->pool, sizeof(ngx_http_payer_call_t));
    if (call == NULL) {
        return NULL;
    }

    call->type = ngx_http_payer_api_type(type);
    call->ctx = ctx;
    call->path = ctx->conf->paths[type];
    call->state = ngx_http_payer_api_authorize;

    if (id) {
        call->id = *id;

        if (ngx_http_payer_api_path(call, id) != NGX_OK) {
            return NULL;
        }
    }

    ctx->call = call;
    ctx->abandon = ngx_http_payer_api_abandon;

    return call;
}


/* puts the id, whose characters need no escaping, in place of the braces */

static ngx_int_t
ngx_http_payer_api_path(ngx_http_payer_call_t *call, ngx_str_t *id)
{
    u_char     *p, *open, *close, *last;
    ngx_str_t   path;

    last = call->path.data + call->path.len;

    open = ngx_strlchr(call->path.data, last, '{');
    if (open == NULL) {
        return NGX_OK;
    }

    close = ngx_strlchr(open, last, '}');
    if (close == NULL) {
        return NGX_OK;
    }

    path.len = call->path.len - (close + 1 - open) + id->len;
    path.data = ngx_pnalloc(call->ctx->request->pool, path.len);
    if (path.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(path.data, call->path.data, open - call->path.data);
    p = ngx_cpymem(p, id->data, id->len);
    ngx_memcpy(p, close + 1, last - (close + 1));

    call->path = path;

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_api_run(ngx_http_payer_call_t *call)
{
    ngx_int_t  rc;

    while (call->outcome == NGX_HTTP_PAYER_OPEN) {
        rc = call->state(call);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    /* an outcome without a reply may just have been handed to the store */

    return ngx_http_payer_flow_writing(call->ctx) ? NGX_AGAIN : NGX_OK;
}


static ngx_int_t
ngx_http_payer_api_authorize(ngx_http_payer_call_t *call)
{
    ngx_http_payer_ctx_t       *ctx;
    ngx_http_payer_loc_conf_t  *conf;

    ctx = call->ctx;
    conf = ctx->conf;

    if (ngx_http_payer_flow_left(ctx) == 0) {
        ngx_http_payer_api_settle(call, NGX_HTTP_PAYER_FAILED,
                                  NGX_HTTP_GATEWAY_TIME_OUT,
                                  "no token in time");
        return NGX_OK;
    }

    switch (ngx_http_payer_token_get(ctx->request->pool, conf->main->zone,
                                     conf->merchant, conf->timeout
                                     + NGX_HTTP_PAYER_MARGIN, &call->token))
    {
    case NGX_OK:
        call->token.waiting = 0;
        call->state = ngx_http_payer_api_send;
        return NGX_OK;

    case NGX_DECLINED:
        call->token.waiting = 0;
        call->state = ngx_http_payer_api_fetch;
        return NGX_OK;

    case NGX_AGAIN:
        (void) ngx_http_payer_flow_wait(ctx, NGX_HTTP_PAYER_POLL);
        return NGX_AGAIN;

    case NGX_ABORT:
        ngx_http_payer_api_settle(call, NGX_HTTP_PAYER_FAILED,
                                  call->token.failure, "no token");
        return NGX_OK;

    default: /* NGX_ERROR */
        ngx_http_payer_log(NGX_LOG_ERR, ctx,
                           "no memory for a token in \"payer_zone\"");
        ngx_http_payer_api_settle(call, NGX_HTTP_PAYER_FAILED,
                                  NGX_HTTP_SERVICE_UNAVAILABLE, "no token");
        return NGX_OK;
    }
}


/* POST /oauth2/token, Basic, grant_type=client_credentials [client] */

static ngx_int_t
ngx_http_payer_api_fetch(ngx_http_payer_call_t *call)
{
    ngx_http_payer_exchange_t  *x;

    static ngx_str_t  body = ngx_string("grant_type=client_credentials");
    static ngx_str_t  form = ngx_string("application/x-www-form-urlencoded");

    x = &call->exchange;

    x->method = NGX_HTTP_POST;
    x->method_name = ngx_http_payer_api_type(NGX_HTTP_PAYER_CALL_TOKEN)
                     ->method_name;
    x->path = call->ctx->conf->paths[NGX_HTTP_PAYER_CALL_TOKEN];
    ngx_str_null(&x->args);
    x->body = body;
    x->content_type = form;
    x->authorization = call->ctx->conf->merchant->basic;
    ngx_str_null(&x->request_id);
    x->secret = 1;
    x->handler = ngx_http_payer_api_fetched;
    x->data = call;

    call->state = ngx_http_payer_api_after_fetch;

    return ngx_http_payer_flow_exchange(call->ctx, call->ctx->conf->api_loc,
                                        x);
}


static void
ngx_http_payer_api_fetched(ngx_http_payer_exchange_t *x)
{
    ngx_int_t                     rc;
    ngx_uint_t                    status;
    const char                   *reason;
    ngx_http_payer_call_t        *call;
    ngx_http_payer_zone_t        *zone;
    ngx_http_payer_merchant_t    *merchant;
    ngx_http_payer_json_token_t   token;

    call = x->data;
    zone = call->ctx->conf->main->zone;
    merchant = call->ctx->conf->merchant;

    ngx_http_payer_flow_exchanged(call->ctx);
    ngx_http_payer_api_account(x, NGX_HTTP_PAYER_CALL_TOKEN);

    status = NGX_HTTP_BAD_GATEWAY;
    reason = "was refused";
    rc = NGX_ERROR;

    if (x->status == 0) {
        status = (x->failure == NGX_HTTP_GATEWAY_TIME_OUT)
                 ? NGX_HTTP_GATEWAY_TIME_OUT : NGX_HTTP_BAD_GATEWAY;
        reason = "got no reply";

    } else if (x->status == NGX_HTTP_REQUEST_TIME_OUT
               || x->status == NGX_HTTP_TOO_MANY_REQUESTS)
    {
        status = NGX_HTTP_SERVICE_UNAVAILABLE;
        reason = "was refused for now";

    } else if (x->oversized) {
        reason = "got a reply that is too large";

    } else if (x->status == NGX_HTTP_OK) {

        reason = "got a truncated reply";

        if (x->expired) {
            status = NGX_HTTP_GATEWAY_TIME_OUT;
        }

        if (x->complete) {
            reason = "left no memory to read the reply";
            rc = ngx_http_payer_json_read_token(call->ctx->request->pool,
                                                &x->reply, &token, &reason);

            if (rc == NGX_OK && token.token.len > NGX_HTTP_PAYER_MAX_TOKEN
                                                  - sizeof("Bearer "))
            {
                reason = "has a token that is too large";
                rc = NGX_DECLINED;
            }

            if (rc == NGX_OK) {

                ngx_http_payer_count(zone, NGX_HTTP_PAYER_COUNT_OTHERS,
                                     NGX_HTTP_PAYER_COUNT_TOKENS, 1);

                if (ngx_http_payer_token_put(call->ctx->request->pool, zone,
                                             merchant, &call->token,
                                             &token.token, token.expires_in)
                    != NGX_OK)
                {
                    ngx_http_payer_log(NGX_LOG_WARN, call->ctx,
                                       "the token could not be kept in "
                                       "\"payer_zone\"");

                    /* for this request it was got, if there was memory */

                    call->token.failure = NGX_HTTP_INTERNAL_SERVER_ERROR;
                }

                ngx_http_payer_wipe(&token.token);

                return;
            }
        }
    }

    ngx_http_payer_log(NGX_LOG_ERR, call->ctx,
                       "the token request of client \"%V\" %s%s, status %ui",
                       &merchant->id, rc == NGX_DECLINED
                                      ? "got a reply that " : "",
                       reason, x->status);

    ngx_http_payer_count(zone, NGX_HTTP_PAYER_COUNT_OTHERS,
                         NGX_HTTP_PAYER_COUNT_TOKENS, 0);

    call->reason = "no token";
    call->token.failure = status;

    ngx_http_payer_token_fail(zone, merchant, &call->token, status);
}


static ngx_int_t
ngx_http_payer_api_after_fetch(ngx_http_payer_call_t *call)
{
    if (call->token.bearer.len) {

        /* a new one, or an old one that is still good */

        call->state = ngx_http_payer_api_send;
        return NGX_OK;
    }

    ngx_http_payer_api_settle(call, NGX_HTTP_PAYER_FAILED,
                              call->token.failure, "no token");
    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_api_send(ngx_http_payer_call_t *call)
{
    ngx_http_payer_exchange_t  *x;

    static ngx_str_t  json = ngx_string("application/json");

    x = &call->exchange;

    if (call->tries || call->reauthorized) {
        ngx_http_payer_count(call->ctx->conf->main->zone,
                             NGX_HTTP_PAYER_COUNT_TIMES,
                             ngx_http_payer_api_index(call),
                             NGX_HTTP_PAYER_COUNT_RESENDS);
    }

    x->method = call->type->method;
    x->method_name = call->type->method_name;
    x->path = call->path;
    x->args = call->args;
    x->body = call->body;
    x->content_type = json;
    x->authorization = call->token.bearer;
    x->request_id = call->request_id;
    x->secret = 0;
    x->handler = ngx_http_payer_api_replied;
    x->data = call;

    call->tries++;
    call->state = ngx_http_payer_api_after_reply;

    return ngx_http_payer_flow_exchange(call->ctx, call->ctx->conf->api_loc,
                                        x);
}


static void
ngx_http_payer_api_replied(ngx_http_payer_exchange_t *x)
{
    ngx_http_payer_call_t  *call;

    call = x->data;

    ngx_http_payer_flow_exchanged(call->ctx);
    ngx_http_payer_api_account(x, ngx_http_payer_api_index(call));

    ngx_http_payer_api_mask(call, &x->reply);
    ngx_http_payer_api_mask(call, &x->reply_type);

    ngx_http_payer_token_wipe(&call->token);

    ngx_http_payer_api_decide(call);
}


/* what $payer_api_status, $payer_api_time and the metrics show */

static void
ngx_http_payer_api_account(ngx_http_payer_exchange_t *x, ngx_uint_t type)
{
    ngx_http_payer_ctx_t   *ctx;
    ngx_http_payer_call_t  *call;

    call = x->data;
    ctx = call->ctx;

    ctx->api_status = x->status ? x->status : x->failure;
    ctx->api_time += x->time;

    ngx_http_payer_count_exchange(ctx->conf->main->zone, type, x->time);
}


/* resumed without an outcome: there is another try, after a pause or now */

static ngx_int_t
ngx_http_payer_api_after_reply(ngx_http_payer_call_t *call)
{
    call->state = ngx_http_payer_api_pause;

    if (call->pause
        && ngx_http_payer_flow_wait(call->ctx, call->pause) == NGX_AGAIN)
    {
        return NGX_AGAIN;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_api_pause(ngx_http_payer_call_t *call)
{
    call->state = ngx_http_payer_api_authorize;

    return NGX_OK;
}


static void
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
                                  : "a refusal that is not Payer's");

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
        call->reason = x->expired ? "did not come to its end in time"
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

static void
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
 * What the last try says of itself does not speak for an earlier one that
 * Payer may have done.  That no token came, or that Payer is busy now, leaves
 * it unknown; any other refusal may be due to the earlier try itself, and only
 * a read tells.
 */

static void
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


/* the request goes away, with or without an outcome */

static void
ngx_http_payer_api_abandon(ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_call_t      *call;
    ngx_http_payer_loc_conf_t  *conf;

    call = ctx->call;
    conf = ctx->conf;

    if (call->token.owner) {
        ngx_http_payer_token_fail(conf->main->zone, conf->merchant,
                                  &call->token, 0);
    }

    ngx_http_payer_token_wipe(&call->token);

    if (call->outcome != NGX_HTTP_PAYER_OPEN) {
        return;
    }

    if (call->exchange.active
        && call->exchange.handler == ngx_http_payer_api_replied)
    {
        call->exchange.active = 0;
        call->doubt = 1;
        call->lost = 1;
    }

    ngx_http_payer_api_settle(call, call->doubt ? NGX_HTTP_PAYER_UNKNOWN
                                                : NGX_HTTP_PAYER_FAILED,
                              NGX_HTTP_CLIENT_CLOSED_REQUEST,
                              "the request was terminated");
}
