
/*
 * What the files of the LMDB store share.
 */


#ifndef _PAYER_STORE_LMDB_H_INCLUDED_
#define _PAYER_STORE_LMDB_H_INCLUDED_


#include "payer_store.h"
#include "ngx_http_payer_store_lmdb.h"


typedef struct {
    ngx_http_payer_lmdb_env_t   le;
    ngx_http_payer_lmdb_job_t   job;
} payer_store_lmdb_t;


/* the put() of the store; these return 0, or -1 after a message */
int payer_store_lmdb_put(payer_store_t *store,
    payer_store_entry_t *entries, ngx_uint_t n, payer_store_count_t *count);

/* what is stored: an error of LMDB */
int payer_store_lmdb_get(payer_store_lmdb_t *lmdb, MDB_txn *txn,
    ngx_str_t *key, ngx_http_payer_lmdb_head_t *head);

/* a transaction; the map may have grown meanwhile */
int payer_store_lmdb_begin(payer_store_t *store, int write,
    MDB_txn **txn);

/* the message of an error of LMDB; returns -1 */
int payer_store_lmdb_failed(payer_store_t *store, int rc);


#endif /* _PAYER_STORE_LMDB_H_INCLUDED_ */
