
/*
 * Readers of the parameters of an operation, as JSON and as a form.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_payer_amount.h"
#include "ngx_http_payer_json.h"
#include "ngx_http_payer_json_parse.h"
#include "ngx_http_payer_order.h"


typedef enum {
    NGX_HTTP_PAYER_PARAM_TEXT = 0,
    NGX_HTTP_PAYER_PARAM_AMOUNT,
    NGX_HTTP_PAYER_PARAM_FLAG
} ngx_http_payer_param_e;


typedef struct {
    ngx_str_t                name;
    ngx_http_payer_param_e   type;
    size_t                   offset;
    const char              *bad;
    const char              *twice;
    const char              *spelling;
} ngx_http_payer_param_t;


#define ngx_http_payer_param(name, type, member, bad)                        \
    { ngx_string(name), NGX_HTTP_PAYER_PARAM_##type,                         \
      offsetof(ngx_http_payer_params_t, member),                             \
      name " is not " bad, name " is given twice", name " is misspelled" }


static void ngx_http_payer_params_init(ngx_http_payer_params_t *params);
static ngx_int_t ngx_http_payer_params_find(ngx_str_t *name,
    ngx_uint_t *seen, ngx_http_payer_param_t **param, const char **reason);
static ngx_int_t ngx_http_payer_params_set(ngx_http_payer_params_t *params,
    ngx_http_payer_param_t *param, ngx_str_t *value);
static ngx_int_t ngx_http_payer_json_param(ngx_pool_t *pool,
    ngx_str_t *text, cJSON *member, ngx_uint_t n,
    ngx_http_payer_params_t *params, ngx_http_payer_param_t *param);
static ngx_int_t ngx_http_payer_json_params(ngx_pool_t *pool,
    ngx_str_t *text, cJSON *root, ngx_http_payer_params_t *params,
    const char **reason);
static ngx_int_t ngx_http_payer_form_param(ngx_http_payer_params_t *params,
    u_char *p, u_char *last, ngx_uint_t *seen, const char **reason);
static ngx_int_t ngx_http_payer_form_decode(u_char *p, u_char *last,
    ngx_str_t *text);


static ngx_http_payer_param_t  ngx_http_payer_param_names[] = {
    ngx_http_payer_param("reference", TEXT, reference, "a text"),
    ngx_http_payer_param("paymentId", TEXT, payment_id, "a text"),
    ngx_http_payer_param("transactionDescription", TEXT, description,
                         "a text"),
    ngx_http_payer_param("reason", TEXT, reason, "a text"),
    ngx_http_payer_param("type", TEXT, type, "a text"),
    ngx_http_payer_param("url", TEXT, url, "a text"),
    ngx_http_payer_param("currency", TEXT, currency, "a text"),
    ngx_http_payer_param("expires", AMOUNT, expires, "a positive integer"),
    ngx_http_payer_param("operation", TEXT, operation, "a text"),
    ngx_http_payer_param("outcome", TEXT, outcome, "a text"),
    ngx_http_payer_param("amount", AMOUNT, amount, "a positive integer"),
    ngx_http_payer_param("releaseRemainingFunds", FLAG, release_rest,
                         "true or false")
};


ngx_int_t
ngx_http_payer_json_read_params(ngx_pool_t *pool, ngx_str_t *text,
    ngx_http_payer_params_t *params, const char **reason)
{
    cJSON      *root;
    ngx_int_t   rc;

    ngx_http_payer_params_init(params);

    rc = ngx_http_payer_json_parse(text, &root, reason);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_payer_json_params(pool, text, root, params, reason);

    cJSON_Delete(root);

    return rc;
}


static ngx_int_t
ngx_http_payer_json_params(ngx_pool_t *pool, ngx_str_t *text, cJSON *root,
    ngx_http_payer_params_t *params, const char **reason)
{
    cJSON                   *member;
    ngx_int_t                rc;
    ngx_str_t                name;
    ngx_uint_t               n, seen;
    ngx_http_payer_param_t  *param;

    seen = 0;
    n = 0;

    for (member = root->child; member != NULL; member = member->next) {
        name.data = (u_char *) member->string;
        name.len = ngx_strlen(member->string);

        if (ngx_http_payer_params_find(&name, &seen, &param, reason)
            != NGX_OK)
        {
            return NGX_DECLINED;
        }

        if (param == NULL) {
            params->unknown = 1;

        } else {
            rc = ngx_http_payer_json_param(pool, text, member, n, params,
                                           param);
            if (rc == NGX_DECLINED) {
                *reason = param->bad;
            }

            if (rc != NGX_OK) {
                return rc;
            }
        }

        n++;
    }

    return NGX_OK;
}


/* an amount is read as it is written, since cJSON would read 1e3 as 1000 */

