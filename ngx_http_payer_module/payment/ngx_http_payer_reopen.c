
/*
 * Links of payer_link that reopen an order.
 *
 * The entry is for this one link, and names the payment that had ended when
 * the link was created.  So it neither makes older links of the order valid
 * again, nor does it reopen an order that is cancelled once more.
 */


#include "ngx_http_payer_reopen.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_keep.h"
#include "ngx_http_payer_ledger.h"


static ngx_int_t ngx_http_payer_reopen_read(ngx_http_payer_ctx_t *ctx,
    const char *kind, ngx_str_t *text);
static ngx_int_t ngx_http_payer_reopen_key(ngx_http_payer_ctx_t *ctx,
    const char *kind, ngx_str_t *text, ngx_str_t *key);


ngx_int_t
ngx_http_payer_reopen_link(ngx_http_payer_ctx_t *ctx, ngx_str_t *message,
    time_t expires, ngx_http_payer_store_entry_t *entry)
{
    ngx_memzero(entry, sizeof(ngx_http_payer_store_entry_t));

    entry->value = ctx->record.payment_id;
    entry->expires = expires;

    return ngx_http_payer_reopen_key(ctx, "link", message, &entry->key);
}


ngx_int_t
ngx_http_payer_reopen_order(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_store_entry_t *entry)
{
    ngx_memzero(entry, sizeof(ngx_http_payer_store_entry_t));

    entry->value = ctx->record.payment_id;
    entry->expires = ngx_http_payer_keep_order(ctx->conf, &ctx->record);

    return ngx_http_payer_reopen_key(ctx, "reopen", &ctx->record.reference,
                                     &entry->key);
}


ngx_int_t
ngx_http_payer_reopen_ask_order(ngx_http_payer_ctx_t *ctx)
{
    return ngx_http_payer_reopen_read(ctx, "reopen", &ctx->order.reference);
}


ngx_int_t
ngx_http_payer_reopen_ask(ngx_http_payer_ctx_t *ctx, ngx_str_t *message)
{
    return ngx_http_payer_reopen_read(ctx, "link", message);
}


static ngx_int_t
ngx_http_payer_reopen_read(ngx_http_payer_ctx_t *ctx, const char *kind,
    ngx_str_t *text)
{
    ngx_int_t  rc;
    ngx_str_t  key, *value;

    ngx_str_null(&key);

    if (!ctx->asked
        && ngx_http_payer_reopen_key(ctx, kind, text, &key) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_http_payer_ledger_get(ctx, &key);

    if (rc == NGX_DECLINED) {
        return NGX_OK;
    }

    if (rc != NGX_OK) {
        return rc;
    }

    /* the value is freed when the order is looked up again */

    value = &ctx->io.value;

    ctx->reopened.data = ngx_pstrdup(ctx->pool, value);
    if (ctx->reopened.data == NULL) {
        return NGX_ERROR;
    }

    ctx->reopened.len = value->len;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_reopen_key(ngx_http_payer_ctx_t *ctx, const char *kind,
    ngx_str_t *text, ngx_str_t *key)
{
    u_char     *p;
    u_char      digest[NGX_HTTP_PAYER_DIGEST_LEN];
    ngx_str_t  *merchant;

    merchant = &ctx->conf->merchant->id;

    if (ngx_http_payer_digest(text, 1, digest) != NGX_OK) {
        return NGX_ERROR;
    }

    key->len = ngx_strlen(kind) + 2 + merchant->len
               + 2 * NGX_HTTP_PAYER_DIGEST_LEN;

    key->data = ngx_pnalloc(ctx->pool, key->len);
    if (key->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(key->data, "%s/%V/", kind, merchant);

    (void) ngx_hex_dump(p, digest, NGX_HTTP_PAYER_DIGEST_LEN);

    return NGX_OK;
}
