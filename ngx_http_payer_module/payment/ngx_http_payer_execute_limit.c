
/*
 * payer_refund_max: the maximum sum of the refunds of an order, including
 * those of its earlier payments.
 *
 * Each refund is in the store before the others are counted, including those
 * in progress: two simultaneous refunds count each other.
 *
 *     limit (-> former) -> order -> past -> (next -> count -> read) ...
 *           -> send or drop
 */


#include "ngx_http_payer_execute.h"
#include "ngx_http_payer_amount.h"
#include "ngx_http_payer_history.h"
#include "ngx_http_payer_ledger.h"
#include "ngx_http_payer_log.h"


struct ngx_http_payer_bound_s {
    int64_t                  limit;
    int64_t                  sum;       /* of all refunds but this one */
    int64_t                  done;      /* of the payment whose turn it is */
    ngx_str_t                reference;
    ngx_array_t              payments;  /* ngx_str_t, their ids */
    ngx_uint_t               payment;   /* whose turn it is */
    ngx_str_t                key;       /* or the beginning of keys */
    ngx_str_t                after;     /* the cursor */
    unsigned                 former:1;  /* the order has another one now */
    unsigned                 vague:1;   /* something is not known */
};


static ngx_int_t ngx_http_payer_execute_limit_add(
    ngx_http_payer_bound_t *bound, ngx_str_t *id);
static ngx_int_t ngx_http_payer_execute_limit_former(
    ngx_http_payer_execution_t *ex);
static ngx_int_t ngx_http_payer_execute_limit_of_order(
    ngx_http_payer_execution_t *ex);
static ngx_int_t ngx_http_payer_execute_limit_order(
    ngx_http_payer_execution_t *ex);
static ngx_int_t ngx_http_payer_execute_limit_past(
    ngx_http_payer_execution_t *ex);
static ngx_int_t ngx_http_payer_execute_limit_next(
    ngx_http_payer_execution_t *ex);
static ngx_int_t ngx_http_payer_execute_limit_count(
    ngx_http_payer_execution_t *ex);
static ngx_int_t ngx_http_payer_execute_limit_read(
    ngx_http_payer_execution_t *ex);
static void ngx_http_payer_execute_limit_sum(ngx_http_payer_execution_t *ex);
static ngx_int_t ngx_http_payer_execute_limit_decide(
    ngx_http_payer_execution_t *ex);
static ngx_int_t ngx_http_payer_execute_limit_reason(
    ngx_http_payer_execution_t *ex, int64_t sum);


