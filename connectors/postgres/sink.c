/* PostgreSQL sink: batches of records as single statements.
 *
 * put takes up to batch.size records at a time; each such piece is one transaction: one statement
 * when all records go to one table in one form, which is one round trip. In upsert mode the last
 * record per key of a piece wins, as it would record by record. A value that PostgreSQL refuses is
 * found by halving under savepoints, then rejected alone or, when that is not tolerated, the piece
 * is rolled back and the task fails. Connection losses are answered with CN_RETRY for as long as
 * max.retries allows (default: for ever). One thread: the task's. */
#include "connectors/postgres/connection.h"
#include "connectors/postgres/literal.h"
#include "connectors/postgres/plan.h"
#include "connectors/postgres/plugin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

enum { PLANS_MAX = 256, AGAIN_MAX = 10 };

/* The last row per key of a piece. */
struct last {
    UT_hash_handle hh;
    size_t row;
    size_t len;
    char key[];
};

struct row {
    size_t record; /* its index in the batch */
    struct cn_plan *plan;
    bool skip; /* overtaken by a later one of its key, or rejected */
};

struct sink {
    struct cn_connection connection;
    struct cn_task *task;
    struct cn_plan_rules rules;
    bool auto_create, auto_evolve, delete_enabled;
    size_t batch_size;
    long retries_max, retries; /* -1: no bound */
    struct cn_plan *plans[PLANS_MAX];
    size_t plan_count;
    struct row *rows;
    PQExpBuffer arrays; /* CN_COLUMNS_MAX of them */
    size_t array_count;
    PQExpBufferData scratch, key;
};

/* ---- plans and tables ---- */

static void drop_plans(struct sink *self)
{
    for (size_t i = 0; i < self->plan_count; i++) {
        cn_plan_deinit(self->plans[i]);
        free(self->plans[i]);
    }
    self->plan_count = 0;
}

static enum cn_pg_result run(struct sink *self, const char *sql, struct cn_error *error)
{
    return cn_connection_exec(&self->connection, sql, 0, NULL, NULL, error);
}

static enum cn_pg_result read_table(struct sink *self, const struct cn_plan *plan, PGresult **ret,
                                    struct cn_error *error)
{
    static const char sql[] =
        "SELECT a.attname, pg_catalog.format_type(a.atttypid, -1), a.attnotnull AND NOT "
        "(a.atthasdef OR a.attidentity <> '') FROM pg_catalog.pg_attribute a WHERE a.attrelid = "
        "pg_catalog.to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";
    const char *values[] = {plan->table};
    return cn_connection_exec(&self->connection, sql, 1, values, ret, error);
}

static enum cn_pg_result refuse(struct cn_error *error, const struct cn_plan *plan,
                                const char *column, const char *text)
{
    snprintf(error->text, sizeof(error->text), "table %s%s%s: %s", plan->table,
             column ? ", column " : "", column ? column : "", text);
    return CN_PG_FATAL;
}

static int find_column(const PGresult *table, const char *name)
{
    for (int i = 0; i < PQntuples(table); i++)
        if (!strcmp(PQgetvalue(table, i, 0), name))
            return i;
    return -1;
}

/* Takes each column's type from the table; adds the columns that are missing when it may. */
static enum cn_pg_result fit_columns(struct sink *self, struct cn_plan *plan, const PGresult *table,
                                     struct cn_error *error)
{
    enum cn_pg_result result = CN_PG_OK;
    for (size_t i = 0; i < plan->count && result == CN_PG_OK; i++) {
        struct cn_plan_column *column = &plan->columns[i];
        int at = find_column(table, column->name);
        if (at >= 0) {
            cn_pg_type_fit(&column->type, PQgetvalue(table, at, 1));
            continue;
        }
        if (!self->auto_evolve || !column->typed)
            return refuse(error, plan, column->name,
                          "the table has no such column; add it, set auto.evolve=true (with a "
                          "schema), or leave the field out by fields.whitelist");
        if (!column->type.nullable && !column->type.has_default)
            return refuse(error, plan, column->name,
                          "auto.evolve adds only columns that may be null or have a default");
        PQExpBufferData sql;
        initPQExpBuffer(&sql);
        cn_plan_add_column_sql(plan, column, &sql);
        result = run(self, sql.data, error);
        termPQExpBuffer(&sql);
    }
    for (int i = 0; i < PQntuples(table) && result == CN_PG_OK && !plan->tombstone; i++) {
        bool there = false;
        for (size_t j = 0; j < plan->count; j++)
            there |= !strcmp(plan->columns[j].name, PQgetvalue(table, i, 0));
        if (!there && PQgetvalue(table, i, 2)[0] == 't')
            return refuse(
                error, plan, PQgetvalue(table, i, 0),
                "must not be null and has no default, but the records have no such field");
    }
    return result;
}

