/* Reader: see reader.h. A plan that cannot be made is kept too, with why: the next message of that
 * writer would not fare better. */
#include "lib/registry/reader.h"

#include "lib/base/mem.h"

#include <string.h>
#include <time.h>

#define uthash_malloc(size)    bs_alloc(size)
#define uthash_free(ptr, size) bs_free(ptr)
#include <uthash.h>

struct plan {
    struct sd_schema *writer, *schema; /* counted; the key holds the writer's address */
    struct sd_resolver *resolver;      /* NULL: refused */
    struct bs_error refused;
    char *what;       /* "version 3 of subject 'a-value'" */
    int64_t until_ms; /* INT64_MAX: for ever */
    UT_hash_handle hh;
    size_t key_len;
    char key[]; /* address of the writer's schema, topic with its NUL */
};

struct rc_reader {
    struct rc_reader_options options;
    char *metadata;
    struct plan *plans; /* in order of use */
    struct plan *last;  /* the one used last: records come in runs */
    struct bs_buf lookup;
};

struct rc_reader *rc_reader_new(const struct rc_reader_options *options)
{
    struct rc_reader *reader = bs_new(struct rc_reader);
    reader->options = *options;
    reader->options.metadata = reader->metadata = bs_strdup(options->metadata);
    if (options->schema)
        sd_schema_ref((struct sd_schema *)options->schema);
    return reader;
}

static void plan_free(struct plan *plan)
{
    sd_resolver_free(plan->resolver);
    sd_schema_unref(plan->writer);
    sd_schema_unref(plan->schema);
    bs_free(plan->what);
    bs_free(plan);
}

static void plan_remove(struct rc_reader *reader, struct plan *plan)
{
    if (reader->last == plan)
        reader->last = NULL;
    HASH_DEL(reader->plans, plan);
    plan_free(plan);
}

void rc_reader_free(struct rc_reader *reader)
{
    if (reader == NULL)
        return;
    while (reader->plans)
        plan_remove(reader, reader->plans);
    sd_schema_unref((struct sd_schema *)reader->options.schema);
    bs_free(reader->metadata);
    bs_buf_deinit(&reader->lookup);
    bs_free(reader);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int find_version(struct rc_reader *reader, const char *topic, const struct sd_schema *writer,
                        char **ret_subject, struct rc_version *ret, struct bs_error *err)
{
    const struct rc_reader_options *options = &reader->options;
    int rc = rc_subject_name(options->strategy, topic, options->key, sd_schema_root(writer),
                             ret_subject, err);
    if (rc < 0)
        return rc;
    rc = options->metadata
             ? rc_version_by_metadata(options->client, *ret_subject, options->metadata, ret, err)
             : rc_version_latest(options->client, *ret_subject, ret, err);
    if (rc < 0)
        bs_error_wrap(err, "the version of subject '%s' to read with", *ret_subject);
    return rc;
}

int rc_reader_version(struct rc_reader *reader, const char *topic, const struct sd_schema *writer,
                      struct rc_version *ret, struct bs_error *err)
{
    char *subject = NULL;
    int rc = find_version(reader, topic, writer, &subject, ret, err);
    bs_free(subject);
    return rc;
}

static int fill(struct rc_reader *reader, const char *topic, struct plan *plan,
                struct bs_error *err)
{
    const struct rc_reader_options *options = &reader->options;
    struct rc_version version = {0};
    char *subject = NULL;
    int rc = 0;
    plan->until_ms = INT64_MAX;
    if (options->schema) {
        plan->schema = sd_schema_ref((struct sd_schema *)options->schema);
        plan->what = bs_strdup("the reader's schema");
    } else {
        rc = find_version(reader, topic, plan->writer, &subject, &version, err);
        if (rc == 0) {
            plan->schema = sd_schema_ref(version.schema);
            plan->what = bs_asprintf("version %d of subject '%s'", version.number, subject);
            if (options->ttl_ms >= 0)
                plan->until_ms = now_ms() + options->ttl_ms;
        }
        rc_version_deinit(&version);
        bs_free(subject);
    }
    if (rc == 0)
        sd_resolver_new(plan->writer, plan->schema, &plan->resolver, &plan->refused);
    return rc;
}

static const char *plan_topic(const struct plan *plan)
{
    return plan->key + sizeof plan->writer;
}

static int find(struct rc_reader *reader, const char *topic, const struct sd_schema *writer,
                struct plan **ret, struct bs_error *err)
{
    struct plan *plan = reader->last;
    int rc;
    if (plan && plan->writer == writer && plan->until_ms == INT64_MAX &&
        strcmp(plan_topic(plan), topic) == 0) {
        *ret = plan;
        return 0;
    }
    bs_buf_reset(&reader->lookup);
    bs_buf_put(&reader->lookup, &writer, sizeof writer);
    bs_buf_put(&reader->lookup, topic, strlen(topic) + 1);
    HASH_FIND(hh, reader->plans, reader->lookup.data, reader->lookup.len, plan);
    if (plan && plan->until_ms != INT64_MAX && now_ms() >= plan->until_ms) {
        plan_remove(reader, plan);
        plan = NULL;
    }
    if (plan == NULL) {
        plan = bs_zalloc(sizeof *plan + reader->lookup.len);
        plan->key_len = reader->lookup.len;
        memcpy(plan->key, reader->lookup.data, reader->lookup.len);
        plan->writer = sd_schema_ref((struct sd_schema *)writer);
        rc = fill(reader, topic, plan, err);
        if (rc < 0) {
            plan_free(plan);
            return rc;
        }
    } else {
        HASH_DEL(reader->plans, plan); /* to the end: used last */
    }
    HASH_ADD_KEYPTR(hh, reader->plans, plan->key, plan->key_len, plan);
    while (HASH_COUNT(reader->plans) > reader->options.max)
        plan_remove(reader, reader->plans);
    *ret = reader->last = plan;
    return 0;
}

int rc_reader_read(struct rc_reader *reader, const char *topic, int32_t id,
                   const struct sd_schema *writer, struct bs_bytes payload, struct bs_arena *arena,
                   struct sd_schema **ret_schema, struct sd_value *ret, struct bs_error *err)
{
    struct plan *plan;
    int rc = find(reader, topic, writer, &plan, err);
    if (rc < 0)
        return rc;
    if (plan->resolver) {
        rc = sd_payload_resolve(plan->resolver, payload, arena, ret, err);
    } else {
        rc = plan->refused.code;
        if (err)
            *err = plan->refused;
    }
    if (rc < 0) {
        bs_error_wrap(err, "written with schema %d, read with %s", (int)id, plan->what);
        return rc;
    }
    *ret_schema = sd_schema_ref(plan->schema);
    return 0;
}
