
/*
 * Texts that hold a secret.
 */


#include "ngx_http_payer_mask.h"


static u_char *ngx_http_payer_match(u_char *p, u_char *last, u_char *secret,
    size_t len);


#define NGX_HTTP_PAYER_MIN_MASKED   16


void
ngx_http_payer_wipe(ngx_str_t *secret)
{
    if (secret->len) {
        ngx_explicit_memzero(secret->data, secret->len);
    }
}


void
ngx_http_payer_mask(ngx_str_t *text, u_char *secret, size_t len)
{
    u_char  *p, *end, *last;

    if (len < NGX_HTTP_PAYER_MIN_MASKED) {
        return;
    }

    p = text->data;
    last = p + text->len;

    while ((size_t) (last - p) >= len) {

        if (*secret != '/') {
            p = memchr(p, *secret, last - p);

            if (p == NULL) {
                return;
            }
        }

        end = ngx_http_payer_match(p, last, secret, len);

        if (end) {
            ngx_memset(p, '*', end - p);
            p = end;

        } else {
            p++;
        }
    }
}


/* the end of the secret that begins at p, or NULL; JSON may escape a slash */

static u_char *
ngx_http_payer_match(u_char *p, u_char *last, u_char *secret, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {

        if (secret[i] == '/' && last - p > 1 && p[0] == '\\' && p[1] == '/') {
            p++;
        }

        if (p == last || *p != secret[i]) {
            return NULL;
        }

        p++;
    }

    return p;
}
