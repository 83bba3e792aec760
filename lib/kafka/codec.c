/* Codec: see codec.h. Interprets the generated tables; the tables' nesting is finite, so is the
 * recursion. Owns nothing. */
#include "lib/kafka/codec.h"

#include "lib/base/err.h"
#include "lib/base/mem.h"

enum { STRING_BYTES_MAX = 32767, ROOM_BYTES = 512 };

static const uint8_t type_bytes[] = {
    [KP_BOOL] = sizeof(bool),
    [KP_INT8] = 1,
    [KP_INT16] = 2,
    [KP_UINT16] = 2,
    [KP_INT32] = 4,
    [KP_UINT32] = 4,
    [KP_INT64] = 8,
    [KP_UUID] = sizeof(struct kp_uuid),
    [KP_STRING] = sizeof(struct bs_bytes),
    [KP_BYTES] = sizeof(struct bs_bytes),
    [KP_RECORDS] = sizeof(struct bs_bytes),
};

_Static_assert(sizeof(bool) == 1, "a bool is stored as one byte here and on the wire");
_Static_assert(sizeof(struct kp_uuid) == 16, "a uuid is its 16 bytes");

static size_t item_bytes(const struct kp_field *field)
{
    return field->type == KP_STRUCT ? field->members->size : type_bytes[field->type];
}

/* ---- decode -----------------------------------------------------------------------------------
 */

struct decoder {
    struct bs_cursor in;
    struct bs_arena *arena;
    int16_t version;
    bool flexible;
};

static int get_struct(struct decoder *d, const struct kp_struct *type, uint8_t *to);

/* Fewest bytes that a value (of an array: one element) takes; never 0, so that a count is bounded.
 */
static size_t least_bytes(const struct decoder *d, const struct kp_field *field, bool element)
{
    bool compact = d->flexible && !field->rigid;
    if (field->array && !element)
        return compact ? 1 : 4;
    switch (field->type) {
    case KP_STRING:
        return compact ? 1 : 2;
    case KP_BYTES:
    case KP_RECORDS:
        return compact ? 1 : 4;
    case KP_STRUCT: {
        if (field->ever_null && !element)
            return 1;
        size_t sum = d->flexible ? 1 : 0;
        for (uint16_t i = 0; i < field->members->plain_count; i++)
            if (kp_range_has(field->members->fields[i].versions, d->version))
                sum += least_bytes(d, &field->members->fields[i], false);
        return sum ? sum : 1;
    }
    default:
        return type_bytes[field->type];
    }
}

/* *ret -1: null. */
static int get_length(struct decoder *d, const struct kp_field *field, bool wide, int64_t *ret)
{
    int rc;
    if (d->flexible && !field->rigid) {
        uint32_t n;
        rc = bs_get_uvarint(&d->in, &n);
        *ret = rc ? 0 : (int64_t)n - 1;
    } else if (wide) {
        uint32_t n;
        rc = bs_get_u32(&d->in, &n);
        *ret = rc ? 0 : (int32_t)n;
    } else {
        uint16_t n;
        rc = bs_get_u16(&d->in, &n);
        *ret = rc ? 0 : (int16_t)n;
    }
    if (rc == 0 && *ret < -1)
        return BS_ECORRUPT;
    return rc;
}

static int get_slice(struct decoder *d, const struct kp_field *field, bool element,
                     struct bs_bytes *to)
{
    int64_t len;
    int rc = get_length(d, field, field->type != KP_STRING, &len);
    if (rc)
        return rc;
    if (len < 0) {
        *to = bs_bytes(NULL, 0);
        return !element && kp_range_has(field->nullable, d->version) ? 0 : BS_ECORRUPT;
    }
    return bs_get_bytes(&d->in, (size_t)len, to);
}

