
/*
 * Finds the location of a URI when the configuration is complete, by nginx's
 * own rules: ngx_http_core_find_location() takes a request.
 */


#include "ngx_http_payer_locate.h"


static ngx_int_t ngx_http_payer_locate_static(
    ngx_http_location_tree_node_t *node, ngx_str_t *uri, ngx_uint_t exact,
    ngx_http_payer_node_loc_t **loc);


ngx_int_t
ngx_http_payer_locate(ngx_http_core_loc_conf_t *parent, ngx_str_t *uri,
    ngx_http_core_loc_conf_t **clcf)
{
    ngx_int_t                    rc;
    ngx_http_payer_node_loc_t   *loc;
#if (NGX_PCRE)
    ngx_int_t                    n;
    ngx_uint_t                   noregex;
    ngx_http_payer_node_loc_t  **regex;

    noregex = 0;
#endif

    rc = ngx_http_payer_locate_static(parent->static_locations, uri, 1,
                                      &loc);

    if (rc != NGX_DECLINED) {
        *clcf = ngx_http_payer_node_clcf(loc);
    }

    if (rc == NGX_AGAIN) {

#if (NGX_PCRE)
        noregex = loc->noregex;
#endif

        rc = ngx_http_payer_locate(*clcf, uri, clcf);

        if (rc == NGX_DECLINED) {
            rc = NGX_AGAIN;
        }
    }

    if (rc == NGX_OK || rc == NGX_ERROR) {
        return rc;
    }

#if (NGX_PCRE)

    if (noregex || parent->regex_locations == NULL) {
        return rc;
    }

    for (regex = parent->regex_locations; *regex; regex++) {

        n = ngx_regex_exec((*regex)->regex->regex, uri, NULL, 0);

        if (n == NGX_REGEX_NO_MATCHED) {
            continue;
        }

        if (n < 0) {
            return NGX_ERROR;
        }

        *clcf = ngx_http_payer_node_clcf(*regex);

        return ngx_http_payer_locate(*clcf, uri, clcf) == NGX_ERROR
               ? NGX_ERROR : NGX_OK;
    }

#endif

    return rc;
}


/* it can stand in another prefix location, as nginx permits */

ngx_http_core_loc_conf_t *
ngx_http_payer_locate_prefix(ngx_http_core_loc_conf_t *parent,
    ngx_str_t *name)
{
    ngx_http_payer_node_loc_t  *loc;

    for ( ;; ) {

        if (ngx_http_payer_locate_static(parent->static_locations, name, 0,
                                         &loc)
            != NGX_AGAIN)
        {
            return NULL;
        }

        parent = ngx_http_payer_node_clcf(loc);

        if (loc->name.len == name->len) {
            return parent;
        }
    }
}


/* NGX_OK for an exact one, NGX_AGAIN for the longest prefix, NGX_DECLINED */

static ngx_int_t
ngx_http_payer_locate_static(ngx_http_location_tree_node_t *node,
    ngx_str_t *uri, ngx_uint_t exact, ngx_http_payer_node_loc_t **loc)
{
    size_t      len, n;
    u_char     *p;
    ngx_int_t   rc, rv;

    p = uri->data;
    len = uri->len;
    rv = NGX_DECLINED;

    while (node) {

        n = ngx_min(len, (size_t) node->len);
        rc = ngx_filename_cmp(p, node->name, n);

        if (rc != 0) {
            node = (rc < 0) ? node->left : node->right;

        } else if (len > (size_t) node->len && node->inclusive == NULL) {

            /* an exact one alone has no longer ones in its tree */

            node = node->right;

        } else if (len > (size_t) node->len) {
            *loc = node->inclusive;
            rv = NGX_AGAIN;
            p += n;
            len -= n;
            node = node->tree;

        } else if (len < (size_t) node->len) {
            node = node->left;

        } else if (node->exact && exact) {
            *loc = node->exact;
            return NGX_OK;

        } else if (node->inclusive == NULL) {
            return rv;

        } else {
            *loc = node->inclusive;
            return NGX_AGAIN;
        }
    }

    return rv;
}
