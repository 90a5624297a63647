
/*
 * The checks of the API location: what nginx's proxy does in the location that
 * payer_api names, and in each "if" and "limit_except" of it.
 */


#include "ngx_http_payer_conf.h"
#include "ngx_http_payer_codes.h"


/* a header that each call has, and why the location may not set it */
typedef struct {
    ngx_str_t     name;
    const char   *wrong;
} ngx_http_payer_own_header_t;


static ngx_int_t ngx_http_payer_checked(ngx_http_payer_loc_conf_t *conf,
    void **loc_conf);
static ngx_int_t ngx_http_payer_check_inner(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf, ngx_http_location_tree_node_t *node);
static ngx_int_t ngx_http_payer_check_nested(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf, ngx_http_payer_proxy_conf_t *proxy);
static ngx_int_t ngx_http_payer_check_branch(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf, ngx_http_payer_proxy_conf_t *proxy,
    void **loc_conf);
static ngx_int_t ngx_http_payer_check_settings(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf, void **loc_conf);
static const char *ngx_http_payer_wrong_proxy(
    ngx_http_payer_proxy_conf_t *proxy);
static const char *ngx_http_payer_wrong_header(
    ngx_http_payer_proxy_conf_t *proxy);
static const char *ngx_http_payer_wrong_place(ngx_conf_t *cf,
    void **loc_conf);
static ngx_uint_t ngx_http_payer_authorization_logged(ngx_conf_t *cf,
    void **loc_conf);
static ngx_int_t ngx_http_payer_check_rewrite(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf, ngx_http_payer_proxy_conf_t *proxy);
static ngx_uint_t ngx_http_payer_strips(ngx_str_t *url,
    ngx_http_payer_leads_t *leads);
static ngx_uint_t ngx_http_payer_first_of_api_loc(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);
static ngx_int_t ngx_http_payer_check_transport(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf, ngx_http_payer_proxy_conf_t *proxy);


