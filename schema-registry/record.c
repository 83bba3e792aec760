/* Record: see record.h. */
#include "schema-registry/record.h"

#include "lib/serde/json.h"
#include "schema-registry/context.h"
#include "schema-registry/member.h"
#include "schema-registry/metadata.h"

enum { REFS_MAX = 1000 };

static const char *const keytypes[] = {
    [SR_RECORD_SCHEMA] = "SCHEMA",
    [SR_RECORD_CONFIG] = "CONFIG",
    [SR_RECORD_MODE] = "MODE",
    [SR_RECORD_DELETE_SUBJECT] = "DELETE_SUBJECT",
    [SR_RECORD_CLEAR_SUBJECT] = "CLEAR_SUBJECT",
    [SR_RECORD_CONTEXT] = "CONTEXT",
    [SR_RECORD_NOOP] = "NOOP",
    [SR_RECORD_ASSOC] = "ASSOC",
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

/* Such a text would be taken for what is before the NUL. */
static bool has_nul(const struct sd_value *text)
{
    return text->bytes.len && memchr(text->bytes.ptr, '\0', text->bytes.len);
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
        struct sd_value name, subject, version;
        struct bs_error why = {0};
        if (item->type != SD_MAP)
            return bs_error_set(err, BS_EINVAL, "reference %zu is %s, an object is wanted", i,
                                sr_member_type(item));
        if (sr_member_read(item, "name", SD_STRING, arena, &name, &why) < 0 ||
            sr_member_read(item, "subject", SD_STRING, arena, &subject, &why) < 0 ||
            sr_member_read(item, "version", SD_LONG, arena, &version, &why) < 0)
            return bs_error_set(err, BS_EINVAL, "reference %zu: %s", i, why.text);
        if (name.type == SD_NULL || subject.type == SD_NULL || version.type == SD_NULL)
            return bs_error_set(err, BS_EINVAL,
                                "reference %zu needs \"name\", \"subject\" and \"version\"", i);
        if (version.number < -1 || version.number > INT32_MAX)
            return bs_error_set(err, BS_EINVAL,
                                "reference %zu: \"version\" is out of range: 1 to %d, or -1 for "
                                "the latest",
                                i, INT32_MAX);
        if (has_nul(&name) || has_nul(&subject))
            return bs_error_set(err, BS_EINVAL, "reference %zu has a NUL in a name", i);
        ret->refs[i].name = text_of(&name, arena);
        ret->refs[i].subject = text_of(&subject, arena);
        ret->refs[i].version = (int)version.number;
    }
    ret->ref_count = list->array.count;
    return 0;
}

