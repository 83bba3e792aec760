/* Serializer: see serializer.h. What the registry said is kept by topic and own schema; an entry
 * that rests on a latest version is asked for again when its time is over. */
#include "lib/registry/serializer.h"

#include "lib/base/mem.h"
#include "lib/registry/reader.h"
#include "lib/registry/subject_name.h"
#include "lib/serde/compat.h"

#include <string.h>
#include <time.h>

#define uthash_malloc(size)    bs_alloc(size)
#define uthash_free(ptr, size) bs_free(ptr)
#include <uthash.h>

enum way { WAY_REGISTER, WAY_ID, WAY_METADATA, WAY_LATEST, WAY_LOOKUP };

struct entry {
    struct rc_writing writing; /* subject owned, schema counted */
    struct sd_schema *own;     /* counted, or NULL: the key holds its address */
    int64_t until_ms;          /* INT64_MAX: for ever */
    UT_hash_handle hh;
    size_t key_len;
    char key[]; /* address of the own schema, topic with its NUL */
};

struct rc_serializer {
    bool key;
    struct rc_client *client, *own_client;
    enum way way;
    enum rc_strategy strategy;
    bool id_strict, latest_strict, normalize, write_header, read_header;
    int32_t schema_id;
    char *metadata;
    int64_t ttl_ms; /* −1: for ever */
    size_t max;
    struct entry *entries; /* in order of use */
    struct entry *last;    /* the one picked last: records come in runs */
    struct bs_buf lookup;
    struct rc_reader *reader; /* NULL: with the writers' schemas */
    struct sd_schema *read;   /* counted: the one opened last, by read_id */
    int32_t read_id;
};

/* ---- options ---- */

static const char PACKAGE[] = "io.confluent.kafka.serializers.schema.id.";

/* Which of two classes the option names: 0 or 1. */
static int one_of(const struct bs_config *config, bool key, const char *rest, const char *zero,
                  const char *one, bool *ret, struct bs_error *err)
{
    char *name = bs_asprintf("%s.%s", key ? "key" : "value", rest);
    const char *text = bs_config_text(config, name);
    size_t package = sizeof PACKAGE - 1;
    int rc = 0;
    if (strncmp(text, PACKAGE, package) == 0)
        text += package;
    *ret = strcmp(text, one) == 0;
    if (!*ret && strcmp(text, zero) != 0)
        rc = bs_error_set(err, BS_EINVAL, "option %s: '%s' is neither %s nor %s", name, text, zero,
                          one);
    bs_free(name);
    return rc;
}

static enum way way_of(const struct bs_config *config)
{
    if (bs_config_bool(config, "auto.register.schemas"))
        return WAY_REGISTER;
    if (bs_config_int(config, "use.schema.id") >= 0)
        return WAY_ID;
    if (bs_config_text(config, "use.latest.with.metadata"))
        return WAY_METADATA;
    return bs_config_bool(config, "use.latest.version") ? WAY_LATEST : WAY_LOOKUP;
}

static int read_options(struct rc_serializer *s, const struct rc_serializer_options *options,
                        struct bs_error *err)
{
    const struct bs_config *config = options->config;
    const char *strategy = s->key ? "key.subject.name.strategy" : "value.subject.name.strategy";
    int64_t ttl = bs_config_int(config, "latest.cache.ttl.sec");
    int rc = rc_serde_check(config, err);
    if (rc < 0)
        return rc;
    rc = rc_strategy_read(bs_config_text(config, strategy), &s->strategy, err);
    if (rc < 0)
        return bs_error_wrap(err, "option %s", strategy);
    rc = one_of(config, s->key, "schema.id.serializer", "PrefixSchemaIdSerializer",
                "HeaderSchemaIdSerializer", &s->write_header, err);
    if (rc == 0)
        rc = one_of(config, s->key, "schema.id.deserializer", "PrefixSchemaIdDeserializer",
                    "DualSchemaIdDeserializer", &s->read_header, err);
    if (rc < 0)
        return rc;
    s->way = way_of(config);
    s->schema_id = (int32_t)bs_config_int(config, "use.schema.id");
    s->metadata = bs_strdup(bs_config_text(config, "use.latest.with.metadata"));
    s->id_strict = bs_config_bool(config, "id.compatibility.strict");
    s->latest_strict = bs_config_bool(config, "latest.compatibility.strict");
    s->normalize = bs_config_bool(config, "normalize.schemas");
    s->ttl_ms = ttl < 0 ? -1 : ttl * 1000;
    s->max = (size_t)bs_config_int(config, "max.schemas.per.subject");
    return 0;
}

