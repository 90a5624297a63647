
/*
 * The other stored operations of the same type on a payment.
 */


#include "ngx_http_payer_sums.h"
#include "ngx_http_payer_api.h"
#include "ngx_http_payer_ledger.h"


ngx_int_t
ngx_http_payer_sums(ngx_http_payer_ctx_t *ctx, ngx_http_payer_sums_t *sums,
    ngx_http_payer_call_e operation, ngx_str_t *payment_id, ngx_str_t *key)
{
    ngx_str_t  none;

    ngx_memzero(sums, sizeof(ngx_http_payer_sums_t));

    ngx_str_null(&none);

    sums->except = *key;

    return ngx_http_payer_op_key(ctx->request->pool,
                                 &ctx->conf->merchant->id, payment_id,
                                 &ngx_http_payer_api_type(operation)->name,
                                 &none, &sums->prefix);
}


ngx_int_t
ngx_http_payer_sums_run(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_sums_t *sums)
{
    ngx_int_t   rc;
    ngx_str_t  *key;

    key = &ctx->io.key;

    for ( ;; ) {
        rc = ngx_http_payer_sums_next(ctx, sums);

        if (rc == NGX_AGAIN) {
            return NGX_AGAIN;
        }

        if (rc == NGX_DECLINED) {
            return NGX_OK;
        }

        if (rc != NGX_OK) {
            sums->others.vague++;
            return NGX_OK;
        }

        if (key->len != sums->except.len
            || ngx_memcmp(key->data, sums->except.data, key->len) != 0)
        {
            ngx_http_payer_op_outcome_other(&sums->others, &ctx->io.value);
        }
    }
}


ngx_int_t
ngx_http_payer_sums_next(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_sums_t *sums)
{
    ngx_int_t  rc;

    rc = ngx_http_payer_ledger_next(ctx, &sums->prefix, &sums->after);

    if (rc == NGX_OK) {
        sums->after = ctx->io.key;
    }

    return rc;
}
