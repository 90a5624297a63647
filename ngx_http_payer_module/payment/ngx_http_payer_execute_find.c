
/*
 * Identifies the operation: its ids, its stored record, and a claim so that it
 * is executed only once.
 *
 *     lookup -> (search) -> claim -> lookup
 */


#include "ngx_http_payer_execute.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_ledger.h"
#include "ngx_http_payer_log.h"


static ngx_int_t ngx_http_payer_execute_digest(
    ngx_http_payer_execution_t *ex, u_char *digest);
static ngx_int_t ngx_http_payer_execute_hidden(
    ngx_http_payer_execution_t *ex);
static ngx_int_t ngx_http_payer_execute_search(
    ngx_http_payer_execution_t *ex);
static ngx_int_t ngx_http_payer_execute_claim(ngx_http_payer_execution_t *ex);


#define NGX_HTTP_PAYER_OP_LEASE     5000        /* ms, beyond the timeout */


/* the request id, the key of the op, and the digest of its parameters */

ngx_int_t
ngx_http_payer_execute_identify(ngx_http_payer_execution_t *ex)
{
    u_char                *p;
    ngx_int_t              rc;
    ngx_str_t              texts[4];
    const ngx_str_t       *name;
    ngx_http_payer_ctx_t  *ctx;

    ctx = ex->ctx;
    name = &ngx_http_payer_api_type(ex->operation)->name;

    p = ngx_pnalloc(ctx->request->pool, NGX_HTTP_PAYER_UUID_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (ex->id.len) {
        texts[0] = ctx->conf->merchant->id;
        texts[1] = *name;
        texts[2] = ctx->record.payment_id;
        texts[3] = ex->id;

        rc = ngx_http_payer_uuid_of(texts, 4, p);

    } else {
        rc = ngx_http_payer_uuid(p);
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    ctx->request_id.data = p;
    ctx->request_id.len = NGX_HTTP_PAYER_UUID_LEN;

    if (ngx_http_payer_op_key(ctx->request->pool, &ctx->conf->merchant->id,
                              &ctx->record.payment_id, name,
                              ex->id.len ? &ex->id : &ctx->request_id,
                              &ex->key)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_payer_execute_digest(ex, ex->op.digest);
}


static ngx_int_t
ngx_http_payer_execute_digest(ngx_http_payer_execution_t *ex, u_char *digest)
{
    u_char     buf[2 * NGX_INT64_LEN + 1];
    ngx_str_t  texts[2];

    texts[0].data = buf;
    texts[0].len = ngx_sprintf(buf, "%L %i", ex->params->amount,
                               ex->params->release_rest)
                   - buf;
    texts[1] = ex->params->description;

    return ngx_http_payer_digest(texts, 2, digest);
}


ngx_int_t
ngx_http_payer_execute_lookup(ngx_http_payer_execution_t *ex)
{
    ngx_int_t              rc;
    ngx_http_payer_op_t    op;
    ngx_http_payer_ctx_t  *ctx;

    ctx = ex->ctx;

    rc = ngx_http_payer_ledger_get(ctx, &ex->key);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc == NGX_ERROR
        || (rc == NGX_OK
            && ngx_http_payer_op_decode(&ctx->io.value, &op) != NGX_OK))
    {
        ngx_http_payer_log(NGX_LOG_ERR, ctx,
                           "the record \"%V\" could not be read", &ex->key);

        return ngx_http_payer_execute_over(ex, NGX_HTTP_PAYER_NOT_STORED);
    }

    if (rc == NGX_OK) {

        if (ngx_memcmp(op.digest, ex->op.digest,
                       NGX_HTTP_PAYER_DIGEST_LEN)
            != 0)
        {
            return ngx_http_payer_execute_over(ex,
                                               NGX_HTTP_PAYER_KEY_REUSED);
        }

        ex->found = 1;
        ex->op = op;

        if (op.doubt == 0) {
            ex->op.doubt = op.updated;
        }

        /*
         * the key may be the id of a request without a key, or with another
         * one
         */

        ctx->request_id = op.request_id;

        if (op.state >= NGX_HTTP_PAYER_OP_REFUSED) {
            ex->replayed = 1;
            return ngx_http_payer_execute_over(ex, NGX_HTTP_PAYER_EXECUTED);
        }
    }

    if (!ex->found && !ex->unhidden) {
        ex->unhidden = 1;
        ex->state = ngx_http_payer_execute_hidden;

        return NGX_OK;
    }

    if (!ex->found && !ex->searched
        && ex->id.len == NGX_HTTP_PAYER_UUID_LEN)
    {
        ex->searched = 1;
        ex->state = ngx_http_payer_execute_search;

        return ngx_http_payer_sums(ctx, &ex->sums, ex->operation,
                                   &ctx->record.payment_id, &ex->key);
    }

    if (ctx->claim.owner == 0) {
        ex->state = ngx_http_payer_execute_claim;

    } else if (!ex->found && ngx_http_payer_execute_of_rest(ex)) {
        ex->state = ngx_http_payer_execute_rest;

    } else {
        ex->state = ngx_http_payer_execute_intent;
    }

    return NGX_OK;
}


/* an erased operation has the digest of its key */

static ngx_int_t
ngx_http_payer_execute_hidden(ngx_http_payer_execution_t *ex)
{
    ngx_int_t              rc;
    ngx_str_t              hidden;
    ngx_http_payer_ctx_t  *ctx;

    ctx = ex->ctx;

    ngx_str_null(&hidden);

    if (!ctx->asked) {
        rc = ngx_http_payer_op_hidden_key(ctx->request->pool, &ex->key,
                                  sizeof("operation//") - 1
                                  + ctx->conf->merchant->id.len
                                  + ctx->record.payment_id.len + 1,
                                  NULL, &hidden);

        if (rc != NGX_OK) {
            ex->state = ngx_http_payer_execute_lookup;
            return rc == NGX_DECLINED ? NGX_OK : NGX_ERROR;
        }

        ex->hidden = hidden;
    }

    rc = ngx_http_payer_ledger_get(ctx, &ex->hidden);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc == NGX_OK) {
        ex->key = ex->hidden;

    } else if (rc != NGX_DECLINED) {
        return ngx_http_payer_execute_over(ex, NGX_HTTP_PAYER_NOT_STORED);
    }

    ex->state = ngx_http_payer_execute_lookup;

    return NGX_OK;
}


/*
 * A key in the form of a request id may be that of an answer, for an operation
 * with another key: this operation is meant.
 */

static ngx_int_t
ngx_http_payer_execute_search(ngx_http_payer_execution_t *ex)
{
    ngx_int_t              rc;
    ngx_http_payer_op_t    op;
    ngx_http_payer_ctx_t  *ctx;

    ctx = ex->ctx;

    for ( ;; ) {
        rc = ngx_http_payer_sums_next(ctx, &ex->sums);

        if (rc == NGX_AGAIN) {
            return NGX_AGAIN;
        }

        if (rc == NGX_DECLINED) {
            ex->state = ngx_http_payer_execute_lookup;
            return NGX_OK;
        }

        if (rc != NGX_OK) {
            return ngx_http_payer_execute_over(ex, NGX_HTTP_PAYER_NOT_STORED);
        }

        if (ngx_http_payer_op_decode(&ctx->io.value, &op) == NGX_OK
            && op.request_id.len == ex->id.len
            && ngx_strncasecmp(op.request_id.data, ex->id.data, ex->id.len)
               == 0)
        {
            ex->key = ctx->io.key;
            ex->state = ngx_http_payer_execute_lookup;
            return NGX_OK;
        }
    }
}


/*
 * one execution of a key at a time; then look again, since it may be completed
 */

static ngx_int_t
ngx_http_payer_execute_claim(ngx_http_payer_execution_t *ex)
{
    ngx_http_payer_ctx_t  *ctx;

    ctx = ex->ctx;

    switch (ngx_http_payer_flow_try(ctx, &ex->key, ctx->conf->timeout
                                    + NGX_HTTP_PAYER_OP_LEASE, &ctx->claim))
    {
    case NGX_AGAIN:
        return NGX_AGAIN;

    case NGX_OK:
        ex->claimed = 1;
        ex->state = ngx_http_payer_execute_lookup;
        return NGX_OK;

    case NGX_BUSY:
        return ngx_http_payer_execute_over(ex, NGX_HTTP_PAYER_KEY_IN_FLIGHT);

    default: /* NGX_ERROR */
        ngx_http_payer_log(NGX_LOG_ERR, ctx,
                           "no memory for a lock in \"payer_zone\"");

        return ngx_http_payer_execute_over(ex, NGX_HTTP_PAYER_NOT_STORED);
    }
}
