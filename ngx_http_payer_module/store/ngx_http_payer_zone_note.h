
/*
 * Notes in the zone: short texts that one worker process leaves for the
 * others, and that may be lost at any time.
 */


#ifndef _NGX_HTTP_PAYER_ZONE_NOTE_H_INCLUDED_
#define _NGX_HTTP_PAYER_ZONE_NOTE_H_INCLUDED_


#include "ngx_http_payer_zone.h"


/* keeps the text for "life" milliseconds, if there is room for it; one of the
 * same key is replaced */
void ngx_http_payer_zone_note(ngx_http_payer_zone_t *zone, ngx_str_t *key,
    ngx_str_t *text, ngx_msec_t life);

/* a copy of the text in the pool: NGX_OK, NGX_DECLINED (none), NGX_ERROR */
ngx_int_t ngx_http_payer_zone_noted(ngx_http_payer_zone_t *zone,
    ngx_pool_t *pool, ngx_str_t *key, ngx_str_t *text);

/*
 * the size of the zone, and what is free of it in whole pages, in bytes; if it
 * has the orders, what is free for them
 */
void ngx_http_payer_zone_room(ngx_http_payer_zone_t *zone, size_t *size,
    size_t *left);


#endif /* _NGX_HTTP_PAYER_ZONE_NOTE_H_INCLUDED_ */
