
/*
 * GET orders: the orders that were changed last, or those whose reference or
 * payment id begins with a text.
 *
 *     list                          by the store's index
 *     by number -> by payment id    by its keys
 */


#include "ngx_http_payer_office.h"
#include "ngx_http_payer_answer_reply.h"
#include "ngx_http_payer_auto_capture.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_ledger.h"


typedef struct {
    ngx_http_payer_office_query_t    query;
    ngx_http_payer_json_out_t        out;
    ngx_str_t                        prefix;    /* of keys */
    ngx_str_t                        after;     /* a key */
    ngx_str_t                        next;      /* for the answer after */
    ngx_uint_t                       by_id;     /* found by payment ids */
    ngx_uint_t                       shown;
    ngx_uint_t                       calls;     /* of the index */
    ngx_uint_t                       looks;     /* at what it has answered */
} ngx_http_payer_office_page_t;


static ngx_int_t ngx_http_payer_office_listed(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_office_search(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_office_payment(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_office_failed(ngx_http_request_t *r);
static void ngx_http_payer_office_show(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_item_t *item);
static ngx_uint_t ngx_http_payer_office_wanted(
    ngx_http_payer_office_page_t *page, ngx_http_payer_record_t *record,
    uint32_t attention);
static ngx_int_t ngx_http_payer_office_page(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_office_key(ngx_http_payer_ctx_t *ctx,
    const char *kind, ngx_str_t *text, ngx_str_t *key);


#define NGX_HTTP_PAYER_OFFICE_PAYMENTS  20      /* found by their ids */
#define NGX_HTTP_PAYER_OFFICE_CALLS     100     /* of the index, for a page */
#define NGX_HTTP_PAYER_OFFICE_BREATH    4       /* of these without a pause */


ngx_int_t
ngx_http_payer_office_list(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                       rc;
    const char                     *reason;
    ngx_http_payer_office_page_t   *page;
    ngx_http_payer_office_query_t  *query;

    page = ngx_pcalloc(r->pool, sizeof(ngx_http_payer_office_page_t));
    if (page == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->data = page;
    query = &page->query;

    rc = ngx_http_payer_office_query(r, query, &reason);

    if (rc == NGX_OK && query->reference.len) {
        reason = "reference is an argument of \"order\", q of a list";
        rc = NGX_DECLINED;
    }

    if (rc == NGX_DECLINED) {
        return ngx_http_payer_answer_refuse(r, NGX_HTTP_BAD_REQUEST, reason);
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_payer_json_out(&page->out, r->pool);

    if (query->csv) {
        ngx_http_payer_office_csv_head(&page->out);

    } else {
        ngx_http_payer_json_out_open(&page->out, '{');
        ngx_http_payer_json_out_name(&page->out, "orders");
        ngx_http_payer_json_out_open(&page->out, '[');
    }

    if (query->q.len == 0) {
        ctx->step = ngx_http_payer_office_listed;

        return ngx_http_payer_office_key(ctx, "order", &query->q,
                                         &page->prefix);
    }

    ctx->step = ngx_http_payer_office_search;

    if (query->after.len
        && ngx_http_payer_office_key(ctx, "order", &query->after, &page->after)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_payer_office_key(ctx, "order", &query->q, &page->prefix);
}


/* KIND/MERCHANT/TEXT */

static ngx_int_t
ngx_http_payer_office_key(ngx_http_payer_ctx_t *ctx, const char *kind,
    ngx_str_t *text, ngx_str_t *key)
{
    ngx_str_t  *merchant;

    merchant = &ctx->conf->merchant->id;

    key->data = ngx_pnalloc(ctx->request->pool, ngx_strlen(kind) + 2
                                                + merchant->len + text->len);
    if (key->data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    key->len = ngx_sprintf(key->data, "%s/%V/%V", kind, merchant, text)
               - key->data;

    return NGX_OK;
}


/*
 * What the index has and is not wanted is made up for by asking again, until
 * so many were looked at; then the page is short.
 */

static ngx_int_t
ngx_http_payer_office_listed(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                       rc;
    ngx_uint_t                      i, left;
    ngx_http_payer_list_t           list;
    ngx_http_payer_store_t         *store;
    ngx_http_payer_office_page_t   *page;
    ngx_http_payer_office_query_t  *query;

    page = ctx->data;
    query = &page->query;
    left = query->limit - page->shown;

    if (ctx->asked) {
        rc = ctx->io.rc;

    } else {
        ngx_memzero(&list, sizeof(ngx_http_payer_list_t));

        list.prefix = page->prefix;
        list.states = query->states;
        list.attention = query->attention ? NGX_HTTP_PAYER_ATTENTION_ALL : 0;
        list.from = query->from;
        list.to = query->to;
        list.after = page->calls ? page->next : query->after;
        list.limit = left;

        store = ctx->conf->main->store;

        rc = store->ops->list(store, &list, &ctx->io);
    }

    ctx->asked = (rc == NGX_AGAIN);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc == NGX_OK) {

        for (i = 0; i < ctx->io.nitems; i++) {
            ngx_http_payer_office_show(ctx, &ctx->io.items[i]);
        }

        page->next = ctx->io.next;
        page->looks += ctx->io.nitems;

        if (page->next.len && ctx->io.nitems == left
            && page->shown < query->limit
            && page->looks < NGX_HTTP_PAYER_STORE_MAX_LOOKS
            && page->calls < NGX_HTTP_PAYER_OFFICE_CALLS)
        {
            if (++page->calls % NGX_HTTP_PAYER_OFFICE_BREATH != 0) {
                return NGX_OK;
            }

            /* other requests have their turn; no time left: a short page */

            if (ngx_http_payer_flow_wait(ctx, 1) == NGX_AGAIN) {
                return NGX_AGAIN;
            }
        }

    } else if (rc == NGX_DECLINED) {
        ngx_str_null(&page->next);

    } else {
        return ngx_http_payer_office_failed(r);
    }

    ctx->step = ngx_http_payer_office_page;

    return NGX_OK;
}


/* those that are not shown have been looked at, too: then a page is short */

static ngx_int_t
ngx_http_payer_office_search(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                       rc;
    ngx_str_t                      *key;
    ngx_uint_t                      i;
    ngx_http_payer_office_page_t   *page;
    ngx_http_payer_office_query_t  *query;

    page = ctx->data;
    query = &page->query;

    rc = ngx_http_payer_office_scan(ctx, &page->prefix, &page->after,
                                    query->limit);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc == NGX_ERROR) {
        return ngx_http_payer_office_failed(r);
    }

    if (rc == NGX_OK) {

        for (i = 0; i < ctx->io.nitems; i++) {
            ngx_http_payer_office_show(ctx, &ctx->io.items[i]);
        }

        if (ctx->io.nitems == query->limit) {
            key = &ctx->io.items[ctx->io.nitems - 1].key;

            page->next.data = key->data + (page->prefix.len - query->q.len);
            page->next.len = key->data + key->len - page->next.data;
        }
    }

    ctx->step = ngx_http_payer_office_page;

    if (query->after.len == 0
        && ngx_http_payer_check_payment_id(&query->q) == NGX_OK)
    {
        ctx->step = ngx_http_payer_office_payment;

        ngx_str_null(&page->after);

        return ngx_http_payer_office_key(ctx, "payment", &query->q,
                                         &page->prefix);
    }

    return NGX_OK;
}


/* the payment ids are other names of the orders */

static ngx_int_t
ngx_http_payer_office_payment(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                      rc;
    ngx_uint_t                     i;
    ngx_http_payer_office_page_t  *page;

    page = ctx->data;
    page->by_id = 1;

    rc = ngx_http_payer_office_scan(ctx, &page->prefix, &page->after,
                                    NGX_HTTP_PAYER_OFFICE_PAYMENTS);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc == NGX_ERROR) {
        return ngx_http_payer_office_failed(r);
    }

    for (i = 0; rc == NGX_OK && i < ctx->io.nitems; i++) {
        ngx_http_payer_office_show(ctx, &ctx->io.items[i]);
    }

    ctx->step = ngx_http_payer_office_page;

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_office_scan(ngx_http_payer_ctx_t *ctx, ngx_str_t *prefix,
    ngx_str_t *after, ngx_uint_t limit)
{
    ngx_int_t                rc;
    ngx_http_payer_store_t  *store;

    if (ctx->asked) {
        rc = ctx->io.rc;

    } else {
        store = ctx->conf->main->store;
        rc = store->ops->scan(store, prefix, after, limit, &ctx->io);
    }

    ctx->asked = (rc == NGX_AGAIN);

    return rc;
}


static ngx_int_t
ngx_http_payer_office_failed(ngx_http_request_t *r)
{
    return ngx_http_payer_answer_refuse(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                        "the store could not be read");
}


static void
ngx_http_payer_office_show(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_item_t *item)
{
    uint32_t                       attention;
    ngx_http_payer_record_t        record;
    ngx_http_payer_office_page_t  *page;

    page = ctx->data;

    if (ngx_http_payer_record_decode(&item->value, &record) != NGX_OK) {
        return;
    }

    attention = ngx_http_payer_record_attention(&record, &item->label,
                                        ngx_http_payer_auto_age(ctx->conf));

    if (!ngx_http_payer_office_wanted(page, &record, attention)) {
        return;
    }

    if (page->query.csv) {
        ngx_http_payer_office_csv(&page->out, &record, attention);

    } else {
        ngx_http_payer_json_out_open(&page->out, '{');
        ngx_http_payer_office_json(&page->out, &record, attention);
        ngx_http_payer_json_out_close(&page->out, '}');
    }

    page->shown++;
}


/*
 * What was found by a text has not gone through the filters of the index, and
 * an authorization is in the index of what needs attention before it is old.
 */

static ngx_uint_t
ngx_http_payer_office_wanted(ngx_http_payer_office_page_t *page,
    ngx_http_payer_record_t *record, uint32_t attention)
{
    ngx_http_payer_office_query_t  *query;

    query = &page->query;

    if (query->attention && attention == 0) {
        return 0;
    }

    if (query->q.len == 0) {
        return 1;
    }

    /* whose number and payment id both begin with it has its place by the
     * number */

    if (page->by_id
        && record->reference.len >= query->q.len
        && ngx_memcmp(record->reference.data, query->q.data, query->q.len)
           == 0)
    {
        return 0;
    }

    return (query->states == 0
            || (query->states & ((uint64_t) 1 << record->state)))
           && (query->from == 0 || record->updated >= query->from)
           && (query->to == 0 || record->updated < query->to);
}


static ngx_int_t
ngx_http_payer_office_page(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_str_t                      text, *type;
    ngx_http_payer_office_page_t  *page;

    static ngx_str_t  json = ngx_string("application/json");
    static ngx_str_t  csv = ngx_string("text/csv; charset=utf-8; "
                                       "header=present");
    static ngx_str_t  file =
                        ngx_string("attachment; filename=\"orders.csv\"");

    page = ctx->data;
    type = page->query.csv ? &csv : &json;

    if (page->query.csv) {

        if (ngx_http_payer_answer_header(r, "Content-Disposition", &file)
            == NULL
            || (page->next.len
                && ngx_http_payer_answer_header(r, "X-Payer-Next",
                                                &page->next)
                   == NULL))
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

    } else {
        ngx_http_payer_json_out_close(&page->out, ']');
        ngx_http_payer_json_out_str(&page->out, "next", &page->next);
        ngx_http_payer_json_out_close(&page->out, '}');
    }

    if (ngx_http_payer_json_out_end(&page->out, &text) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_payer_answer_body(r, NGX_HTTP_OK, type, &text);
}
