
/*
 * The record of an order: the transitions between states.  Its bytes are those
 * of record_codec.c.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_record.h"


/*
 * What may follow what, for one payment:
 *
 *     stored              may become
 *     creating            anything
 *     initiated           anything but creating
 *     expired             cancelled and all below: the clock here said that
 *                         the link is dead, and Payer knows better
 *     cancelled           nothing: an authorization that overtook the cancel
 *                         is no sale, Payer gives the money back
 *     authorized          captured (both), released, refunded, ended
 *     partially captured  fully captured, refunded; releasing the rest does
 *                         not give back what was captured
 *     fully captured      refunded
 *     released            captured (both), refunded: a release that crossed a
 *                         capture does not undo it
 *     refunded            nothing
 *     ended               captured (both), released, refunded
 *
 * The source matters in one case only.  Payer grants a cancel before the
 * authorization and not after it, so a granted one was overtaken by an
 * authorization that is void, and makes an authorized order cancelled.  A
 * cancellation that is merely read (for verify, an event, reconcile) of an
 * authorized order says that the authorization ended at Payer: the order is
 * ended.  Otherwise statuses may arrive in any order, with the same final
 * state.
 *
 * A state that is earlier than the stored one is out of date: nothing is
 * written, unless it has an open outcome or a larger sum, such as that of a
 * refund which was sent before the reply to the capture was stored.  A later
 * one that is not allowed is written with the stored state: amounts and
 * Payer's status show an operator what happened.  Amounts are sums and only
 * grow; what was ordered never changes.
 *
 * An open outcome is kept until a read that began later settles it.  No clock
 * is used for the order of events, since clocks can be set: doubts are
 * counted, a reader has the count from before its read, and does not settle a
 * doubt that was added later.  A writer that does not know an outcome adds a
 * doubt, unlike a reader without a new result.
 *
 * A record of another payment or attempt may take the order over when
 *
 *     stored                     and it is
 *     creating                   creating: the intent to make another link
 *     expired, cancelled         creating
 *     released, refunded, ended  creating
 *
 * but not an order whose link a buyer may have, which must be cancelled first,
 * nor a paid order.  Later changes of the former payment do not affect the
 * order any more. So the reply to a creator whose claim was taken over
 * meanwhile is not stored either: put() says "kept", and that creator presents
 * the other link.
 */

#define ngx_http_payer_state_bit(state)  (1 << (state))

#define NGX_HTTP_PAYER_STATES_REFUNDED                                        \
    ngx_http_payer_state_bit(NGX_HTTP_PAYER_REFUNDED)

#define NGX_HTTP_PAYER_STATES_FULL                                            \
    (ngx_http_payer_state_bit(NGX_HTTP_PAYER_FULLY_CAPTURED)                  \
     | NGX_HTTP_PAYER_STATES_REFUNDED)

#define NGX_HTTP_PAYER_STATES_PARTIAL                                         \
    (ngx_http_payer_state_bit(NGX_HTTP_PAYER_PARTIALLY_CAPTURED)              \
     | NGX_HTTP_PAYER_STATES_FULL)

#define NGX_HTTP_PAYER_STATES_RELEASED                                        \
    (ngx_http_payer_state_bit(NGX_HTTP_PAYER_RELEASED)                        \
     | NGX_HTTP_PAYER_STATES_PARTIAL)

#define NGX_HTTP_PAYER_STATES_ENDED                                           \
    (ngx_http_payer_state_bit(NGX_HTTP_PAYER_ENDED)                           \
     | NGX_HTTP_PAYER_STATES_RELEASED)

#define NGX_HTTP_PAYER_STATES_AUTHORIZED                                      \
    (ngx_http_payer_state_bit(NGX_HTTP_PAYER_AUTHORIZED)                      \
     | NGX_HTTP_PAYER_STATES_ENDED)

#define NGX_HTTP_PAYER_STATES_CANCELLED                                       \
    ngx_http_payer_state_bit(NGX_HTTP_PAYER_CANCELLED)

#define NGX_HTTP_PAYER_STATES_EXPIRED                                         \
    (ngx_http_payer_state_bit(NGX_HTTP_PAYER_EXPIRED)                         \
     | NGX_HTTP_PAYER_STATES_CANCELLED | NGX_HTTP_PAYER_STATES_AUTHORIZED)

