
/*
 * The payload of an event: {"type","payload":{"paymentId"}}.  Payer may add
 * fields and change the envelope, so each value is searched for under its
 * probable names, in the object itself and up to two levels inside of it.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_payer_json.h"
#include "ngx_http_payer_json_parse.h"
#include "ngx_http_payer_order.h"


#define NGX_HTTP_PAYER_EVENT_DEPTH   2


typedef ngx_int_t (*ngx_http_payer_event_check_pt)(ngx_str_t *text);


/* a place where something may be: a name, and the name of its object */
typedef struct {
    const char  *name;
    const char  *parent;                /* NULL: any */
} ngx_http_payer_event_place_t;


static ngx_int_t ngx_http_payer_event_says(cJSON *root,
    ngx_http_payer_json_event_t *event, const char **reason);
static ngx_int_t ngx_http_payer_event_search(ngx_pool_t *pool, cJSON *root,
    ngx_http_payer_event_place_t *place, ngx_http_payer_event_check_pt check,
    ngx_str_t *text);
static ngx_int_t ngx_http_payer_event_look(ngx_pool_t *pool, cJSON *object,
    ngx_http_payer_event_place_t *place, ngx_http_payer_event_check_pt check,
    ngx_uint_t depth, ngx_str_t *text);
static cJSON *ngx_http_payer_event_member(cJSON *object,
    ngx_http_payer_event_place_t *place);
static ngx_int_t ngx_http_payer_event_text(ngx_pool_t *pool, cJSON *value,
    ngx_http_payer_event_check_pt check, ngx_str_t *text);
static ngx_int_t ngx_http_payer_event_check_type(ngx_str_t *type);


/* the more probable ones first */

static ngx_http_payer_event_place_t  ngx_http_payer_event_payment_ids[] = {
    { "paymentId", NULL },
    { "id", "payment" },
    { NULL, NULL }
};


static ngx_http_payer_event_place_t  ngx_http_payer_event_ids[] = {
    { "id", NULL },
    { NULL, NULL }
};


static ngx_http_payer_event_place_t  ngx_http_payer_event_references[] = {
    { "externalPaymentReference", NULL },
    { "externalReference", NULL },
    { "paymentReference", NULL },
    { "reference", NULL },
    { NULL, NULL }
};


static ngx_http_payer_event_place_t  ngx_http_payer_event_types[] = {
    { "eventType", NULL },
    { "type", NULL },
    { NULL, NULL }
};


ngx_int_t
ngx_http_payer_json_read_event(ngx_pool_t *pool, ngx_str_t *text,
    ngx_http_payer_json_event_t *event, const char **reason)
{
    cJSON      *root;
    ngx_int_t   rc;

    ngx_memzero(event, sizeof(ngx_http_payer_json_event_t));

    rc = ngx_http_payer_json_parse(text, &root, reason);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_payer_event_search(pool, root,
                                     ngx_http_payer_event_payment_ids,
                                     ngx_http_payer_check_payment_id,
                                     &event->payment_id);

    if (rc == NGX_OK && event->payment_id.len == 0) {
        event->guess = 1;

        rc = ngx_http_payer_event_search(pool, root, ngx_http_payer_event_ids,
                                         ngx_http_payer_check_payment_id,
                                         &event->payment_id);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_payer_event_search(pool, root,
                                         ngx_http_payer_event_references,
                                         ngx_http_payer_check_reference,
                                         &event->reference);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_payer_event_search(pool, root,
                                         ngx_http_payer_event_types,
                                         ngx_http_payer_event_check_type,
                                         &event->type);
    }

    if (rc != NGX_OK) {
        *reason = "does not fit into memory";

    } else {
        rc = ngx_http_payer_event_says(root, event, reason);
    }

    cJSON_Delete(root);

    return rc;
}


/*
 * What is acknowledged is not told again.  An event of an unknown kind is one,
 * an error instead of the event is none.
 */

