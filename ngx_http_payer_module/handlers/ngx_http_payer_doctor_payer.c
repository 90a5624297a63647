
/*
 * The checks of payer_doctor at Payer: connection, credentials, clock, and
 * subscriptions to events.
 *
 *     fetch -> fetched -> subscriptions -> listed
 *
 * A new token is requested each time: the cached one may belong to a key that
 * was changed since.
 */


#include "ngx_http_payer_doctor.h"
#include "ngx_http_payer_api.h"
#include "ngx_http_payer_event.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_locate.h"
#include "ngx_http_payer_origin.h"


#define NGX_HTTP_PAYER_DOCTOR_CLOCK_WARN   30   /* seconds */
#define NGX_HTTP_PAYER_DOCTOR_CLOCK_FAIL   300


static void ngx_http_payer_doctor_replied(ngx_http_payer_exchange_t *x);
static const char *ngx_http_payer_doctor_unread(ngx_http_payer_exchange_t *x);
static ngx_int_t ngx_http_payer_doctor_fetched(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_uint_t ngx_http_payer_doctor_reached(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_doctor_t *d);
static ngx_uint_t ngx_http_payer_doctor_token(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_doctor_t *d);
static void ngx_http_payer_doctor_clock(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_doctor_t *d);
static void ngx_http_payer_doctor_unseen(ngx_http_payer_ctx_t *ctx,
    const char *why);
static ngx_int_t ngx_http_payer_doctor_listed(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static void ngx_http_payer_doctor_subscribed(ngx_http_payer_ctx_t *ctx,
    ngx_str_t *list);
static ngx_uint_t ngx_http_payer_doctor_leads(ngx_http_payer_ctx_t *ctx,
    ngx_str_t *url);


ngx_int_t
ngx_http_payer_doctor_fetch(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_doctor_t    *d;
    ngx_http_payer_exchange_t  *x;

    static ngx_str_t  body = ngx_string("grant_type=client_credentials");
    static ngx_str_t  form = ngx_string("application/x-www-form-urlencoded");

    d = ctx->data;
    x = &d->exchange;

    x->method = NGX_HTTP_POST;
    x->method_name = ngx_http_payer_api_type(NGX_HTTP_PAYER_CALL_TOKEN)
                     ->method_name;
    x->path = ctx->conf->paths[NGX_HTTP_PAYER_CALL_TOKEN];
    x->body = body;
    x->content_type = form;
    x->authorization = ctx->conf->merchant->basic;
    x->secret = 1;
    x->handler = ngx_http_payer_doctor_replied;
    x->data = ctx;

    ctx->step = ngx_http_payer_doctor_fetched;

    return ngx_http_payer_flow_exchange(ctx, ctx->conf->api_loc, x);
}


/*
 * the proxy's data is freed with the subrequest, and the reply is erased after
 * this
 */

static void
ngx_http_payer_doctor_replied(ngx_http_payer_exchange_t *x)
{
    ngx_str_t                    *date;
    ngx_array_t                  *states;
    ngx_http_upstream_t          *u;
    ngx_http_payer_ctx_t         *ctx;
    ngx_http_payer_doctor_t      *d;
    ngx_http_upstream_state_t    *state;

    ctx = x->data;
    d = ctx->data;

    ngx_http_payer_flow_exchanged(ctx);

    d->now = ngx_time();
    d->wrong = ngx_http_payer_doctor_unread(x);

    if (x->subrequest == NULL) {
        return;
    }

    u = x->subrequest->upstream;
    states = x->subrequest->upstream_states;

    if (states && states->nelts) {
        state = states->elts;
        state += states->nelts - 1;

        d->connected = state->connect_time;

        if (state->peer && state->peer->len) {
            d->peer.data = ngx_pstrdup(ctx->request->pool, state->peer);

            if (d->peer.data) {
                d->peer.len = state->peer->len;
            }
        }
    }

    if (u && u->headers_in.date) {
        date = &u->headers_in.date->value;
        d->date = ngx_parse_http_time(date->data, date->len);
    }
}


/* why there is no token in the reply, or NULL */

static const char *
ngx_http_payer_doctor_unread(ngx_http_payer_exchange_t *x)
{
    const char                   *reason;
    ngx_http_payer_ctx_t         *ctx;
    ngx_http_payer_json_token_t   token;

    ctx = x->data;
    reason = "could not be read, since there was no memory";

    if (!x->complete || x->oversized) {
        return "is cut off or too large";
    }

    if (ngx_http_payer_json_read_token(ctx->request->pool, &x->reply, &token,
                                       &reason)
        != NGX_OK)
    {
        return reason;
    }

    ngx_explicit_memzero(token.token.data, token.token.len);

    return NULL;
}


static ngx_int_t
ngx_http_payer_doctor_fetched(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_doctor_t  *d;

    d = ctx->data;

    ctx->step = d->next;

    if (!ngx_http_payer_doctor_reached(ctx, d)) {
        ngx_http_payer_doctor_unseen(ctx, "Payer was not reached");
        return NGX_OK;
    }

    ngx_http_payer_doctor_clock(ctx, d);

    if (!ngx_http_payer_doctor_token(ctx, d)) {
        ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_SUBSCRIPTIONS,
                                  NGX_HTTP_PAYER_HEALTH_WARN, NULL,
                                  "not checked: there is no token");
        return NGX_OK;
    }

    if (ngx_http_payer_api_call(ctx, NGX_HTTP_PAYER_CALL_SUBSCRIPTIONS, NULL)
        == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->call->read = ngx_http_payer_api_read_any;
    ctx->step = ngx_http_payer_doctor_listed;

    return NGX_OK;
}


static void
ngx_http_payer_doctor_unseen(ngx_http_payer_ctx_t *ctx, const char *why)
{
    ngx_uint_t  i;

    for (i = NGX_HTTP_PAYER_CHECK_TOKEN;
         i <= NGX_HTTP_PAYER_CHECK_SUBSCRIPTIONS;
         i++)
    {
        ngx_http_payer_doctor_say(ctx, i, NGX_HTTP_PAYER_HEALTH_WARN, NULL,
                                  "not checked: %s", why);
    }
}


/* the name, and the connection with its TLS: whether there is a reply */

static ngx_uint_t
ngx_http_payer_doctor_reached(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_doctor_t *d)
{
    ngx_str_t                  *host;
    ngx_http_payer_api_loc_t   *api_loc;
    ngx_http_payer_exchange_t  *x;

    x = &d->exchange;
    api_loc = ctx->conf->api_loc;
    host = &api_loc->host;

    if (d->peer.len == 0 && x->status == 0) {
        ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_DNS,
                                  NGX_HTTP_PAYER_HEALTH_FAIL,
                                  "Check \"resolver\", and that this server "
                                  "can ask it; the error log has nginx's own "
                                  "line.",
                                  "no address of \"%V\" was found", host);
        ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_TLS,
                                  NGX_HTTP_PAYER_HEALTH_WARN, NULL,
                                  "not checked: there is no address");
        return 0;
    }

    ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_DNS,
                              NGX_HTTP_PAYER_HEALTH_OK, NULL,
                              "\"%V\" is %V", host, &d->peer);

    if (x->status == 0 && d->connected == (ngx_msec_t) -1) {
        ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_TLS,
                                  NGX_HTTP_PAYER_HEALTH_FAIL,
                                  "Read nginx's own line in the error log: a "
                                  "firewall if the connection was refused or "
                                  "timed out, \"proxy_ssl_trusted_"
                                  "certificate\" and \"proxy_ssl_name\" if "
                                  "the certificate was not accepted.",
                                  "no connection to %V was established after "
                                  "%M ms", &d->peer, x->time);
        return 0;
    }

    if (api_loc->insecure) {
        ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_TLS,
                                  NGX_HTTP_PAYER_HEALTH_WARN,
                                  "Remove \"payer_insecure_upstream on\" "
                                  "unless this is the simulator.",
                                  "connected without verified TLS, which "
                                  "\"payer_insecure_upstream\" permits");

    } else {
        ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_TLS,
                                  NGX_HTTP_PAYER_HEALTH_OK, NULL,
                                  "connected, and the certificate is "
                                  "verified");
    }

    return 1;
}


