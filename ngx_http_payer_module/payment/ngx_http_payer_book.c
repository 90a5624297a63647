
/*
 * The book: captures and refunds that were done, ordered by time.
 *
 * The key is book/MERCHANT/TIME/REQUEST-ID, with the time at which the
 * operation was sent first.  So each request that finds that it was done
 * writes the same entry.
 *
 * The amount of a capture of the whole remaining amount depends on the other
 * captures of the payment, some of which may be known later: it is calculated
 * when the entry is read.
 *
 * Format 1, integers little-endian: "PB", version, zero, four zeros, the time,
 * the amount, texts: operation, reference, payment id, currency, request id.
 */


#include "ngx_http_payer_book.h"
#include "ngx_http_payer_codec.h"
#include "ngx_http_payer_keep.h"
#include "ngx_http_payer_ledger.h"


#define NGX_HTTP_PAYER_BOOK_VERSION  1
#define NGX_HTTP_PAYER_BOOK_HEAD     24
#define NGX_HTTP_PAYER_BOOK_TEXTS    5

/* as a time is written in a key: in the order of time for some centuries */

#define NGX_HTTP_PAYER_BOOK_DIGITS   "%010T"


static ngx_uint_t ngx_http_payer_book_is(const ngx_str_t *operation,
    ngx_http_payer_call_e call);
static ngx_int_t ngx_http_payer_book_encode(ngx_pool_t *pool,
    ngx_http_payer_book_t *book, ngx_str_t *value);
static void ngx_http_payer_book_texts(ngx_http_payer_book_t *book,
    ngx_str_t **texts);
static ngx_int_t ngx_http_payer_book_merge(ngx_str_t *stored,
    ngx_str_t *fresh);


