
/*
 * Answers: redirects, bodies, and problems (RFC 9457).
 */


#ifndef _NGX_HTTP_PAYER_ANSWER_H_INCLUDED_
#define _NGX_HTTP_PAYER_ANSWER_H_INCLUDED_


#include "ngx_http_payer_module.h"


/* what went wrong, for the client */
typedef struct {
    ngx_uint_t       status;
    const char      *type;              /* NULL: about:blank */
    const char      *title;             /* NULL: the status's own words */
    const char      *detail;            /* may be NULL */
    const char      *field;             /* the parameter, may be NULL */
    ngx_str_t        message;           /* Payer's own, may be empty */
    ngx_uint_t       payer_status;      /* 0: none */
    ngx_uint_t       retry_after;       /* seconds, 0: none */
} ngx_http_payer_problem_t;


/*
 * All send an answer of the main request: NGX_HTTP_PAYER_SENT, or what
 * ngx_http_finalize_request() is to be called with.  The texts have to live
 * as long as the request.
 */

/* 303 See Other */
ngx_int_t ngx_http_payer_answer_redirect(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx, ngx_str_t *url);

/* a body from memory; content_type may be empty when the body is */
ngx_int_t ngx_http_payer_answer_body(ngx_http_request_t *r,
    ngx_uint_t status, ngx_str_t *content_type, ngx_str_t *body);

/* application/problem+json with what the context knows of the payment */
ngx_int_t ngx_http_payer_answer_problem(ngx_http_request_t *r,
    ngx_http_payer_problem_t *problem);

/* the same for buyers: error_page has priority if it is set */
ngx_int_t ngx_http_payer_answer_buyer(ngx_http_request_t *r,
    ngx_http_payer_problem_t *problem);

/* "Cache-Control: no-store", and nothing else for caches: NGX_OK, NGX_ERROR */
ngx_int_t ngx_http_payer_answer_no_store(ngx_http_request_t *r);

/*
 * further headers of answers to staff: nosniff, and no framing: NGX_OK,
 * NGX_ERROR
 */
ngx_int_t ngx_http_payer_answer_private(ngx_http_request_t *r);

/* a header of the answer, or NULL; the name is a literal, the value stays */
#define ngx_http_payer_answer_header(r, name, value)                         \
    ngx_http_payer_add_header(r, name, sizeof(name) - 1, value)

ngx_table_elt_t *ngx_http_payer_add_header(ngx_http_request_t *r, char *name,
    size_t len, ngx_str_t *value);


#endif /* _NGX_HTTP_PAYER_ANSWER_H_INCLUDED_ */