#define NGX_HTTP_PAYER_STATES_INITIATED                                       \
    (ngx_http_payer_state_bit(NGX_HTTP_PAYER_INITIATED)                       \
     | NGX_HTTP_PAYER_STATES_EXPIRED)

#define NGX_HTTP_PAYER_STATES_CREATING                                        \
    (ngx_http_payer_state_bit(NGX_HTTP_PAYER_CREATING)                        \
     | NGX_HTTP_PAYER_STATES_INITIATED)

#define NGX_HTTP_PAYER_STATES_INTENT                                          \
    ngx_http_payer_state_bit(NGX_HTTP_PAYER_CREATING)


typedef struct {
    ngx_str_t     name;
    ngx_uint_t    next;                 /* states of the same payment */
    ngx_uint_t    reply;                /* the same, only by a reply */
    ngx_uint_t    other;                /* states of another payment */
    ngx_uint_t    paid;
} ngx_http_payer_state_t;


static ngx_http_payer_state_t  ngx_http_payer_states[] = {

    { ngx_string("none"), 0, 0, 0, 0 },

    { ngx_string("creating"),
      NGX_HTTP_PAYER_STATES_CREATING, 0, NGX_HTTP_PAYER_STATES_INTENT, 0 },

    { ngx_string("initiated"),
      NGX_HTTP_PAYER_STATES_INITIATED, 0, 0, 0 },

    { ngx_string("expired"),
      NGX_HTTP_PAYER_STATES_EXPIRED, 0, NGX_HTTP_PAYER_STATES_INTENT, 0 },

    { ngx_string("cancelled"),
      NGX_HTTP_PAYER_STATES_CANCELLED, 0, NGX_HTTP_PAYER_STATES_INTENT, 0 },

    { ngx_string("authorized"),
      NGX_HTTP_PAYER_STATES_AUTHORIZED, NGX_HTTP_PAYER_STATES_CANCELLED,
      0, 1 },

    { ngx_string("partially_captured"),
      NGX_HTTP_PAYER_STATES_PARTIAL, 0, 0, 1 },

    { ngx_string("fully_captured"),
      NGX_HTTP_PAYER_STATES_FULL, 0, 0, 1 },

    { ngx_string("released"),
      NGX_HTTP_PAYER_STATES_RELEASED, 0, NGX_HTTP_PAYER_STATES_INTENT, 0 },

    { ngx_string("refunded"),
      NGX_HTTP_PAYER_STATES_REFUNDED, 0, NGX_HTTP_PAYER_STATES_INTENT, 0 },

    { ngx_string("ended"),
      NGX_HTTP_PAYER_STATES_ENDED, 0, NGX_HTTP_PAYER_STATES_INTENT, 0 }
};


typedef struct {
    ngx_str_t                 text;
    ngx_http_payer_state_e    state;
} ngx_http_payer_status_t;


/* the known statuses; others may exist, and are not interpreted */

static ngx_http_payer_status_t  ngx_http_payer_statuses[] = {
    { ngx_string("INITIATED"), NGX_HTTP_PAYER_INITIATED },
    { ngx_string("AUTHORIZED"), NGX_HTTP_PAYER_AUTHORIZED },
    { ngx_string("PARTIALLY_CAPTURED"), NGX_HTTP_PAYER_PARTIALLY_CAPTURED },
    { ngx_string("FULLY_CAPTURED"), NGX_HTTP_PAYER_FULLY_CAPTURED },
    { ngx_string("CANCELLED"), NGX_HTTP_PAYER_CANCELLED },
    { ngx_null_string, 0 }
};


static ngx_uint_t ngx_http_payer_record_adds(ngx_http_payer_record_t *stored,
    ngx_http_payer_record_t *fresh);
static ngx_uint_t ngx_http_payer_record_ended(ngx_http_payer_record_t *stored,
    ngx_http_payer_record_t *fresh);
static void ngx_http_payer_record_inherit(ngx_http_payer_record_t *stored,
    ngx_http_payer_record_t *fresh, ngx_uint_t same);
static ngx_uint_t ngx_http_payer_record_same(
    ngx_http_payer_record_t *stored, ngx_http_payer_record_t *fresh);
static ngx_uint_t ngx_http_payer_record_poorer(
    ngx_http_payer_record_t *stored, ngx_http_payer_record_t *fresh);
