
/*
 * LMDB reads from mapped memory.  A truncated or overwritten file causes a
 * signal or a failed assertion during a read, also in the next worker process.
 * So all accesses to the map are made here, and such an event is returned as
 * an error.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <setjmp.h>
#include "ngx_http_payer_store_lmdb.h"


static void ngx_http_payer_lmdb_signal(int signo, siginfo_t *info,
    void *context);


/* where to continue, in the thread that is in LMDB */
static __thread sigjmp_buf  *ngx_http_payer_lmdb_exit;

static ngx_uint_t        ngx_http_payer_lmdb_guards;
static struct sigaction  ngx_http_payer_lmdb_old_bus;
static struct sigaction  ngx_http_payer_lmdb_old_segv;


void
ngx_http_payer_lmdb_guard_init(void)
{
    struct sigaction  sa;

    if (ngx_http_payer_lmdb_guards) {
        return;
    }

    ngx_memzero(&sa, sizeof(struct sigaction));

    /* SA_NODEFER: the handler does not return */

    sa.sa_sigaction = ngx_http_payer_lmdb_signal;
    sa.sa_flags = SA_SIGINFO|SA_NODEFER;
    sigemptyset(&sa.sa_mask);

    if (sigaction(SIGBUS, &sa, &ngx_http_payer_lmdb_old_bus) == -1
        || sigaction(SIGSEGV, &sa, &ngx_http_payer_lmdb_old_segv) == -1)
    {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_errno,
                      "sigaction() failed");
        return;
    }

    ngx_http_payer_lmdb_guards = 1;
}


static void
ngx_http_payer_lmdb_signal(int signo, siginfo_t *info, void *context)
{
    struct sigaction  *old;

    if (ngx_http_payer_lmdb_exit != NULL) {
        siglongjmp(*ngx_http_payer_lmdb_exit, 1);
    }

    /* not one of ours: passed to the previous handler */

    old = (signo == SIGBUS) ? &ngx_http_payer_lmdb_old_bus
                            : &ngx_http_payer_lmdb_old_segv;

    (void) sigaction(signo, old, NULL);
    (void) raise(signo);
}


/* LMDB aborts the process if this returns */

void
ngx_http_payer_lmdb_assert(MDB_env *env, const char *text)
{
    if (ngx_http_payer_lmdb_exit != NULL) {
        siglongjmp(*ngx_http_payer_lmdb_exit, 1);
    }
}


int
ngx_http_payer_lmdb_guarded(ngx_http_payer_lmdb_env_t *le,
    int (*call)(ngx_http_payer_lmdb_env_t *le, void *data), void *data)
{
    int         rc;
    sigjmp_buf  here;

    if (sigsetjmp(here, 0) != 0) {
        ngx_http_payer_lmdb_exit = NULL;
        return NGX_HTTP_PAYER_LMDB_DAMAGED;
    }

    ngx_http_payer_lmdb_exit = &here;

    rc = call(le, data);

    ngx_http_payer_lmdb_exit = NULL;

    return rc;
}
