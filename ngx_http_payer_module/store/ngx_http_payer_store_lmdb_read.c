
/*
 * Reading from LMDB, on the event loop: lookups in mapped memory, and a copy
 * of what is found.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_store_lmdb.h"


typedef struct ngx_http_payer_lmdb_read_s  ngx_http_payer_lmdb_read_t;

/* a read and its result */
struct ngx_http_payer_lmdb_read_s {
    int                         (*look)(ngx_http_payer_lmdb_env_t *le,
                                      ngx_http_payer_lmdb_read_t *read);
    ngx_http_payer_io_t          *io;
    ngx_str_t                    *key;          /* or after which one */
    ngx_str_t                    *prefix;
    ngx_uint_t                    limit;
    ngx_http_payer_list_t        *list;
    time_t                        updated;      /* the place in it */
    uint64_t                      serial;
    ngx_uint_t                    begun;        /* unsigned  begun:1; */
};


static ngx_int_t ngx_http_payer_lmdb_read(ngx_http_payer_store_t *store,
    ngx_http_payer_lmdb_read_t *read);
static int ngx_http_payer_lmdb_look(ngx_http_payer_lmdb_env_t *le,
    void *data);
static int ngx_http_payer_lmdb_look_up(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_lmdb_read_t *read);
static int ngx_http_payer_lmdb_look_through(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_lmdb_read_t *read);
static int ngx_http_payer_lmdb_walk(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_lmdb_read_t *read, MDB_cursor *cursor);
static int ngx_http_payer_lmdb_seek(ngx_http_payer_lmdb_read_t *read,
    MDB_cursor *cursor, MDB_val *key, MDB_val *value);
static int ngx_http_payer_lmdb_walk_index(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_lmdb_read_t *read, MDB_cursor *cursor);
static int ngx_http_payer_lmdb_more(ngx_http_payer_lmdb_read_t *read);
static int ngx_http_payer_lmdb_follow(ngx_http_payer_lmdb_env_t *le,
    MDB_val *key, MDB_val *value, ngx_http_payer_lmdb_head_t *head);
static int ngx_http_payer_lmdb_add(ngx_http_payer_io_t *io, MDB_val *key,
    ngx_http_payer_lmdb_head_t *head);
static int ngx_http_payer_lmdb_retry(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_lmdb_read_t *read, int rc);
static int ngx_http_payer_lmdb_renew(ngx_http_payer_lmdb_env_t *le);


ngx_int_t
ngx_http_payer_lmdb_get(ngx_http_payer_store_t *store, ngx_str_t *key,
    ngx_http_payer_io_t *io)
{
    ngx_http_payer_lmdb_read_t  read;

    ngx_str_null(&io->key);
    io->rev = 0;

    if (key->len == 0 || key->len > NGX_HTTP_PAYER_STORE_MAX_KEY) {
        return NGX_DECLINED;
    }

    read.look = ngx_http_payer_lmdb_look_up;
    read.key = key;
    read.io = io;

    return ngx_http_payer_lmdb_read(store, &read);
}


