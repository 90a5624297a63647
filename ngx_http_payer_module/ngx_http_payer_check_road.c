
/*
 * The refusals of a road: credentials and calls travel safely to Payer, or
 * nginx does not start.
 */


#include "ngx_http_payer_conf.h"


static ngx_int_t ngx_http_payer_check_road(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);
static ngx_http_core_loc_conf_t *ngx_http_payer_find_location(
    ngx_http_location_tree_node_t *node, ngx_str_t *name);
static ngx_int_t ngx_http_payer_check_proxy(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf, ngx_http_core_loc_conf_t *clcf,
    ngx_http_payer_proxy_conf_t *proxy);
static ngx_int_t ngx_http_payer_check_transport(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf, ngx_http_payer_proxy_conf_t *proxy);
static void ngx_http_payer_road_host(ngx_http_payer_loc_conf_t *conf,
    ngx_http_payer_proxy_conf_t *proxy, ngx_str_t *host);
static ngx_int_t ngx_http_payer_check_hosts(ngx_conf_t *cf);


ngx_int_t
ngx_http_payer_check_roads(ngx_conf_t *cf)
{
    ngx_uint_t                    i;
    ngx_http_payer_loc_conf_t   **door;
    ngx_http_payer_main_conf_t   *pmcf;

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_payer_module);

    door = pmcf->doors.elts;

    if (pmcf->doors.nelts && pmcf->zone->shm_zone == NULL) {
        ngx_http_payer_refuse(cf, door[0], "\"%V\" in location \"%V\" needs "
                              "a \"payer_zone\"", &door[0]->door->directive,
                              &door[0]->clcf->name);
        return NGX_ERROR;
    }

    for (i = 0; i < pmcf->doors.nelts; i++) {

        if (ngx_http_payer_calls(door[i])
            && ngx_http_payer_check_road(cf, door[i]) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return ngx_http_payer_check_hosts(cf);
}


static ngx_int_t
ngx_http_payer_check_road(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf)
{
    ngx_str_t                     texts[4];
    ngx_uint_t                    i;
    ngx_module_t                **modules;
    ngx_http_payer_road_t        *road;
    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_payer_proxy_conf_t  *proxy;

    clcf = conf->cscf->ctx->loc_conf[ngx_http_core_module.ctx_index];

    clcf = ngx_http_payer_find_location(clcf->static_locations, &conf->api);

    if (clcf == NULL) {
        ngx_http_payer_refuse(cf, conf, "there is no location \"%V\" in this "
                              "server, which \"payer_api\" of location \"%V\" "
                              "names", &conf->api, &conf->clcf->name);
        return NGX_ERROR;
    }

    if (!clcf->internal) {
        ngx_http_payer_refuse(cf, conf, "location \"%V\" of \"payer_api\" is "
                              "not internal, so that everybody could talk to "
                              "Payer through it", &clcf->name);
        return NGX_ERROR;
    }

    proxy = NULL;
    modules = cf->cycle->modules;

    for (i = 0; modules[i]; i++) {
        if (ngx_strcmp(modules[i]->name, "ngx_http_proxy_module") == 0) {
            proxy = clcf->loc_conf[modules[i]->ctx_index];
            break;
        }
    }

    if (proxy == NULL || clcf->handler == NULL
        || (proxy->url.len == 0 && proxy->proxy_lengths == NULL))
    {
        ngx_http_payer_refuse(cf, conf, "location \"%V\" of \"payer_api\" has "
                              "no \"proxy_pass\"", &clcf->name);
        return NGX_ERROR;
    }

    if (ngx_http_payer_check_proxy(cf, conf, clcf, proxy) != NGX_OK) {
        return NGX_ERROR;
    }

    road = ngx_pcalloc(cf->pool, sizeof(ngx_http_payer_road_t));
    if (road == NULL) {
        return NGX_ERROR;
    }

    road->clcf = clcf;
    road->insecure = conf->insecure;
    ngx_http_payer_road_host(conf, proxy, &road->host);

    conf->road = road;

#if (NGX_HTTP_SSL && defined SSL_OP_CLEANSE_PLAINTEXT)

    /* what OpenSSL decrypts may be a token: it is not to stay in a buffer */

    if (proxy->upstream.ssl && proxy->upstream.ssl->ctx) {
        SSL_CTX_set_options(proxy->upstream.ssl->ctx,
                            SSL_OP_CLEANSE_PLAINTEXT);
    }

#endif

    /* one token for all locations with the same credentials and host */

    texts[0] = road->host;
    texts[1] = clcf->name;
    texts[2] = conf->client_id;
    texts[3] = conf->secret;

    return ngx_http_payer_digest(texts, 4, conf->merchant->key);
}


/* the prefix location with exactly this name */

static ngx_http_core_loc_conf_t *
ngx_http_payer_find_location(ngx_http_location_tree_node_t *node,
    ngx_str_t *name)
{
    size_t     len, n;
    u_char    *p;
    ngx_int_t  rc;

    p = name->data;
    len = name->len;

    while (node) {

        n = ngx_min(len, (size_t) node->len);
        rc = ngx_filename_cmp(p, node->name, n);

        if (rc != 0) {
            node = (rc < 0) ? node->left : node->right;
            continue;
        }

        if (len > (size_t) node->len) {
            p += n;
            len -= n;
            node = node->tree;
            continue;
        }

        if (len == (size_t) node->len) {
            return node->inclusive;
        }

        node = node->left;
    }

    return NULL;
}


static ngx_int_t
ngx_http_payer_check_proxy(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf,
    ngx_http_core_loc_conf_t *clcf, ngx_http_payer_proxy_conf_t *proxy)
{
    char                      *wrong;
    ngx_http_upstream_conf_t  *u;

    u = &proxy->upstream;
    wrong = NULL;

    if (!u->ignore_client_abort) {
        wrong = "\"proxy_ignore_client_abort\" off: a buyer who leaves would "
                "cut a call to Payer in the middle";

    } else if ((u->next_upstream & ~NGX_HTTP_UPSTREAM_FT_OFF)
               & (NGX_HTTP_UPSTREAM_FT_ERROR|NGX_HTTP_UPSTREAM_FT_TIMEOUT
                  |NGX_HTTP_UPSTREAM_FT_INVALID_HEADER
                  |NGX_HTTP_UPSTREAM_FT_HTTP_500|NGX_HTTP_UPSTREAM_FT_HTTP_502
                  |NGX_HTTP_UPSTREAM_FT_HTTP_503|NGX_HTTP_UPSTREAM_FT_HTTP_504
                  |NGX_HTTP_UPSTREAM_FT_HTTP_403|NGX_HTTP_UPSTREAM_FT_HTTP_404
                  |NGX_HTTP_UPSTREAM_FT_HTTP_429
                  |NGX_HTTP_UPSTREAM_FT_NON_IDEMPOTENT))
    {
        wrong = "\"proxy_next_upstream\" other than off: nginx would send a "
                "call to Payer twice";

    } else if (!u->pass_request_headers || !u->pass_request_body) {
        wrong = "\"proxy_pass_request_headers\" or "
                "\"proxy_pass_request_body\" off: the call would be empty";

    } else if (proxy->method) {
        wrong = "\"proxy_method\": each call to Payer has its own method";

    } else if (proxy->body_source.data) {
        wrong = "\"proxy_set_body\": each call to Payer has its own body";

    } else if (u->intercept_errors) {
        wrong = "\"proxy_intercept_errors\" on: Payer's errors would be lost";

#if (NGX_HTTP_CACHE)
    } else if (u->cache) {
        wrong = "\"proxy_cache\": an old answer would be taken for Payer's";
#endif
    }

    if (wrong) {
        ngx_http_payer_refuse(cf, conf, "location \"%V\" of \"payer_api\" has "
                              "%s, include payer_api.conf in it",
                              &clcf->name, wrong);
        return NGX_ERROR;
    }

    return ngx_http_payer_check_transport(cf, conf, proxy);
}


static ngx_int_t
ngx_http_payer_check_transport(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf, ngx_http_payer_proxy_conf_t *proxy)
{
    if (proxy->url.len == 0) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"proxy_pass\" of location \"%V\" has variables, so "
                      "that it cannot be checked whether credentials are "
                      "sent over verified TLS in %s:%ui",
                      &conf->api, conf->file, conf->line);
        return NGX_OK;
    }

    if (conf->insecure) {
        return NGX_OK;
    }

    if (ngx_strncasecmp(proxy->url.data, (u_char *) "https://",
                        ngx_min(proxy->url.len, 8))
        != 0)
    {
        ngx_http_payer_refuse(cf, conf, "\"proxy_pass\" of location \"%V\" "
                              "would send credentials over plain http, use "
                              "https, or \"payer_insecure_upstream on\" with "
                              "a simulator", &conf->api);
        return NGX_ERROR;
    }

