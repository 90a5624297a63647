
/*
 * Actions of staff other than operations.
 */


#ifndef _NGX_HTTP_PAYER_OFFICE_ACT_H_INCLUDED_
#define _NGX_HTTP_PAYER_OFFICE_ACT_H_INCLUDED_


#include "ngx_http_payer_module.h"
#include "ngx_http_payer_audit.h"
#include "ngx_http_payer_history.h"
#include "ngx_http_payer_json_out.h"


typedef enum {
    NGX_HTTP_PAYER_ACT_READ = 0,
    NGX_HTTP_PAYER_ACT_REOPEN,
    NGX_HTTP_PAYER_ACT_SETTLE,
    NGX_HTTP_PAYER_ACT_ERASE,
    NGX_HTTP_PAYER_ACT_NOTIFY
} ngx_http_payer_act_e;


typedef struct {
    ngx_http_payer_act_e     kind;
    ngx_str_t                id;        /* of its lines in the audit log */
    ngx_str_t                actor;

    /* of what goes through the entries of an order */
    ngx_http_payer_step_pt   next;
    ngx_str_t                prefix;    /* of keys */
    ngx_str_t                after;
    ngx_array_t              payments;  /* ngx_str_t, their ids */
    ngx_uint_t               payment;   /* the one whose turn it is */
    int64_t                  erased;    /* entries, also of those that are
                                         * told again */
    int64_t                  left;      /* whose outcome is not known */
} ngx_http_payer_act_t;


/* prepares the first step, for which the body is kept: NGX_OK, NGX_ERROR */
ngx_int_t ngx_http_payer_act_begin(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_act_e kind);


/*
 * between the files: the steps, and the lines of the audit log, "outcome"
 * being NULL for the intent; an entry of the history, to be written with the
 * act
 */
ngx_int_t ngx_http_payer_act_params(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
ngx_int_t ngx_http_payer_act_read(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
ngx_int_t ngx_http_payer_act_erase(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
ngx_int_t ngx_http_payer_act_notify(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
ngx_int_t ngx_http_payer_act_stored(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
ngx_int_t ngx_http_payer_act_answer(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);

ngx_int_t ngx_http_payer_act_intent(ngx_http_payer_ctx_t *ctx);
ngx_int_t ngx_http_payer_act_audit(ngx_http_payer_ctx_t *ctx,
    const char *outcome, ngx_uint_t status);
ngx_int_t ngx_http_payer_act_not_audited(ngx_http_request_t *r);
ngx_int_t ngx_http_payer_act_entry(ngx_http_payer_ctx_t *ctx,
    const char *result, ngx_http_payer_store_entry_t *entry);


#endif /* _NGX_HTTP_PAYER_OFFICE_ACT_H_INCLUDED_ */
