
/*
 * The bytes of a notification, and its keys.
 *
 * Format 1, integers little-endian:
 *
 *      0  "PN"              10  attempts       56  created
 *      2  version, 1        12  round          64  since
 *      3  type              16  amount         72  due
 *      4  state             24  authorized     80  texts, each as two bytes
 *      5  of the payment    32  captured           of length and so many of
 *      6  two zeros         40  refunded           text: id, reference,
 *      8  status            48  made               payment id, currency, uri,
 *                                                  lookup, server, reason
 *
 * The head has a fixed size so that it can be corrected in place.
 */


#include "ngx_http_payer_notice.h"
#include "ngx_http_payer_codec.h"


#define NGX_HTTP_PAYER_NOTICE_VERSION  1
#define NGX_HTTP_PAYER_NOTICE_HEAD     80
#define NGX_HTTP_PAYER_NOTICE_TEXTS    8

#define NGX_HTTP_PAYER_NOTICE_OWED_KEY  "notify/"
#define NGX_HTTP_PAYER_NOTICE_TOLD_KEY  "told/"


static void ngx_http_payer_notice_texts(ngx_http_payer_notice_t *notice,
    ngx_str_t **texts);
static u_char *ngx_http_payer_notice_write_short(u_char *p, ngx_uint_t n);
static ngx_int_t ngx_http_payer_notice_moved_key(ngx_pool_t *pool,
    ngx_str_t *key, const char *from, const char *to, ngx_str_t *moved);


