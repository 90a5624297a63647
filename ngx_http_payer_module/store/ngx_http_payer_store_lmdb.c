
/*
 * The store in LMDB: configuration and the table of operations.  Reading is in
 * ngx_http_payer_store_lmdb_read.c, writing in _write.c.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_store_lmdb.h"


typedef struct {
    ngx_str_t                     path;
    ngx_cycle_t                  *cycle;        /* of the configuration */
    ngx_http_payer_lmdb_env_t    *env;
    int                           code;         /* of the probe */
} ngx_http_payer_lmdb_t;


static char *ngx_http_payer_lmdb_configure(ngx_conf_t *cf,
    ngx_http_payer_store_t *store, ngx_str_t *value);
static ngx_int_t ngx_http_payer_lmdb_add_path(ngx_conf_t *cf,
    ngx_str_t *name);
static ngx_int_t ngx_http_payer_lmdb_check(ngx_conf_t *cf,
    ngx_http_payer_store_t *store);
static ngx_int_t ngx_http_payer_lmdb_init_module(ngx_cycle_t *cycle,
    ngx_http_payer_store_t *store);
static ngx_int_t ngx_http_payer_lmdb_admit(void *data, ngx_log_t *log);
static int ngx_http_payer_lmdb_examine_access(void *data);
static ngx_int_t ngx_http_payer_lmdb_init_process(ngx_cycle_t *cycle,
    ngx_http_payer_store_t *store);
static void ngx_http_payer_lmdb_exit_process(ngx_cycle_t *cycle,
    ngx_http_payer_store_t *store);
static ngx_int_t ngx_http_payer_lmdb_put(ngx_http_payer_store_t *store,
    ngx_http_payer_store_entry_t *entries, ngx_uint_t n,
    ngx_http_payer_claim_act_e act, ngx_http_payer_claim_t *claim,
    ngx_http_payer_io_t *io);
static void ngx_http_payer_lmdb_unclaim(ngx_http_payer_store_t *store,
    ngx_http_payer_claim_t *claim);
static ngx_int_t ngx_http_payer_lmdb_due(ngx_http_payer_store_t *store,
    ngx_str_t *prefix, ngx_uint_t limit, time_t lease,
    ngx_http_payer_io_t *io);


ngx_http_payer_store_ops_t  ngx_http_payer_store_lmdb_ops = {
    ngx_string("lmdb"),
    ngx_http_payer_lmdb_configure,
    ngx_http_payer_lmdb_check,
    ngx_http_payer_lmdb_init_module,
    ngx_http_payer_lmdb_init_process,
    ngx_http_payer_lmdb_exit_process,
    ngx_http_payer_lmdb_get,
    ngx_http_payer_lmdb_put,
    ngx_http_payer_lmdb_scan,
    ngx_http_payer_lmdb_list,
    ngx_http_payer_lmdb_due,
    ngx_http_payer_store_claim,
    ngx_http_payer_store_extend,
    ngx_http_payer_lmdb_unclaim,
    ngx_http_payer_lmdb_forget,
    NULL
};


