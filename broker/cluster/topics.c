/* Topics: what may be made, removed and set, and the records that do it. Every function checks
 * against the image, then proposes one batch. Owner: the loop thread. */
#include "broker/cluster/metadata_state.h"

#include "lib/base/mem.h"
#include "lib/kafka/errors.h"

#include <inttypes.h>
#include <string.h>

#define REFUSE(code, ...) return bs_error_set(err, (code), __VA_ARGS__)

/* Names that differ only in '.' and '_' would share metric names: refused, as Kafka does. */
static const struct bk_topic *topic_collides(const struct bk_image *image, const char *name)
{
    if (!strpbrk(name, "._"))
        return NULL;
    for (const struct bk_topic *t = bk_image_topic_next(image, NULL); t;
         t = bk_image_topic_next(image, t->name)) {
        const char *a = t->name, *b = name;
        while (*a && (*a == *b || ((*a == '.' || *a == '_') && (*b == '.' || *b == '_'))))
            a++, b++;
        if (!*a && !*b)
            return t;
    }
    return NULL;
}

static int check_count(const struct bk_metadata *metadata, const char *name, int64_t more,
                       int64_t in_topic, struct bs_error *err)
{
    int64_t topic_max = bs_config_int(metadata->spec.config, "weir.topic.partitions.max");
    int64_t all_max = bs_config_int(metadata->spec.config, "weir.partitions.max");
    if (in_topic > topic_max)
        REFUSE(KP_ERR_POLICY_VIOLATION,
               "topic %s: %" PRId64 " partitions are more than weir.topic.partitions.max %" PRId64,
               name, in_topic, topic_max);
    if (bk_image_partition_count(metadata->image) + more > all_max)
        REFUSE(KP_ERR_POLICY_VIOLATION,
               "topic %s: %" PRId64 " more partitions would exceed weir.partitions.max %" PRId64,
               name, more, all_max);
    return 0;
}

/* Partitions first..first+count-1, each on this node. */
static int check_assignments(const struct bk_metadata *metadata, const char *name,
                             const struct bk_assignment *assignments, size_t count, int32_t first,
                             struct bs_error *err)
{
    for (size_t i = 0; i < count; i++) {
        size_t found = 0;
        for (size_t k = 0; k < count; k++)
            found += assignments[k].partition == first + (int32_t)i;
        if (found != 1)
            REFUSE(KP_ERR_INVALID_REPLICA_ASSIGNMENT,
                   "topic %s: partition %zu is assigned %zu times, once is needed", name,
                   (size_t)first + i, found);
        if (assignments[i].broker_count != 1 || assignments[i].brokers[0] != metadata->spec.node_id)
            REFUSE(KP_ERR_INVALID_REPLICA_ASSIGNMENT,
                   "topic %s: the only broker is %" PRId32 ", so it is every partition's replica",
                   name, metadata->spec.node_id);
    }
    return 0;
}

static int check_settings(const char *name, const struct bk_setting *settings, size_t count,
                          struct bs_error *err)
{
    for (size_t i = 0; i < count; i++) {
        struct bs_error why = {0};
        if (!settings[i].value)
            REFUSE(KP_ERR_INVALID_CONFIG, "topic %s: %s has no value", name, settings[i].name);
        if (bk_topic_config_check(settings[i].name, settings[i].value, &why) != 0)
            REFUSE(KP_ERR_INVALID_CONFIG, "topic %s: %s", name, why.text);
    }
    return 0;
}

static int check_create(struct bk_metadata *metadata, const struct bk_topic_spec *spec,
                        int32_t *ret_count, struct bs_error *err)
{
    const char *name = spec->name;
    if (!bk_topic_name_valid(name, strlen(name)))
        REFUSE(KP_ERR_INVALID_TOPIC_EXCEPTION,
               "topic name '%.250s' is not 1 to 249 of a-z A-Z 0-9 . _ -, or is . or ..", name);
    if (strcmp(name, "__cluster_metadata") == 0)
        REFUSE(KP_ERR_INVALID_TOPIC_EXCEPTION, "topic name %s is the broker's own", name);
    if (bk_image_topic(metadata->image, name, strlen(name)) || bk_metadata_pending(metadata, name))
        REFUSE(KP_ERR_TOPIC_ALREADY_EXISTS, "topic %s exists", name);
    const struct bk_topic *other = topic_collides(metadata->image, name);
    if (other)
        REFUSE(KP_ERR_INVALID_TOPIC_EXCEPTION, "topic %s differs from %s only in '.' and '_'", name,
               other->name);
    if (spec->assignment_count > 0) {
        if (spec->partition_count != -1 || spec->replication_factor != -1)
            REFUSE(KP_ERR_INVALID_REQUEST,
                   "topic %s: a replica assignment leaves no room for counts (-1)", name);
        *ret_count = (int32_t)spec->assignment_count;
        int error =
            check_assignments(metadata, name, spec->assignments, spec->assignment_count, 0, err);
        if (error)
            return error;
    } else {
        *ret_count = spec->partition_count == -1
                         ? (int32_t)bs_config_int(metadata->spec.config, "num.partitions")
                         : spec->partition_count;
        if (*ret_count <= 0)
            REFUSE(KP_ERR_INVALID_PARTITIONS, "topic %s: %" PRId32 " partitions; at least 1", name,
                   spec->partition_count);
        if (!spec->internal && spec->replication_factor != -1 && spec->replication_factor != 1)
            REFUSE(KP_ERR_INVALID_REPLICATION_FACTOR,
                   "topic %s: replication factor %d, but there is 1 broker", name,
                   spec->replication_factor);
    }
    int error = check_count(metadata, name, *ret_count, *ret_count, err);
    return error ? error : check_settings(name, spec->settings, spec->setting_count, err);
}