ngx_int_t
ngx_http_payer_execute_limit(ngx_http_payer_execution_t *ex)
{
    int64_t                  limit;
    ngx_str_t                value;
    ngx_http_payer_ctx_t    *ctx;
    ngx_http_payer_bound_t  *bound;

    ctx = ex->ctx;

    ex->state = ngx_http_payer_execute_prepare;

    if (ctx->conf->refund_max == NULL) {
        return NGX_OK;
    }

    if (ngx_http_complex_value(ctx->request, ctx->conf->refund_max, &value)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (value.len == 0) {
        return NGX_OK;
    }

    limit = 0;

    if ((value.len != 1 || value.data[0] != '0')
        && ngx_http_payer_amount_of(&value, NGX_HTTP_PAYER_MINOR, 0,
                                    &limit)
           != NGX_OK)
    {
        ngx_http_payer_log(NGX_LOG_ERR, ctx,
                           "invalid amount \"%V\" of \"payer_refund_max\", "
                           "nothing is refunded", &value);
        limit = 0;
    }

    bound = ngx_pcalloc(ctx->request->pool, sizeof(ngx_http_payer_bound_t));

    if (bound == NULL
        || ngx_array_init(&bound->payments, ctx->request->pool, 4,
                          sizeof(ngx_str_t))
           != NGX_OK
        || ngx_http_payer_execute_limit_add(bound, &ctx->record.payment_id)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    bound->limit = limit;

    ex->bound = bound;

    if (ctx->found) {
        bound->reference = ctx->record.reference;

        return ngx_http_payer_execute_limit_of_order(ex);
    }

    ex->state = ngx_http_payer_execute_limit_former;

    return ngx_http_payer_record_past_key(ctx->request->pool,
                                          &ctx->conf->merchant->id,
                                          &ctx->record.payment_id,
                                          &bound->key);
}


/* an earlier payment of an order, or one that is known by its id alone */

static ngx_int_t
ngx_http_payer_execute_limit_former(ngx_http_payer_execution_t *ex)
{
    ngx_int_t                 rc;
    ngx_http_payer_record_t   record;

    rc = ngx_http_payer_ledger_get(ex->ctx, &ex->bound->key);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc == NGX_OK
        && ngx_http_payer_record_decode(&ex->ctx->io.value, &record) == NGX_OK)
    {
        ex->bound->reference = record.reference;

        return ngx_http_payer_execute_limit_of_order(ex);
    }

    ex->bound->vague = (rc != NGX_DECLINED);
    ex->state = ngx_http_payer_execute_limit_next;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_execute_limit_of_order(ngx_http_payer_execution_t *ex)
{
    ngx_http_payer_ctx_t  *ctx;

    ctx = ex->ctx;

    ex->state = ngx_http_payer_execute_limit_order;

    return ngx_http_payer_record_order_key(ctx->request->pool,
                                           &ctx->conf->merchant->id,
                                           &ex->bound->reference,
                                           &ex->bound->key);
}


static ngx_int_t
ngx_http_payer_execute_limit_add(ngx_http_payer_bound_t *bound, ngx_str_t *id)
{
    ngx_str_t   *known;
    ngx_uint_t   i;

    known = bound->payments.elts;

    for (i = 0; i < bound->payments.nelts; i++) {
        if (known[i].len == id->len
            && ngx_memcmp(known[i].data, id->data, id->len) == 0)
        {
            return NGX_OK;
        }
    }

    if (id->len == 0) {
        return NGX_OK;
    }

    known = ngx_array_push(&bound->payments);
    if (known == NULL) {
        return NGX_ERROR;
    }

    *known = *id;

    return NGX_OK;
}


/* the payment that the order has now may be another one */

static ngx_int_t
ngx_http_payer_execute_limit_order(ngx_http_payer_execution_t *ex)
{
    ngx_int_t                 rc;
    ngx_http_payer_ctx_t     *ctx;
    ngx_http_payer_bound_t   *bound;
    ngx_http_payer_record_t   record;

    ctx = ex->ctx;
    bound = ex->bound;

    rc = ngx_http_payer_ledger_get(ctx, &bound->key);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc == NGX_OK) {
        rc = ngx_http_payer_record_decode(&ctx->io.value, &record);
    }

    if (rc != NGX_OK) {
        bound->vague = 1;

    } else if (ngx_http_payer_execute_limit_add(bound, &record.payment_id)
               != NGX_OK)
    {
        return NGX_ERROR;
    }

    ex->state = ngx_http_payer_execute_limit_past;

    return ngx_http_payer_history_prefix(ctx->request->pool,
                                         &ctx->conf->merchant->id,
                                         &bound->reference, &bound->key);
}


/* earlier payments of an order that was sold again are in its history */

static ngx_int_t
ngx_http_payer_execute_limit_past(ngx_http_payer_execution_t *ex)
{
    ngx_int_t                  rc;
    ngx_http_payer_ctx_t      *ctx;
    ngx_http_payer_bound_t    *bound;
    ngx_http_payer_history_t   history;

    ctx = ex->ctx;
    bound = ex->bound;

    rc = ngx_http_payer_ledger_next(ctx, &bound->key, &bound->after);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc != NGX_OK) {
        bound->vague |= (rc != NGX_DECLINED);
        ex->state = ngx_http_payer_execute_limit_next;
        return NGX_OK;
    }

    bound->after = ctx->io.key;

    if (ngx_http_payer_history_decode(&ctx->io.value, &history) != NGX_OK) {
        return NGX_OK;
    }

    return ngx_http_payer_execute_limit_add(bound, &history.payment_id);
}


/* one payment after the other; the first one is that of the refund */

static ngx_int_t
ngx_http_payer_execute_limit_next(ngx_http_payer_execution_t *ex)
{
    ngx_str_t               *ids;
    ngx_http_payer_bound_t  *bound;

    bound = ex->bound;
    ids = bound->payments.elts;

    if (bound->payment == bound->payments.nelts) {
        return ngx_http_payer_execute_limit_decide(ex);
    }

    ex->state = ngx_http_payer_execute_limit_count;

    return ngx_http_payer_sums(ex->ctx, &ex->sums, ex->operation,
                               &ids[bound->payment], &ex->key);
}


