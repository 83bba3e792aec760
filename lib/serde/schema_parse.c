/* Schema parser: JSON text → nodes. Avro specification 1.12, with Java's reading of it where the
 * specification leaves room, because schemas travel between registries: forward references within
 * one text, an identical second definition of a name, names that fall back to the null namespace.
 *
 * Names go to one table; a use before the definition is remembered with its place and filled in at
 * the end. schema_check.c then looks at what needs the whole graph (unions, defaults). One thread;
 * nothing outlives the call but the schema. */
#include "lib/serde/json_reader.h"
#include "lib/serde/path.h"
#include "lib/serde/schema_parse.h"

#include "lib/base/mem.h"

#include <math.h>
#include <stdlib.h>

#define PATH_TEXT 256

enum { SEEN_LINEAR = 16 };

static int parse_type(struct sd_parser *p, const struct sd_value *json, const char *space,
                      const struct sd_path *path, unsigned depth, struct sd_node **slot);

static int fail(const struct sd_parser *p, const struct sd_path *path, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int fail(const struct sd_parser *p, const struct sd_path *path, const char *fmt, ...)
{
    char where[PATH_TEXT], what[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    return bs_error_set(p->err, BS_EINVAL, "%s (at %s)", what,
                        sd_path_text(path, where, sizeof where));
}

static const struct sd_value *member(const struct sd_value *json, const char *name)
{
    return sd_value_get(json, bs_bytes_text(name));
}

static const struct sd_value *text_member(const struct sd_value *json, const char *name)
{
    const struct sd_value *value = member(json, name);
    return value && value->type == SD_STRING ? value : NULL;
}

static const char *text_copy(struct sd_parser *p, struct bs_bytes text)
{
    return bs_arena_strndup(&p->schema->arena, (const char *)text.ptr, text.len);
}

static int new_node(struct sd_parser *p, enum sd_avro kind, const struct sd_path *path,
                    struct sd_node_more **ret)
{
    struct sd_schema *s = p->schema;
    struct sd_node_more *node;
    if (s->node_count == SD_SCHEMA_NODES_MAX)
        return fail(p, path, "a schema has at most %d types", SD_SCHEMA_NODES_MAX);
    if (s->node_count == p->node_cap) {
        p->node_cap = p->node_cap ? p->node_cap * 2 : 64;
        p->nodes = bs_realloc(p->nodes, p->node_cap * sizeof(*p->nodes));
    }
    node = bs_arena_zalloc(&s->arena, sizeof *node);
    node->node.kind = kind;
    node->node.index = (uint32_t)s->node_count;
    node->foreign = p->foreign;
    p->nodes[s->node_count++] = node;
    *ret = node;
    return 0;
}

/* Members that mean something to the type itself are not attributes. */
static bool is_reserved(struct bs_bytes name, const char *const *reserved)
{
    char first = name.len ? (char)name.ptr[0] : '\0'; /* tells most apart */
    for (; *reserved; reserved++)
        if ((*reserved)[0] == first && bs_bytes_is(name, *reserved))
            return true;
    return false;
}

static void take_attributes(struct sd_parser *p, const struct sd_value *json,
                            const char *const *reserved, struct sd_field **ret, size_t *ret_count)
{
    size_t count = 0;
    *ret = NULL;
    for (size_t i = 0; i < json->map.count; i++)
        count += !is_reserved(json->map.fields[i].name, reserved);
    *ret_count = count;
    if (count == 0)
        return;
    *ret = bs_arena_array(&p->schema->arena, count, sizeof **ret);
    count = 0;
    for (size_t i = 0; i < json->map.count; i++)
        if (!is_reserved(json->map.fields[i].name, reserved))
            (*ret)[count++] = json->map.fields[i];
}

static const char *const type_reserved[] = {"doc",       "fields",  "items",   "name",
                                            "namespace", "size",    "symbols", "values",
                                            "type",      "aliases", NULL};
static const char *const enum_reserved[] = {"doc",       "fields",  "items",   "name",
                                            "namespace", "size",    "symbols", "values",
                                            "type",      "aliases", "default", NULL};
static const char *const field_reserved[] = {"default", "doc",     "name", "order",
                                             "type",    "aliases", NULL};

static void take_extras(struct sd_parser *p, const struct sd_value *json, struct sd_node_more *node)
{
    take_attributes(p, json, node->node.kind == SD_AVRO_ENUM ? enum_reserved : type_reserved,
                    &node->attributes, &node->attribute_count);
    sd_logical_apply(node);
}

/* name, namespace and doc of a record, enum or fixed; enters the table. *ret_old: an earlier
 * complete definition of the same name, to be compared at the end. */
static int define_name(struct sd_parser *p, const struct sd_value *json, const char *space,
                       const struct sd_path *path, struct sd_node_more *node,
                       struct sd_node **ret_old)
{
    const struct sd_value *name = text_member(json, "name");
    const struct sd_value *own_space = text_member(json, "namespace");
    const struct sd_value *doc = text_member(json, "doc");
    struct sd_schema_name *entry;
    const char *full;
    int rc;
    if (name == NULL)
        return fail(p, path, "No name in schema: a %s needs a \"name\" that is a string",
                    sd_avro_name(node->node.kind));
    if (own_space) {
        if (memchr(own_space->bytes.ptr, 0, own_space->bytes.len))
            return fail(p, path, "Illegal namespace: it has a NUL character");
        space = text_copy(p, own_space->bytes);
    }
    if ((rc = sd_name_split(p, name->bytes, space, path, node)) < 0)
        return rc;
    full = node->node.name;
    for (int kind = SD_AVRO_NULL; kind <= SD_AVRO_STRING; kind++)
        if (strcmp(full, sd_avro_name((enum sd_avro)kind)) == 0)
            return fail(p, path, "Schemas may not be named after primitives: %s", full);
    if (doc) {
        node->doc = doc->bytes;
        node->node.doc = text_copy(p, doc->bytes);
    }
    *ret_old = NULL;
    entry = sd_name_find(p, full);
    if (entry && entry->node) {
        if (!((struct sd_node_more *)entry->node)->complete)
            return fail(p, path, "Can't redefine: %s (inside its own definition)", full);
        *ret_old = entry->node;
    } else {
        entry = sd_name_add(p, full);
        entry->node = &node->node;
    }
    node->name_id = entry->id;
    return 0;
}

/* Texts seen so far: few are compared one by one, many by a table of hashes. */
struct seen {
    const char **list;
    size_t count, cap;
    uint32_t *table; /* index + 1 in the list; NULL while they are few */
};

static void seen_init(struct seen *seen, const char **list, size_t most)
{
    *seen = (struct seen){.list = list};
    if (most <= SEEN_LINEAR)
        return;
    for (seen->cap = 64; seen->cap < most * 2;)
        seen->cap *= 2;
    seen->table = bs_array(seen->cap, sizeof *seen->table);
}

static void seen_add(struct seen *seen, const char *text)
{
    size_t at;
    if (seen->table == NULL) {
        for (size_t i = 0; i < seen->count; i++)
            if (strcmp(seen->list[i], text) == 0)
                return;
    } else {
        at = sd_name_hash(bs_bytes_text(text)) & (seen->cap - 1);
        for (; seen->table[at]; at = (at + 1) & (seen->cap - 1))
            if (strcmp(seen->list[seen->table[at] - 1], text) == 0)
                return;
        seen->table[at] = (uint32_t)seen->count + 1;
    }
    seen->list[seen->count++] = text;
}

static int parse_alias(struct sd_parser *p, const struct sd_value *alias, const char *space,
                       const struct sd_path *path, const char **ret)
{
    if (alias->type != SD_STRING)
        return fail(p, path, "alias not a string");
    if (memchr(alias->bytes.ptr, 0, alias->bytes.len))
        return fail(p, path, "Illegal alias: it has a NUL character");
    if (space) /* of a named type: a full name; of a field: as it is */
        return sd_alias_full(p, alias->bytes, space, path, ret);
    *ret = text_copy(p, alias->bytes);
    return 0;
}

static int parse_aliases(struct sd_parser *p, const struct sd_value *json, const char *space,
                         const struct sd_path *path, const char *const **ret, size_t *ret_count)
{
    const struct sd_value *aliases = member(json, "aliases");
    const char **list, *alias;
    struct seen seen;
    int rc = 0;
    if (aliases == NULL)
        return 0;
    if (aliases->type != SD_ARRAY)
        return fail(p, path, "aliases not an array");
    list = bs_arena_array(&p->schema->arena, aliases->array.count, sizeof *list);
    seen_init(&seen, list, aliases->array.count);
    for (size_t i = 0; i < aliases->array.count && rc == 0; i++)
        if ((rc = parse_alias(p, &aliases->array.items[i], space, path, &alias)) == 0)
            seen_add(&seen, alias);
    bs_free(seen.table);
    *ret = list;
    *ret_count = seen.count;
    return rc;
}

static int parse_order(struct sd_parser *p, const struct sd_value *json, const struct sd_path *path,
                       struct sd_field_more *more)
{
    static const char *const names[] = {"ascending", "descending", "ignore"};
    const struct sd_value *order = member(json, "order");
    if (order == NULL)
        return 0;
    for (int i = 0; order->type == SD_STRING && i < 3; i++) {
        if (order->bytes.len == strlen(names[i]) &&
            strncasecmp((const char *)order->bytes.ptr, names[i], order->bytes.len) == 0) {
            more->order = (enum sd_order)i;
            return 0;
        }
    }
    return fail(p, path, "order of a field is \"ascending\", \"descending\" or \"ignore\"");
}

/* Java reads a text as the default of a float or double as its number. */
static int number_default(struct sd_parser *p, const struct sd_path *path,
                          const struct sd_value **value)
{
    static const struct {
        const char *text;
        double value;
    } words[] = {
        {"NaN", NAN}, {"Infinity", INFINITY}, {"+Infinity", INFINITY}, {"-Infinity", -INFINITY}};
    struct sd_value *number = bs_arena_zalloc(&p->schema->arena, sizeof *number);
    const char *text = text_copy(p, (*value)->bytes);
    char *end;
    number->type = SD_DOUBLE;
    *value = number;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(text, words[i].text) == 0) {
            number->real = words[i].value;
            return 0;
        }
    }
    number->real = strtod(text, &end);
    if (end == text || *end != '\0' || strpbrk(text, "xXnN"))
        return fail(p, path, "the default of a number is not a number: \"%.80s\"", text);
    return 0;
}

