
/*
 * The days of a report, in a time zone.
 *
 * The C library gets the time zone from the environment of the process, so TZ
 * is changed for a moment.  Nothing else runs in this thread meanwhile, and
 * nginx's own local times are cached.
 */


#include "ngx_http_payer_report.h"

#include <time.h>


#define NGX_HTTP_PAYER_REPORT_ZONES  "/usr/share/zoneinfo/"
#define NGX_HTTP_PAYER_REPORT_TZ     64         /* bytes of a name */


static ngx_uint_t ngx_http_payer_report_arg(ngx_http_request_t *r, char *name,
    ngx_str_t *value);
static ngx_int_t ngx_http_payer_report_zone(ngx_str_t *tz);
static ngx_int_t ngx_http_payer_report_day(ngx_str_t *text, struct tm *tm);
static ngx_int_t ngx_http_payer_report_times(ngx_http_request_t *r,
    ngx_http_payer_report_t *rp);
static ngx_int_t ngx_http_payer_report_today(ngx_pool_t *pool,
    ngx_str_t *text);


const char *
ngx_http_payer_report_days(ngx_http_request_t *r, ngx_http_payer_report_t *rp)
{
    char        zone[NGX_HTTP_PAYER_REPORT_TZ + 1];
    char       *old;
    ngx_int_t   rc;

    if (!ngx_http_payer_report_arg(r, "tz", &rp->tz)) {
        ngx_str_set(&rp->tz, "UTC");
    }

    if (ngx_http_payer_report_zone(&rp->tz) != NGX_OK) {
        return "tz is not a time zone, such as Europe/Stockholm";
    }

    (void) ngx_http_payer_report_arg(r, "from", &rp->from);
    (void) ngx_http_payer_report_arg(r, "to", &rp->to);

    ngx_cpystrn((u_char *) zone, rp->tz.data, rp->tz.len + 1);

    old = getenv("TZ");

    if (old) {
        old = strdup(old);
        if (old == NULL) {
            return "there is no memory for the days";
        }
    }

    rc = NGX_ERROR;

    if (setenv("TZ", zone, 1) == 0) {
        tzset();
        rc = ngx_http_payer_report_times(r, rp);
    }

    if (old) {
        (void) setenv("TZ", old, 1);
        free(old);

    } else {
        (void) unsetenv("TZ");
    }

    tzset();

    if (rc != NGX_OK) {
        return "from and to must be days, such as 2026-01-31";
    }

    return rp->begin < rp->end ? NULL : "from is later than to";
}


static ngx_uint_t
ngx_http_payer_report_arg(ngx_http_request_t *r, char *name, ngx_str_t *value)
{
    u_char  *dst, *src;

    if (ngx_http_arg(r, (u_char *) name, ngx_strlen(name), value) != NGX_OK
        || value->len == 0)
    {
        ngx_str_null(value);
        return 0;
    }

    src = value->data;

    dst = ngx_pnalloc(r->pool, value->len);
    if (dst == NULL) {
        ngx_str_null(value);
        return 0;
    }

    value->data = dst;

    ngx_unescape_uri(&dst, &src, value->len, 0);

    value->len = dst - value->data;

    return 1;
}


/* an unknown one would be used as UTC without an error */

static ngx_int_t
ngx_http_payer_report_zone(ngx_str_t *tz)
{
    size_t           i;
    u_char           ch;
    u_char           path[sizeof(NGX_HTTP_PAYER_REPORT_ZONES)
                          + NGX_HTTP_PAYER_REPORT_TZ];
    ngx_file_info_t  fi;

    if (tz->len == 0 || tz->len > NGX_HTTP_PAYER_REPORT_TZ) {
        return NGX_DECLINED;
    }

    if (tz->len == 3 && ngx_strncmp(tz->data, "UTC", 3) == 0) {
        return NGX_OK;
    }

    for (i = 0; i < tz->len; i++) {
        ch = tz->data[i];

        if ((ch < '0' || ch > '9')
            && ((ch | 0x20) < 'a' || (ch | 0x20) > 'z')
            && ch != '_' && ch != '-' && ch != '+'
            && (ch != '/' || i == 0))
        {
            return NGX_DECLINED;
        }
    }

    (void) ngx_sprintf(path, NGX_HTTP_PAYER_REPORT_ZONES "%V%Z", tz);

    return (ngx_file_info(path, &fi) != NGX_FILE_ERROR && ngx_is_file(&fi))
           ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_payer_report_times(ngx_http_request_t *r, ngx_http_payer_report_t *rp)
{
    struct tm  from, to;

    if (rp->to.len == 0
        && ngx_http_payer_report_today(r->pool, &rp->to) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (rp->from.len == 0) {
        rp->from = rp->to;
    }

    if (ngx_http_payer_report_day(&rp->from, &from) != NGX_OK
        || ngx_http_payer_report_day(&rp->to, &to) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    to.tm_mday++;

    rp->begin = mktime(&from);
    rp->end = mktime(&to);

    return (rp->begin < 0 || rp->end < 0) ? NGX_DECLINED : NGX_OK;
}


static ngx_int_t
ngx_http_payer_report_today(ngx_pool_t *pool, ngx_str_t *text)
{
    time_t     now;
    struct tm  tm;

    now = ngx_time();

    text->data = ngx_pnalloc(pool, sizeof("2026-01-31") - 1);

    if (text->data == NULL || localtime_r(&now, &tm) == NULL) {
        return NGX_ERROR;
    }

    text->len = ngx_sprintf(text->data, "%04d-%02d-%02d", tm.tm_year + 1900,
                            tm.tm_mon + 1, tm.tm_mday)
                - text->data;

    return NGX_OK;
}


/* midnight of a valid day */

static ngx_int_t
ngx_http_payer_report_day(ngx_str_t *text, struct tm *tm)
{
    time_t      seconds;
    ngx_int_t   year, month, day;
    struct tm   day_of;

    if (text->len != 10 || text->data[4] != '-' || text->data[7] != '-') {
        return NGX_DECLINED;
    }

    year = ngx_atoi(text->data, 4);
    month = ngx_atoi(text->data + 5, 2);
    day = ngx_atoi(text->data + 8, 2);

    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31) {
        return NGX_DECLINED;
    }

    ngx_memzero(tm, sizeof(struct tm));

    tm->tm_year = year - 1900;
    tm->tm_mon = month - 1;
    tm->tm_mday = day;
    tm->tm_hour = 12;
    tm->tm_isdst = -1;

    day_of = *tm;
    seconds = mktime(&day_of);

    if (seconds == (time_t) -1 || day_of.tm_mday != day) {
        return NGX_DECLINED;
    }

    tm->tm_hour = 0;

    return NGX_OK;
}