static ngx_int_t
ngx_http_payer_execute_limit_count(ngx_http_payer_execution_t *ex)
{
    ngx_str_t               *ids;
    ngx_http_payer_ctx_t    *ctx;
    ngx_http_payer_bound_t  *bound;

    ctx = ex->ctx;
    bound = ex->bound;

    if (ngx_http_payer_sums_run(ctx, &ex->sums) == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    bound->vague |= (ex->sums.others.vague != 0);
    bound->done = ex->sums.others.done;

    if (bound->payment == 0 && ctx->found) {
        bound->done = ngx_max(bound->done, ctx->record.refunded);

        ngx_http_payer_execute_limit_sum(ex);

        return NGX_OK;
    }

    ids = bound->payments.elts;

    ex->state = ngx_http_payer_execute_limit_read;

    return ngx_http_payer_record_payment_key(ctx->request->pool,
                                             &ctx->conf->merchant->id,
                                             &ids[bound->payment],
                                             &bound->key);
}


/* what Payer has shown as refunded of it: the order's record, or its last */

static ngx_int_t
ngx_http_payer_execute_limit_read(ngx_http_payer_execution_t *ex)
{
    ngx_int_t                 rc;
    ngx_str_t                *id;
    ngx_http_payer_ctx_t     *ctx;
    ngx_http_payer_bound_t   *bound;
    ngx_http_payer_record_t   record;

    ctx = ex->ctx;
    bound = ex->bound;
    id = (ngx_str_t *) bound->payments.elts + bound->payment;

    rc = ngx_http_payer_ledger_get(ctx, &bound->key);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc == NGX_OK
        && ngx_http_payer_record_decode(&ctx->io.value, &record) == NGX_OK
        && record.payment_id.len == id->len
        && ngx_memcmp(record.payment_id.data, id->data, id->len) == 0)
    {
        bound->done = ngx_max(bound->done, record.refunded);

    } else if (!bound->former) {

        /* the name leads to the order, which has another payment by now */

        bound->former = 1;

        return ngx_http_payer_record_past_key(ctx->request->pool,
                                              &ctx->conf->merchant->id, id,
                                              &bound->key);
    }

    ngx_http_payer_execute_limit_sum(ex);

    return NGX_OK;
}


static void
ngx_http_payer_execute_limit_sum(ngx_http_payer_execution_t *ex)
{
    ngx_http_payer_bound_t  *bound;

    bound = ex->bound;

    bound->sum = ngx_http_payer_amount_add(bound->sum,
                                           ngx_max(bound->done, 0));
    bound->sum = ngx_http_payer_amount_add(bound->sum, ex->sums.others.open);
    bound->former = 0;
    bound->payment++;

    ex->state = ngx_http_payer_execute_limit_next;
}


static ngx_int_t
ngx_http_payer_execute_limit_decide(ngx_http_payer_execution_t *ex)
{
    int64_t                  sum;
    ngx_http_payer_bound_t  *bound;

    bound = ex->bound;

    if (bound->vague || ex->op.amount < 0) {
        ex->reason = "it is not known how much of the order was refunded, and "
                     "payer_refund_max sets a limit";

        return ngx_http_payer_execute_drop(ex, NGX_HTTP_PAYER_OVER_LIMIT);
    }

    sum = ngx_http_payer_amount_add(bound->sum, ex->op.amount);

    if (sum <= bound->limit) {
        ex->state = ngx_http_payer_execute_prepare;
        return NGX_OK;
    }

    if (ngx_http_payer_execute_limit_reason(ex, sum) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_payer_execute_drop(ex, NGX_HTTP_PAYER_OVER_LIMIT);
}


static ngx_int_t
ngx_http_payer_execute_limit_reason(ngx_http_payer_execution_t *ex,
    int64_t sum)
{
    u_char  *p;

    static const char  text[] = "the refunds of the order would be %L in all, "
                                "and payer_refund_max is %L%Z";

    p = ngx_pnalloc(ex->ctx->request->pool,
                    sizeof(text) + 2 * NGX_INT64_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ex->reason = (char *) p;

    ngx_sprintf(p, text, sum, ex->bound->limit);

    return NGX_OK;
}
