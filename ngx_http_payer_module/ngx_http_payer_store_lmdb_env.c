
/*
 * LMDB environments: looked at while the configuration is read, opened once
 * in a process, made larger when full.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <sys/wait.h>
#include <sys/resource.h>
#include "ngx_http_payer_store_lmdb.h"


/* a map costs addresses, not memory; the file is as large as its contents */
#ifndef NGX_HTTP_PAYER_LMDB_MAP
#if (NGX_PTR_SIZE == 8)
#define NGX_HTTP_PAYER_LMDB_MAP       ((size_t) 1 << 30)
#else
#define NGX_HTTP_PAYER_LMDB_MAP       ((size_t) 1 << 28)
#endif
#endif

#define NGX_HTTP_PAYER_LMDB_READERS   1024      /* one in a process */
#define NGX_HTTP_PAYER_LMDB_LOOKS     3

/* exit codes of the child that looks at the files; below them: errno */
#define NGX_HTTP_PAYER_LMDB_DAMAGED   200
#define NGX_HTTP_PAYER_LMDB_FOREIGN   201
#define NGX_HTTP_PAYER_LMDB_NEWER     202
#define NGX_HTTP_PAYER_LMDB_LIBRARY   203


static int ngx_http_payer_lmdb_examine(void *data);
static int ngx_http_payer_lmdb_examine_env(MDB_env *env);
static int ngx_http_payer_lmdb_examine_records(MDB_env *env, MDB_txn *txn,
    MDB_dbi dbi);
static int ngx_http_payer_lmdb_exit_code(int rc);
static void ngx_http_payer_lmdb_complain(ngx_log_t *log, ngx_str_t *path,
    int code);

static ngx_int_t ngx_http_payer_lmdb_init(ngx_cycle_t *cycle,
    ngx_http_payer_lmdb_env_t *le);
static int ngx_http_payer_lmdb_open_env(ngx_http_payer_lmdb_env_t *le);
static int ngx_http_payer_lmdb_open_db(ngx_http_payer_lmdb_env_t *le,
    ngx_uint_t write);
static int ngx_http_payer_lmdb_format(MDB_txn *txn, MDB_dbi dbi);
static int ngx_http_payer_lmdb_resize(ngx_http_payer_lmdb_env_t *le,
    size_t size);


/* the environments that are open in this process */
static ngx_queue_t  ngx_http_payer_lmdb_envs;


ngx_int_t
ngx_http_payer_lmdb_check(ngx_conf_t *cf, ngx_str_t *path)
{
    int         code;
    ngx_uint_t  looks;

    code = 0;

    /*
     * The child takes no lock, as that would leave files of the master's
     * owner; so a busy writer can confuse it, but not so often.
     */

    for (looks = 0; looks < NGX_HTTP_PAYER_LMDB_LOOKS; looks++) {

        code = ngx_http_payer_lmdb_child(cf->log,
                                         ngx_http_payer_lmdb_examine, path);

        if (code == 0 || code == ENOENT) {
            return NGX_OK;
        }

        ngx_msleep(10);
    }

    ngx_http_payer_lmdb_complain(cf->log, path, code);

    return NGX_ERROR;
}


/* the end of the child is not left to nginx's SIGCHLD */

int
ngx_http_payer_lmdb_child(ngx_log_t *log, int (*examine)(void *data),
    void *data)
{
    int            status, rc, err;
    sigset_t       set, old;
    ngx_pid_t      pid;
    struct rlimit  none;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, &old);

    pid = fork();

    if (pid == 0) {

        /* a crash is an answer here */

        none.rlim_cur = 0;
        none.rlim_max = 0;
        (void) setrlimit(RLIMIT_CORE, &none);

        (void) signal(SIGSEGV, SIG_DFL);
        (void) signal(SIGBUS, SIG_DFL);
        (void) signal(SIGABRT, SIG_DFL);

        _exit(examine(data));
    }

    err = ngx_errno;
    rc = -1;

    if (pid != -1) {
        do {
            rc = waitpid(pid, &status, 0);
            err = ngx_errno;
        } while (rc == -1 && err == NGX_EINTR);
    }

    sigprocmask(SIG_SETMASK, &old, NULL);

    if (rc == -1) {
        ngx_log_error(NGX_LOG_ALERT, log, err,
                      "fork() or waitpid() failed");
        return err;
    }

    return WIFEXITED(status) ? WEXITSTATUS(status)
                             : NGX_HTTP_PAYER_LMDB_DAMAGED;
}


static int
ngx_http_payer_lmdb_examine(void *data)
{
    ngx_str_t  *path = data;

    int               rc;
    MDB_env          *env;
    ngx_file_info_t   fi;

    /* the disk was full when the file was made: as if there were none */

    if (chdir((char *) path->data) == 0
        && ngx_file_info("data.mdb", &fi) == 0
        && ngx_file_size(&fi) == 0)
    {
        return 0;
    }

    rc = mdb_env_create(&env);

    if (rc == 0) {
        rc = mdb_env_open(env, (char *) path->data,
                          MDB_RDONLY|MDB_NOLOCK|MDB_NOTLS, 0600);
    }

    if (rc == 0) {
        rc = ngx_http_payer_lmdb_examine_env(env);
    }

    return ngx_http_payer_lmdb_exit_code(rc);
}


