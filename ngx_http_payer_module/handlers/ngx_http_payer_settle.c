
/*
 * payer_reconcile?operation=...&outcome=done|refused: an outcome that no read
 * can show is settled by hand.
 *
 *     arguments -> search -> claim -> take -> get -> find the order -> written
 *
 * The operation is specified by its Payer-Request-ID, which is in the 504 and
 * the log, or by its key in the store.  Only an unknown outcome can be
 * settled: Payer's reply is never changed.
 */


#include "ngx_http_payer_settle.h"
#include "ngx_http_payer_answer.h"
#include "ngx_http_payer_api.h"
#include "ngx_http_payer_audit.h"
#include "ngx_http_payer_book.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_history.h"
#include "ngx_http_payer_keep.h"
#include "ngx_http_payer_ledger.h"
#include "ngx_http_payer_log.h"
#include "ngx_http_payer_op.h"


#define NGX_HTTP_PAYER_SETTLE_BREATH  100       /* without a pause */
#define NGX_HTTP_PAYER_SETTLE_MARGIN  5000      /* ms, beyond the timeout */


typedef struct {
    ngx_str_t                      name;        /* as it was asked for */
    ngx_str_t                      prefix;      /* of the merchant's keys */
    ngx_str_t                      after;       /* the cursor */
    ngx_str_t                      key;
    ngx_str_t                      payment_id;  /* in the key */
    ngx_str_t                      operation;   /* in the key */
    ngx_http_payer_op_t            op;
    ngx_http_payer_op_state_e      state;       /* what it is to be */
    ngx_uint_t                     scanned;
} ngx_http_payer_settle_t;


