
/*
 * The audit log: two lines of JSON for each operation, from all sources.
 *
 * A line is one write() to a file that is opened for appending, so that lines
 * of several workers do not mix.
 */


#include "ngx_http_payer_audit.h"
#include "ngx_http_payer_json_out.h"
#include "ngx_http_payer_log.h"


static void ngx_http_payer_audit_time(ngx_http_payer_json_out_t *out);
static ngx_int_t ngx_http_payer_audit_write(ngx_http_payer_ctx_t *ctx,
    ngx_str_t *text);


ngx_int_t
ngx_http_payer_audit_actor(ngx_http_payer_ctx_t *ctx, ngx_str_t *actor)
{
    ngx_str_null(actor);

    if (ctx->conf->actor == NULL) {
        return NGX_OK;
    }

    if (ngx_http_complex_value(ctx->request, ctx->conf->actor, actor)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    actor->len = ngx_min(actor->len, NGX_HTTP_PAYER_MAX_ACTOR);

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_audit(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_audit_line_t *line)
{
    ngx_str_t                   text, address;
    ngx_http_payer_json_out_t   out;

    static ngx_str_t  intent = ngx_string("intent");
    static ngx_str_t  outcome = ngx_string("outcome");

    if (ctx->conf->audit == NULL || ctx->conf->audit->file == NULL) {
        return NGX_OK;
    }

    ngx_str_null(&address);

    if (!line->unattended) {
        address = ctx->request->connection->addr_text;
    }

    ngx_http_payer_json_out(&out, ctx->pool);

    ngx_http_payer_json_out_open(&out, '{');
    ngx_http_payer_audit_time(&out);
    ngx_http_payer_json_out_str(&out, "phase",
                                line->outcome ? &outcome : &intent);
    ngx_http_payer_json_out_str(&out, "id", &line->id);
    ngx_http_payer_json_out_str(&out, "actor", &line->actor);
    ngx_http_payer_json_out_str(&out, "address", &address);
    ngx_http_payer_json_out_str(&out, "operation",
                                (ngx_str_t *) line->operation);
    ngx_http_payer_json_out_str(&out, "reference", &line->reference);
    ngx_http_payer_json_out_str(&out, "paymentId", &line->payment_id);
    ngx_http_payer_json_out_number(&out, "amount", line->amount);
    ngx_http_payer_json_out_str(&out, "currency", &line->currency);
    ngx_http_payer_json_out_str(&out, "key", &line->key);
    ngx_http_payer_json_out_str(&out, "reason", &line->reason);
    ngx_http_payer_json_out_number(&out, "status",
                                   line->status ? (int64_t) line->status : -1);

    text.data = (u_char *) line->outcome;
    text.len = line->outcome ? ngx_strlen(line->outcome) : 0;

    ngx_http_payer_json_out_str(&out, "outcome", &text);
    ngx_http_payer_json_out_close(&out, '}');
    ngx_http_payer_json_out_raw(&out, "\n", 1);

    if (ngx_http_payer_json_out_end(&out, &text) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_payer_audit_write(ctx, &text);
}


ngx_int_t
ngx_http_payer_audit_found(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_op_t *op, const ngx_str_t *operation, ngx_str_t *actor,
    ngx_str_t *reason)
{
    ngx_http_payer_audit_line_t  line;

    ngx_memzero(&line, sizeof(ngx_http_payer_audit_line_t));

    line.id = op->request_id;
    line.actor = *actor;
    line.operation = operation;
    line.payment_id = ctx->record.payment_id;
    line.reason = *reason;
    line.amount = op->amount;
    line.status = op->status;
    line.outcome = (op->state == NGX_HTTP_PAYER_OP_DONE) ? "done"
                                                             : "refused";

    if (ctx->found) {
        line.reference = ctx->record.reference;
        line.currency = ctx->record.currency;
    }

    return ngx_http_payer_audit(ctx, &line);
}


/* to the millisecond, in UTC */

static void
ngx_http_payer_audit_time(ngx_http_payer_json_out_t *out)
{
    u_char       text[sizeof("2026-01-31T08:30:00.000Z") + NGX_TIME_T_LEN];
    ngx_tm_t     tm;
    ngx_str_t    value;
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    ngx_gmtime(tp->sec, &tm);

    value.data = text;
    value.len = ngx_sprintf(text, "%4d-%02d-%02dT%02d:%02d:%02d.%03uiZ",
                            tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                            tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec,
                            tp->msec)
                - text;

    ngx_http_payer_json_out_str(out, "time", &value);
}


static ngx_int_t
ngx_http_payer_audit_write(ngx_http_payer_ctx_t *ctx, ngx_str_t *text)
{
    ssize_t                  n;
    ngx_err_t                err;
    ngx_http_payer_audit_t  *audit;

    audit = ctx->conf->audit;

    if (audit->file->fd == NGX_INVALID_FILE) {
        ngx_http_payer_log(NGX_LOG_ERR, ctx,
                           "the audit log \"%V\" is not open",
                           &audit->file->name);
        return NGX_ERROR;
    }

    if (audit->torn
        && ngx_write_fd(audit->file->fd, (u_char *) "\n", 1) == 1)
    {
        audit->torn = 0;
    }

    n = ngx_write_fd(audit->file->fd, text->data, text->len);

    if (n == (ssize_t) text->len) {
        return NGX_OK;
    }

    err = (n == -1) ? ngx_errno : NGX_ENOSPC;

    audit->torn = (n > 0);

    ngx_http_payer_log(NGX_LOG_ERR, ctx,
                       "the audit log \"%V\" could not be written, "
                       "error %d", &audit->file->name, (int) err);

    return NGX_ERROR;
}
