
/*
 * Types that all files share: the configuration, and the context of a request.
 */


#ifndef _NGX_HTTP_PAYER_MODULE_H_INCLUDED_
#define _NGX_HTTP_PAYER_MODULE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_payer_compat.h"
#include "ngx_http_payer_amount.h"
#include "ngx_http_payer_crypto.h"
#include "ngx_http_payer_json.h"
#include "ngx_http_payer_order.h"
#include "ngx_http_payer_zone.h"
#include "ngx_http_payer_store.h"
#include "ngx_http_payer_record.h"
#include "ngx_http_payer_proof.h"
#include "ngx_http_payer_calls.h"
#include "ngx_http_payer_wait.h"


#define NGX_HTTP_PAYER_VERSION          "0.2.0"


#define NGX_HTTP_PAYER_PRESENT_REDIRECT  1
#define NGX_HTTP_PAYER_PRESENT_IFRAME    2
#define NGX_HTTP_PAYER_PRESENT_JSON      3
#define NGX_HTTP_PAYER_PRESENT_URI       4
#define NGX_HTTP_PAYER_PRESENT_CONFIRM   5


typedef struct ngx_http_payer_main_conf_s  ngx_http_payer_main_conf_t;
typedef struct ngx_http_payer_call_s   ngx_http_payer_call_t;

typedef struct ngx_http_payer_exchange_s  ngx_http_payer_exchange_t;

typedef struct ngx_http_payer_audit_s  ngx_http_payer_audit_t;
typedef struct ngx_http_payer_execution_s  ngx_http_payer_execution_t;
typedef struct ngx_http_payer_signature_s  ngx_http_payer_signature_t;
typedef struct ngx_http_payer_lookup_s  ngx_http_payer_lookup_t;
typedef struct ngx_http_payer_verify_s  ngx_http_payer_verify_t;

typedef struct ngx_http_payer_sweep_s  ngx_http_payer_sweep_t;

typedef struct ngx_http_payer_background_run_s
    ngx_http_payer_background_run_t;
typedef struct ngx_http_payer_lookup_conf_s  ngx_http_payer_lookup_conf_t;
typedef struct ngx_http_payer_notify_uri_s  ngx_http_payer_notify_uri_t;
typedef struct ngx_http_payer_accept_s  ngx_http_payer_accept_t;


/*
 * payer_allow of a location: for programs, or for people, who must be
 * identified (see ngx_http_payer_check_staff())
 */

#define NGX_HTTP_PAYER_ALLOW_CLIENTS  1
#define NGX_HTTP_PAYER_ALLOW_STAFF    2


typedef struct ngx_http_payer_loc_conf_s  ngx_http_payer_loc_conf_t;


/* a content handler of the module, and what its location has to have */
typedef struct {
    ngx_str_t                     directive;
    ngx_http_handler_pt           content;
    unsigned                      api:1;        /* calls Payer */
    unsigned                      allow:2;      /* needs payer_allow */
    unsigned                      order:1;      /* needs an order */
    unsigned                      acts:1;       /* for its client */
    const void                   *data;         /* of the handler */

    /* of a complete configuration, or NULL: NGX_OK, or NGX_ERROR (logged) */
    ngx_int_t                   (*check)(ngx_conf_t *cf,
                                         ngx_http_payer_loc_conf_t *conf);
} ngx_http_payer_handler_t;


/* who we are for Payer, and the key under which the token is shared */
typedef struct {
    ngx_str_t                     id;           /* client id */
    ngx_str_t                     basic;        /* Authorization, secret */
    u_char                        key[NGX_HTTP_PAYER_KEY_LEN];
} ngx_http_payer_merchant_t;


/* the internal location that proxies to Payer */
typedef struct {
    ngx_http_core_loc_conf_t     *clcf;
    ngx_str_t                     host;         /* for Host and TLS */
    ngx_array_t                   checked;      /* void **, its loc_conf */
    ngx_uint_t                    insecure;     /* unsigned insecure:1 */
    unsigned                      live:1;       /* Payer's live host */
    unsigned                      test:1;       /* Payer's test host */
} ngx_http_payer_api_loc_t;