static bool known_member(struct bs_bytes name)
{
    static const char *const known[] = {"subject",  "version", "id",     "schemaType", "references",
                                        "metadata", "ruleSet", "schema", "deleted"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (bs_bytes_is(name, known[i]))
            return true;
    return false;
}

/* What is not ours to understand is written again as it was when a version is softly deleted. */
static const struct sd_value *unknown_members(const struct sd_value *json, struct bs_arena *arena)
{
    struct sd_value *extra = NULL;
    for (size_t i = 0; i < json->map.count; i++) {
        if (known_member(json->map.fields[i].name))
            continue;
        if (extra == NULL) {
            extra = bs_arena_zalloc(arena, sizeof *extra);
            extra->type = SD_MAP;
            extra->map.fields = bs_arena_array(arena, json->map.count, sizeof *extra->map.fields);
        }
        extra->map.fields[extra->map.count++] = json->map.fields[i];
    }
    return extra;
}

static int base64_digit(uint8_t c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* Confluent's registry encrypts sensitive metadata, each time to other bytes; what it was is in
 * `md5` (16 bytes, base64), which then is the digest. */
static void read_md5(const struct sd_value *json, struct sr_content *content)
{
    const struct sd_value *md5 = member(json, "md5", SD_STRING);
    uint8_t digest[SR_DIGEST_SIZE];
    uint32_t bits = 0;
    size_t count = 0;
    if (md5 == NULL || md5->bytes.len != 24 || md5->bytes.ptr[22] != '=')
        return;
    for (size_t i = 0; i < 22; i++) {
        int digit = base64_digit(md5->bytes.ptr[i]);
        if (digit < 0)
            return;
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4 == 3 || i == 21)
            for (int shift = i == 21 ? 4 : 16; shift >= (i == 21 ? 4 : 0); shift -= 8)
                digest[count++] = (uint8_t)(bits >> shift);
    }
    memcpy(content->digest, digest, sizeof digest);
}

static int read_schema_value(const struct sd_value *json, struct bs_arena *arena,
                             struct sr_record *ret, struct bs_error *err)
{
    const struct sd_value *text = member(json, "schema", SD_STRING);
    const struct sd_value *type = member(json, "schemaType", SD_STRING);
    const struct sd_value *deleted = member(json, "deleted", SD_BOOL);
    const struct sd_value *metadata = member(json, "metadata", SD_MAP);
    int id, rc;
    if (text == NULL || !int_member(json, "id", 0, &id))
        return bs_error_set(err, BS_EINVAL, "the value of a SCHEMA record needs schema and id");
    ret->id = id;
    ret->deleted = deleted && deleted->boolean;
    ret->type = type && !bs_bytes_is(type->bytes, "AVRO") ? text_of(type, arena) : NULL;
    ret->extra = unknown_members(json, arena);
    ret->content.text = bs_bytes(text_of(text, arena), text->bytes.len);
    ret->content.rule_set = member(json, "ruleSet", SD_MAP);
    if (metadata && (rc = sr_metadata_read(metadata, arena, &ret->content.metadata, err)) < 0)
        return rc;
    rc = sr_refs_read(sd_value_get(json, bs_bytes_text("references")), arena, &ret->content, err);
    if (rc < 0)
        return rc;
    sr_content_seal(&ret->content, arena);
    read_md5(json, &ret->content);
    return 0;
}

/* The stored form; settings of the default context are the global ones, however it is written. */
static const char *subject_of(const struct sd_value *json, enum sr_record_kind kind,
                              struct bs_arena *arena)
{
    const struct sd_value *subject = member(json, "subject", SD_STRING);
    const char *text = subject ? text_of(subject, arena) : NULL, *stored;
    if (text == NULL)
        return NULL;
    stored = sr_name_stored(arena, text);
    return *text && *stored == '\0' && kind != SR_RECORD_SCHEMA && kind != SR_RECORD_DELETE_SUBJECT
               ? NULL
               : stored;
}

static int read_key(const struct sd_value *json, struct bs_arena *arena, struct sr_record *ret,
                    struct bs_error *err)
{
    const struct sd_value *keytype = member(json, "keytype", SD_STRING);
    const struct sd_value *context = member(json, "context", SD_STRING);
    const struct sd_value *subject = member(json, "subject", SD_STRING);
    int magic = 0;
    if (keytype == NULL)
        return bs_error_set(err, BS_EINVAL, "key: it has no \"keytype\"");
    for (int kind = 0; kind < SR_RECORD_UNKNOWN; kind++)
        if (bs_bytes_is(keytype->bytes, keytypes[kind]))
            ret->kind = (enum sr_record_kind)kind;
    if (subject && has_nul(subject))
        return bs_error_set(err, BS_EINVAL, "key: there is a NUL in the subject");
    ret->subject = subject_of(json, ret->kind, arena);
    if (ret->kind == SR_RECORD_NOOP && int_member(json, "magic", 1, &magic))
        ret->epoch = magic;
    if (ret->kind == SR_RECORD_SCHEMA && int_member(json, "magic", 0, &magic) && magic > 1)
        return bs_error_set(err, BS_EINVAL, "key: magic %d of a SCHEMA record is unknown", magic);
    if (ret->kind == SR_RECORD_SCHEMA &&
        (ret->subject == NULL || !int_member(json, "version", 1, &ret->version)))
        return bs_error_set(err, BS_EINVAL, "key: a SCHEMA record needs subject and version");
    if (ret->kind == SR_RECORD_SCHEMA && strcmp(ret->subject, SR_SCOPE_GLOBAL) == 0)
        return bs_error_set(err, BS_EINVAL, "key: %s has no versions", SR_SCOPE_GLOBAL);
    if (ret->kind == SR_RECORD_DELETE_SUBJECT && ret->subject == NULL)
        return bs_error_set(err, BS_EINVAL, "key: a DELETE_SUBJECT record needs a subject");
    if (ret->kind != SR_RECORD_CONTEXT)
        return 0;
    if (context == NULL || !sr_context_valid(context->bytes))
        return bs_error_set(err, BS_EINVAL, "key: a CONTEXT record needs a context");
    ret->context = text_of(context, arena);
    return 0;
}

/* Keys that compaction takes for others than ours are remembered: see spelling.h. */
static void find_spelling(struct bs_bytes key, struct bs_arena *arena, struct sr_record *ret)
{
    struct bs_buf ours = BS_BUF_INIT;
    if (ret->kind >= SR_RECORD_NOOP)
        return;
    sr_record_put_key(ret, &ours);
    if (!bs_bytes_equal(bs_buf_bytes(&ours), key))
        ret->spelling = bs_bytes(bs_arena_dup(arena, key.ptr, key.len), key.len);
    bs_buf_deinit(&ours);
}

int sr_record_read(struct bs_bytes key, struct bs_bytes value, struct bs_arena *arena,
                   struct sr_record *ret, struct bs_error *err)
{
    struct sd_value json;
    int rc = sd_json_read(key, arena, &json, err);
    *ret = (struct sr_record){.kind = SR_RECORD_UNKNOWN};
    if (rc < 0)
        return bs_error_wrap(err, "key");
    if ((rc = read_key(&json, arena, ret, err)) < 0)
        return rc;
    find_spelling(key, arena, ret);
    ret->tombstone = value.len == 0; /* Karapace deletes by an empty value */
    if (ret->tombstone || ret->kind >= SR_RECORD_ASSOC)
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
    if (record->spelling.ptr) {
        bs_buf_put(out, record->spelling.ptr, record->spelling.len);
        return;
    }
    bs_buf_printf(out, "{\"keytype\":\"%s\"", keytypes[record->kind]);
    if (record->kind == SR_RECORD_CONTEXT) {
        bs_buf_puts(out, ",\"tenant\":\"default\",");
        put_text_member(out, "context", record->context);
    } else if (record->subject) {
        bs_buf_puts(out, ",");
        put_text_member(out, "subject", record->subject);
    }
    if (record->kind == SR_RECORD_SCHEMA)
        bs_buf_printf(out, ",\"version\":%d,\"magic\":1}", record->version);
    else
        bs_buf_printf(out, ",\"magic\":%lld}",
                      record->kind == SR_RECORD_NOOP ? (long long)record->epoch : 0LL);
}

/* Where Confluent's registry has its `md5`. */
static void put_extra(const struct sd_value *extra, struct bs_buf *out)
{
    for (size_t i = 0; extra && i < extra->map.count; i++) {
        const struct sd_field *field = &extra->map.fields[i];
        bs_buf_put_json_string(out, (const char *)field->name.ptr, field->name.len);
        bs_buf_puts(out, ":");
        sd_json_write(&field->value, true, out, NULL);
        bs_buf_puts(out, ",");
    }
}

void sr_record_put_value(const struct sr_record *record, struct bs_buf *out)
{
    switch (record->kind) {
    case SR_RECORD_SCHEMA:
        bs_buf_puts(out, "{");
        put_text_member(out, "subject", record->subject);
        bs_buf_printf(out, ",\"version\":%d,\"id\":%d,", record->version, (int)record->id);
        put_extra(record->extra, out);
        put_text_member(out, "schemaType", record->type ? record->type : "AVRO");
        sr_content_put_members(&record->content, out);
        bs_buf_printf(out, ",\"deleted\":%s}", record->deleted ? "true" : "false");
        return;
    case SR_RECORD_DELETE_SUBJECT:
        bs_buf_puts(out, "{");
        put_text_member(out, "subject", record->subject);
        bs_buf_printf(out, ",\"version\":%d}", record->version);
        return;
    case SR_RECORD_CONTEXT:
        bs_buf_puts(out, "{\"tenant\":\"default\",");
        put_text_member(out, "context", record->context);
        bs_buf_puts(out, "}");
        return;
    default:
        sd_json_write(&record->value, true, out, NULL);
        return;
    }
}
