
/*
 * The results of a map, which are private inside nginx.
 */


#ifndef _NGX_HTTP_PAYER_SOURCE_MAP_H_INCLUDED_
#define _NGX_HTTP_PAYER_SOURCE_MAP_H_INCLUDED_


#include "ngx_http_payer_source.h"


/* the beginning of the map module's structures for a map and its settings */

typedef struct {
    ngx_http_map_t               map;
    ngx_http_complex_value_t     value;
    ngx_http_variable_value_t   *default_value;
} ngx_http_payer_map_t;


/* whether the test holds for each result of a map */
ngx_uint_t ngx_http_payer_map_all(ngx_http_payer_map_t *map,
    ngx_http_payer_result_pt test, void *data);


#endif /* _NGX_HTTP_PAYER_SOURCE_MAP_H_INCLUDED_ */
