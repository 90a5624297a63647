
/*
 * Claims of several nginx that have one store: entries beside those that they
 * protect, taken in the same transaction in which the first of those is
 * written.  Within one nginx the zone's claims come first.
 *
 * A value is, behind the time after which it may be dropped, the owner's id,
 * and on the monotonic clock since when and until when, in milliseconds: that
 * clock is the same for all processes of a machine, and what began later than
 * now was before the machine started.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <sys/random.h>
#include "ngx_http_payer_store_lmdb.h"


#define NGX_HTTP_PAYER_LMDB_PREFIX                                            \
    (sizeof(NGX_HTTP_PAYER_LMDB_CLAIM_KEY) - 1)

#define NGX_HTTP_PAYER_LMDB_CLAIM_LEN                                         \
    (NGX_HTTP_PAYER_LMDB_EXPIRES_LEN + NGX_HTTP_PAYER_OWNER_LEN + 16)

/* how long, in seconds, one that was never given back stays at the most */
#define NGX_HTTP_PAYER_LMDB_CLAIM_STAY  86400


static int64_t ngx_http_payer_lmdb_claim_left(MDB_val *value);


int
ngx_http_payer_lmdb_take(ngx_http_payer_lmdb_env_t *le, MDB_txn *txn,
    ngx_http_payer_lmdb_job_t *job)
{
    int         rc;
    u_char     *p, name[NGX_HTTP_PAYER_STORE_MAX_KEY];
    u_char      text[NGX_HTTP_PAYER_LMDB_CLAIM_LEN];
    size_t      len;
    int64_t     left;
    MDB_val     key, value;
    ngx_uint_t  ours;

    /* of a key that is too long the end says more than the beginning */

    len = ngx_min(job->claim.key.len,
                  sizeof(name) - NGX_HTTP_PAYER_LMDB_PREFIX);

    p = ngx_cpymem(name, NGX_HTTP_PAYER_LMDB_CLAIM_KEY,
                   NGX_HTTP_PAYER_LMDB_PREFIX);
    p = ngx_cpymem(p, job->claim.key.data + job->claim.key.len - len, len);

    key.mv_data = name;
    key.mv_size = p - name;

    rc = mdb_get(txn, le->dbi, &key, &value);

    if (rc != 0 && rc != MDB_NOTFOUND) {
        return rc;
    }

    left = 0;
    ours = 0;

    if (rc == 0 && value.mv_size == NGX_HTTP_PAYER_LMDB_CLAIM_LEN) {
        left = ngx_http_payer_lmdb_claim_left(&value);
        ours = ngx_memcmp((u_char *) value.mv_data
                          + NGX_HTTP_PAYER_LMDB_EXPIRES_LEN, job->claim.id,
                          NGX_HTTP_PAYER_OWNER_LEN)
               == 0;
    }

    if (job->act == NGX_HTTP_PAYER_CLAIM_RELEASE) {
        return ours ? mdb_del(txn, le->dbi, &key, NULL) : 0;
    }

    if (left > 0 && !ours) {
        job->busy = 1;
        job->left = (ngx_msec_t) left;
        return 0;
    }

    p = ngx_http_payer_lmdb_write_time(text, le->now
                                       + NGX_HTTP_PAYER_LMDB_CLAIM_STAY);
    p = ngx_cpymem(p, job->claim.id, NGX_HTTP_PAYER_OWNER_LEN);
    p = ngx_http_payer_lmdb_write_time(p, (time_t) ngx_current_msec);
    (void) ngx_http_payer_lmdb_write_time(p, (time_t) (ngx_current_msec
                                                       + job->claim.lease));

    value.mv_data = text;
    value.mv_size = sizeof(text);

    return mdb_put(txn, le->dbi, &key, &value, 0);
}


/* milliseconds; none if it has run out */

static int64_t
ngx_http_payer_lmdb_claim_left(MDB_val *value)
{
    u_char   *p;
    int64_t   since, until, now;
    MDB_val   number;

    p = (u_char *) value->mv_data + NGX_HTTP_PAYER_LMDB_EXPIRES_LEN
        + NGX_HTTP_PAYER_OWNER_LEN;

    number.mv_size = NGX_HTTP_PAYER_LMDB_EXPIRES_LEN;

    number.mv_data = p;
    since = ngx_http_payer_lmdb_read_time(&number);

    number.mv_data = p + NGX_HTTP_PAYER_LMDB_EXPIRES_LEN;
    until = ngx_http_payer_lmdb_read_time(&number);

    now = (int64_t) ngx_current_msec;

    /* the clock of one process is some milliseconds behind that of another */

    return (since > now + 60000 || until <= now) ? 0 : until - now;
}


ngx_uint_t
ngx_http_payer_lmdb_claim_over(MDB_val *key, MDB_val *value)
{
    return key->mv_size >= NGX_HTTP_PAYER_LMDB_PREFIX
           && ngx_memcmp(key->mv_data, NGX_HTTP_PAYER_LMDB_CLAIM_KEY,
                         NGX_HTTP_PAYER_LMDB_PREFIX)
              == 0
           && value->mv_size == NGX_HTTP_PAYER_LMDB_CLAIM_LEN
           && ngx_http_payer_lmdb_claim_left(value) == 0;
}


/* random for each process, counted within it */

ngx_int_t
ngx_http_payer_lmdb_claim_id(u_char *id)
{
    static u_char      process[NGX_HTTP_PAYER_OWNER_LEN - sizeof(uint64_t)];
    static uint64_t    serial;
    static ngx_pid_t   pid;

    if (pid != ngx_pid) {

        if (getrandom(process, sizeof(process), 0) != sizeof(process)) {
            ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, ngx_errno,
                          "payer store: no random bytes for a lock");
            return NGX_ERROR;
        }

        pid = ngx_pid;
    }

    serial++;

    ngx_memcpy(id, process, sizeof(process));
    ngx_memcpy(id + sizeof(process), &serial, sizeof(serial));

    return NGX_OK;
}
