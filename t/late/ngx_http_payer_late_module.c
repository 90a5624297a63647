
/*
 * For tests: stands before the store of ngx_http_payer_module and answers
 * each operation later than it would, as a store over a network does.
 *
 * An operation is done after a random time, and what became of it is told
 * after another one.  Writes are done in the order in which they were asked
 * for; reads overtake them and each other, and so do all answers.  Some
 * operations are answered at once, since callers have to take both.
 *
 *     PAYER_TEST_LATE=MILLISECONDS[:SEED]
 *
 * in the environment says how late, as a rule; one in sixteen takes up to ten
 * times as long.  What is answered is in a pool of its own until then, so
 * that nothing depends on the caller's being there.
 *
 *     PAYER_TEST_STALL=MILLISECONDS:FILE
 *
 * lets the worker process that makes FILE stand still so long, once, before it
 * gives a claim back with what it was taken for.
 */


#include "ngx_http_payer_module.h"


typedef struct {
    ngx_http_payer_store_ops_t     ops;         /* first: of the store */
    ngx_http_payer_store_ops_t    *real;
    ngx_msec_t                     most;
    uint64_t                       random;
    ngx_msec_t                     last;        /* of the writes; when */
    ngx_uint_t                     writes;      /* that are not done */
    char                          *stall;       /* NULL: never */
} ngx_http_payer_late_t;


typedef struct ngx_http_payer_late_op_s  ngx_http_payer_late_op_t;

struct ngx_http_payer_late_op_s {
    ngx_http_payer_store_t        *store;
    ngx_pool_t                    *pool;
    ngx_event_t                    event;
    ngx_http_payer_io_t           *io;          /* NULL: nobody waits */
    ngx_http_payer_io_t            own;
    ngx_int_t                    (*run)(ngx_http_payer_late_op_t *op);
    ngx_uint_t                     write;       /* unsigned  write:1; */

    ngx_str_t                      key;         /* or the prefix */
    ngx_str_t                      after;
    ngx_uint_t                     limit;
    time_t                         lease;
    ngx_http_payer_list_t          list;
    ngx_http_payer_store_entry_t  *entries;
    ngx_uint_t                     n;
    ngx_http_payer_claim_act_e     act;
    ngx_http_payer_claim_t         claim;
};


static ngx_int_t ngx_http_payer_late_init(ngx_cycle_t *cycle);
static uint64_t ngx_http_payer_late_random(ngx_http_payer_late_t *late);
static ngx_msec_t ngx_http_payer_late_delay(ngx_http_payer_late_t *late);
static ngx_int_t ngx_http_payer_late_get(ngx_http_payer_store_t *store,
    ngx_str_t *key, ngx_http_payer_io_t *io);
static ngx_int_t ngx_http_payer_late_scan(ngx_http_payer_store_t *store,
    ngx_str_t *prefix, ngx_str_t *after, ngx_uint_t limit,
    ngx_http_payer_io_t *io);
static ngx_int_t ngx_http_payer_late_list(ngx_http_payer_store_t *store,
    ngx_http_payer_list_t *list, ngx_http_payer_io_t *io);
static ngx_int_t ngx_http_payer_late_due(ngx_http_payer_store_t *store,
    ngx_str_t *prefix, ngx_uint_t limit, time_t lease,
    ngx_http_payer_io_t *io);
static ngx_int_t ngx_http_payer_late_put(ngx_http_payer_store_t *store,
    ngx_http_payer_store_entry_t *entries, ngx_uint_t n,
    ngx_http_payer_claim_act_e act, ngx_http_payer_claim_t *claim,
    ngx_http_payer_io_t *io);
static void ngx_http_payer_late_forget(ngx_http_payer_io_t *io);
static ngx_int_t ngx_http_payer_late_run_get(ngx_http_payer_late_op_t *op);
static ngx_int_t ngx_http_payer_late_run_scan(ngx_http_payer_late_op_t *op);
static ngx_int_t ngx_http_payer_late_run_list(ngx_http_payer_late_op_t *op);
static ngx_int_t ngx_http_payer_late_run_due(ngx_http_payer_late_op_t *op);
static ngx_int_t ngx_http_payer_late_run_put(ngx_http_payer_late_op_t *op);
static ngx_http_payer_late_op_t *ngx_http_payer_late_op(
    ngx_http_payer_store_t *store, ngx_http_payer_io_t *io,
    ngx_int_t (*run)(ngx_http_payer_late_op_t *op));
