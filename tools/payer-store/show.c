
/*
 * Entries in words, and whether their bytes are what they should be.
 */


#include "payer_store.h"
#include "ngx_http_payer_notice.h"
#include "ngx_http_payer_op.h"
#include "ngx_http_payer_record.h"


#define PAYER_STORE_ATTENTION_TIME  32


static void payer_store_show_record(payer_store_entry_t *entry);
static void payer_store_show_op(payer_store_entry_t *entry);
static void payer_store_show_notice(payer_store_entry_t *entry);
static void payer_store_show_text(const char *name, ngx_str_t *text);
static void payer_store_show_sum(const char *name, int64_t n);
static void payer_store_show_time(const char *name, time_t t);
static ngx_uint_t payer_store_show_named(ngx_str_t *key, ngx_str_t *name);


static const char  *payer_store_op_states[] = {
    "", "sent", "unknown", "refused", "done"
};


static void
payer_store_show_text(const char *name, ngx_str_t *text)
{
    u_char  buf[3 * NGX_HTTP_PAYER_STORE_MAX_VALUE];

    if (text->len == 0 || text->len > NGX_HTTP_PAYER_STORE_MAX_VALUE) {
        return;
    }

    printf("  %s%s%.*s", name, *name ? "=" : "",
           (int) (payer_store_write_key(buf, text) - buf), buf);
}


static void
payer_store_show_sum(const char *name, int64_t n)
{
    if (n >= 0) {
        printf("  %s=%lld", name, (long long) n);
    }
}


static void
payer_store_show_time(const char *name, time_t t)
{
    char       text[PAYER_STORE_ATTENTION_TIME];
    struct tm  tm;

    if (t == 0) {
        return;
    }

    if (gmtime_r(&t, &tm) == NULL
        || strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
    {
        printf("  %s=%lld", name, (long long) t);
        return;
    }

    printf("  %s=%s", name, text);
}


static void
payer_store_show_record(payer_store_entry_t *entry)
{
    ngx_http_payer_record_t  record;

    if (ngx_http_payer_record_decode(&entry->value, &record) != NGX_OK) {
        printf("  cannot be read");
        return;
    }

    payer_store_show_text("", ngx_http_payer_state_name(record.state));

    if (record.unknown) {
        printf("  unknown");
    }

    payer_store_show_text("payment", &record.payment_id);
    payer_store_show_text("status", &record.status);
    payer_store_show_sum("amount", record.amount);
    payer_store_show_text("", &record.currency);
    payer_store_show_sum("authorized", record.authorized);
    payer_store_show_sum("captured", record.captured);
    payer_store_show_sum("refunded", record.refunded);
    payer_store_show_time("created", record.created);
    payer_store_show_time("updated", record.updated);
}


static void
payer_store_show_op(payer_store_entry_t *entry)
{
    ngx_http_payer_op_t  op;

    if (ngx_http_payer_op_decode(&entry->value, &op) != NGX_OK) {
        printf("  cannot be read");
        return;
    }

    printf("  %s", payer_store_op_states[op.state]);

    payer_store_show_sum("amount", op.amount);
    payer_store_show_text("request", &op.request_id);
    payer_store_show_time("created", op.created);
    payer_store_show_time("updated", op.updated);
}


static void
payer_store_show_notice(payer_store_entry_t *entry)
{
    ngx_http_payer_notice_t  notice;

    if (ngx_http_payer_notice_decode(&entry->value, &notice) != NGX_OK) {
        printf("  cannot be read");
        return;
    }

    payer_store_show_text("", ngx_http_payer_notice_state(notice.state));
    payer_store_show_text("payment", &notice.payment_id);
    payer_store_show_sum("attempts", (int64_t) notice.attempts);
    payer_store_show_time("created", notice.created);
    payer_store_show_time("due", notice.due);
    payer_store_show_text("reason", &notice.reason);
}


void
payer_store_show(payer_store_entry_t *entry)
{
    u_char      buf[3 * NGX_HTTP_PAYER_STORE_MAX_KEY];
    ngx_str_t  *key;

    key = &entry->key;

    printf("%.*s", (int) (payer_store_write_key(buf, key) - buf), buf);

    if (entry->target.len) {
        payer_store_show_text("to", &entry->target);

    } else if (payer_store_is(key, "order/") || payer_store_is(key, "past/")) {
        payer_store_show_record(entry);

    } else if (payer_store_is(key, "operation/")) {
        payer_store_show_op(entry);

    } else if (payer_store_is(key, "notify/") || payer_store_is(key, "told/"))
    {
        payer_store_show_notice(entry);

    } else {
        printf("  %lu bytes", (unsigned long) entry->value.len);
    }

    payer_store_show_time("expires", entry->expires);
    printf("\n");
}


/* whether the key ends with that name */

static ngx_uint_t
payer_store_show_named(ngx_str_t *key, ngx_str_t *name)
{
    u_char  *p;

    p = key->data + key->len - name->len;

    return key->len > name->len && p[-1] == '/'
           && memcmp(p, name->data, name->len) == 0;
}


const char *
payer_store_readable(payer_store_entry_t *entry)
{
    ngx_str_t                *key;
    ngx_http_payer_op_t       op;
    ngx_http_payer_notice_t   notice;
    ngx_http_payer_record_t   record;

    key = &entry->key;

    if (entry->target.len) {
        return NULL;
    }

    if (payer_store_is(key, "order/") || payer_store_is(key, "past/")) {

        if (ngx_http_payer_record_decode(&entry->value, &record) != NGX_OK) {
            return "the record cannot be read";
        }

        return payer_store_show_named(key, payer_store_is(key, "order/")
                                           ? &record.reference
                                           : &record.payment_id)
               ? NULL : "the record is that of another key";
    }

    if (payer_store_is(key, "operation/")
        && ngx_http_payer_op_decode(&entry->value, &op) != NGX_OK)
    {
        return "the operation cannot be read";
    }

    if ((payer_store_is(key, "notify/") || payer_store_is(key, "told/"))
        && ngx_http_payer_notice_decode(&entry->value, &notice) != NGX_OK)
    {
        return "the notification cannot be read";
    }

    return NULL;
}


const char *
payer_store_examine(payer_store_entry_t *entry)
{
    const char              *why;
    ngx_http_payer_label_t   label;

    why = payer_store_readable(entry);

    if (why != NULL || entry->target.len
        || !payer_store_is(&entry->key, "order/"))
    {
        return why;
    }

    label = entry->label;
    ngx_http_payer_record_describe(&entry->value, NULL, &label);

    return (label.state == entry->label.state
            && label.updated == entry->label.updated
            && label.attention == entry->label.attention)
           ? NULL : "the index does not match the record";
}
