
/*
 * The arguments of the query on which payer_verify depends, also through maps
 * and "set".  One that occurs twice is rejected at run time: nginx uses the
 * first one, and the application perhaps the last one.
 */


#include "ngx_http_payer_conf.h"
#include "ngx_http_payer_codes.h"
#include "ngx_http_payer_source.h"
#include "ngx_http_payer_source_map.h"
#include "ngx_http_payer_template.h"
#include "ngx_http_payer_verify_conf.h"


typedef struct {
    ngx_conf_t                  *cf;
    ngx_http_payer_loc_conf_t   *conf;
    ngx_array_t                 *names;         /* ngx_str_t */
    ngx_array_t                  seen;          /* ngx_str_t, the variables:
                                                 * one may be made of itself */
    unsigned                     failed:1;      /* no memory */
} ngx_http_payer_args_t;


static void ngx_http_payer_args_text(ngx_http_payer_args_t *args,
    ngx_str_t *text);
static void ngx_http_payer_args_variable(ngx_http_payer_args_t *args,
    ngx_str_t *name);
static void ngx_http_payer_args_add(ngx_http_payer_args_t *args,
    ngx_str_t *name);
static ngx_uint_t ngx_http_payer_args_new(ngx_http_payer_args_t *args,
    ngx_array_t *list, ngx_str_t *name);
static ngx_uint_t ngx_http_payer_args_result(ngx_str_t *result,
    ngx_uint_t constant, void *data);
static void ngx_http_payer_args_set(ngx_http_payer_args_t *args,
    ngx_http_payer_place_t *place, ngx_str_t *name);
static void ngx_http_payer_args_copied(ngx_http_payer_args_t *args,
    u_char *from, u_char *to);


ngx_int_t
ngx_http_payer_check_args(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf)
{
    ngx_http_payer_args_t  args;

    if (conf->verify.reference.value == NULL) {
        return NGX_OK;
    }

    ngx_memzero(&args, sizeof(ngx_http_payer_args_t));

    args.cf = cf;
    args.conf = conf;

    if (ngx_array_init(&args.seen, cf->temp_pool, 4, sizeof(ngx_str_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_payer_args_text(&args, &conf->verify.reference.value->value);

    if (args.failed) {
        return NGX_ERROR;
    }

    conf->verify.args = args.names;

    return NGX_OK;
}


static void
ngx_http_payer_args_text(ngx_http_payer_args_t *args, ngx_str_t *text)
{
    ngx_http_payer_template_t  t;

    ngx_http_payer_template_init(&t, text);

    while (ngx_http_payer_template_next(&t) == NGX_OK) {
        ngx_http_payer_args_variable(args, &t.name);
    }
}


static void
ngx_http_payer_args_variable(ngx_http_payer_args_t *args, ngx_str_t *name)
{
    ngx_str_t                    text;
    ngx_uint_t                   i;
    ngx_http_payer_place_t      *place;
    ngx_http_payer_main_conf_t  *pmcf;

    if (!ngx_http_payer_args_new(args, &args->seen, name)) {
        return;
    }

    if (name->len > 4
        && ngx_strncasecmp(name->data, (u_char *) "arg_", 4) == 0)
    {
        ngx_http_payer_args_add(args, name);
        return;
    }

    if (ngx_http_payer_source_map(args->cf, name, &text) == NGX_OK) {
        ngx_http_payer_args_text(args, &text);

        (void) ngx_http_payer_source_all(args->cf, name,
                                         ngx_http_payer_args_result, args);
    }

    pmcf = ngx_http_conf_get_module_main_conf(args->cf, ngx_http_payer_module);
    place = pmcf->places.elts;

    for (i = 0; i < pmcf->places.nelts; i++) {
        if (place[i].cscf == args->conf->cscf) {
            ngx_http_payer_args_set(args, &place[i], name);
        }
    }
}


static void
ngx_http_payer_args_add(ngx_http_payer_args_t *args, ngx_str_t *name)
{
    ngx_str_t  arg;

    arg.data = name->data + 4;
    arg.len = name->len - 4;

    if (args->names == NULL) {
        args->names = ngx_array_create(args->cf->pool, 1, sizeof(ngx_str_t));
        if (args->names == NULL) {
            args->failed = 1;
            return;
        }
    }

    (void) ngx_http_payer_args_new(args, args->names, &arg);
}


/* whether the name was not in the list, where it is now */

static ngx_uint_t
ngx_http_payer_args_new(ngx_http_payer_args_t *args, ngx_array_t *list,
    ngx_str_t *name)
{
    ngx_str_t   *known;
    ngx_uint_t   i;

    known = list->elts;

    for (i = 0; i < list->nelts; i++) {
        if (known[i].len == name->len
            && ngx_strncasecmp(known[i].data, name->data, name->len) == 0)
        {
            return 0;
        }
    }

    known = ngx_array_push(list);
    if (known == NULL) {
        args->failed = 1;
        return 0;
    }

    *known = *name;

    return 1;
}


static ngx_uint_t
ngx_http_payer_args_result(ngx_str_t *result, ngx_uint_t constant, void *data)
{
    if (!constant) {
        ngx_http_payer_args_text(data, result);
    }

    return 1;
}


/* the values of "set" in this place, of which each may be used */

static void
ngx_http_payer_args_set(ngx_http_payer_args_t *args,
    ngx_http_payer_place_t *place, ngx_str_t *name)
{
    u_char                      *value;
    ngx_http_script_code_pt      code;
    ngx_http_payer_codes_t       codes;
    ngx_http_script_var_code_t  *var;

    value = NULL;

    ngx_http_payer_codes_init(args->cf, place->loc_conf, &codes);

    for ( ;; ) {
        code = ngx_http_payer_codes_next(&codes);

        if (code == NULL) {
            return;
        }

        if (code == ngx_http_script_complex_value_code) {
            value = codes.pos;
            continue;
        }

        if (code != ngx_http_script_set_var_code) {
            continue;
        }

        var = (ngx_http_script_var_code_t *) codes.pos;

        if (value && ngx_http_payer_is_variable(args->cf, var->index, name)) {
            ngx_http_payer_args_copied(args, value, codes.pos);
        }

        value = NULL;
    }
}


/* the variables of which the value is made, between two codes */

static void
ngx_http_payer_args_copied(ngx_http_payer_args_t *args, u_char *from,
    u_char *to)
{
    ngx_http_variable_t         *v;
    ngx_http_script_code_pt      code;
    ngx_http_payer_codes_t       codes;
    ngx_http_core_main_conf_t   *cmcf;
    ngx_http_script_var_code_t  *var;

    cmcf = ngx_http_conf_get_module_main_conf(args->cf, ngx_http_core_module);
    v = cmcf->variables.elts;

    ngx_memzero(&codes, sizeof(ngx_http_payer_codes_t));

    codes.next = from;
    codes.last = to;

    for ( ;; ) {
        code = ngx_http_payer_codes_next(&codes);

        if (code == NULL) {
            return;
        }

        var = (ngx_http_script_var_code_t *) codes.pos;

        if (code == ngx_http_script_copy_var_code
            && var->index < cmcf->variables.nelts)
        {
            ngx_http_payer_args_variable(args, &v[var->index].name);
        }
    }
}
