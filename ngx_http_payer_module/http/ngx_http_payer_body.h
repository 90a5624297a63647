
/*
 * The body of the client's request: the only file that reads or discards it.
 *
 * A handler that waits for anything reads the body to its end first.  nginx
 * would otherwise receive the rest of it while a subrequest is active, in the
 * name and with the length of that subrequest.
 */


#ifndef _NGX_HTTP_PAYER_BODY_H_INCLUDED_
#define _NGX_HTTP_PAYER_BODY_H_INCLUDED_


#include "ngx_http_payer_module.h"


/*
 * Both read the body as nginx does, with client_body_timeout and
 * client_max_body_size, then run the flow, whose time begins with that: what
 * a content handler has to return.
 */

/* keeps the body in r->request_body, since it contains parameters */
ngx_int_t ngx_http_payer_body_keep(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);

/*
 * makes the request one without a body, for a page to which it may be
 * redirected; a subrequest that shares the body, such as a mirror, still has
 * it
 */
ngx_int_t ngx_http_payer_body_drop(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);

/*
 * for an answer that is about to be sent: what was not read is discarded
 * while the client gets it.  Nothing may wait after that.
 */
void ngx_http_payer_body_discard(ngx_http_request_t *r);


#endif /* _NGX_HTTP_PAYER_BODY_H_INCLUDED_ */
