
/*
 * payer_office: a page for staff, and the JSON behind it.
 *
 *     access -> same origin -> page, list, order or act
 *
 * Operations are executed by the handlers of the operation locations.
 */


#include "ngx_http_payer_office.h"
#include "ngx_http_payer_access.h"
#include "ngx_http_payer_answer_reply.h"
#include "ngx_http_payer_audit.h"
#include "ngx_http_payer_body.h"
#include "ngx_http_payer_conf.h"
#include "ngx_http_payer_flow.h"
#include "ngx_http_payer_office_act.h"
#include "ngx_http_payer_office_css.h"
#include "ngx_http_payer_office_html.h"
#include "ngx_http_payer_office_js.h"
#include "ngx_http_payer_operation.h"
#include "ngx_http_payer_order.h"
#include "ngx_http_payer_same_origin.h"
#include "ngx_http_payer_subrequest.h"
#include "ngx_http_payer_value.h"


/* the requests below the location */
typedef struct {
    ngx_str_t                          name;
    ngx_uint_t                         changes;     /* by POST */
    const ngx_http_payer_handler_t    *handler;     /* of an operation */
    ngx_uint_t                         act;
    ngx_http_payer_step_pt             step;
    ngx_str_t                          type;        /* of a file */
    const ngx_str_t                   *file;
} ngx_http_payer_office_route_t;


static ngx_int_t ngx_http_payer_office_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_payer_office_guarded(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx, ngx_http_payer_office_route_t *route);
static ngx_http_payer_office_route_t *ngx_http_payer_office_route(
    ngx_http_request_t *r, ngx_http_payer_loc_conf_t *conf);
