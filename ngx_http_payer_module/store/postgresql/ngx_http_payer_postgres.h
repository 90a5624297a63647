
/*
 * What the files of the PostgreSQL store share: the directive (_conf.c,
 * _uri.c), the names of its hosts (_resolve.c), a connection to one of them
 * (_wire.c, _check.c), the choice of the one that is used (_link.c), one whose
 * commits do not end (_hang.c), what is said of both (_state.c), calls on it
 * (_flight.c, _array.c, _result.c), and
 * the operations of the store: those that read (_read.c), those that write
 * (_write.c, _memo.c, _merge.c, _batch.c, _row.c, _answer.c), and their table
 * (_module.c).
 *
 * A process has two links, so that a commit that hangs does not hold up those
 * who read.  A link has one wire, or several while it looks for the primary.
 */


#ifndef _NGX_HTTP_PAYER_POSTGRES_H_INCLUDED_
#define _NGX_HTTP_PAYER_POSTGRES_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>
#include <libpq-fe.h>
#include "ngx_http_payer_store_module.h"


/* the version of schema.sql that this module needs */
#define NGX_HTTP_PAYER_POSTGRES_SCHEMA   2

#define NGX_HTTP_PAYER_POSTGRES_HOSTS    8      /* of the directive */
#define NGX_HTTP_PAYER_POSTGRES_WIRES    16     /* addresses of these */
#define NGX_HTTP_PAYER_POSTGRES_BATCH    1024   /* calls in one statement */
#define NGX_HTTP_PAYER_POSTGRES_KEYS     4096   /* of these */
#define NGX_HTTP_PAYER_POSTGRES_REPEATS  32     /* of a put, by others */
#define NGX_HTTP_PAYER_POSTGRES_PATIENCE 2000   /* ms without a primary, or
                                                 * without a commit */


typedef enum {
    NGX_HTTP_PAYER_POSTGRES_DISABLE = 0,
    NGX_HTTP_PAYER_POSTGRES_REQUIRE,
    NGX_HTTP_PAYER_POSTGRES_VERIFY_CA,
    NGX_HTTP_PAYER_POSTGRES_VERIFY_FULL
} ngx_http_payer_postgres_ssl_e;


typedef enum {
    NGX_HTTP_PAYER_POSTGRES_REPLICATED = 0,
    NGX_HTTP_PAYER_POSTGRES_ENGINE,
    NGX_HTTP_PAYER_POSTGRES_LOCAL
} ngx_http_payer_postgres_durability_e;


/* what a call asks for */
typedef enum {
    NGX_HTTP_PAYER_POSTGRES_GET = 0,
    NGX_HTTP_PAYER_POSTGRES_SCAN,
    NGX_HTTP_PAYER_POSTGRES_LIST,
    NGX_HTTP_PAYER_POSTGRES_PUT,
    NGX_HTTP_PAYER_POSTGRES_DUE,
    NGX_HTTP_PAYER_POSTGRES_SWEEP,
    NGX_HTTP_PAYER_POSTGRES_KINDS
} ngx_http_payer_postgres_kind_e;


typedef struct ngx_http_payer_postgres_s       ngx_http_payer_postgres_t;
typedef struct ngx_http_payer_postgres_link_s  ngx_http_payer_postgres_link_t;
typedef struct ngx_http_payer_postgres_wire_s  ngx_http_payer_postgres_wire_t;
typedef struct ngx_http_payer_postgres_job_s   ngx_http_payer_postgres_job_t;
typedef struct ngx_http_payer_postgres_flight_s
                                              ngx_http_payer_postgres_flight_t;


typedef struct {
    ngx_str_t                name;              /* all of these end with a NUL,
                                                 * which is not counted */
    ngx_str_t                port;
    ngx_str_t                shown;             /* both, for the log */
    ngx_str_t                address;           /* empty: to be resolved */
    unsigned                 local:1;           /* socket in a directory */
    unsigned                 loopback:1;
} ngx_http_payer_postgres_host_t;


/* one connection of libpq */

