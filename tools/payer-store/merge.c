
/*
 * What an import makes of what is stored already.
 *
 * An imported entry is not news as a reply of Payer is: it is what another
 * store had made of all news until some time.  So of two records of one
 * payment the one that was changed later is taken, and of two payments of one
 * order the one that was made later; sums only grow, and what is the order's
 * own stays.  The same lines a second time, or those of an earlier export,
 * change nothing.
 */


#include "payer_store.h"
#include "ngx_http_payer_codec.h"
#include "ngx_http_payer_crypto.h"
#include "ngx_http_payer_notice.h"
#include "ngx_http_payer_op.h"
#include "ngx_http_payer_record.h"


/* see ngx_http_payer_history.c and ngx_http_payer_book.c */

#define PAYER_STORE_HISTORY_HEAD   20
#define PAYER_STORE_BOOK_HEAD      24
#define PAYER_STORE_BOOK_TEXTS     5


static ngx_int_t payer_store_merge_record(ngx_str_t *stored,
    ngx_str_t *fresh);
static ngx_int_t payer_store_merge_same(ngx_http_payer_record_t *old,
    ngx_http_payer_record_t *new, ngx_str_t *stored, ngx_str_t *fresh);
static ngx_int_t payer_store_merge_other(ngx_http_payer_record_t *old,
    ngx_http_payer_record_t *new, ngx_str_t *fresh);
static ngx_int_t payer_store_take(ngx_str_t *stored, ngx_str_t *fresh);
static void payer_store_inherit(ngx_http_payer_record_t *old,
    ngx_http_payer_record_t *new, ngx_str_t *fresh);
static void payer_store_link_key(ngx_str_t *scope, u_char *digest,
    ngx_str_t *payment_id, u_char *buf, ngx_str_t *key);
static ngx_uint_t payer_store_same_payment(ngx_http_payer_record_t *old,
    ngx_http_payer_record_t *new);
static ngx_int_t payer_store_merge_notice(ngx_str_t *stored,
    ngx_str_t *fresh);
static ngx_int_t payer_store_merge_history(ngx_str_t *stored,
    ngx_str_t *fresh);
static ngx_int_t payer_store_merge_book(ngx_str_t *stored, ngx_str_t *fresh);
static ngx_int_t payer_store_keep(ngx_str_t *stored, ngx_str_t *fresh);
static ngx_uint_t payer_store_same(ngx_str_t *one, ngx_str_t *other);


typedef struct {
    const char                   *kind;
    ngx_http_payer_merge_pt       merge;
    ngx_http_payer_describe_pt    describe;
} payer_store_kind_t;


static payer_store_kind_t  payer_store_kinds[] = {
    { "order/", payer_store_merge_record, ngx_http_payer_record_describe },
    { "past/", payer_store_merge_record, NULL },
    { "operation/", ngx_http_payer_op_merge, NULL },
    { "notify/", payer_store_merge_notice, NULL },
    { "told/", payer_store_merge_notice, NULL },
    { "history/", payer_store_merge_history, NULL },
    { "book/", payer_store_merge_book, NULL },
    { "", payer_store_keep, NULL }
};


int
payer_store_is(ngx_str_t *key, const char *kind)
{
    size_t  len;

    len = strlen(kind);

    return key->len >= len && memcmp(key->data, kind, len) == 0;
}


ngx_http_payer_merge_pt
payer_store_merge_of(ngx_str_t *key)
{
    payer_store_kind_t  *kind;

    for (kind = payer_store_kinds; !payer_store_is(key, kind->kind); kind++) {
        /* void */
    }

    return kind->merge;
}


ngx_http_payer_describe_pt
payer_store_describe_of(ngx_str_t *key)
{
    payer_store_kind_t  *kind;

    for (kind = payer_store_kinds; !payer_store_is(key, kind->kind); kind++) {
        /* void */
    }

    return kind->describe;
}


static ngx_uint_t
payer_store_same(ngx_str_t *one, ngx_str_t *other)
{
    return one->len == other->len
           && (one->len == 0
               || memcmp(one->data, other->data, one->len) == 0);
}


static ngx_int_t
payer_store_keep(ngx_str_t *stored, ngx_str_t *fresh)
{
    return NGX_DECLINED;
}


