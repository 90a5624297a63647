
/*
 * JSON in and out: ngx_http_payer_json*.c, the only files that use cJSON.
 *
 * Readers copy what they return to the pool, free everything else, and answer
 * NGX_OK, NGX_DECLINED (the text is not what it should be; "reason" then says
 * why, for the log, and is never part of the text) or NGX_ERROR (no memory;
 * "reason" says so).  Unknown fields are ignored; a text in which a field that
 * is read occurs twice is rejected.  A payment id that is returned has passed
 * ngx_http_payer_check_payment_id().
 */


#ifndef _NGX_HTTP_PAYER_JSON_H_INCLUDED_
#define _NGX_HTTP_PAYER_JSON_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* the answer of POST /oauth2/token */
typedef struct {
    ngx_str_t    token;
    time_t       expires_in;            /* seconds, a year at most;
                                           0: not given */
} ngx_http_payer_json_token_t;


/* the answer of POST /api/v2/payments/cards/direct */
typedef struct {
    ngx_str_t    payment_id;
    ngx_str_t    url;
} ngx_http_payer_json_link_t;


/* a JSON Pointer (RFC 6901) to a member or an element */
typedef struct {
    ngx_str_t   *tokens;                /* decoded; there is one at least */
    ngx_uint_t   ntokens;
} ngx_http_payer_json_pointer_t;


/* a value that is looked for while a text is read */
typedef struct {
    ngx_http_payer_json_pointer_t  pointer;

    ngx_uint_t   depth;                 /* of the container whose member or
                                           element is looked for, 1: the
                                           outermost; 0: none */
    ngx_uint_t   met;                   /* tokens that have led somewhere */
    ngx_uint_t   index;                 /* elements in front of the token's */
    u_char      *value;                 /* where it begins, or NULL */
    unsigned     twice:1;               /* two members of that name */
} ngx_http_payer_json_place_t;


/* the answer of GET /api/v2/payments/{paymentId}; amounts in minor units */
typedef struct {
    ngx_str_t    payment_id;            /* empty if absent */
    ngx_str_t    reference;             /* empty if absent */
    ngx_str_t    status;                /* required; any word */
    ngx_str_t    currency;              /* empty if absent */
    int64_t      amount;                /* -1 if absent */
    int64_t      authorized;            /* -1 if absent */
    int64_t      captured;              /* -1 if absent */
    int64_t      refunded;              /* -1 if absent */
    time_t       created;               /* createdDate, 0 if there is none
                                           that can be read */
    ngx_uint_t   dead;                  /* payer_status_dead names the status;
                                           set by who knows it */
} ngx_http_payer_json_payment_t;


/* the payload of an event: each empty if it was not found */
typedef struct {
    ngx_str_t    payment_id;
    ngx_str_t    reference;
    ngx_str_t    type;                  /* [A-Za-z0-9_.-]{1,64} */
    ngx_uint_t   guess;                 /* the id is a bare "id", which may be
                                           that of something else */
} ngx_http_payer_json_event_t;


/* an order for Payer; an empty text is written as null */
typedef struct {
    ngx_str_t    reference;
    ngx_str_t    currency;
    ngx_str_t    language;
    ngx_str_t    order_id;
    ngx_str_t    success;
    ngx_str_t    fail;
    ngx_str_t    back;
    int64_t      amount;
} ngx_http_payer_json_order_t;


/* parameters of an operation; a text with data == NULL was not given */
typedef struct {
    ngx_str_t    reference;
    ngx_str_t    payment_id;
    ngx_str_t    description;
    ngx_str_t    reason;                /* for us, not for Payer */
    ngx_str_t    type;                  /* of a subscription */
    ngx_str_t    url;                   /* of a subscription */
    ngx_str_t    currency;              /* of a link */
    int64_t      expires;               /* of a link, -1: not given */
    ngx_str_t    operation;             /* that is settled, and how */
    ngx_str_t    outcome;
    int64_t      amount;                /* -1: not given */
    ngx_int_t    release_rest;          /* -1: not given, else 0 or 1 */
    ngx_uint_t   unknown;               /* there was another name, too */
} ngx_http_payer_params_t;


/* one member of a problem or of an answer; "number" if text.data == NULL */
typedef struct {
    ngx_str_t    name;
    ngx_str_t    text;
    int64_t      number;
} ngx_http_payer_json_member_t;


ngx_int_t ngx_http_payer_json_read_token(ngx_pool_t *pool, ngx_str_t *text,
    ngx_http_payer_json_token_t *token, const char **reason);

ngx_int_t ngx_http_payer_json_read_link(ngx_pool_t *pool, ngx_str_t *text,
    ngx_http_payer_json_link_t *link, const char **reason);

