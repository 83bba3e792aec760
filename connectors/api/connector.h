/* Weir connector: the one header a plugin is written against. Plain C11, nothing else of Weir.
 *
 * A plugin is a shared object with one exported function:
 *
 *     __attribute__((visibility("default")))
 *     const struct cn_module *weir_connector_entry(const struct cn_host *host);
 *
 * It keeps `host` (valid as long as the process) and returns a static description of its
 * connectors, or NULL when the host is too old for it. It links against nothing of Weir: everything
 * it needs from the host is in the table.
 *
 * Growth. Structs begin with struct_size, set by whoever fills them; new members come at the end,
 * and are there when struct_size reaches behind them (CN_HAS). No member changes its meaning within
 * one CN_ABI. Arrays of structs come with their element's size.
 *
 * Ownership, in one sentence: nothing crosses the line. What one side hands to the other in a call
 * is borrowed for that call, unless the call's comment says longer; the receiver copies what it
 * keeps. Nobody frees the other's memory.
 *
 * Threads. Each task has a thread of its own, and calls for one task never overlap. Plugins may
 * have threads of their own, joined before close returns. They never call exit, abort, chdir,
 * setlocale, and install no signal handlers. */
#ifndef WEIR_CONNECTORS_API_CONNECTOR_H
#define WEIR_CONNECTORS_API_CONNECTOR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CN_ABI 1
#define CN_HAS(ptr, member) \
    ((ptr)->struct_size >=  \
     (size_t)((const char *)&(ptr)->member - (const char *)(ptr)) + sizeof((ptr)->member))

/* ---- values ------------------------------------------------------------------------------- */

enum cn_type {
    CN_NULL,
    CN_BOOL,
    CN_INT64,
    CN_FLOAT, /* a double that came from, or goes to, a 32-bit float */
    CN_DOUBLE,
    CN_STRING, /* UTF-8 */
    CN_BYTES,
    CN_ARRAY,
    CN_MAP, /* names in order: a struct, an Avro record or map, a JSON object */
};

struct cn_text {
    const char *ptr; /* not NUL-terminated unless a comment says so */
    size_t len;
};

struct cn_value {
    uint32_t type; /* enum cn_type */
    uint32_t reserved;
    union {
        int64_t integer;     /* CN_BOOL: 0 or 1; CN_INT64 */
        double real;         /* CN_FLOAT, CN_DOUBLE */
        struct cn_text text; /* CN_STRING, CN_BYTES */
        struct {
            const struct cn_value *items;
            size_t count;
        } array;
        struct {
            const struct cn_field *fields;
            size_t count;
        } map;
    };
};

struct cn_field {
    struct cn_text name;
    struct cn_value value;
};

struct cn_header {
    struct cn_text name;
    struct cn_value value;
};

#define CN_NO_TIMESTAMP INT64_C(-1)

struct cn_record {
    const char *topic; /* NUL-terminated */
    int32_t partition; /* source: -1 lets the key's hash choose */
    int32_t reserved;
    int64_t offset;    /* sink only */
    int64_t timestamp; /* ms since 1970, or CN_NO_TIMESTAMP: the moment of sending */
    struct cn_value key, value;
    /* Avro schema as JSON text (NUL-terminated), or NULL: no schema. The same pointer means the
     * same schema for the whole life of the task, so a plugin may keep what it made of it by
     * pointer. */
    const char *key_schema, *value_schema;
    const struct cn_header *headers;
    size_t header_count;
};

/* ---- results ------------------------------------------------------------------------------- */

enum cn_verdict {
    CN_OK = 0,
    /* Not now: the same call comes again after a pause (the option retry.backoff.ms where the
     * plugin has it, else 250 ms growing to 10 s); error says what is waited for. */
    CN_RETRY = 1,
    CN_FAIL = 2,     /* the task stops; error goes into its status */
    CN_COMPLETE = 3, /* source poll: everything of a bounded source has been emitted */
    CN_STOP = 4,     /* emit: the task is to stop; return from poll soon */
};

/* Filled by the plugin when it answers CN_RETRY or CN_FAIL. One or two sentences: what, where
 * (file, line, option, table, column), what to do. Never a password. */
