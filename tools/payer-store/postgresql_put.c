
/*
 * Entries of an import, in PostgreSQL.
 */


#include "postgresql.h"


static payer_store_row_t *payer_store_pg_find(payer_store_pg_t *pg,
    ngx_str_t *key);
static payer_store_row_t *payer_store_pg_row(payer_store_pg_t *pg,
    ngx_str_t *key);
static int payer_store_pg_lock(payer_store_t *store,
    payer_store_entry_t *entries, ngx_uint_t n, int *again);
static int payer_store_pg_load(payer_store_t *store,
    payer_store_text_t *keys, int *again);
static int payer_store_pg_links(payer_store_t *store,
    payer_store_entry_t *entries, ngx_uint_t n, int *again);
static ngx_uint_t payer_store_pg_linked(payer_store_pg_t *pg,
    ngx_str_t *key);
static ngx_uint_t payer_store_pg_alias(payer_store_row_t *row,
    payer_store_entry_t *entry);
static ngx_uint_t payer_store_pg_merge(payer_store_pg_t *pg, ngx_uint_t i,
    payer_store_entry_t *entry);
static int payer_store_pg_write(payer_store_t *store, int *again);
static int payer_store_pg_try(payer_store_t *store,
    payer_store_entry_t *entries, ngx_uint_t n, payer_store_count_t *count,
    int *again);


static payer_store_row_t *
payer_store_pg_find(payer_store_pg_t *pg, ngx_str_t *key)
{
    ngx_str_t   *other;
    ngx_uint_t   i;

    for (i = 0; i < pg->n; i++) {
        other = &pg->rows[i].entry.key;

        if (other->len == key->len
            && memcmp(other->data, key->data, key->len) == 0)
        {
            return &pg->rows[i];
        }
    }

    return NULL;
}


/* the same, or one that is not there */

static payer_store_row_t *
payer_store_pg_row(payer_store_pg_t *pg, ngx_str_t *key)
{
    payer_store_row_t  *row;

    row = payer_store_pg_find(pg, key);

    if (row == NULL) {
        row = &pg->rows[pg->n++];

        memset(row, 0, sizeof(payer_store_row_t));
        row->entry.key = *key;
    }

    return row;
}


/* what is stored under all keys that a batch is about, locked */

static int
payer_store_pg_lock(payer_store_t *store, payer_store_entry_t *entries,
    ngx_uint_t n, int *again)
{
    int                   rc;
    ngx_str_t             sibling;
    ngx_uint_t            i;
    const char           *values[1];
    payer_store_pg_t     *pg;
    payer_store_text_t    keys;

    pg = store->data;

    memset(&keys, 0, sizeof(payer_store_text_t));
    payer_store_add_text(&keys, "{");

    for (i = 0; i < n; i++) {
        payer_store_add_text(&keys, i ? "," : "");
        payer_store_add_element(&keys, &entries[i].key);

        payer_store_sibling(&entries[i].key, pg->keys[i], &sibling);

        if (sibling.len) {
            payer_store_add_text(&keys, ",");
            payer_store_add_element(&keys, &sibling);
        }
    }

    payer_store_add_text(&keys, "}");
    values[0] = keys.data;

    /* an absent key is locked by a row, too; always in the order of keys */

    rc = payer_store_pq_run(store, pg->conn,
                            "INSERT INTO payer.entry (key, expires, scope)"
                            " SELECT k, clock_timestamp() + interval '1 hour',"
                            " payer.scope(k) FROM unnest($1::text[]) k"
                            " GROUP BY k ORDER BY k COLLATE \"C\""
                            " ON CONFLICT (key) DO NOTHING", 1, values, again);

    if (rc == 0) {
        rc = payer_store_pg_load(store, &keys, again);
    }

    free(keys.data);

    return rc;
}


static int
payer_store_pg_load(payer_store_t *store, payer_store_text_t *keys,
    int *again)
{
    int                  i;
    PGresult            *res;
    const char          *values[1];
    payer_store_pg_t    *pg;
    payer_store_row_t   *row;

    pg = store->data;
    values[0] = keys->data;

    res = payer_store_pq_exec(store, pg->conn, "SELECT " PAYER_STORE_COLUMNS
                              " FROM payer.entry e WHERE e.key = ANY($1)"
                              " ORDER BY e.key FOR UPDATE", 1, values, again);
    if (res == NULL) {
        return -1;
    }

    pg->held[0] = res;

    for (i = 0; i < payer_store_pq.rows(res); i++) {
        row = &pg->rows[pg->n++];

        payer_store_pg_read(res, i, &row->entry);

        row->changed = 0;
        row->there = (row->entry.value.data != NULL
                      || row->entry.target.data != NULL);
    }

    return 0;
}


/* which of the links were replaced, where that may matter */

