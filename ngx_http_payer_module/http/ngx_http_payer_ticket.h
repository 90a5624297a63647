
/*
 * The ticket of an order: a client that has it comes from the checkout and has
 * not guessed an order number.
 */


#ifndef _NGX_HTTP_PAYER_TICKET_H_INCLUDED_
#define _NGX_HTTP_PAYER_TICKET_H_INCLUDED_


#include "ngx_http_payer_module.h"


/*
 * for a checkout, which has just read ctx->record: $payer_ticket becomes the
 * record's, or empty.  Return addresses that were made with another ticket are
 * dropped.
 */
void ngx_http_payer_ticket_adopt(ngx_http_payer_ctx_t *ctx);

/* the same for an order that has no ticket yet: it gets one, NGX_OK or
 * NGX_ERROR */
ngx_int_t ngx_http_payer_ticket_make(ngx_http_payer_ctx_t *ctx);

/* the text of $payer_ticket, empty if there is none: NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_payer_ticket_show(ngx_http_payer_ctx_t *ctx,
    ngx_str_t *text);

/* from here on the log does not show the ticket that came with the request:
 * NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_payer_ticket_hide(ngx_http_request_t *r,
    ngx_http_payer_loc_conf_t *conf);

/* whether the request has the ticket of the record: NGX_OK, NGX_DECLINED,
 * NGX_ERROR; NGX_OK where the location asks for none */
ngx_int_t ngx_http_payer_ticket_admit(ngx_http_request_t *r,
    ngx_http_payer_loc_conf_t *conf, ngx_http_payer_record_t *record);


#endif /* _NGX_HTTP_PAYER_TICKET_H_INCLUDED_ */
