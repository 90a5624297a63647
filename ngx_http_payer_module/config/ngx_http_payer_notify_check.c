
/*
 * The checks of notifications: the location to which they are sent, and the
 * variables that are empty in a request without a client.
 */


#include "ngx_http_payer_notify.h"
#include "ngx_http_payer_codes.h"
#include "ngx_http_payer_conf.h"
#include "ngx_http_payer_locate.h"
#include "ngx_http_payer_sweep_conf.h"
#include "ngx_http_payer_template.h"


static ngx_int_t ngx_http_payer_check_notify_servers(ngx_conf_t *cf,
    ngx_http_payer_main_conf_t *pmcf);
static ngx_int_t ngx_http_payer_check_told(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);
static ngx_int_t ngx_http_payer_check_notify_location(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf, ngx_http_core_loc_conf_t *clcf);
static ngx_int_t ngx_http_payer_check_notify_lookup(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf, ngx_http_core_loc_conf_t *server);
static ngx_int_t ngx_http_payer_check_notify_headers(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);
static ngx_int_t ngx_http_payer_notify_add(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);
static void ngx_http_payer_check_buyer(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf, ngx_http_core_loc_conf_t *clcf);
static ngx_uint_t ngx_http_payer_buyer_text(ngx_str_t *text,
    ngx_str_t *name);
static ngx_uint_t ngx_http_payer_buyer_codes(ngx_conf_t *cf,
    ngx_array_t *codes, ngx_str_t *name);
static ngx_uint_t ngx_http_payer_of_buyer(ngx_str_t *name);


/* locations that create payments come first: records contain their URIs */

ngx_int_t
ngx_http_payer_check_notify(ngx_conf_t *cf)
{
    ngx_uint_t                   i, pass;
    ngx_http_payer_loc_conf_t  **locs;
    ngx_http_payer_main_conf_t  *pmcf;

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_payer_module);

    locs = pmcf->locations.elts;

    pmcf->wake = ngx_http_payer_notify_wake;

    for (pass = 0; pass < 2; pass++) {

        for (i = 0; i < pmcf->locations.nelts; i++) {

            if (locs[i]->handler->order != (pass == 0)
                || locs[i]->notify == NULL
                || locs[i]->notify->uri.len == 0
                || locs[i]->merchant == NULL)
            {
                continue;
            }

            if (ngx_http_payer_check_told(cf, locs[i]) != NGX_OK) {
                return NGX_ERROR;
            }
        }
    }

    return ngx_http_payer_check_notify_servers(cf, pmcf);
}


/* payer_notify of a server in which nothing is paid tells nobody */