static int get_scalar(struct decoder *d, const struct kp_field *field, uint8_t *to)
{
    uint16_t half;
    uint32_t word;
    uint64_t wide;
    int rc;
    switch (field->type) {
    case KP_BOOL:
    case KP_INT8:
        rc = bs_get_u8(&d->in, to);
        if (rc == 0 && field->type == KP_BOOL)
            *to = *to != 0;
        return rc;
    case KP_INT16:
    case KP_UINT16:
        rc = bs_get_u16(&d->in, &half);
        if (rc == 0)
            memcpy(to, &half, sizeof half);
        return rc;
    case KP_INT32:
    case KP_UINT32:
        rc = bs_get_u32(&d->in, &word);
        if (rc == 0)
            memcpy(to, &word, sizeof word);
        return rc;
    default:
        rc = bs_get_u64(&d->in, &wide);
        if (rc == 0)
            memcpy(to, &wide, sizeof wide);
        return rc;
    }
}

/* One value, or one element of an array. */
static int get_item(struct decoder *d, const struct kp_field *field, bool element, uint8_t *to)
{
    switch (field->type) {
    case KP_UUID: {
        struct bs_bytes raw;
        int rc = bs_get_bytes(&d->in, sizeof(struct kp_uuid), &raw);
        if (rc == 0)
            memcpy(to, raw.ptr, sizeof(struct kp_uuid));
        return rc;
    }
    case KP_STRING:
    case KP_BYTES:
    case KP_RECORDS:
        return get_slice(d, field, element, (struct bs_bytes *)to);
    case KP_STRUCT:
        return get_struct(d, field->members, to);
    default:
        return get_scalar(d, field, to);
    }
}

static int get_array(struct decoder *d, const struct kp_field *field, uint8_t *base)
{
    int64_t count;
    int rc = get_length(d, field, true, &count);
    if (rc)
        return rc;
    if (count < 0 && !kp_range_has(field->nullable, d->version))
        return BS_ECORRUPT;
    if (count > 0 && (uint64_t)count > bs_cursor_left(&d->in) / least_bytes(d, field, true))
        return BS_ETRUNCATED;
    size_t size = item_bytes(field);
    uint8_t *items = count > 0 ? bs_arena_array(d->arena, (size_t)count, size) : NULL;
    memcpy(base + field->offset, &items, sizeof items);
    *(int32_t *)(base + field->count_offset) = (int32_t)count;
    for (int64_t i = 0; i < count; i++) {
        rc = get_item(d, field, true, items + (size_t)i * size);
        if (rc)
            return rc;
    }
    return 0;
}

static int get_nullable_struct(struct decoder *d, const struct kp_field *field, uint8_t *to)
{
    void *there = NULL;
    if (kp_range_has(field->nullable, d->version)) {
        uint8_t mark;
        int rc = bs_get_u8(&d->in, &mark);
        if (rc)
            return rc;
        if ((int8_t)mark < 0) {
            memcpy(to, &there, sizeof there);
            return 0;
        }
    }
    there = bs_arena_alloc(d->arena, field->members->size);
    memcpy(to, &there, sizeof there);
    return get_struct(d, field->members, there);
}

static int get_field(struct decoder *d, const struct kp_field *field, uint8_t *base)
{
    if (field->array)
        return get_array(d, field, base);
    if (field->type == KP_STRUCT && field->ever_null)
        return get_nullable_struct(d, field, base + field->offset);
    return get_item(d, field, false, base + field->offset);
}

static const struct kp_field *tagged_find(const struct kp_struct *type, uint32_t tag,
                                          int16_t version)
{
    for (uint16_t i = type->plain_count; i < type->field_count; i++)
        if ((uint32_t)type->fields[i].tag == tag && kp_range_has(type->fields[i].versions, version))
            return &type->fields[i];
    return NULL;
}