static void ngx_http_payer_late_stall(ngx_http_payer_late_t *late);
static void ngx_http_payer_late_free(ngx_http_payer_late_op_t *op);
static void ngx_http_payer_late_text(ngx_http_payer_late_op_t *op,
    ngx_str_t *dst, ngx_str_t *src);
static ngx_int_t ngx_http_payer_late_claim(ngx_http_payer_late_op_t *op,
    ngx_http_payer_claim_act_e act, ngx_http_payer_claim_t *claim);
static ngx_int_t ngx_http_payer_late_start(ngx_http_payer_late_op_t *op);
static void ngx_http_payer_late_begin(ngx_event_t *ev);
static void ngx_http_payer_late_done(ngx_http_payer_io_t *io);
static void ngx_http_payer_late_answer(ngx_event_t *ev);
static ngx_int_t ngx_http_payer_late_copy(ngx_http_payer_late_op_t *op,
    ngx_http_payer_io_t *io);


extern ngx_module_t  ngx_http_payer_module;


static ngx_core_module_t  ngx_http_payer_late_module_ctx = {
    ngx_string("payer_late"),
    NULL,
    NULL
};


ngx_module_t  ngx_http_payer_late_module = {
    NGX_MODULE_V1,
    &ngx_http_payer_late_module_ctx,       /* module context */
    NULL,                                  /* module directives */
    NGX_CORE_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_payer_late_init,              /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/* what nginx looks for in a shared object */

extern ngx_module_t  *ngx_modules[];
extern char  *ngx_module_names[];
extern char  *ngx_module_order[];

ngx_module_t  *ngx_modules[] = { &ngx_http_payer_late_module, NULL };
char  *ngx_module_names[] = { "ngx_http_payer_late_module", NULL };
char  *ngx_module_order[] = { NULL };


/* of each configuration, when that of the payer module is complete */

static ngx_int_t
ngx_http_payer_late_init(ngx_cycle_t *cycle)
{
    char                        *value, *seed, *stall;
    ngx_http_payer_late_t       *late;
    ngx_http_payer_store_ops_t  *ops;
    ngx_http_payer_main_conf_t  *pmcf;

    pmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_payer_module);
    value = getenv("PAYER_TEST_LATE");
    stall = getenv("PAYER_TEST_STALL");

    if (pmcf == NULL || pmcf->store == NULL || pmcf->store->ops == NULL
        || (value == NULL && stall == NULL))
    {
        return NGX_OK;
    }

    late = ngx_pcalloc(cycle->pool, sizeof(ngx_http_payer_late_t));
    if (late == NULL) {
        return NGX_ERROR;
    }

    seed = value ? strchr(value, ':') : NULL;

    late->most = value ? ngx_max(1, atoi(value)) : 1;
    late->random = (seed != NULL) ? strtoull(seed + 1, NULL, 10) : 1;
    late->stall = stall;
    late->real = pmcf->store->ops;
    late->ops = *late->real;

    ops = &late->ops;

    ops->get = ngx_http_payer_late_get;
    ops->put = ngx_http_payer_late_put;
    ops->scan = ngx_http_payer_late_scan;
    ops->list = ngx_http_payer_late_list;
    ops->due = ngx_http_payer_late_due;
    ops->forget = ngx_http_payer_late_forget;

    pmcf->store->ops = ops;

    ngx_log_error(NGX_LOG_NOTICE, cycle->log, 0,
                  "payer late: the store answers after up to %M ms",
                  late->most);

    return NGX_OK;
}


/* splitmix64, another one in each worker process */

static uint64_t
ngx_http_payer_late_random(ngx_http_payer_late_t *late)
{
    uint64_t  n;

    late->random += 0x9e3779b97f4a7c15ULL;
    n = late->random + ngx_worker;

    n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9ULL;
    n = (n ^ (n >> 27)) * 0x94d049bb133111ebULL;

    return n ^ (n >> 31);
}


