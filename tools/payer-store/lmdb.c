
/*
 * The store lmdb:DIR, also while nginx is running with it.
 */


#include "lmdb_store.h"
#include <sys/stat.h>


#ifndef PAYER_STORE_MAP
#define PAYER_STORE_MAP      ((size_t) 1 << 30)
#endif

#define PAYER_STORE_READERS  1024
#define PAYER_STORE_TRIES    10


static int payer_store_lmdb_open(payer_store_t *store, const char *dir,
    int write);
static void payer_store_lmdb_close(payer_store_t *store);
static int payer_store_lmdb_each(payer_store_t *store, ngx_str_t *prefix,
    payer_store_handler_pt handler, void *data);
static int payer_store_lmdb_adopt(payer_store_t *store, ngx_str_t *host);
static int payer_store_lmdb_check(payer_store_t *store, ngx_uint_t *faults);

static int payer_store_lmdb_become_owner(payer_store_t *store,
    const char *dir, int write);
static int payer_store_lmdb_known(payer_store_t *store, int write);
static int payer_store_lmdb_write_own(payer_store_lmdb_t *lmdb, MDB_txn *txn);
static int payer_store_lmdb_check_entry(payer_store_lmdb_t *lmdb,
    MDB_txn *txn, ngx_str_t *key, ngx_http_payer_lmdb_head_t *head,
    ngx_uint_t *faults);


payer_store_ops_t  payer_store_lmdb_ops = {
    "lmdb:",
    payer_store_lmdb_open,
    payer_store_lmdb_close,
    payer_store_lmdb_each,
    payer_store_lmdb_adopt,
    payer_store_lmdb_put,
    payer_store_lmdb_check
};


int
payer_store_lmdb_failed(payer_store_t *store, int rc)
{
    /* what a part of a write is to LMDB */

    return payer_store_error("%s: %s%s", store->text, mdb_strerror(rc),
                             rc == EIO ? "; is the disk full?" : "");
}


/* what root creates, or locks, the workers of nginx could not open */

static int
payer_store_lmdb_become_owner(payer_store_t *store, const char *dir,
    int write)
{
    struct stat  st;

    if (stat(dir, &st) == -1) {
        return payer_store_error("%s: %s%s", store->text, strerror(errno),
                                 write ? "; create the directory first, for"
                                         " the user of the worker processes"
                                       : "");
    }

    if (geteuid() != 0 || st.st_uid == 0) {
        return 0;
    }

    if (setgroups(0, NULL) == -1 || setgid(st.st_gid) == -1
        || setuid(st.st_uid) == -1)
    {
        return payer_store_error("%s: cannot become its owner: %s",
                                 store->text, strerror(errno));
    }

    return 0;
}


static int
payer_store_lmdb_open(payer_store_t *store, const char *dir, int write)
{
    int                  rc, dead;
    payer_store_lmdb_t  *lmdb;

    if (*dir == '\0') {
        return payer_store_error("%s: has no directory", store->text);
    }

    if (payer_store_lmdb_become_owner(store, dir, write) != 0) {
        return -1;
    }

    lmdb = calloc(1, sizeof(payer_store_lmdb_t));
    if (lmdb == NULL) {
        return payer_store_error("no memory");
    }

    store->data = lmdb;

    rc = mdb_env_create(&lmdb->le.env);

    if (rc == 0) {
        (void) mdb_env_set_maxreaders(lmdb->le.env, PAYER_STORE_READERS);
        rc = mdb_env_set_mapsize(lmdb->le.env, PAYER_STORE_MAP);
    }

    if (rc == 0) {
        rc = mdb_env_open(lmdb->le.env, dir,
                          MDB_NOTLS | (write ? 0 : MDB_RDONLY), 0600);
    }

    if (rc != 0) {
        return payer_store_lmdb_failed(store, rc);
    }

    /*
     * A reader that does not end properly keeps its snapshot, which lets the
     * file grow with each write; and those of one that was killed go.
     */

    payer_store_catch();
    (void) mdb_reader_check(lmdb->le.env, &dead);

    return payer_store_lmdb_known(store, write);
}


