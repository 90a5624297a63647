
/*
 * Claims of several nginx instances with one store.  A claim is a part of the
 * entry that it protects, so that it is written and released with it, and
 * nothing outside of the store sees it; without an entry, it stands alone
 * under that key.  Within one nginx the zone's claims come first.
 *
 * A claim is the owner's id, on the monotonic clock since when and until when,
 * in milliseconds, and the process.  That clock is the same for all processes
 * of a machine, and a claim with a later time was taken before the machine
 * started.
 *
 * A claim ends with its process: each process with an open store is in LMDB's
 * table of readers, and a lock of the system shows which of them have exited.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_store_lmdb.h"


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


static void ngx_http_payer_lmdb_claim_take(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_lmdb_job_t *job, ngx_http_payer_lmdb_head_t *stored,
    ngx_http_payer_lmdb_head_t *fresh);
static ngx_uint_t ngx_http_payer_lmdb_claim_ours(
    ngx_http_payer_lmdb_job_t *job, ngx_http_payer_lmdb_head_t *head,
    size_t len);
static ngx_uint_t ngx_http_payer_lmdb_claim_dead(
    ngx_http_payer_lmdb_env_t *le, ngx_http_payer_lmdb_head_t *head);
static int ngx_http_payer_lmdb_claim_reader(const char *line, void *data);
static int64_t ngx_http_payer_lmdb_claim_left(
    ngx_http_payer_lmdb_head_t *head);


int
ngx_http_payer_lmdb_take(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_lmdb_job_t *job)
{
    int                         rc;
    MDB_val                     k, v;
    ngx_str_t                   key;
    ngx_http_payer_lmdb_head_t  stored, fresh;

    /* of a key that is too long the end is more specific than the beginning */

    key.len = ngx_min(job->claim.key.len, NGX_HTTP_PAYER_STORE_MAX_KEY);
    key.data = job->claim.key.data + job->claim.key.len - key.len;

    rc = ngx_http_payer_lmdb_find(le, &key, &stored);

    if (rc != 0 && rc != MDB_NOTFOUND) {
        return rc;
    }

    ngx_http_payer_lmdb_claim(le, job, &stored, &fresh);

    if (job->busy) {
        return 0;
    }

    if (rc == 0) {
        return ngx_http_payer_lmdb_reclaim(le, &key, &stored, &fresh);
    }

    if (fresh.claimed) {
        return ngx_http_payer_lmdb_write_claim(le, &key, &fresh);
    }

    if (!stored.claimed) {
        return 0;
    }

    k.mv_data = key.data;
    k.mv_size = key.len;

    rc = mdb_cursor_get(le->cursor, &k, &v, MDB_SET);

    return (rc == 0) ? mdb_cursor_del(le->cursor, 0) : rc;
}


void
ngx_http_payer_lmdb_claim(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_lmdb_job_t *job, ngx_http_payer_lmdb_head_t *stored,
    ngx_http_payer_lmdb_head_t *fresh)
{
    fresh->claimed = ngx_http_payer_lmdb_claim_runs(stored);

    if (fresh->claimed) {
        ngx_memcpy(fresh->claim, stored->claim, NGX_HTTP_PAYER_LMDB_CLAIM_LEN);
    }

    if (job == NULL) {
        return;
    }

    if (job->act == NGX_HTTP_PAYER_CLAIM_TAKE) {
        ngx_http_payer_lmdb_claim_take(le, job, stored, fresh);

    } else if (fresh->claimed
               && ngx_http_payer_lmdb_claim_ours(job, stored,
                                                 NGX_HTTP_PAYER_OWNER_LEN))
    {
        fresh->claimed = 0;
    }
}


/*
 * the owner of the claim in the zone has it for all processes with this zone
 */

