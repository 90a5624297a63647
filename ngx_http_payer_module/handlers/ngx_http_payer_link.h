
/*
 * payer_link: signed links to a checkout, for staff.
 */


#ifndef _NGX_HTTP_PAYER_LINK_H_INCLUDED_
#define _NGX_HTTP_PAYER_LINK_H_INCLUDED_


#include "ngx_http_payer_module.h"


extern ngx_http_payer_handler_t  ngx_http_payer_handler_link;


#endif /* _NGX_HTTP_PAYER_LINK_H_INCLUDED_ */
