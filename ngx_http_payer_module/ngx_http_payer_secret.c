
/*
 * Secrets in files: read by the master, wiped when the configuration goes.
 */


#include "ngx_http_payer_secret.h"


static ngx_int_t ngx_http_payer_take_secret(ngx_conf_t *cf, ngx_str_t *name,
    u_char *buf, size_t len, ngx_str_t *secret);
static void ngx_http_payer_wipe_secret(void *data);


ngx_int_t
ngx_http_payer_read_secret(ngx_conf_t *cf, ngx_str_t *name, ngx_str_t *secret)
{
    u_char           buf[NGX_HTTP_PAYER_MAX_SECRET + 1];
    ssize_t          n;
    ngx_fd_t         fd;
    ngx_int_t        rc;
    ngx_file_info_t  fi;

    fd = ngx_open_file(name->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", name);
        return NGX_ERROR;
    }

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_fd_info_n " \"%V\" failed", name);
        n = -1;

    } else {

        if (ngx_file_access(&fi) & (S_IROTH|S_IWOTH)) {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "secret file \"%V\" is accessible to others, "
                               "its mode should be 0600", name);
        }

        n = ngx_read_fd(fd, buf, sizeof(buf));

        if (n == -1) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                               ngx_read_fd_n " \"%V\" failed", name);
        }
    }

    rc = NGX_ERROR;

    if (n >= 0) {
        rc = ngx_http_payer_take_secret(cf, name, buf, n, secret);
        ngx_explicit_memzero(buf, n);
    }

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", name);
    }

    return rc;
}


/* one line without control characters, its end does not belong to it */

static ngx_int_t
ngx_http_payer_take_secret(ngx_conf_t *cf, ngx_str_t *name, u_char *buf,
    size_t len, ngx_str_t *secret)
{
    size_t  i;

    if (len > NGX_HTTP_PAYER_MAX_SECRET) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "secret file \"%V\" is larger than %d bytes",
                           name, NGX_HTTP_PAYER_MAX_SECRET);
        return NGX_ERROR;
    }

    while (len && (buf[len - 1] == LF || buf[len - 1] == CR)) {
        len--;
    }

    if (len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "secret file \"%V\" is empty", name);
        return NGX_ERROR;
    }

    for (i = 0; i < len; i++) {
        if (buf[i] < ' ' || buf[i] == 0x7f) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "secret file \"%V\" has more than one line "
                               "or a control character", name);
            return NGX_ERROR;
        }
    }

    secret->len = len;
    secret->data = ngx_pnalloc(cf->pool, len);
    if (secret->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(secret->data, buf, len);

    return ngx_http_payer_keep_secret(cf, secret);
}


ngx_int_t
ngx_http_payer_keep_secret(ngx_conf_t *cf, ngx_str_t *secret)
{
    ngx_str_t           *kept;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(cf->pool, sizeof(ngx_str_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    kept = cln->data;
    *kept = *secret;
    cln->handler = ngx_http_payer_wipe_secret;

    return NGX_OK;
}


static void
ngx_http_payer_wipe_secret(void *data)
{
    ngx_str_t  *secret = data;

    ngx_explicit_memzero(secret->data, secret->len);
}
