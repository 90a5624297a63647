
/*
 * The compiled code of the rewrite module: what a location does before its
 * access phase.
 *
 * A code is a structure that begins with the function that runs it.  Its size
 * depends on the function, so that the codes can only be read one after the
 * other.
 */


#include "ngx_http_payer_codes.h"


static size_t ngx_http_payer_code_size(u_char *pos, u_char *last);
#if (NGX_PCRE)
static const char *ngx_http_payer_code_rewrite(ngx_http_payer_codes_t *codes);
static ngx_uint_t ngx_http_payer_code_returns(ngx_http_payer_codes_t *codes);
#endif


typedef struct {
    ngx_http_script_code_pt   code;
    size_t                    size;
} ngx_http_payer_code_size_t;


static ngx_http_payer_code_size_t  ngx_http_payer_code_sizes[] = {
    { ngx_http_script_copy_var_code, sizeof(ngx_http_script_var_code_t) },
    { ngx_http_script_copy_capture_code,
      sizeof(ngx_http_script_copy_capture_code_t) },
    { ngx_http_script_start_args_code, sizeof(uintptr_t) },
#if (NGX_PCRE)
    { ngx_http_script_regex_start_code,
      sizeof(ngx_http_script_regex_code_t) },
    { ngx_http_script_regex_end_code,
      sizeof(ngx_http_script_regex_end_code_t) },
#endif
    { ngx_http_script_return_code, sizeof(ngx_http_script_return_code_t) },
    { ngx_http_script_break_code, sizeof(uintptr_t) },
    { ngx_http_script_if_code, sizeof(ngx_http_script_if_code_t) },
    { ngx_http_script_equal_code, sizeof(uintptr_t) },
    { ngx_http_script_not_equal_code, sizeof(uintptr_t) },
    { ngx_http_script_file_code, sizeof(ngx_http_script_file_code_t) },
    { ngx_http_script_complex_value_code,
      sizeof(ngx_http_script_complex_value_code_t) },
    { ngx_http_script_value_code, sizeof(ngx_http_script_value_code_t) },
    { ngx_http_script_set_var_code, sizeof(ngx_http_script_var_code_t) },
    { ngx_http_script_var_set_handler_code,
      sizeof(ngx_http_script_var_handler_code_t) },
    { ngx_http_script_var_code, sizeof(ngx_http_script_var_code_t) },
    { ngx_http_script_nop_code, sizeof(uintptr_t) },
    { NULL, 0 }
};


void *
ngx_http_payer_foreign_conf(ngx_conf_t *cf, void **loc_conf, const char *name)
{
    ngx_uint_t      i;
    ngx_module_t  **modules;

    modules = cf->cycle->modules;

    for (i = 0; modules[i]; i++) {
        if (ngx_strcmp(modules[i]->name, name) == 0) {
            return loc_conf[modules[i]->ctx_index];
        }
    }

    return NULL;
}


void
ngx_http_payer_codes_init(ngx_conf_t *cf, void **loc_conf,
    ngx_http_payer_codes_t *codes)
{
    ngx_array_t  **rewrite, *array;

    ngx_memzero(codes, sizeof(ngx_http_payer_codes_t));

    /* its configuration begins with the array of codes */

    rewrite = ngx_http_payer_foreign_conf(cf, loc_conf,
                                          "ngx_http_rewrite_module");

    if (rewrite == NULL || *rewrite == NULL) {
        return;
    }

    array = *rewrite;

    codes->next = array->elts;
    codes->last = codes->next + array->nelts;
    codes->until = codes->next;
}


ngx_http_script_code_pt
ngx_http_payer_codes_next(ngx_http_payer_codes_t *codes)
{
    ngx_http_script_code_pt     code;
    ngx_http_script_if_code_t  *if_code;

    for ( ;; ) {

        if (codes->last - codes->next < (ssize_t) sizeof(uintptr_t)) {
            codes->pos = codes->last;
            return NULL;
        }

        codes->pos = codes->next;
        codes->next += ngx_http_payer_code_size(codes->pos, codes->last);

        code = *(ngx_http_script_code_pt *) codes->pos;

        if (code == NULL) {

            /* the end of what is run, but more code may follow */

            continue;
        }

        codes->conditional = (codes->pos < codes->until);

        if (code == ngx_http_script_if_code) {
            if_code = (ngx_http_script_if_code_t *) codes->pos;
            codes->until = codes->pos + if_code->next;
        }

        return code;
    }
}


