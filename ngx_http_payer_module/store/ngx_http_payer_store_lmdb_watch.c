
/*
 * Whether the store may be used.  If the file is damaged, deleted or replaced
 * while nginx is running, a mark in the zone closes it for all worker
 * processes: none of them opens it again before a reload or a restart by the
 * operator.
 *
 * Then a new generation begins; an event that closes the file of one
 * generation does not close that of the next.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_store_lmdb.h"


#define NGX_HTTP_PAYER_LMDB_MINUTE  60


static int ngx_http_payer_lmdb_look(ngx_http_payer_lmdb_env_t *le);
static int ngx_http_payer_lmdb_file(ngx_str_t *path, ngx_file_info_t *fi);
static void ngx_http_payer_lmdb_say(ngx_http_payer_lmdb_env_t *le);
static void ngx_http_payer_lmdb_minute(ngx_event_t *ev);


/* the store in use, in the master */
static u_char  ngx_http_payer_lmdb_path[NGX_MAX_PATH];


ngx_int_t
ngx_http_payer_lmdb_ready(ngx_http_payer_lmdb_env_t *le)
{
    int                        code;
    ngx_http_payer_zone_sh_t  *sh;

    sh = le->zone->sh;

    if (le->generation <= sh->store_closed) {

        if (le->generation == sh->store_generation || le->running) {

            if (le->code == 0) {
                le->code = NGX_HTTP_PAYER_LMDB_CLOSED;
            }

            ngx_http_payer_lmdb_say(le);

            return NGX_ERROR;
        }

        /* the operator has reloaded or restarted nginx */

        ngx_http_payer_lmdb_discard(le);

        le->generation = sh->store_generation;
        le->code = 0;
    }

    if (le->env == NULL) {

        /*
         * not under the hands of a thread that is still in it: the handlers of
         * a batch that failed run while the next one is in its thread
         */

        if (le->tried == ngx_time() || le->running) {
            return NGX_ERROR;
        }

        code = ngx_http_payer_lmdb_init(le);

        if (code != 0) {
            le->tried = ngx_time();
            ngx_http_payer_lmdb_failure(le, code);
            return NGX_ERROR;
        }

        le->code = 0;
    }

    if (le->watched != ngx_time()) {
        le->watched = ngx_time();

        code = ngx_http_payer_lmdb_look(le);

        if (code != 0) {
            ngx_http_payer_lmdb_failure(le, code);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* whether the file is where it was, and no shorter */

static int
ngx_http_payer_lmdb_look(ngx_http_payer_lmdb_env_t *le)
{
    int              rc;
    ngx_file_info_t  fi;

    rc = ngx_http_payer_lmdb_file(&le->path, &fi);

    if (rc != 0) {
        return (rc == NGX_HTTP_PAYER_LMDB_DELETED) ? rc : 0;
    }

    if (le->inode != (ngx_atomic_uint_t) ngx_file_uniq(&fi)) {
        return NGX_HTTP_PAYER_LMDB_REPLACED;
    }

    if (ngx_file_size(&fi) < le->size) {
        return NGX_HTTP_PAYER_LMDB_DAMAGED;
    }

    le->size = ngx_file_size(&fi);

    return 0;
}


/*
 * The transaction's number comes from the lock file, and the file's from its
 * newest page of meta data, which is written first.
 */

int
ngx_http_payer_lmdb_same(ngx_http_payer_lmdb_env_t *le, MDB_txn *txn)
{
    int          rc;
    MDB_envinfo  info;

    rc = mdb_env_info(le->env, &info);

    if (rc != 0) {
        return rc;
    }

    if (txn == le->reader) {
        return (info.me_last_txnid < mdb_txn_id(txn))
               ? NGX_HTTP_PAYER_LMDB_REPLACED : 0;
    }

    return (info.me_last_txnid + 1 != mdb_txn_id(txn))
           ? NGX_HTTP_PAYER_LMDB_REPLACED : 0;
}


void
ngx_http_payer_lmdb_failure(ngx_http_payer_lmdb_env_t *le, int rc)
{
    ngx_http_payer_zone_sh_t  *sh;

    sh = le->zone->sh;

    le->code = ngx_http_payer_lmdb_exit_code(rc);

    switch (le->code) {

    case NGX_HTTP_PAYER_LMDB_DAMAGED:
    case NGX_HTTP_PAYER_LMDB_HOST:
    case NGX_HTTP_PAYER_LMDB_REPLACED:
    case NGX_HTTP_PAYER_LMDB_DELETED:

        if (sh->store_closed < le->generation) {
            sh->store_closed = le->generation;
        }

        break;
    }

    ngx_http_payer_lmdb_say(le);
}


static void
ngx_http_payer_lmdb_say(ngx_http_payer_lmdb_env_t *le)
{
    time_t  now;

    if (!le->minute.timer_set && !ngx_exiting) {
        le->minute.handler = ngx_http_payer_lmdb_minute;
        le->minute.data = le;
        le->minute.log = ngx_cycle->log;
        le->minute.cancelable = 1;

        ngx_add_timer(&le->minute, NGX_HTTP_PAYER_LMDB_MINUTE * 1000);
    }

    now = (time_t) (ngx_current_msec / 1000);

    if (le->said != 0 && now - le->said < NGX_HTTP_PAYER_LMDB_MINUTE) {
        return;
    }

    le->said = now;

    ngx_http_payer_lmdb_complain(NGX_LOG_CRIT, ngx_cycle->log, &le->path,
                                 le->code, le->store, &le->host);

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "payer_store \"lmdb:%V\" is not open in this worker "
                  "process: payments are answered with 503, other requests "
                  "are served", &le->path);
}


static void
ngx_http_payer_lmdb_minute(ngx_event_t *ev)
{
    ngx_http_payer_lmdb_env_t  *le;

    le = ev->data;

    if (le->code != 0) {
        (void) ngx_http_payer_lmdb_ready(le);
    }
}


ngx_int_t
ngx_http_payer_lmdb_admitted(ngx_cycle_t *cycle,
    ngx_http_payer_store_t *store, ngx_str_t *path, int code)
{
    ngx_uint_t                 running;
    ngx_http_payer_zone_sh_t  *sh;

    sh = store->zone->sh;
    running = ngx_http_payer_lmdb_running(path);

    if (!ngx_test_config) {
        ngx_cpystrn(ngx_http_payer_lmdb_path, path->data,
                    ngx_min(path->len + 1, NGX_MAX_PATH));
    }

    if (code == 0 && running) {
        code = ngx_http_payer_lmdb_known(store->zone, path);
    }

    if (code != 0) {
        ngx_http_payer_lmdb_complain(NGX_LOG_CRIT, cycle->log, path, code,
                                     store, NULL);

        sh->store_closed = sh->store_generation;
        return NGX_OK;
    }

    if (sh->store_closed == sh->store_generation || !running) {

        /* a new file is made by the first worker */

        sh->store_inode = 0;
        sh->store_generation++;
    }

    return NGX_OK;
}


/* the state of the file that was opened in this generation */

int
ngx_http_payer_lmdb_known(ngx_http_payer_zone_t *zone, ngx_str_t *path)
{
    int              rc;
    ngx_file_info_t  fi;

    if (zone->sh->store_inode == 0) {
        return 0;
    }

    rc = ngx_http_payer_lmdb_file(path, &fi);

    if (rc != 0) {
        return rc;
    }

    if (zone->sh->store_inode != (ngx_atomic_uint_t) ngx_file_uniq(&fi)) {
        return NGX_HTTP_PAYER_LMDB_REPLACED;
    }

    return (ngx_file_size(&fi) == 0) ? NGX_HTTP_PAYER_LMDB_DAMAGED : 0;
}


/* 0, NGX_HTTP_PAYER_LMDB_DELETED, or an errno */

static int
ngx_http_payer_lmdb_file(ngx_str_t *path, ngx_file_info_t *fi)
{
    u_char  *p, name[NGX_MAX_PATH];

    p = ngx_snprintf(name, NGX_MAX_PATH - 1, "%V/data.mdb", path);
    *p = '\0';

    if (ngx_file_info(name, fi) != NGX_FILE_ERROR) {
        return 0;
    }

    return (ngx_errno == NGX_ENOENT || ngx_errno == NGX_ENOTDIR)
           ? NGX_HTTP_PAYER_LMDB_DELETED : ngx_errno;
}


ngx_uint_t
ngx_http_payer_lmdb_running(ngx_str_t *path)
{
    return ngx_strlen(ngx_http_payer_lmdb_path) == path->len
           && ngx_memcmp(ngx_http_payer_lmdb_path, path->data, path->len) == 0;
}


/* the file that this process has opened is the one of its generation */

int
ngx_http_payer_lmdb_identify(ngx_http_payer_lmdb_env_t *le)
{
    ngx_fd_t                   fd;
    ngx_file_info_t            fi;
    ngx_http_payer_zone_sh_t  *sh;

    sh = le->zone->sh;

    if (mdb_env_get_fd(le->env, &fd) != 0
        || ngx_fd_info(fd, &fi) == NGX_FILE_ERROR)
    {
        return ngx_errno;
    }

    le->inode = (ngx_atomic_uint_t) ngx_file_uniq(&fi);
    le->size = ngx_file_size(&fi);
    le->generation = sh->store_generation;

    (void) ngx_atomic_cmp_set(&sh->store_inode, 0, le->inode);

    return (sh->store_inode == le->inode) ? 0 : NGX_HTTP_PAYER_LMDB_REPLACED;
}
