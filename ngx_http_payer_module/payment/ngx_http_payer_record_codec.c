
/*
 * The bytes of an order's record.
 *
 * Format 3, integers little-endian:
 *
 *      0  "PR"           16  authorized     72  refunded
 *      2  version, 3     24  captured       80  wanted
 *      3  state          32  created        88  wanted currency
 *      4  flags          40  updated        96  words
 *      5  source         48  expires       104  signed until
 *      6  doubts         56  ticket,       112  texts, each as two bytes of
 *      8  amount             16 bytes           length and so many of text:
 *                                               reference, payment id, url,
 *                                               currency, status, request id,
 *                                               notify, lookup, server
 *
 * The head has a fixed size so that a merge can correct it in place.  Two
 * formats are read and not written any more: format 2 has the first six texts
 * only, and format 1 has no ticket either and nothing of what follows it, its
 * texts begin at 56.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_codec.h"
#include "ngx_http_payer_record.h"


#define NGX_HTTP_PAYER_RECORD_VERSION     3
#define NGX_HTTP_PAYER_RECORD_HEAD        112
#define NGX_HTTP_PAYER_RECORD_TICKET      56        /* of the ticket */
#define NGX_HTTP_PAYER_RECORD_TEXTS       9
#define NGX_HTTP_PAYER_RECORD_FIRST_TEXTS 6         /* of formats 1, 2 */

#define NGX_HTTP_PAYER_RECORD_UNKNOWN     0x01      /* flags */
#define NGX_HTTP_PAYER_RECORD_CLOSED      0x02
#define NGX_HTTP_PAYER_RECORD_REST_GONE   0x04
#define NGX_HTTP_PAYER_RECORD_FLAGS       0x07


static void ngx_http_payer_record_texts(ngx_http_payer_record_t *record,
    ngx_str_t **texts);
static ngx_int_t ngx_http_payer_record_read_more(u_char *p,
    ngx_http_payer_record_t *record);
static size_t ngx_http_payer_record_head(ngx_str_t *value);
static size_t ngx_http_payer_record_read_head(ngx_str_t *value,
    ngx_http_payer_record_t *record);


