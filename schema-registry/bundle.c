/* Bundle: see bundle.h. */
#include "schema-registry/bundle.h"

#include "lib/base/mem.h"
#include "lib/serde/json.h"

#include <string.h>

static struct bs_bytes keep(struct bs_arena *arena, struct bs_buf *buf)
{
    struct bs_bytes bytes = bs_bytes(bs_arena_dup(arena, buf->data, buf->len), buf->len);
    bs_buf_deinit(buf);
    return bytes;
}

static void put_message(struct sr_bundle *bundle, const struct sr_record *record, int64_t epoch)
{
    struct sr_message *message = &bundle->messages[bundle->count++];
    struct bs_buf key = BS_BUF_INIT, value = BS_BUF_INIT;
    *message = (struct sr_message){.epoch = epoch, .offset = -1};
    sr_record_put_key(record, &key);
    message->key = keep(&bundle->arena, &key);
    if (record->tombstone)
        return;
    sr_record_put_value(record, &value);
    message->value = keep(&bundle->arena, &value);
}

static void put_string(struct bs_buf *out, struct bs_bytes text)
{
    bs_buf_put_json_string(out, (const char *)text.ptr, text.len);
}

/* Which record of a write carries the others. It stays in the topic until its own key is written
 * again, and so do they: a version must not be among them, or a tombstone of it that compaction has
 * dropped in the end would let it come back. A version itself carries its context, a mode what it
 * clears: while those stay, these hold. */
static int precedence(const struct sr_record *record)
{
    if (record->kind == SR_RECORD_NOOP)
        return 0;
    if (record->tombstone)
        return 3;
    return record->kind == SR_RECORD_CONTEXT || record->kind == SR_RECORD_CLEAR_SUBJECT ? 2 : 1;
}

static bool is_version_gone(const struct sr_record *record)
{
    return record->kind == SR_RECORD_SCHEMA && record->tombstone && record->spelling.ptr == NULL;
}

/* Versions of one subject that go for good, whose numbers follow each other, up or down. */
static size_t run_length(const struct sr_record *const *records, size_t count)
{
    int step = 0;
    size_t i = 1;
    for (; i < count && is_version_gone(records[0]) && is_version_gone(records[i]) &&
           strcmp(records[i]->subject, records[0]->subject) == 0;
         i++) {
        int by = records[i]->version - records[i - 1]->version;
        if ((by != 1 && by != -1) || (step && by != step))
            break;
        step = by;
    }
    return i;
}

/* What stands behind the first one, for its header. */
static void put_rest(struct sr_bundle *bundle, const struct sr_record *const *records, size_t first)
{
    struct bs_buf rest = BS_BUF_INIT;
    size_t run;
    for (size_t i = first + 1; i < bundle->count; i += run) {
        const struct sr_message *message = &bundle->messages[i];
        run = run_length(&records[i], bundle->count - i);
        bs_buf_puts(&rest, i == first + 1 ? "[[" : ",[");
        put_string(&rest, message->key);
        bs_buf_puts(&rest, ",");
        if (message->value.ptr)
            put_string(&rest, message->value);
        else
            bs_buf_puts(&rest, "null");
        if (run > 1)
            bs_buf_printf(&rest, ",%d", records[i + run - 1]->version);
        bs_buf_puts(&rest, "]");
    }
    bs_buf_puts(&rest, "]");
    bundle->messages[first].rest = keep(&bundle->arena, &rest);
}

/* What a batch with this record alone has around it, and our headers. */
enum { FRAME_BYTES = 200 };

static size_t record_bytes(const struct sr_message *message)
{
    return message->key.len + message->value.len + FRAME_BYTES;
}

static int check_sizes(const struct sr_bundle *bundle, size_t first, size_t max,
                       struct bs_error *err)
{
    size_t rest = first < bundle->count ? bundle->messages[first].rest.len : 0;
    for (size_t i = 0; i < bundle->count; i++)
        if (record_bytes(&bundle->messages[i]) > max)
            return bs_error_set(err, BS_ELIMIT,
                                "its record has %zu bytes, the topic takes %zu; raise its "
                                "max.message.bytes and start the registry again",
                                record_bytes(&bundle->messages[i]), max);
    if (rest && (bundle->count - first > SR_REST_MAX ||
                 record_bytes(&bundle->messages[first]) + rest > max))
        return bs_error_set(
            err, BS_ERANGE,
            "%zu records (%zu bytes) are too many for one write, which is whole or "
            "absent: it takes %d, and %zu bytes; do it in parts, such as version by "
            "version",
            bundle->count - first, rest, SR_REST_MAX, max);
    return 0;
}

