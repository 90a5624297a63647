
/*
 * An order as a shop or a buyer may write it: the first byte is the number of
 * decimals, the lines are the fields.
 *
 * sources: ngx_http_payer_order.c ngx_http_payer_amount.c
 * sources: ngx_http_payer_json_write.c
 */


#include "fuzz.h"

#include <math.h>
#include <regex.h>

#include <cjson/cJSON.h>

#include "ngx_http_payer_amount.h"
#include "ngx_http_payer_json.h"
#include "ngx_http_payer_order.h"


static void fuzz_amount(ngx_str_t *text, ngx_uint_t decimals);
static int64_t fuzz_amount_of(ngx_str_t *text, ngx_uint_t decimals);
static void fuzz_float(ngx_str_t *text, ngx_uint_t decimals, int64_t plain);
static void fuzz_texts(ngx_str_t *text);
static void fuzz_split_url(ngx_str_t *url, ngx_int_t any);
static void fuzz_url(ngx_str_t *url);
static ngx_str_t fuzz_checked(ngx_str_t *field, ngx_uint_t good);
static void fuzz_plain_url(ngx_str_t *url, ngx_int_t any, ngx_int_t secure);
static void fuzz_write_order(ngx_http_payer_json_order_t *order);
static void fuzz_write_params(ngx_http_payer_json_order_t *order);
static void fuzz_write_members(ngx_http_payer_json_order_t *order);
static cJSON *fuzz_parse(ngx_str_t *text);
static void fuzz_check_member(cJSON *tree, const char *name,
    ngx_str_t *text);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                       i;
    ngx_str_t                    fields[8], language;
    ngx_uint_t                   decimals, writable;
    ngx_http_payer_json_order_t  order;

    decimals = size ? data[0] % 6 : 0;
    data += (size != 0);
    size -= (size != 0);

    writable = 1;

    for (i = 0; i < 8; i++) {
        fields[i] = fuzz_field(&data, &size, '\n');

        fuzz_amount(&fields[i], decimals);
        fuzz_texts(&fields[i]);
        fuzz_url(&fields[i]);

        /* what is written has been checked before */

        writable &= fuzz_is_utf8(&fields[i], 1)
                    && memchr(fields[i].data, 0, fields[i].len) == NULL;
    }

    if (writable) {
        order.amount = (fields[0].len < 8) ? (int64_t) fields[0].len
                                           : INT64_MAX - fields[0].len;
        order.currency = fuzz_checked(&fields[1],
                            ngx_http_payer_currency_exponent(&fields[1]) >= 0);
        order.reference = fields[2];
        ngx_str_set(&language, "sv");
        (void) ngx_http_payer_language_of(&fields[3], &language);
        order.language = language;
        order.order_id = fields[4];
        order.success = fuzz_checked(&fields[5],
                            ngx_http_payer_check_url(&fields[5], 0) == NGX_OK);
        order.fail = fuzz_checked(&fields[6],
                            ngx_http_payer_check_url(&fields[6], 0) == NGX_OK);
        order.back = fuzz_checked(&fields[7],
                            ngx_http_payer_check_url(&fields[7], 0) == NGX_OK);

        fuzz_write_order(&order);
        fuzz_write_params(&order);
        fuzz_write_members(&order);
    }

    for (i = 0; i < 8; i++) {
        free(fields[i].data);
    }

    fuzz_assert(shim_live == 0);

    return 0;
}


static void
fuzz_amount(ngx_str_t *text, ngx_uint_t decimals)
{
    int64_t    amount, expected;
    ngx_int_t  rc;

    amount = -7;
    rc = ngx_http_payer_amount_of(text, decimals ? NGX_HTTP_PAYER_MAJOR
                                                 : NGX_HTTP_PAYER_MINOR,
                                  decimals, &amount);

    expected = fuzz_amount_of(text, decimals);

    if (expected > 0) {
        fuzz_assert(rc == NGX_OK);
        fuzz_assert(amount == expected);

    } else {
        fuzz_assert(rc == NGX_DECLINED);
        fuzz_assert(amount == -7);
    }

    fuzz_float(text, decimals, expected);
}


/*
 * the same by floating-point arithmetic, which is right but for a little bit:
 * that bit is left out
 */

