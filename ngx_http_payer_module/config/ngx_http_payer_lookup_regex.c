
/*
 * Fields that a regular expression finds in the shop's reply.
 *
 * A page may contain a text of a buyer that keeps a regular expression busy
 * for seconds.  PCRE limits the steps for each starting position only, so the
 * total time is limited here.
 */


#include "ngx_http_payer_lookup.h"
#include "ngx_http_payer_lookup_conf.h"


#define NGX_HTTP_PAYER_LOOKUP_GROUPS  8


#if (NGX_PCRE)

/* where the match and its groups begin and end, or -1 */
typedef struct {
    ssize_t       at[2 * (NGX_HTTP_PAYER_LOOKUP_GROUPS + 1)];
    ngx_uint_t    n;
} ngx_http_payer_lookup_groups_t;


static ngx_int_t ngx_http_payer_lookup_match_at(
    ngx_http_payer_lookup_field_t *field, ngx_str_t *text, size_t start,
    ngx_http_payer_lookup_groups_t *groups);
static ngx_uint_t ngx_http_payer_lookup_wide(ngx_str_t *pattern);
static size_t ngx_http_payer_lookup_behind(
    ngx_http_payer_lookup_groups_t *groups);
static ngx_int_t ngx_http_payer_lookup_join(ngx_pool_t *pool, ngx_str_t *text,
    ngx_http_payer_lookup_groups_t *groups, ngx_str_t *value);

#if (NGX_PCRE2)
static int ngx_http_payer_lookup_callout(pcre2_callout_block *block,
    void *data);
static ngx_msec_t ngx_http_payer_lookup_used(void);
#endif

#endif


#if (NGX_PCRE2)

/* the callout is called at each position at which a match may begin */
#define NGX_HTTP_PAYER_LOOKUP_LIMIT   "(*LIMIT_MATCH=10000)(?C)"

#define NGX_HTTP_PAYER_LOOKUP_STARTS    32
#define NGX_HTTP_PAYER_LOOKUP_PATIENCE  50      /* ms of processor time */

typedef struct {
    ngx_uint_t    starts;
    ngx_msec_t    begun;
} ngx_http_payer_lookup_budget_t;

#else
#define NGX_HTTP_PAYER_LOOKUP_LIMIT   "(*LIMIT_MATCH=10000)"
#endif


char *
ngx_http_payer_lookup_regex(ngx_conf_t *cf,
    ngx_http_payer_lookup_field_t *field, ngx_str_t *text)
{
    char  *rv;

    rv = ngx_http_payer_lookup_pattern(cf, field, text);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

#if (NGX_PCRE)

    if (field->captures == 0
        || field->captures > NGX_HTTP_PAYER_LOOKUP_GROUPS)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "regular expression \"%V\" must have from 1 to %d "
                           "groups", text, NGX_HTTP_PAYER_LOOKUP_GROUPS);
        return NGX_CONF_ERROR;
    }

    if (ngx_strlchr(text->data, text->data + text->len, '<') == NULL
        && ngx_strlchr(text->data, text->data + text->len, '>') == NULL
        && ngx_strlchr(text->data, text->data + text->len, '"') == NULL)
    {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "regular expression \"%V\" has no \"<\", \">\" or "
                           "quote around the value: a text of the buyer on "
                           "the page may match it", text);
    }

    if (ngx_http_payer_lookup_wide(text)) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "regular expression \"%V\" has \".*\" or \".+\", "
                           "which may pass over another value: use "
                           "\"[^<]*\"", text);
    }

#endif

    return NGX_CONF_OK;
}


#if (NGX_PCRE)

/* whether any characters may stand between the parts of the pattern */

static ngx_uint_t
ngx_http_payer_lookup_wide(ngx_str_t *pattern)
{
    u_char  *p, *last;

    last = pattern->data + pattern->len;

    for (p = pattern->data; last - p > 1; p++) {

        if (*p == '\\') {
            p++;
            continue;
        }

        if (*p == '.' && (p[1] == '*' || p[1] == '+')) {
            return 1;
        }
    }

    return 0;
}

#endif


