/* The PostgreSQL sink without PostgreSQL: URLs, types, literals, statements. */
#include "connectors/postgres/connection.h"
#include "connectors/postgres/literal.h"
#include "connectors/postgres/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_urls(void **state)
{
    (void)state;
    static const struct {
        const char *text, *user, *where, *password, *dbname, *extra, *extra_value;
    } rows[] = {
        {"postgresql://u:p%40ss@h:5433/d", "", "h:5433", "p@ss", "d", "user", "u"},
        {"postgres://h/d?user=x&password=y", "z", "h:5432", "y", "d", "user", "z"},
        {"jdbc:postgresql://h:1/d?user=x&password=y&reWriteBatchedInserts=true", "", "h:1", "y",
         "d", "user", "x"},
        {"jdbc:postgresql://h/d?currentSchema=s&ApplicationName=a", "", "h:5432", NULL, "d",
         "options", "-csearch_path=s"},
        {"jdbc:postgresql://h/d?ssl=true", "", "h:5432", NULL, "d", "sslmode", "verify-full"},
        {"postgresql:///d?host=/tmp/x&port=7", "", "/tmp/x:7", NULL, "d", "client_encoding",
         "UTF8"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cn_error error = {.struct_size = sizeof(error)};
        struct cn_url url;
        assert_true(cn_url_parse(&url, rows[i].text, rows[i].user, NULL, &error));
        assert_string_equal(url.where, rows[i].where);
        assert_string_equal(cn_url_value(&url, "dbname"), rows[i].dbname);
        assert_string_equal(cn_url_value(&url, rows[i].extra), rows[i].extra_value);
        if (rows[i].password)
            assert_string_equal(cn_url_value(&url, "password"), rows[i].password);
        cn_url_deinit(&url);
    }
}

static void test_bad_urls(void **state)
{
    (void)state;
    static const char *const rows[] = {"", "mysql://h/d",
                                       "postgresql://u:secret@h/d?nonsense=secret",
                                       "jdbc:mysql://h/d", "host=h password=secret"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cn_error error = {.struct_size = sizeof(error)};
        struct cn_url url;
        assert_false(cn_url_parse(&url, rows[i], "u", "secret", &error));
        assert_non_null(strstr(error.text, "connection.url cannot be read"));
        assert_null(strstr(error.text, "secret"));
        cn_url_deinit(&url);
    }
}

static void test_types(void **state)
{
    (void)state;
    static const struct {
        const char *avro, *pg;
        bool nullable;
    } rows[] = {
        {"\"int\"", "integer", false},
        {"[\"null\",\"long\"]", "bigint", true},
        {"\"float\"", "real", false},
        {"\"double\"", "double precision", false},
        {"{\"type\":\"int\",\"logicalType\":\"date\"}", "date", false},
        {"{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}", "timestamp", false},
        {"{\"type\":\"string\",\"logicalType\":\"date\"}", "text", false},
        {"{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":9,\"scale\":2}",
         "numeric(9,2)", false},
        {"{\"type\":\"array\",\"items\":[\"null\",\"string\"]}", "text[]", false},
        {"{\"type\":\"array\",\"items\":{\"type\":\"array\",\"items\":\"int\"}}", "jsonb", false},
        {"{\"type\":\"map\",\"values\":\"int\"}", "jsonb", false},
        {"{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"A\"]}", "text", false},
        {"[\"int\",\"string\",\"null\"]", "jsonb", true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cn_pg_type type = {0};
        json_t *avro = json_loads(rows[i].avro, JSON_DECODE_ANY, NULL);
        assert_null(cn_pg_type_from_avro(&type, avro));
        assert_string_equal(type.name, rows[i].pg);
        assert_int_equal(type.nullable, rows[i].nullable);
        json_decref(avro);
    }
}

static const char *literal(const char *avro, struct cn_value value)
{
    static PQExpBufferData out, scratch;
    struct cn_pg_type type = {0};
    const char *reason = NULL;
    json_t *json = json_loads(avro, JSON_DECODE_ANY, NULL);
    assert_null(cn_pg_type_from_avro(&type, json));
    json_decref(json);
    termPQExpBuffer(&out);
    initPQExpBuffer(&out);
    initPQExpBuffer(&scratch);
    bool ok = cn_literal_put(&out, &scratch, &type, &value, &reason);
    termPQExpBuffer(&scratch);
    if (!ok)
        return reason;
    return out.data;
}

#define INTEGER(n)                       \
    (struct cn_value)                    \
    {                                    \
        .type = CN_INT64, .integer = (n) \
    }
#define BYTES(text_)                                            \
    (struct cn_value)                                           \
    {                                                           \
        .type = CN_BYTES, .text = {(text_), sizeof(text_) - 1 } \
    }

static void test_literals(void **state)
{
    (void)state;
    const char *millis = "{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}";
    const char *decimal =
        "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":20,\"scale\":2}";
    struct cn_value text = {.type = CN_STRING, .text = {"a\"b\\c,{}", 8}};
    struct cn_value nul = {.type = CN_STRING, .text = {"a\0b", 3}};
    struct cn_value real = {.type = CN_DOUBLE, .real = 0.1};
    struct cn_value items[2] = {INTEGER(1), {.type = CN_NULL}};
    struct cn_value array = {.type = CN_ARRAY, .array = {items, 2}};
    assert_string_equal(literal("\"string\"", text), "\"a\\\"b\\\\c,{}\"");
    assert_non_null(strstr(literal("\"string\"", nul), "NUL"));
    assert_string_equal(literal("\"double\"", real), "\"0.10000000000000001\"");
    assert_string_equal(literal("\"long\"", INTEGER(INT64_MIN)), "-9223372036854775808");
    assert_string_equal(literal(millis, INTEGER(978307200123)), "\"2001-01-01 00:00:00.123\"");
    assert_string_equal(literal(millis, INTEGER(-1)), "\"1969-12-31 23:59:59.999\"");
    assert_string_equal(literal("{\"type\":\"int\",\"logicalType\":\"date\"}", INTEGER(-719529)),
                        "\"0002-12-31 BC\"");
    assert_string_equal(literal("\"bytes\"", BYTES("\x00\xff")), "\"\\\\x00ff\"");
    assert_string_equal(literal(decimal, BYTES("\x04\xd2")), "\"12.34\"");
    assert_string_equal(literal(decimal, BYTES("\xff")), "\"-0.01\"");
    assert_string_equal(literal(decimal, BYTES("\x80\x00\x00\x00\x00\x00\x00\x00")),
                        "\"-92233720368547758.08\"");
    assert_string_equal(literal("{\"type\":\"array\",\"items\":[\"null\",\"int\"]}", array),
                        "\"{1,NULL}\"");
    assert_string_equal(literal("[\"null\",\"int\"]", items[1]), "NULL");
}

static void test_statements(void **state)
{
    (void)state;
    static const char schema[] =
        "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"id\",\"type\":\"long\"},"
        "{\"name\":\"odd \\\"name\",\"type\":[\"null\",\"string\"]},{\"name\":\"tags\",\"type\":"
        "{\"type\":\"array\",\"items\":\"string\"}}]}";
    char *keys[] = {"id", NULL};
    struct cn_plan_rules rules = {.key_mode = CN_KEY_RECORD_VALUE,
                                  .key_fields = keys,
                                  .upsert = true,
                                  .table_format = "s.${topic}"};
    struct cn_record record = {.topic = "a.b", .value = {.type = CN_MAP}, .value_schema = schema};
    struct cn_error error = {.struct_size = sizeof(error)};
    struct cn_plan plan;
    PQExpBufferData sql;
    initPQExpBuffer(&sql);
    assert_true(cn_plan_init(&plan, &rules, &record, &error));
    cn_plan_finish(&plan, &rules);
    assert_true(cn_plan_create_sql(&plan, &sql));
    assert_string_equal(sql.data,
                        "CREATE TABLE IF NOT EXISTS \"s\".\"a.b\" (\"id\" bigint NOT NULL, "
                        "\"odd \"\"name\" text, \"tags\" text[] NOT NULL, PRIMARY KEY "
                        "(\"id\"))");
    assert_string_equal(
        plan.insert_sql,
        "INSERT INTO \"s\".\"a.b\" (\"id\", \"odd \"\"name\", \"tags\") SELECT c1, "
        "c2, c3::text[] FROM unnest($1::bigint[], $2::text[], $3::text[]) AS u(c1, "
        "c2, c3) ON CONFLICT (\"id\") DO UPDATE SET \"odd \"\"name\"=EXCLUDED.\"odd "
        "\"\"name\", \"tags\"=EXCLUDED.\"tags\"");
    assert_true(cn_plan_matches(&plan, &record));
    cn_plan_deinit(&plan);

    keys[0] = "nothing";
    assert_false(cn_plan_init(&plan, &rules, &record, &error));
    assert_string_equal(error.text,
                        "topic a.b: nothing: pk.fields names it, but the record's value "
                        "has no such field");
    cn_plan_deinit(&plan);
    termPQExpBuffer(&sql);
}

static void test_sqlstates(void **state)
{
    (void)state;
    assert_int_equal(cn_pg_classify(NULL), CN_PG_WAIT);
    assert_int_equal(cn_pg_classify("08006"), CN_PG_WAIT);
    assert_int_equal(cn_pg_classify("57P01"), CN_PG_WAIT);
    assert_int_equal(cn_pg_classify("40P01"), CN_PG_AGAIN);
    assert_int_equal(cn_pg_classify("22P02"), CN_PG_RECORD);
    assert_int_equal(cn_pg_classify("23502"), CN_PG_RECORD);
    assert_int_equal(cn_pg_classify("42P01"), CN_PG_CATALOG);
    assert_int_equal(cn_pg_classify("42501"), CN_PG_FATAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls),       cmocka_unit_test(test_bad_urls),
        cmocka_unit_test(test_types),      cmocka_unit_test(test_literals),
        cmocka_unit_test(test_statements), cmocka_unit_test(test_sqlstates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
