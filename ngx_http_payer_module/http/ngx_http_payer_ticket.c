
/*
 * The ticket of an order: a client that has it comes from the checkout and has
 * not guessed an order number.
 */


#include "ngx_http_payer_ticket.h"
#include "ngx_http_payer_mask.h"


typedef struct {
    ngx_http_payer_log_handler_pt  next;
    ngx_str_t                      value;
} ngx_http_payer_ticket_log_t;


/* what begins the parts of a line of the error log */

typedef struct {
    ngx_str_t                      request;
    ngx_str_t                      host;
    ngx_str_t                      referrer;
} ngx_http_payer_ticket_line_t;


#define ngx_http_payer_is_base64url(ch)                                      \
    (((ch) >= 'a' && (ch) <= 'z') || ((ch) >= 'A' && (ch) <= 'Z')            \
     || ((ch) >= '0' && (ch) <= '9') || (ch) == '-' || (ch) == '_')


static void ngx_http_payer_ticket_set(ngx_http_payer_ctx_t *ctx,
    u_char *ticket);
static void ngx_http_payer_ticket_shown(void *data);
#if (NGX_HTTP_PAYER_LOG_EXT_HANDLER)
static u_char *ngx_http_payer_ticket_log(ngx_log_t *log, u_char *buf,
    u_char *last, void *data);
#else
static u_char *ngx_http_payer_ticket_log(ngx_http_request_t *r,
    ngx_http_request_t *sr, u_char *buf, size_t len);
#endif
static ngx_http_payer_ticket_log_t *ngx_http_payer_ticket_hidden(
    ngx_http_request_t *r);
static void ngx_http_payer_ticket_run(ngx_str_t *value);
static void ngx_http_payer_ticket_mask(u_char *p, u_char *last,
    ngx_str_t *ticket, ngx_http_payer_ticket_line_t *line);
static u_char *ngx_http_payer_ticket_find(u_char *p, u_char *last,
    ngx_str_t *text);


static ngx_http_payer_ticket_line_t  ngx_http_payer_ticket_text_line = {
#if (NGX_HTTP_PAYER_LOG_EXT_HANDLER)
    ngx_string(", request_line: \""),
#else
    ngx_string(", request: \""),
#endif
    ngx_string(", host: \""),
    ngx_string("\", referrer: ")
};


#if (NGX_HTTP_PAYER_LOG_EXT_HANDLER)

static ngx_http_payer_ticket_line_t  ngx_http_payer_ticket_json_line = {
    ngx_string("\"request_line\":"),
    ngx_string("\"host\":"),
    ngx_string("\"referrer\":")
};

#endif


void
ngx_http_payer_ticket_adopt(ngx_http_payer_ctx_t *ctx)
{
    if (!ngx_http_payer_record_has_ticket(&ctx->record)) {

        if (ctx->ticketed) {
            ctx->ticketed = 0;
            ngx_str_null(&ctx->order.back);
        }

        return;
    }

    ngx_http_payer_ticket_set(ctx, ctx->record.ticket);
}


ngx_int_t
ngx_http_payer_ticket_make(ngx_http_payer_ctx_t *ctx)
{
    u_char  ticket[NGX_HTTP_PAYER_TICKET_LEN];

    if (ctx->ticketed) {
        return NGX_OK;
    }

    if (ngx_http_payer_ticket(ticket) != NGX_OK) {
        ngx_log_error(NGX_LOG_CRIT, ctx->request->connection->log, 0,
                      "payer: no random bytes for a ticket");
        return NGX_ERROR;
    }

    ngx_http_payer_ticket_set(ctx, ticket);

    return NGX_OK;
}


static void
ngx_http_payer_ticket_set(ngx_http_payer_ctx_t *ctx, u_char *ticket)
{
    if (ctx->ticketed
        && ngx_memcmp(ctx->ticket, ticket, NGX_HTTP_PAYER_TICKET_LEN) == 0)
    {
        return;
    }

    ngx_memcpy(ctx->ticket, ticket, NGX_HTTP_PAYER_TICKET_LEN);
    ctx->ticketed = 1;

    /* return addresses contain the ticket: evaluate them again */

    ngx_str_null(&ctx->order.back);
}


/* most requests do not need the text, so it is made on demand */

ngx_int_t
ngx_http_payer_ticket_show(ngx_http_payer_ctx_t *ctx, ngx_str_t *text)
{
    ngx_str_null(text);

    if (!ctx->ticketed) {
        return NGX_OK;
    }

    text->data = ngx_pnalloc(ctx->pool, NGX_HTTP_PAYER_TICKET_TEXT);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    text->len = NGX_HTTP_PAYER_TICKET_TEXT;

    ngx_http_payer_ticket_text(ctx->ticket, text->data);

    return NGX_OK;
}


/*
 * nginx adds the request line and the referrer to every line of the error log,
 * ours and its own.  The buyer's ticket must not be in the log.
 */