static int get_tagged(struct decoder *d, const struct kp_struct *type, uint8_t *to)
{
    uint32_t count;
    int rc = bs_get_uvarint(&d->in, &count);
    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        uint32_t tag, len;
        struct bs_bytes body;
        rc = bs_get_uvarint(&d->in, &tag);
        rc = rc ? rc : bs_get_uvarint(&d->in, &len);
        rc = rc ? rc : bs_get_bytes(&d->in, len, &body);
        if (rc)
            return rc;
        const struct kp_field *field = tagged_find(type, tag, d->version);
        if (!field)
            continue;
        struct bs_cursor after = d->in;
        d->in = bs_cursor(body);
        rc = get_field(d, field, to);
        if (rc || bs_cursor_left(&d->in) > 0)
            return BS_ECORRUPT; /* the bytes are there, but are not this field */
        d->in = after;
    }
    return rc;
}

static int get_struct(struct decoder *d, const struct kp_struct *type, uint8_t *to)
{
    kp_struct_init(type, to);
    for (uint16_t i = 0; i < type->plain_count; i++) {
        const struct kp_field *field = &type->fields[i];
        if (!kp_range_has(field->versions, d->version))
            continue;
        int rc = get_field(d, field, to);
        if (rc)
            return rc;
    }
    return d->flexible ? get_tagged(d, type, to) : 0;
}

int kp_message_decode(const struct kp_message *message, struct bs_cursor *in, int16_t version,
                      struct bs_arena *arena, void *ret)
{
    struct decoder d = {
        .in = *in,
        .arena = arena,
        .version = version,
        .flexible = version >= message->flexible,
    };
    if (!kp_range_has(message->versions, version)) {
        kp_struct_init(message->root, ret);
        return BS_EUNSUPPORTED;
    }
    int rc = get_struct(&d, message->root, ret);
    if (rc == 0)
        *in = d.in;
    return rc;
}

/* ---- encode -----------------------------------------------------------------------------------
 */

struct encoder {
    struct bs_buf *out;
    uint8_t *at, *end; /* out->len is behind at until flush */
    struct kp_pieces *pieces;
    int16_t version;
    bool flexible;
};

static int put_struct(struct encoder *e, const struct kp_struct *type, const uint8_t *from);

static void flush(struct encoder *e)
{
    e->out->len = (size_t)(e->at - e->out->data);
}

/* Room for n bytes at e->at. */
static inline void need(struct encoder *e, size_t n)
{
    if ((size_t)(e->end - e->at) >= n)
        return;
    flush(e);
    e->at = bs_buf_reserve(e->out, n + ROOM_BYTES);
    e->end = e->out->data + e->out->cap;
}

static inline void put_uvarint(struct encoder *e, uint64_t v)
{
    need(e, 10);
    if (v < 0x80)
        *e->at++ = (uint8_t)v;
    else
        e->at += bs_put_uvarlong(e->at, v);
}

/* len -1: null. */
static void put_length(struct encoder *e, const struct kp_field *field, bool wide, int64_t len)
{
    if (e->flexible && !field->rigid) {
        put_uvarint(e, (uint64_t)(len + 1));
        return;
    }
    need(e, 4);
    if (wide)
        bs_store_u32(e->at, (uint32_t)len);
    else
        bs_store_u16(e->at, (uint16_t)len);
    e->at += wide ? 4 : 2;
}

static void piece_add(struct encoder *e, struct bs_bytes bytes)
{
    struct kp_pieces *pieces = e->pieces;
    if (pieces->count == pieces->cap) {
        pieces->cap = pieces->cap ? pieces->cap * 2 : 16;
        pieces->items = bs_realloc(pieces->items, pieces->cap * sizeof *pieces->items);
    }
    pieces->items[pieces->count++] =
        (struct kp_piece){.at = (size_t)(e->at - e->out->data), .bytes = bytes};
    pieces->byte_count += bytes.len;
}

