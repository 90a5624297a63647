
/*
 * The store in LMDB: configuration, reading, the table of operations.
 *
 * Reading goes on the event loop: a lookup in mapped memory and one copy.
 * Writing is in ngx_http_payer_store_lmdb_write.c.
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


/* what a read is for, and what becomes of it */
typedef struct {
    ngx_str_t                    *prefix;       /* NULL: exactly the key */
    ngx_str_t                    *key;          /* or after which one */
    ngx_http_payer_io_t          *io;
    ngx_uint_t                    begun;        /* unsigned  begun:1; */
} ngx_http_payer_lmdb_read_t;


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
static ngx_http_payer_lmdb_env_t *ngx_http_payer_lmdb_env(
    ngx_http_payer_store_t *store);
static ngx_int_t ngx_http_payer_lmdb_get(ngx_http_payer_store_t *store,
    ngx_str_t *key, ngx_http_payer_io_t *io);
static ngx_int_t ngx_http_payer_lmdb_put(ngx_http_payer_store_t *store,
    ngx_http_payer_store_entry_t *entries, ngx_uint_t n,
    ngx_http_payer_claim_act_e act, ngx_http_payer_claim_t *claim,
    ngx_http_payer_io_t *io);
static void ngx_http_payer_lmdb_unclaim(ngx_http_payer_store_t *store,
    ngx_http_payer_claim_t *claim);
static ngx_int_t ngx_http_payer_lmdb_next(ngx_http_payer_store_t *store,
    ngx_str_t *prefix, ngx_str_t *after, ngx_http_payer_io_t *io);
static ngx_int_t ngx_http_payer_lmdb_read(ngx_http_payer_store_t *store,
    ngx_http_payer_lmdb_read_t *read);
static int ngx_http_payer_lmdb_look_up(ngx_http_payer_lmdb_env_t *le,
    void *data);
static int ngx_http_payer_lmdb_seek(ngx_http_payer_lmdb_env_t *le,
    ngx_str_t *prefix, ngx_str_t *after, MDB_val *key, MDB_val *value);
static int ngx_http_payer_lmdb_retry(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_lmdb_read_t *read, int rc);
static int ngx_http_payer_lmdb_renew(ngx_http_payer_lmdb_env_t *le);


