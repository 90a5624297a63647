
/* payer_present confirm: a GET of a checkout creates nothing */


#ifndef _NGX_HTTP_PAYER_CONFIRM_H_INCLUDED_
#define _NGX_HTTP_PAYER_CONFIRM_H_INCLUDED_


#include "ngx_http_payer_module.h"


/*
 * part of a step of a checkout, when ctx->record was looked for: NGX_DECLINED
 * to go on, since the buyer has confirmed or needs not to, else what the step
 * returns; "paid" is the step for an order that is paid
 */
ngx_int_t ngx_http_payer_confirm(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx, ngx_http_payer_step_pt paid);


#endif /* _NGX_HTTP_PAYER_CONFIRM_H_INCLUDED_ */