/* whether there is one */

static ngx_uint_t
ngx_http_payer_doctor_token(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_doctor_t *d)
{
    ngx_http_payer_exchange_t  *x;

    x = &d->exchange;

    if (x->status == 0) {
        ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_TOKEN,
                                  NGX_HTTP_PAYER_HEALTH_FAIL,
                                  "Payer is down or slow: wait, and ask Payer "
                                  "if it lasts.",
                                  "no reply after %M ms", x->time);
        return 0;
    }

    if (x->status == NGX_HTTP_UNAUTHORIZED || x->status == NGX_HTTP_FORBIDDEN
        || x->status == NGX_HTTP_BAD_REQUEST)
    {
        ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_TOKEN,
                                  NGX_HTTP_PAYER_HEALTH_FAIL,
                                  "Correct \"payer_client_id\" or the file of "
                                  "\"payer_client_secret_file\", and reload "
                                  "nginx.",
                                  "Payer refuses the credentials with %ui",
                                  x->status);
        return 0;
    }

    if (x->status != NGX_HTTP_OK) {
        ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_TOKEN,
                                  NGX_HTTP_PAYER_HEALTH_FAIL,
                                  "Payer is down or too busy: wait, and ask "
                                  "Payer if it lasts; check \"payer_path\" if "
                                  "it is 404.",
                                  "Payer answers %ui", x->status);
        return 0;
    }

    if (d->wrong) {
        ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_TOKEN,
                                  NGX_HTTP_PAYER_HEALTH_FAIL,
                                  "Look for a proxy between nginx and Payer.",
                                  "the reply to the request for a token %s",
                                  d->wrong);
        return 0;
    }

    ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_TOKEN,
                              NGX_HTTP_PAYER_HEALTH_OK, NULL,
                              "Payer accepts the credentials, after %M ms",
                              x->time);
    return 1;
}


