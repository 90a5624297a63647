
/*
 * payer-store export|import|list|check|schema STORE
 */


#include "payer_store.h"
#include <signal.h>
#include <stdarg.h>


#define PAYER_STORE_MESSAGE  2048


typedef struct {
    payer_store_t              *store;
    ngx_uint_t                  entries;
    ngx_uint_t                  faults;
} payer_store_job_t;


typedef struct {
    const char   *name;
    int         (*run)(payer_store_job_t *job, const char *prefix);
    int           write;
    int           prefix;                   /* may be given */
} payer_store_command_t;


static int payer_store_export(payer_store_job_t *job, const char *prefix);
static int payer_store_take_in(payer_store_job_t *job, const char *prefix);
static int payer_store_list(payer_store_job_t *job, const char *prefix);
static int payer_store_check(payer_store_job_t *job, const char *prefix);

static int payer_store_export_one(payer_store_entry_t *entry, void *data);
static int payer_store_list_one(payer_store_entry_t *entry, void *data);
static int payer_store_check_one(payer_store_entry_t *entry, void *data);
static int payer_store_written(void);
static void payer_store_interrupt(int signo);
static int payer_store_open(payer_store_t *store, const char *text,
    int write);
static int payer_store_usage(void);


static payer_store_command_t  payer_store_commands[] = {
    { "export", payer_store_export, 0, 1 },
    { "import", payer_store_take_in, 1, 0 },
    { "list", payer_store_list, 0, 1 },
    { "check", payer_store_check, 0, 0 },
    { NULL, NULL, 0, 0 }
};


static payer_store_ops_t  *payer_store_backends[] = {
    &payer_store_lmdb_ops,
#if (PAYER_STORE_POSTGRESQL)
    &payer_store_postgresql_ops,
#endif
    NULL
};


static volatile sig_atomic_t  payer_store_signals;


int
payer_store_error(const char *format, ...)
{
    int      n;
    char     text[PAYER_STORE_MESSAGE];
    va_list  args;

    fflush(stdout);

    va_start(args, format);
    n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);

    n = ngx_max(0, ngx_min(n, PAYER_STORE_MESSAGE - 1));

    /* texts of libpq have an end of line of their own */

    while (n > 0 && text[n - 1] == '\n') {
        n--;
    }

    fprintf(stderr, "payer-store: %.*s\n", n, text);

    return -1;
}


/* a call that begins now would wait as the one that is interrupted did */

static void
payer_store_interrupt(int signo)
{
    payer_store_signals = 1;

    (void) close(STDIN_FILENO);
    (void) close(STDOUT_FILENO);
}


/* a second one ends the program at once */

void
payer_store_catch(void)
{
    size_t            i;
    struct sigaction  sa;

    static const int  signals[] = { SIGHUP, SIGINT, SIGTERM };

    memset(&sa, 0, sizeof(struct sigaction));

    sa.sa_handler = payer_store_interrupt;
    sa.sa_flags = SA_RESETHAND;

    for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        (void) sigaction(signals[i], &sa, NULL);
    }
}


/* what is still to be written to a pipe may never be read */

int
payer_store_interrupted(void)
{
    if (payer_store_signals == 0) {
        return 0;
    }

    fprintf(stderr, "payer-store: interrupted\n");

    return -1;
}


/* whoever closes a pipe knows why */

static int
payer_store_written(void)
{
    if (payer_store_interrupted() != 0) {
        return -1;
    }

    if (!ferror(stdout)) {
        return 0;
    }

    return (errno == EPIPE) ? -1
                            : payer_store_error("standard output: %s",
                                                strerror(errno));
}


void
payer_store_fault(ngx_uint_t *faults, ngx_str_t *key, const char *text)
{
    u_char  buf[3 * NGX_HTTP_PAYER_STORE_MAX_KEY];

    printf("%.*s: %s\n", (int) (payer_store_write_key(buf, key) - buf), buf,
           text);

    (*faults)++;
}


static int
payer_store_usage(void)
{
    fprintf(stderr,
            "usage: payer-store export STORE [PREFIX]   entries as lines\n"
            "       payer-store import STORE            lines of an export,"
            " from standard input\n"
            "       payer-store list STORE [PREFIX]     entries for people\n"
            "       payer-store check STORE             reads everything\n"
            "       payer-store schema                  SQL that a PostgreSQL"
            " superuser runs\n"
            "STORE is the value of the payer_store directive in one argument,"
            "\nas in \"lmdb:/var/lib/nginx/payer\"\n");

    return 2;
}


