
/*
 * The directives of a signed link, and whether its signature protects the
 * order: each variable of the order must be in the message, and the message
 * must be unambiguous.
 */


#include "ngx_http_payer_signature_conf.h"
#include "ngx_http_payer_conf.h"
#include "ngx_http_payer_secret.h"
#include "ngx_http_payer_template.h"
#include "ngx_http_payer_value.h"


static ngx_int_t ngx_http_payer_signature_separators(ngx_conf_t *cf,
    ngx_http_payer_signature_t *signature);
static ngx_int_t ngx_http_payer_signature_protects(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf, char *directive, ngx_str_t *value);
static ngx_int_t ngx_http_payer_signature_outside(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);
static ngx_uint_t ngx_http_payer_same_name(ngx_str_t *name, char *other);
static ngx_uint_t ngx_http_payer_is_separator(u_char ch);


/* a second key is for the time in which the shop changes to it */

#define NGX_HTTP_PAYER_MAX_KEYS    2
#define NGX_HTTP_PAYER_SHORT_KEY   16

/* values of an order that a signature has to protect */

#define NGX_HTTP_PAYER_SIGNED      4


char *
ngx_http_payer_signature(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_payer_loc_conf_t *plcf = conf;

    ngx_str_t                         *value;
    ngx_http_payer_signature_t        *signature;
    ngx_http_compile_complex_value_t   ccv;

    if (plcf->signature) {
        return "is duplicate";
    }

    value = cf->args->elts;

    signature = ngx_pcalloc(cf->pool, sizeof(ngx_http_payer_signature_t));
    if (signature == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value[1];
    ccv.complex_value = &signature->value;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK
        || ngx_http_payer_value(cf, cmd, &value[1]) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value[2];
    ccv.complex_value = &signature->message;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK
        || ngx_http_payer_value(cf, cmd, &value[2]) != NGX_OK
        || ngx_http_payer_signature_separators(cf, signature) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    plcf->signature = signature;

    return NGX_CONF_OK;
}


/*
 * A message with one variable is unambiguous.  With more of them, the text
 * between two must not be a possible part of a value.
 */

static ngx_int_t
ngx_http_payer_signature_separators(ngx_conf_t *cf,
    ngx_http_payer_signature_t *signature)
{
    size_t                      i, len;
    u_char                     *p;
    ngx_int_t                   rc;
    ngx_str_t                  *message;
    ngx_uint_t                  n;
    ngx_http_payer_template_t   t;

    message = &signature->message.value;

    p = ngx_pnalloc(cf->pool, message->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    len = 0;
    n = 0;

    ngx_http_payer_template_init(&t, message);

    do {
        rc = ngx_http_payer_template_next(&t);

        signature->separators.len = len;

        for (i = 0; i < t.text.len; i++) {
            if (ngx_http_payer_is_separator(t.text.data[i])) {
                p[len++] = t.text.data[i];
            }
        }

        if (rc == NGX_OK && n++ && len == signature->separators.len) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "there must be a separator in front of \"$%V\" "
                               "in the message \"%V\", otherwise parts of one "
                               "value could be moved into another",
                               &t.name, message);
            return NGX_ERROR;
        }

    } while (rc == NGX_OK);

    if (n == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the message \"%V\" has no variables: its "
                           "signature would be valid for every order",
                           message);
        return NGX_ERROR;
    }

    signature->separators.data = p;
    signature->separators.len = (n > 1) ? len : 0;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_payer_is_separator(u_char ch)
{
    return (ch < '0' || ch > '9')
           && ((ch | 0x20) < 'a' || (ch | 0x20) > 'z');
}


