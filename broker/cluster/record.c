/* Record: see record.h. The isr is always the replica list: one node. */
#include "broker/cluster/record.h"

#include "lib/base/err.h"

enum { FRAME_VERSION = 1, NO_LEADER_CHANGE = -2, TAG_LEADER = 1 };

static void put_string(struct bs_buf *out, struct bs_bytes text)
{
    bs_buf_put_uvarlong(out, text.ptr ? text.len + 1 : 0);
    bs_buf_put(out, text.ptr, text.len);
}

static void put_int32s(struct bs_buf *out, const int32_t *list, size_t count)
{
    bs_buf_put_uvarlong(out, count + 1);
    for (size_t i = 0; i < count; i++)
        bs_buf_put_u32(out, (uint32_t)list[i]);
}

static void encode_partition(const struct bk_record *r, struct bs_buf *out)
{
    bs_buf_put_u32(out, (uint32_t)r->partition);
    bs_buf_put(out, r->topic_id.bytes, 16);
    put_int32s(out, r->replicas, r->replica_count);
    put_int32s(out, r->replicas, r->replica_count); /* isr */
    put_int32s(out, NULL, 0);                       /* removing */
    put_int32s(out, NULL, 0);                       /* adding */
    bs_buf_put_u32(out, (uint32_t)r->leader);
    bs_buf_put_u32(out, (uint32_t)r->leader_epoch);
    bs_buf_put_u32(out, (uint32_t)r->partition_epoch);
}

void bk_record_encode(const struct bk_record *r, struct bs_buf *out)
{
    bs_buf_put_uvarlong(out, FRAME_VERSION);
    bs_buf_put_uvarlong(out, (uint64_t)r->type);
    bs_buf_put_uvarlong(out, 0);
    switch (r->type) {
    case BK_RECORD_TOPIC:
        put_string(out, r->name);
        bs_buf_put(out, r->topic_id.bytes, 16);
        break;
    case BK_RECORD_PARTITION:
        encode_partition(r, out);
        break;
    case BK_RECORD_CONFIG:
        bs_buf_put_u8(out, (uint8_t)r->resource_type);
        put_string(out, r->name);
        put_string(out, r->key);
        put_string(out, r->value);
        break;
    case BK_RECORD_PARTITION_CHANGE:
        bs_buf_put_u32(out, (uint32_t)r->partition);
        bs_buf_put(out, r->topic_id.bytes, 16);
        if (r->leader != NO_LEADER_CHANGE) {
            bs_buf_put_uvarlong(out, 1); /* one tagged field */
            bs_buf_put_uvarlong(out, TAG_LEADER);
            bs_buf_put_uvarlong(out, 4);
            bs_buf_put_u32(out, (uint32_t)r->leader);
            return;
        }
        break;
    case BK_RECORD_REMOVE_TOPIC:
        bs_buf_put(out, r->topic_id.bytes, 16);
        break;
    case BK_RECORD_PRODUCER_IDS:
        bs_buf_put_u32(out, (uint32_t)r->broker_id);
        bs_buf_put_u64(out, UINT64_MAX); /* broker epoch -1 */
        bs_buf_put_u64(out, (uint64_t)r->next_producer_id);
        break;
    }
    bs_buf_put_uvarlong(out, 0); /* tagged fields */
}

static int get_string(struct bs_cursor *c, struct bs_bytes *ret)
{
    uint32_t len = 0;
    int rc = bs_get_uvarint(c, &len);
    *ret = bs_bytes(NULL, 0);
    if (rc || len == 0)
        return rc;
    rc = bs_get_bytes(c, len - 1, ret);
    if (!rc && !ret->ptr)
        ret->ptr = (const uint8_t *)"";
    return rc;
}

static int get_i32(struct bs_cursor *c, int32_t *ret)
{
    uint32_t v = 0;
    int rc = bs_get_u32(c, &v);
    *ret = (int32_t)v;
    return rc;
}

