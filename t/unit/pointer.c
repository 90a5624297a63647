
/*
 * JSON Pointers, and what they lead to.
 *
 * sources: ngx_http_payer_json.c ngx_http_payer_json_parse.c
 * sources: ngx_http_payer_json_time.c
 * sources: ngx_http_payer_json_written.c
 * sources: ngx_http_payer_json_pointer.c ngx_http_payer_order.c
 * sources: ngx_http_payer_amount.c
 */


#include "unit.h"

#include "ngx_http_payer_json.h"


typedef struct {
    const char  *text;
    const char  *pointer;
    const char  *value;                 /* NULL: none */
    const char  *reason;
} lead_t;


static lead_t  leads[] = {
    { "{\"total\":\"129.50\"}", "/total", "129.50", NULL },
    { "{\"total\":129.50}", "/total", "129.50", NULL },
    { "{\"total\":149.85000000000002}", "/total", "149.85000000000002", NULL },
    { "{\"total\":1.0E7}", "/total", "1.0E7", NULL },
    { "{\"total\":74}", "/total", "74", NULL },
    { "{\"total\":-1}", "/total", "-1", NULL },
    { " { \"total\" : 74 } ", "/total", "74", NULL },
    { "{\"total\":74\n}", "/total", "74", NULL },
    { "{\"paid\":true}", "/paid", "true", NULL },
    { "{\"paid\":false}", "/paid", "false", NULL },
    { "{\"a\":{\"b\":[{},{\"c\":\"x\"}]}}", "/a/b/1/c", "x", NULL },
    { "{\"a\":[[1,2],[3,4]]}", "/a/1/0", "3", NULL },
    { "[{\"a\":1}]", "/0/a", "1", NULL },
    { "{\"a\":[10,11,12,13,14,15,16,17,18,19,20]}", "/a/10", "20", NULL },
    { "{\"a/b\":1,\"m~n\":2}", "/a~1b", "1", NULL },
    { "{\"a/b\":1,\"m~n\":2}", "/m~0n", "2", NULL },
    { "{\"\":1}", "/", "1", NULL },
    { "{\"\\u0061\":1}", "/a", "1", NULL },
    { "{\"a\":\"\\u00e5\\ud83d\\ude00\\n\\/\"}", "/a",
      "\xc3\xa5\xf0\x9f\x98\x80\n/", NULL },
    { "{\"a\":\"\\\"}\"}", "/a", "\"}", NULL },
    { "{\"x\":\"\\\"a\\\":1\",\"a\":2}", "/a", "2", NULL },
    { "{\"x\":{\"a\":1},\"a\":2}", "/a", "2", NULL },
    { "{\"x\":[1,{\"a\":1}],\"a\":2}", "/a", "2", NULL },

    { "{\"a\":1}", "/b", NULL, "is missing" },
    { "{}", "/b", NULL, "is missing" },
    { "[]", "/0", NULL, "is missing" },
    { "{\"a\":1}", "/a/b", NULL, "is missing" },
    { "{\"a\":\"b\"}", "/a/0", NULL, "is missing" },
    { "{\"a\":null}", "/a", NULL, "is missing" },
    { "{\"a\":null}", "/a/b", NULL, "is missing" },
    { "{\"a\":\"\"}", "/a", NULL, "is missing" },
    { "{\"A\":1}", "/a", NULL, "is missing" },
    { "{\"ab\":1}", "/a", NULL, "is missing" },
    { "{\"a\":1}", "/ab", NULL, "is missing" },
    { "{\"a\":[1]}", "/a/1", NULL, "is missing" },
    { "{\"a\":[1]}", "/a/-", NULL, "is missing" },
    { "{\"a\":[1]}", "/a/00", NULL, "is missing" },
    { "{\"a\":[1]}", "/a/", NULL, "is missing" },
    { "{\"a\":[1]}", "/a/99999999999999999999", NULL, "is missing" },
    { "{\"a\":{}}", "/a", NULL, "is not a text or a number" },
    { "{\"a\":[]}", "/a", NULL, "is not a text or a number" },
    { "{\"a\":1,\"a\":1}", "/a", NULL, "occurs twice" },
    { "{\"a\":1,\"\\u0061\":2}", "/a", NULL, "occurs twice" },
    { "{\"a\":{\"b\":1},\"a\":{\"b\":2}}", "/a/b", NULL,
      "occurs twice" }
};


static const char  *good[] = { "/a", "/", "/a/b", "/~0", "/~1x", "//" };
static const char  *bad[] = { "", "a", "/~", "/~2", "/a~", "#/a" };


static void pointers(ngx_pool_t *pool);
static void together(ngx_pool_t *pool);
static ngx_int_t find(ngx_pool_t *pool, ngx_str_t *text, ngx_str_t *pointer,
    ngx_str_t *value, const char **reason);
static void lead(ngx_pool_t *pool, lead_t *l);
static void length(ngx_pool_t *pool);
static void memory(void);


int
main(void)
{
    ngx_uint_t   i;
    ngx_pool_t  *pool;

    shim_init();

    pool = shim_create_pool();

    pointers(pool);

    for (i = 0; i < sizeof(leads) / sizeof(leads[0]); i++) {
        lead(pool, &leads[i]);
    }

    together(pool);
    length(pool);

    shim_destroy_pool(pool);

    memory();

    return unit_done();
}