static ngx_int_t
ngx_http_payer_event_says(cJSON *root, ngx_http_payer_json_event_t *event,
    const char **reason)
{
    if (event->type.len || event->reference.len
        || (event->payment_id.len && !event->guess))
    {
        return NGX_OK;
    }

    return ngx_http_payer_json_no_error(root, reason);
}


/* the first place where there is such a text: NGX_OK, NGX_ERROR */

static ngx_int_t
ngx_http_payer_event_search(ngx_pool_t *pool, cJSON *root,
    ngx_http_payer_event_place_t *place, ngx_http_payer_event_check_pt check,
    ngx_str_t *text)
{
    ngx_int_t   rc;
    ngx_uint_t  depth;

    for ( /* void */ ; place->name; place++) {

        for (depth = 0; depth <= NGX_HTTP_PAYER_EVENT_DEPTH; depth++) {

            rc = ngx_http_payer_event_look(pool, root, place, check, depth,
                                           text);
            if (rc != NGX_DECLINED) {
                return rc;
            }
        }
    }

    return NGX_OK;
}


/* objects that are so many levels inside: NGX_OK, NGX_DECLINED, NGX_ERROR */

static ngx_int_t
ngx_http_payer_event_look(ngx_pool_t *pool, cJSON *object,
    ngx_http_payer_event_place_t *place, ngx_http_payer_event_check_pt check,
    ngx_uint_t depth, ngx_str_t *text)
{
    cJSON      *value, *child;
    ngx_int_t   rc;

    if (depth == 0) {
        value = ngx_http_payer_event_member(object, place);

        return value ? ngx_http_payer_event_text(pool, value, check, text)
                     : NGX_DECLINED;
    }

    for (child = object->child; child; child = child->next) {

        if (!cJSON_IsObject(child)) {
            continue;
        }

        rc = ngx_http_payer_event_look(pool, child, place, check, depth - 1,
                                       text);
        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    return NGX_DECLINED;
}


/* two of one name are ambiguous and ignored */

static cJSON *
ngx_http_payer_event_member(cJSON *object,
    ngx_http_payer_event_place_t *place)
{
    cJSON  *member, *found;

    if (place->parent
        && (object->string == NULL
            || ngx_strcmp(object->string, place->parent) != 0))
    {
        return NULL;
    }

    found = NULL;

    for (member = object->child; member; member = member->next) {

        if (ngx_strcmp(member->string, place->name) != 0) {
            continue;
        }

        if (found) {
            return NULL;
        }

        found = member;
    }

    return found;
}


/* a text, or an integer, since an id may be a number */

static ngx_int_t
ngx_http_payer_event_text(ngx_pool_t *pool, cJSON *value,
    ngx_http_payer_event_check_pt check, ngx_str_t *text)
{
    u_char      buf[NGX_INT64_LEN + 1];
    double      d;
    ngx_str_t   found;

    if (cJSON_IsString(value)) {
        found.data = (u_char *) value->valuestring;

    } else if (cJSON_IsNumber(value)) {
        d = value->valuedouble;

        if (!(d >= 0 && d <= (double) NGX_HTTP_PAYER_MAX_NUMBER)
            || d != (double) (int64_t) d)
        {
            return NGX_DECLINED;
        }

        *ngx_sprintf(buf, "%L", (int64_t) d) = '\0';
        found.data = buf;

    } else {
        return NGX_DECLINED;
    }

    found.len = ngx_strlen(found.data);

    if (check(&found) != NGX_OK) {
        return NGX_DECLINED;
    }

    return ngx_http_payer_json_copy(pool, (char *) found.data, text);
}


/* a text that is valid in a header */

static ngx_int_t
ngx_http_payer_event_check_type(ngx_str_t *type)
{
    u_char  ch;
    size_t  i;

    for (i = 0; i < type->len; i++) {
        ch = type->data[i];

        if (!(ch >= '0' && ch <= '9') && ch != '_' && ch != '-' && ch != '.'
            && !((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z'))
        {
            return NGX_DECLINED;
        }
    }

    return (i > 0 && i <= NGX_HTTP_PAYER_MAX_EVENT_TYPE) ? NGX_OK
                                                         : NGX_DECLINED;
}
