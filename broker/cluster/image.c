/* Image: see image.h. Topics in one array ordered by name, and a hash by id over it. The first
 * change of a batch to a topic puts a copy in its place; the batch's later changes go into that
 * copy, which nobody has seen yet; commit ends that. Owner: the loop thread. */
#include "broker/cluster/image.h"

#include "broker/cluster/image_edit.h"
#include "lib/base/mem.h"

#include <inttypes.h>
#include <string.h>
#include <uthash.h>

struct image_id {
    struct bk_uuid id;
    struct bk_topic *topic;
    bool touched; /* by the batch being applied: topic may be written */
    UT_hash_handle hh;
};

struct image_touch {
    struct bk_topic *before; /* with the reference the image had; NULL: made by this batch */
    struct bk_uuid id;
};

struct image_resource { /* settings of what is not a topic */
    int8_t type;
    char *name;
    struct bk_setting *settings;
    size_t count;
    struct image_resource *next;
};

struct bk_image {
    struct bk_topic **topics; /* by name */
    size_t count, cap;
    struct image_id *by_id;
    struct image_resource *resources;
    struct image_touch *touches;
    size_t touch_count, touch_cap;
    int64_t partition_count, next_producer_id;
};

/* ---- uuid, names ------------------------------------------------------------------------------
 */

bool bk_uuid_is_zero(const struct bk_uuid *id)
{
    static const struct bk_uuid zero;
    return memcmp(id, &zero, sizeof zero) == 0;
}

bool bk_uuid_equal(const struct bk_uuid *a, const struct bk_uuid *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

void bk_uuid_text(const struct bk_uuid *id, char out[23])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned bits = 0, have = 0, n = 0;
    for (int i = 0; i < 16; i++) {
        bits = bits << 8 | id->bytes[i];
        have += 8;
        while (have >= 6) {
            have -= 6;
            out[n++] = digits[bits >> have & 63];
        }
    }
    out[n++] = digits[bits << (6 - have) & 63];
    out[n] = '\0';
}

bool bk_topic_name_valid(const char *name, size_t len)
{
    if (len == 0 || len > 249 || (len == 1 && name[0] == '.') ||
        (len == 2 && name[0] == '.' && name[1] == '.'))
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '_' || c == '-'))
            return false;
    }
    return true;
}

/* ---- topic -------------------------------------------------------------------------------------
 */

static void settings_free(struct bk_setting *settings, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bs_free(settings[i].name);
        bs_free(settings[i].value);
    }
    bs_free(settings);
}

/* Sets, or removes for a NULL value. */
static void settings_put(struct bk_setting **list, size_t *count, struct bs_bytes name,
                         struct bs_bytes value)
{
    size_t at = 0;
    int order = -1;
    while (at < *count) {
        order = bs_bytes_compare(bs_bytes_text((*list)[at].name), name);
        if (order >= 0)
            break;
        at++;
    }
    bool found = at < *count && order == 0;
    if (!value.ptr) {
        if (!found)
            return;
        bs_free((*list)[at].name);
        bs_free((*list)[at].value);
        memmove(*list + at, *list + at + 1, (*count - at - 1) * sizeof **list);
        --*count;
        return;
    }
    char *text = bs_strndup((const char *)value.ptr, value.len);
    if (found) {
        bs_free((*list)[at].value);
        (*list)[at].value = text;
        return;
    }
    *list = bs_realloc(*list, (*count + 1) * sizeof **list);
    memmove(*list + at + 1, *list + at, (*count - at) * sizeof **list);
    (*list)[at] = (struct bk_setting){
        .name = bs_strndup((const char *)name.ptr, name.len),
        .value = text,
    };
    ++*count;
}

struct bk_topic *bk_topic_ref(const struct bk_topic *topic)
{
    struct bk_topic *own =
        (struct bk_topic *)topic; /* the count is not part of what is immutable */
    own->refs++;
    return own;
}

