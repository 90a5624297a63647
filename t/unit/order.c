
/*
 * Orders and money.
 *
 * sources: ngx_http_payer_order.c ngx_http_payer_amount.c
 */


#include "unit.h"

#include "ngx_http_payer_amount.h"
#include "ngx_http_payer_order.h"


typedef struct {
    const char  *text;
    int          decimals;
    int64_t      amount;                /* -1: refused */
    const char  *name;
} amount_t;


typedef struct {
    const char  *text;
    ngx_int_t    any;
    ngx_int_t    secure;
    const char  *name;
} url_t;


static amount_t  floats[] = {

    { "149.85000000000002", 2, 14985, "a sum of doubles" },
    { "149.84999999999999", 2, 14985, "one that is a bit below" },
    { "99.99999999999999", 2, 10000, "nines all the way" },
    { "1.0E7", 2, 1000000000, "as Java writes ten millions" },
    { "1.0E+25", 2, -1, "as PHP writes what is too much" },
    { "1e-2", 2, 1, "the smallest amount" },
    { "1.2345678E7", 2, 1234567800, "an exponent and digits" },
    { "129", 2, 12900, "no point at all" },
    { "129.5", 2, 12950, "a plain decimal" },
    { "129.50000001", 2, 12950, "a millionth of a minor unit" },
    { "129.500000010", 2, 12950, "with a zero behind it" },
    { "129.50000001000000001", 2, -1, "the least bit more" },
    { "129.49999999", 2, 12950, "a millionth less" },
    { "129.499999989", 2, -1, "the least bit less than that" },
    { "129.505", 2, -1, "half a minor unit" },
    { "129.5001", 2, -1, "a hundredth of one" },
    { "0.1000000000000000055511151231257827", 2, 10,
      "all digits of a double" },
    { "12949999999999999E-14", 2, 12950, "digits, and many to cut off" },
    { "12949999999999999E-12", 2, 1295000, "digits and then the exponent" },
    { "130.00000000000003", 0, 130, "a currency without decimals" },
    { "92233720368547758.06999999999", 2, INT64_MAX, "rounded to the last" },
    { "92233720368547758.07999999999", 2, -1, "one more overflows" },
    { "0.0000000001", 2, -1, "next to nothing" },
    { "0.0", 2, -1, "zero" },
    { "0E5", 2, -1, "zero with an exponent" },
    { "1E", 2, -1, "no exponent behind the E" },
    { "1E+", 2, -1, "nor behind its sign" },
    { "1E1000", 2, -1, "an exponent out of this world" },
    { "1E-999", 2, -1, "the other way" },
    { "1E2.5", 2, -1, "a point in the exponent" },
    { "E5", 2, -1, "nothing but an exponent" },
    { "1,5E3", 2, -1, "a comma" },
    { "-1.5E3", 2, -1, "a minus" },
    { "NaN", 2, -1, "no number" },
    { "INF", 2, -1, "infinity" },
    { "0129.5", 2, -1, "a leading zero" }
};


static amount_t  amounts[] = {

    { "1", 0, 1, "the smallest amount" },
    { "12900", 0, 12900, "minor units" },
    { "9223372036854775807", 0, INT64_MAX, "the largest amount" },
    { "9223372036854775808", 0, -1, "one more overflows" },
    { "9223372036854775810", 0, -1, "and so does the next ten" },
    { "99999999999999999999", 0, -1, "twenty digits overflow" },
    { "18446744073709551617", 0, -1, "2^64 + 1 is not 1" },

    { "129", 2, 12900, "major units without decimals" },
    { "129.5", 2, 12950, "with one decimal" },
    { "129.00", 2, 12900, "with two" },
    { "599.80", 2, 59980, "599.80 is not 59979" },
    { "0.01", 2, 1, "a zero may stand alone before the point" },
    { "129", 0, 129, "a currency without decimals" },
    { "129.001", 3, 129001, "a currency with three" },
    { "1.2345", 4, 12345, "a currency with four" },
    { "92233720368547758.07", 2, INT64_MAX, "the largest in major units" },
    { "92233720368547758.08", 2, -1, "one more overflows" },
    { "92233720368547758.1", 2, -1, "also where a decimal is missing" },
    { "92233720368547759", 2, -1, "also where both are" },

    { "129.0", 0, -1, "minor units with a point" },
    { "129.001", 2, -1, "a fraction of a minor unit" },
    { "129.005", 2, -1, "half a minor unit" },
    { "129.000000000000000000000001", 2, -1, "the least bit of one" },
    { "129.000", 2, 12900, "zeros beyond the minor unit" },
    { "129.5000", 2, 12950, "as some databases write all sums" },
    { "0.00000", 2, -1, "zero with many decimals" },
    { "129.", 2, -1, "a point and nothing behind it" },
    { ".5", 2, -1, "a point and nothing before it" },
    { ".", 2, -1, "a point" },
    { "1.2.3", 4, -1, "two points" },
    { "129,00", 2, -1, "a comma" },
    { "1 290", 2, -1, "a space inside" },
    { " 129", 2, -1, "a space before" },
    { "129 ", 2, -1, "a space behind" },
    { "129\n", 2, -1, "a line feed behind" },
    { "+129", 2, -1, "a plus" },
    { "-129", 2, -1, "a minus" },
    { "1e3", 2, -1, "an exponent" },
    { "0x10", 2, -1, "hexadecimal" },
    { "129.-5", 2, -1, "a sign behind the point" },
    { "\xd9\xa1", 2, -1, "a digit of another script" },
    { "", 2, -1, "nothing" },

    { "0", 0, -1, "zero" },
    { "0.00", 2, -1, "zero with decimals" },
    { "007", 0, -1, "leading zeros" },
    { "00.50", 2, -1, "two zeros before the point" },
    { "00", 0, -1, "two zeros" },
    { "1", 5, -1, "more decimals than any currency has" }
};


