
/*
 * Protects the pages for staff, and what moves money, from requests of other
 * sites.
 *
 * A form or an image of another site cannot add a header, a script of another
 * site may not, and "Origin" and "Sec-Fetch-Site" are the browser's own.  A
 * site whose name is changed to the address of this server (DNS rebinding) has
 * the same origin for the browser, but its name is not in server_name.
 */


#include "ngx_http_payer_same_origin.h"
#include "ngx_http_payer_origin.h"


/* what the headers of a request tell of its sender */
typedef struct {
    unsigned          marked:1;         /* X-Payer-Office: 1 */
    unsigned          other_site:1;     /* by Sec-Fetch-Site: not the page */
    unsigned          other_page:1;     /* by it: neither page nor person */
    unsigned          other_origin:1;
    unsigned          same_origin:1;    /* by Origin: of this Host */
} ngx_http_payer_sender_t;


static void ngx_http_payer_sender(ngx_http_request_t *r,
    ngx_http_payer_sender_t *sender);
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
    ngx_http_payer_sender_t  sender;

    ngx_memzero(problem, sizeof(ngx_http_payer_problem_t));

    if (!ngx_http_payer_origin_listed(conf->names, &r->headers_in.server)) {
        problem->status = NGX_HTTP_MISDIRECTED_REQUEST;
        problem->title = "Misdirected Request";
        problem->detail = "server_name does not list the Host of the request";

        return NGX_DECLINED;
    }

    problem->status = NGX_HTTP_FORBIDDEN;

    ngx_http_payer_sender(r, &sender);

    /*
     * A link of another site may lead to a page.  With its origin in a GET,
     * its script asks for the response, which add_header may permit.
     */

    if (sender.other_origin
        || (what == NGX_HTTP_PAYER_ORIGIN_CHANGES && sender.other_site))
    {
        problem->detail = "the request was sent by another site";
        return NGX_DECLINED;
    }

    if (what == NGX_HTTP_PAYER_ORIGIN_CHANGES && !sender.marked) {
        problem->detail = "the header \"X-Payer-Office: 1\" is missing";
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_payer_other_page(ngx_http_request_t *r)
{
    ngx_http_payer_sender_t  sender;

    ngx_http_payer_sender(r, &sender);

    return sender.other_page;
}


ngx_uint_t
ngx_http_payer_other_name(ngx_http_request_t *r,
    ngx_http_payer_loc_conf_t *conf)
{
    ngx_http_payer_sender_t  sender;

    if (ngx_http_payer_origin_listed(conf->names, &r->headers_in.server)) {
        return 0;
    }

    ngx_http_payer_sender(r, &sender);

    return sender.same_origin;
}


static void
ngx_http_payer_sender(ngx_http_request_t *r, ngx_http_payer_sender_t *sender)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    ngx_memzero(sender, sizeof(ngx_http_payer_sender_t));

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

        if (ngx_http_payer_same_origin_named(&h[i],
                                             &ngx_http_payer_header_office))
        {
            sender->marked = ngx_http_payer_same_origin_is(&h[i], "1");

        } else if (ngx_http_payer_same_origin_named(&h[i],
                                                &ngx_http_payer_header_site)
                   && !ngx_http_payer_same_origin_is(&h[i], "same-origin"))
        {
            sender->other_site = 1;
            sender->other_page |= !ngx_http_payer_same_origin_is(&h[i],
                                                                 "none");

        } else if (ngx_http_payer_same_origin_named(&h[i],
                                              &ngx_http_payer_header_origin))
        {
            if (ngx_http_payer_same_host(&h[i].value, r)) {
                sender->same_origin = 1;

            } else {
                sender->other_origin = 1;
            }
        }
    }
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
