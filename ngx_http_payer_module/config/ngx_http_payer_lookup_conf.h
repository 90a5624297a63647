
/*
 * What the directives of a lookup share.
 */


#ifndef _NGX_HTTP_PAYER_LOOKUP_CONF_H_INCLUDED_
#define _NGX_HTTP_PAYER_LOOKUP_CONF_H_INCLUDED_


#include "ngx_http_payer_lookup.h"


/* the lookup of this level, made by the first of its directives, or NULL */
ngx_http_payer_lookup_conf_t *ngx_http_payer_lookup_own(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *plcf);

/* name=text or name=$variable, with ampersands between them: appends to
 * "args", of ngx_http_payer_lookup_arg_t */
char *ngx_http_payer_lookup_arguments(ngx_conf_t *cf, ngx_array_t *args,
    u_char *p, u_char *last);

/* $name or ${name} and nothing else: NGX_OK or NGX_DECLINED */
ngx_int_t ngx_http_payer_lookup_variable(ngx_str_t *text, ngx_str_t *name);

/* a field that a regular expression finds: "~" and the expression */
char *ngx_http_payer_lookup_regex(ngx_conf_t *cf,
    ngx_http_payer_lookup_field_t *field, ngx_str_t *text);

/* a JSON Pointer of a directive's into the field: NGX_CONF_OK or an error
 * that is logged */
char *ngx_http_payer_lookup_pointer(ngx_conf_t *cf,
    ngx_http_payer_lookup_field_t *field, ngx_str_t *text);

/*
 * an expression that is only tested for a match, for
 * ngx_http_payer_lookup_found()
 */
char *ngx_http_payer_lookup_pattern(ngx_conf_t *cf,
    ngx_http_payer_lookup_field_t *field, ngx_str_t *text);


#endif /* _NGX_HTTP_PAYER_LOOKUP_CONF_H_INCLUDED_ */