static ngx_int_t ngx_http_payer_settle_search(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_uint_t ngx_http_payer_settle_meant(ngx_http_payer_settle_t *st,
    ngx_http_payer_io_t *io);
static ngx_int_t ngx_http_payer_settle_claim(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_settle_taken(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_settle_get(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_uint_t ngx_http_payer_settle_split(ngx_http_payer_settle_t *st);
static ngx_int_t ngx_http_payer_settle_find(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static void ngx_http_payer_settle_record(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_settle_t *st);
static ngx_int_t ngx_http_payer_settle_write(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_str_t *ngx_http_payer_settle_word(
    ngx_http_payer_op_state_e state);
static ngx_int_t ngx_http_payer_settle_written(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_settle_refuse(ngx_http_request_t *r,
    ngx_uint_t status, const char *detail);


ngx_uint_t
ngx_http_payer_settle_asked(ngx_http_request_t *r)
{
    ngx_str_t  value;

    return ngx_http_arg(r, (u_char *) "operation", 9, &value) == NGX_OK
           || ngx_http_arg(r, (u_char *) "outcome", 7, &value) == NGX_OK;
}


ngx_int_t
ngx_http_payer_settle(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    u_char     *src, *dst;
    ngx_str_t   name, outcome;

    if (ngx_http_arg(r, (u_char *) "operation", 9, &name) != NGX_OK
        || ngx_http_arg(r, (u_char *) "outcome", 7, &outcome) != NGX_OK
        || name.len == 0)
    {
        return ngx_http_payer_settle_refuse(r, NGX_HTTP_BAD_REQUEST,
                                  "both operation and outcome are needed");
    }

    dst = ngx_pnalloc(r->pool, name.len);
    if (dst == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    src = name.data;
    name.data = dst;

    ngx_unescape_uri(&dst, &src, name.len, 0);

    name.len = dst - name.data;

    return ngx_http_payer_settle_begin(r, ctx, &name, &outcome);
}


ngx_int_t
ngx_http_payer_settle_begin(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx,
    ngx_str_t *name, ngx_str_t *outcome)
{
    ngx_http_payer_settle_t  *st;

    st = ngx_pcalloc(r->pool, sizeof(ngx_http_payer_settle_t));
    if (st == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->data = st;
    st->name = *name;

    if (outcome->len == 4 && ngx_strncmp(outcome->data, "done", 4) == 0) {
        st->state = NGX_HTTP_PAYER_OP_DONE;

    } else if (outcome->len == 7
               && ngx_strncmp(outcome->data, "refused", 7) == 0)
    {
        st->state = NGX_HTTP_PAYER_OP_REFUSED;

    } else {
        return ngx_http_payer_settle_refuse(r, NGX_HTTP_BAD_REQUEST,
                                            "outcome is not done or refused");
    }

    st->prefix.len = sizeof("operation//") - 1 + ctx->conf->merchant->id.len;
    st->prefix.data = ngx_pnalloc(r->pool, st->prefix.len);
    if (st->prefix.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_sprintf(st->prefix.data, "operation/%V/", &ctx->conf->merchant->id);

    ctx->step = ngx_http_payer_settle_search;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_settle_search(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                 rc;
    ngx_http_payer_settle_t  *st;

    st = ctx->data;

    if (!ctx->asked && ++st->scanned % NGX_HTTP_PAYER_SETTLE_BREATH == 0) {

        if (ngx_http_payer_flow_wait(ctx, 1) == NGX_AGAIN) {
            return NGX_AGAIN;
        }

        return ngx_http_payer_settle_refuse(r, NGX_HTTP_GATEWAY_TIME_OUT,
                   "there are too many operations to search them in time");
    }

    rc = ngx_http_payer_ledger_next(ctx, &st->prefix, &st->after);

    switch (rc) {

    case NGX_AGAIN:
        return NGX_AGAIN;

    case NGX_OK:
        st->after = ctx->io.key;

        if (ngx_http_payer_settle_meant(st, &ctx->io)) {
            st->key = ctx->io.key;
            ctx->step = ngx_http_payer_settle_claim;
        }

        return NGX_OK;

    case NGX_DECLINED:
        return ngx_http_payer_settle_refuse(r, NGX_HTTP_NOT_FOUND,
                                        "no such operation is known here");

    default: /* NGX_ERROR */
        return ngx_http_payer_settle_refuse(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                            "the store could not be read");
    }
}


static ngx_uint_t
ngx_http_payer_settle_meant(ngx_http_payer_settle_t *st,
    ngx_http_payer_io_t *io)
{
    ngx_str_t           *id;
    ngx_http_payer_op_t  op;

    if (io->key.len == st->name.len
        && ngx_memcmp(io->key.data, st->name.data, st->name.len) == 0)
    {
        return 1;
    }

    if (ngx_http_payer_op_decode(&io->value, &op) != NGX_OK) {
        return 0;
    }

    id = &op.request_id;

    return id->len == st->name.len
           && ngx_strncasecmp(id->data, st->name.data, id->len) == 0;
}


/* a repeat with its key must not be sent meanwhile, from no host */

static ngx_int_t
ngx_http_payer_settle_claim(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                 rc;
    ngx_http_payer_settle_t  *st;

    st = ctx->data;

    rc = ngx_http_payer_flow_try(ctx, &st->key, ctx->conf->timeout
                                 + NGX_HTTP_PAYER_SETTLE_MARGIN, &ctx->claim);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc != NGX_OK) {
        return ngx_http_payer_settle_refuse(r, NGX_HTTP_CONFLICT,
                                            "the operation is in progress");
    }

    ctx->step = ngx_http_payer_settle_taken;

    return ngx_http_payer_flow_put_claim(ctx, NULL, 0,
                                         NGX_HTTP_PAYER_CLAIM_TAKE,
                                         &ctx->claim)
           == NGX_AGAIN ? NGX_AGAIN : NGX_OK;
}


static ngx_int_t
ngx_http_payer_settle_taken(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    if (ctx->io.rc == NGX_BUSY) {
        return ngx_http_payer_settle_refuse(r, NGX_HTTP_CONFLICT,
                                            "the operation is in progress");
    }

    if (ctx->io.rc != NGX_OK) {
        return ngx_http_payer_settle_refuse(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                            "the store could not be written");
    }

    ctx->step = ngx_http_payer_settle_get;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_settle_get(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    time_t                    age;
    ngx_int_t                 rc;
    ngx_http_payer_settle_t  *st;

    st = ctx->data;

    rc = ngx_http_payer_ledger_get(ctx, &st->key);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc == NGX_DECLINED) {
        return ngx_http_payer_settle_refuse(r, NGX_HTTP_NOT_FOUND,
                                        "no such operation is known here");
    }

    if (rc != NGX_OK
        || ngx_http_payer_op_decode(&ctx->io.value, &st->op) != NGX_OK
        || !ngx_http_payer_settle_split(st))
    {
        return ngx_http_payer_settle_refuse(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                            "the operation could not be read");
    }

    if (st->op.state >= NGX_HTTP_PAYER_OP_REFUSED) {
        return ngx_http_payer_settle_refuse(r, NGX_HTTP_CONFLICT,
                         st->op.state == NGX_HTTP_PAYER_OP_DONE
                         ? "the outcome of the operation is known: done"
                         : "the outcome of the operation is known: refused");
    }

    age = ngx_time() - st->op.updated;

    if (st->op.state == NGX_HTTP_PAYER_OP_SENT
        && age >= 0 && age < (time_t) (ctx->conf->timeout / 1000 + 5))
    {
        /* one without a key has no claim */

        return ngx_http_payer_settle_refuse(r, NGX_HTTP_CONFLICT,
                                            "the operation is in progress");
    }

    ctx->request_id = st->op.request_id;
    ctx->step = ngx_http_payer_settle_find;

    return NGX_OK;
}


/* operation/MERCHANT/PAYMENT-ID/OPERATION/...: 1 or 0 */

static ngx_uint_t
ngx_http_payer_settle_split(ngx_http_payer_settle_t *st)
{
    u_char  *p, *last, *slash;

    p = st->key.data + st->prefix.len;
    last = st->key.data + st->key.len;

    slash = ngx_strlchr(p, last, '/');
    if (slash == NULL) {
        return 0;
    }

    st->payment_id.data = p;
    st->payment_id.len = slash - p;

    p = slash + 1;

    slash = ngx_strlchr(p, last, '/');
    if (slash == NULL) {
        return 0;
    }

    st->operation.data = p;
    st->operation.len = slash - p;

    return 1;
}


/* the order that it is about, if it still has this payment */

static ngx_int_t
ngx_http_payer_settle_find(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                 rc;
    ngx_str_t                *id;
    ngx_http_payer_settle_t  *st;

    st = ctx->data;

    rc = ngx_http_payer_ledger_find_payment(ctx, &st->payment_id);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc != NGX_OK) {
        return ngx_http_payer_settle_refuse(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                            "the store could not be read");
    }

    if (ctx->params
        && (!ctx->found
            || ctx->record.reference.len != ctx->params->reference.len
            || ngx_memcmp(ctx->record.reference.data,
                          ctx->params->reference.data,
                          ctx->record.reference.len)
               != 0))
    {
        return ngx_http_payer_settle_refuse(r, NGX_HTTP_NOT_FOUND,
                                  "the operation is not one of this order");
    }

    id = &ctx->record.payment_id;

    if (id->len != st->payment_id.len
        || ngx_memcmp(id->data, st->payment_id.data, id->len) != 0)
    {
        ctx->found = 0;
        *id = st->payment_id;
    }

    ctx->step = ngx_http_payer_settle_write;

    return NGX_OK;
}


static ngx_str_t *
ngx_http_payer_settle_word(ngx_http_payer_op_state_e state)
{
    static ngx_str_t  done = ngx_string("done");
    static ngx_str_t  refused = ngx_string("refused");

    return (state == NGX_HTTP_PAYER_OP_DONE) ? &done : &refused;
}


/*
 * A read may not show the sum of refunds.  The next read updates everything
 * else.
 */

static void
ngx_http_payer_settle_record(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_settle_t *st)
{
    const ngx_str_t  *refund;

    refund = &ngx_http_payer_api_type(NGX_HTTP_PAYER_CALL_REFUND)->name;

    if (st->operation.len != refund->len
        || ngx_memcmp(st->operation.data, refund->data, refund->len) != 0
        || st->state != NGX_HTTP_PAYER_OP_DONE)
    {
        ctx->found = 0;

    } else if (ctx->found) {
        ngx_http_payer_record_refunded(&ctx->record, st->op.amount);
    }
}


static ngx_int_t
ngx_http_payer_settle_write(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                     rc;
    ngx_str_t                     actor, *reason;
    ngx_uint_t                    n;
    ngx_http_payer_op_t          *op;
    ngx_http_payer_settle_t      *st;
    ngx_http_payer_history_t      act;
    ngx_http_payer_store_entry_t  entries[3];

    static ngx_str_t  json = ngx_string("application/json");
    static ngx_str_t  done = ngx_string("{\"settled\":\"by hand\"}");
    static ngx_str_t  refused =
                          ngx_string("{\"message\":\"settled by hand\"}");

    st = ctx->data;
    op = &st->op;

    op->state = st->state;
    op->updated = ngx_time();
    op->reply_type = json;

    if (st->state == NGX_HTTP_PAYER_OP_DONE) {
        op->status = NGX_HTTP_OK;
        op->reply = done;

    } else {
        op->status = NGX_HTTP_CONFLICT;
        op->reply = refused;
    }

    rc = ngx_http_payer_book_entry(ctx, op, &st->operation, &st->payment_id,
                                   &entries[1]);

    if (rc == NGX_ERROR || ngx_http_payer_audit_actor(ctx, &actor) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    n = (rc == NGX_OK) ? 2 : 1;

    /* without one of its own it is that of the operation */

    reason = (ctx->params && ctx->params->reason.len) ? &ctx->params->reason
                                                      : &op->reason;

    if (ctx->found) {
        ngx_memzero(&act, sizeof(ngx_http_payer_history_t));

        ngx_str_set(&act.what, "settle");

        act.at = op->updated;
        act.amount = op->amount;
        act.by = actor;
        act.result = *ngx_http_payer_settle_word(st->state);
        act.request_id = op->request_id;
        act.reason = *reason;
        act.payment_id = st->payment_id;

        if (ngx_http_payer_history_act(ctx, &act, &op->request_id,
                                       &entries[n++])
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    ngx_http_payer_settle_record(ctx, st);

    ngx_memzero(entries, sizeof(ngx_http_payer_store_entry_t));

    entries[0].key = st->key;
    entries[0].merge = ngx_http_payer_op_merge;
    entries[0].expires = ngx_http_payer_keep_operation(ctx->conf);

    if (ngx_http_payer_op_encode(r->pool, op, &entries[0].value) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_payer_audit_found(ctx, op, &st->operation, &actor, reason)
        != NGX_OK)
    {
        return ngx_http_payer_settle_refuse(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                            "the audit log could not be "
                                            "written");
    }

    ctx->step = ngx_http_payer_settle_written;

    return ngx_http_payer_ledger_write_all(ctx, NGX_HTTP_PAYER_BY_REPLY,
                                           entries, n)
           == NGX_AGAIN ? NGX_AGAIN : NGX_OK;
}


static ngx_int_t
ngx_http_payer_settle_written(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_str_t                      body, *user;
    ngx_http_payer_settle_t       *st;
    ngx_http_payer_json_member_t   members[2];

    static ngx_str_t  json = ngx_string("application/json");

    st = ctx->data;

    if (ctx->io.rc != NGX_OK) {
        return ngx_http_payer_settle_refuse(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                            "the outcome could not be stored");
    }

    ngx_memzero(members, sizeof(members));

    ngx_str_set(&members[0].name, "operation");
    members[0].text = st->key;

    ngx_str_set(&members[1].name, "outcome");

    members[1].text = *ngx_http_payer_settle_word(st->state);

    user = &r->headers_in.user;

    ngx_http_payer_log(NGX_LOG_WARN, ctx,
                       "the operation \"%V\" was settled by hand as %V, by "
                       "user \"%V\" at %V", &st->key, &members[1].text, user,
                       &r->connection->addr_text);

    ngx_http_payer_ledger_unclaim(ctx);

    if (ngx_http_payer_json_write(r->pool, members, 2, &body) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_payer_answer_body(r, NGX_HTTP_OK, &json, &body);
}


static ngx_int_t
ngx_http_payer_settle_refuse(ngx_http_request_t *r, ngx_uint_t status,
    const char *detail)
{
    ngx_http_payer_problem_t  problem;

    ngx_memzero(&problem, sizeof(ngx_http_payer_problem_t));

    problem.status = status;
    problem.detail = detail;
    problem.retry_after = (status == NGX_HTTP_SERVICE_UNAVAILABLE) ? 1 : 0;

    return ngx_http_payer_answer_problem(r, &problem);
}
