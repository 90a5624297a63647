
/*
 * Orders: checks of references, currencies and URLs.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_payer_order.h"


/* the first code point that is not a C1 control character */
#define NGX_HTTP_PAYER_C1_END        0xa0

/* kinds of characters */
#define NGX_HTTP_PAYER_URL           1
#define NGX_HTTP_PAYER_ID            2
#define NGX_HTTP_PAYER_HOST          4

#define ngx_http_payer_is(kind, ch)  (ngx_http_payer_chars[ch] & (kind))


static ngx_uint_t ngx_http_payer_are(u_char kind, u_char *p, u_char *last);
static u_char *ngx_http_payer_skip_scheme(ngx_str_t *url, ngx_uint_t secure);
static ngx_int_t ngx_http_payer_check_authority(u_char *p, u_char *last);
static u_char *ngx_http_payer_skip_host(u_char *p, u_char *last);
static u_char *ngx_http_payer_skip_literal(u_char *p, u_char *last);
static u_char *ngx_http_payer_skip_port(u_char *p, u_char *last);


/*
 * URL: characters after the scheme, visible and none of " ' < > \
 * ID: letters, digits, "-" and "_", safe in a path, a header and a log
 * HOST: the same and ".", the name or address of a host
 */

static u_char  ngx_http_payer_chars[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
/*     !  "  #  $  %  &  '  (  )  *  +  ,  -  .  / */
    0, 1, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 7, 5, 1,
/*  0  1  2  3  4  5  6  7  8  9  :  ;  <  =  >  ? */
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 1, 1, 0, 1, 0, 1,
/*  @  A  B  C  D  E  F  G  H  I  J  K  L  M  N  O */
    1, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
/*  P  Q  R  S  T  U  V  W  X  Y  Z  [  \  ]  ^  _ */
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 1, 0, 1, 1, 7,
/*  `  a  b  c  d  e  f  g  h  i  j  k  l  m  n  o */
    1, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
/*  p  q  r  s  t  u  v  w  x  y  z  {  |  }  ~    */
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 1, 1, 1, 1, 0
};


/*
 * The currencies of ISO 4217 with the number of decimals of each, sorted. Not
 * included: metals, funds without decimals, XTS and XXX.  ANG and BGN were
 * withdrawn recently; payments in them can still be open.
 */

static const u_char  ngx_http_payer_currencies[] =
    "AED2AFN2ALL2AMD2ANG2AOA2ARS2AUD2AWG2AZN2BAM2BBD2BDT2BGN2BHD3BIF0BMD2"
    "BND2BOB2BOV2BRL2BSD2BTN2BWP2BYN2BZD2CAD2CDF2CHE2CHF2CHW2CLF4CLP0CNY2"
    "COP2COU2CRC2CUP2CVE2CZK2DJF0DKK2DOP2DZD2EGP2ERN2ETB2EUR2FJD2FKP2GBP2"
    "GEL2GHS2GIP2GMD2GNF0GTQ2GYD2HKD2HNL2HTG2HUF2IDR2ILS2INR2IQD3IRR2ISK0"
    "JMD2JOD3JPY0KES2KGS2KHR2KMF0KPW2KRW0KWD3KYD2KZT2LAK2LBP2LKR2LRD2LSL2"
    "LYD3MAD2MDL2MGA2MKD2MMK2MNT2MOP2MRU2MUR2MVR2MWK2MXN2MXV2MYR2MZN2NAD2"
    "NGN2NIO2NOK2NPR2NZD2OMR3PAB2PEN2PGK2PHP2PKR2PLN2PYG0QAR2RON2RSD2RUB2"
    "RWF0SAR2SBD2SCR2SDG2SEK2SGD2SHP2SLE2SOS2SRD2SSP2STN2SVC2SYP2SZL2THB2"
    "TJS2TMT2TND3TOP2TRY2TTD2TWD2TZS2UAH2UGX0USD2USN2UYI0UYU2UYW4UZS2VED2"
    "VES2VND0VUV0WST2XAF0XCD2XCG2XOF0XPF0YER2ZAR2ZMW2ZWG2";

/* the languages of ISO 639-1 */

