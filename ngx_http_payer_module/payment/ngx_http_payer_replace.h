
/*
 * Takes a link out of use: it cannot be paid any more, and the record of the
 * order says so, before another one is created.
 */


#ifndef _NGX_HTTP_PAYER_REPLACE_H_INCLUDED_
#define _NGX_HTTP_PAYER_REPLACE_H_INCLUDED_


#include "ngx_http_payer_module.h"
#include "ngx_http_payer_api.h"


typedef enum {
    NGX_HTTP_PAYER_REPLACED = 1,
    NGX_HTTP_PAYER_REPLACE_LOOK,         /* paid, or another's: look again */
    NGX_HTTP_PAYER_REPLACE_IN_USE,       /* Payer does not let go of it */
    NGX_HTTP_PAYER_REPLACE_FAILED,       /* see "call" */
    NGX_HTTP_PAYER_REPLACE_NOT_STORED
} ngx_http_payer_replace_e;


typedef struct ngx_http_payer_replace_s  ngx_http_payer_replace_t;

struct ngx_http_payer_replace_s {
    ngx_http_payer_ctx_t        *ctx;
    ngx_int_t                  (*state)(ngx_http_payer_replace_t *rt);
    ngx_http_payer_call_t       *call;
    ngx_http_payer_replace_e     result;        /* 0: not over */
    ngx_uint_t                   refused;       /* status of the cancel */
    unsigned                     spare:1;       /* it may stay */
};


/*
 * prepares to cancel the link of ctx->record, which is stored and whose order
 * the caller has claimed; sets ctx->request_id.  Owned by the request's pool;
 * NULL if there is no memory
 */
ngx_http_payer_replace_t *ngx_http_payer_replace(ngx_http_payer_ctx_t *ctx);

/*
 * the same for a link that is in doubt and otherwise usable: it is read, and
 * kept if it can be paid
 */
ngx_http_payer_replace_t *ngx_http_payer_replace_doubtful(
    ngx_http_payer_ctx_t *ctx);

/*
 * the same for a link that was never stored: in any case the result is to look
 * again
 */
ngx_http_payer_replace_t *ngx_http_payer_replace_unknown(
    ngx_http_payer_ctx_t *ctx);

/* a step of the caller's: NGX_OK when rt->result is known, NGX_AGAIN when the
 * request is parked, NGX_ERROR */
ngx_int_t ngx_http_payer_replace_run(ngx_http_payer_replace_t *rt);


#endif /* _NGX_HTTP_PAYER_REPLACE_H_INCLUDED_ */
