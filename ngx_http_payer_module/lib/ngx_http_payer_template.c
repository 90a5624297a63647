
/*
 * The parts of a value in the configuration: variables, and the text between
 * them.  It is read as by ngx_http_script_compile().
 */


#include "ngx_http_payer_template.h"


void
ngx_http_payer_template_init(ngx_http_payer_template_t *t, ngx_str_t *value)
{
    t->pos = value->data;
    t->last = value->data + value->len;

    ngx_str_null(&t->text);
    ngx_str_null(&t->name);
}


ngx_int_t
ngx_http_payer_template_next(ngx_http_payer_template_t *t)
{
    u_char      *p, ch;
    ngx_uint_t   brackets;

    t->text.data = t->pos;

    p = ngx_strlchr(t->pos, t->last, '$');

    if (p == NULL) {
        t->text.len = t->last - t->pos;
        t->pos = t->last;
        return NGX_DONE;
    }

    t->text.len = p - t->pos;
    p++;

    if (p < t->last && *p >= '1' && *p <= '9') {
        t->name.data = p;
        t->name.len = 1;
        t->pos = p + 1;
        return NGX_OK;
    }

    brackets = (p < t->last && *p == '{');
    p += brackets;

    t->name.data = p;

    for ( /* void */ ; p < t->last; p++) {
        ch = *p | 0x20;

        if ((ch < 'a' || ch > 'z') && (*p < '0' || *p > '9') && *p != '_') {
            break;
        }
    }

    t->name.len = p - t->name.data;
    t->pos = (brackets && p < t->last) ? p + 1 : p;

    return NGX_OK;
}
