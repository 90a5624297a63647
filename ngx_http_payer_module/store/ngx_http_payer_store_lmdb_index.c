
/*
 * The indexes in LMDB: keys in addition to the entries, written and removed in
 * the same transaction.
 *
 *     !list/SCOPE TIME SERIAL         by the time of the last change
 *     !attention/SCOPE TIME SERIAL    the same of those that need a look
 *     !due/SCOPE TIME SERIAL          by the time at which they are due
 *
 * SCOPE is the beginning of the entry's key as far as the second slash, TIME
 * and SERIAL are eight bytes each, big-endian, and the value is the key.
 *
 * A former version that is still running does not update them, so one may be
 * out of date: it counts only if the entry agrees.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_store_lmdb.h"


#define NGX_HTTP_PAYER_LMDB_PLACE  16           /* time and serial */


static ngx_str_t  ngx_http_payer_lmdb_kinds[] = {
    ngx_string("!list/"),
    ngx_string("!attention/"),
    ngx_string("!due/")
};


static time_t ngx_http_payer_lmdb_index_time(ngx_uint_t kind,
    ngx_http_payer_label_t *label);
static u_char *ngx_http_payer_lmdb_write_big(u_char *p, uint64_t n);
static uint64_t ngx_http_payer_lmdb_read_big(u_char *p);


int
ngx_http_payer_lmdb_index(ngx_http_payer_lmdb_env_t *le, ngx_str_t *key,
    ngx_http_payer_lmdb_head_t *stored, ngx_http_payer_lmdb_head_t *fresh)
{
    int         rc;
    u_char      name[NGX_HTTP_PAYER_STORE_MAX_KEY];
    time_t      before, after;
    MDB_val     k, v;
    ngx_str_t   scope;
    ngx_uint_t  kind;

    if (stored->serial == 0 && fresh->serial == 0) {
        return 0;
    }

    scope.data = key->data;
    scope.len = ngx_http_payer_store_scope(key);

    if (scope.len == 0) {
        return 0;
    }

    for (kind = 0; kind < NGX_HTTP_PAYER_LMDB_KINDS; kind++) {

        before = ngx_http_payer_lmdb_index_time(kind, &stored->label);
        after = ngx_http_payer_lmdb_index_time(kind, &fresh->label);

        if (before == after) {
            continue;
        }

        if (before != 0) {
            ngx_http_payer_lmdb_index_key(&k, name, kind, &scope, before,
                                          stored->serial);

            rc = mdb_cursor_get(le->cursor, &k, &v, MDB_SET);

            if (rc == 0) {
                rc = mdb_cursor_del(le->cursor, 0);
            }

            if (rc != 0 && rc != MDB_NOTFOUND) {
                return rc;
            }
        }

        if (after != 0) {
            ngx_http_payer_lmdb_index_key(&k, name, kind, &scope, after,
                                          fresh->serial);
            v.mv_data = key->data;
            v.mv_size = key->len;

            rc = mdb_cursor_put(le->cursor, &k, &v, 0);

            if (rc != 0) {
                return rc;
            }
        }
    }

    return 0;
}


/* where an entry stands in the index; 0: nowhere */

static time_t
ngx_http_payer_lmdb_index_time(ngx_uint_t kind, ngx_http_payer_label_t *label)
{
    switch (kind) {

    case NGX_HTTP_PAYER_LMDB_LIST:
        return label->updated;

    case NGX_HTTP_PAYER_LMDB_ATTENTION:
        return label->attention ? label->updated : 0;

    default: /* NGX_HTTP_PAYER_LMDB_DUE */
        return label->due;
    }
}


void
ngx_http_payer_lmdb_index_key(MDB_val *key, u_char *name, ngx_uint_t kind,
    ngx_str_t *scope, time_t time, uint64_t serial)
{
    u_char     *p;
    ngx_str_t  *prefix;

    prefix = &ngx_http_payer_lmdb_kinds[kind];

    p = ngx_cpymem(name, prefix->data, prefix->len);
    p = ngx_cpymem(p, scope->data,
                   ngx_min(scope->len, NGX_HTTP_PAYER_STORE_MAX_SCOPE));
    p = ngx_http_payer_lmdb_write_big(p, (uint64_t) time);
    p = ngx_http_payer_lmdb_write_big(p, serial);

    key->mv_data = name;
    key->mv_size = p - name;
}


ngx_uint_t
ngx_http_payer_lmdb_index_place(MDB_val *key, ngx_uint_t kind,
    ngx_str_t *scope, time_t *time, uint64_t *serial)
{
    u_char     *p;
    ngx_str_t  *prefix;

    prefix = &ngx_http_payer_lmdb_kinds[kind];
    p = key->mv_data;

    if (key->mv_size != prefix->len + scope->len + NGX_HTTP_PAYER_LMDB_PLACE
        || ngx_memcmp(p, prefix->data, prefix->len) != 0
        || ngx_memcmp(p + prefix->len, scope->data, scope->len) != 0)
    {
        return 0;
    }

    p += prefix->len + scope->len;

    *time = (time_t) ngx_http_payer_lmdb_read_big(p);
    *serial = ngx_http_payer_lmdb_read_big(p + 8);

    return 1;
}


int
ngx_http_payer_lmdb_index_entry(MDB_txn *txn, MDB_dbi dbi, MDB_val *key,
    ngx_uint_t kind, time_t time, uint64_t serial,
    ngx_http_payer_lmdb_head_t *head)
{
    int      rc;
    MDB_val  value;

    rc = mdb_get(txn, dbi, key, &value);

    if (rc != 0) {
        return rc;
    }

    rc = ngx_http_payer_lmdb_parse(&value, head);

    if (rc != 0) {
        return rc;
    }

    return (head->serial == serial
            && ngx_http_payer_lmdb_index_time(kind, &head->label) == time)
           ? 0 : MDB_NOTFOUND;
}


static u_char *
ngx_http_payer_lmdb_write_big(u_char *p, uint64_t n)
{
    ngx_uint_t  i;

    for (i = 8; i-- > 0; /* void */ ) {
        p[i] = (u_char) (n & 0xff);
        n >>= 8;
    }

    return p + 8;
}


static uint64_t
ngx_http_payer_lmdb_read_big(u_char *p)
{
    uint64_t    n;
    ngx_uint_t  i;

    n = 0;

    for (i = 0; i < 8; i++) {
        n = n << 8 | p[i];
    }

    return n;
}
