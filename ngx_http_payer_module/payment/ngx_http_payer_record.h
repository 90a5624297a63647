
/*
 * The record of an order in the store: a versioned format of bytes, its
 * decoder, the keys, and the rules by which one state may follow another.
 */


#ifndef _NGX_HTTP_PAYER_RECORD_H_INCLUDED_
#define _NGX_HTTP_PAYER_RECORD_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_store.h"


/* a link at Payer is valid for 31 days */

#define NGX_HTTP_PAYER_LINK_LIFE  (31 * 86400)

/* bytes of the ticket that the buyer of an order gets */

#define NGX_HTTP_PAYER_TICKET_LEN  16

#define NGX_HTTP_PAYER_CURRENCY_LEN  3

/* the longest URI that a record keeps */

#define NGX_HTTP_PAYER_RECORD_URI  512


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
    NGX_HTTP_PAYER_REFUNDED,
    NGX_HTTP_PAYER_ENDED                /* authorized, and ended at Payer */
} ngx_http_payer_state_e;

#define NGX_HTTP_PAYER_STATES  NGX_HTTP_PAYER_ENDED


/* reasons for attention of staff, as bits of the label */

#define NGX_HTTP_PAYER_ATTENTION_UNKNOWN    0x01    /* an outcome is open */
#define NGX_HTTP_PAYER_ATTENTION_OLD        0x02    /* authorized for long; in
                                                     * a label: authorized,
                                                     * the reader tells how
                                                     * long */
#define NGX_HTTP_PAYER_ATTENTION_CANCELLED  0x04    /* authorized at Payer */
#define NGX_HTTP_PAYER_ATTENTION_AMOUNT     0x08    /* the shop wants another
                                                     * sum than was paid */
#define NGX_HTTP_PAYER_ATTENTION_OWED       0x10    /* the shop is not told */
#define NGX_HTTP_PAYER_ATTENTION_CONFLICT   0x20    /* and must not be */

#define NGX_HTTP_PAYER_ATTENTION_ALL        0x3f

/* those that come from the order's notifications, not from its record */

#define NGX_HTTP_PAYER_ATTENTION_NOTICES                                     \
    (NGX_HTTP_PAYER_ATTENTION_OWED | NGX_HTTP_PAYER_ATTENTION_CONFLICT)


/* where the last change of a record came from */
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
    ngx_str_t                 status;           /* Payer's status, last read */
    ngx_str_t                 request_id;       /* of the call that made it */

    /*
     * for requests about the order without its buyer, as evaluated when the
     * payment was created; each may be empty
     */
    ngx_str_t                 notify;           /* URI of payer_notify */
    ngx_str_t                 lookup;           /* URI of payer_lookup */
    ngx_str_t                 server;           /* its first server_name */

    int64_t                   amount;           /* minor units */
    int64_t                   authorized;       /* -1: never read */
    int64_t                   captured;         /* the sum, -1: never read */
    int64_t                   refunded;         /* the sum, -1: never read */
    time_t                    created;
    time_t                    updated;
    time_t                    expires;          /* of the link */

    /* of the order, whichever payment it has */
    u_char                    ticket[NGX_HTTP_PAYER_TICKET_LEN];
    int64_t                   wanted;           /* the shop's last sum, 0:
                                                 * what was paid covers it */
    u_char                    wanted_currency[NGX_HTTP_PAYER_CURRENCY_LEN];
    int64_t                   words;            /* how many of them: a later
                                                 * one replaces an earlier */
    time_t                    signed_until;     /* the latest "expires" of the
                                                 * signed links used */

    ngx_http_payer_state_e    state;
    ngx_http_payer_source_e   source;
    ngx_uint_t                doubts;           /* how often one was open */
    unsigned                  unknown:1;        /* an outcome is open */
    unsigned                  closed:1;         /* cancelled, released or
                                                 * refunded by us: signed
                                                 * links do not sell it */
    unsigned                  rest_gone:1;      /* what was not captured was
                                                 * given back */
} ngx_http_payer_record_t;