static int put_slice(struct encoder *e, const struct kp_field *field, bool element,
                     struct bs_bytes bytes)
{
    if (!bytes.ptr && !element && field->ever_null) {
        if (!kp_range_has(field->nullable, e->version))
            return BS_EUNSUPPORTED;
        put_length(e, field, field->type != KP_STRING, -1);
        return 0;
    }
    if (bytes.len > (field->type == KP_STRING ? STRING_BYTES_MAX : INT32_MAX))
        return BS_ERANGE;
    put_length(e, field, field->type != KP_STRING, (int64_t)bytes.len);
    if (field->type == KP_RECORDS && e->pieces && bytes.len >= KP_PIECE_MIN_BYTES) {
        piece_add(e, bytes);
        return 0;
    }
    if (bytes.len) {
        need(e, bytes.len);
        memcpy(e->at, bytes.ptr, bytes.len);
        e->at += bytes.len;
    }
    return 0;
}

static void put_scalar(struct encoder *e, uint8_t type, const uint8_t *from)
{
    need(e, sizeof(struct kp_uuid));
    switch (type) {
    case KP_BOOL:
    case KP_INT8:
        *e->at = *from;
        break;
    case KP_INT16:
    case KP_UINT16:
        bs_store_u16(e->at, *(const uint16_t *)from);
        break;
    case KP_INT32:
    case KP_UINT32:
        bs_store_u32(e->at, *(const uint32_t *)from);
        break;
    case KP_INT64:
        bs_store_u64(e->at, *(const uint64_t *)from);
        break;
    default:
        memcpy(e->at, from, sizeof(struct kp_uuid));
        break;
    }
    e->at += type_bytes[type];
}

static int put_item(struct encoder *e, const struct kp_field *field, bool element,
                    const uint8_t *from)
{
    switch (field->type) {
    case KP_STRING:
    case KP_BYTES:
    case KP_RECORDS:
        return put_slice(e, field, element, *(const struct bs_bytes *)from);
    case KP_STRUCT:
        return put_struct(e, field->members, from);
    default:
        put_scalar(e, field->type, from);
        return 0;
    }
}

static int put_array(struct encoder *e, const struct kp_field *field, const uint8_t *base)
{
    const uint8_t *items;
    memcpy(&items, base + field->offset, sizeof items);
    int32_t count = *(const int32_t *)(base + field->count_offset);
    if (count < 0 && field->ever_null && !kp_range_has(field->nullable, e->version))
        return BS_EUNSUPPORTED;
    if (count < 0)
        count = field->ever_null ? -1 : 0;
    put_length(e, field, true, count);
    size_t size = item_bytes(field);
    for (int32_t i = 0; i < count; i++) {
        int rc = put_item(e, field, true, items + (size_t)i * size);
        if (rc)
            return rc;
    }
    return 0;
}

static int put_nullable_struct(struct encoder *e, const struct kp_field *field, const uint8_t *base)
{
    const uint8_t *there;
    memcpy(&there, base + field->offset, sizeof there);
    bool nullable = kp_range_has(field->nullable, e->version);
    if (!there && !nullable)
        return BS_EUNSUPPORTED;
    if (nullable) {
        need(e, 1);
        *e->at++ = there ? 1 : 0xff;
    }
    return there ? put_struct(e, field->members, there) : 0;
}

static int put_field(struct encoder *e, const struct kp_field *field, const uint8_t *base)
{
    if (field->array)
        return put_array(e, field, base);
    if (field->type == KP_STRUCT && field->ever_null)
        return put_nullable_struct(e, field, base);
    return put_item(e, field, false, base + field->offset);
}

static bool is_default(const struct kp_field *field, const uint8_t *base, const uint8_t *defaults)
{
    const uint8_t *from = base + field->offset;
    if (field->array) {
        int32_t count = *(const int32_t *)(base + field->count_offset);
        int32_t usual = *(const int32_t *)(defaults + field->count_offset);
        return count == usual || (!field->ever_null && count <= 0);
    }
    switch (field->type) {
    case KP_STRING:
    case KP_BYTES:
    case KP_RECORDS: {
        const struct bs_bytes *bytes = (const struct bs_bytes *)from;
        const struct bs_bytes *usual = (const struct bs_bytes *)(defaults + field->offset);
        return bytes->len == 0 && (!field->ever_null || !bytes->ptr == !usual->ptr);
    }
    case KP_STRUCT: {
        if (field->ever_null) {
            const void *there;
            memcpy(&there, from, sizeof there);
            return !there;
        }
        const struct kp_struct *type = field->members;
        for (uint16_t i = 0; i < type->field_count; i++)
            if (!is_default(&type->fields[i], from, type->defaults))
                return false;
        return true;
    }
    default:
        return memcmp(from, defaults + field->offset, type_bytes[field->type]) == 0;
    }
}