ngx_int_t
ngx_http_payer_lmdb_scan(ngx_http_payer_store_t *store, ngx_str_t *prefix,
    ngx_str_t *after, ngx_uint_t limit, ngx_http_payer_io_t *io)
{
    ngx_http_payer_lmdb_read_t  read;

    read.look = ngx_http_payer_lmdb_look_through;
    read.prefix = prefix;
    read.key = after;
    read.limit = limit;
    read.list = NULL;
    read.io = io;

    if (ngx_http_payer_store_items(io, &read.limit) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_payer_lmdb_read(store, &read);
}


ngx_int_t
ngx_http_payer_lmdb_list(ngx_http_payer_store_t *store,
    ngx_http_payer_list_t *list, ngx_http_payer_io_t *io)
{
    ngx_int_t                   rc;
    ngx_http_payer_lmdb_read_t  read;

    read.look = ngx_http_payer_lmdb_look_through;
    read.list = list;
    read.io = io;

    rc = ngx_http_payer_store_begin_list(list, io, &read.updated,
                                         &read.serial);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_payer_lmdb_read(store, &read);
}


static ngx_int_t
ngx_http_payer_lmdb_read(ngx_http_payer_store_t *store,
    ngx_http_payer_lmdb_read_t *read)
{
    int                         rc;
    ngx_http_payer_lmdb_env_t  *le;

    le = ngx_http_payer_lmdb_env(store);
    if (le == NULL) {
        return NGX_ERROR;
    }

    read->begun = 0;

    rc = ngx_http_payer_lmdb_guarded(le, ngx_http_payer_lmdb_look, read);

    if (rc != 0 && !read->begun) {
        rc = ngx_http_payer_lmdb_retry(le, read, rc);
    }

    if (rc == 0) {
        return NGX_OK;
    }

    if (rc == MDB_NOTFOUND) {
        return NGX_DECLINED;
    }

    if (rc == NGX_ENOMEM) {
        return NGX_ERROR;
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "payer_store \"lmdb:%V\" cannot be read: %s",
                  &le->path, ngx_http_payer_lmdb_error(rc));

    if (ngx_http_payer_lmdb_exit_code(rc) >= NGX_HTTP_PAYER_LMDB_DAMAGED) {
        ngx_http_payer_lmdb_failure(le, rc);
    }

    return NGX_ERROR;
}


static int
ngx_http_payer_lmdb_look(ngx_http_payer_lmdb_env_t *le, void *data)
{
    ngx_http_payer_lmdb_read_t  *read = data;

    int  rc;

    rc = ngx_http_payer_lmdb_renew(le);

    if (rc != 0) {
        return rc;
    }

    read->begun = 1;

    rc = ngx_http_payer_lmdb_same(le, le->reader);

    if (rc == 0) {
        rc = read->look(le, read);
    }

    mdb_txn_reset(le->reader);

    return rc;
}


static int
ngx_http_payer_lmdb_look_up(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_lmdb_read_t *read)
{
    int                         rc;
    MDB_val                     key, value;
    ngx_http_payer_io_t        *io;
    ngx_http_payer_lmdb_head_t  head;

    io = read->io;

    key.mv_data = read->key->data;
    key.mv_size = read->key->len;

    rc = mdb_get(le->reader, le->dbi, &key, &value);

    if (rc == 0) {
        rc = ngx_http_payer_lmdb_follow(le, &key, &value, &head);
    }

    if (rc != 0) {
        return rc;
    }

    io->rev = head.rev;

    if (key.mv_data != read->key->data
        && ngx_http_payer_store_copy(io, &io->key, key.mv_data, key.mv_size)
           != NGX_OK)
    {
        return NGX_ENOMEM;
    }

    return (ngx_http_payer_store_copy(io, &io->value, head.value.data,
                                      head.value.len)
            == NGX_OK) ? 0 : NGX_ENOMEM;
}


/*
 * what is under the key, or, if that is an alias, under what it leads to:
 * MDB_NOTFOUND if that is only a claim
 */

static int
ngx_http_payer_lmdb_follow(ngx_http_payer_lmdb_env_t *le, MDB_val *key,
    MDB_val *value, ngx_http_payer_lmdb_head_t *head)
{
    int  rc;

    rc = ngx_http_payer_lmdb_parse(value, head);

    if (rc == 0 && head->layout == NGX_HTTP_PAYER_LMDB_ALIAS) {

        key->mv_data = head->value.data;
        key->mv_size = head->value.len;

        rc = mdb_get(le->reader, le->dbi, key, value);

        if (rc == 0) {
            rc = ngx_http_payer_lmdb_parse(value, head);
        }
    }

    return (rc == 0 && head->layout == NGX_HTTP_PAYER_LMDB_CLAIM)
           ? MDB_NOTFOUND : rc;
}


static int
ngx_http_payer_lmdb_look_through(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_lmdb_read_t *read)
{
    int          rc;
    MDB_cursor  *cursor;

    rc = mdb_cursor_open(le->reader, le->dbi, &cursor);

    if (rc != 0) {
        return rc;
    }

    rc = read->list ? ngx_http_payer_lmdb_walk_index(le, read, cursor)
                    : ngx_http_payer_lmdb_walk(le, read, cursor);

    mdb_cursor_close(cursor);

    if (rc == MDB_NOTFOUND && read->io->nitems) {
        return 0;
    }

    return rc;
}


static int
ngx_http_payer_lmdb_walk(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_lmdb_read_t *read, MDB_cursor *cursor)
{
    int                         rc, got;
    MDB_val                     key, value, entry;
    ngx_http_payer_io_t        *io;
    ngx_http_payer_lmdb_head_t  head;

    io = read->io;

    for (rc = ngx_http_payer_lmdb_seek(read, cursor, &key, &value);
         rc == 0;
         rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT))
    {
        if (key.mv_size < read->prefix->len
            || ngx_memcmp(key.mv_data, read->prefix->data, read->prefix->len)
               != 0)
        {
            return MDB_NOTFOUND;
        }

        entry = key;
        got = ngx_http_payer_lmdb_follow(le, &entry, &value, &head);

        if (got == MDB_NOTFOUND) {
            continue;
        }

        if (got == 0) {
            got = ngx_http_payer_lmdb_add(io, &entry, &head);
        }

        if (got != 0) {
            return (got == MDB_KEYEXIST) ? 0 : got;
        }

        if (io->nitems == read->limit) {
            return 0;
        }
    }

    return rc;
}


/* 0, MDB_KEYEXIST if the page is full, or an error */

static int
ngx_http_payer_lmdb_add(ngx_http_payer_io_t *io, MDB_val *key,
    ngx_http_payer_lmdb_head_t *head)
{
    ngx_int_t              rc;
    ngx_http_payer_item_t  item;

    item.key.data = key->mv_data;
    item.key.len = key->mv_size;
    item.value = head->value;
    item.rev = head->rev;
    item.label = head->label;

    rc = ngx_http_payer_store_add(io, &item);

    return (rc == NGX_OK) ? 0 : (rc == NGX_DONE) ? MDB_KEYEXIST : NGX_ENOMEM;
}


/* what is our own is skipped */

