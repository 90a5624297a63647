
/*
 * Loaded into nginx by LD_PRELOAD: lets each wait for the disk take as many
 * milliseconds more as the file PAYER_FSYNC_FILE says at that moment.
 */


#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>


static void fsync_init(void) __attribute__((constructor));
static void fsync_stretch(void);


static char  fsync_file[4096];


/* nginx clears the environment of its workers */

static void
fsync_init(void)
{
    char  *file;

    file = getenv("PAYER_FSYNC_FILE");

    if (file != NULL && strlen(file) < sizeof(fsync_file)) {
        strcpy(fsync_file, file);
    }
}


static void
fsync_stretch(void)
{
    int              fd;
    long             ms;
    char             buf[16];
    ssize_t          n;
    struct timespec  ts;

    fd = open(fsync_file, O_RDONLY);
    if (fd == -1) {
        return;
    }

    n = read(fd, buf, sizeof(buf) - 1);
    close(fd);

    if (n <= 0) {
        return;
    }

    buf[n] = '\0';
    ms = atol(buf);

    ts.tv_sec = ms / 1000;
    ts.tv_nsec = ms % 1000 * 1000000;

    while (nanosleep(&ts, &ts) == -1 && errno == EINTR) { /* void */ }
}


int
fdatasync(int fd)
{
    int  (*real)(int);

    fsync_stretch();

    *(void **) &real = dlsym(RTLD_NEXT, "fdatasync");

    return real(fd);
}


int
fsync(int fd)
{
    int  (*real)(int);

    fsync_stretch();

    *(void **) &real = dlsym(RTLD_NEXT, "fsync");

    return real(fd);
}
