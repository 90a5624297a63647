
/*
 * The parts of a value in the configuration: variables, and the text between
 * them.
 */


#ifndef _NGX_HTTP_PAYER_TEMPLATE_H_INCLUDED_
#define _NGX_HTTP_PAYER_TEMPLATE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct {
    u_char          *pos;
    u_char          *last;
    ngx_str_t        text;              /* in front of the variable */
    ngx_str_t        name;              /* of the variable, without "$" */
} ngx_http_payer_template_t;


/* starts at the beginning of "value", which nginx has compiled already */
void ngx_http_payer_template_init(ngx_http_payer_template_t *t,
    ngx_str_t *value);

/*
 * goes to the next variable, numbered captures included: NGX_OK, or NGX_DONE
 * when there is none, and only t->text is left
 */
ngx_int_t ngx_http_payer_template_next(ngx_http_payer_template_t *t);


#endif /* _NGX_HTTP_PAYER_TEMPLATE_H_INCLUDED_ */
