/* Compatibility messages: levels over versions, and the sentences of a verbose check. The texts are
 * Confluent's word for word; tools parse them. */
#include "lib/base/mem.h"
#include "schema-registry/compat_avro.h"

#include <string.h>

enum { OLD_SCHEMA_MAX = 10 * 1024 };

struct messages {
    struct bs_arena *arena;
    enum sd_compat_rules rules;
    size_t *steps; /* left */
    const char **items;
    size_t count, cap;
};

static void push(struct messages *m, const char *text)
{
    if (m->count == m->cap) {
        m->cap = m->cap ? m->cap * 2 : 8;
        m->items = bs_realloc(m->items, m->cap * sizeof *m->items);
    }
    m->items[m->count++] = text;
}

static const char *description(struct bs_arena *arena, const struct sd_problem *p, const char *own,
                               const char *other)
{
    switch (p->type) {
    case SD_TYPE_MISMATCH:
        return bs_arena_printf(arena,
                               "The type (path '%s') of a field in the %s schema does not match "
                               "with the %s schema",
                               p->path, own, other);
    case SD_NAME_MISMATCH:
        return bs_arena_printf(arena, "The name of the schema has changed (path '%s')", p->path);
    case SD_FIXED_SIZE_MISMATCH:
        return bs_arena_printf(arena,
                               "The size of FIXED type field at path '%s' in the %s schema does "
                               "not match with the %s schema",
                               p->path, own, other);
    case SD_MISSING_ENUM_SYMBOLS:
        return bs_arena_printf(arena,
                               "The %s schema is missing enum symbols '%s' at path '%s' in the %s "
                               "schema",
                               own, p->info, p->path, other);
    case SD_MISSING_UNION_BRANCH:
        return bs_arena_printf(arena,
                               "The %s schema is missing a type inside a union field at path '%s' "
                               "in the %s schema",
                               own, p->path, other);
    case SD_READER_FIELD_MISSING_DEFAULT_VALUE:
        return bs_arena_printf(arena,
                               "The field '%s' at path '%s' in the %s schema has no default value "
                               "and is missing in the %s schema",
                               p->info, p->path, own, other);
    case SD_DECIMAL_MISMATCH:
        return bs_arena_printf(arena,
                               "The precision or scale of the decimal at path '%s' in the %s "
                               "schema does not match with the %s schema",
                               p->path, own, other);
    case SD_LOGICAL_TYPE_MISMATCH:
        return bs_arena_printf(arena,
                               "The logical type at path '%s' in the %s schema does not match with "
                               "the %s schema",
                               p->path, own, other);
    case SD_UNDECIDED:
        return bs_arena_printf(arena, "Unexpected exception during compatibility check at '%s'",
                               p->path);
    }
    return "";
}

/* Problems of reading `writer` with `reader`; how many. `own` is what the reader is: "new", "old".
 */
static size_t push_problems(struct messages *m, const struct sd_schema *reader,
                            const struct sd_schema *writer, const char *own, const char *other)
{
    struct sd_problems problems = {0};
    sd_compat_within(reader, writer, m->rules, m->steps, m->arena, &problems);
    for (size_t i = 0; i < problems.count; i++) {
        const struct sd_problem *p = &problems.items[i];
        push(m, bs_arena_printf(m->arena, "{errorType:'%s', description:'%s', additionalInfo:'%s'}",
                                sd_problem_name(p->type), description(m->arena, p, own, other),
                                p->info));
    }
    return problems.count;
}

static void push_old_schema(struct messages *m, const struct sd_schema *old)
{
    struct bs_buf text = BS_BUF_INIT;
    sd_schema_text(old, false, &text);
    if (text.len > OLD_SCHEMA_MAX) {
        text.len = OLD_SCHEMA_MAX;
        while (text.len && (text.data[text.len] & 0xc0) == 0x80) /* not inside a character */
            text.len--;
    }
    push(m, bs_arena_printf(m->arena, "{oldSchema: '%s'}", bs_buf_text(&text)));
    bs_buf_deinit(&text);
}

/* true: no problems. */
static bool check_one(struct messages *m, const struct sd_schema *schema,
                      const struct sr_compat_old *old, enum sr_level level)
{
    bool forward = level == SR_FORWARD || level == SR_FORWARD_TRANSITIVE;
    bool full = level == SR_FULL || level == SR_FULL_TRANSITIVE;
    size_t before = m->count, backward_count = 0;
    if (forward || full)
        push_problems(m, old->schema, schema, "old", "new");
    if (!forward)
        backward_count = push_problems(m, schema, old->schema, "new", "old");
    if (m->count == before)
        return true;
    if (old->version)
        push(m, bs_arena_printf(m->arena, "{oldSchemaVersion: %d}", old->version));
    if (!full || backward_count) /* as Confluent's: FULL does not print it for forward alone */
        push_old_schema(m, old->schema);
    return false;
}

bool sr_compat_check(const struct sd_schema *schema, const struct sr_compat_old *olds,
                     size_t old_count, enum sr_level level, enum sd_compat_rules rules,
                     size_t *steps, struct bs_arena *arena, const char ***ret_messages,
                     size_t *ret_count)
{
    struct messages m = {.arena = arena, .rules = rules, .steps = steps};
    size_t most = sr_level_transitive(level) || old_count == 0 ? old_count : 1;
    bool fine = true;
    for (size_t i = 0; i < most && fine && level != SR_NONE; i++)
        fine = check_one(&m, schema, &olds[i], level);
    *ret_messages = bs_arena_dup(arena, m.items, m.count * sizeof *m.items);
    *ret_count = m.count;
    bs_free(m.items);
    return fine;
}
