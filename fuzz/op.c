
/*
 * What is remembered of operations: any bytes decode or are refused, what
 * decodes is encoded to the same bytes, and a merge only goes forward.  The
 * input is two operations, the length of the first one in two bytes before it.
 *
 * sources: ngx_http_payer_op.c ngx_http_payer_codec.c
 */


#include "fuzz.h"

#include "ngx_http_payer_op.h"
#include "ngx_http_payer_store.h"


static void fuzz_op(ngx_str_t *value, ngx_http_payer_op_t *op);
static void fuzz_text(ngx_str_t *value, ngx_str_t *text);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t               len;
    ngx_int_t            one, other, rc;
    ngx_str_t            stored, fresh;
    ngx_http_payer_op_t  a, b;

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

    one = ngx_http_payer_op_decode(&stored, &a);
    other = ngx_http_payer_op_decode(&fresh, &b);

    fuzz_assert(one == NGX_OK || one == NGX_DECLINED);

    if (one == NGX_OK) {
        fuzz_op(&stored, &a);
    }

    rc = ngx_http_payer_op_merge(&stored, &fresh);

    fuzz_assert(stored.len == len && memcmp(stored.data, data, len) == 0);

    /* what is settled stays: "done" for good, "refused" but for "done" */

    if (one == NGX_OK && other == NGX_OK) {
        fuzz_assert((rc == NGX_OK)
                    == (stored.data[3] < fresh.data[3]
                        || (a.state == NGX_HTTP_PAYER_OP_UNKNOWN
                            && b.state == NGX_HTTP_PAYER_OP_UNKNOWN
                            && b.doubt > a.doubt)));

    } else {
        fuzz_assert(rc == NGX_DECLINED);
    }

    /* and is not deleted */

    rc = ngx_http_payer_op_forget(&stored, &fresh);

    fuzz_assert((rc == NGX_OK) == (one == NGX_OK && stored.data[3] < 3));

    free(stored.data);
    free(fresh.data);

    fuzz_assert(shim_live == 0);

    return 0;
}


static void
fuzz_op(ngx_str_t *value, ngx_http_payer_op_t *op)
{
    ngx_int_t    rc;
    ngx_str_t    again;
    ngx_pool_t  *pool;

    fuzz_assert(op->state >= NGX_HTTP_PAYER_OP_SENT
                && op->state <= NGX_HTTP_PAYER_OP_DONE);
    fuzz_assert(op->status < 600);
    fuzz_assert(op->amount >= -1 && op->before >= -1);
    fuzz_assert(op->created >= 0 && op->updated >= 0 && op->doubt >= 0);

    fuzz_text(value, &op->request_id);
    fuzz_text(value, &op->reply_type);
    fuzz_text(value, &op->reply);
    fuzz_text(value, &op->actor);
    fuzz_text(value, &op->reason);

    pool = shim_create_pool();

    rc = ngx_http_payer_op_encode(pool, op, &again);

    if (value->data[2] < 3) {

        /* the older formats are read, and written as the newer one */

        fuzz_assert(op->actor.len == 0 && op->reason.len == 0);
        fuzz_assert(value->data[2] == 2 || op->doubt == 0);
        fuzz_assert(rc != NGX_OK
                    || again.len == value->len
                                    + (value->data[2] == 1 ? 12 : 4));

    } else if (value->len <= NGX_HTTP_PAYER_STORE_MAX_VALUE) {
        fuzz_assert(rc == NGX_OK);
        fuzz_assert(fuzz_same(value, &again));

    } else {
        fuzz_assert(rc == NGX_ERROR);
    }

    shim_destroy_pool(pool);
}


/* texts are where the bytes are */

static void
fuzz_text(ngx_str_t *value, ngx_str_t *text)
{
    fuzz_assert(text->len == 0
                || (text->data >= value->data
                    && text->data + text->len <= value->data + value->len));
}
