
/*
 * payer-store: shows, checks and moves what payer_store keeps, on the record
 * code of the module and without nginx.
 *
 *     main.c         the commands
 *     import.c       the one that writes
 *     nginx.c        the few functions of nginx's core that are needed
 *     line.c         entries as lines of text, and back
 *     merge.c        what an imported entry makes of a stored one
 *     show.c         an entry in words, for people
 *     lmdb*.c        the store lmdb:DIR
 *     postgresql*.c  the store postgresql://...
 */


#ifndef _PAYER_STORE_H_INCLUDED_
#define _PAYER_STORE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_http_payer_store.h"


/* the longest line: a key and a value in hexadecimal, and some numbers */

#define PAYER_STORE_LINE   (4 * NGX_HTTP_PAYER_STORE_MAX_KEY                  \
                            + 2 * NGX_HTTP_PAYER_STORE_MAX_VALUE + 512)

/* how an export begins */

#define PAYER_STORE_FIRST  "payer-store"
#define PAYER_STORE_FORMAT "1"

/* the longest "live b2b.payer.se" */

#define PAYER_STORE_HOST   256

/* lines in a transaction */

#define PAYER_STORE_BATCH  256


/* an entry, or an alias, which has a target and no value */

typedef struct {
    ngx_str_t                 key;
    ngx_str_t                 value;
    ngx_str_t                 target;
    time_t                    expires;      /* 0: never */
    ngx_http_payer_label_t    label;
} payer_store_entry_t;


/* keys that tell which of two payments of an order was replaced */

typedef struct {
    ngx_str_t                 old;
    ngx_str_t                 new;
    u_char                    old_text[NGX_HTTP_PAYER_STORE_MAX_KEY];
    u_char                    new_text[NGX_HTTP_PAYER_STORE_MAX_KEY];
} payer_store_rivals_t;


typedef struct {
    ngx_uint_t                written;
    ngx_uint_t                kept;         /* what was stored stays */
} payer_store_count_t;


/* 0 to go on; anything else ends the walk and is what each() returns */
typedef int (*payer_store_handler_pt)(payer_store_entry_t *entry, void *data);

typedef struct payer_store_s  payer_store_t;


/* what fails says so and returns -1; all else returns 0 */

typedef struct {
    const char   *scheme;

    int         (*open)(payer_store_t *store, const char *rest, int write);
    void        (*close)(payer_store_t *store);

    /* all entries in the order of keys, in one snapshot */
    int         (*each)(payer_store_t *store, ngx_str_t *prefix,
                    payer_store_handler_pt handler, void *data);

    /* store->host becomes that of an import, if it has none yet */
    int         (*adopt)(payer_store_t *store, ngx_str_t *host);

    /* one transaction; "entries" may be edited */
    int         (*put)(payer_store_t *store, payer_store_entry_t *entries,
                    ngx_uint_t n, payer_store_count_t *count);

    /* what each() does not show; the number of faults is added to */
    int         (*check)(payer_store_t *store, ngx_uint_t *faults);
} payer_store_ops_t;


struct payer_store_s {
    payer_store_ops_t        *ops;
    const char               *text;         /* as it was given */
    void                     *data;
    ngx_str_t                 host;         /* "live b2b.payer.se", or empty */
    u_char                    host_text[PAYER_STORE_HOST];
};


extern payer_store_ops_t  payer_store_lmdb_ops;
#if (PAYER_STORE_POSTGRESQL)
extern payer_store_ops_t  payer_store_postgresql_ops;
#endif

/* the text of schema.sql */
extern const char  payer_store_schema[];


/* a line on standard error, with the name of the program; returns -1 */
int payer_store_error(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* the lines of an export, from standard input: 0, or -1 (said) */
int payer_store_import(payer_store_t *store);

/*
 * signals that would end the program are only remembered, for a store that
 * has to be closed; and whether there was one: 0, or -1 (said)
 */
void payer_store_catch(void);
int payer_store_interrupted(void);

/* the same of something that check() has found */
void payer_store_fault(ngx_uint_t *faults, ngx_str_t *key, const char *text);

/* a key as it stands in a line: where the next byte goes */
u_char *payer_store_write_key(u_char *p, ngx_str_t *key);

/* a line with its end, in room for PAYER_STORE_LINE bytes: its length */
size_t payer_store_write_line(u_char *buf, payer_store_entry_t *entry);

/*
 * a line without its end, which is decoded in place: NULL, or what is wrong
 * with it
 */
const char *payer_store_read_line(ngx_str_t *line,
    payer_store_entry_t *entry);

/* less than 0, 0, or more: the order of keys */
int payer_store_order(ngx_str_t *one, ngx_str_t *other);

/* "name=" at the beginning of a field; the rest becomes the value */
int payer_store_field(ngx_str_t *field, const char *name, ngx_str_t *value);

/* digits only: 0, or -1 */
int payer_store_number(ngx_str_t *text, int64_t *number);

/*
 * whether an imported entry replaces what is stored under its key, by which
 * nothing that is known is taken back; edits "fresh" in place
 */
ngx_http_payer_merge_pt payer_store_merge_of(ngx_str_t *key);

/*
 * whether these are of two payments, and the keys to look for; and the merge,
 * when it is known which of them are stored
 */
ngx_uint_t payer_store_rivals(ngx_str_t *key, ngx_str_t *stored,
    ngx_str_t *fresh, payer_store_rivals_t *rivals);
ngx_http_payer_merge_pt payer_store_merge_rivals(ngx_str_t *key,
    ngx_uint_t old, ngx_uint_t new);

/* how the label follows from the value; NULL: it does not */
ngx_http_payer_describe_pt payer_store_describe_of(ngx_str_t *key);

/* whether an alias is to lead to the new target */
int payer_store_retarget(ngx_str_t *stored, ngx_str_t *fresh);

/*
 * a notification is under one of two keys: the other one, in "buf", or an
 * empty text; and whether what is there is older news than "fresh"
 */
void payer_store_sibling(ngx_str_t *key, u_char *buf, ngx_str_t *sibling);
int payer_store_outdated(ngx_str_t *stored, ngx_str_t *fresh);

/* whether the key begins with that text */
int payer_store_is(ngx_str_t *key, const char *kind);

/* one line for people */
void payer_store_show(payer_store_entry_t *entry);

/*
 * NULL, or what is wrong with the value; and the same, of the rest of what is
 * stored, too
 */
const char *payer_store_readable(payer_store_entry_t *entry);
const char *payer_store_examine(payer_store_entry_t *entry);


#endif /* _PAYER_STORE_H_INCLUDED_ */
