
/*
 * Reads of an order at Payer, shared by all worker processes.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_http_payer_zone_read.h"


typedef struct {
    ngx_rbtree_node_t             node;         /* its key is the hash */
    ngx_queue_t                   queue;
    ngx_msec_t                    expires;      /* of no use after that */
    ngx_msec_t                    began;        /* the last one */
    ngx_msec_t                    lease;
    ngx_http_payer_zone_read_t    answer;       /* "began" 0: there is none */
    unsigned                      reading:1;    /* it has not ended */
    unsigned                      free:1;       /* another one may begin */
    unsigned                      wanted:1;     /* somebody waits, or has */
    size_t                        len;
    u_char                        data[1];
} ngx_http_payer_read_node_t;


static void ngx_http_payer_read_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static ngx_int_t ngx_http_payer_read_order(ngx_http_payer_read_node_t *one,
    ngx_rbtree_key_t hash, ngx_str_t *key);
static ngx_http_payer_read_node_t *ngx_http_payer_read_find(
    ngx_http_payer_zone_t *zone, ngx_str_t *key);
static ngx_http_payer_read_node_t *ngx_http_payer_read_create(
    ngx_http_payer_zone_t *zone, ngx_str_t *key);
static void ngx_http_payer_read_delete(ngx_http_payer_zone_t *zone,
    ngx_http_payer_read_node_t *rn);
static ngx_int_t ngx_http_payer_read_turn(ngx_http_payer_read_node_t *rn,
    ngx_msec_t since, ngx_msec_t now, ngx_msec_t *left);
static void ngx_http_payer_read_sweep(ngx_http_payer_zone_t *zone,
    ngx_msec_t now, ngx_uint_t n);
static void ngx_http_payer_read_tidy(ngx_event_t *ev);


/*
 * how many are checked with each new one, if there is no memory, and
 * periodically
 */

#define NGX_HTTP_PAYER_READ_SWEEP       2
#define NGX_HTTP_PAYER_READ_FULL_SWEEP  100
#define NGX_HTTP_PAYER_READ_IDLE_SWEEP  1000

/* ms after the end: all worker processes have used the result by then */

#define NGX_HTTP_PAYER_READ_STAY        2000


static ngx_event_t  ngx_http_payer_read_timer;


ngx_msec_t
ngx_http_payer_zone_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (ngx_msec_t) ts.tv_sec * 1000 + (ngx_msec_t) ts.tv_nsec / 1000000;
}


