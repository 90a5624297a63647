
/*
 * The compiled code of the rewrite module: what a location does before its
 * access phase.
 */


#ifndef _NGX_HTTP_PAYER_CODES_H_INCLUDED_
#define _NGX_HTTP_PAYER_CODES_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


typedef struct {
    u_char                   *pos;              /* the current code */
    u_char                   *next;
    u_char                   *last;
    u_char                   *until;            /* the end of an "if" */
    unsigned                  conditional:1;    /* inside an "if" */
} ngx_http_payer_codes_t;


/* where a location can lead a request before the access phase */
typedef struct {
    const char               *always;           /* directive, or NULL */
    const char               *sometimes;        /* in an "if", or NULL */
    unsigned                  keeps:1;          /* rewrite ... break */
} ngx_http_payer_leads_t;


/* the configuration of a module in a location, or NULL; found by its name */
void *ngx_http_payer_foreign_conf(ngx_conf_t *cf, void **loc_conf,
    const char *name);

/* starts with the code of a location; there may be none */
void ngx_http_payer_codes_init(ngx_conf_t *cf, void **loc_conf,
    ngx_http_payer_codes_t *codes);

/* goes to the next one: its function, or NULL at the end */
ngx_http_script_code_pt ngx_http_payer_codes_next(
    ngx_http_payer_codes_t *codes);

/*
 * whether "return" answers, or "rewrite" leads elsewhere; a "return" of an
 * error counts only if "errors" is set
 */
void ngx_http_payer_codes_lead(ngx_conf_t *cf, void **loc_conf,
    ngx_uint_t errors, ngx_http_payer_leads_t *leads);


#endif /* _NGX_HTTP_PAYER_CODES_H_INCLUDED_ */
