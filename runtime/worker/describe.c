/* Prints a pipeline's plan: topics, tasks, stores. Schemas that stand in files are parsed and not
 * registered; a subject's latest version is asked of the registry when one is given. One thread. */
#include "runtime/worker/describe.h"

#include "runtime/schemas.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char USAGE[] =
    "Usage: weir pipeline [--registry URL] [--serde NAME=VALUE …] FILE.lua\n"
    "Shows what a pipeline is made of: topics, subtopologies, stores. Needs no broker; a registry\n"
    "only where a topic is written with its subject's latest schema. --serde: an option of Avro\n"
    "serializers, or of the registry's client, as the worker would have it.\n";

static void print_topics(const struct rt_plan *plan)
{
    for (size_t i = 0; i < plan->topic_count; i++) {
        const struct rt_topic *topic = &plan->topics[i];
        printf("topic        %s%s%s", topic->name, topic->internal ? ", internal" : "",
               topic->compacted ? ", compacted" : "");
        if (topic->partitions > 0)
            printf(", %d partition%s", topic->partitions, bs_plural(topic->partitions));
        printf("  (%s)\n", topic->where);
    }
}

static void print_subtopologies(const struct rt_plan *plan)
{
    for (size_t i = 0; i < plan->subtopology_count; i++) {
        const struct rt_subtopology *sub = &plan->subtopologies[i];
        printf("subtopology  %zu reads", i);
        for (size_t t = 0; t < sub->topic_count; t++)
            printf("%s %s", t ? "," : "", sub->topics[t]);
        printf("%s\n", sub->copartitioned ? ", by equal keys" : "");
        for (size_t s = 0; s < sub->store_count; s++) {
            const struct rt_store_spec *store = &sub->stores[s];
            printf("  store      %s, %s", store->name,
                   store->kind == RT_STORE_WINDOW ? "windows" : "key-value");
            if (store->kind == RT_STORE_WINDOW)
                printf(" kept %lld ms", (long long)store->retention_ms);
            printf("%s%s\n", store->in_memory ? ", in memory" : "",
                   store->logged ? ", with changelog" : "");
        }
    }
    for (size_t i = 0; i < plan->global_count; i++)
        printf("global       %s from %s\n", plan->globals[i].store.name, plan->globals[i].topic);
}

static int describe(const char *file, const char *url, const struct bs_config *serde)
{
    struct rt_schema_port port = {.dry = true, .serde = serde};
    struct rt_pipeline *pipeline = NULL;
    struct bs_error err = {0};
    struct rt_limits limits = {0};
    bool ask = url || bs_config_text(serde, "schema.registry.url");
    int rc = ask ? rc_client_of(serde, url, &port.once, &err) : 0;
    struct rt_schemas schemas = rt_schemas_of(&port);
    if (rc == 0)
        rc = rt_pipeline_load(file, &schemas, &limits, &pipeline, &err);
    if (rc == 0) {
        const struct rt_plan *plan = rt_pipeline_plan(pipeline);
        printf("pipeline     %s, id %s, %s, commit every %lld ms, %d thread%s, fingerprint "
               "%016" PRIx64 "\n",
               plan->file, plan->app_id, plan->exactly_once ? "exactly once" : "at least once",
               (long long)plan->commit_interval_ms, plan->threads, bs_plural(plan->threads),
               plan->fingerprint);
        print_topics(plan);
        print_subtopologies(plan);
    } else {
        fprintf(stderr, "weir pipeline: %s\n", err.text);
    }
    rt_pipeline_free(pipeline);
    rc_client_free(port.once);
    return rc == 0 ? 0 : 1;
}

static int run(int argc, char **argv, struct bs_config *serde)
{
    const char *url = NULL, *file = NULL;
    for (int i = 1; i < argc; i++) {
        struct bs_error err = {0};
        if (strcmp(argv[i], "--help") == 0) {
            fputs(USAGE, stdout);
            return 0;
        }
        if (strcmp(argv[i], "--registry") == 0 && i + 1 < argc)
            url = argv[++i];
        else if (strcmp(argv[i], "--serde") == 0 && i + 1 < argc) {
            if (rc_serde_set_text(serde, argv[++i], "--serde", &err) < 0) {
                fprintf(stderr, "weir pipeline: %s\n", err.text);
                return 2;
            }
        } else if (argv[i][0] != '-' && !file)
            file = argv[i];
        else {
            fprintf(stderr, "weir pipeline: unexpected '%s'\n%s", argv[i], USAGE);
            return 2;
        }
    }
    if (!file) {
        fputs(USAGE, stderr);
        return 2;
    }
    return describe(file, url, serde);
}

int rt_describe_main(int argc, char **argv)
{
    struct bs_config *serde = rc_serde_config_new();
    int status = run(argc, argv, serde);
    bs_config_free(serde);
    return status;
}
