
/*
 * The directives of a lookup.  A level that has one of them has a lookup of
 * its own and inherits nothing of another.
 */


#include "ngx_http_payer_lookup.h"
#include "ngx_http_payer_conf.h"
#include "ngx_http_payer_intake.h"
#include "ngx_http_payer_query.h"
#include "ngx_http_payer_value.h"


static ngx_http_payer_lookup_conf_t *ngx_http_payer_lookup_own(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *plcf);
static char *ngx_http_payer_lookup_arguments(ngx_conf_t *cf,
    ngx_http_payer_lookup_conf_t *lookup, u_char *p, u_char *last);
static char *ngx_http_payer_lookup_argument(ngx_conf_t *cf,
    ngx_http_payer_lookup_conf_t *lookup, ngx_str_t *text);
static ngx_int_t ngx_http_payer_lookup_variable(ngx_str_t *text,
    ngx_str_t *name);
static char *ngx_http_payer_lookup_declare(ngx_conf_t *cf, ngx_str_t *name,
    ngx_uint_t *id);
static ngx_uint_t ngx_http_payer_lookup_taken(ngx_conf_t *cf,
    ngx_str_t *name);
static char *ngx_http_payer_lookup_regex(ngx_conf_t *cf,
    ngx_http_payer_lookup_field_t *field, ngx_str_t *text);
static char *ngx_http_payer_lookup_complete(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);
static ngx_int_t ngx_http_payer_lookup_resolve(
    ngx_http_payer_lookup_conf_t *lookup, ngx_http_payer_lookup_test_t *test);


/* without a limit a pattern can hold a worker for seconds */
#define NGX_HTTP_PAYER_LOOKUP_LIMIT  "(*LIMIT_MATCH=10000)"

#define NGX_HTTP_PAYER_LOOKUP_GROUPS  8


static ngx_http_payer_lookup_conf_t *
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


char *
ngx_http_payer_lookup(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    u_char                        *p, *last;
    ngx_str_t                     *value;
    ngx_http_payer_lookup_conf_t  *lookup;

    lookup = ngx_http_payer_lookup_own(cf, conf);
    if (lookup == NULL) {
        return NGX_CONF_ERROR;
    }

    if (lookup->uri.data || lookup->off) {
        return "is duplicate";
    }

    value = cf->args->elts;

    lookup->file = cf->conf_file->file.name.data;
    lookup->line = cf->conf_file->line;

    if (cf->args->nelts == 3) {

        if (ngx_strcmp(value[2].data, "chars=email") != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[2]);
            return NGX_CONF_ERROR;
        }

        lookup->email = 1;

    } else if (ngx_strcmp(value[1].data, "off") == 0) {
        lookup->off = 1;
        return NGX_CONF_OK;
    }

    last = value[1].data + value[1].len;
    p = ngx_strlchr(value[1].data, last, '?');

    lookup->uri.data = value[1].data;
    lookup->uri.len = (p ? p : last) - value[1].data;

    if (lookup->uri.len == 0 || lookup->uri.data[0] != '/'
        || ngx_strlchr(lookup->uri.data, p ? p : last, '$'))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid URI \"%V\", its path must begin with a "
                           "slash and have no variables", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_payer_value(cf, cmd, &value[1]) != NGX_OK
        || ngx_http_payer_query_names(cf->pool, &value[1], &lookup->buyers)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return p ? ngx_http_payer_lookup_arguments(cf, lookup, p + 1, last)
             : NGX_CONF_OK;
}


static char *
ngx_http_payer_lookup_arguments(ngx_conf_t *cf,
    ngx_http_payer_lookup_conf_t *lookup, u_char *p, u_char *last)
{
    char       *rv;
    u_char     *end;
    ngx_str_t   text;

    for ( /* void */ ; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, '&');

        if (end == NULL) {
            end = last;
        }

        text.data = p;
        text.len = end - p;

        rv = ngx_http_payer_lookup_argument(cf, lookup, &text);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


/* name=text or name=$variable */

static char *
ngx_http_payer_lookup_argument(ngx_conf_t *cf,
    ngx_http_payer_lookup_conf_t *lookup, ngx_str_t *text)
{
    u_char                       *last, *eq;
    ngx_http_payer_lookup_arg_t  *arg;

    last = text->data + text->len;
    eq = ngx_strlchr(text->data, last, '=');

    arg = ngx_array_push(&lookup->args);
    if (arg == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(arg, sizeof(ngx_http_payer_lookup_arg_t));

    if (eq) {
        arg->name.data = text->data;
        arg->name.len = eq - text->data;
        arg->text.data = eq + 1;
        arg->text.len = last - arg->text.data;
    }

    if (arg->name.len == 0 || ngx_strlchr(arg->name.data, eq, '$')) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid argument \"%V\", it must be a name and a "
                           "value", text);
        return NGX_CONF_ERROR;
    }

    if (ngx_strlchr(arg->text.data, last, '$') == NULL) {
        return NGX_CONF_OK;
    }

    if (ngx_http_payer_lookup_variable(&arg->text, &arg->variable) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid argument \"%V\", a variable must be its "
                           "whole value", text);
        return NGX_CONF_ERROR;
    }

    arg->index = ngx_http_get_variable_index(cf, &arg->variable);

    return arg->index == NGX_ERROR ? NGX_CONF_ERROR : NGX_CONF_OK;
}