ngx_int_t
ngx_http_payer_check_proxy(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf,
    ngx_http_payer_proxy_conf_t *proxy)
{
    if (ngx_http_payer_check_settings(cf, conf, conf->api_loc->clcf->loc_conf)
        != NGX_OK
        || ngx_http_payer_check_rewrite(cf, conf, proxy) != NGX_OK
        || ngx_http_payer_check_transport(cf, conf, proxy) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_payer_checked(conf, conf->api_loc->clcf->loc_conf) != NGX_OK
        || ngx_http_payer_check_inner(cf, conf,
                                      conf->api_loc->clcf->static_locations)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_payer_check_nested(cf, conf, proxy);
}


/* a configuration that calls can be sent with */

static ngx_int_t
ngx_http_payer_checked(ngx_http_payer_loc_conf_t *conf, void **loc_conf)
{
    void  ***checked;

    checked = ngx_array_push(&conf->api_loc->checked);
    if (checked == NULL) {
        return NGX_ERROR;
    }

    *checked = loc_conf;

    return NGX_OK;
}


/*
 * Calls are never sent to a location nested in this one, but its author may
 * expect that: a fault in it is reported, too.
 */

static ngx_int_t
ngx_http_payer_check_inner(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf,
    ngx_http_location_tree_node_t *node)
{
    void                         **loc_conf;
    ngx_uint_t                     i;
    ngx_http_core_loc_conf_t      *clcf;
    ngx_http_payer_node_loc_t     *inner[2];
    ngx_http_payer_proxy_conf_t   *proxy;

    if (node == NULL) {
        return NGX_OK;
    }

    inner[0] = node->exact;
    inner[1] = node->inclusive;

    for (i = 0; i < 2; i++) {

        if (inner[i] == NULL) {
            continue;
        }

        clcf = ngx_http_payer_node_clcf(inner[i]);

        if (clcf->handler != conf->api_loc->clcf->handler) {
            continue;
        }

        loc_conf = clcf->loc_conf;
        proxy = ngx_http_payer_foreign_conf(cf, loc_conf,
                                            "ngx_http_proxy_module");

        if (ngx_http_payer_check_settings(cf, conf, loc_conf) != NGX_OK
            || ngx_http_payer_check_transport(cf, conf, proxy) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (ngx_http_payer_check_inner(cf, conf, node->left) != NGX_OK
        || ngx_http_payer_check_inner(cf, conf, node->right) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_payer_check_inner(cf, conf, node->tree);
}


/* "if" and "limit_except" replace the configuration of the call */

static ngx_int_t
ngx_http_payer_check_nested(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf,
    ngx_http_payer_proxy_conf_t *proxy)
{
    ngx_http_core_loc_conf_t   *clcf;
    ngx_http_script_code_pt     code;
    ngx_http_payer_codes_t      codes;
    ngx_http_script_if_code_t  *if_code;

    clcf = conf->api_loc->clcf;

    if (clcf->limit_except_loc_conf
        && ngx_http_payer_check_branch(cf, conf, proxy,
                                       clcf->limit_except_loc_conf)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_payer_codes_init(cf, clcf->loc_conf, &codes);

    for ( ;; ) {
        code = ngx_http_payer_codes_next(&codes);

        if (code == NULL) {
            return NGX_OK;
        }

        if_code = (ngx_http_script_if_code_t *) codes.pos;

        if (code == ngx_http_script_if_code && if_code->loc_conf
            && ngx_http_payer_check_branch(cf, conf, proxy, if_code->loc_conf)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }
}


static ngx_int_t
ngx_http_payer_check_branch(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf,
    ngx_http_payer_proxy_conf_t *proxy, void **loc_conf)
{
    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_payer_proxy_conf_t  *nested;

    clcf = loc_conf[ngx_http_core_module.ctx_index];
    nested = ngx_http_payer_foreign_conf(cf, loc_conf,
                                         "ngx_http_proxy_module");

    if ((clcf->handler && clcf->handler != conf->api_loc->clcf->handler)
        || nested->url.len
        || nested->proxy_lengths != proxy->proxy_lengths)
    {
        ngx_http_payer_refuse(cf, conf, "location \"%V\" of \"payer_api\" has "
                              "an \"if\" or \"limit_except\" with another "
                              "\"proxy_pass\" or handler, where calls would "
                              "go with the credentials; remove it",
                              &conf->api_loc->clcf->name);
        return NGX_ERROR;
    }

    if (ngx_http_payer_check_settings(cf, conf, loc_conf) != NGX_OK) {
        return NGX_ERROR;
    }

#if (NGX_HTTP_SSL)

    if (proxy->url.len && !conf->insecure && !nested->upstream.ssl_verify) {
        ngx_http_payer_refuse(cf, conf, "location \"%V\" would send "
                              "credentials over unverified TLS in an \"if\" "
                              "or \"limit_except\", set "
                              "\"proxy_ssl_verify on\" there",
                              &conf->api_loc->clcf->name);
        return NGX_ERROR;
    }

#endif

    return ngx_http_payer_checked(conf, loc_conf);
}


static ngx_int_t
ngx_http_payer_check_settings(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf,
    void **loc_conf)
{
    const char  *wrong;

    wrong = ngx_http_payer_wrong_proxy(
                              ngx_http_payer_foreign_conf(cf, loc_conf,
                                                    "ngx_http_proxy_module"));

    if (wrong) {
        ngx_http_payer_refuse(cf, conf, "location \"%V\" of \"payer_api\" has "
                              "%s, include payer_api.conf in it",
                              &conf->api_loc->clcf->name, wrong);
        return NGX_ERROR;
    }

    wrong = ngx_http_payer_wrong_place(cf, loc_conf);

    if (wrong) {
        ngx_http_payer_refuse(cf, conf, "location \"%V\" of \"payer_api\" has "
                              "%s", &conf->api_loc->clcf->name, wrong);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static const char *
ngx_http_payer_wrong_proxy(ngx_http_payer_proxy_conf_t *proxy)
{
    const char                *header;
    ngx_http_upstream_conf_t  *u;

    u = &proxy->upstream;

    if (!u->ignore_client_abort) {
        return "\"proxy_ignore_client_abort\" off: a buyer who closes the "
               "connection would abort a call to Payer";
    }

    if ((u->next_upstream & ~NGX_HTTP_UPSTREAM_FT_OFF)
        & (NGX_HTTP_UPSTREAM_FT_ERROR|NGX_HTTP_UPSTREAM_FT_TIMEOUT
           |NGX_HTTP_UPSTREAM_FT_INVALID_HEADER
           |NGX_HTTP_UPSTREAM_FT_HTTP_500|NGX_HTTP_UPSTREAM_FT_HTTP_502
           |NGX_HTTP_UPSTREAM_FT_HTTP_503|NGX_HTTP_UPSTREAM_FT_HTTP_504
           |NGX_HTTP_UPSTREAM_FT_HTTP_403|NGX_HTTP_UPSTREAM_FT_HTTP_404
           |NGX_HTTP_UPSTREAM_FT_HTTP_429
           |NGX_HTTP_UPSTREAM_FT_NON_IDEMPOTENT))
    {
        return "\"proxy_next_upstream\" other than off: nginx would send a "
               "call to Payer twice";
    }

    if (!u->pass_request_headers || !u->pass_request_body) {
        return "\"proxy_pass_request_headers\" or "
               "\"proxy_pass_request_body\" off: the call would be empty";
    }

    header = ngx_http_payer_wrong_header(proxy);

    if (header) {
        return header;
    }

    if (proxy->method) {
        return "\"proxy_method\": each call to Payer has its own method";
    }

    if (proxy->body_source.data) {
        return "\"proxy_set_body\": each call to Payer has its own body";
    }

    if (u->intercept_errors) {
        return "\"proxy_intercept_errors\" on: Payer's errors would be lost";
    }

#if (NGX_HTTP_CACHE)
    if (u->cache) {
        return "\"proxy_cache\": an old reply of Payer would be used";
    }
#endif

    if (u->store > 0) {
        return "\"proxy_store\": Payer's tokens would be written to files";
    }

    return NULL;
}


/* headers by which Payer knows the merchant, the call and its body */

static const char *
ngx_http_payer_wrong_header(ngx_http_payer_proxy_conf_t *proxy)
{
    ngx_uint_t                    i;
    ngx_keyval_t                 *header;
    ngx_http_payer_own_header_t  *own;

    static ngx_http_payer_own_header_t  headers[] = {

        { ngx_string("Authorization"), "\"proxy_set_header Authorization\": "
          "each call to Payer has its own token" },

        { ngx_string("Payer-Request-ID"), "\"proxy_set_header "
          "Payer-Request-ID\": each call to Payer has its own id, which is "
          "the same when it is sent again, so that it is executed once" },

        { ngx_string("Content-Type"), "\"proxy_set_header Content-Type\": "
          "each call to Payer has its own body" },

        { ngx_string("Content-Length"), "\"proxy_set_header "
          "Content-Length\": each call to Payer has its own body" },

        { ngx_string("Transfer-Encoding"), "\"proxy_set_header "
          "Transfer-Encoding\": each call to Payer has its own body" },

        { ngx_null_string, NULL }
    };

    if (proxy->headers_source == NULL) {
        return NULL;
    }

    header = proxy->headers_source->elts;

    for (i = 0; i < proxy->headers_source->nelts; i++) {

        for (own = headers; own->name.len; own++) {

            if (header[i].key.len == own->name.len
                && ngx_strncasecmp(header[i].key.data, own->name.data,
                                   own->name.len)
                   == 0)
            {
                return own->wrong;
            }
        }
    }

    return NULL;
}


/* what other modules do with a call */

static const char *
ngx_http_payer_wrong_place(ngx_conf_t *cf, void **loc_conf)
{
    void  **mirror;

    /* its configuration begins with the array of URIs */

    mirror = ngx_http_payer_foreign_conf(cf, loc_conf,
                                         "ngx_http_mirror_module");

    if (mirror && *mirror) {
        return "\"mirror\", which would send the credentials to another "
               "location, too; set \"mirror off\" in it";
    }

    if (ngx_http_payer_authorization_logged(cf, loc_conf)) {
        return "\"log_subrequest\" on, and \"$http_authorization\" is used: "
               "the API key would be written to the access log; set "
               "\"log_subrequest off\" or \"access_log off\" in it";
    }

    return NULL;
}


/* the text of a log format cannot be read here, only whether it is used */

static ngx_uint_t
ngx_http_payer_authorization_logged(ngx_conf_t *cf, void **loc_conf)
{
    void                       **logs;
    ngx_uint_t                   i;
    ngx_http_variable_t         *v;
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_core_main_conf_t   *cmcf;

    static ngx_str_t  name = ngx_string("http_authorization");

    clcf = loc_conf[ngx_http_core_module.ctx_index];

    /* its configuration begins with the array of logs */

    logs = ngx_http_payer_foreign_conf(cf, loc_conf, "ngx_http_log_module");

    if (!clcf->log_subrequest || logs == NULL || *logs == NULL) {
        return 0;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    v = cmcf->variables.elts;

    for (i = 0; i < cmcf->variables.nelts; i++) {
        if (v[i].name.len == name.len
            && ngx_strncmp(v[i].name.data, name.data, name.len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* a call goes to the location that was checked, and without its prefix */

static ngx_int_t
ngx_http_payer_check_rewrite(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf,
    ngx_http_payer_proxy_conf_t *proxy)
{
    const char              *what;
    ngx_http_payer_leads_t   leads;

    ngx_http_payer_codes_lead(cf, conf->api_loc->clcf->loc_conf, 1, &leads);

    what = leads.always;

    if (what == NULL && leads.sometimes
        && ngx_strcmp(leads.sometimes, "rewrite") == 0)
    {
        what = leads.sometimes;
    }

    if (what) {
        ngx_http_payer_refuse(cf, conf, "location \"%V\" of \"payer_api\" has "
                              "\"%s\", which leads calls elsewhere with the "
                              "credentials, or ends them; only \"rewrite ... "
                              "break\" is allowed in it",
                              &conf->api_loc->clcf->name, what);
        return NGX_ERROR;
    }

    if (proxy->url.len && !ngx_http_payer_strips(&proxy->url, &leads)) {
        ngx_http_payer_refuse(cf, conf, "\"proxy_pass %V\" of location "
                              "\"%V\" does not replace the prefix of "
                              "\"payer_api\", so that Payer would answer 404; "
                              "end it with a slash", &proxy->url,
                              &conf->api_loc->clcf->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_payer_strips(ngx_str_t *url, ngx_http_payer_leads_t *leads)
{
    u_char  *p, *last;

    last = url->data + url->len;

    p = ngx_strlchr(url->data, last, ':');

    if (p == NULL || last - p < 3) {
        return 1;
    }

    p += 3;

    if (ngx_strncasecmp(p, (u_char *) "unix:", ngx_min(last - p, 5)) == 0
        && last - p > 5)
    {
        /* the path of the socket ends with a colon */

        p = ngx_strlchr(p + 5, last, ':');

    } else {
        p = ngx_strlchr(p, last, '/');
    }

    return p ? last[-1] == '/' : leads->keeps;
}


/* many locations share one API location: one warning is enough */

static ngx_uint_t
ngx_http_payer_first_of_api_loc(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf)
{
    ngx_uint_t                   i;
    ngx_http_payer_loc_conf_t  **locs;
    ngx_http_payer_main_conf_t  *pmcf;

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_payer_module);

    locs = pmcf->locations.elts;

    for (i = 0; i < pmcf->locations.nelts && locs[i] != conf; i++) {
        if (locs[i]->api_loc
            && locs[i]->api_loc->clcf == conf->api_loc->clcf)
        {
            return 0;
        }
    }

    return 1;
}


static ngx_int_t
ngx_http_payer_check_transport(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf, ngx_http_payer_proxy_conf_t *proxy)
{
    ngx_http_payer_api_loc_t  *api_loc;

    api_loc = conf->api_loc;

    if (conf->insecure && api_loc->live) {
        ngx_http_payer_refuse(cf, conf, "location \"%V\" has "
                              "\"payer_insecure_upstream on\" and calls "
                              "Payer's live host, remove the directive",
                              &conf->clcf->name);
        return NGX_ERROR;
    }

    if (proxy->url.len == 0) {

        if (!ngx_http_payer_first_of_api_loc(cf, conf)) {
            return NGX_OK;
        }

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
