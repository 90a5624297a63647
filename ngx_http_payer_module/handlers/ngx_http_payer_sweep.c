
/*
 * payer_sweep: background work without a client and without cron.
 *
 *     timer -> leases -> background request: work -> work ... -> over
 */


#include "ngx_http_payer_sweep.h"
#include "ngx_http_payer_background.h"
#include "ngx_http_payer_counter.h"
#include "ngx_http_payer_event.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_log.h"
#include "ngx_http_payer_notify.h"
#include "ngx_http_payer_reconcile.h"
#include "ngx_http_payer_reconcile_walk.h"


#define NGX_HTTP_PAYER_SWEEP_LIMIT   1000       /* payments of a run */


static ngx_int_t ngx_http_payer_sweep_add(ngx_conf_t *cf,
    ngx_http_payer_main_conf_t *pmcf, ngx_http_payer_loc_conf_t *conf);
static ngx_http_payer_sweep_t *ngx_http_payer_sweep_of(ngx_conf_t *cf,
    ngx_http_payer_main_conf_t *pmcf, ngx_str_t *id);
static ngx_uint_t ngx_http_payer_sweep_rank(ngx_http_payer_loc_conf_t *conf);
static ngx_int_t ngx_http_payer_sweep_keys(ngx_conf_t *cf,
    ngx_http_payer_sweep_t *sweep);
static ngx_http_payer_main_conf_t *ngx_http_payer_sweep_main(void);
static void ngx_http_payer_sweep_arm(ngx_http_payer_main_conf_t *pmcf);
static void ngx_http_payer_sweep_timer(ngx_event_t *ev);
static void ngx_http_payer_sweep_run(ngx_http_payer_main_conf_t *pmcf,
    ngx_http_payer_sweep_t *sweep);