typedef struct {
    ngx_http_complex_value_t     *value;
    ngx_uint_t                    variable;     /* its index + 1, if the value
                                                 * is one variable; else 0 */
    ngx_uint_t                    unescape;     /* made of $arg_... */
    ngx_uint_t                    open;         /* "public" */
} ngx_http_payer_text_t;


/* the signature that proves that an order in a URL was created by the shop */
struct ngx_http_payer_signature_s {
    ngx_http_complex_value_t      value;
    ngx_http_complex_value_t      message;
    ngx_str_t                     separators;   /* empty: not needed */
};


/* the conditions of payer_verify */
typedef struct {
    ngx_http_payer_text_t         reference;    /* value NULL: everybody */
    ngx_array_t                  *args;         /* ngx_str_t, or NULL */
    ngx_http_complex_value_t     *ticket;
    ngx_http_complex_value_t     *amount;       /* or NULL: any sum */
    ngx_http_complex_value_t     *currency;
    ngx_http_payer_unit_e         unit;
    ngx_uint_t                    trusted;      /* amount and currency */
    ngx_uint_t                    told;         /* by the shop, now */
    time_t                        cache;
    ngx_msec_t                    wait;
    ngx_http_complex_value_t     *wait_if;      /* NULL: always */
    u_char                       *file;         /* where it stands */
    ngx_uint_t                    line;
    ngx_uint_t                    own;          /* unsigned own:1 */
    ngx_str_t                    *more;         /* a directive of this level
                                                 * that needs payer_verify */
    u_char                       *more_file;    /* where it stands */
    ngx_uint_t                    more_line;
} ngx_http_payer_verify_conf_t;


/* the arguments of a link that payer_link makes */
typedef enum {
    NGX_HTTP_PAYER_LINK_REFERENCE = 0,
    NGX_HTTP_PAYER_LINK_AMOUNT,
    NGX_HTTP_PAYER_LINK_EXPIRES,
    NGX_HTTP_PAYER_LINK_SIGNATURE,
    NGX_HTTP_PAYER_LINK_ARGS
} ngx_http_payer_link_arg_e;


/* the checkout of payer_link, and what a signature there is of */
typedef struct {
    ngx_str_t                     uri;
    ngx_http_core_loc_conf_t     *clcf;         /* at this URI */
    ngx_str_t                     args[NGX_HTTP_PAYER_LINK_ARGS];  /* names */
    ngx_array_t                   parts;        /* ..._link_part_t */
} ngx_http_payer_link_conf_t;


/* a part of the message: a text, and the argument behind it, or
 * ..._LINK_ARGS for the end */
typedef struct {
    ngx_str_t                     text;
    ngx_uint_t                    arg;
} ngx_http_payer_link_part_t;


/* the action for an old authorization */
typedef enum {
    NGX_HTTP_PAYER_LIMIT_WARN = 0,
    NGX_HTTP_PAYER_LIMIT_CAPTURE,
    NGX_HTTP_PAYER_LIMIT_RELEASE
} ngx_http_payer_limit_e;


/* background work */
typedef struct {
    ngx_msec_t                    interval;     /* 0: off */
    time_t                        limit;        /* of authorizations */
    ngx_http_payer_limit_e        act;
    u_char                       *file;         /* where the limit stands */
    ngx_uint_t                    line;
} ngx_http_payer_sweep_conf_t;


struct ngx_http_payer_main_conf_s {
    ngx_http_payer_zone_t        *zone;
    ngx_http_payer_store_t       *store;
    ngx_array_t                   locations;    /* ..._loc_conf_t * */
    time_t                        loaded;       /* when it was read */
    ngx_array_t                   sweeps;       /* ..._sweep_t */
    ngx_array_t                   payment_pages; /* ..._payment_page_t */
    ngx_array_t                   places;       /* all that there are */
    ngx_array_t                   values;       /* ..._value_t */
    ngx_array_t                   lookup_fields;    /* ngx_str_t: names */
    ngx_uint_t                    lookups;          /* whether there is one */
    ngx_array_t                   notified;         /* ..._notify_place_t */
    void                        (*wake)(
                          struct ngx_http_payer_main_conf_s *pmcf);
                                                /* something is due now */
};


