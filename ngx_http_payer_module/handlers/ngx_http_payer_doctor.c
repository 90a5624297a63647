
/*
 * payer_doctor: checks the configuration, Payer and the store.
 *
 *     begin -> turn -> (fetch ... -> store ... ->) answer
 *
 * One run at a time over all worker processes, and its result is shared for
 * ten seconds: many requests do not cause more calls to Payer.  A run with
 * lookup= or deep=1 is not shared.
 */


#include "ngx_http_payer_doctor.h"
#include "ngx_http_payer_access.h"
#include "ngx_http_payer_answer.h"
#include "ngx_http_payer_answer_reply.h"
#include "ngx_http_payer_body.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_query.h"
#include "ngx_http_payer_zone_note.h"


/*
 * milliseconds: of a run, of its calls to Payer, and between checks of another
 * run
 */

#define NGX_HTTP_PAYER_DOCTOR_TIME      9500
#define NGX_HTTP_PAYER_DOCTOR_NETWORK   6000
#define NGX_HTTP_PAYER_DOCTOR_POLL      50


static ngx_int_t ngx_http_payer_doctor_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_payer_doctor_begin(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static const char *ngx_http_payer_doctor_args(ngx_http_request_t *r,
    ngx_http_payer_doctor_t *d);
static ngx_uint_t ngx_http_payer_doctor_flag(ngx_http_request_t *r,
    char *name);
static ngx_uint_t ngx_http_payer_doctor_terminal(ngx_http_request_t *r);
static ngx_int_t ngx_http_payer_doctor_key(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_doctor_t *d);
static ngx_int_t ngx_http_payer_doctor_turn(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_doctor_run(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_doctor_t *d);
static ngx_int_t ngx_http_payer_doctor_local(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static void ngx_http_payer_doctor_cleanup(void *data);


ngx_http_payer_handler_t  ngx_http_payer_handler_doctor = {
    ngx_string("payer_doctor"), ngx_http_payer_doctor_handler,
    1, NGX_HTTP_PAYER_ALLOW_CLIENTS, 0, 0, NULL, NULL
};


static ngx_str_t  ngx_http_payer_doctor_name = ngx_string("doctor");


static ngx_int_t
ngx_http_payer_doctor_handler(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_pool_cleanup_t         *cln;
    ngx_http_payer_ctx_t       *ctx;
    ngx_http_payer_doctor_t    *d;
    ngx_http_payer_loc_conf_t  *conf;

    static ngx_str_t  allow = ngx_string("GET, HEAD, POST");

    if (r != r->main) {
        return NGX_HTTP_NOT_FOUND;
    }

    conf = ngx_http_get_module_loc_conf(r, ngx_http_payer_module);

    ctx = ngx_http_payer_flow_create(r, conf, ngx_http_payer_doctor_begin);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* behind the flow's own, so that it runs first */

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_payer_doctor_t));
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    d = cln->data;
    ngx_memzero(d, sizeof(ngx_http_payer_doctor_t));

    d->zone = conf->main->zone;
    cln->handler = ngx_http_payer_doctor_cleanup;

    ctx->data = d;
    ctx->operation = &ngx_http_payer_doctor_name;

    if (ngx_http_payer_answer_private(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_payer_access(r, conf, NGX_HTTP_GET|NGX_HTTP_HEAD
                               |NGX_HTTP_POST, &allow);
    if (rc != NGX_OK) {
        return rc == NGX_DONE ? NGX_OK : rc;
    }

    return ngx_http_payer_body_drop(r, ctx);
}


static void
ngx_http_payer_doctor_cleanup(void *data)
{
    ngx_http_payer_doctor_t  *d = data;

    ngx_http_payer_zone_unclaim(d->zone, &d->turn);
}


static ngx_int_t
ngx_http_payer_doctor_begin(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    const char               *wrong;
    ngx_http_payer_doctor_t  *d;

    d = ctx->data;

    wrong = ngx_http_payer_doctor_args(r, d);

    if (wrong) {
        return ngx_http_payer_answer_refuse(r, NGX_HTTP_BAD_REQUEST, wrong);
    }

    if (d->deep && !ctx->conf->api_loc->test) {
        return ngx_http_payer_answer_refuse(r, NGX_HTTP_FORBIDDEN,
                                            "deep=1 makes a payment, and the "
                                            "host is not Payer's test host");
    }

    d->text = ngx_http_payer_doctor_terminal(r);
    d->until = ngx_current_msec + NGX_HTTP_PAYER_DOCTOR_TIME;

    ctx->deadline = d->until;

    if (ngx_http_payer_doctor_key(ctx, d) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->step = ngx_http_payer_doctor_turn;

    return NGX_OK;
}


static const char *
ngx_http_payer_doctor_args(ngx_http_request_t *r, ngx_http_payer_doctor_t *d)
{
    u_char      *src, *dst;
    ngx_str_t    value;
    const char  *wrong;

    static ngx_str_t  names[] = {
        ngx_string("local"), ngx_string("deep"), ngx_string("lookup"),
        ngx_null_string
    };

    /* a misspelled "local" would ask Payer */

    wrong = ngx_http_payer_query_wrong(&r->args, names);

    if (wrong) {
        return wrong;
    }

    d->local = ngx_http_payer_doctor_flag(r, "local");
    d->deep = ngx_http_payer_doctor_flag(r, "deep");

    if (d->deep != (r->method == NGX_HTTP_POST)) {
        return d->deep ? "deep=1 needs a POST, since it makes a payment"
                       : "a POST needs deep=1";
    }

    if (ngx_http_arg(r, (u_char *) "lookup", 6, &value) == NGX_OK) {
        d->lookup = 1;

        dst = ngx_pnalloc(r->pool, value.len);
        if (dst == NULL) {
            return "there is no memory for the value of lookup";
        }

        d->lookup_args.data = dst;
        src = value.data;

        ngx_unescape_uri(&dst, &src, value.len, 0);

        d->lookup_args.len = dst - d->lookup_args.data;
    }

    return (d->local + d->deep + d->lookup > 1)
           ? "only one of local, deep and lookup can be used" : NULL;
}


static ngx_uint_t
ngx_http_payer_doctor_flag(ngx_http_request_t *r, char *name)
{
    ngx_str_t  value;

    return ngx_http_arg(r, (u_char *) name, ngx_strlen(name), &value)
           == NGX_OK
           && value.len == 1 && value.data[0] == '1';
}


/* JSON, unless the client asks for text or is a command line program */

static ngx_uint_t
ngx_http_payer_doctor_terminal(ngx_http_request_t *r)
{
    size_t            i;
    ngx_str_t         accept, agent;
    ngx_uint_t        n;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    static ngx_str_t  names[] = {
        ngx_string("curl/"), ngx_string("Wget/"), ngx_string("HTTPie/")
    };

    ngx_str_null(&accept);
    ngx_str_null(&agent);

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (n = 0; /* void */ ; n++) {

        if (n >= part->nelts) {
            if (part->next == NULL) {
                break;
            }

            part = part->next;
            h = part->elts;
            n = 0;
        }

        if (h[n].key.len == 6
            && ngx_strncasecmp(h[n].key.data, (u_char *) "Accept", 6) == 0)
        {
            accept = h[n].value;
        }
    }

    if (accept.len && ngx_strcmp(accept.data, "*/*") != 0) {
        return ngx_strstr(accept.data, "text/plain") != NULL
               && ngx_strstr(accept.data, "json") == NULL;
    }

    if (r->headers_in.user_agent == NULL) {
        return 0;
    }

    agent = r->headers_in.user_agent->value;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (agent.len > names[i].len
            && ngx_strncmp(agent.data, names[i].data, names[i].len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* of this location: another one may have another merchant */

static ngx_int_t
ngx_http_payer_doctor_key(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_doctor_t *d)
{
    u_char                    *p;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ctx->conf->clcf;

    d->key.len = sizeof("!doctor/local//") - 1 + ctx->conf->merchant->id.len
                 + ctx->conf->cscf->server_name.len + clcf->name.len;

    p = ngx_pnalloc(ctx->request->pool, d->key.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    d->key.data = p;

    p = ngx_sprintf(p, "!doctor/%s%V/%V%V", d->local ? "local/" : "",
                    &ctx->conf->merchant->id, &ctx->conf->cscf->server_name,
                    &clcf->name);

    d->key.len = p - d->key.data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_doctor_turn(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                 rc;
    ngx_str_t                 note;
    ngx_http_payer_doctor_t  *d;

    d = ctx->data;

    if (!d->deep && !d->lookup) {

        rc = ngx_http_payer_zone_noted(d->zone, r->pool, &d->key, &note);

        if (rc == NGX_OK) {
            return ngx_http_payer_doctor_shared(r, ctx, &note);
        }

        if (rc == NGX_ERROR) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    rc = ngx_http_payer_zone_claim(d->zone, &d->key,
                                   NGX_HTTP_PAYER_DOCTOR_TIME + 1000,
                                   &d->turn);

    if (rc != NGX_BUSY) {

        /* the zone is full, which this run will report */

        return ngx_http_payer_doctor_run(ctx, d);
    }

    if (ngx_http_payer_flow_wait(ctx, NGX_HTTP_PAYER_DOCTOR_POLL) == NGX_AGAIN)
    {
        return NGX_AGAIN;
    }

    return ngx_http_payer_answer_refuse(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                        "another run takes too long");
}


static ngx_int_t
ngx_http_payer_doctor_run(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_doctor_t *d)
{
    d->date = -1;
    d->connected = (ngx_msec_t) -1;

    if (d->lookup) {
        ctx->step = ngx_http_payer_doctor_lookup;
        return NGX_OK;
    }

    ngx_http_payer_doctor_configuration(ctx);
    ngx_http_payer_doctor_zone(ctx);

    if (d->local) {
        ctx->step = ngx_http_payer_doctor_local;
        return NGX_OK;
    }

    ngx_http_payer_doctor_sweep(ctx);

    /* local checks have their own time, however slow Payer is */

    ctx->deadline = ngx_current_msec + NGX_HTTP_PAYER_DOCTOR_NETWORK;
    ctx->deadline = ngx_min(ctx->deadline, d->until);

    d->next = ngx_http_payer_doctor_local;
    ctx->step = ngx_http_payer_doctor_fetch;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_doctor_local(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_doctor_t  *d;

    d = ctx->data;

    ctx->deadline = d->until;

    d->next = d->deep ? ngx_http_payer_doctor_link
                      : ngx_http_payer_doctor_answer;
    ctx->step = ngx_http_payer_doctor_store;

    return NGX_OK;
}
