
/*
 * The token of Payer's callback.
 */


#ifndef _NGX_HTTP_PAYER_EVENT_TOKEN_H_INCLUDED_
#define _NGX_HTTP_PAYER_EVENT_TOKEN_H_INCLUDED_


#include "ngx_http_payer_module.h"


/* finds the token in the arguments: NULL, or what is wrong with it */
const char *ngx_http_payer_event_bad_token(ngx_str_t *args,
    ngx_str_t *token);

/* whether the path with the token is that of another call */
ngx_uint_t ngx_http_payer_event_misled(ngx_http_payer_ctx_t *ctx);


#endif /* _NGX_HTTP_PAYER_EVENT_TOKEN_H_INCLUDED_ */
