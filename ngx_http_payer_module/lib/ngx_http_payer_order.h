
/*
 * Orders and money: checks of references, currencies, amounts and URLs. Pure
 * functions on bytes: no request, no configuration, no allocation.
 */


#ifndef _NGX_HTTP_PAYER_ORDER_H_INCLUDED_
#define _NGX_HTTP_PAYER_ORDER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_HTTP_PAYER_MAX_URL          2048
#define NGX_HTTP_PAYER_MAX_REFERENCE    255
#define NGX_HTTP_PAYER_MAX_PAYMENT_ID   64
#define NGX_HTTP_PAYER_MAX_EVENT_TOKEN  256
#define NGX_HTTP_PAYER_MAX_EVENT_TYPE   64


/*
 * the code point at *pos, which must be below "last", and *pos moved behind
 * it; NGX_DECLINED, and *pos left, if it is not well-formed UTF-8
 */
ngx_int_t ngx_http_payer_utf8_next(u_char **pos, u_char *last);

/* 1-255 bytes of UTF-8 without control characters: NGX_OK or NGX_DECLINED */
ngx_int_t ngx_http_payer_check_reference(ngx_str_t *reference);

/* the same of another length: 1 to "max" bytes */
ngx_int_t ngx_http_payer_check_line(ngx_str_t *text, size_t max);

/* [A-Za-z0-9_-]{1,64}: NGX_OK or NGX_DECLINED */
ngx_int_t ngx_http_payer_check_payment_id(ngx_str_t *id);

/*
 * [A-Za-z0-9._~-]{1,256}, and not dots alone, which lead up in a path:
 * NGX_OK or NGX_DECLINED
 */
ngx_int_t ngx_http_payer_check_event_token(ngx_str_t *token);

/* [A-Z0-9_]{1,64}, the type of an event: NGX_OK or NGX_DECLINED */
ngx_int_t ngx_http_payer_check_event_type(ngx_str_t *type);

/*
 * the language of ISO 639-1 that the text names, with or without a country
 * behind it: NGX_OK, or NGX_DECLINED if none is known
 */
ngx_int_t ngx_http_payer_language_of(ngx_str_t *text, ngx_str_t *language);

/*
 * an absolute http or https URL of at most 2048 ASCII characters without
 * control characters, spaces, quotes, backslashes, angle brackets and
 * userinfo; "secure" permits https only: NGX_OK or NGX_DECLINED
 */
ngx_int_t ngx_http_payer_check_url(ngx_str_t *url, ngx_uint_t secure);

/* whether it begins with "/", and with a valid origin in front of it is a URL
 * as above but for its length: NGX_OK or NGX_DECLINED */
ngx_int_t ngx_http_payer_check_path(ngx_str_t *path);

/*
 * number of decimals that ISO 4217 gives to the currency (0-4),
 * NGX_DECLINED if it is not three capital letters that ISO 4217 knows
 */
ngx_int_t ngx_http_payer_currency_exponent(ngx_str_t *currency);

/*
 * the same for the currency number n, from 0, whose letters are written to
 * "code"; NGX_DONE if there are not so many
 */
ngx_int_t ngx_http_payer_currency_at(ngx_uint_t n, u_char *code);

/* a URL of which nothing follows the host and the port: NGX_OK or
 * NGX_DECLINED */
ngx_int_t ngx_http_payer_check_bare_url(ngx_str_t *origin);

/* whether clients can use this name of a server */
ngx_uint_t ngx_http_payer_usable_name(ngx_str_t *name);

/*
 * a text as the value of a header: visible ASCII but the percent sign as it
 * is, any other byte in percent: NGX_OK or NGX_ERROR
 */
ngx_int_t ngx_http_payer_header_text(ngx_pool_t *pool, ngx_str_t *text,
    ngx_str_t *value);


#endif /* _NGX_HTTP_PAYER_ORDER_H_INCLUDED_ */
