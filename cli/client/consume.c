/* weir consume: prints records, alone (all partitions of a topic, no commits) or as a member of a
 * group. */
#include "cli/client/consume.h"

#include "cli/client/commands.h"
#include "cli/client/verb.h"
#include "lib/base/mem.h"
#include "lib/base/option.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    KEY_KEY_FORMAT = 0x2000,
    KEY_MAX,
    KEY_UNTIL,
    KEY_SHOW,
    KEY_UNCOMMITTED,
    KEY_SKIP,
    KEY_SCHEMA,
    KEY_KEY_SCHEMA
};

struct consume_args {
    struct cl_kafka kafka;
    struct cl_printer printer;
    const char *topic, *group;
    const char *schema, *key_schema; /* files; NULL: what each record was written with */
    struct cl_serde serde;
    int64_t from; /* offset, RD_KAFKA_OFFSET_BEGINNING or _END; with by_time a timestamp in ms */
    bool by_time, until_end, uncommitted, skip;
    int32_t partition; /* -1: all */
    int64_t max, printed, skipped;
    rd_kafka_topic_partition_list_t *reading; /* opaque set: its end has been seen */
};

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

static const struct argp_option OPTIONS[] = {
    {.name = "from",
     .key = 'o',
     .arg = "WHERE",
     .doc =
         "beginning, end (default), an offset, or @TIME (ms since 1970, or 2001-01-01T00:00:00Z)"},
    {.name = "format",
     .key = 'f',
     .arg = "FORMAT",
     .doc =
         "Of values: string (default), json, avro (by the registry, as JSON; bytes and fixed, so "
         "decimals too, are base64, as weir produce takes them), avro-json (Avro's own JSON "
         "encoding: {\"branch\": value} in unions, one character for each byte; NaN has a "
         "form), hex"},
    {.name = "key-format", .key = KEY_KEY_FORMAT, .arg = "FORMAT", .doc = "Of keys; string"},
    {.name = "schema",
     .key = KEY_SCHEMA,
     .arg = "FILE.avsc",
     .doc =
         "Read values with this schema, whatever they were written with: Avro's resolution, with "
         "defaults, aliases and promotions"},
    {.name = "key-schema", .key = KEY_KEY_SCHEMA, .arg = "FILE.avsc", .doc = "Keys, likewise"},
    {.name = "show",
     .key = KEY_SHOW,
     .arg = "WHAT",
     .doc = "value (default), key (key, separator, value), record (one JSON object; a header's "
            "value that is no text is {\"base64\": …}, a schema's {\"guid\": …} or {\"id\": …})"},
    {.name = "key-separator", .key = 'k', .arg = "TEXT", .doc = "For --show key; a tab"},
    {.name = "max", .key = KEY_MAX, .arg = "N", .doc = "End after N records"},
    {.name = "until-end", .key = KEY_UNTIL, .doc = "End when every partition's end is reached"},
    {.name = "group", .key = 'g', .arg = "NAME", .doc = "Read as a member of this group"},
    {.name = "partition", .key = 'p', .arg = "N", .doc = "Only this one"},
    {.name = "uncommitted",
     .key = KEY_UNCOMMITTED,
     .doc = "Also records of open and aborted transactions"},
    {.name = "skip-message-on-error",
     .key = KEY_SKIP,
     .doc = "Go on behind a record that cannot be printed: where it is and why goes to standard "
            "error, and the exit status is 3 when there were any"},
    {0}};

static bool parse_time(const char *text, int64_t *ret_ms)
{
    struct tm utc = {0};
    const char *end;
    if (bs_parse_int(text, 0, INT64_MAX, ret_ms) == 0)
        return true;
    end = strptime(text, "%Y-%m-%dT%H:%M:%S", &utc);
    if (end == NULL || (*end != '\0' && strcmp(end, "Z") != 0))
        return false;
    *ret_ms = (int64_t)timegm(&utc) * 1000;
    return true;
}

static void take_from(struct argp_state *state, struct consume_args *args, const char *arg)
{
    args->by_time = *arg == '@';
    if (args->by_time ? parse_time(arg + 1, &args->from)
                      : bs_parse_int(arg, 0, INT64_MAX, &args->from) == 0)
        return;
    if (strcmp(arg, "beginning") == 0)
        args->from = RD_KAFKA_OFFSET_BEGINNING;
    else if (strcmp(arg, "end") == 0)
        args->from = RD_KAFKA_OFFSET_END;
    else
        argp_error(state, "--from takes beginning, end, an offset or @TIME, not '%s'", arg);
}

static void take_show(struct argp_state *state, const char *arg, enum cl_show *ret)
{
    if (strcmp(arg, "value") == 0)
        *ret = CL_SHOW_VALUE;
    else if (strcmp(arg, "key") == 0)
        *ret = CL_SHOW_KEY;
    else if (strcmp(arg, "record") == 0)
        *ret = CL_SHOW_RECORD;
    else
        argp_error(state, "--show takes value, key or record, not '%s'", arg);
}

