
/*
 * payer_sweep for one client id.
 */


#include "ngx_http_payer_sweep_merchant.h"


void
ngx_http_payer_sweep_hold(ngx_http_payer_sweep_t *sweep)
{
    ngx_http_payer_loc_conf_t  **confs;

    confs = sweep->confs.elts;

    ngx_http_payer_zone_extend(confs[0]->main->zone, &sweep->run,
                               ngx_http_payer_sweep_lease(confs[0]));
}


ngx_http_payer_loc_conf_t *
ngx_http_payer_sweep_conf(ngx_http_payer_sweep_t *sweep, ngx_str_t *server)
{
    ngx_str_t                   *name;
    ngx_uint_t                   i;
    ngx_http_payer_loc_conf_t  **confs;

    confs = sweep->confs.elts;

    if (server->len == 0) {
        return confs[0];
    }

    for (i = 0; i < sweep->confs.nelts; i++) {
        name = &confs[i]->cscf->server_name;

        if (name->len == server->len
            && ngx_memcmp(name->data, server->data, server->len) == 0)
        {
            return confs[i];
        }
    }

    return NULL;
}
