
/*
 * The outbox: notifications are written together with the change of the order,
 * regardless of its source.
 */


#include "ngx_http_payer_notify.h"


static ngx_uint_t ngx_http_payer_outbox_types(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_record_t *record);


ngx_int_t
ngx_http_payer_outbox(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_store_entry_t *entries)
{
    ngx_str_t                *merchant;
    ngx_pool_t               *pool;
    ngx_int_t                 n;
    ngx_uint_t                type, types;
    ngx_http_payer_notice_t   notice;
    ngx_http_payer_record_t   record;

    /* most configurations have no notifications */

    if (ctx->conf->main->notified.nelts == 0) {
        return 0;
    }

    n = 0;
    record = ctx->record;
    pool = ctx->request->pool;
    merchant = &ctx->conf->merchant->id;

    types = ngx_http_payer_outbox_types(ctx, &record)
            & ngx_http_payer_notice_candidates(&record);

    for (type = 0; type < NGX_HTTP_PAYER_NOTICES; type++) {

        if ((types & ngx_http_payer_notice_bit(type)) == 0
            || n == NGX_HTTP_PAYER_OUTBOX_MAX)
        {
            continue;
        }

        ngx_memzero(&entries[n], sizeof(ngx_http_payer_store_entry_t));

        if (ngx_http_payer_notice_init(pool, merchant, type, &record, &notice)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        notice.created = ngx_time();
        notice.since = notice.created;
        notice.due = notice.created;

        if (ngx_http_payer_notice_key(pool, merchant, &notice,
                                      &entries[n].key)
            != NGX_OK
            || ngx_http_payer_notice_entry(pool, &notice, &entries[n])
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        entries[n].merge = ngx_http_payer_notice_keep;
        entries[n].when = ngx_http_payer_notice_when;

        n++;
    }

    return n;
}


/*
 * The types of notifications for this order.  For a payment that was created
 * without payer_notify, the one of this location is used, if it needs no
 * buyer.
 */

static ngx_uint_t
ngx_http_payer_outbox_types(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_record_t *record)
{
    ngx_http_payer_loc_conf_t  *conf;

    if (record->notify.len) {
        conf = ngx_http_payer_notify_place(ctx->conf->main, &record->server,
                                           &record->notify);

        return conf ? conf->notify_on : ctx->conf->notify_on;
    }

    conf = ctx->conf;

    if (conf->notify_clcf == NULL || !conf->notify->fixed) {
        return 0;
    }

    record->notify = conf->notify->uri;
    record->server = conf->cscf->server_name;

    return conf->notify_on;
}


ngx_int_t
ngx_http_payer_notice_entry(ngx_pool_t *pool, ngx_http_payer_notice_t *notice,
    ngx_http_payer_store_entry_t *entry)
{
    if (notice->state != NGX_HTTP_PAYER_NOTICE_TAKEN) {
        entry->label.updated = ngx_time();
        entry->label.state = notice->state;
    }

    if (notice->state == NGX_HTTP_PAYER_NOTICE_OWED) {
        entry->label.due = notice->due;
    }

    return ngx_http_payer_notice_encode(pool, notice, &entry->value);
}


/* a lease outlives what it is for */

time_t
ngx_http_payer_notify_lease(ngx_http_payer_main_conf_t *pmcf)
{
    ngx_msec_t                      timeout;
    ngx_uint_t                      i;
    ngx_http_payer_notify_place_t  *place;

    timeout = 0;
    place = pmcf->notified.elts;

    for (i = 0; i < pmcf->notified.nelts; i++) {
        timeout = ngx_max(timeout, place[i].conf->timeout);
    }

    return (time_t) (timeout / 1000) + NGX_HTTP_PAYER_NOTIFY_MARGIN;
}


/* the host of payer_return_origin, if it is constant */

ngx_str_t
ngx_http_payer_notify_host(ngx_http_payer_loc_conf_t *conf)
{
    u_char     *p, *last;
    ngx_str_t   host;

    ngx_str_null(&host);

    if (conf->origin == NULL || conf->origin->lengths) {
        return host;
    }

    host = conf->origin->value;
    last = host.data + host.len;

    p = ngx_strnstr(host.data, "://", host.len) ? (u_char *)
        ngx_strnstr(host.data, "://", host.len) + 3 : last;

    host.data = p;
    host.len = last - p;

    return host;
}
