
/*
 * Executes one operation on a payment: the intent is stored before it is sent,
 * the outcome before it is returned, and no outcome is guessed.
 */


#ifndef _NGX_HTTP_PAYER_EXECUTE_H_INCLUDED_
#define _NGX_HTTP_PAYER_EXECUTE_H_INCLUDED_


#include "ngx_http_payer_module.h"
#include "ngx_http_payer_api.h"
#include "ngx_http_payer_counter.h"
#include "ngx_http_payer_op.h"
#include "ngx_http_payer_sums.h"


typedef enum {
    NGX_HTTP_PAYER_EXECUTED = 1,        /* see op.state: done or refused */
    NGX_HTTP_PAYER_NOT_SENT,            /* nothing happened, see "call" */
    NGX_HTTP_PAYER_IN_DOUBT,            /* unknown, see "call" */
    NGX_HTTP_PAYER_KEY_REUSED,          /* with other parameters */
    NGX_HTTP_PAYER_KEY_IN_FLIGHT,       /* the first one is not over */
    NGX_HTTP_PAYER_NO_REST,             /* see "reason", nothing sent */
    NGX_HTTP_PAYER_UNWANTED,            /* see "wanted", nothing sent */
    NGX_HTTP_PAYER_OTHER_IN_DOUBT,      /* release or capture, not sent */
    NGX_HTTP_PAYER_OVER_LIMIT,          /* see "reason", nothing sent */
    NGX_HTTP_PAYER_NOT_AUDITED,         /* no line of it, nothing sent */
    NGX_HTTP_PAYER_NOT_STORED           /* the store failed, nothing sent */
} ngx_http_payer_executed_e;


/* private to _limit.c */
typedef struct ngx_http_payer_bound_s  ngx_http_payer_bound_t;


struct ngx_http_payer_execution_s {
    ngx_http_payer_ctx_t        *ctx;
    ngx_http_payer_call_e        operation;
    ngx_http_payer_params_t     *params;        /* amount, ..., description */
    ngx_str_t                    id;            /* idempotency key or empty */
    ngx_str_t                    actor;         /* who asks now */
    ngx_str_t                    hidden;        /* the key, if erased */

    ngx_int_t                  (*state)(ngx_http_payer_execution_t *ex);
    ngx_str_t                    key;           /* of "op" */
    ngx_http_payer_op_t          op;
    ngx_http_payer_claim_t       claim;
    ngx_http_payer_call_t       *call;          /* the operation's */
    ngx_http_payer_sums_t        sums;          /* for a read after a 409, or
                                                 * of all, for a request id */
    ngx_http_payer_call_t       *reading;       /* that read */
    ngx_int_t                  (*wanted)(ngx_http_payer_ctx_t *ctx);

    ngx_http_payer_executed_e    result;        /* 0: not over */
    ngx_http_payer_executed_e    dropped;       /* the result to be */
    const char                  *reason;        /* why it was not sent */
    ngx_http_payer_bound_t      *bound;         /* of payer_refund_max, NULL:
                                                 * none */

    unsigned                     unattended:1;  /* no client has asked */
    unsigned                     audited:1;     /* an outcome is to follow */
    unsigned                     found:1;       /* it was stored before */
    unsigned                     claimed:1;     /* by its key */
    unsigned                     searched:1;    /* by the request id */
    unsigned                     unhidden:1;    /* and by the key's digest */
    unsigned                     replayed:1;    /* from the record */
    unsigned                     read_back:1;   /* by a read after a 409 */
};


/*
 * "wanted", if it is set before the first step, is called when the intent is
 * stored, with the current record in ctx->record, and decides whether the
 * operation is sent: NGX_OK or NGX_DECLINED.
 *
 * prepares the operation on the payment of ctx->record; sets ctx->request_id.
 * Automatic operations set "actor" of the execution and of its op, and
 * "unattended", before the first step.
 *
 * "id" is the idempotency key, which has to be 1-255 bytes, or NULL for a
 * separate operation: the execution, or NULL
 */
ngx_http_payer_execution_t *ngx_http_payer_execute(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_call_e operation, ngx_http_payer_params_t *params,
    ngx_str_t *id);

