
/*
 * The step engine: the only code that parks and resumes a request.
 *
 * A handler sets the first step and runs the flow.  A step that has to wait
 * parks the request for a subrequest, for the store, or for some time, and
 * answers NGX_AGAIN; the same step is called again when that is over.
 */


#ifndef _NGX_HTTP_PAYER_FLOW_H_INCLUDED_
#define _NGX_HTTP_PAYER_FLOW_H_INCLUDED_


#include "ngx_http_payer_module.h"
#include "ngx_http_payer_subrequest.h"


/* a new context of the main request, or NULL */
ngx_http_payer_ctx_t *ngx_http_payer_flow_create(ngx_http_request_t *r,
    ngx_http_payer_loc_conf_t *conf, ngx_http_payer_step_pt step);

/*
 * runs steps until one parks or ends: what the last step answered.  In the
 * access phase NGX_AGAIN is what the phase wants, too.
 */
ngx_int_t ngx_http_payer_flow_run(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);

/*
 * runs the flow in the content phase, for a request without a body: what a
 * content handler has to return
 */
ngx_int_t ngx_http_payer_flow_content(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);

/*
 * the same as the end of a post handler of
 * ngx_http_read_client_request_body(): the deadline counts from here
 */
void ngx_http_payer_flow_body(ngx_http_request_t *r);

/* what the request is parked for is given up after so many milliseconds */
void ngx_http_payer_flow_limit(ngx_http_payer_ctx_t *ctx, ngx_msec_t limit);

/* parks for "wait" milliseconds, or to the deadline if that comes first:
 * NGX_AGAIN, or NGX_DECLINED when the deadline has passed */
ngx_int_t ngx_http_payer_flow_wait(ngx_http_payer_ctx_t *ctx,
    ngx_msec_t wait);

/*
 * parks in the line of requests that wait for "key", until "ask" has an answer
 * or the deadline is reached: NGX_AGAIN, or NGX_DECLINED when the deadline has
 * passed.  "ask" is called for the first one in the line:
 *
 *     NGX_OK     has what it waited for, and goes on; the others wait
 *     NGX_DONE   all go on
 *     NGX_BUSY   all wait; "left" says in how many milliseconds something
 *                will have changed, 0 if that is not known
 *     NGX_ERROR  goes on and meets the error by itself
 */
ngx_int_t ngx_http_payer_flow_join(ngx_http_payer_ctx_t *ctx, ngx_str_t *key,
    ngx_http_payer_line_ask_pt ask);

/* leaves the line, if the request is in one */
void ngx_http_payer_flow_quit(ngx_http_payer_ctx_t *ctx);

/* whether a request in this worker process waits for it */
ngx_uint_t ngx_http_payer_flow_waited(ngx_str_t *key);

/* what they wait for may be available: the line asks now, or all continue */
void ngx_http_payer_flow_changed(ngx_str_t *key, ngx_uint_t all);

/* a read of Payer that others wait for, and that will not be completed */
void ngx_http_payer_flow_read_lost(ngx_http_payer_ctx_t *ctx);

/*
 * A claim of an order, an operation or an event.  "key" has to last as long as
 * the claim.  _try() does not wait: NGX_OK, NGX_BUSY, NGX_ERROR (the zone is
 * full), NGX_AGAIN when the request is parked for the store's answer.
 *
 * _claim() waits for it: NGX_AGAIN is for a step that looks once more at what
 * is stored, and then asks again if that is not enough.  It may have the claim
 * by then; NGX_DECLINED when the deadline has passed.
 */
ngx_int_t ngx_http_payer_flow_try(ngx_http_payer_ctx_t *ctx, ngx_str_t *key,
    ngx_msec_t lease, ngx_http_payer_claim_t *claim);
ngx_int_t ngx_http_payer_flow_claim(ngx_http_payer_ctx_t *ctx, ngx_str_t *key,
    ngx_msec_t lease, ngx_http_payer_claim_t *claim);

/*
 * releases it, if there is one, for the next request that waits. "settled":
 * what they wait for is stored now, and all check it immediately.
 */
void ngx_http_payer_flow_unclaim(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_claim_t *claim, ngx_uint_t settled);

/* milliseconds to the deadline, 0 when it has passed */
ngx_msec_t ngx_http_payer_flow_left(ngx_http_payer_ctx_t *ctx);

/* parks until the exchange is over, which ends at the deadline: NGX_AGAIN or
 * NGX_ERROR.  "api_loc" as for ngx_http_payer_exchange_start(). */
ngx_int_t ngx_http_payer_flow_exchange(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_api_loc_t *api_loc, ngx_http_payer_exchange_t *x);

/* the exchange is over; its parent is resumed by nginx */
void ngx_http_payer_flow_exchanged(ngx_http_payer_ctx_t *ctx);

/*
 * writes the entries as the store's put() does; ctx->io has the result when
 * the flow continues.  The flow stays parked while a write is in progress; at
 * the deadline it continues without it, with ctx->late set and ctx->io.rc an
 * error, though the entries may be stored later.  The claims are kept until
 * then, also if the request has ended.
 */
ngx_int_t ngx_http_payer_flow_put(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_store_entry_t *entries, ngx_uint_t n);

/* the same with another claim than that of the order or operation; without
 * entries it is for the claim alone */
ngx_int_t ngx_http_payer_flow_put_claim(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_store_entry_t *entries, ngx_uint_t n,
    ngx_http_payer_claim_act_e act, ngx_http_payer_claim_t *claim);

/* whether a write is in progress */
#define ngx_http_payer_flow_writing(ctx)  (!ngx_queue_empty(&(ctx)->writes))

/*
 * ends a wait early, from within another request's handlers: the request
 * continues in the next turn of the event loop
 */
void ngx_http_payer_flow_wake(ngx_http_payer_ctx_t *ctx);

/* the handler of ctx->io: resumes the request */
void ngx_http_payer_flow_stored(ngx_http_payer_io_t *io);


#endif /* _NGX_HTTP_PAYER_FLOW_H_INCLUDED_ */
