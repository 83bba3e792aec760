/* Registry client: the calls of the REST interface that Weir makes, and their answers as codes. The
 * client itself is immutable; what changes is in shared.c. */
#include "lib/registry/client.h"

#include "lib/base/mem.h"
#include "lib/registry/memory.h"
#include "lib/registry/shared.h"
#include "lib/registry/transport.h"
#include "lib/serde/json.h"

#include <stdio.h>
#include <string.h>

enum {
    CACHE_MAX = 1000,
    TIMEOUT_MS = 10000,
    RETRIES = 3,
    RETRIES_WAIT_MS = 1000,
    RETRIES_MAX_WAIT_MS = 20000,
    REFERENCE_DEPTH_MAX = 20,
    REFERENCES_MAX = 200,
    IDS_MAX = 10000, /* of one GUID, one for each context */
};

struct rc_client {
    struct rc_memory *memory; /* answers all by itself; NULL: */
    struct rc_transport transport;
    struct rc_shared *shared;
};

static int schema_from(struct rc_client *client, const struct sd_value *answer, unsigned depth,
                       struct sd_schema **ret, struct bs_error *err);

static int or_default(int value, int otherwise)
{
    return value ? value : otherwise;
}

int rc_client_new(const struct rc_options *options, struct rc_client **ret, struct bs_error *err)
{
    struct rc_client *client = bs_new(struct rc_client);
    struct rc_options full = *options;
    int rc;
    full.timeout_ms = or_default(full.timeout_ms, TIMEOUT_MS);
    full.connect_timeout_ms = or_default(full.connect_timeout_ms, TIMEOUT_MS);
    full.retries_max = or_default(full.retries_max, RETRIES);
    full.retries_wait_ms = or_default(full.retries_wait_ms, RETRIES_WAIT_MS);
    full.retries_max_wait_ms = or_default(full.retries_max_wait_ms, RETRIES_MAX_WAIT_MS);
    client->shared = rc_shared_new(options->cache_max ? options->cache_max : CACHE_MAX);
    rc = rc_transport_init(&client->transport, &full, client->shared, err);
    if (rc < 0) {
        rc_shared_free(client->shared, rc_transport_handle_free);
        bs_free(client);
        return rc;
    }
    *ret = client;
    return 0;
}

void rc_client_free(struct rc_client *client)
{
    if (client == NULL)
        return;
    if (client->memory) {
        rc_memory_free(client->memory);
        bs_free(client);
        return;
    }
    rc_shared_free(client->shared, rc_transport_handle_free);
    rc_transport_deinit(&client->transport);
    bs_free(client);
}

struct rc_client *rc_client_memory(void)
{
    struct rc_client *client = bs_new(struct rc_client);
    client->memory = rc_memory_new();
    return client;
}

int rc_memory_add(struct rc_client *client, const char *subject, struct bs_bytes text, int32_t id,
                  const char *metadata, int32_t *ret_id, struct bs_error *err)
{
    return rc_memory_put(client->memory, subject, text, id, metadata, ret_id, err);
}

static int no_requests(struct bs_error *err)
{
    return bs_error_set(err, BS_EUNSUPPORTED, "a registry in memory takes no requests");
}

int rc_request(struct rc_client *client, const char *method, const char *path, const char *body,
               struct bs_buf *out, int *ret_status, struct bs_error *err)
{
    if (client->memory)
        return no_requests(err);
    return rc_transport_ask(&client->transport, method, path, body, out, ret_status, err);
}

int rc_request_again(struct rc_client *client, const char *method, const char *path,
                     const char *body, struct bs_buf *out, int *ret_status, struct bs_error *err)
{
    if (client->memory)
        return no_requests(err);
    return rc_transport_ask_again(&client->transport, method, path, body, out, ret_status, err);
}

