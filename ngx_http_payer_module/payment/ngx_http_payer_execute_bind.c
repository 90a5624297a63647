
/*
 * The payment that the order had when an idempotency key was first used with
 * its reference.
 */


#include "ngx_http_payer_execute.h"
#include "ngx_http_payer_keep.h"
#include "ngx_http_payer_ledger.h"
#include "ngx_http_payer_log.h"


static ngx_int_t ngx_http_payer_execute_bind_key(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_call_e operation, ngx_str_t *reference, ngx_str_t *id,
    ngx_str_t *key);
static ngx_int_t ngx_http_payer_execute_bind_merge(ngx_str_t *stored,
    ngx_str_t *fresh);


/* key/MERCHANT/OPERATION/DIGEST of the number and the caller's key */

static ngx_int_t
ngx_http_payer_execute_bind_key(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_call_e operation, ngx_str_t *reference, ngx_str_t *id,
    ngx_str_t *key)
{
    u_char           *p;
    ngx_str_t         texts[2], *merchant;
    const ngx_str_t  *name;
    u_char            digest[NGX_HTTP_PAYER_DIGEST_LEN];

    merchant = &ctx->conf->merchant->id;
    name = &ngx_http_payer_api_type(operation)->name;

    texts[0] = *reference;
    texts[1] = *id;

    if (ngx_http_payer_digest(texts, 2, digest) != NGX_OK) {
        return NGX_ERROR;
    }

    key->data = ngx_pnalloc(ctx->request->pool,
                            sizeof("key///") - 1 + merchant->len + name->len
                            + 2 * NGX_HTTP_PAYER_DIGEST_LEN);
    if (key->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(key->data, "key/%V/%V/", merchant, name);
    p = ngx_hex_dump(p, digest, NGX_HTTP_PAYER_DIGEST_LEN);

    key->len = p - key->data;

    return NGX_OK;
}


/* the first use counts */

static ngx_int_t
ngx_http_payer_execute_bind_merge(ngx_str_t *stored, ngx_str_t *fresh)
{
    return NGX_DECLINED;
}


ngx_int_t
ngx_http_payer_execute_bind(ngx_http_payer_execution_t *ex,
    ngx_http_payer_store_entry_t *entry)
{
    ngx_http_payer_ctx_t  *ctx;

    ctx = ex->ctx;

    if (ex->call
        || ex->id.len == 0
        || ex->params->reference.len == 0
        || ex->params->payment_id.len)
    {
        return NGX_DECLINED;
    }

    if (ngx_http_payer_execute_bind_key(ctx, ex->operation,
                                        &ex->params->reference, &ex->id,
                                        &entry->key)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    entry->value = ctx->record.payment_id;
    entry->expires = ngx_http_payer_keep_operation(ctx->conf);
    entry->merge = ngx_http_payer_execute_bind_merge;

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_execute_bound(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_call_e operation, ngx_str_t *reference, ngx_str_t *id)
{
    ngx_int_t   rc;
    ngx_str_t   key, *bound;

    if (ngx_http_payer_execute_bind_key(ctx, operation, reference, id, &key)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_http_payer_ledger_get(ctx, &key);

    if (rc != NGX_OK) {
        return rc == NGX_DECLINED ? NGX_OK : rc;
    }

    bound = &ctx->io.value;

    if (ngx_http_payer_check_payment_id(bound) != NGX_OK) {
        ngx_http_payer_log(NGX_LOG_ERR, ctx,
                           "the record \"%V\" could not be read", &key);
        return NGX_ERROR;
    }

    if (bound->len != ctx->record.payment_id.len
        || ngx_memcmp(bound->data, ctx->record.payment_id.data, bound->len)
           != 0)
    {
        ctx->found = 0;
        ctx->record.payment_id = *bound;
    }

    return NGX_OK;
}