struct ngx_http_payer_loc_conf_s {
    /* the way to Payer */
    ngx_str_t                     api;          /* URI prefix */
    ngx_str_t                     api_host;
    ngx_str_t                     client_id;
    ngx_str_t                     secret;
    ngx_str_t                     secret_file;
    ngx_str_t                     paths[NGX_HTTP_PAYER_CALLS];
    ngx_msec_t                    timeout;
    ngx_uint_t                    tries;
    ngx_flag_t                    insecure;
    ngx_flag_t                    auto_capture;
    ngx_http_payer_sweep_conf_t   sweep;
    ngx_array_t                  *dead;         /* statuses, ngx_str_t */

    /* the order */
    ngx_http_payer_text_t         reference;
    ngx_http_complex_value_t     *amount;
    ngx_http_payer_unit_e         amount_unit;
    ngx_uint_t                    amount_trusted;
    int64_t                       fixed_amount; /* 0: it depends */
    ngx_int_t                     exponent;     /* -1: it depends */
    ngx_http_complex_value_t     *max_amount;
    ngx_http_complex_value_t     *currency;
    ngx_uint_t                    currency_trusted;
    ngx_http_complex_value_t     *language;
    ngx_http_complex_value_t     *order_id;
    ngx_http_complex_value_t     *success;
    ngx_http_complex_value_t     *fail;
    ngx_http_complex_value_t     *back;
    ngx_http_complex_value_t     *origin;
    ngx_array_t                  *names;        /* ..._server_name_t */
    ngx_str_t                    *name;         /* the first usable, NULL */
    time_t                        link_ttl;

    /* the signature of an order in a URL */
    ngx_http_payer_signature_t   *signature;
    ngx_array_t                  *signature_keys;     /* ngx_str_t */
    ngx_http_complex_value_t     *signature_expires;

    /* the lookup of the order in the shop */
    ngx_http_payer_lookup_conf_t *lookup;
    ngx_http_core_loc_conf_t     *lookup_clcf;  /* of its URI */
    ngx_uint_t                    lookup_inflight;
    ngx_uint_t                    lookup_needed;    /* for the order */
    ngx_uint_t                    lookup_first;     /* for its number */

    /* how the shop is notified of changes of the order */
    ngx_http_payer_notify_uri_t  *notify;
    ngx_http_core_loc_conf_t     *notify_clcf;  /* of its URI */
    ngx_uint_t                    notify_on;    /* bits: types */
    ngx_http_payer_accept_t      *notify_accept;
    time_t                        notify_limit;
    time_t                        notify_interval;
    time_t                        notify_max;
    ngx_array_t                  *notify_keys;  /* ngx_str_t */

    /* how the widget is presented */
    ngx_uint_t                    present;
    ngx_http_complex_value_t     *present_uri;

    ngx_http_payer_verify_conf_t  verify;
    ngx_http_payer_verify_conf_t *outer_verify; /* for locations inside */

    /* where events go */
    ngx_str_t                     event_pass;   /* URI */
    ngx_str_t                     event_args;
    ngx_uint_t                    event_known;  /* of our orders only */

    ngx_http_payer_link_conf_t   *link;         /* of payer_link */

    /* who may use the location: ngx_cidr_t */
    ngx_array_t                  *allow;
    ngx_uint_t                    allow_internal;
    ngx_uint_t                    allow_all;
    ngx_uint_t                    allow_any;     /* a network of all */
    ngx_uint_t                    allow_tls;    /* all with a certificate */

    /* how long records stay, seconds; 0: for ever */
    time_t                        keep_paid;
    time_t                        keep_unpaid;
    time_t                        keep_operations;

    /* who it is, what they may, and where it is written down */
    ngx_http_complex_value_t     *actor;
    ngx_http_payer_audit_t       *audit;
    ngx_http_complex_value_t     *refund_max;
    ngx_http_complex_value_t     *office_operate;

    /* set when the configuration is complete */
    const ngx_http_payer_handler_t  *handler;
    ngx_uint_t                    told;         /* of orders, by the shop */
    ngx_http_payer_merchant_t    *merchant;
    ngx_http_payer_api_loc_t     *api_loc;
    ngx_http_payer_main_conf_t   *main;
    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_core_srv_conf_t     *cscf;
    u_char                       *file;         /* where it stands */
    ngx_uint_t                    line;
};


/*
 * A step of a flow: NGX_OK to go on with ctx->step, NGX_AGAIN when the
 * request is parked, NGX_HTTP_PAYER_SENT when the answer was sent; anything
 * else ends the flow, too, and is what ngx_http_finalize_request() gets.
 */
