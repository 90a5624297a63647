
/*
 * A store in a dynamic module of its own, so that its library is loaded only
 * where it is used.
 */


#include "ngx_http_payer_store_module.h"


static ngx_http_payer_store_lent_t  ngx_http_payer_store_lent = {
    NGX_HTTP_PAYER_STORE_ABI,
    ngx_http_payer_store_check,
    ngx_http_payer_store_copy,
    ngx_http_payer_store_items,
    ngx_http_payer_store_add,
    ngx_http_payer_store_begin_list,
    ngx_http_payer_store_end_list,
    ngx_http_payer_store_claim,
    ngx_http_payer_store_extend,
    ngx_http_payer_zone_unclaim,
    ngx_http_payer_zone_defer,
    ngx_http_payer_count,
    ngx_http_payer_count_store
};


char *
ngx_http_payer_store_foreign(ngx_conf_t *cf, ngx_http_payer_store_t *store,
    ngx_str_t *value, char *module)
{
    ngx_uint_t                          i;
    ngx_http_payer_store_module_ctx_t  *ctx;

    for (i = 0; cf->cycle->modules[i]; i++) {
        if (ngx_strcmp(cf->cycle->modules[i]->name, module) == 0) {
            break;
        }
    }

    if (cf->cycle->modules[i] == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "this store is in a module of its own: add "
                           "\"load_module modules/%s.so;\" at the beginning "
                           "of the configuration", module);
        return NGX_CONF_ERROR;
    }

    ctx = cf->cycle->modules[i]->ctx;

    if (ctx->abi != NGX_HTTP_PAYER_STORE_ABI) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s.so is of another version than "
                           "ngx_http_payer_module.so: install both from one "
                           "release", module);
        return NGX_CONF_ERROR;
    }

    store->lent = &ngx_http_payer_store_lent;
    store->ops = ctx->ops;

    return store->ops->configure(cf, store, value);
}
