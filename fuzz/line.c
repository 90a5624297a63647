
/*
 * Lines that "payer-store import" reads: any bytes are an entry or are
 * refused; an entry is within the limits of the store, and becomes a line that
 * fits its buffer and is read as the same entry.
 *
 * sources: tools/payer-store/line.c
 */


#include "fuzz.h"

#include "payer_store.h"


static void fuzz_line_limits(payer_store_entry_t *entry);
static void fuzz_line_again(payer_store_entry_t *entry);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_str_t             line;
    payer_store_entry_t   entry;

    line = shim_text(data, size);

    if (payer_store_read_line(&line, &entry) == NULL) {
        fuzz_line_limits(&entry);
        fuzz_line_again(&entry);
    }

    free(line.data);

    return 0;
}


static void
fuzz_line_limits(payer_store_entry_t *entry)
{
    fuzz_assert(entry->key.len > 0);
    fuzz_assert(entry->key.len <= NGX_HTTP_PAYER_STORE_MAX_KEY);
    fuzz_assert(entry->key.data[0] != '!');

    fuzz_assert(entry->target.len <= NGX_HTTP_PAYER_STORE_MAX_KEY);
    fuzz_assert(entry->value.len <= NGX_HTTP_PAYER_STORE_MAX_VALUE);
    fuzz_assert(entry->target.len == 0 || entry->value.len == 0);

    fuzz_assert(entry->expires >= 0);
    fuzz_assert(entry->label.updated >= 0);
    fuzz_assert(entry->label.due >= 0);
    fuzz_assert(entry->label.state < 64);

    if (entry->target.len) {
        fuzz_assert(!ngx_http_payer_store_labelled(&entry->label));
    }
}


static void
fuzz_line_again(payer_store_entry_t *entry)
{
    size_t                len;
    ngx_str_t             line;
    payer_store_entry_t   again;

    static u_char  buf[PAYER_STORE_LINE];

    len = payer_store_write_line(buf, entry);

    fuzz_assert(len > 0 && len <= PAYER_STORE_LINE);
    fuzz_assert(buf[len - 1] == '\n');
    fuzz_assert(memchr(buf, '\n', len) == buf + len - 1);

    line = shim_text(buf, len - 1);

    fuzz_assert(payer_store_read_line(&line, &again) == NULL);

    fuzz_assert(fuzz_same(&again.key, &entry->key));
    fuzz_assert(fuzz_same(&again.value, &entry->value));
    fuzz_assert(fuzz_same(&again.target, &entry->target));
    fuzz_assert(again.expires == entry->expires);
    fuzz_assert(memcmp(&again.label, &entry->label, sizeof(again.label))
                == 0);

    free(line.data);
}
