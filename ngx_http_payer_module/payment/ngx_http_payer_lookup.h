
/*
 * payer_lookup: asks the shop's own API what an order costs and whether it may
 * be paid.
 */


#ifndef _NGX_HTTP_PAYER_LOOKUP_H_INCLUDED_
#define _NGX_HTTP_PAYER_LOOKUP_H_INCLUDED_


#include "ngx_http_payer_module.h"
#include "ngx_http_payer_json.h"
#include "ngx_http_payer_subrequest.h"


/* an argument of the lookup's URI: a text, or the value of one variable */
typedef struct {
    ngx_str_t                     name;
    ngx_str_t                     text;
    ngx_str_t                     variable;     /* its name, empty: "text" */
    ngx_int_t                     index;        /* of the variable */
    unsigned                      escaped:1;    /* it is one of $arg_... */
} ngx_http_payer_lookup_arg_t;


/* a variable that is filled from the shop's reply */
typedef struct {
    ngx_uint_t                     id;          /* of the variable's name */
    ngx_str_t                      name;
    ngx_str_t                      pointer;     /* or the pattern's text */
    ngx_http_payer_json_pointer_t  path;        /* the pointer, read */
#if (NGX_PCRE)
    ngx_regex_t                   *regex;
    ngx_uint_t                     captures;
#endif
    unsigned                       pattern:1;
    unsigned                       optional:1;
    unsigned                       match:1;     /* a secret of the buyer's */
} ngx_http_payer_lookup_field_t;


/* payer_lookup_match, _only, _open, _paid */
typedef struct {
    ngx_str_t                     name;         /* of the field */
    ngx_uint_t                    field;        /* its index */
    ngx_http_payer_text_t         text;         /* match: its value */
    ngx_array_t                  *values;       /* ngx_str_t, the others' */
    unsigned                      set:1;
} ngx_http_payer_lookup_test_t;


struct ngx_http_payer_lookup_conf_s {
    ngx_str_t                     uri;          /* the path */
    ngx_array_t                   args;         /* ..._lookup_arg_t */
    ngx_array_t                  *buyers;       /* names of $arg_ in them */
    ngx_array_t                   headers;      /* ngx_http_payer_field_t */
    ngx_array_t                   fields;       /* ..._lookup_field_t */
    ngx_http_payer_lookup_test_t  match;
    ngx_http_payer_lookup_test_t  only;
    ngx_http_payer_lookup_test_t  open;
    ngx_http_payer_lookup_test_t  paid;

    u_char                       *file;         /* where it stands */
    ngx_uint_t                    line;

    unsigned                      off:1;
    unsigned                      email:1;      /* chars=email */
    unsigned                      json:1;       /* a field is a pointer */
    unsigned                      warned:1;     /* of a missing match */
    unsigned                      nested:1;     /* warned of an "if" */
};


typedef enum {
    NGX_HTTP_PAYER_LOOKUP_OPEN = 1,     /* a link may be made */
    NGX_HTTP_PAYER_LOOKUP_PAID,         /* paid according to the shop */
    NGX_HTTP_PAYER_LOOKUP_CLOSED,       /* in no state to be paid */
    NGX_HTTP_PAYER_LOOKUP_OTHER,        /* paid by another method */
    NGX_HTTP_PAYER_LOOKUP_ABSENT,       /* not there, or not the buyer's */
    NGX_HTTP_PAYER_LOOKUP_FAILED        /* the lookup failed */
} ngx_http_payer_lookup_verdict_e;


typedef struct ngx_http_payer_lookup_call_s  ngx_http_payer_lookup_call_t;


/* one lookup of a request; lives as long as the main request */
struct ngx_http_payer_lookup_s {
    ngx_http_payer_lookup_conf_t     *conf;
    ngx_http_core_loc_conf_t         *clcf;     /* of its URI */
    ngx_http_payer_ctx_t             *ctx;      /* of the flow that waits */
    ngx_str_t                         args;     /* as evaluated */
    ngx_str_t                         asked;    /* $payer_reference then */
    ngx_str_t                         reference;        /* of the order */
    ngx_http_payer_lookup_verdict_e   verdict;  /* 0: not known yet */
    ngx_str_t                        *values;   /* of the fields, or NULL:
                                                 * not for this buyer */
    ngx_str_t                        *fields;   /* the same, before that */
    ngx_uint_t                        missing;  /* the first, from 1 */
    const char                       *wrong;    /* with it, or the reply */
    ngx_str_t                         reply;    /* for another location */
    ngx_uint_t                        status;   /* of the reply */
    time_t                            retry_after;

    struct ngx_http_payer_replace_s  *replace;  /* of a link not to be used */
    ngx_http_payer_step_pt            again;    /* after it */

    ngx_http_payer_lookup_call_t     *call;     /* under way */
    ngx_queue_t                       queue;    /* of the call's */

    unsigned                          blind:1;  /* for no buyer: no match,
                                                 * and not "only" */
    unsigned                          over:1;   /* paid there, or not open */
    unsigned                          counted:1;
};


