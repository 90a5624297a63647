
/* One record that payer_reconcile or payer_sweep processes. */


#ifndef _NGX_HTTP_PAYER_RECONCILE_JOB_H_INCLUDED_
#define _NGX_HTTP_PAYER_RECONCILE_JOB_H_INCLUDED_


#include "ngx_http_payer_module.h"
#include "ngx_http_payer_reconcile_walk.h"
#include "ngx_http_payer_replace.h"


typedef struct {
    ngx_queue_t                      queue;     /* of rec->jobs */
    ngx_http_payer_reconcile_t      *rec;       /* NULL: it is gone */
    ngx_str_t                        name;      /* of the work */
    ngx_http_payer_sweep_t          *sweep;     /* or NULL */
    ngx_http_payer_reconcile_task_e  task;
    ngx_http_payer_reconcile_count_t count;
    ngx_msec_t                       until;

    ngx_str_t                        key;       /* these are its own */
    ngx_str_t                        value;
    ngx_str_t                        payment_id;

    ngx_http_payer_json_payment_t    payment;
    ngx_str_t                        body;      /* of that reply */
    ngx_http_payer_op_t              op;
    ngx_http_payer_call_e            operation; /* of "op" */
    ngx_http_payer_sums_t            sums;      /* of the others */
    ngx_http_payer_replace_t        *replace;   /* a link that is cancelled */
    const char                      *reason;    /* why it is */

    unsigned                         stored:1;  /* a record was written */
    unsigned                         quiet:1;   /* not for the first time */
    unsigned                         elsewhere:1;   /* another one reads it */
} ngx_http_payer_reconcile_job_t;


/*
 * the first step of what is to be read: one request at a time reads a payment,
 * of all nginx instances with the store, and only if the record is still in
 * doubt; then the step that processes it.  When it has been read and remains
 * in doubt, the others leave it alone until the lease ends.
 */
ngx_int_t ngx_http_payer_reconcile_claim(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
ngx_int_t ngx_http_payer_reconcile_job_run(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
void ngx_http_payer_reconcile_keep(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_job_t *job);

/*
 * steps of its background request: an operation, the payment of an order, a
 * link that no client has, and automatic operations
 */
ngx_int_t ngx_http_payer_reconcile_find(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
ngx_int_t ngx_http_payer_reconcile_read(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
ngx_int_t ngx_http_payer_reconcile_expire(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_job_t *job);
ngx_int_t ngx_http_payer_reconcile_capture(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
ngx_int_t ngx_http_payer_reconcile_limit(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);

/* whether the order of a link is to be looked at in the shop, and the step */
ngx_uint_t ngx_http_payer_reconcile_shop_due(ngx_http_payer_ctx_t *ctx);
ngx_int_t ngx_http_payer_reconcile_shop(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);


#endif /* _NGX_HTTP_PAYER_RECONCILE_JOB_H_INCLUDED_ */
