/* Avro: every datum of tests/golden/avro-compat/decode.json through the resolver; writing, skipping
 * and field views of the same data; rules of the writer; hostile bytes. */
#include "lib/serde/golden_test.h"

#include "lib/base/mem.h"

#include <math.h>

static uint8_t nibble(uint8_t c)
{
    return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static struct bs_bytes from_hex(struct bs_arena *arena, struct bs_bytes hex)
{
    uint8_t *out = bs_arena_alloc(arena, hex.len / 2);
    for (size_t i = 0; i < hex.len / 2; i++)
        out[i] = (uint8_t)(nibble(hex.ptr[2 * i]) << 4 | nibble(hex.ptr[2 * i + 1]));
    return bs_bytes(out, hex.len / 2);
}

/* Numbers by value: Java prints a float through double, and 1.0 may be 1. */
static bool alike(const struct sd_value *a, const struct sd_value *b)
{
    bool number_a = a->type == SD_LONG || a->type == SD_DOUBLE;
    bool number_b = b->type == SD_LONG || b->type == SD_DOUBLE;
    if (number_a && number_b && !(a->type == SD_LONG && b->type == SD_LONG)) {
        double x = a->type == SD_LONG ? (double)a->number : a->real;
        double y = b->type == SD_LONG ? (double)b->number : b->real;
        return x == y || (float)x == (float)y;
    }
    if (a->type != b->type)
        return false;
    if (a->type == SD_ARRAY) {
        if (a->array.count != b->array.count)
            return false;
        for (size_t i = 0; i < a->array.count; i++)
            if (!alike(&a->array.items[i], &b->array.items[i]))
                return false;
        return true;
    }
    if (a->type == SD_MAP) {
        if (a->map.count != b->map.count)
            return false;
        for (size_t i = 0; i < a->map.count; i++) {
            const struct sd_value *other = sd_value_get(b, a->map.fields[i].name);
            if (other == NULL || !alike(&a->map.fields[i].value, other))
                return false;
        }
        return true;
    }
    return sd_value_equal(a, b);
}

static void expect_json(const char *name, const struct sd_node *node, const struct sd_value *value,
                        const struct sd_value *want, struct bs_arena *arena)
{
    struct bs_buf text = BS_BUF_INIT, wanted = BS_BUF_INIT;
    struct bs_error err = {0};
    struct sd_value got;
    if (sd_avro_json_write(node, value, &text, &err) < 0 ||
        sd_json_read(bs_buf_bytes(&text), arena, &got, &err) < 0)
        fail_msg("%s: %s", name, err.text);
    if (!alike(&got, want)) {
        sd_json_write(want, false, &wanted, NULL);
        fail_msg("%s:\n got  %s\n want %s", name, bs_buf_text(&text), bs_buf_text(&wanted));
    }
    bs_buf_deinit(&text);
    bs_buf_deinit(&wanted);
}

/* The writer's side: decode, print, encode to the same bytes, skip to the end, cut anywhere. */
static void check_written(const char *name, const struct sd_node *node, struct bs_bytes bytes,
                          const struct sd_value *want, struct bs_arena *arena)
{
    struct bs_buf out = BS_BUF_INIT;
    struct bs_error err = {0};
    struct sd_value value;
    struct bs_cursor at = bs_cursor(bytes);
    if (sd_avro_read(node, bytes, arena, &value, &err) < 0)
        fail_msg("%s: %s", name, err.text);
    expect_json(name, node, &value, want, arena);
    if (sd_avro_write(node, &value, &out, &err) < 0)
        fail_msg("%s: %s", name, err.text);
    if (!bs_bytes_equal(bs_buf_bytes(&out), bytes)) { /* blocks may be cut elsewhere */
        struct sd_value again;
        assert_int_equal(sd_avro_read(node, bs_buf_bytes(&out), arena, &again, &err), 0);
        assert_true(sd_value_equal(&value, &again));
    }
    assert_int_equal(sd_avro_skip(node, &at), 0);
    assert_int_equal(bs_cursor_left(&at), 0);
    for (size_t cut = 0; cut < bytes.len; cut++) {
        uint8_t *piece = bs_memdup(bytes.ptr, cut); /* so that ASan sees a read past its end */
        assert_true(sd_avro_read(node, bs_bytes(piece, cut), arena, &value, NULL) < 0);
        bs_free(piece);
    }
    if (node->kind == SD_AVRO_RECORD) {
        size_t total = 0;
        for (size_t i = 0; i < node->field_count; i++) {
            struct bs_bytes view;
            assert_int_equal(sd_avro_field(node, bytes, i, &view), 0);
            assert_ptr_equal(view.ptr, bytes.ptr + total);
            total += view.len;
        }
        assert_int_equal(total, bytes.len);
    }
    bs_buf_deinit(&out);
}

/* What was resolved can be written with the reader's schema, and is the same when it is read again;
 * where the resolver says so the writer's bytes are that already. */
static void check_again(const char *name, const struct sd_resolver *resolver,
                        const struct sd_node *reader, struct bs_bytes bytes,
                        const struct sd_value *value, struct bs_arena *arena)
{
    struct bs_buf out = BS_BUF_INIT;
    struct bs_error err = {0};
    struct sd_value again;
    if (sd_avro_write(reader, value, &out, &err) < 0 ||
        sd_avro_read(reader, bs_buf_bytes(&out), arena, &again, &err) < 0)
        fail_msg("%s: written again: %s", name, err.text);
    if (!sd_value_equal(value, &again))
        fail_msg("%s: it is another value when it is written and read again", name);
    if (sd_resolver_same(resolver) &&
        (sd_avro_read(reader, bytes, arena, &again, &err) < 0 || !sd_value_equal(value, &again)))
        fail_msg("%s: the writer's bytes are not the reader's", name);
    bs_buf_deinit(&out);
}

static void test_decode(void **state)
{
    struct golden g;
    (void)state;
    golden_open(&g, "decode.json");
    for (size_t i = 0; i < g.rows.array.count; i++) {
        const struct sd_value *row = &g.rows.array.items[i];
        const char *name = golden_name(&g, row);
        struct sd_schema *writer = golden_schema(golden_get(row, "writer"), name);
        struct sd_schema *reader = golden_schema(golden_get(row, "reader"), name);
        struct bs_arena arena = BS_ARENA_INIT;
        struct bs_bytes bytes = from_hex(&arena, golden_get(row, "hex")->bytes);
        struct sd_resolver *resolver = NULL;
        struct bs_error err = {0};
        struct sd_value value;
        int rc = sd_resolver_new(writer, reader, &resolver, &err);
        if (rc == 0)
            rc = sd_resolver_read(resolver, bytes, &arena, &value, &err);
        if (golden_get(row, "fails")) {
            if (rc == 0)
                fail_msg("%s: read although it must fail", name);
        } else {
            if (rc < 0)
                fail_msg("%s: %s", name, err.text);
            expect_json(name, sd_schema_root(reader), &value, golden_get(row, "read"), &arena);
            check_again(name, resolver, sd_schema_root(reader), bytes, &value, &arena);
        }
        check_written(name, sd_schema_root(writer), bytes, golden_get(row, "written"), &arena);
        sd_resolver_free(resolver);
        sd_schema_unref(writer);
        sd_schema_unref(reader);
        bs_arena_deinit(&arena);
    }
    golden_close(&g);
}

static const char *const all_types =
    "{\"type\":\"record\",\"name\":\"All\",\"fields\":["
    "{\"name\":\"i\",\"type\":\"int\"},{\"name\":\"l\",\"type\":\"long\"},"
    "{\"name\":\"f\",\"type\":\"float\"},{\"name\":\"d\",\"type\":\"double\"},"
    "{\"name\":\"s\",\"type\":\"string\"},{\"name\":\"b\",\"type\":\"bytes\"},"
    "{\"name\":\"x\",\"type\":{\"type\":\"fixed\",\"name\":\"F\",\"size\":2}},"
    "{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}},"
    "{\"name\":\"u\",\"type\":[\"null\",\"int\",\"string\",\"double\"],\"default\":null},"
    "{\"name\":\"a\",\"type\":{\"type\":\"array\",\"items\":\"long\"}},"
    "{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":\"boolean\"}},"
    "{\"name\":\"k\",\"type\":\"int\",\"default\":7}]}";

static const char *const all_value =
    "{\"l\":5000000000,\"i\":-1,\"f\":1.5,\"d\":2,\"s\":\"gr\\u00f6\\u00dfe\",\"b\":\"ab\",\"x\":"
    "\"yz\",\"e\":\"B\",\"u\":\"text\",\"a\":[1,2,3.0],\"m\":{\"p\":true,\"q\":false}}";

static int write_json(const struct sd_node *node, const char *json, struct bs_buf *out,
                      struct bs_error *err)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct sd_value value;
    int rc = sd_json_read(bs_bytes_text(json), &arena, &value, err);
    if (rc == 0)
        rc = sd_avro_write(node, &value, out, err);
    bs_arena_deinit(&arena);
    return rc;
}

