
/*
 * payer_reconcile: reads back from Payer what is unknown or pending.
 *
 *     scan -> (read -> settle) -> scan ... -> summary
 *
 * It walks the operations and then the orders of its merchant, reads each
 * payment that is in doubt, and stores what Payer says.  It never sends an
 * operation again: whoever asked for it may have asked anew meanwhile.
 */


#include "ngx_http_payer_reconcile.h"
#include "ngx_http_payer_answer.h"
#include "ngx_http_payer_body.h"
#include "ngx_http_payer_counter.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_guard.h"
#include "ngx_http_payer_reconcile_walk.h"


#define NGX_HTTP_PAYER_RECONCILE_LIMIT      100
#define NGX_HTTP_PAYER_RECONCILE_MAX_LIMIT  1000
#define NGX_HTTP_PAYER_RECONCILE_DAYS       5


static ngx_int_t ngx_http_payer_reconcile_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_payer_reconcile_begin(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_reconcile_params(ngx_http_request_t *r,
    ngx_http_payer_reconcile_t *rec);
static ngx_int_t ngx_http_payer_reconcile_number(ngx_http_request_t *r,
    char *name, ngx_uint_t max, ngx_uint_t *number);
static ngx_int_t ngx_http_payer_reconcile_summary(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static void ngx_http_payer_reconcile_report(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec);


ngx_http_payer_door_t  ngx_http_payer_reconcile_door = {
    ngx_string("payer_reconcile"), ngx_http_payer_reconcile_handler,
    1, 1, 0, NULL
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

    rc = ngx_http_payer_guard(r, conf, NGX_HTTP_POST, &allow);
    if (rc != NGX_OK) {
        return rc == NGX_DONE ? NGX_OK : rc;
    }

    return ngx_http_payer_body_drop(r, ctx);
}


static ngx_int_t
ngx_http_payer_reconcile_begin(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_reconcile_t  *rec;

    rec = ngx_pcalloc(r->pool, sizeof(ngx_http_payer_reconcile_t));
    if (rec == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->door_data = rec;
    rec->over = ngx_http_payer_reconcile_summary;

    if (ngx_http_payer_reconcile_params(r, rec) != NGX_OK) {
        return ngx_http_payer_reconcile_failed(r, NGX_HTTP_BAD_REQUEST,
                       "limit is not 1 to 1000, days is not 1 to 365, or "
                       "after is no answer of this location");
    }

    ctx->step = ngx_http_payer_reconcile_scan;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_reconcile_params(ngx_http_request_t *r,
    ngx_http_payer_reconcile_t *rec)
{
    u_char     *src, *dst;
    ngx_str_t   after;

    rec->limit = NGX_HTTP_PAYER_RECONCILE_LIMIT;
    rec->days = NGX_HTTP_PAYER_RECONCILE_DAYS;

    if (ngx_http_payer_reconcile_number(r, "limit",
                                        NGX_HTTP_PAYER_RECONCILE_MAX_LIMIT,
                                        &rec->limit)
        != NGX_OK
        || ngx_http_payer_reconcile_number(r, "days", 365, &rec->days)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (ngx_http_arg(r, (u_char *) "after", 5, &after) != NGX_OK) {
        return NGX_OK;
    }

    rec->more = 1;

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

    if (rec->after.len >= 6
        && ngx_strncmp(rec->after.data, "order/", 6) == 0)
    {
        rec->kind = NGX_HTTP_PAYER_RECONCILE_ORDERS;
        return NGX_OK;
    }

    return (rec->after.len >= 10
            && ngx_strncmp(rec->after.data, "operation/", 10) == 0)
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
    ngx_str_t                      body, next;
    ngx_uint_t                     n;
    ngx_http_payer_reconcile_t    *rec;
    ngx_http_payer_json_member_t   members[6];

    static ngx_str_t  json = ngx_string("application/json");

    rec = ctx->door_data;

    ngx_http_payer_reconcile_report(ctx, rec);

    ngx_memzero(members, sizeof(members));

    ngx_str_set(&members[0].name, "examined");
    members[0].number = rec->examined;
    ngx_str_set(&members[1].name, "settled");
    members[1].number = rec->settled;
    ngx_str_set(&members[2].name, "stillUnknown");
    members[2].number = rec->unknown;
    ngx_str_set(&members[3].name, "expiredLinks");
    members[3].number = rec->expired;
    ngx_str_set(&members[4].name, "oldAuthorizations");
    members[4].number = rec->old;
    n = 5;

    if (rec->kind != NGX_HTTP_PAYER_RECONCILE_KINDS) {

        if (rec->after.len == 0) {
            rec->after = ngx_http_payer_reconcile_kinds[rec->kind];
        }

        next.data = ngx_pnalloc(r->pool,
                                ngx_base64_encoded_length(rec->after.len));
        if (next.data == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ngx_encode_base64url(&next, &rec->after);

        ngx_str_set(&members[5].name, "next");
        members[5].text = next;
        n = 6;
    }

    if (ngx_http_payer_json_write(r->pool, members, n, &body) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_payer_answer_body(r, NGX_HTTP_OK, &json, &body);
}


/* a walk in several calls adds up what each of them has seen */

static void
ngx_http_payer_reconcile_report(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec)
{
    ngx_http_payer_count_old(ctx->conf->main->zone, rec->old, rec->more);

    if (rec->old == 0) {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, ctx->request->connection->log, 0,
                  "payer: %ui payments of client \"%V\" are authorized for "
                  "more than %ui days and not captured",
                  rec->old, &ctx->conf->merchant->id, rec->days);
}