static int
ngx_http_payer_lmdb_examine_env(MDB_env *env)
{
    int       rc;
    MDB_dbi   dbi;
    MDB_txn  *txn;

    rc = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);

    if (rc != 0) {
        return rc;
    }

    rc = mdb_dbi_open(txn, NULL, 0, &dbi);

    if (rc != 0) {
        return rc;
    }

    rc = ngx_http_payer_lmdb_format(txn, dbi);

    if (rc == MDB_NOTFOUND) {
        return 0;
    }

    if (rc != 0) {
        return rc;
    }

    return ngx_http_payer_lmdb_examine_records(env, txn, dbi);
}


/*
 * The first and the last record.  A file that is shorter than the pages in
 * use may still be whole, as the last ones may be free: then it is read to the
 * end, and if it was cut off, that ends the process.
 */

static int
ngx_http_payer_lmdb_examine_records(MDB_env *env, MDB_txn *txn, MDB_dbi dbi)
{
    int                 rc;
    MDB_val             key, value;
    MDB_stat            stat;
    ngx_fd_t            fd;
    MDB_cursor         *cursor;
    MDB_envinfo         info;
    ngx_file_info_t     fi;
    volatile u_char     byte;

    if (mdb_env_get_fd(env, &fd) != 0
        || mdb_env_info(env, &info) != 0
        || mdb_env_stat(env, &stat) != 0
        || ngx_fd_info(fd, &fi) == NGX_FILE_ERROR)
    {
        return MDB_CORRUPTED;
    }

    rc = mdb_cursor_open(txn, dbi, &cursor);

    if (rc != 0) {
        return rc;
    }

    rc = mdb_cursor_get(cursor, &key, &value, MDB_LAST);

    if (rc == 0) {
        rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
    }

    if ((off_t) (info.me_last_pgno + 1) * stat.ms_psize
        <= ngx_file_size(&fi))
    {
        return rc;
    }

    while (rc == 0) {

        if (value.mv_size != 0) {
            byte = ((u_char *) value.mv_data)[value.mv_size - 1];
            (void) byte;
        }

        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }

    return (rc == MDB_NOTFOUND) ? 0 : rc;
}


static int
ngx_http_payer_lmdb_exit_code(int rc)
{
    if (rc >= 0 && rc < NGX_HTTP_PAYER_LMDB_DAMAGED) {
        return rc;
    }

    switch (rc) {

    case NGX_HTTP_PAYER_LMDB_FOREIGN:
    case NGX_HTTP_PAYER_LMDB_NEWER:
        return rc;

    case MDB_VERSION_MISMATCH:
    case MDB_INCOMPATIBLE:
        return NGX_HTTP_PAYER_LMDB_LIBRARY;

    default:
        return NGX_HTTP_PAYER_LMDB_DAMAGED;
    }
}


static void
ngx_http_payer_lmdb_complain(ngx_log_t *log, ngx_str_t *path, int code)
{
    ngx_err_t    err;
    const char  *text;

    err = 0;

    switch (code) {

    case NGX_HTTP_PAYER_LMDB_DAMAGED:
        text = "is damaged: restore it from a backup, or move it away to "
               "start with an empty store, which knows no payments";
        break;

    case NGX_HTTP_PAYER_LMDB_FOREIGN:
        text = "was made by another program: choose another directory";
        break;

    case NGX_HTTP_PAYER_LMDB_NEWER:
        text = "was written by a newer ngx_http_payer_module: "
               "install that version again, or restore a backup from before";
        break;

    case NGX_HTTP_PAYER_LMDB_LIBRARY:
        text = "has a format of another version of LMDB: copy it over with "
               "mdb_dump and mdb_load";
        break;

    default:
        err = code;
        text = "cannot be read";
    }

    ngx_log_error(NGX_LOG_EMERG, log, err, "payer_store \"%V/data.mdb\" %s",
                  path, text);
}


ngx_http_payer_lmdb_env_t *
ngx_http_payer_lmdb_open(ngx_cycle_t *cycle, ngx_str_t *path)
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
            return le;
        }
    }

    /* not from a pool, since it outlives cycles where there is no master */

    le = ngx_calloc(sizeof(ngx_http_payer_lmdb_env_t) + path->len + 1,
                    cycle->log);
    if (le == NULL) {
        return NULL;
    }

    le->path.data = (u_char *) (le + 1);
    le->path.len = path->len;
    ngx_cpystrn(le->path.data, path->data, path->len + 1);

    ngx_queue_init(&le->waiting);
    ngx_queue_init(&le->batch);

    if (ngx_http_payer_lmdb_init(cycle, le) != NGX_OK) {
        ngx_free(le);
        return NULL;
    }

    ngx_queue_insert_tail(&ngx_http_payer_lmdb_envs, &le->queue);

    return le;
}


