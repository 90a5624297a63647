
/*
 * libpq, and a connection as the payer_store directive describes it.
 */


#include "pq.h"
#include <dlfcn.h>


#define PAYER_STORE_PQ_KEYS   24
#define PAYER_STORE_PASSWORD  1024


typedef struct {
    const char   *name;
    const char   *libpq;                /* NULL: of nginx alone */
} payer_store_word_t;


typedef struct {
    const char   *keys[PAYER_STORE_PQ_KEYS + 1];
    const char   *values[PAYER_STORE_PQ_KEYS + 1];
    ngx_uint_t    n;
    char          password[PAYER_STORE_PASSWORD];
} payer_store_params_t;


static int payer_store_pq_word(payer_store_t *store,
    payer_store_params_t *params, char *word);
static int payer_store_pq_password(payer_store_t *store,
    payer_store_params_t *params, const char *file);
static void payer_store_pq_set(payer_store_params_t *params, const char *key,
    const char *value);
static int payer_store_pq_far(const char *uri);


payer_store_pq_t  payer_store_pq;


static payer_store_word_t  payer_store_words[] = {
    { "ca", "sslrootcert" },
    { "cert", "sslcert" },
    { "key", "sslkey" },
    { "sslmode", "sslmode" },
    { "durability", NULL },
    { "timeout", NULL },
    { "connect_timeout", NULL },
    { "queue", NULL },
    { NULL, NULL }
};


int
payer_store_pq_load(payer_store_t *store)
{
    void        *lib;
    ngx_uint_t   i;

    static const char  *names[] = {
        "PQconnectdbParams", "PQstatus", "PQerrorMessage", "PQfinish",
        "PQexecParams", "PQresultStatus", "PQresultErrorField", "PQntuples",
        "PQgetvalue", "PQgetisnull", "PQclear"
    };

    void  *functions[sizeof(names) / sizeof(names[0])];

    lib = dlopen("libpq.so.5", RTLD_NOW);

    if (lib == NULL) {
        return payer_store_error("%s: libpq is not installed (libpq5)",
                                 store->text);
    }

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        functions[i] = dlsym(lib, names[i]);

        if (functions[i] == NULL) {
            return payer_store_error("%s: libpq has no %s", store->text,
                                     names[i]);
        }
    }

    /* members and names are in one order */

    memcpy(&payer_store_pq, functions, sizeof(functions));

    return 0;
}


static void
payer_store_pq_set(payer_store_params_t *params, const char *key,
    const char *value)
{
    params->keys[params->n] = key;
    params->values[params->n++] = value;
}


/* whether others can listen between us and one of the hosts */

static int
payer_store_pq_far(const char *uri)
{
    size_t       len;
    const char  *p, *end, *last;

    p = strchr(uri, '@');
    p = (p != NULL) ? p + 1 : uri + sizeof("postgresql://") - 1;

    last = p + strcspn(p, "/");

    for ( /* void */ ; p < last; p = end + 1) {
        end = p + strcspn(p, ",/");
        len = (*p == '[') ? strcspn(p, "]") + 1 : strcspn(p, ":,/");

        if ((len < 4 || memcmp(p, "127.", 4) != 0)
            && (len != 9 || memcmp(p, "localhost", 9) != 0)
            && (len != 5 || memcmp(p, "[::1]", 5) != 0)
            && (len < 3 || memcmp(p, "%2F", 3) != 0)
            && (len < 3 || memcmp(p, "%2f", 3) != 0))
        {
            return 1;
        }
    }

    return 0;
}


static int
payer_store_pq_password(payer_store_t *store, payer_store_params_t *params,
    const char *file)
{
    FILE  *f;

    f = fopen(file, "r");

    if (f == NULL || fgets(params->password, PAYER_STORE_PASSWORD, f) == NULL)
    {
        if (f != NULL) {
            fclose(f);
        }

        return payer_store_error("%s: %s", file, f ? "is empty"
                                                   : strerror(errno));
    }

    fclose(f);

    params->password[strcspn(params->password, "\r\n")] = '\0';

    payer_store_pq_set(params, "password", params->password);

    return 0;
}


static int
payer_store_pq_word(payer_store_t *store, payer_store_params_t *params,
    char *word)
{
    char                *value;
    payer_store_word_t  *known;

    value = strchr(word, '=');

    if (value == NULL || params->n >= PAYER_STORE_PQ_KEYS - 8) {
        return payer_store_error("%s: \"%s\" is not a parameter",
                                 store->text, word);
    }

    *value++ = '\0';

    if (strcmp(word, "password_file") == 0) {
        return payer_store_pq_password(store, params, value);
    }

    for (known = payer_store_words; known->name != NULL; known++) {

        if (strcmp(known->name, word) == 0) {

            if (known->libpq != NULL) {
                payer_store_pq_set(params, known->libpq, value);
            }

            return 0;
        }
    }

    return payer_store_error("%s: \"%s\" is not a parameter", store->text,
                             word);
}