static url_t  urls[] = {

    { "https://shop.example/ok?order=1#x", 1, 1, "https" },
    { "http://shop.example/", 1, 0, "http" },
    { "HttpS://SHOP.example", 1, 1, "any case, no path" },
    { "https://shop.example:8443?x", 1, 1, "a port" },
    { "https://192.0.2.1/", 1, 1, "an address" },
    { "http://[2001:db8::1]:8080/", 1, 0, "an address of version 6" },
    { "https://a_b-c.example/a@b:c", 1, 1, "@ in the path" },
    { "https://shop.example?q=@", 1, 1, "@ in the query" },
    { "https://xn--bcher-kva.example/%C3%A5", 1, 1, "punycode, escapes" },
    { "https://h:65535/", 1, 1, "the last port" },

    { "", 0, 0, "nothing" },
    { "https://", 0, 0, "no host" },
    { "https:///path", 0, 0, "no host before a path" },
    { "https://?x", 0, 0, "no host before a query" },
    { "https://:443/", 0, 0, "no host before a port" },
    { "https:/shop.example/", 0, 0, "one slash" },
    { "https:\\\\shop.example/", 0, 0, "backslashes" },
    { "//shop.example/", 0, 0, "no scheme" },
    { "/thanks", 0, 0, "a path" },
    { "javascript://shop.example/%0aalert(1)", 0, 0, "javascript" },
    { "ftp://shop.example/", 0, 0, "ftp" },
    { " https://shop.example/", 0, 0, "a space before" },
    { "https://shop.example/a b", 0, 0, "a space inside" },
    { "https://shop.example/\r\nX: y", 0, 0, "CR LF" },
    { "https://shop.example/\t", 0, 0, "a tab" },
    { "https://shop.example/\x7f", 0, 0, "DEL" },
    { "https://shop.example/\xc3\xa5", 0, 0, "UTF-8 without escapes" },
    { "https://shop.example/\"onload=", 0, 0, "a quote" },
    { "https://shop.example/'", 0, 0, "an apostrophe" },
    { "https://shop.example/<script", 0, 0, "an opening angle bracket" },
    { "https://shop.example/script>", 0, 0, "a closing angle bracket" },
    { "https://shop.example\\@evil.example/", 0, 0, "a backslash" },
    { "https://user@shop.example/", 0, 0, "a user" },
    { "https://user:pass@shop.example/", 0, 0, "a user and a password" },
    { "https://@shop.example/", 0, 0, "an empty user" },
    { "https://shop.example%2f.evil.example/", 0, 0, "escapes in a host" },
    { "https://shop,example/", 0, 0, "a comma in a host" },
    { "https://shop.example:/", 0, 0, "an empty port" },
    { "https://shop.example:0/", 0, 0, "port 0" },
    { "https://shop.example:65536/", 0, 0, "a port too high" },
    { "https://shop.example:100000/", 0, 0, "a port too long" },
    { "https://shop.example:8o/", 0, 0, "a port with a letter" },
    { "https://shop.example:80:80/", 0, 0, "two ports" },
    { "https://[::1/", 0, 0, "a bracket that is not closed" },
    { "https://[]/", 0, 0, "brackets around nothing" },
    { "https://[::1]x/", 0, 0, "something behind the bracket" },
    { "https://[gg::1]/", 0, 0, "no address in the brackets" },
    { "https://::1/", 0, 0, "an address of version 6 without brackets" }
};