static int code_of(int status)
{
    switch (status) {
    case 401:
    case 403:
        return BS_EDENIED;
    case 404:
        return BS_ENOTFOUND;
    case 408:
    case 504:
        return BS_ETIMEOUT;
    case 409:
        return BS_ECONFLICT;
    case 413:
        return BS_ELIMIT;
    case 429:
        return BS_EBUSY;
    default:
        return status >= 500 ? BS_EBUSY : BS_EINVAL;
    }
}

static const char *what_to_do(int status)
{
    return status == 401 ? "\n  hint: name a user and the right password: "
                           "http://USER:PASSWORD@HOST:PORT, basic.auth.user.info=USER:PASSWORD, or "
                           "bearer.auth.token"
           : status == 403
               ? "\n  hint: the user may not do this; ask who runs the registry for the "
                 "right, or name another user"
               : "";
}

static const struct sd_value *member(const struct sd_value *json, const char *name,
                                     enum sd_type type)
{
    const struct sd_value *value = sd_value_get(json, bs_bytes_text(name));
    return value && value->type == type ? value : NULL;
}

int rc_refused(const struct rc_client *client, const char *method, const char *path,
               struct bs_bytes body, int status, struct bs_error *err)
{
    const char *from = rc_transport_shown(&client->transport), *hint = what_to_do(status);
    struct bs_arena arena = BS_ARENA_INIT;
    struct sd_value json;
    const struct sd_value *message = NULL;
    int rc;
    if (sd_json_read(body, &arena, &json, NULL) == 0)
        message = member(&json, "message", SD_STRING);
    if (message)
        rc = bs_error_set(err, code_of(status), "registry %s %s%s: %d: %.*s%s", method, from, path,
                          status, (int)message->bytes.len, (const char *)message->bytes.ptr, hint);
    else
        rc = bs_error_set(err, code_of(status), "registry %s %s%s: status %d%s", method, from, path,
                          status, hint);
    bs_arena_deinit(&arena);
    return rc;
}

/* Asks and reads the JSON of a good answer; anything else becomes an error that says what the
 * registry says. */
static int ask(struct rc_client *client, const char *method, const char *path, const char *body,
               struct bs_arena *arena, struct sd_value *ret, struct bs_error *err)
{
    struct bs_buf out = BS_BUF_INIT;
    int status = 0, rc;
    rc = rc_request_again(client, method, path, body, &out, &status, err);
    if (rc < 0)
        goto done;
    if (status / 100 != 2) {
        rc = rc_refused(client, method, path, bs_buf_bytes(&out), status, err);
        goto done;
    }
    rc = sd_json_read(bs_buf_bytes(&out), arena, ret, err);
    if (rc < 0)
        bs_error_wrap(err, "registry %s %s%s: its answer", method,
                      rc_transport_shown(&client->transport), path);
done:
    bs_buf_deinit(&out);
    return rc;
}

/* One reference of an answer: {"name","subject","version"}, fetched with its own references. */
static int fetch_reference(struct rc_client *client, const struct sd_value *json, unsigned depth,
                           struct bs_arena *arena, struct sd_reference *ret, struct bs_error *err)
{
    const struct sd_value *name = member(json, "name", SD_STRING);
    const struct sd_value *subject = member(json, "subject", SD_STRING);
    const struct sd_value *version = member(json, "version", SD_LONG);
    struct sd_value answer;
    struct sd_schema *schema;
    char *escaped;
    const char *path;
    int rc;
    if (name == NULL || subject == NULL || version == NULL)
        return bs_error_set(err, BS_EINVAL, "registry: a reference lacks name, subject or version");
    escaped =
        rc_escape(bs_arena_strndup(arena, (const char *)subject->bytes.ptr, subject->bytes.len));
    path = bs_arena_printf(arena, "/subjects/%s/versions/%lld?deleted=true", escaped,
                           (long long)version->number);
    bs_free(escaped);
    if ((rc = ask(client, "GET", path, NULL, arena, &answer, err)) < 0 ||
        (rc = schema_from(client, &answer, depth + 1, &schema, err)) < 0)
        return rc;
    ret->name = bs_arena_strndup(arena, (const char *)name->bytes.ptr, name->bytes.len);
    ret->schema = schema;
    return 0;
}

