
/*
 * The lines of an export, from standard input.  Nothing of a line is written
 * that is not what an export writes: it could not be corrected later, since
 * what is stored already stays.
 */


#include "payer_store.h"


typedef struct {
    payer_store_t         *store;
    payer_store_count_t    count;

    ngx_uint_t             number;          /* of the line */
    size_t                 len;
    ngx_uint_t             whole;           /* it has an end */

    ngx_str_t              host;            /* to be adopted */
    u_char                 host_text[PAYER_STORE_HOST];
    ngx_str_t              last;            /* key */
    u_char                 last_text[NGX_HTTP_PAYER_STORE_MAX_KEY];

    ngx_uint_t             entries;
    ngx_uint_t             named;           /* of the last line */
    ngx_uint_t             end;

    ngx_uint_t             n;
    payer_store_entry_t    batch[PAYER_STORE_BATCH];
    u_char                *copies[PAYER_STORE_BATCH];

    u_char                 line[PAYER_STORE_LINE];
} payer_store_import_t;


static int payer_store_next(payer_store_import_t *in);
static const char *payer_store_import_line(payer_store_import_t *in);
static const char *payer_store_import_first(payer_store_import_t *in);
static const char *payer_store_import_host(payer_store_import_t *in,
    ngx_str_t *host);
static ngx_uint_t payer_store_import_end(payer_store_import_t *in);
static const char *payer_store_import_entry(payer_store_import_t *in);
static int payer_store_flush(payer_store_import_t *in);


static const char  payer_store_unknown[] =
    "this is no export that is known here";


/* 1: there is a line; 0: there is no more; -1: said */

static int
payer_store_next(payer_store_import_t *in)
{
    int  c;

    in->len = 0;
    in->whole = 0;
    in->number++;

    for ( ;; ) {
        c = getc(stdin);

        if (c == EOF) {
            break;
        }

        if (c == '\n') {
            in->whole = 1;
            return 1;
        }

        if (in->len == PAYER_STORE_LINE) {
            return payer_store_error("line %lu: it is too long",
                                     (unsigned long) in->number);
        }

        in->line[in->len++] = (u_char) c;
    }

    if (payer_store_interrupted() != 0) {
        return -1;
    }

    if (ferror(stdin)) {
        return payer_store_error("standard input: %s", strerror(errno));
    }

    return in->len != 0;
}


/* NULL, or what is wrong; empty if it was said */

static const char *
payer_store_import_line(payer_store_import_t *in)
{
    if (in->end) {
        return "something follows the end";
    }

    if (in->len && in->line[in->len - 1] == '\r') {
        return "it ends with CR and LF: copy the export without a conversion";
    }

    if (in->number == 1) {
        return payer_store_import_first(in);
    }

    if (payer_store_import_end(in)) {
        in->end = 1;
        return NULL;
    }

    /* what is left of a value may look like one */

    return in->whole ? payer_store_import_entry(in)
                     : "it is not complete, as the export is not";
}


/* the line that says what the rest is */

static const char *
payer_store_import_first(payer_store_import_t *in)
{
    size_t     head, i;
    ngx_str_t  field, host;

    static const char  first[] = PAYER_STORE_FIRST "\t" PAYER_STORE_FORMAT;

    head = sizeof(first) - 1;

    if (in->len < head || memcmp(in->line, first, head) != 0
        || (in->len > head && in->line[head] != '\t'))
    {
        return payer_store_unknown;
    }

    if (in->len == head) {
        return NULL;
    }

    field.data = in->line + head + 1;
    field.len = in->len - head - 1;

    if (!payer_store_field(&field, "host", &host)
        || host.len == 0 || host.len > PAYER_STORE_HOST)
    {
        return payer_store_unknown;
    }

    for (i = 0; i < host.len; i++) {

        if (host.data[i] < ' ' || host.data[i] > '~') {
            return payer_store_unknown;
        }
    }

    return payer_store_import_host(in, &host);
}


/* "live b2b.payer.se": payments of the test host are none of the live */

