
/*
 * Whether an operation whose reply was lost shows in what Payer says of the
 * payment.
 */


#ifndef _NGX_HTTP_PAYER_JUDGE_H_INCLUDED_
#define _NGX_HTTP_PAYER_JUDGE_H_INCLUDED_


#include "ngx_http_payer_module.h"
#include "ngx_http_payer_deed.h"


/* the other captures of a payment, as far as they are known here */
typedef struct {
    ngx_str_t     prefix;               /* of their keys */
    ngx_str_t     except;               /* the key of the one in question */
    ngx_str_t     after;                /* the cursor */
    int64_t       done;                 /* minor units */
    int64_t       open;                 /* those in doubt, minor units */
    ngx_uint_t    vague;                /* how many have no known amount */
} ngx_http_payer_tally_t;


/*
 * prepares to count what speaks for others than the operation under "key",
 * which must outlive the tally: NGX_OK or NGX_ERROR
 */
ngx_int_t ngx_http_payer_tally(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_tally_t *tally, ngx_http_payer_call_e operation,
    ngx_str_t *payment_id, ngx_str_t *key);

/*
 * a step of the caller's, before the payment is read: what is done when it is
 * counted must be in what is read.  NGX_OK, or NGX_AGAIN when the request is
 * parked; a store that fails leaves the tally vague (logged)
 */
ngx_int_t ngx_http_payer_tally_run(ngx_http_payer_ctx_t *ctx,
    ngx_http_payer_tally_t *tally);

/*
 * whether the operation shows in what was read of the payment: NGX_OK (it was
 * done), NGX_DECLINED (it was not), NGX_AGAIN (a read cannot tell)
 */
ngx_int_t ngx_http_payer_judge(ngx_http_payer_call_e operation,
    ngx_http_payer_deed_t *deed, ngx_http_payer_json_payment_t *payment,
    ngx_http_payer_tally_t *tally);


#endif /* _NGX_HTTP_PAYER_JUDGE_H_INCLUDED_ */