static void test_write_from_json(void **state)
{
    struct sd_schema *schema;
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_buf out = BS_BUF_INIT, text = BS_BUF_INIT;
    struct bs_error err = {0};
    struct sd_value value;
    (void)state;
    assert_int_equal(sd_schema_parse(bs_bytes_text(all_types), true, NULL, 0, &schema, &err), 0);
    if (write_json(sd_schema_root(schema), all_value, &out, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(sd_avro_read(sd_schema_root(schema), bs_buf_bytes(&out), &arena, &value, &err),
                     0);
    assert_int_equal(sd_json_write(&value, true, &text, &err), 0);
    assert_string_equal(bs_buf_text(&text),
                        "{\"i\":-1,\"l\":5000000000,\"f\":1.5,\"d\":2.0,\"s\":\"gr\xc3\xb6\xc3\x9f"
                        "e\",\"b\":\"YWI=\",\"x\":\"eXo=\",\"e\":\"B\",\"u\":\"text\",\"a\":[1,2,3"
                        "],\"m\":{\"p\":true,\"q\":false},\"k\":7}");
    bs_arena_deinit(&arena);
    bs_buf_deinit(&out);
    bs_buf_deinit(&text);
    sd_schema_unref(schema);
}

static void test_write_refuses(void **state)
{
    static const struct {
        const char *schema, *json, *says;
    } rows[] = {
        {"\"int\"", "1.5", "1.5"},
        {"\"int\"", "2147483648", "2147483648"},
        {"\"string\"", "1", "string"},
        {"{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"}]}",
         "{}", "\"a\""},
        {"{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"}]}",
         "{\"a\":1,\"zz\":2}", "zz"},
        {"{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":{\"type\":"
         "\"array\",\"items\":\"int\"}}]}",
         "{\"a\":[1,\"x\"]}", "/a/1"},
        {"[\"null\",\"int\"]", "\"x\"", "union"},
        {"{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}", "\"B\"", "\"B\""},
        {"{\"type\":\"fixed\",\"name\":\"F\",\"size\":3}", "\"ab\"", "3 bytes"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sd_schema *schema;
        struct bs_buf out = BS_BUF_INIT;
        struct bs_error err = {0};
        assert_int_equal(
            sd_schema_parse(bs_bytes_text(rows[i].schema), true, NULL, 0, &schema, &err), 0);
        bs_buf_puts(&out, "before");
        assert_true(write_json(sd_schema_root(schema), rows[i].json, &out, &err) < 0);
        assert_int_equal(out.len, 6);
        if (strstr(err.text, rows[i].says) == NULL)
            fail_msg("\"%s\" does not say %s", err.text, rows[i].says);
        bs_buf_deinit(&out);
        sd_schema_unref(schema);
    }
}

