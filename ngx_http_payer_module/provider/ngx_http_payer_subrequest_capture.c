
/*
 * The filters that capture the reply of an exchange.
 */


#include "ngx_http_payer_subrequest.h"
#include "ngx_http_payer_mask.h"


static ngx_int_t ngx_http_payer_capture_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_payer_capture_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_int_t ngx_http_payer_capture(ngx_http_request_t *r,
    ngx_http_payer_exchange_t *x, u_char *p, size_t len);
static time_t ngx_http_payer_retry_after(ngx_http_request_t *r,
    ngx_http_payer_exchange_t *x);
static time_t ngx_http_payer_seconds(ngx_str_t *value, ngx_uint_t date);


#define NGX_HTTP_PAYER_REPLY_SIZE   1024


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


static ngx_int_t
ngx_http_payer_capture_header_filter(ngx_http_request_t *r)
{
    off_t                       n;
    ngx_str_t                  *type;
    ngx_http_payer_exchange_t  *x;

    if (!ngx_http_payer_is_exchange(r)) {
        return ngx_http_next_header_filter(r);
    }

    x = r->post_subrequest->data;

    if (x->clcf && (r->upstream == NULL
                    || r->upstream->headers_in.status_n == 0))
    {
        /* nginx's own error page: there is no reply of Payer */

        return NGX_OK;
    }

    x->status = x->clcf ? 0 : ngx_http_payer_wire_error(r);

    if (x->status == 0) {
        x->status = r->headers_out.status;
    }

    type = &r->headers_out.content_type;

    x->reply_type.data = ngx_pnalloc(r->main->pool, type->len);
    if (x->reply_type.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(x->reply_type.data, type->data, type->len);
    x->reply_type.len = type->len;

    x->retry_after = ngx_http_payer_retry_after(r, x);
    x->encoded = (r->headers_out.content_encoding
                  && r->headers_out.content_encoding->hash);

    n = r->headers_out.content_length_n;

    if (n > NGX_HTTP_PAYER_MAX_REPLY) {
        x->oversized = 1;

    } else if (n > (off_t) x->size) {

        x->reply.data = ngx_pnalloc(r->main->pool, n);
        if (x->reply.data == NULL) {
            return NGX_ERROR;
        }

        x->size = n;
    }

    r->filter_need_in_memory = 1;

    return NGX_OK;
}


static time_t
ngx_http_payer_retry_after(ngx_http_request_t *r,
    ngx_http_payer_exchange_t *x)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    if (r->headers_out.status < 400) {
        return -1;
    }

    part = &r->headers_out.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return -1;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].hash != 0
            && h[i].key.len == sizeof("Retry-After") - 1
            && ngx_strncasecmp(h[i].key.data, (u_char *) "Retry-After",
                               h[i].key.len)
               == 0)
        {
            return ngx_http_payer_seconds(&h[i].value, x->api_loc == NULL);
        }
    }
}


/* a number of seconds, or the shop's date; -1 for anything else */

static time_t
ngx_http_payer_seconds(ngx_str_t *value, ngx_uint_t date)
{
    time_t  seconds;

    seconds = ngx_atotm(value->data, value->len);

    if (seconds != NGX_ERROR || !date) {
        return seconds;
    }

    seconds = ngx_parse_http_time(value->data, value->len);

    return seconds > ngx_time() ? seconds - ngx_time() : -1;
}


static ngx_int_t
ngx_http_payer_capture_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_buf_t                  *b;
    ngx_chain_t                *cl;
    ngx_http_payer_exchange_t  *x;

    if (!ngx_http_payer_is_exchange(r)) {
        return ngx_http_next_body_filter(r, in);
    }

    x = r->post_subrequest->data;

    for (cl = in; cl; cl = cl->next) {
        b = cl->buf;

        if (ngx_buf_in_memory(b)) {

            if (ngx_http_payer_capture(r, x, b->pos, b->last - b->pos)
                != NGX_OK)
            {
                return NGX_ERROR;
            }

            if (x->secret && b->temporary) {
                ngx_explicit_memzero(b->pos, b->last - b->pos);
            }

            b->pos = b->last;
        }

        if (b->in_file) {
            b->file_pos = b->file_last;
        }

        if (b->last_buf || b->last_in_chain) {
            x->complete = 1;
        }
    }

    return NGX_OK;
}


/* appends to the reply; bytes above the limit are counted and discarded */

static ngx_int_t
ngx_http_payer_capture(ngx_http_request_t *r, ngx_http_payer_exchange_t *x,
    u_char *p, size_t len)
{
    size_t   size;
    u_char  *data;

    if (x->status == 0 || x->oversized || len == 0) {
        return NGX_OK;
    }

    size = x->reply.len + len;

    if (size > NGX_HTTP_PAYER_MAX_REPLY) {
        x->oversized = 1;
        return NGX_OK;
    }

    if (size > x->size) {

        size = ngx_max(size, 2 * x->size);
        size = ngx_max(size, NGX_HTTP_PAYER_REPLY_SIZE);

        data = ngx_pnalloc(r->main->pool, size);
        if (data == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(data, x->reply.data, x->reply.len);

        if (x->secret) {
            ngx_http_payer_wipe(&x->reply);
        }

        x->reply.data = data;
        x->size = size;
    }

    ngx_memcpy(x->reply.data + x->reply.len, p, len);
    x->reply.len += len;

    return NGX_OK;
}


ngx_int_t
ngx_http_payer_subrequest_init(ngx_conf_t *cf)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_payer_capture_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_payer_capture_body_filter;

    return ngx_http_payer_wire_init(cf);
}
