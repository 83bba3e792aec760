/* Value: names, lookup, equality and deep copy of the value model (value.h). Pure. Recursion is
 * bounded by whoever made the value: every reader of lib/serde limits depth. */
#include "lib/serde/value.h"

const char *sd_type_name(enum sd_type type)
{
    static const char *const names[] = {
        [SD_NULL] = "null",     [SD_BOOL] = "boolean",  [SD_LONG] = "long",   [SD_FLOAT] = "float",
        [SD_DOUBLE] = "double", [SD_STRING] = "string", [SD_BYTES] = "bytes", [SD_ARRAY] = "array",
        [SD_MAP] = "map",       [SD_RECORD] = "record",
    };
    return (unsigned)type < sizeof names / sizeof *names ? names[type] : "unknown";
}

const struct sd_value *sd_value_get(const struct sd_value *map, struct bs_bytes name)
{
    if (map == NULL || (map->type != SD_MAP && map->type != SD_RECORD))
        return NULL;
    for (size_t i = 0; i < map->map.count; i++)
        if (bs_bytes_equal(map->map.fields[i].name, name))
            return &map->map.fields[i].value;
    return NULL;
}

static bool maps_equal(const struct sd_value *a, const struct sd_value *b)
{
    if (a->map.count != b->map.count)
        return false;
    for (size_t i = 0; i < a->map.count; i++) {
        const struct sd_field *field = &a->map.fields[i];
        const struct sd_value *other = NULL;
        if (bs_bytes_equal(field->name, b->map.fields[i].name)) /* same order: the usual case */
            other = &b->map.fields[i].value;
        else
            other = sd_value_get(b, field->name);
        if (other == NULL || !sd_value_equal(&field->value, other))
            return false;
    }
    return true;
}

bool sd_value_equal(const struct sd_value *a, const struct sd_value *b)
{
    if (a->type != b->type)
        return false;
    switch ((enum sd_type)a->type) {
    case SD_NULL:
        return true;
    case SD_BOOL:
        return a->boolean == b->boolean;
    case SD_LONG:
        return a->number == b->number;
    case SD_FLOAT:
    case SD_DOUBLE:
        return a->real == b->real || (a->real != a->real && b->real != b->real);
    case SD_STRING:
    case SD_BYTES:
        return bs_bytes_equal(a->bytes, b->bytes);
    case SD_ARRAY:
        if (a->array.count != b->array.count)
            return false;
        for (size_t i = 0; i < a->array.count; i++)
            if (!sd_value_equal(&a->array.items[i], &b->array.items[i]))
                return false;
        return true;
    case SD_MAP:
    case SD_RECORD:
        return maps_equal(a, b);
    }
    return false;
}

static struct bs_bytes bytes_copy(struct bs_arena *arena, struct bs_bytes bytes)
{
    return bs_bytes(bs_arena_dup(arena, bytes.ptr, bytes.len), bytes.len);
}

static void value_copy_into(struct bs_arena *arena, const struct sd_value *from,
                            struct sd_value *to)
{
    *to = *from;
    if (from->branch)
        to->branch = bs_arena_strndup(arena, from->branch, strlen(from->branch));
    switch ((enum sd_type)from->type) {
    case SD_STRING:
    case SD_BYTES:
        to->bytes = bytes_copy(arena, from->bytes);
        break;
    case SD_ARRAY:
        to->array.items = bs_arena_array(arena, from->array.count, sizeof *to->array.items);
        for (size_t i = 0; i < from->array.count; i++)
            value_copy_into(arena, &from->array.items[i], &to->array.items[i]);
        break;
    case SD_MAP:
    case SD_RECORD:
        to->map.fields = bs_arena_array(arena, from->map.count, sizeof *to->map.fields);
        for (size_t i = 0; i < from->map.count; i++) {
            to->map.fields[i].name = bytes_copy(arena, from->map.fields[i].name);
            value_copy_into(arena, &from->map.fields[i].value, &to->map.fields[i].value);
        }
        break;
    default:
        break;
    }
}

struct sd_value *sd_value_copy(struct bs_arena *arena, const struct sd_value *value)
{
    struct sd_value *copy = bs_arena_zalloc(arena, sizeof *copy);
    value_copy_into(arena, value, copy);
    return copy;
}
