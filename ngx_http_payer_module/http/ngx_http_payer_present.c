
/*
 * Presents the payment page to the buyer: redirect, iframe, JSON, or a page of
 * the shop; or asks for a confirmation first.
 */


#include "ngx_http_payer_present.h"
#include "ngx_http_payer_amount.h"
#include "ngx_http_payer_answer.h"
#include "ngx_http_payer_page.h"


typedef struct {
    ngx_str_t        language;
    ngx_str_t        title;
    ngx_str_t        link;
    ngx_str_t        order;
    ngx_str_t        amount;
    ngx_str_t        button;
    u_char           point;
} ngx_http_payer_texts_t;


static ngx_int_t ngx_http_payer_present_iframe(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_present_page(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx, ngx_str_t *nonce, ngx_str_t *page);
static ngx_int_t ngx_http_payer_present_policy(ngx_http_request_t *r,
    ngx_str_t *url, ngx_str_t *nonce);
static ngx_int_t ngx_http_payer_present_html(ngx_http_request_t *r,
    const char *referrer, ngx_str_t *page);
static ngx_int_t ngx_http_payer_present_nonce(ngx_http_request_t *r,
    ngx_str_t *nonce, u_char *buf);
static ngx_int_t ngx_http_payer_present_question_page(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx, ngx_str_t *nonce, ngx_str_t *page);
static ngx_int_t ngx_http_payer_present_question_policy(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx, ngx_str_t *nonce);
static ngx_http_payer_texts_t *ngx_http_payer_present_texts(
    ngx_str_t *language);
static ngx_int_t ngx_http_payer_present_escape(ngx_pool_t *pool,
    ngx_str_t *text, ngx_str_t *escaped);
static ngx_int_t ngx_http_payer_present_json(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_present_internally(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);


static ngx_http_payer_texts_t  ngx_http_payer_texts[] = {
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

    default: /* NGX_HTTP_PAYER_PRESENT_REDIRECT, _CONFIRM */
        return ngx_http_payer_answer_redirect(r, ctx, &ctx->record.url);
    }
}


/* a page with the payment page in a frame */

static ngx_int_t
ngx_http_payer_present_iframe(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    u_char     uuid[NGX_HTTP_PAYER_UUID_LEN];
    ngx_str_t  nonce, page;

    if (ngx_http_payer_present_nonce(r, &nonce, uuid) != NGX_OK
        || ngx_http_payer_present_page(r, ctx, &nonce, &page) != NGX_OK
        || ngx_http_payer_present_policy(r, &ctx->record.url, &nonce)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_payer_present_html(r, "no-referrer", &page);
}


/* a shop may check the Origin of the POST of the button */

ngx_int_t
ngx_http_payer_present_question(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    u_char     uuid[NGX_HTTP_PAYER_UUID_LEN];
    ngx_str_t  nonce, page;

    if (ngx_http_payer_present_nonce(r, &nonce, uuid) != NGX_OK
        || ngx_http_payer_present_question_page(r, ctx, &nonce, &page)
           != NGX_OK
        || ngx_http_payer_present_question_policy(r, ctx, &nonce) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_payer_present_html(r, "same-origin", &page);
}


static ngx_int_t
ngx_http_payer_present_nonce(ngx_http_request_t *r, ngx_str_t *nonce,
    u_char *buf)
{
    if (ngx_http_payer_uuid(buf) != NGX_OK) {
        ngx_log_error(NGX_LOG_CRIT, r->connection->log, 0,
                      "payer: no random bytes for a page");
        return NGX_ERROR;
    }

    nonce->data = buf;
    nonce->len = NGX_HTTP_PAYER_UUID_LEN;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_present_html(ngx_http_request_t *r, const char *referrer,
    ngx_str_t *page)
{
    ngx_str_t  policy;

    static ngx_str_t  type = ngx_string("text/html; charset=utf-8");
    static ngx_str_t  nosniff = ngx_string("nosniff");

    policy.data = (u_char *) referrer;
    policy.len = ngx_strlen(referrer);

    if (ngx_http_payer_answer_header(r, "Referrer-Policy", &policy) == NULL
        || ngx_http_payer_answer_header(r, "X-Content-Type-Options", &nosniff)
           == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_payer_answer_body(r, NGX_HTTP_OK, &type, page);
}


static ngx_int_t
ngx_http_payer_present_page(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx,
    ngx_str_t *nonce, ngx_str_t *page)
{
    size_t                   len;
    ngx_str_t                url, success, fail, back;
    ngx_http_payer_texts_t  *words;

    words = ngx_http_payer_present_texts(&ctx->order.language);

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


static ngx_int_t
ngx_http_payer_present_question_page(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx, ngx_str_t *nonce, ngx_str_t *page)
{
    u_char                   text[NGX_INT64_LEN + 2];
    size_t                   len;
    ngx_int_t                decimals;
    ngx_str_t                reference, amount;
    ngx_http_payer_texts_t  *words;

    words = ngx_http_payer_present_texts(&ctx->order.language);

    decimals = ngx_http_payer_currency_exponent(&ctx->order.currency);

    if (decimals < 0
        || ngx_http_payer_present_escape(r->pool, &ctx->order.reference,
                                         &reference)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    amount.data = text;
    amount.len = ngx_http_payer_amount_text(text, ctx->order.amount, decimals,
                                            words->point)
                 - text;

    len = sizeof(NGX_HTTP_PAYER_CONFIRM_PAGE) - 1
          + words->language.len + 2 * words->title.len + nonce->len
          + words->order.len + reference.len
          + words->amount.len + amount.len + ctx->order.currency.len
          + words->button.len;

    page->data = ngx_pnalloc(r->pool, len);
    if (page->data == NULL) {
        return NGX_ERROR;
    }

    page->len = ngx_slprintf(page->data, page->data + len,
                             NGX_HTTP_PAYER_CONFIRM_PAGE, &words->language,
                             &words->title, nonce, &words->title,
                             &words->order, &reference, &words->amount,
                             &amount, &ctx->order.currency, &words->button)
                - page->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_present_question_policy(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx, ngx_str_t *nonce)
{
    size_t       len;
    ngx_str_t    policy;
    const char  *plain;

    plain = ctx->conf->insecure ? " http:" : "";

    len = sizeof(NGX_HTTP_PAYER_CONFIRM_POLICY) - 1 + nonce->len
          + ngx_strlen(plain);

    policy.data = ngx_pnalloc(r->pool, len);
    if (policy.data == NULL) {
        return NGX_ERROR;
    }

    policy.len = ngx_slprintf(policy.data, policy.data + len,
                              NGX_HTTP_PAYER_CONFIRM_POLICY, nonce, plain)
                 - policy.data;

    if (ngx_http_payer_answer_header(r, "Content-Security-Policy", &policy)
        == NULL)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_http_payer_texts_t *
ngx_http_payer_present_texts(ngx_str_t *language)
{
    ngx_uint_t               i, n;
    ngx_http_payer_texts_t  *words;

    words = ngx_http_payer_texts;
    n = sizeof(ngx_http_payer_texts) / sizeof(ngx_http_payer_texts[0]);

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


/*
 * The shop's own page, which frames $payer_url.  The client may have chosen
 * the variables of the URI: the reference is escaped, and a path that goes up
 * is rejected, as nginx does in X-Accel-Redirect.
 */

static ngx_int_t
ngx_http_payer_present_internally(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t   rc;
    ngx_str_t   uri, args;
    ngx_uint_t  flags;

    ctx->escape = 1;
    rc = ngx_http_complex_value(r, ctx->conf->present_uri, &uri);
    ctx->escape = 0;

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_str_null(&args);
    flags = NGX_HTTP_LOG_UNSAFE;

    if (ngx_http_parse_unsafe_uri(r, &uri, &args, &flags) != NGX_OK) {
        return NGX_HTTP_NOT_FOUND;
    }

    if (r->method != NGX_HTTP_HEAD) {
        r->method = NGX_HTTP_GET;
        r->method_name = ngx_http_core_get_method;
    }

    return ngx_http_internal_redirect(r, &uri, &args);
}
