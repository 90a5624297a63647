
/*
 * The bearer token: cached in the zone for all workers, refreshed by one
 * request at a time.  Payer is not called here; see ngx_http_payer_api.c.
 */


#ifndef _NGX_HTTP_PAYER_TOKEN_H_INCLUDED_
#define _NGX_HTTP_PAYER_TOKEN_H_INCLUDED_


#include "ngx_http_payer_module.h"


#define NGX_HTTP_PAYER_MAX_TOKEN    4096


/* the token of a request */
typedef struct {
    ngx_str_t     bearer;           /* "Bearer ...", empty if there is none */
    ngx_uint_t    version;          /* of the token in the zone */
    ngx_uint_t    owner;            /* of the lease we hold, 0: none */
    ngx_uint_t    failures;         /* seen when we began to wait */
    ngx_uint_t    failure;          /* HTTP status of the failed fetch */
    unsigned      waiting:1;
} ngx_http_payer_token_t;


/*
 * NGX_OK        "bearer" is valid
 * NGX_DECLINED  we hold the lease and have to fetch a new one; "bearer" is
 *               still valid if it is not empty
 * NGX_AGAIN     another request fetches it: wait for it
 * NGX_ABORT     the fetch that we waited for failed, see "failure"
 * NGX_ERROR     no memory, in the zone or in the pool
 */
ngx_int_t ngx_http_payer_token_get(ngx_pool_t *pool,
    ngx_http_payer_zone_t *zone, ngx_http_payer_merchant_t *merchant,
    ngx_msec_t lease, ngx_http_payer_token_t *token);

/*
 * for a request that waits: NGX_BUSY while another one fetches, NGX_OK if its
 * lease has ended without a result, NGX_DONE if there is one, for all
 */
ngx_int_t ngx_http_payer_token_ask(ngx_http_payer_zone_t *zone,
    ngx_http_payer_merchant_t *merchant, ngx_http_payer_token_t *token,
    ngx_msec_t *left);

/*
 * the fetch succeeded: stores the token for "expires_in" seconds (0: not
 * known), and gives the lease back: NGX_OK, or NGX_ERROR when the zone is
 * full (the token can be used all the same)
 */
ngx_int_t ngx_http_payer_token_put(ngx_pool_t *pool,
    ngx_http_payer_zone_t *zone, ngx_http_payer_merchant_t *merchant,
    ngx_http_payer_token_t *token, ngx_str_t *value, time_t expires_in);

/*
 * the token request failed with "status" for all that wait, or was abandoned
 * (0), and then one of those that wait repeats it
 */
void ngx_http_payer_token_fail(ngx_http_payer_zone_t *zone,
    ngx_http_payer_merchant_t *merchant, ngx_http_payer_token_t *token,
    ngx_uint_t status);

/* erases the request's copy */
void ngx_http_payer_token_wipe(ngx_http_payer_token_t *token);

/* Payer refused the token (401): drops it unless there is a newer one */
void ngx_http_payer_token_drop(ngx_http_payer_zone_t *zone,
    ngx_http_payer_merchant_t *merchant, ngx_http_payer_token_t *token);


#endif /* _NGX_HTTP_PAYER_TOKEN_H_INCLUDED_ */
