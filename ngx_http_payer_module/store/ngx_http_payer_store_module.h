
/*
 * A store in a dynamic module of its own: what the two modules know of each
 * other.  The main module finds the other one by its name and takes the
 * operations from its context; what they need of the main module is lent to
 * them.  Both tables are of this version, or the two do not fit.
 */


#ifndef _NGX_HTTP_PAYER_STORE_MODULE_H_INCLUDED_
#define _NGX_HTTP_PAYER_STORE_MODULE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_http_payer_counter.h"
#include "ngx_http_payer_store.h"


/*
 * Counted up with each change of what both sides see; the sizes tell of a
 * change that was forgotten.
 */

#define NGX_HTTP_PAYER_STORE_VERSION   2

#define NGX_HTTP_PAYER_STORE_ABI                                              \
    (((((NGX_HTTP_PAYER_STORE_VERSION                                         \
         * 1009 + sizeof(ngx_http_payer_store_ops_t))                         \
        * 1009 + sizeof(ngx_http_payer_store_t))                              \
       * 1009 + sizeof(ngx_http_payer_store_entry_t))                         \
      * 1009 + sizeof(ngx_http_payer_io_t))                                   \
     * 1009 + sizeof(ngx_http_payer_zone_sh_t)                                \
     + sizeof(ngx_http_payer_store_lent_t))


struct ngx_http_payer_store_lent_s {
    ngx_uint_t      abi;

    ngx_int_t     (*check)(ngx_http_payer_store_entry_t *entries,
                      ngx_uint_t n);
    ngx_int_t     (*copy)(ngx_http_payer_io_t *io, ngx_str_t *dst,
                      u_char *data, size_t len);
    ngx_int_t     (*items)(ngx_http_payer_io_t *io, ngx_uint_t *limit);
    ngx_int_t     (*add)(ngx_http_payer_io_t *io,
                      ngx_http_payer_item_t *item);
    ngx_int_t     (*begin_list)(ngx_http_payer_list_t *list,
                      ngx_http_payer_io_t *io, time_t *updated,
                      uint64_t *serial);
    ngx_int_t     (*end_list)(ngx_http_payer_io_t *io, time_t updated,
                      uint64_t serial);

    ngx_int_t     (*claim)(ngx_http_payer_store_t *store, ngx_str_t *key,
                      ngx_msec_t lease, ngx_http_payer_claim_t *claim);
    void          (*extend)(ngx_http_payer_store_t *store,
                      ngx_http_payer_claim_t *claim, ngx_msec_t lease);
    void          (*unclaim)(ngx_http_payer_zone_t *zone,
                      ngx_http_payer_claim_t *claim);
    void          (*defer)(ngx_http_payer_zone_t *zone,
                      ngx_http_payer_claim_t *claim, ngx_msec_t pause);

    void          (*count)(ngx_http_payer_zone_t *zone,
                      ngx_http_payer_count_e family, ngx_uint_t row,
                      ngx_uint_t column);
    void          (*count_time)(ngx_http_payer_zone_t *zone, ngx_uint_t row,
                      ngx_msec_t time);
};


/* the context of such a module */

typedef struct {
    ngx_http_module_t               http;
    ngx_uint_t                      abi;
    ngx_http_payer_store_ops_t     *ops;
} ngx_http_payer_store_module_ctx_t;


#endif /* _NGX_HTTP_PAYER_STORE_MODULE_H_INCLUDED_ */
