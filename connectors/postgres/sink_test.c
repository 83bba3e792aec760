/* The PostgreSQL sink against a PostgreSQL of its own: a cluster in a new folder, on a Unix socket.
 * Exit status 77 (skipped) where there are no server programs. */
#include "connectors/api/connector.h"
#include "connectors/postgres/expbuffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <glob.h>
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct cn_config {
    const char *pairs[32];
};
struct cn_task {
    char rejected[1000];
    size_t reject_count;
    bool tolerant;
};
static struct cn_config config;
static struct cn_task task;
static char folder[64], url[256], bin[200];

static const char *host_option(const struct cn_config *from, const char *name)
{
    for (size_t i = 0; from->pairs[i]; i += 2)
        if (!strcmp(from->pairs[i], name))
            return from->pairs[i + 1];
    return !strcmp(name, "table.name.format") ? "${topic}"
           : !strcmp(name, "max.retries")     ? "-1"
                                              : NULL;
}

static void host_log(struct cn_task *of, enum cn_level level, const char *text)
{
    (void)of;
    (void)level;
    (void)text;
}

static int host_reject_record(struct cn_task *of, size_t index, const struct cn_error *error)
{
    (void)index;
    snprintf(of->rejected, sizeof(of->rejected), "%.990s", error->text);
    of->reject_count++;
    return of->tolerant ? CN_OK : CN_FAIL;
}

static int host_no(struct cn_task *of)
{
    (void)of;
    return 0;
}

static int host_fd(struct cn_task *of)
{
    (void)of;
    return -1;
}

static const struct cn_host host = {
    .struct_size = sizeof(host),
    .abi = CN_ABI,
    .option = host_option,
    .log = host_log,
    .reject_record = host_reject_record,
    .wake_fd = host_fd,
    .stopping = host_no,
};

static bool run(const char *fmt, const char *a, const char *b)
{
    char command[800];
    snprintf(command, sizeof(command), fmt, a, b);
    return system(command) == 0;
}

static bool server(const char *action)
{
    char command[900], as[64] = "";
    if (geteuid() == 0)
        snprintf(as, sizeof(as), "runuser -u postgres --");
    snprintf(
        command, sizeof(command),
        "cd / && %s %s/pg_ctl -D %s/data -w -t 30 -s -l %s/log -o '-k %s -c listen_addresses= -c "
        "fsync=off' %s >/dev/null 2>&1",
        as, bin, folder, folder, folder, action);
    return system(command) == 0;
}

static bool cluster_make(void)
{
    glob_t found;
    if (glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &found) != 0)
        return false;
    snprintf(bin, sizeof(bin), "%.*s", (int)(strlen(found.gl_pathv[found.gl_pathc - 1]) - 7),
             found.gl_pathv[found.gl_pathc - 1]);
    globfree(&found);
    snprintf(folder, sizeof(folder), "/tmp/weir-pg-XXXXXX");
    if (!mkdtemp(folder))
        return false;
    if (geteuid() == 0 && !run("chown postgres %s", folder, ""))
        return false;
    snprintf(url, sizeof(url), "postgresql:///postgres?host=%s&user=postgres", folder);
    return run(geteuid() == 0
                   ? "cd / && runuser -u postgres -- %s/initdb -A trust -U postgres -N -D "
                     "%s/data >/dev/null 2>&1"
                   : "%s/initdb -A trust -U postgres -N -D %s/data >/dev/null 2>&1",
               bin, folder) &&
           server("start");
}

/* The only value of a query, as text. */
static const char *query(const char *sql)
{
    static char text[4000];
    PGconn *session = PQconnectdb(url);
    PGresult *result = PQexec(session, sql);
    snprintf(text, sizeof(text), "%s",
             PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result)
                 ? PQgetvalue(result, 0, 0)
                 : PQerrorMessage(session));
    PQclear(result);
    PQfinish(session);
    return text;
}

static const struct cn_sink *sink(void)
{
    return weir_connector_entry(&host)->plugins[0]->sink;
}