static void
ngx_http_payer_doctor_clock(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_doctor_t *d)
{
    time_t                    off;
    ngx_http_payer_health_e   health;

    if (d->date == (time_t) -1) {
        ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_CLOCK,
                                  NGX_HTTP_PAYER_HEALTH_WARN, NULL,
                                  "not checked: the reply has no valid Date");
        return;
    }

    off = d->now - d->date;
    health = NGX_HTTP_PAYER_HEALTH_OK;

    if (ngx_abs(off) > NGX_HTTP_PAYER_DOCTOR_CLOCK_FAIL) {
        health = NGX_HTTP_PAYER_HEALTH_FAIL;

    } else if (ngx_abs(off) > NGX_HTTP_PAYER_DOCTOR_CLOCK_WARN) {
        health = NGX_HTTP_PAYER_HEALTH_WARN;
    }

    ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_CLOCK, health,
                              health == NGX_HTTP_PAYER_HEALTH_OK ? NULL
                              : "Set the clock of this server with NTP.",
                              "%T seconds %s Payer's", ngx_abs(off),
                              off < 0 ? "behind" : "ahead of");
}


static ngx_int_t
ngx_http_payer_doctor_listed(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                 rc;
    ngx_http_payer_call_t    *call;
    ngx_http_payer_doctor_t  *d;

    d = ctx->data;
    call = ctx->call;

    rc = ngx_http_payer_api_run(call);
    if (rc != NGX_OK) {
        return rc;
    }

    ctx->step = d->next;

    if (call->outcome != NGX_HTTP_PAYER_DONE) {
        ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_SUBSCRIPTIONS,
                                  NGX_HTTP_PAYER_HEALTH_FAIL,
                                  "Payer is down or too busy: wait, and ask "
                                  "Payer if it lasts.",
                                  "the list of subscriptions could not be "
                                  "read: %s",
                                  call->reason ? call->reason : "refused");
        return NGX_OK;
    }

    ngx_http_payer_doctor_subscribed(ctx, &call->exchange.reply);

    return NGX_OK;
}


/*
 * The names of the members of Payer's list are not documented, so each text
 * that is a URL of ours counts.
 */