/*
 * keys, allocated from the pool; "merchant" is the client id, which has no
 * slash.
 *     order/MERCHANT/REFERENCE     the record
 *     payment/MERCHANT/PAYMENT-ID  an alias of the payment's record
 *     past/MERCHANT/PAYMENT-ID     the last record of an earlier payment
 *     event/MERCHANT/TOKEN         there if the event was delivered
 * NGX_OK or NGX_ERROR
 */
ngx_int_t ngx_http_payer_record_order_key(ngx_pool_t *pool,
    ngx_str_t *merchant, ngx_str_t *reference, ngx_str_t *key);
ngx_int_t ngx_http_payer_record_payment_key(ngx_pool_t *pool,
    ngx_str_t *merchant, ngx_str_t *payment_id, ngx_str_t *key);
ngx_int_t ngx_http_payer_record_past_key(ngx_pool_t *pool,
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

/* the same without the texts, which are left alone: for what is done at each
 * write */
ngx_int_t ngx_http_payer_record_peek(ngx_str_t *value,
    ngx_http_payer_record_t *record);

/* for the merge: corrects the head of bytes that are of the current format;
 * and whether decoded bytes are */
void ngx_http_payer_record_write_head(u_char *p,
    ngx_http_payer_record_t *record);
ngx_uint_t ngx_http_payer_record_current(ngx_str_t *value);

/*
 * the merge of a put: keeps what a later or stronger writer has stored, and
 * what is known of times and amounts; the rules stand in record.c
 */
ngx_int_t ngx_http_payer_record_merge(ngx_str_t *stored, ngx_str_t *fresh);

/*
 * the label of an order's record: its state, the time of its last change, and
 * why it needs attention; what notifications say of it stays
 */
void ngx_http_payer_record_describe(ngx_str_t *value,
    ngx_http_payer_label_t *stored, ngx_http_payer_label_t *fresh);

/*
 * the same with what the caller says of the notifications in the label; and
 * the merge of such a put, which leaves the record as it is stored, and the
 * label too if the record is another one by now
 */
void ngx_http_payer_record_mark(ngx_str_t *value,
    ngx_http_payer_label_t *stored, ngx_http_payer_label_t *fresh);
ngx_int_t ngx_http_payer_record_touch(ngx_str_t *stored, ngx_str_t *fresh);

/* why somebody should look at the order now: "age" is that of an old
 * authorization, in seconds */
uint32_t ngx_http_payer_record_attention(ngx_http_payer_record_t *record,
    ngx_http_payer_label_t *label, time_t age);

/* how entries of that key are described, NULL: not at all */
ngx_http_payer_describe_pt ngx_http_payer_record_describer(ngx_str_t *key);

/* whether there is a ticket: orders of a former version have none */
ngx_uint_t ngx_http_payer_record_has_ticket(ngx_http_payer_record_t *record);

/*
 * the state that the sums of captures and refunds stand for: refunded, when
 * nothing is left to capture and all that was captured was given back
 */
void ngx_http_payer_record_balance(ngx_http_payer_record_t *record);

/*
 * the effect of an operation that Payer has carried out; "amount" is in minor
 * units, -1: the whole remaining amount, and "rest_gone" means that the rest
 * after a capture was released
 */
void ngx_http_payer_record_captured(ngx_http_payer_record_t *record,
    int64_t amount, ngx_uint_t rest_gone);
void ngx_http_payer_record_released(ngx_http_payer_record_t *record);
void ngx_http_payer_record_refunded(ngx_http_payer_record_t *record,
    int64_t amount);

/* the name of a state, for logs and answers */
ngx_str_t *ngx_http_payer_state_name(ngx_http_payer_state_e state);

/* whether the state means that the buyer has paid and the shop may deliver */
ngx_uint_t ngx_http_payer_state_paid(ngx_http_payer_state_e state);

/*
 * the state that Payer's status stands for, 0 for a status that is not known
 * (which is pending, never paid)
 */
ngx_http_payer_state_e ngx_http_payer_state_of(ngx_str_t *status);


#endif /* _NGX_HTTP_PAYER_RECORD_H_INCLUDED_ */
