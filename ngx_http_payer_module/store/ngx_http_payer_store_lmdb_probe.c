
/*
 * Checks the files of an LMDB store in a child process, since damaged ones may
 * kill the process that opens them.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <sys/resource.h>
#include "ngx_http_payer_store_lmdb.h"


#define NGX_HTTP_PAYER_LMDB_LOOKS     5


/* shared with the child */
typedef struct {
    ngx_str_t               *path;
    ngx_http_payer_store_t  *store;
    ngx_http_payer_lmdb_host_t  *host;      /* shared with the child */
} ngx_http_payer_lmdb_probe_t;


static const char *ngx_http_payer_lmdb_text(int code);
static int ngx_http_payer_lmdb_examine(void *data);
static void ngx_http_payer_lmdb_may_crash(void);
static ngx_uint_t ngx_http_payer_lmdb_may_lock(void);
static int ngx_http_payer_lmdb_examine_open(MDB_env **env, ngx_str_t *path,
    ngx_uint_t lock);
static int ngx_http_payer_lmdb_examine_env(MDB_env *env,
    ngx_http_payer_lmdb_probe_t *probe);
static int ngx_http_payer_lmdb_examine_records(MDB_env *env, MDB_txn *txn,
    MDB_dbi dbi);


/*
 * If no process has the store open, the child takes no lock, since that would
 * leave a file of the master's user.  A process that begins to write at this
 * moment may disturb it, but not repeatedly.
 */

int
ngx_http_payer_lmdb_probe(ngx_log_t *log, ngx_str_t *path,
    ngx_http_payer_store_t *store, ngx_http_payer_lmdb_host_t *host)
{
    int                           code;
    void                         *shared;
    ngx_uint_t                    looks;
    ngx_http_payer_lmdb_probe_t   probe;

    shared = mmap(NULL, sizeof(ngx_http_payer_lmdb_host_t),
                  PROT_READ|PROT_WRITE, MAP_ANON|MAP_SHARED, -1, 0);

    if (shared == MAP_FAILED) {
        return ngx_errno;
    }

    probe.path = path;
    probe.store = store;
    probe.host = shared;

    for (looks = 1; /* void */ ; looks++) {

        code = ngx_http_payer_lmdb_child(log, ngx_http_payer_lmdb_examine,
                                         &probe);

        /* another process may be about to write, or to let the file grow */

        if (code == 0 || code == ENOENT || code > NGX_HTTP_PAYER_LMDB_DAMAGED
            || looks == NGX_HTTP_PAYER_LMDB_LOOKS)
        {
            break;
        }

        ngx_msleep(10);
    }

    *host = *probe.host;

    (void) munmap(shared, sizeof(ngx_http_payer_lmdb_host_t));

    return (code == ENOENT) ? 0 : code;
}


/*
 * The child reports its result through a pipe, since another thread of this
 * process may collect its exit status.  A child without a report was killed by
 * the file.
 */

int
ngx_http_payer_lmdb_child(ngx_log_t *log, int (*examine)(void *data),
    void *data)
{
    int         fd[2];
    u_char      code;
    ssize_t     n;
    ngx_err_t   err;
    ngx_pid_t   pid;
    sigset_t    set, old;

    if (pipe(fd) == -1) {
        err = ngx_errno;
        ngx_log_error(NGX_LOG_ALERT, log, err, "pipe() failed");
        return err;
    }

    /* nginx does not know this child */

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, &old);

    pid = fork();

    if (pid == 0) {
        (void) close(fd[0]);

        ngx_http_payer_lmdb_may_crash();

        code = (u_char) examine(data);

        _exit(write(fd[1], &code, 1) == 1 ? 0 : 1);
    }

    err = ngx_errno;

    (void) close(fd[1]);

    if (pid != -1) {

        do {
            n = read(fd[0], &code, 1);
        } while (n == -1 && ngx_errno == NGX_EINTR);

        while (waitpid(pid, NULL, 0) == -1 && ngx_errno == NGX_EINTR) {
            /* void */
        }

        err = (n == 1) ? code : NGX_HTTP_PAYER_LMDB_DAMAGED;

    } else {
        ngx_log_error(NGX_LOG_ALERT, log, err, "fork() failed");
    }

    (void) close(fd[0]);

    sigprocmask(SIG_SETMASK, &old, NULL);

    return err;
}


