
/*
 * Entries of an import, in LMDB.
 */


#include "lmdb_store.h"


static int payer_store_lmdb_put_alias(payer_store_lmdb_t *lmdb, MDB_txn *txn,
    payer_store_entry_t *entry, ngx_uint_t *written);
static int payer_store_lmdb_merge(payer_store_lmdb_t *lmdb, MDB_txn *txn,
    payer_store_entry_t *entry, ngx_str_t *stored,
    ngx_http_payer_merge_pt *merge);
static int payer_store_lmdb_put_one(payer_store_lmdb_t *lmdb, MDB_txn *txn,
    payer_store_entry_t *entry, ngx_uint_t *written);


/* MDB_NOTFOUND, or another error */

int
payer_store_lmdb_get(payer_store_lmdb_t *lmdb, MDB_txn *txn, ngx_str_t *key,
    ngx_http_payer_lmdb_head_t *head)
{
    int      rc;
    MDB_val  k, v;

    k.mv_data = key->data;
    k.mv_size = key->len;

    rc = mdb_get(txn, lmdb->le.dbi, &k, &v);

    if (rc == 0) {
        rc = ngx_http_payer_lmdb_parse(&v, head);
    }

    return (rc == 0 && head->layout == NGX_HTTP_PAYER_LMDB_CLAIM)
           ? MDB_NOTFOUND : rc;
}


static int
payer_store_lmdb_put_alias(payer_store_lmdb_t *lmdb, MDB_txn *txn,
    payer_store_entry_t *entry, ngx_uint_t *written)
{
    int                         rc;
    time_t                      expires;
    ngx_http_payer_lmdb_head_t  stored, fresh;

    memset(&fresh, 0, sizeof(ngx_http_payer_lmdb_head_t));

    fresh.layout = NGX_HTTP_PAYER_LMDB_ALIAS;
    fresh.expires = entry->expires;
    fresh.value = entry->target;

    rc = payer_store_lmdb_get(lmdb, txn, &entry->key, &stored);

    if (rc != 0 && rc != MDB_NOTFOUND) {
        return rc;
    }

    if (rc == 0) {
        expires = ngx_http_payer_store_later(entry->expires, stored.expires);

        if (stored.layout != NGX_HTTP_PAYER_LMDB_ALIAS) {
            return 0;
        }

        if (stored.value.len == entry->target.len
            && memcmp(stored.value.data, entry->target.data,
                      stored.value.len) == 0)
        {
            if (expires == stored.expires) {
                return 0;
            }

        } else if (!payer_store_retarget(&stored.value, &entry->target)) {
            return 0;
        }

        fresh.expires = expires;
    }

    *written = 1;

    return ngx_http_payer_lmdb_write_entry(&lmdb->le, &entry->key, &fresh);
}


static int
payer_store_lmdb_merge(payer_store_lmdb_t *lmdb, MDB_txn *txn,
    payer_store_entry_t *entry, ngx_str_t *stored,
    ngx_http_payer_merge_pt *merge)
{
    int                         old, new;
    payer_store_rivals_t        rivals;
    ngx_http_payer_lmdb_head_t  head;

    *merge = payer_store_merge_of(&entry->key);

    if (!payer_store_rivals(&entry->key, stored, &entry->value, &rivals)) {
        return 0;
    }

    old = MDB_NOTFOUND;
    new = MDB_NOTFOUND;

    if (rivals.old.len) {
        old = payer_store_lmdb_get(lmdb, txn, &rivals.old, &head);
    }

    if (rivals.new.len) {
        new = payer_store_lmdb_get(lmdb, txn, &rivals.new, &head);
    }

    if (old != 0 && old != MDB_NOTFOUND) {
        return old;
    }

    if (new != 0 && new != MDB_NOTFOUND) {
        return new;
    }

    *merge = payer_store_merge_rivals(&entry->key, old == 0, new == 0);

    return 0;
}


