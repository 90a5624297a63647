
/*
 * LMDB environments: opened once in a process, made larger when full, closed.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_store_lmdb.h"


/* a map uses addresses, not memory; the file is as large as its contents */
#ifndef NGX_HTTP_PAYER_LMDB_MAP
#if (NGX_PTR_SIZE == 8)
#define NGX_HTTP_PAYER_LMDB_MAP       ((size_t) 1 << 30)
#else
#define NGX_HTTP_PAYER_LMDB_MAP       ((size_t) 1 << 28)
#endif
#endif

#ifndef NGX_HTTP_PAYER_LMDB_READERS
#define NGX_HTTP_PAYER_LMDB_READERS   1024      /* one in a process */
#endif

#define NGX_HTTP_PAYER_LMDB_ADOPTS   10         /* of a map that has grown */


static int ngx_http_payer_lmdb_open_env(ngx_http_payer_lmdb_env_t *le,
    void *data);
static int ngx_http_payer_lmdb_open_grown(ngx_http_payer_lmdb_env_t *le,
    ngx_uint_t write);
static int ngx_http_payer_lmdb_open_db(ngx_http_payer_lmdb_env_t *le,
    ngx_uint_t write);
static int ngx_http_payer_lmdb_write_own(ngx_http_payer_lmdb_env_t *le,
    MDB_txn *txn);
static int ngx_http_payer_lmdb_put_own(ngx_http_payer_lmdb_env_t *le,
    MDB_txn *txn, ngx_str_t *name, ngx_str_t *text);
static int ngx_http_payer_lmdb_close_reader(ngx_http_payer_lmdb_env_t *le,
    void *data);
static int ngx_http_payer_lmdb_close_env(ngx_http_payer_lmdb_env_t *le,
    void *data);
static int ngx_http_payer_lmdb_resize(ngx_http_payer_lmdb_env_t *le,
    size_t size);
static int ngx_http_payer_lmdb_set_size(ngx_http_payer_lmdb_env_t *le,
    void *data);


/* the environments of this process */
static ngx_queue_t  ngx_http_payer_lmdb_envs;


ngx_http_payer_lmdb_env_t *
ngx_http_payer_lmdb_open(ngx_cycle_t *cycle, ngx_http_payer_store_t *store,
    ngx_str_t *path)
{
    ngx_queue_t                *q;
    ngx_http_payer_lmdb_env_t  *le;

    if (ngx_http_payer_lmdb_envs.next == NULL) {
        ngx_queue_init(&ngx_http_payer_lmdb_envs);
    }

    for (q = ngx_queue_head(&ngx_http_payer_lmdb_envs);
         q != ngx_queue_sentinel(&ngx_http_payer_lmdb_envs);
         q = ngx_queue_next(q))
    {
        le = ngx_queue_data(q, ngx_http_payer_lmdb_env_t, queue);

        if (le->path.len == path->len
            && ngx_memcmp(le->path.data, path->data, path->len) == 0)
        {
            goto found;
        }
    }

    /* not from a pool, since it outlives cycles where there is no master */

    le = ngx_calloc(sizeof(ngx_http_payer_lmdb_env_t) + path->len + 1,
                    cycle->log);
    if (le == NULL) {
        return NULL;
    }

#if (NGX_THREADS)

    if (ngx_thread_mutex_create(&le->mutex, cycle->log) != NGX_OK) {
        ngx_free(le);
        return NULL;
    }

    /* a process without a master has pools only of its first cycle */

    if (ngx_process == NGX_PROCESS_WORKER) {
        ngx_str_t  name = ngx_string("default");

        le->pool = ngx_thread_pool_get(cycle, &name);
    }

#endif

    le->path.data = (u_char *) (le + 1);
    le->path.len = path->len;
    ngx_cpystrn(le->path.data, path->data, path->len + 1);

    ngx_queue_init(&le->waiting);
    ngx_queue_init(&le->batch);

    ngx_http_payer_lmdb_reserve(le);

    ngx_http_payer_lmdb_guard_init();

    ngx_queue_insert_tail(&ngx_http_payer_lmdb_envs, &le->queue);

found:

    le->store = store;
    le->zone = store->zone;

    return le;
}


