/* Compatibility of Avro schemas: see compat.h. The clauses named below are those of the Avro
 * specification 1.12, "Schema Resolution".
 *
 * A pair of types under comparison counts as compatible when it is met again (recursion). A pair
 * that is met again later gives the problems found the first time, at the place found first. */
#include "lib/serde/compat.h"

#include "lib/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define uthash_malloc(size)    bs_alloc(size)
#define uthash_free(ptr, size) bs_free(ptr)
#include <uthash.h>

enum { DEPTH_MAX = 1000, PAIRS_MAX = 1000000, PROBLEMS_MAX = 1000 };

struct path {
    const struct path *up; /* NULL: the root */
    const char *name;      /* NULL: index */
    size_t index;
};

struct pair_key {
    const struct sd_node *reader, *writer;
};

struct pair {
    struct pair_key key;
    bool done;
    struct sd_problems problems;
    UT_hash_handle hh;
};

struct check {
    struct bs_arena *arena;
    struct pair *pairs;
    size_t pair_count;
    unsigned depth;
};

static const struct path root = {0};

static void compare(struct check *c, const struct sd_node *reader, const struct sd_node *writer,
                    const struct path *path, struct sd_problems *out);

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
    if (out->count == PROBLEMS_MAX)
        return;
    if (out->count == out->cap) {
        out->cap = out->cap ? out->cap * 2 : 8;
        out->items = bs_realloc(out->items, out->cap * sizeof *out->items);
    }
    out->items[out->count++] = *problem;
}

static void add(struct check *c, struct sd_problems *out, enum sd_problem_type type,
                const struct path *path, const char *info)
{
    struct bs_buf text = BS_BUF_INIT;
    struct sd_problem problem = {.type = type, .info = info};
    put_path(&text, path);
    if (text.len == 0)
        bs_buf_puts(&text, "/");
    problem.path = bs_arena_strndup(c->arena, (const char *)text.data, text.len);
    push(out, &problem);
    bs_buf_deinit(&text);
}

static const char *base_name(const char *full)
{
    const char *dot = strrchr(full, '.');
    return dot ? dot + 1 : full;
}

/* "both schemas are … whose (unqualified) names match"; "aliases": a reader's alias may be the
 * writer's full name. */
static void check_names(struct check *c, const struct sd_node *reader, const struct sd_node *writer,
                        const struct path *path, struct sd_problems *out)
{
    struct path here = {.up = path, .name = "name"};
    if (strcmp(base_name(reader->name), base_name(writer->name)) == 0)
        return;
    for (size_t i = 0; i < reader->alias_count; i++)
        if (strcmp(reader->aliases[i], writer->name) == 0)
            return;
    add(c, out, SD_NAME_MISMATCH, &here, bs_arena_printf(c->arena, "expected: %s", writer->name));
}

