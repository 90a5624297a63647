
/*
 * The walk of payer_reconcile and of payer_sweep over the operations and the
 * orders of a merchant, and its results.
 *
 * The walk itself reads the store only.  Each record in doubt is read from
 * Payer by its own background request, several at a time, whose memory is
 * freed when it ends.
 */


#ifndef _NGX_HTTP_PAYER_RECONCILE_WALK_H_INCLUDED_
#define _NGX_HTTP_PAYER_RECONCILE_WALK_H_INCLUDED_


#include "ngx_http_payer_module.h"
#include "ngx_http_payer_op.h"
#include "ngx_http_payer_reconcile_lap.h"
#include "ngx_http_payer_sums.h"


/* the order in which it walks, by the prefixes of keys */

#define NGX_HTTP_PAYER_RECONCILE_OPS   0
#define NGX_HTTP_PAYER_RECONCILE_ORDERS  1
#define NGX_HTTP_PAYER_RECONCILE_KINDS   2      /* it is over */


/* how many payments are read at once, at most */

#define NGX_HTTP_PAYER_RECONCILE_WINDOW  16


/* the results for one record or for all */
typedef struct {
    ngx_uint_t                     settled;
    ngx_uint_t                     done;        /* of the operations */
    ngx_uint_t                     not_done;
    ngx_uint_t                     undecided;
    ngx_uint_t                     unknown;     /* of all */
    ngx_uint_t                     reads;       /* that succeeded */
    ngx_uint_t                     failed;      /* reads that did not */
    ngx_uint_t                     expired;
    ngx_uint_t                     status;      /* of the last that failed */
    const char                    *reason;
    unsigned                       broken:1;    /* the store is */
} ngx_http_payer_reconcile_count_t;


/* what is to be done about a record */
typedef enum {
    NGX_HTTP_PAYER_RECONCILE_NOTHING = 0,
    NGX_HTTP_PAYER_RECONCILE_OP,      /* an operation is read back */
    NGX_HTTP_PAYER_RECONCILE_READ,      /* the payment of an order is */
    NGX_HTTP_PAYER_RECONCILE_EXPIRE,    /* no client has its link */
    NGX_HTTP_PAYER_RECONCILE_CAPTURE,   /* payer_auto_capture */
    NGX_HTTP_PAYER_RECONCILE_LIMIT      /* payer_authorization_limit */
} ngx_http_payer_reconcile_task_e;


/* ctx->data of the walk; set up to "after" before it starts */
typedef struct {
    ngx_http_payer_step_pt           over;      /* the step that follows */
    char                            *name;      /* of the work */
    ngx_uint_t                       limit;
    time_t                           age;       /* of old authorizations, 0:
                                                 * payer_authorization_limit */
    unsigned                         by_hand:1; /* "after" was given */

    ngx_uint_t                       kind;      /* which prefix */
    ngx_str_t                        after;     /* the cursor */
    u_char                           key[NGX_HTTP_PAYER_STORE_MAX_KEY];
    ngx_str_t                        prefix;    /* of this kind */
    ngx_pool_t                      *pool;      /* of the record at hand */
    ngx_http_payer_ctx_t            *ctx;
    ngx_queue_t                      jobs;      /* that run */
    ngx_uint_t                       running;
    ngx_uint_t                       window;    /* how many may */
    ngx_uint_t                       started;   /* how many at "turn" */
    ngx_msec_t                       turn;

    ngx_uint_t                       scanned;
    ngx_uint_t                       examined;
    ngx_uint_t                       old;
    ngx_uint_t                       in_a_row;  /* reads that failed */
    ngx_http_payer_reconcile_count_t count;

    ngx_http_payer_reconcile_lap_t   lap;
    ngx_str_t                        start;     /* where this run began */
    ngx_uint_t                       start_kind;

    unsigned                         around:1;  /* past the last record */
    unsigned                         over_all:1;    /* nothing is left */
    unsigned                         complete:1;    /* a lap */
    unsigned                         full:1;    /* no connection to spare */
    ngx_uint_t                       complete_old;  /* of that lap */
} ngx_http_payer_reconcile_t;


extern ngx_str_t  ngx_http_payer_reconcile_kinds[];


/*
 * the first step: walks from the stored cursor once around, or from rec->after
 * to the end if it was given, until the limits are reached or the time is
 * nearly over, and continues with rec->over.  NGX_ERROR: the store could not
 * be read or written (rec->count.broken), or there is no memory
 */
ngx_int_t ngx_http_payer_reconcile_start(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);

/* which of the kinds the key is of, the first one for an empty key */
ngx_uint_t ngx_http_payer_reconcile_kind(ngx_str_t *key);

/* the n-th part of a key between slashes, counted from 0: 1 or 0 */
ngx_uint_t ngx_http_payer_reconcile_part(ngx_str_t *key, ngx_uint_t n,
    ngx_str_t *part);


/*
 * what is to be done about the record in ctx->io, whose payment "id" becomes;
 * and when that is decided: an order whose authorization is old is counted and
 * logged
 */
ngx_http_payer_reconcile_task_e ngx_http_payer_reconcile_look(
    ngx_http_payer_ctx_t *ctx, ngx_http_payer_reconcile_t *rec,
    ngx_str_t *id);
void ngx_http_payer_reconcile_old(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec);


/*
 * whether a message about an order is to be logged: its cause began at
 * "since", or the order has changed since the previous lap, or a day has
 * passed
 */
ngx_uint_t ngx_http_payer_reconcile_news(ngx_http_payer_reconcile_t *rec,
    ngx_http_payer_record_t *record, time_t since);

/* the settings for the record, or NULL: it is not one of this host */
ngx_http_payer_loc_conf_t *ngx_http_payer_reconcile_conf(
    ngx_http_payer_ctx_t *ctx, ngx_http_payer_record_t *record);

/*
 * runs a task in a background request: NGX_OK, NGX_BUSY while another one runs
 * for the same payment, NGX_DECLINED if there is no connection to spare,
 * NGX_ERROR
 */
ngx_int_t ngx_http_payer_reconcile_job(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_reconcile_t *rec, ngx_http_payer_reconcile_task_e task,
    ngx_str_t *id);

/* the walk has ended: running jobs continue without it */
void ngx_http_payer_reconcile_leave(ngx_http_payer_reconcile_t *rec);


#endif /* _NGX_HTTP_PAYER_RECONCILE_WALK_H_INCLUDED_ */
