
/*
 * The checks of lookups: the location that is requested, and that amount and
 * order number belong together.
 */


#include "ngx_http_payer_lookup.h"
#include "ngx_http_payer_codes.h"
#include "ngx_http_payer_conf.h"
#include "ngx_http_payer_locate.h"
#include "ngx_http_payer_source.h"
#include "ngx_http_payer_template.h"


typedef ngx_uint_t (*ngx_http_payer_belongs_pt)(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf, ngx_str_t *name);


static ngx_int_t ngx_http_payer_check_lookup(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);
static ngx_int_t ngx_http_payer_check_lookup_nested(ngx_conf_t *cf,
    ngx_http_payer_lookup_conf_t *lookup, ngx_http_core_loc_conf_t *clcf);
static ngx_int_t ngx_http_payer_check_lookup_branch(ngx_conf_t *cf,
    ngx_http_payer_lookup_conf_t *lookup, ngx_http_core_loc_conf_t *clcf,
    void **loc_conf);
static ngx_uint_t ngx_http_payer_passes_elsewhere(ngx_conf_t *cf,
    ngx_http_core_loc_conf_t *clcf, void **loc_conf);
static ngx_int_t ngx_http_payer_check_lookup_leads(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf, ngx_http_core_loc_conf_t *clcf);
static ngx_int_t ngx_http_payer_check_lookup_cache(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf, ngx_http_core_loc_conf_t *clcf);
static ngx_int_t ngx_http_payer_check_together(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);
static ngx_int_t ngx_http_payer_check_belongs(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf, char *directive, ngx_str_t *value,
    ngx_http_payer_belongs_pt belongs);
static ngx_uint_t ngx_http_payer_number_belongs(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf, ngx_str_t *name);
static ngx_uint_t ngx_http_payer_price_belongs(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf, ngx_str_t *name);
static void ngx_http_payer_check_match(ngx_conf_t *cf,
    ngx_http_payer_lookup_conf_t *lookup);
static ngx_uint_t ngx_http_payer_buyer_chooses(ngx_conf_t *cf,
    ngx_http_payer_lookup_conf_t *lookup);