static const u_char  ngx_http_payer_languages[] =
    "aaabaeafakamanarasavayazbabebgbhbibmbnbobrbscacechcocrcscucvcyda"
    "dedvdzeeeleneoeseteufafffifjfofrfygagdglgngugvhahehihohrhthuhyhz"
    "iaidieigiiikioisitiujajvkakgkikjkkklkmknkokrkskukvkwkylalblgliln"
    "loltlulvmgmhmimkmlmnmrmsmtmynanbndnengnlnnnonrnvnyocojomorospapi"
    "plpsptqurmrnrorurwsascsdsesgsiskslsmsnsosqsrssstsusvswtatetgthti"
    "tktltntotrtstttwtyugukuruzvevivowawoxhyiyozazhzu";

/* three letters as a number, in their order */

#define ngx_http_payer_currency_code(p)                                      \
    ((uint32_t) (p)[0] << 16 | (uint32_t) (p)[1] << 8 | (uint32_t) (p)[2])


ngx_int_t
ngx_http_payer_utf8_next(u_char **pos, u_char *last)
{
    u_char      *p, ch;
    ngx_int_t    code, lowest;
    ngx_uint_t   n;

    /*
     * ngx_utf8_decode() takes any byte above 0x7f as a continuation
     * and lets surrogates pass
     */

    p = *pos;
    ch = *p++;

    if (ch < 0x80) {
        *pos = p;
        return ch;
    }

    if (ch >= 0xc2 && ch <= 0xdf) {
        code = ch & 0x1f;
        lowest = 0x80;
        n = 1;

    } else if ((ch & 0xf0) == 0xe0) {
        code = ch & 0x0f;
        lowest = 0x800;
        n = 2;

    } else if (ch >= 0xf0 && ch <= 0xf4) {
        code = ch & 0x07;
        lowest = 0x10000;
        n = 3;

    } else {
        return NGX_DECLINED;
    }

    if ((size_t) (last - p) < n) {
        return NGX_DECLINED;
    }

    while (n--) {
        if ((*p & 0xc0) != 0x80) {
            return NGX_DECLINED;
        }

        code = (code << 6) | (*p++ & 0x3f);
    }

    if (code < lowest || code > 0x10ffff
        || (code >= 0xd800 && code <= 0xdfff))
    {
        return NGX_DECLINED;
    }

    *pos = p;

    return code;
}


ngx_int_t
ngx_http_payer_check_reference(ngx_str_t *reference)
{
    return ngx_http_payer_check_line(reference, NGX_HTTP_PAYER_MAX_REFERENCE);
}


