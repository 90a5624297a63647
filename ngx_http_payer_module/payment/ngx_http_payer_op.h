
/*
 * The record of one operation on a payment (capture, cancel,
 * release, refund), so that it can be repeated, replayed, and settled.
 */


#ifndef _NGX_HTTP_PAYER_OP_H_INCLUDED_
#define _NGX_HTTP_PAYER_OP_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_crypto.h"


/* in the only direction in which they may move */
typedef enum {
    NGX_HTTP_PAYER_OP_SENT = 1,       /* about to be sent, or sent */
    NGX_HTTP_PAYER_OP_UNKNOWN,        /* the reply was lost */
    NGX_HTTP_PAYER_OP_REFUSED,
    NGX_HTTP_PAYER_OP_DONE
} ngx_http_payer_op_state_e;


typedef struct {
    ngx_http_payer_op_state_e      state;
    ngx_uint_t                     status;      /* Payer's, 0: none yet */
    int64_t                        amount;      /* -1: all that is left */
    int64_t                        before;      /* captured before, minor
                                                 * units, -1: not known */
    time_t                         created;
    time_t                         updated;
    time_t                         doubt;       /* when a reply was lost last,
                                                 * 0: none was */
    u_char                         digest[NGX_HTTP_PAYER_DIGEST_LEN];
                                                /* of the parameters */
    ngx_str_t                      request_id;
    ngx_str_t                      reply_type;  /* Content-Type */
    ngx_str_t                      reply;       /* body, if it is not large */
    ngx_str_t                      actor;       /* of the first request */
    ngx_str_t                      reason;      /* and why, or empty */
} ngx_http_payer_op_t;


/* how long absence in a read proves nothing, seconds */

#define NGX_HTTP_PAYER_OP_GRACE    600


/*
 * operation/MERCHANT/PAYMENT-ID/OPERATION/KEY; the key is the caller's
 * Idempotency-Key or else the Payer-Request-ID: NGX_OK or NGX_ERROR
 */
ngx_int_t ngx_http_payer_op_key(ngx_pool_t *pool, ngx_str_t *merchant,
    ngx_str_t *payment_id, const ngx_str_t *operation, ngx_str_t *id,
    ngx_str_t *key);

/* the record's bytes in one allocation: NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_payer_op_encode(ngx_pool_t *pool,
    ngx_http_payer_op_t *op, ngx_str_t *value);

/* NGX_OK, or NGX_DECLINED for bytes that are no record of a version we know;
 * texts point into "value" */
ngx_int_t ngx_http_payer_op_decode(ngx_str_t *value,
    ngx_http_payer_op_t *op);

/*
 * the merge of a put: a settled operation is not changed, and of two in doubt
 * the one whose reply was lost later is kept
 */
ngx_int_t ngx_http_payer_op_merge(ngx_str_t *stored, ngx_str_t *fresh);

/*
 * the merge of a delete: a settled operation is kept, and so is one of an
 * unknown format
 */
ngx_int_t ngx_http_payer_op_forget(ngx_str_t *stored, ngx_str_t *fresh);

/*
 * the same key with the digest of the client's Idempotency-Key, under which an
 * erased operation is found; "prefix" is the length of the part before the
 * operation's name, and "request_id" may be NULL.  NGX_OK, NGX_DECLINED if the
 * key was not chosen by a client, NGX_ERROR
 */
ngx_int_t ngx_http_payer_op_hidden_key(ngx_pool_t *pool, ngx_str_t *key,
    size_t prefix, ngx_str_t *request_id, ngx_str_t *hidden);

/*
 * whether it is too early to conclude from a read that an operation was not
 * done: Payer may show it later
 */
ngx_uint_t ngx_http_payer_op_early(ngx_http_payer_op_t *op, time_t now);


#endif /* _NGX_HTTP_PAYER_OP_H_INCLUDED_ */