PGconn *
payer_store_pq_connect(payer_store_t *store, const char *rest)
{
    char                          *uri, *word, *place;
    PGconn                        *conn;
    static payer_store_params_t    params;

    uri = malloc(strlen(rest) + sizeof("postgresql:"));

    if (uri == NULL) {
        (void) payer_store_error("no memory");
        return NULL;
    }

    sprintf(uri, "postgresql:%s", rest);
    word = strtok_r(uri, " \t", &place);

    /* what comes later counts */

    payer_store_pq_set(&params, "user", "payer");
    payer_store_pq_set(&params, "sslmode",
                       payer_store_pq_far(word) ? "verify-full" : "prefer");
    payer_store_pq_set(&params, "dbname", word);
    payer_store_pq_set(&params, "target_session_attrs", "read-write");
    payer_store_pq_set(&params, "client_encoding", "UTF8");
    payer_store_pq_set(&params, "application_name", "payer-store");
    payer_store_pq_set(&params, "gssencmode", "disable");
    payer_store_pq_set(&params, "connect_timeout", "10");

    for ( ;; ) {
        word = strtok_r(NULL, " \t", &place);

        if (word == NULL) {
            break;
        }

        if (payer_store_pq_word(store, &params, word) != 0) {
            return NULL;
        }
    }

    conn = payer_store_pq.connect(params.keys, params.values, 1);

    if (conn == NULL || payer_store_pq.status(conn) != CONNECTION_OK) {
        (void) payer_store_error("%s", conn ? payer_store_pq.error(conn)
                                            : "no memory");
        return NULL;
    }

    return conn;
}


PGresult *
payer_store_pq_exec(payer_store_t *store, PGconn *conn, const char *sql,
    ngx_uint_t n, const char *const *values, int *again)
{
    char            *state;
    PGresult        *res;
    ExecStatusType   status;

    res = payer_store_pq.exec(conn, sql, (int) n, NULL, values, NULL, NULL, 0);

    status = payer_store_pq.result(res);

    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
        return res;
    }

    state = (res != NULL) ? payer_store_pq.field(res, PG_DIAG_SQLSTATE) : NULL;

    if (again != NULL && state != NULL
        && (strcmp(state, "40001") == 0 || strcmp(state, "40P01") == 0))
    {
        *again = 1;

    } else {
        (void) payer_store_error("%s: %s", store->text,
                                 payer_store_pq.error(conn));
    }

    payer_store_pq.clear(res);

    return NULL;
}


int
payer_store_pq_run(payer_store_t *store, PGconn *conn, const char *sql,
    ngx_uint_t n, const char *const *values, int *again)
{
    PGresult  *res;

    res = payer_store_pq_exec(store, conn, sql, n, values, again);

    if (res == NULL) {
        return -1;
    }

    payer_store_pq.clear(res);

    return 0;
}


void
payer_store_add(payer_store_text_t *text, const char *data, size_t len)
{
    char  *p;

    if (text->len + len + 1 > text->size) {
        text->size = 2 * (text->len + len + 1);
        p = realloc(text->data, text->size);

        if (p == NULL) {
            (void) payer_store_error("no memory");
            exit(1);
        }

        text->data = p;
    }

    memcpy(text->data + text->len, data, len);

    text->len += len;
    text->data[text->len] = '\0';
}


void
payer_store_add_text(payer_store_text_t *text, const char *more)
{
    payer_store_add(text, more, strlen(more));
}


void
payer_store_add_number(payer_store_text_t *text, int64_t n)
{
    int   len;
    char  buf[32];

    len = sprintf(buf, "%lld", (long long) n);

    payer_store_add(text, buf, len);
}


void
payer_store_add_hex(payer_store_text_t *text, ngx_str_t *bytes)
{
    char    buf[2];
    size_t  i;

    static const char  hex[] = "0123456789abcdef";

    for (i = 0; i < bytes->len; i++) {
        buf[0] = hex[bytes->data[i] >> 4];
        buf[1] = hex[bytes->data[i] & 0x0f];

        payer_store_add(text, buf, 2);
    }
}


void
payer_store_add_element(payer_store_text_t *text, ngx_str_t *element)
{
    size_t  i;

    if (element->data == NULL) {
        payer_store_add_text(text, "NULL");
        return;
    }

    payer_store_add_text(text, "\"");

    for (i = 0; i < element->len; i++) {

        if (element->data[i] == '"' || element->data[i] == '\\') {
            payer_store_add_text(text, "\\");
        }

        payer_store_add(text, (char *) &element->data[i], 1);
    }

    payer_store_add_text(text, "\"");
}
