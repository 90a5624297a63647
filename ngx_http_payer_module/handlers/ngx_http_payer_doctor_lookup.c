
/*
 * payer_doctor with lookup=ARGS: makes the request of a lookup to the shop's
 * API, and shows the fields.  Nothing is sold, and the field of
 * payer_lookup_match is not shown.
 */


#include "ngx_http_payer_doctor.h"
#include "ngx_http_payer_answer_reply.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_lookup.h"


static ngx_http_payer_loc_conf_t *ngx_http_payer_doctor_asks(
    ngx_http_payer_ctx_t *ctx, ngx_str_t *args);
static ngx_uint_t ngx_http_payer_doctor_fits(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_loc_conf_t *conf, ngx_str_t *args);
static ngx_int_t ngx_http_payer_doctor_next_arg(u_char **pos, u_char *last,
    ngx_str_t *name, ngx_str_t *value);
static ngx_uint_t ngx_http_payer_doctor_clean(ngx_str_t *value,
    ngx_uint_t email);
static ngx_int_t ngx_http_payer_doctor_looked(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);


/* as in payer_lookups_total */

static ngx_str_t  ngx_http_payer_doctor_verdicts[] = {
    ngx_null_string,
    ngx_string("open"),
    ngx_string("paid"),
    ngx_string("closed"),
    ngx_string("other"),
    ngx_string("not_found"),
    ngx_string("failed")
};


