
/*
 * The token of Payer's callback.
 */


#include "ngx_http_payer_event_token.h"
#include "ngx_http_payer_api.h"
#include "ngx_http_payer_query.h"


/* what is wrong with the token in the query, or NULL */

const char *
ngx_http_payer_event_bad_token(ngx_str_t *args, ngx_str_t *token)
{
    u_char  *p, *last, *end;

    static ngx_str_t  name = ngx_string("token=");

    ngx_str_null(token);

    last = args->data + args->len;

    for (p = args->data; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, '&');
        if (end == NULL) {
            end = last;
        }

        if ((size_t) (end - p) < name.len
            || ngx_memcmp(p, name.data, name.len) != 0)
        {
            continue;
        }

        if (token->data) {
            return "token is given twice";
        }

        token->data = p + name.len;
        token->len = end - token->data;
    }

    if (token->data == NULL) {
        return "token is missing";
    }

    if (ngx_http_payer_check_event_token(token) != NGX_OK) {
        return "token is not 1 to 256 letters, digits, \".\", \"_\", \"~\" "
               "or \"-\"";
    }

    return NULL;
}


/*
 * Whether the path with the token is that of another call: with "callbacks"
 * the shop would get our subscriptions as an event.
 */

ngx_uint_t
ngx_http_payer_event_misled(ngx_http_payer_ctx_t *ctx)
{
    ngx_str_t   *path, *other;
    ngx_uint_t   i;

    path = &ctx->call->path;

    for (i = 0; i < NGX_HTTP_PAYER_CALLS; i++) {
        other = &ctx->conf->paths[i];

        if (i != NGX_HTTP_PAYER_CALL_EVENT && path->len == other->len
            && ngx_strncasecmp(path->data, other->data, path->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}