ngx_int_t
ngx_http_payer_notice_init(ngx_pool_t *pool, ngx_str_t *merchant,
    ngx_http_payer_notice_e type, ngx_http_payer_record_t *record,
    ngx_http_payer_notice_t *notice)
{
    u_char     *p, sum[NGX_INT64_LEN];
    ngx_str_t   texts[5];

    static ngx_str_t  salt = ngx_string("payer_notify");

    ngx_memzero(notice, sizeof(ngx_http_payer_notice_t));

    notice->type = type;
    notice->state = NGX_HTTP_PAYER_NOTICE_OWED;

    ngx_http_payer_notice_about(notice, record);

    notice->reference = record->reference;
    notice->payment_id = record->payment_id;
    notice->currency = record->currency;
    notice->uri = record->notify;
    notice->lookup = record->lookup;
    notice->server = record->server;

    /* the same change has the same id on all hosts */

    p = ngx_pnalloc(pool, NGX_HTTP_PAYER_UUID_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    notice->id.data = p;
    notice->id.len = NGX_HTTP_PAYER_UUID_LEN;

    texts[0] = salt;
    texts[1] = *merchant;
    texts[2] = record->payment_id;
    texts[3] = *ngx_http_payer_notice_type(type);
    texts[4].data = sum;
    texts[4].len = ngx_sprintf(sum, "%L", ngx_http_payer_notice_sum(notice))
                   - sum;

    return ngx_http_payer_uuid_of(texts, 5, p);
}


int64_t
ngx_http_payer_notice_sum(ngx_http_payer_notice_t *notice)
{
    int64_t  sum;

    switch (notice->type) {

    case NGX_HTTP_PAYER_NOTICE_CAPTURED:
        sum = notice->captured;
        break;

    case NGX_HTTP_PAYER_NOTICE_REFUNDED:
        sum = notice->refunded;
        break;

    default:
        sum = 0;
        break;
    }

    return ngx_max(sum, 0);
}


ngx_int_t
ngx_http_payer_notice_key(ngx_pool_t *pool, ngx_str_t *merchant,
    ngx_http_payer_notice_t *notice, ngx_str_t *key)
{
    u_char     *p;
    ngx_str_t  *type;

    type = ngx_http_payer_notice_type(notice->type);

    key->len = sizeof(NGX_HTTP_PAYER_NOTICE_OWED_KEY "///-") - 1
               + merchant->len + notice->reference.len
               + notice->payment_id.len + type->len + NGX_INT64_LEN;

    p = ngx_pnalloc(pool, key->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    key->data = p;

    p = ngx_sprintf(p, NGX_HTTP_PAYER_NOTICE_OWED_KEY "%V/%V/%V/%V",
                    merchant, &notice->reference, &notice->payment_id, type);

    if (ngx_http_payer_notice_sum(notice)) {
        p = ngx_sprintf(p, "-%L", ngx_http_payer_notice_sum(notice));
    }

    key->len = p - key->data;

    return key->len <= NGX_HTTP_PAYER_STORE_MAX_KEY ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_payer_notice_prefix(ngx_pool_t *pool, ngx_str_t *merchant,
    ngx_str_t *reference, ngx_str_t *prefix)
{
    u_char  *p;

    prefix->len = sizeof(NGX_HTTP_PAYER_NOTICE_OWED_KEY "//") - 1
                  + merchant->len + (reference ? reference->len : 0);

    p = ngx_pnalloc(pool, prefix->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    prefix->data = p;

    p = ngx_sprintf(p, NGX_HTTP_PAYER_NOTICE_OWED_KEY "%V/", merchant);

    if (reference) {
        p = ngx_sprintf(p, "%V/", reference);
    }

    prefix->len = p - prefix->data;

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_notice_told_key(ngx_pool_t *pool, ngx_str_t *key,
    ngx_str_t *told)
{
    return ngx_http_payer_notice_moved_key(pool, key,
                                           NGX_HTTP_PAYER_NOTICE_OWED_KEY,
                                           NGX_HTTP_PAYER_NOTICE_TOLD_KEY,
                                           told);
}


ngx_int_t
ngx_http_payer_notice_owed_key(ngx_pool_t *pool, ngx_str_t *told,
    ngx_str_t *key)
{
    return ngx_http_payer_notice_moved_key(pool, told,
                                           NGX_HTTP_PAYER_NOTICE_TOLD_KEY,
                                           NGX_HTTP_PAYER_NOTICE_OWED_KEY,
                                           key);
}


static ngx_int_t
ngx_http_payer_notice_moved_key(ngx_pool_t *pool, ngx_str_t *key,
    const char *from, const char *to, ngx_str_t *moved)
{
    size_t   len;
    u_char  *p;

    len = ngx_strlen(from);

    if (key->len < len || ngx_memcmp(key->data, from, len) != 0) {
        return NGX_ERROR;
    }

    moved->len = key->len - len + ngx_strlen(to);

    moved->data = ngx_pnalloc(pool, moved->len);
    if (moved->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(moved->data, to, ngx_strlen(to));
    ngx_memcpy(p, key->data + len, key->len - len);

    return NGX_OK;
}


static void
ngx_http_payer_notice_texts(ngx_http_payer_notice_t *notice,
    ngx_str_t **texts)
{
    texts[0] = &notice->id;
    texts[1] = &notice->reference;
    texts[2] = &notice->payment_id;
    texts[3] = &notice->currency;
    texts[4] = &notice->uri;
    texts[5] = &notice->lookup;
    texts[6] = &notice->server;
    texts[7] = &notice->reason;
}


ngx_int_t
ngx_http_payer_notice_encode(ngx_pool_t *pool,
    ngx_http_payer_notice_t *notice, ngx_str_t *value)
{
    size_t      len;
    ngx_str_t  *texts[NGX_HTTP_PAYER_NOTICE_TEXTS];

    ngx_http_payer_notice_texts(notice, texts);

    len = ngx_http_payer_texts_len(texts, NGX_HTTP_PAYER_NOTICE_TEXTS);

    if (len == 0
        || NGX_HTTP_PAYER_NOTICE_HEAD + len > NGX_HTTP_PAYER_STORE_MAX_VALUE)
    {
        return NGX_ERROR;
    }

    len += NGX_HTTP_PAYER_NOTICE_HEAD;

    value->data = ngx_pnalloc(pool, len);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    value->len = len;

    ngx_http_payer_notice_write_head(value->data, notice);

    ngx_http_payer_write_texts(value->data + NGX_HTTP_PAYER_NOTICE_HEAD,
                               texts, NGX_HTTP_PAYER_NOTICE_TEXTS);

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_notice_decode(ngx_str_t *value,
    ngx_http_payer_notice_t *notice)
{
    u_char     *p;
    ngx_str_t  *texts[NGX_HTTP_PAYER_NOTICE_TEXTS];

    p = value->data;

    if (value->len < NGX_HTTP_PAYER_NOTICE_HEAD
        || p[0] != 'P' || p[1] != 'N'
        || p[2] != NGX_HTTP_PAYER_NOTICE_VERSION
        || p[3] >= NGX_HTTP_PAYER_NOTICES
        || p[4] < NGX_HTTP_PAYER_NOTICE_OWED
        || p[4] > NGX_HTTP_PAYER_NOTICE_TAKEN
        || p[5] > NGX_HTTP_PAYER_STATES
        || p[6] || p[7] || p[14] || p[15])
    {
        return NGX_DECLINED;
    }

    notice->type = p[3];
    notice->state = p[4];
    notice->payment = p[5];
    notice->status = p[8] | p[9] << 8;
    notice->attempts = p[10] | p[11] << 8;
    notice->round = p[12] | p[13] << 8;
    notice->amount = ngx_http_payer_read_int(p + 16);
    notice->authorized = ngx_http_payer_read_int(p + 24);
    notice->captured = ngx_http_payer_read_int(p + 32);
    notice->refunded = ngx_http_payer_read_int(p + 40);
    notice->made = ngx_http_payer_read_int(p + 48);
    notice->created = ngx_http_payer_read_int(p + 56);
    notice->since = ngx_http_payer_read_int(p + 64);
    notice->due = ngx_http_payer_read_int(p + 72);

    if (notice->amount < 0 || notice->authorized < -1 || notice->captured < -1
        || notice->refunded < -1 || notice->made < 0 || notice->created < 0
        || notice->since < 0 || notice->due < 0)
    {
        return NGX_DECLINED;
    }

    ngx_http_payer_notice_texts(notice, texts);

    return ngx_http_payer_read_texts(p + NGX_HTTP_PAYER_NOTICE_HEAD,
                                     value->data + value->len, texts,
                                     NGX_HTTP_PAYER_NOTICE_TEXTS);
}


/* counts stay at their maximum */

static u_char *
ngx_http_payer_notice_write_short(u_char *p, ngx_uint_t n)
{
    n = ngx_min(n, 0xffff);

    *p++ = (u_char) (n & 0xff);
    *p++ = (u_char) (n >> 8);

    return p;
}


void
ngx_http_payer_notice_write_head(u_char *p, ngx_http_payer_notice_t *notice)
{
    *p++ = 'P';
    *p++ = 'N';
    *p++ = NGX_HTTP_PAYER_NOTICE_VERSION;
    *p++ = (u_char) notice->type;
    *p++ = (u_char) notice->state;
    *p++ = (u_char) notice->payment;

    p = ngx_http_payer_notice_write_short(p, 0);
    p = ngx_http_payer_notice_write_short(p, notice->status);
    p = ngx_http_payer_notice_write_short(p, notice->attempts);
    p = ngx_http_payer_notice_write_short(p, notice->round);
    p = ngx_http_payer_notice_write_short(p, 0);

    p = ngx_http_payer_write_int(p, notice->amount);
    p = ngx_http_payer_write_int(p, notice->authorized);
    p = ngx_http_payer_write_int(p, notice->captured);
    p = ngx_http_payer_write_int(p, notice->refunded);
    p = ngx_http_payer_write_int(p, notice->made);
    p = ngx_http_payer_write_int(p, notice->created);
    p = ngx_http_payer_write_int(p, notice->since);
    (void) ngx_http_payer_write_int(p, notice->due);
}
