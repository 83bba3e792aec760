/* Second opinion: what our writer makes, libavro-c reads back as the same; what libavro-c writes,
 * we read. Over the data of decode.json (where libavro-c accepts the schema) and random records. */
#include "lib/serde/golden_test.h"

#include "lib/base/mem.h"

#include <avro.h>

static bool alike(const struct sd_value *a, const struct sd_value *b)
{
    if (a->type != b->type) {
        bool number_a = a->type == SD_LONG || a->type == SD_DOUBLE;
        bool number_b = b->type == SD_LONG || b->type == SD_DOUBLE;
        return number_a && number_b &&
               (float)(a->type == SD_LONG ? (double)a->number : a->real) ==
                   (float)(b->type == SD_LONG ? (double)b->number : b->real);
    }
    if (a->type == SD_DOUBLE)
        return (float)a->real == (float)b->real; /* libavro-c prints 17 digits of a float */
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
            struct bs_bytes name = a->map.fields[i].name;
            const struct sd_value *other = sd_value_get(b, name);
            const uint8_t *dot = name.len ? memrchr(name.ptr, '.', name.len) : NULL;
            if (other == NULL && dot) /* libavro-c names branches without their namespace */
                other = sd_value_get(b, bs_bytes(dot + 1, name.len - (size_t)(dot + 1 - name.ptr)));
            if (other == NULL || !alike(&a->map.fields[i].value, other))
                return false;
        }
        return true;
    }
    return sd_value_equal(a, b);
}

/* libavro-c's reading of our bytes, as Avro JSON; and its own encoding of what it read. */
static void ask_avro_c(const char *name, avro_schema_t schema, struct bs_bytes bytes,
                       struct bs_buf *ret_json, struct bs_buf *ret_bytes)
{
    avro_value_iface_t *class = avro_generic_class_from_schema(schema);
    avro_reader_t reader = avro_reader_memory((const char *)bytes.ptr, (int64_t)bytes.len);
    size_t room = bytes.len * 2 + 1024;
    avro_writer_t writer;
    avro_value_t value;
    char *json = NULL;
    avro_generic_value_new(class, &value);
    if (avro_value_read(reader, &value) != 0)
        fail_msg("%s: libavro-c does not read our bytes: %s", name, avro_strerror());
    if (avro_value_to_json(&value, 1, &json) != 0)
        fail_msg("%s: libavro-c: %s", name, avro_strerror());
    bs_buf_puts(ret_json, json);
    writer = avro_writer_memory((const char *)bs_buf_reserve(ret_bytes, room), (int64_t)room);
    assert_int_equal(avro_value_write(writer, &value), 0);
    ret_bytes->len = (size_t)avro_writer_tell(writer);
    free(json);
    avro_writer_free(writer);
    avro_reader_free(reader);
    avro_value_decref(&value);
    avro_value_iface_decref(class);
}

static void compare(const char *name, const struct sd_node *node, avro_schema_t theirs,
                    const struct sd_value *value)
{
    struct bs_buf bytes = BS_BUF_INIT, ours = BS_BUF_INIT, json = BS_BUF_INIT, back = BS_BUF_INIT;
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_error err = {0};
    struct sd_value a, b, again;
    assert_int_equal(sd_avro_write(node, value, &bytes, &err), 0);
    assert_int_equal(sd_avro_json_write(node, value, &ours, &err), 0);
    ask_avro_c(name, theirs, bs_buf_bytes(&bytes), &json, &back);
    if (sd_json_read(bs_buf_bytes(&ours), &arena, &a, &err) < 0 ||
        sd_json_read(bs_buf_bytes(&json), &arena, &b, &err) < 0 || !alike(&a, &b))
        fail_msg("%s: %s\n we say      %s\n libavro-c   %s", name, err.text, bs_buf_text(&ours),
                 bs_buf_text(&json));
    if (sd_avro_read(node, bs_buf_bytes(&back), &arena, &again, &err) < 0)
        fail_msg("%s: we do not read libavro-c's bytes: %s", name, err.text);
    assert_true(sd_value_equal(value, &again));
    bs_buf_deinit(&bytes);
    bs_buf_deinit(&ours);
    bs_buf_deinit(&json);
    bs_buf_deinit(&back);
    bs_arena_deinit(&arena);
}

/* What libavro-c 1.11 prints as JSON without being able to: empty branches, bytes beyond ASCII. */
static bool printable(const struct sd_value *value)
{
    if (value->type == SD_BYTES)
        return false;
    if (value->type == SD_ARRAY)
        for (size_t i = 0; i < value->array.count; i++)
            if (!printable(&value->array.items[i]))
                return false;
    if (value->type == SD_MAP || value->type == SD_RECORD)
        for (size_t i = 0; i < value->map.count; i++)
            if (!printable(&value->map.fields[i].value))
                return false;
    return true;
}

