/* Compatibility: every pair of tests/golden/avro-compat/vectors.json and every history of
 * levels.json, with all problems and messages in order. */
#include "schema-registry/compat_avro.h"

#include "lib/serde/golden_test.h"

static void test_pairs(void **state)
{
    struct golden g;
    (void)state;
    golden_open(&g, "vectors.json");
    for (size_t i = 0; i < g.rows.array.count; i++) {
        const struct sd_value *row = &g.rows.array.items[i];
        const char *name = golden_name(&g, row);
        const struct sd_value *details = golden_get(row, "details");
        struct sd_schema *reader = golden_schema(golden_get(row, "reader"), name);
        struct sd_schema *writer = golden_schema(golden_get(row, "writer"), name);
        struct bs_arena arena = BS_ARENA_INIT;
        struct sd_problems problems;
        sd_compat(reader, writer, SD_COMPAT_AVRO, &arena, &problems);
        if ((problems.count == 0) != golden_get(row, "compatible")->boolean)
            fail_msg("%s: %zu problems", name, problems.count);
        if (problems.count && !bs_bytes_is(golden_get(row, "incompatibility")->bytes,
                                           sd_problem_name(problems.items[0].type)))
            fail_msg("%s: first is %s", name, sd_problem_name(problems.items[0].type));
        if (details && details->type == SD_ARRAY) {
            if (details->array.count != problems.count)
                fail_msg("%s: %zu problems instead of %zu", name, problems.count,
                         details->array.count);
            for (size_t k = 0; k < problems.count; k++) {
                const struct sd_value *want = &details->array.items[k];
                const struct sd_problem *got = &problems.items[k];
                if (!bs_bytes_is(golden_get(want, "type")->bytes, sd_problem_name(got->type)) ||
                    !bs_bytes_is(golden_get(want, "path")->bytes, got->path) ||
                    !bs_bytes_is(golden_get(want, "info")->bytes, got->info))
                    fail_msg("%s: problem %zu is %s at %s: %s", name, k, sd_problem_name(got->type),
                             got->path, got->info);
            }
        }
        bs_arena_deinit(&arena);
        sd_schema_unref(reader);
        sd_schema_unref(writer);
    }
    golden_close(&g);
}

/* A *_TRANSITIVE list is left out of the file when it equals the plain one. */
static const struct sd_value *wanted_messages(const struct sd_value *row, const char *level)
{
    const struct sd_value *lists = golden_get(row, "messages");
    const struct sd_value *list = golden_get(lists, level);
    const char *end = strstr(level, "_TRANSITIVE");
    if (list == NULL && end)
        list = sd_value_get(lists, bs_bytes(level, (size_t)(end - level)));
    return list;
}

static void check_level(const char *name, const struct sd_value *row,
                        const struct sd_schema *schema, const struct sr_compat_old *olds,
                        size_t count, enum sr_level level)
{
    const struct sd_value *want = wanted_messages(row, sr_level_name(level));
    struct bs_arena arena = BS_ARENA_INIT;
    const char **messages;
    size_t message_count, steps = SD_COMPAT_STEPS_MAX;
    bool fine = sr_compat_check(schema, olds, count, level, SD_COMPAT_AVRO, &steps, &arena,
                                &messages, &message_count);
    if (fine != golden_get(golden_get(row, "compatible"), sr_level_name(level))->boolean)
        fail_msg("%s %s: %d", name, sr_level_name(level), fine);
    if (fine) {
        assert_int_equal(message_count, 0);
        bs_arena_deinit(&arena);
        return;
    }
    assert_non_null(want);
    if (want->array.count != message_count)
        fail_msg("%s %s: %zu messages instead of %zu", name, sr_level_name(level), message_count,
                 want->array.count);
    for (size_t i = 0; i < message_count; i++)
        if (!bs_bytes_is(want->array.items[i].bytes, messages[i]))
            fail_msg("%s %s: message %zu\n got  %s\n want %.*s", name, sr_level_name(level), i,
                     messages[i], (int)want->array.items[i].bytes.len,
                     (const char *)want->array.items[i].bytes.ptr);
    bs_arena_deinit(&arena);
}

static void test_levels(void **state)
{
    struct golden g;
    (void)state;
    golden_open(&g, "levels.json");
    for (size_t i = 0; i < g.rows.array.count; i++) {
        const struct sd_value *row = &g.rows.array.items[i];
        const struct sd_value *history = golden_get(row, "history");
        const char *name = golden_name(&g, row);
        struct sd_schema *schema = golden_schema(golden_get(row, "new"), name);
        size_t count = history->array.count;
        struct sr_compat_old olds[16] = {0};
        assert_true(count <= 16);
        for (size_t k = 0; k < count; k++) /* newest first */
            olds[k].schema = golden_schema(&history->array.items[count - 1 - k], name);
        for (int level = SR_NONE; level <= SR_FULL_TRANSITIVE; level++)
            check_level(name, row, schema, olds, count, (enum sr_level)level);
        for (size_t k = 0; k < count; k++)
            sd_schema_unref((struct sd_schema *)olds[k].schema);
        sd_schema_unref(schema);
    }
    golden_close(&g);
}

static void test_level_names(void **state)
{
    (void)state;
    assert_int_equal(sr_level_parse("full_Transitive"), SR_FULL_TRANSITIVE);
    assert_int_equal(sr_level_parse(""), SR_LEVEL_UNSET);
    assert_string_equal(sr_level_name(SR_FORWARD), "FORWARD");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_level_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
