/* The worker's options. Names are Kafka Streams' or Connect's where they carry the same meaning.
 * Pure. */
#include "runtime/worker/settings.h"

#include "lib/base/mem.h"
#include "lib/registry/serde_option.h"

#include <string.h>

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

static const struct bs_option ROWS[] = {
    {.name = "listeners",
     .type = BS_OPT_STRING,
     .def = "127.0.0.1:8083",
     .doc = "HOST:PORT of the REST interface; port 0 lets the system choose"},
    {.name = "bootstrap.servers",
     .type = BS_OPT_STRING,
     .def = "127.0.0.1:9092",
     .doc = "brokers to ask first, HOST:PORT separated by commas"},
    {.name = "state.dir",
     .type = BS_OPT_STRING,
     .def = "weir-state",
     .doc = "folder of the state stores and of this worker's identity; one worker each"},
    {.name = "plugin.path",
     .type = BS_OPT_STRING,
     .doc = "folder of connectors; default lib/weir/connectors beside the program"},
    {.name = "group.id",
     .type = BS_OPT_STRING,
     .def = "connect-cluster",
     .doc = "the group that workers share connectors in"},
    {.name = "num.stream.threads",
     .type = BS_OPT_INT,
     .min = 1,
     .max = 256,
     .doc = "threads of each pipeline; default: what weir.app{ threads } says, else 1"},
    {.name = "session.timeout.ms",
     .type = BS_OPT_DURATION,
     .def = "6s",
     .min = 1000,
     .max = 1800000,
     .doc = "a worker that was silent so long loses its tasks"},
    {.name = "transaction.timeout.ms",
     .type = BS_OPT_DURATION,
     .def = "10s",
     .min = 1000,
     .max = 900000,
     .doc = "a transaction older than this is aborted by the broker"},
    {.name = "source.topics.wait.ms",
     .type = BS_OPT_DURATION,
     .def = "5m",
     .min = 0,
     .max = 86400000,
     .doc = "how long a pipeline waits for a topic or schema that is not there yet"},
    {.name = "max.task.idle.ms",
     .type = BS_OPT_DURATION,
     .def = "0",
     .min = 0,
     .max = 86400000,
     .doc = "how long a task waits for an input that has nothing more to read; an input known to "
            "have more is always waited for"},
    {.name = "buffered.records.per.partition",
     .type = BS_OPT_INT,
     .def = "1000",
     .min = 1,
     .max = 1000000,
     .doc = "records of one partition taken from the client at a time"},
    {.name = "statestore.uncommitted.max.bytes",
     .type = BS_OPT_SIZE,
     .def = "64M",
     .min = 65536,
     .max = (int64_t)16 << 30,
     .doc = "changes a thread holds before it commits early, bytes"},
    {.name = "statestore.cache.max.bytes",
     .type = BS_OPT_SIZE,
     .def = "16M",
     .min = 0,
     .max = (int64_t)16 << 30,
     .doc = "rows a task keeps in memory for reading, bytes"},
    {.name = "rocksdb.block.cache.bytes",
     .type = BS_OPT_SIZE,
     .def = "8M",
     .min = 65536,
     .max = (int64_t)64 << 30,
     .doc = "RocksDB's block cache, of the whole worker, bytes"},
    {.name = "rocksdb.write.buffer.bytes",
     .type = BS_OPT_SIZE,
     .def = "4M",
     .min = 65536,
     .max = (int64_t)1 << 30,
     .doc = "RocksDB's write buffer, of each task, bytes"},
    {.name = "replication.factor",
     .type = BS_OPT_INT,
     .def = "-1",
     .min = -1,
     .max = 32767,
     .doc = "replicas of topics the worker makes; -1: the broker's default"},
    {.name = "repartition.partitions.min",
     .type = BS_OPT_INT,
     .def = "4",
     .min = 1,
     .max = 10000,
     .doc = "partitions of a repartition topic for which the pipeline names no number and whose "
            "sources have fewer: so many tasks can share the work behind it"},
    {.name = "create.sink.topics",
     .type = BS_OPT_BOOL,
     .def = "true",
     .doc = "make a topic that a pipeline writes to when it is missing"},
    {.name = "script.memory.max.bytes",
     .type = BS_OPT_SIZE,
     .def = "256M",
     .min = 1 << 20,
     .max = (int64_t)64 << 30,
     .doc = "memory of one pipeline's Lua state, per thread, bytes"},
    {.name = "script.cpu.max.per.record.ms",
     .type = BS_OPT_DURATION,
     .def = "1s",
     .min = 1,
     .max = 3600000,
     .doc = "a record whose functions run longer is an error of the script"},
};

const struct bs_option_table rt_worker_options = {
    .title = "Worker", .rows = ROWS, .count = COUNT(ROWS)};

static char *text(const struct bs_config *config, const char *name)
{
    return bs_strdup(bs_config_text(config, name));
}

void rt_settings_init(struct rt_settings *settings, const struct bs_config *config)
{
    const char *listen = bs_config_text(config, "listeners");
    if (strncmp(listen, "http://", 7) == 0)
        listen += 7;
    *settings = (struct rt_settings){
        .listen = bs_strdup(listen),
        .bootstrap = text(config, "bootstrap.servers"),
        .state_dir = text(config, "state.dir"),
        .plugin_dir = text(config, "plugin.path"),
        .connect_group = text(config, "group.id"),
        .threads = bs_config_is_set(config, "num.stream.threads")
                       ? (int)bs_config_int(config, "num.stream.threads")
                       : 0,
        .session_timeout_ms = bs_config_int(config, "session.timeout.ms"),
        .transaction_timeout_ms = bs_config_int(config, "transaction.timeout.ms"),
        .topics_wait_ms = bs_config_int(config, "source.topics.wait.ms"),
        .task_idle_ms = bs_config_int(config, "max.task.idle.ms"),
        .buffered_max = bs_config_int(config, "buffered.records.per.partition"),
        .uncommitted_max_bytes = (size_t)bs_config_int(config, "statestore.uncommitted.max.bytes"),
        .cache_bytes = (size_t)bs_config_int(config, "statestore.cache.max.bytes"),
        .block_cache_bytes = (size_t)bs_config_int(config, "rocksdb.block.cache.bytes"),
        .write_buffer_bytes = (size_t)bs_config_int(config, "rocksdb.write.buffer.bytes"),
        .replication_factor = (int)bs_config_int(config, "replication.factor"),
        .repartition_min = (int)bs_config_int(config, "repartition.partitions.min"),
        .create_sinks = bs_config_bool(config, "create.sink.topics"),
        .memory_max_bytes = (size_t)bs_config_int(config, "script.memory.max.bytes"),
        .cpu_max_per_record_ms = bs_config_int(config, "script.cpu.max.per.record.ms"),
        .serde = rc_serde_config_new(),
    };
    rc_serde_copy(settings->serde, config);
}

void rt_settings_deinit(struct rt_settings *settings)
{
    bs_free(settings->listen);
    bs_free(settings->bootstrap);
    bs_config_free(settings->serde);
    bs_free(settings->state_dir);
    bs_free(settings->plugin_dir);
    bs_free(settings->connect_group);
    *settings = (struct rt_settings){0};
}
