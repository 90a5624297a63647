
/* payer_report: captures and refunds of some days, and their sums */


#ifndef _NGX_HTTP_PAYER_REPORT_H_INCLUDED_
#define _NGX_HTTP_PAYER_REPORT_H_INCLUDED_


#include "ngx_http_payer_module.h"
#include "ngx_http_payer_book.h"


/* sums of one currency */
typedef struct {
    ngx_str_t                     currency;
    int64_t                       captured;
    int64_t                       refunded;
    ngx_uint_t                    captures;
    ngx_uint_t                    refunds;
} ngx_http_payer_report_sum_t;


/* ctx->data of the handler */
typedef struct {
    ngx_str_t                     from;         /* days, as in the answer */
    ngx_str_t                     to;
    ngx_str_t                     tz;
    time_t                        begin;        /* seconds, of the first day */
    time_t                        end;          /* of the day after the last */
    ngx_uint_t                    csv;

    ngx_str_t                     prefix;
    ngx_str_t                     after;        /* the cursor */
    ngx_http_payer_item_t        *items;        /* a page */
    ngx_uint_t                    nitems;
    ngx_uint_t                    item;         /* the next one of it */

    ngx_http_payer_book_t         book;         /* whose amount is wanted */
    ngx_str_t                     key;          /* of what is read for it */
    ngx_str_t                     others;       /* prefix of its captures */
    int64_t                       captured;     /* all of the payment */

    ngx_array_t                   rows;         /* ..._book_t */
    ngx_array_t                   sums;         /* ..._report_sum_t */
} ngx_http_payer_report_t;


extern ngx_http_payer_handler_t  ngx_http_payer_handler_report;


/*
 * from, to and tz of the query: NULL, or what is wrong with them.  A day ends
 * where the next one begins in that time zone, be it 23 hours or 25.
 */
const char *ngx_http_payer_report_days(ngx_http_request_t *r,
    ngx_http_payer_report_t *rp);

/* the answer: NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_payer_report_json(ngx_http_request_t *r,
    ngx_http_payer_report_t *rp, ngx_str_t *body);
ngx_int_t ngx_http_payer_report_csv(ngx_http_request_t *r,
    ngx_http_payer_report_t *rp, ngx_str_t *body);


#endif /* _NGX_HTTP_PAYER_REPORT_H_INCLUDED_ */