/* One changed byte anywhere must never do more than give an error or another value. */
static void test_mutations(void **state)
{
    struct sd_schema *schema;
    struct bs_buf out = BS_BUF_INIT;
    uint32_t random = 12345;
    (void)state;
    assert_int_equal(sd_schema_parse(bs_bytes_text(all_types), true, NULL, 0, &schema, NULL), 0);
    assert_int_equal(write_json(sd_schema_root(schema), all_value, &out, NULL), 0);
    for (int round = 0; round < 20000; round++) {
        struct bs_arena arena = BS_ARENA_INIT;
        uint8_t *bytes = bs_memdup(out.data, out.len);
        struct sd_value value;
        struct bs_cursor at;
        for (int change = 0; change < 1 + round % 3; change++) {
            random = random * 1664525 + 1013904223;
            bytes[(random >> 8) % out.len] = (uint8_t)(random >> 24);
        }
        sd_avro_read(sd_schema_root(schema), bs_bytes(bytes, out.len), &arena, &value, NULL);
        at = bs_cursor(bs_bytes(bytes, out.len));
        sd_avro_skip(sd_schema_root(schema), &at);
        bs_arena_deinit(&arena);
        bs_free(bytes);
    }
    bs_buf_deinit(&out);
    sd_schema_unref(schema);
}