static int schema_from(struct rc_client *client, const struct sd_value *answer, unsigned depth,
                       struct sd_schema **ret, struct bs_error *err)
{
    const struct sd_value *text = member(answer, "schema", SD_STRING);
    const struct sd_value *type = member(answer, "schemaType", SD_STRING);
    const struct sd_value *list = member(answer, "references", SD_ARRAY);
    struct bs_arena arena = BS_ARENA_INIT;
    struct sd_reference *refs = NULL;
    size_t count = 0;
    int rc = 0;
    if (text == NULL)
        return bs_error_set(err, BS_EINVAL, "registry: the answer has no \"schema\"");
    if (type && !bs_bytes_is(type->bytes, "AVRO"))
        return bs_error_set(err, BS_EUNSUPPORTED, "registry: schema type %.*s, only AVRO is read",
                            (int)type->bytes.len, (const char *)type->bytes.ptr);
    if (depth > REFERENCE_DEPTH_MAX || (list && list->array.count > REFERENCES_MAX))
        return bs_error_set(err, BS_ELIMIT, "registry: too many references of references");
    if (list)
        refs = bs_arena_array(&arena, list->array.count, sizeof *refs);
    for (size_t i = 0; list && i < list->array.count && rc == 0; i++) {
        rc = fetch_reference(client, &list->array.items[i], depth, &arena, &refs[i], err);
        count += rc == 0;
    }
    if (rc == 0)
        rc = sd_schema_parse(text->bytes, false, refs, count, ret, err);
    for (size_t i = 0; i < count; i++)
        sd_schema_unref((struct sd_schema *)refs[i].schema);
    bs_arena_deinit(&arena);
    return rc;
}

int rc_schema_by_id(struct rc_client *client, int32_t id, struct sd_schema **ret,
                    struct bs_error *err)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct sd_value answer;
    char path[64];
    int rc;
    if (client->memory)
        return rc_memory_by_id(client->memory, id, ret, err);
    *ret = rc_shared_get(client->shared, id);
    if (*ret)
        return 0;
    snprintf(path, sizeof path, "/schemas/ids/%d", (int)id);
    if ((rc = ask(client, "GET", path, NULL, &arena, &answer, err)) == 0 &&
        (rc = schema_from(client, &answer, 0, ret, err)) == 0)
        rc_shared_put(client->shared, id, ret);
    bs_arena_deinit(&arena);
    return rc;
}

/* ---- GUIDs ---- */

enum { GUID_TEXT = 36 };

static bool guid_read(struct bs_bytes text, uint8_t ret[16])
{
    size_t digits = 0;
    memset(ret, 0, 16);
    for (size_t i = 0; i < text.len && digits < 32; i++) {
        uint8_t c = text.ptr[i], low = c | 32;
        int digit = c >= '0' && c <= '9' ? c - '0' : low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
        if (digit < 0 && c == '-')
            continue;
        if (digit < 0)
            return false;
        ret[digits / 2] = (uint8_t)(ret[digits / 2] << 4 | digit);
        digits++;
    }
    return digits == 32 && text.len == GUID_TEXT;
}

static void guid_text(const uint8_t guid[16], char ret[GUID_TEXT + 1])
{
    static const char hex[] = "0123456789abcdef";
    char *at = ret;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        *at++ = hex[guid[i] >> 4];
        *at++ = hex[guid[i] & 15];
    }
    *at = '\0';
}

static bool is_id(const struct sd_value *id)
{
    return id && id->number >= 0 && id->number <= INT32_MAX;
}

