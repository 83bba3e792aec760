/* Topic config: see topic_config.h. The two arrays below are in step: ROWS[i] takes its default
 * from the broker option SYNONYMS[i]. */
#include "broker/cluster/topic_config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NEVER "9223372036854775807"
#define LONG(n, d, low, sentence)                                                              \
    {                                                                                          \
        .name = n, .type = BS_OPT_INT, .def = d, .min = low, .max = INT64_MAX, .doc = sentence \
    }
#define INT(n, d, low, sentence)                                                               \
    {                                                                                          \
        .name = n, .type = BS_OPT_INT, .def = d, .min = low, .max = INT32_MAX, .doc = sentence \
    }
#define BOOL_OFF(n, sentence)                                                             \
    {                                                                                     \
        .name = n, .type = BS_OPT_ENUM, .def = "false", .words = "false", .doc = sentence \
    }

static const struct bs_option ROWS[] = {
    {.name = "cleanup.policy",
     .type = BS_OPT_LIST,
     .def = "delete",
     .words = "delete|compact",
     .doc =
         "What happens to old records: delete by age and size, compact by key. A compacted topic "
         "keeps everything for now."},
    INT("compression.gzip.level", "-1", -1, "Shown only: batches are kept as they are sent."),
    INT("compression.lz4.level", "9", 1, "Shown only: batches are kept as they are sent."),
    {.name = "compression.type",
     .type = BS_OPT_ENUM,
     .def = "producer",
     .words = "producer",
     .doc = "Batches are kept as producers compressed them."},
    {.name = "compression.zstd.level",
     .type = BS_OPT_INT,
     .def = "3",
     .min = -131072,
     .max = 22,
     .doc = "Shown only: batches are kept as they are sent."},
    LONG("delete.retention.ms", "86400000", 0,
         "How long a deletion stays readable in a compacted topic."),
    LONG("file.delete.delay.ms", "60000", 0, "Shown only: files are removed at once."),
    LONG("flush.messages", NEVER, 1,
         "weir.flush=interval: records after which the partition is synced."),
    LONG("flush.ms", NEVER, 0,
         "weir.flush=interval: milliseconds after which what is written is synced."),
    {.name = "follower.replication.throttled.replicas",
     .type = BS_OPT_STRING,
     .def = "",
     .doc = "Without effect: one broker."},
    INT("index.interval.bytes", "4096", 0, "Bytes of records per entry of the offset index."),
    {.name = "leader.replication.throttled.replicas",
     .type = BS_OPT_STRING,
     .def = "",
     .doc = "Without effect: one broker."},
    LONG("local.retention.bytes", "-2", -2, "Without effect: no remote storage."),
    LONG("local.retention.ms", "-2", -2, "Without effect: no remote storage."),
    LONG("max.compaction.lag.ms", NEVER, 1, "Longest time a record may stay uncompacted."),
    INT("max.message.bytes", "1048588", 0, "Largest record batch that is taken, as it is sent."),
    LONG("message.timestamp.after.max.ms", "3600000", 0,
         "How far ahead a producer's timestamp may lie."),
    LONG("message.timestamp.before.max.ms", NEVER, 0,
         "How far back a producer's timestamp may lie."),
    {.name = "message.timestamp.type",
     .type = BS_OPT_ENUM,
     .def = "CreateTime",
     .words = "CreateTime|LogAppendTime",
     .doc = "Whose clock a record's timestamp is."},
    {.name = "min.cleanable.dirty.ratio",
     .type = BS_OPT_DOUBLE,
     .def = "0.5",
     .max = 1,
     .doc = "Share of uncompacted bytes from which a topic is compacted."},
    LONG("min.compaction.lag.ms", "0", 0, "Shortest time a record stays uncompacted."),
    {.name = "min.insync.replicas",
     .type = BS_OPT_INT,
     .def = "1",
     .min = 1,
     .max = 1,
     .doc = "Replicas that must have a record for acks=all. One broker, so 1."},
    {.name = "preallocate",
     .type = BS_OPT_BOOL,
     .def = "false",
     .doc = "Without effect: segments grow as they are written."},
    BOOL_OFF("remote.log.copy.disable", "Only false: no remote storage."),
    BOOL_OFF("remote.log.delete.on.disable", "Only false: no remote storage."),
    BOOL_OFF("remote.storage.enable", "Only false: no remote storage."),
    LONG("retention.bytes", "-1", -1, "Bytes a partition keeps; -1: no bound."),
    LONG("retention.ms", "604800000", -1, "How long records are kept; -1: for ever."),
    INT("segment.bytes", "1073741824", 1024, "Size at which a new segment is begun."),
    INT("segment.index.bytes", "10485760", 4,
        "Size of an offset index at which a new segment is begun."),
    LONG("segment.jitter.ms", "0", 0, "Most that is taken off segment.ms at random."),
    LONG("segment.ms", "604800000", 1, "Age at which a new segment is begun."),
    {.name = "unclean.leader.election.enable",
     .type = BS_OPT_BOOL,
     .def = "false",
     .doc = "Without effect: one broker."},
};