static int get_int32s(struct bs_cursor *c, int32_t *list, size_t cap, size_t *ret_count)
{
    uint32_t count = 0;
    int rc = bs_get_uvarint(c, &count);
    if (rc)
        return rc;
    count = count ? count - 1 : 0;
    if (count > cap)
        return BS_ELIMIT;
    for (uint32_t i = 0; i < count && !rc; i++)
        rc = get_i32(c, &list[i]);
    *ret_count = count;
    return rc;
}

static int get_uuid(struct bs_cursor *c, struct bk_uuid *ret)
{
    struct bs_bytes bytes;
    int rc = bs_get_bytes(c, 16, &bytes);
    if (!rc)
        memcpy(ret->bytes, bytes.ptr, 16);
    return rc;
}

static int decode_partition(struct bs_cursor *c, struct bk_record *r)
{
    int32_t ignored[BK_RECORD_REPLICAS_MAX];
    size_t n = 0;
    int rc = get_i32(c, &r->partition);
    if (!rc)
        rc = get_uuid(c, &r->topic_id);
    if (!rc)
        rc = get_int32s(c, r->replicas, BK_RECORD_REPLICAS_MAX, &r->replica_count);
    for (int i = 0; i < 3 && !rc; i++)
        rc = get_int32s(c, ignored, BK_RECORD_REPLICAS_MAX, &n);
    if (!rc)
        rc = get_i32(c, &r->leader);
    if (!rc)
        rc = get_i32(c, &r->leader_epoch);
    return rc ? rc : get_i32(c, &r->partition_epoch);
}

static int decode_partition_change(struct bs_cursor *c, struct bk_record *r)
{
    uint32_t tags = 0;
    int rc = get_i32(c, &r->partition);
    r->leader = NO_LEADER_CHANGE;
    if (!rc)
        rc = get_uuid(c, &r->topic_id);
    if (!rc)
        rc = bs_get_uvarint(c, &tags);
    for (uint32_t i = 0; i < tags && !rc; i++) {
        uint32_t tag = 0, size = 0;
        struct bs_bytes data;
        rc = bs_get_uvarint(c, &tag);
        if (!rc)
            rc = bs_get_uvarint(c, &size);
        if (!rc)
            rc = bs_get_bytes(c, size, &data);
        if (!rc && tag == TAG_LEADER && size == 4)
            r->leader = (int32_t)bs_load_u32(data.ptr);
    }
    return rc;
}

int bk_record_decode(struct bs_bytes value, struct bk_record *r)
{
    struct bs_cursor c = bs_cursor(value);
    uint32_t frame = 0, type = 0, version = 0;
    uint64_t v = 0;
    uint8_t byte = 0;
    *r = (struct bk_record){0};
    int rc = bs_get_uvarint(&c, &frame);
    if (!rc)
        rc = bs_get_uvarint(&c, &type);
    if (!rc)
        rc = bs_get_uvarint(&c, &version);
    if (rc)
        return rc;
    if (frame != FRAME_VERSION)
        return BS_EUNSUPPORTED;
    r->type = (enum bk_record_type)type;
    switch (type) {
    case BK_RECORD_TOPIC:
        rc = get_string(&c, &r->name);
        return rc ? rc : get_uuid(&c, &r->topic_id);
    case BK_RECORD_PARTITION:
        return decode_partition(&c, r);
    case BK_RECORD_CONFIG:
        rc = bs_get_u8(&c, &byte);
        r->resource_type = (int8_t)byte;
        if (!rc)
            rc = get_string(&c, &r->name);
        if (!rc)
            rc = get_string(&c, &r->key);
        return rc ? rc : get_string(&c, &r->value);
    case BK_RECORD_PARTITION_CHANGE:
        return decode_partition_change(&c, r);
    case BK_RECORD_REMOVE_TOPIC:
        return get_uuid(&c, &r->topic_id);
    case BK_RECORD_PRODUCER_IDS:
        rc = get_i32(&c, &r->broker_id);
        if (!rc)
            rc = bs_get_u64(&c, &v);
        if (!rc)
            rc = bs_get_u64(&c, &v);
        r->next_producer_id = (int64_t)v;
        return rc;
    default:
        return 1;
    }
}