ngx_int_t
ngx_http_payer_doctor_lookup(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_doctor_t    *d;
    ngx_http_payer_loc_conf_t  *conf;

    d = ctx->data;

    conf = ngx_http_payer_doctor_asks(ctx, &d->lookup_args);

    if (conf == NULL) {
        return ngx_http_payer_answer_refuse(r, NGX_HTTP_BAD_REQUEST,
                   "lookup is not the arguments of a payer_lookup of this "
                   "server, name=value joined by \"&\", percent-encoded");
    }

    /* the rules are those of the location that has the lookup */

    ctx->conf = conf;

    if (ngx_http_payer_lookup_without_buyer(ctx, &d->lookup_args) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->step = ngx_http_payer_doctor_looked;

    return NGX_OK;
}


static ngx_http_payer_loc_conf_t *
ngx_http_payer_doctor_asks(ngx_http_payer_ctx_t *ctx, ngx_str_t *args)
{
    ngx_uint_t                   i;
    ngx_http_payer_loc_conf_t  **locs;

    locs = ctx->conf->main->locations.elts;

    for (i = 0; i < ctx->conf->main->locations.nelts; i++) {

        if (locs[i]->cscf == ctx->conf->cscf && locs[i]->lookup
            && locs[i]->lookup_clcf
            && ngx_http_payer_doctor_fits(ctx, locs[i], args))
        {
            return locs[i];
        }
    }

    return NULL;
}


/* whether these are the arguments of the lookup, in their order */

static ngx_uint_t
ngx_http_payer_doctor_fits(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_loc_conf_t *conf, ngx_str_t *args)
{
    u_char                        *p, *last;
    ngx_str_t                      name, value;
    ngx_uint_t                     i;
    ngx_http_payer_lookup_arg_t   *arg;
    ngx_http_payer_lookup_conf_t  *lookup;

    lookup = conf->lookup;
    arg = lookup->args.elts;

    p = args->data;
    last = p + args->len;

    for (i = 0; i < lookup->args.nelts; i++) {

        if (ngx_http_payer_doctor_next_arg(&p, last, &name, &value) != NGX_OK
            || !ngx_http_payer_same(&name, &arg[i].name)
            || !ngx_http_payer_doctor_clean(&value, lookup->email))
        {
            return 0;
        }

        if (arg[i].variable.len && conf->reference.variable
            && (ngx_uint_t) arg[i].index == conf->reference.variable - 1)
        {
            ctx->order.reference = value;
        }
    }

    return p >= last;
}


static ngx_int_t
ngx_http_payer_doctor_next_arg(u_char **pos, u_char *last, ngx_str_t *name,
    ngx_str_t *value)
{
    u_char  *p, *end, *equals;

    p = *pos;

    if (p >= last) {
        return NGX_DECLINED;
    }

    end = ngx_strlchr(p, last, '&');

    if (end == NULL) {
        end = last;
    }

    equals = ngx_strlchr(p, end, '=');

    if (equals == NULL) {
        return NGX_DECLINED;
    }

    name->data = p;
    name->len = equals - p;

    value->data = equals + 1;
    value->len = end - value->data;

    *pos = end + 1;

    return NGX_OK;
}


/* the rule for values of a lookup's arguments */

static ngx_uint_t
ngx_http_payer_doctor_clean(ngx_str_t *value, ngx_uint_t email)
{
    size_t  i;
    u_char  ch;

    if (value->len == 0 || value->len > 64) {
        return 0;
    }

    for (i = 0; i < value->len; i++) {
        ch = value->data[i];

        if ((ch >= '0' && ch <= '9')
            || ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z')
            || ch == '_' || ch == '-')
        {
            continue;
        }

        if (!email || (ch != '.' && ch != '@')) {
            return 0;
        }
    }

    return 1;
}


static ngx_int_t
ngx_http_payer_doctor_looked(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                 rc;
    ngx_str_t                *verdict;
    ngx_http_payer_health_e   health;
    ngx_http_payer_lookup_t  *lookup;
    ngx_http_payer_doctor_t  *d;

    d = ctx->data;

    rc = ngx_http_payer_lookup_run(ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    lookup = ctx->lookup;
    verdict = &ngx_http_payer_doctor_verdicts[lookup->verdict];

    d->looked = lookup;
    d->verdict = *verdict;

    health = NGX_HTTP_PAYER_HEALTH_OK;

    if (lookup->verdict == NGX_HTTP_PAYER_LOOKUP_FAILED) {
        health = NGX_HTTP_PAYER_HEALTH_FAIL;

    } else if (lookup->verdict == NGX_HTTP_PAYER_LOOKUP_ABSENT) {
        health = NGX_HTTP_PAYER_HEALTH_WARN;
    }

    ngx_http_payer_doctor_say(ctx, NGX_HTTP_PAYER_CHECK_LOOKUP, health,
                              health == NGX_HTTP_PAYER_HEALTH_OK ? NULL
                              : "Read the line about this lookup in the error "
                                "log, at the info level if the order is not "
                                "found.",
                              "\"%V\": the shop has answered %ui, \"%V\"%s%s",
                              &lookup->conf->uri, lookup->status, verdict,
                              lookup->wrong ? ": " : "",
                              lookup->wrong ? lookup->wrong : "");

    ctx->step = ngx_http_payer_doctor_answer;

    return NGX_OK;
}


void
ngx_http_payer_doctor_lookup_json(ngx_http_payer_json_out_t *out,
    ngx_http_payer_doctor_t *d)
{
    u_char                         *name;
    ngx_uint_t                      i;
    ngx_http_payer_lookup_t        *lookup;
    ngx_http_payer_lookup_field_t  *field;

    lookup = d->looked;

    if (lookup == NULL) {
        return;
    }

    ngx_http_payer_json_out_name(out, "lookup");
    ngx_http_payer_json_out_open(out, '{');
    ngx_http_payer_json_out_str(out, "uri", &lookup->conf->uri);
    ngx_http_payer_json_out_number(out, "status", lookup->status);
    ngx_http_payer_json_out_str(out, "verdict", &d->verdict);
    ngx_http_payer_json_out_name(out, "fields");
    ngx_http_payer_json_out_open(out, '{');

    field = lookup->conf->fields.elts;

    for (i = 0; i < lookup->conf->fields.nelts && lookup->fields; i++) {

        if (field[i].match) {
            continue;
        }

        name = ngx_pnalloc(out->pool, field[i].name.len + 1);

        if (name == NULL) {
            out->failed = 1;
            return;
        }

        ngx_cpystrn(name, field[i].name.data, field[i].name.len + 1);

        ngx_http_payer_json_out_str(out, (char *) name, &lookup->fields[i]);
    }

    ngx_http_payer_json_out_close(out, '}');
    ngx_http_payer_json_out_close(out, '}');
}
