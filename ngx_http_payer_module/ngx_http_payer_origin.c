
/*
 * The origin of the shop: what stands before a return address that begins
 * with a slash.
 *
 * The buyer's browser says in "Host" what it likes, and an address that is
 * given to Payer is where a buyer comes back: so only names count that the
 * server has, and the port of the connection instead of the one in "Host".
 */


#include "ngx_http_payer_origin.h"
#include "ngx_http_payer_value.h"


static ngx_int_t ngx_http_payer_origin_check(ngx_str_t *origin);
static ngx_uint_t ngx_http_payer_origin_usable(ngx_str_t *name);
static ngx_uint_t ngx_http_payer_origin_match(ngx_http_server_name_t *sn,
    ngx_str_t *host);
static ngx_int_t ngx_http_payer_origin_build(ngx_http_request_t *r,
    ngx_array_t *names, ngx_str_t *scheme, ngx_uint_t with_port,
    ngx_str_t *origin);


static ngx_str_t  ngx_http_payer_http = ngx_string("http");
static ngx_str_t  ngx_http_payer_https = ngx_string("https");


#define ngx_http_payer_origin_is(text, scheme)                               \
    ((text)->len == (scheme)->len                                            \
     && ngx_strncmp((text)->data, (scheme)->data, (scheme)->len) == 0)


char *
ngx_http_payer_return_origin(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payer_loc_conf_t *plcf = conf;

    char       *rv;
    ngx_str_t  *value;

    rv = ngx_http_payer_value_slot(cf, cmd, conf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (plcf->origin->lengths) {
        return NGX_CONF_OK;
    }

    value = &plcf->origin->value;

    if (ngx_http_payer_origin_is(value, &ngx_http_payer_http)
        || ngx_http_payer_origin_is(value, &ngx_http_payer_https)
        || ngx_http_payer_origin_check(value) == NGX_OK)
    {
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid origin \"%V\", it must be \"http\", "
                       "\"https\", or a scheme and a host without a path, "
                       "as in \"https://shop.example\"", value);

    return NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_payer_origin_check(ngx_str_t *origin)
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
        return ngx_http_payer_origin_build(r, conf->names, scheme, 1, origin);
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

        /* another scheme is that of a proxy, which has another port */

        return ngx_http_payer_origin_build(r, conf->names, given,
                                           given == scheme, origin);
    }

    *origin = text;

    return ngx_http_payer_origin_check(&text);
}


static ngx_int_t
ngx_http_payer_origin_build(ngx_http_request_t *r, ngx_array_t *names,
    ngx_str_t *scheme, ngx_uint_t with_port, ngx_str_t *origin)
{
    u_char                    *p;
    in_port_t                  port;
    ngx_str_t                  host, *name;
    ngx_uint_t                 brackets;
    ngx_connection_t          *c;
    u_char                     addr[NGX_SOCKADDR_STRLEN];

    c = r->connection;

    if (ngx_connection_local_sockaddr(c, NULL, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    host = r->headers_in.server;

    if (!ngx_http_payer_origin_usable(&host)
        || !ngx_http_payer_origin_listed(names, &host))
    {
        name = ngx_http_payer_origin_name(names);

        if (name) {
            host = *name;

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
        p = ngx_sprintf(p, ":%ui", (ngx_uint_t) port);
    }

    origin->len = p - origin->data;

    return NGX_OK;
}


/* "_" and other names that stand for "any" are no address */

static ngx_uint_t
ngx_http_payer_origin_usable(ngx_str_t *name)
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

    /* both are in small letters, as a rule */

    return host->len == name.len
           && (ngx_memcmp(host->data, name.data, name.len) == 0
               || ngx_strncasecmp(host->data, name.data, name.len) == 0);
}


/* nginx forgets the list when it has read the configuration */

ngx_int_t
ngx_http_payer_origin_names(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf)
{
    ngx_array_t             *names, *from;
    ngx_http_server_name_t  *sn;

    from = &conf->cscf->server_names;

    names = ngx_array_create(cf->pool, ngx_max(from->nelts, 1),
                             sizeof(ngx_http_server_name_t));
    if (names == NULL) {
        return NGX_ERROR;
    }

    if (from->nelts) {
        sn = ngx_array_push_n(names, from->nelts);
        if (sn == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(sn, from->elts,
                   from->nelts * sizeof(ngx_http_server_name_t));
    }

    conf->names = names;

    return NGX_OK;
}


ngx_str_t *
ngx_http_payer_origin_name(ngx_array_t *names)
{
    ngx_uint_t               i;
    ngx_http_server_name_t  *sn;

    sn = names->elts;

    for (i = 0; i < names->nelts; i++) {

#if (NGX_PCRE)
        if (sn[i].regex) {
            continue;
        }
#endif

        if (sn[i].name.len && sn[i].name.data[0] != '.'
            && ngx_http_payer_origin_usable(&sn[i].name))
        {
            return &sn[i].name;
        }
    }

    return NULL;
}
