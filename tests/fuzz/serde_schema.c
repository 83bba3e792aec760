/* Schema texts: what is accepted has a canonical text that is accepted again and gives itself, and
 * is compatible with itself. */
#include "lib/serde/compat.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t fuzz_seed(size_t n, uint8_t *out, size_t room);

size_t fuzz_seed(size_t n, uint8_t *out, size_t room)
{
    static const char *const seeds[] = {
        "{\"type\":\"record\",\"name\":\"a.R\",\"doc\":\"d\",\"aliases\":[\"Q\"],\"fields\":[{"
        "\"name\":\"x\",\"type\":[\"null\",\"a.R\"],\"default\":null},{\"name\":\"y\",\"type\":{"
        "\"type\":\"array\",\"items\":\"int\"},\"default\":[1],\"order\":\"ignore\"}]}",
        "[\"int\",{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"],\"default\":\"A\"},{"
        "\"type\":\"fixed\",\"name\":\"F\",\"size\":16,\"logicalType\":\"decimal\",\"precision\":9"
        ",\"scale\":2}]",
        "{\"type\":\"map\",\"values\":{\"type\":\"bytes\",\"logicalType\":\"decimal\","
        "\"precision\":4},\"p\":{\"b\":1.50,\"a\":1e3}}",
        "{\"type\":\"record\",\"name\":\"A\",\"fields\":[{\"name\":\"b\",\"type\":\"B\"},{"
        "\"name\":\"c\",\"type\":{\"type\":\"record\",\"name\":\"B\",\"fields\":[{\"name\":\"f\","
        "\"type\":\"float\",\"default\":\"NaN\"}]},\"default\":{}}]}",
    };
    size_t len;
    if (n >= sizeof seeds / sizeof *seeds)
        return 0;
    len = strlen(seeds[n]);
    if (len > room)
        return 0;
    memcpy(out, seeds[n], len);
    return len;
}

static void check(const struct sd_schema *schema)
{
    struct bs_buf first = BS_BUF_INIT, second = BS_BUF_INIT;
    struct bs_arena arena = BS_ARENA_INIT;
    struct sd_problems problems = {0};
    struct sd_schema *again;
    sd_schema_text(schema, false, &first);
    if (sd_schema_parse(bs_buf_bytes(&first), false, NULL, 0, &again, NULL) < 0)
        abort();
    sd_schema_text(again, false, &second);
    if (!bs_bytes_equal(bs_buf_bytes(&first), bs_buf_bytes(&second)))
        abort();
    sd_compat(again, schema, SD_COMPAT_LOGICAL, &arena, &problems);
    if (problems.count && problems.items[0].type != SD_UNDECIDED)
        abort();
    bs_buf_reset(&second);
    sd_schema_text(schema, true, &second);
    sd_schema_pcf(schema, &second);
    sd_schema_unref(again);
    bs_arena_deinit(&arena);
    bs_buf_deinit(&first);
    bs_buf_deinit(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int strict = 0; strict < 2; strict++) {
        struct sd_schema *schema;
        if (sd_schema_parse(bs_bytes(data, size), strict, NULL, 0, &schema, NULL) < 0)
            continue;
        check(schema);
        sd_schema_unref(schema);
    }
    return 0;
}
