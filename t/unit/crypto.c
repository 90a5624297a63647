
/*
 * Digests, signatures and UUIDs.
 *
 * sources: ngx_http_payer_crypto.c
 */


#include "unit.h"

#include "ngx_http_payer_crypto.h"


typedef struct {
    const char  *name;
    const char  *key;
    size_t       key_len;
    const char  *message;
    size_t       message_len;
    const char  *hex;
} vector_t;


#define A20   "\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa"                      \
              "\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa"
#define A131  A20 A20 A20 A20 A20 A20                                         \
              "\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa"
#define D50   "\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd"                      \
              "\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd"                      \
              "\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd"                      \
              "\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd"                      \
              "\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd"
#define C50   "\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd"                      \
              "\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd"                      \
              "\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd"                      \
              "\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd"                      \
              "\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd"
#define B20   "\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b"                      \
              "\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b"
#define K25   "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a"                      \
              "\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14"                      \
              "\x15\x16\x17\x18\x19"

#define text(literal)  literal, sizeof(literal) - 1


static vector_t  vectors[] = {

    { "RFC 4231, test case 1", text(B20), text("Hi There"),
      "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },

    { "RFC 4231, test case 2", text("Jefe"),
      text("what do ya want for nothing?"),
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },

    { "RFC 4231, test case 3", text(A20), text(D50),
      "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },

    { "RFC 4231, test case 4", text(K25), text(C50),
      "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b" },

    { "RFC 4231, test case 6: a key longer than a block", text(A131),
      text("Test Using Larger Than Block-Size Key - Hash Key First"),
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },

    { "RFC 4231, test case 7: and a message longer than one", text(A131),
      text("This is a test using a larger than block-size key and a larger "
           "than block-size data. The key needs to be hashed before being "
           "used by the HMAC algorithm."),
      "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2" },

    { "an empty message", text("key"), text(""),
      "5d5d139563c95b5967b9bd9a8c9b233a9dedb45072794cd232dc1b74832607d0" }
};


static void test_hmac(void);
static void test_verify(void);
static void test_digest(void);
static void test_uuid(void);
static ngx_int_t verify(const char *signature);
static ngx_str_t texts(const char *text);


int
main(void)
{
    shim_init();

    test_hmac();
    test_verify();
    test_digest();
    test_uuid();

    return unit_done();
}


static void
test_hmac(void)
{
    u_char      digest[NGX_HTTP_PAYER_DIGEST_LEN];
    u_char      hex[2 * NGX_HTTP_PAYER_DIGEST_LEN];
    ngx_str_t   got, *key, *message;
    ngx_uint_t  i;

    got.data = hex;
    got.len = sizeof(hex);

    for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        key = unit_bytes(vectors[i].key, vectors[i].key_len);
        message = unit_bytes(vectors[i].message, vectors[i].message_len);

        unit_ok(ngx_http_payer_hmac(key, message, digest) == NGX_OK,
                "hmac: %s", vectors[i].name);
        ngx_hex_dump(hex, digest, sizeof(digest));
        unit_is(&got, vectors[i].hex, "hmac: %s: the digest",
                vectors[i].name);
    }

    ngx_str_null(&got);

    unit_ok(ngx_http_payer_hmac(key, &got, digest) == NGX_OK,
            "hmac: a message without data is a message like others");
    unit_ok(ngx_http_payer_hmac(&got, message, digest) == NGX_ERROR,
            "hmac: an empty key signs nothing");
}


/* of RFC 4231, test case 2 */

static void
test_verify(void)
{
    ngx_str_t  none;

#define HEX     "5bdcc146bf60754e6a042426089575c7"                            \
                "5a003f089d2739839dec58b964ec384"
#define BASE64  "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOE"

    unit_ok(verify(HEX "3") == NGX_OK, "hexadecimal is accepted");
    unit_ok(verify("5BDCC146BF60754E6A042426089575c7"
                   "5a003f089d2739839dec58b964ec3843") == NGX_OK,
            "hexadecimal is accepted in any case");
    unit_ok(verify(HEX "4") == NGX_DECLINED, "a wrong last digit is refused");
    unit_ok(verify("6bdcc146bf60754e6a042426089575c7"
                   "5a003f089d2739839dec58b964ec3843") == NGX_DECLINED,
            "a wrong first digit is refused");
    unit_ok(verify(HEX) == NGX_DECLINED, "a digit less is refused");
    unit_ok(verify(HEX "30") == NGX_DECLINED, "a digit more is refused");
    unit_ok(verify(HEX "g") == NGX_DECLINED, "a letter that is no digit");
    unit_ok(verify("") == NGX_DECLINED, "an empty signature is refused");

    unit_ok(verify(BASE64 "M") == NGX_OK, "base64url is accepted");
    unit_ok(verify(BASE64 "M=") == NGX_OK, "base64url with padding as well");
    unit_ok(verify(BASE64 "M==") == NGX_DECLINED, "too much padding");
    unit_ok(verify(BASE64 "=") == NGX_DECLINED, "padding for a character");
    unit_ok(verify(BASE64 "N") == NGX_DECLINED,
            "bits that belong to no byte are not free to choose");
    unit_ok(verify(BASE64 "MA") == NGX_DECLINED, "a character more");
    unit_ok(verify(BASE64) == NGX_DECLINED, "a character less");
    unit_ok(verify("w9ZbrR9GDu5QbcqMcjv1X1OapWIDjZMdNEXyUwtSoem")
            == NGX_DECLINED, "base64url in another case is refused");

    none.len = 0;
    none.data = (u_char *) "";

    unit_ok(ngx_http_payer_verify_hmac(&none, unit_text("m"), &none)
            == NGX_ERROR, "an empty key verifies nothing");
}


static ngx_int_t
verify(const char *signature)
{
    return ngx_http_payer_verify_hmac(unit_text("Jefe"),
                               unit_text("what do ya want for nothing?"),
                               unit_bytes(signature, strlen(signature)));
}


static void
test_digest(void)
{
    u_char     a[NGX_HTTP_PAYER_DIGEST_LEN], b[NGX_HTTP_PAYER_DIGEST_LEN];
    u_char     hex[2 * NGX_HTTP_PAYER_DIGEST_LEN];
    ngx_str_t  one[2], two[2], got;

    unit_ok(ngx_http_payer_digest(NULL, 0, a) == NGX_OK, "no text at all");

    got.data = hex;
    got.len = sizeof(hex);

    ngx_hex_dump(hex, a, sizeof(a));
    unit_is(&got, "e3b0c44298fc1c149afbf4c8996fb924"
                  "27ae41e4649b934ca495991b7852b855",
            "no text is SHA-256 of nothing");

    one[0] = texts("abc");

    unit_ok(ngx_http_payer_digest(one, 1, a) == NGX_OK, "one text");

    ngx_hex_dump(hex, a, sizeof(a));
    unit_is(&got, "c3494ca1a2cf8eeb8a11ded316fb55b8"
                  "3c3bbbedb6313cd50415251e5d09e12f",
            "a text is SHA-256 of its length in eight bytes and itself");

    one[0] = texts("a");
    one[1] = texts("bc");
    two[0] = texts("ab");
    two[1] = texts("c");

    (void) ngx_http_payer_digest(one, 2, a);
    (void) ngx_http_payer_digest(two, 2, b);

    unit_ok(memcmp(a, b, sizeof(a)) != 0, "where texts are cut matters");

    one[0] = texts("");
    one[1] = texts("a");
    two[0] = texts("a");
    two[1].len = 0;
    two[1].data = NULL;

    (void) ngx_http_payer_digest(one, 2, a);
    unit_ok(ngx_http_payer_digest(two, 2, b) == NGX_OK
            && memcmp(a, b, sizeof(a)) != 0,
            "which of the texts is empty matters");
}


static void
test_uuid(void)
{
    u_char      a[NGX_HTTP_PAYER_UUID_LEN], b[NGX_HTTP_PAYER_UUID_LEN];
    ngx_str_t   one[2], two[2], got;
    ngx_uint_t  i, versions, variants, same;

    versions = 0;
    variants = 0;
    same = 0;

    ngx_memzero(b, sizeof(b));

    for (i = 0; i < 1000; i++) {
        (void) ngx_http_payer_uuid(a);

        versions += (a[14] == '4');
        variants += (strchr("89ab", a[19]) != NULL);
        same += (memcmp(a, b, sizeof(a)) == 0);

        ngx_memcpy(b, a, sizeof(a));
    }

    unit_ok(versions == 1000, "a random UUID is of version 4");
    unit_ok(variants == 1000, "and of the variant of RFC 9562");
    unit_ok(same == 0, "and a new one each time");
    unit_ok(a[8] == '-' && a[13] == '-' && a[18] == '-' && a[23] == '-',
            "and has its hyphens where they belong");

    one[0] = texts("abc");
    one[1] = texts("");
    two[0] = texts("abd");
    two[1] = texts("");

    unit_ok(ngx_http_payer_uuid_of(one, 1, a) == NGX_OK, "a UUID of a text");

    got.data = a;
    got.len = sizeof(a);

    unit_is(&got, "c3494ca1-a2cf-5eeb-8a11-ded316fb55b8",
            "is its digest with version 5 and the variant");

    (void) ngx_http_payer_uuid_of(one, 2, a);
    (void) ngx_http_payer_uuid_of(one, 2, b);

    unit_ok(memcmp(a, b, sizeof(a)) == 0, "the same texts, the same UUID");

    (void) ngx_http_payer_uuid_of(two, 2, b);

    unit_ok(memcmp(a, b, sizeof(a)) != 0, "other texts, another UUID");
}


static ngx_str_t
texts(const char *text)
{
    return *unit_bytes(text, strlen(text));
}