struct cn_error {
    uint32_t struct_size;
    char text[1000];
};

/* ---- options ------------------------------------------------------------------------------- */

enum cn_option_type {
    CN_OPT_STRING,
    CN_OPT_INT,  /* 32 bit, min..max */
    CN_OPT_LONG, /* min..max */
    CN_OPT_DOUBLE,
    CN_OPT_BOOL,     /* true | false */
    CN_OPT_LIST,     /* comma separated */
    CN_OPT_PASSWORD, /* never shown or logged */
    CN_OPT_CLASS,
};

enum cn_importance { CN_HIGH, CN_MEDIUM, CN_LOW };

enum cn_option_flag {
    CN_OPT_REQUIRED = 1,
    CN_OPT_IGNORED = 2, /* users have it in their configs; without effect here: a warning */
    CN_OPT_REFUSED = 4, /* would change what happens to data, and is not there: an error */
    CN_OPT_NOT_EMPTY = 8,
    CN_OPT_PATH = 16, /* names a file: in a configuration file, relative to that file's folder */
};

struct cn_option {
    const char *name;
    uint32_t type;       /* enum cn_option_type */
    uint32_t importance; /* enum cn_importance */
    uint32_t flags;      /* enum cn_option_flag */
    const char *def;     /* NULL: none */
    const char *words;   /* "a|b|c": what is accepted, or NULL */
    int64_t min, max;    /* both 0: no bound */
    const char *doc;     /* one sentence; for IGNORED and REFUSED: why, and what to do instead */
};

/* A connector's configuration with placeholders resolved; handed to the calls below. */
struct cn_config;
/* A running task, as the host sees it. */
struct cn_task;

/* ---- what the host offers ------------------------------------------------------------------ */

enum cn_level { CN_LOG_ERROR, CN_LOG_WARN, CN_LOG_INFO, CN_LOG_DEBUG };

struct cn_host {
    uint32_t struct_size;
    uint32_t abi;        /* CN_ABI of the host */
    const char *version; /* of Weir */

    /* Text of an option, its default when it is not set, or NULL. Valid as long as `config`. Any
     * name may be asked for, so prefixes of the plugin's own work. */
    const char *(*option)(const struct cn_config *config, const char *name);

    /* One line, without a newline. Any thread of the task. */
    void (*log)(struct cn_task *task, enum cn_level level, const char *text);

    /* Source, inside poll: takes one record. It is converted and handed to the producer before the
     * call returns, so the plugin may reuse all of its memory at once. CN_OK; CN_FAIL with error:
     * return CN_FAIL from poll with it; CN_STOP. */
    int (*emit)(struct cn_task *task, const struct cn_record *record, struct cn_error *error);
    /* Source, inside poll: everything emitted so far is covered by this position. `partition` and
     * `offset` are maps whose values are null, bool, int64, double, string or bytes; the order of
     * the partition's members is part of its identity. Stored in one transaction with the records.
     */
    void (*position)(struct cn_task *task, const struct cn_value *partition,
                     const struct cn_value *offset);
    /* Source, inside open: the stored position, or NULL. Valid until open returns. */
    const struct cn_value *(*stored)(struct cn_task *task, const struct cn_value *partition);
    /* Source, inside poll: a record that cannot be read. Counted; CN_OK when errors.tolerance=all
     * says to go on, else CN_FAIL (return it from poll; error is left alone). */
    int (*reject)(struct cn_task *task, const struct cn_error *error);

    /* Sink, inside put: this record (an index of the batch) cannot be written. Goes to the dead
     * letter queue when there is one; told twice for one batch it counts once. CN_OK: tolerated, go
     * on; else CN_FAIL. */
    int (*reject_record)(struct cn_task *task, size_t index, const struct cn_error *error);

    /* A file descriptor that is readable when the task should return from poll or put soon. */
    int (*wake_fd)(struct cn_task *task);
    /* Non-zero when the task is to stop. Any thread of the task. */
    int (*stopping)(struct cn_task *task);
};

/* ---- what a connector is ------------------------------------------------------------------- */

