
/*
 * The directives of a lookup.  A level that has one of them has a lookup of
 * its own and inherits nothing of another.
 */


#include "ngx_http_payer_lookup.h"
#include "ngx_http_payer_conf.h"
#include "ngx_http_payer_lookup_conf.h"
#include "ngx_http_payer_query.h"
#include "ngx_http_payer_value.h"


static ngx_int_t ngx_http_payer_lookup_header_name(ngx_array_t *headers,
    ngx_str_t *name);
static char *ngx_http_payer_lookup_complete(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);
static ngx_int_t ngx_http_payer_lookup_resolve(
    ngx_http_payer_lookup_conf_t *lookup, ngx_http_payer_lookup_test_t *test);


ngx_http_payer_lookup_conf_t *
ngx_http_payer_lookup_own(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *plcf)
{
    ngx_http_payer_lookup_conf_t  *lookup;

    if (plcf->lookup) {
        return plcf->lookup;
    }

    lookup = ngx_pcalloc(cf->pool, sizeof(ngx_http_payer_lookup_conf_t));
    if (lookup == NULL) {
        return NULL;
    }

    if (ngx_array_init(&lookup->args, cf->pool, 2,
                       sizeof(ngx_http_payer_lookup_arg_t))
        != NGX_OK
        || ngx_array_init(&lookup->headers, cf->pool, 1,
                          sizeof(ngx_http_payer_field_t))
           != NGX_OK
        || ngx_array_init(&lookup->fields, cf->pool, 8,
                          sizeof(ngx_http_payer_lookup_field_t))
           != NGX_OK)
    {
        return NULL;
    }

    lookup->file = cf->conf_file->file.name.data;
    lookup->line = cf->conf_file->line;

    plcf->lookup = lookup;

    return lookup;
}


/* $name or ${name} and nothing else: NGX_OK or NGX_DECLINED */

ngx_int_t
ngx_http_payer_lookup_variable(ngx_str_t *text, ngx_str_t *name)
{
    u_char  ch, *p, *last;

    p = text->data;
    last = p + text->len;

    if (text->len < 2 || *p++ != '$') {
        return NGX_DECLINED;
    }

    if (*p == '{') {

        if (last[-1] != '}') {
            return NGX_DECLINED;
        }

        p++;
        last--;
    }

    name->data = p;
    name->len = last - p;

    for ( /* void */ ; p < last; p++) {
        ch = *p | 0x20;

        if ((ch < 'a' || ch > 'z') && (*p < '0' || *p > '9') && *p != '_') {
            return NGX_DECLINED;
        }
    }

    return name->len ? NGX_OK : NGX_DECLINED;
}


char *
ngx_http_payer_lookup_header(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                     *value;
    ngx_uint_t                     i;
    ngx_http_payer_field_t        *header;
    ngx_http_payer_lookup_conf_t  *lookup;

    lookup = ngx_http_payer_lookup_own(cf, conf);
    if (lookup == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_http_payer_lookup_header_name(&lookup->headers, &value[i])
            != NGX_OK)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "header \"%V\" cannot be passed on to a "
                               "lookup", &value[i]);
            return NGX_CONF_ERROR;
        }

        header = ngx_array_push(&lookup->headers);
        if (header == NULL) {
            return NGX_CONF_ERROR;
        }

        header->name = (char *) value[i].data;
        ngx_str_null(&header->value);
    }

    return NGX_CONF_OK;
}


/* NGX_OK, or NGX_DECLINED for an invalid or existing name, or one of nginx */

static ngx_int_t
ngx_http_payer_lookup_header_name(ngx_array_t *headers, ngx_str_t *name)
{
    u_char                   ch;
    size_t                   i;
    ngx_uint_t               n;
    ngx_http_payer_field_t  *header;

    static char  *ours[] = {
        "Host", "Content-Length", "Content-Type", "Transfer-Encoding",
        "Connection", "Accept-Encoding", "Expect", "Upgrade", "Range",
        "If-Modified-Since", "If-None-Match", "TE", NULL
    };

    for (i = 0; i < name->len; i++) {
        ch = name->data[i] | 0x20;

        if ((ch < 'a' || ch > 'z') && (ch < '0' || ch > '9') && ch != '-'
            && name->data[i] != '_')
        {
            return NGX_DECLINED;
        }
    }

    for (n = 0; ours[n]; n++) {
        if (ngx_strcasecmp(name->data, (u_char *) ours[n]) == 0) {
            return NGX_DECLINED;
        }
    }

    header = headers->elts;

    for (n = 0; n < headers->nelts; n++) {
        if (ngx_strcasecmp(name->data, (u_char *) header[n].name) == 0) {
            return NGX_DECLINED;
        }
    }

    return name->len ? NGX_OK : NGX_DECLINED;
}


