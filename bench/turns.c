
/*
 * For LD_PRELOAD: how long a worker process is away from its events.
 *
 * A turn begins when epoll_wait() returns and ends with the next call of it.
 * What is taken is the processor time of the thread, so that a machine with
 * other things to do does not add to it.  In the file that PAYER_TURNS names,
 * for all workers of one nginx:
 *
 *     the longest turn, all turns, how many        ns, each in 8 bytes
 */


#define _GNU_SOURCE

#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>


typedef struct {
    uint64_t  longest;
    uint64_t  all;
    uint64_t  n;
} turns_t;


static void turns_init(void) __attribute__((constructor));
static turns_t *turns_shared(void);
static uint64_t turns_now(void);


static turns_t   *turns;
static uint64_t   turns_began;

static int      (*turns_wait)(int, struct epoll_event *, int, int);


/* before nginx clears its environment; workers inherit the memory */

static void
turns_init(void)
{
    turns = turns_shared();
    turns_wait = (int (*)(int, struct epoll_event *, int, int))
                 dlsym(RTLD_NEXT, "epoll_wait");
}


static turns_t *
turns_shared(void)
{
    int          fd;
    void        *p;
    const char  *name;

    name = getenv("PAYER_TURNS");

    if (name == NULL) {
        return NULL;
    }

    fd = open(name, O_RDWR);

    if (fd == -1) {
        return NULL;
    }

    p = mmap(NULL, sizeof(turns_t), PROT_READ|PROT_WRITE, MAP_SHARED, fd, 0);

    (void) close(fd);

    return (p == MAP_FAILED) ? NULL : p;
}


int
epoll_wait(int epfd, struct epoll_event *events, int maxevents, int timeout)
{
    int       n;
    uint64_t  took;

    if (turns == NULL) {
        return turns_wait(epfd, events, maxevents, timeout);
    }

    if (turns_began) {
        took = turns_now() - turns_began;

        if (took > turns->longest) {
            turns->longest = took;
        }

        turns->all += took;
        turns->n++;
    }

    n = turns_wait(epfd, events, maxevents, timeout);

    turns_began = turns_now();

    return n;
}


static uint64_t
turns_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);

    return (uint64_t) ts.tv_sec * 1000000000u + (uint64_t) ts.tv_nsec;
}
