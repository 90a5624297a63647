
/*
 * The step engine: the only place that parks and resumes a request.
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

/* parks for "wait" milliseconds, or to the deadline if that comes first:
 * NGX_AGAIN, or NGX_DECLINED when the deadline has passed */
ngx_int_t ngx_http_payer_flow_wait(ngx_http_payer_ctx_t *ctx,
    ngx_msec_t wait);

/*
 * the same before the order is looked up again: until _settled() each look
 * takes the memory of the one before
 */
ngx_int_t ngx_http_payer_flow_poll(ngx_http_payer_ctx_t *ctx,
    ngx_msec_t wait);
#define ngx_http_payer_flow_settled(ctx)  ((ctx)->io.pool = (ctx)->pool)

/* milliseconds to the deadline, 0 when it has passed */
ngx_msec_t ngx_http_payer_flow_left(ngx_http_payer_ctx_t *ctx);

/* parks until the exchange is over, which ends at the deadline: NGX_AGAIN or
 * NGX_ERROR.  "api_loc" as for ngx_http_payer_exchange_start(). */
ngx_int_t ngx_http_payer_flow_exchange(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_api_loc_t *api_loc, ngx_http_payer_exchange_t *x);

/* the exchange is over; its parent is resumed by nginx */
void ngx_http_payer_flow_exchanged(ngx_http_payer_ctx_t *ctx);

/*
 * writes the entries as the store's put() does; ctx->io has what became of it
 * when the flow goes on.  The flow stays parked while a write is under way;
 * at the deadline it goes on without it, with ctx->late set and ctx->io.rc an
 * error, though the entries may be stored later.  The claims stay until then,
 * also when the request is gone.
 */
ngx_int_t ngx_http_payer_flow_put(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_store_entry_t *entries, ngx_uint_t n);

/* whether a write is under way */
#define ngx_http_payer_flow_writing(ctx)  (!ngx_queue_empty(&(ctx)->writes))

/* ends a wait before its time, from within another request's handlers: the
 * request goes on in the next round of the event loop */
void ngx_http_payer_flow_wake(ngx_http_payer_ctx_t *ctx);

/* the handler of ctx->io: resumes the request */
void ngx_http_payer_flow_stored(ngx_http_payer_io_t *io);


#endif /* _NGX_HTTP_PAYER_FLOW_H_INCLUDED_ */
