
/*
 * The history of an order, as far as it is not in its record and its
 * operations.
 *
 * Format 1, integers little-endian:
 *
 *      0  "PH"           4   at            20  texts: what, by, result,
 *      2  version, 1     12  amount            reason, request id, payment id
 *      3  a zero
 */


#include "ngx_http_payer_history.h"
#include "ngx_http_payer_codec.h"
#include "ngx_http_payer_keep.h"


static ngx_int_t ngx_http_payer_history_encode(ngx_pool_t *pool,
    ngx_http_payer_history_t *history, ngx_str_t *value);
static void ngx_http_payer_history_texts(ngx_http_payer_history_t *history,
    ngx_str_t **texts);
static ngx_int_t ngx_http_payer_history_entry(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_history_t *history, const char *kind, ngx_str_t *slot,
    ngx_http_payer_store_entry_t *entry);
static ngx_int_t ngx_http_payer_history_slot(ngx_pool_t *pool, ngx_str_t *id,
    ngx_str_t *slot);
static ngx_int_t ngx_http_payer_history_first(ngx_str_t *stored,
    ngx_str_t *fresh);
static ngx_int_t ngx_http_payer_history_changed(ngx_str_t *before,
    ngx_str_t *after, ngx_str_t *fresh);


#define NGX_HTTP_PAYER_HISTORY_VERSION  1
#define NGX_HTTP_PAYER_HISTORY_HEAD     20
#define NGX_HTTP_PAYER_HISTORY_TEXTS    6


