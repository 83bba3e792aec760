/* Topics: connect-configs (one partition: its order matters), connect-offsets, connect-status; all
 * compacted. */
#include "runtime/connect/topics.h"

#include "lib/base/mem.h"

#include <jansson.h>
#include <string.h>

int rt_topics_make(rd_kafka_t *client, struct bs_error *err)
{
    static const char *const settings[] = {"cleanup.policy", "compact", NULL};
    static const struct {
        const char *name;
        int partitions;
    } topics[] = {{RT_TOPIC_CONFIGS, 1}, {RT_TOPIC_OFFSETS, 5}, {RT_TOPIC_STATUS, 1}};
    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
        /* Not asked for first: a broker may make what a producer asks for, with its own defaults.
         */
        int result =
            rt_kafka_topic_make(client, topics[i].name, topics[i].partitions, -1, settings, err);
        /* Known to the client, the first record need not wait for its next look at topics. */
        int partitions = 0;
        if (result == 0)
            result = rt_kafka_partitions(client, topics[i].name, &partitions, err);
        if (result < 0)
            return result;
    }
    return 0;
}

void rt_topics_offset_key(const char *connector, const char *partition_json, struct bs_buf *out)
{
    bs_buf_reset(out);
    bs_buf_puts(out, "[");
    bs_buf_put_json_string(out, connector, strlen(connector));
    bs_buf_printf(out, ",%s]", partition_json);
}

struct reading {
    const char *connector;
    rt_topics_each_offset *each;
    void *ctx;
};

static void take(void *ctx, const rd_kafka_message_t *message)
{
    struct reading *reading = ctx;
    json_t *key = json_loadb(message->key, message->key_len, 0, NULL);
    const char *connector = json_string_value(json_array_get(key, 0));
    if (connector && !strcmp(connector, reading->connector) && json_array_size(key) == 2) {
        char *partition = json_dumps(json_array_get(key, 1), JSON_COMPACT | JSON_ENCODE_ANY);
        char *offset = message->payload ? bs_strndup(message->payload, message->len) : NULL;
        reading->each(reading->ctx, partition, offset);
        bs_free(offset);
        free(partition);
    }
    json_decref(key);
}

int rt_topics_read_offsets(const char *bootstrap, const char *connector,
                           rt_topics_each_offset *each, void *ctx, struct bs_error *err)
{
    struct reading reading = {connector, each, ctx};
    return rt_kafka_read_all(bootstrap, RT_TOPIC_OFFSETS, take, &reading, err);
}