static void
fuzz_float(ngx_str_t *text, ngx_uint_t decimals, int64_t plain)
{
    char          copy[64], *end;
    int64_t       amount;
    ngx_int_t     rc;
    long double   value, off;

    amount = -7;
    rc = ngx_http_payer_amount_of(text, NGX_HTTP_PAYER_FLOAT, decimals,
                                  &amount);

    /* what is good as it is stands for the same */

    if (plain > 0) {
        fuzz_assert(rc == NGX_OK && amount == plain);
    }

    if (text->len == 0 || text->len >= sizeof(copy)
        || text->data[0] < '0' || text->data[0] > '9'
        || memchr(text->data, 0, text->len) || decimals > 4)
    {
        return;
    }

    memcpy(copy, text->data, text->len);
    copy[text->len] = '\0';

    if (strpbrk(copy, "xXpP") || (copy[0] == '0' && isdigit(copy[1]))) {
        fuzz_assert(rc == NGX_DECLINED);
        return;
    }

    value = strtold(copy, &end) * powl(10, decimals);
    off = fabsl(value - roundl(value));

    if (*end || end[-1] == '.' || strstr(copy, ".e") || strstr(copy, ".E")) {
        fuzz_assert(rc == NGX_DECLINED);
        return;
    }

    if (rc == NGX_OK) {
        fuzz_assert(fabsl(value - amount) < 1.1e-6L + value / 1e18L);

    } else if (value > 0.5L && value < 1e9L && strlen(copy) < 20) {
        fuzz_assert(off > 0.9e-6L);
    }
}


/*
 * the same by another way: the amount as libc reads the digits, accepted if
 * libc writes it as the text that it was, after zeros are added to the text
 */

static int64_t
fuzz_amount_of(ngx_str_t *text, ngx_uint_t decimals)
{
    char                 wanted[160], written[64], digits[64];
    char                *point;
    size_t               n, fraction;
    unsigned long long   value;

    if (text->len == 0 || text->len > 128 || decimals > 4
        || memchr(text->data, 0, text->len))
    {
        return -1;
    }

    memcpy(wanted, text->data, text->len);
    wanted[text->len] = '\0';

    point = strchr(wanted, '.');
    fraction = point ? strlen(point + 1) : 0;

    /* zeros beyond the minor unit are nothing; but in minor units no point */

    while (decimals && fraction > decimals && point[fraction] == '0') {
        point[fraction--] = '\0';
    }

    if (strlen(wanted) > 25) {
        return -1;
    }

    if (fraction > decimals || (point && fraction == 0)) {
        return -1;
    }

    if (!point && decimals) {
        strcat(wanted, ".");
    }

    for (n = fraction; n < decimals; n++) {
        strcat(wanted, "0");
    }

    for (point = wanted, n = 0; *point; point++) {
        if (*point != '.') {
            digits[n++] = *point;
        }
    }

    digits[n] = '\0';

    errno = 0;
    value = strtoull(digits, NULL, 10);

    if (errno || value > INT64_MAX) {
        return -1;
    }

    n = sprintf(digits, "%0*llu", (int) decimals + 1, value) - decimals;
    sprintf(written, "%.*s%s%s", (int) n, digits, decimals ? "." : "",
            digits + n);

    return strcmp(written, wanted) == 0 ? (int64_t) value : -1;
}


static void
fuzz_texts(ngx_str_t *text)
{
    size_t     i;
    ngx_int_t  rc;
    ngx_str_t  language;

    rc = ngx_http_payer_check_reference(text);

    fuzz_assert((rc == NGX_OK) == (text->len >= 1 && text->len <= 255
                                   && fuzz_is_utf8(text, 0)));

    for (i = 0; i < text->len; i++) {
        if (!isalnum(text->data[i]) && text->data[i] != '-'
            && text->data[i] != '_')
        {
            break;
        }
    }

    rc = ngx_http_payer_check_payment_id(text);

    fuzz_assert((rc == NGX_OK) == (text->len >= 1 && text->len <= 64
                                   && i == text->len));

    rc = ngx_http_payer_language_of(text, &language);

    if (rc == NGX_OK) {
        fuzz_assert(text->len >= 2 && language.len == 2);
        fuzz_assert(language.data[0] == tolower(text->data[0])
                    && language.data[1] == tolower(text->data[1]));
        fuzz_assert(text->len == 2 || !isalnum(text->data[2]));

    } else {
        fuzz_assert(rc == NGX_DECLINED);
        fuzz_assert(text->len < 2 || strncasecmp((char *) text->data, "sv", 2)
                    || (text->len > 2 && isalnum(text->data[2])));
    }

    rc = ngx_http_payer_currency_exponent(text);

    fuzz_assert(rc == NGX_DECLINED || (rc >= 0 && rc <= 4));

    if (rc != NGX_DECLINED) {
        fuzz_assert(text->len == 3 && isupper(text->data[0])
                    && isupper(text->data[1]) && isupper(text->data[2]));
        fuzz_assert(memcmp(text->data, "XX", 2) != 0
                    && memcmp(text->data, "XAU", 3) != 0);
    }
}


