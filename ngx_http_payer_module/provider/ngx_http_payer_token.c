
/*
 * The bearer token: cached in the zone for all workers, refreshed by one
 * request at a time.
 *
 * There is a node for each merchant.  A request that finds no valid token, or
 * one that is about to expire, takes a lease and requests a token; a lease is
 * longer than a token request may take, and the lease of a killed worker
 * process expires.  Times are ngx_current_msec, which is the same in all
 * processes and does not jump with the clock.
 */


#include "ngx_http_payer_token.h"
#include "ngx_http_payer_mask.h"


/* a token without expires_in is used for this time */

#define NGX_HTTP_PAYER_TOKEN_TTL    (55 * 60)

/* the maximum lifetime: one day */

#define NGX_HTTP_PAYER_TOKEN_MAX    (24 * 60 * 60)


struct ngx_http_payer_token_node_s {
    ngx_queue_t    queue;
    u_char         key[NGX_HTTP_PAYER_KEY_LEN];
    u_char        *data;            /* "Bearer ...", NULL: none */
    size_t         len;
    ngx_uint_t     version;
    ngx_msec_t     refresh;         /* from then on it is renewed */
    ngx_msec_t     expires;         /* from then on it is not used */
    ngx_uint_t     owner;           /* of the lease, 0: none */
    ngx_msec_t     lease;           /* until then */
    ngx_uint_t     failures;        /* counts failed fetches */
    ngx_uint_t     failure;         /* status of the last one */
};


static ngx_http_payer_token_node_t *ngx_http_payer_token_find(
    ngx_http_payer_zone_t *zone, ngx_http_payer_merchant_t *merchant);
static ngx_http_payer_token_node_t *ngx_http_payer_token_create(
    ngx_http_payer_zone_t *zone, ngx_http_payer_merchant_t *merchant);
static ngx_uint_t ngx_http_payer_token_valid(
    ngx_http_payer_token_node_t *node);
static ngx_int_t ngx_http_payer_token_lease(ngx_http_payer_zone_t *zone,
    ngx_http_payer_token_node_t *node, ngx_msec_t lease,
    ngx_http_payer_token_t *token);
static void ngx_http_payer_token_sweep(ngx_http_payer_zone_t *zone);
static void ngx_http_payer_token_erase(ngx_http_payer_zone_t *zone,
    ngx_http_payer_token_node_t *node);


#define ngx_http_payer_msec_passed(t)                                        \
    ((ngx_msec_int_t) ((t) - ngx_current_msec) <= 0)


