
/*
 * The values in LMDB: a head, whose last byte is its layout, followed by the
 * caller's value.
 *
 *     0  expires, 6 bytes
 *     6  state
 *     7  layout:  0  of former versions, and of what is our own: no more
 *                 1  an entry without a label: rev follows
 *                 2  an alias: behind these 8 bytes is another key
 *                 3  an entry with a label: all that follows
 *                 4  no entry, only a claim
 *                 and 128 if there is a claim between head and value
 *     8  rev
 *    16  serial, which tells entries of one second apart in an index
 *    24  updated
 *    32  due
 *    40  attention, 4 bytes, and 4 that are zero
 *
 * Integers are little-endian.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_store_lmdb.h"


#define NGX_HTTP_PAYER_LMDB_HEAD_PLAIN     16
#define NGX_HTTP_PAYER_LMDB_HEAD_LABELLED  48
#define NGX_HTTP_PAYER_LMDB_MAX_TIME       0xffffffffffffLL
#define NGX_HTTP_PAYER_LMDB_WITH_CLAIM     0x80


static int ngx_http_payer_lmdb_write_head(ngx_http_payer_lmdb_env_t *le,
    ngx_str_t *key, ngx_http_payer_lmdb_head_t *head, unsigned int flags);
static int ngx_http_payer_lmdb_merge(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_lmdb_job_t *job, ngx_uint_t i,
    ngx_http_payer_lmdb_head_t *fresh);
static int ngx_http_payer_lmdb_put_alias(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_store_entry_t *entry);
static int ngx_http_payer_lmdb_keep(ngx_http_payer_lmdb_job_t *job,
    ngx_uint_t i, ngx_str_t *value, uint64_t rev, ngx_uint_t kept);
static ngx_uint_t ngx_http_payer_lmdb_unchanged(
    ngx_http_payer_lmdb_head_t *stored, ngx_http_payer_lmdb_head_t *fresh);


int
ngx_http_payer_lmdb_parse(MDB_val *value, ngx_http_payer_lmdb_head_t *head)
{
    u_char  *p;
    size_t   len;

    if (value->mv_size < NGX_HTTP_PAYER_LMDB_EXPIRES_LEN) {
        return MDB_CORRUPTED;
    }

    p = value->mv_data;

    head->expires = ngx_http_payer_lmdb_read_int(p)
                    & NGX_HTTP_PAYER_LMDB_MAX_TIME;
    head->layout = p[7] & ~NGX_HTTP_PAYER_LMDB_WITH_CLAIM;
    head->claimed = (p[7] & NGX_HTTP_PAYER_LMDB_WITH_CLAIM)
                    || p[7] == NGX_HTTP_PAYER_LMDB_CLAIM;

    switch (head->layout) {

    case NGX_HTTP_PAYER_LMDB_FORMER:
    case NGX_HTTP_PAYER_LMDB_ALIAS:
    case NGX_HTTP_PAYER_LMDB_CLAIM:
        len = NGX_HTTP_PAYER_LMDB_EXPIRES_LEN;
        break;

    case NGX_HTTP_PAYER_LMDB_PLAIN:
        len = NGX_HTTP_PAYER_LMDB_HEAD_PLAIN;
        break;

    case NGX_HTTP_PAYER_LMDB_LABELLED:
        len = NGX_HTTP_PAYER_LMDB_HEAD_LABELLED;
        break;

    default:
        return MDB_CORRUPTED;
    }

    if (value->mv_size < len + (head->claimed ? NGX_HTTP_PAYER_LMDB_CLAIM_LEN
                                              : 0))
    {
        return MDB_CORRUPTED;
    }

    head->value.data = p + len;
    head->value.len = value->mv_size - len;

    if (head->claimed) {
        ngx_memcpy(head->claim, p + len, NGX_HTTP_PAYER_LMDB_CLAIM_LEN);

        head->value.data += NGX_HTTP_PAYER_LMDB_CLAIM_LEN;
        head->value.len -= NGX_HTTP_PAYER_LMDB_CLAIM_LEN;
    }

    head->rev = 0;
    head->serial = 0;

    if (len >= NGX_HTTP_PAYER_LMDB_HEAD_PLAIN) {
        head->rev = (uint64_t) ngx_http_payer_lmdb_read_int(p + 8);
    }

    if (len != NGX_HTTP_PAYER_LMDB_HEAD_LABELLED) {
        ngx_memzero(&head->label, sizeof(ngx_http_payer_label_t));

    } else {
        head->label.state = p[6];
        head->serial = (uint64_t) ngx_http_payer_lmdb_read_int(p + 16);
        head->label.updated = (time_t) ngx_http_payer_lmdb_read_int(p + 24);
        head->label.due = (time_t) ngx_http_payer_lmdb_read_int(p + 32);
        head->label.attention = (uint32_t)
                                ngx_http_payer_lmdb_read_int(p + 40);
    }

    return 0;
}


int
ngx_http_payer_lmdb_write_entry(ngx_http_payer_lmdb_env_t *le, ngx_str_t *key,
    ngx_http_payer_lmdb_head_t *head)
{
    return ngx_http_payer_lmdb_write_head(le, key, head, 0);
}


int
ngx_http_payer_lmdb_write_new(ngx_http_payer_lmdb_env_t *le, ngx_str_t *key,
    ngx_http_payer_lmdb_head_t *head)
{
    return ngx_http_payer_lmdb_write_head(le, key, head, MDB_NOOVERWRITE);
}


static int
ngx_http_payer_lmdb_write_head(ngx_http_payer_lmdb_env_t *le, ngx_str_t *key,
    ngx_http_payer_lmdb_head_t *head, unsigned int flags)
{
    int       rc;
    u_char   *p;
    size_t    len;
    MDB_val   k, v;

    len = (head->layout == NGX_HTTP_PAYER_LMDB_LABELLED)
          ? NGX_HTTP_PAYER_LMDB_HEAD_LABELLED
          : (head->layout == NGX_HTTP_PAYER_LMDB_PLAIN)
          ? NGX_HTTP_PAYER_LMDB_HEAD_PLAIN
          : NGX_HTTP_PAYER_LMDB_EXPIRES_LEN;

    k.mv_data = key->data;
    k.mv_size = key->len;
    v.mv_size = len + head->value.len
                + (head->claimed ? NGX_HTTP_PAYER_LMDB_CLAIM_LEN : 0);

    rc = mdb_cursor_put(le->cursor, &k, &v, MDB_RESERVE|flags);

    if (rc != 0) {
        return rc;
    }

    le->wrote = 1;

    p = v.mv_data;

    (void) ngx_http_payer_lmdb_write_time(p, ngx_min(head->expires,
                                            NGX_HTTP_PAYER_LMDB_MAX_TIME));
    p[7] = (u_char) head->layout;

    if (head->claimed && head->layout != NGX_HTTP_PAYER_LMDB_CLAIM) {
        p[7] |= NGX_HTTP_PAYER_LMDB_WITH_CLAIM;
    }

    if (len >= NGX_HTTP_PAYER_LMDB_HEAD_PLAIN) {
        (void) ngx_http_payer_lmdb_write_time(p + 8, (time_t) head->rev);
    }

    if (len == NGX_HTTP_PAYER_LMDB_HEAD_LABELLED) {
        p[6] = (u_char) head->label.state;
        (void) ngx_http_payer_lmdb_write_time(p + 16, (time_t) head->serial);
        (void) ngx_http_payer_lmdb_write_time(p + 24, head->label.updated);
        (void) ngx_http_payer_lmdb_write_time(p + 32, head->label.due);
        (void) ngx_http_payer_lmdb_write_time(p + 40,
                                              (time_t) head->label.attention);
    }

    p += len;

    if (head->claimed) {
        p = ngx_cpymem(p, head->claim, NGX_HTTP_PAYER_LMDB_CLAIM_LEN);
    }

    ngx_memcpy(p, head->value.data, head->value.len);

    return 0;
}


/* what is stored under the first key of the job, empty if there is nothing */

