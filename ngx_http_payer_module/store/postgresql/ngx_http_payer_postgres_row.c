
/*
 * The rows of the puts of a batch, as an array of payer.change_2, in the order
 * of their keys, which is the order in which all lock them.  In PostgreSQL's
 * binary format a row is an int4 with the number of its columns, and of each
 * of them an int4 with its type, an int4 with its length, -1 for NULL, and so
 * many bytes.
 */


#include "ngx_http_payer_postgres.h"


#define NGX_HTTP_PAYER_POSTGRES_COLUMNS  17

/* all columns, but for the bytes of texts */
#define NGX_HTTP_PAYER_POSTGRES_ROW                                           \
    (4 + NGX_HTTP_PAYER_POSTGRES_COLUMNS * (4 + 4 + 8)                        \
     + NGX_HTTP_PAYER_OWNER_LEN)


/* one that only the zone knows is not given back there */

#define ngx_http_payer_postgres_acts(job)                                    \
    ((job)->act == NGX_HTTP_PAYER_CLAIM_TAKE                                 \
     || ((job)->act == NGX_HTTP_PAYER_CLAIM_RELEASE && (job)->claim.taken))


/* a row of a put that is to be sent */

typedef struct {
    ngx_http_payer_postgres_job_t   *job;
    ngx_str_t                       *key;
    ngx_uint_t                       put;
    ngx_uint_t                       n;         /* of the entry; that of a
                                                 * claim is behind them */
    ngx_uint_t                       op;
} ngx_http_payer_postgres_row_t;


/* the last put may come when there are KEYS already */
#define NGX_HTTP_PAYER_POSTGRES_ROWS                                         \
    (NGX_HTTP_PAYER_POSTGRES_KEYS + 2 * NGX_HTTP_PAYER_STORE_MAX_ENTRIES + 1)


static void ngx_http_payer_postgres_new_row(
    ngx_http_payer_postgres_job_t *job, ngx_str_t *key, ngx_uint_t put,
    ngx_uint_t n, ngx_uint_t op);
static int ngx_libc_cdecl ngx_http_payer_postgres_compare(const void *one,
    const void *two);
static void ngx_http_payer_postgres_write_row(
    ngx_http_payer_postgres_array_t *a, ngx_http_payer_postgres_row_t *row);
static ngx_uint_t ngx_http_payer_postgres_single(
    ngx_http_payer_postgres_job_t *job);
static ngx_uint_t ngx_http_payer_postgres_claims(
    ngx_http_payer_postgres_job_t *job, ngx_str_t *key);


/* those of one batch */

static ngx_http_payer_postgres_row_t  ngx_http_payer_postgres_table[
                                                NGX_HTTP_PAYER_POSTGRES_ROWS];
static ngx_uint_t  ngx_http_payer_postgres_nrows;


static ngx_inline u_char *
ngx_http_payer_postgres_column(u_char *p, uint32_t type, ngx_str_t *value)
{
    p = ngx_http_payer_postgres_write4(p, type);

    if (value->data == NULL) {
        return ngx_http_payer_postgres_write4(p, (uint32_t) -1);
    }

    p = ngx_http_payer_postgres_write4(p, (uint32_t) value->len);

    return ngx_cpymem(p, value->data, value->len);
}


static ngx_inline u_char *
ngx_http_payer_postgres_column4(u_char *p, uint32_t n)
{
    p = ngx_http_payer_postgres_write4(p, NGX_HTTP_PAYER_POSTGRES_INT4);
    p = ngx_http_payer_postgres_write4(p, 4);

    return ngx_http_payer_postgres_write4(p, n);
}


static ngx_inline u_char *
ngx_http_payer_postgres_column8(u_char *p, uint64_t n)
{
    p = ngx_http_payer_postgres_write4(p, NGX_HTTP_PAYER_POSTGRES_INT8);
    p = ngx_http_payer_postgres_write4(p, 8);

    return ngx_http_payer_postgres_write8(p, n);
}


