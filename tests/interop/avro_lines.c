/* Reads lines "writer schema TAB reader schema TAB hex of a datum" and prints for each the datum in
 * Avro's JSON encoding as the reader sees it, or "! reason". What it prints is read back and must
 * be printed the same again; "? reason" when it is not. */
#include "lib/base/mem.h"
#include "lib/serde/avro.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int schema_of(const char *text, struct sd_schema **ret, struct bs_error *err)
{
    return sd_schema_parse(bs_bytes_text(text), true, NULL, 0, ret, err);
}

static void bytes_of(const char *hex, struct bs_buf *out)
{
    unsigned byte;
    for (; hex[0] && hex[1] && sscanf(hex, "%2x", &byte) == 1; hex += 2)
        bs_buf_put_u8(out, (uint8_t)byte);
}

/* Is what was printed read, written and printed again the same? */
static bool comes_back(const struct sd_node *node, const struct bs_buf *text,
                       struct bs_arena *arena, struct bs_error *err)
{
    struct bs_buf bytes = BS_BUF_INIT, again = BS_BUF_INIT;
    struct sd_value back, twice;
    bool same = sd_avro_json_read(node, bs_buf_bytes(text), arena, &back, err) == 0 &&
                sd_avro_write(node, &back, &bytes, err) == 0 &&
                sd_avro_read(node, bs_buf_bytes(&bytes), arena, &twice, err) == 0 &&
                sd_avro_json_write(node, &twice, &again, err) == 0;
    if (same && !bs_bytes_equal(bs_buf_bytes(text), bs_buf_bytes(&again))) {
        bs_error_set(err, BS_ECORRUPT, "other text");
        same = false;
    }
    bs_buf_deinit(&bytes);
    bs_buf_deinit(&again);
    return same;
}

static void run(const char *writer_text, const char *reader_text, const char *hex)
{
    struct sd_schema *writer = NULL, *reader = NULL;
    struct sd_resolver *resolver = NULL;
    struct bs_buf bytes = BS_BUF_INIT, text = BS_BUF_INIT;
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_error err = {0};
    struct sd_value value;
    bytes_of(hex, &bytes);
    if (schema_of(writer_text, &writer, &err) < 0 || schema_of(reader_text, &reader, &err) < 0 ||
        sd_resolver_new(writer, reader, &resolver, &err) < 0 ||
        sd_resolver_read(resolver, bs_buf_bytes(&bytes), &arena, &value, &err) < 0 ||
        sd_avro_json_write(sd_schema_root(reader), &value, &text, &err) < 0)
        printf("! %s\n", err.text);
    else if (!comes_back(sd_schema_root(reader), &text, &arena, &err))
        printf("? %s: %s\n", err.text, bs_buf_text(&text));
    else
        printf("%s\n", bs_buf_text(&text));
    sd_resolver_free(resolver);
    sd_schema_unref(writer);
    sd_schema_unref(reader);
    bs_buf_deinit(&bytes);
    bs_buf_deinit(&text);
    bs_arena_deinit(&arena);
}

int main(void)
{
    char *line = NULL;
    size_t cap = 0;
    while (getline(&line, &cap, stdin) > 0) {
        char *rest = line, *writer = strsep(&rest, "\t\n"), *reader = strsep(&rest, "\t\n");
        const char *hex = strsep(&rest, "\t\n");
        run(writer, reader ? reader : "", hex ? hex : "");
    }
    free(line);
    return 0;
}