static void
payer_store_lmdb_close(payer_store_t *store)
{
    payer_store_lmdb_t  *lmdb;

    lmdb = store->data;

    if (lmdb != NULL && lmdb->le.env != NULL) {
        mdb_env_close(lmdb->le.env);
    }

    free(lmdb);
}


/* another process may let the map grow */

int
payer_store_lmdb_begin(payer_store_t *store, int write, MDB_txn **txn)
{
    int                  rc, i;
    payer_store_lmdb_t  *lmdb;

    lmdb = store->data;

    for (i = 0; i < PAYER_STORE_TRIES; i++) {
        rc = mdb_txn_begin(lmdb->le.env, NULL, write ? 0 : MDB_RDONLY, txn);

        if (rc != MDB_MAP_RESIZED) {
            break;
        }

        (void) mdb_env_set_mapsize(lmdb->le.env, 0);
    }

    return rc ? payer_store_lmdb_failed(store, rc) : 0;
}


/* whether it is a store of ours, and whose */

static int
payer_store_lmdb_known(payer_store_t *store, int write)
{
    int                  rc;
    size_t               len;
    u_char              *p;
    MDB_txn             *txn;
    MDB_val              key, value;
    payer_store_lmdb_t  *lmdb;

    lmdb = store->data;

    if (payer_store_lmdb_begin(store, write, &txn) != 0) {
        return -1;
    }

    rc = mdb_dbi_open(txn, NULL, 0, &lmdb->le.dbi);

    if (rc == 0) {
        rc = ngx_http_payer_lmdb_format(txn, lmdb->le.dbi);

        if (rc == MDB_NOTFOUND && write) {
            rc = payer_store_lmdb_write_own(lmdb, txn);
        }
    }

    key.mv_data = NGX_HTTP_PAYER_LMDB_UPGRADE_KEY;
    key.mv_size = sizeof(NGX_HTTP_PAYER_LMDB_UPGRADE_KEY) - 1;

    if (rc == NGX_HTTP_PAYER_LMDB_OLD
        || (rc == 0 && mdb_get(txn, lmdb->le.dbi, &key, &value) == 0))
    {
        mdb_txn_abort(txn);
        return payer_store_error("%s: is of an older version; start nginx with"
                                 " it, and wait until it is converted",
                                 store->text);
    }

    if (rc == MDB_NOTFOUND || rc == NGX_HTTP_PAYER_LMDB_FOREIGN
        || rc == NGX_HTTP_PAYER_LMDB_NEWER)
    {
        mdb_txn_abort(txn);
        return payer_store_error("%s: %s", store->text,
                                 rc == NGX_HTTP_PAYER_LMDB_NEWER
                                 ? "is of a newer version"
                                 : "is not a store of ngx_http_payer_module");
    }

    if (rc != 0) {
        mdb_txn_abort(txn);
        return payer_store_lmdb_failed(store, rc);
    }

    key.mv_data = NGX_HTTP_PAYER_LMDB_HOST_KEY;
    key.mv_size = sizeof(NGX_HTTP_PAYER_LMDB_HOST_KEY) - 1;

    store->host.data = store->host_text;
    store->host.len = 0;

    if (mdb_get(txn, lmdb->le.dbi, &key, &value) == 0
        && value.mv_size > NGX_HTTP_PAYER_LMDB_EXPIRES_LEN)
    {
        p = value.mv_data;
        len = value.mv_size - NGX_HTTP_PAYER_LMDB_EXPIRES_LEN;

        store->host.len = ngx_min(len, PAYER_STORE_HOST);
        memcpy(store->host_text, p + NGX_HTTP_PAYER_LMDB_EXPIRES_LEN,
               store->host.len);
    }

    rc = mdb_txn_commit(txn);

    return rc ? payer_store_lmdb_failed(store, rc) : 0;
}


/* what a store has when nginx has made it */

