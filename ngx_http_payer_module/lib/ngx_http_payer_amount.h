
/*
 * Amounts as text: pure functions, with integers only.
 */


#ifndef _NGX_HTTP_PAYER_AMOUNT_H_INCLUDED_
#define _NGX_HTTP_PAYER_AMOUNT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* how the text of an amount is read */
typedef enum {
    NGX_HTTP_PAYER_MINOR = 0,   /* a whole number of minor units */
    NGX_HTTP_PAYER_MAJOR,       /* a decimal */
    NGX_HTTP_PAYER_FLOAT        /* a decimal that a program made of a double */
} ngx_http_payer_unit_e;


/*
 * the amount in minor units, for a currency with so many decimals (0-4):
 * NGX_OK, or NGX_DECLINED for a sign, a space, an overflow, a leading zero, a
 * zero amount; for an exponent unless it is a FLOAT; for a part of a minor
 * unit, of which a FLOAT may have a millionth that a double has added or lost
 */
ngx_int_t ngx_http_payer_amount_of(ngx_str_t *text, ngx_http_payer_unit_e unit,
    ngx_uint_t decimals, int64_t *amount);

/*
 * writes the amount as a decimal, with "point" between the units, and returns
 * its end: at most NGX_INT64_LEN + 2 bytes
 */
u_char *ngx_http_payer_amount_text(u_char *p, int64_t amount,
    ngx_uint_t decimals, u_char point);


/* the sum of two that are not negative, or the largest amount there is */

static ngx_inline int64_t
ngx_http_payer_amount_add(int64_t a, int64_t b)
{
    return (a > INT64_MAX - b) ? INT64_MAX : a + b;
}


/* as ngx_sprintf("%L"), which reads a format first; returns the end */

static ngx_inline u_char *
ngx_http_payer_digits(u_char *p, int64_t number)
{
    u_char     buf[NGX_INT64_LEN], *digit;
    uint64_t   n;

    n = (uint64_t) number;

    if (number < 0) {
        *p++ = '-';
        n = -n;
    }

    digit = buf + NGX_INT64_LEN;

    do {
        *--digit = (u_char) ('0' + n % 10);
        n /= 10;
    } while (n);

    return ngx_cpymem(p, digit, buf + NGX_INT64_LEN - digit);
}


#endif /* _NGX_HTTP_PAYER_AMOUNT_H_INCLUDED_ */
