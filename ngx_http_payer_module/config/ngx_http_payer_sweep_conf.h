
/*
 * The directives of background work: payer_sweep, payer_authorization_limit.
 */


#ifndef _NGX_HTTP_PAYER_SWEEP_CONF_H_INCLUDED_
#define _NGX_HTTP_PAYER_SWEEP_CONF_H_INCLUDED_


#include "ngx_http_payer_module.h"


/* setters */
char *ngx_http_payer_sweep(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_payer_authorization_limit(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

void ngx_http_payer_sweep_create_conf(ngx_http_payer_sweep_conf_t *sweep);
void ngx_http_payer_sweep_merge_conf(ngx_http_payer_sweep_conf_t *prev,
    ngx_http_payer_sweep_conf_t *conf);

/*
 * rejects "payer_sweep off" if it leaves work undone; "what" is a directive
 * that needs the sweep, with its place, or NULL: NGX_OK or NGX_ERROR (logged)
 */
ngx_int_t ngx_http_payer_sweep_check(ngx_conf_t *cf,
    ngx_http_payer_sweep_conf_t *conf, char *what, u_char *file,
    ngx_uint_t line);


#endif /* _NGX_HTTP_PAYER_SWEEP_CONF_H_INCLUDED_ */