static ngx_int_t
ngx_http_payer_lmdb_init(ngx_cycle_t *cycle, ngx_http_payer_lmdb_env_t *le)
{
    int        rc;
#if (NGX_THREADS)
    ngx_str_t  name = ngx_string("default");
#endif

    rc = ngx_http_payer_lmdb_open_env(le);

    if (rc != 0) {
        ngx_http_payer_lmdb_complain(cycle->log, &le->path,
                                     ngx_http_payer_lmdb_exit_code(rc));
        goto failed;
    }

#if (NGX_THREADS)

    /* a process without a master has pools only of its first cycle */

    if (ngx_process == NGX_PROCESS_WORKER) {
        le->pool = ngx_thread_pool_get(cycle, &name);
    }

    if (ngx_thread_mutex_create(&le->mutex, cycle->log) != NGX_OK) {
        goto failed;
    }

#endif

    return NGX_OK;

failed:

    if (le->env != NULL) {
        mdb_env_close(le->env);
    }

    return NGX_ERROR;
}


static int
ngx_http_payer_lmdb_open_env(ngx_http_payer_lmdb_env_t *le)
{
    int  rc, dead;

    rc = mdb_env_create(&le->env);

    if (rc != 0) {
        le->env = NULL;
        return rc;
    }

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

    rc = ngx_http_payer_lmdb_open_db(le, 0);

    if (rc == MDB_NOTFOUND) {
        rc = ngx_http_payer_lmdb_open_db(le, 1);
    }

    return rc;
}


/* MDB_NOTFOUND: the database is empty, and has to be opened for writing */

static int
ngx_http_payer_lmdb_open_db(ngx_http_payer_lmdb_env_t *le, ngx_uint_t write)
{
    int       rc;
    u_char    version;
    MDB_txn  *txn;
    MDB_val   key, value;

    rc = mdb_txn_begin(le->env, NULL, write ? 0 : MDB_RDONLY, &txn);

    if (rc != 0) {
        return rc;
    }

    rc = mdb_dbi_open(txn, NULL, 0, &le->dbi);

    if (rc == 0) {
        rc = ngx_http_payer_lmdb_format(txn, le->dbi);
    }

    if (rc == MDB_NOTFOUND && write) {

        version = NGX_HTTP_PAYER_LMDB_FORMAT;

        key.mv_data = NGX_HTTP_PAYER_LMDB_FORMAT_KEY;
        key.mv_size = sizeof(NGX_HTTP_PAYER_LMDB_FORMAT_KEY) - 1;
        value.mv_data = &version;
        value.mv_size = 1;

        rc = mdb_put(txn, le->dbi, &key, &value, 0);
    }

    if (rc != 0) {
        mdb_txn_abort(txn);
        return rc;
    }

    return mdb_txn_commit(txn);
}


/* 0; MDB_NOTFOUND if the database is empty; or what is wrong */

static int
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

    return (version < '1') ? NGX_HTTP_PAYER_LMDB_FOREIGN
                           : NGX_HTTP_PAYER_LMDB_NEWER;
}


/* such an error is a page that could not be written, as on a failing disk */

int
ngx_http_payer_lmdb_reopen(ngx_http_payer_lmdb_env_t *le)
{
    int  rc;

    if (le->reader != NULL) {
        mdb_txn_abort(le->reader);
        le->reader = NULL;
    }

    if (le->env != NULL) {
        mdb_env_close(le->env);
        le->env = NULL;
    }

    rc = ngx_http_payer_lmdb_open_env(le);

    if (rc != 0) {
        ngx_http_payer_lmdb_complain(ngx_cycle->log, &le->path,
                                     ngx_http_payer_lmdb_exit_code(rc));

        if (le->env != NULL) {
            mdb_env_close(le->env);
            le->env = NULL;
        }
    }

    return rc;
}


void
ngx_http_payer_lmdb_close(ngx_http_payer_lmdb_env_t *le)
{
    ngx_queue_remove(&le->queue);

    if (le->reader != NULL) {
        mdb_txn_abort(le->reader);
    }

    if (le->env != NULL) {
        mdb_env_close(le->env);
    }

#if (NGX_THREADS)
    if (le->hold.timer_set) {
        ngx_del_timer(&le->hold);
    }

    (void) ngx_thread_mutex_destroy(&le->mutex, ngx_cycle->log);
#endif

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
                      "payer_store \"lmdb:%V\" may grow to %uz bytes now",
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

    rc = mdb_env_set_mapsize(le->env, size);

#if (NGX_THREADS)
    (void) ngx_thread_mutex_unlock(&le->mutex, ngx_cycle->log);
#endif

    return rc;
}
