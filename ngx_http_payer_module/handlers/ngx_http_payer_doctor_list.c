
/*
 * The checks of payer_doctor in the store's indexes: unknown outcomes, and
 * notifications that the shop has not accepted.
 *
 *     list (orders) -> list (notifications) -> d->next
 */


#include "ngx_http_payer_doctor.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_notify.h"


#define NGX_HTTP_PAYER_DOCTOR_PAGE      200     /* orders at a time */
#define NGX_HTTP_PAYER_DOCTOR_PAGES     20
#define NGX_HTTP_PAYER_DOCTOR_LEFT      500     /* ms, for the answer */

/* how old an outcome may be that is not known, seconds */

#define NGX_HTTP_PAYER_DOCTOR_UNKNOWN_WARN   900
#define NGX_HTTP_PAYER_DOCTOR_UNKNOWN_FAIL   86400

/* the same of a notification that is owed */

#define NGX_HTTP_PAYER_DOCTOR_OWED_WARN      600
#define NGX_HTTP_PAYER_DOCTOR_OWED_FAIL      3600


static ngx_int_t ngx_http_payer_doctor_page(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_doctor_ask(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_doctor_t *d);
static ngx_int_t ngx_http_payer_doctor_over(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static void ngx_http_payer_doctor_look(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_doctor_t *d);
static void ngx_http_payer_doctor_open(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_doctor_t *d, ngx_uint_t complete);
static void ngx_http_payer_doctor_owed(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_doctor_t *d);
static void ngx_http_payer_doctor_unsent(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_doctor_t *d);


ngx_int_t
ngx_http_payer_doctor_list(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                 rc;
    ngx_str_t                *merchant;
    ngx_http_payer_doctor_t  *d;

    static ngx_str_t  none = ngx_null_string;

    d = ctx->data;
    merchant = &ctx->conf->merchant->id;

    if (d->notices) {

        /* also without payer_notify: some may be owed from before */

        rc = ngx_http_payer_notice_prefix(r->pool, merchant, NULL, &d->prefix);

    } else {
        rc = ngx_http_payer_record_order_key(r->pool, merchant, &none,
                                             &d->prefix);
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_str_null(&d->after);

    d->pages = 0;
    d->found = 0;
    d->kept = 0;
    d->oldest = 0;

    ctx->step = ngx_http_payer_doctor_page;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_doctor_page(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                 rc;
    ngx_http_payer_doctor_t  *d;

    d = ctx->data;

    rc = ctx->asked ? ctx->io.rc : ngx_http_payer_doctor_ask(ctx, d);

    ctx->asked = (rc == NGX_AGAIN);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc == NGX_ERROR) {
        ngx_http_payer_doctor_say(ctx, d->notices
                                       ? NGX_HTTP_PAYER_CHECK_NOTIFICATIONS
                                       : NGX_HTTP_PAYER_CHECK_UNKNOWN,
                                  NGX_HTTP_PAYER_HEALTH_FAIL,
                                  "Read the line about \"payer_store\" in the "
                                  "error log.", "the store cannot be read");

        return ngx_http_payer_doctor_over(r, ctx);
    }

    if (rc == NGX_OK) {
        ngx_http_payer_doctor_look(ctx, d);
        d->after = ctx->io.next;

    } else {
        ngx_str_null(&d->after);
    }

    if (d->after.len && ++d->pages < NGX_HTTP_PAYER_DOCTOR_PAGES
        && ngx_http_payer_flow_left(ctx) > NGX_HTTP_PAYER_DOCTOR_LEFT)
    {
        return ngx_http_payer_flow_wait(ctx, 1);
    }

    if (d->notices) {
        ngx_http_payer_doctor_owed(ctx, d);

    } else {
        ngx_http_payer_doctor_open(ctx, d, d->after.len == 0);
    }

    return ngx_http_payer_doctor_over(r, ctx);
}


/* the indexes contain all of them, for any number of orders */

static ngx_int_t
ngx_http_payer_doctor_ask(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_doctor_t *d)
{
    ngx_http_payer_list_t    list;
    ngx_http_payer_store_t  *store;

    store = ctx->conf->main->store;

    ngx_memzero(&list, sizeof(ngx_http_payer_list_t));

    list.prefix = d->prefix;
    list.after = d->after;
    list.limit = NGX_HTTP_PAYER_DOCTOR_PAGE;

    if (d->notices) {
        list.states = (uint64_t) 1 << NGX_HTTP_PAYER_NOTICE_OWED
                      | (uint64_t) 1 << NGX_HTTP_PAYER_NOTICE_GIVEN_UP
                      | (uint64_t) 1 << NGX_HTTP_PAYER_NOTICE_CONFLICT;

    } else {
        list.attention = NGX_HTTP_PAYER_ATTENTION_UNKNOWN;
    }

    return store->ops->list(store, &list, &ctx->io);
}


static ngx_int_t
ngx_http_payer_doctor_over(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_doctor_t  *d;

    d = ctx->data;

    if (d->notices) {
        ctx->step = d->next;

    } else {
        d->notices = 1;
        ctx->step = ngx_http_payer_doctor_list;
    }

    return NGX_OK;
}


static void
ngx_http_payer_doctor_look(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_doctor_t *d)
{
    time_t                    since;
    ngx_uint_t                i;
    ngx_http_payer_item_t    *item;
    ngx_http_payer_notice_t   notice;

    item = ctx->io.items;

    for (i = 0; i < ctx->io.nitems; i++) {
        since = item[i].label.updated;

        if (d->notices) {

            if (ngx_http_payer_notice_decode(&item[i].value, &notice)
                != NGX_OK)
            {
                continue;
            }

            if (notice.state != NGX_HTTP_PAYER_NOTICE_OWED) {
                d->kept++;
                continue;
            }

            since = notice.created;
        }

        if (d->found == 0 || since < d->oldest) {
            d->oldest = since;
        }

        d->found++;
    }
}


static void
ngx_http_payer_doctor_open(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_doctor_t *d, ngx_uint_t complete)
{
    time_t                    age;
    ngx_http_payer_health_e   health;

    if (d->found == 0) {
        ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_UNKNOWN,
                                  NGX_HTTP_PAYER_HEALTH_OK, NULL,
                                  "no outcome is unknown%s",
                                  complete ? "" : " among the first");
        return;
    }

    age = ngx_max(ngx_time() - d->oldest, 0);
    health = NGX_HTTP_PAYER_HEALTH_OK;

    if (age >= NGX_HTTP_PAYER_DOCTOR_UNKNOWN_FAIL) {
        health = NGX_HTTP_PAYER_HEALTH_FAIL;

    } else if (age >= NGX_HTTP_PAYER_DOCTOR_UNKNOWN_WARN) {
        health = NGX_HTTP_PAYER_HEALTH_WARN;
    }

    ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_UNKNOWN, health,
                              health == NGX_HTTP_PAYER_HEALTH_OK ? NULL
                              : "Run \"payer_reconcile\"; what no read can "
                                "tell, ask Payer and settle it by hand.",
                              "outcomes of %ui orders are unknown%s, the "
                              "oldest for %T seconds", d->found,
                              complete ? "" : " among the first", age);
}


static void
ngx_http_payer_doctor_owed(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_doctor_t *d)
{
    time_t                    age;
    ngx_http_payer_health_e   health;

    if (!ngx_http_payer_notify_any(ctx->conf->main,
                                   &ctx->conf->merchant->id))
    {
        ngx_http_payer_doctor_unsent(ctx, d);
        return;
    }

    age = d->found ? ngx_max(ngx_time() - d->oldest, 0) : 0;
    health = NGX_HTTP_PAYER_HEALTH_OK;

    if (d->kept || age >= NGX_HTTP_PAYER_DOCTOR_OWED_FAIL) {
        health = NGX_HTTP_PAYER_HEALTH_FAIL;

    } else if (age >= NGX_HTTP_PAYER_DOCTOR_OWED_WARN) {
        health = NGX_HTTP_PAYER_HEALTH_WARN;
    }

    ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_NOTIFICATIONS, health,
                              health == NGX_HTTP_PAYER_HEALTH_OK ? NULL
                              : "Correct the location of \"payer_notify\" by "
                                "the lines in the error log; send what was "
                                "given up or is in conflict again in the back "
                                "office.",
                              "%ui are owed to the shop, the oldest for %T "
                              "seconds, %ui were given up or are in conflict",
                              d->found, age, d->kept);
}


static void
ngx_http_payer_doctor_unsent(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_doctor_t *d)
{
    if (d->found == 0) {
        ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_NOTIFICATIONS,
                                  NGX_HTTP_PAYER_HEALTH_OK, NULL,
                                  "there is no \"payer_notify\"");
        return;
    }

    ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_NOTIFICATIONS,
                              NGX_HTTP_PAYER_HEALTH_FAIL,
                              "Add the \"payer_notify\" that was removed, "
                              "or see to it that the shop has these orders.",
                              "%ui are owed to the shop and not sent: there "
                              "is no \"payer_notify\" any more", d->found);
}