/* setters of directives */
char *ngx_http_payer_lookup(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_payer_lookup_header(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_payer_lookup_field(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_payer_lookup_match(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_payer_lookup_states(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* the lookup of a location when it is merged: NGX_CONF_OK or an error that is
 * logged */
char *ngx_http_payer_lookup_merge(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *prev, ngx_http_payer_loc_conf_t *conf);

/* the lookups of all locations, when the configuration is complete: NGX_OK or
 * NGX_ERROR (logged) */
ngx_int_t ngx_http_payer_check_lookups(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf);

/* whether a value is made of a field, or of a map of fields to constants */
ngx_uint_t ngx_http_payer_uses_field(ngx_conf_t *cf, ngx_str_t *value);

/*
 * whether a variable of payer_reference is an argument of the lookup, and
 * payer_lookup_match has proved that it is the buyer's order
 */
ngx_uint_t ngx_http_payer_lookup_proves(ngx_conf_t *cf,
    ngx_http_payer_loc_conf_t *conf, ngx_str_t *name);

/* whether the variable is a field of the lookup */
ngx_uint_t ngx_http_payer_lookup_has_field(
    ngx_http_payer_lookup_conf_t *lookup, ngx_str_t *name);

/* whether the variable is the value of an argument of the lookup */
ngx_uint_t ngx_http_payer_lookup_has_arg(ngx_http_payer_lookup_conf_t *lookup,
    ngx_str_t *name);


/*
 * a step of the caller's, before or after ctx->order.reference is known:
 * NGX_OK when ctx->lookup has its verdict, or is NULL since no lookup of this
 * order applies; NGX_AGAIN when the request is parked; NGX_ERROR
 */
ngx_int_t ngx_http_payer_lookup_run(ngx_http_payer_ctx_t *ctx);

/*
 * creates ctx->lookup from ctx->conf with these arguments, which are valid,
 * without a buyer: without payer_lookup_match and headers.  The caller
 * continues with _run(): NGX_OK or NGX_ERROR
 */
ngx_int_t ngx_http_payer_lookup_without_buyer(ngx_http_payer_ctx_t *ctx,
    ngx_str_t *args);

/*
 * the same as _run() for no buyer, of the URI that a record has kept, by the
 * rules of "conf": NGX_OK when ctx->lookup has its verdict
 */
ngx_int_t ngx_http_payer_lookup_blind(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_loc_conf_t *conf, ngx_str_t *uri);

/* the number of the order is known now */
void ngx_http_payer_lookup_bind(ngx_http_payer_ctx_t *ctx);

/* the lookup that the request made last, or NULL; lives in r->main->pool */
ngx_http_payer_lookup_t *ngx_http_payer_lookup_of(ngx_http_request_t *r);

/* the variable of a field: "data" is the id of its name */
ngx_int_t ngx_http_payer_lookup_get_field(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);

/*
 * reads the shop's reply into the verdict and the fields of the lookup; "like"
 * has read the same reply before, or is NULL: NGX_OK or NGX_ERROR (no memory)
 */
ngx_int_t ngx_http_payer_lookup_read(ngx_http_payer_lookup_t *lookup,
    ngx_http_payer_lookup_t *like);

/* the lookup failed: sets the verdict and logs the reason */
void ngx_http_payer_lookup_fail(ngx_http_payer_lookup_t *lookup,
    const char *why);

/* whether both have the same location, arguments and order */
ngx_uint_t ngx_http_payer_lookup_same(ngx_http_payer_lookup_t *one,
    ngx_http_payer_lookup_t *other);

#if (NGX_PCRE)
/* what the regular expression of the field finds in the text: NGX_OK,
 * NGX_DECLINED (and why), NGX_ERROR */
ngx_int_t ngx_http_payer_lookup_search(ngx_pool_t *pool,
    ngx_http_payer_lookup_field_t *field, ngx_str_t *text, ngx_str_t *value,
    const char **reason);

/* whether it matches at all: NGX_OK, NGX_DECLINED, NGX_BUSY (it takes too
 * long), NGX_ERROR */
ngx_int_t ngx_http_payer_lookup_found(ngx_http_payer_lookup_field_t *field,
    ngx_str_t *text);
#endif


/* what the files of the lookup share */

/* name=value&...: NGX_OK, NGX_DECLINED (a value may not go to the shop),
 * NGX_ERROR */
ngx_int_t ngx_http_payer_lookup_args(ngx_http_request_t *r,
    ngx_http_payer_lookup_conf_t *conf, ngx_str_t *args);

/*
 * asks the shop, or waits for a request that does: NGX_OK, NGX_AGAIN,
 * NGX_ERROR
 */
ngx_int_t ngx_http_payer_lookup_ask(ngx_http_payer_ctx_t *ctx);

/*
 * stops waiting for the call; those that wait for a call that it has started
 * ask again
 */
void ngx_http_payer_lookup_leave(ngx_http_payer_lookup_t *lookup);

/* whether the shop has just said that there is no such order */
ngx_uint_t ngx_http_payer_lookup_known_absent(
    ngx_http_payer_lookup_t *lookup);

void ngx_http_payer_lookup_note_absent(ngx_http_payer_lookup_t *lookup);


#endif /* _NGX_HTTP_PAYER_LOOKUP_H_INCLUDED_ */