char *
ngx_http_payer_lookup_match(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                          *value;
    ngx_array_t                        *args;
    ngx_http_payer_lookup_test_t       *match;
    ngx_http_payer_lookup_conf_t       *lookup;
    ngx_http_compile_complex_value_t    ccv;

    lookup = ngx_http_payer_lookup_own(cf, conf);
    if (lookup == NULL) {
        return NGX_CONF_ERROR;
    }

    match = &lookup->match;

    if (match->set) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_http_payer_lookup_variable(&value[1], &match->name) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid variable name \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    match->text.value = ngx_pcalloc(cf->pool,
                                    sizeof(ngx_http_complex_value_t));
    if (match->text.value == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value[2];
    ccv.complex_value = match->text.value;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    /* an argument is escaped as in the request */

    if (ngx_http_payer_value(cf, cmd, &value[2]) != NGX_OK
        || ngx_http_payer_query_names(cf->pool, &value[2], &args) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    match->text.unescape = (args != NULL);
    match->set = 1;

    return NGX_CONF_OK;
}


/* payer_lookup_only, _open, _paid: cmd->post is the offset of the test */

char *
ngx_http_payer_lookup_states(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                     *value, *state;
    ngx_uint_t                     i;
    ngx_http_payer_lookup_test_t  *test;
    ngx_http_payer_lookup_conf_t  *lookup;

    lookup = ngx_http_payer_lookup_own(cf, conf);
    if (lookup == NULL) {
        return NGX_CONF_ERROR;
    }

    test = (ngx_http_payer_lookup_test_t *)
           ((char *) lookup + (uintptr_t) cmd->post);

    if (test->set) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_http_payer_lookup_variable(&value[1], &test->name) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid variable name \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    test->values = ngx_array_create(cf->pool, cf->args->nelts - 2,
                                    sizeof(ngx_str_t));
    if (test->values == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strlchr(value[i].data, value[i].data + value[i].len, '$')) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid value \"%V\", it must have no "
                               "variables", &value[i]);
            return NGX_CONF_ERROR;
        }

        state = ngx_array_push(test->values);
        *state = value[i];
    }

    test->set = 1;

    return NGX_CONF_OK;
}


char *
ngx_http_payer_lookup_merge(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *prev,
    ngx_http_payer_loc_conf_t *conf)
{
    if (conf->lookup == NULL) {
        conf->lookup = prev->lookup;
        return NGX_CONF_OK;
    }

    return ngx_http_payer_lookup_complete(cf, conf);
}


static char *
ngx_http_payer_lookup_complete(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf)
{
    ngx_uint_t                      i;
    ngx_http_payer_lookup_conf_t   *lookup;
    ngx_http_payer_lookup_test_t   *tests[4];
    ngx_http_payer_lookup_field_t  *field;

    lookup = conf->lookup;

    if (lookup->off) {

        if (lookup->fields.nelts || lookup->headers.nelts || lookup->match.set
            || lookup->only.set || lookup->open.set || lookup->paid.set)
        {
            ngx_http_payer_refuse(cf, lookup, "%s",
                                  "\"payer_lookup off\" is set together with "
                                  "other directives of a lookup");
            return NGX_CONF_ERROR;
        }

        conf->lookup = NULL;

        return NGX_CONF_OK;
    }

    if (lookup->uri.len == 0) {
        ngx_http_payer_refuse(cf, lookup, "%s",
                              "directives of a lookup are set without "
                              "\"payer_lookup\", which is not inherited");
        return NGX_CONF_ERROR;
    }

    tests[0] = &lookup->match;
    tests[1] = &lookup->only;
    tests[2] = &lookup->open;
    tests[3] = &lookup->paid;

    for (i = 0; i < 4; i++) {

        if (ngx_http_payer_lookup_resolve(lookup, tests[i]) != NGX_OK) {
            ngx_http_payer_refuse(cf, lookup, "\"$%V\" is not a field of "
                                  "\"payer_lookup %V\"", &tests[i]->name,
                                  &lookup->uri);
            return NGX_CONF_ERROR;
        }
    }

    if (lookup->match.set) {
        field = lookup->fields.elts;
        field[lookup->match.field].match = 1;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_payer_lookup_resolve(ngx_http_payer_lookup_conf_t *lookup,
    ngx_http_payer_lookup_test_t *test)
{
    ngx_uint_t                      i;
    ngx_http_payer_lookup_field_t  *field;

    if (!test->set) {
        return NGX_OK;
    }

    field = lookup->fields.elts;

    for (i = 0; i < lookup->fields.nelts; i++) {

        if (field[i].name.len == test->name.len
            && ngx_strncasecmp(field[i].name.data, test->name.data,
                               test->name.len)
               == 0)
        {
            test->field = i;
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


ngx_uint_t
ngx_http_payer_lookup_has_field(ngx_http_payer_lookup_conf_t *lookup,
    ngx_str_t *name)
{
    ngx_http_payer_lookup_test_t  test;

    ngx_memzero(&test, sizeof(ngx_http_payer_lookup_test_t));

    test.name = *name;
    test.set = 1;

    return ngx_http_payer_lookup_resolve(lookup, &test) == NGX_OK;
}


ngx_uint_t
ngx_http_payer_lookup_has_arg(ngx_http_payer_lookup_conf_t *lookup,
    ngx_str_t *name)
{
    ngx_uint_t                    i;
    ngx_http_payer_lookup_arg_t  *arg;

    arg = lookup->args.elts;

    for (i = 0; i < lookup->args.nelts; i++) {
        if (arg[i].variable.len == name->len
            && ngx_strncasecmp(arg[i].variable.data, name->data, name->len)
               == 0)
        {
            return 1;
        }
    }

    return 0;
}