int sr_bundle_init(struct sr_bundle *bundle, const struct sr_record *records, size_t count,
                   int64_t epoch, size_t max, struct bs_error *err)
{
    const struct sr_record **order = bs_array(count, sizeof(const struct sr_record *));
    size_t first = 0, values = 0;
    *bundle = (struct sr_bundle){0};
    bs_arena_init(&bundle->arena);
    bundle->messages = bs_array(count, sizeof *bundle->messages);
    for (int class = 0; class <= 3; class ++)
        for (size_t i = 0; i < count; i++)
            if (precedence(&records[i]) == class) {
                order[bundle->count] = &records[i];
                put_message(bundle, &records[i], epoch);
                first += class == 0;
                values += class == 1;
            }
    if (bundle->count - first > 1 && values <= 1)
        put_rest(bundle, order, first);
    bs_free(order);
    /* Without its header the last one ends the write. */
    bundle->carrier =
        first < bundle->count && bundle->messages[first].rest.ptr ? first : bundle->count - 1;
    return check_sizes(bundle, first, max, err);
}

void sr_bundle_deinit(struct sr_bundle *bundle)
{
    bs_free(bundle->messages);
    bs_arena_deinit(&bundle->arena);
    *bundle = (struct sr_bundle){0};
}

/* How many records the item stands for, the first of which is read: 1, or those up to its last
 * version. */
static int read_item(const struct sd_value *item, struct bs_arena *arena, struct sr_record *ret,
                     size_t *ret_count, struct bs_error *err)
{
    const struct sd_value *parts = item->array.items, *last = &parts[2];
    int64_t more;
    int rc;
    if (item->type != SD_ARRAY || item->array.count < 2 || item->array.count > 3 ||
        parts[0].type != SD_STRING || (parts[1].type != SD_STRING && parts[1].type != SD_NULL))
        return bs_error_set(err, BS_EINVAL, "it is no record");
    rc = sr_record_read(parts[0].bytes,
                        parts[1].type == SD_NULL ? bs_bytes(NULL, 0) : parts[1].bytes, arena, ret,
                        err);
    *ret_count = 1;
    if (rc < 0 || item->array.count == 2)
        return rc;
    if (!is_version_gone(ret) || last->type != SD_LONG || last->number < 1 ||
        last->number > INT32_MAX)
        return bs_error_set(err, BS_EINVAL, "it is no range of versions");
    more = last->number - ret->version;
    *ret_count += (size_t)(more < 0 ? -more : more);
    return 0;
}

static void fill_run(struct sr_record *first, size_t count, const struct sd_value *item)
{
    int step = count > 1 && item->array.items[2].number < first->version ? -1 : 1;
    for (size_t i = 1; i < count; i++) {
        first[i] = *first;
        first[i].version = first->version + step * (int)i;
    }
}

int sr_bundle_rest(struct bs_bytes rest, struct bs_arena *arena, struct sr_record **ret_records,
                   size_t *ret_count, struct bs_error *err)
{
    struct sr_record *list = NULL, *heads;
    size_t *runs, total = 0;
    struct sd_value json;
    int rc = sd_json_read(rest, arena, &json, err);
    if (rc < 0)
        return bs_error_wrap(err, "header weir-rest");
    if (json.type != SD_ARRAY)
        return bs_error_set(err, BS_EINVAL, "header weir-rest: it is not a list");
    heads = bs_arena_array(arena, json.array.count, sizeof *heads);
    runs = bs_arena_array(arena, json.array.count, sizeof *runs);
    for (size_t i = 0; i < json.array.count; i++) {
        rc = read_item(&json.array.items[i], arena, &heads[i], &runs[i], err);
        if (rc == 0 && (total += runs[i]) > SR_REST_MAX)
            rc = bs_error_set(err, BS_ELIMIT, "more than %d records", SR_REST_MAX);
        if (rc < 0)
            return bs_error_wrap(err, "header weir-rest: item %zu", i);
    }
    list = bs_arena_array(arena, total, sizeof *list);
    *ret_records = list;
    *ret_count = total;
    for (size_t i = 0; i < json.array.count; list += runs[i++]) {
        *list = heads[i];
        fill_run(list, runs[i], &json.array.items[i]);
    }
    return 0;
}
