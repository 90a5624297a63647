
/*
 * Loaded into nginx by LD_PRELOAD: a disk on which each fsync(), fdatasync()
 * and msync() takes HOSTILE_SYNC_MS longer.
 */


#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>


static void sync_init(void) __attribute__((constructor));
static void sync_stretch(void);


static struct timespec  sync_time;
static int            (*sync_fsync)(int);
static int            (*sync_fdatasync)(int);
static int            (*sync_msync)(void *, size_t, int);


/* nginx clears the environment of its workers, which inherit the figure */

static void
sync_init(void)
{
    long   ms;
    char  *value;

    value = getenv("HOSTILE_SYNC_MS");
    ms = value ? atol(value) : 0;

    sync_time.tv_sec = ms / 1000;
    sync_time.tv_nsec = (ms % 1000) * 1000000;

    *(void **) &sync_fsync = dlsym(RTLD_NEXT, "fsync");
    *(void **) &sync_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    *(void **) &sync_msync = dlsym(RTLD_NEXT, "msync");

    if (sync_fsync == NULL || sync_fdatasync == NULL || sync_msync == NULL) {
        abort();
    }
}


static void
sync_stretch(void)
{
    struct timespec  left;

    left = sync_time;

    while (nanosleep(&left, &left) == -1) {
        /* a signal: the rest of it */
    }
}


int
fsync(int fd)
{
    sync_stretch();
    return sync_fsync(fd);
}


int
fdatasync(int fd)
{
    sync_stretch();
    return sync_fdatasync(fd);
}


int
msync(void *addr, size_t length, int flags)
{
    sync_stretch();
    return sync_msync(addr, length, flags);
}