static enum cn_pg_result settle_plan(struct sink *self, struct cn_plan *plan, bool *ret_there,
                                     struct cn_error *error)
{
    PGresult *table = NULL;
    enum cn_pg_result result = read_table(self, plan, &table, error);
    if (result != CN_PG_OK)
        return result;
    if (PQntuples(table) == 0) {
        PQExpBufferData sql;
        initPQExpBuffer(&sql);
        if (!self->auto_create)
            result = refuse(error, plan, NULL, "does not exist; create it or set auto.create=true");
        else if (plan->tombstone)
            result = CN_PG_OK; /* nothing to delete from: not kept as a plan */
        else if (!cn_plan_create_sql(plan, &sql))
            result = refuse(error, plan, NULL,
                            "does not exist, and records without a schema do not say its columns' "
                            "types; create it, or use Avro");
        else
            result = run(self, sql.data, error);
        termPQExpBuffer(&sql);
    } else {
        result = fit_columns(self, plan, table, error);
    }
    *ret_there = PQntuples(table) > 0 || !plan->tombstone;
    PQclear(table);
    if (result == CN_PG_OK)
        cn_plan_finish(plan, &self->rules);
    return result;
}

/* The plan for a record, made and settled when it is new. CN_PG_RECORD: the record has none. NULL:
 * a tombstone for a table that is not there. */
static enum cn_pg_result plan_of(struct sink *self, const struct cn_record *record,
                                 struct cn_plan **ret, struct cn_error *error)
{
    for (size_t i = self->plan_count; i-- > 0;)
        if (cn_plan_matches(self->plans[i], record)) {
            *ret = self->plans[i];
            return CN_PG_OK;
        }
    struct cn_plan *plan = calloc(1, sizeof(*plan));
    if (!plan)
        abort();
    bool there = false;
    enum cn_pg_result result = cn_plan_init(plan, &self->rules, record, error)
                                   ? settle_plan(self, plan, &there, error)
                                   : CN_PG_RECORD;
    if (result != CN_PG_OK || !there) {
        cn_plan_deinit(plan);
        free(plan);
        return result;
    }
    *ret = self->plans[self->plan_count++] = plan;
    return CN_PG_OK;
}

/* ---- rows ---- */

/* Appends the record to the arrays; they are as before when it fails. */
static bool put_row(struct sink *self, const struct cn_plan *plan, const struct cn_record *record,
                    struct cn_error *error)
{
    size_t lengths[CN_COLUMNS_MAX], n = 0;
    for (size_t i = 0; i < plan->count; i++) {
        const struct cn_plan_column *column = &plan->columns[i];
        struct cn_value own;
        const char *reason = "";
        if (plan->tombstone && !column->key)
            continue;
        PQExpBuffer array = &self->arrays[n];
        lengths[n++] = array->len;
        if (array->len > 1)
            appendPQExpBufferChar(array, ',');
        if (cn_literal_put(array, &self->scratch, &column->type,
                           cn_plan_value(column, record, &own), &reason))
            continue;
        while (n-- > 0) {
            self->arrays[n].len = lengths[n];
            self->arrays[n].data[lengths[n]] = 0;
        }
        snprintf(error->text, sizeof(error->text), "%s[%d]@%lld: field %s: %s", record->topic,
                 (int)record->partition, (long long)record->offset, column->name, reason);
        return false;
    }
    return true;
}

static int reject(struct sink *self, struct row *row, const struct cn_error *error)
{
    row->skip = true;
    return cn_pg_host->reject_record(self->task, row->record, error);
}

/* Runs the statement of rows [from, to) that belong to `plan`. *ret_verdict is CN_FAIL when a
 * record that cannot be written is not tolerated. */