static void ngx_http_payer_record_combine(ngx_http_payer_record_t *stored,
    ngx_http_payer_record_t *fresh);
static void ngx_http_payer_record_doubt(ngx_http_payer_record_t *stored,
    ngx_http_payer_record_t *fresh);
static ngx_uint_t ngx_http_payer_record_equal(ngx_str_t *one,
    ngx_str_t *other);


ngx_uint_t
ngx_http_payer_record_has_ticket(ngx_http_payer_record_t *record)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_PAYER_TICKET_LEN; i++) {
        if (record->ticket[i]) {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_http_payer_record_merge(ngx_str_t *stored, ngx_str_t *fresh)
{
    ngx_uint_t                bit, next, same;
    ngx_http_payer_state_t   *state;
    ngx_http_payer_record_t   old, new;

    /*
     * a record that cannot be read is not replaced: it may be of a newer
     * version
     */

    if (ngx_http_payer_record_decode(stored, &old) != NGX_OK
        || ngx_http_payer_record_decode(fresh, &new) != NGX_OK
        || !ngx_http_payer_record_current(fresh))
    {
        return NGX_DECLINED;
    }

    state = &ngx_http_payer_states[old.state];
    same = ngx_http_payer_record_same(&old, &new);

    if (!same) {

        if ((state->other & ngx_http_payer_state_bit(new.state)) == 0) {
            return NGX_DECLINED;
        }

        ngx_http_payer_record_inherit(&old, &new, 0);
        ngx_http_payer_record_write_head(fresh->data, &new);

        return NGX_OK;
    }

    if (ngx_http_payer_record_ended(&old, &new)) {
        new.state = NGX_HTTP_PAYER_ENDED;
    }

    bit = ngx_http_payer_state_bit(new.state);
    next = state->next;

    if (new.source == NGX_HTTP_PAYER_BY_REPLY) {
        next |= state->reply;
    }

    if ((next & bit) == 0) {

        if (new.state < old.state && !ngx_http_payer_record_adds(&old, &new)) {
            return NGX_DECLINED;
        }

        new.state = old.state;
    }

    if (ngx_http_payer_record_poorer(&old, &new)) {
        return NGX_DECLINED;
    }

    ngx_http_payer_record_combine(&old, &new);
    ngx_http_payer_record_inherit(&old, &new, 1);
    ngx_http_payer_record_balance(&new);

    if (new.source == NGX_HTTP_PAYER_BY_REPLY
        && new.state == NGX_HTTP_PAYER_REFUNDED)
    {
        /* neither of two operations that crossed has seen both sums */

        new.closed = 1;
    }

    ngx_http_payer_record_write_head(fresh->data, &new);

    return NGX_OK;
}


/* what counts even if it is told of a state that is out of date */

static ngx_uint_t
ngx_http_payer_record_adds(ngx_http_payer_record_t *stored,
    ngx_http_payer_record_t *fresh)
{
    return fresh->unknown
           || fresh->words > stored->words
           || fresh->signed_until > stored->signed_until
           || fresh->captured > stored->captured
           || fresh->refunded > stored->refunded
           || fresh->closed > stored->closed;
}


/* an authorization that has ended according to a read */

static ngx_uint_t
ngx_http_payer_record_ended(ngx_http_payer_record_t *stored,
    ngx_http_payer_record_t *fresh)
{
    return stored->state == NGX_HTTP_PAYER_AUTHORIZED
           && fresh->state == NGX_HTTP_PAYER_CANCELLED
           && fresh->source >= NGX_HTTP_PAYER_BY_VERIFY;
}


/* the fields of the order, not of one payment */

static void
ngx_http_payer_record_inherit(ngx_http_payer_record_t *stored,
    ngx_http_payer_record_t *fresh, ngx_uint_t same)
{
    /* the first ticket stays */

    if (ngx_http_payer_record_has_ticket(stored)) {
        ngx_memcpy(fresh->ticket, stored->ticket, NGX_HTTP_PAYER_TICKET_LEN);
    }

    fresh->signed_until = ngx_max(fresh->signed_until, stored->signed_until);

    if (fresh->words < stored->words) {
        fresh->words = stored->words;
        fresh->wanted = stored->wanted;
        ngx_memcpy(fresh->wanted_currency, stored->wanted_currency,
                   NGX_HTTP_PAYER_CURRENCY_LEN);
    }

    if (same) {
        fresh->closed |= stored->closed;
        fresh->rest_gone |= stored->rest_gone;
    }
}


ngx_str_t *
ngx_http_payer_state_name(ngx_http_payer_state_e state)
{
    if (state < NGX_HTTP_PAYER_CREATING || state > NGX_HTTP_PAYER_STATES) {
        state = 0;
    }

    return &ngx_http_payer_states[state].name;
}


ngx_uint_t
ngx_http_payer_state_paid(ngx_http_payer_state_e state)
{
    if (state < NGX_HTTP_PAYER_CREATING || state > NGX_HTTP_PAYER_STATES) {
        return 0;
    }

    return ngx_http_payer_states[state].paid;
}


ngx_http_payer_state_e
ngx_http_payer_state_of(ngx_str_t *status)
{
    ngx_http_payer_status_t  *known;

    for (known = ngx_http_payer_statuses; known->text.len; known++) {
        if (ngx_http_payer_record_equal(&known->text, status)) {
            return known->state;
        }
    }

    return 0;
}


/*
 * Whether both are of the same payment, or of the same attempt to make it. A
 * writer without a request id has only read the payment, which is that of the
 * order unless it has another one.
 */

static ngx_uint_t
ngx_http_payer_record_same(ngx_http_payer_record_t *stored,
    ngx_http_payer_record_t *fresh)
{
    if (stored->payment_id.len && fresh->payment_id.len) {
        return ngx_http_payer_record_equal(&stored->payment_id,
                                           &fresh->payment_id);
    }

    if (stored->payment_id.len == 0 && fresh->request_id.len == 0) {
        return 1;
    }

    return ngx_http_payer_record_equal(&stored->request_id,
                                       &fresh->request_id);
}


/* texts cannot be corrected in place: a record that lost one is not taken */

static ngx_uint_t
ngx_http_payer_record_poorer(ngx_http_payer_record_t *stored,
    ngx_http_payer_record_t *fresh)
{
    if (stored->payment_id.len && fresh->payment_id.len == 0) {
        return 1;
    }

    if (stored->url.len && fresh->url.len == 0
        && fresh->state == NGX_HTTP_PAYER_INITIATED)
    {
        return 1;
    }

    return !ngx_http_payer_record_equal(&stored->currency, &fresh->currency);
}


static void
ngx_http_payer_record_combine(ngx_http_payer_record_t *stored,
    ngx_http_payer_record_t *fresh)
{
    fresh->authorized = ngx_max(fresh->authorized, stored->authorized);
    fresh->captured = ngx_max(fresh->captured, stored->captured);
    fresh->refunded = ngx_max(fresh->refunded, stored->refunded);

    ngx_http_payer_record_doubt(stored, fresh);

    fresh->amount = stored->amount;
    fresh->updated = ngx_max(fresh->updated, stored->updated);

    /* Payer may have shown an earlier time */

    if (stored->created != 0
        && (fresh->created > stored->created || fresh->created == 0
            || !ngx_http_payer_state_paid(fresh->state)))
    {
        fresh->created = stored->created;
    }

    if (fresh->expires == 0) {
        fresh->expires = stored->expires;
    }
}


/* the count may wrap, since it is only compared for equality */

static void
ngx_http_payer_record_doubt(ngx_http_payer_record_t *stored,
    ngx_http_payer_record_t *fresh)
{
    ngx_uint_t  overtaken, reader;

    overtaken = (fresh->doubts != stored->doubts);

    reader = (fresh->source == NGX_HTTP_PAYER_BY_VERIFY
              || fresh->source == NGX_HTTP_PAYER_BY_EVENT
              || fresh->source == NGX_HTTP_PAYER_BY_RECONCILE);

    fresh->doubts = stored->doubts;

    if (fresh->unknown) {

        if (!reader || !stored->unknown) {
            fresh->doubts = (stored->doubts + 1) & 0xffff;
        }

    } else if (stored->unknown && overtaken) {
        fresh->unknown = 1;
    }
}


static ngx_uint_t
ngx_http_payer_record_equal(ngx_str_t *one, ngx_str_t *other)
{
    return one->len == other->len
           && (one->len == 0
               || ngx_memcmp(one->data, other->data, one->len) == 0);
}
