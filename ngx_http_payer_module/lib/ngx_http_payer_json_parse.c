
/*
 * JSON from outside, read strictly.  A text is checked before cJSON gets it:
 * cJSON accepts invalid JSON, truncates a string at an escaped NUL, and
 * returns NULL both for an invalid text and if there is no memory.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_payer_json.h"
#include "ngx_http_payer_json_parse.h"
#include "ngx_http_payer_order.h"


/* one bit of ngx_http_payer_json_scan_t.objects a level */
#define NGX_HTTP_PAYER_JSON_DEPTH   64

/* cJSON reads 63 characters of a number */
#define NGX_HTTP_PAYER_JSON_NUMBER  60


/* a character that is not escaped in a string */

#define ngx_http_payer_json_plain(ch)                                        \
    ((ch) >= 0x20 && (ch) < 0x7f && (ch) != '"' && (ch) != '\\')

/* in each of eight bytes: the character */

#define ngx_http_payer_each(ch)   (0x0101010101010101ULL * (ch))


typedef struct {
    u_char       *pos;
    u_char       *last;
    uint64_t      objects;              /* bit 0: the innermost is an object */
    ngx_uint_t    depth;
    const char   *reason;

    ngx_http_payer_json_place_t  *places;       /* looked for on the way */
    ngx_uint_t                    nplaces;
    ngx_uint_t                    escaped;      /* the last string was */
} ngx_http_payer_json_scan_t;


static ngx_int_t ngx_http_payer_json_check_value(
    ngx_http_payer_json_scan_t *scan);
static ngx_int_t ngx_http_payer_json_check_open(
    ngx_http_payer_json_scan_t *scan);
static ngx_int_t ngx_http_payer_json_check_next(
    ngx_http_payer_json_scan_t *scan);
static ngx_int_t ngx_http_payer_json_check_element(
    ngx_http_payer_json_scan_t *scan);
static ngx_int_t ngx_http_payer_json_check_name(
    ngx_http_payer_json_scan_t *scan);
static ngx_int_t ngx_http_payer_json_check_string(
    ngx_http_payer_json_scan_t *scan);
static u_char *ngx_http_payer_json_skip_plain(u_char *p, u_char *last);
static ngx_int_t ngx_http_payer_json_check_escape(
    ngx_http_payer_json_scan_t *scan);
static ngx_int_t ngx_http_payer_json_check_hex(
    ngx_http_payer_json_scan_t *scan);
static ngx_int_t ngx_http_payer_json_check_number(
    ngx_http_payer_json_scan_t *scan);
static ngx_int_t ngx_http_payer_json_check_digits(
    ngx_http_payer_json_scan_t *scan);
static ngx_int_t ngx_http_payer_json_check_word(
    ngx_http_payer_json_scan_t *scan, const char *word, size_t len);
static void ngx_http_payer_json_skip_space(ngx_http_payer_json_scan_t *scan);


/* the reason is also set for NGX_ERROR, so that it can always be logged */

ngx_int_t
ngx_http_payer_json_parse(ngx_str_t *text, cJSON **root, const char **reason)
{
    if (ngx_http_payer_json_check(text, reason) != NGX_OK) {
        return NGX_DECLINED;
    }

    return ngx_http_payer_json_tree(text, root, reason);
}