static void test_amounts(void);
static void test_floats(void);
static void test_references(void);
static void test_ids(void);
static void test_urls(void);
static void test_currencies(void);
static ngx_int_t exponent(const char *code);
static ngx_int_t reference(const char *text);
static ngx_int_t payment_id(const char *text);
static ngx_int_t language(const char *text);


int
main(void)
{
    test_amounts();
    test_floats();
    test_references();
    test_ids();
    test_urls();
    test_currencies();

    return unit_done();
}


static void
test_floats(void)
{
    int64_t      amount;
    amount_t    *a;
    ngx_int_t    rc;
    ngx_str_t   *text;
    ngx_uint_t   i;

    for (i = 0; i < sizeof(floats) / sizeof(floats[0]); i++) {
        a = &floats[i];
        text = unit_bytes(a->text, strlen(a->text));
        amount = -1;

        rc = ngx_http_payer_amount_of(text, NGX_HTTP_PAYER_FLOAT, a->decimals,
                                      &amount);

        unit_ok(rc == (a->amount == -1 ? NGX_DECLINED : NGX_OK)
                && amount == a->amount,
                "float: %s (%s) is %s", a->name, a->text,
                a->amount == -1 ? "refused" : "accepted");
    }
}


static void
test_amounts(void)
{
    int64_t      amount;
    amount_t    *a;
    ngx_int_t    rc;
    ngx_str_t   *text;
    ngx_uint_t   i;

    for (i = 0; i < sizeof(amounts) / sizeof(amounts[0]); i++) {
        a = &amounts[i];
        text = unit_bytes(a->text, strlen(a->text));
        amount = -1;

        rc = ngx_http_payer_amount_of(text, a->decimals ? NGX_HTTP_PAYER_MAJOR
                                                        : NGX_HTTP_PAYER_MINOR,
                                      a->decimals, &amount);

        unit_ok(rc == (a->amount == -1 ? NGX_DECLINED : NGX_OK)
                && amount == a->amount,
                "amount: %s is %s", a->name,
                a->amount == -1 ? "refused" : "accepted");
    }

    amount = 0;

    unit_ok(ngx_http_payer_amount_of(unit_text("12\0" "3"),
                                     NGX_HTTP_PAYER_MINOR, 0, &amount)
            == NGX_DECLINED, "amount: a NUL is refused");

    unit_ok(ngx_http_payer_amount_of(unit_text("130.00"),
                                     NGX_HTTP_PAYER_MAJOR, 0, &amount)
            == NGX_OK && amount == 130,
            "amount: zeros in a currency without decimals are taken");

    unit_ok(ngx_http_payer_amount_of(unit_text("130.50"),
                                     NGX_HTTP_PAYER_MAJOR, 0, &amount)
            == NGX_DECLINED,
            "amount: a half in a currency without decimals is refused");

}