static int put_tagged_field(struct encoder *e, const struct kp_field *field, const uint8_t *from)
{
    put_uvarint(e, (uint64_t)field->tag);
    need(e, 1);
    size_t size_at = (size_t)(e->at++ - e->out->data); /* one byte, as most sizes need */
    int rc = put_field(e, field, from);
    if (rc)
        return rc;
    size_t len = (size_t)(e->at - e->out->data) - size_at - 1;
    uint8_t head[10];
    size_t head_len = bs_put_uvarlong(head, len);
    need(e, head_len);
    uint8_t *size_ptr = e->out->data + size_at;
    if (head_len > 1)
        memmove(size_ptr + head_len, size_ptr + 1, len);
    memcpy(size_ptr, head, head_len);
    e->at = size_ptr + head_len + len;
    return 0;
}

static int put_tagged(struct encoder *e, const struct kp_struct *type, const uint8_t *from)
{
    uint32_t count = 0;
    for (uint16_t i = type->plain_count; i < type->field_count; i++)
        count += kp_range_has(type->fields[i].versions, e->version) &&
                 !is_default(&type->fields[i], from, type->defaults);
    put_uvarint(e, count);
    for (uint16_t i = type->plain_count; count > 0 && i < type->field_count; i++) {
        const struct kp_field *field = &type->fields[i];
        if (!kp_range_has(field->versions, e->version) || is_default(field, from, type->defaults))
            continue;
        int rc = put_tagged_field(e, field, from);
        if (rc)
            return rc;
        count--;
    }
    return 0;
}

static int put_struct(struct encoder *e, const struct kp_struct *type, const uint8_t *from)
{
    for (uint16_t i = 0; i < type->field_count; i++) {
        const struct kp_field *field = &type->fields[i];
        if (!kp_range_has(field->versions, e->version)) {
            if (!field->ignorable && !is_default(field, from, type->defaults))
                return BS_EUNSUPPORTED;
            continue;
        }
        if (i >= type->plain_count)
            continue; /* below, in the tagged section */
        int rc = put_field(e, field, from);
        if (rc)
            return rc;
    }
    return e->flexible ? put_tagged(e, type, from) : 0;
}

int kp_message_encode_pieces(const struct kp_message *message, const void *from, int16_t version,
                             struct bs_buf *out, struct kp_pieces *pieces)
{
    if (!kp_range_has(message->versions, version))
        return BS_EUNSUPPORTED;
    size_t len = out->len;
    size_t piece_count = pieces ? pieces->count : 0, piece_bytes = pieces ? pieces->byte_count : 0;
    struct encoder e = {
        .out = out,
        .at = bs_buf_reserve(out, ROOM_BYTES),
        .pieces = pieces,
        .version = version,
        .flexible = version >= message->flexible,
    };
    e.end = out->data + out->cap;
    int rc = put_struct(&e, message->root, from);
    flush(&e);
    if (rc) {
        out->len = len;
        if (pieces) {
            pieces->count = piece_count;
            pieces->byte_count = piece_bytes;
        }
    }
    return rc;
}

int kp_message_encode(const struct kp_message *message, const void *from, int16_t version,
                      struct bs_buf *out)
{
    return kp_message_encode_pieces(message, from, version, out, NULL);
}

void kp_pieces_deinit(struct kp_pieces *pieces)
{
    bs_free(pieces->items);
    *pieces = (struct kp_pieces){0};
}
