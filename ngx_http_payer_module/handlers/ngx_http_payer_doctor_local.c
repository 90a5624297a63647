
/*
 * The checks of payer_doctor without Payer: the configuration, the zone, the
 * store, and its entries that need attention.
 *
 *     store -> stored -> list ...
 */


#include "ngx_http_payer_doctor.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_ledger.h"
#include "ngx_http_payer_zone_note.h"


/* seconds that a run of payer_sweep may be late at any interval */

#define NGX_HTTP_PAYER_DOCTOR_SWEEP     300


static ngx_uint_t ngx_http_payer_doctor_outdated(void);
static time_t ngx_http_payer_doctor_changed(ngx_http_payer_ctx_t *ctx,
    ngx_str_t *file);
static ngx_int_t ngx_http_payer_doctor_stored(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_uint_t ngx_http_payer_doctor_up(ngx_http_payer_store_t *store,
    ngx_http_payer_store_status_t *status);
static ngx_uint_t ngx_http_payer_doctor_down(ngx_http_payer_ctx_t *ctx);


/*
 * nginx uses the files as it has read them: for a file that was changed since,
 * a reload is missing or was rejected
 */

void
ngx_http_payer_doctor_configuration(ngx_http_payer_ctx_t *ctx)
{
    char                       *mode;
    ngx_cycle_t                *cycle;
    ngx_http_payer_api_loc_t   *api_loc;
    ngx_http_payer_loc_conf_t  *conf;

    conf = ctx->conf;
    api_loc = conf->api_loc;
    cycle = (ngx_cycle_t *) ngx_cycle;

    if (ngx_http_payer_doctor_outdated()) {
        ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_CONFIGURATION,
                                  NGX_HTTP_PAYER_HEALTH_WARN,
                                  "Restart nginx, or upgrade it on the fly: a "
                                  "reload does not load a module again.",
                                  "the file of ngx_http_payer_module %s was "
                                  "replaced after nginx has loaded it",
                                  NGX_HTTP_PAYER_VERSION);
        return;
    }

    if (ngx_http_payer_doctor_changed(ctx, &cycle->conf_file)
        > conf->main->loaded)
    {
        ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_CONFIGURATION,
                                  NGX_HTTP_PAYER_HEALTH_WARN,
                                  "Run \"nginx -t\", correct what it names, "
                                  "and reload nginx.",
                                  "\"%V\" was changed after nginx has read it",
                                  &cycle->conf_file);
        return;
    }

    if (conf->secret_file.len
        && ngx_http_payer_doctor_changed(ctx, &conf->secret_file)
           > conf->main->loaded)
    {
        ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_CONFIGURATION,
                                  NGX_HTTP_PAYER_HEALTH_WARN,
                                  "Reload nginx, which reads the file again.",
                                  "the file of \"payer_client_secret_file\" "
                                  "was changed after nginx has read it");
        return;
    }

    mode = api_loc->live ? "Payer's live host"
                      : api_loc->test ? "Payer's test host"
                                   : "neither Payer's live nor its test host";

    ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_CONFIGURATION,
                              NGX_HTTP_PAYER_HEALTH_OK, NULL,
                              "ngx_http_payer_module %s in nginx %s, calls "
                              "go to \"%V\", %s", NGX_HTTP_PAYER_VERSION,
                              NGINX_VERSION, &api_loc->host, mode);
}


/*
 * The time of a file from a package is that of its build, so the time of the
 * inode is used.  The loaded code is kept over reloads, and so is its time of
 * loading.
 */

static ngx_uint_t
ngx_http_payer_doctor_outdated(void)
{
#if (NGX_HAVE_DLOPEN)

    Dl_info          info;
    ngx_file_info_t  fi;

    if (dladdr((void *) &ngx_http_payer_module, &info) == 0
        || info.dli_fname == NULL
        || ngx_file_info(info.dli_fname, &fi) == NGX_FILE_ERROR)
    {
        return 0;
    }

    return fi.st_ctime > ngx_http_payer_module_loaded;

#else

    return 0;

#endif
}


/* 0 if not known: a worker process may not have access to the file */

static time_t
ngx_http_payer_doctor_changed(ngx_http_payer_ctx_t *ctx, ngx_str_t *file)
{
    ngx_file_info_t  fi;

    if (ngx_file_info(file->data, &fi) == NGX_FILE_ERROR) {
        return 0;
    }

    return ngx_file_mtime(&fi);
}


void
ngx_http_payer_doctor_zone(ngx_http_payer_ctx_t *ctx)
{
    size_t                    size, left;
    ngx_uint_t                percent;
    ngx_http_payer_doctor_t  *d;
    ngx_http_payer_health_e   health;

    d = ctx->data;

    ngx_http_payer_zone_room(d->zone, &size, &left);

    percent = left * 100 / size;
    health = NGX_HTTP_PAYER_HEALTH_OK;

    if (d->turn.owner == 0 || left == 0) {
        health = NGX_HTTP_PAYER_HEALTH_FAIL;

    } else if (percent < 10) {
        health = NGX_HTTP_PAYER_HEALTH_WARN;
    }

    ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_ZONE, health,
                              health == NGX_HTTP_PAYER_HEALTH_OK ? NULL
                              : "Give \"payer_zone\" a larger size, and "
                                "restart nginx.",
                              "%ui percent of %uz kB are free", percent,
                              size / 1024);
}


/*
 * A run without Payer does not count as ended, so some may be missing; and the
 * first one needs time.
 */

