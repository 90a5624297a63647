
/*
 * The store postgresql://USER@HOST[:PORT][,...]/DATABASE.  The role of nginx
 * may do nothing but execute functions: another one is needed here, which may
 * select, insert and update payer.entry and payer.format, and use payer.rev.
 */


#include "postgresql.h"


static int payer_store_pg_open(payer_store_t *store, const char *rest,
    int write);
static void payer_store_pg_close(payer_store_t *store);
static int payer_store_pg_each(payer_store_t *store, ngx_str_t *prefix,
    payer_store_handler_pt handler, void *data);
static int payer_store_pg_adopt(payer_store_t *store, ngx_str_t *host);
static int payer_store_pg_check(payer_store_t *store, ngx_uint_t *faults);

static int payer_store_pg_known(payer_store_t *store);


payer_store_ops_t  payer_store_postgresql_ops = {
    "postgresql:",
    payer_store_pg_open,
    payer_store_pg_close,
    payer_store_pg_each,
    payer_store_pg_adopt,
    payer_store_pg_put,
    payer_store_pg_check
};


static int
payer_store_pg_open(payer_store_t *store, const char *rest, int write)
{
    payer_store_pg_t  *pg;

    if (payer_store_pq_load(store) != 0) {
        return -1;
    }

    pg = calloc(1, sizeof(payer_store_pg_t));
    if (pg == NULL) {
        return payer_store_error("no memory");
    }

    store->data = pg;

    pg->conn = payer_store_pq_connect(store, rest);

    return pg->conn ? payer_store_pg_known(store) : -1;
}


static void
payer_store_pg_close(payer_store_t *store)
{
    payer_store_pg_t  *pg;

    pg = store->data;

    if (pg != NULL && pg->conn != NULL) {
        payer_store_pq.finish(pg->conn);
    }

    free(pg);
}


static int
payer_store_pg_known(payer_store_t *store)
{
    char              *host;
    PGresult          *res;
    payer_store_pg_t  *pg;

    pg = store->data;

    res = payer_store_pq_exec(store, pg->conn,
                              "SELECT oldest, host FROM payer.format", 0,
                              NULL, NULL);
    if (res == NULL) {
        return -1;
    }

    if (payer_store_pq.rows(res) != 1) {
        return payer_store_error("%s: has no schema of ngx_http_payer_module",
                                 store->text);
    }

    if (atoi(payer_store_pq.value(res, 0, 0)) > PAYER_STORE_SCHEMA) {
        return payer_store_error("%s: is of a newer version", store->text);
    }

    host = payer_store_pq.value(res, 0, 1);

    store->host.data = store->host_text;
    store->host.len = ngx_min(strlen(host), PAYER_STORE_HOST);
    memcpy(store->host_text, host, store->host.len);

    payer_store_pq.clear(res);

    return 0;
}


static int
payer_store_pg_adopt(payer_store_t *store, ngx_str_t *host)
{
    char               text[PAYER_STORE_HOST + 1];
    const char        *values[1];
    payer_store_pg_t  *pg;

    pg = store->data;

    memcpy(text, host->data, host->len);
    text[host->len] = '\0';
    values[0] = text;

    return payer_store_pq_run(store, pg->conn, "UPDATE payer.format"
                              " SET host = $1 WHERE host IS NULL", 1, values,
                              NULL);
}


/* an entry in the texts of the result, which its value is decoded in */

void
payer_store_pg_read(PGresult *res, int i, payer_store_entry_t *entry)
{
    char    *text;
    size_t   n;
    u_char  *p;

    memset(entry, 0, sizeof(payer_store_entry_t));

    entry->key.data = (u_char *) payer_store_pq.value(res, i, 0);
    entry->key.len = strlen((char *) entry->key.data);

    if (!payer_store_pq.is_null(res, i, 1)) {
        text = payer_store_pq.value(res, i, 1);

        p = (u_char *) text;
        entry->value.data = p;

        for (n = 0; text[n] != '\0' && text[n + 1] != '\0'; n += 2) {
            *p++ = (u_char) (ngx_hextoi((u_char *) text + n, 2));
        }

        entry->value.len = p - entry->value.data;
    }

    if (!payer_store_pq.is_null(res, i, 2)) {
        entry->target.data = (u_char *) payer_store_pq.value(res, i, 2);
        entry->target.len = strlen((char *) entry->target.data);
    }

    entry->expires = atoll(payer_store_pq.value(res, i, 3));
    entry->label.updated = atoll(payer_store_pq.value(res, i, 4));
    entry->label.due = atoll(payer_store_pq.value(res, i, 5));
    entry->label.attention = (uint32_t) atoll(payer_store_pq.value(res, i, 6));
    entry->label.state = (uint32_t) atoi(payer_store_pq.value(res, i, 7));
}


