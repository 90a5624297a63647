
/*
 * A query in which an argument may be hidden from nginx: the first line is a
 * value of the configuration, the rest the query.  What is called clear is
 * clear to applications, too, who read a query in ways of their own.
 *
 * sources: ngx_http_payer_query.c
 */


#include "fuzz.h"

#include "ngx_http_payer_query.h"


typedef enum {
    FUZZ_PHP = 0,               /* a name is made a variable of PHP */
    FUZZ_ASP,                   /* any case, and %uXXXX */
    FUZZ_JAVA,                  /* as it is decoded, semicolons separate */
    FUZZ_READERS
} fuzz_reader_e;


static void fuzz_names(ngx_str_t *value, ngx_array_t *names);
static void fuzz_plain(ngx_str_t *args, ngx_array_t *names,
    ngx_uint_t clear);
static ngx_uint_t fuzz_count(ngx_str_t *args, ngx_str_t *name,
    fuzz_reader_e reader);
static ngx_uint_t fuzz_reads(char *text, ngx_str_t *name,
    fuzz_reader_e reader);
static void fuzz_decode(char *text, ngx_uint_t unicode);
static void fuzz_variable(char *text);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_str_t      value, args;
    ngx_uint_t     i, clear, reader;
    ngx_pool_t    *pool;
    ngx_array_t   *names;

    value = fuzz_field(&data, &size, '\n');
    args = shim_text(data, size);
    pool = shim_create_pool();

    fuzz_assert(ngx_http_payer_query_names(pool, &value, &names) == NGX_OK);
    fuzz_names(&value, names);

    if (names) {
        clear = ngx_http_payer_query_clear(&args, names);

        fuzz_plain(&args, names, clear);

        for (i = 0; clear && i < names->nelts; i++) {
            for (reader = 0; reader < FUZZ_READERS; reader++) {
                fuzz_assert(fuzz_count(&args,
                                       (ngx_str_t *) names->elts + i, reader)
                            <= 1);
            }
        }
    }

    shim_destroy_pool(pool);
    free(value.data);
    free(args.data);

    fuzz_assert(shim_live == 0);

    return 0;
}


/* each "$arg_" in the value, in its order, has its name in the array */

static void
fuzz_names(ngx_str_t *value, ngx_array_t *names)
{
    size_t      i, len;
    ngx_str_t  *name;
    ngx_uint_t  n;

    n = 0;

    for (i = 0; i + 5 <= value->len; i++) {
        len = (value->data[i + 1] == '{') ? 6 : 5;

        if (value->data[i] != '$' || i + len > value->len
            || strncasecmp((char *) value->data + i + len - 4, "arg_", 4) != 0)
        {
            continue;
        }

        fuzz_assert(names && n < names->nelts);

        name = (ngx_str_t *) names->elts + n++;

        fuzz_assert(name->data == value->data + i + len);
        fuzz_assert(name->data + name->len <= value->data + value->len);

        for (len = 0; len < name->len; len++) {
            fuzz_assert(isalnum(name->data[len]) || name->data[len] == '_');
        }

        fuzz_assert(name->data + len == value->data + value->len
                    || !(isalnum(name->data[len]) || name->data[len] == '_'));
    }

    fuzz_assert(n == (names ? names->nelts : 0));
}


/* without anything special in it, nothing but a repeated name is unclear */

static void
fuzz_plain(ngx_str_t *args, ngx_array_t *names, ngx_uint_t clear)
{
    size_t       i;
    ngx_str_t   *name;
    ngx_uint_t   twice;

    for (i = 0; i < args->len; i++) {
        if (!isalnum(args->data[i]) && strchr("&=-", args->data[i]) == NULL) {
            return;
        }
    }

    if (memchr(args->data, 0, args->len)) {
        return;
    }

    twice = 0;

    for (i = 0; i < names->nelts; i++) {
        name = (ngx_str_t *) names->elts + i;

        if (name->len == 0) {
            return;
        }

        twice |= fuzz_count(args, name, FUZZ_ASP) > 1;
    }

    fuzz_assert(clear == !twice);
}


/* how many arguments the reader takes for this one */

static ngx_uint_t
fuzz_count(ngx_str_t *args, ngx_str_t *name, fuzz_reader_e reader)
{
    char        *copy, *rest, *one;
    ngx_uint_t   n;

    copy = strndup((char *) args->data, args->len);
    fuzz_assert(copy != NULL);

    rest = copy;
    n = 0;

    while ((one = strsep(&rest, reader == FUZZ_JAVA ? "&;" : "&")) != NULL) {
        if (*one) {
            one[strcspn(one, "=")] = '\0';
            n += fuzz_reads(one, name, reader);
        }
    }

    free(copy);

    return n;
}


static ngx_uint_t
fuzz_reads(char *text, ngx_str_t *name, fuzz_reader_e reader)
{
    fuzz_decode(text, reader == FUZZ_ASP);

    if (reader == FUZZ_PHP) {
        fuzz_variable(text);
    }

    if (strlen(text) != name->len) {
        return 0;
    }

    return (reader == FUZZ_ASP)
           ? strncasecmp(text, (char *) name->data, name->len) == 0
           : strncmp(text, (char *) name->data, name->len) == 0;
}


/* in place; what is behind a NUL is gone, and so is a character above 255 */

static void
fuzz_decode(char *text, ngx_uint_t unicode)
{
    char          *p, *to;
    int            len;
    unsigned int   code;

    for (p = to = text; *p; /* void */) {
        len = 0;

        if (unicode && p[0] == '%' && (p[1] == 'u' || p[1] == 'U')
            && strspn(p + 2, "0123456789abcdefABCDEF") >= 4)
        {
            sscanf(p + 2, "%4x", &code);
            len = 6;

        } else if (p[0] == '%' && strspn(p + 1, "0123456789abcdefABCDEF") >= 2)
        {
            sscanf(p + 1, "%2x", &code);
            len = 3;
        }

        if (len) {
            p += len;
            *to++ = (code <= 255) ? (char) code : '?';

        } else {
            *to++ = (*p == '+') ? ' ' : *p;
            p++;
        }
    }

    *to = '\0';
}


/* what PHP makes of a name */

static void
fuzz_variable(char *text)
{
    char  *open;

    memmove(text, text + strspn(text, " "), strlen(text + strspn(text, " "))
                                            + 1);

    open = strchr(text, '[');

    if (open && open > text && strchr(open, ']')) {
        *open = '\0';
    }

    for ( /* void */ ; *text; text++) {
        if (strchr(" .[", *text)) {
            *text = '_';
        }
    }
}