char *
ngx_http_payer_signature_key_file(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_payer_loc_conf_t *plcf = conf;

    ngx_str_t  *value, *key;

    if (plcf->signature_keys == NULL) {
        plcf->signature_keys = ngx_array_create(cf->pool,
                                                NGX_HTTP_PAYER_MAX_KEYS,
                                                sizeof(ngx_str_t));
        if (plcf->signature_keys == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (plcf->signature_keys->nelts == NGX_HTTP_PAYER_MAX_KEYS) {
        return "is specified more than twice: only the old and the new key "
               "are allowed";
    }

    value = cf->args->elts;

    if (ngx_conf_full_name(cf->cycle, &value[1], 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    key = ngx_array_push(plcf->signature_keys);
    if (key == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_payer_read_secret(cf, &value[1], key) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (key->len < NGX_HTTP_PAYER_SHORT_KEY) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "the key in \"%V\" is shorter than %d bytes: with "
                           "one signed link a client can try to guess it",
                           &value[1], NGX_HTTP_PAYER_SHORT_KEY);
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_payer_signature_check(ngx_conf_t *cf, ngx_http_payer_loc_conf_t *conf)
{
    ngx_uint_t                 i;
    ngx_http_complex_value_t  *values[NGX_HTTP_PAYER_SIGNED];

    static char  *directives[] = {
        "payer_reference", "payer_max_amount", "payer_order_id",
        "payer_signature_expires"
    };

    values[0] = conf->reference.value;
    values[1] = conf->max_amount;
    values[2] = conf->order_id;
    values[3] = conf->signature_expires;

    if (conf->signature_keys == NULL) {
        ngx_http_payer_refuse(cf, conf, "\"payer_signature\" of location "
                              "\"%V\" has no \"payer_signature_key_file\"",
                              &conf->clcf->name);
        return NGX_ERROR;
    }

    if (ngx_http_payer_signature_outside(cf, conf) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_HTTP_PAYER_SIGNED; i++) {
        if (values[i]
            && ngx_http_payer_signature_protects(cf, conf, directives[i],
                                                 &values[i]->value)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (conf->signature_expires == NULL) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"payer_signature\" of location \"%V\" has no "
                      "\"payer_signature_expires\": a link can be used after "
                      "the order has changed, in %s:%ui",
                      &conf->clcf->name, conf->file, conf->line);
    }

    return NGX_OK;
}


/* a message that contains its own signature cannot be signed */

static ngx_int_t
ngx_http_payer_signature_outside(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf)
{
    ngx_http_payer_template_t  t;

    ngx_http_payer_template_init(&t, &conf->signature->value.value);

    while (ngx_http_payer_template_next(&t) == NGX_OK) {

        if (ngx_http_payer_signature_covers(conf, &t.name)) {
            ngx_http_payer_refuse(cf, conf, "the message of "
                                  "\"payer_signature\" contains its own "
                                  "signature \"$%V\", so that no shop can "
                                  "make one, in location \"%V\"",
                                  &t.name, &conf->clcf->name);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * Every variable counts, not only what the buyer is known to choose: a map
 * can be of an argument, too.  Amount and currency have rules of their own,
 * see ngx_http_payer_check_money().
 */

static ngx_int_t
ngx_http_payer_signature_protects(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf, char *directive, ngx_str_t *value)
{
    ngx_http_payer_template_t  t;

    ngx_http_payer_template_init(&t, value);

    while (ngx_http_payer_template_next(&t) == NGX_OK) {

        if (!ngx_http_payer_signature_covers(conf, &t.name)) {
            ngx_http_payer_refuse(cf, conf, "the signature does not protect "
                                  "\"%s\": \"$%V\" is not in the message of "
                                  "\"payer_signature\" of location \"%V\"",
                                  directive, &t.name, &conf->clcf->name);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_payer_signature_covers(ngx_http_payer_loc_conf_t *conf,
    ngx_str_t *name)
{
    ngx_uint_t                  argument;
    ngx_http_payer_template_t   t;

    argument = (name->len > 4
                && ngx_strncasecmp(name->data, (u_char *) "arg_", 4) == 0)
               || ngx_http_payer_same_name(name, "args")
               || ngx_http_payer_same_name(name, "query_string");

    ngx_http_payer_template_init(&t, &conf->signature->message.value);

    while (ngx_http_payer_template_next(&t) == NGX_OK) {

        if (t.name.len == name->len
            && ngx_strncasecmp(t.name.data, name->data, name->len) == 0)
        {
            return 1;
        }

        if (argument
            && (ngx_http_payer_same_name(&t.name, "args")
                || ngx_http_payer_same_name(&t.name, "query_string")
                || ngx_http_payer_same_name(&t.name, "request_uri")
                || ngx_http_payer_same_name(&t.name, "request")))
        {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_payer_same_name(ngx_str_t *name, char *other)
{
    return name->len == ngx_strlen(other)
           && ngx_strncasecmp(name->data, (u_char *) other, name->len) == 0;
}