int
ngx_http_payer_lmdb_init(ngx_http_payer_lmdb_env_t *le)
{
    int  rc;

    le->generation = le->zone->sh->store_generation;

    rc = ngx_http_payer_lmdb_known(le->zone, &le->path);

    if (rc == 0) {
        rc = ngx_http_payer_lmdb_probe(ngx_cycle->log, &le->path, le->store,
                                       &le->host);
    }

    if (rc != 0) {
        return rc;
    }

    rc = ngx_http_payer_lmdb_guarded(le, ngx_http_payer_lmdb_open_env, NULL);

    if (rc == 0) {
        rc = ngx_http_payer_lmdb_identify(le);
    }

    if (rc != 0) {
        ngx_http_payer_lmdb_discard(le);
        return rc;
    }

    if (le->converted) {
        le->converted = 0;

        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "payer_store \"lmdb:%V\" was written by an older "
                      "ngx_http_payer_module, which can no longer open it; "
                      "lists of orders are incomplete until it is converted",
                      &le->path);
    }

    ngx_http_payer_lmdb_resume_upgrade(le);

    return 0;
}


static int
ngx_http_payer_lmdb_open_env(ngx_http_payer_lmdb_env_t *le, void *data)
{
    int          rc, dead;
    MDB_envinfo  info;

    rc = mdb_env_create(&le->env);

    if (rc != 0) {
        le->env = NULL;
        return rc;
    }

    (void) mdb_env_set_assert(le->env, ngx_http_payer_lmdb_assert);
    (void) mdb_env_set_maxreaders(le->env, NGX_HTTP_PAYER_LMDB_READERS);

    rc = mdb_env_set_mapsize(le->env, NGX_HTTP_PAYER_LMDB_MAP);

    if (rc == 0) {
        rc = mdb_env_open(le->env, (char *) le->path.data, MDB_NOTLS, 0600);
    }

    if (rc != 0) {
        return rc;
    }

    /* slots of workers that were killed */
    (void) mdb_reader_check(le->env, &dead);

    rc = ngx_http_payer_lmdb_open_grown(le, 0);

    if (rc == MDB_NOTFOUND) {
        rc = ngx_http_payer_lmdb_open_grown(le, 1);
    }

    if (rc == MDB_MAP_FULL
        && mdb_env_info(le->env, &info) == 0
        && mdb_env_set_mapsize(le->env, info.me_mapsize * 2) == 0)
    {
        /* a file that is as large as the map */

        rc = ngx_http_payer_lmdb_open_grown(le, 1);
    }

    /*
     * a slot in the table of readers, which shows that this process is running
     */

    if (rc == 0) {
        rc = mdb_txn_begin(le->env, NULL, MDB_RDONLY, &le->reader);

        if (rc == MDB_MAP_RESIZED && mdb_env_set_mapsize(le->env, 0) == 0) {
            rc = mdb_txn_begin(le->env, NULL, MDB_RDONLY, &le->reader);
        }

        if (rc != 0) {
            le->reader = NULL;
            return rc;
        }

        mdb_txn_reset(le->reader);
    }

    return rc;
}


/* another process may let the file grow meanwhile, and again */

static int
ngx_http_payer_lmdb_open_grown(ngx_http_payer_lmdb_env_t *le, ngx_uint_t write)
{
    int         rc;
    ngx_uint_t  i;

    rc = MDB_MAP_RESIZED;

    for (i = 0; i < NGX_HTTP_PAYER_LMDB_ADOPTS; i++) {
        rc = ngx_http_payer_lmdb_open_db(le, write);

        if (rc != MDB_MAP_RESIZED || mdb_env_set_mapsize(le->env, 0) != 0) {
            break;
        }
    }

    return rc;
}


/* MDB_NOTFOUND: internal entries are missing and must be written */

static int
ngx_http_payer_lmdb_open_db(ngx_http_payer_lmdb_env_t *le, ngx_uint_t write)
{
    int       rc, old;
    MDB_txn  *txn;
    MDB_val   key, value;

    old = 0;

    rc = mdb_txn_begin(le->env, NULL, write ? 0 : MDB_RDONLY, &txn);

    if (rc != 0) {
        return rc;
    }

    rc = mdb_dbi_open(txn, NULL, 0, &le->dbi);

    if (rc == 0) {
        rc = ngx_http_payer_lmdb_format(txn, le->dbi);
    }

    if (rc == 0 || rc == NGX_HTTP_PAYER_LMDB_OLD) {
        old = rc;
        rc = ngx_http_payer_lmdb_host(txn, le->dbi, le->store, &le->host);

        if (rc == 0 && old) {
            rc = MDB_NOTFOUND;
        }
    }

    if (rc == MDB_NOTFOUND && write) {
        rc = ngx_http_payer_lmdb_write_own(le, txn);

        if (rc == 0 && old) {
            rc = ngx_http_payer_lmdb_begin_upgrade(txn, le->dbi);
            le->converted = 1;
        }
    }

    if (rc != 0) {
        le->converted = 0;
        mdb_txn_abort(txn);
        return rc;
    }

    key.mv_data = NGX_HTTP_PAYER_LMDB_UPGRADE_KEY;
    key.mv_size = sizeof(NGX_HTTP_PAYER_LMDB_UPGRADE_KEY) - 1;

    le->upgrade = (mdb_get(txn, le->dbi, &key, &value) == 0);

    return mdb_txn_commit(txn);
}


