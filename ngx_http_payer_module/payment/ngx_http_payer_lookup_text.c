
/*
 * Checks of texts for the shop and the log: pure functions.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_payer_lookup_text.h"


ngx_uint_t
ngx_http_payer_lookup_clean(ngx_str_t *value, ngx_uint_t email)
{
    u_char  ch;
    size_t  i;

    if (value->len == 0 || value->len > NGX_HTTP_PAYER_LOOKUP_TEXT) {
        return 0;
    }

    for (i = 0; i < value->len; i++) {
        ch = value->data[i];

        if ((ch >= '0' && ch <= '9') || ch == '_' || ch == '-'
            || ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z'))
        {
            continue;
        }

        if (!email || (ch != '@' && ch != '.' && ch != '+')) {
            return 0;
        }
    }

    /* "." and ".." are not addresses */

    return value->data[0] != '.';
}


u_char *
ngx_http_payer_lookup_plain(u_char *p, ngx_str_t *text)
{
    u_char  ch;
    size_t  i;

    for (i = 0;
         i < ngx_min(text->len, NGX_HTTP_PAYER_LOOKUP_LOG_TEXT);
         i++)
    {
        ch = text->data[i];
        *p++ = (ch >= 0x20 && ch < 0x7f && ch != '"') ? ch : '?';
    }

    return p;
}


ngx_uint_t
ngx_http_payer_lookup_printable(ngx_str_t *text)
{
    size_t  i;

    for (i = 0; i < text->len; i++) {
        if (text->data[i] < 0x20 || text->data[i] == 0x7f) {
            return 0;
        }
    }

    return 1;
}
