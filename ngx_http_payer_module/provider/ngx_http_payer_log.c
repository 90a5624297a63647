
/*
 * Lines of the error log about a payment.
 */


#include "ngx_http_payer_log.h"


static ngx_str_t *ngx_http_payer_log_reference(ngx_http_payer_ctx_t *ctx);
static u_char *ngx_http_payer_log_name(u_char *p, u_char *last,
    const char *name, ngx_str_t *value);


/* the text and three names; the rest of nginx's 2048 bytes is the request's */

#define NGX_HTTP_PAYER_LOG_TEXT   768
#define NGX_HTTP_PAYER_LOG_NAMES  512


void
ngx_http_payer_log(ngx_uint_t level, ngx_http_payer_ctx_t *ctx,
    const char *fmt, ...)
{
    char       *action;
    u_char     *p, *last;
    va_list     args;
    ngx_log_t  *log;
    u_char      line[NGX_HTTP_PAYER_LOG_TEXT + NGX_HTTP_PAYER_LOG_NAMES];

    log = ctx->request->connection->log;

    if (log->log_level < level) {
        return;
    }

    va_start(args, fmt);
    p = ngx_vslprintf(line, line + NGX_HTTP_PAYER_LOG_TEXT, fmt, args);
    va_end(args);

    last = line + sizeof(line);

    p = ngx_http_payer_log_name(p, last, "order",
                                ngx_http_payer_log_reference(ctx));
    p = ngx_http_payer_log_name(p, last, "payment", &ctx->record.payment_id);
    p = ngx_http_payer_log_name(p, last, "Payer-Request-ID",
                                &ctx->request_id);

    for (last = p, p = line; p < last; p++) {

        /* Payer's message must not begin another line */

        if (*p < 0x20 || *p == 0x7f) {
            *p = ' ';
        }
    }

    /*
     * the last action of nginx on this connection is not related to the
     * message
     */

    action = log->action;
    log->action = NULL;

    ngx_log_error(level, log, 0, "payer: %*s", (size_t) (last - line), line);

    log->action = action;
}


static ngx_str_t *
ngx_http_payer_log_reference(ngx_http_payer_ctx_t *ctx)
{
    if (ctx->record.reference.len) {
        return &ctx->record.reference;
    }

    if (ctx->order.reference.len) {
        return &ctx->order.reference;
    }

    return ctx->params ? &ctx->params->reference : &ctx->reference;
}


static u_char *
ngx_http_payer_log_name(u_char *p, u_char *last, const char *name,
    ngx_str_t *value)
{
    if (value->len == 0) {
        return p;
    }

    return ngx_slprintf(p, last, ", %s: \"%V\"", name, value);
}
