
/*
 * Notifications: any bytes decode or are refused, what decodes is encoded to
 * the same bytes, and a merge lets in only what belongs to the same round.
 * The input is two notifications, the length of the first one in two bytes
 * before it.
 *
 * sources: ngx_http_payer_amount.c
 * sources: ngx_http_payer_crypto.c ngx_http_payer_json.c
 * sources: ngx_http_payer_json_parse.c ngx_http_payer_json_write.c
 * sources: ngx_http_payer_json_pointer.c
 * sources: ngx_http_payer_json_time.c
 * sources: ngx_http_payer_notice.c ngx_http_payer_notice_codec.c
 * sources: ngx_http_payer_proof.c
 * sources: ngx_http_payer_order.c ngx_http_payer_json_written.c
 * sources: ngx_http_payer_record.c ngx_http_payer_record_codec.c
 * sources: ngx_http_payer_record_sum.c ngx_http_payer_codec.c
 */


#include "fuzz.h"

#include "ngx_http_payer_notice.h"
#include "ngx_http_payer_store.h"


static void fuzz_notice(ngx_str_t *value, ngx_http_payer_notice_t *notice);
static void fuzz_notice_texts(ngx_str_t *value,
    ngx_http_payer_notice_t *notice);
static void fuzz_notice_key(ngx_pool_t *pool,
    ngx_http_payer_notice_t *notice);
static void fuzz_notice_merge(ngx_str_t *stored,
    ngx_http_payer_notice_t *old, ngx_str_t *fresh,
    ngx_http_payer_notice_t *now);
static void fuzz_notice_order(ngx_http_payer_notice_t *one,
    ngx_http_payer_notice_t *other);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                    len;
    ngx_int_t                 one, other;
    ngx_str_t                 stored, fresh;
    ngx_http_payer_notice_t   a, b;

    if (size < 2) {
        return 0;
    }

    len = data[0] | data[1] << 8;
    data += 2;
    size -= 2;

    if (len > size) {
        len = size;
    }

    stored = shim_text(data, len);
    fresh = shim_text(data + len, size - len);

    one = ngx_http_payer_notice_decode(&stored, &a);
    other = ngx_http_payer_notice_decode(&fresh, &b);

    fuzz_assert(one == NGX_OK || one == NGX_DECLINED);

    if (one == NGX_OK) {
        fuzz_notice(&stored, &a);
    }

    if (one == NGX_OK && other == NGX_OK) {
        fuzz_notice_order(&a, &b);
        fuzz_notice_merge(&stored, &a, &fresh, &b);

    } else {
        fuzz_assert(ngx_http_payer_notice_settle(&stored, &fresh)
                    == NGX_DECLINED);
        fuzz_assert(ngx_http_payer_notice_again(&stored, &fresh)
                    == NGX_DECLINED);
    }

    fuzz_assert(ngx_http_payer_notice_keep(&stored, &fresh) == NGX_DECLINED);
    fuzz_assert(ngx_http_payer_notice_forget(&stored, &fresh) == one);

    fuzz_assert(stored.len == len && memcmp(stored.data, data, len) == 0);

    free(stored.data);
    free(fresh.data);

    fuzz_assert(shim_live == 0);

    return 0;
}


static void
fuzz_notice(ngx_str_t *value, ngx_http_payer_notice_t *notice)
{
    time_t       pause;
    ngx_int_t    rc;
    ngx_str_t    again;
    ngx_pool_t  *pool;

    fuzz_assert(notice->type < NGX_HTTP_PAYER_NOTICES);
    fuzz_assert(notice->state >= NGX_HTTP_PAYER_NOTICE_OWED
                && notice->state <= NGX_HTTP_PAYER_NOTICE_TAKEN);
    fuzz_assert(notice->amount >= 0 && notice->authorized >= -1
                && notice->captured >= -1 && notice->refunded >= -1);
    fuzz_assert(notice->made >= 0 && notice->created >= 0
                && notice->since >= 0 && notice->due >= 0);
    fuzz_assert(ngx_http_payer_notice_type(notice->type)->len);
    fuzz_assert(ngx_http_payer_notice_state(notice->state)->len);
    fuzz_assert(ngx_http_payer_notice_sum(notice) >= 0);

    fuzz_notice_texts(value, notice);

    pool = shim_create_pool();

    rc = ngx_http_payer_notice_encode(pool, notice, &again);

    if (value->len <= NGX_HTTP_PAYER_STORE_MAX_VALUE) {
        fuzz_assert(rc == NGX_OK);
        fuzz_assert(fuzz_same(value, &again));

    } else {
        fuzz_assert(rc == NGX_ERROR);
    }

    fuzz_notice_key(pool, notice);

    shim_destroy_pool(pool);

    /* whatever the counts are, it ends, and between the two times */

    pause = ngx_http_payer_notice_pause(notice->attempts, notice->due,
                                        notice->since);

    fuzz_assert(pause >= 1 && pause <= ngx_max(notice->since, 1));
}