/* an origin and a path that are valid are a valid URL, and no others are */

static void
fuzz_split_url(ngx_str_t *url, ngx_int_t any)
{
    u_char     *p, *last;
    ngx_str_t   origin, path;

    last = url->data + url->len;

    p = ngx_strlchr(url->data, last, ':');

    if (url->len > 2048 || p == NULL || last - p < 3
        || p[1] != '/' || p[2] != '/')
    {
        return;
    }

    for (p += 3; p < last && *p != '/'; p++) {
        if (*p == '?' || *p == '#') {
            return;
        }
    }

    if (p == last) {
        return;
    }

    origin.data = url->data;
    origin.len = p - url->data;
    path.data = p;
    path.len = last - p;

    fuzz_assert((any == NGX_OK)
                == (ngx_http_payer_check_url(&origin, 0) == NGX_OK
                    && ngx_http_payer_check_path(&path) == NGX_OK));
}


/* what a URL that was accepted may consist of */

static void
fuzz_url(ngx_str_t *url)
{
    char       *copy, *p, *host;
    size_t      n;
    ngx_int_t   any, secure;

    any = ngx_http_payer_check_url(url, 0);
    secure = ngx_http_payer_check_url(url, 1);

    fuzz_assert(any == NGX_OK || secure == NGX_DECLINED);

    fuzz_plain_url(url, any, secure);
    fuzz_split_url(url, any);

    if (any != NGX_OK) {
        return;
    }

    fuzz_assert(url->len <= 2048);

    copy = strndup((char *) url->data, url->len);
    fuzz_assert(copy && strlen(copy) == url->len);

    for (p = copy; *p; p++) {
        fuzz_assert(isgraph((uint8_t) *p));
        fuzz_assert(strchr("\"'<>\\", *p) == NULL);
    }

    host = strstr(copy, "://") + 3;
    n = host - copy;

    fuzz_assert(secure == (n == 8 ? NGX_OK : NGX_DECLINED));
    fuzz_assert(strncasecmp(copy, n == 8 ? "https://" : "http://", n) == 0);

    n = strcspn(host, "/?#");
    host[n] = '\0';

    fuzz_assert(n > 0 && strchr(host, '@') == NULL && strchr(host, '%') == NULL
                && host[0] != ':' && host[n - 1] != ':');

    if (host[0] == '[') {
        n = strspn(host + 1, "0123456789abcdefABCDEF:.");
        fuzz_assert(n > 0 && host[n + 1] == ']');
        p = host + n + 2;

    } else {
        p = host + strcspn(host, ":");
    }

    if (*p) {
        fuzz_assert(*p++ == ':');
        fuzz_assert(strspn(p, "0123456789") == strlen(p));
        fuzz_assert(atol(p) > 0 && atol(p) < 65536);
    }

    free(copy);
}


/* what has to be checked before it is written, or nothing */

static ngx_str_t
fuzz_checked(ngx_str_t *field, ngx_uint_t good)
{
    ngx_str_t  none = ngx_string("");

    return good ? *field : none;
}


/* a URL without anything special in it is accepted */

static void
fuzz_plain_url(ngx_str_t *url, ngx_int_t any, ngx_int_t secure)
{
    char            *copy;
    regmatch_t       part[5];

    static regex_t   plain;
    static int       compiled;

    if (!compiled) {
        fuzz_assert(regcomp(&plain, "^(http|https)://[a-z0-9.-]+"
                                    "(:([1-9][0-9]{0,3}))?"
                                    "([/?#][a-z0-9/?#&=.%-]*)?$",
                            REG_EXTENDED|REG_ICASE)
                    == 0);
        compiled = 1;
    }

    if (url->len > 2048 || memchr(url->data, 0, url->len)) {
        return;
    }

    copy = strndup((char *) url->data, url->len);
    fuzz_assert(copy != NULL);

    if (regexec(&plain, copy, 5, part, 0) == 0) {
        fuzz_assert(any == NGX_OK);
        fuzz_assert((secure == NGX_OK)
                    == (part[1].rm_eo - part[1].rm_so == 5));
    }

    free(copy);
}


