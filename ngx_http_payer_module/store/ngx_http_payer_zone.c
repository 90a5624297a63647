
/*
 * The shared memory of "payer_zone": its initialization and the claims in it.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <sys/random.h>
#include "ngx_http_payer_compat.h"
#include "ngx_http_payer_zone.h"


/* how many claims are checked with each new one, and when the zone is full */
#define NGX_HTTP_PAYER_CLAIM_SWEEP       2
#define NGX_HTTP_PAYER_CLAIM_FULL_SWEEP  256


typedef struct {
    ngx_rbtree_node_t    node;                  /* key: hash of the key */
    ngx_queue_t          queue;
    ngx_uint_t           owner;
    ngx_msec_t           expires;
    size_t               len;
    u_char               data[1];
} ngx_http_payer_claim_node_t;


static ngx_int_t ngx_http_payer_zone_create(ngx_shm_zone_t *shm_zone,
    ngx_http_payer_zone_t *zone);
static ngx_int_t ngx_http_payer_zone_fits(ngx_shm_zone_t *shm_zone,
    ngx_http_payer_zone_t *zone);
static void ngx_http_payer_claim_insert_value(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static ngx_http_payer_claim_node_t *ngx_http_payer_claim_lookup(
    ngx_http_payer_zone_t *zone, ngx_uint_t hash, ngx_str_t *key);
static ngx_http_payer_claim_node_t *ngx_http_payer_claim_create(
    ngx_http_payer_zone_t *zone, ngx_uint_t hash, ngx_str_t *key);
static void ngx_http_payer_claim_delete(ngx_http_payer_zone_t *zone,
    ngx_http_payer_claim_node_t *cn);
static void ngx_http_payer_claim_sweep(ngx_http_payer_zone_t *zone,
    ngx_uint_t n);
static ngx_uint_t ngx_http_payer_claim_stale(ngx_http_payer_claim_node_t *cn);
static time_t ngx_http_payer_zone_epoch(void);


ngx_int_t
ngx_http_payer_zone_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_http_payer_zone_t  *ozone = data;

    ngx_http_payer_zone_t  *zone;

    zone = shm_zone->data;
    zone->shm_zone = shm_zone;

    if (zone->admit != NULL
        && zone->admit(zone->data, shm_zone->shm.log) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_payer_undumped(shm_zone->shm.addr, shm_zone->shm.size);

    if (ozone) {
        zone->sh = ozone->sh;
        zone->shpool = ozone->shpool;

        return ngx_http_payer_zone_fits(shm_zone, zone);
    }

    zone->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (shm_zone->shm.exists) {
        zone->sh = zone->shpool->data;

        return ngx_http_payer_zone_fits(shm_zone, zone);
    }

    return ngx_http_payer_zone_create(shm_zone, zone);
}


/* a reload with another host: test payments must not be used with it */

static ngx_int_t
ngx_http_payer_zone_fits(ngx_shm_zone_t *shm_zone,
    ngx_http_payer_zone_t *zone)
{
    if (zone->mode.len == 0) {
        return NGX_OK;
    }

    if (zone->sh->mode[0] == '\0') {
        ngx_cpystrn(zone->sh->mode, zone->mode.data, zone->mode.len + 1);
    }

    if (ngx_strcmp(zone->sh->mode, zone->mode.data) == 0) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                  "payer_zone \"%V\" has payments of a \"%s\" host, and this "
                  "configuration is for a \"%V\" one: restart nginx, or give "
                  "the zone another name",
                  &shm_zone->shm.name, zone->sh->mode, &zone->mode);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_payer_zone_create(ngx_shm_zone_t *shm_zone,
    ngx_http_payer_zone_t *zone)
{
    size_t                     len;
    ngx_http_payer_zone_sh_t  *sh;

    sh = ngx_slab_calloc(zone->shpool, sizeof(ngx_http_payer_zone_sh_t));
    if (sh == NULL) {
        return NGX_ERROR;
    }

    ngx_rbtree_init(&sh->claims, &sh->claims_sentinel,
                    ngx_http_payer_claim_insert_value);
    ngx_queue_init(&sh->claims_queue);
    ngx_queue_init(&sh->tokens);
    ngx_queue_init(&sh->notes);

    if (getrandom(&sh->instance, sizeof(sh->instance), 0)
        != sizeof(sh->instance))
    {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, ngx_errno,
                      "payer_zone: getrandom() failed");
        return NGX_ERROR;
    }

    sh->epoch = ngx_http_payer_zone_epoch();
    sh->store_generation = 1;

    if (zone->mode.len) {
        ngx_cpystrn(sh->mode, zone->mode.data, zone->mode.len + 1);
    }

    len = sizeof(" in payer_zone \"\"") + shm_zone->shm.name.len;

    zone->shpool->log_ctx = ngx_slab_alloc(zone->shpool, len);
    if (zone->shpool->log_ctx == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(zone->shpool->log_ctx, " in payer_zone \"%V\"%Z",
                &shm_zone->shm.name);

    /* a full zone is reported by the caller, and not under the mutex */
    zone->shpool->log_nomem = 0;

    zone->shpool->data = sh;
    zone->sh = sh;

    return NGX_OK;
}


/* FNV-1a over eight bytes at a time; the trees allow collisions */

ngx_rbtree_key_t
ngx_http_payer_zone_hash(ngx_str_t *key)
{
    size_t     len;
    u_char    *data;
    uint64_t   h, word;

    data = key->data;
    len = key->len;

    h = 0xcbf29ce484222325ULL ^ len;

    while (len) {
        word = 0;

        if (len >= sizeof(word)) {
            ngx_memcpy(&word, data, sizeof(word));
            data += sizeof(word);
            len -= sizeof(word);

        } else {
            ngx_memcpy(&word, data, len);
            len = 0;
        }

        h = (h ^ word) * 0x100000001b3ULL;
        h ^= h >> 32;
    }

    return (ngx_rbtree_key_t) h;
}


ngx_int_t
ngx_http_payer_zone_claim(ngx_http_payer_zone_t *zone, ngx_str_t *key,
    ngx_msec_t lease, ngx_http_payer_claim_t *claim)
{
    ngx_int_t                     rc;
    ngx_uint_t                    hash;
    ngx_http_payer_claim_node_t  *cn;

    claim->owner = 0;
    claim->key = *key;
    claim->lease = lease;
    claim->taken = 0;

    hash = ngx_http_payer_zone_hash(key);

    ngx_shmtx_lock(&zone->shpool->mutex);

    cn = ngx_http_payer_claim_lookup(zone, hash, key);

    if (cn != NULL && !ngx_http_payer_claim_stale(cn)) {
        rc = NGX_BUSY;
        goto done;
    }

    if (cn == NULL) {
        ngx_http_payer_claim_sweep(zone, NGX_HTTP_PAYER_CLAIM_SWEEP);

        cn = ngx_http_payer_claim_create(zone, hash, key);
        if (cn == NULL) {
            rc = NGX_ERROR;
            goto done;
        }
    }

    zone->sh->serial++;

    if (zone->sh->serial == 0) {
        zone->sh->serial = 1;
    }

    cn->owner = zone->sh->serial;
    cn->expires = ngx_current_msec + lease;

    claim->owner = cn->owner;
    rc = NGX_OK;

done:

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return rc;
}


void
ngx_http_payer_zone_extend(ngx_http_payer_zone_t *zone,
    ngx_http_payer_claim_t *claim, ngx_msec_t lease)
{
    ngx_uint_t                    hash;
    ngx_http_payer_claim_node_t  *cn;

    hash = ngx_http_payer_zone_hash(&claim->key);

    ngx_shmtx_lock(&zone->shpool->mutex);

    cn = ngx_http_payer_claim_lookup(zone, hash, &claim->key);

    if (cn != NULL && cn->owner == claim->owner) {
        cn->expires = ngx_current_msec + lease;
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


void
ngx_http_payer_zone_unclaim(ngx_http_payer_zone_t *zone,
    ngx_http_payer_claim_t *claim)
{
    ngx_uint_t                    hash;
    ngx_http_payer_claim_node_t  *cn;

    if (claim->owner == 0) {
        return;
    }

    hash = ngx_http_payer_zone_hash(&claim->key);

    ngx_shmtx_lock(&zone->shpool->mutex);

    cn = ngx_http_payer_claim_lookup(zone, hash, &claim->key);

    if (cn != NULL && cn->owner == claim->owner) {
        ngx_http_payer_claim_delete(zone, cn);
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    claim->owner = 0;
}


void
ngx_http_payer_zone_defer(ngx_http_payer_zone_t *zone,
    ngx_http_payer_claim_t *claim, ngx_msec_t pause)
{
    ngx_http_payer_claim_node_t  *cn;

    ngx_shmtx_lock(&zone->shpool->mutex);

    cn = ngx_http_payer_claim_lookup(zone,
                                     ngx_http_payer_zone_hash(&claim->key),
                                     &claim->key);

    if (cn != NULL && cn->owner == claim->owner) {
        cn->owner = 0;
        cn->expires = ngx_current_msec + pause;
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    claim->owner = 0;
}


static void
ngx_http_payer_claim_insert_value(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel)
{
    ngx_rbtree_node_t            **p;
    ngx_http_payer_claim_node_t   *cn, *cnt;

    for ( ;; ) {

        if (node->key != temp->key) {
            p = (node->key < temp->key) ? &temp->left : &temp->right;

        } else {
            cn = (ngx_http_payer_claim_node_t *) node;
            cnt = (ngx_http_payer_claim_node_t *) temp;

            p = (ngx_memn2cmp(cn->data, cnt->data, cn->len, cnt->len) < 0)
                ? &temp->left : &temp->right;
        }

        if (*p == sentinel) {
            break;
        }

        temp = *p;
    }

    *p = node;
    node->parent = temp;
    node->left = sentinel;
    node->right = sentinel;
    ngx_rbt_red(node);
}


static ngx_http_payer_claim_node_t *
ngx_http_payer_claim_lookup(ngx_http_payer_zone_t *zone, ngx_uint_t hash,
    ngx_str_t *key)
{
    ngx_int_t                     rc;
    ngx_rbtree_node_t            *node, *sentinel;
    ngx_http_payer_claim_node_t  *cn;

    node = zone->sh->claims.root;
    sentinel = zone->sh->claims.sentinel;

    while (node != sentinel) {

        if (hash != node->key) {
            node = (hash < node->key) ? node->left : node->right;
            continue;
        }

        cn = (ngx_http_payer_claim_node_t *) node;

        rc = ngx_memn2cmp(key->data, cn->data, key->len, cn->len);

        if (rc == 0) {
            return cn;
        }

        node = (rc < 0) ? node->left : node->right;
    }

    return NULL;
}


static ngx_http_payer_claim_node_t *
ngx_http_payer_claim_create(ngx_http_payer_zone_t *zone, ngx_uint_t hash,
    ngx_str_t *key)
{
    size_t                        size;
    ngx_http_payer_claim_node_t  *cn;

    size = offsetof(ngx_http_payer_claim_node_t, data) + key->len;

    cn = ngx_slab_alloc_locked(zone->shpool, size);

    if (cn == NULL) {
        ngx_http_payer_claim_sweep(zone, NGX_HTTP_PAYER_CLAIM_FULL_SWEEP);

        cn = ngx_slab_alloc_locked(zone->shpool, size);
        if (cn == NULL) {
            return NULL;
        }
    }

    cn->node.key = hash;
    cn->owner = 0;
    cn->expires = ngx_current_msec;
    cn->len = key->len;
    ngx_memcpy(cn->data, key->data, key->len);

    ngx_rbtree_insert(&zone->sh->claims, &cn->node);
    ngx_queue_insert_tail(&zone->sh->claims_queue, &cn->queue);

    return cn;
}


static void
ngx_http_payer_claim_delete(ngx_http_payer_zone_t *zone,
    ngx_http_payer_claim_node_t *cn)
{
    ngx_queue_remove(&cn->queue);
    ngx_rbtree_delete(&zone->sh->claims, &cn->node);
    ngx_slab_free_locked(zone->shpool, cn);
}


/* leases differ, so those still running are moved to the end of the queue */

static void
ngx_http_payer_claim_sweep(ngx_http_payer_zone_t *zone, ngx_uint_t n)
{
    ngx_queue_t                  *q;
    ngx_http_payer_claim_node_t  *cn;

    while (n-- && !ngx_queue_empty(&zone->sh->claims_queue)) {

        q = ngx_queue_head(&zone->sh->claims_queue);
        cn = ngx_queue_data(q, ngx_http_payer_claim_node_t, queue);

        if (ngx_http_payer_claim_stale(cn)) {
            ngx_http_payer_claim_delete(zone, cn);
            continue;
        }

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&zone->sh->claims_queue, q);
    }
}


/* ngx_current_msec is monotonic and the same in all processes */

static ngx_uint_t
ngx_http_payer_claim_stale(ngx_http_payer_claim_node_t *cn)
{
    return (ngx_msec_int_t) (cn->expires - ngx_current_msec) <= 0;
}


time_t
ngx_http_payer_zone_hold(ngx_http_payer_zone_t *zone, ngx_uint_t *leapt)
{
    time_t                     epoch, most;
    ngx_http_payer_zone_sh_t  *sh;

    sh = zone->sh;

    epoch = ngx_http_payer_zone_epoch();
    *leapt = (epoch - sh->epoch > NGX_HTTP_PAYER_ZONE_LEAP);

    sh->epoch = epoch;

    most = ngx_time() + NGX_HTTP_PAYER_ZONE_HOLD;

    /* a later time is from before the clock was set back */

    if (*leapt || sh->held > most) {
        sh->held = most;
    }

    return sh->held;
}


/* the start of the monotonic clock; it should not change */

static time_t
ngx_http_payer_zone_epoch(void)
{
    return ngx_time() - (time_t) (ngx_current_msec / 1000);
}