static void add_partitions(const struct bk_metadata *metadata, struct bk_change *change,
                           const struct bk_uuid *id, int32_t from, int32_t to)
{
    for (int32_t i = from; i < to; i++)
        bk_change_add(change, &(struct bk_record){.type = BK_RECORD_PARTITION,
                                                  .topic_id = *id,
                                                  .partition = i,
                                                  .leader = metadata->spec.node_id,
                                                  .replicas = {metadata->spec.node_id},
                                                  .replica_count = 1});
}

static void add_config(struct bk_change *change, int8_t type, const char *resource, const char *key,
                       const char *value)
{
    bk_change_add(change,
                  &(struct bk_record){.type = BK_RECORD_CONFIG,
                                      .resource_type = type,
                                      .name = bs_bytes_text(resource),
                                      .key = bs_bytes_text(key),
                                      .value = value ? bs_bytes_text(value) : bs_bytes(NULL, 0)});
}

int bk_metadata_create_topic(struct bk_metadata *metadata, const struct bk_topic_spec *spec,
                             bk_metadata_done *done, void *ctx, struct bs_error *err)
{
    int32_t count = 0;
    int error = check_create(metadata, spec, &count, err);
    if (error)
        return error;
    if (spec->validate_only)
        return bk_metadata_nothing(metadata, done, ctx);
    struct bk_change *change = bk_change_new(spec->name);
    struct bk_record record = {.type = BK_RECORD_TOPIC, .name = bs_bytes_text(spec->name)};
    io_random_uuid(metadata->spec.ports.random, record.topic_id.bytes);
    bk_change_add(change, &record);
    add_partitions(metadata, change, &record.topic_id, 0, count);
    for (size_t i = 0; i < spec->setting_count; i++)
        add_config(change, BK_RESOURCE_TOPIC, spec->name, spec->settings[i].name,
                   spec->settings[i].value);
    return bk_metadata_propose(metadata, change, done, ctx, err);
}

int bk_metadata_delete_topic(struct bk_metadata *metadata, const struct bk_topic *topic,
                             bk_metadata_done *done, void *ctx, struct bs_error *err)
{
    if (bk_metadata_pending(metadata, topic->name) ||
        bk_image_topic_by_id(metadata->image, &topic->id) != topic)
        REFUSE(KP_ERR_UNKNOWN_TOPIC_OR_PARTITION, "topic %s is being changed or is gone",
               topic->name);
    struct bk_change *change = bk_change_new(topic->name);
    bk_change_add(change,
                  &(struct bk_record){.type = BK_RECORD_REMOVE_TOPIC, .topic_id = topic->id});
    return bk_metadata_propose(metadata, change, done, ctx, err);
}

int bk_metadata_create_partitions(struct bk_metadata *metadata, const struct bk_topic *topic,
                                  int32_t count, const struct bk_assignment *assignments,
                                  size_t assignment_count, bool validate_only,
                                  bk_metadata_done *done, void *ctx, struct bs_error *err)
{
    if (bk_metadata_pending(metadata, topic->name))
        REFUSE(KP_ERR_REQUEST_TIMED_OUT, "topic %s is being changed; ask again", topic->name);
    if (count <= topic->partition_count)
        REFUSE(KP_ERR_INVALID_PARTITIONS,
               "topic %s has %" PRId32 " partitions, %" PRId32 " is not more", topic->name,
               topic->partition_count, count);
    int error = check_count(metadata, topic->name, count - topic->partition_count, count, err);
    if (error)
        return error;
    if (assignment_count > 0) {
        if (assignment_count != (size_t)(count - topic->partition_count))
            REFUSE(KP_ERR_INVALID_REPLICA_ASSIGNMENT,
                   "topic %s: %zu assignments for %" PRId32 " new partitions", topic->name,
                   assignment_count, count - topic->partition_count);
        error = check_assignments(metadata, topic->name, assignments, assignment_count,
                                  topic->partition_count, err);
        if (error)
            return error;
    }
    if (validate_only)
        return bk_metadata_nothing(metadata, done, ctx);
    struct bk_change *change = bk_change_new(topic->name);
    add_partitions(metadata, change, &topic->id, topic->partition_count, count);
    return bk_metadata_propose(metadata, change, done, ctx, err);
}

