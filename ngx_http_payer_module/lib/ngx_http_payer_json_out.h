
/*
 * Writes JSON of any structure and length, from left to right.
 */


#ifndef _NGX_HTTP_PAYER_JSON_OUT_H_INCLUDED_
#define _NGX_HTTP_PAYER_JSON_OUT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* grows in the pool; "failed" is checked only at the end */
typedef struct {
    ngx_pool_t    *pool;
    u_char        *start;
    u_char        *pos;
    u_char        *last;
    unsigned       comma:1;             /* before the next value */
    unsigned       failed:1;            /* no memory */
} ngx_http_payer_json_out_t;


void ngx_http_payer_json_out(ngx_http_payer_json_out_t *out, ngx_pool_t *pool);

/* "{", "}", "[" or "]" */
void ngx_http_payer_json_out_open(ngx_http_payer_json_out_t *out, u_char ch);
void ngx_http_payer_json_out_close(ngx_http_payer_json_out_t *out, u_char ch);

/* the name of the value that follows, a literal that needs no escape */
void ngx_http_payer_json_out_name(ngx_http_payer_json_out_t *out,
    const char *name);

/*
 * a value, or a member with its name.  A text without bytes is null; what is
 * not UTF-8 in it becomes U+FFFD, and control characters are escaped.  A
 * number of -1 is null.
 */
void ngx_http_payer_json_out_text(ngx_http_payer_json_out_t *out,
    ngx_str_t *text);
void ngx_http_payer_json_out_str(ngx_http_payer_json_out_t *out,
    const char *name, ngx_str_t *text);
void ngx_http_payer_json_out_number(ngx_http_payer_json_out_t *out,
    const char *name, int64_t number);

/* a time as 2026-01-31T08:30:00Z; 0 is null */
void ngx_http_payer_json_out_time(ngx_http_payer_json_out_t *out,
    const char *name, time_t time);

/* bytes as they are */
void ngx_http_payer_json_out_raw(ngx_http_payer_json_out_t *out,
    const char *data, size_t len);

/* what was written: NGX_OK, or NGX_ERROR for no memory */
ngx_int_t ngx_http_payer_json_out_end(ngx_http_payer_json_out_t *out,
    ngx_str_t *text);


#endif /* _NGX_HTTP_PAYER_JSON_OUT_H_INCLUDED_ */