char *
ngx_http_payer_lookup_pattern(ngx_conf_t *cf,
    ngx_http_payer_lookup_field_t *field, ngx_str_t *text)
{
#if (NGX_PCRE)
    u_char               *p, errstr[NGX_MAX_CONF_ERRSTR];
    ngx_str_t             pattern;
    ngx_regex_compile_t   rc;

    text->data++;
    text->len--;

    pattern.len = sizeof(NGX_HTTP_PAYER_LOOKUP_LIMIT) - 1 + text->len;
    pattern.data = ngx_pnalloc(cf->pool, pattern.len + 1);
    if (pattern.data == NULL) {
        return NGX_CONF_ERROR;
    }

    p = ngx_cpymem(pattern.data, NGX_HTTP_PAYER_LOOKUP_LIMIT,
                   sizeof(NGX_HTTP_PAYER_LOOKUP_LIMIT) - 1);
    p = ngx_cpymem(p, text->data, text->len);
    *p = '\0';

    ngx_memzero(&rc, sizeof(ngx_regex_compile_t));

    rc.pattern = pattern;
    rc.pool = cf->pool;
    rc.err.len = NGX_MAX_CONF_ERRSTR;
    rc.err.data = errstr;

    if (ngx_regex_compile(&rc) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%V", &rc.err);
        return NGX_CONF_ERROR;
    }

    field->pointer = *text;
    field->pattern = 1;
    field->regex = rc.regex;
    field->captures = rc.captures;

    return NGX_CONF_OK;

#else

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "using regex \"%V\" requires PCRE library", text);
    return NGX_CONF_ERROR;

#endif
}


#if (NGX_PCRE)

ngx_int_t
ngx_http_payer_lookup_found(ngx_http_payer_lookup_field_t *field,
    ngx_str_t *text)
{
    ngx_http_payer_lookup_groups_t  groups;

    return ngx_http_payer_lookup_match_at(field, text, 0, &groups);
}


/* the pattern must match exactly once: two amounts are ambiguous */

ngx_int_t
ngx_http_payer_lookup_search(ngx_pool_t *pool,
    ngx_http_payer_lookup_field_t *field, ngx_str_t *text, ngx_str_t *value,
    const char **reason)
{
    size_t                          start;
    ngx_int_t                       rc;
    ngx_http_payer_lookup_groups_t  groups;

    ngx_memzero(&groups, sizeof(ngx_http_payer_lookup_groups_t));

    rc = ngx_http_payer_lookup_match_at(field, text, 0, &groups);

    if (rc == NGX_DECLINED) {
        *reason = "does not match";
    }

    if (rc == NGX_OK) {
        rc = ngx_http_payer_lookup_join(pool, text, &groups, value);

        if (rc == NGX_DECLINED) {
            *reason = value->len ? "is too long" : "is empty";
        }
    }

    if (rc == NGX_OK) {
        start = ngx_http_payer_lookup_behind(&groups);

        if (start > text->len) {
            return NGX_OK;
        }

        rc = ngx_http_payer_lookup_match_at(field, text, start, &groups);

        if (rc == NGX_DECLINED) {
            return NGX_OK;
        }

        if (rc == NGX_OK) {
            *reason = "matches more than once";
            rc = NGX_DECLINED;
        }
    }

    if (rc == NGX_BUSY) {
        *reason = "needs too many steps to match";
        rc = NGX_DECLINED;
    }

    ngx_str_null(value);

    return rc;
}


/* NGX_OK, NGX_DECLINED, NGX_BUSY (it takes too long), NGX_ERROR */

#if (NGX_PCRE2)

static ngx_int_t
ngx_http_payer_lookup_match_at(ngx_http_payer_lookup_field_t *field,
    ngx_str_t *text, size_t start, ngx_http_payer_lookup_groups_t *groups)
{
    int                              rc;
    size_t                          *at;
    ngx_uint_t                       i;
    pcre2_match_data                *md;
    pcre2_match_context             *mc;
    ngx_http_payer_lookup_budget_t   budget;

    md = pcre2_match_data_create(field->captures + 1, NULL);
    mc = pcre2_match_context_create(NULL);

    if (md == NULL || mc == NULL) {
        pcre2_match_data_free(md);
        pcre2_match_context_free(mc);

        return NGX_ERROR;
    }

    budget.starts = 0;
    budget.begun = ngx_http_payer_lookup_used();

    pcre2_set_callout(mc, ngx_http_payer_lookup_callout, &budget);

    rc = pcre2_match(field->regex, text->data, text->len, start, 0, md, mc);

    if (rc > 0) {
        at = pcre2_get_ovector_pointer(md);
        groups->n = ngx_min(rc, NGX_HTTP_PAYER_LOOKUP_GROUPS + 1);

        for (i = 0; i < groups->n; i++, at += 2) {
            groups->at[2 * i] = (at[0] == PCRE2_UNSET) ? -1
                                                       : (ssize_t) at[0];
            groups->at[2 * i + 1] = (at[1] == PCRE2_UNSET) ? -1
                                                           : (ssize_t) at[1];
        }
    }

    pcre2_match_data_free(md);
    pcre2_match_context_free(mc);

    if (rc > 0) {
        return NGX_OK;
    }

    return rc == PCRE2_ERROR_NOMATCH ? NGX_DECLINED : NGX_BUSY;
}