static ngx_int_t ngx_http_payer_office_slash(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_office_may(ngx_http_request_t *r,
    ngx_http_payer_loc_conf_t *conf);
static ngx_int_t ngx_http_payer_office_file(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static ngx_int_t ngx_http_payer_office_session(ngx_http_request_t *r,
    ngx_http_payer_ctx_t *ctx);
static void ngx_http_payer_office_decimals(ngx_http_payer_json_out_t *out);
static ngx_int_t ngx_http_payer_office_headers(ngx_http_request_t *r);
static ngx_int_t ngx_http_payer_office_sent(ngx_int_t rc);


static ngx_str_t  ngx_http_payer_office_name = ngx_string("office");


static ngx_http_payer_office_route_t  ngx_http_payer_office_routes[] = {

    { ngx_string(""), 0, NULL, 0, ngx_http_payer_office_file,
      ngx_string("text/html; charset=utf-8"), &ngx_http_payer_office_html },

    { ngx_string("office.css"), 0, NULL, 0, ngx_http_payer_office_file,
      ngx_string("text/css; charset=utf-8"), &ngx_http_payer_office_css },

    { ngx_string("office.js"), 0, NULL, 0, ngx_http_payer_office_file,
      ngx_string("text/javascript; charset=utf-8"),
      &ngx_http_payer_office_js },

    { ngx_string("session"), 0, NULL, 0, ngx_http_payer_office_session,
      ngx_null_string, NULL },

    { ngx_string("orders"), 0, NULL, 0, ngx_http_payer_office_list,
      ngx_null_string, NULL },

    { ngx_string("order"), 0, NULL, 0, ngx_http_payer_office_order,
      ngx_null_string, NULL },

    { ngx_string("order/capture"), 1, &ngx_http_payer_handler_capture, 0, NULL,
      ngx_null_string, NULL },

    { ngx_string("order/cancel"), 1, &ngx_http_payer_handler_cancel, 0, NULL,
      ngx_null_string, NULL },

    { ngx_string("order/release"), 1, &ngx_http_payer_handler_release, 0, NULL,
      ngx_null_string, NULL },

    { ngx_string("order/refund"), 1, &ngx_http_payer_handler_refund, 0, NULL,
      ngx_null_string, NULL },

    { ngx_string("order/read"), 1, NULL, NGX_HTTP_PAYER_ACT_READ,
      ngx_http_payer_act_params, ngx_null_string, NULL },

    { ngx_string("order/reopen"), 1, NULL, NGX_HTTP_PAYER_ACT_REOPEN,
      ngx_http_payer_act_params, ngx_null_string, NULL },

    { ngx_string("order/settle"), 1, NULL, NGX_HTTP_PAYER_ACT_SETTLE,
      ngx_http_payer_act_params, ngx_null_string, NULL },

    { ngx_string("order/notify"), 1, NULL, NGX_HTTP_PAYER_ACT_NOTIFY,
      ngx_http_payer_act_params, ngx_null_string, NULL },

    { ngx_string("order/erase"), 1, NULL, NGX_HTTP_PAYER_ACT_ERASE,
      ngx_http_payer_act_params, ngx_null_string, NULL },

    { ngx_null_string, 0, NULL, 0, NULL, ngx_null_string, NULL }
};


ngx_http_payer_handler_t  ngx_http_payer_handler_office = {
    ngx_string("payer_office"), ngx_http_payer_office_handler,
    1, NGX_HTTP_PAYER_ALLOW_STAFF, 0, 1, NULL, ngx_http_payer_check_office
};


static ngx_int_t
ngx_http_payer_office_handler(ngx_http_request_t *r)
{
    ngx_int_t                       rc;
    ngx_str_t                       allow;
    ngx_uint_t                      methods;
    ngx_http_payer_ctx_t           *ctx;
    ngx_http_payer_loc_conf_t      *conf;
    ngx_http_payer_office_route_t  *route;

    static ngx_str_t  reads = ngx_string("GET, HEAD");
    static ngx_str_t  changes = ngx_string("POST");

    if (r != r->main || ngx_http_payer_is_exchange(r)) {
        return NGX_HTTP_NOT_FOUND;
    }

    conf = ngx_http_get_module_loc_conf(r, ngx_http_payer_module);

    route = ngx_http_payer_office_route(r, conf);

    ctx = ngx_http_payer_flow_create(r, conf, NULL);
    if (ctx == NULL || ngx_http_payer_office_headers(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->operation = &ngx_http_payer_office_name;

    methods = NGX_HTTP_GET|NGX_HTTP_HEAD;
    allow = reads;

    if (route && route->changes) {
        methods = NGX_HTTP_POST;
        allow = changes;
    }

    if (route == NULL) {
        methods |= NGX_HTTP_POST;
    }

    rc = ngx_http_payer_access(r, conf, methods, &allow);
    if (rc != NGX_OK) {
        return rc == NGX_DONE ? NGX_OK : rc;
    }

    return ngx_http_payer_office_guarded(r, ctx, route);
}


static ngx_int_t
ngx_http_payer_office_guarded(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_office_route_t *route)
{
    ngx_int_t                 rc;
    ngx_uint_t                changes;
    ngx_http_payer_problem_t  problem;

    changes = (route && route->changes);

    if (ngx_http_payer_same_origin(r, ctx->conf,
                                   changes ? NGX_HTTP_PAYER_ORIGIN_CHANGES
                                           : NGX_HTTP_PAYER_ORIGIN_READS,
                                   &problem)
        != NGX_OK)
    {
        return ngx_http_payer_office_sent(
                                   ngx_http_payer_answer_problem(r, &problem));
    }

    if (route == NULL) {
        return ngx_http_payer_office_sent(
                           ngx_http_payer_answer_refuse(r, NGX_HTTP_NOT_FOUND,
                                         "there is no such page"));
    }

    if (changes) {
        rc = ngx_http_payer_office_may(r, ctx->conf);

        if (rc == NGX_DECLINED) {
            return ngx_http_payer_office_sent(
                           ngx_http_payer_answer_refuse(r, NGX_HTTP_FORBIDDEN,
                           "payer_office_operate allows this person to look "
                           "only"));
        }

        if (rc != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (route->handler) {
            ngx_http_payer_operation_begin(ctx, route->handler);

        } else if (ngx_http_payer_act_begin(ctx, route->act) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_http_payer_body_keep(r, ctx);
    }

    ctx->step = route->step;
    ctx->data = route;

    if (route->name.len == 0 && r->uri.data[r->uri.len - 1] != '/') {
        ctx->step = ngx_http_payer_office_slash;
    }

    return ngx_http_payer_body_drop(r, ctx);
}


static ngx_http_payer_office_route_t *
ngx_http_payer_office_route(ngx_http_request_t *r,
    ngx_http_payer_loc_conf_t *conf)
{
    ngx_str_t                       rest, *prefix;
    ngx_http_payer_office_route_t  *route;

    prefix = &conf->clcf->name;

    rest.data = r->uri.data + ngx_min(prefix->len, r->uri.len);
    rest.len = r->uri.data + r->uri.len - rest.data;

    if (rest.len && rest.data[0] == '/') {
        rest.data++;
        rest.len--;

    } else if (rest.len && prefix->data[prefix->len - 1] != '/') {

        /* of "/office", "/officers" is none */

        return NULL;
    }

    for (route = ngx_http_payer_office_routes;
         route->step || route->handler;
         route++)
    {
        if (route->name.len == rest.len
            && ngx_memcmp(route->name.data, rest.data, rest.len) == 0)
        {
            return route;
        }
    }

    return NULL;
}


/* the requests of the page are relative to a folder */

static ngx_int_t
ngx_http_payer_office_slash(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_str_t  url;

    url.len = r->uri.len + 1 + 2 * ngx_escape_uri(NULL, r->uri.data,
                                                  r->uri.len,
                                                  NGX_ESCAPE_URI);
    url.data = ngx_pnalloc(r->pool, url.len);
    if (url.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    (void) ngx_escape_uri(url.data, r->uri.data, r->uri.len, NGX_ESCAPE_URI);
    url.data[url.len - 1] = '/';

    return ngx_http_payer_answer_redirect(r, ctx, &url);
}


/* NGX_OK, NGX_DECLINED for read-only access, NGX_ERROR */

static ngx_int_t
ngx_http_payer_office_may(ngx_http_request_t *r,
    ngx_http_payer_loc_conf_t *conf)
{
    ngx_str_t  value;

    if (conf->office_operate == NULL) {
        return NGX_DECLINED;
    }

    if (ngx_http_complex_value(r, conf->office_operate, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    return (value.len == 0 || (value.len == 1 && value.data[0] == '0'))
           ? NGX_DECLINED : NGX_OK;
}


static ngx_int_t
ngx_http_payer_office_file(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_http_payer_office_route_t  *route;

    route = ctx->data;

    return ngx_http_payer_answer_body(r, NGX_HTTP_OK, &route->type,
                                      (ngx_str_t *) route->file);
}


/* the actor and the settings that the page needs */

static ngx_int_t
ngx_http_payer_office_session(ngx_http_request_t *r, ngx_http_payer_ctx_t *ctx)
{
    ngx_int_t                   rc;
    ngx_str_t                   text, actor, mode;
    ngx_http_payer_api_loc_t   *api_loc;
    ngx_http_payer_json_out_t   out;

    static ngx_str_t  json = ngx_string("application/json");

    rc = ngx_http_payer_office_may(r, ctx->conf);

    if (rc == NGX_ERROR || ngx_http_payer_audit_actor(ctx, &actor) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    api_loc = ctx->conf->api_loc;

    if (api_loc->live) {
        ngx_str_set(&mode, "live");

    } else if (api_loc->test) {
        ngx_str_set(&mode, "test");

    } else {
        ngx_str_set(&mode, "other");
    }

    ngx_http_payer_json_out(&out, r->pool);

    ngx_http_payer_json_out_open(&out, '{');
    ngx_http_payer_json_out_str(&out, "actor", &actor);
    ngx_http_payer_json_out_str(&out, "mode", &mode);
    ngx_http_payer_json_out_str(&out, "host", &api_loc->host);
    ngx_http_payer_office_decimals(&out);
    ngx_http_payer_json_out_name(&out, "operate");
    ngx_http_payer_json_out_raw(&out, rc == NGX_OK ? "true" : "false",
                                rc == NGX_OK ? 4 : 5);
    ngx_http_payer_json_out_close(&out, '}');

    if (ngx_http_payer_json_out_end(&out, &text) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_payer_answer_body(r, NGX_HTTP_OK, &json, &text);
}


/*
 * The currencies that do not have two decimals.  Browsers have their own
 * tables, in which some have none that ISO 4217 gives decimals to.
 */

static void
ngx_http_payer_office_decimals(ngx_http_payer_json_out_t *out)
{
    u_char      code[4];
    ngx_int_t   decimals;
    ngx_uint_t  n;

    ngx_http_payer_json_out_name(out, "decimals");
    ngx_http_payer_json_out_open(out, '{');

    code[3] = '\0';

    for (n = 0; /* void */ ; n++) {
        decimals = ngx_http_payer_currency_at(n, code);

        if (decimals == NGX_DONE) {
            break;
        }

        if (decimals != 2) {
            ngx_http_payer_json_out_number(out, (char *) code, decimals);
        }
    }

    ngx_http_payer_json_out_close(out, '}');
}


static ngx_int_t
ngx_http_payer_office_headers(ngx_http_request_t *r)
{
    static ngx_str_t  nosniff = ngx_string("nosniff");
    static ngx_str_t  none = ngx_string("no-referrer");
    static ngx_str_t  policy =
        ngx_string("default-src 'none'; script-src 'self'; style-src 'self'; "
                   "connect-src 'self'; img-src data:; base-uri 'none'; "
                   "form-action 'none'; "
                   "frame-ancestors 'none'");

    if (ngx_http_payer_answer_header(r, "X-Content-Type-Options", &nosniff)
        == NULL
        || ngx_http_payer_answer_header(r, "Referrer-Policy", &none) == NULL
        || ngx_http_payer_answer_header(r, "Content-Security-Policy", &policy)
           == NULL)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* what a content handler returns when a step would have returned "rc" */

static ngx_int_t
ngx_http_payer_office_sent(ngx_int_t rc)
{
    return rc == NGX_HTTP_PAYER_SENT ? NGX_OK : rc;
}