struct ngx_http_payer_postgres_wire_s {
    ngx_queue_t              queue;             /* of link->wires */
    ngx_http_payer_postgres_link_t  *link;
    ngx_http_payer_postgres_host_t  *host;
    PGconn                  *conn;
    ngx_connection_t        *c;                 /* nginx's, of libpq's fd */
    ngx_queue_t              flights;           /* sent, in this order */
    ngx_event_t              timer;             /* of the oldest */
    uint64_t                 timeline;
    uint32_t                 change;            /* payer.change_2, there */
    ngx_uint_t               nulls;             /* PQgetResult() in a row */
    size_t                   bytes;             /* that came since an answer
                                                 * was complete */
    unsigned                 partial:1;         /* some of one has come */
    unsigned                 connected:1;       /* what is next is the check */
    unsigned                 checked:1;
    unsigned                 doubt:1;           /* a commit was not durable */
};


/* the reads or the writes of a process */

struct ngx_http_payer_postgres_link_s {
    ngx_http_payer_postgres_t  *pg;
    ngx_http_payer_postgres_wire_t  *wire;      /* in use; NULL: none */
    ngx_queue_t              wires;             /* that are being tried */
    ngx_uint_t               resolving;
    ngx_resolver_ctx_t      *names[NGX_HTTP_PAYER_POSTGRES_HOSTS];
    ngx_queue_t              waiting;           /* jobs that are not sent */
    ngx_queue_t              jobs;              /* all, the oldest first */
    ngx_uint_t               njobs;
    ngx_event_t              timer;             /* of the search, or until the
                                                 * next one */
    ngx_event_t              deadline;          /* of the oldest job */
    ngx_event_t              kick;              /* posted: there is work */
    ngx_msec_t               backoff;
    ngx_msec_t               swept;
    ngx_msec_t               since;             /* there is no wire; 0: there
                                                 * is one */
    ngx_uint_t               hangs;             /* wires that were given up as
                                                 * no commit ended, in a row */
    size_t                   reason_len;
    u_char                   reason[512];       /* why the search failed */
    unsigned                 writes:1;
    unsigned                 down:1;            /* for so long that nobody
                                                 * waits any more */
    unsigned                 hung:1;            /* no commit ends */
    unsigned                 searching:1;
    unsigned                 running:1;         /* a put, or a get, is under
                                                 * way: others gather */
};


struct ngx_http_payer_postgres_s {
    ngx_http_payer_store_t  *store;
    ngx_http_payer_store_lent_t  *lent;
    ngx_str_t                title;             /* for the log */
    ngx_str_t                user;
    ngx_str_t                database;
    ngx_str_t                password;
    ngx_str_t                password_file;
    ngx_str_t                ca;
    ngx_str_t                cert;
    ngx_str_t                key;
    ngx_str_t                made_for;          /* "live b2b.payer.se" */
    ngx_http_payer_postgres_ssl_e         ssl;
    ngx_http_payer_postgres_durability_e  durability;
    ngx_msec_t               timeout;
    ngx_msec_t               connect_timeout;
    ngx_uint_t               queue;
    ngx_http_payer_postgres_host_t  hosts[NGX_HTTP_PAYER_POSTGRES_HOSTS];
    ngx_uint_t               nhosts;
    ngx_resolver_t          *resolver;
    ngx_uint_t               serial;            /* of puts, by this process */

    ngx_http_payer_postgres_link_t  reads;
    ngx_http_payer_postgres_link_t  writes;
    ngx_msec_t               full;              /* when that was logged */
    unsigned                 active:1;          /* in a worker */
    unsigned                 ending:1;          /* and that ends */
};


/* what the store says of an entry */

typedef struct {
    ngx_str_t                value;
    uint64_t                 rev;               /* 0: nothing is there */
    ngx_http_payer_label_t   label;
} ngx_http_payer_postgres_stored_t;


/* and what it is to become */

typedef struct {
    ngx_uint_t               op;
    ngx_str_t                value;
    ngx_http_payer_label_t   label;
} ngx_http_payer_postgres_fresh_t;


/* a call of the store; it lives outside of the requests */

struct ngx_http_payer_postgres_job_s {
    ngx_queue_t              queue;             /* of what waits, or of a
                                                 * flight */
    ngx_queue_t              age;               /* of link->jobs */
    ngx_pool_t              *pool;
    ngx_http_payer_postgres_kind_e  kind;
    ngx_http_payer_io_t     *io;                /* NULL: nobody waits */
    ngx_msec_t               began;
    ngx_uint_t               repeats;
    unsigned                 dead:1;            /* its end was told */
    unsigned                 alone:1;           /* in no batch with others */
    unsigned                 sent:1;
    unsigned                 wanted:1;
    unsigned                 kept:1;
    unsigned                 confirm:1;         /* only to see a commit */

