
/*
 * Loaded into nginx by LD_PRELOAD: another clock and a bad disk, as the file
 * PAYER_WEATHER says.  All processes of nginx have it mapped, so that what a
 * test writes into it is true for them at once:
 *
 *     int64  shift    so many seconds the clock of the wall is wrong
 *     int64  error    how writes to data.mdb fail (errno), 0: they do not
 *     int64  limit    if they end beyond so many bytes
 *     int64  failed   counts them
 *     int64  slow     so many milliseconds longer takes each sync of the store
 *     int64  denied   errno of each connect() over IPv4, 0: they are allowed
 */


#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>


typedef struct {
    volatile int64_t  shift;
    volatile int64_t  error;
    volatile int64_t  limit;
    volatile int64_t  failed;
    volatile int64_t  slow;
    volatile int64_t  denied;
} weather_t;


static void weather_init(void) __attribute__((constructor));
static void *weather_real(const char *name);
static int weather_is_store(int fd);
static size_t weather_room(int fd, off_t offset, size_t size);
static int weather_fails(void);


static weather_t   weather_fair;
static weather_t  *weather = &weather_fair;


/* nginx clears the environment of its workers: the mapping stays */

static void
weather_init(void)
{
    int    fd;
    char  *file;
    void  *map;

    file = getenv("PAYER_WEATHER");
    fd = file ? open(file, O_RDWR|O_CLOEXEC) : -1;

    if (fd == -1) {
        return;
    }

    map = mmap(NULL, sizeof(weather_t), PROT_READ|PROT_WRITE, MAP_SHARED, fd,
               0);

    if (map != MAP_FAILED) {
        weather = map;
    }

    close(fd);
}


static void *
weather_real(const char *name)
{
    void  *real;

    real = dlsym(RTLD_NEXT, name);

    if (real == NULL) {
        fprintf(stderr, "weather: no %s\n", name);
        abort();
    }

    return real;
}


int
gettimeofday(struct timeval *tv, void *tz)
{
    int         rc;
    static int  (*real)(struct timeval *, void *);

    if (real == NULL) {
        *(void **) &real = weather_real("gettimeofday");
    }

    rc = real(tv, tz);

    tv->tv_sec += weather->shift;

    return rc;
}


time_t
time(time_t *t)
{
    struct timeval  tv;

    gettimeofday(&tv, NULL);

    if (t != NULL) {
        *t = tv.tv_sec;
    }

    return tv.tv_sec;
}


int
clock_gettime(clockid_t id, struct timespec *ts)
{
    int         rc;
    static int  (*real)(clockid_t, struct timespec *);

    if (real == NULL) {
        *(void **) &real = weather_real("clock_gettime");
    }

    rc = real(id, ts);

    if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) {
        ts->tv_sec += weather->shift;
    }

    return rc;
}


/* asked only in bad weather */

static int
weather_is_store(int fd)
{
    char     link[64], name[4096];
    ssize_t  n;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);

    n = readlink(link, name, sizeof(name));

    return n > 9 && memcmp(&name[n - 9], "/data.mdb", 9) == 0;
}


/* how much of a write there is room for: as on a full disk, the beginning */

static size_t
weather_room(int fd, off_t offset, size_t size)
{
    int64_t  room;

    if (weather->error == 0 || !weather_is_store(fd)) {
        return size;
    }

    room = weather->limit - offset;

    return room <= 0 ? 0 : (size_t) room < size ? (size_t) room : size;
}


static int
weather_fails(void)
{
    errno = weather->error;
    __sync_fetch_and_add(&weather->failed, 1);

    return -1;
}


ssize_t
pwrite(int fd, const void *buf, size_t size, off_t offset)
{
    size_t          room;
    static ssize_t  (*real)(int, const void *, size_t, off_t);

    if (real == NULL) {
        *(void **) &real = weather_real("pwrite");
    }

    room = weather_room(fd, offset, size);

    return room == 0 && size ? weather_fails() : real(fd, buf, room, offset);
}


ssize_t
pwrite64(int fd, const void *buf, size_t size, off64_t offset)
{
    return pwrite(fd, buf, size, offset);
}


ssize_t
writev(int fd, const struct iovec *iov, int iovcnt)
{
    int             i;
    size_t          size;
    static ssize_t  (*real)(int, const struct iovec *, int);

    if (real == NULL) {
        *(void **) &real = weather_real("writev");
    }

    if (weather->error) {

        for (i = 0, size = 0; i < iovcnt; i++) {
            size += iov[i].iov_len;
        }

        if (weather_room(fd, lseek(fd, 0, SEEK_CUR), size) < size) {
            return weather_fails();
        }
    }

    return real(fd, iov, iovcnt);
}


/* a disk without room can be synced, a broken one cannot */

int
fdatasync(int fd)
{
    static int  (*real)(int);

    if (real == NULL) {
        *(void **) &real = weather_real("fdatasync");
    }

    if (weather->error == EIO && weather_is_store(fd)) {
        return weather_fails();
    }

    if (weather->slow && weather_is_store(fd)) {
        usleep((useconds_t) (weather->slow * 1000));
    }

    return real(fd);
}


int
connect(int fd, const struct sockaddr *sa, socklen_t len)
{
    static int  (*real)(int, const struct sockaddr *, socklen_t);

    if (real == NULL) {
        *(void **) &real = weather_real("connect");
    }

    if (weather->denied && sa->sa_family == AF_INET) {
        errno = (int) weather->denied;
        return -1;
    }

    return real(fd, sa, len);
}
