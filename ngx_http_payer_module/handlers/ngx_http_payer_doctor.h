
/*
 * payer_doctor: checks the configuration, Payer and the store.
 */


#ifndef _NGX_HTTP_PAYER_DOCTOR_H_INCLUDED_
#define _NGX_HTTP_PAYER_DOCTOR_H_INCLUDED_


#include "ngx_http_payer_module.h"
#include "ngx_http_payer_json_out.h"
#include "ngx_http_payer_subrequest.h"


/* in the order in which they are shown */
typedef enum {
    NGX_HTTP_PAYER_CHECK_CONFIGURATION = 0,
    NGX_HTTP_PAYER_CHECK_DNS,
    NGX_HTTP_PAYER_CHECK_TLS,
    NGX_HTTP_PAYER_CHECK_TOKEN,
    NGX_HTTP_PAYER_CHECK_CLOCK,
    NGX_HTTP_PAYER_CHECK_SUBSCRIPTIONS,
    NGX_HTTP_PAYER_CHECK_STORE,
    NGX_HTTP_PAYER_CHECK_ZONE,
    NGX_HTTP_PAYER_CHECK_UNKNOWN,
    NGX_HTTP_PAYER_CHECK_NOTIFICATIONS,
    NGX_HTTP_PAYER_CHECK_SWEEP,
    NGX_HTTP_PAYER_CHECK_LINK,          /* deep=1 */
    NGX_HTTP_PAYER_CHECK_CANCEL,
    NGX_HTTP_PAYER_CHECK_LOOKUP,        /* lookup= */
    NGX_HTTP_PAYER_CHECKS
} ngx_http_payer_check_e;


typedef enum {
    NGX_HTTP_PAYER_HEALTH_NONE = 0,     /* not checked */
    NGX_HTTP_PAYER_HEALTH_OK,
    NGX_HTTP_PAYER_HEALTH_WARN,
    NGX_HTTP_PAYER_HEALTH_FAIL
} ngx_http_payer_health_e;


typedef struct {
    ngx_http_payer_health_e       health;
    ngx_str_t                     detail;
    const char                   *fix;          /* one sentence, or NULL */
} ngx_http_payer_check_t;


/* ctx->data of a run */
typedef struct {
    ngx_http_payer_check_t        checks[NGX_HTTP_PAYER_CHECKS];

    ngx_str_t                     key;          /* of the shared result */
    ngx_http_payer_claim_t        turn;
    ngx_http_payer_zone_t        *zone;         /* of the turn */
    ngx_msec_t                    until;        /* the end of the whole run */
    ngx_http_payer_step_pt        next;         /* after the network */

    /* of the request for a token */
    ngx_http_payer_exchange_t     exchange;
    ngx_msec_t                    connected;    /* (ngx_msec_t) -1: never */
    ngx_str_t                     peer;         /* empty: no address */
    const char                   *wrong;        /* with the reply, or NULL */
    time_t                        date;         /* Payer's, or -1 */
    time_t                        now;          /* ours at that moment */

    /* of the walk */
    ngx_str_t                     prefix;
    ngx_str_t                     after;
    ngx_uint_t                    pages;
    ngx_uint_t                    found;
    ngx_uint_t                    kept;         /* notifications that were
                                                 * given up, or conflict */
    time_t                        oldest;

    ngx_str_t                     lookup_args;
    ngx_str_t                     verdict;
    ngx_http_payer_lookup_t      *looked;       /* NULL: no lookup */

    unsigned                      text:1;       /* for a terminal */
    unsigned                      local:1;
    unsigned                      notices:1;    /* are listed, not orders */
    unsigned                      deep:1;
    unsigned                      lookup:1;
} ngx_http_payer_doctor_t;


extern ngx_http_payer_handler_t  ngx_http_payer_handler_doctor;


/* the outcome of one check; the detail is formatted as by ngx_sprintf() and
 * holds no secret, no token and no client id */
void ngx_http_payer_doctor_say(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_check_e which, ngx_http_payer_health_e health,
    const char *fix, const char *fmt, ...);

/* the checks; the last step of each group continues with d->next */
void ngx_http_payer_doctor_configuration(ngx_http_payer_ctx_t *ctx);
void ngx_http_payer_doctor_zone(ngx_http_payer_ctx_t *ctx);
void ngx_http_payer_doctor_sweep(ngx_http_payer_ctx_t *ctx);
ngx_int_t ngx_http_payer_doctor_fetch(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
ngx_int_t ngx_http_payer_doctor_store(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
ngx_int_t ngx_http_payer_doctor_list(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
ngx_int_t ngx_http_payer_doctor_link(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
ngx_int_t ngx_http_payer_doctor_lookup(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);

/* the member "lookup" of the answer, if there is one */
void ngx_http_payer_doctor_lookup_json(ngx_http_payer_json_out_t *out,
    ngx_http_payer_doctor_t *d);

/* the last step: stores the result for other requests, and answers */
ngx_int_t ngx_http_payer_doctor_answer(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);

/* answers with the result of another run */
ngx_int_t ngx_http_payer_doctor_shared(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx, ngx_str_t *note);


#endif /* _NGX_HTTP_PAYER_DOCTOR_H_INCLUDED_ */