/*
 * An order that is sold again has another payment.  A repeat of an operation
 * on the earlier payment, by the order's number and under its key, must not
 * affect the new one.  A step of the caller's, when ctx->record was found by
 * its reference: the record becomes that of the payment that the key was used
 * for: NGX_OK, NGX_AGAIN when the request is parked, NGX_ERROR
 */
ngx_int_t ngx_http_payer_execute_bound(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_call_e operation, ngx_str_t *reference, ngx_str_t *id);

/*
 * how many seconds a repeat should wait, or 0 if it cannot be repeated, since
 * it has no key: for an unknown outcome
 */
time_t ngx_http_payer_execute_pause(ngx_http_payer_execution_t *ex);

/* the effect on the record of an operation that a read of it, which was
 * applied before, shows to be done */
void ngx_http_payer_execute_shown(ngx_http_payer_call_e operation,
    ngx_http_payer_record_t *record);

/* a step of the caller's: NGX_OK when ex->result is known, NGX_AGAIN when the
 * request is parked, NGX_ERROR */
ngx_int_t ngx_http_payer_execute_run(ngx_http_payer_execution_t *ex);


/*
 * for the files execute_*.c: sets the ids and the digest; the states of an
 * execution with a key, before the intent, and of its intent; the end
 */
ngx_int_t ngx_http_payer_execute_identify(ngx_http_payer_execution_t *ex);

/*
 * what is to be stored with the intent for _bound(): NGX_OK, NGX_DECLINED
 * when there is nothing to store, NGX_ERROR
 */
ngx_int_t ngx_http_payer_execute_bind(ngx_http_payer_execution_t *ex,
    ngx_http_payer_store_entry_t *entry);
ngx_int_t ngx_http_payer_execute_lookup(ngx_http_payer_execution_t *ex);
ngx_int_t ngx_http_payer_execute_rest(ngx_http_payer_execution_t *ex);
ngx_int_t ngx_http_payer_execute_sum(ngx_http_payer_execution_t *ex);
ngx_int_t ngx_http_payer_execute_limit(ngx_http_payer_execution_t *ex);
ngx_int_t ngx_http_payer_execute_other(ngx_http_payer_execution_t *ex);

/* a refund of the whole remaining amount, which is not specified */
#define ngx_http_payer_execute_of_rest(ex)                                   \
    ((ex)->operation == NGX_HTTP_PAYER_CALL_REFUND                           \
     && (ex)->params->amount == -1)

ngx_int_t ngx_http_payer_execute_intent(ngx_http_payer_execution_t *ex);
ngx_int_t ngx_http_payer_execute_noted(ngx_http_payer_execution_t *ex);
ngx_int_t ngx_http_payer_execute_prepare(ngx_http_payer_execution_t *ex);

/*
 * nothing is sent, and the stored intent is deleted, unless an earlier one is
 * in doubt: the result of a state
 */
ngx_int_t ngx_http_payer_execute_drop(ngx_http_payer_execution_t *ex,
    ngx_http_payer_executed_e result);
ngx_int_t ngx_http_payer_execute_over(ngx_http_payer_execution_t *ex,
    ngx_http_payer_executed_e result);

/* the settle handler of the operation's call and of the read after it */
void ngx_http_payer_execute_replied(ngx_http_payer_call_t *call);
void ngx_http_payer_execute_was_read(ngx_http_payer_call_t *call);

/* the operation with the payment's record, or the operation's removal */
ngx_int_t ngx_http_payer_execute_write(ngx_http_payer_execution_t *ex,
    ngx_uint_t forget);

void ngx_http_payer_execute_count(ngx_http_payer_execution_t *ex,
    ngx_http_payer_counted_e result);

/*
 * a line of the audit log; "outcome" is NULL for the intent, without which
 * there is no outcome: NGX_OK or NGX_ERROR (logged)
 */
ngx_int_t ngx_http_payer_execute_audit(ngx_http_payer_execution_t *ex,
    const char *outcome, ngx_uint_t status);


#endif /* _NGX_HTTP_PAYER_EXECUTE_H_INCLUDED_ */
