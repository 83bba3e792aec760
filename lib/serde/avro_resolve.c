/* Avro resolver: data of a writer's schema seen through a reader's (specification 1.12, "Schema
 * Resolution").
 *
 * A plan is made once per pair of schemas: one step per pair of types that meet, found again by
 * their indexes, so that recursive types give a cyclic plan. What can never be read is a step that
 * fails when data reaches it, as the specification wants ("if a symbol/branch is not present …, an
 * error is signalled" when reading). Branches of reader unions are chosen as Java does: same name,
 * then same structure, then promotion. */
#include "lib/serde/avro_binary.h"

#include "lib/base/mem.h"

enum op {
    OP_FAIL,         /* text says why */
    OP_SAME,         /* read with the reader's type: scalar kinds that are equal */
    OP_PROMOTE,      /* read the writer's scalar, turn it into the reader's */
    OP_RECORD,       /* actions */
    OP_ENUM,         /* symbols */
    OP_ITEMS,        /* array or map: child */
    OP_WRITER_UNION, /* one child per writer branch */
    OP_READER_UNION, /* child, then the value carries the reader's branch */
};

struct step;

struct action {
    const struct sd_node *skip; /* writer's field that the reader has not */
    struct step *step;          /* or: read it into reader field `to` */
    size_t to;
};

struct step {
    enum op op;
    const struct sd_node *writer, *reader;
    struct step *child;     /* ITEMS, READER_UNION */
    struct step **children; /* WRITER_UNION */
    struct action *actions; /* RECORD: one per writer field */
    uint32_t *missing;      /* RECORD: reader fields that take their default */
    size_t missing_count;
    int32_t *symbols; /* ENUM: reader index per writer index; -1: none */
    const char *branch;
    const char *text;
    struct step *next; /* of the same bucket */
};

enum { BUCKETS = 512, STEPS_MAX = 100000 };

struct sd_resolver {
    struct bs_arena arena;
    struct sd_schema *writer, *reader;
    struct step *root;
    struct step *buckets[BUCKETS];
    size_t step_count;
    bool same;
};

static const char *base_name(const struct sd_node *node)
{
    return sd_more(node)->base;
}

/* Full names are equal, or an alias of the reader is the writer's full name. */
static bool same_full_name(const struct sd_node *writer, const struct sd_node *reader)
{
    if (strcmp(writer->name, reader->name) == 0)
        return true;
    for (size_t i = 0; i < reader->alias_count; i++)
        if (strcmp(reader->aliases[i], writer->name) == 0)
            return true;
    return false;
}

/* Specification: "the unqualified names match", or an alias. */
static bool same_name(const struct sd_node *writer, const struct sd_node *reader)
{
    return strcmp(base_name(writer), base_name(reader)) == 0 || same_full_name(writer, reader);
}

static bool promotes(enum sd_avro from, enum sd_avro to)
{
    switch (from) {
    case SD_AVRO_INT:
        return to == SD_AVRO_LONG || to == SD_AVRO_FLOAT || to == SD_AVRO_DOUBLE;
    case SD_AVRO_LONG:
        return to == SD_AVRO_FLOAT || to == SD_AVRO_DOUBLE;
    case SD_AVRO_FLOAT:
        return to == SD_AVRO_DOUBLE;
    case SD_AVRO_STRING:
        return to == SD_AVRO_BYTES;
    case SD_AVRO_BYTES:
        return to == SD_AVRO_STRING;
    default:
        return false;
    }
}

static struct step *plan(struct sd_resolver *r, const struct sd_node *writer,
                         const struct sd_node *reader, unsigned depth);

static struct step *set_fail(struct sd_resolver *r, struct step *step, const char *what)
{
    const struct sd_node *w = step->writer, *d = step->reader;
    step->op = OP_FAIL;
    step->text = bs_arena_printf(&r->arena, "%s: writer %s, reader %s", what,
                                 w->name ? w->name : sd_avro_name(w->kind),
                                 d->name ? d->name : sd_avro_name(d->kind));
    return step;
}

