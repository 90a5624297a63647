
/*
 * The allocations of nginx and of the libraries: what is asked of the C
 * library.
 */


#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oom.h"


#define OOM_EARLY  65536


static void *oom_early(size_t size);
static int oom_is_early(void *p);
static void oom_heap_init(void);
static void *oom_heap_count(void *p);


/* while dlsym() looks for the real ones, it may need some itself */

static char     oom_early_heap[OOM_EARLY] __attribute__((aligned(16)));
static size_t   oom_early_used;

static void    *(*oom_malloc)(size_t);
static void    *(*oom_calloc)(size_t, size_t);
static void    *(*oom_realloc)(void *, size_t);
static int      (*oom_posix_memalign)(void **, size_t, size_t);
static void     (*oom_free)(void *);


static void *
oom_early(size_t size)
{
    char  *p;

    size = (size + 15) & ~(size_t) 15;

    if (size > OOM_EARLY - oom_early_used) {
        return NULL;
    }

    p = oom_early_heap + oom_early_used;
    oom_early_used += size;

    return p;
}


static int
oom_is_early(void *p)
{
    return (uintptr_t) p - (uintptr_t) oom_early_heap < OOM_EARLY;
}


static void
oom_heap_init(void)
{
    static int  running;

    if (running) {
        return;
    }

    running = 1;

    *(void **) &oom_calloc = oom_real("calloc");
    *(void **) &oom_realloc = oom_real("realloc");
    *(void **) &oom_posix_memalign = oom_real("posix_memalign");
    *(void **) &oom_free = oom_real("free");
    *(void **) &oom_malloc = oom_real("malloc");

    running = 0;
}


static void *
oom_heap_count(void *p)
{
    if (oom && p) {
        __sync_fetch_and_add(&oom->heap, 1);
    }

    return p;
}


void *
malloc(size_t size)
{
    if (oom_malloc == NULL) {
        oom_heap_init();

        if (oom_malloc == NULL) {
            return oom_early(size);
        }
    }

    if (oom_fails("malloc", __builtin_return_address(0))) {
        errno = ENOMEM;
        return NULL;
    }

    return oom_heap_count(oom_malloc(size));
}


void *
calloc(size_t n, size_t size)
{
    if (oom_malloc == NULL) {
        oom_heap_init();

        if (oom_malloc == NULL) {
            return oom_early(n * size);
        }
    }

    if (oom_fails("calloc", __builtin_return_address(0))) {
        errno = ENOMEM;
        return NULL;
    }

    return oom_heap_count(oom_calloc(n, size));
}


void *
realloc(void *old, size_t size)
{
    void  *p;

    if (old == NULL) {
        return malloc(size);
    }

    if (size == 0) {
        free(old);
        return NULL;
    }

    if (oom_is_early(old)) {
        p = malloc(size);

        if (p) {
            memcpy(p, old, size);
        }

        return p;
    }

    if (oom_fails("realloc", __builtin_return_address(0))) {
        errno = ENOMEM;
        return NULL;
    }

    return oom_realloc(old, size);
}


int
posix_memalign(void **p, size_t alignment, size_t size)
{
    int  rc;

    if (oom_malloc == NULL) {
        oom_heap_init();
    }

    if (oom_fails("posix_memalign", __builtin_return_address(0))) {
        return ENOMEM;
    }

    rc = oom_posix_memalign(p, alignment, size);

    if (rc == 0) {
        (void) oom_heap_count(*p);
    }

    return rc;
}


void
free(void *p)
{
    if (p == NULL || oom_is_early(p)) {
        return;
    }

    if (oom_malloc == NULL) {
        oom_heap_init();
    }

    if (oom) {
        __sync_fetch_and_sub(&oom->heap, 1);
    }

    oom_free(p);
}
