
/*
 * Replies without fields that are needed: whether they are JSON, and the
 * message in Payer's error reply.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_payer_json.h"
#include "ngx_http_payer_json_parse.h"
#include "ngx_http_payer_order.h"


#define NGX_HTTP_PAYER_MAX_MESSAGE  200


static void ngx_http_payer_json_clean_message(const char *src,
    ngx_str_t *message);


ngx_int_t
ngx_http_payer_json_read_message(ngx_pool_t *pool, ngx_str_t *text,
    ngx_str_t *message)
{
    cJSON       *root, *value, *member;
    ngx_int_t    rc;
    const char  *reason;

    ngx_str_null(message);

    rc = ngx_http_payer_json_parse(text, &root, &reason);

    if (rc != NGX_OK) {
        return rc;
    }

    value = NULL;

    for (member = root->child; member != NULL; member = member->next) {
        if (ngx_strcmp(member->string, "message") != 0) {
            continue;
        }

        if (value != NULL) {

            /* two of one name are ambiguous */

            value = NULL;
            break;
        }

        value = member;
    }

    if (value && cJSON_IsString(value) && value->valuestring[0]) {
        message->data = ngx_pnalloc(pool, NGX_HTTP_PAYER_MAX_MESSAGE);

        if (message->data == NULL) {
            rc = NGX_ERROR;

        } else {
            ngx_http_payer_json_clean_message(value->valuestring, message);
        }

    } else {
        rc = NGX_DECLINED;
    }

    cJSON_Delete(root);

    return rc;
}


static void
ngx_http_payer_json_clean_message(const char *src, ngx_str_t *message)
{
    size_t      len;
    u_char     *p, *next, *last, *dst;
    ngx_int_t   code;

    p = (u_char *) src;
    last = p + ngx_strlen(src);
    dst = message->data;

    while (p < last) {
        next = p;
        code = ngx_http_payer_utf8_next(&next, last);
        len = next - p;

        if (code < 0
            || dst + len > message->data + NGX_HTTP_PAYER_MAX_MESSAGE)
        {
            break;
        }

        if (code < 0x20 || (code >= 0x7f && code < 0xa0)) {
            *dst++ = ' ';

        } else {
            dst = ngx_cpymem(dst, p, len);
        }

        p = next;
    }

    message->len = dst - message->data;
}


ngx_int_t
ngx_http_payer_json_read_object(ngx_str_t *text, const char **reason)
{
    cJSON      *root;
    ngx_int_t   rc;

    rc = ngx_http_payer_json_parse(text, &root, reason);

    if (rc == NGX_OK) {
        rc = ngx_http_payer_json_no_error(root, reason);
        cJSON_Delete(root);
    }

    return rc;
}


ngx_int_t
ngx_http_payer_json_read_any(ngx_str_t *text, ngx_uint_t json,
    const char **reason)
{
    u_char     *p, *last;
    cJSON      *root;
    ngx_int_t   rc;

    p = text->data;
    last = p + text->len;

    while (p < last && *p <= 0x20) {
        p++;
    }

    if (p == last) {
        return NGX_OK;
    }

    if (*p == '{') {
        rc = ngx_http_payer_json_parse(text, &root, reason);

        if (rc == NGX_OK) {
            rc = ngx_http_payer_json_no_error(root, reason);
            cJSON_Delete(root);

            return rc;
        }
    }

    if (ngx_http_payer_json_check(text, reason) == NGX_OK) {
        return NGX_OK;
    }

    return (json || *p == '<') ? NGX_DECLINED : NGX_OK;
}
