
/*
 * A location that does to a store what its query says, for t/unit/store.t:
 *
 *     store_test_zone name size;  store_test_store value;  (http)
 *     store_test_mode mode;       (http)
 *     store_test;                                          (location)
 *
 *     op=get&key=  op=del&key=  op=stat
 *     op=scan&prefix=&after=&limit=
 *     op=list&prefix=&states=&attention=&from=&to=&after=&limit=
 *     op=due&prefix=&limit=&lease=
 *     op=put&key=&value=[&expires=][&merge=1][&key2=&value2=][&alias=]
 *           [&updated=][&due=][&attention=][&state=][&describe=1]
 *         merge: the longer of both values stays, a fresh one is capitalised
 *         describe: the state is the length of the value
 *     op=burst&key=&n=&size=[&updated=][&state=]
 *         n puts at once, answered when all are done
 *     op=former&key=&n=       makes the store one of a former version, with n
 *                             entries more; then stop nginx
 *     op=take&key=&value=[&owner=]     with the claim of the key in the same
 *                             put: that of "owner", or one for a minute
 *     op=release&key=&value=&owner=    the same, and give it back
 *         without a value, it is of the claim alone
 *     op=claimed&key=         who has the claim as LMDB knows it, or 0
 *     op=abandon&key=&value=  put, and forget it at once
 *     op=claim&key=&lease=    op=unclaim&key=&owner=
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_payer_store_lmdb.h"


#define STORE_TEST_MAX_BURST  100000


typedef struct {
    ngx_http_payer_zone_t     zone;
    ngx_http_payer_store_t    store;
} store_test_conf_t;


typedef struct {
    ngx_http_request_t       *request;
    ngx_uint_t                left;
    ngx_uint_t                failed;
    ngx_http_payer_io_t       io;
} store_test_ctx_t;


static ngx_int_t store_test_handler(ngx_http_request_t *r);
static ngx_int_t store_test_put(ngx_http_request_t *r,
    ngx_http_payer_store_t *store, store_test_ctx_t *ctx);
static ngx_int_t store_test_several(ngx_http_request_t *r,
    ngx_http_payer_store_t *store, store_test_ctx_t *ctx, ngx_str_t *op);
static ngx_int_t store_test_burst(ngx_http_request_t *r,
    ngx_http_payer_store_t *store, store_test_ctx_t *ctx);
static ngx_int_t store_test_claim(ngx_http_request_t *r,
    ngx_http_payer_store_t *store, ngx_str_t *op);
static ngx_int_t store_test_claimed(ngx_http_request_t *r,
    ngx_http_payer_store_t *store);
static ngx_int_t store_test_stat(ngx_http_request_t *r,
    ngx_http_payer_store_t *store);
static ngx_int_t store_test_former(ngx_http_request_t *r,
    ngx_http_payer_store_t *store);
static ngx_http_payer_describe_pt store_test_describer(ngx_str_t *key);
static void store_test_describe_former(ngx_str_t *value,
    ngx_http_payer_label_t *stored, ngx_http_payer_label_t *fresh);
static void store_test_done(ngx_http_payer_io_t *io);
static void store_test_burst_done(ngx_http_payer_io_t *io);
static ngx_int_t store_test_answer(store_test_ctx_t *ctx);
static ngx_int_t store_test_send(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *text);
static ngx_int_t store_test_merge(ngx_str_t *stored, ngx_str_t *fresh);
static ngx_int_t store_test_when(ngx_str_t *before, ngx_str_t *after,
    ngx_str_t *fresh);
static void store_test_describe(ngx_str_t *value,
    ngx_http_payer_label_t *stored, ngx_http_payer_label_t *fresh);
static ngx_int_t store_test_secret(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *secret);
static ngx_uint_t store_test_is(ngx_str_t *text, const char *word);
static ngx_str_t store_test_arg(ngx_http_request_t *r, const char *name);
static ngx_int_t store_test_number(ngx_http_request_t *r, const char *name);

static char *store_test_set_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *store_test_set_store(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *store_test_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static ngx_int_t store_test_check(ngx_conf_t *cf);
static void *store_test_create_conf(ngx_conf_t *cf);
static ngx_int_t store_test_init_module(ngx_cycle_t *cycle);
static ngx_int_t store_test_init_process(ngx_cycle_t *cycle);
static void store_test_exit_process(ngx_cycle_t *cycle);


static ngx_command_t  store_test_commands[] = {

    { ngx_string("store_test_mode"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1, ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET, offsetof(store_test_conf_t, store.mode),
      NULL },

    { ngx_string("store_test_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE2, store_test_set_zone,
      NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL },

    { ngx_string("store_test_store"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE, store_test_set_store,
      NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL },

    { ngx_string("store_test"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS, store_test_set,
      NGX_HTTP_LOC_CONF_OFFSET, 0, NULL },

    ngx_null_command
};


static ngx_http_module_t  store_test_module_ctx = {
    NULL,
    store_test_check,
    store_test_create_conf,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL
};


extern ngx_module_t  ngx_http_store_test_module;

ngx_module_t  ngx_http_store_test_module = {
    NGX_MODULE_V1,
    &store_test_module_ctx,
    store_test_commands,
    NGX_HTTP_MODULE,
    NULL,
    store_test_init_module,
    store_test_init_process,
    NULL,
    NULL,
    store_test_exit_process,
    NULL,
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
store_test_handler(ngx_http_request_t *r)
{
    ngx_int_t                rc;
    ngx_str_t                op, key;
    store_test_ctx_t        *ctx;
    store_test_conf_t       *conf;
    ngx_http_payer_store_t  *store;

    conf = ngx_http_get_module_main_conf(r, ngx_http_store_test_module);
    store = &conf->store;

    ctx = ngx_pcalloc(r->pool, sizeof(store_test_ctx_t));
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ctx->request = r;
    ctx->io.pool = r->pool;
    ctx->io.handler = store_test_done;
    ctx->io.data = ctx;

    op = store_test_arg(r, "op");
    key = store_test_arg(r, "key");

    if (store_test_is(&op, "get")) {
        rc = store->ops->get(store, &key, &ctx->io);

    } else if (store_test_is(&op, "scan") || store_test_is(&op, "list")
               || store_test_is(&op, "due"))
    {
        rc = store_test_several(r, store, ctx, &op);

    } else if (store_test_is(&op, "burst")) {
        rc = store_test_burst(r, store, ctx);

    } else if (store_test_is(&op, "claim") || store_test_is(&op, "unclaim")) {
        return store_test_claim(r, store, &op);

    } else if (store_test_is(&op, "claimed")) {
        return store_test_claimed(r, store);

    } else if (store_test_is(&op, "stat")) {
        return store_test_stat(r, store);

    } else if (store_test_is(&op, "former")) {
        rc = store_test_former(r, store);

    } else {
        rc = store_test_put(r, store, ctx);
    }

    if (rc == NGX_AGAIN && store_test_is(&op, "abandon")) {
        store->ops->forget(&ctx->io);
        rc = NGX_OK;
    }

    if (rc == NGX_AGAIN) {
        r->main->count++;
        return NGX_DONE;
    }

    ctx->io.rc = rc;

    return store_test_answer(ctx);
}


static ngx_int_t
store_test_put(ngx_http_request_t *r, ngx_http_payer_store_t *store,
    store_test_ctx_t *ctx)
{
    ngx_int_t                     rc;
    ngx_str_t                     op;
    ngx_uint_t                    n;
    ngx_http_payer_claim_t        claim;
    ngx_http_payer_claim_act_e    act;
    ngx_http_payer_store_entry_t  entries[2];

    op = store_test_arg(r, "op");

    ngx_memzero(entries, sizeof(entries));

    entries[0].key = store_test_arg(r, "key");
    entries[0].expires = store_test_number(r, "expires");

    if (!store_test_is(&op, "del")) {
        entries[0].value = store_test_arg(r, "value");
    }

    if (store_test_number(r, "merge")) {
        entries[0].merge = store_test_merge;
    }

    if (store_test_number(r, "when")) {
        entries[1].when = store_test_when;
    }

    if (store_test_number(r, "describe")) {
        entries[0].describe = store_test_describe;
    }

    entries[0].alias = store_test_arg(r, "alias");
    entries[0].label.updated = store_test_number(r, "updated");
    entries[0].label.due = store_test_number(r, "due");
    entries[0].label.attention = store_test_number(r, "attention");
    entries[0].label.state = store_test_number(r, "state");

    entries[1].key = store_test_arg(r, "key2");
    entries[1].value = store_test_arg(r, "value2");

    ngx_memzero(&claim, sizeof(claim));

    act = NGX_HTTP_PAYER_CLAIM_NONE;

    claim.key = entries[0].key;
    claim.owner = store_test_number(r, "owner");
    claim.lease = 60000;

    if (store_test_is(&op, "release")) {
        act = NGX_HTTP_PAYER_CLAIM_RELEASE;
        claim.taken = 1;
        ngx_http_payer_lmdb_claim_id(store->zone, &claim);
    }

    if (store_test_is(&op, "take")) {
        act = NGX_HTTP_PAYER_CLAIM_TAKE;

        if (claim.owner == 0) {
            rc = store->ops->claim(store, &entries[0].key, claim.lease,
                                   &claim);

            if (rc != NGX_OK) {
                return rc;
            }
        }
    }

    n = entries[1].key.len ? 2 : 1;

    if (act != NGX_HTTP_PAYER_CLAIM_NONE && entries[0].value.len == 0) {
        n = 0;
    }

    return store->ops->put(store, entries, n, act, &claim, &ctx->io);
}


static ngx_int_t
store_test_several(ngx_http_request_t *r, ngx_http_payer_store_t *store,
    store_test_ctx_t *ctx, ngx_str_t *op)
{
    ngx_str_t              prefix, after;
    ngx_uint_t             limit;
    ngx_http_payer_list_t  list;

    prefix = store_test_arg(r, "prefix");
    after = store_test_arg(r, "after");
    limit = store_test_number(r, "limit");

    if (store_test_is(op, "scan")) {
        return store->ops->scan(store, &prefix, &after, limit, &ctx->io);
    }

    if (store_test_is(op, "due")) {
        return store->ops->due(store, &prefix, limit,
                               store_test_number(r, "lease"), &ctx->io);
    }

    list.prefix = prefix;
    list.after = after;
    list.limit = limit;
    list.states = store_test_number(r, "states");
    list.attention = store_test_number(r, "attention");
    list.from = store_test_number(r, "from");
    list.to = store_test_number(r, "to");

    return store->ops->list(store, &list, &ctx->io);
}


static ngx_int_t
store_test_burst(ngx_http_request_t *r, ngx_http_payer_store_t *store,
    store_test_ctx_t *ctx)
{
    size_t                         size;
    ngx_int_t                      rc, n;
    ngx_str_t                      key;
    ngx_uint_t                     i;
    ngx_http_payer_io_t           *io;
    ngx_http_payer_store_entry_t   entry;

    key = store_test_arg(r, "key");
    n = store_test_number(r, "n");
    size = store_test_number(r, "size");

    if (n > STORE_TEST_MAX_BURST) {
        return NGX_ERROR;
    }

    ngx_memzero(&entry, sizeof(entry));

    entry.value.len = size;
    entry.value.data = ngx_pnalloc(r->pool, size);
    entry.key.data = ngx_pnalloc(r->pool, key.len + NGX_INT_T_LEN);
    io = ngx_pcalloc(r->pool, n * sizeof(ngx_http_payer_io_t));

    if (entry.value.data == NULL || entry.key.data == NULL || io == NULL) {
        return NGX_ERROR;
    }

    entry.label.updated = store_test_number(r, "updated");
    entry.label.state = store_test_number(r, "state");

    ngx_memset(entry.value.data, 'b', size);

    for (i = 0; i < (ngx_uint_t) n; i++) {
        entry.key.len = ngx_sprintf(entry.key.data, "%V%06ui", &key, i)
                        - entry.key.data;

        io[i].pool = r->pool;
        io[i].handler = store_test_burst_done;
        io[i].data = ctx;

        rc = store->ops->put(store, &entry, 1, NGX_HTTP_PAYER_CLAIM_NONE,
                               NULL, &io[i]);

        if (rc == NGX_AGAIN) {
            ctx->left++;

        } else if (rc != NGX_OK) {
            ctx->failed++;
        }
    }

    return ctx->left ? NGX_AGAIN : ctx->failed ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
store_test_claim(ngx_http_request_t *r, ngx_http_payer_store_t *store,
    ngx_str_t *op)
{
    u_char                  *p;
    ngx_int_t                rc;
    ngx_str_t                text;
    ngx_http_payer_claim_t   claim;

    ngx_memzero(&claim, sizeof(claim));

    claim.key = store_test_arg(r, "key");
    claim.owner = store_test_number(r, "owner");

    if (store_test_is(op, "unclaim")) {
        store->ops->unclaim(store, &claim);
        rc = NGX_OK;

    } else {
        rc = store->ops->claim(store, &claim.key,
                               store_test_number(r, "lease"), &claim);
    }

    text.data = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
    if (text.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(text.data, "%ui", claim.owner);
    text.len = p - text.data;

    return store_test_send(r, rc == NGX_OK ? 200 : rc == NGX_BUSY ? 409 : 500,
                           &text);
}


static ngx_int_t
store_test_claimed(ngx_http_request_t *r, ngx_http_payer_store_t *store)
{
    int                          rc;
    u_char                      *p;
    int64_t                      owner;
    MDB_txn                     *txn;
    MDB_val                      k, v;
    ngx_str_t                    key, text;
    ngx_http_payer_lmdb_env_t   *le;
    ngx_http_payer_lmdb_head_t   head;

    key = store_test_arg(r, "key");
    k.mv_data = key.data;
    k.mv_size = key.len;

    le = ngx_http_payer_lmdb_open((ngx_cycle_t *) ngx_cycle, store,
                                  store->data);

    if (le == NULL || le->env == NULL
        || mdb_txn_begin(le->env, NULL, MDB_RDONLY, &txn) != 0)
    {
        return NGX_ERROR;
    }

    owner = 0;
    rc = mdb_get(txn, le->dbi, &k, &v);

    if (rc == 0 && ngx_http_payer_lmdb_parse(&v, &head) == 0
        && head.claimed)
    {
        owner = ngx_http_payer_lmdb_read_int(head.claim + sizeof(uint64_t));
    }

    mdb_txn_abort(txn);

    text.data = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (text.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(text.data, "%L", owner);
    text.len = p - text.data;

    return store_test_send(r, rc == 0 ? 200 : 404, &text);
}


/* the number of transactions that were committed, and the size of the map */

