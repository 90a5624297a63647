
/*
 * The audit log: two lines of JSON for each operation, from all sources.
 */


#ifndef _NGX_HTTP_PAYER_AUDIT_H_INCLUDED_
#define _NGX_HTTP_PAYER_AUDIT_H_INCLUDED_


#include "ngx_http_payer_module.h"
#include "ngx_http_payer_op.h"


#define NGX_HTTP_PAYER_MAX_ACTOR   255
#define NGX_HTTP_PAYER_MAX_REASON  500


/* "payer_audit"; torn: the last line was not written to its end */
struct ngx_http_payer_audit_s {
    ngx_open_file_t      *file;         /* NULL: off */
    ngx_uint_t            torn;         /* unsigned torn:1 */
};


/*
 * One line.  The id of both lines of an operation is its Payer-Request-ID, so
 * that an outcome that is found later, by a repeat or by a read, belongs to
 * the same intent.
 */
typedef struct {
    ngx_str_t             id;
    ngx_str_t             actor;
    const ngx_str_t      *operation;
    ngx_str_t             reference;
    ngx_str_t             payment_id;
    ngx_str_t             currency;
    ngx_str_t             key;          /* Idempotency-Key, or empty */
    ngx_str_t             reason;
    int64_t               amount;       /* -1: all that is left */
    ngx_uint_t            status;       /* 0: none */
    const char           *outcome;      /* NULL: the intent */
    unsigned              unattended:1; /* not requested by a client */
} ngx_http_payer_audit_line_t;


/* the value of payer_actor, or empty: NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_payer_audit_actor(ngx_http_payer_ctx_t *ctx,
    ngx_str_t *actor);

/*
 * the line of an outcome that was found after the operation had ended without
 * one; "actor" is what has found it, for "reason": NGX_OK or NGX_ERROR
 * (logged)
 */
ngx_int_t ngx_http_payer_audit_found(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_op_t *op, const ngx_str_t *operation,
    ngx_str_t *actor, ngx_str_t *reason);

/*
 * writes a line, with the time and the client's address: NGX_OK, also if
 * there is no audit log, or NGX_ERROR (logged).  Runs also when the request
 * is about to be destroyed.
 */
ngx_int_t ngx_http_payer_audit(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_audit_line_t *line);


#endif /* _NGX_HTTP_PAYER_AUDIT_H_INCLUDED_ */