/* "both schemas are fixed whose sizes … match" */
static void check_size(struct check *c, const struct sd_node *reader, const struct sd_node *writer,
                       const struct path *path, struct sd_problems *out)
{
    struct path here = {.up = path, .name = "size"};
    if (reader->size != writer->size)
        add(c, out, SD_FIXED_SIZE_MISMATCH, &here,
            bs_arena_printf(c->arena, "expected: %zu, found: %zu", writer->size, reader->size));
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
    known = bs_memdup(reader->symbols, reader->symbol_count * sizeof *known);
    wanted = bs_memdup(writer->symbols, writer->symbol_count * sizeof *wanted);
    qsort(known, reader->symbol_count, sizeof *known, text_compare);
    qsort(wanted, writer->symbol_count, sizeof *wanted, text_compare);
    for (size_t i = 0; i < writer->symbol_count; i++)
        if (!has_symbol(known, reader->symbol_count, wanted[i]))
            bs_buf_printf(&missing, "%s%s", missing.len ? ", " : "[", wanted[i]);
    if (missing.len) {
        bs_buf_puts(&missing, "]");
        add(c, out, SD_MISSING_ENUM_SYMBOLS, &here,
            bs_arena_strndup(c->arena, (const char *)missing.data, missing.len));
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
    for (size_t i = 0; i < reader->field_count; i++) {
        const struct sd_schema_field *field = &reader->fields[i];
        struct path here = {.up = &fields, .index = i};
        struct path type = {.up = &here, .name = "type"};
        int at = writer_field(writer, field);
        if (at >= 0)
            compare(c, field->type, writer->fields[at].type, &type, out);
        else if (at == -2)
            add(c, out, SD_UNDECIDED, &here,
                bs_arena_printf(c->arena,
                                "Reader record field %s matches multiple fields in writer record "
                                "schema %s",
                                field->name, writer->name));
        else if (field->default_value)
            continue;
        else if (field->type->kind == SD_AVRO_ENUM && field->type->enum_default)
            compare(c, field->type, writer, &type, out); /* as Java: always a mismatch */
        else
            add(c, out, SD_READER_FIELD_MISSING_DEFAULT_VALUE, &here, field->name);
    }
}

static bool compatible(struct check *c, const struct sd_node *reader, const struct sd_node *writer)
{
    struct sd_problems inner = {0};
    bool none;
    compare(c, reader, writer, &root, &inner);
    none = inner.count == 0;
    bs_free(inner.items);
    return none;
}

static void add_missing_branch(struct check *c, const struct sd_node *branch,
                               const struct path *path, struct sd_problems *out)
{
    add(c, out, SD_MISSING_UNION_BRANCH, path,
        bs_arena_printf(c->arena, "reader union lacking writer type: %s", kind_name(branch)));
}

/* "if both are unions: the first schema in the reader's union that matches the selected writer's
 * union schema is recursively resolved against it. If none match, an error is signalled" */
static void check_unions(struct check *c, const struct sd_node *reader,
                         const struct sd_node *writer, const struct path *path,
                         struct sd_problems *out)
{
    for (size_t i = 0; i < writer->branch_count; i++) {
        struct path here = {.up = path, .index = i};
        if (!compatible(c, reader, writer->branches[i]))
            add_missing_branch(c, writer->branches[i], &here, out);
    }
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

/* Kinds differ. "if writer's is a union, but reader's is not: if the reader's schema matches the
 * selected writer's schema" – any may be selected, so all must match. "if reader's is a union, but
 * writer's is not: the first schema in the reader's union that matches the writer's schema". */
static void compare_kinds(struct check *c, const struct sd_node *reader,
                          const struct sd_node *writer, const struct path *path,
                          struct sd_problems *out)
{
    if (writer->kind == SD_AVRO_UNION) {
        for (size_t i = 0; i < writer->branch_count; i++) {
            struct path here = {.up = path, .index = i};
            compare(c, reader, writer->branches[i], &here, out);
        }
        return;
    }
    if (reader->kind == SD_AVRO_UNION) {
        for (size_t i = 0; i < reader->branch_count; i++)
            if (compatible(c, reader->branches[i], writer))
                return;
        add_missing_branch(c, writer, path, out);
        return;
    }
    if (!promotes(writer->kind, reader->kind))
        add(c, out, SD_TYPE_MISMATCH, path,
            bs_arena_printf(c->arena, "reader type: %s not compatible with writer type: %s",
                            kind_name(reader), kind_name(writer)));
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
    default:
        return; /* the same primitive; logical types do not count */
    }
}

static void compare(struct check *c, const struct sd_node *reader, const struct sd_node *writer,
                    const struct path *path, struct sd_problems *out)
{
    struct pair_key key = {.reader = reader, .writer = writer};
    struct pair *pair;
    HASH_FIND(hh, c->pairs, &key, sizeof key, pair);
    if (pair == NULL) {
        if (c->depth == DEPTH_MAX || c->pair_count == PAIRS_MAX) {
            add(c, out, SD_UNDECIDED, path, "the schemas are too large to be compared");
            return;
        }
        pair = bs_new(struct pair);
        pair->key = key;
        HASH_ADD(hh, c->pairs, key, sizeof pair->key, pair);
        c->pair_count++;
        c->depth++;
        compare_new(c, reader, writer, path, &pair->problems);
        c->depth--;
        pair->done = true;
    } else if (!pair->done) {
        return;
    }
    for (size_t i = 0; i < pair->problems.count; i++)
        push(out, &pair->problems.items[i]);
}

void sd_compat(const struct sd_schema *reader, const struct sd_schema *writer,
               struct bs_arena *arena, struct sd_problems *ret)
{
    struct check c = {.arena = arena};
    struct sd_problems found = {0};
    struct pair *pair, *next;
    compare(&c, sd_schema_root(reader), sd_schema_root(writer), &root, &found);
    HASH_ITER (hh, c.pairs, pair, next) {
        HASH_DEL(c.pairs, pair);
        bs_free(pair->problems.items);
        bs_free(pair);
    }
    ret->items = bs_arena_dup(arena, found.items, found.count * sizeof *found.items);
    ret->count = ret->cap = found.count;
    bs_free(found.items);
}
