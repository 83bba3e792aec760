/* Schema text: the three texts of a schema.
 *
 *   canonical   what a registry stores: Avro Java's toString. Member order type, name, namespace,
 *               doc, then fields | symbols, default | size | items | values, other attributes in
 *               input order, aliases. Docs, defaults and attributes are kept.
 *   normalized  in addition attributes and nested objects sorted by name, aliases sorted, valid
 *               logical types first, empty docs of types dropped, "error" is "record", defaults as
 * values of their type. pcf         Avro specification 1.12, "Parsing Canonical Form": full names;
 * only name, type, fields, symbols, items, values, size.
 *
 * A named type is printed where the walk meets it first, by name from then on; types that came by
 * reference are only named. Pure. */
#include "lib/serde/json_writer.h"
#include "lib/serde/number.h"
#include "lib/serde/schema_model.h"

#include "lib/base/mem.h"

#include <math.h>
#include <stdlib.h>

enum { PRINT_DEPTH_MAX = 2000 };

struct printer {
    struct bs_buf *out;
    bool normalize;
    uint8_t *seen; /* by name_id */
    bool *cut;     /* set when it is nested too deeply */
    const char *instead_name;
    const struct sd_instead *instead;
    size_t instead_count;
};

static void put(const struct printer *p, const char *text)
{
    bs_buf_puts(p->out, text);
}

/* As Java's writer escapes: short forms where JSON has them, else \u00XX. */
static void put_string(struct bs_buf *out, struct bs_bytes text)
{
    static const char shorts[32] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    size_t from = 0;
    bs_buf_put_u8(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        bs_buf_put(out, text.ptr + from, i - from);
        from = i + 1;
        if (c >= 0x20)
            bs_buf_printf(out, "\\%c", c);
        else if (shorts[c])
            bs_buf_printf(out, "\\%c", shorts[c]);
        else
            bs_buf_printf(out, "\\u%04X", c);
    }
    bs_buf_put(out, text.ptr + from, text.len - from);
    bs_buf_put_u8(out, '"');
}

static int field_compare(const void *a, const void *b)
{
    const struct sd_field *const *x = a, *const *y = b;
    return bs_bytes_compare((*x)->name, (*y)->name);
}