static void
ngx_http_payer_doctor_subscribed(ngx_http_payer_ctx_t *ctx, ngx_str_t *list)
{
    u_char                      *p, *last, *end;
    ngx_str_t                    url;
    ngx_uint_t                   i, ours, events;
    ngx_http_payer_loc_conf_t  **locs;

    locs = ctx->conf->main->locations.elts;
    events = 0;
    ours = 0;

    for (i = 0; i < ctx->conf->main->locations.nelts; i++) {
        events += (locs[i]->handler == &ngx_http_payer_handler_events
                   && ngx_http_payer_same(&locs[i]->client_id,
                                          &ctx->conf->client_id));
    }

    if (events == 0) {
        ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_SUBSCRIPTIONS,
                                  NGX_HTTP_PAYER_HEALTH_OK, NULL,
                                  "none needed: there is no \"payer_events\"");
        return;
    }

    p = list->data;
    last = p + list->len;

    while (p < last) {
        p = ngx_strlchr(p, last, '"');

        if (p == NULL) {
            break;
        }

        p++;

        for (end = p; end < last && *end != '"'; end++) {
            if (*end == '\\' && end + 1 < last) {
                end++;
            }
        }

        url.data = p;
        url.len = end - p;

        ours += ngx_http_payer_doctor_leads(ctx, &url);

        p = end + 1;
    }

    if (ours) {
        ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_SUBSCRIPTIONS,
                                  NGX_HTTP_PAYER_HEALTH_OK, NULL,
                                  "%ui of Payer's subscriptions lead to "
                                  "\"payer_events\" here", ours);
        return;
    }

    ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_SUBSCRIPTIONS,
                              NGX_HTTP_PAYER_HEALTH_FAIL,
                              "Add the URL of the location with "
                              "\"payer_events\", for the type "
                              "CARD_PAYMENT_AUTHORIZED, with a POST to a "
                              "location with \"payer_subscriptions\".",
                              "none of Payer's subscriptions leads to "
                              "\"payer_events\" here");
}


/* whether a text of the list, with its JSON escapes, is a URL that leads to a
 * location with payer_events of this client */

static ngx_uint_t
ngx_http_payer_doctor_leads(ngx_http_payer_ctx_t *ctx, ngx_str_t *url)
{
    size_t                       i;
    u_char                      *p, *dst, *last;
    ngx_str_t                    text, host, uri;
    ngx_uint_t                   n;
    ngx_http_core_loc_conf_t    *clcf, *server;
    ngx_http_payer_loc_conf_t  **locs;

    dst = ngx_pnalloc(ctx->request->pool, url->len + 1);
    if (dst == NULL) {
        return 0;
    }

    text.data = dst;

    for (i = 0; i < url->len; i++) {
        if (url->data[i] != '\\') {
            *dst++ = url->data[i];
        }
    }

    last = dst;
    *last = '\0';

    p = (u_char *) ngx_strstr(text.data, "://");
    if (p == NULL) {
        return 0;
    }

    host.data = p + 3;

    uri.data = ngx_strlchr(host.data, last, '/');
    if (uri.data == NULL) {
        return 0;
    }

    p = ngx_strlchr(host.data, uri.data, ':');
    host.len = (p ? p : uri.data) - host.data;

    p = ngx_strlchr(uri.data, last, '?');
    uri.len = (p ? p : last) - uri.data;

    locs = ctx->conf->main->locations.elts;

    for (n = 0; n < ctx->conf->main->locations.nelts; n++) {

        if (locs[n]->handler != &ngx_http_payer_handler_events
            || !ngx_http_payer_same(&locs[n]->client_id,
                                    &ctx->conf->client_id)
            || !ngx_http_payer_origin_listed(locs[n]->names, &host))
        {
            continue;
        }

        server = locs[n]->cscf->ctx->loc_conf[ngx_http_core_module.ctx_index];
        clcf = NULL;

        (void) ngx_http_payer_locate(server, &uri, &clcf);

        if (clcf == locs[n]->clcf) {
            return 1;
        }
    }

    return 0;
}