/* NULL, if it is not set */

static ngx_inline u_char *
ngx_http_payer_postgres_column_if(u_char *p, ngx_uint_t set, time_t n)
{
    if (set) {
        return ngx_http_payer_postgres_column8(p, (uint64_t) n);
    }

    p = ngx_http_payer_postgres_write4(p, NGX_HTTP_PAYER_POSTGRES_INT8);

    return ngx_http_payer_postgres_write4(p, (uint32_t) -1);
}


void
ngx_http_payer_postgres_add_put(ngx_http_payer_postgres_job_t *job,
    ngx_uint_t put)
{
    ngx_uint_t                     i, first;
    ngx_http_payer_store_entry_t  *entry;

    if (put == 1) {
        ngx_http_payer_postgres_nrows = 0;
    }

    first = ngx_http_payer_postgres_nrows;

    for (i = 0; i < job->n; i++) {
        entry = &job->entries[i];

        if (job->fresh[i].op == NGX_HTTP_PAYER_POSTGRES_SKIP) {
            continue;
        }

        ngx_http_payer_postgres_new_row(job, &entry->key, put, i,
                                        job->fresh[i].op);

        if (entry->alias.len) {
            ngx_http_payer_postgres_new_row(job, &entry->alias, put, i,
                                            NGX_HTTP_PAYER_POSTGRES_ALIAS);
        }
    }

    if (ngx_http_payer_postgres_claim_row(job)) {
        ngx_http_payer_postgres_new_row(job, &job->claim.key, put, job->n,
                                        NGX_HTTP_PAYER_POSTGRES_CLAIM);
    }

    job->rows = ngx_http_payer_postgres_nrows - first;
}


static void
ngx_http_payer_postgres_new_row(ngx_http_payer_postgres_job_t *job,
    ngx_str_t *key, ngx_uint_t put, ngx_uint_t n, ngx_uint_t op)
{
    ngx_http_payer_postgres_row_t  *row;

    row = &ngx_http_payer_postgres_table[ngx_http_payer_postgres_nrows++];

    row->job = job;
    row->key = key;
    row->put = put;
    row->n = n;
    row->op = op;
}


void
ngx_http_payer_postgres_rows(ngx_http_payer_postgres_array_t *a)
{
    ngx_uint_t  i;

    ngx_qsort(ngx_http_payer_postgres_table, ngx_http_payer_postgres_nrows,
              sizeof(ngx_http_payer_postgres_row_t),
              ngx_http_payer_postgres_compare);

    for (i = 0; i < ngx_http_payer_postgres_nrows; i++) {
        ngx_http_payer_postgres_write_row(a,
                                          &ngx_http_payer_postgres_table[i]);
    }
}


/* as the collation "C" has them */

static int ngx_libc_cdecl
ngx_http_payer_postgres_compare(const void *one, const void *two)
{
    const ngx_http_payer_postgres_row_t  *first = one;
    const ngx_http_payer_postgres_row_t  *second = two;

    return (int) ngx_memn2cmp(first->key->data, second->key->data,
                              first->key->len, second->key->len);
}


