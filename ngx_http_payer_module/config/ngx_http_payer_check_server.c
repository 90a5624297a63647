
/*
 * Warnings about a server as a whole, each logged once.
 */


#include "ngx_http_payer_conf.h"
#include "ngx_http_payer_order.h"


static ngx_int_t ngx_http_payer_keep_names(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);
static ngx_str_t *ngx_http_payer_first_name(ngx_array_t *names);
static void ngx_http_payer_check_pages(ngx_conf_t *cf,
    ngx_http_payer_main_conf_t *pmcf);
static void ngx_http_payer_check_underscores(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);
static void ngx_http_payer_check_reachable(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);
static ngx_uint_t ngx_http_payer_check_origin(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);
static ngx_uint_t ngx_http_payer_is_relative(ngx_http_complex_value_t *value);
static ngx_uint_t ngx_http_payer_is_local(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *cscf);
static ngx_uint_t ngx_http_payer_is_loopback(struct sockaddr *sa);


/* the locations of a server are adjacent in the list */

ngx_int_t
ngx_http_payer_check_servers(ngx_conf_t *cf)
{
    ngx_uint_t                   i, gate, checkout, staff;
    ngx_array_t                 *names;
    ngx_http_payer_loc_conf_t  **locs;
    ngx_http_payer_main_conf_t  *pmcf;

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_payer_module);

    locs = pmcf->locations.elts;
    gate = 0;
    checkout = 0;
    staff = 0;
    names = NULL;

    for (i = 0; i < pmcf->locations.nelts; i++) {

        if (i == 0 || locs[i]->cscf != locs[i - 1]->cscf) {
            gate = 0;
            checkout = 0;
            staff = 0;
            names = NULL;
        }

        if (locs[i]->verify.reference.value && !gate++) {
            ngx_http_payer_check_underscores(cf, locs[i]);
        }

        if (names) {
            locs[i]->names = names;
            locs[i]->name = ngx_http_payer_first_name(names);

        } else if (ngx_http_payer_keep_names(cf, locs[i]) != NGX_OK) {
            return NGX_ERROR;
        }

        names = locs[i]->names;

        if (locs[i]->handler->order && !checkout) {
            checkout = ngx_http_payer_check_origin(cf, locs[i]);
        }

        if (locs[i]->handler->allow == NGX_HTTP_PAYER_ALLOW_STAFF && !staff++)
        {
            ngx_http_payer_check_reachable(cf, locs[i]);
        }
    }

    ngx_http_payer_check_pages(cf, pmcf);

    return NGX_OK;
}


/* locations inherit the list of error pages as a whole: each is kept once */

ngx_int_t
ngx_http_payer_note_page(ngx_conf_t *cf)
{
    ngx_uint_t                      i;
    ngx_http_err_page_t            *err;
    ngx_http_core_loc_conf_t       *clcf;
    ngx_http_payer_main_conf_t     *pmcf;
    ngx_http_payer_payment_page_t  *page;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_payer_module);

    if (clcf->error_pages == NULL) {
        return NGX_OK;
    }

    page = pmcf->payment_pages.elts;

    for (i = 0; i < pmcf->payment_pages.nelts; i++) {
        if (page[i].clcf->error_pages == clcf->error_pages) {
            return NGX_OK;
        }
    }

    err = clcf->error_pages->elts;

    for (i = 0; i < clcf->error_pages->nelts; i++) {

        if (err[i].status != NGX_HTTP_PAYMENT_REQUIRED
            || err[i].overwrite >= 0)
        {
            continue;
        }

        page = ngx_array_push(&pmcf->payment_pages);
        if (page == NULL) {
            return NGX_ERROR;
        }

        page->clcf = clcf;
        page->cscf = ngx_http_conf_get_module_srv_conf(cf,
                                                       ngx_http_core_module);
        page->page = err[i].value.value;
    }

    return NGX_OK;
}


/* payer_checkout works without the "=", other handlers do not */

static void
ngx_http_payer_check_pages(ngx_conf_t *cf, ngx_http_payer_main_conf_t *pmcf)
{
    ngx_str_t                      *name;
    ngx_uint_t                      i, n;
    ngx_http_payer_loc_conf_t     **locs;
    ngx_http_payer_payment_page_t  *page;

    locs = pmcf->locations.elts;
    page = pmcf->payment_pages.elts;

    for (i = 0; i < pmcf->payment_pages.nelts; i++) {

        for (n = 0; n < pmcf->locations.nelts; n++) {

            name = &locs[n]->clcf->name;

            if (!locs[n]->handler->order || locs[n]->cscf != page[i].cscf
                || name->len != page[i].page.len
                || ngx_strncmp(name->data, page[i].page.data, name->len) != 0)
            {
                continue;
            }

            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "\"error_page 402 %V\" of location \"%V\" leads to "
                          "\"payer_checkout\" without an equals sign, write "
                          "\"error_page 402 = %V\" in %s:%ui", name,
                          &page[i].clcf->name, name, locs[n]->file,
                          locs[n]->line);
            break;
        }
    }
}


