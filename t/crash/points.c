
/*
 * Loaded into nginx by LD_PRELOAD: kills the worker when it comes to a point
 * that the file PAYER_CRASH_FILE names, as "POINT N" for the N-th time that
 * it comes there.  Points are
 *
 *     commit-begins, commit-ends      of a transaction of LMDB
 *     request-begins, request-ends    of writing a call to Payer
 *     reply-ends                      of reading the beginning of its reply
 *     answer-begins, answer-ends      of writing the answer to the client
 *     told-begins, told-ends          of writing a request to the shop
 *     taken-ends                      of reading the beginning of its reply
 *
 * "POINT N TEXT" counts a commit only if a key of an entry that it writes
 * contains the text, and a request to the shop only if that does.  "POINT N
 * TEXT server" kills the master, too.
 *
 * The file is removed at the moment of the kill.
 *
 * PAYER_CRASH_PORT, PAYER_CRASH_SHOP: the ports of Payer and of the shop.
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


#define POINTS_RDONLY  0x20000          /* MDB_RDONLY */


/* MDB_val */
struct points_key {
    size_t   size;
    void    *data;
};


static void points_init(void) __attribute__((constructor));
static void points_at(const char *point, const char *text, size_t len);
static void points_wrote(const struct points_key *key);
static int points_peer(int fd);
static void *points_real(const char *name);
static int points_is_call(const struct iovec *iov, int n);
static int points_is_answer(const struct iovec *iov, int n);


static char  points_file[4096];
static int   points_port;           /* of the simulator */
static int   points_shop;           /* of the shop */
static int   points_told;           /* the connection with the text */
static int   points_seen;
static long  points_shift;

/* the keys of the transaction that is being written, there is one at a time */
static char    points_keys[65536];
static size_t  points_nkeys;


/* nginx clears the environment of its workers: it is read when the master
 * is loaded */

static void
points_init(void)
{
    char  *file, *port, *shift, *shop;

    shift = getenv("PAYER_CRASH_SHIFT");
    shop = getenv("PAYER_CRASH_SHOP");
    file = getenv("PAYER_CRASH_FILE");
    port = getenv("PAYER_CRASH_PORT");

    if (file != NULL && port != NULL && strlen(file) < sizeof(points_file)) {
        strcpy(points_file, file);
        points_port = atoi(port);
    }

    if (shift != NULL) {
        points_shift = atol(shift);
    }

    if (shop != NULL) {
        points_shop = atoi(shop);
    }
}


static void
points_at(const char *point, const char *text, size_t len)
{
    int      fd, n, nth;
    char     buf[256], name[64], needle[128], whom[16];
    ssize_t  size;

    fd = points_port ? open(points_file, O_RDONLY|O_CLOEXEC) : -1;

    if (fd == -1) {
        points_seen = 0;
        return;
    }

    size = read(fd, buf, sizeof(buf) - 1);
    close(fd);

    if (size <= 0) {
        return;
    }

    buf[size] = '\0';
    whom[0] = '\0';

    n = sscanf(buf, "%63s %d %127s %15s", name, &nth, needle, whom);

    if (n < 2
        || strcmp(name, point) != 0
        || (n > 2 && text != NULL
            && memmem(text, len, needle, strlen(needle)) == NULL)
        || ++points_seen < nth)
    {
        return;
    }

    unlink(points_file);

    if (strcmp(whom, "server") == 0) {
        kill(getppid(), SIGKILL);
    }

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


/* the port of the peer, 0 if it has none */

static int
points_peer(int fd)
{
    socklen_t           len;
    struct sockaddr_in  sin;

    len = sizeof(sin);

    return (getpeername(fd, (struct sockaddr *) &sin, &len) == 0
            && sin.sin_family == AF_INET)
           ? ntohs(sin.sin_port) : 0;
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


static void
points_wrote(const struct points_key *key)
{
    if (key->size + 1 > sizeof(points_keys) - points_nkeys) {
        return;
    }

    memcpy(points_keys + points_nkeys, key->data, key->size);
    points_nkeys += key->size;
    points_keys[points_nkeys++] = '\n';
}


int
mdb_txn_begin(void *env, void *parent, unsigned int flags, void **txn)
{
    int         rc;
    static int  (*real)(void *, void *, unsigned int, void **);

    if (real == NULL) {
        *(void **) &real = points_real("mdb_txn_begin");
    }

    rc = real(env, parent, flags, txn);

    if (rc == 0 && (flags & POINTS_RDONLY) == 0) {
        points_nkeys = 0;
    }

    return rc;
}


int
mdb_cursor_put(void *cursor, struct points_key *key, struct points_key *data,
    unsigned int flags)
{
    static int  (*real)(void *, struct points_key *, struct points_key *,
                    unsigned int);

    if (real == NULL) {
        *(void **) &real = points_real("mdb_cursor_put");
    }

    points_wrote(key);

    return real(cursor, key, data, flags);
}


int
mdb_txn_commit(void *txn)
{
    int         rc;
    static int  (*real)(void *);

    if (real == NULL) {
        *(void **) &real = points_real("mdb_txn_commit");
    }

    points_at("commit-begins", points_keys, points_nkeys);

    rc = real(txn);

    points_at("commit-ends", points_keys, points_nkeys);

    return rc;
}


ssize_t
writev(int fd, const struct iovec *iov, int iovcnt)
{
    int             port, call, told, answer;
    ssize_t         n;
    static ssize_t  (*real)(int, const struct iovec *, int);

    if (real == NULL) {
        *(void **) &real = points_real("writev");
    }

    port = points_peer(fd);

    call = points_is_call(iov, iovcnt) && port == points_port;
    told = iovcnt > 0 && points_shop && port == points_shop;
    answer = points_is_answer(iov, iovcnt) && port != points_port;

    if (call) {
        points_at("request-begins", NULL, 0);

    } else if (told) {
        points_at("told-begins", iov[0].iov_base, iov[0].iov_len);

    } else if (answer) {
        points_at("answer-begins", NULL, 0);
    }

    n = real(fd, iov, iovcnt);

    if (call) {
        points_at("request-ends", NULL, 0);

    } else if (told) {
        points_told = fd;
        points_at("told-ends", iov[0].iov_base, iov[0].iov_len);

    } else if (answer) {
        points_at("answer-ends", NULL, 0);
    }

    return n;
}


ssize_t
recv(int fd, void *buf, size_t size, int flags)
{
    int             port;
    ssize_t         n;
    static ssize_t  (*real)(int, void *, size_t, int);

    if (real == NULL) {
        *(void **) &real = points_real("recv");
    }

    n = real(fd, buf, size, flags);

    if (n <= 5 || memcmp(buf, "HTTP/", 5) != 0) {
        return n;
    }

    port = points_peer(fd);

    if (port == points_port) {
        points_at("reply-ends", NULL, 0);

    } else if (points_shop && port == points_shop && fd == points_told) {
        points_at("taken-ends", NULL, 0);
    }

    return n;
}
