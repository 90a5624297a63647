
/*
 * An argument of a lookup and a field of its reply: the first line says
 * whether addresses are allowed, the rest is the text.  Whatever is taken is
 * one argument for whoever reads it, and harms neither header nor log.
 *
 * sources: ngx_http_payer_lookup_text.c
 */


#include "fuzz.h"

#include "ngx_http_payer_lookup_text.h"


static void fuzz_argument(ngx_str_t *text, ngx_uint_t email);
static void fuzz_value(ngx_str_t *text);
static void fuzz_line(ngx_str_t *text);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_str_t  first, text;

    first = fuzz_field(&data, &size, '\n');
    text = shim_text(data, size);

    fuzz_argument(&text, first.len == 1 && first.data[0] == '1');
    fuzz_value(&text);
    fuzz_line(&text);

    free(text.data);
    free(first.data);

    return 0;
}


static void
fuzz_argument(ngx_str_t *text, ngx_uint_t email)
{
    size_t       i;
    const char  *harmful;

    static const char  plain[] = "0123456789_-"
                                 "abcdefghijklmnopqrstuvwxyz"
                                 "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

    if (!ngx_http_payer_lookup_clean(text, email)) {

        /* a plain number is taken */

        for (i = 0; i < text->len; i++) {
            if (text->data[i] == '\0' || !strchr(plain, text->data[i])) {
                return;
            }
        }

        fuzz_assert(text->len == 0 || text->len > 64);
        return;
    }

    fuzz_assert(text->len >= 1 && text->len <= 64);
    fuzz_assert(text->data[0] != '.');

    harmful = email ? "/?&#%;=\\\"'<> \t\r\n" : "/?&#%;=\\\"'<> \t\r\n.+@";

    for (i = 0; i < text->len; i++) {
        fuzz_assert(text->data[i] > 0x20 && text->data[i] < 0x7f);
        fuzz_assert(strchr(harmful, text->data[i]) == NULL);
    }
}


static void
fuzz_value(ngx_str_t *text)
{
    size_t  i;

    if (!ngx_http_payer_lookup_printable(text)) {
        return;
    }

    for (i = 0; i < text->len; i++) {
        fuzz_assert(!iscntrl(text->data[i]));
    }
}


static void
fuzz_line(ngx_str_t *text)
{
    u_char  *p, *last, buf[NGX_HTTP_PAYER_LOOKUP_LOG_TEXT];

    last = ngx_http_payer_lookup_plain(buf, text);

    fuzz_assert(last <= buf + sizeof(buf));

    for (p = buf; p < last; p++) {
        fuzz_assert(isprint(*p) && *p != '"');
    }
}
