
/*
 * The origin of the shop, which precedes a return address that begins with a
 * slash.
 *
 * A client can send any "Host", and the buyer is sent to the address that is
 * passed to Payer: so only names of the server are used, and the port of the
 * connection instead of the one in "Host".
 */


#include "ngx_http_payer_origin.h"


static ngx_uint_t ngx_http_payer_origin_match(ngx_http_server_name_t *sn,
    ngx_str_t *host);
static ngx_int_t ngx_http_payer_origin_build(ngx_http_request_t *r,
    ngx_http_payer_loc_conf_t *conf, ngx_str_t *scheme, ngx_uint_t with_port,
    ngx_str_t *origin);


static ngx_str_t  ngx_http_payer_http = ngx_string("http");
static ngx_str_t  ngx_http_payer_https = ngx_string("https");


#define ngx_http_payer_origin_is(text, scheme)                               \
    ((text)->len == (scheme)->len                                            \
     && ngx_strncmp((text)->data, (scheme)->data, (scheme)->len) == 0)


ngx_int_t
ngx_http_payer_origin(ngx_http_request_t *r, ngx_http_payer_loc_conf_t *conf,
    ngx_str_t *origin)
{
    ngx_str_t   text, *scheme, *given;

    scheme = &ngx_http_payer_http;

#if (NGX_HTTP_SSL)
    if (r->connection->ssl) {
        scheme = &ngx_http_payer_https;
    }
#endif

    if (conf->origin == NULL) {
        return ngx_http_payer_origin_build(r, conf, scheme, 1, origin);
    }

    if (ngx_http_complex_value(r, conf->origin, &text) != NGX_OK) {
        return NGX_ERROR;
    }

    given = NULL;

    if (ngx_http_payer_origin_is(&text, &ngx_http_payer_http)) {
        given = &ngx_http_payer_http;

    } else if (ngx_http_payer_origin_is(&text, &ngx_http_payer_https)) {
        given = &ngx_http_payer_https;
    }

    if (given) {

        /*
         * another scheme is that of a proxy in front, which has its own port
         */

        return ngx_http_payer_origin_build(r, conf, given,
                                           given == scheme, origin);
    }

    *origin = text;

    return ngx_http_payer_check_bare_url(&text);
}


static ngx_int_t
ngx_http_payer_origin_build(ngx_http_request_t *r,
    ngx_http_payer_loc_conf_t *conf, ngx_str_t *scheme, ngx_uint_t with_port,
    ngx_str_t *origin)
{
    u_char                    *p;
    in_port_t                  port;
    ngx_str_t                  host;
    ngx_uint_t                 brackets;
    ngx_connection_t          *c;
    u_char                     addr[NGX_SOCKADDR_STRLEN];

    c = r->connection;

    if (ngx_connection_local_sockaddr(c, NULL, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    host = r->headers_in.server;

    /* the first usable name, as a rule */

    if ((conf->name == NULL || !ngx_http_payer_origin_is(&host, conf->name))
        && (!ngx_http_payer_usable_name(&host)
            || !ngx_http_payer_origin_listed(conf->names, &host)))
    {
        if (conf->name) {
            host = *conf->name;

        } else {
            host.data = addr;
            host.len = ngx_sock_ntop(c->local_sockaddr, c->local_socklen,
                                     addr, NGX_SOCKADDR_STRLEN, 0);
        }
    }

    port = 0;

    if (with_port && c->local_sockaddr->sa_family != AF_UNIX) {
        port = ngx_inet_get_port(c->local_sockaddr);
    }

    if (port == (scheme == &ngx_http_payer_https ? 443 : 80)) {
        port = 0;
    }

    p = ngx_pnalloc(r->pool, scheme->len + sizeof("://[]:65535") - 1
                             + host.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    origin->data = p;

    brackets = ngx_strlchr(host.data, host.data + host.len, ':') != NULL
               && host.data[0] != '[';

    p = ngx_cpymem(p, scheme->data, scheme->len);
    p = ngx_cpymem(p, "://[", sizeof("://") - 1 + brackets);
    p = ngx_cpymem(p, host.data, host.len);

    if (brackets) {
        *p++ = ']';
    }

    if (port) {
        *p++ = ':';
        p = ngx_http_payer_digits(p, port);
    }

    origin->len = p - origin->data;

    return NGX_OK;
}


ngx_uint_t
ngx_http_payer_origin_listed(ngx_array_t *names, ngx_str_t *host)
{
    ngx_uint_t               i;
    ngx_http_server_name_t  *sn;

    sn = names->elts;

    for (i = 0; i < names->nelts; i++) {
        if (ngx_http_payer_origin_match(&sn[i], host)) {
            return 1;
        }
    }

    return 0;
}


/* as nginx does: "*.example.com", ".example.com", "www.example.*", "~regex" */

static ngx_uint_t
ngx_http_payer_origin_match(ngx_http_server_name_t *sn, ngx_str_t *host)
{
    size_t     len;
    ngx_str_t  name;

#if (NGX_PCRE)
    if (sn->regex) {
        return ngx_regex_exec(sn->regex->regex, host, NULL, 0) >= 0;
    }
#endif

    name = sn->name;

    if (name.len > 1 && name.data[0] == '*') {
        name.data++;
        name.len--;

        return host->len > name.len
               && ngx_strncasecmp(host->data + host->len - name.len, name.data,
                                  name.len)
                  == 0;
    }

    if (name.len > 1 && name.data[0] == '.') {
        len = name.len - 1;

        if (host->len == len
            && ngx_strncasecmp(host->data, name.data + 1, len) == 0)
        {
            return 1;
        }

        return host->len > name.len
               && ngx_strncasecmp(host->data + host->len - name.len, name.data,
                                  name.len)
                  == 0;
    }

    if (name.len > 1 && name.data[name.len - 1] == '*') {
        len = name.len - 1;

        return host->len > len
               && ngx_strncasecmp(host->data, name.data, len) == 0;
    }

    /* both are usually in lower case */

    return host->len == name.len
           && (ngx_memcmp(host->data, name.data, name.len) == 0
               || ngx_strncasecmp(host->data, name.data, name.len) == 0);
}
