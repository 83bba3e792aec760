/* Connection: a session, opened when it is needed and dropped when it breaks.
 *
 * While a statement runs the task's wake descriptor is watched too: a stop cancels the statement.
 * Errors are sorted by SQLSTATE, so that a wrong value is never retried and a server that is down
 * never blamed on a record. */
#include "connectors/postgres/connection.h"
#include "connectors/postgres/plugin.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *prefix;
    enum cn_pg_result result;
} states[] = {
    {"08", CN_PG_WAIT},      {"57P", CN_PG_WAIT},      {"57014", CN_PG_WAIT},
    {"53", CN_PG_WAIT},      {"25006", CN_PG_WAIT},    {"58", CN_PG_WAIT},
    {"40001", CN_PG_AGAIN},  {"40P01", CN_PG_AGAIN},   {"55P03", CN_PG_AGAIN},
    {"22", CN_PG_RECORD},    {"23", CN_PG_RECORD},     {"42804", CN_PG_RECORD},
    {"42846", CN_PG_RECORD}, {"42P01", CN_PG_CATALOG}, {"42703", CN_PG_CATALOG},
    {"21000", CN_PG_RECORD},
};

enum cn_pg_result cn_pg_classify(const char *sqlstate)
{
    if (!sqlstate || !*sqlstate)
        return CN_PG_WAIT;
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
        if (!strncmp(sqlstate, states[i].prefix, strlen(states[i].prefix)))
            return states[i].result;
    return CN_PG_FATAL;
}

/* The first line of libpq's message, which ends in a newline. */
static int line_length(const char *text)
{
    return (int)strcspn(text, "\n");
}

void cn_connection_close(struct cn_connection *connection)
{
    PQfinish(connection->session);
    connection->session = NULL;
}

enum cn_pg_result cn_connection_open(struct cn_connection *connection, struct cn_error *error)
{
    if (connection->session && PQstatus(connection->session) == CONNECTION_OK)
        return CN_PG_OK;
    cn_connection_close(connection);
    connection->session = PQconnectdbParams((const char *const *)connection->url.keywords,
                                            (const char *const *)connection->url.values, 0);
    if (PQstatus(connection->session) == CONNECTION_OK)
        return CN_PG_OK;
    const char *message = PQerrorMessage(connection->session);
    /* libpq gives no SQLSTATE for a refused login; its English text does, others are waited for. */
    bool login = strstr(message, "authentication failed") || strstr(message, "does not exist") ||
                 strstr(message, "no password supplied") || strstr(message, "no pg_hba.conf entry");
    if (strstr(message, "starting up") || strstr(message, "No such file"))
        login = false;
    snprintf(error->text, sizeof(error->text), "%s PostgreSQL at %s: %.*s",
             login ? "refused by" : "waiting for", connection->url.where, line_length(message),
             message);
    cn_connection_close(connection);
    return login ? CN_PG_FATAL : CN_PG_WAIT;
}

static void describe(struct cn_error *error, const struct cn_connection *connection,
                     const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
    const char *table = PQresultErrorField(result, PG_DIAG_TABLE_NAME);
    const char *column = PQresultErrorField(result, PG_DIAG_COLUMN_NAME);
    if (!message)
        message = PQerrorMessage(connection->session);
    snprintf(error->text, sizeof(error->text),
             "PostgreSQL at %s: %s%s%s%s%s%s%.*s%s%.300s (SQLSTATE %s)", connection->url.where,
             table ? "table " : "", table ? table : "", column ? ", column " : "",
             column ? column : "", table ? ": " : "", "", line_length(message), message,
             detail ? ": " : "", detail ? detail : "", state ? state : "none: connection lost");
}

/* Waits until a result can be read. false: the task is to stop. */
static bool wait_result(struct cn_connection *connection)
{
    bool cancelled = false;
    while (PQisBusy(connection->session)) {
        struct pollfd fds[2] = {{.fd = PQsocket(connection->session), .events = POLLIN},
                                {.fd = cn_pg_host->wake_fd(connection->task), .events = POLLIN}};
        poll(fds, cancelled ? 1 : 2, 1000);
        if (!cancelled && cn_pg_host->stopping(connection->task)) {
            char text[256];
            PGcancel *cancel = PQgetCancel(connection->session);
            PQcancel(cancel, text, sizeof(text));
            PQfreeCancel(cancel);
            cancelled = true;
        }
        if ((fds[0].revents || cancelled) && !PQconsumeInput(connection->session))
            break;
    }
    return !cancelled;
}

enum cn_pg_result cn_connection_exec(struct cn_connection *connection, const char *sql, int count,
                                     const char *const *values, PGresult **ret_rows,
                                     struct cn_error *error)
{
    enum cn_pg_result verdict = CN_PG_OK;
    PGresult *result = NULL, *next;
    if (!connection->session ||
        !PQsendQueryParams(connection->session, sql, count, NULL, values, NULL, NULL, 0)) {
        snprintf(error->text, sizeof(error->text), "waiting for PostgreSQL at %s: connection lost",
                 connection->url.where);
        cn_connection_close(connection);
        return CN_PG_WAIT;
    }
    for (;;) {
        if (!wait_result(connection))
            verdict = CN_PG_WAIT;
        next = PQgetResult(connection->session);
        if (!next)
            break;
        PQclear(result);
        result = next;
    }
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        verdict = cn_pg_classify(PQresultErrorField(result, PG_DIAG_SQLSTATE));
        describe(error, connection, result);
        if (PQstatus(connection->session) != CONNECTION_OK)
            cn_connection_close(connection);
    }
    if (verdict == CN_PG_OK && ret_rows)
        *ret_rows = result;
    else
        PQclear(result);
    return verdict;
}
