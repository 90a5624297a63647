
/*
 * An order as JSON and as a line of CSV.
 *
 * Values of a buyer can be hostile: a cell that begins like a formula would be
 * evaluated by a spreadsheet.
 */


#include "ngx_http_payer_office.h"


static void ngx_http_payer_office_cell(ngx_http_payer_json_out_t *out,
    ngx_str_t *text);
static void ngx_http_payer_office_sum(ngx_http_payer_json_out_t *out,
    int64_t amount);
static void ngx_http_payer_office_date(ngx_http_payer_json_out_t *out,
    time_t time);
static ngx_str_t *ngx_http_payer_office_lower(ngx_http_payer_state_e state,
    ngx_str_t *name, u_char *buf);


typedef struct {
    uint32_t       bit;
    ngx_str_t      name;
} ngx_http_payer_office_bit_t;


static ngx_http_payer_office_bit_t  ngx_http_payer_office_bits[] = {
    { NGX_HTTP_PAYER_ATTENTION_UNKNOWN, ngx_string("unknown_outcome") },
    { NGX_HTTP_PAYER_ATTENTION_OLD, ngx_string("old_authorization") },
    { NGX_HTTP_PAYER_ATTENTION_CANCELLED,
      ngx_string("cancelled_but_authorized") },
    { NGX_HTTP_PAYER_ATTENTION_AMOUNT, ngx_string("amount_differs") },
    { NGX_HTTP_PAYER_ATTENTION_OWED, ngx_string("notification_owed") },
    { NGX_HTTP_PAYER_ATTENTION_CONFLICT, ngx_string("notification_conflict") },
    { 0, ngx_null_string }
};


#define NGX_HTTP_PAYER_OFFICE_STATE_LEN  32


void
ngx_http_payer_office_json(ngx_http_payer_json_out_t *out,
    ngx_http_payer_record_t *record, uint32_t attention)
{
    u_char                        buf[NGX_HTTP_PAYER_OFFICE_STATE_LEN];
    ngx_str_t                     name;
    ngx_http_payer_office_bit_t  *bit;

    ngx_http_payer_json_out_str(out, "reference", &record->reference);
    ngx_http_payer_json_out_str(out, "paymentId", &record->payment_id);
    ngx_http_payer_json_out_str(out, "state",
                                ngx_http_payer_office_lower(record->state,
                                                            &name, buf));
    ngx_http_payer_json_out_number(out, "amount", record->amount);
    ngx_http_payer_json_out_str(out, "currency", &record->currency);
    ngx_http_payer_json_out_number(out, "authorizedAmount",
                                   record->authorized);
    ngx_http_payer_json_out_number(out, "capturedAmount", record->captured);
    ngx_http_payer_json_out_number(out, "refundedAmount", record->refunded);
    ngx_http_payer_json_out_time(out, "created", record->created);
    ngx_http_payer_json_out_time(out, "updated", record->updated);

    ngx_http_payer_json_out_name(out, "attention");
    ngx_http_payer_json_out_open(out, '[');

    for (bit = ngx_http_payer_office_bits; bit->bit; bit++) {
        if (attention & bit->bit) {
            ngx_http_payer_json_out_text(out, &bit->name);
        }
    }

    ngx_http_payer_json_out_close(out, ']');
}


static ngx_str_t *
ngx_http_payer_office_lower(ngx_http_payer_state_e state, ngx_str_t *name,
    u_char *buf)
{
    ngx_str_t  *upper;

    upper = ngx_http_payer_state_name(state);

    name->data = buf;
    name->len = ngx_min(upper->len, NGX_HTTP_PAYER_OFFICE_STATE_LEN);

    ngx_strlow(buf, upper->data, name->len);

    return name;
}


void
ngx_http_payer_office_csv_head(ngx_http_payer_json_out_t *out)
{
    static const char  head[] =
        "reference,paymentId,state,amount,currency,authorizedAmount,"
        "capturedAmount,refundedAmount,created,updated,attention\r\n";

    ngx_http_payer_json_out_raw(out, head, sizeof(head) - 1);
}


