/* Graph: from node rows to a checked graph: children in order, which tables keep rows, which
 * updates carry the row before, subtopologies (what is connected without a topic in between). One
 * thread, while the pipeline is loaded. */
#include "runtime/pipeline/graph.h"

#include <stdio.h>
#include <string.h>

void rt_graph_init(struct rt_graph *graph)
{
    memset(graph, 0, sizeof *graph);
    bs_arena_init(&graph->arena);
    graph->exactly_once = true;
    graph->commit_interval_ms = 100;
    graph->threads = 1;
}

void rt_graph_deinit(struct rt_graph *graph)
{
    bs_arena_deinit(&graph->arena);
    memset(graph, 0, sizeof *graph);
}

static void link_children(struct rt_graph *graph)
{
    for (size_t i = 0; i < graph->node_count; i++)
        for (size_t p = 0; p < graph->nodes[i].parent_count; p++)
            graph->nodes[i].parents[p]->child_count++;
    for (size_t i = 0; i < graph->node_count; i++) {
        struct rt_node *node = &graph->nodes[i];
        node->children =
            bs_arena_array(&graph->arena, node->child_count + 1, sizeof *node->children);
        node->child_count = 0;
    }
    for (size_t i = 0; i < graph->node_count; i++)
        for (size_t p = 0; p < graph->nodes[i].parent_count; p++) {
            struct rt_node *parent = graph->nodes[i].parents[p];
            parent->children[parent->child_count++] = &graph->nodes[i];
        }
}

/* Makes updates of a table carry the row before, if that can be had: from its own rows, or from a
 * parent that has them. With `force` a source table starts to keep rows for it. */
static bool send_old(struct rt_node *node, bool force)
{
    if (node->send_old)
        return true;
    switch (node->op) {
    case RT_OP_TABLE:
        if (!force && !node->stored)
            return false;
        node->stored = true;
        break;
    case RT_OP_TABLE_FILTER:
    case RT_OP_TABLE_MAP_VALUES:
        if (!node->stored && !send_old(node->parents[0], force))
            return false;
        break;
    default:
        break;
    }
    node->send_old = true;
    return true;
}

static void derive_stores(struct rt_graph *graph)
{
    for (size_t i = 0; i < graph->node_count; i++) {
        struct rt_node *node = &graph->nodes[i];
        if (node->op == RT_OP_AGGREGATE || node->op == RT_OP_TABLE_AGGREGATE ||
            node->op == RT_OP_GLOBAL)
            node->stored = true;
        else
            node->stored = node->named || node->needed;
    }
    for (size_t i = 0; i < graph->node_count; i++) {
        struct rt_node *node = &graph->nodes[i];
        if (node->op == RT_OP_TABLE_FILTER)
            send_old(node->parents[0], false);
        if (node->op == RT_OP_TABLE_GROUP)
            send_old(node->parents[0], true);
    }
    /* What derives from a versioned table without rows of its own stays versioned. */
    for (size_t i = 0; i < graph->node_count; i++) {
        struct rt_node *node = &graph->nodes[i];
        if ((node->op == RT_OP_TABLE_FILTER || node->op == RT_OP_TABLE_MAP_VALUES) && !node->stored)
            node->versioned_ms = node->parents[0]->versioned_ms;
    }
    /* A filter passes the row before on whenever it gets it. */
    for (size_t i = 0; i < graph->node_count; i++) {
        struct rt_node *node = &graph->nodes[i];
        if (node->op == RT_OP_TABLE_FILTER && node->parents[0]->send_old)
            node->send_old = true;
    }
}

static size_t root_of(size_t *parent, size_t i)
{
    while (parent[i] != i)
        i = parent[i] = parent[parent[i]];
    return i;
}

static size_t cut(struct rt_graph *graph)
{
    size_t *parent = bs_arena_array(&graph->arena, graph->node_count + 1, sizeof *parent);
    size_t *number = bs_arena_array(&graph->arena, graph->node_count + 1, sizeof *number);
    for (size_t i = 0; i < graph->node_count; i++)
        parent[i] = i;
    for (size_t i = 0; i < graph->node_count; i++)
        for (size_t p = 0; p < graph->nodes[i].parent_count; p++) {
            const struct rt_node *from = graph->nodes[i].parents[p];
            if (from->op == RT_OP_GLOBAL)
                continue;
            size_t a = root_of(parent, from->index), b = root_of(parent, i);
            parent[a > b ? a : b] = a > b ? b : a; /* the earliest node stands for all */
        }
    size_t count = 0;
    for (size_t i = 0; i < graph->node_count; i++) {
        struct rt_node *node = &graph->nodes[i];
        if (node->op == RT_OP_GLOBAL)
            continue;
        if (root_of(parent, i) == i)
            number[i] = count++;
        node->subtopology = number[root_of(parent, i)];
    }
    return count;
}

static int check_sources(const struct rt_graph *graph, struct bs_error *err)
{
    for (size_t i = 0; i < graph->node_count; i++) {
        const struct rt_node *a = &graph->nodes[i];
        if (a->op != RT_OP_SOURCE && a->op != RT_OP_GLOBAL)
            continue;
        for (size_t j = 0; j < i; j++) {
            const struct rt_node *b = &graph->nodes[j];
            if (b->op != RT_OP_SOURCE && b->op != RT_OP_GLOBAL)
                continue;
            for (size_t s = 0; s < a->topic_count; s++)
                for (size_t t = 0; t < b->topic_count; t++)
                    if (strcmp(a->topics[s], b->topics[t]) == 0)
                        return bs_error_set(err, BS_EINVAL,
                                            "%s: topic '%s' is read here and at %s\n  hint: keep "
                                            "the first in a local and chain on that",
                                            a->where, a->topics[s], b->where);
        }
    }
    return 0;
}

