
/*
 * Texts that hold a secret: wiped, or shown without it.
 */


#ifndef _NGX_HTTP_PAYER_MASK_H_INCLUDED_
#define _NGX_HTTP_PAYER_MASK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* a text that is needed no longer; its length stays */
void ngx_http_payer_wipe(ngx_str_t *secret);

/*
 * puts asterisks in place of the secret, wherever the text has it: Payer may
 * repeat what it was sent.  A secret of less than 16 bytes could be a part of
 * any text.
 */
void ngx_http_payer_mask(ngx_str_t *text, u_char *secret, size_t len);


#endif /* _NGX_HTTP_PAYER_MASK_H_INCLUDED_ */