static const char *
payer_store_import_host(payer_store_import_t *in, ngx_str_t *host)
{
    char       *mode;
    size_t      head;
    ngx_str_t  *stored;

    stored = &in->store->host;

    if (stored->len == 0) {
        memcpy(in->host_text, host->data, host->len);

        in->host.data = in->host_text;
        in->host.len = host->len;

        return NULL;
    }

    mode = memchr(host->data, ' ', host->len);
    head = mode ? (size_t) (mode - (char *) host->data) : host->len;

    if (stored->len < head || memcmp(stored->data, host->data, head) != 0
        || (stored->len > head && stored->data[head] != ' '))
    {
        (void) payer_store_error("%s: is of \"%.*s\", and the export of"
                                 " \"%.*s\"", in->store->text,
                                 (int) stored->len, stored->data,
                                 (int) host->len, host->data);
        return "";
    }

    return NULL;
}


/* whether it is the last line */

static ngx_uint_t
payer_store_import_end(payer_store_import_t *in)
{
    int64_t    n;
    ngx_str_t  field, value;

    if (in->len < 4 || memcmp(in->line, "end\t", 4) != 0) {
        return 0;
    }

    field.data = in->line + 4;
    field.len = in->len - 4;

    if (!payer_store_field(&field, "entries", &value)
        || payer_store_number(&value, &n) != 0)
    {
        return 0;
    }

    in->named = (ngx_uint_t) n;

    return 1;
}


static const char *
payer_store_import_entry(payer_store_import_t *in)
{
    u_char               *copy;
    ngx_str_t             text, *key;
    const char           *why;
    payer_store_entry_t  *entry;

    copy = malloc(in->len + 1);

    if (copy == NULL) {
        return "no memory";
    }

    memcpy(copy, in->line, in->len);

    text.data = copy;
    text.len = in->len;

    entry = &in->batch[in->n];
    key = &entry->key;

    why = payer_store_read_line(&text, entry);

    if (why == NULL) {
        why = payer_store_readable(entry);
    }

    /* the history of an order has to come before the order, for one */

    if (why == NULL && payer_store_order(&in->last, key) >= 0) {
        why = "it is not behind the one before in the order of keys, as in an"
              " export";
    }

    if (why != NULL) {
        free(copy);
        return why;
    }

    memcpy(in->last_text, key->data, key->len);
    in->last.len = key->len;

    in->copies[in->n++] = copy;
    in->entries++;

    if (in->n == PAYER_STORE_BATCH && payer_store_flush(in) != 0) {
        return "";
    }

    return NULL;
}


static int
payer_store_flush(payer_store_import_t *in)
{
    int         rc;
    ngx_uint_t  i;

    rc = 0;

    if (in->n && in->host.len) {
        rc = in->store->ops->adopt(in->store, &in->host);
        in->host.len = 0;
    }

    if (in->n && rc == 0) {
        rc = in->store->ops->put(in->store, in->batch, in->n, &in->count);
    }

    for (i = 0; i < in->n; i++) {
        free(in->copies[i]);
    }

    in->n = 0;

    return rc;
}


int
payer_store_import(payer_store_t *store)
{
    int          rc;
    const char  *why;

    static payer_store_import_t  in;

    in.store = store;
    in.last.data = in.last_text;

    for ( ;; ) {
        rc = payer_store_next(&in);

        if (rc != 1) {
            break;
        }

        why = payer_store_import_line(&in);

        if (why == NULL && payer_store_interrupted() != 0) {
            why = "";
        }

        if (why == NULL) {
            continue;
        }

        if (*why != '\0') {
            (void) payer_store_error("line %lu: %s", (unsigned long) in.number,
                                     why);
        }

        rc = -1;
        break;
    }

    /* what came before a line that is wrong is stored, and can be again */

    if (payer_store_flush(&in) != 0) {
        rc = -1;
    }

    fprintf(stderr, "payer-store: %lu entries, %lu written, %lu kept\n",
            (unsigned long) in.entries, (unsigned long) in.count.written,
            (unsigned long) in.count.kept);

    if (rc != 0) {
        return rc;
    }

    return (in.end && in.named == in.entries)
           ? 0 : payer_store_error("the export is not complete: its last line"
                                   " is missing, or names another number");
}
