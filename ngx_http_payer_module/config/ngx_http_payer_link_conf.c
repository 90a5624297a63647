
/*
 * payer_link: the checkout to which it signs links, and the checks of it.
 *
 * All values that are signed must be known when a link is created, so the
 * order, its amount and the time of expiry must be one argument each.
 */


#include "ngx_http_payer_link_conf.h"
#include "ngx_http_payer_conf.h"
#include "ngx_http_payer_locate.h"
#include "ngx_http_payer_template.h"


static ngx_int_t ngx_http_payer_link_locate(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);
static ngx_int_t ngx_http_payer_link_args(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);
static ngx_int_t ngx_http_payer_link_arg_of(ngx_str_t *value,
    ngx_str_t *name);
static ngx_int_t ngx_http_payer_link_name(ngx_str_t *variable,
    ngx_str_t *name);
static ngx_uint_t ngx_http_payer_link_same(ngx_str_t *one, ngx_str_t *other);
static ngx_int_t ngx_http_payer_link_message(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);
static ngx_int_t ngx_http_payer_link_separators(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf, ngx_http_payer_loc_conf_t *checkout);


#define ngx_http_payer_link_checkout(link)                                   \
    ((ngx_http_payer_loc_conf_t *)                                           \
     (link)->clcf->loc_conf[ngx_http_payer_module.ctx_index])


char *
ngx_http_payer_link(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payer_loc_conf_t *plcf = conf;

    ngx_str_t  *value;

    value = cf->args->elts;

    if (value[1].len == 0 || value[1].data[0] != '/'
        || strpbrk((char *) value[1].data, "$?#"))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid URI \"%V\", it must begin with a slash "
                           "and have no variables and no arguments",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    plcf->link = ngx_pcalloc(cf->pool, sizeof(ngx_http_payer_link_conf_t));
    if (plcf->link == NULL) {
        return NGX_CONF_ERROR;
    }

    plcf->link->uri = value[1];

    return ngx_http_payer_handler(cf, cmd, conf);
}


ngx_int_t
ngx_http_payer_check_link(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf)
{
    ngx_http_payer_loc_conf_t  *checkout;

    if (ngx_http_payer_link_locate(cf, conf) != NGX_OK) {
        return NGX_ERROR;
    }

    checkout = ngx_http_payer_link_checkout(conf->link);

    if (checkout->currency->lengths) {
        ngx_http_payer_refuse(cf, conf, "\"payer_currency\" of location "
                              "\"%V\", which \"payer_link\" names, is not "
                              "constant, so that no signature covers it",
                              &conf->link->uri);
        return NGX_ERROR;
    }

    if (ngx_http_payer_link_args(cf, conf) != NGX_OK
        || ngx_http_payer_link_message(cf, conf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (checkout->present != NGX_HTTP_PAYER_PRESENT_CONFIRM) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "location \"%V\", which \"payer_link\" names, has no "
                      "\"payer_present confirm\": programs that open links in "
                      "mails would create payments, in %s:%ui",
                      &conf->link->uri, conf->file, conf->line);
    }

    return NGX_OK;
}


/* the location to which the link leads */