static char *
ngx_http_payer_lmdb_configure(ngx_conf_t *cf, ngx_http_payer_store_t *store,
    ngx_str_t *value)
{
    ngx_str_t               path;
    ngx_http_payer_lmdb_t  *lmdb;

    path = *value;

    while (path.len > 1 && path.data[path.len - 1] == '/') {
        path.len--;
    }

    if (path.len == 0) {
        return "has no directory in \"lmdb:DIR\"";
    }

    if (ngx_conf_full_name(cf->cycle, &path, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    lmdb = ngx_pcalloc(cf->pool, sizeof(ngx_http_payer_lmdb_t));
    if (lmdb == NULL) {
        return NGX_CONF_ERROR;
    }

    lmdb->path.len = path.len;

    lmdb->path.data = ngx_pnalloc(cf->pool, path.len + 1);
    if (lmdb->path.data == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_cpystrn(lmdb->path.data, path.data, path.len + 1);

    lmdb->cycle = cf->cycle;
    store->data = lmdb;

    store->zone->admit = ngx_http_payer_lmdb_admit;
    store->zone->data = lmdb;

    if (ngx_http_payer_lmdb_add_path(cf, &lmdb->path) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

#if (NGX_THREADS)

    if (ngx_thread_pool_add(cf, NULL) == NULL) {
        return NGX_CONF_ERROR;
    }

#else

    ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                       "payer_store lmdb: this nginx was built without "
                       "threads, a worker waits for the disk on each write");

#endif

    return NGX_CONF_OK;
}


/*
 * "nginx -s" reads the configuration, too, and must not depend on the file.  A
 * reload with the store that is in use continues without it if it is damaged:
 * other requests are still served.
 */

static ngx_int_t
ngx_http_payer_lmdb_check(ngx_conf_t *cf, ngx_http_payer_store_t *store)
{
    ngx_http_payer_lmdb_t       *lmdb;
    ngx_http_payer_lmdb_host_t   host;

    if (ngx_process == NGX_PROCESS_SIGNALLER) {
        return NGX_OK;
    }

    lmdb = store->data;

    lmdb->code = ngx_http_payer_lmdb_probe(cf->log, &lmdb->path, store, &host);

    if (lmdb->code == 0
        || (lmdb->code == NGX_HTTP_PAYER_LMDB_DAMAGED
            && ngx_http_payer_lmdb_running(&lmdb->path)))
    {
        return NGX_OK;
    }

    ngx_http_payer_lmdb_complain(NGX_LOG_EMERG, cf->log, &lmdb->path,
                                 lmdb->code, store, &host);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_payer_lmdb_init_module(ngx_cycle_t *cycle,
    ngx_http_payer_store_t *store)
{
    ngx_http_payer_lmdb_t  *lmdb;

    lmdb = store->data;

    return ngx_http_payer_lmdb_admitted(cycle, store, &lmdb->path, lmdb->code);
}


/*
 * nginx creates its paths with the mode 0700 for the user of the worker
 * processes
 */

static ngx_int_t
ngx_http_payer_lmdb_add_path(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_path_t  *path;

    path = ngx_pcalloc(cf->pool, sizeof(ngx_path_t));
    if (path == NULL) {
        return NGX_ERROR;
    }

    path->name = *name;
    path->conf_file = cf->conf_file->file.name.data;
    path->line = cf->conf_file->line;

    return ngx_add_path(cf, &path);
}


/*
 * The new worker processes could not write to the store: the reload is
 * rejected, and the old ones continue.
 */

static ngx_int_t
ngx_http_payer_lmdb_admit(void *data, ngx_log_t *log)
{
    ngx_http_payer_lmdb_t  *lmdb = data;

    int  err;

    err = ngx_http_payer_lmdb_child(log, ngx_http_payer_lmdb_examine_access,
                                    lmdb);
    if (err == 0) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, log, err,
                  "payer_store \"lmdb:%V\" is not writable for the user of "
                  "the workers", &lmdb->path);

    return NGX_ERROR;
}


/* in a child process, as the workers' user: 0 or errno */

static int
ngx_http_payer_lmdb_examine_access(void *data)
{
    ngx_http_payer_lmdb_t  *lmdb = data;

    char             *dir;
    ngx_core_conf_t  *ccf;

    dir = (char *) lmdb->path.data;
    ccf = (ngx_core_conf_t *) ngx_get_conf(lmdb->cycle->conf_ctx,
                                           ngx_core_module);

    if (geteuid() == 0 && ccf->master
        && (setgid(ccf->group) == -1
            || initgroups(ccf->username, ccf->group) == -1
            || setuid(ccf->user) == -1))
    {
        return ngx_errno;
    }

    if (access(dir, R_OK|W_OK|X_OK) == -1 || chdir(dir) == -1) {
        return ngx_errno;
    }

    if ((access("data.mdb", R_OK|W_OK) == -1 && ngx_errno != NGX_ENOENT)
        || (access("lock.mdb", R_OK|W_OK) == -1 && ngx_errno != NGX_ENOENT))
    {
        return ngx_errno;
    }

    return 0;
}


/*
 * A worker process that cannot open its store continues, since it serves other
 * requests, too; each use tries again.
 */

static ngx_int_t
ngx_http_payer_lmdb_init_process(ngx_cycle_t *cycle,
    ngx_http_payer_store_t *store)
{
    (void) ngx_http_payer_lmdb_env(store);

    return NGX_OK;
}


static void
ngx_http_payer_lmdb_exit_process(ngx_cycle_t *cycle,
    ngx_http_payer_store_t *store)
{
    ngx_http_payer_lmdb_t  *lmdb;

    lmdb = store->data;

    if (lmdb->env == NULL) {
        return;
    }

    ngx_http_payer_lmdb_flush(lmdb->env);
    ngx_http_payer_lmdb_close(lmdb->env);

    lmdb->env = NULL;
}


/*
 * Normally open since init_process(), which a reload without a master does
 * not call.
 */

ngx_http_payer_lmdb_env_t *
ngx_http_payer_lmdb_env(ngx_http_payer_store_t *store)
{
    ngx_http_payer_lmdb_t  *lmdb;

    lmdb = store->data;

    if (lmdb->env == NULL) {
        lmdb->env = ngx_http_payer_lmdb_open((ngx_cycle_t *) ngx_cycle, store,
                                             &lmdb->path);
        if (lmdb->env == NULL) {
            return NULL;
        }
    }

    lmdb->env->store = store;
    lmdb->env->zone = store->zone;

    return (ngx_http_payer_lmdb_ready(lmdb->env) == NGX_OK) ? lmdb->env : NULL;
}


static ngx_int_t
ngx_http_payer_lmdb_put(ngx_http_payer_store_t *store,
    ngx_http_payer_store_entry_t *entries, ngx_uint_t n,
    ngx_http_payer_claim_act_e act, ngx_http_payer_claim_t *claim,
    ngx_http_payer_io_t *io)
{
    ngx_http_payer_lmdb_env_t  *le;

    if (ngx_http_payer_store_check(entries, n) != NGX_OK) {
        return NGX_ERROR;
    }

    le = ngx_http_payer_lmdb_env(store);
    if (le == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_payer_lmdb_write(le, entries, n, act, claim, io);
}


/*
 * The claim in the store is released later, and no request waits for it; if
 * the release is lost, the lease expires.  A request that has the claim in the
 * zone by then has taken over the one in the store, too, and keeps it.
 */

static void
ngx_http_payer_lmdb_unclaim(ngx_http_payer_store_t *store,
    ngx_http_payer_claim_t *claim)
{
    ngx_http_payer_lmdb_env_t  *le;

    if (claim->owner == 0) {
        return;
    }

    ngx_http_payer_zone_unclaim(store->zone, claim);

    if (claim->taken) {
        le = ngx_http_payer_lmdb_env(store);

        if (le != NULL) {
            (void) ngx_http_payer_lmdb_write(le, NULL, 0,
                                             NGX_HTTP_PAYER_CLAIM_RELEASE,
                                             claim, NULL);
        }
    }
}


/* a write, as each entry is leased in the transaction that finds it */

static ngx_int_t
ngx_http_payer_lmdb_due(ngx_http_payer_store_t *store, ngx_str_t *prefix,
    ngx_uint_t limit, time_t lease, ngx_http_payer_io_t *io)
{
    ngx_http_payer_lmdb_env_t  *le;

    le = ngx_http_payer_lmdb_env(store);
    if (le == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_payer_lmdb_write_due(le, prefix, limit, lease, io);
}
