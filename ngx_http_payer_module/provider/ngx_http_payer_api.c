
/*
 * The calls of Payer's API: sent with a valid token, sent again if that is
 * safe, and classified as done, refused or unknown.
 *
 * A call moves through the states authorize, fetch, send, pause.  Its outcome
 * is decided when the exchange is over, not when the request resumes, since a
 * request whose client is gone may never resume.
 */


#include "ngx_http_payer_api.h"
#include "ngx_http_payer_api_decide.h"
#include "ngx_http_payer_counter.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_log.h"
#include "ngx_http_payer_mask.h"


static ngx_int_t ngx_http_payer_api_path(ngx_http_payer_call_t *call,
    ngx_str_t *id);
static ngx_int_t ngx_http_payer_api_authorize(ngx_http_payer_call_t *call);
static void ngx_http_payer_api_line(ngx_http_payer_loc_conf_t *conf,
    ngx_str_t *line);
static ngx_int_t ngx_http_payer_api_ask_token(ngx_http_payer_ctx_t *ctx,
    ngx_msec_t *left);
static ngx_int_t ngx_http_payer_api_fetch(ngx_http_payer_call_t *call);
static void ngx_http_payer_api_fetched(ngx_http_payer_exchange_t *x);
static ngx_int_t ngx_http_payer_api_after_fetch(ngx_http_payer_call_t *call);
static ngx_int_t ngx_http_payer_api_send(ngx_http_payer_call_t *call);
static void ngx_http_payer_api_replied(ngx_http_payer_exchange_t *x);
static ngx_int_t ngx_http_payer_api_after_reply(ngx_http_payer_call_t *call);
static ngx_int_t ngx_http_payer_api_pause(ngx_http_payer_call_t *call);
static void ngx_http_payer_api_abandon(ngx_http_payer_ctx_t *ctx);
static void ngx_http_payer_api_account(ngx_http_payer_exchange_t *x,
    ngx_uint_t type);


#define NGX_HTTP_PAYER_MARGIN    5000       /* ms, a lease outlives a fetch */


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


ngx_http_payer_call_t *
ngx_http_payer_api_read_call(ngx_http_payer_ctx_t *ctx, ngx_str_t *payment_id,
    ngx_http_payer_json_payment_t *payment, ngx_http_payer_settle_pt settle)
{
    ngx_http_payer_call_t  *call;

    call = ngx_http_payer_api_call(ctx, NGX_HTTP_PAYER_CALL_READ, payment_id);
    if (call == NULL) {
        return NULL;
    }

    if (payment == NULL) {
        payment = ngx_palloc(ctx->request->pool,
                             sizeof(ngx_http_payer_json_payment_t));
        if (payment == NULL) {
            return NULL;
        }
    }

    call->read = ngx_http_payer_api_read_payment;
    call->result = payment;
    call->settle = settle;

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

    /* an outcome without a reply may have been passed to the store just now */

    return ngx_http_payer_flow_writing(call->ctx) ? NGX_AGAIN : NGX_OK;
}


static ngx_int_t
ngx_http_payer_api_authorize(ngx_http_payer_call_t *call)
{
    ngx_str_t                   line;
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
        ngx_http_payer_api_line(conf, &line);

        (void) ngx_http_payer_flow_join(ctx, &line,
                                        ngx_http_payer_api_ask_token);
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


/* the line of requests that wait for the merchant's token */

static void
ngx_http_payer_api_line(ngx_http_payer_loc_conf_t *conf, ngx_str_t *line)
{
    line->data = conf->merchant->key;
    line->len = NGX_HTTP_PAYER_KEY_LEN;
}


static ngx_int_t
ngx_http_payer_api_ask_token(ngx_http_payer_ctx_t *ctx, ngx_msec_t *left)
{
    return ngx_http_payer_token_ask(ctx->conf->main->zone,
                                    ctx->conf->merchant, &ctx->call->token,
                                    left);
}


/* POST /oauth2/token, Basic, grant_type=client_credentials */

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
    ngx_str_t                     line;
    ngx_http_payer_call_t        *call;
    ngx_http_payer_zone_t        *zone;
    ngx_http_payer_merchant_t    *merchant;
    ngx_http_payer_json_token_t   token;

    call = x->data;
    zone = call->ctx->conf->main->zone;
    merchant = call->ctx->conf->merchant;

    ngx_http_payer_api_line(call->ctx->conf, &line);
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
        reason = "was refused temporarily";

    } else if (x->oversized) {
        reason = "got a reply that is too large";

    } else if (x->status == NGX_HTTP_OK) {

        reason = "got a truncated reply";

        if (x->expired) {
            status = NGX_HTTP_GATEWAY_TIME_OUT;
        }

        if (x->complete) {
            reason = "failed, since there was no memory to read the reply";
            rc = ngx_http_payer_json_read_token(call->ctx->request->pool,
                                                &x->reply, &token, &reason);

            if (rc == NGX_OK && token.token.len > NGX_HTTP_PAYER_MAX_TOKEN
                                                  - sizeof("Bearer "))
            {
                reason = "has too large a token";
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
                                       "the token could not be stored in "
                                       "\"payer_zone\"");

                    /* this request has the token, if there was memory */

                    call->token.failure = NGX_HTTP_INTERNAL_SERVER_ERROR;
                }

                ngx_http_payer_wipe(&token.token);
                ngx_http_payer_flow_changed(&line, 1);

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
    ngx_http_payer_flow_changed(&line, 1);
}


static ngx_int_t
ngx_http_payer_api_after_fetch(ngx_http_payer_call_t *call)
{
    if (call->token.bearer.len) {

        /* a new one, or an old one that is still valid */

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


/* resumed without an outcome: the call is tried again, after a pause or now */

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


/* the request goes away, with or without an outcome */

static void
ngx_http_payer_api_abandon(ngx_http_payer_ctx_t *ctx)
{
    ngx_str_t                   line;
    ngx_http_payer_call_t      *call;
    ngx_http_payer_loc_conf_t  *conf;

    call = ctx->call;
    conf = ctx->conf;

    if (call->token.owner) {
        ngx_http_payer_token_fail(conf->main->zone, conf->merchant,
                                  &call->token, 0);

        ngx_http_payer_api_line(conf, &line);
        ngx_http_payer_flow_changed(&line, 0);
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
