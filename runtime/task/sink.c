/* Sink: records for topics: the user's, and the repartition topics between subtopologies.
 *
 * A repartition record: the key's own bytes (they decide the partition), and as value
 *     u8 key tag, u8 flags (1 row now, 2 row before, 4 a change of a table)
 *     plain:  flat value to the end
 *     change: u32 length of the row now, row now, row before
 * docs/formats/internal-values.md. The pipeline's thread. */
#include "runtime/task/operator.h"

#include <string.h>

enum { HAS_NEW = 1, HAS_OLD = 2, IS_CHANGE = 4 };

static int emit(struct rt_task *task, struct rt_output *output, struct bs_error *err)
{
    return task->ports.emit(task->ports.ctx, output, err);
}

int rt_repartition_emit(struct rt_task *task, const struct rt_node *node,
                        const struct rt_update *update, bool change, struct bs_error *err)
{
    struct bs_buf *key = &task->key, *value = &task->value;
    uint8_t tag = 0;
    key->len = value->len = 0;
    int rc = 0;
    bool keyed = !rt_datum_null(&update->key);
    if (keyed)
        rc = rt_key_encode(&update->key, &task->arena, key, &tag, err);
    bs_buf_put_u8(value, tag);
    bs_buf_put_u8(value, (uint8_t)((rt_datum_null(&update->value) ? 0 : HAS_NEW) |
                                   (rt_datum_null(&update->old) ? 0 : HAS_OLD) |
                                   (change ? IS_CHANGE : 0)));
    size_t mark = value->len;
    if (change)
        bs_buf_put_u32(value, 0);
    if (!rc && !rt_datum_null(&update->value))
        rc = rt_datum_put(&update->value, &task->arena, value, err);
    if (change) {
        bs_store_u32(value->data + mark, (uint32_t)(value->len - mark - 4));
        if (!rc && !rt_datum_null(&update->old))
            rc = rt_datum_put(&update->old, &task->arena, value, err);
    }
    if (rc)
        return rt_fail(task, node, update, rc, err);
    struct rt_output output = {
        .topic = node->topic,
        .partition = -1,
        .timestamp = update->timestamp,
        .key = keyed ? bs_bytes(key->data ? key->data : (const uint8_t *)"", key->len)
                     : bs_bytes(NULL, 0),
        .value = bs_buf_bytes(value),
        .headers = task->message->headers,
        .header_count = task->message->header_count,
    };
    return emit(task, &output, err);
}

int rt_repartition_read(struct rt_task *task, const struct rt_message *message,
                        struct rt_update *ret, struct bs_error *err)
{
    struct bs_bytes value = message->value;
    if (value.len < 2)
        return bs_error_set(err, BS_ECORRUPT, "it is no record of a repartition topic");
    uint8_t tag = value.ptr[0], flags = value.ptr[1];
    struct bs_bytes now = bs_bytes(value.ptr + 2, value.len - 2), before = {0};
    if (flags & IS_CHANGE) {
        if (now.len < 4 || bs_load_u32(now.ptr) > now.len - 4)
            return bs_error_set(err, BS_ECORRUPT, "it is no change of a repartition topic");
        uint32_t len = bs_load_u32(now.ptr);
        before = bs_bytes(now.ptr + 4 + len, now.len - 4 - len);
        now = bs_bytes(now.ptr + 4, len);
    }
    int rc = rt_key_decode(task->pipeline, tag, message->key, &ret->key, err);
    if (!rc && flags & HAS_NEW)
        rc = rt_flat_datum(task->pipeline, now, &ret->value, err);
    if (!rc && flags & HAS_OLD)
        rc = rt_flat_datum(task->pipeline, before, &ret->old, err);
    return rc;
}

/* ---- to ---- */

static int choose_topic(struct rt_task *task, const struct rt_node *node, struct rt_update *update,
                        const char **ret, struct bs_error *err)
{
    *ret = node->topic;
    if (node->topic)
        return 0;
    struct rt_call call = rt_value_call(node->fn, update, 1);
    struct rt_datum result;
    int rc = rt_vm_call(task->vm, &call, &result, NULL, err);
    if (rc)
        return rc;
    if (result.form != RT_STRING || !result.bytes.len || result.bytes.len > 249)
        return bs_error_set(err, BS_EINVAL, "to: the topic must be a string, it is %s",
                            rt_datum_kind(&result));
    *ret = bs_arena_strndup(&task->arena, (const char *)result.bytes.ptr, result.bytes.len);
    return 0;
}

/* The record's own headers, with those that the function gives replaced or added. */
static int choose_headers(struct rt_task *task, const struct rt_node *node,
                          struct rt_update *update, struct rt_output *output, struct bs_error *err)
{
    output->headers = task->message->headers;
    output->header_count = task->message->header_count;
    if (node->fn3 == RT_NO_FN)
        return 0;
    struct rt_call call = rt_value_call(node->fn3, update, 1);
    struct rt_header *given = NULL;
    size_t count = 0, kept = 0;
    int rc = rt_vm_call_headers(task->vm, &call, &given, &count, err);
    if (rc)
        return rc;
    struct rt_header *all =
        bs_arena_array(&task->arena, output->header_count + count + 1, sizeof *all);
    for (size_t i = 0; i < output->header_count; i++) {
        bool replaced = false;
        for (size_t g = 0; g < count; g++)
            replaced |= bs_bytes_equal(output->headers[i].name, given[g].name);
        if (!replaced)
            all[kept++] = output->headers[i];
    }
    for (size_t g = 0; g < count; g++)
        all[kept++] = given[g];
    output->headers = all;
    output->header_count = kept;
    return 0;
}

