/* Memory: see memory.h. Versions stand in the order in which they came; there are as many as a test
 * makes. */
#include "lib/registry/memory.h"

#include "lib/base/mem.h"

#include <string.h>

enum { VERSIONS_MAX = 10000, ID_MAX = 1000000000 };

struct version {
    char *subject, *text, *normal, *metadata;
    int32_t id;
    int number;
    struct sd_schema *schema; /* counted */
};

struct rc_memory {
    struct version *versions;
    size_t count;
    int32_t id_max;
};

struct rc_memory *rc_memory_new(void)
{
    return bs_new(struct rc_memory);
}

void rc_memory_free(struct rc_memory *memory)
{
    if (memory == NULL)
        return;
    for (size_t i = 0; i < memory->count; i++) {
        struct version *version = &memory->versions[i];
        bs_free(version->subject);
        bs_free(version->text);
        bs_free(version->normal);
        bs_free(version->metadata);
        sd_schema_unref(version->schema);
    }
    bs_free(memory->versions);
    bs_free(memory);
}

void rc_memory_guid(int32_t id, uint8_t ret[16])
{
    memset(ret, 0, 16);
    for (int i = 0; i < 4; i++)
        ret[15 - i] = (uint8_t)((uint32_t)id >> i * 8);
}

static void tell(const struct version *version, bool schema, struct rc_version *ret)
{
    *ret = (struct rc_version){.id = version->id, .number = version->number, .has_guid = true};
    rc_memory_guid(version->id, ret->guid);
    if (schema)
        ret->schema = sd_schema_ref(version->schema);
}

int rc_memory_by_id(struct rc_memory *memory, int32_t id, struct sd_schema **ret,
                    struct bs_error *err)
{
    for (size_t i = 0; i < memory->count; i++)
        if (memory->versions[i].id == id) {
            *ret = sd_schema_ref(memory->versions[i].schema);
            return 0;
        }
    return bs_error_set(err, BS_ENOTFOUND, "there is no schema with id %d", (int)id);
}

int rc_memory_by_guid(struct rc_memory *memory, const uint8_t guid[16], int32_t *ret_id,
                      struct sd_schema **ret, struct bs_error *err)
{
    for (size_t i = 0; i < memory->count; i++) {
        uint8_t have[16];
        rc_memory_guid(memory->versions[i].id, have);
        if (memcmp(have, guid, sizeof have) != 0)
            continue;
        *ret_id = memory->versions[i].id;
        *ret = sd_schema_ref(memory->versions[i].schema);
        return 0;
    }
    return bs_error_set(err, BS_ENOTFOUND, "there is no schema with this GUID");
}

/* Is "name=value" (len bytes of it) one of the list's? */
static bool has_property(const char *list, const char *property, size_t len)
{
    for (const char *at = list; at && *at;) {
        size_t here = strcspn(at, ",");
        if (here == len && strncmp(at, property, len) == 0)
            return true;
        at += here + (at[here] == ',');
    }
    return false;
}

static bool has_all(const char *list, const char *properties)
{
    for (const char *at = properties; *at;) {
        size_t len = strcspn(at, ",");
        if (!has_property(list, at, len))
            return false;
        at += len + (at[len] == ',');
    }
    return true;
}

int rc_memory_latest(struct rc_memory *memory, const char *subject, const char *properties,
                     struct rc_version *ret, struct bs_error *err)
{
    for (size_t i = memory->count; i-- > 0;) {
        const struct version *version = &memory->versions[i];
        if (strcmp(version->subject, subject) == 0 &&
            (properties == NULL || has_all(version->metadata, properties))) {
            tell(version, true, ret);
            return 0;
        }
    }
    if (properties)
        return bs_error_set(err, BS_ENOTFOUND, "subject '%s' has no version with metadata %s",
                            subject, properties);
    return bs_error_set(err, BS_ENOTFOUND, "subject '%s' has no schema", subject);
}

static char *text_of(const struct sd_schema *schema, bool normalize)
{
    struct bs_buf out = BS_BUF_INIT;
    char *text;
    sd_schema_text(schema, normalize, &out);
    text = bs_strndup((const char *)out.data, out.len);
    bs_buf_deinit(&out);
    return text;
}