/* texts are where the bytes are */

static void
fuzz_notice_texts(ngx_str_t *value, ngx_http_payer_notice_t *notice)
{
    ngx_str_t   *texts[8];
    ngx_uint_t   i;

    texts[0] = &notice->id;
    texts[1] = &notice->reference;
    texts[2] = &notice->payment_id;
    texts[3] = &notice->currency;
    texts[4] = &notice->uri;
    texts[5] = &notice->lookup;
    texts[6] = &notice->server;
    texts[7] = &notice->reason;

    for (i = 0; i < 8; i++) {
        fuzz_assert(texts[i]->len == 0
                    || (texts[i]->data >= value->data
                        && texts[i]->data + texts[i]->len
                           <= value->data + value->len));
    }
}


/* the key of what is taken leads back to that of what is owed */

static void
fuzz_notice_key(ngx_pool_t *pool, ngx_http_payer_notice_t *notice)
{
    ngx_str_t  key, told, owed, none, merchant, prefix;

    ngx_str_set(&merchant, "4711");

    if (ngx_http_payer_notice_key(pool, &merchant, notice, &key) != NGX_OK) {
        fuzz_assert(notice->reference.len + notice->payment_id.len > 400);
        return;
    }

    fuzz_assert(key.len <= NGX_HTTP_PAYER_STORE_MAX_KEY);

    fuzz_assert(ngx_http_payer_notice_prefix(pool, &merchant,
                                             &notice->reference, &prefix)
                == NGX_OK);
    fuzz_assert(prefix.len < key.len
                && memcmp(prefix.data, key.data, prefix.len) == 0);

    fuzz_assert(ngx_http_payer_notice_told_key(pool, &key, &told) == NGX_OK);
    fuzz_assert(ngx_http_payer_notice_owed_key(pool, &told, &owed) == NGX_OK);
    fuzz_assert(fuzz_same(&key, &owed));
    fuzz_assert(ngx_http_payer_notice_told_key(pool, &told, &none)
                == NGX_ERROR);
}


static void
fuzz_notice_merge(ngx_str_t *stored, ngx_http_payer_notice_t *old,
    ngx_str_t *fresh, ngx_http_payer_notice_t *now)
{
    ngx_int_t                rc;
    ngx_http_payer_notice_t  merged;

    rc = ngx_http_payer_notice_again(stored, fresh);

    fuzz_assert((rc == NGX_OK) == (now->round == old->round + 1));

    rc = ngx_http_payer_notice_settle(stored, fresh);

    fuzz_assert((rc == NGX_OK)
                == (old->state == NGX_HTTP_PAYER_NOTICE_OWED
                    && old->round == now->round));

    if (rc != NGX_OK) {
        return;
    }

    /* attempts are never fewer, and all else is that of the writer */

    fuzz_assert(ngx_http_payer_notice_decode(fresh, &merged) == NGX_OK);
    fuzz_assert(merged.attempts == ngx_max(old->attempts, now->attempts));
    fuzz_assert(merged.state == now->state && merged.due == now->due
                && merged.type == now->type && merged.amount == now->amount
                && fuzz_same(&merged.id, &now->id));
}


/* of two, one goes first at the most */

static void
fuzz_notice_order(ngx_http_payer_notice_t *one,
    ngx_http_payer_notice_t *other)
{
    ngx_uint_t  before, after;

    before = ngx_http_payer_notice_before(one, other);
    after = ngx_http_payer_notice_before(other, one);

    fuzz_assert(!before || !after);
    fuzz_assert(!ngx_http_payer_notice_before(one, one));

    if (one->made != other->made) {
        fuzz_assert(before == (one->made < other->made));

    } else if (!before && !after) {
        fuzz_assert(one->type == other->type);
    }
}