    /* of get: the key, of scan, list and due: the prefix */
    ngx_str_t                key;
    ngx_str_t                after;
    ngx_uint_t               limit;
    time_t                   lease;
    ngx_http_payer_list_t    list;
    time_t                   updated;
    uint64_t                 serial;

    /* of put */
    uint64_t                 rev;               /* names it, and what it
                                                 * writes */
    ngx_uint_t               rows;              /* that were sent */
    ngx_http_payer_claim_act_e  act;
    ngx_http_payer_claim_t   claim;
    ngx_uint_t               n;
    ngx_http_payer_store_entry_t      *entries;
    ngx_http_payer_postgres_stored_t  *stored;
    ngx_http_payer_postgres_fresh_t   *fresh;
    ngx_str_t                result;
    ngx_int_t                outcome;           /* NGX_AGAIN: sent again */
    ngx_msec_t               left;
};


/* a statement that was sent, and its jobs */

struct ngx_http_payer_postgres_flight_s {
    ngx_queue_t              queue;
    ngx_queue_t              jobs;
    ngx_uint_t               njobs;
    ngx_http_payer_postgres_kind_e  kind;
    ngx_msec_t               sent;
    PGresult                *result;
    unsigned                 prepare:1;         /* of a statement, no more */
    unsigned                 check:1;
};


/* an array of PostgreSQL's binary format that grows */

typedef struct {
    u_char                  *start;
    u_char                  *pos;
    u_char                  *end;
    uint32_t                 n;
    unsigned                 failed:1;
} ngx_http_payer_postgres_array_t;

#define NGX_HTTP_PAYER_POSTGRES_BOOL   16
#define NGX_HTTP_PAYER_POSTGRES_BYTEA  17
#define NGX_HTTP_PAYER_POSTGRES_INT8   20
#define NGX_HTTP_PAYER_POSTGRES_INT4   23
#define NGX_HTTP_PAYER_POSTGRES_TEXT   25

void ngx_http_payer_postgres_array_init(ngx_http_payer_postgres_array_t *a,
    uint32_t type);
void ngx_http_payer_postgres_array_free(ngx_http_payer_postgres_array_t *a);
void ngx_http_payer_postgres_add_bytes(ngx_http_payer_postgres_array_t *a,
    u_char *data, size_t len);

/* room for another element of this size, with the length before it; NULL: no
 * memory.  It may become shorter: add_end() is told where it ends. */
u_char *ngx_http_payer_postgres_add(ngx_http_payer_postgres_array_t *a,
    size_t len);
void ngx_http_payer_postgres_add_end(ngx_http_payer_postgres_array_t *a,
    u_char *start, u_char *last);

/* completes it; the whole is its parameter */
ngx_str_t ngx_http_payer_postgres_array_end(
    ngx_http_payer_postgres_array_t *a);


/* big-endian, as PostgreSQL has them; these return what is behind them */

static ngx_inline u_char *
ngx_http_payer_postgres_write4(u_char *p, uint32_t n)
{
    n = htonl(n);

    return ngx_cpymem(p, &n, sizeof(uint32_t));
}


static ngx_inline u_char *
ngx_http_payer_postgres_write8(u_char *p, uint64_t n)
{
    p = ngx_http_payer_postgres_write4(p, (uint32_t) (n >> 32));

    return ngx_http_payer_postgres_write4(p, (uint32_t) n);
}


/* the directive */
char *ngx_http_payer_postgres_configure(ngx_conf_t *cf,
    ngx_http_payer_store_t *store, ngx_str_t *value);
ngx_int_t ngx_http_payer_postgres_check(ngx_conf_t *cf,
    ngx_http_payer_store_t *store);

/* of the text of the directive: NGX_OK or NGX_ERROR (logged) */
ngx_int_t ngx_http_payer_postgres_uri(ngx_conf_t *cf,
    ngx_http_payer_postgres_t *pg, ngx_str_t *value);

