
/*
 * Amounts as text: pure functions, with integers only.
 */


#include "ngx_http_payer_amount.h"


#define NGX_HTTP_PAYER_MAX_DECIMALS  4

/* the longest text that is read, and the largest power of ten in it */
#define NGX_HTTP_PAYER_MAX_DIGITS    128
#define NGX_HTTP_PAYER_MAX_EXPONENT  999

/* a millionth of a minor unit has so many digits behind the point */
#define NGX_HTTP_PAYER_MILLIONTH     6


/* a decimal in pieces: its digits without the point, and where that is */
typedef struct {
    u_char        digits[NGX_HTTP_PAYER_MAX_DIGITS];
    ngx_int_t     len;
    ngx_int_t     whole;            /* digits before the point; may be less
                                     * than 0 or more than there are */
} ngx_http_payer_decimal_t;


static ngx_int_t ngx_http_payer_decimal_split(ngx_str_t *text,
    ngx_uint_t exponent, ngx_http_payer_decimal_t *decimal);
static ngx_int_t ngx_http_payer_decimal_exponent(u_char *p, u_char *last,
    ngx_int_t *exponent);
static u_char ngx_http_payer_decimal_digit(ngx_http_payer_decimal_t *decimal,
    ngx_int_t i);
static ngx_int_t ngx_http_payer_decimal_round(
    ngx_http_payer_decimal_t *decimal, ngx_uint_t rough, ngx_uint_t *up);
static ngx_int_t ngx_http_payer_add_digit(int64_t *value, u_char ch);


