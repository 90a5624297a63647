
/*
 * The calls of Payer's API: sent with a valid token, sent again if that is
 * safe, and classified as done, refused or unknown.
 */


#ifndef _NGX_HTTP_PAYER_API_H_INCLUDED_
#define _NGX_HTTP_PAYER_API_H_INCLUDED_


#include "ngx_http_payer_module.h"
#include "ngx_http_payer_subrequest.h"
#include "ngx_http_payer_token.h"


typedef enum {
    NGX_HTTP_PAYER_OPEN = 0,        /* the call is not over */
    NGX_HTTP_PAYER_DONE,            /* Payer did it: 2xx, and well-formed */
    NGX_HTTP_PAYER_REFUSED,         /* Payer did not do it: 4xx */
    NGX_HTTP_PAYER_CONFLICT,        /* handled before, or refused after an
                                     * earlier try may have been: read back */
    NGX_HTTP_PAYER_FAILED,          /* never reached Payer, nothing happened */
    NGX_HTTP_PAYER_UNKNOWN          /* not known until it is read back */
} ngx_http_payer_outcome_e;


/* reads a reply into call->result: NGX_OK, NGX_DECLINED with call->reason
 * set when it is not what it should be, NGX_ERROR */
typedef ngx_int_t (*ngx_http_payer_read_pt)(ngx_http_payer_call_t *call,
    ngx_str_t *reply);

/* records the outcome, once, even when the request is about to be destroyed;
 * must not start a call */
typedef void (*ngx_http_payer_settle_pt)(ngx_http_payer_call_t *call);


struct ngx_http_payer_call_s {
    const ngx_http_payer_call_type_t  *type;
    ngx_http_payer_ctx_t              *ctx;

    /* set by the handler after ngx_http_payer_api_call() */
    ngx_str_t                          args;
    ngx_str_t                          body;
    ngx_str_t                          request_id;
    ngx_http_payer_read_pt             read;    /* or NULL: _read_any */
    void                              *result;
    ngx_http_payer_settle_pt           settle;  /* or NULL */
    void                              *data;    /* of the handler */
    ngx_uint_t                         expected;    /* a status of which
                                                     * no line is needed */

    /* of the driver */
    ngx_int_t                        (*state)(ngx_http_payer_call_t *call);
    ngx_str_t                          path;
    ngx_str_t                          id;      /* in the path, or empty */
    ngx_http_payer_token_t             token;
    ngx_http_payer_exchange_t          exchange;
    ngx_uint_t                         tries;
    ngx_msec_t                         pause;

    /* how it went */
    ngx_http_payer_outcome_e           outcome;
    ngx_uint_t                         status;  /* for our caller, if it is
                                                 * not done */
    const char                        *reason;  /* for logs and problems */

    unsigned                           reauthorized:1;
    unsigned                           doubt:1; /* Payer may have done it:
                                                 * set by the driver, or
                                                 * before it runs */
    unsigned                           lost:1;  /* a try of this very call had
                                                 * no reply of use */
};


/*
 * prepares a call; "id" replaces {paymentId} or {token} in the path: the
 * call, or NULL.  Owned by the request's pool.
 */
ngx_http_payer_call_t *ngx_http_payer_api_call(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_call_e type, ngx_str_t *id);

/*
 * prepares a read of a payment into "payment", or into one of the request's
 * pool if it is NULL; "settle" may be NULL: the call, or NULL
 */
ngx_http_payer_call_t *ngx_http_payer_api_read_call(ngx_http_payer_ctx_t *ctx,
    ngx_str_t *payment_id, ngx_http_payer_json_payment_t *payment,
    ngx_http_payer_settle_pt settle);

/* sets ctx->request_id to a fresh Payer-Request-ID: NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_payer_api_request_id(ngx_http_payer_ctx_t *ctx);

/* a step of the caller's: NGX_OK when call->outcome is known, NGX_AGAIN when
 * the request is parked, NGX_ERROR */
ngx_int_t ngx_http_payer_api_run(ngx_http_payer_call_t *call);

/*
 * whether a refusal is Payer's own and about the payment: not about our
 * credentials or the load, and not a page of a proxy in between
 */
ngx_uint_t ngx_http_payer_api_answered(ngx_http_payer_call_t *call);

/* logs the outcome, if an operator must know it */
void ngx_http_payer_api_log(ngx_http_payer_call_t *call);

/*
 * whether the call was refused for the credentials or the load, so that the
 * request itself was not processed
 */
ngx_uint_t ngx_http_payer_api_unasked(ngx_http_payer_call_t *call);


/*
 * masks what Payer repeats of our credentials: its reply may be logged,
 * returned to the client, or passed to the shop
 */
void ngx_http_payer_api_mask(ngx_http_payer_call_t *call, ngx_str_t *text);

/*
 * readers: a payment with another id than that in the path is rejected;
 * call->result is a ..._json_link_t or a ..._json_payment_t, or unused for
 * readers that accept any object, or, where the form of the reply is not
 * known, anything but invalid JSON and foreign pages
 */
ngx_int_t ngx_http_payer_api_read_link(ngx_http_payer_call_t *call,
    ngx_str_t *reply);
ngx_int_t ngx_http_payer_api_read_payment(ngx_http_payer_call_t *call,
    ngx_str_t *reply);
ngx_int_t ngx_http_payer_api_read_object(ngx_http_payer_call_t *call,
    ngx_str_t *reply);
ngx_int_t ngx_http_payer_api_read_any(ngx_http_payer_call_t *call,
    ngx_str_t *reply);


#endif /* _NGX_HTTP_PAYER_API_H_INCLUDED_ */
