
/*
 * payer_verify in the phases of a request and in its answer.
 */


#ifndef _NGX_HTTP_PAYER_VERIFY_ACCESS_H_INCLUDED_
#define _NGX_HTTP_PAYER_VERIFY_ACCESS_H_INCLUDED_


#include "ngx_http_payer_module.h"


/* installs the phase handlers and the header filter: NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_payer_verify_access_init(ngx_conf_t *cf);


#endif /* _NGX_HTTP_PAYER_VERIFY_ACCESS_H_INCLUDED_ */