void
ngx_http_payer_doctor_sweep(ngx_http_payer_ctx_t *ctx)
{
    time_t                    since, age, interval;
    ngx_http_payer_doctor_t  *d;
    ngx_http_payer_health_e   health;

    d = ctx->data;
    interval = ctx->conf->sweep.interval / 1000;

    if (ctx->conf->sweep.interval == 0) {
        ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_SWEEP,
                                  NGX_HTTP_PAYER_HEALTH_OK, NULL,
                                  "\"payer_sweep\" is off");
        return;
    }

    since = d->zone->sh->swept;
    since = ngx_max(since, ctx->conf->main->loaded);
    age = ngx_max(ngx_time() - since, 0);

    health = NGX_HTTP_PAYER_HEALTH_OK;

    if (age > 10 * interval + NGX_HTTP_PAYER_DOCTOR_SWEEP) {
        health = NGX_HTTP_PAYER_HEALTH_FAIL;

    } else if (age > 3 * interval + NGX_HTTP_PAYER_DOCTOR_SWEEP) {
        health = NGX_HTTP_PAYER_HEALTH_WARN;
    }

    ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_SWEEP, health,
                              health == NGX_HTTP_PAYER_HEALTH_OK ? NULL
                              : "Read the lines about \"payer_sweep\" in the "
                                "error log; restart nginx if there are none.",
                              d->zone->sh->swept
                              ? "the last run has ended %T seconds ago"
                              : "no run has ended in %T seconds", age);
}


/* an entry of its own, which expires soon */

ngx_int_t
ngx_http_payer_doctor_store(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    u_char                        *p;
    ngx_int_t                      rc;
    ngx_str_t                     *merchant;
    ngx_http_payer_store_entry_t   entry;
    ngx_http_payer_store_status_t  status;

    static ngx_str_t  value = ngx_string("doctor");

    merchant = &ctx->conf->merchant->id;

    ctx->step = ngx_http_payer_doctor_stored;
    ctx->io.rc = NGX_ERROR;

    if (!ngx_http_payer_doctor_up(ctx->conf->main->store, &status)) {
        return NGX_OK;
    }

    ngx_memzero(&entry, sizeof(ngx_http_payer_store_entry_t));

    p = ngx_pnalloc(r->pool, sizeof("doctor/") - 1 + merchant->len);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    entry.key.data = p;
    entry.key.len = ngx_sprintf(p, "doctor/%V", merchant) - p;
    entry.value = value;
    entry.expires = ngx_time() + 60;

    rc = ngx_http_payer_flow_put(ctx, &entry, 1);

    return rc == NGX_AGAIN ? NGX_AGAIN : NGX_OK;
}


static ngx_uint_t
ngx_http_payer_doctor_up(ngx_http_payer_store_t *store,
    ngx_http_payer_store_status_t *status)
{
    ngx_memzero(status, sizeof(ngx_http_payer_store_status_t));

    if (store->ops->status == NULL) {
        return 1;
    }

    store->ops->status(store, status);

    return status->up;
}


/* a store on another machine, which cannot be used, and knows why */

static ngx_uint_t
ngx_http_payer_doctor_down(ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_store_t         *store;
    ngx_http_payer_store_status_t   status;

    store = ctx->conf->main->store;

    if (ngx_http_payer_doctor_up(store, &status)) {
        return 0;
    }

    if (status.hanging) {
        ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_STORE,
                                  NGX_HTTP_PAYER_HEALTH_FAIL,
                                  "Look at the synchronous standbys of the "
                                  "server (pg_stat_replication), and at its "
                                  "disk.",
                                  "the %V store is read, but not written: %V",
                                  &store->ops->name, &status.detail);
        return 1;
    }

    ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_STORE,
                              NGX_HTTP_PAYER_HEALTH_FAIL,
                              "Correct what the detail says: the server, the "
                              "network, or the parameters of \"payer_store\".",
                              "the %V store is not available: %V",
                              &store->ops->name, &status.detail);

    return 1;
}


static ngx_int_t
ngx_http_payer_doctor_stored(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_str_t                *name;
    ngx_http_payer_doctor_t  *d;

    d = ctx->data;
    name = &ctx->conf->main->store->ops->name;

    ctx->step = d->next;

    if (ngx_http_payer_doctor_down(ctx)) {

        /* the store itself has said why */

    } else if (ctx->late) {
        ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_STORE,
                                  NGX_HTTP_PAYER_HEALTH_FAIL,
                                  "Check the disk of the store: it is too "
                                  "slow, or fails.",
                                  "writing to the %V store takes too long",
                                  name);

    } else if (ctx->io.rc != NGX_OK) {
        ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_STORE,
                                  NGX_HTTP_PAYER_HEALTH_FAIL,
                                  "Read the line about \"payer_store\" in the "
                                  "error log: free disk space, correct the "
                                  "permissions, or restore the files.",
                                  "the %V store cannot be written", name);

    } else if (ngx_strcmp(name->data, "memory") == 0) {
        ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_STORE,
                                  NGX_HTTP_PAYER_HEALTH_WARN,
                                  "Use \"payer_store lmdb:DIRECTORY\" for a "
                                  "shop.",
                                  "the memory store works, and a restart "
                                  "forgets the payments");

    } else {
        ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_STORE,
                                  NGX_HTTP_PAYER_HEALTH_OK, NULL,
                                  "the %V store is read and written", name);
    }

    if (d->checks[NGX_HTTP_PAYER_CHECK_STORE].health
        == NGX_HTTP_PAYER_HEALTH_FAIL)
    {
        if (!d->local) {
            ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_UNKNOWN,
                                      NGX_HTTP_PAYER_HEALTH_WARN, NULL,
                                      "not checked: the store fails");
            ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_NOTIFICATIONS,
                                      NGX_HTTP_PAYER_HEALTH_WARN, NULL,
                                      "not checked: the store fails");
        }

        return NGX_OK;
    }

    if (d->local) {
        return NGX_OK;
    }

    ctx->step = ngx_http_payer_doctor_list;

    return NGX_OK;
}
