
/*
 * The host of a return address: if it is what a client sends, the first visit
 * to a checkout decides to which site the buyer is sent after the payment,
 * with the ticket of the order.
 */


#include "ngx_http_payer_conf.h"
#include "ngx_http_payer_signature_conf.h"
#include "ngx_http_payer_source.h"
#include "ngx_http_payer_template.h"


static void ngx_http_payer_check_host_of(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf, size_t offset);
static ngx_uint_t ngx_http_payer_host_warned(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf, size_t offset);
static ngx_uint_t ngx_http_payer_host_ended(ngx_str_t *text,
    ngx_uint_t *slashes);
static ngx_uint_t ngx_http_payer_host_chosen(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf, ngx_str_t *name);


typedef struct {
    const char   *directive;
    size_t        offset;
} ngx_http_payer_host_t;


static const ngx_http_payer_host_t  ngx_http_payer_hosts[] = {
    { "payer_return_success", offsetof(ngx_http_payer_loc_conf_t, success) },
    { "payer_return_fail", offsetof(ngx_http_payer_loc_conf_t, fail) },
    { "payer_return_back", offsetof(ngx_http_payer_loc_conf_t, back) },
    { "payer_return_origin", offsetof(ngx_http_payer_loc_conf_t, origin) },
    { NULL, 0 }
};

#define ngx_http_payer_host_value(conf, offset)                              \
    (*(ngx_http_complex_value_t **) ((u_char *) (conf) + (offset)))


void
ngx_http_payer_check_return_hosts(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf)
{
    const ngx_http_payer_host_t  *host;

    for (host = ngx_http_payer_hosts; host->directive; host++) {

        if (ngx_http_payer_host_value(conf, host->offset)
            && !ngx_http_payer_host_warned(cf, conf, host->offset))
        {
            ngx_http_payer_check_host_of(cf, conf, host->offset);
        }
    }
}


/* a value that another location has, too, is that of the server */

static ngx_uint_t
ngx_http_payer_host_warned(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf,
    size_t offset)
{
    ngx_uint_t                   i;
    ngx_http_payer_loc_conf_t  **locs;
    ngx_http_payer_main_conf_t  *pmcf;

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_payer_module);

    locs = pmcf->locations.elts;

    for (i = 0; i < pmcf->locations.nelts && locs[i] != conf; i++) {
        if (locs[i]->handler->order
            && ngx_http_payer_host_value(locs[i], offset)
               == ngx_http_payer_host_value(conf, offset))
        {
            return 1;
        }
    }

    return 0;
}


static void
ngx_http_payer_check_host_of(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf,
    size_t offset)
{
    ngx_uint_t                    slashes;
    ngx_http_payer_template_t     t;
    const ngx_http_payer_host_t  *host;

    slashes = 0;

    ngx_http_payer_template_init(&t,
                             &ngx_http_payer_host_value(conf, offset)->value);

    while (ngx_http_payer_template_next(&t) == NGX_OK
           && !ngx_http_payer_host_ended(&t.text, &slashes))
    {
        if (!ngx_http_payer_host_chosen(cf, conf, &t.name)) {
            continue;
        }

        for (host = ngx_http_payer_hosts; host->offset != offset; host++) {
            /* void */
        }

        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "a client can choose the host of \"%s\": \"$%V\" in "
                      "location \"%V\" is what it sends, so that a buyer "
                      "could be sent to another site after the payment in "
                      "%s:%ui", host->directive, &t.name, &conf->clcf->name,
                      conf->file, conf->line);
        return;
    }
}


/* whether the path begins in the text: at the start, or after the host */

static ngx_uint_t
ngx_http_payer_host_ended(ngx_str_t *text, ngx_uint_t *slashes)
{
    size_t  i;

    for (i = 0; i < text->len; i++) {

        if (text->data[i] == '/') {

            if (++*slashes == 3 || (*slashes == 1 && i == 0)) {
                return 1;
            }

        } else if (text->data[i] == '?' || text->data[i] == '#') {
            return 1;
        }
    }

    return 0;
}


/* $host is the operator's own word, and a name of the server is its own */

static ngx_uint_t
ngx_http_payer_host_chosen(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf,
    ngx_str_t *name)
{
    ngx_str_t   map;
    ngx_uint_t  by;

    static ngx_str_t  host = ngx_string("host");

    if ((name->len == host.len
         && ngx_strncasecmp(name->data, host.data, host.len) == 0)
        || (conf->signature && ngx_http_payer_signature_covers(conf, name)))
    {
        return 0;
    }

    by = ngx_http_payer_set_by(cf, name);

    return !(by && (by & ~NGX_HTTP_PAYER_SET_BY_SERVER_NAME) == 0)
           && ngx_http_payer_source(cf, name, &map)
              == NGX_HTTP_PAYER_CHOSEN_BUYER;
}
