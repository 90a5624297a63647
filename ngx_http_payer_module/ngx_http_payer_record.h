
/*
 * What is remembered of an order, as a record in the store: a versioned
 * format of bytes, its decoder, the keys, and the rules by which one state
 * may follow another.
 */


#ifndef _NGX_HTTP_PAYER_RECORD_H_INCLUDED_
#define _NGX_HTTP_PAYER_RECORD_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_store.h"


/* a link dies with Payer after 31 days [seed] */

#define NGX_HTTP_PAYER_LINK_LIFE  (31 * 86400)

/* bytes of the ticket that the buyer of an order gets */

#define NGX_HTTP_PAYER_TICKET_LEN  16


/* the states of an order; what may follow what is a table in record.c */
typedef enum {
    NGX_HTTP_PAYER_CREATING = 1,        /* the link has been asked for */
    NGX_HTTP_PAYER_INITIATED,           /* there is a link */
    NGX_HTTP_PAYER_EXPIRED,
    NGX_HTTP_PAYER_CANCELLED,
    NGX_HTTP_PAYER_AUTHORIZED,
    NGX_HTTP_PAYER_PARTIALLY_CAPTURED,
    NGX_HTTP_PAYER_FULLY_CAPTURED,
    NGX_HTTP_PAYER_RELEASED,
    NGX_HTTP_PAYER_REFUNDED
} ngx_http_payer_state_e;


/* from where the last word of a record came */
typedef enum {
    NGX_HTTP_PAYER_BY_SELF = 0,         /* an intent, or the clock */
    NGX_HTTP_PAYER_BY_REPLY,            /* the reply to a call of ours */
    NGX_HTTP_PAYER_BY_VERIFY,           /* read back, for these reasons: */
    NGX_HTTP_PAYER_BY_EVENT,
    NGX_HTTP_PAYER_BY_RECONCILE
} ngx_http_payer_source_e;


typedef struct {
    ngx_str_t                 reference;
    ngx_str_t                 payment_id;       /* empty while creating */
    ngx_str_t                 url;              /* empty while creating */
    ngx_str_t                 currency;         /* three letters */
    ngx_str_t                 status;           /* Payer's word, last read */
    ngx_str_t                 request_id;       /* of the call that made it */
    int64_t                   amount;           /* minor units */
    int64_t                   authorized;       /* -1: never read */
    int64_t                   captured;         /* -1: never read */
    time_t                    created;
    time_t                    updated;
    time_t                    expires;          /* of the link */
    u_char                    ticket[NGX_HTTP_PAYER_TICKET_LEN];
    ngx_http_payer_state_e    state;
    ngx_http_payer_source_e   source;
    ngx_uint_t                doubts;           /* how often one was open */
    unsigned                  unknown:1;        /* an outcome is open */
} ngx_http_payer_record_t;


/*
 * keys, allocated from the pool; "merchant" is the client id, which has no
 * slash.
 *     order/MERCHANT/REFERENCE     the record
 *     payment/MERCHANT/PAYMENT-ID  the reference of the payment's record
 *     event/MERCHANT/TOKEN         there if the event was delivered
 * NGX_OK or NGX_ERROR
 */
ngx_int_t ngx_http_payer_record_order_key(ngx_pool_t *pool,
    ngx_str_t *merchant, ngx_str_t *reference, ngx_str_t *key);
ngx_int_t ngx_http_payer_record_payment_key(ngx_pool_t *pool,
    ngx_str_t *merchant, ngx_str_t *payment_id, ngx_str_t *key);
ngx_int_t ngx_http_payer_record_event_key(ngx_pool_t *pool,
    ngx_str_t *merchant, ngx_str_t *token, ngx_str_t *key);

/*
 * the record's bytes in one allocation: NGX_OK, or NGX_ERROR for no memory or
 * a record that is too large for the store
 */
ngx_int_t ngx_http_payer_record_encode(ngx_pool_t *pool,
    ngx_http_payer_record_t *record, ngx_str_t *value);

/*
 * NGX_OK, or NGX_DECLINED for bytes that are no record of a version we know;
 * texts of the record point into "value"
 */
ngx_int_t ngx_http_payer_record_decode(ngx_str_t *value,
    ngx_http_payer_record_t *record);

/*
 * the merge of a put: keeps what a later or stronger writer has stored, and
 * what is known of times and amounts; the rules stand in record.c
 */
ngx_int_t ngx_http_payer_record_merge(ngx_str_t *stored, ngx_str_t *fresh);

/* whether there is a ticket: orders of a former version have none */
ngx_uint_t ngx_http_payer_record_has_ticket(ngx_http_payer_record_t *record);

/* the name of a state, for logs and answers */
ngx_str_t *ngx_http_payer_state_name(ngx_http_payer_state_e state);

/* whether the state means that the buyer has paid and the shop may deliver */
ngx_uint_t ngx_http_payer_state_paid(ngx_http_payer_state_e state);

/*
 * the state that Payer's word stands for, 0 for a word that is not known
 * (which is pending, never paid)
 */
ngx_http_payer_state_e ngx_http_payer_state_of(ngx_str_t *status);


#endif /* _NGX_HTTP_PAYER_RECORD_H_INCLUDED_ */
