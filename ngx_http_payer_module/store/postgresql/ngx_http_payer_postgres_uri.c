
/*
 * The URI of the directive: the user, the hosts and the database.
 */


#include "ngx_http_payer_postgres.h"


static ngx_int_t ngx_http_payer_postgres_hosts(ngx_conf_t *cf,
    ngx_http_payer_postgres_t *pg, ngx_str_t *text);
static ngx_int_t ngx_http_payer_postgres_host(ngx_conf_t *cf,
    ngx_http_payer_postgres_host_t *host, ngx_str_t *text);
static ngx_int_t ngx_http_payer_postgres_address(ngx_conf_t *cf,
    ngx_http_payer_postgres_host_t *host);
static ngx_int_t ngx_http_payer_postgres_decode(ngx_conf_t *cf,
    ngx_str_t *dst, u_char *data, size_t len);


ngx_int_t
ngx_http_payer_postgres_uri(ngx_conf_t *cf, ngx_http_payer_postgres_t *pg,
    ngx_str_t *value)
{
    u_char     *p, *last, *at, *slash;
    ngx_str_t   hosts;

    p = value->data;
    last = p + value->len;

    if (value->len < 3 || p[0] != '/' || p[1] != '/') {
        goto invalid;
    }

    p += 2;

    slash = ngx_strlchr(p, last, '/');

    if (slash == NULL || slash + 1 == last) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "payer_store names no database, it must have the "
                           "form \"postgresql://USER@HOST/DATABASE\"");
        return NGX_ERROR;
    }

    for (at = slash; at > p && at[-1] != '@'; at--) { /* void */ }

    if (at > p) {

        if (ngx_strlchr(p, at - 1, ':') != NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "a password must not be in the configuration, "
                               "use \"password_file=\" of payer_store");
            return NGX_ERROR;
        }

        if (ngx_http_payer_postgres_decode(cf, &pg->user, p, at - 1 - p)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (pg->user.len == 0) {
        ngx_str_set(&pg->user, "payer");
    }

    if (ngx_strlchr(slash, last, '?') != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "payer_store takes no parameters behind \"?\", "
                           "they follow as \"name=value\"");
        return NGX_ERROR;
    }

    if (ngx_http_payer_postgres_decode(cf, &pg->database, slash + 1,
                                       last - slash - 1)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    hosts.data = at;
    hosts.len = slash - at;

    pg->title.len = sizeof("postgresql:") - 1 + value->len;
    pg->title.data = ngx_pnalloc(cf->pool, pg->title.len);
    if (pg->title.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(pg->title.data, "postgresql:", sizeof("postgresql:") - 1);
    ngx_memcpy(p, value->data, value->len);

    return ngx_http_payer_postgres_hosts(cf, pg, &hosts);

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid store \"postgresql:%V\", it must have the "
                       "form \"postgresql://USER@HOST/DATABASE\"", value);
    return NGX_ERROR;
}


static ngx_int_t
ngx_http_payer_postgres_hosts(ngx_conf_t *cf, ngx_http_payer_postgres_t *pg,
    ngx_str_t *text)
{
    u_char     *p, *last, *comma;
    ngx_str_t   one;

    p = text->data;
    last = p + text->len;

    for ( ;; ) {

        if (pg->nhosts == NGX_HTTP_PAYER_POSTGRES_HOSTS) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "payer_store has more than %d hosts",
                               NGX_HTTP_PAYER_POSTGRES_HOSTS);
            return NGX_ERROR;
        }

        comma = ngx_strlchr(p, last, ',');

        one.data = p;
        one.len = (comma ? comma : last) - p;

        if (ngx_http_payer_postgres_host(cf, &pg->hosts[pg->nhosts++], &one)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (comma == NULL) {
            return NGX_OK;
        }

        p = comma + 1;
    }
}


static ngx_int_t
ngx_http_payer_postgres_host(ngx_conf_t *cf,
    ngx_http_payer_postgres_host_t *host, ngx_str_t *text)
{
    u_char     *p, *last, *end;
    ngx_int_t   port;

    host->shown = *text;

    p = text->data;
    last = p + text->len;

    if (text->len && *p == '[') {
        p++;
        end = ngx_strlchr(p, last, ']');

        if (end == NULL || (end + 1 < last && end[1] != ':')) {
            goto invalid;
        }

        host->port.data = end + 2;
        host->port.len = (end + 1 < last) ? last - end - 2 : 0;

    } else {
        end = ngx_strlchr(p, last, ':');

        if (end == NULL) {
            end = last;
        }

        host->port.data = end + 1;
        host->port.len = (end < last) ? last - end - 1 : 0;
    }

    if (end == p || (end < last && host->port.len == 0 && *end == ':')) {
        goto invalid;
    }

    if (host->port.len == 0) {
        ngx_str_set(&host->port, "5432");
    }

    port = ngx_atoi(host->port.data, host->port.len);

    if (port < 1 || port > 65535
        || ngx_http_payer_postgres_decode(cf, &host->port, host->port.data,
                                          host->port.len)
           != NGX_OK
        || ngx_http_payer_postgres_decode(cf, &host->name, p, end - p)
           != NGX_OK)
    {
        goto invalid;
    }

    return ngx_http_payer_postgres_address(cf, host);

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid host \"%V\" in payer_store", text);
    return NGX_ERROR;
}


/* a directory of a socket, a literal address, or a name */

static ngx_int_t
ngx_http_payer_postgres_address(ngx_conf_t *cf,
    ngx_http_payer_postgres_host_t *host)
{
    in_addr_t         addr;
#if (NGX_HAVE_INET6)
    struct in6_addr   addr6;
#endif

    if (host->name.data[0] == '/') {
        host->local = 1;
        return NGX_OK;
    }

    addr = ngx_inet_addr(host->name.data, host->name.len);

    if (addr != INADDR_NONE) {
        host->address = host->name;
        host->loopback = (ntohl(addr) >> 24 == 127);
        return NGX_OK;
    }

#if (NGX_HAVE_INET6)

    if (ngx_inet6_addr(host->name.data, host->name.len, addr6.s6_addr)
        == NGX_OK)
    {
        host->address = host->name;
        host->loopback = IN6_IS_ADDR_LOOPBACK(&addr6);
    }

#endif

    return NGX_OK;
}


/* with a NUL behind it, as libpq wants it */

static ngx_int_t
ngx_http_payer_postgres_decode(ngx_conf_t *cf, ngx_str_t *dst, u_char *data,
    size_t len)
{
    u_char  *p, *src;

    p = ngx_pnalloc(cf->pool, len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    src = data;
    dst->data = p;

    ngx_unescape_uri(&p, &src, len, 0);

    *p = '\0';
    dst->len = p - dst->data;

    if (ngx_strlen(dst->data) != dst->len) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "payer_store has a zero byte in its value");
        return NGX_ERROR;
    }

    return NGX_OK;
}
