
/*
 * The addresses of hosts, by nginx's resolver: libpq would wait for an answer.
 */


#include "ngx_http_payer_postgres.h"


static void ngx_http_payer_postgres_resolve_handler(ngx_resolver_ctx_t *ctx);
static void ngx_http_payer_postgres_addresses(
    ngx_http_payer_postgres_link_t *link,
    ngx_http_payer_postgres_host_t *host, ngx_resolver_ctx_t *ctx);


void
ngx_http_payer_postgres_resolve(ngx_http_payer_postgres_link_t *link)
{
    ngx_uint_t                       i;
    ngx_resolver_ctx_t              *ctx;
    ngx_http_payer_postgres_t       *pg;
    ngx_http_payer_postgres_host_t  *host;

    pg = link->pg;

    for (i = 0; i < pg->nhosts; i++) {
        host = &pg->hosts[i];

        if (host->local || host->address.len) {
            continue;
        }

        ctx = ngx_resolve_start(pg->resolver, NULL);

        if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
            continue;
        }

        ctx->name = host->name;
        ctx->handler = ngx_http_payer_postgres_resolve_handler;
        ctx->data = link;
        ctx->timeout = pg->connect_timeout;
        ctx->cancelable = 1;

        link->names[i] = ctx;
        link->resolving++;

        if (ngx_resolve_name(ctx) != NGX_OK) {
            link->names[i] = NULL;
            link->resolving--;
        }
    }
}


static void
ngx_http_payer_postgres_resolve_handler(ngx_resolver_ctx_t *ctx)
{
    ngx_uint_t                       i;
    ngx_http_payer_postgres_link_t  *link;

    link = ctx->data;

    for (i = 0; i < link->pg->nhosts; i++) {
        if (link->names[i] == ctx) {
            break;
        }
    }

    link->names[i] = NULL;

    ngx_http_payer_postgres_addresses(link, &link->pg->hosts[i], ctx);

    ngx_resolve_name_done(ctx);

    ngx_http_payer_postgres_resolved(link);
}


static void
ngx_http_payer_postgres_addresses(ngx_http_payer_postgres_link_t *link,
    ngx_http_payer_postgres_host_t *host, ngx_resolver_ctx_t *ctx)
{
    u_char        text[NGX_SOCKADDR_STRLEN + 1];
    size_t        len;
    ngx_uint_t    i, n;
    ngx_queue_t  *q;

    if (ctx->state) {
        link->reason_len = ngx_slprintf(link->reason + link->reason_len,
                                        link->reason + sizeof(link->reason),
                                        "%shost \"%V\": %s",
                                        link->reason_len ? "; " : "",
                                        &host->shown,
                                        ngx_resolver_strerror(ctx->state))
                           - link->reason;
        return;
    }

    n = 0;

    for (q = ngx_queue_head(&link->wires);
         q != ngx_queue_sentinel(&link->wires);
         q = ngx_queue_next(q))
    {
        n++;
    }

    for (i = 0;
         i < ctx->naddrs && n < NGX_HTTP_PAYER_POSTGRES_WIRES;
         i++, n++)
    {
        len = ngx_sock_ntop(ctx->addrs[i].sockaddr, ctx->addrs[i].socklen,
                            text, NGX_SOCKADDR_STRLEN, 0);

        text[len] = '\0';

        ngx_http_payer_postgres_connect(link, host, (char *) text);
    }
}


void
ngx_http_payer_postgres_unresolve(ngx_http_payer_postgres_link_t *link)
{
    ngx_uint_t           i;
    ngx_resolver_ctx_t  *ctx;

    for (i = 0; i < link->pg->nhosts; i++) {
        ctx = link->names[i];

        if (ctx != NULL) {
            link->names[i] = NULL;
            link->resolving--;

            ngx_resolve_name_done(ctx);
        }
    }
}
