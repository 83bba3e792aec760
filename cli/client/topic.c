/* weir topic: create, list, describe, delete, through Kafka's admin requests. */
#include "cli/client/commands.h"
#include "cli/client/kafka.h"
#include "cli/client/verb.h"
#include "lib/base/mem.h"
#include "lib/base/option.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_IF = 0x2000, KEY_INTERNAL };

struct topic_args {
    struct cl_kafka kafka;
    const char *name;
    int partitions, replicas;
    const char **configs; /* "name=value" */
    size_t config_count;
    bool tolerant, internal;
};

static int parse_count(struct argp_state *state, const char *flag, const char *arg, int64_t max)
{
    int64_t n = 0;
    if (bs_parse_int(arg, 1, max, &n) != 0)
        argp_error(state, "%s takes a number from 1 to %lld, not '%s'", flag, (long long)max, arg);
    return (int)n;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct topic_args *args = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &args->kafka;
        return 0;
    case 'p':
        args->partitions = parse_count(state, "--partitions", arg, 100000);
        return 0;
    case 'r':
        args->replicas = parse_count(state, "--replication-factor", arg, 1000);
        return 0;
    case 'c':
        if (strchr(arg, '=') == NULL)
            argp_error(state, "--config takes NAME=VALUE, not '%s'", arg);
        args->configs = bs_realloc(args->configs, (args->config_count + 1) * sizeof *args->configs);
        args->configs[args->config_count++] = arg;
        return 0;
    case KEY_IF:
        args->tolerant = true;
        return 0;
    case KEY_INTERNAL:
        args->internal = true;
        return 0;
    case ARGP_KEY_ARG:
        if (args->name)
            argp_error(state, "takes one topic, got '%s' too", arg);
        args->name = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child CHILDREN[] = {{.argp = &cl_kafka_argp}, {0}};

static void parse(struct topic_args *args, const struct argp_option *options, const char *doc,
                  bool named, int argc, char **argv)
{
    struct argp argp = {.options = options,
                        .parser = parse_option,
                        .args_doc = named ? "NAME" : "",
                        .doc = doc,
                        .children = CHILDREN};
    *args = (struct topic_args){.partitions = -1, .replicas = -1};
    cl_kafka_init(&args->kafka);
    cl_verb_parse(&argp, argc, argv, args);
    if (named && args->name == NULL) {
        fprintf(stderr, "%s: which topic? usage: %s NAME [OPTION...]\n", argv[0], argv[0]);
        exit(CL_USAGE);
    }
}

static int open_client(struct topic_args *args, struct bs_error *err)
{
    rd_kafka_conf_t *conf = cl_kafka_conf(&args->kafka, err);
    if (conf == NULL)
        return err->code;
    return cl_kafka_open(&args->kafka, RD_KAFKA_PRODUCER, conf, err);
}

static int finish(struct topic_args *args, char **argv, const struct bs_error *err)
{
    int status = err->code ? cl_verb_fail(argv[0], err) : CL_OK;
    cl_kafka_deinit(&args->kafka);
    bs_free(args->configs);
    return status;
}

/* The one topic result of an admin answer. */
static int topic_result(rd_kafka_event_t *event, struct bs_error *err)
{
    const rd_kafka_topic_result_t **results;
    size_t count = 0;
    rd_kafka_resp_err_t code;
    if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_CREATETOPICS_RESULT)
        results =
            rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    else
        results =
            rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count);
    if (count != 1)
        return bs_error_set(err, BS_ECORRUPT, "the broker's answer holds %zu topics instead of one",
                            count);
    code = rd_kafka_topic_result_error(results[0]);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    cl_kafka_error(err, code, rd_kafka_topic_result_name(results[0]));
    if (rd_kafka_topic_result_error_string(results[0]))
        bs_error_set(err, err->code, "%s: %s", rd_kafka_topic_result_name(results[0]),
                     rd_kafka_topic_result_error_string(results[0]));
    return err->code;
}

static rd_kafka_NewTopic_t *new_topic(const struct topic_args *args, struct bs_error *err)
{
    char text[256];
    rd_kafka_NewTopic_t *topic =
        rd_kafka_NewTopic_new(args->name, args->partitions, args->replicas, text, sizeof text);
    if (topic == NULL) {
        bs_error_set(err, BS_EINVAL, "%s: %s", args->name, text);
        return NULL;
    }
    for (size_t i = 0; i < args->config_count; i++) {
        const char *sign = strchr(args->configs[i], '=');
        char *name = bs_strndup(args->configs[i], (size_t)(sign - args->configs[i]));
        rd_kafka_NewTopic_set_config(topic, name, sign + 1);
        bs_free(name);
    }
    return topic;
}

