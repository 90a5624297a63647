
/*
 * Claims of several nginx instances with one store: entries next to those that
 * they protect, taken in the transaction in which the first of those is
 * written, and on the same page, which is copied only once.  Within one nginx
 * the zone's claims come first.
 *
 * A value is, behind the time after which it may be dropped, the owner's id,
 * on the monotonic clock since when and until when, in milliseconds, and the
 * process.  That clock is the same for all processes of a machine, and a claim
 * with a later time was taken before the machine started.
 *
 * A claim ends with its process: each process with an open store is in LMDB's
 * table of readers, and a lock of the system shows which of them have exited.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_store_lmdb.h"


#define NGX_HTTP_PAYER_LMDB_CLAIM_LEN                                         \
    (NGX_HTTP_PAYER_LMDB_EXPIRES_LEN + NGX_HTTP_PAYER_OWNER_LEN + 24)

/*
 * the maximum time, in seconds, for which a claim that was not released is
 * kept
 */
#define NGX_HTTP_PAYER_LMDB_CLAIM_STAY  86400


/* a process that is looked for in the table of readers */
typedef struct {
    ngx_pid_t     pid;
    ngx_uint_t    found;        /* unsigned  found:1; */
} ngx_http_payer_lmdb_owner_t;


static void ngx_http_payer_lmdb_claim_key(MDB_val *key, u_char *name,
    ngx_str_t *claimed);
static ngx_uint_t ngx_http_payer_lmdb_claim_ours(
    ngx_http_payer_lmdb_job_t *job, MDB_val *value, size_t len);
static int ngx_http_payer_lmdb_claim_release(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_lmdb_job_t *job, MDB_val *key);
static ngx_uint_t ngx_http_payer_lmdb_claim_dead(
    ngx_http_payer_lmdb_env_t *le, MDB_val *value);
static int ngx_http_payer_lmdb_claim_reader(const char *line, void *data);
static int64_t ngx_http_payer_lmdb_claim_left(MDB_val *value);


int
ngx_http_payer_lmdb_take(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_lmdb_job_t *job)
{
    int       rc;
    u_char   *p, name[NGX_HTTP_PAYER_STORE_MAX_KEY];
    u_char    text[NGX_HTTP_PAYER_LMDB_CLAIM_LEN];
    int64_t   left;
    MDB_val   key, value, stored;

    ngx_http_payer_lmdb_claim_key(&key, name, &job->claim.key);

    if (job->act == NGX_HTTP_PAYER_CLAIM_RELEASE) {
        return ngx_http_payer_lmdb_claim_release(le, job, &key);
    }

    p = ngx_http_payer_lmdb_write_time(text, le->now
                                       + NGX_HTTP_PAYER_LMDB_CLAIM_STAY);
    p[-1] = NGX_HTTP_PAYER_LMDB_CLAIM;
    p = ngx_cpymem(p, job->claim.id, NGX_HTTP_PAYER_OWNER_LEN);
    p = ngx_http_payer_lmdb_write_time(p, (time_t) ngx_current_msec);
    p = ngx_http_payer_lmdb_write_time(p, (time_t) (ngx_current_msec
                                                    + job->claim.lease));
    (void) ngx_http_payer_lmdb_write_time(p, (time_t) ngx_pid);

    value.mv_data = text;
    value.mv_size = sizeof(text);
    stored = value;

    rc = mdb_cursor_put(le->cursor, &key, &stored, MDB_NOOVERWRITE);

    if (rc != MDB_KEYEXIST) {
        return rc;
    }

    /*
     * the owner of the claim in the zone has it for all processes with this
     * zone
     */

    left = (stored.mv_size == NGX_HTTP_PAYER_LMDB_CLAIM_LEN)
           ? ngx_http_payer_lmdb_claim_left(&stored) : 0;

    if (left > 0
        && !ngx_http_payer_lmdb_claim_ours(job, &stored, sizeof(uint64_t))
        && !ngx_http_payer_lmdb_claim_dead(le, &stored))
    {
        job->busy = 1;
        job->left = (ngx_msec_t) left;
        return 0;
    }

    return mdb_cursor_put(le->cursor, &key, &value, 0);
}


static int
ngx_http_payer_lmdb_claim_release(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_lmdb_job_t *job, MDB_val *key)
{
    int      rc;
    MDB_val  value;

    rc = mdb_cursor_get(le->cursor, key, &value, MDB_SET);

    if (rc != 0) {
        return (rc == MDB_NOTFOUND) ? 0 : rc;
    }

    return ngx_http_payer_lmdb_claim_ours(job, &value,
                                          NGX_HTTP_PAYER_OWNER_LEN)
           ? mdb_cursor_del(le->cursor, 0) : 0;
}


/* of a key that is too long the end is more specific than the beginning */

static void
ngx_http_payer_lmdb_claim_key(MDB_val *key, u_char *name, ngx_str_t *claimed)
{
    u_char  *p;
    size_t   len;

    len = ngx_min(claimed->len, NGX_HTTP_PAYER_STORE_MAX_KEY - 1);

    p = ngx_cpymem(name, claimed->data + claimed->len - len, len);
    *p++ = NGX_HTTP_PAYER_LMDB_CLAIM_BYTE;

    key->mv_data = name;
    key->mv_size = p - name;
}


/* whether the owner is that of the job, as far as the first "len" bytes say */

static ngx_uint_t
ngx_http_payer_lmdb_claim_ours(ngx_http_payer_lmdb_job_t *job, MDB_val *value,
    size_t len)
{
    return value->mv_size == NGX_HTTP_PAYER_LMDB_CLAIM_LEN
           && ngx_memcmp((u_char *) value->mv_data
                         + NGX_HTTP_PAYER_LMDB_EXPIRES_LEN, job->claim.id,
                         len)
              == 0;
}


static ngx_uint_t
ngx_http_payer_lmdb_claim_dead(ngx_http_payer_lmdb_env_t *le, MDB_val *value)
{
    int                          dead;
    ngx_http_payer_lmdb_owner_t  owner;

    owner.found = 0;
    owner.pid = (ngx_pid_t)
                ngx_http_payer_lmdb_read_int((u_char *) value->mv_data
                                             + value->mv_size - 8);

    if (owner.pid == ngx_pid) {
        return 0;
    }

    /* if not known, the process counts as running */

    return mdb_reader_check(le->env, &dead) == 0
           && mdb_reader_list(le->env, ngx_http_payer_lmdb_claim_reader,
                              &owner)
              >= 0
           && !owner.found;
}


/* a line of the table begins with the process; that of titles does not */

static int
ngx_http_payer_lmdb_claim_reader(const char *line, void *data)
{
    ngx_http_payer_lmdb_owner_t  *owner = data;

    while (*line == ' ') {
        line++;
    }

    if (strtol(line, NULL, 10) == (long) owner->pid) {
        owner->found = 1;
    }

    return 0;
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
ngx_http_payer_lmdb_claim_over(MDB_val *value)
{
    return value->mv_size != NGX_HTTP_PAYER_LMDB_CLAIM_LEN
           || ngx_http_payer_lmdb_claim_left(value) == 0;
}


/* the number of a claim in its zone, and the id of the zone */

void
ngx_http_payer_lmdb_claim_id(ngx_http_payer_zone_t *zone,
    ngx_http_payer_claim_t *claim)
{
    uint64_t  owner;

    owner = claim->owner;

    ngx_memcpy(claim->id, &zone->sh->instance, sizeof(uint64_t));
    ngx_memcpy(claim->id + sizeof(uint64_t), &owner, sizeof(uint64_t));
}
