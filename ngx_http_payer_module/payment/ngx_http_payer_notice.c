
/*
 * A notification: detects changes, and orders the entries of the outbox.
 */


#include "ngx_http_payer_notice.h"
#include "ngx_http_payer_proof.h"


static ngx_uint_t ngx_http_payer_notice_paid(ngx_http_payer_record_t *record);
static ngx_uint_t ngx_http_payer_notice_captured(
    ngx_http_payer_record_t *before, ngx_http_payer_record_t *after);
static ngx_uint_t ngx_http_payer_notice_released(
    ngx_http_payer_record_t *before, ngx_http_payer_record_t *after);
static ngx_uint_t ngx_http_payer_notice_refunded(
    ngx_http_payer_record_t *before, ngx_http_payer_record_t *after);
static ngx_uint_t ngx_http_payer_notice_cancelled(
    ngx_http_payer_record_t *before, ngx_http_payer_record_t *after);
static ngx_uint_t ngx_http_payer_notice_reached(
    ngx_http_payer_record_t *before, ngx_http_payer_record_t *after,
    ngx_http_payer_state_e state);
static uint64_t ngx_http_payer_notice_moved(ngx_http_payer_notice_t *notice);


static ngx_str_t  ngx_http_payer_notice_types[] = {
    ngx_string("paid"),
    ngx_string("captured"),
    ngx_string("released"),
    ngx_string("refunded"),
    ngx_string("cancelled"),
    ngx_string("expired"),
    ngx_null_string
};


static ngx_str_t  ngx_http_payer_notice_states[] = {
    ngx_null_string,
    ngx_string("owed"),
    ngx_string("given_up"),
    ngx_string("conflict"),
    ngx_string("taken")
};


ngx_str_t *
ngx_http_payer_notice_type(ngx_http_payer_notice_e type)
{
    return &ngx_http_payer_notice_types[type];
}


ngx_str_t *
ngx_http_payer_notice_state(ngx_http_payer_notice_state_e state)
{
    return &ngx_http_payer_notice_states[state];
}


ngx_http_payer_notice_e
ngx_http_payer_notice_named(ngx_str_t *name)
{
    ngx_str_t   *type;
    ngx_uint_t   i;

    type = ngx_http_payer_notice_types;

    for (i = 0; i < NGX_HTTP_PAYER_NOTICES; i++) {
        if (type[i].len == name->len
            && ngx_memcmp(type[i].data, name->data, name->len) == 0)
        {
            break;
        }
    }

    return i;
}


ngx_uint_t
ngx_http_payer_notice_changes(ngx_http_payer_record_t *before,
    ngx_http_payer_record_t *after)
{
    ngx_uint_t               changes;
    ngx_http_payer_record_t  blank;

    if (after->payment_id.len == 0) {
        return 0;
    }

    if (before == NULL
        || before->payment_id.len != after->payment_id.len
        || ngx_memcmp(before->payment_id.data, after->payment_id.data,
                      after->payment_id.len)
           != 0)
    {
        /* the order had another payment before */

        ngx_memzero(&blank, sizeof(ngx_http_payer_record_t));

        blank.authorized = -1;
        blank.captured = -1;
        blank.refunded = -1;

        before = &blank;
    }

    changes = 0;

    if (ngx_http_payer_notice_paid(after)
        && !ngx_http_payer_notice_paid(before))
    {
        changes |= ngx_http_payer_notice_bit(NGX_HTTP_PAYER_NOTICE_PAID);
    }

    if (ngx_http_payer_notice_captured(before, after)) {
        changes |= ngx_http_payer_notice_bit(NGX_HTTP_PAYER_NOTICE_CAPTURED);
    }

    if (ngx_http_payer_notice_released(before, after)) {
        changes |= ngx_http_payer_notice_bit(NGX_HTTP_PAYER_NOTICE_RELEASED);
    }

    if (ngx_http_payer_notice_refunded(before, after)) {
        changes |= ngx_http_payer_notice_bit(NGX_HTTP_PAYER_NOTICE_REFUNDED);
    }

    if (ngx_http_payer_notice_cancelled(before, after)) {
        changes |= ngx_http_payer_notice_bit(NGX_HTTP_PAYER_NOTICE_CANCELLED);
    }

    if (ngx_http_payer_notice_reached(before, after, NGX_HTTP_PAYER_EXPIRED)
        || ngx_http_payer_notice_reached(before, after, NGX_HTTP_PAYER_ENDED))
    {
        changes |= ngx_http_payer_notice_bit(NGX_HTTP_PAYER_NOTICE_EXPIRED);
    }

    return changes;
}


