
/*
 * Presents the widget to the buyer: redirect, iframe, JSON, or the shop's.
 */


#include "ngx_http_payer_present.h"
#include "ngx_http_payer_answer.h"
#include "ngx_http_payer_page.h"


typedef struct {
    ngx_str_t        language;
    ngx_str_t        title;
    ngx_str_t        link;
} ngx_http_payer_words_t;


static ngx_int_t ngx_http_payer_present_iframe(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_present_page(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx, ngx_str_t *nonce, ngx_str_t *page);
static ngx_int_t ngx_http_payer_present_policy(ngx_http_request_t *r,
    ngx_str_t *url, ngx_str_t *nonce);
static ngx_http_payer_words_t *ngx_http_payer_present_words(
    ngx_str_t *language);
static ngx_int_t ngx_http_payer_present_escape(ngx_pool_t *pool,
    ngx_str_t *text, ngx_str_t *escaped);
static ngx_int_t ngx_http_payer_present_json(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_present_internally(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);


static ngx_http_payer_words_t  ngx_http_payer_words[] = {
    NGX_HTTP_PAYER_PAGE_WORDS
};


ngx_int_t
ngx_http_payer_present_link(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    switch (ctx->conf->present) {

    case NGX_HTTP_PAYER_PRESENT_IFRAME:
        return ngx_http_payer_present_iframe(r, ctx);

    case NGX_HTTP_PAYER_PRESENT_JSON:
        return ngx_http_payer_present_json(r, ctx);

    case NGX_HTTP_PAYER_PRESENT_URI:
        return ngx_http_payer_present_internally(r, ctx);

    default: /* NGX_HTTP_PAYER_PRESENT_REDIRECT */
        return ngx_http_payer_answer_redirect(r, &ctx->record.url);
    }
}


/* a page that frames the widget, and lets go of it at the end */

static ngx_int_t
ngx_http_payer_present_iframe(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    u_char     uuid[NGX_HTTP_PAYER_UUID_LEN];
    ngx_str_t  nonce, page;

    static ngx_str_t  type = ngx_string("text/html; charset=utf-8");
    static ngx_str_t  no_referrer = ngx_string("no-referrer");
    static ngx_str_t  nosniff = ngx_string("nosniff");

    if (ngx_http_payer_uuid(uuid) != NGX_OK) {
        ngx_log_error(NGX_LOG_CRIT, r->connection->log, 0,
                      "payer: no randomness for a page");
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    nonce.data = uuid;
    nonce.len = NGX_HTTP_PAYER_UUID_LEN;

    if (ngx_http_payer_present_page(r, ctx, &nonce, &page) != NGX_OK
        || ngx_http_payer_present_policy(r, &ctx->record.url, &nonce) != NGX_OK
        || ngx_http_payer_answer_header(r, "Referrer-Policy", &no_referrer)
           == NULL
        || ngx_http_payer_answer_header(r, "X-Content-Type-Options", &nosniff)
           == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_payer_answer_body(r, NGX_HTTP_OK, &type, &page);
}


static ngx_int_t
ngx_http_payer_present_page(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx,
    ngx_str_t *nonce, ngx_str_t *page)
{
    size_t                   len;
    ngx_str_t                url, success, fail, back;
    ngx_http_payer_words_t  *words;

    words = ngx_http_payer_present_words(&ctx->order.language);

    if (ngx_http_payer_present_escape(r->pool, &ctx->record.url, &url)
        != NGX_OK
        || ngx_http_payer_present_escape(r->pool, &ctx->order.success,
                                         &success)
           != NGX_OK
        || ngx_http_payer_present_escape(r->pool, &ctx->order.fail, &fail)
           != NGX_OK
        || ngx_http_payer_present_escape(r->pool, &ctx->order.back, &back)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    len = sizeof(NGX_HTTP_PAYER_PAGE) - 1
          + words->language.len + 3 * words->title.len + words->link.len
          + 2 * nonce->len + 2 * url.len
          + success.len + fail.len + back.len;

    page->data = ngx_pnalloc(r->pool, len);
    if (page->data == NULL) {
        return NGX_ERROR;
    }

    page->len = ngx_slprintf(page->data, page->data + len, NGX_HTTP_PAYER_PAGE,
                             &words->language, &words->title, nonce,
                             &words->title, &url, &words->title,
                             &success, &fail, &back, &url, &words->link,
                             nonce)
                - page->data;

    return NGX_OK;
}


static ngx_http_payer_words_t *
ngx_http_payer_present_words(ngx_str_t *language)
{
    ngx_uint_t               i, n;
    ngx_http_payer_words_t  *words;

    words = ngx_http_payer_words;
    n = sizeof(ngx_http_payer_words) / sizeof(ngx_http_payer_words[0]);

    for (i = 1; i < n; i++) {
        if (words[i].language.len == language->len
            && ngx_memcmp(words[i].language.data, language->data,
                          language->len)
               == 0)
        {
            return &words[i];
        }
    }

    return words;
}


/* the URL has passed ngx_http_payer_check_url() when the link was made */

static ngx_int_t
ngx_http_payer_present_policy(ngx_http_request_t *r, ngx_str_t *url,
    ngx_str_t *nonce)
{
    size_t      len;
    u_char     *p, *last;
    ngx_str_t   origin, policy;

    last = url->data + url->len;

    p = ngx_strlchr(url->data, last, ':');

    if (p == NULL || last - p < 3) {
        return NGX_ERROR;
    }

    for (p += 3; p < last; p++) {
        if (*p == '/' || *p == '?' || *p == '#') {
            break;
        }
    }

    origin.data = url->data;
    origin.len = p - url->data;

    len = sizeof(NGX_HTTP_PAYER_PAGE_POLICY) - 1 + origin.len + 2 * nonce->len;

    policy.data = ngx_pnalloc(r->pool, len);
    if (policy.data == NULL) {
        return NGX_ERROR;
    }

    policy.len = ngx_slprintf(policy.data, policy.data + len,
                              NGX_HTTP_PAYER_PAGE_POLICY, &origin, nonce,
                              nonce)
                 - policy.data;

    if (ngx_http_payer_answer_header(r, "Content-Security-Policy", &policy)
        == NULL)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_present_escape(ngx_pool_t *pool, ngx_str_t *text,
    ngx_str_t *escaped)
{
    escaped->len = text->len
                   + ngx_escape_html(NULL, text->data, text->len);

    escaped->data = ngx_pnalloc(pool, escaped->len);
    if (escaped->data == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_escape_html(escaped->data, text->data, text->len);

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_present_json(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_str_t                     body;
    ngx_http_payer_json_member_t  members[2];

    static ngx_str_t  type = ngx_string("application/json");

    ngx_memzero(members, sizeof(members));

    ngx_str_set(&members[0].name, "paymentId");
    members[0].text = ctx->record.payment_id;

    ngx_str_set(&members[1].name, "url");
    members[1].text = ctx->record.url;

    if (ngx_http_payer_json_write(r->pool, members, 2, &body) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_payer_answer_body(r, NGX_HTTP_OK, &type, &body);
}


/* the shop's own page, which frames $payer_url */

static ngx_int_t
ngx_http_payer_present_internally(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_str_t  uri, args;

    if (ngx_http_complex_value(r, ctx->conf->present_uri, &uri) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_split_args(r, &uri, &args);

    if (r->method != NGX_HTTP_HEAD) {
        r->method = NGX_HTTP_GET;
        r->method_name = ngx_http_core_get_method;
    }

    return ngx_http_internal_redirect(r, &uri, &args);
}
