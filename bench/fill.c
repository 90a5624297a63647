
/*
 * Fills a store with the orders of years: see bench/fill.
 *
 * The bytes are those that the module writes, by its own code: records with
 * their labels, the other names by which they are found, and the indexes.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include <stdio.h>
#include <sys/stat.h>

#include "nginx_shim.h"
#include "ngx_http_payer_notice.h"
#include "ngx_http_payer_store_lmdb.h"


#define FILL_MAP    ((size_t) 1 << 34)
#define FILL_BATCH  100                     /* orders of a transaction */
#define FILL_ALONE  5000                    /* of the last ones each has its
                                             * own, as with nginx: large ones
                                             * leave more free pages, of which
                                             * LMDB writes a list each time */
#define FILL_REVS   20
#define FILL_DAYS   200                     /* the oldest order is that old */
#define FILL_KEPT   (7 * 366 * 86400)


typedef struct {
    const char                  *merchant;
    uint64_t                     first;
    uint64_t                     n;
    ngx_http_payer_state_e       state;     /* 0: as in a shop */
    int                          owed;      /* the shop is to be told */
    time_t                       now;
    ngx_http_payer_lmdb_env_t    le;
} fill_t;


static int fill_arguments(fill_t *fill, int argc, char **argv);
static int fill_open(fill_t *fill, const char *dir);
static int fill_own(fill_t *fill);
static int fill_put(fill_t *fill, MDB_txn *txn, const char *key,
    const void *value, size_t len);
static int fill_batch(fill_t *fill, uint64_t from, uint64_t to);
static int fill_order(fill_t *fill, uint64_t i);
static int fill_notice(fill_t *fill, ngx_pool_t *pool,
    ngx_str_t *merchant, ngx_http_payer_record_t *r);
static void fill_record(fill_t *fill, uint64_t i, ngx_http_payer_record_t *r);
static ngx_http_payer_state_e fill_state(fill_t *fill, uint64_t i);
static void fill_uuid(u_char *buf, uint64_t i, uint64_t salt);
static uint64_t fill_mix(uint64_t n);


int
main(int argc, char **argv)
{
    int       rc;
    fill_t    fill;
    uint64_t  i, n;

    memset(&fill, 0, sizeof(fill_t));

    if (fill_arguments(&fill, argc, argv) != 0) {
        fprintf(stderr, "usage: bench/fill DIR ORDERS [FIRST [STATE "
                "[MERCHANT]]]\n");
        return 2;
    }

    fill.now = time(NULL);

    rc = fill_open(&fill, argv[1]);

    for (i = 0; rc == 0 && i < fill.n; i += n) {
        n = (i + FILL_ALONE < fill.n) ? ngx_min(FILL_BATCH,
                                                fill.n - FILL_ALONE - i)
                                      : 1;
        rc = fill_batch(&fill, i, i + n);
    }

    if (rc == 0) {
        rc = mdb_env_sync(fill.le.env, 1);
    }

    if (rc != 0) {
        fprintf(stderr, "bench/fill: %s: %s\n", argv[1], mdb_strerror(rc));
        return 1;
    }

    mdb_env_close(fill.le.env);

    return 0;
}


static int
fill_arguments(fill_t *fill, int argc, char **argv)
{
    ngx_str_t   *name;
    ngx_uint_t   state;

    if (argc < 3 || argc > 6) {
        return -1;
    }

    fill->n = strtoull(argv[2], NULL, 10);
    fill->first = argc > 3 ? strtoull(argv[3], NULL, 10) : 100000000;
    fill->merchant = argc > 5 ? argv[5] : "4711";

    if (fill->n == 0 || strlen(fill->merchant) > 64) {
        return -1;
    }

    if (argc < 5 || strcmp(argv[4], "mixed") == 0) {
        return 0;
    }

    if (strcmp(argv[4], "owed") == 0) {
        fill->state = NGX_HTTP_PAYER_FULLY_CAPTURED;
        fill->owed = 1;
        return 0;
    }

    for (state = NGX_HTTP_PAYER_CREATING; state <= NGX_HTTP_PAYER_STATES;
         state++)
    {
        name = ngx_http_payer_state_name(state);

        if (strlen(argv[4]) == name->len
            && strncasecmp(argv[4], (char *) name->data, name->len) == 0)
        {
            fill->state = state;
            return 0;
        }
    }

    return -1;
}


static int
fill_open(fill_t *fill, const char *dir)
{
    int  rc;

    if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
        return errno;
    }

    rc = mdb_env_create(&fill->le.env);

    if (rc == 0) {
        rc = mdb_env_set_mapsize(fill->le.env, FILL_MAP);
    }

    if (rc == 0) {
        rc = mdb_env_open(fill->le.env, dir, MDB_NOSYNC, 0600);
    }

    return rc ? rc : fill_own(fill);
}


/* what tells a store of this format, unless there is one */