void bk_topic_unref(struct bk_topic *topic)
{
    if (!topic || --topic->refs > 0)
        return;
    for (int32_t i = 0; i < topic->partition_count; i++) {
        bs_free(topic->partitions[i].replicas);
        bs_free(topic->partitions[i].isr);
    }
    bs_free(topic->partitions);
    settings_free(topic->settings, topic->setting_count);
    bs_free(topic->name);
    bs_free(topic);
}

const char *bk_topic_setting(const struct bk_topic *topic, const char *name)
{
    for (size_t i = 0; i < topic->setting_count; i++)
        if (strcmp(topic->settings[i].name, name) == 0)
            return topic->settings[i].value;
    return NULL;
}

static struct bk_topic *topic_copy(const struct bk_topic *from)
{
    struct bk_topic *topic = bs_new(struct bk_topic);
    *topic = *from;
    topic->refs = 1;
    topic->name = bs_strdup(from->name);
    topic->partitions = bs_array((size_t)from->partition_count + 1, sizeof *topic->partitions);
    for (int32_t i = 0; i < from->partition_count; i++) {
        const struct bk_replica_set *p = &from->partitions[i];
        topic->partitions[i] = *p;
        topic->partitions[i].replicas =
            bs_memdup(p->replicas, p->replica_count * sizeof *p->replicas);
        topic->partitions[i].isr = bs_memdup(p->isr, p->isr_count * sizeof *p->isr);
    }
    topic->settings = bs_array(from->setting_count + 1, sizeof *topic->settings);
    for (size_t i = 0; i < from->setting_count; i++)
        topic->settings[i] = (struct bk_setting){
            .name = bs_strdup(from->settings[i].name),
            .value = bs_strdup(from->settings[i].value),
        };
    return topic;
}

/* ---- image --------------------------------------------------------------------------------------
 */

struct bk_image *bk_image_new(void)
{
    return bs_new(struct bk_image);
}

void bk_image_free(struct bk_image *image)
{
    if (!image)
        return;
    struct image_id *entry, *next;
    HASH_ITER (hh, image->by_id, entry, next) {
        HASH_DEL(image->by_id, entry);
        bs_free(entry);
    }
    for (size_t i = 0; i < image->count; i++)
        bk_topic_unref(image->topics[i]);
    bs_free(image->topics);
    for (size_t i = 0; i < image->touch_count; i++)
        bk_topic_unref(image->touches[i].before);
    bs_free(image->touches);
    while (image->resources) {
        struct image_resource *r = image->resources;
        image->resources = r->next;
        settings_free(r->settings, r->count);
        bs_free(r->name);
        bs_free(r);
    }
    bs_free(image);
}

