/* Driver: see driver.h. Records for internal topics, and for topics that the pipeline reads itself,
 * wait in a queue and are processed before pipe returns. */
#include "runtime/testing/driver.h"

#include "runtime/pipeline/content.h"
#include "runtime/schemas.h"

#include "lib/base/mem.h"
#include "lib/registry/memory.h"

#include <string.h>

enum { LOOP_MAX = 1000000 }; /* records that one piped record may give through topics */

/* What records of a topic are written with before they are piped in. */
struct given {
    char *topic;
    bool key;
    int32_t id;
};

struct queued {
    struct queued *next;
    struct rt_output output; /* everything behind it in the same arena */
    struct bs_arena arena;
};

struct store_entry {
    struct rt_store_spec spec;
    struct rt_store *store;
};

struct rt_driver {
    char *file;
    struct rt_pipeline *pipeline;
    struct rt_task **tasks; /* by subtopology */
    struct rc_client *registry;
    struct rt_schema_port port;
    struct given *given;
    size_t given_count;
    struct store_entry *stores;
    size_t store_count;
    struct queued *first, **last;
    struct bs_arena arena; /* outputs */
    struct rt_driver_record *records;
    size_t record_count, record_cap;
    int64_t wall_ms;
    int64_t *offsets; /* per topic of the plan */
    bool discard;
    uint64_t discarded, dropped;
};

struct rt_driver *rt_driver_new(const char *file)
{
    struct rt_driver *driver = bs_new(struct rt_driver);
    driver->file = bs_strdup(file);
    driver->last = &driver->first;
    driver->registry = rc_client_memory();
    driver->port.client = driver->port.once = driver->registry;
    driver->port.test = true;
    bs_arena_init(&driver->arena);
    return driver;
}

static void drop_queue(struct rt_driver *driver)
{
    while (driver->first) {
        struct queued *item = driver->first;
        driver->first = item->next;
        bs_arena_deinit(&item->arena);
        bs_free(item);
    }
    driver->last = &driver->first;
}

void rt_driver_free(struct rt_driver *driver)
{
    if (!driver)
        return;
    size_t tasks = driver->pipeline ? driver->pipeline->plan.subtopology_count : 0;
    for (size_t i = 0; driver->tasks && i < tasks; i++)
        rt_task_free(driver->tasks[i]);
    bs_free(driver->tasks);
    for (size_t i = 0; i < driver->store_count; i++)
        rt_store_free(driver->stores[i].store);
    bs_free(driver->stores);
    rt_pipeline_free(driver->pipeline);
    for (size_t i = 0; i < driver->given_count; i++)
        bs_free(driver->given[i].topic);
    bs_free(driver->given);
    rc_client_free(driver->registry);
    drop_queue(driver);
    bs_free(driver->records);
    bs_free(driver->offsets);
    bs_arena_deinit(&driver->arena);
    bs_free(driver->file);
    bs_free(driver);
}

/* ---- schemas ---- */

static char *subject_of(const char *topic, bool key)
{
    return bs_asprintf("%s-%s", topic, key ? "key" : "value");
}

void rt_driver_set_serde(struct rt_driver *driver, const struct bs_config *serde)
{
    driver->port.serde = serde;
}

int rt_driver_schema(struct rt_driver *driver, const struct rt_driver_schema *schema,
                     struct bs_error *err)
{
    char *subject =
        schema->subject ? bs_strdup(schema->subject) : subject_of(schema->topic, schema->key);
    int32_t id = 0;
    int rc = rc_memory_add(driver->registry, subject, schema->text, schema->id, schema->metadata,
                           &id, err);
    if (!rc) {
        driver->given =
            bs_realloc(driver->given, (driver->given_count + 1) * sizeof *driver->given);
        driver->given[driver->given_count++] =
            (struct given){.topic = bs_strdup(schema->topic), .key = schema->key, .id = id};
    }
    bs_free(subject);
    return rc;
}

/* The schema that records of this topic are written with: the one given last, else the pipeline's
 * own where it writes the topic too, else what it reads them with. */