/* $name or ${name} and nothing else: NGX_OK or NGX_DECLINED */

static ngx_int_t
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

    static char  *ours[] = {
        "Host", "Content-Length", "Content-Type", "Transfer-Encoding",
        "Connection", "Accept-Encoding", "Expect", "Upgrade", NULL
    };

    char  **name;

    lookup = ngx_http_payer_lookup_own(cf, conf);
    if (lookup == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        for (name = ours; *name; name++) {
            if (ngx_strcasecmp(value[i].data, (u_char *) *name) == 0) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "header \"%V\" cannot be passed on to a "
                                   "lookup", &value[i]);
                return NGX_CONF_ERROR;
            }
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


char *
ngx_http_payer_lookup_field(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                           *rv;
    ngx_str_t                      *value;
    ngx_http_payer_lookup_conf_t   *lookup;
    ngx_http_payer_lookup_field_t  *field;

    lookup = ngx_http_payer_lookup_own(cf, conf);
    if (lookup == NULL) {
        return NGX_CONF_ERROR;
    }

    field = ngx_array_push(&lookup->fields);
    if (field == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(field, sizeof(ngx_http_payer_lookup_field_t));

    value = cf->args->elts;

    if (cf->args->nelts == 4) {

        if (ngx_strcmp(value[3].data, "optional") != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[3]);
            return NGX_CONF_ERROR;
        }

        field->optional = 1;
    }

    if (ngx_http_payer_lookup_variable(&value[1], &field->name) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid variable name \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    lookup->fields.nelts--;

    if (ngx_http_payer_lookup_has_field(lookup, &field->name)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate field \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    lookup->fields.nelts++;

    rv = ngx_http_payer_lookup_declare(cf, &field->name, &field->id);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (value[2].len > 1 && value[2].data[0] == '~') {
        return ngx_http_payer_lookup_regex(cf, field, &value[2]);
    }

    if (ngx_http_payer_json_pointer_check(&value[2]) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid JSON Pointer \"%V\", it must begin with "
                           "a slash", &value[2]);
        return NGX_CONF_ERROR;
    }

    field->pointer = value[2];
    lookup->json = 1;

    return NGX_CONF_OK;
}


/* the variable, which several lookups may fill and nobody else may own */

static char *
ngx_http_payer_lookup_declare(ngx_conf_t *cf, ngx_str_t *name, ngx_uint_t *id)
{
    ngx_str_t                   *known;
    ngx_uint_t                   i;
    ngx_http_variable_t         *var;
    ngx_http_payer_main_conf_t  *pmcf;

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_payer_module);

    known = pmcf->lookup_fields.elts;

    for (i = 0; i < pmcf->lookup_fields.nelts; i++) {
        if (known[i].len == name->len
            && ngx_strncasecmp(known[i].data, name->data, name->len) == 0)
        {
            *id = i;
            return NGX_CONF_OK;
        }
    }

    if (ngx_http_payer_lookup_taken(cf, name)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "variable \"$%V\" exists already", name);
        return NGX_CONF_ERROR;
    }

    known = ngx_array_push(&pmcf->lookup_fields);
    if (known == NULL) {
        return NGX_CONF_ERROR;
    }

    *known = *name;
    *id = i;

    var = ngx_http_add_variable(cf, name, NGX_HTTP_VAR_NOCACHEABLE);
    if (var == NULL) {
        return NGX_CONF_ERROR;
    }

    var->get_handler = ngx_http_payer_lookup_get_field;
    var->data = i;

    return NGX_CONF_OK;
}


