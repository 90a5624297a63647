
/*
 * How a notification is written: headers, signature and body.  Pure
 * functions.
 */


#ifndef _NGX_HTTP_PAYER_NOTICE_TEXT_H_INCLUDED_
#define _NGX_HTTP_PAYER_NOTICE_TEXT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_notice.h"


/* the values of its headers */
typedef struct ngx_http_payer_notice_text_s {
    ngx_str_t    id;
    ngx_str_t    type;
    ngx_str_t    attempt;
    ngx_str_t    reference;
    ngx_str_t    payment_id;
    ngx_str_t    status;
    ngx_str_t    amount;
    ngx_str_t    currency;
    ngx_str_t    signature;             /* empty without a key */
} ngx_http_payer_notice_text_t;


/* NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_payer_notice_headers(ngx_pool_t *pool,
    ngx_http_payer_notice_t *notice, ngx_http_payer_notice_text_t *text);

/*
 * t=NOW,v1=HEX for each of the keys (ngx_str_t), or NULL: the HMAC-SHA256 of
 * the time and the values of the headers, with line feeds between them
 */
ngx_int_t ngx_http_payer_notice_sign(ngx_pool_t *pool, ngx_array_t *keys,
    time_t now, ngx_http_payer_notice_text_t *text);

/* JSON */
ngx_int_t ngx_http_payer_notice_body(ngx_pool_t *pool,
    ngx_http_payer_notice_t *notice, ngx_http_payer_notice_text_t *text,
    ngx_str_t *body);


#endif /* _NGX_HTTP_PAYER_NOTICE_TEXT_H_INCLUDED_ */
