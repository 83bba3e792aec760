/* Metadata: see metadata.h. */
#include "schema-registry/metadata.h"

#include "schema-registry/member.h"

#include <stdlib.h>

enum { TAGS, PROPERTIES, SENSITIVE, PARTS };
static const char *const part_names[PARTS] = {"tags", "properties", "sensitive"};

static const struct sd_value *part_of(const struct sd_value *metadata, int part)
{
    return metadata ? sd_value_get(metadata, bs_bytes_text(part_names[part])) : NULL;
}

static struct sd_value *metadata_new(struct bs_arena *arena)
{
    struct sd_value *to = bs_arena_zalloc(arena, sizeof *to);
    to->type = SD_MAP;
    to->map.fields = bs_arena_array(arena, PARTS, sizeof *to->map.fields);
    return to;
}

static void put_part(struct sd_value *to, int part, const struct sd_value *value)
{
    if ((value->type == SD_MAP ? value->map.count : value->array.count) == 0)
        return;
    to->map.fields[to->map.count].name = bs_bytes_text(part_names[part]);
    to->map.fields[to->map.count++].value = *value;
}

static int field_compare(const void *a, const void *b)
{
    return bs_bytes_compare(((const struct sd_field *)a)->name, ((const struct sd_field *)b)->name);
}

static int item_compare(const void *a, const void *b)
{
    return bs_bytes_compare(((const struct sd_value *)a)->bytes,
                            ((const struct sd_value *)b)->bytes);
}

/* Sorted; of equal ones the first stays. */
static void sort_items(struct sd_value *list)
{
    size_t kept = 0;
    if (list->array.count)
        qsort(list->array.items, list->array.count, sizeof *list->array.items, item_compare);
    for (size_t i = 0; i < list->array.count; i++)
        if (kept == 0 || item_compare(&list->array.items[kept - 1], &list->array.items[i]) != 0)
            list->array.items[kept++] = list->array.items[i];
    list->array.count = kept;
}

/* ---- read ---- */

static bool read_text(const struct sd_value *from, struct bs_arena *arena, struct sd_value *to)
{
    return sr_member_take(from, SD_STRING, arena, to) && to->type != SD_NULL;
}

static bool read_list(const struct sd_value *from, struct bs_arena *arena, struct sd_value *to)
{
    if (!sr_member_take_texts(from, arena, to))
        return false;
    sort_items(to);
    return true;
}

static bool read_map(const struct sd_value *from, bool of_lists, struct bs_arena *arena,
                     struct sd_value *to)
{
    if (from->type != SD_MAP)
        return false;
    *to = (struct sd_value){.type = SD_MAP};
    to->map.fields = bs_arena_array(arena, from->map.count, sizeof *to->map.fields);
    for (size_t i = 0; i < from->map.count; i++) {
        struct sd_field *field = &to->map.fields[to->map.count++];
        field->name = from->map.fields[i].name;
        if (!(of_lists ? read_list : read_text)(&from->map.fields[i].value, arena, &field->value))
            return false;
    }
    if (to->map.count)
        qsort(to->map.fields, to->map.count, sizeof *to->map.fields, field_compare);
    return true;
}

int sr_metadata_read(const struct sd_value *json, struct bs_arena *arena,
                     const struct sd_value **ret, struct bs_error *err)
{
    static const char *const wanted[PARTS] = {"an object of lists of strings",
                                              "an object of strings", "a list of strings"};
    struct sd_value *to = metadata_new(arena);
    *ret = NULL;
    if (json->type != SD_MAP)
        return bs_error_set(err, BS_EINVAL, "\"metadata\" is not an object");
    for (int part = 0; part < PARTS; part++) {
        const struct sd_value *from = part_of(json, part);
        struct sd_value value;
        if (from == NULL || from->type == SD_NULL)
            continue;
        if (!(part == SENSITIVE ? read_list(from, arena, &value)
                                : read_map(from, part == TAGS, arena, &value)))
            return bs_error_set(err, BS_EINVAL, "\"%s\" of metadata is not %s", part_names[part],
                                wanted[part]);
        put_part(to, part, &value);
    }
    *ret = to;
    return 0;
}

