/* Reader: see content.h. A writer's data is decoded by the plan for the pair of schemas and encoded
 * again with the reader's, so that all behind here knows one form of Avro data; where both schemas
 * have the same parsing form the bytes pass as they are. What cannot be planned is kept too, with
 * why. The pipeline's thread. */
#include "runtime/pipeline/content.h"

#include "lib/base/mem.h"

#include <string.h>

#define uthash_malloc(size)    bs_alloc(size)
#define uthash_free(ptr, size) bs_free(ptr)
#include <uthash.h>

/* A record's writer by its id, a datum's by its schema. */
struct writer {
    const struct rt_avro *avro;
    int64_t id;
};

struct plan {
    struct writer writer;
    const struct rt_avro *avro;   /* the reader's */
    struct sd_resolver *resolver; /* NULL: refused */
    struct bs_error refused;
    UT_hash_handle hh;
};

struct rt_reader {
    const struct rt_avro *given;
    const char *what; /* the file of it */
    struct rt_schema_ask ask;
    struct plan *plans; /* in order of use */
    struct plan *last;  /* the one used last: records come in runs */
    struct bs_buf encoded;
};

/* A reader's schema, found again by its object: there are as many as versions. */
static const struct rt_avro *keep(struct rt_pipeline *pipeline, int32_t id,
                                  struct sd_schema *schema)
{
    for (size_t i = 0; i < pipeline->reader_avro_count; i++)
        if (pipeline->reader_avros[i]->schema == schema) {
            sd_schema_unref(schema);
            return pipeline->reader_avros[i];
        }
    struct rt_avro *avro = bs_new(struct rt_avro);
    *avro = (struct rt_avro){
        .id = id, .reader = true, .schema = schema, .root = sd_schema_root(schema)};
    pipeline->reader_avros = bs_realloc(pipeline->reader_avros, (pipeline->reader_avro_count + 1) *
                                                                    sizeof *pipeline->reader_avros);
    pipeline->reader_avros[pipeline->reader_avro_count++] = avro;
    return avro;
}

struct rt_reader *rt_reader_new(struct rt_pipeline *pipeline, struct sd_schema *schema,
                                const char *what, const struct rt_schema_ask *ask)
{
    struct rt_reader *reader = bs_new(struct rt_reader);
    reader->what = what;
    reader->ask = *ask;
    if (schema)
        reader->given = keep(pipeline, -1, sd_schema_ref(schema));
    pipeline->readers =
        bs_realloc(pipeline->readers, (pipeline->reader_count + 1) * sizeof *pipeline->readers);
    pipeline->readers[pipeline->reader_count++] = reader;
    return reader;
}

static void remove_plan(struct rt_reader *reader, struct plan *plan)
{
    if (reader->last == plan)
        reader->last = NULL;
    HASH_DEL(reader->plans, plan);
    sd_resolver_free(plan->resolver);
    bs_free(plan);
}

void rt_reader_free(struct rt_reader *reader)
{
    while (reader->plans)
        remove_plan(reader, reader->plans);
    bs_buf_deinit(&reader->encoded);
    bs_free(reader);
}

const struct rt_avro *rt_reader_avro(const struct rt_reader *reader)
{
    return reader->given;
}

static int fill(struct rt_pipeline *pipeline, struct rt_reader *reader, struct sd_schema *writer,
                struct plan *plan, struct bs_error *err)
{
    struct rt_schema_answer answer = {0};
    struct rt_schema_ask ask = reader->ask;
    ask.writer = writer;
    plan->avro = reader->given;
    if (!plan->avro) {
        int rc = pipeline->schemas.choose(pipeline->schemas.ctx, &ask, &answer, err);
        if (rc)
            return rc;
        plan->avro = keep(pipeline, answer.id, answer.schema);
    }
    sd_resolver_new(writer, plan->avro->schema, &plan->resolver, &plan->refused);
    return 0;
}

static int make(struct rt_pipeline *pipeline, struct rt_reader *reader, struct writer by,
                struct plan **ret, struct bs_error *err)
{
    struct sd_schema *writer = by.avro ? sd_schema_ref(by.avro->schema) : NULL;
    struct plan *plan;
    if (!writer && !pipeline->schemas.by_id)
        return bs_error_set(err, BS_ENOTFOUND, "schema %d: there is no registry to ask",
                            (int)by.id);
    int rc =
        writer ? 0 : pipeline->schemas.by_id(pipeline->schemas.ctx, (int32_t)by.id, &writer, err);
    if (rc) {
        bs_error_wrap(err, "schema %d", (int)by.id);
        return rc;
    }
    plan = bs_new(struct plan);
    plan->writer = by;
    rc = fill(pipeline, reader, writer, plan, err);
    sd_schema_unref(writer);
    if (rc) {
        bs_free(plan);
        return rc;
    }
    *ret = plan;
    return 0;
}

