
/*
 * libpq, loaded when it is asked for, so that nobody needs it who has no
 * PostgreSQL; and texts that are put together for it.
 */


#ifndef _PAYER_STORE_PQ_H_INCLUDED_
#define _PAYER_STORE_PQ_H_INCLUDED_


#include "payer_store.h"
#include <libpq-fe.h>


typedef struct {
    PGconn       *(*connect)(const char *const *keys,
                      const char *const *values, int expand);
    ConnStatusType  (*status)(const PGconn *conn);
    char         *(*error)(const PGconn *conn);
    void          (*finish)(PGconn *conn);
    PGresult     *(*exec)(PGconn *conn, const char *sql, int n,
                      const Oid *types, const char *const *values,
                      const int *lengths, const int *formats, int format);
    ExecStatusType  (*result)(const PGresult *res);
    char         *(*field)(const PGresult *res, int code);
    int           (*rows)(const PGresult *res);
    char         *(*value)(const PGresult *res, int row, int column);
    int           (*is_null)(const PGresult *res, int row, int column);
    void          (*clear)(PGresult *res);
} payer_store_pq_t;


typedef struct {
    char         *data;
    size_t        len;
    size_t        size;
} payer_store_text_t;


extern payer_store_pq_t  payer_store_pq;


/* 0, or -1 (said) */
int payer_store_pq_load(payer_store_t *store);

/*
 * a connection by the words of the directive behind "postgresql:", or NULL
 * (said)
 */
PGconn *payer_store_pq_connect(payer_store_t *store, const char *rest);

/*
 * a statement with parameters, each NULL or a text; NULL (said) if it fails.
 * "again" is set instead, if there is one and it may succeed when all of the
 * transaction is tried again.
 */
PGresult *payer_store_pq_exec(payer_store_t *store, PGconn *conn,
    const char *sql, ngx_uint_t n, const char *const *values, int *again);

/* the same of one that has no result: 0, or -1 */
int payer_store_pq_run(payer_store_t *store, PGconn *conn, const char *sql,
    ngx_uint_t n, const char *const *values, int *again);

void payer_store_add(payer_store_text_t *text, const char *data, size_t len);
void payer_store_add_text(payer_store_text_t *text, const char *more);
void payer_store_add_number(payer_store_text_t *text, int64_t n);
void payer_store_add_hex(payer_store_text_t *text, ngx_str_t *bytes);

/* an element of an array: quoted; or NULL if there is no data */
void payer_store_add_element(payer_store_text_t *text, ngx_str_t *element);


#endif /* _PAYER_STORE_PQ_H_INCLUDED_ */
