
/*
 * Due entries: each is leased by moving its time in the transaction that finds
 * it.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_store_lmdb.h"


static int ngx_http_payer_lmdb_lease_one(ngx_http_payer_lmdb_env_t *le,
    MDB_txn *txn, ngx_http_payer_lmdb_job_t *job, MDB_val *entry, time_t due,
    uint64_t serial);
static int ngx_http_payer_lmdb_move(ngx_http_payer_lmdb_env_t *le,
    ngx_str_t *key, ngx_http_payer_lmdb_head_t *stored,
    ngx_http_payer_lmdb_head_t *fresh);
static int ngx_http_payer_lmdb_append(ngx_http_payer_lmdb_job_t *job,
    ngx_str_t *key, ngx_http_payer_lmdb_head_t *head);


/* the first one of the index, until that comes later: each moves away */

int
ngx_http_payer_lmdb_lease(ngx_http_payer_lmdb_env_t *le, MDB_txn *txn,
    ngx_http_payer_lmdb_job_t *job)
{
    int          rc;
    u_char       name[NGX_HTTP_PAYER_STORE_MAX_KEY];
    time_t       due;
    uint64_t     serial;
    MDB_val      key, value, first;
    MDB_cursor  *cursor;
    ngx_str_t   *scope;
    ngx_uint_t   n;

    /* the batch may have to be written again */

    job->len = 0;

    scope = &job->entries[0].key;

    ngx_http_payer_lmdb_index_key(&first, name, NGX_HTTP_PAYER_LMDB_DUE,
                                  scope, 0, 0);

    rc = mdb_cursor_open(txn, le->dbi, &cursor);

    if (rc != 0) {
        return rc;
    }

    for (n = 0; n < job->limit; n++) {

        key = first;
        rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);

        if (rc != 0
            || !ngx_http_payer_lmdb_index_place(&key, NGX_HTTP_PAYER_LMDB_DUE,
                                                scope, &due, &serial)
            || due > le->now
            || job->len > NGX_HTTP_PAYER_STORE_MAX_PAGE
                          - NGX_HTTP_PAYER_STORE_MAX_VALUE)
        {
            break;
        }

        rc = ngx_http_payer_lmdb_lease_one(le, txn, job, &value, due, serial);

        if (rc == MDB_NOTFOUND) {

            /* the entry is not due any more */

            rc = mdb_cursor_del(cursor, 0);
        }

        if (rc != 0) {
            break;
        }
    }

    mdb_cursor_close(cursor);

    return (rc == MDB_NOTFOUND) ? 0 : rc;
}


static int
ngx_http_payer_lmdb_lease_one(ngx_http_payer_lmdb_env_t *le, MDB_txn *txn,
    ngx_http_payer_lmdb_job_t *job, MDB_val *entry, time_t due,
    uint64_t serial)
{
    int                         rc;
    u_char                      name[NGX_HTTP_PAYER_STORE_MAX_KEY];
    u_char                      buf[NGX_HTTP_PAYER_STORE_MAX_VALUE];
    ngx_str_t                   key;
    ngx_http_payer_lmdb_head_t  stored, fresh;

    if (entry->mv_size > sizeof(name)) {
        return MDB_CORRUPTED;
    }

    key.data = name;
    key.len = entry->mv_size;
    ngx_memcpy(name, entry->mv_data, entry->mv_size);

    rc = ngx_http_payer_lmdb_index_entry(txn, le->dbi, entry,
                                         NGX_HTTP_PAYER_LMDB_DUE, due, serial,
                                         &stored);

    if (rc != 0) {
        return rc;
    }

    if (stored.value.len > sizeof(buf)) {
        return MDB_CORRUPTED;
    }

    fresh = stored;
    fresh.label.due = le->now + job->lease;
    fresh.rev = ++le->rev;

    fresh.value.data = buf;
    ngx_memcpy(buf, stored.value.data, stored.value.len);

    rc = ngx_http_payer_lmdb_move(le, &key, &stored, &fresh);

    return (rc == 0) ? ngx_http_payer_lmdb_append(job, &key, &fresh) : rc;
}


static int
ngx_http_payer_lmdb_move(ngx_http_payer_lmdb_env_t *le, ngx_str_t *key,
    ngx_http_payer_lmdb_head_t *stored, ngx_http_payer_lmdb_head_t *fresh)
{
    int  rc;

    rc = ngx_http_payer_lmdb_index(le, key, stored, fresh);

    return (rc == 0) ? ngx_http_payer_lmdb_write_entry(le, key, fresh) : rc;
}


/* an item, and behind it its texts */

static int
ngx_http_payer_lmdb_append(ngx_http_payer_lmdb_job_t *job, ngx_str_t *key,
    ngx_http_payer_lmdb_head_t *head)
{
    u_char                 *p;
    size_t                  len;
    ngx_http_payer_item_t   item;

    len = job->len + sizeof(ngx_http_payer_item_t) + key->len
          + head->value.len;

    p = ngx_alloc(len, ngx_cycle->log);
    if (p == NULL) {
        return NGX_ENOMEM;
    }

    if (job->result != NULL) {
        ngx_memcpy(p, job->result, job->len);
        ngx_free(job->result);
    }

    job->result = p;
    p += job->len;
    job->len = len;

    item.key = *key;
    item.value = head->value;
    item.rev = head->rev;
    item.label = head->label;

    p = ngx_cpymem(p, &item, sizeof(ngx_http_payer_item_t));
    p = ngx_cpymem(p, key->data, key->len);
    ngx_memcpy(p, head->value.data, head->value.len);

    return 0;
}


ngx_int_t
ngx_http_payer_lmdb_leased(ngx_http_payer_lmdb_job_t *job,
    ngx_http_payer_io_t *io)
{
    u_char                 *p, *last;
    ngx_uint_t              limit;
    ngx_http_payer_item_t   item;

    if (io->pool == NULL) {
        return NGX_OK;
    }

    limit = job->limit;

    if (ngx_http_payer_store_items(io, &limit) != NGX_OK) {
        return NGX_ERROR;
    }

    p = job->result;
    last = p + job->len;

    while (p < last) {
        ngx_memcpy(&item, p, sizeof(ngx_http_payer_item_t));
        p += sizeof(ngx_http_payer_item_t);

        item.key.data = p;
        p += item.key.len;
        item.value.data = p;
        p += item.value.len;

        if (ngx_http_payer_store_add(io, &item) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return io->nitems ? NGX_OK : NGX_DECLINED;
}