static ngx_int_t
ngx_http_payer_json_param(ngx_pool_t *pool, ngx_str_t *text, cJSON *member,
    ngx_uint_t n, ngx_http_payer_params_t *params,
    ngx_http_payer_param_t *param)
{
    ngx_int_t  rc;
    ngx_str_t  value;

    switch (param->type) {

    case NGX_HTTP_PAYER_PARAM_AMOUNT:

        if (!cJSON_IsNumber(member)) {
            return NGX_DECLINED;
        }

        ngx_http_payer_json_written(text, n, &value);
        break;

    case NGX_HTTP_PAYER_PARAM_FLAG:

        if (!cJSON_IsBool(member)) {
            return NGX_DECLINED;
        }

        ngx_http_payer_json_written(text, n, &value);
        break;

    default: /* NGX_HTTP_PAYER_PARAM_TEXT */

        if (cJSON_IsNull(member)) {
            return NGX_OK;
        }

        if (!cJSON_IsString(member)) {
            return NGX_DECLINED;
        }

        rc = ngx_http_payer_json_copy(pool, member->valuestring, &value);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return ngx_http_payer_params_set(params, param, &value);
}


ngx_int_t
ngx_http_payer_form_read_params(ngx_pool_t *pool, ngx_str_t *text,
    ngx_http_payer_params_t *params, const char **reason)
{
    u_char      *p, *last, *end;
    ngx_uint_t   seen;

    ngx_http_payer_params_init(params);

    if (text->len == 0) {
        return NGX_OK;
    }

    *reason = "does not fit into memory";

    /* decoding shortens, so that it can be done in place */

    p = ngx_pnalloc(pool, text->len);

    if (p == NULL) {
        return NGX_ERROR;
    }

    last = ngx_cpymem(p, text->data, text->len);
    seen = 0;

    while (p < last) {
        end = ngx_strlchr(p, last, '&');

        if (end == NULL) {
            end = last;
        }

        if (ngx_http_payer_form_param(params, p, end, &seen, reason)
            != NGX_OK)
        {
            return NGX_DECLINED;
        }

        p = end + 1;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_form_param(ngx_http_payer_params_t *params, u_char *p,
    u_char *last, ngx_uint_t *seen, const char **reason)
{
    u_char                  *equals;
    ngx_str_t                name, value;
    ngx_http_payer_param_t  *param;

    equals = ngx_strlchr(p, last, '=');

    if (equals == NULL) {
        equals = last;
    }

    if (ngx_http_payer_form_decode(p, equals, &name) != NGX_OK
        || ngx_http_payer_form_decode(ngx_min(equals + 1, last), last,
                                      &value)
           != NGX_OK)
    {
        *reason = "is not a form";
        return NGX_DECLINED;
    }

    if (ngx_http_payer_params_find(&name, seen, &param, reason) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (param == NULL) {
        params->unknown = 1;
        return NGX_OK;
    }

    if (ngx_http_payer_params_set(params, param, &value) != NGX_OK) {
        *reason = param->bad;
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* in place; NGX_DECLINED for a broken escape and for a NUL */

static ngx_int_t
ngx_http_payer_form_decode(u_char *p, u_char *last, ngx_str_t *text)
{
    u_char     *dst, ch;
    ngx_int_t   code;

    text->data = p;

    for (dst = p; p < last; p++) {
        ch = *p;

        if (ch == '+') {
            ch = ' ';

        } else if (ch == '%') {
            if (last - p < 3) {
                return NGX_DECLINED;
            }

            code = ngx_hextoi(p + 1, 2);

            if (code == NGX_ERROR) {
                return NGX_DECLINED;
            }

            ch = (u_char) code;
            p += 2;
        }

        if (ch == '\0') {
            return NGX_DECLINED;
        }

        *dst++ = ch;
    }

    text->len = dst - text->data;

    return NGX_OK;
}


static void
ngx_http_payer_params_init(ngx_http_payer_params_t *params)
{
    ngx_memzero(params, sizeof(ngx_http_payer_params_t));

    params->amount = -1;
    params->expires = -1;
    params->release_rest = -1;
}


/*
 * param: NULL if the name is none of ours.  A known name in another case is an
 * error: "Amount" must not cause a full capture.
 */

static ngx_int_t
ngx_http_payer_params_find(ngx_str_t *name, ngx_uint_t *seen,
    ngx_http_payer_param_t **param, const char **reason)
{
    ngx_uint_t               i, n;
    ngx_http_payer_param_t  *known;

    n = sizeof(ngx_http_payer_param_names)
        / sizeof(ngx_http_payer_param_names[0]);

    *param = NULL;

    for (i = 0; i < n; i++) {
        known = &ngx_http_payer_param_names[i];

        if (name->len != known->name.len
            || ngx_strncasecmp(name->data, known->name.data, name->len) != 0)
        {
            continue;
        }

        if (ngx_memcmp(name->data, known->name.data, name->len) != 0) {
            *reason = known->spelling;
            return NGX_DECLINED;
        }

        if (*seen & ((ngx_uint_t) 1 << i)) {
            *reason = known->twice;
            return NGX_DECLINED;
        }

        *seen |= (ngx_uint_t) 1 << i;
        *param = known;

        return NGX_OK;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_params_set(ngx_http_payer_params_t *params,
    ngx_http_payer_param_t *param, ngx_str_t *value)
{
    u_char     *field, *p, *last;
    int64_t     amount;
    ngx_int_t   flag;

    field = (u_char *) params + param->offset;

    switch (param->type) {

    case NGX_HTTP_PAYER_PARAM_AMOUNT:

        if (ngx_http_payer_amount_of(value, NGX_HTTP_PAYER_MINOR, 0, &amount)
            != NGX_OK)
        {
            return NGX_DECLINED;
        }

        *(int64_t *) field = amount;
        return NGX_OK;

    case NGX_HTTP_PAYER_PARAM_FLAG:

        flag = (value->len == 4 && ngx_memcmp(value->data, "true", 4) == 0);

        if (!flag && (value->len != 5
                      || ngx_memcmp(value->data, "false", 5) != 0))
        {
            return NGX_DECLINED;
        }

        *(ngx_int_t *) field = flag;
        return NGX_OK;

    default: /* NGX_HTTP_PAYER_PARAM_TEXT */

        p = value->data;
        last = p + value->len;

        while (p < last) {
            if (ngx_http_payer_utf8_next(&p, last) == NGX_DECLINED) {
                return NGX_DECLINED;
            }
        }

        *(ngx_str_t *) field = *value;
        return NGX_OK;
    }
}
