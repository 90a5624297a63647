
/*
 * Secrets in files: read by the master, wiped when the configuration goes.
 * They have pages of their own, which are left out of core dumps.
 */


#include "ngx_http_payer_secret.h"
#include "ngx_http_payer_compat.h"
#include "ngx_http_payer_mask.h"


static ngx_int_t ngx_http_payer_take_secret(ngx_conf_t *cf, ngx_str_t *name,
    u_char *buf, size_t len, ngx_str_t *secret);
static void ngx_http_payer_secret_free(void *data);


#define ngx_http_payer_is_space(ch)                                          \
    ((ch) == ' ' || (ch) == '\t' || (ch) == CR || (ch) == LF)


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


/*
 * One line without control characters.  White space around it, and the byte
 * order mark of some editors, are not a part of the secret: the first buyer
 * would get an error whose cause cannot be seen.
 */

static ngx_int_t
ngx_http_payer_take_secret(ngx_conf_t *cf, ngx_str_t *name, u_char *buf,
    size_t len, ngx_str_t *secret)
{
    size_t  i, line;

    if (len > NGX_HTTP_PAYER_MAX_SECRET) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "secret file \"%V\" is larger than %d bytes",
                           name, NGX_HTTP_PAYER_MAX_SECRET);
        return NGX_ERROR;
    }

    while (len && (buf[len - 1] == LF || buf[len - 1] == CR)) {
        len--;
    }

    line = len;

    if (len >= 3 && ngx_memcmp(buf, "\xef\xbb\xbf", 3) == 0) {
        buf += 3;
        len -= 3;
    }

    while (len && ngx_http_payer_is_space(buf[0])) {
        buf++;
        len--;
    }

    while (len && ngx_http_payer_is_space(buf[len - 1])) {
        len--;
    }

    if (len && len != line) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "white space or a byte order mark around the "
                           "secret in \"%V\" was ignored", name);
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
    secret->data = ngx_http_payer_secret_alloc(cf, len);
    if (secret->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(secret->data, buf, len);

    return NGX_OK;
}


u_char *
ngx_http_payer_secret_alloc(ngx_conf_t *cf, size_t len)
{
    u_char              *p;
    ngx_str_t           *secret;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(cf->pool, sizeof(ngx_str_t));
    if (cln == NULL) {
        return NULL;
    }

    p = mmap(NULL, len, PROT_READ|PROT_WRITE, MAP_ANON|MAP_PRIVATE, -1, 0);

    if (p == MAP_FAILED) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "mmap(%uz) for a secret failed", len);
        return NULL;
    }

    ngx_http_payer_undumped(p, len);

    secret = cln->data;
    secret->data = p;
    secret->len = len;

    cln->handler = ngx_http_payer_secret_free;

    return p;
}


static void
ngx_http_payer_secret_free(void *data)
{
    ngx_str_t  *secret = data;

    ngx_http_payer_wipe(secret);

    (void) munmap(secret->data, secret->len);
}
