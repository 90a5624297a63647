
/*
 * What this process has written together with taking a claim.  Nobody else
 * writes that before the claim is given back, so that the put that does so can
 * be made from it at once, instead of being told by the store what it differs
 * from.  The store checks the revision all the same: what is forgotten here,
 * or out of date, costs another round trip and nothing else.
 */


#include "ngx_http_payer_postgres.h"


#define NGX_HTTP_PAYER_POSTGRES_MEMOS  2048     /* a power of two */


typedef struct {
    ngx_str_t                key;               /* in one block with value */
    ngx_str_t                value;
    size_t                   size;              /* of the block */
    uint64_t                 rev;               /* 0: none */
    ngx_http_payer_label_t   label;
} ngx_http_payer_postgres_memo_t;


static ngx_http_payer_postgres_memo_t *ngx_http_payer_postgres_memo(
    ngx_str_t *key);


/* the place of a key is that of its hash; the last one stays */

static ngx_http_payer_postgres_memo_t  ngx_http_payer_postgres_memos[
                                               NGX_HTTP_PAYER_POSTGRES_MEMOS];


static ngx_http_payer_postgres_memo_t *
ngx_http_payer_postgres_memo(ngx_str_t *key)
{
    uint32_t  hash;

    hash = ngx_murmur_hash2(key->data, key->len);

    return &ngx_http_payer_postgres_memos[hash
                                       & (NGX_HTTP_PAYER_POSTGRES_MEMOS - 1)];
}


void
ngx_http_payer_postgres_remember(ngx_http_payer_postgres_job_t *job)
{
    u_char                           *p;
    size_t                            size;
    ngx_str_t                        *key, *value;
    ngx_uint_t                        i;
    ngx_http_payer_postgres_memo_t   *memo;

    if (job->act != NGX_HTTP_PAYER_CLAIM_TAKE) {
        return;
    }

    for (i = 0; i < job->n; i++) {

        if (job->fresh[i].op != NGX_HTTP_PAYER_POSTGRES_WRITE) {
            continue;
        }

        key = &job->entries[i].key;
        value = &job->fresh[i].value;

        memo = ngx_http_payer_postgres_memo(key);
        memo->rev = 0;

        size = key->len + value->len;

        if (size > memo->size) {
            p = ngx_alloc(size, ngx_cycle->log);
            if (p == NULL) {
                continue;
            }

            if (memo->key.data != NULL) {
                ngx_free(memo->key.data);
            }

            memo->key.data = p;
            memo->size = size;
        }

        memo->key.len = key->len;
        memo->value.len = value->len;
        memo->value.data = ngx_cpymem(memo->key.data, key->data, key->len);

        ngx_memcpy(memo->value.data, value->data, value->len);

        memo->label = job->fresh[i].label;
        memo->rev = job->rev;
    }
}


void
ngx_http_payer_postgres_recall(ngx_http_payer_postgres_job_t *job)
{
    ngx_str_t                         *key;
    ngx_uint_t                         i;
    ngx_http_payer_postgres_memo_t    *memo;
    ngx_http_payer_postgres_stored_t  *stored;

    if (job->act != NGX_HTTP_PAYER_CLAIM_RELEASE) {
        return;
    }

    for (i = 0; i < job->n; i++) {
        key = &job->entries[i].key;
        stored = &job->stored[i];

        memo = ngx_http_payer_postgres_memo(key);

        if (memo->rev == 0
            || memo->key.len != key->len
            || ngx_memcmp(memo->key.data, key->data, key->len) != 0
            || ngx_http_payer_postgres_keep(job->pool, &stored->value,
                                            &memo->value)
               != NGX_OK)
        {
            continue;
        }

        stored->rev = memo->rev;
        stored->label = memo->label;

        memo->rev = 0;
    }
}