static ngx_int_t
ngx_http_payer_check_notify_servers(ngx_conf_t *cf,
    ngx_http_payer_main_conf_t *pmcf)
{
    ngx_uint_t                    i, n;
    ngx_http_core_srv_conf_t    **servers;
    ngx_http_payer_loc_conf_t    *conf, **locs;
    ngx_http_core_main_conf_t    *cmcf;
    ngx_http_payer_notify_uri_t  *notify;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    servers = cmcf->servers.elts;
    locs = pmcf->locations.elts;

    for (i = 0; i < cmcf->servers.nelts; i++) {

        conf = servers[i]->ctx->loc_conf[ngx_http_payer_module.ctx_index];
        notify = conf->notify;

        if (notify == NULL || notify->outside || notify->uri.len == 0) {
            continue;
        }

        for (n = 0; n < pmcf->locations.nelts; n++) {

            if (locs[n]->cscf == servers[i] && locs[n]->merchant) {
                break;
            }
        }

        if (n != pmcf->locations.nelts) {
            continue;
        }

        if (ngx_http_payer_sweep_check(cf, &conf->sweep, "payer_notify",
                                       notify->file, notify->line)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"payer_notify %V\" has no effect: no location of the "
                      "server calls Payer, so that nothing is sent in %s:%ui",
                      &notify->uri, notify->file, notify->line);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_check_told(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t     *clcf, *server;
    ngx_http_payer_notify_uri_t  *notify;

    notify = conf->notify;

    server = conf->cscf->ctx->loc_conf[ngx_http_core_module.ctx_index];
    clcf = NULL;

    if (ngx_http_payer_locate(server, &notify->uri, &clcf) == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (clcf == NULL) {

        if (notify->outside && !conf->handler->order) {

            /*
             * a server for the back office only: its orders belong to another
             * server
             */

            return NGX_OK;
        }

        ngx_http_payer_refuse(cf, notify, "there is no location for \"%V\" in "
                              "the server of location \"%V\", which "
                              "\"payer_notify\" names", &notify->uri,
                              &conf->clcf->name);
        return NGX_ERROR;
    }

    if (ngx_http_payer_sweep_check(cf, &conf->sweep, "payer_notify",
                                   notify->file, notify->line)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_payer_check_notify_location(cf, conf, clcf) != NGX_OK
        || ngx_http_payer_check_notify_headers(cf, conf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    conf->notify_clcf = clcf;

    if (ngx_http_payer_check_notify_lookup(cf, conf, server) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!notify->warned) {
        ngx_http_payer_check_buyer(cf, conf, clcf);

        if (conf->lookup_clcf && conf->lookup_clcf != clcf) {
            ngx_http_payer_check_buyer(cf, conf, conf->lookup_clcf);
        }
    }

    return ngx_http_payer_notify_add(cf, conf);
}


static ngx_int_t
ngx_http_payer_check_notify_location(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf, ngx_http_core_loc_conf_t *clcf)
{
    ngx_http_payer_leads_t        leads;
    ngx_http_payer_loc_conf_t    *inner;
    ngx_http_payer_notify_uri_t  *notify;

    notify = conf->notify;

    if (!clcf->internal) {
        ngx_http_payer_refuse(cf, notify, "location \"%V\" of \"payer_notify "
                              "%V\" is not internal, so that any client could "
                              "mark an order as paid",
                              &clcf->name, &notify->uri);
        return NGX_ERROR;
    }

    if (clcf->handler == NULL) {
        ngx_http_payer_refuse(cf, notify, "location \"%V\" of \"payer_notify "
                              "%V\" does not pass requests to the shop, it "
                              "has no \"proxy_pass\", \"fastcgi_pass\", "
                              "\"uwsgi_pass\" or \"scgi_pass\"",
                              &clcf->name, &notify->uri);
        return NGX_ERROR;
    }

    inner = clcf->loc_conf[ngx_http_payer_module.ctx_index];

    if (inner->handler && clcf->handler == inner->handler->content) {
        ngx_http_payer_refuse(cf, notify, "location \"%V\" of \"payer_notify "
                              "%V\" has \"%V\", which does not pass requests "
                              "to the shop",
                              &clcf->name, &notify->uri,
                              &inner->handler->directive);
        return NGX_ERROR;
    }

    if (ngx_http_payer_is_api_loc(cf, conf->cscf, clcf)) {
        ngx_http_payer_refuse(cf, notify, "location \"%V\" of \"payer_notify "
                              "%V\" is that of \"payer_api\", which passes "
                              "requests to Payer and not to the shop",
                              &clcf->name, &notify->uri);
        return NGX_ERROR;
    }

    ngx_http_payer_codes_lead(cf, clcf->loc_conf, 1, &leads);

    if (leads.always) {
        ngx_http_payer_refuse(cf, notify, "location \"%V\" of \"payer_notify "
                              "%V\" has \"%s\", so that the shop is never "
                              "notified; only \"rewrite ... break\" is "
                              "allowed in it", &clcf->name, &notify->uri,
                              leads.always);
        return NGX_ERROR;
    }

    if (ngx_http_payer_has_cache(cf, clcf)) {
        ngx_http_payer_refuse(cf, notify, "location \"%V\" of \"payer_notify "
                              "%V\" has a cache: an old response would be "
                              "used", &clcf->name, &notify->uri);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* the rules of the lookup may be set in the location of the notification */

static ngx_int_t
ngx_http_payer_check_notify_lookup(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf, ngx_http_core_loc_conf_t *server)
{
    ngx_http_core_loc_conf_t   *clcf;
    ngx_http_payer_loc_conf_t  *inner;

    inner = conf->notify_clcf->loc_conf[ngx_http_payer_module.ctx_index];

    if (inner->lookup == NULL || inner->lookup_clcf) {
        return NGX_OK;
    }

    clcf = NULL;

    if (ngx_http_payer_locate(server, &inner->lookup->uri, &clcf)
        == NGX_ERROR)
    {
        return NGX_ERROR;
    }

    if (clcf == NULL || !clcf->internal || clcf->handler == NULL) {
        ngx_http_payer_refuse(cf, inner->lookup, "there is no internal "
                              "location for \"%V\" that passes requests to "
                              "the shop, which \"payer_lookup\" in the "
                              "location of \"payer_notify\" names",
                              &inner->lookup->uri);
        return NGX_ERROR;
    }

    inner->lookup_clcf = clcf;

    return NGX_OK;
}


/* before a notification the shop is asked by the lookups of this server */

static ngx_int_t
ngx_http_payer_check_notify_headers(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf)
{
    ngx_uint_t                   i;
    ngx_http_payer_loc_conf_t  **locs;
    ngx_http_payer_main_conf_t  *pmcf;

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_payer_module);

    locs = pmcf->locations.elts;

    for (i = 0; i < pmcf->locations.nelts; i++) {

        if (locs[i]->cscf != conf->cscf || locs[i]->lookup == NULL
            || locs[i]->lookup->headers.nelts == 0)
        {
            continue;
        }

        ngx_http_payer_refuse(cf, locs[i]->lookup, "\"payer_lookup_header\" "
                              "cannot be used together with \"payer_notify "
                              "%V\": a notification has no buyer whose "
                              "headers could be passed to the lookup",
                              &conf->notify->uri);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* one for each server and URI */

static ngx_int_t
ngx_http_payer_notify_add(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf)
{
    ngx_http_payer_main_conf_t     *pmcf;
    ngx_http_payer_notify_place_t  *place;

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_payer_module);

    if (ngx_http_payer_notify_place(pmcf, &conf->cscf->server_name,
                                    &conf->notify->uri))
    {
        return NGX_OK;
    }

    place = ngx_array_push(&pmcf->notified);
    if (place == NULL) {
        return NGX_ERROR;
    }

    place->server = &conf->cscf->server_name;
    place->conf = conf;

    return NGX_OK;
}


/* variables of a client's request would be empty in this location */

static void
ngx_http_payer_check_buyer(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf,
    ngx_http_core_loc_conf_t *clcf)
{
    ngx_str_t                     name;
    ngx_uint_t                    i, found;
    ngx_keyval_t                 *header;
    ngx_http_payer_proxy_conf_t  *proxy;

    proxy = ngx_http_payer_foreign_conf(cf, clcf->loc_conf,
                                        "ngx_http_proxy_module");

    if (proxy == NULL || proxy->upstream.upstream == NULL) {

        if (proxy == NULL || proxy->proxy_values == NULL) {
            return;
        }
    }

    found = ngx_http_payer_buyer_text(&proxy->body_source, &name)
            || ngx_http_payer_buyer_codes(cf, proxy->proxy_values, &name);

    if (proxy->headers_source && !found) {
        header = proxy->headers_source->elts;

        for (i = 0; i < proxy->headers_source->nelts && !found; i++) {
            found = ngx_http_payer_buyer_text(&header[i].value, &name);
        }
    }

    if (!found) {
        return;
    }

    conf->notify->warned = 1;

    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "location \"%V\" uses \"$%V\", which belongs to a request "
                  "of a buyer: for \"payer_notify %V\" it is empty or has "
                  "another value in %s:%ui",
                  &clcf->name, &name, &conf->notify->uri, conf->notify->file,
                  conf->notify->line);
}


static ngx_uint_t
ngx_http_payer_buyer_text(ngx_str_t *text, ngx_str_t *name)
{
    ngx_http_payer_template_t  t;

    if (text->len == 0) {
        return 0;
    }

    ngx_http_payer_template_init(&t, text);

    while (ngx_http_payer_template_next(&t) == NGX_OK) {
        if (ngx_http_payer_of_buyer(&t.name)) {
            *name = t.name;
            return 1;
        }
    }

    return 0;
}


/* proxy_pass with variables keeps its code only */

static ngx_uint_t
ngx_http_payer_buyer_codes(ngx_conf_t *cf, ngx_array_t *codes,
    ngx_str_t *name)
{
    u_char                       *p, *last;
    ngx_http_variable_t          *variable;
    ngx_http_core_main_conf_t    *cmcf;
    ngx_http_script_var_code_t   *code;

    if (codes == NULL) {
        return 0;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    variable = cmcf->variables.elts;

    p = codes->elts;
    last = p + codes->nelts * codes->size;

    for ( /* void */ ;
         last - p >= (ssize_t) sizeof(ngx_http_script_var_code_t);
         p += sizeof(uintptr_t))
    {
        code = (ngx_http_script_var_code_t *) p;

        if (code->code == ngx_http_script_copy_var_code
            && code->index < cmcf->variables.nelts
            && ngx_http_payer_of_buyer(&variable[code->index].name))
        {
            *name = variable[code->index].name;
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_payer_of_buyer(ngx_str_t *name)
{
    ngx_str_t  *word;

    static ngx_str_t  families[] = {
        ngx_string("http_"), ngx_string("cookie_"), ngx_string("remote_"),
        ngx_null_string
    };

    for (word = families; word->len; word++) {
        if (name->len > word->len
            && ngx_strncasecmp(name->data, word->data, word->len) == 0)
        {
            return 1;
        }
    }

    return name->len == 6
           && ngx_strncasecmp(name->data, (u_char *) "scheme", 6) == 0;
}
