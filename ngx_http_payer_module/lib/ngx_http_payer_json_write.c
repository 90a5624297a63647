
/*
 * The JSON bodies of requests and answers.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_payer_amount.h"
#include "ngx_http_payer_json.h"


/* a member to be written; a text is quoted and escaped, a word is not */
typedef struct {
    ngx_str_t     name;
    ngx_str_t     value;
    size_t        escapes;              /* bytes that escaping adds */
    ngx_uint_t    word;                 /* unsigned word:1 */
} ngx_http_payer_json_item_t;


static ngx_int_t ngx_http_payer_json_write_items(ngx_pool_t *pool,
    ngx_http_payer_json_item_t *items, ngx_uint_t n, ngx_str_t *text);
static ngx_int_t ngx_http_payer_json_set_member(
    ngx_http_payer_json_item_t *item, ngx_http_payer_json_member_t *member,
    u_char *number);
static void ngx_http_payer_json_set_number(ngx_http_payer_json_item_t *item,
    const char *name, int64_t value, u_char *number);
static void ngx_http_payer_json_set_word(ngx_http_payer_json_item_t *item,
    const char *name, const char *word);
static void ngx_http_payer_json_set_text(ngx_http_payer_json_item_t *item,
    const char *name, ngx_str_t *value);
static void ngx_http_payer_json_set_plain(ngx_http_payer_json_item_t *item,
    const char *name, ngx_str_t *value);
static size_t ngx_http_payer_json_item_len(ngx_http_payer_json_item_t *item);
static u_char *ngx_http_payer_json_open(ngx_pool_t *pool, size_t len,
    ngx_str_t *text);
static u_char *ngx_http_payer_json_put_item(u_char *p, ngx_str_t *text,
    ngx_http_payer_json_item_t *item);


ngx_int_t
ngx_http_payer_json_write_order(ngx_pool_t *pool,
    ngx_http_payer_json_order_t *order, ngx_str_t *text)
{
    u_char                      amount[NGX_INT64_LEN];
    ngx_http_payer_json_item_t  items[8];

    ngx_http_payer_json_set_number(&items[0], "amount", order->amount,
                                   amount);
    ngx_http_payer_json_set_plain(&items[1], "currencyCode",
                                 &order->currency);
    ngx_http_payer_json_set_text(&items[2], "externalPaymentReference",
                                 &order->reference);
    ngx_http_payer_json_set_plain(&items[3], "languageCode",
                                 &order->language);
    ngx_http_payer_json_set_text(&items[4], "orderId", &order->order_id);
    ngx_http_payer_json_set_plain(&items[5], "redirectOnSuccessURL",
                                 &order->success);
    ngx_http_payer_json_set_plain(&items[6], "redirectOnFailURL",
                                 &order->fail);
    ngx_http_payer_json_set_plain(&items[7], "backToShopURL", &order->back);

    return ngx_http_payer_json_write_items(pool, items, 8, text);
}


ngx_int_t
ngx_http_payer_json_write_params(ngx_pool_t *pool,
    ngx_http_payer_params_t *params, ngx_str_t *text)
{
    u_char                       amount[NGX_INT64_LEN];
    ngx_http_payer_json_item_t  *item, items[3];

    item = items;

    if (params->amount != -1) {
        ngx_http_payer_json_set_number(item++, "amount", params->amount,
                                       amount);
    }

    if (params->release_rest != -1) {
        ngx_http_payer_json_set_word(item++, "releaseRemainingFunds",
                                     params->release_rest ? "true" : "false");
    }

    if (params->description.len) {
        ngx_http_payer_json_set_text(item++, "transactionDescription",
                                     &params->description);
    }

    return ngx_http_payer_json_write_items(pool, items, item - items, text);
}