static void
pointers(ngx_pool_t *pool)
{
    ngx_uint_t                     i;
    ngx_http_payer_json_pointer_t  pointer;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        unit_ok(ngx_http_payer_json_pointer(pool,
                    unit_bytes(good[i], ngx_strlen(good[i])), &pointer)
                == NGX_OK,
                "\"%s\" is a pointer", good[i]);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        unit_ok(ngx_http_payer_json_pointer(pool,
                    unit_bytes(bad[i], ngx_strlen(bad[i])), &pointer)
                == NGX_DECLINED,
                "\"%s\" is no pointer", bad[i]);
    }
}


static void
lead(ngx_pool_t *pool, lead_t *l)
{
    ngx_int_t    rc;
    ngx_str_t   *text, value;
    const char  *reason;

    text = unit_bytes(l->text, ngx_strlen(l->text));
    reason = "";

    rc = find(pool, text, unit_bytes(l->pointer, ngx_strlen(l->pointer)),
              &value, &reason);

    if (l->value) {
        unit_ok(rc == NGX_OK, "%s has %s", l->text, l->pointer);
        unit_is(&value, l->value, "%s of %s", l->pointer, l->text);
        return;
    }

    unit_ok(rc == NGX_DECLINED && ngx_strcmp(reason, l->reason) == 0,
            "%s of %s %s (%s)", l->pointer, l->text, l->reason, reason);
}


static ngx_int_t
find(ngx_pool_t *pool, ngx_str_t *text, ngx_str_t *pointer, ngx_str_t *value,
    const char **reason)
{
    ngx_http_payer_json_place_t  place;

    if (ngx_http_payer_json_pointer(pool, pointer, &place.pointer) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_payer_json_read_places(text, &place, 1, reason) != NGX_OK) {
        return NGX_DECLINED;
    }

    return ngx_http_payer_json_place_value(pool, text, &place, value, reason);
}


/* one reading finds all of them, whatever the others are */

static void
together(ngx_pool_t *pool)
{
    ngx_uint_t                    i;
    ngx_str_t                    *text, value;
    const char                   *reason;
    ngx_http_payer_json_place_t   places[6];

    static struct {
        const char               *pointer;
        const char               *value;
    } want[6] = {
        { "/b/1/c", "3" },
        { "/a", "x" },
        { "/b/0", "1" },
        { "/twice/c", NULL },
        { "/b/1/c", "3" },
        { "/b/2/c", NULL }
    };

    text = unit_text("{\"twice\":{\"c\":1},"
                     "\"b\":[1,{\"d\":{\"c\":2},\"c\":3},[4]],"
                     "\"twice\":{\"c\":1},\"a\":\"x\"}");

    for (i = 0; i < 6; i++) {
        (void) ngx_http_payer_json_pointer(pool,
                                       unit_bytes(want[i].pointer,
                                                  ngx_strlen(want[i].pointer)),
                                       &places[i].pointer);
    }

    unit_ok(ngx_http_payer_json_read_places(text, places, 6, &reason)
            == NGX_OK, "six places are looked for");

    for (i = 0; i < 6; i++) {

        if (ngx_http_payer_json_place_value(pool, text, &places[i], &value,
                                            &reason)
            == NGX_OK)
        {
            unit_ok(want[i].value != NULL, "%s leads somewhere",
                    want[i].pointer);
            unit_is(&value, want[i].value ? want[i].value : "",
                    "%s of six", want[i].pointer);
            continue;
        }

        unit_ok(want[i].value == NULL, "%s of six leads nowhere",
                want[i].pointer);
    }

    unit_ok(ngx_http_payer_json_read_places(unit_text("{\"a\":1"), places, 6,
                                            &reason)
            == NGX_DECLINED, "half a text is none");
    unit_ok(ngx_http_payer_json_read_places(unit_text("{\"a\":"), places, 6,
                                            &reason)
            == NGX_DECLINED, "nor is a name without a value");
    unit_ok(ngx_http_payer_json_read_places(unit_text("{\"b\":[1,"), places, 6,
                                            &reason)
            == NGX_DECLINED, "nor a list that goes on");
}


static void
length(ngx_pool_t *pool)
{
    char         text[1100];
    ngx_str_t    value;
    const char  *reason;

    ngx_memset(text, 'x', sizeof(text));
    ngx_memcpy(text, "{\"a\":\"", 6);

    text[6 + 1024] = '"';
    text[6 + 1025] = '}';

    unit_ok(find(pool, unit_bytes(text, 6 + 1026), unit_text("/a"), &value,
                 &reason)
            == NGX_OK && value.len == 1024, "1,024 bytes are a value");

    text[6 + 1024] = 'x';
    text[6 + 1025] = '"';
    text[6 + 1026] = '}';

    unit_ok(find(pool, unit_bytes(text, 6 + 1027), unit_text("/a"), &value,
                 &reason)
            == NGX_DECLINED, "1,025 bytes are not");
}


static void
memory(void)
{
    ngx_int_t    rc;
    ngx_str_t    value;
    ngx_uint_t   i;
    ngx_pool_t  *pool;
    const char  *reason;

    /* two for the pointer, one for a value that is decoded */

    for (i = 1; i <= 3; i++) {

        pool = shim_create_pool();
        shim_fail_at = i;

        rc = find(pool, unit_text("{\"a\":\"\\n\"}"), unit_text("/a"), &value,
                  &reason);

        unit_ok(rc == NGX_ERROR, "the lack of memory is an error (%d)",
                (int) i);

        shim_fail_at = 0;
        shim_destroy_pool(pool);
    }
}