ngx_int_t
ngx_http_payer_amount_of(ngx_str_t *text, ngx_http_payer_unit_e unit,
    ngx_uint_t decimals, int64_t *amount)
{
    int64_t                    value;
    ngx_int_t                  i;
    ngx_uint_t                 up, rough;
    ngx_http_payer_decimal_t   decimal;

    if (decimals > NGX_HTTP_PAYER_MAX_DECIMALS) {
        return NGX_DECLINED;
    }

    rough = (unit == NGX_HTTP_PAYER_FLOAT);

    if (ngx_http_payer_decimal_split(text, rough, &decimal) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (unit == NGX_HTTP_PAYER_MINOR) {

        if (decimal.len != (ngx_int_t) text->len) {
            return NGX_DECLINED;
        }

    } else {
        decimal.whole += decimals;
    }

    if (ngx_http_payer_decimal_round(&decimal, rough, &up) != NGX_OK) {
        return NGX_DECLINED;
    }

    value = 0;

    for (i = 0; i < decimal.whole; i++) {
        if (ngx_http_payer_add_digit(&value,
                                ngx_http_payer_decimal_digit(&decimal, i))
            != NGX_OK)
        {
            return NGX_DECLINED;
        }
    }

    if (up) {
        if (value == INT64_MAX) {
            return NGX_DECLINED;
        }

        value++;
    }

    if (value == 0) {
        return NGX_DECLINED;
    }

    *amount = value;

    return NGX_OK;
}


/*
 * A leading zero is refused unless it is the only digit before the point:
 * "0129" is probably a truncated or padded field and not an amount, and a
 * rejected order costs less than a wrong one.
 */

static ngx_int_t
ngx_http_payer_decimal_split(ngx_str_t *text, ngx_uint_t exponent,
    ngx_http_payer_decimal_t *decimal)
{
    u_char     *p, *last;
    ngx_int_t   power;

    if (text->len == 0 || text->len > NGX_HTTP_PAYER_MAX_DIGITS) {
        return NGX_DECLINED;
    }

    p = text->data;
    last = p + text->len;

    decimal->len = 0;
    decimal->whole = -1;

    for ( /* void */ ; p < last; p++) {

        if (*p >= '0' && *p <= '9') {
            decimal->digits[decimal->len++] = *p;
            continue;
        }

        if (*p != '.' || decimal->whole != -1 || p == text->data
            || p + 1 == last)
        {
            break;
        }

        decimal->whole = decimal->len;

        if (p[1] < '0' || p[1] > '9') {
            return NGX_DECLINED;
        }
    }

    if (decimal->whole == -1) {
        decimal->whole = decimal->len;
    }

    if (decimal->whole == 0
        || (decimal->digits[0] == '0' && decimal->whole > 1))
    {
        return NGX_DECLINED;
    }

    if (p == last) {
        return NGX_OK;
    }

    if (!exponent
        || ngx_http_payer_decimal_exponent(p, last, &power) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    decimal->whole += power;

    return NGX_OK;
}


/* E7, e+7, E-2 */

static ngx_int_t
ngx_http_payer_decimal_exponent(u_char *p, u_char *last, ngx_int_t *exponent)
{
    ngx_int_t  n;
    ngx_int_t  minus;

    if ((*p++ | 0x20) != 'e') {
        return NGX_DECLINED;
    }

    minus = 0;

    if (p < last && (*p == '+' || *p == '-')) {
        minus = (*p++ == '-');
    }

    if (p == last) {
        return NGX_DECLINED;
    }

    for (n = 0; p < last; p++) {

        if (*p < '0' || *p > '9') {
            return NGX_DECLINED;
        }

        n = n * 10 + (*p - '0');

        if (n > NGX_HTTP_PAYER_MAX_EXPONENT) {
            return NGX_DECLINED;
        }
    }

    *exponent = minus ? -n : n;

    return NGX_OK;
}


/* the digit, or 0 beyond the written digits */

static u_char
ngx_http_payer_decimal_digit(ngx_http_payer_decimal_t *decimal, ngx_int_t i)
{
    return (i >= 0 && i < decimal->len) ? decimal->digits[i] : '0';
}


/*
 * Whether the digits after the point are zero, or, if "rough", within a
 * millionth of 0 or of 1 ("up").
 */

static ngx_int_t
ngx_http_payer_decimal_round(ngx_http_payer_decimal_t *decimal,
    ngx_uint_t rough, ngx_uint_t *up)
{
    u_char      first;
    ngx_int_t   i, last;

    *up = 0;

    for (i = ngx_max(decimal->whole, 0); i < decimal->len; i++) {
        if (decimal->digits[i] != '0') {
            break;
        }
    }

    if (i >= decimal->len) {
        return NGX_OK;
    }

    if (!rough) {
        return NGX_DECLINED;
    }

    /* 0.999999 and more */

    last = decimal->whole + NGX_HTTP_PAYER_MILLIONTH;
    first = ngx_http_payer_decimal_digit(decimal, decimal->whole);

    if (first == '9') {

        for (i = decimal->whole; i < last; i++) {
            if (ngx_http_payer_decimal_digit(decimal, i) != '9') {
                return NGX_DECLINED;
            }
        }

        *up = 1;

        return NGX_OK;
    }

    /* less than 0.000001, or just that */

    for (i = decimal->whole; i < last - 1; i++) {
        if (ngx_http_payer_decimal_digit(decimal, i) != '0') {
            return NGX_DECLINED;
        }
    }

    if (ngx_http_payer_decimal_digit(decimal, i) == '0') {
        return NGX_OK;
    }

    if (ngx_http_payer_decimal_digit(decimal, i) != '1') {
        return NGX_DECLINED;
    }

    for (i = last; i < decimal->len; i++) {
        if (ngx_http_payer_decimal_digit(decimal, i) != '0') {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_add_digit(int64_t *value, u_char ch)
{
    int64_t  digit;

    if (ch < '0' || ch > '9') {
        return NGX_DECLINED;
    }

    digit = ch - '0';

    if (*value >= INT64_MAX / 10
        && (*value > INT64_MAX / 10 || digit > INT64_MAX % 10))
    {
        return NGX_DECLINED;
    }

    *value = *value * 10 + digit;

    return NGX_OK;
}


u_char *
ngx_http_payer_amount_text(u_char *p, int64_t amount, ngx_uint_t decimals,
    u_char point)
{
    int64_t     scale;
    ngx_uint_t  i;

    scale = 1;

    for (i = 0; i < decimals; i++) {
        scale *= 10;
    }

    p = ngx_sprintf(p, "%L", amount / scale);

    if (decimals == 0) {
        return p;
    }

    *p++ = point;

    for (i = decimals; i > 0; i--) {
        p[i - 1] = (u_char) ('0' + amount % 10);
        amount /= 10;
    }

    return p + decimals;
}