static ngx_int_t
ngx_http_payer_json_write_items(ngx_pool_t *pool,
    ngx_http_payer_json_item_t *items, ngx_uint_t n, ngx_str_t *text)
{
    size_t       len;
    u_char      *p;
    ngx_uint_t   i;

    len = 0;

    for (i = 0; i < n; i++) {
        len += ngx_http_payer_json_item_len(&items[i]);
    }

    p = ngx_http_payer_json_open(pool, len, text);

    if (p == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        p = ngx_http_payer_json_put_item(p, text, &items[i]);
    }

    *p = '}';

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_json_write(ngx_pool_t *pool,
    ngx_http_payer_json_member_t *members, ngx_uint_t n, ngx_str_t *text)
{
    size_t                       len;
    u_char                      *p, number[NGX_INT64_LEN];
    ngx_uint_t                   i;
    ngx_http_payer_json_item_t   item;

    len = 0;

    for (i = 0; i < n; i++) {
        if (ngx_http_payer_json_set_member(&item, &members[i], number)
            == NGX_OK)
        {
            len += ngx_http_payer_json_item_len(&item);
        }
    }

    p = ngx_http_payer_json_open(pool, len, text);

    if (p == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        if (ngx_http_payer_json_set_member(&item, &members[i], number)
            == NGX_OK)
        {
            p = ngx_http_payer_json_put_item(p, text, &item);
        }
    }

    *p = '}';

    return NGX_OK;
}


/* NGX_DECLINED: the member is left out */

static ngx_int_t
ngx_http_payer_json_set_member(ngx_http_payer_json_item_t *item,
    ngx_http_payer_json_member_t *member, u_char *number)
{
    item->name = member->name;

    if (member->text.data == NULL) {
        item->value.len = ngx_sprintf(number, "%L", member->number) - number;
        item->value.data = number;
        item->word = 1;

        return NGX_OK;
    }

    item->value = member->text;
    item->escapes = ngx_escape_json(NULL, item->value.data, item->value.len);
    item->word = 0;

    return member->text.len ? NGX_OK : NGX_DECLINED;
}


static void
ngx_http_payer_json_set_number(ngx_http_payer_json_item_t *item,
    const char *name, int64_t value, u_char *number)
{
    item->name.len = ngx_strlen(name);
    item->name.data = (u_char *) name;
    item->value.len = ngx_http_payer_digits(number, value) - number;
    item->value.data = number;
    item->word = 1;
}


static void
ngx_http_payer_json_set_word(ngx_http_payer_json_item_t *item,
    const char *name, const char *word)
{
    item->name.len = ngx_strlen(name);
    item->name.data = (u_char *) name;
    item->value.len = ngx_strlen(word);
    item->value.data = (u_char *) word;
    item->word = 1;
}


/* a text that is empty is null */

static void
ngx_http_payer_json_set_text(ngx_http_payer_json_item_t *item,
    const char *name, ngx_str_t *value)
{
    ngx_http_payer_json_set_plain(item, name, value);

    if (!item->word) {
        item->escapes = ngx_escape_json(NULL, value->data, value->len);
    }
}


/* a text that was checked to have nothing that JSON escapes */

static void
ngx_http_payer_json_set_plain(ngx_http_payer_json_item_t *item,
    const char *name, ngx_str_t *value)
{
    if (value->len == 0) {
        ngx_http_payer_json_set_word(item, name, "null");
        return;
    }

    item->name.len = ngx_strlen(name);
    item->name.data = (u_char *) name;
    item->value = *value;
    item->escapes = 0;
    item->word = 0;
}


/* names are ours and need no escaping */

static size_t
ngx_http_payer_json_item_len(ngx_http_payer_json_item_t *item)
{
    size_t  len;

    len = sizeof(",\"\":") - 1 + item->name.len + item->value.len;

    if (!item->word) {
        len += sizeof("\"\"") - 1 + item->escapes;
    }

    return len;
}


/*
 * memory for items of this length, each preceded by a comma, which is replaced
 * by the brace for the first
 */

static u_char *
ngx_http_payer_json_open(ngx_pool_t *pool, size_t len, ngx_str_t *text)
{
    text->len = (len ? len : sizeof("{") - 1) + sizeof("}") - 1;
    text->data = ngx_pnalloc(pool, text->len);

    if (text->data == NULL) {
        return NULL;
    }

    *text->data = '{';

    return text->data + 1;
}


static u_char *
ngx_http_payer_json_put_item(u_char *p, ngx_str_t *text,
    ngx_http_payer_json_item_t *item)
{
    if (p != text->data + 1) {
        *p++ = ',';
    }

    *p++ = '"';
    p = ngx_cpymem(p, item->name.data, item->name.len);
    *p++ = '"';
    *p++ = ':';

    if (item->word) {
        return ngx_cpymem(p, item->value.data, item->value.len);
    }

    *p++ = '"';

    if (item->escapes == 0) {
        p = ngx_cpymem(p, item->value.data, item->value.len);

    } else {
        p = (u_char *) ngx_escape_json(p, item->value.data, item->value.len);
    }

    *p++ = '"';

    return p;
}
