
/*
 * The arguments of a lookup's URI.  Values that a client can influence are
 * checked byte by byte: they must not become another argument, path or method.
 */


#include "ngx_http_payer_lookup.h"
#include "ngx_http_payer_lookup_text.h"
#include "ngx_http_payer_query.h"


static ngx_int_t ngx_http_payer_lookup_value(ngx_http_request_t *r,
    ngx_http_payer_lookup_conf_t *conf, ngx_http_payer_lookup_arg_t *arg,
    ngx_str_t *value);


/* name=value&...: NGX_OK, NGX_DECLINED (a value may not go to the shop),
 * NGX_ERROR */

ngx_int_t
ngx_http_payer_lookup_args(ngx_http_request_t *r,
    ngx_http_payer_lookup_conf_t *conf, ngx_str_t *args)
{
    size_t                        len;
    u_char                       *p;
    ngx_int_t                     rc;
    ngx_str_t                    *values;
    ngx_uint_t                    i;
    ngx_http_payer_lookup_arg_t  *arg;

    ngx_str_null(args);

    arg = conf->args.elts;

    if (conf->args.nelts == 0) {
        return NGX_OK;
    }

    if (conf->buyers && !ngx_http_payer_query_clear(&r->args, conf->buyers)) {
        return NGX_DECLINED;
    }

    values = ngx_palloc(r->pool, conf->args.nelts * sizeof(ngx_str_t));
    if (values == NULL) {
        return NGX_ERROR;
    }

    len = 0;

    for (i = 0; i < conf->args.nelts; i++) {
        rc = ngx_http_payer_lookup_value(r, conf, &arg[i], &values[i]);

        if (rc != NGX_OK) {
            return rc;
        }

        len += arg[i].name.len + 3 * values[i].len + 2;
    }

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    args->data = p;

    for (i = 0; i < conf->args.nelts; i++) {

        if (i) {
            *p++ = '&';
        }

        p = ngx_cpymem(p, arg[i].name.data, arg[i].name.len);
        *p++ = '=';

        if (conf->email && arg[i].variable.len) {
            p = (u_char *) ngx_escape_uri(p, values[i].data, values[i].len,
                                          NGX_ESCAPE_URI_COMPONENT);

        } else {
            p = ngx_cpymem(p, values[i].data, values[i].len);
        }
    }

    args->len = p - args->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_lookup_value(ngx_http_request_t *r,
    ngx_http_payer_lookup_conf_t *conf, ngx_http_payer_lookup_arg_t *arg,
    ngx_str_t *value)
{
    u_char                     *dst, *src;
    ngx_http_variable_value_t  *vv;

    if (arg->variable.len == 0) {
        *value = arg->text;
        return NGX_OK;
    }

    vv = ngx_http_get_flushed_variable(r, arg->index);

    if (vv == NULL) {
        return NGX_ERROR;
    }

    if (vv->not_found) {
        return NGX_DECLINED;
    }

    value->data = vv->data;
    value->len = vv->len;

    if (conf->email && arg->escaped
        && value->len <= 3 * NGX_HTTP_PAYER_LOOKUP_TEXT)
    {
        /* browsers write the at sign and the plus in percent */

        dst = ngx_pnalloc(r->pool, ngx_max(value->len, 1));
        if (dst == NULL) {
            return NGX_ERROR;
        }

        if (ngx_strlchr(value->data, value->data + value->len, '+')) {

            /* a space, which is not valid in an address */

            return NGX_DECLINED;
        }

        src = value->data;
        value->data = dst;

        ngx_unescape_uri(&dst, &src, value->len, 0);

        value->len = dst - value->data;
    }

    return ngx_http_payer_lookup_clean(value, conf->email) ? NGX_OK
                                                           : NGX_DECLINED;
}