/* [{"context":".","id":1}, …] */
static int id_of_guid(const struct sd_value *list, const char *text, int32_t *ret,
                      struct bs_error *err)
{
    const struct sd_value *found = NULL;
    for (size_t i = 0; list->type == SD_ARRAY && i < list->array.count && i < IDS_MAX; i++) {
        const struct sd_value *context = member(&list->array.items[i], "context", SD_STRING);
        const struct sd_value *id = member(&list->array.items[i], "id", SD_LONG);
        if (is_id(id) && (found == NULL || (context && bs_bytes_is(context->bytes, "."))))
            found = id;
    }
    if (found == NULL)
        return bs_error_set(err, BS_ENOTFOUND, "registry: no schema has the GUID %s", text);
    *ret = (int32_t)found->number;
    return 0;
}

int rc_schema_by_guid(struct rc_client *client, const uint8_t guid[16], int32_t *ret_id,
                      struct sd_schema **ret, struct bs_error *err)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct sd_value ids, answer;
    char text[GUID_TEXT + 1], path[80];
    int rc;
    if (client->memory)
        return rc_memory_by_guid(client->memory, guid, ret_id, ret, err);
    *ret = rc_shared_get_guid(client->shared, guid, ret_id);
    if (*ret)
        return 0;
    guid_text(guid, text);
    snprintf(path, sizeof path, "/schemas/guids/%s/ids", text);
    if ((rc = ask(client, "GET", path, NULL, &arena, &ids, err)) < 0 ||
        (rc = id_of_guid(&ids, text, ret_id, err)) < 0)
        goto done;
    snprintf(path, sizeof path, "/schemas/guids/%s", text);
    if ((rc = ask(client, "GET", path, NULL, &arena, &answer, err)) == 0 &&
        (rc = schema_from(client, &answer, 0, ret, err)) == 0)
        rc_shared_put_guid(client->shared, guid, *ret_id, ret);
done:
    bs_arena_deinit(&arena);
    return rc;
}

/* ---- versions ---- */

void rc_version_deinit(struct rc_version *version)
{
    sd_schema_unref(version->schema);
    *version = (struct rc_version){0};
}

/* An answer with "id", perhaps "version" and "guid", and with `schema` its text. `id` ≥ 0 when the
 * answer need not say it. */
static int version_from(struct rc_client *client, const struct sd_value *answer, int32_t id,
                        bool schema, const char *subject, struct rc_version *ret,
                        struct bs_error *err)
{
    const struct sd_value *said = member(answer, "id", SD_LONG);
    const struct sd_value *version = member(answer, "version", SD_LONG);
    const struct sd_value *guid = member(answer, "guid", SD_STRING);
    int rc = 0;
    *ret = (struct rc_version){.id = id};
    if (id < 0 && !is_id(said))
        return bs_error_set(err, BS_EINVAL, "registry: its answer for %s has no id", subject);
    if (id < 0)
        ret->id = (int32_t)said->number;
    if (version && version->number > 0 && version->number <= INT32_MAX)
        ret->number = (int)version->number;
    ret->has_guid = guid && guid_read(guid->bytes, ret->guid);
    if (!schema)
        return 0;
    ret->schema = rc_shared_get(client->shared, ret->id);
    if (ret->schema == NULL && (rc = schema_from(client, answer, 0, &ret->schema, err)) == 0)
        rc_shared_put(client->shared, ret->id, &ret->schema);
    return rc;
}

static int get_version(struct rc_client *client, const char *path, int32_t id, const char *subject,
                       struct bs_arena *arena, struct rc_version *ret, struct bs_error *err)
{
    struct sd_value answer;
    int rc = ask(client, "GET", path, NULL, arena, &answer, err);
    return rc < 0 ? rc : version_from(client, &answer, id, true, subject, ret, err);
}

int rc_version_latest(struct rc_client *client, const char *subject, struct rc_version *ret,
                      struct bs_error *err)
{
    struct bs_arena arena = BS_ARENA_INIT;
    char *escaped;
    int rc;
    if (client->memory)
        return rc_memory_latest(client->memory, subject, NULL, ret, err);
    escaped = rc_escape(subject);
    rc = get_version(client, bs_arena_printf(&arena, "/subjects/%s/versions/latest", escaped), -1,
                     subject, &arena, ret, err);
    bs_free(escaped);
    bs_arena_deinit(&arena);
    return rc;
}

