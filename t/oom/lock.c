
/*
 * Watches the zone's mutex, and the memory that is allocated under it.
 *
 * Under the mutex the module may call what is in oom_allowed_calls, nothing
 * else; and when the worker goes back to wait for events, it has to be free.
 */


#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "oom.h"


static void oom_shmtx_lock(void *mutex);
static void oom_shmtx_unlock(void *mutex);
static void oom_must_be_free(void);
static void oom_do(long ask);
static void oom_misdeed(long n);
static void oom_look_for_lost(void);
static void oom_visit(oom_chunk_t *chunk);
static oom_chunk_t *oom_chunk_at(void *p);
static int oom_chunk_compare(const void *one, const void *two);


typedef void (*oom_bad_pt)(void *mutex, long n);


static void     (*oom_real_lock)(void *);
static void     (*oom_real_unlock)(void *);

__thread void   *oom_mutex;

static void     *oom_last_mutex;        /* that was ever taken */


oom_wrap_t  oom_lock_wraps[] = {
    { "ngx_shmtx_lock", (void *) oom_shmtx_lock, (void **) &oom_real_lock },
    { "ngx_shmtx_unlock", (void *) oom_shmtx_unlock,
      (void **) &oom_real_unlock },
    { NULL, NULL, NULL }
};


static const char  *oom_allowed_calls[] = {
    "ngx_slab_alloc_locked", "ngx_slab_calloc_locked", "ngx_slab_free_locked",
    "ngx_rbtree_insert", "ngx_rbtree_delete", "ngx_shmtx_unlock",
    "ngx_memn2cmp", "ngx_explicit_memzero",
    "memcpy", "memmove", "memset", "memcmp", "__memcpy_chk", "__memmove_chk",
    "__memset_chk", "__stack_chk_fail", NULL
};


int
oom_allowed(const char *name)
{
    const char  **allowed;

    for (allowed = oom_allowed_calls; *allowed; allowed++) {
        if (strcmp(*allowed, name) == 0) {
            return 1;
        }
    }

    return 0;
}


void
oom_wrong(const char *name)
{
    if (__sync_fetch_and_add(&oom->wrongs, 1) == 0) {
        snprintf(oom->wrong, OOM_TEXT, "%s", name);
    }
}


/* whoever takes it twice would wait for ever */

static void
oom_shmtx_lock(void *mutex)
{
    if (oom_mutex) {
        oom_wrong("the mutex is taken twice");
        oom_real_unlock(oom_mutex);
    }

    oom_real_lock(mutex);

    oom_mutex = mutex;
    oom_last_mutex = mutex;

    __sync_fetch_and_add(&oom->locks, 1);
}


static void
oom_shmtx_unlock(void *mutex)
{
    if (oom_mutex != mutex) {
        oom_wrong("a free mutex is unlocked");
    }

    oom_mutex = NULL;
    oom_real_unlock(mutex);
}


/* the end of whatever the worker was doing */

int
epoll_wait(int fd, struct epoll_event *events, int n, int timeout)
{
    static int  (*real)(int, struct epoll_event *, int, int);

    if (real == NULL) {
        *(void **) &real = oom_real("epoll_wait");
    }

    oom_must_be_free();

    if (oom && oom->ask && oom_last_mutex) {
        oom_do(oom->ask);
        oom_must_be_free();

        oom->ask = OOM_ASK_NOTHING;
    }

    return real(fd, events, n, timeout);
}


static void
oom_must_be_free(void)
{
    if (oom_mutex) {
        oom_wrong("the mutex is kept");
        oom_shmtx_unlock(oom_mutex);
    }
}


/* what nginx logs under the mutex, if the module made it do so */

ssize_t
write(int fd, const void *buf, size_t size)
{
    static ssize_t  (*real)(int, const void *, size_t);

    if (real == NULL) {
        *(void **) &real = oom_real("write");
    }

    if (oom && oom_mutex) {
        oom_wrong("write");
    }

    return real(fd, buf, size);
}


static void
oom_do(long ask)
{
    if (ask != OOM_ASK_LOST) {
        oom_misdeed(ask - OOM_ASK_BAD);
        return;
    }

    oom_real_lock(oom_last_mutex);
    oom_look_for_lost();
    oom_real_unlock(oom_last_mutex);
}


/* bad.c stands in for a module: it is patched in the same way */

static void
oom_misdeed(long n)
{
    void               *handle;
    static oom_bad_pt   bad;

    if (bad == NULL) {
        handle = dlopen(oom_bad_file, RTLD_NOW|RTLD_LOCAL);

        if (handle == NULL) {
            fprintf(stderr, "oom: %s\n", dlerror());
            abort();
        }

        oom_patch(handle);
        *(void **) &bad = dlsym(handle, "oom_bad");
    }

    bad(oom_last_mutex, n);
}


void
oom_chunk_add(void *data, size_t size, int root)
{
    oom_chunk_t  *chunk;

    if (data == NULL || oom->nchunks == OOM_CHUNKS) {
        return;
    }

    chunk = &oom->chunks[oom->nchunks++];

    chunk->data = data;
    chunk->size = size;
    chunk->root = root;
}


void
oom_chunk_remove(void *data)
{
    long  i;

    for (i = oom->nchunks - 1; i >= 0; i--) {
        if (oom->chunks[i].data == data) {
            oom->chunks[i] = oom->chunks[--oom->nchunks];
            return;
        }
    }

    oom_wrong("freed in the zone: what was not allocated there");
}


/*
 * Whatever in a chunk looks like the address of another one is taken for it,
 * as the leak checkers of heaps do.
 */

static void
oom_look_for_lost(void)
{
    long  i;

    qsort(oom->chunks, oom->nchunks, sizeof(oom_chunk_t), oom_chunk_compare);

    for (i = 0; i < oom->nchunks; i++) {
        oom->chunks[i].seen = 0;
    }

    for (i = 0; i < oom->nchunks; i++) {
        if (oom->chunks[i].root) {
            oom_visit(&oom->chunks[i]);
        }
    }

    oom->lost = 0;

    for (i = 0; i < oom->nchunks; i++) {
        oom->lost += !oom->chunks[i].seen;
    }
}


static void
oom_visit(oom_chunk_t *chunk)
{
    long           n;
    void         **p;
    oom_chunk_t   *next;

    if (chunk->seen) {
        return;
    }

    chunk->seen = 1;
    p = chunk->data;

    for (n = chunk->size / sizeof(void *); n > 0; n--, p++) {
        next = oom_chunk_at(*p);

        if (next) {
            oom_visit(next);
        }
    }
}


static oom_chunk_t *
oom_chunk_at(void *p)
{
    long          low, high, mid;
    oom_chunk_t  *chunk;

    low = 0;
    high = oom->nchunks;

    while (low < high) {
        mid = (low + high) / 2;
        chunk = &oom->chunks[mid];

        if ((char *) p < (char *) chunk->data) {
            high = mid;

        } else if ((char *) p >= (char *) chunk->data + chunk->size) {
            low = mid + 1;

        } else {
            return chunk;
        }
    }

    return NULL;
}


static int
oom_chunk_compare(const void *one, const void *two)
{
    const oom_chunk_t  *a, *b;

    a = one;
    b = two;

    return (a->data > b->data) - (a->data < b->data);
}