static void test_golden_data(void **state)
{
    struct golden g;
    size_t asked = 0;
    (void)state;
    golden_open(&g, "decode.json");
    for (size_t i = 0; i < g.rows.array.count; i++) {
        const struct sd_value *row = &g.rows.array.items[i];
        const char *name = golden_name(&g, row);
        struct sd_schema *schema = golden_schema(golden_get(row, "writer"), name);
        struct bs_arena arena = BS_ARENA_INIT;
        struct bs_buf text = BS_BUF_INIT;
        struct bs_bytes hex = golden_get(row, "hex")->bytes;
        uint8_t *bytes = bs_arena_alloc(&arena, hex.len / 2 + 1);
        struct sd_value value;
        avro_schema_t theirs;
        for (size_t k = 0; k < hex.len / 2; k++) {
            char pair[3] = {(char)hex.ptr[2 * k], (char)hex.ptr[2 * k + 1], 0};
            bytes[k] = (uint8_t)strtoul(pair, NULL, 16);
        }
        assert_int_equal(sd_avro_read(sd_schema_root(schema), bs_bytes(bytes, hex.len / 2), &arena,
                                      &value, NULL),
                         0);
        sd_schema_text(schema, false, &text);
        if (printable(&value) &&
            avro_schema_from_json_length((const char *)text.data, text.len, &theirs) == 0) {
            compare(name, sd_schema_root(schema), theirs, &value);
            avro_schema_decref(theirs);
            asked++;
        }
        bs_buf_deinit(&text);
        bs_arena_deinit(&arena);
        sd_schema_unref(schema);
    }
    golden_close(&g);
    assert_true(asked > 100);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

static void test_random_records(void **state)
{
    static const char text[] =
        "{\"type\":\"record\",\"name\":\"T\",\"fields\":[{\"name\":\"id\",\"type\":\"long\"},"
        "{\"name\":\"n\",\"type\":\"int\"},{\"name\":\"s\",\"type\":\"string\"},{\"name\":\"u\","
        "\"type\":[\"null\",\"string\",\"long\"]},{\"name\":\"a\",\"type\":{\"type\":\"array\","
        "\"items\":\"long\"}},{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\","
        "\"symbols\":[\"A\",\"B\",\"C\"]}},{\"name\":\"d\",\"type\":\"double\"},{\"name\":\"o\","
        "\"type\":\"boolean\"}]}";
    struct sd_schema *schema;
    avro_schema_t theirs;
    uint32_t seed = 99;
    (void)state;
    assert_int_equal(sd_schema_parse(bs_bytes_text(text), true, NULL, 0, &schema, NULL), 0);
    assert_int_equal(avro_schema_from_json_length(text, strlen(text), &theirs), 0);
    for (int round = 0; round < 500; round++) {
        struct bs_arena arena = BS_ARENA_INIT;
        struct bs_buf json = BS_BUF_INIT, bytes = BS_BUF_INIT;
        struct sd_value value;
        struct bs_error err = {0};
        uint32_t kind = next_random(&seed) % 3;
        bs_buf_printf(&json, "{\"id\":%lld,\"n\":%d,\"s\":\"text %u\",\"u\":",
                      (long long)((uint64_t)next_random(&seed) << 30) *
                          (next_random(&seed) % 2 ? 1 : -1),
                      (int)next_random(&seed) - 8000000, next_random(&seed));
        bs_buf_puts(&json, kind == 0 ? "null" : kind == 1 ? "\"x\"" : "77");
        bs_buf_puts(&json, ",\"a\":[");
        for (uint32_t i = 0, n = next_random(&seed) % 5; i < n; i++)
            bs_buf_printf(&json, "%s%d", i ? "," : "", (int)next_random(&seed) - 8000000);
        bs_buf_printf(&json, "],\"e\":\"%c\",\"d\":%u.5,\"o\":%s}",
                      (char)('A' + next_random(&seed) % 3), next_random(&seed) % 1000,
                      next_random(&seed) % 2 ? "true" : "false");
        if (sd_json_read(bs_buf_bytes(&json), &arena, &value, &err) < 0 ||
            sd_avro_write(sd_schema_root(schema), &value, &bytes, &err) < 0 ||
            sd_avro_read(sd_schema_root(schema), bs_buf_bytes(&bytes), &arena, &value, &err) < 0)
            fail_msg("%s", err.text);
        compare("random record", sd_schema_root(schema), theirs, &value);
        bs_buf_deinit(&json);
        bs_buf_deinit(&bytes);
        bs_arena_deinit(&arena);
    }
    avro_schema_decref(theirs);
    sd_schema_unref(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_data),
        cmocka_unit_test(test_random_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
