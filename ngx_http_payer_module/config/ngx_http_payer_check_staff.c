
/*
 * The checks of locations for staff, which show orders or move money: their
 * clients must be identified, and no client may choose its own address.
 */


#include "ngx_http_payer_codes.h"
#include "ngx_http_payer_conf.h"


static ngx_int_t ngx_http_payer_check_addresses(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf, void **loc_conf);
static ngx_int_t ngx_http_payer_check_one_staff(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf, void **srv_conf);
static ngx_uint_t ngx_http_payer_asks_certificate(void **srv_conf);


/* the beginning of the private configuration of ngx_http_auth_basic_module */
typedef struct {
    ngx_http_complex_value_t     *realm;
    ngx_http_complex_value_t     *user_file;
} ngx_http_payer_auth_basic_conf_t;


ngx_int_t
ngx_http_payer_check_staff(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf)
{
    /* before a location is found, the settings of the server apply */

    if (ngx_http_payer_check_addresses(cf, conf, conf->cscf->ctx->loc_conf)
        != NGX_OK
        || ngx_http_payer_check_addresses(cf, conf, conf->clcf->loc_conf)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (conf->handler->allow != NGX_HTTP_PAYER_ALLOW_STAFF) {
        return NGX_OK;
    }

    return ngx_http_payer_check_one_staff(cf, conf, conf->cscf->ctx->srv_conf);
}


/*
 * The realip module takes the address from a header of the request, if the
 * request comes from one of its networks.  If all networks are listed, any
 * client can send the address that payer_allow lists.
 */

static ngx_int_t
ngx_http_payer_check_addresses(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf,
    void **loc_conf)
{
    ngx_uint_t     i;
    ngx_cidr_t    *cidr;
    ngx_array_t  **from;

    if (!conf->handler->allow || conf->allow_all) {
        return NGX_OK;
    }

    /* its configuration begins with the array of networks */

    from = ngx_http_payer_foreign_conf(cf, loc_conf, "ngx_http_realip_module");

    if (from == NULL || *from == NULL) {
        return NGX_OK;
    }

    cidr = (*from)->elts;

    for (i = 0; i < (*from)->nelts; i++) {

        if (!ngx_http_payer_all_addresses(&cidr[i])) {
            continue;
        }

        ngx_http_payer_refuse(cf, conf, "\"set_real_ip_from\" lists all "
                              "addresses, so that any client can choose the "
                              "address that \"payer_allow\" of location "
                              "\"%V\" checks; list the addresses of the "
                              "proxies in front only", &conf->clcf->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_check_one_staff(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf,
    void **srv_conf)
{
    if (conf->clcf->satisfy == NGX_HTTP_SATISFY_ANY) {
        ngx_http_payer_refuse(cf, conf, "\"satisfy any\" in location \"%V\" "
                              "allows clients without a password or "
                              "certificate, \"%V\" requires \"satisfy all\"",
                              &conf->clcf->name, &conf->handler->directive);
        return NGX_ERROR;
    }

    if ((!conf->allow_all && !conf->allow_any)
        || ngx_http_payer_asks_password(cf, conf->clcf->loc_conf))
    {
        return NGX_OK;
    }

    if (ngx_http_payer_asks_certificate(srv_conf)) {

        /* a listener without TLS does not ask for a certificate */

        conf->allow_all = 1;
        conf->allow_tls = 1;

        return NGX_OK;
    }

    ngx_http_payer_refuse(cf, conf, "\"payer_allow all\" in location \"%V\" "
                          "requires \"auth_basic\" or \"ssl_verify_client "
                          "on\", otherwise any client could use \"%V\"",
                          &conf->clcf->name, &conf->handler->directive);

    return NGX_ERROR;
}


/* whether a realm with variables is "off" is not known here */

ngx_uint_t
ngx_http_payer_asks_password(ngx_conf_t *cf, void **loc_conf)
{
    ngx_str_t                         *realm;
    ngx_uint_t                         i;
    ngx_module_t                     **modules;
    ngx_http_payer_auth_basic_conf_t  *abcf;

    modules = cf->cycle->modules;

    for (i = 0; modules[i]; i++) {

        if (ngx_strcmp(modules[i]->name, "ngx_http_auth_basic_module") != 0) {
            continue;
        }

        abcf = loc_conf[modules[i]->ctx_index];

        if (abcf->realm == NULL || abcf->realm == NGX_CONF_UNSET_PTR
            || abcf->user_file == NULL
            || abcf->user_file == NGX_CONF_UNSET_PTR
            || abcf->realm->lengths)
        {
            return 0;
        }

        realm = &abcf->realm->value;

        return realm->len != 3 || ngx_strncmp(realm->data, "off", 3) != 0;
    }

    return 0;
}


static ngx_uint_t
ngx_http_payer_asks_certificate(void **srv_conf)
{
#if (NGX_HTTP_SSL)

    ngx_http_ssl_srv_conf_t  *sscf;

    sscf = srv_conf[ngx_http_ssl_module.ctx_index];

    /* 2 and 3 are "optional", which allows clients without a certificate */

    return sscf->verify == 1;

#else

    return 0;

#endif
}
