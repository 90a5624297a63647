
/*
 * One attempt to send a notification: a background request in the record's
 * server.
 */


#ifndef _NGX_HTTP_PAYER_DELIVERY_H_INCLUDED_
#define _NGX_HTTP_PAYER_DELIVERY_H_INCLUDED_


#include "ngx_http_payer_module.h"
#include "ngx_http_payer_background.h"
#include "ngx_http_payer_notice_text.h"
#include "ngx_http_payer_notify.h"
#include "ngx_http_payer_subrequest.h"


#define NGX_HTTP_PAYER_DELIVERY_FIELDS  9


/* the result of an attempt */
typedef enum {
    NGX_HTTP_PAYER_DELIVERY_NONE = 0,   /* there was none */
    NGX_HTTP_PAYER_DELIVERY_TAKEN,
    NGX_HTTP_PAYER_DELIVERY_KNOWN,      /* paid in the shop, not sent */
    NGX_HTTP_PAYER_DELIVERY_FAILED,
    NGX_HTTP_PAYER_DELIVERY_GIVEN_UP,
    NGX_HTTP_PAYER_DELIVERY_CONFLICT
} ngx_http_payer_delivery_e;


typedef struct ngx_http_payer_delivery_s  ngx_http_payer_delivery_t;

struct ngx_http_payer_delivery_s {
    ngx_pool_t                    *pool;
    ngx_http_payer_loc_conf_t     *conf;        /* with its rules */
    ngx_http_payer_ctx_t          *ctx;
    ngx_str_t                      key;
    ngx_http_payer_notice_t        notice;
    ngx_str_t                      scanned;     /* the last key */
    ngx_uint_t                     found;       /* it is still there */
    uint32_t                       others;      /* why those of the order
                                                 * need attention, as bits */

    ngx_str_t                      next_key;    /* of what comes after it */
    ngx_http_payer_notice_t        next;
    ngx_uint_t                     waits;       /* for one before it */
    time_t                         wait_until;

    ngx_http_payer_notice_text_t   text;
    ngx_http_payer_field_t         fields[NGX_HTTP_PAYER_DELIVERY_FIELDS];
    ngx_http_payer_exchange_t      exchange;

    ngx_http_payer_delivery_e      result;
    const char                    *reason;      /* of a conflict */
    ngx_uint_t                     more;        /* is due at once, too */

    ngx_str_t                      order_key;
    ngx_str_t                      order;       /* its record, to be marked;
                                                 * empty: none */
    ngx_uint_t                     settled;     /* only that is left */
    ngx_uint_t                     marks;       /* how often it was tried */
};


/*
 * starts it for an entry that is leased, which it copies: NGX_OK, and
 * ngx_http_payer_notify_delivered() will be called; NGX_DECLINED if this host
 * cannot; NGX_BUSY if no connection is left; NGX_ABORT if another host has its
 * server; NGX_ERROR
 */
ngx_int_t ngx_http_payer_deliver(ngx_http_payer_main_conf_t *pmcf,
    ngx_str_t *key, ngx_str_t *value);

/* one for which there is no place here: NGX_DECLINED, NGX_ABORT, NGX_ERROR */
ngx_int_t ngx_http_payer_notify_absent(ngx_http_payer_main_conf_t *pmcf,
    ngx_str_t *key, ngx_http_payer_notice_t *notice);

/*
 * the attempt is over: whether the shop did not take it; whether another one
 * is due now; when one that it waits for is due, or 0
 */
void ngx_http_payer_notify_delivered(ngx_http_payer_loc_conf_t *conf,
    ngx_uint_t failed, ngx_uint_t more, time_t again);

/* why an order with this notification needs attention, as bits; 0: it is not
 * the reason */
uint32_t ngx_http_payer_delivery_attention(ngx_http_payer_notice_t *notice);

/* the order, to be marked in the same transaction */
void ngx_http_payer_delivery_mark_entry(ngx_http_payer_delivery_t *delivery,
    ngx_http_payer_store_entry_t *entry);

/*
 * steps before and after: looks at the shop, NGX_OK with delivery->result set
 * if that decides; what became of it, the order's record, and both stored
 */
ngx_int_t ngx_http_payer_delivery_look(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
ngx_int_t ngx_http_payer_delivery_settle(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
ngx_int_t ngx_http_payer_delivery_mark(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
ngx_int_t ngx_http_payer_delivery_store(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
ngx_int_t ngx_http_payer_delivery_send(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);


#endif /* _NGX_HTTP_PAYER_DELIVERY_H_INCLUDED_ */