static int parse_field(struct sd_parser *p, const struct sd_value *json, const char *space,
                       const struct sd_path *path, unsigned depth, struct sd_schema_field *field,
                       struct sd_field_more *more)
{
    struct sd_path type_path = {.up = path, .name = bs_bytes_text("type")};
    const struct sd_value *name, *type, *doc;
    int rc;
    if (json->type != SD_MAP)
        return fail(p, path, "a field is a JSON object");
    name = text_member(json, "name");
    type = member(json, "type");
    doc = text_member(json, "doc");
    if (name == NULL)
        return fail(p, path, "No field name");
    if ((rc = sd_name_check(p, name->bytes, path)) < 0)
        return rc;
    more->name = name->bytes;
    field->name = text_copy(p, name->bytes);
    if (type == NULL)
        return fail(p, path, "No field type: field '%s' needs a \"type\"", field->name);
    if (doc) {
        more->doc = doc->bytes;
        field->doc = text_copy(p, doc->bytes);
    }
    if ((rc = parse_order(p, json, path, more)) < 0 ||
        (rc = parse_aliases(p, json, NULL, path, &field->aliases, &field->alias_count)) < 0 ||
        (rc = parse_type(p, type, space, &type_path, depth + 1, &field->type)) < 0)
        return rc;
    field->default_value = member(json, "default");
    if (field->default_value && field->default_value->type == SD_STRING && field->type &&
        (field->type->kind == SD_AVRO_FLOAT || field->type->kind == SD_AVRO_DOUBLE) &&
        (rc = number_default(p, path, &field->default_value)) < 0)
        return rc;
    take_attributes(p, json, field_reserved, &more->attributes, &more->attribute_count);
    return 0;
}

