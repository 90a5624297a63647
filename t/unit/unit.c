
/*
 * A little TAP.
 */


#include "unit.h"


typedef struct unit_text_s  unit_text_t;

struct unit_text_s {
    ngx_str_t      text;
    unit_text_t   *next;
};


static void unit_report(ngx_uint_t ok, const char *format, va_list args);


static ngx_uint_t    unit_count;
static ngx_uint_t    unit_failed;
static unit_text_t  *unit_texts;


void
unit_ok(ngx_uint_t ok, const char *format, ...)
{
    va_list  args;

    va_start(args, format);
    unit_report(ok, format, args);
    va_end(args);
}


void
unit_is(ngx_str_t *text, const char *expected, const char *format, ...)
{
    va_list     args;
    ngx_uint_t  ok;

    ok = text->data != NULL && text->len == strlen(expected)
         && memcmp(text->data, expected, text->len) == 0;

    va_start(args, format);
    unit_report(ok, format, args);
    va_end(args);

    if (!ok) {
        printf("#      got: %.*s\n# expected: %s\n",
               (int) text->len, text->data, expected);
    }
}


static void
unit_report(ngx_uint_t ok, const char *format, va_list args)
{
    unit_count++;
    unit_failed += !ok;

    printf("%sok %u - ", ok ? "" : "not ", (unsigned) unit_count);
    vprintf(format, args);
    printf("\n");
}


ngx_str_t *
unit_bytes(const void *data, size_t len)
{
    unit_text_t  *text;

    text = malloc(sizeof(unit_text_t));

    if (text == NULL) {
        abort();
    }

    text->text = shim_text(data, len);
    text->next = unit_texts;
    unit_texts = text;

    return &text->text;
}


int
unit_done(void)
{
    unit_text_t  *text;

    while (unit_texts != NULL) {
        text = unit_texts;
        unit_texts = text->next;

        free(text->text.data);
        free(text);
    }

    printf("1..%u\n", (unsigned) unit_count);

    /* a leak that is found at exit ends the process at once */

    fflush(stdout);

    return unit_failed ? 1 : 0;
}
