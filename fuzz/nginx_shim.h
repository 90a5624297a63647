
/*
 * The few functions of nginx's core that the pure parts of the module use,
 * so that unit tests and fuzz targets need nothing but nginx's headers.
 * Each allocation is one malloc(), so that sanitizers see where it ends, can
 * be made to fail, and is counted until it is freed.
 */


#ifndef _NGINX_SHIM_H_INCLUDED_
#define _NGINX_SHIM_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* the n-th allocation from now on fails, and only that one; 0: none */
extern ngx_uint_t  shim_fail_at;

/* allocations of pools and of cJSON that are not freed yet */
extern ngx_int_t  shim_live;

/* the size of the last allocation from a pool */
extern size_t  shim_last_size;


/* lets cJSON allocate here as well */
void shim_init(void);

ngx_pool_t *shim_create_pool(void);
void shim_destroy_pool(ngx_pool_t *pool);

/* a copy that ends where its allocation ends, freed by the caller */
ngx_str_t shim_text(const void *data, size_t len);


#endif /* _NGINX_SHIM_H_INCLUDED_ */