static int parse_record(struct sd_parser *p, const struct sd_value *json, const char *space,
                        const struct sd_path *path, unsigned depth, struct sd_node **slot)
{
    struct sd_path list_path = {.up = path, .name = bs_bytes_text("fields")};
    const struct sd_value *fields = member(json, "fields");
    struct sd_node_more *record;
    struct sd_node *old;
    int rc = new_node(p, SD_AVRO_RECORD, path, &record);
    if (rc < 0 || (rc = define_name(p, json, space, path, record, &old)) < 0)
        return rc;
    record->is_error = bs_bytes_is(member(json, "type")->bytes, "error");
    if (fields == NULL || fields->type != SD_ARRAY)
        return fail(p, path, "Record has no fields: \"fields\" is an array, %s has none",
                    record->node.name);
    record->node.field_count = fields->array.count;
    record->node.fields =
        bs_arena_array(&p->schema->arena, fields->array.count, sizeof *record->node.fields);
    record->more = bs_arena_array(&p->schema->arena, fields->array.count, sizeof *record->more);
    for (size_t i = 0; i < fields->array.count; i++) {
        struct sd_path here = {.up = &list_path, .index = i};
        rc = parse_field(p, &fields->array.items[i], record->space, &here, depth,
                         &record->node.fields[i], &record->more[i]);
        if (rc < 0)
            return rc;
    }
    rc = parse_aliases(p, json, record->space, path, &record->node.aliases,
                       &record->node.alias_count);
    if (rc < 0)
        return rc;
    take_extras(p, json, record);
    if (!sd_record_index(p, record))
        return fail(p, path, "Duplicate field in record %s", record->node.name);
    record->complete = true;
    *slot = old ? old : &record->node;
    return old ? sd_redefinition_add(p, old, &record->node) : 0;
}

