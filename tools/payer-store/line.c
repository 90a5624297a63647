
/*
 * Entries as lines of text, fields separated by tabs:
 *
 *     KEY  expires=N  updated=N  due=N  attention=N  state=N  value=HEX
 *     KEY  expires=N  to=KEY
 *
 * Numbers that are zero are left out.  In a key, a byte that would end it is
 * written as % and two hexadecimal digits, and so is % itself.
 */


#include "payer_store.h"


static u_char *payer_store_write_number(u_char *p, const char *name,
    int64_t n);
static ngx_uint_t payer_store_utf8(ngx_str_t *text);
static int payer_store_digit(u_char c);
static const char *payer_store_read_key(ngx_str_t *text);
static const char *payer_store_read_value(ngx_str_t *text);
static const char *payer_store_read_field(ngx_str_t *field,
    payer_store_entry_t *entry, ngx_uint_t *seen);


static const char  payer_store_hex[] = "0123456789abcdef";


u_char *
payer_store_write_key(u_char *p, ngx_str_t *key)
{
    size_t  i;
    u_char  c;

    for (i = 0; i < key->len; i++) {
        c = key->data[i];

        if (c > ' ' && c != '%' && c != 0x7f) {
            *p++ = c;
            continue;
        }

        *p++ = '%';
        *p++ = payer_store_hex[c >> 4];
        *p++ = payer_store_hex[c & 0x0f];
    }

    return p;
}


static u_char *
payer_store_write_number(u_char *p, const char *name, int64_t n)
{
    if (n == 0) {
        return p;
    }

    return p + sprintf((char *) p, "\t%s=%lld", name, (long long) n);
}


size_t
payer_store_write_line(u_char *buf, payer_store_entry_t *entry)
{
    size_t   i;
    u_char  *p;

    p = payer_store_write_key(buf, &entry->key);
    p = payer_store_write_number(p, "expires", entry->expires);

    if (entry->target.len) {
        p = ngx_cpymem(p, "\tto=", 4);
        p = payer_store_write_key(p, &entry->target);
        *p++ = '\n';

        return p - buf;
    }

    p = payer_store_write_number(p, "updated", entry->label.updated);
    p = payer_store_write_number(p, "due", entry->label.due);
    p = payer_store_write_number(p, "attention", entry->label.attention);
    p = payer_store_write_number(p, "state", entry->label.state);

    p = ngx_cpymem(p, "\tvalue=", 7);

    for (i = 0; i < entry->value.len; i++) {
        *p++ = payer_store_hex[entry->value.data[i] >> 4];
        *p++ = payer_store_hex[entry->value.data[i] & 0x0f];
    }

    *p++ = '\n';

    return p - buf;
}


int
payer_store_field(ngx_str_t *field, const char *name, ngx_str_t *value)
{
    size_t  len;

    len = strlen(name);

    if (field->len <= len
        || memcmp(field->data, name, len) != 0 || field->data[len] != '=')
    {
        return 0;
    }

    value->data = field->data + len + 1;
    value->len = field->len - len - 1;

    return 1;
}


int
payer_store_number(ngx_str_t *text, int64_t *number)
{
    size_t   i;
    int64_t  n;

    if (text->len == 0 || text->len > 18) {
        return -1;
    }

    n = 0;

    for (i = 0; i < text->len; i++) {
        if (text->data[i] < '0' || text->data[i] > '9') {
            return -1;
        }

        n = n * 10 + (text->data[i] - '0');
    }

    *number = n;

    return 0;
}


int
payer_store_order(ngx_str_t *one, ngx_str_t *other)
{
    int  rc;

    rc = memcmp(one->data, other->data, ngx_min(one->len, other->len));

    return rc ? rc : (one->len > other->len) - (one->len < other->len);
}


/* another one could not be a key in PostgreSQL */

static ngx_uint_t
payer_store_utf8(ngx_str_t *text)
{
    size_t    i, n;
    u_char   *p;
    uint32_t  u;

    static const uint32_t  least[] = { 0, 0x80, 0x800, 0x10000 };

    for (i = 0; i < text->len; i += n + 1) {
        p = text->data + i;

        n = (*p < 0x80) ? 0 : (*p < 0xc2) ? 4 : (*p < 0xe0) ? 1
            : (*p < 0xf0) ? 2 : (*p < 0xf5) ? 3 : 4;

        if (n == 4 || i + n >= text->len || *p == '\0') {
            return 0;
        }

        u = n ? *p & (0x3f >> n) : *p;

        for (p++; p <= text->data + i + n; p++) {

            if ((*p & 0xc0) != 0x80) {
                return 0;
            }

            u = u << 6 | (*p & 0x3f);
        }

        if (u < least[n] || u > 0x10ffff || (u >= 0xd800 && u <= 0xdfff)) {
            return 0;
        }
    }

    return 1;
}


