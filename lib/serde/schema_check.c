/* Schema check: what can be said only when all names are known, and what is worked out once for
 * the readers and writers: branches of unions, defaults (valid, and as Avro binary), types whose
 * values take no bytes, logical types, hash tables of names. */
#include "lib/serde/schema_parse.h"

#include "lib/base/mem.h"

#include <math.h>

enum { TABLE_FROM = 9, BUDGET = 200000, DEFAULT_MAX = 1 << 20 };

/* ---- hash tables of names ---- */

static bool index_names(struct sd_parser *p, struct sd_node_more *node, size_t count,
                        struct bs_bytes (*name_of)(const struct sd_node_more *, size_t))
{
    size_t cap = 16;
    uint32_t *table;
    while (cap < count * 2)
        cap *= 2;
    table = bs_arena_array(&p->schema->arena, cap, sizeof *table);
    for (size_t i = 0; i < count; i++) {
        size_t slot = sd_name_hash(name_of(node, i)) & (cap - 1);
        for (; table[slot]; slot = (slot + 1) & (cap - 1))
            if (bs_bytes_equal(name_of(node, table[slot] - 1), name_of(node, i)))
                return false;
        table[slot] = (uint32_t)i + 1;
    }
    if (count >= TABLE_FROM) {
        node->table = table;
        node->table_cap = cap;
    }
    return true;
}

static struct bs_bytes field_name(const struct sd_node_more *node, size_t i)
{
    return node->more[i].name;
}

static struct bs_bytes symbol_name(const struct sd_node_more *node, size_t i)
{
    return node->symbol_text[i];
}

bool sd_record_index(struct sd_parser *p, struct sd_node_more *record)
{
    return index_names(p, record, record->node.field_count, field_name);
}

bool sd_symbol_index(struct sd_parser *p, struct sd_node_more *node)
{
    return index_names(p, node, node->node.symbol_count, symbol_name);
}

/* ---- logical types: one that does not fit its type is ignored, as the specification says ---- */

static const struct sd_value *attribute(const struct sd_node_more *node, const char *name)
{
    for (size_t i = 0; i < node->attribute_count; i++)
        if (bs_bytes_is(node->attributes[i].name, name))
            return &node->attributes[i].value;
    return NULL;
}

static void apply_decimal(struct sd_node_more *node)
{
    const struct sd_value *precision = attribute(node, "precision");
    const struct sd_value *scale = attribute(node, "scale");
    int64_t max = INT32_MAX;
    if (node->node.kind != SD_AVRO_BYTES && node->node.kind != SD_AVRO_FIXED)
        return;
    if (node->node.kind == SD_AVRO_FIXED) {
        double digits = floor(log10(2) * (8.0 * (double)node->node.size - 1));
        max = node->node.size == 0 ? 0 : digits > INT32_MAX ? INT32_MAX : (int64_t)digits;
    }
    if (precision == NULL || precision->type != SD_LONG || precision->number < 1 ||
        precision->number > max)
        return;
    if (scale && (scale->type != SD_LONG || scale->number < 0 || scale->number > precision->number))
        return;
    node->node.logical = SD_LOGICAL_DECIMAL;
    node->node.precision = (int)precision->number;
    node->node.scale = scale ? (int)scale->number : 0;
}