static int64_t take_number(struct argp_state *state, const char *flag, const char *arg, int64_t min)
{
    int64_t n = 0;
    if (bs_parse_int(arg, min, INT32_MAX, &n) != 0)
        argp_error(state, "%s takes a number from %" PRId64 ", not '%s'", flag, min, arg);
    return n;
}

static void check_args(struct argp_state *state, struct consume_args *args)
{
    if (args->topic == NULL)
        argp_error(state, "which topic?");
    if (args->schema && !cl_format_is_avro(args->printer.value.format))
        argp_error(state, "--schema goes with --format avro or avro-json");
    if (args->key_schema && !cl_format_is_avro(args->printer.key.format))
        argp_error(state, "--key-schema goes with --key-format avro or avro-json");
    if (args->group && (args->by_time || args->from >= 0 || args->partition >= 0))
        argp_error(state, "with --group, --from takes beginning or end (where a group without "
                          "positions starts), and no --partition");
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct consume_args *args = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &args->kafka;
        state->child_inputs[1] = &args->serde;
        return 0;
    case 'o':
        take_from(state, args, arg);
        return 0;
    case 'f':
        cl_format_take(state, arg, &args->printer.value.format);
        return 0;
    case KEY_KEY_FORMAT:
        cl_format_take(state, arg, &args->printer.key.format);
        return 0;
    case KEY_SHOW:
        take_show(state, arg, &args->printer.show);
        return 0;
    case 'k':
        args->printer.separator = arg;
        return 0;
    case KEY_MAX:
        args->max = take_number(state, "--max", arg, 1);
        return 0;
    case KEY_UNTIL:
        args->until_end = true;
        return 0;
    case KEY_SKIP:
        args->skip = true;
        return 0;
    case 'g':
        args->group = arg;
        return 0;
    case 'p':
        args->partition = (int32_t)take_number(state, "--partition", arg, 0);
        return 0;
    case KEY_UNCOMMITTED:
        args->uncommitted = true;
        return 0;
    case KEY_SCHEMA:
        args->schema = arg;
        return 0;
    case KEY_KEY_SCHEMA:
        args->key_schema = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (args->topic)
            argp_error(state, "takes one topic, got '%s' too", arg);
        args->topic = arg;
        return 0;
    case ARGP_KEY_END:
        check_args(state, args);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static rd_kafka_conf_t *make_conf(struct consume_args *args, struct bs_error *err)
{
    rd_kafka_conf_t *conf = cl_kafka_conf(&args->kafka, err);
    if (conf == NULL)
        return NULL;
    cl_kafka_conf_set(conf, "group.id", args->group ? args->group : "weir-consume");
    cl_kafka_conf_set(conf, "enable.auto.commit", args->group ? "true" : "false");
    cl_kafka_conf_set(conf, "enable.partition.eof", "true");
    cl_kafka_conf_set(conf, "isolation.level",
                      args->uncommitted ? "read_uncommitted" : "read_committed");
    cl_kafka_conf_set(conf, "auto.offset.reset",
                      args->group && args->from == RD_KAFKA_OFFSET_BEGINNING ? "earliest"
                                                                             : "latest");
    return conf;
}

/* Every partition that is to be read, with where it starts. */
static int list_partitions(struct consume_args *args, const struct rd_kafka_metadata_topic *topic,
                           struct bs_error *err)
{
    rd_kafka_resp_err_t code;
    args->reading = rd_kafka_topic_partition_list_new(topic->partition_cnt);
    for (int i = 0; i < topic->partition_cnt; i++)
        if (args->partition < 0 || args->partition == topic->partitions[i].id)
            rd_kafka_topic_partition_list_add(args->reading, args->topic, topic->partitions[i].id)
                ->offset = args->from;
    if (args->reading->cnt == 0)
        return bs_error_set(err, BS_ENOTFOUND,
                            "topic '%s' has no partition %" PRId32 "; it has 0 to %d", args->topic,
                            args->partition, topic->partition_cnt - 1);
    if (!args->by_time)
        return 0;
    code = rd_kafka_offsets_for_times(args->kafka.rk, args->reading, args->kafka.timeout_ms);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? 0 : cl_kafka_error(err, code, args->topic);
}

static int start(struct consume_args *args, struct bs_error *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    const struct rd_kafka_metadata_topic *topic = NULL;
    rd_kafka_conf_t *conf = make_conf(args, err);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    int rc;
    if (conf == NULL)
        return err->code;
    rc = cl_kafka_open(&args->kafka, RD_KAFKA_CONSUMER, conf, err);
    if (rc == 0)
        rc = cl_kafka_topic(&args->kafka, args->topic, &metadata, &topic, err);
    if (rc == 0)
        rc = cl_codec_open(&args->printer.key, &args->serde, args->topic, true, args->key_schema,
                           err);
    if (rc == 0)
        rc = cl_codec_open(&args->printer.value, &args->serde, args->topic, false, args->schema,
                           err);
    if (rc == 0)
        rc = list_partitions(args, topic, err);
    if (rc == 0 && args->group) {
        rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
        rd_kafka_topic_partition_list_add(topics, args->topic, RD_KAFKA_PARTITION_UA);
        code = rd_kafka_subscribe(args->kafka.rk, topics);
        rd_kafka_topic_partition_list_destroy(topics);
    } else if (rc == 0) {
        code = rd_kafka_assign(args->kafka.rk, args->reading);
    }
    if (rc == 0 && code != RD_KAFKA_RESP_ERR_NO_ERROR)
        rc = cl_kafka_error(err, code, args->topic);
    if (metadata)
        rd_kafka_metadata_destroy(metadata);
    return rc;
}

/* A group's member may have been given only some of the partitions. */
static bool all_ends_seen(struct consume_args *args, const rd_kafka_message_t *message)
{
    rd_kafka_topic_partition_list_t *assigned = NULL;
    rd_kafka_topic_partition_t *at =
        rd_kafka_topic_partition_list_find(args->reading, args->topic, message->partition);
    bool all = true;
    if (at)
        at->opaque = args;
    if (rd_kafka_assignment(args->kafka.rk, &assigned) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return false;
    for (int i = 0; i < assigned->cnt && all; i++) {
        at = rd_kafka_topic_partition_list_find(args->reading, args->topic,
                                                assigned->elems[i].partition);
        all = at && at->opaque;
    }
    rd_kafka_topic_partition_list_destroy(assigned);
    return all;
}

/* Is the record at fault, and not the registry, the rights or the output? */
static bool is_record(const struct bs_error *err)
{
    return bs_error_class(err->code) != BS_RETRY && err->code != BS_EDENIED && err->code != BS_EIO;
}

static int print(struct consume_args *args, const rd_kafka_message_t *message, struct bs_error *err)
{
    int rc = cl_printer_print(&args->printer, message, err);
    if (rc == 0)
        args->printed++;
    if (rc == 0 || !args->skip || !is_record(err))
        return rc;
    fflush(stdout);
    fprintf(stderr, "weir consume: skipped %s\n", err->text);
    args->skipped++;
    *err = (struct bs_error){0};
    return 0;
}

static int take_message(struct consume_args *args, const rd_kafka_message_t *message, bool *ret_end,
                        struct bs_error *err)
{
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        fflush(stdout);
        *ret_end = args->until_end && all_ends_seen(args, message);
        return 0;
    }
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return cl_kafka_error(err, message->err, args->topic);
    if (print(args, message, err) != 0)
        return err->code;
    *ret_end = args->max && args->printed >= args->max;
    return 0;
}

static int read_all(struct consume_args *args, struct bs_error *err)
{
    bool end = false;
    int rc = 0;
    while (!end && !stopped && rc == 0) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(args->kafka.rk, 200);
        if (message) {
            rc = take_message(args, message, &end, err);
            rd_kafka_message_destroy(message);
        } else {
            fflush(stdout);
            rc = cl_kafka_check(&args->kafka, err);
        }
    }
    if (fflush(stdout) != 0 && rc == 0)
        rc = bs_error_set(err, BS_EIO, "cannot write to standard output");
    return rc;
}