/* What must be known of a configuration before it runs. Texts are valid as long as `config`. */
struct cn_description {
    uint32_t struct_size;
    uint32_t task_count; /* how many tasks make sense at most; the host also obeys tasks.max */
    uint32_t bounded;    /* source: it ends with CN_COMPLETE */
    const char *value_converter; /* "string" | "json" | "avro" | "bytes" | "auto" (registry's
                                    envelope: Avro; else JSON), when the config does not say */
    const char *topic; /* source: the topic it writes to, or NULL: known only at run time */
};

struct cn_open {
    uint32_t struct_size;
    struct cn_task *task;
    const struct cn_config *config; /* valid until close */
    const char *connector;          /* its name; valid until close */
    uint32_t index, count;          /* this task and how many there are */
};

struct cn_source {
    uint32_t struct_size;
    /* CN_OK, CN_RETRY (open is called again after a pause), CN_FAIL. */
    int (*open)(const struct cn_open *open, void **ret_self, struct cn_error *error);
    /* Emits some records (up to about records_max), then a position, and returns. Does not wait:
     * with nothing to emit it returns CN_OK at once and is called again after the host's pause. */
    int (*poll)(void *self, uint32_t records_max, struct cn_error *error);
    /* All positions given so far are stored: now the plugin may archive or acknowledge. May be
     * NULL. */
    void (*commit)(void *self);
    void (*close)(void *self);
};

struct cn_partition {
    const char *topic;
    int32_t partition;
    int32_t reserved;
    int64_t offset;       /* the next record that will come; -1: unknown */
    const char *metadata; /* what flush gave at the last commit ("" when none) */
};

struct cn_batch {
    uint32_t struct_size;
    uint32_t record_size; /* distance between two records */
    const struct cn_record *records;
    size_t count;
};

static inline const struct cn_record *cn_batch_at(const struct cn_batch *batch, size_t i)
{
    return (const struct cn_record *)((const char *)batch->records + i * batch->record_size);
}

struct cn_sink {
    uint32_t struct_size;
    int (*open)(const struct cn_open *open, void **ret_self, struct cn_error *error);
    /* The partitions that the task has now (all of them), before the first of their records. May be
     * NULL. `size` is the distance between two. */
    int (*assign)(void *self, const struct cn_partition *partitions, size_t count, size_t size,
                  struct cn_error *error);
    /* Records in order of offset per partition. CN_RETRY: nothing of the batch counts as written,
     * the same batch comes again. Records without a value (CN_NULL) are tombstones. */
    int (*put)(void *self, const struct cn_batch *batch, struct cn_error *error);
    /* Everything put so far is durable when this returns CN_OK; then its offsets are committed.
     * *ret_metadata: a text (≤ 1 KiB, valid until the next call) to be stored with them, or NULL.
     */
    int (*flush)(void *self, const char **ret_metadata, struct cn_error *error);
    void (*close)(void *self);
};

enum cn_kind { CN_SOURCE, CN_SINK };

enum cn_plugin_flag {
    CN_LENIENT = 1, /* unknown options are only warned of, as in Kafka Connect */
};

/* Reports an error of one option; `option` NULL: of the whole configuration. */
typedef void cn_report(void *ctx, const char *option, const char *text);

struct cn_plugin {
    uint32_t struct_size;
    uint32_t kind;              /* enum cn_kind */
    uint32_t flags;             /* enum cn_plugin_flag */
    const char *name;           /* "file-source": what connector.class says */
    const char *const *classes; /* NULL-ended: class names that configurations for Kafka Connect
                                   have; the first one is listed. Or NULL */
    const char *version;
    const char *doc;
    const struct cn_option *options;
    uint32_t option_count, option_size;
    const struct cn_source *source; /* by kind */
    const struct cn_sink *sink;
    /* Single options were checked against their rows; this checks them together. No network. May be
     * NULL. */
    void (*validate)(const struct cn_config *config, cn_report *report, void *ctx);
    /* Fills ret (struct_size is set by the host). */
    void (*describe)(const struct cn_config *config, struct cn_description *ret);
};

struct cn_module {
    uint32_t struct_size;
    uint32_t abi; /* CN_ABI */
    const struct cn_plugin *const *plugins;
    size_t plugin_count;
};

const struct cn_module *weir_connector_entry(const struct cn_host *host);

#ifdef __cplusplus
}
#endif

#endif
