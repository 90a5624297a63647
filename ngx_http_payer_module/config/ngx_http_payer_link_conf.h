
/*
 * payer_link: the checkout that it makes signed links to.
 */


#ifndef _NGX_HTTP_PAYER_LINK_CONF_H_INCLUDED_
#define _NGX_HTTP_PAYER_LINK_CONF_H_INCLUDED_


#include "ngx_http_payer_module.h"


/* the setter of payer_link, which has its handler in cmd->post */
char *ngx_http_payer_link(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* finds and checks the checkouts when the configuration is complete: NGX_OK,
 * or NGX_ERROR (logged) */
ngx_int_t ngx_http_payer_check_link(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);


#endif /* _NGX_HTTP_PAYER_LINK_CONF_H_INCLUDED_ */