static int writer_of(struct rt_driver *driver, const struct rt_node *node, const char *topic,
                     bool key, const struct rt_avro **ret, struct bs_error *err)
{
    const struct rt_serde *serde = key ? &node->key : &node->value;
    const struct rt_node *sink = rt_driver_sink(driver, topic);
    const struct rt_avro *own = sink ? (key ? sink->key.avro : sink->value.avro) : NULL;
    struct bs_buf text = BS_BUF_INIT;
    int32_t id = 0;
    for (size_t i = driver->given_count; i-- > 0;)
        if (driver->given[i].key == key && strcmp(driver->given[i].topic, topic) == 0)
            return rt_pipeline_avro(driver->pipeline, driver->given[i].id, ret, err);
    *ret = own;
    if (own)
        return 0;
    own = serde->readers ? rt_reader_avro(serde->readers[0]) : NULL;
    if (!own)
        return bs_error_set(err, BS_ENOTFOUND,
                            "topic '%s' has no schema\n  hint: p:schema(\"%s\", \"%s.avsc\"%s)",
                            topic, topic, topic, key ? ", { key = true }" : "");
    char *subject = subject_of(topic, key);
    sd_schema_text(own->schema, false, &text);
    int rc = rc_memory_add(driver->registry, subject, bs_buf_bytes(&text), 0, NULL, &id, err);
    bs_free(subject);
    bs_buf_deinit(&text);
    return rc ? rc : rt_pipeline_avro(driver->pipeline, id, ret, err);
}

/* ---- ports ---- */

static struct rt_output copy_output(struct bs_arena *arena, const struct rt_output *output)
{
    struct rt_output copy = *output;
    copy.topic = bs_arena_strndup(arena, output->topic, strlen(output->topic));
    if (output->key.ptr)
        copy.key.ptr = bs_arena_dup(arena, output->key.ptr, output->key.len);
    if (output->value.ptr)
        copy.value.ptr = bs_arena_dup(arena, output->value.ptr, output->value.len);
    struct rt_header *headers = bs_arena_array(arena, output->header_count + 1, sizeof *headers);
    for (size_t i = 0; i < output->header_count; i++) {
        const struct rt_header *from = &output->headers[i];
        headers[i].name =
            bs_bytes(bs_arena_dup(arena, from->name.ptr, from->name.len), from->name.len);
        if (from->value.ptr)
            headers[i].value =
                bs_bytes(bs_arena_dup(arena, from->value.ptr, from->value.len), from->value.len);
    }
    copy.headers = headers;
    return copy;
}

static bool reads(const struct rt_driver *driver, const char *topic, bool *ret_internal)
{
    const struct rt_graph *graph = &driver->pipeline->graph;
    *ret_internal = false;
    for (size_t i = 0; i < graph->node_count; i++)
        for (size_t t = 0; t < graph->nodes[i].topic_count; t++)
            if (strcmp(graph->nodes[i].topics[t], topic) == 0) {
                *ret_internal = graph->nodes[i].internal;
                return true;
            }
    return false;
}

static void record(struct rt_driver *driver, const struct rt_output *output)
{
    if (driver->discard) {
        driver->discarded++;
        return;
    }
    struct rt_output copy = copy_output(&driver->arena, output);
    if (driver->record_count == driver->record_cap) {
        driver->record_cap = driver->record_cap ? driver->record_cap * 2 : 16;
        driver->records = bs_realloc(driver->records, driver->record_cap * sizeof *driver->records);
    }
    driver->records[driver->record_count++] =
        (struct rt_driver_record){.topic = copy.topic,
                                  .key = copy.key,
                                  .value = copy.value,
                                  .timestamp = copy.timestamp,
                                  .partition = copy.partition,
                                  .headers = copy.headers,
                                  .header_count = copy.header_count};
}

static int emit(void *ctx, const struct rt_output *output, struct bs_error *err)
{
    struct rt_driver *driver = ctx;
    bool internal = false;
    (void)err;
    if (reads(driver, output->topic, &internal)) {
        struct queued *item = bs_new(struct queued);
        bs_arena_init(&item->arena);
        item->output = copy_output(&item->arena, output);
        *driver->last = item;
        driver->last = &item->next;
    }
    if (!internal)
        record(driver, output);
    return 0;
}

static struct rt_store *find_store(void *ctx, const char *name)
{
    return rt_driver_store(ctx, name);
}

static int32_t partition_count(void *ctx, const char *topic)
{
    (void)ctx;
    (void)topic;
    return 1;
}

static int64_t wall_ms(void *ctx)
{
    return ((struct rt_driver *)ctx)->wall_ms;
}

struct rt_store *rt_driver_store(struct rt_driver *driver, const char *name)
{
    for (size_t i = 0; i < driver->store_count; i++)
        if (strcmp(driver->stores[i].spec.name, name) == 0)
            return driver->stores[i].store;
    return NULL;
}

