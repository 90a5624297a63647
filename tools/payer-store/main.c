
/*
 * payer-store export|import|list|check|schema STORE
 */


#include "payer_store.h"
#include <stdarg.h>


#define PAYER_STORE_FIRST   "payer-store"
#define PAYER_STORE_FORMAT  "1"


typedef struct {
    payer_store_t              *store;
    payer_store_count_t         count;
    ngx_uint_t                  entries;
    ngx_uint_t                  faults;
    ngx_uint_t                  n;          /* of the batch */
    payer_store_entry_t         batch[PAYER_STORE_BATCH];
    char                       *lines[PAYER_STORE_BATCH];
} payer_store_job_t;


typedef struct {
    const char   *name;
    int         (*run)(payer_store_job_t *job, const char *prefix);
    int           write;
    int           prefix;                   /* may be given */
} payer_store_command_t;


static int payer_store_export(payer_store_job_t *job, const char *prefix);
static int payer_store_import(payer_store_job_t *job, const char *prefix);
static int payer_store_list(payer_store_job_t *job, const char *prefix);
static int payer_store_check(payer_store_job_t *job, const char *prefix);

static int payer_store_export_one(payer_store_entry_t *entry, void *data);
static int payer_store_list_one(payer_store_entry_t *entry, void *data);
static int payer_store_check_one(payer_store_entry_t *entry, void *data);
static int payer_store_import_first(payer_store_job_t *job, char *line,
    size_t len);
static int payer_store_flush(payer_store_job_t *job);
static int payer_store_end(char *line, size_t len, ngx_uint_t *entries);
static int payer_store_open(payer_store_t *store, const char *text,
    int write);
static int payer_store_usage(void);


static payer_store_command_t  payer_store_commands[] = {
    { "export", payer_store_export, 0, 1 },
    { "import", payer_store_import, 1, 0 },
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


int
payer_store_error(const char *format, ...)
{
    va_list  args;

    fflush(stdout);
    fprintf(stderr, "payer-store: ");

    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);

    fprintf(stderr, "\n");

    return -1;
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

    return fwrite(line, 1, len, stdout) == len
           ? 0 : payer_store_error("standard output: %s", strerror(errno));
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

    return ferror(stdout) ? payer_store_error("standard output: %s",
                                              strerror(errno))
                          : 0;
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

    return 0;
}


/* the line that says what the rest is */

static int
payer_store_import_first(payer_store_job_t *job, char *line, size_t len)
{
    char        *mode;
    size_t       head;
    ngx_str_t    field, host, *stored;

    static const char  first[] = PAYER_STORE_FIRST "\t" PAYER_STORE_FORMAT;

    head = sizeof(first) - 1;

    if (len < head || memcmp(line, first, head) != 0
        || (len > head && line[head] != '\t'))
    {
        return payer_store_error("line 1: this is no export that is known"
                                 " here");
    }

    if (len == head) {
        return 0;
    }

    field.data = (u_char *) line + head + 1;
    field.len = len - head - 1;

    if (!payer_store_field(&field, "host", &host)
        || host.len == 0 || host.len > PAYER_STORE_HOST
        || memchr(host.data, '\t', host.len) != NULL)
    {
        return payer_store_error("line 1: this is no export that is known"
                                 " here");
    }

    stored = &job->store->host;

    if (stored->len == 0) {
        return job->store->ops->adopt(job->store, &host);
    }

    /* "live b2b.payer.se": payments of the test host are none of the live */

    mode = memchr(host.data, ' ', host.len);
    head = mode ? (size_t) (mode - (char *) host.data) : host.len;

    if (stored->len < head || memcmp(stored->data, host.data, head) != 0
        || (stored->len > head && stored->data[head] != ' '))
    {
        return payer_store_error("%s: is of \"%.*s\", and the export of"
                                 " \"%.*s\"", job->store->text,
                                 (int) stored->len, stored->data,
                                 (int) host.len, host.data);
    }

    return 0;
}


static int
payer_store_flush(payer_store_job_t *job)
{
    int         rc;
    ngx_uint_t  i;

    rc = job->n ? job->store->ops->put(job->store, job->batch, job->n,
                                       &job->count)
                : 0;

    for (i = 0; i < job->n; i++) {
        free(job->lines[i]);
    }

    job->n = 0;

    return rc;
}


/* whether it is the last line */

static int
payer_store_end(char *line, size_t len, ngx_uint_t *entries)
{
    int64_t    n;
    ngx_str_t  field, value;

    if (len < 4 || memcmp(line, "end\t", 4) != 0) {
        return 0;
    }

    field.data = (u_char *) line + 4;
    field.len = len - 4;

    if (!payer_store_field(&field, "entries", &value)
        || payer_store_number(&value, &n) != 0)
    {
        return 0;
    }

    *entries = (ngx_uint_t) n;

    return 1;
}


static int
payer_store_import(payer_store_job_t *job, const char *prefix)
{
    char         *line;
    int           rc, end;
    size_t        size;
    ssize_t       len;
    ngx_str_t     text;
    ngx_uint_t    number, entries;
    const char   *why;

    rc = 0;
    end = 0;
    entries = 0;

    for (number = 1; rc == 0; number++) {
        line = NULL;
        size = 0;
        len = getline(&line, &size, stdin);

        if (len <= 0) {
            free(line);
            break;
        }

        if (line[len - 1] == '\n') {
            len--;
        }

        if (end) {
            rc = payer_store_error("line %lu: something follows the end",
                                   (unsigned long) number);

        } else if (number == 1) {
            rc = payer_store_import_first(job, line, len);

        } else if (payer_store_end(line, len, &entries)) {
            end = 1;

        } else {
            text.data = (u_char *) line;
            text.len = len;

            why = payer_store_read_line(&text, &job->batch[job->n]);

            if (why == NULL) {
                job->lines[job->n++] = line;
                job->entries++;

                if (job->n == PAYER_STORE_BATCH) {
                    rc = payer_store_flush(job);
                }

                continue;
            }

            rc = payer_store_error("line %lu: %s", (unsigned long) number,
                                   why);
        }

        free(line);
    }

    /* what came before a line that is wrong is stored, and can be again */

    if (payer_store_flush(job) != 0) {
        rc = -1;
    }

    fprintf(stderr, "payer-store: %lu entries, %lu written, %lu kept\n",
            (unsigned long) job->entries, (unsigned long) job->count.written,
            (unsigned long) job->count.kept);

    if (rc != 0) {
        return rc;
    }

    return (end && entries == job->entries)
           ? 0 : payer_store_error("the export is not complete: its last line"
                                   " is missing, or names another number");
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

    rc = payer_store_open(&store, argv[2], command->write);

    if (rc == 0) {
        rc = command->run(&job, argc == 4 ? argv[3] : "");
    }

    if (store.ops != NULL) {
        store.ops->close(&store);
    }

    if (fflush(stdout) != 0 && rc == 0) {
        rc = payer_store_error("standard output: %s", strerror(errno));
    }

    return rc ? 1 : 0;
}
