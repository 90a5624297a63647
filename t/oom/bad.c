
/*
 * Everything that a module must not do with the zone's mutex: what watches it
 * has to find each of these, and nothing in the first one.
 */


#include <ngx_config.h>
#include <ngx_core.h>


void oom_bad(ngx_shmtx_t *mutex, long n);


static void oom_bad_is_good(ngx_slab_pool_t *shpool);
static void oom_bad_logs(ngx_slab_pool_t *shpool);
static void oom_bad_takes_from_pool(ngx_slab_pool_t *shpool);
static void oom_bad_takes_from_heap(ngx_slab_pool_t *shpool);
static void oom_bad_asks_the_kernel(ngx_slab_pool_t *shpool);
static void oom_bad_takes_it_twice(ngx_slab_pool_t *shpool);
static void oom_bad_returns_early(ngx_slab_pool_t *shpool);
static void oom_bad_loses_memory(ngx_slab_pool_t *shpool);


static void  (*oom_bad_deeds[])(ngx_slab_pool_t *shpool) = {
    oom_bad_is_good,
    oom_bad_logs,
    oom_bad_takes_from_pool,
    oom_bad_takes_from_heap,
    oom_bad_asks_the_kernel,
    oom_bad_takes_it_twice,
    oom_bad_returns_early,
    oom_bad_loses_memory
};


void
oom_bad(ngx_shmtx_t *mutex, long n)
{
    ngx_slab_pool_t  *shpool;

    shpool = (ngx_slab_pool_t *) ((u_char *) mutex
                                  - offsetof(ngx_slab_pool_t, mutex));

    oom_bad_deeds[n](shpool);
}


static void
oom_bad_is_good(ngx_slab_pool_t *shpool)
{
    void  *p;

    ngx_shmtx_lock(&shpool->mutex);

    p = ngx_slab_alloc_locked(shpool, 64);

    if (p) {
        ngx_slab_free_locked(shpool, p);
    }

    ngx_shmtx_unlock(&shpool->mutex);

    ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0, "after the mutex");
}


static void
oom_bad_logs(ngx_slab_pool_t *shpool)
{
    ngx_shmtx_lock(&shpool->mutex);
    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "under the mutex");
    ngx_shmtx_unlock(&shpool->mutex);
}


static void
oom_bad_takes_from_pool(ngx_slab_pool_t *shpool)
{
    ngx_shmtx_lock(&shpool->mutex);
    (void) ngx_pnalloc(ngx_cycle->pool, 16);
    ngx_shmtx_unlock(&shpool->mutex);
}


static void
oom_bad_takes_from_heap(ngx_slab_pool_t *shpool)
{
    void  *p;

    ngx_shmtx_lock(&shpool->mutex);

    p = ngx_alloc(16, ngx_cycle->log);

    ngx_shmtx_unlock(&shpool->mutex);

    ngx_free(p);
}


static void
oom_bad_asks_the_kernel(ngx_slab_pool_t *shpool)
{
    struct timeval  tv;

    ngx_shmtx_lock(&shpool->mutex);
    ngx_gettimeofday(&tv);
    ngx_shmtx_unlock(&shpool->mutex);
}


static void
oom_bad_takes_it_twice(ngx_slab_pool_t *shpool)
{
    ngx_shmtx_lock(&shpool->mutex);
    ngx_shmtx_lock(&shpool->mutex);
    ngx_shmtx_unlock(&shpool->mutex);
}


static void
oom_bad_returns_early(ngx_slab_pool_t *shpool)
{
    ngx_shmtx_lock(&shpool->mutex);

    if (shpool->log_nomem == 0) {
        return;
    }

    ngx_shmtx_unlock(&shpool->mutex);
}


static void
oom_bad_loses_memory(ngx_slab_pool_t *shpool)
{
    ngx_shmtx_lock(&shpool->mutex);
    (void) ngx_slab_alloc_locked(shpool, 64);
    ngx_shmtx_unlock(&shpool->mutex);
}