/* in a worker, once: what the calls below need */
void ngx_http_payer_postgres_begin(ngx_http_payer_postgres_t *pg);

/*
 * What the worker processes know of the store, in the zone: a bit for each
 * that is without it, and one that says whether that was logged; the same of
 * those whose commits do not end; and how many calls wait in each.  down() and
 * up() are called by a worker when it has given up, or has found it, hung()
 * and ended() when commits do not end, and when they do again.
 */
void ngx_http_payer_postgres_unknown(ngx_http_payer_postgres_t *pg);
void ngx_http_payer_postgres_queued(ngx_http_payer_postgres_t *pg);
void ngx_http_payer_postgres_down(ngx_http_payer_postgres_link_t *link);
void ngx_http_payer_postgres_up(ngx_http_payer_postgres_wire_t *wire);
void ngx_http_payer_postgres_hung(ngx_http_payer_postgres_wire_t *wire,
    ngx_msec_t age);
void ngx_http_payer_postgres_ended(ngx_http_payer_postgres_link_t *link);
ngx_uint_t ngx_http_payer_postgres_told(ngx_http_payer_postgres_t *pg);

/* looks for the primary, if nobody does yet and it is time */
void ngx_http_payer_postgres_search(ngx_http_payer_postgres_link_t *link);

/* the names of its hosts: calls back with each address, and at the end */
void ngx_http_payer_postgres_resolve(ngx_http_payer_postgres_link_t *link);
void ngx_http_payer_postgres_unresolve(ngx_http_payer_postgres_link_t *link);
void ngx_http_payer_postgres_resolved(ngx_http_payer_postgres_link_t *link);

/* begins to connect: NGX_OK or NGX_ERROR (told to the link) */
void ngx_http_payer_postgres_connect(ngx_http_payer_postgres_link_t *link,
    ngx_http_payer_postgres_host_t *host, char *address);

/* of a wire that is being tried: it is the primary, or cannot be used */
void ngx_http_payer_postgres_found(ngx_http_payer_postgres_wire_t *wire);
void ngx_http_payer_postgres_refused(ngx_http_payer_postgres_wire_t *wire,
    const char *reason, size_t len);

/* the wire in use is lost: what it had sent is in doubt */
void ngx_http_payer_postgres_lost(ngx_http_payer_postgres_wire_t *wire,
    const char *reason, size_t len);

/* a flight was sent, or is the oldest now: it is waited for */
void ngx_http_payer_postgres_await(ngx_http_payer_postgres_wire_t *wire);

/* it has no answer: returns for how long it is to be kept all the same */
ngx_msec_t ngx_http_payer_postgres_hangs(
    ngx_http_payer_postgres_wire_t *wire);

/* now and then, while no commit ends */
void ngx_http_payer_postgres_look(ngx_http_payer_postgres_link_t *link);
void ngx_http_payer_postgres_probe(ngx_http_payer_postgres_link_t *link);

/* a commit has ended, or there is no primary any more */
void ngx_http_payer_postgres_flows(ngx_http_payer_postgres_link_t *link);

/* ends the search, but for a wire that was chosen */
void ngx_http_payer_postgres_end_search(ngx_http_payer_postgres_link_t *link);

/* frees it; what it had sent waits again */
void ngx_http_payer_postgres_close(ngx_http_payer_postgres_wire_t *wire);

/* the end of a link, in a worker that ends */
void ngx_http_payer_postgres_close_link(ngx_http_payer_postgres_link_t *link);

/* one of both, as the wire is in use or not */
void ngx_http_payer_postgres_end(ngx_http_payer_postgres_wire_t *wire,
    const char *reason);

/* what the socket of libpq is watched for */
ngx_int_t ngx_http_payer_postgres_watch(ngx_http_payer_postgres_wire_t *wire,
    ngx_uint_t write);
void ngx_http_payer_postgres_unwatch(ngx_http_payer_postgres_wire_t *wire);

/* statements are prepared, and the server is asked what it is */
ngx_int_t ngx_http_payer_postgres_ask(ngx_http_payer_postgres_wire_t *wire);
ngx_int_t ngx_http_payer_postgres_answer(ngx_http_payer_postgres_wire_t *wire,
    PGresult *res);