static ngx_uint_t
ngx_http_payer_notice_reached(ngx_http_payer_record_t *before,
    ngx_http_payer_record_t *after, ngx_http_payer_state_e state)
{
    return after->state == state && before->state != state;
}


/*
 * A capture that was granted before anybody has seen the payment paid shows
 * that it is: the shop is told that first.
 */

static ngx_uint_t
ngx_http_payer_notice_paid(ngx_http_payer_record_t *record)
{
    return record->payment_id.len
           && record->amount > 0
           && ngx_http_payer_state_paid(record->state)
           && ngx_http_payer_proof_covers(record, record->amount,
                                          &record->currency);
}


static ngx_uint_t
ngx_http_payer_notice_captured(ngx_http_payer_record_t *before,
    ngx_http_payer_record_t *after)
{
    if (after->captured > 0) {
        return after->captured > before->captured;
    }

    /* Payer's status without a sum */

    return ngx_http_payer_notice_reached(before, after,
                                         NGX_HTTP_PAYER_FULLY_CAPTURED)
           || ngx_http_payer_notice_reached(before, after,
                                            NGX_HTTP_PAYER_PARTIALLY_CAPTURED);
}


/*
 * the whole authorization, or the rest after a capture, with the capture or
 * later
 */

static ngx_uint_t
ngx_http_payer_notice_released(ngx_http_payer_record_t *before,
    ngx_http_payer_record_t *after)
{
    return ngx_http_payer_notice_reached(before, after,
                                         NGX_HTTP_PAYER_RELEASED)
           || (after->rest_gone && !before->rest_gone
               && after->state != NGX_HTTP_PAYER_FULLY_CAPTURED
               && after->captured < ngx_max(after->authorized,
                                            after->amount));
}


static ngx_uint_t
ngx_http_payer_notice_refunded(ngx_http_payer_record_t *before,
    ngx_http_payer_record_t *after)
{
    if (after->refunded > 0) {
        return after->refunded > before->refunded;
    }

    return ngx_http_payer_notice_reached(before, after,
                                         NGX_HTTP_PAYER_REFUNDED);
}


/*
 * A replaced link is cancelled, too, but not the order: its record is in doubt
 * meanwhile.
 */

static ngx_uint_t
ngx_http_payer_notice_cancelled(ngx_http_payer_record_t *before,
    ngx_http_payer_record_t *after)
{
    if (after->state != NGX_HTTP_PAYER_CANCELLED) {
        return 0;
    }

    if (after->closed) {
        return before->state != NGX_HTTP_PAYER_CANCELLED || !before->closed;
    }

    return before->state != NGX_HTTP_PAYER_CANCELLED
           && !before->unknown
           && after->source >= NGX_HTTP_PAYER_BY_VERIFY;
}


ngx_uint_t
ngx_http_payer_notice_candidates(ngx_http_payer_record_t *record)
{
    ngx_uint_t  candidates;

    candidates = ngx_http_payer_notice_changes(NULL, record);

    if (record->payment_id.len == 0) {
        return 0;
    }

    if (ngx_http_payer_state_paid(record->state)) {
        candidates |= ngx_http_payer_notice_bit(NGX_HTTP_PAYER_NOTICE_PAID);
    }

    if (record->rest_gone) {
        candidates |= ngx_http_payer_notice_bit(
                                              NGX_HTTP_PAYER_NOTICE_RELEASED);
    }

    if (record->state == NGX_HTTP_PAYER_CANCELLED) {

        /* the merge may find that an authorization ended */

        candidates |= ngx_http_payer_notice_bit(NGX_HTTP_PAYER_NOTICE_EXPIRED);
    }

    return candidates;
}


