
/*
 * One exchange: a subrequest to an internal location, and the filters that
 * capture its reply.  The only files that create subrequests.
 *
 * Most exchanges are with Payer, in the API location that was checked when the
 * configuration was read.  Those with the shop have none: they go to a URI
 * of the server as any internal request does.
 */


#ifndef _NGX_HTTP_PAYER_SUBREQUEST_H_INCLUDED_
#define _NGX_HTTP_PAYER_SUBREQUEST_H_INCLUDED_


#include "ngx_http_payer_module.h"


#define NGX_HTTP_PAYER_MAX_REPLY    (256 * 1024)


typedef struct {
    char                         *name;         /* as it is written */
    ngx_str_t                     value;        /* left out if empty */
} ngx_http_payer_field_t;


typedef void (*ngx_http_payer_exchange_pt)(ngx_http_payer_exchange_t *x);


struct ngx_http_payer_exchange_s {
    /* the request; texts live as long as the main request's pool */
    ngx_uint_t                    method;
    ngx_str_t                     method_name;
    ngx_str_t                     path;         /* begins with a slash */
    ngx_str_t                     args;
    ngx_str_t                     body;
    ngx_str_t                     content_type;
    ngx_str_t                     authorization;        /* of Payer only */
    ngx_str_t                     request_id;
    ngx_http_core_loc_conf_t     *clcf;         /* of the shop, which was
                                                 * checked; or NULL */
    ngx_http_payer_field_t       *fields;       /* further ones, or NULL */
    ngx_uint_t                    nfields;

    /* called once, when the exchange is over, before the parent resumes:
     * also when the parent will never resume */
    ngx_http_payer_exchange_pt    handler;
    void                         *data;

    /* the reply */
    ngx_http_payer_api_loc_t     *api_loc;      /* NULL: the shop */
    ngx_pool_t                   *pool;         /* of the subrequest */
    ngx_http_request_t           *subrequest;
    ngx_uint_t                    status;       /* 0: there was none */
    ngx_uint_t                    failure;      /* nginx's status, if none */
    ngx_str_t                     reply;        /* the body */
    size_t                        size;         /* that is allocated */
    ngx_str_t                     reply_type;   /* Content-Type */
    time_t                        retry_after;  /* seconds, -1: not given */
    ngx_msec_t                    time;         /* it took */

    /* the proxy's own, see ngx_http_payer_subrequest_wire.c */
    ngx_int_t                   (*process_header)(ngx_http_request_t *r);
    void                        (*finalize_request)(ngx_http_request_t *r,
                                                    ngx_int_t rc);

    unsigned                      secret:1;     /* the reply is wiped */
    unsigned                      active:1;     /* in flight */
    unsigned                      sent:1;       /* Payer may have seen it */
    unsigned                      complete:1;   /* the body came to its end */
    unsigned                      oversized:1;  /* above the limit */
    unsigned                      encoded:1;    /* has a Content-Encoding */
    unsigned                      expired:1;    /* the deadline ended it */
};


/*
 * starts the exchange; resets the reply: NGX_OK or NGX_ERROR.  Without an API
 * location the path is a URI of this server, found and served as nginx does;
 * nothing of the main request but its connection and the name of the server
 * goes with it.
 */
ngx_int_t ngx_http_payer_exchange_start(ngx_http_request_t *r,
    ngx_http_payer_api_loc_t *api_loc, ngx_http_payer_exchange_t *x);

/*
 * makes nginx treat the exchange as timed out now: NGX_OK, and the request
 * may be gone then; NGX_AGAIN if it cannot be ended yet, and is not sent to
 * Payer any more
 */
ngx_int_t ngx_http_payer_exchange_expire(ngx_http_payer_exchange_t *x);

/*
 * frees the memory of the subrequest, when its parent is resumed or destroyed;
 * the reply is kept
 */
void ngx_http_payer_exchange_free(ngx_http_payer_exchange_t *x);

/* whether the subrequest is an exchange */
ngx_uint_t ngx_http_payer_is_exchange(ngx_http_request_t *r);

/* the content handler of an exchange with Payer */
ngx_int_t ngx_http_payer_wire_handler(ngx_http_request_t *sr);

/* gives the subrequest variables of its own; its header is set: NGX_OK or
 * NGX_ERROR */
ngx_int_t ngx_http_payer_wire_variables(ngx_http_request_t *sr);

/* when the configuration is read */
ngx_int_t ngx_http_payer_wire_init(ngx_conf_t *cf);

/*
 * the status of an error that the shop has returned for an event together with
 * X-Accel-Redirect, of which the response is only the page; 0 if it has not
 */
ngx_uint_t ngx_http_payer_wire_error(ngx_http_request_t *r);

/*
 * erases the header that was sent, or was to be sent: it contains our
 * credentials.  The body that follows is kept, since another try may need it.
 */
void ngx_http_payer_wire_wipe(ngx_http_request_t *sr, ngx_str_t *body);

/* installs the capture filters */
ngx_int_t ngx_http_payer_subrequest_init(ngx_conf_t *cf);


#endif /* _NGX_HTTP_PAYER_SUBREQUEST_H_INCLUDED_ */