#if (NGX_HTTP_SSL)

    if (!proxy->upstream.ssl_verify) {
        ngx_http_payer_refuse(cf, conf, "location \"%V\" would send "
                              "credentials over unverified TLS, set "
                              "\"proxy_ssl_verify on\", or "
                              "\"payer_insecure_upstream on\" with a "
                              "simulator", &conf->api);
        return NGX_ERROR;
    }

#endif

    return NGX_OK;
}


/*
 * the name of Payer's host: what payer_api says, else the first server of
 * the upstream{} block, else the host in proxy_pass
 */

static void
ngx_http_payer_road_host(ngx_http_payer_loc_conf_t *conf,
    ngx_http_payer_proxy_conf_t *proxy, ngx_str_t *host)
{
    u_char                        *p;
    ngx_http_upstream_server_t    *server;
    ngx_http_upstream_srv_conf_t  *uscf;

    if (conf->api_host.len) {
        *host = conf->api_host;
        return;
    }

    ngx_str_null(host);

    uscf = proxy->upstream.upstream;

    if (uscf == NULL) {
        return;
    }

    *host = uscf->host;

    if (uscf->servers == NULL || uscf->servers->nelts == 0
        || (uscf->flags & NGX_HTTP_UPSTREAM_CREATE) == 0)
    {
        return;
    }

    server = uscf->servers->elts;

    if (server[0].name.len == 0
        || ngx_strncmp(server[0].name.data, "unix:", 5) == 0)
    {
        return;
    }

    *host = server[0].name;

    if (host->data[0] != '[') {
        p = ngx_strlchr(host->data, host->data + host->len, ':');

        if (p) {
            host->len = p - host->data;
        }
    }
}


