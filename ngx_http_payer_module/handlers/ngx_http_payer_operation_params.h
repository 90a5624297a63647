
/*
 * The parameters that an operation takes.
 */


#ifndef _NGX_HTTP_PAYER_OPERATION_PARAMS_H_INCLUDED_
#define _NGX_HTTP_PAYER_OPERATION_PARAMS_H_INCLUDED_


#include "ngx_http_payer_module.h"


#define NGX_HTTP_PAYER_TAKES_AMOUNT       0x01
#define NGX_HTTP_PAYER_TAKES_REST         0x02
#define NGX_HTTP_PAYER_TAKES_DESCRIPTION  0x04
#define NGX_HTTP_PAYER_TAKES_REASON       0x08


typedef struct {
    ngx_http_payer_call_e     call;
    ngx_uint_t                methods;
    ngx_str_t                 allow;
    ngx_uint_t                takes;            /* parameters */
    const char               *advice;           /* when Payer answers 400 */
} ngx_http_payer_operation_type_t;


/* what is wrong with ctx->params for the operation, NULL: nothing */
const char *ngx_http_payer_operation_wrong(ngx_http_payer_ctx_t *ctx,
    const ngx_http_payer_operation_type_t *type);


#endif /* _NGX_HTTP_PAYER_OPERATION_PARAMS_H_INCLUDED_ */
