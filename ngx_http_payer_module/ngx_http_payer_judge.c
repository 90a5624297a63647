
/*
 * Whether an operation whose reply was lost shows in what Payer says of the
 * payment.
 *
 * A payment says how much was captured, and not by which requests.  So the
 * captures that are known to be done are counted first, then the payment is
 * read, and what goes beyond them speaks for the one in question, unless
 * there are others in doubt that may have done it.
 */


#include "ngx_http_payer_judge.h"
#include "ngx_http_payer_api.h"


static void ngx_http_payer_tally_add(ngx_http_payer_tally_t *tally,
    ngx_str_t *value);
static ngx_int_t ngx_http_payer_judge_capture(ngx_http_payer_deed_t *deed,
    ngx_http_payer_json_payment_t *payment, ngx_http_payer_tally_t *tally);


ngx_int_t
ngx_http_payer_tally(ngx_http_payer_ctx_t *ctx, ngx_http_payer_tally_t *tally,
    ngx_http_payer_call_e operation, ngx_str_t *payment_id, ngx_str_t *key)
{
    ngx_str_t  none;

    ngx_memzero(tally, sizeof(ngx_http_payer_tally_t));

    if (operation != NGX_HTTP_PAYER_CALL_CAPTURE) {
        return NGX_OK;
    }

    ngx_str_null(&none);

    tally->except = *key;

    return ngx_http_payer_deed_key(ctx->request->pool,
                                   &ctx->conf->merchant->id, payment_id,
                                   &ngx_http_payer_api_type(operation)->name,
                                   &none, &tally->prefix);
}


ngx_int_t
ngx_http_payer_tally_run(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_tally_t *tally)
{
    ngx_int_t                rc;
    ngx_str_t               *key;
    ngx_http_payer_store_t  *store;

    store = ctx->conf->main->store;
    key = &ctx->io.key;

    while (tally->prefix.len) {

        if (ctx->asked) {
            ctx->asked = 0;
            rc = ctx->io.rc;

        } else {
            rc = store->ops->next(store, &tally->prefix, &tally->after,
                                  &ctx->io);
        }

        if (rc == NGX_AGAIN) {
            ctx->asked = 1;
            return NGX_AGAIN;
        }

        if (rc == NGX_DECLINED) {
            return NGX_OK;
        }

        if (rc != NGX_OK) {
            tally->vague++;
            return NGX_OK;
        }

        tally->after = *key;

        if (key->len != tally->except.len
            || ngx_memcmp(key->data, tally->except.data, key->len) != 0)
        {
            ngx_http_payer_tally_add(tally, &ctx->io.value);
        }
    }

    return NGX_OK;
}


static void
ngx_http_payer_tally_add(ngx_http_payer_tally_t *tally, ngx_str_t *value)
{
    ngx_http_payer_deed_t  deed;

    if (ngx_http_payer_deed_decode(value, &deed) != NGX_OK) {
        tally->vague++;

    } else if (deed.state == NGX_HTTP_PAYER_DEED_REFUSED) {
        return;

    } else if (deed.amount == -1) {
        tally->vague++;

    } else if (deed.state == NGX_HTTP_PAYER_DEED_DONE) {
        tally->done += deed.amount;

    } else {
        tally->open += deed.amount;
    }
}


ngx_int_t
ngx_http_payer_judge(ngx_http_payer_call_e operation,
    ngx_http_payer_deed_t *deed, ngx_http_payer_json_payment_t *payment,
    ngx_http_payer_tally_t *tally)
{
    ngx_http_payer_state_e  state;

    state = ngx_http_payer_state_of(&payment->status);

    switch (operation) {

    case NGX_HTTP_PAYER_CALL_CAPTURE:
        return ngx_http_payer_judge_capture(deed, payment, tally);

    case NGX_HTTP_PAYER_CALL_CANCEL:
        return (state == NGX_HTTP_PAYER_CANCELLED) ? NGX_OK
               : state ? NGX_DECLINED : NGX_AGAIN;

    case NGX_HTTP_PAYER_CALL_RELEASE:
        return (state == NGX_HTTP_PAYER_AUTHORIZED
                || state == NGX_HTTP_PAYER_INITIATED) ? NGX_DECLINED
               : (state == NGX_HTTP_PAYER_CANCELLED) ? NGX_OK
               : NGX_AGAIN;

    default: /* NGX_HTTP_PAYER_CALL_REFUND: a read does not show refunds */
        return NGX_AGAIN;
    }
}


static ngx_int_t
ngx_http_payer_judge_capture(ngx_http_payer_deed_t *deed,
    ngx_http_payer_json_payment_t *payment, ngx_http_payer_tally_t *tally)
{
    int64_t                 left, amount;
    ngx_uint_t              alone;
    ngx_http_payer_state_e  state;

    alone = (tally->open == 0 && tally->vague == 0);

    if (payment->captured < 0) {
        state = ngx_http_payer_state_of(&payment->status);

        return (state == NGX_HTTP_PAYER_AUTHORIZED
                || state == NGX_HTTP_PAYER_INITIATED) ? NGX_DECLINED
               : (state == NGX_HTTP_PAYER_FULLY_CAPTURED && alone
                  && tally->done == 0) ? NGX_OK
               : NGX_AGAIN;
    }

    /* at the least so much was captured by others */

    left = payment->captured - ngx_max(deed->before, tally->done);
    amount = (deed->amount == -1) ? 1 : deed->amount;

    if (left < amount) {
        return NGX_DECLINED;
    }

    if (alone) {
        return NGX_OK;
    }

    return (deed->amount != -1 && tally->vague == 0
            && left - amount >= tally->open) ? NGX_OK : NGX_AGAIN;
}