#define NGX_HTTP_PAYER_SENT  -100

typedef ngx_int_t (*ngx_http_payer_step_pt)(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);


typedef enum {
    NGX_HTTP_PAYER_LINK_NONE = 0,
    NGX_HTTP_PAYER_LINK_HIT,
    NGX_HTTP_PAYER_LINK_MISS,
    NGX_HTTP_PAYER_LINK_WAIT,
    NGX_HTTP_PAYER_LINK_REPLACED
} ngx_http_payer_link_e;


struct ngx_http_payer_ctx_s {
    ngx_http_request_t           *request;
    ngx_http_payer_loc_conf_t    *conf;

    /* of the flow */
    ngx_http_payer_step_pt        step;
    ngx_event_t                   timer;
    ngx_msec_t                    deadline;     /* ngx_current_msec */
    ngx_msec_t                    limit;        /* of what it is parked for */
    void                        (*abandon)(ngx_http_payer_ctx_t *ctx);
    void                        (*end)(ngx_http_request_t *r, ngx_int_t rc);
    ngx_http_payer_background_run_t  *background;
    ngx_http_payer_call_t        *call;         /* the last one */
    ngx_http_payer_exchange_t    *exchange;     /* the last one */
    ngx_http_payer_io_t           io;           /* of the last operation */
    ngx_pool_t                   *pool;         /* the request's */
    ngx_queue_t                   writes;       /* that are under way */
    ngx_http_payer_claim_t        claim;
    ngx_http_payer_claim_act_e    act;          /* of the next put */
    ngx_http_payer_claim_t        event_claim;
    ngx_http_payer_wait_t         wait;
    ngx_http_payer_shared_read_t *reading;      /* for all who wait, or NULL */

    /* of the payment, for handlers and variables */
    ngx_http_payer_json_order_t   order;
    ngx_http_payer_record_t       record;
    ngx_str_t                     key;          /* of the record */
    ngx_http_payer_state_e        known;        /* its state as it was read,
                                                 * 0: there was none */
    const ngx_str_t              *operation;
    ngx_http_payer_execution_t   *execution;
    void                         *data;
    ngx_http_payer_sweep_t       *sweep;        /* whose run it is, or NULL */
    ngx_http_payer_params_t      *params;
    ngx_str_t                     request_id;
    ngx_http_payer_link_e         link;
    ngx_uint_t                    api_status;
    ngx_msec_t                    api_time;

    ngx_str_t                     reference;    /* of a payment id */
    time_t                        signed_until; /* the link, 0: not known */
    ngx_str_t                     reopened;     /* payment that was over when
                                                 * the link was made */
    u_char                        ticket[NGX_HTTP_PAYER_TICKET_LEN];

    ngx_http_payer_lookup_t      *lookup;       /* NULL: there is none */
    struct ngx_http_payer_notice_text_s  *told;  /* the shop, just now */

    /* of payer_verify */
    ngx_http_payer_verify_t      *verify;       /* NULL: it has not run */
    ngx_http_payer_verdict_e      verdict;
    int64_t                       wanted;       /* and not paid, or 0 */
    ngx_str_t                     wanted_currency;

    unsigned                      late:1;       /* a write took too long */
    unsigned                      quiet:1;      /* it was said before */
    unsigned                      over:1;       /* the request is */
    unsigned                      asked:1;      /* io is a get under way */
    unsigned                      resolved:1;   /* reference is set */
    unsigned                      ticketed:1;   /* ticket is set */
    unsigned                      reopening:1;  /* "reopened" was asked for */
    unsigned                      found:1;      /* record is what is stored */
    unsigned                      escape:1;     /* $payer_reference */
    unsigned                      again:1;      /* another attempt */
    unsigned                      uncached:1;   /* the header that is sent
                                                 * next says "no-store" */
};


/* the context of the request, also after an internal redirect, or NULL */
ngx_http_payer_ctx_t *ngx_http_payer_get_ctx(ngx_http_request_t *r);


extern ngx_module_t  ngx_http_payer_module;

/* when its code was loaded, which a reload does not do again */
extern time_t  ngx_http_payer_module_loaded;


#endif /* _NGX_HTTP_PAYER_MODULE_H_INCLUDED_ */
