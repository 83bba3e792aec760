/* Compatibility of Avro schemas: see compat.h. The clauses named below are those of the Avro
 * specification 1.12, "Schema Resolution".
 *
 * A pair of types under comparison counts as compatible when it is met again (recursion). A pair
 * that is met again later gives the problems found the first time, at the place found first. */
#include "lib/serde/compat.h"

#include "lib/base/mem.h"
#include "lib/serde/schema_model.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEPTH_MAX = 1000,
    KEPT_MAX = 100000,
    COPIES_A_STEP = 16,
    TEXT_STEPS = 8, /* what a problem's text takes, and one more for every so many bytes */
};

struct path {
    const struct path *up; /* NULL: the root */
    const char *name;      /* NULL: index */
    size_t index;
};

/* Two types that were compared, or are being compared. */
struct pair {
    uint64_t key; /* indexes of the reader's and the writer's node */
    bool done;
    struct sd_problems problems;
};

struct check {
    struct bs_arena *arena;
    enum sd_compat_rules rules;
    struct pair *pairs;
    uint32_t *table; /* index + 1 into pairs, by hash of the key; its size is a power of two */
    size_t pair_count, pair_cap, table_cap;
    size_t steps_max, steps, text, kept; /* kept: problems of done pairs */
    unsigned depth;
};

static const struct path root = {0};

static void compare(struct check *c, const struct sd_node *reader, const struct sd_node *writer,
                    const struct path *path, struct sd_problems *out);
static const struct pair *pair_of(const struct check *c, const struct sd_node *reader,
                                  const struct sd_node *writer);

const char *sd_problem_name(enum sd_problem_type type)
{
    static const char *const names[] = {
        [SD_TYPE_MISMATCH] = "TYPE_MISMATCH",
        [SD_NAME_MISMATCH] = "NAME_MISMATCH",
        [SD_FIXED_SIZE_MISMATCH] = "FIXED_SIZE_MISMATCH",
        [SD_MISSING_ENUM_SYMBOLS] = "MISSING_ENUM_SYMBOLS",
        [SD_MISSING_UNION_BRANCH] = "MISSING_UNION_BRANCH",
        [SD_READER_FIELD_MISSING_DEFAULT_VALUE] = "READER_FIELD_MISSING_DEFAULT_VALUE",
        [SD_UNDECIDED] = "EXCEPTION",
        [SD_DECIMAL_MISMATCH] = "DECIMAL_MISMATCH",
        [SD_LOGICAL_TYPE_MISMATCH] = "LOGICAL_TYPE_MISMATCH",
    };
    return names[type];
}

static const char *kind_name(const struct sd_node *node)
{
    static const char *const names[] = {
        [SD_AVRO_NULL] = "NULL",   [SD_AVRO_BOOLEAN] = "BOOLEAN", [SD_AVRO_INT] = "INT",
        [SD_AVRO_LONG] = "LONG",   [SD_AVRO_FLOAT] = "FLOAT",     [SD_AVRO_DOUBLE] = "DOUBLE",
        [SD_AVRO_BYTES] = "BYTES", [SD_AVRO_STRING] = "STRING",   [SD_AVRO_RECORD] = "RECORD",
        [SD_AVRO_ENUM] = "ENUM",   [SD_AVRO_ARRAY] = "ARRAY",     [SD_AVRO_MAP] = "MAP",
        [SD_AVRO_UNION] = "UNION", [SD_AVRO_FIXED] = "FIXED",
    };
    return names[node->kind];
}

