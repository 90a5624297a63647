
/*
 * Values of directives that can have variables, and the captures that they
 * must not contain.
 */


#ifndef _NGX_HTTP_PAYER_VALUE_H_INCLUDED_
#define _NGX_HTTP_PAYER_VALUE_H_INCLUDED_


#include "ngx_http_payer_module.h"


/* the text of a directive that has variables, and its file and line */
typedef struct {
    ngx_str_t                    *directive;
    ngx_str_t                     text;
    u_char                       *file;
    ngx_uint_t                    line;
} ngx_http_payer_value_t;


/*
 * refuses numbered captures; named ones are kept for
 * ngx_http_payer_check_values()
 */
ngx_int_t ngx_http_payer_value(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_str_t *value);

/* ngx_http_set_complex_value_slot() for a directive of ours */
char *ngx_http_payer_value_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* refuses named captures that something else can replace */
ngx_int_t ngx_http_payer_check_values(ngx_conf_t *cf);

/*
 * "minor", "major", "float" and "trusted" behind an amount: the parameters
 * from "i" to the one before "last", each once at most, in any order.  "unit"
 * and "trusted" have been cleared
 */
char *ngx_http_payer_amount_params(ngx_conf_t *cf, ngx_uint_t i,
    ngx_uint_t last, ngx_http_payer_unit_e *unit, ngx_uint_t *trusted);

/* whether $arg_... is among its variables, in whatever case */
ngx_uint_t ngx_http_payer_value_has_argument(ngx_str_t *value);


/*
 * records the position of a directive that has no effect without payer_verify
 */
void ngx_http_payer_value_more(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_payer_verify_conf_t *verify);

/* logs why a location or a value is rejected, with its file and line */

#define ngx_http_payer_refuse(cf, conf, fmt, ...)                            \
    ngx_log_error(NGX_LOG_EMERG, (cf)->log, 0, fmt " in %s:%ui",             \
                  __VA_ARGS__, (conf)->file, (conf)->line)

/*
 * sets an ngx_http_payer_text_t of the configuration: its value, and whether
 * it is a single variable, which can be read without a script
 */
char *ngx_http_payer_text_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


#endif /* _NGX_HTTP_PAYER_VALUE_H_INCLUDED_ */