/* a crash is a result here */

static void
ngx_http_payer_lmdb_may_crash(void)
{
    struct rlimit  none;

    none.rlim_cur = 0;
    none.rlim_max = 0;
    (void) setrlimit(RLIMIT_CORE, &none);

    (void) signal(SIGSEGV, SIG_DFL);
    (void) signal(SIGBUS, SIG_DFL);
    (void) signal(SIGABRT, SIG_DFL);
}


static int
ngx_http_payer_lmdb_examine(void *data)
{
    ngx_http_payer_lmdb_probe_t  *probe = data;

    int               rc;
    ngx_str_t        *path;
    MDB_env          *env;
    ngx_file_info_t   fi;

    path = probe->path;

    /* the disk was full when the file was made: as if there were none */

    if (chdir((char *) path->data) == 0
        && ngx_file_info("data.mdb", &fi) == 0
        && ngx_file_size(&fi) == 0)
    {
        return 0;
    }

    rc = ngx_http_payer_lmdb_examine_open(&env, path,
                                          ngx_http_payer_lmdb_may_lock());

    if (rc == 0) {
        rc = ngx_http_payer_lmdb_examine_env(env, probe);

        /* releases its slot of a reader */

        mdb_env_close(env);
    }

    return ngx_http_payer_lmdb_exit_code(rc);
}


/* as the owner of the lock file, so that no file of another user is left */

static ngx_uint_t
ngx_http_payer_lmdb_may_lock(void)
{
    ngx_file_info_t  fi;

    if (ngx_file_info("lock.mdb", &fi) == NGX_FILE_ERROR) {
        return 0;
    }

    return geteuid() != 0
           || (setgid(fi.st_gid) != -1 && setuid(fi.st_uid) != -1);
}


static int
ngx_http_payer_lmdb_examine_open(MDB_env **env, ngx_str_t *path,
    ngx_uint_t lock)
{
    int  rc;

    rc = mdb_env_create(env);

    if (rc != 0) {
        return rc;
    }

    rc = mdb_env_open(*env, (char *) path->data,
                      MDB_RDONLY|MDB_NOTLS|(lock ? 0 : MDB_NOLOCK), 0600);

    if (rc == 0 || !lock) {
        return rc;
    }

    /*
     * files of several owners, for example after a change of "user": accepted
     */

    mdb_env_close(*env);

    return ngx_http_payer_lmdb_examine_open(env, path, 0);
}


static int
ngx_http_payer_lmdb_examine_env(MDB_env *env,
    ngx_http_payer_lmdb_probe_t *probe)
{
    int       rc;
    MDB_dbi   dbi;
    MDB_txn  *txn;

    rc = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);

    if (rc != 0) {
        return rc;
    }

    rc = mdb_dbi_open(txn, NULL, 0, &dbi);

    if (rc == 0) {
        rc = ngx_http_payer_lmdb_format(txn, dbi);
    }

    if (rc == 0 || rc == NGX_HTTP_PAYER_LMDB_OLD) {
        rc = ngx_http_payer_lmdb_host(txn, dbi, probe->store, probe->host);

        if (rc == 0 || rc == MDB_NOTFOUND) {
            rc = ngx_http_payer_lmdb_examine_records(env, txn, dbi);
        }
    }

    mdb_txn_abort(txn);

    return (rc == MDB_NOTFOUND) ? 0 : rc;
}


