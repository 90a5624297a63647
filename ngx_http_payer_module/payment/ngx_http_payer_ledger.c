
/*
 * The ledger: a payment's record between the handlers and the store.
 */


#include "ngx_http_payer_ledger.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_history.h"
#include "ngx_http_payer_keep.h"
#include "ngx_http_payer_log.h"
#include "ngx_http_payer_notify.h"


static ngx_int_t ngx_http_payer_ledger_entries(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_store_entry_t *entries, ngx_uint_t *n);
static ngx_int_t ngx_http_payer_ledger_found(ngx_http_payer_ctx_t *ctx);
static void ngx_http_payer_ledger_blank(ngx_http_payer_record_t *record);


#define NGX_HTTP_PAYER_CLAIM_MARGIN   5000      /* ms, outlives the owner */

#define ngx_http_payer_ledger_lease(ctx)                                     \
    ((ctx)->conf->timeout + NGX_HTTP_PAYER_CLAIM_MARGIN)

/* Payer repeats an event for some hours, and possibly later, too */

#define NGX_HTTP_PAYER_KEEP_EVENT     (7 * 86400)


ngx_int_t
ngx_http_payer_ledger_find(ngx_http_payer_ctx_t *ctx, ngx_str_t *reference)
{
    ngx_int_t  rc;

    ctx->found = 0;

    if (!ctx->asked
        && ngx_http_payer_record_order_key(ctx->request->pool,
                                           &ctx->conf->merchant->id,
                                           reference, &ctx->key)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_http_payer_ledger_get(ctx, &ctx->key);

    if (rc == NGX_DECLINED) {
        ngx_http_payer_ledger_blank(&ctx->record);
        return NGX_OK;
    }

    return (rc == NGX_OK) ? ngx_http_payer_ledger_found(ctx) : rc;
}


static ngx_int_t
ngx_http_payer_ledger_found(ngx_http_payer_ctx_t *ctx)
{
    if (ngx_http_payer_record_decode(&ctx->io.value, &ctx->record) != NGX_OK) {
        ngx_http_payer_log(NGX_LOG_ERR, ctx,
                           "the record \"%V\" is damaged or of a newer "
                           "version", &ctx->key);
        ngx_http_payer_ledger_blank(&ctx->record);
        return NGX_ERROR;
    }

    ctx->found = 1;
    ctx->known = ctx->record.state;

    return NGX_OK;
}


static void
ngx_http_payer_ledger_blank(ngx_http_payer_record_t *record)
{
    ngx_memzero(record, sizeof(ngx_http_payer_record_t));

    record->authorized = -1;
    record->captured = -1;
    record->refunded = -1;
}


ngx_int_t
ngx_http_payer_ledger_find_payment(ngx_http_payer_ctx_t *ctx,
    ngx_str_t *payment_id)
{
    ngx_int_t  rc;
    ngx_str_t  key;

    if (!ctx->resolved) {
        ctx->found = 0;
        ngx_http_payer_ledger_blank(&ctx->record);

        if (ngx_http_payer_record_payment_key(ctx->request->pool,
                                              &ctx->conf->merchant->id,
                                              payment_id, &key)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        rc = ngx_http_payer_ledger_get(ctx, &key);

        if (rc != NGX_OK) {
            return rc == NGX_DECLINED ? NGX_OK : rc;
        }

        if (ctx->io.key.len) {
            ctx->key = ctx->io.key;

            rc = ngx_http_payer_ledger_found(ctx);

            ctx->reference = ctx->record.reference;

            return rc;
        }

        /* written by a former version, which stored the reference there */

        ctx->resolved = 1;
        ctx->reference = ctx->io.value;
    }

    rc = ngx_http_payer_ledger_find(ctx, &ctx->reference);

    if (rc != NGX_AGAIN) {
        ctx->resolved = 0;
    }

    return rc;
}


ngx_int_t
ngx_http_payer_ledger_get(ngx_http_payer_ctx_t *ctx, ngx_str_t *key)
{
    ngx_int_t                rc;
    ngx_http_payer_store_t  *store;

    if (ctx->asked) {
        ctx->asked = 0;
        return ctx->io.rc;
    }

    store = ctx->conf->main->store;

    rc = store->ops->get(store, key, &ctx->io);

    ctx->asked = (rc == NGX_AGAIN);

    return rc;
}


ngx_int_t
ngx_http_payer_ledger_next(ngx_http_payer_ctx_t *ctx, ngx_str_t *prefix,
    ngx_str_t *after)
{
    ngx_int_t                rc;
    ngx_http_payer_store_t  *store;

    if (ctx->asked) {
        rc = ctx->io.rc;

    } else {
        store = ctx->conf->main->store;
        rc = store->ops->scan(store, prefix, after, 1, &ctx->io);
    }

    ctx->asked = (rc == NGX_AGAIN);

    if (rc == NGX_OK) {
        ctx->io.key = ctx->io.items[0].key;
        ctx->io.value = ctx->io.items[0].value;
    }

    return rc;
}


ngx_int_t
ngx_http_payer_ledger_write(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_source_e source)
{
    ctx->found = 1;

    return ngx_http_payer_ledger_write_with(ctx, source, NULL);
}


ngx_int_t
ngx_http_payer_ledger_write_with(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_source_e source, ngx_http_payer_store_entry_t *entry)
{
    return ngx_http_payer_ledger_write_all(ctx, source, entry,
                                           entry ? 1 : 0);
}


ngx_int_t
ngx_http_payer_ledger_write_all(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_source_e source, ngx_http_payer_store_entry_t *others,
    ngx_uint_t nothers)
{
    ngx_int_t                     rc, owed;
    ngx_uint_t                    n;
    ngx_http_payer_store_entry_t  entries[NGX_HTTP_PAYER_STORE_MAX_ENTRIES];

    ctx->io.rc = NGX_ERROR;
    n = 0;

    if (ctx->found) {
        ctx->record.source = source;
        ctx->record.updated = ngx_time();

        if (ngx_http_payer_ledger_entries(ctx, entries, &n) != NGX_OK) {
            return NGX_ERROR;
        }

        owed = ngx_http_payer_outbox(ctx, &entries[n]);

        if (owed == NGX_ERROR) {
            return NGX_ERROR;
        }

        n += owed;

        rc = ngx_http_payer_history_read(ctx, source, &entries[n]);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        n += (rc == NGX_OK);
    }

    while (nothers--) {
        entries[n++] = *others++;
    }

    return ngx_http_payer_flow_put(ctx, entries, n);
}


/* the record, which is found by its payment id, too */

static ngx_int_t
ngx_http_payer_ledger_entries(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_store_entry_t *entries, ngx_uint_t *n)
{
    ngx_pool_t               *pool;
    ngx_http_payer_record_t  *record;

    pool = ctx->request->pool;
    record = &ctx->record;

    if (record->created == 0) {
        record->created = record->updated;
    }

    ngx_memzero(entries, sizeof(ngx_http_payer_store_entry_t));

    if (ngx_http_payer_record_order_key(pool, &ctx->conf->merchant->id,
                                        &record->reference, &entries[0].key)
        != NGX_OK
        || ngx_http_payer_record_encode(pool, record, &entries[0].value)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    entries[0].merge = ngx_http_payer_record_merge;
    entries[0].describe = ngx_http_payer_record_describe;

    entries[0].expires = ngx_http_payer_keep_order(ctx->conf, record);

    *n = 1;

    if (record->payment_id.len == 0) {
        return NGX_OK;
    }

    return ngx_http_payer_record_payment_key(pool, &ctx->conf->merchant->id,
                                             &record->payment_id,
                                             &entries[0].alias);
}


void
ngx_http_payer_ledger_apply(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_json_payment_t *payment)
{
    ngx_http_payer_state_e    state;
    ngx_http_payer_record_t  *record;

    record = &ctx->record;

    record->status = payment->status;

    if (payment->authorized >= 0) {
        record->authorized = payment->authorized;
    }

    if (payment->captured >= 0) {
        record->captured = payment->captured;
    }

    if (payment->refunded >= 0) {
        record->refunded = payment->refunded;
    }

    state = ngx_http_payer_proof_state(payment);

    if (state) {
        record->state = state;
        record->unknown = 0;
    }

    /*
     * The age of an authorization is counted from Payer's time of creation,
     * since the store may have been lost in the meantime.  The age of the link
     * is not needed any more.
     */

    if (ngx_http_payer_state_paid(record->state)
        && payment->created > 0 && payment->created < record->created)
    {
        record->created = payment->created;
    }
}


ngx_int_t
ngx_http_payer_ledger_reread(ngx_http_payer_ctx_t *ctx)
{
    if (ngx_http_payer_record_decode(&ctx->io.value, &ctx->record) != NGX_OK) {
        return NGX_ERROR;
    }

    ctx->known = ctx->record.state;

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_ledger_write_event(ngx_http_payer_ctx_t *ctx, ngx_str_t *key,
    ngx_str_t *type)
{
    ngx_int_t                     rc;
    ngx_http_payer_store_entry_t  entries[2], *entry;

    static ngx_str_t  delivered = ngx_string("delivered");

    entry = entries;

    ngx_memzero(entry, sizeof(ngx_http_payer_store_entry_t));

    entry->key = *key;
    entry->value = delivered;
    entry->expires = ngx_time() + NGX_HTTP_PAYER_KEEP_EVENT;

    rc = ngx_http_payer_history_event(ctx, type, key, &entries[1]);

    if (rc == NGX_ERROR) {
        ctx->io.rc = NGX_ERROR;
        return NGX_ERROR;
    }

    return ngx_http_payer_flow_put_claim(ctx, entries, rc == NGX_OK ? 2 : 1,
                                         NGX_HTTP_PAYER_CLAIM_RELEASE,
                                         &ctx->event_claim);
}


ngx_int_t
ngx_http_payer_ledger_claim(ngx_http_payer_ctx_t *ctx)
{
    return ngx_http_payer_flow_claim(ctx, &ctx->key,
                                     ngx_http_payer_ledger_lease(ctx),
                                     &ctx->claim);
}


ngx_int_t
ngx_http_payer_ledger_try(ngx_http_payer_ctx_t *ctx)
{
    return ngx_http_payer_flow_try(ctx, &ctx->key,
                                   ngx_http_payer_ledger_lease(ctx),
                                   &ctx->claim);
}


void
ngx_http_payer_ledger_unclaim(ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_flow_unclaim(ctx, &ctx->claim, 0);
}


void
ngx_http_payer_ledger_settled(ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_flow_unclaim(ctx, &ctx->claim, 1);
}