static void *start(const char *first, ...)
{
    va_list ap;
    size_t n = 0;
    void *self = NULL;
    struct cn_error error = {.struct_size = sizeof(error)};
    struct cn_open open = {
        .struct_size = sizeof(open), .task = &task, .config = &config, .count = 1};
    task = (struct cn_task){0};
    va_start(ap, first);
    for (const char *at = first; at; at = va_arg(ap, const char *))
        config.pairs[n++] = at;
    va_end(ap);
    config.pairs[n++] = "connection.url";
    config.pairs[n++] = url;
    config.pairs[n] = NULL;
    assert_int_equal(sink()->open(&open, &self, &error), CN_OK);
    return self;
}

static const char schema[] =
    "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"id\",\"type\":\"long\"},"
    "{\"name\":\"name\",\"type\":[\"null\",\"string\"]},{\"name\":\"mean\",\"type\":\"double\"},"
    "{\"name\":\"at\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}},"
    "{\"name\":\"tags\",\"type\":{\"type\":\"array\",\"items\":\"string\"}}]}";

enum { FIELDS = 5, ROWS = 7000 };
static struct cn_field fields[ROWS][FIELDS];
static struct cn_record records[ROWS];
static struct cn_value tags[2] = {{.type = CN_STRING, .text = {"a,b", 3}},
                                  {.type = CN_STRING, .text = {"\"q\"", 3}}};

static struct cn_batch make(const char *topic, size_t count, int64_t first, int64_t distinct)
{
    static const char *const names[FIELDS] = {"id", "name", "mean", "at", "tags"};
    for (size_t i = 0; i < count; i++) {
        struct cn_field *row = fields[i];
        for (size_t j = 0; j < FIELDS; j++)
            row[j].name = (struct cn_text){names[j], strlen(names[j])};
        row[0].value =
            (struct cn_value){.type = CN_INT64, .integer = first + (int64_t)i % distinct};
        row[1].value = i % 3 ? (struct cn_value){.type = CN_STRING, .text = {"it's \\ \"x\"", 10}}
                             : (struct cn_value){.type = CN_NULL};
        row[2].value = (struct cn_value){.type = CN_DOUBLE, .real = (double)i / 3};
        row[3].value =
            (struct cn_value){.type = CN_INT64, .integer = INT64_C(978307200000) + (int64_t)i};
        row[4].value = (struct cn_value){.type = CN_ARRAY, .array = {tags, 2}};
        records[i] = (struct cn_record){.topic = topic,
                                        .offset = (int64_t)i,
                                        .value = {.type = CN_MAP, .map = {row, FIELDS}},
                                        .value_schema = schema};
    }
    return (struct cn_batch){sizeof(struct cn_batch), sizeof(struct cn_record), records, count};
}

static void test_upsert(void **state)
{
    (void)state;
    struct cn_error error = {.struct_size = sizeof(error)};
    void *self = start("insert.mode", "upsert", "pk.mode", "record_value", "pk.fields", "id",
                       "auto.create", "true", "batch.size", "3000", NULL);
    struct cn_batch batch = make("up", ROWS, 0, 1000);
    assert_int_equal(sink()->put(self, &batch, &error), CN_OK);
    assert_int_equal(sink()->put(self, &batch, &error), CN_OK); /* again: nothing changes */
    sink()->close(self);
    assert_string_equal(query("SELECT count(*) FROM up"), "1000");
    /* The last of each key: rows 6000 to 6999, to the digit. */
    assert_string_equal(query("SELECT count(*) FROM up WHERE mean = (6000 + id)::float8 / 3"),
                        "1000");
    assert_string_equal(query("SELECT at || ' ' || tags::text FROM up WHERE id = 5"),
                        "2001-01-01 00:00:06.005 {\"a,b\",\"\\\"q\\\"\"}");
    assert_string_equal(query("SELECT name FROM up WHERE id = 1"), "it's \\ \"x\"");
}

