
/*
 * What a record and Payer's status prove: the rules by which an order counts
 * as paid.  Pure functions: no request, no configuration, no allocation.
 */


#ifndef _NGX_HTTP_PAYER_PROOF_H_INCLUDED_
#define _NGX_HTTP_PAYER_PROOF_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_json.h"
#include "ngx_http_payer_record.h"


typedef enum {
    NGX_HTTP_PAYER_UNDECIDED = 0,
    NGX_HTTP_PAYER_PAID,
    NGX_HTTP_PAYER_UNPAID,
    NGX_HTTP_PAYER_PENDING,             /* the status is a new one */
    NGX_HTTP_PAYER_UNSURE,              /* not known at the moment */
    NGX_HTTP_PAYER_OTHER,               /* paid for in another way, */
    NGX_HTTP_PAYER_SHOP                 /* paid according to the shop */
} ngx_http_payer_verdict_e;


/*
 * the state that a read stands for, 0 for a status that is not known: Payer's
 * own, or cancelled for one that payer_status_dead names
 */
ngx_http_payer_state_e ngx_http_payer_proof_state(
    ngx_http_payer_json_payment_t *payment);

/* what was paid, in minor units of the record's currency, -1: not known */
int64_t ngx_http_payer_proof_sum(ngx_http_payer_record_t *record);

/*
 * whether what was paid is in this currency and at least so much.  A record
 * of which no amount was read covers what was ordered.
 */
ngx_uint_t ngx_http_payer_proof_covers(ngx_http_payer_record_t *record,
    int64_t amount, ngx_str_t *currency);

/* the same for what the shop said last: 1 also if it has said nothing */
ngx_uint_t ngx_http_payer_proof_wanted(ngx_http_payer_record_t *record);

/* whether the record itself says that the order is paid, and how much */
ngx_uint_t ngx_http_payer_proof_paid(ngx_http_payer_record_t *record);

/*
 * whether Payer has said so less than "cache" seconds before "now", and
 * nothing is open since
 */
ngx_uint_t ngx_http_payer_proof_recent(ngx_http_payer_record_t *record,
    time_t cache, time_t now);

/*
 * removes Payer's status from the record if an application that trusts
 * $payer_status would take an unpaid order for paid
 */
void ngx_http_payer_proof_silence(ngx_http_payer_record_t *record);

/* whether Payer cannot change any more that the order is not paid */
ngx_uint_t ngx_http_payer_proof_lost(ngx_http_payer_record_t *record);

/*
 * whether a read is of the record's payment: NGX_HTTP_PAYER_UNDECIDED if it
 * is, else the verdict, and "reason" for the log
 */
ngx_http_payer_verdict_e ngx_http_payer_proof_bind(
    ngx_http_payer_record_t *record, ngx_http_payer_json_payment_t *payment,
    const char **reason);

/*
 * what a read of the record's payment proves; "reason" is for the log, or
 * NULL when there is nothing to tell
 */
ngx_http_payer_verdict_e ngx_http_payer_proof_weigh(
    ngx_http_payer_record_t *record, ngx_http_payer_json_payment_t *payment,
    const char **reason);


#endif /* _NGX_HTTP_PAYER_PROOF_H_INCLUDED_ */