ngx_int_t
ngx_http_payer_book_entry(ngx_http_payer_ctx_t *ctx, ngx_http_payer_op_t *op,
    const ngx_str_t *operation, ngx_str_t *payment_id,
    ngx_http_payer_store_entry_t *entry)
{
    u_char                 *p;
    ngx_str_t              *merchant;
    ngx_pool_t             *pool;
    ngx_http_payer_book_t   book;

    if (op->state != NGX_HTTP_PAYER_OP_DONE
        || (!ngx_http_payer_book_is(operation, NGX_HTTP_PAYER_CALL_CAPTURE)
            && !ngx_http_payer_book_is(operation, NGX_HTTP_PAYER_CALL_REFUND)))
    {
        return NGX_DECLINED;
    }

    ngx_memzero(entry, sizeof(ngx_http_payer_store_entry_t));
    ngx_memzero(&book, sizeof(ngx_http_payer_book_t));

    book.at = op->created;
    book.amount = op->amount;
    book.operation = *operation;
    book.payment_id = *payment_id;
    book.request_id = op->request_id;

    book.reference = ctx->record.reference;
    book.currency = ctx->record.currency;

    pool = ctx->request->pool;
    merchant = &ctx->conf->merchant->id;

    p = ngx_pnalloc(pool, sizeof("book///") + merchant->len + NGX_TIME_T_LEN
                          + op->request_id.len);

    if (p == NULL
        || ngx_http_payer_book_encode(pool, &book, &entry->value) != NGX_OK)
    {
        return NGX_ERROR;
    }

    entry->key.data = p;
    entry->key.len = ngx_sprintf(p, "book/%V/" NGX_HTTP_PAYER_BOOK_DIGITS
                                 "/%V", merchant, op->created,
                                 &op->request_id)
                     - p;

    entry->merge = ngx_http_payer_book_merge;
    entry->expires = ngx_http_payer_keep_operation(ctx->conf);

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_book_write(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_source_e source, ngx_http_payer_store_entry_t *entry,
    ngx_http_payer_op_t *op, ngx_http_payer_call_e operation,
    ngx_str_t *payment_id)
{
    ngx_int_t                     rc;
    ngx_http_payer_store_entry_t  entries[2];

    rc = ngx_http_payer_book_entry(ctx, op,
                                   &ngx_http_payer_api_type(operation)->name,
                                   payment_id, &entries[1]);
    if (rc == NGX_ERROR) {
        ctx->io.rc = NGX_ERROR;
        return NGX_ERROR;
    }

    entries[0] = *entry;

    return ngx_http_payer_ledger_write_all(ctx, source, entries,
                                           rc == NGX_OK ? 2 : 1);
}


static ngx_uint_t
ngx_http_payer_book_is(const ngx_str_t *operation, ngx_http_payer_call_e call)
{
    const ngx_str_t  *name;

    name = &ngx_http_payer_api_type(call)->name;

    return operation->len == name->len
           && ngx_memcmp(operation->data, name->data, name->len) == 0;
}


/* an entry with the order is not replaced by one without it */

static ngx_int_t
ngx_http_payer_book_merge(ngx_str_t *stored, ngx_str_t *fresh)
{
    ngx_http_payer_book_t  old, new;

    if (ngx_http_payer_book_decode(stored, &old) != NGX_OK
        || ngx_http_payer_book_decode(fresh, &new) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    return (old.reference.len == 0 && new.reference.len) ? NGX_OK
                                                         : NGX_DECLINED;
}


static void
ngx_http_payer_book_texts(ngx_http_payer_book_t *book, ngx_str_t **texts)
{
    texts[0] = &book->operation;
    texts[1] = &book->reference;
    texts[2] = &book->payment_id;
    texts[3] = &book->currency;
    texts[4] = &book->request_id;
}


static ngx_int_t
ngx_http_payer_book_encode(ngx_pool_t *pool, ngx_http_payer_book_t *book,
    ngx_str_t *value)
{
    size_t      len;
    u_char     *p;
    ngx_str_t  *texts[NGX_HTTP_PAYER_BOOK_TEXTS];

    ngx_http_payer_book_texts(book, texts);

    len = ngx_http_payer_texts_len(texts, NGX_HTTP_PAYER_BOOK_TEXTS);
    if (len == 0) {
        return NGX_ERROR;
    }

    value->len = NGX_HTTP_PAYER_BOOK_HEAD + len;

    p = ngx_pnalloc(pool, value->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value->data = p;

    *p++ = 'P';
    *p++ = 'B';
    *p++ = NGX_HTTP_PAYER_BOOK_VERSION;

    ngx_memzero(p, 5);

    p = ngx_http_payer_write_int(p + 5, book->at);
    p = ngx_http_payer_write_int(p, book->amount);

    (void) ngx_http_payer_write_texts(p, texts, NGX_HTTP_PAYER_BOOK_TEXTS);

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_book_decode(ngx_str_t *value, ngx_http_payer_book_t *book)
{
    u_char     *p;
    ngx_str_t  *texts[NGX_HTTP_PAYER_BOOK_TEXTS];

    p = value->data;

    if (value->len < NGX_HTTP_PAYER_BOOK_HEAD || p[0] != 'P' || p[1] != 'B'
        || p[2] != NGX_HTTP_PAYER_BOOK_VERSION)
    {
        return NGX_DECLINED;
    }

    book->at = ngx_http_payer_read_int(p + 8);
    book->amount = ngx_http_payer_read_int(p + 16);

    if (book->at < 0 || book->amount < -1) {
        return NGX_DECLINED;
    }

    ngx_http_payer_book_texts(book, texts);

    return ngx_http_payer_read_texts(p + NGX_HTTP_PAYER_BOOK_HEAD,
                                     value->data + value->len, texts,
                                     NGX_HTTP_PAYER_BOOK_TEXTS);
}


ngx_int_t
ngx_http_payer_book_prefix(ngx_pool_t *pool, ngx_str_t *merchant,
    ngx_str_t *prefix)
{
    prefix->data = ngx_pnalloc(pool, sizeof("book//") - 1 + merchant->len);
    if (prefix->data == NULL) {
        return NGX_ERROR;
    }

    prefix->len = ngx_sprintf(prefix->data, "book/%V/", merchant)
                  - prefix->data;

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_book_after(ngx_pool_t *pool, ngx_str_t *merchant, time_t time,
    ngx_str_t *key)
{
    key->data = ngx_pnalloc(pool, sizeof("book//") + merchant->len
                                  + NGX_TIME_T_LEN);
    if (key->data == NULL) {
        return NGX_ERROR;
    }

    key->len = ngx_sprintf(key->data, "book/%V/" NGX_HTTP_PAYER_BOOK_DIGITS,
                           merchant, time)
               - key->data;

    return NGX_OK;
}
