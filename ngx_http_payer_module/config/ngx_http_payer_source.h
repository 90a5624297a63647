
/*
 * Where the values of an order come from: the shop, the operator, or the
 * client.
 */


#ifndef _NGX_HTTP_PAYER_CHOSEN_H_INCLUDED_
#define _NGX_HTTP_PAYER_CHOSEN_H_INCLUDED_


#include "ngx_http_payer_module.h"


/* a location, a server, or an "if" or "limit_except" in one */
typedef struct {
    void                        **loc_conf;
    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_core_srv_conf_t     *cscf;
} ngx_http_payer_place_t;


/* what else can set a variable, apart from its handler */
#define NGX_HTTP_PAYER_SET_BY_LOCATION     0x01 /* its regular expression */
#define NGX_HTTP_PAYER_SET_BY_REWRITE      0x02 /* rewrite, if */
#define NGX_HTTP_PAYER_SET_BY_SET          0x04
#define NGX_HTTP_PAYER_SET_BY_MAP          0x08 /* its regular expressions */
#define NGX_HTTP_PAYER_SET_BY_SERVER_NAME  0x10

#define NGX_HTTP_PAYER_SET_BY_CAPTURE                                        \
    (NGX_HTTP_PAYER_SET_BY_LOCATION|NGX_HTTP_PAYER_SET_BY_REWRITE            \
     |NGX_HTTP_PAYER_SET_BY_MAP|NGX_HTTP_PAYER_SET_BY_SERVER_NAME)


typedef enum {
    NGX_HTTP_PAYER_CHOSEN_SHOP = 0,             /* of an answer of the shop */
    NGX_HTTP_PAYER_CHOSEN_MAP,                  /* constants only */
    NGX_HTTP_PAYER_CHOSEN_BUYER,                /* the request itself */
    NGX_HTTP_PAYER_CHOSEN_OTHER,
    NGX_HTTP_PAYER_CHOSEN_UNKNOWN               /* nginx will refuse it */
} ngx_http_payer_chosen_e;


/* preconfiguration: finds the handler of maps */
ngx_int_t ngx_http_payer_source_init(ngx_conf_t *cf);

/*
 * Where a variable comes from, when all of the configuration is read.  "map"
 * gets the text of a map's first parameter.
 */
ngx_http_payer_chosen_e ngx_http_payer_source(ngx_conf_t *cf,
    ngx_str_t *name, ngx_str_t *map);

/* the text of the first parameter of the map that makes the variable: NGX_OK,
 * or NGX_DECLINED if no map does */
ngx_int_t ngx_http_payer_source_map(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *text);

/*
 * whether all results of the map that defines the variable pass the test,
 * which gets the text of one that is not constant; 1 if no map defines it
 */
typedef ngx_uint_t (*ngx_http_payer_result_pt)(ngx_str_t *result,
    ngx_uint_t constant, void *data);

ngx_uint_t ngx_http_payer_source_all(ngx_conf_t *cf, ngx_str_t *name,
    ngx_http_payer_result_pt test, void *data);

/* whether the variable is a field of a lookup */
ngx_uint_t ngx_http_payer_is_field(ngx_conf_t *cf, ngx_str_t *name);

/* the NGX_HTTP_PAYER_SET_BY_... of a variable */
ngx_uint_t ngx_http_payer_set_by(ngx_conf_t *cf, ngx_str_t *name);

/* whether the indexed variable has this name */
ngx_uint_t ngx_http_payer_is_variable(ngx_conf_t *cf, ngx_uint_t index,
    ngx_str_t *name);


#endif /* _NGX_HTTP_PAYER_CHOSEN_H_INCLUDED_ */