static ngx_int_t
payer_store_merge_record(ngx_str_t *stored, ngx_str_t *fresh)
{
    ngx_http_payer_record_t  old, new;

    /* what cannot be read may be of a newer version */

    if (payer_store_same(stored, fresh)
        || ngx_http_payer_record_decode(stored, &old) != NGX_OK
        || ngx_http_payer_record_decode(fresh, &new) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    return payer_store_same_payment(&old, &new)
           ? payer_store_merge_same(&old, &new, stored, fresh)
           : payer_store_merge_other(&old, &new, fresh);
}


static ngx_uint_t
payer_store_same_payment(ngx_http_payer_record_t *old,
    ngx_http_payer_record_t *new)
{
    return (old->payment_id.len && new->payment_id.len)
           ? payer_store_same(&old->payment_id, &new->payment_id)
           : payer_store_same(&old->request_id, &new->request_id);
}


static ngx_int_t
payer_store_merge_same(ngx_http_payer_record_t *old,
    ngx_http_payer_record_t *new, ngx_str_t *stored, ngx_str_t *fresh)
{
    ngx_http_payer_record_t  now;

    if (new->updated < old->updated || !ngx_http_payer_record_current(fresh)) {
        return NGX_DECLINED;
    }

    /*
     * The rules of the module, of what has been granted: where it stands now
     * it has come to by them already.
     */

    now = *new;
    now.source = NGX_HTTP_PAYER_BY_REPLY;

    ngx_http_payer_record_write_head(fresh->data, &now);

    if (ngx_http_payer_record_merge(stored, fresh) != NGX_OK
        || ngx_http_payer_record_decode(fresh, &now) != NGX_OK)
    {
        ngx_http_payer_record_write_head(fresh->data, new);
        return NGX_DECLINED;
    }

    now.source = new->source;
    now.doubts = new->doubts;
    now.unknown = new->unknown;

    if (new->updated == old->updated) {
        now.doubts = ngx_max(new->doubts, old->doubts);
        now.unknown = (new->doubts == old->doubts)
                      ? (new->unknown & old->unknown)
                      : (new->doubts > old->doubts) ? new->unknown
                                                    : old->unknown;
    }

    ngx_http_payer_record_write_head(fresh->data, &now);

    return payer_store_same(stored, fresh) ? NGX_DECLINED : NGX_OK;
}


/* one whose link was made later has taken the order over */

static ngx_int_t
payer_store_merge_other(ngx_http_payer_record_t *old,
    ngx_http_payer_record_t *new, ngx_str_t *fresh)
{
    if (new->created < old->created
        || (new->created == old->created && new->updated <= old->updated))
    {
        return NGX_DECLINED;
    }

    payer_store_inherit(old, new, fresh);

    return NGX_OK;
}


static ngx_int_t
payer_store_take(ngx_str_t *stored, ngx_str_t *fresh)
{
    ngx_http_payer_record_t  old, new;

    if (ngx_http_payer_record_decode(stored, &old) != NGX_OK
        || ngx_http_payer_record_decode(fresh, &new) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    payer_store_inherit(&old, &new, fresh);

    return NGX_OK;
}


/*
 * Times are whole seconds.  The history of an order tells which of its links
 * were replaced, and its lines come before that of the order.
 */

ngx_uint_t
payer_store_rivals(ngx_str_t *key, ngx_str_t *stored, ngx_str_t *fresh,
    payer_store_rivals_t *rivals)
{
    u_char                   *p, digest[NGX_HTTP_PAYER_DIGEST_LEN];
    ngx_str_t                 scope;
    ngx_http_payer_record_t   old, new;

    if (!payer_store_is(key, "order/")
        || ngx_http_payer_record_decode(stored, &old) != NGX_OK
        || ngx_http_payer_record_decode(fresh, &new) != NGX_OK
        || payer_store_same_payment(&old, &new)
        || ngx_http_payer_digest(&new.reference, 1, digest) != NGX_OK)
    {
        return 0;
    }

    /* "MERCHANT/" */

    scope.data = key->data + sizeof("order/") - 1;
    p = memchr(scope.data, '/', key->len - (sizeof("order/") - 1));

    if (p == NULL) {
        return 0;
    }

    scope.len = p + 1 - scope.data;

    payer_store_link_key(&scope, digest, &old.payment_id, rivals->old_text,
                         &rivals->old);
    payer_store_link_key(&scope, digest, &new.payment_id, rivals->new_text,
                         &rivals->new);

    return 1;
}


ngx_http_payer_merge_pt
payer_store_merge_rivals(ngx_str_t *key, ngx_uint_t old, ngx_uint_t new)
{
    if (old == new) {
        return payer_store_merge_of(key);
    }

    return old ? payer_store_take : payer_store_keep;
}


/* see ngx_http_payer_history_link(); empty: there can be none */

static void
payer_store_link_key(ngx_str_t *scope, u_char *digest, ngx_str_t *payment_id,
    u_char *buf, ngx_str_t *key)
{
    u_char  *p;

    key->data = buf;
    key->len = 0;

    if (payment_id->len == 0
        || sizeof("history//link/") - 1 + scope->len
           + 2 * NGX_HTTP_PAYER_DIGEST_LEN + payment_id->len
           > NGX_HTTP_PAYER_STORE_MAX_KEY)
    {
        return;
    }

    p = ngx_cpymem(buf, "history/", sizeof("history/") - 1);
    p = ngx_cpymem(p, scope->data, scope->len);
    p = ngx_hex_dump(p, digest, NGX_HTTP_PAYER_DIGEST_LEN);
    p = ngx_cpymem(p, "/link/", sizeof("/link/") - 1);
    p = ngx_cpymem(p, payment_id->data, payment_id->len);

    key->len = p - buf;
}


/* what is the order's own, as ngx_http_payer_record_inherit() has it */

static void
payer_store_inherit(ngx_http_payer_record_t *old,
    ngx_http_payer_record_t *new, ngx_str_t *fresh)
{
    if (!ngx_http_payer_record_current(fresh)) {
        return;
    }

    if (ngx_http_payer_record_has_ticket(old)) {
        memcpy(new->ticket, old->ticket, NGX_HTTP_PAYER_TICKET_LEN);
    }

    new->signed_until = ngx_max(new->signed_until, old->signed_until);

    if (new->words < old->words) {
        new->words = old->words;
        new->wanted = old->wanted;
        memcpy(new->wanted_currency, old->wanted_currency,
               NGX_HTTP_PAYER_CURRENCY_LEN);
    }

    ngx_http_payer_record_write_head(fresh->data, new);
}


/* rounds only grow; within one, attempts do until it is settled */

static ngx_int_t
payer_store_merge_notice(ngx_str_t *stored, ngx_str_t *fresh)
{
    ngx_http_payer_notice_t  old, new;

    if (ngx_http_payer_notice_decode(stored, &old) != NGX_OK
        || ngx_http_payer_notice_decode(fresh, &new) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (new.round != old.round) {
        return new.round > old.round ? NGX_OK : NGX_DECLINED;
    }

    if (old.state != NGX_HTTP_PAYER_NOTICE_OWED) {
        return NGX_DECLINED;
    }

    return (new.state != NGX_HTTP_PAYER_NOTICE_OWED
            || new.attempts > old.attempts) ? NGX_OK : NGX_DECLINED;
}


/* places are used again; of one event, who has done it may be blanked */

static ngx_int_t
payer_store_merge_history(ngx_str_t *stored, ngx_str_t *fresh)
{
    int64_t  old, new;

    if (stored->len < PAYER_STORE_HISTORY_HEAD
        || fresh->len < PAYER_STORE_HISTORY_HEAD
        || memcmp(stored->data, fresh->data, 4) != 0)
    {
        return NGX_DECLINED;
    }

    old = ngx_http_payer_read_int(stored->data + 4);
    new = ngx_http_payer_read_int(fresh->data + 4);

    if (new != old) {
        return new > old ? NGX_OK : NGX_DECLINED;
    }

    return fresh->len < stored->len ? NGX_OK : NGX_DECLINED;
}


/* one that names the order is better than one that does not */

static ngx_int_t
payer_store_merge_book(ngx_str_t *stored, ngx_str_t *fresh)
{
    size_t       i;
    ngx_str_t   *value, texts[2][PAYER_STORE_BOOK_TEXTS];
    ngx_str_t   *to[PAYER_STORE_BOOK_TEXTS];
    ngx_uint_t   n;

    for (n = 0; n < 2; n++) {
        value = n ? fresh : stored;

        for (i = 0; i < PAYER_STORE_BOOK_TEXTS; i++) {
            to[i] = &texts[n][i];
        }

        if (value->len < PAYER_STORE_BOOK_HEAD
            || memcmp(value->data, stored->data, 4) != 0
            || ngx_http_payer_read_texts(value->data + PAYER_STORE_BOOK_HEAD,
                                         value->data + value->len, to,
                                         PAYER_STORE_BOOK_TEXTS)
               != NGX_OK)
        {
            return NGX_DECLINED;
        }
    }

    return (texts[0][1].len == 0 && texts[1][1].len) ? NGX_OK : NGX_DECLINED;
}


/* a payment that was replaced in its order never comes back */

int
payer_store_retarget(ngx_str_t *stored, ngx_str_t *fresh)
{
    return payer_store_is(stored, "order/") && payer_store_is(fresh, "past/");
}


void
payer_store_sibling(ngx_str_t *key, u_char *buf, ngx_str_t *sibling)
{
    u_char      *p;
    size_t       len;
    const char  *from, *to;

    from = "notify/";
    to = "told/";

    if (payer_store_is(key, to)) {
        from = "told/";
        to = "notify/";
    }

    sibling->data = buf;
    sibling->len = 0;

    len = strlen(from);

    if (!payer_store_is(key, from)
        || key->len - len + strlen(to) > NGX_HTTP_PAYER_STORE_MAX_KEY)
    {
        return;
    }

    p = ngx_cpymem(buf, to, strlen(to));
    p = ngx_cpymem(p, key->data + len, key->len - len);

    sibling->len = p - buf;
}


int
payer_store_outdated(ngx_str_t *stored, ngx_str_t *fresh)
{
    ngx_http_payer_notice_t  old, new;

    if (ngx_http_payer_notice_decode(stored, &old) != NGX_OK
        || ngx_http_payer_notice_decode(fresh, &new) != NGX_OK)
    {
        return 0;
    }

    if (new.round != old.round) {
        return new.round > old.round;
    }

    return new.state == NGX_HTTP_PAYER_NOTICE_TAKEN;
}
