
/*
 * A little TAP.
 */


#ifndef _UNIT_H_INCLUDED_
#define _UNIT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include <stdio.h>

#include "nginx_shim.h"


/* a text of the test as the module gets it: where it ends, memory ends */
#define unit_text(literal)  unit_bytes(literal, sizeof(literal) - 1)


void unit_ok(ngx_uint_t ok, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* whether the text is this; if not, says what it is */
void unit_is(ngx_str_t *text, const char *expected, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* freed by unit_done() */
ngx_str_t *unit_bytes(const void *data, size_t len);

/* the exit status */
int unit_done(void);


#endif /* _UNIT_H_INCLUDED_ */
