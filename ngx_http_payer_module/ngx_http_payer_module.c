
/*
 * The directive table and the wiring of the module.
 */


#include "ngx_http_payer_module.h"
#include "ngx_http_payer_checkout.h"
#include "ngx_http_payer_conf.h"
#include "ngx_http_payer_doctor.h"
#include "ngx_http_payer_event.h"
#include "ngx_http_payer_link.h"
#include "ngx_http_payer_link_conf.h"
#include "ngx_http_payer_lookup.h"
#include "ngx_http_payer_metrics.h"
#include "ngx_http_payer_notify.h"
#include "ngx_http_payer_office.h"
#include "ngx_http_payer_operation.h"
#include "ngx_http_payer_reconcile.h"
#include "ngx_http_payer_report.h"
#include "ngx_http_payer_signature_conf.h"
#include "ngx_http_payer_source.h"
#include "ngx_http_payer_subrequest.h"
#include "ngx_http_payer_subscription.h"
#include "ngx_http_payer_sweep.h"
#include "ngx_http_payer_sweep_conf.h"
#include "ngx_http_payer_value.h"
#include "ngx_http_payer_variable.h"
#include "ngx_http_payer_verify_access.h"
#include "ngx_http_payer_verify_conf.h"


static ngx_int_t ngx_http_payer_preconfigure(ngx_conf_t *cf);
static ngx_int_t ngx_http_payer_init(ngx_conf_t *cf);
static char *ngx_http_payer_init_main_conf(ngx_conf_t *cf, void *conf);
static ngx_http_payer_store_t *ngx_http_payer_cycle_store(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_payer_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_payer_init_process(ngx_cycle_t *cycle);
static void ngx_http_payer_exit_process(ngx_cycle_t *cycle);


#define NGX_HTTP_PAYER_ANY_CONF                                              \
    (NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF)


static ngx_conf_num_bounds_t  ngx_http_payer_tries_bounds = {
    ngx_conf_check_num_bounds, 1, 10
};


static ngx_conf_num_bounds_t  ngx_http_payer_lookup_inflight_bounds = {
    ngx_conf_check_num_bounds, 1, 10000
};


static ngx_command_t  ngx_http_payer_commands[] = {

    { ngx_string("payer_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE2,
      ngx_http_payer_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("payer_store"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_payer_store,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("payer_api"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_TAKE12,
      ngx_http_payer_api,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("payer_client_id"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_payer_client_id,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("payer_client_secret_file"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_payer_secret_file,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("payer_path"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_TAKE2,
      ngx_http_payer_path,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("payer_timeout"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_payer_loc_conf_t, timeout),
      NULL },

    { ngx_string("payer_tries"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_payer_loc_conf_t, tries),
      &ngx_http_payer_tries_bounds },

    { ngx_string("payer_insecure_upstream"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_payer_loc_conf_t, insecure),
      NULL },

    { ngx_string("payer_auto_capture"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_payer_loc_conf_t, auto_capture),
      NULL },

    { ngx_string("payer_sweep"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_http_payer_sweep,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("payer_authorization_limit"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE12,
      ngx_http_payer_authorization_limit,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("payer_status_dead"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_1MORE,
      ngx_http_payer_status_dead,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("payer_reference"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_TAKE12,
      ngx_http_payer_reference,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_payer_loc_conf_t, reference),
      NULL },

    { ngx_string("payer_amount"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_TAKE1234,
      ngx_http_payer_amount,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_payer_loc_conf_t, amount),
      NULL },

    { ngx_string("payer_max_amount"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_payer_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_payer_loc_conf_t, max_amount),
      NULL },

    { ngx_string("payer_currency"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_TAKE12,
      ngx_http_payer_currency,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_payer_loc_conf_t, currency),
      NULL },

    { ngx_string("payer_language"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_payer_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_payer_loc_conf_t, language),
      NULL },

    { ngx_string("payer_order_id"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_payer_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_payer_loc_conf_t, order_id),
      NULL },

    { ngx_string("payer_return_success"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_payer_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_payer_loc_conf_t, success),
      NULL },

    { ngx_string("payer_return_fail"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_payer_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_payer_loc_conf_t, fail),
      NULL },

    { ngx_string("payer_return_back"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_payer_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_payer_loc_conf_t, back),
      NULL },

    { ngx_string("payer_return_origin"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_payer_return_origin,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_payer_loc_conf_t, origin),
      NULL },

    { ngx_string("payer_link_ttl"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_payer_loc_conf_t, link_ttl),
      NULL },

    { ngx_string("payer_lookup"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_TAKE12,
      ngx_http_payer_lookup,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("payer_lookup_header"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_1MORE,
      ngx_http_payer_lookup_header,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("payer_lookup_field"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_TAKE23,
      ngx_http_payer_lookup_field,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("payer_lookup_match"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_TAKE2,
      ngx_http_payer_lookup_match,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("payer_lookup_only"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_2MORE,
      ngx_http_payer_lookup_states,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      (void *) offsetof(ngx_http_payer_lookup_conf_t, only) },

    { ngx_string("payer_lookup_open"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_2MORE,
      ngx_http_payer_lookup_states,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      (void *) offsetof(ngx_http_payer_lookup_conf_t, open) },

    { ngx_string("payer_lookup_paid"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_2MORE,
      ngx_http_payer_lookup_states,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      (void *) offsetof(ngx_http_payer_lookup_conf_t, paid) },

    { ngx_string("payer_lookup_inflight"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_payer_loc_conf_t, lookup_inflight),
      &ngx_http_payer_lookup_inflight_bounds },

    { ngx_string("payer_notify"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_payer_notify,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("payer_notify_on"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_1MORE,
      ngx_http_payer_notify_on,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("payer_notify_accept"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_1MORE,
      ngx_http_payer_notify_accept,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("payer_notify_retry"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_TAKE123,
      ngx_http_payer_notify_retry,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("payer_notify_key_file"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_payer_notify_key_file,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("payer_signature"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_TAKE2,
      ngx_http_payer_signature,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("payer_signature_key_file"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_payer_signature_key_file,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("payer_signature_expires"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_payer_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_payer_loc_conf_t, signature_expires),
      NULL },

    { ngx_string("payer_present"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_payer_present,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("payer_verify"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_payer_verify_reference,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_payer_loc_conf_t, verify.reference),
      NULL },

    { ngx_string("payer_verify_amount"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_TAKE2|NGX_CONF_TAKE3|NGX_CONF_TAKE4
                             |NGX_CONF_TAKE5,
      ngx_http_payer_verify_amount,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_payer_loc_conf_t, verify.amount),
      NULL },

    { ngx_string("payer_verify_ticket"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_payer_verify_ticket,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_payer_loc_conf_t, verify.ticket),
      NULL },

    { ngx_string("payer_verify_cache"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_payer_loc_conf_t, verify.cache),
      NULL },

    { ngx_string("payer_verify_wait"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_TAKE12,
      ngx_http_payer_verify_wait,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_payer_loc_conf_t, verify.wait),
      NULL },

    { ngx_string("payer_allow"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_1MORE,
      ngx_http_payer_allow,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("payer_actor"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_http_payer_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_payer_loc_conf_t, actor),
      NULL },

    { ngx_string("payer_audit"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_http_payer_audit_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("payer_keep"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_1MORE,
      ngx_http_payer_keep,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("payer_office"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_payer_office_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_http_payer_handler_office },

    { ngx_string("payer_office_operate"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_payer_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_payer_loc_conf_t, office_operate),
      NULL },

    { ngx_string("payer_refund_max"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_payer_refund_max,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_payer_loc_conf_t, refund_max),
      NULL },

    { ngx_string("payer_checkout"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_payer_handler,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_http_payer_handler_checkout },

    { ngx_string("payer_capture"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_payer_handler,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_http_payer_handler_capture },

    { ngx_string("payer_cancel"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_payer_handler,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_http_payer_handler_cancel },

    { ngx_string("payer_release"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_payer_handler,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_http_payer_handler_release },

    { ngx_string("payer_refund"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_payer_handler,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_http_payer_handler_refund },

    { ngx_string("payer_payment"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_payer_handler,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_http_payer_handler_payment },

    { ngx_string("payer_doctor"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_payer_handler,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_http_payer_handler_doctor },

    { ngx_string("payer_link"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_payer_link,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_http_payer_handler_link },

    { ngx_string("payer_report"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_payer_handler,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_http_payer_handler_report },

    { ngx_string("payer_reconcile"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_payer_handler,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_http_payer_handler_reconcile },

    { ngx_string("payer_metrics"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_payer_handler,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_http_payer_handler_metrics },

    { ngx_string("payer_events"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_payer_handler,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_http_payer_handler_events },

    { ngx_string("payer_event_pass"),
      NGX_HTTP_PAYER_ANY_CONF|NGX_CONF_TAKE12,
      ngx_http_payer_event_pass,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("payer_subscriptions"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_payer_handler,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_http_payer_handler_subscriptions },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_payer_module_ctx = {
    ngx_http_payer_preconfigure,           /* preconfiguration */
    ngx_http_payer_init,                   /* postconfiguration */

    ngx_http_payer_create_main_conf,       /* create main configuration */
    ngx_http_payer_init_main_conf,         /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_payer_create_loc_conf,        /* create location configuration */
    ngx_http_payer_merge_loc_conf          /* merge location configuration */
};


ngx_module_t  ngx_http_payer_module = {
    NGX_MODULE_V1,
    &ngx_http_payer_module_ctx,            /* module context */
    ngx_http_payer_commands,               /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_payer_init_module,            /* init module */
    ngx_http_payer_init_process,           /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_payer_exit_process,           /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


time_t  ngx_http_payer_module_loaded;


static ngx_int_t
ngx_http_payer_preconfigure(ngx_conf_t *cf)
{
    if (ngx_http_payer_module_loaded == 0) {
        ngx_http_payer_module_loaded = ngx_time();
    }

    if (ngx_http_payer_source_init(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_payer_add_variables(cf);
}


static ngx_int_t
ngx_http_payer_init(ngx_conf_t *cf)
{
    ngx_http_payer_verify_amount_warn(cf);

    if (ngx_http_payer_check_values(cf) != NGX_OK
        || ngx_http_payer_check_locations(cf, ngx_http_payer_check_values_of)
           != NGX_OK
        || ngx_http_payer_check_locations(cf, ngx_http_payer_check_lookups)
           != NGX_OK
        || ngx_http_payer_check_api_locs(cf) != NGX_OK
        || ngx_http_payer_check_locations(cf, ngx_http_payer_check_own)
           != NGX_OK
        || ngx_http_payer_check_locations(cf, ngx_http_payer_check_staff)
           != NGX_OK
        || ngx_http_payer_check_locations(cf, ngx_http_payer_check_args)
           != NGX_OK
        || ngx_http_payer_check_notify(cf) != NGX_OK
        || ngx_http_payer_check_store(cf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_payer_check_servers(cf) != NGX_OK
        || ngx_http_payer_sweep_init(cf) != NGX_OK
        || ngx_http_payer_verify_access_init(cf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_payer_subrequest_init(cf);
}


/* without payer_store payments are kept in the zone, which warns */

static char *
ngx_http_payer_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_payer_main_conf_t *pmcf = conf;

    ngx_str_t  memory = ngx_string("memory");

    if (pmcf->store->ops || pmcf->zone->shm_zone == NULL) {
        return NGX_CONF_OK;
    }

    return ngx_http_payer_store_configure(cf, pmcf->store, &memory);
}


/* the store, or NULL where the configuration has none */

static ngx_http_payer_store_t *
ngx_http_payer_cycle_store(ngx_cycle_t *cycle)
{
    ngx_http_payer_main_conf_t  *pmcf;

    pmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_payer_module);

    if (pmcf == NULL || pmcf->store->ops == NULL) {
        return NULL;
    }

    return pmcf->store;
}


static ngx_int_t
ngx_http_payer_init_module(ngx_cycle_t *cycle)
{
    ngx_http_payer_store_t  *store;

    store = ngx_http_payer_cycle_store(cycle);

    if (store == NULL || store->ops->init_module == NULL) {
        return NGX_OK;
    }

    return store->ops->init_module(cycle, store);
}


static ngx_int_t
ngx_http_payer_init_process(ngx_cycle_t *cycle)
{
    ngx_http_payer_store_t  *store;

    ngx_http_payer_sweep_start(cycle);

    store = ngx_http_payer_cycle_store(cycle);

    if (store == NULL || store->ops->init_process == NULL) {
        return NGX_OK;
    }

    return store->ops->init_process(cycle, store);
}


static void
ngx_http_payer_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_payer_store_t  *store;

    store = ngx_http_payer_cycle_store(cycle);

    if (store && store->ops->exit_process) {
        store->ops->exit_process(cycle, store);
    }
}
