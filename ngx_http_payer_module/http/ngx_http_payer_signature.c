
/*
 * Signed links: an order in a URL that only the shop can have made.
 *
 * The signed values must be those that are used.  So each variable of the
 * order must be in the message, and the message must be unambiguous: there is
 * a separator between two variables, and a request is rejected if a value
 * contains one.
 */


#include "ngx_http_payer_signature.h"


static ngx_int_t ngx_http_payer_signature_match(ngx_array_t *keys,
    ngx_str_t *message, ngx_str_t *value);
static ngx_uint_t ngx_http_payer_signature_ambiguous(ngx_str_t *separators,
    ngx_str_t *message);
static ngx_int_t ngx_http_payer_signature_expired(ngx_http_request_t *r,
    ngx_http_payer_loc_conf_t *conf, ngx_http_payer_problem_t *problem);
static ngx_int_t ngx_http_payer_signature_refuse(
    ngx_http_payer_problem_t *problem, const char *detail);


ngx_int_t
ngx_http_payer_signature_verify(ngx_http_request_t *r,
    ngx_http_payer_loc_conf_t *conf, ngx_http_payer_problem_t *problem)
{
    ngx_int_t                    rc;
    ngx_str_t                    value, message;
    ngx_http_payer_signature_t  *signature;

    signature = conf->signature;

    if (signature == NULL) {
        return NGX_OK;
    }

    if (ngx_http_complex_value(r, &signature->value, &value) != NGX_OK
        || ngx_http_complex_value(r, &signature->message, &message) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (value.len == 0) {
        return ngx_http_payer_signature_refuse(problem,
                                               "the link is not signed");
    }

    if (ngx_http_payer_signature_ambiguous(&signature->separators, &message)) {
        return ngx_http_payer_signature_refuse(problem,
                                        "a value contains a character that "
                                        "separates values in the signature");
    }

    rc = ngx_http_payer_signature_match(conf->signature_keys, &message,
                                        &value);

    if (rc == NGX_DECLINED) {
        return ngx_http_payer_signature_refuse(problem,
                                               "the signature is not valid");
    }

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_payer_signature_expired(r, conf, problem);
}


/* the text between the variables is always there: is there more of it? */

static ngx_uint_t
ngx_http_payer_signature_ambiguous(ngx_str_t *separators, ngx_str_t *message)
{
    size_t  i, n;

    if (separators->len == 0) {
        return 0;
    }

    n = 0;

    for (i = 0; i < message->len; i++) {
        if (ngx_strlchr(separators->data, separators->data + separators->len,
                        message->data[i]))
        {
            n++;
        }
    }

    return n != separators->len;
}


/*
 * all keys are always tried, so that the time does not depend on which one
 * matches
 */

static ngx_int_t
ngx_http_payer_signature_match(ngx_array_t *keys, ngx_str_t *message,
    ngx_str_t *value)
{
    ngx_int_t    rc, matched;
    ngx_str_t   *key, text;
    ngx_uint_t   i;

    text = *value;

    if (text.len > 3
        && ngx_strncasecmp(text.data + text.len - 3, (u_char *) "%3D", 3) == 0)
    {
        /* base64url's padding, as it is written in a URL */

        text.len -= 3;
    }

    key = keys->elts;
    matched = NGX_DECLINED;

    for (i = 0; i < keys->nelts; i++) {
        rc = ngx_http_payer_verify_hmac(&key[i], message, &text);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_OK) {
            matched = NGX_OK;
        }
    }

    return matched;
}


static ngx_int_t
ngx_http_payer_signature_expired(ngx_http_request_t *r,
    ngx_http_payer_loc_conf_t *conf, ngx_http_payer_problem_t *problem)
{
    time_t     expires;
    ngx_str_t  text;

    if (conf->signature_expires == NULL) {
        return NGX_OK;
    }

    if (ngx_http_complex_value(r, conf->signature_expires, &text) != NGX_OK) {
        return NGX_ERROR;
    }

    expires = ngx_atotm(text.data, text.len);

    if (expires == (time_t) NGX_ERROR) {
        return ngx_http_payer_signature_refuse(problem,
                                        "the expiry of the link is not a Unix "
                                        "time");
    }

    if (expires > ngx_time() + NGX_HTTP_PAYER_FAR_AHEAD) {
        return ngx_http_payer_signature_refuse(problem,
                                        "the link expires more than ten years "
                                        "ahead, its time seems to be in "
                                        "milliseconds instead of seconds");
    }

    if (expires < ngx_time()) {
        return ngx_http_payer_signature_refuse(problem,
                                               "the link has expired");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_signature_refuse(ngx_http_payer_problem_t *problem,
    const char *detail)
{
    ngx_memzero(problem, sizeof(ngx_http_payer_problem_t));

    problem->status = NGX_HTTP_FORBIDDEN;
    problem->title = "The link is not valid";
    problem->field = "payer_signature";
    problem->detail = detail;

    return NGX_DECLINED;
}