/* a shop that tests in one location and sells in another shares no zone */

static ngx_int_t
ngx_http_payer_check_hosts(ngx_conf_t *cf)
{
    ngx_str_t                    *host;
    ngx_uint_t                    i;
    ngx_http_payer_loc_conf_t   **door, *live, *test;
    ngx_http_payer_main_conf_t   *pmcf;

    static ngx_str_t  live_host = ngx_string("b2b.payer.se");
    static ngx_str_t  test_host = ngx_string("stage-b2b.payer.se");

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_payer_module);

    door = pmcf->doors.elts;
    live = NULL;
    test = NULL;

    for (i = 0; i < pmcf->doors.nelts; i++) {

        if (door[i]->road == NULL) {
            continue;
        }

        host = &door[i]->road->host;

        if (host->len == live_host.len
            && ngx_strncasecmp(host->data, live_host.data, host->len) == 0)
        {
            live = door[i];

        } else if (host->len == test_host.len
                   && ngx_strncasecmp(host->data, test_host.data, host->len)
                      == 0)
        {
            test = door[i];
        }
    }

    if (live && test) {
        ngx_http_payer_refuse(cf, test, "location \"%V\" talks to \"%V\" and "
                              "location \"%V\" to \"%V\": test and live "
                              "payments cannot share a \"payer_zone\"",
                              &test->clcf->name, &test_host,
                              &live->clcf->name, &live_host);
        return NGX_ERROR;
    }

    return NGX_OK;
}