static void
test_references(void)
{
    char    longest[256];
    size_t  i;

    ngx_memset(longest, 'x', sizeof(longest));

    unit_ok(reference("A-1001") == NGX_OK, "reference: ASCII");
    unit_ok(reference("order \xc3\xa5\xe2\x82\xac\xf0\x9f\x98\x80")
            == NGX_OK, "reference: UTF-8 of all lengths, and a space");
    unit_ok(reference("\xf4\x8f\xbf\xbf") == NGX_OK,
            "reference: the last code point");
    unit_ok(reference("\xc2\xa0") == NGX_OK,
            "reference: what follows the C1 controls");
    unit_ok(ngx_http_payer_check_reference(unit_bytes(longest, 255))
            == NGX_OK, "reference: 255 bytes");
    unit_ok(ngx_http_payer_check_reference(unit_bytes(longest, 256))
            == NGX_DECLINED, "reference: 256 bytes are refused");
    unit_ok(reference("") == NGX_DECLINED, "reference: nothing is refused");

    for (i = 0; i < 0x20; i++) {
        longest[1] = (char) i;

        if (ngx_http_payer_check_reference(unit_bytes(longest, 3))
            != NGX_DECLINED)
        {
            break;
        }
    }

    unit_ok(i == 0x20, "reference: C0 controls are refused, each of them");

    longest[0] = '\xc2';

    for (i = 0x80; i < 0xa0; i++) {
        longest[1] = (char) i;

        if (ngx_http_payer_check_reference(unit_bytes(longest, 2))
            != NGX_DECLINED)
        {
            break;
        }
    }

    unit_ok(i == 0xa0, "reference: C1 controls are refused, each of them");
    unit_ok(reference("a\x7f") == NGX_DECLINED, "reference: DEL is refused");

    unit_ok(reference("\xc0\xaf") == NGX_DECLINED,
            "reference: an overlong slash is refused");
    unit_ok(reference("\xe0\x80\xaf") == NGX_DECLINED,
            "reference: in three bytes as well");
    unit_ok(reference("\xf0\x80\x80\xaf") == NGX_DECLINED,
            "reference: and in four");
    unit_ok(reference("\xc1\xbf") == NGX_DECLINED
            && reference("\xe0\x9f\xbf") == NGX_DECLINED
            && reference("\xf0\x8f\xbf\xbf") == NGX_DECLINED,
            "reference: the last overlong of each length is refused");
    unit_ok(reference("\xe0\xa0\x80") == NGX_OK
            && reference("\xf0\x90\x80\x80") == NGX_OK,
            "reference: the first that is not is accepted");
    unit_ok(reference("\xed\x9f\xbf") == NGX_OK
            && reference("\xee\x80\x80") == NGX_OK,
            "reference: what lies around the surrogates is accepted");
    unit_ok(reference("\xed\xa0\x80") == NGX_DECLINED
            && reference("\xed\xbf\xbf") == NGX_DECLINED,
            "reference: a surrogate is refused");
    unit_ok(reference("\xf4\x90\x80\x80") == NGX_DECLINED,
            "reference: what is above U+10FFFF is refused");
    unit_ok(reference("\xf8\x88\x80\x80\x80") == NGX_DECLINED,
            "reference: five bytes are refused");
    unit_ok(reference("\xe2\x82") == NGX_DECLINED,
            "reference: a character that is cut is refused");
    unit_ok(reference("\x80") == NGX_DECLINED,
            "reference: a continuation on its own is refused");
    unit_ok(reference("\xc3\xff") == NGX_DECLINED,
            "reference: a continuation that is none is refused");
    unit_ok(reference("caf\xe9") == NGX_DECLINED,
            "reference: Latin-1 is refused");
}


static void
test_ids(void)
{
    char    id[65];
    size_t  i, accepted;

    ngx_memset(id, 'x', sizeof(id));

    unit_ok(payment_id("Pay_4711-x") == NGX_OK, "payment id: all kinds");
    unit_ok(payment_id("") == NGX_DECLINED, "payment id: nothing");
    unit_ok(ngx_http_payer_check_payment_id(unit_bytes(id, 64)) == NGX_OK,
            "payment id: 64 characters");
    unit_ok(ngx_http_payer_check_payment_id(unit_bytes(id, 65))
            == NGX_DECLINED, "payment id: 65 are refused");
    unit_ok(payment_id("..") == NGX_DECLINED, "payment id: dots");
    unit_ok(payment_id("a/b") == NGX_DECLINED, "payment id: a slash");
    unit_ok(payment_id("a%2Fb") == NGX_DECLINED, "payment id: an escape");

    accepted = 0;

    for (i = 0; i < 256; i++) {
        id[0] = (char) i;
        accepted += (ngx_http_payer_check_payment_id(unit_bytes(id, 1))
                     == NGX_OK);
    }

    unit_ok(accepted == 26 + 26 + 10 + 2,
            "payment id: 64 of 256 bytes are accepted");

    unit_ok(language("sv") == NGX_OK, "language: two letters");
    unit_ok(language("SV") == NGX_OK, "language: capitals");
    unit_ok(language("en-GB") == NGX_OK, "language: with a country");
    unit_ok(language("en_US.UTF-8") == NGX_OK, "language: a locale");
    unit_ok(language("da,en;q=0.5") == NGX_OK, "language: a header");
    unit_ok(language("zu") == NGX_OK, "language: the last one");
    unit_ok(language("aa") == NGX_OK, "language: the first one");
    unit_ok(language("xx") == NGX_DECLINED, "language: an unknown one");
    unit_ok(language("bc") == NGX_DECLINED, "language: across two of the list");
    unit_ok(language("swe") == NGX_DECLINED, "language: three letters");
    unit_ok(language("sv1") == NGX_DECLINED, "language: a digit behind");
    unit_ok(language("s") == NGX_DECLINED, "language: one letter");
    unit_ok(language("s1") == NGX_DECLINED, "language: a digit");
    unit_ok(language("") == NGX_DECLINED, "language: nothing");
}