ngx_int_t
ngx_http_payer_token_get(ngx_pool_t *pool, ngx_http_payer_zone_t *zone,
    ngx_http_payer_merchant_t *merchant, ngx_msec_t lease,
    ngx_http_payer_token_t *token)
{
    size_t                        len;
    u_char                        buf[NGX_HTTP_PAYER_MAX_TOKEN];
    ngx_int_t                     rc;
    ngx_http_payer_token_node_t  *node;

    len = 0;
    token->bearer.len = 0;

    ngx_shmtx_lock(&zone->shpool->mutex);

    node = ngx_http_payer_token_find(zone, merchant);

    if (node == NULL) {
        node = ngx_http_payer_token_create(zone, merchant);
    }

    if (node == NULL) {
        rc = NGX_ERROR;

    } else {

        if (ngx_http_payer_token_valid(node)) {
            len = node->len;
            ngx_memcpy(buf, node->data, len);
            token->version = node->version;
        }

        rc = ngx_http_payer_token_lease(zone, node, lease, token);
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    if (len && rc != NGX_ERROR) {

        token->bearer.data = ngx_pnalloc(pool, len);

        if (token->bearer.data == NULL) {
            ngx_http_payer_token_fail(zone, merchant, token, 0);
            rc = NGX_ERROR;

        } else {
            ngx_memcpy(token->bearer.data, buf, len);
            token->bearer.len = len;
        }
    }

    ngx_explicit_memzero(buf, len);

    return rc;
}


static ngx_http_payer_token_node_t *
ngx_http_payer_token_find(ngx_http_payer_zone_t *zone,
    ngx_http_payer_merchant_t *merchant)
{
    ngx_queue_t                  *q;
    ngx_http_payer_token_node_t  *node;

    for (q = ngx_queue_head(&zone->sh->tokens);
         q != ngx_queue_sentinel(&zone->sh->tokens);
         q = ngx_queue_next(q))
    {
        node = ngx_queue_data(q, ngx_http_payer_token_node_t, queue);

        if (ngx_memcmp(node->key, merchant->key, NGX_HTTP_PAYER_KEY_LEN)
            == 0)
        {
            return node;
        }
    }

    return NULL;
}


static ngx_http_payer_token_node_t *
ngx_http_payer_token_create(ngx_http_payer_zone_t *zone,
    ngx_http_payer_merchant_t *merchant)
{
    ngx_http_payer_token_node_t  *node;

    node = ngx_slab_calloc_locked(zone->shpool,
                                  sizeof(ngx_http_payer_token_node_t));
    if (node == NULL) {
        return NULL;
    }

    ngx_memcpy(node->key, merchant->key, NGX_HTTP_PAYER_KEY_LEN);
    ngx_queue_insert_head(&zone->sh->tokens, &node->queue);

    return node;
}


static ngx_uint_t
ngx_http_payer_token_valid(ngx_http_payer_token_node_t *node)
{
    return node->data != NULL && !ngx_http_payer_msec_passed(node->expires);
}


/* decides what the caller has to do; see ngx_http_payer_token_get() */

static ngx_int_t
ngx_http_payer_token_lease(ngx_http_payer_zone_t *zone,
    ngx_http_payer_token_node_t *node, ngx_msec_t lease,
    ngx_http_payer_token_t *token)
{
    ngx_uint_t  valid, free;

    valid = ngx_http_payer_token_valid(node);

    if (valid && !ngx_http_payer_msec_passed(node->refresh)) {
        return NGX_OK;
    }

    if (!valid && token->waiting && node->failures != token->failures) {
        token->failure = node->failure;
        return NGX_ABORT;
    }

    free = (node->owner == 0 || ngx_http_payer_msec_passed(node->lease));

    if (free) {
        node->owner = ngx_atomic_fetch_add(&zone->sh->serial, 1) + 1;
        node->lease = ngx_current_msec + lease;
        token->owner = node->owner;
        return NGX_DECLINED;
    }

    if (valid) {
        return NGX_OK;
    }

    if (!token->waiting) {
        token->waiting = 1;
        token->failures = node->failures;
    }

    return NGX_AGAIN;
}


ngx_int_t
ngx_http_payer_token_ask(ngx_http_payer_zone_t *zone,
    ngx_http_payer_merchant_t *merchant, ngx_http_payer_token_t *token,
    ngx_msec_t *left)
{
    ngx_int_t                     rc;
    ngx_http_payer_token_node_t  *node;

    rc = NGX_DONE;

    ngx_shmtx_lock(&zone->shpool->mutex);

    node = ngx_http_payer_token_find(zone, merchant);

    if (node && !ngx_http_payer_token_valid(node)
        && node->failures == token->failures)
    {
        rc = NGX_OK;

        if (node->owner && !ngx_http_payer_msec_passed(node->lease)) {
            *left = node->lease - ngx_current_msec;
            rc = NGX_BUSY;
        }
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return rc;
}


ngx_int_t
ngx_http_payer_token_put(ngx_pool_t *pool, ngx_http_payer_zone_t *zone,
    ngx_http_payer_merchant_t *merchant, ngx_http_payer_token_t *token,
    ngx_str_t *value, time_t expires_in)
{
    size_t                        len;
    u_char                       *p, *data;
    ngx_int_t                     rc;
    ngx_msec_t                    ttl;
    ngx_http_payer_token_node_t  *node;

    len = sizeof("Bearer ") - 1 + value->len;

    p = ngx_pnalloc(pool, len);
    if (p == NULL) {
        ngx_http_payer_token_fail(zone, merchant, token, 0);
        return NGX_ERROR;
    }

    ngx_http_payer_token_wipe(token);

    token->bearer.data = p;
    token->bearer.len = len;

    p = ngx_cpymem(p, "Bearer ", sizeof("Bearer ") - 1);
    ngx_memcpy(p, value->data, value->len);

    if (expires_in <= 0) {
        expires_in = NGX_HTTP_PAYER_TOKEN_TTL;
    }

    ttl = (ngx_msec_t) ngx_min(expires_in, NGX_HTTP_PAYER_TOKEN_MAX) * 1000;

    rc = NGX_ERROR;

    ngx_shmtx_lock(&zone->shpool->mutex);

    node = ngx_http_payer_token_find(zone, merchant);

    if (node && node->owner == token->owner) {
        node->owner = 0;

        data = ngx_slab_alloc_locked(zone->shpool, len);

        if (data) {
            ngx_memcpy(data, token->bearer.data, len);

            ngx_http_payer_token_erase(zone, node);

            node->data = data;
            node->len = len;
            node->version++;

            /* renewed in the last tenth, not used in the last fiftieth */

            node->refresh = ngx_current_msec + ttl - ttl / 10;
            node->expires = ngx_current_msec + ttl - ttl / 50;

            token->version = node->version;
            rc = NGX_OK;
        }
    }

    ngx_http_payer_token_sweep(zone);

    ngx_shmtx_unlock(&zone->shpool->mutex);

    token->owner = 0;

    return rc;
}


void
ngx_http_payer_token_fail(ngx_http_payer_zone_t *zone,
    ngx_http_payer_merchant_t *merchant, ngx_http_payer_token_t *token,
    ngx_uint_t status)
{
    ngx_http_payer_token_node_t  *node;

    if (token->owner == 0) {
        return;
    }

    ngx_shmtx_lock(&zone->shpool->mutex);

    node = ngx_http_payer_token_find(zone, merchant);

    if (node && node->owner == token->owner) {
        node->owner = 0;

        if (status) {
            node->failures++;
            node->failure = status;
        }

        if (status && ngx_http_payer_token_valid(node)) {

            /*
             * the old one is valid for a while: it is not renewed with each
             * request
             */

            node->refresh = ngx_current_msec
                            + (node->expires - ngx_current_msec) / 4 + 1;
        }
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    token->owner = 0;
}


void
ngx_http_payer_token_drop(ngx_http_payer_zone_t *zone,
    ngx_http_payer_merchant_t *merchant, ngx_http_payer_token_t *token)
{
    ngx_http_payer_token_node_t  *node;

    ngx_shmtx_lock(&zone->shpool->mutex);

    node = ngx_http_payer_token_find(zone, merchant);

    if (node && node->version == token->version) {
        ngx_http_payer_token_erase(zone, node);
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


void
ngx_http_payer_token_wipe(ngx_http_payer_token_t *token)
{
    ngx_http_payer_wipe(&token->bearer);

    token->bearer.len = 0;
}


/*
 * erases expired tokens: the node of a replaced secret is never renewed; the
 * mutex is held
 */

static void
ngx_http_payer_token_sweep(ngx_http_payer_zone_t *zone)
{
    ngx_queue_t                  *q;
    ngx_http_payer_token_node_t  *node;

    for (q = ngx_queue_head(&zone->sh->tokens);
         q != ngx_queue_sentinel(&zone->sh->tokens);
         q = ngx_queue_next(q))
    {
        node = ngx_queue_data(q, ngx_http_payer_token_node_t, queue);

        if (!ngx_http_payer_token_valid(node)) {
            ngx_http_payer_token_erase(zone, node);
        }
    }
}


/* erases and frees the token of the node; the mutex is held */

static void
ngx_http_payer_token_erase(ngx_http_payer_zone_t *zone,
    ngx_http_payer_token_node_t *node)
{
    if (node->data) {
        ngx_explicit_memzero(node->data, node->len);
        ngx_slab_free_locked(zone->shpool, node->data);
        node->data = NULL;
    }
}