/*
 * Writes the format, the time and the host, for a new store, one of a former
 * format, or one without a host: the time of an old one is kept.
 */

static int
ngx_http_payer_lmdb_write_own(ngx_http_payer_lmdb_env_t *le, MDB_txn *txn)
{
    int         rc, format;
    u_char     *p, text[NGX_HTTP_PAYER_LMDB_EXPIRES_LEN
                        + sizeof(((ngx_http_payer_lmdb_host_t *) 0)->text)];
    ngx_str_t   name, value;

    format = ngx_http_payer_lmdb_format(txn, le->dbi);
    rc = format;

    if (format == MDB_NOTFOUND || format == NGX_HTTP_PAYER_LMDB_OLD) {
        text[0] = NGX_HTTP_PAYER_LMDB_FORMAT;

        ngx_str_set(&name, NGX_HTTP_PAYER_LMDB_FORMAT_KEY);
        value.data = text;
        value.len = 1;

        rc = ngx_http_payer_lmdb_put_own(le, txn, &name, &value);

        if (rc != 0) {
            return rc;
        }
    }

    if (format == MDB_NOTFOUND) {
        p = ngx_http_payer_lmdb_write_time(text, 0);
        p = ngx_http_payer_lmdb_write_time(p, ngx_time());

        ngx_str_set(&name, NGX_HTTP_PAYER_LMDB_CLOCK_KEY);
        value.len = p - text;

        rc = ngx_http_payer_lmdb_put_own(le, txn, &name, &value);
    }

    if (rc != 0 || le->store->mode.len == 0) {
        return rc;
    }

    p = ngx_http_payer_lmdb_write_time(text, 0);
    p = ngx_snprintf(p, sizeof(text) - NGX_HTTP_PAYER_LMDB_EXPIRES_LEN,
                     "%V %V", &le->store->mode, &le->store->host);

    ngx_str_set(&name, NGX_HTTP_PAYER_LMDB_HOST_KEY);
    value.data = text;
    value.len = p - text;

    return ngx_http_payer_lmdb_put_own(le, txn, &name, &value);
}


static int
ngx_http_payer_lmdb_put_own(ngx_http_payer_lmdb_env_t *le, MDB_txn *txn,
    ngx_str_t *name, ngx_str_t *text)
{
    MDB_val  key, value;

    key.mv_data = name->data;
    key.mv_size = name->len;
    value.mv_data = text->data;
    value.mv_size = text->len;

    return mdb_put(txn, le->dbi, &key, &value, 0);
}


int
ngx_http_payer_lmdb_format(MDB_txn *txn, MDB_dbi dbi)
{
    int       rc;
    u_char    version;
    MDB_val   key, value;
    MDB_stat  stat;

    key.mv_data = NGX_HTTP_PAYER_LMDB_FORMAT_KEY;
    key.mv_size = sizeof(NGX_HTTP_PAYER_LMDB_FORMAT_KEY) - 1;

    rc = mdb_get(txn, dbi, &key, &value);

    if (rc == MDB_NOTFOUND) {
        rc = mdb_stat(txn, dbi, &stat);

        if (rc == 0) {
            rc = stat.ms_entries ? NGX_HTTP_PAYER_LMDB_FOREIGN : MDB_NOTFOUND;
        }

        return rc;
    }

    if (rc != 0) {
        return rc;
    }

    version = value.mv_size ? *(u_char *) value.mv_data : 0;

    if (value.mv_size == 1 && version == NGX_HTTP_PAYER_LMDB_FORMAT) {
        return 0;
    }

    if (value.mv_size == 1 && version == NGX_HTTP_PAYER_LMDB_FORMER_FORMAT) {
        return NGX_HTTP_PAYER_LMDB_OLD;
    }

    return (version < '1') ? NGX_HTTP_PAYER_LMDB_FOREIGN
                           : NGX_HTTP_PAYER_LMDB_NEWER;
}