static struct version *find(struct rc_memory *memory, const char *subject, const char *text,
                            bool normalize)
{
    for (size_t i = 0; i < memory->count; i++) {
        struct version *version = &memory->versions[i];
        if ((subject == NULL || strcmp(version->subject, subject) == 0) &&
            strcmp(normalize ? version->normal : version->text, text) == 0)
            return version;
    }
    return NULL;
}

static int number_of_next(const struct rc_memory *memory, const char *subject)
{
    int number = 1;
    for (size_t i = 0; i < memory->count; i++)
        number += strcmp(memory->versions[i].subject, subject) == 0;
    return number;
}

/* Takes the reference and the text. */
static const struct version *append(struct rc_memory *memory, const char *subject,
                                    struct sd_schema *schema, char *text, int32_t id,
                                    const char *metadata)
{
    struct version *version;
    int number = number_of_next(memory, subject);
    memory->versions = bs_realloc(memory->versions, (memory->count + 1) * sizeof *memory->versions);
    version = &memory->versions[memory->count++];
    *version = (struct version){.subject = bs_strdup(subject),
                                .text = text,
                                .normal = text_of(schema, true),
                                .metadata = bs_strdup(metadata),
                                .id = id,
                                .number = number,
                                .schema = schema};
    if (id > memory->id_max)
        memory->id_max = id;
    return version;
}

static int check_room(const struct rc_memory *memory, struct bs_error *err)
{
    if (memory->count < VERSIONS_MAX && memory->id_max < ID_MAX)
        return 0;
    return bs_error_set(err, BS_ELIMIT, "a registry in memory takes %d versions and ids below %d",
                        VERSIONS_MAX, ID_MAX);
}

int rc_memory_post(struct rc_memory *memory, const char *subject, struct bs_bytes text,
                   bool normalize, bool enter, struct rc_version *ret, struct bs_error *err)
{
    struct sd_schema *schema = NULL;
    const struct version *version, *same;
    char *own;
    int rc = check_room(memory, err);
    if (rc == 0)
        rc = sd_schema_parse(text, true, NULL, 0, &schema, err);
    if (rc < 0)
        return rc;
    own = text_of(schema, normalize);
    version = find(memory, subject, own, normalize);
    if (version == NULL && enter) {
        same = find(memory, NULL, own, normalize);
        version = append(memory, subject, schema, own, same ? same->id : memory->id_max + 1, NULL);
    } else {
        sd_schema_unref(schema);
        bs_free(own);
    }
    if (version == NULL)
        return bs_error_set(err, BS_ENOTFOUND, "the schema is no version of subject '%s'", subject);
    tell(version, false, ret);
    return 0;
}

int rc_memory_put(struct rc_memory *memory, const char *subject, struct bs_bytes text, int32_t id,
                  const char *metadata, int32_t *ret_id, struct bs_error *err)
{
    struct sd_schema *schema = NULL;
    const struct version *version, *same;
    char *own;
    int rc = check_room(memory, err);
    if (rc == 0 && (id < 0 || id >= ID_MAX))
        rc = bs_error_set(err, BS_ERANGE, "id %d is not between 1 and %d", (int)id, ID_MAX - 1);
    if (rc == 0)
        rc = sd_schema_parse(text, true, NULL, 0, &schema, err);
    if (rc < 0)
        return rc;
    own = text_of(schema, false);
    same = find(memory, NULL, own, false);
    version = find(memory, subject, own, false);
    if (id == 0)
        id = same ? same->id : memory->id_max + 1;
    for (size_t i = 0; i < memory->count && rc == 0; i++)
        if ((memory->versions[i].id == id) != (strcmp(memory->versions[i].text, own) == 0))
            rc = bs_error_set(err, BS_ECONFLICT,
                              "id %d and this schema do not go together: schema %d is that of "
                              "subject '%s'",
                              (int)id, (int)memory->versions[i].id, memory->versions[i].subject);
    *ret_id = id;
    if (rc == 0 && version == NULL) {
        append(memory, subject, schema, own, id, metadata);
        return 0;
    }
    sd_schema_unref(schema);
    bs_free(own);
    return rc;
}
