
/*
 * Decides whether payer_reconcile and payer_sweep process a record, and
 * whether its authorization is old.
 */


#include "ngx_http_payer_reconcile_walk.h"
#include "ngx_http_payer_api.h"
#include "ngx_http_payer_auto_capture.h"
#include "ngx_http_payer_log.h"
#include "ngx_http_payer_sweep_merchant.h"


static ngx_http_payer_reconcile_task_e ngx_http_payer_reconcile_op(
    ngx_http_payer_ctx_t *ctx, ngx_http_payer_reconcile_t *rec,
    ngx_str_t *id);
static ngx_http_payer_reconcile_task_e ngx_http_payer_reconcile_order(
    ngx_http_payer_ctx_t *ctx, ngx_http_payer_reconcile_t *rec,
    ngx_str_t *id);
static ngx_uint_t ngx_http_payer_reconcile_fresh(ngx_http_payer_ctx_t *ctx,
    time_t updated);
static void ngx_http_payer_reconcile_damaged(ngx_http_payer_ctx_t *ctx);


ngx_http_payer_reconcile_task_e
ngx_http_payer_reconcile_look(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec, ngx_str_t *id)
{
    return (rec->kind == NGX_HTTP_PAYER_RECONCILE_OPS)
           ? ngx_http_payer_reconcile_op(ctx, rec, id)
           : ngx_http_payer_reconcile_order(ctx, rec, id);
}


/* an operation that was sent and whose outcome is not known */

static ngx_http_payer_reconcile_task_e
ngx_http_payer_reconcile_op(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec, ngx_str_t *id)
{
    ngx_str_t            name;
    ngx_http_payer_op_t  op;

    if (ngx_http_payer_op_decode(&ctx->io.value, &op) != NGX_OK) {
        ngx_http_payer_reconcile_damaged(ctx);
        return NGX_HTTP_PAYER_RECONCILE_NOTHING;
    }

    if (op.state >= NGX_HTTP_PAYER_OP_REFUSED
        || (op.state == NGX_HTTP_PAYER_OP_SENT
            && ngx_http_payer_reconcile_fresh(ctx, op.updated)))
    {
        return NGX_HTTP_PAYER_RECONCILE_NOTHING;
    }

    if (!rec->by_hand
        && !ngx_http_payer_reconcile_lap_due(&rec->lap, op.updated))
    {
        return NGX_HTTP_PAYER_RECONCILE_NOTHING;
    }

    return (ngx_http_payer_reconcile_part(&ctx->io.key, 2, id)
            && ngx_http_payer_reconcile_part(&ctx->io.key, 3, &name))
           ? NGX_HTTP_PAYER_RECONCILE_OP : NGX_HTTP_PAYER_RECONCILE_NOTHING;
}


static ngx_http_payer_reconcile_task_e
ngx_http_payer_reconcile_order(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec, ngx_str_t *id)
{
    ngx_http_payer_record_t    *record;
    ngx_http_payer_loc_conf_t  *conf;

    record = &ctx->record;

    if (ngx_http_payer_record_decode(&ctx->io.value, record) != NGX_OK) {
        ngx_http_payer_reconcile_damaged(ctx);

        ngx_memzero(record, sizeof(ngx_http_payer_record_t));

        return NGX_HTTP_PAYER_RECONCILE_NOTHING;
    }

    conf = ngx_http_payer_reconcile_conf(ctx, record);

    if (conf == NULL) {
        ngx_memzero(record, sizeof(ngx_http_payer_record_t));

        return NGX_HTTP_PAYER_RECONCILE_NOTHING;
    }

    *id = record->payment_id;

    if (record->state == NGX_HTTP_PAYER_CREATING) {

        /*
         * the request that created it has ended, and no client has a link of
         * it
         */

        return ngx_http_payer_reconcile_fresh(ctx, record->updated)
               ? NGX_HTTP_PAYER_RECONCILE_NOTHING
               : NGX_HTTP_PAYER_RECONCILE_EXPIRE;
    }

    if (record->state == NGX_HTTP_PAYER_INITIATED || record->unknown) {

        return (rec->by_hand
                || ngx_http_payer_reconcile_lap_due(&rec->lap, record->unknown
                                                    ? record->updated
                                                    : record->created))
               ? NGX_HTTP_PAYER_RECONCILE_READ
               : NGX_HTTP_PAYER_RECONCILE_NOTHING;
    }

    if (record->state != NGX_HTTP_PAYER_AUTHORIZED) {
        return NGX_HTTP_PAYER_RECONCILE_NOTHING;
    }

    if (conf->auto_capture) {
        return NGX_HTTP_PAYER_RECONCILE_CAPTURE;
    }

    return (conf->sweep.act != NGX_HTTP_PAYER_LIMIT_WARN
            && ngx_time() - record->created > conf->sweep.limit)
           ? NGX_HTTP_PAYER_RECONCILE_LIMIT : NGX_HTTP_PAYER_RECONCILE_NOTHING;
}


