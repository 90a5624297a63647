
/* the $payer_... variables */


#ifndef _NGX_HTTP_PAYER_VARIABLE_H_INCLUDED_
#define _NGX_HTTP_PAYER_VARIABLE_H_INCLUDED_


#include "ngx_http_payer_module.h"


ngx_int_t ngx_http_payer_add_variables(ngx_conf_t *cf);


#endif /* _NGX_HTTP_PAYER_VARIABLE_H_INCLUDED_ */