static void
ngx_http_payer_lmdb_claim_take(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_lmdb_job_t *job, ngx_http_payer_lmdb_head_t *stored,
    ngx_http_payer_lmdb_head_t *fresh)
{
    u_char  *p;

    if (fresh->claimed
        && !ngx_http_payer_lmdb_claim_ours(job, stored, sizeof(uint64_t))
        && !ngx_http_payer_lmdb_claim_dead(le, stored))
    {
        job->busy = 1;
        job->left = (ngx_msec_t) ngx_http_payer_lmdb_claim_left(stored);
        return;
    }

    p = ngx_cpymem(fresh->claim, job->claim.id, NGX_HTTP_PAYER_OWNER_LEN);
    p = ngx_http_payer_lmdb_write_time(p, (time_t) ngx_current_msec);
    p = ngx_http_payer_lmdb_write_time(p, (time_t) (ngx_current_msec
                                                    + job->claim.lease));
    (void) ngx_http_payer_lmdb_write_time(p, (time_t) ngx_pid);

    fresh->claimed = 1;
}


int
ngx_http_payer_lmdb_reclaim(ngx_http_payer_lmdb_env_t *le, ngx_str_t *key,
    ngx_http_payer_lmdb_head_t *stored, ngx_http_payer_lmdb_head_t *fresh)
{
    u_char                      buf[NGX_HTTP_PAYER_STORE_MAX_VALUE];
    ngx_http_payer_lmdb_head_t  head;

    if (stored->claimed == fresh->claimed
        && (!stored->claimed
            || ngx_memcmp(stored->claim, fresh->claim,
                          NGX_HTTP_PAYER_LMDB_CLAIM_LEN)
               == 0))
    {
        return 0;
    }

    if (stored->value.len > sizeof(buf)) {
        return MDB_CORRUPTED;
    }

    head = *stored;
    head.claimed = fresh->claimed;
    ngx_memcpy(head.claim, fresh->claim, NGX_HTTP_PAYER_LMDB_CLAIM_LEN);

    head.value.data = buf;
    ngx_memcpy(buf, stored->value.data, stored->value.len);

    return ngx_http_payer_lmdb_write_entry(le, key, &head);
}


int
ngx_http_payer_lmdb_write_claim(ngx_http_payer_lmdb_env_t *le, ngx_str_t *key,
    ngx_http_payer_lmdb_head_t *head)
{
    head->layout = NGX_HTTP_PAYER_LMDB_CLAIM;
    head->expires = le->now + NGX_HTTP_PAYER_LMDB_CLAIM_STAY;
    ngx_str_null(&head->value);

    return ngx_http_payer_lmdb_write_entry(le, key, head);
}


/* whether the owner is that of the job, as far as the first "len" bytes say */

static ngx_uint_t
ngx_http_payer_lmdb_claim_ours(ngx_http_payer_lmdb_job_t *job,
    ngx_http_payer_lmdb_head_t *head, size_t len)
{
    return ngx_memcmp(head->claim, job->claim.id, len) == 0;
}


static ngx_uint_t
ngx_http_payer_lmdb_claim_dead(ngx_http_payer_lmdb_env_t *le,
    ngx_http_payer_lmdb_head_t *head)
{
    int                          dead;
    ngx_http_payer_lmdb_owner_t  owner;

    owner.found = 0;
    owner.pid = (ngx_pid_t)
                ngx_http_payer_lmdb_read_int(head->claim
                                             + NGX_HTTP_PAYER_OWNER_LEN + 16);

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
ngx_http_payer_lmdb_claim_left(ngx_http_payer_lmdb_head_t *head)
{
    u_char   *p;
    int64_t   since, until, now;

    p = head->claim + NGX_HTTP_PAYER_OWNER_LEN;

    since = ngx_http_payer_lmdb_read_int(p);
    until = ngx_http_payer_lmdb_read_int(p + 8);

    now = (int64_t) ngx_current_msec;

    /* the clock of one process is some milliseconds behind that of another */

    return (since > now + 60000 || until <= now) ? 0 : until - now;
}


ngx_uint_t
ngx_http_payer_lmdb_claim_runs(ngx_http_payer_lmdb_head_t *head)
{
    return head->claimed && ngx_http_payer_lmdb_claim_left(head) > 0;
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