int
ngx_http_payer_lmdb_first(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_lmdb_job_t *job, ngx_str_t *first)
{
    int                         rc;
    ngx_http_payer_lmdb_head_t  head;

    first->len = 0;
    first->data = (u_char *) "";

    rc = ngx_http_payer_lmdb_find(le, &job->entries[0].key, &head);

    if (rc == 0) {
        *first = head.value;
    }

    return (rc == MDB_NOTFOUND) ? 0 : rc;
}


int
ngx_http_payer_lmdb_find(ngx_http_payer_lmdb_env_t *le, ngx_str_t *key,
    ngx_http_payer_lmdb_head_t *head)
{
    int      rc;
    MDB_val  k, v;

    k.mv_data = key->data;
    k.mv_size = key->len;

    head->claimed = 0;

    rc = mdb_cursor_get(le->cursor, &k, &v, MDB_SET);

    if (rc == 0) {
        rc = ngx_http_payer_lmdb_parse(&v, head);
    }

    return (rc == 0 && head->layout == NGX_HTTP_PAYER_LMDB_CLAIM)
           ? MDB_NOTFOUND : rc;
}


/* a merge edits a copy, since the batch may have to be written again */

int
ngx_http_payer_lmdb_replace(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_lmdb_job_t *job, ngx_uint_t i, ngx_str_t *before)
{
    int                            rc;
    u_char                         buf[NGX_HTTP_PAYER_STORE_MAX_VALUE];
    ngx_str_t                      after;
    ngx_http_payer_lmdb_head_t     fresh;
    ngx_http_payer_store_entry_t  *entry;

    entry = &job->entries[i];

    ngx_memzero(&fresh, sizeof(ngx_http_payer_lmdb_head_t));

    fresh.value = entry->value;
    fresh.label = entry->label;
    fresh.expires = entry->expires;

    if (entry->merge != NULL || entry->when != NULL) {
        fresh.value.data = buf;
        ngx_memcpy(buf, entry->value.data, fresh.value.len);
    }

    if (i != 0 && entry->when != NULL) {
        rc = ngx_http_payer_lmdb_first(le, job, &after);

        if (rc != 0 || entry->when(before, &after, &fresh.value) != NGX_OK) {
            return rc;
        }
    }

    rc = ngx_http_payer_lmdb_merge(le, job, i, &fresh);

    return (rc == 0 && !job->busy && entry->alias.len != 0)
           ? ngx_http_payer_lmdb_put_alias(le, entry) : rc;
}


