
/*
 * Orders that the shop does not have, cached for a second: guessing order
 * numbers must not load the shop.
 */


#include "ngx_http_payer_lookup.h"
#include "ngx_http_payer_crypto.h"


/* an order that the shop does not have, for a second */
typedef struct {
    ngx_http_core_loc_conf_t    *clcf;
    ngx_msec_t                   until;
    u_char                       digest[NGX_HTTP_PAYER_DIGEST_LEN];
} ngx_http_payer_lookup_absent_t;


static ngx_http_payer_lookup_absent_t *ngx_http_payer_lookup_slot(
    ngx_http_payer_lookup_t *lookup, u_char *digest);


#define NGX_HTTP_PAYER_LOOKUP_SLOTS    256
#define NGX_HTTP_PAYER_LOOKUP_ABSENCE  1000     /* ms */


/* of this worker */

static ngx_http_payer_lookup_absent_t
    ngx_http_payer_lookup_absences[NGX_HTTP_PAYER_LOOKUP_SLOTS];
static ngx_msec_t  ngx_http_payer_lookup_last_absence;


ngx_uint_t
ngx_http_payer_lookup_known_absent(ngx_http_payer_lookup_t *lookup)
{
    u_char                           digest[NGX_HTTP_PAYER_DIGEST_LEN];
    ngx_http_payer_lookup_absent_t  *absent;

    if ((ngx_msec_int_t) (ngx_http_payer_lookup_last_absence
                          - ngx_current_msec)
        <= 0)
    {
        return 0;
    }

    absent = ngx_http_payer_lookup_slot(lookup, digest);

    return absent && absent->clcf == lookup->clcf
           && (ngx_msec_int_t) (absent->until - ngx_current_msec) > 0
           && ngx_memcmp(absent->digest, digest, NGX_HTTP_PAYER_DIGEST_LEN)
              == 0;
}


void
ngx_http_payer_lookup_note_absent(ngx_http_payer_lookup_t *lookup)
{
    u_char                           digest[NGX_HTTP_PAYER_DIGEST_LEN];
    ngx_http_payer_lookup_absent_t  *absent;

    absent = ngx_http_payer_lookup_slot(lookup, digest);

    if (absent) {
        absent->clcf = lookup->clcf;
        absent->until = ngx_current_msec + NGX_HTTP_PAYER_LOOKUP_ABSENCE;
        ngx_http_payer_lookup_last_absence = absent->until;
        ngx_memcpy(absent->digest, digest, NGX_HTTP_PAYER_DIGEST_LEN);
    }
}


/* where the absence of this order is noted, or would be */

static ngx_http_payer_lookup_absent_t *
ngx_http_payer_lookup_slot(ngx_http_payer_lookup_t *lookup, u_char *digest)
{
    ngx_str_t  texts[3];

    texts[0] = lookup->conf->uri;
    texts[1] = lookup->args;
    texts[2] = lookup->asked;

    if (lookup->conf->headers.nelts
        || ngx_http_payer_digest(texts, 3, digest) != NGX_OK)
    {
        return NULL;
    }

    return &ngx_http_payer_lookup_absences[digest[0]
                                           % NGX_HTTP_PAYER_LOOKUP_SLOTS];
}