static int check_partition(struct rt_task *task, const char *topic, int64_t partition,
                           struct bs_error *err)
{
    int32_t count = task->ports.partition_count(task->ports.ctx, topic);
    if (count < 0)
        return bs_error_set(err, count, "to: topic '%s' is not known", topic);
    if (partition < 0 || partition >= count)
        return bs_error_set(
            err, BS_ERANGE,
            "to: the partition function gave %lld, topic '%s' has partitions 0 to %d",
            (long long)partition, topic, (int)count - 1);
    return 0;
}

/* −1 in the list: the default partitioner. An empty list drops the record. */
static int choose_partitions(struct rt_task *task, const struct rt_node *node,
                             struct rt_update *update, const char *topic, int32_t **ret,
                             size_t *ret_count, struct bs_error *err)
{
    static int32_t any[] = {-1};
    *ret = any;
    *ret_count = 1;
    if (node->fn2 == RT_NO_FN)
        return 0;
    struct rt_call call = rt_value_call(node->fn2, update, 1);
    struct rt_datum result;
    struct sd_value list = {0};
    int rc = rt_vm_call(task->vm, &call, &result, NULL, err);
    if (rc || rt_datum_null(&result))
        return rc;
    rc = rt_datum_value(&result, &task->arena, &list, err);
    if (rc)
        return rc;
    if (list.type == SD_MAP && !list.map.count) { /* {} */
        *ret_count = 0;
        return 0;
    }
    const struct sd_value *items = list.type == SD_ARRAY ? list.array.items : &list;
    size_t count = list.type == SD_ARRAY ? list.array.count : 1;
    int32_t *partitions = bs_arena_array(&task->arena, count + 1, sizeof *partitions);
    for (size_t i = 0; i < count; i++) {
        if (items[i].type != SD_LONG)
            return bs_error_set(err, BS_EINVAL,
                                "to: partition must give a number, a list of numbers or nil");
        rc = check_partition(task, topic, items[i].number, err);
        if (rc)
            return rc;
        partitions[i] = (int32_t)items[i].number;
    }
    *ret = partitions;
    *ret_count = count;
    return 0;
}

/* Where the schema is named by a header, it replaces one that came with the record. */
static void set_schema_header(struct rt_task *task, const struct rt_serde *serde, const char *name,
                              bool null, struct rt_output *output)
{
    struct rt_header *all;
    size_t kept = 0;
    if (!serde->in_header || null)
        return;
    all = bs_arena_array(&task->arena, output->header_count + 1, sizeof *all);
    for (size_t i = 0; i < output->header_count; i++)
        if (!bs_bytes_is(output->headers[i].name, name))
            all[kept++] = output->headers[i];
    all[kept++] = (struct rt_header){.name = bs_bytes_text(name),
                                     .value = bs_bytes(serde->header, sizeof serde->header)};
    output->headers = all;
    output->header_count = kept;
}

static int encode(struct rt_task *task, const struct rt_node *node, const struct rt_update *update,
                  struct rt_output *output, struct bs_error *err)
{
    bool null_key = false, null_value = false;
    task->key.len = task->value.len = 0;
    int rc =
        rt_serde_encode(&node->key, "key", &update->key, &task->arena, &task->key, &null_key, err);
    rc = rc ? rc
            : rt_serde_encode(&node->value, "value", &update->value, &task->arena, &task->value,
                              &null_value, err);
    if (rc)
        return bs_error_wrap(err, "to '%s'", output->topic);
    output->key = null_key ? bs_bytes(NULL, 0)
                           : bs_bytes(bs_buf_reserve(&task->key, 1) - task->key.len, task->key.len);
    output->value =
        null_value ? bs_bytes(NULL, 0)
                   : bs_bytes(bs_buf_reserve(&task->value, 1) - task->value.len, task->value.len);
    set_schema_header(task, &node->key, SD_KEY_SCHEMA_HEADER, null_key, output);
    set_schema_header(task, &node->value, SD_VALUE_SCHEMA_HEADER, null_value, output);
    return 0;
}

int rt_to_step(struct rt_task *task, const struct rt_node *node, struct rt_update *update,
               struct bs_error *err)
{
    struct rt_output output = {.timestamp = update->timestamp, .partition = -1};
    int32_t *partitions = NULL;
    size_t count = 0;
    int rc = choose_topic(task, node, update, &output.topic, err);
    rc = rc ? rc : choose_headers(task, node, update, &output, err);
    rc = rc ? rc : choose_partitions(task, node, update, output.topic, &partitions, &count, err);
    rc = rc ? rc : encode(task, node, update, &output, err);
    if (rc)
        return rt_fail(task, node, update, rc, err);
    for (size_t i = 0; i < count; i++) {
        output.partition = partitions[i];
        rc = emit(task, &output, err);
        if (rc == BS_ELIMIT) /* larger than the client takes: this record's fault, as any other */
            return rt_fail(task, node, update, rc, err);
        if (rc)
            return rc;
    }
    return 0;
}