int rc_version_by_id(struct rc_client *client, int32_t id, const char *subject,
                     struct rc_version *ret, struct bs_error *err)
{
    struct bs_arena arena = BS_ARENA_INIT;
    char *escaped;
    int rc;
    if (client->memory) {
        *ret = (struct rc_version){.id = id, .has_guid = true};
        rc_memory_guid(id, ret->guid);
        return rc_memory_by_id(client->memory, id, &ret->schema, err);
    }
    escaped = rc_escape(subject);
    rc =
        get_version(client, bs_arena_printf(&arena, "/schemas/ids/%d?subject=%s", (int)id, escaped),
                    id, subject, &arena, ret, err);
    bs_free(escaped);
    bs_arena_deinit(&arena);
    return rc;
}

int rc_version_by_metadata(struct rc_client *client, const char *subject, const char *properties,
                           struct rc_version *ret, struct bs_error *err)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_buf path = BS_BUF_INIT;
    char *escaped;
    int rc = 0;
    if (client->memory)
        return rc_memory_latest(client->memory, subject, properties, ret, err);
    escaped = rc_escape(subject);
    bs_buf_printf(&path, "/subjects/%s/metadata", escaped);
    bs_free(escaped);
    for (const char *at = properties; rc == 0 && *at;) {
        size_t len = strcspn(at, ",");
        const char *sign = memchr(at, '=', len);
        if (sign == NULL || sign == at) {
            rc = bs_error_set(err, BS_EINVAL, "metadata \"%s\" is not name=value, …", properties);
            break;
        }
        char *key = rc_escape(bs_arena_strndup(&arena, at, (size_t)(sign - at)));
        char *value = rc_escape(bs_arena_strndup(&arena, sign + 1, (size_t)(at + len - sign) - 1));
        bs_buf_printf(&path, "%skey=%s&value=%s", at == properties ? "?" : "&", key, value);
        bs_free(key);
        bs_free(value);
        at += len + (at[len] == ',');
    }
    if (rc == 0)
        rc = get_version(client, bs_buf_text(&path), -1, subject, &arena, ret, err);
    bs_buf_deinit(&path);
    bs_arena_deinit(&arena);
    return rc;
}

static int post_version(struct rc_client *client, const char *subject, bool enter,
                        struct bs_bytes text, bool normalize, struct rc_version *ret,
                        struct bs_error *err)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_buf body = BS_BUF_INIT;
    char *escaped;
    struct sd_value answer;
    int rc;
    if (client->memory)
        return rc_memory_post(client->memory, subject, text, normalize, enter, ret, err);
    escaped = rc_escape(subject);
    bs_buf_puts(&body, "{\"schema\":");
    bs_buf_put_json_string(&body, (const char *)text.ptr, text.len);
    bs_buf_puts(&body, "}");
    rc = ask(client, "POST",
             bs_arena_printf(&arena, "/subjects/%s%s%s", escaped, enter ? "/versions" : "",
                             normalize ? "?normalize=true" : ""),
             bs_buf_text(&body), &arena, &answer, err);
    if (rc == 0)
        rc = version_from(client, &answer, -1, false, subject, ret, err);
    bs_free(escaped);
    bs_buf_deinit(&body);
    bs_arena_deinit(&arena);
    return rc;
}

int rc_version_register(struct rc_client *client, const char *subject, struct bs_bytes text,
                        bool normalize, struct rc_version *ret, struct bs_error *err)
{
    return post_version(client, subject, true, text, normalize, ret, err);
}

int rc_version_lookup(struct rc_client *client, const char *subject, struct bs_bytes text,
                      bool normalize, struct rc_version *ret, struct bs_error *err)
{
    return post_version(client, subject, false, text, normalize, ret, err);
}