void
ngx_http_payer_office_csv(ngx_http_payer_json_out_t *out,
    ngx_http_payer_record_t *record, uint32_t attention)
{
    u_char                        buf[NGX_HTTP_PAYER_OFFICE_STATE_LEN];
    ngx_str_t                     name;
    ngx_uint_t                    n;
    ngx_http_payer_office_bit_t  *bit;

    ngx_http_payer_office_cell(out, &record->reference);
    ngx_http_payer_json_out_raw(out, ",", 1);
    ngx_http_payer_office_cell(out, &record->payment_id);
    ngx_http_payer_json_out_raw(out, ",", 1);
    ngx_http_payer_office_cell(out, ngx_http_payer_office_lower(record->state,
                                                                &name, buf));
    ngx_http_payer_office_sum(out, record->amount);
    ngx_http_payer_json_out_raw(out, ",", 1);
    ngx_http_payer_office_cell(out, &record->currency);
    ngx_http_payer_office_sum(out, record->authorized);
    ngx_http_payer_office_sum(out, record->captured);
    ngx_http_payer_office_sum(out, record->refunded);
    ngx_http_payer_office_date(out, record->created);
    ngx_http_payer_office_date(out, record->updated);
    ngx_http_payer_json_out_raw(out, ",", 1);

    n = 0;

    for (bit = ngx_http_payer_office_bits; bit->bit; bit++) {

        if (!(attention & bit->bit)) {
            continue;
        }

        if (n++) {
            ngx_http_payer_json_out_raw(out, " ", 1);
        }

        ngx_http_payer_json_out_raw(out, (char *) bit->name.data,
                                    bit->name.len);
    }

    ngx_http_payer_json_out_raw(out, "\r\n", 2);
}


/* a text, quoted, and not evaluated by a spreadsheet */

static void
ngx_http_payer_office_cell(ngx_http_payer_json_out_t *out, ngx_str_t *text)
{
    size_t  i;

    ngx_http_payer_json_out_raw(out, "\"", 1);

    if (text->len && ngx_strlchr((u_char *) "=+-@\t\r",
                                 (u_char *) "=+-@\t\r" + 6, text->data[0]))
    {
        ngx_http_payer_json_out_raw(out, "'", 1);
    }

    for (i = 0; i < text->len; i++) {

        if (text->data[i] == '"') {
            ngx_http_payer_json_out_raw(out, "\"", 1);
        }

        ngx_http_payer_json_out_raw(out, (char *) text->data + i, 1);
    }

    ngx_http_payer_json_out_raw(out, "\"", 1);
}


static void
ngx_http_payer_office_sum(ngx_http_payer_json_out_t *out, int64_t amount)
{
    u_char  buf[NGX_INT64_LEN + 1], *p;

    p = buf;
    *p++ = ',';

    if (amount >= 0) {
        p = ngx_sprintf(p, "%L", amount);
    }

    ngx_http_payer_json_out_raw(out, (char *) buf, p - buf);
}


static void
ngx_http_payer_office_date(ngx_http_payer_json_out_t *out, time_t time)
{
    u_char    buf[sizeof(",9999-12-31T00:00:00Z") + NGX_TIME_T_LEN], *p;
    ngx_tm_t  tm;

    p = buf;
    *p++ = ',';

    if (time) {
        ngx_gmtime(time, &tm);

        p = ngx_sprintf(p, "%4d-%02d-%02dT%02d:%02d:%02dZ", tm.ngx_tm_year,
                        tm.ngx_tm_mon, tm.ngx_tm_mday, tm.ngx_tm_hour,
                        tm.ngx_tm_min, tm.ngx_tm_sec);
    }

    ngx_http_payer_json_out_raw(out, (char *) buf, p - buf);
}