static void
fuzz_write_order(ngx_http_payer_json_order_t *order)
{
    char         amount[32];
    char        *number;
    cJSON       *tree;
    ngx_str_t    text;
    ngx_pool_t  *pool;

    pool = shim_create_pool();

    fuzz_assert(ngx_http_payer_json_write_order(pool, order, &text)
                == NGX_OK);

    tree = fuzz_parse(&text);
    fuzz_assert(cJSON_GetArraySize(tree) == 8);

    sprintf(amount, "{\"amount\":%lld,", (long long) order->amount);
    number = (char *) text.data;
    fuzz_assert(strncmp(number, amount, strlen(amount)) == 0);

    fuzz_check_member(tree, "currencyCode", &order->currency);
    fuzz_check_member(tree, "externalPaymentReference", &order->reference);
    fuzz_check_member(tree, "languageCode", &order->language);
    fuzz_check_member(tree, "orderId", &order->order_id);
    fuzz_check_member(tree, "redirectOnSuccessURL", &order->success);
    fuzz_check_member(tree, "redirectOnFailURL", &order->fail);
    fuzz_check_member(tree, "backToShopURL", &order->back);

    cJSON_Delete(tree);
    shim_destroy_pool(pool);
}


static void
fuzz_write_params(ngx_http_payer_json_order_t *order)
{
    int                       members;
    cJSON                    *tree;
    ngx_str_t                 text;
    ngx_pool_t               *pool;
    ngx_http_payer_params_t   params;

    memset(&params, 0, sizeof(params));

    params.amount = order->amount ? order->amount : -1;
    params.release_rest = (ngx_int_t) (order->back.len % 3) - 1;
    params.description = order->reference;

    pool = shim_create_pool();

    fuzz_assert(ngx_http_payer_json_write_params(pool, &params, &text)
                == NGX_OK);

    tree = fuzz_parse(&text);

    members = (params.amount != -1) + (params.release_rest != -1)
              + (params.description.len != 0);

    fuzz_assert(cJSON_GetArraySize(tree) == members);

    if (params.description.len) {
        fuzz_check_member(tree, "transactionDescription",
                          &params.description);
    }

    if (params.release_rest != -1) {
        fuzz_assert(cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(tree,
                                                 "releaseRemainingFunds"))
                    == params.release_rest);
    }

    cJSON_Delete(tree);
    shim_destroy_pool(pool);
}


static void
fuzz_write_members(ngx_http_payer_json_order_t *order)
{
    cJSON                         *tree;
    ngx_str_t                      text;
    ngx_pool_t                    *pool;
    ngx_http_payer_json_member_t   members[3];

    ngx_str_set(&members[0].name, "one");
    members[0].text = order->success;

    ngx_str_set(&members[1].name, "number");
    ngx_str_null(&members[1].text);
    members[1].number = -order->amount;

    ngx_str_set(&members[2].name, "two");
    members[2].text = order->fail;

    pool = shim_create_pool();

    fuzz_assert(ngx_http_payer_json_write(pool, members, 3, &text)
                == NGX_OK);

    tree = fuzz_parse(&text);

    fuzz_assert(cJSON_GetArraySize(tree)
                == 1 + (order->success.len != 0) + (order->fail.len != 0));
    fuzz_assert((int64_t) cJSON_GetNumberValue(
                              cJSON_GetObjectItem(tree, "number"))
                == (int64_t) (double) -order->amount);

    if (order->success.len) {
        fuzz_check_member(tree, "one", &order->success);
    }

    if (order->fail.len) {
        fuzz_check_member(tree, "two", &order->fail);
    }

    cJSON_Delete(tree);
    shim_destroy_pool(pool);
}


static cJSON *
fuzz_parse(ngx_str_t *text)
{
    cJSON       *tree;
    const char  *end;

    /* the allocation was exact */

    fuzz_assert(text->len == shim_last_size);

    tree = cJSON_ParseWithLengthOpts((char *) text->data, text->len, &end, 0);

    fuzz_assert(cJSON_IsObject(tree));
    fuzz_assert(end == (char *) text->data + text->len);

    return tree;
}


static void
fuzz_check_member(cJSON *tree, const char *name, ngx_str_t *text)
{
    cJSON  *member;

    member = cJSON_GetObjectItemCaseSensitive(tree, name);
    fuzz_assert(member != NULL);

    if (text->len == 0) {
        fuzz_assert(cJSON_IsNull(member));
        return;
    }

    fuzz_assert(cJSON_IsString(member));
    fuzz_assert(strlen(member->valuestring) == text->len);
    fuzz_assert(memcmp(member->valuestring, text->data, text->len) == 0);
}