static int text_compare(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

static void put_json(const struct printer *p, const struct sd_value *json, bool sorted);

static const struct sd_field **in_order(const struct sd_field *fields, size_t count, bool sorted)
{
    const struct sd_field **list = bs_array(count, sizeof *list);
    for (size_t i = 0; i < count; i++)
        list[i] = &fields[i];
    if (sorted)
        qsort(list, count, sizeof *list, field_compare);
    return list;
}

static void put_json_map(const struct printer *p, const struct sd_value *json, bool sorted)
{
    const struct sd_field **list = in_order(json->map.fields, json->map.count, sorted);
    put(p, "{");
    for (size_t i = 0; i < json->map.count; i++) {
        if (i)
            put(p, ",");
        put_string(p->out, list[i]->name);
        put(p, ":");
        put_json(p, &list[i]->value, sorted);
    }
    put(p, "}");
    bs_free(list);
}

static void put_json(const struct printer *p, const struct sd_value *json, bool sorted)
{
    switch ((enum sd_type)json->type) {
    case SD_NULL:
        put(p, "null");
        break;
    case SD_BOOL:
        put(p, json->boolean ? "true" : "false");
        break;
    case SD_LONG:
        sd_integer_put(p->out, json->number);
        break;
    case SD_FLOAT:
    case SD_DOUBLE:
        if (isnan(json->real))
            put(p, "\"NaN\"");
        else if (isinf(json->real))
            put(p, json->real > 0 ? "\"Infinity\"" : "\"-Infinity\"");
        else
            sd_number_put(p->out, json->real, json->type == SD_FLOAT, SD_NUMBER_JAVA);
        break;
    case SD_BYTES: /* digits of an integer beyond 64 bits, see json_reader.h */
        bs_buf_put(p->out, json->bytes.ptr, json->bytes.len);
        break;
    case SD_STRING:
        put_string(p->out, json->bytes);
        break;
    case SD_ARRAY:
        put(p, "[");
        for (size_t i = 0; i < json->array.count; i++) {
            if (i)
                put(p, ",");
            put_json(p, &json->array.items[i], sorted);
        }
        put(p, "]");
        break;
    case SD_MAP:
    case SD_RECORD:
        put_json_map(p, json, sorted);
        break;
    }
}

static bool listed_first(const struct sd_field *attribute, bool logical)
{
    if (!logical)
        return false;
    if (bs_bytes_is(attribute->name, "logicalType") || bs_bytes_is(attribute->name, "precision"))
        return true;
    return bs_bytes_is(attribute->name, "scale") &&
           !(attribute->value.type == SD_LONG && attribute->value.number == 0);
}

static void put_attribute(const struct printer *p, const struct sd_field *attribute)
{
    put(p, ",");
    put_string(p->out, attribute->name);
    put(p, ":");
    put_json(p, &attribute->value, p->normalize);
}

static void put_attributes(const struct printer *p, const struct sd_field *attributes, size_t count,
                           bool logical)
{
    static const char *const first[] = {"logicalType", "precision", "scale"};
    const struct sd_field **list = in_order(attributes, count, p->normalize);
    bool lead = p->normalize && logical;
    for (size_t k = 0; lead && k < 3; k++)
        for (size_t i = 0; i < count; i++)
            if (bs_bytes_is(list[i]->name, first[k]) && listed_first(list[i], true))
                put_attribute(p, list[i]);
    for (size_t i = 0; i < count; i++)
        if (!listed_first(list[i], lead))
            put_attribute(p, list[i]);
    bs_free(list);
}

static int instead_compare(const void *a, const void *b)
{
    const struct sd_instead *x = a, *y = b;
    return x->node != y->node ? (x->node > y->node) - (x->node < y->node)
                              : (x->field > y->field) - (x->field < y->field);
}

/* Attributes of a type (field -1) or a field, one of them perhaps replaced. */
static void put_own_attributes(const struct printer *p, const struct sd_node_more *node, int field)
{
    const struct sd_field *attributes = field < 0 ? node->attributes : node->more[field].attributes;
    size_t count = field < 0 ? node->attribute_count : node->more[field].attribute_count;
    struct sd_instead key = {.node = node->node.index, .field = field};
    const struct sd_instead *instead =
        p->instead_count ? bsearch(&key, p->instead, p->instead_count, sizeof key, instead_compare)
                         : NULL;
    bool there = false;
    if (instead == NULL) {
        put_attributes(p, attributes, count, field < 0 && node->logical_listed);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct sd_field attribute = attributes[i];
        if (bs_bytes_is(attribute.name, p->instead_name)) {
            there = true;
            if (instead->value == NULL)
                continue;
            attribute.value = *instead->value;
        }
        put_attribute(p, &attribute);
    }
    if (!there && instead->value)
        put_attribute(p, &(struct sd_field){.name = bs_bytes_text(p->instead_name),
                                            .value = *instead->value});
}

static bool is_type_name(const char *base)
{
    for (int kind = SD_AVRO_NULL; kind <= SD_AVRO_FIXED; kind++)
        if (strcmp(base, sd_avro_name((enum sd_avro)kind)) == 0)
            return true;
    return false;
}

/* Short inside its own namespace, unless that would read as a built-in type. */
static void put_name_use(const struct printer *p, const char *full, const char *space)
{
    size_t len = strlen(space);
    const char *base = full;
    if (len && strncmp(full, space, len) == 0 && full[len] == '.' &&
        strchr(full + len + 1, '.') == NULL && !is_type_name(full + len + 1))
        base = full + len + 1;
    put_string(p->out, bs_bytes_text(base));
}

static void put_aliases(const struct printer *p, const char *const *aliases, size_t count,
                        const char *space)
{
    const char **list;
    if (count == 0)
        return;
    list = bs_memdup(aliases, count * sizeof *list);
    if (p->normalize)
        qsort(list, count, sizeof *list, text_compare);
    put(p, ",\"aliases\":[");
    for (size_t i = 0; i < count; i++) {
        if (i)
            put(p, ",");
        if (space)
            put_name_use(p, list[i], space);
        else
            put_string(p->out, bs_bytes_text(list[i]));
    }
    put(p, "]");
    bs_free(list);
}

/* Normalized texts leave out an empty doc of a type, not that of a field (as Confluent's do). */
static void put_doc(const struct printer *p, struct bs_bytes doc, bool of_field)
{
    if (doc.ptr == NULL || (p->normalize && doc.len == 0 && !of_field))
        return;
    put(p, ",\"doc\":");
    put_string(p->out, doc);
}

/* Java's JacksonUtils.toObject: the default as a value of the (first) type; false when there is
 * none, and the normalized text then has no default. */
static bool normal_scalar(const struct sd_node *type, const struct sd_value *json,
                          struct sd_value *ret)
{
    *ret = *json;
    switch ((enum sd_type)json->type) {
    case SD_NULL:
    case SD_BOOL:
        return true;
    case SD_LONG:
        if (type->kind == SD_AVRO_FLOAT || type->kind == SD_AVRO_DOUBLE) {
            ret->type = type->kind == SD_AVRO_FLOAT ? SD_FLOAT : SD_DOUBLE;
            ret->real = (double)json->number;
            return true;
        }
        return type->kind == SD_AVRO_LONG || type->kind == SD_AVRO_INT;
    case SD_DOUBLE:
        if (type->kind == SD_AVRO_FLOAT)
            ret->type = SD_FLOAT;
        return type->kind == SD_AVRO_FLOAT || type->kind == SD_AVRO_DOUBLE;
    case SD_STRING:
        return type->kind == SD_AVRO_STRING || type->kind == SD_AVRO_ENUM ||
               type->kind == SD_AVRO_BYTES || type->kind == SD_AVRO_FIXED;
    default:
        return false;
    }
}

/* false: the default has no normal form as a whole. Then a top-level scalar is dropped; a nested
 * one keeps the text as it was given. */
static bool put_normal_default(const struct printer *p, const struct sd_node *type,
                               const struct sd_value *json, unsigned depth)
{
    struct sd_value value;
    while (type->kind == SD_AVRO_UNION && type->branch_count)
        type = type->branches[0];
    if (depth > SD_SCHEMA_DEPTH_MAX)
        return false;
    if (json->type != SD_ARRAY && json->type != SD_MAP) {
        if (!normal_scalar(type, json, &value))
            return false;
        put_json(p, &value, true);
        return true;
    }
    if (json->type == SD_ARRAY) {
        if (type->kind != SD_AVRO_ARRAY)
            return false;
        put(p, "[");
        for (size_t i = 0; i < json->array.count; i++) {
            if (i)
                put(p, ",");
            if (!put_normal_default(p, type->items, &json->array.items[i], depth + 1))
                return false;
        }
        put(p, "]");
        return true;
    }
    if (type->kind != SD_AVRO_MAP && type->kind != SD_AVRO_RECORD)
        return false;
    put(p, "{");
    for (size_t i = 0; i < json->map.count; i++) {
        const struct sd_field *field = &json->map.fields[i];
        int at = type->kind == SD_AVRO_RECORD ? sd_node_field(type, field->name) : 0;
        if (at < 0)
            return false;
        if (i)
            put(p, ",");
        put_string(p->out, field->name);
        put(p, ":");
        if (!put_normal_default(p,
                                type->kind == SD_AVRO_RECORD ? type->fields[at].type : type->items,
                                &field->value, depth + 1))
            return false;
    }
    put(p, "}");
    return true;
}

static void put_default(const struct printer *p, const struct sd_schema_field *field)
{
    size_t before = p->out->len;
    bool nested;
    if (field->default_value == NULL)
        return;
    nested = field->default_value->type == SD_ARRAY || field->default_value->type == SD_MAP;
    put(p, ",\"default\":");
    if (!p->normalize) {
        put_json(p, field->default_value, false);
        return;
    }
    if (put_normal_default(p, field->type, field->default_value, 0))
        return;
    p->out->len = before;
    if (nested) {
        put(p, ",\"default\":");
        put_json(p, field->default_value, true);
    }
}

static void put_node(const struct printer *p, const struct sd_node *node, const char *space,
                     unsigned depth);

static void put_fields(const struct printer *p, const struct sd_node_more *record, unsigned depth)
{
    static const char *const orders[] = {"ascending", "descending", "ignore"};
    put(p, ",\"fields\":[");
    for (size_t i = 0; i < record->node.field_count; i++) {
        const struct sd_schema_field *field = &record->node.fields[i];
        const struct sd_field_more *more = &record->more[i];
        put(p, i ? ",{\"name\":" : "{\"name\":");
        put_string(p->out, more->name);
        put(p, ",\"type\":");
        put_node(p, field->type, record->space, depth + 1);
        put_doc(p, more->doc, true);
        put_default(p, field);
        if (more->order != SD_ORDER_ASCENDING)
            bs_buf_printf(p->out, ",\"order\":\"%s\"", orders[more->order]);
        put_aliases(p, field->aliases, field->alias_count, NULL);
        put_own_attributes(p, record, (int)i);
        put(p, "}");
    }
    put(p, "]");
}

static void put_symbols(const struct printer *p, const struct sd_node_more *node)
{
    put(p, ",\"symbols\":[");
    for (size_t i = 0; i < node->node.symbol_count; i++) {
        if (i)
            put(p, ",");
        put_string(p->out, node->symbol_text[i]);
    }
    put(p, "]");
    if (node->node.enum_default) {
        put(p, ",\"default\":");
        put_string(p->out, bs_bytes_text(node->node.enum_default));
    }
}

static void put_named(const struct printer *p, const struct sd_node_more *node, const char *space,
                      unsigned depth)
{
    bool error = node->is_error && !p->normalize;
    if (p->seen[node->name_id]) {
        put_name_use(p, node->node.name, space);
        return;
    }
    p->seen[node->name_id] = 1;
    bs_buf_printf(p->out,
                  "{\"type\":\"%s\",\"name\":", error ? "error" : sd_avro_name(node->node.kind));
    put_string(p->out, bs_bytes_text(node->base));
    if (strcmp(node->space, space) != 0) {
        put(p, ",\"namespace\":");
        put_string(p->out, bs_bytes_text(node->space));
    }
    put_doc(p, node->doc, false);
    if (node->node.kind == SD_AVRO_RECORD)
        put_fields(p, node, depth);
    else if (node->node.kind == SD_AVRO_ENUM)
        put_symbols(p, node);
    else
        bs_buf_printf(p->out, ",\"size\":%zu", node->node.size);
    put_own_attributes(p, node, -1);
    put_aliases(p, node->node.aliases, node->node.alias_count, node->space);
    put(p, "}");
}

static void put_node(const struct printer *p, const struct sd_node *node, const char *space,
                     unsigned depth)
{
    const struct sd_node_more *more = sd_more(node);
    if (depth > PRINT_DEPTH_MAX) {
        if (p->cut)
            *p->cut = true;
        return;
    }
    switch (node->kind) {
    case SD_AVRO_RECORD:
    case SD_AVRO_ENUM:
    case SD_AVRO_FIXED:
        put_named(p, more, space, depth);
        return;
    case SD_AVRO_UNION:
        put(p, "[");
        for (size_t i = 0; i < node->branch_count; i++) {
            if (i)
                put(p, ",");
            put_node(p, node->branches[i], space, depth + 1);
        }
        put(p, "]");
        return;
    case SD_AVRO_ARRAY:
    case SD_AVRO_MAP:
        put(p, node->kind == SD_AVRO_ARRAY ? "{\"type\":\"array\",\"items\":"
                                           : "{\"type\":\"map\",\"values\":");
        put_node(p, node->items, space, depth + 1);
        put_attributes(p, more->attributes, more->attribute_count, more->logical_listed);
        put(p, "}");
        return;
    default:
        if (more->attribute_count == 0) {
            bs_buf_printf(p->out, "\"%s\"", sd_avro_name(node->kind));
            return;
        }
        bs_buf_printf(p->out, "{\"type\":\"%s\"", sd_avro_name(node->kind));
        put_attributes(p, more->attributes, more->attribute_count, more->logical_listed);
        put(p, "}");
        return;
    }
}

static uint8_t *names_seen(const struct sd_schema *schema, bool foreign)
{
    uint8_t *seen = bs_zalloc(schema->name_count + 1);
    for (size_t i = 0; foreign && i < schema->node_count; i++)
        if (schema->nodes[i]->foreign && schema->nodes[i]->node.name)
            seen[schema->nodes[i]->name_id] = 1;
    return seen;
}

void sd_schema_text(const struct sd_schema *schema, bool normalize, struct bs_buf *out)
{
    struct printer p = {.out = out, .normalize = normalize, .seen = names_seen(schema, true)};
    put_node(&p, schema->root, "", 0);
    bs_free(p.seen);
}

int sd_schema_resolved(const struct sd_schema *schema, struct bs_buf *out)
{
    bool cut = false;
    struct printer p = {.out = out, .seen = names_seen(schema, false), .cut = &cut};
    put_node(&p, schema->root, "", 0);
    bs_free(p.seen);
    return cut ? BS_ELIMIT : 0;
}

void sd_schema_text_with(const struct sd_schema *schema, const char *name,
                         const struct sd_instead *list, size_t count, struct bs_buf *out)
{
    struct printer p = {.out = out,
                        .seen = names_seen(schema, true),
                        .instead_name = name,
                        .instead = list,
                        .instead_count = count};
    put_node(&p, schema->root, "", 0);
    bs_free(p.seen);
}

void sd_node_text(const struct sd_schema *schema, const struct sd_node *node, struct bs_buf *out)
{
    struct printer p = {.out = out, .seen = names_seen(schema, false)};
    memset(p.seen, 1, schema->name_count + 1);
    p.seen[sd_more(node)->name_id] = 0;
    put_node(&p, node, "", 0);
    bs_free(p.seen);
}

static void put_pcf(const struct printer *p, const struct sd_node *node, unsigned depth)
{
    const struct sd_node_more *more = sd_more(node);
    if (depth > PRINT_DEPTH_MAX)
        return;
    if (node->name) {
        if (p->seen[more->name_id]) {
            bs_buf_printf(p->out, "\"%s\"", node->name);
            return;
        }
        p->seen[more->name_id] = 1;
        bs_buf_printf(p->out, "{\"name\":\"%s\",\"type\":\"%s\"", node->name,
                      sd_avro_name(node->kind));
    }
    switch (node->kind) {
    case SD_AVRO_RECORD:
        put(p, ",\"fields\":[");
        for (size_t i = 0; i < node->field_count; i++) {
            bs_buf_printf(p->out, "%s{\"name\":\"%s\",\"type\":", i ? "," : "",
                          node->fields[i].name);
            put_pcf(p, node->fields[i].type, depth + 1);
            put(p, "}");
        }
        put(p, "]}");
        return;
    case SD_AVRO_ENUM:
        put(p, ",\"symbols\":[");
        for (size_t i = 0; i < node->symbol_count; i++)
            bs_buf_printf(p->out, "%s\"%s\"", i ? "," : "", node->symbols[i]);
        put(p, "]}");
        return;
    case SD_AVRO_FIXED:
        bs_buf_printf(p->out, ",\"size\":%zu}", node->size);
        return;
    case SD_AVRO_ARRAY:
    case SD_AVRO_MAP:
        put(p, node->kind == SD_AVRO_ARRAY ? "{\"type\":\"array\",\"items\":"
                                           : "{\"type\":\"map\",\"values\":");
        put_pcf(p, node->items, depth + 1);
        put(p, "}");
        return;
    case SD_AVRO_UNION:
        put(p, "[");
        for (size_t i = 0; i < node->branch_count; i++) {
            if (i)
                put(p, ",");
            put_pcf(p, node->branches[i], depth + 1);
        }
        put(p, "]");
        return;
    default:
        bs_buf_printf(p->out, "\"%s\"", sd_avro_name(node->kind));
        return;
    }
}

void sd_schema_pcf(const struct sd_schema *schema, struct bs_buf *out)
{
    struct printer p = {.out = out, .seen = names_seen(schema, false)};
    put_pcf(&p, schema->root, 0);
    bs_free(p.seen);
}
