
/*
 * The arguments of the lists of payer_office.
 */


#include "ngx_http_payer_office.h"


typedef struct {
    ngx_str_t      name;
    ngx_int_t    (*set)(ngx_http_payer_office_query_t *query,
                       ngx_str_t *value);
    const char    *wrong;
} ngx_http_payer_office_arg_t;


static ngx_int_t ngx_http_payer_office_arg(ngx_http_request_t *r,
    ngx_http_payer_office_query_t *query, u_char *p, u_char *last,
    ngx_uint_t *seen, const char **reason);
static ngx_int_t ngx_http_payer_office_decode(ngx_pool_t *pool, u_char *p,
    u_char *last, ngx_str_t *value);
static ngx_int_t ngx_http_payer_office_state(
    ngx_http_payer_office_query_t *query, ngx_str_t *value);
static ngx_int_t ngx_http_payer_office_q(ngx_http_payer_office_query_t *query,
    ngx_str_t *value);
static ngx_int_t ngx_http_payer_office_after(
    ngx_http_payer_office_query_t *query, ngx_str_t *value);
static ngx_int_t ngx_http_payer_office_reference(
    ngx_http_payer_office_query_t *query, ngx_str_t *value);
static ngx_int_t ngx_http_payer_office_from(
    ngx_http_payer_office_query_t *query, ngx_str_t *value);
static ngx_int_t ngx_http_payer_office_to(ngx_http_payer_office_query_t *query,
    ngx_str_t *value);
static ngx_int_t ngx_http_payer_office_limit(
    ngx_http_payer_office_query_t *query, ngx_str_t *value);
static ngx_int_t ngx_http_payer_office_attention(
    ngx_http_payer_office_query_t *query, ngx_str_t *value);
static ngx_int_t ngx_http_payer_office_format(
    ngx_http_payer_office_query_t *query, ngx_str_t *value);
static ngx_int_t ngx_http_payer_office_time(ngx_str_t *value, time_t *time);
static time_t ngx_http_payer_office_day(ngx_int_t year, ngx_int_t month,
    ngx_int_t day);


#define NGX_HTTP_PAYER_OFFICE_PAGE  50
#define NGX_HTTP_PAYER_OFFICE_DAY   86400


static ngx_http_payer_office_arg_t  ngx_http_payer_office_args[] = {

    { ngx_string("state"), ngx_http_payer_office_state,
      "state is not a state of an order" },

    { ngx_string("q"), ngx_http_payer_office_q,
      "q is longer than 255 bytes, or not UTF-8 without control characters" },

    { ngx_string("from"), ngx_http_payer_office_from,
      "from is neither a day (2026-01-31) nor a time in seconds" },

    { ngx_string("to"), ngx_http_payer_office_to,
      "to is neither a day (2026-01-31) nor a time in seconds" },

    { ngx_string("attention"), ngx_http_payer_office_attention,
      "attention is not 0 or 1" },

    { ngx_string("limit"), ngx_http_payer_office_limit,
      "limit is not a number from 1 to 500" },

    { ngx_string("after"), ngx_http_payer_office_after,
      "after is not the \"next\" of an answer" },

    { ngx_string("format"), ngx_http_payer_office_format,
      "format is not json or csv" },

    { ngx_string("reference"), ngx_http_payer_office_reference,
      "reference is empty, longer than 255 bytes, or not UTF-8 without "
      "control characters" },

    { ngx_null_string, NULL, NULL }
};


ngx_int_t
ngx_http_payer_office_query(ngx_http_request_t *r,
    ngx_http_payer_office_query_t *query, const char **reason)
{
    u_char      *p, *last, *end;
    ngx_int_t    rc;
    ngx_uint_t   seen;

    ngx_memzero(query, sizeof(ngx_http_payer_office_query_t));

    query->limit = NGX_HTTP_PAYER_OFFICE_PAGE;

    seen = 0;
    p = r->args.data;
    last = p + r->args.len;

    while (p < last) {
        end = ngx_strlchr(p, last, '&');
        if (end == NULL) {
            end = last;
        }

        rc = ngx_http_payer_office_arg(r, query, p, end, &seen, reason);
        if (rc != NGX_OK) {
            return rc;
        }

        p = end + 1;
    }

    return NGX_OK;
}


/* a misspelled filter must not be ignored */