static enum cn_pg_result write_rows(struct sink *self, const struct cn_batch *batch,
                                    struct cn_plan *plan, size_t from, size_t to, int *ret_verdict,
                                    struct cn_error *error)
{
    size_t columns = plan->tombstone ? plan->key_count : plan->count, rows = 0;
    const char *values[CN_COLUMNS_MAX];
    for (; self->array_count < columns; self->array_count++)
        initPQExpBuffer(&self->arrays[self->array_count]);
    for (size_t i = 0; i < columns; i++) {
        resetPQExpBuffer(&self->arrays[i]);
        appendPQExpBufferChar(&self->arrays[i], '{');
    }
    for (size_t i = from; i < to; i++) {
        struct row *row = &self->rows[i];
        if (row->plan != plan || row->skip)
            continue;
        if (put_row(self, plan, cn_batch_at(batch, row->record), error))
            rows++;
        else if ((*ret_verdict = reject(self, row, error)) != CN_OK)
            return CN_PG_RECORD;
    }
    if (!rows)
        return CN_PG_OK;
    for (size_t i = 0; i < columns; i++) {
        appendPQExpBufferChar(&self->arrays[i], '}');
        if (PQExpBufferBroken(&self->arrays[i])) {
            snprintf(error->text, sizeof(error->text), "no memory for a batch; lower batch.size");
            return CN_PG_FATAL;
        }
        values[i] = self->arrays[i].data;
    }
    return cn_connection_exec(&self->connection,
                              plan->tombstone ? plan->delete_sql : plan->insert_sql, (int)columns,
                              values, NULL, error);
}

/* Finds the records at fault among rows [from, to) of a plan. Inside a transaction. */
static enum cn_pg_result halve(struct sink *self, const struct cn_batch *batch,
                               struct cn_plan *plan, size_t from, size_t to, int *ret_verdict,
                               struct cn_error *error)
{
    enum cn_pg_result result = run(self, "SAVEPOINT piece", error);
    if (result != CN_PG_OK)
        return result;
    result = write_rows(self, batch, plan, from, to, ret_verdict, error);
    if (result == CN_PG_OK)
        return run(self, "RELEASE SAVEPOINT piece", error);
    if (result != CN_PG_RECORD || *ret_verdict != CN_OK)
        return result;
    struct cn_error why = *error;
    result = run(self, "ROLLBACK TO SAVEPOINT piece", error);
    if (result != CN_PG_OK)
        return result;
    if (to - from == 1) {
        const struct cn_record *record = cn_batch_at(batch, self->rows[from].record);
        snprintf(error->text, sizeof(error->text), "%s[%d]@%lld: %.800s", record->topic,
                 (int)record->partition, (long long)record->offset, why.text);
        *ret_verdict = reject(self, &self->rows[from], error);
        return *ret_verdict == CN_OK ? CN_PG_OK : CN_PG_RECORD;
    }
    size_t middle = from + (to - from) / 2;
    result = halve(self, batch, plan, from, middle, ret_verdict, error);
    return result == CN_PG_OK ? halve(self, batch, plan, middle, to, ret_verdict, error) : result;
}

/* Marks all but the last row per key. */
static void keep_last(struct sink *self, const struct cn_batch *batch, size_t count)
{
    struct last *all = NULL, *at, *next;
    for (size_t i = 0; i < count; i++) {
        const struct cn_plan *plan = self->rows[i].plan;
        if (self->rows[i].skip)
            continue;
        resetPQExpBuffer(&self->key);
        appendPQExpBufferStr(&self->key, plan->table);
        for (size_t j = 0; j < plan->count; j++) {
            struct cn_value own;
            const char *reason;
            if (!plan->columns[j].key)
                continue;
            appendPQExpBufferChar(&self->key, ',');
            cn_literal_put(
                &self->key, &self->scratch, &plan->columns[j].type,
                cn_plan_value(&plan->columns[j], cn_batch_at(batch, self->rows[i].record), &own),
                &reason);
        }
        HASH_FIND(hh, all, self->key.data, self->key.len, at);
        if (at) {
            self->rows[at->row].skip = true;
            at->row = i;
            continue;
        }
        at = malloc(sizeof(*at) + self->key.len);
        if (!at)
            abort();
        at->row = i;
        at->len = self->key.len;
        memcpy(at->key, self->key.data, self->key.len);
        HASH_ADD_KEYPTR(hh, all, at->key, at->len, at);
    }
    HASH_ITER (hh, all, at, next) {
        HASH_DEL(all, at);
        free(at);
    }
}

