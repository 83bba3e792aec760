/* Connection: one session with PostgreSQL, and what its errors mean for the batch at hand. */
#ifndef WEIR_CONNECTORS_POSTGRES_CONNECTION_H
#define WEIR_CONNECTORS_POSTGRES_CONNECTION_H

#include "connectors/postgres/url.h"

#include <libpq-fe.h>

enum cn_pg_result {
    CN_PG_OK,
    CN_PG_AGAIN,   /* the transaction may be tried again at once: deadlock, serialization */
    CN_PG_WAIT,    /* later: no connection, shutting down, disk full */
    CN_PG_RECORD,  /* a value is at fault, not the statement */
    CN_PG_CATALOG, /* table or column changed under us */
    CN_PG_FATAL,   /* configuration or rights: the same fails again */
};

struct cn_connection {
    struct cn_url url;
    struct cn_task *task;
    PGconn *session; /* NULL: not connected */
};

/* What an SQLSTATE means; NULL or "": the connection is gone. */
enum cn_pg_result cn_pg_classify(const char *sqlstate);

/* CN_PG_OK: connected (again). CN_PG_WAIT, CN_PG_FATAL: error says host, port and why. */
enum cn_pg_result cn_connection_open(struct cn_connection *connection, struct cn_error *error);
void cn_connection_close(struct cn_connection *connection); /* keeps the url */
/* One statement with text parameters. ret_rows may be NULL; else PQclear it (on CN_PG_OK). The
 * error names SQLSTATE, table and column. Leaves when the task is to stop (CN_PG_WAIT). */
enum cn_pg_result cn_connection_exec(struct cn_connection *connection, const char *sql, int count,
                                     const char *const *values, PGresult **ret_rows,
                                     struct cn_error *error);

#endif
