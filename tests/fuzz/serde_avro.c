/* Avro data under a schema with every kind of type: what is read can be skipped to the same place,
 * written (if its texts are UTF-8), and read back as the same; a resolver to a wider schema never
 * reads past the end. */
#include "lib/serde/avro.h"
#include "lib/serde/json.h"

#include <stdlib.h>

static const char writer_text[] =
    "{\"type\":\"record\",\"name\":\"T\",\"fields\":[{\"name\":\"i\",\"type\":\"int\"},{\"name\":"
    "\"l\",\"type\":\"long\"},{\"name\":\"f\",\"type\":\"float\"},{\"name\":\"d\",\"type\":"
    "\"double\"},{\"name\":\"b\",\"type\":\"bytes\"},{\"name\":\"o\",\"type\":\"boolean\"},{"
    "\"name\":\"x\",\"type\":{\"type\":\"fixed\",\"name\":\"F\",\"size\":3}},{\"name\":\"e\","
    "\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\",\"C\"]}},{\"name\":\"a\","
    "\"type\":{\"type\":\"array\",\"items\":[\"null\",\"T\",\"long\",\"bytes\"]}},{\"name\":\"m\","
    "\"type\":{\"type\":\"map\",\"values\":{\"type\":\"array\",\"items\":\"null\"}}}]}";
static const char reader_text[] =
    "{\"type\":\"record\",\"name\":\"T\",\"fields\":[{\"name\":\"l\",\"type\":\"double\"},{"
    "\"name\":\"n\",\"type\":\"int\",\"default\":4},{\"name\":\"b\",\"type\":\"bytes\"},{\"name\":"
    "\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"Z\"],\"default\":\"Z\"}"
    "},{\"name\":\"a\",\"type\":{\"type\":\"array\",\"items\":[\"null\",\"T\",\"double\","
    "\"string\"]}}]}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t fuzz_seed(size_t n, uint8_t *out, size_t room);

static struct sd_schema *parse(const char *text)
{
    struct sd_schema *schema;
    if (sd_schema_parse(bs_bytes_text(text), true, NULL, 0, &schema, NULL) < 0)
        abort();
    return schema;
}

static const struct sd_node *writer_root(void)
{
    static struct sd_schema *schema; /* kept for the next input, reachable to the end */
    if (schema == NULL)
        schema = parse(writer_text);
    return sd_schema_root(schema);
}

size_t fuzz_seed(size_t n, uint8_t *out, size_t room)
{
    static const char inner[] =
        "{\"i\":-1,\"l\":5000000000,\"f\":1.5,\"d\":-2,\"b\":\"ab\",\"o\":true,\"x\":\"xyz\",\"e\":"
        "\"B\",\"a\":[],\"m\":{}}";
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_buf text = BS_BUF_INIT, bytes = BS_BUF_INIT;
    struct sd_value value;
    size_t len;
    if (n > 0)
        return 0;
    bs_buf_printf(&text,
                  "{\"i\":7,\"l\":-9,\"f\":0.25,\"d\":1e300,\"b\":\"\",\"o\":false,\"x\":\"123\","
                  "\"e\":\"C\",\"a\":[null,%s,12,%s],\"m\":{\"k\":[null,null],\"q\":[]}}",
                  inner, inner);
    if (sd_json_read(bs_buf_bytes(&text), &arena, &value, NULL) < 0 ||
        sd_avro_write(writer_root(), &value, &bytes, NULL) < 0 || bytes.len > room)
        abort();
    len = bytes.len;
    memcpy(out, bytes.data, len);
    bs_buf_deinit(&text);
    bs_buf_deinit(&bytes);
    bs_arena_deinit(&arena);
    return len;
}

/* What can be printed comes back; text that is not UTF-8 cannot. */
static void check_json(const struct sd_value *value, struct bs_arena *arena)
{
    struct bs_buf text = BS_BUF_INIT, bytes = BS_BUF_INIT;
    struct sd_value again;
    if (sd_avro_json_write(writer_root(), value, &text, NULL) == 0 &&
        (sd_avro_json_read(writer_root(), bs_buf_bytes(&text), arena, &again, NULL) < 0 ||
         sd_avro_write(writer_root(), &again, &bytes, NULL) < 0))
        abort();
    bs_buf_deinit(&text);
    bs_buf_deinit(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sd_resolver *resolver;
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_buf out = BS_BUF_INIT;
    struct bs_cursor at = bs_cursor(bs_bytes(data, size)), skipped = at;
    struct sd_value value, again;
    struct bs_error err = {0};
    if (resolver == NULL) {
        struct sd_schema *writer = parse(writer_text), *reader = parse(reader_text);
        if (sd_resolver_new(writer, reader, &resolver, NULL) < 0)
            abort();
        sd_schema_unref(writer);
        sd_schema_unref(reader);
    }
    if (sd_avro_get(writer_root(), &at, &arena, &value, NULL) == 0) {
        if (sd_avro_skip(writer_root(), &skipped) < 0 || skipped.at != at.at)
            abort();
        if (sd_avro_write(writer_root(), &value, &out, &err) < 0) {
            if (strstr(err.text, "not UTF-8") == NULL) /* read as it came, never written */
                abort();
        } else if (sd_avro_read(writer_root(), bs_buf_bytes(&out), &arena, &again, NULL) < 0 ||
                   !sd_value_equal(&value, &again)) {
            abort();
        }
        check_json(&value, &arena);
    }
    sd_resolver_read(resolver, bs_bytes(data, size), &arena, &value, NULL);
    for (size_t field = 0; field < writer_root()->field_count; field++) {
        struct bs_bytes view;
        if (sd_avro_field(writer_root(), bs_bytes(data, size), field, &view) == 0 &&
            (view.ptr < data || view.ptr + view.len > data + size))
            abort();
    }
    bs_buf_deinit(&out);
    bs_arena_deinit(&arena);
    return 0;
}
