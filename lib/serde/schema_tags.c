/* Schema tags: see schema_tags.h. */
#include "lib/serde/schema_tags.h"

#include "lib/base/mem.h"
#include "lib/serde/schema_model.h"

#include <stdlib.h>

#define TAGS "confluent:tags"

static const struct sd_value *tags_of(const struct sd_node_more *record, int field)
{
    const struct sd_field *attributes =
        field < 0 ? record->attributes : record->more[field].attributes;
    size_t count = field < 0 ? record->attribute_count : record->more[field].attribute_count;
    for (size_t i = 0; i < count; i++)
        if (bs_bytes_is(attributes[i].name, TAGS) && attributes[i].value.type == SD_ARRAY)
            return &attributes[i].value;
    return NULL;
}

void sd_schema_tags(const struct sd_schema *schema, struct bs_arena *arena, struct sd_tagged **ret,
                    size_t *ret_count)
{
    size_t most = 0, count = 0;
    for (size_t i = 0; i < schema->node_count; i++)
        if (schema->nodes[i]->node.kind == SD_AVRO_RECORD)
            most += 1 + schema->nodes[i]->node.field_count;
    *ret = bs_arena_array(arena, most, sizeof **ret);
    for (size_t i = 0; i < schema->node_count; i++) {
        const struct sd_node_more *record = schema->nodes[i];
        for (int f = -1; record->node.kind == SD_AVRO_RECORD && f < (int)record->node.field_count;
             f++) {
            const struct sd_value *tags = tags_of(record, f);
            if (tags == NULL || tags->array.count == 0)
                continue;
            (*ret)[count++] = (struct sd_tagged){
                .path = f < 0 ? bs_arena_printf(arena, "%s", record->node.name)
                              : bs_arena_printf(arena, "%s.%s", record->node.name,
                                                record->node.fields[f].name),
                .field = f >= 0,
                .tags = sd_value_copy(arena, tags),
            };
        }
    }
    *ret_count = count;
}

/* ---- changing them ---- */

struct place {
    struct sd_instead instead;
    struct sd_value tags;
    size_t cap;
};

/* The record that `path` (without its field) names; the first one where the namespace is left out.
 */
static const struct sd_node_more *record_named(const struct sd_schema *schema, const char *path,
                                               size_t len)
{
    bool bare = memchr(path, '.', len) == NULL;
    for (size_t i = 0; i < schema->node_count; i++) {
        const struct sd_node_more *record = schema->nodes[i];
        const char *name = bare ? record->base : record->node.name;
        if (record->node.kind == SD_AVRO_RECORD && !record->foreign && strlen(name) == len &&
            memcmp(name, path, len) == 0)
            return record;
    }
    return NULL;
}

static const struct sd_node_more *place_of(const struct sd_schema *schema, const char *path,
                                           bool is_field, int *ret_field)
{
    const struct sd_node_more *record;
    const char *dot;
    path += *path == '.';
    *ret_field = -1;
    if (!is_field)
        return record_named(schema, path, strlen(path));
    dot = strrchr(path, '.');
    record = dot ? record_named(schema, path, (size_t)(dot - path)) : NULL;
    if (record == NULL)
        return NULL;
    *ret_field = sd_node_field(&record->node, bs_bytes_text(dot + 1));
    return *ret_field < 0 ? NULL : record;
}

static size_t tag_at(const struct sd_value *tags, const struct sd_value *tag)
{
    for (size_t i = 0; i < tags->array.count; i++)
        if (sd_value_equal(&tags->array.items[i], tag))
            return i;
    return SIZE_MAX;
}

static int add_tags(struct place *place, const struct sd_value *add, struct bs_arena *arena,
                    struct bs_error *err)
{
    struct sd_value *tags = &place->tags;
    for (size_t i = 0; add && i < add->array.count; i++) {
        if (tag_at(tags, &add->array.items[i]) != SIZE_MAX)
            continue;
        if (tags->array.count == SD_TAGS_MAX)
            return bs_error_set(err, BS_ELIMIT, "more than %d tags at one place", SD_TAGS_MAX);
        if (tags->array.count == place->cap) {
            struct sd_value *old = tags->array.items;
            place->cap = place->cap ? place->cap * 2 : 4;
            tags->array.items = bs_arena_array(arena, place->cap, sizeof *old);
            if (old)
                memcpy(tags->array.items, old, tags->array.count * sizeof *old);
        }
        tags->array.items[tags->array.count++] = add->array.items[i];
    }
    return 0;
}

static void remove_tags(struct sd_value *tags, const struct sd_value *remove)
{
    for (size_t i = 0; remove && i < remove->array.count; i++) {
        size_t at = tag_at(tags, &remove->array.items[i]);
        if (at == SIZE_MAX)
            continue;
        memmove(tags->array.items + at, tags->array.items + at + 1,
                (tags->array.count - at - 1) * sizeof *tags->array.items);
        tags->array.count--;
    }
}

/* The place of a change in the sorted list; perhaps a new one. */
static struct place *place_get(struct place *places, size_t *count,
                               const struct sd_node_more *record, int field)
{
    size_t low = 0, high = *count;
    struct place *place;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct sd_instead *at = &places[middle].instead;
        if (at->node == record->node.index && at->field == field)
            return &places[middle];
        if (at->node < record->node.index || (at->node == record->node.index && at->field < field))
            low = middle + 1;
        else
            high = middle;
    }
    place = places + low;
    memmove(place + 1, place, (*count - low) * sizeof *place);
    (*count)++;
    *place = (struct place){.instead = {.node = record->node.index, .field = field},
                            .tags = {.type = SD_ARRAY}};
    return place;
}

int sd_schema_retag(const struct sd_schema *schema, const struct sd_retag *changes, size_t count,
                    bool lenient, struct bs_buf *out, struct bs_error *err)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct place *places = NULL, *place;
    struct sd_instead *list = NULL;
    size_t place_count = 0;
    int rc = 0;
    if (count > SD_RETAGS_MAX)
        return bs_error_set(err, BS_ELIMIT, "more than %d changes of tags", SD_RETAGS_MAX);
    places = bs_array(count, sizeof *places);
    for (int removing = 0; removing < 2; removing++) {
        for (size_t i = 0; i < count && rc == 0; i++) {
            size_t before = place_count;
            int field;
            const struct sd_node_more *record =
                place_of(schema, changes[i].path, changes[i].field, &field);
            if (record == NULL && !lenient)
                rc = bs_error_set(err, BS_ENOTFOUND, "No matching path '%s' found in the schema",
                                  changes[i].path);
            if (record == NULL)
                continue;
            place = place_get(places, &place_count, record, field);
            if (place_count > before) /* it begins with the tags that are there */
                rc = add_tags(place, tags_of(record, field), &arena, err);
            if (removing)
                remove_tags(&place->tags, changes[i].remove);
            else if (rc == 0)
                rc = add_tags(place, changes[i].add, &arena, err);
        }
    }
    list = bs_array(place_count, sizeof *list);
    for (size_t i = 0; i < place_count; i++) {
        list[i] = places[i].instead;
        list[i].value = places[i].tags.array.count ? &places[i].tags : NULL;
    }
    if (rc == 0)
        sd_schema_text_with(schema, TAGS, list, place_count, out);
    bs_free(list);
    bs_free(places);
    bs_arena_deinit(&arena);
    return rc;
}