/*
 * The first and the last record.  A file that is shorter than the pages in use
 * may be complete, since the last ones may be free: then it is read to the
 * end, and if it is truncated, that ends the process.
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


int
ngx_http_payer_lmdb_exit_code(int rc)
{
    if (rc >= 0 && rc <= NGX_HTTP_PAYER_LMDB_LAST) {
        return rc;
    }

    switch (rc) {

    case MDB_VERSION_MISMATCH:
    case MDB_INCOMPATIBLE:
        return NGX_HTTP_PAYER_LMDB_LIBRARY;

    case MDB_READERS_FULL:
        return NGX_HTTP_PAYER_LMDB_CROWDED;

    case MDB_KEYEXIST:
    case MDB_NOTFOUND:
    case MDB_PANIC:
    case MDB_MAP_FULL:
    case MDB_MAP_RESIZED:
    case MDB_TXN_FULL:
    case MDB_BAD_TXN:
    case MDB_BAD_RSLOT:
    case MDB_BAD_VALSIZE:
        return EIO;                     /* the file may be as it should be */

    default:
        return NGX_HTTP_PAYER_LMDB_DAMAGED;
    }
}


const char *
ngx_http_payer_lmdb_error(int rc)
{
    if (rc == MDB_READERS_FULL || rc >= NGX_HTTP_PAYER_LMDB_DAMAGED) {
        return ngx_http_payer_lmdb_text(ngx_http_payer_lmdb_exit_code(rc));
    }

    return mdb_strerror(rc);
}


static const char *
ngx_http_payer_lmdb_text(int code)
{
    switch (code) {

    case NGX_HTTP_PAYER_LMDB_DAMAGED:
        return "is damaged: restore it from a backup, or move it away to "
               "start with an empty store, which contains no payments";

    case NGX_HTTP_PAYER_LMDB_FOREIGN:
        return "was made by another program: choose another directory";

    case NGX_HTTP_PAYER_LMDB_NEWER:
        return "was written by a newer ngx_http_payer_module: "
               "install that version again, or restore a backup from before";

    case NGX_HTTP_PAYER_LMDB_LIBRARY:
        return "has a format of another version of LMDB: copy it over with "
               "mdb_dump and mdb_load";

    case NGX_HTTP_PAYER_LMDB_CROWDED:
        return "has no free slot for another process, and is not damaged: "
               "wait until old worker processes have ended, or lower "
               "\"worker_processes\"";

    case NGX_HTTP_PAYER_LMDB_REPLACED:
        return "was replaced by another file, such as a backup, while nginx "
               "was running: stop nginx, make sure that it is the right file, "
               "and start nginx";

    case NGX_HTTP_PAYER_LMDB_DELETED:
        return "was deleted or moved while nginx was running: stop nginx, "
               "restore it from a backup, and start nginx";

    case NGX_HTTP_PAYER_LMDB_CLOSED:
        return "was closed by another worker process, which logged the reason";

    default:
        return "cannot be read";
    }
}


void
ngx_http_payer_lmdb_complain(ngx_uint_t level, ngx_log_t *log,
    ngx_str_t *path, int code, ngx_http_payer_store_t *store,
    ngx_http_payer_lmdb_host_t *host)
{
    if (code == NGX_HTTP_PAYER_LMDB_HOST) {
        ngx_log_error(level, log, 0,
                      "payer_store \"%V/data.mdb\" was made for \"%*s\", and "
                      "this configuration is for \"%V %V\": choose another "
                      "directory, or, if \"proxy_pass\" leads to the same "
                      "host, name it with \"host=\" in \"payer_api\"",
                      path, host->len, host->text, &store->mode,
                      &store->host);
        return;
    }

    ngx_log_error(level, log,
                  (code < NGX_HTTP_PAYER_LMDB_DAMAGED) ? code : 0,
                  "payer_store \"%V/data.mdb\" %s",
                  path, ngx_http_payer_lmdb_text(code));
}