int cl_consume_main(int argc, char **argv)
{
    static const struct argp_child CHILDREN[] = {
        {.argp = &cl_kafka_argp}, {.argp = &cl_serde_argp}, {0}};
    static const struct argp ARGP = {.options = OPTIONS,
                                     .parser = parse_option,
                                     .args_doc = "TOPIC",
                                     .doc = "Prints the records of a topic, one a line.",
                                     .children = CHILDREN};
    struct sigaction act = {.sa_handler = on_signal};
    struct consume_args args = {
        .from = RD_KAFKA_OFFSET_END, .partition = -1, .printer.separator = "\t"};
    struct bs_error err = {0};
    char name[] = "weir consume";
    int status = CL_OK;
    argv[0] = name;
    cl_kafka_init(&args.kafka);
    cl_verb_parse(&ARGP, argc, argv, &args);
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    if (start(&args, &err) != 0 || read_all(&args, &err) != 0)
        status = cl_verb_fail(argv[0], &err);
    else if (args.skipped)
        status = CL_SKIPPED;
    if (args.kafka.rk)
        rd_kafka_consumer_close(args.kafka.rk);
    if (args.reading)
        rd_kafka_topic_partition_list_destroy(args.reading);
    cl_kafka_deinit(&args.kafka);
    cl_printer_deinit(&args.printer);
    cl_serde_deinit(&args.serde);
    return status;
}
