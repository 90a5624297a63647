
/*
 * What differs between the versions of nginx that the module builds with
 * (since 1.22), servers made from it, and systems, in one place.  `config`
 * looks into the headers for what it says of them here: numbers of versions
 * tell little about a server that took over some changes and not others.
 */


#ifndef _NGX_HTTP_PAYER_COMPAT_H_INCLUDED_
#define _NGX_HTTP_PAYER_COMPAT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/* headers of one name are linked */

#if (NGX_HTTP_PAYER_LINKED_HEADERS)
#define ngx_http_payer_header_init(h)  (h)->next = NULL
#else
#define ngx_http_payer_header_init(h)
#endif


#ifndef NGX_HTTP_PAYMENT_REQUIRED
#define NGX_HTTP_PAYMENT_REQUIRED       402
#endif

#ifndef NGX_HTTP_UNPROCESSABLE_CONTENT
#define NGX_HTTP_UNPROCESSABLE_CONTENT  422
#endif


/* whole pages that core dumps exclude, if the system supports it */

#if defined MADV_DONTDUMP
#define ngx_http_payer_undumped(p, size)                                     \
    (void) madvise(p, size, MADV_DONTDUMP)
#elif defined MADV_NOCORE
#define ngx_http_payer_undumped(p, size)                                     \
    (void) madvise(p, size, MADV_NOCORE)
#else
#define ngx_http_payer_undumped(p, size)
#endif


/*
 * What the tree of locations and the list of regular expressions lead to.  In
 * Angie several of them can have one block of directives in common.
 */

#if (NGX_HTTP_PAYER_CORE_LOC)

typedef ngx_http_core_loc_t       ngx_http_payer_node_loc_t;

#define ngx_http_payer_node_clcf(loc)  (loc)->conf

#else

typedef ngx_http_core_loc_conf_t  ngx_http_payer_node_loc_t;

#define ngx_http_payer_node_clcf(loc)  (loc)

#endif


/* "resolver" without servers is the default */

#if (NGX_HTTP_PAYER_RESOLVER_LIST)
#define ngx_http_payer_resolves(resolver)                                    \
    ((resolver) != NULL && (resolver)->connections != NULL)
#else
#define ngx_http_payer_resolves(resolver)                                    \
    ((resolver) != NULL && (resolver)->connections.nelts != 0)
#endif


/* what adds the request to its lines in the error log */

#if (NGX_HTTP_PAYER_LOG_EXT_HANDLER)

typedef ngx_log_ext_handler_pt    ngx_http_payer_log_handler_pt;

#define ngx_http_payer_log_request(log, r, ctx, p, len)                      \
    (r)->log_handler(log, p, (p) + (len), ctx)

#else

typedef ngx_http_log_handler_pt   ngx_http_payer_log_handler_pt;

#define ngx_http_payer_log_request(log, r, ctx, p, len)                      \
    (r)->log_handler(r, (ctx)->current_request, p, len)

#endif


/*
 * The beginning of the proxy module's location configuration, where that is
 * private: as far as the text of proxy_pass.
 */

#if (NGX_HTTP_PAYER_PROXY_HEADER)

#include <ngx_http_proxy_module.h>

typedef ngx_http_proxy_loc_conf_t  ngx_http_payer_proxy_conf_t;

#else

typedef struct {
    ngx_http_upstream_conf_t       upstream;

    ngx_array_t                   *body_flushes;
    ngx_array_t                   *body_lengths;
    ngx_array_t                   *body_values;
    ngx_str_t                      body_source;

    struct {
        ngx_array_t               *flushes;
        ngx_array_t               *lengths;
        ngx_array_t               *values;
        ngx_hash_t                 hash;
    } headers;

#if (NGX_HTTP_CACHE)
    struct {
        ngx_array_t               *flushes;
        ngx_array_t               *lengths;
        ngx_array_t               *values;
        ngx_hash_t                 hash;
    } headers_cache;
#endif

    ngx_array_t                   *headers_source;

    ngx_array_t                   *proxy_lengths;
    ngx_array_t                   *proxy_values;

    ngx_array_t                   *redirects;
    ngx_array_t                   *cookie_domains;
    ngx_array_t                   *cookie_paths;
    ngx_array_t                   *cookie_flags;

    ngx_http_complex_value_t      *method;
    ngx_str_t                      location;
    ngx_str_t                      url;
} ngx_http_payer_proxy_conf_t;

#endif


#endif /* _NGX_HTTP_PAYER_COMPAT_H_INCLUDED_ */