static ngx_int_t
ngx_http_payer_link_locate(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t   *clcf, *server;
    ngx_http_payer_loc_conf_t  *checkout;

    server = conf->cscf->ctx->loc_conf[ngx_http_core_module.ctx_index];
    clcf = NULL;

    if (ngx_http_payer_locate(server, &conf->link->uri, &clcf) == NGX_ERROR) {
        return NGX_ERROR;
    }

    conf->link->clcf = clcf;

    checkout = clcf ? ngx_http_payer_link_checkout(conf->link) : NULL;

    if (checkout == NULL || checkout->handler == NULL
        || !checkout->handler->order)
    {
        ngx_http_payer_refuse(cf, conf, "there is no location with "
                              "\"payer_checkout\" for \"%V\" in this server, "
                              "which \"payer_link\" names", &conf->link->uri);
        return NGX_ERROR;
    }

    if (clcf->internal) {
        ngx_http_payer_refuse(cf, conf, "location \"%V\", which "
                              "\"payer_link\" names, is internal, so that no "
                              "buyer could open a link", &conf->link->uri);
        return NGX_ERROR;
    }

    if (checkout->signature == NULL || checkout->signature_keys == NULL) {
        ngx_http_payer_refuse(cf, conf, "location \"%V\", which "
                              "\"payer_link\" names, has no "
                              "\"payer_signature\"", &conf->link->uri);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_link_args(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf)
{
    ngx_uint_t                   i, j;
    ngx_http_payer_loc_conf_t   *checkout;
    ngx_http_payer_link_conf_t  *link;
    ngx_http_complex_value_t    *values[NGX_HTTP_PAYER_LINK_ARGS];

    static char  *directives[] = {
        "payer_reference", "payer_amount", "payer_signature_expires",
        "payer_signature"
    };

    link = conf->link;
    checkout = ngx_http_payer_link_checkout(link);

    values[NGX_HTTP_PAYER_LINK_REFERENCE] = checkout->reference.value;
    values[NGX_HTTP_PAYER_LINK_AMOUNT] = checkout->amount;
    values[NGX_HTTP_PAYER_LINK_EXPIRES] = checkout->signature_expires;
    values[NGX_HTTP_PAYER_LINK_SIGNATURE] = &checkout->signature->value;

    for (i = 0; i < NGX_HTTP_PAYER_LINK_ARGS; i++) {

        if (values[i] == NULL
            || ngx_http_payer_link_arg_of(&values[i]->value, &link->args[i])
               != NGX_OK)
        {
            ngx_http_payer_refuse(cf, conf, "\"%s\" of location \"%V\", which "
                                  "\"payer_link\" names, is not one argument, "
                                  "as in \"$arg_name\"", directives[i],
                                  &link->uri);
            return NGX_ERROR;
        }

        for (j = 0; j < i; j++) {

            if (ngx_http_payer_link_same(&link->args[i], &link->args[j])) {
                ngx_http_payer_refuse(cf, conf, "\"%s\" and \"%s\" of "
                                      "location \"%V\", which \"payer_link\" "
                                      "names, are the same argument",
                                      directives[j], directives[i],
                                      &link->uri);
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


/* whether the value is one argument and nothing else */

static ngx_int_t
ngx_http_payer_link_arg_of(ngx_str_t *value, ngx_str_t *name)
{
    ngx_http_payer_template_t  t;

    ngx_http_payer_template_init(&t, value);

    if (ngx_http_payer_template_next(&t) != NGX_OK || t.text.len
        || ngx_http_payer_link_name(&t.name, name) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    return (ngx_http_payer_template_next(&t) == NGX_DONE && t.text.len == 0)
           ? NGX_OK : NGX_DECLINED;
}


/* the name of the argument that a variable is */

static ngx_int_t
ngx_http_payer_link_name(ngx_str_t *variable, ngx_str_t *name)
{
    static ngx_str_t  prefix = ngx_string("arg_");

    if (variable->len <= prefix.len
        || ngx_strncasecmp(variable->data, prefix.data, prefix.len) != 0)
    {
        return NGX_DECLINED;
    }

    name->data = variable->data + prefix.len;
    name->len = variable->len - prefix.len;

    return NGX_OK;
}


/* nginx finds arguments whatever their case */

static ngx_uint_t
ngx_http_payer_link_same(ngx_str_t *one, ngx_str_t *other)
{
    return one->len == other->len
           && ngx_strncasecmp(one->data, other->data, one->len) == 0;
}


/* the message in parts, so that it can be written without a request */

static ngx_int_t
ngx_http_payer_link_message(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf)
{
    ngx_int_t                    rc;
    ngx_str_t                    name;
    ngx_uint_t                   i;
    ngx_http_payer_template_t    t;
    ngx_http_payer_loc_conf_t   *checkout;
    ngx_http_payer_link_part_t  *part;

    checkout = ngx_http_payer_link_checkout(conf->link);

    if (ngx_array_init(&conf->link->parts, cf->pool, 4,
                       sizeof(ngx_http_payer_link_part_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_payer_template_init(&t, &checkout->signature->message.value);

    do {
        rc = ngx_http_payer_template_next(&t);

        part = ngx_array_push(&conf->link->parts);
        if (part == NULL) {
            return NGX_ERROR;
        }

        part->text = t.text;
        part->arg = NGX_HTTP_PAYER_LINK_ARGS;

        if (rc != NGX_OK) {
            break;
        }

        if (ngx_http_payer_link_name(&t.name, &name) == NGX_OK) {

            for (i = 0; i < NGX_HTTP_PAYER_LINK_ARGS; i++) {
                if (ngx_http_payer_link_same(&conf->link->args[i], &name)) {
                    part->arg = i;
                }
            }
        }

        if (part->arg == NGX_HTTP_PAYER_LINK_ARGS) {
            ngx_http_payer_refuse(cf, conf, "the message of "
                                  "\"payer_signature\" of location \"%V\", "
                                  "which \"payer_link\" names, contains "
                                  "\"$%V\", which is no argument of a link",
                                  &conf->link->uri, &t.name);
            return NGX_ERROR;
        }

    } while (rc == NGX_OK);

    return ngx_http_payer_link_separators(cf, conf, checkout);
}


/*
 * a value that contains a separator is rejected, so the values of a link must
 * not need it
 */

static ngx_int_t
ngx_http_payer_link_separators(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf,
    ngx_http_payer_loc_conf_t *checkout)
{
    u_char     *last;
    ngx_str_t  *separators;

    separators = &checkout->signature->separators;
    last = separators->data + separators->len;

    if (separators->len == 0) {
        return NGX_OK;
    }

    if (ngx_strlchr(separators->data, last, '%')
        || (checkout->amount_unit != NGX_HTTP_PAYER_MINOR
            && checkout->exponent > 0
            && ngx_strlchr(separators->data, last, '.')))
    {
        ngx_http_payer_refuse(cf, conf, "the message of \"payer_signature\" "
                              "of location \"%V\", which \"payer_link\" "
                              "names, separates values by a character that "
                              "they contain", &conf->link->uri);
        return NGX_ERROR;
    }

    return NGX_OK;
}
