
/*
 * Stand-ins for what the module uses of nginx's ngx_string.c, written anew
 * and no cleverer than that.  fuzz/build takes nginx's own file instead where
 * NGINX_CORE names a source tree that has it.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include <stdio.h>


static const char  digits[] = "0123456789abcdef";


ngx_int_t
ngx_strncasecmp(u_char *s1, u_char *s2, size_t n)
{
    return strncasecmp((char *) s1, (char *) s2, n);
}


void
ngx_strlow(u_char *dst, u_char *src, size_t n)
{
    for ( /* void */ ; n > 0; n--) {
        *dst++ = (u_char) ngx_tolower(*src);
        src++;
    }
}


u_char *
ngx_hex_dump(u_char *dst, u_char *src, size_t len)
{
    for ( /* void */ ; len > 0; len--) {
        *dst++ = digits[*src >> 4];
        *dst++ = digits[*src++ & 0xf];
    }

    return dst;
}


ngx_int_t
ngx_hextoi(u_char *line, size_t n)
{
    char       *found;
    ngx_int_t   value;

    if (n == 0 || n > 8) {
        return NGX_ERROR;
    }

    for (value = 0; n > 0; n--) {
        if (*line == '\0') {
            return NGX_ERROR;
        }

        found = strchr(digits, ngx_tolower(*line));

        if (found == NULL) {
            return NGX_ERROR;
        }

        value = value * 16 + (found - digits);
        line++;
    }

    return value;
}


uintptr_t
ngx_escape_json(u_char *dst, u_char *src, size_t size)
{
    int          n;
    char         buf[sizeof("\\u0000")];
    char        *special;
    uintptr_t    extra;

    static const char  plain[] = "\\\"\n\r\t\b\f";
    static const char  escaped[] = "\\\"nrtbf";

    for (extra = 0; size > 0; size--, src++) {
        special = *src ? strchr(plain, *src) : NULL;

        if (special != NULL) {
            n = sprintf(buf, "\\%c", escaped[special - plain]);

        } else if (*src < 0x20) {
            n = sprintf(buf, "\\u%04X", *src);

        } else {
            n = 1;
            buf[0] = (char) *src;
        }

        extra += n - 1;

        if (dst != NULL) {
            memcpy(dst, buf, n);
            dst += n;
        }
    }

    return (dst != NULL) ? (uintptr_t) dst : extra;
}


void
ngx_encode_base64url(ngx_str_t *dst, ngx_str_t *src)
{
    u_char    *p;
    size_t     i;
    uint32_t   bits;

    static const char  basis[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    p = dst->data;

    for (i = 0; i < src->len; i += 3) {
        bits = (uint32_t) src->data[i] << 16;
        bits |= (i + 1 < src->len) ? (uint32_t) src->data[i + 1] << 8 : 0;
        bits |= (i + 2 < src->len) ? src->data[i + 2] : 0;

        *p++ = basis[bits >> 18];
        *p++ = basis[(bits >> 12) & 63];

        if (i + 1 < src->len) {
            *p++ = basis[(bits >> 6) & 63];
        }

        if (i + 2 < src->len) {
            *p++ = basis[bits & 63];
        }
    }

    dst->len = p - dst->data;
}


void
ngx_explicit_memzero(void *buf, size_t n)
{
    explicit_bzero(buf, n);
}


/* %V, %T, %L, %uL, %02Xd only; anything else is an error of the test, not of the module */

u_char * ngx_cdecl
ngx_sprintf(u_char *buf, const char *fmt, ...)
{
    int         n;
    char        number[NGX_INT64_LEN + 1];
    va_list     args;
    ngx_str_t  *text;

    va_start(args, fmt);

    while (*fmt) {
        if (*fmt != '%') {
            *buf++ = (u_char) *fmt++;
            continue;
        }

        if (strncmp(fmt, "%V", 2) == 0) {
            text = va_arg(args, ngx_str_t *);
            memcpy(buf, text->data, text->len);
            buf += text->len;
            fmt += 2;
            continue;
        }

        if (strncmp(fmt, "%%", 2) == 0) {
            *buf++ = '%';
            fmt += 2;
            continue;
        }

        if (strncmp(fmt, "%02Xd", 5) == 0) {
            n = sprintf(number, "%02X", va_arg(args, int));
            fmt += 5;

        } else if (strncmp(fmt, "%T", 2) == 0) {
            n = sprintf(number, "%lld", (long long) va_arg(args, time_t));
            fmt += 2;

        } else if (strncmp(fmt, "%L", 2) == 0) {
            n = sprintf(number, "%lld",
                        (long long) va_arg(args, int64_t));
            fmt += 2;

        } else if (strncmp(fmt, "%uL", 3) == 0) {
            n = sprintf(number, "%llu",
                        (unsigned long long) va_arg(args, uint64_t));
            fmt += 3;

        } else {
            fprintf(stderr, "nginx_strings.c: unknown format \"%s\"\n", fmt);
            abort();
        }

        memcpy(buf, number, n);
        buf += n;
    }

    va_end(args);

    return buf;
}