/* somebody else's variable, or one of a family such as $arg_... */

static ngx_uint_t
ngx_http_payer_lookup_taken(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_str_t                  *family;
    ngx_uint_t                  i;
    ngx_hash_key_t             *key;
    ngx_http_core_main_conf_t  *cmcf;

    static ngx_str_t  families[] = {
        ngx_string("arg_"), ngx_string("cookie_"), ngx_string("http_"),
        ngx_string("sent_http_"), ngx_string("sent_trailer_"),
        ngx_string("upstream_http_"), ngx_string("upstream_cookie_"),
        ngx_string("upstream_trailer_"), ngx_string("payer_"),
        ngx_null_string
    };

    if (name->data[0] >= '0' && name->data[0] <= '9') {
        return 1;
    }

    for (family = families; family->len; family++) {
        if (name->len >= family->len
            && ngx_strncasecmp(name->data, family->data, family->len) == 0)
        {
            return 1;
        }
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    key = cmcf->variables_keys->keys.elts;

    for (i = 0; i < cmcf->variables_keys->keys.nelts; i++) {
        if (key[i].key.len == name->len
            && ngx_strncasecmp(key[i].key.data, name->data, name->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static char *
ngx_http_payer_lookup_regex(ngx_conf_t *cf,
    ngx_http_payer_lookup_field_t *field, ngx_str_t *text)
{
#if (NGX_PCRE)
    u_char               *p, errstr[NGX_MAX_CONF_ERRSTR];
    ngx_str_t             pattern;
    ngx_regex_compile_t   rc;

    text->data++;
    text->len--;

    pattern.len = sizeof(NGX_HTTP_PAYER_LOOKUP_LIMIT) - 1 + text->len;
    pattern.data = ngx_pnalloc(cf->pool, pattern.len + 1);
    if (pattern.data == NULL) {
        return NGX_CONF_ERROR;
    }

    p = ngx_cpymem(pattern.data, NGX_HTTP_PAYER_LOOKUP_LIMIT,
                   sizeof(NGX_HTTP_PAYER_LOOKUP_LIMIT) - 1);
    p = ngx_cpymem(p, text->data, text->len);
    *p = '\0';

    ngx_memzero(&rc, sizeof(ngx_regex_compile_t));

    rc.pattern = pattern;
    rc.pool = cf->pool;
    rc.err.len = NGX_MAX_CONF_ERRSTR;
    rc.err.data = errstr;

    if (ngx_regex_compile(&rc) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%V", &rc.err);
        return NGX_CONF_ERROR;
    }

    if (rc.captures == 0 || rc.captures > NGX_HTTP_PAYER_LOOKUP_GROUPS) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "regular expression \"%V\" must have from 1 to %d "
                           "groups", text, NGX_HTTP_PAYER_LOOKUP_GROUPS);
        return NGX_CONF_ERROR;
    }

    if (ngx_strlchr(text->data, text->data + text->len, '<') == NULL
        && ngx_strlchr(text->data, text->data + text->len, '>') == NULL
        && ngx_strlchr(text->data, text->data + text->len, '"') == NULL)
    {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "regular expression \"%V\" has no \"<\", \">\" or "
                           "quote around what it looks for: a text of the "
                           "buyer's on the page may match it", text);
    }

    field->pointer = *text;
    field->pattern = 1;
    field->regex = rc.regex;
    field->captures = rc.captures;

    return NGX_CONF_OK;

#else

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "using regex \"%V\" requires PCRE library", text);
    return NGX_CONF_ERROR;

#endif
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

    /* an argument is as the buyer's browser has escaped it */

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

        if (lookup->fields.nelts || lookup->headers.nelts) {
            ngx_http_payer_refuse(cf, lookup, "%s",
                                  "\"payer_lookup off\" has further "
                                  "directives of a lookup beside it");
            return NGX_CONF_ERROR;
        }

        conf->lookup = NULL;

        return NGX_CONF_OK;
    }

    if (lookup->uri.len == 0) {
        ngx_http_payer_refuse(cf, lookup, "%s",
                              "directives of a lookup have no "
                              "\"payer_lookup\" beside them, which is not "
                              "inherited");
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

    } else if (lookup->buyers) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"payer_lookup %V\" asks for what the buyer names and "
                      "has no \"payer_lookup_match\": whoever guesses an "
                      "order number sees that order in %s:%ui",
                      &lookup->uri, lookup->file, lookup->line);
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
