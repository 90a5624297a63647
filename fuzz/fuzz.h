
/*
 * What the fuzz targets share.
 */


#ifndef _FUZZ_H_INCLUDED_
#define _FUZZ_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include <stdio.h>

#include "nginx_shim.h"


#define FUZZ_MAX_NUMBER  9223372036854775807LL
#define FUZZ_MAX_DOUBLE  9007199254740991LL


/* a promise of the module that the input broke */
#define fuzz_assert(condition)                                               \
    do {                                                                     \
        if (!(condition)) {                                                  \
            fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__,       \
                    #condition);                                             \
            abort();                                                         \
        }                                                                    \
    } while (0)


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* the bytes up to "end", and data and size moved behind it */
ngx_str_t fuzz_field(const uint8_t **data, size_t *size, uint8_t end);

ngx_uint_t fuzz_same(ngx_str_t *a, ngx_str_t *b);

/*
 * UTF-8 by another way than the module's: each code point is written again in
 * its only form and compared.  "controls" are permitted, or are not.
 */
ngx_uint_t fuzz_is_utf8(ngx_str_t *text, ngx_uint_t controls);


#endif /* _FUZZ_H_INCLUDED_ */
