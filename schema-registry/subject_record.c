/* Subjects as records: what is in the store, to be written (again): see subject.h. */
#include "schema-registry/subject.h"

struct sr_record sr_version_record(const struct sr_subject *subject,
                                   const struct sr_version *version, struct bs_arena *arena)
{
    const struct sr_entry *entry = version->entry;
    struct sr_record record = {.kind = SR_RECORD_SCHEMA,
                               .subject =
                                   bs_arena_strndup(arena, subject->name, strlen(subject->name)),
                               .version = version->number,
                               .id = entry->id,
                               .deleted = version->deleted};
    if (entry->type)
        record.type = bs_arena_strndup(arena, entry->type, strlen(entry->type));
    if (version->extra)
        record.extra = sd_value_copy(arena, version->extra->members);
    sr_content_copy(&record.content, &entry->content, arena);
    return record;
}

static struct sd_field number_field(const char *name, int64_t number)
{
    return (struct sd_field){.name = bs_bytes_text(name),
                             .value = {.type = SD_LONG, .number = number}};
}

/* {"maxId":7,"contexts":{".ctx":3}} */
struct sr_record sr_store_mark(const struct sr_store *store, struct bs_arena *arena)
{
    struct sd_field *fields = bs_arena_array(arena, 2 + SR_MARK_ROOM, sizeof *fields);
    struct sd_value *contexts = &fields[1].value;
    size_t spaces = sr_store_space_count(store), count = 0;
    fields[count++] = number_field("maxId", sr_store_max_id(store, NULL));
    contexts->type = SD_MAP;
    contexts->map.fields = bs_arena_array(arena, spaces, sizeof *contexts->map.fields);
    for (size_t i = 1; i < spaces; i++) {
        const struct sr_space *space = sr_store_space_at(store, i);
        const char *name = bs_arena_strndup(arena, space->context, strlen(space->context));
        if (space->max_id > 0)
            contexts->map.fields[contexts->map.count++] = number_field(name, space->max_id);
    }
    if (contexts->map.count)
        fields[count++].name = bs_bytes_text("contexts");
    return (struct sr_record){
        .kind = SR_RECORD_NOOP,
        .value = {.type = SD_MAP, .map = {.fields = fields, .count = count}},
    };
}