ngx_http_payer_store_ops_t  ngx_http_payer_store_lmdb_ops = {
    ngx_string("lmdb"),
    ngx_http_payer_lmdb_configure,
    ngx_http_payer_lmdb_check,
    ngx_http_payer_lmdb_init_module,
    ngx_http_payer_lmdb_init_process,
    ngx_http_payer_lmdb_exit_process,
    ngx_http_payer_lmdb_get,
    ngx_http_payer_lmdb_put,
    ngx_http_payer_lmdb_next,
    ngx_http_payer_store_claim,
    ngx_http_payer_store_extend,
    ngx_http_payer_lmdb_unclaim,
    ngx_http_payer_lmdb_forget
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
 * "nginx -s" reads the configuration, too, and is not to depend on the file.
 * A reload with the store that nginx runs with goes on without it when it is
 * damaged: there is more to serve than payments.
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


/* nginx makes its paths with mode 0700 and gives them to the workers' user */

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
 * Workers that could not write would be all that is left after a reload: the
 * old ones stay instead.
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
 * A worker that cannot open its store lives on, since it has more to serve
 * than payments; each use tries again.
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

static ngx_http_payer_lmdb_env_t *
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
ngx_http_payer_lmdb_get(ngx_http_payer_store_t *store, ngx_str_t *key,
    ngx_http_payer_io_t *io)
{
    ngx_http_payer_lmdb_read_t  read;

    if (key->len == 0 || key->len > NGX_HTTP_PAYER_STORE_MAX_KEY) {
        return NGX_DECLINED;
    }

    read.prefix = NULL;
    read.key = key;
    read.io = io;

    return ngx_http_payer_lmdb_read(store, &read);
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


/* nobody waits for it; if it gets lost, the lease ends */

static void
ngx_http_payer_lmdb_unclaim(ngx_http_payer_store_t *store,
    ngx_http_payer_claim_t *claim)
{
    ngx_http_payer_lmdb_env_t  *le;

    if (claim->owner == 0) {
        return;
    }

    if (claim->taken) {
        le = ngx_http_payer_lmdb_env(store);

        if (le != NULL) {
            (void) ngx_http_payer_lmdb_write(le, NULL, 0,
                                             NGX_HTTP_PAYER_CLAIM_RELEASE,
                                             claim, NULL);
            return;
        }
    }

    ngx_http_payer_zone_unclaim(store->zone, claim);
}


static ngx_int_t
ngx_http_payer_lmdb_next(ngx_http_payer_store_t *store, ngx_str_t *prefix,
    ngx_str_t *after, ngx_http_payer_io_t *io)
{
    ngx_http_payer_lmdb_read_t  read;

    read.prefix = prefix;
    read.key = after;
    read.io = io;

    return ngx_http_payer_lmdb_read(store, &read);
}


static ngx_int_t
ngx_http_payer_lmdb_read(ngx_http_payer_store_t *store,
    ngx_http_payer_lmdb_read_t *read)
{
    int                         rc;
    ngx_http_payer_lmdb_env_t  *le;

    le = ngx_http_payer_lmdb_env(store);
    if (le == NULL) {
        return NGX_ERROR;
    }

    read->begun = 0;

    rc = ngx_http_payer_lmdb_guarded(le, ngx_http_payer_lmdb_look_up, read);

    if (rc != 0 && !read->begun) {
        rc = ngx_http_payer_lmdb_retry(le, read, rc);
    }

    if (rc == 0) {
        return NGX_OK;
    }

    if (rc == MDB_NOTFOUND) {
        return NGX_DECLINED;
    }

    if (rc == NGX_ENOMEM) {
        return NGX_ERROR;
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "payer_store \"lmdb:%V\" cannot be read: %s",
                  &le->path, ngx_http_payer_lmdb_error(rc));

    if (ngx_http_payer_lmdb_exit_code(rc) >= NGX_HTTP_PAYER_LMDB_DAMAGED) {
        ngx_http_payer_lmdb_failure(le, rc);
    }

    return NGX_ERROR;
}


static int
ngx_http_payer_lmdb_look_up(ngx_http_payer_lmdb_env_t *le, void *data)
{
    ngx_http_payer_lmdb_read_t  *read = data;

    int      rc;
    MDB_val  k, v;

    rc = ngx_http_payer_lmdb_renew(le);

    if (rc != 0) {
        return rc;
    }

    read->begun = 1;

    rc = ngx_http_payer_lmdb_same(le, le->reader);

    if (rc == 0 && read->prefix == NULL) {
        k.mv_data = read->key->data;
        k.mv_size = read->key->len;

        rc = mdb_get(le->reader, le->dbi, &k, &v);

    } else if (rc == 0) {
        rc = ngx_http_payer_lmdb_seek(le, read->prefix, read->key, &k, &v);

        if (rc == 0 && ngx_http_payer_store_copy(read->io, &read->io->key,
                                                 k.mv_data, k.mv_size)
                       != NGX_OK)
        {
            rc = NGX_ENOMEM;
        }
    }

    if (rc == 0 && v.mv_size < NGX_HTTP_PAYER_LMDB_EXPIRES_LEN) {
        rc = MDB_CORRUPTED;
    }

    if (rc == 0 && ngx_http_payer_store_copy(read->io, &read->io->value,
                        (u_char *) v.mv_data + NGX_HTTP_PAYER_LMDB_EXPIRES_LEN,
                        v.mv_size - NGX_HTTP_PAYER_LMDB_EXPIRES_LEN)
                   != NGX_OK)
    {
        rc = NGX_ENOMEM;
    }

    mdb_txn_reset(le->reader);

    return rc;
}


static int
ngx_http_payer_lmdb_seek(ngx_http_payer_lmdb_env_t *le, ngx_str_t *prefix,
    ngx_str_t *after, MDB_val *key, MDB_val *value)
{
    int          rc;
    ngx_str_t    start;
    MDB_cursor  *cursor;
    ngx_uint_t   beyond;

    start = *after;
    beyond = 1;

    if (start.len == 0 || start.data[0] <= NGX_HTTP_PAYER_LMDB_OWN) {
        ngx_str_set(&start, NGX_HTTP_PAYER_LMDB_BEYOND_OWN);
        beyond = 0;
    }

    if (ngx_memn2cmp(start.data, prefix->data, start.len, prefix->len) < 0) {
        start = *prefix;
        beyond = 0;
    }

    rc = mdb_cursor_open(le->reader, le->dbi, &cursor);

    if (rc != 0) {
        return rc;
    }

    key->mv_data = start.data;
    key->mv_size = start.len;

    rc = mdb_cursor_get(cursor, key, value, MDB_SET_RANGE);

    if (rc == 0
        && beyond
        && key->mv_size == start.len
        && ngx_memcmp(key->mv_data, start.data, start.len) == 0)
    {
        rc = mdb_cursor_get(cursor, key, value, MDB_NEXT);
    }

    if (rc == 0
        && (key->mv_size < prefix->len
            || ngx_memcmp(key->mv_data, prefix->data, prefix->len) != 0))
    {
        rc = MDB_NOTFOUND;
    }

    mdb_cursor_close(cursor);

    return rc;
}


/*
 * A read that could not begin.  The map may have to follow the growth that
 * another process has seen to; that waits for a batch that is just being
 * written, once in a doubling.
 */

static int
ngx_http_payer_lmdb_retry(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_lmdb_read_t *read, int rc)
{
    int         dead;
    ngx_uint_t  tries;

    for (tries = 0; tries < 3; tries++) {

        if (rc == MDB_READERS_FULL && tries == 0) {

            /* slots of workers that were killed */

            rc = mdb_reader_check(le->env, &dead);

        } else if (rc == MDB_MAP_RESIZED) {
            rc = ngx_http_payer_lmdb_adopt(le);

        } else if (rc == MDB_PANIC && !le->running) {
            rc = ngx_http_payer_lmdb_reopen(le);

        } else {
            return rc;
        }

        if (rc != 0) {
            return rc;
        }

        rc = ngx_http_payer_lmdb_guarded(le, ngx_http_payer_lmdb_look_up,
                                         read);

        if (rc == 0 || read->begun) {
            return rc;
        }
    }

    return MDB_MAP_RESIZED;
}


static int
ngx_http_payer_lmdb_renew(ngx_http_payer_lmdb_env_t *le)
{
    int       rc;
    MDB_txn  *txn;

    if (le->env == NULL) {
        return MDB_PANIC;
    }

    if (le->reader != NULL) {
        return mdb_txn_renew(le->reader);
    }

    rc = mdb_txn_begin(le->env, NULL, MDB_RDONLY, &txn);

    if (rc == 0) {
        le->reader = txn;
    }

    return rc;
}
