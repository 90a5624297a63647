
/*
 * The ledger: a payment's record between the handlers and the store.  Reading
 * parks the flow if the store needs time; writing continues when the request
 * has gone.
 */


#ifndef _NGX_HTTP_PAYER_LEDGER_H_INCLUDED_
#define _NGX_HTTP_PAYER_LEDGER_H_INCLUDED_


#include "ngx_http_payer_module.h"


/*
 * reads the record of the reference into ctx->record: NGX_OK (ctx->found says
 * whether there is one), NGX_AGAIN when the request is parked (call it again),
 * NGX_ERROR (logged) when the store failed or the record is damaged
 */
ngx_int_t ngx_http_payer_ledger_find(ngx_http_payer_ctx_t *ctx,
    ngx_str_t *reference);

/* the same by the payment id, through the reference that it belongs to */
ngx_int_t ngx_http_payer_ledger_find_payment(ngx_http_payer_ctx_t *ctx,
    ngx_str_t *payment_id);

/*
 * writes ctx->record under its reference, with its payment id as an alias:
 * NGX_OK, NGX_AGAIN when the commit is in progress and ctx->io.pending is set,
 * NGX_ERROR (logged)
 */
ngx_int_t ngx_http_payer_ledger_write(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_source_e source);

/*
 * the same together with an entry of another kind, all or nothing; the entry
 * alone if no record was found
 */
ngx_int_t ngx_http_payer_ledger_write_with(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_source_e source, ngx_http_payer_store_entry_t *entry);

/* the same with up to four others, of which the caller keeps the array */
ngx_int_t ngx_http_payer_ledger_write_all(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_source_e source, ngx_http_payer_store_entry_t *others,
    ngx_uint_t nothers);

/*
 * what is stored under the key into ctx->io.value: NGX_OK, NGX_DECLINED if
 * there is nothing, NGX_AGAIN (call it again), NGX_ERROR (logged)
 */
ngx_int_t ngx_http_payer_ledger_get(ngx_http_payer_ctx_t *ctx,
    ngx_str_t *key);

/* applies a read of Payer to ctx->record */
void ngx_http_payer_ledger_apply(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_json_payment_t *payment);

/*
 * reads into ctx->record what is stored after the last write, which may be
 * more than was written: NGX_OK or NGX_ERROR
 */
ngx_int_t ngx_http_payer_ledger_reread(ngx_http_payer_ctx_t *ctx);

/* writes that the event of this key and type was delivered, as above */
ngx_int_t ngx_http_payer_ledger_write_event(ngx_http_payer_ctx_t *ctx,
    ngx_str_t *key, ngx_str_t *type);

/*
 * the first entry that begins with "prefix" and is greater than "after", into
 * ctx->io.key and value: NGX_OK, NGX_DECLINED, NGX_ERROR, or NGX_AGAIN (call
 * again)
 */
ngx_int_t ngx_http_payer_ledger_next(ngx_http_payer_ctx_t *ctx,
    ngx_str_t *prefix, ngx_str_t *after);

/*
 * claims the order for one request at a time, as ngx_http_payer_flow_claim()
 * and ngx_http_payer_flow_try() do
 */
ngx_int_t ngx_http_payer_ledger_claim(ngx_http_payer_ctx_t *ctx);
ngx_int_t ngx_http_payer_ledger_try(ngx_http_payer_ctx_t *ctx);

/*
 * releases the claim for the next request that waits; or wakes all of them,
 * when what they wait for is stored
 */
void ngx_http_payer_ledger_unclaim(ngx_http_payer_ctx_t *ctx);
void ngx_http_payer_ledger_settled(ngx_http_payer_ctx_t *ctx);


#endif /* _NGX_HTTP_PAYER_LEDGER_H_INCLUDED_ */
