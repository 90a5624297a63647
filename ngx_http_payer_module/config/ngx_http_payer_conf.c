
/*
 * Configuration: create and merge.
 */


#include "ngx_http_payer_conf.h"
#include "ngx_http_payer_source.h"
#include "ngx_http_payer_calls.h"
#include "ngx_http_payer_keep.h"
#include "ngx_http_payer_verify_conf.h"
#include "ngx_http_payer_lookup.h"
#include "ngx_http_payer_notify.h"
#include "ngx_http_payer_secret.h"
#include "ngx_http_payer_sweep_conf.h"
#include "ngx_http_payer_worth.h"


static char *ngx_http_payer_merge_verify(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *prev, ngx_http_payer_loc_conf_t *conf);
static ngx_int_t ngx_http_payer_check_more(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);
static char *ngx_http_payer_merge_handler(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *prev, ngx_http_payer_loc_conf_t *conf);
static void ngx_http_payer_merge_order(ngx_http_payer_loc_conf_t *prev,
    ngx_http_payer_loc_conf_t *conf);
static char *ngx_http_payer_merchant(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);


void *
ngx_http_payer_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_payer_main_conf_t  *pmcf;

    pmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_payer_main_conf_t));
    if (pmcf == NULL) {
        return NULL;
    }

    pmcf->zone = ngx_pcalloc(cf->pool, sizeof(ngx_http_payer_zone_t));
    if (pmcf->zone == NULL) {
        return NULL;
    }

    pmcf->store = ngx_pcalloc(cf->pool, sizeof(ngx_http_payer_store_t));
    if (pmcf->store == NULL) {
        return NULL;
    }

    pmcf->store->zone = pmcf->zone;
    pmcf->store->describer = ngx_http_payer_record_describer;
    pmcf->loaded = ngx_time();

    if (ngx_array_init(&pmcf->locations, cf->pool, 8,
                       sizeof(ngx_http_payer_loc_conf_t *))
        != NGX_OK
        || ngx_array_init(&pmcf->places, cf->pool, 16,
                          sizeof(ngx_http_payer_place_t))
           != NGX_OK
        || ngx_array_init(&pmcf->values, cf->pool, 16,
                          sizeof(ngx_http_payer_value_t))
           != NGX_OK
        || ngx_array_init(&pmcf->lookup_fields, cf->pool, 4,
                          sizeof(ngx_str_t))
           != NGX_OK
        || ngx_array_init(&pmcf->notified, cf->pool, 4,
                          sizeof(ngx_http_payer_notify_place_t))
           != NGX_OK)
    {
        return NULL;
    }

    if (ngx_array_init(&pmcf->payment_pages, cf->pool, 4,
                       sizeof(ngx_http_payer_payment_page_t))
        != NGX_OK)
    {
        return NULL;
    }

    return pmcf;
}


void *
ngx_http_payer_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_payer_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_payer_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->api, api_host, client_id, secret, paths = { 0, NULL };
     *     conf->reference = { NULL, 0, 0, 0 };
     *     conf->amount, currency, ..., back = NULL;
     *     conf->amount_unit, amount_trusted, fixed_amount = 0;
     *     conf->currency_trusted = 0;
     *     conf->signature, signature_keys, signature_expires = NULL;
     *     conf->present_uri, allow = NULL;
     *     conf->event_pass, event_args = { 0, NULL };
     *     conf->event_known = 0;
     *     conf->handler, merchant, api_loc, ... = NULL;
     */

    conf->timeout = NGX_CONF_UNSET_MSEC;
    conf->tries = NGX_CONF_UNSET_UINT;
    conf->insecure = NGX_CONF_UNSET;
    conf->auto_capture = NGX_CONF_UNSET;
    ngx_http_payer_sweep_create_conf(&conf->sweep);
    conf->dead = NGX_CONF_UNSET_PTR;
    conf->exponent = -1;
    conf->lookup_inflight = NGX_CONF_UNSET_UINT;
    conf->link_ttl = NGX_CONF_UNSET;
    conf->keep_paid = NGX_CONF_UNSET;
    conf->keep_unpaid = NGX_CONF_UNSET;
    conf->keep_operations = NGX_CONF_UNSET;
    conf->present = NGX_CONF_UNSET_UINT;

    ngx_http_payer_verify_create_conf(&conf->verify);

    ngx_http_payer_notify_create(conf);

    return conf;
}


