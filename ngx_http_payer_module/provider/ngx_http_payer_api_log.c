
/*
 * The log messages of a completed call.
 */


#include "ngx_http_payer_api.h"
#include "ngx_http_payer_log.h"


static void ngx_http_payer_api_log_path(ngx_http_payer_call_t *call);


/*
 * A refusal and an unknown outcome are logged with Payer's own message.  A
 * create in doubt is harmless: no client has its link.
 */

void
ngx_http_payer_api_log(ngx_http_payer_call_t *call)
{
    ngx_str_t   message;
    ngx_uint_t  level;

    if (call->outcome == NGX_HTTP_PAYER_REFUSED) {

        ngx_str_null(&message);

        (void) ngx_http_payer_json_read_message(call->ctx->request->pool,
                                                &call->exchange.reply,
                                                &message);

        level = (call->exchange.status == call->expected) ? NGX_LOG_INFO
                                                          : NGX_LOG_ERR;

        ngx_http_payer_log(level, call->ctx,
                           "\"%V\" was refused with status %ui: \"%V\"",
                           &call->type->name, call->exchange.status, &message);

        ngx_http_payer_api_log_path(call);
        return;
    }

    if (call->outcome == NGX_HTTP_PAYER_UNKNOWN && !call->type->safe) {

        level = (call->type
                 == ngx_http_payer_api_type(NGX_HTTP_PAYER_CALL_CREATE))
                ? NGX_LOG_INFO : NGX_LOG_ERR;

        ngx_http_payer_log(level, call->ctx,
                           "the outcome of \"%V\" is unknown: %s",
                           &call->type->name, call->reason);
    }
}


/* only the path of the cancel is not in Payer's documentation */

static void
ngx_http_payer_api_log_path(ngx_http_payer_call_t *call)
{
    if (call->type != ngx_http_payer_api_type(NGX_HTTP_PAYER_CALL_CANCEL)
        || (call->exchange.status != NGX_HTTP_NOT_FOUND
            && call->exchange.status != NGX_HTTP_NOT_ALLOWED))
    {
        return;
    }

    ngx_http_payer_log(NGX_LOG_ERR, call->ctx,
                       "\"%V\" may not be a path of Payer's API: check "
                       "\"payer_path cancel\"", &call->path);
}
