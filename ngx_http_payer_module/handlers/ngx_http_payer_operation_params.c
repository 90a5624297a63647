
/*
 * The parameters that an operation takes.
 */


#include "ngx_http_payer_operation_params.h"
#include "ngx_http_payer_audit.h"


/* the error in the parameters of this operation, or NULL */

const char *
ngx_http_payer_operation_wrong(ngx_http_payer_ctx_t *ctx,
    const ngx_http_payer_operation_type_t *type)
{
    ngx_http_payer_params_t  *params;

    params = ctx->params;

    if (params->unknown) {

        /* a misspelt amount must not capture everything */

        return "there is a parameter whose name is not known";
    }

    if (params->reference.data == NULL && params->payment_id.data == NULL) {
        return "either reference or paymentId is needed";
    }

    if (params->reference.data
        && ngx_http_payer_check_reference(&params->reference) != NGX_OK)
    {
        return "reference is empty, longer than 255 bytes, or not UTF-8 "
               "without control characters";
    }

    if (params->payment_id.data
        && ngx_http_payer_check_payment_id(&params->payment_id) != NGX_OK)
    {
        return "paymentId is not 1 to 64 letters, digits, \"-\" or \"_\"";
    }

    if (params->amount == 0) {
        return "amount is not a positive integer in minor units";
    }

    if (params->amount != -1 && !(type->takes & NGX_HTTP_PAYER_TAKES_AMOUNT)) {
        return "amount is not a parameter of this operation";
    }

    if (params->release_rest != -1
        && !(type->takes & NGX_HTTP_PAYER_TAKES_REST))
    {
        return "releaseRemainingFunds is not a parameter of this operation";
    }

    if (params->description.data
        && !(type->takes & NGX_HTTP_PAYER_TAKES_DESCRIPTION))
    {
        return "transactionDescription is not a parameter of this operation";
    }

    if (params->reason.data && !(type->takes & NGX_HTTP_PAYER_TAKES_REASON)) {
        return "reason is not a parameter of this operation";
    }

    if (params->reason.len
        && ngx_http_payer_check_line(&params->reason,
                                     NGX_HTTP_PAYER_MAX_REASON)
           != NGX_OK)
    {
        return "reason is longer than 500 bytes, or not one line of UTF-8";
    }

    if (params->type.data || params->url.data) {
        return "type and url are not parameters of this operation";
    }

    if (params->operation.data || params->outcome.data) {
        return "operation and outcome are not parameters of this operation";
    }

    if (params->currency.data || params->expires != -1) {
        return "currency and expires are not parameters of this operation";
    }

    return NULL;
}