static int
payer_store_lmdb_write_own(payer_store_lmdb_t *lmdb, MDB_txn *txn)
{
    int      rc;
    u_char  *p, text[2 * NGX_HTTP_PAYER_LMDB_EXPIRES_LEN];
    MDB_val  key, value;

    text[0] = NGX_HTTP_PAYER_LMDB_FORMAT;

    key.mv_data = NGX_HTTP_PAYER_LMDB_FORMAT_KEY;
    key.mv_size = sizeof(NGX_HTTP_PAYER_LMDB_FORMAT_KEY) - 1;
    value.mv_data = text;
    value.mv_size = 1;

    rc = mdb_put(txn, lmdb->le.dbi, &key, &value, 0);

    if (rc != 0) {
        return rc;
    }

    p = ngx_http_payer_lmdb_write_time(text, 0);
    (void) ngx_http_payer_lmdb_write_time(p, time(NULL));

    key.mv_data = NGX_HTTP_PAYER_LMDB_CLOCK_KEY;
    key.mv_size = sizeof(NGX_HTTP_PAYER_LMDB_CLOCK_KEY) - 1;
    value.mv_size = sizeof(text);

    return mdb_put(txn, lmdb->le.dbi, &key, &value, 0);
}


static int
payer_store_lmdb_adopt(payer_store_t *store, ngx_str_t *host)
{
    int                  rc;
    u_char               text[NGX_HTTP_PAYER_LMDB_EXPIRES_LEN
                              + PAYER_STORE_HOST];
    MDB_txn             *txn;
    MDB_val              key, value;
    payer_store_lmdb_t  *lmdb;

    lmdb = store->data;

    if (payer_store_lmdb_begin(store, 1, &txn) != 0) {
        return -1;
    }

    memcpy(ngx_http_payer_lmdb_write_time(text, 0), host->data, host->len);

    key.mv_data = NGX_HTTP_PAYER_LMDB_HOST_KEY;
    key.mv_size = sizeof(NGX_HTTP_PAYER_LMDB_HOST_KEY) - 1;
    value.mv_data = text;
    value.mv_size = NGX_HTTP_PAYER_LMDB_EXPIRES_LEN + host->len;

    rc = mdb_put(txn, lmdb->le.dbi, &key, &value, MDB_NOOVERWRITE);

    if (rc != 0 && rc != MDB_KEYEXIST) {
        mdb_txn_abort(txn);
        return payer_store_lmdb_failed(store, rc);
    }

    rc = mdb_txn_commit(txn);

    return rc ? payer_store_lmdb_failed(store, rc) : 0;
}


static int
payer_store_lmdb_each(payer_store_t *store, ngx_str_t *prefix,
    payer_store_handler_pt handler, void *data)
{
    int                          rc, answer;
    MDB_txn                     *txn;
    MDB_val                      key, value;
    MDB_cursor                  *cursor;
    payer_store_lmdb_t          *lmdb;
    payer_store_entry_t          entry;
    ngx_http_payer_lmdb_head_t   head;

    lmdb = store->data;

    if (payer_store_lmdb_begin(store, 0, &txn) != 0) {
        return -1;
    }

    answer = 0;
    rc = mdb_cursor_open(txn, lmdb->le.dbi, &cursor);

    if (rc != 0) {
        mdb_txn_abort(txn);
        return payer_store_lmdb_failed(store, rc);
    }

    key.mv_data = NGX_HTTP_PAYER_LMDB_BEYOND_OWN;
    key.mv_size = 1;

    if (prefix->len) {
        key.mv_data = prefix->data;
        key.mv_size = prefix->len;
    }

    rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);

    while (rc == 0 && answer == 0) {

        if (key.mv_size < prefix->len
            || memcmp(key.mv_data, prefix->data, prefix->len) != 0)
        {
            break;
        }

        memset(&entry, 0, sizeof(payer_store_entry_t));

        entry.key.data = key.mv_data;
        entry.key.len = key.mv_size;

        if (*entry.key.data != NGX_HTTP_PAYER_LMDB_OWN) {
            rc = ngx_http_payer_lmdb_parse(&value, &head);

            if (rc != 0) {
                break;
            }

            entry.expires = head.expires;
            entry.label = head.label;

            if (head.layout == NGX_HTTP_PAYER_LMDB_ALIAS) {
                entry.target = head.value;

            } else {
                entry.value = head.value;
            }

            answer = (head.layout == NGX_HTTP_PAYER_LMDB_CLAIM)
                     ? 0 : handler(&entry, data);
        }

        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }

    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);

    if (rc != 0 && rc != MDB_NOTFOUND) {
        return payer_store_lmdb_failed(store, rc);
    }

    return answer;
}


