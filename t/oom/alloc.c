
/*
 * What the module asks nginx for: from pools, from the zone, and a thread to
 * do something.
 */


#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "oom.h"


#define OOM_ERROR  -1               /* NGX_ERROR */
#define OOM_500    500


/* the beginnings of an ngx_http_request_t and of an ngx_connection_t */

typedef struct {
    uint32_t    signature;
    void      **connection;
} oom_request_t;


#define oom_caller()  __builtin_return_address(0)


static void *oom_palloc(void *pool, size_t size);
static void *oom_pnalloc(void *pool, size_t size);
static void *oom_pcalloc(void *pool, size_t size);
static void *oom_pool_cleanup_add(void *pool, size_t size);
static void *oom_array_create(void *pool, unsigned long n, size_t size);
static void *oom_array_push(void *array);
static void *oom_list_push(void *list);
static void *oom_alloc_chain_link(void *pool);
static void *oom_alloc(size_t size, void *log);
static void *oom_calloc(size_t size, void *log);
static void *oom_slab_alloc(void *pool, size_t size);
static void *oom_slab_calloc(void *pool, size_t size);
static void *oom_slab_alloc_locked(void *pool, size_t size);
static void *oom_slab_calloc_locked(void *pool, size_t size);
static void oom_slab_free_locked(void *pool, void *p);
static long oom_thread_task_post(void *tp, void *task);
static long oom_subrequest(void *r, void *uri, void *args, void *psr,
    void *ps, unsigned long flags);
static long oom_complex_value(void *r, void *complex, void *value);
static long oom_send_header(void *r);
static long oom_output_filter(void *r, void *chain);
static long oom_read_body(void *r, void *handler);
static long oom_discard_body(void *r);


static void  *(*oom_real_palloc)(void *, size_t);
static void  *(*oom_real_pnalloc)(void *, size_t);
static void  *(*oom_real_pcalloc)(void *, size_t);
static void  *(*oom_real_pool_cleanup_add)(void *, size_t);
static void  *(*oom_real_array_create)(void *, unsigned long, size_t);
static void  *(*oom_real_array_push)(void *);
static void  *(*oom_real_list_push)(void *);
static void  *(*oom_real_alloc_chain_link)(void *);
static void  *(*oom_real_alloc)(size_t, void *);
static void  *(*oom_real_calloc)(size_t, void *);
static void  *(*oom_real_slab_alloc)(void *, size_t);
static void  *(*oom_real_slab_calloc)(void *, size_t);
static void  *(*oom_real_slab_alloc_locked)(void *, size_t);
static void  *(*oom_real_slab_calloc_locked)(void *, size_t);
static void   (*oom_real_slab_free_locked)(void *, void *);
static long   (*oom_real_thread_task_post)(void *, void *);
static long   (*oom_real_subrequest)(void *, void *, void *, void *, void *,
    unsigned long);
static long   (*oom_real_complex_value)(void *, void *, void *);
static long   (*oom_real_send_header)(void *);
static long   (*oom_real_output_filter)(void *, void *);
static long   (*oom_real_read_body)(void *, void *);
static long   (*oom_real_discard_body)(void *);


