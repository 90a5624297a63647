
/*
 * The book: captures and refunds that were done, in the order of time, for
 * payer_report.
 */


#ifndef _NGX_HTTP_PAYER_BOOK_H_INCLUDED_
#define _NGX_HTTP_PAYER_BOOK_H_INCLUDED_


#include "ngx_http_payer_module.h"
#include "ngx_http_payer_op.h"


typedef struct {
    time_t         at;                  /* when it was sent first */
    int64_t        amount;              /* -1: all that was left */
    ngx_str_t      operation;
    ngx_str_t      reference;           /* empty: not known here */
    ngx_str_t      payment_id;
    ngx_str_t      currency;            /* empty: not known here */
    ngx_str_t      request_id;
} ngx_http_payer_book_t;


/*
 * the entry to be written together with an operation that is done; the order
 * is that of ctx->record, if it has one: NGX_OK, NGX_DECLINED if it is none of
 * money that has moved, NGX_ERROR
 */
ngx_int_t ngx_http_payer_book_entry(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_op_t *op, const ngx_str_t *operation,
    ngx_str_t *payment_id, ngx_http_payer_store_entry_t *entry);

/* writes the entry of the operation as ngx_http_payer_ledger_write_with()
 * does, and that of the book with it */
ngx_int_t ngx_http_payer_book_write(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_source_e source, ngx_http_payer_store_entry_t *entry,
    ngx_http_payer_op_t *op, ngx_http_payer_call_e operation,
    ngx_str_t *payment_id);

/* NGX_OK, or NGX_DECLINED for bytes that are none; texts point into "value" */
ngx_int_t ngx_http_payer_book_decode(ngx_str_t *value,
    ngx_http_payer_book_t *book);

/* book/MERCHANT/, and behind which key entries of this time begin, and those
 * of the next one end: NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_payer_book_prefix(ngx_pool_t *pool, ngx_str_t *merchant,
    ngx_str_t *prefix);
ngx_int_t ngx_http_payer_book_after(ngx_pool_t *pool, ngx_str_t *merchant,
    time_t time, ngx_str_t *key);


#endif /* _NGX_HTTP_PAYER_BOOK_H_INCLUDED_ */
