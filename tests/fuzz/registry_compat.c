/* Compatibility: a reader's schema and a writer's, separated by a NUL. A schema reads its own data;
 * every problem has a place and a reason; a level has the verdict of its directions. */
#include "schema-registry/compat_avro.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t problems(const struct sd_schema *reader, const struct sd_schema *writer,
                       enum sd_compat_rules rules)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct sd_problems found = {0};
    size_t count;
    sd_compat(reader, writer, rules, &arena, &found);
    for (size_t i = 0; i < found.count; i++)
        if (found.items[i].path[0] != '/' || found.items[i].info == NULL ||
            sd_problem_name(found.items[i].type) == NULL)
            abort();
    count = found.count;
    bs_arena_deinit(&arena);
    return count;
}

static void check_self(const struct sd_schema *schema)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct sd_problems found = {0};
    sd_compat(schema, schema, SD_COMPAT_LOGICAL, &arena, &found);
    if (found.count && found.items[0].type != SD_UNDECIDED)
        abort();
    bs_arena_deinit(&arena);
}

static void check_level(const struct sd_schema *own, const struct sd_schema *other,
                        enum sr_level level, enum sd_compat_rules rules, bool wanted)
{
    struct sr_compat_old old = {.schema = other, .version = 1};
    struct bs_arena arena = BS_ARENA_INIT;
    const char **messages;
    size_t count, steps = SD_COMPAT_STEPS_MAX * 2; /* FULL compares twice */
    bool fine = sr_compat_check(own, &old, 1, level, rules, &steps, &arena, &messages, &count);
    if (fine != wanted || fine != (count == 0))
        abort();
    bs_arena_deinit(&arena);
}

static void check_pair(const struct sd_schema *own, const struct sd_schema *other,
                       enum sd_compat_rules rules)
{
    bool backward = problems(own, other, rules) == 0, forward = problems(other, own, rules) == 0;
    check_level(own, other, SR_NONE, rules, true);
    check_level(own, other, SR_BACKWARD, rules, backward);
    check_level(own, other, SR_FORWARD_TRANSITIVE, rules, forward);
    check_level(own, other, SR_FULL, rules, backward && forward);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memchr(data, 0, size) : NULL;
    struct sd_schema *own, *other;
    size_t len;
    if (end == NULL)
        return 0;
    len = (size_t)(end - data);
    if (sd_schema_parse(bs_bytes(data, len), false, NULL, 0, &own, NULL) < 0)
        return 0;
    if (sd_schema_parse(bs_bytes(end + 1, size - len - 1), false, NULL, 0, &other, NULL) == 0) {
        check_self(own);
        check_pair(own, other, SD_COMPAT_AVRO);
        check_pair(own, other, SD_COMPAT_LOGICAL);
        if (problems(own, other, SD_COMPAT_LOGICAL) < problems(own, other, SD_COMPAT_AVRO))
            abort(); /* the stricter rules find what the others do, and more */
        sd_schema_unref(other);
    }
    sd_schema_unref(own);
    return 0;
}
