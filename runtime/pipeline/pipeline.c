/* Pipeline: loads the user's file: machine, graph, schemas, plan. One thread. */
#include "runtime/pipeline/pipeline.h"

#include "runtime/pipeline/content.h"

#include "lib/base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { FILE_MAX = 16 << 20 };

static int read_file(const char *path, struct bs_buf *out, struct bs_error *err)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return bs_error_sys(err, errno, "%s", path);
    int rc = 0;
    for (;;) {
        uint8_t *at = bs_buf_reserve(out, 65536);
        size_t n = fread(at, 1, 65536, file);
        out->len += n;
        if (n == 0)
            break;
        if (out->len > FILE_MAX) {
            rc = bs_error_set(err, BS_ELIMIT, "%s: larger than %d MiB", path, FILE_MAX >> 20);
            break;
        }
    }
    if (!rc && ferror(file))
        rc = bs_error_sys(err, errno, "%s", path);
    fclose(file);
    return rc;
}

/* ---- schemas ---- */

static int read_schema(struct rt_pipeline *pipeline, const char *file, struct sd_schema **ret,
                       struct bs_error *err)
{
    struct bs_buf text = BS_BUF_INIT;
    const char *path = file;
    if (path[0] != '/')
        path = bs_arena_printf(&pipeline->arena, "%s%s", pipeline->folder, path);
    int rc = read_file(path, &text, err);
    if (rc == BS_ENOTFOUND) /* a mistake in the pipeline, not a thing that is made later */
        rc = bs_error_recode(err, BS_EINVAL);
    if (!rc) {
        rc = sd_schema_parse(bs_buf_bytes(&text), true, NULL, 0, ret, err);
        if (rc)
            bs_error_wrap(err, "%s", file);
    }
    bs_buf_deinit(&text);
    return rc;
}

static int choose(struct rt_pipeline *pipeline, const struct rt_node *node,
                  const struct rt_schema_ask *ask, struct rt_serde *serde, struct bs_error *err)
{
    struct rt_schema_answer answer = {0};
    if (!pipeline->schemas.choose)
        return bs_error_set(err, BS_ENOTFOUND, "%s: there is no registry to ask", node->where);
    int rc = pipeline->schemas.choose(pipeline->schemas.ctx, ask, &answer, err);
    if (rc == BS_ENOTFOUND && !ask->own)
        return bs_error_wrap(err, "%s: %s: no schema to write topic '%s' with", node->where,
                             node->kind, ask->topic);
    if (rc)
        return bs_error_wrap(err, "%s: schema of topic '%s'", node->where, ask->topic);
    serde->avro = rt_pipeline_keep(pipeline, answer.id, answer.schema);
    serde->in_header = answer.in_header;
    memcpy(serde->header, answer.header, sizeof serde->header);
    return 0;
}

/* Rows of tables are found by their keys, which must not change with a version; and the keys of
 * global tables are kept before any schema is known. */
static int check_key(const struct rt_node *node, const struct rt_serde *serde, bool latest,
                     struct bs_error *err)
{
    bool table = node->op == RT_OP_GLOBAL;
    for (size_t i = 0; i < node->child_count; i++)
        table |= node->children[i]->op == RT_OP_TABLE && node->children[i]->raw;
    if (node->op == RT_OP_GLOBAL && serde->schema_file)
        return bs_error_set(err, BS_EUNSUPPORTED,
                            "%s: key_schema: the rows are found by their keys as they were written"
                            "\n  hint: leave it away, each key says its schema",
                            node->kind);
    if (table && latest && !serde->schema_file)
        return bs_error_set(
            err, BS_EUNSUPPORTED,
            "%s: use.latest.version: the rows are found by their keys, which would "
            "change with a new version\n  hint: [\"key.use.latest.version\"] = false",
            node->kind);
    return 0;
}

/* What a source's records are read with. */
static int resolve_source(struct rt_pipeline *pipeline, struct rt_node *node, size_t topic,
                          bool key, struct bs_error *err)
{
    struct rt_serde *serde = key ? &node->key : &node->value;
    struct rt_schema_answer answer = {0};
    struct sd_schema *schema = NULL;
    struct rt_schema_ask ask = {
        .topic = node->topics[topic],
        .key = key,
        .only_read = true,
        .options = node->serde_options,
        .option_count = node->serde_option_count,
        .where = node->where,
    };
    int rc = 0;
    if (serde->type != RT_TYPE_AVRO)
        return 0;
    if (serde->schema_file)
        rc = read_schema(pipeline, serde->schema_file, &schema, err);
    if (rc)
        return bs_error_wrap(err, "%s", node->where);
    ask.own = schema;
    if (pipeline->schemas.choose)
        rc = pipeline->schemas.choose(pipeline->schemas.ctx, &ask, &answer, err);
    ask.own = NULL; /* from here on it asks for a writer's reader */
    if (rc)
        bs_error_wrap(err, "%s: schema of topic '%s'", node->where, ask.topic);
    else if (key && (rc = check_key(node, serde, answer.latest, err)) < 0)
        bs_error_wrap(err, "%s", node->where);
    if (rc || (!schema && !answer.latest)) {
        sd_schema_unref(schema);
        return rc;
    }
    if (!serde->readers)
        serde->readers =
            bs_arena_array(&pipeline->arena, node->topic_count, sizeof *serde->readers);
    serde->readers[topic] = rt_reader_new(pipeline, schema, serde->schema_file, &ask);
    sd_schema_unref(schema);
    return 0;
}

