
/*
 * What the module's pure functions want of nginx's core, and nothing more.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <stdarg.h>
#include <stdlib.h>


volatile ngx_cycle_t  *ngx_cycle;
ngx_pid_t              ngx_pid;
volatile ngx_msec_t    ngx_current_msec;


void *
ngx_alloc(size_t size, ngx_log_t *log)
{
    return malloc(size);
}


void *
ngx_pnalloc(ngx_pool_t *pool, size_t size)
{
    return malloc(size);
}