static ngx_msec_t
ngx_http_payer_late_delay(ngx_http_payer_late_t *late)
{
    ngx_msec_t  most;

    most = late->most;

    if (ngx_http_payer_late_random(late) % 16 == 0) {
        most *= 10;
    }

    return (ngx_msec_t) (ngx_http_payer_late_random(late) % (most + 1));
}


static ngx_int_t
ngx_http_payer_late_get(ngx_http_payer_store_t *store, ngx_str_t *key,
    ngx_http_payer_io_t *io)
{
    ngx_http_payer_late_op_t  *op;

    op = ngx_http_payer_late_op(store, io, ngx_http_payer_late_run_get);
    if (op == NULL) {
        return NGX_ERROR;
    }

    ngx_http_payer_late_text(op, &op->key, key);

    return ngx_http_payer_late_start(op);
}


static ngx_int_t
ngx_http_payer_late_run_get(ngx_http_payer_late_op_t *op)
{
    ngx_http_payer_late_t  *late = (ngx_http_payer_late_t *) op->store->ops;

    return late->real->get(op->store, &op->key, &op->own);
}


static ngx_int_t
ngx_http_payer_late_scan(ngx_http_payer_store_t *store, ngx_str_t *prefix,
    ngx_str_t *after, ngx_uint_t limit, ngx_http_payer_io_t *io)
{
    ngx_http_payer_late_op_t  *op;

    op = ngx_http_payer_late_op(store, io, ngx_http_payer_late_run_scan);
    if (op == NULL) {
        return NGX_ERROR;
    }

    ngx_http_payer_late_text(op, &op->key, prefix);
    ngx_http_payer_late_text(op, &op->after, after);
    op->limit = limit;

    return ngx_http_payer_late_start(op);
}


static ngx_int_t
ngx_http_payer_late_run_scan(ngx_http_payer_late_op_t *op)
{
    ngx_http_payer_late_t  *late = (ngx_http_payer_late_t *) op->store->ops;

    return late->real->scan(op->store, &op->key, &op->after, op->limit,
                            &op->own);
}


static ngx_int_t
ngx_http_payer_late_list(ngx_http_payer_store_t *store,
    ngx_http_payer_list_t *list, ngx_http_payer_io_t *io)
{
    ngx_http_payer_late_op_t  *op;

    op = ngx_http_payer_late_op(store, io, ngx_http_payer_late_run_list);
    if (op == NULL) {
        return NGX_ERROR;
    }

    op->list = *list;
    ngx_http_payer_late_text(op, &op->list.prefix, &list->prefix);
    ngx_http_payer_late_text(op, &op->list.after, &list->after);

    return ngx_http_payer_late_start(op);
}


static ngx_int_t
ngx_http_payer_late_run_list(ngx_http_payer_late_op_t *op)
{
    ngx_http_payer_late_t  *late = (ngx_http_payer_late_t *) op->store->ops;

    return late->real->list(op->store, &op->list, &op->own);
}


/* each entry is leased: a write */

static ngx_int_t
ngx_http_payer_late_due(ngx_http_payer_store_t *store, ngx_str_t *prefix,
    ngx_uint_t limit, time_t lease, ngx_http_payer_io_t *io)
{
    ngx_http_payer_late_op_t  *op;

    op = ngx_http_payer_late_op(store, io, ngx_http_payer_late_run_due);
    if (op == NULL) {
        return NGX_ERROR;
    }

    ngx_http_payer_late_text(op, &op->key, prefix);
    op->limit = limit;
    op->lease = lease;
    op->write = 1;

    return ngx_http_payer_late_start(op);
}


static ngx_int_t
ngx_http_payer_late_run_due(ngx_http_payer_late_op_t *op)
{
    ngx_http_payer_late_t  *late = (ngx_http_payer_late_t *) op->store->ops;

    return late->real->due(op->store, &op->key, op->limit, op->lease,
                           &op->own);
}