/* ---- configs
 * ---------------------------------------------------------------------------------------- */

static bool list_has(const char *list, const char *word, size_t len)
{
    for (const char *at = list; at && *at;) {
        size_t n = strcspn(at, ",");
        if (n == len && memcmp(at, word, n) == 0)
            return true;
        at += n;
        at += *at == ',';
    }
    return false;
}

/* A list without, or with, each of the words. bs_free. */
static char *list_change(const char *list, const char *words, bool add)
{
    struct bs_buf out = BS_BUF_INIT;
    for (int pass = 0; pass < (add ? 2 : 1); pass++)
        for (const char *at = pass ? words : list; at && *at;) {
            size_t n = strcspn(at, ",");
            bool keep = pass ? !list_has(list, at, n) : add || !list_has(words, at, n);
            if (n > 0 && keep)
                bs_buf_printf(&out, "%s%.*s", out.len ? "," : "", (int)n, at);
            at += n;
            at += *at == ',';
        }
    bs_buf_put_u8(&out, 0);
    return (char *)bs_buf_steal(&out, &(size_t){0});
}

/* The new value of one change: NULL is back to the default. *ret_text is to be bs_free'd. */
static int config_value(const struct bk_metadata *metadata, const struct bk_topic *topic,
                        const struct bk_config_change *change, char **ret_text,
                        struct bs_error *err)
{
    *ret_text = NULL;
    if (change->op == BK_CONFIG_DELETE)
        return 0;
    if (!change->value)
        REFUSE(KP_ERR_INVALID_CONFIG, "%s has no value", change->name);
    if (change->op == BK_CONFIG_SET) {
        *ret_text = bs_strdup(change->value);
        return 0;
    }
    const struct bs_option *row = topic ? bs_option_find(&bk_topic_options, change->name) : NULL;
    if (!row || row->type != BS_OPT_LIST)
        REFUSE(KP_ERR_INVALID_CONFIG, "%s is not a list: it cannot be appended to", change->name);
    char scratch[32];
    enum bk_config_source source;
    const char *now = bk_topic_config_value(
        topic, metadata->spec.config, (size_t)(row - bk_topic_options.rows), scratch, &source);
    *ret_text = list_change(now, change->value, change->op == BK_CONFIG_APPEND);
    return 0;
}

/* Rows that the new set does not name go back to their default. */
static void config_drop_others(struct bk_change *out, int8_t type, const char *name,
                               const struct bk_setting *settings, size_t setting_count,
                               const struct bk_config_change *changes, size_t count)
{
    for (size_t i = 0; i < setting_count; i++) {
        bool named = false;
        for (size_t k = 0; k < count && !named; k++)
            named = strcmp(settings[i].name, changes[k].name) == 0;
        if (!named)
            add_config(out, type, name, settings[i].name, NULL);
    }
}

int bk_metadata_alter_configs(struct bk_metadata *metadata, int8_t resource_type, const char *name,
                              const struct bk_config_change *changes, size_t count, bool replace,
                              bool validate_only, bk_metadata_done *done, void *ctx,
                              struct bs_error *err)
{
    const struct bk_topic *topic = NULL;
    size_t setting_count = 0;
    const struct bk_setting *settings = NULL;
    if (resource_type == BK_RESOURCE_TOPIC) {
        topic = bk_image_topic(metadata->image, name, strlen(name));
        if (!topic)
            REFUSE(KP_ERR_UNKNOWN_TOPIC_OR_PARTITION, "topic %s is not known", name);
        settings = topic->settings;
        setting_count = topic->setting_count;
    } else if (resource_type == BK_RESOURCE_GROUP) {
        settings = bk_image_settings(metadata->image, resource_type, name, &setting_count);
    } else {
        REFUSE(KP_ERR_INVALID_REQUEST,
               "configs of resource type %d cannot be changed while the broker runs; set the "
               "option and restart",
               resource_type);
    }
    struct bk_change *change = bk_change_new(topic ? name : NULL);
    int error = 0;
    for (size_t i = 0; i < count && !error; i++) {
        char *value = NULL;
        struct bs_error why = {0};
        error = config_value(metadata, topic, &changes[i], &value, err);
        if (!error && topic &&
            (value ? bk_topic_config_check(changes[i].name, value, &why) != 0
                   : !bs_option_find(&bk_topic_options, changes[i].name)))
            error = bs_error_set(err, KP_ERR_INVALID_CONFIG, "topic %s: %s", name,
                                 value ? why.text : "no such config");
        if (!error)
            add_config(change, resource_type, name, changes[i].name, value);
        bs_free(value);
    }
    if (!error && replace)
        config_drop_others(change, resource_type, name, settings, setting_count, changes, count);
    if (error || validate_only || change->builder.count == 0) {
        bk_change_free(change);
        return error ? error : bk_metadata_nothing(metadata, done, ctx);
    }
    return bk_metadata_propose(metadata, change, done, ctx, err);
}
