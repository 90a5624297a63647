
/*
 * The walk of payer_reconcile over the operations and the orders of a
 * merchant, and what it found.
 */


#ifndef _NGX_HTTP_PAYER_RECONCILE_WALK_H_INCLUDED_
#define _NGX_HTTP_PAYER_RECONCILE_WALK_H_INCLUDED_


#include "ngx_http_payer_module.h"
#include "ngx_http_payer_deed.h"
#include "ngx_http_payer_reconcile_lap.h"
#include "ngx_http_payer_tally.h"


/* the order in which it walks, by the prefixes of keys */

#define NGX_HTTP_PAYER_RECONCILE_DEEDS   0
#define NGX_HTTP_PAYER_RECONCILE_ORDERS  1
#define NGX_HTTP_PAYER_RECONCILE_KINDS   2      /* it is over */


/* ctx->door_data of the walk; set up to "after" before it starts */
typedef struct {
    ngx_http_payer_step_pt         over;        /* the step that follows */
    ngx_uint_t                     limit;
    ngx_uint_t                     days;

    ngx_uint_t                     kind;        /* which prefix */
    ngx_str_t                      after;       /* the cursor */
    ngx_str_t                      read;        /* payment that was read */
    ngx_http_payer_json_payment_t  payment;
    ngx_str_t                      body;        /* of that reply */
    ngx_http_payer_deed_t          deed;        /* in doubt */
    ngx_str_t                      payment_id;  /* of the deed */
    ngx_http_payer_call_e          operation;   /* of the deed */
    ngx_http_payer_tally_t         tally;       /* of the others */

    ngx_uint_t                     scanned;
    ngx_uint_t                     examined;
    ngx_uint_t                     settled;
    ngx_uint_t                     done;        /* of the operations */
    ngx_uint_t                     not_done;
    ngx_uint_t                     undecided;
    ngx_uint_t                     unknown;     /* of all */
    ngx_uint_t                     reads;       /* that succeeded */
    ngx_uint_t                     failed;      /* reads that did not */
    ngx_uint_t                     in_a_row;    /* of these */
    ngx_uint_t                     status;      /* of the last of these */
    const char                    *reason;
    ngx_uint_t                     expired;
    ngx_uint_t                     old;

    ngx_http_payer_reconcile_lap_t lap;
    ngx_str_t                      start;       /* where this run began */
    ngx_uint_t                     start_kind;

    unsigned                       authorized:1;    /* to be captured */
    unsigned                       by_hand:1;       /* "after" was given */
    unsigned                       around:1;        /* past the last record */
    unsigned                       over_all:1;      /* nothing is left */
    unsigned                       complete:1;      /* a lap */
    ngx_uint_t                     complete_old;    /* of that lap */
} ngx_http_payer_reconcile_t;


extern ngx_str_t  ngx_http_payer_reconcile_kinds[];


/*
 * the first step: walks from the stored cursor once around, or from
 * rec->after to the end if it was given, until the limits are reached or the
 * time is nearly over
 */
ngx_int_t ngx_http_payer_reconcile_start(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);

/* the next record, if there is one; steps that look at a record go on here */
ngx_int_t ngx_http_payer_reconcile_scan(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);

/* steps: the payment of ctx->record is read; it is captured if that is due */
ngx_int_t ngx_http_payer_reconcile_read(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
ngx_int_t ngx_http_payer_reconcile_capture(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);

/* writes that the link of ctx->record is over: what a step returns */
ngx_int_t ngx_http_payer_reconcile_expire(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec);

/* which of the kinds the key is of, the first one for an empty key */
ngx_uint_t ngx_http_payer_reconcile_kind(ngx_str_t *key);

/* answers with a problem: what a step returns */
ngx_int_t ngx_http_payer_reconcile_failed(ngx_http_request_t *r,
    ngx_uint_t status, const char *detail);


#endif /* _NGX_HTTP_PAYER_RECONCILE_WALK_H_INCLUDED_ */
