
/*
 * Notes in the zone.  There are few of them, so a queue is sufficient.
 */


#include "ngx_http_payer_zone_note.h"


typedef struct {
    ngx_queue_t                   queue;
    ngx_msec_t                    expires;      /* ngx_current_msec */
    size_t                        key_len;
    size_t                        len;
    u_char                        data[1];      /* key, then text */
} ngx_http_payer_note_t;


static ngx_http_payer_note_t *ngx_http_payer_note_find(
    ngx_http_payer_zone_t *zone, ngx_str_t *key);


void
ngx_http_payer_zone_note(ngx_http_payer_zone_t *zone, ngx_str_t *key,
    ngx_str_t *text, ngx_msec_t life)
{
    ngx_http_payer_note_t  *note;

    ngx_shmtx_lock(&zone->shpool->mutex);

    note = ngx_http_payer_note_find(zone, key);

    if (note) {
        ngx_queue_remove(&note->queue);
        ngx_slab_free_locked(zone->shpool, note);
    }

    note = ngx_slab_alloc_locked(zone->shpool,
                                 offsetof(ngx_http_payer_note_t, data)
                                 + key->len + text->len);

    if (note) {
        note->expires = ngx_current_msec + life;
        note->key_len = key->len;
        note->len = text->len;

        ngx_memcpy(ngx_cpymem(note->data, key->data, key->len), text->data,
                   text->len);

        ngx_queue_insert_head(&zone->sh->notes, &note->queue);
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


ngx_int_t
ngx_http_payer_zone_noted(ngx_http_payer_zone_t *zone, ngx_pool_t *pool,
    ngx_str_t *key, ngx_str_t *text)
{
    size_t                  size;
    ngx_int_t               rc;
    ngx_http_payer_note_t  *note;

    size = 0;

    for ( ;; ) {

        /* nothing is allocated from a pool under the mutex */

        if (size) {
            text->data = ngx_pnalloc(pool, size);
            if (text->data == NULL) {
                return NGX_ERROR;
            }
        }

        rc = NGX_DECLINED;

        ngx_shmtx_lock(&zone->shpool->mutex);

        note = ngx_http_payer_note_find(zone, key);

        if (note && note->len <= size) {
            text->len = note->len;
            ngx_memcpy(text->data, note->data + note->key_len, note->len);
            rc = NGX_OK;

        } else if (note) {
            size = note->len;
            rc = NGX_AGAIN;
        }

        ngx_shmtx_unlock(&zone->shpool->mutex);

        if (rc != NGX_AGAIN) {
            return rc;
        }
    }
}


/* also deletes old ones */

static ngx_http_payer_note_t *
ngx_http_payer_note_find(ngx_http_payer_zone_t *zone, ngx_str_t *key)
{
    ngx_queue_t            *q, *next;
    ngx_http_payer_note_t  *note, *found;

    found = NULL;

    for (q = ngx_queue_head(&zone->sh->notes);
         q != ngx_queue_sentinel(&zone->sh->notes);
         q = next)
    {
        next = ngx_queue_next(q);
        note = ngx_queue_data(q, ngx_http_payer_note_t, queue);

        if ((ngx_msec_int_t) (note->expires - ngx_current_msec) <= 0) {
            ngx_queue_remove(q);
            ngx_slab_free_locked(zone->shpool, note);
            continue;
        }

        if (note->key_len == key->len
            && ngx_memcmp(note->data, key->data, key->len) == 0)
        {
            found = note;
        }
    }

    return found;
}


void
ngx_http_payer_zone_room(ngx_http_payer_zone_t *zone, size_t *size,
    size_t *left)
{
    ngx_uint_t  pages;

    *size = zone->shm_zone->shm.size;

    ngx_shmtx_lock(&zone->shpool->mutex);

    pages = zone->shpool->pfree;

    ngx_shmtx_unlock(&zone->shpool->mutex);

    if (zone->sh->memory) {
        pages -= ngx_min(pages, ngx_http_payer_zone_reserve(zone));
    }

    *left = pages * ngx_pagesize;
}
