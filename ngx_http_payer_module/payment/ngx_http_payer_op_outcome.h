
/*
 * Whether an operation whose reply was lost shows in what Payer says of the
 * payment.  Pure functions.
 */


#ifndef _NGX_HTTP_PAYER_OP_OUTCOME_H_INCLUDED_
#define _NGX_HTTP_PAYER_OP_OUTCOME_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_calls.h"
#include "ngx_http_payer_json.h"
#include "ngx_http_payer_op.h"


/* the other operations of the same type on the payment */
typedef struct {
    int64_t       done;                 /* minor units */
    int64_t       open;                 /* those in doubt, minor units */
    ngx_uint_t    vague;                /* how many have no known amount */
} ngx_http_payer_others_t;


/* counts the stored operation under another key */
void ngx_http_payer_op_outcome_other(ngx_http_payer_others_t *others,
    ngx_str_t *value);

/*
 * whether the operation shows in what was read of the payment at "now":
 * NGX_OK (it was done), NGX_DECLINED (it was not), NGX_AGAIN (a read cannot
 * tell, or not yet)
 */
ngx_int_t ngx_http_payer_op_outcome(ngx_http_payer_call_e operation,
    ngx_http_payer_op_t *op, ngx_http_payer_json_payment_t *payment,
    ngx_http_payer_others_t *others, time_t now);


#endif /* _NGX_HTTP_PAYER_OP_OUTCOME_H_INCLUDED_ */