static int parse_enum(struct sd_parser *p, const struct sd_value *json, const char *space,
                      const struct sd_path *path, struct sd_node **slot)
{
    const struct sd_value *symbols = member(json, "symbols");
    const struct sd_value *standard = text_member(json, "default");
    struct sd_node_more *node;
    struct sd_node *old;
    const char **list;
    int rc = new_node(p, SD_AVRO_ENUM, path, &node);
    if (rc < 0 || (rc = define_name(p, json, space, path, node, &old)) < 0)
        return rc;
    if (symbols == NULL || symbols->type != SD_ARRAY)
        return fail(p, path, "Enum has no symbols: \"symbols\" is an array, %s has none",
                    node->node.name);
    node->node.symbol_count = symbols->array.count;
    node->node.symbols = list =
        bs_arena_array(&p->schema->arena, symbols->array.count, sizeof *list);
    node->symbol_text =
        bs_arena_array(&p->schema->arena, symbols->array.count, sizeof *node->symbol_text);
    for (size_t i = 0; i < symbols->array.count; i++) {
        const struct sd_value *symbol = &symbols->array.items[i];
        if (symbol->type != SD_STRING)
            return fail(p, path, "Enum symbol is not a string");
        if ((rc = sd_name_check(p, symbol->bytes, path)) < 0)
            return rc;
        node->symbol_text[i] = symbol->bytes;
        list[i] = text_copy(p, symbol->bytes);
    }
    if (!sd_symbol_index(p, node))
        return fail(p, path, "Duplicate enum symbol in %s", node->node.name);
    if (standard) {
        if (sd_node_symbol(&node->node, standard->bytes) < 0)
            return fail(p, path, "The Enum Default: %.*s is not in the enum symbol set",
                        (int)(standard->bytes.len > 80 ? 80 : standard->bytes.len),
                        (const char *)standard->bytes.ptr);
        node->node.enum_default = text_copy(p, standard->bytes);
    }
    rc = parse_aliases(p, json, node->space, path, &node->node.aliases, &node->node.alias_count);
    if (rc < 0)
        return rc;
    take_extras(p, json, node);
    node->complete = true;
    *slot = old ? old : &node->node;
    return old ? sd_redefinition_add(p, old, &node->node) : 0;
}

static int parse_fixed(struct sd_parser *p, const struct sd_value *json, const char *space,
                       const struct sd_path *path, struct sd_node **slot)
{
    const struct sd_value *size = member(json, "size");
    struct sd_node_more *node;
    struct sd_node *old;
    int rc = new_node(p, SD_AVRO_FIXED, path, &node);
    if (rc < 0 || (rc = define_name(p, json, space, path, node, &old)) < 0)
        return rc;
    if (size == NULL || size->type != SD_LONG || size->number < 0 ||
        size->number > SD_SCHEMA_FIXED_MAX)
        return fail(p, path, "Invalid or no size: \"size\" of %s is an integer from 0 to %d",
                    node->node.name, SD_SCHEMA_FIXED_MAX);
    node->node.size = (size_t)size->number;
    rc = parse_aliases(p, json, node->space, path, &node->node.aliases, &node->node.alias_count);
    if (rc < 0)
        return rc;
    take_extras(p, json, node);
    node->complete = true;
    *slot = old ? old : &node->node;
    return old ? sd_redefinition_add(p, old, &node->node) : 0;
}