/* The writer's field for a reader's field: by name, else by the reader's aliases. */
static int writer_field(const struct sd_node *writer, const struct sd_schema_field *field)
{
    int at = sd_node_field(writer, bs_bytes_text(field->name));
    for (size_t i = 0; at < 0 && i < field->alias_count; i++)
        at = sd_node_field(writer, bs_bytes_text(field->aliases[i]));
    return at;
}

static void plan_record(struct sd_resolver *r, struct step *step, unsigned depth)
{
    const struct sd_node *writer = step->writer, *reader = step->reader;
    step->op = OP_RECORD;
    step->actions = bs_arena_array(&r->arena, writer->field_count, sizeof *step->actions);
    step->missing = bs_arena_array(&r->arena, reader->field_count, sizeof *step->missing);
    for (size_t i = 0; i < writer->field_count; i++)
        step->actions[i].skip = writer->fields[i].type;
    for (size_t i = 0; i < reader->field_count; i++) {
        int at = writer_field(writer, &reader->fields[i]);
        if (at < 0 && sd_more(reader)->more[i].encoded.ptr == NULL) {
            step->op = OP_FAIL;
            step->text = bs_arena_printf(&r->arena,
                                         "field '%s' of reader record %s is not in the writer's "
                                         "record %s and has no default",
                                         reader->fields[i].name, reader->name, writer->name);
            return;
        }
        if (at < 0) {
            step->missing[step->missing_count++] = (uint32_t)i;
        } else if (step->actions[at].skip == NULL) {
            set_fail(r, step, "two fields of the reader match one of the writer");
            return;
        } else {
            step->actions[at].skip = NULL;
            step->actions[at].to = i;
            step->actions[at].step =
                plan(r, writer->fields[at].type, reader->fields[i].type, depth + 1);
        }
    }
}

static void plan_enum(struct sd_resolver *r, struct step *step)
{
    const struct sd_node *writer = step->writer, *reader = step->reader;
    int standard =
        reader->enum_default ? sd_node_symbol(reader, bs_bytes_text(reader->enum_default)) : -1;
    step->op = OP_ENUM;
    step->symbols = bs_arena_array(&r->arena, writer->symbol_count, sizeof *step->symbols);
    for (size_t i = 0; i < writer->symbol_count; i++) {
        int at = sd_node_symbol(reader, sd_more(writer)->symbol_text[i]);
        step->symbols[i] = at < 0 ? standard : at;
    }
}

static bool structure_fits(struct sd_resolver *r, const struct sd_node *writer,
                           const struct sd_node *reader, unsigned depth)
{
    struct step *step = plan(r, writer, reader, depth + 1);
    if (step->op != OP_RECORD)
        return false;
    for (size_t i = 0; i < writer->field_count; i++)
        if (step->actions[i].step && step->actions[i].step->op == OP_FAIL)
            return false;
    return true;
}

static int reader_branch(struct sd_resolver *r, const struct sd_node *writer,
                         const struct sd_node *reader, unsigned depth)
{
    int structure = -1;
    for (size_t i = 0; i < reader->branch_count; i++) {
        const struct sd_node *branch = reader->branches[i];
        if (branch->kind != writer->kind)
            continue;
        if (branch->name == NULL || same_full_name(writer, branch))
            return (int)i;
        if (writer->kind == SD_AVRO_RECORD) {
            if ((structure < 0 || same_name(writer, branch)) &&
                structure_fits(r, writer, branch, depth))
                structure = (int)i;
        } else if (structure < 0 && same_name(writer, branch)) {
            structure = (int)i;
        }
    }
    for (size_t i = 0; structure < 0 && i < reader->branch_count; i++)
        if (promotes(writer->kind, reader->branches[i]->kind))
            return (int)i;
    return structure;
}