void sd_logical_apply(struct sd_node_more *node)
{
    static const struct {
        const char *name;
        enum sd_avro kind;
        enum sd_logical logical;
    } rows[] = {
        {"uuid", SD_AVRO_STRING, SD_LOGICAL_UUID},
        {"date", SD_AVRO_INT, SD_LOGICAL_DATE},
        {"time-millis", SD_AVRO_INT, SD_LOGICAL_TIME_MILLIS},
        {"time-micros", SD_AVRO_LONG, SD_LOGICAL_TIME_MICROS},
        {"timestamp-millis", SD_AVRO_LONG, SD_LOGICAL_TIMESTAMP_MILLIS},
        {"timestamp-micros", SD_AVRO_LONG, SD_LOGICAL_TIMESTAMP_MICROS},
        {"timestamp-nanos", SD_AVRO_LONG, SD_LOGICAL_TIMESTAMP_NANOS},
        {"local-timestamp-millis", SD_AVRO_LONG, SD_LOGICAL_LOCAL_TIMESTAMP_MILLIS},
        {"local-timestamp-micros", SD_AVRO_LONG, SD_LOGICAL_LOCAL_TIMESTAMP_MICROS},
        {"local-timestamp-nanos", SD_AVRO_LONG, SD_LOGICAL_LOCAL_TIMESTAMP_NANOS},
        {"duration", SD_AVRO_FIXED, SD_LOGICAL_DURATION},
        {"uuid", SD_AVRO_FIXED, SD_LOGICAL_UUID},
    };
    const struct sd_value *type = attribute(node, "logicalType");
    if (type == NULL || type->type != SD_STRING)
        return;
    if (bs_bytes_is(type->bytes, "decimal"))
        apply_decimal(node);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!bs_bytes_is(type->bytes, rows[i].name) || rows[i].kind != node->node.kind)
            continue;
        if (rows[i].kind == SD_AVRO_FIXED &&
            node->node.size != (rows[i].logical == SD_LOGICAL_UUID ? 16u : 12u))
            continue;
        node->node.logical = rows[i].logical;
    }
    node->logical_listed =
        node->node.logical != SD_LOGICAL_NONE ||
        (bs_bytes_is(type->bytes, "big-decimal") && node->node.kind == SD_AVRO_BYTES);
}

/* ---- the walk ---- */

struct walk {
    struct sd_parser *p;
    uint8_t *seen;      /* by node index */
    uint32_t *named_in; /* by name_id: index + 1 of the last union that has it */
    long budget;
};