static void test_insert_and_bad_value(void **state)
{
    (void)state;
    struct cn_error error = {.struct_size = sizeof(error)};
    query("CREATE TABLE ins (id bigint CHECK (id <> 77), name text, mean float8, at bigint, tags "
          "text[])");
    void *self = start("insert.mode", "insert", NULL);
    struct cn_batch batch = make("ins", 200, 0, 1000);
    assert_int_equal(sink()->put(self, &batch, &error), CN_FAIL);
    assert_non_null(strstr(task.rejected, "ins[0]@77: "));
    assert_non_null(strstr(task.rejected, "SQLSTATE 23514"));
    assert_string_equal(query("SELECT count(*) FROM ins"), "0");
    task.tolerant = true;
    task.reject_count = 0;
    assert_int_equal(sink()->put(self, &batch, &error), CN_OK);
    assert_int_equal(task.reject_count, 1);
    assert_string_equal(query("SELECT count(*) FROM ins"), "199");
    assert_string_equal(query("SELECT at FROM ins WHERE id = 3"), "978307200003");
    sink()->close(self);
}

static void test_refusals(void **state)
{
    (void)state;
    struct cn_error error = {.struct_size = sizeof(error)};
    struct cn_batch batch = make("missing", 1, 0, 1);
    void *self = start("insert.mode", "insert", NULL);
    assert_int_equal(sink()->put(self, &batch, &error), CN_FAIL);
    assert_string_equal(error.text,
                        "table \"missing\": does not exist; create it or set auto.create=true");
    query("CREATE TABLE missing (id bigint)");
    assert_int_equal(sink()->put(self, &batch, &error), CN_FAIL);
    assert_non_null(strstr(error.text, "column name: the table has no such column"));
    sink()->close(self);
    self = start("insert.mode", "insert", "fields.whitelist", "id", NULL);
    assert_int_equal(sink()->put(self, &batch, &error), CN_OK);
    sink()->close(self);
    assert_string_equal(query("SELECT count(*) FROM missing"), "1");
}

static void test_delete(void **state)
{
    (void)state;
    struct cn_error error = {.struct_size = sizeof(error)};
    void *self = start("insert.mode", "upsert", "pk.mode", "record_key", "pk.fields", "key",
                       "delete.enabled", "true", "auto.create", "true", NULL);
    struct cn_batch batch = make("del", 10, 0, 10);
    for (size_t i = 0; i < 10; i++)
        records[i].key = (struct cn_value){.type = CN_STRING, .text = {&"abcdefghij"[i], 1}};
    assert_int_equal(sink()->put(self, &batch, &error), CN_OK);
    records[2].value = records[4].value = (struct cn_value){.type = CN_NULL};
    records[2].value_schema = records[4].value_schema = NULL;
    assert_int_equal(sink()->put(self, &batch, &error), CN_OK);
    sink()->close(self);
    assert_string_equal(query("SELECT string_agg(key, '' ORDER BY key) FROM del"), "abdfghij");
}

static void test_server_restarts(void **state)
{
    (void)state;
    struct cn_error error = {.struct_size = sizeof(error)};
    struct cn_batch batch = make("wait", 3, 0, 3);
    assert_true(server("stop -m immediate"));
    void *self = start("insert.mode", "insert", "auto.create", "true", NULL);
    assert_int_equal(sink()->put(self, &batch, &error), CN_RETRY);
    assert_non_null(strstr(error.text, "waiting for PostgreSQL at /tmp/weir-pg-"));
    assert_true(server("start"));
    assert_int_equal(sink()->put(self, &batch, &error), CN_OK);
    assert_true(server("restart -m fast"));
    int result = sink()->put(self, &batch, &error); /* finds the connection broken */
    assert_true(result == CN_RETRY || result == CN_OK);
    if (result == CN_RETRY)
        assert_int_equal(sink()->put(self, &batch, &error), CN_OK);
    sink()->close(self);
    assert_string_equal(query("SELECT count(*) FROM wait"), "6");
}

int main(void)
{
    bool made = cluster_make();
    int failed = 77;
    if (!made)
        printf(
            "skipped: no PostgreSQL cluster can be made here (packages postgresql, util-linux)\n");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_upsert),          cmocka_unit_test(test_insert_and_bad_value),
        cmocka_unit_test(test_refusals),        cmocka_unit_test(test_delete),
        cmocka_unit_test(test_server_restarts),
    };
    if (made) {
        failed = cmocka_run_group_tests(tests, NULL, NULL);
        server("stop -m immediate");
    }
    if (*folder)
        run("rm -rf %s%s", folder, "");
    return failed;
}