/* ---- merge ---- */

static struct sd_value merge_maps(const struct sd_value *old, const struct sd_value *new,
                                  struct bs_arena *arena)
{
    struct sd_value to = {.type = SD_MAP};
    size_t i = 0, k = 0;
    to.map.fields = bs_arena_array(arena, old->map.count + new->map.count, sizeof *to.map.fields);
    while (i < old->map.count || k < new->map.count) {
        int order = i == old->map.count   ? 1
                    : k == new->map.count ? -1
                                          : field_compare(&old->map.fields[i], &new->map.fields[k]);
        to.map.fields[to.map.count++] = order < 0 ? old->map.fields[i] : new->map.fields[k];
        i += order <= 0;
        k += order >= 0;
    }
    return to;
}

static struct sd_value merge_lists(const struct sd_value *old, const struct sd_value *new,
                                   struct bs_arena *arena)
{
    struct sd_value to = {.type = SD_ARRAY};
    to.array.items =
        bs_arena_array(arena, old->array.count + new->array.count, sizeof *to.array.items);
    for (size_t i = 0; i < old->array.count; i++)
        to.array.items[to.array.count++] = old->array.items[i];
    for (size_t i = 0; i < new->array.count; i++)
        to.array.items[to.array.count++] = new->array.items[i];
    sort_items(&to);
    return to;
}

const struct sd_value *sr_metadata_merge(const struct sd_value *old, const struct sd_value *new,
                                         struct bs_arena *arena)
{
    struct sd_value *to;
    if (old == NULL || new == NULL)
        return old ? old : new;
    to = metadata_new(arena);
    for (int part = 0; part < PARTS; part++) {
        const struct sd_value *a = part_of(old, part), *b = part_of(new, part);
        struct sd_value value;
        if (a == NULL && b == NULL)
            continue;
        value = a == NULL           ? *b
                : b == NULL         ? *a
                : part == SENSITIVE ? merge_lists(a, b, arena)
                                    : merge_maps(a, b, arena);
        put_part(to, part, &value);
    }
    return to;
}

const struct sd_value *sr_metadata_with(const struct sd_value *metadata, const char *name,
                                        const char *value, struct bs_arena *arena)
{
    const struct sd_value *old = part_of(metadata, PROPERTIES);
    size_t count = old ? old->map.count : 0;
    struct sd_value properties = {.type = SD_MAP}, *to = metadata_new(arena);
    properties.map.fields = bs_arena_array(arena, count + 1, sizeof *properties.map.fields);
    for (size_t i = 0; i < count; i++)
        if (!bs_bytes_is(old->map.fields[i].name, name))
            properties.map.fields[properties.map.count++] = old->map.fields[i];
    if (value) {
        struct sd_field *field = &properties.map.fields[properties.map.count++];
        field->name = bs_bytes_text(name);
        field->value = (struct sd_value){.type = SD_STRING, .bytes = bs_bytes_text(value)};
        qsort(properties.map.fields, properties.map.count, sizeof *properties.map.fields,
              field_compare);
    }
    for (int part = 0; part < PARTS; part++) {
        const struct sd_value *from = part == PROPERTIES ? &properties : part_of(metadata, part);
        if (from)
            put_part(to, part, from);
    }
    return to;
}

struct bs_bytes sr_metadata_property(const struct sd_value *metadata, const char *name)
{
    const struct sd_value *properties = part_of(metadata, PROPERTIES);
    const struct sd_value *value =
        properties ? sd_value_get(properties, bs_bytes_text(name)) : NULL;
    return value && value->type == SD_STRING ? value->bytes : bs_bytes(NULL, 0);
}
