
/*
 * JSON texts and trees: shared by the JSON files.
 */


#ifndef _NGX_HTTP_PAYER_JSON_PARSE_H_INCLUDED_
#define _NGX_HTTP_PAYER_JSON_PARSE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include <cjson/cJSON.h>

#include "ngx_http_payer_json.h"


/* doubles, and so cJSON, hold any integer up to this one */
#define NGX_HTTP_PAYER_MAX_NUMBER   9007199254740991LL


/*
 * the tree of a text that is one JSON object as RFC 8259 has it, in
 * well-formed UTF-8, at most 64 levels deep, without an escaped NUL or half
 * of a surrogate pair, and without a number of more than 60 characters:
 * NGX_OK, NGX_DECLINED or NGX_ERROR, with "reason" set unless NGX_OK
 */
ngx_int_t ngx_http_payer_json_parse(ngx_str_t *text, cJSON **root,
    const char **reason);

/* the same of a text that has been checked */
ngx_int_t ngx_http_payer_json_tree(ngx_str_t *text, cJSON **root,
    const char **reason);

/*
 * whether a text is JSON as described above, an object or any other value:
 * NGX_OK, NGX_DECLINED with "reason" set
 */
ngx_int_t ngx_http_payer_json_check(ngx_str_t *text, const char **reason);

/*
 * 200 with an error in it does not say that anything was done: NGX_DECLINED
 * with "reason" set if a tree has an "error", NGX_OK
 */
ngx_int_t ngx_http_payer_json_no_error(cJSON *root, const char **reason);

/*
 * called by ngx_http_payer_json_read_places() while it reads a text: the
 * outermost value, a member or an element of the container at this depth (1:
 * the outermost), and the end of one, with the depth that is left.  A name is
 * given as it is written, and whether it has escapes
 */
void ngx_http_payer_json_place_root(ngx_http_payer_json_place_t *places,
    ngx_uint_t n, u_char *value);
void ngx_http_payer_json_place_member(ngx_http_payer_json_place_t *places,
    ngx_uint_t n, ngx_uint_t depth, ngx_str_t *name, ngx_uint_t escaped,
    u_char *value);
void ngx_http_payer_json_place_element(ngx_http_payer_json_place_t *places,
    ngx_uint_t n, ngx_uint_t depth, u_char *value);
void ngx_http_payer_json_place_close(ngx_http_payer_json_place_t *places,
    ngx_uint_t n, ngx_uint_t depth);

/*
 * how the value of the n-th member of an object is written in a text that
 * has been parsed; only for numbers and literals
 */
void ngx_http_payer_json_written(ngx_str_t *text, ngx_uint_t n,
    ngx_str_t *value);

/* ngx_http_payer_json_read_link() of a text that has been checked, by cJSON */
ngx_int_t ngx_http_payer_json_tree_link(ngx_pool_t *pool, ngx_str_t *text,
    ngx_http_payer_json_link_t *link, const char **reason);

/* a copy of a terminated string; an empty one has data: NGX_OK, NGX_ERROR */
ngx_int_t ngx_http_payer_json_copy(ngx_pool_t *pool, const char *src,
    ngx_str_t *dst);

/* a member that is a date and time of RFC 3339: Unix seconds, or 0 */
time_t ngx_http_payer_json_time(cJSON *root, const char *name);


#endif /* _NGX_HTTP_PAYER_JSON_PARSE_H_INCLUDED_ */
