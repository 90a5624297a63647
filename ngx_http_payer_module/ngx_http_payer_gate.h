
/*
 * The gate: where payer_verify stands in the configuration, in the phases of
 * a request, and in its answer.
 */


#ifndef _NGX_HTTP_PAYER_GATE_H_INCLUDED_
#define _NGX_HTTP_PAYER_GATE_H_INCLUDED_


#include "ngx_http_payer_module.h"


/* what the location has to have, although its content is another's */
extern ngx_http_payer_door_t  ngx_http_payer_gate_door;


/* the setter of payer_verify */
char *ngx_http_payer_gate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* the setter of payer_verify_wait */
char *ngx_http_payer_verify_wait(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

void ngx_http_payer_gate_create_conf(ngx_http_payer_verify_conf_t *verify);
void ngx_http_payer_gate_merge_conf(ngx_http_payer_verify_conf_t *prev,
    ngx_http_payer_verify_conf_t *conf);

/* refuses a gate that nobody passes through: NGX_OK or NGX_ERROR (logged) */
ngx_int_t ngx_http_payer_gate_check(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);

/* installs the phase handlers and the header filter: NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_payer_gate_init(ngx_conf_t *cf);


#endif /* _NGX_HTTP_PAYER_GATE_H_INCLUDED_ */