static void plan_pair(struct sd_resolver *r, struct step *step, unsigned depth)
{
    const struct sd_node *writer = step->writer, *reader = step->reader;
    if (writer->kind == SD_AVRO_UNION) {
        step->op = OP_WRITER_UNION;
        step->children = bs_arena_array(&r->arena, writer->branch_count, sizeof(struct step *));
        for (size_t i = 0; i < writer->branch_count; i++)
            step->children[i] = plan(r, writer->branches[i], reader, depth + 1);
        return;
    }
    if (reader->kind == SD_AVRO_UNION) {
        int at = reader_branch(r, writer, reader, depth);
        if (at < 0) {
            set_fail(r, step, "no branch of the reader's union takes it");
            return;
        }
        step->op = OP_READER_UNION;
        if (sd_more(reader)->ambiguous)
            step->branch = reader->branches[at]->name ? reader->branches[at]->name
                                                      : sd_avro_name(reader->branches[at]->kind);
        step->child = plan(r, writer, reader->branches[at], depth + 1);
        return;
    }
    if (writer->kind != reader->kind) {
        step->op = OP_PROMOTE;
        if (!promotes(writer->kind, reader->kind))
            set_fail(r, step, "the types do not match");
        return;
    }
    if ((reader->kind == SD_AVRO_ENUM || reader->kind == SD_AVRO_FIXED) &&
        !same_name(writer, reader)) {
        set_fail(r, step, "the names do not match");
        return;
    }
    switch (reader->kind) {
    case SD_AVRO_RECORD:
        plan_record(r, step, depth);
        break;
    case SD_AVRO_ENUM:
        plan_enum(r, step);
        break;
    case SD_AVRO_ARRAY:
    case SD_AVRO_MAP:
        step->op = OP_ITEMS;
        step->child = plan(r, writer->items, reader->items, depth + 1);
        break;
    default:
        step->op = OP_SAME;
        if (reader->kind == SD_AVRO_FIXED && reader->size != writer->size)
            set_fail(r, step, "the sizes do not match");
        break;
    }
}

static struct step *plan(struct sd_resolver *r, const struct sd_node *writer,
                         const struct sd_node *reader, unsigned depth)
{
    struct step **bucket = &r->buckets[(writer->index * 31u + reader->index) % BUCKETS];
    struct step *step;
    for (step = *bucket; step; step = step->next)
        if (step->writer == writer && step->reader == reader)
            return step;
    step = bs_arena_zalloc(&r->arena, sizeof *step);
    step->writer = writer;
    step->reader = reader;
    if (depth > SD_SCHEMA_DEPTH_MAX * 2 || r->step_count == STEPS_MAX) {
        r->step_count = STEPS_MAX; /* sd_resolver_new sees it */
        return set_fail(r, step, "the schemas are too large to be matched");
    }
    r->step_count++;
    step->next = *bucket;
    *bucket = step;
    plan_pair(r, step, depth);
    return step;
}

static bool same_form(const struct sd_schema *writer, const struct sd_schema *reader)
{
    struct bs_buf a = BS_BUF_INIT, b = BS_BUF_INIT;
    bool same = writer == reader;
    if (!same) {
        sd_schema_pcf(writer, &a);
        sd_schema_pcf(reader, &b);
        same = a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
    }
    bs_buf_deinit(&a);
    bs_buf_deinit(&b);
    return same;
}

int sd_resolver_new(const struct sd_schema *writer, const struct sd_schema *reader,
                    struct sd_resolver **ret, struct bs_error *err)
{
    struct sd_resolver *r = bs_new(struct sd_resolver);
    int rc = 0;
    bs_arena_init(&r->arena);
    r->writer = sd_schema_ref((struct sd_schema *)writer);
    r->reader = sd_schema_ref((struct sd_schema *)reader);
    r->root = plan(r, sd_schema_root(writer), sd_schema_root(reader), 0);
    if (r->step_count == STEPS_MAX)
        rc = bs_error_set(err, BS_ELIMIT, "resolution: the schemas are too large to be matched");
    else if (r->root->op == OP_FAIL)
        rc = bs_error_set(err, BS_EINVAL, "resolution: %s", r->root->text);
    if (rc < 0) {
        sd_resolver_free(r);
        return rc;
    }
    r->same = same_form(writer, reader);
    *ret = r;
    return 0;
}

void sd_resolver_free(struct sd_resolver *resolver)
{
    if (resolver == NULL)
        return;
    sd_schema_unref(resolver->writer);
    sd_schema_unref(resolver->reader);
    bs_arena_deinit(&resolver->arena);
    bs_free(resolver);
}