ngx_int_t
ngx_http_payer_ticket_hide(ngx_http_request_t *r,
    ngx_http_payer_loc_conf_t *conf)
{
    ngx_str_t                     value;
    ngx_pool_cleanup_t           *cln;
    ngx_http_payer_ticket_log_t  *log;

    if (conf->verify.ticket == NULL) {
        return NGX_OK;
    }

    if (ngx_http_complex_value(r, conf->verify.ticket, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_payer_ticket_run(&value);

    if (value.len == 0 || r->main->log_handler == ngx_http_payer_ticket_log) {
        return NGX_OK;
    }

    cln = ngx_pool_cleanup_add(r->main->pool,
                               sizeof(ngx_http_payer_ticket_log_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_payer_ticket_shown;

    log = cln->data;
    log->next = r->main->log_handler;
    log->value = value;

    r->main->log_handler = ngx_http_payer_ticket_log;

    return NGX_OK;
}


/* before the value is freed with the pool */

static void
ngx_http_payer_ticket_shown(void *data)
{
    ngx_http_payer_ticket_log_t *log = data;

    ngx_str_null(&log->value);
}


#if (NGX_HTTP_PAYER_LOG_EXT_HANDLER)

static u_char *
ngx_http_payer_ticket_log(ngx_log_t *log, u_char *buf, u_char *last,
    void *data)
{
    ngx_http_log_ctx_t *ctx = data;

    u_char                        *p;
    ngx_http_payer_ticket_log_t   *hidden;
    ngx_http_payer_ticket_line_t  *line;

    hidden = ngx_http_payer_ticket_hidden(ctx->request);

    if (hidden == NULL) {
        return buf;
    }

    line = log->format.type == NGX_STR_ESCAPE_JSON
           ? &ngx_http_payer_ticket_json_line
           : &ngx_http_payer_ticket_text_line;

    p = hidden->next(log, buf, last, data);

    ngx_http_payer_ticket_mask(buf, p, &hidden->value, line);

    return p;
}

#else

static u_char *
ngx_http_payer_ticket_log(ngx_http_request_t *r, ngx_http_request_t *sr,
    u_char *buf, size_t len)
{
    u_char                       *p;
    ngx_http_payer_ticket_log_t  *hidden;

    hidden = ngx_http_payer_ticket_hidden(r);

    if (hidden == NULL) {
        return buf;
    }

    p = hidden->next(r, sr, buf, len);

    ngx_http_payer_ticket_mask(buf, p, &hidden->value,
                               &ngx_http_payer_ticket_text_line);

    return p;
}

#endif


/* NULL when the request is being destroyed: better a line without an end */

static ngx_http_payer_ticket_log_t *
ngx_http_payer_ticket_hidden(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t  *cln;

    for (cln = r->main->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_payer_ticket_shown) {
            return cln->data;
        }
    }

    return NULL;
}


/* the longest part of the value that can be a ticket, or more than one */

static void
ngx_http_payer_ticket_run(ngx_str_t *value)
{
    u_char     *p, *last;
    ngx_str_t   run;

    p = value->data;
    last = p + value->len;

    ngx_str_null(value);

    while (p < last) {
        run.data = p;

        while (p < last && ngx_http_payer_is_base64url(*p)) {
            p++;
        }

        run.len = p - run.data;

        if (run.len > value->len) {
            *value = run;
        }

        p++;
    }
}


/*
 * Only in the paths and arguments of the URLs in the line: a client that sends
 * the name of the server as its ticket must not remove it from the line.  In a
 * line of another form it is masked everywhere.
 */

static void
ngx_http_payer_ticket_mask(u_char *p, u_char *last, ngx_str_t *ticket,
    ngx_http_payer_ticket_line_t *line)
{
    u_char            *start, *host, *name;
    ngx_str_t          text;
    static ngx_str_t   scheme = ngx_string("://");

    if (ticket->len == 0) {
        return;
    }

    start = ngx_http_payer_ticket_find(p, last, &line->request);

    if (start < last) {
        p = start;
    }

    while (p < last) {
        host = ngx_http_payer_ticket_find(p, last, &line->host);
        name = ngx_http_payer_ticket_find(p, last, &scheme);

        text.data = p;
        text.len = ngx_min(host, name) - p;

        ngx_http_payer_mask(&text, ticket->data, ticket->len);

        if (host < name) {
            p = ngx_http_payer_ticket_find(host, last, &line->referrer);
            continue;
        }

        for (p = ngx_min(name + 3, last); p < last; p++) {
            if (*p == '/' || *p == '?' || *p == '"') {
                break;
            }
        }
    }
}


/* where the text begins, or the end */

static u_char *
ngx_http_payer_ticket_find(u_char *p, u_char *last, ngx_str_t *text)
{
    p = ngx_strlcasestrn(p, last, text->data, text->len - 1);

    return p ? p : last;
}


ngx_int_t
ngx_http_payer_ticket_admit(ngx_http_request_t *r,
    ngx_http_payer_loc_conf_t *conf, ngx_http_payer_record_t *record)
{
    ngx_str_t  value;

    if (conf->verify.ticket == NULL) {
        return NGX_OK;
    }

    if (ngx_http_complex_value(r, conf->verify.ticket, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!ngx_http_payer_record_has_ticket(record)) {
        return NGX_DECLINED;
    }

    return ngx_http_payer_ticket_check(record->ticket, &value);
}
