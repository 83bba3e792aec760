/* Avro's JSON encoding under a schema with every kind of type: what is read and can be written as
 * binary is printed again, and that text gives itself. */
#include "lib/serde/avro.h"

#include <stdlib.h>
#include <string.h>

static const char schema_text[] =
    "{\"type\":\"record\",\"name\":\"n.T\",\"fields\":[{\"name\":\"i\",\"type\":\"int\","
    "\"default\":1},{\"name\":\"l\",\"type\":\"long\",\"default\":2},{\"name\":\"f\",\"type\":"
    "\"float\",\"default\":1.5},{\"name\":\"d\",\"type\":\"double\",\"default\":\"NaN\"},{\"name\":"
    "\"b\",\"type\":\"bytes\",\"default\":\"\\u00ff\"},{\"name\":\"o\",\"type\":\"boolean\","
    "\"default\":true},{\"name\":\"x\",\"type\":{\"type\":\"fixed\",\"name\":\"F\",\"size\":2},"
    "\"default\":\"ab\"},{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":["
    "\"A\",\"B\"]},\"default\":\"A\"},{\"name\":\"a\",\"type\":{\"type\":\"array\",\"items\":["
    "\"null\",\"n.T\",\"long\",\"bytes\",\"string\"]},\"default\":[]},{\"name\":\"m\",\"type\":{"
    "\"type\":\"map\",\"values\":\"double\"},\"default\":{}}]}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t fuzz_seed(size_t n, uint8_t *out, size_t room);

size_t fuzz_seed(size_t n, uint8_t *out, size_t room)
{
    static const char *const seeds[] = {
        "{\"i\":-7,\"l\":5000000000,\"f\":0.25,\"d\":\"-Infinity\",\"b\":\"\\u00fe\\u0000a\",\"o\":"
        "false,\"x\":\"\\u0080z\",\"e\":\"B\",\"a\":[null,{\"long\":3},{\"bytes\":\"q\"},{"
        "\"string\":\"gr\303\274n\"},{\"n.T\":{\"i\":2,\"a\":[]}}],\"m\":{\"k\":1e300,\"q\":-0.0}}",
        "{}",
    };
    size_t len;
    if (n >= sizeof seeds / sizeof *seeds)
        return 0;
    len = strlen(seeds[n]);
    if (len > room)
        abort();
    memcpy(out, seeds[n], len);
    return len;
}

/* JSON → binary → JSON; false: it is refused. */
static bool turn(const struct sd_node *node, struct bs_bytes text, struct bs_buf *ret)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_buf bytes = BS_BUF_INIT;
    struct sd_value value;
    bool taken = sd_avro_json_read(node, text, &arena, &value, NULL) == 0 &&
                 sd_avro_write(node, &value, &bytes, NULL) == 0;
    if (taken && (sd_avro_read(node, bs_buf_bytes(&bytes), &arena, &value, NULL) < 0 ||
                  sd_avro_json_write(node, &value, ret, NULL) < 0))
        abort();
    bs_buf_deinit(&bytes);
    bs_arena_deinit(&arena);
    return taken;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sd_schema *schema; /* kept for the next input, reachable to the end */
    struct bs_buf once = BS_BUF_INIT, twice = BS_BUF_INIT;
    if (schema == NULL && sd_schema_parse(bs_bytes_text(schema_text), true, NULL, 0, &schema, NULL))
        abort();
    if (turn(sd_schema_root(schema), bs_bytes(data, size), &once) &&
        (!turn(sd_schema_root(schema), bs_buf_bytes(&once), &twice) ||
         !bs_bytes_equal(bs_buf_bytes(&once), bs_buf_bytes(&twice))))
        abort();
    bs_buf_deinit(&once);
    bs_buf_deinit(&twice);
    return 0;
}
