
/*
 * Time that passes in no time: the time of day and the time since the system
 * started go on together, unlike with a clock that is set.
 */


#define _GNU_SOURCE
#include <sys/time.h>
#include <time.h>

#include "oom.h"


int
gettimeofday(struct timeval *tv, void *tz)
{
    int         rc;
    static int  (*real)(struct timeval *, void *);

    if (real == NULL) {
        *(void **) &real = oom_real("gettimeofday");
    }

    rc = real(tv, tz);

    if (oom) {
        tv->tv_sec += oom->passed;
    }

    return rc;
}


int
clock_gettime(clockid_t clock, struct timespec *ts)
{
    int         rc;
    static int  (*real)(clockid_t, struct timespec *);

    if (real == NULL) {
        *(void **) &real = oom_real("clock_gettime");
    }

    rc = real(clock, ts);

    if (oom) {
        ts->tv_sec += oom->passed;
    }

    return rc;
}
