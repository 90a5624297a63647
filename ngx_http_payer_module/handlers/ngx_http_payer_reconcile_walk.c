
/*
 * The walk of payer_reconcile.
 *
 *     start -> scan -> (read -> settle) -> scan ... -> stop -> over
 *
 * Several payments in a row that cannot be read mean that Payer is not there,
 * and end the run.
 */


#include "ngx_http_payer_reconcile_walk.h"
#include "ngx_http_payer_api.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_ledger.h"
#include "ngx_http_payer_log.h"


#define NGX_HTTP_PAYER_RECONCILE_SCAN       10000   /* records in a call */
#define NGX_HTTP_PAYER_RECONCILE_BREATH     100     /* without a pause */
#define NGX_HTTP_PAYER_RECONCILE_FAILURES   3       /* in a row */


static ngx_uint_t ngx_http_payer_reconcile_enough(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec);
static void ngx_http_payer_reconcile_end(ngx_http_payer_reconcile_t *rec);
static ngx_uint_t ngx_http_payer_reconcile_around(
    ngx_http_payer_reconcile_t *rec, ngx_str_t *key);
static ngx_int_t ngx_http_payer_reconcile_stop(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_reconcile_next(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_uint_t ngx_http_payer_reconcile_fresh(ngx_http_payer_ctx_t *ctx,
    time_t updated);
static ngx_int_t ngx_http_payer_reconcile_deed(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec);
static ngx_int_t ngx_http_payer_reconcile_find(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static void ngx_http_payer_reconcile_damaged(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec);
static ngx_uint_t ngx_http_payer_reconcile_part(ngx_str_t *key, ngx_uint_t n,
    ngx_str_t *part);
static ngx_int_t ngx_http_payer_reconcile_order(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec);
static void ngx_http_payer_reconcile_old(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec);
static ngx_int_t ngx_http_payer_reconcile_tally(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);


ngx_str_t  ngx_http_payer_reconcile_kinds[] = {
    ngx_string("operation/"),
    ngx_string("order/")
};


ngx_int_t
ngx_http_payer_reconcile_start(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                        rc;
    ngx_http_payer_reconcile_t      *rec;
    ngx_http_payer_reconcile_lap_t  *lap;

    rec = ctx->door_data;
    lap = &rec->lap;

    rc = ngx_http_payer_reconcile_lap_read(ctx, lap);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc != NGX_OK) {
        return ngx_http_payer_reconcile_failed(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                               "the store could not be read");
    }

    if (lap->began == 0) {
        lap->began = ngx_time();
    }

    if (!rec->by_hand) {
        rec->after = lap->after;
        rec->kind = ngx_http_payer_reconcile_kind(&rec->after);
        rec->start = rec->after;
        rec->start_kind = rec->kind;
    }

    ctx->step = ngx_http_payer_reconcile_scan;

    return NGX_OK;
}


ngx_uint_t
ngx_http_payer_reconcile_kind(ngx_str_t *key)
{
    ngx_uint_t  i;
    ngx_str_t  *prefix;

    for (i = NGX_HTTP_PAYER_RECONCILE_KINDS - 1; i > 0; i--) {
        prefix = &ngx_http_payer_reconcile_kinds[i];

        if (key->len >= prefix->len
            && ngx_strncmp(key->data, prefix->data, prefix->len) == 0)
        {
            return i;
        }
    }

    return 0;
}


ngx_int_t
ngx_http_payer_reconcile_scan(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                    rc;
    ngx_http_payer_reconcile_t  *rec;

    rec = ctx->door_data;

    if (!ctx->asked) {

        if (ngx_http_payer_reconcile_enough(ctx, rec)) {
            ctx->step = ngx_http_payer_reconcile_stop;
            return NGX_OK;
        }

        if (++rec->scanned % NGX_HTTP_PAYER_RECONCILE_BREATH == 0) {
            return ngx_http_payer_flow_wait(ctx, 1);
        }
    }

    rc = ngx_http_payer_reconcile_next(r, ctx);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc == NGX_DECLINED) {
        ngx_http_payer_reconcile_end(rec);
        return NGX_OK;
    }

    if (rc != NGX_OK) {
        return ngx_http_payer_reconcile_failed(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                               "the store could not be read");
    }

    if (rec->around && ngx_http_payer_reconcile_around(rec, &ctx->io.key)) {
        rec->over_all = 1;
        return NGX_OK;
    }

    rec->after = ctx->io.key;
    ctx->found = 0;

    ngx_memzero(&ctx->record, sizeof(ngx_http_payer_record_t));
    ngx_str_null(&ctx->request_id);

    return (rec->kind == NGX_HTTP_PAYER_RECONCILE_DEEDS)
           ? ngx_http_payer_reconcile_deed(ctx, rec)
           : ngx_http_payer_reconcile_order(ctx, rec);
}


static ngx_uint_t
ngx_http_payer_reconcile_enough(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec)
{
    return rec->over_all
           || rec->examined == rec->limit
           || rec->scanned == NGX_HTTP_PAYER_RECONCILE_SCAN
           || rec->in_a_row == NGX_HTTP_PAYER_RECONCILE_FAILURES
           || ngx_http_payer_flow_left(ctx) < ctx->conf->timeout / 4;
}


/* no more records of this kind */

static void
ngx_http_payer_reconcile_end(ngx_http_payer_reconcile_t *rec)
{
    ngx_str_null(&rec->after);

    if (++rec->kind < NGX_HTTP_PAYER_RECONCILE_KINDS) {
        return;
    }

    if (rec->by_hand) {
        rec->over_all = 1;
        return;
    }

    rec->complete = 1;
    rec->complete_old = rec->lap.old;

    ngx_http_payer_reconcile_lap_next(&rec->lap);

    if (rec->around || rec->start.len == 0) {
        rec->over_all = 1;
        return;
    }

    /* those before the one where this run began */

    rec->lap.began = ngx_time();
    rec->kind = 0;
    rec->around = 1;
}


/* whether this run began behind the key */

static ngx_uint_t
ngx_http_payer_reconcile_around(ngx_http_payer_reconcile_t *rec,
    ngx_str_t *key)
{
    if (rec->kind != rec->start_kind) {
        return rec->kind > rec->start_kind;
    }

    return ngx_memn2cmp(key->data, rec->start.data, key->len, rec->start.len)
           > 0;
}


/* the cursor is stored; if that fails, the next run begins where this did */

static ngx_int_t
ngx_http_payer_reconcile_stop(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_reconcile_t  *rec;

    rec = ctx->door_data;
    ctx->step = rec->over;

    ngx_memzero(&ctx->record, sizeof(ngx_http_payer_record_t));
    ngx_str_null(&ctx->request_id);

    if (rec->by_hand) {
        return NGX_OK;
    }

    if (rec->kind < NGX_HTTP_PAYER_RECONCILE_KINDS) {
        rec->lap.after = rec->after.len
                         ? rec->after
                         : ngx_http_payer_reconcile_kinds[rec->kind];
    }

    return ngx_http_payer_reconcile_lap_write(ctx, &rec->lap) == NGX_AGAIN
           ? NGX_AGAIN : NGX_OK;
}


/* the next record of this merchant into ctx->io */

static ngx_int_t
ngx_http_payer_reconcile_next(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    u_char                      *p;
    ngx_int_t                    rc;
    ngx_str_t                    prefix, *kind;
    ngx_http_payer_store_t      *store;
    ngx_http_payer_reconcile_t  *rec;

    if (ctx->asked) {
        ctx->asked = 0;
        return ctx->io.rc;
    }

    rec = ctx->door_data;
    store = ctx->conf->main->store;
    kind = &ngx_http_payer_reconcile_kinds[rec->kind];

    prefix.len = kind->len + ctx->conf->merchant->id.len + 1;
    prefix.data = ngx_pnalloc(r->pool, prefix.len);
    if (prefix.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(prefix.data, kind->data, kind->len);
    p = ngx_cpymem(p, ctx->conf->merchant->id.data,
                   ctx->conf->merchant->id.len);
    *p = '/';

    rc = store->ops->next(store, &prefix, &rec->after, &ctx->io);

    ctx->asked = (rc == NGX_AGAIN);

    return rc;
}


/* an operation that was sent and of which nobody knows how it went */

static ngx_int_t
ngx_http_payer_reconcile_deed(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec)
{
    ngx_str_t                          name;
    const ngx_http_payer_call_type_t  *type;

    if (ngx_http_payer_deed_decode(&ctx->io.value, &rec->deed) != NGX_OK) {
        ngx_http_payer_reconcile_damaged(ctx, rec);
        return NGX_OK;
    }

    if (rec->deed.state >= NGX_HTTP_PAYER_DEED_REFUSED) {
        return NGX_OK;
    }

    if (rec->deed.state == NGX_HTTP_PAYER_DEED_SENT
        && ngx_http_payer_reconcile_fresh(ctx, rec->deed.updated))
    {
        return NGX_OK;
    }

    if (!rec->by_hand
        && !ngx_http_payer_reconcile_lap_due(&rec->lap, rec->deed.updated))
    {
        return NGX_OK;
    }

    if (!ngx_http_payer_reconcile_part(&rec->after, 2, &rec->payment_id)
        || !ngx_http_payer_reconcile_part(&rec->after, 3, &name))
    {
        return NGX_OK;
    }

    for (rec->operation = NGX_HTTP_PAYER_CALL_CAPTURE;
         rec->operation <= NGX_HTTP_PAYER_CALL_REFUND;
         rec->operation++)
    {
        type = ngx_http_payer_api_type(rec->operation);

        if (type->name.len == name.len
            && ngx_memcmp(type->name.data, name.data, name.len) == 0)
        {
            ctx->step = ngx_http_payer_reconcile_find;
            return NGX_OK;
        }
    }

    return NGX_OK;
}


/* the order that the payment belongs to, for the log: the deed stands alone */

static ngx_int_t
ngx_http_payer_reconcile_find(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                    rc;
    ngx_str_t                    reference;
    ngx_http_payer_reconcile_t  *rec;

    rec = ctx->door_data;

    rc = ngx_http_payer_ledger_find_payment(ctx, &rec->payment_id);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    ngx_str_null(&reference);

    if (rc == NGX_OK && ctx->found) {
        reference = ctx->record.reference;
    }

    ngx_memzero(&ctx->record, sizeof(ngx_http_payer_record_t));

    ctx->found = 0;
    ctx->record.reference = reference;
    ctx->record.payment_id = rec->payment_id;
    ctx->request_id = rec->deed.request_id;

    if (ngx_http_payer_tally(ctx, &rec->tally, rec->operation,
                             &rec->payment_id, &rec->after)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ctx->step = ngx_http_payer_reconcile_tally;

    return NGX_OK;
}


/*
 * One that may still be under way is left alone; one from the future is not,
 * as the clock was set back since.
 */

static ngx_uint_t
ngx_http_payer_reconcile_fresh(ngx_http_payer_ctx_t *ctx, time_t updated)
{
    time_t  now, lease;

    now = ngx_time();
    lease = ctx->conf->timeout / 1000 + 5;

    return updated + lease > now && updated <= now + lease;
}


static ngx_int_t
ngx_http_payer_reconcile_tally(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_reconcile_t  *rec;

    rec = ctx->door_data;

    if (ngx_http_payer_tally_run(ctx, &rec->tally) == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    /* read after it was counted */

    ngx_str_null(&rec->read);

    ctx->step = ngx_http_payer_reconcile_read;

    return NGX_OK;
}


static void
ngx_http_payer_reconcile_damaged(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec)
{
    ngx_http_payer_log(NGX_LOG_ERR, ctx,
                       "the record \"%V\" is damaged or of a newer "
                       "version", &rec->after);
}


/* the n-th part of a key between slashes, counted from 0: 1 or 0 */

static ngx_uint_t
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


static ngx_int_t
ngx_http_payer_reconcile_order(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec)
{
    time_t                    now;
    ngx_http_payer_record_t  *record;

    record = &ctx->record;
    now = ngx_time();

    if (ngx_http_payer_record_decode(&ctx->io.value, record) != NGX_OK) {
        ngx_http_payer_reconcile_damaged(ctx, rec);
        return NGX_OK;
    }

    ctx->found = 1;

    if (record->state == NGX_HTTP_PAYER_AUTHORIZED
        && record->created + (time_t) rec->days * 86400 < now)
    {
        ngx_http_payer_reconcile_old(ctx, rec);
    }

    if (record->state == NGX_HTTP_PAYER_CREATING) {

        if (ngx_http_payer_reconcile_fresh(ctx, record->updated)) {
            return NGX_OK;
        }

        /* the creator is gone, and nobody has the link if there is one */

        return ngx_http_payer_reconcile_expire(ctx, rec);
    }

    if (record->state == NGX_HTTP_PAYER_INITIATED || record->unknown) {

        if (rec->by_hand
            || ngx_http_payer_reconcile_lap_due(&rec->lap, record->unknown
                                                ? record->updated
                                                : record->created))
        {
            ctx->step = ngx_http_payer_reconcile_read;
        }

    } else if (record->state == NGX_HTTP_PAYER_AUTHORIZED
               && ctx->conf->auto_capture)
    {
        rec->examined++;
        rec->authorized = 1;
        ctx->step = ngx_http_payer_reconcile_capture;
    }

    return NGX_OK;
}


/* each of them is logged once a day, while there is time to act */

static void
ngx_http_payer_reconcile_old(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec)
{
    time_t  created;

    created = ctx->record.created;

    rec->old++;

    if (!rec->by_hand) {
        rec->lap.old++;
    }

    if (rec->by_hand
        || ngx_http_payer_reconcile_lap_each(&rec->lap, created, 86400))
    {
        ngx_http_payer_log(NGX_LOG_ERR, ctx,
                           "authorized %T days ago and not captured",
                           (ngx_time() - created) / 86400);
    }
}