static bool is_table(const struct rt_node *node)
{
    return node->op == RT_OP_TABLE || node->op == RT_OP_TABLE_FILTER ||
           node->op == RT_OP_TABLE_MAP_VALUES || node->op == RT_OP_AGGREGATE ||
           node->op == RT_OP_TABLE_AGGREGATE;
}

/* The file could have changed its handles behind weir.lua's back; what follows relies on this. */
static bool well_built(const struct rt_node *node)
{
    bool table_op = node->op == RT_OP_TABLE_FILTER || node->op == RT_OP_TABLE_MAP_VALUES ||
                    node->op == RT_OP_TO_STREAM || node->op == RT_OP_TABLE_GROUP;
    if (node->op == RT_OP_SOURCE || node->op == RT_OP_GLOBAL)
        return node->parent_count == 0 &&
               (node->internal ? node->name != NULL : node->topic_count > 0);
    if (node->op == RT_OP_JOIN)
        return node->parent_count == 2 &&
               (node->global ? node->parents[1]->op == RT_OP_GLOBAL : is_table(node->parents[1]));
    if (node->op == RT_OP_MERGE)
        return node->parent_count >= 1;
    if (node->parent_count != 1 || is_table(node->parents[0]) != table_op)
        return false;
    if (node->windowed && node->size_ms / node->advance_ms > 100000)
        return false;
    return node->name || (node->op != RT_OP_REPARTITION && node->op != RT_OP_TABLE_GROUP &&
                          node->op != RT_OP_AGGREGATE && node->op != RT_OP_TABLE_AGGREGATE &&
                          node->op != RT_OP_TABLE);
}

static int check_shape(const struct rt_graph *graph, struct bs_error *err)
{
    for (size_t i = 0; i < graph->node_count; i++) {
        const struct rt_node *node = &graph->nodes[i];
        if (!well_built(node) || (node->op == RT_OP_SPLIT && node->child_count > 1000))
            return bs_error_set(err, BS_EINVAL, "%s: %s: this operator cannot be built so",
                                node->where, node->kind);
        for (size_t j = 0; j < i && node->stored; j++)
            if (graph->nodes[j].stored && strcmp(graph->nodes[j].name, node->name) == 0)
                return bs_error_set(err, BS_EINVAL, "%s: %s: the name '%s' is taken", node->where,
                                    node->kind, node->name);
    }
    return 0;
}

int rt_graph_finish(struct rt_graph *graph, const char *app_id, size_t *ret_subtopologies,
                    struct bs_error *err)
{
    for (size_t i = 0; i < graph->node_count; i++) {
        struct rt_node *node = &graph->nodes[i];
        if (!well_built(node))
            return bs_error_set(err, BS_EINVAL, "%s: %s: this operator cannot be built so",
                                node->where, node->kind);
        if (!node->internal && node->op != RT_OP_REPARTITION && node->op != RT_OP_TABLE_GROUP)
            continue;
        node->topic = bs_arena_printf(&graph->arena, "%s-%s-repartition", app_id, node->name);
        if (strlen(node->topic) > 249)
            return bs_error_set(err, BS_EINVAL,
                                "%s: %s: the internal topic's name '%s' is longer than 249\n  "
                                "hint: give it a short name: as = \"…\"",
                                node->where, node->kind, node->topic);
        if (node->op == RT_OP_SOURCE) {
            const char **topics = bs_arena_array(&graph->arena, 1, sizeof *topics);
            topics[0] = node->topic;
            node->topics = topics;
            node->topic_count = 1;
        }
    }
    int rc = check_sources(graph, err);
    if (rc)
        return rc;
    link_children(graph);
    derive_stores(graph);
    rc = check_shape(graph, err);
    if (rc)
        return rc;
    *ret_subtopologies = cut(graph);
    return 0;
}

static void mix(uint64_t *hash, const void *ptr, size_t len)
{
    const uint8_t *at = ptr;
    for (size_t i = 0; i < len; i++)
        *hash = (*hash ^ at[i]) * 1099511628211u;
}

uint64_t rt_graph_fingerprint(const struct rt_graph *graph, uint64_t seed)
{
    uint64_t hash = seed;
    for (size_t i = 0; i < graph->node_count; i++) {
        const struct rt_node *node = &graph->nodes[i];
        uint32_t words[] = {(uint32_t)node->op, (uint32_t)node->subtopology,
                            (uint32_t)node->partitions, node->stored};
        int64_t window[] = {node->size_ms, node->advance_ms, node->grace_ms, node->versioned_ms};
        mix(&hash, words, sizeof words);
        mix(&hash, window, sizeof window);
        if (node->name)
            mix(&hash, node->name, strlen(node->name) + 1);
        if (node->topic)
            mix(&hash, node->topic, strlen(node->topic) + 1);
        for (size_t t = 0; t < node->topic_count; t++)
            mix(&hash, node->topics[t], strlen(node->topics[t]) + 1);
        for (size_t p = 0; p < node->parent_count; p++)
            mix(&hash, &node->parents[p]->index, sizeof node->parents[p]->index);
    }
    return hash;
}