ngx_int_t
ngx_http_payer_record_encode(ngx_pool_t *pool,
    ngx_http_payer_record_t *record, ngx_str_t *value)
{
    size_t      len;
    ngx_str_t  *texts[NGX_HTTP_PAYER_RECORD_TEXTS];

    ngx_http_payer_record_texts(record, texts);

    len = ngx_http_payer_texts_len(texts, NGX_HTTP_PAYER_RECORD_TEXTS);

    if (len == 0
        || NGX_HTTP_PAYER_RECORD_HEAD + len > NGX_HTTP_PAYER_STORE_MAX_VALUE)
    {
        return NGX_ERROR;
    }

    len += NGX_HTTP_PAYER_RECORD_HEAD;

    value->data = ngx_pnalloc(pool, len);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    value->len = len;

    ngx_http_payer_record_write_head(value->data, record);

    ngx_http_payer_write_texts(value->data + NGX_HTTP_PAYER_RECORD_HEAD,
                               texts, NGX_HTTP_PAYER_RECORD_TEXTS);

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_record_decode(ngx_str_t *value,
    ngx_http_payer_record_t *record)
{
    u_char      *p;
    size_t       head;
    ngx_str_t   *texts[NGX_HTTP_PAYER_RECORD_TEXTS];
    ngx_uint_t   n;

    head = ngx_http_payer_record_read_head(value, record);

    if (head == 0) {
        return NGX_DECLINED;
    }

    p = value->data;

    ngx_http_payer_record_texts(record, texts);

    n = NGX_HTTP_PAYER_RECORD_TEXTS;

    if (p[2] != NGX_HTTP_PAYER_RECORD_VERSION) {
        n = NGX_HTTP_PAYER_RECORD_FIRST_TEXTS;

        ngx_str_null(&record->notify);
        ngx_str_null(&record->lookup);
        ngx_str_null(&record->server);
    }

    return ngx_http_payer_read_texts(p + head, value->data + value->len, texts,
                                     n);
}


ngx_int_t
ngx_http_payer_record_peek(ngx_str_t *value, ngx_http_payer_record_t *record)
{
    return ngx_http_payer_record_read_head(value, record) ? NGX_OK
                                                          : NGX_DECLINED;
}


/* the size of the head, 0 if it is none */

static size_t
ngx_http_payer_record_read_head(ngx_str_t *value,
    ngx_http_payer_record_t *record)
{
    u_char  *p;
    size_t   head;

    p = value->data;
    head = ngx_http_payer_record_head(value);

    if (head == 0
        || p[3] < NGX_HTTP_PAYER_CREATING || p[3] > NGX_HTTP_PAYER_STATES
        || (p[4] & ~NGX_HTTP_PAYER_RECORD_FLAGS) != 0
        || p[5] > NGX_HTTP_PAYER_BY_RECONCILE)
    {
        return 0;
    }

    record->state = p[3];
    record->source = p[5];
    record->unknown = (p[4] & NGX_HTTP_PAYER_RECORD_UNKNOWN) ? 1 : 0;
    record->closed = (p[4] & NGX_HTTP_PAYER_RECORD_CLOSED) ? 1 : 0;
    record->rest_gone = (p[4] & NGX_HTTP_PAYER_RECORD_REST_GONE) ? 1 : 0;
    record->doubts = p[6] | p[7] << 8;
    record->amount = ngx_http_payer_read_int(p + 8);
    record->authorized = ngx_http_payer_read_int(p + 16);
    record->captured = ngx_http_payer_read_int(p + 24);
    record->created = ngx_http_payer_read_int(p + 32);
    record->updated = ngx_http_payer_read_int(p + 40);
    record->expires = ngx_http_payer_read_int(p + 48);

    if (record->amount < 0 || record->authorized < -1 || record->captured < -1
        || record->created < 0 || record->updated < 0 || record->expires < 0)
    {
        return 0;
    }

    if (ngx_http_payer_record_read_more(head > NGX_HTTP_PAYER_RECORD_TICKET
                                        ? p + NGX_HTTP_PAYER_RECORD_TICKET
                                        : NULL, record)
        != NGX_OK)
    {
        return 0;
    }

    return head;
}


/* what format 1 does not have ("p" is NULL then): NGX_OK, NGX_DECLINED */

static ngx_int_t
ngx_http_payer_record_read_more(u_char *p, ngx_http_payer_record_t *record)
{
    if (p == NULL) {
        ngx_memzero(record->ticket, NGX_HTTP_PAYER_TICKET_LEN);
        ngx_memzero(record->wanted_currency, NGX_HTTP_PAYER_CURRENCY_LEN);

        record->refunded = -1;
        record->wanted = 0;
        record->words = 0;
        record->signed_until = 0;

        return NGX_OK;
    }

    ngx_memcpy(record->ticket, p, NGX_HTTP_PAYER_TICKET_LEN);
    p += NGX_HTTP_PAYER_TICKET_LEN;

    record->refunded = ngx_http_payer_read_int(p);
    record->wanted = ngx_http_payer_read_int(p + 8);
    ngx_memcpy(record->wanted_currency, p + 16, NGX_HTTP_PAYER_CURRENCY_LEN);
    record->words = ngx_http_payer_read_int(p + 24);
    record->signed_until = ngx_http_payer_read_int(p + 32);

    return (record->refunded < -1 || record->wanted < 0 || record->words < 0
            || record->signed_until < 0
            || ngx_http_payer_read_int(p + 16) >> 24 != 0) ? NGX_DECLINED
                                                          : NGX_OK;
}


/* the size of the head, 0 for bytes that have none of a version we know */

static size_t
ngx_http_payer_record_head(ngx_str_t *value)
{
    size_t   head;
    u_char  *p;

    p = value->data;

    if (value->len < NGX_HTTP_PAYER_RECORD_TICKET || p[0] != 'P'
        || p[1] != 'R')
    {
        return 0;
    }

    switch (p[2]) {

    case 1:
        head = NGX_HTTP_PAYER_RECORD_TICKET;
        break;

    case 2:
    case NGX_HTTP_PAYER_RECORD_VERSION:
        head = NGX_HTTP_PAYER_RECORD_HEAD;
        break;

    default:
        return 0;
    }

    return value->len < head ? 0 : head;
}


static void
ngx_http_payer_record_texts(ngx_http_payer_record_t *record,
    ngx_str_t **texts)
{
    texts[0] = &record->reference;
    texts[1] = &record->payment_id;
    texts[2] = &record->url;
    texts[3] = &record->currency;
    texts[4] = &record->status;
    texts[5] = &record->request_id;
    texts[6] = &record->notify;
    texts[7] = &record->lookup;
    texts[8] = &record->server;
}


void
ngx_http_payer_record_write_head(u_char *p, ngx_http_payer_record_t *record)
{
    *p++ = 'P';
    *p++ = 'R';
    *p++ = NGX_HTTP_PAYER_RECORD_VERSION;
    *p++ = (u_char) record->state;
    *p++ = (record->unknown ? NGX_HTTP_PAYER_RECORD_UNKNOWN : 0)
           | (record->closed ? NGX_HTTP_PAYER_RECORD_CLOSED : 0)
           | (record->rest_gone ? NGX_HTTP_PAYER_RECORD_REST_GONE : 0);
    *p++ = (u_char) record->source;
    *p++ = (u_char) (record->doubts & 0xff);
    *p++ = (u_char) (record->doubts >> 8 & 0xff);

    p = ngx_http_payer_write_int(p, record->amount);
    p = ngx_http_payer_write_int(p, record->authorized);
    p = ngx_http_payer_write_int(p, record->captured);
    p = ngx_http_payer_write_int(p, record->created);
    p = ngx_http_payer_write_int(p, record->updated);
    p = ngx_http_payer_write_int(p, record->expires);
    p = ngx_cpymem(p, record->ticket, NGX_HTTP_PAYER_TICKET_LEN);
    p = ngx_http_payer_write_int(p, record->refunded);
    p = ngx_http_payer_write_int(p, record->wanted);

    ngx_memzero(p, 8);
    ngx_memcpy(p, record->wanted_currency, NGX_HTTP_PAYER_CURRENCY_LEN);

    p = ngx_http_payer_write_int(p + 8, record->words);
    (void) ngx_http_payer_write_int(p, record->signed_until);
}


ngx_uint_t
ngx_http_payer_record_current(ngx_str_t *value)
{
    return value->data[2] == NGX_HTTP_PAYER_RECORD_VERSION;
}
