
/*
 * A JSON Pointer, a line feed, and a text.  Where the text is JSON, the tree
 * that cJSON makes of it has to lead to the same value.
 *
 * sources: ngx_http_payer_amount.c
 * sources: ngx_http_payer_json.c ngx_http_payer_json_parse.c
 * sources: ngx_http_payer_json_time.c
 * sources: ngx_http_payer_json_written.c
 * sources: ngx_http_payer_json_pointer.c ngx_http_payer_order.c
 */


#include "fuzz.h"

#include "ngx_http_payer_json.h"
#include "ngx_http_payer_json_parse.h"


static cJSON *fuzz_walk(cJSON *root, ngx_str_t *pointer);
static cJSON *fuzz_step(cJSON *value, char *token);
static void fuzz_compare(cJSON *found, ngx_int_t rc, ngx_str_t *value,
    ngx_str_t *text);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cJSON                        *root;
    ngx_int_t                     rc;
    ngx_str_t                     pointer, text, value, other;
    ngx_uint_t                    i;
    ngx_pool_t                   *pool;
    const char                   *reason;
    ngx_http_payer_json_place_t   places[3];

    pointer = fuzz_field(&data, &size, '\n');
    text = shim_text(data, size);
    pool = shim_create_pool();

    ngx_str_set(&other, "/a/0");

    if (ngx_http_payer_json_pointer(pool, &pointer, &places[0].pointer)
        == NGX_OK
        && ngx_http_payer_json_pointer(pool, &other, &places[1].pointer)
           == NGX_OK
        && memchr(pointer.data, '\0', pointer.len) == NULL
        && ngx_http_payer_json_parse(&text, &root, &reason) == NGX_OK)
    {
        /* also found with another on the way, and twice */

        places[2].pointer = places[0].pointer;

        rc = ngx_http_payer_json_read_places(&text, places, 3, &reason);
        fuzz_assert(rc == NGX_OK);

        for (i = 0; i < 3; i++) {
            rc = ngx_http_payer_json_place_value(pool, &text, &places[i],
                                                 &value, &reason);

            fuzz_compare(fuzz_walk(root, (i == 1) ? &other : &pointer), rc,
                         &value, &text);
        }

        cJSON_Delete(root);
    }

    shim_destroy_pool(pool);
    free(text.data);
    free(pointer.data);

    return 0;
}


static cJSON *
fuzz_walk(cJSON *value, ngx_str_t *pointer)
{
    char    *token;
    size_t   i, n;

    token = malloc(pointer->len + 1);

    for (i = 0; value && i < pointer->len; /* void */ ) {

        for (i++, n = 0; i < pointer->len && pointer->data[i] != '/'; i++) {

            token[n] = pointer->data[i];

            if (token[n] == '~') {
                token[n] = (pointer->data[++i] == '0') ? '~' : '/';
            }

            n++;
        }

        token[n] = '\0';
        value = fuzz_step(value, token);
    }

    free(token);

    return value;
}


/* the only member of this name, or the element of this index */

static cJSON *
fuzz_step(cJSON *value, char *token)
{
    char    index[32];
    long    n;
    cJSON  *member, *found;

    found = NULL;

    if (cJSON_IsArray(value)) {
        n = strtol(token, NULL, 10);
        snprintf(index, sizeof(index), "%ld", n);

        return (n >= 0 && strcmp(index, token) == 0)
               ? cJSON_GetArrayItem(value, (int) n) : NULL;
    }

    if (!cJSON_IsObject(value)) {
        return NULL;
    }

    for (member = value->child; member; member = member->next) {
        if (strcmp(member->string, token) == 0) {

            if (found) {
                return NULL;
            }

            found = member;
        }
    }

    return found;
}


static void
fuzz_compare(cJSON *found, ngx_int_t rc, ngx_str_t *value, ngx_str_t *text)
{
    char  number[64];

    if (rc == NGX_DECLINED) {
        fuzz_assert(found == NULL || cJSON_IsNull(found)
                    || cJSON_IsObject(found) || cJSON_IsArray(found)
                    || (cJSON_IsString(found)
                        && (found->valuestring[0] == '\0'
                            || text->len > 1024)));
        return;
    }

    fuzz_assert(rc == NGX_OK && found && value->len > 0);

    if (cJSON_IsString(found)) {
        fuzz_assert(value->len == strlen(found->valuestring));
        fuzz_assert(memcmp(value->data, found->valuestring, value->len) == 0);
        return;
    }

    if (cJSON_IsBool(found)) {
        fuzz_assert(value->len == (cJSON_IsTrue(found) ? 4u : 5u));
        return;
    }

    fuzz_assert(cJSON_IsNumber(found) && value->len < sizeof(number));

    memcpy(number, value->data, value->len);
    number[value->len] = '\0';

    fuzz_assert(strtod(number, NULL) == found->valuedouble);
}