static ngx_int_t
store_test_stat(ngx_http_request_t *r, ngx_http_payer_store_t *store)
{
    u_char                     *p;
    ngx_str_t                   text, *path;
    MDB_envinfo                 info;
    ngx_http_payer_lmdb_env_t  *le;

    path = store->data;

    le = ngx_http_payer_lmdb_open((ngx_cycle_t *) ngx_cycle, store, path);
    if (le == NULL || le->env == NULL || mdb_env_info(le->env, &info) != 0) {
        return NGX_ERROR;
    }

    text.data = ngx_pnalloc(r->pool, 3 * NGX_INT_T_LEN);
    if (text.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(text.data, "%uz %uz %P", info.me_last_txnid,
                    info.me_mapsize, ngx_pid);
    text.len = p - text.data;

    return store_test_send(r, 200, &text);
}


/*
 * As the format was: a time of eight bytes, then what the caller stored.
 * Keys stand in no order, as those of orders.
 */

static ngx_int_t
store_test_former(ngx_http_request_t *r, ngx_http_payer_store_t *store)
{
    u_char                     *p, name[64], text[300];
    MDB_txn                    *txn;
    MDB_val                     key, value;
    ngx_int_t                   n;
    ngx_str_t                   prefix;
    ngx_uint_t                  i;
    ngx_http_payer_lmdb_env_t  *le;

    prefix = store_test_arg(r, "key");
    n = store_test_number(r, "n");

    le = ngx_http_payer_lmdb_open((ngx_cycle_t *) ngx_cycle, store,
                                  store->data);

    if (le == NULL || le->env == NULL || prefix.len > 32
        || mdb_env_set_mapsize(le->env, 1 << 30) != 0
        || mdb_txn_begin(le->env, NULL, 0, &txn) != 0)
    {
        return NGX_ERROR;
    }

    key.mv_data = NGX_HTTP_PAYER_LMDB_FORMAT_KEY;
    key.mv_size = sizeof(NGX_HTTP_PAYER_LMDB_FORMAT_KEY) - 1;
    value.mv_data = "1";
    value.mv_size = 1;

    if (mdb_put(txn, le->dbi, &key, &value, 0) != 0) {
        mdb_txn_abort(txn);
        return NGX_ERROR;
    }

    ngx_memset(text, 'f', sizeof(text));
    (void) ngx_http_payer_lmdb_write_time(text, 0);

    for (i = 1; i <= (ngx_uint_t) n; i++) {
        p = ngx_sprintf(name, "%V%06ui", &prefix, i * 7919 % 1000000);

        key.mv_data = name;
        key.mv_size = p - name;

        (void) ngx_sprintf(text + 8, "%06ui", i);

        value.mv_data = text;
        value.mv_size = sizeof(text);

        if (mdb_put(txn, le->dbi, &key, &value, 0) != 0) {
            mdb_txn_abort(txn);
            return NGX_ERROR;
        }
    }

    return (mdb_txn_commit(txn) == 0) ? NGX_OK : NGX_ERROR;
}


static ngx_http_payer_describe_pt
store_test_describer(ngx_str_t *key)
{
    return (ngx_strncmp(key->data, "order/", 6) == 0)
           ? store_test_describe_former : NULL;
}


static void
store_test_describe_former(ngx_str_t *value, ngx_http_payer_label_t *stored,
    ngx_http_payer_label_t *fresh)
{
    fresh->updated = ngx_atoi(value->data, 6);
}


static void
store_test_done(ngx_http_payer_io_t *io)
{
    ngx_connection_t    *c;
    store_test_ctx_t    *ctx;
    ngx_http_request_t  *r;

    ctx = io->data;
    r = ctx->request;
    c = r->connection;

    ngx_http_finalize_request(r, store_test_answer(ctx));
    ngx_http_run_posted_requests(c);
}


static void
store_test_burst_done(ngx_http_payer_io_t *io)
{
    store_test_ctx_t  *ctx;

    ctx = io->data;

    if (io->rc != NGX_OK) {
        ctx->failed++;
    }

    if (--ctx->left == 0) {
        ctx->io.rc = ctx->failed ? NGX_ERROR : NGX_OK;
        store_test_done(&ctx->io);
    }
}


static ngx_int_t
store_test_answer(store_test_ctx_t *ctx)
{
    u_char               *p;
    size_t                len;
    ngx_str_t             text;
    ngx_uint_t            i, status;
    ngx_http_request_t   *r;
    ngx_http_payer_io_t  *io;

    r = ctx->request;
    io = &ctx->io;

    status = (ctx->io.rc == NGX_OK) ? (ctx->io.kept ? 208 : 200)
             : (ctx->io.rc == NGX_DECLINED) ? 404
             : (ctx->io.rc == NGX_BUSY) ? 409 : 500;

    len = io->key.len + io->value.len + io->next.len + sizeof("= next=");

    for (i = 0; i < io->nitems; i++) {
        len += io->items[i].key.len + io->items[i].value.len + 2;
    }

    text.data = ngx_pnalloc(r->pool, len);
    if (text.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(text.data, "%V%s%V", &io->key, io->key.len ? "=" : "",
                    &io->value);

    for (i = 0; i < io->nitems; i++) {
        p = ngx_sprintf(p, "%s%V=%V", i ? " " : "", &io->items[i].key,
                        &io->items[i].value);
    }

    if (io->next.len) {
        p = ngx_sprintf(p, " next=%V", &io->next);
    }

    text.len = p - text.data;

    return store_test_send(r, status, &text);
}


static ngx_int_t
store_test_send(ngx_http_request_t *r, ngx_uint_t status, ngx_str_t *text)
{
    ngx_str_t                 type = ngx_string("text/plain");
    ngx_http_complex_value_t  cv;

    ngx_memzero(&cv, sizeof(cv));
    cv.value = *text;

    return ngx_http_send_response(r, status, &type, &cv);
}


static ngx_int_t
store_test_merge(ngx_str_t *stored, ngx_str_t *fresh)
{
    if (fresh->len <= stored->len) {
        return NGX_DECLINED;
    }

    fresh->data[0] = ngx_toupper(fresh->data[0]);

    return NGX_OK;
}


/* where the first entry has changed; then it begins as that one did */

static ngx_int_t
store_test_when(ngx_str_t *before, ngx_str_t *after, ngx_str_t *fresh)
{
    if (before->len == after->len
        && ngx_memcmp(before->data, after->data, after->len) == 0)
    {
        return NGX_DECLINED;
    }

    fresh->data[0] = before->len ? before->data[0] : '-';

    return NGX_OK;
}


static void
store_test_describe(ngx_str_t *value, ngx_http_payer_label_t *stored,
    ngx_http_payer_label_t *fresh)
{
    fresh->state = value->len;

    if (stored != NULL) {
        fresh->due = stored->due;
    }
}


static ngx_uint_t
store_test_is(ngx_str_t *text, const char *word)
{
    return text->len == ngx_strlen(word)
           && ngx_strncmp(text->data, word, text->len) == 0;
}


static ngx_str_t
store_test_arg(ngx_http_request_t *r, const char *name)
{
    u_char     *dst, *src;
    ngx_str_t   value;

    if (ngx_http_arg(r, (u_char *) name, ngx_strlen(name), &value)
        != NGX_OK)
    {
        ngx_str_set(&value, "");
    }

    src = value.data;
    dst = ngx_pnalloc(r->pool, value.len + 1);

    if (dst != NULL) {
        value.data = dst;
        ngx_unescape_uri(&dst, &src, value.len, 0);
        value.len = dst - value.data;
    }

    return value;
}


static ngx_int_t
store_test_number(ngx_http_request_t *r, const char *name)
{
    ngx_int_t  n;
    ngx_str_t  value;

    value = store_test_arg(r, name);
    n = ngx_atoi(value.data, value.len);

    return (n == NGX_ERROR) ? 0 : n;
}


static char *
store_test_set_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    store_test_conf_t  *stcf = conf;

    ngx_str_t       *value;
    ngx_shm_zone_t  *zone;

    value = cf->args->elts;

    zone = ngx_shared_memory_add(cf, &value[1], ngx_parse_size(&value[2]),
                                 &ngx_http_store_test_module);
    if (zone == NULL) {
        return NGX_CONF_ERROR;
    }

    zone->init = ngx_http_payer_zone_init;
    zone->data = &stcf->zone;

    return NGX_CONF_OK;
}


static char *
store_test_set_store(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    store_test_conf_t  *stcf = conf;

    ngx_str_t  *value;

    value = cf->args->elts;

    stcf->store.zone = &stcf->zone;
    stcf->store.params = &value[2];
    stcf->store.nparams = cf->args->nelts - 2;
    stcf->store.secret = store_test_secret;
    stcf->store.describer = store_test_describer;

    return ngx_http_payer_store_configure(cf, &stcf->store, &value[1]);
}


/* the file's first line, as the module's own reader has it */

static ngx_int_t
store_test_secret(ngx_conf_t *cf, ngx_str_t *name, ngx_str_t *secret)
{
    ssize_t   n;
    ngx_fd_t  fd;

    secret->data = ngx_pcalloc(cf->pool, 256);
    fd = ngx_open_file(name->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (secret->data == NULL || fd == NGX_INVALID_FILE) {
        return NGX_ERROR;
    }

    n = ngx_read_fd(fd, secret->data, 255);
    (void) ngx_close_file(fd);

    secret->len = (n > 0) ? n - 1 : 0;
    secret->data[secret->len] = '\0';

    return NGX_OK;
}


static char *
store_test_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = store_test_handler;

    return NGX_CONF_OK;
}


static ngx_int_t
store_test_check(ngx_conf_t *cf)
{
    store_test_conf_t  *conf;

    conf = ngx_http_conf_get_module_main_conf(cf, ngx_http_store_test_module);

    ngx_str_set(&conf->store.host, "payer.example");

    return conf->store.ops->check(cf, &conf->store);
}


static void *
store_test_create_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(store_test_conf_t));
}


static ngx_int_t
store_test_init_module(ngx_cycle_t *cycle)
{
    store_test_conf_t  *conf;

    conf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_store_test_module);

    if (conf->store.ops->init_module == NULL) {
        return NGX_OK;
    }

    return conf->store.ops->init_module(cycle, &conf->store);
}


static ngx_int_t
store_test_init_process(ngx_cycle_t *cycle)
{
    store_test_conf_t  *conf;

    conf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_store_test_module);

    if (conf->store.ops->init_process == NULL) {
        return NGX_OK;
    }

    return conf->store.ops->init_process(cycle, &conf->store);
}


static void
store_test_exit_process(ngx_cycle_t *cycle)
{
    store_test_conf_t  *conf;

    conf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_store_test_module);

    if (conf->store.ops->exit_process != NULL) {
        conf->store.ops->exit_process(cycle, &conf->store);
    }
}
