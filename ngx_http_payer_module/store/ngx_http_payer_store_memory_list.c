
/*
 * Several entries of the memory store at once: by their keys, by the time of
 * their last change, and those that are due.
 *
 * Nothing is allocated from a pool under the mutex, so items are copied one by
 * one through the stack.
 */


#include "ngx_http_payer_store_memory.h"


/* the position of a list, and its entry */

typedef struct {
    time_t                   updated;
    uint64_t                 serial;
    ngx_http_payer_item_t    item;
} ngx_http_payer_memory_place_t;


static ngx_http_payer_memory_scope_t *ngx_http_payer_memory_scope_of(
    ngx_http_payer_zone_t *zone, ngx_str_t *prefix);
static ngx_int_t ngx_http_payer_memory_look(ngx_http_payer_zone_t *zone,
    ngx_http_payer_list_t *list, ngx_http_payer_memory_place_t *place,
    u_char *buf);


void
ngx_http_payer_memory_item(ngx_http_payer_memory_entry_t *entry,
    ngx_http_payer_item_t *item, u_char *buf)
{
    ngx_memcpy(buf, entry->data, entry->key_len + entry->value_len);

    item->key.data = buf;
    item->key.len = entry->key_len;
    item->value.data = buf + entry->key_len;
    item->value.len = entry->value_len;
    item->rev = entry->rev;

    if (entry->mark != NULL) {
        item->label = entry->mark->label;

    } else {
        ngx_memzero(&item->label, sizeof(ngx_http_payer_label_t));
    }
}


