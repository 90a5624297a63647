
/*
 * The record of one operation on a payment.
 *
 * Format 3, integers little-endian:
 *
 *      0  "PD"           8   amount        40  digest of the parameters
 *      2  version, 3     16  before        72  doubt
 *      3  state          24  created       80  texts: request id, type of
 *      4  status         32  updated           the reply, reply, actor,
 *      6  two zeros                            reason
 *
 * Format 2 had three texts.  Format 1 had no "doubt" either, and its texts at
 * 72.  Both are still read.
 */


#include "ngx_http_payer_op.h"
#include "ngx_http_payer_codec.h"
#include "ngx_http_payer_store.h"


#define NGX_HTTP_PAYER_OP_VERSION     3
#define NGX_HTTP_PAYER_OP_HEAD        80
#define NGX_HTTP_PAYER_OP_OLD         1
#define NGX_HTTP_PAYER_OP_OLD_HEAD    72
#define NGX_HTTP_PAYER_OP_TEXTS       5

/* of formats 1 and 2 */
#define NGX_HTTP_PAYER_OP_OLD_TEXTS    3


static void ngx_http_payer_op_texts(ngx_http_payer_op_t *op,
    ngx_str_t **texts);


ngx_int_t
ngx_http_payer_op_key(ngx_pool_t *pool, ngx_str_t *merchant,
    ngx_str_t *payment_id, const ngx_str_t *operation, ngx_str_t *id,
    ngx_str_t *key)
{
    key->len = sizeof("operation////") - 1 + merchant->len + payment_id->len
               + operation->len + id->len;

    if (key->len > NGX_HTTP_PAYER_STORE_MAX_KEY) {
        return NGX_ERROR;
    }

    key->data = ngx_pnalloc(pool, key->len);
    if (key->data == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(key->data, "operation/%V/%V/%V/%V", merchant, payment_id,
                operation, id);

    return NGX_OK;
}


static void
ngx_http_payer_op_texts(ngx_http_payer_op_t *op, ngx_str_t **texts)
{
    texts[0] = &op->request_id;
    texts[1] = &op->reply_type;
    texts[2] = &op->reply;
    texts[3] = &op->actor;
    texts[4] = &op->reason;
}


ngx_int_t
ngx_http_payer_op_encode(ngx_pool_t *pool, ngx_http_payer_op_t *op,
    ngx_str_t *value)
{
    size_t      len;
    u_char     *p;
    ngx_str_t  *texts[NGX_HTTP_PAYER_OP_TEXTS];

    ngx_http_payer_op_texts(op, texts);

    len = ngx_http_payer_texts_len(texts, NGX_HTTP_PAYER_OP_TEXTS);

    if (len == 0
        || NGX_HTTP_PAYER_OP_HEAD + len > NGX_HTTP_PAYER_STORE_MAX_VALUE)
    {
        return NGX_ERROR;
    }

    value->len = NGX_HTTP_PAYER_OP_HEAD + len;
    value->data = ngx_pnalloc(pool, value->len);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    p = value->data;

    *p++ = 'P';
    *p++ = 'D';
    *p++ = NGX_HTTP_PAYER_OP_VERSION;
    *p++ = (u_char) op->state;
    *p++ = (u_char) (op->status & 0xff);
    *p++ = (u_char) (op->status >> 8);
    *p++ = 0;
    *p++ = 0;

    p = ngx_http_payer_write_int(p, op->amount);
    p = ngx_http_payer_write_int(p, op->before);
    p = ngx_http_payer_write_int(p, op->created);
    p = ngx_http_payer_write_int(p, op->updated);
    p = ngx_cpymem(p, op->digest, NGX_HTTP_PAYER_DIGEST_LEN);
    p = ngx_http_payer_write_int(p, op->doubt);

    ngx_http_payer_write_texts(p, texts, NGX_HTTP_PAYER_OP_TEXTS);

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_op_decode(ngx_str_t *value, ngx_http_payer_op_t *op)
{
    u_char     *p;
    size_t      head;
    ngx_str_t  *texts[NGX_HTTP_PAYER_OP_TEXTS];
    ngx_uint_t  n;

    p = value->data;

    if (value->len < NGX_HTTP_PAYER_OP_OLD_HEAD
        || p[0] != 'P' || p[1] != 'D'
        || p[3] < NGX_HTTP_PAYER_OP_SENT || p[3] > NGX_HTTP_PAYER_OP_DONE
        || p[6] != 0 || p[7] != 0)
    {
        return NGX_DECLINED;
    }

    head = (p[2] == NGX_HTTP_PAYER_OP_OLD) ? NGX_HTTP_PAYER_OP_OLD_HEAD
                                             : NGX_HTTP_PAYER_OP_HEAD;

    if (value->len < head
        || p[2] < NGX_HTTP_PAYER_OP_OLD
        || p[2] > NGX_HTTP_PAYER_OP_VERSION)
    {
        return NGX_DECLINED;
    }

    op->state = p[3];
    op->status = p[4] | p[5] << 8;
    op->amount = ngx_http_payer_read_int(p + 8);
    op->before = ngx_http_payer_read_int(p + 16);
    op->created = ngx_http_payer_read_int(p + 24);
    op->updated = ngx_http_payer_read_int(p + 32);
    ngx_memcpy(op->digest, p + 40, NGX_HTTP_PAYER_DIGEST_LEN);

    op->doubt = (p[2] == NGX_HTTP_PAYER_OP_OLD)
                  ? 0 : ngx_http_payer_read_int(p + 72);

    if (op->amount < -1 || op->before < -1 || op->created < 0
        || op->updated < 0 || op->doubt < 0 || op->status > 599)
    {
        return NGX_DECLINED;
    }

    ngx_http_payer_op_texts(op, texts);

    ngx_str_null(&op->actor);
    ngx_str_null(&op->reason);

    n = (p[2] == NGX_HTTP_PAYER_OP_VERSION) ? NGX_HTTP_PAYER_OP_TEXTS
                                              : NGX_HTTP_PAYER_OP_OLD_TEXTS;

    return ngx_http_payer_read_texts(p + head, value->data + value->len,
                                     texts, n);
}


ngx_int_t
ngx_http_payer_op_merge(ngx_str_t *stored, ngx_str_t *fresh)
{
    ngx_http_payer_op_t  old, new;

    if (ngx_http_payer_op_decode(stored, &old) != NGX_OK
        || ngx_http_payer_op_decode(fresh, &new) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (new.state == NGX_HTTP_PAYER_OP_UNKNOWN
        && old.state == NGX_HTTP_PAYER_OP_UNKNOWN)
    {
        return new.doubt > old.doubt ? NGX_OK : NGX_DECLINED;
    }

    return new.state > old.state ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_http_payer_op_forget(ngx_str_t *stored, ngx_str_t *fresh)
{
    ngx_http_payer_op_t  old;

    return (ngx_http_payer_op_decode(stored, &old) == NGX_OK
            && old.state < NGX_HTTP_PAYER_OP_REFUSED)
           ? NGX_OK : NGX_DECLINED;
}


/* in doubt since a time in the future: the clock was set back */

ngx_uint_t
ngx_http_payer_op_early(ngx_http_payer_op_t *op, time_t now)
{
    time_t  since;

    since = op->doubt ? op->doubt : op->updated;

    return now - since < NGX_HTTP_PAYER_OP_GRACE
           && since - now < NGX_HTTP_PAYER_OP_GRACE;
}
