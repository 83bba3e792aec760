/* Plan: from a finished graph to what a worker needs: topics, subtopologies, stores, settings. One
 * thread, while the pipeline is loaded. */
#include "runtime/pipeline/content.h"

#include <string.h>

int64_t rt_node_retention_ms(const struct rt_node *node)
{
    return node->windowed ? node->size_ms + node->grace_ms : -1;
}

static struct rt_topic *add_topic(struct rt_pipeline *pipeline, struct rt_topic *topics,
                                  const char *name, const char *where)
{
    size_t count = pipeline->plan.topic_count;
    for (size_t i = 0; i < count; i++)
        if (strcmp(topics[i].name, name) == 0)
            return &topics[i];
    struct rt_topic *topic = &topics[pipeline->plan.topic_count++];
    *topic = (struct rt_topic){.name = name, .retention_ms = -1, .where = where};
    return topic;
}

static struct rt_store_spec store_spec(const struct rt_node *node)
{
    return (struct rt_store_spec){
        .name = node->name,
        .kind = node->windowed ? RT_STORE_WINDOW : RT_STORE_KV,
        .retention_ms = rt_node_retention_ms(node),
        .in_memory = node->op == RT_OP_GLOBAL,
        .logged = node->op != RT_OP_GLOBAL,
    };
}

static void add_topics(struct rt_pipeline *pipeline)
{
    const struct rt_graph *graph = &pipeline->graph;
    size_t most = 1;
    for (size_t i = 0; i < graph->node_count; i++)
        most += graph->nodes[i].topic_count + 2;
    struct rt_topic *topics = bs_arena_array(&pipeline->arena, most, sizeof *topics);
    pipeline->plan.topics = topics;
    for (size_t i = 0; i < graph->node_count; i++) {
        const struct rt_node *node = &graph->nodes[i];
        for (size_t t = 0; t < node->topic_count; t++) {
            struct rt_topic *topic = add_topic(pipeline, topics, node->topics[t], node->where);
            topic->internal = node->internal;
            topic->partitions = node->partitions;
        }
        if (node->op == RT_OP_TO && node->topic)
            add_topic(pipeline, topics, node->topic, node->where);
        if (!node->stored || node->op == RT_OP_GLOBAL)
            continue;
        struct rt_topic *changelog = add_topic(
            pipeline, topics,
            bs_arena_printf(&pipeline->arena, "%s-%s-changelog", graph->app_id, node->name),
            node->where);
        changelog->internal = changelog->compacted = true;
    }
    if (graph->dead_letter)
        add_topic(pipeline, topics, graph->dead_letter, "weir.app");
}

static void add_subtopology(struct rt_pipeline *pipeline, struct rt_subtopology *sub, size_t index)
{
    const struct rt_graph *graph = &pipeline->graph;
    size_t topics = 0, stores = 0;
    for (size_t i = 0; i < graph->node_count; i++)
        topics += graph->nodes[i].topic_count;
    const char **names = bs_arena_array(&pipeline->arena, topics + 1, sizeof *names);
    struct rt_store_spec *specs =
        bs_arena_array(&pipeline->arena, graph->node_count + 1, sizeof *specs);
    bool joins = false;
    topics = 0;
    for (size_t i = 0; i < graph->node_count; i++) {
        const struct rt_node *node = &graph->nodes[i];
        if (node->op == RT_OP_GLOBAL || node->subtopology != index)
            continue;
        joins |= node->op == RT_OP_JOIN && !node->global;
        for (size_t t = 0; node->op == RT_OP_SOURCE && t < node->topic_count; t++)
            names[topics++] = node->topics[t];
        if (node->stored)
            specs[stores++] = store_spec(node);
    }
    *sub = (struct rt_subtopology){
        .topics = names,
        .topic_count = topics,
        .copartitioned = joins && topics > 1,
        .stores = specs,
        .store_count = stores,
    };
}

void rt_pipeline_make_plan(struct rt_pipeline *pipeline, const char *file, size_t subtopologies,
                           uint64_t text_hash)
{
    const struct rt_graph *graph = &pipeline->graph;
    struct rt_plan *plan = &pipeline->plan;
    *plan = (struct rt_plan){
        .file = bs_arena_strndup(&pipeline->arena, file, strlen(file)),
        .app_id = graph->app_id,
        .exactly_once = graph->exactly_once,
        .commit_interval_ms = graph->commit_interval_ms,
        .threads = graph->threads,
        .state_dir = graph->state_dir,
        .kafka = graph->kafka,
        .kafka_count = graph->kafka_count,
        .subtopology_count = subtopologies,
        .fingerprint = rt_graph_fingerprint(graph, text_hash),
    };
    add_topics(pipeline);
    struct rt_subtopology *subs = bs_arena_array(&pipeline->arena, subtopologies + 1, sizeof *subs);
    plan->subtopologies = subs;
    for (size_t i = 0; i < subtopologies; i++)
        add_subtopology(pipeline, &subs[i], i);
    struct rt_global *globals =
        bs_arena_array(&pipeline->arena, graph->node_count + 1, sizeof *globals);
    plan->globals = globals;
    for (size_t i = 0; i < graph->node_count; i++)
        if (graph->nodes[i].op == RT_OP_GLOBAL)
            globals[plan->global_count++] =
                (struct rt_global){.avro_key = graph->nodes[i].key.type == RT_TYPE_AVRO,
                                   .avro_value = graph->nodes[i].value.type == RT_TYPE_AVRO,
                                   .topic = graph->nodes[i].topics[0],
                                   .store = store_spec(&graph->nodes[i])};
}
