
/*
 * A date and time in a JSON text.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_payer_json_parse.h"


static ngx_int_t ngx_http_payer_json_digits(u_char *p, ngx_uint_t n);


/*
 * "2026-11-26T01:23:45Z", possibly with a fraction and another zone, as ISO
 * 8601 has it; without a zone it is taken for UTC.  0 for anything else: an
 * invalid date is not an error.
 */

time_t
ngx_http_payer_json_time(cJSON *root, const char *name)
{
    u_char     *p;
    cJSON      *value;
    time_t      zone;
    ngx_int_t   year, month, day, hour, minute, second, days;

    value = cJSON_GetObjectItemCaseSensitive(root, name);

    if (!cJSON_IsString(value)) {
        return 0;
    }

    p = (u_char *) value->valuestring;

    if (ngx_strlen(p) < sizeof("2026-11-26T01:23:45") - 1
        || p[4] != '-' || p[7] != '-' || (p[10] != 'T' && p[10] != ' ')
        || p[13] != ':' || p[16] != ':')
    {
        return 0;
    }

    year = ngx_http_payer_json_digits(p, 4);
    month = ngx_http_payer_json_digits(p + 5, 2);
    day = ngx_http_payer_json_digits(p + 8, 2);
    hour = ngx_http_payer_json_digits(p + 11, 2);
    minute = ngx_http_payer_json_digits(p + 14, 2);
    second = ngx_http_payer_json_digits(p + 17, 2);

    if (year < 1971 || month < 1 || month > 12 || day < 1 || day > 31
        || hour < 0 || hour > 23 || minute < 0 || minute > 59
        || second < 0 || second > 60)
    {
        return 0;
    }

    p += sizeof("2026-11-26T01:23:45") - 1;

    if (*p == '.') {
        do { p++; } while (*p >= '0' && *p <= '9');
    }

    zone = 0;

    if (*p == '+' || *p == '-') {

        if (ngx_strlen(p) < sizeof("+01:00") - 1
            || ngx_http_payer_json_digits(p + 1, 2) < 0
            || ngx_http_payer_json_digits(p + 4, 2) < 0)
        {
            return 0;
        }

        zone = 60 * (60 * ngx_http_payer_json_digits(p + 1, 2)
                     + ngx_http_payer_json_digits(p + 4, 2));

        if (*p == '-') {
            zone = -zone;
        }
    }

    /* the year begins with March, so that the leap day is its last one */

    if (month < 3) {
        month += 12;
        year--;
    }

    days = 365 * year + year / 4 - year / 100 + year / 400
           + (153 * month - 457) / 5 + day - 719469;

    return (time_t) days * 86400 + hour * 3600 + minute * 60 + second - zone;
}


static ngx_int_t
ngx_http_payer_json_digits(u_char *p, ngx_uint_t n)
{
    ngx_int_t  value;

    for (value = 0; n; n--, p++) {

        if (*p < '0' || *p > '9') {
            return NGX_ERROR;
        }

        value = 10 * value + *p - '0';
    }

    return value;
}