char *
ngx_http_payer_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_payer_loc_conf_t *prev = parent;
    ngx_http_payer_loc_conf_t *conf = child;

    ngx_uint_t                 i;

    if (ngx_http_payer_note_page(cf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (conf->api.data == NULL) {
        conf->api = prev->api;
        conf->api_host = prev->api_host;
    }

    ngx_conf_merge_str_value(conf->client_id, prev->client_id, "");
    ngx_conf_merge_str_value(conf->secret, prev->secret, "");
    ngx_conf_merge_str_value(conf->secret_file, prev->secret_file, "");

    for (i = 0; i < NGX_HTTP_PAYER_CALLS; i++) {
        if (conf->paths[i].data == NULL) {
            conf->paths[i] = prev->paths[i].data
                             ? prev->paths[i]
                             : ngx_http_payer_api_type(i)->path;
        }
    }

    ngx_conf_merge_msec_value(conf->timeout, prev->timeout, 30000);
    ngx_conf_merge_uint_value(conf->tries, prev->tries, 3);
    ngx_conf_merge_value(conf->insecure, prev->insecure, 0);
    ngx_conf_merge_value(conf->auto_capture, prev->auto_capture, 0);
    ngx_conf_merge_ptr_value(conf->dead, prev->dead, NULL);
    ngx_http_payer_sweep_merge_conf(&prev->sweep, &conf->sweep);

    if (ngx_http_payer_sweep_check(cf, &conf->sweep, NULL, NULL, 0)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    ngx_conf_merge_sec_value(conf->link_ttl, prev->link_ttl, 30 * 86400);

    ngx_conf_merge_uint_value(conf->lookup_inflight, prev->lookup_inflight,
                              32);

    if (ngx_http_payer_lookup_merge(cf, prev, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    ngx_http_payer_notify_merge(prev, conf);
    ngx_http_payer_merge_order(prev, conf);

    if (conf->present == NGX_CONF_UNSET_UINT) {
        conf->present_uri = prev->present_uri;
    }

    ngx_conf_merge_uint_value(conf->present, prev->present,
                              NGX_HTTP_PAYER_PRESENT_REDIRECT);

    if (conf->event_pass.data == NULL) {
        conf->event_pass = prev->event_pass;
        conf->event_args = prev->event_args;
        conf->event_known = prev->event_known;
    }

    if (conf->allow == NULL) {
        conf->allow = prev->allow;
        conf->allow_internal = prev->allow_internal;
        conf->allow_all = prev->allow_all;
        conf->allow_any = prev->allow_any;
    }

    ngx_conf_merge_sec_value(conf->keep_paid, prev->keep_paid, 0);
    ngx_conf_merge_sec_value(conf->keep_unpaid, prev->keep_unpaid,
                             NGX_HTTP_PAYER_KEEP_UNPAID);
    ngx_conf_merge_sec_value(conf->keep_operations, prev->keep_operations,
                             NGX_HTTP_PAYER_KEEP_OPERATIONS);

    ngx_http_payer_actor_merge(prev, conf);

    if (ngx_http_payer_merge_verify(cf, prev, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_payer_merge_handler(cf, prev, conf);
}


/*
 * An inherited payer_verify protects pages of the shop, not the answers of our
 * handlers: nothing could be bought at a checkout behind it.  Nested locations
 * still inherit it.
 */

static char *
ngx_http_payer_merge_verify(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *prev,
    ngx_http_payer_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t      *clcf;
    ngx_http_payer_verify_conf_t  *outer;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    outer = (prev->outer_verify && !clcf->noname) ? prev->outer_verify
                                                  : &prev->verify;

    ngx_http_payer_verify_merge_conf(outer, &conf->verify);

    if (conf->verify.reference.value == NULL
        || (conf->handler && !conf->verify.own))
    {
        if (ngx_http_payer_check_more(cf, conf) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    if (conf->handler == NULL || conf->verify.own
        || conf->verify.reference.value == NULL)
    {
        return NGX_CONF_OK;
    }

    conf->outer_verify = ngx_palloc(cf->pool,
                                    sizeof(ngx_http_payer_verify_conf_t));
    if (conf->outer_verify == NULL) {
        return NGX_CONF_ERROR;
    }

    *conf->outer_verify = conf->verify;
    conf->verify.reference.value = NULL;

    return NGX_CONF_OK;
}


/*
 * A location with directives of payer_verify but without payer_verify looks
 * protected and is open.  On the server level they are for its locations.
 */

static ngx_int_t
ngx_http_payer_check_more(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf)
{
    ngx_http_conf_ctx_t       *ctx;
    ngx_http_core_loc_conf_t  *clcf;
    ngx_http_core_srv_conf_t  *cscf;

    ctx = cf->ctx;
    cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);

    if (conf->verify.more == NULL || ctx->loc_conf == cscf->ctx->loc_conf) {
        return NGX_OK;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->internal && conf->lookup) {

        /* the total that is compared before a notification is sent */

        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"%V\" in location \"%V\" has no effect without "
                  "\"payer_verify\" in %s:%ui", conf->verify.more,
                  &clcf->name, conf->verify.more_file,
                  conf->verify.more_line);

    return NGX_ERROR;
}


static void
ngx_http_payer_merge_order(ngx_http_payer_loc_conf_t *prev,
    ngx_http_payer_loc_conf_t *conf)
{
    if (conf->reference.value == NULL) {
        conf->reference = prev->reference;
    }

    if (conf->amount == NULL) {
        conf->amount = prev->amount;
        conf->amount_unit = prev->amount_unit;
        conf->amount_trusted = prev->amount_trusted;
    }

    if (conf->currency == NULL) {
        conf->currency = prev->currency;
        conf->currency_trusted = prev->currency_trusted;
    }

#define ngx_http_payer_merge_text(name)                                      \
    if (conf->name == NULL) {                                                \
        conf->name = prev->name;                                             \
    }

    ngx_http_payer_merge_text(max_amount);
    ngx_http_payer_merge_text(language);
    ngx_http_payer_merge_text(order_id);
    ngx_http_payer_merge_text(success);
    ngx_http_payer_merge_text(fail);
    ngx_http_payer_merge_text(back);
    ngx_http_payer_merge_text(origin);

    ngx_http_payer_merge_text(signature);
    ngx_http_payer_merge_text(signature_keys);
    ngx_http_payer_merge_text(signature_expires);

#undef ngx_http_payer_merge_text
}


static char *
ngx_http_payer_merge_handler(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *prev,
    ngx_http_payer_loc_conf_t *conf)
{
    ngx_http_payer_place_t      *place;
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_payer_loc_conf_t  **locs;
    ngx_http_payer_main_conf_t  *pmcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_payer_module);

    place = ngx_array_push(&pmcf->places);
    if (place == NULL) {
        return NGX_CONF_ERROR;
    }

    place->loc_conf = ((ngx_http_conf_ctx_t *) cf->ctx)->loc_conf;
    place->clcf = clcf;
    place->cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);

    conf->main = pmcf;
    conf->clcf = clcf;
    conf->cscf = place->cscf;

    if (conf->handler == NULL && (clcf->noname || clcf->lmt_excpt)) {

        /* "if" and "limit_except" are parts of the location around them */

        conf->handler = prev->handler;
        conf->link = prev->link;
        conf->file = prev->file;
        conf->line = prev->line;

        if (clcf->lmt_excpt && clcf->handler == NULL && conf->handler) {
            clcf->handler = conf->handler->content;
        }
    }

    if (conf->handler == NULL && conf->verify.reference.value) {
        conf->handler = &ngx_http_payer_handler_verify;
        conf->file = conf->verify.file;
        conf->line = conf->verify.line;
    }

    if (conf->handler == NULL) {
        return NGX_CONF_OK;
    }

    if (ngx_http_payer_check_handler(cf, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    conf->told = conf->handler->order && ngx_http_payer_worth_told(conf);

    if (ngx_http_payer_calls(conf)
        && ngx_http_payer_merchant(cf, conf) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    locs = ngx_array_push(&pmcf->locations);
    if (locs == NULL) {
        return NGX_CONF_ERROR;
    }

    *locs = conf;

    return NGX_CONF_OK;
}


/* "Basic base64(id:secret)", in memory for secrets */

static char *
ngx_http_payer_merchant(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf)
{
    u_char                     *p;
    u_char                      buf[2 * NGX_HTTP_PAYER_MAX_SECRET];
    ngx_str_t                   plain, encoded;
    ngx_http_payer_merchant_t  *merchant;

    merchant = ngx_pcalloc(cf->pool, sizeof(ngx_http_payer_merchant_t));
    if (merchant == NULL) {
        return NGX_CONF_ERROR;
    }

    plain.data = buf;
    plain.len = ngx_sprintf(buf, "%V:%V", &conf->client_id, &conf->secret)
                - buf;

    encoded.len = sizeof("Basic ") - 1 + ngx_base64_encoded_length(plain.len);
    encoded.data = ngx_http_payer_secret_alloc(cf, encoded.len);

    if (encoded.data == NULL) {
        ngx_explicit_memzero(buf, plain.len);
        return NGX_CONF_ERROR;
    }

    merchant->id = conf->client_id;
    merchant->basic = encoded;

    p = ngx_cpymem(encoded.data, "Basic ", sizeof("Basic ") - 1);

    encoded.data = p;
    ngx_encode_base64(&encoded, &plain);

    merchant->basic.len = sizeof("Basic ") - 1 + encoded.len;

    ngx_explicit_memzero(buf, plain.len);

    conf->merchant = merchant;

    return NGX_CONF_OK;
}