static int no_change(void *ctx, const struct rt_store_spec *spec, struct bs_bytes key,
                     struct bs_bytes value, int64_t timestamp, struct bs_error *err)
{
    (void)ctx;
    (void)spec;
    (void)key;
    (void)value;
    (void)timestamp;
    (void)err;
    return 0;
}

static void add_store(struct rt_driver *driver, const struct rt_store_spec *spec)
{
    struct store_entry *entry = &driver->stores[driver->store_count++];
    entry->spec = *spec;
    entry->store = rt_store_memory_new(&entry->spec, no_change, NULL);
}

static int open_tasks(struct rt_driver *driver, struct bs_error *err)
{
    struct rt_ports ports = {.ctx = driver,
                             .emit = emit,
                             .store = find_store,
                             .partition_count = partition_count,
                             .wall_ms = wall_ms};
    int rc = 0;
    for (size_t i = 0; i < driver->pipeline->plan.subtopology_count && !rc; i++)
        rc = rt_task_new(driver->pipeline, i, 0, &ports, &driver->tasks[i], err);
    return rc;
}

int rt_driver_restart(struct rt_driver *driver, struct bs_error *err)
{
    size_t count = driver->pipeline ? driver->pipeline->plan.subtopology_count : 0;
    int64_t *times = bs_array(count + 1, sizeof *times);
    for (size_t i = 0; i < count; i++) {
        times[i] = rt_task_stream_time(driver->tasks[i]);
        driver->dropped += rt_task_dropped(driver->tasks[i]);
        rt_task_free(driver->tasks[i]);
        driver->tasks[i] = NULL;
    }
    int rc = count ? open_tasks(driver, err) : 0;
    for (size_t i = 0; i < count && !rc; i++)
        rt_task_set_stream_time(driver->tasks[i], times[i]);
    bs_free(times);
    return rc;
}

int rt_driver_load(struct rt_driver *driver, struct bs_error *err)
{
    if (driver->pipeline)
        return 0;
    struct rt_schemas schemas = rt_schemas_of(&driver->port);
    int rc = rt_pipeline_load(driver->file, &schemas, NULL, &driver->pipeline, err);
    if (rc)
        return rc;
    const struct rt_plan *plan = rt_pipeline_plan(driver->pipeline);
    size_t stores = plan->global_count;
    for (size_t i = 0; i < plan->subtopology_count; i++)
        stores += plan->subtopologies[i].store_count;
    driver->stores = bs_array(stores + 1, sizeof *driver->stores);
    driver->offsets = bs_array(plan->topic_count + 1, sizeof *driver->offsets);
    for (size_t i = 0; i < plan->global_count; i++)
        add_store(driver, &plan->globals[i].store);
    for (size_t i = 0; i < plan->subtopology_count; i++)
        for (size_t s = 0; s < plan->subtopologies[i].store_count; s++)
            add_store(driver, &plan->subtopologies[i].stores[s]);
    driver->tasks = bs_array(plan->subtopology_count + 1, sizeof *driver->tasks);
    return open_tasks(driver, err);
}

struct rt_pipeline *rt_driver_pipeline(struct rt_driver *driver)
{
    return driver->pipeline;
}

/* ---- records ---- */

static int64_t next_offset(struct rt_driver *driver, const char *topic)
{
    const struct rt_plan *plan = rt_pipeline_plan(driver->pipeline);
    for (size_t i = 0; i < plan->topic_count; i++)
        if (strcmp(plan->topics[i].name, topic) == 0)
            return driver->offsets[i]++;
    return 0;
}

static int feed(struct rt_driver *driver, struct rt_message *message, struct bs_error *err)
{
    const struct rt_plan *plan = rt_pipeline_plan(driver->pipeline);
    message->offset = next_offset(driver, message->topic);
    for (size_t i = 0; i < plan->global_count; i++)
        if (strcmp(plan->globals[i].topic, message->topic) == 0) {
            if (!message->key.ptr) {
                driver->dropped++;
                return 0;
            }
            return rt_store_put(rt_driver_store(driver, plan->globals[i].store.name), message->key,
                                message->value, message->timestamp, err);
        }
    for (size_t i = 0; i < plan->subtopology_count; i++)
        for (size_t t = 0; t < plan->subtopologies[i].topic_count; t++)
            if (strcmp(plan->subtopologies[i].topics[t], message->topic) == 0) {
                int rc = rt_task_process(driver->tasks[i], message, err);
                return rc ? rc : rt_task_flush(driver->tasks[i], err);
            }
    return bs_error_set(err, BS_ENOTFOUND, "the pipeline does not read topic '%s'", message->topic);
}