ngx_int_t
ngx_http_payer_check_lookups(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf)
{
    if (!conf->handler->order && conf->verify.reference.value == NULL) {
        return NGX_OK;
    }

    if (conf->lookup && ngx_http_payer_check_lookup(cf, conf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_payer_check_together(cf, conf);
}


static ngx_int_t
ngx_http_payer_check_lookup(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t      *clcf, *server;
    ngx_http_payer_loc_conf_t     *inner;
    ngx_http_payer_lookup_conf_t  *lookup;

    lookup = conf->lookup;

    server = conf->cscf->ctx->loc_conf[ngx_http_core_module.ctx_index];
    clcf = NULL;

    if (ngx_http_payer_locate(server, &lookup->uri, &clcf) == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (clcf == NULL) {
        ngx_http_payer_refuse(cf, lookup, "there is no location for \"%V\" in "
                              "this server, which \"payer_lookup\" names",
                              &lookup->uri);
        return NGX_ERROR;
    }

    if (!clcf->internal) {
        ngx_http_payer_refuse(cf, lookup, "location \"%V\" of \"payer_lookup "
                              "%V\" is not internal, so that any client could "
                              "use the shop's API through it",
                              &clcf->name, &lookup->uri);
        return NGX_ERROR;
    }

    if (clcf->handler == NULL) {
        ngx_http_payer_refuse(cf, lookup, "location \"%V\" of \"payer_lookup "
                              "%V\" does not pass requests to the shop, it "
                              "has no \"proxy_pass\", \"fastcgi_pass\", "
                              "\"uwsgi_pass\" or \"scgi_pass\"",
                              &clcf->name, &lookup->uri);
        return NGX_ERROR;
    }

    inner = clcf->loc_conf[ngx_http_payer_module.ctx_index];

    if (inner->handler && clcf->handler == inner->handler->content) {
        ngx_http_payer_refuse(cf, lookup, "location \"%V\" of \"payer_lookup "
                              "%V\" has \"%V\", which does not pass requests "
                              "to the shop",
                              &clcf->name, &lookup->uri,
                              &inner->handler->directive);
        return NGX_ERROR;
    }

    if (ngx_http_payer_is_api_loc(cf, conf->cscf, clcf)) {
        ngx_http_payer_refuse(cf, lookup, "location \"%V\" of \"payer_lookup "
                              "%V\" is that of \"payer_api\", which passes "
                              "requests to Payer and not to the shop",
                              &clcf->name, &lookup->uri);
        return NGX_ERROR;
    }

    if (ngx_http_payer_check_lookup_nested(cf, lookup, clcf) != NGX_OK) {
        return NGX_ERROR;
    }

    conf->lookup_clcf = clcf;

    ngx_http_payer_check_match(cf, lookup);

    if (ngx_http_payer_check_lookup_leads(cf, conf, clcf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_payer_check_lookup_cache(cf, conf, clcf);
}


/*
 * "if" and "limit_except" replace the configuration of the lookup, which is
 * then not sent: a block with its own handler is rejected, any other one
 * causes a warning.
 */

static ngx_int_t
ngx_http_payer_check_lookup_nested(ngx_conf_t *cf,
    ngx_http_payer_lookup_conf_t *lookup, ngx_http_core_loc_conf_t *clcf)
{
    ngx_http_script_code_pt     code;
    ngx_http_payer_codes_t      codes;
    ngx_http_script_if_code_t  *if_code;

    if (clcf->limit_except_loc_conf && (clcf->limit_except & NGX_HTTP_GET)
        && ngx_http_payer_check_lookup_branch(cf, lookup, clcf,
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
            && ngx_http_payer_check_lookup_branch(cf, lookup, clcf,
                                                  if_code->loc_conf)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }
}


static ngx_int_t
ngx_http_payer_check_lookup_branch(ngx_conf_t *cf,
    ngx_http_payer_lookup_conf_t *lookup, ngx_http_core_loc_conf_t *clcf,
    void **loc_conf)
{
    if (ngx_http_payer_passes_elsewhere(cf, clcf, loc_conf)) {
        ngx_http_payer_refuse(cf, lookup, "location \"%V\" of \"payer_lookup "
                              "%V\" has an \"if\" or \"limit_except\" with "
                              "another handler, such as \"proxy_pass\"; a "
                              "lookup is not sent from there, remove it",
                              &clcf->name, &lookup->uri);
        return NGX_ERROR;
    }

    if (!lookup->nested) {
        lookup->nested = 1;

        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "location \"%V\" of \"payer_lookup %V\" has an \"if\" "
                      "or \"limit_except\", from which a lookup is not sent: "
                      "where it applies, the answer is 503 in %s:%ui",
                      &clcf->name, &lookup->uri, lookup->file, lookup->line);
    }

    return NGX_OK;
}


/* an "if" has a handler only if one is written in it; a "limit_except" may
 * have that of its location */

static ngx_uint_t
ngx_http_payer_passes_elsewhere(ngx_conf_t *cf, ngx_http_core_loc_conf_t *clcf,
    void **loc_conf)
{
    char                         **module;
    ngx_http_core_loc_conf_t      *nested;
    ngx_http_upstream_conf_t      *own, *outer;
    ngx_http_payer_proxy_conf_t   *proxy;

    static char  *modules[] = {
        "ngx_http_proxy_module", "ngx_http_fastcgi_module",
        "ngx_http_uwsgi_module", "ngx_http_scgi_module", NULL
    };

    nested = loc_conf[ngx_http_core_module.ctx_index];

    if (nested->handler && (!nested->lmt_excpt
                            || nested->handler != clcf->handler))
    {
        return 1;
    }

    for (module = modules; *module; module++) {

        own = ngx_http_payer_foreign_conf(cf, loc_conf, *module);
        outer = ngx_http_payer_foreign_conf(cf, clcf->loc_conf, *module);

        if (own && own->upstream != outer->upstream) {
            return 1;
        }
    }

    proxy = ngx_http_payer_foreign_conf(cf, loc_conf, "ngx_http_proxy_module");

    return proxy && proxy->url.len != 0;
}


/* here, since all captures of the configuration are known only now */

static void
ngx_http_payer_check_match(ngx_conf_t *cf,
    ngx_http_payer_lookup_conf_t *lookup)
{
    /* once, however many locations inherit it */

    if (lookup->match.set || lookup->warned
        || !ngx_http_payer_buyer_chooses(cf, lookup))
    {
        return;
    }

    lookup->warned = 1;

    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "\"payer_lookup %V\" depends on what the client sends and "
                  "has no \"payer_lookup_match\": a client that guesses an "
                  "order number sees that order in %s:%ui",
                  &lookup->uri, lookup->file, lookup->line);
}


static ngx_uint_t
ngx_http_payer_buyer_chooses(ngx_conf_t *cf,
    ngx_http_payer_lookup_conf_t *lookup)
{
    ngx_str_t                     map;
    ngx_uint_t                    i;
    ngx_http_payer_lookup_arg_t  *arg;

    arg = lookup->args.elts;

    for (i = 0; i < lookup->args.nelts; i++) {
        if (arg[i].variable.len
            && ngx_http_payer_source(cf, &arg[i].variable, &map)
               == NGX_HTTP_PAYER_CHOSEN_BUYER)
        {
            return 1;
        }
    }

    return 0;
}


/* the shop's API answers, not "return" or another location */

static ngx_int_t
ngx_http_payer_check_lookup_leads(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf, ngx_http_core_loc_conf_t *clcf)
{
    ngx_http_payer_leads_t  leads;

    ngx_http_payer_codes_lead(cf, clcf->loc_conf, 1, &leads);

    if (leads.always == NULL) {
        return NGX_OK;
    }

    ngx_http_payer_refuse(cf, conf->lookup, "location \"%V\" of "
                          "\"payer_lookup %V\" has \"%s\", so that the shop "
                          "is never asked; only \"rewrite ... break\" is "
                          "allowed in it",
                          &clcf->name, &conf->lookup->uri, leads.always);
    return NGX_ERROR;
}


/* a cached response could contain an old price */

static ngx_int_t
ngx_http_payer_check_lookup_cache(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf, ngx_http_core_loc_conf_t *clcf)
{
    if (!ngx_http_payer_has_cache(cf, clcf)) {
        return NGX_OK;
    }

    ngx_http_payer_refuse(cf, conf->lookup, "location \"%V\" of "
                          "\"payer_lookup %V\" has a cache: an old "
                          "price would be used",
                          &clcf->name, &conf->lookup->uri);
    return NGX_ERROR;
}


ngx_uint_t
ngx_http_payer_has_cache(ngx_conf_t *cf, ngx_http_core_loc_conf_t *clcf)
{
#if (NGX_HTTP_CACHE)
    char                      **module;
    ngx_http_upstream_conf_t   *upstream;

    static char  *modules[] = {
        "ngx_http_proxy_module", "ngx_http_fastcgi_module",
        "ngx_http_uwsgi_module", "ngx_http_scgi_module", NULL
    };

    for (module = modules; *module; module++) {

        /* the configuration of each of them begins with that of upstream */

        upstream = ngx_http_payer_foreign_conf(cf, clcf->loc_conf, *module);

        if (upstream && upstream->cache > 0) {
            return 1;
        }
    }
#endif

    return 0;
}


/*
 * A client that could combine the number of one order with the amount of
 * another one would get an expensive order for a low price.
 */

static ngx_int_t
ngx_http_payer_check_together(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf)
{
    ngx_uint_t                     applies;
    ngx_http_payer_verify_conf_t  *verify;

    verify = &conf->verify;
    applies = (conf->lookup != NULL);

    if (conf->handler->order) {

        applies |= ngx_http_payer_uses_field(cf, &conf->amount->value);

        if (!applies) {
            return NGX_OK;
        }

        conf->lookup_needed = 1;
        conf->lookup_first = conf->lookup
                             && ngx_http_payer_uses_field(cf,
                                            &conf->reference.value->value);
        conf->told = 1;

        if (ngx_http_payer_check_belongs(cf, conf, "payer_reference",
                                         &conf->reference.value->value,
                                         ngx_http_payer_number_belongs)
            != NGX_OK
            || ngx_http_payer_check_belongs(cf, conf, "payer_amount",
                                            &conf->amount->value,
                                            ngx_http_payer_price_belongs)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        return ngx_http_payer_check_belongs(cf, conf, "payer_currency",
                                            &conf->currency->value,
                                            ngx_http_payer_price_belongs);
    }

    conf->lookup_first = conf->lookup
                         && ngx_http_payer_uses_field(cf,
                                          &verify->reference.value->value);

    if (verify->amount) {
        applies |= ngx_http_payer_uses_field(cf, &verify->amount->value);
    }

    if (!applies) {
        return NGX_OK;
    }

    if (ngx_http_payer_check_belongs(cf, conf, "payer_verify",
                                     &verify->reference.value->value,
                                     ngx_http_payer_number_belongs)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (verify->amount == NULL) {
        return NGX_OK;
    }

    conf->lookup_needed = 1;
    verify->told = 1;

    if (ngx_http_payer_check_belongs(cf, conf, "payer_verify_amount",
                                     &verify->currency->value,
                                     ngx_http_payer_price_belongs)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_payer_check_belongs(cf, conf, "payer_verify_amount",
                                        &verify->amount->value,
                                        ngx_http_payer_price_belongs);
}


static ngx_int_t
ngx_http_payer_check_belongs(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf,
    char *directive, ngx_str_t *value, ngx_http_payer_belongs_pt belongs)
{
    ngx_http_payer_template_t  t;

    ngx_http_payer_template_init(&t, value);

    while (ngx_http_payer_template_next(&t) == NGX_OK) {

        if (!belongs(cf, conf, &t.name)) {
            ngx_http_payer_refuse(cf, conf, "the amount and the order number "
                                  "would not belong together: \"%s\" of "
                                  "location \"%V\" uses \"$%V\", which is not "
                                  "of the lookup",
                                  directive, &conf->clcf->name,
                                  &t.name);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* an argument, a field, or the order number of the request */

static ngx_uint_t
ngx_http_payer_number_belongs(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf,
    ngx_str_t *name)
{
    static ngx_str_t  reference = ngx_string("payer_reference");

    if (name->len == reference.len
        && ngx_strncasecmp(name->data, reference.data, name->len) == 0)
    {
        return 1;
    }

    if (conf->lookup) {
        return ngx_http_payer_lookup_has_arg(conf->lookup, name)
               || ngx_http_payer_lookup_has_field(conf->lookup, name);
    }

    return ngx_http_payer_is_field(cf, name);
}


/*
 * Without a lookup of its own the location uses the amount of the location
 * that led to it, and the order number of that lookup.
 */

ngx_uint_t
ngx_http_payer_lookup_proves(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf,
    ngx_str_t *name)
{
    if (conf->lookup) {
        return conf->lookup->match.set
               && ngx_http_payer_number_belongs(cf, conf, name);
    }

    return ngx_http_payer_uses_field(cf, &conf->amount->value)
           && ngx_http_payer_number_belongs(cf, conf, name);
}


/* a field, or a map of fields to constants */

static ngx_uint_t
ngx_http_payer_price_belongs(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf,
    ngx_str_t *name)
{
    ngx_str_t                  map;
    ngx_http_payer_template_t  t;

    if (ngx_http_payer_source(cf, name, &map) == NGX_HTTP_PAYER_CHOSEN_MAP) {

        ngx_http_payer_template_init(&t, &map);

        while (ngx_http_payer_template_next(&t) == NGX_OK) {
            if (!ngx_http_payer_price_belongs(cf, conf, &t.name)) {
                return 0;
            }
        }

        return 1;
    }

    return conf->lookup ? ngx_http_payer_lookup_has_field(conf->lookup, name)
                        : ngx_http_payer_is_field(cf, name);
}


ngx_uint_t
ngx_http_payer_uses_field(ngx_conf_t *cf, ngx_str_t *value)
{
    ngx_str_t                  map;
    ngx_http_payer_template_t  t;

    ngx_http_payer_template_init(&t, value);

    while (ngx_http_payer_template_next(&t) == NGX_OK) {

        if (ngx_http_payer_is_field(cf, &t.name)) {
            return 1;
        }

        if (ngx_http_payer_source(cf, &t.name, &map)
            == NGX_HTTP_PAYER_CHOSEN_MAP
            && ngx_http_payer_uses_field(cf, &map))
        {
            return 1;
        }
    }

    return 0;
}
