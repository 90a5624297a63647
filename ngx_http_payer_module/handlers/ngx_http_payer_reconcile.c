
/*
 * payer_reconcile: reads back from Payer what is unknown or pending.
 *
 *     start -> scan -> (read -> settle) -> scan ... -> summary
 *
 * It walks the operations and then the orders of its merchant, reads each
 * payment that is in doubt, and stores what Payer says.  It never sends an
 * operation again: its client may have repeated it meanwhile.
 */


#include "ngx_http_payer_reconcile.h"
#include "ngx_http_payer_access.h"
#include "ngx_http_payer_answer.h"
#include "ngx_http_payer_body.h"
#include "ngx_http_payer_counter.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_log.h"
#include "ngx_http_payer_query.h"
#include "ngx_http_payer_reconcile_walk.h"
#include "ngx_http_payer_settle.h"


#define NGX_HTTP_PAYER_RECONCILE_LIMIT      100
#define NGX_HTTP_PAYER_RECONCILE_MAX_LIMIT  1000


static ngx_int_t ngx_http_payer_reconcile_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_payer_reconcile_begin(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_reconcile_failed(ngx_http_request_t *r,
    ngx_uint_t status, const char *detail);
static ngx_int_t ngx_http_payer_reconcile_params(ngx_http_request_t *r,
    ngx_http_payer_reconcile_t *rec);
static ngx_int_t ngx_http_payer_reconcile_number(ngx_http_request_t *r,
    char *name, ngx_uint_t max, ngx_uint_t *number);
static ngx_int_t ngx_http_payer_reconcile_next(ngx_http_request_t *r,
    ngx_http_payer_reconcile_t *rec, ngx_str_t *next);
static ngx_int_t ngx_http_payer_reconcile_summary(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static void ngx_http_payer_reconcile_report(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec);


ngx_http_payer_handler_t  ngx_http_payer_handler_reconcile = {
    ngx_string("payer_reconcile"), ngx_http_payer_reconcile_handler,
    1, 1, 0, 0, NULL, NULL
};


static ngx_str_t  ngx_http_payer_reconcile_name = ngx_string("reconcile");


static ngx_int_t
ngx_http_payer_reconcile_handler(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_http_payer_ctx_t       *ctx;
    ngx_http_payer_loc_conf_t  *conf;

    static ngx_str_t  allow = ngx_string("POST");

    if (r != r->main) {
        return NGX_HTTP_NOT_FOUND;
    }

    conf = ngx_http_get_module_loc_conf(r, ngx_http_payer_module);

    ctx = ngx_http_payer_flow_create(r, conf, ngx_http_payer_reconcile_begin);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->operation = &ngx_http_payer_reconcile_name;

    rc = ngx_http_payer_access(r, conf, NGX_HTTP_POST, &allow);
    if (rc != NGX_OK) {
        return rc == NGX_DONE ? NGX_OK : rc;
    }

    return ngx_http_payer_body_drop(r, ctx);
}


static ngx_int_t
ngx_http_payer_reconcile_begin(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    const char                  *wrong;
    ngx_http_payer_reconcile_t  *rec;

    static ngx_str_t  names[] = {
        ngx_string("limit"), ngx_string("days"), ngx_string("after"),
        ngx_string("operation"), ngx_string("outcome"), ngx_null_string
    };

    /* a misspelled "operation" would begin a run */

    wrong = ngx_http_payer_query_wrong(&r->args, names);

    if (wrong) {
        return ngx_http_payer_reconcile_failed(r, NGX_HTTP_BAD_REQUEST, wrong);
    }

    if (ngx_http_payer_settle_asked(r)) {
        ctx->step = ngx_http_payer_settle;
        return NGX_OK;
    }

    rec = ngx_pcalloc(r->pool, sizeof(ngx_http_payer_reconcile_t));
    if (rec == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->data = rec;
    rec->over = ngx_http_payer_reconcile_summary;
    rec->name = "payer_reconcile";

    if (ngx_http_payer_reconcile_params(r, rec) != NGX_OK) {
        return ngx_http_payer_reconcile_failed(r, NGX_HTTP_BAD_REQUEST,
                       "limit is not 1 to 1000, days is not 1 to 365, or "
                       "after is not from an answer of this location");
    }

    ctx->step = ngx_http_payer_reconcile_start;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_reconcile_params(ngx_http_request_t *r,
    ngx_http_payer_reconcile_t *rec)
{
    u_char      *src, *dst;
    ngx_str_t    after;
    ngx_uint_t   days;

    rec->limit = NGX_HTTP_PAYER_RECONCILE_LIMIT;
    days = 0;

    if (ngx_http_payer_reconcile_number(r, "limit",
                                        NGX_HTTP_PAYER_RECONCILE_MAX_LIMIT,
                                        &rec->limit)
        != NGX_OK
        || ngx_http_payer_reconcile_number(r, "days", 365, &days) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    rec->age = (time_t) days * 86400;

    if (ngx_http_arg(r, (u_char *) "after", 5, &after) != NGX_OK) {
        return NGX_OK;
    }

    rec->by_hand = 1;

    /* base64url of the last key */

    if (after.len == 0
        || after.len > ngx_base64_encoded_length(NGX_HTTP_PAYER_STORE_MAX_KEY))
    {
        return NGX_DECLINED;
    }

    src = after.data;

    dst = ngx_pnalloc(r->pool, ngx_base64_decoded_length(after.len));
    if (dst == NULL) {
        return NGX_DECLINED;
    }

    rec->after.data = dst;
    after.data = src;

    if (ngx_decode_base64url(&rec->after, &after) != NGX_OK) {
        return NGX_DECLINED;
    }

    rec->kind = ngx_http_payer_reconcile_kind(&rec->after);

    return (rec->kind == NGX_HTTP_PAYER_RECONCILE_ORDERS
            || (rec->after.len >= 10
                && ngx_strncmp(rec->after.data, "operation/", 10) == 0))
           ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_payer_reconcile_number(ngx_http_request_t *r, char *name,
    ngx_uint_t max, ngx_uint_t *number)
{
    ngx_int_t  n;
    ngx_str_t  value;

    if (ngx_http_arg(r, (u_char *) name, ngx_strlen(name), &value) != NGX_OK) {
        return NGX_OK;
    }

    n = ngx_atoi(value.data, value.len);

    if (n < 1 || n > (ngx_int_t) max) {
        return NGX_DECLINED;
    }

    *number = n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_reconcile_summary(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_str_t                          body, next;
    ngx_uint_t                         i, n;
    ngx_http_payer_reconcile_t        *rec;
    ngx_http_payer_json_member_t       members[10];
    ngx_http_payer_reconcile_count_t  *count;

    static ngx_str_t  json = ngx_string("application/json");

    static ngx_str_t  names[] = {
        ngx_string("examined"),
        ngx_string("settled"),
        ngx_string("done"),
        ngx_string("notDone"),
        ngx_string("unknown"),
        ngx_string("stillUnknown"),
        ngx_string("failed"),
        ngx_string("expiredLinks"),
        ngx_string("oldAuthorizations"),
        ngx_string("next")
    };

    rec = ctx->data;

    count = &rec->count;

    if (count->broken) {
        return ngx_http_payer_reconcile_failed(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                  "the store could not be read or written");
    }

    ngx_http_payer_reconcile_report(ctx, rec);

    if (count->failed && count->reads == 0) {

        /* Payer cannot be reached */

        return ngx_http_payer_reconcile_failed(r, count->status,
                                               count->reason);
    }

    ngx_memzero(members, sizeof(members));

    for (i = 0; i < 10; i++) {
        members[i].name = names[i];
    }

    members[0].number = rec->examined;
    members[1].number = count->settled;
    members[2].number = count->done;
    members[3].number = count->not_done;
    members[4].number = count->undecided;
    members[5].number = count->unknown;
    members[6].number = count->failed;
    members[7].number = count->expired;
    members[8].number = rec->old;
    n = 9;

    if (!rec->over_all) {

        if (ngx_http_payer_reconcile_next(r, rec, &next) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        members[n++].text = next;
    }

    if (ngx_http_payer_json_write(r->pool, members, n, &body) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_payer_answer_body(r, NGX_HTTP_OK, &json, &body);
}


/* the position for the next call by hand */

static ngx_int_t
ngx_http_payer_reconcile_next(ngx_http_request_t *r,
    ngx_http_payer_reconcile_t *rec, ngx_str_t *next)
{
    ngx_str_t  *after;

    after = rec->after.len ? &rec->after
                           : &ngx_http_payer_reconcile_kinds[rec->kind];

    next->data = ngx_pnalloc(r->pool, ngx_base64_encoded_length(after->len));
    if (next->data == NULL) {
        return NGX_ERROR;
    }

    ngx_encode_base64url(next, after);

    return NGX_OK;
}


/* the gauge shows the last complete round, which may take several runs */

static void
ngx_http_payer_reconcile_report(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec)
{
    if (rec->complete) {
        ngx_http_payer_count_old(ctx->conf->main->zone,
                                 &ctx->conf->merchant->id, rec->complete_old);
    }

    if (rec->old == 0) {
        return;
    }

    ngx_http_payer_log(NGX_LOG_WARN, ctx,
                       "%ui payments of client \"%V\" are authorized for "
                       "more than %ui days and not captured",
                       rec->old, &ctx->conf->merchant->id,
                       (ngx_uint_t) (rec->age ? rec->age
                                     : ctx->conf->sweep.limit) / 86400);
}


static ngx_int_t
ngx_http_payer_reconcile_failed(ngx_http_request_t *r, ngx_uint_t status,
    const char *detail)
{
    ngx_http_payer_problem_t  problem;

    ngx_memzero(&problem, sizeof(ngx_http_payer_problem_t));

    problem.status = status;
    problem.detail = detail;

    return ngx_http_payer_answer_problem(r, &problem);
}