ngx_int_t
ngx_http_payer_check_line(ngx_str_t *text, size_t max)
{
    u_char     *p, *last;
    ngx_int_t   code;

    if (text->len == 0 || text->len > max) {
        return NGX_DECLINED;
    }

    p = text->data;
    last = p + text->len;

    while (p < last) {

        if (*p >= 0x20 && *p < 0x7f) {
            p++;
            continue;
        }

        code = ngx_http_payer_utf8_next(&p, last);

        /* NGX_DECLINED is negative, and so below the space as well */

        if (code < 0x20 || (code >= 0x7f && code < NGX_HTTP_PAYER_C1_END)) {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


/* whether all characters are of this kind: four are looked up at a time */

static ngx_uint_t
ngx_http_payer_are(u_char kind, u_char *p, u_char *last)
{
    for ( /* void */ ; last - p >= 4; p += 4) {

        kind &= ngx_http_payer_chars[p[0]] & ngx_http_payer_chars[p[1]]
                & ngx_http_payer_chars[p[2]] & ngx_http_payer_chars[p[3]];

        if (kind == 0) {
            return 0;
        }
    }

    for ( /* void */ ; p < last; p++) {
        kind &= ngx_http_payer_chars[*p];
    }

    return kind;
}


ngx_int_t
ngx_http_payer_check_payment_id(ngx_str_t *id)
{
    if (id->len == 0 || id->len > NGX_HTTP_PAYER_MAX_PAYMENT_ID) {
        return NGX_DECLINED;
    }

    return ngx_http_payer_are(NGX_HTTP_PAYER_ID, id->data, id->data + id->len)
           ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_http_payer_check_event_token(ngx_str_t *token)
{
    u_char      ch;
    size_t      i;
    ngx_uint_t  dots;

    if (token->len == 0 || token->len > NGX_HTTP_PAYER_MAX_EVENT_TOKEN) {
        return NGX_DECLINED;
    }

    dots = 1;

    for (i = 0; i < token->len; i++) {
        ch = token->data[i];

        if (ch == '.') {
            continue;
        }

        dots = 0;

        if (!(ch >= '0' && ch <= '9') && ch != '_' && ch != '~' && ch != '-'
            && !((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z'))
        {
            return NGX_DECLINED;
        }
    }

    return dots ? NGX_DECLINED : NGX_OK;
}


ngx_int_t
ngx_http_payer_check_event_type(ngx_str_t *type)
{
    u_char  ch;
    size_t  i;

    if (type->len == 0 || type->len > NGX_HTTP_PAYER_MAX_EVENT_TYPE) {
        return NGX_DECLINED;
    }

    for (i = 0; i < type->len; i++) {
        ch = type->data[i];

        if (!(ch >= '0' && ch <= '9') && !(ch >= 'A' && ch <= 'Z')
            && ch != '_')
        {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


/*
 * "sv", "SV", "sv-SE", "sv_SE.UTF-8", and the first one of Accept-Language:
 * two letters, and then the end or no letter or digit.
 */

ngx_int_t
ngx_http_payer_language_of(ngx_str_t *text, ngx_str_t *language)
{
    u_char         ch, code[2];
    ngx_uint_t     i;
    const u_char  *known;

    if (text->len < 2) {
        return NGX_DECLINED;
    }

    if (text->len > 2) {
        ch = text->data[2] | 0x20;

        if ((ch >= 'a' && ch <= 'z')
            || (text->data[2] >= '0' && text->data[2] <= '9'))
        {
            return NGX_DECLINED;
        }
    }

    code[0] = text->data[0] | 0x20;
    code[1] = text->data[1] | 0x20;

    for (i = 0; i < sizeof(ngx_http_payer_languages) - 1; i += 2) {
        known = ngx_http_payer_languages + i;

        if (known[0] == code[0] && known[1] == code[1]) {
            language->data = (u_char *) known;
            language->len = 2;
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_payer_check_path(ngx_str_t *path)
{
    if (path->len == 0 || path->data[0] != '/') {
        return NGX_DECLINED;
    }

    return ngx_http_payer_are(NGX_HTTP_PAYER_URL, path->data,
                              path->data + path->len)
           ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_http_payer_check_url(ngx_str_t *url, ngx_uint_t secure)
{
    u_char  *last, *host;

    if (url->len > NGX_HTTP_PAYER_MAX_URL) {
        return NGX_DECLINED;
    }

    host = ngx_http_payer_skip_scheme(url, secure);
    last = url->data + url->len;

    if (host == NULL || !ngx_http_payer_are(NGX_HTTP_PAYER_URL, host, last)) {
        return NGX_DECLINED;
    }

    return ngx_http_payer_check_authority(host, last);
}


static u_char *
ngx_http_payer_skip_scheme(ngx_str_t *url, ngx_uint_t secure)
{
    u_char  *p;

    p = url->data;

    if (url->len < sizeof("https://") - 1
        || (p[0] | 0x20) != 'h' || (p[1] | 0x20) != 't'
        || (p[2] | 0x20) != 't' || (p[3] | 0x20) != 'p')
    {
        return NULL;
    }

    p += sizeof("http") - 1;

    if ((*p | 0x20) == 's') {
        p++;

    } else if (secure) {
        return NULL;
    }

    return (p[0] == ':' && p[1] == '/' && p[2] == '/') ? p + 3 : NULL;
}


/*
 * Only what all browsers and libraries parse in the same way: a name or an
 * address, and a port.  No userinfo, and no percent-encoding in a name.
 */

static ngx_int_t
ngx_http_payer_check_authority(u_char *p, u_char *last)
{
    p = ngx_http_payer_skip_host(p, last);

    if (p && p < last && *p == ':') {
        p = ngx_http_payer_skip_port(p + 1, last);
    }

    if (p == NULL) {
        return NGX_DECLINED;
    }

    return (p == last || *p == '/' || *p == '?' || *p == '#') ? NGX_OK
                                                              : NGX_DECLINED;
}


static u_char *
ngx_http_payer_skip_host(u_char *p, u_char *last)
{
    u_char  *host;

    if (p < last && *p == '[') {
        return ngx_http_payer_skip_literal(p + 1, last);
    }

    for (host = p; p < last; p++) {
        if (!ngx_http_payer_is(NGX_HTTP_PAYER_HOST, *p)) {
            break;
        }
    }

    return (p == host) ? NULL : p;
}


/* an address of IP version 6, and the bracket behind it */

static u_char *
ngx_http_payer_skip_literal(u_char *p, u_char *last)
{
    u_char  *address, ch;

    for (address = p; p < last; p++) {
        ch = *p | 0x20;

        if ((*p < '0' || *p > ':') && (ch < 'a' || ch > 'f') && *p != '.') {
            break;
        }
    }

    if (p == address || p == last || *p != ']') {
        return NULL;
    }

    return p + 1;
}


static u_char *
ngx_http_payer_skip_port(u_char *p, u_char *last)
{
    u_char      *digits;
    ngx_uint_t   port;

    port = 0;

    for (digits = p; p < last && *p >= '0' && *p <= '9'; p++) {

        if (p - digits == 5) {
            return NULL;
        }

        port = port * 10 + (*p - '0');
    }

    return (port > 0 && port <= 65535) ? p : NULL;
}


ngx_int_t
ngx_http_payer_currency_exponent(ngx_str_t *currency)
{
    uint32_t       wanted, found;
    ngx_uint_t     low, high, middle;
    const u_char  *entry;

    if (currency->len != 3) {
        return NGX_DECLINED;
    }

    wanted = ngx_http_payer_currency_code(currency->data);

    low = 0;
    high = (sizeof(ngx_http_payer_currencies) - 1) / 4;

    while (low < high) {
        middle = (low + high) / 2;
        entry = ngx_http_payer_currencies + 4 * middle;

        found = ngx_http_payer_currency_code(entry);

        if (wanted == found) {
            return entry[3] - '0';
        }

        if (wanted < found) {
            high = middle;

        } else {
            low = middle + 1;
        }
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_payer_currency_at(ngx_uint_t n, u_char *code)
{
    const u_char  *entry;

    if (n >= (sizeof(ngx_http_payer_currencies) - 1) / 4) {
        return NGX_DONE;
    }

    entry = ngx_http_payer_currencies + 4 * n;

    ngx_memcpy(code, entry, 3);

    return entry[3] - '0';
}


ngx_int_t
ngx_http_payer_check_bare_url(ngx_str_t *origin)
{
    u_char  *p, *last;

    if (ngx_http_payer_check_url(origin, 0) != NGX_OK) {
        return NGX_DECLINED;
    }

    last = origin->data + origin->len;

    p = ngx_strlchr(origin->data, last, ':') + sizeof("://") - 1;

    for ( /* void */ ; p < last; p++) {
        if (*p == '/' || *p == '?' || *p == '#') {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


/* "_" and other names that match any host are not usable */

ngx_uint_t
ngx_http_payer_usable_name(ngx_str_t *name)
{
    size_t      i;
    u_char      ch;
    ngx_uint_t  good;

    good = 0;

    for (i = 0; i < name->len; i++) {
        ch = name->data[i];

        if ((ch >= '0' && ch <= '9')
            || ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z'))
        {
            good = 1;

        } else if (ch != '.' && ch != '-' && ch != '_' && ch != ':'
                   && ch != '[' && ch != ']')
        {
            return 0;
        }
    }

    return good;
}


ngx_int_t
ngx_http_payer_header_text(ngx_pool_t *pool, ngx_str_t *text,
    ngx_str_t *value)
{
    u_char  *p, *src, *last;

    if (text->len == 0) {
        ngx_str_null(value);
        return NGX_OK;
    }

    p = ngx_pnalloc(pool, 3 * text->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value->data = p;
    last = text->data + text->len;

    for (src = text->data; src < last; src++) {

        if (*src > 0x20 && *src < 0x7f && *src != '%') {
            *p++ = *src;

        } else {
            p = ngx_sprintf(p, "%%%02Xd", (int) *src);
        }
    }

    value->len = p - value->data;

    return NGX_OK;
}