static int
fill_own(fill_t *fill)
{
    int       rc;
    char      format;
    u_char    clock[2 * NGX_HTTP_PAYER_LMDB_EXPIRES_LEN];
    MDB_txn  *txn;

    rc = mdb_txn_begin(fill->le.env, NULL, 0, &txn);

    if (rc != 0) {
        return rc;
    }

    rc = mdb_dbi_open(txn, NULL, 0, &fill->le.dbi);

    if (rc == 0) {
        rc = ngx_http_payer_lmdb_format(txn, fill->le.dbi);
    }

    if (rc == MDB_NOTFOUND) {
        format = NGX_HTTP_PAYER_LMDB_FORMAT;
        ngx_http_payer_lmdb_write_time(ngx_http_payer_lmdb_write_time(clock,
                                                      fill->now), fill->now);

        rc = fill_put(fill, txn, NGX_HTTP_PAYER_LMDB_FORMAT_KEY, &format, 1);

        if (rc == 0) {
            rc = fill_put(fill, txn, NGX_HTTP_PAYER_LMDB_CLOCK_KEY, clock,
                          sizeof(clock));
        }
    }

    if (rc != 0) {
        mdb_txn_abort(txn);
        return rc;
    }

    return mdb_txn_commit(txn);
}


static int
fill_put(fill_t *fill, MDB_txn *txn, const char *key, const void *value,
    size_t len)
{
    MDB_val  k, v;

    k.mv_data = (void *) key;
    k.mv_size = strlen(key);
    v.mv_data = (void *) value;
    v.mv_size = len;

    return mdb_put(txn, fill->le.dbi, &k, &v, 0);
}


static int
fill_batch(fill_t *fill, uint64_t from, uint64_t to)
{
    int       rc;
    MDB_txn  *txn;

    rc = mdb_txn_begin(fill->le.env, NULL, 0, &txn);

    if (rc != 0) {
        return rc;
    }

    fill->le.rev = (uint64_t) mdb_txn_id(txn) << FILL_REVS;

    rc = mdb_cursor_open(txn, fill->le.dbi, &fill->le.cursor);

    for ( /* void */ ; rc == 0 && from < to; from++) {
        rc = fill_order(fill, from);
    }

    if (rc != 0) {
        mdb_txn_abort(txn);
        return rc;
    }

    return mdb_txn_commit(txn);
}


static int
fill_order(fill_t *fill, uint64_t i)
{
    int                            rc;
    u_char                         reference[NGX_INT64_LEN + 1], id[37],
                                   request[37], url[80];
    ngx_str_t                      merchant, before;
    ngx_pool_t                    *pool;
    ngx_http_payer_record_t        record;
    ngx_http_payer_lmdb_job_t      job;
    ngx_http_payer_store_entry_t  *entry;

    memset(&record, 0, sizeof(ngx_http_payer_record_t));
    memset(&job, 0, sizeof(ngx_http_payer_lmdb_job_t));

    fill_uuid(id, i, 1);
    fill_uuid(request, i, 2);

    record.reference.data = reference;
    record.reference.len = sprintf((char *) reference, "%llu",
                                 (unsigned long long) (fill->first + i));
    record.url.data = url;
    record.url.len = sprintf((char *) url, "https://widget.example/card/%s",
                             id);
    record.payment_id.data = id;
    record.payment_id.len = 36;
    record.request_id.data = request;
    record.request_id.len = 36;

    fill_record(fill, i, &record);

    merchant.data = (u_char *) fill->merchant;
    merchant.len = strlen(fill->merchant);

    pool = shim_create_pool();
    entry = &job.entries[0];

    if (ngx_http_payer_record_order_key(pool, &merchant, &record.reference,
                                        &entry->key) != NGX_OK
        || (record.payment_id.len
            && ngx_http_payer_record_payment_key(pool, &merchant,
                                     &record.payment_id, &entry->alias)
               != NGX_OK)
        || ngx_http_payer_record_encode(pool, &record, &entry->value)
           != NGX_OK)
    {
        shim_destroy_pool(pool);
        return ENOMEM;
    }

    entry->describe = ngx_http_payer_record_describe;
    entry->expires = record.created + FILL_KEPT;
    job.n = 1;
    before.len = 0;
    before.data = (u_char *) "";

    rc = ngx_http_payer_lmdb_replace(&fill->le, &job, 0, &before);

    if (rc == 0 && fill->owed) {
        rc = fill_notice(fill, pool, &merchant, &record);
    }

    shim_destroy_pool(pool);

    return rc;
}


/* that it is paid, due now */