ngx_int_t
ngx_http_payer_zone_read_begin(ngx_http_payer_zone_t *zone, ngx_str_t *key,
    ngx_msec_t since, ngx_msec_t looked, ngx_msec_t lease,
    ngx_http_payer_zone_read_t *read, ngx_msec_t *left)
{
    ngx_int_t                    rc;
    ngx_msec_t                   now;
    ngx_http_payer_read_node_t  *rn;

    *left = 0;
    now = ngx_http_payer_zone_now();

    ngx_shmtx_lock(&zone->shpool->mutex);

    if (zone->sh->reads.root == NULL) {
        ngx_rbtree_init(&zone->sh->reads, &zone->sh->reads_sentinel,
                        ngx_http_payer_read_insert);
        ngx_queue_init(&zone->sh->reads_queue);
    }

    rn = ngx_http_payer_read_find(zone, key);

    if (rn == NULL) {
        ngx_http_payer_read_sweep(zone, now, NGX_HTTP_PAYER_READ_SWEEP);

        rn = ngx_http_payer_read_create(zone, key);

        if (rn == NULL) {
            ngx_http_payer_read_sweep(zone, now,
                                      NGX_HTTP_PAYER_READ_FULL_SWEEP);
            rn = ngx_http_payer_read_create(zone, key);
        }

        rc = rn ? NGX_OK : NGX_ERROR;

    } else if (rn->answer.began
               && ((ngx_msec_int_t) (rn->answer.began - since) > 0
                   || (rn->answer.paid && looked
                       && (ngx_msec_int_t) (rn->answer.ended - looked) >= 0)))
    {
        *read = rn->answer;
        rc = NGX_DONE;

    } else {
        rc = ngx_http_payer_read_turn(rn, since, now, left);
        rn->wanted |= (rc == NGX_BUSY);
    }

    if (rc == NGX_OK) {
        rn->began = now;
        rn->expires = now + lease + NGX_HTTP_PAYER_READ_STAY;
        rn->lease = lease;
        rn->reading = 1;
        rn->free = 0;

        ngx_memzero(read, sizeof(ngx_http_payer_zone_read_t));
        read->began = now;
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    if (rc == NGX_OK && !ngx_http_payer_read_timer.timer_set) {
        ngx_http_payer_read_timer.handler = ngx_http_payer_read_tidy;
        ngx_http_payer_read_timer.data = zone;
        ngx_http_payer_read_timer.log = ngx_cycle->log;
        ngx_http_payer_read_timer.cancelable = 1;

        ngx_add_timer(&ngx_http_payer_read_timer, NGX_HTTP_PAYER_READ_STAY);
    }

    return rc;
}


/*
 * Requests that were received before a read began wait for it.  Others do not
 * wait for its end: if Payer is slow, they wait for one second.
 */

static ngx_int_t
ngx_http_payer_read_turn(ngx_http_payer_read_node_t *rn, ngx_msec_t since,
    ngx_msec_t now, ngx_msec_t *left)
{
    ngx_msec_t  age;

    if (rn->free) {
        return NGX_OK;
    }

    /* another process may have looked at the clock later */

    age = ((ngx_msec_int_t) (now - rn->began) > 0) ? now - rn->began : 0;

    if (age < NGX_HTTP_PAYER_READ_PAUSE) {
        *left = NGX_HTTP_PAYER_READ_PAUSE - age;
        return NGX_BUSY;
    }

    if (rn->reading
        && age < rn->lease
        && (ngx_msec_int_t) (rn->began - since) > 0)
    {
        return NGX_BUSY;
    }

    return NGX_OK;
}


void
ngx_http_payer_zone_read_end(ngx_http_payer_zone_t *zone, ngx_str_t *key,
    ngx_http_payer_zone_read_t *read)
{
    ngx_msec_t                   now;
    ngx_http_payer_read_node_t  *rn;

    now = ngx_http_payer_zone_now();

    ngx_shmtx_lock(&zone->shpool->mutex);

    rn = ngx_http_payer_read_find(zone, key);

    if (rn) {

        if (rn->answer.began == 0
            || (ngx_msec_int_t) (read->began - rn->answer.began) > 0)
        {
            rn->answer = *read;
            rn->answer.ended = now;
        }

        if (rn->began == read->began) {
            rn->reading = 0;
            rn->free = read->paid;
            rn->expires = now + NGX_HTTP_PAYER_READ_STAY;
        }

        if (rn->free && !rn->wanted) {

            /* usually there is one request, and the order is paid */

            ngx_http_payer_read_delete(zone, rn);
        }
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


void
ngx_http_payer_zone_read_lost(ngx_http_payer_zone_t *zone, ngx_str_t *key,
    ngx_http_payer_zone_read_t *read)
{
    ngx_msec_t                   now;
    ngx_http_payer_read_node_t  *rn;

    now = ngx_http_payer_zone_now();

    ngx_shmtx_lock(&zone->shpool->mutex);

    rn = ngx_http_payer_read_find(zone, key);

    if (rn && rn->began == read->began) {
        rn->reading = 0;
        rn->expires = now + NGX_HTTP_PAYER_READ_STAY;
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


/* by hash, then by length, then by their bytes */

static ngx_int_t
ngx_http_payer_read_order(ngx_http_payer_read_node_t *one,
    ngx_rbtree_key_t hash, ngx_str_t *key)
{
    if (hash != one->node.key) {
        return hash < one->node.key ? -1 : 1;
    }

    return ngx_memn2cmp(key->data, one->data, key->len, one->len);
}


static void
ngx_http_payer_read_insert(ngx_rbtree_node_t *temp, ngx_rbtree_node_t *node,
    ngx_rbtree_node_t *sentinel)
{
    ngx_str_t                     key;
    ngx_rbtree_node_t           **p;
    ngx_http_payer_read_node_t   *rn;

    rn = (ngx_http_payer_read_node_t *) node;

    key.data = rn->data;
    key.len = rn->len;

    for ( ;; ) {
        p = (ngx_http_payer_read_order((ngx_http_payer_read_node_t *) temp,
                                       node->key, &key) < 0)
            ? &temp->left : &temp->right;

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


static ngx_http_payer_read_node_t *
ngx_http_payer_read_find(ngx_http_payer_zone_t *zone, ngx_str_t *key)
{
    ngx_int_t           rc;
    ngx_rbtree_key_t    hash;
    ngx_rbtree_node_t  *node, *sentinel;

    hash = ngx_http_payer_zone_hash(key);

    node = zone->sh->reads.root;
    sentinel = zone->sh->reads.sentinel;

    while (node != sentinel) {
        rc = ngx_http_payer_read_order((ngx_http_payer_read_node_t *) node,
                                       hash, key);
        if (rc == 0) {
            return (ngx_http_payer_read_node_t *) node;
        }

        node = (rc < 0) ? node->left : node->right;
    }

    return NULL;
}


static ngx_http_payer_read_node_t *
ngx_http_payer_read_create(ngx_http_payer_zone_t *zone, ngx_str_t *key)
{
    ngx_http_payer_read_node_t  *rn;

    rn = ngx_slab_calloc_locked(zone->shpool,
                                offsetof(ngx_http_payer_read_node_t, data)
                                + key->len);
    if (rn == NULL) {
        return NULL;
    }

    rn->node.key = ngx_http_payer_zone_hash(key);
    rn->len = key->len;
    ngx_memcpy(rn->data, key->data, key->len);

    ngx_rbtree_insert(&zone->sh->reads, &rn->node);
    ngx_queue_insert_tail(&zone->sh->reads_queue, &rn->queue);

    return rn;
}


static void
ngx_http_payer_read_delete(ngx_http_payer_zone_t *zone,
    ngx_http_payer_read_node_t *rn)
{
    ngx_queue_remove(&rn->queue);
    ngx_rbtree_delete(&zone->sh->reads, &rn->node);
    ngx_slab_free_locked(zone->shpool, rn);
}


/* those that are still used are moved to the end of the queue */

static void
ngx_http_payer_read_sweep(ngx_http_payer_zone_t *zone, ngx_msec_t now,
    ngx_uint_t n)
{
    ngx_queue_t                 *q;
    ngx_http_payer_read_node_t  *rn;

    while (n-- && !ngx_queue_empty(&zone->sh->reads_queue)) {

        q = ngx_queue_head(&zone->sh->reads_queue);
        rn = ngx_queue_data(q, ngx_http_payer_read_node_t, queue);

        if ((ngx_msec_int_t) (rn->expires - now) > 0) {
            ngx_queue_remove(q);
            ngx_queue_insert_tail(&zone->sh->reads_queue, q);
            continue;
        }

        ngx_http_payer_read_delete(zone, rn);
    }
}


/* by each worker process that has read something, until nothing is left */

static void
ngx_http_payer_read_tidy(ngx_event_t *ev)
{
    ngx_msec_t              now;
    ngx_uint_t              left;
    ngx_http_payer_zone_t  *zone;

    zone = ev->data;
    now = ngx_http_payer_zone_now();

    ngx_shmtx_lock(&zone->shpool->mutex);

    ngx_http_payer_read_sweep(zone, now, NGX_HTTP_PAYER_READ_IDLE_SWEEP);

    left = !ngx_queue_empty(&zone->sh->reads_queue);

    ngx_shmtx_unlock(&zone->shpool->mutex);

    if (left) {
        ngx_add_timer(ev, NGX_HTTP_PAYER_READ_STAY);
    }
}