static int ask_create(struct topic_args *args, struct bs_error *err)
{
    rd_kafka_NewTopic_t *topic = new_topic(args, err);
    rd_kafka_AdminOptions_t *options;
    rd_kafka_queue_t *queue;
    rd_kafka_event_t *event = NULL;
    char text[256];
    int rc;
    if (topic == NULL)
        return err->code;
    queue = rd_kafka_queue_new(args->kafka.rk);
    options = rd_kafka_AdminOptions_new(args->kafka.rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_AdminOptions_set_request_timeout(options, args->kafka.timeout_ms, text, sizeof text);
    rd_kafka_CreateTopics(args->kafka.rk, &topic, 1, options, queue);
    rc = cl_kafka_event(&args->kafka, queue, &event, err);
    if (rc == 0)
        rc = topic_result(event, err);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(topic);
    return rc;
}

static int run_create(int argc, char **argv)
{
    static const struct argp_option OPTIONS[] = {
        {.name = "partitions", .key = 'p', .arg = "N", .doc = "Default: the broker's"},
        {.name = "replication-factor", .key = 'r', .arg = "N", .doc = "Default: the broker's"},
        {.name = "config",
         .key = 'c',
         .arg = "NAME=VALUE",
         .doc = "A topic option, such as retention.ms=-1; may be repeated"},
        {.name = "if-not-exists", .key = KEY_IF, .doc = "Well when the topic is there already"},
        {0}};
    struct topic_args args;
    struct bs_error err = {0};
    parse(&args, OPTIONS, "Creates a topic.", true, argc, argv);
    if (open_client(&args, &err) == 0) {
        int rc = ask_create(&args, &err);
        if (rc == 0)
            printf("created %s\n", args.name);
        else if (rc == BS_EEXIST && args.tolerant)
            err = (struct bs_error){0};
    }
    return finish(&args, argv, &err);
}

static int ask_delete(struct topic_args *args, struct bs_error *err)
{
    rd_kafka_DeleteTopic_t *topic = rd_kafka_DeleteTopic_new(args->name);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(args->kafka.rk);
    rd_kafka_event_t *event = NULL;
    int rc;
    rd_kafka_DeleteTopics(args->kafka.rk, &topic, 1, NULL, queue);
    rc = cl_kafka_event(&args->kafka, queue, &event, err);
    if (rc == 0)
        rc = topic_result(event, err);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_DeleteTopic_destroy(topic);
    return rc;
}

static int run_delete(int argc, char **argv)
{
    static const struct argp_option OPTIONS[] = {
        {.name = "if-exists", .key = KEY_IF, .doc = "Well when there is no such topic"}, {0}};
    struct topic_args args;
    struct bs_error err = {0};
    parse(&args, OPTIONS, "Deletes a topic with all its records.", true, argc, argv);
    if (open_client(&args, &err) == 0) {
        int rc = ask_delete(&args, &err);
        if (rc == 0)
            printf("deleted %s\n", args.name);
        else if (rc == BS_ENOTFOUND && args.tolerant)
            err = (struct bs_error){0};
    }
    return finish(&args, argv, &err);
}

static int compare_topics(const void *a, const void *b)
{
    const struct rd_kafka_metadata_topic *const *x = a, *const *y = b;
    return strcmp((*x)->topic, (*y)->topic);
}

static void print_list(const struct rd_kafka_metadata *metadata, bool internal)
{
    size_t count = (size_t)metadata->topic_cnt;
    const struct rd_kafka_metadata_topic **rows = bs_array(count, sizeof *rows);
    for (size_t i = 0; i < count; i++)
        rows[i] = &metadata->topics[i];
    qsort(rows, count, sizeof *rows, compare_topics);
    for (size_t i = 0; i < count; i++)
        if (internal || strncmp(rows[i]->topic, "__", 2) != 0)
            printf("%s\t%d partition%s\n", rows[i]->topic, rows[i]->partition_cnt,
                   rows[i]->partition_cnt == 1 ? "" : "s");
    bs_free(rows);
}

static int run_list(int argc, char **argv)
{
    static const struct argp_option OPTIONS[] = {
        {.name = "internal", .key = KEY_INTERNAL, .doc = "Also those whose name begins with __"},
        {0}};
    const struct rd_kafka_metadata *metadata = NULL;
    struct topic_args args;
    struct bs_error err = {0};
    parse(&args, OPTIONS, "Lists topics, one a line.", false, argc, argv);
    if (open_client(&args, &err) == 0 && cl_kafka_metadata(&args.kafka, &metadata, &err) == 0)
        print_list(metadata, args.internal);
    if (metadata)
        rd_kafka_metadata_destroy(metadata);
    return finish(&args, argv, &err);
}

static int run_describe(int argc, char **argv)
{
    static const struct argp_option OPTIONS[] = {{0}};
    const struct rd_kafka_metadata *metadata = NULL;
    const struct rd_kafka_metadata_topic *topic = NULL;
    struct topic_args args;
    struct bs_error err = {0};
    parse(&args, OPTIONS, "Shows a topic's partitions, offsets and options.", true, argc, argv);
    if (open_client(&args, &err) == 0 &&
        cl_kafka_topic(&args.kafka, args.name, &metadata, &topic, &err) == 0)
        (void)cl_topic_describe(&args.kafka, topic, &err);
    if (metadata)
        rd_kafka_metadata_destroy(metadata);
    return finish(&args, argv, &err);
}

int cl_topic_main(int argc, char **argv)
{
    static const struct cl_verb VERBS[] = {
        {"create", "make a topic", run_create},
        {"list", "names and partition counts", run_list},
        {"describe", "partitions, offsets, options", run_describe},
        {"delete", "remove a topic and its records", run_delete},
        {0}};
    return cl_verb_run("topic", "Topics of a broker.", VERBS, argc, argv);
}
