
/*
 * payer_report: captures and refunds of some days, and their sums, from the
 * operations that were recorded.
 *
 *     begin -> page -> (row -> order -> past -> others ->) page ... -> answer
 *
 * A capture without an amount is for the whole remaining amount, which is the
 * captured amount of the payment without its other captures.
 */


#include "ngx_http_payer_report.h"
#include "ngx_http_payer_amount.h"
#include "ngx_http_payer_answer.h"
#include "ngx_http_payer_body.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_access.h"
#include "ngx_http_payer_ledger.h"
#include "ngx_http_payer_query.h"
#include "ngx_http_payer_answer_reply.h"
#include "ngx_http_payer_same_origin.h"


#define NGX_HTTP_PAYER_REPORT_PAGE     200
#define NGX_HTTP_PAYER_REPORT_ROWS     50000
#define NGX_HTTP_PAYER_REPORT_BREATH   50       /* rows without a pause */
#define NGX_HTTP_PAYER_REPORT_OTHERS   500      /* captures of a payment */


static ngx_int_t ngx_http_payer_report_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_payer_report_begin(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_report_page(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_report_row(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_report_order(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_report_past(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_report_captured(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_report_t *rp);
static ngx_int_t ngx_http_payer_report_others(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_report_keep(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_report_t *rp);
static ngx_int_t ngx_http_payer_report_add(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_report_t *rp);
static ngx_uint_t ngx_http_payer_report_is(ngx_str_t *text,
    const ngx_str_t *other);
static ngx_int_t ngx_http_payer_report_unread(ngx_http_request_t *r);
static ngx_int_t ngx_http_payer_report_answer(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);


ngx_http_payer_handler_t  ngx_http_payer_handler_report = {
    ngx_string("payer_report"), ngx_http_payer_report_handler,
    1, NGX_HTTP_PAYER_ALLOW_STAFF, 0, 0, NULL, NULL
};


static ngx_str_t  ngx_http_payer_report_name = ngx_string("report");


static ngx_int_t
ngx_http_payer_report_handler(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_http_payer_ctx_t       *ctx;
    ngx_http_payer_report_t    *rp;
    ngx_http_payer_problem_t    problem;
    ngx_http_payer_loc_conf_t  *conf;

    static ngx_str_t  allow = ngx_string("GET, HEAD");

    if (r != r->main) {
        return NGX_HTTP_NOT_FOUND;
    }

    conf = ngx_http_get_module_loc_conf(r, ngx_http_payer_module);

    ctx = ngx_http_payer_flow_create(r, conf, ngx_http_payer_report_begin);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rp = ngx_pcalloc(r->pool, sizeof(ngx_http_payer_report_t));

    if (rp == NULL
        || ngx_array_init(&rp->rows, r->pool, 64,
                          sizeof(ngx_http_payer_book_t))
           != NGX_OK
        || ngx_array_init(&rp->sums, r->pool, 4,
                          sizeof(ngx_http_payer_report_sum_t))
           != NGX_OK
        || ngx_http_payer_answer_private(r) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->data = rp;
    ctx->operation = &ngx_http_payer_report_name;

    rc = ngx_http_payer_access(r, conf, NGX_HTTP_GET|NGX_HTTP_HEAD, &allow);
    if (rc != NGX_OK) {
        return rc == NGX_DONE ? NGX_OK : rc;
    }

    if (ngx_http_payer_same_origin(r, conf, NGX_HTTP_PAYER_ORIGIN_READS,
                                   &problem)
        != NGX_OK)
    {
        rc = ngx_http_payer_answer_problem(r, &problem);
        return rc == NGX_HTTP_PAYER_SENT ? NGX_OK : rc;
    }

    return ngx_http_payer_body_drop(r, ctx);
}


static ngx_int_t
ngx_http_payer_report_begin(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_str_t                 format, *merchant;
    const char               *wrong;
    ngx_http_payer_report_t  *rp;

    static ngx_str_t  names[] = {
        ngx_string("from"), ngx_string("to"), ngx_string("tz"),
        ngx_string("format"), ngx_null_string
    };

    rp = ctx->data;
    merchant = &ctx->conf->merchant->id;

    wrong = ngx_http_payer_query_wrong(&r->args, names);

    if (wrong) {
        return ngx_http_payer_answer_refuse(r, NGX_HTTP_BAD_REQUEST, wrong);
    }

    if (ngx_http_arg(r, (u_char *) "format", 6, &format) == NGX_OK) {
        rp->csv = (format.len == 3 && ngx_strncmp(format.data, "csv", 3) == 0);

        if (!rp->csv
            && (format.len != 4 || ngx_strncmp(format.data, "json", 4) != 0))
        {
            return ngx_http_payer_answer_refuse(r, NGX_HTTP_BAD_REQUEST,
                                               "format is not json or csv");
        }
    }

    wrong = ngx_http_payer_report_days(r, rp);

    if (wrong) {
        return ngx_http_payer_answer_refuse(r, NGX_HTTP_BAD_REQUEST, wrong);
    }

    if (ngx_http_payer_book_prefix(r->pool, merchant, &rp->prefix) != NGX_OK
        || ngx_http_payer_book_after(r->pool, merchant, rp->begin, &rp->after)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->step = ngx_http_payer_report_page;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_report_page(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                 rc;
    ngx_http_payer_store_t   *store;
    ngx_http_payer_report_t  *rp;

    rp = ctx->data;

    if (ctx->asked) {
        rc = ctx->io.rc;

    } else {
        store = ctx->conf->main->store;

        rc = store->ops->scan(store, &rp->prefix, &rp->after,
                              NGX_HTTP_PAYER_REPORT_PAGE, &ctx->io);
    }

    ctx->asked = (rc == NGX_AGAIN);

    switch (rc) {

    case NGX_AGAIN:
        return NGX_AGAIN;

    case NGX_OK:
        break;

    case NGX_DECLINED:
        ctx->step = ngx_http_payer_report_answer;
        return NGX_OK;

    default: /* NGX_ERROR */
        return ngx_http_payer_report_unread(r);
    }

    rp->items = ctx->io.items;
    rp->nitems = ctx->io.nitems;
    rp->item = 0;
    rp->after = rp->items[rp->nitems - 1].key;

    ctx->step = ngx_http_payer_report_row;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_report_row(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_str_t                *merchant;
    ngx_http_payer_report_t  *rp;

    rp = ctx->data;
    merchant = &ctx->conf->merchant->id;

    if (rp->item == rp->nitems) {
        ctx->step = ngx_http_payer_report_page;

        return ngx_http_payer_flow_wait(ctx, 1) == NGX_AGAIN
               ? NGX_AGAIN : ngx_http_payer_report_unread(r);
    }

    if (ngx_http_payer_book_decode(&rp->items[rp->item++].value, &rp->book)
        != NGX_OK)
    {
        return NGX_OK;
    }

    if (rp->book.at >= rp->end) {
        ctx->step = ngx_http_payer_report_answer;
        return NGX_OK;
    }

    if (rp->book.amount != -1 || rp->book.reference.len == 0) {
        return ngx_http_payer_report_keep(ctx, rp);
    }

    if (ngx_http_payer_record_order_key(r->pool, merchant,
                                        &rp->book.reference, &rp->key)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->step = ngx_http_payer_report_order;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_report_order(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                 rc;
    ngx_http_payer_report_t  *rp;

    rp = ctx->data;

    rc = ngx_http_payer_ledger_get(ctx, &rp->key);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc == NGX_ERROR) {
        return ngx_http_payer_report_unread(r);
    }

    if (rc == NGX_OK
        && ngx_http_payer_record_decode(&ctx->io.value, &ctx->record)
           == NGX_OK
        && ngx_http_payer_report_is(&ctx->record.payment_id,
                                    &rp->book.payment_id))
    {
        return ngx_http_payer_report_captured(ctx, rp);
    }

    /* the order has another payment by now */

    if (ngx_http_payer_record_past_key(r->pool, &ctx->conf->merchant->id,
                                       &rp->book.payment_id, &rp->key)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->step = ngx_http_payer_report_past;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_report_past(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                 rc;
    ngx_http_payer_report_t  *rp;

    rp = ctx->data;

    rc = ngx_http_payer_ledger_get(ctx, &rp->key);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc == NGX_ERROR) {
        return ngx_http_payer_report_unread(r);
    }

    if (rc == NGX_OK
        && ngx_http_payer_record_decode(&ctx->io.value, &ctx->record)
           == NGX_OK)
    {
        return ngx_http_payer_report_captured(ctx, rp);
    }

    return ngx_http_payer_report_keep(ctx, rp);
}


/* the amount of the row: without the other captures of the payment */

static ngx_int_t
ngx_http_payer_report_captured(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_report_t *rp)
{
    ngx_str_t  none;

    ngx_str_null(&none);

    rp->captured = ctx->record.captured;

    if (ngx_http_payer_op_key(ctx->request->pool, &ctx->conf->merchant->id,
                              &rp->book.payment_id, &rp->book.operation,
                              &none, &rp->others)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->step = ngx_http_payer_report_others;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_report_others(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                 rc;
    ngx_uint_t                i;
    ngx_http_payer_op_t       op;
    ngx_http_payer_store_t   *store;
    ngx_http_payer_report_t  *rp;

    rp = ctx->data;

    if (ctx->asked) {
        rc = ctx->io.rc;

    } else {
        store = ctx->conf->main->store;

        rc = store->ops->scan(store, &rp->others, &rp->others,
                              NGX_HTTP_PAYER_REPORT_OTHERS, &ctx->io);
    }

    ctx->asked = (rc == NGX_AGAIN);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc == NGX_ERROR) {
        return ngx_http_payer_report_unread(r);
    }

    for (i = 0; rc == NGX_OK && i < ctx->io.nitems; i++) {

        if (ngx_http_payer_op_decode(&ctx->io.items[i].value, &op) == NGX_OK
            && op.state == NGX_HTTP_PAYER_OP_DONE && op.amount > 0)
        {
            rp->captured -= op.amount;
        }
    }

    if (rp->captured > 0) {
        rp->book.amount = rp->captured;
    }

    return ngx_http_payer_report_keep(ctx, rp);
}


static ngx_int_t
ngx_http_payer_report_keep(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_report_t *rp)
{
    ngx_http_payer_book_t  *row;

    if (rp->rows.nelts == NGX_HTTP_PAYER_REPORT_ROWS) {
        return ngx_http_payer_answer_refuse(ctx->request, NGX_HTTP_BAD_REQUEST,
                   "there are more than 50000 operations: ask for fewer days");
    }

    row = ngx_array_push(&rp->rows);

    if (row == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    *row = rp->book;

    if (ngx_http_payer_report_add(ctx, rp) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->step = ngx_http_payer_report_row;

    if (rp->rows.nelts % NGX_HTTP_PAYER_REPORT_BREATH) {
        return NGX_OK;
    }

    return ngx_http_payer_flow_wait(ctx, 1) == NGX_AGAIN
           ? NGX_AGAIN : ngx_http_payer_report_unread(ctx->request);
}


/*
 * a row without amount or currency belongs to a payment that is not known here
 */

static ngx_int_t
ngx_http_payer_report_add(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_report_t *rp)
{
    ngx_uint_t                    i;
    ngx_http_payer_book_t        *book;
    ngx_http_payer_report_sum_t  *sum;

    book = &rp->book;

    if (book->amount < 0 || book->currency.len == 0) {
        return NGX_OK;
    }

    sum = rp->sums.elts;

    for (i = 0; i < rp->sums.nelts; i++) {
        if (ngx_http_payer_report_is(&sum[i].currency, &book->currency)) {
            sum = &sum[i];
            goto found;
        }
    }

    sum = ngx_array_push(&rp->sums);
    if (sum == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(sum, sizeof(ngx_http_payer_report_sum_t));
    sum->currency = book->currency;

found:

    if (ngx_http_payer_report_is(&book->operation,
                &ngx_http_payer_api_type(NGX_HTTP_PAYER_CALL_CAPTURE)->name))
    {
        sum->captured = ngx_http_payer_amount_add(sum->captured,
                                                  book->amount);
        sum->captures++;

    } else {
        sum->refunded = ngx_http_payer_amount_add(sum->refunded,
                                                  book->amount);
        sum->refunds++;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_payer_report_is(ngx_str_t *text, const ngx_str_t *other)
{
    return text->len == other->len
           && ngx_memcmp(text->data, other->data, other->len) == 0;
}


static ngx_int_t
ngx_http_payer_report_unread(ngx_http_request_t *r)
{
    return ngx_http_payer_answer_refuse(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                       "the store could not be read in time");
}


static ngx_int_t
ngx_http_payer_report_answer(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    u_char                   *p;
    ngx_int_t                 rc;
    ngx_str_t                 body, *type, name;
    ngx_http_payer_report_t  *rp;

    static ngx_str_t  type_json = ngx_string("application/json");
    static ngx_str_t  type_csv = ngx_string("text/csv; charset=utf-8");

    rp = ctx->data;

    if (!rp->csv) {
        type = &type_json;
        rc = ngx_http_payer_report_json(r, rp, &body);

    } else {
        type = &type_csv;
        rc = ngx_http_payer_report_csv(r, rp, &body);

        p = ngx_pnalloc(r->pool, sizeof("attachment; filename=payer---.csv")
                                 + rp->from.len + rp->to.len);
        if (p == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        name.data = p;
        name.len = ngx_sprintf(p, "attachment; filename=payer-%V--%V.csv",
                               &rp->from, &rp->to)
                   - p;

        if (ngx_http_payer_answer_header(r, "Content-Disposition", &name)
            == NULL)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_payer_answer_body(r, NGX_HTTP_OK, type, &body);
}
