
/*
 * Readers of Payer's replies.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_payer_amount.h"
#include "ngx_http_payer_json.h"
#include "ngx_http_payer_json_parse.h"
#include "ngx_http_payer_order.h"


/* a token that is valid for longer is requested again after this time */
#define NGX_HTTP_PAYER_MAX_EXPIRES  (365 * 24 * 60 * 60)


typedef struct {
    const char  *name;
    const char  *missing;
    const char  *bad;
    const char  *twice;
} ngx_http_payer_json_field_t;


#define ngx_http_payer_json_field(name)                                      \
    { name, "has no \"" name "\"", "has a bad \"" name "\"",                 \
      "has \"" name "\" twice" }


static ngx_int_t ngx_http_payer_json_get(cJSON *object,
    ngx_http_payer_json_field_t *field, cJSON **value, const char **reason);
static ngx_int_t ngx_http_payer_json_get_text(ngx_pool_t *pool,
    cJSON *object, ngx_http_payer_json_field_t *field, ngx_str_t *text,
    const char **reason);
static ngx_int_t ngx_http_payer_json_get_id(ngx_pool_t *pool, cJSON *object,
    ngx_http_payer_json_field_t *field, ngx_str_t *id, const char **reason);
static ngx_int_t ngx_http_payer_json_get_amount(ngx_str_t *text,
    cJSON *object, ngx_http_payer_json_field_t *field, int64_t *amount,
    const char **reason);
static void ngx_http_payer_json_from(ngx_str_t *text, cJSON *object,
    cJSON *member, ngx_str_t *value);
static ngx_int_t ngx_http_payer_json_number(cJSON *value, int64_t *number);

static ngx_int_t ngx_http_payer_json_token(ngx_pool_t *pool, cJSON *root,
    ngx_http_payer_json_token_t *token, const char **reason);
static ngx_int_t ngx_http_payer_json_check_token(ngx_str_t *token);
static ngx_int_t ngx_http_payer_json_place_text(ngx_pool_t *pool,
    ngx_str_t *text, ngx_http_payer_json_place_t *place, ngx_str_t *value);
static ngx_int_t ngx_http_payer_json_link(ngx_pool_t *pool, cJSON *root,
    ngx_http_payer_json_link_t *link, const char **reason);
static ngx_int_t ngx_http_payer_json_payment(ngx_pool_t *pool,
    ngx_str_t *text, cJSON *root, ngx_http_payer_json_payment_t *payment,
    const char **reason);


static ngx_http_payer_json_field_t  ngx_http_payer_access_token =
    ngx_http_payer_json_field("access_token");
static ngx_http_payer_json_field_t  ngx_http_payer_expires_in =
    ngx_http_payer_json_field("expires_in");
static ngx_http_payer_json_field_t  ngx_http_payer_payment_id =
    ngx_http_payer_json_field("paymentId");
static ngx_http_payer_json_field_t  ngx_http_payer_url =
    ngx_http_payer_json_field("url");
static ngx_http_payer_json_field_t  ngx_http_payer_payment =
    ngx_http_payer_json_field("payment");
static ngx_http_payer_json_field_t  ngx_http_payer_id =
    ngx_http_payer_json_field("id");
static ngx_http_payer_json_field_t  ngx_http_payer_reference =
    ngx_http_payer_json_field("externalPaymentReference");
static ngx_http_payer_json_field_t  ngx_http_payer_status =
    ngx_http_payer_json_field("status");
static ngx_http_payer_json_field_t  ngx_http_payer_currency =
    ngx_http_payer_json_field("currencyCode");
static ngx_http_payer_json_field_t  ngx_http_payer_amount =
    ngx_http_payer_json_field("amount");
static ngx_http_payer_json_field_t  ngx_http_payer_authorized =
    ngx_http_payer_json_field("authorizedAmount");
static ngx_http_payer_json_field_t  ngx_http_payer_captured =
    ngx_http_payer_json_field("capturedAmount");
static ngx_http_payer_json_field_t  ngx_http_payer_refunded =
    ngx_http_payer_json_field("refundedAmount");


/* value: NULL if there is none, or null; two of one name are an error */