static const char *logical_name(const struct sd_node *node)
{
    static const char *const names[] = {
        [SD_LOGICAL_NONE] = "none",
        [SD_LOGICAL_DECIMAL] = "decimal",
        [SD_LOGICAL_UUID] = "uuid",
        [SD_LOGICAL_DATE] = "date",
        [SD_LOGICAL_TIME_MILLIS] = "time-millis",
        [SD_LOGICAL_TIME_MICROS] = "time-micros",
        [SD_LOGICAL_TIMESTAMP_MILLIS] = "timestamp-millis",
        [SD_LOGICAL_TIMESTAMP_MICROS] = "timestamp-micros",
        [SD_LOGICAL_TIMESTAMP_NANOS] = "timestamp-nanos",
        [SD_LOGICAL_LOCAL_TIMESTAMP_MILLIS] = "local-timestamp-millis",
        [SD_LOGICAL_LOCAL_TIMESTAMP_MICROS] = "local-timestamp-micros",
        [SD_LOGICAL_LOCAL_TIMESTAMP_NANOS] = "local-timestamp-nanos",
        [SD_LOGICAL_DURATION] = "duration",
    };
    return names[node->logical];
}

static void put_path(struct bs_buf *out, const struct path *path)
{
    if (path->up == NULL)
        return;
    put_path(out, path->up);
    if (path->name)
        bs_buf_printf(out, "/%s", path->name);
    else
        bs_buf_printf(out, "/%zu", path->index);
}

static void push(struct sd_problems *out, const struct sd_problem *problem)
{
    if (out->count == out->cap) {
        out->cap = out->cap ? out->cap * 2 : 1;
        out->items = bs_realloc(out->items, out->cap * sizeof *out->items);
    }
    out->items[out->count++] = *problem;
}

/* Every list keeps its first problem, so that it says no; further ones while there is room. */
static bool room(const struct check *c, const struct sd_problems *out)
{
    return out->count == 0 || (out->count < SD_COMPAT_PROBLEMS_MAX && c->text < SD_COMPAT_TEXT_MAX);
}

static void copy_problems(struct check *c, const struct sd_problems *from, struct sd_problems *out)
{
    size_t i = 0;
    for (; i < from->count && room(c, out); i++)
        push(out, &from->items[i]);
    c->steps += i / COPIES_A_STEP;
}

static const char *cut(const char *text, size_t *ret_len)
{
    size_t len = strnlen(text, SD_COMPAT_INFO_MAX + 1);
    if (len > SD_COMPAT_INFO_MAX) {
        len = SD_COMPAT_INFO_MAX;
        while (len && ((uint8_t)text[len] & 0xc0) == 0x80) /* not inside a character */
            len--;
    }
    *ret_len = len;
    return text;
}

