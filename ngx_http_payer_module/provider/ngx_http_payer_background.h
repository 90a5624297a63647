
/*
 * Background requests: work that no client has asked for.
 *
 * nginx makes subrequests only within a request, and a request has a
 * connection.  A background request has one without a client, and a flow as
 * any handler: steps that park, exchanges with Payer and with the shop, the
 * store.  It sends no answer: no phase, filter or access log processes it.
 */


#ifndef _NGX_HTTP_PAYER_BACKGROUND_H_INCLUDED_
#define _NGX_HTTP_PAYER_BACKGROUND_H_INCLUDED_


#include "ngx_http_payer_module.h"


/*
 * "rc" is what the last step has returned, or NGX_ABORT if nginx has ended the
 * request by force (worker_shutdown_timeout)
 */
typedef void (*ngx_http_payer_background_pt)(void *data, ngx_int_t rc);


typedef struct {
    char                         *name;     /* of the work, for log lines:
                                             * "payer_sweep" */
    ngx_http_payer_loc_conf_t    *conf;     /* its server and settings; each
                                             * merged one has main, clcf,
                                             * cscf */
    ngx_str_t                     host;     /* $host, and the Host header of
                                             * exchanges with the shop; empty:
                                             * the server's first name */

    ngx_http_payer_step_pt        step;     /* the first one */
    void                         *data;     /* becomes ctx->data */
    ngx_http_payer_background_pt  over;     /* or NULL */
} ngx_http_payer_background_t;


/*
 * starts a background request, which copies what it needs of "work" but not
 * what work->data points to, which has to live until work->over() is called.
 *
 *     NGX_OK        the first step runs from the event loop, not from within
 *                   this call; over() will be called once, from the event
 *                   loop, too, when the request and its memory are gone
 *     NGX_DECLINED  not now: there are no connections to spare, which is
 *                   counted, or the process is no worker, or is exiting
 *     NGX_ERROR     no memory, no socket (logged)
 *
 * The deadline of the flow is conf->timeout, from the start.  A process that
 * is asked to quit waits for it.
 */
ngx_int_t ngx_http_payer_background_start(ngx_http_payer_background_t *work);

/*
 * whether this process does such work: a worker process, or the only process,
 * that is not asked to exit; not the cache manager or loader
 */
ngx_uint_t ngx_http_payer_background_allowed(void);


#endif /* _NGX_HTTP_PAYER_BACKGROUND_H_INCLUDED_ */