ngx_int_t
ngx_http_payer_memory_scan(ngx_http_payer_store_t *store, ngx_str_t *prefix,
    ngx_str_t *after, ngx_uint_t limit, ngx_http_payer_io_t *io)
{
    u_char                          buf[NGX_HTTP_PAYER_MEMORY_BUF];
    u_char                          place[NGX_HTTP_PAYER_STORE_MAX_KEY];
    ngx_int_t                       rc;
    ngx_str_t                       from;
    ngx_slab_pool_t                *shpool;
    ngx_http_payer_item_t           item;
    ngx_http_payer_memory_t        *memory;
    ngx_http_payer_memory_entry_t  *found, *entry;

    if (ngx_http_payer_store_items(io, &limit) != NGX_OK) {
        return NGX_ERROR;
    }

    from.data = place;
    from.len = ngx_min(after->len, sizeof(place));
    ngx_memcpy(place, after->data, from.len);

    shpool = store->zone->shpool;
    memory = store->zone->sh->memory;

    while (io->nitems < limit) {

        ngx_shmtx_lock(&shpool->mutex);

        found = ngx_http_payer_memory_seek(memory, prefix, &from);
        entry = NULL;

        if (found != NULL) {
            from.len = found->key_len;
            ngx_memcpy(place, found->data, from.len);

            entry = ngx_http_payer_memory_follow(memory, found);
        }

        if (entry != NULL) {
            ngx_http_payer_memory_item(entry, &item, buf);
        }

        ngx_shmtx_unlock(&shpool->mutex);

        if (found == NULL) {
            break;
        }

        if (entry == NULL) {
            continue;
        }

        rc = ngx_http_payer_store_add(io, &item);

        if (rc != NGX_OK) {
            return (rc == NGX_DONE) ? NGX_OK : rc;
        }
    }

    return io->nitems ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_http_payer_memory_list(ngx_http_payer_store_t *store,
    ngx_http_payer_list_t *list, ngx_http_payer_io_t *io)
{
    u_char                          buf[NGX_HTTP_PAYER_MEMORY_BUF];
    time_t                          updated;
    uint64_t                        serial;
    ngx_int_t                       rc;
    ngx_uint_t                      looks;
    ngx_http_payer_memory_place_t   place;

    rc = ngx_http_payer_store_begin_list(list, io, &place.updated,
                                         &place.serial);
    if (rc != NGX_OK) {
        return rc;
    }

    for (looks = 0; looks < NGX_HTTP_PAYER_STORE_MAX_LOOKS; looks++) {

        updated = place.updated;
        serial = place.serial;

        rc = ngx_http_payer_memory_look(store->zone, list, &place, buf);

        if (rc == NGX_DONE) {
            return io->nitems ? NGX_OK : NGX_DECLINED;
        }

        if (rc == NGX_OK && io->nitems < list->limit) {
            rc = ngx_http_payer_store_add(io, &place.item);

            if (rc == NGX_ERROR) {
                return NGX_ERROR;
            }

        } else if (rc == NGX_OK) {
            rc = NGX_DONE;
        }

        if (rc == NGX_DONE) {

            /* one too many: the next page begins with it */

            return ngx_http_payer_store_end_list(io, updated, serial);
        }
    }

    return ngx_http_payer_store_end_list(io, place.updated, place.serial);
}


static ngx_http_payer_memory_scope_t *
ngx_http_payer_memory_scope_of(ngx_http_payer_zone_t *zone, ngx_str_t *prefix)
{
    return ngx_http_payer_memory_scope(zone->sh->memory, prefix->data,
                                       prefix->len);
}


/* the next one: NGX_OK, NGX_DECLINED if it is not shown, NGX_DONE: none */

static ngx_int_t
ngx_http_payer_memory_look(ngx_http_payer_zone_t *zone,
    ngx_http_payer_list_t *list, ngx_http_payer_memory_place_t *place,
    u_char *buf)
{
    ngx_int_t                       rc;
    ngx_http_payer_memory_mark_t   *mark;
    ngx_http_payer_memory_scope_t  *scope;

    rc = NGX_DONE;

    ngx_shmtx_lock(&zone->shpool->mutex);

    scope = ngx_http_payer_memory_scope_of(zone, &list->prefix);

    mark = scope ? ngx_http_payer_memory_older(scope, place->updated,
                                               place->serial)
                 : NULL;

    if (mark != NULL && mark->label.updated >= list->from) {

        place->updated = mark->label.updated;
        place->serial = mark->serial;

        rc = NGX_DECLINED;

        if (ngx_http_payer_store_shown(list, &mark->label)) {
            ngx_http_payer_memory_item(mark->entry, &place->item, buf);
            rc = NGX_OK;
        }
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return rc;
}


ngx_int_t
ngx_http_payer_memory_due(ngx_http_payer_store_t *store, ngx_str_t *prefix,
    ngx_uint_t limit, time_t lease, ngx_http_payer_io_t *io)
{
    u_char                          buf[NGX_HTTP_PAYER_MEMORY_BUF];
    ngx_slab_pool_t                *shpool;
    ngx_http_payer_item_t           item;
    ngx_http_payer_memory_t        *memory;
    ngx_http_payer_memory_mark_t   *mark;
    ngx_http_payer_memory_scope_t  *scope;

    if (ngx_http_payer_store_items(io, &limit) != NGX_OK) {
        return NGX_ERROR;
    }

    shpool = store->zone->shpool;
    memory = store->zone->sh->memory;

    while (io->nitems < limit
           && io->bytes <= NGX_HTTP_PAYER_STORE_MAX_PAGE
                           - NGX_HTTP_PAYER_STORE_MAX_VALUE)
    {
        ngx_shmtx_lock(&shpool->mutex);

        scope = ngx_http_payer_memory_scope_of(store->zone, prefix);
        mark = scope ? ngx_http_payer_memory_first_due(scope) : NULL;

        if (mark != NULL && mark->label.due > ngx_time()) {
            mark = NULL;
        }

        if (mark != NULL) {
            ngx_http_payer_memory_unlink_mark(mark);

            mark->label.due = ngx_time() + ngx_max(lease, 1);
            mark->entry->rev = ++memory->serial;

            ngx_http_payer_memory_link_mark(mark);

            ngx_http_payer_memory_item(mark->entry, &item, buf);
        }

        ngx_shmtx_unlock(&shpool->mutex);

        if (mark == NULL) {
            break;
        }

        if (ngx_http_payer_store_add(io, &item) != NGX_OK) {

            /* its lease ends */

            return NGX_ERROR;
        }
    }

    return io->nitems ? NGX_OK : NGX_DECLINED;
}
