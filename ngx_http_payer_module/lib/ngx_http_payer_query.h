
/*
 * The arguments of the query that a value contains ($arg_...).
 *
 * nginx uses the first of two arguments with the same name, PHP the last one,
 * and ASP joins them; and nginx compares names as they are written, which
 * others decode first.  So a request could name one order for nginx and
 * another one for the application: it must be detected.
 */


#ifndef _NGX_HTTP_PAYER_QUERY_H_INCLUDED_
#define _NGX_HTTP_PAYER_QUERY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * the names of the arguments in a value of the configuration: an array of
 * ngx_str_t, or NULL if it has none.  NGX_OK or NGX_ERROR
 */
ngx_int_t ngx_http_payer_query_names(ngx_pool_t *pool, ngx_str_t *value,
    ngx_array_t **names);

/* whether each name occurs once at most, however it may be written */
ngx_uint_t ngx_http_payer_query_clear(ngx_str_t *args, ngx_array_t *names);

/*
 * whether each argument has one of these names, the last of which is empty,
 * and none has the name of another: NULL, or what is wrong
 */
const char *ngx_http_payer_query_wrong(ngx_str_t *args, ngx_str_t *names);


#endif /* _NGX_HTTP_PAYER_QUERY_H_INCLUDED_ */
