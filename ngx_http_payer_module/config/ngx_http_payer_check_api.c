
/*
 * The checks of the API location: a configuration in which credentials or
 * calls could go elsewhere is rejected.
 */


#include "ngx_http_payer_conf.h"
#include "ngx_http_payer_codes.h"
#include "ngx_http_payer_locate.h"


static ngx_int_t ngx_http_payer_check_api_loc(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);
static void ngx_http_payer_api_loc_host(ngx_http_payer_loc_conf_t *conf,
    ngx_http_payer_proxy_conf_t *proxy, ngx_str_t *host);
static void ngx_http_payer_api_loc_hosts(ngx_http_payer_api_loc_t *api_loc,
    ngx_http_payer_proxy_conf_t *proxy);
static void ngx_http_payer_api_loc_name(ngx_http_payer_api_loc_t *api_loc,
    ngx_str_t *host);
static ngx_int_t ngx_http_payer_check_hosts(ngx_conf_t *cf);


static ngx_str_t  ngx_http_payer_live_host = ngx_string("b2b.payer.se");
static ngx_str_t  ngx_http_payer_test_host = ngx_string("stage-b2b.payer.se");


ngx_int_t
ngx_http_payer_check_api_locs(ngx_conf_t *cf)
{
    ngx_uint_t                   i;
    ngx_http_payer_loc_conf_t  **locs;
    ngx_http_payer_main_conf_t  *pmcf;

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_payer_module);

    locs = pmcf->locations.elts;

    if (pmcf->locations.nelts && pmcf->zone->shm_zone == NULL) {
        ngx_http_payer_refuse(cf, locs[0], "\"%V\" in location \"%V\" needs "
                              "a \"payer_zone\"", &locs[0]->handler->directive,
                              &locs[0]->clcf->name);
        return NGX_ERROR;
    }

    for (i = 0; i < pmcf->locations.nelts; i++) {

        if (ngx_http_payer_calls(locs[i])
            && ngx_http_payer_check_api_loc(cf, locs[i]) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return ngx_http_payer_check_hosts(cf);
}


ngx_uint_t
ngx_http_payer_is_api_loc(ngx_conf_t *cf, ngx_http_core_srv_conf_t *cscf,
    ngx_http_core_loc_conf_t *clcf)
{
    ngx_uint_t                   i;
    ngx_http_core_loc_conf_t    *server;
    ngx_http_payer_loc_conf_t  **locs;
    ngx_http_payer_main_conf_t  *pmcf;

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_payer_module);

    locs = pmcf->locations.elts;
    server = cscf->ctx->loc_conf[ngx_http_core_module.ctx_index];

    for (i = 0; i < pmcf->locations.nelts; i++) {

        if (locs[i]->cscf == cscf && ngx_http_payer_calls(locs[i])
            && ngx_http_payer_locate_prefix(server, &locs[i]->api) == clcf)
        {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_payer_check_api_loc(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf)
{
    ngx_str_t                     texts[4];
    ngx_http_payer_api_loc_t     *api_loc;
    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_payer_proxy_conf_t  *proxy;

    clcf = conf->cscf->ctx->loc_conf[ngx_http_core_module.ctx_index];

    clcf = ngx_http_payer_locate_prefix(clcf, &conf->api);

    if (clcf == NULL) {
        ngx_http_payer_refuse(cf, conf, "there is no location \"%V\" in this "
                              "server, which \"payer_api\" of location \"%V\" "
                              "names", &conf->api, &conf->clcf->name);
        return NGX_ERROR;
    }

    if (!clcf->internal) {
        ngx_http_payer_refuse(cf, conf, "location \"%V\" of \"payer_api\" is "
                              "not internal, so that any client could call "
                              "Payer through it", &clcf->name);
        return NGX_ERROR;
    }

    proxy = ngx_http_payer_foreign_conf(cf, clcf->loc_conf,
                                        "ngx_http_proxy_module");

    if (proxy == NULL || clcf->handler == NULL
        || (proxy->url.len == 0 && proxy->proxy_lengths == NULL))
    {
        ngx_http_payer_refuse(cf, conf, "location \"%V\" of \"payer_api\" has "
                              "no \"proxy_pass\"", &clcf->name);
        return NGX_ERROR;
    }

    api_loc = ngx_pcalloc(cf->pool, sizeof(ngx_http_payer_api_loc_t));
    if (api_loc == NULL
        || ngx_array_init(&api_loc->checked, cf->pool, 1, sizeof(void **))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    api_loc->clcf = clcf;
    api_loc->insecure = conf->insecure;
    ngx_http_payer_api_loc_host(conf, proxy, &api_loc->host);
    ngx_http_payer_api_loc_hosts(api_loc, proxy);

    conf->api_loc = api_loc;

    if (ngx_http_payer_check_proxy(cf, conf, proxy) != NGX_OK) {
        return NGX_ERROR;
    }

#if (NGX_HTTP_SSL && defined SSL_OP_CLEANSE_PLAINTEXT)

    /*
     * what OpenSSL decrypts may contain a token, which must not stay in a
     * buffer
     */

    if (proxy->upstream.ssl && proxy->upstream.ssl->ctx) {
        SSL_CTX_set_options(proxy->upstream.ssl->ctx,
                            SSL_OP_CLEANSE_PLAINTEXT);
    }

#endif

    /* one token for all locations with the same credentials and host */

    texts[0] = api_loc->host;
    texts[1] = clcf->name;
    texts[2] = conf->client_id;
    texts[3] = conf->secret;

    return ngx_http_payer_digest(texts, 4, conf->merchant->key);
}


/*
 * the name of Payer's host: what payer_api says, else the first server of
 * the upstream{} block, else the host in proxy_pass
 */

static void
ngx_http_payer_api_loc_host(ngx_http_payer_loc_conf_t *conf,
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


/* which of Payer's own hosts the API location leads to, by any of its names */

static void
ngx_http_payer_api_loc_hosts(ngx_http_payer_api_loc_t *api_loc,
    ngx_http_payer_proxy_conf_t *proxy)
{
    ngx_uint_t                     i;
    ngx_http_upstream_server_t    *server;
    ngx_http_upstream_srv_conf_t  *uscf;

    ngx_http_payer_api_loc_name(api_loc, &api_loc->host);

    uscf = proxy->upstream.upstream;

    if (uscf == NULL) {
        return;
    }

    ngx_http_payer_api_loc_name(api_loc, &uscf->host);

    if (uscf->servers == NULL) {
        return;
    }

    server = uscf->servers->elts;

    for (i = 0; i < uscf->servers->nelts; i++) {
        ngx_http_payer_api_loc_name(api_loc, &server[i].name);
    }
}


static void
ngx_http_payer_api_loc_name(ngx_http_payer_api_loc_t *api_loc, ngx_str_t *host)
{
    u_char     *p;
    ngx_str_t   name;

    name = *host;

    p = ngx_strlchr(name.data, name.data + name.len, ':');

    if (p) {
        name.len = p - name.data;
    }

    if (name.len && name.data[name.len - 1] == '.') {
        name.len--;
    }

    if (name.len == ngx_http_payer_live_host.len
        && ngx_strncasecmp(name.data, ngx_http_payer_live_host.data, name.len)
           == 0)
    {
        api_loc->live = 1;
    }

    if (name.len == ngx_http_payer_test_host.len
        && ngx_strncasecmp(name.data, ngx_http_payer_test_host.data, name.len)
           == 0)
    {
        api_loc->test = 1;
    }
}


/* test and live payments must not share a zone */

static ngx_int_t
ngx_http_payer_check_hosts(ngx_conf_t *cf)
{
    ngx_uint_t                   i;
    ngx_http_payer_loc_conf_t  **locs, *live, *test, *other;
    ngx_http_payer_main_conf_t  *pmcf;

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_payer_module);

    locs = pmcf->locations.elts;
    live = NULL;
    test = NULL;
    other = NULL;

    for (i = 0; i < pmcf->locations.nelts; i++) {

        if (locs[i]->insecure) {
            pmcf->store->insecure = 1;
        }

        if (locs[i]->api_loc == NULL) {
            continue;
        }

        if (locs[i]->api_loc->live) {
            live = locs[i];
        }

        if (locs[i]->api_loc->test) {
            test = locs[i];
        }

        if (!locs[i]->api_loc->live && !locs[i]->api_loc->test) {
            other = locs[i];
        }
    }

    if (live && test) {
        ngx_http_payer_refuse(cf, test, "location \"%V\" calls \"%V\" and "
                              "location \"%V\" calls \"%V\": test and live "
                              "payments cannot share a \"payer_zone\"",
                              &test->clcf->name, &ngx_http_payer_test_host,
                              &live->clcf->name, &ngx_http_payer_live_host);
        return NGX_ERROR;
    }

    if (live) {
        ngx_str_set(&pmcf->store->mode, "live");
        pmcf->store->host = ngx_http_payer_live_host;

    } else if (test) {
        ngx_str_set(&pmcf->store->mode, "test");
        pmcf->store->host = ngx_http_payer_test_host;

    } else if (other) {
        ngx_str_set(&pmcf->store->mode, "other");
        pmcf->store->host = other->api_loc->host;
    }

    return NGX_OK;
}


/*
 * last, since the store's files contain the host for which they were created
 */

ngx_int_t
ngx_http_payer_check_store(ngx_conf_t *cf)
{
    ngx_http_payer_main_conf_t  *pmcf;

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_payer_module);

    if (pmcf->store->ops == NULL || pmcf->store->ops->check == NULL) {
        return NGX_OK;
    }

    return pmcf->store->ops->check(cf, pmcf->store);
}