static ngx_int_t
ngx_http_payer_office_arg(ngx_http_request_t *r,
    ngx_http_payer_office_query_t *query, u_char *p, u_char *last,
    ngx_uint_t *seen, const char **reason)
{
    u_char                       *equals;
    ngx_int_t                     rc;
    ngx_str_t                     value;
    ngx_uint_t                    i;
    ngx_http_payer_office_arg_t  *arg;

    if (p == last) {
        return NGX_OK;
    }

    equals = ngx_strlchr(p, last, '=');
    if (equals == NULL) {
        equals = last;
    }

    for (i = 0; ngx_http_payer_office_args[i].set; i++) {
        arg = &ngx_http_payer_office_args[i];

        if ((size_t) (equals - p) != arg->name.len
            || ngx_memcmp(p, arg->name.data, arg->name.len) != 0)
        {
            continue;
        }

        if (*seen & ((ngx_uint_t) 1 << i)) {
            *reason = "an argument is given twice";
            return NGX_DECLINED;
        }

        *seen |= (ngx_uint_t) 1 << i;

        rc = ngx_http_payer_office_decode(r->pool,
                                          ngx_min(equals + 1, last), last,
                                          &value);
        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        /* an empty field of a form is none */

        if (rc == NGX_OK && (value.len == 0 || arg->set(query, &value)
                                               == NGX_OK))
        {
            return NGX_OK;
        }

        *reason = arg->wrong;
        return NGX_DECLINED;
    }

    *reason = "there is an unknown argument";
    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_payer_office_decode(ngx_pool_t *pool, u_char *p, u_char *last,
    ngx_str_t *value)
{
    u_char     *dst;
    ngx_int_t   ch;

    value->data = ngx_pnalloc(pool, last - p + 1);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    for (dst = value->data; p < last; p++) {
        ch = *p;

        if (ch == '+') {
            ch = ' ';

        } else if (ch == '%') {
            ch = (last - p < 3) ? NGX_ERROR : ngx_hextoi(p + 1, 2);

            if (ch <= 0) {
                return NGX_DECLINED;
            }

            p += 2;
        }

        *dst++ = (u_char) ch;
    }

    value->len = dst - value->data;

    return NGX_OK;
}


/* in lower case, several separated by commas */

static ngx_int_t
ngx_http_payer_office_state(ngx_http_payer_office_query_t *query,
    ngx_str_t *value)
{
    u_char      *p, *last, *end;
    ngx_str_t   *name;
    ngx_uint_t   state;

    p = value->data;
    last = p + value->len;

    while (p < last) {
        end = ngx_strlchr(p, last, ',');
        if (end == NULL) {
            end = last;
        }

        for (state = NGX_HTTP_PAYER_CREATING;
             state <= NGX_HTTP_PAYER_STATES;
             state++)
        {
            name = ngx_http_payer_state_name(state);

            if ((size_t) (end - p) == name->len
                && ngx_strncasecmp(p, name->data, name->len) == 0)
            {
                query->states |= (uint64_t) 1 << state;
                break;
            }
        }

        if (state > NGX_HTTP_PAYER_STATES) {
            return NGX_DECLINED;
        }

        p = end + 1;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_office_q(ngx_http_payer_office_query_t *query, ngx_str_t *value)
{
    query->q = *value;

    return ngx_http_payer_check_reference(value);
}


static ngx_int_t
ngx_http_payer_office_after(ngx_http_payer_office_query_t *query,
    ngx_str_t *value)
{
    query->after = *value;

    return ngx_http_payer_check_reference(value);
}


static ngx_int_t
ngx_http_payer_office_reference(ngx_http_payer_office_query_t *query,
    ngx_str_t *value)
{
    query->reference = *value;

    return ngx_http_payer_check_reference(value);
}


static ngx_int_t
ngx_http_payer_office_from(ngx_http_payer_office_query_t *query,
    ngx_str_t *value)
{
    ngx_int_t  rc;

    rc = ngx_http_payer_office_time(value, &query->from);

    return rc == NGX_DECLINED ? NGX_DECLINED : NGX_OK;
}


/* the last day is inclusive */

static ngx_int_t
ngx_http_payer_office_to(ngx_http_payer_office_query_t *query,
    ngx_str_t *value)
{
    ngx_int_t  rc;

    rc = ngx_http_payer_office_time(value, &query->to);

    if (rc == NGX_DONE) {
        query->to += NGX_HTTP_PAYER_OFFICE_DAY;
    }

    return rc == NGX_DECLINED ? NGX_DECLINED : NGX_OK;
}


static ngx_int_t
ngx_http_payer_office_limit(ngx_http_payer_office_query_t *query,
    ngx_str_t *value)
{
    ngx_int_t  n;

    n = ngx_atoi(value->data, value->len);

    if (n < 1 || n > NGX_HTTP_PAYER_STORE_MAX_ITEMS) {
        return NGX_DECLINED;
    }

    query->limit = n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_office_attention(ngx_http_payer_office_query_t *query,
    ngx_str_t *value)
{
    if (value->len != 1 || (value->data[0] != '0' && value->data[0] != '1')) {
        return NGX_DECLINED;
    }

    query->attention = (value->data[0] == '1');

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_office_format(ngx_http_payer_office_query_t *query,
    ngx_str_t *value)
{
    if (value->len == 4 && ngx_memcmp(value->data, "json", 4) == 0) {
        return NGX_OK;
    }

    query->csv = 1;

    return (value->len == 3 && ngx_memcmp(value->data, "csv", 3) == 0)
           ? NGX_OK : NGX_DECLINED;
}


/* seconds: NGX_OK; the beginning of a day in UTC: NGX_DONE; NGX_DECLINED */

static ngx_int_t
ngx_http_payer_office_time(ngx_str_t *value, time_t *time)
{
    u_char     *p;
    time_t      first;
    ngx_int_t   year, month, day;

    p = value->data;

    if (value->len != sizeof("2026-01-31") - 1 || p[4] != '-') {
        *time = ngx_atotm(p, value->len);

        return *time >= 0 ? NGX_OK : NGX_DECLINED;
    }

    year = ngx_atoi(p, 4);
    month = ngx_atoi(p + 5, 2);
    day = ngx_atoi(p + 8, 2);

    if (p[7] != '-' || year < 1970 || month < 1 || month > 12 || day < 1) {
        return NGX_DECLINED;
    }

    first = ngx_http_payer_office_day(year, month, 1);

    *time = first + (day - 1) * NGX_HTTP_PAYER_OFFICE_DAY;

    return *time < ngx_http_payer_office_day(year, month + 1, 1)
           ? NGX_DONE : NGX_DECLINED;
}


/* Gauss' formula, for which the year begins in March; month 13 is January */

static time_t
ngx_http_payer_office_day(ngx_int_t year, ngx_int_t month, ngx_int_t day)
{
    month -= 2;

    if (month <= 0) {
        month += 12;
        year -= 1;
    }

    return (time_t) (365 * year + year / 4 - year / 100 + year / 400
                     + 367 * month / 12 - 30 + day - 1 - 719527 + 31 + 28)
           * NGX_HTTP_PAYER_OFFICE_DAY;
}
