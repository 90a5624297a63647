
/*
 * Protects the pages for staff from requests of other sites.
 *
 * A form or an image of another site cannot add a header, a script of another
 * site may not, and "Origin" and "Sec-Fetch-Site" are the browser's own.  A
 * site whose name is changed to the address of this server (DNS rebinding) has
 * the same origin for the browser, but its name is not in server_name.
 */


#include "ngx_http_payer_same_origin.h"
#include "ngx_http_payer_origin.h"


static ngx_int_t ngx_http_payer_same_origin_check(ngx_http_request_t *r,
    ngx_table_elt_t *h, ngx_uint_t *marked);
static ngx_uint_t ngx_http_payer_same_origin_named(ngx_table_elt_t *h,
    ngx_str_t *name);
static ngx_uint_t ngx_http_payer_same_origin_is(ngx_table_elt_t *h,
    char *value);
static ngx_uint_t ngx_http_payer_same_host(ngx_str_t *origin,
    ngx_http_request_t *r);
static void ngx_http_payer_split_port(ngx_str_t *host, ngx_str_t *port);


static ngx_str_t  ngx_http_payer_header_office = ngx_string("X-Payer-Office");
static ngx_str_t  ngx_http_payer_header_origin = ngx_string("Origin");
static ngx_str_t  ngx_http_payer_header_site = ngx_string("Sec-Fetch-Site");


ngx_int_t
ngx_http_payer_same_origin(ngx_http_request_t *r,
    ngx_http_payer_loc_conf_t *conf, ngx_http_payer_origin_e what,
    ngx_http_payer_problem_t *problem)
{
    ngx_uint_t        i, marked;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    ngx_memzero(problem, sizeof(ngx_http_payer_problem_t));

    if (!ngx_http_payer_origin_listed(conf->names, &r->headers_in.server)) {
        problem->status = NGX_HTTP_MISDIRECTED_REQUEST;
        problem->title = "Misdirected Request";
        problem->detail = "server_name does not list the Host of the request";

        return NGX_DECLINED;
    }

    if (what == NGX_HTTP_PAYER_ORIGIN_READS) {
        return NGX_OK;
    }

    problem->status = NGX_HTTP_FORBIDDEN;

    marked = 0;
    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                break;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (ngx_http_payer_same_origin_check(r, &h[i], &marked) != NGX_OK) {
            problem->detail = "the request was sent by another site";
            return NGX_DECLINED;
        }
    }

    if (!marked) {
        problem->detail = "the header \"X-Payer-Office: 1\" is missing";
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_same_origin_check(ngx_http_request_t *r, ngx_table_elt_t *h,
    ngx_uint_t *marked)
{
    if (ngx_http_payer_same_origin_named(h, &ngx_http_payer_header_office)) {
        *marked = ngx_http_payer_same_origin_is(h, "1");
        return NGX_OK;
    }

    if (ngx_http_payer_same_origin_named(h, &ngx_http_payer_header_site)) {
        return ngx_http_payer_same_origin_is(h, "same-origin") ? NGX_OK
                                                               : NGX_DECLINED;
    }

    if (ngx_http_payer_same_origin_named(h, &ngx_http_payer_header_origin)) {
        return ngx_http_payer_same_host(&h->value, r) ? NGX_OK : NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_payer_same_origin_named(ngx_table_elt_t *h, ngx_str_t *name)
{
    return h->key.len == name->len
           && ngx_strncasecmp(h->key.data, name->data, name->len) == 0;
}


static ngx_uint_t
ngx_http_payer_same_origin_is(ngx_table_elt_t *h, char *value)
{
    size_t  len;

    len = ngx_strlen(value);

    return h->value.len == len && ngx_memcmp(h->value.data, value, len) == 0;
}


/*
 * The scheme is not compared, as TLS may end in front of this server.  A port
 * is compared where both have one: the one that a browser leaves out is the
 * scheme's own.
 */

static ngx_uint_t
ngx_http_payer_same_host(ngx_str_t *origin, ngx_http_request_t *r)
{
    u_char     *p, *last;
    ngx_str_t   host, port, own, own_port;

    last = origin->data + origin->len;

    p = ngx_strlchr(origin->data, last, ':');

    if (p == NULL || last - p < 3 || p[1] != '/' || p[2] != '/') {

        /* "null", too */

        return 0;
    }

    host.data = p + 3;
    host.len = last - host.data;

    ngx_http_payer_split_port(&host, &port);

    own = r->headers_in.server;

    if (host.len != own.len
        || ngx_strncasecmp(host.data, own.data, own.len) != 0)
    {
        return 0;
    }

    if (r->headers_in.host == NULL) {
        return 1;
    }

    own = r->headers_in.host->value;

    ngx_http_payer_split_port(&own, &own_port);

    return port.len == 0 || own_port.len == 0
           || (port.len == own_port.len
               && ngx_memcmp(port.data, own_port.data, port.len) == 0);
}


/* after the bracket of an IPv6 address */

static void
ngx_http_payer_split_port(ngx_str_t *host, ngx_str_t *port)
{
    u_char  *p, *last;

    last = host->data + host->len;
    p = host->data;

    if (host->len && *p == '[') {
        p = ngx_strlchr(p, last, ']');
    }

    p = p ? ngx_strlchr(p, last, ':') : NULL;

    if (p == NULL) {
        ngx_str_null(port);
        return;
    }

    port->data = p + 1;
    port->len = last - port->data;
    host->len = p - host->data;
}