static int
payer_store_pg_each(payer_store_t *store, ngx_str_t *prefix,
    payer_store_handler_pt handler, void *data)
{
    int                   answer, i, n;
    PGresult             *res;
    payer_store_pg_t     *pg;
    payer_store_text_t    sql;
    payer_store_entry_t   entry;

    pg = store->data;

    memset(&sql, 0, sizeof(payer_store_text_t));

    payer_store_add_text(&sql, "DECLARE entries NO SCROLL CURSOR FOR SELECT "
                         PAYER_STORE_COLUMNS " FROM payer.entry e WHERE"
                         " (e.value IS NOT NULL OR e.target IS NOT NULL)");

    if (prefix->len) {

        /* a cursor has no parameters; as bytes, it needs no quoting */

        payer_store_add_text(&sql,
                             " AND starts_with(e.key, convert_from('\\x");
        payer_store_add_hex(&sql, prefix);
        payer_store_add_text(&sql, "', 'UTF8'))");
    }

    payer_store_add_text(&sql, " ORDER BY e.key");

    answer = payer_store_pq_run(store, pg->conn, "BEGIN ISOLATION LEVEL"
                                " REPEATABLE READ READ ONLY", 0, NULL, NULL);
    if (answer == 0) {
        answer = payer_store_pq_run(store, pg->conn, sql.data, 0, NULL, NULL);
    }

    free(sql.data);

    for (n = 1; n != 0 && answer == 0; /* void */ ) {
        res = payer_store_pq_exec(store, pg->conn, "FETCH 1000 FROM entries",
                                  0, NULL, NULL);
        if (res == NULL) {
            return -1;
        }

        n = payer_store_pq.rows(res);

        for (i = 0; i < n && answer == 0; i++) {
            payer_store_pg_read(res, i, &entry);
            answer = handler(&entry, data);
        }

        payer_store_pq.clear(res);
    }

    if (answer == 0) {
        answer = payer_store_pq_run(store, pg->conn, "COMMIT", 0, NULL, NULL);
    }

    return answer;
}


static int
payer_store_pg_check(payer_store_t *store, ngx_uint_t *faults)
{
    int                i;
    PGresult          *res;
    ngx_str_t          key;
    payer_store_pg_t  *pg;

    pg = store->data;

    res = payer_store_pq_exec(store, pg->conn,
        "SELECT e.key, 'leads to a key that is not there' FROM payer.entry e"
        " LEFT JOIN payer.entry t ON t.key = e.target"
        " WHERE e.target IS NOT NULL AND t.value IS NULL"
        " AND (e.expires IS NULL OR e.expires > now())"
        " UNION ALL"
        " SELECT e.key, 'is missing in an index' FROM payer.entry e"
        " WHERE e.value IS NOT NULL"
        " AND (e.scope IS DISTINCT FROM payer.scope(e.key)"
        " OR (e.serial IS NULL AND (e.updated IS NOT NULL OR e.due IS NOT NULL"
        " OR e.attention <> 0 OR e.state <> 0)))"
        " ORDER BY 1", 0, NULL, NULL);

    if (res == NULL) {
        return -1;
    }

    for (i = 0; i < payer_store_pq.rows(res); i++) {
        key.data = (u_char *) payer_store_pq.value(res, i, 0);
        key.len = strlen((char *) key.data);

        payer_store_fault(faults, &key, payer_store_pq.value(res, i, 1));
    }

    payer_store_pq.clear(res);

    return 0;
}