/* Gives each row its plan. */
static enum cn_pg_result plan_rows(struct sink *self, const struct cn_batch *batch, size_t first,
                                   size_t count, int *ret_verdict, struct cn_error *error)
{
    for (size_t i = 0; i < count; i++) {
        const struct cn_record *record = cn_batch_at(batch, first + i);
        enum cn_pg_result result = CN_PG_RECORD;
        self->rows[i] = (struct row){.record = first + i};
        if (record->value.type == CN_NULL && !self->delete_enabled)
            snprintf(error->text, sizeof(error->text),
                     "%s[%d]@%lld: a tombstone (a record without value); delete.enabled=true with "
                     "pk.mode=record_key turns it into a DELETE",
                     record->topic, (int)record->partition, (long long)record->offset);
        else
            result = plan_of(self, record, &self->rows[i].plan, error);
        self->rows[i].skip = !self->rows[i].plan;
        if (result == CN_PG_RECORD) {
            *ret_verdict = reject(self, &self->rows[i], error);
            if (*ret_verdict != CN_OK)
                return result;
        } else if (result != CN_PG_OK) {
            return result;
        }
    }
    return CN_PG_OK;
}

/* All statements of a piece, in one transaction when there are several or values are searched. */
static enum cn_pg_result write_piece(struct sink *self, const struct cn_batch *batch, size_t count,
                                     bool search, int *ret_verdict, struct cn_error *error)
{
    struct cn_plan *used[PLANS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        size_t j = 0;
        while (j < n && used[j] != self->rows[i].plan)
            j++;
        if (j == n && self->rows[i].plan && !self->rows[i].skip)
            used[n++] = self->rows[i].plan;
    }
    bool together = n > 1 || search;
    enum cn_pg_result result = together ? run(self, "BEGIN", error) : CN_PG_OK;
    for (size_t j = 0; j < n && result == CN_PG_OK; j++)
        result = search ? halve(self, batch, used[j], 0, count, ret_verdict, error)
                        : write_rows(self, batch, used[j], 0, count, ret_verdict, error);
    if (together && result == CN_PG_OK)
        return run(self, "COMMIT", error);
    if (together) {
        struct cn_error ignored = {.struct_size = sizeof(ignored)};
        run(self, "ROLLBACK", &ignored);
    }
    return result;
}

static int put_piece(struct sink *self, const struct cn_batch *batch, size_t first, size_t count,
                     struct cn_error *error)
{
    bool search = false;
    for (int tries = 0;; tries++) {
        int verdict = CN_OK;
        if (self->plan_count + count > PLANS_MAX && self->plan_count > PLANS_MAX / 2)
            drop_plans(self);
        enum cn_pg_result result = cn_connection_open(&self->connection, error);
        if (result == CN_PG_OK)
            result = plan_rows(self, batch, first, count, &verdict, error);
        if (result == CN_PG_OK && self->rules.upsert)
            keep_last(self, batch, count);
        if (result == CN_PG_OK)
            result = write_piece(self, batch, count, search, &verdict, error);
        if (result == CN_PG_OK) {
            self->retries = 0;
            return CN_OK;
        }
        if (verdict != CN_OK)
            return verdict;
        if (result == CN_PG_RECORD && !search) {
            search = true;
            continue;
        }
        if (result == CN_PG_CATALOG)
            drop_plans(self);
        if ((result == CN_PG_AGAIN || result == CN_PG_CATALOG) && tries < AGAIN_MAX)
            continue;
        if (result == CN_PG_FATAL || result == CN_PG_RECORD || result == CN_PG_CATALOG)
            return CN_FAIL;
        if (self->retries_max >= 0 && self->retries++ >= self->retries_max)
            return CN_FAIL;
        return CN_RETRY;
    }
}

/* ---- life cycle ---- */

