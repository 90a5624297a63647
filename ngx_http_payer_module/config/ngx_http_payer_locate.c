
/*
 * Finds the location of a URI when the configuration is complete, by nginx's
 * own rules: ngx_http_core_find_location() takes a request.
 */


#include "ngx_http_payer_locate.h"


static ngx_int_t ngx_http_payer_locate_static(
    ngx_http_location_tree_node_t *node, ngx_str_t *uri, ngx_uint_t exact,
    ngx_http_core_loc_conf_t **clcf);


ngx_int_t
ngx_http_payer_locate(ngx_http_core_loc_conf_t *parent, ngx_str_t *uri,
    ngx_http_core_loc_conf_t **clcf)
{
    ngx_int_t                   rc;
#if (NGX_PCRE)
    ngx_int_t                   n;
    ngx_uint_t                  noregex;
    ngx_http_core_loc_conf_t  **regex;

    noregex = 0;
#endif

    rc = ngx_http_payer_locate_static(parent->static_locations, uri, 1, clcf);

    if (rc == NGX_AGAIN) {

#if (NGX_PCRE)
        noregex = (*clcf)->noregex;
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

        *clcf = *regex;

        return ngx_http_payer_locate(*regex, uri, clcf) == NGX_ERROR
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
    ngx_http_core_loc_conf_t  *clcf;

    for ( ;; ) {
        clcf = NULL;

        if (ngx_http_payer_locate_static(parent->static_locations, name, 0,
                                         &clcf)
            != NGX_AGAIN)
        {
            return NULL;
        }

        if (clcf->name.len == name->len) {
            return clcf;
        }

        parent = clcf;
    }
}


/* NGX_OK for an exact one, NGX_AGAIN for the longest prefix, NGX_DECLINED */

static ngx_int_t
ngx_http_payer_locate_static(ngx_http_location_tree_node_t *node,
    ngx_str_t *uri, ngx_uint_t exact, ngx_http_core_loc_conf_t **clcf)
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
            *clcf = node->inclusive;
            rv = NGX_AGAIN;
            p += n;
            len -= n;
            node = node->tree;

        } else if (len < (size_t) node->len) {
            node = node->left;

        } else if (node->exact && exact) {
            *clcf = node->exact;
            return NGX_OK;

        } else if (node->inclusive == NULL) {
            return rv;

        } else {
            *clcf = node->inclusive;
            return NGX_AGAIN;
        }
    }

    return rv;
}