static int
payer_store_pg_links(payer_store_t *store, payer_store_entry_t *entries,
    ngx_uint_t n, int *again)
{
    PGresult              *res;
    ngx_uint_t             i, any;
    const char            *values[1];
    payer_store_pg_t      *pg;
    payer_store_row_t     *row;
    payer_store_text_t     keys;
    payer_store_rivals_t   rivals;

    pg = store->data;

    any = 0;
    memset(&keys, 0, sizeof(payer_store_text_t));
    payer_store_add_text(&keys, "{");

    for (i = 0; i < n; i++) {
        row = payer_store_pg_find(pg, &entries[i].key);

        if (row == NULL || !row->there
            || !payer_store_rivals(&entries[i].key, &row->entry.value,
                                   &entries[i].value, &rivals))
        {
            continue;
        }

        payer_store_add_text(&keys, any++ ? "," : "");
        payer_store_add_element(&keys, &rivals.old);
        payer_store_add_text(&keys, ",");
        payer_store_add_element(&keys, &rivals.new);
    }

    payer_store_add_text(&keys, "}");

    if (!any) {
        free(keys.data);
        return 0;
    }

    values[0] = keys.data;
    res = payer_store_pq_exec(store, pg->conn,
                              "SELECT e.key FROM payer.entry e"
                              " WHERE e.key = ANY($1) AND e.value IS NOT NULL",
                              1, values, again);
    free(keys.data);

    pg->held[1] = res;

    return res ? 0 : -1;
}