#define oom_wrap(symbol, name)                                               \
    { #symbol, (void *) oom_##name, (void **) &oom_real_##name }


oom_wrap_t  oom_alloc_wraps[] = {
    oom_wrap(ngx_palloc, palloc),
    oom_wrap(ngx_pnalloc, pnalloc),
    oom_wrap(ngx_pcalloc, pcalloc),
    oom_wrap(ngx_pool_cleanup_add, pool_cleanup_add),
    oom_wrap(ngx_array_create, array_create),
    oom_wrap(ngx_array_push, array_push),
    oom_wrap(ngx_list_push, list_push),
    oom_wrap(ngx_alloc_chain_link, alloc_chain_link),
    oom_wrap(ngx_alloc, alloc),
    oom_wrap(ngx_calloc, calloc),
    oom_wrap(ngx_slab_alloc, slab_alloc),
    oom_wrap(ngx_slab_calloc, slab_calloc),
    oom_wrap(ngx_slab_alloc_locked, slab_alloc_locked),
    oom_wrap(ngx_slab_calloc_locked, slab_calloc_locked),
    oom_wrap(ngx_slab_free_locked, slab_free_locked),
    oom_wrap(ngx_thread_task_post, thread_task_post),
    oom_wrap(ngx_http_subrequest, subrequest),
    oom_wrap(ngx_http_complex_value, complex_value),
    oom_wrap(ngx_http_send_header, send_header),
    oom_wrap(ngx_http_output_filter, output_filter),
    oom_wrap(ngx_http_read_client_request_body, read_body),
    oom_wrap(ngx_http_discard_request_body, discard_body),
    { NULL, NULL, NULL }
};


/* "malloc in nginx+1a2b3": addr2line can say more */

int
oom_fails(const char *name, void *caller)
{
    long          n;
    Dl_info       info;
    const char   *file, *slash;

    if (oom == NULL) {
        return 0;
    }

    if (oom_mutex && strncmp(name, "ngx_slab", 8) != 0) {
        oom_wrong(name);
    }

    if (oom->nth == 0 || (oom->spare && oom_in_nginx(caller))) {
        return 0;
    }

    n = __sync_add_and_fetch(&oom->count, 1);

    if (n != oom->nth && !(oom->on && n > oom->nth)) {
        return 0;
    }

    if (__sync_fetch_and_add(&oom->failed, 1) == 0 && dladdr(caller, &info)) {
        slash = strrchr(info.dli_fname, '/');
        file = slash ? slash + 1 : info.dli_fname;

        snprintf(oom->what, OOM_TEXT, "%s in %s+%lx, %s", name, file,
                 (long) ((char *) caller - (char *) info.dli_fbase),
                 info.dli_sname ? info.dli_sname : "");
    }

    return 1;
}


static void *
oom_palloc(void *pool, size_t size)
{
    return oom_fails("ngx_palloc", oom_caller())
           ? NULL : oom_real_palloc(pool, size);
}


static void *
oom_pnalloc(void *pool, size_t size)
{
    return oom_fails("ngx_pnalloc", oom_caller())
           ? NULL : oom_real_pnalloc(pool, size);
}


static void *
oom_pcalloc(void *pool, size_t size)
{
    return oom_fails("ngx_pcalloc", oom_caller())
           ? NULL : oom_real_pcalloc(pool, size);
}


static void *
oom_pool_cleanup_add(void *pool, size_t size)
{
    return oom_fails("ngx_pool_cleanup_add", oom_caller())
           ? NULL : oom_real_pool_cleanup_add(pool, size);
}


static void *
oom_array_create(void *pool, unsigned long n, size_t size)
{
    return oom_fails("ngx_array_create", oom_caller())
           ? NULL : oom_real_array_create(pool, n, size);
}


static void *
oom_array_push(void *array)
{
    return oom_fails("ngx_array_push", oom_caller())
           ? NULL : oom_real_array_push(array);
}


static void *
oom_list_push(void *list)
{
    return oom_fails("ngx_list_push", oom_caller())
           ? NULL : oom_real_list_push(list);
}


static void *
oom_alloc_chain_link(void *pool)
{
    return oom_fails("ngx_alloc_chain_link", oom_caller())
           ? NULL : oom_real_alloc_chain_link(pool);
}


static void *
oom_alloc(size_t size, void *log)
{
    return oom_fails("ngx_alloc", oom_caller())
           ? NULL : oom_real_alloc(size, log);
}


static void *
oom_calloc(size_t size, void *log)
{
    return oom_fails("ngx_calloc", oom_caller())
           ? NULL : oom_real_calloc(size, log);
}


/* without the mutex, and so when nginx starts */

static void *
oom_slab_alloc(void *pool, size_t size)
{
    void  *p;

    p = oom_real_slab_alloc(pool, size);
    oom_chunk_add(p, size, 1);

    return p;
}


static void *
oom_slab_calloc(void *pool, size_t size)
{
    void  *p;

    p = oom_real_slab_calloc(pool, size);
    oom_chunk_add(p, size, 1);

    return p;
}


static void *
oom_slab_alloc_locked(void *pool, size_t size)
{
    void  *p;

    if (oom_fails("ngx_slab_alloc_locked", oom_caller())) {
        return NULL;
    }

    p = oom_real_slab_alloc_locked(pool, size);
    oom_chunk_add(p, size, 0);

    return p;
}


static void *
oom_slab_calloc_locked(void *pool, size_t size)
{
    void  *p;

    if (oom_fails("ngx_slab_calloc_locked", oom_caller())) {
        return NULL;
    }

    p = oom_real_slab_calloc_locked(pool, size);
    oom_chunk_add(p, size, 0);

    return p;
}


static void
oom_slab_free_locked(void *pool, void *p)
{
    oom_chunk_remove(p);
    oom_real_slab_free_locked(pool, p);
}


static long
oom_thread_task_post(void *tp, void *task)
{
    return oom_fails("ngx_thread_task_post", oom_caller())
           ? OOM_ERROR : oom_real_thread_task_post(tp, task);
}


/*
 * As nginx fails: by then the subrequest is what the connection is busy with,
 * and not its parent any more.
 */

static long
oom_subrequest(void *r, void *uri, void *args, void *psr, void *ps,
    unsigned long flags)
{
    oom_request_t  *request;

    if (oom_fails("ngx_http_subrequest", oom_caller())) {
        request = r;
        *request->connection = psr;

        return OOM_ERROR;
    }

    return oom_real_subrequest(r, uri, args, psr, ps, flags);
}


static long
oom_complex_value(void *r, void *complex, void *value)
{
    return oom_fails("ngx_http_complex_value", oom_caller())
           ? OOM_ERROR : oom_real_complex_value(r, complex, value);
}


static long
oom_send_header(void *r)
{
    return oom_fails("ngx_http_send_header", oom_caller())
           ? OOM_ERROR : oom_real_send_header(r);
}


static long
oom_output_filter(void *r, void *chain)
{
    return oom_fails("ngx_http_output_filter", oom_caller())
           ? OOM_ERROR : oom_real_output_filter(r, chain);
}


static long
oom_read_body(void *r, void *handler)
{
    return oom_fails("ngx_http_read_client_request_body", oom_caller())
           ? OOM_500 : oom_real_read_body(r, handler);
}


static long
oom_discard_body(void *r)
{
    return oom_fails("ngx_http_discard_request_body", oom_caller())
           ? OOM_500 : oom_real_discard_body(r);
}
