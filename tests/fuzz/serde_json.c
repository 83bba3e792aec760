/* JSON texts: what is read is written as a text that reads back as the same. */
#include "lib/serde/json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t fuzz_seed(size_t n, uint8_t *out, size_t room);

size_t fuzz_seed(size_t n, uint8_t *out, size_t room)
{
    static const char *const seeds[] = {
        "{\"a\":[1,-2.5e-3,true,null,\"x\\u00e9\\n\\ud83d\\ude00\"],\"b\":{\"c\":{}},\"a\":0}",
        "[123456789012345678,0.1,1e21,5e-324,\"\\\"\\\\\\/\",[[[]]],{\"\":\"\"}]",
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_buf out = BS_BUF_INIT;
    struct sd_value value, again;
    if (sd_json_read(bs_bytes(data, size), &arena, &value, NULL) == 0) {
        if (sd_json_write(&value, false, &out, NULL) < 0 ||
            sd_json_read(bs_buf_bytes(&out), &arena, &again, NULL) < 0 ||
            !sd_value_equal(&value, &again))
            abort();
    }
    bs_buf_deinit(&out);
    bs_arena_deinit(&arena);
    return 0;
}