static ngx_uint_t
payer_store_pg_linked(payer_store_pg_t *pg, ngx_str_t *key)
{
    int                  i;
    char                *text;
    payer_store_row_t   *row;

    if (key->len == 0) {
        return 0;
    }

    row = payer_store_pg_find(pg, key);

    if (row != NULL && row->there) {
        return 1;
    }

    for (i = 0; pg->held[1] && i < payer_store_pq.rows(pg->held[1]); i++) {
        text = payer_store_pq.value(pg->held[1], i, 0);

        if (strlen(text) == key->len && memcmp(text, key->data, key->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
payer_store_pg_alias(payer_store_row_t *row, payer_store_entry_t *entry)
{
    time_t       expires;
    ngx_str_t   *target;

    target = &row->entry.target;
    expires = entry->expires;

    if (row->there) {
        expires = ngx_http_payer_store_later(expires, row->entry.expires);

        if (target->data == NULL) {
            return 0;
        }

        if (target->len == entry->target.len
            && memcmp(target->data, entry->target.data, target->len) == 0)
        {
            if (expires == row->entry.expires) {
                return 0;
            }

        } else if (!payer_store_retarget(target, &entry->target)) {
            return 0;
        }
    }

    row->entry = *entry;
    row->entry.expires = expires;
    row->there = 1;
    row->changed = 1;

    return 1;
}


/* whether the i-th entry of a batch is written */

static ngx_uint_t
payer_store_pg_merge(payer_store_pg_t *pg, ngx_uint_t i,
    payer_store_entry_t *entry)
{
    time_t                       expires;
    ngx_str_t                    fresh, sibling;
    payer_store_row_t           *row, *other;
    payer_store_rivals_t         rivals;
    ngx_http_payer_merge_pt      merge;
    ngx_http_payer_describe_pt   describe;

    row = payer_store_pg_row(pg, &entry->key);

    if (entry->target.len) {
        return payer_store_pg_alias(row, entry);
    }

    payer_store_sibling(&entry->key, pg->keys[i], &sibling);

    if (sibling.len) {
        other = payer_store_pg_find(pg, &sibling);

        if (other != NULL && other->there) {

            if (!payer_store_outdated(&other->entry.value, &entry->value)) {
                return 0;
            }

            other->there = 0;
            other->changed = 1;
        }
    }

    if (row->there && row->entry.target.data != NULL) {
        return 0;
    }

    /* a merge edits a copy, as the batch may be tried again */

    fresh.len = entry->value.len;
    fresh.data = malloc(fresh.len + 1);

    if (fresh.data == NULL) {
        (void) payer_store_error("no memory");
        exit(1);
    }

    memcpy(fresh.data, entry->value.data, fresh.len);
    pg->copies[i] = fresh.data;

    expires = entry->expires;

    if (row->there) {
        merge = payer_store_merge_of(&entry->key);

        if (payer_store_rivals(&entry->key, &row->entry.value, &fresh,
                               &rivals))
        {
            merge = payer_store_merge_rivals(&entry->key,
                                    payer_store_pg_linked(pg, &rivals.old),
                                    payer_store_pg_linked(pg, &rivals.new));
        }

        if (merge(&row->entry.value, &fresh) != NGX_OK) {
            return 0;
        }

        expires = ngx_http_payer_store_later(expires, row->entry.expires);
    }

    row->entry.value = fresh;
    row->entry.expires = expires;
    row->entry.label = entry->label;
    row->there = 1;
    row->changed = 1;

    describe = payer_store_describe_of(&entry->key);

    if (describe != NULL) {
        describe(&fresh, NULL, &row->entry.label);
    }

    return 1;
}


/* the columns of a row that has changed, one array each */

static int
payer_store_pg_write(payer_store_t *store, int *again)
{
    int                    rc;
    ngx_uint_t             i, k, any;
    const char            *values[8];
    payer_store_pg_t      *pg;
    payer_store_row_t     *row;
    payer_store_text_t     texts[8];
    payer_store_entry_t   *entry;

    pg = store->data;
    any = 0;

    memset(texts, 0, sizeof(texts));

    for (k = 0; k < 8; k++) {
        payer_store_add_text(&texts[k], "{");
    }

    for (i = 0; i < pg->n; i++) {
        row = &pg->rows[i];
        entry = &row->entry;

        if (!row->changed) {
            continue;
        }

        for (k = 0; k < 8; k++) {
            payer_store_add_text(&texts[k], any ? "," : "");
        }

        any = 1;
        payer_store_add_element(&texts[0], &entry->key);

        if (row->there && entry->target.data == NULL) {
            payer_store_add_text(&texts[1], "\"");
            payer_store_add_hex(&texts[1], &entry->value);
            payer_store_add_text(&texts[1], "\"");

        } else {
            payer_store_add_text(&texts[1], "NULL");
        }

        if (row->there) {
            payer_store_add_element(&texts[2], &entry->target);

        } else {
            payer_store_add_text(&texts[2], "NULL");
            memset(&entry->label, 0, sizeof(ngx_http_payer_label_t));
            entry->expires = time(NULL) + 3600;
        }

        payer_store_add_number(&texts[3], entry->expires);
        payer_store_add_number(&texts[4], entry->label.updated);
        payer_store_add_number(&texts[5], entry->label.due);
        payer_store_add_number(&texts[6], entry->label.attention);
        payer_store_add_number(&texts[7], entry->label.state);
    }

    for (k = 0; k < 8; k++) {
        payer_store_add_text(&texts[k], "}");
        values[k] = texts[k].data;
    }

    rc = !any ? 0 : payer_store_pq_run(store, pg->conn,
        "UPDATE payer.entry e SET value = decode(i.v, 'hex'), target = i.t,"
        " rev = i.r, expires = to_timestamp(nullif(i.ex, 0)),"
        " updated = nullif(i.up, 0), due = to_timestamp(nullif(i.du, 0)),"
        " attention = i.at, state = i.st,"
        " serial = CASE WHEN i.up <> 0 OR i.du <> 0 OR i.at <> 0 OR i.st <> 0"
        " THEN coalesce(e.serial, i.r) END"
        " FROM (SELECT u.*, nextval('payer.rev') r"
        " FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[],"
        " $5::bigint[], $6::bigint[], $7::bigint[], $8::int[])"
        " u (k, v, t, ex, up, du, at, st)) i WHERE e.key = i.k",
        8, values, again);

    for (k = 0; k < 8; k++) {
        free(texts[k].data);
    }

    return rc;
}


static int
payer_store_pg_try(payer_store_t *store, payer_store_entry_t *entries,
    ngx_uint_t n, payer_store_count_t *count, int *again)
{
    int                rc;
    ngx_uint_t         i, written;
    payer_store_pg_t  *pg;

    pg = store->data;

    pg->n = 0;
    written = 0;

    rc = payer_store_pq_run(store, pg->conn, "BEGIN", 0, NULL, NULL);

    if (rc == 0) {
        rc = payer_store_pg_lock(store, entries, n, again);
    }

    if (rc == 0) {
        rc = payer_store_pg_links(store, entries, n, again);
    }

    for (i = 0; rc == 0 && i < n; i++) {
        written += payer_store_pg_merge(pg, i, &entries[i]);
    }

    if (rc == 0) {
        rc = payer_store_pg_write(store, again);
    }

    if (rc == 0) {
        rc = payer_store_pq_run(store, pg->conn, "COMMIT", 0, NULL, again);

    } else {
        payer_store_pq.clear(payer_store_pq.exec(pg->conn, "ROLLBACK", 0, NULL,
                                                 NULL, NULL, NULL, 0));
    }

    for (i = 0; i < n; i++) {
        free(pg->copies[i]);
        pg->copies[i] = NULL;
    }

    for (i = 0; i < 2; i++) {
        payer_store_pq.clear(pg->held[i]);
        pg->held[i] = NULL;
    }

    if (rc == 0) {
        count->written += written;
        count->kept += n - written;
    }

    return rc;
}


int
payer_store_pg_put(payer_store_t *store, payer_store_entry_t *entries,
    ngx_uint_t n, payer_store_count_t *count)
{
    int         rc, again;
    ngx_uint_t  i;

    for (i = 0; i < PAYER_STORE_REPEATS; i++) {
        again = 0;
        rc = payer_store_pg_try(store, entries, n, count, &again);

        if (!again) {
            return rc;
        }
    }

    return payer_store_error("%s: other writers are in the way", store->text);
}