static int parse_items(struct sd_parser *p, const struct sd_value *json, const char *space,
                       const struct sd_path *path, unsigned depth, enum sd_avro kind,
                       struct sd_node **slot)
{
    const char *name = kind == SD_AVRO_ARRAY ? "items" : "values";
    struct sd_path here = {.up = path, .name = bs_bytes_text(name)};
    const struct sd_value *items = member(json, name);
    struct sd_node_more *node;
    int rc;
    if (items == NULL)
        return fail(p, path, "%s has no %s type", kind == SD_AVRO_ARRAY ? "Array" : "Map", name);
    if ((rc = new_node(p, kind, path, &node)) < 0 ||
        (rc = parse_type(p, items, space, &here, depth + 1, &node->node.items)) < 0)
        return rc;
    take_extras(p, json, node);
    *slot = &node->node;
    return 0;
}

static int parse_union(struct sd_parser *p, const struct sd_value *json, const char *space,
                       const struct sd_path *path, unsigned depth, struct sd_node **slot)
{
    struct sd_node_more *node;
    int rc = new_node(p, SD_AVRO_UNION, path, &node);
    if (rc < 0)
        return rc;
    node->node.branch_count = json->array.count;
    node->node.branches =
        bs_arena_array(&p->schema->arena, json->array.count, sizeof *node->node.branches);
    for (size_t i = 0; i < json->array.count; i++) {
        struct sd_path here = {.up = path, .index = i};
        rc = parse_type(p, &json->array.items[i], space, &here, depth + 1, &node->node.branches[i]);
        if (rc < 0)
            return rc;
    }
    *slot = &node->node;
    return 0;
}

static int primitive_kind(struct bs_bytes name)
{
    char first = name.len ? (char)name.ptr[0] : '\0'; /* tells most apart */
    for (int kind = SD_AVRO_NULL; kind <= SD_AVRO_STRING; kind++) {
        const char *primitive = sd_avro_name((enum sd_avro)kind);
        if (primitive[0] == first && bs_bytes_is(name, primitive))
            return kind;
    }
    return -1;
}

static int parse_primitive(struct sd_parser *p, const struct sd_value *json, enum sd_avro kind,
                           const struct sd_path *path, struct sd_node **slot)
{
    struct sd_node_more *node, **plain = &p->plain[p->foreign][kind];
    int rc;
    if (json->type != SD_MAP && *plain) { /* all that are only named are one */
        *slot = &(*plain)->node;
        return 0;
    }
    if ((rc = new_node(p, kind, path, &node)) < 0)
        return rc;
    if (json->type == SD_MAP)
        take_extras(p, json, node);
    else
        *plain = node;
    *slot = &node->node;
    return 0;
}

static int parse_object(struct sd_parser *p, const struct sd_value *json, const char *space,
                        const struct sd_path *path, unsigned depth, struct sd_node **slot)
{
    const struct sd_value *type = text_member(json, "type");
    int kind;
    if (type == NULL)
        return fail(p, path, "No type: a schema object needs a \"type\" that is a string");
    kind = primitive_kind(type->bytes);
    if (kind >= 0)
        return parse_primitive(p, json, (enum sd_avro)kind, path, slot);
    if (bs_bytes_is(type->bytes, "record") || bs_bytes_is(type->bytes, "error"))
        return parse_record(p, json, space, path, depth, slot);
    if (bs_bytes_is(type->bytes, "enum"))
        return parse_enum(p, json, space, path, slot);
    if (bs_bytes_is(type->bytes, "fixed"))
        return parse_fixed(p, json, space, path, slot);
    if (bs_bytes_is(type->bytes, "array"))
        return parse_items(p, json, space, path, depth, SD_AVRO_ARRAY, slot);
    if (bs_bytes_is(type->bytes, "map"))
        return parse_items(p, json, space, path, depth, SD_AVRO_MAP, slot);
    return sd_name_use(p, type->bytes, space, path, slot);
}

static int parse_type(struct sd_parser *p, const struct sd_value *json, const char *space,
                      const struct sd_path *path, unsigned depth, struct sd_node **slot)
{
    int kind;
    if (depth > SD_SCHEMA_DEPTH_MAX) {
        fail(p, path, "the schema is nested deeper than %d types", SD_SCHEMA_DEPTH_MAX);
        if (p->err)
            p->err->code = BS_ELIMIT;
        return BS_ELIMIT;
    }
    switch ((enum sd_type)json->type) {
    case SD_STRING:
        kind = primitive_kind(json->bytes);
        if (kind >= 0)
            return parse_primitive(p, json, (enum sd_avro)kind, path, slot);
        return sd_name_use(p, json->bytes, space, path, slot);
    case SD_MAP:
        return parse_object(p, json, space, path, depth, slot);
    case SD_ARRAY:
        return parse_union(p, json, space, path, depth, slot);
    default:
        return fail(p, path, "No type: a schema is a string, an object or an array, not %s",
                    sd_type_name((enum sd_type)json->type));
    }
}

