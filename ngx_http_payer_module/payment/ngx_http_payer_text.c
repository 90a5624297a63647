
/*
 * Evaluates texts of the configuration for a request.
 */


#include "ngx_http_payer_text.h"


static ngx_int_t ngx_http_payer_unescape(ngx_pool_t *pool, ngx_str_t *text);


ngx_int_t
ngx_http_payer_evaluate(ngx_http_request_t *r, ngx_http_complex_value_t *value,
    ngx_str_t *text)
{
    ngx_http_variable_value_t   *vv;
    ngx_http_script_var_code_t  *code;

    code = value->values;

    if (code == NULL || code->code != ngx_http_script_copy_var_code
        || *(uintptr_t *) (code + 1) != 0)
    {
        return ngx_http_complex_value(r, value, text);
    }

    vv = ngx_http_get_flushed_variable(r, code->index);

    ngx_str_null(text);

    if (vv && !vv->not_found) {
        text->data = vv->data;
        text->len = vv->len;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_text(ngx_http_request_t *r, ngx_http_payer_text_t *text,
    ngx_str_t *value)
{
    ngx_int_t  rc;

    rc = ngx_http_payer_text_value(r, text, value);

    return rc == NGX_DONE ? NGX_OK : rc;
}


ngx_int_t
ngx_http_payer_text_value(ngx_http_request_t *r, ngx_http_payer_text_t *text,
    ngx_str_t *value)
{
    ngx_http_variable_value_t  *vv;

    if (text->variable) {
        vv = ngx_http_get_flushed_variable(r, text->variable - 1);

        ngx_str_null(value);

        if (vv && !vv->not_found) {
            value->data = vv->data;
            value->len = vv->len;
        }

    } else if (ngx_http_complex_value(r, text->value, value) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_payer_check_payment_id(value) == NGX_OK) {
        return NGX_DONE;
    }

    return text->unescape ? ngx_http_payer_unescape(r->pool, value) : NGX_OK;
}


/* decodes %XX and plus; all else is kept */

static ngx_int_t
ngx_http_payer_unescape(ngx_pool_t *pool, ngx_str_t *text)
{
    u_char     *src, *dst, *last, *p;
    ngx_int_t   n;

    last = text->data + text->len;

    for (src = text->data; src < last; src++) {
        if (*src == '%' || *src == '+') {
            break;
        }
    }

    if (src == last) {
        return NGX_OK;
    }

    p = ngx_pnalloc(pool, text->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    for (src = text->data, dst = p; src < last; src++) {

        if (*src == '+') {
            *dst++ = ' ';
            continue;
        }

        if (*src != '%') {
            *dst++ = *src;
            continue;
        }

        n = (last - src > 2) ? ngx_hextoi(src + 1, 2) : NGX_ERROR;

        if (n == NGX_ERROR) {
            return NGX_DECLINED;
        }

        *dst++ = (u_char) n;
        src += 2;
    }

    text->data = p;
    text->len = dst - p;

    return NGX_OK;
}
