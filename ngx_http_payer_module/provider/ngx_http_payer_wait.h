
/*
 * What a request waits for while another one has it: a claim, or the result of
 * a read; see ngx_http_payer_flow_join().
 */


#ifndef _NGX_HTTP_PAYER_WAIT_H_INCLUDED_
#define _NGX_HTTP_PAYER_WAIT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_zone.h"
#include "ngx_http_payer_zone_read.h"


typedef struct ngx_http_payer_ctx_s   ngx_http_payer_ctx_t;
typedef struct ngx_http_payer_line_s  ngx_http_payer_line_t;

typedef ngx_int_t (*ngx_http_payer_line_ask_pt)(ngx_http_payer_ctx_t *ctx,
    ngx_msec_t *left);


/* the place of a request in a line */
typedef struct {
    ngx_http_payer_line_t        *line;         /* NULL: it does not wait */
    ngx_queue_t                   queue;        /* of the line */
    ngx_http_payer_line_ask_pt    ask;
    ngx_str_t                     key;          /* of the claim */
    ngx_msec_t                    lease;
    ngx_http_payer_claim_t       *claim;
} ngx_http_payer_wait_t;


/* a read of Payer whose result is shared by all requests that wait for it */
typedef struct {
    ngx_str_t                     key;
    ngx_http_payer_zone_read_t    shared;
} ngx_http_payer_shared_read_t;


#endif /* _NGX_HTTP_PAYER_WAIT_H_INCLUDED_ */
