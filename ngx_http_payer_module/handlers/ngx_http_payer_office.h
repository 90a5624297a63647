
/*
 * payer_office: a page for staff, and the JSON behind it.
 */


#ifndef _NGX_HTTP_PAYER_OFFICE_H_INCLUDED_
#define _NGX_HTTP_PAYER_OFFICE_H_INCLUDED_


#include "ngx_http_payer_module.h"
#include "ngx_http_payer_history.h"
#include "ngx_http_payer_json_out.h"


/* what a request for a list or for one order asks for */
typedef struct {
    ngx_str_t      reference;
    ngx_str_t      q;                   /* begins a number or a payment id */
    ngx_str_t      after;               /* "next" of the answer before */
    uint64_t       states;              /* bits, 0: all */
    time_t         from;                /* seconds, 0: open */
    time_t         to;                  /* before that */
    ngx_uint_t     limit;
    unsigned       attention:1;         /* only what needs some */
    unsigned       csv:1;
} ngx_http_payer_office_query_t;


extern ngx_http_payer_handler_t  ngx_http_payer_handler_office;


/* between the files: the arguments, NGX_OK, or NGX_DECLINED with a reason */
ngx_int_t ngx_http_payer_office_query(ngx_http_request_t *r,
    ngx_http_payer_office_query_t *query, const char **reason);

/* the first steps of the lists and of one order */
ngx_int_t ngx_http_payer_office_list(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
ngx_int_t ngx_http_payer_office_order(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);

/*
 * the entries that begin with "prefix", behind "after", into ctx->io: NGX_OK,
 * NGX_DECLINED if there are none, NGX_AGAIN (call it again), NGX_ERROR
 */
ngx_int_t ngx_http_payer_office_scan(ngx_http_payer_ctx_t *ctx,
    ngx_str_t *prefix, ngx_str_t *after, ngx_uint_t limit);

/* an order as members of a JSON object, and as a line of CSV */
void ngx_http_payer_office_json(ngx_http_payer_json_out_t *out,
    ngx_http_payer_record_t *record, uint32_t attention);
void ngx_http_payer_office_csv(ngx_http_payer_json_out_t *out,
    ngx_http_payer_record_t *record, uint32_t attention);
void ngx_http_payer_office_csv_head(ngx_http_payer_json_out_t *out);


#endif /* _NGX_HTTP_PAYER_OFFICE_H_INCLUDED_ */
