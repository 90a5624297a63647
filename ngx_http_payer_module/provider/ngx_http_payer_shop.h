
/*
 * Passes an event to the shop: a POST to the internal location that
 * payer_event_pass names.
 */


#ifndef _NGX_HTTP_PAYER_SHOP_H_INCLUDED_
#define _NGX_HTTP_PAYER_SHOP_H_INCLUDED_


#include "ngx_http_payer_module.h"
#include "ngx_http_payer_subrequest.h"


#define NGX_HTTP_PAYER_SHOP_FIELDS  7


/*
 * called once when the shop has accepted the event, also if no request waits
 */
typedef void (*ngx_http_payer_shop_pt)(ngx_http_payer_ctx_t *ctx);

/* whether a response means that the shop has accepted it */
typedef ngx_uint_t (*ngx_http_payer_shop_took_pt)(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_exchange_t *x);


typedef struct {
    /* the request; all but token and payload may be empty */
    ngx_str_t                    token;
    ngx_str_t                    type;
    ngx_str_t                    payment_id;
    ngx_str_t                    reference;     /* any bytes */
    ngx_str_t                    payload;
    ngx_str_t                    status;        /* of the order's record, */
    ngx_str_t                    currency;      /* as are these */
    int64_t                      amount;        /* 0: not known */
    ngx_http_payer_shop_pt       taken;
    ngx_http_payer_shop_took_pt  took;

    ngx_http_payer_ctx_t        *ctx;
    ngx_http_payer_field_t       fields[NGX_HTTP_PAYER_SHOP_FIELDS];
    ngx_http_payer_exchange_t    exchange;
} ngx_http_payer_shop_t;


/* parks until the shop has answered: NGX_AGAIN or NGX_ERROR */
ngx_int_t ngx_http_payer_shop_pass(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_shop_t *shop);

/* whether the shop has accepted the event; called after its response */
ngx_uint_t ngx_http_payer_shop_took(ngx_http_payer_shop_t *shop);


#endif /* _NGX_HTTP_PAYER_SHOP_H_INCLUDED_ */