static int
payer_store_open(payer_store_t *store, const char *text, int write)
{
    size_t               len;
    payer_store_ops_t  **ops;

    memset(store, 0, sizeof(payer_store_t));

    store->text = text;
    store->host.data = store->host_text;

    for (ops = payer_store_backends; *ops != NULL; ops++) {
        len = strlen((*ops)->scheme);

        if (strncmp(text, (*ops)->scheme, len) == 0) {
            store->ops = *ops;
            return store->ops->open(store, text + len, write);
        }
    }

    if (strcmp(text, "memory") == 0) {
        return payer_store_error("%s: is in nginx alone, there is nothing to"
                                 " read", text);
    }

    return payer_store_error("%s: is not a store that is known here", text);
}


static int
payer_store_export(payer_store_job_t *job, const char *prefix)
{
    int         rc;
    ngx_str_t   text, *host;

    text.data = (u_char *) prefix;
    text.len = strlen(prefix);

    host = &job->store->host;

    printf(PAYER_STORE_FIRST "\t" PAYER_STORE_FORMAT "%s%.*s\n",
           host->len ? "\thost=" : "", (int) host->len, host->data);

    rc = job->store->ops->each(job->store, &text, payer_store_export_one, job);

    if (rc == 0) {
        printf("end\tentries=%lu\n", (unsigned long) job->entries);
    }

    return rc;
}


static int
payer_store_take_in(payer_store_job_t *job, const char *prefix)
{
    return payer_store_import(job->store);
}


static int
payer_store_export_one(payer_store_entry_t *entry, void *data)
{
    payer_store_job_t  *job = data;

    size_t         len;
    static u_char  line[PAYER_STORE_LINE];

    /* what only one store is about: a trial write, how far a reading is */

    if (payer_store_is(&entry->key, "doctor/")
        || payer_store_is(&entry->key, "reconcile/"))
    {
        return 0;
    }

    if (entry->key.len > NGX_HTTP_PAYER_STORE_MAX_KEY
        || entry->target.len > NGX_HTTP_PAYER_STORE_MAX_KEY
        || entry->value.len > NGX_HTTP_PAYER_STORE_MAX_VALUE)
    {
        return payer_store_error("an entry is too long: run \"check\"");
    }

    len = payer_store_write_line(line, entry);

    job->entries++;

    (void) fwrite(line, 1, len, stdout);

    return payer_store_written();
}


static int
payer_store_list(payer_store_job_t *job, const char *prefix)
{
    ngx_str_t  text;

    text.data = (u_char *) prefix;
    text.len = strlen(prefix);

    return job->store->ops->each(job->store, &text, payer_store_list_one, job);
}


static int
payer_store_list_one(payer_store_entry_t *entry, void *data)
{
    payer_store_show(entry);

    return payer_store_written();
}


static int
payer_store_check(payer_store_job_t *job, const char *prefix)
{
    ngx_str_t  text;

    ngx_str_set(&text, "");

    if (job->store->ops->each(job->store, &text, payer_store_check_one, job)
        != 0
        || job->store->ops->check(job->store, &job->faults) != 0)
    {
        return -1;
    }

    printf("%lu entries, %lu faults\n", (unsigned long) job->entries,
           (unsigned long) job->faults);

    return job->faults ? -1 : 0;
}


static int
payer_store_check_one(payer_store_entry_t *entry, void *data)
{
    payer_store_job_t  *job = data;

    const char  *why;

    job->entries++;

    why = payer_store_examine(entry);

    if (why != NULL) {
        payer_store_fault(&job->faults, &entry->key, why);
    }

    return payer_store_written();
}


int
main(int argc, char **argv)
{
    int                        rc;
    payer_store_t              store;
    payer_store_command_t     *command;
    static payer_store_job_t   job;

    if (argc >= 2 && argc <= 3 && strcmp(argv[1], "schema") == 0) {
        rc = fputs(payer_store_schema, stdout) < 0 || fflush(stdout) != 0;
        return rc;
    }

    if (argc < 3 || argc > 4) {
        return payer_store_usage();
    }

    for (command = payer_store_commands; command->name != NULL; command++) {
        if (strcmp(command->name, argv[1]) == 0) {
            break;
        }
    }

    if (command->name == NULL || (argc == 4 && !command->prefix)) {
        return payer_store_usage();
    }

    job.store = &store;

    (void) signal(SIGPIPE, SIG_IGN);

    rc = payer_store_open(&store, argv[2], command->write);

    if (rc == 0) {
        rc = command->run(&job, argc == 4 ? argv[3] : "");
    }

    if (store.ops != NULL) {
        store.ops->close(&store);
    }

    if (payer_store_signals) {
        _exit(1);
    }

    if (rc == 0) {
        (void) fflush(stdout);
        rc = payer_store_written();
    }

    return rc ? 1 : 0;
}