bool sd_resolver_same(const struct sd_resolver *resolver)
{
    return resolver->same;
}

const struct sd_node *sd_resolver_writer(const struct sd_resolver *resolver)
{
    return sd_schema_root(resolver->writer);
}

/* ---- applying the plan ---- */

static int run(struct sd_avro_reader *r, const struct step *step, const struct sd_path *path,
               unsigned depth, struct sd_value *ret);

static int run_promote(struct sd_avro_reader *r, const struct step *step,
                       const struct sd_path *path, unsigned depth, struct sd_value *ret)
{
    int rc = sd_avro_get_value(r, step->writer, path, depth, ret);
    if (rc < 0)
        return rc;
    switch (step->reader->kind) {
    case SD_AVRO_FLOAT:
        ret->real = (double)(float)ret->number;
        ret->type = SD_FLOAT;
        return 0;
    case SD_AVRO_DOUBLE:
        if (ret->type == SD_LONG)
            ret->real = (double)ret->number;
        ret->type = SD_DOUBLE;
        return 0;
    case SD_AVRO_BYTES:
        ret->type = SD_BYTES;
        return 0;
    case SD_AVRO_STRING:
        ret->type = SD_STRING;
        return 0;
    default:
        return 0; /* int to long */
    }
}

static int run_record(struct sd_avro_reader *r, const struct step *step, const struct sd_path *path,
                      unsigned depth, struct sd_value *ret)
{
    const struct sd_node *writer = step->writer, *reader = step->reader;
    const struct sd_field_more *more = sd_more(reader)->more;
    struct sd_field *fields;
    int rc;
    if (bs_arena_used(r->arena) > r->arena_max)
        return sd_avro_too_large(r, path);
    fields = bs_arena_alloc(r->arena, reader->field_count * sizeof *fields);
    for (size_t i = 0; i < writer->field_count; i++) {
        const struct action *action = &step->actions[i];
        struct sd_path here = {.up = path, .name = sd_more(writer)->more[i].name};
        if (action->skip) {
            if ((rc = sd_avro_skip_value(action->skip, &r->at, depth + 1)) < 0)
                return sd_avro_fail(r->err, &here, rc, "the data does not fit the writer's type");
            continue;
        }
        fields[action->to].name = more[action->to].name;
        rc = run(r, action->step, &here, depth + 1, &fields[action->to].value);
        if (rc < 0)
            return rc;
    }
    for (size_t i = 0; i < step->missing_count; i++) {
        uint32_t to = step->missing[i];
        struct sd_path here = {.up = path, .name = more[to].name};
        struct sd_avro_reader standard = *r;
        standard.at = bs_cursor(more[to].encoded);
        standard.borrow = false;
        fields[to].name = more[to].name;
        rc = sd_avro_get_value(&standard, reader->fields[to].type, &here, depth + 1,
                               &fields[to].value);
        if (rc < 0)
            return rc;
    }
    ret->type = SD_RECORD;
    ret->map.fields = fields;
    ret->map.count = reader->field_count;
    return 0;
}

static int run_array(struct sd_avro_reader *r, const struct step *step, const struct sd_path *path,
                     unsigned depth, struct sd_value *ret)
{
    struct sd_avro_list list = {.size = sizeof *ret,
                                .empty_items = sd_more(step->writer->items)->empty};
    int rc;
    while ((rc = sd_avro_next_block(r, path, &list)) == 0 && list.block.count) {
        struct sd_value *items = list.items;
        for (size_t i = 0; i < list.block.count; i++, list.count++) {
            struct sd_path here = {.up = path, .index = list.count};
            if ((rc = run(r, step->child, &here, depth + 1, &items[list.count])) < 0)
                return rc;
        }
    }
    ret->type = SD_ARRAY;
    ret->array.items = list.items;
    ret->array.count = list.count;
    return rc;
}