static void
test_urls(void)
{
    char         longest[2049];
    url_t       *u;
    ngx_str_t   *text;
    ngx_uint_t   i;

    for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        u = &urls[i];
        text = unit_bytes(u->text, strlen(u->text));

        unit_ok(ngx_http_payer_check_url(text, 0)
                == (u->any ? NGX_OK : NGX_DECLINED)
                && ngx_http_payer_check_url(text, 1)
                   == (u->secure ? NGX_OK : NGX_DECLINED),
                "url: %s is %s", u->name,
                u->secure ? "accepted" : u->any ? "accepted if it may be http"
                                                : "refused");
    }

    ngx_memset(longest, 'x', sizeof(longest));
    ngx_memcpy(longest, "https://h/", 10);

    unit_ok(ngx_http_payer_check_path(unit_text("/thanks?order=1#top"))
            == NGX_OK, "a path");
    unit_ok(ngx_http_payer_check_path(unit_text("thanks")) == NGX_DECLINED
            && ngx_http_payer_check_path(unit_text("")) == NGX_DECLINED
            && ngx_http_payer_check_path(unit_text("/a b")) == NGX_DECLINED
            && ngx_http_payer_check_path(unit_text("/\"")) == NGX_DECLINED
            && ngx_http_payer_check_path(unit_text("/\x7f")) == NGX_DECLINED,
            "no path");

    unit_ok(ngx_http_payer_check_url(unit_bytes(longest, 2048), 1) == NGX_OK,
            "url: 2048 bytes are accepted");
    unit_ok(ngx_http_payer_check_url(unit_bytes(longest, 2049), 1)
            == NGX_DECLINED, "url: 2049 are refused");
}


static void
test_currencies(void)
{
    char        code[4], count[5];
    ngx_int_t   n;
    ngx_uint_t  i, j, k;

    static const char  *zero[] = {
        "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF",
        "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"
    };

    static const char  *three[] = {
        "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"
    };

    static const char  *refused[] = {
        "XXX", "XTS", "XAU", "XAG", "XPT", "XPD", "XDR", "XBA", "DEM", "HRK",
        "AAA", "ZZZ", "sek", "SE", "SEKK", "SE2", "", "\xc3\x85K"
    };

    for (i = 0; i < sizeof(zero) / sizeof(zero[0]); i++) {
        unit_ok(exponent(zero[i]) == 0, "currency: %s has no decimals",
                zero[i]);
    }

    for (i = 0; i < sizeof(three) / sizeof(three[0]); i++) {
        unit_ok(exponent(three[i]) == 3, "currency: %s has three decimals",
                three[i]);
    }

    unit_ok(exponent("SEK") == 2 && exponent("EUR") == 2
            && exponent("USD") == 2 && exponent("NOK") == 2
            && exponent("DKK") == 2 && exponent("GBP") == 2,
            "currency: those of Payer's own client have two");
    unit_ok(exponent("AED") == 2 && exponent("ZWG") == 2,
            "currency: the first and the last of the table are found");
    unit_ok(exponent("CLF") == 4 && exponent("UYW") == 4,
            "currency: the units with four decimals");

    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        unit_ok(exponent(refused[i]) == NGX_DECLINED,
                "currency: \"%s\" is refused", refused[i]);
    }

    /* a table that is not sorted loses entries */

    ngx_memzero(count, sizeof(count));
    code[3] = '\0';

    for (i = 'A'; i <= 'Z'; i++) {
        for (j = 'A'; j <= 'Z'; j++) {
            for (k = 'A'; k <= 'Z'; k++) {
                code[0] = (char) i;
                code[1] = (char) j;
                code[2] = (char) k;

                n = exponent(code);

                if (n != NGX_DECLINED) {
                    count[n]++;
                }
            }
        }
    }

    unit_ok(count[0] == 17 && count[1] == 0 && count[3] == 7 && count[4] == 2,
            "currency: 17 without, 7 with three, 2 with four decimals");
    unit_ok((u_char) count[2] == 140, "currency: %d with two decimals",
            (u_char) count[2]);
}


static ngx_int_t
exponent(const char *code)
{
    ngx_str_t  text;

    text.len = strlen(code);
    text.data = (u_char *) code;

    return ngx_http_payer_currency_exponent(&text);
}


static ngx_int_t
reference(const char *text)
{
    return ngx_http_payer_check_reference(unit_bytes(text, strlen(text)));
}


static ngx_int_t
payment_id(const char *text)
{
    return ngx_http_payer_check_payment_id(unit_bytes(text, strlen(text)));
}


static ngx_int_t
language(const char *text)
{
    ngx_str_t  found;

    return ngx_http_payer_language_of(unit_bytes(text, strlen(text)), &found);
}
