
/*
 * POST order/notify: sends notifications again.
 *
 *     intent -> what is owed, given up or in conflict -> (else what was taken)
 *     -> stored -> answer
 */


#include "ngx_http_payer_office_act.h"
#include "ngx_http_payer_answer_reply.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_ledger.h"
#include "ngx_http_payer_notice.h"
#include "ngx_http_payer_notify.h"


static ngx_int_t ngx_http_payer_again_owed(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_again_told(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_again_put(ngx_http_payer_ctx_t *ctx,
    ngx_str_t *key, ngx_str_t *told);
static ngx_int_t ngx_http_payer_again_written(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_again_last(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_again_failed(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_uint_t ngx_http_payer_again_of(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_notice_t *notice);


ngx_int_t
ngx_http_payer_act_notify(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_act_t  *act;

    act = ctx->data;

    if (ngx_http_payer_act_intent(ctx) != NGX_OK) {
        return ngx_http_payer_act_not_audited(r);
    }

    if (ngx_http_payer_notice_prefix(r->pool, &ctx->conf->merchant->id,
                                     &ctx->record.reference, &act->prefix)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->step = ngx_http_payer_again_owed;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_again_owed(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t              rc;
    ngx_str_t              owed;
    ngx_http_payer_act_t  *act;

    act = ctx->data;

    rc = ngx_http_payer_ledger_next(ctx, &act->prefix, &act->after);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc == NGX_DECLINED) {

        if (act->erased) {
            ctx->step = ngx_http_payer_again_last;
            return NGX_OK;
        }

        owed = act->prefix;

        ngx_str_null(&act->after);
        ctx->step = ngx_http_payer_again_told;

        return ngx_http_payer_notice_told_key(r->pool, &owed, &act->prefix)
               == NGX_OK ? NGX_OK : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc != NGX_OK) {
        return ngx_http_payer_again_failed(r, ctx);
    }

    act->after = ctx->io.key;
    act->next = ngx_http_payer_again_owed;

    return ngx_http_payer_again_put(ctx, &act->after, NULL);
}


static ngx_int_t
ngx_http_payer_again_told(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t              rc;
    ngx_str_t              key;
    ngx_http_payer_act_t  *act;

    act = ctx->data;

    rc = ngx_http_payer_ledger_next(ctx, &act->prefix, &act->after);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc == NGX_DECLINED) {
        ctx->step = ngx_http_payer_again_last;
        return NGX_OK;
    }

    if (rc != NGX_OK) {
        return ngx_http_payer_again_failed(r, ctx);
    }

    act->after = ctx->io.key;
    act->next = ngx_http_payer_again_told;

    if (ngx_http_payer_notice_owed_key(r->pool, &act->after, &key) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_payer_again_put(ctx, &key, &act->after);
}


/* not one of another order whose number has the same beginning */

static ngx_uint_t
ngx_http_payer_again_of(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_notice_t *notice)
{
    ngx_str_t  *reference;

    reference = &ctx->params->reference;

    return notice->reference.len == reference->len
           && ngx_memcmp(notice->reference.data, reference->data,
                         reference->len)
              == 0;
}


/* another round, which begins immediately */

static ngx_int_t
ngx_http_payer_again_put(ngx_http_payer_ctx_t *ctx, ngx_str_t *key,
    ngx_str_t *told)
{
    ngx_http_payer_act_t          *act;
    ngx_http_payer_notice_t        notice;
    ngx_http_payer_store_entry_t   entries[2];

    act = ctx->data;

    if (ngx_http_payer_notice_decode(&ctx->io.value, &notice) != NGX_OK
        || !ngx_http_payer_again_of(ctx, &notice))
    {
        return NGX_OK;
    }

    ngx_memzero(entries, sizeof(entries));

    notice.state = NGX_HTTP_PAYER_NOTICE_OWED;
    notice.attempts = 0;
    notice.status = 0;
    notice.round++;
    notice.since = ngx_time();
    notice.due = ngx_time();

    ngx_str_null(&notice.reason);

    entries[0].key = *key;

    if (told) {
        entries[1].key = *told;

    } else {
        entries[0].merge = ngx_http_payer_notice_again;
    }

    if (ngx_http_payer_notice_entry(ctx->request->pool, &notice, &entries[0])
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    act->erased++;

    ctx->io.rc = NGX_OK;
    ctx->step = ngx_http_payer_again_written;

    return ngx_http_payer_flow_put(ctx, entries, told ? 2 : 1) == NGX_AGAIN
           ? NGX_AGAIN : NGX_OK;
}


static ngx_int_t
ngx_http_payer_again_written(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_act_t  *act;

    act = ctx->data;

    if (ctx->io.rc != NGX_OK) {
        return ngx_http_payer_again_failed(r, ctx);
    }

    ctx->step = act->next;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_again_last(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_act_t          *act;
    ngx_http_payer_main_conf_t    *pmcf;
    ngx_http_payer_store_entry_t   entry;

    act = ctx->data;
    pmcf = ctx->conf->main;

    if (act->erased == 0) {
        (void) ngx_http_payer_act_audit(ctx, "refused", NGX_HTTP_NOT_FOUND);

        return ngx_http_payer_answer_refuse(r, NGX_HTTP_NOT_FOUND,
                                "there are no notifications of this "
                                "order");
    }

    if (pmcf->wake) {
        pmcf->wake(pmcf);
    }

    if (ngx_http_payer_act_entry(ctx, "owed", &entry) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->step = ngx_http_payer_act_stored;
    ctx->io.rc = NGX_OK;

    return ngx_http_payer_flow_put(ctx, &entry, 1) == NGX_AGAIN ? NGX_AGAIN
                                                                : NGX_OK;
}


static ngx_int_t
ngx_http_payer_again_failed(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    (void) ngx_http_payer_act_audit(ctx, "unknown",
                                    NGX_HTTP_SERVICE_UNAVAILABLE);

    return ngx_http_payer_answer_refuse(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                        "the store has failed, try again");
}