static int
payer_store_digit(u_char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }

    return -1;
}


static const char *
payer_store_read_key(ngx_str_t *text)
{
    int      high, low;
    u_char  *p, *d, *last;

    d = text->data;
    last = text->data + text->len;

    for (p = text->data; p < last; p++) {

        if (*p <= ' ' || *p == 0x7f) {
            return "a key has a blank or a control character";
        }

        if (*p != '%') {
            *d++ = *p;
            continue;
        }

        if (last - p < 3) {
            return "a key ends within a %";
        }

        high = payer_store_digit(p[1]);
        low = payer_store_digit(p[2]);

        if (high < 0 || low < 0) {
            return "a % of a key has no two hexadecimal digits";
        }

        *d++ = (u_char) (high << 4 | low);
        p += 2;
    }

    text->len = d - text->data;

    if (text->len == 0 || text->len > NGX_HTTP_PAYER_STORE_MAX_KEY) {
        return "a key is empty or too long";
    }

    if (!payer_store_utf8(text)) {
        return "a key is not valid UTF-8";
    }

    return text->data[0] == '!' ? "a key begins with \"!\"" : NULL;
}


static const char *
payer_store_read_value(ngx_str_t *text)
{
    int     high, low;
    size_t  i;

    if (text->len % 2 || text->len / 2 > NGX_HTTP_PAYER_STORE_MAX_VALUE) {
        return "the value is too long, or half a byte is missing";
    }

    for (i = 0; i < text->len / 2; i++) {
        high = payer_store_digit(text->data[2 * i]);
        low = payer_store_digit(text->data[2 * i + 1]);

        if (high < 0 || low < 0) {
            return "the value is not hexadecimal";
        }

        text->data[i] = (u_char) (high << 4 | low);
    }

    text->len /= 2;

    return NULL;
}


static const char *
payer_store_read_field(ngx_str_t *field, payer_store_entry_t *entry,
    ngx_uint_t *seen)
{
    int64_t     n;
    ngx_str_t   text;
    ngx_uint_t  i;

    static const char  *names[] = {
        "expires", "updated", "due", "attention", "state", "value", "to"
    };

    static const int64_t  limits[] = {
        0xffffffffffffLL, 0xffffffffffffLL, 0xffffffffffffLL, 0xffffffffLL,
        63
    };

    for (i = 0; !payer_store_field(field, names[i], &text); i++) {

        if (i == sizeof(names) / sizeof(names[0]) - 1) {
            return "a field is not known";
        }
    }

    if (*seen & (ngx_uint_t) 1 << i) {
        return "a field is there twice";
    }

    *seen |= (ngx_uint_t) 1 << i;

    if (i == 5) {
        entry->value = text;
        return payer_store_read_value(&entry->value);
    }

    if (i == 6) {
        entry->target = text;
        return payer_store_read_key(&entry->target);
    }

    if (payer_store_number(&text, &n) != 0 || n > limits[i]) {
        return "a number is none, or too large";
    }

    switch (i) {

    case 0:
        entry->expires = n;
        break;

    case 1:
        entry->label.updated = n;
        break;

    case 2:
        entry->label.due = n;
        break;

    case 3:
        entry->label.attention = (uint32_t) n;
        break;

    default:
        entry->label.state = (uint32_t) n;
        break;
    }

    return NULL;
}


const char *
payer_store_read_line(ngx_str_t *line, payer_store_entry_t *entry)
{
    u_char      *p, *end, *last;
    ngx_str_t    field;
    const char  *why;
    ngx_uint_t   n, seen;

    memset(entry, 0, sizeof(payer_store_entry_t));

    p = line->data;
    last = line->data + line->len;
    n = 0;
    seen = 0;

    for ( ;; ) {
        end = memchr(p, '\t', last - p);

        field.data = p;
        field.len = (end != NULL ? end : last) - p;

        if (n++ == 0) {
            entry->key = field;
            why = payer_store_read_key(&entry->key);

        } else {
            why = payer_store_read_field(&field, entry, &seen);
        }

        if (why != NULL) {
            return why;
        }

        if (end == NULL) {
            break;
        }

        p = end + 1;
    }

    if (seen >> 5 != 1 && seen >> 5 != 2) {
        return "there is not one of \"value\" and \"to\"";
    }

    if (entry->target.len && seen & 0x1e) {
        return "what only leads to another key has numbers of its own";
    }

    return NULL;
}