static int drain(struct rt_driver *driver, struct bs_error *err)
{
    int rc = 0;
    for (size_t fed = 0; driver->first && !rc; fed++) {
        struct queued *item = driver->first;
        if (fed == LOOP_MAX) {
            rc = bs_error_set(err, BS_ELIMIT,
                              "one record gave more than %d through topic '%s': does the pipeline "
                              "write what it reads?",
                              LOOP_MAX, item->output.topic);
            break;
        }
        driver->first = item->next;
        if (!driver->first)
            driver->last = &driver->first;
        struct rt_message message = {
            .topic = item->output.topic,
            .timestamp = item->output.timestamp,
            .key = item->output.key,
            .value = item->output.value,
            .headers = item->output.headers,
            .header_count = item->output.header_count,
        };
        rc = feed(driver, &message, err);
        bs_arena_deinit(&item->arena);
        bs_free(item);
    }
    if (rc)
        drop_queue(driver);
    return rc;
}

int rt_driver_pipe(struct rt_driver *driver, const struct rt_message *message, struct bs_error *err)
{
    int rc = rt_driver_load(driver, err);
    struct rt_message own = *message;
    rc = rc ? rc : feed(driver, &own, err);
    return rc ? rc : drain(driver, err);
}

void rt_driver_set_wall(struct rt_driver *driver, int64_t now_ms)
{
    driver->wall_ms = now_ms;
}

int rt_driver_advance(struct rt_driver *driver, int64_t ms, struct bs_error *err)
{
    int rc = rt_driver_load(driver, err);
    driver->wall_ms += ms;
    for (size_t i = 0; !rc && i < driver->pipeline->plan.subtopology_count; i++) {
        rc = rt_task_tick(driver->tasks[i], driver->wall_ms, err);
        rc = rc ? rc : drain(driver, err);
    }
    return rc;
}

const struct rt_driver_record *rt_driver_outputs(const struct rt_driver *driver, size_t *ret_count)
{
    *ret_count = driver->record_count;
    return driver->records;
}

void rt_driver_clear(struct rt_driver *driver)
{
    driver->record_count = 0;
    bs_arena_reset(&driver->arena);
}

void rt_driver_discard(struct rt_driver *driver, bool discard)
{
    driver->discard = discard;
}

uint64_t rt_driver_discarded(const struct rt_driver *driver)
{
    return driver->discarded;
}

uint64_t rt_driver_dropped(const struct rt_driver *driver)
{
    uint64_t dropped = driver->dropped;
    for (size_t i = 0; driver->pipeline && i < driver->pipeline->plan.subtopology_count; i++)
        dropped += rt_task_dropped(driver->tasks[i]);
    return dropped;
}

const struct rt_node *rt_driver_source(struct rt_driver *driver, const char *topic)
{
    const struct rt_graph *graph = &driver->pipeline->graph;
    for (size_t i = 0; i < graph->node_count; i++)
        for (size_t t = 0; t < graph->nodes[i].topic_count; t++)
            if (strcmp(graph->nodes[i].topics[t], topic) == 0)
                return &graph->nodes[i];
    return NULL;
}

const struct rt_node *rt_driver_sink(struct rt_driver *driver, const char *topic)
{
    const struct rt_graph *graph = &driver->pipeline->graph;
    const struct rt_node *dynamic = NULL;
    for (size_t i = 0; i < graph->node_count; i++) {
        const struct rt_node *node = &graph->nodes[i];
        if (node->op == RT_OP_TO && node->topic && strcmp(node->topic, topic) == 0)
            return node;
        if (node->op == RT_OP_TO && !node->topic)
            dynamic = node;
    }
    return dynamic;
}

int rt_driver_encode(struct rt_driver *driver, const struct rt_node *node, const char *topic,
                     bool key, const struct rt_datum *datum, struct bs_arena *arena,
                     struct bs_buf *out, bool *ret_null, struct bs_error *err)
{
    struct rt_serde serde = key ? node->key : node->value;
    if (serde.type == RT_TYPE_AVRO && !rt_datum_null(datum)) {
        int rc = writer_of(driver, node, topic, key, &serde.avro, err);
        if (rc)
            return rc;
    }
    return rt_serde_encode(&serde, key ? "key" : "value", datum, arena, out, ret_null, err);
}
