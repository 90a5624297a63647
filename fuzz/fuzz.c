
/*
 * What the fuzz targets share.
 */


#include "fuzz.h"


int LLVMFuzzerInitialize(int *argc, char ***argv);

static size_t fuzz_encode(uint32_t code, uint8_t *buf);


int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    shim_init();

    return 0;
}


ngx_str_t
fuzz_field(const uint8_t **data, size_t *size, uint8_t end)
{
    size_t          len;
    ngx_str_t       text;
    const uint8_t  *p;

    p = *size ? memchr(*data, end, *size) : NULL;
    len = p ? (size_t) (p - *data) : *size;

    text = shim_text(*data, len);

    if (p != NULL) {
        len++;
    }

    *data += len;
    *size -= len;

    return text;
}


ngx_uint_t
fuzz_same(ngx_str_t *a, ngx_str_t *b)
{
    return a->len == b->len
           && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}


ngx_uint_t
fuzz_is_utf8(ngx_str_t *text, ngx_uint_t controls)
{
    size_t    i, n, k, len;
    uint8_t   buf[4];
    uint32_t  code;

    for (i = 0; i < text->len; i += len) {
        code = text->data[i];

        n = (code >= 0xf0) ? 3 : (code >= 0xe0) ? 2 : (code >= 0xc0) ? 1 : 0;

        code &= (n == 3) ? 0x07 : (n == 2) ? 0x0f : (n == 1) ? 0x1f : 0xff;

        for (k = 1; k <= n && i + k < text->len; k++) {
            code = (code << 6) | (text->data[i + k] & 0x3f);
        }

        len = fuzz_encode(code, buf);

        if (len == 0 || len > text->len - i
            || memcmp(buf, text->data + i, len) != 0)
        {
            return 0;
        }

        if (!controls
            && (code < 0x20 || (code >= 0x7f && code < 0xa0)))
        {
            return 0;
        }
    }

    return 1;
}


static size_t
fuzz_encode(uint32_t code, uint8_t *buf)
{
    if (code < 0x80) {
        buf[0] = (uint8_t) code;
        return 1;
    }

    if (code < 0x800) {
        buf[0] = (uint8_t) (0xc0 + (code >> 6));
        buf[1] = (uint8_t) (0x80 + (code & 63));
        return 2;
    }

    if (code >= 0xd800 && code <= 0xdfff) {
        return 0;
    }

    if (code < 0x10000) {
        buf[0] = (uint8_t) (0xe0 + (code >> 12));
        buf[1] = (uint8_t) (0x80 + ((code >> 6) & 63));
        buf[2] = (uint8_t) (0x80 + (code & 63));
        return 3;
    }

    if (code <= 0x10ffff) {
        buf[0] = (uint8_t) (0xf0 + (code >> 18));
        buf[1] = (uint8_t) (0x80 + ((code >> 12) & 63));
        buf[2] = (uint8_t) (0x80 + ((code >> 6) & 63));
        buf[3] = (uint8_t) (0x80 + (code & 63));
        return 4;
    }

    return 0;
}