/* A reader that skips a block goes by its size in bytes, one that decodes it by its items. */
static void test_size_of_a_block_is_checked(void **state)
{
    static const uint8_t right[] = {0x03, 0x04, 0x02, 0x04, 0x00}; /* 2 items in 2 bytes: 1, 2 */
    static const uint8_t wrong[] = {0x03, 0x02, 0x02, 0x04, 0x00}; /* … in 1 byte */
    struct bs_arena arena = BS_ARENA_INIT;
    struct sd_schema *schema;
    struct sd_value value;
    struct bs_error err;
    (void)state;
    assert_int_equal(sd_schema_parse(bs_bytes_text("{\"type\":\"array\",\"items\":\"int\"}"), true,
                                     NULL, 0, &schema, &err),
                     0);
    assert_int_equal(
        sd_avro_read(sd_schema_root(schema), bs_bytes(right, sizeof right), &arena, &value, &err),
        0);
    assert_int_equal(value.array.count, 2);
    assert_int_equal(
        sd_avro_read(sd_schema_root(schema), bs_bytes(wrong, sizeof wrong), &arena, &value, &err),
        BS_ECORRUPT);
    assert_non_null(strstr(err.text, "size"));
    sd_schema_unref(schema);
    bs_arena_deinit(&arena);
}

static void test_multiplying_values_are_bounded(void **state)
{
    struct sd_schema *schema;
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_error err;
    struct sd_value value;
    struct bs_buf text = BS_BUF_INIT;
    const uint8_t many[] = {0xfe, 0xff, 0x07, 0x00}; /* 65,535 items of no bytes */
    const uint8_t more[] = {0xfe, 0xff, 0xff, 0xff, 0x0f, 0x00};
    (void)state;
    assert_int_equal(sd_schema_parse(bs_bytes_text("{\"type\":\"array\",\"items\":\"null\"}"), true,
                                     NULL, 0, &schema, &err),
                     0);
    assert_int_equal(
        sd_avro_read(sd_schema_root(schema), bs_bytes(many, sizeof many), &arena, &value, &err), 0);
    assert_int_equal(value.array.count, 65535);
    assert_true(sd_avro_read(sd_schema_root(schema), bs_bytes(more, sizeof more), &arena, &value,
                             &err) < 0);
    sd_schema_unref(schema);
    bs_buf_puts(&text, "{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"R\","
                       "\"fields\":[{\"name\":\"f0\",\"type\":\"null\"}");
    for (int i = 1; i < 1000; i++)
        bs_buf_printf(&text, ",{\"name\":\"f%d\",\"type\":\"null\"}", i);
    bs_buf_puts(&text, "]}}");
    assert_int_equal(sd_schema_parse(bs_buf_bytes(&text), true, NULL, 0, &schema, &err), 0);
    assert_int_equal(
        sd_avro_read(sd_schema_root(schema), bs_bytes(many, sizeof many), &arena, &value, &err),
        BS_ELIMIT);
    sd_schema_unref(schema);
    bs_buf_deinit(&text);
    bs_arena_deinit(&arena);
}

/* Bytes of a record with field "f" of that type, from the JSON of the field; a refusal's code. */
static int from_base64(const char *type, const char *json, struct bs_buf *out, struct bs_error *err)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_buf text = BS_BUF_INIT, member = BS_BUF_INIT;
    struct sd_schema *schema = NULL;
    struct sd_value value;
    int rc;
    bs_buf_printf(&text,
                  "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"f\",\"type\":%s}]}",
                  type);
    bs_buf_printf(&member, "{\"f\":%s}", json);
    assert_int_equal(sd_schema_parse(bs_buf_bytes(&text), true, NULL, 0, &schema, err), 0);
    assert_int_equal(sd_json_read(bs_buf_bytes(&member), &arena, &value, err), 0);
    rc = sd_avro_write_base64(sd_schema_root(schema), &value, out, err);
    if (rc == 0) { /* what is printed of it is what was read */
        bs_buf_reset(&text);
        assert_int_equal(
            sd_avro_read(sd_schema_root(schema), bs_buf_bytes(out), &arena, &value, err), 0);
        assert_int_equal(sd_json_write(&value, true, &text, err), 0);
        assert_string_equal(bs_buf_text(&text), bs_buf_text(&member));
    }
    sd_schema_unref(schema);
    bs_buf_deinit(&text);
    bs_buf_deinit(&member);
    bs_arena_deinit(&arena);
    return rc;
}

#define FIXED2 "{\"type\":\"fixed\",\"name\":\"F2\",\"size\":2}"
#define FIXED3 "{\"type\":\"fixed\",\"name\":\"F3\",\"size\":3}"
#define LETTER "{\"type\":\"enum\",\"name\":\"L\",\"symbols\":[\"AAAA\",\"B\"]}"

