/* Record: see record.h. */
#include "schema-registry/record.h"

#include "lib/serde/json.h"

enum { REFS_MAX = 1000 };

static const char *const keytypes[] = {
    [SR_RECORD_SCHEMA] = "SCHEMA",
    [SR_RECORD_CONFIG] = "CONFIG",
    [SR_RECORD_MODE] = "MODE",
    [SR_RECORD_DELETE_SUBJECT] = "DELETE_SUBJECT",
    [SR_RECORD_CLEAR_SUBJECT] = "CLEAR_SUBJECT",
    [SR_RECORD_CONTEXT] = "CONTEXT",
    [SR_RECORD_NOOP] = "NOOP",
};

static const struct sd_value *member(const struct sd_value *map, const char *name,
                                     enum sd_type type)
{
    const struct sd_value *value = sd_value_get(map, bs_bytes_text(name));
    return value && value->type == type ? value : NULL;
}

static const char *text_of(const struct sd_value *value, struct bs_arena *arena)
{
    return bs_arena_strndup(arena, (const char *)value->bytes.ptr, value->bytes.len);
}

static bool int_member(const struct sd_value *map, const char *name, int64_t min, int *ret)
{
    const struct sd_value *value = member(map, name, SD_LONG);
    if (value == NULL || value->number < min || value->number > INT32_MAX)
        return false;
    *ret = (int)value->number;
    return true;
}

int sr_refs_read(const struct sd_value *list, struct bs_arena *arena, struct sr_content *ret,
                 struct bs_error *err)
{
    if (list == NULL || list->type == SD_NULL)
        return 0;
    if (list->type != SD_ARRAY || list->array.count > REFS_MAX)
        return bs_error_set(err, BS_EINVAL, "references is a list of at most %d", REFS_MAX);
    ret->refs = bs_arena_array(arena, list->array.count, sizeof *ret->refs);
    for (size_t i = 0; i < list->array.count; i++) {
        const struct sd_value *item = &list->array.items[i];
        const struct sd_value *name = member(item, "name", SD_STRING);
        const struct sd_value *subject = member(item, "subject", SD_STRING);
        if (name == NULL || subject == NULL ||
            !int_member(item, "version", -1, &ret->refs[i].version))
            return bs_error_set(err, BS_EINVAL,
                                "reference %zu needs \"name\", \"subject\" and \"version\"", i);
        ret->refs[i].name = text_of(name, arena);
        ret->refs[i].subject = text_of(subject, arena);
    }
    ret->ref_count = list->array.count;
    return 0;
}

static int read_schema_value(const struct sd_value *json, struct bs_arena *arena,
                             struct sr_record *ret, struct bs_error *err)
{
    const struct sd_value *text = member(json, "schema", SD_STRING);
    const struct sd_value *type = member(json, "schemaType", SD_STRING);
    const struct sd_value *deleted = member(json, "deleted", SD_BOOL);
    int id, rc;
    if (text == NULL || !int_member(json, "id", 0, &id))
        return bs_error_set(err, BS_EINVAL, "the value of a SCHEMA record needs schema and id");
    ret->id = id;
    ret->deleted = deleted && deleted->boolean;
    ret->other_type = type && !bs_bytes_is(type->bytes, "AVRO");
    ret->content.text = bs_bytes(text_of(text, arena), text->bytes.len);
    ret->content.metadata = member(json, "metadata", SD_MAP);
    ret->content.rule_set = member(json, "ruleSet", SD_MAP);
    rc = sr_refs_read(sd_value_get(json, bs_bytes_text("references")), arena, &ret->content, err);
    if (rc == 0)
        sr_content_seal(&ret->content, arena);
    return rc;
}

int sr_record_read(struct bs_bytes key, struct bs_bytes value, struct bs_arena *arena,
                   struct sr_record *ret, struct bs_error *err)
{
    struct sd_value json;
    const struct sd_value *keytype, *subject;
    int rc = sd_json_read(key, arena, &json, err);
    *ret = (struct sr_record){.kind = SR_RECORD_UNKNOWN};
    if (rc < 0)
        return bs_error_wrap(err, "key");
    keytype = member(&json, "keytype", SD_STRING);
    subject = member(&json, "subject", SD_STRING);
    if (keytype == NULL)
        return bs_error_set(err, BS_EINVAL, "key: it has no \"keytype\"");
    for (int kind = 0; kind < SR_RECORD_UNKNOWN; kind++)
        if (bs_bytes_is(keytype->bytes, keytypes[kind]))
            ret->kind = (enum sr_record_kind)kind;
    if (subject)
        ret->subject = text_of(subject, arena);
    ret->tombstone = value.ptr == NULL;
    if (ret->kind == SR_RECORD_SCHEMA &&
        (subject == NULL || !int_member(&json, "version", 1, &ret->version)))
        return bs_error_set(err, BS_EINVAL, "key: a SCHEMA record needs subject and version");
    if (ret->kind == SR_RECORD_DELETE_SUBJECT && subject == NULL)
        return bs_error_set(err, BS_EINVAL, "key: a DELETE_SUBJECT record needs a subject");
    if (ret->tombstone || ret->kind == SR_RECORD_UNKNOWN)
        return 0;
    if ((rc = sd_json_read(value, arena, &ret->value, err)) < 0)
        return bs_error_wrap(err, "value of a %s record", keytypes[ret->kind]);
    if (ret->kind == SR_RECORD_SCHEMA)
        return read_schema_value(&ret->value, arena, ret, err);
    if (ret->kind == SR_RECORD_DELETE_SUBJECT &&
        !int_member(&ret->value, "version", 0, &ret->version))
        return bs_error_set(err, BS_EINVAL, "the value of a DELETE_SUBJECT record needs version");
    return 0;
}

static void put_text_member(struct bs_buf *out, const char *name, const char *text)
{
    bs_buf_printf(out, "\"%s\":", name);
    bs_buf_put_json_string(out, text, strlen(text));
}

void sr_record_put_key(const struct sr_record *record, struct bs_buf *out)
{
    bs_buf_printf(out, "{\"keytype\":\"%s\"", keytypes[record->kind]);
    if (record->subject) {
        bs_buf_puts(out, ",");
        put_text_member(out, "subject", record->subject);
    }
    if (record->kind == SR_RECORD_SCHEMA)
        bs_buf_printf(out, ",\"version\":%d,\"magic\":1}", record->version);
    else
        bs_buf_puts(out, ",\"magic\":0}");
}

void sr_record_put_value(const struct sr_record *record, struct bs_buf *out)
{
    switch (record->kind) {
    case SR_RECORD_SCHEMA:
        bs_buf_puts(out, "{");
        put_text_member(out, "subject", record->subject);
        bs_buf_printf(out, ",\"version\":%d,\"id\":%d,\"schemaType\":\"AVRO\"", record->version,
                      (int)record->id);
        sr_content_put_members(&record->content, out);
        bs_buf_printf(out, ",\"deleted\":%s}", record->deleted ? "true" : "false");
        return;
    case SR_RECORD_DELETE_SUBJECT:
        bs_buf_puts(out, "{");
        put_text_member(out, "subject", record->subject);
        bs_buf_printf(out, ",\"version\":%d}", record->version);
        return;
    default:
        sd_json_write(&record->value, true, out, NULL);
        return;
    }
}
