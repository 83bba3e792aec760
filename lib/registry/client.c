/* Registry client: the calls of the REST interface that Weir makes, and their answers as codes. The
 * client itself is immutable; what changes is in shared.c. */
#include "lib/registry/client.h"

#include "lib/base/mem.h"
#include "lib/registry/shared.h"
#include "lib/registry/transport.h"
#include "lib/serde/json.h"

#include <stdio.h>
#include <string.h>

enum { CACHE_MAX = 1000, TIMEOUT_MS = 10000, REFERENCE_DEPTH_MAX = 20, REFERENCES_MAX = 200 };

struct rc_client {
    struct rc_transport transport;
    struct rc_shared *shared;
};

static int schema_from(struct rc_client *client, const struct sd_value *answer, unsigned depth,
                       struct sd_schema **ret, struct bs_error *err);

int rc_client_new(const struct rc_options *options, struct rc_client **ret, struct bs_error *err)
{
    struct rc_client *client = bs_new(struct rc_client);
    int rc;
    client->shared = rc_shared_new(options->cache_max ? options->cache_max : CACHE_MAX);
    rc = rc_transport_init(&client->transport, options->url,
                           options->timeout_ms ? options->timeout_ms : TIMEOUT_MS, client->shared,
                           err);
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
    rc_shared_free(client->shared, rc_transport_handle_free);
    rc_transport_deinit(&client->transport);
    bs_free(client);
}

int rc_request(struct rc_client *client, const char *method, const char *path, const char *body,
               struct bs_buf *out, int *ret_status, struct bs_error *err)
{
    return rc_transport_ask(&client->transport, method, path, body, out, ret_status, err);
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

static const struct sd_value *member(const struct sd_value *json, const char *name,
                                     enum sd_type type)
{
    const struct sd_value *value = sd_value_get(json, bs_bytes_text(name));
    return value && value->type == type ? value : NULL;
}

/* Asks and reads the JSON of a good answer; anything else becomes an error that says what the
 * registry says. */
static int ask(struct rc_client *client, const char *method, const char *path, const char *body,
               struct bs_arena *arena, struct sd_value *ret, struct bs_error *err)
{
    const char *url = client->transport.urls[0];
    const char *at = strrchr(url, '@');
    struct bs_buf out = BS_BUF_INIT;
    const struct sd_value *message;
    int status = 0, rc;
    rc = rc_request(client, method, path, body, &out, &status, err);
    if (rc < 0)
        goto done;
    rc = sd_json_read(bs_buf_bytes(&out), arena, ret, err);
    if (status / 100 == 2) {
        if (rc < 0)
            bs_error_wrap(err, "registry %s %s%s: its answer", method, at ? at + 1 : url, path);
        goto done;
    }
    message = rc == 0 ? member(ret, "message", SD_STRING) : NULL;
    if (message)
        rc = bs_error_set(err, code_of(status), "registry %s %s%s: %d: %.*s", method,
                          at ? at + 1 : url, path, status, (int)message->bytes.len,
                          (const char *)message->bytes.ptr);
    else
        rc = bs_error_set(err, code_of(status), "registry %s %s%s: status %d", method,
                          at ? at + 1 : url, path, status);
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
    *ret = rc_shared_get(client->shared, id);
    if (*ret)
        return 0;
    snprintf(path, sizeof path, "/schemas/ids/%d", (int)id);
    if ((rc = ask(client, "GET", path, NULL, &arena, &answer, err)) == 0 &&
        (rc = schema_from(client, &answer, 0, ret, err)) == 0)
        rc_shared_put(client->shared, id, *ret);
    bs_arena_deinit(&arena);
    return rc;
}

int rc_schema_latest(struct rc_client *client, const char *subject, int32_t *ret_id,
                     int *ret_version, struct sd_schema **ret, struct bs_error *err)
{
    struct bs_arena arena = BS_ARENA_INIT;
    char *escaped = rc_escape(subject);
    const struct sd_value *id, *version;
    struct sd_value answer;
    int rc;
    rc = ask(client, "GET", bs_arena_printf(&arena, "/subjects/%s/versions/latest", escaped), NULL,
             &arena, &answer, err);
    if (rc < 0)
        goto done;
    id = member(&answer, "id", SD_LONG);
    version = member(&answer, "version", SD_LONG);
    if (id == NULL || version == NULL || id->number < 0 || id->number > INT32_MAX ||
        version->number < 1 || version->number > INT32_MAX) {
        rc = bs_error_set(err, BS_EINVAL, "registry: latest version of %s without id or version",
                          subject);
        goto done;
    }
    *ret_id = (int32_t)id->number;
    *ret_version = (int)version->number;
    *ret = rc_shared_get(client->shared, *ret_id);
    if (*ret == NULL && (rc = schema_from(client, &answer, 0, ret, err)) == 0)
        rc_shared_put(client->shared, *ret_id, *ret);
done:
    bs_free(escaped);
    bs_arena_deinit(&arena);
    return rc;
}

int rc_schema_register(struct rc_client *client, const char *subject, struct bs_bytes text,
                       int32_t *ret_id, struct bs_error *err)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_buf body = BS_BUF_INIT;
    char *escaped = rc_escape(subject);
    const struct sd_value *id;
    struct sd_value answer;
    int rc;
    bs_buf_puts(&body, "{\"schema\":");
    bs_buf_put_json_string(&body, (const char *)text.ptr, text.len);
    bs_buf_puts(&body, "}");
    rc = ask(client, "POST", bs_arena_printf(&arena, "/subjects/%s/versions", escaped),
             bs_buf_text(&body), &arena, &answer, err);
    if (rc == 0) {
        id = member(&answer, "id", SD_LONG);
        if (id == NULL || id->number < 0 || id->number > INT32_MAX)
            rc = bs_error_set(err, BS_EINVAL, "registry: registering for %s gave no id", subject);
        else
            *ret_id = (int32_t)id->number;
    }
    bs_free(escaped);
    bs_buf_deinit(&body);
    bs_arena_deinit(&arena);
    return rc;
}