static ngx_int_t
ngx_http_payer_late_put(ngx_http_payer_store_t *store,
    ngx_http_payer_store_entry_t *entries, ngx_uint_t n,
    ngx_http_payer_claim_act_e act, ngx_http_payer_claim_t *claim,
    ngx_http_payer_io_t *io)
{
    ngx_uint_t                     i;
    ngx_http_payer_late_op_t      *op;
    ngx_http_payer_store_entry_t  *entry;

    op = ngx_http_payer_late_op(store, io, ngx_http_payer_late_run_put);
    if (op == NULL) {
        return NGX_ERROR;
    }

    op->n = n;
    op->write = 1;
    op->entries = ngx_palloc(op->pool,
                             (n + 1) * sizeof(ngx_http_payer_store_entry_t));

    if (op->entries == NULL
        || ngx_http_payer_late_claim(op, act, claim) != NGX_OK)
    {
        ngx_http_payer_late_free(op);
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        entry = &op->entries[i];
        *entry = entries[i];

        ngx_http_payer_late_text(op, &entry->key, &entries[i].key);
        ngx_http_payer_late_text(op, &entry->alias, &entries[i].alias);

        if (entries[i].value.data != NULL) {
            ngx_http_payer_late_text(op, &entry->value, &entries[i].value);
        }
    }

    return ngx_http_payer_late_start(op);
}


static ngx_int_t
ngx_http_payer_late_run_put(ngx_http_payer_late_op_t *op)
{
    ngx_http_payer_late_t  *late = (ngx_http_payer_late_t *) op->store->ops;

    if (op->act == NGX_HTTP_PAYER_CLAIM_RELEASE && op->n && late->stall) {
        ngx_http_payer_late_stall(late);
    }

    return late->real->put(op->store, op->entries, op->n, op->act, &op->claim,
                           &op->own);
}


static void
ngx_http_payer_late_stall(ngx_http_payer_late_t *late)
{
    int    fd;
    char  *name;

    name = strchr(late->stall, ':');
    fd = name ? open(name + 1, O_CREAT|O_EXCL|O_WRONLY, 0600) : -1;

    if (fd != -1) {
        (void) close(fd);
        ngx_msleep((ngx_msec_t) atoi(late->stall));
    }
}


static void
ngx_http_payer_late_forget(ngx_http_payer_io_t *io)
{
    ngx_http_payer_late_op_t  *op;

    op = io->pending;

    if (op != NULL) {
        op->io = NULL;
        io->pending = NULL;
    }
}