/*
 * An unknown code was added by another module, and is skipped word by word: it
 * cannot contain the address of a known function.
 */

static size_t
ngx_http_payer_code_size(u_char *pos, u_char *last)
{
    size_t                        size;
    ngx_http_script_code_pt       code;
    ngx_http_payer_code_size_t   *s;
    ngx_http_script_copy_code_t  *copy;

    code = *(ngx_http_script_code_pt *) pos;
    size = sizeof(uintptr_t);

    if (code == ngx_http_script_copy_code) {

        copy = (ngx_http_script_copy_code_t *) pos;

        size = ngx_align(sizeof(ngx_http_script_copy_code_t) + copy->len,
                         sizeof(uintptr_t));

    } else if (code) {

        for (s = ngx_http_payer_code_sizes; s->code; s++) {
            if (s->code == code) {
                size = s->size;
                break;
            }
        }
    }

    return ngx_min(size, (size_t) (last - pos));
}


void
ngx_http_payer_codes_lead(ngx_conf_t *cf, void **loc_conf, ngx_uint_t errors,
    ngx_http_payer_leads_t *leads)
{
    const char                     *what, *pending;
    ngx_http_script_code_pt         code;
    ngx_http_payer_codes_t          codes;
    ngx_http_script_return_code_t  *ret;

    ngx_memzero(leads, sizeof(ngx_http_payer_leads_t));

    pending = NULL;

    ngx_http_payer_codes_init(cf, loc_conf, &codes);

    for ( ;; ) {
        code = ngx_http_payer_codes_next(&codes);

        if (code == NULL) {
            break;
        }

        what = NULL;

        if (code == ngx_http_script_return_code) {
            ret = (ngx_http_script_return_code_t *) codes.pos;

            if (errors || ret->status < NGX_HTTP_BAD_REQUEST) {
                what = "return";

            } else if (!codes.conditional) {
                pending = NULL;
                break;
            }

        } else if (code == ngx_http_script_break_code && !codes.conditional) {

            /* it also cancels a rewrite without a flag */

            leads->keeps |= (pending != NULL);
            pending = NULL;
            break;
        }

#if (NGX_PCRE)
        if (code == ngx_http_script_regex_start_code) {
            what = ngx_http_payer_code_rewrite(&codes);

            if (what && *what == '\0') {
                leads->keeps = 1;
                what = NULL;

            } else if (what && !codes.conditional
                       && !ngx_http_payer_code_returns(&codes))
            {
                pending = what;
                what = NULL;
            }
        }
#endif

        if (what && codes.conditional) {

            /* a redirect outside of an "if" is the more serious one */

            if (leads->sometimes == NULL
                || code != ngx_http_script_return_code)
            {
                leads->sometimes = what;
            }

        } else if (what) {
            leads->always = what;
            break;
        }
    }

    if (pending && leads->always == NULL) {
        leads->always = pending;
    }
}


#if (NGX_PCRE)

/* "rewrite", "" if it ends with break, or NULL for the condition of an "if" */

static const char *
ngx_http_payer_code_rewrite(ngx_http_payer_codes_t *codes)
{
    ngx_http_script_regex_code_t  *regex;

    regex = (ngx_http_script_regex_code_t *) codes->pos;

    if (!regex->uri) {
        return NULL;
    }

    return regex->break_cycle ? "" : "rewrite";
}


/* whether a rewrite ends with last, redirect or permanent */

static ngx_uint_t
ngx_http_payer_code_returns(ngx_http_payer_codes_t *codes)
{
    u_char                        *p;
    ngx_http_payer_codes_t         copy;
    ngx_http_script_code_pt        code;
    ngx_http_script_regex_code_t  *regex;

    regex = (ngx_http_script_regex_code_t *) codes->pos;

    if (regex->redirect) {
        return 1;
    }

    copy = *codes;

    do {
        code = ngx_http_payer_codes_next(&copy);

    } while (code && code != ngx_http_script_regex_end_code);

    p = copy.next;

    /* a null behind it ends the code */

    return code == NULL
           || copy.last - p < (ssize_t) sizeof(uintptr_t)
           || *(uintptr_t *) p == 0;
}

#endif
