
/*
 * Loaded into nginx by LD_PRELOAD: kills the worker when it comes to a point
 * that the file PAYER_CRASH_FILE names, as "POINT N" for the N-th time that
 * it comes there.  Points are
 *
 *     commit-begins, commit-ends      of a transaction of LMDB
 *     request-begins, request-ends    of writing a call to Payer
 *     reply-ends                      of reading the beginning of its reply
 *     answer-begins, answer-ends      of writing the answer to the client
 *
 * The file is removed at the moment of the kill.
 *
 * PAYER_CRASH_SHIFT: so many seconds nginx is ahead of its time.
 */


#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>


static void points_init(void) __attribute__((constructor));
static void points_at(const char *point);
static void *points_real(const char *name);
static int points_is_payer(int fd);
static int points_is_call(const struct iovec *iov, int n);
static int points_is_answer(const struct iovec *iov, int n);


static char  points_file[4096];
static int   points_port;           /* of the simulator */
static int   points_seen;
static long  points_shift;


/* nginx clears the environment of its workers: it is read when the master
 * is loaded */

static void
points_init(void)
{
    char  *file, *port, *shift;

    shift = getenv("PAYER_CRASH_SHIFT");
    file = getenv("PAYER_CRASH_FILE");
    port = getenv("PAYER_CRASH_PORT");

    if (file != NULL && port != NULL && strlen(file) < sizeof(points_file)) {
        strcpy(points_file, file);
        points_port = atoi(port);
    }

    if (shift != NULL) {
        points_shift = atol(shift);
    }
}


static void
points_at(const char *point)
{
    int      fd, nth;
    char     buf[64], name[64];
    ssize_t  n;

    fd = points_port ? open(points_file, O_RDONLY|O_CLOEXEC) : -1;

    if (fd == -1) {
        points_seen = 0;
        return;
    }

    n = read(fd, buf, sizeof(buf) - 1);
    close(fd);

    if (n <= 0) {
        return;
    }

    buf[n] = '\0';

    if (sscanf(buf, "%63s %d", name, &nth) != 2
        || strcmp(name, point) != 0
        || ++points_seen < nth)
    {
        return;
    }

    unlink(points_file);
    kill(getpid(), SIGKILL);
}


static void *
points_real(const char *name)
{
    void  *real;

    real = dlsym(RTLD_NEXT, name);

    if (real == NULL) {
        fprintf(stderr, "points: no %s\n", name);
        abort();
    }

    return real;
}


static int
points_is_payer(int fd)
{
    socklen_t           len;
    struct sockaddr_in  sin;

    len = sizeof(sin);

    return getpeername(fd, (struct sockaddr *) &sin, &len) == 0
           && sin.sin_family == AF_INET
           && ntohs(sin.sin_port) == points_port;
}


/* not those for a token */

static int
points_is_call(const struct iovec *iov, int n)
{
    return n > 0
           && memmem(iov[0].iov_base, iov[0].iov_len, " /api/", 6) != NULL;
}


static int
points_is_answer(const struct iovec *iov, int n)
{
    return n > 0 && iov[0].iov_len > 7
           && memcmp(iov[0].iov_base, "HTTP/1.", 7) == 0;
}


int
gettimeofday(struct timeval *tv, void *tz)
{
    int         rc;
    static int  (*real)(struct timeval *, void *);

    if (real == NULL) {
        *(void **) &real = points_real("gettimeofday");
    }

    rc = real(tv, tz);

    tv->tv_sec += points_shift;

    return rc;
}


int
mdb_txn_commit(void *txn)
{
    int         rc;
    static int  (*real)(void *);

    if (real == NULL) {
        *(void **) &real = points_real("mdb_txn_commit");
    }

    points_at("commit-begins");

    rc = real(txn);

    points_at("commit-ends");

    return rc;
}


ssize_t
writev(int fd, const struct iovec *iov, int iovcnt)
{
    int             call, answer;
    ssize_t         n;
    static ssize_t  (*real)(int, const struct iovec *, int);

    if (real == NULL) {
        *(void **) &real = points_real("writev");
    }

    call = points_is_call(iov, iovcnt) && points_is_payer(fd);
    answer = points_is_answer(iov, iovcnt) && !points_is_payer(fd);

    if (call) {
        points_at("request-begins");

    } else if (answer) {
        points_at("answer-begins");
    }

    n = real(fd, iov, iovcnt);

    if (call) {
        points_at("request-ends");

    } else if (answer) {
        points_at("answer-ends");
    }

    return n;
}


ssize_t
recv(int fd, void *buf, size_t size, int flags)
{
    ssize_t         n;
    static ssize_t  (*real)(int, void *, size_t, int);

    if (real == NULL) {
        *(void **) &real = points_real("recv");
    }

    n = real(fd, buf, size, flags);

    if (n > 5 && memcmp(buf, "HTTP/", 5) == 0 && points_is_payer(fd)) {
        points_at("reply-ends");
    }

    return n;
}