static int run_map(struct sd_avro_reader *r, const struct step *step, const struct sd_path *path,
                   unsigned depth, struct sd_value *ret)
{
    struct sd_avro_list list = {.size = sizeof *ret->map.fields};
    int rc;
    while ((rc = sd_avro_next_block(r, path, &list)) == 0 && list.block.count) {
        struct sd_field *field = (struct sd_field *)list.items + list.count;
        for (size_t i = 0; i < list.block.count; i++, list.count++, field++) {
            struct sd_path here = {.up = path};
            if ((rc = sd_avro_get_slice(r, path, &here.name)) < 0)
                return rc;
            here.name = field->name = sd_avro_keep(r, here.name);
            if ((rc = run(r, step->child, &here, depth + 1, &field->value)) < 0)
                return rc;
        }
    }
    ret->type = SD_MAP;
    ret->map.fields = list.items;
    ret->map.count = list.count;
    return rc;
}

static int run_index(struct sd_avro_reader *r, const struct step *step, const struct sd_path *path,
                     size_t count, size_t *ret)
{
    int64_t index;
    int rc = sd_get_long(&r->at, &index);
    if (rc < 0)
        return sd_avro_fail(r->err, path, rc, "the data ends inside %s",
                            sd_avro_name(step->writer->kind));
    if (index < 0 || (uint64_t)index >= count)
        return sd_avro_fail(r->err, path, BS_ECORRUPT, "index %lld of %s, which has %zu",
                            (long long)index, sd_avro_name(step->writer->kind), count);
    *ret = (size_t)index;
    return 0;
}

static int run(struct sd_avro_reader *r, const struct step *step, const struct sd_path *path,
               unsigned depth, struct sd_value *ret)
{
    size_t index;
    int rc;
    ret->type = SD_NULL;
    ret->branch = NULL;
    if (depth > SD_DEPTH_MAX)
        return sd_avro_fail(r->err, path, BS_ELIMIT, "nested deeper than %d", SD_DEPTH_MAX);
    switch (step->op) {
    case OP_FAIL:
        return sd_avro_fail(r->err, path, BS_EINVAL, "%s", step->text);
    case OP_SAME:
        return sd_avro_get_value(r, step->writer, path, depth, ret);
    case OP_PROMOTE:
        return run_promote(r, step, path, depth, ret);
    case OP_RECORD:
        return run_record(r, step, path, depth, ret);
    case OP_ENUM:
        if ((rc = run_index(r, step, path, step->writer->symbol_count, &index)) < 0)
            return rc;
        if (step->symbols[index] < 0)
            return sd_avro_fail(r->err, path, BS_EINVAL,
                                "symbol %s is not in the reader's enum %s, which has no default",
                                step->writer->symbols[index], step->reader->name);
        ret->type = SD_STRING;
        ret->bytes = sd_more(step->reader)->symbol_text[step->symbols[index]];
        return 0;
    case OP_ITEMS:
        return step->reader->kind == SD_AVRO_ARRAY ? run_array(r, step, path, depth, ret)
                                                   : run_map(r, step, path, depth, ret);
    case OP_WRITER_UNION:
        if ((rc = run_index(r, step, path, step->writer->branch_count, &index)) < 0)
            return rc;
        return run(r, step->children[index], path, depth + 1, ret);
    case OP_READER_UNION:
        rc = run(r, step->child, path, depth + 1, ret);
        ret->branch = step->branch;
        return rc;
    }
    return BS_EINVAL;
}

int sd_resolver_read(const struct sd_resolver *resolver, struct bs_bytes bytes,
                     struct bs_arena *arena, struct sd_value *ret, struct bs_error *err)
{
    struct bs_bytes copy = bs_bytes(bs_arena_dup(arena, bytes.ptr, bytes.len), bytes.len);
    struct sd_avro_reader r;
    struct sd_path root = {0};
    int rc;
    sd_avro_reader_init(&r, bs_cursor(copy), arena, true, err);
    rc = run(&r, resolver->root, &root, 0, ret);
    if (rc == 0 && bs_cursor_left(&r.at))
        rc = sd_avro_fail(err, &root, BS_ECORRUPT, "%zu bytes follow the value",
                          bs_cursor_left(&r.at));
    return rc;
}
