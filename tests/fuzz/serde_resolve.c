/* Decoding under any schemas: a writer's schema, a NUL, a reader's, a NUL, data. What the writer's
 * schema reads is skipped to the same place, and written again it reads as the same; what a
 * reader's schema makes of it can be written under that schema and read back. */
#include "lib/serde/avro.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Data may hold a string that is no UTF-8; it can be read, not written. */
static bool all_utf8(const struct sd_value *value)
{
    bool map = value->type == SD_MAP || value->type == SD_RECORD;
    if (value->type == SD_STRING)
        return bs_utf8_valid(value->bytes);
    for (size_t i = 0; value->type == SD_ARRAY && i < value->array.count; i++)
        if (!all_utf8(&value->array.items[i]))
            return false;
    for (size_t i = 0; map && i < value->map.count; i++)
        if (!bs_utf8_valid(value->map.fields[i].name) || !all_utf8(&value->map.fields[i].value))
            return false;
    return true;
}

/* Writes the value and reads it back. */
static void again(const struct sd_node *node, const struct sd_value *value, struct bs_arena *arena)
{
    struct bs_buf out = BS_BUF_INIT;
    struct sd_value back;
    if (!all_utf8(value))
        return;
    if (sd_avro_write(node, value, &out, NULL) < 0 ||
        sd_avro_read(node, bs_buf_bytes(&out), arena, &back, NULL) < 0 ||
        !sd_value_equal(value, &back))
        abort();
    bs_buf_deinit(&out);
}

static void check_writer(const struct sd_node *node, struct bs_bytes bytes)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_cursor at = bs_cursor(bytes), skipped = at;
    struct sd_value value;
    if (sd_avro_get(node, &at, &arena, &value, NULL) == 0) {
        if (sd_avro_skip(node, &skipped) < 0 || skipped.at != at.at)
            abort();
        again(node, &value, &arena);
    }
    bs_arena_deinit(&arena);
}

static void check_reader(const struct sd_schema *writer, const struct sd_schema *reader,
                         struct bs_bytes bytes)
{
    struct sd_resolver *resolver;
    struct bs_arena arena = BS_ARENA_INIT;
    struct sd_value value;
    if (sd_resolver_new(writer, reader, &resolver, NULL) < 0)
        return;
    if (sd_resolver_read(resolver, bytes, &arena, &value, NULL) == 0)
        again(sd_schema_root(reader), &value, &arena);
    sd_resolver_free(resolver);
    bs_arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bs_bytes parts[3];
    struct sd_schema *writer, *reader;
    for (int i = 0; i < 2; i++) {
        const uint8_t *end = size ? memchr(data, 0, size) : NULL;
        if (end == NULL)
            return 0;
        parts[i] = bs_bytes(data, (size_t)(end - data));
        size -= parts[i].len + 1;
        data = end + 1;
    }
    parts[2] = bs_bytes(data, size);
    if (sd_schema_parse(parts[0], false, NULL, 0, &writer, NULL) < 0)
        return 0;
    check_writer(sd_schema_root(writer), parts[2]);
    if (sd_schema_parse(parts[1], false, NULL, 0, &reader, NULL) == 0) {
        check_reader(writer, reader, parts[2]);
        sd_schema_unref(reader);
    }
    sd_schema_unref(writer);
    return 0;
}
