
/*
 * How a notification is written: headers, signature and body.
 */


#include "ngx_http_payer_notice_text.h"
#include "ngx_http_payer_crypto.h"
#include "ngx_http_payer_json.h"
#include "ngx_http_payer_order.h"


#define NGX_HTTP_PAYER_NOTICE_MEMBERS  11


static ngx_int_t ngx_http_payer_notice_number(ngx_pool_t *pool,
    int64_t number, ngx_str_t *text);
static ngx_int_t ngx_http_payer_notice_upper(ngx_pool_t *pool,
    ngx_str_t *word, ngx_str_t *text);
static ngx_int_t ngx_http_payer_notice_message(ngx_pool_t *pool, time_t now,
    ngx_http_payer_notice_text_t *text, ngx_str_t *message);


ngx_int_t
ngx_http_payer_notice_headers(ngx_pool_t *pool,
    ngx_http_payer_notice_t *notice, ngx_http_payer_notice_text_t *text)
{
    ngx_memzero(text, sizeof(ngx_http_payer_notice_text_t));

    text->id = notice->id;
    text->type = *ngx_http_payer_notice_type(notice->type);
    text->payment_id = notice->payment_id;
    text->currency = notice->currency;

    if (ngx_http_payer_notice_number(pool, notice->attempts, &text->attempt)
        != NGX_OK
        || ngx_http_payer_notice_number(pool, notice->amount, &text->amount)
           != NGX_OK
        || ngx_http_payer_notice_upper(pool,
                                  ngx_http_payer_state_name(notice->payment),
                                  &text->status)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_payer_header_text(pool, &notice->reference,
                                      &text->reference);
}


static ngx_int_t
ngx_http_payer_notice_number(ngx_pool_t *pool, int64_t number,
    ngx_str_t *text)
{
    text->data = ngx_pnalloc(pool, NGX_INT64_LEN);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    text->len = ngx_sprintf(text->data, "%L", number) - text->data;

    return NGX_OK;
}


/* in the spelling of Payer's statuses */

static ngx_int_t
ngx_http_payer_notice_upper(ngx_pool_t *pool, ngx_str_t *word,
    ngx_str_t *text)
{
    size_t  i;

    text->len = word->len;

    text->data = ngx_pnalloc(pool, word->len);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < word->len; i++) {
        text->data[i] = ngx_toupper(word->data[i]);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_notice_sign(ngx_pool_t *pool, ngx_array_t *keys, time_t now,
    ngx_http_payer_notice_text_t *text)
{
    u_char      *p, digest[NGX_HTTP_PAYER_DIGEST_LEN];
    ngx_str_t    message, *key;
    ngx_uint_t   i;

    if (keys == NULL) {
        return NGX_OK;
    }

    if (ngx_http_payer_notice_message(pool, now, text, &message) != NGX_OK) {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(pool, sizeof("t=") - 1 + NGX_TIME_T_LEN
                          + keys->nelts * (sizeof(",v1=") - 1
                                           + 2 * NGX_HTTP_PAYER_DIGEST_LEN));
    if (p == NULL) {
        return NGX_ERROR;
    }

    text->signature.data = p;

    p = ngx_sprintf(p, "t=%T", now);

    key = keys->elts;

    for (i = 0; i < keys->nelts; i++) {

        if (ngx_http_payer_hmac(&key[i], &message, digest) != NGX_OK) {
            return NGX_ERROR;
        }

        p = ngx_cpymem(p, ",v1=", sizeof(",v1=") - 1);
        p = ngx_hex_dump(p, digest, NGX_HTTP_PAYER_DIGEST_LEN);
    }

    text->signature.len = p - text->signature.data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_notice_message(ngx_pool_t *pool, time_t now,
    ngx_http_payer_notice_text_t *text, ngx_str_t *message)
{
    u_char  *p;

    p = ngx_pnalloc(pool, NGX_TIME_T_LEN + 7 + text->id.len + text->type.len
                          + text->reference.len + text->payment_id.len
                          + text->status.len + text->amount.len
                          + text->currency.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    message->data = p;

    p = ngx_sprintf(p, "%T\n%V\n%V\n%V\n%V\n%V\n%V\n%V", now, &text->id,
                    &text->type, &text->reference, &text->payment_id,
                    &text->status, &text->amount, &text->currency);

    message->len = p - message->data;

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_notice_body(ngx_pool_t *pool, ngx_http_payer_notice_t *notice,
    ngx_http_payer_notice_text_t *text, ngx_str_t *body)
{
    ngx_http_payer_json_member_t  members[NGX_HTTP_PAYER_NOTICE_MEMBERS];

    ngx_memzero(members, sizeof(members));

    ngx_str_set(&members[0].name, "id");
    members[0].text = text->id;

    ngx_str_set(&members[1].name, "type");
    members[1].text = text->type;

    ngx_str_set(&members[2].name, "reference");
    members[2].text = notice->reference;

    ngx_str_set(&members[3].name, "paymentId");
    members[3].text = notice->payment_id;

    ngx_str_set(&members[4].name, "status");
    members[4].text = text->status;

    ngx_str_set(&members[5].name, "amount");
    members[5].number = notice->amount;

    ngx_str_set(&members[6].name, "currency");
    members[6].text = notice->currency;

    /* a sum that was never read is zero */

    ngx_str_set(&members[7].name, "authorizedAmount");
    members[7].number = ngx_max(notice->authorized, 0);

    ngx_str_set(&members[8].name, "capturedAmount");
    members[8].number = ngx_max(notice->captured, 0);

    ngx_str_set(&members[9].name, "refundedAmount");
    members[9].number = ngx_max(notice->refunded, 0);

    ngx_str_set(&members[10].name, "created");
    members[10].number = notice->created;

    return ngx_http_payer_json_write(pool, members,
                                     NGX_HTTP_PAYER_NOTICE_MEMBERS, body);
}