/* sends a statement for the jobs of the flight: NGX_OK or NGX_ERROR */
ngx_http_payer_postgres_flight_t *ngx_http_payer_postgres_flight(
    ngx_http_payer_postgres_kind_e kind);
ngx_int_t ngx_http_payer_postgres_send(ngx_http_payer_postgres_wire_t *wire,
    ngx_http_payer_postgres_flight_t *flight, ngx_uint_t n,
    ngx_str_t *params);
ngx_int_t ngx_http_payer_postgres_flush(ngx_http_payer_postgres_wire_t *wire);

/* takes what has come: NGX_OK, or NGX_ERROR if the wire is gone */
ngx_int_t ngx_http_payer_postgres_receive(
    ngx_http_payer_postgres_wire_t *wire);

/* the statement of a kind, and its name on a wire */
extern const char  *ngx_http_payer_postgres_names[];
extern const char  *ngx_http_payer_postgres_texts[];

/* a column of a row */
ngx_uint_t ngx_http_payer_postgres_null(PGresult *res, int row, int column);
int64_t ngx_http_payer_postgres_int(PGresult *res, int row, int column);
ngx_str_t ngx_http_payer_postgres_bytes(PGresult *res, int row, int column);
void ngx_http_payer_postgres_label(PGresult *res, int row, int column,
    ngx_http_payer_label_t *label);


/*
 * A job, NULL if there is no memory or no room; enqueued, it has its end in
 * time, which tells its io.
 */
ngx_http_payer_postgres_job_t *ngx_http_payer_postgres_job(
    ngx_http_payer_postgres_link_t *link,
    ngx_http_payer_postgres_kind_e kind);
void ngx_http_payer_postgres_enqueue(ngx_http_payer_postgres_link_t *link,
    ngx_http_payer_postgres_job_t *job, ngx_http_payer_io_t *io);

/*
 * What this process has written and still holds the claim for: as a rule the
 * next put is made from that, and need not ask first.
 */
void ngx_http_payer_postgres_remember(ngx_http_payer_postgres_job_t *job);
void ngx_http_payer_postgres_recall(ngx_http_payer_postgres_job_t *job);

/* gives a put a name that no other one has */
void ngx_http_payer_postgres_name(ngx_http_payer_postgres_t *pg,
    ngx_http_payer_postgres_job_t *job);

/* those of a link that is down end, but for what has to be kept */
void ngx_http_payer_postgres_turn_away(ngx_http_payer_postgres_link_t *link);
void ngx_http_payer_postgres_finish(ngx_http_payer_postgres_link_t *link,
    ngx_http_payer_postgres_job_t *job, ngx_int_t rc);
void ngx_http_payer_postgres_again(ngx_http_payer_postgres_link_t *link,
    ngx_http_payer_postgres_job_t *job);
void ngx_http_payer_postgres_free(ngx_http_payer_postgres_job_t *job);
ngx_int_t ngx_http_payer_postgres_keep(ngx_pool_t *pool, ngx_str_t *dst,
    ngx_str_t *src);

/* handlers of a link's events */
void ngx_http_payer_postgres_kick(ngx_event_t *ev);
void ngx_http_payer_postgres_expire(ngx_event_t *ev);
void ngx_http_payer_postgres_timer(ngx_event_t *ev);

/* sends what waits, as far as it may be sent now */
void ngx_http_payer_postgres_depart(ngx_http_payer_postgres_link_t *link);

/* frees a flight that is in no queue; its jobs wait again */
void ngx_http_payer_postgres_free_flight(ngx_http_payer_postgres_link_t *link,
    ngx_http_payer_postgres_flight_t *flight);

/* a flight has its end: with a result, or with an error of this SQLSTATE */
void ngx_http_payer_postgres_land(ngx_http_payer_postgres_link_t *link,
    ngx_http_payer_postgres_flight_t *flight);
void ngx_http_payer_postgres_fail(ngx_http_payer_postgres_link_t *link,
    ngx_http_payer_postgres_flight_t *flight, const char *state);

/* what a put does to an entry, as in schema.sql */
#define NGX_HTTP_PAYER_POSTGRES_LOOK    0
#define NGX_HTTP_PAYER_POSTGRES_WRITE   1
#define NGX_HTTP_PAYER_POSTGRES_DELETE  2
#define NGX_HTTP_PAYER_POSTGRES_ALIAS   3
#define NGX_HTTP_PAYER_POSTGRES_CLAIM   4
#define NGX_HTTP_PAYER_POSTGRES_SKIP    5       /* it is not sent */