static int
ngx_http_payer_lmdb_merge(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_lmdb_job_t *job, ngx_uint_t i,
    ngx_http_payer_lmdb_head_t *fresh)
{
    int                            rc;
    ngx_uint_t                     found;
    ngx_http_payer_lmdb_head_t     stored;
    ngx_http_payer_store_entry_t  *entry;

    entry = &job->entries[i];

    ngx_memzero(&stored, sizeof(ngx_http_payer_lmdb_head_t));

    rc = ngx_http_payer_lmdb_find(le, &entry->key, &stored);

    if (rc != 0 && rc != MDB_NOTFOUND) {
        return rc;
    }

    found = (rc == 0);

    ngx_http_payer_lmdb_claim(le, (i == 0 && job->first) ? job : NULL,
                              &stored, fresh);
    if (job->busy) {
        return 0;
    }

    if (found) {
        fresh->expires = ngx_http_payer_store_later(fresh->expires,
                                                    stored.expires);
        if (entry->merge != NULL
            && entry->merge(&stored.value, &fresh->value) != NGX_OK)
        {
            rc = ngx_http_payer_lmdb_keep(job, i, &stored.value, stored.rev,
                                          1);

            return (rc == 0) ? ngx_http_payer_lmdb_reclaim(le, &entry->key,
                                                           &stored, fresh)
                             : rc;
        }
    }

    if (entry->describe != NULL) {
        entry->describe(&fresh->value, found ? &stored.label : NULL,
                        &fresh->label);
    }

    ngx_http_payer_lmdb_head_init(le, fresh, &stored);

    if (found && ngx_http_payer_lmdb_unchanged(&stored, fresh)) {
        rc = ngx_http_payer_lmdb_keep(job, i, &stored.value, stored.rev, 0);

        return (rc == 0) ? ngx_http_payer_lmdb_reclaim(le, &entry->key,
                                                       &stored, fresh)
                         : rc;
    }

    rc = ngx_http_payer_lmdb_write_entry(le, &entry->key, fresh);

    if (rc == 0) {
        rc = ngx_http_payer_lmdb_index(le, &entry->key, &stored, fresh);
    }

    return (rc == 0) ? ngx_http_payer_lmdb_keep(job, i, &fresh->value,
                                                fresh->rev, 0)
                     : rc;
}


void
ngx_http_payer_lmdb_head_init(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_lmdb_head_t *fresh, ngx_http_payer_lmdb_head_t *stored)
{
    fresh->rev = ++le->rev;

    if (!ngx_http_payer_store_labelled(&fresh->label)) {
        fresh->layout = NGX_HTTP_PAYER_LMDB_PLAIN;
        fresh->serial = 0;
        return;
    }

    fresh->layout = NGX_HTTP_PAYER_LMDB_LABELLED;
    fresh->serial = stored->serial ? stored->serial : fresh->rev;
}


static ngx_uint_t
ngx_http_payer_lmdb_unchanged(ngx_http_payer_lmdb_head_t *stored,
    ngx_http_payer_lmdb_head_t *fresh)
{
    return stored->layout == fresh->layout
           && stored->expires == fresh->expires
           && stored->label.updated == fresh->label.updated
           && stored->label.due == fresh->label.due
           && stored->label.attention == fresh->label.attention
           && stored->label.state == fresh->label.state
           && stored->value.len == fresh->value.len
           && ngx_memcmp(stored->value.data, fresh->value.data,
                         fresh->value.len)
              == 0;
}


