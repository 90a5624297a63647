
/*
 * A lookup without a buyer: that of the record, by the rules of the location
 * of the notification.
 */


#ifndef _NGX_HTTP_PAYER_LOOK_H_INCLUDED_
#define _NGX_HTTP_PAYER_LOOK_H_INCLUDED_


#include "ngx_http_payer_module.h"


/*
 * whether the order of ctx->record can be reported as paid, or captured,
 * according to the lookup stored in the record.
 *
 *     NGX_OK        it is, or no lookup applies
 *     NGX_DONE      the shop says itself that it is paid
 *     NGX_ABORT     it is not: closed there, or dearer; "reason" says why
 *     NGX_DECLINED  the shop did not say; "reason" as well
 *     NGX_AGAIN     the request is parked, to be called again
 *     NGX_ERROR
 */
ngx_int_t ngx_http_payer_look(ngx_http_payer_ctx_t *ctx,
    const char **reason);

/* the same without the total: whether it can still be paid */
ngx_int_t ngx_http_payer_look_open(ngx_http_payer_ctx_t *ctx,
    const char **reason);


#endif /* _NGX_HTTP_PAYER_LOOK_H_INCLUDED_ */