static void ngx_http_payer_sweep_over(void *data, ngx_int_t rc);
static ngx_int_t ngx_http_payer_sweep_begin(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_sweep_doubts(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_sweep_doubts_over(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);


/* what a run does, in this order: each ends with ngx_http_payer_sweep_next */

static ngx_http_payer_step_pt  ngx_http_payer_sweep_works[] = {
    ngx_http_payer_sweep_doubts,
    NULL
};


/* of this process, also with a later configuration */

static ngx_event_t  ngx_http_payer_sweep_event;


ngx_int_t
ngx_http_payer_sweep_init(ngx_conf_t *cf)
{
    ngx_uint_t                    i;
    ngx_http_payer_sweep_t       *sweeps;
    ngx_http_payer_loc_conf_t   **locations;
    ngx_http_payer_main_conf_t   *pmcf;

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_payer_module);

    if (ngx_array_init(&pmcf->sweeps, cf->pool, 2,
                       sizeof(ngx_http_payer_sweep_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    locations = pmcf->locations.elts;

    for (i = 0; i < pmcf->locations.nelts; i++) {

        if (locations[i]->merchant && locations[i]->api_loc
            && locations[i]->sweep.interval
            && ngx_http_payer_sweep_add(cf, pmcf, locations[i]) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    sweeps = pmcf->sweeps.elts;

    for (i = 0; i < pmcf->sweeps.nelts; i++) {

        if (ngx_http_payer_sweep_keys(cf, &sweeps[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* one location of a server has the settings for its orders, see the rank */

static ngx_int_t
ngx_http_payer_sweep_add(ngx_conf_t *cf, ngx_http_payer_main_conf_t *pmcf,
    ngx_http_payer_loc_conf_t *conf)
{
    ngx_uint_t                    i;
    ngx_http_payer_sweep_t       *sweep;
    ngx_http_payer_loc_conf_t   **confs;

    sweep = ngx_http_payer_sweep_of(cf, pmcf, &conf->merchant->id);
    if (sweep == NULL) {
        return NGX_ERROR;
    }

    sweep->interval = ngx_min(sweep->interval, conf->sweep.interval);

    confs = sweep->confs.elts;

    for (i = 0; i < sweep->confs.nelts; i++) {

        if (confs[i]->cscf != conf->cscf) {
            continue;
        }

        if (ngx_http_payer_sweep_rank(conf)
            > ngx_http_payer_sweep_rank(confs[i]))
        {
            confs[i] = conf;
        }

        return NGX_OK;
    }

    confs = ngx_array_push(&sweep->confs);
    if (confs == NULL) {
        return NGX_ERROR;
    }

    *confs = conf;

    return NGX_OK;
}


static ngx_http_payer_sweep_t *
ngx_http_payer_sweep_of(ngx_conf_t *cf, ngx_http_payer_main_conf_t *pmcf,
    ngx_str_t *id)
{
    ngx_uint_t               i;
    ngx_http_payer_sweep_t  *sweep;

    sweep = pmcf->sweeps.elts;

    for (i = 0; i < pmcf->sweeps.nelts; i++) {

        if (sweep[i].id.len == id->len
            && ngx_memcmp(sweep[i].id.data, id->data, id->len) == 0)
        {
            return &sweep[i];
        }
    }

    sweep = ngx_array_push(&pmcf->sweeps);
    if (sweep == NULL) {
        return NULL;
    }

    ngx_memzero(sweep, sizeof(ngx_http_payer_sweep_t));

    sweep->id = *id;
    sweep->interval = NGX_MAX_INT_T_VALUE;

    return ngx_array_init(&sweep->confs, cf->pool, 1,
                          sizeof(ngx_http_payer_loc_conf_t *))
           == NGX_OK ? sweep : NULL;
}


/*
 * A sweep is most similar to an event: it changes orders without a client.  So
 * the settings of the location for events are used, payer_auto_capture in
 * particular.
 */

static ngx_uint_t
ngx_http_payer_sweep_rank(ngx_http_payer_loc_conf_t *conf)
{
    if (conf->handler == &ngx_http_payer_handler_events) {
        return 2;
    }

    return conf->handler == &ngx_http_payer_handler_reconcile;
}


/* a reload that changes the interval must not wait for the old one */

static ngx_int_t
ngx_http_payer_sweep_keys(ngx_conf_t *cf, ngx_http_payer_sweep_t *sweep)
{
    u_char                      *p;
    size_t                       len;
    uint32_t                     servers;
    ngx_str_t                   *name;
    ngx_uint_t                   i;
    ngx_http_payer_loc_conf_t  **confs;

    len = sizeof("!sweep/") - 1 + sweep->id.len;

    p = ngx_pnalloc(cf->pool, 2 * len + 1 + NGX_INT_T_LEN
                    + sizeof("reconcile//ffffffff") - 1 + sweep->id.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    sweep->run_key.data = p;
    sweep->run_key.len = len;
    p = ngx_sprintf(p, "!sweep/%V", &sweep->id);

    sweep->pace_key.data = p;
    p = ngx_sprintf(p, "!sweep/%V/%M", &sweep->id, sweep->interval);
    sweep->pace_key.len = p - sweep->pace_key.data;

    /* hosts with other servers read other orders, in laps of their own */

    servers = 0;
    confs = sweep->confs.elts;

    for (i = 0; i < sweep->confs.nelts; i++) {
        name = &confs[i]->cscf->server_name;
        servers += ngx_crc32_long(name->data, name->len);
    }

    sweep->lap_key.data = p;
    p = ngx_sprintf(p, "reconcile/%V/%08xD", &sweep->id, servers);
    sweep->lap_key.len = p - sweep->lap_key.data;

    return NGX_OK;
}


static ngx_http_payer_main_conf_t *
ngx_http_payer_sweep_main(void)
{
    ngx_http_payer_main_conf_t  *pmcf;

    pmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_payer_module);

    return (pmcf && pmcf->sweeps.nelts && pmcf->zone->sh) ? pmcf : NULL;
}


void
ngx_http_payer_sweep_start(ngx_cycle_t *cycle)
{
    ngx_http_payer_main_conf_t  *pmcf;

    pmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_payer_module);

    if (pmcf == NULL || pmcf->sweeps.nelts == 0
        || !ngx_http_payer_background_allowed())
    {
        return;
    }

    ngx_memzero(&ngx_http_payer_sweep_event, sizeof(ngx_event_t));

    ngx_http_payer_sweep_event.handler = ngx_http_payer_sweep_timer;
    ngx_http_payer_sweep_event.data = &ngx_http_payer_sweep_event;
    ngx_http_payer_sweep_event.log = ngx_cycle->log;
    ngx_http_payer_sweep_event.cancelable = 1;

    ngx_http_payer_sweep_arm(pmcf);
}


static void
ngx_http_payer_sweep_arm(ngx_http_payer_main_conf_t *pmcf)
{
    ngx_uint_t               i;
    ngx_msec_t               interval;
    ngx_http_payer_sweep_t  *sweeps;

    sweeps = pmcf->sweeps.elts;
    interval = sweeps[0].interval;

    for (i = 1; i < pmcf->sweeps.nelts; i++) {
        interval = ngx_min(interval, sweeps[i].interval);
    }

    ngx_add_timer(&ngx_http_payer_sweep_event, interval);
}


static void
ngx_http_payer_sweep_timer(ngx_event_t *ev)
{
    ngx_uint_t                   i;
    ngx_http_payer_sweep_t      *sweeps;
    ngx_http_payer_main_conf_t  *pmcf;

    pmcf = ngx_http_payer_sweep_main();

    if (pmcf == NULL || !ngx_http_payer_background_allowed()) {
        return;
    }

    ev->log = ngx_cycle->log;

    sweeps = pmcf->sweeps.elts;

    for (i = 0; i < pmcf->sweeps.nelts; i++) {
        ngx_http_payer_sweep_run(pmcf, &sweeps[i]);
    }

    /* each worker process takes entries that no other one has leased */

    ngx_http_payer_notify_due(pmcf);
    ngx_http_payer_notify_count(pmcf);

    ngx_http_payer_sweep_arm(pmcf);
}


/*
 * The lease of the interval expires by itself, shortly before the next run of
 * this worker process is due; that of the run is released.
 */

static void
ngx_http_payer_sweep_run(ngx_http_payer_main_conf_t *pmcf,
    ngx_http_payer_sweep_t *sweep)
{
    ngx_http_payer_zone_t        *zone;
    ngx_http_payer_loc_conf_t   **confs;
    ngx_http_payer_background_t   work;

    zone = pmcf->zone;
    confs = sweep->confs.elts;

    if (sweep->run.owner) {
        return;
    }

    if (ngx_http_payer_zone_claim(zone, &sweep->pace_key,
                                  sweep->interval - sweep->interval / 8,
                                  &sweep->pace)
        != NGX_OK)
    {
        return;
    }

    if (ngx_http_payer_zone_claim(zone, &sweep->run_key,
                                  ngx_http_payer_sweep_lease(confs[0]),
                                  &sweep->run)
        != NGX_OK)
    {
        sweep->run.owner = 0;
        ngx_http_payer_zone_unclaim(zone, &sweep->pace);
        return;
    }

    ngx_memzero(&work, sizeof(ngx_http_payer_background_t));

    work.name = "payer_sweep";
    work.conf = confs[0];
    work.step = ngx_http_payer_sweep_begin;
    work.data = sweep;
    work.over = ngx_http_payer_sweep_over;

    if (ngx_http_payer_background_start(&work) != NGX_OK) {

        /*
         * another worker process may have the connections that this one lacks
         */

        ngx_http_payer_zone_unclaim(zone, &sweep->pace);
        ngx_http_payer_zone_unclaim(zone, &sweep->run);

        sweep->run.owner = 0;
    }
}


static void
ngx_http_payer_sweep_over(void *data, ngx_int_t rc)
{
    ngx_http_payer_sweep_t  *sweep = data;

    ngx_http_payer_zone_t       *zone;
    ngx_http_payer_loc_conf_t  **confs;

    confs = sweep->confs.elts;
    zone = confs[0]->main->zone;

    if (rc == NGX_DONE) {
        zone->sh->swept = ngx_time();
    }

    ngx_http_payer_zone_unclaim(zone, &sweep->run);

    sweep->run.owner = 0;
}


static ngx_int_t
ngx_http_payer_sweep_begin(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ctx->sweep = ctx->data;
    ctx->sweep->work = ngx_http_payer_sweep_works;

    return ngx_http_payer_sweep_next(r, ctx);
}


ngx_int_t
ngx_http_payer_sweep_next(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ctx->step = *ctx->sweep->work;

    if (ctx->step == NULL || !ngx_http_payer_background_allowed()) {
        return NGX_DONE;
    }

    ctx->sweep->work++;

    return NGX_OK;
}


/* records in doubt and old authorizations: the walk of payer_reconcile */

static ngx_int_t
ngx_http_payer_sweep_doubts(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_reconcile_t  *rec;

    rec = ngx_pcalloc(r->pool, sizeof(ngx_http_payer_reconcile_t));
    if (rec == NULL) {
        return NGX_ERROR;
    }

    rec->over = ngx_http_payer_sweep_doubts_over;
    rec->name = "payer_sweep";
    rec->limit = NGX_HTTP_PAYER_SWEEP_LIMIT;

    ctx->data = rec;
    ctx->step = ngx_http_payer_reconcile_start;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_sweep_doubts_over(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_reconcile_t  *rec;

    rec = ctx->data;

    if (rec->complete) {
        ngx_http_payer_count_old(ctx->conf->main->zone,
                                 &ctx->conf->merchant->id, rec->complete_old);
    }

    if (rec->count.broken) {
        ngx_http_payer_log(NGX_LOG_ERR, ctx,
                           "the store could not be read or written, the sweep "
                           "has ended");
        return NGX_ERROR;
    }

    ctx->step = ngx_http_payer_sweep_next;

    return NGX_OK;
}