static ngx_int_t
ngx_http_payer_json_get(cJSON *object, ngx_http_payer_json_field_t *field,
    cJSON **value, const char **reason)
{
    cJSON  *member, *found;

    found = NULL;

    for (member = object->child; member != NULL; member = member->next) {
        if (ngx_strcmp(member->string, field->name) != 0) {
            continue;
        }

        if (found != NULL) {
            *reason = field->twice;
            return NGX_DECLINED;
        }

        found = member;
    }

    *value = cJSON_IsNull(found) ? NULL : found;

    return NGX_OK;
}


static ngx_int_t
ngx_http_payer_json_get_text(ngx_pool_t *pool, cJSON *object,
    ngx_http_payer_json_field_t *field, ngx_str_t *text, const char **reason)
{
    cJSON  *value;

    ngx_str_null(text);

    if (ngx_http_payer_json_get(object, field, &value, reason) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (value == NULL) {
        return NGX_OK;
    }

    if (!cJSON_IsString(value)) {
        *reason = field->bad;
        return NGX_DECLINED;
    }

    return ngx_http_payer_json_copy(pool, value->valuestring, text);
}


/* an id may have been written as a number */

static ngx_int_t
ngx_http_payer_json_get_id(ngx_pool_t *pool, cJSON *object,
    ngx_http_payer_json_field_t *field, ngx_str_t *id, const char **reason)
{
    cJSON      *value;
    u_char      buf[NGX_INT64_LEN + 1];
    int64_t     number;
    ngx_int_t   rc;

    ngx_str_null(id);

    if (ngx_http_payer_json_get(object, field, &value, reason) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (value == NULL) {
        return NGX_OK;
    }

    if (cJSON_IsString(value)) {
        rc = ngx_http_payer_json_copy(pool, value->valuestring, id);

    } else if (ngx_http_payer_json_number(value, &number) == NGX_OK) {
        *ngx_sprintf(buf, "%L", number) = '\0';
        rc = ngx_http_payer_json_copy(pool, (char *) buf, id);

    } else {
        rc = NGX_DECLINED;
    }

    if (rc == NGX_OK) {
        rc = ngx_http_payer_check_payment_id(id);
    }

    if (rc == NGX_DECLINED) {
        *reason = field->bad;
    }

    return rc;
}


/* an amount that no double holds for certain is taken as it is written */

static ngx_int_t
ngx_http_payer_json_get_amount(ngx_str_t *text, cJSON *object,
    ngx_http_payer_json_field_t *field, int64_t *amount, const char **reason)
{
    cJSON      *value;
    ngx_str_t   written;

    *amount = -1;

    if (ngx_http_payer_json_get(object, field, &value, reason) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (value == NULL) {
        return NGX_OK;
    }

    if (ngx_http_payer_json_number(value, amount) == NGX_OK) {
        return NGX_OK;
    }

    if (cJSON_IsNumber(value)
        && value->valuedouble > (double) NGX_HTTP_PAYER_MAX_NUMBER)
    {
        ngx_http_payer_json_from(text, object, value, &written);

        if (ngx_http_payer_amount_of(&written, NGX_HTTP_PAYER_MINOR, 0,
                                     amount)
            == NGX_OK)
        {
            return NGX_OK;
        }
    }

    *reason = field->bad;

    return NGX_DECLINED;
}


/* the text of a member's value */

static void
ngx_http_payer_json_from(ngx_str_t *text, cJSON *object, cJSON *member,
    ngx_str_t *value)
{
    cJSON       *p;
    ngx_uint_t   n;

    n = 0;

    for (p = object->child; p != member; p = p->next) {
        n++;
    }

    ngx_http_payer_json_written(text, n, value);
}


/* an integer that a double represents exactly */

static ngx_int_t
ngx_http_payer_json_number(cJSON *value, int64_t *number)
{
    double  d;

    if (!cJSON_IsNumber(value)) {
        return NGX_DECLINED;
    }

    d = value->valuedouble;

    /* written so that a NaN fails as well */

    if (!(d >= 0 && d <= (double) NGX_HTTP_PAYER_MAX_NUMBER)
        || d != (double) (int64_t) d)
    {
        return NGX_DECLINED;
    }

    *number = (int64_t) d;

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_json_read_token(ngx_pool_t *pool, ngx_str_t *text,
    ngx_http_payer_json_token_t *token, const char **reason)
{
    cJSON      *root;
    ngx_int_t   rc;

    ngx_memzero(token, sizeof(ngx_http_payer_json_token_t));

    rc = ngx_http_payer_json_parse(text, &root, reason);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_payer_json_token(pool, root, token, reason);

    cJSON_Delete(root);

    return rc;
}


static ngx_int_t
ngx_http_payer_json_token(ngx_pool_t *pool, cJSON *root,
    ngx_http_payer_json_token_t *token, const char **reason)
{
    cJSON      *value;
    double      expires;
    ngx_int_t   rc;

    rc = ngx_http_payer_json_get_text(pool, root,
                                      &ngx_http_payer_access_token,
                                      &token->token, reason);
    if (rc != NGX_OK) {
        return rc;
    }

    if (token->token.len == 0) {
        *reason = ngx_http_payer_access_token.missing;
        return NGX_DECLINED;
    }

    if (ngx_http_payer_json_check_token(&token->token) != NGX_OK) {
        *reason = ngx_http_payer_access_token.bad;
        return NGX_DECLINED;
    }

    /* leave no copy of the token in freed memory */

    value = cJSON_GetObjectItemCaseSensitive(root, "access_token");
    ngx_explicit_memzero(value->valuestring, token->token.len);

    if (ngx_http_payer_json_get(root, &ngx_http_payer_expires_in, &value,
                                reason)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    expires = (value != NULL && cJSON_IsNumber(value)) ? value->valuedouble
                                                       : 0;

    if (expires >= NGX_HTTP_PAYER_MAX_EXPIRES) {
        token->expires_in = NGX_HTTP_PAYER_MAX_EXPIRES;

    } else if (expires >= 1) {
        token->expires_in = (time_t) expires;
    }

    return NGX_OK;
}


/* a valid header value, see RFC 6750: no spaces, no control characters */

static ngx_int_t
ngx_http_payer_json_check_token(ngx_str_t *token)
{
    size_t  i;

    for (i = 0; i < token->len; i++) {
        if (token->data[i] <= 0x20 || token->data[i] >= 0x7f) {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


/*
 * Both fields are found while the text is checked, as a rule.  With anything
 * else than two texts cJSON has the last word.
 */

ngx_int_t
ngx_http_payer_json_read_link(ngx_pool_t *pool, ngx_str_t *text,
    ngx_http_payer_json_link_t *link, const char **reason)
{
    ngx_int_t                     rc;
    ngx_http_payer_json_place_t   places[2];

    static ngx_str_t  names[] = { ngx_string("paymentId"), ngx_string("url") };

    ngx_memzero(link, sizeof(ngx_http_payer_json_link_t));

    places[0].pointer.tokens = &names[0];
    places[0].pointer.ntokens = 1;
    places[1].pointer.tokens = &names[1];
    places[1].pointer.ntokens = 1;

    rc = ngx_http_payer_json_read_places(text, places, 2, reason);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_payer_json_place_text(pool, text, &places[0],
                                       &link->payment_id)
        == NGX_OK
        && ngx_http_payer_check_payment_id(&link->payment_id) == NGX_OK
        && ngx_http_payer_json_place_text(pool, text, &places[1], &link->url)
           == NGX_OK)
    {
        return NGX_OK;
    }

    return ngx_http_payer_json_tree_link(pool, text, link, reason);
}


static ngx_int_t
ngx_http_payer_json_place_text(ngx_pool_t *pool, ngx_str_t *text,
    ngx_http_payer_json_place_t *place, ngx_str_t *value)
{
    u_char      *copy;
    const char  *reason;

    if (place->value == NULL || *place->value != '"'
        || ngx_http_payer_json_place_value(pool, text, place, value, &reason)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    /* the buffer of a reply is used again for the next one */

    copy = ngx_pnalloc(pool, value->len);
    if (copy == NULL) {
        return NGX_DECLINED;
    }

    ngx_memcpy(copy, value->data, value->len);
    value->data = copy;

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_json_tree_link(ngx_pool_t *pool, ngx_str_t *text,
    ngx_http_payer_json_link_t *link, const char **reason)
{
    cJSON      *root;
    ngx_int_t   rc;

    ngx_memzero(link, sizeof(ngx_http_payer_json_link_t));

    rc = ngx_http_payer_json_tree(text, &root, reason);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_payer_json_link(pool, root, link, reason);

    cJSON_Delete(root);

    return rc;
}


static ngx_int_t
ngx_http_payer_json_link(ngx_pool_t *pool, cJSON *root,
    ngx_http_payer_json_link_t *link, const char **reason)
{
    ngx_int_t  rc;

    rc = ngx_http_payer_json_get_id(pool, root, &ngx_http_payer_payment_id,
                                    &link->payment_id, reason);
    if (rc != NGX_OK) {
        return rc;
    }

    if (link->payment_id.len == 0) {
        *reason = ngx_http_payer_payment_id.missing;
        return NGX_DECLINED;
    }

    rc = ngx_http_payer_json_get_text(pool, root, &ngx_http_payer_url,
                                      &link->url, reason);
    if (rc != NGX_OK) {
        return rc;
    }

    if (link->url.len == 0) {
        *reason = ngx_http_payer_url.missing;
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_json_read_payment(ngx_pool_t *pool, ngx_str_t *text,
    ngx_http_payer_json_payment_t *payment, const char **reason)
{
    cJSON      *root, *object;
    ngx_int_t   rc;
    ngx_str_t   written;

    ngx_memzero(payment, sizeof(ngx_http_payer_json_payment_t));

    payment->amount = -1;
    payment->authorized = -1;
    payment->captured = -1;
    payment->refunded = -1;

    rc = ngx_http_payer_json_parse(text, &root, reason);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_payer_json_get(root, &ngx_http_payer_payment, &object,
                                 reason);
    if (rc == NGX_OK) {

        /* the payment may also be the outermost object */

        if (object == NULL) {
            object = root;
            written = *text;

        } else {
            ngx_http_payer_json_from(text, root, object, &written);

            written.len = text->data + text->len - written.data;
        }

        if (cJSON_IsObject(object)) {
            rc = ngx_http_payer_json_payment(pool, &written, object, payment,
                                             reason);

        } else {
            *reason = ngx_http_payer_payment.bad;
            rc = NGX_DECLINED;
        }
    }

    cJSON_Delete(root);

    return rc;
}


static ngx_int_t
ngx_http_payer_json_payment(ngx_pool_t *pool, ngx_str_t *text, cJSON *root,
    ngx_http_payer_json_payment_t *payment, const char **reason)
{
    ngx_int_t  rc;

    rc = ngx_http_payer_json_get_id(pool, root, &ngx_http_payer_id,
                                    &payment->payment_id, reason);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_payer_json_get_text(pool, root, &ngx_http_payer_status,
                                      &payment->status, reason);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_payer_json_get_text(pool, root, &ngx_http_payer_reference,
                                      &payment->reference, reason);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_payer_json_get_text(pool, root, &ngx_http_payer_currency,
                                      &payment->currency, reason);
    if (rc != NGX_OK) {
        return rc;
    }

    if (payment->status.len == 0) {
        *reason = ngx_http_payer_status.missing;
        return NGX_DECLINED;
    }

    /* any text that is valid in a header, since $payer_status contains it */

    if (ngx_http_payer_check_reference(&payment->status) != NGX_OK) {
        *reason = ngx_http_payer_status.bad;
        return NGX_DECLINED;
    }

    if (ngx_http_payer_json_get_amount(text, root, &ngx_http_payer_amount,
                                       &payment->amount, reason)
        != NGX_OK
        || ngx_http_payer_json_get_amount(text, root,
                                          &ngx_http_payer_authorized,
                                          &payment->authorized, reason)
           != NGX_OK
        || ngx_http_payer_json_get_amount(text, root, &ngx_http_payer_captured,
                                          &payment->captured, reason)
           != NGX_OK
        || ngx_http_payer_json_get_amount(text, root, &ngx_http_payer_refunded,
                                          &payment->refunded, reason)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    payment->created = ngx_http_payer_json_time(root, "createdDate");

    return NGX_OK;
}