void
ngx_http_payer_notice_about(ngx_http_payer_notice_t *notice,
    ngx_http_payer_record_t *record)
{
    notice->payment = record->state;
    notice->amount = record->amount;
    notice->authorized = record->authorized;
    notice->captured = record->captured;
    notice->refunded = record->refunded;
    notice->made = record->created;

    if (ngx_http_payer_notice_paid(record)) {

        /* what was never read since is what was ordered */

        notice->authorized = ngx_max(record->authorized,
                                     ngx_max(record->amount,
                                             record->captured));
    }
}


ngx_int_t
ngx_http_payer_notice_when(ngx_str_t *before, ngx_str_t *after,
    ngx_str_t *fresh)
{
    ngx_uint_t                changes;
    ngx_http_payer_notice_t   notice;
    ngx_http_payer_record_t   old, now;

    if (ngx_http_payer_notice_decode(fresh, &notice) != NGX_OK
        || ngx_http_payer_record_decode(after, &now) != NGX_OK
        || (before->len
            && ngx_http_payer_record_decode(before, &old) != NGX_OK))
    {
        return NGX_DECLINED;
    }

    changes = ngx_http_payer_notice_changes(before->len ? &old : NULL, &now);

    if ((changes & ngx_http_payer_notice_bit(notice.type)) == 0) {
        return NGX_DECLINED;
    }

    ngx_http_payer_notice_about(&notice, &now);

    ngx_http_payer_notice_write_head(fresh->data, &notice);

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_notice_keep(ngx_str_t *stored, ngx_str_t *fresh)
{
    return NGX_DECLINED;
}


ngx_int_t
ngx_http_payer_notice_settle(ngx_str_t *stored, ngx_str_t *fresh)
{
    ngx_http_payer_notice_t  old, now;

    if (ngx_http_payer_notice_decode(stored, &old) != NGX_OK
        || ngx_http_payer_notice_decode(fresh, &now) != NGX_OK
        || old.state != NGX_HTTP_PAYER_NOTICE_OWED
        || old.round != now.round)
    {
        return NGX_DECLINED;
    }

    if (old.attempts > now.attempts) {

        /* another attempt was made meanwhile */

        now.attempts = old.attempts;
        ngx_http_payer_notice_write_head(fresh->data, &now);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_notice_again(ngx_str_t *stored, ngx_str_t *fresh)
{
    ngx_http_payer_notice_t  old, now;

    return (ngx_http_payer_notice_decode(stored, &old) == NGX_OK
            && ngx_http_payer_notice_decode(fresh, &now) == NGX_OK
            && now.round == old.round + 1) ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_http_payer_notice_forget(ngx_str_t *stored, ngx_str_t *fresh)
{
    ngx_http_payer_notice_t  old;

    return ngx_http_payer_notice_decode(stored, &old) == NGX_OK
           ? NGX_OK : NGX_DECLINED;
}


static uint64_t
ngx_http_payer_notice_moved(ngx_http_payer_notice_t *notice)
{
    return (uint64_t) ngx_max(notice->captured, 0)
           + (uint64_t) ngx_max(notice->refunded, 0);
}


ngx_uint_t
ngx_http_payer_notice_before(ngx_http_payer_notice_t *one,
    ngx_http_payer_notice_t *other)
{
    uint64_t  a, b;

    if (one->made != other->made) {
        return one->made < other->made;
    }

    a = ngx_http_payer_notice_moved(one);
    b = ngx_http_payer_notice_moved(other);

    if (a != b) {
        return a < b;
    }

    return one->type < other->type;
}


time_t
ngx_http_payer_notice_pause(ngx_uint_t attempts, time_t interval, time_t max)
{
    time_t  pause;

    pause = ngx_max(interval, 1);
    max = ngx_max(max, 1);

    while (attempts > 1 && pause < max) {
        pause = (pause > max / 2) ? max : 2 * pause;
        attempts--;
    }

    return ngx_min(pause, max);
}