static ngx_http_payer_late_op_t *
ngx_http_payer_late_op(ngx_http_payer_store_t *store, ngx_http_payer_io_t *io,
    ngx_int_t (*run)(ngx_http_payer_late_op_t *op))
{
    ngx_pool_t                *pool;
    ngx_http_payer_late_op_t  *op;

    if (io != NULL && io->pending != NULL) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                      "payer late: a second operation with one io");
        ngx_debug_point();
        return NULL;
    }

    pool = ngx_create_pool(4096, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    op = ngx_pcalloc(pool, sizeof(ngx_http_payer_late_op_t));
    if (op == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    op->pool = pool;
    op->store = store;
    op->io = io;
    op->run = run;

    op->own.pool = pool;
    op->own.handler = ngx_http_payer_late_done;
    op->own.data = op;

    op->event.data = op;
    op->event.log = ngx_cycle->log;

    return op;
}


static void
ngx_http_payer_late_free(ngx_http_payer_late_op_t *op)
{
    ngx_destroy_pool(op->pool);
}


/* without memory for it the text is empty, and the operation fails */

static void
ngx_http_payer_late_text(ngx_http_payer_late_op_t *op, ngx_str_t *dst,
    ngx_str_t *src)
{
    dst->len = 0;
    dst->data = ngx_pnalloc(op->pool, src->len + 1);

    if (dst->data != NULL) {
        dst->len = src->len;
        ngx_memcpy(dst->data, src->data, src->len);
    }
}


/*
 * What the store does to the caller's claim it does here to a copy, later.
 * The id is as that of LMDB.
 */

static ngx_int_t
ngx_http_payer_late_claim(ngx_http_payer_late_op_t *op,
    ngx_http_payer_claim_act_e act, ngx_http_payer_claim_t *claim)
{
    uint64_t  owner;

    op->act = act;

    if (claim == NULL) {
        return NGX_OK;
    }

    if (act == NGX_HTTP_PAYER_CLAIM_TAKE && !claim->taken) {
        owner = claim->owner;

        ngx_memcpy(claim->id, &op->store->zone->sh->instance,
                   sizeof(uint64_t));
        ngx_memcpy(claim->id + sizeof(uint64_t), &owner, sizeof(uint64_t));

        claim->taken = 1;
    }

    op->claim = *claim;
    ngx_http_payer_late_text(op, &op->claim.key, &claim->key);

    if (op->claim.key.len != claim->key.len) {
        return NGX_ERROR;
    }

    if (act == NGX_HTTP_PAYER_CLAIM_RELEASE) {
        claim->owner = 0;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_late_start(ngx_http_payer_late_op_t *op)
{
    ngx_int_t               rc;
    ngx_msec_t              when;
    ngx_http_payer_late_t  *late;

    late = (ngx_http_payer_late_t *) op->store->ops;

    if (ngx_http_payer_late_random(late) % 4 == 0
        && op->io != NULL && op->io->pool != NULL
        && !(op->write && late->writes))
    {
        /* at once, if the store can do it */

        rc = op->run(op);

        if (rc == NGX_AGAIN) {
            op->io->pending = op;
            return NGX_AGAIN;
        }

        op->own.rc = rc;

        rc = ngx_http_payer_late_copy(op, op->io);
        ngx_http_payer_late_free(op);

        return rc;
    }

    when = ngx_current_msec + ngx_http_payer_late_delay(late);

    if (op->write) {

        if (late->writes && (ngx_msec_int_t) (when - late->last) < 0) {
            when = late->last;
        }

        late->last = when;
        late->writes++;
    }

    if (op->io != NULL) {
        op->io->pending = op;
    }

    op->event.handler = ngx_http_payer_late_begin;

    ngx_add_timer(&op->event, when - ngx_current_msec);

    return NGX_AGAIN;
}


static void
ngx_http_payer_late_begin(ngx_event_t *ev)
{
    ngx_int_t                  rc;
    ngx_http_payer_late_t     *late;
    ngx_http_payer_late_op_t  *op;

    op = ev->data;
    late = (ngx_http_payer_late_t *) op->store->ops;

    if (op->write) {
        late->writes--;

    } else if (op->io == NULL) {
        ngx_http_payer_late_free(op);
        return;
    }

    rc = op->run(op);

    if (rc != NGX_AGAIN) {
        op->own.rc = rc;
        ngx_http_payer_late_done(&op->own);
    }
}


static void
ngx_http_payer_late_done(ngx_http_payer_io_t *io)
{
    ngx_http_payer_late_t     *late;
    ngx_http_payer_late_op_t  *op;

    op = io->data;
    late = (ngx_http_payer_late_t *) op->store->ops;

    if (op->io == NULL) {
        ngx_http_payer_late_free(op);
        return;
    }

    op->event.handler = ngx_http_payer_late_answer;

    ngx_add_timer(&op->event, ngx_http_payer_late_delay(late));
}


static void
ngx_http_payer_late_answer(ngx_event_t *ev)
{
    ngx_http_payer_io_t       *io;
    ngx_http_payer_late_op_t  *op;

    op = ev->data;
    io = op->io;

    if (io != NULL) {
        io->pending = NULL;
        io->rc = ngx_http_payer_late_copy(op, io);
    }

    ngx_http_payer_late_free(op);

    if (io != NULL) {
        io->handler(io);
    }
}


/* what there is, and nothing of what was before: what to answer */

static ngx_int_t
ngx_http_payer_late_copy(ngx_http_payer_late_op_t *op,
    ngx_http_payer_io_t *io)
{
    ngx_uint_t              i, limit;
    ngx_http_payer_io_t    *own;

    own = &op->own;

    ngx_str_null(&io->key);
    ngx_str_null(&io->value);
    ngx_str_null(&io->next);

    io->items = NULL;
    io->nitems = 0;
    io->rev = own->rev;
    io->left = own->left;
    io->kept = own->kept;

    if (io->pool == NULL) {
        return own->rc;
    }

    if (ngx_http_payer_store_copy(io, &io->key, own->key.data, own->key.len)
        != NGX_OK
        || ngx_http_payer_store_copy(io, &io->value, own->value.data,
                                     own->value.len)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    limit = own->nitems;

    if (limit && ngx_http_payer_store_items(io, &limit) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < own->nitems; i++) {
        if (ngx_http_payer_store_add(io, &own->items[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return ngx_http_payer_store_copy(io, &io->next, own->next.data,
                                     own->next.len)
           == NGX_OK ? own->rc : NGX_ERROR;
}
