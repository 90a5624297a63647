
/*
 * Pools on malloc(); what of strings nginx_strings.c has not.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include <cjson/cJSON.h>

#include "nginx_shim.h"


typedef struct shim_block_s  shim_block_t;

struct shim_block_s {
    void           *data;
    shim_block_t   *next;
};


typedef struct {
    ngx_pool_t      pool;
    ngx_log_t       log;
    shim_block_t   *blocks;
} shim_pool_t;


static void *shim_malloc(size_t size);
static void shim_free(void *p);


ngx_uint_t  shim_fail_at;
ngx_int_t   shim_live;
size_t      shim_last_size;

/* nginx's own ngx_string.c asks for it */
volatile ngx_cycle_t  *ngx_cycle;

ngx_pid_t  ngx_pid;
volatile ngx_msec_t  ngx_current_msec;


void
shim_init(void)
{
    cJSON_Hooks  hooks;

    hooks.malloc_fn = shim_malloc;
    hooks.free_fn = shim_free;

    cJSON_InitHooks(&hooks);
}


static void *
shim_malloc(size_t size)
{
    void  *p;

    if (shim_fail_at && --shim_fail_at == 0) {
        return NULL;
    }

    p = malloc(size);

    if (p == NULL) {
        abort();
    }

    shim_live++;

    return p;
}


static void
shim_free(void *p)
{
    if (p != NULL) {
        shim_live--;
        free(p);
    }
}


ngx_pool_t *
shim_create_pool(void)
{
    shim_pool_t  *shim;

    shim = calloc(1, sizeof(shim_pool_t));

    if (shim == NULL) {
        abort();
    }

    shim->pool.log = &shim->log;

    return &shim->pool;
}


void
shim_destroy_pool(ngx_pool_t *pool)
{
    shim_pool_t   *shim;
    shim_block_t  *block, *next;

    shim = (shim_pool_t *) pool;

    for (block = shim->blocks; block != NULL; block = next) {
        next = block->next;
        shim_free(block->data);
        free(block);
    }

    free(shim);
}


ngx_str_t
shim_text(const void *data, size_t len)
{
    ngx_str_t  text;

    text.len = len;
    text.data = malloc(len ? len : 1);

    if (text.data == NULL) {
        abort();
    }

    if (len) {
        memcpy(text.data, data, len);
    }

    return text;
}


void *
ngx_pnalloc(ngx_pool_t *pool, size_t size)
{
    shim_pool_t   *shim;
    shim_block_t  *block;

    shim = (shim_pool_t *) pool;

    block = malloc(sizeof(shim_block_t));

    if (block == NULL) {
        abort();
    }

    block->data = shim_malloc(size);

    if (block->data == NULL) {
        free(block);
        return NULL;
    }

    block->next = shim->blocks;
    shim->blocks = block;

    shim_last_size = size;

    return block->data;
}


void *
ngx_palloc(ngx_pool_t *pool, size_t size)
{
    return ngx_pnalloc(pool, size);
}


void *
ngx_pcalloc(ngx_pool_t *pool, size_t size)
{
    void  *p;

    p = ngx_pnalloc(pool, size);

    if (p != NULL) {
        ngx_memzero(p, size);
    }

    return p;
}


void *
ngx_alloc(size_t size, ngx_log_t *log)
{
    return shim_malloc(size);
}


ngx_array_t *
ngx_array_create(ngx_pool_t *pool, ngx_uint_t n, size_t size)
{
    ngx_array_t  *array;

    array = ngx_pcalloc(pool, sizeof(ngx_array_t));

    if (array != NULL) {
        array->size = size;
        array->pool = pool;
    }

    return array;
}


/* moved each time, so that a pointer to an earlier element is found out */

void *
ngx_array_push(ngx_array_t *array)
{
    void  *elts;

    elts = ngx_pnalloc(array->pool, (array->nelts + 1) * array->size);

    if (elts == NULL) {
        return NULL;
    }

    if (array->nelts) {
        ngx_memcpy(elts, array->elts, array->nelts * array->size);
    }

    array->elts = elts;

    return (u_char *) elts + array->size * array->nelts++;
}