static const char *const SYNONYMS[] = {
    "log.cleanup.policy",
    NULL, /* compression.gzip.level */
    NULL,
    NULL, /* compression.type */
    NULL,
    "log.cleaner.delete.retention.ms",
    "log.segment.delete.delay.ms",
    "log.flush.interval.messages",
    "log.flush.interval.ms",
    NULL, /* follower.replication.throttled.replicas */
    "log.index.interval.bytes",
    NULL, /* leader.replication.throttled.replicas */
    NULL, /* local.retention.bytes */
    NULL,
    "log.cleaner.max.compaction.lag.ms",
    "message.max.bytes",
    "log.message.timestamp.after.max.ms",
    "log.message.timestamp.before.max.ms",
    "log.message.timestamp.type",
    "log.cleaner.min.cleanable.ratio",
    "log.cleaner.min.compaction.lag.ms",
    "min.insync.replicas",
    "log.preallocate",
    NULL, /* remote.log.copy.disable */
    NULL,
    NULL,
    "log.retention.bytes",
    "log.retention.ms",
    "log.segment.bytes",
    "log.index.size.max.bytes",
    "log.roll.jitter.ms",
    "log.roll.ms",
    NULL, /* unclean.leader.election.enable */
};

enum { ROW_COUNT = sizeof ROWS / sizeof ROWS[0] };
_Static_assert(sizeof SYNONYMS / sizeof SYNONYMS[0] == ROW_COUNT, "one synonym per row");

const struct bs_option_table bk_topic_options = {"topic", ROWS, ROW_COUNT};

/* The broker's older names for the same in another unit, tried when the first is not set. */
static const struct {
    const char *name, *other;
    int64_t unit_ms;
} UNITS[] = {
    {"log.retention.ms", "log.retention.minutes", 60000},
    {"log.retention.ms", "log.retention.hours", 3600000},
    {"log.roll.ms", "log.roll.hours", 3600000},
    {"log.roll.jitter.ms", "log.roll.jitter.hours", 3600000},
};

static const struct bs_option CLUSTER_ROWS[] = {
    {.name = "num.partitions",
     .type = BS_OPT_INT,
     .def = "1",
     .min = 1,
     .max = INT32_MAX,
     .doc = "Partitions of a topic that is made without a count."},
    {.name = "default.replication.factor",
     .type = BS_OPT_INT,
     .def = "1",
     .min = 1,
     .max = 1,
     .doc = "Replicas of a topic that is made without a factor. One broker, so 1."},
    {.name = "min.insync.replicas",
     .type = BS_OPT_INT,
     .def = "1",
     .min = 1,
     .max = 1,
     .doc = "Replicas that must have a record for acks=all. One broker, so 1."},
    {.name = "unclean.leader.election.enable",
     .type = BS_OPT_BOOL,
     .def = "false",
     .flags = BS_OPT_IGNORED,
     .doc = "Without effect: one broker."},
    {.name = "compression.type",
     .type = BS_OPT_ENUM,
     .def = "producer",
     .words = "producer",
     .doc = "Batches are kept as producers compressed them."},
    {.name = "weir.topic.partitions.max",
     .type = BS_OPT_INT,
     .def = "10000",
     .min = 1,
     .max = INT32_MAX,
     .doc = "Most partitions of one topic."},
    {.name = "weir.partitions.max",
     .type = BS_OPT_INT,
     .def = "20000",
     .min = 1,
     .max = INT32_MAX,
     .doc = "Most partitions of this broker."},
};

const struct bs_option_table bk_cluster_options = {"cluster", CLUSTER_ROWS,
                                                   sizeof CLUSTER_ROWS / sizeof CLUSTER_ROWS[0]};

const char *bk_topic_config_synonym(const char *name)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (strcmp(ROWS[i].name, name) == 0)
            return SYNONYMS[i];
    return NULL;
}