/* what a put is to write, as far as it is known what is stored */
ngx_int_t ngx_http_payer_postgres_merge(ngx_http_payer_postgres_job_t *job);

/* the puts that wait as one statement: NGX_OK, NGX_DECLINED if there is none,
 * or NGX_ERROR */
ngx_int_t ngx_http_payer_postgres_batch(ngx_http_payer_postgres_link_t *link);

/* whether its claim has a row behind the others, as of no key that is sent */
ngx_uint_t ngx_http_payer_postgres_claim_row(
    ngx_http_payer_postgres_job_t *job);

/* another put of a batch, whose first one is number 1; and all their rows */
void ngx_http_payer_postgres_add_put(ngx_http_payer_postgres_job_t *job,
    ngx_uint_t put);
void ngx_http_payer_postgres_rows(ngx_http_payer_postgres_array_t *a);

/* what became of them, or of what was read */
ngx_int_t ngx_http_payer_postgres_written(ngx_http_payer_postgres_link_t *link,
    ngx_http_payer_postgres_flight_t *flight);
ngx_int_t ngx_http_payer_postgres_gets(ngx_http_payer_postgres_link_t *link);
ngx_int_t ngx_http_payer_postgres_pages(ngx_http_payer_postgres_link_t *link);
ngx_int_t ngx_http_payer_postgres_sweep(ngx_http_payer_postgres_link_t *link);
ngx_int_t ngx_http_payer_postgres_found_keys(
    ngx_http_payer_postgres_link_t *link,
    ngx_http_payer_postgres_flight_t *flight);
ngx_int_t ngx_http_payer_postgres_found_page(
    ngx_http_payer_postgres_link_t *link,
    ngx_http_payer_postgres_flight_t *flight);

/* operations of the store */
ngx_int_t ngx_http_payer_postgres_get(ngx_http_payer_store_t *store,
    ngx_str_t *key, ngx_http_payer_io_t *io);
ngx_int_t ngx_http_payer_postgres_scan(ngx_http_payer_store_t *store,
    ngx_str_t *prefix, ngx_str_t *after, ngx_uint_t limit,
    ngx_http_payer_io_t *io);
ngx_int_t ngx_http_payer_postgres_list(ngx_http_payer_store_t *store,
    ngx_http_payer_list_t *list, ngx_http_payer_io_t *io);
ngx_int_t ngx_http_payer_postgres_put(ngx_http_payer_store_t *store,
    ngx_http_payer_store_entry_t *entries, ngx_uint_t n,
    ngx_http_payer_claim_act_e act, ngx_http_payer_claim_t *claim,
    ngx_http_payer_io_t *io);
ngx_int_t ngx_http_payer_postgres_due(ngx_http_payer_store_t *store,
    ngx_str_t *prefix, ngx_uint_t limit, time_t lease,
    ngx_http_payer_io_t *io);
void ngx_http_payer_postgres_unclaim(ngx_http_payer_store_t *store,
    ngx_http_payer_claim_t *claim);
void ngx_http_payer_postgres_forget(ngx_http_payer_io_t *io);
void ngx_http_payer_postgres_status(ngx_http_payer_store_t *store,
    ngx_http_payer_store_status_t *status);

/* a commit, for a get that found nothing: NGX_AGAIN or NGX_ERROR */
ngx_int_t ngx_http_payer_postgres_confirm(ngx_http_payer_postgres_t *pg,
    ngx_http_payer_io_t *io);

/* the backend of a store in use in this process */
ngx_http_payer_postgres_t *ngx_http_payer_postgres_of(
    ngx_http_payer_store_t *store);

/* whether the text may be a key there: UTF-8 without NUL */
ngx_uint_t ngx_http_payer_postgres_text(ngx_str_t *text);

/* writes what waits, for two seconds at the most, in a worker that ends */
void ngx_http_payer_postgres_drain(ngx_http_payer_postgres_t *pg);


#endif /* _NGX_HTTP_PAYER_POSTGRES_H_INCLUDED_ */