static void add(struct check *c, struct sd_problems *out, enum sd_problem_type type,
                const struct path *path, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

static void add(struct check *c, struct sd_problems *out, enum sd_problem_type type,
                const struct path *path, const char *fmt, ...)
{
    struct bs_buf text = BS_BUF_INIT;
    struct sd_problem problem = {.type = type, .path = "/", .info = ""};
    size_t len;
    va_list ap;
    bool cut_short = type == SD_UNDECIDED && out->count && /* always told, once */
                     out->items[out->count - 1].type != SD_UNDECIDED;
    if (!room(c, out) && !cut_short)
        return;
    if (c->text < SD_COMPAT_TEXT_MAX) {
        put_path(&text, path);
        c->text += text.len;
        if (text.len)
            problem.path = bs_arena_strndup(c->arena, (const char *)text.data, text.len);
        bs_buf_reset(&text);
        va_start(ap, fmt);
        bs_buf_vprintf(&text, fmt, ap);
        va_end(ap);
        cut(bs_buf_text(&text), &len);
        problem.info = bs_arena_strndup(c->arena, bs_buf_text(&text), len);
        c->text += len;
        c->steps += TEXT_STEPS + text.len / TEXT_STEPS;
    }
    push(out, &problem);
    bs_buf_deinit(&text);
}

/* No more is looked at; what was running is undecided, so a check that is cut short never says yes.
 */
static bool spent(const struct check *c)
{
    return c->steps > c->steps_max || c->pair_count > SD_COMPAT_PAIRS_MAX;
}

static void add_undecided(struct check *c, const struct path *path, struct sd_problems *out)
{
    add(c, out, SD_UNDECIDED, path, "the schemas are too large to be compared");
}

/* "both schemas are … whose (unqualified) names match"; "aliases": a reader's alias may be the
 * writer's full name. */
static bool names_fit(struct check *c, const struct sd_node *reader, const struct sd_node *writer)
{
    if (strcmp(sd_more(reader)->base, sd_more(writer)->base) == 0)
        return true;
    c->steps += reader->alias_count;
    for (size_t i = 0; i < reader->alias_count; i++)
        if (strcmp(reader->aliases[i], writer->name) == 0)
            return true;
    return false;
}

static void check_names(struct check *c, const struct sd_node *reader, const struct sd_node *writer,
                        const struct path *path, struct sd_problems *out)
{
    struct path here = {.up = path, .name = "name"};
    if (!names_fit(c, reader, writer))
        add(c, out, SD_NAME_MISMATCH, &here, "expected: %s", writer->name);
}

/* "both schemas are fixed whose sizes … match" */
static void check_size(struct check *c, const struct sd_node *reader, const struct sd_node *writer,
                       const struct path *path, struct sd_problems *out)
{
    struct path here = {.up = path, .name = "size"};
    if (reader->size != writer->size)
        add(c, out, SD_FIXED_SIZE_MISMATCH, &here, "expected: %zu, found: %zu", writer->size,
            reader->size);
}

static int text_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool has_symbol(const char **sorted, size_t count, const char *symbol)
{
    return count && bsearch(&symbol, sorted, count, sizeof *sorted, text_compare);
}

/* "if the writer's symbol is not present in the reader's enum and the reader has a default value,
 * then that value is used, otherwise an error is signalled" */
static void check_symbols(struct check *c, const struct sd_node *reader,
                          const struct sd_node *writer, const struct path *path,
                          struct sd_problems *out)
{
    struct path here = {.up = path, .name = "symbols"};
    const char **known, **wanted;
    struct bs_buf missing = BS_BUF_INIT;
    if (reader->enum_default)
        return;
    c->steps += reader->symbol_count + writer->symbol_count;
    known = bs_memdup(reader->symbols, reader->symbol_count * sizeof *known);
    wanted = bs_memdup(writer->symbols, writer->symbol_count * sizeof *wanted);
    qsort(known, reader->symbol_count, sizeof *known, text_compare);
    qsort(wanted, writer->symbol_count, sizeof *wanted, text_compare);
    for (size_t i = 0; i < writer->symbol_count; i++)
        if (!has_symbol(known, reader->symbol_count, wanted[i]))
            bs_buf_printf(&missing, "%s%s", missing.len ? ", " : "[", wanted[i]);
    if (missing.len) {
        bs_buf_puts(&missing, "]");
        add(c, out, SD_MISSING_ENUM_SYMBOLS, &here, "%s", bs_buf_text(&missing));
    }
    bs_buf_deinit(&missing);
    bs_free(known);
    bs_free(wanted);
}

/* The writer's field of that name or of one of the reader's aliases: index, -1 none, -2 several. */
static int writer_field(const struct sd_node *writer, const struct sd_schema_field *field)
{
    int found = sd_node_field(writer, bs_bytes_text(field->name));
    for (size_t i = 0; i < field->alias_count; i++) {
        int at = sd_node_field(writer, bs_bytes_text(field->aliases[i]));
        if (at >= 0 && found >= 0)
            return -2;
        if (at >= 0)
            found = at;
    }
    return found;
}

/* "if the reader's record schema has a field that contains a default value, and writer's schema
 * does not have a field with the same name, then the reader should use the default value"; without
 * one "an error is signalled". Other fields: recursively. More fields of the writer are ignored. */
static void check_fields(struct check *c, const struct sd_node *reader,
                         const struct sd_node *writer, const struct path *path,
                         struct sd_problems *out)
{
    struct path fields = {.up = path, .name = "fields"};
    for (size_t i = 0; i < reader->field_count && !spent(c); i++) {
        const struct sd_schema_field *field = &reader->fields[i];
        struct path here = {.up = &fields, .index = i};
        struct path type = {.up = &here, .name = "type"};
        int at = writer_field(writer, field);
        c->steps += 1 + field->alias_count;
        if (at >= 0)
            compare(c, field->type, writer->fields[at].type, &type, out);
        else if (at == -2)
            add(c, out, SD_UNDECIDED, &here,
                "Reader record field %s matches multiple fields in writer record schema %s",
                field->name, writer->name);
        else if (field->default_value)
            continue;
        else if (field->type->kind == SD_AVRO_ENUM && field->type->enum_default)
            compare(c, field->type, writer, &type, out); /* as Java: always a mismatch */
        else
            add(c, out, SD_READER_FIELD_MISSING_DEFAULT_VALUE, &here, "%s", field->name);
    }
}

static bool of_logical_types(const struct sd_problems *problems)
{
    for (size_t i = 0; i < problems->count; i++)
        if (problems->items[i].type != SD_DECIMAL_MISMATCH &&
            problems->items[i].type != SD_LOGICAL_TYPE_MISMATCH)
            return false;
    return problems->count > 0;
}

/* "the writer's schema may be promoted to the reader's" */
static bool promotes(enum sd_avro writer, enum sd_avro reader)
{
    switch (reader) {
    case SD_AVRO_LONG:
        return writer == SD_AVRO_INT;
    case SD_AVRO_FLOAT:
        return writer == SD_AVRO_INT || writer == SD_AVRO_LONG;
    case SD_AVRO_DOUBLE:
        return writer == SD_AVRO_INT || writer == SD_AVRO_LONG || writer == SD_AVRO_FLOAT;
    case SD_AVRO_BYTES:
        return writer == SD_AVRO_STRING;
    case SD_AVRO_STRING:
        return writer == SD_AVRO_BYTES;
    default:
        return false;
    }
}

/* Can they fit at all, by kind and name? Unions: that has to be seen. */
static bool may_fit(struct check *c, const struct sd_node *reader, const struct sd_node *writer)
{
    if (reader->kind == writer->kind)
        return reader->name == NULL || names_fit(c, reader, writer);
    return reader->kind == SD_AVRO_UNION || writer->kind == SD_AVRO_UNION ||
           promotes(writer->kind, reader->kind);
}

/* Is there a branch of the reader (itself, if it is no union) that reads the writer's type? If only
 * logical types part one from it, that is what is told; else the missing branch. */
static void check_branch(struct check *c, const struct sd_node *reader,
                         const struct sd_node *writer, const struct path *path,
                         struct sd_problems *out)
{
    bool is_union = reader->kind == SD_AVRO_UNION;
    struct sd_problems nearest = {0};
    bool found = false;
    for (size_t i = 0; i < (is_union ? reader->branch_count : 1) && !found && !spent(c); i++) {
        const struct sd_node *branch = is_union ? reader->branches[i] : reader;
        struct sd_problems inner = {0};
        const struct pair *known;
        if (!may_fit(c, branch, writer)) {
            c->steps++;
            continue;
        }
        known = pair_of(c, branch, writer);
        if (known && known->done && known->problems.count) { /* seen without a list of its own */
            c->steps++;
            if (nearest.count == 0 && of_logical_types(&known->problems))
                copy_problems(c, &known->problems, &nearest);
            continue;
        }
        compare(c, branch, writer, path, &inner);
        found = inner.count == 0;
        if (nearest.count == 0 && of_logical_types(&inner)) {
            nearest = inner;
            inner = (struct sd_problems){0};
        }
        bs_free(inner.items);
    }
    if (!found)
        copy_problems(c, &nearest, out);
    if (!found && spent(c))
        add_undecided(c, path, out);
    else if (!found && nearest.count == 0)
        add(c, out, SD_MISSING_UNION_BRANCH, path, "reader union lacking writer type: %s",
            kind_name(writer));
    bs_free(nearest.items);
}

/* "if both are unions: the first schema in the reader's union that matches the selected writer's
 * union schema is recursively resolved against it. If none match, an error is signalled" */
static void check_unions(struct check *c, const struct sd_node *reader,
                         const struct sd_node *writer, const struct path *path,
                         struct sd_problems *out)
{
    for (size_t i = 0; i < writer->branch_count && !spent(c); i++) {
        struct path here = {.up = path, .index = i};
        check_branch(c, reader, writer->branches[i], &here, out);
    }
}

/* "two schemas that are decimal logical types match if their scales and precisions match" */
static void check_logical(struct check *c, const struct sd_node *reader,
                          const struct sd_node *writer, const struct path *path,
                          struct sd_problems *out)
{
    if (c->rules != SD_COMPAT_LOGICAL)
        return;
    if (reader->logical != writer->logical)
        add(c, out, SD_LOGICAL_TYPE_MISMATCH, path,
            "reader logical type: %s not compatible with writer logical type: %s",
            logical_name(reader), logical_name(writer));
    else if (reader->logical == SD_LOGICAL_DECIMAL &&
             (reader->precision != writer->precision || reader->scale != writer->scale))
        add(c, out, SD_DECIMAL_MISMATCH, path, "expected: decimal(%d,%d), found: decimal(%d,%d)",
            writer->precision, writer->scale, reader->precision, reader->scale);
}

/* Kinds differ. "if writer's is a union, but reader's is not: if the reader's schema matches the
 * selected writer's schema" – any may be selected, so all must match. "if reader's is a union, but
 * writer's is not: the first schema in the reader's union that matches the writer's schema". */
static void compare_kinds(struct check *c, const struct sd_node *reader,
                          const struct sd_node *writer, const struct path *path,
                          struct sd_problems *out)
{
    if (writer->kind == SD_AVRO_UNION) {
        for (size_t i = 0; i < writer->branch_count && !spent(c); i++) {
            struct path here = {.up = path, .index = i};
            compare(c, reader, writer->branches[i], &here, out);
        }
        return;
    }
    if (reader->kind == SD_AVRO_UNION) {
        check_branch(c, reader, writer, path, out);
        return;
    }
    if (!promotes(writer->kind, reader->kind))
        add(c, out, SD_TYPE_MISMATCH, path, "reader type: %s not compatible with writer type: %s",
            kind_name(reader), kind_name(writer));
    else
        check_logical(c, reader, writer, path, out);
}

static void compare_new(struct check *c, const struct sd_node *reader, const struct sd_node *writer,
                        const struct path *path, struct sd_problems *out)
{
    struct path items = {.up = path, .name = reader->kind == SD_AVRO_MAP ? "values" : "items"};
    if (reader->kind != writer->kind) {
        compare_kinds(c, reader, writer, path, out);
        return;
    }
    switch (reader->kind) {
    case SD_AVRO_ARRAY:
    case SD_AVRO_MAP:
        compare(c, reader->items, writer->items, &items, out);
        return;
    case SD_AVRO_FIXED:
        check_names(c, reader, writer, path, out);
        check_size(c, reader, writer, path, out);
        check_logical(c, reader, writer, path, out);
        return;
    case SD_AVRO_ENUM:
        check_names(c, reader, writer, path, out);
        check_symbols(c, reader, writer, path, out);
        return;
    case SD_AVRO_RECORD:
        check_names(c, reader, writer, path, out);
        check_fields(c, reader, writer, path, out);
        return;
    case SD_AVRO_UNION:
        check_unions(c, reader, writer, path, out);
        return;
    default: /* the same primitive */
        check_logical(c, reader, writer, path, out);
        return;
    }
}

static size_t key_slot(const struct check *c, uint64_t key)
{
    return (size_t)((key * 0x9e3779b97f4a7c15u) >> 32) & (c->table_cap - 1);
}

/* The pair of that key, or NULL. */
static struct pair *pair_find(const struct check *c, uint64_t key)
{
    if (c->table_cap == 0)
        return NULL;
    for (size_t at = key_slot(c, key); c->table[at]; at = (at + 1) & (c->table_cap - 1))
        if (c->pairs[c->table[at] - 1].key == key)
            return &c->pairs[c->table[at] - 1];
    return NULL;
}

static const struct pair *pair_of(const struct check *c, const struct sd_node *reader,
                                  const struct sd_node *writer)
{
    return pair_find(c, (uint64_t)reader->index << 32 | writer->index);
}

static void table_put(struct check *c, size_t index)
{
    size_t at = key_slot(c, c->pairs[index].key);
    while (c->table[at])
        at = (at + 1) & (c->table_cap - 1);
    c->table[at] = (uint32_t)index + 1;
}

/* Pairs move when more are added: they are known by their index. */
static size_t pair_add(struct check *c, uint64_t key)
{
    if (c->pair_count == c->pair_cap) {
        c->pair_cap = c->pair_cap ? c->pair_cap * 2 : 64;
        c->pairs = bs_realloc(c->pairs, c->pair_cap * sizeof *c->pairs);
        bs_free(c->table);
        c->table_cap = c->pair_cap * 2;
        c->table = bs_zalloc(c->table_cap * sizeof *c->table);
        for (size_t i = 0; i < c->pair_count; i++)
            table_put(c, i);
    }
    c->pairs[c->pair_count] = (struct pair){.key = key};
    table_put(c, c->pair_count);
    return c->pair_count++;
}

static void compare_pair(struct check *c, const struct sd_node *reader,
                         const struct sd_node *writer, uint64_t key, const struct path *path,
                         struct sd_problems *out)
{
    size_t index = pair_add(c, key);
    struct sd_problems found = {0};
    c->depth++;
    if (c->depth <= DEPTH_MAX)
        compare_new(c, reader, writer, path, &found);
    if (c->depth > DEPTH_MAX || spent(c))
        add_undecided(c, path, &found);
    c->depth--;
    copy_problems(c, &found, out);
    if (found.count > 1 && c->kept + found.count > KEPT_MAX) {
        found.count = found.cap = 1;
        found.items = bs_realloc(found.items, sizeof *found.items);
    }
    c->kept += found.count;
    c->pairs[index].problems = found;
    c->pairs[index].done = true;
}

static void compare(struct check *c, const struct sd_node *reader, const struct sd_node *writer,
                    const struct path *path, struct sd_problems *out)
{
    uint64_t key = (uint64_t)reader->index << 32 | writer->index;
    const struct pair *pair;
    c->steps++;
    if (spent(c)) {
        add_undecided(c, path, out);
        return;
    }
    if (reader->kind < SD_AVRO_RECORD && writer->kind < SD_AVRO_RECORD) {
        compare_new(c, reader, writer, path, out);
        return;
    }
    pair = pair_find(c, key);
    if (pair == NULL)
        compare_pair(c, reader, writer, key, path, out);
    else if (pair->done)
        copy_problems(c, &pair->problems, out);
}

void sd_compat_within(const struct sd_schema *reader, const struct sd_schema *writer,
                      enum sd_compat_rules rules, size_t *steps, struct bs_arena *arena,
                      struct sd_problems *ret)
{
    struct check c = {.arena = arena, .rules = rules, .steps_max = SD_COMPAT_STEPS_MAX};
    struct sd_problems found = {0};
    if (c.steps_max > *steps)
        c.steps_max = *steps;
    compare(&c, sd_schema_root(reader), sd_schema_root(writer), &root, &found);
    for (size_t i = 0; i < c.pair_count; i++)
        bs_free(c.pairs[i].problems.items);
    bs_free(c.pairs);
    bs_free(c.table);
    *ret = (struct sd_problems){
        .items = bs_arena_dup(arena, found.items, found.count * sizeof *found.items),
        .count = found.count,
        .cap = found.count,
        .steps = c.steps};
    *steps -= c.steps < *steps ? c.steps : *steps;
    bs_free(found.items);
}

void sd_compat(const struct sd_schema *reader, const struct sd_schema *writer,
               enum sd_compat_rules rules, struct bs_arena *arena, struct sd_problems *ret)
{
    size_t steps = SD_COMPAT_STEPS_MAX;
    sd_compat_within(reader, writer, rules, &steps, arena, ret);
}