ngx_int_t
ngx_http_payer_json_tree(ngx_str_t *text, cJSON **root, const char **reason)
{
    cJSON  *value;

    *reason = "does not fit into memory";

    value = cJSON_ParseWithLengthOpts((char *) text->data, text->len,
                                      NULL, 0);
    if (value == NULL) {
        return NGX_ERROR;
    }

    if (!cJSON_IsObject(value)) {
        cJSON_Delete(value);

        *reason = "is not a JSON object";
        return NGX_DECLINED;
    }

    *root = value;

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_json_check(ngx_str_t *text, const char **reason)
{
    return ngx_http_payer_json_read_places(text, NULL, 0, reason);
}


ngx_int_t
ngx_http_payer_json_read_places(ngx_str_t *text,
    ngx_http_payer_json_place_t *places, ngx_uint_t n, const char **reason)
{
    ngx_int_t                    rc;
    ngx_http_payer_json_scan_t   scan;

    ngx_memzero(&scan, sizeof(ngx_http_payer_json_scan_t));

    scan.pos = text->data;
    scan.last = text->data + text->len;
    scan.reason = "is not JSON";
    scan.places = places;
    scan.nplaces = n;

    ngx_http_payer_json_skip_space(&scan);

    if (scan.pos == scan.last) {
        *reason = "is empty";
        return NGX_DECLINED;
    }

    if (*scan.pos == '<') {
        *reason = "is HTML";
        return NGX_DECLINED;
    }

    if (scan.last - scan.pos > 3
        && ngx_memcmp(scan.pos, "\xef\xbb\xbf", 3) == 0)
    {
        *reason = "begins with a byte order mark";
        return NGX_DECLINED;
    }

    ngx_http_payer_json_place_root(places, n, scan.pos);

    do {
        rc = ngx_http_payer_json_check_value(&scan);

        if (rc == NGX_OK) {
            rc = ngx_http_payer_json_check_next(&scan);
        }

    } while (rc == NGX_AGAIN);

    if (rc == NGX_OK && scan.pos != scan.last) {
        rc = NGX_DECLINED;
    }

    if (rc != NGX_OK) {
        *reason = scan.reason;
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* NGX_OK: behind a value; NGX_AGAIN: in front of the next */

static ngx_int_t
ngx_http_payer_json_check_value(ngx_http_payer_json_scan_t *scan)
{
    ngx_http_payer_json_skip_space(scan);

    if (scan->pos == scan->last) {
        return NGX_DECLINED;
    }

    switch (*scan->pos) {

    case '{':
    case '[':
        return ngx_http_payer_json_check_open(scan);

    case '"':
        return ngx_http_payer_json_check_string(scan);

    case 't':
        return ngx_http_payer_json_check_word(scan, "true", 4);

    case 'f':
        return ngx_http_payer_json_check_word(scan, "false", 5);

    case 'n':
        return ngx_http_payer_json_check_word(scan, "null", 4);

    default:
        return ngx_http_payer_json_check_number(scan);
    }
}


static ngx_int_t
ngx_http_payer_json_check_open(ngx_http_payer_json_scan_t *scan)
{
    ngx_uint_t  object;

    if (scan->depth == NGX_HTTP_PAYER_JSON_DEPTH) {
        scan->reason = "is nested too deeply";
        return NGX_DECLINED;
    }

    object = (*scan->pos++ == '{');

    scan->objects = (scan->objects << 1) | object;
    scan->depth++;

    ngx_http_payer_json_skip_space(scan);

    if (scan->pos == scan->last) {
        return NGX_DECLINED;
    }

    if (*scan->pos == (object ? '}' : ']')) {

        /* closed where values end */

        return NGX_OK;
    }

    return object ? ngx_http_payer_json_check_name(scan)
                  : ngx_http_payer_json_check_element(scan);
}


/* what follows a value; NGX_OK: the outermost value has ended */

static ngx_int_t
ngx_http_payer_json_check_next(ngx_http_payer_json_scan_t *scan)
{
    u_char      ch;
    ngx_uint_t  object;

    for ( ;; ) {
        ngx_http_payer_json_skip_space(scan);

        if (scan->depth == 0) {
            return NGX_OK;
        }

        if (scan->pos == scan->last) {
            return NGX_DECLINED;
        }

        object = (ngx_uint_t) (scan->objects & 1);
        ch = *scan->pos++;

        if (ch == ',') {
            return object ? ngx_http_payer_json_check_name(scan)
                          : ngx_http_payer_json_check_element(scan);
        }

        if (ch != (object ? '}' : ']')) {
            return NGX_DECLINED;
        }

        scan->objects >>= 1;
        scan->depth--;

        if (scan->nplaces) {
            ngx_http_payer_json_place_close(scan->places, scan->nplaces,
                                            scan->depth);
        }
    }
}


/* NGX_AGAIN: in front of the element */

static ngx_int_t
ngx_http_payer_json_check_element(ngx_http_payer_json_scan_t *scan)
{
    if (scan->nplaces == 0) {
        return NGX_AGAIN;
    }

    ngx_http_payer_json_skip_space(scan);

    if (scan->pos == scan->last) {
        return NGX_DECLINED;
    }

    ngx_http_payer_json_place_element(scan->places, scan->nplaces,
                                      scan->depth, scan->pos);
    return NGX_AGAIN;
}


/* NGX_AGAIN: in front of the member's value */

static ngx_int_t
ngx_http_payer_json_check_name(ngx_http_payer_json_scan_t *scan)
{
    ngx_str_t  name;

    ngx_http_payer_json_skip_space(scan);

    name.data = scan->pos + 1;

    if (scan->pos == scan->last || *scan->pos != '"'
        || ngx_http_payer_json_check_string(scan) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    name.len = scan->pos - 1 - name.data;

    ngx_http_payer_json_skip_space(scan);

    if (scan->pos == scan->last || *scan->pos++ != ':') {
        return NGX_DECLINED;
    }

    if (scan->nplaces == 0) {
        return NGX_AGAIN;
    }

    ngx_http_payer_json_skip_space(scan);

    if (scan->pos == scan->last) {
        return NGX_DECLINED;
    }

    ngx_http_payer_json_place_member(scan->places, scan->nplaces, scan->depth,
                                     &name, scan->escaped, scan->pos);
    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_payer_json_check_string(ngx_http_payer_json_scan_t *scan)
{
    u_char  ch, *p;

    scan->pos++;
    scan->escaped = 0;

    for ( ;; ) {
        p = ngx_http_payer_json_skip_plain(scan->pos, scan->last);

        scan->pos = p;

        if (p == scan->last) {
            return NGX_DECLINED;
        }

        ch = *p;

        if (ch == '"') {
            scan->pos++;
            return NGX_OK;
        }

        if (ch == '\\') {
            scan->escaped = 1;

            if (ngx_http_payer_json_check_escape(scan) != NGX_OK) {
                return NGX_DECLINED;
            }

            continue;
        }

        if (ch < 0x20) {
            return NGX_DECLINED;
        }

        if (ngx_http_payer_utf8_next(&scan->pos, scan->last)
            == NGX_DECLINED)
        {
            scan->reason = "is not UTF-8";
            return NGX_DECLINED;
        }
    }
}


/*
 * Eight characters at a time: a subtraction leaves the high bit set in a byte
 * that was less than what was taken from it, and above it perhaps in others.
 * So the lowest bit that is set tells the first character that is not plain.
 */

static u_char *
ngx_http_payer_json_skip_plain(u_char *p, u_char *last)
{
    uint64_t  word, odd;

    while (last - p >= 8) {
        ngx_memcpy(&word, p, 8);

        odd = word
              | (word + ngx_http_payer_each(1))
              | (word - ngx_http_payer_each(0x20))
              | ((word ^ ngx_http_payer_each('"')) - ngx_http_payer_each(1))
              | ((word ^ ngx_http_payer_each('\\')) - ngx_http_payer_each(1));

        odd &= ngx_http_payer_each(0x80);

        if (odd) {
#if (NGX_HAVE_LITTLE_ENDIAN && defined __GNUC__)
            return p + __builtin_ctzll(odd) / 8;
#else
            break;
#endif
        }

        p += 8;
    }

    while (p < last && ngx_http_payer_json_plain(*p)) {
        p++;
    }

    return p;
}


static ngx_int_t
ngx_http_payer_json_check_escape(ngx_http_payer_json_scan_t *scan)
{
    u_char     ch;
    ngx_int_t  code;

    if (scan->last - scan->pos < 2) {
        return NGX_DECLINED;
    }

    ch = scan->pos[1];

    if (ch != 'u') {
        if (ch == '\0' || ngx_strchr("\"\\/bfnrt", ch) == NULL) {
            return NGX_DECLINED;
        }

        scan->pos += 2;
        return NGX_OK;
    }

    code = ngx_http_payer_json_check_hex(scan);

    if (code == 0) {
        scan->reason = "has an escaped NUL";
        return NGX_DECLINED;
    }

    if (code >= 0xd800 && code <= 0xdbff) {
        code = ngx_http_payer_json_check_hex(scan);
        return (code >= 0xdc00 && code <= 0xdfff) ? NGX_OK : NGX_DECLINED;
    }

    if (code < 0 || (code >= 0xdc00 && code <= 0xdfff)) {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* the code in \uXXXX, or NGX_DECLINED */

static ngx_int_t
ngx_http_payer_json_check_hex(ngx_http_payer_json_scan_t *scan)
{
    u_char     *p;
    ngx_int_t   code;

    p = scan->pos;

    if (scan->last - p < 6 || p[0] != '\\' || p[1] != 'u') {
        return NGX_DECLINED;
    }

    code = ngx_hextoi(p + 2, 4);

    if (code == NGX_ERROR) {
        return NGX_DECLINED;
    }

    scan->pos = p + 6;

    return code;
}


static ngx_int_t
ngx_http_payer_json_check_number(ngx_http_payer_json_scan_t *scan)
{
    u_char  *start;

    start = scan->pos;

    if (*scan->pos == '-') {
        scan->pos++;
    }

    if (scan->pos < scan->last && *scan->pos == '0') {
        scan->pos++;

    } else if (ngx_http_payer_json_check_digits(scan) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (scan->pos < scan->last && *scan->pos == '.') {
        scan->pos++;

        if (ngx_http_payer_json_check_digits(scan) != NGX_OK) {
            return NGX_DECLINED;
        }
    }

    if (scan->pos < scan->last && (*scan->pos | 0x20) == 'e') {
        scan->pos++;

        if (scan->pos < scan->last
            && (*scan->pos == '-' || *scan->pos == '+'))
        {
            scan->pos++;
        }

        if (ngx_http_payer_json_check_digits(scan) != NGX_OK) {
            return NGX_DECLINED;
        }
    }

    if (scan->pos - start > NGX_HTTP_PAYER_JSON_NUMBER) {
        scan->reason = "has a number that is too long";
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_json_check_digits(ngx_http_payer_json_scan_t *scan)
{
    u_char  *start;

    start = scan->pos;

    while (scan->pos < scan->last
           && *scan->pos >= '0' && *scan->pos <= '9')
    {
        scan->pos++;
    }

    return (scan->pos > start) ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_payer_json_check_word(ngx_http_payer_json_scan_t *scan,
    const char *word, size_t len)
{
    if ((size_t) (scan->last - scan->pos) < len
        || ngx_memcmp(scan->pos, word, len) != 0)
    {
        return NGX_DECLINED;
    }

    scan->pos += len;

    return NGX_OK;
}


static void
ngx_http_payer_json_skip_space(ngx_http_payer_json_scan_t *scan)
{
    while (scan->pos < scan->last
           && (*scan->pos == ' ' || *scan->pos == '\t'
               || *scan->pos == CR || *scan->pos == LF))
    {
        scan->pos++;
    }
}


ngx_int_t
ngx_http_payer_json_no_error(cJSON *root, const char **reason)
{
    cJSON  *member;

    for (member = root->child; member != NULL; member = member->next) {

        if (ngx_strcmp(member->string, "error") == 0
            && !cJSON_IsNull(member) && !cJSON_IsFalse(member)
            && !(cJSON_IsString(member) && member->valuestring[0] == '\0'))
        {
            *reason = "reports an error";
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}