/* The broker's text for a row, in the topic's unit; NULL: none. */
static const char *broker_value(const struct bs_config *config, size_t row, char scratch[32],
                                bool *ret_set)
{
    const char *name = SYNONYMS[row];
    *ret_set = false;
    if (!name)
        return NULL;
    if (bs_config_is_set(config, name)) {
        *ret_set = true;
    } else {
        for (size_t i = 0; i < sizeof UNITS / sizeof UNITS[0]; i++) {
            if (strcmp(UNITS[i].name, name) != 0 || !bs_config_is_set(config, UNITS[i].other))
                continue;
            int64_t v = bs_config_int(config, UNITS[i].other);
            snprintf(scratch, 32, "%" PRId64, v < 0 ? -1 : v * UNITS[i].unit_ms);
            *ret_set = true;
            return scratch;
        }
    }
    const char *text = bs_config_text(config, name);
    const struct bs_option *option = bs_option_find(&bk_storage_options, name);
    if (text && option && (option->type == BS_OPT_SIZE || option->type == BS_OPT_DURATION)) {
        snprintf(scratch, 32, "%" PRId64, bs_config_int(config, name)); /* "1G" in plain numbers */
        return scratch;
    }
    return text;
}

const char *bk_topic_config_value(const struct bk_topic *topic, const struct bs_config *config,
                                  size_t row, char scratch[32], enum bk_config_source *ret_source)
{
    const char *own = topic ? bk_topic_setting(topic, ROWS[row].name) : NULL;
    if (own) {
        *ret_source = BK_SOURCE_TOPIC;
        return own;
    }
    bool set = false;
    const char *text = broker_value(config, row, scratch, &set);
    *ret_source = set ? BK_SOURCE_BROKER : BK_SOURCE_DEFAULT;
    return set && text ? text : text ? text : ROWS[row].def;
}

int bk_topic_config_check(const char *name, const char *value, struct bs_error *err)
{
    const struct bs_option *row = bs_option_find(&bk_topic_options, name);
    if (row)
        return bs_option_check(row, value, err);
    const char *names[ROW_COUNT];
    for (size_t i = 0; i < ROW_COUNT; i++)
        names[i] = ROWS[i].name;
    const char *near = bs_nearest(name, names, ROW_COUNT);
    return bs_error_set(err, BS_ENOTFOUND, "no topic config is named %s%s%s", name,
                        near ? "; did you mean " : "", near ? near : "");
}

static const char *value_of(const struct bk_topic *topic, const struct bs_config *config,
                            const char *name, char scratch[32])
{
    enum bk_config_source source;
    const struct bs_option *row = bs_option_find(&bk_topic_options, name);
    return bk_topic_config_value(topic, config, (size_t)(row - ROWS), scratch, &source);
}

static int64_t number_of(const struct bk_topic *topic, const struct bs_config *config,
                         const char *name)
{
    char scratch[32];
    int64_t v = 0;
    bs_parse_int(value_of(topic, config, name, scratch), INT64_MIN, INT64_MAX, &v);
    return v;
}

struct bk_log_config bk_topic_config_log(const struct bk_topic *topic,
                                         const struct bs_config *config)
{
    char scratch[32];
    const char *policy = value_of(topic, config, "cleanup.policy", scratch);
    struct bk_log_config c = {
        .segment_bytes = number_of(topic, config, "segment.bytes"),
        .segment_ms = number_of(topic, config, "segment.ms"),
        .segment_jitter_ms = number_of(topic, config, "segment.jitter.ms"),
        .index_bytes = number_of(topic, config, "segment.index.bytes"),
        .index_interval_bytes = number_of(topic, config, "index.interval.bytes"),
        .retention_ms = number_of(topic, config, "retention.ms"),
        .retention_bytes = number_of(topic, config, "retention.bytes"),
        .message_bytes_max = number_of(topic, config, "max.message.bytes"),
        .timestamp_before_ms = number_of(topic, config, "message.timestamp.before.max.ms"),
        .timestamp_after_ms = number_of(topic, config, "message.timestamp.after.max.ms"),
        .flush_messages = number_of(topic, config, "flush.messages"),
        .flush_ms = number_of(topic, config, "flush.ms"),
        .producer_expiration_ms = bs_config_int(config, "producer.id.expiration.ms"),
        .flush = strcmp(bs_config_text(config, "weir.flush"), "ack") == 0 ? BK_FLUSH_ACK
                                                                          : BK_FLUSH_INTERVAL,
        .compact = strstr(policy, "compact") != NULL,
        .remove = strstr(policy, "delete") != NULL,
    };
    c.log_append_time =
        strcmp(value_of(topic, config, "message.timestamp.type", scratch), "LogAppendTime") == 0;
    if (topic && topic->internal) { /* state, not data: what is in it stays */
        c.compact = true;
        c.remove = false;
    }
    return c;
}
