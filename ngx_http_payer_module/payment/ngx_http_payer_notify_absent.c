
/*
 * What is due and cannot be delivered by this configuration: a notification of
 * a server that another host has is given back, for that host to take; one
 * whose payer_notify the server has no longer is repeated for a day, as what
 * was taken out by mistake is put back, and then given up.
 */


#include "ngx_http_payer_delivery.h"
#include "ngx_http_payer_counter.h"


#define NGX_HTTP_PAYER_ABSENT_LIMIT  86400
#define NGX_HTTP_PAYER_ABSENT_POOL   4096


static ngx_http_payer_loc_conf_t *ngx_http_payer_absent_server(
    ngx_http_payer_main_conf_t *pmcf, ngx_str_t *server);
static void ngx_http_payer_absent_later(ngx_http_payer_loc_conf_t *conf,
    ngx_http_payer_notice_t *notice);
static ngx_int_t ngx_http_payer_absent_put(ngx_http_payer_main_conf_t *pmcf,
    ngx_str_t *key, ngx_http_payer_notice_t *notice);


ngx_int_t
ngx_http_payer_notify_absent(ngx_http_payer_main_conf_t *pmcf, ngx_str_t *key,
    ngx_http_payer_notice_t *notice)
{
    ngx_http_payer_loc_conf_t  *conf;

    conf = ngx_http_payer_absent_server(pmcf, &notice->server);

    if (conf) {
        ngx_http_payer_absent_later(conf, notice);

        return ngx_http_payer_absent_put(pmcf, key, notice) == NGX_ERROR
               ? NGX_ERROR : NGX_DECLINED;
    }

    ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                  "payer: the notification \"%V\" needs the server \"%V\" "
                  "and \"payer_notify %V\", which this configuration does "
                  "not have", key, &notice->server, &notice->uri);

    /* not before those that were due with it have had their turn */

    notice->due = ngx_time() + 1;

    return ngx_http_payer_absent_put(pmcf, key, notice) == NGX_ERROR
           ? NGX_ERROR : NGX_ABORT;
}


/* a location of the server, if this configuration has it: all have defaults */

static ngx_http_payer_loc_conf_t *
ngx_http_payer_absent_server(ngx_http_payer_main_conf_t *pmcf,
    ngx_str_t *server)
{
    ngx_str_t                   *name;
    ngx_uint_t                   i;
    ngx_http_payer_loc_conf_t  **locs;

    locs = pmcf->locations.elts;

    for (i = 0; i < pmcf->locations.nelts; i++) {
        name = &locs[i]->cscf->server_name;

        if (name->len == server->len
            && ngx_strncmp(name->data, server->data, server->len) == 0)
        {
            return locs[i];
        }
    }

    return NULL;
}


static void
ngx_http_payer_absent_later(ngx_http_payer_loc_conf_t *conf,
    ngx_http_payer_notice_t *notice)
{
    time_t      now, end;
    ngx_str_t  *type;

    now = ngx_time();
    type = ngx_http_payer_notice_type(notice->type);

    end = notice->since + ngx_min(conf->notify_limit,
                                  NGX_HTTP_PAYER_ABSENT_LIMIT);

    notice->attempts++;
    notice->status = 0;

    if (now >= end) {
        notice->state = NGX_HTTP_PAYER_NOTICE_GIVEN_UP;
        notice->due = 0;

        ngx_str_set(&notice->reason, "the server has no payer_notify for it "
                                     "any more");

        ngx_http_payer_count(conf->main->zone,
                             NGX_HTTP_PAYER_COUNT_NOTIFICATIONS, notice->type,
                             NGX_HTTP_PAYER_DELIVERY_GIVEN_UP);

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "payer: the notification \"%V\" is not sent any more: "
                      "the server \"%V\" has no \"payer_notify\" for \"%V\" "
                      "any more, order: \"%V\"", type, &notice->server,
                      &notice->uri, &notice->reference);
        return;
    }

    notice->due = now + ngx_http_payer_notice_pause(notice->attempts,
                                                    conf->notify_interval,
                                                    conf->notify_max);
    notice->due = ngx_min(notice->due, end);

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "payer: the notification \"%V\" cannot be sent: the server "
                  "\"%V\" has no \"payer_notify\" for \"%V\" any more, the "
                  "next attempt is in %T s, order: \"%V\"", type,
                  &notice->server, &notice->uri, notice->due - now,
                  &notice->reference);
}


/* no request waits: if it fails, the lease expires */

static ngx_int_t
ngx_http_payer_absent_put(ngx_http_payer_main_conf_t *pmcf, ngx_str_t *key,
    ngx_http_payer_notice_t *notice)
{
    ngx_int_t                      rc;
    ngx_pool_t                    *pool;
    ngx_http_payer_store_t        *store;
    ngx_http_payer_store_entry_t   entry;

    store = pmcf->store;

    pool = ngx_create_pool(NGX_HTTP_PAYER_ABSENT_POOL, ngx_cycle->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&entry, sizeof(ngx_http_payer_store_entry_t));

    entry.key = *key;
    entry.merge = ngx_http_payer_notice_settle;

    rc = ngx_http_payer_notice_entry(pool, notice, &entry);

    if (rc == NGX_OK) {
        rc = store->ops->put(store, &entry, 1, NGX_HTTP_PAYER_CLAIM_NONE,
                             NULL, NULL);
    }

    ngx_destroy_pool(pool);

    return rc;
}
