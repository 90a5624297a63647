
/*
 * payer_event_pass: the shop's location for events, which must be there and
 * must be closed to everybody else.
 */


#include "ngx_http_payer_conf.h"
#include "ngx_http_payer_event.h"


static ngx_int_t ngx_http_payer_check_pass(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);
static ngx_int_t ngx_http_payer_locate(ngx_http_core_loc_conf_t *parent,
    ngx_str_t *uri, ngx_http_core_loc_conf_t **clcf);
static ngx_int_t ngx_http_payer_locate_static(
    ngx_http_location_tree_node_t *node, ngx_str_t *uri,
    ngx_http_core_loc_conf_t **clcf);


char *
ngx_http_payer_event_pass(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payer_loc_conf_t *plcf = conf;

    u_char     *p, *last;
    ngx_str_t  *value, *uri;

    if (plcf->event_pass.data) {
        return "is duplicate";
    }

    value = cf->args->elts;
    uri = &value[1];
    last = uri->data + uri->len;

    if (uri->len == 0 || uri->data[0] != '/'
        || ngx_strlchr(uri->data, last, '$'))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid URI \"%V\", it must begin with a slash "
                           "and have no variables", uri);
        return NGX_CONF_ERROR;
    }

    plcf->event_pass = *uri;

    p = ngx_strlchr(uri->data, last, '?');

    if (p) {
        plcf->event_pass.len = p - uri->data;
        plcf->event_args.data = p + 1;
        plcf->event_args.len = last - (p + 1);
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_payer_check_passes(ngx_conf_t *cf)
{
    ngx_uint_t                    i;
    ngx_http_payer_loc_conf_t   **door;
    ngx_http_payer_main_conf_t   *pmcf;

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_payer_module);

    door = pmcf->doors.elts;

    for (i = 0; i < pmcf->doors.nelts; i++) {

        if (door[i]->door == &ngx_http_payer_events_door
            && door[i]->event_pass.len
            && ngx_http_payer_check_pass(cf, door[i]) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_check_pass(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t  *clcf, *server;

    server = conf->cscf->ctx->loc_conf[ngx_http_core_module.ctx_index];
    clcf = NULL;

    if (ngx_http_payer_locate(server, &conf->event_pass, &clcf) == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (clcf == NULL) {
        ngx_http_payer_refuse(cf, conf, "there is no location for \"%V\" in "
                              "this server, which \"payer_event_pass\" of "
                              "location \"%V\" names",
                              &conf->event_pass, &conf->clcf->name);
        return NGX_ERROR;
    }

    if (!clcf->internal) {
        ngx_http_payer_refuse(cf, conf, "location \"%V\" of "
                              "\"payer_event_pass %V\" is not internal, so "
                              "that everybody could make up events",
                              &clcf->name, &conf->event_pass);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * The location that nginx finds for the URI, by the same rules; "clcf" is left
 * alone if there is none: NGX_OK, NGX_AGAIN (a prefix, which a regular
 * expression may override), NGX_DECLINED, NGX_ERROR.
 */

static ngx_int_t
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

    rc = ngx_http_payer_locate_static(parent->static_locations, uri, clcf);

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


/* NGX_OK for an exact one, NGX_AGAIN for the longest prefix, NGX_DECLINED */

static ngx_int_t
ngx_http_payer_locate_static(ngx_http_location_tree_node_t *node,
    ngx_str_t *uri, ngx_http_core_loc_conf_t **clcf)
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
            node = node->right;

        } else if (len > (size_t) node->len) {
            *clcf = node->inclusive;
            rv = NGX_AGAIN;
            p += n;
            len -= n;
            node = node->tree;

        } else if (len < (size_t) node->len) {
            node = node->left;

        } else if (node->exact) {
            *clcf = node->exact;
            return NGX_OK;

        } else {
            *clcf = node->inclusive;
            return NGX_AGAIN;
        }
    }

    return rv;
}
