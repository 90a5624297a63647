
/*
 * The answer of payer_report: JSON, or CSV for a spreadsheet.
 */


#include "ngx_http_payer_report.h"
#include "ngx_http_payer_json_out.h"


static u_char *ngx_http_payer_report_cell(u_char *p, ngx_str_t *text);
static u_char *ngx_http_payer_report_time(u_char *p, time_t time);


/* besides the texts: the time, the amount, commas and quotes */

#define NGX_HTTP_PAYER_REPORT_LINE  128


ngx_int_t
ngx_http_payer_report_json(ngx_http_request_t *r, ngx_http_payer_report_t *rp,
    ngx_str_t *body)
{
    ngx_uint_t                    i;
    ngx_http_payer_book_t        *row;
    ngx_http_payer_json_out_t     out;
    ngx_http_payer_report_sum_t  *sum;

    ngx_http_payer_json_out(&out, r->pool);

    ngx_http_payer_json_out_open(&out, '{');
    ngx_http_payer_json_out_str(&out, "from", &rp->from);
    ngx_http_payer_json_out_str(&out, "to", &rp->to);
    ngx_http_payer_json_out_str(&out, "tz", &rp->tz);

    ngx_http_payer_json_out_name(&out, "currencies");
    ngx_http_payer_json_out_open(&out, '[');

    sum = rp->sums.elts;

    for (i = 0; i < rp->sums.nelts; i++) {
        ngx_http_payer_json_out_open(&out, '{');
        ngx_http_payer_json_out_str(&out, "currency", &sum[i].currency);
        ngx_http_payer_json_out_number(&out, "captured", sum[i].captured);
        ngx_http_payer_json_out_number(&out, "refunded", sum[i].refunded);
        ngx_http_payer_json_out_number(&out, "captures", sum[i].captures);
        ngx_http_payer_json_out_number(&out, "refunds", sum[i].refunds);
        ngx_http_payer_json_out_close(&out, '}');
    }

    ngx_http_payer_json_out_close(&out, ']');
    ngx_http_payer_json_out_name(&out, "rows");
    ngx_http_payer_json_out_open(&out, '[');

    row = rp->rows.elts;

    for (i = 0; i < rp->rows.nelts; i++) {
        ngx_http_payer_json_out_open(&out, '{');
        ngx_http_payer_json_out_time(&out, "at", row[i].at);
        ngx_http_payer_json_out_str(&out, "operation", &row[i].operation);
        ngx_http_payer_json_out_str(&out, "reference", &row[i].reference);
        ngx_http_payer_json_out_str(&out, "paymentId", &row[i].payment_id);
        ngx_http_payer_json_out_number(&out, "amount", row[i].amount);
        ngx_http_payer_json_out_str(&out, "currency", &row[i].currency);
        ngx_http_payer_json_out_str(&out, "requestId", &row[i].request_id);
        ngx_http_payer_json_out_close(&out, '}');
    }

    ngx_http_payer_json_out_close(&out, ']');
    ngx_http_payer_json_out_close(&out, '}');

    return ngx_http_payer_json_out_end(&out, body);
}


ngx_int_t
ngx_http_payer_report_csv(ngx_http_request_t *r, ngx_http_payer_report_t *rp,
    ngx_str_t *body)
{
    size_t                  len;
    u_char                 *p;
    ngx_uint_t              i;
    ngx_http_payer_book_t  *row;

    static ngx_str_t  head =
        ngx_string("at,operation,reference,paymentId,amount,currency,"
                   "requestId\r\n");

    row = rp->rows.elts;
    len = head.len;

    for (i = 0; i < rp->rows.nelts; i++) {
        len += NGX_HTTP_PAYER_REPORT_LINE
               + 2 * (row[i].operation.len + row[i].reference.len
                      + row[i].payment_id.len + row[i].currency.len
                      + row[i].request_id.len);
    }

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    body->data = p;

    p = ngx_cpymem(p, head.data, head.len);

    for (i = 0; i < rp->rows.nelts; i++) {
        p = ngx_http_payer_report_time(p, row[i].at);
        *p++ = ',';
        p = ngx_http_payer_report_cell(p, &row[i].operation);
        *p++ = ',';
        p = ngx_http_payer_report_cell(p, &row[i].reference);
        *p++ = ',';
        p = ngx_http_payer_report_cell(p, &row[i].payment_id);
        *p++ = ',';

        if (row[i].amount >= 0) {
            p = ngx_sprintf(p, "%L", row[i].amount);
        }

        *p++ = ',';
        p = ngx_http_payer_report_cell(p, &row[i].currency);
        *p++ = ',';
        p = ngx_http_payer_report_cell(p, &row[i].request_id);
        *p++ = '\r';
        *p++ = '\n';
    }

    body->len = p - body->data;

    return NGX_OK;
}


/* a spreadsheet evaluates a text that begins with one of these as a formula */

static u_char *
ngx_http_payer_report_cell(u_char *p, ngx_str_t *text)
{
    size_t  i;

    *p++ = '"';

    if (text->len && ngx_strlchr((u_char *) "=+-@\t\r",
                                 (u_char *) "=+-@\t\r" + 6, text->data[0]))
    {
        *p++ = '\'';
    }

    for (i = 0; i < text->len; i++) {

        if (text->data[i] == '"') {
            *p++ = '"';
        }

        *p++ = text->data[i];
    }

    *p++ = '"';

    return p;
}


static u_char *
ngx_http_payer_report_time(u_char *p, time_t time)
{
    ngx_tm_t  tm;

    ngx_gmtime(time, &tm);

    return ngx_sprintf(p, "%4d-%02d-%02dT%02d:%02d:%02dZ", tm.ngx_tm_year,
                       tm.ngx_tm_mon, tm.ngx_tm_mday, tm.ngx_tm_hour,
                       tm.ngx_tm_min, tm.ngx_tm_sec);
}
