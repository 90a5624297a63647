
/*
 * What the files of the PostgreSQL store share.
 */


#ifndef _PAYER_STORE_POSTGRESQL_H_INCLUDED_
#define _PAYER_STORE_POSTGRESQL_H_INCLUDED_


#include "pq.h"


#define PAYER_STORE_SCHEMA   2          /* the version that is known here */
#define PAYER_STORE_REPEATS  10

/* an entry and what is under the other key of a notification */

#define PAYER_STORE_ROWS     (2 * PAYER_STORE_BATCH)


/* a row as it is, or is to be */

typedef struct {
    payer_store_entry_t    entry;
    ngx_uint_t             there;
    ngx_uint_t             changed;
} payer_store_row_t;


typedef struct {
    PGconn                *conn;
    PGresult              *held[2];     /* what rows point into */
    ngx_uint_t             n;
    payer_store_row_t      rows[PAYER_STORE_ROWS];
    u_char                 keys[PAYER_STORE_BATCH]
                               [NGX_HTTP_PAYER_STORE_MAX_KEY];
    payer_store_text_t     links;       /* of history/, which are there */
    void                  *copies[PAYER_STORE_BATCH];
} payer_store_pg_t;


/* the columns of payer_store_pg_read() */

#define PAYER_STORE_COLUMNS                                                   \
    "e.key, encode(e.value, 'hex'), e.target,"                                \
    " ceil(extract(epoch from e.expires))::bigint, e.updated,"                \
    " floor(extract(epoch from e.due))::bigint, e.attention, e.state"


/* the put() of the store */
int payer_store_pg_put(payer_store_t *store,
    payer_store_entry_t *entries, ngx_uint_t n, payer_store_count_t *count);

/* an entry in the texts of the result, which its value is decoded in */
void payer_store_pg_read(PGresult *res, int i, payer_store_entry_t *entry);


#endif /* _PAYER_STORE_POSTGRESQL_H_INCLUDED_ */