static int fail(const struct walk *w, const struct sd_path *path, int code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static int fail(const struct walk *w, const struct sd_path *path, int code, const char *fmt, ...)
{
    char where[256], what[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    return bs_error_set(w->p->err, code, "%s (at %s)", what,
                        sd_path_text(path, where, sizeof where));
}

/* Avro 1.12, "Unions": one branch of each kind, but named types by name; no union inside. */
static int check_union(const struct walk *w, struct sd_node_more *node, const struct sd_path *path)
{
    const struct sd_node *u = &node->node;
    uint32_t unions = node->node.index + 1;
    uint8_t kinds[SD_AVRO_FIXED + 1] = {0};
    size_t real = 0;
    int rc = 0;
    for (size_t i = 0; i < u->branch_count && rc == 0; i++) {
        const struct sd_node *branch = u->branches[i];
        bool repeated;
        if (branch->name) {
            repeated = w->named_in[sd_more(branch)->name_id] == unions;
            w->named_in[sd_more(branch)->name_id] = unions;
        } else {
            repeated = kinds[branch->kind]++ != 0;
        }
        if (branch->kind == SD_AVRO_UNION)
            rc = fail(w, path, BS_EINVAL, "Nested union: a union is not a branch of a union");
        else if (repeated)
            rc = fail(w, path, BS_EINVAL, "Duplicate in union:%s",
                      branch->name ? branch->name : sd_avro_name(branch->kind));
        real += branch->kind != SD_AVRO_NULL;
    }
    node->ambiguous = real > 1;
    return rc;
}

static int walk_node(struct walk *w, struct sd_node *node, const struct sd_path *path,
                     unsigned depth)
{
    struct sd_node_more *more = (struct sd_node_more *)node;
    int rc = 0;
    if (w->seen[node->index])
        return 0;
    w->seen[node->index] = 1;
    if (depth > SD_SCHEMA_DEPTH_MAX)
        return fail(w, path, BS_ELIMIT, "the schema is nested deeper than %d types",
                    SD_SCHEMA_DEPTH_MAX);
    switch (node->kind) {
    case SD_AVRO_RECORD:
        for (size_t i = 0; i < node->field_count && rc == 0; i++) {
            struct sd_path fields = {.up = path, .name = bs_bytes_text("fields")};
            struct sd_path field = {.up = &fields, .index = i};
            struct sd_path type = {.up = &field, .name = bs_bytes_text("type")};
            rc = walk_node(w, node->fields[i].type, &type, depth + 1);
        }
        return rc;
    case SD_AVRO_ARRAY:
    case SD_AVRO_MAP: {
        struct sd_path items = {
            .up = path, .name = bs_bytes_text(node->kind == SD_AVRO_MAP ? "values" : "items")};
        return walk_node(w, node->items, &items, depth + 1);
    }
    case SD_AVRO_UNION:
        for (size_t i = 0; i < node->branch_count && rc == 0; i++) {
            struct sd_path branch = {.up = path, .index = i};
            rc = walk_node(w, node->branches[i], &branch, depth + 1);
        }
        return rc < 0 ? rc : check_union(w, more, path);
    default:
        return 0;
    }
}

/* Least fixed point: a record of itself alone stays "not empty"; reading it ends by depth. */
static void find_empty(struct sd_schema *s)
{
    bool changed = true, forward = false;
    for (; changed; forward = !forward) {
        changed = false;
        for (size_t k = 0; k < s->node_count; k++) {
            struct sd_node_more *node = s->nodes[forward ? k : s->node_count - 1 - k];
            bool empty = node->node.kind == SD_AVRO_NULL ||
                         (node->node.kind == SD_AVRO_FIXED && node->node.size == 0);
            if (node->node.kind == SD_AVRO_RECORD) {
                empty = true;
                for (size_t f = 0; f < node->node.field_count && empty; f++)
                    empty = sd_more(node->node.fields[f].type)->empty;
            }
            changed = changed || empty != node->empty;
            node->empty = empty;
        }
    }
}

static int work_out_defaults(struct walk *w, struct sd_node_more *record)
{
    struct bs_arena *arena = &w->p->schema->arena;
    struct bs_buf out = BS_BUF_INIT;
    int rc = 0;
    for (size_t i = 0; i < record->node.field_count && rc == 0; i++) {
        const struct sd_schema_field *field = &record->node.fields[i];
        if (field->default_value == NULL)
            continue;
        if (w->p->strict && !record->foreign &&
            !sd_default_valid(field->type, field->default_value, &w->budget, 0)) {
            rc = bs_error_set(w->p->err, w->budget < 0 ? BS_ELIMIT : BS_EINVAL,
                              w->budget < 0
                                  ? "the defaults of record %s take too much work (field '%s')"
                                  : "Invalid default in record %s for field '%s': it is not a "
                                    "value of the field's type",
                              record->node.name, field->name);
            break;
        }
        bs_buf_reset(&out);
        if (sd_default_encode(field->type, field->default_value, &out, &w->budget, 0) == 0 &&
            out.len <= DEFAULT_MAX)
            record->more[i].encoded = bs_bytes(bs_arena_dup(arena, out.data, out.len), out.len);
    }
    bs_buf_deinit(&out);
    return rc;
}

int sd_schema_check(struct sd_parser *p)
{
    struct walk w = {.p = p, .budget = BUDGET};
    struct sd_schema *s = p->schema;
    struct sd_path root = {0};
    int rc;
    w.seen = bs_zalloc(s->node_count + 1);
    w.named_in = bs_array(s->name_count + 1, sizeof *w.named_in);
    rc = walk_node(&w, s->root, &root, 0);
    for (size_t i = 0; i < s->node_count && rc == 0; i++) /* referenced and repeated definitions */
        rc = walk_node(&w, &s->nodes[i]->node, &root, 0);
    if (rc == 0)
        find_empty(s);
    for (size_t i = 0; i < s->node_count && rc == 0; i++)
        if (s->nodes[i]->node.kind == SD_AVRO_RECORD)
            rc = work_out_defaults(&w, s->nodes[i]);
    bs_free(w.named_in);
    bs_free(w.seen);
    return rc;
}
