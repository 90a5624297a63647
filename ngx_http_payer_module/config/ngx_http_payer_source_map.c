
/*
 * The results of a map: hash, wildcards, regular expressions, default.
 */


#include "ngx_http_payer_source_map.h"


static ngx_uint_t ngx_http_payer_result_test(ngx_http_variable_value_t *value,
    ngx_http_payer_result_pt test, void *data);
static ngx_uint_t ngx_http_payer_hash_all(ngx_hash_t *hash,
    ngx_uint_t wildcard, ngx_http_payer_result_pt test, void *data);
static ngx_uint_t ngx_http_payer_wildcard_all(ngx_hash_wildcard_t *hwc,
    ngx_http_payer_result_pt test, void *data);


/* whether all results of a map pass the test */

ngx_uint_t
ngx_http_payer_map_all(ngx_http_payer_map_t *map,
    ngx_http_payer_result_pt test, void *data)
{
#if (NGX_PCRE)
    ngx_uint_t                  i;
    ngx_http_variable_value_t  *value;

    for (i = 0; i < map->map.nregex; i++) {
        value = map->map.regex[i].value;

        if (!ngx_http_payer_result_test(value, test, data)) {
            return 0;
        }
    }

#endif

    return ngx_http_payer_result_test(map->default_value, test, data)
           && ngx_http_payer_hash_all(&map->map.hash.hash, 0, test, data)
           && ngx_http_payer_wildcard_all(map->map.hash.wc_head, test, data)
           && ngx_http_payer_wildcard_all(map->map.hash.wc_tail, test, data);
}


static ngx_uint_t
ngx_http_payer_result_test(ngx_http_variable_value_t *value,
    ngx_http_payer_result_pt test, void *data)
{
    ngx_str_t                  result;
    ngx_http_complex_value_t  *cv;

    if (!value->valid) {
        cv = (ngx_http_complex_value_t *) value->data;

        return test(&cv->value, 0, data);
    }

    result.data = value->data;
    result.len = value->len;

    return test(&result, 1, data);
}


/* ngx_hash_find_wc_head() says what the low bits of a pointer mean */

static ngx_uint_t
ngx_http_payer_hash_all(ngx_hash_t *hash, ngx_uint_t wildcard,
    ngx_http_payer_result_pt test, void *data)
{
    uintptr_t                   p, bits;
    ngx_uint_t                  i;
    ngx_hash_elt_t             *elt;
    ngx_hash_wildcard_t        *hwc;
    ngx_http_variable_value_t  *value;

    for (i = 0; i < hash->size; i++) {

        elt = hash->buckets[i];

        while (elt && elt->value) {

            p = (uintptr_t) elt->value;

            bits = wildcard ? (p & 3) : 0;
            p -= bits;

            if (bits & 2) {
                hwc = (ngx_hash_wildcard_t *) p;

                if (!ngx_http_payer_wildcard_all(hwc, test, data)) {
                    return 0;
                }

            } else {
                value = (ngx_http_variable_value_t *) p;

                if (!ngx_http_payer_result_test(value, test, data)) {
                    return 0;
                }
            }

            elt = (ngx_hash_elt_t *) ngx_align_ptr(&elt->name[0] + elt->len,
                                                   sizeof(void *));
        }
    }

    return 1;
}


static ngx_uint_t
ngx_http_payer_wildcard_all(ngx_hash_wildcard_t *hwc,
    ngx_http_payer_result_pt test, void *data)
{
    ngx_http_variable_value_t  *value;

    if (hwc == NULL) {
        return 1;
    }

    value = hwc->value;

    return (value == NULL || ngx_http_payer_result_test(value, test, data))
           && ngx_http_payer_hash_all(&hwc->hash, 1, test, data);
}