/*
 * "X_Payer_Status" is another header than "X-Payer-Status" for nginx, which
 * passes it on, and the same for applications that know both as
 * HTTP_X_PAYER_STATUS.
 */

static void
ngx_http_payer_check_underscores(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf)
{
    if (!conf->cscf->underscores_in_headers) {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "\"underscores_in_headers\" is on in the server of "
                  "\"payer_verify\": an application may use a client's "
                  "\"X_Payer_Status\" as \"X-Payer-Status\" in %s:%ui",
                  conf->file, conf->line);
}


/* what staff use answers 421 unless server_name lists the Host */

static void
ngx_http_payer_check_reachable(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf)
{
    ngx_uint_t               i;
    ngx_http_server_name_t  *sn;

    sn = conf->names->elts;

    for (i = 0; i < conf->names->nelts; i++) {

#if (NGX_PCRE)
        if (sn[i].regex) {
            return;
        }
#endif

        /* "_" is for servers without a name */

        if (sn[i].name.len > 1
            || (sn[i].name.len == 1 && sn[i].name.data[0] != '_'))
        {
            return;
        }
    }

    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "the server of \"%V\" has no \"server_name\", all its "
                  "requests are rejected with 421: set \"server_name\" to the "
                  "host name or IP address that staff use in %s:%ui",
                  &conf->handler->directive, conf->file, conf->line);
}


static ngx_uint_t
ngx_http_payer_check_origin(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf)
{
    if (conf->origin
        || (!ngx_http_payer_is_relative(conf->success)
            && !ngx_http_payer_is_relative(conf->fail)
            && !ngx_http_payer_is_relative(conf->back)))
    {
        return 0;
    }

    if (conf->name
        || ngx_http_payer_is_local(cf, conf->cscf))
    {
        return 1;
    }

    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "the server of \"payer_checkout\" has no "
                  "\"server_name\" for return addresses, its IP address is "
                  "used: set \"server_name\" or \"payer_return_origin\""
                  " in %s:%ui",
                  conf->file, conf->line);

    return 1;
}


static ngx_uint_t
ngx_http_payer_is_relative(ngx_http_complex_value_t *value)
{
    return value->value.len && value->value.data[0] == '/';
}


/* whether only programs on this machine can connect */

static ngx_uint_t
ngx_http_payer_is_local(ngx_conf_t *cf, ngx_http_core_srv_conf_t *cscf)
{
    ngx_uint_t                   p, a, s;
    ngx_http_conf_port_t        *port;
    ngx_http_conf_addr_t        *addr;
    ngx_http_core_srv_conf_t   **server;
    ngx_http_core_main_conf_t   *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    if (cmcf->ports == NULL) {
        return 0;
    }

    port = cmcf->ports->elts;

    for (p = 0; p < cmcf->ports->nelts; p++) {

        addr = port[p].addrs.elts;

        for (a = 0; a < port[p].addrs.nelts; a++) {

            server = addr[a].servers.elts;

            for (s = 0; s < addr[a].servers.nelts; s++) {

                if (server[s] == cscf
                    && !ngx_http_payer_is_loopback(addr[a].opt.sockaddr))
                {
                    return 0;
                }
            }
        }
    }

    return 1;
}


static ngx_uint_t
ngx_http_payer_is_loopback(struct sockaddr *sa)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    switch (sa->sa_family) {

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;
        return IN6_IS_ADDR_LOOPBACK(&sin6->sin6_addr);
#endif

#if (NGX_HAVE_UNIX_DOMAIN)
    case AF_UNIX:
        return 1;
#endif

    case AF_INET:
        sin = (struct sockaddr_in *) sa;
        return (ntohl(sin->sin_addr.s_addr) >> 24) == 127;

    default:
        return 0;
    }
}


/* nginx frees the list when the configuration is complete */

static ngx_int_t
ngx_http_payer_keep_names(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf)
{
    ngx_array_t             *names, *from;
    ngx_http_server_name_t  *sn;

    from = &conf->cscf->server_names;

    names = ngx_array_create(cf->pool, ngx_max(from->nelts, 1),
                             sizeof(ngx_http_server_name_t));
    if (names == NULL) {
        return NGX_ERROR;
    }

    if (from->nelts) {
        sn = ngx_array_push_n(names, from->nelts);
        if (sn == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(sn, from->elts,
                   from->nelts * sizeof(ngx_http_server_name_t));
    }

    conf->names = names;
    conf->name = ngx_http_payer_first_name(names);

    return NGX_OK;
}


/* the first name that clients can use, or NULL */

static ngx_str_t *
ngx_http_payer_first_name(ngx_array_t *names)
{
    ngx_uint_t               i;
    ngx_http_server_name_t  *sn;

    sn = names->elts;

    for (i = 0; i < names->nelts; i++) {

#if (NGX_PCRE)
        if (sn[i].regex) {
            continue;
        }
#endif

        if (sn[i].name.len && sn[i].name.data[0] != '.'
            && ngx_http_payer_usable_name(&sn[i].name))
        {
            return &sn[i].name;
        }
    }

    return NULL;
}