static int
payer_store_lmdb_put_one(payer_store_lmdb_t *lmdb, MDB_txn *txn,
    payer_store_entry_t *entry, ngx_uint_t *written)
{
    int                            rc;
    u_char                         buf[NGX_HTTP_PAYER_STORE_MAX_KEY];
    uint64_t                       rev;
    ngx_str_t                      sibling;
    ngx_http_payer_lmdb_head_t     head;
    ngx_http_payer_store_entry_t  *put;

    *written = 0;

    if (entry->target.len) {
        return payer_store_lmdb_put_alias(lmdb, txn, entry, written);
    }

    payer_store_sibling(&entry->key, buf, &sibling);

    if (sibling.len) {
        rc = payer_store_lmdb_get(lmdb, txn, &sibling, &head);

        if (rc == 0 && !payer_store_outdated(&head.value, &entry->value)) {
            return 0;
        }

        if (rc == 0) {
            *written = 1;
            rc = ngx_http_payer_lmdb_remove(&lmdb->le, &sibling, &head);
        }

        if (rc != 0 && rc != MDB_NOTFOUND) {
            return rc;
        }
    }

    rc = payer_store_lmdb_get(lmdb, txn, &entry->key, &head);

    if (rc != 0 && rc != MDB_NOTFOUND) {
        return rc;
    }

    if (rc == 0 && head.layout == NGX_HTTP_PAYER_LMDB_ALIAS) {
        return 0;
    }

    lmdb->job.n = 1;
    put = &lmdb->job.entries[0];

    rev = 0;
    put->merge = NULL;

    if (rc == 0) {
        rev = head.rev;
        rc = payer_store_lmdb_merge(lmdb, txn, entry, &head.value,
                                    &put->merge);
        if (rc != 0) {
            return rc;
        }
    }

    put->key = entry->key;
    put->value = entry->value;
    put->expires = entry->expires;
    put->label = entry->label;
    put->describe = payer_store_describe_of(&entry->key);

    rc = ngx_http_payer_lmdb_replace(&lmdb->le, &lmdb->job, 0, NULL);

    if (rc == 0 && lmdb->job.rev != rev) {
        *written = 1;
    }

    return rc;
}


int
payer_store_lmdb_put(payer_store_t *store, payer_store_entry_t *entries,
    ngx_uint_t n, payer_store_count_t *count)
{
    int                   rc;
    MDB_txn              *txn;
    ngx_uint_t            i, one, written;
    MDB_envinfo           info;
    struct timespec       now;
    payer_store_lmdb_t   *lmdb;

    lmdb = store->data;

    for ( ;; ) {

        if (payer_store_lmdb_begin(store, 1, &txn) != 0) {
            return -1;
        }

        /* revisions as those of ngx_http_payer_lmdb_commit() */

        lmdb->le.rev = (uint64_t) mdb_txn_id(txn) << 20;

        /* the claims of an nginx that is running stay */

        (void) clock_gettime(CLOCK_MONOTONIC, &now);
        ngx_current_msec = (ngx_msec_t) now.tv_sec * 1000
                           + now.tv_nsec / 1000000;
        lmdb->le.now = time(NULL);

        rc = mdb_cursor_open(txn, lmdb->le.dbi, &lmdb->le.cursor);
        written = 0;

        for (i = 0; i < n && rc == 0; i++) {
            rc = payer_store_lmdb_put_one(lmdb, txn, &entries[i], &one);
            written += one;
        }

        if (rc == 0) {
            rc = mdb_txn_commit(txn);

        } else {
            mdb_txn_abort(txn);
        }

        if (rc == 0) {
            count->written += written;
            count->kept += n - written;
            return 0;
        }

        if (rc != MDB_MAP_FULL) {
            return payer_store_lmdb_failed(store, rc);
        }

        rc = mdb_env_info(lmdb->le.env, &info);

        if (rc == 0) {
            rc = mdb_env_set_mapsize(lmdb->le.env, info.me_mapsize * 2);
        }

        if (rc != 0) {
            return payer_store_lmdb_failed(store, rc);
        }
    }
}