static int
ngx_http_payer_lmdb_seek(ngx_http_payer_lmdb_read_t *read, MDB_cursor *cursor,
    MDB_val *key, MDB_val *value)
{
    int         rc;
    ngx_str_t   start;
    ngx_uint_t  beyond;

    start = *read->key;
    beyond = 1;

    if (start.len == 0 || start.data[0] <= NGX_HTTP_PAYER_LMDB_OWN) {
        ngx_str_set(&start, NGX_HTTP_PAYER_LMDB_BEYOND_OWN);
        beyond = 0;
    }

    if (ngx_memn2cmp(start.data, read->prefix->data, start.len,
                     read->prefix->len)
        < 0)
    {
        start = *read->prefix;
        beyond = 0;
    }

    key->mv_data = start.data;
    key->mv_size = start.len;

    rc = mdb_cursor_get(cursor, key, value, MDB_SET_RANGE);

    if (rc == 0
        && beyond
        && key->mv_size == start.len
        && ngx_memcmp(key->mv_data, start.data, start.len) == 0)
    {
        rc = mdb_cursor_get(cursor, key, value, MDB_NEXT);
    }

    return rc;
}


/* backwards from the place on, as the last ones come first */

static int
ngx_http_payer_lmdb_walk_index(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_lmdb_read_t *read, MDB_cursor *cursor)
{
    int                         rc, got;
    u_char                      name[NGX_HTTP_PAYER_STORE_MAX_KEY];
    time_t                      updated;
    uint64_t                    serial;
    MDB_val                     key, value;
    ngx_uint_t                  kind, looks;
    ngx_http_payer_list_t      *list;
    ngx_http_payer_lmdb_head_t  head;

    list = read->list;
    kind = list->attention ? NGX_HTTP_PAYER_LMDB_ATTENTION
                           : NGX_HTTP_PAYER_LMDB_LIST;

    ngx_http_payer_lmdb_index_key(&key, name, kind, &list->prefix,
                                  read->updated, read->serial);

    rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);

    rc = mdb_cursor_get(cursor, &key, &value,
                        (rc == MDB_NOTFOUND) ? MDB_LAST : MDB_PREV);

    for (looks = 0; rc == 0; looks++) {

        if (!ngx_http_payer_lmdb_index_place(&key, kind, &list->prefix,
                                             &updated, &serial)
            || updated < list->from)
        {
            return MDB_NOTFOUND;
        }

        if (read->io->nitems == list->limit
            || looks == NGX_HTTP_PAYER_STORE_MAX_LOOKS)
        {
            return ngx_http_payer_lmdb_more(read);
        }

        key = value;
        got = ngx_http_payer_lmdb_index_entry(le->reader, le->dbi, &key, kind,
                                              updated, serial, &head);

        if (got == 0 && ngx_http_payer_store_shown(list, &head.label)) {
            got = ngx_http_payer_lmdb_add(read->io, &key, &head);
        }

        if (got == MDB_KEYEXIST) {
            return ngx_http_payer_lmdb_more(read);
        }

        if (got != 0 && got != MDB_NOTFOUND) {
            return got;
        }

        read->updated = updated;
        read->serial = serial;

        rc = mdb_cursor_get(cursor, &key, &value, MDB_PREV);
    }

    return rc;
}


static int
ngx_http_payer_lmdb_more(ngx_http_payer_lmdb_read_t *read)
{
    return (ngx_http_payer_store_end_list(read->io, read->updated,
                                          read->serial)
            == NGX_OK) ? 0 : NGX_ENOMEM;
}


/*
 * A read that could not begin.  The map may have to grow to the size that
 * another process has set; this waits for a batch that is being written, once
 * for each doubling.
 */

static int
ngx_http_payer_lmdb_retry(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_lmdb_read_t *read, int rc)
{
    int         dead;
    ngx_uint_t  tries;

    for (tries = 0; tries < 3; tries++) {

        if (rc == MDB_READERS_FULL && tries == 0) {

            /* slots of workers that were killed */

            rc = mdb_reader_check(le->env, &dead);

        } else if (rc == MDB_MAP_RESIZED) {
            rc = ngx_http_payer_lmdb_adopt(le);

        } else if (rc == MDB_PANIC && !le->running) {
            rc = ngx_http_payer_lmdb_reopen(le);

        } else {
            return rc;
        }

        if (rc != 0) {
            return rc;
        }

        rc = ngx_http_payer_lmdb_guarded(le, ngx_http_payer_lmdb_look, read);

        if (rc == 0 || read->begun) {
            return rc;
        }
    }

    return MDB_MAP_RESIZED;
}


static int
ngx_http_payer_lmdb_renew(ngx_http_payer_lmdb_env_t *le)
{
    int       rc;
    MDB_txn  *txn;

    if (le->env == NULL) {
        return MDB_PANIC;
    }

    if (le->reader != NULL) {
        return mdb_txn_renew(le->reader);
    }

    rc = mdb_txn_begin(le->env, NULL, MDB_RDONLY, &txn);

    if (rc == 0) {
        le->reader = txn;
    }

    return rc;
}