static void open_reader(struct rc_serializer *s, const struct rc_serializer_options *options)
{
    struct rc_reader_options reader = {.client = s->client,
                                       .schema = options->reader,
                                       .metadata = s->metadata,
                                       .strategy = s->strategy,
                                       .key = s->key,
                                       .ttl_ms = s->ttl_ms,
                                       .max = s->max};
    if (options->reader || rc_serde_reads_latest(options->config))
        s->reader = rc_reader_new(&reader);
}

int rc_serializer_new(const struct rc_serializer_options *options, struct rc_serializer **ret,
                      struct bs_error *err)
{
    struct rc_serializer *s = bs_new(struct rc_serializer);
    int rc;
    s->key = options->key;
    rc = read_options(s, options, err);
    if (rc == 0 && (options->client == NULL || rc_serde_needs_client(options->config)))
        rc = rc_client_of(options->config, options->url, &s->own_client, err);
    s->client = s->own_client ? s->own_client : options->client;
    if (rc < 0) {
        rc_serializer_free(s);
        return rc;
    }
    open_reader(s, options);
    *ret = s;
    return 0;
}

static void entry_free(struct entry *entry)
{
    sd_schema_unref((struct sd_schema *)entry->writing.schema);
    sd_schema_unref(entry->own);
    bs_free((char *)entry->writing.subject);
    bs_free(entry);
}

static void entry_remove(struct rc_serializer *s, struct entry *entry)
{
    if (s->last == entry)
        s->last = NULL;
    HASH_DEL(s->entries, entry);
    entry_free(entry);
}

void rc_serializer_free(struct rc_serializer *s)
{
    if (s == NULL)
        return;
    while (s->entries)
        entry_remove(s, s->entries);
    rc_reader_free(s->reader);
    sd_schema_unref(s->read);
    rc_client_free(s->own_client);
    bs_free(s->metadata);
    bs_buf_deinit(&s->lookup);
    bs_free(s);
}

/* ---- writing ---- */

/* The version that was found must be able to read what the own schema writes. */
static int check_version(const struct rc_version *version, const struct sd_schema *own,
                         const char *subject, const char *option, struct bs_error *err)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct sd_problems problems = {0};
    int rc = 0;
    sd_compat(version->schema, own, SD_COMPAT_AVRO, &arena, &problems);
    if (problems.count) {
        const struct sd_problem *first = &problems.items[0];
        rc = bs_error_set(err, BS_ECONFLICT,
                          "subject '%s': its schema with id %d cannot read what the own schema "
                          "writes: %s at %s: %s\n  hint: a schema that fits, or %s=false",
                          subject, (int)version->id, sd_problem_name(first->type), first->path,
                          first->info, option);
    }
    bs_arena_deinit(&arena);
    return rc;
}

static int post(struct rc_serializer *s, bool enter, const char *subject,
                const struct sd_schema *own, struct rc_version *ret, struct bs_error *err)
{
    struct bs_buf text = BS_BUF_INIT;
    int rc;
    sd_schema_text(own, false, &text);
    rc = enter
             ? rc_version_register(s->client, subject, bs_buf_bytes(&text), s->normalize, ret, err)
             : rc_version_lookup(s->client, subject, bs_buf_bytes(&text), s->normalize, ret, err);
    if (rc == 0)
        ret->schema = sd_schema_ref((struct sd_schema *)own);
    else if (rc == BS_ENOTFOUND && !enter)
        bs_error_wrap(err, "subject '%s' has not this schema, and auto.register.schemas is false",
                      subject);
    bs_buf_deinit(&text);
    return rc;
}

static int find(struct rc_serializer *s, enum way way, const char *subject,
                const struct sd_schema *own, struct rc_version *ret, struct bs_error *err)
{
    bool strict = own && (way == WAY_ID ? s->id_strict : way == WAY_LATEST && s->latest_strict);
    int rc;
    switch (way) {
    case WAY_REGISTER:
    case WAY_LOOKUP:
        return post(s, way == WAY_REGISTER, subject, own, ret, err);
    case WAY_ID:
        rc = rc_version_by_id(s->client, s->schema_id, subject, ret, err);
        break;
    case WAY_METADATA:
        rc = rc_version_by_metadata(s->client, subject, s->metadata, ret, err);
        break;
    default:
        rc = rc_version_latest(s->client, subject, ret, err);
        break;
    }
    if (rc == 0 && strict)
        rc = check_version(
            ret, own, subject,
            way == WAY_ID ? "id.compatibility.strict" : "latest.compatibility.strict", err);
    return rc;
}

