/* Bundle: see bundle.h. */
#include "schema-registry/bundle.h"

#include "lib/base/mem.h"
#include "lib/serde/json.h"

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

/* The messages behind the first one, for its header. */
static void put_rest(struct sr_bundle *bundle, size_t first)
{
    struct bs_buf rest = BS_BUF_INIT;
    for (size_t i = first + 1; i < bundle->count && rest.len <= SR_REST_MAX; i++) {
        const struct sr_message *message = &bundle->messages[i];
        bs_buf_puts(&rest, i == first + 1 ? "[[" : ",[");
        put_string(&rest, message->key);
        bs_buf_puts(&rest, ",");
        if (message->value.ptr)
            put_string(&rest, message->value);
        else
            bs_buf_puts(&rest, "null");
        bs_buf_puts(&rest, "]");
    }
    bs_buf_puts(&rest, "]");
    if (rest.len <= SR_REST_MAX)
        bundle->messages[first].rest = keep(&bundle->arena, &rest);
    bs_buf_deinit(&rest);
}

void sr_bundle_init(struct sr_bundle *bundle, const struct sr_record *records, size_t count,
                    int64_t epoch)
{
    size_t first = 0, values = 0;
    *bundle = (struct sr_bundle){0};
    bs_arena_init(&bundle->arena);
    bundle->messages = bs_array(count, sizeof *bundle->messages);
    for (int class = 0; class <= 3; class ++)
        for (size_t i = 0; i < count; i++)
            if (precedence(&records[i]) == class) {
                put_message(bundle, &records[i], epoch);
                first += class == 0;
                values += class == 1;
            }
    if (bundle->count - first > 1 && values <= 1)
        put_rest(bundle, first);
    /* Without its header the last one ends the write. */
    bundle->carrier =
        first < bundle->count && bundle->messages[first].rest.ptr ? first : bundle->count - 1;
}

void sr_bundle_deinit(struct sr_bundle *bundle)
{
    bs_free(bundle->messages);
    bs_arena_deinit(&bundle->arena);
    *bundle = (struct sr_bundle){0};
}

int sr_bundle_rest(struct bs_bytes rest, struct bs_arena *arena, struct sr_record **ret_records,
                   size_t *ret_count, struct bs_error *err)
{
    struct sd_value json;
    int rc = sd_json_read(rest, arena, &json, err);
    if (rc < 0)
        return bs_error_wrap(err, "header weir-rest");
    if (json.type != SD_ARRAY)
        return bs_error_set(err, BS_EINVAL, "header weir-rest: it is not a list");
    *ret_count = json.array.count;
    *ret_records = bs_arena_array(arena, json.array.count, sizeof **ret_records);
    for (size_t i = 0; i < json.array.count; i++) {
        const struct sd_value *item = &json.array.items[i];
        struct sr_record *record = &(*ret_records)[i];
        if (item->type != SD_ARRAY || item->array.count != 2 ||
            item->array.items[0].type != SD_STRING ||
            (item->array.items[1].type != SD_STRING && item->array.items[1].type != SD_NULL))
            return bs_error_set(err, BS_EINVAL, "header weir-rest: item %zu is no record", i);
        rc = sr_record_read(item->array.items[0].bytes,
                            item->array.items[1].type == SD_NULL ? bs_bytes(NULL, 0)
                                                                 : item->array.items[1].bytes,
                            arena, record, err);
        if (rc < 0)
            return bs_error_wrap(err, "header weir-rest: item %zu", i);
    }
    return 0;
}