static void test_base64(void **state)
{
    static const struct {
        const char *type, *json, *bytes; /* bytes NULL: refused */
        size_t len;
        const char *why;
    } CASES[] = {
        {"\"bytes\"", "\"AP8=\"", "\x04\x00\xff", 3, NULL},
        {"\"bytes\"", "\"\"", "\0", 1, NULL},
        {FIXED2, "\"AP8=\"", "\x00\xff", 2, NULL},
        {"{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":9,\"scale\":2}", "\"+y4=\"",
         "\x04\xfb\x2e", 3, NULL},
        {"[\"null\",\"bytes\"]", "\"AP8=\"", "\x02\x04\x00\xff", 4, NULL},
        {"[\"null\"," FIXED2 "," FIXED3 "]", "\"AP8B\"", "\x04\x00\xff\x01", 4, NULL},
        {"[" LETTER ",\"bytes\"]", "\"AP8=\"", "\x02\x04\x00\xff", 4, NULL},
        {"{\"type\":\"array\",\"items\":\"bytes\"}", "[\"AP8=\",\"AQ==\"]",
         "\x04\x04\x00\xff\x02\x01\x00", 7, NULL},
        {"{\"type\":\"map\",\"values\":" FIXED2 "}", "{\"k\":\"AP8=\"}", "\x02\x02k\x00\xff\x00", 6,
         NULL},
        {"\"string\"", "\"AP8=\"", "\x08\x41P8=", 5, NULL},
        {"\"bytes\"", "\"12.50\"", NULL, 0, "at /f: \"12.50\" is not base64, which bytes takes"},
        {"\"bytes\"", "\"AP9=\"", NULL, 0, "is not base64"},
        {FIXED3, "\"AP8=\"", NULL, 0, "at /f: F3 has 3 bytes, the base64 text 2"},
        {"[\"null\"," FIXED3 "]", "\"AP8=\"", NULL, 0, "at /f: F3 has 3 bytes"},
        {"[\"null\",\"bytes\"]", "\"12.50\"", NULL, 0, "at /f: \"12.50\" is not base64"},
        {"[" FIXED2 "," FIXED3 "]", "\"AA==\"", NULL, 0, "no branch of the union"},
        {"[\"string\",\"bytes\"]", "\"AP8=\"", NULL, 0, "at /f: the union"},
        {"[\"string\",\"bytes\"]", "\"12.50\"", NULL, 0, "at /f: the union"},
        {"[\"bytes\"," FIXED2 "]", "\"AP8=\"", NULL, 0, "at /f: the union"},
        {"[" LETTER ",\"bytes\"]", "\"AAAA\"", NULL, 0, "at /f: the union"},
    };
    struct bs_buf out = BS_BUF_INIT;
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct bs_error err = {0};
        int rc;
        bs_buf_reset(&out);
        rc = from_base64(CASES[i].type, CASES[i].json, &out, &err);
        if (rc != (CASES[i].bytes ? 0 : BS_ESYNTAX))
            fail_msg("case %zu: %d %s", i, rc, err.text);
        assert_int_equal(out.len, CASES[i].len);
        if (CASES[i].bytes)
            assert_memory_equal(out.data, CASES[i].bytes, out.len);
        else if (!strstr(err.text, CASES[i].why))
            fail_msg("case %zu says %s", i, err.text);
        if (rc != 0) /* without a place for the reason as well */
            assert_int_equal(from_base64(CASES[i].type, CASES[i].json, &out, NULL), rc);
    }
    bs_buf_deinit(&out);
}

static void test_envelope(void **state)
{
    struct bs_buf out = BS_BUF_INIT;
    struct bs_bytes payload;
    struct bs_error err;
    int32_t id;
    (void)state;
    sd_envelope_put(&out, 258);
    bs_buf_puts(&out, "xy");
    assert_int_equal(sd_envelope_split(bs_buf_bytes(&out), &id, &payload, &err), 0);
    assert_int_equal(id, 258);
    assert_true(bs_bytes_is(payload, "xy"));
    out.data[0] = '{';
    assert_int_equal(sd_envelope_split(bs_buf_bytes(&out), &id, &payload, &err), BS_EINVAL);
    assert_non_null(strstr(err.text, "0x7b"));
    assert_int_equal(sd_envelope_split(bs_bytes("", 0), &id, &payload, &err), BS_EINVAL);
    bs_buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_write_from_json),
        cmocka_unit_test(test_write_refuses),
        cmocka_unit_test(test_mutations),
        cmocka_unit_test(test_size_of_a_block_is_checked),
        cmocka_unit_test(test_multiplying_values_are_bounded),
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_envelope),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