static int find(struct rt_pipeline *pipeline, struct rt_reader *reader, struct writer by,
                struct plan **ret, struct bs_error *err)
{
    struct plan *plan = reader->last;
    if (plan && plan->writer.avro == by.avro && plan->writer.id == by.id) {
        *ret = plan;
        return 0;
    }
    HASH_FIND(hh, reader->plans, &by, sizeof by, plan);
    if (plan) {
        HASH_DEL(reader->plans, plan); /* to the end: used last */
    } else {
        int rc = make(pipeline, reader, by, &plan, err);
        if (rc)
            return rc;
    }
    HASH_ADD(hh, reader->plans, writer, sizeof plan->writer, plan);
    while (HASH_COUNT(reader->plans) > RT_PLANS_MAX)
        remove_plan(reader, reader->plans);
    *ret = reader->last = plan;
    return 0;
}

static int refuse(const struct rt_reader *reader, const struct plan *plan, int rc,
                  struct bs_error *err)
{
    if (reader->given)
        bs_error_wrap(err, "written with schema %d, read with '%s'", (int)plan->writer.id,
                      reader->what);
    else
        bs_error_wrap(err, "written with schema %d, read with schema %d", (int)plan->writer.id,
                      (int)plan->avro->id);
    return rc;
}

/* The value as a datum of the reader's schema. */
static int encode(struct rt_reader *reader, const struct plan *plan, const struct sd_value *value,
                  struct bs_arena *arena, struct rt_datum *ret, struct bs_error *err)
{
    struct bs_buf *out = &reader->encoded;
    int rc;
    if (plan->avro->root->kind == SD_AVRO_BYTES) {
        ret->form = RT_BYTES;
        ret->bytes = value->bytes;
        return 0;
    }
    out->len = 0;
    bs_buf_reserve(out, 1); /* an empty record is no null pointer */
    rc = sd_avro_write(plan->avro->root, value, out, err);
    ret->form = RT_AVRO;
    ret->avro = plan->avro;
    ret->bytes = bs_bytes(bs_arena_dup(arena, out->data, out->len), out->len);
    return rc;
}

static int see(struct rt_reader *reader, const struct plan *plan, bool payload,
               struct bs_bytes bytes, struct bs_arena *arena, struct rt_datum *ret,
               struct bs_error *err)
{
    struct sd_value value;
    int rc;
    if (!plan->resolver) {
        if (err)
            *err = plan->refused;
        rc = plan->refused.code;
    } else if (sd_resolver_same(plan->resolver)) {
        ret->form = plan->avro->root->kind == SD_AVRO_BYTES ? RT_BYTES : RT_AVRO;
        ret->avro = plan->avro;
        ret->bytes = bytes;
        return 0;
    } else {
        rc = payload ? sd_payload_resolve(plan->resolver, bytes, arena, &value, err)
                     : sd_resolver_read(plan->resolver, bytes, arena, &value, err);
        if (!rc)
            rc = encode(reader, plan, &value, arena, ret, err);
    }
    if (rc)
        memset(ret, 0, sizeof *ret);
    return rc ? refuse(reader, plan, rc, err) : 0;
}

int rt_reader_decode(struct rt_pipeline *pipeline, struct rt_reader *reader, int32_t id,
                     struct bs_bytes payload, struct bs_arena *arena, struct rt_datum *ret,
                     struct bs_error *err)
{
    struct writer by = {.id = id};
    struct plan *plan;
    int rc = find(pipeline, reader, by, &plan, err);
    return rc ? rc : see(reader, plan, true, payload, arena, ret, err);
}

int rt_reader_convert(struct rt_pipeline *pipeline, struct rt_reader *reader,
                      const struct rt_datum *datum, struct bs_arena *arena, struct rt_datum *ret,
                      struct bs_error *err)
{
    struct writer by = {.avro = datum->avro, .id = datum->avro->id};
    struct plan *plan;
    *ret = *datum;
    if (datum->avro == reader->given)
        return 0;
    ret->slot = 0;
    int rc = find(pipeline, reader, by, &plan, err);
    return rc ? rc : see(reader, plan, false, datum->bytes, arena, ret, err);
}