static int
ngx_http_payer_lookup_callout(pcre2_callout_block *block, void *data)
{
    ngx_http_payer_lookup_budget_t *budget = data;

    if (++budget->starts % NGX_HTTP_PAYER_LOOKUP_STARTS
        || ngx_http_payer_lookup_used() - budget->begun
           <= NGX_HTTP_PAYER_LOOKUP_PATIENCE)
    {
        return 0;
    }

    return PCRE2_ERROR_MATCHLIMIT;
}


/*
 * processor time of this thread: it does not depend on the load of the machine
 */

static ngx_msec_t
ngx_http_payer_lookup_used(void)
{
    struct timespec  ts;

    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts) == -1) {
        return 0;
    }

    return (ngx_msec_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

#else

static ngx_int_t
ngx_http_payer_lookup_match_at(ngx_http_payer_lookup_field_t *field,
    ngx_str_t *text, size_t start, ngx_http_payer_lookup_groups_t *groups)
{
    int         captures[3 * (NGX_HTTP_PAYER_LOOKUP_GROUPS + 1)];
    ngx_int_t   rc;
    ngx_str_t   rest;
    ngx_uint_t  i;

    rest.data = text->data + start;
    rest.len = text->len - start;

    rc = ngx_regex_exec(field->regex, &rest, captures,
                        3 * (NGX_HTTP_PAYER_LOOKUP_GROUPS + 1));

    if (rc < 0) {
        return rc == NGX_REGEX_NO_MATCHED ? NGX_DECLINED : NGX_BUSY;
    }

    /* 0: there are more groups than the vector has room for */

    groups->n = rc ? rc : NGX_HTTP_PAYER_LOOKUP_GROUPS + 1;

    for (i = 0; i < 2 * groups->n; i++) {
        groups->at[i] = (captures[i] == -1) ? -1
                                            : captures[i] + (ssize_t) start;
    }

    return NGX_OK;
}

#endif


/*
 * where another match would begin: behind the groups, not behind the match,
 * which may reach over another value (".*")
 */

static size_t
ngx_http_payer_lookup_behind(ngx_http_payer_lookup_groups_t *groups)
{
    ssize_t     end;
    ngx_uint_t  i;

    end = groups->at[0] + 1;

    for (i = 1; i < groups->n; i++) {
        end = ngx_max(end, groups->at[2 * i + 1]);
    }

    return (size_t) end;
}


/* NGX_OK, NGX_DECLINED (empty, or too long), NGX_ERROR */

static ngx_int_t
ngx_http_payer_lookup_join(ngx_pool_t *pool, ngx_str_t *text,
    ngx_http_payer_lookup_groups_t *groups, ngx_str_t *value)
{
    u_char      *p;
    ngx_uint_t   i;

    value->len = 0;

    for (i = 1; i < groups->n; i++) {
        value->len += groups->at[2 * i + 1] - groups->at[2 * i];
    }

    if (value->len == 0 || value->len > NGX_HTTP_PAYER_JSON_VALUE) {
        return NGX_DECLINED;
    }

    p = ngx_pnalloc(pool, value->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value->data = p;

    for (i = 1; i < groups->n; i++) {

        /* a group that took no part begins and ends at -1 */

        if (groups->at[2 * i] >= 0) {
            p = ngx_cpymem(p, text->data + groups->at[2 * i],
                           groups->at[2 * i + 1] - groups->at[2 * i]);
        }
    }

    return NGX_OK;
}

#endif