int
ngx_http_payer_lmdb_host(MDB_txn *txn, MDB_dbi dbi,
    ngx_http_payer_store_t *store, ngx_http_payer_lmdb_host_t *host)
{
    int        rc;
    MDB_val    key, value;
    ngx_str_t  text;

    if (store->mode.len == 0) {
        return 0;
    }

    key.mv_data = NGX_HTTP_PAYER_LMDB_HOST_KEY;
    key.mv_size = sizeof(NGX_HTTP_PAYER_LMDB_HOST_KEY) - 1;

    rc = mdb_get(txn, dbi, &key, &value);

    if (rc != 0) {
        return rc;
    }

    if (value.mv_size < NGX_HTTP_PAYER_LMDB_EXPIRES_LEN) {
        return MDB_CORRUPTED;
    }

    text.data = (u_char *) value.mv_data + NGX_HTTP_PAYER_LMDB_EXPIRES_LEN;
    text.len = value.mv_size - NGX_HTTP_PAYER_LMDB_EXPIRES_LEN;

    host->len = ngx_min(text.len, sizeof(host->text));
    ngx_memcpy(host->text, text.data, host->len);

    return (text.len > store->mode.len
            && text.data[store->mode.len] == ' '
            && ngx_memcmp(text.data, store->mode.data, store->mode.len) == 0)
           ? 0 : NGX_HTTP_PAYER_LMDB_HOST;
}


/* such an error is a page that could not be written, as on a failing disk */

int
ngx_http_payer_lmdb_reopen(ngx_http_payer_lmdb_env_t *le)
{
    ngx_http_payer_lmdb_discard(le);

    return ngx_http_payer_lmdb_init(le);
}


void
ngx_http_payer_lmdb_discard(ngx_http_payer_lmdb_env_t *le)
{
    if (le->reader != NULL) {
        (void) ngx_http_payer_lmdb_guarded(le,
                                           ngx_http_payer_lmdb_close_reader,
                                           NULL);
        le->reader = NULL;
    }

    if (le->env != NULL) {
        (void) ngx_http_payer_lmdb_guarded(le, ngx_http_payer_lmdb_close_env,
                                           NULL);
        le->env = NULL;
        le->clock_txn = 0;
    }
}


static int
ngx_http_payer_lmdb_close_reader(ngx_http_payer_lmdb_env_t *le, void *data)
{
    mdb_txn_abort(le->reader);

    return 0;
}


static int
ngx_http_payer_lmdb_close_env(ngx_http_payer_lmdb_env_t *le, void *data)
{
    mdb_env_close(le->env);

    return 0;
}


void
ngx_http_payer_lmdb_close(ngx_http_payer_lmdb_env_t *le)
{
    ngx_queue_remove(&le->queue);

    ngx_http_payer_lmdb_discard(le);

    if (le->minute.timer_set) {
        ngx_del_timer(&le->minute);
    }

    if (le->step.timer_set) {
        ngx_del_timer(&le->step);
    }

#if (NGX_THREADS)
    if (le->hold.timer_set) {
        ngx_del_timer(&le->hold);
    }

    (void) ngx_thread_mutex_destroy(&le->mutex, ngx_cycle->log);
#endif

    ngx_http_payer_lmdb_unreserve(le);

    ngx_free(le);
}


int
ngx_http_payer_lmdb_grow(ngx_http_payer_lmdb_env_t *le)
{
    int          rc;
    MDB_envinfo  info;

    rc = mdb_env_info(le->env, &info);

    if (rc != 0) {
        return rc;
    }

    rc = ngx_http_payer_lmdb_resize(le, info.me_mapsize * 2);

    if (rc == 0) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "payer_store \"lmdb:%V\": the size limit is now %uz "
                      "bytes",
                      &le->path, info.me_mapsize * 2);
    }

    return rc;
}


int
ngx_http_payer_lmdb_adopt(ngx_http_payer_lmdb_env_t *le)
{
    return ngx_http_payer_lmdb_resize(le, 0);
}


/* the mutex keeps out a batch that is being written */

static int
ngx_http_payer_lmdb_resize(ngx_http_payer_lmdb_env_t *le, size_t size)
{
    int  rc;

#if (NGX_THREADS)
    if (ngx_thread_mutex_lock(&le->mutex, ngx_cycle->log) != NGX_OK) {
        return MDB_BAD_TXN;
    }
#endif

    rc = ngx_http_payer_lmdb_guarded(le, ngx_http_payer_lmdb_set_size, &size);

#if (NGX_THREADS)
    (void) ngx_thread_mutex_unlock(&le->mutex, ngx_cycle->log);
#endif

    return rc;
}


static int
ngx_http_payer_lmdb_set_size(ngx_http_payer_lmdb_env_t *le, void *data)
{
    size_t  *size = data;

    return mdb_env_set_mapsize(le->env, *size);
}