static char **split(const char *list)
{
    char **out = calloc(strlen(list) / 2 + 2, sizeof(*out));
    size_t n = 0;
    while (out && *list) {
        size_t len = strcspn(list, ","), from = strspn(list, " \t"), to = len;
        while (to > from && (list[to - 1] == ' ' || list[to - 1] == '\t'))
            to--;
        if (to > from)
            out[n++] = strndup(list + from, to - from);
        list += len + (list[len] == ',');
    }
    return out;
}

static void free_list(char **list)
{
    for (char **at = list; at && *at; at++)
        free(*at);
    free(list);
}

static int sink_open(const struct cn_open *open, void **ret_self, struct cn_error *error)
{
    const struct cn_config *config = open->config;
    const char *mode = cn_pg_option(config, "pk.mode");
    struct sink *self = calloc(1, sizeof(*self));
    if (!self)
        abort();
    *ret_self = self;
    self->task = self->connection.task = open->task;
    self->rules.key_mode = !strcmp(mode, "kafka")          ? CN_KEY_KAFKA
                           : !strcmp(mode, "record_key")   ? CN_KEY_RECORD_KEY
                           : !strcmp(mode, "record_value") ? CN_KEY_RECORD_VALUE
                                                           : CN_KEY_NONE;
    self->rules.key_fields = split(cn_pg_option(config, "pk.fields"));
    self->rules.whitelist = split(cn_pg_option(config, "fields.whitelist"));
    self->rules.upsert = !strcmp(cn_pg_option(config, "insert.mode"), "upsert");
    self->rules.table_format = cn_pg_option(config, "table.name.format");
    self->auto_create = !strcmp(cn_pg_option(config, "auto.create"), "true");
    self->auto_evolve = !strcmp(cn_pg_option(config, "auto.evolve"), "true");
    self->delete_enabled = !strcmp(cn_pg_option(config, "delete.enabled"), "true");
    self->batch_size = strtoul(cn_pg_option(config, "batch.size"), NULL, 10);
    self->retries_max = strtol(cn_pg_option(config, "max.retries"), NULL, 10);
    if (!self->batch_size)
        self->batch_size = 3000;
    self->rows = calloc(self->batch_size, sizeof(*self->rows));
    self->arrays = calloc(CN_COLUMNS_MAX, sizeof(*self->arrays));
    if (!self->rows || !self->arrays)
        abort();
    initPQExpBuffer(&self->scratch);
    initPQExpBuffer(&self->key);
    if (!cn_url_parse(&self->connection.url, cn_pg_option(config, "connection.url"),
                      cn_pg_option(config, "connection.user"),
                      cn_pg_option(config, "connection.password"), error))
        return CN_FAIL;
    if (self->connection.url.ignored[0]) {
        char text[300];
        snprintf(text, sizeof(text), "connection.url: without effect here: %s",
                 self->connection.url.ignored);
        cn_pg_host->log(self->task, CN_LOG_WARN, text);
    }
    return CN_OK;
}

static int sink_put(void *ptr, const struct cn_batch *batch, struct cn_error *error)
{
    struct sink *self = ptr;
    int result = CN_OK;
    for (size_t first = 0; first < batch->count && result == CN_OK; first += self->batch_size) {
        size_t left = batch->count - first;
        result =
            put_piece(self, batch, first, left < self->batch_size ? left : self->batch_size, error);
    }
    return result;
}

static int sink_flush(void *ptr, const char **ret_metadata, struct cn_error *error)
{
    (void)ptr;
    (void)ret_metadata;
    (void)error;
    return CN_OK; /* put returns after COMMIT */
}

static void sink_close(void *ptr)
{
    struct sink *self = ptr;
    if (!self)
        return;
    drop_plans(self);
    cn_connection_close(&self->connection);
    cn_url_deinit(&self->connection.url);
    free_list(self->rules.key_fields);
    free_list(self->rules.whitelist);
    for (size_t i = 0; i < self->array_count; i++)
        termPQExpBuffer(&self->arrays[i]);
    free(self->arrays);
    free(self->rows);
    termPQExpBuffer(&self->scratch);
    termPQExpBuffer(&self->key);
    free(self);
}

const struct cn_sink cn_pg_sink = {
    .struct_size = sizeof(struct cn_sink),
    .open = sink_open,
    .put = sink_put,
    .flush = sink_flush,
    .close = sink_close,
};
