
/*
 * payer_verify: determines whether the order of a request is paid.
 */


#ifndef _NGX_HTTP_PAYER_VERIFY_H_INCLUDED_
#define _NGX_HTTP_PAYER_VERIFY_H_INCLUDED_


#include "ngx_http_payer_module.h"


/* its state */
struct ngx_http_payer_verify_s {
    ngx_http_payer_shared_read_t  crowd;        /* who ask for the same */
    ngx_http_payer_verdict_e      read;         /* from Payer alone */
    ngx_msec_t                    since;        /* what began later counts */
    ngx_msec_t                    looked;       /* into the store */
    ngx_msec_t                    until;        /* waiting for the buyer */
    unsigned                      running:1;
    unsigned                      told:1;       /* by another one's read */
    unsigned                      doubted:1;    /* what it was told */
    unsigned                      alone:1;      /* the zone is full */
    unsigned                      written:1;
};


/*
 * the handler of the access phase: NGX_OK passes the request, NGX_AGAIN when
 * it is parked, NGX_DECLINED where there is no payer_verify, else a status
 */
ngx_int_t ngx_http_payer_verify_handler(ngx_http_request_t *r);

/* steps of it: looks into the store, and reads from Payer */
ngx_int_t ngx_http_payer_verify_find(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
ngx_int_t ngx_http_payer_verify_turn(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);

/* whether a paid order was paid with the amount required now */
ngx_http_payer_verdict_e ngx_http_payer_verify_sum(ngx_http_payer_ctx_t *ctx);

/* what the flow's last step returns */
ngx_int_t ngx_http_payer_verify_end(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_verdict_e verdict);

/* logs why a request is answered with 402 */
void ngx_http_payer_verify_log(ngx_http_payer_ctx_t *ctx);


/* whether the request was passed, for any reason */

#define ngx_http_payer_verify_passed(ctx)                                    \
    ((ctx)->verdict == NGX_HTTP_PAYER_PAID                                   \
     || (ctx)->verdict == NGX_HTTP_PAYER_OTHER                        \
     || (ctx)->verdict == NGX_HTTP_PAYER_SHOP)


#endif /* _NGX_HTTP_PAYER_VERIFY_H_INCLUDED_ */
