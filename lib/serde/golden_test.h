/* Golden files: tests/golden/avro-compat/<file>, read with the reader under test. Tests run in the
 * source directory. */
#ifndef WEIR_SERDE_GOLDEN_TEST_H
#define WEIR_SERDE_GOLDEN_TEST_H

#include "lib/serde/avro.h"
#include "lib/serde/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct golden {
    struct bs_arena arena;
    struct sd_value rows;
};

static inline void golden_open(struct golden *g, const char *file)
{
    struct bs_buf text = BS_BUF_INIT;
    struct bs_error err = {0};
    char path[256];
    FILE *f;
    size_t n;
    snprintf(path, sizeof path, "tests/golden/avro-compat/%s", file);
    f = fopen(path, "r");
    if (f == NULL)
        fail_msg("cannot open %s (run in the source directory)", path);
    do {
        n = fread(bs_buf_reserve(&text, 65536), 1, 65536, f);
        text.len += n;
    } while (n);
    fclose(f);
    bs_arena_init(&g->arena);
    if (sd_json_read(bs_buf_bytes(&text), &g->arena, &g->rows, &err) < 0)
        fail_msg("%s: %s", path, err.text);
    assert_int_equal(g->rows.type, SD_ARRAY);
    assert_true(g->rows.array.count > 0);
    bs_buf_deinit(&text);
}

static inline void golden_close(struct golden *g)
{
    bs_arena_deinit(&g->arena);
}

static inline const struct sd_value *golden_get(const struct sd_value *row, const char *name)
{
    return sd_value_get(row, bs_bytes_text(name));
}

static inline const char *golden_name(struct golden *g, const struct sd_value *row)
{
    struct bs_bytes name = golden_get(row, "name")->bytes;
    return bs_arena_strndup(&g->arena, (const char *)name.ptr, name.len);
}

/* A schema given as JSON in a golden file. */
static inline struct sd_schema *golden_schema(const struct sd_value *json, const char *name)
{
    struct bs_buf text = BS_BUF_INIT;
    struct bs_error err = {0};
    struct sd_schema *schema = NULL;
    if (sd_json_write(json, false, &text, &err) < 0 ||
        sd_schema_parse(bs_buf_bytes(&text), false, NULL, 0, &schema, &err) < 0)
        fail_msg("%s: %s", name, err.text);
    bs_buf_deinit(&text);
    return schema;
}

#endif