/* as a rule it is new */

static int
ngx_http_payer_lmdb_put_alias(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_store_entry_t *entry)
{
    int                         rc;
    ngx_http_payer_lmdb_head_t  stored, fresh;

    ngx_memzero(&fresh, sizeof(ngx_http_payer_lmdb_head_t));

    fresh.layout = NGX_HTTP_PAYER_LMDB_ALIAS;
    fresh.expires = entry->expires;
    fresh.value = entry->key;

    rc = ngx_http_payer_lmdb_write_new(le, &entry->alias, &fresh);

    if (rc != MDB_KEYEXIST) {
        return rc;
    }

    rc = ngx_http_payer_lmdb_find(le, &entry->alias, &stored);

    if (rc != 0 && rc != MDB_NOTFOUND) {
        return rc;
    }

    ngx_http_payer_lmdb_claim(le, NULL, &stored, &fresh);

    if (rc == 0) {
        fresh.expires = ngx_http_payer_store_later(fresh.expires,
                                                   stored.expires);

        if (ngx_http_payer_lmdb_unchanged(&stored, &fresh)) {
            return 0;
        }
    }

    return ngx_http_payer_lmdb_write_entry(le, &entry->alias, &fresh);
}


/* an entry whose merge declines is kept; MDB_NOTFOUND is not an error */

int
ngx_http_payer_lmdb_delete(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_lmdb_job_t *job, ngx_uint_t i)
{
    int                            rc;
    ngx_http_payer_lmdb_head_t     stored;
    ngx_http_payer_store_entry_t  *entry;

    entry = &job->entries[i];

    rc = ngx_http_payer_lmdb_find(le, &entry->key, &stored);

    if (rc != 0) {
        return rc;
    }

    if (entry->merge != NULL
        && entry->merge(&stored.value, &entry->value) != NGX_OK)
    {
        return ngx_http_payer_lmdb_keep(job, i, &stored.value, stored.rev, 1);
    }

    if (i == 0) {
        job->kept = 0;
    }

    return ngx_http_payer_lmdb_remove(le, &entry->key, &stored);
}


int
ngx_http_payer_lmdb_remove(ngx_http_payer_lmdb_env_t *le, ngx_str_t *key,
    ngx_http_payer_lmdb_head_t *stored)
{
    int                         rc;
    MDB_val                     k, v;
    ngx_http_payer_lmdb_head_t  none;

    ngx_memzero(&none, sizeof(ngx_http_payer_lmdb_head_t));

    ngx_http_payer_lmdb_claim(le, NULL, stored, &none);

    rc = ngx_http_payer_lmdb_index(le, key, stored, &none);

    if (rc != 0) {
        return rc;
    }

    if (none.claimed) {
        return ngx_http_payer_lmdb_write_claim(le, key, &none);
    }

    k.mv_data = key->data;
    k.mv_size = key->len;

    rc = mdb_cursor_get(le->cursor, &k, &v, MDB_SET);

    return (rc == 0) ? mdb_cursor_del(le->cursor, 0) : rc;
}


/* what put() answers for its first entry */

static int
ngx_http_payer_lmdb_keep(ngx_http_payer_lmdb_job_t *job, ngx_uint_t i,
    ngx_str_t *value, uint64_t rev, ngx_uint_t kept)
{
    if (i != 0) {
        return 0;
    }

    job->rev = rev;

    if (!job->wanted) {
        return 0;
    }

    job->kept = kept;

    return ngx_http_payer_lmdb_result_copy(job, value);
}


int
ngx_http_payer_lmdb_result_copy(ngx_http_payer_lmdb_job_t *job,
    ngx_str_t *value)
{
    if (job->result != NULL) {
        ngx_free(job->result);
    }

    job->result = ngx_alloc(value->len + 1, ngx_cycle->log);
    if (job->result == NULL) {
        return NGX_ENOMEM;
    }

    ngx_memcpy(job->result, value->data, value->len);
    job->len = value->len;

    return 0;
}


time_t
ngx_http_payer_lmdb_read_time(MDB_val *value)
{
    /* of the format key */

    if (value->mv_size < NGX_HTTP_PAYER_LMDB_EXPIRES_LEN) {
        return 0;
    }

    return (time_t) ngx_http_payer_lmdb_read_int(value->mv_data);
}


time_t
ngx_http_payer_lmdb_expires(MDB_val *value)
{
    return ngx_http_payer_lmdb_read_time(value)
           & NGX_HTTP_PAYER_LMDB_MAX_TIME;
}