static int resolve_sink(struct rt_pipeline *pipeline, struct rt_node *node, bool key,
                        struct bs_error *err)
{
    struct rt_serde *serde = key ? &node->key : &node->value;
    struct sd_schema *own = NULL;
    int rc = 0;
    if (serde->type != RT_TYPE_AVRO)
        return 0;
    if (serde->schema_file)
        rc = read_schema(pipeline, serde->schema_file, &own, err);
    if (rc)
        return bs_error_wrap(err, "%s", node->where);
    struct rt_schema_ask ask = {
        .topic = node->topic,
        .key = key,
        .own = own,
        .options = node->serde_options,
        .option_count = node->serde_option_count,
        .where = node->where,
    };
    rc = choose(pipeline, node, &ask, serde, err);
    sd_schema_unref(own);
    return rc;
}

int rt_pipeline_resolve(struct rt_pipeline *pipeline, struct bs_error *err)
{
    for (size_t i = 0; i < pipeline->graph.node_count; i++) {
        struct rt_node *node = &pipeline->graph.nodes[i];
        if (node->op == RT_OP_TO && node->topic) {
            int rc = resolve_sink(pipeline, node, true, err);
            rc = rc ? rc : resolve_sink(pipeline, node, false, err);
            if (rc)
                return rc;
        }
        if (node->op != RT_OP_SOURCE && node->op != RT_OP_GLOBAL)
            continue;
        for (size_t t = 0; t < node->topic_count && !node->internal; t++) {
            int rc = resolve_source(pipeline, node, t, true, err);
            rc = rc ? rc : resolve_source(pipeline, node, t, false, err);
            if (rc)
                return rc;
        }
    }
    return 0;
}

/* ---- loading ---- */

static const char *default_id(struct rt_pipeline *pipeline, const char *file)
{
    const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;
    const char *dot = strrchr(name, '.');
    char *id =
        bs_arena_strndup(&pipeline->arena, name, dot > name ? (size_t)(dot - name) : strlen(name));
    for (char *c = id; *c; c++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", *c))
            *c = '-';
    return id;
}

static uint64_t hash_text(struct bs_bytes text)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ text.ptr[i]) * 1099511628211u;
    return hash;
}

static int load(struct rt_pipeline *pipeline, const char *file, struct bs_bytes text,
                const struct rt_limits *limits, struct bs_error *err)
{
    size_t subtopologies = 0;
    const char *slash = strrchr(file, '/');
    pipeline->folder =
        bs_arena_strndup(&pipeline->arena, file, slash ? (size_t)(slash + 1 - file) : 0);
    int rc = rt_vm_new(limits, &pipeline->vm, err);
    if (rc)
        return rc;
    rc = rt_vm_build(pipeline->vm, file, text, &pipeline->graph, err);
    if (rc)
        return rc;
    if (!pipeline->graph.node_count)
        return bs_error_set(err, BS_EINVAL,
                            "%s: the file builds no pipeline\n  hint: weir.stream(\"topic\"):to("
                            "\"other\")",
                            file);
    rt_vm_limit(pipeline->vm, pipeline->graph.memory_max, pipeline->graph.cpu_max_ms);
    if (!pipeline->graph.app_id)
        pipeline->graph.app_id = default_id(pipeline, file);
    rc = rt_graph_finish(&pipeline->graph, pipeline->graph.app_id, &subtopologies, err);
    if (rc)
        return rc;
    rc = rt_pipeline_resolve(pipeline, err);
    if (rc)
        return rc;
    rt_pipeline_make_plan(pipeline, file, subtopologies, hash_text(text));
    return 0;
}

int rt_pipeline_load(const char *file, const struct rt_schemas *schemas,
                     const struct rt_limits *limits, struct rt_pipeline **ret, struct bs_error *err)
{
    struct rt_pipeline *pipeline = bs_new(struct rt_pipeline);
    struct bs_buf text = BS_BUF_INIT;
    bs_arena_init(&pipeline->arena);
    rt_graph_init(&pipeline->graph);
    if (schemas)
        pipeline->schemas = *schemas;
    int rc = read_file(file, &text, err);
    if (!rc)
        rc = load(pipeline, file, bs_buf_bytes(&text), limits, err);
    if (rc)
        rt_pipeline_free(pipeline);
    else
        *ret = pipeline;
    bs_buf_deinit(&text);
    return rc;
}

const struct rt_plan *rt_pipeline_plan(const struct rt_pipeline *pipeline)
{
    return &pipeline->plan;
}

static void free_avros(struct rt_avro **avros, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        sd_schema_unref(avros[i]->schema);
        bs_free(avros[i]);
    }
    bs_free(avros);
}

void rt_pipeline_free(struct rt_pipeline *pipeline)
{
    if (!pipeline)
        return;
    rt_vm_free(pipeline->vm);
    rt_graph_deinit(&pipeline->graph);
    for (size_t i = 0; i < pipeline->reader_count; i++)
        rt_reader_free(pipeline->readers[i]);
    bs_free(pipeline->readers);
    free_avros(pipeline->reader_avros, pipeline->reader_avro_count);
    free_avros(pipeline->avros, pipeline->avro_count);
    bs_free(pipeline->guids);
    bs_arena_deinit(&pipeline->arena);
    bs_free(pipeline);
}
