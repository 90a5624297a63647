
/*
 * Columns of a row, which are in the binary format.
 */


#include "ngx_http_payer_postgres.h"


#define NGX_HTTP_PAYER_POSTGRES_EVER  10000000000   /* s, 300 years */


ngx_uint_t
ngx_http_payer_postgres_null(PGresult *res, int row, int column)
{
    return PQgetisnull(res, row, column) != 0;
}


/* of any size; NULL is 0 */

int64_t
ngx_http_payer_postgres_int(PGresult *res, int row, int column)
{
    u_char    *p;
    int        i, len;
    uint64_t   n;

    if (PQgetisnull(res, row, column)) {
        return 0;
    }

    p = (u_char *) PQgetvalue(res, row, column);
    len = PQgetlength(res, row, column);

    n = (len != 0 && len < 8 && (p[0] & 0x80)) ? (uint64_t) -1 : 0;

    for (i = 0; i < len && i < 8; i++) {
        n = n << 8 | p[i];
    }

    return (int64_t) n;
}


ngx_str_t
ngx_http_payer_postgres_bytes(PGresult *res, int row, int column)
{
    ngx_str_t  text;

    text.data = (u_char *) PQgetvalue(res, row, column);
    text.len = PQgetlength(res, row, column);

    return text;
}


/* four columns; what is due counts from now, by the clock of the server */

void
ngx_http_payer_postgres_label(PGresult *res, int row, int column,
    ngx_http_payer_label_t *label)
{
    int64_t  due;

    label->updated = (time_t) ngx_http_payer_postgres_int(res, row, column);
    label->due = 0;

    if (!ngx_http_payer_postgres_null(res, row, column + 1)) {
        due = ngx_http_payer_postgres_int(res, row, column + 1);

        if (due > NGX_HTTP_PAYER_POSTGRES_EVER) {
            due = NGX_HTTP_PAYER_POSTGRES_EVER;
        }

        label->due = (due < -ngx_time()) ? 1
                                         : ngx_max(1, ngx_time() + due);
    }

    label->attention = (uint32_t) ngx_http_payer_postgres_int(res, row,
                                                              column + 2);
    label->state = (uint32_t) ngx_http_payer_postgres_int(res, row,
                                                          column + 3);
}
