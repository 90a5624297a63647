
/*
 * The walk of payer_reconcile over the operations and the orders of a
 * merchant, and what it found.
 */


#ifndef _NGX_HTTP_PAYER_RECONCILE_WALK_H_INCLUDED_
#define _NGX_HTTP_PAYER_RECONCILE_WALK_H_INCLUDED_


#include "ngx_http_payer_module.h"
#include "ngx_http_payer_deed.h"
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
    ngx_http_payer_call_e          operation;   /* of the deed */
    ngx_http_payer_tally_t         tally;       /* of the others */

    ngx_uint_t                     scanned;
    ngx_uint_t                     examined;
    ngx_uint_t                     settled;
    ngx_uint_t                     unknown;
    ngx_uint_t                     expired;
    ngx_uint_t                     old;

    unsigned                       authorized:1;    /* to be captured */
    unsigned                       more:1;          /* of an earlier walk */
} ngx_http_payer_reconcile_t;


extern ngx_str_t  ngx_http_payer_reconcile_kinds[];


/*
 * the first step: walks on from rec->after until all was seen, the limits are
 * reached, or the time is nearly over
 */
ngx_int_t ngx_http_payer_reconcile_scan(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);

/* answers with a problem: what a step returns */
ngx_int_t ngx_http_payer_reconcile_failed(ngx_http_request_t *r,
    ngx_uint_t status, const char *detail);


#endif /* _NGX_HTTP_PAYER_RECONCILE_WALK_H_INCLUDED_ */