/* The header holds the GUID; a registry gives it with the id, if it has one at all. */
static int set_header(struct rc_serializer *s, struct rc_version *version, struct entry *entry,
                      struct bs_error *err)
{
    if (!s->write_header)
        return 0;
    if (!version->has_guid) {
        struct rc_version again = {0};
        int rc = rc_version_by_id(s->client, version->id, entry->writing.subject, &again, err);
        version->has_guid = again.has_guid;
        memcpy(version->guid, again.guid, sizeof version->guid);
        rc_version_deinit(&again);
        if (rc < 0)
            return rc;
    }
    if (!version->has_guid)
        return bs_error_set(err, BS_EUNSUPPORTED,
                            "the registry gives no GUID for schema %d, so it cannot go into a "
                            "header\n  hint: %s.schema.id.serializer=PrefixSchemaIdSerializer",
                            (int)version->id, s->key ? "key" : "value");
    entry->writing.in_header = true;
    sd_schema_id_header(version->guid, entry->writing.header);
    return 0;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int fill(struct rc_serializer *s, const char *topic, const struct sd_schema *own,
                struct entry *entry, struct bs_error *err)
{
    bool needs_own = s->way == WAY_REGISTER || s->way == WAY_LOOKUP;
    enum way way = own == NULL && needs_own ? WAY_LATEST : s->way;
    struct rc_version version = {0};
    char *subject;
    int rc = rc_subject_name(s->strategy, topic, s->key, own ? sd_schema_root(own) : NULL, &subject,
                             err);
    if (rc < 0)
        return rc;
    entry->writing.subject = subject;
    rc = find(s, way, subject, own, &version, err);
    if (rc == 0)
        rc = set_header(s, &version, entry, err);
    entry->writing.id = version.id;
    entry->writing.schema = version.schema ? sd_schema_ref(version.schema) : NULL;
    entry->until_ms = (way == WAY_LATEST || way == WAY_METADATA) && s->ttl_ms >= 0
                          ? now_ms() + s->ttl_ms
                          : INT64_MAX;
    rc_version_deinit(&version);
    return rc;
}

int rc_serializer_subject(const struct rc_serializer *s, const char *topic,
                          const struct sd_schema *own, char **ret, struct bs_error *err)
{
    return rc_subject_name(s->strategy, topic, s->key, own ? sd_schema_root(own) : NULL, ret, err);
}

bool rc_serializer_registers(const struct rc_serializer *s)
{
    return s->way == WAY_REGISTER;
}

static const char *entry_topic(const struct entry *entry)
{
    return entry->key + sizeof entry->own;
}

int rc_serializer_pick(struct rc_serializer *s, const char *topic, const struct sd_schema *own,
                       const struct rc_writing **ret, struct bs_error *err)
{
    struct entry *entry = s->last;
    int rc;
    if (entry && entry->own == own && entry->until_ms == INT64_MAX &&
        strcmp(entry_topic(entry), topic) == 0) {
        *ret = &entry->writing;
        return 0;
    }
    bs_buf_reset(&s->lookup);
    bs_buf_put(&s->lookup, &own, sizeof own);
    bs_buf_put(&s->lookup, topic, strlen(topic) + 1);
    HASH_FIND(hh, s->entries, s->lookup.data, s->lookup.len, entry);
    if (entry && entry->until_ms != INT64_MAX && now_ms() >= entry->until_ms) {
        entry_remove(s, entry);
        entry = NULL;
    }
    if (entry == NULL) {
        entry = bs_zalloc(sizeof *entry + s->lookup.len);
        entry->key_len = s->lookup.len;
        memcpy(entry->key, s->lookup.data, s->lookup.len);
        entry->own = own ? sd_schema_ref((struct sd_schema *)own) : NULL;
        rc = fill(s, topic, own, entry, err);
        if (rc < 0) {
            entry_free(entry);
            return rc;
        }
    } else {
        HASH_DEL(s->entries, entry); /* to the end: used last */
    }
    HASH_ADD_KEYPTR(hh, s->entries, entry->key, entry->key_len, entry);
    while (HASH_COUNT(s->entries) > s->max)
        entry_remove(s, s->entries);
    s->last = entry;
    *ret = &entry->writing;
    return 0;
}

static int put(const struct rc_writing *writing, const struct sd_value *value, bool base64,
               struct bs_buf *out, struct bs_error *err)
{
    const struct sd_node *schema = sd_schema_root(writing->schema);
    size_t before = out->len;
    int rc;
    if (!writing->in_header)
        sd_envelope_put(out, writing->id);
    rc = base64 ? sd_payload_write_base64(schema, value, out, err)
                : sd_payload_write(schema, value, out, err);
    if (rc < 0)
        out->len = before;
    return rc;
}

int rc_writing_put(const struct rc_writing *writing, const struct sd_value *value,
                   struct bs_buf *out, struct bs_error *err)
{
    return put(writing, value, false, out, err);
}

int rc_writing_put_base64(const struct rc_writing *writing, const struct sd_value *value,
                          struct bs_buf *out, struct bs_error *err)
{
    return put(writing, value, true, out, err);
}

const char *rc_schema_header(bool key)
{
    return key ? SD_KEY_SCHEMA_HEADER : SD_VALUE_SCHEMA_HEADER;
}

/* ---- reading ---- */

/* Finds the writer's schema; it is counted. */
static int open_message(struct rc_serializer *s, struct bs_bytes header, struct bs_bytes message,
                        int32_t *ret_id, struct sd_schema **ret_schema,
                        struct bs_bytes *ret_payload, struct bs_error *err)
{
    struct sd_schema_id id;
    int rc = sd_schema_id_split(s->read_header ? header : (struct bs_bytes){0}, message, &id,
                                ret_payload, err);
    if (rc < 0)
        return rc;
    *ret_id = id.id;
    if (id.is_guid)
        return rc_schema_by_guid(s->client, id.guid, ret_id, ret_schema, err);
    if (s->read == NULL || s->read_id != id.id) {
        struct sd_schema *schema;
        if ((rc = rc_schema_by_id(s->client, id.id, &schema, err)) < 0)
            return rc;
        sd_schema_unref(s->read);
        s->read = schema;
        s->read_id = id.id;
    }
    *ret_schema = sd_schema_ref(s->read);
    return 0;
}

int rc_serializer_read(struct rc_serializer *s, const char *topic, struct bs_bytes header,
                       struct bs_bytes message, struct bs_arena *arena,
                       struct sd_schema **ret_schema, struct sd_value *ret, struct bs_error *err)
{
    struct sd_schema *writer;
    struct bs_bytes payload;
    int32_t id;
    int rc = open_message(s, header, message, &id, &writer, &payload, err);
    if (rc < 0)
        return rc;
    if (s->reader == NULL) {
        rc = sd_payload_read(sd_schema_root(writer), payload, arena, ret, err);
        *ret_schema = writer;
        if (rc < 0) {
            sd_schema_unref(writer);
            bs_error_wrap(err, "written with schema %d", (int)id);
        }
        return rc;
    }
    rc = rc_reader_read(s->reader, topic, id, writer, payload, arena, ret_schema, ret, err);
    sd_schema_unref(writer);
    return rc;
}

int rc_serializer_admit(struct rc_serializer *s, const char *topic, struct sd_schema *schema,
                        struct bs_error *err)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct sd_problems problems = {0};
    struct rc_version latest = {0};
    const struct rc_writing *writing;
    char *subject = NULL;
    int rc = rc_subject_name(s->strategy, topic, s->key, sd_schema_root(schema), &subject, err);
    if (rc == 0)
        rc = rc_version_latest(s->client, subject, &latest, err);
    if (rc == BS_ENOTFOUND) {
        rc = s->way == WAY_REGISTER ? rc_serializer_pick(s, topic, schema, &writing, err) : 0;
    } else if (rc == 0) {
        sd_compat(schema, latest.schema, SD_COMPAT_AVRO, &arena, &problems);
        if (problems.count)
            rc = bs_error_set(err, BS_ECONFLICT,
                              "version %d of subject '%s' cannot be read with it: %s at %s: %s",
                              latest.number, subject, sd_problem_name(problems.items[0].type),
                              problems.items[0].path, problems.items[0].info);
    }
    bs_arena_deinit(&arena);
    rc_version_deinit(&latest);
    bs_free(subject);
    return rc;
}

int rc_serializer_reader(struct rc_serializer *s, const char *topic, const struct sd_schema *writer,
                         struct rc_version *ret, struct bs_error *err)
{
    return rc_reader_version(s->reader, topic, writer, ret, err);
}