ngx_int_t ngx_http_payer_json_read_payment(ngx_pool_t *pool, ngx_str_t *text,
    ngx_http_payer_json_payment_t *payment, const char **reason);

/* whether the text is a JSON object: NGX_OK, NGX_DECLINED, NGX_ERROR */
ngx_int_t ngx_http_payer_json_read_object(ngx_str_t *text,
    const char **reason);

/*
 * whether a text of which no value is needed can be a reply of Payer: empty,
 * JSON, or plain text; "json" says that it was announced as JSON: NGX_OK,
 * NGX_DECLINED
 */
ngx_int_t ngx_http_payer_json_read_any(ngx_str_t *text, ngx_uint_t json,
    const char **reason);

/*
 * any JSON object is accepted: members that are invalid or occur twice are
 * ignored.  A reference has passed ngx_http_payer_check_reference().
 */
ngx_int_t ngx_http_payer_json_read_event(ngx_pool_t *pool, ngx_str_t *text,
    ngx_http_payer_json_event_t *event, const char **reason);

/* the longest value that is read by a pointer */

#define NGX_HTTP_PAYER_JSON_VALUE  1024

/* reads a JSON Pointer as it is written: NGX_OK, NGX_DECLINED, NGX_ERROR */
ngx_int_t ngx_http_payer_json_pointer(ngx_pool_t *pool, ngx_str_t *text,
    ngx_http_payer_json_pointer_t *pointer);

/*
 * one reading of a text: whether it is JSON, of whatever type, and where all
 * the places are, of which the pointers are set.  NGX_OK, also if some are
 * nowhere; NGX_DECLINED
 */
ngx_int_t ngx_http_payer_json_read_places(ngx_str_t *text,
    ngx_http_payer_json_place_t *places, ngx_uint_t n, const char **reason);

/*
 * what stands at a place of the text that was read: a string decoded, a number
 * and a boolean as they are written.  Absent, null, empty, an object or an
 * array, more than ..._JSON_VALUE bytes, or a name on the way that occurs
 * twice: NGX_DECLINED.  A value without escapes is a part of the text
 */
ngx_int_t ngx_http_payer_json_place_value(ngx_pool_t *pool, ngx_str_t *text,
    ngx_http_payer_json_place_t *place, ngx_str_t *value,
    const char **reason);

/* the "message" of an error body, control characters replaced, at most 200
 * bytes on a UTF-8 boundary; NGX_DECLINED if there is none */
ngx_int_t ngx_http_payer_json_read_message(ngx_pool_t *pool, ngx_str_t *text,
    ngx_str_t *message);

/*
 * parameters from a JSON object; initialises "params".  Wrong types, numbers
 * that are not plain positive integers below 2^63 as written (no sign,
 * fraction or exponent), duplicates of a known name, and a known name in
 * another case: NGX_DECLINED, "reason" then names the field, as "amount is not
 * ...".  A text may be null, which is the same as not given; an amount and a
 * boolean may not, since a missing amount means the whole amount.
 */
ngx_int_t ngx_http_payer_json_read_params(ngx_pool_t *pool, ngx_str_t *text,
    ngx_http_payer_params_t *params, const char **reason);

/* the same parameters from application/x-www-form-urlencoded or a query;
 * numbers and booleans ("true", "false") as text; percent and plus decoded;
 * broken percent-encoding, NUL, invalid UTF-8 in a known field, duplicates
 * and misspellings as above: NGX_DECLINED.  An empty text is NGX_OK. */
ngx_int_t ngx_http_payer_form_read_params(ngx_pool_t *pool, ngx_str_t *text,
    ngx_http_payer_params_t *params, const char **reason);

/* bodies for Payer, allocated exactly once from the pool: NGX_OK, NGX_ERROR;
 * of the order, currency, language and URLs have passed their checks, or are
 * empty, and are not escaped; of the parameters only amount,
 * releaseRemainingFunds and transactionDescription, and only those given and
 * not empty */
ngx_int_t ngx_http_payer_json_write_order(ngx_pool_t *pool,
    ngx_http_payer_json_order_t *order, ngx_str_t *text);
ngx_int_t ngx_http_payer_json_write_params(ngx_pool_t *pool,
    ngx_http_payer_params_t *params, ngx_str_t *text);

/* {"name":"text",...}; members with text.len == 0 and text.data != NULL are
 * left out; names are written as they are: NGX_OK, NGX_ERROR */
ngx_int_t ngx_http_payer_json_write(ngx_pool_t *pool,
    ngx_http_payer_json_member_t *members, ngx_uint_t n, ngx_str_t *text);


#endif /* _NGX_HTTP_PAYER_JSON_H_INCLUDED_ */