static void
ngx_http_payer_postgres_write_row(ngx_http_payer_postgres_array_t *a,
    ngx_http_payer_postgres_row_t *row)
{
    u_char                         *p, *start;
    time_t                          now, expires;
    ngx_str_t                       owner, value, target;
    ngx_uint_t                      claims;
    ngx_http_payer_label_t          label;
    ngx_http_payer_postgres_job_t  *job;

    job = row->job;
    now = ngx_time();
    expires = 0;

    ngx_str_null(&value);
    ngx_str_null(&target);
    ngx_memzero(&label, sizeof(ngx_http_payer_label_t));

    if (row->op == NGX_HTTP_PAYER_POSTGRES_WRITE) {
        value = job->fresh[row->n].value;
        label = job->fresh[row->n].label;
        expires = job->entries[row->n].expires;

    } else if (row->op == NGX_HTTP_PAYER_POSTGRES_ALIAS) {
        target = job->entries[row->n].key;
        expires = job->entries[row->n].expires;
    }

    claims = row->op != NGX_HTTP_PAYER_POSTGRES_ALIAS
             && ngx_http_payer_postgres_claims(job, row->key);

    owner.data = claims ? job->claim.id : NULL;
    owner.len = NGX_HTTP_PAYER_OWNER_LEN;

    start = ngx_http_payer_postgres_add(a, NGX_HTTP_PAYER_POSTGRES_ROW
                                           + row->key->len + value.len
                                           + target.len);
    if (start == NULL) {
        return;
    }

    p = ngx_http_payer_postgres_write4(start, NGX_HTTP_PAYER_POSTGRES_COLUMNS);

    p = ngx_http_payer_postgres_column4(p, row->put);
    p = ngx_http_payer_postgres_column4(p, row->n);

    p = ngx_http_payer_postgres_write4(p, NGX_HTTP_PAYER_POSTGRES_BOOL);
    p = ngx_http_payer_postgres_write4(p, 1);
    *p++ = (u_char) ngx_http_payer_postgres_single(job);

    p = ngx_http_payer_postgres_column4(p, row->op);
    p = ngx_http_payer_postgres_column(p, NGX_HTTP_PAYER_POSTGRES_TEXT,
                                       row->key);
    p = ngx_http_payer_postgres_column(p, NGX_HTTP_PAYER_POSTGRES_BYTEA,
                                       &value);
    p = ngx_http_payer_postgres_column8(p,
                                  row->op <= NGX_HTTP_PAYER_POSTGRES_DELETE
                                  ? job->stored[row->n].rev : 0);
    p = ngx_http_payer_postgres_column8(p, job->rev);
    p = ngx_http_payer_postgres_column(p, NGX_HTTP_PAYER_POSTGRES_TEXT,
                                       &target);
    p = ngx_http_payer_postgres_column_if(p, expires != 0, expires - now);
    p = ngx_http_payer_postgres_column_if(p, label.updated != 0,
                                          label.updated);
    p = ngx_http_payer_postgres_column_if(p, label.due != 0, label.due - now);
    p = ngx_http_payer_postgres_column8(p, label.attention);
    p = ngx_http_payer_postgres_column4(p, label.state);

    p = ngx_http_payer_postgres_column4(p, claims ? job->act : 0);
    p = ngx_http_payer_postgres_column(p, NGX_HTTP_PAYER_POSTGRES_BYTEA,
                                       &owner);
    p = ngx_http_payer_postgres_column4(p, claims ? job->claim.lease : 0);

    ngx_http_payer_postgres_add_end(a, start, p);
}


/* whether there is one row to be looked at, and perhaps its alias */

static ngx_uint_t
ngx_http_payer_postgres_single(ngx_http_payer_postgres_job_t *job)
{
    return job->n == 1
           && job->rows == 1 + (ngx_uint_t) (job->entries[0].alias.len != 0);
}


static ngx_uint_t
ngx_http_payer_postgres_claims(ngx_http_payer_postgres_job_t *job,
    ngx_str_t *key)
{
    return ngx_http_payer_postgres_acts(job)
           && job->claim.key.len == key->len
           && ngx_memcmp(job->claim.key.data, key->data, key->len) == 0;
}


/* whether the claim needs a row, as it is of no key that is sent */

ngx_uint_t
ngx_http_payer_postgres_claim_row(ngx_http_payer_postgres_job_t *job)
{
    ngx_uint_t  i;

    if (!ngx_http_payer_postgres_acts(job)) {
        return 0;
    }

    for (i = 0; i < job->n; i++) {
        if (job->fresh[i].op != NGX_HTTP_PAYER_POSTGRES_SKIP
            && ngx_http_payer_postgres_claims(job, &job->entries[i].key))
        {
            return 0;
        }
    }

    return 1;
}