static int
fill_notice(fill_t *fill, ngx_pool_t *pool, ngx_str_t *merchant,
    ngx_http_payer_record_t *record)
{
    ngx_str_t                      before;
    ngx_http_payer_notice_t        notice;
    ngx_http_payer_lmdb_job_t      job;
    ngx_http_payer_store_entry_t  *entry;

    memset(&job, 0, sizeof(ngx_http_payer_lmdb_job_t));

    entry = &job.entries[0];

    if (ngx_http_payer_notice_init(pool, merchant, NGX_HTTP_PAYER_NOTICE_PAID,
                                   record, &notice) != NGX_OK)
    {
        return ENOMEM;
    }

    notice.created = fill->now;
    notice.since = fill->now;
    notice.due = fill->now;

    if (ngx_http_payer_notice_key(pool, merchant, &notice, &entry->key)
        != NGX_OK
        || ngx_http_payer_notice_encode(pool, &notice, &entry->value)
           != NGX_OK)
    {
        return ENOMEM;
    }

    entry->label.state = notice.state;
    entry->label.updated = fill->now;
    entry->label.due = notice.due;
    entry->expires = record->created + FILL_KEPT;
    job.n = 1;
    before.len = 0;
    before.data = (u_char *) "";

    return ngx_http_payer_lmdb_replace(&fill->le, &job, 0, &before);
}


/* one order after the other, the last one now */

static void
fill_record(fill_t *fill, uint64_t i, ngx_http_payer_record_t *record)
{
    record->state = fill_state(fill, i);
    record->source = NGX_HTTP_PAYER_BY_VERIFY;
    record->amount = 100 + (int64_t) (fill_mix(i) % 500000);
    record->authorized = -1;
    record->captured = -1;
    record->refunded = -1;

    record->created = fill->now - FILL_DAYS * 86400
                      + (time_t) (FILL_DAYS * 86400.0 * (i + 1) / fill->n);
    record->updated = record->created;
    record->expires = record->created + NGX_HTTP_PAYER_LINK_LIFE;
    memset(record->ticket, (u_char) (1 + i % 255), NGX_HTTP_PAYER_TICKET_LEN);

    ngx_str_set(&record->currency, "SEK");
    ngx_str_set(&record->server, "shop.example");

    if (fill->owed) {
        ngx_str_set(&record->notify, "/notification");
    }

    switch (record->state) {

    case NGX_HTTP_PAYER_CREATING:
        record->unknown = 1;
        ngx_str_null(&record->payment_id);
        ngx_str_null(&record->url);
        break;

    case NGX_HTTP_PAYER_INITIATED:
    case NGX_HTTP_PAYER_EXPIRED:
        ngx_str_set(&record->status, "INITIATED");
        break;

    case NGX_HTTP_PAYER_CANCELLED:
        ngx_str_set(&record->status, "CANCELLED");
        record->closed = 1;
        break;

    case NGX_HTTP_PAYER_AUTHORIZED:
        ngx_str_set(&record->status, "AUTHORIZED");
        record->authorized = record->amount;
        record->captured = 0;
        break;

    default:
        ngx_str_set(&record->status, "FULLY_CAPTURED");
        record->authorized = record->amount;
        record->captured = record->amount;
        break;
    }

    if (record->state == NGX_HTTP_PAYER_REFUNDED) {
        record->refunded = record->amount;
        record->closed = 1;
    }
}


/* of a hundred: 80 captured, 5 refunded, 5 cancelled, 5 that nobody paid; the
 * newest hundredth is not captured yet */

static ngx_http_payer_state_e
fill_state(fill_t *fill, uint64_t i)
{
    uint64_t  n;

    if (fill->state) {
        return fill->state;
    }

    n = fill_mix(i) % 100;

    if (i >= fill->n - fill->n / 100) {
        return n < 20 ? NGX_HTTP_PAYER_INITIATED : NGX_HTTP_PAYER_AUTHORIZED;
    }

    return n < 5 ? NGX_HTTP_PAYER_EXPIRED
           : n < 10 ? NGX_HTTP_PAYER_CANCELLED
           : n < 15 ? NGX_HTTP_PAYER_REFUNDED
           : NGX_HTTP_PAYER_FULLY_CAPTURED;
}


static void
fill_uuid(u_char *buf, uint64_t i, uint64_t salt)
{
    uint64_t  a, b;

    a = fill_mix(i * 2 + salt * 0x5851f42d4c957f2dULL);
    b = fill_mix(a + salt);

    sprintf((char *) buf, "%08x-%04x-%04x-%04x-%012llx",
            (unsigned) (a >> 32), (unsigned) (a >> 16 & 0xffff),
            (unsigned) (a & 0xffff), (unsigned) (b >> 48),
            (unsigned long long) (b & 0xffffffffffffULL));
}


/* numbers that are as good as random, and the same each time */

static uint64_t
fill_mix(uint64_t n)
{
    n += 0x9e3779b97f4a7c15ULL;
    n = (n ^ n >> 30) * 0xbf58476d1ce4e5b9ULL;
    n = (n ^ n >> 27) * 0x94d049bb133111ebULL;

    return n ^ n >> 31;
}
