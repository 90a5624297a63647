
/*
 * Creates the signed links of payer_link, byte by byte as payer_signature of
 * the checkout verifies them.
 */


#include "ngx_http_payer_link_sign.h"
#include "ngx_http_payer_origin.h"
#include "ngx_http_payer_signature.h"


static ngx_int_t ngx_http_payer_link_values(ngx_pool_t *pool,
    ngx_http_payer_loc_conf_t *checkout, ngx_http_payer_params_t *params,
    ngx_http_payer_signed_link_t *link);
static ngx_int_t ngx_http_payer_link_escape(ngx_pool_t *pool,
    ngx_str_t *separators, ngx_str_t *text, ngx_str_t *escaped);
static ngx_uint_t ngx_http_payer_link_plain(u_char ch);
static ngx_int_t ngx_http_payer_link_message(ngx_pool_t *pool,
    ngx_http_payer_link_conf_t *conf, ngx_http_payer_signed_link_t *link);


ngx_int_t
ngx_http_payer_link_sign(ngx_pool_t *pool, ngx_http_payer_link_conf_t *conf,
    ngx_http_payer_loc_conf_t *checkout, ngx_http_payer_params_t *params,
    ngx_http_payer_signed_link_t *link)
{
    u_char      digest[NGX_HTTP_PAYER_DIGEST_LEN];
    ngx_str_t  *keys, *signature;

    if (ngx_http_payer_link_values(pool, checkout, params, link) != NGX_OK
        || ngx_http_payer_link_message(pool, conf, link) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* the first of two keys is the one that is kept */

    keys = checkout->signature_keys->elts;

    if (ngx_http_payer_hmac(&keys[0], &link->message, digest) != NGX_OK) {
        return NGX_ERROR;
    }

    signature = &link->values[NGX_HTTP_PAYER_LINK_SIGNATURE];

    signature->len = 2 * NGX_HTTP_PAYER_DIGEST_LEN;

    signature->data = ngx_pnalloc(pool, signature->len);
    if (signature->data == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_hex_dump(signature->data, digest, NGX_HTTP_PAYER_DIGEST_LEN);

    return NGX_OK;
}


/* as they are in the URL, since these bytes are signed */

static ngx_int_t
ngx_http_payer_link_values(ngx_pool_t *pool,
    ngx_http_payer_loc_conf_t *checkout, ngx_http_payer_params_t *params,
    ngx_http_payer_signed_link_t *link)
{
    u_char     *p;
    ngx_str_t  *amount, *expires;

    p = ngx_pnalloc(pool, 2 * NGX_INT64_LEN + 2);
    if (p == NULL) {
        return NGX_ERROR;
    }

    amount = &link->values[NGX_HTTP_PAYER_LINK_AMOUNT];
    amount->data = p;

    if (checkout->amount_unit == NGX_HTTP_PAYER_MINOR) {
        p = ngx_sprintf(p, "%L", params->amount);

    } else {
        p = ngx_http_payer_amount_text(p, params->amount, checkout->exponent,
                                       '.');
    }

    amount->len = p - amount->data;

    expires = &link->values[NGX_HTTP_PAYER_LINK_EXPIRES];
    expires->data = p;
    expires->len = ngx_sprintf(p, "%L", params->expires) - p;

    return ngx_http_payer_link_escape(pool, &checkout->signature->separators,
                          &params->reference,
                          &link->values[NGX_HTTP_PAYER_LINK_REFERENCE]);
}


/*
 * separators of the message are escaped, too: a further one would be rejected
 */

static ngx_int_t
ngx_http_payer_link_escape(ngx_pool_t *pool, ngx_str_t *separators,
    ngx_str_t *text, ngx_str_t *escaped)
{
    size_t   i;
    u_char  *p, ch, *last;

    p = ngx_pnalloc(pool, 3 * text->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    escaped->data = p;
    last = separators->data + separators->len;

    for (i = 0; i < text->len; i++) {
        ch = text->data[i];

        if (ngx_http_payer_link_plain(ch)
            && ngx_strlchr(separators->data, last, ch) == NULL)
        {
            *p++ = ch;

        } else {
            p = ngx_sprintf(p, "%%%02Xd", (ngx_uint_t) ch);
        }
    }

    escaped->len = p - escaped->data;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_payer_link_plain(u_char ch)
{
    return (ch >= '0' && ch <= '9')
           || ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z')
           || ch == '-' || ch == '.' || ch == '_' || ch == '~';
}


static ngx_int_t
ngx_http_payer_link_message(ngx_pool_t *pool,
    ngx_http_payer_link_conf_t *conf, ngx_http_payer_signed_link_t *link)
{
    size_t                       len;
    u_char                      *p;
    ngx_uint_t                   i;
    ngx_http_payer_link_part_t  *part;

    part = conf->parts.elts;
    len = 0;

    for (i = 0; i < conf->parts.nelts; i++) {
        len += part[i].text.len;

        if (part[i].arg < NGX_HTTP_PAYER_LINK_ARGS) {
            len += link->values[part[i].arg].len;
        }
    }

    p = ngx_pnalloc(pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    link->message.data = p;
    link->message.len = len;

    for (i = 0; i < conf->parts.nelts; i++) {
        p = ngx_cpymem(p, part[i].text.data, part[i].text.len);

        if (part[i].arg < NGX_HTTP_PAYER_LINK_ARGS) {
            p = ngx_cpymem(p, link->values[part[i].arg].data,
                           link->values[part[i].arg].len);
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_link_url(ngx_http_request_t *r,
    ngx_http_payer_link_conf_t *conf, ngx_http_payer_loc_conf_t *checkout,
    ngx_http_payer_signed_link_t *link, ngx_str_t *url)
{
    size_t      len;
    u_char     *p;
    uintptr_t   escape;
    ngx_int_t   rc;
    ngx_str_t   origin;
    ngx_uint_t  i;

    rc = ngx_http_payer_origin(r, checkout, &origin);
    if (rc != NGX_OK) {
        return rc;
    }

    escape = 2 * ngx_escape_uri(NULL, conf->uri.data, conf->uri.len,
                                NGX_ESCAPE_URI);

    len = origin.len + conf->uri.len + escape;

    for (i = 0; i < NGX_HTTP_PAYER_LINK_ARGS; i++) {
        len += sizeof("?=") - 1 + conf->args[i].len + link->values[i].len;
    }

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    url->data = p;
    url->len = len;

    p = ngx_cpymem(p, origin.data, origin.len);

    p = (u_char *) ngx_escape_uri(p, conf->uri.data, conf->uri.len,
                                  NGX_ESCAPE_URI);

    for (i = 0; i < NGX_HTTP_PAYER_LINK_ARGS; i++) {
        p = ngx_sprintf(p, "%c%V=%V", i ? '&' : '?', &conf->args[i],
                        &link->values[i]);
    }

    return NGX_OK;
}