/* Index of the first topic whose name is >= name. */
static size_t image_lower(const struct bk_image *image, struct bs_bytes name)
{
    size_t low = 0, high = image->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (bs_bytes_compare(bs_bytes_text(image->topics[mid]->name), name) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

const struct bk_topic *bk_image_topic(const struct bk_image *image, const char *name, size_t len)
{
    size_t at = image_lower(image, bs_bytes(name, len));
    if (at == image->count ||
        !bs_bytes_equal(bs_bytes_text(image->topics[at]->name), bs_bytes(name, len)))
        return NULL;
    return image->topics[at];
}

static struct image_id *image_find_id(const struct bk_image *image, const struct bk_uuid *id)
{
    struct image_id *entry = NULL;
    HASH_FIND(hh, image->by_id, id, sizeof *id, entry);
    return entry;
}

const struct bk_topic *bk_image_topic_by_id(const struct bk_image *image, const struct bk_uuid *id)
{
    struct image_id *entry = image_find_id(image, id);
    return entry ? entry->topic : NULL;
}

size_t bk_image_topic_count(const struct bk_image *image)
{
    return image->count;
}

int64_t bk_image_partition_count(const struct bk_image *image)
{
    return image->partition_count;
}

const struct bk_topic *bk_image_topic_next(const struct bk_image *image, const char *name)
{
    size_t at = name ? image_lower(image, bs_bytes_text(name)) : 0;
    if (name && at < image->count && strcmp(image->topics[at]->name, name) == 0)
        at++;
    return at < image->count ? image->topics[at] : NULL;
}

static struct image_resource *image_resource(const struct bk_image *image, int8_t type,
                                             struct bs_bytes name)
{
    struct image_resource *r = image->resources;
    while (r && (r->type != type || !bs_bytes_equal(bs_bytes_text(r->name), name)))
        r = r->next;
    return r;
}

const struct bk_setting *bk_image_settings(const struct bk_image *image, int8_t resource_type,
                                           const char *name, size_t *ret_count)
{
    struct image_resource *r = image_resource(image, resource_type, bs_bytes_text(name));
    *ret_count = r ? r->count : 0;
    return r ? r->settings : NULL;
}

int64_t bk_image_next_producer_id(const struct bk_image *image)
{
    return image->next_producer_id;
}

/* ---- apply --------------------------------------------------------------------------------------
 */

static void image_touch(struct bk_image *image, struct bk_topic *before, const struct bk_uuid *id)
{
    if (image->touch_count == image->touch_cap) {
        image->touch_cap = image->touch_cap ? image->touch_cap * 2 : 16;
        image->touches = bs_realloc(image->touches, image->touch_cap * sizeof *image->touches);
    }
    image->touches[image->touch_count++] = (struct image_touch){.before = before, .id = *id};
}

/* The topic, to be written. */
static struct bk_topic *image_edit(struct bk_image *image, struct image_id *entry)
{
    if (!entry->touched) {
        struct bk_topic *topic = topic_copy(entry->topic);
        image->topics[image_lower(image, bs_bytes_text(topic->name))] = topic;
        image_touch(image, entry->topic, &entry->id);
        entry->topic = topic;
        entry->touched = true;
    }
    return entry->topic;
}

void bk_image_commit(struct bk_image *image, bk_image_visit *visit, void *ctx)
{
    for (size_t i = 0; i < image->touch_count; i++) {
        struct image_touch touch = image->touches[i];
        struct image_id *entry = image_find_id(image, &touch.id);
        if (entry)
            entry->touched = false;
        if (visit && (touch.before || entry))
            visit(ctx, touch.before, entry ? entry->topic : NULL);
        bk_topic_unref(touch.before);
    }
    image->touch_count = 0;
}

static int apply_topic(struct bk_image *image, const struct bk_record *record, struct bs_error *err)
{
    if (bk_image_topic(image, (const char *)record->name.ptr, record->name.len) ||
        image_find_id(image, &record->topic_id))
        return bs_error_set(err, BS_ECORRUPT, "topic %.*s is made twice", (int)record->name.len,
                            (const char *)record->name.ptr);
    struct bk_topic *topic = bs_new(struct bk_topic);
    topic->name = bs_strndup((const char *)record->name.ptr, record->name.len);
    topic->id = record->topic_id;
    topic->internal = strcmp(topic->name, "__consumer_offsets") == 0 ||
                      strcmp(topic->name, "__transaction_state") == 0;
    topic->refs = 1;
    size_t at = image_lower(image, record->name);
    if (image->count == image->cap) {
        image->cap = image->cap ? image->cap * 2 : 16;
        image->topics = bs_realloc(image->topics, image->cap * sizeof *image->topics);
    }
    memmove(image->topics + at + 1, image->topics + at,
            (image->count - at) * sizeof *image->topics);
    image->topics[at] = topic;
    image->count++;
    struct image_id *entry = bs_new(struct image_id);
    entry->id = topic->id;
    entry->topic = topic;
    entry->touched = true;
    HASH_ADD(hh, image->by_id, id, sizeof entry->id, entry);
    image_touch(image, NULL, &entry->id);
    return 0;
}

static int apply_partition(struct bk_image *image, const struct bk_record *record,
                           struct bs_error *err)
{
    struct image_id *entry = image_find_id(image, &record->topic_id);
    if (!entry || record->partition != entry->topic->partition_count)
        return bs_error_set(err, BS_ECORRUPT, "partition %" PRId32 " of %s is out of order",
                            record->partition, entry ? entry->topic->name : "an unknown topic");
    struct bk_topic *topic = image_edit(image, entry);
    size_t bytes = record->replica_count * sizeof record->replicas[0];
    topic->partitions = bs_realloc(topic->partitions, ((size_t)topic->partition_count + 1) *
                                                          sizeof *topic->partitions);
    topic->partitions[topic->partition_count++] = (struct bk_replica_set){
        .leader = record->leader,
        .leader_epoch = record->leader_epoch,
        .partition_epoch = record->partition_epoch,
        .replicas = bs_memdup(record->replicas, bytes),
        .isr = bs_memdup(record->replicas, bytes),
        .replica_count = record->replica_count,
        .isr_count = record->replica_count,
    };
    image->partition_count++;
    return 0;
}

static int apply_partition_change(struct bk_image *image, const struct bk_record *record,
                                  struct bs_error *err)
{
    struct image_id *entry = image_find_id(image, &record->topic_id);
    if (!entry || record->partition < 0 || record->partition >= entry->topic->partition_count)
        return bs_error_set(err, BS_ECORRUPT, "a change of an unknown partition %" PRId32,
                            record->partition);
    struct bk_replica_set *p = &image_edit(image, entry)->partitions[record->partition];
    p->partition_epoch++;
    if (record->leader != -2) {
        p->leader = record->leader;
        p->leader_epoch++;
    }
    return 0;
}

static int apply_config(struct bk_image *image, const struct bk_record *record)
{
    if (record->resource_type == 2) {
        const struct bk_topic *old =
            bk_image_topic(image, (const char *)record->name.ptr, record->name.len);
        if (!old)
            return 0; /* its topic was removed in between: nothing to set */
        struct bk_topic *topic = image_edit(image, image_find_id(image, &old->id));
        settings_put(&topic->settings, &topic->setting_count, record->key, record->value);
        return 0;
    }
    struct image_resource *r = image_resource(image, record->resource_type, record->name);
    if (!r) {
        r = bs_new(struct image_resource);
        r->type = record->resource_type;
        r->name = bs_strndup((const char *)record->name.ptr, record->name.len);
        r->next = image->resources;
        image->resources = r;
    }
    settings_put(&r->settings, &r->count, record->key, record->value);
    return 0;
}

static int apply_remove(struct bk_image *image, const struct bk_record *record,
                        struct bs_error *err)
{
    struct image_id *entry = image_find_id(image, &record->topic_id);
    if (!entry)
        return bs_error_set(err, BS_ECORRUPT, "an unknown topic is removed");
    size_t at = image_lower(image, bs_bytes_text(entry->topic->name));
    memmove(image->topics + at, image->topics + at + 1,
            (image->count - at - 1) * sizeof *image->topics);
    image->count--;
    image->partition_count -= entry->topic->partition_count;
    if (entry->touched)
        bk_topic_unref(entry->topic); /* what it was before the batch is in touches */
    else
        image_touch(image, entry->topic, &entry->id);
    HASH_DEL(image->by_id, entry);
    bs_free(entry);
    return 0;
}

int bk_image_apply(struct bk_image *image, const struct bk_record *record, struct bs_error *err)
{
    switch (record->type) {
    case BK_RECORD_TOPIC:
        return apply_topic(image, record, err);
    case BK_RECORD_PARTITION:
        return apply_partition(image, record, err);
    case BK_RECORD_CONFIG:
        return apply_config(image, record);
    case BK_RECORD_PARTITION_CHANGE:
        return apply_partition_change(image, record, err);
    case BK_RECORD_REMOVE_TOPIC:
        return apply_remove(image, record, err);
    case BK_RECORD_PRODUCER_IDS:
        if (record->next_producer_id > image->next_producer_id)
            image->next_producer_id = record->next_producer_id;
        return 0;
    }
    return 0;
}