ngx_int_t
ngx_http_payer_history_prefix(ngx_pool_t *pool, ngx_str_t *merchant,
    ngx_str_t *reference, ngx_str_t *prefix)
{
    u_char  *p;
    u_char   digest[NGX_HTTP_PAYER_DIGEST_LEN];

    /* a reference may contain slashes, and be the beginning of another one */

    if (ngx_http_payer_digest(reference, 1, digest) != NGX_OK) {
        return NGX_ERROR;
    }

    prefix->data = ngx_pnalloc(pool, sizeof("history///") - 1 + merchant->len
                                     + 2 * NGX_HTTP_PAYER_DIGEST_LEN);
    if (prefix->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(prefix->data, "history/%V/", merchant);
    p = ngx_hex_dump(p, digest, NGX_HTTP_PAYER_DIGEST_LEN);
    *p++ = '/';

    prefix->len = p - prefix->data;

    return NGX_OK;
}


static void
ngx_http_payer_history_texts(ngx_http_payer_history_t *history,
    ngx_str_t **texts)
{
    texts[0] = &history->what;
    texts[1] = &history->by;
    texts[2] = &history->result;
    texts[3] = &history->reason;
    texts[4] = &history->request_id;
    texts[5] = &history->payment_id;
}


static ngx_int_t
ngx_http_payer_history_encode(ngx_pool_t *pool,
    ngx_http_payer_history_t *history, ngx_str_t *value)
{
    size_t      len;
    u_char     *p;
    ngx_str_t  *texts[NGX_HTTP_PAYER_HISTORY_TEXTS];

    ngx_http_payer_history_texts(history, texts);

    len = ngx_http_payer_texts_len(texts, NGX_HTTP_PAYER_HISTORY_TEXTS);

    if (len == 0
        || NGX_HTTP_PAYER_HISTORY_HEAD + len > NGX_HTTP_PAYER_STORE_MAX_VALUE)
    {
        return NGX_ERROR;
    }

    value->len = NGX_HTTP_PAYER_HISTORY_HEAD + len;
    value->data = ngx_pnalloc(pool, value->len);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    p = value->data;

    *p++ = 'P';
    *p++ = 'H';
    *p++ = NGX_HTTP_PAYER_HISTORY_VERSION;
    *p++ = 0;

    p = ngx_http_payer_write_int(p, history->at);
    p = ngx_http_payer_write_int(p, history->amount);

    ngx_http_payer_write_texts(p, texts, NGX_HTTP_PAYER_HISTORY_TEXTS);

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_history_decode(ngx_str_t *value,
    ngx_http_payer_history_t *history)
{
    u_char     *p;
    ngx_str_t  *texts[NGX_HTTP_PAYER_HISTORY_TEXTS];

    p = value->data;

    if (value->len < NGX_HTTP_PAYER_HISTORY_HEAD
        || p[0] != 'P' || p[1] != 'H'
        || p[2] != NGX_HTTP_PAYER_HISTORY_VERSION || p[3] != 0)
    {
        return NGX_DECLINED;
    }

    history->at = ngx_http_payer_read_int(p + 4);
    history->amount = ngx_http_payer_read_int(p + 12);

    if (history->at < 0 || history->amount < -1) {
        return NGX_DECLINED;
    }

    ngx_http_payer_history_texts(history, texts);

    return ngx_http_payer_read_texts(p + NGX_HTTP_PAYER_HISTORY_HEAD,
                                     value->data + value->len, texts,
                                     NGX_HTTP_PAYER_HISTORY_TEXTS);
}


/* history/.../KIND/SLOT, which stays as long as the order does */

static ngx_int_t
ngx_http_payer_history_entry(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_history_t *history, const char *kind, ngx_str_t *slot,
    ngx_http_payer_store_entry_t *entry)
{
    size_t       len;
    ngx_str_t    prefix;
    ngx_pool_t  *pool;

    pool = ctx->request->pool;

    ngx_memzero(entry, sizeof(ngx_http_payer_store_entry_t));

    if (ngx_http_payer_history_prefix(pool, &ctx->conf->merchant->id,
                                      &ctx->record.reference, &prefix)
        != NGX_OK
        || ngx_http_payer_history_encode(pool, history, &entry->value)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    len = prefix.len + ngx_strlen(kind) + 1 + slot->len;

    if (len > NGX_HTTP_PAYER_STORE_MAX_KEY) {
        return NGX_ERROR;
    }

    entry->key.data = ngx_pnalloc(pool, len);
    if (entry->key.data == NULL) {
        return NGX_ERROR;
    }

    entry->key.len = ngx_sprintf(entry->key.data, "%V%s/%V", &prefix, kind,
                                 slot)
                     - entry->key.data;

    entry->expires = ngx_http_payer_keep_order(ctx->conf, &ctx->record);

    /* the change itself has priority over its history */

    entry->spare = 1;

    return NGX_OK;
}


/* one of 256 slots that are reused */

static ngx_int_t
ngx_http_payer_history_slot(ngx_pool_t *pool, ngx_str_t *id, ngx_str_t *slot)
{
    u_char  digest[NGX_HTTP_PAYER_DIGEST_LEN];

    if (ngx_http_payer_digest(id, 1, digest) != NGX_OK) {
        return NGX_ERROR;
    }

    slot->data = ngx_pnalloc(pool, 2);
    if (slot->data == NULL) {
        return NGX_ERROR;
    }

    slot->len = ngx_hex_dump(slot->data, digest, 1) - slot->data;

    return NGX_OK;
}


/* a change that is seen again is not a new entry */

static ngx_int_t
ngx_http_payer_history_first(ngx_str_t *stored, ngx_str_t *fresh)
{
    return NGX_DECLINED;
}


ngx_int_t
ngx_http_payer_history_link(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_store_entry_t *entry)
{
    ngx_http_payer_record_t   *record;
    ngx_http_payer_history_t   history;

    record = &ctx->record;

    if (!ctx->found || record->payment_id.len == 0) {
        return NGX_DECLINED;
    }

    ngx_memzero(&history, sizeof(ngx_http_payer_history_t));

    ngx_str_set(&history.what, "link");

    history.at = record->created;
    history.amount = record->amount;
    history.result = *ngx_http_payer_state_name(record->state);
    history.request_id = record->request_id;
    history.payment_id = record->payment_id;

    return ngx_http_payer_history_entry(ctx, &history, "link",
                                        &record->payment_id, entry);
}


ngx_int_t
ngx_http_payer_history_read(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_source_e source, ngx_http_payer_store_entry_t *entry)
{
    u_char                    *p;
    ngx_str_t                  slot, *name;
    ngx_http_payer_record_t   *record;
    ngx_http_payer_history_t   history;

    record = &ctx->record;

    if (source < NGX_HTTP_PAYER_BY_VERIFY || record->state == ctx->known
        || record->payment_id.len == 0)
    {
        return NGX_DECLINED;
    }

    name = ngx_http_payer_state_name(record->state);

    slot.len = record->payment_id.len + 1 + name->len;
    slot.data = ngx_pnalloc(ctx->request->pool, slot.len);
    if (slot.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(slot.data, record->payment_id.data,
                   record->payment_id.len);
    *p++ = '/';
    ngx_memcpy(p, name->data, name->len);

    ngx_memzero(&history, sizeof(ngx_http_payer_history_t));

    ngx_str_set(&history.what, "read");

    if (source == NGX_HTTP_PAYER_BY_EVENT) {
        ngx_str_set(&history.by, "event");

    } else if (source == NGX_HTTP_PAYER_BY_VERIFY) {
        ngx_str_set(&history.by, "verify");

    } else {
        ngx_str_set(&history.by, "reconcile");
    }

    history.at = ngx_time();
    history.amount = ngx_max(record->authorized, -1);
    history.result = *name;
    history.payment_id = record->payment_id;

    if (ngx_http_payer_history_entry(ctx, &history, "read", &slot, entry)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    entry->merge = ngx_http_payer_history_first;
    entry->when = ngx_http_payer_history_changed;

    return NGX_OK;
}


/* another request may have recorded it before, or the read may be rejected */

static ngx_int_t
ngx_http_payer_history_changed(ngx_str_t *before, ngx_str_t *after,
    ngx_str_t *fresh)
{
    ngx_str_t                 *name;
    ngx_http_payer_record_t    was, is;
    ngx_http_payer_history_t   history;

    if (ngx_http_payer_record_decode(after, &is) != NGX_OK
        || ngx_http_payer_history_decode(fresh, &history) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (before->len && ngx_http_payer_record_decode(before, &was) == NGX_OK
        && was.state == is.state)
    {
        return NGX_DECLINED;
    }

    name = ngx_http_payer_state_name(is.state);

    return (name->len == history.result.len
            && ngx_memcmp(name->data, history.result.data, name->len) == 0)
           ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_http_payer_history_event(ngx_http_payer_ctx_t *ctx, ngx_str_t *type,
    ngx_str_t *token, ngx_http_payer_store_entry_t *entry)
{
    ngx_str_t                  slot;
    ngx_http_payer_history_t   history;

    if (!ctx->found) {
        return NGX_DECLINED;
    }

    if (ngx_http_payer_history_slot(ctx->request->pool, token, &slot)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_memzero(&history, sizeof(ngx_http_payer_history_t));

    ngx_str_set(&history.what, "event");
    ngx_str_set(&history.by, "payer");

    history.at = ngx_time();
    history.amount = -1;
    history.result = *type;
    history.payment_id = ctx->record.payment_id;

    return ngx_http_payer_history_entry(ctx, &history, "event", &slot, entry);
}


ngx_int_t
ngx_http_payer_history_act(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_history_t *history, ngx_str_t *id,
    ngx_http_payer_store_entry_t *entry)
{
    ngx_str_t  slot;

    if (ngx_http_payer_history_slot(ctx->request->pool, id, &slot) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_payer_history_entry(ctx, history, "act", &slot, entry);
}


ngx_uint_t
ngx_http_payer_history_is_act(ngx_http_payer_history_t *history)
{
    ngx_uint_t  i;

    static ngx_str_t  names[] = {
        ngx_string("read"), ngx_string("link"), ngx_string("event")
    };

    if (history->by.len == 0) {
        return 0;
    }

    for (i = 1; i < sizeof(names) / sizeof(names[0]); i++) {
        if (history->what.len == names[i].len
            && ngx_memcmp(history->what.data, names[i].data, names[i].len)
               == 0)
        {
            return 0;
        }
    }

    /* reads requested by staff are "done", others show a state */

    return history->what.len != names[0].len
           || ngx_memcmp(history->what.data, names[0].data, names[0].len) != 0
           || (history->result.len == 4
               && ngx_memcmp(history->result.data, "done", 4) == 0);
}


ngx_int_t
ngx_http_payer_history_blank(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_history_t *history, ngx_str_t *key,
    ngx_http_payer_store_entry_t *entry)
{
    ngx_memzero(entry, sizeof(ngx_http_payer_store_entry_t));

    ngx_str_null(&history->by);
    ngx_str_null(&history->reason);

    entry->key = *key;

    /* it stays as long as it was to stay, and no longer */

    entry->expires = 1;

    return ngx_http_payer_history_encode(ctx->request->pool, history,
                                         &entry->value);
}