ngx_uint_t
ngx_http_payer_reconcile_news(ngx_http_payer_reconcile_t *rec,
    ngx_http_payer_record_t *record, time_t since)
{
    return rec->by_hand
           || record->updated >= rec->lap.before
           || ngx_http_payer_reconcile_lap_each(&rec->lap, since, 86400);
}


/* a run by hand uses its own location, a sweep the order's server */

ngx_http_payer_loc_conf_t *
ngx_http_payer_reconcile_conf(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_record_t *record)
{
    return ctx->sweep ? ngx_http_payer_sweep_conf(ctx->sweep, &record->server)
                      : ctx->conf;
}


/*
 * A record that may be in progress is skipped; one from the future is not,
 * since the clock was set back.
 */

static ngx_uint_t
ngx_http_payer_reconcile_fresh(ngx_http_payer_ctx_t *ctx, time_t updated)
{
    time_t  now, lease;

    now = ngx_time();
    lease = ctx->conf->timeout / 1000 + 5;

    return updated + lease > now && updated <= now + lease;
}


static void
ngx_http_payer_reconcile_damaged(ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_log(NGX_LOG_ERR, ctx,
                       "the record \"%V\" is damaged or of a newer "
                       "version", &ctx->io.key);
}


ngx_uint_t
ngx_http_payer_reconcile_part(ngx_str_t *key, ngx_uint_t n, ngx_str_t *part)
{
    u_char  *p, *last, *slash;

    p = key->data;
    last = p + key->len;

    for ( ;; ) {
        slash = ngx_strlchr(p, last, '/');

        if (slash == NULL) {
            return 0;
        }

        if (n-- == 0) {
            part->data = p;
            part->len = slash - p;
            return 1;
        }

        p = slash + 1;
    }
}


/* each of them is logged once a day, while there is time to act */

void
ngx_http_payer_reconcile_old(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec)
{
    time_t                      age, limit;
    ngx_http_payer_record_t    *record;
    ngx_http_payer_loc_conf_t  *conf;

    record = &ctx->record;

    /* of an operation there is none */

    if (record->state != NGX_HTTP_PAYER_AUTHORIZED) {
        return;
    }

    limit = rec->age;

    if (limit == 0) {
        conf = ngx_http_payer_reconcile_conf(ctx, record);
        limit = ngx_http_payer_auto_age(conf);
    }

    age = ngx_time() - record->created;

    if (age <= limit) {
        return;
    }

    rec->old++;

    if (!rec->by_hand) {
        rec->lap.old++;
    }

    if (ngx_http_payer_reconcile_news(rec, record,
                                      record->created + limit))
    {
        ngx_http_payer_log(NGX_LOG_ERR, ctx,
                           "the payment was authorized %T days ago and is not "
                           "captured",
                           age / 86400);
    }
}
