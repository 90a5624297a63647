
/*
 * A notification: what is owed to the shop for one change of an order, as an
 * entry of the store.  Pure functions.
 */


#ifndef _NGX_HTTP_PAYER_NOTICE_H_INCLUDED_
#define _NGX_HTTP_PAYER_NOTICE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_crypto.h"
#include "ngx_http_payer_record.h"


/* the types, in the order in which a payment comes to them */
typedef enum {
    NGX_HTTP_PAYER_NOTICE_PAID = 0,
    NGX_HTTP_PAYER_NOTICE_CAPTURED,
    NGX_HTTP_PAYER_NOTICE_RELEASED,
    NGX_HTTP_PAYER_NOTICE_REFUNDED,
    NGX_HTTP_PAYER_NOTICE_CANCELLED,
    NGX_HTTP_PAYER_NOTICE_EXPIRED,
    NGX_HTTP_PAYER_NOTICES
} ngx_http_payer_notice_e;

#define ngx_http_payer_notice_bit(type)  (1u << (type))


/* also the states of the entries in the store's index */
typedef enum {
    NGX_HTTP_PAYER_NOTICE_OWED = 1,
    NGX_HTTP_PAYER_NOTICE_GIVEN_UP,
    NGX_HTTP_PAYER_NOTICE_CONFLICT,
    NGX_HTTP_PAYER_NOTICE_TAKEN
} ngx_http_payer_notice_state_e;


typedef struct {
    ngx_http_payer_notice_e         type;
    ngx_http_payer_notice_state_e   state;
    ngx_http_payer_state_e          payment;    /* its state then */
    ngx_uint_t                      status;     /* of the last reply, 0 */
    ngx_uint_t                      attempts;   /* that were begun */
    ngx_uint_t                      round;      /* sent again by hand: times */

    int64_t                         amount;
    int64_t                         authorized;
    int64_t                         captured;
    int64_t                         refunded;
    time_t                          made;       /* the payment */
    time_t                          created;    /* the notification */
    time_t                          since;      /* of this round */
    time_t                          due;        /* the next attempt */

    ngx_str_t                       id;         /* the same over repeats */
    ngx_str_t                       reference;
    ngx_str_t                       payment_id;
    ngx_str_t                       currency;
    ngx_str_t                       uri;        /* of the shop's location */
    ngx_str_t                       lookup;     /* or empty */
    ngx_str_t                       server;     /* its first server_name */
    ngx_str_t                       reason;     /* why it is in this state */
} ngx_http_payer_notice_t;


/* the name of a type, as payer_notify_on has it, and of a state */
ngx_str_t *ngx_http_payer_notice_type(ngx_http_payer_notice_e type);
ngx_str_t *ngx_http_payer_notice_state(ngx_http_payer_notice_state_e state);

/* the type of that name, or NGX_HTTP_PAYER_NOTICES */
ngx_http_payer_notice_e ngx_http_payer_notice_named(ngx_str_t *name);

/*
 * the changes of an order, as bits: "before" is NULL if it was not known.  A
 * read cannot distinguish a replaced link from a cancelled one, so a
 * cancellation counts if it was requested here for the order, or was not
 * requested here.
 */
ngx_uint_t ngx_http_payer_notice_changes(ngx_http_payer_record_t *before,
    ngx_http_payer_record_t *after);

/*
 * the possible notifications of a write of this record; a superset of the
 * changes
 */
ngx_uint_t ngx_http_payer_notice_candidates(ngx_http_payer_record_t *record);

/* the sums and the state of the record, as the shop is told of them */
void ngx_http_payer_notice_about(ngx_http_payer_notice_t *notice,
    ngx_http_payer_record_t *record);

/*
 * the notification of this type about the record, which owns the texts; the id
 * is allocated: NGX_OK or NGX_ERROR
 */
ngx_int_t ngx_http_payer_notice_init(ngx_pool_t *pool, ngx_str_t *merchant,
    ngx_http_payer_notice_e type, ngx_http_payer_record_t *record,
    ngx_http_payer_notice_t *notice);

/*
 * keys, allocated from the pool: NGX_OK or NGX_ERROR
 *     notify/MERCHANT/REFERENCE/PAYMENT-ID/TYPE-SUM    owed, or kept
 *     told/MERCHANT/REFERENCE/PAYMENT-ID/TYPE-SUM      taken
 */
ngx_int_t ngx_http_payer_notice_key(ngx_pool_t *pool, ngx_str_t *merchant,
    ngx_http_payer_notice_t *notice, ngx_str_t *key);

/* "notify/MERCHANT/", and the same with "REFERENCE/" if there is one */
ngx_int_t ngx_http_payer_notice_prefix(ngx_pool_t *pool, ngx_str_t *merchant,
    ngx_str_t *reference, ngx_str_t *prefix);

/* the key of the same notification when it is taken, or owed again */
ngx_int_t ngx_http_payer_notice_told_key(ngx_pool_t *pool, ngx_str_t *key,
    ngx_str_t *told);
ngx_int_t ngx_http_payer_notice_owed_key(ngx_pool_t *pool, ngx_str_t *told,
    ngx_str_t *key);

/* its bytes in one allocation: NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_payer_notice_encode(ngx_pool_t *pool,
    ngx_http_payer_notice_t *notice, ngx_str_t *value);

/* NGX_OK, or NGX_DECLINED for bytes that are none; texts point into "value" */
ngx_int_t ngx_http_payer_notice_decode(ngx_str_t *value,
    ngx_http_payer_notice_t *notice);

/* corrects the head of bytes that were decoded */
void ngx_http_payer_notice_write_head(u_char *p,
    ngx_http_payer_notice_t *notice);

/* of a capture or a refund: the sum that it has led to; else 0 */
int64_t ngx_http_payer_notice_sum(ngx_http_payer_notice_t *notice);

/*
 * for the entry that is written with a record: whether the record's change is
 * that of the notification, which then gets its sums and state; and the merge,
 * which keeps a stored entry
 */
ngx_int_t ngx_http_payer_notice_when(ngx_str_t *before, ngx_str_t *after,
    ngx_str_t *fresh);
ngx_int_t ngx_http_payer_notice_keep(ngx_str_t *stored, ngx_str_t *fresh);

/*
 * the merge of the result of an attempt: for its round only, and not after the
 * notification was accepted, given up or found in conflict
 */
ngx_int_t ngx_http_payer_notice_settle(ngx_str_t *stored, ngx_str_t *fresh);

/* the merge of one that is to be sent again: in the next round */
ngx_int_t ngx_http_payer_notice_again(ngx_str_t *stored, ngx_str_t *fresh);

/* the merge of a delete: only what is owed and about to move to "told/" */
ngx_int_t ngx_http_payer_notice_forget(ngx_str_t *stored, ngx_str_t *fresh);

/*
 * whether one goes before the other, of the same order: by its payment, then
 * by how much money had moved, then by its type.  No clock is used: sums only
 * grow.
 */
ngx_uint_t ngx_http_payer_notice_before(ngx_http_payer_notice_t *one,
    ngx_http_payer_notice_t *other);

/*
 * seconds to the next attempt after so many: "interval", doubled each time, at
 * most "max"
 */
time_t ngx_http_payer_notice_pause(ngx_uint_t attempts, time_t interval,
    time_t max);


#endif /* _NGX_HTTP_PAYER_NOTICE_H_INCLUDED_ */