static int parse_text(struct sd_parser *p, struct bs_bytes text, struct sd_node **slot)
{
    static const struct sd_json_rules rules = {.depth_max = 900, .schema = true};
    struct sd_path root = {0};
    struct sd_value json;
    int rc;
    if (text.len > SD_SCHEMA_TEXT_MAX)
        return bs_error_set(p->err, BS_ELIMIT, "the schema has %zu bytes, at most %d are accepted",
                            text.len, SD_SCHEMA_TEXT_MAX);
    rc = sd_json_parse(text, &rules, &p->schema->arena, &json, p->err);
    if (rc == 0)
        rc = parse_type(p, &json, "", &root, 0, slot);
    return rc;
}

/* One text of a referenced schema, unless it was read already. */
static int parse_source(struct sd_parser *p, const char *name, struct bs_bytes text)
{
    struct sd_schema *s = p->schema;
    struct sd_node **slot = bs_arena_zalloc(&s->arena, sizeof *slot);
    size_t total = text.len;
    int rc;
    for (size_t k = 0; k < s->source_count; k++) {
        if (bs_bytes_equal(s->sources[k], text))
            return 0;
        total += s->sources[k].len;
    }
    if (total > SD_SCHEMA_SOURCES_MAX)
        return bs_error_set(p->err, BS_ELIMIT, "references take more than %d bytes together",
                            SD_SCHEMA_SOURCES_MAX);
    if ((rc = parse_text(p, text, slot)) < 0)
        return bs_error_wrap(p->err, "reference '%s'", name);
    s->sources[s->source_count++] = bs_bytes(bs_arena_dup(&s->arena, text.ptr, text.len), text.len);
    return 0;
}

/* The texts behind the referenced schemas are read again into this schema, so that all its nodes
 * are its own and every index is unique. */
static int parse_references(struct sd_parser *p, const struct sd_reference *refs, size_t count)
{
    struct sd_schema *s = p->schema;
    size_t total = 1;
    int rc = 0;
    for (size_t i = 0; i < count; i++)
        total += refs[i].schema ? refs[i].schema->source_count : 1;
    s->sources = bs_arena_array(&s->arena, total, sizeof *s->sources);
    p->foreign = true;
    for (size_t i = 0; i < count && rc == 0; i++) {
        const struct sd_schema *other = refs[i].schema;
        if (other == NULL)
            rc = parse_source(p, refs[i].name, refs[i].text);
        for (size_t j = 0; other && j < other->source_count && rc == 0; j++)
            rc = parse_source(p, refs[i].name, other->sources[j]);
    }
    p->foreign = false;
    return rc;
}

int sd_schema_parse(struct bs_bytes text, bool strict, const struct sd_reference *refs,
                    size_t ref_count, struct sd_schema **ret, struct bs_error *err)
{
    struct sd_parser p = {.err = err};
    struct sd_schema *s = bs_new(struct sd_schema);
    int rc;
    atomic_init(&s->refs, 1);
    bs_arena_init(&s->arena);
    p.schema = s;
    rc = parse_references(&p, refs, ref_count);
    p.strict = strict; /* what is referenced is stored already */
    if (rc == 0)
        rc = parse_text(&p, text, &s->root);
    if (rc == 0)
        rc = sd_names_resolve(&p);
    if (rc == 0) {
        s->sources[s->source_count++] =
            bs_bytes(bs_arena_dup(&s->arena, text.ptr, text.len), text.len);
        s->nodes = bs_arena_dup(&s->arena, p.nodes, s->node_count * sizeof(*p.nodes));
        rc = sd_schema_check(&p);
    }
    if (rc == 0)
        rc = sd_redefinitions_compare(&p);
    sd_names_deinit(&p);
    bs_free(p.nodes);
    if (rc < 0) {
        sd_schema_unref(s);
        return rc;
    }
    *ret = s;
    return 0;
}