/* what leads to an entry, and what should */

static int
payer_store_lmdb_check_entry(payer_store_lmdb_t *lmdb, MDB_txn *txn,
    ngx_str_t *key, ngx_http_payer_lmdb_head_t *head, ngx_uint_t *faults)
{
    int                         rc;
    u_char                      name[NGX_HTTP_PAYER_STORE_MAX_KEY];
    time_t                      times[NGX_HTTP_PAYER_LMDB_KINDS];
    MDB_val                     k, v;
    ngx_str_t                   scope;
    ngx_uint_t                  kind;
    ngx_http_payer_lmdb_head_t  target;

    if (head->layout == NGX_HTTP_PAYER_LMDB_ALIAS) {
        rc = payer_store_lmdb_get(lmdb, txn, &head->value, &target);

        if (rc == MDB_NOTFOUND
            && (head->expires == 0 || head->expires > time(NULL)))
        {
            payer_store_fault(faults, key, "leads to a key that is not there");
        }

        return rc == MDB_NOTFOUND ? 0 : rc;
    }

    scope.data = key->data;
    scope.len = ngx_http_payer_store_scope(key);

    if (head->serial == 0 || scope.len == 0) {
        return 0;
    }

    times[NGX_HTTP_PAYER_LMDB_LIST] = head->label.updated;
    times[NGX_HTTP_PAYER_LMDB_ATTENTION] = head->label.attention
                                           ? head->label.updated : 0;
    times[NGX_HTTP_PAYER_LMDB_DUE] = head->label.due;

    for (kind = 0; kind < NGX_HTTP_PAYER_LMDB_KINDS; kind++) {

        if (times[kind] == 0) {
            continue;
        }

        ngx_http_payer_lmdb_index_key(&k, name, kind, &scope, times[kind],
                                      head->serial);

        rc = mdb_get(txn, lmdb->le.dbi, &k, &v);

        if (rc != 0 && rc != MDB_NOTFOUND) {
            return rc;
        }

        if (rc == MDB_NOTFOUND
            || v.mv_size != key->len
            || memcmp(v.mv_data, key->data, key->len) != 0)
        {
            payer_store_fault(faults, key, "is missing in an index");
        }
    }

    return 0;
}


static int
payer_store_lmdb_check(payer_store_t *store, ngx_uint_t *faults)
{
    int                          rc;
    MDB_txn                     *txn;
    MDB_val                      key, value;
    ngx_str_t                    name;
    MDB_cursor                  *cursor;
    payer_store_lmdb_t          *lmdb;
    ngx_http_payer_lmdb_head_t   head;

    lmdb = store->data;

    if (payer_store_lmdb_begin(store, 0, &txn) != 0) {
        return -1;
    }

    rc = mdb_cursor_open(txn, lmdb->le.dbi, &cursor);

    if (rc != 0) {
        mdb_txn_abort(txn);
        return payer_store_lmdb_failed(store, rc);
    }

    key.mv_data = NGX_HTTP_PAYER_LMDB_BEYOND_OWN;
    key.mv_size = 1;

    rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);

    while (rc == 0) {
        name.data = key.mv_data;
        name.len = key.mv_size;

        rc = ngx_http_payer_lmdb_parse(&value, &head);

        if (rc == 0) {
            rc = payer_store_lmdb_check_entry(lmdb, txn, &name, &head,
                                              faults);
        }

        if (rc == 0) {
            rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
        }
    }

    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);

    return rc == MDB_NOTFOUND ? 0 : payer_store_lmdb_failed(store, rc);
}
